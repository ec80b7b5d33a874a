/* One target for libFuzzer; the build defines FUZZ_TARGET. */
#include <string.h>

#include "fuzz/targets.h"

int LLVMFuzzerTestOneInput (const guint8 *data, gsize length);

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize length)
{
  for (const FuzzTarget *target = fuzz_targets; target->name != NULL; target++)
    if (strcmp (target->name, FUZZ_TARGET) == 0)
      target->run (data, length);
  return 0;
}
