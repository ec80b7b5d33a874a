/* Running small graphs and comparing numbers, for the tests of nn/. */
#pragma once

#include <math.h>
#include <string.h>

#include "limbeck.h"

#define CLOSE(a, b, tolerance)                                                                                         \
  G_STMT_START                                                                                                         \
  {                                                                                                                    \
    double close_a_ = (a), close_b_ = (b);                                                                             \
    if (!(fabs (close_a_ - close_b_) <= (tolerance)))                                                                  \
      g_error ("%s:%d: %s is %.9g, expected %.9g", __FILE__, __LINE__, #a, close_a_, close_b_);                        \
  }                                                                                                                    \
  G_STMT_END

/* A new f32 tensor that holds @values. */
static inline LbTensor *
tensor_of (LbShape shape, const float *values)
{
  LbTensor *tensor = lb_tensor_new (LB_F32, shape);

  memcpy (lb_tensor_f32 (tensor), values, lb_tensor_bytes (tensor));
  return tensor;
}

#define TENSOR(shape, ...) tensor_of (shape, (const float[]){ __VA_ARGS__ })

static inline void
bind_take (LbProgram *program, LbNode *input, LbTensor *tensor)
{
  lb_program_bind (program, input, tensor);
  lb_tensor_unref (tensor);
}

static inline void
run_once (LbProgram *program)
{
  g_autoptr (LbPool) pool = lb_pool_new (1);
  g_autoptr (LbCompute) compute = lb_compute_new (pool);

  lb_program_run (program, compute);
}
