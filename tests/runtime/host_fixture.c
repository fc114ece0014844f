// Runs compiled host code with a trace that writes down what it is asked.
#include "host_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/batch/trace.h"
#include "runtime/host/host_runtime.h"
#include "runtime/value/value_text.h"
#include "runtime/value/vocab.h"

#define FIRST_VALUE 100
#define MOST_SLOTS 256

// ---------------------------------------------------------------------------- the trace's stand-in

// Passed for the runtime's struct trace, which compiled code only hands on.
struct fixture_trace {
  const struct ir_module *ir;
  FILE *out;
  uint32_t next_value;
  uint64_t n_instances;
  const double *reads;
  size_t n_reads, next_read;
  bool silent;  // count instances, write nothing
};

static struct fixture_trace *log_of(const struct example *example) {
  return (struct fixture_trace *)(void *)example->trace;
}

static uint32_t give_values(struct fixture_trace *log, uint32_t n) {
  uint32_t first = log->next_value;
  log->next_value += n;
  log->n_instances++;
  if (!log->silent)
    fprintf(log->out, " -> %%%u\n", first);
  return first;
}

uint32_t trace_emit(struct example *example, uint32_t number, const uint32_t *args,
                    const struct ir_loc *loc) {
  (void)loc;
  struct fixture_trace *log = log_of(example);
  const struct ir_block *block = log->ir->blocks[number];
  if (!log->silent) {
    fprintf(log->out, "emit %s(", block->name);
    for (uint32_t i = 0, word = 0; i < block->n_params; i++) {
      fputs(i ? ", " : "", log->out);
      double real;
      switch (block->params[i]->type->kind) {
      case IR_TENSOR: fprintf(log->out, "%%%u", args[word++]); break;
      case IR_FLOAT:
        memcpy(&real, args + word, sizeof real);
        fprintf(log->out, "%g", real);
        word += 2;
        break;
      default: fprintf(log->out, "%d", (int32_t)args[word++]);
      }
    }
    fputc(')', log->out);
  }
  return give_values(log, block->n_results);
}

uint32_t trace_common_length(struct example *example, const struct ir_loc *loc, uint32_t n,
                             const uint32_t *values) {
  (void)example, (void)loc, (void)n, (void)values;
  return 1;
}

uint32_t trace_emit_ragged(struct example *example, uint32_t number, const uint64_t *slots,
                           const struct ir_loc *loc) {
  (void)loc;
  struct fixture_trace *log = log_of(example);
  const struct ir_block *block = log->ir->blocks[number];
  if (!log->silent) {
    fprintf(log->out, "emit %s(", block->name);
    for (uint32_t i = 0; i < block->n_params; i++) {
      fputs(i ? ", " : "", log->out);
      double real;
      const struct value_list *list = (const struct value_list *)(uintptr_t)slots[i];
      switch (block->params[i]->type->kind) {
      case IR_TENSOR: fprintf(log->out, "%%%u", (uint32_t)slots[i]); break;
      case IR_LIST:
        for (uint64_t k = 0; k < list->length; k++)
          fprintf(log->out, "%s%%%u", k ? " " : "[", (uint32_t)list->buffer->slots[list->offset + k]);
        fputc(']', log->out);
        break;
      case IR_FLOAT:
        memcpy(&real, &slots[i], sizeof real);
        fprintf(log->out, "%g", real);
        break;
      default: fprintf(log->out, "%d", (int32_t)slots[i]);
      }
    }
    fputc(')', log->out);
  }
  return give_values(log, block->n_results);
}

uint32_t trace_emit_list(struct example *example, const struct ir_loc *loc, uint32_t kind, uint32_t elements,
                         uint32_t n, const uint32_t *values) {
  (void)loc;
  struct fixture_trace *log = log_of(example);
  const char *name = kind == TRACE_LIST_SUM     ? "sum"
                     : kind == TRACE_LIST_MEAN  ? "mean"
                     : kind == TRACE_LIST_STACK ? "stack"
                                                : "max";
  if (!log->silent) {
    fprintf(log->out, "%s[%u](", name, elements);
    for (uint32_t i = 0; i < n; i++)
      fprintf(log->out, "%s%%%u", i ? ", " : "", values[i]);
    fputc(')', log->out);
  }
  return give_values(log, 1);
}

uint32_t trace_emit_vector(struct example *example, const struct ir_loc *loc, uint32_t elements,
                           const uint64_t *numbers) {
  (void)loc;
  struct fixture_trace *log = log_of(example);
  if (!log->silent) {
    fprintf(log->out, "vector[%u](", elements);
    for (uint32_t i = 0; i < elements; i++) {
      double number;
      memcpy(&number, &numbers[i], sizeof number);
      fprintf(log->out, "%s%g", i ? ", " : "", number);
    }
    fputc(')', log->out);
  }
  return give_values(log, 1);
}

// Vectors of run-time size have as many elements here.
uint32_t trace_length(const struct trace *trace, uint32_t value) {
  (void)trace, (void)value;
  return 2;
}

void trace_await(struct example *example, const struct ir_loc *loc, uint32_t value) {
  (void)loc;
  struct fixture_trace *log = log_of(example);
  if (!log->silent)
    fprintf(log->out, "read %%%u\n", value);
  fiber_suspend(example->fiber);
}

void trace_elements(struct example *example, uint32_t value, size_t first, size_t n, double *to) {
  (void)value, (void)first;
  struct fixture_trace *log = log_of(example);
  for (size_t i = 0; i < n; i++)
    to[i] = log->n_reads ? log->reads[log->next_read++ % log->n_reads] : 0;
}

double trace_read(struct example *example, const struct ir_loc *loc, uint32_t value) {
  double element;
  trace_await(example, loc, value);
  trace_elements(example, value, 0, 1, &element);
  return element;
}

// ---------------------------------------------------------------------------------- values as text

struct reader {
  const char *at;
  struct value_arena *arena;
};

static void skip_blanks(struct reader *in) { in->at += strspn(in->at, " "); }

static bool accept(struct reader *in, char c) {
  skip_blanks(in);
  if (*in->at != c)
    return false;
  in->at++;
  return true;
}

static void expect(struct reader *in, char c) {
  if (!accept(in, c))
    fail_msg("expected %c at `%s`", c, in->at);
}

static size_t read_word(struct reader *in, char *word, size_t size) {
  skip_blanks(in);
  size_t n = strspn(in->at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789");
  assert_true(n < size);
  memcpy(word, in->at, n);
  word[n] = '\0';
  in->at += n;
  return n;
}

static uint32_t read_value(struct reader *in, const struct ir_module *ir, const struct ir_type *type,
                           uint64_t *slots);

static uint32_t read_fields(struct reader *in, const struct ir_module *ir, uint32_t n,
                            const struct ir_field *fields, uint64_t *slots) {
  uint32_t filled = 0;
  if (!accept(in, '('))
    return 0;
  for (uint32_t i = 0; i < n; i++) {
    if (i > 0)
      expect(in, ',');
    filled += read_value(in, ir, fields[i].type, slots + filled);
  }
  expect(in, ')');
  return filled;
}

static uint64_t read_data(struct reader *in, const struct ir_module *ir, const struct ir_data *data) {
  char name[64];
  read_word(in, name, sizeof name);
  for (uint32_t i = 0; i < data->n_constructors; i++) {
    const struct ir_constructor *constructor = &data->constructors[i];
    if (strcmp(constructor->name, name) == 0) {
      uint64_t slots[MOST_SLOTS];
      uint32_t n = read_fields(in, ir, constructor->n_fields, constructor->fields, slots);
      return (uint64_t)(uintptr_t)value_data_new(in->arena, i, n, slots);
    }
  }
  fail_msg("no constructor %s of %s", name, data->name);
  return 0;
}

static uint64_t read_list(struct reader *in, const struct ir_module *ir, const struct ir_type *element) {
  uint64_t slots[MOST_SLOTS], length = 0;
  uint32_t filled = 0;
  expect(in, '[');
  while (!accept(in, ']')) {
    if (length++ > 0)
      expect(in, ',');
    filled += read_value(in, ir, element, slots + filled);
  }
  return (uint64_t)(uintptr_t)value_list_new(in->arena, ir_type_width(element), length, slots);
}

// In quotes, without escapes.
static uint64_t read_text(struct reader *in) {
  expect(in, '"');
  size_t length = strcspn(in->at, "\"");
  const struct value_text *text = value_text_new(in->arena, in->at, length);
  in->at += length;
  expect(in, '"');
  return (uint64_t)(uintptr_t)text;
}

// Gives the number of slots filled.
static uint32_t read_value(struct reader *in, const struct ir_module *ir, const struct ir_type *type,
                           uint64_t *slots) {
  char *end = NULL, word[64];
  double real;
  skip_blanks(in);
  switch (type->kind) {
  case IR_BOOL:
    read_word(in, word, sizeof word);
    slots[0] = strcmp(word, "true") == 0;
    return 1;
  case IR_FLOAT:
    real = strtod(in->at, &end);
    memcpy(slots, &real, sizeof real);
    break;
  case IR_TENSOR:
    expect(in, '%');
    slots[0] = strtoull(in->at, &end, 10);
    break;
  case IR_TEXT: slots[0] = read_text(in); return 1;
  case IR_LIST: slots[0] = read_list(in, ir, type->element); return 1;
  case IR_DATA: slots[0] = read_data(in, ir, ir->datas[type->data]); return 1;
  case IR_TUPLE: return read_fields(in, ir, type->tuple.n, type->tuple.fields, slots);
  default: slots[0] = (uint64_t)strtoll(in->at, &end, 10);
  }
  if (end == in->at)
    fail_msg("expected a value at `%s`", in->at);
  in->at = end;
  return 1;
}

static const uint64_t *write_value(FILE *out, const struct ir_module *ir, const struct ir_type *type,
                                   const uint64_t *slots);

static const uint64_t *write_fields(FILE *out, const struct ir_module *ir, uint32_t n,
                                    const struct ir_field *fields, const uint64_t *slots) {
  for (uint32_t i = 0; i < n; i++) {
    fputs(i ? ", " : "(", out);
    slots = write_value(out, ir, fields[i].type, slots);
  }
  fputs(n ? ")" : "", out);
  return slots;
}

static void write_list(FILE *out, const struct ir_module *ir, const struct ir_type *element, uint64_t slot) {
  const struct value_list *list = (const struct value_list *)(uintptr_t)slot;
  assert_int_equal(list->buffer->width, ir_type_width(element));
  assert_true(list->offset + list->length <= list->buffer->used &&
              list->buffer->used <= list->buffer->capacity);
  const uint64_t *slots = list->buffer->slots + list->offset * list->buffer->width;
  fputc('[', out);
  for (uint64_t i = 0; i < list->length; i++) {
    fputs(i ? ", " : "", out);
    slots = write_value(out, ir, element, slots);
  }
  fputc(']', out);
}

// Gives the slots behind those written.
static const uint64_t *write_value(FILE *out, const struct ir_module *ir, const struct ir_type *type,
                                   const uint64_t *slots) {
  double real;
  switch (type->kind) {
  case IR_BOOL:
    assert_true(slots[0] <= 1);
    fputs(slots[0] ? "true" : "false", out);
    return slots + 1;
  case IR_FLOAT:
    memcpy(&real, slots, sizeof real);
    fprintf(out, "%.15g", real);
    return slots + 1;
  case IR_TENSOR: fprintf(out, "%%%llu", (unsigned long long)slots[0]); return slots + 1;
  case IR_TEXT: {
    const struct value_text *text = (const struct value_text *)(uintptr_t)slots[0];
    assert_int_equal(strlen(text->bytes), text->length);
    fprintf(out, "\"%s\"", text->bytes);
    return slots + 1;
  }
  case IR_LIST: write_list(out, ir, type->element, slots[0]); return slots + 1;
  case IR_DATA: {
    const struct value_data *data = (const struct value_data *)(uintptr_t)slots[0];
    assert_true(data->tag < ir->datas[type->data]->n_constructors);
    const struct ir_constructor *constructor = &ir->datas[type->data]->constructors[data->tag];
    fputs(constructor->name, out);
    write_fields(out, ir, constructor->n_fields, constructor->fields, data->slots);
    return slots + 1;
  }
  case IR_TUPLE: return write_fields(out, ir, type->tuple.n, type->tuple.fields, slots);
  default: fprintf(out, "%lld", (long long)slots[0]); return slots + 1;
  }
}

// ------------------------------------------------------------------------------------- the fixture

static void compile(struct fixture *f) {
  char *error = NULL;
  host_code_free(f->code);
  f->code = host_compile(f->jit, f->ir, f->dims, &error);
  if (!f->code)
    fail_msg("%s", error);
}

static void free_sets(struct fixture *f) {
  for (uint32_t i = 0; f->sets && i < f->ir->n_dims; i++)
    vocab_free(f->sets[i]);
  free(f->sets);
}

static void make_sets(struct fixture *f) {
  free_sets(f);
  f->sets = calloc(f->ir->n_dims + 1, sizeof *f->sets);
  for (uint32_t i = 0; i < f->ir->n_dims; i++) {
    const struct ir_dim *dim = f->ir->dims[i];
    if (dim->atom.kind == SIZE_DIM)
      continue;
    const char **names = calloc((size_t)f->dims[i] + 1, sizeof *names);
    char(*written)[24] = calloc((size_t)f->dims[i] + 1, sizeof *written);
    for (int64_t k = 0; k < f->dims[i]; k++) {
      snprintf(written[k], sizeof *written, "w%lld", (long long)k);
      names[k] = dim->atom.kind == SIZE_ENUM ? dim->members[k] : written[k];
    }
    f->sets[i] = vocab_new(dim->atom.name, dim->atom.kind == SIZE_ENUM || dim->closed, 1, 0);
    assert_true(vocab_fix(f->sets[i], NULL, 0));
    assert_true(vocab_set(f->sets[i], names, (size_t)f->dims[i], NULL));
    free(names);
    free(written);
  }
}

struct fixture *fixture_new(struct jit *jit, const char *name, const char *text, size_t length) {
  struct fixture *f = calloc(1, sizeof *f);
  assert_non_null(f);
  char *error = NULL;
  f->jit = jit;
  f->ir = ir_parse(text, length, &error);
  if (!f->ir)
    fail_msg("%s: %s", name, error);
  // A model's entries take no tensors; those of the tests may, so that a single operation can be called.
  uint32_t n_entries = f->ir->n_entries;
  f->ir->n_entries = 0;
  if (!ir_verify(f->ir, &error))
    fail_msg("%s: %s", name, error);
  f->ir->n_entries = n_entries;
  f->dims = calloc(f->ir->n_dims + 1, sizeof *f->dims);
  for (uint32_t i = 0; i < f->ir->n_dims; i++) {
    const struct ir_dim *dim = f->ir->dims[i];
    f->dims[i] = 5;
    if (dim->value)
      assert_true(size_evaluate_by_id(dim->value, f->dims, &f->dims[i]));
  }
  f->pool = fiber_pool_new(NULL);
  f->arena = value_arena_new();
  f->room.heaps.scribbles = true;
  make_sets(f);
  compile(f);
  return f;
}

static void forget(struct fixture *f) {
  if (f->example.heap.pool)
    heap_clear(&f->example.heap);
}

void fixture_free(struct fixture *f) {
  host_code_free(f->code);
  free_sets(f);
  ir_module_free(f->ir);
  fiber_pool_free(f->pool);
  forget(f);
  heap_pool_clear(&f->room.heaps);
  value_arena_free(f->arena);
  free(f->dims);
  free(f->results);
  free(f->log);
  free(f->error);
  free(f);
}

void fixture_set_size(struct fixture *f, const char *name, int64_t value) {
  for (uint32_t i = 0; i < f->ir->n_dims; i++) {
    if (strcmp(f->ir->dims[i]->atom.name, name) == 0) {
      f->dims[i] = value;
      make_sets(f);
      compile(f);
      return;
    }
  }
  fail_msg("no dim %s", name);
}

static const struct ir_entry *find_entry(const struct fixture *f, const char *name) {
  for (uint32_t i = 0; i < f->ir->n_entries; i++)
    if (strcmp(f->ir->entries[i]->name, name) == 0)
      return f->ir->entries[i];
  fail_msg("no entry %s", name);
  return NULL;
}

static void describe_error(struct fixture *f, const struct example *example) {
  assert_non_null(example->error);
  struct ir_loc loc = example->error_loc;
  assert_true(asprintf(&f->error, "%u:%u:%u %s", loc.file, loc.line, loc.column, example->error) >= 0);
}

static void run(struct fixture *f, const struct ir_entry *entry, const uint64_t *args, uint64_t *results) {
  size_t log_length;
  free(f->log);
  free(f->error);
  free(f->results);
  f->log = f->error = f->results = NULL;
  struct fixture_trace log = {.ir = f->ir,
                              .next_value = FIRST_VALUE,
                              .reads = f->reads,
                              .n_reads = f->n_reads,
                              .silent = f->silent,
                              .out = open_memstream(&f->log, &log_length)};
  struct example *example = &f->example;
  forget(f);
  *example = (struct example){.trace = (struct trace *)(void *)&log,
                              .arena = f->arena,
                              .limits = &f->limits,
                              .sets = f->sets,
                              .room = &f->room,
                              .heap.pool = &f->room.heaps,
                              .interrupt = f->interrupt};
  struct host_run host_run = {
      .entry = f->code->entries[entry->function], .example = example, .args = args, .results = results};
  f->n_waits = 0;
  f->outcome = host_start(f->pool, &host_run, f->code->decides[entry->function]);
  while (f->outcome == HOST_WAITS) {
    f->n_waits++;
    f->outcome = host_continue(&host_run);
  }
  host_finish(&host_run);
  fclose(log.out);
  if (f->outcome == HOST_FAILED)
    describe_error(f, example);
  f->n_instances = log.n_instances;
  f->steps = example->steps;
  f->copied = example->copied;
}

void fixture_run_slots(struct fixture *f, const char *entry, const uint64_t *args, uint64_t *results) {
  run(f, find_entry(f, entry), args, results);
}

// Sums keep their terms until the example ends.
static bool has_sums(const struct ir_module *ir) {
  for (uint32_t f = 0; f < ir->n_functions; f++)
    for (const struct ir_bb *bb = ir->functions[f]->entry; bb; bb = bb->next)
      for (const struct ir_instr *instr = bb->first; instr; instr = instr->next)
        if (instr->op == IR_ACC_ADD)
          return true;
  return false;
}

static void check_nothing_left(struct fixture *f, const struct ir_function *function,
                               const uint64_t *results) {
  host_forget_prints(&f->example);
  value_memo_clear(&f->example);
  for (uint32_t i = 0; i < function->n_results; i++) {
    enum ir_type_kind kind = function->results[i]->kind;
    if (kind == IR_LIST || kind == IR_DATA || kind == IR_TEXT)
      value_release_slot(&f->example, results[i],
                         kind == IR_LIST   ? VALUE_LIST
                         : kind == IR_TEXT ? VALUE_TEXT
                                           : VALUE_DATA);
  }
  if (!has_sums(f->ir) && f->example.heap.live != 0)
    fail_msg("%s leaves %zu bytes that nothing refers to", function->name, f->example.heap.live);
}

void fixture_run(struct fixture *f, const char *call) {
  value_arena_reset(f->arena);
  char name[64];
  struct reader in = {call, f->arena};
  read_word(&in, name, sizeof name);
  const struct ir_entry *entry = find_entry(f, name);
  uint64_t args[MOST_SLOTS], results[MOST_SLOTS];
  memset(results, 0xee, sizeof results);
  read_fields(&in, f->ir, entry->n_params, entry->params, args);
  run(f, entry, args, results);
  if (f->outcome == HOST_DONE) {
    size_t length;
    FILE *out = open_memstream(&f->results, &length);
    write_value(out, f->ir, entry->result, results);
    fclose(out);
    check_nothing_left(f, f->ir->functions[entry->function], results);
  }
}

struct fixture_trace *fixture_trace_new(const struct fixture *f) {
  struct fixture_trace *log = calloc(1, sizeof *log);
  assert_non_null(log);
  *log = (struct fixture_trace){
      .ir = f->ir, .next_value = FIRST_VALUE, .reads = f->reads, .n_reads = f->n_reads, .silent = true};
  return log;
}

void fixture_trace_free(struct fixture_trace *log) { free(log); }
