/* Random numbers: the published vectors of Philox, and that numbers depend on key and position alone. */
#include "base/random.h"

#include <math.h>
#include <string.h>

/* Known answers published with Random123 (kat_vectors, philox4x32 with 10 rounds). */
static void
test_philox (void)
{
  static const struct {
    guint64 low, high, key;
    guint32 out[4];
  } vectors[] = {
    { 0, 0, 0, { 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8 } },
    { G_MAXUINT64, G_MAXUINT64, G_MAXUINT64, { 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd } },
    { 0x85a308d3243f6a88, 0x0370734413198a2e, 0x299f31d0a4093822, { 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1 } },
  };

  for (guint i = 0; i < G_N_ELEMENTS (vectors); i++) {
    guint32 out[4];
    lb_philox ((LbKey){ vectors[i].key }, vectors[i].low, vectors[i].high, out);
    for (guint j = 0; j < 4; j++)
      g_assert_cmphex (out[j], ==, vectors[i].out[j]);
  }
}

/* Archived pipelines rely on these: a change of any is a change of every result. */
static void
test_fixed (void)
{
  LbKey key = lb_key_index (lb_key_derive (lb_key (7), "real batch"), 3);
  LbRandom random = lb_random (key);

  g_assert_cmphex (key.word, ==, 0xd6f3cc6b9f5b7fb6);
  g_assert_cmpfloat (lb_random_uniform (&random), ==, 0.3862326442256997);
  g_assert_cmpfloat (lb_random_normal (&random), ==, -0x1.6a647896a3043p-1);
  g_assert_cmpfloat (lb_random_normal (&random), ==, -0x1.32df674d0fd9dp+0);
  g_assert_cmpuint (lb_random_below (&random, 1000), ==, 97);
}

static void
test_keys_differ (void)
{
  static const char *const purposes[]
      = { "", "a", "b", "aa", "aaaaaaaa", "aaaaaaaaa", "aaaaaaaaaaaaaaaa", "init", "real batch", "real batch " };
  g_autoptr (GHashTable) seen = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);
  guint n = 0;

  for (guint64 seed = 0; seed < 4; seed++) {
    for (guint i = 0; i < G_N_ELEMENTS (purposes); i++) {
      LbKey purpose = lb_key_derive (lb_key (seed), purposes[i]);
      g_assert_cmphex (purpose.word, ==, lb_key_derive (lb_key (seed), purposes[i]).word);
      g_hash_table_add (seen, g_memdup2 (&purpose.word, 8));
      n++;
      for (guint64 index = 0; index < 100; index++, n++) {
        LbKey key = lb_key_index (purpose, index);
        g_hash_table_add (seen, g_memdup2 (&key.word, 8));
      }
    }
  }
  g_assert_cmpuint (g_hash_table_size (seen), ==, n);
}

static void
test_derived_sequences_are_independent (void)
{
  enum { N = 4000 };
  LbRandom a = lb_random (lb_key_derive (lb_key (1), "a")), b = lb_random (lb_key_derive (lb_key (1), "b"));
  double sum = 0;

  for (guint i = 0; i < N; i++)
    sum += (lb_random_uniform (&a) - 0.5) * (lb_random_uniform (&b) - 0.5);
  /* The correlation's standard deviation is 1 / sqrt (N); the variance of a uniform number is 1 / 12. */
  g_assert_cmpfloat (fabs (sum / N * 12), <, 4 / sqrt (N));
}

static void
test_order_does_not_matter (void)
{
  LbKey first = lb_key_derive (lb_key (1), "first"), second = lb_key_derive (lb_key (1), "second");
  double alone[10];
  LbRandom random = lb_random (first);

  for (guint i = 0; i < 10; i++)
    alone[i] = lb_random_normal (&random);
  LbRandom again = lb_random (first), other = lb_random (second);
  for (guint i = 0; i < 10; i++) {
    lb_random_uniform (&other);
    g_assert_cmpfloat (lb_random_normal (&again), ==, alone[i]);
    lb_random_below (&other, 3);
  }
}

static void
test_uniform (void)
{
  enum { N = 100000, BINS = 10 };
  LbRandom random = lb_random (lb_key (3));
  guint count[BINS] = { 0 };
  double chi_square = 0;

  for (guint i = 0; i < N; i++) {
    double u = lb_random_uniform (&random);
    g_assert_cmpfloat (u, >=, 0);
    g_assert_cmpfloat (u, <, 1);
    count[(guint)(u * BINS)]++;
  }
  for (guint i = 0; i < BINS; i++)
    chi_square += ((double)count[i] - N / BINS) * ((double)count[i] - N / BINS) / (N / BINS);
  /* 9 degrees of freedom: above 33.7 with a probability of 0.0001. */
  g_assert_cmpfloat (chi_square, <, 33.7);
}

static void
test_normal (void)
{
  enum { N = 200000 };
  LbRandom random = lb_random (lb_key (4));
  double sum = 0, squares = 0, fourth = 0;
  guint beyond_two = 0;

  for (guint i = 0; i < N; i++) {
    double x = lb_random_normal (&random);
    sum += x;
    squares += x * x;
    fourth += x * x * x * x;
    beyond_two += fabs (x) > 2;
  }
  g_assert_cmpfloat (fabs (sum / N), <, 0.01);
  g_assert_cmpfloat (fabs (squares / N - 1), <, 0.02);
  g_assert_cmpfloat (fabs (fourth / N - 3), <, 0.1);
  g_assert_cmpfloat (fabs (beyond_two / (double)N - 0.0455), <, 0.002);
}

/* The project's own logarithm, sine and cosine, against those of the C library. */
static void
test_normal_is_box_muller (void)
{
  for (guint64 seed = 0; seed < 1000; seed++) {
    LbRandom random = lb_random (lb_key (seed)), uniform = random;
    double radius = sqrt (-2 * log (1 - lb_random_uniform (&uniform)));
    double angle = 2 * G_PI * lb_random_uniform (&uniform);
    g_assert_cmpfloat (fabs (lb_random_normal (&random) - radius * cos (angle)), <, 1e-14);
    g_assert_cmpfloat (fabs (lb_random_normal (&random) - radius * sin (angle)), <, 1e-14);
  }
}

static void
test_below (void)
{
  LbRandom random = lb_random (lb_key (5));
  guint count[6] = { 0 };

  for (guint i = 0; i < 60000; i++) {
    guint64 x = lb_random_below (&random, 6);
    g_assert_cmpuint (x, <, 6);
    count[x]++;
  }
  for (guint i = 0; i < 6; i++)
    g_assert_cmpint (ABS ((int)count[i] - 10000), <, 400);
  /* Here a plain multiplication would give the multiples of 3 twice as often as each of the others. */
  guint multiples = 0;
  for (guint i = 0; i < 3000; i++)
    multiples += lb_random_below (&random, G_GUINT64_CONSTANT (3) << 62) % 3 == 0;
  g_assert_cmpint (ABS ((int)multiples - 1000), <, 110);
  for (guint i = 0; i < 100; i++) {
    g_assert_cmpuint (lb_random_below (&random, 1), ==, 0);
    g_assert_cmpuint (lb_random_below (&random, G_MAXUINT64), <, G_MAXUINT64);
  }
}

static void
test_permutation (void)
{
  guint32 order[1000];

  for (gsize n = 0; n <= 1000; n = n * 3 + 1) {
    LbRandom random = lb_random (lb_key (n));
    gboolean seen[1000] = { FALSE };
    lb_random_permutation (&random, order, n);
    for (gsize i = 0; i < n; i++) {
      g_assert_cmpuint (order[i], <, n);
      g_assert_false (seen[order[i]]);
      seen[order[i]] = TRUE;
    }
  }
}

static void
test_permutations_are_equally_likely (void)
{
  LbRandom random = lb_random (lb_key (6));
  guint count[27] = { 0 };

  for (guint i = 0; i < 60000; i++) {
    guint32 order[3];
    lb_random_permutation (&random, order, 3);
    count[order[0] * 9 + order[1] * 3 + order[2]]++;
  }
  static const guint all[] = { 5, 7, 11, 15, 19, 21 };
  for (guint i = 0; i < G_N_ELEMENTS (all); i++)
    g_assert_cmpint (ABS ((int)count[all[i]] - 10000), <, 400);
}

static void
test_fill (void)
{
  float normal[7], uniform[1000];
  LbRandom filled = lb_random (lb_key (8)), single = lb_random (lb_key (8));

  lb_random_fill_normal (&filled, normal, 7);
  for (guint i = 0; i < 7; i++)
    g_assert_cmpfloat (normal[i], ==, (float)lb_random_normal (&single));
  /* So narrow that most numbers round to one of the ends. */
  lb_random_fill_uniform (&filled, uniform, 1000, 1, 1 + 0x1p-23);
  for (guint i = 0; i < 1000; i++)
    g_assert_cmpfloat (uniform[i], ==, 1);
  lb_random_fill_uniform (&filled, uniform, 1000, -2, 3);
  for (guint i = 0; i < 1000; i++)
    g_assert_true (uniform[i] >= -2 && uniform[i] < 3);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/random/philox-gives-the-published-vectors", test_philox);
  g_test_add_func ("/random/numbers-of-archived-runs-stay", test_fixed);
  g_test_add_func ("/random/keys-of-different-purposes-differ", test_keys_differ);
  g_test_add_func ("/random/derived-sequences-are-independent", test_derived_sequences_are_independent);
  g_test_add_func ("/random/order-of-other-draws-does-not-matter", test_order_does_not_matter);
  g_test_add_func ("/random/uniform-is-uniform-in-0-1", test_uniform);
  g_test_add_func ("/random/normal-has-its-moments", test_normal);
  g_test_add_func ("/random/normal-is-box-muller", test_normal_is_box_muller);
  g_test_add_func ("/random/below-has-no-bias", test_below);
  g_test_add_func ("/random/permutation-holds-each-number-once", test_permutation);
  g_test_add_func ("/random/permutations-are-equally-likely", test_permutations_are_equally_likely);
  g_test_add_func ("/random/fill-equals-single-draws-and-stays-in-range", test_fill);
  return g_test_run ();
}
