/* Between the files of the harness. */
#pragma once

#include "limbeck-test.h"
#include "plugin/host.h"
#include "plugin/registry.h"

G_BEGIN_DECLS

/* What the stage is called. */
#define HARNESS_STAGE_NAME "stage"

typedef struct {
  const LbPort *port;
  char *source;
  LbSpec *spec;
  GPtrArray *packets;
} HarnessInput;

typedef struct {
  char *name, *text;
} HarnessSetting;

typedef struct {
  char *name;
  double value;
} HarnessFigure;

/* What a run is taken up from: the state at the last checkpoint, or at the end, and how far all else had come by then.
 */
typedef struct {
  gboolean wanted;
  GArray *state;    /* of lb_state_save(); NULL: there was none */
  guint *n_packets; /* of each output */
  guint n_figures;
  double flops; /* counted */
  gsize report;
} HarnessCheckpoint;

struct _LbHarness {
  LbRegistry *registry; /* NULL with a type of the test's: schemas come from the default one */
  const LbStageType *type;
  guint threads, n_outputs;
  guint64 seed;
  GPtrArray *inputs;   /* HarnessInput */
  GPtrArray *settings; /* HarnessSetting */

  /* The last run. */
  gpointer self;
  LbConfigured *configured;
  LbFlow *flow;
  LbStage *stage;     /* while it runs */
  GPtrArray *outputs; /* GPtrArray of LbPacket, beside the type's */
  GArray *figures;    /* HarnessFigure */
  GString *report;
  char *directory;
  guint64 steps, events, cancel_at;
  double first_value, last_value, flops;
  HarnessCheckpoint checkpoint, end;
  char *end_of;     /* the property that the end was kept for; NULL: there was none */
  GArray *resumed;  /* the state that this run was taken up from; it may save others while parts still resume */
  gboolean has_run; /* what lies in ->directory is of a run, and not of the test */
};

/* All that lies in the directory @path goes. */
void harness_empty_directory (const char *path);

/* What earlier runs left to be taken up, and what the last one told and sent. */
void harness_forget_checkpoint (LbHarness *h);
void harness_forget_results (LbHarness *h);

/* Place of output @port in the type's table, which must have it. */
guint harness_output_index (LbHarness *h, const char *port);

/* A run that is cancelled at @event, and another that goes on from its last checkpoint. */
gboolean harness_run_in_two (LbHarness *h, guint64 event, GError **error);

/* A run of more, by the property that the last one kept its end for, from that end. */
gboolean harness_run_on (LbHarness *h, GError **error);

/* Configures the instance at hand once more. */
gboolean harness_configure_again (LbHarness *h, GError **error);

/* All properties of the instance at hand, and all that configure told: one text each; free with g_free(). */
char *harness_properties_text (LbHarness *h);
char *harness_configured_text (LbHarness *h);

G_END_DECLS
