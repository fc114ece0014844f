#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/cli/blocks.h"
#include "runtime/cli/run.h"

struct graph {
  FILE *out;
  const nn_model *model;
  nn_session *session;
  size_t n_examples;
};

static void print_label(FILE *out, const char *text) {
  for (; *text; text++) {
    if (*text == '"' || *text == '\\') fputc('\\', out);
    fputc(*text, out);
  }
}

// Light colours that tell neighbouring examples apart, also for who does not see red and green as different
// (Okabe & Ito 2008, lightened).
static const char *colour_of(uint32_t example) {
  static const char *const colours[] = {"#cfe8f7", "#fbe3b9", "#cdeadf", "#f3d3e4",
                                        "#fdf6c3", "#f7d5c1", "#dcdcdc"};
  return colours[example % (sizeof colours / sizeof *colours)];
}

static void print_node(const struct graph *graph, size_t i, const char *indent) {
  nn_node node = nn_session_node(graph->session, i);
  char place[300];
  blocks_place(graph->model, node.name, place, sizeof place);
  fprintf(graph->out, "%sn%zu [label=\"", indent, i);
  print_label(graph->out, node.name);
  if (*place) {
    fputs("\\n", graph->out);
    print_label(graph->out, place);
  }
  fputs("\\n", graph->out);
  print_label(graph->out, node.shape);
  fputc('"', graph->out);
  if (graph->n_examples > 1) fprintf(graph->out, ", fillcolor=\"%s\"", colour_of(node.example));
  if (node.result) fputs(", penwidth=2", graph->out);
  fputs("];\n", graph->out);
}

// A frame per batch, its instances side by side. An invisible edge from each to the next keeps them in the
// order in which they run.
static void print_batches(const struct graph *graph) {
  size_t n = nn_session_node_count(graph->session), before = n;
  for (size_t b = 0; b < nn_session_batch_count(graph->session); b++) {
    nn_batch batch = nn_session_batch(graph->session, b);
    fprintf(graph->out, "  subgraph cluster_%zu {\n    label=\"batch %zu: ", b, b);
    print_label(graph->out, batch.key);
    fprintf(graph->out, ", %u row%s\";\n    rank=same;\n", batch.rows, batch.rows == 1 ? "" : "s");
    size_t first = n;
    for (size_t i = 0; i < n; i++) {
      if (nn_session_node(graph->session, i).batch != b) continue;
      print_node(graph, i, "    ");
      if (first == n) first = i;
    }
    fputs("  }\n", graph->out);
    if (before < n && first < n) fprintf(graph->out, "  n%zu -> n%zu [style=invis];\n", before, first);
    before = first;
  }
}

// One edge from each instance whose results are read, however many of them.
static void print_edges(const struct graph *graph) {
  for (size_t i = 0; i < nn_session_node_count(graph->session); i++) {
    nn_node node = nn_session_node(graph->session, i);
    for (uint32_t k = 0; k < node.n_inputs; k++) {
      uint32_t earlier = 0, same = 0;
      for (uint32_t j = 0; j < node.n_inputs; j++) {
        same += node.inputs[j] == node.inputs[k];
        earlier += j < k && node.inputs[j] == node.inputs[k];
      }
      if (earlier) continue;
      fprintf(graph->out, "  n%u -> n%zu", node.inputs[k], i);
      if (same > 1) fprintf(graph->out, " [penwidth=%u]", same < 3 ? same : 3);
      fputs(";\n", graph->out);
    }
  }
}

static void print_graph(const struct graph *graph, bool batches) {
  fputs(
      "digraph trace {\n"
      "  newrank=true; ranksep=0.35; nodesep=0.15; fontname=\"Helvetica\"; fontsize=10;\n"
      "  labeljust=l; color=gray60; fontcolor=gray30;\n"
      "  node [shape=box, style=\"rounded,filled\", fillcolor=white, fontname=\"Helvetica\", fontsize=10, "
      "margin=\"0.08,0.04\"];\n"
      "  edge [arrowsize=0.5, color=gray40];\n",
      graph->out);
  if (batches) print_batches(graph);
  else
    for (size_t i = 0; i < nn_session_node_count(graph->session); i++) print_node(graph, i, "  ");
  print_edges(graph);
  fputs("}\n", graph->out);
}

int cli_graph(const struct cli_options *options) {
  struct cli_run run;
  cli_check_writable(options->out);
  cli_run_begin(&run, options, "loss", true, false);
  cli_want_examples(&run);
  size_t first = (size_t)options->example;
  if (first >= run.n) cli_fail("there is no example %zu: the data has %zu, counted from 0", first, run.n);
  size_t n = cli_batch_size(&run, first, run.n);
  cli_check(nn_session_run(run.session, run.entry, run.data, run.order + first, n, NN_INFER));
  cli_end_if_interrupted(&run, run.order + first, n);
  if (cli_report_failures(&run, run.data, run.order + first, n)) exit(1);
  struct graph graph = {stdout, run.model, run.session, n};
  if (options->out && !(graph.out = fopen(options->out, "w")))
    cli_fail("%s: %s", options->out, strerror(errno));
  print_graph(&graph, !options->before);
  if (options->out && (ferror(graph.out) | fclose(graph.out)))
    cli_fail("%s: could not be written: %s", options->out, strerror(errno));
  cli_run_end(&run);
  return 0;
}
