/* One stage's part of the check: unifies dimension symbols of its ports and calls its configure. Private to the
 * framework. */
#pragma once

#include "plugin/property.h"
#include "stream/spec.h"

G_BEGIN_DECLS

/* One linked input: the port, where it comes from ("distill.samples"), and what is known of that stream. */
typedef struct {
  const LbPort *port;
  const char *source;
  const LbSpec *spec;
} LbInputSpec;

typedef struct {
  const LbPort *port;
  LbSpec *spec; /* a copy */
} LbConfiguredInput;

typedef struct {
  GArray *inputs;      /* LbConfiguredInput, in the order of @inputs */
  GPtrArray *outputs;  /* LbSpec*, one for each output port of the type, in order */
  GHashTable *dims;    /* stage symbol -> gint64*; only those that are known */
  gboolean *unread;    /* beside @outputs: made on demand, and there is none */
  guint side_by_side;  /* parts at once; 0: the stage has not asked */
  double flops, bytes; /* predicted, negative when the stage does not tell */
} LbConfigured;

/* The input or output of @type named @name. LB_ERROR_PIPELINE with the nearest known name when there is none; the
 * message has no place. */
const LbPort *lb_port_find_input (const LbStageType *type, const char *name, GError **error);
const LbPort *lb_port_find_output (const LbStageType *type, const char *name, GError **error);

/* What a stage is configured for. */
typedef struct {
  guint threads;          /* what programs will run on */
  const gboolean *unread; /* beside the outputs: whether no stage reads it; NULL: all are read */
  guint side_by_side;     /* parts of a stage at once; 0: as many as threads */
} LbConfigureUse;

/* Checks the links of a stage against its ports and computes its outputs: schema of each input, symbols unified over
 * all ports (an error names both ends: "images have h 28 from 'source.samples' but h 32 from 'teacher.model'"), then
 * the type's own configure. Properties that must be given and were not are refused first. @inputs are in file order;
 * several may name the same LB_PORT_MANY port. On failure NULL, *property the name
 * of the property that is to blame or NULL, *input the index of the input that is to blame or -1. The message has no
 * place and no stage name. */
LbConfigured *
lb_configure_run_for (const LbStageType *type, gpointer self, LbSchemas *schemas, const LbInputSpec *inputs,
                      guint n_inputs, const LbConfigureUse *use, const char **property, int *input, GError **error);

/* The same for a stage whose outputs are all read. */
LbConfigured *lb_configure_run (const LbStageType *type, gpointer self, LbSchemas *schemas, const LbInputSpec *inputs,
                                guint n_inputs, guint threads, const char **property, int *input, GError **error);
void lb_configured_free (LbConfigured *configured);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LbConfigured, lb_configured_free)

G_END_DECLS
