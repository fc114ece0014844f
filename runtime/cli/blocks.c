// Descriptions of blocks for explain: their place in the source and what they compute.
#include "runtime/cli/blocks.h"

#include <stdio.h>
#include <string.h>

#include "runtime/model/model.h"

static const struct ir_block *find(const struct ir_module *module, const char *name) {
  for (uint32_t i = 0; i < module->n_blocks; i++)
    if (!strcmp(module->blocks[i]->name, name))
      return module->blocks[i];
  return NULL;
}

static const char *place_of(const struct ir_module *module, const struct ir_block *block, char *buffer,
                            size_t size) {
  *buffer = 0;
  if (!block || block->loc.line == 0 || block->loc.file >= module->n_files)
    return buffer;
  const char *file = module->files[block->loc.file], *slash = strrchr(file, '/');
  snprintf(buffer, size, "%s:%u", slash ? slash + 1 : file, block->loc.line);
  return buffer;
}

const char *blocks_place(const nn_model *model, const char *name, char *buffer, size_t size) {
  return place_of(model->module, find(model->module, name), buffer, size);
}

static void add_once(json_t *list, const char *text) {
  size_t i;
  json_t *item;
  json_array_foreach(list, i, item) if (!strcmp(json_string_value(item), text)) return;
  json_array_append_new(list, json_string(text));
}

static json_t *describe(const struct ir_module *module, const struct ir_block *block) {
  json_t *params = json_array(), *operations = json_array();
  for (const struct ir_instr *instr = block->first; instr; instr = instr->next) {
    if (instr->op == IR_OP_PARAM)
      add_once(params, module->params[instr->symbol]->name);
    else
      add_once(operations, ir_op_infos[instr->op].name);
  }
  char place[300];
  return json_pack("{s:s, s:s, s:o, s:o}", "name", block->name, "place",
                   place_of(module, block, place, sizeof place), "parameters", params, "operations",
                   operations);
}

json_t *blocks_describe(const nn_model *model, const json_t *names) {
  json_t *list = json_array();
  for (uint32_t i = 0; i < model->module->n_blocks; i++)
    if (json_object_get(names, model->module->blocks[i]->name))
      json_array_append_new(list, describe(model->module, model->module->blocks[i]));
  return list;
}
