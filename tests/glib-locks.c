/* Tells the thread sanitizer about GLib's locks.
 *
 * GLib waits on futexes of its own, and its library is not instrumented: the thread sanitizer sees neither the lock nor the
 * order it makes, and would report every variable that a GMutex guards. This object is preloaded in its build alone; each
 * function does what GLib's does and then states the order that it really made. Locks that GLib builds on pthreads
 * (GRecMutex, GRWLock), thread starts and joins are seen without help.
 */
#include <dlfcn.h>
#include <glib.h>
#include <pthread.h>

/* Weak: programs that are not instrumented may have this object preloaded, too. */
void __tsan_acquire (void *address) __attribute__ ((weak));
void __tsan_release (void *address) __attribute__ ((weak));

#define REAL(name) ((__typeof__ (&name)) dlsym (RTLD_NEXT, #name))

static void
acquired (gpointer address)
{
  if (__tsan_acquire != NULL)
    __tsan_acquire (address);
}

static void
released (gconstpointer address)
{
  if (__tsan_release != NULL)
    __tsan_release ((gpointer) address);
}

void
g_mutex_lock (GMutex *mutex)
{
  REAL (g_mutex_lock) (mutex);
  acquired (mutex);
}

gboolean
g_mutex_trylock (GMutex *mutex)
{
  gboolean locked = REAL (g_mutex_trylock) (mutex);
  if (locked)
    acquired (mutex);
  return locked;
}

void
g_mutex_unlock (GMutex *mutex)
{
  released (mutex);
  REAL (g_mutex_unlock) (mutex);
}

void
g_cond_wait (GCond *condition, GMutex *mutex)
{
  released (mutex);
  REAL (g_cond_wait) (condition, mutex);
  acquired (mutex);
}

gboolean
g_cond_wait_until (GCond *condition, GMutex *mutex, gint64 end_time)
{
  released (mutex);
  gboolean signalled = REAL (g_cond_wait_until) (condition, mutex, end_time);
  acquired (mutex);
  return signalled;
}

void(g_once_init_leave) (volatile void *location, gsize result)
{
  released ((gconstpointer) location);
  REAL (g_once_init_leave) (location, result);
}

/* GLib asks the system once, whoever calls first, and guards the answer out of sight. */
const gchar *
g_get_host_name (void)
{
  static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

  pthread_mutex_lock (&lock);
  const gchar *name = REAL (g_get_host_name) ();
  pthread_mutex_unlock (&lock);
  return name;
}
