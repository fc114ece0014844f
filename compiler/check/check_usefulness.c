/* Whether patterns cover everything, and whether an arm is reached: the usefulness of a vector of patterns
 * with respect to a matrix of patterns (Maranget, "Warnings for pattern matching", Journal of Functional
 * Programming 17, 2007, sections 3 and 5). A row q is useful when some vector of values matches it and no row
 * of the matrix.
 */
#include <inttypes.h>
#include <string.h>

#include "compiler/check/checker.h"

/* The question is as hard as SAT. No program that a person would read comes near these. */
#define MAX_STEPS 200000
#define MAX_DEPTH 2000

/* The head of a pattern: which values it takes, seen alike for all types. */
struct head {
  bool is_wild;
  int64_t value; /* number of the constructor or member, integer, 0 or 1; 0 for a tuple */
};

struct row {
  const struct ast_pattern **patterns; /* NULL: `_` */
};

struct match_matrix {
  struct arena *arena;
  const struct type *type;
  struct row *rows; /* of one pattern each */
  size_t count;
};

struct question {
  struct arena *arena;
  size_t steps;
  size_t depth;
  bool gave_up;
};

static struct head head_of(const struct ast_pattern *pattern) {
  if (!pattern)
    return (struct head){true, 0};
  switch (pattern->kind) {
  case AST_PATTERN_WILDCARD: break;
  case AST_PATTERN_NAME:
    if (pattern->name.ref.kind == AST_REF_CONSTRUCTOR)
      return (struct head){false, pattern->name.ref.constructor->index};
    if (pattern->name.ref.kind == AST_REF_ENUM_MEMBER)
      return (struct head){false, pattern->name.ref.enum_member->index};
    break;
  case AST_PATTERN_CONSTRUCTOR: return (struct head){false, pattern->constructor.ref.constructor->index};
  case AST_PATTERN_INT: return (struct head){false, pattern->integer};
  case AST_PATTERN_BOOL: return (struct head){false, pattern->boolean};
  case AST_PATTERN_TUPLE: return (struct head){false, 0};
  }
  return (struct head){true, 0};
}

/* ---- Values of a type ---------------------------------------------------------------------------------- */

/* How many heads the type has; 0: infinitely many, or none that patterns name (vocabs, tensors, lists). */
static size_t head_count(const struct type *type) {
  switch (type->kind) {
  case TYPE_BOOL: return 2;
  case TYPE_TUPLE: return 1;
  case TYPE_DATA: return type->data.decl->constructors.count;
  case TYPE_INDEX:
    return type->index->ref.kind == AST_REF_ENUM ? type->index->ref.enumeration->members.count : 0;
  default: return 0;
  }
}

static size_t part_count(const struct type *type, int64_t head) {
  if (type->kind == TYPE_TUPLE)
    return type->tuple.count;
  return type->kind == TYPE_DATA ? type->data.decl->constructors.items[head]->fields.count : 0;
}

static const struct type *part_type(struct arena *arena, const struct type *type, int64_t head, size_t part) {
  if (type->kind == TYPE_TUPLE)
    return type_resolve(type->tuple.items[part]);
  const struct type *field = type_field(arena, type, type->data.decl->constructors.items[head], part);
  return field ? field : &type_error;
}

/* `Node(a, b)`, `(a, b)`, `Shift`, `true`, `3`. */
static const char *head_text(struct arena *arena, const struct type *type, int64_t head,
                             const char *const *parts) {
  const char *name = "";
  switch (type->kind) {
  case TYPE_BOOL: return head ? "true" : "false";
  case TYPE_INDEX: return type->index->ref.enumeration->members.items[head]->name.text;
  case TYPE_DATA: name = type->data.decl->constructors.items[head]->name.text; break;
  case TYPE_TUPLE: break;
  default: return arena_printf(arena, "%" PRId64, head);
  }
  size_t count = part_count(type, head);
  if (count == 0 && type->kind == TYPE_DATA)
    return name;
  const char *text = arena_printf(arena, "%s(", name);
  for (size_t i = 0; i < count; i++)
    text = arena_printf(arena, "%s%s%s", text, i ? ", " : "", parts ? parts[i] : "_");
  return arena_printf(arena, "%s)", text);
}

/* ---- Matrices ------------------------------------------------------------------------------------------ */

/* The row without its first pattern, in front of it what stands inside that pattern; `count` patterns in all
 * before. */
static struct row specialise_row(struct arena *arena, const struct row *row, size_t count, size_t parts) {
  const struct ast_pattern *first = row->patterns[0];
  struct row result = {arena_new_array(arena, const struct ast_pattern *, count - 1 + parts)};
  for (size_t i = 0; i < parts && first; i++) {
    if (first->kind == AST_PATTERN_CONSTRUCTOR)
      result.patterns[i] = first->constructor.args.items[i];
    else if (first->kind == AST_PATTERN_TUPLE)
      result.patterns[i] = first->items.items[i];
  }
  for (size_t i = 1; i < count; i++)
    result.patterns[parts + i - 1] = row->patterns[i];
  return result;
}

/* The rows whose first pattern takes values with this head. */
static size_t specialise(struct question *question, const struct row *rows, size_t row_count, size_t count,
                         int64_t head, size_t parts, struct row *out) {
  size_t kept = 0;
  for (size_t i = 0; i < row_count; i++) {
    struct head first = head_of(rows[i].patterns[0]);
    if (first.is_wild || first.value == head)
      out[kept++] = specialise_row(question->arena, &rows[i], count, parts);
  }
  question->steps += row_count;
  return kept;
}

static size_t count_with_head(const struct row *rows, size_t row_count, int64_t head) {
  size_t count = 0;
  for (size_t i = 0; i < row_count; i++) {
    struct head first = head_of(rows[i].patterns[0]);
    count += first.is_wild || first.value == head;
  }
  return count;
}

static bool some_row_has(const struct row *rows, size_t row_count, int64_t head) {
  for (size_t i = 0; i < row_count; i++) {
    struct head first = head_of(rows[i].patterns[0]);
    if (!first.is_wild && first.value == head)
      return true;
  }
  return false;
}

/* ---- Usefulness ---------------------------------------------------------------------------------------- */

static bool is_useful(struct question *question, const struct row *rows, size_t row_count,
                      const struct row *q, const struct type *const *types, size_t count,
                      const char **witness);

/* The vector's first pattern has, or is taken to have, this head. */
static bool is_useful_with_head(struct question *question, const struct row *rows, size_t row_count,
                                const struct row *q, const struct type *const *types, size_t count,
                                int64_t head, const char **witness) {
  struct arena *arena = question->arena;
  size_t parts = part_count(types[0], head), wider = count - 1 + parts;
  struct row *inner = arena_new_array(arena, struct row, count_with_head(rows, row_count, head));
  size_t kept = specialise(question, rows, row_count, count, head, parts, inner);
  struct row inner_q = specialise_row(arena, q, count, parts);
  const struct type **inner_types = arena_new_array(arena, const struct type *, wider);
  for (size_t i = 0; i < parts; i++)
    inner_types[i] = part_type(arena, types[0], head, i);
  for (size_t i = 1; i < count; i++)
    inner_types[parts + i - 1] = types[i];
  const char **inner_witness = witness ? arena_new_array(arena, const char *, wider) : NULL;
  if (!is_useful(question, inner, kept, &inner_q, inner_types, wider, inner_witness))
    return false;
  if (witness) {
    witness[0] = head_text(arena, types[0], head, inner_witness);
    for (size_t i = 1; i < count; i++)
      witness[i] = inner_witness[parts + i - 1];
  }
  return true;
}

/* A head that no row has; false when there is none. */
static bool find_missing_head(const struct row *rows, size_t row_count, const struct type *type,
                              int64_t *missing) {
  size_t heads = head_count(type);
  if (heads == 0) {
    /* Of row_count + 1 integers one is free. */
    *missing = 0;
    while (some_row_has(rows, row_count, *missing))
      ++*missing;
    return true;
  }
  for (size_t head = 0; head < heads; head++) {
    *missing = (int64_t)head;
    if (!some_row_has(rows, row_count, *missing))
      return true;
  }
  return false;
}

static bool is_any_head_named(const struct row *rows, size_t row_count) {
  for (size_t i = 0; i < row_count; i++)
    if (!head_of(rows[i].patterns[0]).is_wild)
      return true;
  return false;
}

/* The rows that take anything in the first place decide about all heads that no row names. */
static bool is_useful_by_default(struct question *question, const struct row *rows, size_t row_count,
                                 const struct row *q, const struct type *const *types, size_t count,
                                 int64_t missing, const char **witness) {
  struct arena *arena = question->arena;
  struct row *inner = arena_new_array(arena, struct row, row_count);
  size_t kept = 0;
  for (size_t i = 0; i < row_count; i++)
    if (head_of(rows[i].patterns[0]).is_wild)
      inner[kept++] = specialise_row(arena, &rows[i], count, 0);
  question->steps += row_count;
  struct row inner_q = specialise_row(arena, q, count, 0);
  if (!is_useful(question, inner, kept, &inner_q, types + 1, count - 1, witness ? witness + 1 : NULL))
    return false;
  if (witness)
    witness[0] = is_any_head_named(rows, row_count) ? head_text(arena, types[0], missing, NULL) : "_";
  return true;
}

static bool is_useful_here(struct question *question, const struct row *rows, size_t row_count,
                           const struct row *q, const struct type *const *types, size_t count,
                           const char **witness) {
  struct head first = head_of(q->patterns[0]);
  if (!first.is_wild)
    return is_useful_with_head(question, rows, row_count, q, types, count, first.value, witness);
  int64_t missing;
  if (find_missing_head(rows, row_count, types[0], &missing))
    return is_useful_by_default(question, rows, row_count, q, types, count, missing, witness);
  for (size_t head = 0; head < head_count(types[0]); head++)
    if (is_useful_with_head(question, rows, row_count, q, types, count, (int64_t)head, witness))
      return true;
  return false;
}

/* Gives up as soon as the question proves too hard: then the answer means nothing. */
static bool is_useful(struct question *question, const struct row *rows, size_t row_count,
                      const struct row *q, const struct type *const *types, size_t count,
                      const char **witness) {
  if (count == 0)
    return row_count == 0;
  question->steps += 1 + count;
  if (question->steps > MAX_STEPS || question->depth > MAX_DEPTH)
    question->gave_up = true;
  if (question->gave_up)
    return true;
  question->depth++;
  bool useful = is_useful_here(question, rows, row_count, q, types, count, witness);
  question->depth--;
  return useful;
}

struct match_matrix *match_matrix(struct arena *arena, const struct type *type,
                                  const struct ast_pattern *const *patterns, size_t count) {
  struct match_matrix *matrix = arena_new(arena, struct match_matrix);
  *matrix = (struct match_matrix){arena, type_resolve(type), arena_new_array(arena, struct row, count),
                                  count};
  const struct ast_pattern **column = arena_new_array(arena, const struct ast_pattern *, count);
  for (size_t i = 0; i < count; i++) {
    column[i] = patterns[i];
    matrix->rows[i].patterns = &column[i];
  }
  return matrix;
}

enum match_answer match_is_exhaustive(const struct match_matrix *matrix, const char **example) {
  struct question question = {.arena = matrix->arena};
  const struct ast_pattern *wildcard = NULL;
  const struct row q = {&wildcard};
  bool useful = is_useful(&question, matrix->rows, matrix->count, &q, &matrix->type, 1, example);
  return question.gave_up ? MATCH_TOO_COMPLEX : useful ? MATCH_NO : MATCH_YES;
}

enum match_answer match_is_reachable(const struct match_matrix *matrix, size_t arm) {
  struct question question = {.arena = matrix->arena};
  bool useful = is_useful(&question, matrix->rows, arm, &matrix->rows[arm], &matrix->type, 1, NULL);
  return question.gave_up ? MATCH_TOO_COMPLEX : useful ? MATCH_YES : MATCH_NO;
}
