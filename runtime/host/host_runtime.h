// What compiled host code calls besides trace.h and example.h. Private to host*.c.
#ifndef NN_RUNTIME_HOST_HOST_RUNTIME_H
#define NN_RUNTIME_HOST_HOST_RUNTIME_H

#include "runtime/value/example.h"

// host.c: the position that an argmax gave; `size` of the set, or INT64_MAX for a plain int.
int64_t host_read_index(struct example *, const struct ir_loc *, uint32_t value, int64_t size);

// host_decide.c: decisions that give many numbers, as lists of `shape`. `elements`: of the tensor, or, when it is `ragged`,
// for each unit of its size.
struct value_list *host_read_values(struct example *, const struct ir_loc *, const struct value_shape *,
                                    uint32_t value, int64_t elements, uint32_t ragged);
// The same of positions, each checked as by host_read_index.
struct value_list *host_read_indices(struct example *, const struct ir_loc *, const struct value_shape *,
                                     uint32_t value, int64_t elements, uint32_t ragged, int64_t size);
// The place of the first NaN, else of the first largest float, of each row of a matrix of so many columns, or of each
// column.
struct value_list *host_list_argmax(struct example *, const struct ir_loc *, const struct value_shape *,
                                    const struct value_list *, int64_t columns, uint32_t by_columns);
// The places of the k smallest or, `largest`, largest floats of a list, in order; the first of equals first, NaN before
// all others. Fails where the list has fewer.
struct value_list *host_list_order(struct example *, const struct ir_loc *, const struct value_shape *,
                                   const struct value_list *, int64_t k, uint32_t largest);

// host_draw.c: each call is the example's next draw.
double host_random(struct example *, const struct ir_loc *);
// A position of a list of floats, drawn with these weights. Fails where one is no number of at least 0 or none is above 0.
int64_t host_list_sample(struct example *, const struct ir_loc *, const struct value_list *weights);
// n different positions as a list of `shape`, each drawn with the weights of those that are left. Fails where fewer are
// above 0, too.
struct value_list *host_list_samples(struct example *, const struct ir_loc *, const struct value_shape *,
                                     const struct value_list *weights, int64_t n);

// host_print.c: keeps what print number `number` shall write, until the minibatch has run. The values are those of this
// moment: it takes references of its own.
void host_print(struct example *, const struct ir_loc *, uint32_t number, const struct value_shape *,
                const uint64_t *slots);
// Gives up what the example has printed, and its references.
void host_forget_prints(struct example *);

// host_sums.c. An acc is a rope: 2 * value id + 1 for a single term, otherwise the address of a node.
uint64_t host_acc_add(struct example *, const struct ir_loc *, uint64_t left, uint64_t right);
uint32_t host_acc_sum(struct example *, const struct ir_loc *, uint64_t acc, uint32_t elements);
// `elements`: of a row; HOST_VECTOR_LENGTH: the elements are vectors of one length that is known at run time.
#define HOST_VECTOR_LENGTH UINT32_MAX
uint32_t host_list_reduce(struct example *, const struct ir_loc *, const struct value_list *, uint32_t kind,
                          uint32_t elements);
// The check of host_list_reduce alone: fails where the list is empty.
void host_list_check(struct example *, const struct ir_loc *, const struct value_list *, uint32_t kind);
// A tensor of a list of floats, or of tensors: fail where the list has not `length` elements. The last is that check
// alone. `elements`: of the whole stack. HOST_ANY_LENGTH: the list, of numbers or scalars, has at least one, and makes a
// vector as long as it is.
#define HOST_ANY_LENGTH (-1)
uint32_t host_list_vector(struct example *, const struct ir_loc *, const struct value_list *, int64_t length);
uint32_t host_list_stack(struct example *, const struct ir_loc *, const struct value_list *, int64_t length,
                         uint32_t elements);
void host_list_check_length(struct example *, const struct ir_loc *, const struct value_list *,
                            int64_t length);

// host_math.c: host_sqrt(x), host_pow(x, y), ...: a function for each row of mathematics in hostops.def.
#define HOST_PARAMS_1 double a
#define HOST_PARAMS_2 double a, double b
#define HOST(ENUM, name, fails, attributes, doc)
#define HOST_MATH(ENUM, name, operands, user, c_name, doc) double host_##c_name(HOST_PARAMS_##operands);
#include "compiler/ir/hostops.def"
#undef HOST
#undef HOST_MATH

#endif
