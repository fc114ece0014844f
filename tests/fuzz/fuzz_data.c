// Fuzzes the readers of data files and checkpoints: the first byte chooses the format, the rest is the file. Counting,
// reading and skipping bad records must end without a crash, and never give both a data set and an error.
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/data/dataset.h"
#include "tests/data/decode.h"

static const char module_text[] = "module fuzz\n"
                                  "vocab Word\n"
                                  "enum Label A B\n"
                                  "data Tree = Leaf(label: Label, word: Word) | Word(word: Word) | "
                                  "Node(label: Label, left: Tree, right: Tree) | "
                                  "Many(label: Label, parts: [Tree])\n";

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t length);

static const char *const formats[] = {
    "ptb",  "jsonl", "text", "tsv", "conllu", "tsv:words,_,labels", "tsv-header", "conll:words,_,labels",
    "conll"};

static void read_once(struct ir_module *module, const char *path, const char *format, bool skip_bad) {
  struct vocab *vocabs[3] = {vocab_new("Word", false, 1, 0)};
  const struct ir_type *word = ir_type_index(module, 0), *label = ir_type_index(module, 1);
  struct dataset_column trees[] = {{"t", ir_type_data(module, 0), 0, 1, NULL},
                                   {"n", ir_type_simple(module, IR_INT), 1, 1, NULL}};
  struct dataset_column lists[] = {{"words", ir_type_list(module, word), 0, 1, NULL},
                                   {"labels", ir_type_list(module, label), 1, 1, NULL}};
  bool is_tree = !strcmp(format, "ptb") || (!strcmp(format, "jsonl") && skip_bad);
  // Brackets and plain text fill one parameter.
  uint32_t n_columns = !strcmp(format, "ptb") || !strcmp(format, "text") ? 1 : 2;
  struct dataset_request request = {module,   vocabs, n_columns, is_tree ? trees : lists, path, NULL, format,
                                    skip_bad, 0,      NULL};
  char *error = NULL;
  size_t n_counted;
  if (dataset_count(&request, &n_counted, &error)) {
    vocab_freeze(vocabs[0]);
    struct nn_dataset *set = dataset_read(&request, &error);
    assert((set != NULL) != (error != NULL));
    // A token that only a closed vocabulary refuses makes the difference.
    assert(!set || set->n_examples <= n_counted);
    dataset_free(set);
  } else {
    assert(error);
  }
  free(error);
  vocab_free(vocabs[0]);
}

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t length) {
  if (length < 1)
    return 0;
  size_t choice = bytes[0] % (sizeof formats / sizeof *formats + 1);
  char *error = NULL;
  if (choice == sizeof formats / sizeof *formats) {
    safetensors_free(decode(bytes + 1, length - 1, &error));
    free(error);
    return 0;
  }
  struct ir_module *module = ir_parse(module_text, strlen(module_text), &error);
  assert(module);
  char path[64];
  snprintf(path, sizeof path, "/tmp/nn-fuzz-data-%ld", (long)getpid());
  FILE *file = fopen(path, "wb");
  assert(file);
  fwrite(bytes + 1, 1, length - 1, file);
  fclose(file);
  read_once(module, path, formats[choice], false);
  read_once(module, path, formats[choice], true);
  unlink(path);
  ir_module_free(module);
  return 0;
}
