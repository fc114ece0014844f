/* The grammar of the language. Actions only call builders (compiler/syntax/build.c); nothing here owns memory, all of it is
 * the arena's. Errors are reported by compiler/syntax/syntax_error.c; after one the token filter (compiler/syntax/tokens.c) skips
 * to the end of the statement or declaration, where the `error` productions below pick up again.
 */
%require "3.8"
%language "C"
%expect 0
%define api.pure full
%define api.prefix {nn_yy}
%define api.value.type union
%define api.location.type {struct span}
%define parse.error custom
%define parse.lac full
%locations
%param {struct parser *parser}
%initial-action {
  @$ = (struct span){parser->source->id, 0, 0};
  (void)yynerrs; /* counted by bison's skeleton and used by nobody, which clang remarks on */
}

%code requires {
#include "compiler/syntax/parser.h"
}

%code {
#define YYLLOC_DEFAULT(current, rhs, n)                                                                           \
  ((current) = (n) ? span_join(YYRHSLOC(rhs, 1), YYRHSLOC(rhs, n)) : span_after(YYRHSLOC(rhs, 0)))

/* Nesting ends at PARSE_BRACKET_LIMIT and PARSE_DEPTH_LIMIT; this bounds what is not yet reduced, such as a chain
 * of prefix operators. */
#define YYMAXDEPTH 20000
#define YYINITDEPTH 400

static int nn_yylex(NN_YYSTYPE *value, struct span *span, struct parser *parser);
static void nn_yyerror(const struct span *span, struct parser *parser, const char *message);

#define PUSH(list, item) arena_push(parser->arena, &(list), item)
#define NAME(text, span) build_name(text, span)
#define BINARY(op, op_span, left, right) build_binary(parser, AST_BINARY_##op, op_span, left, right)
}

/* The names are what messages call the tokens; those in letters are shown as they are, the others in backquotes. */
%token END 0 "end of file"
%token <const char *> IDENTIFIER "a name"
%token <int64_t> INTEGER "an integer"
%token <double> FLOAT "a number"
%token <const char *> TEXT "a text"
%token <int64_t> PROJECTION ".0"
%token SEPARATOR "end of line"
%token NEWLINE "newline" /* never reaches the grammar */
%token UNDERSCORE "_"
%token AS "as" /* a name everywhere but in an import */

%token FUNCTION "fn (" /* in front of a bracket */
%token IMPORT "import" DIM "dim" VOCAB "vocab" ENUM "enum" DATA "data" PARAM "param" LAYER "layer" FN "fn"
%token METRIC "metric" LET "let" VAR "var" IF "if" ELSE "else" MATCH "match" FOR "for" IN "in" WHILE "while"
%token RETURN "return" BREAK "break" CONTINUE "continue" TRUE "true" FALSE "false" TEST "test" EXPECT "expect" MEMO "memo"

%token LPAREN "(" RPAREN ")" LBRACKET "[" RBRACKET "]" LBRACE "{" RBRACE "}"
%token COMMA "," COLON ":" ARROW "->" FAT_ARROW "=>" ASSIGN "=" BAR "|" DOT "."
%token OR "||" AND "&&" EQUAL "==" NOT_EQUAL "!=" LESS "<" LESS_EQUAL "<=" GREATER ">" GREATER_EQUAL ">="
%token RANGE ".." PLUS "+" MINUS "-" STAR "*" SLASH "/" PERCENT "%" AT "@" NOT "!"

%left "||"
%left "&&"
%nonassoc "==" "!=" "<" "<=" ">" ">="
%nonassoc ".."
%left "+" "-"
%left "*" "/" "%" "@"
%precedence PREFIX

%nterm <struct ast_import *> import imported
%nterm <struct ast_names> path names names_opt
%nterm <struct ast_vars> vars var_list
%nterm <struct ast_var> var
%nterm <struct ast_name> name qualified
%nterm <struct ast_decl *> decl dim vocab enumeration data param instance layer fn metric metric_head member
%nterm <struct ast_decls> members
%nterm <struct ast_vocab_options> vocab_options vocab_option_list
%nterm <struct ast_vocab_option> vocab_option
%nterm <struct ast_constructors> constructors
%nterm <struct ast_constructor *> constructor
%nterm <struct ast_data_fields> field_list
%nterm <struct ast_layer_params> layer_params layer_param_list
%nterm <struct ast_layer_param *> layer_param
%nterm <struct ast_fn_params> fn_params fn_param_list own_params own_param_list
%nterm <struct ast_fn_param> fn_param own_param
%nterm <struct ast_type *> type result annotation
%nterm <struct ast_types> types param_types param_type_list
%nterm <struct ast_expr *> batch expr postfix primary conditional alternative param_value subscript
%nterm <struct ast_exprs> exprs subscripts
%nterm <struct ast_args> args arg_list
%nterm <struct ast_arg> arg
%nterm <struct ast_match_arms> arms
%nterm <struct ast_match_arm> arm
%nterm <struct ast_pattern *> pattern
%nterm <struct ast_patterns> patterns
%nterm <struct ast_stmt *> stmt test_stmt
%nterm <struct ast_test *> settings setup
%nterm <struct ast_stmts> stmts test_stmts
%nterm <struct ast_block *> block

%start file

%%

/* ---- File --------------------------------------------------------------------------------------------------- */

file:
  decls
;

decls:
  %empty
| toplevel
| decls separator
| decls separator toplevel
;

toplevel:
  import  { PUSH(parser->file->imports, $import); }
| decl    { PUSH(parser->file->decls, $decl); build_push_total(parser, $decl); }
| test
| error
;

/* Whatever is reached after an error is a safe place, and the next error there is a new one. */
separator:
  SEPARATOR  { yyerrok; }
;

close:
  "}"  { yyerrok; }
;

import:
  imported
| imported "{" separators names_opt close { $$ = $1; $$->span = @$; build_import_list(parser, $$, $names_opt); }
;

imported:
  "import" path                  { $$ = build_import(parser, @$, $path, (struct ast_name){0}); }
| "import" path "as" name        { $$ = build_import(parser, @$, $path, $name); }
;

/* A name of another file, or of an enum's member, beside those of this one. */
qualified:
  path  { $$ = build_qualified_name(parser, @$, $path); }
;

path:
  name           { $$ = (struct ast_names){0}; PUSH($$, $name); }
| path "." name  { $$ = $1; PUSH($$, $name); }
;

name:
  IDENTIFIER  { $$ = NAME($1, @1); }
;

/* ---- Declarations ------------------------------------------------------------------------------------------- */

decl:
  dim
| vocab
| enumeration
| data
| param
| instance
| layer
| fn
| metric
;

dim:
  "dim" name "=" expr  { $$ = build_dim(parser, @$, $name, $expr); }
;

vocab:
  "vocab" name vocab_options  { $$ = build_vocab(parser, @$, $name, $vocab_options); }
;

vocab_options:
  %empty                           { $$ = (struct ast_vocab_options){0}; }
| "(" ")"                          { $$ = (struct ast_vocab_options){0}; }
| "(" vocab_option_list comma ")"  { $$ = $2; }
;

vocab_option_list:
  vocab_option                        { $$ = (struct ast_vocab_options){0}; PUSH($$, $1); }
| vocab_option_list "," vocab_option  { $$ = $1; PUSH($$, $3); }
;

vocab_option:
  name           { $$ = (struct ast_vocab_option){$name, NULL}; }
| name "=" expr  { $$ = (struct ast_vocab_option){$name, $expr}; }
;

enumeration:
  "enum" name "{" separators names_opt close  { $$ = build_enum(parser, @$, $name, $names_opt); }
| "enum" name "{" error close                 { $$ = build_enum(parser, @$, $name, (struct ast_names){0}); }
;

names_opt:
  %empty                  { $$ = (struct ast_names){0}; }
| names comma separators  { $$ = $names; }
;

names:
  name            { $$ = (struct ast_names){0}; PUSH($$, $name); }
| names "," name  { $$ = $1; PUSH($$, $name); }
;

data:
  "data" name vars "=" bar constructors {
    $$ = build_data(parser, @$, $name, $vars, $constructors); }
;

vars:
  %empty                  { $$ = (struct ast_vars){0}; }
| "[" var_list comma "]"  { $$ = $var_list; }
;

var_list:
  var               { $$ = (struct ast_vars){0}; PUSH($$, $1); }
| var_list "," var  { $$ = $1; PUSH($$, $3); }
;

var:
  name                 { $$ = (struct ast_var){.name = $1}; }
| name ":" name[kind]  { $$ = (struct ast_var){$1, $kind}; }
| name ":" "dim"       { $$ = (struct ast_var){$1, NAME("dim", @3)}; }
;

constructors:
  constructor                   { $$ = (struct ast_constructors){0}; PUSH($$, $1); }
| constructors "|" constructor  { $$ = $1; PUSH($$, $3); }
;

constructor:
  name                           { $$ = build_constructor(parser, @$, $name, (struct ast_data_fields){0}); }
| name "(" field_list comma ")"  { $$ = build_constructor(parser, @$, $name, $field_list); }
;

field_list:
  name ":" type                 { struct ast_data_field field = {$name, $type};
                                  $$ = (struct ast_data_fields){0}; PUSH($$, field); }
| field_list "," name ":" type  { struct ast_data_field field = {$name, $type}; $$ = $1; PUSH($$, field); }
;

param:
  "param" name ":" type param_value  { $$ = build_param(parser, @$, $name, $type, $param_value); }
;

param_value:
  %empty    { $$ = NULL; }
| "=" expr  { $$ = $expr; }
;

instance:
  "let" name "=" expr  { $$ = build_instance(parser, @$, $name, $expr); }
;

layer:
  "layer" name layer_params "{" members close {
    $$ = build_layer(parser, @$, $name, $layer_params, $members); }
;

layer_params:
  %empty                          { $$ = (struct ast_layer_params){0}; }
| "(" ")"                         { $$ = (struct ast_layer_params){0}; }
| "(" layer_param_list comma ")"  { $$ = $2; }
;

layer_param_list:
  layer_param                       { $$ = (struct ast_layer_params){0}; PUSH($$, $1); }
| layer_param_list "," layer_param  { $$ = $1; PUSH($$, $3); }
;

layer_param:
  name ":" "dim"      { $$ = build_layer_param(parser, $1, NAME("dim", @3)); }
| name ":" name[kind] { $$ = build_layer_param(parser, $1, $kind); }
;

members:
  %empty                    { $$ = (struct ast_decls){0}; }
| member                    { $$ = (struct ast_decls){0}; if ($1) PUSH($$, $1); }
| members separator         { $$ = $1; }
| members separator member  { $$ = $1; if ($3) PUSH($$, $3); }
;

member:
  param
| instance
| fn
| error  { $$ = NULL; }
;

fn:
  "fn" name vars "(" fn_params ")" result block {
    $$ = build_fn(parser, @$, false, $name, $vars, $fn_params, $result, $block); }
| "memo" "fn" name vars "(" fn_params ")" result block {
    $$ = build_fn(parser, @$, false, $name, $vars, $fn_params, $result, $block);
    $$->fn->is_memo = true; }
;

metric:
  metric_head                                     { $$ = $1; }
| metric_head IDENTIFIER "(" own_params ")" block {
    $$ = $1; build_total(parser, @$, $1, build_name($2, @2), $own_params, $block); }
;

metric_head:
  "metric" name "(" fn_params ")" result block {
    $$ = build_fn(parser, @$, true, $name, (struct ast_vars){0}, $fn_params, $result, $block); }
;

/* What the model is given for the test comes first, and is evaluated apart from the rest. */
test:
  "test" name "{" setup test_stmts close  { build_test(parser, @$, $name, $setup, $test_stmts); }
;

setup:
  settings  { $$ = $1; build_test_setup(parser, $1); }
;

settings:
  %empty                                       { $$ = build_settings(parser); }
| settings "param" postfix "=" expr separator  { $$ = $1; build_param_setting(parser, $1, @3, $postfix, $expr); }
| settings "vocab" name "{" separators names_opt close separator  {
    $$ = $1; build_vocab_setting(parser, $1, $name, $names_opt); }
;

test_stmts:
  %empty                          { $$ = (struct ast_stmts){0}; }
| test_stmt                       { $$ = (struct ast_stmts){0}; if ($1) PUSH($$, $1); }
| test_stmts separator            { $$ = $1; }
| test_stmts separator test_stmt  { $$ = $1; if ($3) PUSH($$, $3); }
;

test_stmt:
  stmt
| "expect" expr                         { $$ = build_expect(parser, @$, $2, NAME(NULL, @2), NULL); }
| "expect" expr name expr[tolerance]    { $$ = build_expect(parser, @$, $2, $name, $tolerance); }
;

fn_params:
  %empty               { $$ = (struct ast_fn_params){0}; }
| fn_param_list comma  { $$ = $1; }
;

fn_param_list:
  fn_param                    { $$ = (struct ast_fn_params){0}; PUSH($$, $1); }
| fn_param_list "," fn_param  { $$ = $1; PUSH($$, $3); }
;

fn_param:
  name ":" type  { $$ = build_fn_param(parser, @$, $name, $type); }
;

result:
  %empty     { $$ = NULL; }
| "->" type  { $$ = $type; }
;

/* ---- Types -------------------------------------------------------------------------------------------------- */

type:
  qualified                      { $$ = build_named_type(parser, @$, $qualified, (struct ast_exprs){0}); }
| qualified "[" exprs comma "]"  { $$ = build_named_type(parser, @$, $qualified, $exprs); }
| qualified "[" exprs comma batch "]"  {
    $$ = build_batch_type(parser, build_named_type(parser, @$, $qualified, $exprs), $batch); }
| qualified "[" batch "]"  {
    $$ = build_batch_type(parser, build_named_type(parser, @$, $qualified, (struct ast_exprs){0}), $batch); }
| "[" type[element] "]"        { $$ = build_list_type(parser, @$, $element); }
| "(" ")"                      { $$ = build_tuple_type(parser, @$, (struct ast_types){0}); }
| "(" type[only] ")"           { $$ = $only; }
| "(" types comma ")"          { $$ = build_tuple_type(parser, @$, $types); }
| "fn (" "(" param_types ")" result  { $$ = build_fn_type(parser, @$, $param_types, $result); }
;

/* The size of the batch axis; `_` is one that is known for each example only. */
batch:
  SEPARATOR expr  { $$ = $expr; }
| SEPARATOR "_"   { $$ = NULL; }
;

param_types:
  %empty                 { $$ = (struct ast_types){0}; }
| param_type_list comma  { $$ = $1; }
;

param_type_list:
  type                      { $$ = (struct ast_types){0}; PUSH($$, $1); }
| param_type_list "," type  { $$ = $1; PUSH($$, $3); }
;

types:
  type "," type   { $$ = (struct ast_types){0}; PUSH($$, $1); PUSH($$, $3); }
| types "," type  { $$ = $1; PUSH($$, $3); }
;

/* ---- Statements --------------------------------------------------------------------------------------------- */

block:
  "{" stmts close  { $$ = build_block(parser, @$, $stmts); }
;

stmts:
  %empty                { $$ = (struct ast_stmts){0}; }
| stmt                  { $$ = (struct ast_stmts){0}; if ($1) PUSH($$, $1); }
| stmts separator       { $$ = $1; }
| stmts separator stmt  { $$ = $1; if ($3) PUSH($$, $3); }
;

stmt:
  "let" pattern annotation "=" expr  { $$ = build_let(parser, @$, $pattern, $annotation, $expr); }
| "var" name annotation "=" expr     { $$ = build_var(parser, @$, $name, $annotation, $expr); }
| expr "=" expr                      { $$ = build_assign(parser, @$, $1, $3); }
| "for" pattern "in" expr block      { $$ = build_for(parser, @$, $pattern, $expr, $block); }
| "while" expr block                 { $$ = build_while(parser, @$, $expr, $block); }
| "return"                           { $$ = build_return(parser, @$, NULL); }
| "return" expr                      { $$ = build_return(parser, @$, $expr); }
| "break"                            { $$ = build_break(parser, @$); }
| "continue"                         { $$ = build_continue(parser, @$); }
| expr                               { $$ = build_expr_stmt(parser, $expr); }
| error                              { $$ = NULL; }
;

annotation:
  %empty    { $$ = NULL; }
| ":" type  { $$ = $type; }
;

/* ---- Expressions -------------------------------------------------------------------------------------------- */

expr:
  expr "||" expr  { $$ = BINARY(OR, @2, $1, $3); }
| expr "&&" expr  { $$ = BINARY(AND, @2, $1, $3); }
| expr "==" expr  { $$ = BINARY(EQUAL, @2, $1, $3); }
| expr "!=" expr  { $$ = BINARY(NOT_EQUAL, @2, $1, $3); }
| expr "<" expr   { $$ = BINARY(LESS, @2, $1, $3); }
| expr "<=" expr  { $$ = BINARY(LESS_EQUAL, @2, $1, $3); }
| expr ">" expr   { $$ = BINARY(GREATER, @2, $1, $3); }
| expr ">=" expr  { $$ = BINARY(GREATER_EQUAL, @2, $1, $3); }
| expr ".." expr  { $$ = build_range(parser, $1, $3); }
| expr "+" expr   { $$ = BINARY(ADD, @2, $1, $3); }
| expr "-" expr   { $$ = BINARY(SUBTRACT, @2, $1, $3); }
| expr "*" expr   { $$ = BINARY(MULTIPLY, @2, $1, $3); }
| expr "/" expr   { $$ = BINARY(DIVIDE, @2, $1, $3); }
| expr "%" expr   { $$ = BINARY(REMAINDER, @2, $1, $3); }
| expr "@" expr   { $$ = BINARY(MATMUL, @2, $1, $3); }
| "-" expr %prec PREFIX  { $$ = build_unary(parser, @$, AST_UNARY_NEGATE, $2); }
| "!" expr %prec PREFIX  { $$ = build_unary(parser, @$, AST_UNARY_NOT, $2); }
| postfix
;

postfix:
  primary
| postfix[base] "(" args ")"            { $$ = build_call(parser, @$, $base, $args); }
| postfix[base] "[" subscripts comma "]" { $$ = build_subscript(parser, @$, $base, $subscripts); }
| postfix[base] "." name                { $$ = build_field(parser, @$, $base, $name); }
| postfix[base] PROJECTION              { $$ = build_project(parser, @$, $base, $2, @2); }
;

subscripts:
  subscript                 { $$ = (struct ast_exprs){0}; PUSH($$, $1); }
| subscripts "," subscript  { $$ = $1; PUSH($$, $3); }
;

subscript:
  expr
| ".."                      { $$ = build_whole(parser, @$); }
;

primary:
  INTEGER                   { $$ = build_int(parser, @$, $1); }
| FLOAT                     { $$ = build_float(parser, @$, $1); }
| TEXT                      { $$ = build_text(parser, @$, $1); }
| "true"                    { $$ = build_bool(parser, @$, true); }
| "false"                   { $$ = build_bool(parser, @$, false); }
| name                      { $$ = build_name_expr(parser, $name); }
| "(" ")"                   { $$ = build_tuple(parser, @$, (struct ast_exprs){0}); }
| "(" expr ")"              { $$ = build_parenthesised(@$, $expr); }
| "(" expr "," exprs comma ")" {
    struct ast_exprs items = {0};
    PUSH(items, $expr);
    for (size_t i = 0; i < $exprs.count; i++)
      PUSH(items, $exprs.items[i]);
    $$ = build_tuple(parser, @$, items); }
| "[" "]"                   { $$ = build_list(parser, @$, (struct ast_exprs){0}); }
| "[" exprs comma "]"       { $$ = build_list(parser, @$, $exprs); }
| "[" expr "for" pattern "in" expr[sequence] "]" {
    $$ = build_comprehension(parser, @$, $2, $pattern, $sequence, NULL); }
| "[" expr "for" pattern "in" expr[sequence] "if" expr[condition] "]" {
    $$ = build_comprehension(parser, @$, $2, $pattern, $sequence, $condition); }
| conditional
| "match" expr "{" separators arms arm_end close  { $$ = build_match(parser, @$, $expr, $arms); }
| "match" expr "{" separators close {
    $$ = build_match(parser, @$, $expr, (struct ast_match_arms){0}); }
| "fn (" "(" own_params ")" block  { $$ = build_fn_expr(parser, @$, $own_params, $block); }
;

own_params:
  %empty                { $$ = (struct ast_fn_params){0}; }
| own_param_list comma  { $$ = $1; }
;

own_param_list:
  own_param                     { $$ = (struct ast_fn_params){0}; PUSH($$, $1); }
| own_param_list "," own_param  { $$ = $1; PUSH($$, $3); }
;

own_param:
  name           { $$ = build_fn_param(parser, @$, $name, NULL); }
| name ":" type  { $$ = build_fn_param(parser, @$, $name, $type); }
;

exprs:
  expr            { $$ = (struct ast_exprs){0}; PUSH($$, $1); }
| exprs "," expr  { $$ = $1; PUSH($$, $3); }
;

args:
  %empty          { $$ = (struct ast_args){0}; }
| arg_list comma  { $$ = $1; }
;

arg_list:
  arg               { $$ = build_args_push(parser, (struct ast_args){0}, $1); }
| arg_list "," arg  { $$ = build_args_push(parser, $1, $3); }
;

arg:
  expr           { $$ = (struct ast_arg){.value = $1}; }
| name ":" expr  { $$ = (struct ast_arg){$name, $expr}; }
| "dim" ":" expr { $$ = (struct ast_arg){NAME("dim", @1), $expr}; }
;

conditional:
  "if" expr block                     { $$ = build_if(parser, @$, $expr, $block, NULL); }
| "if" expr block "else" alternative  { $$ = build_if(parser, @$, $expr, $block, $alternative); }
;

alternative:
  block        { $$ = build_block_expr(parser, $block); }
| conditional
;

arms:
  arm               { $$ = (struct ast_match_arms){0}; if ($1.pattern) PUSH($$, $1); }
| arms arm_sep arm  { $$ = $1; if ($3.pattern) PUSH($$, $3); }
;

arm:
  pattern "=>" expr   { $$ = build_arm(parser, @$, $pattern, $expr); }
| pattern "=>" block  { $$ = build_arm(parser, @$, $pattern, build_block_expr(parser, $block)); }
| error               { $$ = (struct ast_match_arm){0}; }
;

/* ---- Patterns ----------------------------------------------------------------------------------------------- */

pattern:
  "_"                          { $$ = build_wildcard_pattern(parser, @$); }
| qualified                         { $$ = build_name_pattern(parser, $qualified); }
| qualified "(" patterns comma ")"  { $$ = build_constructor_pattern(parser, @$, $qualified, $patterns); }
| INTEGER                      { $$ = build_int_pattern(parser, @$, $1); }
| "-" INTEGER                  { $$ = build_int_pattern(parser, @$, -$2); }
| "true"                       { $$ = build_bool_pattern(parser, @$, true); }
| "false"                      { $$ = build_bool_pattern(parser, @$, false); }
| "(" ")"                      { $$ = build_tuple_pattern(parser, @$, (struct ast_patterns){0}); }
| "(" pattern[only] ")"        { $$ = $only; }
| "(" pattern[first] "," patterns comma ")" {
    struct ast_patterns items = {0};
    PUSH(items, $first);
    for (size_t i = 0; i < $patterns.count; i++)
      PUSH(items, $patterns.items[i]);
    $$ = build_tuple_pattern(parser, @$, items); }
;

patterns:
  pattern               { $$ = (struct ast_patterns){0}; PUSH($$, $1); }
| patterns "," pattern  { $$ = $1; PUSH($$, $3); }
;

/* ---- Punctuation that may or may not be there --------------------------------------------------------------- */

comma:
  %empty
| ","
;

bar:
  %empty
| "|"
;

separators:
  %empty
| separators separator
;

arm_sep:
  separator
| ","
| arm_sep separator
;

arm_end:
  %empty
| arm_sep
;

%%

static int nn_yylex(NN_YYSTYPE *value, struct span *span, struct parser *parser) {
  struct token token = parser_next_token(parser);
  *span = token.span;
  switch (token.kind) {
  case IDENTIFIER:
    value->IDENTIFIER = token.value.text;
    break;
  case TEXT:
    value->TEXT = token.value.text;
    break;
  case INTEGER:
    value->INTEGER = token.value.integer;
    break;
  case PROJECTION:
    value->PROJECTION = token.value.integer;
    break;
  case FLOAT:
    value->FLOAT = token.value.floating;
    break;
  default:
    break;
  }
  return token.kind;
}

static int yyreport_syntax_error(const yypcontext_t *context, struct parser *parser) {
  yysymbol_kind_t kinds[YYNTOKENS];
  const char *names[YYNTOKENS];
  int count = yypcontext_expected_tokens(context, kinds, YYNTOKENS);
  if (count < 0)
    return count;
  for (int i = 0; i < count; i++)
    names[i] = yysymbol_name(kinds[i]);
  parser_report_syntax_error(parser, names, (size_t)count);
  parser_begin_recovery(parser);
  return 0;
}

/* Syntax errors go through yyreport_syntax_error; what is left is a stack that reached YYMAXDEPTH. */
static void nn_yyerror(const struct span *span, struct parser *parser, const char *message) {
  (void)message;
  parser_refuse_depth(parser, *span);
}
