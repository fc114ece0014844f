// Functions as arguments. Which function a parameter stands for is known where its function is compiled: an instance
// is made for each. What only a run knows goes along as values, in parameters of their own: where the receiver of a
// method is in lists, and what a function written in place reads of the bindings around it.
#include <assert.h>

#include "compiler/lower/lower_internal.h"

// ---- Which function ------------------------------------------------------------------------------------

static const void *target_of(const struct ast_expr *arg) {
  if (arg->kind == AST_EXPR_FN)
    return arg;
  const struct ast_call *call = &arg->function->call->call.resolved;
  return call->kind == AST_CALL_BUILTIN       ? (const void *)call->target.builtin
         : call->kind == AST_CALL_CONSTRUCTOR ? (const void *)call->target.constructor
         : call->kind == AST_CALL_SET         ? (const void *)call->target.vocab
                                              : (const void *)call->target.fn;
}

// Two arguments are one function when they have one target, on one family of layers, and are called with values of
// the same types: sizes, types and conversions follow from these. What is written in place is its own in each
// instance around it.
static bool same_function(const struct lower_function *a, const struct lower_function *b) {
  if (a->self != b->self || a->n_types != b->n_types ||
      (a->arg->kind == AST_EXPR_FN && a->around != b->around))
    return false;
  for (size_t i = 0; i < a->n_types; i++)
    if (!ir_type_equal(a->types[i], b->types[i]))
      return false;
  return true;
}

static const struct lower_function *find_function(struct lower *lower, struct lower_function *wanted) {
  const void *target = target_of(wanted->arg);
  struct lower_function *first = map_get(&lower->functions, target);
  for (struct lower_function *function = first; function; function = function->next_same)
    if (same_function(function, wanted))
      return function;
  wanted->next_same = first;
  map_put(lower->arena, &lower->functions, target, wanted);
  return wanted;
}

// ---- What goes along -----------------------------------------------------------------------------------

struct slots {
  struct ir_value **items;
  size_t count, capacity;
};

static void add(struct lower_fn *fn, struct slots *slots, struct ssa_values values) {
  for (uint32_t i = 0; i < values.n; i++)
    arena_push(fn->arena, slots, values.items[i]);
}

static void add_place(struct lower_fn *fn, struct slots *slots, struct lower_ref ref) {
  add(fn, slots, (struct ssa_values){ref.n_indices, ref.indices});
}

static void capture(struct lower_fn *fn, struct lower_function *function, struct slots *slots) {
  const struct ast_locals *captures = &function->arg->fn.captures;
  function->captured = arena_new_array(fn->arena, struct lower_captured, captures->count);
  add_place(fn, slots, fn->self);
  for (size_t i = 0; i < captures->count; i++) {
    const struct lower_local *local = &fn->locals[captures->items[i]->index];
    struct lower_captured *captured = &function->captured[i];
    size_t before = slots->count;
    captured->kind = local->kind;
    switch (local->kind) {
    case LOCAL_VALUES: add(fn, slots, local->values); break;
    case LOCAL_VARIABLE: add(fn, slots, ssa_read(&fn->ssa, local->variable.first, local->variable.n)); break;
    case LOCAL_LAYER:
      captured->node = local->ref.node;
      add_place(fn, slots, local->ref);
      break;
    case LOCAL_FUNCTION:
      captured->function = local->function.which;
      add(fn, slots, local->function.captured);
      break;
    }
    captured->n = (uint32_t)(slots->count - before);
  }
}

struct lower_closure lower_closure(struct lower_fn *fn, const struct ast_expr *arg) {
  struct slots slots = {0};
  if (arg->function->handed) {
    const struct lower_local *local = &fn->locals[arg->function->handed->index];
    assert(local->kind == LOCAL_FUNCTION);
    return local->function;
  }
  struct lower_function *function = arena_new(fn->arena, struct lower_function);
  *function = (struct lower_function){.arg = arg, .around = fn->instance};
  if (arg->kind == AST_EXPR_FN) {
    function->self = fn->self.node;
    capture(fn, function, &slots);
  } else if (arg->function->call->call.resolved.kind == AST_CALL_METHOD) {
    const struct ast_expr *receiver = arg->function->call->call.resolved.receiver;
    struct lower_ref self = receiver ? lower_layer_ref(fn, receiver) : fn->self;
    function->self = self.node;
    add_place(fn, &slots, self);
  }
  function->n_types = arg->type->fn.count + 1;
  function->types = arena_new_array(fn->arena, const struct ir_type *, function->n_types);
  for (size_t i = 0; i < arg->type->fn.count; i++)
    function->types[i] = lower_type_here(fn, arg->type->fn.params[i]);
  function->types[arg->type->fn.count] = lower_type_here(fn, arg->type->fn.result);
  function->n_slots = (uint32_t)slots.count;
  function->slots = arena_new_array(fn->arena, const struct ir_type *, slots.count);
  for (size_t i = 0; i < slots.count; i++)
    function->slots[i] = slots.items[i]->type;
  return (struct lower_closure){find_function(fn->lower, function), {(uint32_t)slots.count, slots.items}};
}

const char *lower_function_name(struct lower *lower, const struct lower_function *function) {
  if (function->arg->kind == AST_EXPR_FN) {
    struct span at = function->arg->span;
    struct source_position position = source_position(lower->sink->sources, at.file, at.lo);
    return arena_printf(lower->arena, "%s.fn:%u:%u", function->around->function->name, position.line,
                        position.column);
  }
  const struct ast_call *call = &function->arg->function->call->call.resolved;
  if (call->kind == AST_CALL_BUILTIN)
    return call->target.builtin->name;
  if (call->kind == AST_CALL_CONSTRUCTOR)
    return call->target.constructor->name.text;
  if (call->kind == AST_CALL_SET)
    return type_resolve(function->arg->type->fn.result)->index->atom.name;
  const char *name = call->target.fn->name.text;
  return function->self ? arena_printf(lower->arena, "%s.%s", function->self->path, name) : name;
}

// ---- Calls of them -------------------------------------------------------------------------------------

static struct ssa_values call_own(struct lower_fn *fn, struct lower_closure closure, struct ssa_values args,
                                  struct span span) {
  const struct lower_instance *callee = lower_instantiate_own(fn->lower, closure.which, fn->instance, span);
  struct slots operands = {0};
  add(fn, &operands, closure.captured);
  add(fn, &operands, args);
  const struct ir_instr *instr = ir_build_call(&fn->ssa.build, callee->function->id, (uint32_t)operands.count,
                                               operands.items);
  return (struct ssa_values){instr->n_results, instr->results};
}

// The call that the checker made of the name, where the name was written.
static struct ssa_values call_named(struct lower_fn *fn, struct lower_closure closure,
                                    struct ssa_values args) {
  const struct lower_function *function = closure.which;
  const struct ast_locals *params = &function->arg->function->params;
  struct lower_ref self = {.node = function->self, .n_indices = closure.captured.n};
  for (uint32_t i = 0; i < closure.captured.n; i++)
    self.indices[i] = closure.captured.items[i];
  const struct lower_env env = fn->env;
  struct lower_local *locals = fn->locals;
  const struct lower_ref *receiver = fn->receiver;
  fn->env = function->around->env;
  fn->locals = arena_new_array(fn->arena, struct lower_local, params->count);
  fn->receiver = &self;
  uint32_t next = 0;
  for (size_t i = 0; i < params->count; i++) {
    uint32_t n = ir_type_width(function->types[i]);
    fn->locals[i] = (struct lower_local){.kind = LOCAL_VALUES, .values = {n, args.items + next}};
    next += n;
  }
  struct ssa_values values = lower_expr(fn, function->arg->function->call);
  fn->env = env;
  fn->locals = locals;
  fn->receiver = receiver;
  return values;
}

struct ssa_values lower_value_call(struct lower_fn *fn, const struct ast_expr *expr) {
  const struct ast_call *call = &expr->call.resolved;
  struct ssa_values args = lower_exprs(fn, call->args, call->arg_count);
  if (!fn->ssa.reachable)
    return lower_undefined(fn, expr->type);
  lower_at(fn, expr->span);
  const struct lower_local *local = &fn->locals[call->target.local->index];
  assert(local->kind == LOCAL_FUNCTION);
  if (local->function.which->arg->kind == AST_EXPR_FN)
    return call_own(fn, local->function, args, expr->span);
  return call_named(fn, local->function, args);
}

// ---- Bodies of functions written in place --------------------------------------------------------------

static struct ssa_values take(struct lower_fn *fn, uint32_t *next, uint32_t n) {
  struct ssa_values values = {n, fn->instance->function->params + *next};
  *next += n;
  return values;
}

// Binds what came along; gives the number of its slots.
uint32_t lower_bind_captured(struct lower_fn *fn, const struct lower_function *function) {
  const struct ast_locals *captures = &function->arg->fn.captures;
  uint32_t next = fn->self.n_indices;
  for (size_t i = 0; i < captures->count; i++) {
    const struct lower_captured *captured = &function->captured[i];
    struct lower_local *local = &fn->locals[captures->items[i]->index];
    struct ssa_values values = take(fn, &next, captured->n);
    switch (captured->kind) {
    case LOCAL_VALUES:
    case LOCAL_VARIABLE: *local = (struct lower_local){.kind = LOCAL_VALUES, .values = values}; break;
    case LOCAL_LAYER:
      *local = (struct lower_local){.kind = LOCAL_LAYER};
      local->ref.node = captured->node;
      local->ref.n_indices = values.n;
      for (uint32_t k = 0; k < values.n; k++)
        local->ref.indices[k] = values.items[k];
      break;
    case LOCAL_FUNCTION:
      *local = (struct lower_local){.kind = LOCAL_FUNCTION, .function = {captured->function, values}};
      break;
    }
  }
  return next;
}
