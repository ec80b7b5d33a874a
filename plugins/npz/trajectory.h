/* The stage types of trajectory.c. */
#pragma once

#include "limbeck.h"

extern const LbStageType trajectory_sink_type, trajectory_source_type;
