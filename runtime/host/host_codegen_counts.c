// The counts of data and lists in compiled code: constants that tell the runtime where in a value others lie, and the
// calls that host_ownership.c asks for.
#include <string.h>

#include "runtime/host/host.h"
#include "runtime/host/host_codegen.h"
#include "runtime/value/value.h"

struct host_shape_constant {
  uint32_t n;
  LLVMValueRef *words;
  LLVMValueRef constant;
};

// ------------------------------------------------------------------------------------------ shapes

static LLVMValueRef make_shape(struct host_codegen *g, uint32_t n, LLVMValueRef *words) {
  LLVMValueRef value = LLVMConstArray(g->i32, words, n);
  LLVMValueRef constant = LLVMAddGlobal(g->module, LLVMTypeOf(value), "shape");
  LLVMSetInitializer(constant, value);
  LLVMSetGlobalConstant(constant, 1);
  LLVMSetLinkage(constant, LLVMPrivateLinkage);
  return constant;
}

struct wanted_shape {
  const struct host_codegen *g;
  uint32_t n;
  LLVMValueRef *words;
};

static bool is_wanted(const void *context, uint32_t item) {
  const struct wanted_shape *wanted = context;
  const struct host_shape_constant *shape = &wanted->g->shapes.items[item];
  return shape->n == wanted->n && memcmp(shape->words, wanted->words, wanted->n * sizeof *wanted->words) == 0;
}

static LLVMValueRef find_shape(struct host_codegen *g, uint32_t n, LLVMValueRef *words) {
  uint64_t hash = n;
  for (uint32_t i = 0; i < n; i++)
    hash = hash_mix(hash, (uint64_t)(uintptr_t)words[i]);
  uint32_t found = hash_index_find(&g->shape_index, hash, is_wanted, &(struct wanted_shape){g, n, words});
  if (found != HASH_INDEX_NONE)
    return g->shapes.items[found].constant;
  hash_index_add(&g->shape_index, hash, (uint32_t)g->shapes.count);
  struct host_shape_constant shape = {n, words, make_shape(g, n, words)};
  arena_push(&g->arena, &g->shapes, shape);
  return shape.constant;
}

static enum value_kind kind_of(const struct ir_type *type) {
  return type->kind == IR_LIST ? VALUE_LIST : type->kind == IR_TEXT ? VALUE_TEXT : VALUE_DATA;
}

LLVMValueRef host_shape(struct host_codegen *g, uint32_t n, const struct ir_type *const *types) {
  LLVMValueRef *words = arena_new_array(&g->arena, LLVMValueRef, (size_t)n + 2);
  uint32_t counted = 0;
  for (uint32_t i = 0; i < n; i++)
    if (host_is_counted(types[i]))
      words[2 + counted++] = LLVMConstInt(g->i32, VALUE_COUNTED(i, kind_of(types[i])), 0);
  words[0] = LLVMConstInt(g->i32, n, 0);
  words[1] = LLVMConstInt(g->i32, counted, 0);
  return find_shape(g, counted + 2, words);
}

// ----------------------------------------------------------------------------------------- actions

// The first action of the instruction being translated that has this `when` or a later one.
static uint32_t first_action(const struct host_function *f, uint32_t when) {
  uint32_t low = 0, high = f->g->actions.n;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    const struct host_action *action = &f->g->actions.items[middle];
    if (action->instr < f->number || (action->instr == f->number && action->when < when))
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

static bool is_of(const struct host_function *f, uint32_t action, uint32_t when) {
  return action < f->g->actions.n && f->g->actions.items[action].instr == f->number &&
         f->g->actions.items[action].when == when;
}

bool host_has_actions(const struct host_function *f, uint32_t when) {
  return is_of(f, first_action(f, when), when);
}

static void build_vacate(struct host_function *f, const struct ir_value *value) {
  struct host_codegen *g = f->g;
  const struct ir_instr *get = value->def;
  LLVMValueRef outer = f->values[get->operands[0]->id], inner = f->values[value->id];
  if (get->op == IR_DATA_GET) {
    LLVMValueRef slot = LLVMConstInt(g->i32, (uint64_t)get->integer, 0);
    host_call(g, HELPER_value_vacate_slot, 3, (LLVMValueRef[]){outer, slot, inner});
    return;
  }
  uint32_t slot = 0;
  while (get->results[slot] != value)
    slot++;
  LLVMValueRef args[] = {outer, f->values[get->operands[1]->id], LLVMConstInt(g->i32, slot, 0), inner};
  host_call(g, HELPER_value_vacate_element, 4, args);
}

void host_build_actions(struct host_function *f, uint32_t when) {
  for (uint32_t i = first_action(f, when); is_of(f, i, when); i++) {
    const struct host_action *action = &f->g->actions.items[i];
    LLVMValueRef value = f->values[action->value->id];
    static const enum host_helper releases[] = {[VALUE_DATA] = HELPER_value_release_data,
                                                [VALUE_LIST] = HELPER_value_release_list,
                                                [VALUE_TEXT] = HELPER_value_release_text};
    switch (action->kind) {
    case HOST_RETAIN: host_call(f->g, HELPER_value_retain, 1, &value); break;
    case HOST_RELEASE:
      host_call(f->g, releases[kind_of(action->value->type)], 2, (LLVMValueRef[]){f->example, value});
      break;
    case HOST_VACATE: build_vacate(f, action->value); break;
    }
  }
}
