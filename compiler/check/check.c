// The checker's order of work, and the small things that its parts share.
#include "compiler/check/checker.h"

#include <inttypes.h>
#include <string.h>

const char *check_text(struct checker *checker, const struct type *type) {
  return type_text(checker->arena, type);
}

void check_set_type(struct checker *checker, const struct type **slot, const struct type *type) {
  *slot = type;
  if (type_has_variables(type))
    arena_push(checker->arena, &checker->open_slots, slot);
}

const struct size_symbol *check_new_symbol(struct checker *checker, enum size_atom_kind kind,
                                           struct ast_ref ref, struct ast_name name, bool is_index) {
  struct size_symbol *symbol = arena_new(checker->arena, struct size_symbol);
  symbol->atom = (struct size_atom){name.text, kind, checker->atom_count++};
  symbol->ref = ref;
  symbol->declared = name.span;
  symbol->is_index = is_index;
  return symbol;
}

const struct size *check_runtime_size(struct checker *checker, const char *text, struct span span) {
  struct ast_name name = {.text = text, .span = span};
  return check_symbol_size(checker,
                           check_new_symbol(checker, SIZE_RUNTIME, (struct ast_ref){0}, name, false));
}

const struct size *check_symbol_size(struct checker *checker, const struct size_symbol *symbol) {
  return size_from_atom(checker->arena, &symbol->atom);
}

const struct type *check_weight(struct checker *checker, const struct type *type, struct span span) {
  if (type->weight <= TYPE_MAX_WEIGHT)
    return type;
  struct diag *d = diag_error(checker->sink, DIAG_TYPE_TOO_LARGE, span,
                              "the type of this has more than %d parts", TYPE_MAX_WEIGHT);
  diag_help(d, "lists and data types describe many values with small types");
  return &type_error;
}

// ---- Texts and labels ----------------------------------------------------------------------------------

const char *check_count_text(struct checker *checker, size_t count, const char *noun) {
  if (count == 0)
    return arena_printf(checker->arena, "no %ss", noun);
  return arena_printf(checker->arena, "%zu %s%s", count, noun, count == 1 ? "" : "s");
}

// More names than this are not read.
#define MAX_NAMES_SHOWN 8

const char *check_names_text(struct checker *checker, const char *const *names, size_t count) {
  const char *text = "";
  for (size_t i = 0; i < count && i < MAX_NAMES_SHOWN; i++)
    text = arena_printf(checker->arena, "%s%s`%s`", text, i > 0 ? ", " : "", names[i]);
  return count > MAX_NAMES_SHOWN ? arena_printf(checker->arena, "%s, ...", text) : text;
}

const char *check_ref_text(struct checker *checker, const struct ast_ref *ref) {
  const char *name = ast_ref_kind_name(ref->kind);
  return arena_printf(checker->arena, "%s %s", strchr("aeiou", name[0]) ? "an" : "a", name);
}

// More labels than this only hide the message.
#define MAX_SIZE_LABELS 4

static bool is_labelled(const struct diag *diag, struct span span) {
  for (size_t i = 0; i < diag->labels.count; i++)
    if (diag->labels.items[i].span.file == span.file && diag->labels.items[i].span.lo == span.lo)
      return true;
  return false;
}

static void label_symbols(struct diag *diag, const struct size *size) {
  for (uint32_t i = 0; i < size->n_terms; i++)
    for (uint32_t k = 0; k < size->terms[i].degree; k++) {
      const struct size_symbol *symbol = size_symbol_of(size->terms[i].atoms[k]);
      bool is_variable = symbol->ref.kind == AST_REF_SIZE_VAR;
      if (diag->labels.count < MAX_SIZE_LABELS && !is_labelled(diag, symbol->declared))
        diag_label(diag, symbol->declared,
                   symbol->atom.kind == SIZE_RUNTIME ? "`%s` is known for each example only"
                   : is_variable                     ? "`%s` is any size the caller chooses"
                                                     : "`%s` is declared here",
                   symbol->atom.name);
    }
}

static bool has_default(const struct size *size) {
  for (uint32_t i = 0; i < size->n_terms; i++)
    for (uint32_t k = 0; k < size->terms[i].degree; k++) {
      enum ast_ref_kind kind = size_symbol_of(size->terms[i].atoms[k])->ref.kind;
      if (kind != AST_REF_DIM && kind != AST_REF_ENUM)
        return false;
    }
  return true;
}

int64_t check_default_of_atom(void *context, const struct size_atom *atom) {
  (void)context;
  const struct ast_ref *ref = &size_symbol_of(atom)->ref;
  return ref->kind == AST_REF_DIM ? ref->dim->default_value : (int64_t)ref->enumeration->members.count;
}

bool check_default_of_size(const struct size *size, int64_t *value) {
  return has_default(size) && size_evaluate(size, check_default_of_atom, NULL, value);
}

// 16 is not H even where H is 16.
static void note_number(struct checker *checker, struct diag *diag, const struct size *number,
                        const struct size *name) {
  int64_t wanted, value;
  if (size_is_constant(number, &wanted) && !size_is_constant(name, &value) &&
      check_default_of_size(name, &value) && value == wanted)
    diag_note(diag,
              "`%s` is %" PRId64 " only until it is given another value: write the name, not the number",
              size_text(checker->arena, name), value);
}

void check_label_sizes(struct checker *checker, struct diag *diag, const struct size *a,
                       const struct size *b) {
  if (!diag || (a && b && size_equal(a, b)))
    return;
  if (a && b) {
    note_number(checker, diag, a, b);
    note_number(checker, diag, b, a);
  }
  if (a)
    label_symbols(diag, a);
  if (b)
    label_symbols(diag, b);
}

void check_label_type_sizes(struct checker *checker, struct diag *diag, const struct type *a,
                            const struct type *b) {
  a = type_resolve(a);
  b = b ? type_resolve(b) : NULL;
  if (!diag)
    return;
  if (a->kind == TYPE_LIST && (!b || b->kind == TYPE_LIST)) {
    check_label_type_sizes(checker, diag, a->list.element, b ? b->list.element : NULL);
  } else if (a->kind == TYPE_BATCH && (!b || b->kind == TYPE_BATCH)) {
    check_label_type_sizes(checker, diag, a->batch.element, b ? b->batch.element : NULL);
  } else if (a->kind == TYPE_TENSOR && (!b || (b->kind == TYPE_TENSOR && b->tensor.rank == a->tensor.rank))) {
    for (size_t i = 0; i < a->tensor.rank; i++)
      check_label_sizes(checker, diag, a->tensor.sizes[i], b ? b->tensor.sizes[i] : NULL);
  } else if (a->kind == TYPE_DATA && (!b || (b->kind == TYPE_DATA && b->data.decl == a->data.decl))) {
    for (size_t i = 0; i < a->data.decl->size_vars.count; i++)
      check_label_sizes(checker, diag, a->data.sizes[i], b ? b->data.sizes[i] : NULL);
  }
}

void check_label_operand(struct checker *checker, struct diag *diag, const struct ast_expr *expr) {
  while (expr->kind == AST_EXPR_ELEMENT)
    expr = expr->lift.of;
  const struct ast_ref *ref = ast_expr_ref(expr);
  if (!diag || !ref || (ref->kind != AST_REF_LOCAL && ref->kind != AST_REF_PARAM))
    return;
  const struct type *type = ref->kind == AST_REF_LOCAL ? ref->local->type : ref->param->type->type;
  if (type)
    diag_label(diag, names_declared_at(ref), "`%s` is %s", expr->name.name.text, check_text(checker, type));
}

// ---- Walks ---------------------------------------------------------------------------------------------

void check_each_decl(struct checker *checker, void (*visit)(struct checker *, struct ast_decl *)) {
  for (size_t i = 0; i < checker->program->files.count; i++) {
    const struct ast_decls *decls = &checker->program->files.items[i]->decls;
    names_enter_file(&checker->names, i);
    for (size_t k = 0; k < decls->count; k++) {
      struct ast_decl *decl = decls->items[k];
      visit(checker, decl);
      if (decl->kind != AST_DECL_LAYER)
        continue;
      checker->layer = decl->layer;
      names_enter_layer(&checker->names, decl->layer);
      for (size_t m = 0; m < decl->layer->members.count; m++)
        visit(checker, decl->layer->members.items[m]);
      names_enter_layer(&checker->names, NULL);
      checker->layer = NULL;
    }
  }
}

void check_each_cycle(struct checker *checker, size_t count, const size_t *next,
                      void (*visit)(struct checker *, void *context, size_t member), void *context) {
  // walk[i]: 1 + the start of the walk that came by first; a walk that meets itself has found a cycle.
  size_t *walk = arena_new_array(checker->arena, size_t, count);
  for (size_t start = 0; start < count; start++) {
    size_t at = start;
    while (at != SIZE_MAX && walk[at] == 0) {
      walk[at] = start + 1;
      at = next[at];
    }
    if (at != SIZE_MAX && walk[at] == start + 1 && next[start] != SIZE_MAX)
      visit(checker, context, at);
  }
}

// ---- Unused names --------------------------------------------------------------------------------------

// `sat` of `vocab Word { the, sat }` in a test.
static bool is_entry_of_vocab(const struct ast_fn *fn, const struct ast_local *local) {
  for (size_t i = 0; fn->test && i < fn->test->vocabs.count; i++) {
    const struct ast_names *entries = &fn->test->vocabs.items[i].entries;
    for (size_t k = 0; k < entries->count; k++)
      if (entries->items[k].span.lo == local->name.span.lo)
        return true;
  }
  return false;
}

// The parameters of what can be run are the schema of the data, and are not there for the function alone; so are a
// test's words.
static bool may_be_unused(const struct ast_fn *fn, const struct ast_local *local) {
  return local->name.text[0] == '_' || is_entry_of_vocab(fn, local) ||
         (local->kind == AST_LOCAL_PARAMETER && fn->is_entry);
}

static void warn_unused(struct checker *checker, struct ast_decl *decl) {
  if (decl->kind != AST_DECL_FN || checker->program->files.items[checker->names.file]->is_stdlib)
    return;
  for (size_t i = 0; i < decl->fn->locals.count; i++) {
    const struct ast_local *local = decl->fn->locals.items[i];
    // A local without a type is a pattern's name that turned out to be a constructor.
    if (local->is_used || !local->type || may_be_unused(decl->fn, local))
      continue;
    struct diag *d = diag_warning(checker->sink, DIAG_UNUSED_NAME, local->name.span, "`%s` is never used",
                                  local->name.text);
    if (local->kind == AST_LOCAL_PARAMETER)
      diag_help(d, "remove it, or call it `_%s`", local->name.text);
    else
      diag_help(d, "write `_`, or `_%s`, for what is not needed", local->name.text);
  }
}

// ---- The whole -----------------------------------------------------------------------------------------

bool check_program(struct arena *arena, struct diag_sink *sink, struct ast_program *program) {
  struct checker checker = {.arena = arena, .sink = sink, .program = program};
  size_t errors = sink->error_count;
  names_init(&checker.names, arena, sink, program);
  check_dims_and_sets(&checker);
  check_data_types(&checker);
  check_params(&checker);
  check_signatures(&checker);
  check_instances(&checker);
  check_bodies(&checker);
  check_recursion(&checker);
  check_entry_points(&checker);
  check_tests(&checker);
  if (sink->error_count > errors)
    return false;
  check_each_decl(&checker, warn_unused);
  names_warn_shadows(&checker.names);
  modules_warn_unused(&checker.names.modules);
  check_each_decl(&checker, check_training);
  return true;
}
