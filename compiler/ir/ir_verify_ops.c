// The types of each operation's operands and results, and its attributes.
#include <string.h>

#include "compiler/ir/ir_verifier.h"

#define FAIL(v, ...) ir_verify_fail((v), __VA_ARGS__)

// Operand and result types of the host operations, one letter each:
//   i int  b bool  f float  x index  n int, bool or index  m int or bool  p int or index
//   d data  l list  a acc  t tensor  s scalar tensor  w text  k int, bool, float or index  y int, float or index
//   * at the end: any more, which the operation's own check looks at
static const struct {
  const char *operands, *results;
} host_signatures[IR_FIRST_TENSOR_OP] = {
    [IR_CONST_INT] = {"", "i"},
    [IR_CONST_BOOL] = {"", "b"},
    [IR_CONST_FLOAT] = {"", "f"},
    [IR_CONST_INDEX] = {"", "x"},
    [IR_SIZE] = {"", "i"},
    [IR_IADD] = {"ii", "i"},
    [IR_ISUB] = {"ii", "i"},
    [IR_IMUL] = {"ii", "i"},
    [IR_IDIV] = {"ii", "i"},
    [IR_IMOD] = {"ii", "i"},
    [IR_INEG] = {"i", "i"},
    [IR_IEQ] = {"nn", "b"},
    [IR_INE] = {"nn", "b"},
    [IR_ILT] = {"ii", "b"},
    [IR_ILE] = {"ii", "b"},
    [IR_FADD] = {"ff", "f"},
    [IR_FSUB] = {"ff", "f"},
    [IR_FMUL] = {"ff", "f"},
    [IR_FDIV] = {"ff", "f"},
    [IR_FNEG] = {"f", "f"},
    [IR_FEQ] = {"ff", "b"},
    [IR_FNE] = {"ff", "b"},
    [IR_FLT] = {"ff", "b"},
    [IR_FLE] = {"ff", "b"},
    [IR_NOT] = {"b", "b"},
    [IR_INT_TO_FLOAT] = {"m", "f"},
    [IR_FLOAT_TO_INT] = {"f", "i"},
    [IR_INDEX_TO_INT] = {"x", "i"},
    [IR_INT_TO_INDEX] = {"i", "x"},
    [IR_CHECK_RANGE] = {"ii", "i"},
    [IR_REQUIRE] = {"b", ""},
    [IR_PRINT] = {"*", ""},
    [IR_DATA_NEW] = {"*", "d"},
    [IR_DATA_TAG] = {"d", "i"},
    [IR_DATA_GET] = {"d", "*"},
    [IR_LIST_NEW] = {"*", "l"},
    [IR_LIST_LEN] = {"l", "i"},
    [IR_LIST_GET] = {"li", "*"},
    [IR_LIST_SET] = {"li*", "l"},
    [IR_LIST_PUSH] = {"l*", "l"},
    [IR_LIST_POP] = {"l", "l"},
    [IR_LIST_SLICE] = {"lii", "l"},
    [IR_LIST_REVERSE] = {"l", "l"},
    [IR_LIST_CONCAT] = {"ll", "l"},
    [IR_LIST_ZIP] = {"ll", "l"},
    [IR_CALL] = {"*", "*"},
    [IR_EMIT] = {"*", "*"},
    [IR_LIST_SUM] = {"l", "*"},
    [IR_LIST_MEAN] = {"l", "*"},
    [IR_LIST_MAX] = {"l", "*"},
    [IR_LIST_VECTOR] = {"l", "*"},
    [IR_LIST_STACK] = {"l", "*"},
    [IR_ACC_OF] = {"t", "a"},
    [IR_ACC_ADD] = {"aa", "a"},
    [IR_ACC_SUM] = {"a", "t"},
    [IR_READ_INDEX] = {"s", "p"},
    [IR_READ_VALUE] = {"s", "f"},
    [IR_READ_INDICES] = {"t", "l"},
    [IR_READ_VALUES] = {"t", "l"},
    [IR_LIST_ORDER] = {"li", "l"},
    [IR_LIST_ARGMAX] = {"li", "l"},
    [IR_RANDOM] = {"", "f"},
    [IR_LIST_SAMPLE] = {"l", "p"},
    [IR_LIST_SAMPLES] = {"li", "l"},
    [IR_BR] = {"", ""},
    [IR_BRIF] = {"b", ""},
    [IR_SWITCH] = {"i", ""},
    [IR_RETURN] = {"*", ""},
    [IR_LIST_SPREAD] = {"li", "l"},
    [IR_BATCH_LEN] = {"ii", "i"},
#define OPERANDS_1 "f"
#define OPERANDS_2 "ff"
#define HOST(ENUM, name, fails, attributes, doc)
#define HOST_MATH(ENUM, name, operands, user, c_name, doc) [IR_##ENUM] = {OPERANDS_##operands, "f"},
#include "compiler/ir/hostops.def"
#undef HOST
#undef HOST_MATH
    [IR_CONST_TEXT] = {"", "w"},
    [IR_TEXT_LEN] = {"w", "i"},
    [IR_TEXT_GET] = {"wi", "w"},
    [IR_TEXT_SLICE] = {"wii", "w"},
    [IR_TEXT_CONCAT] = {"ww", "w"},
    [IR_TEXT_JOIN] = {"lw", "w"},
    [IR_TEXT_SPLIT] = {"ww", "l"},
    [IR_TEXT_FIND] = {"ww", "i"},
    [IR_TEXT_COMPARE] = {"ww", "i"},
    [IR_TEXT_EQ] = {"ww", "b"},
    [IR_TEXT_MAP] = {"w", "w"},
    [IR_TEXT_OF] = {"k", "w"},
    [IR_TEXT_TO] = {"w", "y"},
};

static bool fits_letter(char letter, const struct ir_type *type) {
  switch (letter) {
  case 'i': return type->kind == IR_INT;
  case 'b': return type->kind == IR_BOOL;
  case 'f': return type->kind == IR_FLOAT;
  case 'x': return type->kind == IR_INDEX;
  case 'n': return type->kind == IR_INT || type->kind == IR_BOOL || type->kind == IR_INDEX;
  case 'm': return type->kind == IR_INT || type->kind == IR_BOOL;
  case 'p': return type->kind == IR_INT || type->kind == IR_INDEX;
  case 'k': return type->kind <= IR_FLOAT || type->kind == IR_INDEX;
  case 'y': return type->kind == IR_INT || type->kind == IR_FLOAT || type->kind == IR_INDEX;
  case 'w': return type->kind == IR_TEXT;
  case 'd': return type->kind == IR_DATA;
  case 'l': return type->kind == IR_LIST;
  case 'a': return type->kind == IR_ACC;
  case 't': return type->kind == IR_TENSOR;
  case 's': return type->kind == IR_TENSOR && type->shape.rank == 0;
  default: return false;
  }
}

static bool check_letters(struct ir_verifier *v, const char *what, const char *letters, uint32_t n,
                          struct ir_value *const *values) {
  uint32_t length = (uint32_t)strlen(letters);
  bool open = length > 0 && letters[length - 1] == '*';
  uint32_t fixed = open ? length - 1 : length;
  if (open ? n < fixed : n != fixed)
    return FAIL(v, "%u %ss, not %u", fixed, what, n);
  for (uint32_t i = 0; i < fixed; i++)
    if (!fits_letter(letters[i], values[i]->type))
      return FAIL(v, "%s %u cannot be %s", what, i, ir_verify_type_text(v, values[i]->type));
  return true;
}

// n values against types given one by one.
static bool check_types(struct ir_verifier *v, const char *what, uint32_t n, struct ir_value *const *values,
                        uint32_t n_types, const struct ir_type *const *types) {
  if (n != n_types)
    return FAIL(v, "%u %ss, not %u", n_types, what, n);
  for (uint32_t i = 0; i < n; i++)
    if (!ir_verify_agree(v, values[i]->type, types[i]))
      return FAIL(v, "%s %u is %s, not %s", what, i, ir_verify_type_text(v, types[i]),
                  ir_verify_type_text(v, values[i]->type));
  return true;
}

static bool check_alike(struct ir_verifier *v, const struct ir_type *a, const struct ir_type *b) {
  if (ir_verify_agree(v, a, b))
    return true;
  return FAIL(v, "%s and %s should be the same", ir_verify_type_text(v, a), ir_verify_type_text(v, b));
}

// --------------------------------------------------------------------------------- host operations

static const struct ir_type **flat(struct ir_verifier *v, const struct ir_type *type, uint32_t *width) {
  *width = ir_type_width(type);
  const struct ir_type **slots = arena_new_array(&v->arena, const struct ir_type *, *width);
  ir_type_flatten(type, slots);
  return slots;
}

static bool check_const_index(struct ir_verifier *v, const struct ir_instr *instr) {
  const struct ir_dim *dim = v->module->dims[instr->results[0]->type->dim];
  if (instr->integer < 0 || (dim->atom.kind == SIZE_ENUM && instr->integer >= dim->n_members))
    return FAIL(v, "%s has no member %lld", dim->atom.name, (long long)instr->integer);
  return true;
}

static bool check_data_type(struct ir_verifier *v, const struct ir_instr *instr, const struct ir_type *type) {
  return instr->symbol == type->data ? true
                                     : FAIL(v, "its data type is not %s", ir_verify_type_text(v, type));
}

static const struct ir_constructor *constructor_of(struct ir_verifier *v, const struct ir_instr *instr,
                                                   const struct ir_type *type) {
  if (!check_data_type(v, instr, type))
    return NULL;
  const struct ir_data *data = v->module->datas[type->data];
  if (instr->constructor >= data->n_constructors) {
    FAIL(v, "%s has no constructor %u", data->name, instr->constructor);
    return NULL;
  }
  return &data->constructors[instr->constructor];
}

static bool check_data_new(struct ir_verifier *v, const struct ir_instr *instr) {
  if (!constructor_of(v, instr, instr->results[0]->type))
    return false;
  uint32_t width;
  const struct ir_type *const *slots = ir_verify_slots(v, instr->symbol, instr->constructor, &width);
  return check_types(v, "operand", instr->n_operands, instr->operands, width, slots);
}

static bool check_data_get(struct ir_verifier *v, const struct ir_instr *instr) {
  const struct ir_constructor *constructor = constructor_of(v, instr, instr->operands[0]->type);
  if (!constructor)
    return false;
  uint32_t n;
  const struct ir_type *const *slots = ir_verify_slots(v, instr->symbol, instr->constructor, &n);
  if (instr->integer < 0 || instr->integer >= n)
    return FAIL(v, "%s has no slot %lld", constructor->name, (long long)instr->integer);
  return check_types(v, "result", instr->n_results, instr->results, 1, &slots[instr->integer]);
}

static bool check_list_new(struct ir_verifier *v, const struct ir_instr *instr) {
  uint32_t width;
  const struct ir_type **slots = flat(v, instr->results[0]->type->element, &width);
  if (instr->integer < 0 || instr->integer > UINT32_MAX ||
      (uint64_t)instr->integer * width != instr->n_operands)
    return FAIL(v, "%lld elements of %u slots are not %u operands", (long long)instr->integer, width,
                instr->n_operands);
  for (uint32_t i = 0; i < instr->n_operands; i += width)
    if (!check_types(v, "operand", width, instr->operands + i, width, slots))
      return false;
  return true;
}

// The slots of one element are the operands from `first` on, or the results.
static bool check_element(struct ir_verifier *v, const struct ir_instr *instr, uint32_t first) {
  uint32_t width;
  const struct ir_type **slots = flat(v, instr->operands[0]->type->element, &width);
  if (first == 0)
    return check_types(v, "result", instr->n_results, instr->results, width, slots);
  return check_types(v, "element's slot", instr->n_operands - first, instr->operands + first, width, slots) &&
         check_alike(v, instr->operands[0]->type, instr->results[0]->type);
}

static bool check_list_zip(struct ir_verifier *v, const struct ir_instr *instr) {
  const struct ir_field fields[2] = {{NULL, instr->operands[0]->type->element},
                                     {NULL, instr->operands[1]->type->element}};
  const struct ir_type *pair = ir_type_tuple(&v->scratch, NULL, 2, fields);
  return check_alike(v, ir_type_list(&v->scratch, pair), instr->results[0]->type);
}

// Without a result it is a check that the list is not empty.
static bool check_list_fold(struct ir_verifier *v, const struct ir_instr *instr) {
  const struct ir_type *element = instr->operands[0]->type->element;
  if (instr->n_results > 1)
    return FAIL(v, "1 results, not %u", instr->n_results);
  if (instr->n_results == 1 && instr->results[0]->type->kind != IR_TENSOR)
    return FAIL(v, "result 0 cannot be %s", ir_verify_type_text(v, instr->results[0]->type));
  if (ir_type_is_ragged(element) && element->shape.rank != 1)
    return FAIL(v, "elements of type %s cannot be summed", ir_verify_type_text(v, element));
  if (instr->n_results == 0)
    return element->kind == IR_TENSOR ? true : FAIL(v, "%s is no tensor", ir_verify_type_text(v, element));
  return check_alike(v, element, instr->results[0]->type);
}

// The number of elements that list.vector and list.stack ask for agrees with the shape of their result, where they have
// one.
static bool check_list_tensor(struct ir_verifier *v, const struct ir_instr *instr) {
  const struct ir_type *element = instr->operands[0]->type->element;
  bool stacks = instr->op == IR_LIST_STACK;
  if (!ir_verify_size(v, instr->length))
    return false;
  if (ir_type_is_ragged(element) || element->kind != (stacks ? IR_TENSOR : IR_FLOAT) ||
      (stacks && element->shape.rank == IR_MAX_RANK))
    return FAIL(v, "a list of %s cannot be made a tensor", ir_verify_type_text(v, element));
  if (instr->n_results > 1)
    return FAIL(v, "1 results, not %u", instr->n_results);
  if (instr->n_results == 0)
    return true;
  const struct ir_type *result = instr->results[0]->type;
  if (result->kind != IR_TENSOR || result->shape.rank == 0 ||
      (stacks && result->shape.rank != element->shape.rank + 1))
    return FAIL(v, "result 0 cannot be %s", ir_verify_type_text(v, result));
  const struct size *length = result->shape.sizes[0];
  for (uint32_t i = 1; i < result->shape.rank; i++) {
    if (stacks && !size_equal(result->shape.sizes[i], element->shape.sizes[i - 1]))
      return FAIL(v, "%s is no stack of %s", ir_verify_type_text(v, result), ir_verify_type_text(v, element));
    if (!stacks && length)
      length = size_mul(&v->arena, length, result->shape.sizes[i]);
  }
  if (!length || !size_equal(length, instr->length))
    return FAIL(v, "the length does not agree with %s", ir_verify_type_text(v, result));
  return true;
}

static bool check_acc(struct ir_verifier *v, const struct ir_instr *instr) {
  struct ir_type shape = *instr->results[0]->type;
  if (ir_type_is_ragged(&shape))
    return FAIL(v, "a sum of %s cannot be put off", ir_verify_type_text(v, &shape));
  for (uint32_t i = 0; i < instr->n_operands; i++) {
    shape.kind = instr->operands[i]->type->kind;  // only the shapes are compared here
    if (!ir_type_equal(&shape, instr->operands[i]->type))
      return FAIL(v, "the shapes of %s and %s differ", ir_verify_type_text(v, instr->operands[i]->type),
                  ir_verify_type_text(v, instr->results[0]->type));
  }
  return true;
}

static const struct ir_type **types_of(struct ir_verifier *v, uint32_t n, struct ir_value *const *values) {
  const struct ir_type **types = arena_new_array(&v->arena, const struct ir_type *, n);
  for (uint32_t i = 0; i < n; i++)
    types[i] = values[i]->type;
  return types;
}

static bool check_call(struct ir_verifier *v, const struct ir_instr *instr) {
  if (instr->symbol >= v->module->n_functions)
    return FAIL(v, "there is no function %u", instr->symbol);
  const struct ir_function *callee = v->module->functions[instr->symbol];
  return check_types(v, "operand", instr->n_operands, instr->operands, callee->n_params,
                     types_of(v, callee->n_params, callee->params)) &&
         check_types(v, "result", instr->n_results, instr->results, callee->n_results, callee->results);
}

// The types that a block's values have for the function that emits it: every run-time size is `?` there.
static const struct ir_type **outside(struct ir_verifier *v, uint32_t n, const struct ir_type **types) {
  const struct size *any = v->module->n_runtimes ? v->module->runtimes[0]->size : NULL;
  for (uint32_t i = 0; i < n; i++) {
    if (!types[i] || !ir_type_is_ragged(types[i]))
      continue;
    struct ir_type *type = arena_new(&v->arena, struct ir_type);
    *type = *types[i];
    for (uint32_t k = 0; k < type->shape.rank; k++)
      if (size_is_runtime(type->shape.sizes[k]))
        type->shape.sizes[k] = any;
    types[i] = type;
  }
  return types;
}

static bool check_emit(struct ir_verifier *v, const struct ir_instr *instr) {
  if (instr->symbol >= v->module->n_blocks)
    return FAIL(v, "there is no block %u", instr->symbol);
  const struct ir_block *block = v->module->blocks[instr->symbol];
  return check_types(v, "operand", instr->n_operands, instr->operands, block->n_params,
                     outside(v, block->n_params, types_of(v, block->n_params, block->params))) &&
         check_types(v, "result", instr->n_results, instr->results, block->n_results,
                     outside(v, block->n_results, types_of(v, block->n_results, block->outputs)));
}

static bool check_print(struct ir_verifier *v, const struct ir_instr *instr) {
  if (!instr->text || instr->integer < 0 || instr->integer >= v->module->n_prints)
    return FAIL(v, "it has no text or no number below %u", v->module->n_prints);
  uint32_t places = 0;
  for (const char *c = instr->text; *c; c++)
    places += *c == IR_TEXT_VALUE;
  if (places != instr->n_operands)
    return FAIL(v, "its text has %u values and not %u", places, instr->n_operands);
  for (uint32_t i = 0; i < instr->n_operands; i++)
    if (instr->operands[i]->type->kind == IR_ACC)
      return FAIL(v, "operand %u is an acc", i);
  // The runtime finds text and types by the number: copies of a print are alike.
  if (!v->prints)
    v->prints = arena_new_array(&v->arena, const struct ir_instr *, v->module->n_prints);
  const struct ir_instr *first = v->prints[instr->integer];
  v->prints[instr->integer] = first ? first : instr;
  bool alike = !first || (first->n_operands == instr->n_operands && strcmp(first->text, instr->text) == 0);
  for (uint32_t i = 0; first && alike && i < instr->n_operands; i++)
    alike = ir_verify_agree(v, first->operands[i]->type, instr->operands[i]->type);
  return alike ? true : FAIL(v, "another print has the number %u", (unsigned)instr->integer);
}

// What is read of a tensor as a list: floats of any tensor, positions of a vector.
static bool check_read_list(struct ir_verifier *v, const struct ir_instr *instr) {
  const struct ir_type *tensor = instr->operands[0]->type, *element = instr->results[0]->type->element;
  bool positions = instr->op == IR_READ_INDICES;
  if (tensor->shape.rank == 0 || (positions && tensor->shape.rank != 1))
    return FAIL(v, "operand 0 cannot be %s", ir_verify_type_text(v, tensor));
  for (uint32_t i = 1; i < tensor->shape.rank; i++)
    if (size_is_runtime(tensor->shape.sizes[i]))
      return FAIL(v, "operand 0 cannot be %s", ir_verify_type_text(v, tensor));
  if (positions ? element->kind == IR_INT || element->kind == IR_INDEX : element->kind == IR_FLOAT)
    return true;
  return FAIL(v, "result 0 cannot be %s", ir_verify_type_text(v, instr->results[0]->type));
}

static bool check_list_sample(struct ir_verifier *v, const struct ir_instr *instr) {
  const struct ir_type *to = instr->results[0]->type;
  if (instr->operands[0]->type->element->kind != IR_FLOAT)
    return FAIL(v, "operand 0 cannot be %s", ir_verify_type_text(v, instr->operands[0]->type));
  if (instr->op == IR_LIST_SAMPLES && to->element->kind != IR_INT && to->element->kind != IR_INDEX)
    return FAIL(v, "result 0 cannot be %s", ir_verify_type_text(v, to));
  return true;
}

static bool check_list_order(struct ir_verifier *v, const struct ir_instr *instr) {
  const struct ir_type *from = instr->operands[0]->type->element, *to = instr->results[0]->type->element;
  if (instr->integer != 0 && instr->integer != 1)
    return FAIL(v, "%s is of 0 or 1", ir_op_infos[instr->op].name);
  if (from->kind != IR_FLOAT)
    return FAIL(v, "operand 0 cannot be %s", ir_verify_type_text(v, instr->operands[0]->type));
  if (to->kind != IR_INT && to->kind != IR_INDEX)
    return FAIL(v, "result 0 cannot be %s", ir_verify_type_text(v, instr->results[0]->type));
  return true;
}

static bool check_texts(struct ir_verifier *v, const struct ir_type *list) {
  return list->element->kind == IR_TEXT ? true
                                        : FAIL(v, "%s is no list of texts", ir_verify_type_text(v, list));
}

static bool check_host_op(struct ir_verifier *v, const struct ir_instr *instr) {
  if (!check_letters(v, "operand", host_signatures[instr->op].operands, instr->n_operands, instr->operands) ||
      !check_letters(v, "result", host_signatures[instr->op].results, instr->n_results, instr->results))
    return false;
  switch (instr->op) {
  case IR_CONST_BOOL: return instr->integer == 0 || instr->integer == 1 ? true : FAIL(v, "a bool is 0 or 1");
  case IR_CONST_INDEX: return check_const_index(v, instr);
  case IR_SIZE: return ir_verify_size(v, instr->size);
  case IR_PRINT: return check_print(v, instr);
  case IR_REQUIRE: return instr->text ? true : FAIL(v, "it has no text");
  case IR_CONST_TEXT: return instr->text ? true : FAIL(v, "it has no text");
  case IR_TEXT_JOIN: return check_texts(v, instr->operands[0]->type);
  case IR_TEXT_SPLIT: return check_texts(v, instr->results[0]->type);
  case IR_TEXT_MAP:
    return instr->integer >= 0 && instr->integer < IR_N_TEXT_MAPS
               ? true
               : FAIL(v, "there is no map %lld", (long long)instr->integer);
  case IR_IEQ:
  case IR_INE: return check_alike(v, instr->operands[0]->type, instr->operands[1]->type);
  case IR_DATA_TAG: return check_data_type(v, instr, instr->operands[0]->type);
  case IR_DATA_NEW: return check_data_new(v, instr);
  case IR_DATA_GET: return check_data_get(v, instr);
  case IR_LIST_NEW: return check_list_new(v, instr);
  case IR_LIST_GET: return check_element(v, instr, 0);
  case IR_LIST_SET: return check_element(v, instr, 2);
  case IR_LIST_PUSH: return check_element(v, instr, 1);
  case IR_LIST_CONCAT:
    return check_alike(v, instr->operands[0]->type, instr->operands[1]->type) &&
           check_alike(v, instr->operands[0]->type, instr->results[0]->type);
  case IR_LIST_POP:
  case IR_LIST_SLICE:
  case IR_LIST_SPREAD:
  case IR_LIST_REVERSE: return check_alike(v, instr->operands[0]->type, instr->results[0]->type);
  case IR_LIST_ZIP: return check_list_zip(v, instr);
  case IR_LIST_SUM:
  case IR_LIST_MEAN:
  case IR_LIST_MAX: return check_list_fold(v, instr);
  case IR_LIST_VECTOR:
  case IR_LIST_STACK: return check_list_tensor(v, instr);
  case IR_LIST_ARGMAX:
  case IR_LIST_ORDER: return check_list_order(v, instr);
  case IR_LIST_SAMPLE:
  case IR_LIST_SAMPLES: return check_list_sample(v, instr);
  case IR_READ_INDICES:
  case IR_READ_VALUES: return check_read_list(v, instr);
  case IR_ACC_OF:
  case IR_ACC_ADD:
  case IR_ACC_SUM: return check_acc(v, instr);
  case IR_CALL: return check_call(v, instr);
  case IR_EMIT: return check_emit(v, instr);
  case IR_RETURN:
    return check_types(v, "result", instr->n_operands, instr->operands, v->function->n_results,
                       v->function->results);
  default: return true;
  }
}

// ------------------------------------------------------------------------------- tensor operations

// The parameter of an operation that has one; NULL and an error when there is none.
static const struct ir_param *param_of(struct ir_verifier *v, const struct ir_instr *instr) {
  if (instr->symbol < v->module->n_params)
    return v->module->params[instr->symbol];
  FAIL(v, "there is no parameter %u", instr->symbol);
  return NULL;
}

// Operands: value operands (tensors), then the index, then the member of a family.
static bool check_operands(struct ir_verifier *v, const struct ir_instr *instr) {
  const struct ir_op_info *info = &ir_op_infos[instr->op];
  bool has_param = ir_op_infos[instr->op].attributes & IR_ATTR_PARAM;
  const struct ir_param *param = has_param ? param_of(v, instr) : NULL;
  if (has_param && !param)
    return false;
  bool has_member = param && param->count;
  uint32_t n_hosts = (uint32_t)info->takes_index + (uint32_t)has_member + (instr->op == IR_OP_SCALAR) +
                     (instr->op == IR_OP_STACK);
  uint32_t n_values = info->arity < 0 ? instr->n_operands : (uint32_t)info->arity;
  if (instr->n_operands != n_values + n_hosts || (info->arity < 0 && n_values == 0))
    return FAIL(v, "%u operands, not %u", info->arity < 0 ? 1 : n_values + n_hosts, instr->n_operands);
  for (uint32_t i = 0; i < n_values; i++)
    if (instr->operands[i]->type->kind != IR_TENSOR)
      return FAIL(v, "operand %u is no tensor", i);
  if (has_member && instr->operands[n_values + n_hosts - 1]->type->kind != IR_INT)
    return FAIL(v, "the member of the family @%s is no int", param->name);
  if (instr->op == IR_OP_SCALAR && instr->operands[0]->type->kind != IR_FLOAT)
    return FAIL(v, "operand 0 is no float");
  if (instr->op == IR_OP_STACK && instr->operands[0]->type->kind != IR_LIST)
    return FAIL(v, "operand 0 is no list");
  return true;
}

// The size that the index operand goes through.
static const struct size *indexed_size(struct ir_verifier *v, const struct ir_instr *instr) {
  if (instr->op != IR_OP_D_ROW)
    return ir_indexed_size(instr);
  const struct ir_type *type = v->module->params[instr->symbol]->type;
  return type->shape.rank > 0 ? type->shape.sizes[0] : NULL;
}

static bool check_index(struct ir_verifier *v, const struct ir_instr *instr) {
  const struct size *size = indexed_size(v, instr);
  if (!size)
    return FAIL(v, "a scalar has no index");
  const struct ir_type *index = instr->operands[ir_op_infos[instr->op].arity]->type;
  const struct size_atom *atom = size_as_atom(size);
  bool is_set = !ir_indexed_length(instr) && atom && (atom->kind == SIZE_VOCAB || atom->kind == SIZE_ENUM);
  bool fits = is_set ? index->kind == IR_INDEX && index->dim == atom->id : index->kind == IR_INT;
  return fits
             ? true
             : FAIL(v, "the index is %s, not %s", is_set ? atom->name : "int", ir_verify_type_text(v, index));
}

static bool shape_error(struct ir_verifier *v, const struct ir_type *a, const struct ir_type *b) {
  return FAIL(v, "%s does not go with %s", ir_verify_type_text(v, a), ir_verify_type_text(v, b));
}

static bool check_pad(struct ir_verifier *v, const struct ir_instr *instr) {
  const struct ir_type *a = instr->operands[0]->type, *result = instr->results[0]->type;
  if (!ir_verify_size(v, instr->size))
    return false;
  uint32_t rank = a->shape.rank, axis = ir_axis(instr);
  bool fits = rank == result->shape.rank && axis < rank;
  for (uint32_t i = 0; fits && i < rank; i++)
    fits = i == axis || size_equal(a->shape.sizes[i], result->shape.sizes[i]);
  if (!fits)
    return shape_error(v, a, result);
  const struct size *end = size_add(&v->arena, instr->size, a->shape.sizes[axis]);
  const struct size *rest = end ? size_sub(&v->arena, result->shape.sizes[axis], end) : NULL;
  int64_t left, offset;
  if (!rest || (size_is_constant(rest, &left) && left < 0) ||
      (size_is_constant(instr->size, &offset) && offset < 0))
    return FAIL(v, "%s at %s does not lie in %s", ir_verify_type_text(v, a),
                size_text(&v->arena, instr->size), ir_verify_type_text(v, result));
  return true;
}

// Elements of the sizes that are known before any example is, and how many of the others lead.
static const struct size *known_elements(struct ir_verifier *v, const struct ir_shape *shape,
                                         uint32_t *n_led) {
  const struct size *n = size_constant(&v->arena, 1);
  for (*n_led = 0; *n_led < shape->rank && size_is_runtime(shape->sizes[*n_led]);)
    ++*n_led;
  for (uint32_t i = *n_led; n && i < shape->rank; i++)
    n = size_is_runtime(shape->sizes[i]) ? NULL : size_mul(&v->arena, n, shape->sizes[i]);
  return n;
}

static bool check_reshape(struct ir_verifier *v, const struct ir_type *a, const struct ir_type *result) {
  uint32_t led, led_result;
  const struct size *n = known_elements(v, &a->shape, &led),
                    *n_result = known_elements(v, &result->shape, &led_result);
  bool fits = n && n_result && size_equal(n, n_result) && led == led_result;
  for (uint32_t i = 0; fits && i < led; i++)
    fits = size_equal(a->shape.sizes[i], result->shape.sizes[i]);
  return fits ? true : shape_error(v, a, result);
}

// What is put lacks the axis, or is as long along it or shorter.
static bool check_put(struct ir_verifier *v, const struct ir_instr *instr, const struct ir_type *a,
                      const struct ir_type *result) {
  uint32_t rank = result->shape.rank, axis = ir_axis(instr), lacks = a->shape.rank + 1 == rank;
  bool fits = axis < rank && (lacks || a->shape.rank == rank);
  for (uint32_t i = 0; fits && i < rank; i++)
    fits = i == axis || size_equal(a->shape.sizes[i - (lacks && i > axis)], result->shape.sizes[i]);
  if (fits && !lacks) {
    const struct size *rest = size_is_runtime(result->shape.sizes[axis])
                                  ? NULL
                                  : size_sub(&v->arena, result->shape.sizes[axis], a->shape.sizes[axis]);
    int64_t left;
    fits = rest && !(size_is_constant(rest, &left) && left < 0);
  }
  return fits ? true : shape_error(v, a, result);
}

static bool check_stack(struct ir_verifier *v, const struct ir_type *element, const struct ir_type *result) {
  bool fits = element->kind == IR_TENSOR && !ir_type_is_ragged(element) && element->shape.rank > 0 &&
              result->shape.rank == element->shape.rank + 1 && size_is_runtime(result->shape.sizes[0]);
  for (uint32_t i = 0; fits && i < element->shape.rank; i++)
    fits = size_equal(element->shape.sizes[i], result->shape.sizes[i + 1]);
  return fits ? true
              : FAIL(v, "%s is no stack of %s", ir_verify_type_text(v, result),
                     ir_verify_type_text(v, element));
}

// The result of an operation whose shape is written.
static bool check_written(struct ir_verifier *v, const struct ir_instr *instr) {
  const struct ir_type *result = instr->results[0]->type;
  const struct ir_type *a = instr->n_operands ? instr->operands[0]->type : NULL;
  switch (instr->op) {
  case IR_OP_PARAM: return check_alike(v, v->module->params[instr->symbol]->type, result);
  case IR_OP_STACK: return check_stack(v, a->element, result);
  case IR_OP_ONEHOT: return result->shape.rank == 1 ? true : FAIL(v, "the result is no vector");
  case IR_OP_BROADCAST:
    if (v->function && instr->axis > 0 && instr->axis <= result->shape.rank &&
        size_is_runtime(result->shape.sizes[instr->axis - 1]))
      return FAIL(v, "nothing tells the size of dim %u", instr->axis - 1);
    if (ir_broadcasts(a, result, instr->axis))
      return true;
    return instr->axis == 0 ? FAIL(v, "%s is no scalar", ir_verify_type_text(v, a))
                            : shape_error(v, a, result);
  case IR_OP_PAD: return check_pad(v, instr);
  case IR_OP_RESHAPE: return check_reshape(v, a, result);
  case IR_OP_PUT: return check_put(v, instr, a, result);
  default: return true;
  }
}

static bool check_d_input(struct ir_verifier *v, const struct ir_instr *instr) {
  if (instr->integer < 0 || instr->integer >= v->forward->n_params)
    return FAIL(v, "the block has no input %lld", (long long)instr->integer);
  const struct ir_type *input = v->forward->params[instr->integer]->type;
  if (input->kind == IR_LIST)
    return check_stack(v, input->element, instr->operands[0]->type);
  return check_alike(v, input, instr->operands[0]->type);
}

static bool check_sink(struct ir_verifier *v, const struct ir_instr *instr) {
  if (!v->forward)
    return FAIL(v, "only an adjoint hands on gradients");
  if (instr->n_results)
    return FAIL(v, "0 results, not %u", instr->n_results);
  if (instr->op == IR_OP_D_INPUT)
    return check_d_input(v, instr);
  const struct ir_type *param = v->module->params[instr->symbol]->type, *a = instr->operands[0]->type;
  if (instr->op == IR_OP_D_PARAM)
    return check_alike(v, param, a);
  bool outer = instr->op == IR_OP_D_OUTER;
  const struct ir_type *b = outer ? instr->operands[1]->type : a;
  bool fits = param->shape.rank == b->shape.rank + 1 && param->shape.rank >= 2;
  for (uint32_t i = 0; fits && i < b->shape.rank; i++)
    fits = size_equal(param->shape.sizes[i + 1], b->shape.sizes[i]);
  if (outer)
    fits = fits && b->shape.rank == 1 && a->shape.rank == 1 &&
           size_equal(param->shape.sizes[0], a->shape.sizes[0]);
  return fits ? true : shape_error(v, a, param);
}

static bool check_draw(struct ir_verifier *v, const struct ir_instr *instr) {
  if (instr->op == IR_OP_DROPOUT && !(instr->number >= 0 && instr->number < 1))
    return FAIL(v, "p lies in [0, 1)");
  return instr->site < v->module->n_sites ? true : FAIL(v, "site %u was not handed out", instr->site);
}

static bool check_tensor_op(struct ir_verifier *v, const struct ir_instr *instr) {
  if (!check_operands(v, instr))
    return false;
  bool sink = ir_op_infos[instr->op].class == IR_CLASS_SINK;
  if (!sink && (instr->n_results != 1 || instr->results[0]->type->kind != IR_TENSOR))
    return FAIL(v, "the result is one tensor");
  if (sink && !check_sink(v, instr))
    return false;
  if (instr->op == IR_OP_SLICE && (!ir_verify_size(v, instr->size) || !ir_verify_size(v, instr->length)))
    return false;
  if (ir_op_infos[instr->op].random && !check_draw(v, instr))
    return false;
  if (ir_shape_is_written(instr->op) && !check_written(v, instr))
    return false;
  if (!sink && !ir_shape_is_written(instr->op)) {
    const char *why = NULL;
    const struct ir_type *type = ir_infer(&v->scratch, instr, &why);
    if (!type)
      return FAIL(v, "%s", why);
    if (!ir_type_equal(type, instr->results[0]->type))
      return FAIL(v, "the result is %s", ir_verify_type_text(v, type));
  }
  return !ir_op_infos[instr->op].takes_index || check_index(v, instr);
}

bool ir_verify_instr(struct ir_verifier *v, const struct ir_instr *instr) {
  if ((unsigned)instr->op >= IR_N_OPS)
    return FAIL(v, "no known operation");
  return ir_is_tensor_op(instr->op) ? check_tensor_op(v, instr) : check_host_op(v, instr);
}
