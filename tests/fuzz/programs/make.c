// Makes random programs: every expression has the type that is wanted, and every statement leaves the lists that it touches
// with an element, so that no example fails.
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/programs/program.h"

// ---- memory: all of it is released together ----

struct chunk {
  struct chunk *next;
};
static struct chunk *chunks;

void *program_alloc(size_t size) {
  struct chunk *chunk = calloc(1, sizeof *chunk + 16 + size);
  if (chunk == NULL)
    abort();
  chunk->next = chunks;
  chunks = chunk;
  return (char *)chunk + 16;
}

void program_free_all(void) {
  while (chunks != NULL) {
    struct chunk *next = chunks->next;
    free(chunks);
    chunks = next;
  }
}

// ---- the maker ----

struct maker {
  uint64_t state;
  struct program *program;
  struct function *function;
  bool assignable[MAX_SLOTS];
  int visible[MAX_SLOTS], n_visible;
  int loops;       // around the statement
  int calls_left;  // in this function: each may multiply the work
  bool may_return;
  int sum;                     // a number to which every block adds what it computed
  bool is_favourite[N_FORMS];  // of this program: so that rare forms meet each other
};

static const struct {
  enum fuzz_type result, args[3];
} forms[] = {
#define FORM(name, result, a, b, c, text) {result, {a, b, c}},
    FORMS(FORM)
#undef FORM
};

static uint32_t pick(struct maker *m, uint32_t n) {
  uint64_t z = m->state += 0x9e3779b97f4a7c15u;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return (uint32_t)((z ^ z >> 31) >> 33) % n;
}

static struct expr *make(struct maker *m, enum fuzz_type type, int size);

static struct expr *new_expr(enum form form, enum fuzz_type type) {
  struct expr *e = program_alloc(sizeof *e);
  e->form = form;
  e->type = type;
  return e;
}

// A visible variable of the type; -1: there is none.
static int find_variable(struct maker *m, enum fuzz_type type, bool assignable) {
  int found[MAX_SLOTS], n = 0;
  for (int i = 0; i < m->n_visible; i++) {
    int slot = m->visible[i];
    if (m->function->types[slot] == type && (!assignable || m->assignable[slot]))
      found[n++] = slot;
  }
  return n > 0 ? found[pick(m, (uint32_t)n)] : -1;
}

static int new_slot(struct maker *m, enum fuzz_type type, bool assignable) {
  if (m->function->n_slots == MAX_SLOTS)
    return -1;
  int slot = m->function->n_slots++;
  m->function->types[slot] = type;
  m->assignable[slot] = assignable;
  return slot;
}

static void show(struct maker *m, int slot) { m->visible[m->n_visible++] = slot; }

static struct expr *variable(struct maker *m, enum fuzz_type type) {
  int slot = find_variable(m, type, false);
  if (slot < 0)
    return NULL;
  struct expr *e = new_expr(VARIABLE, type);
  e->slot = slot;
  return e;
}

// The type of the list that the form subscripts.
static enum fuzz_type subscripted(enum form form) {
  switch (form) {
  case INT_AT: return LINT;
  case VEC_AT: return LVEC;
  case WORD_AT: return LWORD;
  case LINT_AT: return LLINT;
  case REC_AT: return LREC;
  default: return NONE;
  }
}

static struct expr *make_form(struct maker *m, enum form form, int size) {
  struct expr *e = new_expr(form, forms[form].result);
  if (subscripted(form) != NONE && (e->slot = find_variable(m, subscripted(form), false)) < 0)
    return NULL;
  e->integer = form == TAG_CONSTANT ? pick(m, N_TAGS) : pick(m, 6);
  for (int i = 0; i < 3 && forms[form].args[i] != NONE; i++)
    if ((e->args[i] = make(m, forms[form].args[i], size - 1 - (int)pick(m, 2))) == NULL)
      return NULL;
  return e;
}

static struct expr *make_call(struct maker *m, enum fuzz_type type, int size) {
  int candidates[MAX_FUNCTIONS], n = 0;
  for (int i = 0; i < m->program->n_functions; i++)
    if (m->program->functions[i].result_type == type)
      candidates[n++] = i;
  if (n == 0 || m->calls_left <= 0)
    return NULL;
  m->calls_left -= 1 + 2 * m->loops;
  struct expr *e = new_expr(CALL, type);
  e->slot = candidates[pick(m, (uint32_t)n)];
  const struct function *callee = &m->program->functions[e->slot];
  for (int i = 0; i < callee->n_params; i++) {
    bool count = callee->kind == COUNTDOWN && i == 0;
    e->args[i] = count ? make_form(m, INT_CONSTANT, 0) : make(m, callee->params[i], size - 1);
    if (e->args[i] == NULL)
      return NULL;
  }
  return e;
}

// The smallest expression of each type that needs no variable.
static struct expr *make_small(struct maker *m, enum fuzz_type type) {
  static const enum form least[N_TYPES] = {
      [INT] = INT_CONSTANT, [BOOL] = BOOL_LESS, [NUM] = NUM_SUM,    [VEC] = VEC_B0,      [WORD] = WORD_ARGMAX,
      [TAG] = TAG_CONSTANT, [LVEC] = LVEC_NEW,  [LINT] = LINT_NEW,  [LLINT] = LLINT_NEW, [LREC] = LREC_NEW,
      [PAIR] = PAIR_NEW,    [REC] = REC_NEW,    [TEXT] = TEXT_WIDE, [LTEXT] = LTEXT_NEW};
  if (type == TREE || type == LWORD)
    return NULL;
  return make_form(m, least[type], 0);
}

static struct expr *make(struct maker *m, enum fuzz_type type, int size) {
  if (size <= 0 || pick(m, 4) == 0) {
    struct expr *e = variable(m, type);
    if (e != NULL && (size <= 0 || pick(m, 3)))
      return e;
    if (size <= 0)
      return make_small(m, type);
  }
  if (pick(m, 6) == 0) {
    struct expr *e = make_call(m, type, size);
    if (e != NULL)
      return e;
  }
  for (int attempt = 0; attempt < 4; attempt++) {
    enum form candidates[N_FORMS];
    uint32_t n = 0;
    bool favourites = pick(m, 2);
    for (enum form form = 0; form < VARIABLE; form++)
      if (forms[form].result == type && (!favourites || m->is_favourite[form]))
        candidates[n++] = form;
    struct expr *e = n > 0 ? make_form(m, candidates[pick(m, n)], size) : NULL;
    if (e != NULL)
      return e;
  }
  struct expr *e = variable(m, type);
  return e != NULL ? e : make_small(m, type);
}

// ---- statements ----

static struct stmt *make_body(struct maker *m, int n, int size);

static struct stmt *new_stmt(enum stmt_kind kind) {
  struct stmt *s = program_alloc(sizeof *s);
  s->kind = kind;
  s->slot = s->second = -1;
  return s;
}

static struct stmt *make_declaration(struct maker *m) {
  static const enum fuzz_type types[] = {INT, NUM, VEC,  VEC,  LVEC, LINT,  LLINT, LREC,
                                         REC, TAG, WORD, BOOL, NUM,  LWORD, TEXT,  LTEXT};
  enum fuzz_type type = types[pick(m, sizeof types / sizeof *types)];
  bool assignable = pick(m, 3) > 0;
  struct stmt *s = new_stmt(assignable ? VAR : LET);
  s->a = make(m, type, 3);
  if (s->a == NULL || (s->slot = new_slot(m, type, assignable)) < 0)
    return NULL;
  show(m, s->slot);
  return s;
}

static struct stmt *make_pair(struct maker *m) {
  struct stmt *s = new_stmt(LET_PAIR);
  s->a = make(m, PAIR, 3);
  s->slot = new_slot(m, VEC, false);
  s->second = new_slot(m, NUM, false);
  if (s->second < 0)
    return NULL;
  show(m, s->slot);
  show(m, s->second);
  return s;
}

static struct stmt *make_assignment(struct maker *m) {
  static const enum fuzz_type types[] = {VEC,  VEC, NUM, NUM,   INT,  LVEC, LINT,
                                         LREC, REC, TAG, LLINT, TEXT, LTEXT};
  enum fuzz_type type = types[pick(m, sizeof types / sizeof *types)];
  struct stmt *s = new_stmt(SET);
  s->slot = find_variable(m, type, true);
  if (s->slot < 0)
    return NULL;
  s->a = make(m, type, 3);
  return s->a != NULL ? s : NULL;
}

static struct stmt *make_element_assignment(struct maker *m) {
  static const enum fuzz_type lists[] = {LVEC, LINT, LREC, LLINT, LLINT},
                              elements[] = {VEC, INT, REC, LINT, LINT};
  uint32_t which = pick(m, 5);
  struct stmt *s = new_stmt(which == 4 ? SET_AT_AT : SET_AT);
  s->slot = find_variable(m, lists[which], true);
  if (s->slot < 0)
    return NULL;
  s->a = make(m, INT, 2);
  s->b = make(m, which == 4 ? INT : elements[which], 2);
  s->c = which == 4 ? make(m, INT, 2) : NULL;
  return s;
}

static struct stmt *make_pop(struct maker *m) {
  static const enum fuzz_type lists[] = {LVEC, LINT, LREC, LLINT};
  struct stmt *s = new_stmt(POP);
  s->slot = find_variable(m, lists[pick(m, 4)], true);
  return s->slot >= 0 ? s : NULL;
}

static struct stmt *make_loop_body(struct maker *m, int size) {
  m->loops++;
  struct stmt *body = make_body(m, 1 + (int)pick(m, 3), size - 1);
  m->loops--;
  return body;
}

static struct stmt *make_loop(struct maker *m, int size) {
  static const enum stmt_kind kinds[] = {FOR_RANGE, FOR_LIST, FOR_ZIP, FOR_TAG, WHILE};
  static const enum fuzz_type lists[] = {LVEC, LINT, LWORD, LREC, LTEXT, TEXT},
                              elements[] = {VEC, INT, WORD, REC, TEXT, TEXT};
  struct stmt *s = new_stmt(kinds[pick(m, 5)]);
  // The characters of a text are no list that could be zipped.
  uint32_t list = pick(m, s->kind == FOR_LIST ? 6 : 5);
  enum fuzz_type type = s->kind == FOR_TAG                          ? TAG
                        : s->kind == FOR_LIST || s->kind == FOR_ZIP ? elements[list]
                                                                    : INT;
  s->integer = 1 + pick(m, 3);
  if (s->kind == WHILE)
    s->b = make(m, BOOL, 2);
  if (s->kind == FOR_LIST || s->kind == FOR_ZIP)
    if ((s->a = make(m, lists[list], 2)) == NULL)
      return NULL;
  s->slot = new_slot(m, type, false);
  s->second = s->kind == FOR_ZIP ? new_slot(m, type, false) : s->slot;
  if (s->slot < 0 || s->second < 0)
    return NULL;
  int n = m->n_visible;
  show(m, s->slot);
  if (s->kind == FOR_ZIP)
    show(m, s->second);
  s->body = make_loop_body(m, size);
  m->n_visible = n;
  return s;
}

static struct stmt *make_branch(struct maker *m, int size) {
  struct stmt *s = new_stmt((enum stmt_kind[]){IF, IF, MATCH_TAG, MATCH_INT}[pick(m, 4)]);
  s->slot = s->kind == MATCH_TAG ? find_variable(m, TAG, false) : 0;
  if (s->slot < 0)
    return NULL;
  s->a = s->kind == MATCH_TAG ? NULL : make(m, s->kind == IF ? BOOL : INT, 3);
  s->body = make_body(m, 1 + (int)pick(m, 2), size - 1);
  s->other = s->kind != IF || pick(m, 2) ? make_body(m, 1 + (int)pick(m, 2), size - 1) : NULL;
  s->third = s->kind != IF ? make_body(m, 1, size - 1) : NULL;
  return s;
}

static struct stmt *make_jump(struct maker *m) {
  if (m->loops > 0 && pick(m, 3)) {
    struct stmt *s = new_stmt(pick(m, 2) ? BREAK_IF : CONTINUE_IF);
    s->a = make(m, BOOL, 2);
    return s;
  }
  if (!m->may_return)
    return NULL;
  struct stmt *s = new_stmt(RETURN_IF);
  s->a = make(m, BOOL, 2);
  s->b = make(m, m->function->result_type, 2);
  return s;
}

static struct stmt *make_stmt(struct maker *m, int size) {
  switch (pick(m, size > 0 ? 14 : 9)) {
  case 0:
  case 1: return make_declaration(m);
  case 2: return make_pair(m);
  case 3:
  case 4:
  case 5: return make_assignment(m);
  case 6: return make_element_assignment(m);
  case 7: return make_pop(m);
  case 8: return make_jump(m);
  case 9:
  case 10:
  case 11: return make_loop(m, size);
  default: return make_branch(m, size);
  }
}

static struct expr *apply(enum form form, struct expr *a, struct expr *b) {
  struct expr *e = new_expr(form, forms[form].result);
  e->args[0] = a;
  e->args[1] = b;
  return e;
}

static struct expr *variable_at(struct maker *m, int slot) {
  struct expr *e = new_expr(VARIABLE, m->function->types[slot]);
  e->slot = slot;
  return e;
}

static struct expr *vector_constant(void) { return new_expr(VEC_B1, VEC); }

// What a variable adds to a number, or NULL.
static struct expr *number_of(struct maker *m, int slot) {
  struct expr *v = variable_at(m, slot);
  switch (v->type) {
  case NUM: return apply(NUM_TANH, v, NULL);
  case VEC: return apply(NUM_DOT, apply(VEC_TANH, v, NULL), vector_constant());
  case LVEC: return apply(NUM_SUM_DOTS, v, vector_constant());
  case REC:
    return apply(NUM_DOT, apply(VEC_OF_REC, v, NULL),
                 apply(VEC_SCALED, apply(NUM_OF_REC, v, NULL), vector_constant()));
  case PAIR: return apply(NUM_OF_PAIR, v, NULL);
  case LINT: v = apply(INT_SUM, v, NULL); break;
  case LTEXT: v = apply(TEXT_JOIN, v, new_expr(TEXT_WIDE, TEXT));  // fall through
  case TEXT: v = apply(INT_FIND, v, new_expr(TEXT_WIDE, TEXT)); break;
  case TAG: v = apply(INT_OF_TAG, v, NULL); break;
  case WORD: return apply(NUM_MEAN, apply(VEC_WORD, v, NULL), NULL);
  case INT: break;
  default: return NULL;
  }
  return apply(NUM_OF_INT, v, apply(NUM_MEAN, vector_constant(), NULL));
}

static struct expr *vector_of(struct maker *m, int slot) {
  struct expr *v = variable_at(m, slot);
  switch (v->type) {
  case VEC: return apply(VEC_TANH, v, NULL);
  case LVEC: return apply(VEC_LIST_MEAN, v, NULL);
  case REC: return apply(VEC_OF_REC, v, NULL);
  case PAIR: return apply(VEC_OF_PAIR, v, NULL);
  default: return NULL;
  }
}

// What a block has computed is added to a number that reaches the result, so that little of a program is dead.
static struct stmt *make_sum(struct maker *m, int first_visible) {
  struct expr *e = apply(NUM_HALF, variable_at(m, m->sum), NULL);
  int n = 0;
  for (int i = first_visible; i < m->n_visible; i++) {
    struct expr *part = number_of(m, m->visible[i]);
    if (part != NULL)
      e = apply(NUM_ADD, e, part), n++;
  }
  struct stmt *s = new_stmt(SET);
  s->slot = m->sum;
  s->a = n > 0 ? e : apply(NUM_ADD, e, make(m, NUM, 3));
  return s;
}

static struct stmt *make_body(struct maker *m, int n, int size) {
  int visible = m->n_visible;
  struct stmt *first = NULL, **end = &first;
  while (n > 0) {
    struct stmt *s = make_stmt(m, size);
    if (s == NULL)
      continue;
    *end = s;
    end = &s->next;
    n--;
  }
  *end = make_sum(m, visible);
  m->n_visible = visible;
  return first;
}

// A number or vector in which all that is visible has a part: what is computed shall reach the loss.
static struct expr *make_from_all(struct maker *m, enum fuzz_type type) {
  struct expr *e = make(m, type, 3);
  for (int i = 0; i < m->n_visible; i++) {
    struct expr *part = (type == NUM ? number_of : vector_of)(m, m->visible[i]);
    if (part != NULL && (type == NUM || pick(m, 3) == 0))
      e = apply(type == NUM ? NUM_ADD : VEC_ADD, e, part);
  }
  return e;
}

static struct expr *make_whole_result(struct maker *m, enum fuzz_type type) {
  struct expr *e;
  switch (type) {
  case NUM:
  case VEC: return make_from_all(m, type);
  case PAIR: return apply(PAIR_NEW, make_from_all(m, VEC), make_from_all(m, NUM));
  case REC:
    e = apply(REC_NEW, make_from_all(m, VEC), make(m, INT, 2));
    e->args[2] = make_from_all(m, NUM);
    return e;
  default: return make(m, type, 3);
  }
}

// A body whose variables the result sees.
static void make_result(struct maker *m, int n, struct stmt **body, struct expr **result) {
  struct stmt **end = body, *sum = new_stmt(VAR);
  sum->a = apply(NUM_MEAN, new_expr(VEC_B0, VEC), NULL);
  m->sum = sum->slot = new_slot(m, NUM, true);
  show(m, m->sum);
  *end = sum;
  end = &sum->next;
  for (; n > 0; n--) {
    struct stmt *s = NULL;
    while (s == NULL)
      s = make_stmt(m, 2);
    *end = s;
    end = &s->next;
  }
  *result = make_whole_result(m, m->function->result_type);
}

// ---- functions ----

static void begin_function(struct maker *m, enum fuzz_type result, int n, const enum fuzz_type *params) {
  m->function = &m->program->functions[m->program->n_functions];
  *m->function = (struct function){.n_params = n, .result_type = result};
  m->n_visible = m->loops = 0;
  m->calls_left = 5;
  for (int i = 0; i < n; i++) {
    m->function->params[i] = params[i];
    show(m, new_slot(m, params[i], false));
  }
}

static void make_plain(struct maker *m) {
  static const enum fuzz_type results[] = {VEC, NUM, PAIR, INT, REC, LVEC, LINT, TAG, TEXT, LTEXT};
  static const enum fuzz_type types[] = {VEC, INT, NUM, WORD, LVEC, LINT, REC, TAG, LREC, PAIR, TEXT, LTEXT};
  enum fuzz_type params[MAX_PARAMETERS] = {VEC};
  int n = 1 + (int)pick(m, MAX_PARAMETERS - 1);
  for (int i = 1; i < n; i++)
    params[i] = types[pick(m, sizeof types / sizeof *types)];
  begin_function(m, results[pick(m, sizeof results / sizeof *results)], n, params);
  make_result(m, 2 + (int)pick(m, 3), &m->function->body, &m->function->result);
  m->program->n_functions++;
}

static void show_pair(struct maker *m, int slots[2]) {
  show(m, slots[0] = new_slot(m, VEC, false));
  show(m, slots[1] = new_slot(m, NUM, false));
}

static void make_walk(struct maker *m) {
  begin_function(m, PAIR, 2, (enum fuzz_type[]){TREE, VEC});
  struct function *f = m->function;
  f->kind = TREE_WALK;
  int before = m->n_visible;
  show(m, f->word = new_slot(m, WORD, false));
  make_result(m, 1 + (int)pick(m, 2), &f->body, &f->result);
  m->n_visible = before;
  show(m, f->word);
  f->left = new_slot(m, TREE, false);
  f->right = new_slot(m, TREE, false);
  f->down[0] = make(m, VEC, 2);
  show_pair(m, f->left_pair);
  f->down[1] = make(m, VEC, 2);
  show_pair(m, f->right_pair);
  make_result(m, 1 + (int)pick(m, 3), &f->inner, &f->inner_result);
  m->program->n_functions++;
}

// One function that calls itself, or two that call each other.
static void make_countdown(struct maker *m, int n) {
  int first = m->program->n_functions;
  for (int i = 0; i < n; i++) {
    begin_function(m, PAIR, 2, (enum fuzz_type[]){INT, VEC});
    struct function *f = m->function;
    f->kind = COUNTDOWN;
    f->partner = first + (i + 1) % n;
    f->result = make(m, PAIR, 2);
    f->down[0] = make(m, VEC, 2);
    show_pair(m, f->left_pair);
    make_result(m, 1 + (int)pick(m, 2), &f->inner, &f->inner_result);
    m->program->n_functions++;
  }
}

struct program *program_make(uint64_t seed) {
  static const int sizes[] = {1, 2, 3, 3, 5, 16, 19, 40};
  struct maker m = {.state = seed, .program = program_alloc(sizeof(struct program)), .may_return = true};
  m.program->h = sizes[pick(&m, 8)];
  for (int i = 0; i < 16; i++)
    m.is_favourite[pick(&m, VARIABLE)] = true;
  make_plain(&m);
  make_walk(&m);
  make_plain(&m);
  make_countdown(&m, 1 + (int)pick(&m, 2));
  if (pick(&m, 2))
    make_plain(&m);
  begin_function(&m, NUM, 4, (enum fuzz_type[]){LWORD, TAG, INT, TREE});
  m.calls_left = 8;
  make_result(&m, 4 + (int)pick(&m, 4), &m.function->body, &m.function->result);
  m.program->n_functions++;
  return m.program;
}
