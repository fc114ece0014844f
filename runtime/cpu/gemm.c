// Products over packed weights: which micro-kernels, in which blocks.
#include "runtime/cpu/gemm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/cpu/gemm_codegen.h"
#include "runtime/jit/jit.h"

// ------------------------------------------------------------------------------------------------- the table

// Widest block of that many rows whose accumulators leave room for weights and broadcasts; measured: 7 rows
// of 4 vectors and 3 rows of 8 spill.
static int largest_width(const struct cpu_features *cpu, int rows) {
  int registers = (int)cpu->vector_registers;
  const int room[GEMM_WIDTHS] = {registers - 3, registers - 4, registers - registers / 4, registers / 2};
  int width = GEMM_WIDTHS - 1;
  while (width > 0 && rows << width > room[width])
    width--;
  return width;
}

struct symbol {
  char name[24];
  int rows, vectors;
  void **slot;
};

#define MAX_SYMBOLS (GEMM_MAX_ROWS * GEMM_WIDTHS)

// The table is the largest piece of code that there is, and many threads that compile kernels wait for it: it comes in
// parts, and each thread begins with another.
enum { PARTS = 4 };

struct plan {
  const struct jit *jit;
  enum nn_element element;
  int part;
  int n;  // of all parts: symbol i is in part i % PARTS
  struct symbol symbols[MAX_SYMBOLS];
};

static void add_symbol(struct plan *plan, int rows, int vectors, void **slot) {
  struct symbol *symbol = &plan->symbols[plan->n++];
  *symbol = (struct symbol){"", rows, vectors, slot};
  snprintf(symbol->name, sizeof symbol->name, "gemm_%dx%d", rows, vectors);
}

static void plan_table(struct plan *plan, struct gemm_table *table) {
  const struct cpu_features *cpu = jit_cpu(plan->jit);
  table->element = plan->element;
  table->loops = loops_for(plan->element, cpu->simd);
  table->vector_bytes = cpu->vector_bytes;
  table->max_rows = ((int)cpu->vector_registers - 4) / 2;
  for (int rows = 1; rows <= table->max_rows; rows++) {
    table->width_limit[rows] = largest_width(cpu, rows);
    for (int width = 0; width <= table->width_limit[rows]; width++)
      // Function pointers and data pointers have one size wherever LLVM's JIT works.
      add_symbol(plan, rows, 1 << width, (void **)&table->micro[rows][width]);
  }
}

static bool build(void *context, LLVMModuleRef module, char **error) {
  (void)error;
  struct plan *plan = context;
  struct codegen cg;
  codegen_init(&cg, module, jit_cpu(plan->jit), plan->element);
  for (int i = plan->part; i < plan->n; i += PARTS) {
    const struct symbol *s = &plan->symbols[i];
    gemm_codegen_micro(&cg, s->name, s->rows, s->vectors);
    jit_set_attributes(plan->jit, cg.function);
  }
  codegen_free(&cg);
  return true;
}

static bool compile_part(struct jit *jit, struct plan *plan, int part, char **error) {
  const char *names[MAX_SYMBOLS];
  void *addresses[MAX_SYMBOLS];
  char key[24];
  snprintf(key, sizeof key, "gemm %s %d/%d", plan->element == NN_F32 ? "f32" : "f64", part, PARTS);
  plan->part = part;
  struct jit_request request = {.key = key, .build = build, .context = plan, .symbols = names};
  for (int i = part; i < plan->n; i += PARTS)
    names[request.n_symbols++] = plan->symbols[i].name;
  if (!jit_compile(jit, &request, addresses, error))
    return false;
  for (int i = part, n = 0; i < plan->n; i += PARTS)
    *plan->symbols[i].slot = addresses[n++];
  return true;
}

static bool compile_table(struct jit *jit, enum nn_element element, struct gemm_table *table, char **error) {
  unsigned turn = jit_turn(jit);
  struct plan plan = {.jit = jit, .element = element};
  plan_table(&plan, table);
  bool ok = true;
  for (unsigned i = 0; i < PARTS && ok; i++) {
    unsigned part = (turn / 2 + i) % PARTS;  // from either end, until they meet
    ok = compile_part(jit, &plan, (int)(turn % 2 ? PARTS - 1 - part : part), error);
  }
  return ok;
}

const struct gemm_table *gemm_table_get(struct jit *jit, enum nn_element element, char **error) {
  const char *name = element == NN_F32 ? "nn_gemm_table_f32" : "nn_gemm_table_f64";
  const struct gemm_table *known = jit_definition(jit, name);
  if (known != NULL)
    return known;
  struct gemm_table *table = calloc(1, sizeof *table);
  if (table == NULL) {
    *error = strdup("out of memory");
    return NULL;
  }
  if (!compile_table(jit, element, table, error)) {
    free(table);
    return NULL;
  }
  return jit_adopt(jit, name, table, error);
}

// ----------------------------------------------------------------------------------------------- the product

struct product {
  const struct gemm_table *table;
  int64_t k, panel_bytes, c_row_bytes, vectors;  // vectors of columns in all
};

// A block of rows x vectors of columns.
struct block {
  gemm_micro_fn *micro;
  int rows;
  int64_t bytes;  // of a row's columns
  const char *weights;
  char *c;
};

enum { BLOCK_BYTES = GEMM_MAX_ROWS * (1 << (GEMM_WIDTHS - 1)) * 64 };

// Steps [begin, end) of k, to a corner with rows so far apart. Few products are longer than a stretch: adding one up is no
// business of the kernels, of which there are dozens.
static void multiply_part(const struct product *p, const struct block *block, const void *const *x,
                          int64_t begin, int64_t end, char *c, int64_t c_row_bytes) {
  _Alignas(64) char stretch[BLOCK_BYTES];
  const void *rest[GEMM_MAX_ROWS];
  size_t n = (size_t)block->bytes / nn_element_bytes(p->table->element);
  for (int64_t at = begin; at < end; at += GEMM_STRETCH) {
    bool adds = at > begin;
    int64_t k = end - at < GEMM_STRETCH ? end - at : GEMM_STRETCH;
    for (int i = 0; i < block->rows; i++)
      rest[i] = (const char *)x[i] + (size_t)at * nn_element_bytes(p->table->element);
    block->micro(rest, block->weights + at * GEMM_PANEL_BYTES, adds ? stretch : c, k, p->panel_bytes,
                 adds ? block->bytes : c_row_bytes);
    for (int i = 0; i < block->rows && adds; i++)
      p->table->loops->add(c + i * c_row_bytes, stretch + i * block->bytes, n);
  }
}

static void multiply_long(const struct product *p, const struct block *block, const void *const *x) {
  _Alignas(64) char part[BLOCK_BYTES], lost[BLOCK_BYTES];
  const struct loops *loops = p->table->loops;
  size_t n = (size_t)block->bytes / nn_element_bytes(p->table->element);
  multiply_part(p, block, x, 0, p->k < GEMM_PART ? p->k : GEMM_PART, block->c, p->c_row_bytes);
  if (p->k <= GEMM_PART)
    return;
  memset(lost, 0, (size_t)(block->rows * block->bytes));
  for (int64_t begin = GEMM_PART; begin < p->k; begin += GEMM_PART) {
    multiply_part(p, block, x, begin, p->k - begin < GEMM_PART ? p->k : begin + GEMM_PART, part,
                  block->bytes);
    for (int i = 0; i < block->rows; i++)
      loops->add_kept(block->c + i * p->c_row_bytes, lost + i * block->bytes, part + i * block->bytes, n);
  }
  for (int i = 0; i < block->rows; i++)
    loops->keep_lost(block->c + i * p->c_row_bytes, lost + i * block->bytes, n);
}

// Columns from vector `from` on, as many before `limit` as the block's kernels take at once; gives the first
// vector not done. A kernel that is wider than a panel starts at a panel's beginning.
static int64_t run_block(const struct product *p, const void *const *x, int rows, int64_t from, int64_t limit,
                         const char *packed, char *c) {
  const struct gemm_table *table = p->table;
  int64_t in_panel = GEMM_PANEL_BYTES / table->vector_bytes, in = from % in_panel;
  int64_t room = limit - from < in_panel - in || in == 0 ? limit - from : in_panel - in;
  int width = table->width_limit[rows];
  while ((1 << width) > room)
    width--;
  const char *weights = packed + from / in_panel * p->panel_bytes + in * table->vector_bytes;
  struct block block = {.micro = table->micro[rows][width],
                        .rows = rows,
                        .bytes = (1 << width) * table->vector_bytes,
                        .weights = weights,
                        .c = c + from * table->vector_bytes};
  if (p->k <= GEMM_STRETCH)
    block.micro(x, weights, block.c, p->k, p->panel_bytes, p->c_row_bytes);
  else
    multiply_long(p, &block, x);
  return from + (1 << width);
}

void gemm_run(const struct gemm_table *table, const void *const *x, int64_t m, int64_t k, int64_t columns,
              const void *packed, void *c, int64_t c_row_bytes) {
  int64_t lanes = table->vector_bytes / (int64_t)nn_element_bytes(table->element);
  struct product p = {table, k, k * GEMM_PANEL_BYTES, c_row_bytes, (columns + lanes - 1) / lanes};
  int64_t blocks = (m + table->max_rows - 1) / table->max_rows;
  // Several blocks share a panel while it is in the first-level cache; a single one may take more panels at
  // once.
  int64_t in_panel = GEMM_PANEL_BYTES / table->vector_bytes, stretch = blocks == 1 ? p.vectors : in_panel;
  for (int64_t from = 0; from < p.vectors; from += stretch) {
    int64_t limit = from + stretch < p.vectors ? from + stretch : p.vectors;
    for (int64_t block = 0, row = 0; block < blocks; block++) {
      int64_t rows = (m - row + blocks - block - 1) / (blocks - block);  // nearly equal blocks
      for (int64_t at = from; at < limit;)
        at = run_block(&p, x + row, (int)rows, at, limit, packed, (char *)c + row * c_row_bytes);
      row += rows;
    }
  }
}
