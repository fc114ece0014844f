// Types and shapes as text, as the author of a model writes them.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/base/arena.h"
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

char *model_type_text(const struct ir_module *module, const struct ir_type *type) {
  char *text = NULL;
  size_t size = 0;
  FILE *out = open_memstream(&text, &size);
  if (!out)
    return NULL;
  struct arena scratch;
  arena_init(&scratch);
  write_type(out, &scratch, module, type);
  arena_free(&scratch);
  if (fclose(out) != 0) {
    free(text);
    return NULL;
  }
  return text;
}
