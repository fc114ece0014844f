// A caller who is asked to stop while kernels compile does not wait for them.
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "runtime/cpu/cpu.h"
#include "tests/runtime/rig.h"
#include "tests/runtime/stand_in.h"

static const char source[] = "vocab Word\n"
                             "param E: f32[Word, 4]\n"
                             "fn loss(w: Word) -> f32 {\n"
                             "  let x = if value(sum(E[w])) > 1000.0 { tanh(E[w]) } else { E[w] * 2 }\n"
                             "  sum(x)\n"
                             "}\n";

// Kernels that are not done before they are let go, as LLVM's are not. The first of them is where the signal comes.
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool are_let_go;
static volatile int interrupt_flag;
static atomic_int n_begun, n_done;

static struct kernel *compile_held(struct jit *jit, const struct ir_module *module,
                                   const struct ir_block *block, enum kernel_variant variant,
                                   enum nn_element element, const struct kernel_sizes *sizes, char **error) {
  n_begun++;
  pthread_mutex_lock(&lock);
  interrupt_flag = 1;
  while (!are_let_go)
    pthread_cond_wait(&changed, &lock);
  pthread_mutex_unlock(&lock);
  struct kernel *kernel = stand_in_compile(jit, module, block, variant, element, sizes, error);
  n_done++;
  return kernel;
}

static void let_go(void) {
  pthread_mutex_lock(&lock);
  are_let_go = true;
  pthread_cond_broadcast(&changed);
  pthread_mutex_unlock(&lock);
}

static void check(int threads, bool runs_again) {
  struct rig rig;
  rig_open(&rig, source, "loss", &(struct rig_options){.threads = threads, .stand_in = true});
  cpu_of(rig.model->device)->compile = compile_held;
  are_let_go = false;
  interrupt_flag = n_begun = n_done = 0;
  nn_limits limits = nn_limits_default();
  nn_session_set_limits(rig.session, &limits, &interrupt_flag);
  nn_status *status = nn_session_run(rig.session, rig_entry(&rig, "loss"), rig.data, rig.examples, rig.n,
                                     NN_TRAIN);
  assert_int_equal(nn_status_code(status), NN_INTERRUPTED);
  nn_status_free(status);
  assert_int_equal(n_done, 0);
  let_go();
  if (runs_again) {
    interrupt_flag = 0;
    cpu_of(rig.model->device)->compile = stand_in_compile;
    rig_run(&rig, "loss", NN_TRAIN);
    rig_check(nn_session_backward(rig.session, 1));
  }
  rig_close(&rig);
  // Nothing goes on behind a model that is gone.
  assert_true(n_begun >= 1 && n_begun <= threads);
  assert_int_equal(n_done, n_begun);
}

static void test_interruption(void **state) {
  (void)state;
  for (int threads = 1; threads <= 4; threads++) {
    check(threads, false);
    check(threads, true);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_interruption)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
