// Builders of declarations.
#include <string.h>

#include "compiler/syntax/parser.h"

static struct ast_decl *new_decl(struct parser *p, enum ast_decl_kind kind, struct span span) {
  struct ast_decl *decl = arena_new(p->arena, struct ast_decl);
  decl->kind = kind;
  decl->span = span;
  return decl;
}

// The bindings made since the last function, numbered; parameters come first because they are parsed first.
static struct ast_locals take_locals(struct parser *p) {
  struct ast_locals locals = p->pending_locals;
  p->pending_locals = (struct ast_locals){0};
  for (size_t i = 0; i < locals.count; i++)
    locals.items[i]->index = (unsigned)i;
  return locals;
}

struct ast_import *build_import(struct parser *p, struct span span, struct ast_names path,
                                struct ast_name alias) {
  struct ast_import *import = arena_new(p->arena, struct ast_import);
  import->span = span;
  import->path = path;
  import->alias = alias;
  return import;
}

void build_import_list(struct parser *p, struct ast_import *import, struct ast_names names) {
  import->is_listed = true;
  for (size_t i = 0; i < names.count; i++) {
    struct ast_listed listed = {names.items[i], false};
    arena_push(p->arena, &import->listed, listed);
  }
}

struct ast_name build_qualified_name(struct parser *p, struct span span, struct ast_names path) {
  const char *text = path.items[0].text;
  for (size_t i = 1; i < path.count; i++)
    text = arena_printf(p->arena, "%s.%s", text, path.items[i].text);
  return build_name(text, span);
}

struct ast_decl *build_dim(struct parser *p, struct span span, struct ast_name name, struct ast_expr *value) {
  struct ast_decl *decl = new_decl(p, AST_DECL_DIM, span);
  decl->dim = arena_new(p->arena, struct ast_dim);
  decl->dim->name = name;
  decl->dim->value = build_size(p, value);
  return decl;
}

struct ast_decl *build_vocab(struct parser *p, struct span span, struct ast_name name,
                             struct ast_vocab_options options) {
  struct ast_decl *decl = new_decl(p, AST_DECL_VOCAB, span);
  decl->vocab = arena_new(p->arena, struct ast_vocab);
  decl->vocab->name = name;
  decl->vocab->options = options;
  return decl;
}

static void put_first(struct parser *p, struct map *by_name, const char *name, void *value) {
  if (!map_get_text(by_name, name))
    map_put_text(p->arena, by_name, name, value);
}

struct ast_decl *build_enum(struct parser *p, struct span span, struct ast_name name,
                            struct ast_names members) {
  struct ast_decl *decl = new_decl(p, AST_DECL_ENUM, span);
  struct ast_enum *enumeration = arena_new(p->arena, struct ast_enum);
  enumeration->name = name;
  for (size_t i = 0; i < members.count; i++) {
    struct ast_enum_member *member = arena_new(p->arena, struct ast_enum_member);
    member->name = members.items[i];
    member->parent = enumeration;
    member->index = (unsigned)i;
    arena_push(p->arena, &enumeration->members, member);
    put_first(p, &enumeration->by_name, member->name.text, member);
  }
  decl->enumeration = enumeration;
  return decl;
}

static bool find_bound(const char *text, enum ast_type_bound *bound) {
  for (*bound = AST_BOUND_TYPE; *bound <= AST_BOUND_NUMBER; ++*bound)
    if (strcmp(ast_type_bound_text(*bound), text) == 0)
      return true;
  return false;
}

// `types` is NULL where only sizes may stand.
static void build_vars(struct parser *p, struct ast_vars vars, struct ast_size_vars *sizes,
                       struct ast_type_vars *types) {
  for (size_t i = 0; i < vars.count; i++) {
    const struct ast_name *kind = &vars.items[i].kind;
    enum ast_type_bound bound;
    bool is_type = kind->text && find_bound(kind->text, &bound);
    if (kind->text && (!is_type || !types)) {
      struct diag *diag = parser_error(
          p, DIAG_VARIABLE_KIND, kind->span,
          is_type ? "a data type is generic in sizes only" : "`%s` is no kind of variable", kind->text);
      diag_help(diag, is_type
                          ? "a list, `[T]`, holds values of any type"
                          : "a name alone is a size, `n`; `T: type` is a type, `T: equal` one whose values "
                            "`==` compares, `T: ordered` one that `<` does, `T: number` int or float");
    } else if (is_type) {
      struct ast_type_var *var = arena_new(p->arena, struct ast_type_var);
      var->name = vars.items[i].name;
      var->bound = bound;
      var->index = (unsigned)types->count;
      arena_push(p->arena, types, var);
    } else {
      struct ast_size_var *var = arena_new(p->arena, struct ast_size_var);
      var->name = vars.items[i].name;
      var->index = (unsigned)sizes->count;
      arena_push(p->arena, sizes, var);
    }
  }
}

struct ast_constructor *build_constructor(struct parser *p, struct span span, struct ast_name name,
                                          struct ast_data_fields fields) {
  struct ast_constructor *constructor = arena_new(p->arena, struct ast_constructor);
  constructor->name = name;
  constructor->fields = fields;
  constructor->span = span;
  return constructor;
}

struct ast_decl *build_data(struct parser *p, struct span span, struct ast_name name, struct ast_vars vars,
                            struct ast_constructors constructors) {
  struct ast_decl *decl = new_decl(p, AST_DECL_DATA, span);
  struct ast_data *data = arena_new(p->arena, struct ast_data);
  data->name = name;
  build_vars(p, vars, &data->size_vars, NULL);
  data->constructors = constructors;
  for (size_t i = 0; i < constructors.count; i++) {
    constructors.items[i]->parent = data;
    constructors.items[i]->index = (unsigned)i;
    put_first(p, &data->by_name, constructors.items[i]->name.text, constructors.items[i]);
  }
  decl->data = data;
  return decl;
}

static struct ast_initialiser *build_initialiser(struct parser *p, const struct ast_expr *expr) {
  struct ast_initialiser *initialiser = arena_new(p->arena, struct ast_initialiser);
  initialiser->span = expr->span;
  if (expr->kind == AST_EXPR_NAME) {
    initialiser->name = expr->name.name;
    return initialiser;
  }
  if (expr->kind == AST_EXPR_CALL && expr->call.callee->kind == AST_EXPR_NAME) {
    initialiser->name = expr->call.callee->name.name;
    for (size_t i = 0; i < expr->call.args.count; i++) {
      const struct ast_arg *arg = &expr->call.args.items[i];
      if (arg->name.text)
        parser_error(p, DIAG_INVALID_INITIALISER, arg->name.span, "initialisers have no named arguments");
      arena_push(p->arena, &initialiser->args, arg->value);
    }
    return initialiser;
  }
  struct diag *diag = parser_error(p, DIAG_INVALID_INITIALISER, expr->span, "this is not an initialiser");
  if (expr->kind == AST_EXPR_INT || expr->kind == AST_EXPR_FLOAT)
    diag_help(diag, "write `constant(c)`");
  else if (expr->kind == AST_EXPR_FILL)
    diag_help(diag, "write `zeros` or `ones`: the parameter's type has the dimensions");
  return initialiser;
}

struct ast_decl *build_param(struct parser *p, struct span span, struct ast_name name, struct ast_type *type,
                             struct ast_expr *initialiser) {
  struct ast_decl *decl = new_decl(p, AST_DECL_PARAM, span);
  decl->param = arena_new(p->arena, struct ast_param);
  decl->param->name = name;
  decl->param->type = type;
  decl->param->initialiser = initialiser ? build_initialiser(p, initialiser) : NULL;
  return decl;
}

struct ast_decl *build_instance(struct parser *p, struct span span, struct ast_name name,
                                struct ast_expr *value) {
  struct ast_decl *decl = new_decl(p, AST_DECL_INSTANCE, span);
  decl->instance = arena_new(p->arena, struct ast_instance);
  decl->instance->name = name;
  decl->instance->value = value;
  decl->instance->locals = take_locals(p);
  return decl;
}

struct ast_layer_param *build_layer_param(struct parser *p, struct ast_name name, struct ast_name kind) {
  static const struct {
    const char *text;
    enum ast_layer_param_kind kind;
  } kinds[] = {
      {"dim", AST_LAYER_PARAM_DIM},     {"index", AST_LAYER_PARAM_INDEX}, {"int", AST_LAYER_PARAM_INT},
      {"float", AST_LAYER_PARAM_FLOAT}, {"bool", AST_LAYER_PARAM_BOOL},
  };
  struct ast_layer_param *param = arena_new(p->arena, struct ast_layer_param);
  param->name = name;
  param->kind_span = kind.span;
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    if (strcmp(kinds[i].text, kind.text) == 0) {
      param->kind = kinds[i].kind;
      return param;
    }
  }
  diag_note(
      parser_error(p, DIAG_LAYER_PARAM_KIND, kind.span, "`%s` is no kind of layer parameter", kind.text),
      "the kinds are `dim`, `index` (a vocab or enum), `int`, `float` and `bool`");
  return param;
}

struct ast_decl *build_layer(struct parser *p, struct span span, struct ast_name name,
                             struct ast_layer_params layer_params, struct ast_decls members) {
  struct ast_decl *decl = new_decl(p, AST_DECL_LAYER, span);
  struct ast_layer *layer = arena_new(p->arena, struct ast_layer);
  layer->name = name;
  layer->layer_params = layer_params;
  for (size_t i = 0; i < layer_params.count; i++) {
    layer_params.items[i]->layer = layer;
    layer_params.items[i]->index = (unsigned)i;
  }
  layer->members = members;
  for (size_t i = 0; i < members.count; i++) {
    struct ast_decl *member = members.items[i];
    if (member->kind == AST_DECL_PARAM) {
      member->param->layer = layer;
      arena_push(p->arena, &layer->params, member->param);
    } else if (member->kind == AST_DECL_INSTANCE) {
      member->instance->layer = layer;
      arena_push(p->arena, &layer->instances, member->instance);
    } else {
      member->fn->layer = layer;
      arena_push(p->arena, &layer->fns, member->fn);
    }
  }
  decl->layer = layer;
  return decl;
}

struct ast_fn_param build_fn_param(struct parser *p, struct span span, struct ast_name name,
                                   struct ast_type *type) {
  struct ast_local *local = arena_new(p->arena, struct ast_local);
  local->kind = AST_LOCAL_PARAMETER;
  local->name = name;
  arena_push(p->arena, &p->pending_locals, local);
  return (struct ast_fn_param){local, type, span};
}

struct ast_decl *build_fn(struct parser *p, struct span span, bool is_metric, struct ast_name name,
                          struct ast_vars vars, struct ast_fn_params params, struct ast_type *result,
                          struct ast_block *body) {
  struct ast_decl *decl = new_decl(p, AST_DECL_FN, span);
  struct ast_fn *fn = arena_new(p->arena, struct ast_fn);
  fn->name = name;
  fn->is_metric = is_metric;
  build_vars(p, vars, &fn->size_vars, &fn->type_vars);
  fn->params = params;
  fn->result = result;
  fn->body = body;
  fn->locals = take_locals(p);
  decl->fn = fn;
  return decl;
}

void build_total(struct parser *p, struct span span, struct ast_decl *metric, struct ast_name word,
                 struct ast_fn_params params, struct ast_block *body) {
  if (strcmp(word.text, "total") != 0) {
    struct diag *d = parser_error(p, DIAG_SYNTAX, word.span, "expected end of line or `total`, found `%s`",
                                  word.text);
    diag_help(d, "what a metric is made of its sums stands behind it: `} total(a, b) { exp(a / b) }`");
  }
  const char *name = arena_printf(p->arena, "%s.total", metric->fn->name.text);
  p->pending_total = build_fn(p, span, false, build_name(name, word.span), (struct ast_vars){0}, params, NULL,
                              body);
  p->pending_total->fn->total_of = metric->fn;
  metric->fn->total = p->pending_total->fn;
}

void build_push_total(struct parser *p, const struct ast_decl *metric) {
  if (!p->pending_total || metric->kind != AST_DECL_FN || p->pending_total->fn->total_of != metric->fn)
    return;
  arena_push(p->arena, &p->file->decls, p->pending_total);
  p->pending_total = NULL;
}
