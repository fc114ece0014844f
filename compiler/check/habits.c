#include "compiler/check/habits.h"

#include <string.h>

struct habit {
  const char *word;
  const char *advice;
};

static const struct habit values[] = {
    {"not", "logical not is `!`"},
    {"zeros", "the dimensions stand in brackets: `zeros[H]`"},
    {"ones", "the dimensions stand in brackets: `ones[H]`"},
    {"print",
     "there is no output from inside a model; `nnrun predict --entry NAME` shows what a function gives"},
    {"println",
     "there is no output from inside a model; `nnrun predict --entry NAME` shows what a function gives"},
    {"printf",
     "there is no output from inside a model; `nnrun predict --entry NAME` shows what a function gives"},
    {"length", "the length of a list is `len(xs)`"},
    {"size", "the length of a list is `len(xs)`; a `dim` is an int by itself"},
    {"append", "a list with one element more is `push(xs, x)`"},
    {"range", "integers are counted with `a..b`: `for i in 0..n`"},
    {"enumerate", "count the positions: `for i in 0..len(xs)`"},
    {"cat", "vectors are joined end to end by `concat(a, b)`"},
    {"stack", "a list of tensors stays a list; `sum`, `mean` and `max` take one"},
    {"matmul", "the matrix product is `W @ x`"},
    {"mm", "the matrix product is `W @ x`"},
    {"outer", "there is no outer product"},
    {"pow", "there is no power operator; use `square` or a product"},
    {"norm", "the length of a vector is `sqrt(dot(x, x))`"},
    {"self", "a layer's functions name its members directly: `W`, not `self.W`"},
    {"this", "a layer's functions name its members directly: `W`, not `this.W`"},
    {"cross_entropy", "`nll(scores, label)` takes scores before any softmax"},
    {"nll_loss", "`nll(scores, label)` takes scores before any softmax"},
    {"logsoftmax", "write `log_softmax(a)`"},
    {"detach", "write `stop_gradient(a)`"},
    {"item", "`value(x)` waits for a scalar and gives its number"},
    {"None", "there is no null; a `data` type can have a constructor for it"},
    {"null", "there is no null; a `data` type can have a constructor for it"},
    {"nil", "there is no null; a `data` type can have a constructor for it"},
};

#define NO_STRINGS "words come from the data as indices: declare a `vocab`, or an `enum` when they are known"
#define TENSORS "tensors are written with their dimensions: `f32`, `f32[H]`, `f32[H, D]`"

static const struct habit types[] = {
    {"string", NO_STRINGS},
    {"String", NO_STRINGS},
    {"str", NO_STRINGS},
    {"text", NO_STRINGS},
    {"char", NO_STRINGS},
    {"tensor", TENSORS},
    {"Tensor", TENSORS},
    {"vector", TENSORS},
    {"Vector", TENSORS},
    {"matrix", TENSORS},
    {"Matrix", TENSORS},
    {"float32", TENSORS},
    {"f64", "the element type is `f32`; `--precision f64` computes it in double"},
    {"double", "host numbers with a fraction are `float`"},
    {"boolean", "truth values are `bool`"},
    {"integer", "host integers are `int`"},
    {"i32", "host integers are `int`"},
    {"i64", "host integers are `int`"},
    {"long", "host integers are `int`"},
    {"usize", "host integers are `int`"},
    {"list", "a list of T is written `[T]`"},
    {"List", "a list of T is written `[T]`"},
    {"void", "a function without a result has no `->`"},
    {"unit", "a function without a result has no `->`"},
};

#define PUSH "lists are values: `xs = push(xs, x)`"

static const struct habit list_functions[] = {
    {"append", PUSH},
    {"push_back", PUSH},
    {"add", PUSH},
    {"extend", "lists are values: `xs = xs + ys`"},
    {"size", "write `len(xs)`"},
    {"length", "write `len(xs)`"},
    {"reverse", "write `reversed(xs)`"},
    {"map", "write a comprehension: `[f(x) for x in xs]`"},
    {"filter", "write a comprehension: `[x for x in xs if c]`"},
    {"first", "write `xs[0]`"},
    {"is_empty", "write `len(xs) == 0`"},
};

static const char *find(const struct habit *habits, size_t count, const char *word) {
  for (size_t i = 0; i < count; i++)
    if (strcmp(habits[i].word, word) == 0)
      return habits[i].advice;
  return NULL;
}

#define FIND(table, word) find(table, sizeof(table) / sizeof *(table), word)

const char *habit_of_name(const char *word, enum names_wanted wanted) {
  if (wanted == NAMES_VALUES)
    return FIND(values, word);
  return wanted == NAMES_TYPES ? FIND(types, word) : NULL;
}

const char *habit_of_list(const char *word) { return FIND(list_functions, word); }
