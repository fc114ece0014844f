// Which column is which parameter.
//
// Without `--format tsv:a,_,b` the first line decides. It is a header when it names every parameter that is
// needed, and either nothing but parameters of the model's entries or two of them at least; it is data when it
// names none (and looks like no misspelt one). What lies between is refused, because either guess would lose a
// row or mix columns up: `tsv+header` and `tsv-header` say what it is. Data without a header has its columns in
// the order of the parameters, so there must be as many.
#include <stdlib.h>
#include <string.h>

#include "compiler/base/nearest.h"
#include "runtime/data/columns.h"

// Names of parameters of any entry: predict is to know the columns that only training reads.
struct names {
  const char **list;
  size_t n, capacity;
};

static bool add_name(struct reader *reader, struct names *names, const char *name) {
  for (size_t i = 0; i < names->n; i++)
    if (!strcmp(names->list[i], name))
      return true;
  if (!reader_reserve(reader, &names->list, &names->capacity, names->n + 1, sizeof *names->list))
    return false;
  names->list[names->n++] = name;
  return true;
}

static bool known_names(struct reader *reader, struct names *names) {
  const struct dataset_request *request = reader->request;
  bool ok = true;
  for (uint32_t i = 0; ok && i < request->n_columns; i++)
    ok = add_name(reader, names, request->columns[i].name);
  for (uint32_t e = 0; ok && e < request->module->n_entries; e++)
    for (uint32_t p = 0; ok && p < request->module->entries[e]->n_params; p++)
      ok = add_name(reader, names, request->module->entries[e]->params[p].name);
  return ok;
}

static const char *format_name(const struct columns *columns) { return columns->blanks ? "conll" : "tsv"; }

static void note(struct reader *reader, const char *text) {
  free(reader->note);
  if (asprintf(&reader->note, "%s: %s", reader->request->path, text) < 0)
    reader->note = NULL;
}

// ------------------------------------------------------------------------------------------- given

static bool bind_name(struct reader *reader, const struct names *names, char *name, int32_t column) {
  struct columns *columns = reader->state;
  char choices[320];
  bool is_known = false;
  if (!strcmp(name, "_"))
    return true;
  if (!*name)
    return reader_refuse(reader, 0, 0, "--format gives column %d no name; `_` passes over one", column + 1);
  for (size_t i = 0; i < names->n; i++)
    is_known = is_known || !strcmp(names->list[i], name);
  if (!is_known)
    return reader_refuse(reader, 0, 0, "--format names a column `%s`, which is no parameter of an entry%s",
                         name,
                         reader_choices(name, "there are", names->list, names->n, choices, sizeof choices));
  for (uint32_t i = 0; i < reader->request->n_columns; i++) {
    if (strcmp(reader->request->columns[i].name, name))
      continue;
    if (columns->source[i] >= 0)
      return reader_refuse(reader, 0, 0, "--format names two columns `%s`", name);
    columns->source[i] = column;
  }
  return true;
}

bool columns_bind_given(struct reader *reader) {
  struct columns *columns = reader->state;
  struct names names = {0};
  char *given = strdup(reader->columns), *rest = given, wanted[160];
  bool ok = given && known_names(reader, &names);
  int32_t column = 0;
  for (char *name; ok && (name = strsep(&rest, ","));)
    ok = bind_name(reader, &names, name, column++);
  free(given);
  free(names.list);
  for (uint32_t i = 0; ok && i < reader->request->n_columns; i++)
    if (columns->source[i] < 0)
      ok = reader_refuse(reader, 0, 0, "--format names no column `%s`%s", reader->request->columns[i].name,
                         reader_wanted(&reader->request->columns[i], wanted, sizeof wanted));
  return ok;
}

// Whether the names that are given with the format stand at their places.
static bool has_given_names(const struct reader *reader, const struct field *fields, size_t n) {
  size_t column = 0, same = 0;
  for (const char *at = reader->columns; at; column++) {
    size_t length = strcspn(at, ",");
    if (length != 1 || *at != '_') {
      if (column >= n || fields[column].length != length ||
          memcmp(reader->line + fields[column].at, at, length))
        return false;
      same++;
    }
    at = at[length] ? at + length + 1 : NULL;
  }
  return same > 0;
}

// Lines have the columns that the format names, and may have more.
static bool enough_for_given(struct reader *reader, size_t n) {
  const struct columns *columns = reader->state;
  for (uint32_t i = 0; i < reader->request->n_columns; i++)
    if ((size_t)columns->source[i] >= n)
      return reader_refuse(reader, reader->line_number, 1, "this line has %zu column%s; `%s` is column %d%s",
                           n, n == 1 ? "" : "s", reader->request->columns[i].name, columns->source[i] + 1,
                           !columns->blanks && n == 1 && strchr(reader->line, ' ')
                               ? ". Columns are separated by tabs; --format conll:... takes blanks"
                               : "");
  return true;
}

// ------------------------------------------------------------------------------------ the first line

// What the first line's fields are, as names.
struct first_line {
  char **texts;  // [field]
  size_t n, n_known, n_near;
  uint32_t missing;  // a column of the request that none of them names; n_columns: none is missing
};

static bool look(struct reader *reader, const struct field *fields, size_t n, struct first_line *line) {
  const struct dataset_request *request = reader->request;
  struct names names = {0};
  bool ok = known_names(reader, &names) && (line->texts = calloc(n + 1, sizeof *line->texts));
  for (; ok && line->n < n; line->n++) {
    char *text = line->texts[line->n] = strndup(reader->line + fields[line->n].at, fields[line->n].length);
    ok = text != NULL;
    bool known = false;
    for (size_t i = 0; ok && i < names.n; i++)
      known = known || !strcmp(names.list[i], text);
    line->n_known += known;
    line->n_near += known || (ok && strlen(text) > 2 && nearest_name(text, names.list, names.n));
  }
  for (line->missing = 0; ok && line->missing < request->n_columns; line->missing++) {
    bool found = false;
    for (size_t i = 0; i < n; i++)
      found = found || !strcmp(line->texts[i], request->columns[line->missing].name);
    if (!found)
      break;
  }
  free(names.list);
  return ok || reader_refuse(reader, reader->line_number, 1, "out of memory");
}

static void look_end(struct first_line *line) {
  for (size_t i = 0; line->texts && i <= line->n; i++)
    free(line->texts[i]);
  free(line->texts);
}

static bool refuse_header(struct reader *reader, const struct first_line *line) {
  const struct dataset_request *request = reader->request;
  const struct columns *columns = reader->state;
  const char *format = format_name(columns);
  char wanted[160], choices[320];
  if (line->missing == request->n_columns)
    return reader_refuse(reader, reader->line_number, 1,
                         "line %u may be a header or data: give --format %s+header or %s-header",
                         reader->line_number, format, format);
  const struct dataset_column *column = &request->columns[line->missing];
  return reader_refuse(reader, reader->line_number, 1,
                       "the header has no column `%s`%s%s (if this line is data: --format %s-header)",
                       column->name, reader_wanted(column, wanted, sizeof wanted),
                       reader_choices(column->name, "it has", (const char *const *)line->texts, line->n,
                                      choices, sizeof choices),
                       format);
}

static bool bind_header(struct reader *reader, const struct first_line *line) {
  struct columns *columns = reader->state;
  if (line->missing < reader->request->n_columns)
    return refuse_header(reader, line);
  for (uint32_t i = 0; i < reader->request->n_columns; i++) {
    for (size_t c = 0; c < line->n; c++) {
      if (strcmp(line->texts[c], reader->request->columns[i].name))
        continue;
      if (columns->source[i] >= 0)
        return reader_refuse(reader, reader->line_number, 1, "two columns are named `%s`", line->texts[c]);
      columns->source[i] = (int32_t)c;
    }
  }
  return true;
}

// `words,tags,_,_`: an order that could be meant.
static void print_order(const struct dataset_request *request, size_t n, char *out, size_t size) {
  size_t at = 0;
  *out = 0;
  for (size_t i = 0; i < n && at < size; i++)
    at += (size_t)snprintf(out + at, size - at, "%s%s", i ? "," : "",
                           i < request->n_columns ? request->columns[i].name : "_");
}

static bool bind_in_order(struct reader *reader, size_t n) {
  const struct dataset_request *request = reader->request;
  struct columns *columns = reader->state;
  char order[400], wanted[160], text[600];
  const char *format = format_name(columns);
  bool has_blanks = !columns->blanks && n == 1 && strpbrk(reader->line, " ");
  if (n < request->n_columns) {
    const struct dataset_column *missing = &request->columns[n];
    return reader_refuse(
        reader, reader->line_number, reader->length + 1, "this line has %zu column%s, and none is `%s`%s%s",
        n, n == 1 ? "" : "s", missing->name, reader_wanted(missing, wanted, sizeof wanted),
        has_blanks ? ". Columns are separated by tabs, and this line has blanks; --format conll takes "
                     "blanks"
                   : "");
  }
  print_order(request, n, order, sizeof order);
  if (n > request->n_columns)
    return reader_refuse(
        reader, reader->line_number, 1,
        "%zu columns without a header for %u parameter%s: say which is which, such as --format %s:%s", n,
        request->n_columns, request->n_columns == 1 ? "" : "s", format, order);
  if (has_blanks && columns->by_token && reader->header == 0)
    return reader_refuse(
        reader, reader->line_number, 1,
        "one token a line, and this line has blanks: give --format conll if they separate columns, "
        "--format tsv:%s if they are part of the token, --format text for a sentence a line",
        order);
  for (uint32_t i = 0; i < request->n_columns; i++)
    columns->source[i] = (int32_t)i;
  snprintf(text, sizeof text,
           "no header in line %u, so the columns are %s; else give --format %s+header or %s:...",
           reader->line_number, order, format, format);
  if (reader->header == 0)
    note(reader, text);
  return true;
}

static bool bind_by_line(struct reader *reader, const struct first_line *line, bool *header) {
  const struct dataset_request *request = reader->request;
  bool has_all = line->missing == request->n_columns;
  *header = reader->header > 0 ||
            (reader->header == 0 && has_all && (line->n_known == line->n || line->n_known > 1));
  // Every field a name, if not spelt as it should be.
  bool is_misspelt = line->n > 1 && line->n_near == line->n;
  if (!*header && reader->header == 0 && (line->n_known || is_misspelt))
    return refuse_header(reader, line);
  if (!*header)
    return bind_in_order(reader, line->n);
  if (!bind_header(reader, line))
    return false;
  char text[200];
  snprintf(text, sizeof text, "line %u is taken for the header; if it is data, give --format %s-header",
           reader->line_number, format_name(reader->state));
  if (reader->header == 0)
    note(reader, text);
  return true;
}

bool columns_bind(struct reader *reader, const struct field *fields, size_t n, bool *header) {
  struct columns *columns = reader->state;
  columns->is_bound = true;
  columns->n_fields = n;
  columns->first_line = reader->line_number;
  *header = false;
  if (reader->columns) {
    *header = reader->header > 0 || (reader->header == 0 && has_given_names(reader, fields, n));
    return enough_for_given(reader, n);
  }
  if (!reader->request->n_columns)
    return true;
  struct first_line line = {0};
  bool ok = look(reader, fields, n, &line) && bind_by_line(reader, &line, header);
  look_end(&line);
  return ok;
}
