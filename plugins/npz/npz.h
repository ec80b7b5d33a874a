/* The stage types of this plugin. */
#pragma once

#include "limbeck.h"

extern const LbStageType npz_sink_type;                                        /* sink.c */
extern const LbStageType npz_source_type, npz_augmented_source_type;           /* source.c */
extern const LbStageType npz_trajectory_sink_type, npz_trajectory_source_type; /* trajectory.c */
