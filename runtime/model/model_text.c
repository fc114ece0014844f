// Types and shapes as text, as the author of a model writes them.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/base/arena.h"
#include "compiler/base/text.h"
#include "runtime/model/model.h"

static void write_type(FILE *out, struct arena *scratch, const struct ir_module *module,
                       const struct ir_type *type);

static void write_fields(FILE *out, struct arena *scratch, const struct ir_module *module, uint32_t n,
                         const struct ir_field *fields) {
  fputc('(', out);
  for (uint32_t i = 0; i < n; i++) {
    if (i)
      fputs(", ", out);
    if (fields[i].name)
      fprintf(out, "%s: ", fields[i].name);
    write_type(out, scratch, module, fields[i].type);
  }
  fputc(')', out);
}

static void write_type(FILE *out, struct arena *scratch, const struct ir_module *module,
                       const struct ir_type *type) {
  switch (type->kind) {
  case IR_INT: fputs("int", out); break;
  case IR_BOOL: fputs("bool", out); break;
  case IR_TEXT: fputs("text", out); break;
  case IR_FLOAT: fputs("float", out); break;
  case IR_INDEX: fputs(module->dims[type->dim]->atom.name, out); break;
  case IR_TENSOR:
  case IR_ACC:
    fputs("f32", out);
    for (uint32_t i = 0; i < type->shape.rank; i++)
      fprintf(out, "%s%s", i ? ", " : "[", size_text(scratch, type->shape.sizes[i]));
    if (type->shape.rank)
      fputc(']', out);
    break;
  case IR_LIST:
    fputc('[', out);
    write_type(out, scratch, module, type->element);
    fputc(']', out);
    break;
  case IR_DATA: fputs(module->datas[type->data]->name, out); break;
  case IR_TUPLE:
    if (type->tuple.name)
      fputs(type->tuple.name, out);
    write_fields(out, scratch, module, type->tuple.n, type->tuple.fields);
    break;
  }
}

struct text_request {
  FILE *out;
  struct arena scratch;
  const struct ir_module *module;
  const struct ir_type *type;
};

static void write_request(void *context) {
  struct text_request *request = context;
  write_type(request->out, &request->scratch, request->module, request->type);
}

char *model_type_text(const struct ir_module *module, const struct ir_type *type) {
  struct text text;
  FILE *out = text_open(&text);
  if (!out)
    return NULL;
  struct text_request request = {.out = out, .module = module, .type = type};
  arena_init(&request.scratch);
  bool written = arena_attempt(&request.scratch, write_request, &request);
  arena_free(&request.scratch);
  char *whole = text_close(&text);
  if (!written) {
    free(whole);
    return NULL;
  }
  return whole;
}
