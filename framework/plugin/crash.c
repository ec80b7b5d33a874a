/* Telling whose code crashed.
 *
 * Invariant: the handler touches nothing but this thread's note of what it is doing, write() and _exit(), as a crash
 * may have come in the middle of anything. It has a stack of its own, as the thread's may be what ran out.
 */
#include "plugin/crash.h"

#include <dlfcn.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"

#define STACK_BYTES 65536

typedef struct {
  const char *path, *doing, *of;
  void *stack;
} Note;

static __thread Note note;
static gboolean is_reporting;

/* What a signal means to somebody who knows none; NULL: not one of ours. */
static const char *
meaning (int number)
{
  switch (number) {
  case SIGSEGV:
  case SIGBUS:
    return "it used memory that is not its own";
  case SIGILL:
    return "it has an instruction that this processor lacks";
  case SIGFPE:
    return "it divided an integer by zero";
  case SIGABRT:
  case SIGTRAP:
    return "it gave up";
  default:
    return NULL;
  }
}

/* The sentence is written at once, so that no other thread's words come between. */
typedef struct {
  char text[4096 + 512];
  gsize length;
} Sentence;

static void
add (Sentence *sentence, const char *text)
{
  while (*text != '\0' && sentence->length < sizeof sentence->text)
    sentence->text[sentence->length++] = *text++;
}

static void
tell (int number)
{
  Sentence sentence = { .length = 0 };

  add (&sentence, "\nlimbeck: plugin '");
  add (&sentence, note.path);
  add (&sentence, note.doing != NULL ? "' crashed in " : "' crashed while it was loaded");
  if (note.doing != NULL) {
    add (&sentence, note.doing);
    add (&sentence, " '");
    add (&sentence, note.of);
    add (&sentence, "'");
  }
  add (&sentence, ": ");
  add (&sentence, meaning (number));
  add (&sentence, "; update it, tell its author, or take it off the plugin path\n");
  /* There is nobody to tell that nobody can be told. */
  if (write (STDERR_FILENO, sentence.text, sentence.length) < 0)
    return;
}

static void
on_crash (int number, siginfo_t *info, void *context)
{
  gboolean is_own = info->si_code > 0 || number == SIGABRT || number == SIGTRAP;

  if (note.path != NULL && is_own) {
    tell (number);
    _exit (LB_ERROR_PLUGIN);
  }
  signal (number, SIG_DFL);
  raise (number);
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#  define HAS_SANITIZER TRUE
#else
#  define HAS_SANITIZER FALSE
#endif

void
lb_crash_report (void)
{
  struct sigaction action = { .sa_sigaction = on_crash, .sa_flags = SA_SIGINFO | SA_ONSTACK };

  if (HAS_SANITIZER)
    return;
  sigemptyset (&action.sa_mask);
  for (int number = 1; number < NSIG; number++)
    if (meaning (number) != NULL)
      sigaction (number, &action, NULL);
  is_reporting = TRUE;
}

void
lb_crash_enter (const char *path, const char *doing, const char *of)
{
  if (!is_reporting)
    return;
  note = (Note){ path, doing, of, g_malloc (STACK_BYTES) };
  stack_t stack = { .ss_sp = note.stack, .ss_size = STACK_BYTES };
  sigaltstack (&stack, NULL);
}

void
lb_crash_leave (void)
{
  stack_t none = { .ss_flags = SS_DISABLE };

  if (note.stack == NULL)
    return;
  sigaltstack (&none, NULL);
  g_free (note.stack);
  note = (Note){ 0 };
}

const char *
lb_crash_path (gconstpointer function)
{
  Dl_info info;

  return dladdr ((gpointer)function, &info) != 0 && info.dli_fname != NULL ? info.dli_fname : "built-in";
}
