/* Which reader a file of tensors is for. */
#include "tensor/tensors.h"

#include "base/error.h"
#include "base/file.h"
#include "tensor/pt.h"

#include <string.h>
#include <unistd.h>

#define ZIP_NAME    30 /* where a zip file has the name of its first member ... */
#define ZIP_LENGTH  26 /* ... and the length of that, little-endian in two bytes */
#define SHOWN_NAMES 8

/* A zip file whose first member is called x.npy. */
static gboolean
begins_as_npz (const guint8 *start, gsize length)
{
  gsize end = length > ZIP_NAME ? ZIP_NAME + (start[ZIP_LENGTH] | (gsize)start[ZIP_LENGTH + 1] << 8) : 0;

  return end > ZIP_NAME + 4 && end <= length && memcmp (start + end - 4, ".npy", 4) == 0;
}

static GArray *
read_npy (const char *path, gsize limit, GError **error)
{
  g_autoptr (GBytes) bytes = NULL;
  LbNamedTensor named;
  gsize length;

  if (!lb_file_read (path, limit, &bytes, error))
    return NULL;
  gconstpointer data = g_bytes_get_data (bytes, &length);
  if (!(named.tensor = lb_npy_parse (path, data, length, error)))
    return NULL;
  GArray *tensors = lb_named_tensors_new ();
  named.name = g_strdup ("");
  g_array_append_val (tensors, named);
  return tensors;
}

GArray *
lb_tensors_read (const char *path, gsize limit, GError **error)
{
  guint8 start[ZIP_NAME + 1024] = { 0 };
  guint64 size = 0;
  int descriptor = lb_file_open (path, &size, error);
  gssize length;

  if (descriptor < 0)
    return NULL;
  length = read (descriptor, start, sizeof start);
  close (descriptor);
  if (length > 6 && memcmp (start, "\x93NUMPY", 6) == 0)
    return read_npy (path, limit, error);
  if (length > 4 && memcmp (start, "PK\3\4", 4) == 0)
    return begins_as_npz (start, (gsize)length) ? lb_npz_read (path, limit, error) : lb_pt_read (path, limit, error);
  if (length > 2 && start[0] == 0x80 && start[1] == 2)
    lb_input_error (path, error,
                    "is of a PyTorch before 1.6, or written with _use_new_zipfile_serialization=False; "
                    "load it and save it again with torch.save");
  else
    lb_input_error (path, error,
                    "begins neither as .npy, nor as .npz, nor as a file of torch.save; expected one of "
                    "these, not truncated");
  return NULL;
}

LbTensor *
lb_tensors_find (GArray *tensors, const char *path, const char *name, GError **error)
{
  g_autoptr (GString) names = g_string_new (NULL);

  for (guint i = 0; i < tensors->len; i++) {
    const LbNamedTensor *named = &g_array_index (tensors, LbNamedTensor, i);

    if (g_str_equal (named->name, name))
      return named->tensor;
    if (i < SHOWN_NAMES)
      g_string_append_printf (names, "%s'%s'", i ? ", " : "", named->name);
    else if (i == SHOWN_NAMES)
      g_string_append (names, ", ...");
  }
  lb_input_error (path, error, "has no tensor '%s'; it has %s", name, names->str);
  return NULL;
}
