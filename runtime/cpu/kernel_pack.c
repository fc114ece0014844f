// Packed copies of parameters: the layout that gemm.h describes.
#include <string.h>

#include "runtime/cpu/gemm.h"
#include "runtime/kernel/kernel.h"

typedef float f32x4 __attribute__((vector_size(16), aligned(4)));
typedef double f64x2 __attribute__((vector_size(16), aligned(8)));

// Columns of the product's right side and the length of its sums.
static void product_shape(enum kernel_layout layout, int64_t rows, int64_t columns, int64_t *n, int64_t *k) {
  *n = layout == KERNEL_PACKED ? rows : columns;
  *k = layout == KERNEL_PACKED ? columns : rows;
}

size_t kernel_packed_bytes(enum kernel_layout layout, enum nn_element element, int64_t rows,
                           int64_t columns) {
  if (layout == KERNEL_NATURAL)
    return (size_t)(rows * columns + NN_LANES) * nn_element_bytes(element);
  int64_t n, k;
  product_shape(layout, rows, columns, &n, &k);
  return (size_t)(gemm_panels(element, n) * k) * GEMM_PANEL_BYTES;
}

// A 4x4 tile of `from`, rows `from_row` elements apart, transposed.
static void transpose_tile_f32(const float *from, int64_t from_row, float *to, int64_t to_row) {
  f32x4 a = *(const f32x4 *)from, b = *(const f32x4 *)(from + from_row);
  f32x4 c = *(const f32x4 *)(from + 2 * from_row), d = *(const f32x4 *)(from + 3 * from_row);
  f32x4 ab_low = __builtin_shufflevector(a, b, 0, 4, 1, 5),
        ab_high = __builtin_shufflevector(a, b, 2, 6, 3, 7);
  f32x4 cd_low = __builtin_shufflevector(c, d, 0, 4, 1, 5),
        cd_high = __builtin_shufflevector(c, d, 2, 6, 3, 7);
  *(f32x4 *)to = __builtin_shufflevector(ab_low, cd_low, 0, 1, 4, 5);
  *(f32x4 *)(to + to_row) = __builtin_shufflevector(ab_low, cd_low, 2, 3, 6, 7);
  *(f32x4 *)(to + 2 * to_row) = __builtin_shufflevector(ab_high, cd_high, 0, 1, 4, 5);
  *(f32x4 *)(to + 3 * to_row) = __builtin_shufflevector(ab_high, cd_high, 2, 3, 6, 7);
}

static void transpose_tile_f64(const double *from, int64_t from_row, double *to, int64_t to_row) {
  f64x2 a = *(const f64x2 *)from, b = *(const f64x2 *)(from + from_row);
  *(f64x2 *)to = __builtin_shufflevector(a, b, 0, 2);
  *(f64x2 *)(to + to_row) = __builtin_shufflevector(a, b, 1, 3);
}

// to[k][j] = from[j][k] for `width` rows j of one panel.
#define DEFINE_TRANSPOSE_PANEL(name, type, tile, transpose_tile)                                             \
  static void name(const type *from, int64_t k, int64_t width, type *to, int64_t panel) {                    \
    int64_t whole_k = k / tile * tile, whole_j = width / tile * tile;                                        \
    for (int64_t i = 0; i < whole_k; i += tile)                                                              \
      for (int64_t j = 0; j < whole_j; j += tile)                                                            \
        transpose_tile(from + j * k + i, k, to + i * panel + j, panel);                                      \
    for (int64_t i = 0; i < k; i++)                                                                          \
      for (int64_t j = i < whole_k ? whole_j : 0; j < width; j++)                                            \
        to[i * panel + j] = from[j * k + i];                                                                 \
  }
DEFINE_TRANSPOSE_PANEL(transpose_panel_f32, float, 4, transpose_tile_f32)
DEFINE_TRANSPOSE_PANEL(transpose_panel_f64, double, 2, transpose_tile_f64)

static void copy_panel(const char *from, int64_t from_row_bytes, int64_t k, size_t width_bytes, char *to) {
  for (int64_t i = 0; i < k; i++)
    memcpy(to + i * GEMM_PANEL_BYTES, from + i * from_row_bytes, width_bytes);
}

void kernel_pack(enum kernel_layout layout, enum nn_element element, int64_t rows, int64_t columns,
                 const void *natural, void *packed) {
  size_t bytes = nn_element_bytes(element);
  if (layout == KERNEL_NATURAL) {
    memcpy(packed, natural, (size_t)(rows * columns) * bytes);
    return;
  }
  int64_t n, k, panel = gemm_panel_columns(element);
  product_shape(layout, rows, columns, &n, &k);
  for (int64_t at = 0; at < n; at += panel) {
    int64_t width = n - at < panel ? n - at : panel;
    char *to = (char *)packed + at / panel * k * GEMM_PANEL_BYTES;
    if (width < panel)
      memset(to, 0, (size_t)(k * GEMM_PANEL_BYTES));
    if (layout == KERNEL_PACKED_TRANSPOSED)
      copy_panel((const char *)natural + (size_t)at * bytes, columns * (int64_t)bytes, k,
                 (size_t)width * bytes, to);
    else if (element == NN_F32)
      transpose_panel_f32((const float *)natural + at * k, k, width, (float *)to, panel);
    else
      transpose_panel_f64((const double *)natural + at * k, k, width, (double *)to, panel);
  }
}
