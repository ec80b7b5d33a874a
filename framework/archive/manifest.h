/* The manifest of an archive, or of a run's provenance, as read: schemas/archive-manifest.schema.json says what it is.
 *
 * It is hostile until proven: what is read here is of its kind and bounded, and names that become paths have been
 * checked; whether it is true is for the reader of the archive (reader.h) and for verify.h.
 */
#pragma once

#include "archive/member.h"
#include "base/json.h"

G_BEGIN_DECLS

/* Bytes of a manifest that is read. */
#define LB_MANIFEST_MOST ((gsize)32 << 20)

/* A thing with a value, for comparing: "framework version", "0.1.0". Both the manifest's. */
typedef struct {
  char *name, *value; /* @value may be NULL: not told */
} LbFact;

typedef struct {
  char *name, *type; /* "images", "f32[10, 1, 28, 28]" */
  char digest[LB_DIGEST_SIZE];
} LbManifestTensor;

typedef struct {
  char digest[LB_DIGEST_SIZE];
  GPtrArray *tensors; /* LbManifestTensor* */
} LbManifestPacket;

/* Packets [first, first + n) of a long stream; @digest is that of LbSentGroup. */
typedef struct {
  guint64 first, n;
  char digest[LB_DIGEST_SIZE];
} LbManifestGroup;

typedef struct {
  char *port, *schema;
  gboolean is_carried; /* the archive has its packets */
  guint64 n_packets;
  GPtrArray *packets; /* LbManifestPacket*, the first */
  GArray *groups;     /* LbManifestGroup, those behind them */
} LbManifestOutput;

/* A result file: member "outputs/NAME". */
typedef struct {
  char *name;
  guint64 bytes;
  char digest[LB_DIGEST_SIZE];
} LbManifestResult;

typedef struct {
  char *name, *unit; /* @unit may be NULL */
  double value, tolerance;
} LbManifestMetric;

typedef struct {
  char *name, *type, *plugin;
  gboolean closes;       /* it tells of the run as a whole, with its times: what it writes is another thing each time */
  GPtrArray *sources;    /* LbFact*: port and what is linked to it */
  GPtrArray *properties; /* LbFact* */
  GPtrArray *files;      /* LbFact*: property and the path of an input */
  GPtrArray *outputs, *results, *metrics; /* pointers to the above */
} LbManifestStage;

/* A file or folder that stages read. */
typedef struct {
  char *path; /* "inputs/DIGEST/NAME", where an archive has it */
  gboolean is_folder;
  guint64 bytes; /* of a file */
  char digest[LB_DIGEST_SIZE];
  char *found; /* the path it had */
} LbManifestInput;

typedef struct {
  char *title, *seed, *started, *ended;
  GPtrArray *overrides; /* LbFact*: "param", "set" or "seed" and what was given */
  GPtrArray *facts;     /* LbFact*: framework, machine */
  GPtrArray *plugins;   /* LbFact*: "plugin idx version" and the like */
  GPtrArray *schemas;   /* LbFact*: name and member */
  GPtrArray *inputs;    /* LbManifestInput* */
  GPtrArray *stages;    /* LbManifestStage*, sources first */
  double tolerance;     /* of tensors, relative to the largest magnitude */
  gboolean has_inputs;  /* the archive has the inputs */
} LbManifest;

/* @place begins messages. LB_ERROR_INPUT. */
LbManifest *lb_manifest_parse (const char *place, const char *text, gsize length, GError **error);
void lb_manifest_free (LbManifest *manifest);

/* NULL when there is none. */
const LbManifestStage *lb_manifest_stage (const LbManifest *manifest, const char *name);
const LbManifestOutput *lb_manifest_output (const LbManifestStage *stage, const char *port);
const LbManifestInput *lb_manifest_input (const LbManifest *manifest, const char *path);

/* The value of the fact called @name in @facts, or NULL. */
const char *lb_fact_get (const GPtrArray *facts, const char *name);

/* The member that carries packet @index of an output; free with g_free(). */
char *lb_manifest_packet_member (const LbManifestStage *stage, const LbManifestOutput *output, guint64 index);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LbManifest, lb_manifest_free)

G_END_DECLS
