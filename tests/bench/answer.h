/* How the programs of tests/bench/compare are asked: each line on standard input holds a number of repetitions, each
 * answer is a line of the milliseconds they took. At the end of input the program prints the workload's value (so that
 * both sides are seen to compute the same), its peak memory in bytes and the floating-point operations of a repetition.
 */
#pragma once

#include <stdio.h>
#include <sys/resource.h>

#include "limbeck.h"

static guint answered; /* repetitions */

static inline void
answer_requests (void (*work) (gpointer), gpointer data)
{
  char line[32];

  while (fgets (line, sizeof line, stdin) != NULL) {
    for (gint64 n = g_ascii_strtoll (line, NULL, 10); n > 0; n--) {
      gint64 start = g_get_monotonic_time ();

      work (data);
      answered++;
      printf ("%.3f ", (g_get_monotonic_time () - start) / 1e3);
    }
    printf ("\n");
    fflush (stdout);
  }
}

/* @flops are those of all repetitions. */
static inline void
answer_end (double value, double flops)
{
  struct rusage usage;

  getrusage (RUSAGE_SELF, &usage);
  printf ("%.9g %ld %.0f\n%s\n", value, usage.ru_maxrss * 1024L, flops / MAX (answered, 1),
          lb_arithmetic_description ());
}
