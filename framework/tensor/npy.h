/* Private to tensor/: the header of an .npy image, apart from its elements. */
#pragma once

#include "tensor/tensor.h"

/* No header that NumPy writes for the dtypes read here comes near to this. */
#define LB_NPY_MAX_HEADER 4096

typedef struct {
  LbDType dtype;
  LbShape shape;
  gboolean is_bool;   /* elements must be 0 or 1 */
  gsize header_bytes; /* where the elements start */
  gsize data_bytes;   /* how many bytes they take */
} LbNpyHeader;

/* The header that begins the .npy form of @tensor. */
GString *lb_npy_header (const LbTensor *tensor);

/* Reads the header from the first @length bytes; LB_NPY_MAX_HEADER of them are always enough. */
gboolean lb_npy_header_parse (const char *place, const guint8 *data, gsize length, LbNpyHeader *header, GError **error);

/* An empty tensor for @header. */
LbTensor *lb_npy_tensor (const char *place, const LbNpyHeader *header, GError **error);

/* Whether the elements are what @header says. */
gboolean lb_npy_check (const char *place, const LbNpyHeader *header, const LbTensor *tensor, GError **error);
