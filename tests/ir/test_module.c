// The .nnb file: what is written is read back, and nothing else is accepted.
#include "tests/ir/ir_testing.h"

#include <sys/stat.h>
#include <unistd.h>

#define EXAMPLE "tests/ir/corpus/treelstm.ir"

// A folder of its own for this process; removed by drop_folder.
static int make_folder(void **state) {
  char *folder = strdup("/tmp/nn_module_XXXXXX");
  *state = folder;
  return mkdtemp(folder) ? 0 : -1;
}

static int drop_folder(void **state) {
  rmdir(*state);  // empty, or the test of atomic writing has failed already
  free(*state);
  return 0;
}

static char *in_folder(void **state, const char *name) {
  char *path = NULL;
  assert_true(asprintf(&path, "%s/%s", (char *)*state, name) > 0);
  return path;
}

static void write_bytes(const char *path, const void *bytes, size_t length) {
  FILE *file = fopen(path, "wb");
  assert_non_null(file);
  assert_int_equal(fwrite(bytes, 1, length, file), length);
  fclose(file);
}

// The example as a .nnb in memory.
static unsigned char *encode(void **state, size_t *length) {
  char *text = read_text(EXAMPLE), *path = in_folder(state, "example.nnb"), *error = NULL;
  struct ir_module *module = parse_text(EXAMPLE, text);
  assert_true(ir_module_write(module, path, &error));
  FILE *file = fopen(path, "rb");
  assert_non_null(file);
  unsigned char *bytes = malloc(1 << 20);
  *length = fread(bytes, 1, 1 << 20, file);
  assert_in_range(*length, 1000, (1 << 20) - 1);
  fclose(file);
  unlink(path);
  ir_module_free(module);
  free(path);
  free(text);
  return bytes;
}

static void test_round_trip(void **state) {
  char *text = read_text(EXAMPLE), *path = in_folder(state, "round.nnb"), *error = NULL;
  struct ir_module *module = parse_text(EXAMPLE, text);
  assert_true(ir_module_write(module, path, &error));
  assert_true(ir_module_write(module, path, &error));  // over an older one
  struct ir_module *again = ir_module_read(path, &error);
  if (!again)
    fail_msg("%s", error);
  char *before = ir_print(module), *after = ir_print(again);
  assert_string_equal(before, after);
  unlink(path);
  // Nothing else is left in the folder: it can be removed, and is made anew.
  assert_int_equal(rmdir(*state), 0);
  assert_int_equal(mkdir(*state, 0777), 0);
  free(before);
  free(after);
  free(path);
  free(text);
  ir_module_free(module);
  ir_module_free(again);
}

static void expect_refusal(const void *bytes, size_t length, const char *expected) {
  char *error = NULL;
  // A copy of exactly this length, so that AddressSanitizer sees a read past the end.
  void *copy = malloc(length ? length : 1);
  memcpy(copy, bytes, length);
  if (ir_module_decode(copy, length, &error))
    fail_msg("%zu bytes were accepted instead of: %s", length, expected ? expected : "any error");
  assert_non_null(error);
  if (expected && !strstr(error, expected))
    fail_msg("`%s` does not say `%s`", error, expected);
  free(error);
  free(copy);
}

static void test_every_truncation(void **state) {
  size_t length;
  unsigned char *bytes = encode(state, &length);
  expect_refusal(bytes, 0, "the file is empty");
  for (size_t n = 1; n < length; n++)
    expect_refusal(bytes, n, n < 32 ? "cut off after" : "cut off:");
  free(bytes);
}

static void test_every_byte_changed(void **state) {
  size_t length;
  unsigned char *bytes = encode(state, &length);
  for (size_t i = 0; i < length; i++) {
    for (unsigned bit = 0; bit < 8; bit += i < 32 ? 1 : 7) {
      bytes[i] ^= (unsigned char)(1u << bit);
      expect_refusal(bytes, length, i >= 24 ? "its checksum does not match" : NULL);
      bytes[i] ^= (unsigned char)(1u << bit);
    }
  }
  free(bytes);
}

static void test_messages(void **state) {
  size_t length;
  unsigned char *bytes = encode(state, &length);
  expect_refusal("{\"json\": 1}", 11, "this is no compiled model (.nnb)");
  expect_refusal("NN", 2, "cut off after 2 bytes");
  expect_refusal("NNB\x01\n\x1a\n and more", 16, "perhaps copied as text");
  bytes[8] = 7;
  expect_refusal(bytes, length, "the file has format 7, this program reads up to 1; use a newer nnrun");
  bytes[8] = 1;
  bytes = realloc(bytes, length + 2);
  bytes[length] = bytes[length + 1] = 0;
  expect_refusal(bytes, length + 2, "2 bytes too many");
  free(bytes);
}

static void expect_read_error(const char *path, const char *expected) {
  char *error = NULL;
  assert_null(ir_module_read(path, &error));
  if (strncmp(error, path, strlen(path)) != 0 || !strstr(error, expected))
    fail_msg("`%s` does not name the file and say `%s`", error, expected);
  free(error);
}

static void test_files(void **state) {
  char *path = in_folder(state, "file.nnb"), *error = NULL;
  expect_read_error(path, "cannot be read: No such file");
  expect_read_error(*state, "it is a folder, not a file");
  write_bytes(path, "", 0);
  expect_read_error(path, "the file is empty; compile the model again with nnc");
  write_bytes(path, "hello world", 11);
  expect_read_error(path, "this is no compiled model");
  unlink(path);

  struct ir_module *module = ir_module_new("empty");
  char *nowhere = in_folder(state, "missing/file.nnb");
  assert_false(ir_module_write(module, nowhere, &error));
  assert_non_null(strstr(error, "cannot be written: No such file"));
  free(error);
  ir_module_free(module);
  free(nowhere);
  free(path);
}

// A checksum says only that the file is as it was written.
static void test_whole_file_with_invalid_module(void **state) {
  char *path = in_folder(state, "invalid.nnb"), *error = NULL;
  struct ir_module *module = parse_text("text", "module x\nhost @f() -> (int) {\n^0:\n  return\n}\n");
  assert_true(ir_module_write(module, path, &error));
  expect_read_error(path, "the model in the file is not valid: host @f: `return`: 1 results, not 0");
  unlink(path);
  ir_module_free(module);
  free(path);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_round_trip),
      cmocka_unit_test(test_every_truncation),
      cmocka_unit_test(test_every_byte_changed),
      cmocka_unit_test(test_messages),
      cmocka_unit_test(test_files),
      cmocka_unit_test(test_whole_file_with_invalid_module),
  };
  return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
