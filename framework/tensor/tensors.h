/* Files of tensors, whatever wrote them: NumPy's .npy and .npz, PyTorch's .pt. */
#pragma once

#include "tensor/npz.h"

G_BEGIN_DECLS

/* Reads all tensors of @path, whose format is told by its first bytes, not by its name. An .npy file has one tensor,
 * named ""; an .npz file those of its members (lb_npz_read()); a file of torch.save() all that stand in its lists,
 * tuples and dictionaries, under names such as "data.0.1", or "" for one alone: f16 and bfloat16 as f32, i8 and i16 as
 * i32, bool as u8; nothing in it is executed. At most @limit bytes. Returns an array of LbNamedTensor that frees its
 * elements. LB_ERROR_INPUT. */
GArray *lb_tensors_read (const char *path, gsize limit, GError **error);

/* The tensor named @name; the array's. If there is none, NULL with LB_ERROR_INPUT: @path and the names there are. */
LbTensor *lb_tensors_find (GArray *tensors, const char *path, const char *name, GError **error);

G_END_DECLS
