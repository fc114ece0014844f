// Bracketed trees, as in the Penn Treebank and the Stanford Sentiment Treebank: `(3 (2 It) (4 (2 's) (4
// good)))`, one a line or spread over lines. They fill the first parameter whose type is a sum type.
//
// Constructors are chosen by form. Of a constructor, fields of its own type (or one list of them) are
// subtrees, fields that a token gives are tokens, a label first. A bracket with one word becomes the
// constructor without subtrees that has two tokens (label, word) or one (word); any other bracket the
// constructor with that many subtrees, or with a list of them. A label that the constructor has no field for
// is dropped. A bracket without label around one tree (the Treebank's root) is that tree. Escapes (-LRB-,
// -RRB-, \/ ...) are undone in words.
#include <stdlib.h>
#include <string.h>

#include "runtime/data/reader.h"

// How a constructor is filled.
struct form {
  uint32_t n_tokens, n_subtrees;
  int32_t label, word;  // fields, -1: none
  int32_t list;         // field that lists the subtrees, -1: none
  bool usable;          // has no other fields
};

// A bracket that is still open.
struct open {
  size_t text;  // its label in `texts`; length 0: none
  uint32_t text_length;
  size_t first_child;  // in the reader's stack
  uint32_t line;
  size_t column;
  bool has_word;  // its first child so far is the word at `word`
  size_t word;
  uint32_t word_length;
  uint32_t word_line;
  size_t word_column;
};

struct ptb {
  uint32_t column;  // of the request
  const struct ir_data *data;
  struct form *forms;  // [constructor]
  size_t at;           // in the current line
  bool in_line;        // the current line has not been used up
  struct open *open;
  size_t n_open, capacity;
  char *texts;
  size_t n_texts, texts_capacity;
};

static bool is_token(const struct reader *reader, const struct ir_type *type) {
  return type->kind != IR_BOOL && reader_is_token(reader->request->module, type);
}

static struct form form_of(const struct reader *reader, const struct ir_constructor *constructor,
                           uint32_t data) {
  struct form form = {.label = -1, .word = -1, .list = -1, .usable = true};
  for (uint32_t i = 0; i < constructor->n_fields; i++) {
    const struct ir_type *type = constructor->fields[i].type;
    if (type->kind == IR_DATA && type->data == data)
      form.n_subtrees++;
    else if (type->kind == IR_LIST && type->element->kind == IR_DATA && type->element->data == data &&
             form.list < 0)
      form.list = (int32_t)i;
    else if (is_token(reader, type) && form.n_tokens < 2) {
      if (form.n_tokens++ == 0)
        form.label = (int32_t)i;
      else
        form.word = (int32_t)i;
    } else {
      form.usable = false;
    }
  }
  bool leaf = !form.n_subtrees && form.list < 0;
  if (leaf && form.n_tokens == 1)
    form.word = form.label, form.label = -1;
  if (leaf ? form.n_tokens == 0 : form.n_tokens > 1)
    form.usable = false;
  if (form.list >= 0 && form.n_subtrees)
    form.usable = false;
  return form;
}

static bool begin(struct reader *reader) {
  struct ptb *ptb = reader->state = calloc(1, sizeof *ptb);
  if (!ptb)
    return reader_refuse(reader, 0, 0, "out of memory");
  const struct dataset_request *request = reader->request;
  while (ptb->column < request->n_columns && request->columns[ptb->column].type->kind != IR_DATA)
    ptb->column++;
  if (ptb->column == request->n_columns)
    return reader_refuse(
        reader, 0, 0,
        "bracketed trees fill a parameter that is a sum type, and the entry has none; give the "
        "format with --format");
  if (!reader_fills_one(reader, ptb->column, "bracketed trees fill"))
    return false;
  reader->column = &request->columns[ptb->column];
  uint32_t data = reader->column->type->data;
  ptb->data = request->module->datas[data];
  ptb->forms = calloc(ptb->data->n_constructors + 1, sizeof *ptb->forms);
  if (!ptb->forms)
    return reader_refuse(reader, 0, 0, "out of memory");
  for (uint32_t i = 0; i < ptb->data->n_constructors; i++)
    ptb->forms[i] = form_of(reader, &ptb->data->constructors[i], data);
  return true;
}

static bool keep_text(struct reader *reader, const char *text, size_t length, size_t *at) {
  struct ptb *ptb = reader->state;
  if (!reader_reserve(reader, &ptb->texts, &ptb->texts_capacity, ptb->n_texts + length + 1, 1))
    return false;
  *at = ptb->n_texts;
  memcpy(ptb->texts + *at, text, length);
  ptb->n_texts += length;
  return true;
}

// A word without the Treebank's escapes.
static bool keep_word(struct reader *reader, const char *text, size_t length, size_t *at) {
  static const char *const escapes[][2] = {{"-LRB-", "("}, {"-RRB-", ")"}, {"-LSB-", "["},
                                           {"-RSB-", "]"}, {"-LCB-", "{"}, {"-RCB-", "}"}};
  struct ptb *ptb = reader->state;
  for (size_t i = 0; i < sizeof escapes / sizeof *escapes; i++)
    if (length == 5 && !memcmp(text, escapes[i][0], 5))
      return keep_text(reader, escapes[i][1], 1, at);
  if (!keep_text(reader, text, length, at))
    return false;
  size_t end = *at;
  for (size_t i = *at; i < *at + length; i++) {
    bool escape = ptb->texts[i] == '\\' && i + 1 < *at + length &&
                  (ptb->texts[i + 1] == '/' || ptb->texts[i + 1] == '*');
    if (!escape)
      ptb->texts[end++] = ptb->texts[i];
  }
  ptb->n_texts = end;
  return true;
}

enum { MAX_SLOTS = 256 };

// The slots of a constructor, or more than MAX_SLOTS; where those of a field begin.
static uint32_t slots_before(const struct ir_constructor *constructor, uint32_t field) {
  uint32_t slots = 0;
  for (uint32_t i = 0; i < field; i++)
    slots += ir_type_width(constructor->fields[i].type);
  return slots;
}

// Fills one token field.
static bool fill(struct reader *reader, const struct ir_constructor *constructor, int32_t field, size_t text,
                 uint32_t length, uint32_t line, size_t column, uint64_t *slots) {
  const struct ptb *ptb = reader->state;
  if (field < 0)
    return true;
  const struct ir_type *type = constructor->fields[field].type;
  size_t base = reader->n_stack;
  if (!reader_token(reader, type, ptb->texts + text, length, line, column))
    return false;
  memcpy(slots + slots_before(constructor, (uint32_t)field), reader->stack + base,
         ir_type_width(type) * sizeof *slots);
  reader->n_stack = base;
  return true;
}

static bool leaf(struct reader *reader, const struct open *open, bool labelled, uint64_t *value) {
  const struct ptb *ptb = reader->state;
  for (int want_label = labelled; want_label >= 0; want_label--) {
    for (uint32_t tag = 0; tag < ptb->data->n_constructors; tag++) {
      const struct form *form = &ptb->forms[tag];
      const struct ir_constructor *constructor = &ptb->data->constructors[tag];
      uint32_t n_slots = slots_before(constructor, constructor->n_fields);
      if (!form->usable || form->n_subtrees || form->list >= 0 || (form->label >= 0) != want_label ||
          n_slots > MAX_SLOTS)
        continue;
      uint64_t slots[MAX_SLOTS] = {0};
      if (!fill(reader, constructor, form->label, open->text, open->text_length, open->line, open->column + 1,
                slots) ||
          !fill(reader, constructor, form->word, open->word, open->word_length, open->word_line,
                open->word_column, slots))
        return false;
      return reader_data(reader, tag, n_slots, slots, value);
    }
  }
  reader_fail(reader, open->word_line, open->word_column, "%s has no constructor for a %sword",
              ptb->data->name, labelled ? "label and a " : "bare ");
  return false;
}

static bool node(struct reader *reader, const struct open *open, uint64_t *value) {
  const struct ptb *ptb = reader->state;
  size_t n = reader->n_stack - open->first_child;
  for (int list = 0; list < 2; list++) {
    for (uint32_t tag = 0; tag < ptb->data->n_constructors; tag++) {
      const struct form *form = &ptb->forms[tag];
      const struct ir_constructor *constructor = &ptb->data->constructors[tag];
      bool fits = list ? form->list >= 0 : form->n_subtrees > 0 && form->n_subtrees == n;
      uint32_t n_slots = slots_before(constructor, constructor->n_fields);
      if (!form->usable || !fits || n_slots > MAX_SLOTS)
        continue;
      uint64_t slots[MAX_SLOTS] = {0};
      if (form->label >= 0 && !open->text_length)
        continue;
      if (!fill(reader, constructor, form->label, open->text, open->text_length, open->line, open->column + 1,
                slots))
        return false;
      if (list) {
        if (!reader_list(reader, constructor->fields[form->list].type->element, open->first_child,
                         &slots[slots_before(constructor, (uint32_t)form->list)]))
          return false;
      } else {
        size_t child = open->first_child;
        for (uint32_t i = 0; i < constructor->n_fields; i++)
          if (constructor->fields[i].type->kind == IR_DATA)
            slots[slots_before(constructor, i)] = reader->stack[child++];
        reader->n_stack = open->first_child;
      }
      return reader_data(reader, tag, n_slots, slots, value);
    }
  }
  reader_fail(reader, open->line, open->column, "%s has no constructor with %s%zu subtree%s", ptb->data->name,
              open->text_length ? "" : "no label and ", n, n == 1 ? "" : "s");
  return false;
}

// A word that turned out to have siblings is a tree of its own.
static bool settle_word(struct reader *reader, struct open *open) {
  if (!open->has_word)
    return true;
  uint64_t value;
  open->has_word = false;
  return leaf(reader, open, false, &value) && reader_push(reader, value);
}

static bool close_bracket(struct reader *reader, uint64_t *value) {
  struct ptb *ptb = reader->state;
  struct open *open = &ptb->open[ptb->n_open - 1];
  size_t n = reader->n_stack - open->first_child;
  bool ok;
  if (open->has_word && n == 0) {
    ok = leaf(reader, open, open->text_length > 0, value);
  } else if (n == 0) {
    reader_fail(reader, open->line, open->column,
                open->text_length ? "a bracket with a label and neither a word nor a subtree behind it"
                                  : "a bracket with nothing in it");
    ok = false;
  } else if (!open->text_length && n == 1) {
    *value = reader->stack[--reader->n_stack];
    ok = true;
  } else {
    ok = node(reader, open, value);
  }
  ptb->n_texts = open->text;
  ptb->n_open--;
  return ok;
}

static bool open_bracket(struct reader *reader, size_t column) {
  struct ptb *ptb = reader->state;
  if (!reader_reserve(reader, &ptb->open, &ptb->capacity, ptb->n_open + 1, sizeof *ptb->open))
    return false;
  const char *label = reader->line + ptb->at;
  size_t length = strcspn(label, " \t()");
  struct open *open = &ptb->open[ptb->n_open++];
  *open = (struct open){.line = reader->line_number, .column = column, .first_child = reader->n_stack};
  open->text_length = (uint32_t)length;
  ptb->at += length;
  return keep_text(reader, label, length, &open->text);
}

static bool word(struct reader *reader, size_t length) {
  struct ptb *ptb = reader->state;
  struct open *open = &ptb->open[ptb->n_open - 1];
  if (!settle_word(reader, open))
    return false;
  if (!keep_word(reader, reader->line + ptb->at, length, &open->word))
    return false;
  open->has_word = true;
  open->word_length = (uint32_t)(ptb->n_texts - open->word);
  open->word_line = reader->line_number;
  open->word_column = ptb->at + 1;
  ptb->at += length;
  // Only the first child waits to see whether it stays alone.
  return reader->n_stack == open->first_child || settle_word(reader, open);
}

// Behind a bad record: the next line that begins a tree.
static enum reader_result resume(struct reader *reader) {
  struct ptb *ptb = reader->state;
  ptb->n_open = 0;
  ptb->n_texts = 0;
  ptb->in_line = false;
  for (enum reader_line line; (line = reader_line(reader)) != LINE_END;) {
    if (line == LINE_TEXT && *reader->line == '(') {
      reader->line_pending = true;
      break;
    }
  }
  return READER_BAD;
}

static enum reader_result next(struct reader *reader) {
  struct ptb *ptb = reader->state;
  reader->n_stack = 0;
  for (;;) {
    if (!ptb->in_line) {
      enum reader_line line = reader_line(reader);
      if (line == LINE_BAD)
        return resume(reader);
      if (line == LINE_END) {
        if (!ptb->n_open)
          return READER_END;
        struct open *open = &ptb->open[ptb->n_open - 1];
        reader_fail(reader, open->line, open->column, "this bracket is never closed");
        ptb->n_open = 0;
        return READER_BAD;
      }
      if (ptb->n_open && *reader->line == '(') {
        // A tree begins at the margin and nothing else does, so one forgotten bracket costs one tree.
        struct open *open = &ptb->open[ptb->n_open - 1];
        reader_fail(reader, open->line, open->column,
                    "this bracket is never closed: the next tree begins at line %u", reader->line_number);
        reader->line_pending = true;
        return resume(reader);
      }
      ptb->in_line = true;
      ptb->at = 0;
    }
    ptb->at += strspn(reader->line + ptb->at, " \t");
    size_t column = ptb->at + 1;
    char c = reader->line[ptb->at];
    if (ptb->at >= reader->length) {
      ptb->in_line = false;
    } else if (c == '(') {
      if (!ptb->n_open)
        reader->record_line = reader->line_number;
      else if (!settle_word(reader, &ptb->open[ptb->n_open - 1]))
        return resume(reader);
      ptb->at++;
      if (!open_bracket(reader, column))
        return resume(reader);
    } else if (c == ')' && ptb->n_open) {
      uint64_t value;
      ptb->at++;
      if (!close_bracket(reader, &value))
        return resume(reader);
      if (ptb->n_open) {
        if (!reader_push(reader, value))
          return resume(reader);
        continue;
      }
      reader->row[reader->request->columns[ptb->column].first_slot] = value;
      return READER_RECORD;
    } else {
      size_t length = strcspn(reader->line + ptb->at, " \t()");
      if (!ptb->n_open) {
        reader_fail(reader, reader->line_number, column,
                    c == ')' ? "a closing bracket without an opening one"
                             : "expected a tree, which begins with `(`");
        return resume(reader);
      }
      if (!word(reader, length))
        return resume(reader);
    }
  }
}

static void end(struct reader *reader) {
  struct ptb *ptb = reader->state;
  if (!ptb)
    return;
  free(ptb->forms);
  free(ptb->open);
  free(ptb->texts);
}

const struct reader_format reader_ptb = {"ptb", "ptb mrg tree trees parse", false, begin, next, end};
