/* Private to tensor/: PyTorch's zipped files of tensors. */
#pragma once

#include "tensor/tensor.h"

/* Reads every tensor that torch.save() (PyTorch 1.6 or later) put into @path: one alone, or in lists, tuples and
 * dictionaries, under names such as "data.0.1" ("" when it is alone). Values that are no tensors are left out. bfloat16
 * becomes f32, i8 and i16 become i32, bool becomes u8; any strides are made C order. Executes nothing, and
 * takes at most @limit bytes for the file's members and as many for the tensors. Returns an array of LbNamedTensor that
 * frees its elements. LB_ERROR_INPUT. */
GArray *lb_pt_read (const char *path, gsize limit, GError **error);
