/* images: sets that are stored as pictures. */
#include "stages.h"

LB_DEFINE_PLUGIN ("images", "1.0", "LGPL-2.1-or-later", &image_folder_type, &image_grid_type);
