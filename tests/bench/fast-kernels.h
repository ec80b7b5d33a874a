/* Kernels without exact numerics, to tell what these cost (tests/bench/compare --exact): the project's own, of which
 * the compiler may fuse, reorder and approximate as it likes (-ffast-math), and OpenBLAS for plain matrix products.
 * Their bits depend on the compiler and the processor; nothing but the bench uses them.
 */
#pragma once

#include "graph/kernels/kernels.h"

/* The set for f32 on this processor; NULL where there is none. Static. */
const LbKernelSet *fast_kernels (void);
