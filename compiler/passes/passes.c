// The pipeline.
#include "compiler/passes/passes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/base/arena.h"
#include "compiler/ir/ir.h"

// Why this order. Inlining comes first: every later pass sees further in larger functions. `demand` follows
// the first clean-up because only then is it known which results are used, and comes before `accumulate`,
// which would otherwise keep sums alive that nobody asks for. `fission` wants sums that are numbers still, and leaves them
// in one of its loops. `fuse` and `motion` want the sums gone from loops. `request` stands
// behind them, which would move down again what decisions are to be asked for early.
// `share` stands between `blocks` and `adjoint` so that each adjoint is made once.
const struct pass passes[] = {
    {"inline", pass_inline, "inline calls, bottom-up over the call graph"},
    {"simplify", pass_simplify,
     "fold constants and branches, simplify tensor expressions, common subexpressions"},
    {"demand", pass_demand, "variants of functions that compute only the results a caller uses"},
    {"dce", pass_dce, "remove what is never used"},
    {"fission", pass_fission, "split loops that read a decision in each turn, so that they wait once"},
    {"accumulate", pass_accumulate, "sums along loops and recursions become one reduction"},
    {"fuse", pass_fuse, "make loops that follow each other one"},
    {"motion", pass_motion, "move tensor work out of loops and into the branches that use it"},
    {"simplify", pass_simplify, "again, over what the passes before left"},
    {"dce", pass_dce, "again"},
    {"request", pass_request, "ask for what decisions need before earlier ones wait"},
    {"blocks", pass_blocks, "form blocks: hoisted, recurrent, deferred"},
    {"share", pass_share, "make equal blocks one"},
    {"adjoint", pass_adjoint, "differentiate the blocks"},
    {NULL, NULL, NULL},
};

static bool is_pass(const char *name) {
  for (const struct pass *pass = passes; pass->name; pass++)
    if (strcmp(pass->name, name) == 0)
      return true;
  return strcmp(name, "all") == 0;
}

static char *message(const char *format, ...) __attribute__((format(printf, 1, 2)));

static char *message(const char *format, ...) {
  va_list args;
  va_start(args, format);
  char *text = NULL;
  if (vasprintf(&text, format, args) < 0)
    text = NULL;
  va_end(args);
  return text;
}

static void dump(const struct ir_module *module, const struct pass *pass, FILE *file) {
  char *text = ir_print(module);
  fprintf(file, "; after %s\n%s", pass->name, text ? text : "out of memory\n");
  free(text);
}

static bool run_all(struct ir_module *module, struct arena *scratch, const struct passes_options *options,
                    char **error) {
  for (const struct pass *pass = passes; pass->name; pass++) {
    pass->function(module, scratch);
    arena_free(scratch);
    if (options->dump_after &&
        (strcmp(options->dump_after, pass->name) == 0 || strcmp(options->dump_after, "all") == 0))
      dump(module, pass, options->dump);
    char *why = NULL;
    if (options->verify_each && !ir_verify(module, &why)) {
      *error = message("after the pass %s: %s", pass->name, why);
      free(why);
      return false;
    }
  }
  return true;
}

// A function of its own: nothing that lives across the longjmp is changed between setjmp and it.
static bool run_guarded(struct ir_module *module, struct arena *scratch, const struct passes_options *options,
                        char **error) {
  jmp_buf exhausted;
  if (setjmp(exhausted) != 0) {
    *error = message("out of memory");
    return false;
  }
  module->arena->on_out_of_memory = &exhausted;
  scratch->on_out_of_memory = &exhausted;
  return run_all(module, scratch, options, error);
}

bool passes_run(struct ir_module *module, const struct passes_options *options, char **error) {
  static const struct passes_options none = {0};
  if (!options)
    options = &none;
  if (options->dump_after && !is_pass(options->dump_after)) {
    *error = message("there is no pass named `%s`", options->dump_after);
    return false;
  }
  struct arena scratch;
  arena_init(&scratch);
  jmp_buf *outer = module->arena->on_out_of_memory;
  bool good = run_guarded(module, &scratch, options, error);
  module->arena->on_out_of_memory = outer;
  arena_free(&scratch);
  return good;
}
