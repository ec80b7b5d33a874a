/* JPEG, through libjpeg(-turbo), which reports errors by a jump. Its warnings ("corrupt JPEG data") are errors here: it
 * would go on with grey areas. */
#include "decode.h"

#include "limbeck.h"

#include <setjmp.h>
#include <stdio.h>

#include <jpeglib.h>

/* Each scan of a progressive image goes over all of it, so that a small file could keep a decoder busy for hours. */
#define MAX_SCANS 100

typedef struct {
  ImageDecoder parent;
  struct jpeg_decompress_struct jpeg;
  struct jpeg_error_mgr errors;
  struct jpeg_progress_mgr progress;
  jmp_buf failed;
  char reason[JMSG_LENGTH_MAX];
  gboolean is_inverted;
  guint8 *inks; /* a row of four inks */
} Jpeg;

static void
fail (j_common_ptr common)
{
  Jpeg *self = common->client_data;

  common->err->format_message (common, self->reason);
  longjmp (self->failed, 1);
}

static void
emit (j_common_ptr common, int level)
{
  if (level < 0)
    fail (common);
}

static void
watch_scans (j_common_ptr common)
{
  Jpeg *self = common->client_data;

  if (self->jpeg.input_scan_number <= MAX_SCANS)
    return;
  g_snprintf (self->reason, sizeof self->reason, "more than %d scans", MAX_SCANS);
  longjmp (self->failed, 1);
}

static gboolean
damaged (Jpeg *self, GError **error)
{
  g_autofree char *reason = lb_unpack_printable (self->reason);

  return lb_input_error (self->parent.place, error, "is no intact JPEG image (%s); get it again, or convert it",
                         reason);
}

static void
jpeg_free (ImageDecoder *decoder)
{
  Jpeg *self = (Jpeg *)decoder;

  jpeg_destroy_decompress (&self->jpeg);
  g_free (self->inks);
  g_free (self);
}

/* Inks to light. Adobe's programs, which write nearly all of these, store them inverted. */
static void
inks_to_rgb (const Jpeg *self, guint8 *row)
{
  const guint8 *ink = self->inks;

  for (guint x = 0; x < self->jpeg.output_width; x++, ink += 4)
    for (guint k = 0; k < 3; k++) {
      guint light = self->is_inverted ? ink[k] : 255u - ink[k], black = self->is_inverted ? ink[3] : 255u - ink[3];

      row[x * 3 + k] = (guint8)((light * black + 127) / 255);
    }
}

static gboolean
jpeg_row (ImageDecoder *decoder, guint8 *row, GError **error)
{
  Jpeg *self = (Jpeg *)decoder;
  JSAMPROW rows[] = { self->inks ? self->inks : row };

  if (setjmp (self->failed))
    return damaged (self, error);
  if (jpeg_read_scanlines (&self->jpeg, rows, 1) != 1) {
    g_strlcpy (self->reason, "rows are missing", sizeof self->reason);
    return damaged (self, error);
  }
  if (self->inks)
    inks_to_rgb (self, row);
  return TRUE;
}

static gboolean
jpeg_finish (ImageDecoder *decoder, GError **error)
{
  Jpeg *self = (Jpeg *)decoder;

  if (setjmp (self->failed))
    return damaged (self, error);
  jpeg_finish_decompress (&self->jpeg);
  return TRUE;
}

/* Chooses grey, colour or inks for the output. */
static gboolean
choose_output (Jpeg *self, ImageInfo *info, GError **error)
{
  struct jpeg_decompress_struct *jpeg = &self->jpeg;

  info->width = jpeg->image_width;
  info->height = jpeg->image_height;
  info->channels = jpeg->num_components == 1 ? 1 : 3;
  info->is_cmyk = jpeg->num_components == 4;
  if (jpeg->num_components != 1 && jpeg->num_components != 3 && jpeg->num_components != 4)
    return lb_input_error (self->parent.place, error,
                           "is a JPEG image of %d channels; expected 1 (grey), 3 (colour) or 4 (inks), so convert it",
                           jpeg->num_components);
  jpeg->out_color_space = info->is_cmyk ? JCS_CMYK : info->channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
  jpeg->dct_method = JDCT_ISLOW; /* the one that gives the same bits everywhere */
  self->is_inverted = jpeg->saw_Adobe_marker;
  return TRUE;
}

static const ImageFormat jpeg_format = { jpeg_row, jpeg_finish, jpeg_free };

ImageDecoder *
image_open_jpeg (const char *place, gconstpointer data, gsize length, ImageInfo *info, GError **error)
{
  Jpeg *self = g_new0 (Jpeg, 1);

  self->parent = (ImageDecoder){ &jpeg_format, place };
  self->jpeg.err = jpeg_std_error (&self->errors);
  self->errors.error_exit = fail;
  self->errors.emit_message = emit;
  self->jpeg.client_data = self;
  if (setjmp (self->failed)) {
    damaged (self, error);
    jpeg_free (&self->parent);
    return NULL;
  }
  jpeg_create_decompress (&self->jpeg);
  self->progress.progress_monitor = watch_scans;
  self->jpeg.progress = &self->progress;
  jpeg_mem_src (&self->jpeg, data, length);
  jpeg_read_header (&self->jpeg, TRUE);
  if (!image_check_size (place, self->jpeg.image_width, self->jpeg.image_height, length, error)
      || !choose_output (self, info, error)) {
    jpeg_free (&self->parent);
    return NULL;
  }
  jpeg_start_decompress (&self->jpeg);
  if (info->is_cmyk)
    self->inks = g_malloc ((gsize)info->width * 4);
  return &self->parent;
}
