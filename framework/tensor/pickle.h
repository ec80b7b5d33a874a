/* Private to tensor/: the part of Python's pickle format, protocol 2, that files of tensors need.
 *
 * A pickle is a program for a stack machine that can call any function by name. This reader runs no such program: it
 * knows a few names, all of which mean data (a tensor, a storage, an ordered dictionary, a NumPy number), and refuses
 * a file at the first opcode or name that it does not know.
 */
#pragma once

#include "tensor/tensor.h"

typedef enum {
  LB_PICKLE_NONE,
  LB_PICKLE_BOOLEAN,
  LB_PICKLE_INTEGER,
  LB_PICKLE_FLOAT,
  LB_PICKLE_TEXT,
  LB_PICKLE_TUPLE,
  LB_PICKLE_LIST,
  LB_PICKLE_DICT,    /* items: key, value, key, value, ... */
  LB_PICKLE_GLOBAL,  /* one of the names that are known; text is "module name" */
  LB_PICKLE_STORAGE, /* text is its key, element its type, integer its number of elements */
  LB_PICKLE_TENSOR,
  LB_PICKLE_INERT /* a value that is known to be harmless and of no use here, such as a NumPy number */
} LbPickleKind;

/* Elements of a PyTorch storage. */
typedef struct {
  const char *name; /* "FloatStorage" */
  char code;        /* f F h b (f32, f64, f16, bfloat16), 1 2 4 8 (signed), u (u8), B (bool) */
  guint8 size;      /* bytes */
} LbPickleElement;

typedef struct _LbPickleValue LbPickleValue;
struct _LbPickleValue {
  LbPickleKind kind;
  gint64 integer;
  char *text;
  GPtrArray *items; /* LbPickleValue*, borrowed */
  const LbPickleElement *element;
  /* A tensor: how it lies in its storage. */
  LbPickleValue *storage;
  gint64 offset;
  LbShape shape;
  gint64 stride[LB_MAX_RANK];
};

/* What a pickle holds. Values may be shared, and may even contain themselves. */
typedef struct {
  GPtrArray *values; /* owns all of them */
  LbPickleValue *top;
} LbPickle;

/* Reads the whole of @data; @place begins error messages. LB_ERROR_INPUT. */
LbPickle *lb_pickle_parse (const char *place, const guint8 *data, gsize length, GError **error);
void lb_pickle_free (LbPickle *pickle);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LbPickle, lb_pickle_free)
