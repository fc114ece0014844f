// The verifier's entry, and the checks of a module's tables: dims, data types, parameters, entries.
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/ir/ir_text.h"
#include "compiler/ir/ir_verifier.h"

#define UNKNOWN INT64_MIN  // in dim_defaults

bool ir_verify_fail(struct ir_verifier *v, const char *format, ...) {
  va_list args;
  va_start(args, format);
  const char *what = arena_vprintf(&v->arena, format, args);
  va_end(args);
  const char *where = "";
  if (v->function)
    where = arena_printf(&v->arena, "host @%s: ", v->function->name);
  else if (v->block)
    where = arena_printf(&v->arena, "%s @%s: ", v->forward ? "adjoint" : "block",
                         v->forward ? v->forward->name : v->block->name);
  if (v->instr) {
    char *text = ir_print_instr(v->module, v->instr);
    if (!text)
      arena_out_of_memory(&v->arena);
    where = arena_printf(&v->arena, "%s`%s`: ", where, text);
    free(text);
  }
  v->error = ir_text_message("%s%s", where, what);
  return false;
}

const char *ir_verify_type_text(struct ir_verifier *v, const struct ir_type *type) {
  return ir_type_text(v->module, &v->arena, type);
}

// --------------------------------------------------------------------------------- sizes and types

static int64_t default_value(void *context, const struct size_atom *atom) {
  const struct ir_verifier *v = context;
  return v->dim_defaults[atom->id];
}

// A run-time size stands alone, and where there are values: `?` in functions, the others in blocks.
static bool check_runtime(struct ir_verifier *v, const struct size *size, const struct size_atom *atom) {
  const struct ir_module *m = v->module;
  uint32_t number = atom->id - IR_RUNTIME_ID;
  if (number >= m->n_runtimes || atom != &m->runtimes[number]->atom)
    return ir_verify_fail(v, "size `%s` is not of this module", atom->name);
  if (size_as_atom(size) != atom)
    return ir_verify_fail(v, "size %s is computed from one that is known at run time only",
                          size_text(&v->arena, size));
  if (!v->function && !v->block)
    return ir_verify_fail(v, "size %s is known at run time only", atom->name);
  if ((number == 0) != (v->function != NULL))
    return ir_verify_fail(v, "size %s is %s", atom->name,
                          number == 0 ? "of host functions only" : "of blocks only");
  return true;
}

bool ir_verify_size(struct ir_verifier *v, const struct size *size) {
  if (!size)
    return ir_verify_fail(v, "a size is missing");
  bool known = true;
  for (uint32_t i = 0; i < size->n_terms; i++) {
    for (uint32_t k = 0; k < size->terms[i].degree; k++) {
      const struct size_atom *atom = size->terms[i].atoms[k];
      if (atom->kind == SIZE_RUNTIME) {
        if (!check_runtime(v, size, atom))
          return false;
        known = false;
        continue;
      }
      if (atom->id >= v->module->n_dims || atom != &v->module->dims[atom->id]->atom)
        return ir_verify_fail(v, "size `%s` is not of this module", atom->name);
      known = known && v->dim_defaults[atom->id] != UNKNOWN;
    }
  }
  int64_t value;
  if (known && !size_evaluate(size, default_value, v, &value))
    return ir_verify_fail(v, "size %s does not fit 64 bits", size_text(&v->arena, size));
  return true;
}

static bool check_shape(struct ir_verifier *v, const struct ir_type *type) {
  if (type->shape.rank > IR_MAX_RANK)
    return ir_verify_fail(v, "a tensor of rank %u", type->shape.rank);
  for (uint32_t i = 0; i < type->shape.rank; i++) {
    int64_t value;
    if (!ir_verify_size(v, type->shape.sizes[i]))
      return false;
    if (size_is_constant(type->shape.sizes[i], &value) && value < 1)
      return ir_verify_fail(v, "the size %lld is below 1", (long long)value);
  }
  return true;
}

static bool check_fields(struct ir_verifier *v, uint32_t n, const struct ir_field *fields) {
  for (uint32_t i = 0; i < n; i++)
    if (!ir_verify_type(v, fields[i].type, true))
      return false;
  return true;
}

bool ir_verify_type(struct ir_verifier *v, const struct ir_type *type, bool tuple_allowed) {
  if (!type)
    return ir_verify_fail(v, "a type is missing");
  switch (type->kind) {
  case IR_INT:
  case IR_BOOL:
  case IR_FLOAT:
  case IR_TEXT: return true;
  case IR_INDEX:
    if (type->dim >= v->module->n_dims || v->module->dims[type->dim]->atom.kind == SIZE_DIM)
      return ir_verify_fail(v, "an index of something that is no vocab or enum");
    return true;
  case IR_TENSOR:
  case IR_ACC: return check_shape(v, type);
  case IR_LIST: return ir_verify_type(v, type->element, true);
  case IR_DATA:
    if (type->data >= v->module->n_datas)
      return ir_verify_fail(v, "there is no data type %u", type->data);
    return true;
  case IR_TUPLE:
    if (!tuple_allowed)
      return ir_verify_fail(v, "the tuple %s is not flattened", ir_verify_type_text(v, type));
    return check_fields(v, type->tuple.n, type->tuple.fields);
  }
  return ir_verify_fail(v, "a type of no known kind");
}

bool ir_verify_agree(struct ir_verifier *v, const struct ir_type *a, const struct ir_type *b) {
  if (a->kind != IR_LIST || b->kind != IR_LIST)
    return ir_type_equal(a, b);
  uint32_t width = ir_type_width(a->element);
  if (width != ir_type_width(b->element))
    return false;
  if (a->element->kind != IR_TUPLE && b->element->kind != IR_TUPLE)
    return ir_verify_agree(v, a->element, b->element);
  const struct ir_type **slots = arena_new_array(&v->arena, const struct ir_type *, 2 * (size_t)width);
  ir_type_flatten(a->element, slots);
  ir_type_flatten(b->element, slots + width);
  bool agree = true;
  for (uint32_t i = 0; agree && i < width; i++)
    agree = ir_verify_agree(v, slots[i], slots[width + i]);
  return agree;
}

// ------------------------------------------------------------------------------------------ tables

static int compare_names(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

// Sorts the names.
static bool check_unique(struct ir_verifier *v, const char *what, uint32_t n, const char **names) {
  if (n > 1)
    qsort(names, n, sizeof *names, compare_names);
  for (uint32_t i = 1; i < n; i++)
    if (strcmp(names[i - 1], names[i]) == 0)
      return ir_verify_fail(v, "two %s are called `%s`", what, names[i]);
  return true;
}

static bool check_names(struct ir_verifier *v) {
  const struct ir_module *m = v->module;
  uint32_t n_types = m->n_dims + m->n_datas;
  const char **types = arena_new_array(&v->arena, const char *, n_types);
  for (uint32_t i = 0; i < m->n_dims; i++)
    types[i] = m->dims[i]->atom.name;
  for (uint32_t i = 0; i < m->n_datas; i++)
    types[m->n_dims + i] = m->datas[i]->name;
  const char **params = arena_new_array(&v->arena, const char *, m->n_params);
  for (uint32_t i = 0; i < m->n_params; i++)
    params[i] = m->params[i]->name;
  const char **functions = arena_new_array(&v->arena, const char *, m->n_functions);
  for (uint32_t i = 0; i < m->n_functions; i++)
    functions[i] = m->functions[i]->name;
  const char **blocks = arena_new_array(&v->arena, const char *, m->n_blocks);
  for (uint32_t i = 0; i < m->n_blocks; i++)
    blocks[i] = m->blocks[i]->name;
  const char **entries = arena_new_array(&v->arena, const char *, m->n_entries);
  for (uint32_t i = 0; i < m->n_entries; i++)
    entries[i] = m->entries[i]->name;
  return check_unique(v, "sizes or data types", n_types, types) &&
         check_unique(v, "parameters", m->n_params, params) &&
         check_unique(v, "functions", m->n_functions, functions) &&
         check_unique(v, "blocks", m->n_blocks, blocks) && check_unique(v, "entries", m->n_entries, entries);
}

// A dim's value is over dims before it. Gives it, with the defaults of those, where it is known.
static bool check_dim_value(struct ir_verifier *v, const struct ir_dim *dim, int64_t *value) {
  bool known = true;
  for (uint32_t i = 0; i < dim->value->n_terms; i++) {
    for (uint32_t k = 0; k < dim->value->terms[i].degree; k++) {
      const struct size_atom *atom = dim->value->terms[i].atoms[k];
      if (atom->id >= dim->atom.id)
        return ir_verify_fail(v, "dim %s: its value depends on %s, which does not come before it",
                              dim->atom.name, atom->name);
      known = known && v->dim_defaults[atom->id] != UNKNOWN;
    }
  }
  if (!ir_verify_size(v, dim->value))
    return false;
  if (!known)
    return true;
  size_evaluate(dim->value, default_value, v, value);  // ir_verify_size has seen that it fits
  if (*value < 1 && dim->atom.kind == SIZE_DIM)
    return ir_verify_fail(v, "dim %s: its value %lld is below 1", dim->atom.name, (long long)*value);
  return true;
}

static bool check_dim(struct ir_verifier *v, uint32_t index, int64_t *value) {
  const struct ir_dim *dim = v->module->dims[index];
  int64_t members;
  *value = UNKNOWN;
  if (dim->atom.id != index)
    return ir_verify_fail(v, "size %s: its number is %u, not %u", dim->atom.name, dim->atom.id, index);
  if (dim->atom.kind == SIZE_VOCAB)
    return true;
  if (!dim->value)
    return ir_verify_fail(v, "dim %s: its value is missing", dim->atom.name);
  if (dim->atom.kind == SIZE_ENUM && (!size_is_constant(dim->value, &members) || members != dim->n_members))
    return ir_verify_fail(v, "enum %s: its value is not the number of its members", dim->atom.name);
  return check_dim_value(v, dim, value);
}

static bool check_dims(struct ir_verifier *v) {
  int64_t *defaults = arena_new_array(&v->arena, int64_t, v->module->n_dims);
  v->dim_defaults = defaults;
  for (uint32_t i = 0; i < v->module->n_dims; i++)
    if (!check_dim(v, i, &defaults[i]))
      return false;
  return true;
}

static bool check_data(struct ir_verifier *v, const struct ir_data *data) {
  if (data->n_constructors == 0)
    return ir_verify_fail(v, "data %s has no constructor", data->name);
  const char **names = arena_new_array(&v->arena, const char *, data->n_constructors);
  for (uint32_t i = 0; i < data->n_constructors; i++) {
    names[i] = data->constructors[i].name;
    if (!check_fields(v, data->constructors[i].n_fields, data->constructors[i].fields))
      return false;
  }
  return check_unique(v, arena_printf(&v->arena, "constructors of %s", data->name), data->n_constructors,
                      names);
}

static bool check_family(struct ir_verifier *v, const struct ir_param *param) {
  uint32_t stars = 0;
  for (const char *c = param->name; *c; c++)
    stars += *c == '*';
  if (stars != param->n_lists)
    return ir_verify_fail(v, "param @%s: %u `*` in the name, but %u counts", param->name, stars,
                          param->n_lists);
  if ((param->n_lists == 0) != (param->count == NULL) || param->n_lists > IR_MAX_RANK)
    return ir_verify_fail(v, "param @%s: its count is not the product of its lists", param->name);
  const struct size *product = size_constant(&v->arena, 1);
  for (uint32_t i = 0; i < param->n_lists; i++) {
    if (!ir_verify_size(v, param->lists[i]))
      return false;
    product = size_mul(&v->arena, product, param->lists[i]);
    if (!product)
      return ir_verify_fail(v, "param @%s: its count is out of range", param->name);
  }
  if (param->count && !size_equal(product, param->count))
    return ir_verify_fail(v, "param @%s: its count is not the product of its lists", param->name);
  return !param->count || ir_verify_size(v, param->count);
}

static bool check_param(struct ir_verifier *v, const struct ir_param *param) {
  if (!ir_verify_type(v, param->type, false))
    return false;
  if (param->type->kind != IR_TENSOR)
    return ir_verify_fail(v, "param @%s: %s is no tensor", param->name, ir_verify_type_text(v, param->type));
  if (param->init == IR_INIT_IDENTITY && param->type->shape.rank != 2)
    return ir_verify_fail(v, "param @%s: only a matrix can be the identity", param->name);
  return check_family(v, param);
}

// Appends a type's slots, flattened; gives how many.
static uint32_t flatten_fields(struct ir_verifier *v, uint32_t n, const struct ir_field *fields,
                               const struct ir_type ***slots) {
  const struct ir_type *tuple = ir_type_tuple(&v->scratch, NULL, n, fields);
  uint32_t width = ir_type_width(tuple);
  *slots = arena_new_array(&v->arena, const struct ir_type *, width);
  ir_type_flatten(tuple, *slots);
  return width;
}

static bool is_sum(const struct ir_type *type, const struct ir_part *part) {
  uint32_t depth = part->kind == IR_PART_NUMBER ? 0 : part->kind == IR_PART_NUMBERS ? 1 : part->n_keys;
  for (; depth > 0 && type->kind == IR_LIST; depth--)
    type = type->element;
  return depth == 0 && type->kind == IR_FLOAT;
}

// The value of a metric: a number, or a table of classes with a number each.
static bool is_value(const struct ir_type *type) {
  struct ir_part part;
  if (!ir_metric_part(type, &part) || type->kind == IR_TENSOR || type->kind == IR_BOOL)
    return false;
  return part.kind == IR_PART_NUMBER || (part.kind == IR_PART_TABLE && part.n_keys == 1 && part.weight);
}

static bool check_metric(struct ir_verifier *v, const struct ir_entry *entry) {
  uint32_t n = ir_metric_part_count(entry->result), n_numbers = 0, total = ir_metric_total(v->module, entry);
  const struct ir_entry *made = total < v->module->n_entries ? v->module->entries[total] : NULL;
  bool fits = !made || (made->n_params == n && is_value(made->result));
  struct ir_part part = {0};
  for (uint32_t i = 0; fits && i < n; i++) {
    fits = ir_metric_part(ir_metric_part_type(entry->result, i), &part) &&
           (!made || is_sum(made->params[i].type, &part));
    n_numbers += part.kind == IR_PART_NUMBER;
  }
  if (!fits)
    return ir_verify_fail(
        v, "metric %s gives what cannot be summed, or its total takes and gives something else", entry->name);
  bool is_whole = made || (n == 2 && n_numbers == 2) || (n == 1 && part.kind == IR_PART_TABLE);
  return is_whole ? true : ir_verify_fail(v, "metric %s gives no numerator and denominator", entry->name);
}

static bool check_entry(struct ir_verifier *v, const struct ir_entry *entry) {
  const char *what = entry->is_metric ? "metric" : "entry";
  if (entry->function >= v->module->n_functions)
    return ir_verify_fail(v, "%s %s: there is no function %u", what, entry->name, entry->function);
  if (!check_fields(v, entry->n_params, entry->params) || !ir_verify_type(v, entry->result, true))
    return false;
  const struct ir_function *function = v->module->functions[entry->function];
  const struct ir_type **params, **results;
  uint32_t n_params = flatten_fields(v, entry->n_params, entry->params, &params);
  bool agree = n_params == function->n_params;
  for (uint32_t i = 0; i < entry->n_params; i++)
    if (!entry->params[i].name)
      return ir_verify_fail(v, "%s %s: a parameter has no name", what, entry->name);
  for (uint32_t i = 0; i < n_params && agree; i++) {
    if (params[i]->kind == IR_ACC)
      return ir_verify_fail(v, "%s %s: a parameter is a sum of tensors", what, entry->name);
    agree = ir_verify_agree(v, ir_data_type(&v->scratch, params[i]), function->params[i]->type);
  }
  if (!agree)
    return ir_verify_fail(v, "%s %s: its parameters are not those of @%s", what, entry->name, function->name);
  uint32_t n_results = flatten_fields(v, 1, &(struct ir_field){NULL, entry->result}, &results);
  agree = n_results == function->n_results;
  for (uint32_t i = 0; i < n_results && agree; i++)
    agree = ir_verify_agree(v, results[i], function->results[i]);
  if (!agree)
    return ir_verify_fail(v, "%s %s: its result is not that of @%s", what, entry->name, function->name);
  return !entry->is_metric || check_metric(v, entry);
}

static bool check_value_types(struct ir_verifier *v, uint32_t n, struct ir_value *const *values) {
  for (uint32_t i = 0; i < n; i++) {
    if (!values[i])
      return ir_verify_fail(v, "a value is missing");
    if (!ir_verify_type(v, values[i]->type, false))
      return false;
  }
  return true;
}

static bool check_function_signature(struct ir_verifier *v, const struct ir_function *function,
                                     uint32_t index) {
  v->function = function;
  if (function->id != index)
    return ir_verify_fail(v, "its number is %u, not %u", function->id, index);
  for (uint32_t i = 0; i < function->n_results; i++)
    if (!ir_verify_type(v, function->results[i], false))
      return false;
  bool valid = check_value_types(v, function->n_params, function->params);
  v->function = NULL;
  return valid;
}

static bool check_block_signature(struct ir_verifier *v, const struct ir_block *block, uint32_t index) {
  v->block = block;
  if (block->id != index || block->kind != IR_BLOCK_FORWARD)
    return ir_verify_fail(v, "it is not the forward block number %u", index);
  if (block->n_results > block->n_outputs)
    return ir_verify_fail(v, "it has more results than outputs");
  bool valid = check_value_types(v, block->n_params, block->params) &&
               check_value_types(v, block->n_outputs, block->outputs);
  v->block = NULL;
  return valid;
}

// What every function and block promises to others; checked before any of their bodies.
static bool check_signatures(struct ir_verifier *v) {
  for (uint32_t i = 0; i < v->module->n_functions; i++)
    if (!check_function_signature(v, v->module->functions[i], i))
      return false;
  for (uint32_t i = 0; i < v->module->n_blocks; i++)
    if (!check_block_signature(v, v->module->blocks[i], i))
      return false;
  return true;
}

static bool check_tables(struct ir_verifier *v) {
  const struct ir_module *m = v->module;
  if (!check_names(v) || !check_dims(v))
    return false;
  for (uint32_t i = 0; i < m->n_datas; i++)
    if (!check_data(v, m->datas[i]))
      return false;
  for (uint32_t i = 0; i < m->n_params; i++)
    if (!check_param(v, m->params[i]))
      return false;
  if (!check_signatures(v))
    return false;
  for (uint32_t i = 0; i < m->n_entries; i++)
    if (!check_entry(v, m->entries[i]))
      return false;
  return true;
}

static bool check_code(struct ir_verifier *v) {
  for (uint32_t i = 0; i < v->module->n_functions; i++)
    if (!ir_verify_function(v, v->module->functions[i]))
      return false;
  for (uint32_t i = 0; i < v->module->n_blocks; i++)
    if (!ir_verify_block(v, v->module->blocks[i]))
      return false;
  return true;
}

// A function of its own: nothing that lives across the longjmp is changed between setjmp and it.
static bool check_guarded(struct ir_verifier *v) {
  jmp_buf exhausted;
  if (setjmp(exhausted) != 0) {
    v->error = ir_text_message("out of memory");
    return false;
  }
  v->arena.on_out_of_memory = v->body_arena.on_out_of_memory = &exhausted;
  return check_tables(v) && check_code(v);
}

bool ir_verify(const struct ir_module *module, char **error) {
  struct ir_verifier v = {.module = module, .scratch = *module};
  arena_init(&v.arena);
  arena_init(&v.body_arena);
  v.scratch.arena = &v.arena;
  bool valid = check_guarded(&v);
  arena_free(&v.arena);
  arena_free(&v.body_arena);
  if (!valid)
    *error = v.error;
  return valid;
}
