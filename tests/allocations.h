/* Counts what a test's process allocates, by standing in front of the C library (glibc), where no sanitizer does that.
 * One file of a program includes it. */
#pragma once

#include <errno.h>
#include <glib.h>
#include <malloc.h>
#include <stdlib.h>

extern void *__libc_malloc (size_t size);
extern void *__libc_calloc (size_t n, size_t size);
extern void *__libc_realloc (void *memory, size_t size);
extern void *__libc_memalign (size_t alignment, size_t size);

static guint allocations;

/* So far, by all threads. */
static inline guint
n_allocations (void)
{
  return __atomic_load_n (&allocations, __ATOMIC_SEQ_CST);
}

static void
count_allocation (void)
{
  __atomic_add_fetch (&allocations, 1, __ATOMIC_SEQ_CST);
}

void *
malloc (size_t size)
{
  count_allocation ();
  return __libc_malloc (size);
}

void *
calloc (size_t n, size_t size)
{
  count_allocation ();
  return __libc_calloc (n, size);
}

void *
realloc (void *memory, size_t size)
{
  count_allocation ();
  return __libc_realloc (memory, size);
}

void *
memalign (size_t alignment, size_t size)
{
  count_allocation ();
  return __libc_memalign (alignment, size);
}

void *
aligned_alloc (size_t alignment, size_t size)
{
  return memalign (alignment, size);
}

int
posix_memalign (void **memory, size_t alignment, size_t size)
{
  *memory = memalign (alignment, size);
  return *memory != NULL ? 0 : ENOMEM;
}
