/* Sine and cosine that are the same on every machine: those of the C library may differ in the last bit from one
 * release or processor to the next. */
#pragma once

/* Of @quarters quarter turns, |quarters| < 2^31, to about one unit in the last place of 1. */
void lb_sine_cosine (double quarters, double *sine, double *cosine);
