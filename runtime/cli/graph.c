#include <stdio.h>
#include <stdlib.h>

#include "runtime/cli/run.h"

static void print_label(FILE *out, const char *text) {
  for (; *text; text++) {
    if (*text == '"' || *text == '\\') fputc('\\', out);
    fputc(*text, out);
  }
}

static void print_node(FILE *out, nn_session *session, size_t i, const char *indent) {
  nn_node node = nn_session_node(session, i);
  fprintf(out, "%sn%zu [label=\"", indent, i);
  print_label(out, node.name);
  fputs("\\n", out);
  print_label(out, node.shape);
  fprintf(out, "\"%s];\n", node.result ? ", penwidth=2" : "");
}

// One box per instance; with batches, the instances that ran together stand in one frame.
static void print_graph(FILE *out, nn_session *session, bool batches) {
  fputs("digraph trace {\n  rankdir=BT;\n  node [shape=box, style=rounded, fontname=\"Helvetica\", fontsize=10];\n"
        "  edge [arrowsize=0.6];\n", out);
  size_t n = nn_session_node_count(session);
  if (!batches)
    for (size_t i = 0; i < n; i++) print_node(out, session, i, "  ");
  for (size_t b = 0; batches && b < nn_session_batch_count(session); b++) {
    nn_batch batch = nn_session_batch(session, b);
    fprintf(out, "  subgraph cluster_%zu {\n    label=\"batch %zu: ", b, b);
    print_label(out, batch.key);
    fprintf(out, " x %u\";\n    color=gray60; fontname=\"Helvetica\"; fontsize=9;\n", batch.rows);
    for (size_t i = 0; i < n; i++)
      if (nn_session_node(session, i).batch == b) print_node(out, session, i, "    ");
    fputs("  }\n", out);
  }
  for (size_t i = 0; i < n; i++) {
    nn_node node = nn_session_node(session, i);
    for (uint32_t k = 0; k < node.n_inputs; k++) fprintf(out, "  n%u -> n%zu;\n", node.inputs[k], i);
  }
  fputs("}\n", out);
}

int cli_graph(const struct cli_options *options) {
  struct cli_run run;
  cli_run_begin(&run, options, "loss", true, false);
  if ((size_t)options->example >= run.n)
    cli_fail("there is no example %lld: %s has %zu, counted from 0", (long long)options->example, options->data[0], run.n);
  cli_check(nn_session_run(run.session, run.entry, run.data, run.order + options->example, 1, NN_INFER));
  if (cli_report_failures(&run, run.data, run.order + options->example, 1)) exit(1);
  FILE *out = options->out ? fopen(options->out, "w") : stdout;
  if (!out) cli_fail("%s: cannot be written", options->out);
  print_graph(out, run.session, options->after);
  if (fflush(out) || ferror(out)) cli_fail("%s: cannot be written", options->out ? options->out : "standard output");
  if (options->out) fclose(out);
  cli_run_end(&run);
  return 0;
}
