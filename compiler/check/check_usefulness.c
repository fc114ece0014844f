// Whether patterns cover everything, and whether an arm is reached: the usefulness of a vector of patterns
// with respect to a matrix of patterns (Maranget, "Warnings for pattern matching", Journal of Functional
// Programming 17, 2007, sections 3 and 5). A row q is useful when some vector of values matches it and no row
// of the matrix.
#include <inttypes.h>
#include <stdlib.h>

#include "compiler/check/checker.h"

// The question is as hard as SAT. No program that a person would read comes near these: steps in all, and for
// each row; columns one after the other, each of which takes some hundred bytes of stack.
#define MAX_STEPS 200000
#define MAX_STEPS_A_ROW 100
#define MAX_DEPTH 4000

// The head of a pattern: which values it takes, seen alike for all types.
struct head {
  bool is_wild;
  int64_t value;  // number of the constructor or member, integer, 0 or 1; 0 for a tuple
};

struct row {
  const struct ast_pattern **patterns;  // NULL: `_`
};

// The rows by the head of their first pattern. The order of rows does not matter to whether one is useful.
struct named {
  int64_t head;
  size_t row;
};

struct heads {
  struct named *named;  // by rising head, then row
  size_t *wild;         // rising
  size_t n_named, n_wild;
};

struct match_matrix {
  struct arena *arena;
  const struct type *type;
  struct row *rows;  // of one pattern each
  size_t count;
  // The same with tuples taken apart, for the question which arms are reached.
  size_t n_columns;
  const struct type **types;
  struct row *flat;
  struct heads *columns;  // the rows by each column
};

struct question {
  struct arena *arena;
  size_t steps, most_steps;
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

// ---- Values of a type ----------------------------------------------------------------------------------

// How many heads the type has; 0: infinitely many, or none that patterns name (vocabs, tensors, lists).
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

// `Node(a, b)`, `(a, b)`, `Shift`, `true`, `3`.
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

// ---- Matrices ------------------------------------------------------------------------------------------

// The row without its first pattern, in front of it what stands inside that pattern; `count` patterns in all
// before.
static struct row specialise_row(struct arena *arena, const struct row *row, size_t count, size_t parts) {
  if (parts == 0)
    return (struct row){row->patterns + 1};
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

static int compare_named(const void *a, const void *b) {
  const struct named *x = a, *y = b;
  if (x->head != y->head)
    return x->head < y->head ? -1 : 1;
  return x->row < y->row ? -1 : x->row > y->row;
}

static struct heads sort_rows(struct arena *arena, const struct row *rows, size_t row_count, size_t column) {
  struct heads heads = {arena_new_array(arena, struct named, row_count),
                        arena_new_array(arena, size_t, row_count), 0, 0};
  for (size_t i = 0; i < row_count; i++) {
    struct head head = head_of(rows[i].patterns[column]);
    if (head.is_wild)
      heads.wild[heads.n_wild++] = i;
    else
      heads.named[heads.n_named++] = (struct named){head.value, i};
  }
  if (heads.n_named > 1)
    qsort(heads.named, heads.n_named, sizeof *heads.named, compare_named);
  return heads;
}

// The first of the named rows that does not come before this one.
static size_t find_named(const struct heads *heads, int64_t head, size_t row) {
  const struct named wanted = {head, row};
  size_t low = 0, high = heads->n_named;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (compare_named(&heads->named[middle], &wanted) < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

// A head that no row has; false when there is none.
static bool find_missing_head(const struct heads *heads, const struct type *type, int64_t *missing) {
  size_t count = head_count(type);
  *missing = 0;
  for (size_t i = find_named(heads, 0, 0); i < heads->n_named && heads->named[i].head <= *missing; i++)
    *missing = heads->named[i].head + 1;  // of the integers from 0 on one is free
  return count == 0 || (size_t)*missing < count;
}

// ---- Usefulness ----------------------------------------------------------------------------------------

static bool is_useful(struct question *question, const struct row *rows, size_t row_count,
                      const struct row *q, const struct type *const *types, size_t count,
                      const char **witness);

// The vector's first pattern has, or is taken to have, this head.
static bool is_useful_with_head(struct question *question, const struct row *rows, const struct heads *heads,
                                const struct row *q, const struct type *const *types, size_t count,
                                int64_t head, const char **witness) {
  struct arena *arena = question->arena;
  size_t parts = part_count(types[0], head), wider = count - 1 + parts, kept = 0;
  size_t begin = find_named(heads, head, 0), end = begin;
  while (end < heads->n_named && heads->named[end].head == head)
    end++;
  struct row *inner = arena_new_array(arena, struct row, end - begin + heads->n_wild);
  for (size_t i = begin; i < end; i++)
    inner[kept++] = specialise_row(arena, &rows[heads->named[i].row], count, parts);
  for (size_t i = 0; i < heads->n_wild; i++)
    inner[kept++] = specialise_row(arena, &rows[heads->wild[i]], count, parts);
  question->steps += kept;
  struct row inner_q = specialise_row(arena, q, count, parts);
  if (parts == 0) {
    if (!is_useful(question, inner, kept, &inner_q, types + 1, count - 1, witness ? witness + 1 : NULL))
      return false;
    if (witness)
      witness[0] = head_text(arena, types[0], head, NULL);
    return true;
  }
  question->steps += wider;
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

// The rows that take anything in the first place decide about all heads that no row names.
static bool is_useful_by_default(struct question *question, const struct row *rows, const struct heads *heads,
                                 const struct row *q, const struct type *const *types, size_t count,
                                 int64_t missing, const char **witness) {
  struct arena *arena = question->arena;
  struct row *inner = arena_new_array(arena, struct row, heads->n_wild);
  for (size_t i = 0; i < heads->n_wild; i++)
    inner[i] = specialise_row(arena, &rows[heads->wild[i]], count, 0);
  question->steps += heads->n_wild;
  struct row inner_q = specialise_row(arena, q, count, 0);
  if (!is_useful(question, inner, heads->n_wild, &inner_q, types + 1, count - 1,
                 witness ? witness + 1 : NULL))
    return false;
  if (witness)
    witness[0] = heads->n_named > 0 ? head_text(arena, types[0], missing, NULL) : "_";
  return true;
}

static bool is_useful_here(struct question *question, const struct row *rows, size_t row_count,
                           const struct row *q, const struct type *const *types, size_t count,
                           const char **witness) {
  const struct heads heads = sort_rows(question->arena, rows, row_count, 0);
  struct head first = head_of(q->patterns[0]);
  if (!first.is_wild)
    return is_useful_with_head(question, rows, &heads, q, types, count, first.value, witness);
  int64_t missing;
  if (find_missing_head(&heads, types[0], &missing))
    return is_useful_by_default(question, rows, &heads, q, types, count, missing, witness);
  for (size_t head = 0; head < head_count(types[0]); head++)
    if (is_useful_with_head(question, rows, &heads, q, types, count, (int64_t)head, witness))
      return true;
  return false;
}

// Gives up as soon as the question proves too hard: then the answer means nothing.
static bool is_useful(struct question *question, const struct row *rows, size_t row_count,
                      const struct row *q, const struct type *const *types, size_t count,
                      const char **witness) {
  if (count == 0)
    return row_count == 0;
  question->steps++;
  if (question->steps > question->most_steps || question->depth > MAX_DEPTH)
    question->gave_up = true;
  if (question->gave_up)
    return true;
  question->depth++;
  bool useful = is_useful_here(question, rows, row_count, q, types, count, witness);
  question->depth--;
  return useful;
}

// ---- Questions about a match -----------------------------------------------------------------------------

// The types of a tuple's parts, and of theirs.
static void flatten_types(struct match_matrix *matrix, const struct type *type, size_t *capacity) {
  if (type->kind == TYPE_TUPLE) {
    for (size_t i = 0; i < type->tuple.count; i++)
      flatten_types(matrix, type_resolve(type->tuple.items[i]), capacity);
    return;
  }
  if (matrix->n_columns == *capacity) {
    size_t grown = *capacity ? 2 * *capacity : 4;
    matrix->types = arena_grow_array(matrix->arena, matrix->types, *capacity, grown, sizeof *matrix->types);
    *capacity = grown;
  }
  matrix->types[matrix->n_columns++] = type;
}

static size_t flatten_pattern(const struct type *type, const struct ast_pattern *pattern,
                              const struct ast_pattern **out) {
  if (type->kind != TYPE_TUPLE) {
    out[0] = pattern;
    return 1;
  }
  size_t n = 0;
  bool is_tuple = pattern && pattern->kind == AST_PATTERN_TUPLE;
  for (size_t i = 0; i < type->tuple.count; i++)
    n += flatten_pattern(type_resolve(type->tuple.items[i]), is_tuple ? pattern->items.items[i] : NULL,
                         out + n);
  return n;
}

static void flatten(struct match_matrix *matrix) {
  struct arena *arena = matrix->arena;
  size_t capacity = 0;
  flatten_types(matrix, matrix->type, &capacity);
  matrix->flat = arena_new_array(arena, struct row, matrix->count);
  for (size_t i = 0; i < matrix->count; i++) {
    matrix->flat[i].patterns = arena_new_array(arena, const struct ast_pattern *, matrix->n_columns);
    flatten_pattern(matrix->type, matrix->rows[i].patterns[0], matrix->flat[i].patterns);
  }
  matrix->columns = arena_new_array(arena, struct heads, matrix->n_columns);
  for (size_t c = 0; c < matrix->n_columns; c++)
    matrix->columns[c] = sort_rows(arena, matrix->flat, matrix->count, c);
}

struct match_matrix *match_matrix(struct arena *arena, const struct type *type,
                                  const struct ast_pattern *const *patterns, size_t count) {
  struct match_matrix *matrix = arena_new(arena, struct match_matrix);
  *matrix = (struct match_matrix){.arena = arena,
                                  .type = type_resolve(type),
                                  .rows = arena_new_array(arena, struct row, count),
                                  .count = count};
  const struct ast_pattern **column = arena_new_array(arena, const struct ast_pattern *, count);
  for (size_t i = 0; i < count; i++) {
    column[i] = patterns[i];
    matrix->rows[i].patterns = &column[i];
  }
  flatten(matrix);
  return matrix;
}

static struct question ask(const struct match_matrix *matrix) {
  return (struct question){.arena = matrix->arena, .most_steps = MAX_STEPS + MAX_STEPS_A_ROW * matrix->count};
}

enum match_answer match_is_exhaustive(const struct match_matrix *matrix, const char **example) {
  struct question question = ask(matrix);
  const struct ast_pattern *wildcard = NULL;
  const struct row q = {&wildcard};
  bool useful = is_useful(&question, matrix->rows, matrix->count, &q, &matrix->type, 1, example);
  return question.gave_up ? MATCH_TOO_COMPLEX : useful ? MATCH_NO : MATCH_YES;
}

// Rows before `arm` that may take a value of it: with the arm's head in this column, or any.
static size_t rival_count(const struct heads *heads, int64_t head, size_t arm) {
  return find_named(heads, head, arm) - find_named(heads, head, 0) + heads->n_wild;
}

// The column in which the arm has the fewest rivals; false when it takes anything in all of them.
static bool find_best_column(const struct match_matrix *matrix, size_t arm, size_t *best) {
  size_t fewest = SIZE_MAX;
  for (size_t c = 0; c < matrix->n_columns; c++) {
    struct head head = head_of(matrix->flat[arm].patterns[c]);
    size_t n = head.is_wild ? SIZE_MAX : rival_count(&matrix->columns[c], head.value, arm);
    if (n < fewest) {
      fewest = n;
      *best = c;
    }
  }
  return fewest != SIZE_MAX;
}

enum match_answer match_is_reachable(const struct match_matrix *matrix, size_t arm) {
  struct question question = ask(matrix);
  const struct row *rows = matrix->flat;
  size_t n = arm, column;
  if (find_best_column(matrix, arm, &column)) {
    const struct heads *heads = &matrix->columns[column];
    int64_t head = head_of(rows[arm].patterns[column]).value;
    struct row *rivals = arena_new_array(matrix->arena, struct row, rival_count(heads, head, arm));
    n = 0;
    for (size_t i = find_named(heads, head, 0); i < find_named(heads, head, arm); i++)
      rivals[n++] = rows[heads->named[i].row];
    for (size_t i = 0; i < heads->n_wild && heads->wild[i] < arm; i++)
      rivals[n++] = rows[heads->wild[i]];
    rows = rivals;
  }
  bool useful = is_useful(&question, rows, n, &matrix->flat[arm], matrix->types, matrix->n_columns, NULL);
  return question.gave_up ? MATCH_TOO_COMPLEX : useful ? MATCH_YES : MATCH_NO;
}
