/* Sine and cosine in plain IEEE double operations. */
#include "base/angle.h"

#include <math.h>

/* Of a quarter turn times @x, for |x| <= 1/2, as power series. */
static void
series (double x, double *sine, double *cosine)
{
  double angle = x * 1.57079632679489661923, square = angle * angle, s = 0, c = 0;

  for (int k = 18; k >= 2; k -= 2) {
    s = (s + 1) * -square / (k * (k + 1));
    c = (c + 1) * -square / (k * (k - 1));
  }
  *sine = angle + angle * s;
  *cosine = 1 + c;
}

void
lb_sine_cosine (double quarters, double *sine, double *cosine)
{
  double nearest = floor (quarters + 0.5), s, c;
  unsigned turn = (unsigned)(long long)nearest & 3;

  series (quarters - nearest, &s, &c);
  *sine = turn & 1 ? c : s;
  *cosine = turn & 1 ? -s : c;
  if (turn & 2) {
    *sine = -*sine;
    *cosine = -*cosine;
  }
}
