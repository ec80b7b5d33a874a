/* Tensor programs as graphs: describe the arithmetic once, differentiate it, compile it (program.h), run it many times.
 *
 * Nodes are values; builders append them to the graph of their operands and return them. Images are [n, h, w, c]
 * (channels last), convolution weights [out, kernel_h, kernel_w, in], matrices row-major. All nodes of a graph share
 * one dtype: f32 for work, f64 for checks.
 *
 * A mistake (shapes that do not fit) makes the graph remember one error, which names the operation, the shapes and the
 * caller's file and line; builders then return a node that is never run, and lb_compile() reports the error. So
 * formulas can be written without a test after every line.
 */
#pragma once

#include "base/random.h"
#include "tensor/tensor.h"

G_BEGIN_DECLS

typedef struct _LbGraph LbGraph;
typedef struct _LbNode LbNode; /* owned by its graph */

/* An empty graph, whose nodes are all of @dtype: LB_F32 or LB_F64. Reference-counted; its nodes live as long as it. */
LbGraph *lb_graph_new (LbDType dtype);
LbGraph *lb_graph_ref (LbGraph *graph);
void lb_graph_unref (LbGraph *graph);
LbDType lb_graph_dtype (const LbGraph *graph);

/* The first mistake made while building, or NULL. Owned by the graph. */
const GError *lb_graph_error (const LbGraph *graph);

/* The graph that @node is in, which owns it; its shape; and the length of one axis. */
LbGraph *lb_node_graph (const LbNode *node);
LbShape lb_node_shape (const LbNode *node);
gint64 lb_node_dim (const LbNode *node, guint axis);

/* Every builder below is a macro that adds the caller's place. */
#define LB_HERE __FILE__ ":" G_STRINGIFY (__LINE__)

/* ---- Leaves ---- */

/* A value bound before running. */
LbNode *lb_input_at (const char *here, LbGraph *graph, const char *name, LbShape shape);
#define lb_input(graph, name, shape) lb_input_at (LB_HERE, graph, name, shape)

/* The same, and its first dimension counts independent samples. The compiler cuts work along it: everything that treats
 * each sample alone runs a few samples at a time, in cache, on all workers. A hint: results do not depend on it beyond
 * rounding. */
LbNode *lb_batch_input_at (const char *here, LbGraph *graph, const char *name, LbShape shape);
#define lb_batch_input(graph, name, shape) lb_batch_input_at (LB_HERE, graph, name, shape)

/* @shape filled with @value. */
LbNode *lb_constant_at (const char *here, LbGraph *graph, double value, LbShape shape);
#define lb_constant(graph, value, shape) lb_constant_at (LB_HERE, graph, value, shape)

/* ---- Elementwise. Binary operands broadcast as in NumPy: aligned at the last axis, 1 stretches. ---- */

/* a + b, a - b, a * b and a / b, of the operands' common shape. */
LbNode *lb_add_at (const char *here, LbNode *a, LbNode *b);
LbNode *lb_sub_at (const char *here, LbNode *a, LbNode *b);
LbNode *lb_mul_at (const char *here, LbNode *a, LbNode *b);
LbNode *lb_div_at (const char *here, LbNode *a, LbNode *b);
#define lb_add(a, b) lb_add_at (LB_HERE, a, b)
#define lb_sub(a, b) lb_sub_at (LB_HERE, a, b)
#define lb_mul(a, b) lb_mul_at (LB_HERE, a, b)
#define lb_div(a, b) lb_div_at (LB_HERE, a, b)

/* factor * a + offset */
LbNode *lb_affine_at (const char *here, LbNode *a, double factor, double offset);
#define lb_affine(a, factor, offset) lb_affine_at (LB_HERE, a, factor, offset)
#define lb_scale(a, factor)          lb_affine_at (LB_HERE, a, factor, 0)
#define lb_neg(a)                    lb_affine_at (LB_HERE, a, -1, 0)

LbNode *lb_exp_at (const char *here, LbNode *a);
LbNode *lb_log_at (const char *here, LbNode *a);
LbNode *lb_sqrt_at (const char *here, LbNode *a);
LbNode *lb_tanh_at (const char *here, LbNode *a);
LbNode *lb_erf_at (const char *here, LbNode *a); /* the error function */
LbNode *lb_relu_at (const char *here, LbNode *a);
#define lb_exp(a)  lb_exp_at (LB_HERE, a)
#define lb_log(a)  lb_log_at (LB_HERE, a)
#define lb_sqrt(a) lb_sqrt_at (LB_HERE, a)
#define lb_tanh(a) lb_tanh_at (LB_HERE, a)
#define lb_erf(a)  lb_erf_at (LB_HERE, a)
#define lb_relu(a) lb_relu_at (LB_HERE, a)

/* 1 / (1 + exp (-a)) */
LbNode *lb_sigmoid_at (const char *here, LbNode *a);
#define lb_sigmoid(a) lb_sigmoid_at (LB_HERE, a)

/* a where a > 0, else slope * a; the derivative at 0 is @slope. */
LbNode *lb_leaky_relu_at (const char *here, LbNode *a, double slope);
#define lb_leaky_relu(a, slope) lb_leaky_relu_at (LB_HERE, a, slope)

/* a Phi (a), Phi being the normal distribution's function: a / 2 (1 + erf (a / sqrt (2))) (Hendrycks, Gimpel, arXiv
 * 1606.08415, the exact form). */
LbNode *lb_gelu_at (const char *here, LbNode *a);
#define lb_gelu(a) lb_gelu_at (LB_HERE, a)

/* 0 where a <= 0, else b (so not-a-number goes through). Its gradient flows to b alone; the derivative of relu (x) is
 * gate (x, g). */
LbNode *lb_gate_at (const char *here, LbNode *a, LbNode *b);
#define lb_gate(a, b) lb_gate_at (LB_HERE, a, b)

/* ---- Shape ---- */

/* The same elements in row-major order under another shape. */
LbNode *lb_reshape_at (const char *here, LbNode *a, LbShape shape);
#define lb_reshape(a, shape) lb_reshape_at (LB_HERE, a, shape)

/* Sums over the axes on which @shape has 1 and @a has not; ranks are equal. */
LbNode *lb_sum_to_at (const char *here, LbNode *a, LbShape shape);
#define lb_sum_to(a, shape) lb_sum_to_at (LB_HERE, a, shape)

/* Its adjoint: stretches axes of length 1; ranks are equal. */
LbNode *lb_broadcast_at (const char *here, LbNode *a, LbShape shape);
#define lb_broadcast(a, shape) lb_broadcast_at (LB_HERE, a, shape)

/* The sum of all elements, as a scalar. */
LbNode *lb_sum_at (const char *here, LbNode *a);
#define lb_sum(a) lb_sum_at (LB_HERE, a)

/* The same elements with axes in another order: axis i of the result is axis order[i] of @a. @order has @n
 * entries, as many as @a has axes. */
LbNode *lb_permute_at (const char *here, LbNode *a, const guint *order, guint n);
#define lb_permute(a, ...)                                                                                             \
  lb_permute_at (LB_HERE, a, (const guint[]){ __VA_ARGS__ }, sizeof ((const guint[]){ __VA_ARGS__ }) / sizeof (guint))

/* @count elements of axis @axis from @first on. */
LbNode *lb_slice_at (const char *here, LbNode *a, guint axis, gint64 first, gint64 count);
#define lb_slice(a, axis, first, count) lb_slice_at (LB_HERE, a, axis, first, count)

/* Its adjoint: @before zeros in front of axis @axis and @after behind it. The sum of two padded tensors concatenates
 * them. */
LbNode *lb_pad_at (const char *here, LbNode *a, guint axis, gint64 before, gint64 after);
#define lb_pad(a, axis, before, after) lb_pad_at (LB_HERE, a, axis, before, after)

/* ---- Linear maps ---- */

/* op (a) op (b) for matrices, op transposing where asked. An operand of more than two axes is the matrix of its last
 * axis: the others count rows, in order. So x [n, t, k] times a weight [m, k] transposed is [n, t, m], one linear map
 * at every place; and @a and @b of the same leading axes, @a transposed, give the sum over all places. A transposed @b
 * has two axes. */
LbNode *lb_matmul_at (const char *here, LbNode *a, gboolean transpose_a, LbNode *b, gboolean transpose_b);
#define lb_matmul(a, ta, b, tb) lb_matmul_at (LB_HERE, a, ta, b, tb)

/* The same for each of many pairs: @a and @b have equal axes in front of their last two. */
LbNode *lb_batch_matmul_at (const char *here, LbNode *a, gboolean transpose_a, LbNode *b, gboolean transpose_b);
#define lb_batch_matmul(a, ta, b, tb) lb_batch_matmul_at (LB_HERE, a, ta, b, tb)

/* Cross-correlation, as networks use it: x [n, h, w, in] with weight [out, kh, kw, in], zero padding of @pad on all
 * four sides, gives [n, (h + 2 pad - kh) / stride + 1, (w + 2 pad - kw) / stride + 1, out]. */
LbNode *lb_conv2d_at (const char *here, LbNode *x, LbNode *weight, guint stride, guint pad);
#define lb_conv2d(x, weight, stride, pad) lb_conv2d_at (LB_HERE, x, weight, stride, pad)

/* Adjoints of lb_conv2d: by its input (of shape @x_shape) and by its weight (of shape @weight_shape). */
LbNode *lb_conv2d_by_input_at (const char *here, LbNode *g, LbNode *weight, LbShape x_shape, guint stride, guint pad);
LbNode *lb_conv2d_by_weight_at (const char *here, LbNode *x, LbNode *g, LbShape weight_shape, guint stride, guint pad);
#define lb_conv2d_by_input(g, weight, x_shape, stride, pad)                                                            \
  lb_conv2d_by_input_at (LB_HERE, g, weight, x_shape, stride, pad)
#define lb_conv2d_by_weight(x, g, weight_shape, stride, pad)                                                           \
  lb_conv2d_by_weight_at (LB_HERE, x, g, weight_shape, stride, pad)

/* Mean over windows of size x size, stride = size; [n, h, w, c] with h and w multiples of @size. */
LbNode *lb_avg_pool_at (const char *here, LbNode *x, guint size);
#define lb_avg_pool(x, size) lb_avg_pool_at (LB_HERE, x, size)

/* Its adjoint: spreads each element evenly over its window. */
LbNode *lb_avg_unpool_at (const char *here, LbNode *g, guint size);
#define lb_avg_unpool(g, size) lb_avg_unpool_at (LB_HERE, g, size)

/* Maximum over windows of size x size, stride = size; [n, h, w, c]. Rows and columns that fill no window are left out.
 * Of equal elements the first in the window counts, row by row; not-a-number counts as the largest. */
LbNode *lb_max_pool_at (const char *here, LbNode *x, guint size);
#define lb_max_pool(x, size) lb_max_pool_at (LB_HERE, x, size)

/* What its derivatives are made of: the elements of @v that stand where @x has its maxima, and the adjoint, which puts
 * the elements of @g there and 0 elsewhere. No gradient flows to @x. */
LbNode *lb_max_gather_at (const char *here, LbNode *x, LbNode *v, guint size);
LbNode *lb_max_scatter_at (const char *here, LbNode *x, LbNode *g, guint size);
#define lb_max_gather(x, v, size)  lb_max_gather_at (LB_HERE, x, v, size)
#define lb_max_scatter(x, g, size) lb_max_scatter_at (LB_HERE, x, g, size)

/* Bilinear sampling of x [n, h, w, c] at affinely mapped places: @where is [n, 10], a row (a, b, c, d, e, f, x0, y0,
 * x1, y1) for each image. Output pixel (i, j) of [n, height, width, c] reads at column a j + b i + c and row d j + e i
 * + f, in pixels with centres at whole numbers. LB_BORDER_CLAMP moves places into the box [x0, x1] x [y0, y1] first;
 * LB_BORDER_ZERO takes pixels outside the box as 0. No gradient flows to @where. lb_window_sampling() (nn/views.h)
 * fills rows for crop-and-resize. */
typedef enum { LB_BORDER_CLAMP, LB_BORDER_ZERO } LbBorder;
LbNode *lb_bilinear_at (const char *here, LbNode *x, LbNode *where, gint64 height, gint64 width, LbBorder border);
LbNode *
lb_bilinear_adjoint_at (const char *here, LbNode *g, LbNode *where, gint64 height, gint64 width, LbBorder border);
#define lb_bilinear(x, where, height, width, border) lb_bilinear_at (LB_HERE, x, where, height, width, border)
#define lb_bilinear_adjoint(g, where, height, width, border)                                                           \
  lb_bilinear_adjoint_at (LB_HERE, g, where, height, width, border)

/* ---- Normalisation and softmax ---- */

/* (x - mean) / sqrt (variance + epsilon) over h and w of x [n, h, w, c], for each image and channel (instance norm
 * without the affine part; biased variance; Ulyanov et al., arXiv 1607.08022). */
LbNode *lb_instance_norm_at (const char *here, LbNode *x, double epsilon);
#define lb_instance_norm(x, epsilon) lb_instance_norm_at (LB_HERE, x, epsilon)

/* What follows a convolution in ConvNets, in one pass: avg_pool (relu (scale * instance_norm (x) + offset)) over
 * windows of @pool x @pool (1: no pooling; h and w multiples of it), with @scale and @offset [c]. */
LbNode *lb_norm_relu_pool_at (const char *here, LbNode *x, LbNode *scale, LbNode *offset, double epsilon, guint pool);
#define lb_norm_relu_pool(x, scale, offset, epsilon, pool)                                                             \
  lb_norm_relu_pool_at (LB_HERE, x, scale, offset, epsilon, pool)

/* log of softmax over the last axis. */
LbNode *lb_log_softmax_at (const char *here, LbNode *x);
#define lb_log_softmax(x) lb_log_softmax_at (LB_HERE, x)

/* Softmax over the last axis. */
LbNode *lb_softmax_at (const char *here, LbNode *x);
#define lb_softmax(x) lb_softmax_at (LB_HERE, x)

/* ---- Dropout ---- */

/* Elements of a row that tells what is dropped of a sample. */
#define LB_DROPOUT_KEY 4

/* A mask of @shape [n, ...]: 0 with probability @rate, else 1 / (1 - rate), for each element alone (Srivastava et al.,
 * JMLR 15, 2014). Row i of @keys [n, LB_DROPOUT_KEY], as lb_dropout_keys() fills it, decides for sample i, whatever
 * stands beside it in the batch; masks of different @salt are independent. No gradient flows to @keys. */
LbNode *lb_dropout_mask_at (const char *here, LbNode *keys, LbShape shape, double rate, guint salt);
#define lb_dropout_mask(keys, shape, rate, salt) lb_dropout_mask_at (LB_HERE, keys, shape, rate, salt)

/* Rows for @n samples, drawn by @key: f32 [n, LB_DROPOUT_KEY]. */
void lb_dropout_keys (LbKey key, gint64 n, float *rows);

/* ---- Gradients ---- */

/* Appends nodes for the gradients of the scalar @loss with respect to each of @wrt and stores them in @gradients. What
 * @loss does not depend on gets a zero constant. The result is part of the graph: it can be differentiated again. */
void lb_gradients_at (const char *here, LbNode *loss, LbNode *const *wrt, guint n_wrt, LbNode **gradients);
#define lb_gradients(loss, wrt, n_wrt, gradients) lb_gradients_at (LB_HERE, loss, wrt, n_wrt, gradients)

/* The same for a value that is no scalar: vector-Jacobian products, the gradients of sum (seed * root) with @seed, of
 * the shape of @root, held fixed whatever it was made from. Where @seed is the gradient of a loss with respect to
 * @root, they are the loss's gradients. */
void lb_vector_jacobian_at (const char *here, LbNode *root, LbNode *seed, LbNode *const *wrt, guint n_wrt,
                            LbNode **products);
#define lb_vector_jacobian(root, seed, wrt, n_wrt, products)                                                           \
  lb_vector_jacobian_at (LB_HERE, root, seed, wrt, n_wrt, products)

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LbGraph, lb_graph_unref)

G_END_DECLS
