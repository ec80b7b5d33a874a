/* The stage interface: everything a plugin author declares and calls.
 *
 * A stage type is two static tables (ports and properties), a struct that the properties are stored in, and two
 * functions: configure (pure: from input types to output types, before anything runs) and run (a sequential process
 * that pulls packets and pushes packets, in a thread of its own). Validation, `limbeck inspect`, --set, documentation
 * and archives are all made from the tables.
 */
#pragma once

#include <gmodule.h>

#include "base/compute.h"
#include "base/error.h"
#include "base/random.h"
#include "stream/packet.h"
#include "tensor/state.h"

G_BEGIN_DECLS

/* ---- Properties ---- */

typedef enum {
  LB_PROPERTY_BOOLEAN, /* gboolean */
  LB_PROPERTY_INTEGER, /* gint64 */
  LB_PROPERTY_NUMBER,  /* double */
  LB_PROPERTY_STRING,  /* char * */
  LB_PROPERTY_PATH,    /* char *; relative paths in a pipeline file are taken from the file's directory */
  LB_PROPERTY_RESULT,  /* char *; name of a file that the stage writes in the run's output directory; '*' is the stage's
                          name */
  LB_PROPERTY_CHOICE,  /* char *, one of .choices */
  LB_PROPERTY_STRINGS, /* char **, NULL-terminated; a single value is a list of one */
  LB_PROPERTY_NUMBERS  /* GArray * of double, never NULL; a single value is a list of one */
} LbPropertyKind;

/* One property. The value lives at .offset in the stage's struct; strings and lists there belong to the framework. */
typedef struct {
  const char *name; /* "images-per-class" */
  LbPropertyKind kind;
  gsize offset;
  const char *fallback;       /* default, written as in a pipeline file; NULL: must be given */
  double minimum, maximum;    /* for numbers, inclusive; equal: any */
  const char *const *choices; /* NULL-terminated, for LB_PROPERTY_CHOICE */
  const char *unit;           /* "images", "pixels", NULL */
  const char *doc;            /* one line */
} LbProperty;

/* Rows of a property table; the table ends with LB_PROPERTIES_END. */
#define LB_BOOLEAN(type, member, name_, default_, doc_)                                                                \
  {                                                                                                                    \
    .name = name_, .kind = LB_PROPERTY_BOOLEAN, .offset = G_STRUCT_OFFSET (type, member), .fallback = default_,        \
    .doc = doc_                                                                                                        \
  }
#define LB_INTEGER(type, member, name_, default_, min_, max_, unit_, doc_)                                             \
  {                                                                                                                    \
    .name = name_, .kind = LB_PROPERTY_INTEGER, .offset = G_STRUCT_OFFSET (type, member), .fallback = default_,        \
    .minimum = min_, .maximum = max_, .unit = unit_, .doc = doc_                                                       \
  }
#define LB_NUMBER(type, member, name_, default_, min_, max_, unit_, doc_)                                              \
  {                                                                                                                    \
    .name = name_, .kind = LB_PROPERTY_NUMBER, .offset = G_STRUCT_OFFSET (type, member), .fallback = default_,         \
    .minimum = min_, .maximum = max_, .unit = unit_, .doc = doc_                                                       \
  }
#define LB_STRING(type, member, name_, default_, doc_)                                                                 \
  {                                                                                                                    \
    .name = name_, .kind = LB_PROPERTY_STRING, .offset = G_STRUCT_OFFSET (type, member), .fallback = default_,         \
    .doc = doc_                                                                                                        \
  }
#define LB_PATH(type, member, name_, default_, doc_)                                                                   \
  {                                                                                                                    \
    .name = name_, .kind = LB_PROPERTY_PATH, .offset = G_STRUCT_OFFSET (type, member), .fallback = default_,           \
    .doc = doc_                                                                                                        \
  }
/* Two stages of a pipeline may not write the same file; "*.npz" as the default keeps them apart. */
#define LB_RESULT(type, member, name_, default_, doc_)                                                                 \
  {                                                                                                                    \
    .name = name_, .kind = LB_PROPERTY_RESULT, .offset = G_STRUCT_OFFSET (type, member), .fallback = default_,         \
    .doc = doc_                                                                                                        \
  }
#define LB_CHOICE(type, member, name_, default_, choices_, doc_)                                                       \
  {                                                                                                                    \
    .name = name_, .kind = LB_PROPERTY_CHOICE, .offset = G_STRUCT_OFFSET (type, member), .fallback = default_,         \
    .choices = choices_, .doc = doc_                                                                                   \
  }
#define LB_STRINGS(type, member, name_, default_, doc_)                                                                \
  {                                                                                                                    \
    .name = name_, .kind = LB_PROPERTY_STRINGS, .offset = G_STRUCT_OFFSET (type, member), .fallback = default_,        \
    .doc = doc_                                                                                                        \
  }
#define LB_NUMBERS(type, member, name_, default_, min_, max_, unit_, doc_)                                             \
  {                                                                                                                    \
    .name = name_, .kind = LB_PROPERTY_NUMBERS, .offset = G_STRUCT_OFFSET (type, member), .fallback = default_,        \
    .minimum = min_, .maximum = max_, .unit = unit_, .doc = doc_                                                       \
  }
#define LB_PROPERTIES_END                                                                                              \
  {                                                                                                                    \
    .name = NULL                                                                                                       \
  }

/* ---- Ports ---- */

typedef enum {
  LB_PORT_REQUIRED = 0,      /* must be linked (inputs) */
  LB_PORT_OPTIONAL = 1 << 0, /* may be left out (inputs); outputs may always be left unlinked */
  LB_PORT_MANY = 1 << 1,     /* takes a list of links, read one after the other (inputs) */
  /* Made only when some stage reads it (outputs): the stage asks with lb_configure_has_port() and lb_stage_has_port().
   * Since 1.2. */
  LB_PORT_ON_DEMAND = 1 << 2
} LbPortFlags;

/* One input or output. @dims connects dimension symbols of the schema with symbols of the stage: "c h w classes" says
 * that these have the same value as the same-named symbols of the stage's other ports; "n=m" calls the schema's n the
 * stage's m; "c=1" fixes a value. Symbols left out belong to the port alone. */
typedef struct {
  const char *name;   /* "samples" */
  const char *schema; /* "samples" */
  const char *dims;
  LbPortFlags flags;
  const char *doc;
} LbPort;

/* The last row of a port table. */
#define LB_PORTS_END                                                                                                   \
  {                                                                                                                    \
    .name = NULL                                                                                                       \
  }

/* ---- Configure: from input types to output types ---- */

/* What configure is given to ask and to tell; valid until it returns. */
typedef struct _LbConfigure LbConfigure;

/* The value of a stage symbol, LB_UNKNOWN (-1) when the inputs do not tell it yet. */
gint64 lb_configure_dim (LbConfigure *configure, const char *symbol);

/* Fixes a stage symbol. Fails when it is known to be something else. */
gboolean lb_configure_set_dim (LbConfigure *configure, const char *symbol, gint64 value, GError **error);

/* Symbol @symbol of the stream linked to input @port, also one that only an extending schema has (v of augmented, where
 * the port asks for samples). LB_UNKNOWN when not linked, not there or not known. */
gint64 lb_configure_input_dim (LbConfigure *configure, const char *port, const char *symbol);

/* Whether a port is linked: an input, or, since 1.2, an output with LB_PORT_ON_DEMAND. Other outputs count as linked:
 * what a stage does must not depend on who reads them. */
gboolean lb_configure_has_port (LbConfigure *configure, const char *port);

/* The schema linked to an input: the port's, or one that extends it. NULL when not linked. */
const char *lb_configure_input_schema (LbConfigure *configure, const char *port);

/* Dtypes that may arrive in @field of input @port, as bits (1 << LbDType). */
guint lb_configure_input_dtypes (LbConfigure *configure, const char *port, const char *field);

/* Narrows a field of an output to one dtype. */
void lb_configure_set_output_dtype (LbConfigure *configure, const char *port, const char *field, LbDType dtype);

/* How many packets input @port brings in all; LB_UNKNOWN when a writer has not told. */
gint64 lb_configure_input_packets (LbConfigure *configure, const char *port);

/* What the packets of input @port say in text field @field ("architecture" of model), one text for each packet in
 * order. NULL when a writer has not told. NULL-terminated; valid until configure returns. */
const char *const *lb_configure_input_texts (LbConfigure *configure, const char *port, const char *field);

/* How many links a LB_PORT_MANY input has; and the same texts of one of them alone. Since 1.2. */
guint lb_configure_n_links (LbConfigure *configure, const char *port);
const char *const *lb_configure_link_texts (LbConfigure *configure, const char *port, guint index, const char *field);

/* The number that field @field (f64 [1] of the schema, "temperature" of augmented) of input @port holds in each packet;
 * NAN when a writer has not told, and when links of a LB_PORT_MANY differ. Since 1.2. */
double lb_configure_input_number (LbConfigure *configure, const char *port, const char *field);

/* Promises how many packets an output has, what they say in a text field (one text for each packet), or, since 1.2,
 * which number a field of f64 [1] holds in each of them. Readers predict their cost from it; a run in which it does not
 * hold fails. */
void lb_configure_set_output_packets (LbConfigure *configure, const char *port, gint64 packets);
void lb_configure_set_output_number (LbConfigure *configure, const char *port, const char *field, double number);
void
lb_configure_set_output_texts (LbConfigure *configure, const char *port, const char *field, const char *const *texts);

/* For predicting memory: bytes of the largest packet of an output. To be told where its dimensions are not known or
 * differ between packets, and where it shares tensors with what the stage reads, which then do not count. */
void lb_configure_set_output_bytes (LbConfigure *configure, const char *port, gint64 bytes);

/* Bytes of all packets that input @port brings; LB_UNKNOWN when dimensions or their number are not known. */
gint64 lb_configure_input_bytes (LbConfigure *configure, const char *port);

/* Bytes that lb_stage_collect() takes while it joins the packets of @port: none for a single packet, and none that are
 * known when lb_configure_input_bytes() is not. */
gint64 lb_configure_collect_bytes (LbConfigure *configure, const char *port);

/* Threads that programs will run on, for lb_program_peak_bytes(). */
guint lb_configure_threads (LbConfigure *configure);

/* Reports that property @name is wrong; the message begins with "property 'NAME': " and gets the property's place in
 * the pipeline file. Always FALSE. */
gboolean lb_configure_property_error (LbConfigure *configure, const char *name, GError **error, const char *format, ...)
    G_GNUC_PRINTF (4, 5);

/* Predicted cost of the whole stage: floating-point operations, and the most bytes that it holds at once beside the
 * packets it reads and sends (programs, buffers, copies). Not called, the stage cannot tell. */
void lb_configure_cost (LbConfigure *configure, double flops, double bytes);

/* ---- Run: a sequential process ---- */

/* A stage that runs; belongs to the thread that run() is called in. */
typedef struct _LbStage LbStage;

/* The stage's name in the pipeline. */
const char *lb_stage_name (LbStage *stage);

/* Reads the next packet of @port, waiting for it; *packet is new reference, NULL at the end of the stream (or when the
 * port is not linked). FALSE when the run is cancelled: return FALSE at once. */
gboolean lb_stage_pull (LbStage *stage, const char *port, LbPacket **packet, GError **error);

/* Reads all packets of @port and joins them along their first dimension (fields without the joined symbol, such as a
 * mean, must agree and are kept once). NULL on error, and when the stream has no packet (LB_ERROR_INPUT). */
LbPacket *lb_stage_collect (LbStage *stage, const char *port, GError **error);

/* Sends @packet (taking over the reference) to all readers of @port, waiting while they are full. The packet is checked
 * against the port's type. */
gboolean lb_stage_push (LbStage *stage, const char *port, LbPacket *packet, GError **error);

/* The name of the pipeline link ("distill.samples") that feeds input @port, or the @index-th of a LB_PORT_MANY. NULL
 * when there is none. */
const char *lb_stage_source (LbStage *stage, const char *port, guint index);

/* Reads the next packet of one link of a LB_PORT_MANY input, as lb_stage_pull(). */
gboolean lb_stage_pull_nth (LbStage *stage, const char *port, guint index, LbPacket **packet, GError **error);
guint lb_stage_n_links (LbStage *stage, const char *port);

/* What lb_configure_has_port() said. Since 1.2. */
gboolean lb_stage_has_port (LbStage *stage, const char *port);

/* A stage symbol as configure left it; LB_UNKNOWN when it was not known. */
gint64 lb_stage_dim (LbStage *stage, const char *symbol);

/* The key for all randomness of this stage: made of the pipeline's seed and the stage's name. */
LbKey lb_stage_key (LbStage *stage, const char *purpose);

/* What to run programs with. */
LbCompute *lb_stage_compute (LbStage *stage);

/* Call once for every step of a long loop, after the step: shows progress (@done of @total, and a current value such as
 * the loss under the name @what, NULL for none), and is where a run is cancelled: FALSE means return FALSE at once. */
gboolean
lb_stage_progress (LbStage *stage, guint64 done, guint64 total, const char *what, double value, GError **error);

/* FALSE with LB_ERROR_NUMERIC, naming @what, @step and @value, unless @value is finite. @advice says what to change. In
 * a run that traces numerics, the message names the operation that made the first such value, and lb_stage_progress()
 * and lb_stage_push() fail likewise as soon as there is one. */
gboolean lb_stage_check_finite (LbStage *stage, const char *what, guint64 step, double value, const char *advice,
                                GError **error);

/* Records a figure of the run for metrics.json, in the order recorded: ("accuracy", 0.705, "fraction"). */
void lb_stage_metric (LbStage *stage, const char *name, double value, const char *unit);

/* Text (a table, a few lines) that the command prints when the run has ended, in pipeline order. */
void lb_stage_report (LbStage *stage, const char *text);

/* What the stage's results were made by, for files that travel alone: the text of a pipeline file of this stage and all
 * that it needs, with the seed, every property's value, and input files named by the SHA-256 of their bytes. As the
 * results do, it depends on neither clock nor machine, paths nor thread count; nor on versions, so that a later version
 * that computes the same writes the same (run/provenance.json has them). NULL outside a pipeline; the stage's. Since
 * 1.2. */
const char *lb_stage_ancestry (LbStage *stage);

/* Path of a result file in the run's output directory, "OUTPUT/@name"; free with g_free(). Write it with
 * lb_stage_write() or lb_npz_write() so that it appears only when complete. */
char *lb_stage_output_path (LbStage *stage, const char *name);
gboolean lb_stage_write (LbStage *stage, const char *name, gconstpointer data, gsize length, GError **error);

/* Between two steps that take long: FALSE with LB_ERROR_CANCELLED when the run is to stop. Since 1.1. */
gboolean lb_stage_may_go_on (LbStage *stage, GError **error);

/* ---- Checkpoints: a long stage goes on where it was stopped; since 1.1 ----
 *
 *   lb_state_add_tensor (state, "images", images);               where the work stands
 *   lb_state_add_counter (state, "iteration", &iteration);
 *   if (!lb_stage_resume (stage, state, error))
 *     return FALSE;
 *   while (iteration < iterations) {
 *     ...                                                        one step, lb_stage_progress(), iteration++
 *     if (!lb_stage_checkpoint (stage, state, error))
 *       return FALSE;
 *   }
 *
 * The result must have the same bits whether or not the stage was stopped: @state holds all that later steps depend on
 * and that is not read or computed again before lb_stage_resume(). Packets, metrics, reports, result files and counted
 * operations up to the checkpoint are the framework's business: it brings them back by itself.
 */

/* Call after the inputs have been read and before anything is sent: puts the last checkpoint's values into what @state
 * names, or leaves them as they are when there is none. Where the shapes of the rest of the state follow from a part of
 * it, ask for that part first, and then once more with a state that names the rest. */
gboolean lb_stage_resume (LbStage *stage, LbState *state, GError **error);

/* Call after every step at which @state tells everything. Asking costs nothing: a few times a second the state is
 * copied, and at the run's checkpoint interval, or when the run is stopped, a copy is written. FALSE when the run is
 * stopped. */
gboolean lb_stage_checkpoint (LbStage *stage, LbState *state, GError **error);

/* Whether lb_stage_checkpoint() would copy the state now, for those who have to put it together first. */
gboolean lb_stage_checkpoint_due (LbStage *stage);

/* For a stage of which a whole number, property @property ("iterations"), says nothing but how far it goes: call it
 * after the last step, before what only the end tells or sends. @state is kept with the results, and a later run with a
 * larger value, and everything else the same, goes on from there; it must leave what it would have left had it begun at
 * the beginning. Not to be called where a step depends on how many there are, as under a schedule that ends with them.
 * LB_ERROR_PROGRAM when there is no such property. Since 1.2. */
gboolean lb_stage_keep_end (LbStage *stage, const char *property, LbState *state, GError **error);

/* ---- The run around a stage; since 1.2 ---- */

/* For a stage with LB_STAGE_CLOSES, once it has read its inputs: waits until all stages without that flag have ended,
 * and tells of the run so far, as the text of one JSON object (free with g_free()):
 *   limbeck    version                       metrics    what metrics.json holds
 *   pipeline   text of a pipeline file that runs the same again
 *   drawing    the pipeline as SVG, as `limbeck graph` draws it
 *   stages     a list, in the order of the pipeline file, of objects with
 *     name, summary                          of the stage and of its type
 *     models                                 the architectures of the models it sends, in order; empty for others
 *   curves     a list of objects of what was recorded of progress, as in metrics.jsonl (a null is no finite number)
 *     stage, name                            such as "students", "loss", or "loss (3)" of part 3 of several
 *     total                                  steps that the stage, or its part, made in all
 *     steps, values                          two lists of one length, by ascending step
 * Stages whose results were reused have no curves. *facts is NULL where there is no run around the stage, as in a test.
 * LB_ERROR_CANCELLED. */
gboolean lb_stage_run_facts (LbStage *stage, char **facts, GError **error);

/* ---- Parts: like things side by side; since 1.2 ----
 *
 * A stage that does the same n times, such as training n networks, can leave it to the framework to do several at once:
 *
 *   static gboolean
 *   train (LbStage *part, guint number, gpointer data, GError **error)
 *   {
 *     ...                                      as in a stage that has this one alone to do
 *     return lb_stage_push (part, "model", packet, error);
 *   }
 *
 *   lb_stage_parts (stage, n, train, data, error)
 *
 * Within a part, @part is a stage of its own: its programs are run with lb_stage_compute (part), it tells its own
 * progress, has its own checkpoint (lb_stage_resume() and lb_stage_checkpoint() with the state of this part alone), and
 * counts its own operations. What it sends, records and reports appears when it has ended and all parts before it have,
 * so in the order of the parts. Inputs are read before. A part must not depend on another, nor on how many are at work;
 * keys come from its number.
 */

/* For configure: how many of @most parts are going to be at work at once, to be counted with the cost. At least 1; not
 * asked, parts come one after the other. */
guint lb_configure_side_by_side (LbConfigure *configure, guint most);

/* What lb_configure_side_by_side() said, 1 at least. */
guint lb_stage_side_by_side (LbStage *stage);

/* Does part @number, from 0, of a stage, in a thread of the framework: several may be at it at once, so @data must not
 * be changed without a lock. FALSE with @error when it fails, which ends the others. */
typedef gboolean (*LbStagePart) (LbStage *part, guint number, gpointer data, GError **error);

/* Does parts 0, ..., @n - 1, begun in this order, in threads of the framework; returns when all have ended, or with the
 * error of one. Once in a stage, which then saves no state but that of its parts; from the stage's thread. */
gboolean lb_stage_parts (LbStage *stage, guint n, LbStagePart part, gpointer data, GError **error);

/* ---- Descriptors ---- */

typedef enum {
  /* Its packets are large and soon made again, as a source's are: they are not kept in the store. */
  LB_STAGE_CHEAP = 1 << 0,
  /* It tells of the run as a whole: it may ask lb_stage_run_facts(), is run every time, and has no outputs. Since 1.2.
   */
  LB_STAGE_CLOSES = 1 << 1
} LbStageFlags;

typedef struct {
  const char *name;        /* "gradient-matching" */
  const char *summary;     /* one line */
  const char *description; /* paragraphs: method, paper, what the output means; may be NULL */
  const LbPort *inputs;    /* ends with LB_PORTS_END; NULL: none */
  const LbPort *outputs;
  const LbProperty *properties;
  gsize instance_size; /* of the struct that holds the properties; zero-filled at first */
  gboolean (*configure) (LbConfigure *configure, gpointer self, GError **error); /* may be NULL */
  gboolean (*run) (LbStage *stage, gpointer self, GError **error);
  LbStageFlags flags; /* since 1.1 */
} LbStageType;

/* The interface version of this header; framework/docs/interface-versions.md has the rules in full. What is added (a
 * function, a macro, a value of an enum, a last member of LbStageType or LbPlugin whose zero means what was before)
 * raises the minor number and says since when it is there; any other change raises the major. A plugin loads when its
 * major is ours and its minor is not newer. */
#define LB_INTERFACE_MAJOR 1
#define LB_INTERFACE_MINOR 2
#define LB_PLUGIN_MAGIC    0x4c696d62u /* "Limb" */

/* What a plugin exports, under the symbol "limbeck_plugin". */
typedef struct {
  guint32 magic;
  guint16 interface_major, interface_minor;
  guint32 struct_size; /* sizeof (LbPlugin) */
  const char *name, *version, *licence;
  const LbStageType *const *stages; /* NULL-terminated; NULL: none */
  /* Since 1.1: called when the plugin is taken in, to make known what else it brings, such as architectures
   * (LB_DEFINE_PLUGIN_TABLES); @path is its file. FALSE refuses the plugin. NULL: it brings stage types alone. */
  gboolean (*load) (const char *path, GError **error);
  /* Since 1.2: digest of the sources it was built from, for records of runs; NULL: not told. */
  const char *source;
} LbPlugin;

/* Given by the build (framework/source-digest). */
#ifndef LB_PLUGIN_SOURCE
#  define LB_PLUGIN_SOURCE NULL
#endif

/* One line at the end of a plugin's file: LB_DEFINE_PLUGIN ("idx", "1.0", "LGPL-2.1-or-later", &idx_type); */
#define LB_DEFINE_PLUGIN(name_, version_, licence_, ...)                                                               \
  static const LbStageType *const limbeck_stages[] = { __VA_ARGS__, NULL };                                            \
  extern const LbPlugin limbeck_plugin;                                                                                \
  G_MODULE_EXPORT const LbPlugin limbeck_plugin = { LB_PLUGIN_MAGIC,                                                   \
                                                    LB_INTERFACE_MAJOR,                                                \
                                                    LB_INTERFACE_MINOR,                                                \
                                                    sizeof (LbPlugin),                                                 \
                                                    name_,                                                             \
                                                    version_,                                                          \
                                                    licence_,                                                          \
                                                    limbeck_stages,                                                    \
                                                    NULL,                                                              \
                                                    LB_PLUGIN_SOURCE }

G_END_DECLS
