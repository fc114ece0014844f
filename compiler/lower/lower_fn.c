// Bodies of functions: bindings, scopes, statements.
#include <assert.h>

#include "compiler/lower/lower_internal.h"

static uint32_t file_id(struct lower *lower, uint32_t file) {
  if (lower->files[file] == 0)
    lower->files[file] = ir_add_file(lower->module, source_get(lower->sink->sources, file)->name) + 1;
  return lower->files[file] - 1;
}

void lower_at(struct lower_fn *fn, struct span span) {
  if (span.file == 0)
    return;
  struct source_position position = source_position(fn->lower->sink->sources, span.file, span.lo);
  fn->lower->where = span;
  fn->ssa.build.loc = (struct ir_loc){file_id(fn->lower, span.file), position.line, position.column};
}

// ---- Bindings -----------------------------------------------------------------------------------------

void lower_bind(struct lower_fn *fn, const struct ast_local *local, struct ssa_values values) {
  struct lower_local *slot = &fn->locals[local->index];
  if (local->is_assigned) {
    slot->kind = LOCAL_VARIABLE;
    slot->variable.first = ssa_declare(&fn->ssa, values);
    slot->variable.n = values.n;
    slot->variable.loop = 0;
  } else {
    slot->kind = LOCAL_VALUES;
    slot->values = values;
  }
}

void lower_bind_layer(struct lower_fn *fn, const struct ast_local *local, struct lower_ref ref) {
  fn->locals[local->index] = (struct lower_local){.kind = LOCAL_LAYER, .ref = ref};
}

// ---- Assignment ---------------------------------------------------------------------------------------

// The target's new value, when the element that `target` is gets `value`: for `xs[i][j] = e` this is xs with
// a new xs[i], which is the old one with a new element j.
static struct ssa_values with_element(struct lower_fn *fn, struct ssa_values list, struct ir_value *index,
                                      struct ssa_values element) {
  struct ir_value **operands = arena_new_array(fn->arena, struct ir_value *, (size_t)element.n + 2);
  operands[0] = list.items[0];
  operands[1] = index;
  for (uint32_t i = 0; i < element.n; i++)
    operands[i + 2] = element.items[i];
  return lower_one(fn,
                   ir_build_value(&fn->ssa.build, IR_LIST_SET, element.n + 2, operands, list.items[0]->type));
}

static void assign(struct lower_fn *fn, const struct ast_expr *target, struct ssa_values value) {
  if (target->kind == AST_EXPR_NAME) {
    const struct lower_local *slot = &fn->locals[target->name.ref.local->index];
    assert(slot->kind == LOCAL_VARIABLE);
    ssa_write(&fn->ssa, slot->variable.first, value);
    return;
  }
  assert(target->kind == AST_EXPR_INDEX);
  struct ssa_values list = lower_expr(fn, target->index.base);
  struct ir_value *index = lower_scalar(fn, target->index.index);
  if (!fn->ssa.reachable)
    return;
  lower_at(fn, target->span);
  assign(fn, target->index.base, with_element(fn, list, index, value));
}

// ---- Statements ---------------------------------------------------------------------------------------

// A metric's results are numbers, so its scalars are read: it waits for them.
static struct ssa_values read_scalars(struct lower_fn *fn, struct ssa_values values) {
  const struct ir_type *type = ir_type_simple(fn->lower->module, IR_FLOAT);
  struct ssa_values read = {values.n, arena_new_array(fn->arena, struct ir_value *, values.n)};
  for (uint32_t i = 0; i < values.n; i++) {
    bool is_tensor = values.items[i]->type->kind == IR_TENSOR;
    read.items[i] = is_tensor ? ir_build_value(&fn->ssa.build, IR_READ_VALUE, 1, &values.items[i], type)
                              : values.items[i];
  }
  return read;
}

static void return_values(struct lower_fn *fn, struct ssa_values values) {
  if (!fn->ssa.reachable)
    return;
  if (fn->instance->function->n_results == 0)
    values = LOWER_NONE;
  if (fn->instance->fn->is_metric && !fn->instance->own)
    values = read_scalars(fn, values);
  ssa_return(&fn->ssa, values);
}

static void lower_stmt(struct lower_fn *fn, const struct ast_stmt *stmt) {
  lower_at(fn, stmt->span);
  switch (stmt->kind) {
  case AST_STMT_LET: {
    struct ssa_values values = lower_expr(fn, stmt->let.value);
    if (fn->ssa.reachable)
      lower_bind_pattern(fn, stmt->let.pattern, values);
    break;
  }
  case AST_STMT_VAR: {
    struct ssa_values values = lower_expr(fn, stmt->var.value);
    if (fn->ssa.reachable)
      lower_bind(fn, stmt->var.local, values);
    break;
  }
  case AST_STMT_ASSIGN: {
    struct ssa_values values = lower_expr(fn, stmt->assign.value);
    if (fn->ssa.reachable)
      assign(fn, stmt->assign.target, values);
    break;
  }
  case AST_STMT_FOR: lower_for(fn, stmt); break;
  case AST_STMT_WHILE: lower_while(fn, stmt); break;
  case AST_STMT_RETURN: {
    struct ssa_values values = stmt->value ? lower_expr(fn, stmt->value) : LOWER_NONE;
    lower_at(fn, stmt->span);
    return_values(fn, values);
    break;
  }
  case AST_STMT_BREAK: ssa_jump(&fn->ssa, fn->loop->exit, LOWER_NONE); break;
  case AST_STMT_CONTINUE: ssa_jump(&fn->ssa, fn->loop->next, LOWER_NONE); break;
  case AST_STMT_EXPR: lower_expr(fn, stmt->expression); break;
  }
}

struct ssa_values lower_block(struct lower_fn *fn, const struct ast_block *block) {
  uint32_t scope = fn->ssa.n_variables;
  for (size_t i = 0; i < block->stmts.count && fn->ssa.reachable; i++)
    lower_stmt(fn, block->stmts.items[i]);
  struct ssa_values values = LOWER_NONE;
  if (block->value && fn->ssa.reachable)
    values = lower_expr(fn, block->value);
  fn->ssa.n_variables = scope;
  return values;
}

// ---- Functions ----------------------------------------------------------------------------------------

// The function's parameters are, in order, where `self` is in lists and the slots of each parameter.
static void bind_params(struct lower_fn *fn) {
  const struct ir_function *function = fn->instance->function;
  const struct lower_function *own = fn->instance->own;
  const struct ast_fn_params *params = own ? &own->arg->fn.params : &fn->instance->fn->params;
  fn->self.node = fn->env.self;
  fn->self.n_indices = fn->env.self ? fn->env.self->n_lists : 0;
  for (uint32_t i = 0; i < fn->self.n_indices; i++)
    fn->self.indices[i] = function->params[i];
  uint32_t next = own ? lower_bind_captured(fn, own) : fn->self.n_indices;
  for (size_t i = 0; i < params->count; i++) {
    const struct ast_local *local = params->items[i].local;
    const struct lower_function *which = !own && fn->env.functions ? fn->env.functions[i] : NULL;
    uint32_t n = which ? which->n_slots : ir_type_width(lower_type_here(fn, local->type));
    struct ssa_values values = {n, function->params + next};
    if (which)
      fn->locals[local->index] = (struct lower_local){.kind = LOCAL_FUNCTION, .function = {which, values}};
    else
      lower_bind(fn, local, values);
    next += n;
  }
}

void lower_body(struct lower *lower, const struct lower_instance *instance) {
  const struct ast_fn *ast = instance->fn;
  struct lower_fn fn = {.lower = lower, .arena = lower->arena, .instance = instance, .env = instance->env};
  fn.locals = arena_new_array(lower->arena, struct lower_local, ast->locals.count);
  fn.bindings = arena_new_array(lower->arena, const struct binding *, ast->locals.count);
  ssa_init(&fn.ssa, lower->arena, lower->module, instance->function);
  const struct ast_expr *own = instance->own ? instance->own->arg->fn.body : NULL;
  const struct ast_block *body = own ? own->block : ast->body;
  lower_at(&fn, own ? own->span : ast->name.span);
  bind_params(&fn);
  struct ssa_values values = own ? lower_expr(&fn, own) : lower_block(&fn, body);
  lower_at(&fn, body->value ? body->value->span : body->span);
  return_values(&fn, values);
  ssa_finish(&fn.ssa);
}
