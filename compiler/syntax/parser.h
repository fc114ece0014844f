// Private to the parser: the state that flex, the token filter, bison's actions and the error messages share, and
// the builders that the grammar's actions call. Everything lies in the arena.
//
// Tokens flow from scan_token (grammar/nn.l, raw, newlines included) through parser_next_token (tokens.c, which
// turns newlines into separators, watches brackets and skips what follows a syntax error) to bison.
#ifndef NN_COMPILER_SYNTAX_PARSER_H
#define NN_COMPILER_SYNTAX_PARSER_H

#include "compiler/base/arena.h"
#include "compiler/diag/diag.h"
#include "compiler/diag/source.h"
#include "compiler/syntax/ast.h"

// Brackets within brackets, and operators, calls and blocks within each other. Later passes recurse over the tree,
// so these bound their stack.
#define PARSE_BRACKET_LIMIT 256
#define PARSE_DEPTH_LIMIT 1000

union token_value {
  int64_t integer;
  double floating;
  const char *text;  // identifiers
};

struct token {
  int kind;  // enum nn_yytokentype; 0 at the end of the file
  union token_value value;
  struct span span;
  bool starts_line;   // the first of its line
  bool is_synthetic;  // made up to get out of a syntax error
  bool is_restart;    // parsing resumed here after a syntax error, which is tried once
};

AST_LIST(token_stack, struct token);

struct bracket {
  int kind;  // the opening token
  struct span span;
  uint32_t indent;  // of the line it stands on, in bytes
  bool is_layer;    // the braces of a layer
};

AST_LIST(bracket_stack, struct bracket);

struct parser {
  struct arena *arena;
  struct diag_sink *sink;
  struct source_file *source;
  struct ast_file *file;
  bool failed;  // some error was reported

  // Lexer (nn.l) and token filter (tokens.c).
  void *scanner;
  uint32_t offset;                       // of the next byte to scan
  uint32_t line_start;                   // of the line being scanned, an offset
  uint32_t line_indent;                  // of the line of `last`, in bytes
  bool at_line_start;                    // no token yet on this line
  bool is_at_end;                        // the end of the file was scanned
  struct token_stack queued;             // to hand out before scanning on, the next one last
  struct token last;                     // the last token of the file that was looked at
  struct token previous;                 // the one before it
  int last_declaration;                  // the keyword that began the declaration being read
  struct bracket_stack brackets;         // open ones, `last` included
  struct bracket_stack brackets_before;  // open ones before `last`; shares the items
  struct bracket misindented;  // opened further right than what closed it: a likely culprit. kind 0: none
  bool is_skipping;            // dropping tokens after a syntax error ...
  size_t skip_depth;           // ... until a separator or closing brace with so many brackets open
  bool is_too_deep;            // reported; the rest of the file is not read
  struct span last_lexical_error;

  // Builders.
  struct ast_locals pending_locals;              // bindings met since the last complete function
  struct ast_decl *pending_total;                // of the metric that was read last
  struct ast_expectations pending_expectations;  // of the test that is being read
};

// ---- nn.l and tokens.c --------------------------------------------------------------------------------------

void lexer_begin(struct parser *parser);
// The next raw token into *token; newlines are tokens.
void lexer_scan(struct parser *parser, struct token *token);
// Errors of the lexer, at bytes [lo, hi) of the file.
struct diag *parser_error(struct parser *parser, enum diag_code code, struct span span, const char *format,
                          ...) __attribute__((format(printf, 4, 5)));

// Reports that nesting is too deep, once, and ends the input.
void parser_refuse_depth(struct parser *parser, struct span span);
// The next token of the language, as bison gets it.
struct token parser_next_token(struct parser *parser);
// Called when bison reports a syntax error at parser->last: arranges where parsing resumes.
void parser_begin_recovery(struct parser *parser);
// The token's spelling in messages: "`x`", "end of line".
const char *parser_token_text(struct parser *parser, const struct token *token);
int token_closer_of(int opener);
const char *token_bracket_text(int kind);
bool token_is_keyword(int kind);
// Whether the keyword has one of the roles of keywords.def.
bool token_has_role(int kind, char role);
// Whether a name, a literal or a closing bracket, or a keyword of that role: what an operand can end with ('V'), and a
// statement ('E').
bool token_ends(int kind, char role);

// ---- syntax_error.c -----------------------------------------------------------------------------------------

// The symbols that could stand at parser->last, by the names that nn.y gives them.
void parser_report_syntax_error(struct parser *parser, const char **expected, size_t expected_count);

// ---- build.c: one builder for each kind of node -------------------------------------------------------------

struct ast_name build_name(const char *text, struct span span);

struct ast_expr *build_int(struct parser *p, struct span span, int64_t value);
struct ast_expr *build_float(struct parser *p, struct span span, double value);
struct ast_expr *build_text(struct parser *p, struct span span, const char *text);
struct ast_expr *build_bool(struct parser *p, struct span span, bool value);
struct ast_expr *build_name_expr(struct parser *p, struct ast_name name);
struct ast_expr *build_unary(struct parser *p, struct span span, enum ast_unary_op op,
                             struct ast_expr *operand);
struct ast_expr *build_binary(struct parser *p, enum ast_binary_op op, struct span op_span,
                              struct ast_expr *left, struct ast_expr *right);
// The same expression; its span takes in the parentheses.
struct ast_expr *build_parenthesised(struct span span, struct ast_expr *expr);
struct ast_expr *build_range(struct parser *p, struct ast_expr *low, struct ast_expr *high);
struct ast_expr *build_call(struct parser *p, struct span span, struct ast_expr *callee,
                            struct ast_args args);
// base[items]: an index, a slice, or zeros[...] and ones[...].
// `..` in a subscript: all of a dimension.
struct ast_expr *build_whole(struct parser *p, struct span span);
struct ast_expr *build_subscript(struct parser *p, struct span span, struct ast_expr *base,
                                 struct ast_exprs items);
struct ast_expr *build_field(struct parser *p, struct span span, struct ast_expr *base, struct ast_name name);
struct ast_expr *build_project(struct parser *p, struct span span, struct ast_expr *base, int64_t index,
                               struct span index_span);
struct ast_expr *build_tuple(struct parser *p, struct span span, struct ast_exprs items);
struct ast_expr *build_list(struct parser *p, struct span span, struct ast_exprs items);
struct ast_expr *build_comprehension(struct parser *p, struct span span, struct ast_expr *element,
                                     struct ast_pattern *pattern, struct ast_expr *sequence,
                                     struct ast_expr *condition);
struct ast_expr *build_if(struct parser *p, struct span span, struct ast_expr *condition,
                          struct ast_block *then_block, struct ast_expr *else_branch);
struct ast_expr *build_match(struct parser *p, struct span span, struct ast_expr *scrutinee,
                             struct ast_match_arms arms);
struct ast_expr *build_fn_expr(struct parser *p, struct span span, struct ast_fn_params params,
                               struct ast_block *body);
struct ast_expr *build_block_expr(struct parser *p, struct ast_block *block);
struct ast_match_arm build_arm(struct parser *p, struct span span, struct ast_pattern *pattern,
                               struct ast_expr *body);
struct ast_args build_args_push(struct parser *p, struct ast_args args, struct ast_arg arg);

struct ast_pattern *build_wildcard_pattern(struct parser *p, struct span span);
struct ast_pattern *build_name_pattern(struct parser *p, struct ast_name name);
struct ast_pattern *build_constructor_pattern(struct parser *p, struct span span, struct ast_name name,
                                              struct ast_patterns args);
struct ast_pattern *build_int_pattern(struct parser *p, struct span span, int64_t value);
struct ast_pattern *build_bool_pattern(struct parser *p, struct span span, bool value);
struct ast_pattern *build_tuple_pattern(struct parser *p, struct span span, struct ast_patterns items);
// The bindings of a pattern are made for `match`; `let` and `for` say here that they are theirs.
void build_set_pattern_kind(struct ast_pattern *pattern, enum ast_local_kind kind);

struct ast_type *build_named_type(struct parser *p, struct span span, struct ast_name name,
                                  struct ast_exprs sizes);
// The type with a batch axis of this size; NULL: `_`.
struct ast_type *build_batch_type(struct parser *p, struct ast_type *type, struct ast_expr *size);
struct ast_type *build_list_type(struct parser *p, struct span span, struct ast_type *element);
struct ast_type *build_tuple_type(struct parser *p, struct span span, struct ast_types items);
struct ast_type *build_fn_type(struct parser *p, struct span span, struct ast_types params,
                               struct ast_type *result);
struct ast_size *build_size(struct parser *p, const struct ast_expr *expr);

struct ast_stmt *build_let(struct parser *p, struct span span, struct ast_pattern *pattern,
                           struct ast_type *annotation, struct ast_expr *value);
struct ast_stmt *build_var(struct parser *p, struct span span, struct ast_name name,
                           struct ast_type *annotation, struct ast_expr *value);
struct ast_stmt *build_assign(struct parser *p, struct span span, struct ast_expr *target,
                              struct ast_expr *value);
struct ast_stmt *build_for(struct parser *p, struct span span, struct ast_pattern *pattern,
                           struct ast_expr *sequence, struct ast_block *body);
struct ast_stmt *build_while(struct parser *p, struct span span, struct ast_expr *condition,
                             struct ast_block *body);
struct ast_stmt *build_return(struct parser *p, struct span span, struct ast_expr *value);
struct ast_stmt *build_break(struct parser *p, struct span span);
struct ast_stmt *build_continue(struct parser *p, struct span span);
struct ast_stmt *build_expr_stmt(struct parser *p, struct ast_expr *expression);
struct ast_block *build_block(struct parser *p, struct span span, struct ast_stmts stmts);

struct ast_import *build_import(struct parser *p, struct span span, struct ast_names path,
                                struct ast_name alias);
// The names in braces.
void build_import_list(struct parser *p, struct ast_import *import, struct ast_names names);
// a.b.c as one name.
struct ast_name build_qualified_name(struct parser *p, struct span span, struct ast_names path);
struct ast_decl *build_dim(struct parser *p, struct span span, struct ast_name name, struct ast_expr *value);
struct ast_decl *build_vocab(struct parser *p, struct span span, struct ast_name name,
                             struct ast_vocab_options options);
struct ast_decl *build_enum(struct parser *p, struct span span, struct ast_name name,
                            struct ast_names members);
struct ast_decl *build_data(struct parser *p, struct span span, struct ast_name name, struct ast_vars vars,
                            struct ast_constructors constructors);
struct ast_constructor *build_constructor(struct parser *p, struct span span, struct ast_name name,
                                          struct ast_data_fields fields);
struct ast_decl *build_param(struct parser *p, struct span span, struct ast_name name, struct ast_type *type,
                             struct ast_expr *initialiser);
struct ast_decl *build_instance(struct parser *p, struct span span, struct ast_name name,
                                struct ast_expr *value);
struct ast_layer_param *build_layer_param(struct parser *p, struct ast_name name, struct ast_name kind);
struct ast_decl *build_layer(struct parser *p, struct span span, struct ast_name name,
                             struct ast_layer_params layer_params, struct ast_decls members);
struct ast_fn_param build_fn_param(struct parser *p, struct span span, struct ast_name name,
                                   struct ast_type *type);
// What a metric is made of its sums: a function of its own, behind the metric.
void build_total(struct parser *p, struct span span, struct ast_decl *metric, struct ast_name word,
                 struct ast_fn_params params, struct ast_block *body);
void build_push_total(struct parser *p, const struct ast_decl *metric);
struct ast_decl *build_fn(struct parser *p, struct span span, bool is_metric, struct ast_name name,
                          struct ast_vars vars, struct ast_fn_params params, struct ast_type *result,
                          struct ast_block *body);

// ---- build_test.c -------------------------------------------------------------------------------------------

struct ast_test *build_settings(struct parser *p);
void build_param_setting(struct parser *p, struct ast_test *test, struct span span, struct ast_expr *target,
                         struct ast_expr *value);
void build_vocab_setting(struct parser *p, struct ast_test *test, struct ast_name name,
                         struct ast_names entries);
// Behind the last setting.
void build_test_setup(struct parser *p, struct ast_test *test);
// `word` is what stands before the tolerance; without one its text is NULL.
struct ast_stmt *build_expect(struct parser *p, struct span span, struct ast_expr *value,
                              struct ast_name word, struct ast_expr *tolerance);
// Adds the test's functions to the file's declarations.
void build_test(struct parser *p, struct span span, struct ast_name name, struct ast_test *test,
                struct ast_stmts stmts);

#endif
