// Metrics: the parts of their results.
#include <string.h>

#include "compiler/ir/ir.h"

static bool is_number(const struct ir_type *type) {
  return type->kind == IR_INT || type->kind == IR_BOOL || type->kind == IR_FLOAT;
}

static bool table_part(const struct ir_type *element, struct ir_part *part) {
  uint32_t n = element->kind == IR_TUPLE ? element->tuple.n : 1;
  for (uint32_t i = 0; i < n; i++) {
    const struct ir_type *type = element->kind == IR_TUPLE ? element->tuple.fields[i].type : element;
    if (type->kind == IR_INDEX && part->n_keys < 2 && part->n_keys == i)
      part->dims[part->n_keys++] = type->dim;
    else if (is_number(type) && i > 0 && i + 1 == n)
      part->weight = type;
    else
      return false;
  }
  return part->n_keys > 0;
}

bool ir_metric_part(const struct ir_type *type, struct ir_part *part) {
  *part = (struct ir_part){.kind = IR_PART_NUMBER};
  if (is_number(type) || (type->kind == IR_TENSOR && type->shape.rank == 0))
    return true;
  if (type->kind != IR_LIST)
    return false;
  part->kind = is_number(type->element) ? IR_PART_NUMBERS : IR_PART_TABLE;
  return part->kind == IR_PART_NUMBERS || table_part(type->element, part);
}

uint32_t ir_metric_part_count(const struct ir_type *result) {
  return result->kind == IR_TUPLE ? result->tuple.n : 1;
}

const struct ir_type *ir_metric_part_type(const struct ir_type *result, uint32_t i) {
  return result->kind == IR_TUPLE ? result->tuple.fields[i].type : result;
}

uint32_t ir_metric_total(const struct ir_module *module, const struct ir_entry *metric) {
  size_t length = strlen(metric->name);
  for (uint32_t i = 0; i < module->n_entries; i++)
    if (!strncmp(module->entries[i]->name, metric->name, length) &&
        !strcmp(module->entries[i]->name + length, ".total"))
      return i;
  return module->n_entries;
}
