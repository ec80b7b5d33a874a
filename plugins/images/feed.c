/* Reading images in whatever order is cheapest. */
#include "feed.h"

#include "decode.h"
#include "limbeck.h"

struct _ImageFeed {
  const char *path;
  const Listing *listing;
  LbUnpack *tar; /* NULL: a folder */
  guint given;
};

ImageFeed *
image_feed_new (const char *path, const Listing *listing, GError **error)
{
  g_autoptr (ImageFeed) feed = g_new0 (ImageFeed, 1);

  feed->path = path;
  feed->listing = listing;
  if (listing->is_tar && !(feed->tar = lb_unpack_open (path, LB_UNPACK_TAR, "a tar file of class folders", error)))
    return NULL;
  return g_steal_pointer (&feed);
}

void
image_feed_free (ImageFeed *feed)
{
  if (!feed)
    return;
  lb_unpack_free (feed->tar);
  g_free (feed);
}

static gboolean
next_of_folder (ImageFeed *feed, GBytes **bytes, guint *index, GError **error)
{
  if (feed->given == feed->listing->images->len)
    return TRUE;
  *index = feed->given++;
  const ListedImage *image = g_ptr_array_index (feed->listing->images, *index);
  g_autofree char *path = g_build_filename (feed->path, image->name, NULL);
  return lb_file_read (path, IMAGE_MAX_BYTES, bytes, error);
}

static gboolean
next_of_tar (ImageFeed *feed, GBytes **bytes, guint *index, GError **error)
{
  const LbUnpackMember *member;
  gpointer value;

  while (lb_unpack_next (feed->tar, &member, error)) {
    const char *name = member ? member->name : NULL;

    if (!member)
      return feed->given == feed->listing->images->len
             || lb_input_error (feed->path, error, "changed while it was read; run again");
    while (g_str_has_prefix (name, "./"))
      name += 2;
    if (!g_hash_table_lookup_extended (feed->listing->index, name, NULL, &value))
      continue;
    *index = GPOINTER_TO_UINT (value);
    feed->given++;
    return (*bytes = lb_unpack_read_member (feed->tar, IMAGE_MAX_BYTES, error)) != NULL;
  }
  return FALSE;
}

gboolean
image_feed_next (ImageFeed *feed, GBytes **bytes, guint *index, GError **error)
{
  *bytes = NULL;
  return (feed->tar ? next_of_tar : next_of_folder) (feed, bytes, index, error);
}
