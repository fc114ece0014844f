// One host function to LLVM: basic blocks and edges, and the checks that keep recursion and loops in bounds.
//
// Basic block parameters become phis. A terminator with several targets gets a block of its own on every edge
// that carries arguments, because two edges between the same blocks may carry different ones.
#include <assert.h>

#include "runtime/host/host.h"
#include "runtime/host/host_codegen.h"
#include "runtime/jit/jit.h"

// A frame of more bytes than this must fit above the stack limit as a whole; smaller ones fit below it.
#define FRAME_BYTES_UNCHECKED 4096

// Reverse postorder of what the entry reaches: a value's definition then comes before its uses whatever the
// layout, and every cycle has an edge that does not go forward.
static void find_order(struct host_function *f) {
  uint32_t n = f->ir->n_bbs;
  struct {
    const struct ir_bb *bb;
    uint32_t next_target;
  } *path = arena_alloc_array(&f->g->arena, n, sizeof *path);
  bool *seen = arena_new_array(&f->g->arena, bool, n);
  uint32_t depth = 0, place = n;
  path[depth++].bb = f->ir->entry;
  seen[f->ir->entry->id] = true;
  while (depth > 0) {
    const struct ir_bb *bb = path[depth - 1].bb;
    if (path[depth - 1].next_target < bb->last->n_targets) {
      const struct ir_bb *to = bb->last->targets[path[depth - 1].next_target++].bb;
      if (!seen[to->id]) {
        seen[to->id] = true;
        path[depth].bb = to;
        path[depth++].next_target = 0;
      }
    } else {
      f->reached[--place] = bb;
      depth--;
    }
  }
  f->n_reached = n - place;
  for (uint32_t i = 0; i < f->n_reached; i++) {
    f->reached[i] = f->reached[place + i];
    f->order[f->reached[i]->id] = i;
  }
}

// ---------------------------------------------------------------------------------------- prologue

static bool has_calls(const struct host_function *f) {
  for (uint32_t i = 0; i < f->n_reached; i++)
    for (const struct ir_instr *instr = f->reached[i]->first; instr; instr = instr->next)
      if (instr->op == IR_CALL)
        return true;
  return false;
}

static uint32_t scratch_slots(const struct host_function *f) {
  uint32_t most = 0;
  for (uint32_t i = 0; i < f->n_reached; i++) {
    for (const struct ir_instr *instr = f->reached[i]->first; instr; instr = instr->next) {
      uint32_t slots = instr->op == IR_EMIT ? (host_emit_words(f->g->ir->blocks[instr->symbol]) + 1) / 2
                                            : host_scratch_slots(instr);
      most = slots > most ? slots : most;
    }
  }
  return most;
}

// Where the function is, for the error of recursion that is too deep: the first position it has.
static struct ir_loc function_loc(const struct host_function *f) {
  for (uint32_t i = 0; i < f->n_reached; i++)
    for (const struct ir_instr *instr = f->reached[i]->first; instr; instr = instr->next)
      if (instr->loc.line)
        return instr->loc;
  return (struct ir_loc){0};
}

static LLVMBasicBlockRef add_block(const struct host_function *f, const char *name) {
  return LLVMAppendBasicBlockInContext(f->g->context, f->function, name);
}

// fuel -= 1; below zero: example_tick, which may end the example.
static void build_fuel_check(struct host_function *f, struct ir_loc loc) {
  struct host_codegen *g = f->g;
  LLVMValueRef address = host_slot_address(g, f->example, offsetof(struct example, fuel), 0);
  LLVMValueRef fuel = LLVMBuildLoad2(g->builder, g->i64, address, "fuel");
  fuel = LLVMBuildSub(g->builder, fuel, host_int(g, 1), "");
  LLVMBuildStore(g->builder, fuel, address);
  LLVMValueRef empty = LLVMBuildICmp(g->builder, LLVMIntSLT, fuel, host_int(g, 0), "");
  LLVMBasicBlockRef tick = add_block(f, "tick"), go_on = add_block(f, "");
  LLVMBuildCondBr(g->builder, empty, tick, go_on);
  LLVMPositionBuilderAtEnd(g->builder, tick);
  host_call(g, HELPER_example_tick, 2, (LLVMValueRef[]){f->example, host_loc(g, loc)});
  LLVMBuildBr(g->builder, go_on);
  LLVMPositionBuilderAtEnd(g->builder, go_on);
}

static void build_stack_check(struct host_function *f, uint64_t frame_bytes, struct ir_loc loc) {
  struct host_codegen *g = f->g;
  unsigned id = LLVMLookupIntrinsicID("llvm.frameaddress", 17);
  LLVMTypeRef type = LLVMIntrinsicGetType(g->context, id, &g->ptr, 1);
  LLVMValueRef intrinsic = LLVMGetIntrinsicDeclaration(g->module, id, &g->ptr, 1);
  LLVMValueRef level = LLVMConstInt(g->i32, 0, 0);
  LLVMValueRef frame = LLVMBuildCall2(g->builder, type, intrinsic, &level, 1, "frame");
  LLVMValueRef address = host_slot_address(g, f->example, offsetof(struct example, stack_limit), 0);
  LLVMValueRef limit = LLVMBuildLoad2(g->builder, g->i64, address, "limit");
  LLVMValueRef here = LLVMBuildPtrToInt(g->builder, frame, g->i64, "");
  if (frame_bytes > FRAME_BYTES_UNCHECKED)
    limit = LLVMBuildAdd(g->builder, limit, host_int(g, (int64_t)frame_bytes), "");
  LLVMValueRef deep = LLVMBuildICmp(g->builder, LLVMIntULT, here, limit, "");
  LLVMBasicBlockRef fail = add_block(f, "too_deep"), go_on = add_block(f, "");
  LLVMBuildCondBr(g->builder, deep, fail, go_on);
  LLVMPositionBuilderAtEnd(g->builder, fail);
  host_call(g, HELPER_example_fail_depth, 2, (LLVMValueRef[]){f->example, host_loc(g, loc)});
  LLVMBuildUnreachable(g->builder);
  LLVMPositionBuilderAtEnd(g->builder, go_on);
}

static void build_prologue(struct host_function *f) {
  struct host_codegen *g = f->g;
  LLVMPositionBuilderAtEnd(g->builder, add_block(f, "enter"));
  uint32_t slots = scratch_slots(f);
  if (slots > 0)
    f->scratch = LLVMBuildAlloca(g->builder, LLVMArrayType(g->i64, slots), "scratch");
  // Every value in a place of its own is more than any frame takes.
  uint64_t frame_bytes = 8 * ((uint64_t)slots + f->ir->n_values);
  struct ir_loc loc = function_loc(f);
  build_stack_check(f, frame_bytes, loc);
  // Loops pay where they turn; a function that calls none ends without paying.
  if (has_calls(f))
    build_fuel_check(f, loc);
}

// ------------------------------------------------------------------------------------------- edges

static void add_incoming(struct host_function *f, const struct ir_target *target) {
  LLVMBasicBlockRef from = LLVMGetInsertBlock(f->g->builder);
  for (uint32_t i = 0; i < target->n_args; i++) {
    LLVMValueRef value = f->values[target->args[i]->id];
    LLVMAddIncoming(f->values[target->bb->params[i]->id], &value, &from, 1);
  }
}

static bool goes_back(const struct host_function *f, const struct ir_bb *from,
                      const struct ir_target *target) {
  return f->order[target->bb->id] <= f->order[from->id];
}

// A jump from where the builder stands.
static void build_jump(struct host_function *f, const struct ir_bb *from, uint32_t which) {
  const struct ir_target *target = &f->instr->targets[which];
  if (goes_back(f, from, target))
    build_fuel_check(f, f->instr->loc);
  host_build_actions(f, HOST_ON_EDGE + which);
  add_incoming(f, target);
  LLVMBuildBr(f->g->builder, f->blocks[target->bb->id]);
}

// The block that a terminator with several targets jumps to; made where the edge needs code of its own.
static LLVMBasicBlockRef build_edge(struct host_function *f, const struct ir_bb *from, uint32_t which) {
  const struct ir_target *target = &f->instr->targets[which];
  if (target->n_args == 0 && !goes_back(f, from, target) && !host_has_actions(f, HOST_ON_EDGE + which))
    return f->blocks[target->bb->id];
  LLVMBasicBlockRef here = LLVMGetInsertBlock(f->g->builder), edge = add_block(f, "edge");
  LLVMPositionBuilderAtEnd(f->g->builder, edge);
  build_jump(f, from, which);
  LLVMPositionBuilderAtEnd(f->g->builder, here);
  return edge;
}

static void build_return(struct host_function *f) {
  const struct ir_instr *instr = f->instr;
  LLVMBuilderRef builder = f->g->builder;
  if (instr->n_operands == 0) {
    LLVMBuildRetVoid(builder);
  } else if (instr->n_operands == 1) {
    LLVMBuildRet(builder, host_operand(f, 0));
  } else {
    LLVMValueRef result = LLVMGetPoison(LLVMGetReturnType(f->g->types[f->ir->id]));
    for (uint32_t i = 0; i < instr->n_operands; i++)
      result = LLVMBuildInsertValue(builder, result, host_operand(f, i), i, "");
    LLVMBuildRet(builder, result);
  }
}

static void build_switch(struct host_function *f, const struct ir_bb *bb) {
  struct host_codegen *g = f->g;
  uint32_t last = f->instr->n_targets - 1;
  LLVMBasicBlockRef otherwise = build_edge(f, bb, last);
  LLVMValueRef branch = LLVMBuildSwitch(g->builder, host_operand(f, 0), otherwise, last);
  // The edges are filled in after the switch itself, which already ends its block.
  for (uint32_t i = 0; i < last; i++)
    LLVMAddCase(branch, host_int(g, i), build_edge(f, bb, i));
}

static void build_terminator(struct host_function *f, const struct ir_bb *bb) {
  const struct ir_instr *instr = f->instr;
  switch (instr->op) {
  case IR_BR: build_jump(f, bb, 0); break;
  case IR_BRIF: {
    LLVMBasicBlockRef if_true = build_edge(f, bb, 0);
    LLVMBasicBlockRef if_false = build_edge(f, bb, 1);
    LLVMBuildCondBr(f->g->builder, host_operand(f, 0), if_true, if_false);
    break;
  }
  case IR_SWITCH: build_switch(f, bb); break;
  default: assert(instr->op == IR_RETURN); build_return(f);
  }
}

// ------------------------------------------------------------------------------------ the function

static void build_body(struct host_function *f) {
  struct host_codegen *g = f->g;
  for (uint32_t i = 0; i < f->n_reached; i++)
    f->blocks[f->reached[i]->id] = add_block(f, "");
  LLVMBuildBr(g->builder, f->blocks[f->ir->entry->id]);
  for (uint32_t i = 0; i < f->n_reached; i++) {
    const struct ir_bb *bb = f->reached[i];
    LLVMPositionBuilderAtEnd(g->builder, f->blocks[bb->id]);
    for (uint32_t k = 0; k < bb->n_params; k++)
      f->values[bb->params[k]->id] = LLVMBuildPhi(g->builder, host_llvm_type(g, bb->params[k]->type), "");
  }
  for (uint32_t i = 0; i < f->n_reached; i++) {
    const struct ir_bb *bb = f->reached[i];
    LLVMPositionBuilderAtEnd(g->builder, f->blocks[bb->id]);
    for (const struct ir_instr *instr = bb->first; instr; instr = instr->next, f->number++) {
      f->instr = instr;
      host_build_actions(f, HOST_BEFORE);
      if (instr == bb->last)
        build_terminator(f, bb);
      else
        host_build_instr(f);
      host_build_actions(f, HOST_AFTER);
    }
  }
}

void host_build_function(struct host_codegen *g, const struct ir_function *ir) {
  struct host_function f = {.g = g, .ir = ir, .function = g->bodies[ir->id]};
  f.values = arena_new_array(&g->arena, LLVMValueRef, (size_t)ir->n_values + 1);
  f.blocks = arena_new_array(&g->arena, LLVMBasicBlockRef, ir->n_bbs);
  f.order = arena_new_array(&g->arena, uint32_t, ir->n_bbs);
  f.reached = arena_new_array(&g->arena, const struct ir_bb *, ir->n_bbs);
  f.example = LLVMGetParam(f.function, 0);
  for (uint32_t i = 0; i < ir->n_params; i++)
    f.values[ir->params[i]->id] = LLVMGetParam(f.function, i + 1);
  find_order(&f);
  if (!host_ownership(ir, f.n_reached, f.reached, g->owned_params, &g->actions))
    arena_out_of_memory(&g->arena);
  build_prologue(&f);
  build_body(&f);
  host_actions_free(&g->actions);
}
