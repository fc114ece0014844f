// Data types: their fields; that each has a value; that records do not grow beyond all bounds.
#include "compiler/check/checker.h"

#include <string.h>

// A record is kept as its fields, and so are records in it.
#define MAX_RECORD_WIDTH 1024
#define MAX_RECORD_DEPTH 64

struct data_node {
  struct ast_data *data;
  size_t id;
  bool is_finite;  // has a value, as far as is known
  size_t width;    // 0: not known yet
};

struct data_graph {
  struct checker *checker;
  struct data_node **items;
  size_t count, capacity;
  struct map nodes;  // by their declarations
};

// The data types in a field's type, for the check of recursion.
static void record_uses(struct checker *checker, const struct ast_data *user, const struct ast_type *field,
                        const struct type *type) {
  if (type->kind == TYPE_LIST) {
    record_uses(checker, user, field, type->list.element);
  } else if (type->kind == TYPE_BATCH) {
    record_uses(checker, user, field, type->batch.element);
  } else if (type->kind == TYPE_TUPLE) {
    for (size_t i = 0; i < type->tuple.count; i++)
      record_uses(checker, user, field, type->tuple.items[i]);
  } else if (type->kind == TYPE_DATA) {
    const struct use_edge edge = {.user = user,
                                  .used = type->data.decl,
                                  .user_vars = &user->size_vars,
                                  .used_vars = &type->data.decl->size_vars,
                                  .sizes = type->data.sizes,
                                  .span = field->span};
    arena_push(checker->arena, &checker->edges, edge);
  }
}

static void check_fields(struct checker *checker, const struct ast_constructor *constructor) {
  const struct ast_data_fields *fields = &constructor->fields;
  for (size_t i = 0; i < fields->count; i++) {
    record_uses(checker, constructor->parent, fields->items[i].type,
                check_type(checker, fields->items[i].type));
    for (size_t k = 0; k < i; k++) {
      if (strcmp(fields->items[k].name.text, fields->items[i].name.text) != 0)
        continue;
      struct diag *d = diag_error(checker->sink, DIAG_DUPLICATE_NAME, fields->items[i].name.span,
                                  "`%s` has two fields `%s`", constructor->name.text,
                                  fields->items[i].name.text);
      diag_label(d, fields->items[k].name.span, "the first is here");
      break;
    }
  }
}

static void visit_data(struct checker *checker, struct ast_decl *decl) {
  if (decl->kind != AST_DECL_DATA)
    return;
  struct ast_data *data = decl->data;
  names_enter_body(&checker->names, &data->size_vars, NULL);
  const struct size **sizes = arena_new_array(checker->arena, const struct size *, data->size_vars.count);
  for (size_t i = 0; i < data->size_vars.count; i++)
    sizes[i] = data->size_vars.items[i]->size;
  data->type = type_data(checker->arena, data, sizes);
  for (size_t i = 0; i < data->constructors.count; i++)
    check_fields(checker, data->constructors.items[i]);
}

static struct data_node *node_of(const struct data_graph *graph, const struct ast_data *data) {
  return map_get(&graph->nodes, data);
}

// ---- Finite values -------------------------------------------------------------------------------------

// The data type in the field's type that has no finite value as far as is known; NULL when there is none.
static struct data_node *infinite_part(const struct data_graph *graph, const struct type *type) {
  if (type->kind == TYPE_DATA) {
    struct data_node *node = node_of(graph, type->data.decl);
    return node->is_finite ? NULL : node;
  }
  struct data_node *part = NULL;
  if (type->kind == TYPE_TUPLE)
    for (size_t i = 0; i < type->tuple.count && !part; i++)
      part = infinite_part(graph, type->tuple.items[i]);
  return part;
}

// A field that makes the constructor's values infinite; NULL when none does.
static const struct ast_data_field *infinite_field(const struct data_graph *graph,
                                                   const struct ast_constructor *constructor) {
  for (size_t i = 0; i < constructor->fields.count; i++)
    if (infinite_part(graph, constructor->fields.items[i].type->type))
      return &constructor->fields.items[i];
  return NULL;
}

static bool has_finite_constructor(const struct data_graph *graph, const struct ast_data *data) {
  for (size_t i = 0; i < data->constructors.count; i++)
    if (!infinite_field(graph, data->constructors.items[i]))
      return true;
  return false;
}

static void report_infinite(struct checker *checker, void *context, size_t member) {
  const struct data_graph *graph = context;
  const struct ast_data *data = graph->items[member]->data;
  struct diag *d = diag_error(checker->sink, DIAG_DATA_INFINITE, data->name.span,
                              "every value of `%s` would contain another one, without end", data->name.text);
  for (size_t i = 0; d && i < data->constructors.count && i < 3; i++) {
    const struct ast_constructor *constructor = data->constructors.items[i];
    const struct ast_data_field *field = infinite_field(graph, constructor);
    diag_label(d, field->type->span, "every `%s` contains %s", constructor->name.text,
               check_text(checker, field->type->type));
  }
  diag_help(d, "add a constructor that ends the recursion, or use a list, which may be empty");
}

// Least fixed point. Passes in both directions: declarations that only build on earlier, or only on later
// ones, need two.
static void find_finite(struct data_graph *graph) {
  for (bool progress = true; progress;) {
    progress = false;
    for (size_t step = 0; step < 2 * graph->count; step++) {
      struct data_node *node = graph->items[step < graph->count ? step : 2 * graph->count - 1 - step];
      if (!node->is_finite && has_finite_constructor(graph, node->data))
        node->is_finite = progress = true;
    }
  }
}

static void check_finite(struct checker *checker, struct data_graph *graph) {
  find_finite(graph);
  size_t *next = arena_new_array(checker->arena, size_t, graph->count);
  for (size_t i = 0; i < graph->count; i++) {
    next[i] = SIZE_MAX;
    const struct data_node *node = graph->items[i];
    if (node->is_finite)
      continue;
    const struct ast_data_field *field = infinite_field(graph, node->data->constructors.items[0]);
    next[i] = infinite_part(graph, field->type->type)->id;
  }
  check_each_cycle(checker, graph->count, next, report_infinite, graph);
}

// ---- Width of records ----------------------------------------------------------------------------------

static size_t type_width(struct data_graph *graph, const struct type *type, unsigned depth);

static size_t constructor_width(struct data_graph *graph, const struct ast_constructor *constructor,
                                unsigned depth) {
  size_t width = 0;
  for (size_t i = 0; i < constructor->fields.count && width <= MAX_RECORD_WIDTH; i++)
    width += type_width(graph, constructor->fields.items[i].type->type, depth);
  return width;
}

static size_t type_width(struct data_graph *graph, const struct type *type, unsigned depth) {
  if (depth > MAX_RECORD_DEPTH)
    return MAX_RECORD_WIDTH + 1;
  size_t width = 0;
  if (type->kind == TYPE_TUPLE) {
    for (size_t i = 0; i < type->tuple.count && width <= MAX_RECORD_WIDTH; i++)
      width += type_width(graph, type->tuple.items[i], depth + 1);
    return width;
  }
  if (type->kind != TYPE_DATA || type->data.decl->constructors.count > 1)
    return 1;
  struct data_node *node = node_of(graph, type->data.decl);
  if (node->width == 0)
    node->width = 1 + constructor_width(graph, node->data->constructors.items[0], depth + 1);
  return node->width - 1;
}

static void check_width(struct checker *checker, struct data_graph *graph, const struct ast_data *data) {
  for (size_t i = 0; i < data->constructors.count; i++) {
    const struct ast_constructor *constructor = data->constructors.items[i];
    if (constructor_width(graph, constructor, 0) <= MAX_RECORD_WIDTH)
      continue;
    struct diag *d = diag_error(checker->sink, DIAG_TYPE_TOO_LARGE, constructor->name.span,
                                "`%s` has more than %d values in it, or records nested more than %d deep",
                                constructor->name.text, MAX_RECORD_WIDTH, MAX_RECORD_DEPTH);
    diag_help(d, "lists hold many values of one type");
    return;
  }
}

void check_data_types(struct checker *checker) {
  size_t errors = checker->sink->error_count;
  check_each_decl(checker, visit_data);
  struct data_graph graph = {.checker = checker};
  for (size_t i = 0; i < checker->program->files.count; i++) {
    const struct ast_decls *decls = &checker->program->files.items[i]->decls;
    for (size_t k = 0; k < decls->count; k++) {
      if (decls->items[k]->kind != AST_DECL_DATA || map_get(&graph.nodes, decls->items[k]->data))
        continue;
      struct data_node *node = arena_new(checker->arena, struct data_node);
      *node = (struct data_node){.data = decls->items[k]->data, .id = graph.count};
      arena_push(checker->arena, &graph, node);
      map_put(checker->arena, &graph.nodes, node->data, node);
    }
  }
  check_finite(checker, &graph);
  // Flattening ends for certain only where every type has a finite value.
  if (checker->sink->error_count > errors)
    return;
  for (size_t i = 0; i < graph.count; i++)
    check_width(checker, &graph, graph.items[i]->data);
}
