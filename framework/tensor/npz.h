/* NumPy's file formats: .npy (format version 1.0 written, 1.0 to 3.0 read; numpy/lib/format.py) and .npz (a zip of .npy
 * members), so that results can be loaded elsewhere with numpy.load(). Little-endian, C order.
 */
#pragma once

#include "base/file.h"
#include "tensor/tensor.h"

G_BEGIN_DECLS

typedef struct {
  char *name; /* without ".npy" */
  LbTensor *tensor;
} LbNamedTensor;

/* An empty array of LbNamedTensor that frees its elements. */
GArray *lb_named_tensors_new (void);

/* Appends the .npy form of @tensor to @bytes. */
void lb_npy_append (GByteArray *bytes, const LbTensor *tensor);

/* Parses one .npy image. @place (a path, "file.npz: member x") begins the error message. Fortran order, big-endian and
 * object arrays are refused; bool is read as u8. LB_ERROR_INPUT. */
LbTensor *lb_npy_parse (const char *place, gconstpointer data, gsize length, GError **error);

/* Writes @tensors in the given order as @path, stored or deflated, with fixed times, so that equal tensors give equal
 * bytes. Complete under its final name or not there at all. LB_ERROR_OUTPUT. */
gboolean
lb_npz_write (const char *path, const LbNamedTensor *tensors, guint n_tensors, gboolean compress, GError **error);

/* The same member by member, for what is more than memory holds: the file appears under @path with
 * lb_npz_writer_commit(), and what was not committed is gone with lb_npz_writer_free(). LB_ERROR_OUTPUT. */
typedef struct _LbNpzWriter LbNpzWriter;
LbNpzWriter *lb_npz_writer_new (const char *path, gboolean compress, GError **error);
gboolean lb_npz_writer_add (LbNpzWriter *writer, const char *name, const LbTensor *tensor, GError **error);
gboolean lb_npz_writer_commit (LbNpzWriter *writer, GError **error);
void lb_npz_writer_free (LbNpzWriter *writer);

/* The same to @sink, which gets the bytes of the file in order, the last with lb_npz_writer_commit(). @place begins
 * error messages. Since 1.2. */
LbNpzWriter *
lb_npz_writer_new_to (const char *place, gboolean compress, LbByteSink sink, gpointer data, GError **error);

/* Reads every .npy member. Refuses duplicate names, members that are not .npy, sizes that do not match what the header
 * declares, and more than @limit bytes in all. Returns an array of LbNamedTensor that frees its elements.
 * LB_ERROR_INPUT. */
GArray *lb_npz_read (const char *path, gsize limit, GError **error);

/* The same member by member. lb_npz_reader_next() tells the next member's name (the reader's, until the next call),
 * dtype and shape, and lb_npz_reader_tensor() its elements, for which alone memory is taken; those that are not asked
 * for are passed over and count nothing towards @limit. *name is NULL at the end. LB_ERROR_INPUT. */
typedef struct _LbNpzReader LbNpzReader;
LbNpzReader *lb_npz_reader_new (const char *path, gsize limit, GError **error);
gboolean lb_npz_reader_next (LbNpzReader *reader, const char **name, LbDType *dtype, LbShape *shape, GError **error);
LbTensor *lb_npz_reader_tensor (LbNpzReader *reader, GError **error);
void lb_npz_reader_free (LbNpzReader *reader);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LbNpzWriter, lb_npz_writer_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (LbNpzReader, lb_npz_reader_free)

G_END_DECLS
