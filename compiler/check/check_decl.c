// Declarations other than data types and layer instances: dims, vocabs, enums, parameters, signatures, entry
// points.
#include <inttypes.h>
#include <string.h>

#include "compiler/base/nearest.h"
#include "compiler/check/checker.h"
#include "compiler/ir/ir.h"

// ---- Dims, vocabs, enums -------------------------------------------------------------------------------

// As messages and the module call a declaration.
static struct ast_name unique_name(const char *unique, struct ast_name name) {
  return (struct ast_name){unique, name.span};
}

// A dim that failed becomes a size like any other, so that nothing is said about its uses.
static void check_dim(struct checker *checker, struct ast_dim *dim) {
  checker->in_dim = true;
  const struct size *value = check_size(checker, dim->value);
  checker->in_dim = false;
  dim->default_value = 1;
  if (value && !size_evaluate(value, check_default_of_atom, NULL, &dim->default_value)) {
    diag_error(checker->sink, DIAG_SIZE_OVERFLOW, dim->value->span, "the value of `%s` does not fit 64 bits",
               dim->name.text);
  } else if (dim->default_value < 1) {
    struct diag *d = diag_error(checker->sink, DIAG_SIZE_NOT_POSITIVE, dim->value->span,
                                "the dim `%s` must be at least 1", dim->name.text);
    diag_primary_label(d, "this is %" PRId64, dim->default_value);
    diag_help(d, "what may be 0 or negative is an int, which a function gives: `fn count() -> int { 0 }`");
    dim->default_value = 1;
  }
  int64_t constant;
  if (value && !size_is_constant(value, &constant)) {
    dim->size = value;
    return;
  }
  struct ast_ref ref = {AST_REF_DIM, {.dim = dim}};
  dim->size = check_symbol_size(
      checker, check_new_symbol(checker, SIZE_DIM, ref, unique_name(dim->unique, dim->name), false));
}

static struct diag *report_option(struct checker *checker, const struct ast_vocab_option *option,
                                  const char *problem) {
  struct diag *d = diag_error(checker->sink, DIAG_VOCAB_OPTION, option->name.span, problem,
                              option->name.text);
  diag_note(d,
            "the options are `closed`, `min_count = N`, `max_size = N`, `characters`, `default = \"...\"`, "
            "`members = [\"...\"]`, `of = PARAMETER`, `lower`, `nfc` and `nfkc`");
  return d;
}

static void read_flag(struct checker *checker, const struct ast_vocab_option *option, bool *flag) {
  if (option->value)
    report_option(checker, option, "the option `%s` takes no value");
  *flag = true;
}

static void read_number(struct checker *checker, const struct ast_vocab_option *option, int64_t *number) {
  if (!option->value) {
    report_option(checker, option, "the option `%s` needs a number");
  } else if (option->value->kind != AST_EXPR_INT || option->value->integer < 1) {
    report_option(checker, option, "the option `%s` takes a positive integer");
  } else {
    *number = option->value->integer;
  }
}

static bool is_string(const struct ast_expr *expr) { return expr->kind == AST_EXPR_TEXT && *expr->text; }

static void read_default(struct checker *checker, const struct ast_vocab_option *option,
                         struct ast_vocab *vocab) {
  if (option->value && is_string(option->value))
    vocab->unknown = option->value->text;
  else
    report_option(checker, option, "the option `%s` takes a text, `\"UNK\"`");
}

static void read_members(struct checker *checker, const struct ast_vocab_option *option,
                         struct ast_vocab *vocab) {
  bool is_list = option->value && option->value->kind == AST_EXPR_LIST && option->value->items.count > 0;
  for (size_t i = 0; is_list && i < option->value->items.count; i++)
    is_list = is_string(option->value->items.items[i]);
  if (is_list)
    vocab->fixed = option->value->items;
  else
    report_option(checker, option, "the option `%s` takes a list of texts, `[\"<s>\", \"</s>\"]`");
}

// A name, or a list of names. Whether they are parameters is seen when all entries are known.
static void read_sources(struct checker *checker, const struct ast_vocab_option *option,
                         struct ast_vocab *vocab) {
  struct ast_expr *const *names = &option->value;
  size_t count = option->value ? 1 : 0;
  if (option->value && option->value->kind == AST_EXPR_LIST) {
    names = option->value->items.items;
    count = option->value->items.count;
  }
  for (size_t i = 0; i < count && names[i]->kind == AST_EXPR_NAME; i++)
    arena_push(checker->arena, &vocab->sources, names[i]->name.name);
  if (count == 0 || vocab->sources.count < count)
    report_option(checker, option, "the option `%s` takes the name of a parameter, or a list of names");
}

static void check_vocab_option(struct checker *checker, struct ast_vocab *vocab,
                               const struct ast_vocab_option *option) {
  static const char *const known[] = {"closed",  "min_count", "max_size", "characters", "default",
                                      "members", "of",        "lower",    "nfc",        "nfkc"};
  const size_t count = sizeof known / sizeof known[0];
  size_t which = 0;
  while (which < count && strcmp(option->name.text, known[which]) != 0)
    which++;
  switch (which) {
  case 0: read_flag(checker, option, &vocab->closed); return;
  case 1: read_number(checker, option, &vocab->min_count); return;
  case 2: read_number(checker, option, &vocab->max_size); return;
  case 3: read_flag(checker, option, &vocab->characters); return;
  case 4: read_default(checker, option, vocab); return;
  case 5: read_members(checker, option, vocab); return;
  case 6: read_sources(checker, option, vocab); return;
  case 7: read_flag(checker, option, &vocab->lower); return;
  case 8: read_flag(checker, option, &vocab->nfc); return;
  case 9: read_flag(checker, option, &vocab->nfkc); return;
  default: break;
  }
  struct diag *d = report_option(checker, option, "a vocab has no option `%s`");
  const char *near = nearest_name(option->name.text, known, count);
  if (near)
    diag_help(d, "did you mean `%s`?", near);
}

// Strings that are in a vocab in any case are different ones, and find room in it.
static void check_fixed(struct checker *checker, const struct ast_vocab *vocab) {
  const char *unknown = vocab->closed ? NULL : vocab->unknown ? vocab->unknown : "<unk>";
  for (size_t i = 0; i < vocab->fixed.count; i++) {
    const struct ast_expr *member = vocab->fixed.items[i];
    bool is_twice = unknown && strcmp(member->text, unknown) == 0;
    for (size_t k = 0; k < i; k++)
      is_twice |= strcmp(member->text, vocab->fixed.items[k]->text) == 0;
    if (is_twice)
      diag_error(checker->sink, DIAG_VOCAB_OPTION, member->span, "`%s` is in `%s` already", member->text,
                 vocab->name.text);
  }
  size_t least = vocab->fixed.count + (vocab->closed ? 0 : 1);
  if (vocab->max_size > 0 && (uint64_t)vocab->max_size < least)
    diag_error(checker->sink, DIAG_VOCAB_OPTION, vocab->name.span,
               "the %zu entries that `%s` has in any case are more than its `max_size`", least,
               vocab->name.text);
}

static bool needs_unknown(const char *option) {
  return strcmp(option, "min_count") == 0 || strcmp(option, "max_size") == 0 ||
         strcmp(option, "default") == 0;
}

static void check_vocab(struct checker *checker, struct ast_vocab *vocab) {
  struct ast_ref ref = {AST_REF_VOCAB, {.vocab = vocab}};
  const struct size_symbol *symbol = check_new_symbol(checker, SIZE_VOCAB, ref,
                                                      unique_name(vocab->unique, vocab->name), true);
  vocab->size = check_symbol_size(checker, symbol);
  vocab->type = type_index(checker->arena, symbol);
  vocab->min_count = 1;
  for (size_t i = 0; i < vocab->options.count; i++) {
    const struct ast_vocab_option *option = &vocab->options.items[i];
    check_vocab_option(checker, vocab, option);
    for (size_t k = 0; k < i; k++)
      if (strcmp(vocab->options.items[k].name.text, option->name.text) == 0)
        report_option(checker, option, "the option `%s` is given twice");
  }
  for (size_t i = 0; vocab->closed && i < vocab->options.count; i++)
    if (needs_unknown(vocab->options.items[i].name.text))
      report_option(checker, &vocab->options.items[i],
                    "a closed vocab keeps every string, so `%s` cannot be given as well");
  check_fixed(checker, vocab);
  if (vocab->nfc && vocab->nfkc)
    diag_error(checker->sink, DIAG_VOCAB_OPTION, vocab->name.span, "`%s` has two normal forms, nfc and nfkc",
               vocab->name.text);
}

static void check_enum(struct checker *checker, struct ast_enum *enumeration) {
  struct ast_ref ref = {AST_REF_ENUM, {.enumeration = enumeration}};
  const struct size_symbol *symbol =
      check_new_symbol(checker, SIZE_ENUM, ref, unique_name(enumeration->unique, enumeration->name), true);
  enumeration->size = check_symbol_size(checker, symbol);
  enumeration->type = type_index(checker->arena, symbol);
}

static void check_size_vars(struct checker *checker, const struct ast_size_vars *vars) {
  for (size_t i = 0; i < vars->count; i++) {
    struct ast_size_var *var = vars->items[i];
    struct ast_ref ref = {AST_REF_SIZE_VAR, {.size_var = var}};
    var->size = check_symbol_size(checker, check_new_symbol(checker, SIZE_VARIABLE, ref, var->name, false));
    for (size_t k = 0; k < i; k++)
      if (strcmp(vars->items[k]->name.text, var->name.text) == 0) {
        struct diag *d = diag_error(checker->sink, DIAG_DUPLICATE_NAME, var->name.span,
                                    "`%s` is declared twice", var->name.text);
        diag_label(d, vars->items[k]->name.span, "first declared here");
      }
  }
}

static void check_type_vars(struct checker *checker, const struct ast_fn *fn) {
  for (size_t i = 0; i < fn->type_vars.count; i++) {
    const struct ast_name *name = &fn->type_vars.items[i]->name, *first = NULL;
    for (size_t k = 0; k < fn->size_vars.count; k++)
      if (strcmp(fn->size_vars.items[k]->name.text, name->text) == 0)
        first = &fn->size_vars.items[k]->name;
    for (size_t k = 0; k < i; k++)
      if (strcmp(fn->type_vars.items[k]->name.text, name->text) == 0)
        first = &fn->type_vars.items[k]->name;
    if (!first)
      continue;
    struct diag *d = diag_error(checker->sink, DIAG_DUPLICATE_NAME, name->span, "`%s` is declared twice",
                                name->text);
    diag_label(d, first->span, "first declared here");
  }
}

static void check_layer_param(struct checker *checker, struct ast_layer_param *param) {
  struct ast_ref ref = {AST_REF_LAYER_PARAM, {.layer_param = param}};
  bool is_index = param->kind == AST_LAYER_PARAM_INDEX;
  const struct size_symbol *symbol = NULL;
  if (is_index || param->kind == AST_LAYER_PARAM_DIM) {
    symbol = check_new_symbol(checker, SIZE_VARIABLE, ref, param->name, is_index);
    param->size = check_symbol_size(checker, symbol);
  }
  switch (param->kind) {
  case AST_LAYER_PARAM_INDEX: param->type = type_index(checker->arena, symbol); break;
  case AST_LAYER_PARAM_DIM:
  case AST_LAYER_PARAM_INT: param->type = &type_int; break;
  case AST_LAYER_PARAM_FLOAT: param->type = &type_float; break;
  case AST_LAYER_PARAM_BOOL: param->type = &type_bool; break;
  }
}

static void check_layer_head(struct checker *checker, struct ast_layer *layer) {
  size_t count = layer->layer_params.count;
  struct type_layer_arg *args = arena_new_array(checker->arena, struct type_layer_arg, count);
  for (size_t i = 0; i < count; i++) {
    struct ast_layer_param *param = layer->layer_params.items[i];
    check_layer_param(checker, param);
    args[i].size = param->size;
    args[i].index = param->kind == AST_LAYER_PARAM_INDEX ? param->type : NULL;
  }
  layer->type = type_layer(checker->arena, layer, args);
}

static void visit_set(struct checker *checker, struct ast_decl *decl) {
  switch (decl->kind) {
  case AST_DECL_VOCAB: check_vocab(checker, decl->vocab); break;
  case AST_DECL_ENUM: check_enum(checker, decl->enumeration); break;
  case AST_DECL_DATA: check_size_vars(checker, &decl->data->size_vars); break;
  case AST_DECL_FN:
    check_size_vars(checker, &decl->fn->size_vars);
    check_type_vars(checker, decl->fn);
    break;
  case AST_DECL_LAYER: check_layer_head(checker, decl->layer); break;
  default: break;
  }
}

static void visit_dim(struct checker *checker, struct ast_decl *decl) {
  if (decl->kind == AST_DECL_DIM)
    check_dim(checker, decl->dim);
}

void check_dims_and_sets(struct checker *checker) {
  check_each_decl(checker, visit_set);
  check_each_decl(checker, visit_dim);
}

// ---- Parameters ----------------------------------------------------------------------------------------

static const struct {
  const char *name;
  enum ir_init init;
  size_t min_args, max_args;
  const char *usage;
} initialisers[] = {
    {"glorot", IR_INIT_GLOROT, 0, 0, "glorot()"},
    {"normal", IR_INIT_NORMAL, 1, 1, "normal(std)"},
    {"uniform", IR_INIT_UNIFORM, 1, 1, "uniform(bound)"},
    {"constant", IR_INIT_CONSTANT, 1, 1, "constant(c)"},
    {"zeros", IR_INIT_ZEROS, 0, 0, "zeros"},
    {"ones", IR_INIT_ONES, 0, 0, "ones"},
    {"identity", IR_INIT_IDENTITY, 0, 0, "identity"},
};
#define INITIALISER_COUNT (sizeof initialisers / sizeof initialisers[0])

static void report_initialiser_name(struct checker *checker, const struct ast_initialiser *initialiser) {
  const char *names[INITIALISER_COUNT];
  for (size_t i = 0; i < INITIALISER_COUNT; i++)
    names[i] = initialisers[i].name;
  struct diag *d = diag_error(checker->sink, DIAG_UNKNOWN_INITIALISER, initialiser->name.span,
                              "there is no initialiser `%s`", initialiser->name.text);
  const char *near = nearest_name(initialiser->name.text, names, INITIALISER_COUNT);
  if (near)
    diag_help(d, "did you mean `%s`?", near);
  diag_note(d, "the initialisers are glorot, normal, uniform, constant, zeros, ones and identity");
}

static void check_initialiser(struct checker *checker, const struct ast_param *param) {
  struct ast_initialiser *initialiser = param->initialiser;
  size_t i = 0;
  while (i < INITIALISER_COUNT && strcmp(initialisers[i].name, initialiser->name.text) != 0)
    i++;
  if (i == INITIALISER_COUNT) {
    report_initialiser_name(checker, initialiser);
    return;
  }
  initialiser->kind = (unsigned)initialisers[i].init;
  if (initialiser->args.count < initialisers[i].min_args ||
      initialiser->args.count > initialisers[i].max_args) {
    struct diag *d = diag_error(checker->sink, DIAG_INITIALISER_ARGUMENTS, initialiser->span,
                                "`%s` takes %s, not %zu", initialisers[i].name,
                                check_count_text(checker, initialisers[i].min_args, "argument"),
                                initialiser->args.count);
    diag_help(d, "write `%s`", initialisers[i].usage);
    return;
  }
  for (size_t k = 0; k < initialiser->args.count; k++) {
    struct ast_expr *arg = initialiser->args.items[k];
    bool is_constant = check_constant(checker, arg, &type_float, "the argument of an initialiser");
    bool is_width = initialisers[i].init == IR_INIT_NORMAL || initialisers[i].init == IR_INIT_UNIFORM;
    if (is_constant && is_width && arg->kind == AST_EXPR_UNARY)
      diag_error(checker->sink, DIAG_INITIALISER_ARGUMENTS, arg->span,
                 "the argument of `%s` must not be negative", initialisers[i].name);
  }

  const struct type *type = param->type->type;
  bool is_square = type->kind == TYPE_TENSOR && type->tensor.rank == 2 &&
                   size_equal(type->tensor.sizes[0], type->tensor.sizes[1]);
  if (initialisers[i].init == IR_INIT_IDENTITY && !is_square && type->kind != TYPE_ERROR) {
    struct diag *d = diag_error(checker->sink, DIAG_IDENTITY_NOT_SQUARE, initialiser->span,
                                "`identity` needs a square matrix, not %s", check_text(checker, type));
    diag_label(d, param->type->span, "`%s` is %s", param->name.text, check_text(checker, type));
  }
}

static void visit_param(struct checker *checker, struct ast_decl *decl) {
  if (decl->kind != AST_DECL_PARAM)
    return;
  struct ast_param *param = decl->param;
  names_enter_body(&checker->names, NULL, NULL);
  const struct type *type = check_type(checker, param->type);
  if (type->kind != TYPE_TENSOR && type->kind != TYPE_ERROR) {
    struct diag *d = diag_error(checker->sink, DIAG_PARAM_TYPE, param->type->span,
                                "the parameter `%s` is not a tensor but %s", param->name.text,
                                check_text(checker, type));
    diag_help(d, type->kind == TYPE_LIST
                     ? "a list of layers, `let xs = [L(...) for i in 0..n]`, has a list of parameters"
                     : "parameters are learned, so they are tensors: `f32`, `f32[H]`, `f32[H, D]`");
    param->type->type = &type_error;
  }
  if (param->initialiser)
    check_initialiser(checker, param);
}

void check_params(struct checker *checker) { check_each_decl(checker, visit_param); }

// ---- Signatures ----------------------------------------------------------------------------------------

struct dimensions {
  const struct size **items;
  size_t count;
  size_t capacity;
};

static void collect_dimensions(struct checker *checker, const struct type *type,
                               struct dimensions *dimensions) {
  switch (type->kind) {
  case TYPE_TENSOR:
    for (size_t i = 0; i < type->tensor.rank; i++)
      arena_push(checker->arena, dimensions, type->tensor.sizes[i]);
    break;
  case TYPE_DATA:
    for (size_t i = 0; i < type->data.decl->size_vars.count; i++)
      arena_push(checker->arena, dimensions, type->data.sizes[i]);
    break;
  case TYPE_LIST: collect_dimensions(checker, type->list.element, dimensions); break;
  case TYPE_BATCH:
    collect_dimensions(checker, type->batch.element, dimensions);
    arena_push(checker->arena, dimensions, type->batch.size);
    break;
  case TYPE_TUPLE:
    for (size_t i = 0; i < type->tuple.count; i++)
      collect_dimensions(checker, type->tuple.items[i], dimensions);
    break;
  case TYPE_FN: collect_dimensions(checker, type->fn.result, dimensions); break;
  default: break;
  }
}

// Every size variable must follow from the arguments of a call: one equation after the other, as calls solve
// them.
static void check_sizes_determined(struct checker *checker, const struct ast_fn *fn) {
  size_t count = fn->size_vars.count;
  struct dimensions dimensions = {0};
  for (size_t i = 0; i < fn->params.count; i++) {
    const struct type *type = fn->params.items[i].local->type;
    if (type->kind == TYPE_ERROR)
      return;
    collect_dimensions(checker, type, &dimensions);
  }
  struct size_binding *bindings = arena_new_array(checker->arena, struct size_binding, count);
  for (size_t i = 0; i < count; i++)
    bindings[i].symbol = size_symbol_of(size_as_atom(fn->size_vars.items[i]->size));
  for (bool progress = true; progress;) {
    progress = false;
    for (size_t i = 0; i < dimensions.count; i++) {
      struct size_binding *found = sizes_determined(checker->arena, dimensions.items[i], bindings, count);
      if (found) {
        found->size = check_symbol_size(checker, found->symbol);
        progress = true;
      }
    }
  }
  for (size_t i = 0; i < count; i++) {
    if (bindings[i].size)
      continue;
    const struct ast_name *name = &fn->size_vars.items[i]->name;
    fn->size_vars.items[i]->is_undetermined = true;
    struct diag *d = diag_error(checker->sink, DIAG_SIZE_UNDETERMINED, name->span,
                                "no argument of `%s` tells what `%s` is", fn->name.text, name->text);
    diag_note(d, "a size variable must stand in a parameter's type, alone or as in `%s + 1` or `2*%s`",
              name->text, name->text);
  }
}

// Whether the arguments tell the type variable: it stands in a value's type, or in what a function gives.
static bool tells(const struct type *type, const struct ast_type_var *var) {
  switch (type->kind) {
  case TYPE_GENERIC: return type->generic == var;
  case TYPE_LIST: return tells(type->list.element, var);
  case TYPE_BATCH: return tells(type->batch.element, var);
  case TYPE_FN: return tells(type->fn.result, var);
  case TYPE_TUPLE:
    for (size_t i = 0; i < type->tuple.count; i++)
      if (tells(type->tuple.items[i], var))
        return true;
    return false;
  default: return type->kind == TYPE_ERROR;
  }
}

static void check_types_determined(struct checker *checker, const struct ast_fn *fn) {
  for (size_t i = 0; i < fn->type_vars.count; i++) {
    struct ast_type_var *var = fn->type_vars.items[i];
    bool is_told = false;
    for (size_t k = 0; k < i; k++)  // a second one of the name was reported
      is_told |= strcmp(fn->type_vars.items[k]->name.text, var->name.text) == 0;
    for (size_t k = 0; k < fn->params.count && !is_told; k++)
      is_told = tells(fn->params.items[k].local->type, var);
    if (is_told)
      continue;
    var->is_undetermined = true;
    struct diag *d = diag_error(checker->sink, DIAG_TYPE_UNDETERMINED, var->name.span,
                                "no argument of `%s` tells what `%s` is", fn->name.text, var->name.text);
    diag_note(
        d, "a type variable must stand in the type of a parameter, or in what a function that is one gives");
  }
}

static void visit_fn(struct checker *checker, struct ast_decl *decl) {
  if (decl->kind != AST_DECL_FN)
    return;
  struct ast_fn *fn = decl->fn;
  names_enter_body(&checker->names, &fn->size_vars, &fn->type_vars);
  for (size_t i = 0; i < fn->params.count; i++)
    fn->params.items[i].local->type = fn->params.items[i].type || !fn->total_of
                                          ? check_param_type(checker, fn->params.items[i].type)
                                          : &type_error;  // check_metric_total
  if (fn->result)
    fn->result_type = check_type(checker, fn->result);
  else if (!fn->is_metric && !fn->total_of && !(fn->test && fn->body->value))
    fn->result_type = &type_unit;
  if (fn->size_vars.count > 0)
    check_sizes_determined(checker, fn);
  check_types_determined(checker, fn);
}

void check_signatures(struct checker *checker) { check_each_decl(checker, visit_fn); }

// ---- Entry points --------------------------------------------------------------------------------------

// A search through data types: those met so far, in order, the first `done` of which have been looked into.
struct data_search {
  struct ast_data **items;
  size_t count, capacity;
  struct map seen;
  size_t done;
};

static bool has_tensor_at_top(struct checker *checker, struct data_search *search, const struct type *type,
                              bool is_field) {
  switch (type->kind) {
  case TYPE_TENSOR: return is_field;
  case TYPE_LIST: return has_tensor_at_top(checker, search, type->list.element, is_field);
  case TYPE_BATCH: return has_tensor_at_top(checker, search, type->batch.element, is_field);
  case TYPE_TUPLE:
    for (size_t i = 0; i < type->tuple.count; i++)
      if (has_tensor_at_top(checker, search, type->tuple.items[i], is_field))
        return true;
    return false;
  case TYPE_DATA:
    if (!map_get(&search->seen, type->data.decl)) {
      map_put(checker->arena, &search->seen, type->data.decl, type->data.decl);
      arena_push(checker->arena, search, type->data.decl);
    }
    return false;
  default: return false;
  }
}

// A tensor in a data type, or in the data types in it. Elsewhere data can give one.
static bool has_tensor_field(struct checker *checker, const struct type *type) {
  struct data_search search = {0};
  bool found = has_tensor_at_top(checker, &search, type, false);
  while (!found && search.done < search.count) {
    const struct ast_constructors *constructors = &search.items[search.done++]->constructors;
    for (size_t k = 0; k < constructors->count; k++)
      for (size_t i = 0; i < constructors->items[k]->fields.count; i++)
        found |= has_tensor_at_top(checker, &search, constructors->items[k]->fields.items[i].type->type,
                                   true);
  }
  return found;
}

// What `nnrun` could not give it: sizes, types and functions. They are known where a function is called, and data have
// none. A library may have a `predict` that its users call, so of that it is only said.
static bool check_no_generic(struct checker *checker, const struct ast_fn *fn, bool is_wanted) {
  const struct ast_name *culprit = NULL;
  const char *what = NULL;
  if (fn->type_vars.count) {
    culprit = &fn->type_vars.items[0]->name;
    what = "type";
  } else if (fn->size_vars.count) {
    culprit = &fn->size_vars.items[0]->name;
    what = "size";
  }
  for (size_t i = 0; i < fn->params.count && !culprit; i++)
    if (fn->params.items[i].local->type->kind == TYPE_FN) {
      culprit = &fn->params.items[i].local->name;
      what = "function";
    }
  if (!culprit)
    return true;
  struct diag *d = (is_wanted ? diag_error : diag_warning)(
      checker->sink, DIAG_ENTRY_POINT, culprit->span, "`%s` is run on data, which do not tell the %s `%s`",
      fn->name.text, what, culprit->text);
  if (fn->type_vars.count)
    diag_help(d, "write the type of the data for `%s`, or give the function another name", culprit->text);
  else if (fn->size_vars.count)
    diag_help(d,
              "declare the size, `dim %s = 8`, and leave out the brackets, or give the function another name",
              culprit->text);
  else
    diag_help(d, "name the function inside, or give `%s` another name", fn->name.text);
  return false;
}

static void check_entry_params(struct checker *checker, const struct ast_fn *fn) {
  for (size_t i = 0; i < fn->params.count; i++) {
    const struct ast_fn_param *param = &fn->params.items[i];
    if (!has_tensor_field(checker, param->local->type))
      continue;
    struct diag *d = diag_error(checker->sink, DIAG_ENTRY_POINT, param->span,
                                "`%s` is run on data, and %s holds tensors in a data type", fn->name.text,
                                check_text(checker, param->local->type));
    diag_help(
        d, "let the data type hold floats or lists of floats, and make tensors of them inside: `tensor(xs)`");
  }
}

// What the main file sees by its own name can be run, but for functions of the standard library, which are not the
// model's.
static void find_entries(struct checker *checker) {
  const struct ast_files *files = &checker->program->files;
  struct names *names = &checker->names;
  for (size_t f = 0; f < files->count; f++) {
    const struct ast_decls *decls = &files->items[f]->decls;
    for (size_t i = 0; !files->items[f]->is_stdlib && i < decls->count; i++) {
      struct ast_fn *fn = decls->items[i]->kind == AST_DECL_FN ? decls->items[i]->fn : NULL;
      if (!fn || fn->test || fn->name.text[0] == '_')
        continue;
      const struct meaning *meaning = modules_find(&names->modules, files->count - 1, fn->name.text);
      fn->is_entry = meaning->entry && !meaning->other && meaning->entry->value &&
                     meaning->entry->value->ref.fn == fn;
      // These are run without being named.
      if (fn->is_entry && (fn->is_metric || fn->total_of || strcmp(fn->name.text, "loss") == 0 ||
                           strcmp(fn->name.text, "predict") == 0))
        modules_use(&names->modules, files->count - 1, fn->name.text);
    }
  }
}

void check_entry_points(struct checker *checker) {
  find_entries(checker);
  const struct ast_file *file = checker->program->files.items[checker->program->files.count - 1];
  for (size_t i = 0; i < file->decls.count; i++) {
    if (file->decls.items[i]->kind != AST_DECL_FN)
      continue;
    const struct ast_fn *fn = file->decls.items[i]->fn;
    bool is_loss = !fn->is_metric && strcmp(fn->name.text, "loss") == 0;
    bool is_wanted = is_loss || fn->is_metric;
    if (is_wanted || strcmp(fn->name.text, "predict") == 0)
      if (check_no_generic(checker, fn, is_wanted) && is_wanted)
        check_entry_params(checker, fn);
    if (!is_loss || fn->result_type->kind == TYPE_ERROR || type_is_scalar(fn->result_type))
      continue;
    struct diag *d = diag_error(checker->sink, DIAG_ENTRY_POINT,
                                fn->result ? fn->result->span : fn->name.span, "`loss` must give f32, not %s",
                                check_text(checker, fn->result_type));
    diag_note(d, "`loss` is what training makes smaller, so it is one differentiable number per example");
    diag_help(d, "write `-> f32`, or give the function another name");
  }
}
