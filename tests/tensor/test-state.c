/* State: what is saved comes back, and nothing else. */
#include <string.h>

#include "base/error.h"
#include "tensor/state.h"

typedef struct {
  LbTensor *images;
  gint64 step;
  double loss;
  LbState *state;
} Work;

static void
work_set_up (Work *work, gint64 size)
{
  work->images = lb_tensor_new (LB_F32, LB_SHAPE (size));
  for (gint64 i = 0; i < size; i++)
    lb_tensor_f32 (work->images)[i] = (float)i;
  work->step = 7;
  work->loss = 0.25;
  work->state = lb_state_new ();
  lb_state_add_tensor (work->state, "images", work->images);
  lb_state_add_counter (work->state, "step", &work->step);
  lb_state_add_number (work->state, "loss", &work->loss);
}

static void
work_clear (Work *work)
{
  lb_state_free (work->state);
  lb_tensor_unref (work->images);
}

static void
test_comes_back (void)
{
  Work work;
  work_set_up (&work, 3);
  g_autoptr (GArray) saved = lb_state_save (work.state, NULL);
  g_autoptr (GError) error = NULL;
  work.step = 9;
  work.loss = -1;
  lb_tensor_f32 (work.images)[2] = 5;
  g_assert_true (lb_state_restore (work.state, saved, &error));
  g_assert_no_error (error);
  g_assert_cmpint (work.step, ==, 7);
  g_assert_cmpfloat (work.loss, ==, 0.25);
  g_assert_cmpfloat (lb_tensor_f32 (work.images)[2], ==, 2);
  work_clear (&work);
}

/* The copy is made in the memory of the earlier one, unless that is of another shape. */
static void
test_saves_into_an_earlier_copy (void)
{
  Work work, larger;
  work_set_up (&work, 3);
  work_set_up (&larger, 4);
  GArray *saved = lb_state_save (work.state, NULL), *again;
  LbTensor *images = g_array_index (saved, LbNamedTensor, 0).tensor;
  lb_tensor_f32 (work.images)[0] = 11;
  work.step = 8;
  again = lb_state_save (work.state, saved);
  g_assert_true (again == saved);
  g_assert_true (g_array_index (again, LbNamedTensor, 0).tensor == images);
  g_assert_cmpfloat (lb_tensor_f32 (images)[0], ==, 11);
  g_assert_cmpint (lb_tensor_i64 (g_array_index (again, LbNamedTensor, 1).tensor)[0], ==, 8);
  again = lb_state_save (larger.state, again);
  g_assert_cmpint (lb_tensor_size (g_array_index (again, LbNamedTensor, 0).tensor), ==, 4);
  g_array_unref (again);
  work_clear (&work);
  work_clear (&larger);
}

/* What somebody else holds of an earlier copy keeps its values. */
static void
test_saves_beside_what_others_hold (void)
{
  Work work;
  work_set_up (&work, 3);
  GArray *saved = lb_state_save (work.state, NULL);
  g_autoptr (LbTensor) held = lb_tensor_ref (g_array_index (saved, LbNamedTensor, 0).tensor);
  float before = lb_tensor_f32 (held)[0];
  lb_tensor_f32 (work.images)[0] = before + 1;
  saved = lb_state_save (work.state, saved);
  g_assert_true (g_array_index (saved, LbNamedTensor, 0).tensor != held);
  g_assert_cmpfloat (lb_tensor_f32 (held)[0], ==, before);
  g_assert_cmpfloat (lb_tensor_f32 (g_array_index (saved, LbNamedTensor, 0).tensor)[0], ==, before + 1);
  g_array_unref (saved);
  work_clear (&work);
}

static void
test_a_part_can_be_asked_for_first (void)
{
  Work work;
  gint64 step = 0;
  work_set_up (&work, 3);
  g_autoptr (GArray) saved = lb_state_save (work.state, NULL);
  g_autoptr (LbState) part = lb_state_new ();
  lb_state_add_counter (part, "step", &step);
  g_assert_true (lb_state_restore (part, saved, NULL));
  g_assert_cmpint (step, ==, 7);
  work_clear (&work);
}

static void
test_refuses_what_does_not_fit (void)
{
  Work work, larger;
  gint64 epoch = 3;
  work_set_up (&work, 3);
  work_set_up (&larger, 4);
  larger.step = 100;
  g_autoptr (GArray) saved = lb_state_save (work.state, NULL);
  g_autoptr (GError) shape = NULL, missing = NULL;
  g_assert_false (lb_state_restore (larger.state, saved, &shape));
  g_assert_error (shape, LB_ERROR, LB_ERROR_INPUT);
  g_assert_nonnull (strstr (shape->message, "another dtype or shape of 'images'"));
  g_assert_cmpint (larger.step, ==, 100);
  work.step = 20;
  lb_state_add_counter (work.state, "epoch", &epoch);
  g_assert_false (lb_state_restore (work.state, saved, &missing));
  g_assert_nonnull (strstr (missing->message, "no 'epoch'"));
  g_assert_cmpint (work.step, ==, 20);
  work_clear (&work);
  work_clear (&larger);
}

/* Copies share what is final, and what comes back goes into the state's own tensor. */
static void
test_finished_parts_are_shared (void)
{
  g_autoptr (LbTensor) row = lb_tensor_new (LB_F32, LB_SHAPE (2)), moving = lb_tensor_new (LB_F32, LB_SHAPE (2));
  g_autoptr (LbTensor) row2 = lb_tensor_new (LB_F32, LB_SHAPE (2));
  g_autoptr (LbState) state = lb_state_new (), other = lb_state_new ();
  g_autoptr (GError) error = NULL;
  lb_tensor_f32 (row)[1] = 3;
  lb_state_add_tensor (state, "moving", moving);
  lb_state_add_finished (state, "row 0", row);
  GArray *saved = lb_state_save (state, NULL), *again = lb_state_save (state, saved);
  g_assert_true (again == saved);
  g_assert_true (g_array_index (saved, LbNamedTensor, 0).tensor != moving);
  g_assert_true (g_array_index (saved, LbNamedTensor, 1).tensor == row);
  /* Another tensor under the same name is never written into the shared one. */
  lb_tensor_f32 (row2)[1] = 4;
  lb_state_add_tensor (other, "moving", moving);
  lb_state_add_finished (other, "row 0", row2);
  again = lb_state_save (other, again);
  g_assert_true (g_array_index (again, LbNamedTensor, 1).tensor == row2);
  g_assert_cmpfloat (lb_tensor_f32 (row)[1], ==, 3);
  g_assert_true (lb_state_restore (state, again, &error));
  g_assert_cmpfloat (lb_tensor_f32 (row)[1], ==, 4);
  g_array_unref (again);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/state/comes-back", test_comes_back);
  g_test_add_func ("/state/saves-into-an-earlier-copy", test_saves_into_an_earlier_copy);
  g_test_add_func ("/state/saves-beside-what-others-hold", test_saves_beside_what_others_hold);
  g_test_add_func ("/state/a-part-can-be-asked-for-first", test_a_part_can_be_asked_for_first);
  g_test_add_func ("/state/refuses-what-does-not-fit", test_refuses_what_does_not_fit);
  g_test_add_func ("/state/finished-parts-are-shared", test_finished_parts_are_shared);
  return g_test_run ();
}
