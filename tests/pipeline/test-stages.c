/* The test stages as a plugin. */
#include "stages.h"

LB_DEFINE_PLUGIN ("test-stages", "1.2", "LGPL-2.1-or-later", &counter_type, &doubler_type, &sum_type, &pair_type,
                  &speaker_type, &sleeper_type, &quitter_type);
