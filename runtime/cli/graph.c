// nnrun graph: the trace as Graphviz DOT. A box is an instance with all rows that one example has of it, as the elements of
// a batch are, `{32x12}`, or each row is one.
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
  size_t n;        // nodes
  uint32_t *box;   // [node] the first node of its box
  uint32_t *rows;  // [node] of the box that it is the first of; 0 for the others
  // The nodes box by box: those of the box of node i are by_box[first[i]] up to by_box[first[i + 1]].
  uint32_t *by_box, *first;
};

// ---- Boxes ---------------------------------------------------------------------------------------------

static void *allocate(size_t n, size_t size) {
  void *memory = calloc(n + 1, size);
  if (!memory)
    cli_fail("out of memory");
  return memory;
}

static void find_boxes(struct graph *graph, bool single_rows) {
  size_t n = graph->n = nn_session_node_count(graph->session);
  graph->box = allocate(n, sizeof *graph->box);
  graph->rows = allocate(n, sizeof *graph->rows);
  graph->by_box = allocate(n, sizeof *graph->by_box);
  graph->first = allocate(n + 1, sizeof *graph->first);
  // Of each example the box of an instance that was met last: nodes of several examples may alternate.
  size_t n_instances = nn_session_instance_count(graph->session);
  uint32_t *last = allocate(n_instances, sizeof *last), *before = allocate(n, sizeof *before);
  uint32_t *example = allocate(n, sizeof *example);
  for (size_t i = 0; i < n; i++) {
    nn_node node = nn_session_node(graph->session, i);
    uint32_t box = last[node.instance];
    example[i] = node.example;
    while (box && !single_rows && example[box - 1] != node.example)
      box = before[box - 1];
    if (!box || single_rows) {
      before[i] = last[node.instance];
      box = last[node.instance] = (uint32_t)i + 1;
    }
    graph->box[i] = box - 1;
    graph->rows[box - 1]++;
    graph->first[box]++;
  }
  for (size_t i = 0; i < n; i++)
    graph->first[i + 1] += graph->first[i];
  uint32_t *end = before;  // where the next node of a box goes
  for (size_t i = 0; i < n; i++)
    end[i] = graph->first[i];
  for (size_t i = 0; i < n; i++)
    graph->by_box[end[graph->box[i]]++] = (uint32_t)i;
  free(last);
  free(before);
  free(example);
}

static void free_boxes(struct graph *graph) {
  free(graph->box);
  free(graph->rows);
  free(graph->by_box);
  free(graph->first);
}

// ---- Text ----------------------------------------------------------------------------------------------

static void print_label(FILE *out, const char *text) {
  for (; *text; text++) {
    if (*text == '"' || *text == '\\')
      fputc('\\', out);
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

// "{4,128}", or "{4,128x12}" of twelve rows.
static void print_shape(const struct graph *graph, const char *shape, uint32_t rows) {
  for (; *shape; shape++) {
    if (*shape == '}' && rows > 1)
      fprintf(graph->out, "x%u", rows);
    fputc(*shape, graph->out);
  }
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
  print_shape(graph, node.shape, graph->rows[i]);
  fputc('"', graph->out);
  if (graph->n_examples > 1)
    fprintf(graph->out, ", fillcolor=\"%s\"", colour_of(node.example));
  bool result = false;
  for (uint32_t k = graph->first[i]; k < graph->first[i + 1]; k++)
    result |= nn_session_node(graph->session, graph->by_box[k]).result;
  if (result)
    fputs(", penwidth=2", graph->out);
  fputs("];\n", graph->out);
}

// The instances in the order of their batches: those of batch b are order[first[b]] to order[first[b + 1] -
// 1].
struct order {
  size_t *first, *order;
};

static struct order order_by_batch(const struct graph *graph) {
  size_t n = graph->n, n_batches = nn_session_batch_count(graph->session);
  struct order by = {allocate(n_batches + 1, sizeof *by.first), allocate(n, sizeof *by.order)};
  for (size_t i = 0; i < n; i++)
    by.first[nn_session_node(graph->session, i).batch + 2]++;
  for (size_t b = 2; b < n_batches + 2; b++)
    by.first[b] += by.first[b - 1];
  // first[b + 1] counts up from where batch b begins to where it ends.
  for (size_t i = 0; i < n; i++)
    by.order[by.first[nn_session_node(graph->session, i).batch + 1]++] = i;
  return by;
}

// A frame per batch, its instances side by side. An invisible edge from each to the next keeps them in the
// order in which they run.
static void print_batches(const struct graph *graph) {
  struct order by = order_by_batch(graph);
  for (size_t b = 0; b < nn_session_batch_count(graph->session); b++) {
    nn_batch batch = nn_session_batch(graph->session, b);
    fprintf(graph->out, "  subgraph cluster_%zu {\n    label=\"batch %zu: ", b, b);
    print_label(graph->out, batch.key);
    fprintf(graph->out, ", %u row%s\";\n    rank=same;\n", batch.rows, batch.rows == 1 ? "" : "s");
    for (size_t k = by.first[b]; k < by.first[b + 1]; k++)
      if (graph->box[by.order[k]] == by.order[k])
        print_node(graph, by.order[k], "    ");
    fputs("  }\n", graph->out);
    if (b)
      fprintf(graph->out, "  n%u -> n%u [style=invis];\n", graph->box[by.order[by.first[b - 1]]],
              graph->box[by.order[by.first[b]]]);
  }
  free(by.first);
  free(by.order);
}

// One edge from each box whose results are read, however many of them.
static void print_edges(const struct graph *graph) {
  uint32_t *times = allocate(graph->n, sizeof *times);  // [box] a row of it is read by the current one
  uint32_t *read = allocate(graph->n, sizeof *read);    // those with times above 0
  for (size_t i = 0; i < graph->n; i++) {
    uint32_t n_read = 0;
    for (uint32_t k = graph->first[i]; k < graph->first[i + 1]; k++) {
      nn_node node = nn_session_node(graph->session, graph->by_box[k]);
      for (uint32_t t = 0; t < node.n_inputs; t++)
        if (times[graph->box[node.inputs[t]]]++ == 0)
          read[n_read++] = graph->box[node.inputs[t]];
    }
    for (uint32_t k = 0; k < n_read; k++) {
      // As often as a row reads them.
      uint32_t from = read[k], same = times[from] / graph->rows[i];
      times[from] = 0;
      fprintf(graph->out, "  n%u -> n%zu", from, i);
      if (same > 1)
        fprintf(graph->out, " [penwidth=%u]", same < 3 ? same : 3);
      fputs(";\n", graph->out);
    }
  }
  free(times);
  free(read);
}

static void print_graph(const struct graph *graph, bool batches) {
  fputs("digraph trace {\n"
        "  newrank=true; ranksep=0.35; nodesep=0.15; fontname=\"Helvetica\"; fontsize=10;\n"
        "  labeljust=l; color=gray60; fontcolor=gray30;\n"
        "  node [shape=box, style=\"rounded,filled\", fillcolor=white, fontname=\"Helvetica\", fontsize=10, "
        "margin=\"0.08,0.04\"];\n"
        "  edge [arrowsize=0.5, color=gray40];\n",
        graph->out);
  if (batches)
    print_batches(graph);
  else
    for (size_t i = 0; i < graph->n; i++)
      if (graph->box[i] == i)
        print_node(graph, i, "  ");
  print_edges(graph);
  fputs("}\n", graph->out);
}

int cli_graph(const struct cli_options *options) {
  struct cli_run run;
  cli_check_writable(options->out);
  cli_run_begin(&run, options, "loss", true, false);
  cli_want_examples(&run);
  size_t first = (size_t)options->example;
  if (first >= run.n)
    cli_fail("there is no example %zu: the data has %zu, counted from 0", first, run.n);
  size_t n = cli_batch_size(&run, first, run.n);
  cli_check(nn_session_run(run.session, run.entry, run.data, run.order + first, n, NN_INFER));
  cli_end_if_interrupted(&run, run.order + first, n);
  size_t n_failed = cli_report_failures(&run, run.data, run.order + first, n);
  if (cli_status(&run, n_failed, n, " and would stand here as far as they got"))
    exit(1);
  cli_warn_of_parts(&run);
  struct graph graph = {.out = stdout, .model = run.model, .session = run.session, .n_examples = n};
  if (options->out && !(graph.out = fopen(options->out, "w")))
    cli_fail("%s: %s", options->out, strerror(errno));
  find_boxes(&graph, options->rows);
  print_graph(&graph, !options->before);
  free_boxes(&graph);
  if (options->out && (ferror(graph.out) | fclose(graph.out)))
    cli_fail("%s: could not be written: %s", options->out, strerror(errno));
  cli_run_end(&run);
  return 0;
}
