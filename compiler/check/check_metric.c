// Metrics: what one gives for an example, which is summed over the data set, and what is made of the sums.
//
//   part of the result               its sum
//   number (int, bool, float, f32)   float
//   [number]                         [float]: position by position, as many as the longest had
//   [K], [(K, number)]               a table: [float], by the position of the vocab's or enum's entry
//   [(K, L)], [(K, L, number)]       a table: [[float]]
#include "compiler/check/checker.h"

static bool is_host_number(const struct type *type) {
  type = type_resolve(type);
  return type->kind == TYPE_BOOL || type_is_host_number(type);
}

static bool is_index(const struct type *type) { return type_resolve(type)->kind == TYPE_INDEX; }

// Of the elements of a table: one or two indices, and a number or none. 0: it is none.
static unsigned count_keys(const struct type *element) {
  element = type_resolve(element);
  if (element->kind == TYPE_INDEX)
    return 1;
  if (element->kind != TYPE_TUPLE || element->tuple.count < 2 || !is_index(element->tuple.items[0]))
    return 0;
  unsigned n_keys = is_index(element->tuple.items[1]) ? 2 : 1;
  bool fits = element->tuple.count == n_keys ||
              (element->tuple.count == n_keys + 1 && is_host_number(element->tuple.items[n_keys]));
  return fits ? n_keys : 0;
}

// The type of the sum; NULL where the part is none.
static const struct type *sum_of(struct checker *checker, const struct type *part, bool *is_table) {
  struct arena *arena = checker->arena;
  part = type_resolve(part);
  *is_table = false;
  if (part->kind == TYPE_ERROR || is_host_number(part) || type_is_scalar(part))
    return &type_float;
  if (part->kind != TYPE_LIST)
    return NULL;
  const struct type *list = type_list(arena, &type_float, NULL);
  if (is_host_number(part->list.element))
    return list;
  unsigned n_keys = count_keys(part->list.element);
  *is_table = n_keys > 0;
  return n_keys == 0 ? NULL : n_keys == 1 ? list : type_list(arena, list, NULL);
}

struct parts {
  size_t count;
  const struct type *const *items;
};

static struct parts parts_of(const struct type *const *result) {
  const struct type *type = type_resolve(*result);
  return type->kind == TYPE_TUPLE ? (struct parts){type->tuple.count, type->tuple.items}
                                  : (struct parts){1, result};
}

static void report_result(struct checker *checker, const struct ast_expr *value, const struct type *type) {
  struct diag *d;
  if (checker->fn->total) {
    d = diag_error(checker->sink, DIAG_METRIC_RESULT, value->span, "this cannot be summed: %s",
                   check_text(checker, type));
    diag_note(
        d, "what is summed are numbers, lists of numbers, and lists of entries of a vocab or enum, `[Tag]`, "
           "`[(Tag, Tag)]` or with a number behind, `[(Tag, int)]`");
  } else {
    d = diag_error(checker->sink, DIAG_METRIC_RESULT, value->span, "a metric gives two numbers, not %s",
                   check_text(checker, type));
    diag_note(d, "both are summed over the data set, and the metric is the quotient of the sums");
    diag_help(
        d,
        "write `(correct, 1)`: each may be an int, a bool, a float or f32; a table, `[(gold, predicted)]`;\n"
        "or say what is made of other sums: `} total(a, b, c) { 2*a / (b + c) }`");
  }
  checker->fn->result_type = &type_error;
}

void check_metric_result(struct checker *checker, struct ast_expr *value, const struct type *type) {
  struct parts parts = parts_of(&type);
  size_t n_numbers = 0, n_tables = 0;
  for (size_t i = 0; i < parts.count; i++) {
    bool is_table;
    const struct type *sum = sum_of(checker, parts.items[i], &is_table);
    if (!sum) {
      report_result(checker, value, type);
      return;
    }
    n_tables += is_table;
    n_numbers += sum->kind == TYPE_FLOAT;
  }
  bool is_pair = parts.count == 2 && n_numbers == 2, is_table = parts.count == 1 && n_tables == 1;
  if (!checker->fn->total && !is_pair && !is_table) {
    report_result(checker, value, type);
  } else if (!checker->fn->result_type) {
    check_set_type(checker, &checker->fn->result_type, type);
  } else {
    struct check_wanted why = {"the result of the metric", SPAN_NONE, NULL};
    check_fits(checker, value, checker->fn->result_type, &why);
  }
}

void check_total_result(struct checker *checker, struct ast_expr *value, const struct type *type) {
  const struct type *element = type->kind == TYPE_LIST ? type_resolve(type->list.element) : type;
  bool is_table = type->kind == TYPE_LIST && element->kind == TYPE_TUPLE && element->tuple.count == 2 &&
                  is_index(element->tuple.items[0]) && type_is_host_number(element->tuple.items[1]);
  if (!is_table && !type_is_host_number(type)) {
    struct diag *d = diag_error(checker->sink, DIAG_METRIC_RESULT, value->span,
                                "a metric's value is a number or a table, not %s", check_text(checker, type));
    diag_help(
        d,
        "a table is a list of classes with a number each: `[(t, hits[int(t)] / all[int(t)]) for t in Tag]`");
    checker->fn->result_type = &type_error;
  } else if (!checker->fn->result_type) {
    check_set_type(checker, &checker->fn->result_type, type);
  } else {
    struct check_wanted why = {"the value of the metric", SPAN_NONE, NULL};
    check_fits(checker, value, checker->fn->result_type, &why);
  }
}

void check_metric_total(struct checker *checker, struct ast_fn *total) {
  const struct type *result = total->total_of->result_type;
  if (!result || type_resolve(result)->kind == TYPE_ERROR)
    return;
  struct parts parts = parts_of(&result);
  if (parts.count != total->params.count) {
    struct diag *d = diag_error(checker->sink, DIAG_METRIC_RESULT, total->name.span,
                                "`total` has %s, and `%s` gives %s",
                                check_count_text(checker, total->params.count, "parameter"),
                                total->total_of->name.text, check_count_text(checker, parts.count, "sum"));
    diag_label(d, total->total_of->name.span, "it gives %s", check_text(checker, result));
    return;
  }
  for (size_t i = 0; i < parts.count; i++) {
    bool is_table;
    const struct type *sum = sum_of(checker, parts.items[i], &is_table);
    struct ast_fn_param *param = &total->params.items[i];
    if (param->type && sum && !type_equal(param->local->type, sum))
      diag_error(checker->sink, DIAG_METRIC_RESULT, param->span, "`%s` is %s: a sum", param->local->name.text,
                 check_text(checker, sum));
    if (sum)
      check_set_type(checker, &param->local->type, sum);
  }
}
