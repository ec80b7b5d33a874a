/* The check of one stage while it happens. Private to plugin/. */
#pragma once

#include "plugin/configure.h"

G_BEGIN_DECLS

/* A stage symbol with a known value. */
typedef struct {
  gint64 value;  /* first, so that the table maps to gint64* */
  char *meaning; /* from the schema's dims, or NULL */
  char *origin;  /* "'source.samples' has h 28" */
} LbBinding;

struct _LbConfigure {
  const LbStageType *type;
  LbSchemas *schemas;
  const LbInputSpec *inputs;
  guint n_inputs;
  const LbConfigureUse *use;
  LbConfigured *result;
  const char **property;
  GError *misuse;   /* a call of the stage's configure that its own tables forbid */
  GPtrArray *lists; /* char **: texts handed out */
};

G_END_DECLS
