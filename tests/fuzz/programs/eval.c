// The interpreter: values and forward-mode derivatives in double, one example at a time, slow and obvious. Lists are copied at
// every change. Where an answer would hang on rounding (a decision between close numbers, a kink near which the derivative
// jumps) or values grow beyond what differences can bear, it gives none.
#include <math.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/programs/program.h"

enum { MAX_STEPS = 60000, MAX_LENGTH = 40, MAX_DEPTH = 60 };
#define NEAR 1e-7
#define LARGE 1e6

struct fuzz_value;

struct fuzz_list {
  int n;
  struct fuzz_value *items;
};

struct fuzz_value {
  int64_t i;              // INT, BOOL, WORD, TAG, and the int of a record
  struct number s;        // NUM, and the number of a pair or record
  struct number *x;       // VEC, and the vector of a pair or record
  struct fuzz_list list;  // also TEXT: the code points
  const struct tree *tree;
};

enum form program_eval_wrong = N_FORMS;

enum flow { GO_ON, BREAK, CONTINUE, RETURN };

struct run {
  const struct program *program;
  const struct parameters *parameters;
  jmp_buf give_up;
  int steps, depth;
  struct chunk {
    struct chunk *next;
  } * chunks;
};

struct frame {
  struct run *run;
  const struct function *function;
  struct fuzz_value slots[MAX_SLOTS], result;
};

static void give_up(struct run *run) { longjmp(run->give_up, 1); }

static void *get_memory(struct run *run, size_t size) {
  struct chunk *chunk = calloc(1, 16 + size);
  if (chunk == NULL)
    abort();
  chunk->next = run->chunks;
  run->chunks = chunk;
  return (char *)chunk + 16;
}

static void step(struct run *run) {
  if (++run->steps > MAX_STEPS)
    give_up(run);
}

// ---- numbers ----

static struct number checked(struct run *run, double v, double d) {
  if (!(fabs(v) < LARGE) || !(fabs(d) < LARGE))
    give_up(run);
  return (struct number){v, d};
}

static struct number constant(double v) { return (struct number){v, 0}; }
static struct number add(struct run *r, struct number a, struct number b) {
  return checked(r, a.v + b.v, a.d + b.d);
}
static struct number sub(struct run *r, struct number a, struct number b) {
  return checked(r, a.v - b.v, a.d - b.d);
}
static struct number mul(struct run *r, struct number a, struct number b) {
  return checked(r, a.v * b.v, a.d * b.v + a.v * b.d);
}
static struct number over(struct run *r, struct number a, struct number b) {
  return checked(r, a.v / b.v, (a.d * b.v - a.v * b.d) / (b.v * b.v));
}

// The larger; equals share the derivative. Numbers that are only nearly equal decide by rounding.
static struct number larger(struct run *r, struct number a, struct number b) {
  if (fabs(a.v - b.v) < NEAR && a.d != b.d && (a.v != b.v || a.v != 0))
    give_up(r);
  return a.v == b.v ? (struct number){a.v, (a.d + b.d) / 2} : a.v > b.v ? a : b;
}

static struct number minus(struct number a) { return (struct number){-a.v, -a.d}; }

static double far_from_0(struct run *r, struct number a) {
  if (fabs(a.v) < NEAR && a.d != 0)
    give_up(r);
  return a.v;
}

static struct number right_unary(struct run *r, enum form form, struct number a) {
  double v = a.v, y;
  switch (form) {
  case NUM_TANH:
  case VEC_TANH: return y = tanh(v), checked(r, y, a.d * (1 - y * y));
  case NUM_SIGMOID:
  case VEC_SIGMOID: return y = 1 / (1 + exp(-v)), checked(r, y, a.d * y * (1 - y));
  case NUM_SQRT: return y = sqrt(v * v + 0.5), checked(r, y, a.d * v / y);
  case NUM_LOG:
    return y = far_from_0(r, a), checked(r, log(fabs(v) + 0.5), a.d * (y > 0 ? 1 : -1) / (fabs(v) + 0.5));
  case NUM_LOG1P: return checked(r, log1p(v * v), a.d * 2 * v / (1 + v * v));
  case NUM_NEG: return minus(a);
  case NUM_HALF: return checked(r, v / 2, a.d / 2);
  case VEC_RELU: return far_from_0(r, a) > 0 ? a : constant(0);
  case VEC_ABS: return far_from_0(r, a) > 0 ? a : minus(a);
  case VEC_EXP: return y = tanh(v), checked(r, exp(y), a.d * exp(y) * (1 - y * y));
  case VEC_EXPM1: return y = 1 / (1 + exp(-v)), checked(r, expm1(y), a.d * exp(y) * y * (1 - y));
  case VEC_ERF: return checked(r, erf(v), a.d * M_2_SQRTPI * exp(-v * v));
  case VEC_SOFTPLUS: return checked(r, v > 0 ? v + log1p(exp(-v)) : log1p(exp(v)), a.d / (1 + exp(-v)));
  case VEC_STOP: return constant(v);
  case VEC_NOISY:
  case VEC_KEPT: return a;
  default: abort();
  }
}

static struct number unary(struct run *r, enum form form, struct number a) {
  struct number y = right_unary(r, form, a);
  y.d *= form == program_eval_wrong ? 1.01 : 1;
  return y;
}

static struct number binary(struct run *r, enum form form, struct number a, struct number b) {
  switch (form) {
  case NUM_ADD:
  case VEC_ADD: return add(r, a, b);
  case NUM_SUB:
  case VEC_SUB: return sub(r, a, b);
  case NUM_MUL:
  case VEC_MUL: return mul(r, a, b);
  case NUM_DIV: return over(r, a, add(r, mul(r, b, b), constant(1)));
  case NUM_MAX:
  case VEC_MAX: return larger(r, a, b);
  case VEC_MIN: return minus(larger(r, minus(a), minus(b)));
  case VEC_GENERIC: {
    double t = tanh(a.v);
    return add(r, mul(r, checked(r, t, a.d * (1 - t * t)), b), checked(r, a.v / 2, a.d / 2));
  }
  default: abort();
  }
}

static struct number *new_vector(struct run *run, int n) {
  return get_memory(run, (size_t)n * sizeof(struct number));
}

static struct number dot(struct run *run, int n, const struct number *a, int stride, const struct number *b) {
  struct number sum = {0, 0};
  for (int i = 0; i < n; i++)
    sum = add(run, sum, mul(run, a[i * stride], b[i]));
  return sum;
}

static struct number *matrix_times(struct run *run, enum fuzz_param param, int rows, const struct number *x) {
  int h = run->program->h;
  struct number *y = new_vector(run, rows);
  for (int i = 0; i < rows; i++)
    y[i] = dot(run, h, run->parameters->values[param] + i * h, 1, x);
  return y;
}

static struct number log_sum(struct run *run, int n, const struct number *x) {
  double top = -INFINITY, sum = 0, d = 0;
  for (int i = 0; i < n; i++)
    top = fmax(top, x[i].v);
  for (int i = 0; i < n; i++)
    sum += exp(x[i].v - top), d += exp(x[i].v - top) * x[i].d;
  return checked(run, top + log(sum), d / sum);
}

static int64_t place_of_largest(struct run *run, int n, const struct number *x) {
  int best = 0;
  for (int i = 1; i < n; i++)
    best = x[i].v > x[best].v ? i : best;
  for (int i = 0; i < n; i++)
    if (i != best && x[best].v - x[i].v < NEAR)
      give_up(run);
  return best;
}

static int64_t count_above(struct run *run, int n, const struct number *x, double bound) {
  int64_t count = 0;
  for (int i = 0; i < n; i++) {
    if (fabs(x[i].v - bound) < NEAR)
      give_up(run);
    count += x[i].v > bound;
  }
  return count;
}

static struct number *layer(struct run *run, enum fuzz_param weights, const struct number *x) {
  struct number *y = matrix_times(run, weights, run->program->h, x);
  for (int i = 0; i < run->program->h; i++)
    y[i] = unary(run, VEC_TANH, add(run, y[i], run->parameters->values[weights + 1][i]));
  return y;
}

// ---- lists ----

static struct fuzz_list list_of(struct run *run, int n) {
  if (n > MAX_LENGTH)
    give_up(run);
  return (struct fuzz_list){n, get_memory(run, (size_t)n * sizeof(struct fuzz_value))};
}

static struct fuzz_list joined(struct run *run, struct fuzz_list a, struct fuzz_list b) {
  struct fuzz_list c = list_of(run, a.n + b.n);
  for (int i = 0; i < c.n; i++)
    c.items[i] = i < a.n ? a.items[i] : b.items[i - a.n];
  return c;
}

static struct fuzz_list reversed(struct run *run, struct fuzz_list a) {
  struct fuzz_list c = list_of(run, a.n);
  for (int i = 0; i < a.n; i++)
    c.items[i] = a.items[a.n - 1 - i];
  return c;
}

static struct fuzz_list sorted(struct run *run, struct fuzz_list a) {
  struct fuzz_list c = joined(run, a, (struct fuzz_list){0, NULL});
  for (int i = 1; i < c.n; i++) {
    struct fuzz_value x = c.items[i];
    int at = i;
    for (; at > 0 && c.items[at - 1].i > x.i; at--)
      c.items[at] = c.items[at - 1];
    c.items[at] = x;
  }
  return c;
}

// The places from the smallest to the largest.
static struct fuzz_list order_of(struct run *run, int n, const struct number *x) {
  struct fuzz_list order = list_of(run, n);
  for (int i = 0; i < n; i++) {
    int before = 0;
    for (int k = 0; k < n; k++) {
      before += x[k].v < x[i].v;
      if (k != i && fabs(x[k].v - x[i].v) < NEAR)
        give_up(run);
    }
    order.items[before].i = i;
  }
  return order;
}

// ---- texts ----

static struct fuzz_list text_of(struct run *run, const char *ascii) {
  struct fuzz_list text = list_of(run, (int)strlen(ascii));
  for (int i = 0; i < text.n; i++)
    text.items[i].i = ascii[i];
  return text;
}

// Less than 0, 0, or more.
static int compare_texts(struct fuzz_list a, struct fuzz_list b) {
  for (int i = 0; i < a.n && i < b.n; i++)
    if (a.items[i].i != b.items[i].i)
      return a.items[i].i < b.items[i].i ? -1 : 1;
  return a.n - b.n;
}

static struct fuzz_list part(struct run *run, struct fuzz_list a, int from, int to) {
  struct fuzz_list c = list_of(run, to - from);
  for (int i = 0; i < c.n; i++)
    c.items[i] = a.items[from + i];
  return c;
}

static int find_text(struct run *run, struct fuzz_list text, struct fuzz_list wanted, int from) {
  for (; from + wanted.n <= text.n; from++)
    if (compare_texts(part(run, text, from, from + wanted.n), wanted) == 0)
      return from;
  return -1;
}

static struct fuzz_list split_text(struct run *run, struct fuzz_list text, struct fuzz_list separator) {
  struct fuzz_list parts = list_of(run, 0);
  struct fuzz_value item = {0};
  for (int at = 0, end; at <= text.n; at = end + (separator.n ? separator.n : 1)) {
    end = separator.n ? find_text(run, text, separator, at) : at;
    if (separator.n == 0 && at == text.n)
      break;
    end = end < 0 ? text.n : end;
    item.list = part(run, text, at, separator.n ? end : at + 1);
    parts = joined(run, parts, (struct fuzz_list){1, &item});
    if (separator.n && end == text.n)
      break;
  }
  return parts;
}

static struct fuzz_list join_texts(struct run *run, struct fuzz_list parts, struct fuzz_list separator) {
  struct fuzz_list text = list_of(run, 0);
  for (int i = 0; i < parts.n; i++)
    text = joined(run, i ? joined(run, text, separator) : text, parts.items[i].list);
  return text;
}

static struct fuzz_list sorted_texts(struct run *run, struct fuzz_list a) {
  struct fuzz_list c = joined(run, a, (struct fuzz_list){0, NULL});
  for (int i = 1; i < c.n; i++)
    for (int k = i; k > 0 && compare_texts(c.items[k - 1].list, c.items[k].list) > 0; k--) {
      struct fuzz_value x = c.items[k];
      c.items[k] = c.items[k - 1];
      c.items[k - 1] = x;
    }
  return c;
}

static int subscript(int64_t i, int n) { return (int)((i % n + n) % n); }

// ---- expressions ----

static struct fuzz_value eval(struct frame *f, const struct expr *e);
static struct fuzz_value call(struct run *run, int number, const struct fuzz_value *args);

static struct fuzz_value of_int(int64_t i) { return (struct fuzz_value){.i = i}; }

static bool equal_lists(struct fuzz_list a, struct fuzz_list b, int depth) {
  if (a.n != b.n)
    return false;
  for (int i = 0; i < a.n; i++)
    if (depth > 0 ? !equal_lists(a.items[i].list, b.items[i].list, depth - 1) : a.items[i].i != b.items[i].i)
      return false;
  return true;
}

static bool equal_trees(struct run *r, const struct tree *a, const struct tree *b) {
  step(r);
  if (a->word != b->word || (a->left == NULL) != (b->left == NULL))
    return false;
  return a->left == NULL || (equal_trees(r, a->left, b->left) && equal_trees(r, a->right, b->right));
}

// What is asked of a list of ints.
static int64_t eval_ints(enum form form, struct fuzz_list list, int64_t y) {
  int least = 0, most = 0, found = -1;
  int64_t sum = 0, largest = y;
  for (int i = 0; i < list.n; i++) {
    int64_t x = list.items[i].i;
    uint64_t product = (uint64_t)list.items[list.n - 1 - i].i * (uint64_t)x;
    least = x < list.items[least].i ? i : least;
    most = x > list.items[most].i ? i : most;
    found = found < 0 && x == y ? i : found;
    largest = x > largest ? x : largest;
    sum = (int64_t)((uint64_t)sum + (uint64_t)x - product);
  }
  switch (form) {
  case INT_LARGEST: return list.items[most].i;
  case INT_SMALLEST: return list.items[least].i;
  case INT_PLACE_OF_LARGEST: return most;
  case INT_PLACE_OF_SMALLEST: return least;
  case INT_INDEX_OF: return found;
  case BOOL_CONTAINS: return found >= 0;
  case INT_FOLD: return largest;
  case BOOL_ANY: return list.items[most].i > y;
  case INT_SPREAD: return (int64_t)((uint64_t)list.items[most].i - (uint64_t)list.items[least].i);
  case INT_ZIP: return sum % 17;
  default: abort();
  }
}

static struct fuzz_value eval_int(struct frame *f, enum form form, const struct expr *e,
                                  const struct fuzz_value *a) {
  uint64_t x = (uint64_t)a[0].i, y = (uint64_t)a[1].i;
  int64_t sum = 0;
  switch (form) {
  case INT_CONSTANT:
  case TAG_CONSTANT: return of_int(e->integer);
  case INT_ADD: return of_int((int64_t)(x + y));
  case INT_SUB: return of_int((int64_t)(x - y));
  case INT_MUL: return of_int((int64_t)(x * y) % 11);
  case INT_DIV: return of_int(a[0].i / 3);
  case INT_LARGEST:
  case INT_SMALLEST:
  case INT_PLACE_OF_LARGEST:
  case INT_PLACE_OF_SMALLEST:
  case INT_INDEX_OF:
  case INT_FOLD:
  case INT_SPREAD:
  case INT_ZIP:
  case BOOL_CONTAINS:
  case BOOL_ANY: return of_int(eval_ints(form, a[0].list, a[1].i));
  case INT_ROOT: return of_int((int64_t)floor(sqrt((double)llabs(a[0].i % 50))));
  case INT_POWER: return of_int((a[0].i % 5) * (a[0].i % 5));
  case INT_CHOSEN:
  case INT_SAMPLED:
  case INT_ASSERTED: return of_int(a[0].i);
  case BOOL_LINTS: return of_int(equal_lists(a[0].list, a[1].list, 0));
  case BOOL_LWORDS: return of_int(!equal_lists(a[0].list, a[1].list, 0));
  case BOOL_LLINTS: return of_int(equal_lists(a[0].list, a[1].list, 1));
  case BOOL_TREES: return of_int(equal_trees(f->run, a[0].tree, a[1].tree));
  case BOOL_TUPLES: return of_int(a[0].i == a[1].i);
  case INT_MAX: return of_int(a[0].i > a[1].i ? a[0].i : a[1].i);
  case INT_MIN: return of_int(a[0].i < a[1].i ? a[0].i : a[1].i);
  case INT_OF_WORD:
  case INT_OF_TAG:
  case INT_OF_BOOL:
  case INT_OF_REC: return of_int(a[0].i);
  case INT_OF_TEXT: return of_int(a[0].i);
  case INT_WORDS: return of_int((int64_t)(x + N_WORDS - N_TAGS));
  case INT_FIND: return of_int(find_text(f->run, a[0].list, a[1].list, 0));
  case BOOL_TEXTS: return of_int(compare_texts(a[0].list, a[1].list) == 0);
  case BOOL_LTEXTS: return of_int(!equal_lists(a[0].list, a[1].list, 1));
  case BOOL_TEXT_LESS: return of_int(compare_texts(a[0].list, a[1].list) < 0);
  case BOOL_TEXT_AT_LEAST: return of_int(compare_texts(a[0].list, a[1].list) >= 0);
  case BOOL_UNKNOWN: return of_int(a[0].i == 0);
  case WORD_OF_TEXT:
  case TAG_OF_TEXT: return of_int(a[0].i);
  case WORD_UNKNOWN: return of_int(0);
  case INT_LEN_TEXT:
  case INT_LEN_LTEXT:
  case INT_LEN_LVEC:
  case INT_LEN_LINT: return of_int(a[0].list.n);
  case INT_SUM:
    for (int i = 0; i < a[0].list.n; i++)
      sum = (int64_t)((uint64_t)sum + (uint64_t)a[0].list.items[i].i);
    return of_int(sum % 13);
  case INT_ARGMAX: return of_int(place_of_largest(f->run, f->run->program->h, a[0].x));
  case INT_ABOVE: return of_int(count_above(f->run, f->run->program->h, a[0].x, 0.25));
  case INT_TOPK: return order_of(f->run, f->run->program->h, a[0].x).items[0];
  case WORD_ARGMAX:
    return of_int(place_of_largest(f->run, N_WORDS, matrix_times(f->run, PARAM_C, N_WORDS, a[0].x)));
  case TAG_ARGMAX:
    return of_int(place_of_largest(f->run, N_TAGS, matrix_times(f->run, PARAM_D, N_TAGS, a[0].x)));
  case BOOL_LESS: return of_int(a[0].i < a[1].i);
  case BOOL_EQUAL: return of_int(a[0].i % 3 == a[1].i % 3);
  case BOOL_TAGS: return of_int(a[0].i == a[1].i);
  case BOOL_WORDS: return of_int(a[0].i != a[1].i);
  case BOOL_VALUE:
    if (fabs(a[0].s.v - 0.25) < NEAR)
      give_up(f->run);
    return of_int(a[0].s.v > 0.25);
  case BOOL_NOT: return of_int(!a[0].i);
  case BOOL_RANDOM: return of_int(a[0].i);
  default: abort();
  }
}

static struct number eval_num(struct run *r, enum form form, const struct fuzz_value *a) {
  int h = r->program->h;
  struct number sum = {0, 0};
  switch (form) {
  case NUM_HOST: return mul(r, constant(exp(tanh((double)(a[0].i % 3)))), a[1].s);
  case NUM_FOLD:
    sum = a[1].s;
    for (int i = 0; i < a[0].list.n; i++)
      sum = add(r, sum, dot(r, h, a[0].list.items[i].x, 1, r->parameters->values[PARAM_B1]));
    return sum;
  case NUM_OF_INT: return mul(r, constant((double)(a[0].i % 5)), a[1].s);
  case NUM_AT_LEAST:  // the tensor gets all
    if (fabs(a[0].s.v - 0.125) < NEAR)
      give_up(r);
    return a[0].s.v > 0.125 ? a[0].s : constant(0.125);
  case NUM_DOT: return dot(r, h, a[0].x, 1, a[1].x);
  case NUM_SUM:
  case NUM_MEAN:
    for (int i = 0; i < h; i++)
      sum = add(r, sum, a[0].x[i]);
    return form == NUM_SUM ? sum : checked(r, sum.v / h, sum.d / h);
  case NUM_LARGEST: {
    int n = 0;
    for (int i = 0; i < h; i++)
      n += a[0].x[i].v == a[0].x[0].v;
    if (n < h)  // all equal ones share
      return a[0].x[place_of_largest(r, h, a[0].x)];
    for (int i = 0; i < h; i++)
      sum.d += a[0].x[i].d / h;
    return checked(r, a[0].x[0].v, sum.d);
  }
  case NUM_LOGSUMEXP: return log_sum(r, h, a[0].x);
  case NUM_NLL_WORD: {
    struct number *scores = matrix_times(r, PARAM_C, N_WORDS, a[0].x);
    return sub(r, log_sum(r, N_WORDS, scores), scores[a[1].i]);
  }
  case NUM_NLL_TAG: {
    struct number *scores = matrix_times(r, PARAM_D, N_TAGS, a[0].x);
    return sub(r, log_sum(r, N_TAGS, scores), scores[a[1].i]);
  }
  case NUM_CELL: return r->parameters->values[PARAM_W1][subscript(a[0].i, h) * h + subscript(a[1].i, h)];
  case NUM_PICK: return a[0].x[subscript(a[1].i, h)];
  case NUM_SUM_DOTS:
    for (int i = 0; i < a[0].list.n; i++)
      sum = add(r, sum, dot(r, h, a[0].list.items[i].x, 1, a[1].x));
    return sum;
  case NUM_VECTOR:
    sum = add(r, mul(r, constant(3), a[0].s), mul(r, a[1].s, a[1].s));
    return add(r, sum, constant(2));
  case NUM_STACK: {
    struct number once = dot(r, h, a[0].x, 1, a[1].x);
    return add(r, add(r, once, dot(r, h, a[1].x, 1, a[1].x)), once);
  }
  case NUM_OF_REC:
  case NUM_OF_PAIR: return a[0].s;
  case NUM_ADD:
  case NUM_SUB:
  case NUM_MUL:
  case NUM_DIV:
  case NUM_MAX: return binary(r, form, a[0].s, a[1].s);
  default: return unary(r, form, a[0].s);
  }
}

// Over the elements at one place of all items.
static struct number fold(struct run *r, enum form form, struct fuzz_list list, int at) {
  struct number sum = list.items[0].x[at];
  if (form == VEC_LIST_MAX) {
    int best = 0;
    for (int i = 1; i < list.n; i++)
      best = list.items[i].x[at].v > list.items[best].x[at].v ? i : best;
    sum = list.items[best].x[at];
    for (int i = 0; i < list.n; i++)
      if (fabs(list.items[i].x[at].v - sum.v) < NEAR && list.items[i].x[at].d != sum.d)
        give_up(r);
    return sum;
  }
  for (int i = 1; i < list.n; i++)
    sum = add(r, sum, list.items[i].x[at]);
  return form == VEC_LIST_SUM ? sum : checked(r, sum.v / list.n, sum.d / list.n);
}

// What goes over a dimension of `x * W0`; lines are its rows or columns.
static struct number *eval_over_dim(struct run *r, enum form form, struct number x) {
  int h = r->program->h;
  struct number *y = new_vector(r, h), *line = new_vector(r, h);
  const struct number *w = r->parameters->values[PARAM_W0];
  bool is_row = form == VEC_ROW_LOGSUMEXPS;
  for (int i = 0; i < h; i++) {
    for (int k = 0; k < h; k++)
      line[k] = mul(r, x, w[is_row ? i * h + k : k * h + i]);
    if (form == VEC_SOFTMAX_MEANS) {
      struct number total = log_sum(r, h, line);
      for (int k = 0; k < h; k++) {
        double share = exp(line[k].v - total.v);
        y[k] = add(r, y[k], checked(r, share / h, share * (line[k].d - total.d) / h));
      }
      continue;
    }
    for (int k = 0; form == VEC_COLUMN_SUMS && k < h; k++)
      y[i] = add(r, y[i], unary(r, VEC_TANH, line[k]));
    if (form != VEC_COLUMN_SUMS)
      y[i] = is_row ? log_sum(r, h, line) : line[place_of_largest(r, h, line)];
  }
  return y;
}

static struct number *eval_vec(struct run *r, enum form form, const struct fuzz_value *a) {
  int h = r->program->h;
  struct number *y = new_vector(r, h), total = {0, 0};
  struct number *const *param = r->parameters->values;
  switch (form) {
  case VEC_B0: return param[PARAM_B0];
  case VEC_B1: return param[PARAM_B1];
  case VEC_ZEROS: return y;
  case VEC_WORD: return param[PARAM_E] + a[0].i * h;
  case VEC_TAG: return param[PARAM_D] + a[0].i * h;
  case VEC_W0: return matrix_times(r, PARAM_W0, h, a[0].x);
  case VEC_COLUMN_SUMS:
  case VEC_SOFTMAX_MEANS:
  case VEC_ROW_LOGSUMEXPS:
  case VEC_COLUMN_MAXIMA: return eval_over_dim(r, form, a[0].s);
  case VEC_LAYER: return layer(r, PARAM_CELL_W, a[0].x);
  case VEC_MEMBER: return layer(r, a[0].i % 2 ? PARAM_STACK_1_W : PARAM_STACK_0_W, a[1].x);
  case VEC_LAST: return a[0].list.items[a[0].list.n - 1].x;
  case VEC_OF_REC:
  case VEC_OF_PAIR: return a[0].x;
  case VEC_SPLIT: return a[1].x;
  case VEC_SOFTMAX:
  case VEC_LOG_SOFTMAX: total = log_sum(r, h, a[0].x); break;
  default: break;
  }
  for (int i = 0; i < h; i++) {
    struct number x = a[0].x != NULL ? a[0].x[i] : constant(0);
    switch (form) {
    case VEC_REPEATED:
      for (int k = 0; k < h; k++)
        y[i] = add(r, y[i], unary(r, VEC_TANH, add(r, param[PARAM_W0][i * h + k], a[0].x[k])));
      break;
    case VEC_PARTS:
      for (int k = 0; k < h; k++) {
        struct number part = k + 1 < h ? add(r, param[PARAM_W0][i * h + k + 1], a[0].x[k + 1])
                                       : mul(r, param[PARAM_W1][i * h], a[1].x[0]);
        y[i] = add(r, y[i], mul(r, part, param[PARAM_B0][k]));
      }
      break;
    case VEC_MANY:
      y[i] = add(r, dot(r, h, param[PARAM_W0] + i * h, 1, a[0].x),
                 dot(r, h, param[PARAM_W1] + i * h, 1, a[0].x));
      break;
    case VEC_COLUMN: {
      int k = subscript(a[1].i, h);
      y[i] = add(r, param[PARAM_W0][i * h + k], a[0].x[k]);
      break;
    }
    case VEC_WINDOW: y[i] = a[0].x[(i + subscript(a[1].i, h)) % h]; break;
    case VEC_TURNED: y[i] = mul(r, x, dot(r, h, param[PARAM_W0] + i, h, param[PARAM_B1])); break;
    case VEC_REPEATED_ALONG:
    case VEC_W1: y[i] = dot(r, h, param[PARAM_W1] + i, h, a[0].x); break;
    case VEC_SOFTMAX: y[i] = checked(r, exp(x.v - total.v), exp(x.v - total.v) * (x.d - total.d)); break;
    case VEC_LOG_SOFTMAX: y[i] = sub(r, x, total); break;
    case VEC_SCALED: y[i] = mul(r, a[0].s, a[1].x[i]); break;
    case VEC_SLICE: y[i] = i + 1 < h ? a[0].x[i + 1] : a[1].x[0]; break;
    case VEC_GENERIC_WIDE:  // the same of both halves, one further
      y[i] = i + 1 < h ? binary(r, VEC_GENERIC, a[0].x[i + 1], a[1].x[i + 1])
                       : binary(r, VEC_GENERIC, a[1].x[0], a[0].x[0]);
      break;
    case VEC_STACK: y[i] = add(r, a[0].s, mul(r, constant(i), a[1].s)); break;
    case VEC_VECTOR: y[i] = mul(r, constant((double)(a[0].i % 5 + i)), a[1].x[i]); break;
    case VEC_LIST_SUM:
    case VEC_LIST_MEAN:
    case VEC_LIST_MAX: y[i] = fold(r, form, a[0].list, i); break;
    case VEC_ADD:
    case VEC_SUB:
    case VEC_MUL:
    case VEC_MAX:
    case VEC_MIN:
    case VEC_GENERIC: y[i] = binary(r, form, x, a[1].x[i]); break;
    default: y[i] = unary(r, form, x);
    }
  }
  return y;
}

// argmax(x * W0, dim: 1)
static struct fuzz_list places_of_rows(struct run *r, struct number x) {
  int h = r->program->h;
  struct fuzz_list places = list_of(r, h);
  struct number *line = new_vector(r, h);
  for (int i = 0; i < h; i++) {
    for (int k = 0; k < h; k++)
      line[k] = mul(r, x, r->parameters->values[PARAM_W0][i * h + k]);
    places.items[i].i = place_of_largest(r, h, line);
  }
  return places;
}

static struct fuzz_list eval_list(struct run *r, enum form form, const struct fuzz_value *a) {
  struct fuzz_list y, one = {1, (struct fuzz_value *)(uintptr_t)&a[1]},
                      first = {1, (struct fuzz_value *)(uintptr_t)&a[0]};
  int h = r->program->h;
  switch (form) {
  case LVEC_NEW:
  case LINT_NEW:
  case LLINT_NEW: return joined(r, first, one);
  case LREC_NEW: return joined(r, first, (struct fuzz_list){0, NULL});
  case LVEC_PUSH:
  case LINT_PUSH:
  case LWORD_PUSH:
  case LLINT_PUSH:
  case LREC_PUSH: return joined(r, a[0].list, one);
  case LVEC_JOIN: return joined(r, a[0].list, a[1].list);
  case LVEC_REVERSED:
  case LINT_REVERSED:
  case LWORD_REVERSED: return reversed(r, a[0].list);
  case LINT_SORTED:
  case LINT_SHUFFLED: return sorted(r, a[0].list);
  case LINT_LINES: return places_of_rows(r, a[0].s);
  case LINT_ARGSORT: return order_of(r, h, a[0].x);
  case LINT_RANGE: {
    int64_t from = a[1].i % 7;
    y = list_of(r, 1 + (from > -3 ? (int)(from + 4) / 2 : 0));
    y.items[0].i = a[0].i;
    for (int i = 1; i < y.n; i++)
      y.items[i].i = from - 2 * (i - 1);
    return y;
  }
  default: break;
  }
  y = list_of(r, a[0].list.n);
  for (int i = 0; i < y.n; i++) {
    const struct fuzz_value *it = &a[0].list.items[i];
    if (form == LINT_DECISIONS || form == LINT_EACH) {
      y.items[i].i = place_of_largest(r, h, it->x);
      continue;
    }
    if (form == LINT_HIGHER) {
      y.items[i].i = (int64_t)((uint64_t)it->i - (uint64_t)a[1].i);
      continue;
    }
    if (form == LVEC_LAYERS) {
      y.items[i].x = layer(r, PARAM_CELL_W, it->x);
      continue;
    }
    if (form == LINT_MAP) {
      y.items[i].i = (int64_t)((uint64_t)it->i * 2 - 1);
      continue;
    }
    y.items[i].x = form == LVEC_OF_WORDS ? r->parameters->values[PARAM_E] + it->i * h : new_vector(r, h);
    for (int j = 0; form == LVEC_MAP && j < h; j++)
      y.items[i].x[j] = unary(r, VEC_TANH, add(r, it->x[j], a[1].x[j]));
  }
  return y;
}

static struct fuzz_list eval_text(struct run *r, enum form form, const struct fuzz_value *a) {
  char written[32];
  struct fuzz_list text;
  switch (form) {
  case TEXT_ASCII: return text_of(r, "ab a");
  case TEXT_WIDE:
    text = text_of(r, "n.h");
    text.items[1].i = 0xe4;
    return text;
  case TEXT_OF_INT: snprintf(written, sizeof written, "%lld", (long long)a[0].i); return text_of(r, written);
  case TEXT_OF_BOOL: return text_of(r, a[0].i ? "true" : "false");
  case TEXT_OF_TAG: snprintf(written, sizeof written, "T%lld", (long long)a[0].i); return text_of(r, written);
  case TEXT_ADD: return joined(r, a[0].list, a[1].list);
  case TEXT_UPPER:
    text = joined(r, a[0].list, (struct fuzz_list){0, NULL});
    for (int i = 0; i < text.n; i++)
      text.items[i].i -= (text.items[i].i >= 'a' && text.items[i].i <= 'z') || text.items[i].i == 0xe4 ? 32
                                                                                                       : 0;
    return text;
  case TEXT_TURNED: {
    int at = subscript(a[1].i, a[0].list.n + 1);
    return joined(r, part(r, a[0].list, at, a[0].list.n), part(r, a[0].list, 0, at));
  }
  case TEXT_FIRST: return part(r, a[0].list, 0, a[0].list.n > 0);
  case TEXT_JOIN: return join_texts(r, a[0].list, a[1].list);
  case TEXT_BACKWARDS: return reversed(r, a[0].list);
  case LTEXT_CHARS: return split_text(r, a[0].list, list_of(r, 0));
  case LTEXT_SPLIT: return split_text(r, a[0].list, a[1].list);
  case LTEXT_SORTED: return sorted_texts(r, a[0].list);
  case LTEXT_NEW:
    text = list_of(r, 2);
    text.items[0] = a[0];
    text.items[1] = a[1];
    return text;
  case LTEXT_PUSH: return joined(r, a[0].list, (struct fuzz_list){1, (struct fuzz_value *)(uintptr_t)&a[1]});
  case LTEXT_MAP:
    text = list_of(r, a[0].list.n);
    for (int i = 0; i < text.n; i++)
      text.items[i].list = joined(r, a[0].list.items[i].list, a[1].list);
    return text;
  default: return a[0].list;  // TEXT_NFC: of what texts hold here
  }
}

static struct fuzz_value eval(struct frame *f, const struct expr *e) {
  struct run *run = f->run;
  step(run);
  if (e->form == VARIABLE)
    return f->slots[e->slot];
  struct fuzz_value a[MAX_PARAMETERS] = {{0}}, y = {0};
  switch (e->form) {  // what need not evaluate all operands
  case INT_IF:
  case TEXT_IF:
  case NUM_IF:
  case VEC_IF: return eval(f, eval(f, e->args[0]).i ? e->args[1] : e->args[2]);
  case BOOL_AND: return eval(f, e->args[0]).i ? eval(f, e->args[1]) : of_int(0);
  case BOOL_OR: return eval(f, e->args[0]).i ? of_int(1) : eval(f, e->args[1]);
  default: break;
  }
  for (int i = 0; i < MAX_PARAMETERS && e->args[i] != NULL; i++)
    a[i] = eval(f, e->args[i]);
  switch (e->form) {
  case CALL: return call(run, e->slot, a);
  case INT_AT:
  case VEC_AT:
  case WORD_AT:
  case LINT_AT:
  case REC_AT: {
    struct fuzz_list list = f->slots[e->slot].list;
    return list.items[subscript(a[0].i, list.n)];
  }
  case PAIR_NEW: return (struct fuzz_value){.x = a[0].x, .s = a[1].s};
  case REC_NEW: return (struct fuzz_value){.x = a[0].x, .i = a[1].i, .s = a[2].s};
  default: break;
  }
  switch (e->type) {
  case NUM: y.s = eval_num(run, e->form, a); return y;
  case VEC: y.x = eval_vec(run, e->form, a); return y;
  case LVEC:
  case LINT:
  case LWORD:
  case LLINT:
  case LREC: y.list = eval_list(run, e->form, a); return y;
  case TEXT:
  case LTEXT: y.list = eval_text(run, e->form, a); return y;
  default: return eval_int(f, e->form, e, a);
  }
}

// ---- statements ----

static enum flow exec(struct frame *f, const struct stmt *s);

// A turn of a loop: what the loop does next.
static bool leaves(enum flow *flow) {
  bool leave = *flow == BREAK || *flow == RETURN;
  *flow = *flow == RETURN ? RETURN : GO_ON;
  return leave;
}

static enum flow exec_for(struct frame *f, const struct stmt *s) {
  struct fuzz_list list = s->a != NULL ? eval(f, s->a).list : (struct fuzz_list){0, NULL};
  if (s->a != NULL && s->a->type == TEXT)
    list = split_text(f->run, list, (struct fuzz_list){0, NULL});
  int n = s->kind == FOR_RANGE ? (int)s->integer : s->kind == FOR_TAG ? N_TAGS : list.n;
  for (int i = 0; i < n; i++) {
    f->slots[s->slot] = s->a != NULL ? list.items[i] : of_int(i);
    if (s->kind == FOR_ZIP)
      f->slots[s->second] = list.items[list.n - 1 - i];
    enum flow flow = exec(f, s->body);
    if (leaves(&flow))
      return flow;
  }
  return GO_ON;
}

static enum flow exec_while(struct frame *f, const struct stmt *s) {
  f->slots[s->slot] = of_int(0);
  while (f->slots[s->slot].i < s->integer && eval(f, s->b).i) {
    f->slots[s->slot].i++;
    enum flow flow = exec(f, s->body);
    if (leaves(&flow))
      return flow;
  }
  return GO_ON;
}

static void set_element(struct run *run, struct fuzz_value *list, int64_t at, struct fuzz_value element) {
  list->list = joined(run, list->list, (struct fuzz_list){0, NULL});
  list->list.items[subscript(at, list->list.n)] = element;
}

static enum flow exec_one(struct frame *f, const struct stmt *s) {
  struct fuzz_value *slot = s->slot >= 0 ? &f->slots[s->slot] : NULL, a;
  switch (s->kind) {
  case LET:
  case VAR:
  case SET:
    a = eval(f, s->a);
    *slot = a;
    return GO_ON;
  case SET_AT:
    a = eval(f, s->a);
    set_element(f->run, slot, a.i, eval(f, s->b));
    return GO_ON;
  case SET_AT_AT: {
    int row = subscript(eval(f, s->a).i, slot->list.n);
    int64_t at = eval(f, s->b).i;
    struct fuzz_value inner = slot->list.items[row];
    set_element(f->run, &inner, at, eval(f, s->c));
    set_element(f->run, slot, row, inner);
    return GO_ON;
  }
  case POP: slot->list.n -= slot->list.n > 1; return GO_ON;
  case LET_PAIR:
    a = eval(f, s->a);
    f->slots[s->slot].x = a.x;
    f->slots[s->second].s = a.s;
    return GO_ON;
  case FOR_RANGE:
  case FOR_LIST:
  case FOR_ZIP:
  case FOR_TAG: return exec_for(f, s);
  case WHILE: return exec_while(f, s);
  case IF: return exec(f, eval(f, s->a).i ? s->body : s->other);
  case MATCH_TAG:
  case MATCH_INT: {
    int64_t i = s->kind == MATCH_TAG ? slot->i : eval(f, s->a).i % 3;
    return exec(f, i == 0 ? s->body : i == 1 ? s->other : s->third);
  }
  case BREAK_IF: return eval(f, s->a).i ? BREAK : GO_ON;
  case CONTINUE_IF: return eval(f, s->a).i ? CONTINUE : GO_ON;
  case RETURN_IF:
    if (!eval(f, s->a).i)
      return GO_ON;
    f->result = eval(f, s->b);
    return RETURN;
  }
  abort();
}

static enum flow exec(struct frame *f, const struct stmt *s) {
  for (; s != NULL; s = s->next) {
    if (s->off)
      continue;
    step(f->run);
    enum flow flow = exec_one(f, s);
    if (flow != GO_ON)
      return flow;
  }
  return GO_ON;
}

static struct fuzz_value finish(struct frame *f, const struct stmt *body, const struct expr *result) {
  return exec(f, body) == RETURN ? f->result : eval(f, result);
}

static void call_pair(struct frame *f, int number, struct fuzz_value first, const struct expr *down,
                      const int pair[2]) {
  struct fuzz_value args[MAX_PARAMETERS] = {first, eval(f, down)}, y = call(f->run, number, args);
  f->slots[pair[0]].x = y.x;
  f->slots[pair[1]].s = y.s;
}

static struct fuzz_value call(struct run *run, int number, const struct fuzz_value *args) {
  const struct function *fn = &run->program->functions[number];
  struct frame *f = get_memory(run, sizeof *f);
  f->run = run;
  f->function = fn;
  memcpy(f->slots, args, (size_t)fn->n_params * sizeof *args);
  if (++run->depth > MAX_DEPTH)
    give_up(run);
  struct fuzz_value y;
  if (fn->kind == COUNTDOWN && args[0].i <= 0) {
    y = eval(f, fn->result);
  } else if (fn->kind == COUNTDOWN) {
    call_pair(f, fn->partner, of_int(args[0].i - 1), fn->down[0], fn->left_pair);
    y = finish(f, fn->inner, fn->inner_result);
  } else if (fn->kind == TREE_WALK && args[0].tree->left != NULL) {
    f->slots[fn->word] = of_int(args[0].tree->word);
    f->slots[fn->left].tree = args[0].tree->left;
    f->slots[fn->right].tree = args[0].tree->right;
    call_pair(f, number, f->slots[fn->left], fn->down[0], fn->left_pair);
    call_pair(f, number, f->slots[fn->right], fn->down[1], fn->right_pair);
    y = finish(f, fn->inner, fn->inner_result);
  } else {
    if (fn->kind == TREE_WALK)
      f->slots[fn->word] = of_int(args[0].tree->word);
    y = finish(f, fn->body, fn->result);
  }
  run->depth--;
  return y;
}

bool program_eval(const struct program *program, const struct parameters *parameters,
                  const struct fuzz_example *example, struct number *loss) {
  struct run run = {.program = program, .parameters = parameters};
  volatile bool finished = false;
  if (setjmp(run.give_up) == 0) {
    struct fuzz_value args[MAX_PARAMETERS] = {{0}};
    args[0].list = list_of(&run, example->n_words);
    for (int i = 0; i < example->n_words; i++)
      args[0].list.items[i] = of_int(example->words[i]);
    args[1] = of_int(example->tag);
    args[2] = of_int(example->k);
    args[3].tree = example->tree;
    *loss = call(&run, program->n_functions - 1, args).s;
    finished = true;
  }
  while (run.chunks != NULL) {
    struct chunk *next = run.chunks->next;
    free(run.chunks);
    run.chunks = next;
  }
  return finished;
}
