/* Training: each network from scratch, as a part of the stage, so that several are trained side by side.
 *
 * Invariants: what a network becomes depends on the stage's key and the network's number alone. Its state is that of
 * its learner and the snapshots that were taken of it.
 */
#include "trainer.h"

#include <string.h>

/* ---- The set ---- */

/* Checks windows and dense labels and decodes the latter. */
static gboolean
open_dense_labels (LbLearningSet *set, LbTensor **dense, const char *source, LbPacket *packet, gint64 classes,
                   GError **error)
{
  g_autofree char *labelled = lb_packet_get_text (packet, "labelled_images");

  *dense = set->dense_labels = NULL;
  if (!lb_windows_check (source, set->windows, lb_tensor_dim (set->images, 2), lb_tensor_dim (set->images, 3), error)
      || !lb_dense_labels_check_images (source, labelled, set->images, error))
    return FALSE;
  *dense = set->dense_labels
      = lb_dense_labels_decode (source, lb_packet_get (packet, "dense_labels"), lb_packet_get (packet, "dense_classes"),
                                lb_tensor_dim (set->images, 0), lb_tensor_dim (set->windows, 0), classes, error);
  return *dense != NULL;
}

/* @dense: what the dense labels of @packet say, if it has any, which @set then uses; the caller's. */
static gboolean
set_open (LbLearningSet *set, LbTensor **dense, LbStage *stage, LbPacket *packet, GError **error)
{
  const char *source = lb_stage_source (stage, "samples", 0);
  gint64 classes = lb_stage_dim (stage, "classes");

  *set = (LbLearningSet){ lb_packet_get (packet, "images"), lb_packet_get (packet, "labels"),
                          lb_packet_get (packet, "mean"), lb_packet_get (packet, "std"),
                          lb_packet_get (packet, "windows") };
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
  if (!lb_labels_check (source, set->labels, classes, error))
    return FALSE;
  return !set->windows || open_dense_labels (set, dense, source, packet, classes, error);
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
  static const char *const dense[] = { "windows", "dense_labels", "dense_classes" };
  gint64 carried = (gint64)(lb_tensor_bytes (set->images) + lb_tensor_bytes (set->labels));
  gint64 bytes = told (samples, "stored_bytes", carried);

  for (guint i = 0; i < G_N_ELEMENTS (dense); i++)
    if (lb_packet_get (samples, dense[i]))
      bytes += (gint64)lb_tensor_bytes (lb_packet_get (samples, dense[i]));
  return bytes;
}

static double
label_temperature (LbPacket *samples)
{
  LbTensor *temperature = lb_packet_get (samples, "temperature");

  return temperature ? lb_tensor_f64 (temperature)[0] : 1;
}

/* ---- Learners ---- */

/* What students of one architecture have in common. */
typedef struct {
  LbNetwork *network;
  guint begun;     /* of its students, those before them included */
  GPtrArray *idle; /* LbLearner *: compiled, and not in use */
} Kind;

/* The whole stage. */
typedef struct {
  const Trainer *self;
  LbPacket *samples;
  LbLearningSet set;
  LbLearnerSettings settings;
  gboolean is_followed; /* trajectories are read */
  GMutex lock;          /* of what changes in kinds */
  GArray *kinds;        /* Kind, one for each architecture */
} Course;

/* One network that is trained. */
typedef struct {
  Course *course;
  LbStage *part;
  const LbNetwork *network;
  LbLearner *learner;
  guint number;
  LbTensor *snapshots; /* f32 [s, p]; NULL when nobody reads trajectories */
  GPtrArray *rows;     /* LbTensor *: views of those taken so far */
} Student;

static Kind *
kind_of (Course *course, guint number)
{
  return &g_array_index (course->kinds, Kind, number / course->self->repeats);
}

/* A learner for student @number: one that is idle, or a new one. */
static LbLearner *
borrow_learner (Course *course, guint number, GError **error)
{
  Kind *kind = kind_of (course, number);
  LbLearner *learner = NULL;

  g_mutex_lock (&course->lock);
  kind->begun = number % (guint)course->self->repeats + 1;
  if (kind->idle->len > 0)
    learner = g_ptr_array_steal_index_fast (kind->idle, kind->idle->len - 1);
  g_mutex_unlock (&course->lock);
  return learner ? learner
                 : lb_learner_new (kind->network, lb_tensor_dim (course->set.images, 0), &course->settings, error);
}

/* Students begin in order: when the last has, a learner is of no use to others, and whoever gets the model may need the
 * memory. */
static void
return_learner (Course *course, guint number, LbLearner *learner)
{
  Kind *kind = kind_of (course, number);

  g_mutex_lock (&course->lock);
  gboolean useful = kind->begun < (guint)course->self->repeats;
  if (useful)
    g_ptr_array_add (kind->idle, learner);
  g_mutex_unlock (&course->lock);
  if (!useful)
    lb_learner_free (learner);
}

static void
kind_clear (gpointer data)
{
  Kind *kind = data;

  g_ptr_array_unref (kind->idle);
  lb_network_free (kind->network);
}

static gboolean
add_kinds (Course *course, gint64 classes, GError **error)
{
  LbTensor *images = course->set.images;
  LbImageSize size = { lb_tensor_dim (images, 1), lb_tensor_dim (images, 2), lb_tensor_dim (images, 3) };

  for (char **name = course->self->architectures; *name; name++) {
    Kind kind = { .network = lb_network_new (*name, size, classes, error) };

    if (!kind.network)
      return FALSE;
    kind.idle = g_ptr_array_new_with_free_func ((GDestroyNotify)lb_learner_free);
    g_array_append_val (course->kinds, kind);
  }
  return TRUE;
}

/* ---- Trajectories ---- */

/* The next snapshot; its values are still to come. */
static LbTensor *
add_row (Student *student)
{
  gint64 p = lb_tensor_dim (student->snapshots, 1);
  LbTensor *row = lb_tensor_view (student->snapshots, (gint64)student->rows->len * p, LB_SHAPE (p));

  g_ptr_array_add (student->rows, row);
  return row;
}

/* Takes the snapshot that is due after the epochs so far, if there is one. */
static void
take_snapshot (Student *student)
{
  guint64 epochs = lb_learner_epochs (student->learner), apart = (guint64)student->course->self->snapshot_epochs;

  if (!student->snapshots || lb_learner_in_epoch (student->learner) || epochs % apart != 0
      || student->rows->len > epochs / apart)
    return;
  LbTensor *from = lb_learner_result (student->learner);
  memcpy (lb_tensor_f32 (add_row (student)), lb_tensor_f32 (from), lb_tensor_bytes (from));
}

/* ---- State ---- */

/* What @learnt, the saved state of the learner, and the snapshots add up to. */
static LbState *
student_state (const Student *student, const GArray *learnt)
{
  LbState *state = lb_state_new ();

  for (guint i = 0; i < learnt->len; i++)
    lb_state_add_tensor (state, g_array_index (learnt, LbNamedTensor, i).name,
                         g_array_index (learnt, LbNamedTensor, i).tensor);
  for (guint i = 0; i < student->rows->len; i++) {
    g_autofree char *name = g_strdup_printf ("snapshot %u", i);
    lb_state_add_finished (state, name, g_ptr_array_index (student->rows, i));
  }
  return state;
}

/* Goes on where an earlier run had come to. How many snapshots there are follows from the epochs. */
static gboolean
resume (Student *student, GError **error)
{
  g_autoptr (GArray) learnt = lb_learner_save (student->learner);
  g_autoptr (LbState) first = student_state (student, learnt), rest = NULL;
  guint64 apart = (guint64)student->course->self->snapshot_epochs;

  if (!lb_stage_resume (student->part, first, error)
      || !lb_learner_restore (student->learner, &student->course->set, learnt, error))
    return FALSE;
  if (!student->snapshots)
    return TRUE;
  while (student->rows->len <= lb_learner_epochs (student->learner) / apart)
    add_row (student);
  rest = student_state (student, learnt);
  return lb_stage_resume (student->part, rest, error);
}

static gboolean
checkpoint (Student *student, GError **error)
{
  if (!lb_stage_checkpoint_due (student->part))
    return TRUE;
  g_autoptr (GArray) learnt = lb_learner_save (student->learner);
  g_autoptr (LbState) state = student_state (student, learnt);
  return lb_stage_checkpoint (student->part, state, error);
}

/* ---- Packets ---- */

/* What model and trajectory packets have in common. */
static LbPacket *
network_packet (const Student *student, LbTensor *parameters)
{
  LbPacket *packet = lb_packet_new ();

  lb_packet_set (packet, "parameters", parameters);
  lb_packet_set_text (packet, "architecture", lb_network_architecture (student->network));
  lb_packet_share (packet, student->course->samples, "mean", "std", "whitening_mean", NULL);
  lb_packet_set_integer (packet, "index", student->number);
  lb_packet_set_number (packet, "training_flops", lb_compute_flops (lb_stage_compute (student->part)));
  return packet;
}

static gboolean
send_network (const Student *student, GError **error)
{
  const Course *course = student->course;
  LbPacket *model = network_packet (student, lb_learner_result (student->learner));

  lb_packet_set_integer (model, "set_images",
                         told (course->samples, "stored_images", lb_tensor_dim (course->set.images, 0)));
  lb_packet_set_integer (model, "set_bytes", set_bytes (course->samples, &course->set));
  if (lb_packet_get (course->samples, "making_flops"))
    lb_packet_set (model, "set_flops", lb_packet_get (course->samples, "making_flops"));
  if (!lb_stage_push (student->part, "model", model, error))
    return FALSE;
  if (!student->snapshots)
    return TRUE;
  LbPacket *trajectory = network_packet (student, student->snapshots);
  lb_packet_set_integer (trajectory, "epochs_apart", course->self->snapshot_epochs);
  lb_packet_set_number (trajectory, "learning_rate", course->self->learning_rate);
  return lb_stage_push (student->part, "trajectory", trajectory, error);
}

/* ---- Training ---- */

/* All epochs that are left. */
static gboolean
learn (Student *student, LbKey key, GError **error)
{
  const Course *course = student->course;
  LbLearner *learner = student->learner;
  LbStage *part = student->part;
  guint64 epochs = (guint64)n_epochs (course->self), total = epochs * lb_learner_epoch_steps (learner);
  g_autofree char *what = course->kinds->len * (guint)course->self->repeats > 1
                              ? g_strdup_printf ("training loss of network %u", student->number)
                              : g_strdup ("training loss");
  double loss = 0;

  while (lb_learner_epochs (learner) < epochs) {
    if (!lb_learner_in_epoch (learner))
      lb_learner_begin_epoch (learner, &course->set, lb_key_index (key, lb_learner_epochs (learner)));
    while (lb_learner_step (learner, lb_stage_compute (part), &loss)) {
      guint64 done = lb_learner_steps (learner);

      take_snapshot (student);
      if (!lb_stage_check_finite (part, what, done, loss, "lower the learning-rate", error)
          || !checkpoint (student, error) || !lb_stage_progress (part, done, total, "loss", loss, error))
        return FALSE;
    }
  }
  return TRUE;
}

static gboolean
train (Student *student, GError **error)
{
  const Course *course = student->course;
  LbKey key = lb_key_index (lb_stage_key (student->part, "student"), student->number);
  g_autoptr (LbTensor) parameters = lb_network_initialise (student->network, lb_key_derive (key, "parameters"));

  lb_learner_start (student->learner, parameters, course->self->learning_rate);
  if (course->is_followed)
    student->snapshots
        = lb_tensor_new (LB_F32, LB_SHAPE (n_snapshots (course->self), lb_network_n_parameters (student->network)));
  take_snapshot (student);
  return resume (student, error) && learn (student, lb_key_derive (key, "epoch"), error)
         && send_network (student, error);
}

/* Trains one network from scratch. */
static gboolean
train_student (LbStage *part, guint number, gpointer data, GError **error)
{
  Course *course = data;
  g_autoptr (GPtrArray) rows = g_ptr_array_new_with_free_func ((GDestroyNotify)lb_tensor_unref);
  Student student = { .course = course,
                      .part = part,
                      .network = kind_of (course, number)->network,
                      .learner = borrow_learner (course, number, error),
                      .number = number,
                      .rows = rows };
  gboolean done = student.learner && train (&student, error);

  if (student.learner)
    return_learner (course, number, student.learner);
  g_clear_pointer (&student.snapshots, lb_tensor_unref);
  return done;
}

gboolean
trainer_run (LbStage *stage, gpointer data, GError **error)
{
  g_autoptr (LbPacket) packet = lb_stage_collect (stage, "samples", error);
  g_autoptr (GArray) kinds = g_array_new (FALSE, FALSE, sizeof (Kind));
  g_autoptr (LbTensor) dense = NULL;
  Course course = { .self = data, .samples = packet, .kinds = kinds };

  g_array_set_clear_func (kinds, kind_clear);
  if (!packet || !choose_rate (data, stage, packet, error) || !set_open (&course.set, &dense, stage, packet, error)
      || !make_settings (data, course.set.windows ? lb_tensor_dim (course.set.windows, 0) : 0,
                         label_temperature (packet), &course.settings, error)
      || !add_kinds (&course, lb_stage_dim (stage, "classes"), error))
    return FALSE;
  course.is_followed = lb_stage_has_port (stage, "trajectory");
  g_mutex_init (&course.lock);
  gboolean done = lb_stage_parts (stage, kinds->len * (guint)course.self->repeats, train_student, &course, error);
  g_mutex_clear (&course.lock);
  return done;
}
