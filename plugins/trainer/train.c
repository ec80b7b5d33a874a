/* Training: one network after the other, each from scratch, sent as soon as it is done.
 *
 * Invariants: what a network becomes depends on the stage's key and the network's number alone. The state of the stage
 * is where the network at hand stands and the snapshots that were taken of it; those before it have been sent.
 */
#include "trainer.h"

#include <string.h>

/* ---- The set ---- */

static gboolean
set_open (LbLearningSet *set, LbStage *stage, LbPacket *packet, GError **error)
{
  const char *source = lb_stage_source (stage, "samples", 0);

  *set = (LbLearningSet){ lb_packet_get (packet, "images"),  lb_packet_get (packet, "labels"),
                          lb_packet_get (packet, "mean"),    lb_packet_get (packet, "std"),
                          lb_packet_get (packet, "windows"), lb_packet_get (packet, "dense_labels") };
  if (lb_tensor_dim (set->images, 0) < 1) {
    g_set_error (error, LB_ERROR, LB_ERROR_INPUT, "'%s' has no images; expected at least one to train on", source);
    return FALSE;
  }
  if (lb_packet_get (packet, "formation")) {
    g_set_error (
        error, LB_ERROR, LB_ERROR_INPUT,
        "'%s' holds formed images, each of several small ones, as they are stored; expected what networks see of "
        "them, so put the stage 'formation' between",
        source);
    return FALSE;
  }
  return lb_labels_check (source, set->labels, lb_stage_dim (stage, "classes"), error)
         && (!set->dense_labels
             || lb_windows_check (source, set->windows, lb_tensor_dim (set->images, 2), lb_tensor_dim (set->images, 3),
                                  error));
}

/* A number that the set may bring, such as stored_bytes, and otherwise @fallback. */
static gint64
told (LbPacket *samples, const char *field, gint64 fallback)
{
  LbTensor *tensor = lb_packet_get (samples, field);

  return tensor ? lb_tensor_i64 (tensor)[0] : fallback;
}

/* Bytes that storing the set takes: as it says, or as it is carried, and its dense labels. */
static gint64
set_bytes (LbPacket *samples, const LbLearningSet *set)
{
  gint64 carried = (gint64)(lb_tensor_bytes (set->images) + lb_tensor_bytes (set->labels));
  gint64 bytes = told (samples, "stored_bytes", carried);

  if (set->dense_labels)
    bytes += (gint64)(lb_tensor_bytes (set->windows) + lb_tensor_bytes (set->dense_labels));
  return bytes;
}

/* ---- Training ---- */

/* Where the whole stage stands. */
typedef struct {
  LbStage *stage;
  gint64 index;        /* of the student */
  gint64 done, total;  /* steps of all students */
  double flops_before; /* counted before this student */
  gboolean resumed;    /* the student at hand was begun by an earlier run */
  LbTensor *snapshots; /* of the student at hand, f32 [s, p]; NULL when nobody reads trajectories */
  GPtrArray *rows;     /* LbTensor *: views of those taken so far */
} Course;

/* What @course and @learnt, the saved state of a learner, add up to; @learnt may be NULL. */
static LbState *
course_state (Course *course, const GArray *learnt)
{
  LbState *state = lb_state_new ();

  lb_state_add_counter (state, "student", &course->index);
  lb_state_add_counter (state, "steps", &course->done);
  lb_state_add_number (state, "operations before", &course->flops_before);
  for (guint i = 0; learnt && i < learnt->len; i++)
    lb_state_add_tensor (state, g_array_index (learnt, LbNamedTensor, i).name,
                         g_array_index (learnt, LbNamedTensor, i).tensor);
  for (guint i = 0; learnt && i < course->rows->len; i++) {
    g_autofree char *name = g_strdup_printf ("snapshot %u", i);
    lb_state_add_finished (state, name, g_ptr_array_index (course->rows, i));
  }
  return state;
}

/* Which student an earlier run had come to. */
static gboolean
resume_course (Course *course, GError **error)
{
  g_autoptr (LbState) state = NULL;

  course->index = -1;
  state = course_state (course, NULL);
  if (!lb_stage_resume (course->stage, state, error))
    return FALSE;
  course->resumed = course->index >= 0;
  course->index = MAX (course->index, 0);
  return TRUE;
}

/* ---- Trajectories ---- */

/* The next snapshot; its values are still to come. */
static LbTensor *
add_row (Course *course)
{
  gint64 p = lb_tensor_dim (course->snapshots, 1);
  LbTensor *row = lb_tensor_view (course->snapshots, (gint64)course->rows->len * p, LB_SHAPE (p));

  g_ptr_array_add (course->rows, row);
  return row;
}

/* Takes the snapshots that are due after @learner's epochs so far. */
static void
take_snapshots (Course *course, const Trainer *self, const LbLearner *learner)
{
  guint64 epochs = lb_learner_epochs (learner);

  if (!course->snapshots || lb_learner_in_epoch (learner) || epochs % (guint64)self->snapshot_epochs != 0
      || course->rows->len > epochs / (guint64)self->snapshot_epochs)
    return;
  LbTensor *from = lb_learner_result (learner);
  memcpy (lb_tensor_f32 (add_row (course)), lb_tensor_f32 (from), lb_tensor_bytes (from));
}

/* Makes room for those of the student at hand. */
static void
begin_snapshots (Course *course, const Trainer *self, const LbNetwork *network)
{
  g_ptr_array_set_size (course->rows, 0);
  g_clear_pointer (&course->snapshots, lb_tensor_unref);
  if (lb_stage_has_port (course->stage, "trajectory"))
    course->snapshots = lb_tensor_new (LB_F32, LB_SHAPE (n_snapshots (self), lb_network_n_parameters (network)));
}

/* How far an earlier run had come with the student at hand. */
static gboolean
resume_student (Course *course, const Trainer *self, LbLearner *learner, const LbLearningSet *set, GError **error)
{
  g_autoptr (GArray) learnt = lb_learner_save (learner);
  g_autoptr (LbState) first = course_state (course, learnt), rest = NULL;

  course->resumed = FALSE;
  if (!lb_stage_resume (course->stage, first, error) || !lb_learner_restore (learner, set, learnt, error))
    return FALSE;
  /* How many snapshots there are follows from the epochs. */
  while (course->snapshots && course->rows->len <= lb_learner_epochs (learner) / (guint64)self->snapshot_epochs)
    add_row (course);
  rest = course_state (course, learnt);
  return lb_stage_resume (course->stage, rest, error);
}

static gboolean
checkpoint (Course *course, const LbLearner *learner, GError **error)
{
  if (!lb_stage_checkpoint_due (course->stage))
    return TRUE;
  g_autoptr (GArray) learnt = lb_learner_save (learner);
  g_autoptr (LbState) state = course_state (course, learnt);
  return lb_stage_checkpoint (course->stage, state, error);
}

/* Trains one network from scratch. What it learnt, f32 [p], new; or NULL. */
static LbTensor *
train_student (Course *course, const Trainer *self, const LbNetwork *network, LbLearner *learner,
               const LbLearningSet *set, GError **error)
{
  LbStage *stage = course->stage;
  LbKey key = lb_key_index (lb_stage_key (stage, "student"), (guint64)course->index);
  LbKey epochs = lb_key_derive (key, "epoch");
  g_autoptr (LbTensor) parameters = lb_network_initialise (network, lb_key_derive (key, "parameters"));
  double loss = 0;

  lb_learner_start (learner, parameters, self->learning_rate);
  begin_snapshots (course, self, network);
  if (course->resumed && !resume_student (course, self, learner, set, error))
    return NULL;
  take_snapshots (course, self, learner);
  while (lb_learner_epochs (learner) < (guint64)n_epochs (self)) {
    if (!lb_learner_in_epoch (learner))
      lb_learner_begin_epoch (learner, set, lb_key_index (epochs, lb_learner_epochs (learner)));
    while (lb_learner_step (learner, lb_stage_compute (stage), &loss)) {
      course->done++;
      take_snapshots (course, self, learner);
      if (!lb_stage_check_finite (stage, "training loss", (guint64)course->done, loss, "lower the learning-rate", error)
          || !checkpoint (course, learner, error)
          || !lb_stage_progress (stage, (guint64)course->done, (guint64)course->total, "loss", loss, error))
        return NULL;
    }
  }
  return lb_tensor_ref (lb_learner_result (learner));
}

static void
take_i64 (LbPacket *packet, const char *field, gint64 value)
{
  LbTensor *tensor = lb_tensor_new (LB_I64, LB_SHAPE (1));

  lb_tensor_i64 (tensor)[0] = value;
  lb_packet_take (packet, field, tensor);
}

static void
take_f64 (LbPacket *packet, const char *field, double value)
{
  LbTensor *tensor = lb_tensor_new (LB_F64, LB_SHAPE (1));

  lb_tensor_f64 (tensor)[0] = value;
  lb_packet_take (packet, field, tensor);
}

/* What model and trajectory packets have in common. */
static LbPacket *
network_packet (const LbNetwork *network, LbPacket *samples, LbTensor *parameters, gint64 index, double flops)
{
  LbPacket *packet = lb_packet_new ();

  lb_packet_set (packet, "parameters", parameters);
  lb_packet_set_text (packet, "architecture", lb_network_architecture (network));
  lb_packet_share (packet, samples, "mean", "std", "whitening_mean", NULL);
  take_i64 (packet, "index", index);
  take_f64 (packet, "training_flops", flops);
  return packet;
}

static LbPacket *
trajectory_packet (const Course *course, const Trainer *self, const LbNetwork *network, LbPacket *samples, double flops)
{
  LbPacket *packet = network_packet (network, samples, course->snapshots, course->index, flops);

  take_i64 (packet, "epochs_apart", self->snapshot_epochs);
  take_f64 (packet, "learning_rate", self->learning_rate);
  return packet;
}

static LbPacket *
model_packet (const LbNetwork *network, LbPacket *samples, const LbLearningSet *set, LbTensor *parameters, gint64 index,
              double flops)
{
  LbPacket *packet = network_packet (network, samples, parameters, index, flops);

  take_i64 (packet, "set_images", told (samples, "stored_images", lb_tensor_dim (set->images, 0)));
  take_i64 (packet, "set_bytes", set_bytes (samples, set));
  return packet;
}

/* Trains and sends all models of the @number-th architecture that have not been sent yet. */
static gboolean
train_architecture (Course *course, const Trainer *self, guint number, LbPacket *samples, const LbLearningSet *set,
                    const LbLearnerSettings *settings, GError **error)
{
  LbStage *stage = course->stage;
  LbCompute *compute = lb_stage_compute (stage);
  LbTensor *images = set->images;
  LbImageSize size = { lb_tensor_dim (images, 1), lb_tensor_dim (images, 2), lb_tensor_dim (images, 3) };
  g_autoptr (LbNetwork) network
      = lb_network_new (self->architectures[number], size, lb_stage_dim (stage, "classes"), error);
  g_autoptr (LbLearner) learner = NULL;

  if (!network || !(learner = lb_learner_new (network, lb_tensor_dim (images, 0), settings, error)))
    return FALSE;
  course->total = (gint64)g_strv_length (self->architectures) * self->repeats * n_epochs (self)
                  * (gint64)lb_learner_epoch_steps (learner);
  for (; course->index < (number + 1) * self->repeats; course->index++) {
    if (!course->resumed)
      course->flops_before = lb_compute_flops (compute);
    g_autoptr (LbTensor) parameters = train_student (course, self, network, learner, set, error);
    double flops = lb_compute_flops (compute) - course->flops_before;

    if (!parameters)
      return FALSE;
    /* Before the model is sent: whoever uses it may need the memory. */
    if (course->index + 1 == (number + 1) * self->repeats)
      g_clear_pointer (&learner, lb_learner_free);
    if (!lb_stage_push (stage, "model", model_packet (network, samples, set, parameters, course->index, flops), error)
        || (course->snapshots
            && !lb_stage_push (stage, "trajectory", trajectory_packet (course, self, network, samples, flops), error)))
      return FALSE;
  }
  return TRUE;
}

gboolean
trainer_run (LbStage *stage, gpointer data, GError **error)
{
  Trainer *self = data;
  g_autoptr (LbPacket) packet = lb_stage_collect (stage, "samples", error);
  LbLearningSet set;
  LbLearnerSettings settings;
  g_autoptr (GPtrArray) rows = g_ptr_array_new_with_free_func ((GDestroyNotify)lb_tensor_unref);
  Course course = { .stage = stage, .rows = rows };
  gboolean done = TRUE;

  if (!packet || !choose_rate (self, stage, packet, error) || !set_open (&set, stage, packet, error)
      || !make_settings (self, set.windows ? lb_tensor_dim (set.windows, 0) : 0, &settings, error)
      || !resume_course (&course, error))
    return FALSE;
  for (guint a = (guint)(course.index / self->repeats); done && self->architectures[a]; a++)
    done = train_architecture (&course, self, a, packet, &set, &settings, error);
  g_clear_pointer (&course.snapshots, lb_tensor_unref);
  return done;
}
