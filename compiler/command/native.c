// nnc --emit=llvm and asm: host code and kernels as text.
#include "compiler/command/native.h"

#include <stdlib.h>
#include <string.h>

#include "compiler/ir/size.h"
#include "runtime/host/host.h"
#include "runtime/jit/jit.h"
#include "runtime/kernel/kernel.h"

// The value of every dim; malloc'd, NULL with *error when one is too large.
static int64_t *default_dims(const struct ir_module *module, char **error) {
  int64_t *dims = calloc(module->n_dims ? module->n_dims : 1, sizeof *dims);
  for (uint32_t i = 0; dims && i < module->n_dims; i++) {
    const struct ir_dim *dim = module->dims[i];
    if (dim->atom.kind == SIZE_VOCAB) {
      dims[i] = NATIVE_VOCAB_SIZE;
    } else if (dim->atom.kind == SIZE_ENUM) {
      dims[i] = dim->n_members;
    } else if (!size_evaluate_by_id(dim->value, dims, &dims[i])) {
      if (asprintf(error, "the dim %s is too large", dim->atom.name) < 0)
        *error = NULL;
      free(dims);
      return NULL;
    }
  }
  return dims;
}

// Writes a text and frees it; false when there is none.
static bool put(const char *title, const char *name, bool assembly, char *text, FILE *out) {
  if (!text)
    return false;
  fprintf(out, "%s %s%s%s\n%s\n", assembly ? "#" : ";", title, *name ? " @" : "", name, text);
  free(text);
  return true;
}

static bool print_kernels(const struct ir_module *module, const int64_t *dims, bool assembly, FILE *out,
                          char **error) {
  const struct kernel_sizes sizes = {dims};
  for (uint32_t i = 0; i < module->n_blocks; i++) {
    const struct ir_block *block = module->blocks[i];
    char *text = kernel_text(module, block, KERNEL_TRAIN, NN_F32, &sizes, assembly, error);
    if (!put("block", block->name, assembly, text, out))
      return false;
    if (!block->adjoint)
      continue;
    text = kernel_text(module, block, KERNEL_ADJOINT, NN_F32, &sizes, assembly, error);
    if (!put("adjoint", block->name, assembly, text, out))
      return false;
  }
  return true;
}

bool native_print(const struct ir_module *module, bool assembly, FILE *out, char **error) {
  *error = NULL;
  int64_t *dims = default_dims(module, error);
  struct jit *jit = dims ? jit_new(&(struct jit_options){.cache_dir = ""}, error) : NULL;
  bool ok = jit && put("control flow", "", assembly, host_text(jit, module, dims, assembly, error), out) &&
            print_kernels(module, dims, assembly, out, error);
  if (jit)
    jit_free(jit);
  free(dims);
  return ok;
}
