// Reads every formula of ops.def, and is run when it has been built: a mistake in one ends the build.
#include "compiler/base/arena.h"
#include "compiler/ir/derivative.h"
#include "compiler/ir/op_value.h"

static void *number(void *context, double value) {
  (void)value;
  return context;
}

static void *routine(void *context, enum ir_op op, void *a, void *b) {
  (void)op;
  (void)a;
  (void)b;
  return context;
}

int main(void) {
  int anything;
  const struct op_value_maker maker = {number, routine, &anything};
  for (int op = 0; op < IR_N_OPS; op++)
    if (ir_op_infos[op].class == IR_CLASS_ELEMENTWISE)
      op_value_make((enum ir_op)op, &maker, &anything, ir_op_infos[op].arity > 1 ? &anything : NULL);
  struct arena arena;
  arena_init(&arena);
  derivatives_new(&arena);
  arena_free(&arena);
  return 0;
}
