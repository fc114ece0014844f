// Sizes of tensors and lengths of lists of layers for given dims: every one is at least 1.
#include "compiler/base/arena.h"
#include "compiler/ir/ir.h"
#include "compiler/ir/size.h"

struct search {
  const struct ir_module *module;
  const int64_t *dims;
  struct ir_small_size *found;
};

static bool is_known(const struct search *search, const struct size *size) {
  if (size_is_runtime(size))
    return false;
  for (uint32_t i = 0; i < size->n_terms; i++)
    for (uint32_t k = 0; k < size->terms[i].degree; k++)
      if (search->dims[size->terms[i].atoms[k]->id] < 1)
        return false;
  return true;
}

static bool has_small(const struct search *search, uint32_t n, const struct size *const *sizes) {
  for (uint32_t i = 0; i < n; i++) {
    int64_t value;
    if (!is_known(search, sizes[i]) || !size_evaluate_by_id(sizes[i], search->dims, &value) || value >= 1)
      continue;
    search->found->size = sizes[i];
    search->found->value = value;
    return true;
  }
  return false;
}

static bool type_has(const struct search *search, const struct ir_type *type) {
  switch (type->kind) {
  case IR_TENSOR:
  case IR_ACC: return has_small(search, type->shape.rank, type->shape.sizes);
  case IR_LIST: return type_has(search, type->element);
  case IR_TUPLE:
    for (uint32_t i = 0; i < type->tuple.n; i++)
      if (type_has(search, type->tuple.fields[i].type))
        return true;
    return false;
  default: return false;
  }
}

static bool instrs_have(const struct search *search, const struct ir_instr *instr) {
  for (; instr; instr = instr->next)
    for (uint32_t i = 0; i < instr->n_results; i++)
      if (type_has(search, instr->results[i]->type)) {
        search->found->loc = instr->loc;
        return true;
      }
  return false;
}

// What a function or block takes has been made by instructions, or is an entry's, or a field of its data.
bool ir_find_small_size(const struct ir_module *module, const int64_t *dims, struct ir_small_size *found) {
  const struct search search = {module, dims, found};
  *found = (struct ir_small_size){0};
  for (uint32_t i = 0; i < module->n_params; i++) {
    const struct ir_param *param = module->params[i];
    if (type_has(&search, param->type) || has_small(&search, param->n_lists, param->lists)) {
      found->param = param;
      found->number = i;
      return true;
    }
  }
  for (uint32_t i = 0; i < module->n_functions; i++)
    for (const struct ir_bb *bb = module->functions[i]->entry; bb; bb = bb->next)
      if (instrs_have(&search, bb->first))
        return true;
  for (uint32_t i = 0; i < module->n_blocks; i++)
    if (instrs_have(&search, module->blocks[i]->first))
      return true;
  for (uint32_t i = 0; i < module->n_entries; i++)
    for (uint32_t k = 0; k < module->entries[i]->n_params; k++)
      if (type_has(&search, module->entries[i]->params[k].type))
        return true;
  for (uint32_t i = 0; i < module->n_datas; i++)
    for (uint32_t k = 0; k < module->datas[i]->n_constructors; k++) {
      const struct ir_constructor *constructor = &module->datas[i]->constructors[k];
      for (uint32_t f = 0; f < constructor->n_fields; f++)
        if (type_has(&search, constructor->fields[f].type))
          return true;
    }
  return false;
}

const char *ir_size_values(const struct ir_module *module, struct arena *arena, const struct size *size,
                           const int64_t *dims) {
  const char *text = "";
  for (uint32_t id = 0; id < module->n_dims; id++)
    if (size_mentions(size, &module->dims[id]->atom))
      text = arena_printf(arena, "%s%s%s = %lld", text, *text ? ", " : "", module->dims[id]->atom.name,
                          (long long)dims[id]);
  return text;
}
