// Ctrl-C and SIGTERM: a flag at first, the end at the second time.
#include "runtime/cli/interrupt.h"

#include <stdio.h>
#include <unistd.h>

// Minibatches take fractions of a second.
enum { GRACE_SECONDS = 2 };

static volatile sig_atomic_t caught, is_graceful;
static volatile int examples_end;
static const volatile int *watched;
static volatile sig_atomic_t keeps;

// Standard output holds results of minibatches before: nobody writes to it while kernels compile.
static void leave(void) {
  static const char message[] = "nnrun: interrupted while kernels compiled\n";
  ssize_t written = write(STDERR_FILENO, message, sizeof message - 1);
  (void)written;
  fflush(stdout);
  _exit(128 + caught);
}

// While kernels compile no minibatch has begun that were worth its end: where something must be saved first, the session
// gives up waiting for them.
static void leave_kernels(void) {
  if (!watched || !*watched)
    return;
  if (!keeps)
    leave();
  examples_end = 1;
}

// The alarm also ends the compilation of a kernel that began right behind the signal.
static void on_signal(int signal_number) {
  caught = signal_number;
  leave_kernels();
  if (!is_graceful)
    examples_end = 1;
  alarm(GRACE_SECONDS);
}

static void on_alarm(int signal_number) {
  (void)signal_number;
  examples_end = 1;
  leave_kernels();
}

void interrupt_catch(bool gracefully) {
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND},
                   ended = {.sa_handler = on_alarm}, old;
  is_graceful = gracefully;
  sigaction(SIGALRM, &ended, NULL);
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
  // Not under nohup.
  if (sigaction(SIGHUP, NULL, &old) == 0 && old.sa_handler != SIG_IGN)
    sigaction(SIGHUP, &action, NULL);
}

void interrupt_watch(const volatile int *compiling) { watched = compiling; }
void interrupt_leave(int status) {
  fflush(NULL);
  _exit(status);
}

void interrupt_keep(void) { keeps = 1; }
const volatile sig_atomic_t *interrupt_signal(void) { return &caught; }
const volatile int *interrupt_of_examples(void) { return &examples_end; }
