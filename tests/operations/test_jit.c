// runtime/jit/jit.c: compiling, calling back, and a disk cache that is used when sound and ignored when not.
#include <dirent.h>
#include <fcntl.h>
#include <llvm-c/Core.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/jit/jit.h"
#include "runtime/jit/jit_cache.h"

typedef int64_t number_fn(int64_t);

static int64_t twice(int64_t x) { return 2 * x; }

struct recipe {
  int64_t addend;
  int built;
};

// f(x) = twice(x) + addend, by calling back.
static bool build_f(void *context, LLVMModuleRef module, char **error) {
  (void)error;
  struct recipe *recipe = context;
  __atomic_add_fetch(&recipe->built, 1, __ATOMIC_SEQ_CST);
  LLVMContextRef c = LLVMGetModuleContext(module);
  LLVMTypeRef word = LLVMInt64TypeInContext(c), type = LLVMFunctionType(word, &word, 1, 0);
  LLVMValueRef callee = LLVMAddFunction(module, "test_twice", type), f = LLVMAddFunction(module, "f", type);
  LLVMBuilderRef b = LLVMCreateBuilderInContext(c);
  LLVMPositionBuilderAtEnd(b, LLVMAppendBasicBlockInContext(c, f, ""));
  LLVMValueRef x = LLVMGetParam(f, 0);
  LLVMValueRef y = LLVMBuildCall2(b, type, callee, &x, 1, "");
  LLVMBuildRet(b, LLVMBuildAdd(b, y, LLVMConstInt(word, (uint64_t)recipe->addend, 1), ""));
  LLVMDisposeBuilder(b);
  return true;
}

static bool build_nothing(void *context, LLVMModuleRef module, char **error) {
  (void)context;
  (void)module;
  *error = strdup("no such function");
  return false;
}

static const char *const f_symbol[] = {"f"};

static struct jit *new_jit(const char *folder) {
  char *error = NULL;
  struct jit *jit = jit_new(&(struct jit_options){.cache_dir = folder}, &error);
  assert_non_null(jit);
  assert_true(jit_define(jit, "test_twice", (void *)(uintptr_t)twice, &error));
  return jit;
}

static number_fn *compile_f(struct jit *jit, const char *key, struct recipe *recipe) {
  char *error = NULL;
  void *address = NULL;
  struct jit_request request = {
      .key = key, .build = build_f, .context = recipe, .n_symbols = 1, .symbols = f_symbol};
  if (!jit_compile(jit, &request, &address, &error))
    fail_msg("%s", error);
  return (number_fn *)(uintptr_t)address;
}

static char *new_folder(void) {
  char *folder = strdup("/tmp/nn-jit-XXXXXX");
  assert_non_null(mkdtemp(folder));
  return folder;
}

// Calls `visit` with the path of each cache entry; returns their number.
static int each_entry(const char *folder, void visit(const char *path)) {
  DIR *dir = opendir(folder);
  int n = 0;
  for (struct dirent *item; dir != NULL && (item = readdir(dir)) != NULL;)
    if (strcmp(item->d_name, ".") != 0 && strcmp(item->d_name, "..") != 0) {
      char path[512];
      snprintf(path, sizeof path, "%s/%s", folder, item->d_name);
      n++;
      if (visit != NULL)
        visit(path);
    }
  if (dir != NULL)
    closedir(dir);
  return n;
}

static void remove_entry(const char *path) { unlink(path); }

static void remove_folder(char *folder) {
  each_entry(folder, remove_entry);
  rmdir(folder);
  free(folder);
}

static void damage_entry(const char *path) {
  int fd = open(path, O_RDWR);
  struct stat status;
  fstat(fd, &status);
  char byte = 0x55;
  assert_int_equal(pwrite(fd, &byte, 1, status.st_size / 2), 1);
  close(fd);
}

static void truncate_entry(const char *path) { assert_int_equal(truncate(path, 100), 0); }

static void compiles_and_shares(void **state) {
  (void)state;
  struct jit *jit = new_jit("");
  struct recipe one = {1, 0}, two = {2, 0};
  number_fn *f = compile_f(jit, "one", &one), *g = compile_f(jit, "two", &two);
  assert_int_equal(f(20), 41);
  assert_int_equal(g(20), 42);
  assert_ptr_equal(compile_f(jit, "one", &one), f);
  assert_int_equal(one.built, 1);
  assert_int_equal(jit_get_statistics(jit).shared, 1);
  jit_free(jit);
}

static void reports_and_retries_failures(void **state) {
  (void)state;
  struct jit *jit = new_jit("");
  char *error = NULL;
  void *address = NULL;
  struct jit_request request = {.key = "one", .build = build_nothing, .n_symbols = 1, .symbols = f_symbol};
  for (int i = 0; i < 2; i++) {
    assert_false(jit_compile(jit, &request, &address, &error));
    assert_string_equal(error, "no such function");
    free(error);
  }
  struct recipe one = {1, 0};
  assert_int_equal(compile_f(jit, "one", &one)(4), 9);
  assert_false(jit_define(jit, "test_twice", (void *)(uintptr_t)strdup, &error));
  free(error);
  jit_free(jit);
}

static void second_start_loads_from_disk(void **state) {
  (void)state;
  char *folder = new_folder();
  for (int start = 0; start < 3; start++) {
    struct recipe one = {1, 0};
    struct jit *jit = new_jit(folder);
    assert_int_equal(compile_f(jit, "one", &one)(3), 7);
    assert_int_equal(one.built, start == 0);
    assert_int_equal(jit_get_statistics(jit).loaded, start != 0);
    jit_free(jit);
    assert_int_equal(each_entry(folder, NULL), 1);
  }
  remove_folder(folder);
}

static void damaged_entries_are_compiled_again(void **state) {
  (void)state;
  char *folder = new_folder();
  void (*spoil[])(const char *) = {NULL, damage_entry, truncate_entry, remove_entry};
  for (int i = 0; i < 4; i++) {
    if (spoil[i] != NULL)
      each_entry(folder, spoil[i]);
    struct recipe one = {1, 0};
    struct jit *jit = new_jit(folder);
    assert_int_equal(compile_f(jit, "one", &one)(3), 7);
    assert_int_equal(one.built, 1);
    jit_free(jit);
  }
  remove_folder(folder);
}

static void works_without_a_usable_folder(void **state) {
  (void)state;
  struct recipe one = {1, 0};
  struct jit *jit = new_jit("/proc/no/such/folder");
  assert_int_equal(compile_f(jit, "one", &one)(3), 7);
  jit_free(jit);
}

static void trims_to_the_limit(void **state) {
  (void)state;
  char *folder = new_folder(), object[1000] = {0};
  struct jit_cache cache;
  jit_cache_init(&cache, folder, 8000);
  for (uint64_t i = 0; i < 20; i++)
    jit_cache_write(&cache, (struct jit_key){i, 7}, object, sizeof object);
  jit_cache_trim(&cache);
  int left = each_entry(folder, NULL);
  assert_true(left >= 4 && left <= 6);
  jit_cache_trim(&cache);
  assert_int_equal(each_entry(folder, NULL), left);
  jit_cache_free(&cache);
  remove_folder(folder);
}

// Compiles "one" with the cache in the folder; whether LLVM had to, and what the jit says of the cache.
static bool was_compiled(const char *folder, char *message, size_t size) {
  struct recipe one = {1, 0};
  struct jit *jit = new_jit(folder);
  assert_int_equal(compile_f(jit, "one", &one)(3), 7);
  const char *said = jit_cache_message(jit);
  snprintf(message, size, "%s", said != NULL ? said : "");
  jit_free(jit);
  return one.built == 1;
}

static void make_writable(const char *path) { assert_int_equal(chmod(path, 0620), 0); }

static void make_pipe(const char *path) {
  assert_int_equal(unlink(path), 0);
  assert_int_equal(mkfifo(path, 0600), 0);
}

static void make_link(const char *path) {
  char elsewhere[600];
  snprintf(elsewhere, sizeof elsewhere, "%s.moved", path);
  assert_int_equal(rename(path, elsewhere), 0);
  assert_int_equal(symlink(elsewhere, path), 0);
}

static void give_away(const char *path) { assert_int_equal(chown(path, 12345, (gid_t)-1), 0); }

// What others may have written is not run; it is said once, and the entry is replaced by one of our own.
static void entries_of_others_are_not_run(void **state) {
  (void)state;
  void (*spoil[])(const char *) = {make_writable, make_pipe, make_link, give_away};
  for (int i = 0; i < 4; i++) {
    if (spoil[i] == give_away && geteuid() != 0)
      continue;
    char *folder = new_folder(), message[600];
    assert_true(was_compiled(folder, message, sizeof message));
    assert_string_equal(message, "");
    assert_false(was_compiled(folder, message, sizeof message));
    each_entry(folder, spoil[i]);
    alarm(60);
    assert_true(was_compiled(folder, message, sizeof message));
    assert_non_null(strstr(message, "not used, because"));
    assert_false(was_compiled(folder, message, sizeof message));
    assert_string_equal(message, "");
    alarm(0);
    remove_folder(folder);
  }
}

static void folders_of_others_are_not_used(void **state) {
  (void)state;
  char *folder = new_folder(), message[600], link[64];
  assert_true(was_compiled(folder, message, sizeof message));
  for (mode_t mode = 0; mode < 3; mode++) {
    assert_int_equal(chmod(folder, mode == 0 ? 0777 : mode == 1 ? 0720 : 0702), 0);
    assert_true(was_compiled(folder, message, sizeof message));
    assert_non_null(strstr(message, "others may write to it"));
    assert_int_equal(each_entry(folder, NULL), 1);
  }
  assert_int_equal(chmod(folder, 0755), 0);
  assert_false(was_compiled(folder, message, sizeof message));
  snprintf(link, sizeof link, "%s-link", folder);
  assert_int_equal(symlink(folder, link), 0);
  assert_true(was_compiled(link, message, sizeof message));
  assert_non_null(strstr(message, "a link"));
  unlink(link);
  if (geteuid() == 0) {
    assert_int_equal(chown(folder, 12345, (gid_t)-1), 0);
    assert_true(was_compiled(folder, message, sizeof message));
    assert_non_null(strstr(message, "belongs to another user"));
    assert_int_equal(chown(folder, 0, (gid_t)-1), 0);
  }
  remove_folder(folder);
}

// Whatever the umask, a folder that the cache makes is safe to use.
static void new_folders_are_ours_alone(void **state) {
  (void)state;
  char *folder = new_folder(), inner[64], message[600];
  snprintf(inner, sizeof inner, "%s/a/b", folder);
  mode_t old = umask(0);
  assert_true(was_compiled(inner, message, sizeof message));
  umask(old);
  assert_string_equal(message, "");
  assert_false(was_compiled(inner, message, sizeof message));
  each_entry(inner, remove_entry);
  rmdir(inner);
  *strrchr(inner, '/') = 0;
  rmdir(inner);
  remove_folder(folder);
}

static void unknown_vectors_are_refused(void **state) {
  (void)state;
  const char *names[] = {"avx1024", "host", "AVX2", "fma128"};
  for (int i = 0; i < 4; i++) {
    char *error = NULL;
    setenv("NN_SIMD", names[i], 1);
    struct jit *jit = jit_new(&(struct jit_options){.cache_dir = ""}, &error);
    unsetenv("NN_SIMD");
    if (jit != NULL) {  // fma128 on a processor that has it
      assert_string_equal(cpu_simd_name(jit_cpu(jit)->simd), names[i]);
      jit_free(jit);
      continue;
    }
    assert_non_null(strstr(error, names[i]));
    assert_non_null(strstr(error, cpu_simd_name(cpu_features_get(CPU_SIMD_HOST).simd)));
    free(error);
  }
}

struct work {
  struct jit *jit;
  struct recipe *recipes;
};

static void *compile_all(void *argument) {
  struct work *work = argument;
  for (int64_t i = 0; i < 8; i++) {
    char key[8];
    snprintf(key, sizeof key, "%d", (int)i);
    if (compile_f(work->jit, key, &work->recipes[i])(5) != 10 + i)
      return work;
  }
  return NULL;
}

static void threads_compile_each_module_once(void **state) {
  (void)state;
  struct recipe recipes[8];
  for (int64_t i = 0; i < 8; i++)
    recipes[i] = (struct recipe){i, 0};
  struct work work = {new_jit(""), recipes};
  pthread_t threads[4];
  for (int i = 0; i < 4; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, compile_all, &work), 0);
  for (int i = 0; i < 4; i++) {
    void *result;
    pthread_join(threads[i], &result);
    assert_null(result);
  }
  for (int i = 0; i < 8; i++)
    assert_int_equal(recipes[i].built, 1);
  jit_free(work.jit);
}

static void gives_text(void **state) {
  (void)state;
  struct jit *jit = new_jit("");
  struct recipe one = {1, 0};
  char *error = NULL;
  struct jit_request request = {
      .key = "one", .build = build_f, .context = &one, .n_symbols = 1, .symbols = f_symbol};
  char *llvm = jit_text(jit, &request, false, &error), *assembly = jit_text(jit, &request, true, &error);
  assert_non_null(strstr(llvm, "call i64 @test_twice"));
  assert_non_null(strstr(assembly, "test_twice"));
  free(llvm);
  free(assembly);
  jit_free(jit);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(compiles_and_shares),
      cmocka_unit_test(reports_and_retries_failures),
      cmocka_unit_test(second_start_loads_from_disk),
      cmocka_unit_test(damaged_entries_are_compiled_again),
      cmocka_unit_test(works_without_a_usable_folder),
      cmocka_unit_test(trims_to_the_limit),
      cmocka_unit_test(threads_compile_each_module_once),
      cmocka_unit_test(gives_text),
      cmocka_unit_test(entries_of_others_are_not_run),
      cmocka_unit_test(folders_of_others_are_not_used),
      cmocka_unit_test(new_folders_are_ours_alone),
      cmocka_unit_test(unknown_vectors_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
