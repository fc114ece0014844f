// Machine code at run time: LLVM modules to native functions, with a cache of compiled objects on disk.
//
// A jit may be used from several threads at once. Compiled code lives until jit_free. LLVM's part of the work
// (building, optimising, code generation) happens only when neither this process nor the disk cache has seen
// the key; a hit costs the link alone (0.4 ms) and no target machine is made.
//
// The cache is a convenience and never a source of failure: where it cannot be read or written, where others may have
// written to it, where an entry is damaged or of another version, code is compiled as if it were not there.
//
// LLVM's types appear by their struct names, so that including this header does not need LLVM's.
#ifndef NN_RUNTIME_JIT_JIT_H
#define NN_RUNTIME_JIT_JIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/jit/cpu_features.h"

struct LLVMOpaqueModule;
struct LLVMOpaqueValue;
struct jit;

struct jit_options {
  const char *cache_dir;  // NULL: $NN_CACHE_DIR, else $XDG_CACHE_HOME/nn, else ~/.cache/nn. "": no cache
  uint64_t cache_limit;   // bytes kept on disk; 0: 256 MiB. The entries used longest ago go first
  enum cpu_simd simd;     // CPU_SIMD_HOST: $NN_SIMD when set, else the best of this processor
};

// NULL with *error (malloc'd, the caller frees it) when this processor has no native target in LLVM or memory
// is exhausted. `options` may be NULL.
struct jit *jit_new(const struct jit_options *options, char **error);
void jit_free(struct jit *);

const struct cpu_features *jit_cpu(const struct jit *);
// What the user should know of the disk cache, because another could have tampered with it or a folder that was asked
// for cannot be used: one message, or NULL. Owned by the jit.
const char *jit_cache_message(const struct jit *);

// Makes a function of the runtime callable from compiled code by this name. Call before the first module that
// uses it; defining the same name again with the same address does nothing. With another address: false and
// *error.
bool jit_define(struct jit *, const char *name, void *address, char **error);

// The address defined by that name, or NULL.
void *jit_definition(struct jit *, const char *name);
// Defines `name` as malloc'd memory, which the jit frees in the end. When another thread was first, frees
// `memory` and gives what that one defined. NULL with *error when memory is exhausted; then `memory` is
// freed, too.
void *jit_adopt(struct jit *, const char *name, void *memory, char **error);

// Fills an empty module; its context is LLVMGetModuleContext(module), its triple and data layout are set.
// Functions that the request does not ask for must have internal linkage. false with *error (malloc'd) when
// it cannot. Called at most once for each key, on the calling thread.
typedef bool jit_build_fn(void *context, struct LLVMOpaqueModule *module, char **error);

struct jit_request {
  // Everything the generated code depends on besides processor, LLVM and this program. NULL stands for memory that
  // ran out while it was made.
  const char *key;
  jit_build_fn *build;
  void *context;
  const char *pipeline;  // of LLVM passes; NULL: see jit.c
  uint32_t n_symbols;    // functions wanted, by their names in the module
  const char *const *symbols;
  const char *label;  // names the code in profiles, see jit_perf.h; may be NULL
};
// The addresses of the wanted functions. Two requests with equal keys and symbols give the same code. false
// with *error when building or LLVM failed; a later request with that key tries again.
bool jit_compile(struct jit *, const struct jit_request *, void **addresses, char **error);

// How many calls there were before: for threads that want the same modules and begin with different ones.
unsigned jit_turn(struct jit *);

// The module after its passes as LLVM IR, or its assembly; malloc'd. Neither cache is used.
char *jit_text(struct jit *, const struct jit_request *, bool assembly, char **error);

// The attributes every generated function needs: vector width, no unwinding.
void jit_set_attributes(const struct jit *, struct LLVMOpaqueValue *function);

struct jit_statistics {
  uint32_t compiled, loaded, shared;  // modules compiled by LLVM, loaded from disk, already there
  double seconds;                     // spent in jit_compile by all threads together
};
struct jit_statistics jit_get_statistics(struct jit *);

#endif
