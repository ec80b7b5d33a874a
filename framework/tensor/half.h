/* Half precision (IEEE 754 binary16), for storage alone: arithmetic is done in f32. */
#pragma once

#include "tensor/tensor.h"

G_BEGIN_DECLS

/* Rounds to the nearest half, ties to even; what is too large becomes infinite, and not-a-number stays so, with the
 * leading bits of its payload. The same bits on every processor, with or without its instructions for it. */
void lb_f16_from_f32 (const float *from, guint16 *to, gsize n);

/* Exact. */
void lb_f16_to_f32 (const guint16 *from, float *to, gsize n);

/* The same by integer arithmetic alone, for processors without such instructions. */
void lb_f16_from_f32_portable (const float *from, guint16 *to, gsize n);
void lb_f16_to_f32_portable (const guint16 *from, float *to, gsize n);

G_END_DECLS
