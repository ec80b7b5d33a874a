/* Names first: every file of a folder or member of a tar file; then what they mean: classes and images. */
#include "listing.h"

#include "limbeck.h"

#include <string.h>

#define MAX_FILES 50000000u
#define MAX_DEPTH 32

/* One file or folder. */
typedef struct {
  char *name;
  gboolean is_folder, is_file;
} Found;

typedef struct {
  const ListingQuery *query;
  GPtrArray *found;   /* Found */
  GHashTable *labels; /* class name -> label + 1 */
  char *base;         /* folder of the class folders, "a/b/" */
  Listing *listing;
} Maker;

static void
found_free (gpointer data)
{
  Found *found = data;

  g_free (found->name);
  g_free (found);
}

static void
listed_image_free (gpointer data)
{
  ListedImage *image = data;

  g_free (image->name);
  g_free (image);
}

static gboolean
add_found (Maker *maker, const char *name, gboolean is_folder, gboolean is_file, GError **error)
{
  Found *found;

  if (maker->found->len == MAX_FILES)
    return lb_input_error (maker->query->path, error, "has more than %u files; split it", MAX_FILES);
  while (g_str_has_prefix (name, "./"))
    name += 2;
  found = g_new0 (Found, 1);
  found->name = g_strdup (name);
  found->is_folder = is_folder;
  found->is_file = is_file;
  if (is_folder && g_str_has_suffix (name, "/"))
    found->name[strlen (name) - 1] = '\0';
  g_ptr_array_add (maker->found, found);
  return TRUE;
}

/* ---- Names ---- */

static gboolean
walk_folder (Maker *maker, const char *below, guint depth, GError **error)
{
  g_autofree char *path = g_build_filename (maker->query->path, below, NULL), *printable = lb_unpack_printable (path);
  g_autoptr (GError) reason = NULL;
  g_autoptr (GDir) folder = g_dir_open (path, 0, &reason);
  const char *entry;

  if (!folder)
    return lb_input_error (printable, error, "cannot be read: %s; check the path", reason->message);
  if (depth > MAX_DEPTH)
    return lb_input_error (printable, error, "is %u folders deep; expected class folders with images", depth);
  while ((entry = g_dir_read_name (folder))) {
    g_autofree char *name = below[0] ? g_strconcat (below, "/", entry, NULL) : g_strdup (entry);
    g_autofree char *full = g_build_filename (maker->query->path, name, NULL);
    gboolean is_folder = g_file_test (full, G_FILE_TEST_IS_DIR);

    if (!add_found (maker, name, is_folder, g_file_test (full, G_FILE_TEST_IS_REGULAR), error)
        || (is_folder && !walk_folder (maker, name, depth + 1, error)))
      return FALSE;
  }
  return TRUE;
}

static gboolean
walk_tar (Maker *maker, GError **error)
{
  g_autoptr (LbUnpack) tar
      = lb_unpack_open (maker->query->path, LB_UNPACK_TAR, "a folder, or a tar file, of class folders", error);
  const LbUnpackMember *member = NULL;

  if (!tar)
    return FALSE;
  do {
    if (!lb_unpack_next (tar, &member, error)
        || (member && !add_found (maker, member->name, member->is_folder, member->is_file, error)))
      return FALSE;
  } while (member);
  return TRUE;
}

static int
compare_found (gconstpointer a, gconstpointer b)
{
  return strcmp ((*(Found *const *)a)->name, (*(Found *const *)b)->name);
}

/* ---- What they mean ---- */

static gboolean
is_image_name (const char *name)
{
  static const char *const endings[] = { ".png", ".jpg", ".jpeg" };
  const char *slash = strrchr (name, '/'), *file = slash ? slash + 1 : name;
  gsize length = strlen (file);

  /* "._x.jpg" is what other systems leave beside x.jpg. */
  for (guint i = 0; i < G_N_ELEMENTS (endings) && file[0] != '.'; i++) {
    gsize n = strlen (endings[i]);

    if (length > n && g_ascii_strcasecmp (file + length - n, endings[i]) == 0)
      return TRUE;
  }
  return FALSE;
}

/* The length of the part of @name before "CLASS/FILE"; -1 when there is no such part, as there are too few folders. */
static gssize
base_length (const char *name)
{
  const char *file = strrchr (name, '/');
  gssize at = file ? file - name : 0;

  if (!file)
    return -1;
  while (at > 0 && name[at - 1] != '/')
    at--;
  return at;
}

/* The length of the part of @name up to and including the folder of the split; -1 when it is not in there. */
static gssize
split_length (const char *name, const char *split)
{
  gsize length = strlen (split);

  for (const char *part = name; part; part = strchr (part, '/') ? strchr (part, '/') + 1 : NULL)
    if (strncmp (part, split, length) == 0 && (part[length] == '/' || part[length] == '\0'))
      return part + length - name + (part[length] == '/');
  return -1;
}

static gboolean
two_bases (Maker *maker, const char *other, gssize length, GError **error)
{
  g_autofree char *base = lb_unpack_printable (maker->base), *cut = g_strndup (other, (gsize)length);
  g_autofree char *printable = lb_unpack_printable (cut);

  return lb_input_error (maker->query->path, error,
                         "has class folders in '%s' and in '%s'; expected them in one folder%s", base, printable,
                         maker->query->split[0] ? "" : ", so name one of the two with 'split' (such as train)");
}

/* Finds the folder of the class folders: that of all images, or that of the split. */
static gboolean
find_base (Maker *maker, GError **error)
{
  const char *split = maker->query->split;

  for (guint i = 0; i < maker->found->len; i++) {
    const Found *found = g_ptr_array_index (maker->found, i);
    gssize length;

    if (!is_image_name (found->name) || found->is_folder)
      continue;
    length = split[0] ? split_length (found->name, split) : base_length (found->name);
    if (length < 0)
      continue;
    if (!maker->base)
      maker->base = g_strndup (found->name, (gsize)length);
    else if (strncmp (maker->base, found->name, (gsize)length) != 0 || strlen (maker->base) != (gsize)length)
      return two_bases (maker, found->name, length, error);
  }
  if (maker->base)
    return TRUE;
  return lb_input_error (
      maker->query->path, error,
      "has no images (.png, .jpg, .jpeg) in class folders%s%s%s; expected %sCLASS/FILE, so check the "
      "path%s",
      split[0] ? " below '" : "", split, split[0] ? "'" : "", split[0] ? "SPLIT/" : "", split[0] ? " and 'split'" : "");
}

/* The part of @name below the base; NULL when it is elsewhere. */
static const char *
below_base (const Maker *maker, const char *name)
{
  return g_str_has_prefix (name, maker->base) && name[strlen (maker->base)] ? name + strlen (maker->base) : NULL;
}

static int
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (*(char *const *)a, *(char *const *)b);
}

/* Names of all class folders, sorted; those that hold no file are found by their folder. */
static GPtrArray *
find_classes (Maker *maker)
{
  GPtrArray *names = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GHashTable) known = g_hash_table_new (g_str_hash, g_str_equal);

  for (guint i = 0; i < maker->found->len; i++) {
    const Found *found = g_ptr_array_index (maker->found, i);
    const char *below = below_base (maker, found->name), *slash = below ? strchr (below, '/') : NULL;
    g_autofree char *name = NULL;

    if (!below || below[0] == '.' || (!slash && !found->is_folder))
      continue;
    name = slash ? g_strndup (below, (gsize)(slash - below)) : g_strdup (below);
    if (g_hash_table_contains (known, name))
      continue;
    g_hash_table_add (known, name);
    g_ptr_array_add (names, g_steal_pointer (&name));
  }
  /* Names sort as whole paths do not: '-' comes before '/'. */
  g_ptr_array_sort (names, compare_names);
  return names;
}

/* Which of @all are taken, and their labels. */
static gboolean
choose_classes (Maker *maker, GPtrArray *all, GError **error)
{
  const ListingQuery *query = maker->query;
  gsize asked = g_strv_length ((char **)query->classes);
  const gint64 none = 0;

  for (gsize i = 0; i < (asked ? asked : all->len); i++) {
    const char *name = asked ? query->classes[i] : g_ptr_array_index (all, i);

    if (asked && !g_ptr_array_find_with_equal_func (all, name, g_str_equal, NULL)) {
      g_autofree char *printable = all->len ? lb_unpack_printable (g_ptr_array_index (all, 0)) : g_strdup ("");
      return lb_input_error (query->path, error,
                             "has no class folder '%s', which 'classes' names; it has %u, the first "
                             "is '%s'",
                             name, all->len, printable);
    }
    if (!asked && query->first_classes && i >= (gsize)query->first_classes)
      break;
    if (g_hash_table_contains (maker->labels, name))
      return lb_input_error (query->path, error, "'classes' names '%s' twice; name it once", name);
    g_ptr_array_add (maker->listing->classes, g_strdup (name));
    g_array_append_val (maker->listing->counts, none);
    g_hash_table_insert (maker->labels, g_ptr_array_index (maker->listing->classes, i),
                         GUINT_TO_POINTER ((guint)i + 1));
  }
  if (maker->listing->classes->len < (guint)query->first_classes)
    return lb_input_error (query->path, error,
                           "has %u class folders, fewer than 'first-classes' asks for; ask for fewer",
                           maker->listing->classes->len);
  return TRUE;
}

/* Adds @found if it is an image of one of the classes. */
static gboolean
add_image (Maker *maker, const Found *found, GError **error)
{
  const char *below = below_base (maker, found->name), *slash = below ? strchr (below, '/') : NULL;
  g_autofree char *class = slash ? g_strndup (below, (gsize)(slash - below)) : NULL;
  guint label = class ? GPOINTER_TO_UINT (g_hash_table_lookup (maker->labels, class)) : 0;
  g_autofree char *printable = lb_unpack_printable (found->name);

  if (!label || found->is_folder)
    return TRUE;
  if (!is_image_name (found->name)) {
    maker->listing->others++;
    return TRUE;
  }
  if (strchr (slash + 1, '/'))
    return lb_input_error (maker->query->path, error,
                           "has the image '%s' in a folder inside a class folder; expected CLASS/FILE", printable);
  if (!found->is_file)
    return lb_input_error (maker->query->path, error,
                           "'%s' is a link or a device; expected a regular file, so put a copy in its place",
                           printable);
  if (g_hash_table_contains (maker->listing->index, found->name))
    return lb_input_error (maker->query->path, error, "has two files '%s'; remove one", printable);
  ListedImage *image = g_new (ListedImage, 1);
  image->name = g_strdup (found->name);
  image->label = label - 1;
  g_ptr_array_add (maker->listing->images, image);
  g_hash_table_add (maker->listing->index, image->name);
  g_array_index (maker->listing->counts, gint64, image->label)++;
  return TRUE;
}

static int
compare_images (gconstpointer a, gconstpointer b)
{
  const ListedImage *first = *(ListedImage *const *)a, *second = *(ListedImage *const *)b;

  return first->label != second->label ? (first->label < second->label ? -1 : 1) : strcmp (first->name, second->name);
}

static gboolean
add_images (Maker *maker, GError **error)
{
  Listing *listing = maker->listing;

  for (guint i = 0; i < maker->found->len; i++)
    if (!add_image (maker, g_ptr_array_index (maker->found, i), error))
      return FALSE;
  for (guint k = 0; k < listing->classes->len; k++)
    if (g_array_index (listing->counts, gint64, k) == 0) {
      g_autofree char *printable = lb_unpack_printable (g_ptr_array_index (listing->classes, k));
      return lb_input_error (maker->query->path, error,
                             "class folder '%s' has no images; remove it, or leave it out of 'classes'", printable);
    }
  g_ptr_array_sort (listing->images, compare_images);
  for (guint i = 0; i < listing->images->len; i++) {
    ListedImage *image = g_ptr_array_index (listing->images, i);
    g_hash_table_replace (listing->index, image->name, GUINT_TO_POINTER (i));
  }
  return TRUE;
}

static gboolean
make (Maker *maker, GError **error)
{
  g_autoptr (GPtrArray) all = NULL;

  maker->listing->is_tar = !g_file_test (maker->query->path, G_FILE_TEST_IS_DIR);
  if (!(maker->listing->is_tar ? walk_tar (maker, error) : walk_folder (maker, "", 0, error)))
    return FALSE;
  /* So that messages do not depend on the order of a folder's entries. */
  g_ptr_array_sort (maker->found, compare_found);
  if (!find_base (maker, error))
    return FALSE;
  all = find_classes (maker);
  return choose_classes (maker, all, error) && add_images (maker, error);
}

Listing *
listing_new (const ListingQuery *query, GError **error)
{
  g_autoptr (Listing) listing = g_new0 (Listing, 1);
  Maker maker = { .query = query, .listing = listing };
  gboolean good;

  listing->classes = g_ptr_array_new_with_free_func (g_free);
  listing->counts = g_array_new (FALSE, FALSE, sizeof (gint64));
  listing->images = g_ptr_array_new_with_free_func (listed_image_free);
  listing->index = g_hash_table_new (g_str_hash, g_str_equal);
  maker.found = g_ptr_array_new_with_free_func (found_free);
  maker.labels = g_hash_table_new (g_str_hash, g_str_equal);
  good = make (&maker, error);
  g_hash_table_unref (maker.labels);
  g_ptr_array_unref (maker.found);
  g_free (maker.base);
  return good ? g_steal_pointer (&listing) : NULL;
}

void
listing_free (Listing *listing)
{
  if (!listing)
    return;
  g_hash_table_unref (listing->index);
  g_ptr_array_unref (listing->images);
  g_array_unref (listing->counts);
  g_ptr_array_unref (listing->classes);
  g_free (listing);
}
