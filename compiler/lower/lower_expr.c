// Expressions: names, operators, fields, indexing, lists, `if`. Calls and patterns have files of their own.
//
// When an operand never finishes (it returns or breaks on every path), nothing more is built for the
// expression.
#include <assert.h>
#include <math.h>

#include "compiler/lower/lower_internal.h"

// ---- Small things -------------------------------------------------------------------------------------

const struct ir_type *lower_type_here(struct lower_fn *fn, const struct type *type) {
  return lower_type(fn->lower, &fn->env, type);
}

struct ssa_values lower_one(struct lower_fn *fn, struct ir_value *value) {
  struct ssa_values values = {1, arena_new_array(fn->arena, struct ir_value *, 1)};
  values.items[0] = value;
  return values;
}

struct ssa_values lower_undefined(struct lower_fn *fn, const struct type *type) {
  const struct ir_type *ir = lower_type_here(fn, type);
  const struct ir_type **types = lower_flatten(fn->lower, ir);
  struct ssa_values values = {ir_type_width(ir), NULL};
  values.items = arena_new_array(fn->arena, struct ir_value *, values.n);
  for (uint32_t i = 0; i < values.n; i++)
    values.items[i] = ssa_undefined(&fn->ssa, types[i]);
  return values;
}

// An expression of TYPE_NEVER has no slots; whoever wants one is not reached either.
struct ir_value *lower_scalar(struct lower_fn *fn, const struct ast_expr *expr) {
  struct ssa_values values = lower_expr(fn, expr);
  if (values.n == 1)
    return values.items[0];
  return ssa_undefined(&fn->ssa, ir_type_simple(fn->lower->module, IR_INT));
}

struct ssa_values lower_exprs(struct lower_fn *fn, struct ast_expr *const *exprs, size_t count) {
  struct {
    struct ir_value **items;
    size_t count, capacity;
  } all = {0};
  for (size_t i = 0; i < count; i++) {
    struct ssa_values values = lower_expr(fn, exprs[i]);
    for (uint32_t k = 0; k < values.n; k++)
      arena_push(fn->arena, &all, values.items[k]);
  }
  return (struct ssa_values){(uint32_t)all.count, all.items};
}

void lower_runtime_size(struct lower_fn *fn, struct span span) {
  struct diag *d = diag_error(fn->lower->sink, DIAG_SIZE_UNSOLVED, span,
                              "this needs the value of a size that is known for each example only");
  diag_note(d, "the function is used with what `tensor` made of a list");
  diag_help(d, "hand the list's length on as an `int`: `len(xs)`");
  lower_fail(fn->lower);
}

struct ir_value *lower_size_value(struct lower_fn *fn, const struct size *size) {
  int64_t value;
  if (size_is_constant(size, &value))
    return ir_build_int(&fn->ssa.build, value);
  if (size_is_runtime(size))
    lower_runtime_size(fn, fn->lower->where);
  return ir_build_size(&fn->ssa.build, size);
}

static struct ir_value *constant_value(struct lower_fn *fn, struct lower_constant value) {
  switch (value.kind) {
  case TYPE_INT: return ir_build_int(&fn->ssa.build, value.integer);
  case TYPE_BOOL: return ir_build_bool(&fn->ssa.build, value.integer != 0);
  default: return ir_build_float(&fn->ssa.build, value.number);
  }
}

// ---- Layer instances ----------------------------------------------------------------------------------

bool lower_is_layer(const struct ast_expr *expr) {
  const struct type *type = expr->type;
  while (type && type->kind == TYPE_LIST)
    type = type->list.element;
  return type && type->kind == TYPE_LAYER;
}

struct lower_ref lower_element_ref(struct lower_ref list, struct ir_value *index) {
  list.node = list.node->element;
  list.indices[list.n_indices++] = index;
  return list;
}

static struct lower_ref member_ref(struct lower_ref base, const struct ast_instance *instance) {
  base.node = lower_child(base.node, instance);
  return base;
}

static struct lower_ref checked_element(struct lower_fn *fn, const struct ast_expr *expr) {
  struct lower_ref list = lower_layer_ref(fn, expr->index.base);
  struct ir_value *index = lower_scalar(fn, expr->index.index);
  if (!fn->ssa.reachable)
    return lower_element_ref(list, index);
  lower_at(fn, expr->index.index->span);
  const struct lower_node *element = list.node->element;
  struct ir_value *operands[] = {index, lower_size_value(fn, element->lists[element->n_lists - 1])};
  return lower_element_ref(list, ir_build_value(&fn->ssa.build, IR_CHECK_RANGE, 2, operands, index->type));
}

struct lower_ref lower_layer_ref(struct lower_fn *fn, const struct ast_expr *expr) {
  if (expr->kind == AST_EXPR_INDEX)
    return checked_element(fn, expr);
  if (expr->kind == AST_EXPR_FIELD)
    return member_ref(lower_layer_ref(fn, expr->field.base), expr->field.ref.instance);
  assert(expr->kind == AST_EXPR_NAME);
  if (expr->name.ref.kind == AST_REF_LOCAL) {
    const struct lower_local *local = &fn->locals[expr->name.ref.local->index];
    assert(local->kind == LOCAL_LAYER);
    return local->ref;
  }
  const struct ast_instance *instance = expr->name.ref.instance;
  if (instance->layer)
    return member_ref(fn->self, instance);
  return (struct lower_ref){.node = map_get(&fn->lower->nodes, instance)};
}

// ---- Names --------------------------------------------------------------------------------------------

static struct ssa_values local_value(struct lower_fn *fn, const struct ast_local *local) {
  const struct lower_local *slot = &fn->locals[local->index];
  if (slot->kind == LOCAL_VARIABLE)
    return ssa_read(&fn->ssa, slot->variable.first, slot->variable.n);
  assert(slot->kind == LOCAL_VALUES);
  return slot->values;
}

static struct ir_value *layer_param_value(struct lower_fn *fn, const struct lower_node *node,
                                          const struct ast_layer_param *param) {
  const struct lower_arg *arg = &node->args[param->index];
  return arg->size ? lower_size_value(fn, arg->size) : constant_value(fn, arg->value);
}

static struct ir_value *param_value(struct lower_fn *fn, const struct ast_param *param,
                                    const struct lower_ref *owner) {
  if (!param->layer)
    return lower_param(fn, *(uint32_t *)map_get(&fn->lower->params, param), owner);
  const struct ast_params *params = &param->layer->params;
  size_t i = 0;
  while (params->items[i] != param)
    i++;
  return lower_param(fn, owner->node->params[i], owner);
}

static struct ssa_values constructed(struct lower_fn *fn, const struct ast_expr *expr,
                                     const struct ast_constructor *constructor) {
  const struct ir_type *type = lower_type_here(fn, expr->type);
  if (type->kind == IR_TUPLE)
    return LOWER_NONE;
  return lower_one(fn, ir_build_data_new(&fn->ssa.build, type->data, constructor->index, 0, NULL));
}

static struct ssa_values lower_name(struct lower_fn *fn, const struct ast_expr *expr) {
  const struct ast_ref *ref = &expr->name.ref;
  struct ir_builder *build = &fn->ssa.build;
  const struct lower_ref top = {0};
  switch (ref->kind) {
  case AST_REF_LOCAL: return local_value(fn, ref->local);
  case AST_REF_DIM:
    return lower_one(fn, lower_size_value(fn, lower_size(fn->lower, &fn->env, ref->dim->size)));
  case AST_REF_SIZE_VAR: return lower_one(fn, lower_size_value(fn, fn->env.sizes[ref->size_var->index]));
  case AST_REF_LAYER_PARAM: return lower_one(fn, layer_param_value(fn, fn->env.self, ref->layer_param));
  case AST_REF_ENUM_MEMBER: {
    uint32_t dim = lower_index_dim(fn->lower, &fn->env, expr->type);
    return lower_one(fn, ir_build_index(build, dim, ref->enum_member->index));
  }
  case AST_REF_CONSTRUCTOR: return constructed(fn, expr, ref->constructor);
  case AST_REF_PARAM: return lower_one(fn, param_value(fn, ref->param, ref->param->layer ? &fn->self : &top));
  default: assert(!"a name that is no value"); return LOWER_NONE;
  }
}

// ---- Operators ----------------------------------------------------------------------------------------

struct operator_row {
  enum ir_op for_int, for_float, for_tensor;  // IR_N_OPS: none
  bool swapped;                               // a > b is b < a
};

static const struct operator_row operator_rows[] = {
    [AST_BINARY_EQUAL] = {IR_IEQ, IR_FEQ, IR_N_OPS, false},
    [AST_BINARY_NOT_EQUAL] = {IR_INE, IR_FNE, IR_N_OPS, false},
    [AST_BINARY_LESS] = {IR_ILT, IR_FLT, IR_N_OPS, false},
    [AST_BINARY_LESS_EQUAL] = {IR_ILE, IR_FLE, IR_N_OPS, false},
    [AST_BINARY_GREATER] = {IR_ILT, IR_FLT, IR_N_OPS, true},
    [AST_BINARY_GREATER_EQUAL] = {IR_ILE, IR_FLE, IR_N_OPS, true},
    [AST_BINARY_ADD] = {IR_IADD, IR_FADD, IR_OP_ADD, false},
    [AST_BINARY_SUBTRACT] = {IR_ISUB, IR_FSUB, IR_OP_SUB, false},
    [AST_BINARY_MULTIPLY] = {IR_IMUL, IR_FMUL, IR_OP_MUL, false},
    [AST_BINARY_DIVIDE] = {IR_IDIV, IR_FDIV, IR_OP_DIV, false},
    [AST_BINARY_REMAINDER] = {IR_IMOD, IR_N_OPS, IR_N_OPS, false},
    [AST_BINARY_MATMUL] = {IR_N_OPS, IR_N_OPS, IR_OP_MATMUL, false},
};

// && and ||: the right side is evaluated only when the left does not decide.
static struct ssa_values lower_lazy(struct lower_fn *fn, const struct ast_expr *expr) {
  struct ssa *ssa = &fn->ssa;
  bool is_and = expr->binary.op == AST_BINARY_AND;
  struct ir_value *left = lower_scalar(fn, expr->binary.left);
  if (!ssa->reachable)
    return lower_undefined(fn, expr->type);
  lower_at(fn, expr->binary.op_span);
  struct ssa_label *more = ssa_label(ssa), *decided = ssa_label(ssa), *end = ssa_label(ssa);
  ssa_branch(ssa, left, is_and ? more : decided, is_and ? decided : more);
  ssa_enter(ssa, more, 0, NULL);
  ssa_jump(ssa, end, lower_one(fn, lower_scalar(fn, expr->binary.right)));
  ssa_enter(ssa, decided, 0, NULL);
  ssa_jump(ssa, end, lower_one(fn, ir_build_bool(&ssa->build, !is_and)));
  const struct ir_type *type = ir_type_simple(fn->lower->module, IR_BOOL);
  return ssa_enter(ssa, end, 1, &type);
}

static struct ir_value *text_operation(struct lower_fn *fn, enum ir_op for_int, struct ir_value *a,
                                       struct ir_value *b) {
  struct ir_builder *build = &fn->ssa.build;
  if (for_int == IR_IADD)
    return ir_build_host2(build, IR_TEXT_CONCAT, a, b);
  if (for_int == IR_IEQ)
    return ir_build_host2(build, IR_TEXT_EQ, a, b);
  if (for_int == IR_INE)
    return ir_build_host1(build, IR_NOT, ir_build_host2(build, IR_TEXT_EQ, a, b));
  return ir_build_host2(build, for_int, ir_build_host2(build, IR_TEXT_COMPARE, a, b), ir_build_int(build, 0));
}

static struct ir_value *binary_operation(struct lower_fn *fn, const struct operator_row *row,
                                         struct ir_value *a, struct ir_value *b) {
  struct ir_builder *build = &fn->ssa.build;
  switch (a->type->kind) {
  case IR_TENSOR:
    return row->for_tensor == IR_OP_MATMUL ? lower_product(fn, a, b)
                                           : ir_build_binary(build, row->for_tensor, a, b);
  case IR_FLOAT: return ir_build_host2(build, row->for_float, a, b);
  case IR_TEXT: return text_operation(fn, row->for_int, a, b);
  case IR_LIST: return ir_build_value(build, IR_LIST_CONCAT, 2, (struct ir_value *[]){a, b}, a->type);
  default: return ir_build_host2(build, row->for_int, a, b);
  }
}

static bool is_structure(const struct ir_type *type) {
  return type->kind == IR_LIST || type->kind == IR_TUPLE || type->kind == IR_DATA;
}

static struct ssa_values lower_structures(struct lower_fn *fn, const struct ast_expr *expr,
                                          const struct ir_type *type) {
  struct ssa_values a = lower_expr(fn, expr->binary.left);
  struct ssa_values b = fn->ssa.reachable ? lower_expr(fn, expr->binary.right) : LOWER_NONE;
  if (!fn->ssa.reachable)
    return lower_undefined(fn, expr->type);
  lower_at(fn, expr->binary.op_span);
  struct ir_value *equal = lower_equal(fn->lower, &fn->ssa, type, a.items, b.items);
  return lower_one(fn, expr->binary.op == AST_BINARY_EQUAL ? equal
                                                           : ir_build_host1(&fn->ssa.build, IR_NOT, equal));
}

static struct ssa_values lower_operation(struct lower_fn *fn, const struct ast_expr *expr) {
  if (expr->binary.op == AST_BINARY_AND || expr->binary.op == AST_BINARY_OR)
    return lower_lazy(fn, expr);
  if (expr->binary.op == AST_BINARY_EQUAL || expr->binary.op == AST_BINARY_NOT_EQUAL) {
    const struct ir_type *type = lower_type_here(fn, expr->binary.left->type);
    if (is_structure(type))
      return lower_structures(fn, expr, type);
  }
  struct ir_value *a = lower_scalar(fn, expr->binary.left);
  struct ir_value *b = fn->ssa.reachable ? lower_scalar(fn, expr->binary.right) : NULL;
  if (!fn->ssa.reachable)
    return lower_undefined(fn, expr->type);
  lower_at(fn, expr->binary.op_span);
  const struct operator_row *row = &operator_rows[expr->binary.op];
  return lower_one(fn, row->swapped ? binary_operation(fn, row, b, a) : binary_operation(fn, row, a, b));
}

// A chain of operators from the first one on: each finds its left side lowered. What is converted to a tensor ends
// a chain, since it may be constant as a whole.
static struct ssa_values lower_binary(struct lower_fn *fn, const struct ast_expr *expr) {
  const struct ast_expr *op = expr;
  while (op->binary.left->kind == AST_EXPR_BINARY && op->binary.left->conversion == AST_CONVERT_NONE)
    op = op->binary.left;
  for (;; op = op->outer) {
    struct ssa_values values = lower_operation(fn, op);
    if (op == expr)
      return values;
    fn->left = op;
    fn->left_values = values;
  }
}

static struct ssa_values lower_unary(struct lower_fn *fn, const struct ast_expr *expr) {
  struct ir_builder *build = &fn->ssa.build;
  struct ir_value *a = lower_scalar(fn, expr->unary.operand);
  if (!fn->ssa.reachable)
    return lower_undefined(fn, expr->type);
  lower_at(fn, expr->span);
  if (expr->unary.op == AST_UNARY_NOT)
    return lower_one(fn, ir_build_host1(build, IR_NOT, a));
  if (a->type->kind == IR_TENSOR)
    return lower_one(fn, ir_build_unary(build, IR_OP_NEG, a));
  return lower_one(fn, ir_build_host1(build, a->type->kind == IR_FLOAT ? IR_FNEG : IR_INEG, a));
}

// ---- Fields, elements, parts --------------------------------------------------------------------------

// A field that every constructor has. Where it lies in the same slot of all, the tag does not matter: values
// of all constructors are laid out alike.
static struct ssa_values data_field(struct lower_fn *fn, const struct ast_expr *expr,
                                    struct ssa_values base) {
  struct ssa *ssa = &fn->ssa;
  const struct type *data = expr->field.base->type;
  const struct ast_constructors *constructors = &data->data.decl->constructors;
  const unsigned *positions = expr->field.data_fields;
  uint32_t slot = lower_field_slot(fn, data, constructors->items[0], positions[0]);
  bool alike = true;
  for (size_t c = 1; c < constructors->count; c++)
    alike = alike && lower_field_slot(fn, data, constructors->items[c], positions[c]) == slot;
  if (alike)
    return lower_field(fn, data, constructors->items[0], positions[0], base);

  const struct ir_type *type = lower_type_here(fn, expr->type);
  struct ssa_label *end = ssa_label(ssa);
  struct ssa_label **cases = arena_new_array(fn->arena, struct ssa_label *, constructors->count);
  for (size_t c = 0; c < constructors->count; c++)
    cases[c] = ssa_label(ssa);
  struct ir_value *tag = ir_build_data_tag(&ssa->build, base.items[0]);
  ssa_switch(ssa, tag, (uint32_t)constructors->count, cases);
  for (size_t c = 0; c < constructors->count; c++) {
    ssa_enter(ssa, cases[c], 0, NULL);
    ssa_jump(ssa, end, lower_field(fn, data, constructors->items[c], positions[c], base));
  }
  return ssa_enter(ssa, end, ir_type_width(type), lower_flatten(fn->lower, type));
}

static struct ssa_values lower_field_expr(struct lower_fn *fn, const struct ast_expr *expr) {
  if (expr->field.kind == AST_FIELD_MEMBER) {
    struct lower_ref base = lower_layer_ref(fn, expr->field.base);
    if (!fn->ssa.reachable)
      return lower_undefined(fn, expr->type);
    lower_at(fn, expr->span);
    if (expr->field.ref.kind == AST_REF_LAYER_PARAM)
      return lower_one(fn, layer_param_value(fn, base.node, expr->field.ref.layer_param));
    return lower_one(fn, param_value(fn, expr->field.ref.param, &base));
  }
  struct ssa_values base = lower_expr(fn, expr->field.base);
  if (!fn->ssa.reachable)
    return lower_undefined(fn, expr->type);
  lower_at(fn, expr->span);
  return data_field(fn, expr, base);
}

// e.0
static struct ssa_values lower_project(struct lower_fn *fn, const struct ast_expr *expr) {
  const struct type *tuple = expr->project.base->type;
  struct ssa_values base = lower_expr(fn, expr->project.base);
  if (!fn->ssa.reachable)
    return lower_undefined(fn, expr->type);
  uint32_t first = 0;
  for (unsigned i = 0; i < expr->project.index; i++)
    first += ir_type_width(lower_type_here(fn, tuple->tuple.items[i]));
  return (struct ssa_values){ir_type_width(lower_type_here(fn, expr->type)), base.items + first};
}

static struct ssa_values lower_index(struct lower_fn *fn, const struct ast_expr *expr) {
  struct ir_builder *build = &fn->ssa.build;
  struct ir_value *base = lower_scalar(fn, expr->index.base);
  struct ir_value *index = fn->ssa.reachable ? lower_scalar(fn, expr->index.index) : NULL;
  if (!fn->ssa.reachable)
    return lower_undefined(fn, expr->type);
  lower_at(fn, expr->span);
  if (base->def && base->def->op == IR_OP_STACK)  // a row of it is an element of the list
    base = base->def->operands[0];
  if (base->type->kind == IR_LIST) {
    struct ir_instr *get = ir_build_list_get(build, base, index);
    return (struct ssa_values){get->n_results, get->results};
  }
  if (base->type->kind == IR_TEXT)
    return lower_one(fn, ir_build_host2(build, IR_TEXT_GET, base, index));
  return lower_one(fn, lower_take(fn, base, index, 0));
}

static struct ssa_values lower_slice(struct lower_fn *fn, const struct ast_expr *expr) {
  struct ir_value *base = lower_scalar(fn, expr->slice.base);
  if (!fn->ssa.reachable)
    return lower_undefined(fn, expr->type);
  if (base->type->kind == IR_TENSOR) {
    struct ir_value *start = expr->slice.sizes.low ? NULL : lower_scalar(fn, expr->slice.low);
    if (!fn->ssa.reachable)
      return lower_undefined(fn, expr->type);
    lower_at(fn, expr->span);
    return lower_one(fn, lower_range(fn, base, &expr->slice.sizes, start, 0));
  }
  struct ir_value *low = lower_scalar(fn, expr->slice.low);
  struct ir_value *high = fn->ssa.reachable ? lower_scalar(fn, expr->slice.high) : NULL;
  if (!fn->ssa.reachable)
    return lower_undefined(fn, expr->type);
  lower_at(fn, expr->span);
  struct ir_value *operands[] = {base, low, high};
  enum ir_op op = base->type->kind == IR_TEXT ? IR_TEXT_SLICE : IR_LIST_SLICE;
  return lower_one(fn, ir_build_value(&fn->ssa.build, op, 3, operands, base->type));
}

static struct ssa_values lower_list(struct lower_fn *fn, const struct ast_expr *expr) {
  struct ssa_values elements = lower_exprs(fn, expr->items.items, expr->items.count);
  if (!fn->ssa.reachable)
    return lower_undefined(fn, expr->type);
  lower_at(fn, expr->span);
  const struct ir_type *type = lower_type_here(fn, expr->type);
  struct ir_value *list = ir_build_value(&fn->ssa.build, IR_LIST_NEW, elements.n, elements.items, type);
  list->def->integer = (int64_t)expr->items.count;
  return lower_one(fn, list);
}

// ---- if -----------------------------------------------------------------------------------------------

static struct ssa_values lower_if(struct lower_fn *fn, const struct ast_expr *expr) {
  struct ssa *ssa = &fn->ssa;
  struct ir_value *condition = lower_scalar(fn, expr->conditional.condition);
  if (!ssa->reachable)
    return lower_undefined(fn, expr->type);
  const struct ir_type *type = lower_type_here(fn, expr->type);
  uint32_t n = ir_type_width(type);
  struct ssa_label *yes = ssa_label(ssa), *no = ssa_label(ssa), *end = ssa_label(ssa);
  lower_at(fn, expr->span);
  ssa_branch(ssa, condition, yes, no);
  ssa_enter(ssa, yes, 0, NULL);
  struct ssa_values values = lower_block(fn, expr->conditional.then_block);
  ssa_jump(ssa, end, n ? values : LOWER_NONE);
  ssa_enter(ssa, no, 0, NULL);
  values = expr->conditional.else_branch ? lower_expr(fn, expr->conditional.else_branch) : LOWER_NONE;
  ssa_jump(ssa, end, n ? values : LOWER_NONE);
  lower_at(fn, expr->span);
  return ssa_enter(ssa, end, n, lower_flatten(fn->lower, type));
}

// ---- Expressions --------------------------------------------------------------------------------------

static struct ssa_values lower_unconverted(struct lower_fn *fn, const struct ast_expr *expr) {
  struct ir_builder *build = &fn->ssa.build;
  switch (expr->kind) {
  case AST_EXPR_INT: return lower_one(fn, ir_build_int(build, expr->integer));
  case AST_EXPR_FLOAT: return lower_one(fn, ir_build_float(build, expr->floating));
  case AST_EXPR_BOOL: return lower_one(fn, ir_build_bool(build, expr->boolean));
  case AST_EXPR_TEXT: return lower_one(fn, ir_build_text(build, expr->text));
  case AST_EXPR_NAME: return lower_name(fn, expr);
  case AST_EXPR_UNARY: return lower_unary(fn, expr);
  case AST_EXPR_BINARY: return lower_binary(fn, expr);
  case AST_EXPR_CALL: return lower_call(fn, expr);
  case AST_EXPR_INDEX: return lower_index(fn, expr);
  case AST_EXPR_SLICE: return lower_slice(fn, expr);
  case AST_EXPR_PART: return lower_part(fn, expr);
  case AST_EXPR_FIELD: return lower_field_expr(fn, expr);
  case AST_EXPR_PROJECT: return lower_project(fn, expr);
  case AST_EXPR_FILL: return lower_one(fn, lower_fill(fn, expr));
  case AST_EXPR_TUPLE: return lower_exprs(fn, expr->items.items, expr->items.count);
  case AST_EXPR_LIST: return lower_list(fn, expr);
  case AST_EXPR_COMPREHENSION: return lower_comprehension(fn, expr);
  case AST_EXPR_IF: return lower_if(fn, expr);
  case AST_EXPR_MATCH: return lower_match(fn, expr);
  case AST_EXPR_BLOCK: return lower_block(fn, expr->block);
  case AST_EXPR_LIFT: return lower_lift(fn, expr);
  case AST_EXPR_ELEMENT: return lower_element(fn, expr);
  case AST_EXPR_RANGE:
  case AST_EXPR_FN: break;
  }
  assert(!"a range or function is no value");
  return LOWER_NONE;
}

static struct ssa_values lower_converted(struct lower_fn *fn, const struct ast_expr *expr) {
  struct lower_constant value;
  if (lower_constant(fn->env.self, expr, &value) && isfinite(lower_constant_number(value)))
    return lower_one(fn, ir_build_scalar_constant(&fn->ssa.build, lower_constant_number(value)));
  struct ssa_values host = lower_unconverted(fn, expr);
  if (!fn->ssa.reachable)
    return lower_one(fn, ssa_undefined(&fn->ssa, ir_type_tensor(fn->lower->module, 0, NULL)));
  lower_at(fn, expr->span);
  return lower_one(fn, lower_to_scalar(fn, host.items[0]));
}

// A batch of one element.
static struct ssa_values single(struct lower_fn *fn, struct ssa_values element, const struct ir_type *type) {
  if (!fn->ssa.reachable)
    return lower_one(fn, ssa_undefined(&fn->ssa, ir_type_list(fn->lower->module, type)));
  struct ir_value *list = ir_build_value(&fn->ssa.build, IR_LIST_NEW, element.n, element.items,
                                         ir_type_list(fn->lower->module, type));
  list->def->integer = 1;
  return lower_one(fn, list);
}

struct ssa_values lower_expr(struct lower_fn *fn, const struct ast_expr *expr) {
  if (expr == fn->left) {
    fn->left = NULL;
    return fn->left_values;
  }
  if (!fn->ssa.reachable)
    return lower_undefined(fn, expr->type);
  const struct ssa_values *prepared = lower_prepared(fn, expr);
  if (prepared)
    return *prepared;
  lower_at(fn, expr->span);
  switch (expr->conversion) {
  case AST_CONVERT_NONE: return lower_unconverted(fn, expr);
  case AST_CONVERT_TO_SCALAR: return lower_converted(fn, expr);
  case AST_CONVERT_TO_BATCH: return single(fn, lower_unconverted(fn, expr), lower_type_here(fn, expr->type));
  case AST_CONVERT_TO_SCALAR_BATCH:
    return single(fn, lower_converted(fn, expr), ir_type_tensor(fn->lower->module, 0, NULL));
  }
  return LOWER_NONE;
}
