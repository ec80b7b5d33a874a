/* One or more examples of every op, for tests that walk the op table. */
#pragma once

#include "graph/op.h"

typedef struct {
  LbOpCode op; /* the row that this example is of */
  const char *label;
  LbNode *(*build) (LbNode **x);
  guint n_inputs;
  LbShape shapes[LB_MAX_INPUTS];
  gboolean fixed[LB_MAX_INPUTS]; /* operands without derivative */
  double low, high;              /* values are drawn from here */
} Example;

extern const Example examples[];
extern const guint n_examples;

/* Values for operand @index of @example: uniform in [low, high), away from 0 by at least 0.05, or sampling places for
 * bilinear, or keys for dropout. f64. */
LbTensor *example_values (const Example *example, guint index, LbDType dtype);
