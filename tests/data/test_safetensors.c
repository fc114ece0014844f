// Checkpoint files: a round trip, bytes worked out by hand, and every kind of damage.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/data/json_text.h"
#include "runtime/data/safetensors.h"
#include "tests/data/decode.h"

// Two values 1.0f and -2.0f, written by hand from the format's description.
static const char hand_header[] =
    "{\"__metadata__\":{\"who\":\"hand\"},\"v\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}";
static const unsigned char hand_data[8] = {0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0};

static size_t hand_file(char *out) {
  size_t header = strlen(hand_header);
  memset(out, 0, 8);
  out[0] = (char)header;
  memcpy(out + 8, hand_header, header);
  memcpy(out + 8 + header, hand_data, 8);
  return 8 + header + 8;
}

static void reads_bytes_written_by_hand(void **state) {
  (void)state;
  char bytes[512], *error = NULL;
  size_t length = hand_file(bytes);
  struct safetensors *file = decode(bytes, length, &error);
  assert_non_null(file);
  const struct safetensors_tensor *v = safetensors_find(file, "v");
  assert_non_null(v);
  assert_int_equal(v->rank, 1);
  assert_int_equal(v->shape[0], 2);
  float values[2];
  memcpy(values, v->data, sizeof values);
  assert_true(values[0] == 1.0f && values[1] == -2.0f);
  assert_string_equal(safetensors_metadata_value(file, "who"), "hand");
  assert_null(safetensors_find(file, "w"));
  safetensors_free(file);
}

static void every_truncation_is_refused(void **state) {
  (void)state;
  char bytes[512];
  size_t length = hand_file(bytes);
  for (size_t n = 0; n < length; n++) {
    char *error = NULL;
    assert_null(decode(bytes, n, &error));
    assert_non_null(strstr(error, "/proc/self/fd/"));
    free(error);
  }
}

static void damage_never_crashes(void **state) {
  (void)state;
  char bytes[512], copy[512];
  size_t length = hand_file(bytes);
  for (size_t i = 0; i < length; i++) {
    for (int bit = 0; bit < 8; bit++) {
      memcpy(copy, bytes, length);
      copy[i] = (char)(copy[i] ^ 1 << bit);
      char *error = NULL;
      struct safetensors *file = decode(copy, length, &error);
      assert_true((file != NULL) != (error != NULL));
      safetensors_free(file);
      free(error);
    }
  }
}

static void refuses(const char *header, const char *message) {
  char bytes[1024] = {0}, *error = NULL;
  bytes[0] = (char)strlen(header);
  memcpy(bytes + 8, header, strlen(header));
  assert_null(decode(bytes, 8 + strlen(header) + 8, &error));
  if (!strstr(error, message))
    fail_msg("not `%s` but: %s", message, error);
  free(error);
}

static void names_what_is_wrong(void **state) {
  (void)state;
  refuses("{\"v\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,8]}}", "do not match its shape");
  refuses("{\"v\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]}}", "outside the file");
  refuses("{\"v\":{\"dtype\":\"F31\",\"shape\":[2],\"data_offsets\":[0,8]}}", "unknown dtype");
  refuses("{\"v\":{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}}", "bad shape");
  refuses("{\"v\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904,4],\"data_offsets\":[0,8]}}",
          "too large");
  refuses("{\"v\":7}", "lacks dtype");
  // The eight bytes of data, each of which belongs to one tensor.
#define F32(name, shape, from, to)                                                                           \
  "\"" name "\":{\"dtype\":\"F32\",\"shape\":" shape ",\"data_offsets\":[" from "," to "]}"
  refuses("{" F32("v", "[1]", "0", "4") "}", "4 bytes at its end belong to no tensor");
  refuses("{" F32("v", "[1]", "4", "8") "}", "4 bytes before tensor `v` belong to no tensor");
  refuses("{" F32("v", "[2]", "0", "8") "," F32("w", "[1]", "4", "8") "}", "tensors `v` and `w` overlap");
  refuses("{" F32("v", "[2]", "0", "8") "," F32("w", "[2]", "0", "8") "}", "overlap");
  refuses("{" F32("v", "[2]", "0", "8") "," F32("w", "[0]", "4", "4") "}", "overlap");
  refuses("{}", "8 bytes at its end belong to no tensor");
  refuses("{\"__metadata__\":{\"a\":1}}", "__metadata__");
  refuses("[1]", "no JSON object");
  refuses("{\"v\":", "not JSON: expected a value, found the end");
  refuses("{" F32("v", "[2]", "0", "8") "," F32("v", "[2]", "0", "8") "}", "the key `v` occurs twice");
  refuses("{" F32("v", "[2]", "0", "8") "}}", "no JSON object");
  refuses("{" F32("v", "[99999999999999999999]", "0", "8") "}", "bad shape");
  refuses("{" F32("v", "[2.0]", "0", "8") "}", "bad shape");
  refuses("{" F32("v", "[1,1,1,1,1,1,1,1,2]", "0", "8") "}", "more than 8 dimensions");
  refuses("{" F32("v", "[2]", "0", "8.5") "}", "bad data_offsets");
  refuses("{" F32("v", "[2]", "8", "0") "}", "outside the file");
}

// Other writers lay the header out as they like, and say more than we read.
static void headers_may_look_otherwise(void **state) {
  (void)state;
  const char header[] =
      "{\n  \"a\\u00e9\\n\": {\n    \"data_offsets\": [0,\n 8], \"shape\": [2, 1], \"more\": [{}, \"x\"],\n"
      "    \"dtype\": \"F32\"},\r\n  \"__metadata__\": {\"\": \"\"}\n}\n  ";
  char bytes[1024] = {0}, *error = NULL;
  bytes[0] = (char)(sizeof header - 1);
  memcpy(bytes + 8, header, sizeof header - 1);
  memcpy(bytes + 8 + sizeof header - 1, hand_data, 8);
  struct safetensors *file = decode(bytes, 8 + sizeof header - 1 + 8, &error);
  if (!file)
    fail_msg("%s", error);
  const struct safetensors_tensor *tensor = safetensors_find(file, "a\xc3\xa9\n");
  assert_non_null(tensor);
  assert_int_equal(tensor->rank, 2);
  assert_int_equal(tensor->shape[0], 2);
  assert_memory_equal(tensor->data, hand_data, 8);
  assert_string_equal(safetensors_metadata_value(file, ""), "");
  safetensors_free(file);
}

// A list of strings, as vocabularies are kept.
static void lists_of_strings(void **state) {
  (void)state;
  struct json_strings strings;
  bool no_memory;
  assert_true(json_strings_read(" [\"\", \"a\\tb\",\"\\ud83d\\ude00\"] ", &strings, &no_memory));
  assert_int_equal(strings.n, 3);
  assert_string_equal(strings.items[0], "");
  assert_string_equal(strings.items[1], "a\tb");
  assert_string_equal(strings.items[2], "\xf0\x9f\x98\x80");
  json_strings_free(&strings);
  assert_true(json_strings_read("[]", &strings, &no_memory));
  assert_int_equal(strings.n, 0);
  json_strings_free(&strings);
  static const char *const others[] = {"",         "{}",        "[1]",       "[\"a\"",
                                       "[\"a\",]", "[\"a\"] 1", "[[\"a\"]]", "\"a\""};
  for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
    assert_false(json_strings_read(others[i], &strings, &no_memory));
    assert_false(no_memory);
  }
  char *text = NULL;
  size_t length;
  FILE *out = open_memstream(&text, &length);
  json_write_string(out, "a\"\\\n\xc3\xa9\xff");  // the last byte is no UTF-8
  fclose(out);
  assert_string_equal(text, "\"a\\\"\\\\\\u000a\xc3\xa9\xef\xbf\xbd\"");
  free(text);
}

// Empty tensors stand anywhere between others, in any order of the header.
static void tensors_fill_the_data(void **state) {
  (void)state;
  const char header[] = "{" F32("b", "[1]", "4", "8") "," F32("e", "[0]", "8", "8") "," F32(
      "a", "[1]", "0", "4") "," F32("f", "[0,3]", "4", "4") "," F32("g", "[0]", "0", "0") "}";
  char bytes[1024] = {0}, *error = NULL;
  uint64_t length = strlen(header);
  memcpy(bytes, &length, sizeof length);  // little-endian, as the machines of the tests are
  memcpy(bytes + 8, header, length);
  struct safetensors *file = decode(bytes, 8 + length + 8, &error);
  if (!file)
    fail_msg("%s", error);
  assert_int_equal(file->n_tensors, 5);
  safetensors_free(file);
}

static void writing_is_read_back(void **state) {
  (void)state;
  char path[] = "/tmp/nn-safetensors-XXXXXX", *error = NULL;
  int descriptor = mkstemp(path);
  assert_true(descriptor >= 0);
  close(descriptor);
  float a[6] = {0, 1, 2, 3, 4, 5};
  double b = 0.25;
  struct safetensors_tensor tensors[] = {{"layer.0.W", SAFETENSORS_F32, 2, {2, 3}, a, sizeof a},
                                         {"b", SAFETENSORS_F64, 0, {0}, &b, sizeof b},
                                         {"empty", SAFETENSORS_F32, 1, {0}, NULL, 0}};
  struct safetensors_metadata metadata[] = {{"dim.H", "128"}, {"text", "\"quoted\"\n\xc3\xa9"}};
  assert_true(safetensors_write(path, 3, tensors, 2, metadata, &error));
  struct safetensors *file = safetensors_read(path, &error);
  assert_non_null(file);
  assert_int_equal(file->n_tensors, 3);
  assert_memory_equal(safetensors_find(file, "layer.0.W")->data, a, sizeof a);
  assert_memory_equal(safetensors_find(file, "b")->data, &b, sizeof b);
  assert_int_equal(safetensors_find(file, "b")->rank, 0);
  assert_string_equal(safetensors_metadata_value(file, "text"), metadata[1].value);
  safetensors_free(file);
  unlink(path);
}

// A link stays one, and what is no file is written to, not replaced.
static void only_files_are_replaced(void **state) {
  (void)state;
  char folder[] = "/tmp/nn-safetensors-XXXXXX", link[64], target[64], *error = NULL;
  assert_non_null(mkdtemp(folder));
  snprintf(link, sizeof link, "%s/link", folder);
  snprintf(target, sizeof target, "%s/target", folder);
  FILE *file = fopen(target, "w");
  assert_non_null(file);
  fclose(file);
  assert_int_equal(chmod(target, 0640), 0);
  assert_int_equal(symlink("target", link), 0);
  assert_true(safetensors_write(link, 0, NULL, 0, NULL, &error));
  struct stat info;
  assert_int_equal(lstat(link, &info), 0);
  assert_true(S_ISLNK(info.st_mode));
  assert_int_equal(stat(target, &info), 0);
  assert_int_equal(info.st_mode & 0777, 0640);
  assert_true(info.st_size >= 8);
  assert_false(safetensors_write(folder, 0, NULL, 0, NULL, &error));
  assert_non_null(strstr(error, "could not be written"));
  free(error);
  error = NULL;
  if (stat("/dev/full", &info) == 0 && S_ISCHR(info.st_mode)) {
    assert_false(safetensors_write("/dev/full", 0, NULL, 0, NULL, &error));
    assert_non_null(strstr(error, "No space left"));
    free(error);
    assert_true(stat("/dev/full", &info) == 0 && S_ISCHR(info.st_mode));
  }
  unlink(link);
  unlink(target);
  rmdir(folder);
}

static void an_unwritable_path_is_an_error(void **state) {
  (void)state;
  char *error = NULL;
  assert_false(safetensors_write("/nonexistent/folder/x.safetensors", 0, NULL, 0, NULL, &error));
  assert_non_null(strstr(error, "/nonexistent/folder/x.safetensors"));
  free(error);
  error = NULL;
  assert_null(safetensors_read("/nonexistent", &error));
  assert_non_null(strstr(error, "No such file"));
  free(error);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(reads_bytes_written_by_hand), cmocka_unit_test(every_truncation_is_refused),
      cmocka_unit_test(damage_never_crashes),        cmocka_unit_test(names_what_is_wrong),
      cmocka_unit_test(writing_is_read_back),        cmocka_unit_test(an_unwritable_path_is_an_error),
      cmocka_unit_test(only_files_are_replaced),     cmocka_unit_test(tensors_fill_the_data),
      cmocka_unit_test(headers_may_look_otherwise),  cmocka_unit_test(lists_of_strings),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
