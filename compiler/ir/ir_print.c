// The text form of a module. IR.md gives its grammar; ir_parse.c reads it, and print(parse(print(m))) ==
// print(m) byte for byte. Modules that do not verify can be printed too, for debugging: what is out of range
// shows as `?`.
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/base/arena.h"
#include "compiler/base/text.h"
#include "compiler/ir/ir.h"
#include "compiler/ir/ir_text.h"

struct printer {
  const struct ir_module *module;
  struct text text;
  FILE *out;  // a stream into `text`
  locale_t old_locale;
};

// ------------------------------------------------------------------------------- words and numbers

// Words with a meaning in types, sizes or numbers: a name that is spelt like one is quoted.
static bool is_reserved(const char *name) {
  static const char *const words[] = {"int", "bool", "float", "text", "f32", "acc", "inf", "nan"};
  for (size_t i = 0; i < sizeof words / sizeof *words; i++)
    if (strcmp(name, words[i]) == 0)
      return true;
  return false;
}

static bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

// An identifier: words joined by single dots, the first one not beginning with a digit.
static bool is_identifier(const char *name) {
  if (!is_word(*name) || (*name >= '0' && *name <= '9'))
    return false;
  for (const char *c = name; *c; c++)
    if (!is_word(*c) && !(*c == '.' && is_word(c[1])))
      return false;
  return !is_reserved(name);
}

static void print_quoted(struct printer *p, const char *name) {
  fputc('"', p->out);
  for (const char *c = name; *c; c++) {
    if (*c == '"' || *c == '\\')
      fprintf(p->out, "\\%c", *c);
    else if ((unsigned char)*c < 0x20 || *c == 0x7f)
      fprintf(p->out, "\\x%02x", (unsigned char)*c);
    else
      fputc(*c, p->out);
  }
  fputc('"', p->out);
}

static void print_name(struct printer *p, const char *name) {
  if (is_identifier(name))
    fputs(name, p->out);
  else
    print_quoted(p, name);
}

// @name of a parameter, function or block.
static void print_symbol(struct printer *p, const char *name) {
  bool bare = *name != 0;
  for (const char *c = name; *c; c++)
    bare = bare && (is_word(*c) || *c == '.' || *c == '*');
  fputc('@', p->out);
  if (bare)
    fputs(name, p->out);
  else
    print_quoted(p, name);
}

static void print_number(struct printer *p, double number) {
  if (isnan(number))
    fputs("nan", p->out);
  else if (isinf(number))
    fputs(number < 0 ? "-inf" : "inf", p->out);
  else
    fprintf(p->out, "%.17g", number);
}

// Like size_text, with names quoted where they must be.
static void print_size(struct printer *p, const struct size *size) {
  if (!size) {
    fputc('?', p->out);
    return;
  }
  if (size->n_terms == 0)
    fputc('0', p->out);
  for (uint32_t i = 0; i < size->n_terms; i++) {
    const struct size_term *term = &size->terms[i];
    bool negative = term->coefficient < 0;
    uint64_t magnitude = negative ? -(uint64_t)term->coefficient : (uint64_t)term->coefficient;
    if (i > 0)
      fputs(negative ? " - " : " + ", p->out);
    else if (negative)
      fputc('-', p->out);
    bool coefficient = magnitude != 1 || term->degree == 0;
    if (coefficient)
      fprintf(p->out, "%" PRIu64, magnitude);
    for (uint32_t k = 0; k < term->degree; k++) {
      if (k > 0 || coefficient)
        fputc('*', p->out);
      if (term->atoms[k]->kind == SIZE_RUNTIME)
        fputs(term->atoms[k]->name, p->out);
      else
        print_name(p, term->atoms[k]->name);
    }
  }
}

static void print_location(struct printer *p, struct ir_loc loc) {
  if (loc.line != 0)
    fprintf(p->out, " !%" PRIu32 ":%" PRIu32 ":%" PRIu32, loc.file, loc.line, loc.column);
}

// ------------------------------------------------------------------------------------------- types

static void print_type(struct printer *p, const struct ir_type *type);

static void print_shape(struct printer *p, const char *keyword, const struct ir_type *type) {
  fputs(keyword, p->out);
  for (uint32_t i = 0; i < type->shape.rank; i++) {
    fputs(i ? ", " : "[", p->out);
    print_size(p, type->shape.sizes[i]);
  }
  if (type->shape.rank)
    fputc(']', p->out);
}

static void print_fields(struct printer *p, uint32_t n, const struct ir_field *fields) {
  fputc('(', p->out);
  for (uint32_t i = 0; i < n; i++) {
    if (i)
      fputs(", ", p->out);
    if (fields[i].name) {
      print_name(p, fields[i].name);
      fputs(": ", p->out);
    }
    print_type(p, fields[i].type);
  }
  fputc(')', p->out);
}

static void print_table_name(struct printer *p, const char *name) {
  if (name)
    print_name(p, name);
  else
    fputc('?', p->out);
}

static void print_type(struct printer *p, const struct ir_type *type) {
  if (!type) {
    fputc('?', p->out);
    return;
  }
  switch (type->kind) {
  case IR_INT: fputs("int", p->out); break;
  case IR_BOOL: fputs("bool", p->out); break;
  case IR_FLOAT: fputs("float", p->out); break;
  case IR_TEXT: fputs("text", p->out); break;
  case IR_INDEX:
    print_table_name(p, type->dim < p->module->n_dims ? p->module->dims[type->dim]->atom.name : NULL);
    break;
  case IR_DATA:
    print_table_name(p, type->data < p->module->n_datas ? p->module->datas[type->data]->name : NULL);
    break;
  case IR_TENSOR: print_shape(p, "f32", type); break;
  case IR_ACC: print_shape(p, "acc", type); break;
  case IR_LIST:
    fputc('[', p->out);
    print_type(p, type->element);
    fputc(']', p->out);
    break;
  case IR_TUPLE:
    if (type->tuple.name)
      print_name(p, type->tuple.name);
    print_fields(p, type->tuple.n, type->tuple.fields);
    break;
  }
}

// `(%0: T, %1: T)`
static void print_params(struct printer *p, uint32_t n, struct ir_value *const *values) {
  fputc('(', p->out);
  for (uint32_t i = 0; i < n; i++) {
    fprintf(p->out, "%s%%%" PRIu32 ": ", i ? ", " : "", values[i]->id);
    print_type(p, values[i]->type);
  }
  fputc(')', p->out);
}

// ------------------------------------------------------------------------------------ instructions

static void print_values(struct printer *p, uint32_t n, struct ir_value *const *values) {
  for (uint32_t i = 0; i < n; i++) {
    if (values[i])
      fprintf(p->out, "%s%%%" PRIu32, i ? ", " : "", values[i]->id);
    else
      fputs(i ? ", ?" : "?", p->out);
  }
}

static void print_targets(struct printer *p, const struct ir_instr *instr) {
  for (uint32_t i = 0; i < instr->n_targets; i++) {
    const struct ir_target *target = &instr->targets[i];
    fputs(i ? ", " : " ", p->out);
    if (target->bb)
      fprintf(p->out, "^%" PRIu32, target->bb->id);
    else
      fputs("^?", p->out);
    if (target->n_args) {
      fputc('(', p->out);
      print_values(p, target->n_args, target->args);
      fputc(')', p->out);
    }
  }
}

static const struct ir_constructor *constructor_of(const struct ir_module *module,
                                                   const struct ir_instr *instr) {
  if (instr->symbol >= module->n_datas || instr->constructor >= module->datas[instr->symbol]->n_constructors)
    return NULL;
  return &module->datas[instr->symbol]->constructors[instr->constructor];
}

// The name right after the operation: function, block, parameter or constructor.
static void print_named_attribute(struct printer *p, const struct ir_instr *instr) {
  const struct ir_module *module = p->module;
  uint32_t attributes = ir_op_infos[instr->op].attributes, symbol = instr->symbol;
  const char *name = NULL;
  if (attributes & IR_ATTR_CONSTRUCTOR) {
    const struct ir_constructor *constructor = constructor_of(module, instr);
    fputc(' ', p->out);
    print_table_name(p, constructor ? constructor->name : NULL);
    return;
  }
  if (attributes & IR_ATTR_FUNCTION)
    name = symbol < module->n_functions ? module->functions[symbol]->name : "?";
  else if (attributes & IR_ATTR_BLOCK)
    name = symbol < module->n_blocks ? module->blocks[symbol]->name : "?";
  else if (attributes & IR_ATTR_PARAM)
    name = symbol < module->n_params ? module->params[symbol]->name : "?";
  if (name) {
    fputc(' ', p->out);
    print_symbol(p, name);
  }
}

static void print_attributes(struct printer *p, const struct ir_instr *instr) {
  uint32_t attributes = ir_op_infos[instr->op].attributes;
  if (attributes & IR_ATTR_INTEGER)
    fprintf(p->out, " %" PRId64, instr->integer);
  if (attributes & IR_ATTR_NUMBER) {
    fputs(instr->op == IR_OP_DROPOUT ? " p " : " ", p->out);
    print_number(p, instr->number);
  }
  if (attributes & (IR_ATTR_SIZE | IR_ATTR_OFFSET)) {
    fputs(attributes & IR_ATTR_OFFSET ? " offset " : " ", p->out);
    print_size(p, instr->size);
  }
  if (attributes & IR_ATTR_LENGTH) {
    fputs(" length ", p->out);
    print_size(p, instr->length);
  }
  if (attributes & IR_ATTR_SLOT)
    fprintf(p->out, " slot %" PRId64, instr->integer);
  if (attributes & IR_ATTR_COUNT)
    fprintf(p->out, " count %" PRId64, instr->integer);
  if (attributes & IR_ATTR_TEXT) {
    fputc(' ', p->out);
    print_quoted(p, instr->text ? instr->text : "?");
  }
  if (attributes & IR_ATTR_INPUT)
    fprintf(p->out, " input %" PRId64, instr->integer);
  if (attributes & IR_ATTR_SITE)
    fprintf(p->out, " site %" PRIu32, instr->site);
  if ((attributes & IR_ATTR_TRANSPOSE) && instr->transpose_a)
    fputs(" transpose_a", p->out);
  if ((attributes & IR_ATTR_TRANSPOSE) && instr->transpose_b)
    fputs(" transpose_b", p->out);
  if ((attributes & IR_ATTR_AXIS) && instr->axis > 0)
    fprintf(p->out, " dim %" PRIu32, instr->axis - 1);
  if (attributes & IR_ATTR_ORDER) {
    fputs(" order", p->out);
    for (uint32_t i = 0; i < IR_MAX_RANK && ir_order(instr->integer, i) != IR_NO_AXIS; i++)
      fprintf(p->out, " %" PRIu32, ir_order(instr->integer, i));
  }
}

static void print_instr(struct printer *p, const struct ir_instr *instr) {
  if (instr->n_results) {
    print_values(p, instr->n_results, instr->results);
    fputs(" = ", p->out);
  }
  fputs(ir_op_infos[instr->op].name, p->out);
  print_named_attribute(p, instr);
  if (instr->n_operands) {
    fputc(' ', p->out);
    print_values(p, instr->n_operands, instr->operands);
  }
  print_attributes(p, instr);
  print_targets(p, instr);
  for (uint32_t i = 0; i < instr->n_results; i++) {
    fputs(i ? ", " : " : ", p->out);
    print_type(p, instr->results[i] ? instr->results[i]->type : NULL);
  }
}

static void print_instr_line(struct printer *p, const struct ir_instr *instr) {
  fputs("  ", p->out);
  print_instr(p, instr);
  print_location(p, instr->loc);
  fputc('\n', p->out);
}

// ---------------------------------------------------------------------------- functions and blocks

static void print_type_list(struct printer *p, uint32_t n, const struct ir_type *const *types) {
  fputc('(', p->out);
  for (uint32_t i = 0; i < n; i++) {
    if (i)
      fputs(", ", p->out);
    print_type(p, types[i]);
  }
  fputc(')', p->out);
}

static void print_function(struct printer *p, const struct ir_function *function) {
  fputs(function->memo ? "host memo " : "host ", p->out);
  print_symbol(p, function->name);
  print_params(p, function->n_params, function->params);
  fputs(" -> ", p->out);
  print_type_list(p, function->n_results, function->results);
  fputs(" {\n", p->out);
  for (const struct ir_bb *bb = function->entry; bb; bb = bb->next) {
    fprintf(p->out, "^%" PRIu32, bb->id);
    if (bb->n_params)
      print_params(p, bb->n_params, bb->params);
    fputs(":\n", p->out);
    for (const struct ir_instr *instr = bb->first; instr; instr = instr->next)
      print_instr_line(p, instr);
  }
  fputs("}\n", p->out);
}

static void print_block_flags(struct printer *p, const struct ir_block *block) {
  if (block->n_results != block->n_outputs)
    fprintf(p->out, " results %" PRIu32, block->n_results);
  if (block->deferred)
    fputs(" deferred", p->out);
  if (block->hoisted)
    fputs(" hoisted", p->out);
  if (block->uniform)
    fputs(" uniform", p->out);
  if (block->random)
    fputs(" random", p->out);
  print_location(p, block->loc);
}

static void print_block_body(struct printer *p, const struct ir_block *block) {
  fputs(" {\n", p->out);
  for (const struct ir_instr *instr = block->first; instr; instr = instr->next)
    print_instr_line(p, instr);
  if (block->n_outputs) {
    fputs("  return ", p->out);
    print_values(p, block->n_outputs, block->outputs);
    fputc('\n', p->out);
  }
  fputs("}\n", p->out);
}

static void print_forward(struct printer *p, const struct ir_block *block) {
  fputs("block ", p->out);
  print_symbol(p, block->name);
  print_params(p, block->n_params, block->params);
  fputs(" -> (", p->out);
  for (uint32_t i = 0; i < block->n_outputs; i++) {
    if (i)
      fputs(", ", p->out);
    print_type(p, block->outputs[i] ? block->outputs[i]->type : NULL);
  }
  fputc(')', p->out);
  print_block_flags(p, block);
  print_block_body(p, block);
}

// The parameters of an adjoint come in three groups, which `saved (...)` and `grad (...)` tell apart in the
// text.
static void print_adjoint(struct printer *p, const struct ir_block *adjoint, const struct ir_block *forward) {
  uint32_t n_own = forward->n_params, n_saved = forward->n_outputs - forward->n_results;
  if (forward->n_results > forward->n_outputs || adjoint->n_params < n_own + n_saved) {
    n_own = adjoint->n_params;  // broken; shown as it is
    n_saved = 0;
  }
  fputs("adjoint ", p->out);
  print_symbol(p, forward->name);
  print_params(p, n_own, adjoint->params);
  fputs(" saved ", p->out);
  print_params(p, n_saved, adjoint->params + n_own);
  fputs(" grad ", p->out);
  print_params(p, adjoint->n_params - n_own - n_saved, adjoint->params + n_own + n_saved);
  print_block_flags(p, adjoint);
  print_block_body(p, adjoint);
}

static const struct ir_block *forward_of(const struct ir_module *module, const struct ir_block *adjoint) {
  for (uint32_t i = 0; i < module->n_blocks; i++)
    if (module->blocks[i]->adjoint == adjoint)
      return module->blocks[i];
  return NULL;
}

static void print_block(struct printer *p, const struct ir_block *block) {
  if (block->kind == IR_BLOCK_FORWARD) {
    print_forward(p, block);
    if (block->adjoint)
      print_adjoint(p, block->adjoint, block);
    return;
  }
  const struct ir_block *forward = forward_of(p->module, block);
  print_adjoint(p, block, forward ? forward : block);
}

// -------------------------------------------------------------------------------------- the header

// All but `closed`, with the word behind which its members stand.
static void print_vocab_options(struct printer *p, const struct ir_dim *dim) {
  if (dim->min_count != 1)
    fprintf(p->out, " min_count %" PRId64, dim->min_count);
  if (dim->max_size != 0)
    fprintf(p->out, " max_size %" PRId64, dim->max_size);
  if (dim->characters)
    fputs(" characters", p->out);
  fputs(dim->normal & IR_NORMAL_NFC ? " nfc" : dim->normal & IR_NORMAL_NFKC ? " nfkc" : "", p->out);
  fputs(dim->normal & IR_NORMAL_LOWER ? " lower" : "", p->out);
  if (dim->unknown) {
    fputs(" unknown ", p->out);
    print_quoted(p, dim->unknown);
  }
  for (uint32_t i = 0; i < dim->n_sources; i++) {
    fputs(i ? ", " : " of ", p->out);
    print_name(p, dim->sources[i]);
  }
  if (dim->n_members)
    fputs(" members", p->out);
}

static void print_dim(struct printer *p, const struct ir_dim *dim) {
  switch (dim->atom.kind) {
  case SIZE_VOCAB: fputs("vocab ", p->out); break;
  case SIZE_ENUM: fputs("enum ", p->out); break;
  default: fputs("dim ", p->out); break;
  }
  print_name(p, dim->atom.name);
  if (dim->atom.kind == SIZE_DIM) {
    fputs(" = ", p->out);
    print_size(p, dim->value);
  }
  if (dim->closed)
    fputs(" closed", p->out);
  if (dim->atom.kind == SIZE_VOCAB)
    print_vocab_options(p, dim);
  for (uint32_t i = 0; i < dim->n_members; i++) {
    fputc(' ', p->out);
    print_name(p, dim->members[i]);
  }
  fputc('\n', p->out);
}

static void print_data(struct printer *p, const struct ir_data *data) {
  fputs("data ", p->out);
  print_name(p, data->name);
  for (uint32_t i = 0; i < data->n_constructors; i++) {
    fputs(i ? " | " : " = ", p->out);
    print_name(p, data->constructors[i].name);
    print_fields(p, data->constructors[i].n_fields, data->constructors[i].fields);
  }
  fputc('\n', p->out);
}

const char *const ir_init_names[] = {"glorot", "normal", "uniform", "constant", "zeros", "ones", "identity"};

static void print_param(struct printer *p, const struct ir_param *param) {
  fputs("param ", p->out);
  print_symbol(p, param->name);
  fputs(" : ", p->out);
  print_type(p, param->type);
  for (uint32_t i = 0; i < param->n_lists; i++) {
    fputs(i ? ", " : " count ", p->out);
    print_size(p, param->lists[i]);
  }
  fprintf(p->out, " = %s", ir_init_names[param->init]);
  if (ir_init_has_argument(param->init)) {
    fputc(' ', p->out);
    print_number(p, param->init_argument);
  }
  fputc('\n', p->out);
}

static void print_entry(struct printer *p, const struct ir_entry *entry) {
  fputs(entry->is_metric ? "metric " : "entry ", p->out);
  print_name(p, entry->name);
  print_fields(p, entry->n_params, entry->params);
  fputs(" -> ", p->out);
  print_type(p, entry->result);
  fputs(" = ", p->out);
  bool known = entry->function < p->module->n_functions;
  print_symbol(p, known ? p->module->functions[entry->function]->name : "?");
  fputc('\n', p->out);
}

static void print_module(struct printer *p) {
  const struct ir_module *module = p->module;
  fputs("module ", p->out);
  print_name(p, module->name);
  fputc('\n', p->out);
  for (uint32_t i = 0; i < module->n_files; i++) {
    fputs("file ", p->out);
    print_quoted(p, module->files[i]);
    fputc('\n', p->out);
  }
  for (uint32_t i = 0; i < module->n_dims; i++)
    print_dim(p, module->dims[i]);
  for (uint32_t i = 0; i < module->n_datas; i++)
    print_data(p, module->datas[i]);
  for (uint32_t i = 0; i < module->n_params; i++)
    print_param(p, module->params[i]);
  for (uint32_t i = 0; i < module->n_entries; i++)
    print_entry(p, module->entries[i]);
  for (uint32_t i = 0; i < module->n_functions; i++) {
    fputc('\n', p->out);
    print_function(p, module->functions[i]);
  }
  for (uint32_t i = 0; i < module->n_blocks; i++) {
    fputc('\n', p->out);
    print_block(p, module->blocks[i]);
  }
}

// ----------------------------------------------------------------------------------------- entries

// false without memory; then there is nothing to finish.
static bool begin(struct printer *p, const struct ir_module *module) {
  *p = (struct printer){.module = module, .old_locale = ir_text_enter_c_locale()};
  p->out = text_open(&p->text);
  if (!p->out)
    ir_text_leave_c_locale(p->old_locale);
  return p->out != NULL;
}

// NULL without memory.
static char *finish(struct printer *p) {
  char *string = text_close(&p->text);
  ir_text_leave_c_locale(p->old_locale);
  return string;
}

char *ir_print(const struct ir_module *module) {
  struct printer p;
  if (!begin(&p, module))
    return NULL;
  print_module(&p);
  return finish(&p);
}

char *ir_print_block(const struct ir_module *module, const struct ir_block *block) {
  struct printer p;
  if (!begin(&p, module))
    return NULL;
  print_block(&p, block);
  return finish(&p);
}

char *ir_print_instr(const struct ir_module *module, const struct ir_instr *instr) {
  struct printer p;
  if (!begin(&p, module))
    return NULL;
  print_instr(&p, instr);
  return finish(&p);
}

const char *ir_type_text(const struct ir_module *module, struct arena *arena, const struct ir_type *type) {
  struct printer p;
  char *string = NULL;
  if (begin(&p, module)) {
    print_type(&p, type);
    string = finish(&p);
  }
  if (!string)
    arena_out_of_memory(arena);
  const char *text = arena_strdup(arena, string);
  free(string);
  return text;
}
