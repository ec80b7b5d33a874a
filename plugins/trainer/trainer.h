/* What the files of the trainer share: trainer.c tells what there is to be set and what it costs, train.c trains. */
#pragma once

#include "limbeck.h"

typedef struct {
  char **architectures, *optimizer, *schedule, *augmentation;
  gint64 repeats, epochs, batch, views_per_image, warmup_epochs, snapshot_epochs;
  double learning_rate, momentum, weight_decay, epsilon, decay, ema, cutmix, dense_weight, dense_temperature,
      gradient_penalty, warmup_start, clip;
  GArray *betas;
  gboolean learned_rate;
} Trainer;

/* Passes over the set: as set, or as published. */
gint64 n_epochs (const Trainer *self);

/* Snapshots of a network that a trajectory has, its start among them. */
gint64 n_snapshots (const Trainer *self);

/* Settings for a set whose images have @available views each, 0 without dense labels, which were made at @temperature.
 * Properties are checked. */
gboolean
make_settings (const Trainer *self, gint64 available, double temperature, LbLearnerSettings *settings, GError **error);

/* Where that was asked for, takes the learning rate from the set. */
gboolean choose_rate (Trainer *self, LbStage *stage, LbPacket *samples, GError **error);

/* The stage's run. */
gboolean trainer_run (LbStage *stage, gpointer self, GError **error);
