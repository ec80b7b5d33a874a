/* Writing of HTML. */
#include "report.h"

void
html_printf (GString *page, const char *format, ...)
{
  va_list arguments;

  va_start (arguments, format);
  g_autofree char *text = g_markup_vprintf_escaped (format, arguments);
  va_end (arguments);
  g_string_append (page, text);
}

void
html_data_uri (GString *page, const char *type, gconstpointer data, gsize length)
{
  g_autofree char *base64 = g_base64_encode (data, length);

  g_string_append_printf (page, "data:%s;base64,%s", type, base64);
}
