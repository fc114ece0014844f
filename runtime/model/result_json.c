// Results of an entry as JSON, in the form in which the reader of JSON lines takes arguments
// (runtime/data/jsonl.c).
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/data/json_text.h"
#include "runtime/model/session.h"

// Nested deeper than this, a value is written as null: the writer recurses.
enum { MOST_NESTED = 2000 };

struct writer {
  const nn_session *session;
  const struct ir_module *module;
  FILE *out;
};

static void write_value(const struct writer *, const struct ir_type *type, const uint64_t *slots, int depth);

// JSON has no infinities and no NaN.
static void write_number(const struct writer *writer, double number, bool exact) {
  if (!isfinite(number))
    fputs("null", writer->out);
  else
    fprintf(writer->out, exact ? "%.17g" : "%.9g", number);
}

static void write_tensor_part(const struct writer *writer, const struct ir_type *type, uint32_t axis,
                              uint32_t value, size_t *element) {
  const nn_model *model = writer->session->model;
  if (axis == type->shape.rank) {
    write_number(writer, session_element(writer->session, value, (*element)++), model->element == NN_F64);
    return;
  }
  struct ir_type vector = {.kind = IR_TENSOR, .shape = {1, {type->shape.sizes[axis]}}};
  uint64_t n = model_elements(model, &vector);
  fputc('[', writer->out);
  for (uint64_t i = 0; i < n; i++) {
    if (i)
      fputs(", ", writer->out);
    write_tensor_part(writer, type, axis + 1, value, element);
  }
  fputc(']', writer->out);
}

static void write_index(const struct writer *writer, uint32_t number, uint64_t index) {
  const struct ir_dim *dim = writer->module->dims[number];
  const struct vocab *vocab = writer->session->model->vocabs[number];
  if (dim->atom.kind == SIZE_ENUM && index < dim->n_members)
    json_write_string(writer->out, dim->members[index]);
  else if (vocab && index < vocab_size(vocab))
    json_write_string(writer->out, vocab_entry(vocab, (int64_t)index));
  else
    fprintf(writer->out, "%lld", (long long)index);
}

static void write_fields(const struct writer *writer, uint32_t n, const struct ir_field *fields,
                         const uint64_t *slots, bool named, int depth) {
  fputc(named ? '{' : '[', writer->out);
  for (uint32_t i = 0; i < n; i++) {
    if (i)
      fputs(", ", writer->out);
    if (named) {
      json_write_string(writer->out, fields[i].name ? fields[i].name : "");
      fputs(": ", writer->out);
    }
    write_value(writer, fields[i].type, slots, depth);
    slots += ir_type_width(fields[i].type);
  }
  fputc(named ? '}' : ']', writer->out);
}

static void write_data(const struct writer *writer, const struct ir_data *data,
                       const struct value_data *value, int depth) {
  if (value->tag >= data->n_constructors) {
    fputs("null", writer->out);
    return;
  }
  const struct ir_constructor *constructor = &data->constructors[value->tag];
  if (constructor->n_fields == 0) {
    json_write_string(writer->out, constructor->name);
    return;
  }
  fputc('{', writer->out);
  json_write_string(writer->out, constructor->name);
  fputs(": ", writer->out);
  write_fields(writer, constructor->n_fields, constructor->fields, value->slots,
               constructor->fields[0].name != NULL, depth);
  fputc('}', writer->out);
}

static void write_list(const struct writer *writer, const struct ir_type *element,
                       const struct value_list *list, int depth) {
  uint64_t width = ir_type_width(element);
  fputc('[', writer->out);
  for (uint64_t i = 0; i < list->length; i++) {
    if (i)
      fputs(", ", writer->out);
    write_value(writer, element, list->buffer->slots + (list->offset + i) * width, depth);
  }
  fputc(']', writer->out);
}

static void write_value(const struct writer *writer, const struct ir_type *type, const uint64_t *slots,
                        int depth) {
  if (depth >= MOST_NESTED) {
    fputs("null", writer->out);
    return;
  }
  double number;
  size_t element = 0;
  switch (type->kind) {
  case IR_INT: fprintf(writer->out, "%lld", (long long)slots[0]); break;
  case IR_BOOL: fputs(slots[0] ? "true" : "false", writer->out); break;
  case IR_FLOAT:
    memcpy(&number, slots, sizeof number);
    write_number(writer, number, true);
    break;
  case IR_INDEX: write_index(writer, type->dim, slots[0]); break;
  case IR_TENSOR: write_tensor_part(writer, type, 0, (uint32_t)slots[0], &element); break;
  case IR_LIST:
    write_list(writer, type->element, (const struct value_list *)(uintptr_t)slots[0], depth + 1);
    break;
  case IR_DATA:
    write_data(writer, writer->module->datas[type->data], (const struct value_data *)(uintptr_t)slots[0],
               depth + 1);
    break;
  case IR_TUPLE:
    write_fields(writer, type->tuple.n, type->tuple.fields, slots, type->tuple.name != NULL, depth + 1);
    break;
  case IR_ACC:  // never a result
    fputs("null", writer->out);
    break;
  }
}

char *nn_session_json(const nn_session *session, size_t i) {
  char *text = NULL;
  size_t size = 0;
  FILE *out = open_memstream(&text, &size);
  if (!out)
    return NULL;
  struct writer writer = {session, session->model->module, out};
  if (!session->entry || i >= session->n_examples || session->examples[i].state != EXAMPLE_DONE)
    fputs("null", out);
  else
    write_value(&writer, session->entry->result, session->examples[i].run.results, 0);
  if (fclose(out) == 0)
    return text;
  free(text);
  return NULL;
}
