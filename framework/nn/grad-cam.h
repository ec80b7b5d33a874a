/* Where a network looks: heat maps by Grad-CAM (Selvaraju et al., arXiv 1610.02391). With A_k the feature maps of the
 * last layer that has places (lb_network_apply_maps()) and y the score of a class before softmax,
 *
 *   heat = relu (sum over k of w_k A_k),   w_k = mean over places of dy / dA_k
 *
 * For a ViT the maps are the tokens of the patches that enter the last attention. */
#pragma once

#include "nn/network.h"

G_BEGIN_DECLS

/* The compiled program of one network. */
typedef struct _LbGradCam LbGradCam;

/* For @n >= 1 images at once. @network is borrowed. LB_ERROR_PIPELINE when it has no feature maps, LB_ERROR_PROGRAM. */
LbGradCam *lb_grad_cam_new (const LbNetwork *network, gint64 n, GError **error);
void lb_grad_cam_free (LbGradCam *cam);

/* Places of a heat map; larger ones than these it does not tell apart. */
gint64 lb_grad_cam_height (const LbGradCam *cam);
gint64 lb_grad_cam_width (const LbGradCam *cam);

/* Floating-point operations of one lb_grad_cam_run(), and bytes held meanwhile on @threads workers, without parameters
 * and images. */
double lb_grad_cam_flops (const LbGradCam *cam);
gsize lb_grad_cam_peak_bytes (const LbGradCam *cam, guint threads);

/* Asks the network of @parameters, f32 [p], where in each of @images, f32 [n, h, w, c] as programs take them, it sees
 * the class that @classes, i32 [n], names for it. All are borrowed. */
void lb_grad_cam_run (LbGradCam *cam, LbCompute *compute, LbTensor *parameters, LbTensor *images, LbTensor *classes);

/* Of the last run; valid until the next. Heat, f32 [n, height, width], is zero or more, in units of the score; and what
 * the network says of the images: probabilities, f32 [n, classes]. */
LbTensor *lb_grad_cam_heat (const LbGradCam *cam);
LbTensor *lb_grad_cam_probabilities (const LbGradCam *cam);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LbGradCam, lb_grad_cam_free)

G_END_DECLS
