// Compiles LLVM modules, links objects, keeps both caches.
#include "runtime/jit/jit.h"

#include <assert.h>
#include <link.h>
#include <llvm-c/Analysis.h>
#include <llvm-c/Core.h>
#include <llvm-c/Error.h>
#include <llvm-c/LLJIT.h>
#include <llvm-c/Orc.h>
#include <llvm-c/Target.h>
#include <llvm-c/TargetMachine.h>
#include <llvm-c/Transforms/PassBuilder.h>
#include <llvm/Config/llvm-config.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "runtime/base/clock.h"
#include "runtime/jit/jit_cache.h"
#include "runtime/jit/jit_perf.h"

// Cheap passes: the generators emit what they mean, and -O3 takes three times as long for code that is no
// faster. instcombine must not check that a second run finds nothing: LLVM ends the process when one would.
#define DEFAULT_PIPELINE "function(early-cse,instcombine<no-verify-fixpoint>)"

// A module that was asked for: being made while `state` is PENDING, by the thread that added it.
struct module {
  struct module *next;
  struct jit_key key;
  enum { PENDING, READY, FAILED } state;
  uint32_t n_symbols;
  void **addresses;
};

struct definition {
  struct definition *next;
  char *name;
  void *address;
  bool owned;      // to be freed in the end
  bool installed;  // in LLVM's symbol table
};

struct jit {
  struct cpu_features cpu;
  char *triple, *cpu_name, *features;
  XXH128_hash_t platform;  // of all that is not in a request's key
  struct jit_cache cache;
  pthread_mutex_t lock;    // guards what follows
  pthread_cond_t changed;  // a module left PENDING
  LLVMOrcLLJITRef lljit;   // made with the first module
  struct module *modules;
  struct definition *definitions;
  struct jit_statistics statistics;
  unsigned turns;
};

static bool fail(char **error, const char *what, const char *why) {
  if (asprintf(error, "%s: %s", what, why) < 0)
    *error = NULL;
  return false;
}

static bool fail_llvm(char **error, const char *what, LLVMErrorRef e) {
  char *message = LLVMGetErrorMessage(e);
  fail(error, what, message);
  LLVMDisposeErrorMessage(message);
  return false;
}

// ---------------------------------------------------------------------------------------- making and freeing

// LLVM's registry of targets is the process's, not ours; filling it twice at once is not safe.
static pthread_once_t targets_registered = PTHREAD_ONCE_INIT;

static void register_targets(void) {
  LLVMInitializeNativeTarget();
  LLVMInitializeNativeAsmPrinter();
}

// Finding and hashing the build id.
struct build_id {
  XXH3_state_t *state;
  bool found, ok;
};

static bool has_build_id(const char *notes, size_t bytes) {
  for (size_t at = 0; bytes - at >= sizeof(ElfW(Nhdr));) {
    ElfW(Nhdr) note;
    memcpy(&note, notes + at, sizeof note);
    if (note.n_type == NT_GNU_BUILD_ID)
      return true;
    size_t size = sizeof note + (note.n_namesz + 3u) / 4 * 4 + (note.n_descsz + 3u) / 4 * 4;
    if (size > bytes - at)
      break;
    at += size;
  }
  return false;
}

// Hashes the build id of the program or library that contains this function, so that a rebuilt code generator
// never meets objects of its predecessor.
static int hash_build_id(struct dl_phdr_info *info, size_t size, void *context) {
  (void)size;
  struct build_id *id = context;
  ElfW(Addr) self = (ElfW(Addr))(uintptr_t)&register_targets;
  bool ours = false;
  for (int i = 0; i < info->dlpi_phnum; i++) {
    const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
    ElfW(Addr) start = info->dlpi_addr + segment->p_vaddr;
    ours |= segment->p_type == PT_LOAD && self >= start && self < start + segment->p_memsz;
  }
  for (int i = 0; ours && i < info->dlpi_phnum; i++) {
    const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
    if (segment->p_type != PT_NOTE)
      continue;
    const void *notes = (const void *)(info->dlpi_addr + segment->p_vaddr);
    id->found = id->found || has_build_id(notes, segment->p_memsz);
    id->ok = id->ok && XXH3_128bits_update(id->state, notes, segment->p_memsz) == XXH_OK;
  }
  return ours;
}

// Adds a string with its end, so that neighbours cannot be taken for each other.
static bool hash_string(XXH3_state_t *state, const char *text) {
  return XXH3_128bits_update(state, text, strlen(text) + 1) == XXH_OK;
}

// false without memory: a hash that lacks a part would name the code of another processor or program.
static bool hash_platform(struct jit *jit, bool *has_build_id) {
  XXH3_state_t *state = XXH3_createState();
  if (state == NULL)
    return false;
  bool ok = XXH3_128bits_reset(state) == XXH_OK;
  const char *parts[] = {LLVM_VERSION_STRING, jit->triple, jit->cpu_name, jit->features};
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
    ok = ok && hash_string(state, parts[i]);
  struct build_id id = {.state = state, .ok = ok};
  dl_iterate_phdr(hash_build_id, &id);
  jit->platform = XXH3_128bits_digest(state);
  XXH3_freeState(state);
  *has_build_id = id.found;
  return id.ok;
}

// Asking by a name that means nothing, or for what this processor lacks, is a mistake and no wish for the best there
// is. false with *error.
static bool simd_by_name(const char *name, enum cpu_simd *simd, char **error) {
  *simd = cpu_simd_find(name);
  if (name == NULL || *name == 0 || (*simd != CPU_SIMD_HOST && cpu_features_get(*simd).simd == *simd))
    return true;
  char known[64] = "";
  for (enum cpu_simd s = CPU_SIMD_BASE128; s <= CPU_SIMD_AVX512; s++)
    if (cpu_features_get(s).simd == s) {
      strcat(known, *known ? ", " : "");
      strcat(known, cpu_simd_name(s));
    }
  if (asprintf(error, "NN_SIMD is `%s`; this processor has %s", name, known) < 0)
    *error = NULL;
  return false;
}

static bool describe_host(struct jit *jit, enum cpu_simd simd) {
  jit->cpu = cpu_features_get(simd);
  // On virtual machines the processor's name promises instructions that are masked: the features decide.
  char *triple = LLVMGetDefaultTargetTriple(), *name = LLVMGetHostCPUName(),
       *features = LLVMGetHostCPUFeatures();
  jit->triple = strdup(triple);
  jit->cpu_name = strdup(name);
  if (asprintf(&jit->features, "%s%s", features, cpu_simd_restriction(jit->cpu.simd)) < 0)
    jit->features = NULL;
  LLVMDisposeMessage(triple);
  LLVMDisposeMessage(name);
  LLVMDisposeMessage(features);
  return jit->triple != NULL && jit->cpu_name != NULL && jit->features != NULL;
}

struct jit *jit_new(const struct jit_options *options, char **error) {
  static const struct jit_options defaults = {0};
  if (options == NULL)
    options = &defaults;
  struct jit *jit = calloc(1, sizeof *jit);
  enum cpu_simd simd = options->simd;
  if (jit == NULL) {
    fail(error, "compiled code", "out of memory");
    return NULL;
  }
  if (simd == CPU_SIMD_HOST && !simd_by_name(getenv("NN_SIMD"), &simd, error)) {
    free(jit);
    return NULL;
  }
  jit->cache.folder = -1;
  pthread_mutex_init(&jit->lock, NULL);
  pthread_cond_init(&jit->changed, NULL);
  bool has_build_id = false;
  if (!describe_host(jit, simd) || !hash_platform(jit, &has_build_id)) {
    fail(error, "compiled code", "out of memory");
    jit_free(jit);
    return NULL;
  }
  jit_cache_init(&jit->cache, options->cache_dir, options->cache_limit);
  if (!has_build_id)
    jit_cache_disable(&jit->cache,
                      "this program was linked without a build id, by which its code is told from that "
                      "of another version (--build-id)");
  return jit;
}

void jit_free(struct jit *jit) {
  if (jit == NULL)
    return;
  if (jit->lljit != NULL) {
    LLVMErrorRef e = LLVMOrcDisposeLLJIT(jit->lljit);
    if (e != NULL)
      LLVMConsumeError(e);
  }
  if (jit->statistics.compiled > 0)
    jit_cache_trim(&jit->cache);
  for (struct module *m = jit->modules, *next; m != NULL; m = next) {
    next = m->next;
    free(m->addresses);
    free(m);
  }
  for (struct definition *d = jit->definitions, *next; d != NULL; d = next) {
    next = d->next;
    if (d->owned)
      free(d->address);
    free(d->name);
    free(d);
  }
  jit_cache_free(&jit->cache);
  pthread_cond_destroy(&jit->changed);
  pthread_mutex_destroy(&jit->lock);
  free(jit->triple);
  free(jit->cpu_name);
  free(jit->features);
  free(jit);
}

const struct cpu_features *jit_cpu(const struct jit *jit) { return &jit->cpu; }

unsigned jit_turn(struct jit *jit) {
  pthread_mutex_lock(&jit->lock);
  unsigned turn = jit->turns++;
  pthread_mutex_unlock(&jit->lock);
  return turn;
}

const char *jit_cache_message(const struct jit *jit) { return jit_cache_problem(&jit->cache); }

struct jit_statistics jit_get_statistics(struct jit *jit) {
  pthread_mutex_lock(&jit->lock);
  struct jit_statistics statistics = jit->statistics;
  pthread_mutex_unlock(&jit->lock);
  return statistics;
}

// -------------------------------------------------------------------------------- runtime functions, linking

// With the lock held.
static struct definition *find_definition(struct jit *jit, const char *name) {
  struct definition *found = jit->definitions;
  while (found != NULL && strcmp(found->name, name) != 0)
    found = found->next;
  return found;
}

// The definition of that name, made when there is none; NULL with *error when memory is exhausted. With the
// lock held.
static struct definition *define(struct jit *jit, const char *name, void *address, bool owned, char **error) {
  struct definition *d = find_definition(jit, name);
  if (d != NULL)
    return d;
  d = calloc(1, sizeof *d);
  char *copy = strdup(name);
  if (d == NULL || copy == NULL) {
    free(d);
    free(copy);
    fail(error, name, "out of memory");
    return NULL;
  }
  *d = (struct definition){jit->definitions, copy, address, owned, false};
  jit->definitions = d;
  return d;
}

bool jit_define(struct jit *jit, const char *name, void *address, char **error) {
  pthread_mutex_lock(&jit->lock);
  struct definition *d = define(jit, name, address, false, error);
  bool ok = d != NULL &&
            (d->address == address || fail(error, name, "defined twice with different addresses"));
  pthread_mutex_unlock(&jit->lock);
  return ok;
}

void *jit_definition(struct jit *jit, const char *name) {
  pthread_mutex_lock(&jit->lock);
  struct definition *d = find_definition(jit, name);
  pthread_mutex_unlock(&jit->lock);
  return d != NULL ? d->address : NULL;
}

void *jit_adopt(struct jit *jit, const char *name, void *memory, char **error) {
  pthread_mutex_lock(&jit->lock);
  struct definition *d = define(jit, name, memory, true, error);
  void *address = d != NULL ? d->address : NULL;
  pthread_mutex_unlock(&jit->lock);
  if (address != memory)
    free(memory);
  return address;
}

// With the lock held.
static bool install_definitions(struct jit *jit, char **error) {
  LLVMOrcJITDylibRef library = LLVMOrcLLJITGetMainJITDylib(jit->lljit);
  for (struct definition *d = jit->definitions; d != NULL; d = d->next) {
    if (d->installed)
      continue;
    LLVMOrcCSymbolMapPair pair = {
        .Name = LLVMOrcLLJITMangleAndIntern(jit->lljit, d->name),
        .Sym = {.Address = (LLVMOrcExecutorAddress)(uintptr_t)d->address,
                .Flags = {.GenericFlags = LLVMJITSymbolGenericFlagsExported |
                                          LLVMJITSymbolGenericFlagsCallable}},
    };
    LLVMErrorRef e = LLVMOrcJITDylibDefine(library, LLVMOrcAbsoluteSymbols(&pair, 1));
    if (e != NULL)
      return fail_llvm(error, "runtime functions", e);
    d->installed = true;
  }
  return true;
}

static bool ensure_lljit(struct jit *jit, char **error) {
  pthread_mutex_lock(&jit->lock);
  bool ok = true;
  if (jit->lljit == NULL) {
    pthread_once(&targets_registered, register_targets);
    LLVMErrorRef e = LLVMOrcCreateLLJIT(&jit->lljit, NULL);
    if (e != NULL) {
      jit->lljit = NULL;
      ok = fail_llvm(error, "LLVM", e);
    }
  }
  ok = ok && install_definitions(jit, error);
  pthread_mutex_unlock(&jit->lock);
  return ok;
}

// Symbols get the key as a suffix, because all modules share one name space.
static char *linked_name(const char *symbol, struct jit_key key) {
  char *name = NULL;
  int n = asprintf(&name, "%s.%016llx%016llx", symbol, (unsigned long long)key.high,
                   (unsigned long long)key.low);
  return n < 0 ? NULL : name;
}

// Sizes of the wanted functions, taken before linking consumes the object.
static void note_sizes(const struct jit_request *request, struct jit_key key, LLVMMemoryBufferRef object,
                       size_t *sizes) {
  for (uint32_t i = 0; i < request->n_symbols; i++) {
    char *name = linked_name(request->symbols[i], key);
    sizes[i] = name != NULL ? jit_perf_size(LLVMGetBufferStart(object), LLVMGetBufferSize(object), name) : 0;
    free(name);
  }
}

static void name_for_profiles(const struct jit_request *request, void *const *addresses,
                              const size_t *sizes) {
  for (uint32_t i = 0; i < request->n_symbols; i++)
    jit_perf_note(addresses[i], sizes[i], request->label != NULL ? request->label : "", request->symbols[i]);
}

// Takes the object.
static bool link_object(struct jit *jit, const struct jit_request *request, struct jit_key key,
                        LLVMMemoryBufferRef object, void **addresses, char **error) {
  if (!ensure_lljit(jit, error)) {
    LLVMDisposeMemoryBuffer(object);
    return false;
  }
  LLVMErrorRef e = LLVMOrcLLJITAddObjectFile(jit->lljit, LLVMOrcLLJITGetMainJITDylib(jit->lljit), object);
  if (e != NULL)
    return fail_llvm(error, "linking compiled code", e);
  for (uint32_t i = 0; i < request->n_symbols; i++) {
    char *name = linked_name(request->symbols[i], key);
    if (name == NULL)
      return fail(error, "linking compiled code", "out of memory");
    LLVMOrcExecutorAddress address = 0;
    e = LLVMOrcLLJITLookup(jit->lljit, &address, name);
    free(name);
    if (e != NULL)
      return fail_llvm(error, "linking compiled code", e);
    addresses[i] = (void *)(uintptr_t)address;
  }
  return true;
}

// ------------------------------------------------------------------------------------------------- compiling

static LLVMTargetMachineRef new_target_machine(const struct jit *jit, char **error) {
  pthread_once(&targets_registered, register_targets);
  LLVMTargetRef target;
  char *message = NULL;
  if (LLVMGetTargetFromTriple(jit->triple, &target, &message)) {
    fail(error, "LLVM", message);
    LLVMDisposeMessage(message);
    return NULL;
  }
  return LLVMCreateTargetMachine(target, jit->triple, jit->cpu_name, jit->features, LLVMCodeGenLevelLess,
                                 LLVMRelocPIC, LLVMCodeModelDefault);
}

void jit_set_attributes(const struct jit *jit, LLVMValueRef function) {
  LLVMContextRef context = LLVMGetModuleContext(LLVMGetGlobalParent(function));
  char bits[8];
  int n = snprintf(bits, sizeof bits, "%u", jit->cpu.vector_bytes * 8);
  const char *names[] = {"prefer-vector-width", "min-legal-vector-width"};
  for (int i = 0; i < 2; i++) {
    LLVMAttributeRef a = LLVMCreateStringAttribute(context, names[i], (unsigned)strlen(names[i]), bits,
                                                   (unsigned)n);
    LLVMAddAttributeAtIndex(function, (LLVMAttributeIndex)LLVMAttributeFunctionIndex, a);
  }
  unsigned nounwind = LLVMGetEnumAttributeKindForName("nounwind", 8);
  LLVMAddAttributeAtIndex(function, (LLVMAttributeIndex)LLVMAttributeFunctionIndex,
                          LLVMCreateEnumAttribute(context, nounwind, 0));
}

// Builds, verifies and optimises. NULL with *error on failure.
static LLVMModuleRef make_module(const struct jit *jit, const struct jit_request *request,
                                 LLVMContextRef context, LLVMTargetMachineRef machine, char **error) {
  LLVMModuleRef module = LLVMModuleCreateWithNameInContext("nn", context);
  LLVMSetTarget(module, jit->triple);
  LLVMTargetDataRef layout = LLVMCreateTargetDataLayout(machine);
  LLVMSetModuleDataLayout(module, layout);
  LLVMDisposeTargetData(layout);
  bool ok = request->build(request->context, module, error);
#ifndef NDEBUG
  char *message = NULL;
  if (ok && LLVMVerifyModule(module, LLVMReturnStatusAction, &message)) {
    ok = fail(error, "generated code is invalid", message);
    fprintf(stderr, "%s\n", *error);
    assert(!"generated code is invalid");
  }
  LLVMDisposeMessage(message);
#endif
  if (ok) {
    LLVMPassBuilderOptionsRef options = LLVMCreatePassBuilderOptions();
    const char *pipeline = request->pipeline != NULL ? request->pipeline : DEFAULT_PIPELINE;
    LLVMErrorRef e = LLVMRunPasses(module, pipeline, machine, options);
    LLVMDisposePassBuilderOptions(options);
    ok = e == NULL || fail_llvm(error, pipeline, e);
  }
  if (!ok) {
    LLVMDisposeModule(module);
    return NULL;
  }
  return module;
}

static bool rename_symbols(LLVMModuleRef module, const struct jit_request *request, struct jit_key key,
                           char **error) {
  for (uint32_t i = 0; i < request->n_symbols; i++) {
    LLVMValueRef function = LLVMGetNamedFunction(module, request->symbols[i]);
    char *name = linked_name(request->symbols[i], key);
    if (function == NULL || name == NULL) {
      free(name);
      return fail(error, request->symbols[i], "was not generated");
    }
    LLVMSetValueName2(function, name, strlen(name));
    free(name);
  }
  return true;
}

static LLVMMemoryBufferRef compile_object(const struct jit *jit, const struct jit_request *request,
                                          struct jit_key key, char **error) {
  LLVMTargetMachineRef machine = new_target_machine(jit, error);
  if (machine == NULL)
    return NULL;
  LLVMMemoryBufferRef object = NULL;
  LLVMContextRef context = LLVMContextCreate();
  LLVMModuleRef module = make_module(jit, request, context, machine, error);
  if (module != NULL) {
    char *message = NULL;
    if (rename_symbols(module, request, key, error) &&
        LLVMTargetMachineEmitToMemoryBuffer(machine, module, LLVMObjectFile, &message, &object)) {
      fail(error, "LLVM", message);
      LLVMDisposeMessage(message);
      object = NULL;
    }
    LLVMDisposeModule(module);
  }
  LLVMContextDispose(context);
  LLVMDisposeTargetMachine(machine);
  return object;
}

char *jit_text(struct jit *jit, const struct jit_request *request, bool assembly, char **error) {
  LLVMTargetMachineRef machine = new_target_machine(jit, error);
  if (machine == NULL)
    return NULL;
  char *text = NULL, *message = NULL;
  LLVMContextRef context = LLVMContextCreate();
  LLVMModuleRef module = make_module(jit, request, context, machine, error);
  if (module != NULL && !assembly) {
    char *printed = LLVMPrintModuleToString(module);
    text = strdup(printed);
    LLVMDisposeMessage(printed);
  } else if (module != NULL) {
    LLVMMemoryBufferRef buffer = NULL;
    if (LLVMTargetMachineEmitToMemoryBuffer(machine, module, LLVMAssemblyFile, &message, &buffer)) {
      fail(error, "LLVM", message);
      LLVMDisposeMessage(message);
    } else {
      text = strndup(LLVMGetBufferStart(buffer), LLVMGetBufferSize(buffer));
      LLVMDisposeMemoryBuffer(buffer);
    }
  }
  if (module != NULL)
    LLVMDisposeModule(module);
  LLVMContextDispose(context);
  LLVMDisposeTargetMachine(machine);
  return text;
}

// -------------------------------------------------------------------------------------------------- requests

// false without memory.
static bool request_key(const struct jit *jit, const struct jit_request *request, struct jit_key *key) {
  XXH3_state_t *state = XXH3_createState();
  if (state == NULL)
    return false;
  bool ok = XXH3_128bits_reset(state) == XXH_OK &&
            XXH3_128bits_update(state, &jit->platform, sizeof jit->platform) == XXH_OK &&
            hash_string(state, request->key);
  for (uint32_t i = 0; i < request->n_symbols; i++)
    ok = ok && hash_string(state, request->symbols[i]);
  if (request->pipeline != NULL)
    ok = ok && hash_string(state, request->pipeline);
  XXH128_hash_t hash = XXH3_128bits_digest(state);
  XXH3_freeState(state);
  *key = (struct jit_key){hash.low64, hash.high64};
  return ok;
}

static struct module *find_module(struct jit *jit, struct jit_key key) {
  struct module *m = jit->modules;
  while (m != NULL && (m->key.low != key.low || m->key.high != key.high))
    m = m->next;
  return m;
}

// Waits for another thread that makes the same module. READY: found. Otherwise a PENDING entry of the
// caller's own, or NULL when memory is exhausted. With the lock held.
static struct module *claim_module(struct jit *jit, struct jit_key key, uint32_t n_symbols) {
  struct module *m;
  while ((m = find_module(jit, key)) != NULL && m->state == PENDING)
    pthread_cond_wait(&jit->changed, &jit->lock);
  if (m != NULL) {
    if (m->state == FAILED)
      m->state = PENDING;
    return m;
  }
  m = calloc(1, sizeof *m);
  void **addresses = calloc(n_symbols ? n_symbols : 1, sizeof *addresses);
  if (m == NULL || addresses == NULL) {
    free(m);
    free(addresses);
    return NULL;
  }
  *m = (struct module){jit->modules, key, PENDING, n_symbols, addresses};
  jit->modules = m;
  return m;
}

// From the disk or from LLVM. Without the lock.
static bool find_code(struct jit *jit, const struct jit_request *request, struct module *m, bool *loaded,
                      size_t *sizes, char **error) {
  size_t bytes;
  void *cached = jit_cache_read(&jit->cache, m->key, &bytes);
  if (cached != NULL) {
    LLVMMemoryBufferRef object = LLVMCreateMemoryBufferWithMemoryRangeCopy(cached, bytes, "cached");
    free(cached);
    if (sizes != NULL)
      note_sizes(request, m->key, object, sizes);
    char *ignored = NULL;
    *loaded = link_object(jit, request, m->key, object, m->addresses, &ignored);
    if (*loaded)
      return true;
    free(ignored);  // not an object that LLVM accepts: compile it again
  }
  LLVMMemoryBufferRef object = compile_object(jit, request, m->key, error);
  if (object == NULL)
    return false;
  jit_cache_write(&jit->cache, m->key, LLVMGetBufferStart(object), LLVMGetBufferSize(object));
  if (sizes != NULL)
    note_sizes(request, m->key, object, sizes);
  return link_object(jit, request, m->key, object, m->addresses, error);
}

static bool make_code(struct jit *jit, const struct jit_request *request, struct module *m, bool *loaded,
                      char **error) {
  size_t *sizes = jit_perf_wanted() ? calloc(request->n_symbols + 1, sizeof *sizes) : NULL;
  bool ok = find_code(jit, request, m, loaded, sizes, error);
  if (ok && sizes != NULL)
    name_for_profiles(request, m->addresses, sizes);
  free(sizes);
  return ok;
}

bool jit_compile(struct jit *jit, const struct jit_request *request, void **addresses, char **error) {
  double start = clock_seconds();
  *error = NULL;
  struct jit_key key;
  // Without memory for its text a request has no key.
  if (request->key == NULL || !request_key(jit, request, &key))
    return fail(error, "compiled code", "out of memory");
  pthread_mutex_lock(&jit->lock);
  struct module *m = claim_module(jit, key, request->n_symbols);
  bool ok = m != NULL, shared = ok && m->state == READY, loaded = false;
  if (ok && !shared) {
    pthread_mutex_unlock(&jit->lock);
    ok = make_code(jit, request, m, &loaded, error);
    pthread_mutex_lock(&jit->lock);
    m->state = ok ? READY : FAILED;
    pthread_cond_broadcast(&jit->changed);
  } else if (!ok) {
    fail(error, "compiled code", "out of memory");
  }
  if (ok) {
    memcpy(addresses, m->addresses, request->n_symbols * sizeof *addresses);
    uint32_t *counter = shared   ? &jit->statistics.shared
                        : loaded ? &jit->statistics.loaded
                                 : &jit->statistics.compiled;
    ++*counter;
  }
  jit->statistics.seconds += clock_seconds() - start;
  pthread_mutex_unlock(&jit->lock);
  return ok;
}
