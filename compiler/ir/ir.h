// The intermediate representation: typed, SSA, in two levels with one text form.
//
//   host functions   control flow of one example: basic blocks with parameters, integers, lists, data;
//                    tensors are opaque references
//   blocks           straight-line tensor code with symbolic sizes; the unit that is batched and compiled
//                    to a kernel
//
// Before the pass `blocks` tensor operations (ops.def) stand in the host functions themselves; after it they
// stand in blocks only and host functions `emit` them. A module is portable: it holds no value of a dim or
// vocab that a later stage may bind otherwise.
//
// Text form, by example (`;` starts a comment; IR.md has the grammar):
//
//   module treelstm
//   file "treelstm.nn"
//   dim D = 128
//   dim G = 4*D
//   vocab Word min_count 2
//   vocab Label closed
//   enum Action Shift Reduce
//   data Tree = Leaf(label: Label, word: Word) | Node(label: Label, left: Tree, right: Tree)
//   param @E : f32[Word, D] = normal 0.1
//   param @stack.*.W : f32[4*H, H] count L = glorot  ; a family: one per element of a static list
//   entry loss(t: Tree) -> f32 = @loss
//   metric accuracy(t: Tree) -> (bool, int) = @accuracy
//
//   host @encode(%0: Tree) -> (f32[H], f32[H], f32) {
//   ^0:
//     %1 = data.tag %0 : int !0:17:9                         ; source position: file, line, column
//     switch %1 ^1, ^2
//   ^1:
//     %2 = data.get Leaf %0 slot 1 : Word
//     %3 = param @E : f32[Word, D]
//     %4 = lookup %3, %2 : f32[D]
//     br ^3(%4)
//   ^3(%9: f32[D]):
//     ...
//     return %5, %6, %7
//   }
//   block @encode.1(%0: f32[H], %1: Label, %2: int) -> (f32, f32[Label]) results 1 deferred {
//     %3 = param @C : f32[Label, H]
//     %4 = matmul %3, %0 : f32[Label]
//     %5 = nll %4, %1 : f32
//     return %5, %4                                     ; `results 1`: the rest is saved for the adjoint
//   }
//   adjoint @encode.1(%0: f32[H], %1: Label, %2: int) saved (%3: f32[Label]) grad (%4: f32) {
//     ...
//     d_outer @C %7, %0
//     d_input %8 input 0
//   }
#ifndef NN_COMPILER_IR_IR_H
#define NN_COMPILER_IR_IR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compiler/ir/size.h"

struct arena;

#define IR_MAX_RANK 4

// ----------------------------------------------------------------------------------------------------- types

enum ir_type_kind {
  IR_INT,
  IR_BOOL,
  IR_FLOAT,   // host double
  IR_TEXT,    // UTF-8
  IR_INDEX,   // position in a vocab or enum: `dim`
  IR_TENSOR,  // reference to a row; shape
  IR_ACC,     // sum of tensors still to be taken; shape
  IR_LIST,    // element
  IR_DATA,    // sum type: `data`
  IR_TUPLE,   // schemas and list elements only: flattened wherever SSA values are meant. A record is a tuple
              // with names.
};

struct ir_field {
  const char *name;  // NULL in a plain tuple
  const struct ir_type *type;
};

struct ir_shape {
  uint32_t rank;  // 0: scalar
  const struct size *sizes[IR_MAX_RANK];
};

// Immutable; compared with ir_type_equal.
struct ir_type {
  enum ir_type_kind kind;
  union {
    uint32_t dim;                   // IR_INDEX: into ir_module.dims
    struct ir_shape shape;          // IR_TENSOR, IR_ACC
    const struct ir_type *element;  // IR_LIST
    uint32_t data;                  // IR_DATA: into ir_module.datas
    struct {
      const char *name;  // constructor of the record, NULL for a plain tuple
      uint32_t n;
      const struct ir_field *fields;
    } tuple;
  };
};

// Number of slots of a value of this type: 1, or for a tuple the sum over its fields.
uint32_t ir_type_width(const struct ir_type *type);
// The types of the slots, in order, appended at out[0..width).
void ir_type_flatten(const struct ir_type *type, const struct ir_type **out);
bool ir_type_equal(const struct ir_type *a, const struct ir_type *b);
// A tensor some size of which is known at run time only.
bool ir_type_is_ragged(const struct ir_type *);
// --------------------------------------------------------------------------------------------- module tables

struct ir_dim {
  struct size_atom atom;     // atom.id == index in ir_module.dims; kind DIM, VOCAB or ENUM
  const struct size *value;  // DIM: default, over earlier dims; ENUM: number of members; VOCAB: NULL
  bool closed;               // VOCAB without <unk>
  int64_t min_count;         // VOCAB, default 1
  int64_t max_size;          // VOCAB, 0: no limit
  const char *unknown;       // VOCAB that is not closed: the entry that unknown strings become; NULL: <unk>
  bool characters;           // VOCAB whose strings are the single characters of the data's
  uint32_t normal;           // VOCAB: what its strings become first, bits of enum ir_normal
  uint32_t n_sources;        // VOCAB
  const char **sources;      // parameters of entries in whose texts it is counted
  uint32_t n_members;        // ENUM; VOCAB: strings that are in it in any case
  const char **members;
};

enum ir_normal { IR_NORMAL_NFC = 1, IR_NORMAL_NFKC = 2, IR_NORMAL_LOWER = 4 };  // in this order

// text.map: its attribute. Case goes from character to character, by Unicode's simple mappings.
enum ir_text_map {
  IR_TEXT_LOWER,
  IR_TEXT_UPPER,
  IR_TEXT_NFC,
  IR_TEXT_NFD,
  IR_TEXT_NFKC,
  IR_TEXT_NFKD,
  IR_N_TEXT_MAPS,
};

// A size that only an example tells, when it runs: the length of a list that is stacked. In host functions there is one,
// `?`: equal or not, they all are written so. In a block there are `?1`, `?2`, ...: each is the size of what an instance
// is given, so that two tensors of size `?1` are equally long in every instance; that is checked when an example emits
// it. A size is one of these or it does not depend on any.
struct ir_runtime {
  struct size_atom atom;  // atom.id == IR_RUNTIME_ID + its number
  const struct size *size;
};
#define IR_RUNTIME_ID UINT32_C(0x40000000)
#define IR_MAX_RUNTIME 64  // in a block
// The number of a size that is a run-time size, otherwise 0.
uint32_t ir_runtime_number(const struct size *);

struct ir_constructor {
  const char *name;
  uint32_t n_fields;
  const struct ir_field *fields;  // types may be tuples; DATA_GET counts flattened slots
  // Private (ir_constructor_slot, ir_field_slot), set when the first of them is called, with which the fields are final.
  uint32_t n_slots;
  const uint32_t *first_slots;   // [field]
  const struct ir_type **slots;  // NULL: not set
};

struct ir_data {
  const char *name;  // with sizes when generic: `Stack[H]`, written in quotes in the text
  uint32_t n_constructors;
  struct ir_constructor *constructors;
};

enum ir_init {
  IR_INIT_GLOROT,
  IR_INIT_NORMAL,
  IR_INIT_UNIFORM,
  IR_INIT_CONSTANT,
  IR_INIT_ZEROS,
  IR_INIT_ONES,
  IR_INIT_IDENTITY,
};

struct ir_param {
  const char *name;            // path; in a family each `*` is a place in a static list: "stack.*.W"
  const struct ir_type *type;  // tensor
  enum ir_init init;
  double init_argument;      // normal: standard deviation; uniform: bound; constant: value
  const struct size *count;  // members of the family; NULL: a single parameter
  uint32_t n_lists;          // number of `*` in the name
  // Length of each list; count is their product, and member (i, j) is i * lists[1] + j.
  const struct size *lists[IR_MAX_RANK];
};

// ---------------------------------------------------------------------------------------------- instructions

enum ir_op {
#define HOST(ENUM, name, fails, attributes, doc) IR_##ENUM,
#include "compiler/ir/hostops.def"
#undef HOST
#define OP(ENUM, name, arity, class, cost, flags, attributes, shape, value, derivatives, user, doc)          \
  IR_OP_##ENUM,
#include "compiler/ir/ops.def"
#undef OP
  IR_N_OPS,
};
#define IR_FIRST_TENSOR_OP IR_OP_NEG

enum ir_class {
  IR_CLASS_HOST,
  IR_CLASS_ELEMENTWISE,
  IR_CLASS_PRODUCT,
  IR_CLASS_REDUCE,
  IR_CLASS_ROWWISE,
  IR_CLASS_MOVE,
  IR_CLASS_SOURCE,
  IR_CLASS_SINK,
};

// Which attributes an operation has; a mask of these. The printer, the parser and the verifier go by it.
enum ir_attribute {
  IR_ATTR_INTEGER = 1 << 0,      // const.*
  IR_ATTR_NUMBER = 1 << 1,       // const.float, constant, dropout
  IR_ATTR_SIZE = 1 << 2,         // size
  IR_ATTR_OFFSET = 1 << 3,       // slice, pad: `size`
  IR_ATTR_LENGTH = 1 << 4,       // slice, list.vector, list.stack
  IR_ATTR_FUNCTION = 1 << 5,     // call: `symbol`
  IR_ATTR_BLOCK = 1 << 6,        // emit: `symbol`
  IR_ATTR_PARAM = 1 << 7,        // param, d_outer, d_param, d_row: `symbol`
  IR_ATTR_DATA = 1 << 8,         // data.*: `symbol`; not printed, the type of the operand or result tells it
  IR_ATTR_CONSTRUCTOR = 1 << 9,  // data.new, data.get
  IR_ATTR_SLOT = 1 << 10,        // data.get: `integer`
  IR_ATTR_COUNT = 1 << 11,       // list.new: `integer`
  IR_ATTR_INPUT = 1 << 12,       // d_input: `integer`
  IR_ATTR_SITE = 1 << 13,        // what draws
  IR_ATTR_TRANSPOSE = 1 << 14,   // matmul: `transpose_a`, `transpose_b`
  // reductions, softmax, ...: `axis`, printed `dim` where there is one; of what moves elements it is the axis along
  // which, the first one where none is written (ir_axis)
  IR_ATTR_AXIS = 1 << 15,
  IR_ATTR_TEXT = 1 << 16,   // require, print, const.text: `text`
  IR_ATTR_ORDER = 1 << 17,  // permute: `integer`, see ir_order
};

// Where a value stands in the text of `print`: a character that no text in a source file can hold.
#define IR_TEXT_VALUE '\x01'
// Numbers of `print` are below this.
#define IR_MOST_PRINTS (1 << 20)

#define IR_COST_OPAQUE 10000

struct ir_op_info {
  const char *name;
  int arity;  // value operands; -1: one or more; host operations: -1 always
  enum ir_class class;
  int cost;                 // of an element, in simple operations; IR_COST_OPAQUE: never computed again
  uint32_t attributes;      // mask of enum ir_attribute
  const char *value;        // element-wise: expression over a and b; NULL: a routine (op_value.h)
  const char *derivatives;  // "" for host operations
  bool user;
  bool takes_index;  // one host operand of kind index or int follows the value operands
  bool fails;        // may end the example with a run-time error
  bool random;
  const char *doc;
};
extern const struct ir_op_info ir_op_infos[IR_N_OPS];
// The operation of that name, or IR_N_OPS.
enum ir_op ir_op_find(const char *name);

struct ir_loc {
  uint32_t file, line, column;  // file: into ir_module.files; line 0: no position
};

// A value: result of an instruction, or parameter of a host basic block or of a block.
struct ir_value {
  uint32_t id;  // unique in its function or block; what the text prints. See ir_renumber
  const struct ir_type *type;
  struct ir_instr *def;  // NULL for parameters
  void *note;            // scratch of the running pass; NULL between passes
};

struct ir_target {  // edge of a terminator
  struct ir_bb *bb;
  uint32_t n_args;
  struct ir_value **args;  // one per parameter of bb
};

struct ir_instr {
  enum ir_op op;
  struct ir_loc loc;
  uint32_t n_operands, n_results, n_targets;
  struct ir_value **operands;
  struct ir_value **results;
  struct ir_target *targets;  // terminators
  // Attributes; which ones an operation has is a column of hostops.def and ops.def. Unused ones are zero.
  // const.*; print: its number; text.map: enum ir_text_map; D_INPUT: the input's number among the parameters; data.get:
  // slot; PERMUTE: order
  int64_t integer;
  double number;                  // const.float, CONSTANT, DROPOUT (p)
  const struct size *size;        // size; SLICE and PAD: offset
  const struct size *length;      // SLICE; list.vector and list.stack: elements of the list
  uint32_t symbol;                // call: function; emit: block; PARAM and D_*: parameter; data.*: data
  uint32_t constructor;           // data.new, data.get
  uint32_t site;                  // draws: its number within the module; adjoint's twin has the same
  bool transpose_a, transpose_b;  // MATMUL
  const char *text;               // require, print, const.text
  uint32_t axis;                  // 1 + the axis that is gone over; BROADCAST: that is new. 0: all of them
  struct ir_instr *prev, *next;
};

static inline uint32_t ir_axis(const struct ir_instr *instr) { return instr->axis > 0 ? instr->axis - 1 : 0; }

// PERMUTE: the operand's axis that is axis i of the result. Four bits each, one more than the axis; 0: there is none.
#define IR_NO_AXIS 15
static inline uint32_t ir_order(int64_t order, uint32_t i) {
  return ((uint32_t)((uint64_t)order >> 4 * i) - 1) & 15;
}
static inline int64_t ir_order_with(int64_t order, uint32_t i, uint32_t axis) {
  return order | (int64_t)(axis + 1) << 4 * i;
}
int64_t ir_order_inverse(int64_t order, uint32_t rank);

struct ir_bb {
  uint32_t id;
  uint32_t n_params;
  uint32_t params_room;  // of `params`, for ir_add_bb_param; 0: not known
  struct ir_value **params;
  struct ir_instr *first, *last;  // last is the terminator
  struct ir_bb *next;             // layout order; the entry is the first and has no parameters of its own
  void *note;
};

struct ir_function {
  const char *name;
  uint32_t id;                   // index in ir_module.functions
  uint32_t n_params, n_results;  // flattened
  struct ir_value **params;
  const struct ir_type **results;
  struct ir_bb *entry;
  uint32_t n_values, n_bbs;  // next free ids
  struct ir_bb *last_bb;     // of the layout, or an earlier one of it; NULL: not known. See ir_append_bb
  uint32_t params_room;      // of `params`, for ir_add_function_param; 0: not known
  bool memo;                 // what it gives is kept within an example, by its arguments
  bool decides;              // contains a read.*, or calls what does: filled by ir_analyse_decides
  bool fails;                // may end the example, or never end: filled by failure_analyse
};

// MATMUL, after the transposes asked for, which exchange the last two dimensions:
//   [n,k] @ [k] -> [n]     [k] @ [k,m] -> [m]     [..,n,k] @ [..,k,m] -> [..,n,m]
// A rank-1 operand is never transposed. What stands before the last two is equal, or one the end of the other: a product of
// matrices for each choice, with the same matrix where an operand lacks the dimensions.

enum ir_block_kind { IR_BLOCK_FORWARD, IR_BLOCK_ADJOINT };

struct ir_block {
  const char *name;
  uint32_t id;  // index in ir_module.blocks; an adjoint is reached through its forward bloc
  enum ir_block_kind kind;
  // Parameters: tensors, indices/ints, floats, in any order. In an adjoint: first those of the forward block,
  // then the values it saved (its n_outputs - n_results), then the gradients of its n_results results.
  uint32_t n_params;
  uint32_t params_room;  // of `params`, for ir_add_block_param; 0: not known
  struct ir_value **params;
  struct ir_instr *first, *last;  // no terminator
  uint32_t n_outputs;             // forward: results first, then values saved for the adjoint. adjoint: 0
  struct ir_value **outputs;
  uint32_t n_results;
  uint32_t n_values;
  bool deferred;             // reads tensors, and feeds no recurrence or decision around it: may run late
  bool hoisted;              // reads no tensor and is not uniform: its instances can run at once
  bool uniform;              // its operands only choose members of families, and nothing is random: one
                             // instance (of each choice) serves the whole minibatch
  bool random;               // contains draws: instances carry (example, ordinal)
  struct ir_block *adjoint;  // NULL: not differentiable or not yet made
  struct ir_loc loc;         // of the first operation, for `explain`
};

struct ir_entry {
  const char *name;
  bool is_metric;
  uint32_t function;
  uint32_t n_params;
  struct ir_field *params;       // schema: names and unflattened types
  const struct ir_type *result;  // unflattened; may be a tuple
};

// A part of what a metric gives for an example, and its sum over a data set:
//   NUMBER   int, bool, float: a float
//   NUMBERS  list of such: a list of floats, position by position
//   TABLE    list of one or two indices, and maybe a number behind them (1 otherwise): a list of floats, or of lists of
//            them, by the positions of the indices
// A metric gives one part or a tuple of them. It is the quotient of two numbers, or one table, or what the entry makes
// of the sums that is called NAME.total.
enum ir_part_kind { IR_PART_NUMBER, IR_PART_NUMBERS, IR_PART_TABLE };
struct ir_part {
  enum ir_part_kind kind;
  uint32_t n_keys;
  uint32_t dims[2];              // of the keys
  const struct ir_type *weight;  // of the number behind them; NULL: none
};
// false: the type is none.
bool ir_metric_part(const struct ir_type *type, struct ir_part *part);
// The parts of a metric's result: their number, and the type of each.
uint32_t ir_metric_part_count(const struct ir_type *result);
const struct ir_type *ir_metric_part_type(const struct ir_type *result, uint32_t i);

struct ir_module {
  struct arena *arena;  // owns everything below
  const char *name;
  uint32_t n_files;
  const char **files;  // source files, for positions
  uint32_t n_dims;
  struct ir_dim **dims;
  uint32_t n_runtimes;
  struct ir_runtime **runtimes;
  uint32_t n_datas;
  struct ir_data **datas;
  uint32_t n_params;
  struct ir_param **params;
  uint32_t n_functions;
  struct ir_function **functions;
  uint32_t n_blocks;
  struct ir_block **blocks;  // forward blocks
  uint32_t n_entries;
  struct ir_entry **entries;
  uint32_t n_sites;   // sites of draws handed out
  uint32_t n_prints;  // numbers of `print` handed out
};

// -------------------------------------------------------------------------------------------------- building

struct ir_module *ir_module_new(const char *name);  // NULL: out of memory
void ir_module_free(struct ir_module *module);

// Appending to the module's tables; each returns the new entry, owned by the module, with its id set.
struct ir_dim *ir_add_dim(struct ir_module *, const char *name, enum size_atom_kind kind);
// Run-time size `number`: 0 is the `?` of host functions. At most IR_MAX_RUNTIME; made when first asked for.
const struct size *ir_runtime_size(struct ir_module *, uint32_t number);
struct ir_data *ir_add_data(struct ir_module *, const char *name);
struct ir_param *ir_add_param(struct ir_module *, const char *name, const struct ir_type *type);
struct ir_function *ir_add_function(struct ir_module *, const char *name);
// Adjoints are not put in the table.
struct ir_block *ir_add_block(struct ir_module *, const char *name, enum ir_block_kind kind);
// The entry that makes a metric's value of its sums, NAME.total: its number, or n_entries where there is none.
uint32_t ir_metric_total(const struct ir_module *, const struct ir_entry *metric);
struct ir_entry *ir_add_entry(struct ir_module *, const char *name);
uint32_t ir_add_file(struct ir_module *, const char *name);

const struct ir_type *ir_type_simple(struct ir_module *, enum ir_type_kind kind);  // INT, BOOL, FLOAT, TEXT
const struct ir_type *ir_type_index(struct ir_module *, uint32_t dim);
const struct ir_type *ir_type_tensor(struct ir_module *, uint32_t rank, const struct size *const *sizes);
const struct ir_type *ir_type_acc(struct ir_module *, const struct ir_type *tensor);
const struct ir_type *ir_type_list(struct ir_module *, const struct ir_type *element);
const struct ir_type *ir_type_data(struct ir_module *, uint32_t data);
const struct ir_type *ir_type_tuple(struct ir_module *, const char *name, uint32_t n,
                                    const struct ir_field *fields);

// The type of a constructor's flattened slot; NULL when it has fewer.
const struct ir_type *ir_constructor_slot(struct ir_module *, uint32_t data, uint32_t constructor,
                                          uint32_t slot);
// The first slot of a constructor's field.
uint32_t ir_field_slot(struct ir_module *, uint32_t data, uint32_t constructor, uint32_t field);

struct ir_bb *ir_add_bb(struct ir_module *, struct ir_function *);  // appended in layout order
// Puts a basic block at the end of the layout. Whoever takes basic blocks out of it, or changes their order, renumbers
// or sets last_bb to NULL.
void ir_append_bb(struct ir_function *, struct ir_bb *);
struct ir_value *ir_add_bb_param(struct ir_module *, struct ir_function *, struct ir_bb *,
                                 const struct ir_type *);
struct ir_value *ir_add_function_param(struct ir_module *, struct ir_function *, const struct ir_type *);
struct ir_value *ir_add_block_param(struct ir_module *, struct ir_block *, const struct ir_type *);

// What host code is given for a value that data has a schema for: the same, but a list of floats, row by row, for each
// tensor in it.
const struct ir_type *ir_data_type(struct ir_module *, const struct ir_type *schema);

// An instruction with room for its operands, results and targets, not yet placed. Operands are copied;
// results get fresh ids from *n_values and the given types.
struct ir_instr *ir_instr_new(struct ir_module *, enum ir_op op, uint32_t n_operands,
                              struct ir_value *const *operands, uint32_t n_results,
                              const struct ir_type *const *result_types, uint32_t n_targets,
                              uint32_t *n_values);
void ir_append(struct ir_bb *, struct ir_instr *);
void ir_block_append(struct ir_block *, struct ir_instr *);
void ir_insert_before(struct ir_bb *, struct ir_instr *at, struct ir_instr *);  // at NULL: at the end
void ir_block_insert_before(struct ir_block *, struct ir_instr *at, struct ir_instr *);
// Moves the instructions after `after` to the end of another basic block, at once.
void ir_move_rest(struct ir_bb *from, struct ir_instr *after, struct ir_bb *to);
void ir_remove(struct ir_bb *, struct ir_instr *);
void ir_block_remove(struct ir_block *, struct ir_instr *);
void ir_set_target(struct ir_module *, struct ir_instr *, uint32_t which, struct ir_bb *, uint32_t n_args,
                   struct ir_value *const *args);

// The size that the index operand of an operation with a result goes through; NULL: a scalar has none.
const struct size *ir_indexed_size(const struct ir_instr *);
// Of an operation that takes several elements from its index on: how many. The index is then an int. NULL: one element.
const struct size *ir_indexed_length(const struct ir_instr *);
// Whether some value of the block has a run-time size: then one that comes in does.
bool ir_block_is_ragged(const struct ir_block *);
static inline bool ir_is_tensor_op(enum ir_op op) { return op >= IR_FIRST_TENSOR_OP && op < IR_N_OPS; }
// Whether the host operation draws.
static inline bool ir_is_host_draw(enum ir_op op) { return op >= IR_RANDOM && op <= IR_LIST_SAMPLES; }
// Whether the example waits for a tensor's value there.
static inline bool ir_is_read(enum ir_op op) { return op >= IR_READ_INDEX && op <= IR_READ_VALUES; }
static inline bool ir_is_terminator(enum ir_op op) { return op >= IR_BR && op <= IR_RETURN; }

// The result type that the shape rule gives for a tensor operation with these operands and the attributes
// already set in `instr` (results may be absent). On a mismatch NULL, and *why names both shapes. Operations
// with the rule `attr` return NULL without *why: their shape is written.
const struct ir_type *ir_infer(struct ir_module *, const struct ir_instr *instr, const char **why);
// Whether a BROADCAST with that attribute `axis` makes one of the other.
bool ir_broadcasts(const struct ir_type *a, const struct ir_type *result, uint32_t axis);
bool ir_shape_is_written(enum ir_op op);  // a tensor operation whose shape rule is `attr`

// Dense ids in layout order, for stable text.
void ir_renumber(struct ir_function *);
void ir_block_renumber(struct ir_block *);
void ir_analyse_decides(struct ir_module *, struct arena *scratch);

// ir_sizes.c: a size of a tensor, or a length of a list of layers, that is below 1 when the dims have these
// values (below 1: not known, and so is what depends on it).
struct ir_small_size {
  const struct size *size;
  int64_t value;
  const struct ir_param *param;  // whose it is, NULL: of no parameter
  uint32_t number;               // of the parameter
  struct ir_loc loc;             // of the instruction that makes it
};
bool ir_find_small_size(const struct ir_module *, const int64_t *dims, struct ir_small_size *found);
// `N = 1, M = 2`, for messages: the values of a size's dims.
const char *ir_size_values(const struct ir_module *, struct arena *, const struct size *,
                           const int64_t *dims);

// --------------------------------------------------------------------------------------- text, checks, files

// ir_print.c: the whole module as text; the string is malloc'd, the caller frees it.
// NULL without memory, like the next three.
char *ir_print(const struct ir_module *);
char *ir_print_block(const struct ir_module *, const struct ir_block *);
// One line, without position and newline.
char *ir_print_instr(const struct ir_module *, const struct ir_instr *);
// For messages; the string lives in the arena.
const char *ir_type_text(const struct ir_module *, struct arena *, const struct ir_type *);

// ir_parse.c: NULL on an error; then *error (malloc'd, the caller frees it) says "line:column: what", or
// "out of memory". Any text is safe to feed in.
struct ir_module *ir_parse(const char *text, size_t length, char **error);

// ir_verify.c: true when every invariant holds; otherwise *error says where and what, or "out of memory"
// (malloc'd, the caller frees it). Any module that ir_parse can return may be asked about. Types of operands and results, shapes by ir_infer, dominance, terminators, table indices,
// emit/call signatures, adjoint signatures.
bool ir_verify(const struct ir_module *, char **error);

// module.c: the .nnb file: magic, format version, sizes, XXH64 checksum, then the text. Written to a
// temporary file and renamed (to what a link leads to; a device or pipe is written to as it is). NULL / false
// with *error on a missing, truncated, damaged, foreign or newer file.
bool ir_module_write(const struct ir_module *, const char *path, char **error);
bool ir_module_write_to(const struct ir_module *, int file, char **error);  // to an open file
struct ir_module *ir_module_read(const char *path, char **error);
struct ir_module *ir_module_decode(const void *bytes, size_t length, char **error);

#endif
