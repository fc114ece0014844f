// Construction of modules: the tables, types, instructions and their order.
#include "compiler/ir/ir.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/base/arena.h"

// ----------------------------------------------------------------------------- table of operations

const struct ir_op_info ir_op_infos[IR_N_OPS] = {
#define HOST(ENUM, name_, fails_, attributes_, doc_)                                                         \
  [IR_##ENUM] = {.name = name_,                                                                              \
                 .arity = -1,                                                                                \
                 .class = IR_CLASS_HOST,                                                                     \
                 .attributes = attributes_,                                                                  \
                 .derivatives = "",                                                                          \
                 .fails = fails_,                                                                            \
                 .doc = doc_},
#include "compiler/ir/hostops.def"
#undef HOST
#define FLAG_NONE 0
#define FLAG_INDEX 1
#define FLAG_RANDOM 2
#define VALUE_NONE NULL
#define VALUE_ROUTINE NULL
#define VALUE_AS(...) #__VA_ARGS__
#define OPAQUE IR_COST_OPAQUE
#define OP(ENUM, name_, arity_, class_, cost_, flags_, attributes_, shape_, value_, derivatives_, user_,     \
           doc_)                                                                                             \
  [IR_OP_##ENUM] = {.name = name_,                                                                           \
                    .arity = arity_,                                                                         \
                    .class = IR_CLASS_##class_,                                                              \
                    .cost = cost_,                                                                           \
                    .attributes = attributes_,                                                               \
                    .value = VALUE_##value_,                                                                 \
                    .derivatives = derivatives_,                                                             \
                    .user = user_,                                                                           \
                    .takes_index = FLAG_##flags_ == FLAG_INDEX,                                              \
                    .random = FLAG_##flags_ == FLAG_RANDOM,                                                  \
                    .doc = doc_},
#include "compiler/ir/ops.def"
#undef OP
#undef OPAQUE
};

enum ir_op ir_op_find(const char *name) {
  for (int op = 0; op < IR_N_OPS; op++)
    if (strcmp(ir_op_infos[op].name, name) == 0)
      return (enum ir_op)op;
  return IR_N_OPS;
}

// ------------------------------------------------------------------------------------------- types

uint32_t ir_type_width(const struct ir_type *type) {
  if (type->kind != IR_TUPLE)
    return 1;
  uint32_t width = 0;
  for (uint32_t i = 0; i < type->tuple.n; i++)
    width += ir_type_width(type->tuple.fields[i].type);
  return width;
}

static const struct ir_type **flatten(const struct ir_type *type, const struct ir_type **out) {
  if (type->kind != IR_TUPLE) {
    *out = type;
    return out + 1;
  }
  for (uint32_t i = 0; i < type->tuple.n; i++)
    out = flatten(type->tuple.fields[i].type, out);
  return out;
}

void ir_type_flatten(const struct ir_type *type, const struct ir_type **out) { flatten(type, out); }

const struct ir_type *ir_data_type(struct ir_module *module, const struct ir_type *schema) {
  if (schema->kind == IR_TENSOR)
    return ir_type_list(module, ir_type_simple(module, IR_FLOAT));
  if (schema->kind == IR_LIST)
    return ir_type_list(module, ir_data_type(module, schema->element));
  if (schema->kind != IR_TUPLE)
    return schema;
  struct ir_field *fields = arena_new_array(module->arena, struct ir_field, schema->tuple.n);
  for (uint32_t i = 0; i < schema->tuple.n; i++)
    fields[i] = (struct ir_field){schema->tuple.fields[i].name,
                                  ir_data_type(module, schema->tuple.fields[i].type)};
  return ir_type_tuple(module, schema->tuple.name, schema->tuple.n, fields);
}

static bool names_equal(const char *a, const char *b) { return a && b ? strcmp(a, b) == 0 : a == b; }

static bool tuples_equal(const struct ir_type *a, const struct ir_type *b) {
  if (a->tuple.n != b->tuple.n || !names_equal(a->tuple.name, b->tuple.name))
    return false;
  for (uint32_t i = 0; i < a->tuple.n; i++)
    if (!names_equal(a->tuple.fields[i].name, b->tuple.fields[i].name) ||
        !ir_type_equal(a->tuple.fields[i].type, b->tuple.fields[i].type))
      return false;
  return true;
}

uint32_t ir_runtime_number(const struct size *size) {
  const struct size_atom *atom = size_as_atom(size);
  return atom && atom->kind == SIZE_RUNTIME ? atom->id - IR_RUNTIME_ID : 0;
}

int64_t ir_order_inverse(int64_t order, uint32_t rank) {
  int64_t inverse = 0;
  for (uint32_t i = 0; i < rank; i++)
    inverse = ir_order_with(inverse, ir_order(order, i), i);
  return inverse;
}

const struct size *ir_indexed_size(const struct ir_instr *instr) {
  bool of_result = instr->op == IR_OP_ONEHOT || instr->op == IR_OP_PUT;
  const struct ir_type *type = (of_result ? instr->results[0] : instr->operands[0])->type;
  return ir_axis(instr) < type->shape.rank ? type->shape.sizes[ir_axis(instr)] : NULL;
}

const struct size *ir_indexed_length(const struct ir_instr *instr) {
  if (instr->op == IR_OP_WINDOW)
    return instr->length;
  const struct ir_shape *a = instr->op == IR_OP_PUT ? &instr->operands[0]->type->shape : NULL;
  bool is_long = a && ir_axis(instr) < a->rank && a->rank == instr->results[0]->type->shape.rank;
  return is_long ? a->sizes[ir_axis(instr)] : NULL;
}

bool ir_type_is_ragged(const struct ir_type *type) {
  if (type->kind != IR_TENSOR && type->kind != IR_ACC)
    return false;
  for (uint32_t i = 0; i < type->shape.rank; i++)
    if (size_is_runtime(type->shape.sizes[i]))
      return true;
  return false;
}

bool ir_block_is_ragged(const struct ir_block *block) {
  for (uint32_t i = 0; i < block->n_params; i++)
    if (block->params[i]->type->kind == IR_LIST || ir_type_is_ragged(block->params[i]->type))
      return true;
  return false;
}

bool ir_type_equal(const struct ir_type *a, const struct ir_type *b) {
  if (a == b)
    return true;
  if (a->kind != b->kind)
    return false;
  switch (a->kind) {
  case IR_INT:
  case IR_BOOL:
  case IR_FLOAT:
  case IR_TEXT: return true;
  case IR_INDEX: return a->dim == b->dim;
  case IR_TENSOR:
  case IR_ACC:
    if (a->shape.rank != b->shape.rank)
      return false;
    for (uint32_t i = 0; i < a->shape.rank; i++)
      if (!size_equal(a->shape.sizes[i], b->shape.sizes[i]))
        return false;
    return true;
  case IR_LIST: return ir_type_equal(a->element, b->element);
  case IR_DATA: return a->data == b->data;
  case IR_TUPLE: return tuples_equal(a, b);
  }
  return false;
}

// The constructor with its slots counted: once, since there may be as many as there are instructions that ask.
static const struct ir_constructor *laid_out(struct ir_module *module, uint32_t data, uint32_t constructor) {
  struct ir_constructor *c = &module->datas[data]->constructors[constructor];
  if (c->slots)
    return c;
  uint32_t *first_slots = arena_new_array(module->arena, uint32_t, c->n_fields), n = 0;
  for (uint32_t i = 0; i < c->n_fields; n += ir_type_width(c->fields[i++].type))
    first_slots[i] = n;
  const struct ir_type **slots = arena_new_array(module->arena, const struct ir_type *, n);
  for (uint32_t i = 0; i < c->n_fields; i++)
    ir_type_flatten(c->fields[i].type, slots + first_slots[i]);
  c->first_slots = first_slots;
  c->n_slots = n;
  c->slots = slots;
  return c;
}

const struct ir_type *ir_constructor_slot(struct ir_module *module, uint32_t data, uint32_t constructor,
                                          uint32_t slot) {
  const struct ir_constructor *c = laid_out(module, data, constructor);
  return slot < c->n_slots ? c->slots[slot] : NULL;
}

uint32_t ir_field_slot(struct ir_module *module, uint32_t data, uint32_t constructor, uint32_t field) {
  return laid_out(module, data, constructor)->first_slots[field];
}

static struct ir_type *type_new(struct ir_module *module, enum ir_type_kind kind) {
  struct ir_type *type = arena_new(module->arena, struct ir_type);
  type->kind = kind;
  return type;
}

const struct ir_type *ir_type_simple(struct ir_module *module, enum ir_type_kind kind) {
  static const struct ir_type simple[] = {
      {.kind = IR_INT}, {.kind = IR_BOOL}, {.kind = IR_FLOAT}, {.kind = IR_TEXT}};
  (void)module;
  assert(kind <= IR_TEXT);
  return &simple[kind];
}

const struct ir_type *ir_type_index(struct ir_module *module, uint32_t dim) {
  struct ir_type *type = type_new(module, IR_INDEX);
  type->dim = dim;
  return type;
}

const struct ir_type *ir_type_tensor(struct ir_module *module, uint32_t rank,
                                     const struct size *const *sizes) {
  assert(rank <= IR_MAX_RANK);
  struct ir_type *type = type_new(module, IR_TENSOR);
  type->shape.rank = rank;
  for (uint32_t i = 0; i < rank; i++)
    type->shape.sizes[i] = sizes[i];
  return type;
}

const struct ir_type *ir_type_acc(struct ir_module *module, const struct ir_type *tensor) {
  assert(tensor->kind == IR_TENSOR);
  struct ir_type *type = type_new(module, IR_ACC);
  type->shape = tensor->shape;
  return type;
}

const struct ir_type *ir_type_list(struct ir_module *module, const struct ir_type *element) {
  struct ir_type *type = type_new(module, IR_LIST);
  type->element = element;
  return type;
}

const struct ir_type *ir_type_data(struct ir_module *module, uint32_t data) {
  struct ir_type *type = type_new(module, IR_DATA);
  type->data = data;
  return type;
}

const struct ir_type *ir_type_tuple(struct ir_module *module, const char *name, uint32_t n,
                                    const struct ir_field *fields) {
  struct ir_field *copy = arena_new_array(module->arena, struct ir_field, n);
  if (n)
    memcpy(copy, fields, n * sizeof *copy);
  struct ir_type *type = type_new(module, IR_TUPLE);
  type->tuple.name = name;
  type->tuple.n = n;
  type->tuple.fields = copy;
  return type;
}

// ----------------------------------------------------------------------------------- module tables

struct ir_module *ir_module_new(const char *name) {
  struct arena *arena = malloc(sizeof *arena);
  if (!arena)
    return NULL;
  arena_init(arena);
  name = name ? name : "";
  struct ir_module *module = arena_try_alloc(arena, sizeof *module);
  char *copy = module ? arena_try_alloc(arena, strlen(name) + 1) : NULL;
  if (!copy) {
    arena_free(arena);
    free(arena);
    return NULL;
  }
  module->arena = arena;
  module->name = strcpy(copy, name);
  return module;
}

void ir_module_free(struct ir_module *module) {
  if (!module)
    return;
  struct arena *arena = module->arena;  // the module itself lies in it
  arena_free(arena);
  free(arena);
}

// Room for one more in a table of pointers that only this function grows: capacities are 4, 8, 16, ...
static void *grow_table(struct arena *arena, void *items, uint32_t n) {
  bool full = n == 0 || (n >= 4 && (n & (n - 1)) == 0);
  return full ? arena_grow_array(arena, items, n, n ? 2 * (size_t)n : 4, sizeof(void *)) : items;
}

#define ADD(module, table, count, item)                                                                      \
  ((module)->table = grow_table((module)->arena, (module)->table, (module)->count),                          \
   (module)->table[(module)->count] = (item), (module)->count++)

struct ir_dim *ir_add_dim(struct ir_module *module, const char *name, enum size_atom_kind kind) {
  struct ir_dim *dim = arena_new(module->arena, struct ir_dim);
  dim->atom = (struct size_atom){arena_strdup(module->arena, name), kind, module->n_dims};
  dim->min_count = 1;
  ADD(module, dims, n_dims, dim);
  return dim;
}

const struct size *ir_runtime_size(struct ir_module *module, uint32_t number) {
  assert(number <= IR_MAX_RUNTIME);
  while (module->n_runtimes <= number) {
    uint32_t n = module->n_runtimes;
    struct ir_runtime *runtime = arena_new(module->arena, struct ir_runtime);
    const char *name = n ? arena_printf(module->arena, "?%" PRIu32, n) : "?";
    runtime->atom = (struct size_atom){name, SIZE_RUNTIME, IR_RUNTIME_ID + n};
    runtime->size = size_from_atom(module->arena, &runtime->atom);
    ADD(module, runtimes, n_runtimes, runtime);
  }
  return module->runtimes[number]->size;
}

struct ir_data *ir_add_data(struct ir_module *module, const char *name) {
  struct ir_data *data = arena_new(module->arena, struct ir_data);
  data->name = arena_strdup(module->arena, name);
  ADD(module, datas, n_datas, data);
  return data;
}

struct ir_param *ir_add_param(struct ir_module *module, const char *name, const struct ir_type *type) {
  struct ir_param *param = arena_new(module->arena, struct ir_param);
  param->name = arena_strdup(module->arena, name);
  param->type = type;
  ADD(module, params, n_params, param);
  return param;
}

struct ir_function *ir_add_function(struct ir_module *module, const char *name) {
  struct ir_function *function = arena_new(module->arena, struct ir_function);
  function->name = arena_strdup(module->arena, name);
  function->id = module->n_functions;
  ADD(module, functions, n_functions, function);
  return function;
}

struct ir_block *ir_add_block(struct ir_module *module, const char *name, enum ir_block_kind kind) {
  struct ir_block *block = arena_new(module->arena, struct ir_block);
  block->name = arena_strdup(module->arena, name);
  block->kind = kind;
  if (kind == IR_BLOCK_FORWARD) {
    block->id = module->n_blocks;
    ADD(module, blocks, n_blocks, block);
  }
  return block;
}

struct ir_entry *ir_add_entry(struct ir_module *module, const char *name) {
  struct ir_entry *entry = arena_new(module->arena, struct ir_entry);
  entry->name = arena_strdup(module->arena, name);
  ADD(module, entries, n_entries, entry);
  return entry;
}

uint32_t ir_add_file(struct ir_module *module, const char *name) {
  ADD(module, files, n_files, arena_strdup(module->arena, name));
  return module->n_files - 1;
}

// ---------------------------------------------------------------------------- values, instructions

static struct ir_value *value_new(struct ir_module *module, const struct ir_type *type, uint32_t *n_values) {
  struct ir_value *value = arena_new(module->arena, struct ir_value);
  value->id = (*n_values)++;
  value->type = type;
  return value;
}

// `room` is the array's capacity where this function made it; passes that set an array themselves set it to what
// they made, or leave 0, and whoever only takes values out leaves it as it is.
static struct ir_value **append_value(struct ir_module *module, struct ir_value **values, uint32_t n,
                                      uint32_t *room, struct ir_value *value) {
  if (n >= *room) {
    *room = n < 4 ? 4 : 2 * n;
    values = arena_grow_array(module->arena, values, n, *room, sizeof *values);
  }
  values[n] = value;
  return values;
}

struct ir_bb *ir_add_bb(struct ir_module *module, struct ir_function *function) {
  struct ir_bb *bb = arena_new(module->arena, struct ir_bb);
  bb->id = function->n_bbs++;
  ir_append_bb(function, bb);
  return bb;
}

void ir_append_bb(struct ir_function *function, struct ir_bb *bb) {
  struct ir_bb **link = function->last_bb ? &function->last_bb->next : &function->entry;
  while (*link)
    link = &(*link)->next;
  *link = function->last_bb = bb;
}

struct ir_value *ir_add_bb_param(struct ir_module *module, struct ir_function *function, struct ir_bb *bb,
                                 const struct ir_type *type) {
  struct ir_value *value = value_new(module, type, &function->n_values);
  bb->params = append_value(module, bb->params, bb->n_params++, &bb->params_room, value);
  return value;
}

struct ir_value *ir_add_function_param(struct ir_module *module, struct ir_function *function,
                                       const struct ir_type *type) {
  struct ir_value *value = value_new(module, type, &function->n_values);
  function->params = append_value(module, function->params, function->n_params++, &function->params_room,
                                  value);
  return value;
}

struct ir_value *ir_add_block_param(struct ir_module *module, struct ir_block *block,
                                    const struct ir_type *type) {
  struct ir_value *value = value_new(module, type, &block->n_values);
  block->params = append_value(module, block->params, block->n_params++, &block->params_room, value);
  return value;
}

static struct ir_value **copy_values(struct ir_module *module, uint32_t n, struct ir_value *const *values) {
  struct ir_value **copy = arena_new_array(module->arena, struct ir_value *, n);
  if (n)
    memcpy(copy, values, n * sizeof *copy);
  return copy;
}

struct ir_instr *ir_instr_new(struct ir_module *module, enum ir_op op, uint32_t n_operands,
                              struct ir_value *const *operands, uint32_t n_results,
                              const struct ir_type *const *result_types, uint32_t n_targets,
                              uint32_t *n_values) {
  struct ir_instr *instr = arena_new(module->arena, struct ir_instr);
  instr->op = op;
  instr->n_operands = n_operands;
  instr->operands = copy_values(module, n_operands, operands);
  instr->n_results = n_results;
  instr->results = arena_new_array(module->arena, struct ir_value *, n_results);
  for (uint32_t i = 0; i < n_results; i++) {
    instr->results[i] = value_new(module, result_types[i], n_values);
    instr->results[i]->def = instr;
  }
  instr->n_targets = n_targets;
  instr->targets = arena_new_array(module->arena, struct ir_target, n_targets);
  return instr;
}

void ir_set_target(struct ir_module *module, struct ir_instr *instr, uint32_t which, struct ir_bb *bb,
                   uint32_t n_args, struct ir_value *const *args) {
  assert(which < instr->n_targets);
  instr->targets[which] = (struct ir_target){bb, n_args, copy_values(module, n_args, args)};
}

// `first` and `last` are the list's ends, in a basic block or a block. at NULL: at the end.
static void list_insert(struct ir_instr **first, struct ir_instr **last, struct ir_instr *at,
                        struct ir_instr *instr) {
  instr->next = at;
  instr->prev = at ? at->prev : *last;
  *(instr->prev ? &instr->prev->next : first) = instr;
  *(at ? &at->prev : last) = instr;
}

static void list_remove(struct ir_instr **first, struct ir_instr **last, struct ir_instr *instr) {
  *(instr->prev ? &instr->prev->next : first) = instr->next;
  *(instr->next ? &instr->next->prev : last) = instr->prev;
  instr->prev = instr->next = NULL;
}

void ir_append(struct ir_bb *bb, struct ir_instr *instr) { list_insert(&bb->first, &bb->last, NULL, instr); }

void ir_block_append(struct ir_block *block, struct ir_instr *instr) {
  list_insert(&block->first, &block->last, NULL, instr);
}

void ir_insert_before(struct ir_bb *bb, struct ir_instr *at, struct ir_instr *instr) {
  list_insert(&bb->first, &bb->last, at, instr);
}

void ir_block_insert_before(struct ir_block *block, struct ir_instr *at, struct ir_instr *instr) {
  list_insert(&block->first, &block->last, at, instr);
}

void ir_move_rest(struct ir_bb *from, struct ir_instr *after, struct ir_bb *to) {
  if (!after->next)
    return;
  after->next->prev = to->last;
  *(to->last ? &to->last->next : &to->first) = after->next;
  to->last = from->last;
  from->last = after;
  after->next = NULL;
}

void ir_remove(struct ir_bb *bb, struct ir_instr *instr) { list_remove(&bb->first, &bb->last, instr); }

void ir_block_remove(struct ir_block *block, struct ir_instr *instr) {
  list_remove(&block->first, &block->last, instr);
}

// --------------------------------------------------------------------------------- whole functions

static uint32_t number(uint32_t next, uint32_t n, struct ir_value **values) {
  for (uint32_t i = 0; i < n; i++)
    values[i]->id = next++;
  return next;
}

void ir_renumber(struct ir_function *function) {
  uint32_t next = number(0, function->n_params, function->params), n_bbs = 0;
  for (struct ir_bb *bb = function->entry; bb; bb = bb->next) {
    bb->id = n_bbs++;
    next = number(next, bb->n_params, bb->params);
    for (struct ir_instr *instr = bb->first; instr; instr = instr->next)
      next = number(next, instr->n_results, instr->results);
    function->last_bb = bb;
  }
  function->n_values = next;
  function->n_bbs = n_bbs;
}

void ir_block_renumber(struct ir_block *block) {
  uint32_t next = number(0, block->n_params, block->params);
  for (struct ir_instr *instr = block->first; instr; instr = instr->next)
    next = number(next, instr->n_results, instr->results);
  block->n_values = next;
}

// One edge of the call graph, kept in a list per callee.
struct caller {
  uint32_t function;
  struct caller *next;
};

// Finds the functions that decide by themselves, and the edges from callees to callers.
static uint32_t scan_calls(struct ir_module *module, struct arena *scratch, struct caller **callers,
                           uint32_t *deciding) {
  uint32_t n = 0;
  for (uint32_t f = 0; f < module->n_functions; f++) {
    struct ir_function *function = module->functions[f];
    function->decides = false;
    for (struct ir_bb *bb = function->entry; bb; bb = bb->next) {
      for (struct ir_instr *instr = bb->first; instr; instr = instr->next) {
        if (ir_is_read(instr->op)) {
          function->decides = true;
        } else if (instr->op == IR_CALL && instr->symbol < module->n_functions) {
          struct caller *caller = arena_new(scratch, struct caller);
          *caller = (struct caller){f, callers[instr->symbol]};
          callers[instr->symbol] = caller;
        }
      }
    }
    if (function->decides)
      deciding[n++] = f;
  }
  return n;
}

void ir_analyse_decides(struct ir_module *module, struct arena *scratch) {
  struct caller **callers = arena_new_array(scratch, struct caller *, module->n_functions);
  uint32_t *deciding = arena_new_array(scratch, uint32_t, module->n_functions);
  uint32_t n = scan_calls(module, scratch, callers, deciding);
  while (n > 0) {
    for (struct caller *caller = callers[deciding[--n]]; caller; caller = caller->next) {
      if (module->functions[caller->function]->decides)
        continue;
      module->functions[caller->function]->decides = true;
      deciding[n++] = caller->function;
    }
  }
}
