/* The first value that is not finite (trace.h).
 *
 * Every value is looked at, and what comes first in the order of execution is kept; a program goes on to its end. What
 * operands held is noted before a kernel runs, for it may overwrite them.
 */
#include "graph/trace.h"

#include <math.h>

typedef struct {
  double low, high; /* of finite elements; low > high when there are none */
} Range;

struct _LbTrace {
  GMutex lock;
  const LbNode *node; /* NULL: nothing found */
  guint position;     /* 0 for inputs, 1 + that of the step for others */
  gint64 element;
  double value;
  gboolean is_sum;
  Range operands[LB_MAX_INPUTS];
};

LbTrace *
lb_trace_new (void)
{
  LbTrace *trace = g_new0 (LbTrace, 1);

  g_mutex_init (&trace->lock);
  return trace;
}

void
lb_trace_free (LbTrace *trace)
{
  if (trace == NULL)
    return;
  g_mutex_clear (&trace->lock);
  g_free (trace);
}

/* ---- Looking ---- */

static double
element_of (LbDType dtype, gconstpointer values, gint64 index)
{
  return dtype == LB_F64 ? ((const double *)values)[index] : (double)((const float *)values)[index];
}

/* The first of @n elements that is not finite, -1 when there is none. */
static gint64
find_bad (LbDType dtype, gconstpointer values, gint64 n)
{
  for (gint64 i = 0; i < n; i++)
    if (!isfinite (element_of (dtype, values, i)))
      return i;
  return -1;
}

static Range
range_of (LbDType dtype, gconstpointer values, gint64 n)
{
  Range range = { INFINITY, -INFINITY };

  for (gint64 i = 0; i < n; i++) {
    double value = element_of (dtype, values, i);
    if (isfinite (value)) {
      range.low = MIN (range.low, value);
      range.high = MAX (range.high, value);
    }
  }
  return range;
}

/* Keeps a finding if it comes before the one so far. */
static void
note (LbTrace *trace, const LbNode *node, guint position, gint64 element, double value, const Range *operands)
{
  g_mutex_lock (&trace->lock);
  if (trace->node == NULL || position < trace->position
      || (position == trace->position
          && (node->id < trace->node->id || (node == trace->node && element < trace->element)))) {
    trace->node = node;
    trace->position = position;
    trace->element = element;
    trace->value = value;
    trace->is_sum = operands == NULL;
    for (guint i = 0; operands != NULL && i < node->n_inputs; i++)
      trace->operands[i] = operands[i];
  }
  g_mutex_unlock (&trace->lock);
}

void
lb_trace_input (LbTrace *trace, const LbNode *input, const LbTensor *value)
{
  gint64 bad = find_bad (lb_tensor_dtype (value), lb_tensor_data (value), lb_tensor_size (value));

  if (bad >= 0)
    note (trace, input, 0, bad, element_of (lb_tensor_dtype (value), lb_tensor_data (value), bad), NULL);
}

void
lb_trace_call (LbTrace *trace, const LbStep *step, LbKernel kernel, const LbCall *call, gint64 first)
{
  LbDType dtype = call->node->graph->dtype;
  Range operands[LB_MAX_INPUTS];

  for (guint i = 0; i < call->node->n_inputs; i++)
    operands[i] = range_of (dtype, call->inputs[i], lb_shape_size (call->input_shapes[i]));
  kernel (call);
  gint64 bad = find_bad (dtype, call->output, lb_shape_size (call->output_shape));
  if (bad >= 0)
    note (trace, call->node, 1 + step->position, first + bad, element_of (dtype, call->output, bad), operands);
}

void
lb_trace_sum (LbTrace *trace, const LbStep *step, guint position, gconstpointer values, gint64 first, gint64 n)
{
  LbDType dtype = step->node->graph->dtype;
  gint64 bad = find_bad (dtype, values, n);

  if (bad >= 0)
    note (trace, step->node, 1 + position, first + bad, element_of (dtype, values, bad), NULL);
}

/* ---- Telling ---- */

/* Appends "[3, 7] of [256, 10]". */
static void
append_element (GString *text, LbShape shape, gint64 element)
{
  g_autofree char *all = lb_shape_to_string (shape);

  for (guint axis = shape.rank; axis-- > 0;) {
    gint64 length = shape.dim[axis];
    shape.dim[axis] = element % length;
    element /= length;
  }
  g_autofree char *place = lb_shape_to_string (shape);
  g_string_append_printf (text, "%s of %s", place, all);
}

static void
append_operand (GString *text, const LbNode *operand, guint number, const Range *range)
{
  g_autofree char *shape = lb_shape_to_string (operand->shape);

  g_string_append_printf (text, "; operand %u, %s ", number, shape);
  if (operand->op == LB_OP_INPUT)
    g_string_append_printf (text, "bound to input '%s'", operand->name);
  else
    g_string_append_printf (text, "made by %s at %s", lb_ops[operand->op]->name, operand->here);
  if (range->low == range->high)
    g_string_append_printf (text, ", was %g", range->low);
  else
    g_string_append_printf (text, ", was finite, from %g to %g", range->low, range->high);
}

char *
lb_trace_finding (const LbTrace *trace)
{
  const LbNode *node = trace->node;

  if (node == NULL)
    return NULL;
  GString *text = g_string_new (NULL);
  const char *value = isnan (trace->value) ? "not a number" : trace->value > 0 ? "infinite" : "minus infinite";
  if (node->op == LB_OP_INPUT)
    g_string_append_printf (text, "input '%s' of a program, made at %s, came with a value that is %s, at ", node->name,
                            node->here, value);
  else
    g_string_append_printf (text, "%s, made at %s, gave the first value that is %s, %sat ", lb_ops[node->op]->name,
                            node->here, value, trace->is_sum ? "when its sums over samples were added up, " : "");
  append_element (text, node->shape, trace->element);
  for (guint i = 0; !trace->is_sum && i < node->n_inputs; i++)
    append_operand (text, node->inputs[i], i + 1, &trace->operands[i]);
  return g_string_free (text, FALSE);
}
