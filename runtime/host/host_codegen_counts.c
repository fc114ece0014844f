// The counts of data and lists in compiled code: constants that tell the runtime where in a value others lie, and the
// calls that host_ownership.c asks for.
#include <stdlib.h>
#include <string.h>

#include "compiler/base/array.h"
#include "runtime/host/host.h"
#include "runtime/host/host_codegen.h"

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

static LLVMValueRef find_shape(struct host_codegen *g, uint32_t n, LLVMValueRef *words) {
  for (uint32_t i = 0; i < g->n_shapes; i++)
    if (g->shapes[i].n == n && memcmp(g->shapes[i].words, words, n * sizeof *words) == 0)
      return g->shapes[i].constant;
  if (!array_reserve_u32(&g->shapes, sizeof *g->shapes, g->n_shapes + 1, &g->shapes_capacity))
    host_codegen_no_memory();
  LLVMValueRef *copy = host_codegen_alloc(n, sizeof *copy);
  memcpy(copy, words, n * sizeof *copy);
  g->shapes[g->n_shapes] = (struct host_shape_constant){n, copy, make_shape(g, n, words)};
  return g->shapes[g->n_shapes++].constant;
}

LLVMValueRef host_shape(struct host_codegen *g, uint32_t n, const struct ir_type *const *types) {
  LLVMValueRef *words = host_codegen_alloc(n + 2, sizeof *words);
  uint32_t counted = 0;
  for (uint32_t i = 0; i < n; i++)
    if (host_is_counted(types[i]))
      words[2 + counted++] = LLVMConstInt(g->i32, 2 * i + (types[i]->kind == IR_LIST), 0);
  words[0] = LLVMConstInt(g->i32, n, 0);
  words[1] = LLVMConstInt(g->i32, counted, 0);
  LLVMValueRef shape = find_shape(g, counted + 2, words);
  free(words);
  return shape;
}

void host_shapes_free(struct host_codegen *g) {
  for (uint32_t i = 0; i < g->n_shapes; i++)
    free(g->shapes[i].words);
  free(g->shapes);
  g->shapes = NULL;
  g->n_shapes = g->shapes_capacity = 0;
}

// ----------------------------------------------------------------------------------------- actions

// The first action of the instruction being translated that has this `when` or a later one.
static uint32_t first_action(const struct host_function *f, uint32_t when) {
  uint32_t low = 0, high = f->actions.n;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    const struct host_action *action = &f->actions.items[middle];
    if (action->instr < f->number || (action->instr == f->number && action->when < when))
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

static bool is_of(const struct host_function *f, uint32_t action, uint32_t when) {
  return action < f->actions.n && f->actions.items[action].instr == f->number &&
         f->actions.items[action].when == when;
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
    const struct host_action *action = &f->actions.items[i];
    LLVMValueRef value = f->values[action->value->id];
    bool is_list = action->value->type->kind == IR_LIST;
    switch (action->kind) {
    case HOST_RETAIN: host_call(f->g, HELPER_value_retain, 1, &value); break;
    case HOST_RELEASE:
      host_call(f->g, is_list ? HELPER_value_release_list : HELPER_value_release_data, 2,
                (LLVMValueRef[]){f->example, value});
      break;
    case HOST_VACATE: build_vacate(f, action->value); break;
    }
  }
}
