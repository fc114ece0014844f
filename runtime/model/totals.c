// The sums of a metric over a data set, and its value (compiler/ir/ir.h: the parts of a metric).
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/base/array.h"
#include "compiler/base/text.h"
#include "runtime/base/long_sum.h"
#include "runtime/base/status.h"
#include "runtime/data/json_text.h"
#include "runtime/model/result.h"

// Beyond this a table is a mistake: two vocabularies.
#define MOST_CELLS 10000000

struct sums {
  struct ir_part part;
  const struct ir_type *type;  // of the part
  size_t rows, columns;        // of a table; columns 1 of one key
  struct long_sum *items;
  size_t n, capacity;  // NUMBER: 1; TABLE: rows * columns
};

struct nn_totals {
  const nn_model *model;
  size_t entry;
  size_t n_examples;  // that have been added
  uint32_t n_parts;
  struct sums *parts;
};

static size_t members(const nn_model *model, uint32_t dim) {
  const struct ir_dim *d = model->module->dims[dim];
  return d->atom.kind == SIZE_ENUM ? d->n_members : vocab_size(model->vocabs[dim]);
}

void nn_totals_free(nn_totals *totals) {
  for (uint32_t i = 0; totals && i < totals->n_parts; i++)
    free(totals->parts[i].items);
  if (totals)
    free(totals->parts);
  free(totals);
}

static nn_status *open_part(const nn_model *model, const struct ir_entry *entry, uint32_t i,
                            struct sums *sums) {
  sums->type = ir_metric_part_type(entry->result, i);
  if (!ir_metric_part(sums->type, &sums->part))
    return status_new(NN_INVALID, "`%s` is no metric: its result cannot be summed", entry->name);
  sums->n = sums->part.kind == IR_PART_NUMBERS ? 0 : 1;
  sums->columns = 1;
  if (sums->part.kind == IR_PART_TABLE) {
    sums->rows = members(model, sums->part.dims[0]);
    if (sums->part.n_keys > 1)
      sums->columns = members(model, sums->part.dims[1]);
    if (sums->columns > 0 && sums->rows > MOST_CELLS / sums->columns)
      return status_new(NN_INVALID, "`%s`: a table of %zu x %zu is too large", entry->name, sums->rows,
                        sums->columns);
    sums->n = sums->rows * sums->columns;
  }
  sums->items = calloc(sums->n + 1, sizeof *sums->items);
  sums->capacity = sums->n + 1;
  return sums->items ? NULL : status_no_memory();
}

nn_status *nn_totals_new(const nn_model *model, size_t entry, nn_totals **out) {
  const struct ir_entry *metric = model->module->entries[entry];
  nn_totals *totals = calloc(1, sizeof *totals);
  *out = totals;
  if (!totals)
    return status_no_memory();
  totals->model = model;
  totals->entry = entry;
  totals->n_parts = ir_metric_part_count(metric->result);
  totals->parts = calloc(totals->n_parts + 1, sizeof *totals->parts);
  if (!totals->parts)
    return status_no_memory();
  for (uint32_t i = 0; i < totals->n_parts; i++)
    STATUS_TRY(open_part(model, metric, i, &totals->parts[i]));
  return NULL;
}

void nn_totals_clear(nn_totals *totals) {
  totals->n_examples = 0;
  for (uint32_t i = 0; i < totals->n_parts; i++) {
    struct sums *sums = &totals->parts[i];
    if (sums->part.kind == IR_PART_NUMBERS)
      sums->n = 0;
    memset(sums->items, 0, sums->capacity * sizeof *sums->items);
  }
}

// Room for n positions, which begin as zeros.
static nn_status *lengthen(struct sums *sums, size_t n) {
  if (n <= sums->n)
    return NULL;
  size_t before = sums->capacity;
  if (!array_reserve(&sums->items, sizeof *sums->items, n, &sums->capacity))
    return status_no_memory();
  if (sums->capacity > before)
    memset(sums->items + before, 0, (sums->capacity - before) * sizeof *sums->items);
  sums->n = n;
  return NULL;
}

nn_status *nn_totals_add(nn_totals *to, const nn_totals *from) {
  for (uint32_t i = 0; i < to->n_parts; i++) {
    STATUS_TRY(lengthen(&to->parts[i], from->parts[i].n));
    for (size_t k = 0; k < from->parts[i].n; k++)
      long_sum_add(&to->parts[i].items[k], long_sum_value(&from->parts[i].items[k]));
  }
  to->n_examples += from->n_examples;
  return NULL;
}

// ------------------------------------------------------------------------------------------ one example

static double number_of(const nn_session *session, const struct ir_type *type, uint64_t slot) {
  double number;
  switch (type->kind) {
  case IR_TENSOR: return session_element(session, (uint32_t)slot, 0);
  case IR_FLOAT: memcpy(&number, &slot, sizeof number); return number;
  default: return (double)(int64_t)slot;
  }
}

static nn_status *add_part(const nn_session *session, struct sums *sums, uint64_t slot) {
  const struct ir_part *part = &sums->part;
  if (part->kind == IR_PART_NUMBER) {
    long_sum_add(&sums->items[0], number_of(session, sums->type, slot));
    return NULL;
  }
  const struct value_list *list = (const struct value_list *)(uintptr_t)slot;
  size_t width = ir_type_width(sums->type->element);
  const uint64_t *element = list->buffer->slots + list->offset * width;
  if (part->kind == IR_PART_NUMBERS)
    STATUS_TRY(lengthen(sums, list->length));
  for (uint64_t i = 0; i < list->length; i++, element += width) {
    if (part->kind == IR_PART_NUMBERS) {
      long_sum_add(&sums->items[i], number_of(session, sums->type->element, *element));
      continue;
    }
    size_t cell = part->n_keys > 1 ? element[0] * sums->columns + element[1] : element[0];
    long_sum_add(&sums->items[cell],
                 part->weight ? number_of(session, part->weight, element[part->n_keys]) : 1);
  }
  return NULL;
}

nn_status *nn_session_totals(nn_session *session, nn_totals *totals, const nn_dataset *dataset,
                             const size_t *examples, size_t n, size_t *n_failed) {
  *n_failed = 0;
  STATUS_TRY(nn_session_run(session, totals->entry, dataset, examples, n, NN_INFER));
  for (size_t i = 0; i < n; i++) {
    if (session->examples[i].state != EXAMPLE_DONE) {
      ++*n_failed;
      continue;
    }
    const uint64_t *slots = session->examples[i].run.results;
    for (uint32_t p = 0; p < totals->n_parts; p++)
      STATUS_TRY(add_part(session, &totals->parts[p], slots[p]));
    totals->n_examples++;
  }
  return NULL;
}

// ------------------------------------------------------------------------------------------------ value

static struct value_list *list_of(struct value_arena *arena, const struct long_sum *items, size_t n) {
  uint64_t *slots = value_arena_try(arena, (n + 1) * sizeof *slots);
  for (size_t i = 0; slots && i < n; i++) {
    double number = long_sum_value(&items[i]);
    memcpy(&slots[i], &number, sizeof number);
  }
  return slots ? value_list_new(arena, 1, n, slots) : NULL;
}

// The sum as a value: a float, a list of floats, or a list of rows of them.
static bool sum_slot(struct value_arena *arena, const struct sums *sums, uint64_t *slot) {
  if (sums->part.kind == IR_PART_NUMBER) {
    double number = long_sum_value(&sums->items[0]);
    memcpy(slot, &number, sizeof number);
    return true;
  }
  if (sums->part.n_keys < 2) {
    *slot = (uintptr_t)list_of(arena, sums->items, sums->n);
    return *slot != 0;
  }
  uint64_t *rows = value_arena_try(arena, (sums->rows + 1) * sizeof *rows);
  for (size_t i = 0; rows && i < sums->rows; i++)
    if (!(rows[i] = (uintptr_t)list_of(arena, sums->items + i * sums->columns, sums->columns)))
      return false;
  *slot = rows ? (uintptr_t)value_list_new(arena, 1, sums->rows, rows) : 0;
  return *slot != 0;
}

// A table to be shown: rows of an index's entries, with a column or a column for each entry of another.
struct table {
  const nn_session *session;
  const struct ir_type *keys[2];
  size_t rows, columns;
  bool (*shows)(const void *context, size_t row);
  double (*cell)(const void *context, size_t row, size_t column);
  uint64_t (*key)(const void *context, size_t row);
  const void *context;
};

static char *key_text(const struct table *table, int which, uint64_t key) {
  struct text text;
  FILE *out = text_open(&text);
  if (!out)
    return NULL;
  result_write(table->session, table->keys[which], &key, true, out);
  return text_close(&text);
}

static void write_number(FILE *out, double number, int width) {
  char text[40];
  snprintf(text, sizeof text, "%.6g", number);
  fprintf(out, "%*s", width, isnan(number) ? "nan" : text);
}

static char *table_text(const struct table *table) {
  enum { LEAST = 8 };
  struct text text;
  FILE *out = text_open(&text);
  if (!out)
    return NULL;
  size_t label = 0;
  for (size_t row = 0; row < table->rows; row++) {
    char *key = key_text(table, 0, table->key(table->context, row));
    label = key && table->shows(table->context, row) && strlen(key) > label ? strlen(key) : label;
    free(key);
  }
  if (table->keys[1]) {
    fprintf(out, "\n  %*s", (int)label, "");
    for (size_t column = 0; column < table->columns; column++) {
      char *key = key_text(table, 1, column);
      fprintf(out, "  %*s", LEAST, key ? key : "?");
      free(key);
    }
  }
  for (size_t row = 0; row < table->rows; row++) {
    if (!table->shows(table->context, row))
      continue;
    char *key = key_text(table, 0, table->key(table->context, row));
    fprintf(out, "\n  %-*s", (int)label, key ? key : "?");
    for (size_t column = 0; column < table->columns; column++) {
      char *head = table->keys[1] ? key_text(table, 1, column) : NULL;
      int width = head && strlen(head) > LEAST ? (int)strlen(head) : LEAST;
      fputs("  ", out);
      write_number(out, table->cell(table->context, row, column), width);
      free(head);
    }
    free(key);
  }
  return text_close(&text);
}

static void write_json_number(FILE *out, double number) {
  if (isfinite(number))
    fprintf(out, "%.15g", number);
  else
    fputs("null", out);
}

static char *table_json(const struct table *table) {
  struct text text;
  FILE *out = text_open(&text);
  if (!out)
    return NULL;
  fputc('{', out);
  const char *separator = "";
  for (size_t row = 0; row < table->rows; row++) {
    if (!table->shows(table->context, row))
      continue;
    char *key = key_text(table, 0, table->key(table->context, row));
    fputs(separator, out);
    json_write_string(out, key ? key : "?");
    fputs(table->keys[1] ? ": {" : ": ", out);
    for (size_t column = 0; column < table->columns; column++) {
      if (table->keys[1]) {
        char *head = key_text(table, 1, column);
        fputs(column ? ", " : "", out);
        json_write_string(out, head ? head : "?");
        fputs(": ", out);
        free(head);
      }
      write_json_number(out, table->cell(table->context, row, column));
    }
    fputs(table->keys[1] ? "}" : "", out);
    free(key);
    separator = ", ";
  }
  fputc('}', out);
  return text_close(&text);
}

static nn_status *show_table(const struct table *table, nn_metric_value *value) {
  value->is_known = true;
  value->text = table_text(table);
  value->json = table_json(table);
  return value->text && value->json ? NULL : status_no_memory();
}

// Rows of a vocabulary of which nothing was counted are left out: most of them, in a small data set.
static bool sums_show(const void *context, size_t row) {
  const struct sums *sums = context;
  for (size_t column = 0; column < sums->columns; column++)
    if (long_sum_value(&sums->items[row * sums->columns + column]) != 0)
      return true;
  return false;
}
static double sums_cell(const void *context, size_t row, size_t column) {
  const struct sums *sums = context;
  return long_sum_value(&sums->items[row * sums->columns + column]);
}
static uint64_t sums_key(const void *context, size_t row) {
  (void)context;
  return row;
}
static bool all_show(const void *context, size_t row) {
  (void)context;
  (void)row;
  return true;
}

// A list of classes and numbers, which a total gave.
static const uint64_t *pair_at(const struct value_list *list, size_t row) {
  return list->buffer->slots + (list->offset + row) * 2;
}
static uint64_t pairs_key(const void *context, size_t row) { return pair_at(context, row)[0]; }
static double floats_cell(const void *context, size_t row, size_t column) {
  (void)column;
  double number;
  memcpy(&number, &pair_at(context, row)[1], sizeof number);
  return number;
}
static double ints_cell(const void *context, size_t row, size_t column) {
  (void)column;
  return (double)(int64_t)pair_at(context, row)[1];
}

static nn_status *show_sums(const nn_session *session, const struct sums *sums, nn_metric_value *value) {
  const struct ir_type row = {.kind = IR_INDEX, .dim = sums->part.dims[0]};
  const struct ir_type column = {.kind = IR_INDEX, .dim = sums->part.dims[1]};
  bool is_set = session->model->module->dims[row.dim]->atom.kind == SIZE_ENUM;
  return show_table(&(struct table){.session = session,
                                    .keys = {&row, sums->part.n_keys > 1 ? &column : NULL},
                                    .rows = sums->rows,
                                    .columns = sums->columns,
                                    .shows = is_set ? all_show : sums_show,
                                    .cell = sums_cell,
                                    .key = sums_key,
                                    .context = sums},
                    value);
}

static nn_status *show_result(const nn_session *session, const struct ir_entry *total,
                              nn_metric_value *value) {
  const uint64_t *slots = session->examples[0].run.results;
  if (total->result->kind != IR_LIST) {
    value->number = number_of(session, total->result, slots[0]);
    value->is_known = true;
    return NULL;
  }
  const struct value_list *list = (const struct value_list *)(uintptr_t)slots[0];
  const struct ir_field *fields = total->result->element->tuple.fields;
  return show_table(&(struct table){.session = session,
                                    .keys = {fields[0].type, NULL},
                                    .rows = list->length,
                                    .columns = 1,
                                    .shows = all_show,
                                    .cell = fields[1].type->kind == IR_FLOAT ? floats_cell : ints_cell,
                                    .key = pairs_key,
                                    .context = list},
                    value);
}

// Runs the total on the sums, as the one example of a data set.
static nn_status *run_total(nn_session *session, const nn_totals *totals, uint32_t number,
                            nn_metric_value *value) {
  const struct ir_entry *total = totals->model->module->entries[number];
  struct value_arena *arena = value_arena_new();
  uint64_t *slots = calloc(totals->n_parts + 1, sizeof *slots);
  struct dataset_column *columns = calloc(totals->n_parts + 1, sizeof *columns);
  bool ok = arena && slots && columns;
  for (uint32_t i = 0; ok && i < totals->n_parts; i++) {
    columns[i] = (struct dataset_column){
        .name = total->params[i].name, .type = total->params[i].type, .first_slot = i, .width = 1};
    ok = sum_slot(arena, &totals->parts[i], &slots[i]);
  }
  nn_status *status = ok ? NULL : status_no_memory();
  if (ok) {
    uint32_t line = 1;
    char path[] = "total";
    struct dataset_file file = {path, 0};
    struct nn_dataset data = {.n_examples = 1,
                              .width = totals->n_parts,
                              .slots = slots,
                              .n_columns = totals->n_parts,
                              .columns = columns,
                              .lines = &line,
                              .n_files = 1,
                              .files = &file};
    size_t example = 0;
    status = nn_session_run(session, number, &data, &example, 1, NN_INFER);
    const char *error = status ? NULL : nn_session_error(session, 0);
    if (error)
      status = status_new(NN_INVALID, "%s: %s", total->name, error);
    if (!status)
      status = show_result(session, total, value);
    session->entry = NULL;  // its data is gone
  }
  free(columns);
  free(slots);
  value_arena_free(arena);
  return status;
}

nn_status *nn_totals_value(nn_session *session, const nn_totals *totals, nn_metric_value *value) {
  const struct ir_module *module = totals->model->module;
  const struct ir_entry *metric = module->entries[totals->entry];
  *value = (nn_metric_value){.number = NAN};
  if (totals->n_examples == 0)
    return NULL;
  uint32_t total = ir_metric_total(module, metric);
  if (total < module->n_entries)
    return run_total(session, totals, total, value);
  if (totals->n_parts == 1)
    return show_sums(session, &totals->parts[0], value);
  double weight = long_sum_value(&totals->parts[1].items[0]);
  value->is_known = weight != 0;
  if (value->is_known)
    value->number = long_sum_value(&totals->parts[0].items[0]) / weight;
  return NULL;
}

void nn_metric_value_free(nn_metric_value *value) {
  free(value->text);
  free(value->json);
}
