// Values for people and as JSON, in the form in which the reader of JSON lines takes arguments (runtime/data/jsonl.c):
// one walk over a value writes both.
#include "runtime/model/result.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/data/json_text.h"
#include "runtime/model/origin.h"
#include "runtime/value/value_text.h"

// What is shown of a dimension of more elements: the first and the last.
enum { MOST_SHOWN = 8, FIRST_SHOWN = 3 };

// JSON that is nested deeper is not read either.
enum { MOST_NESTED_JSON = 2000 };

static double float_of(const uint64_t *slot) {
  double number;
  memcpy(&number, slot, sizeof number);
  return number;
}

// ---------------------------------------------------------------------------------------------------- writing

struct writer {
  const nn_session *session;
  const struct ir_module *module;
  bool json;
  bool full;     // all elements of tensors; in JSON they always are
  bool of_data;  // tensors are lists of numbers
  FILE *out;
};

static void write_value(const struct writer *, const struct ir_type *, const uint64_t *slots, int depth);

// The shortest decimal that is this number in its precision. JSON has no infinities and no NaN, and as many digits always.
static void write_number(const struct writer *writer, double number, enum nn_element element) {
  char text[40];
  if (writer->json) {
    fprintf(writer->out, !isfinite(number) ? "null" : element == NN_F64 ? "%.17g" : "%.9g", number);
    return;
  }
  int most = element == NN_F64 ? 17 : 9;
  for (int digits = 6; digits <= most; digits++) {
    snprintf(text, sizeof text, "%.*g", digits, number);
    double read = strtod(text, NULL);
    if (element == NN_F64 ? read == number : (float)read == (float)number)
      break;
  }
  fputs(isnan(number) ? "nan" : text, writer->out);
}

static void write_name(const struct writer *writer, const char *name) {
  if (writer->json)
    json_write_string(writer->out, name);
  else
    fputs(name, writer->out);
}

// In quotation marks, for people as the language writes it; control characters that it has no way to write as JSON does,
// so that they cannot act on a terminal.
static void write_text(const struct writer *writer, const char *text) {
  if (writer->json) {
    json_write_string(writer->out, text);
    return;
  }
  fputc('"', writer->out);
  for (; *text; text++) {
    unsigned char c = (unsigned char)*text;
    if (c == '\n')
      fputs("\\n", writer->out);
    else if (c < 0x20 || c == 0x7f)
      fprintf(writer->out, "\\u%04x", c);
    else
      fprintf(writer->out, "%s%c", c == '"' || c == '\\' ? "\\" : "", c);
  }
  fputc('"', writer->out);
}

static int64_t static_length(const nn_session *session, const struct ir_type *type, uint32_t axis) {
  struct ir_type vector = {.kind = IR_TENSOR, .shape = {1, {type->shape.sizes[axis]}}};
  return (int64_t)model_elements(session->model, &vector);
}

// Of the tensor in that slot. A run-time size is what is left of the value's elements.
static int64_t length_of(const struct writer *writer, const struct ir_type *type, uint32_t axis,
                         uint64_t slot) {
  if (!size_is_runtime(type->shape.sizes[axis]))
    return static_length(writer->session, type, axis);
  int64_t others = 1;
  for (uint32_t i = 0; i < type->shape.rank; i++)
    others *= size_is_runtime(type->shape.sizes[i]) ? 1 : static_length(writer->session, type, i);
  return origin_value_elements(writer->session, (uint32_t)slot) / others;
}

static double element_of(const struct writer *writer, uint64_t slot, size_t element) {
  if (!writer->of_data)
    return session_element(writer->session, (uint32_t)slot, element);
  const struct value_list *list = (const struct value_list *)(uintptr_t)slot;
  return float_of(list->buffer->slots + list->offset + element);
}

// The part of a tensor that begins at `*element`, which is moved behind it.
static void write_part(const struct writer *writer, const struct ir_type *type, uint32_t axis, uint64_t slot,
                       size_t *element) {
  if (axis == type->shape.rank) {
    write_number(writer, element_of(writer, slot, (*element)++),
                 writer->of_data ? NN_F64 : writer->session->model->element);
    return;
  }
  int64_t n = length_of(writer, type, axis, slot);
  size_t stride = 1;
  for (uint32_t inner = axis + 1; inner < type->shape.rank; inner++)
    stride *= (size_t)length_of(writer, type, inner, slot);
  bool cut = !writer->json && !writer->full && n > MOST_SHOWN;
  fputc('[', writer->out);
  for (int64_t i = 0; i < n; i++) {
    if (cut && i == FIRST_SHOWN) {
      fputs(", ...", writer->out);
      *element += (size_t)(n - 1 - i) * stride;
      i = n - 1;
    }
    fputs(i ? ", " : "", writer->out);
    write_part(writer, type, axis + 1, slot, element);
  }
  fputc(']', writer->out);
}

static void write_tensor(const struct writer *writer, const struct ir_type *type, uint64_t slot) {
  size_t element = 0;
  if (type->shape.rank > 0 && !writer->json) {
    fputs("f32[", writer->out);
    for (uint32_t axis = 0; axis < type->shape.rank; axis++)
      fprintf(writer->out, "%s%lld", axis ? ", " : "", (long long)length_of(writer, type, axis, slot));
    fputs("] ", writer->out);
  }
  write_part(writer, type, 0, slot, &element);
}

static void write_index(const struct writer *writer, uint32_t number, uint64_t index) {
  const struct ir_dim *dim = writer->module->dims[number];
  const struct vocab *vocab = writer->session->model->vocabs[number];
  if (dim->atom.kind == SIZE_ENUM && index < dim->n_members)
    write_name(writer, dim->members[index]);
  else if (vocab && index < vocab_size(vocab))
    write_name(writer, vocab_entry(vocab, (int64_t)index));
  else
    fprintf(writer->out, "%lld", (long long)index);
}

// `named`: JSON writes an object, and otherwise an array.
static void write_fields(const struct writer *writer, uint32_t n, const struct ir_field *fields,
                         const uint64_t *slots, bool named, int depth) {
  const char *brackets = !writer->json ? "()" : named ? "{}" : "[]";
  fputc(brackets[0], writer->out);
  for (uint32_t i = 0; i < n; i++) {
    fputs(i ? ", " : "", writer->out);
    if (writer->json ? named : fields[i].name != NULL) {
      write_name(writer, fields[i].name ? fields[i].name : "");
      fputs(": ", writer->out);
    }
    write_value(writer, fields[i].type, slots, depth);
    slots += ir_type_width(fields[i].type);
  }
  fputc(brackets[1], writer->out);
}

static void write_list(const struct writer *writer, const struct ir_type *element,
                       const struct value_list *list, int depth) {
  uint64_t width = ir_type_width(element);
  fputc('[', writer->out);
  for (uint64_t i = 0; i < list->length; i++) {
    fputs(i ? ", " : "", writer->out);
    write_value(writer, element, list->buffer->slots + (list->offset + i) * width, depth);
  }
  fputc(']', writer->out);
}

static void write_data(const struct writer *writer, const struct ir_data *data,
                       const struct value_data *value, int depth) {
  const struct ir_constructor *constructor = &data->constructors[value->tag];
  bool has_fields = constructor->n_fields > 0, object = writer->json && has_fields;
  fputs(object ? "{" : "", writer->out);
  write_name(writer, constructor->name);
  fputs(object ? ": " : "", writer->out);
  if (has_fields)
    write_fields(writer, constructor->n_fields, constructor->fields, value->slots,
                 constructor->fields[0].name != NULL, depth);
  fputs(object ? "}" : "", writer->out);
}

static void write_value(const struct writer *writer, const struct ir_type *type, const uint64_t *slots,
                        int depth) {
  if (depth >= (writer->json ? MOST_NESTED_JSON : RESULT_MOST_NESTED)) {
    fputs(writer->json ? "null" : "...", writer->out);
    return;
  }
  switch (type->kind) {
  case IR_INT: fprintf(writer->out, "%lld", (long long)slots[0]); break;
  case IR_BOOL: fputs(slots[0] ? "true" : "false", writer->out); break;
  case IR_FLOAT: write_number(writer, float_of(slots), NN_F64); break;
  case IR_TEXT: write_text(writer, ((const struct value_text *)(uintptr_t)slots[0])->bytes); break;
  case IR_INDEX: write_index(writer, type->dim, slots[0]); break;
  case IR_TENSOR: write_tensor(writer, type, slots[0]); break;
  case IR_LIST:
    write_list(writer, type->element, (const struct value_list *)(uintptr_t)slots[0], depth + 1);
    break;
  case IR_DATA:
    write_data(writer, writer->module->datas[type->data], (const struct value_data *)(uintptr_t)slots[0],
               depth + 1);
    break;
  case IR_TUPLE:
    if (type->tuple.name && !writer->json)
      fputs(type->tuple.name, writer->out);
    write_fields(writer, type->tuple.n, type->tuple.fields, slots, type->tuple.name != NULL, depth + 1);
    break;
  case IR_ACC: break;  // never a result
  }
}

void result_write(const nn_session *session, const struct ir_type *type, const uint64_t *slots, bool full,
                  FILE *out) {
  struct writer writer = {session, session->model->module, false, full, false, out};
  write_value(&writer, type, slots, 0);
}

void result_write_argument(const nn_session *session, const struct ir_type *type, const uint64_t *slots,
                           bool full, FILE *out) {
  struct writer writer = {session, session->model->module, false, full, true, out};
  write_value(&writer, type, slots, 0);
}

char *nn_session_json(const nn_session *session, size_t i) {
  char *text = NULL;
  size_t size = 0;
  FILE *out = open_memstream(&text, &size);
  if (!out)
    return NULL;
  struct writer writer = {session, session->model->module, true, true, false, out};
  if (!session->entry || i >= session->n_examples || session->examples[i].state != EXAMPLE_DONE)
    fputs("null", out);
  else
    write_value(&writer, session->entry->result, session->examples[i].run.results, 0);
  if (fclose(out) == 0)
    return text;
  free(text);
  return NULL;
}

// ------------------------------------------------------------------------------------------------ equality

struct comparison {
  const nn_session *session;
  double tolerance;
};

static bool equal(const struct comparison *, const struct ir_type *, const uint64_t *a, const uint64_t *b,
                  int depth);

static bool numbers_equal(const struct comparison *comparison, double a, double b) {
  if (a == b || !isfinite(a) || !isfinite(b))
    return a == b;
  return fabs(a - b) <= comparison->tolerance * fmax(1, fmax(fabs(a), fabs(b)));
}

static bool tensors_equal(const struct comparison *comparison, const struct ir_type *type, uint32_t a,
                          uint32_t b) {
  const nn_session *session = comparison->session;
  bool runs = ir_type_is_ragged(type);
  uint64_t n = runs ? (uint64_t)origin_value_elements(session, a) : model_elements(session->model, type);
  if (runs && origin_value_elements(session, b) != n)
    return false;
  for (uint64_t i = 0; i < n; i++)
    if (!numbers_equal(comparison, session_element(comparison->session, a, i),
                       session_element(comparison->session, b, i)))
      return false;
  return true;
}

static bool lists_equal(const struct comparison *comparison, const struct ir_type *element,
                        const struct value_list *a, const struct value_list *b, int depth) {
  uint64_t width = ir_type_width(element);
  if (a->length != b->length)
    return false;
  for (uint64_t i = 0; i < a->length; i++)
    if (!equal(comparison, element, a->buffer->slots + (a->offset + i) * width,
               b->buffer->slots + (b->offset + i) * width, depth))
      return false;
  return true;
}

static bool fields_equal(const struct comparison *comparison, uint32_t n, const struct ir_field *fields,
                         const uint64_t *a, const uint64_t *b, int depth) {
  for (uint32_t i = 0; i < n; i++) {
    if (!equal(comparison, fields[i].type, a, b, depth))
      return false;
    a += ir_type_width(fields[i].type);
    b += ir_type_width(fields[i].type);
  }
  return true;
}

static bool equal(const struct comparison *comparison, const struct ir_type *type, const uint64_t *a,
                  const uint64_t *b, int depth) {
  if (depth >= RESULT_MOST_NESTED)
    return false;
  switch (type->kind) {
  case IR_FLOAT: return numbers_equal(comparison, float_of(a), float_of(b));
  case IR_TENSOR: return tensors_equal(comparison, type, (uint32_t)a[0], (uint32_t)b[0]);
  case IR_TEXT:
    return value_text_equal((const struct value_text *)(uintptr_t)a[0],
                            (const struct value_text *)(uintptr_t)b[0]);
  case IR_LIST:
    return lists_equal(comparison, type->element, (const struct value_list *)(uintptr_t)a[0],
                       (const struct value_list *)(uintptr_t)b[0], depth + 1);
  case IR_DATA: {
    const struct value_data *one = (const struct value_data *)(uintptr_t)a[0];
    const struct value_data *other = (const struct value_data *)(uintptr_t)b[0];
    const struct ir_constructor *constructor =
        &comparison->session->model->module->datas[type->data]->constructors[one->tag];
    return one->tag == other->tag && fields_equal(comparison, constructor->n_fields, constructor->fields,
                                                  one->slots, other->slots, depth + 1);
  }
  case IR_TUPLE: return fields_equal(comparison, type->tuple.n, type->tuple.fields, a, b, depth + 1);
  default: return a[0] == b[0];
  }
}

bool result_equal(const nn_session *session, const struct ir_type *type, const uint64_t *a, const uint64_t *b,
                  double tolerance) {
  struct comparison comparison = {session, tolerance};
  return equal(&comparison, type, a, b, 0);
}
