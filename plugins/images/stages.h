/* The stage types of this plugin. */
#pragma once

#include "limbeck.h"

extern const LbStageType image_folder_type, image_grid_type;
