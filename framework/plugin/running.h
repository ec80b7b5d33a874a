/* What a running stage is made of; for stage.c and parts.c alone. */
#pragma once

#include "base/account.h"
#include "plugin/host.h"

G_BEGIN_DECLS

/* One input port: its links in order, and how far sequential reading has come. */
typedef struct {
  GPtrArray *links;   /* LbLink*, the flow's */
  GPtrArray *sources; /* char* */
  GPtrArray *specs;   /* const LbSpec*, the configured's */
  guint current;
} LbInputPort;

struct _LbStage {
  char *name, *ancestry;
  const LbStageType *type;
  gpointer self;
  LbKey key;
  LbFlow *flow;
  LbCompute *compute;
  LbAccount *account; /* of what its thread takes */
  char *output_directory;
  const LbConfigured *configured;
  LbInputPort *inputs; /* beside type->inputs */
  guint n_inputs;
  GPtrArray **outputs; /* LbLink*, beside type->outputs */
  gint64 *n_pushed;    /* packets, beside type->outputs */
  guint n_outputs;
  LbStageListener listener;
  gpointer listener_data;
  LbStageKeeper keeper;
  gpointer keeper_data;
  guint64 bytes_out; /* atomic: read by others while the stage runs */
  gint64 waited;     /* microseconds, beside those on links; atomic as well */
  guint64 credited;  /* atomic: floating-point operations that an earlier run did */
  guint64 saving;    /* atomic: microseconds spent on checkpoints */
  const gint *stop;  /* of a part: atomic, not 0 when it is not to go on; NULL in a whole stage */
};

G_END_DECLS
