/* Opening one plugin file.
 *
 * The dynamic linker trusts what it maps, and a file that was cut off makes it crash, so the ELF headers are checked
 * before it sees the file. Symbols are bound at once: a plugin that lacks one is refused here and not in the middle of
 * a run.
 */
#include "plugin/loader.h"

#include <fenv.h>
#include <elf.h>
#include <errno.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "plugin/crash.h"

#define DESCRIPTOR_SYMBOL "limbeck_plugin"

typedef ElfW (Ehdr) Header;
typedef ElfW (Phdr) Segment;

/* Always FALSE: a sentence that begins "plugin 'PATH' ". */
static gboolean G_GNUC_PRINTF (3, 4) refuse (const char *path, GError **error, const char *format, ...)
{
  va_list arguments;

  va_start (arguments, format);
  g_autofree char *text = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  g_set_error (error, LB_ERROR, LB_ERROR_PLUGIN, "plugin '%s' %s", path, text);
  return FALSE;
}

/* ---- Before the dynamic linker ---- */

/* The machine this process was built for. */
static guint
own_machine (void)
{
  Header header = { 0 };
  FILE *file = fopen ("/proc/self/exe", "rbe");

  if (file == NULL)
    return EM_NONE;
  if (fread (&header, sizeof header, 1, file) != 1)
    header.e_machine = EM_NONE;
  fclose (file);
  return header.e_machine;
}

/* Checks what the file says it is. */
static gboolean
check_header (const char *path, const Header *header, gsize length, GError **error)
{
  guint own_class = sizeof (gpointer) == 8 ? ELFCLASS64 : ELFCLASS32, machine = own_machine ();

  if (length < SELFMAG || memcmp (header->e_ident, ELFMAG, SELFMAG) != 0)
    return refuse (path, error,
                   "is not a shared object (no ELF header); remove it from the plugin path or build it again");
  if (length >= EI_NIDENT && header->e_ident[EI_CLASS] != own_class)
    return refuse (path, error,
                   "was built for another word size (ELF class %u, this limbeck has %u); build it for this "
                   "machine",
                   header->e_ident[EI_CLASS], own_class);
  if (length < sizeof *header)
    return refuse (path, error, "is cut off inside its header; copy or build it again");
  if (machine != EM_NONE && header->e_machine != machine)
    return refuse (path, error,
                   "was built for another kind of processor (ELF machine %u, this one is %u); build it for this "
                   "machine",
                   header->e_machine, machine);
  if (header->e_type != ET_DYN || header->e_phentsize != sizeof (Segment))
    return refuse (path, error, "is an ELF file but not a shared object (type %u); build it with -shared",
                   header->e_type);
  return TRUE;
}

/* Checks that the file is as long as its headers say. */
static gboolean
check_segments (const char *path, FILE *file, const Header *header, guint64 size, GError **error)
{
  guint64 needed = header->e_phoff + (guint64)header->e_phnum * sizeof (Segment);

  if (header->e_phoff <= size && needed <= size) {
    if (fseek (file, (long)header->e_phoff, SEEK_SET) != 0)
      needed = G_MAXUINT64;
    for (guint i = 0; i < header->e_phnum && needed <= size; i++) {
      Segment segment;
      if (fread (&segment, sizeof segment, 1, file) != 1 || segment.p_offset > size)
        needed = G_MAXUINT64;
      else
        needed = MAX (needed, segment.p_offset + MIN (segment.p_filesz, G_MAXINT64));
    }
  }
  if (needed <= size)
    return TRUE;
  return refuse (path, error,
                 "is cut off (%" G_GUINT64_FORMAT " bytes are fewer than its headers say); copy or build it again",
                 size);
}

static gboolean
check_file (const char *path, GError **error)
{
  Header header = { 0 };
  FILE *file;
  struct stat status;

  /* Opening a pipe would wait for a writer. */
  if (stat (path, &status) == 0 && !S_ISREG (status.st_mode))
    return refuse (path, error, "is not a file; remove it from the plugin path");
  file = fopen (path, "rbe");
  if (file == NULL)
    return refuse (path, error, "cannot be opened: %s; correct the plugin path or the file's permissions",
                   strerror (errno));
  gsize length = fread (&header, 1, sizeof header, file);
  gboolean good = check_header (path, &header, length, error);
  if (good && fseek (file, 0, SEEK_END) == 0)
    good = check_segments (path, file, &header, (guint64)ftell (file), error);
  fclose (file);
  return good;
}

/* ---- Behind the dynamic linker ---- */

/* Says in our words what the dynamic linker said in its own; unknown words are passed on. */
static void
refuse_link (const char *path, const char *said, GError **error)
{
  static const char undefined[] = "undefined symbol: ", library[] = ": cannot open shared object file";
  const char *symbol = strstr (said, undefined), *missing = strstr (said, library);

  if (symbol != NULL) {
    symbol += strlen (undefined);
    refuse (path, error,
            "needs the symbol '%.*s', which neither limbeck " LB_VERSION
            " nor the plugin's libraries have; build it again "
            "against this limbeck, or link it with the library that has the symbol",
            (int)strcspn (symbol, " ,("), symbol);
  } else if (missing != NULL && missing > said) {
    refuse (path, error, "needs the library '%.*s', which is not installed; install it", (int)(missing - said), said);
  } else {
    refuse (path, error, "cannot be loaded: %s; build it again on this machine", said);
  }
}

static gboolean
check_version (const char *path, const LbPlugin *plugin, GError **error)
{
  const char *remedy = NULL;

  if (plugin->interface_major > LB_INTERFACE_MAJOR
      || (plugin->interface_major == LB_INTERFACE_MAJOR && plugin->interface_minor > LB_INTERFACE_MINOR))
    remedy = "update limbeck, or build the plugin against this limbeck";
  else if (plugin->interface_major < LB_INTERFACE_MAJOR)
    remedy = "take a newer release of the plugin, or build it against this limbeck";
  if (remedy == NULL)
    return TRUE;
  return refuse (path, error,
                 "was built for plugin interface %u.%u, but this limbeck (" LB_VERSION ") has interface %d.%d; %s",
                 plugin->interface_major, plugin->interface_minor, LB_INTERFACE_MAJOR, LB_INTERFACE_MINOR, remedy);
}

static gboolean
is_empty (const char *text)
{
  return text == NULL || *text == '\0';
}

/* Bytes of a descriptor of this minor version of the interface: new members stand at the end. */
static gsize
descriptor_size (guint minor)
{
  static const gsize sizes[] = { G_STRUCT_OFFSET (LbPlugin, load), G_STRUCT_OFFSET (LbPlugin, source) };
  return minor < G_N_ELEMENTS (sizes) ? sizes[minor] : sizeof (LbPlugin);
}

LbPluginLoad
lb_plugin_load_function (const LbPlugin *plugin)
{
  return plugin->interface_minor == 0 ? NULL : plugin->load;
}

static gboolean
check_descriptor (const char *path, const LbPlugin *plugin, GError **error)
{
  if (plugin->magic != LB_PLUGIN_MAGIC)
    return refuse (path, error,
                   "exports '" DESCRIPTOR_SYMBOL "', but not as Limbeck's descriptor (magic 0x%08x, expected "
                   "0x%08x); end the plugin with LB_DEFINE_PLUGIN (...)",
                   plugin->magic, LB_PLUGIN_MAGIC);
  if (!check_version (path, plugin, error))
    return FALSE;
  if (plugin->struct_size != descriptor_size (plugin->interface_minor))
    return refuse (path, error,
                   "has a descriptor of %u bytes where interface %d.%d has %" G_GSIZE_FORMAT
                   "; build it again against this limbeck",
                   plugin->struct_size, LB_INTERFACE_MAJOR, plugin->interface_minor,
                   descriptor_size (plugin->interface_minor));
  if (is_empty (plugin->name) || is_empty (plugin->version) || is_empty (plugin->licence))
    return refuse (path, error, "has no %s in its descriptor; give one to LB_DEFINE_PLUGIN (...)",
                   is_empty (plugin->name)      ? "name"
                   : is_empty (plugin->version) ? "version"
                                                : "licence");
  if ((plugin->stages == NULL || plugin->stages[0] == NULL) && lb_plugin_load_function (plugin) == NULL)
    return refuse (path, error, "has no stage types; name at least one in LB_DEFINE_PLUGIN (...)");
  return TRUE;
}

const LbPlugin *
lb_plugin_open (const char *path, GModule **module, GError **error)
{
  const LbPlugin *plugin = NULL;

  *module = NULL;
  if (!check_file (path, error))
    return NULL;

  /* A module linked with -ffast-math would set this thread, and those it makes, to flush subnormal numbers. */
  fenv_t before;
  fegetenv (&before);
  lb_crash_enter (path, NULL, NULL);
  GModule *opened = g_module_open (path, G_MODULE_BIND_LOCAL);
  lb_crash_leave ();
  fesetenv (&before);
  if (opened == NULL) {
    refuse_link (path, g_module_error (), error);
    return NULL;
  }
  if (!g_module_symbol (opened, DESCRIPTOR_SYMBOL, (gpointer *)&plugin) || plugin == NULL)
    refuse (path, error,
            "does not export '" DESCRIPTOR_SYMBOL "'; end the plugin with LB_DEFINE_PLUGIN (...), or keep other "
            "shared objects off the plugin path");
  else if (check_descriptor (path, plugin, error)) {
    *module = opened;
    return plugin;
  }
  g_module_close (opened);
  return NULL;
}
