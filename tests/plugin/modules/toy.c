/* A plugin for test-registry. What it does is nothing; what it says of itself is changed by the macros that meson.build
 * defines, so that each build is wrong in one way.
 */
#include "limbeck.h"

#ifndef TOY_MAGIC
#  define TOY_MAGIC LB_PLUGIN_MAGIC
#endif
#ifndef TOY_MAJOR
#  define TOY_MAJOR LB_INTERFACE_MAJOR
#endif
#ifndef TOY_MINOR
#  define TOY_MINOR LB_INTERFACE_MINOR
#endif
#ifndef TOY_SIZE
#  define TOY_SIZE sizeof (LbPlugin)
#endif
#ifndef TOY_NAME
#  define TOY_NAME "toy"
#endif
#ifndef TOY_STAGE
#  define TOY_STAGE "toy"
#endif
#ifndef TOY_DEFAULT
#  define TOY_DEFAULT "3"
#endif
#ifndef TOY_SYMBOL
#  define TOY_SYMBOL limbeck_plugin
#endif

typedef struct {
  gint64 count;
} Toy;

#ifdef TOY_MISSING_SYMBOL
gboolean limbeck_test_symbol_that_nobody_has (LbStage *stage);
#endif

/* Ways of crashing that a compiler does not see through. */
G_GNUC_UNUSED static gint64
write_somewhere (void)
{
  gint64 *volatile nowhere = NULL;

  *nowhere = 1;
  return *nowhere;
}

static gint64 recurse (volatile gint64 *depth);
static gint64 (*volatile again) (volatile gint64 *depth) = recurse;

static gint64
recurse (volatile gint64 *depth)
{
  volatile gint64 here[1000] = { *depth };

  return again (here) + here[*depth % 1000];
}

#ifdef TOY_CONFIGURE
static gboolean
try_configure (LbConfigure *configure, gpointer self, GError **error)
{
  return TOY_CONFIGURE == 0;
}
#else
#  define try_configure NULL
#endif

static gboolean
run (LbStage *stage, gpointer self, GError **error)
{
#if defined TOY_RUN
  return TOY_RUN == 0;
#elif defined TOY_MISSING_SYMBOL
  return limbeck_test_symbol_that_nobody_has (stage);
#else
  return lb_stage_progress (stage, 1, 1, NULL, 0, error);
#endif
}

static const LbProperty properties[]
    = { LB_INTEGER (Toy, count, "count", TOY_DEFAULT, 1, 10, NULL, "Number of toys"), LB_PROPERTIES_END };

G_GNUC_UNUSED static const LbStageType type = {
  .name = TOY_STAGE,
  .summary = "Does nothing",
  .properties = properties,
  .instance_size = sizeof (Toy),
  .configure = try_configure,
  .run = run,
};

static const LbStageType *const stages[] = {
#ifndef TOY_STAGELESS
  &type,
#endif
#ifdef TOY_REPEATS
  &type,
#endif
  NULL
};

extern const LbPlugin TOY_SYMBOL;
G_MODULE_EXPORT const LbPlugin TOY_SYMBOL
    = { TOY_MAGIC, TOY_MAJOR, TOY_MINOR, TOY_SIZE, TOY_NAME, "1.0", "LGPL-2.1-or-later", stages, NULL };
