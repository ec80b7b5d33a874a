/* trajectory-matching: dataset distillation by matching training trajectories (MTT; Cazenavette, Wang, Torralba, Efros,
 * Zhu, arXiv 2203.11932). A student starts where an expert was after some epochs and takes N steps of SGD on the
 * synthetic images; these, and the rate alpha of the steps, are moved so that it ends where the expert was M epochs
 * later:
 *
 *   loss = |theta_N - theta*_(t + M)|^2 / |theta*_t - theta*_(t + M)|^2,   theta_(k + 1) = theta_k - alpha dCE
 * (theta_k)
 *
 * This file is the stage; unroll.c has the steps and the gradient through them, experts.c the snapshots, distil.c the
 * loop.
 */
#include "trajectory-matching.h"

static const char *const starts[] = { "real", "noise", "k-means", NULL };
static const char *const gradients[] = { "exact", "detached", NULL };

static const LbProperty properties[] = {
  LB_INTEGER (TrajectoryMatching, images_per_class, "images-per-class", "1", 1, 10000, "images",
              "Synthetic images of each class"),
  LB_INTEGER (TrajectoryMatching, iterations, "iterations", "5000", 1, 10000000, "steps", "Steps of the images"),
  LB_INTEGER (TrajectoryMatching, inner_steps, "inner-steps", "30", 1, 100000, "steps",
              "Steps of the student on synthetic images, N"),
  LB_INTEGER (TrajectoryMatching, expert_epochs, "expert-epochs", "2", 1, 10000, "snapshots",
              "How many snapshots of the expert later the student is to arrive, M"),
  LB_INTEGER (TrajectoryMatching, max_start, "max-start", "2", 1, 10000, "snapshots",
              "The student starts at one of so many first snapshots of an expert"),
  LB_INTEGER (TrajectoryMatching, start_growth, "start-growth", "0", 0, 10000000, "steps",
              "The window of starts grows from the first snapshot to max-start over so many steps of the images; 0: it "
              "is max-start at once"),
  LB_INTEGER (TrajectoryMatching, synthetic_batch, "synthetic-batch", "0", 0, 65536, "images",
              "Synthetic images in an inner step, drawn from all without replacement; 0: all of them"),
  LB_NUMBER (TrajectoryMatching, image_learning_rate, "image-learning-rate", "100", 0, 1e9, NULL,
             "Learning rate of the images"),
  LB_NUMBER (TrajectoryMatching, image_momentum, "image-momentum", "0.5", 0, 1, NULL,
             "Momentum of images, labels and inner learning rate"),
  LB_NUMBER (TrajectoryMatching, inner_learning_rate, "inner-learning-rate", "0.01", 0, 1000, NULL,
             "Learning rate alpha of inner steps to begin with; 0: that of the first expert"),
  LB_NUMBER (TrajectoryMatching, rate_learning_rate, "rate-learning-rate", "1e-7", 0, 1000, NULL,
             "Learning rate of alpha. Its logarithm is learned, which moves alpha at its start as this rate would "
             "itself; 0: alpha stays"),
  LB_NUMBER (TrajectoryMatching, clip, "clip", "0", 0, 1e9, NULL,
             "Largest L2 norm of the gradient of all images and labels, which is scaled down to it; 0: any"),
  LB_CHOICE (TrajectoryMatching, start, "start", "real", starts,
             "Start from real images, from normal noise, or from the centres of clusters of each class's images, as "
             "many as there "
             "are images to make (AST)"),
  LB_STRING (TrajectoryMatching, augmentation, "augmentation", "color_crop_cutout_flip_scale_rotate",
             "Of the batch of each inner step: none, or groups of DSA, drawn for each image"),
  LB_CHOICE (TrajectoryMatching, gradient, "gradient", "exact", gradients,
             "exact, through all inner steps; or detached: steps count as if those before them did not depend on the "
             "images (TESLA), an approximation"),
  LB_NUMBER (TrajectoryMatching, intermediate_weight, "intermediate-weight", "0", 0, 1000, NULL,
             "Weight of the mean loss at the M - 1 snapshots that the student should pass on its way (AST)"),
  LB_BOOLEAN (TrajectoryMatching, learn_labels, "learn-labels", "false",
              "Learn a soft label for each image, too; output 'soft' brings them"),
  LB_NUMBER (TrajectoryMatching, label_learning_rate, "label-learning-rate", "100", 0, 1e9, NULL,
             "Learning rate of soft labels, as logits"),
  LB_NUMBER (TrajectoryMatching, label_confidence, "label-confidence", "0.9", 0.01, 0.9999, NULL,
             "Probability of an image's own class that soft labels start with"),
  LB_RESULT (TrajectoryMatching, last_good, "last-good", "*-last-good.npz",
             "File for the images as they were before a value that is no finite number; not written otherwise"),
  LB_PROPERTIES_END,
};

static const LbPort inputs[] = {
  { "source", "samples", "n least c h w classes", 0, "The source set, normalised as for the experts" },
  { "experts", "trajectory", "s p c h w classes", 0,
    "Networks trained on it, all of one architecture, which is the student's as well" },
  LB_PORTS_END,
};

static const LbPort outputs[] = {
  { "samples", "samples", "n=synthetic least=each c h w classes", 0,
    "Synthetic images, class by class, with the learned alpha in inner_learning_rate" },
  { "soft", "augmented", "n=synthetic least=each v=1 c h w classes", 0,
    "The same with the soft label of each image as that of its one view, the whole image; the hard one when labels are "
    "not learned" },
  LB_PORTS_END,
};

/* ---- Run ---- */

/* The start of class @class into @out. */
static void
start_class (const Distillation *d, LbClassImages *source, gint64 class, LbTensor *out)
{
  LbKey key = lb_stage_key (d->stage, "start");
  LbShape shape = lb_tensor_shape (out);
  g_autoptr (LbTensor) all = NULL;

  if (g_str_equal (d->self->start, "real")) {
    lb_class_images_draw (source, class, key, out);
    return;
  }
  shape.dim[0] = lb_class_images_count (source, class);
  all = lb_tensor_new (LB_F32, shape);
  lb_class_images_draw (source, class, key, all);
  lb_k_means (all, lb_key_index (lb_key_derive (key, "clusters"), (guint64) class), out);
}

/* Reads the source, of which only the start and the normalisation are kept. */
static gboolean
read_source (Distillation *d, LbImageSize size, GError **error)
{
  const char *whose = lb_stage_source (d->stage, "source", 0);
  gboolean noise = g_str_equal (d->self->start, "noise");
  gint64 each = d->self->images_per_class;
  g_autoptr (LbPacket) source = lb_stage_collect (d->stage, "source", error);
  g_autoptr (LbClassImages) by_class = NULL;
  LbShape shape = LB_SHAPE (d->classes * each, size.height, size.width, size.channels), part = shape;
  LbRandom random = lb_random (lb_stage_key (d->stage, "start"));

  if (!source)
    return FALSE;
  LbLearningSet set = { lb_packet_get (source, "images"), lb_packet_get (source, "labels"),
                        lb_packet_get (source, "mean"), lb_packet_get (source, "std") };
  if (!(by_class = lb_class_images_new (whose, &set, d->classes, noise ? 1 : each, error)))
    return FALSE;
  d->normalisation = lb_packet_new ();
  lb_packet_share (d->normalisation, source, LB_NORMALISATION_FIELDS, NULL);
  d->synthetic.images = lb_tensor_new (LB_F32, shape);
  if (noise)
    lb_random_fill_normal (&random, lb_tensor_f32 (d->synthetic.images), (gsize)lb_shape_size (shape));
  part.dim[0] = each;
  for (gint64 class = 0; class < d->classes && !noise; class ++) {
    g_autoptr (LbTensor) images = lb_tensor_view (d->synthetic.images, class * lb_shape_size (part), part);

    start_class (d, by_class, class, images);
  }
  return TRUE;
}

/* Whether the experts are of this source. */
static gboolean
check_experts (const Distillation *d, GError **error)
{
  const char *ours = lb_stage_source (d->stage, "source", 0), *theirs = lb_stage_source (d->stage, "experts", 0);

  return lb_images_same_normalisation (ours, lb_packet_get (d->normalisation, "mean"),
                                       lb_packet_get (d->normalisation, "std"), theirs, d->experts.mean, d->experts.std,
                                       error)
         && lb_whitening_same (ours, lb_packet_get (d->normalisation, "whitening_mean"), theirs,
                               d->experts.whitening_mean, error);
}

/* The student's network: that of the experts. */
static gboolean
make_network (Distillation *d, LbImageSize size, GError **error)
{
  const char *theirs = lb_stage_source (d->stage, "experts", 0);
  gint64 wanted;

  if (!(d->network = lb_network_new (d->experts.architecture, size, d->classes, error)))
    return FALSE;
  wanted = lb_network_n_parameters (d->network);
  if (wanted == d->experts.parameters)
    return TRUE;
  g_set_error (error, LB_ERROR, LB_ERROR_INPUT,
               "'%s': experts have %" G_GINT64_FORMAT " parameters, but '%s' for images of %" G_GINT64_FORMAT
               " x %" G_GINT64_FORMAT " x %" G_GINT64_FORMAT " and %" G_GINT64_FORMAT " classes has %" G_GINT64_FORMAT
               "; expected experts that were trained on the source",
               theirs, d->experts.parameters, d->experts.architecture, size.channels, size.height, size.width,
               d->classes, wanted);
  return FALSE;
}

static gboolean
trajectory_matching_run (LbStage *stage, gpointer data, GError **error)
{
  TrajectoryMatching *self = data;
  LbImageSize size = { lb_stage_dim (stage, "c"), lb_stage_dim (stage, "h"), lb_stage_dim (stage, "w") };
  g_auto (Distillation) d = { .self = self, .stage = stage, .classes = lb_stage_dim (stage, "classes") };

  return read_source (&d, size, error) && experts_read (&d.experts, stage, self->max_start + self->expert_epochs, error)
         && check_experts (&d, error) && make_network (&d, size, error)
         && unroll_build (&d.unroll, d.network, self, LB_F32, error) && distillation_run (&d, error)
         && lb_stage_push (stage, "samples", distillation_samples (&d), error)
         && lb_stage_push (stage, "soft", distillation_augmented (&d), error);
}

/* ---- Configure ---- */

/* Whether properties fit to each other and to the experts, as far as those are known. */
static gboolean
check_properties (LbConfigure *configure, const TrajectoryMatching *self, GError **error)
{
  gint64 snapshots = lb_configure_dim (configure, "s"), wanted = self->max_start + self->expert_epochs;
  LbAugmentation augmentation;
  g_autoptr (GError) reason = NULL;

  if (!lb_augmentation_parse (self->augmentation, &augmentation, &reason))
    return lb_configure_property_error (configure, "augmentation", error, "%s", reason->message);
  if (snapshots != LB_UNKNOWN && snapshots < wanted)
    return lb_configure_property_error (configure, "max-start", error,
                                        "with expert-epochs %d a start before %d needs %d snapshots of an expert (its "
                                        "start, and one after each epoch), where there are %d; lower it, or train "
                                        "experts longer",
                                        (int)self->expert_epochs, (int)self->max_start, (int)wanted, (int)snapshots);
  if (self->intermediate_weight > 0 && self->inner_steps < self->expert_epochs)
    return lb_configure_property_error (
        configure, "intermediate-weight", error,
        "%d inner-steps cannot pass %d snapshots on their way; expected at least as many "
        "inner-steps as expert-epochs",
        (int)self->inner_steps, (int)self->expert_epochs);
  return TRUE;
}

/* What finding the start holds beside the source, as far as is known. */
static double
start_bytes (LbConfigure *configure, const TrajectoryMatching *self, LbImageSize size, gint64 classes)
{
  gint64 n = MAX (lb_configure_dim (configure, "n"), 0), least = lb_configure_dim (configure, "least"),
         largest = n - (classes - 1) * MAX (least, 0), elements = size.height * size.width * size.channels;
  double bytes = (double)lb_class_images_bytes (n);

  if (g_str_equal (self->start, "k-means"))
    bytes += (double)lb_k_means_bytes (largest, self->images_per_class, elements)
             + (double)(largest * elements) * sizeof (float);
  return bytes;
}

static gboolean
set_outputs (LbConfigure *configure, const TrajectoryMatching *self, gint64 classes, GError **error)
{
  for (guint i = 0; outputs[i].name; i++) {
    lb_configure_set_output_dtype (configure, outputs[i].name, "images", LB_F32);
    lb_configure_set_output_packets (configure, outputs[i].name, 1);
  }
  return lb_configure_set_dim (configure, "each", self->images_per_class, error)
         && (classes < 1 || lb_configure_set_dim (configure, "synthetic", classes * self->images_per_class, error));
}

static gboolean
trajectory_matching_configure (LbConfigure *configure, gpointer data, GError **error)
{
  TrajectoryMatching *self = data;
  LbImageSize size
      = { lb_configure_dim (configure, "c"), lb_configure_dim (configure, "h"), lb_configure_dim (configure, "w") };
  const char *const *architectures = lb_configure_input_texts (configure, "experts", "architecture");
  g_auto (Distillation) d = { .self = self, .classes = lb_configure_dim (configure, "classes") };

  if (!check_properties (configure, self, error) || !set_outputs (configure, self, d.classes, error))
    return FALSE;
  if (!architectures || !architectures[0] || size.channels < 1 || size.height < 1 || size.width < 1 || d.classes < 1)
    return TRUE;
  if (!(d.network = lb_network_new (architectures[0], size, d.classes, error))
      || !unroll_build (&d.unroll, d.network, self, LB_F32, error))
    return FALSE;
  lb_configure_cost (
      configure, distillation_flops (&d),
      MAX (distillation_bytes (&d, lb_configure_threads (configure)),
           start_bytes (configure, self, size, d.classes) + (double)lb_configure_collect_bytes (configure, "source")));
  return TRUE;
}

static const LbStageType trajectory_matching_type = {
  .name = "trajectory-matching",
  .summary = "Distils a set into a few images per class by matching training trajectories (MTT, arXiv 2203.11932)",
  .description
  = "Matching training trajectories (Cazenavette, Wang, Torralba, Efros, Zhu, CVPR 2022): in each iteration a student "
    "starts at a snapshot of an expert, a network that was trained on the source, takes inner-steps steps of plain SGD "
    "on the synthetic images, and these and the rate of the steps are moved so that it ends nearer to where the expert "
    "was expert-epochs snapshots later. The expert's own distance between the two divides the loss.\n\n"
    "The gradient through all inner steps is exact, and takes the memory of one: the parameters before each step "
    "go to a scratch file without a name in the output directory (four bytes a parameter and step), and the way back "
    "takes one step at a time, its gradient computed again with one vector-Hessian product. Experts lie in a scratch "
    "file, too: max-start + expert-epochs snapshots of each.\n\n"
    "alpha, the rate of inner steps, is learned as its logarithm, so it stays positive. rate-learning-rate is the "
    "published codes' (lr_lr) for alpha itself: divided by the square of inner-learning-rate it is that of the "
    "logarithm, and both move alpha alike where it starts. The output's field inner_learning_rate brings the learned "
    "alpha; "
    "stage 'trainer' takes it with learned-rate.\n\n"
    "Published settings, for CIFAR-10: images-per-class 1: inner-steps 50, expert-epochs 2, max-start 2, "
    "rate-learning-rate 1e-7, inner-learning-rate 0.01; 10: 30, 2, 20, 1e-5, 0.001; 50: 30, 2, 40, 1e-5, 0.001 "
    "with image-learning-rate 1000; experts of 50 epochs; ZCA whitening with epsilon 0.1 (stage 'zca' in front of "
    "source "
    "and experts).\n\n"
    "Variants: gradient: detached is TESLA's (Cui et al., arXiv 2211.10586), with learn-labels; learned labels are "
    "logits, which start at label-confidence. intermediate-weight adds the mean of the same loss at the snapshots in "
    "between, each over its own distance (AST; Shen et al., arXiv 2310.10541), whose smoother experts are trained with "
    "the trainer's momentum, weight-decay, warm-up and gradient-penalty, and which starts from k-means.\n\n"
    "A loss, gradient or rate that is no finite number ends the run, named with its expert, epoch and inner step; the "
    "images before are in the file of last-good.",
  .inputs = inputs,
  .outputs = outputs,
  .properties = properties,
  .instance_size = sizeof (TrajectoryMatching),
  .configure = trajectory_matching_configure,
  .run = trajectory_matching_run,
};

LB_DEFINE_PLUGIN ("trajectory-matching", "1.1", "LGPL-2.1-or-later", &trajectory_matching_type);
