/* What is fuzzed: the reader of archives, and each parser that it hands bytes to; files of PyTorch's tensors; and what
 * lies in a store, which may be a folder that others write to as well. A target takes any bytes whatever and may refuse
 * them, but neither crash nor hang nor take memory without bound.
 */
#pragma once

#include <glib.h>

typedef struct {
  const char *name; /* of its folder of the corpus */
  void (*run) (const guint8 *data, gsize length);
} FuzzTarget;

/* Ends with a row without a name. */
extern const FuzzTarget fuzz_targets[];
