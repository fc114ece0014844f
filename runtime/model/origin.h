// Where numbers that are not finite come from: shared by origin.c, which explains results, and
// origin_gradient.c, which explains gradients.
//
// The blocks of one example are evaluated anew by the slow reference, and from the number to be explained the
// search goes back over operands that are not finite either, to the first operation that made it.
#ifndef NN_RUNTIME_MODEL_ORIGIN_H
#define NN_RUNTIME_MODEL_ORIGIN_H

#include "runtime/kernel/reference.h"
#include "runtime/model/session.h"

// The worst number of an array.
nn_finiteness origin_worst(const double *x, int64_t n);

// One row of an instance, or its adjoint, under the reference.
struct origin_run {
  const nn_session *session;
  const struct trace_row *row;
  const struct ir_block *block;  // forward block or adjoint
  struct reference in;
  double **tensors, **outputs;  // [param], [output]
  int64_t *integers;
  double *numbers;
  uint8_t *classes;               // [value id] nn_finiteness, once it has run
  int64_t sizes[IR_MAX_RUNTIME];  // [number - 1] run-time sizes of the row
  // The operands that led `sampled` to what is not finite, taken down while it runs.
  const struct ir_instr *sampled;
  nn_finiteness wanted;
  double operands[2];
  uint32_t n_operands;
};

// Prepares a run of the forward block of a row; its tensors are copied from the session's rows. In an
// adjoint the caller fills in tensors of the parameters beyond them. false without memory; origin_close in any
// case.
bool origin_open(struct origin_run *, const nn_session *, const struct trace_row *, const struct ir_block *);
void origin_close(struct origin_run *);
// Elements of a tensor that goes in or out of the block, or of a list's stack.
uint64_t origin_elements(const struct origin_run *, const struct ir_block *, const struct ir_value *);
// Of a value of the trace.
uint32_t origin_value_elements(const nn_session *, uint32_t value);
void origin_evaluate(struct origin_run *);
// From a value that is not finite back to the instruction that made it; NULL with *param when it was handed in.
const struct ir_instr *origin_instr(const struct origin_run *, const struct ir_value *, nn_finiteness wanted,
                                    uint32_t *param);
// The operand that is infinite, if there is one: what a nan may have been made of.
const struct ir_value *origin_infinite(const struct origin_run *, const struct ir_instr *);
// "`log` of -1, at model.nn:4:32 in block loss.1 (model.nn:3)", written behind what `text` holds.
void origin_describe(struct origin_run *, const struct ir_instr *, nn_finiteness wanted, bool derivative,
                     char *text, size_t size);
const char *origin_name(nn_finiteness);  // "nan", "inf"

#endif
