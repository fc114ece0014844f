// nnrun explain: the batches of a minibatch and why they are not fewer.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/cli/blocks.h"
#include "runtime/cli/run.h"

// The names of the blocks that ran, as the keys of an object.
static json_t *names_used(nn_session *session, size_t n_batches) {
  json_t *names = json_object();
  for (size_t i = 0; i < n_batches; i++)
    json_object_set_new(names, nn_session_batch(session, i).name, json_true());
  return names;
}

static const char *reason_name(int code, char name[16]) {
  snprintf(name, 16, "NNR%04d", code);
  return name;
}

static void print_json(const struct cli_run *run, size_t n_examples, size_t n, json_t *blocks) {
  json_t *list = json_array();
  for (size_t i = 0; i < n; i++) {
    nn_batch batch = nn_session_batch(run->session, i);
    json_t *entry = json_pack("{s:s, s:s, s:i, s:i, s:i, s:i, s:s}", "block", batch.name, "key", batch.key,
                              "rows", (int)batch.rows, "flush", (int)batch.flush, "phase", (int)batch.phase,
                              "level", (int)batch.level, "reason", batch.reason);
    char code[16];
    if (batch.reason_code)
      json_object_set_new(entry, "code", json_string(reason_name(batch.reason_code, code)));
    json_array_append_new(list, entry);
  }
  cli_print_json(json_pack("{s:I, s:I, s:I, s:I, s:I, s:o, s:O}", "examples", (json_int_t)n_examples, "nodes",
                           (json_int_t)nn_session_node_count(run->session), "instances",
                           (json_int_t)nn_session_instance_count(run->session), "n_batches", (json_int_t)n,
                           "lower_bound", (json_int_t)nn_session_batch_lower_bound(run->session), "batches",
                           list, "blocks", blocks));
}

static void print_words(const char *title, const json_t *words) {
  size_t i;
  json_t *word;
  if (json_array_size(words))
    fputs(title, stdout);
  json_array_foreach(words, i, word) printf("%s%s", i ? ", " : "", json_string_value(word));
}

static void print_blocks(const json_t *blocks) {
  size_t i;
  json_t *block;
  puts("\nblocks");
  json_array_foreach(blocks, i, block) {
    printf("  %-20s %-18s", json_string_value(json_object_get(block, "name")),
           json_string_value(json_object_get(block, "place")));
    print_words("  ", json_object_get(block, "operations"));
    print_words("  of ", json_object_get(block, "parameters"));
    putchar('\n');
  }
}

static const char *plural(size_t n) { return n == 1 ? "" : "s"; }

static void print_text(const struct cli_run *run, size_t n_examples, size_t n, const json_t *blocks) {
  size_t nodes = nn_session_node_count(run->session), least = nn_session_batch_lower_bound(run->session);
  size_t instances = nn_session_instance_count(run->session);
  printf("%zu example%s, %zu row%s of %zu block instance%s in %zu batch%s, mean size %.1f", n_examples,
         plural(n_examples), nodes, plural(nodes), instances, plural(instances), n, n == 1 ? "" : "es",
         n ? (double)nodes / (double)n : 0);
  if (n == least)
    puts("; no schedule has fewer batches");
  else
    printf("; no schedule has fewer than %zu\n", least);
  printf("\n%5s %7s  %-24s %s\n", "batch", "rows", "block",
         "why its rows did not join the batch before of their kind");
  bool coded = false;
  for (size_t i = 0; i < n; i++) {
    nn_batch batch = nn_session_batch(run->session, i);
    char code[16];
    printf("%5zu %7u  ", i, batch.rows);
    coded |= batch.reason_code != 0;
    if (*batch.reason)
      printf("%-24s %s  %s\n", batch.key, reason_name(batch.reason_code, code), batch.reason);
    else
      puts(batch.key);
  }
  if (coded)
    puts("\n`nnrun explain --reasons` explains the codes");
  print_blocks(blocks);
}

void cli_explain_reasons(void) {
  char code[16];
  for (size_t i = 0; i < nn_reason_count(); i++) {
    nn_reason reason = nn_reason_info(i);
    const char *batch = strstr(reason.text, "%u");
    printf("%s%s: %.*s%s%s\n\n%s", i ? "\n" : "", reason_name(reason.code, code),
           batch ? (int)(batch - reason.text) : (int)strlen(reason.text), reason.text, batch ? "N" : "",
           batch ? batch + 2 : "", reason.explanation);
  }
}

int cli_explain(const struct cli_options *options) {
  struct cli_run run;
  cli_run_begin(&run, options, "loss", true, false);
  cli_want_examples(&run);
  size_t size = cli_batch_size(&run, 0, run.n);
  nn_mode mode = options->mode == CLI_MODE_FORWARD ? NN_INFER : NN_TRAIN;
  cli_check(nn_session_run(run.session, run.entry, run.data, run.order, size, mode));
  cli_end_if_interrupted(&run, run.order, size);
  size_t n_failed = cli_report_failures(&run, run.data, run.order, size),
         n = nn_session_batch_count(run.session);
  cli_warn_of_parts(&run);
  json_t *names = names_used(run.session, n), *blocks = blocks_describe(run.model, names);
  if (options->json)
    print_json(&run, size, n, blocks);
  else
    print_text(&run, size, n, blocks);
  json_decref(blocks);
  json_decref(names);
  int status = cli_status(&run, n_failed, size, " and stand here as far as they got");
  cli_run_end(&run);
  return status;
}
