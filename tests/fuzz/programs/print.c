// Prints a program in the language.
#include <inttypes.h>

#include "tests/fuzz/programs/program.h"

const char *const type_names[N_TYPES] = {[INT] = "int",       [BOOL] = "bool",          [NUM] = "f32",
                                         [VEC] = "f32[H]",    [WORD] = "Word",          [TAG] = "Tag",
                                         [LVEC] = "[f32[H]]", [LINT] = "[int]",         [LWORD] = "[Word]",
                                         [LLINT] = "[[int]]", [LREC] = "[State]",       [TEXT] = "text",
                                         [LTEXT] = "[text]",  [PAIR] = "(f32[H], f32)", [REC] = "State",
                                         [TREE] = "Tree"};

static const char *const texts[] = {
#define FORM(name, result, a, b, c, text) text,
    FORMS(FORM)
#undef FORM
};

const char *program_form_text(enum form form) { return texts[form]; }

static void print_expr(FILE *out, const struct program *program, const struct expr *e) {
  if (e->form == VARIABLE) {
    fprintf(out, "v%d", e->slot);
    return;
  }
  if (e->form == CALL) {
    fprintf(out, "f%d(", e->slot);
    for (int i = 0; i < program->functions[e->slot].n_params; i++) {
      fputs(i > 0 ? ", " : "", out);
      print_expr(out, program, e->args[i]);
    }
    fputc(')', out);
    return;
  }
  for (const char *at = texts[e->form]; *at; at++) {
    if (*at != '$')
      fputc(*at, out);
    else if (*++at == 'v')
      fprintf(out, "v%d", e->slot);
    else if (*at == 'i')
      fprintf(out, "%" PRId64, e->integer);
    else
      print_expr(out, program, e->args[*at - '0']);
  }
}

struct printer {
  FILE *out;
  const struct program *program;
  int depth;
};

static void line(struct printer *p) { fprintf(p->out, "\n%*s", 2 * p->depth, ""); }

static void expr(struct printer *p, const struct expr *e) { print_expr(p->out, p->program, e); }

static void print_body(struct printer *p, const struct stmt *s);

// `{ body }`, with a first line.
static void block(struct printer *p, const char *first, int slot, const struct stmt *body) {
  fputs(" {", p->out);
  p->depth++;
  if (first != NULL) {
    line(p);
    fprintf(p->out, first, slot, slot);
  }
  print_body(p, body);
  p->depth--;
  line(p);
  fputc('}', p->out);
}

static void print_match(struct printer *p, const struct stmt *s) {
  static const char *const tags[] = {"T0", "T1", "_"}, *const ints[] = {"0", "1", "_"};
  const struct stmt *bodies[] = {s->body, s->other, s->third};
  fputs("match ", p->out);
  if (s->kind == MATCH_TAG) {
    fprintf(p->out, "v%d {", s->slot);
  } else {
    expr(p, s->a);
    fputs(" % 3 {", p->out);
  }
  p->depth++;
  for (int i = 0; i < 3; i++) {
    line(p);
    fprintf(p->out, "%s =>", (s->kind == MATCH_TAG ? tags : ints)[i]);
    block(p, NULL, 0, bodies[i]);
  }
  p->depth--;
  line(p);
  fputc('}', p->out);
}

static void print_for(struct printer *p, const struct stmt *s) {
  switch (s->kind) {
  case FOR_RANGE: fprintf(p->out, "for v%d in 0..%" PRId64, s->slot, s->integer); break;
  case FOR_TAG: fprintf(p->out, "for v%d in Tag", s->slot); break;
  case FOR_LIST:
    fprintf(p->out, "for v%d in ", s->slot);
    expr(p, s->a);
    break;
  default:
    fprintf(p->out, "for (v%d, v%d) in zip(", s->slot, s->second);
    expr(p, s->a);
    fputs(", reversed(", p->out);
    expr(p, s->a);
    fputs("))", p->out);
  }
  block(p, NULL, 0, s->body);
}

static void print_while(struct printer *p, const struct stmt *s) {
  fprintf(p->out, "var v%d = 0", s->slot);
  line(p);
  fprintf(p->out, "while v%d < %" PRId64 " && ", s->slot, s->integer);
  expr(p, s->b);
  block(p, "v%d = v%d + 1", s->slot, s->body);
}

static void print_element(struct printer *p, const struct stmt *s) {
  char list[16], row[8];
  snprintf(list, sizeof list, "v%d", s->slot);
  snprintf(row, sizeof row, "i%d", s->slot);
  if (s->kind == SET_AT) {
    fprintf(p->out, "%s[(", list);
    expr(p, s->a);
    fprintf(p->out, " %% len(%s) + len(%s)) %% len(%s)] = ", list, list, list);
    expr(p, s->b);
    return;
  }
  // The row's number has a name of its own, in a block of its own.
  fputs("for _ in 0..1 { let ", p->out);
  fprintf(p->out, "%s = (", row);
  expr(p, s->a);
  fprintf(p->out, " %% len(%s) + len(%s)) %% len(%s); %s[%s][(", list, list, list, list, row);
  expr(p, s->b);
  fprintf(p->out, " %% len(%s[%s]) + len(%s[%s])) %% len(%s[%s])] = ", list, row, list, row, list, row);
  expr(p, s->c);
  fputs(" }", p->out);
}

static void print_jump(struct printer *p, const struct stmt *s) {
  fputs("if ", p->out);
  expr(p, s->a);
  fputs(s->kind == BREAK_IF ? " { break }" : s->kind == CONTINUE_IF ? " { continue }" : " { return ", p->out);
  if (s->kind == RETURN_IF) {
    expr(p, s->b);
    fputs(" }", p->out);
  }
}

static void print_stmt(struct printer *p, const struct stmt *s) {
  line(p);
  switch (s->kind) {
  case LET: fprintf(p->out, "let v%d = ", s->slot); break;
  case VAR: fprintf(p->out, "var v%d = ", s->slot); break;
  case SET: fprintf(p->out, "v%d = ", s->slot); break;
  case LET_PAIR: fprintf(p->out, "let (v%d, v%d) = ", s->slot, s->second); break;
  case SET_AT:
  case SET_AT_AT: print_element(p, s); return;
  case POP: fprintf(p->out, "if len(v%d) > 1 { v%d = pop(v%d) }", s->slot, s->slot, s->slot); return;
  case FOR_RANGE:
  case FOR_LIST:
  case FOR_ZIP:
  case FOR_TAG: print_for(p, s); return;
  case WHILE: print_while(p, s); return;
  case MATCH_TAG:
  case MATCH_INT: print_match(p, s); return;
  case BREAK_IF:
  case CONTINUE_IF:
  case RETURN_IF: print_jump(p, s); return;
  case IF:
    fputs("if ", p->out);
    expr(p, s->a);
    block(p, NULL, 0, s->body);
    if (s->other != NULL) {
      fputs(" else", p->out);
      block(p, NULL, 0, s->other);
    }
    return;
  }
  expr(p, s->a);
}

static void print_body(struct printer *p, const struct stmt *s) {
  for (; s != NULL; s = s->next)
    if (!s->off)
      print_stmt(p, s);
}

static void result(struct printer *p, const struct stmt *body, const struct expr *value) {
  print_body(p, body);
  line(p);
  expr(p, value);
}

static void print_walk(struct printer *p, const struct function *f, int number) {
  fputs("\n  match v0 {", p->out);
  fprintf(p->out, "\n    Leaf(v%d) => {", f->word);
  p->depth = 3;
  result(p, f->body, f->result);
  fprintf(p->out, "\n    }\n    Node(v%d, v%d, v%d) => {", f->left, f->right, f->word);
  for (int side = 0; side < 2; side++) {
    const int *pair = side ? f->right_pair : f->left_pair;
    fprintf(p->out, "\n      let (v%d, v%d) = f%d(v%d, ", pair[0], pair[1], number,
            side ? f->right : f->left);
    expr(p, f->down[side]);
    fputc(')', p->out);
  }
  result(p, f->inner, f->inner_result);
  fputs("\n    }\n  }", p->out);
}

static void print_countdown(struct printer *p, const struct function *f) {
  fputs("\n  if v0 <= 0 { return ", p->out);
  expr(p, f->result);
  fprintf(p->out, " }\n  let (v%d, v%d) = f%d(v0 - 1, ", f->left_pair[0], f->left_pair[1], f->partner);
  expr(p, f->down[0]);
  fputc(')', p->out);
  p->depth = 1;
  result(p, f->inner, f->inner_result);
}

static void print_function(struct printer *p, int number) {
  const struct function *f = &p->program->functions[number];
  bool is_loss = number == p->program->n_functions - 1;
  static const char *const data[] = {"words", "tag", "k", "tree"};
  fprintf(p->out, "\nfn %s", is_loss ? "loss" : "f");
  if (!is_loss)
    fprintf(p->out, "%d", number);
  for (int i = 0; i < f->n_params; i++)
    if (is_loss)
      fprintf(p->out, "%s%s: %s", i > 0 ? ", " : "(", data[i], type_names[f->params[i]]);
    else
      fprintf(p->out, "%sv%d: %s", i > 0 ? ", " : "(", i, type_names[f->params[i]]);
  fprintf(p->out, ") -> %s {", type_names[f->result_type]);
  p->depth = 1;
  for (int i = 0; is_loss && i < f->n_params; i++) {
    line(p);
    fprintf(p->out, "let v%d = %s", i, data[i]);
  }
  if (f->kind == TREE_WALK)
    print_walk(p, f, number);
  else if (f->kind == COUNTDOWN)
    print_countdown(p, f);
  else
    result(p, f->body, f->result);
  fputs("\n}\n", p->out);
}

void program_print(FILE *out, const struct program *program) {
  fprintf(out,
          "import std.activation\n"
          "import std.list\n"
          "dim H = %d\nvocab Word\nenum Tag { T0, T1, T2 }\n"
          "data Tree = Leaf(word: Word) | Node(left: Tree, right: Tree, word: Word)\n"
          "data State = State(h: f32[H], n: int, s: f32)\n"
          "param E: f32[Word, H] = normal(0.6)\nparam C: f32[Word, H]\nparam D: f32[Tag, H] = normal(0.6)\n"
          "param W0: f32[H, H]\nparam W1: f32[H, H]\nparam b0: f32[H] = normal(0.6)\nparam b1: f32[H] = "
          "normal(0.6)\n"
          "layer Cell(N: dim) {\n  param W: f32[N, N]\n  param b: f32[N] = normal(0.4)\n"
          "  fn apply(x: f32[N]) -> f32[N] { tanh(W @ x + b) }\n}\n"
          "let cell = Cell(H)\nlet stack = [Cell(H) for _ in 0..2]\n"
          "fn of_size(x: f32[H]) -> f32[H] { x }\n"
          "fn spread[T: number](xs: [T]) -> T { max(xs) - min(xs) }\n"
          "fn noisy[n](x: f32[n]) -> f32[n] {\n  let z = normal_like(x)\n  x + z - z\n}\n"
          "fn chosen(n: int) -> int { sample(tensor(0, uniform())) + n - 1 }\n"
          "fn asserted(n: int) -> int {\n  assert(n == n, \"equal\")\n  n\n}\n"
          "fn mixed[n](x: f32[n], y: f32[n]) -> f32[n] { tanh(x) * y + 0.5 * x }\n"
          "fn turned(s: text, n: int) -> text {\n  let k = (n %% (len(s) + 1) + len(s) + 1) %% (len(s) + 1)\n"
          "  s[k..len(s)] + s[0..k]\n}\n"
          "fn first(s: text) -> text { if len(s) == 0 { s } else { s[0] } }\n"
          "fn number(words: [Word]) -> int { int(words[0]) }\n",
          program->h);
  struct printer p = {.out = out, .program = program};
  for (int i = 0; i < program->n_functions; i++)
    print_function(&p, i);
}
