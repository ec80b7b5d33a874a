/* Ledger: what a stage has sent, written and told so far: all of its outcome but the bytes themselves. The index of a
 * result in the store, and a part of every checkpoint.
 */
#pragma once

#include <glib.h>

#include "stream/record.h"

G_BEGIN_DECLS

typedef struct {
  char *name;
  double value;
  char *unit; /* or NULL */
} LbMetric;

void lb_metric_free (LbMetric *metric);
LbMetric *lb_metric_new (const char *name, double value, const char *unit);

/* One tensor of a packet that was sent. */
typedef struct {
  char *name, *type;           /* "images", "f32[10, 1, 28, 28]" */
  char digest[LB_DIGEST_SIZE]; /* of lb_tensor_digest() */
} LbSentField;

/* One packet, or one result file. Packets lie one behind the other in their output's file. */
typedef struct {
  char *name;    /* of the file; NULL for a packet */
  guint64 bytes; /* of the record, or of the file */
  char digest[LB_DIGEST_SIZE];
} LbKept;

/* Packets of an output whose tensors are told one by one; those behind them are told in groups. */
#define LB_SENT_SINGLY 1024

/* @n packets that follow each other, and their lb_record_chain(). */
typedef struct {
  guint64 n;
  guint8 digest[LB_DIGEST_BYTES];
} LbSentGroup;

/* What one output has sent, kept or not. Of packet LB_SENT_SINGLY * 2^k and those behind it, 2^(k+1) make a group, so
 * that the list grows with the logarithm of their number, and names a packet to a thousandth of it. */
typedef struct {
  GPtrArray *packets; /* GArray* of LbSentField */
  GArray *groups;     /* LbSentGroup; all but the last are full */
} LbSent;

/* How far an output was at some moment. */
typedef struct {
  guint n_kept, n_packets, n_groups;
  LbSentGroup last; /* of the groups, as it was; when there is one */
} LbSentMark;

typedef struct {
  gboolean has_packets; /* whether packets were kept */
  GPtrArray *outputs;   /* GArray* of LbKept, one for each output port of the stage's type */
  GPtrArray *sent;      /* LbSent*, likewise */
  GArray *files;        /* LbKept */
  GPtrArray *metrics;   /* LbMetric*, in the order recorded */
  GPtrArray *reports;   /* char* */
  double flops;         /* counted operations */
  guint64 bytes_out;    /* sent */
  double seconds;       /* of work that it took */
  LbSha256 *sha256;     /* for noting */
} LbLedger;

LbLedger *lb_ledger_new (guint n_outputs);
LbLedger *lb_ledger_copy (const LbLedger *ledger);
void lb_ledger_free (LbLedger *ledger);

/* Notes what @packet holds, as the next that @output sends. */
void lb_ledger_note (LbLedger *ledger, guint output, const LbPacket *packet);

/* Where @output is, and back to where it was: what came behind is forgotten. */
LbSentMark lb_ledger_mark (const LbLedger *ledger, guint output);
void lb_ledger_cut (LbLedger *ledger, guint output, const LbSentMark *mark);

/* Appends the packets of @output, which has sent none, or the files, of @from. */
void lb_ledger_take_packets (LbLedger *ledger, const LbLedger *from, guint output);
void lb_ledger_take_files (LbLedger *ledger, const LbLedger *from);

/* Bytes of the packets of @output, or of all of them and the files. */
guint64 lb_ledger_output_bytes (const LbLedger *ledger, guint output);
guint64 lb_ledger_bytes (const LbLedger *ledger);

/* As JSON that gives back every bit; free with g_free(). */
char *lb_ledger_to_json (const LbLedger *ledger);

/* For a reader that does not know the stage's type. */
#define LB_ANY_OUTPUTS G_MAXUINT

/* @path begins the message. LB_ERROR_INPUT when @text is not what lb_ledger_to_json() makes of a stage with @n_outputs
 * output ports. */
LbLedger *lb_ledger_from_json (const char *path, const char *text, gsize length, guint n_outputs, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LbLedger, lb_ledger_free)

G_END_DECLS
