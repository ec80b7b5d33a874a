/* Facts of build and machine. */
#include "base/machine.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include <gnu/libc-version.h>

#include "framework-source.h"

#ifdef __clang__
#  define COMPILER "clang " __clang_version__
#else
#  define COMPILER "gcc " __VERSION__
#endif

const char *
lb_build_source (void)
{
  return LB_FRAMEWORK_SOURCE;
}

const char *
lb_build_compiler (void)
{
  return COMPILER;
}

const char *
lb_build_flags (void)
{
  return LB_BUILD_FLAGS;
}

/* The value of the first line "@label : value" of /proc/cpuinfo. */
static char *
processor_line (const char *label)
{
  g_autofree char *text = NULL;
  g_auto (GStrv) lines = NULL;
  if (g_file_get_contents ("/proc/cpuinfo", &text, NULL, NULL))
    lines = g_strsplit (text, "\n", 100);
  for (guint i = 0; lines != NULL && lines[i] != NULL; i++) {
    char *colon = strchr (lines[i], ':');
    if (colon == NULL)
      continue;
    *colon = '\0';
    if (strcmp (g_strstrip (lines[i]), label) == 0)
      return g_strdup (g_strstrip (colon + 1));
  }
  return g_strdup ("unknown");
}

char *
lb_machine_processor (void)
{
  return processor_line ("model name");
}

char *
lb_machine_features (void)
{
  static const char *const known[] = { "avx",  "avx2", "avx512bw", "avx512cd", "avx512dq", "avx512f", "avx512vl",
                                       "bmi1", "bmi2", "fma",      "sse4_1",   "sse4_2",   "ssse3",   NULL };
  g_autofree char *line = processor_line ("flags");
  g_auto (GStrv) flags = g_strsplit (line, " ", -1);
  g_autoptr (GString) found = g_string_new (NULL);
  for (guint i = 0; known[i] != NULL; i++)
    if (g_strv_contains ((const char *const *)flags, known[i]))
      g_string_append_printf (found, "%s%s", found->len > 0 ? " " : "", known[i]);
  return g_strdup (found->len > 0 ? found->str : "unknown");
}

char *
lb_machine_system (void)
{
  struct utsname names;
  if (uname (&names) != 0)
    return g_strdup ("unknown");
  return g_strdup_printf ("%s %s, %s", names.sysname, names.release, names.machine);
}

char *
lb_machine_libc (void)
{
  return g_strdup_printf ("glibc %s", gnu_get_libc_version ());
}
