/* The work of a stage: its files of packets, and which of its result files were written since they were last copied. */
#include "pipeline/work.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "pipeline/checkpoint.h"
#include "pipeline/digest.h"

/* A result file that the stage may have written, as it was when last looked at; zeros when it was not there. */
typedef struct {
  char *name;
  guint64 inode, bytes;
  struct timespec changed;
} Written;

/* The packets of one output. */
typedef struct {
  int descriptor; /* -1 until the first packet */
  char *path;
} Spool;

struct _LbWork {
  char *path, *output_directory;
  GArray *files; /* Written: all that are expected */
  guint n_outputs;
  Spool *spools; /* of each output */
};

static void
written_clear (gpointer data)
{
  g_free (((Written *)data)->name);
}

LbWork *
lb_work_new (const LbStore *store, const char *key, guint n_outputs, const char *output_directory)
{
  LbWork *work = g_new0 (LbWork, 1);
  work->path = lb_store_work_path (store, key);
  work->output_directory = g_strdup (output_directory);
  work->files = g_array_new (FALSE, FALSE, sizeof (Written));
  g_array_set_clear_func (work->files, written_clear);
  work->n_outputs = n_outputs;
  work->spools = g_new0 (Spool, n_outputs);
  for (guint i = 0; i < n_outputs; i++)
    work->spools[i] = (Spool){ -1, lb_store_output_path (work->path, i) };
  return work;
}

void
lb_work_close (LbWork *work)
{
  for (guint i = 0; i < work->n_outputs; i++)
    if (work->spools[i].descriptor >= 0) {
      close (work->spools[i].descriptor);
      work->spools[i].descriptor = -1;
    }
}

void
lb_work_free (LbWork *work)
{
  if (work == NULL)
    return;
  lb_work_close (work);
  for (guint i = 0; i < work->n_outputs; i++)
    g_free (work->spools[i].path);
  g_free (work->spools);
  g_array_unref (work->files);
  g_free (work->output_directory);
  g_free (work->path);
  g_free (work);
}

const char *
lb_work_path (const LbWork *work)
{
  return work->path;
}

gboolean
lb_work_begin (LbWork *work, const char *recipe, GError **error)
{
  g_autofree char *path = g_build_filename (work->path, "recipe", NULL);
  if (!lb_file_write (path, recipe, strlen (recipe), error))
    return FALSE;
  lb_file_remove_leftovers (work->path);
  return TRUE;
}

/* ---- Packets ---- */

static gboolean
open_spool (Spool *spool, guint64 length, GError **error)
{
  spool->descriptor = open (spool->path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (spool->descriptor < 0 || ftruncate (spool->descriptor, (off_t)length) != 0
      || lseek (spool->descriptor, 0, SEEK_END) < 0)
    return lb_output_error (spool->path, errno, error);
  return TRUE;
}

static gboolean
put_in_spool (gpointer data, gconstpointer bytes, gsize length, GError **error)
{
  const Spool *spool = data;
  return lb_file_put (spool->descriptor, spool->path, bytes, length, error);
}

gboolean
lb_work_append (LbWork *work, guint output, const LbPacket *packet, LbLedger *ledger, GError **error)
{
  Spool *spool = &work->spools[output];
  LbKept kept = { 0 };
  if ((spool->descriptor < 0 && !open_spool (spool, 0, error))
      || !lb_record_write (packet, put_in_spool, spool, &kept.bytes, kept.digest, error))
    return FALSE;
  g_array_append_val ((GArray *)ledger->outputs->pdata[output], kept);
  return TRUE;
}

gboolean
lb_work_go_on (LbWork *work, const LbLedger *ledger, GError **error)
{
  for (guint i = 0; i < work->n_outputs; i++)
    if (!open_spool (&work->spools[i], lb_ledger_output_bytes (ledger, i), error))
      return FALSE;
  return TRUE;
}

static gboolean
sync_spools (const LbWork *work, GError **error)
{
  for (guint i = 0; i < work->n_outputs; i++)
    if (work->spools[i].descriptor >= 0 && !lb_file_sync (work->spools[i].descriptor, work->spools[i].path, error))
      return FALSE;
  return TRUE;
}

/* ---- Result files ---- */

/* Looks at @file; TRUE when it is there and is not what it was at the last look. Every writing gives a file another
 * inode. */
static gboolean
has_changed (const LbWork *work, Written *file)
{
  g_autofree char *path = g_build_filename (work->output_directory, file->name, NULL);
  struct stat status;
  if (stat (path, &status) != 0 || !S_ISREG (status.st_mode))
    return FALSE;
  Written now = { file->name, status.st_ino, (guint64)status.st_size, status.st_mtim };
  gboolean same = now.inode == file->inode && now.bytes == file->bytes && now.changed.tv_sec == file->changed.tv_sec
                  && now.changed.tv_nsec == file->changed.tv_nsec;
  *file = now;
  return !same;
}

void
lb_work_expect_file (LbWork *work, const char *name)
{
  for (guint i = 0; i < work->files->len; i++)
    if (strcmp (g_array_index (work->files, Written, i).name, name) == 0)
      return;
  Written file = { .name = g_strdup (name) };
  has_changed (work, &file);
  g_array_append_val (work->files, file);
}

static void
note_file (LbLedger *ledger, LbKept *kept)
{
  for (guint i = 0; i < ledger->files->len; i++)
    if (strcmp (g_array_index (ledger->files, LbKept, i).name, kept->name) == 0) {
      g_array_remove_index (ledger->files, i);
      break;
    }
  g_array_append_val (ledger->files, *kept);
}

static gboolean
copy_file (const LbWork *work, Written *file, LbLedger *ledger, GError **error)
{
  Written before = *file;
  LbKept kept = { 0 };
  if (!has_changed (work, file))
    return TRUE;
  g_autofree char *from = g_build_filename (work->output_directory, file->name, NULL);
  g_autofree char *to = lb_store_file_path (work->path, file->name);
  if (!lb_digest_copy (from, to, &kept.bytes, kept.digest, error)) {
    *file = before;
    return FALSE;
  }
  kept.name = g_strdup (file->name);
  note_file (ledger, &kept);
  return TRUE;
}

gboolean
lb_work_save (LbWork *work, LbLedger *ledger, GError **error)
{
  for (guint i = 0; i < work->files->len; i++)
    if (!copy_file (work, &g_array_index (work->files, Written, i), ledger, error))
      return FALSE;
  return sync_spools (work, error);
}

/* ---- Checkpoints ---- */

gboolean
lb_work_add_checkpoint (LbWork *work, const GArray *state, const LbLedger *ledger, const char *end_of, GError **error)
{
  g_autoptr (GArray) numbers = lb_checkpoint_numbers (work->path);
  guint64 last = numbers->len > 0 ? g_array_index (numbers, guint64, 0) : 0;
  return lb_checkpoint_write (work->path, last + 1, state, ledger, end_of, error);
}

GArray *
lb_work_read_checkpoint (const LbWork *work, guint64 number, LbLedger **ledger, GError **error)
{
  g_autoptr (GArray) state = lb_checkpoint_read (work->path, number, work->n_outputs, ledger, error);
  if (state == NULL || !lb_store_verify (work->path, *ledger, TRUE, error))
    return NULL;
  return g_steal_pointer (&state);
}
