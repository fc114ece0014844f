// nnrun run: one function on one example that is typed in.
#include <stdlib.h>

#include "runtime/cli/run.h"
#include "runtime/model/result.h"

// `words: [Word] = [the, cat]`
static void print_arguments(const struct cli_run *run) {
  const struct ir_module *module = run->model->module;
  for (uint32_t i = 0; i < run->data->n_columns; i++) {
    const struct dataset_column *column = &run->data->columns[i];
    char *type = model_type_text(module, column->type);
    if (!type)
      cli_fail("out of memory");
    printf("%s: %s = ", column->name, type);
    result_write_argument(run->session, column->type, run->data->slots + column->first_slot,
                          run->options->full, stdout);
    putchar('\n');
    free(type);
  }
}

static void print_json(const struct cli_run *run) {
  char *result = nn_session_json(run->session, 0);
  if (!result)
    cli_fail("out of memory");
  puts(result);
  free(result);
}

static void print_result(const struct cli_run *run) {
  const nn_session *session = run->session;
  printf("%s: %s = ", nn_model_entry_name(run->model, run->entry),
         nn_model_entry_result(run->model, run->entry));
  result_write(session, session->entry->result, session->examples[0].run.results, run->options->full, stdout);
  putchar('\n');
}

int cli_run_one(const struct cli_options *options) {
  struct cli_run run;
  size_t example = 0;
  cli_run_open(&run, options, "predict", false, false);
  cli_check(nn_dataset_parse(run.model, run.entry, options->values, options->n_values, &run.data));
  interrupt_watch(nn_session_compiling(run.session));
  interrupt_catch(false);
  if (!options->json)
    print_arguments(&run);
  cli_check(nn_session_run(run.session, run.entry, run.data, &example, 1, NN_INFER));
  cli_end_if_interrupted(&run, &example, 1);
  const char *error = nn_session_error(run.session, 0);
  if (error)
    cli_warn("%s", error);
  else if (options->json)
    print_json(&run);
  else
    print_result(&run);
  bool is_nan = nn_session_finiteness(run.session, 0) == NN_NAN;
  cli_report_not_finite(&run, run.entry, run.data, &example, 1);
  cli_run_end(&run);
  return error || is_nan ? 1 : 0;
}
