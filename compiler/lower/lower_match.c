// Patterns: `match` as a decision tree, and binding of patterns that always match.
//
// A match is a table: a row for each arm, a column for each value still to be looked at. The first column
// that the first row restricts is tested; every outcome goes on with the rows that it leaves, and with
// columns for the parts of the value that it uncovers (Maranget 2008, section 4; the column is always the
// first). Rows can be copied to several outcomes, so an arm's body is a label that is given the values of the
// arm's names.
//
// The table is sparse: a column knows the rows that restrict it, a row the columns that it restricts, in order, as a
// list that outcomes share. So a test costs what it is about, however many columns stand beside it.
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

#include "compiler/lower/lower_internal.h"

// ---- Parts of values ----------------------------------------------------------------------------------

static uint32_t width(struct lower_fn *fn, const struct type *type) {
  return ir_type_width(lower_type_here(fn, type));
}

uint32_t lower_field_slot(struct lower_fn *fn, const struct type *data,
                          const struct ast_constructor *constructor, size_t field) {
  const struct ir_type *type = lower_type_here(fn, data);
  if (type->kind == IR_DATA)
    return ir_field_slot(fn->lower->module, type->data, constructor->index, (uint32_t)field);
  uint32_t slot = 0;  // a record: it has few
  for (size_t i = 0; i < field; i++)
    slot += ir_type_width(type->tuple.fields[i].type);
  return slot;
}

struct ssa_values lower_field(struct lower_fn *fn, const struct type *data,
                              const struct ast_constructor *constructor, size_t field,
                              struct ssa_values value) {
  uint32_t first = lower_field_slot(fn, data, constructor, field);
  uint32_t n = width(fn, type_field(fn->arena, data, constructor, field));
  if (lower_is_record(fn->lower, data->data.decl))
    return (struct ssa_values){n, value.items + first};
  struct ssa_values slots = {n, arena_new_array(fn->arena, struct ir_value *, n)};
  for (uint32_t i = 0; i < n; i++)
    slots.items[i] = ir_build_data_get(&fn->ssa.build, value.items[0], constructor->index, first + i);
  return slots;
}

// ---- Patterns -----------------------------------------------------------------------------------------

static const struct ast_constructor *constructor_of(const struct ast_pattern *pattern) {
  if (pattern->kind == AST_PATTERN_CONSTRUCTOR)
    return pattern->constructor.ref.constructor;
  if (pattern->kind == AST_PATTERN_NAME && pattern->name.ref.kind == AST_REF_CONSTRUCTOR)
    return pattern->name.ref.constructor;
  return NULL;
}

static bool binds(const struct ast_pattern *pattern) {
  return pattern->kind == AST_PATTERN_NAME && pattern->name.ref.kind == AST_REF_LOCAL;
}

void lower_bind_pattern(struct lower_fn *fn, const struct ast_pattern *pattern, struct ssa_values values) {
  if (binds(pattern)) {
    lower_bind(fn, pattern->name.local, values);
  } else if (pattern->kind == AST_PATTERN_TUPLE) {
    for (size_t i = 0, first = 0; i < pattern->items.count; i++) {
      struct ssa_values item = {width(fn, pattern->type->tuple.items[i]), values.items + first};
      lower_bind_pattern(fn, pattern->items.items[i], item);
      first += item.n;
    }
  } else if (pattern->kind == AST_PATTERN_CONSTRUCTOR) {
    const struct ast_patterns *args = &pattern->constructor.args;
    for (size_t i = 0; i < args->count; i++)
      if (args->items[i]->kind != AST_PATTERN_WILDCARD)
        lower_bind_pattern(fn, args->items[i],
                           lower_field(fn, pattern->type, constructor_of(pattern), i, values));
  }
}

// ---- The table ----------------------------------------------------------------------------------------

struct cell {
  size_t arm;
  const struct ast_pattern *pattern;
};

struct column {
  const struct type *type;
  struct ssa_values value;  // not loaded when no row looks at it
  size_t n_cells;
  struct cell *cells;  // of the rows that restrict it, by arm
  bool is_decided;     // by a test that is being lowered: it is in no table inside
};

struct binding {
  const struct ast_local *local;
  struct ssa_values value;
  const struct binding *next;
};

// Columns that a row restricts, in the order of the table. Those that are decided stay until they come first.
struct pending {
  struct column *column;
  const struct pending *next;
};

struct row {
  const struct pending *pending;
  const struct binding *bindings;
  size_t arm;
};

// The rows that may still match, in order.
struct table {
  size_t n_rows;
  struct row *rows;
};

struct arm {
  struct ssa_label *label;
  AST_LIST(arm_locals, const struct ast_local *) locals;  // in order of text
};

struct match {
  struct lower_fn *fn;
  struct arm *arms;
  uint32_t most_decisions;
};

// What a pattern asks of a column's value. A name matches anything: the row remembers what it stands for.
static void add_pattern(struct match *match, struct row *row, const struct ast_pattern *pattern,
                        struct column *column) {
  struct arena *arena = match->fn->arena;
  if (pattern->kind == AST_PATTERN_WILDCARD)
    return;
  if (binds(pattern)) {
    struct binding *binding = arena_new(arena, struct binding);
    *binding = (struct binding){pattern->name.local, column->value, row->bindings};
    row->bindings = binding;
    return;
  }
  column->cells[column->n_cells++] = (struct cell){row->arm, pattern};
  struct pending *pending = arena_new(arena, struct pending);
  *pending = (struct pending){column, row->pending};
  row->pending = pending;
}

// NULL: anything.
static const struct ast_pattern *pattern_of(const struct column *column, size_t arm) {
  size_t low = 0, high = column->n_cells;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (column->cells[middle].arm < arm)
      low = middle + 1;
    else
      high = middle;
  }
  return low < column->n_cells && column->cells[low].arm == arm ? column->cells[low].pattern : NULL;
}

// The patterns of the parts of a value that `pattern`, a tuple or constructor, takes apart.
static const struct ast_patterns *parts_of(const struct ast_pattern *pattern) {
  static const struct ast_patterns none = {0};
  if (pattern->kind == AST_PATTERN_TUPLE)
    return &pattern->items;
  return pattern->kind == AST_PATTERN_CONSTRUCTOR ? &pattern->constructor.args : &none;
}

// Which outcome of a test on its column a pattern wants: the number of a constructor or member, an int, 0 or 1.
static int64_t outcome_of(const struct ast_pattern *pattern) {
  const struct ast_constructor *constructor = constructor_of(pattern);
  if (constructor)
    return constructor->index;
  switch (pattern->kind) {
  case AST_PATTERN_NAME: return pattern->name.ref.enum_member->index;
  case AST_PATTERN_BOOL: return pattern->boolean;
  default: return pattern->integer;
  }
}

// The rows that are left when a column has an outcome: those that want it, and those that take anything.
struct outcome {
  int64_t value;
  struct table table;
};

// All outcomes that rows want, by the first row that does, and the rows that take anything.
struct outcomes {
  size_t n;
  struct outcome *items;
  struct outcome rest;
};

struct wish {
  int64_t outcome;
  size_t row;
};

static int compare_wishes(const void *a, const void *b) {
  const struct wish *x = a, *y = b;
  if (x->outcome != y->outcome)
    return x->outcome < y->outcome ? -1 : 1;
  return x->row < y->row ? -1 : x->row > y->row;
}

// Sets of wishes for one outcome each, by their first rows.
struct wish_set {
  const struct wish *first;
  size_t n;
};

static int compare_sets(const void *a, const void *b) {
  const struct wish_set *x = a, *y = b;
  return x->first->row < y->first->row ? -1 : x->first->row > y->first->row;
}

// The rows that are wished for and those that take anything, in order.
static struct outcome merge_rows(struct arena *arena, const struct table *table, const struct wish_set *set,
                                 size_t n_any, const size_t *any) {
  struct outcome outcome = {set->n ? set->first->outcome : 0,
                            {0, arena_new_array(arena, struct row, set->n + n_any)}};
  for (size_t w = 0, k = 0; w < set->n || k < n_any;) {
    bool takes_wish = w < set->n && (k == n_any || set->first[w].row < any[k]);
    outcome.table.rows[outcome.table.n_rows++] = table->rows[takes_wish ? set->first[w++].row : any[k++]];
  }
  return outcome;
}

static struct outcomes split_rows(struct match *match, const struct table *table,
                                  const struct column *column) {
  struct arena *arena = match->fn->arena;
  struct wish *wishes = arena_new_array(arena, struct wish, table->n_rows);
  struct wish_set *sets = arena_new_array(arena, struct wish_set, table->n_rows);
  size_t *any = arena_new_array(arena, size_t, table->n_rows), n_wishes = 0, n_any = 0;
  for (size_t r = 0; r < table->n_rows; r++) {
    const struct ast_pattern *pattern = pattern_of(column, table->rows[r].arm);
    if (pattern)
      wishes[n_wishes++] = (struct wish){outcome_of(pattern), r};
    else
      any[n_any++] = r;
  }
  qsort(wishes, n_wishes, sizeof *wishes, compare_wishes);
  struct outcomes outcomes = {0};
  for (size_t w = 0; w < n_wishes; w++) {
    if (w == 0 || wishes[w].outcome != wishes[w - 1].outcome)
      sets[outcomes.n++] = (struct wish_set){&wishes[w], 0};
    sets[outcomes.n - 1].n++;
  }
  qsort(sets, outcomes.n, sizeof *sets, compare_sets);
  outcomes.items = arena_new_array(arena, struct outcome, outcomes.n);
  for (size_t i = 0; i < outcomes.n; i++)
    outcomes.items[i] = merge_rows(arena, table, &sets[i], n_any, any);
  outcomes.rest = merge_rows(arena, table, &(struct wish_set){NULL, 0}, n_any, any);
  return outcomes;
}

// Puts columns for the parts of a column's value before the others. `parts` have no values yet where `constructor` is to
// give them.
static void add_parts(struct match *match, const struct column *whole, size_t n_parts, struct column *parts,
                      const struct ast_constructor *constructor, const struct table *table) {
  struct lower_fn *fn = match->fn;
  struct {
    struct row *row;
    const struct ast_patterns *parts;
  } *asking = arena_alloc(fn->arena, table->n_rows * sizeof *asking);
  size_t n_asking = 0;
  for (size_t r = 0; r < table->n_rows; r++) {
    const struct ast_pattern *pattern = pattern_of(whole, table->rows[r].arm);
    const struct ast_patterns *patterns = pattern ? parts_of(pattern) : NULL;
    if (patterns && patterns->count) {
      asking[n_asking].row = &table->rows[r];
      asking[n_asking++].parts = patterns;
    }
  }
  for (size_t p = 0; p < n_parts; p++) {
    size_t n_used = 0;
    for (size_t r = 0; r < n_asking; r++)
      n_used += asking[r].parts->items[p]->kind != AST_PATTERN_WILDCARD;
    if (n_used && constructor)
      parts[p].value = lower_field(fn, whole->type, constructor, p, whole->value);
    parts[p].cells = arena_new_array(fn->arena, struct cell, n_used);
  }
  // A list grows at its front.
  for (size_t p = n_parts; p-- > 0;)
    for (size_t r = 0; r < n_asking; r++)
      add_pattern(match, asking[r].row, asking[r].parts->items[p], &parts[p]);
}

// ---- Decisions ----------------------------------------------------------------------------------------

static void decide(struct match *match, const struct table *table);

static void count_decision(struct match *match) {
  struct lower *lower = match->fn->lower;
  if (match->fn->n_decisions++ < match->most_decisions)
    return;
  diag_error(lower->sink, DIAG_MATCH_TOO_LARGE, lower->where,
             "this `match` needs more than %" PRIu32 " tests", match->most_decisions);
  lower_fail(lower);
}

// The first row matches: on to its arm.
static void reach_arm(struct match *match, const struct row *row) {
  struct lower_fn *fn = match->fn;
  const struct arm *arm = &match->arms[row->arm];
  struct {
    struct ir_value **items;
    size_t count, capacity;
  } args = {0};
  for (const struct binding *binding = row->bindings; binding; binding = binding->next)
    fn->bindings[binding->local->index] = binding;
  for (size_t i = 0; i < arm->locals.count; i++) {
    const struct binding *binding = fn->bindings[arm->locals.items[i]->index];
    for (uint32_t k = 0; k < binding->value.n; k++)
      arena_push(fn->arena, &args, binding->value.items[k]);
  }
  ssa_jump(&fn->ssa, arm->label, (struct ssa_values){(uint32_t)args.count, args.items});
}

static void decide_tuple(struct match *match, const struct table *table, const struct column *column) {
  size_t n = column->type->tuple.count;
  struct column *parts = arena_new_array(match->fn->arena, struct column, n);
  uint32_t first = 0;
  for (size_t i = 0; i < n; i++) {
    parts[i].type = column->type->tuple.items[i];
    parts[i].value = (struct ssa_values){width(match->fn, parts[i].type), column->value.items + first};
    first += parts[i].value.n;
  }
  add_parts(match, column, n, parts, NULL, table);
  decide(match, table);
}

// The value is known to have this constructor.
static void decide_fields(struct match *match, const struct column *column,
                          const struct ast_constructor *constructor, const struct table *table) {
  struct lower_fn *fn = match->fn;
  size_t n = constructor->fields.count;
  struct column *parts = arena_new_array(fn->arena, struct column, n);
  for (size_t i = 0; i < n; i++)
    parts[i].type = type_field(fn->arena, column->type, constructor, i);
  add_parts(match, column, n, parts, constructor, table);
  decide(match, table);
}

// Constructors of a data type or members of an enum: one switch. Outcomes without a row of their own share
// one.
static void decide_switch(struct match *match, const struct table *table, const struct column *column,
                          struct ir_value *tag, size_t n, const struct ast_constructors *constructors) {
  struct lower_fn *fn = match->fn;
  const struct outcomes outcomes = split_rows(match, table, column);
  struct ssa_label **labels = arena_new_array(fn->arena, struct ssa_label *, n), *rest = NULL;
  for (size_t i = 0; i < outcomes.n; i++)
    labels[outcomes.items[i].value] = ssa_label(&fn->ssa);
  for (size_t i = 0; i < n; i++)
    if (!labels[i])
      labels[i] = rest = rest ? rest : ssa_label(&fn->ssa);
  ssa_switch(&fn->ssa, tag, (uint32_t)n, labels);
  for (size_t i = 0; i < outcomes.n; i++) {
    const struct outcome *outcome = &outcomes.items[i];
    ssa_enter(&fn->ssa, labels[outcome->value], 0, NULL);
    if (constructors)
      decide_fields(match, column, constructors->items[outcome->value], &outcome->table);
    else
      decide(match, &outcome->table);
  }
  if (rest) {
    ssa_enter(&fn->ssa, rest, 0, NULL);
    decide(match, &outcomes.rest.table);
  }
}

// One outcome against all others; goes on where it is another.
static void decide_equal(struct match *match, const struct outcome *outcome, struct ir_value *condition) {
  struct ssa *ssa = &match->fn->ssa;
  struct ssa_label *yes = ssa_label(ssa), *no = ssa_label(ssa);
  ssa_branch(ssa, condition, yes, no);
  ssa_enter(ssa, yes, 0, NULL);
  decide(match, &outcome->table);
  ssa_enter(ssa, no, 0, NULL);
}

// Where only one of the two is wanted, the rest is the other.
static void decide_bool(struct match *match, const struct table *table, const struct column *column) {
  const struct outcomes outcomes = split_rows(match, table, column);
  const struct outcome *yes = &outcomes.rest, *no = &outcomes.rest;
  for (size_t i = 0; i < outcomes.n; i++)
    *(outcomes.items[i].value ? &yes : &no) = &outcomes.items[i];
  decide_equal(match, yes, column->value.items[0]);
  decide(match, &no->table);
}

// Ints are compared one after the other.
static void decide_int(struct match *match, const struct table *table, const struct column *column) {
  struct ir_builder *build = &match->fn->ssa.build;
  struct ir_value *value = column->value.items[0];
  const struct outcomes outcomes = split_rows(match, table, column);
  for (size_t i = 0; i < outcomes.n; i++) {
    count_decision(match);
    struct ir_value *wanted = ir_build_int(build, outcomes.items[i].value);
    decide_equal(match, &outcomes.items[i], ir_build_host2(build, IR_IEQ, value, wanted));
  }
  decide(match, &outcomes.rest.table);
}

static void decide_column(struct match *match, const struct table *table, const struct column *column) {
  struct lower_fn *fn = match->fn;
  switch (column->type->kind) {
  case TYPE_TUPLE: decide_tuple(match, table, column); break;
  case TYPE_BOOL: decide_bool(match, table, column); break;
  case TYPE_INT: decide_int(match, table, column); break;
  case TYPE_INDEX: {
    size_t n = column->type->index->ref.enumeration->members.count;
    struct ir_value *tag = ir_build_host1(&fn->ssa.build, IR_INDEX_TO_INT, column->value.items[0]);
    decide_switch(match, table, column, tag, n, NULL);
    break;
  }
  case TYPE_DATA: {
    const struct ast_constructors *constructors = &column->type->data.decl->constructors;
    if (constructors->count == 1) {
      decide_fields(match, column, constructors->items[0], table);
    } else {
      struct ir_value *tag = ir_build_data_tag(&fn->ssa.build, column->value.items[0]);
      decide_switch(match, table, column, tag, constructors->count, constructors);
    }
    break;
  }
  default: assert(!"values of this type have no patterns");
  }
}

static void decide(struct match *match, const struct table *table) {
  assert(table->n_rows > 0);
  for (size_t r = 0; r < table->n_rows; r++)
    while (table->rows[r].pending && table->rows[r].pending->column->is_decided)
      table->rows[r].pending = table->rows[r].pending->next;
  if (!table->rows[0].pending) {
    reach_arm(match, &table->rows[0]);
    return;
  }
  struct column *column = table->rows[0].pending->column;
  count_decision(match);
  column->is_decided = true;
  decide_column(match, table, column);
  column->is_decided = false;
}

// ---- Arms ---------------------------------------------------------------------------------------------

static void collect_locals(struct arena *arena, const struct ast_pattern *pattern, struct arm *arm) {
  if (binds(pattern))
    arena_push(arena, &arm->locals, pattern->name.local);
  else if (pattern->kind == AST_PATTERN_TUPLE)
    for (size_t i = 0; i < pattern->items.count; i++)
      collect_locals(arena, pattern->items.items[i], arm);
  else if (pattern->kind == AST_PATTERN_CONSTRUCTOR)
    for (size_t i = 0; i < pattern->constructor.args.count; i++)
      collect_locals(arena, pattern->constructor.args.items[i], arm);
}

static void enter_arm(struct lower_fn *fn, const struct arm *arm) {
  struct {
    const struct ir_type **items;
    size_t count, capacity;
  } types = {0};
  for (size_t i = 0; i < arm->locals.count; i++) {
    const struct ir_type *type = lower_type_here(fn, arm->locals.items[i]->type);
    const struct ir_type **slots = lower_flatten(fn->lower, type);
    for (uint32_t k = 0; k < ir_type_width(type); k++)
      arena_push(fn->arena, &types, slots[k]);
  }
  struct ssa_values params = ssa_enter(&fn->ssa, arm->label, (uint32_t)types.count, types.items);
  uint32_t next = 0;
  for (size_t i = 0; i < arm->locals.count; i++) {
    uint32_t n = width(fn, arm->locals.items[i]->type);
    lower_bind(fn, arm->locals.items[i], (struct ssa_values){n, params.items + next});
    next += n;
  }
}

static void build_decisions(struct lower_fn *fn, const struct ast_expr *expr, struct ssa_values value,
                            struct arm *arms) {
  const struct ast_match_arms *source = &expr->match.arms;
  struct match match = {fn, arms, LOWER_MAX_DECISIONS + LOWER_MAX_DECISIONS_AN_ARM * (uint32_t)source->count};
  struct column column = {.type = expr->match.scrutinee->type, .value = value};
  struct table table = {source->count, arena_new_array(fn->arena, struct row, source->count)};
  column.cells = arena_new_array(fn->arena, struct cell, source->count);
  for (size_t i = 0; i < source->count; i++) {
    struct row *row = &table.rows[i];
    row->arm = i;
    add_pattern(&match, row, source->items[i].pattern, &column);
    arms[i].label = ssa_label(&fn->ssa);
    collect_locals(fn->arena, source->items[i].pattern, &arms[i]);
  }
  fn->n_decisions = 0;
  decide(&match, &table);
}

struct ssa_values lower_match(struct lower_fn *fn, const struct ast_expr *expr) {
  struct ssa *ssa = &fn->ssa;
  struct ssa_values value = lower_expr(fn, expr->match.scrutinee);
  if (!ssa->reachable)
    return lower_undefined(fn, expr->type);
  lower_at(fn, expr->match.scrutinee->span);
  const struct ast_match_arms *source = &expr->match.arms;
  const struct ir_type *type = lower_type_here(fn, expr->type);
  uint32_t n = ir_type_width(type), scope = ssa->n_variables;
  struct ssa_label *end = ssa_label(ssa);
  struct arm *arms = arena_new_array(fn->arena, struct arm, source->count);
  build_decisions(fn, expr, value, arms);
  for (size_t i = 0; i < source->count; i++) {
    lower_at(fn, source->items[i].span);
    enter_arm(fn, &arms[i]);
    struct ssa_values result = lower_expr(fn, source->items[i].body);
    ssa_jump(ssa, end, n ? result : LOWER_NONE);
    ssa->n_variables = scope;
  }
  lower_at(fn, expr->span);
  return ssa_enter(ssa, end, n, lower_flatten(fn->lower, type));
}
