// libFuzzer: any bytes at all. The parser gives a tree or at least one error, never neither; diagnostics render; and
// what parsed prints to text that parses to the same text again.
//
//   fuzz_parser -dict=tests/fuzz/nn.dict corpus/ stdlib/ tests/language/ tests/errors/
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/syntax/ast_print.h"
#include "compiler/syntax/parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct session {
  struct arena arena;
  struct source_set sources;
  struct diag_sink sink;
};

static struct ast_file *parse(struct session *s, const char *text, size_t size) {
  arena_init(&s->arena);
  source_set_init(&s->sources, &s->arena);
  diag_sink_init(&s->sink, &s->arena, &s->sources);
  struct ast_file *file = parse_file(&s->arena, &s->sink,
                                     source_add_text(&s->sources, "input.nn", text, size));
  if ((file != NULL) == diag_has_errors(&s->sink))
    abort();
  return file;
}

static char *print(const struct ast_file *file, bool all_parentheses, size_t *size) {
  char *text;
  FILE *out = open_memstream(&text, size);
  ast_print_file(file, out, &(struct ast_print_options){all_parentheses});
  fclose(out);
  return text;
}

// Both print to the same text.
static void check_equal(const struct ast_file *a, const struct ast_file *b, bool all_parentheses) {
  size_t a_size, b_size;
  char *a_text = print(a, all_parentheses, &a_size);
  char *b_text = print(b, all_parentheses, &b_size);
  if (a_size != b_size || memcmp(a_text, b_text, a_size) != 0) {
    fprintf(stderr, "---- printed\n%s---- printed again\n%s", a_text, b_text);
    abort();
  }
  free(a_text);
  free(b_text);
}

static void render(const struct session *s) {
  char *text;
  size_t size;
  FILE *out = open_memstream(&text, &size);
  diag_render_all(&s->sink, out, true);
  fclose(out);
  free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct session first;
  struct ast_file *file = parse(&first, (const char *)data, size);
  render(&first);
  if (file) {
    size_t printed_size;
    char *printed = print(file, false, &printed_size);
    struct session second;
    struct ast_file *again = parse(&second, printed, printed_size);
    if (!again) {
      diag_render_all(&second.sink, stderr, false);
      abort();
    }
    check_equal(file, again, false);
    check_equal(file, again, true);
    arena_free(&second.arena);
    free(printed);
  }
  arena_free(&first.arena);
  return 0;
}
