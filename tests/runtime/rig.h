// A model from source text with made-up vocabularies and random data, bound and ready to run: for tests of
// the runtime.
#ifndef NN_TESTS_RUNTIME_RIG_H
#define NN_TESTS_RUNTIME_RIG_H

#include "runtime/model/model.h"
#include "runtime/model/session.h"
#include "runtime/nn.h"
#include "tests/runtime/param_values.h"

struct rig {
  nn_model *model;
  nn_session *session;
  nn_dataset *data;
  size_t *examples;  // 0 .. size of the data - 1
  size_t n;
};

struct rig_options {
  nn_precision precision;
  nn_autobatch autobatch;
  int threads;         // 0: one
  bool stand_in;       // kernels by the slow reference
  const char *device;  // NULL: the first
  size_t n_examples;   // 0: 12
  uint64_t data_seed;
};

// Every vocab has `<unk>` (unless closed) and the entries w1 .. w7. The columns of the data are those of the
// entry `entry`. Fails the test when anything goes wrong.
void rig_open(struct rig *, const char *source, const char *entry, const struct rig_options *);
void rig_close(struct rig *);
// Fails the test when there is a status.
void rig_check(nn_status *);
size_t rig_entry(const struct rig *, const char *name);
// Runs an entry over all examples.
void rig_run(struct rig *, const char *entry, nn_mode);

// The program's losses have the same bits under every policy, with several threads, and alone.
void rig_same_bits(const char *program);
// Gradients of the losses against finite differences in f64. False for a program whose values explode, where differences
// have no digits left.
bool rig_right_gradients(const char *program);

// Every example of the last run has failed, with a message that says this. `what` names the case.
void rig_failed(const struct rig *, const char *what, const char *said);

// Gives an example other words: the data's first column is [Word].
void rig_set_words(struct rig *, size_t example, size_t n, const uint64_t *words);

// Models that the tests share.
extern const char rig_tree_model[];    // Tree-LSTM, a loss at every node
extern const char rig_tagger_model[];  // decisions that feed the next step, dropout, mean and max over lists
extern const char rig_expert_model[];  // a layer chosen by a run-time value

#endif
