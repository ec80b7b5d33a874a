/* The op table. */
#include "graph/op.h"

/* Leaves take no operands and have no rule. */
static const LbOp input = { .name = "input" };
static const LbOp constant = { .name = "constant" };

#define LIST(code, symbol) [LB_OP_##code] = &lb_op_##symbol,
const LbOp *const lb_ops[LB_N_OPS] = { [LB_OP_INPUT] = &input, [LB_OP_CONSTANT] = &constant, LB_OPS (LIST) };
