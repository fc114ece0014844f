// Blocks in words, for those who look at traces: where in the model a block stands, which parameters it
// reads, what it computes.
#ifndef NN_RUNTIME_CLI_BLOCKS_H
#define NN_RUNTIME_CLI_BLOCKS_H

#include <jansson.h>

#include "runtime/nn.h"

// "tree.nn:23" of the block's first operation; "" when the name is no block's (a reduction). Owned by
// `buffer`.
const char *blocks_place(const nn_model *, const char *name, char *buffer, size_t size);
// [{"name": "encode.1", "place": "tree.nn:23", "parameters": ["cell.U"], "operations": ["matmul", "tanh"]}]
// of those whose names are keys of `names`, in the order of the module.
json_t *blocks_describe(const nn_model *, const json_t *names);

#endif
