// Reads the files of a data set into rows of slots.
#include "runtime/data/dataset.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compiler/base/array.h"
#include "compiler/base/files.h"
#include "runtime/base/message.h"
#include "runtime/data/reader.h"

// In the order in which a name's suffix is looked up; bracketed trees come before plain text so that a .txt
// file can be either: see format_of.
static const struct reader_format *const formats[] = {&reader_jsonl,  &reader_tsv, &reader_conll,
                                                      &reader_conllu, &reader_ptb, &reader_text};
#define N_FORMATS (sizeof formats / sizeof *formats)

static bool has_word(const char *words, const char *word, size_t length) {
  while (*words) {
    size_t n = strcspn(words, " ");
    if (n == length && !memcmp(words, word, n))
      return true;
    words += n + (words[n] == ' ');
  }
  return false;
}

static bool begins_with_bracket(FILE *file) {
  int c;
  while ((c = getc(file)) == ' ' || c == '\t' || c == '\n' || c == '\r' || c == 0xef || c == 0xbb ||
         c == 0xbf) {
  }
  // A pipe cannot go back further than this.
  if (fseek(file, 0, SEEK_SET))
    ungetc(c, file);
  return c == '(';
}

static bool takes_text(const struct dataset_request *request) {
  for (uint32_t i = 0; i < request->n_columns; i++) {
    const struct ir_type *type = request->columns[i].type;
    if (reader_is_line(request->module, type) || reader_is_token_list(request->module, type))
      return true;
  }
  return false;
}

static bool wants_tree(const struct dataset_request *request) {
  for (uint32_t i = 0; i < request->n_columns; i++)
    if (request->columns[i].type->kind == IR_DATA)
      return true;
  return false;
}

// `tsv`, `tsv+header`, `tsv-header:words,tags`
static const struct reader_format *format_named(struct reader *reader, const char *name, char **error) {
  size_t length = strcspn(name, "+-:");
  const char *rest = name + length;
  const struct reader_format *format = NULL;
  for (size_t i = 0; i < N_FORMATS; i++)
    if (strlen(formats[i]->name) == length && !memcmp(formats[i]->name, name, length))
      format = formats[i];
  if (!format) {
    message_set(error, "unknown data format `%s`; there are ptb, jsonl, text, tsv, conll and conllu", name);
    return NULL;
  }
  if (*rest && !format->has_columns) {
    message_set(error, "data format `%s`: %s has no columns to be named; tsv and conll have", name,
                format->name);
    return NULL;
  }
  if (!strncmp(rest, "+header", 7) || !strncmp(rest, "-header", 7)) {
    reader->header = *rest == '+' ? 1 : -1;
    rest += 7;
  }
  if (*rest && (*rest != ':' || !rest[1])) {
    message_set(
        error,
        "data format `%s`: behind `%s` may stand `+header` or `-header`, then `:` and names of columns", name,
        format->name);
    return NULL;
  }
  reader->columns = *rest ? rest + 1 : NULL;
  return format;
}

static const struct reader_format *format_of(struct reader *reader, char **error) {
  const struct dataset_request *request = reader->request;
  if (request->format)
    return format_named(reader, request->format, error);
  const char *slash = strrchr(request->path, '/'), *dot = strrchr(slash ? slash : request->path, '.');
  const char *suffix = dot ? dot + 1 : "";
  // A .txt file holds trees when the model takes one and the text begins like one, or the model takes nothing
  // else.
  if (!strcmp(suffix, "txt"))
    return wants_tree(request) && (!takes_text(request) || begins_with_bracket(reader->file)) ? &reader_ptb
                                                                                              : &reader_text;
  for (size_t i = 0; i < N_FORMATS; i++)
    if (has_word(formats[i]->suffixes, suffix, strlen(suffix)))
      return formats[i];
  message_set(
      error,
      "%s: the data format cannot be told from the name; give --format ptb, jsonl, text, tsv, conll or "
      "conllu",
      request->path);
  return NULL;
}

// Data may come through a pipe, for whose writer opening waits, and standard input may be anything; of a device there
// might be no end.
static FILE *open_data(const char *path, bool counting, char **error) {
  bool is_stdin = strcmp(path, "-") == 0;
  const char *name = is_stdin ? "/dev/stdin" : path, *problem = NULL;
  struct stat info;
  bool exists = stat(name, &info) == 0;
  if (exists && S_ISDIR(info.st_mode)) {
    message_set(error, "%s: is a folder", path);
    return NULL;
  }
  if (exists && counting && !S_ISREG(info.st_mode)) {
    message_set(error,
                "%s: is no regular file, and training data is read twice (vocabularies are counted first)",
                path);
    return NULL;
  }
  FILE *file = NULL;
  if (exists && (S_ISFIFO(info.st_mode) || is_stdin)) {
    file = fopen(name, "re");
  } else {
    int descriptor = file_open(name, FILE_OR_STREAM, &problem);
    file = descriptor >= 0 ? fdopen(descriptor, "r") : NULL;
    if (!file && descriptor >= 0)
      close(descriptor);
  }
  if (!file)
    message_set(error, "%s: %s", path, problem ? problem : strerror(errno));
  return file;
}

static FILE *open_text(const struct dataset_request *request, char **error) {
  FILE *file = fmemopen((char *)(uintptr_t)request->text, strlen(request->text), "r");
  if (!file)
    message_set(error, "%s: %s", request->path, strerror(errno));
  return file;
}

static bool reader_open(struct reader *reader, const struct reader_format **format, char **error) {
  const struct dataset_request *request = reader->request;
  reader->file = request->text ? open_text(request, error)
                               : open_data(request->path, reader->counting, error);
  if (!reader->file)
    return false;
  *format = format_of(reader, error);
  if (!*format)
    return false;
  uint32_t width = 0;
  for (uint32_t i = 0; i < request->n_columns; i++)
    width += request->columns[i].width;
  reader->row = calloc(width + 1, sizeof *reader->row);
  reader->locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
  if (!reader->row || !reader->locale)
    return message_set(error, "%s: out of memory", request->path);
  return true;
}

static void reader_close(struct reader *reader, const struct reader_format *format) {
  if (format && format->end)
    format->end(reader);
  if (reader->file)
    fclose(reader->file);
  free(reader->line);
  free(reader->row);
  free(reader->stack);
  free(reader->state);
  free(reader->error);
  free(reader->note);
  if (reader->locale)
    freelocale(reader->locale);
}

static bool append(struct nn_dataset *set, const struct reader *reader) {
  size_t n = set->n_examples + 1;
  if (!array_reserve(&set->slots, sizeof *set->slots, n * set->width + 1, &set->slots_capacity) ||
      !array_reserve(&set->lines, sizeof *set->lines, n, &set->lines_capacity))
    return false;
  memcpy(set->slots + set->n_examples * set->width, reader->row, set->width * sizeof *set->slots);
  set->lines[set->n_examples++] = reader->record_line;
  return true;
}

static struct nn_dataset *set_new(const struct dataset_request *request) {
  struct nn_dataset *set = calloc(1, sizeof *set);
  if (!set)
    return NULL;
  set->arena = value_arena_new();
  set->columns = calloc(request->n_columns + 1, sizeof *set->columns);
  set->n_columns = request->n_columns;
  if (!set->arena || !set->columns) {
    dataset_free(set);
    return NULL;
  }
  for (uint32_t i = 0; i < request->n_columns; i++) {
    set->columns[i] = request->columns[i];
    set->width += request->columns[i].width;
  }
  return set;
}

static bool add_file(struct nn_dataset *set, const char *path) {
  struct dataset_file *files = realloc(set->files, (set->n_files + 1) * sizeof *files);
  if (!files)
    return false;
  set->files = files;
  files[set->n_files] = (struct dataset_file){strdup(path), set->n_examples};
  return files[set->n_files++].path != NULL;
}

// A bad record is passed over or ends the reading.
static bool pass_over(struct reader *reader, struct nn_dataset *set) {
  if (!reader->request->skip_bad || reader->is_fatal)
    return false;
  set->n_skipped++;
  if (set->first_skipped)
    free(reader->error);
  else
    set->first_skipped = reader->error;
  reader->error = NULL;
  return true;
}

// What a bad record has said before it went wrong is not counted.
static void each_vocab(const struct reader *reader, void (*action)(struct vocab *)) {
  if (!reader->counting || !reader->request->skip_bad)
    return;
  for (uint32_t i = 0; i < reader->request->module->n_dims; i++)
    if (reader->request->vocabs[i])
      action(reader->request->vocabs[i]);
}

static bool read_record(struct reader *reader, const struct reader_format *format, struct nn_dataset *set,
                        bool *is_end, char **error) {
  memset(reader->row, 0, set->width * sizeof *reader->row);
  reader->n_stack = 0;
  each_vocab(reader, vocab_mark);
  enum reader_result result = format->next(reader);
  *is_end = result == READER_END;
  if (result == READER_END)
    return true;
  if (result == READER_BAD) {
    each_vocab(reader, vocab_take_back);
    return pass_over(reader, set);
  }
  if (reader->counting) {
    set->n_examples++;
    return true;
  }
  return append(set, reader) ||
         message_set(error, "%s: out of memory after %zu examples", reader->request->path, set->n_examples);
}

static bool add_note(struct nn_dataset *set, const char *note) {
  size_t length = set->notes ? strlen(set->notes) : 0;
  char *notes = realloc(set->notes, length + strlen(note) + 2);
  if (!notes)
    return false;
  set->notes = notes;
  sprintf(notes + length, "%s%s", length ? "\n" : "", note);
  return true;
}

// Reads every record behind those of the set. Counting keeps none of them.
static bool read_all(const struct dataset_request *request, bool counting, struct nn_dataset *set,
                     char **error) {
  struct reader reader = {.request = request, .counting = counting, .arena = set->arena};
  const struct reader_format *format = NULL;
  size_t first = set->n_examples;
  bool is_end = false, ok = reader_open(&reader, &format, error) && format->begin(&reader);
  while (ok && !is_end && (!request->limit || set->n_examples - first < request->limit))
    ok = read_record(&reader, format, set, &is_end, error);
  ok = ok && !reader.is_fatal;
  if (ok && ferror(reader.file))
    ok = message_set(error, "%s: %s", request->path, strerror(errno));
  if (ok && reader.note && !add_note(set, reader.note))
    ok = message_set(error, "%s: out of memory", request->path);
  if (!ok && reader.error && !*error)
    *error = reader.error, reader.error = NULL;
  reader_close(&reader, format);
  return ok;
}

bool dataset_count(const struct dataset_request *request, size_t *n_examples, char **error) {
  struct nn_dataset *set = set_new(request);
  if (!set)
    return message_set(error, "%s: out of memory", request->path);
  bool ok = read_all(request, true, set, error);
  if (ok)
    *n_examples = set->n_examples;
  dataset_free(set);
  return ok;
}

bool dataset_append(struct nn_dataset *set, const struct dataset_request *request, char **error) {
  struct dataset_request same = *request;
  same.n_columns = set->n_columns;
  same.columns = set->columns;
  size_t n_examples = set->n_examples;
  if (!add_file(set, request->path))
    return message_set(error, "%s: out of memory", request->path);
  if (read_all(&same, false, set, error))
    return true;
  set->n_examples = n_examples;
  free(set->files[--set->n_files].path);
  return false;
}

struct nn_dataset *dataset_read(const struct dataset_request *request, char **error) {
  struct nn_dataset *set = set_new(request);
  if (!set) {
    message_set(error, "%s: out of memory", request->path);
    return NULL;
  }
  if (!dataset_append(set, request, error)) {
    dataset_free(set);
    return NULL;
  }
  return set;
}

const struct dataset_file *dataset_file_of(const struct nn_dataset *set, size_t example) {
  size_t file = 0;
  // The last file that begins at or before the example; one without examples begins where the next one does.
  while (file + 1 < set->n_files && set->files[file + 1].first <= example)
    file++;
  return &set->files[file];
}

static void free_one(struct nn_dataset *set) {
  if (set->arena)
    value_arena_free(set->arena);
  for (size_t i = 0; i < set->n_files; i++)
    free(set->files[i].path);
  free(set->files);
  free(set->columns);
  free(set->slots);
  free(set->lines);
  free(set->first_skipped);
  free(set->notes);
  free(set);
}

void dataset_free(struct nn_dataset *set) {
  while (set) {
    struct nn_dataset *also = set->also;
    free_one(set);
    set = also;
  }
}
