/* gradient-matching: dataset condensation (DC; Zhao, Mopuri, Bilen: "Dataset condensation with gradient matching",
 * arXiv 2006.05929), with differentiable siamese augmentation (DSA; Zhao, Bilen, arXiv 2102.08259), and with several
 * images in the place of one, matched along networks that learn from the source (IDC; Kim et al., arXiv 2205.14959).
 * Synthetic images are moved so that the gradients they give a network become those that real images give it:
 *
 *   loss = sum over classes of D (dCE (real images of the class)/dw, dCE (synthetic images of the class)/dw)
 *
 * over freshly initialised networks, each trained a little between the steps ("outer" steps). This file is the stage;
 * distance.c has D, match.c and statistics.c the programs, distil.c the loops; formation.c is
 * another stage, which makes of a stored set what networks see.
 */
#include "gradient-matching.h"

static const char *const starts[] = { "noise", "real", NULL };
static const char *const distances[] = { "ours", "mse", "cos", "l1", NULL };
static const char *const image_schedules[] = { "constant", "cosine", NULL };
static const char *const network_data[] = { "synthetic", "source", NULL };

static const LbProperty properties[] = {
  LB_INTEGER (GradientMatching, images_per_class, "images-per-class", "1", 1, 10000, "images",
              "Synthetic images of each class, as stored"),
  LB_INTEGER (GradientMatching, formation, "formation", "1", 1, 16, "images",
              "Stored images hold this many small ones a side, each enlarged before use (multi-formation, IDC)"),
  LB_STRING (GradientMatching, architecture, "architecture", "convnet-d3", "Network whose gradients are matched"),
  LB_CHOICE (
      GradientMatching, distance, "distance", "ours", distances,
      "Of gradients: ours (cosine for each output of a layer), mse or cos of all as one vector, l1 of convolutions"),
  LB_INTEGER (GradientMatching, iterations, "iterations", "1000", 1, 1000000, "networks",
              "Networks, each from a fresh start"),
  LB_INTEGER (GradientMatching, outer_steps, "outer-steps", "0", 0, 100000, "steps",
              "Steps of the images with each network; 0: as published for images-per-class"),
  LB_INTEGER (GradientMatching, inner_epochs, "inner-epochs", "0", 0, 100000, "epochs",
              "Training of the network between two steps; 0: as published for images-per-class"),
  LB_CHOICE (GradientMatching, network_data, "network-data", "synthetic", network_data,
             "What the network learns from between two steps: the synthetic images, or real ones of the source (IDC)"),
  LB_INTEGER (GradientMatching, network_images, "network-images", "500", 1, 1000000, "images",
              "With network-data source: real images drawn for each training between two steps"),
  LB_INTEGER (GradientMatching, real_batch, "real-batch", "256", 1, 65536, "images",
              "Real images of a class in a step; if a class has fewer, as many as the smallest class has"),
  LB_INTEGER (GradientMatching, synthetic_batch, "synthetic-batch", "0", 0, 65536, "images",
              "Small synthetic images of a class in a step, drawn from all; 0: all of them"),
  LB_INTEGER (GradientMatching, batch, "batch", "256", 1, 65536, "images", "Images in a step of the network"),
  LB_NUMBER (GradientMatching, image_learning_rate, "image-learning-rate", "0.1", 0, 1e6, NULL,
             "Learning rate of the images"),
  LB_CHOICE (GradientMatching, image_schedule, "image-schedule", "constant", image_schedules,
             "The learning rate of the images: constant, or half a cosine down to 0 over all steps, for runs so short "
             "that larger steps are wanted first"),
  LB_NUMBER (GradientMatching, image_momentum, "image-momentum", "0.5", 0, 1, NULL, "Momentum of the images"),
  LB_NUMBER (GradientMatching, learning_rate, "learning-rate", "0.01", 0, 1000, NULL, "Learning rate of the network"),
  LB_NUMBER (GradientMatching, momentum, "momentum", "0.5", 0, 1, NULL, "Momentum of the network"),
  LB_NUMBER (GradientMatching, weight_decay, "weight-decay", "0", 0, 1, NULL, "Weight decay of the network"),
  LB_CHOICE (GradientMatching, start, "start", "noise", starts,
             "Start from normal noise or from real images, made smaller for a formation"),
  LB_BOOLEAN (GradientMatching, clamp, "clamp", "false",
              "Bring pixels back to the range of stored values before each network and at the end (IDC)"),
  LB_STRING (
      GradientMatching, augmentation, "augmentation", "none",
      "none (DC), or groups such as color_crop_cutout_flip_scale_rotate (DSA): one is drawn for a class and step, "
      "the same for its real and synthetic images; or color-crop-cutout: all together (IDC)"),
  LB_STRING (
      GradientMatching, network_augmentation, "network-augmentation", "same",
      "What the network learns from is augmented so, each image in its own way: same as in augmentation, none, or "
      "groups as there"),
  LB_NUMBER (GradientMatching, network_cutmix, "network-cutmix", "0", 0, 1, NULL,
             "Probability of CutMix in a step of the network, see the trainer's cutmix"),
  LB_PROPERTIES_END,
};

static const LbPort inputs[] = {
  { "source", "samples", "n least c h w classes", 0, "The source set" },
  LB_PORTS_END,
};

static const LbPort outputs[] = {
  { "samples", "samples", "n=synthetic least=each c h w classes", 0,
    "The synthetic images (f32, normalised) as networks see them, class by class; of a formation, enlarged" },
  { "stored", "samples", "n=stored least=each_stored c h w classes", 0,
    "The synthetic images as stored: images-per-class of each class, in which the small ones of a formation lie row by "
    "row" },
  LB_PORTS_END,
};

static gboolean
gradient_matching_run (LbStage *stage, gpointer data, GError **error)
{
  GradientMatching *self = data;
  g_autoptr (LbPacket) source = lb_stage_collect (stage, "source", error);
  g_auto (Distillation) d
      = { .self = self, .stage = stage, .classes = lb_stage_dim (stage, "classes"), .source = source };
  LbImageSize size = { lb_stage_dim (stage, "c"), lb_stage_dim (stage, "h"), lb_stage_dim (stage, "w") };
  gint64 wanted = g_str_equal (self->start, "real") ? self->images_per_class * self->formation * self->formation : 1;

  if (!source)
    return FALSE;
  LbLearningSet set = { lb_packet_get (source, "images"), lb_packet_get (source, "labels"),
                        lb_packet_get (source, "mean"), lb_packet_get (source, "std") };
  d.by_class = lb_class_images_new (lb_stage_source (stage, "source", 0), &set, d.classes, wanted, error);
  return d.by_class && (d.network = lb_network_new (self->architecture, size, d.classes, error))
         && distillation_compile (&d, lb_tensor_dim (set.images, 0), lb_class_images_smallest (d.by_class), error)
         && distillation_run (&d, error) && lb_stage_push (stage, "samples", images_seen_packet (&d), error)
         && lb_stage_push (stage, "stored", images_stored_packet (&d), error);
}

/* Whether properties fit together and to images of @size, as far as known. */
static gboolean
check_properties (LbConfigure *configure, const GradientMatching *self, LbImageSize size, GError **error)
{
  LbAugmentation augmentation;
  g_autoptr (GError) reason = NULL;

  if (!lb_augmentation_parse (self->augmentation, &augmentation, &reason))
    return lb_configure_property_error (configure, "augmentation", error, "%s", reason->message);
  if ((size.height > 0 && size.height % self->formation) || (size.width > 0 && size.width % self->formation))
    return lb_configure_property_error (configure, "formation", error,
                                        "%d does not divide the images' %d x %d pixels into whole ones; expected a "
                                        "number that divides both sides",
                                        (int)self->formation, (int)size.height, (int)size.width);
  if (!g_str_equal (self->network_augmentation, "same")
      && !lb_augmentation_parse (self->network_augmentation, &augmentation, &reason))
    return lb_configure_property_error (configure, "network-augmentation", error, "%s", reason->message);
  return TRUE;
}

/* Dimensions, packets and dtypes of both outputs. */
static gboolean
set_outputs (LbConfigure *configure, const GradientMatching *self, gint64 classes, GError **error)
{
  gint64 stored = self->images_per_class, seen = stored * self->formation * self->formation;

  for (guint i = 0; outputs[i].name; i++) {
    lb_configure_set_output_dtype (configure, outputs[i].name, "images", LB_F32);
    lb_configure_set_output_packets (configure, outputs[i].name, 1);
  }
  return lb_configure_set_dim (configure, "each", seen, error)
         && lb_configure_set_dim (configure, "each_stored", stored, error)
         && (classes < 1
             || (lb_configure_set_dim (configure, "synthetic", classes * seen, error)
                 && lb_configure_set_dim (configure, "stored", classes * stored, error)));
}

/* Checks the architecture and predicts what the whole stage takes. */
static gboolean
gradient_matching_configure (LbConfigure *configure, gpointer data, GError **error)
{
  GradientMatching *self = data;
  LbImageSize size
      = { lb_configure_dim (configure, "c"), lb_configure_dim (configure, "h"), lb_configure_dim (configure, "w") };
  g_autoptr (GError) reason = NULL;
  g_auto (Distillation) d = { .self = self, .classes = lb_configure_dim (configure, "classes") };

  if (!check_properties (configure, self, size, error) || !set_outputs (configure, self, d.classes, error))
    return FALSE;
  if (!lb_architecture_check (self->architecture, &reason))
    return lb_configure_property_error (configure, "architecture", error, "%s", reason->message);
  if (size.channels < 1 || size.height < 1 || size.width < 1 || d.classes < 1)
    return TRUE;
  d.network = lb_network_new (self->architecture, size, d.classes, &reason);
  if (!d.network)
    return lb_configure_property_error (configure, "architecture", error, "%s", reason->message);
  /* Where the source does not tell how large it and its classes are, they are taken to be large enough. */
  if (!distillation_compile (&d, lb_configure_dim (configure, "n"), lb_configure_dim (configure, "least"), error))
    return FALSE;
  lb_configure_cost (configure, distillation_flops (&d),
                     distillation_bytes (&d, lb_configure_threads (configure))
                         + (double)lb_configure_collect_bytes (configure, "source"));
  return TRUE;
}

static const LbStageType gradient_matching_type = {
  .name = "gradient-matching",
  .summary = "Distils a set into a few images per class by matching gradients (DC, DSA and IDC, arXiv 2006.05929)",
  .description
  = "Dataset condensation with gradient matching (Zhao, Mopuri, Bilen, ICLR 2021): for each freshly initialised "
    "network, synthetic images take a step that brings the gradients they give its weights nearer to those of "
    "real images of the same class; between steps, the network trains on the synthetic images. The distance is the "
    "paper's: over the outputs of each layer, one minus the cosine of the two gradients.\n\n"
    "With augmentation this is differentiable siamese augmentation (DSA; Zhao, Bilen, ICML 2021): the real and the "
    "synthetic images of a class are augmented alike in each step; when the network trains on the synthetic images, "
    "each is augmented in its own way. DSA's papers start from real images (start: real) and give students 1000 epochs "
    "with the same augmentation.\n\n"
    "outer-steps and inner-epochs of 0 take the published values for images-per-class 1 (1, 1), 10 (10, 50), "
    "20 (20, 25), 30 (30, 20), 40 (40, 15) and 50 (50, 10), straight lines in between and the last beyond; with "
    "network-data source 100 and 1.\n\n"
    "A network with batch norm (norm=batch) is given the statistics of real images before each step: one pass of 16 "
    "images of each class, as in training, moves its running statistics, with which gradients are then matched.\n\n"
    "Multi-formation (IDC; Kim et al., ICML 2022): with formation 2, a stored image is four small ones; each is "
    "enlarged "
    "bilinearly to the image's size before it is used. The output samples brings images as they are used, so that "
    "whatever reads them needs to know nothing of it, and tells what storing them takes, which is what reports count; "
    "the output stored brings the stored ones, of which stage 'formation' makes the former again. The published "
    "setting is network-data source with outer-steps 100, "
    "distance l1, real-batch and batch 64, synthetic-batch 128, momentum 0.9, weight-decay 0.0005, augmentation "
    "color-crop-cutout, network-augmentation color-crop with network-cutmix 0.5, start real, clamp, and 2000 "
    "iterations. The public code's image learning rate is for images before normalisation (divide it by the square of "
    "the source's std); small images start as means of pixels here, and all classes take their step at once.",
  .inputs = inputs,
  .outputs = outputs,
  .properties = properties,
  .instance_size = sizeof (GradientMatching),
  .configure = gradient_matching_configure,
  .run = gradient_matching_run,
};

LB_DEFINE_PLUGIN ("gradient-matching", "1.0", "LGPL-2.1-or-later", &gradient_matching_type, &formation_type);
