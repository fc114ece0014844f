// The functions of a kernel: its tiles, its segments, its windows.
#include "runtime/cpu/kernel_emit.h"

// What a product or a segment adds to the function that holds it, in instructions, beside a segment's own code.
#define ITEM_WEIGHT 40
// Products and segments stand in functions of their own where they come to more than this.
#define MAX_FUNCTION_WEIGHT 3000

// The function that was being filled when another began.
struct outer {
  LLVMValueRef function, args, scratch;
  LLVMBasicBlockRef arguments, body, done, here;
  LLVMValueRef tile, tile_rows;
};

static struct outer leave(const struct emission *e) {
  return (struct outer){e->cg.function,
                        e->args,
                        e->scratch,
                        e->arguments,
                        e->body,
                        e->done,
                        LLVMGetInsertBlock(e->cg.builder),
                        e->tile,
                        e->tile_rows};
}

// What the outer function has loaded is not remembered: it is loaded again when it is needed again.
static void come_back(struct emission *e, const struct outer *outer) {
  e->cg.function = outer->function;
  e->args = outer->args;
  e->scratch = outer->scratch;
  e->arguments = outer->arguments;
  e->body = outer->body;
  e->done = outer->done;
  e->tile = outer->tile;
  e->tile_rows = outer->tile_rows;
  e->n_functions++;
  LLVMPositionBuilderAtEnd(e->cg.builder, outer->here);
}

static void call(struct emission *e, LLVMValueRef function, LLVMValueRef a, LLVMValueRef b) {
  LLVMValueRef arguments[] = {e->args, a, b, e->scratch};
  LLVMBuildCall2(e->cg.builder, LLVMGlobalGetValueType(function), function, arguments, 4, "");
}

// ----------------------------------------------------------------------------------------------------- segments

static void emit_steps(struct emission *e, uint32_t from, uint32_t to) {
  for (e->step = from; e->step < to; e->step++)
    emit_row_step(e, e->graph->steps[e->step]);
}

// The steps of one window as a function of the row and its number in the tile, called for the current row.
static void emit_window(struct emission *e, uint32_t from, uint32_t to) {
  LLVMValueRef row = e->row, local = e->local;
  struct outer outer = leave(e);
  LLVMValueRef function = emit_function_begin(e, "window", true);
  emit_begin_row(e, LLVMGetParam(function, 1), LLVMGetParam(function, 2));
  emit_steps(e, from, to);
  emit_function_end(e);
  come_back(e, &outer);
  e->row = row;
  e->local = local;
  call(e, function, row, local);
}

static uint32_t end_of_window(const struct graph *graph, uint32_t from, uint32_t to) {
  uint32_t end = from;
  while (end < to && graph->steps[end]->window == graph->steps[from]->window)
    end++;
  return end;
}

// The steps [from, to), row by row.
static void emit_segment(struct emission *e, uint32_t from, uint32_t to) {
  struct codegen *cg = &e->cg;
  struct codegen_loop loop;
  codegen_loop_begin(cg, &loop, codegen_word(cg, 0), e->tile_rows, codegen_word(cg, 1), 0, NULL);
  emit_begin_row(e, LLVMBuildAdd(cg->builder, e->tile, loop.index, ""), loop.index);
  if (end_of_window(e->graph, from, to) == to) {
    emit_steps(e, from, to);
  } else {
    for (uint32_t i = from, end; i < to; i = end) {
      end = end_of_window(e->graph, i, to);
      emit_window(e, i, end);
    }
  }
  codegen_loop_end(cg, &loop, NULL);
}

// -------------------------------------------------------------------------------------------------------- tiles

static uint32_t end_of_segment(const struct graph *graph, uint32_t from) {
  uint32_t end = from;
  while (end < graph->n_steps && graph->steps[end]->segment == graph->steps[from]->segment)
    end++;
  return end;
}

// What [from, to), a product or a segment, adds to the function that holds it.
static uint32_t weight_of(const struct graph *graph, uint32_t from, uint32_t to) {
  bool alone = graph->steps[from]->kind != STEP_PRODUCT && end_of_window(graph, from, to) == to;
  return ITEM_WEIGHT + (alone ? graph->windows[graph->steps[from]->window].weight : 0);
}

// The products and segments [from, to) of a tile.
static void emit_items(struct emission *e, uint32_t from, uint32_t to) {
  for (uint32_t i = from, end; i < to; i = end) {
    end = end_of_segment(e->graph, i);
    e->step = i;
    if (e->graph->steps[i]->kind == STEP_PRODUCT)
      emit_product(e, e->graph->steps[i]);
    else
      emit_segment(e, i, end);
  }
}

// The same as a function of the tile's first row and number of rows.
static void emit_part(struct emission *e, uint32_t from, uint32_t to) {
  struct outer outer = leave(e);
  LLVMValueRef function = emit_function_begin(e, "part", true);
  e->tile = LLVMGetParam(function, 1);
  e->tile_rows = LLVMGetParam(function, 2);
  emit_items(e, from, to);
  emit_function_end(e);
  come_back(e, &outer);
  call(e, function, e->tile, e->tile_rows);
}

static void emit_tile(struct emission *e) {
  const struct graph *graph = e->graph;
  uint32_t weight = 0, begin = 0;
  for (uint32_t i = 0, end; i < graph->n_steps; i = end) {
    end = end_of_segment(graph, i);
    uint32_t more = weight_of(graph, i, end);
    if (weight > 0 && weight + more > MAX_FUNCTION_WEIGHT) {
      emit_part(e, begin, i);
      begin = i;
      weight = 0;
    }
    weight += more;
  }
  if (begin == 0)
    emit_items(e, begin, graph->n_steps);
  else
    emit_part(e, begin, graph->n_steps);
}

// Tiles of nearly equal size. There is at least one row.
static void emit_tiles(struct emission *e, LLVMValueRef begin, LLVMValueRef end) {
  struct codegen *cg = &e->cg;
  LLVMBuilderRef b = cg->builder;
  LLVMValueRef n = LLVMBuildSub(b, end, begin, ""), rows = n;
  if (e->graph->tile_rows > 0) {
    LLVMValueRef limit = codegen_word(cg, e->graph->tile_rows), one = codegen_word(cg, 1);
    LLVMValueRef tiles = LLVMBuildUDiv(b, LLVMBuildAdd(b, n, LLVMBuildSub(b, limit, one, ""), ""), limit, "");
    rows = LLVMBuildUDiv(b, LLVMBuildAdd(b, n, LLVMBuildSub(b, tiles, one, ""), ""), tiles, "");
  }
  struct codegen_loop loop;
  codegen_loop_begin(cg, &loop, begin, end, rows, 0, NULL);
  LLVMValueRef left = LLVMBuildSub(b, end, loop.index, "");
  e->tile = loop.index;
  e->tile_rows = LLVMBuildSelect(b, LLVMBuildICmp(b, LLVMIntSLT, left, rows, ""), left, rows, "");
  emit_tile(e);
  codegen_loop_end(cg, &loop, NULL);
}

struct emission emission_new(struct graph *graph) {
  bool adjoint = graph->block->kind == IR_BLOCK_ADJOINT;
  const uint32_t n_elements[EMIT_N_ARRAYS] = {
      [EMIT_ROWS] = graph->n_tensors,
      [EMIT_INDICES] = graph->n_integers,
      [EMIT_NUMBERS] = graph->n_numbers,
      [EMIT_PARAMS] = graph->n_uses,
      [EMIT_OUTPUTS] = adjoint ? graph->n_saved : graph->n_outputs,
      [EMIT_OUTPUT_GRADIENTS] = graph->n_results,
      [EMIT_SINKS] = graph->n_sink_buffers,
      [EMIT_TERMS] = graph->n_tensors,
      [EMIT_SIZES] = graph->module->n_runtimes,
      [EMIT_OUTPUT_ROWS] = adjoint ? graph->n_saved : graph->n_outputs,
      [EMIT_GRADIENT_ROWS] = graph->n_results,
  };
  struct emission e = {.graph = graph,
                       .base_index = hash_index_new(graph->arena),
                       .vector_index = hash_index_new(graph->arena),
                       .cuts_index = hash_index_new(graph->arena)};
  for (int i = 0; i < EMIT_N_ARRAYS; i++)
    e.elements[i] = arena_new_array(graph->arena, struct known, n_elements[i]);
  e.scalars = arena_new_array(graph->arena, struct known, graph->n_nodes);
  e.prepared = arena_new_array(graph->arena, uint32_t, graph->n_nodes);
  return e;
}

void emit_kernel(struct graph *graph, LLVMModuleRef module, const struct cpu_features *cpu) {
  struct emission e = emission_new(graph);
  codegen_init(&e.cg, module, cpu, graph->element);
  LLVMValueRef kernel = emit_function_begin(&e, "kernel", false);
  if (graph->n_steps > 0)
    emit_tiles(&e, LLVMGetParam(kernel, 1), LLVMGetParam(kernel, 2));
  emit_function_end(&e);
  codegen_free(&e.cg);
}
