// What `==` compares, and what the bounds of type variables ask of a type.
//
// Values are equal when they are made alike: numbers, bools and indices by `==`, lists, tuples, records and data by their
// parts. The value of a tensor is not known while an example's control flow runs, so none may be a part.
#include "compiler/check/checker.h"

struct search {
  struct checker *checker;
  struct {
    const struct type **items;
    size_t count, capacity;
  } seen;             // data types: one that contains itself is looked at once
  const char *where;  // the place of what was found
};

static const struct type *find(struct search *search, const struct type *type);

static const struct type *find_in_data(struct search *search, const struct type *type) {
  struct arena *arena = search->checker->arena;
  for (size_t i = 0; i < search->seen.count; i++)
    if (type_equal(search->seen.items[i], type))
      return NULL;
  arena_push(arena, &search->seen, type);
  const struct ast_constructors *constructors = &type->data.decl->constructors;
  for (size_t c = 0; c < constructors->count; c++) {
    const struct ast_constructor *constructor = constructors->items[c];
    for (size_t i = 0; i < constructor->fields.count; i++) {
      const struct type *field = type_field(arena, type, constructor, i);
      const struct type *found = field ? find(search, field) : NULL;
      if (!found)
        continue;
      if (!search->where)
        search->where = arena_printf(arena, "the field `%s` of `%s`", constructor->fields.items[i].name.text,
                                     constructor->name.text);
      return found;
    }
  }
  return NULL;
}

static const struct type *find(struct search *search, const struct type *type) {
  type = type_resolve(type);
  switch (type->kind) {
  case TYPE_TENSOR: return type;
  case TYPE_GENERIC: return type->generic->bound == AST_BOUND_TYPE ? type : NULL;
  case TYPE_LIST: return find(search, type->list.element);
  case TYPE_BATCH: return find(search, type->batch.element);
  case TYPE_TUPLE:
    for (size_t i = 0; i < type->tuple.count; i++) {
      const struct type *found = find(search, type->tuple.items[i]);
      if (found)
        return found;
    }
    return NULL;
  case TYPE_DATA: return find_in_data(search, type);
  default: return NULL;
  }
}

const struct type *check_incomparable(struct checker *checker, const struct type *type, const char **where) {
  struct search search = {.checker = checker};
  const struct type *found = find(&search, type);
  *where = search.where;
  return found;
}

void check_help_incomparable(struct checker *checker, struct diag *d, const struct type *found) {
  if (found->kind == TYPE_GENERIC) {
    diag_help(d, "say that its values can be compared: `%s: equal`", check_text(checker, found));
    return;
  }
  diag_note(
      d,
      "a tensor's value is not known while the control flow of an example runs; that is what lets examples "
      "run as a batch");
  diag_help(d, "compare the parts that are no tensors, or what decisions give: `value(x)`, `argmax(x)`");
}

bool check_bound(struct checker *checker, const struct ast_type_var *var, const struct type *type,
                 struct span span, const char *callee) {
  type = type_resolve(type);
  const char *where = NULL;
  const struct type *found = NULL;
  if (type->kind == TYPE_ERROR || type->kind == TYPE_VARIABLE)
    return true;
  if (var->bound == AST_BOUND_EQUAL)
    found = check_incomparable(checker, type, &where);
  else if ((var->bound == AST_BOUND_NUMBER && !type_is_number(type)) ||
           (var->bound == AST_BOUND_ORDERED && !type_is_ordered(type)))
    found = type;
  if (!found)
    return true;
  struct diag *d;
  if (var->bound != AST_BOUND_EQUAL) {
    d = diag_error(checker->sink, DIAG_WRONG_TYPE, span, "`%s` of `%s` must be %s, not %s", var->name.text,
                   callee, var->bound == AST_BOUND_NUMBER ? "int or float" : "int, float or text",
                   check_text(checker, type));
  } else {
    d = diag_error(checker->sink, DIAG_WRONG_TYPE, span,
                   "`%s` of `%s` must be a type that `==` compares, not %s", var->name.text, callee,
                   check_text(checker, type));
    diag_primary_label(d, "%s is %s", where ? where : "this", check_text(checker, found));
  }
  diag_label(d, var->name.span, "declared here");
  if (var->bound == AST_BOUND_EQUAL)
    check_help_incomparable(checker, d, found);
  return false;
}
