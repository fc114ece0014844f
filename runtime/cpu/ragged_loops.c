// Ragged blocks: loops whose bounds may be known at run time only.
#include <string.h>

#include "runtime/cpu/ragged.h"

static LLVMValueRef word(struct ragged *r, int64_t value) { return codegen_word(&r->e.cg, value); }

static LLVMValueRef whole_units(struct ragged *r, LLVMValueRef n, int64_t unit) {
  LLVMBuilderRef b = r->e.cg.builder;
  return LLVMBuildMul(b, LLVMBuildUDiv(b, n, word(r, unit), ""), word(r, unit), "");
}

static void in_steps(struct ragged *r, LLVMValueRef from, LLVMValueRef to, int64_t step, unsigned width,
                     ragged_block_fn *fn, void *context) {
  struct codegen_loop loop;
  codegen_loop_begin_guarded(&r->e.cg, &loop, from, to, word(r, step), 0, NULL);
  fn(r, context, loop.index, width);
  codegen_loop_end(&r->e.cg, &loop, NULL);
}

// The lanes of a vector that begins at `from` and are before `to`.
static LLVMValueRef mask_before(struct ragged *r, LLVMValueRef from, LLVMValueRef to) {
  struct codegen *cg = &r->e.cg;
  LLVMValueRef left = LLVMBuildTrunc(cg->builder, LLVMBuildSub(cg->builder, to, from, ""), cg->int32, "");
  return LLVMBuildICmp(cg->builder, LLVMIntSLT, codegen_iota(cg, cg->lanes),
                       codegen_splat(cg, left, cg->lanes), "");
}

void ragged_blocks(struct ragged *r, int64_t size, bool lanes, unsigned width, ragged_block_fn *fn,
                   void *context) {
  int64_t unit = lanes ? r->e.cg.lanes : 1, step = unit * width;
  LLVMValueRef n = ragged_size(r, size), wide = whole_units(r, n, step), whole = whole_units(r, n, unit);
  if (size < 0 || size >= step)
    in_steps(r, word(r, 0), wide, step, width, fn, context);
  if (size < 0 && width > 1)
    in_steps(r, wide, whole, unit, 1, fn, context);
  else if (size > 0 && size % step >= unit)
    fn(r, context, wide, (unsigned)(size % step / unit));
  if (unit == 1 || (size > 0 && size % unit == 0))
    return;
  // Once at most.
  struct codegen_loop loop;
  codegen_loop_begin_guarded(&r->e.cg, &loop, whole, n, word(r, unit), 0, NULL);
  r->mask = mask_before(r, loop.index, n);
  fn(r, context, loop.index, 1);
  r->mask = NULL;
  codegen_loop_end(&r->e.cg, &loop, NULL);
}

struct nest {
  const struct node *shape;
  uint32_t axis;
  struct ragged_point point;
  ragged_point_fn *fn;
  void *context;
};

static void next_axis(struct ragged *r, void *context, LLVMValueRef first, unsigned width) {
  struct nest nest = *(const struct nest *)context;
  (void)width;
  nest.point.at[nest.axis++] = first;
  if (nest.axis == nest.shape->rank)
    nest.fn(r, nest.context, &nest.point);
  else
    ragged_blocks(r, nest.shape->size[nest.axis], nest.axis + 1 == nest.shape->rank, 1, next_axis, &nest);
}

void ragged_each(struct ragged *r, const struct node *shape, ragged_point_fn *fn, void *context) {
  struct nest nest = {.shape = shape, .fn = fn, .context = context};
  nest.point.lane = (int)shape->rank - 1;
  if (shape->rank == 0)
    fn(r, context, &nest.point);
  else
    ragged_blocks(r, shape->size[0], shape->rank == 1, 1, next_axis, &nest);
}
