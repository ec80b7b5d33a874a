/* The like of bench-packets in GStreamer: empty buffers through appsrc ! queue ! appsink.
 *
 *   bench-packets-gst BUFFERS
 *
 * The program's thread makes the buffers, another takes them from the sink; between them run the threads of appsrc and
 * of queue. Prints the seconds between the first buffer made and the last one dropped.
 */
#include <stdio.h>

#include <gst/app/gstappsink.h>
#include <gst/app/gstappsrc.h>

static gint64 n_buffers, n_dropped, ended;

static gpointer
drop (gpointer sink)
{
  for (GstSample *sample; (sample = gst_app_sink_pull_sample (sink)) != NULL; gst_sample_unref (sample))
    n_dropped++;
  ended = g_get_monotonic_time ();
  return NULL;
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  if (argc != 2 || (n_buffers = g_ascii_strtoll (argv[1], NULL, 10)) <= 0) {
    fputs ("usage: bench-packets-gst BUFFERS\n", stderr);
    return 2;
  }
  gst_init (NULL, NULL);
  g_autoptr (GstElement) pipeline
      = gst_parse_launch ("appsrc name=source block=true max-buffers=4096 max-bytes=0 max-time=0 format=time "
                          "! queue max-size-buffers=4096 max-size-bytes=0 max-size-time=0 "
                          "! appsink name=sink sync=false max-buffers=4096",
                          &error);
  if (error != NULL) {
    fprintf (stderr, "bench-packets-gst: %s\n", error->message);
    return 1;
  }
  g_autoptr (GstElement) source = gst_bin_get_by_name (GST_BIN (pipeline), "source");
  g_autoptr (GstElement) sink = gst_bin_get_by_name (GST_BIN (pipeline), "sink");
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  GThread *reader = g_thread_new ("drop", drop, sink);
  gint64 began = g_get_monotonic_time ();
  for (gint64 i = 0; i < n_buffers; i++)
    gst_app_src_push_buffer (GST_APP_SRC (source), gst_buffer_new ());
  gst_app_src_end_of_stream (GST_APP_SRC (source));
  g_thread_join (reader);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  if (n_dropped != n_buffers) {
    fputs ("bench-packets-gst: buffers were lost\n", stderr);
    return 1;
  }
  printf ("%.6f\n", (double)(ended - began) / G_USEC_PER_SEC);
  return 0;
}
