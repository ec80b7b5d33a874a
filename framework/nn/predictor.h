/* What a network says of many images, or of many views of them, batch by batch: each image alone, with running
 * statistics and without dropout. */
#pragma once

#include "nn/network.h"

G_BEGIN_DECLS

/* A network's compiled answers for batches of one size. */
typedef struct _LbPredictor LbPredictor;

/* For @n >= 1 items: images, or with @cut views of images, which are cut by windows and resized to the image's size.
 * Scores are divided by @temperature before softmax. @network is borrowed. LB_ERROR_PROGRAM. */
LbPredictor *lb_predictor_new (const LbNetwork *network, gint64 n, gboolean cut, double temperature, GError **error);
void lb_predictor_free (LbPredictor *predictor);

/* The same for the features of whole images (lb_network_features()) in place of answers. */
LbPredictor *lb_predictor_new_features (const LbNetwork *network, gint64 n, GError **error);

/* Floating-point operations of predicting all items, and bytes held meanwhile on @threads workers: programs and
 * batches; not the parameters, not the items. */
double lb_predictor_flops (const LbPredictor *predictor);
gsize lb_predictor_peak_bytes (const LbPredictor *predictor, guint threads);

/* What to predict with from now on: f32 [p], shared. */
void lb_predictor_set_parameters (LbPredictor *predictor, LbTensor *parameters);

/* Predicts the next items from item @first on and returns how many. @images, u8 or f32 [n, c, h, w], with @mean and
 * @std as in images.h. With @windows, f32 [v, 4], item i is view i % v of image i / v; NULL otherwise. */
gint64 lb_predictor_run (LbPredictor *predictor, LbCompute *compute, LbTensor *images, LbTensor *mean, LbTensor *std,
                         LbTensor *windows, gint64 first);

/* Of the last run: f32 rows [count, classes], the predictor's. */
const float *lb_predictor_probabilities (const LbPredictor *predictor);
const float *lb_predictor_log_probabilities (const LbPredictor *predictor);

/* Likewise, of lb_predictor_new_features(): f32 rows [count, d]; and d. */
const float *lb_predictor_features (const LbPredictor *predictor);
gint64 lb_predictor_n_features (const LbPredictor *predictor);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LbPredictor, lb_predictor_free)

G_END_DECLS
