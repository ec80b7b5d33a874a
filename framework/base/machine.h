/* What a result may depend on beside its pipeline: the build of the framework, and the machine. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Digest of the framework's sources (framework/source-digest tells how), the compiler with its version, and what it was
 * told: "release, -O3, no sanitizer". */
const char *lb_build_source (void);
const char *lb_build_compiler (void);
const char *lb_build_flags (void);

/* Of this machine, new strings: its processor's name and those of its features that arithmetic may depend on ("avx2
 * avx512f fma"), system and kernel, C library. What the system does not tell is "unknown". */
char *lb_machine_processor (void);
char *lb_machine_features (void);
char *lb_machine_system (void);
char *lb_machine_libc (void);

G_END_DECLS
