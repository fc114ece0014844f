// Signals that ask the program to stop: SIGINT (Ctrl-C), SIGTERM, and SIGHUP unless it is ignored.
#ifndef NN_RUNTIME_CLI_INTERRUPT_H
#define NN_RUNTIME_CLI_INTERRUPT_H

#include <signal.h>
#include <stdbool.h>

// From now on the first signal is taken note of, and a second one ends the program at once. Examples whose
// control flow still runs then end with the error "interrupted": at once, or `gracefully` after a few seconds, in
// which the minibatch usually ends by itself.
void interrupt_catch(bool gracefully);
// What may be waited for without end: `compiling` is not 0 meanwhile. While it is, and nothing would be lost, the first
// signal ends the program, too. Where something would be, the session gives NN_INTERRUPTED instead, while LLVM, which
// cannot be stopped within a kernel, goes on with the one at hand.
void interrupt_watch(const volatile int *compiling);
// From now on something would be: what has been learnt and not saved.
void interrupt_keep(void);
// Ends the program without waiting for kernels that may still be compiled.
_Noreturn void interrupt_leave(int status);
// The signal that came, or 0.
const volatile sig_atomic_t *interrupt_signal(void);
// For nn_session_set_limits.
const volatile int *interrupt_of_examples(void);

#endif
