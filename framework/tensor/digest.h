/* Digests of tensors, for those that digest several together. Private to the framework; of one: lb_tensor_digest(). */
#pragma once

#include "base/sha256.h"
#include "tensor/tensor.h"

G_BEGIN_DECLS

/* Adds the text of its type, "f32[10, 3]", and its elements: little-endian, last dimension fastest. */
void lb_tensor_add_to_digest (const LbTensor *tensor, LbSha256 *sha256);

G_END_DECLS
