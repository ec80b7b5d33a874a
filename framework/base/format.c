/* Numbers as people read them: three significant digits, and never one that rounds up to the next unit. */
#include "base/format.h"

#include <math.h>
#include <string.h>

static const char *
decimals_for (double value)
{
  return value < 9.995 ? "%.2f" : value < 99.95 ? "%.1f" : "%.0f";
}

/* @value in the first unit in which it stays below @step after rounding; the last unit takes whatever is left. */
static char *
in_units (double value, double step, const char *const *units, const char *suffix)
{
  char number[G_ASCII_DTOSTR_BUF_SIZE];
  guint unit = 0;

  for (; value >= step - 0.5 && units[unit + 1] != NULL; unit++)
    value /= step;
  gboolean whole = unit == 0 && value == floor (value);
  g_ascii_formatd (number, sizeof number, whole || value >= step - 0.5 ? "%.0f" : decimals_for (value), value);
  return g_strconcat (number, " ", units[unit], suffix, NULL);
}

char *
lb_format_bytes (guint64 bytes)
{
  static const char *const units[] = { "", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei", NULL };

  return in_units ((double)bytes, 1024, units, "B");
}

char *
lb_format_flops (double flops)
{
  static const char *const units[] = { "", "k", "M", "G", "T", "P", "E", "Z", "Y", NULL };

  if (!isfinite (flops) || flops < 0)
    return g_strdup ("? FLOP");
  return flops < 1e30 ? in_units (flops, 1000, units, "FLOP") : g_strdup_printf ("%.0e FLOP", flops);
}

char *
lb_format_seconds (double seconds)
{
  char number[G_ASCII_DTOSTR_BUF_SIZE];

  if (!(seconds >= 0 && seconds < 1e15))
    return g_strdup ("? s");
  if (seconds < 0.0995)
    return g_strdup_printf ("%d ms", (int)(seconds * 1000 + 0.5));
  if (seconds < 59.95)
    return g_strconcat (g_ascii_formatd (number, sizeof number, "%.1f", seconds), " s", NULL);
  guint64 whole = (guint64)(seconds + 0.5);
  if (whole < 3600)
    return g_strdup_printf ("%d min %02d s", (int)(whole / 60), (int)(whole % 60));
  guint64 minutes = (whole + 30) / 60;
  if (minutes < 24 * 60)
    return g_strdup_printf ("%d h %02d min", (int)(minutes / 60), (int)(minutes % 60));
  guint64 hours = (minutes + 30) / 60;
  return g_strdup_printf ("%" G_GUINT64_FORMAT " d %02d h", hours / 24, (int)(hours % 24));
}

char *
lb_format_count (guint64 count)
{
  g_autofree char *digits = g_strdup_printf ("%" G_GUINT64_FORMAT, count);
  GString *grouped = g_string_new (NULL);

  for (gsize i = 0; digits[i] != '\0'; i++) {
    g_string_append_c (grouped, digits[i]);
    gsize left = 0;
    while (digits[i + 1 + left] != '\0')
      left++;
    if (left > 0 && left % 3 == 0)
      g_string_append_c (grouped, ',');
  }
  return g_string_free (grouped, FALSE);
}

char *
lb_format_number (double value)
{
  char text[G_ASCII_DTOSTR_BUF_SIZE];

  for (int digits = 1; digits <= 17; digits++) {
    char format[8];
    g_snprintf (format, sizeof format, "%%.%dg", digits);
    g_ascii_formatd (text, sizeof text, format, value);
    if (g_ascii_strtod (text, NULL) == value)
      break;
  }
  return g_strdup (text);
}

/* The end of the string that opens at @text; of the text, when it does not close. */
static const char *
skip_string (const char *text)
{
  for (text++; *text != '\0' && *text != '"'; text++)
    if (*text == '\\' && text[1] != '\0')
      text++;
  return text + (*text == '"');
}

static gboolean
in_whole_number (char c)
{
  return g_ascii_isdigit (c) || c == '-';
}

/* One pass, character by character: a sanitizer that checks whole strings makes strspn() a walk to the end of them. */
char *
lb_format_json (const char *text)
{
  GString *out = g_string_new (NULL);

  while (*text != '\0') {
    const char *start = text;
    while (*text != '\0' && *text != '"' && !in_whole_number (*text))
      text++;
    g_string_append_len (out, start, text - start);
    start = text;
    /* Whole numbers may have more digits than a double. */
    gboolean as_it_is = TRUE;
    if (*text == '"')
      text = skip_string (text);
    else
      for (; in_whole_number (*text) || *text == '+' || *text == '.' || (*text | 0x20) == 'e'; text++)
        as_it_is = as_it_is && in_whole_number (*text);
    if (as_it_is) {
      g_string_append_len (out, start, text - start);
    } else {
      double value = g_ascii_strtod (start, NULL);
      gboolean whole = value == floor (value) && fabs (value) < 1e15;
      g_autofree char *number = whole ? g_strdup_printf ("%.0f", value) : lb_format_number (value);
      g_string_append (out, number);
      g_string_append (out, strpbrk (number, ".e") == NULL ? ".0" : "");
    }
  }
  return g_string_free (out, FALSE);
}
