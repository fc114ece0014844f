// What a module declares: dims, vocabs, enums, parameters, layer instances, entry points.
#include <assert.h>
#include <string.h>

#include "compiler/lower/lower_internal.h"

// ---- Dims, vocabs, enums ------------------------------------------------------------------------------

// Makes `size`, when it is an atom of its own, mean the module's dim.
static void remember_atom(struct lower *lower, const struct size *size, const struct ir_dim *dim) {
  const struct size_atom *atom = size_as_atom(size);
  if (!atom)
    return;
  if (atom->id >= lower->n_atoms) {
    uint32_t n = lower->n_atoms, grown = atom->id + 1 > 2 * n ? atom->id + 1 : 2 * n;
    lower->atom_sizes = arena_grow_array(lower->arena, lower->atom_sizes, n, grown,
                                         sizeof *lower->atom_sizes);
    lower->atom_dims = arena_grow_array(lower->arena, lower->atom_dims, n, grown, sizeof *lower->atom_dims);
    lower->n_atoms = grown;
  }
  lower->atom_sizes[atom->id] = size_from_atom(lower->module->arena, &dim->atom);
  lower->atom_dims[atom->id] = dim->atom.id;
}

// A dim that depends on others is written out wherever it occurs; the module has it for show.
static void declare_dim(struct lower *lower, const struct ast_dim *decl) {
  struct ir_dim *dim = ir_add_dim(lower->module, decl->unique, SIZE_DIM);
  if (size_as_atom(decl->size) && size_symbol_of(size_as_atom(decl->size))->ref.dim == decl) {
    dim->value = size_constant(lower->module->arena, decl->default_value);
    remember_atom(lower, decl->size, dim);
  } else {
    dim->value = lower_size(lower, NULL, decl->size);
  }
}

static void declare_vocab(struct lower *lower, const struct ast_vocab *decl) {
  struct arena *arena = lower->module->arena;
  struct ir_dim *dim = ir_add_dim(lower->module, decl->unique, SIZE_VOCAB);
  dim->closed = decl->closed;
  dim->min_count = decl->min_count;
  dim->max_size = decl->max_size;
  dim->characters = decl->characters;
  dim->normal = (decl->nfc ? IR_NORMAL_NFC : 0) | (decl->nfkc ? IR_NORMAL_NFKC : 0) |
                (decl->lower ? IR_NORMAL_LOWER : 0);
  dim->unknown = decl->unknown ? arena_strdup(arena, decl->unknown) : NULL;
  dim->n_members = (uint32_t)decl->fixed.count;
  dim->members = arena_new_array(arena, const char *, dim->n_members);
  for (uint32_t i = 0; i < dim->n_members; i++)
    dim->members[i] = arena_strdup(arena, decl->fixed.items[i]->text);
  dim->n_sources = (uint32_t)decl->sources.count;
  dim->sources = arena_new_array(arena, const char *, dim->n_sources);
  for (uint32_t i = 0; i < dim->n_sources; i++)
    dim->sources[i] = arena_strdup(arena, decl->sources.items[i].text);
  remember_atom(lower, decl->size, dim);
}

static void declare_enum(struct lower *lower, const struct ast_enum *decl) {
  struct arena *arena = lower->module->arena;
  struct ir_dim *dim = ir_add_dim(lower->module, decl->unique, SIZE_ENUM);
  dim->n_members = (uint32_t)decl->members.count;
  dim->value = size_constant(arena, dim->n_members);
  dim->members = arena_new_array(arena, const char *, dim->n_members);
  for (uint32_t i = 0; i < dim->n_members; i++)
    dim->members[i] = arena_strdup(arena, decl->members.items[i]->name.text);
  remember_atom(lower, decl->size, dim);
}

// ---- Parameters ---------------------------------------------------------------------------------------

// `self` is the layer instance that it belongs to, NULL at top level.
static uint32_t declare_param(struct lower *lower, const struct ast_param *decl,
                              const struct lower_node *self) {
  struct arena *arena = lower->module->arena;
  struct lower_env env = {.self = self};
  const char *name = decl->unique;
  if (self)
    name = arena_printf(lower->arena, "%s.%s", self->path, decl->name.text);
  lower->where = decl->name.span;
  struct ir_param *param = ir_add_param(lower->module, name, lower_type(lower, &env, decl->type->type));
  arena_push(lower->arena, &lower->param_spans, decl->name.span);
  if (decl->initialiser) {
    param->init = decl->initialiser->kind;
    if (decl->initialiser->args.count) {
      const struct ast_expr *argument = decl->initialiser->args.items[0];
      param->init_argument = lower_constant_number(lower_required_constant(lower, self, argument));
    }
  }
  if (self && self->n_lists) {
    param->n_lists = self->n_lists;
    param->count = size_constant(arena, 1);
    for (uint32_t i = 0; i < self->n_lists; i++) {
      param->lists[i] = self->lists[i];
      param->count = lower_checked_size(lower, size_mul(arena, param->count, self->lists[i]));
    }
  }
  return lower->module->n_params - 1;
}

// ---- Layer instances ----------------------------------------------------------------------------------

// Where an instance is being made: inside `self` (NULL: at top level), at this path, in these lists.
struct nesting {
  const struct lower_node *self;
  const char *path;
  uint32_t n_lists;
  const struct size *lists[IR_MAX_RANK];
};

static struct lower_node *make_node(struct lower *lower, struct nesting nesting, const struct ast_expr *value,
                                    const struct type *type);

static struct lower_node *new_node(struct lower *lower, const struct nesting *nesting, struct span span) {
  if (lower->n_nodes++ == LOWER_MAX_NODES) {
    diag_error(lower->sink, DIAG_TOO_MANY_INSTANCES, span, "more than %d layer instances are needed",
               LOWER_MAX_NODES);
    lower_fail(lower);
  }
  struct lower_node *node = arena_new(lower->arena, struct lower_node);
  node->path = nesting->path;
  node->n_lists = nesting->n_lists;
  memcpy(node->lists, nesting->lists, sizeof node->lists);
  return node;
}

static struct lower_arg make_arg(struct lower *lower, const struct lower_node *self,
                                 const struct size_binding *binding) {
  struct lower_env env = {.self = self};
  struct lower_arg arg = {0};
  if (binding->value)
    arg.value = lower_required_constant(lower, self, binding->value);
  else
    arg.size = lower_size(lower, &env, binding->size);
  if (binding->index)
    arg.dim = lower_index_dim(lower, &env, binding->index);
  return arg;
}

static struct lower_node *make_layer(struct lower *lower, struct nesting nesting,
                                     const struct ast_expr *value) {
  assert(value->kind == AST_EXPR_CALL && value->call.resolved.kind == AST_CALL_LAYER);
  const struct ast_call *call = &value->call.resolved;
  const struct ast_layer *layer = call->target.layer;
  struct lower_node *node = new_node(lower, &nesting, value->span);
  node->layer = layer;
  node->args = arena_new_array(lower->arena, struct lower_arg, layer->layer_params.count);
  for (size_t i = 0; i < call->binding_count; i++)
    node->args[i] = make_arg(lower, nesting.self, &call->bindings[i]);

  node->params = arena_new_array(lower->arena, uint32_t, layer->params.count);
  node->children = arena_new_array(lower->arena, struct lower_node *, layer->instances.count);
  size_t n_params = 0, n_children = 0;
  for (size_t i = 0; i < layer->members.count; i++) {
    const struct ast_decl *member = layer->members.items[i];
    if (member->kind == AST_DECL_PARAM) {
      assert(layer->params.items[n_params] == member->param);
      node->params[n_params++] = declare_param(lower, member->param, node);
    } else if (member->kind == AST_DECL_INSTANCE) {
      assert(layer->instances.items[n_children] == member->instance);
      struct nesting inside = nesting;
      inside.self = node;
      inside.path = arena_printf(lower->arena, "%s.%s", nesting.path, member->instance->name.text);
      lower->where = member->instance->name.span;
      node->children[n_children++] = make_node(lower, inside, member->instance->value,
                                               member->instance->type);
    }
  }
  return node;
}

// The first layer call in a list; every other one in it must have the same value arguments.
static const struct ast_expr *representative(struct lower *lower, const struct lower_node *self,
                                             const struct ast_expr *value);

static void require_same_values(struct lower *lower, const struct lower_node *self,
                                const struct ast_expr *first, const struct ast_expr *other) {
  const struct ast_call *a = &first->call.resolved, *b = &other->call.resolved;
  for (size_t i = 0; i < a->binding_count; i++) {
    if (!a->bindings[i].value)
      continue;
    struct lower_constant x = lower_required_constant(lower, self, a->bindings[i].value);
    struct lower_constant y = lower_required_constant(lower, self, b->bindings[i].value);
    if (x.integer == y.integer && x.number == y.number)
      continue;
    struct diag *diag = diag_error(lower->sink, DIAG_LIST_OF_LAYERS, b->bindings[i].value->span,
                                   "the layers of a list must have equal arguments");
    diag_label(diag, a->bindings[i].value->span, "the first element has another value here");
    diag_help(diag, "give each layer a `let` of its own");
    lower_fail(lower);
  }
}

static const struct ast_expr *representative(struct lower *lower, const struct lower_node *self,
                                             const struct ast_expr *value) {
  if (value->kind == AST_EXPR_CALL)
    return value;
  if (value->kind == AST_EXPR_COMPREHENSION)
    return representative(lower, self, value->comprehension.element);
  const struct ast_expr *first = representative(lower, self, value->items.items[0]);
  for (size_t i = 1; i < value->items.count; i++)
    require_same_values(lower, self, first, representative(lower, self, value->items.items[i]));
  return first;
}

static struct lower_node *make_list(struct lower *lower, struct nesting nesting, const struct ast_expr *value,
                                    const struct type *type) {
  if (nesting.n_lists == IR_MAX_RANK) {
    diag_error(lower->sink, DIAG_LIST_OF_LAYERS, value->span,
               "layers may be nested in at most %d lists, those of the enclosing layers included",
               IR_MAX_RANK);
    lower_fail(lower);
  }
  representative(lower, nesting.self, value);
  struct lower_node *node = new_node(lower, &nesting, value->span);
  struct lower_env env = {.self = nesting.self};
  nesting.lists[nesting.n_lists++] = lower_size(lower, &env, type->list.length);
  nesting.path = arena_printf(lower->arena, "%s.*", nesting.path);
  const struct ast_expr *element = value->kind == AST_EXPR_LIST ? value->items.items[0]
                                                                : value->comprehension.element;
  node->element = make_node(lower, nesting, element, type->list.element);
  return node;
}

static struct lower_node *make_node(struct lower *lower, struct nesting nesting, const struct ast_expr *value,
                                    const struct type *type) {
  return type->kind == TYPE_LIST ? make_list(lower, nesting, value, type) : make_layer(lower, nesting, value);
}

const struct lower_node *lower_child(const struct lower_node *node, const struct ast_instance *instance) {
  const struct ast_instances *instances = &node->layer->instances;
  for (size_t i = 0; i < instances->count; i++)
    if (instances->items[i] == instance)
      return node->children[i];
  assert(!"the layer has no such instance");
  return NULL;
}

// ---- Everything a program declares --------------------------------------------------------------------

static void declare(struct lower *lower, const struct ast_decl *decl) {
  switch (decl->kind) {
  case AST_DECL_DIM: declare_dim(lower, decl->dim); break;
  case AST_DECL_VOCAB: declare_vocab(lower, decl->vocab); break;
  case AST_DECL_ENUM: declare_enum(lower, decl->enumeration); break;
  case AST_DECL_PARAM: {
    uint32_t *id = arena_new(lower->arena, uint32_t);
    *id = declare_param(lower, decl->param, NULL);
    map_put(lower->arena, &lower->params, decl->param, id);
    break;
  }
  case AST_DECL_INSTANCE: {
    struct nesting nesting = {.path = decl->instance->unique};
    struct lower_node *node = make_node(lower, nesting, decl->instance->value, decl->instance->type);
    map_put(lower->arena, &lower->nodes, decl->instance, node);
    break;
  }
  case AST_DECL_DATA:   // when used
  case AST_DECL_LAYER:  // when instantiated
  case AST_DECL_FN: break;
  }
}

static bool declares_size(const struct ast_decl *decl) {
  return decl->kind == AST_DECL_DIM || decl->kind == AST_DECL_VOCAB || decl->kind == AST_DECL_ENUM;
}

// Sizes first: parameters of any file may be of any of them.
void lower_declarations(struct lower *lower) {
  const struct ast_files *files = &lower->program->files;
  for (int pass = 0; pass < 2; pass++)
    for (size_t f = 0; f < files->count; f++)
      for (size_t i = 0; i < files->items[f]->decls.count; i++)
        if (declares_size(files->items[f]->decls.items[i]) == (pass == 0)) {
          lower->where = files->items[f]->decls.items[i]->span;
          declare(lower, files->items[f]->decls.items[i]);
        }
}
