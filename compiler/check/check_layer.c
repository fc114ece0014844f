// Layer instances: `let cell = LSTM(D, H)`, static lists of them, and that no layer contains itself.
#include <string.h>

#include "compiler/check/checker.h"

static const struct type *instance_value(struct checker *checker, struct ast_expr *expr);

// ---- Arguments -----------------------------------------------------------------------------------------

static const struct type *index_argument(struct checker *checker, struct ast_expr *arg,
                                         const struct ast_layer_param *param) {
  struct ast_ref ref = {0};
  if (arg->kind == AST_EXPR_NAME || check_qualify(checker, arg)) {
    ref = names_find(&checker->names, arg->name.name.text);
    arg->name.ref = ref;
    switch (ref.kind) {
    case AST_REF_VOCAB: return ref.vocab->type;
    case AST_REF_ENUM: return ref.enumeration->type;
    case AST_REF_LAYER_PARAM:
      if (ref.layer_param->kind == AST_LAYER_PARAM_INDEX)
        return ref.layer_param->type;
      break;
    case AST_REF_NONE: names_report_unknown(&checker->names, &arg->name.name, NAMES_TYPES); return NULL;
    default: break;
    }
  }
  struct diag *d = diag_error(checker->sink, DIAG_LAYER_ARGUMENT, arg->span,
                              "`%s` must be a vocab or an enum", param->name.text);
  diag_label(d, param->name.span, "`%s` is an index set", param->name.text);
  if (ref.kind != AST_REF_NONE && ref.kind != AST_REF_BUILTIN)
    diag_label(d, names_declared_at(&ref), "this is %s", check_ref_text(checker, &ref));
  return NULL;
}

// Fills the binding and the argument's part of the instance's type; false after an error.
static bool layer_argument(struct checker *checker, struct ast_expr *arg, const struct ast_layer_param *param,
                           struct size_binding *binding, struct type_layer_arg *type_arg) {
  binding->origin = arg->span;
  if (param->size)
    binding->symbol = size_symbol_of(size_as_atom(param->size));
  switch (param->kind) {
  case AST_LAYER_PARAM_DIM:
    binding->size = check_size_expr(checker, arg, "this argument");
    type_arg->size = binding->size;
    return binding->size != NULL;
  case AST_LAYER_PARAM_INDEX:
    binding->index = index_argument(checker, arg, param);
    type_arg->index = binding->index;
    if (binding->index)
      type_arg->size = binding->size = check_symbol_size(checker, binding->index->index);
    return binding->index != NULL;
  default:
    binding->value = arg;
    return check_constant(
        checker, arg, param->type,
        arena_printf(checker->arena, "`%s` of `%s`", param->name.text, param->layer->name.text));
  }
}

static const struct type *layer_call(struct checker *checker, struct ast_expr *expr,
                                     struct ast_layer *layer) {
  size_t count = layer->layer_params.count;
  const struct ast_name **names = arena_new_array(checker->arena, const struct ast_name *, count);
  for (size_t i = 0; i < count; i++)
    names[i] = &layer->layer_params.items[i]->name;
  if (!check_arrange_args(checker, expr, layer->name.text, layer->name.span, names, count))
    return &type_error;
  struct ast_call *call = &expr->call.resolved;
  call->kind = AST_CALL_LAYER;
  call->bindings = arena_new_array(checker->arena, struct size_binding, count);
  call->binding_count = count;
  struct type_layer_arg *args = arena_new_array(checker->arena, struct type_layer_arg, count);
  bool failed = false;
  for (size_t i = 0; i < count; i++)
    failed |= !layer_argument(checker, call->args[i], layer->layer_params.items[i], &call->bindings[i],
                              &args[i]);
  return failed ? &type_error : type_layer(checker->arena, layer, args);
}

// ---- Values --------------------------------------------------------------------------------------------

static const struct type *not_an_instance(struct checker *checker, const struct ast_expr *expr) {
  struct diag *d = diag_error(checker->sink, DIAG_INSTANCE_VALUE, expr->span,
                              "a `let` outside functions makes an instance of a layer");
  if (expr->kind == AST_EXPR_INT || expr->kind == AST_EXPR_BINARY)
    diag_help(d, "a constant size is declared by `dim`");
  else
    diag_help(d, "write `LSTM(D, H)`, `[LSTM(H, H) for i in 0..L]` or `[Dense(A, B), Dense(A, B)]`; other "
                 "values belong "
                 "into functions");
  return &type_error;
}

static const struct type *instance_call(struct checker *checker, struct ast_expr *expr) {
  if (expr->call.callee->kind != AST_EXPR_NAME && !check_qualify(checker, expr->call.callee)) {
    if (expr->call.callee->kind == AST_EXPR_FIELD && check_report_path(checker, expr->call.callee))
      return &type_error;
    return not_an_instance(checker, expr);
  }
  struct ast_name *name = &expr->call.callee->name.name;
  struct ast_ref ref = names_find(&checker->names, name->text);
  expr->call.callee->name.ref = ref;
  expr->call.resolved.target = ref;
  if (ref.kind == AST_REF_LAYER)
    return layer_call(checker, expr, ref.layer);
  if (ref.kind == AST_REF_NONE) {
    names_report_unknown(&checker->names, name, NAMES_VALUES);
    return &type_error;
  }
  return not_an_instance(checker, expr);
}

static const struct type *instance_list(struct checker *checker, struct ast_expr *expr) {
  if (expr->items.count == 0)
    return not_an_instance(checker, expr);
  const struct type *first = instance_value(checker, expr->items.items[0]);
  bool failed = first->kind == TYPE_ERROR;
  for (size_t i = 1; i < expr->items.count; i++) {
    const struct type *type = instance_value(checker, expr->items.items[i]);
    failed |= type->kind == TYPE_ERROR;
    if (failed || type_equal(first, type))
      continue;
    struct diag *d = diag_error(checker->sink, DIAG_INSTANCES_DIFFER, expr->items.items[i]->span,
                                "the layers of a list must be of one kind and size");
    diag_primary_label(d, "this is %s", check_text(checker, type));
    diag_label(d, expr->items.items[0]->span, "the first is %s", check_text(checker, first));
    diag_help(d, "give each a `let` of its own");
    failed = true;
  }
  if (failed)
    return &type_error;
  return type_list(checker->arena, first, size_constant(checker->arena, (int64_t)expr->items.count));
}

// high - low of the range, as a size.
static const struct size *range_length(struct checker *checker, const struct ast_expr *range) {
  if (range->kind != AST_EXPR_RANGE) {
    struct diag *d = diag_error(checker->sink, DIAG_INSTANCE_VALUE, range->span,
                                "a list of layers is counted by a range of sizes");
    diag_help(d, "write `[LSTM(H, H) for i in 0..L]`");
    return NULL;
  }
  const struct size *low = check_size_expr(checker, range->range.low, "the beginning of this range");
  const struct size *high = check_size_expr(checker, range->range.high, "the end of this range");
  const struct size *length = low && high ? size_sub(checker->arena, high, low) : NULL;
  int64_t value;
  if (length && check_default_of_size(length, &value) && value < 1) {
    struct diag *d = diag_error(checker->sink, DIAG_SIZE_NOT_POSITIVE, range->span,
                                value ? "this range ends before it begins" : "this range is empty");
    diag_help(d, "a list of layers has at least 1");
    return NULL;
  }
  return length;
}

static const struct type *instance_comprehension(struct checker *checker, struct ast_expr *expr) {
  const struct size *length = range_length(checker, expr->comprehension.sequence);
  if (expr->comprehension.condition) {
    diag_error(checker->sink, DIAG_INSTANCE_VALUE, expr->comprehension.condition->span,
               "a list of layers cannot have a condition");
    return &type_error;
  }
  check_set_type(checker, &expr->comprehension.sequence->type, type_list(checker->arena, &type_int, NULL));
  names_open_scope(&checker->names);
  bool matched = check_pattern(checker, expr->comprehension.pattern, &type_int);
  if (matched)
    check_irrefutable(checker, expr->comprehension.pattern, "a comprehension");
  const struct type *element = instance_value(checker, expr->comprehension.element);
  names_close_scope(&checker->names);
  if (!length || !matched || element->kind == TYPE_ERROR)
    return &type_error;
  return type_list(checker->arena, element, length);
}

static const struct type *instance_value(struct checker *checker, struct ast_expr *expr) {
  switch (expr->kind) {
  case AST_EXPR_CALL: expr->type = instance_call(checker, expr); break;
  case AST_EXPR_LIST: expr->type = instance_list(checker, expr); break;
  case AST_EXPR_COMPREHENSION: expr->type = instance_comprehension(checker, expr); break;
  default: expr->type = not_an_instance(checker, expr); break;
  }
  return expr->type;
}

static void visit_instance(struct checker *checker, struct ast_decl *decl) {
  if (decl->kind != AST_DECL_INSTANCE)
    return;
  names_enter_body(&checker->names, NULL, NULL);
  decl->instance->type = instance_value(checker, decl->instance->value);
}

// ---- Layers within layers ------------------------------------------------------------------------------

struct layer_node {
  struct ast_layer *layer;
  size_t id;
  bool is_finite;  // all layers inside are, as far as is known
};

struct layer_graph {
  struct layer_node **items;
  size_t count, capacity;
  struct map nodes;  // by their declarations
};

static struct layer_node *layer_of_instance(const struct layer_graph *graph,
                                            const struct ast_instance *instance) {
  const struct type *type = instance->type;
  while (type->kind == TYPE_LIST)
    type = type->list.element;
  return type->kind == TYPE_LAYER ? map_get(&graph->nodes, type->layer.decl) : NULL;
}

// An instance inside whose layer is not known to be finite; NULL when there is none.
static const struct ast_instance *infinite_instance(const struct layer_graph *graph,
                                                    const struct ast_layer *layer) {
  for (size_t i = 0; i < layer->instances.count; i++) {
    const struct layer_node *node = layer_of_instance(graph, layer->instances.items[i]);
    if (node && !node->is_finite)
      return layer->instances.items[i];
  }
  return NULL;
}

static void report_layer_cycle(struct checker *checker, void *context, size_t member) {
  const struct layer_graph *graph = context;
  const struct layer_node *node = graph->items[member], *at = node;
  struct diag *d = diag_error(checker->sink, DIAG_LAYER_RECURSION, node->layer->name.span,
                              "the layer `%s` contains itself", node->layer->name.text);
  for (size_t steps = 0; d && steps < 5 && (steps == 0 || at != node); steps++) {
    const struct ast_instance *instance = infinite_instance(graph, at->layer);
    const struct layer_node *inside = layer_of_instance(graph, instance);
    diag_label(d, instance->value->span, "`%s` contains `%s`", at->layer->name.text,
               inside->layer->name.text);
    at = inside;
  }
  diag_help(d, "a list `[Layer(...) for i in 0..n]` repeats a layer a given number of times");
}

// Least fixed point, as for data types.
static void find_finite_layers(struct layer_graph *graph) {
  for (bool progress = true; progress;) {
    progress = false;
    for (size_t step = 0; step < 2 * graph->count; step++) {
      struct layer_node *node = graph->items[step < graph->count ? step : 2 * graph->count - 1 - step];
      if (!node->is_finite && !infinite_instance(graph, node->layer))
        node->is_finite = progress = true;
    }
  }
}

static void check_layer_cycles(struct checker *checker) {
  struct layer_graph graph = {0};
  for (size_t i = 0; i < checker->program->files.count; i++) {
    const struct ast_decls *decls = &checker->program->files.items[i]->decls;
    for (size_t k = 0; k < decls->count; k++) {
      if (decls->items[k]->kind != AST_DECL_LAYER || map_get(&graph.nodes, decls->items[k]->layer))
        continue;
      struct layer_node *node = arena_new(checker->arena, struct layer_node);
      *node = (struct layer_node){decls->items[k]->layer, graph.count, false};
      arena_push(checker->arena, &graph, node);
      map_put(checker->arena, &graph.nodes, node->layer, node);
    }
  }
  find_finite_layers(&graph);
  size_t *next = arena_new_array(checker->arena, size_t, graph.count);
  for (size_t i = 0; i < graph.count; i++) {
    const struct ast_instance *instance = infinite_instance(&graph, graph.items[i]->layer);
    next[i] = instance ? layer_of_instance(&graph, instance)->id : SIZE_MAX;
  }
  check_each_cycle(checker, graph.count, next, report_layer_cycle, &graph);
}

void check_instances(struct checker *checker) {
  check_each_decl(checker, visit_instance);
  check_layer_cycles(checker);
}
