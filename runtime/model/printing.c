// The lines of `print`. They are written when a minibatch has run, in the order of its examples and within one in the order
// in which they came, so that what is written depends neither on threads nor on batches.
#include <stdlib.h>

#include "compiler/base/text.h"
#include "runtime/base/status.h"
#include "runtime/model/result.h"

// The instruction with this number; there may be several copies, which are alike.
static const struct ir_instr *find_print(const struct ir_module *module, uint32_t number) {
  for (uint32_t f = 0; f < module->n_functions; f++)
    for (const struct ir_bb *bb = module->functions[f]->entry; bb; bb = bb->next)
      for (const struct ir_instr *instr = bb->first; instr; instr = instr->next)
        if (instr->op == IR_PRINT && instr->integer == number)
          return instr;
  return NULL;
}

static bool is_known(const nn_session *session, const struct ir_type *type, uint64_t slot) {
  return type->kind != IR_TENSOR || session->minibatch.trace.value_row[(uint32_t)slot] != TRACE_NO_ROW;
}

static void write_line(const nn_session *session, const struct ir_instr *instr,
                       const struct example_print *print, const char *where, FILE *out) {
  const struct ir_module *module = session->model->module;
  fprintf(out, "%s: ", where);
  if (print->loc.line && print->loc.file < module->n_files)
    fprintf(out, "%s:%u: ", module->files[print->loc.file], print->loc.line);
  uint32_t value = 0;
  for (const char *c = instr->text; *c; c++) {
    if (*c != IR_TEXT_VALUE) {
      fputc(*c, out);
      continue;
    }
    const struct ir_type *type = instr->operands[value]->type;
    if (is_known(session, type, print->slots[value]))
      result_write(session, type, &print->slots[value], false, out);
    else
      fputs("(not computed)", out);
    value++;
  }
  fputc('\n', out);
}

nn_status *session_print(const nn_session *session, struct session_part part) {
  const struct ir_module *module = session->model->module;
  const struct ir_instr **found = NULL;
  nn_status *status = NULL;
  for (size_t i = part.first; i < part.first + part.n && !status; i++) {
    const struct example_print *print = session->examples[i].traced.host.prints;
    if (!print)
      continue;
    if (!found)
      found = calloc((size_t)module->n_prints + 1, sizeof *found);
    struct text text;
    FILE *out = found ? text_open(&text) : NULL;
    if (!out) {
      status = status_no_memory();
      break;
    }
    char where[300];
    session_position(session, i, where, sizeof where);
    for (; print; print = print->next) {
      if (!found[print->number])
        found[print->number] = find_print(module, print->number);
      if (found[print->number])
        write_line(session, found[print->number], print, where, out);
    }
    char *lines = text_close(&text);
    if (lines)
      fputs(lines, stderr);
    else
      status = status_no_memory();
    free(lines);
  }
  free(found);
  return status;
}
