// Short helpers that build an instruction, infer its type and append it: for lowering and the passes.
//
// A builder points at the place of work: a basic block of a host function (`function` and `bb`), or a block
// (`block`). Results get fresh ids there, and `loc` is every new instruction's position. It owns nothing;
// copy and change it freely. A shape that does not fit is a bug of the caller, whose input was checked: the
// helpers abort with a message.
#ifndef NN_COMPILER_IR_IR_BUILDER_H
#define NN_COMPILER_IR_IR_BUILDER_H

#include "compiler/ir/ir.h"

struct ir_builder {
  struct ir_module *module;
  struct ir_function *function;  // with bb
  struct ir_bb *bb;              // NULL when the builder fills `block`
  struct ir_block *block;
  struct ir_instr *before;  // new instructions go before this one; NULL: at the end
  struct ir_loc loc;
};

struct ir_builder ir_builder_at(struct ir_module *, struct ir_function *, struct ir_bb *, struct ir_loc);
struct ir_builder ir_builder_in_block(struct ir_module *, struct ir_block *, struct ir_loc);

// An instruction with these operands and results, appended; its attributes are still to be set. Any
// operation.
struct ir_instr *ir_build(struct ir_builder *, enum ir_op, uint32_t n_operands,
                          struct ir_value *const *operands, uint32_t n_results,
                          const struct ir_type *const *result_types);
// One result.
struct ir_value *ir_build_value(struct ir_builder *, enum ir_op, uint32_t n_operands,
                                struct ir_value *const *operands, const struct ir_type *result);

// Tensor operations whose shape is inferred and that have no attributes. The index operand, where there is
// one, is last.
struct ir_value *ir_build_tensor(struct ir_builder *, enum ir_op, uint32_t n_operands,
                                 struct ir_value *const *operands);
struct ir_value *ir_build_unary(struct ir_builder *, enum ir_op, struct ir_value *a);
struct ir_value *ir_build_over(struct ir_builder *, enum ir_op, struct ir_value *a,
                               uint32_t axis);  // attribute
struct ir_value *ir_build_binary(struct ir_builder *, enum ir_op, struct ir_value *a, struct ir_value *b);
// With attributes, or with a written shape.
struct ir_value *ir_build_matmul(struct ir_builder *, struct ir_value *a, bool transpose_a,
                                 struct ir_value *b, bool transpose_b);
// `axis`: 0 is the first.
struct ir_value *ir_build_concat(struct ir_builder *, uint32_t n, struct ir_value *const *parts,
                                 uint32_t axis);
struct ir_value *ir_build_slice(struct ir_builder *, struct ir_value *a, const struct size *offset,
                                const struct size *length, uint32_t axis);
struct ir_value *ir_build_pad(struct ir_builder *, struct ir_value *a, const struct size *offset,
                              const struct ir_type *shape, uint32_t axis);
struct ir_value *ir_build_permute(struct ir_builder *, struct ir_value *a, int64_t order);
struct ir_value *ir_build_reshape(struct ir_builder *, struct ir_value *a, const struct ir_type *shape);
// The element of an axis, which is gone; or `length` elements of it.
struct ir_value *ir_build_take(struct ir_builder *, struct ir_value *a, struct ir_value *index,
                               uint32_t axis);
struct ir_value *ir_build_window(struct ir_builder *, struct ir_value *a, struct ir_value *index,
                                 const struct size *length, uint32_t axis);
struct ir_value *ir_build_put(struct ir_builder *, struct ir_value *a, struct ir_value *index,
                              const struct ir_type *shape, uint32_t axis);
struct ir_value *ir_build_broadcast(struct ir_builder *, struct ir_value *a, const struct ir_type *shape,
                                    uint32_t axis);
struct ir_value *ir_build_onehot(struct ir_builder *, struct ir_value *index, const struct ir_type *shape);
struct ir_value *ir_build_constant(struct ir_builder *, double value, const struct ir_type *shape);
struct ir_value *ir_build_scalar_constant(struct ir_builder *, double value);
struct ir_value *ir_build_dropout(struct ir_builder *, struct ir_value *a, double p, uint32_t site);
// normal_like, uniform_like
struct ir_value *ir_build_draw(struct ir_builder *, enum ir_op, struct ir_value *like, uint32_t site);
// member: the int that chooses from a family, NULL for a single parameter.
struct ir_value *ir_build_param(struct ir_builder *, uint32_t param, struct ir_value *member);

// Sinks of an adjoint block. `index` and `member` as in ops.def; member NULL for a single parameter.
void ir_build_d_input(struct ir_builder *, uint32_t input, struct ir_value *gradient);
void ir_build_d_outer(struct ir_builder *, uint32_t param, struct ir_value *a, struct ir_value *b,
                      struct ir_value *member);
void ir_build_d_param(struct ir_builder *, uint32_t param, struct ir_value *gradient,
                      struct ir_value *member);
void ir_build_d_row(struct ir_builder *, uint32_t param, struct ir_value *gradient, struct ir_value *index,
                    struct ir_value *member);

// Host operations.
struct ir_value *ir_build_int(struct ir_builder *, int64_t value);
struct ir_value *ir_build_bool(struct ir_builder *, bool value);
struct ir_value *ir_build_float(struct ir_builder *, double value);
struct ir_value *ir_build_index(struct ir_builder *, uint32_t dim, int64_t value);
struct ir_value *ir_build_text(struct ir_builder *, const char *text);         // the text is copied
struct ir_value *ir_build_size(struct ir_builder *, const struct size *size);  // an int
// Arithmetic and comparisons; the result's type follows from the operation.
struct ir_value *ir_build_host1(struct ir_builder *, enum ir_op, struct ir_value *a);
struct ir_value *ir_build_host2(struct ir_builder *, enum ir_op, struct ir_value *a, struct ir_value *b);
struct ir_value *ir_build_data_new(struct ir_builder *, uint32_t data, uint32_t constructor, uint32_t n_slots,
                                   struct ir_value *const *slots);
struct ir_value *ir_build_data_tag(struct ir_builder *, struct ir_value *data);
struct ir_value *ir_build_data_get(struct ir_builder *, struct ir_value *data, uint32_t constructor,
                                   uint32_t slot);
// The results are one per flattened slot or function result: `instr->results`.
struct ir_instr *ir_build_list_get(struct ir_builder *, struct ir_value *list, struct ir_value *index);
struct ir_instr *ir_build_call(struct ir_builder *, uint32_t function, uint32_t n_args,
                               struct ir_value *const *args);

// Terminators.
void ir_build_br(struct ir_builder *, struct ir_bb *target, uint32_t n_args, struct ir_value *const *args);
void ir_build_return(struct ir_builder *, uint32_t n, struct ir_value *const *values);

#endif
