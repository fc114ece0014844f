// Ragged blocks: the code of a kernel.
#include "runtime/cpu/ragged.h"

static LLVMValueRef word(struct ragged *r, int64_t value) { return codegen_word(&r->e.cg, value); }

static int64_t item_bytes(const struct ragged *r) { return (int64_t)nn_element_bytes(r->graph->element); }

static bool is_ragged(const struct node *node) {
  for (uint32_t i = 0; i < node->rank; i++)
    if (node->size[i] < 0)
      return true;
  return false;
}

// ------------------------------------------------------------------------------------------------------- places

// What an array of arrays holds for the row: [i][row].
static LLVMValueRef of_row(struct ragged *r, enum emit_array array, uint32_t i) {
  struct codegen *cg = &r->e.cg;
  LLVMValueRef values = emit_array_element(&r->e, array, i);
  return codegen_load(cg, cg->int32, codegen_at(cg, cg->int32, values, r->e.row));
}

static LLVMValueRef units_after(struct ragged *r, LLVMValueRef base, LLVMValueRef units) {
  struct codegen *cg = &r->e.cg;
  LLVMValueRef wide = LLVMBuildZExt(cg->builder, units, cg->int64, "");
  return codegen_at_byte(cg, base, LLVMBuildMul(cg->builder, wide, word(r, NN_LANES * item_bytes(r)), ""));
}

// The row of what a batch has one after the other.
static LLVMValueRef row_after(struct ragged *r, enum emit_array array, uint32_t i, enum emit_array offsets,
                              const struct node *node) {
  struct codegen *cg = &r->e.cg;
  LLVMValueRef base = emit_array_element(&r->e, array, i);
  if (is_ragged(node))
    return units_after(r, base, of_row(r, offsets, i));
  int64_t stride = (int64_t)nn_row_elements((size_t)node->n) * item_bytes(r);
  return codegen_at_byte(cg, base, LLVMBuildMul(cg->builder, r->e.row, word(r, stride), ""));
}

static LLVMValueRef output_address(struct ragged *r, uint32_t i, const struct node *node) {
  return row_after(r, EMIT_OUTPUTS, i, EMIT_OUTPUT_ROWS, node);
}

static LLVMValueRef sink_address(struct ragged *r, uint32_t i, const struct node *node) {
  return row_after(r, EMIT_SINKS, i, EMIT_SINKS, node);
}

// A list's row offsets, from its first term on.
static LLVMValueRef list_offsets(struct ragged *r, uint32_t input) {
  struct codegen *cg = &r->e.cg;
  LLVMValueRef first = LLVMBuildZExt(cg->builder, of_row(r, EMIT_TERMS, input), cg->int64, "");
  return codegen_at(cg, cg->int32, emit_array_element(&r->e, EMIT_ROWS, input), first);
}

static LLVMValueRef leaf_address(struct ragged *r, struct node *node) {
  switch (node->op) {
  case NODE_INPUT:
    return node->list ? list_offsets(r, node->index)
                      : units_after(r, emit_values_base(&r->e), of_row(r, EMIT_ROWS, node->index));
  case NODE_SAVED: return output_address(r, node->index, node);
  case NODE_GRADIENT: return row_after(r, EMIT_OUTPUT_GRADIENTS, node->index, EMIT_GRADIENT_ROWS, node);
  default: return emit_array_element(&r->e, EMIT_PARAMS, graph_use(r->graph, node, KERNEL_NATURAL));
  }
}

// What the operation's index is below.
static LLVMValueRef index_limit(struct ragged *r, const struct node *node) {
  bool has_axis = node->op == NODE_SHIFTED || node->op == IR_OP_PUT;
  const struct node *of = node->op == IR_OP_ONEHOT || node->op == IR_OP_PUT ? node : node->operands[0];
  LLVMValueRef size = ragged_size(r, of->size[has_axis ? node->axis : 0]);
  return has_axis ? LLVMBuildSub(r->e.cg.builder, size, word(r, node->length - 1), "") : size;
}

static bool takes_index(const struct node *node) {
  return node->op == NODE_SHIFTED || (node->op < IR_N_OPS && ir_op_infos[node->op].takes_index);
}

static void load_size(struct ragged *r, int64_t size) {
  if (size < 0 && !r->sizes[-size])
    r->sizes[-size] = LLVMBuildSExt(r->e.cg.builder, of_row(r, EMIT_SIZES, (uint32_t)(-size - 1)),
                                    r->e.cg.int64, "");
}

// Where everything of the instance lies: before any loop, so that all of them may use it.
static void begin_instance(struct ragged *r) {
  struct codegen *cg = &r->e.cg;
  LLVMBuilderRef b = cg->builder;
  for (uint32_t i = 0; i < r->graph->n_nodes; i++) {
    const struct node *node = r->graph->nodes[i];
    for (uint32_t k = 0; k < node->rank; k++)
      load_size(r, node->size[k]);
    for (uint32_t k = 0; node->op == NODE_COUNT && k < node->map.rank; k++)
      load_size(r, -node->map.begin[k]);
  }
  LLVMValueRef used = word(r, 0);
  for (uint32_t i = 0; i < r->graph->n_nodes; i++) {
    struct ragged_value *value = &r->values[i];
    struct node *node = r->graph->nodes[i];
    if (!value->live)
      continue;
    if (takes_index(node))
      value->index = emit_index_below(&r->e, node->at, index_limit(r, node));
    if (value->home == RAGGED_LEAF)
      value->base = leaf_address(r, node);
    if (value->home == RAGGED_LEAF && node_is_scalar(node))
      value->number = codegen_load(cg, cg->real, value->base);
    if (value->home != RAGGED_STORED)
      continue;
    if (value->place.kind == PLACE_OUTPUT)
      value->base = output_address(r, value->place.index, node);
    else if (value->place.kind == PLACE_SINK)
      value->base = sink_address(r, value->place.index, node);
    if (value->place.kind != PLACE_BUFFER)
      continue;
    value->base = codegen_at_byte(cg, r->e.scratch, used);
    int64_t item = node->op == NODE_DRAWS ? 4 : item_bytes(r);
    int64_t slack = node_is_draws(node) ? item * (DRAWS_GROUP - 1) + 63 : 63;
    LLVMValueRef bytes = LLVMBuildMul(b, ragged_elements(r, node), word(r, item), "");
    LLVMValueRef end = LLVMBuildAdd(b, used, LLVMBuildAdd(b, bytes, word(r, slack), ""), "");
    used = LLVMBuildAnd(b, end, word(r, -64), "");
  }
}

// --------------------------------------------------------------------------------------------------------- loops

// A dense copy of a node's elements, or zeros in their place.
struct copy {
  const struct node *node;
  bool zeros;
  LLVMValueRef to;
  const struct node *into;  // what they are a part of, NULL: nothing more
  uint32_t axis;            // along which
  LLVMValueRef begin;
};

static void copy_here(struct ragged *r, void *context, const struct ragged_point *point) {
  const struct copy *copy = context;
  struct codegen *cg = &r->e.cg;
  struct ragged_point at = *point, own = *point;
  if (copy->into && copy->into->rank > copy->node->rank) {  // which lacks the axis
    for (uint32_t i = copy->axis; i < copy->node->rank; i++)
      own.at[i] = own.at[i + 1];
    own.lane = own.lane == (int)copy->axis ? -1 : own.lane - (own.lane > (int)copy->axis);
  }
  if (copy->into)
    at.at[copy->axis] = LLVMBuildAdd(cg->builder, at.at[copy->axis], copy->begin, "");
  LLVMValueRef position = ragged_position(r, copy->into ? copy->into : copy->node, &at, 0);
  LLVMValueRef address = codegen_at(cg, cg->real, copy->to, position);
  LLVMValueRef value = copy->zeros ? codegen_real(cg, 1, 0) : ragged_element(r, copy->node, &own);
  if (point->lane < 0)
    codegen_store(cg, value, address);
  else
    ragged_store(r, ragged_wide(r, value), address);
}

static void compute_here(struct ragged *r, void *context, const struct ragged_point *point) {
  const struct node *node = context;
  struct codegen *cg = &r->e.cg;
  LLVMValueRef position = ragged_position(r, node, point, 0);
  LLVMValueRef value = ragged_wide(r, ragged_computed(r, node, point));
  ragged_store(r, value, codegen_at(cg, cg->real, ragged_of(r, node)->base, position));
}

static void copy_to(struct ragged *r, const struct node *node, LLVMValueRef to) {
  ragged_each(r, node, copy_here, &(struct copy){.node = node, .to = to});
}

// As the part of a stored node that begins there along the axis, of which one element where the part lacks it.
static void copy_into(struct ragged *r, const struct node *part, const struct node *into, uint32_t axis,
                      LLVMValueRef begin) {
  struct copy copy = {
      .node = part, .to = ragged_of(r, into)->base, .into = into, .axis = axis, .begin = begin};
  struct node shape = *part;
  if (part->rank < into->rank) {
    shape = *into;
    shape.size[axis] = 1;
  }
  ragged_each(r, &shape, copy_here, &copy);
}

static void fill_with_zeros(struct ragged *r, const struct node *node) {
  ragged_each(r, node, copy_here,
              &(struct copy){.node = node, .zeros = true, .to = ragged_of(r, node)->base});
}

// The axis along which a padding is longer than what it pads, or any where it is not.
static uint32_t padded_axis(const struct node *node) {
  uint32_t axis = 0;
  while (axis + 1 < node->rank && node->size[axis] == node->operands[0]->size[axis])
    axis++;
  return axis;
}

static void draw(struct ragged *r, const struct node *node) {
  LLVMBuilderRef b = r->e.cg.builder;
  struct ragged_value *value = ragged_of(r, node);
  LLVMValueRef n = LLVMBuildAdd(b, ragged_elements(r, node), word(r, DRAWS_GROUP - 1), "");
  emit_draw_groups(&r->e, node, LLVMBuildUDiv(b, n, word(r, DRAWS_GROUP), ""), value->base);
  if (node_is_scalar(node) && node->op != NODE_DRAWS)
    value->number = codegen_load(&r->e.cg, r->e.cg.real, value->base);
}

static void compute(struct ragged *r, struct node *node) {
  struct ragged_value *value = ragged_of(r, node);
  if (node_is_reduction(node) || node->op == IR_OP_MATMUL) {
    ragged_fold(r, node);
    return;
  }
  if (value->home == RAGGED_NUMBER) {
    value->number = ragged_computed(r, node, &(struct ragged_point){.lane = -1});
    return;
  }
  switch (node->op) {
  case NODE_DRAWS:
  case NODE_NORMAL:
  case NODE_UNIFORM: draw(r, node); break;
  case IR_OP_CONCAT:
    for (uint32_t i = 0; i < node->n_operands; i++)
      copy_into(r, node->operands[i], node, node->axis, word(r, node->part_begin[i]));
    break;
  case IR_OP_PAD:
    fill_with_zeros(r, node);
    copy_into(r, node->operands[0], node, padded_axis(node), word(r, -node->map.begin[padded_axis(node)]));
    break;
  case IR_OP_PUT:
    fill_with_zeros(r, node);
    copy_into(r, node->operands[0], node, node->axis, value->index);
    break;
  default: ragged_each(r, node, compute_here, node);
  }
}

// ------------------------------------------------------------------------------------------------------- results

static void hand_out(struct ragged *r, const struct node *node, enum place_kind kind, uint32_t index) {
  const struct ragged_value *value = ragged_of(r, node);
  if (value->home == RAGGED_STORED && value->place.kind == kind && value->place.index == index)
    return;
  copy_to(r, node, kind == PLACE_SINK ? sink_address(r, index, node) : output_address(r, index, node));
}

struct addition {
  const struct node *node;
  LLVMValueRef base;     // of a list: its row offsets
  LLVMValueRef as_list;  // the gradients arena, NULL: no list
};

static void add_here(struct ragged *r, void *context, const struct ragged_point *point) {
  const struct addition *add = context;
  struct codegen *cg = &r->e.cg;
  LLVMValueRef base = add->as_list ? ragged_list_row(r, add->as_list, add->base, point->at[0]) : add->base;
  LLVMValueRef position = ragged_position(r, add->node, point, add->as_list != NULL);
  LLVMValueRef address = codegen_at(cg, cg->real, base, position);
  LLVMValueRef value = ragged_element(r, add->node, point);
  if (point->lane < 0) {
    LLVMValueRef sum = LLVMBuildFAdd(cg->builder, codegen_load(cg, cg->real, address), value, "");
    codegen_store(cg, sum, address);
    return;
  }
  LLVMValueRef sum = LLVMBuildFAdd(cg->builder, ragged_load(r, address), ragged_wide(r, value), "");
  ragged_store(r, sum, address);
}

// The forward block's parameter at a position among its tensors.
static bool is_list(const struct graph *graph, uint32_t position) {
  for (uint32_t i = 0; i < graph->forward->n_params; i++) {
    enum ir_type_kind kind = graph->forward->params[i]->type->kind;
    if ((kind == IR_TENSOR || kind == IR_LIST) && graph->positions[i] == position)
      return kind == IR_LIST;
  }
  return false;
}

static void add_gradient(struct ragged *r, const struct target *target) {
  LLVMValueRef arena = emit_gradients_base(&r->e);
  uint32_t input = target->place.index;
  struct addition add = {.node = target->node};
  if (is_list(r->graph, input)) {
    add.as_list = arena;
    add.base = list_offsets(r, input);
  } else {
    add.base = units_after(r, arena, of_row(r, EMIT_ROWS, input));
  }
  ragged_each(r, target->node, add_here, &add);
}

static void do_instance(struct ragged *r) {
  const struct graph *graph = r->graph;
  begin_instance(r);
  for (uint32_t i = 0; i < graph->n_nodes; i++)
    if (r->values[i].live && (r->values[i].home == RAGGED_NUMBER || r->values[i].home == RAGGED_STORED))
      compute(r, graph->nodes[i]);
  for (uint32_t i = 0; i < graph->n_outputs; i++)
    hand_out(r, graph->outputs[i], PLACE_OUTPUT, i);
  for (uint32_t i = 0; i < graph->n_sink_buffers; i++)
    hand_out(r, graph->sink_nodes[i], PLACE_SINK, i);
  for (uint32_t i = 0; i < graph->n_adds; i++)
    add_gradient(r, &graph->adds[i]);
}

void ragged_emit(struct ragged *r, LLVMModuleRef module, const struct cpu_features *cpu) {
  r->e = emission_new(r->graph);
  struct codegen *cg = &r->e.cg;
  codegen_init(cg, module, cpu, r->graph->element);
  LLVMValueRef kernel = emit_function_begin(&r->e, "kernel", false);
  struct codegen_loop loop;
  codegen_loop_begin(cg, &loop, LLVMGetParam(kernel, 1), LLVMGetParam(kernel, 2), word(r, 1), 0, NULL);
  r->e.row = loop.index;
  do_instance(r);
  codegen_loop_end(cg, &loop, NULL);
  emit_function_end(&r->e);
  codegen_free(cg);
}
