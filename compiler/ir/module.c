// The .nnb file: a module's text in an envelope that tells a whole, undamaged file of this program from
// anything else.
//
//   offset  bytes
//   0       8      magic: "NNB" 01 0D 0A 1A 0A; the line endings show a file that was sent as text
//   8       4      format version
//   12      4      zero
//   16      8      length of the payload
//   24      8      XXH64 of the payload, seeded with the XXH64 of bytes 0 to 23
//   32             payload: the module's text
//
// Numbers are little-endian on every machine.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "compiler/base/files.h"
#include "compiler/ir/ir.h"
#include "compiler/ir/ir_text.h"

#define FORMAT_VERSION 1
#define HEADER_BYTES 32
#define HASHED_BYTES 24  // of the header

static const unsigned char magic[8] = {'N', 'N', 'B', 1, 0x0d, 0x0a, 0x1a, 0x0a};

static void put_number(unsigned char *to, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; i++)
    to[i] = (unsigned char)(value >> (8 * i));
}

static uint64_t get_number(const unsigned char *from, int bytes) {
  uint64_t value = 0;
  for (int i = 0; i < bytes; i++)
    value |= (uint64_t)from[i] << (8 * i);
  return value;
}

static uint64_t checksum(const unsigned char *header, const void *payload, size_t length) {
  return XXH64(payload, length, XXH64(header, HASHED_BYTES, 0));
}

// ----------------------------------------------------------------------------------------- writing

struct contents {
  unsigned char header[HEADER_BYTES];
  char *payload;
  size_t length;
};

static bool write_contents(const void *context, int file) {
  const struct contents *contents = context;
  return file_write_all(file, contents->header, HEADER_BYTES) &&
         file_write_all(file, contents->payload, contents->length);
}

// The payload is malloc'd.
static struct contents encode(const struct ir_module *module) {
  char *text = ir_print(module);
  struct contents contents = {.payload = text, .length = text ? strlen(text) : 0};
  if (!text)
    return contents;
  memcpy(contents.header, magic, sizeof magic);
  put_number(contents.header + 8, FORMAT_VERSION, 4);
  put_number(contents.header + 16, contents.length, 8);
  put_number(contents.header + HASHED_BYTES, checksum(contents.header, text, contents.length), 8);
  return contents;
}

bool ir_module_write(const struct ir_module *module, const char *path, char **error) {
  struct contents contents = encode(module);
  *error = NULL;
  if (!contents.payload)
    return false;
  bool written = file_replace(path, write_contents, &contents);
  if (!written)
    *error = ir_text_message("%s: cannot be written: %s", path, strerror(errno));
  free(contents.payload);
  return written;
}

bool ir_module_write_to(const struct ir_module *module, int file, char **error) {
  struct contents contents = encode(module);
  *error = NULL;
  if (!contents.payload)
    return false;
  bool written = write_contents(&contents, file);
  if (!written)
    *error = ir_text_message("cannot be written: %s", strerror(errno));
  free(contents.payload);
  return written;
}

// ----------------------------------------------------------------------------------------- reading

#define REMEDY "compile the model again with nnc"

// What is wrong with the envelope; NULL when it is sound, or without memory.
static char *check_envelope(const unsigned char *bytes, size_t length, bool *sound) {
  size_t compared = length < sizeof magic ? length : sizeof magic;
  if (length == 0)
    return ir_text_message("the file is empty; " REMEDY);
  if (memcmp(bytes, magic, compared < 4 ? compared : 4) != 0)
    return ir_text_message("this is no compiled model (.nnb); " REMEDY);
  if (memcmp(bytes, magic, compared) != 0)
    return ir_text_message(
        "the file was changed on its way, perhaps copied as text; copy it as binary, or " REMEDY);
  if (length < HEADER_BYTES)
    return ir_text_message("the file is cut off after %zu bytes; copy it again, or " REMEDY, length);
  uint64_t version = get_number(bytes + 8, 4), payload = get_number(bytes + 16, 8);
  if (version > FORMAT_VERSION)
    return ir_text_message(
        "the file has format %llu, this program reads up to %d; use a newer nnrun, or " REMEDY,
        (unsigned long long)version, FORMAT_VERSION);
  if (version < FORMAT_VERSION)
    return ir_text_message("the file is damaged: there is no format %llu; " REMEDY,
                           (unsigned long long)version);
  if (length - HEADER_BYTES < payload)
    return ir_text_message("the file is cut off: %zu bytes instead of %llu; copy it again, or " REMEDY,
                           length - HEADER_BYTES, (unsigned long long)payload);
  if (length - HEADER_BYTES > payload)
    return ir_text_message("%llu bytes too many at the end of the file; " REMEDY,
                           (unsigned long long)(length - HEADER_BYTES - payload));
  if (get_number(bytes + HASHED_BYTES, 8) != checksum(bytes, bytes + HEADER_BYTES, (size_t)payload))
    return ir_text_message("the file is damaged: its checksum does not match; copy it again, or " REMEDY);
  *sound = true;
  return NULL;
}

struct ir_module *ir_module_decode(const void *bytes, size_t length, char **error) {
  bool sound = false;
  *error = check_envelope(bytes, length, &sound);
  if (!sound)
    return NULL;
  char *why = NULL;
  struct ir_module *module = ir_parse((const char *)bytes + HEADER_BYTES, length - HEADER_BYTES, &why);
  if (module && ir_verify(module, &why))
    return module;
  // The file is as it was written: by another version of the compiler, or by one with a bug.
  *error = why ? ir_text_message("the model in the file is not valid: %s; " REMEDY, why) : NULL;
  free(why);
  ir_module_free(module);
  return NULL;
}

// How many bytes the file should have by what has been read of it: no more are worth reading. A stream that is no
// model is left after its first bytes, whatever it would still say.
static size_t wanted_bytes(const unsigned char *bytes, size_t length) {
  if (length < HEADER_BYTES)
    return HEADER_BYTES;
  uint64_t payload = get_number(bytes + 16, 8);
  if (memcmp(bytes, magic, sizeof magic) != 0 || payload > SIZE_MAX / 2)
    return HEADER_BYTES;
  return HEADER_BYTES + (size_t)payload + 1;  // one more byte meets what is too much
}

// The file's bytes, malloc'd; NULL with *problem, a string that is not to be freed.
static unsigned char *read_bytes(const char *path, size_t *length, const char **problem) {
  int file = file_open(path, FILE_OR_STREAM, problem);
  if (file < 0)
    return NULL;
  size_t capacity = 4096;
  unsigned char *bytes = malloc(capacity);
  ssize_t got = 0;
  *length = 0;
  while (bytes && *length < wanted_bytes(bytes, *length)) {
    size_t wanted = wanted_bytes(bytes, *length);
    if (*length == capacity) {
      capacity = capacity > wanted / 2 ? wanted : capacity * 2;
      unsigned char *grown = realloc(bytes, capacity);
      if (!grown)
        free(bytes);
      bytes = grown;
      continue;
    }
    got = read(file, bytes + *length, (capacity < wanted ? capacity : wanted) - *length);
    if (got == 0 || (got < 0 && errno != EINTR))
      break;
    *length += got > 0 ? (size_t)got : 0;
  }
  if (!bytes || got < 0) {
    *problem = bytes ? strerror(errno) : "out of memory";
    free(bytes);
    bytes = NULL;
  }
  close(file);
  return bytes;
}

struct ir_module *ir_module_read(const char *path, char **error) {
  size_t length;
  const char *problem = NULL;
  unsigned char *bytes = read_bytes(path, &length, &problem);
  if (!bytes) {
    *error = ir_text_message("%s: cannot be read: %s", path, problem);
    return NULL;
  }
  char *why = NULL;
  struct ir_module *module = ir_module_decode(bytes, length, &why);
  free(bytes);
  if (!module)
    *error = why ? ir_text_message("%s: %s", path, why) : NULL;
  free(why);
  return module;
}
