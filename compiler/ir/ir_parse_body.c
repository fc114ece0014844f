// Functions and blocks of the text form. Values and basic blocks may be used before their definition in the
// text; that a use is dominated by its definition is the verifier's business.
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/base/arena.h"
#include "compiler/base/array.h"
#include "compiler/ir/ir_parser.h"
#include "compiler/ir/ir_text.h"

// Numbers of values and basic blocks stay below this: passes have arrays indexed by them.
#define MAX_ID (1u << 22)

struct position {
  uint32_t line, column;
};

struct value_list {
  struct ir_value **items;
  size_t count, capacity;
};

struct type_list {
  const struct ir_type **items;
  size_t count, capacity;
};

// An instruction whose data type is known only when its operand's type is.
struct pending {
  struct ir_instr *instr;
  const char *constructor;  // NULL: the instruction has none
  struct position at;
};

struct body {
  struct ir_parser *p;
  struct ir_function *function;  // or NULL
  struct ir_block *block;        // or NULL
  struct {
    struct pending *items;
    size_t count, capacity;
  } pending;
  struct value_list outputs;  // of a block
};

// --------------------------------------------------------------------------------- numbered things

// malloc'd, since the module outlives it; without memory the parser is left as if its arena had none.
static void reserve(struct ir_parser *p, void *array, size_t size, uint64_t wanted, uint32_t *capacity) {
  if (!array_reserve_u32(array, size, wanted, capacity))
    arena_out_of_memory(p->module->arena);
}

// Where the thing with this number is kept; NULL there when it is met for the first time.
static void **id_slot(struct ir_parser *p, struct ir_ids *ids, uint32_t id) {
  uint32_t old = ids->capacity;
  reserve(p, &ids->items, sizeof *ids->items, (uint64_t)id + 1, &ids->capacity);
  memset(ids->items + old, 0, (ids->capacity - old) * sizeof *ids->items);
  return &ids->items[id];
}

static void note_met(struct ir_parser *p, struct ir_ids *ids, uint32_t id) {
  reserve(p, &ids->met, sizeof *ids->met, (uint64_t)ids->n_met + 1, &ids->met_capacity);
  ids->met[ids->n_met++] = id;
}

static void forget_ids(struct ir_ids *ids) {
  for (uint32_t i = 0; i < ids->n_met; i++)
    ids->items[ids->met[i]] = NULL;
  ids->n_met = 0;
}

// The number in the current token, which is a VALUE or a LABEL.
static uint32_t token_id(struct ir_parser *p) {
  uint32_t id = 0;
  for (size_t i = 0; i < p->token.length; i++) {
    id = id * 10 + (uint32_t)(p->token.text[i] - '0');
    if (id >= MAX_ID) {
      ir_parse_fail(p, "numbers go up to %u", MAX_ID - 1);
      return 0;
    }
  }
  return id;
}

static struct position *position_here(struct ir_parser *p) {
  struct position *at = arena_new(p->module->arena, struct position);
  *at = (struct position){p->token.line, p->token.column};
  return at;
}

// The value with the current token's number, and past it. Until it is defined its type is NULL, and its note
// is the position of the first use.
static struct ir_value *parse_value(struct ir_parser *p) {
  if (p->token.kind != IR_TOKEN_VALUE) {
    ir_parse_fail(p, "expected a value such as %%0");
    return arena_new(p->module->arena, struct ir_value);
  }
  uint32_t id = token_id(p);
  void **slot = id_slot(p, &p->values, id);
  if (!*slot) {
    struct ir_value *value = arena_new(p->module->arena, struct ir_value);
    value->id = id;
    value->note = position_here(p);
    *slot = value;
    note_met(p, &p->values, id);
  }
  ir_parse_advance(p);
  return *slot;
}

static void define_value(struct ir_parser *p, struct ir_value *value, const struct ir_type *type,
                         struct ir_instr *def, struct position at) {
  if (value->type)
    ir_parse_fail_at(p, at.line, at.column, "%%%" PRIu32 " is defined twice", value->id);
  value->type = type;
  value->def = def;
}

// Likewise for basic blocks: their note is the position of the first use until they are defined.
static struct ir_bb *parse_label(struct ir_parser *p) {
  uint32_t id = token_id(p);
  void **slot = id_slot(p, &p->labels, id);
  if (!*slot) {
    struct ir_bb *bb = arena_new(p->module->arena, struct ir_bb);
    bb->id = id;
    bb->note = position_here(p);
    *slot = bb;
    note_met(p, &p->labels, id);
  }
  ir_parse_advance(p);
  return *slot;
}

static struct position here(const struct ir_parser *p) {
  return (struct position){p->token.line, p->token.column};
}

// Appends `(%0: T, %1: T)`.
static void parse_params(struct ir_parser *p, struct value_list *params) {
  ir_parse_expect_mark(p, '(');
  while (!p->error && !ir_parse_at_mark(p, ')')) {
    struct position at = here(p);
    struct ir_value *value = parse_value(p);
    ir_parse_expect_mark(p, ':');
    define_value(p, value, ir_parse_type(p), NULL, at);
    arena_push(p->module->arena, params, value);
    if (!ir_parse_accept_mark(p, ','))
      break;
  }
  ir_parse_expect_mark(p, ')');
}

static struct value_list parse_values(struct ir_parser *p) {
  struct value_list values = {0};
  while (p->token.kind == IR_TOKEN_VALUE) {
    arena_push(p->module->arena, &values, parse_value(p));
    if (!ir_parse_accept_mark(p, ','))
      break;
    if (p->token.kind != IR_TOKEN_VALUE)
      ir_parse_fail(p, "expected a value after the comma");
  }
  return values;
}

// `-> (T, T)`
static struct type_list parse_result_types(struct ir_parser *p) {
  struct type_list types = {0};
  if (p->token.kind != IR_TOKEN_ARROW)
    ir_parse_fail(p, "expected `->` and the types of the results");
  ir_parse_advance(p);
  ir_parse_expect_mark(p, '(');
  while (!p->error && !ir_parse_at_mark(p, ')')) {
    arena_push(p->module->arena, &types, ir_parse_type(p));
    if (!ir_parse_accept_mark(p, ','))
      break;
  }
  ir_parse_expect_mark(p, ')');
  return types;
}

// ------------------------------------------------------------------------------------ instructions

static uint32_t parse_reference(struct ir_parser *p, const struct map *names, const char *what) {
  struct position at = here(p);
  const char *name = ir_parse_symbol(p, what);
  uint32_t id = 0;
  if (!ir_names_find(names, name, &id))
    ir_parse_fail_at(p, at.line, at.column, "there is no %s @%s", what, name);
  return id;
}

static void parse_named_attribute(struct body *body, struct ir_instr *instr) {
  struct ir_parser *p = body->p;
  uint32_t attributes = ir_op_infos[instr->op].attributes;
  if (attributes & IR_ATTR_FUNCTION)
    instr->symbol = parse_reference(p, &p->functions, "function");
  else if (attributes & IR_ATTR_BLOCK)
    instr->symbol = parse_reference(p, &p->blocks, "block");
  else if (attributes & IR_ATTR_PARAM)
    instr->symbol = parse_reference(p, &p->params, "parameter");
  if (attributes & IR_ATTR_DATA) {
    struct pending pending = {instr, NULL, here(p)};
    if (attributes & IR_ATTR_CONSTRUCTOR)
      pending.constructor = ir_parse_name(p, "a constructor");
    arena_push(p->module->arena, &body->pending, pending);
  }
}

static void expect_word(struct ir_parser *p, const char *word) {
  if (!ir_parse_accept_word(p, word))
    ir_parse_fail(p, "expected `%s`", word);
}

static void parse_attributes(struct ir_parser *p, struct ir_instr *instr) {
  uint32_t attributes = ir_op_infos[instr->op].attributes;
  if (attributes & IR_ATTR_INTEGER)
    instr->integer = instr->op == IR_PRINT ? ir_parse_integer(p, 0, IR_MOST_PRINTS - 1)
                                           : ir_parse_integer(p, INT64_MIN, INT64_MAX);
  if (attributes & IR_ATTR_NUMBER) {
    if (instr->op == IR_OP_DROPOUT)
      expect_word(p, "p");
    instr->number = ir_parse_double(p);
  }
  if (attributes & (IR_ATTR_SIZE | IR_ATTR_OFFSET)) {
    if (attributes & IR_ATTR_OFFSET)
      expect_word(p, "offset");
    instr->size = ir_parse_size(p);
  }
  if (attributes & IR_ATTR_LENGTH) {
    expect_word(p, "length");
    instr->length = ir_parse_size(p);
  }
  if (attributes & (IR_ATTR_SLOT | IR_ATTR_COUNT | IR_ATTR_INPUT)) {
    expect_word(p, attributes & IR_ATTR_SLOT ? "slot" : attributes & IR_ATTR_COUNT ? "count" : "input");
    instr->integer = ir_parse_integer(p, 0, UINT32_MAX);
  }
  if (attributes & IR_ATTR_TEXT)
    instr->text = ir_parse_name(p, "a text in quotes");
  if (instr->op == IR_PRINT && instr->integer >= p->module->n_prints)
    p->module->n_prints = (uint32_t)instr->integer + 1;
  if (attributes & IR_ATTR_SITE) {
    expect_word(p, "site");
    instr->site = (uint32_t)ir_parse_integer(p, 0, INT32_MAX);
    if (instr->site >= p->module->n_sites)
      p->module->n_sites = instr->site + 1;
  }
  if (attributes & IR_ATTR_TRANSPOSE) {
    instr->transpose_a = ir_parse_accept_word(p, "transpose_a");
    instr->transpose_b = ir_parse_accept_word(p, "transpose_b");
  }
  if ((attributes & IR_ATTR_AXIS) && ir_parse_accept_word(p, "dim"))
    instr->axis = (uint32_t)ir_parse_integer(p, 0, IR_MAX_RANK - 1) + 1;
  if (attributes & IR_ATTR_ORDER) {
    expect_word(p, "order");
    for (uint32_t i = 0; i < IR_MAX_RANK && p->token.kind == IR_TOKEN_NUMBER; i++)
      instr->integer = ir_order_with(instr->integer, i, (uint32_t)ir_parse_integer(p, 0, IR_MAX_RANK - 1));
  }
}

// `^1, ^2(%3, %4)`
static void parse_targets(struct ir_parser *p, struct ir_instr *instr) {
  struct {
    struct ir_target *items;
    size_t count, capacity;
  } targets = {0};
  while (p->token.kind == IR_TOKEN_LABEL) {
    struct ir_target target = {.bb = parse_label(p)};
    if (ir_parse_accept_mark(p, '(')) {
      struct value_list args = parse_values(p);
      target.n_args = (uint32_t)args.count;
      target.args = args.items;
      ir_parse_expect_mark(p, ')');
    }
    arena_push(p->module->arena, &targets, target);
    if (!ir_parse_accept_mark(p, ','))
      break;
    if (p->token.kind != IR_TOKEN_LABEL)
      ir_parse_fail(p, "expected a basic block after the comma");
  }
  instr->n_targets = (uint32_t)targets.count;
  instr->targets = targets.items;
}

// `: T, T`, one per result, which are defined by it.
static void parse_instr_types(struct ir_parser *p, struct ir_instr *instr, struct position start) {
  for (uint32_t i = 0; i < instr->n_results && !p->error; i++) {
    ir_parse_expect_mark(p, i ? ',' : ':');
    define_value(p, instr->results[i], ir_parse_type(p), instr, start);
  }
}

static enum ir_op parse_op(struct ir_parser *p) {
  enum ir_op op = IR_N_OPS;
  if (p->token.kind == IR_TOKEN_NAME)
    op = ir_op_find(arena_strndup(p->module->arena, p->token.text, p->token.length));
  if (op == IR_N_OPS) {
    ir_parse_fail(p, "expected an operation");
    return IR_RETURN;
  }
  ir_parse_advance(p);
  return op;
}

static struct ir_instr *parse_instr(struct body *body) {
  struct ir_parser *p = body->p;
  struct position start = here(p);
  struct ir_instr *instr = arena_new(p->module->arena, struct ir_instr);
  struct value_list results = parse_values(p);
  instr->n_results = (uint32_t)results.count;
  instr->results = results.items;
  if (results.count)
    ir_parse_expect_mark(p, '=');
  instr->op = parse_op(p);
  parse_named_attribute(body, instr);
  struct value_list operands = parse_values(p);
  instr->n_operands = (uint32_t)operands.count;
  instr->operands = operands.items;
  parse_attributes(p, instr);
  parse_targets(p, instr);
  parse_instr_types(p, instr, start);
  instr->loc = ir_parse_location(p);
  ir_parse_expect_newline(p);
  return instr;
}

// ------------------------------------------------------------------------------------------ bodies

static void skip_newlines(struct ir_parser *p) {
  while (p->token.kind == IR_TOKEN_NEWLINE)
    ir_parse_advance(p);
}

static void parse_bb(struct body *body, struct ir_bb *bb) {
  struct ir_parser *p = body->p;
  if (ir_parse_at_mark(p, '(')) {
    struct value_list params = {0};
    parse_params(p, &params);
    bb->n_params = (uint32_t)params.count;
    bb->params = params.items;
  }
  ir_parse_expect_mark(p, ':');
  ir_parse_expect_newline(p);
  for (skip_newlines(p); !p->error && p->token.kind != IR_TOKEN_LABEL && !ir_parse_at_mark(p, '}');
       skip_newlines(p)) {
    if (p->token.kind == IR_TOKEN_END)
      ir_parse_fail(p, "expected an instruction or `}`, found the end");
    else
      ir_append(bb, parse_instr(body));
  }
}

static void parse_function_body(struct body *body) {
  struct ir_parser *p = body->p;
  struct ir_bb **link = &body->function->entry;
  ir_parse_expect_mark(p, '{');
  ir_parse_expect_newline(p);
  for (skip_newlines(p); p->token.kind == IR_TOKEN_LABEL; skip_newlines(p)) {
    struct position at = here(p);
    struct ir_bb *bb = parse_label(p);
    // The note of a defined basic block is itself, until check_defined clears it.
    if (bb->note == bb) {
      ir_parse_fail_at(p, at.line, at.column, "^%" PRIu32 " is defined twice", bb->id);
      break;
    }
    bb->note = bb;
    *link = bb;
    link = &bb->next;
    parse_bb(body, bb);
  }
  ir_parse_expect_mark(p, '}');
}

static void parse_block_body(struct body *body) {
  struct ir_parser *p = body->p;
  ir_parse_expect_mark(p, '{');
  ir_parse_expect_newline(p);
  bool returned = false;
  for (skip_newlines(p); !p->error && !ir_parse_at_mark(p, '}'); skip_newlines(p)) {
    if (returned || p->token.kind == IR_TOKEN_END) {
      ir_parse_fail(p, "expected `}`");
    } else if (ir_parse_accept_word(p, "return")) {
      body->outputs = parse_values(p);
      ir_parse_expect_newline(p);
      returned = true;
    } else {
      ir_block_append(body->block, parse_instr(body));
    }
  }
  ir_parse_expect_mark(p, '}');
}

// One more than the largest number met, and no note left; an error for what was used but never defined.
static uint32_t check_values(struct ir_parser *p) {
  uint32_t n = 0;
  for (uint32_t i = 0; i < p->values.n_met; i++) {
    struct ir_value *value = p->values.items[p->values.met[i]];
    const struct position *first_use = value->note;
    if (!value->type)
      ir_parse_fail_at(p, first_use->line, first_use->column, "%%%" PRIu32 " is not defined", value->id);
    value->note = NULL;
    if (value->id >= n)
      n = value->id + 1;
  }
  return n;
}

static uint32_t check_labels(struct ir_parser *p) {
  uint32_t n = 0;
  for (uint32_t i = 0; i < p->labels.n_met; i++) {
    struct ir_bb *bb = p->labels.items[p->labels.met[i]];
    if (bb->note != bb) {
      const struct position *first_use = bb->note;
      ir_parse_fail_at(p, first_use->line, first_use->column, "^%" PRIu32 " is not defined", bb->id);
    }
    bb->note = NULL;
    if (bb->id >= n)
      n = bb->id + 1;
  }
  return n;
}

// Fills in the data type of data.*: it is the operand's, or for data.new the result's.
static void resolve_data(struct ir_parser *p, const struct pending *pending) {
  struct ir_instr *instr = pending->instr;
  const struct ir_value *value = NULL;
  if (instr->op == IR_DATA_NEW)
    value = instr->n_results ? instr->results[0] : NULL;
  else
    value = instr->n_operands ? instr->operands[0] : NULL;
  if (!value || value->type->kind != IR_DATA) {
    ir_parse_fail_at(p, pending->at.line, pending->at.column, "%s needs a data value",
                     ir_op_infos[instr->op].name);
    return;
  }
  instr->symbol = value->type->data;
  const struct ir_data *data = p->module->datas[instr->symbol];
  for (uint32_t i = 0; pending->constructor; i++) {
    if (i == data->n_constructors) {
      ir_parse_fail_at(p, pending->at.line, pending->at.column, "%s has no constructor `%s`", data->name,
                       pending->constructor);
      return;
    }
    if (strcmp(data->constructors[i].name, pending->constructor) == 0) {
      instr->constructor = i;
      return;
    }
  }
}

static void finish(struct body *body) {
  struct ir_parser *p = body->p;
  uint32_t n_values = check_values(p), n_bbs = check_labels(p);
  for (size_t i = 0; i < body->pending.count && !p->error; i++)
    resolve_data(p, &body->pending.items[i]);
  if (body->function) {
    body->function->n_values = n_values;
    body->function->n_bbs = n_bbs;
  } else {
    body->block->n_values = n_values;
  }
  forget_ids(&p->values);
  forget_ids(&p->labels);
}

void ir_parse_function(struct ir_parser *p) {
  ir_parse_accept_word(p, "memo");
  ir_parse_symbol(p, "function");
  if (p->error)
    return;
  assert(p->next_function < p->module->n_functions);  // both passes see the same tokens
  struct ir_function *function = p->module->functions[p->next_function++];
  struct body body = {.p = p, .function = function};
  struct value_list params = {0};
  parse_params(p, &params);
  function->n_params = (uint32_t)params.count;
  function->params = params.items;
  struct type_list results = parse_result_types(p);
  function->n_results = (uint32_t)results.count;
  function->results = results.items;
  parse_function_body(&body);
  finish(&body);
}

// ------------------------------------------------------------------------------------------ blocks

// `results 1 deferred hoisted uniform random !0:1:2`; true when the number of results is given.
static bool parse_flags(struct ir_parser *p, struct ir_block *block) {
  bool given = ir_parse_accept_word(p, "results");
  if (given)
    block->n_results = (uint32_t)ir_parse_integer(p, 0, UINT32_MAX);
  block->deferred = ir_parse_accept_word(p, "deferred");
  block->hoisted = ir_parse_accept_word(p, "hoisted");
  block->uniform = ir_parse_accept_word(p, "uniform");
  block->random = ir_parse_accept_word(p, "random");
  block->loc = ir_parse_location(p);
  return given;
}

// The types behind the arrow say once more what the outputs are.
static void check_outputs(struct ir_parser *p, const struct ir_block *block, const struct type_list *types,
                          struct position at) {
  bool same = types->count == block->n_outputs;
  for (uint32_t i = 0; same && i < block->n_outputs; i++)
    same = block->outputs[i]->type && ir_type_equal(block->outputs[i]->type, types->items[i]);
  if (!same)
    ir_parse_fail_at(p, at.line, at.column, "the types of block @%s are not those of what it returns",
                     block->name);
  if (block->n_results > block->n_outputs)
    ir_parse_fail_at(p, at.line, at.column, "block @%s has more results than outputs", block->name);
}

void ir_parse_forward(struct ir_parser *p) {
  struct position at = here(p);
  ir_parse_symbol(p, "block");
  if (p->error)
    return;
  assert(p->next_block < p->module->n_blocks);
  struct ir_block *block = p->module->blocks[p->next_block++];
  struct body body = {.p = p, .block = block};
  struct value_list params = {0};
  parse_params(p, &params);
  block->n_params = (uint32_t)params.count;
  block->params = params.items;
  struct type_list types = parse_result_types(p);
  bool given = parse_flags(p, block);
  parse_block_body(&body);
  block->n_outputs = (uint32_t)body.outputs.count;
  block->outputs = body.outputs.items;
  if (!given)
    block->n_results = block->n_outputs;
  finish(&body);
  check_outputs(p, block, &types, at);
}

void ir_parse_adjoint(struct ir_parser *p) {
  struct position at = here(p);
  uint32_t id = parse_reference(p, &p->blocks, "block");
  if (p->error)
    return;
  struct ir_block *forward = p->module->blocks[id];
  if (forward->adjoint) {
    ir_parse_fail_at(p, at.line, at.column, "block @%s has two adjoints", forward->name);
    return;
  }
  struct ir_block *adjoint = ir_add_block(p->module, forward->name, IR_BLOCK_ADJOINT);
  forward->adjoint = adjoint;
  struct body body = {.p = p, .block = adjoint};
  struct value_list params = {0};
  parse_params(p, &params);
  expect_word(p, "saved");
  parse_params(p, &params);
  expect_word(p, "grad");
  parse_params(p, &params);
  adjoint->n_params = (uint32_t)params.count;
  adjoint->params = params.items;
  parse_flags(p, adjoint);
  parse_block_body(&body);
  if (body.outputs.count)
    ir_parse_fail_at(p, at.line, at.column, "an adjoint returns nothing");
  finish(&body);
}
