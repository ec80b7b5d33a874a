/* What images there are in a folder of class folders, or in a tar file of one: [.../][SPLIT/]CLASS/FILE. Found by names
 * alone, in the same order from a folder and from a tar file of it. Errors are LB_ERROR_INPUT. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct {
  char *name;  /* path below the folder, or name of the member; as found, in any encoding */
  guint label; /* which of the classes */
} ListedImage;

typedef struct {
  gboolean is_tar;
  GPtrArray *classes; /* char*, names, by label */
  GArray *counts;     /* gint64, images by label */
  GPtrArray *images;  /* ListedImage*, by label, then by name (bytes) */
  GHashTable *index;  /* name -> index into images */
  gint64 others;      /* files beside the images that were passed over */
} Listing;

/* Which images of @path to list. */
typedef struct {
  const char *path;
  const char *split;          /* name of the folder above the class folders; "": there is one only */
  const char *const *classes; /* names of those to take, in the order of their labels; empty: all, sorted */
  gint64 first_classes;       /* only so many of the sorted ones; 0: all */
} ListingQuery;

Listing *listing_new (const ListingQuery *query, GError **error);
void listing_free (Listing *listing);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Listing, listing_free)

G_END_DECLS
