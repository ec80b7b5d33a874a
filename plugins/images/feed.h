/* The bytes of listed images, one file after the other: from a folder in the listing's order, from a tar file in its
 * own. */
#pragma once

#include "listing.h"

G_BEGIN_DECLS

typedef struct _ImageFeed ImageFeed;

/* @path and @listing must stay. */
ImageFeed *image_feed_new (const char *path, const Listing *listing, GError **error);
void image_feed_free (ImageFeed *feed);

/* The next image: its bytes and its index in the listing. *bytes is NULL when all were given; an image that is not
 * there any more is an error. */
gboolean image_feed_next (ImageFeed *feed, GBytes **bytes, guint *index, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ImageFeed, image_feed_free)

G_END_DECLS
