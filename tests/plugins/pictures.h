/* Pictures for tests: made in memory with libpng and libjpeg, put into folders and tar files. */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <archive.h>
#include <archive_entry.h>
#include <jpeglib.h>
#include <png.h>

#include "plugins/harness.h"

/* Value of channel @k of pixel (x, y) of picture @seed: smooth, different in all of them. */
static inline guint8
picture_value (guint seed, gint64 x, gint64 y, guint k)
{
  return (guint8)((seed * 53 + (guint)x * 7 + (guint)y * 11 + k * 80 + (guint)(x * y) / 3) & 255);
}

static inline void
append_png (png_structp png, png_bytep data, size_t length)
{
  g_byte_array_append (png_get_io_ptr (png), data, (guint)length);
}

static inline void
flush_nothing (png_structp png)
{
}

typedef struct {
  int colour; /* PNG_COLOR_TYPE_... */
  int depth;
  int interlace;
} PngKind;

/* A PNG file of picture @seed. Grey and alpha are channels 0 and the last. */
static inline GByteArray *
make_png (guint seed, gint64 width, gint64 height, PngKind kind)
{
  GByteArray *bytes = g_byte_array_new ();
  png_structp png = png_create_write_struct (PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
  png_infop info = png_create_info_struct (png);
  guint channels = (kind.colour & PNG_COLOR_MASK_COLOR ? 3 : 1) + (kind.colour & PNG_COLOR_MASK_ALPHA ? 1 : 0);
  g_autofree guint8 *row = g_malloc0 ((gsize)width * channels * 2);

  png_set_write_fn (png, bytes, append_png, flush_nothing);
  png_set_IHDR (png, info, (png_uint_32)width, (png_uint_32)height, kind.depth, kind.colour, kind.interlace,
                PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  png_write_info (png, info);
  for (int pass = png_set_interlace_handling (png); pass > 0; pass--)
    for (gint64 y = 0; y < height; y++) {
      for (gint64 x = 0; x < width; x++)
        for (guint k = 0; k < channels; k++)
          row[(x * channels + k) * (kind.depth / 8)] = picture_value (seed, x, y, k);
      png_write_row (png, row);
    }
  png_write_end (png, info);
  png_destroy_write_struct (&png, &info);
  return bytes;
}

static const PngKind rgb_png = { PNG_COLOR_TYPE_RGB, 8, PNG_INTERLACE_NONE };
static const PngKind grey_png = { PNG_COLOR_TYPE_GRAY, 8, PNG_INTERLACE_NONE };

/* A JPEG file of picture @seed, of 1 (grey), 3 (colour) or 4 (inks) channels; progressive: with a DC scan and one of AC
 * for each channel. */
static inline GByteArray *
make_jpeg (guint seed, gint64 width, gint64 height, int channels, gboolean progressive)
{
  static const jpeg_scan_info scans[] = { { 1, { 0 }, 0, 0, 0, 0 }, { 1, { 0 }, 1, 63, 0, 0 } };
  struct jpeg_compress_struct jpeg = { 0 };
  struct jpeg_error_mgr errors;
  unsigned char *data = NULL;
  unsigned long length = 0;
  g_autofree guint8 *row = g_malloc ((gsize)width * (gsize)channels);
  JSAMPROW rows[] = { row };

  jpeg.err = jpeg_std_error (&errors);
  jpeg_create_compress (&jpeg);
  jpeg_mem_dest (&jpeg, &data, &length);
  jpeg.image_width = (JDIMENSION)width;
  jpeg.image_height = (JDIMENSION)height;
  jpeg.input_components = channels;
  jpeg.in_color_space = channels == 1 ? JCS_GRAYSCALE : channels == 3 ? JCS_RGB : JCS_CMYK;
  jpeg_set_defaults (&jpeg);
  jpeg_set_quality (&jpeg, 98, TRUE);
  if (progressive && channels == 1) {
    jpeg.scan_info = scans;
    jpeg.num_scans = 2;
  }
  jpeg.write_Adobe_marker = channels == 4;
  jpeg_start_compress (&jpeg, TRUE);
  for (gint64 y = 0; y < height; y++) {
    for (gint64 i = 0; i < width * channels; i++)
      row[i] = channels == 4 ? (guint8)(i % 4 == 3 ? 255 : i % 4 * 80 + 40)
                             : (guint8)((guint)picture_value (seed, 0, 0, (guint)(i % channels)) / 2 + (guint)(2 * y));
    jpeg_write_scanlines (&jpeg, rows, 1);
  }
  jpeg_finish_compress (&jpeg);
  jpeg_destroy_compress (&jpeg);
  GByteArray *bytes = g_byte_array_append (g_byte_array_new (), data, (guint)length);
  free (data);
  return bytes;
}

/* ---- Folders of files ---- */

typedef struct {
  char *directory;
} Tree;

static inline void
tree_set_up (Tree *tree, gconstpointer data)
{
  tree->directory = g_dir_make_tmp ("limbeck-images-XXXXXX", NULL);
}

static inline void
tree_tear_down (Tree *tree, gconstpointer data)
{
  remove_all (tree->directory);
  g_free (tree->directory);
}

/* Writes @bytes as @name below the folder. */
static inline void
tree_put_bytes (Tree *tree, const char *name, gconstpointer data, gsize length)
{
  g_autofree char *path = g_build_filename (tree->directory, name, NULL), *folder = g_path_get_dirname (path);
  FILE *file;

  g_assert_cmpint (g_mkdir_with_parents (folder, 0777), ==, 0);
  file = g_fopen (path, "w");
  g_assert_cmpuint (fwrite (data, 1, length, file), ==, length);
  g_assert_cmpint (fclose (file), ==, 0);
}

/* The same, and frees them. */
static inline void
tree_put (Tree *tree, const char *name, GByteArray *bytes)
{
  tree_put_bytes (tree, name, bytes->data, bytes->len);
  g_byte_array_unref (bytes);
}

typedef struct {
  const char *name;
  const char *file;   /* of the tree; NULL: a folder, or a link */
  const char *target; /* of a link; NULL: a folder */
} TarMember;

/* Writes files of the tree, in this order, as the tar file @name in it. @filter as libarchive calls it, or NULL. */
static inline char *
tree_make_tar (Tree *tree, const char *name, const char *filter, const TarMember *members, guint n_members)
{
  char *path = g_build_filename (tree->directory, name, NULL);
  struct archive *tar = archive_write_new ();

  archive_write_set_format_ustar (tar);
  if (filter)
    archive_write_add_filter_by_name (tar, filter);
  archive_write_set_bytes_in_last_block (tar, 1);
  g_assert_cmpint (archive_write_open_filename (tar, path), ==, ARCHIVE_OK);
  for (guint i = 0; i < n_members; i++) {
    struct archive_entry *entry = archive_entry_new ();
    g_autofree char *from = members[i].file ? g_build_filename (tree->directory, members[i].file, NULL) : NULL;
    g_autofree char *bytes = NULL;
    gsize length = 0;

    if (from)
      g_assert_true (g_file_get_contents (from, &bytes, &length, NULL));
    archive_entry_set_pathname (entry, members[i].name);
    archive_entry_set_filetype (entry, from ? AE_IFREG : members[i].target ? AE_IFLNK : AE_IFDIR);
    if (members[i].target)
      archive_entry_set_symlink (entry, members[i].target);
    archive_entry_set_perm (entry, 0755);
    archive_entry_set_size (entry, (la_int64_t)length);
    g_assert_cmpint (archive_write_header (tar, entry), ==, ARCHIVE_OK);
    if (length)
      g_assert_cmpint (archive_write_data (tar, bytes, length), ==, length);
    archive_entry_free (entry);
  }
  g_assert_cmpint (archive_write_free (tar), ==, ARCHIVE_OK);
  return path;
}

/* An image-folder stage on @path; NULL: the tree. */
static inline LbHarness *
image_folder (Tree *tree, const char *path)
{
  LbHarness *h = lb_harness_new ("image-folder");

  lb_harness_set (h, "path", path ? path : tree->directory);
  lb_harness_set (h, "normalisation", "imagenet");
  return h;
}
