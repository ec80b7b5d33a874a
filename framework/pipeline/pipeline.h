/* A pipeline file as read: what its author wrote, with params replaced, and where each part stands.
 *
 *   limbeck: 1                    # version of this format
 *   title: Images of ${ipc} per class
 *   seed: 7                       # of all randomness; 0 when left out
 *   params: {ipc: 10}             # ${ipc} in title and 'with' values; $${ stands for the characters ${
 *   matrix: {ipc: [1, 10, 50]}    # runs for each combination of these values of params
 *   stages:
 *     source: {plugin: idx, with: {images: a.gz, labels: b.gz}}
 *     distill:
 *       plugin: gradient-matching
 *       inputs: {source: source.samples}       # port: stage.port, or a list of them where the port takes many
 *       with: {images-per-class: "${ipc}"}
 *
 * Nothing here knows plugins: whether names and values make sense is for check.h.
 */
#pragma once

#include "pipeline/problems.h"

G_BEGIN_DECLS

/* The version of the format that is read. */
#define LB_PIPELINE_FORMAT 1

/* Each stage runs in a thread of its own. */
#define LB_PIPELINE_MAX_STAGES 256

/* One link of an input. @stage is NULL when the reference could not be read (told already). */
typedef struct {
  char *port;                       /* of the reading stage */
  char *stage, *output;             /* "distill" and "samples" of distill.samples */
  char *source;                     /* "distill.samples", as written */
  gboolean listed;                  /* stands in a list */
  const LbDocumentNode *port_place; /* of the port's name */
  const LbDocumentNode *place;      /* of the reference */
} LbPipelineInput;

/* One property. From the file: @value with params replaced, or NULL when that failed (told already). From --set:
 * @argument
 * ("distill.grid=5") and @text ("5"). */
typedef struct {
  char *name;
  const LbDocumentNode *place; /* of its name in the file; NULL from --set */
  LbDocumentNode *value;
  char *argument;
  char *text;
} LbPipelineProperty;

typedef struct {
  char *name;
  const LbDocumentNode *place; /* of its name */
  char *plugin;                /* NULL when it could not be read (told already) */
  const LbDocumentNode *plugin_place;
  GPtrArray *inputs;     /* LbPipelineInput*, in file order */
  GPtrArray *properties; /* LbPipelineProperty*: those of the file in its order, then those of --set */
  gboolean broken;       /* some part of it could not be read (told already) */
} LbPipelineStage;

/* One param of the matrix. */
typedef struct {
  char *param;
  GPtrArray *values; /* char*, different ones */
} LbPipelineAxis;

typedef struct {
  LbDocument *document; /* keeps all places alive */
  char *path;           /* as given */
  char *directory;      /* the file's, what its relative paths are taken from */
  char *title;
  gint64 seed;       /* 0 or more */
  GPtrArray *stages; /* LbPipelineStage*, in file order */
  GPtrArray *matrix; /* LbPipelineAxis*, in file order, without params that the command line fixes */
  struct {           /* copies of what the command line changed, in its words; NULL where it gave none */
    char **params, **settings;
    char *seed;
  } overrides;
} LbPipeline;

/* What the command line changes. All may be NULL; the lists are NULL-terminated. */
typedef struct {
  const char *const *params;   /* --param NAME=VALUE, read as if written in the file */
  const char *const *settings; /* --set STAGE.PROPERTY=VALUE; relative paths from the current directory */
  const char *seed;            /* --seed N */
  const char *const *found;    /* as @settings: where an archive's inputs lie here, which changes nothing */
} LbPipelineOverrides;

/* Reads @path. NULL only when the file cannot be read as YAML or is of another format version; otherwise what could be
 * read, to be used further only when @problems stays empty in the end. */
LbPipeline *lb_pipeline_read (const char *path, const LbPipelineOverrides *overrides, LbProblems *problems);

/* The same from memory. */
LbPipeline *lb_pipeline_parse (const char *path, const char *text, gsize length, const LbPipelineOverrides *overrides,
                               LbProblems *problems);
void lb_pipeline_free (LbPipeline *pipeline);

/* The stage called @name, or NULL; *index is its place in the file's order unless NULL. */
LbPipelineStage *lb_pipeline_find (const LbPipeline *pipeline, const char *name, guint *index);

/* How many runs the matrix expands into, 1 without one; and the params of run @index as NAME=VALUE, NULL-terminated,
 * the last axis changing fastest. Free with g_strfreev(). */
guint lb_pipeline_n_points (const LbPipeline *pipeline);
char **lb_pipeline_point (const LbPipeline *pipeline, guint index);

/* Leaves out all stages but @name and those before it. FALSE when there is no such stage. */
gboolean lb_pipeline_restrict (LbPipeline *pipeline, const char *name);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LbPipeline, lb_pipeline_free)

G_END_DECLS
