/* One image, from the bytes of its file to its place in a tensor. */
#pragma once

#include "decode.h"

G_BEGIN_DECLS

/* What every image is brought to. */
typedef struct {
  guint channels;       /* 1 or 3: grey is repeated, colour becomes luma (ITU-R BT.601) */
  gint64 height, width; /* pixels */
  gboolean is_resized;  /* FALSE: it must have this size already */
  gboolean is_cropped;  /* the shorter side is resized, and the middle taken; FALSE: both sides are resized */
} ImageTarget;

/* Decodes @length bytes at @data into @out, [channels, height, width]; @info is what the file had. @place begins error
 * messages. LB_ERROR_INPUT. May be called from any thread. */
gboolean image_load (const char *place, gconstpointer data, gsize length, const ImageTarget *target, guint8 *out,
                     ImageInfo *info, GError **error);

G_END_DECLS
