// Fuzzes the .nnb reader and the IR's text: bytes that begin like a .nnb are also given a right checksum, so that what
// lies behind it is reached; everything is also taken as text. What parses must print and parse back to the same text,
// and the verifier must survive it.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "compiler/ir/ir.h"

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t length);

static void require(int condition) {
  if (!condition)
    abort();
}

static void try_text(const char *text, size_t length) {
  char *error = NULL;
  struct ir_module *module = ir_parse(text, length, &error);
  require((module == NULL) == (error != NULL));
  free(error);
  if (!module)
    return;
  error = NULL;
  require(ir_verify(module, &error) == (error == NULL));
  free(error);
  error = NULL;
  char *printed = ir_print(module);
  struct ir_module *again = ir_parse(printed, strlen(printed), &error);
  require(again != NULL);
  char *reprinted = ir_print(again);
  require(strcmp(printed, reprinted) == 0);
  free(printed);
  free(reprinted);
  ir_module_free(module);
  ir_module_free(again);
}

static void try_file(const unsigned char *bytes, size_t length) {
  char *error = NULL;
  struct ir_module *module = ir_module_decode(bytes, length, &error);
  require((module == NULL) == (error != NULL));
  free(error);
  ir_module_free(module);
}

static void try_with_checksum(const unsigned char *bytes, size_t length) {
  if (length < 32 || memcmp(bytes, "NNB", 3) != 0)
    return;
  unsigned char *whole = malloc(length);
  require(whole != NULL);
  memcpy(whole, bytes, length);
  XXH64_hash_t sum = XXH64(whole + 32, length - 32, XXH64(whole, 24, 0));
  for (int i = 0; i < 8; i++)
    whole[24 + i] = (unsigned char)(sum >> (8 * i));
  try_file(whole, length);
  free(whole);
}

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t length) {
  try_file(bytes, length);
  try_with_checksum(bytes, length);
  try_text((const char *)bytes, length);
  return 0;
}
