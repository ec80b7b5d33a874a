/* PNG, through libpng, which reports errors by a jump. Chunks that say nothing about pixels are passed over; a warning
 * about the others is an error here. */
#include "decode.h"

#include "limbeck.h"

#include <string.h>

#include <png.h>

#define MAX_CHUNK (1 << 20)

typedef struct {
  ImageDecoder parent;
  png_structp png;
  png_infop info;
  const guint8 *at, *end;
  gsize row_bytes;
  gint64 height, y;
  guint8 *pixels; /* of an interlaced image, which comes as a whole */
  char reason[200];
} Png;

static void
fail (png_structp png, png_const_charp text)
{
  Png *self = png_get_error_ptr (png);

  g_strlcpy (self->reason, text, sizeof self->reason);
  png_longjmp (png, 1);
}

static void
read_bytes (png_structp png, png_bytep to, size_t length)
{
  Png *self = png_get_io_ptr (png);

  if (length > (gsize)(self->end - self->at))
    png_error (png, "it stops early");
  memcpy (to, self->at, length);
  self->at += length;
}

static gboolean
damaged (Png *self, GError **error)
{
  g_autofree char *reason = lb_unpack_printable (self->reason);

  return lb_input_error (self->parent.place, error, "is no intact PNG image (%s); get it again, or convert it", reason);
}

static void
png_decoder_free (ImageDecoder *decoder)
{
  Png *self = (Png *)decoder;

  png_destroy_read_struct (&self->png, &self->info, NULL);
  g_free (self->pixels);
  g_free (self);
}

/* All passes of an interlaced image. */
static void
read_interlaced (Png *self, int passes)
{
  for (int pass = 0; pass < passes; pass++)
    for (gint64 y = 0; y < self->height; y++)
      png_read_row (self->png, self->pixels + (gsize)y * self->row_bytes, NULL);
}

static gboolean
png_decoder_row (ImageDecoder *decoder, guint8 *row, GError **error)
{
  Png *self = (Png *)decoder;

  if (setjmp (png_jmpbuf (self->png)))
    return damaged (self, error);
  if (self->pixels)
    memcpy (row, self->pixels + (gsize)self->y * self->row_bytes, self->row_bytes);
  else
    png_read_row (self->png, row, NULL);
  self->y++;
  return TRUE;
}

static gboolean
png_decoder_finish (ImageDecoder *decoder, GError **error)
{
  Png *self = (Png *)decoder;

  if (setjmp (png_jmpbuf (self->png)))
    return damaged (self, error);
  png_read_end (self->png, NULL);
  return TRUE;
}

static void
set_limits (png_structp png)
{
  static const guint8 passed_over[]
      = "gAMA\0cHRM\0sRGB\0iCCP\0sBIT\0pHYs\0tIME\0bKGD\0hIST\0sPLT\0tEXt\0zTXt\0iTXt\0oFFs\0pCAL\0sCAL\0eXIf";

  png_set_user_limits (png, IMAGE_MAX_SIDE, IMAGE_MAX_SIDE);
  png_set_chunk_malloc_max (png, MAX_CHUNK);
  png_set_chunk_cache_max (png, 64);
  png_set_crc_action (png, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);
  png_set_keep_unknown_chunks (png, PNG_HANDLE_CHUNK_NEVER, NULL, 0);
  png_set_keep_unknown_chunks (png, PNG_HANDLE_CHUNK_NEVER, passed_over, sizeof passed_over / 5);
}

/* Reads the header and asks for 8 bits of grey or of red, green and blue. */
static gboolean
read_header (Png *self, gsize length, ImageInfo *info, GError **error)
{
  png_uint_32 width, height;
  int depth, colour, interlace;

  png_read_info (self->png, self->info);
  png_get_IHDR (self->png, self->info, &width, &height, &depth, &colour, &interlace, NULL, NULL);
  if (!image_check_size (self->parent.place, width, height, length, error))
    return FALSE;
  if (depth == 16)
    return lb_input_error (self->parent.place, error,
                           "is a PNG image of 16 bits a channel; expected at most 8, so convert it");
  gboolean is_transparent = png_get_valid (self->png, self->info, PNG_INFO_tRNS) != 0;
  *info = (ImageInfo){ width, height, colour & PNG_COLOR_MASK_COLOR ? 3 : 1,
                       is_transparent || (colour & PNG_COLOR_MASK_ALPHA), FALSE };
  png_set_expand (self->png);
  if (info->has_alpha)
    png_set_strip_alpha (self->png);
  int passes = png_set_interlace_handling (self->png);
  png_read_update_info (self->png, self->info);
  self->height = height;
  self->row_bytes = png_get_rowbytes (self->png, self->info);
  if (self->row_bytes != (gsize)width * info->channels)
    png_error (self->png, "its rows are of an unexpected length");
  if (interlace != PNG_INTERLACE_NONE) {
    if (!(self->pixels = g_try_malloc (self->row_bytes * height)))
      png_error (self->png, "there is no memory for it");
    read_interlaced (self, passes);
  }
  return TRUE;
}

static const ImageFormat png_format = { png_decoder_row, png_decoder_finish, png_decoder_free };

ImageDecoder *
image_open_png (const char *place, gconstpointer data, gsize length, ImageInfo *info, GError **error)
{
  Png *self = g_new0 (Png, 1);

  self->parent = (ImageDecoder){ &png_format, place };
  self->at = data;
  self->end = self->at + length;
  self->png = png_create_read_struct (PNG_LIBPNG_VER_STRING, self, fail, (png_error_ptr)fail);
  self->info = png_create_info_struct (self->png);
  if (setjmp (png_jmpbuf (self->png))) {
    damaged (self, error);
    png_decoder_free (&self->parent);
    return NULL;
  }
  png_set_read_fn (self->png, self, read_bytes);
  set_limits (self->png);
  if (read_header (self, length, info, error))
    return &self->parent;
  png_decoder_free (&self->parent);
  return NULL;
}
