// nnrun grad: each example's loss and the gradients of their sum.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/cli/run.h"
#include "runtime/data/safetensors.h"

struct sums {
  size_t n;
  struct safetensors_tensor *tensors;  // data is calloc'd
  void **lost;                         // [tensor] as large as its data
};

static struct sums sums_new(const nn_model *model, bool f64) {
  struct sums sums = {nn_model_param_count(model), NULL, NULL};
  sums.tensors = calloc(sums.n + 1, sizeof *sums.tensors);
  sums.lost = calloc(sums.n + 1, sizeof *sums.lost);
  if (!sums.tensors || !sums.lost)
    cli_fail("out of memory");
  for (size_t i = 0; i < sums.n; i++) {
    nn_param_info info = nn_model_param(model, i);
    struct safetensors_tensor *tensor = &sums.tensors[i];
    tensor->type = f64 ? SAFETENSORS_F64 : SAFETENSORS_F32;
    tensor->name = strdup(info.name);
    tensor->rank = (uint32_t)info.rank;
    tensor->bytes = info.elements * (f64 ? 8 : 4);
    for (int k = 0; k < info.rank; k++)
      tensor->shape[k] = info.sizes[k];
    tensor->data = calloc(1, tensor->bytes + 1);
    sums.lost[i] = calloc(1, tensor->bytes + 1);
    if (!tensor->data || !tensor->name || !sums.lost[i])
      cli_fail("out of memory");
  }
  return sums;
}

// Adds one minibatch's gradients; what rounding loses is kept (Knuth, The Art of Computer Programming 2, 4.2.2,
// theorem B), so that many minibatches lose no digits.
#define ADD_KEPT(NAME, REAL)                                                                                 \
  static void NAME(REAL *sum, REAL *lost, const REAL *x, size_t n) {                                         \
    for (size_t k = 0; k < n; k++) {                                                                         \
      const REAL total = sum[k] + x[k], part = total - sum[k];                                               \
      lost[k] += (sum[k] - (total - part)) + (x[k] - part);                                                  \
      sum[k] = total;                                                                                        \
    }                                                                                                        \
  }
ADD_KEPT(add_kept_f32, float)
ADD_KEPT(add_kept_f64, double)

// Adds the gradients of the last backward pass, a piece at a time: an epoch need not fit one minibatch.
static void sums_add(struct sums *sums, const nn_model *model, bool f64) {
  enum { PIECE = 1 << 12 };
  union {
    float f32[PIECE];
    double f64[PIECE];
  } piece;
  for (size_t i = 0; i < sums->n; i++) {
    size_t elements = nn_model_param(model, i).elements;
    for (size_t at = 0, n; at < elements; at += n) {
      n = elements - at < PIECE ? elements - at : PIECE;
      cli_check(nn_model_read_gradient(model, i, at, n, &piece));
      if (f64)
        add_kept_f64((double *)sums->tensors[i].data + at, (double *)sums->lost[i] + at, piece.f64, n);
      else
        add_kept_f32((float *)sums->tensors[i].data + at, (float *)sums->lost[i] + at, piece.f32, n);
    }
  }
}

// What was lost of an infinite sum is no number.
static void sums_finish(struct sums *sums, bool f64) {
  for (size_t i = 0; i < sums->n; i++) {
    for (size_t k = 0; k < sums->tensors[i].bytes / (f64 ? 8 : 4); k++) {
      double lost = f64 ? ((double *)sums->lost[i])[k] : (double)((float *)sums->lost[i])[k];
      if (!isfinite(lost))
        continue;
      if (f64)
        ((double *)sums->tensors[i].data)[k] += lost;
      else
        ((float *)sums->tensors[i].data)[k] += (float)lost;
    }
  }
}

static void sums_free(struct sums *sums) {
  for (size_t i = 0; i < sums->n; i++) {
    free((void *)sums->tensors[i].data);
    free((void *)sums->tensors[i].name);
    free(sums->lost[i]);
  }
  free(sums->lost);
  free(sums->tensors);
}

int cli_grad(const struct cli_options *options) {
  struct cli_run run;
  cli_check_writable(options->out);
  cli_run_begin(&run, options, "loss", true, false);
  cli_want_examples(&run);
  bool f64 = options->running.precision == NN_PRECISION_F64;
  struct sums sums = sums_new(run.model, f64);
  size_t n_failed = 0, n_not_finite = 0;
  for (size_t at = 0, size; at < run.n; at += size) {
    size = cli_batch_size(&run, at, run.n);
    cli_check(nn_session_run(run.session, run.entry, run.data, run.order + at, size, NN_GRADIENT));
    cli_end_if_interrupted(&run, run.order + at, size);
    for (size_t i = 0; i < size; i++)
      printf("%.17g\n",
             nn_session_error(run.session, i) ? NAN : cli_plain(nn_session_number(run.session, i)));
    n_failed += cli_report_failures(&run, run.data, run.order + at, size);
    size_t not_finite = cli_report_not_finite(&run, run.entry, n_not_finite ? NULL : run.data, run.order + at,
                                              size);
    cli_check(nn_session_backward(run.session, 1));
    sums_add(&sums, run.model, f64);
    // Where the losses are finite; otherwise their gradients cannot be.
    nn_status *status = not_finite || n_not_finite ? NULL : nn_session_check_gradients(run.session);
    n_not_finite += not_finite + (status != NULL);
    if (status)
      cli_warn("%s", nn_status_message(status));
    nn_status_free(status);
  }
  sums_finish(&sums, f64);
  char *error = NULL;
  if (options->out && !safetensors_write(options->out, sums.n, sums.tensors, 0, NULL, &error))
    cli_fail("%s", error);
  sums_free(&sums);
  int status = cli_status(&run, n_failed, run.n, " and have no part in the gradients");
  cli_run_end(&run);
  return n_not_finite ? 1 : status;
}
