// How often examples wait for decisions: each model here is run over all examples together, and the minibatch is flushed
// as often as is stated: once for each wait, and once in the end. What the passes have to do with it is in
// compiler/passes/fission.c and request.c.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/runtime/rig.h"

#define HEAD                                                                                                 \
  "import std.crf\nimport std.beam\ndim H = 6\nenum Tag { A, B, C }\nvocab Word\n"                           \
  "param E: f32[Word, H] = normal(0.6)\nparam U: f32[H, H]\nparam T: f32[Tag, H]\nparam F: f32[Tag, H]\n"    \
  "fn score(w: Word) -> f32[Tag] { T @ tanh(U @ E[w]) }\n"                                                   \
  "fn longer(words: [Word]) -> [Word] { words + words + words }\n"

static const struct model {
  const char *what, *body;
  uint64_t flushes;
} models[] = {
    {"a comprehension of decisions",
     "fn loss(words: [Word]) -> f32 {\n"
     "  let tags = [argmax(score(w)) for w in longer(words)]\n"
     "  sum([sum(F[t]) for t in tags])\n"
     "}\n",
     2},
    {"decisions of a list, and of the lines of a matrix",
     "fn loss(words: [Word]) -> f32 {\n"
     "  let tags = argmax([score(w) for w in longer(words)]) + argmax(T @ U, dim: 0)[0..0]\n"
     "  sum([sum(F[t]) for t in tags])\n"
     "}\n",
     2},
    {"a decision that counts, and one where it does not",
     "fn loss(words: [Word]) -> f32 {\n"
     "  var n = 0\n  var seen: [Tag] = [A]\n"
     "  for w in longer(words) {\n"
     "    let s = score(w)\n"
     "    if value(s[A]) > 0 { n = n + 1 } else { seen = push(seen, argmax(s)) }\n"
     "  }\n"
     "  sum([sum(F[t]) for t in seen]) + float(n) * sum(U)\n"
     "}\n",
     3},
    {"a carried state, a decision of each, and another one where that holds",
     "fn loss(words: [Word]) -> f32 {\n"
     "  var h = zeros[H]\n  var n = 0\n"
     "  for w in longer(words) {\n"
     "    h = tanh(U @ h + E[w])\n"
     "    if value(sum(h)) > 0 && argmax(T @ h) == A { n = n + 1 }\n"
     "  }\n"
     "  float(n) * sum(h)\n"
     "}\n",
     3},
    {"loops in loops, with a condition",
     "fn loss(words: [Word]) -> f32 {\n"
     "  var n = 0\n"
     "  for (i, w) in zip([k for k in 0..len(words)], words) {\n"
     "    for v in words {\n"
     "      if v != w || i > 1 {\n"
     "        for k in 0..2 { if value(dot(E[w], U @ E[v])) > 0.1 * float(k) { n = n + 1 } }\n"
     "      }\n"
     "    }\n"
     "  }\n"
     "  float(n) * sum(U)\n"
     "}\n",
     2},
    {"a decision that hangs on another of its turn",
     "fn loss(words: [Word]) -> f32 {\n"
     "  var tags: [Tag] = []\n"
     "  for w in longer(words) {\n"
     "    let a = argmax(score(w))\n"
     "    let b = argmax(T @ tanh(F[a] + E[w]))\n"
     "    tags = push(push(tags, a), b)\n"
     "  }\n"
     "  sum([sum(F[t]) for t in tags])\n"
     "}\n",
     3},
    {"a decision in a branch that another one takes",
     "fn loss(words: [Word]) -> f32 {\n"
     "  var n = 0\n"
     "  for w in longer(words) {\n"
     "    let x = tanh(U @ E[w])\n"
     "    if value(sum(x)) > 0 {\n"
     "      if value(sum(U @ x)) > 0 { n = n + 1 }\n"
     "    }\n"
     "  }\n"
     "  float(n) * sum(U)\n"
     "}\n",
     3},
    {"decisions one behind the other",
     "fn loss(words: [Word]) -> f32 {\n"
     "  var n = 0\n"
     "  if value(sum(E[words[0]])) > 0 { n = n + 1 }\n"
     "  if value(sum(U @ E[last(words)])) > 0 { n = n + 2 }\n"
     "  let a = argmax(score(words[0]))\n"
     "  if n > 1 { n = n + int(a) }\n"
     "  let b = argmax(score(last(words)))\n"
     "  if a == b { n = n + 5 }\n"
     "  float(n) * sum(U)\n"
     "}\n",
     2},
    {"many numbers, and more behind the loop",
     "fn loss(words: [Word]) -> f32 {\n"
     "  var n = 0\n"
     "  for w in longer(words) {\n"
     "    let s = values(score(w))\n"
     "    for (t, x) in topk(T @ E[w], 2) { if t != argsort(score(w))[0] && x > 0.1 { n = n + 1 } }\n"
     "    if max(s) > 0.2 { n = n + 1 }\n"
     "  }\n"
     "  let all = values(tensor([score(w) for w in words]))\n"
     "  if sum(all[0]) > 0 { n = n + 1 }\n"
     "  float(n) * sum(U)\n"
     "}\n",
     3},
    {"Viterbi: all maxima at once, behind the last place",
     "let chain = CRF(Tag)\n"
     "fn loss(words: [Word]) -> f32 {\n"
     "  let (tags, score) = chain.decode([score(w) for w in longer(words)])\n"
     "  sum([sum(F[t]) for t in tags]) + (if score > 0.5 { 1 } else { 0 })\n"
     "}\n",
     2},
    {"a beam: once a step",
     "data Path = Path(h: f32[H], tags: [Tag])\n"
     "fn moves(p: Path) -> [(Tag, float)] { topk(log_softmax(T @ p.h), 2) }\n"
     "fn take(p: Path, t: Tag) -> Path { Path(tanh(U @ p.h + F[t]), push(p.tags, t)) }\n"
     "fn loss(words: [Word]) -> f32 {\n"
     "  let found = beam_search(Path(E[words[0]], []), 4, 5, moves, take, fn(p) { len(p.tags) == 5 })\n"
     "  sum([sum(p.h) for (p, _) in found])\n"
     "}\n",
     6},
    {"a beam that is done by what may fail: once a step, too",
     "data Path = Path(h: f32[H], tags: [Tag])\n"
     "fn moves(p: Path) -> [(Tag, float)] { topk(log_softmax(T @ p.h), 2) }\n"
     "fn take(p: Path, t: Tag) -> Path { Path(tanh(U @ p.h + F[t]), push(p.tags, t)) }\n"
     "fn is_done(p: Path) -> bool { len(p.tags) > 0 && last(p.tags) == C && len(p.tags) == 5 }\n"
     "fn loss(words: [Word]) -> f32 {\n"
     "  let found = beam_search(Path(E[words[0]], []), 4, 5, moves, take, is_done)\n"
     "  sum([sum(p.h) for (p, _) in found])\n"
     "}\n",
     6},
    {"what is drawn in each turn, by tensors and by host code",
     "fn loss(words: [Word]) -> f32 {\n"
     "  var tags: [Tag] = []\n  var scale = 1.0\n"
     "  for w in longer(words) {\n"
     "    let share = random()\n"
     "    let t = sample(softmax(score(w) + gumbel[Tag]))\n"
     "    if t != A || random() < share { tags = push(tags, t) }\n"
     "    scale = scale * (0.5 + random())\n"
     "  }\n"
     "  scale * sum([sum(F[t] * uniform[H]) for t in push(tags, B)])\n"
     "}\n",
     2},
    {"each decision feeds the next turn",
     "fn loss(words: [Word]) -> f32 {\n"
     "  var h = zeros[H]\n"
     "  for w in words[0..1] + words[0..1] + words[0..1] {\n"
     "    h = tanh(U @ h + E[w])\n"
     "    h = h + F[argmax(T @ h)]\n"
     "  }\n"
     "  sum(h)\n"
     "}\n",
     4},
};

static void examples_wait_as_often_as_stated(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
    char program[4000];
    snprintf(program, sizeof program, "%s%s", HEAD, models[i].body);
    struct rig rig;
    rig_open(&rig, program, "loss", &(struct rig_options){0});
    rig_run(&rig, "loss", NN_INFER);
    for (size_t e = 0; e < rig.n; e++)
      if (nn_session_error(rig.session, e))
        fail_msg("%s: %s", models[i].what, nn_session_error(rig.session, e));
    nn_stats stats = nn_session_stats(rig.session);
    if (stats.flushes != models[i].flushes)
      fail_msg("%s: %d flushes, not %d", models[i].what, (int)stats.flushes, (int)models[i].flushes);
    rig_close(&rig);
  }
}

static void results_are_the_same_however_they_run(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
    char program[4000];
    snprintf(program, sizeof program, "%s%s", HEAD, models[i].body);
    rig_same_bits(program);
    assert_true(rig_right_gradients(program));
  }
}

// ---- Many at once ----

// In KiB: what is resident and what the page tables take. 0 where the system does not say so.
static uint64_t memory_kib(void) {
  FILE *file = fopen("/proc/self/status", "r");
  uint64_t sum = 0;
  char line[200];
  while (file && fgets(line, sizeof line, file)) {
    unsigned long long kib;
    if (sscanf(line, "VmRSS: %llu", &kib) == 1 || sscanf(line, "VmPTE: %llu", &kib) == 1)
      sum += kib;
  }
  if (file)
    fclose(file);
  return sum;
}

static uint64_t count_mappings(void) {
  FILE *file = fopen("/proc/self/maps", "r");
  uint64_t n = 0;
  for (int c; file && (c = getc(file)) != EOF;)
    n += c == '\n';
  if (file)
    fclose(file);
  return n;
}

#if defined(__SANITIZE_ADDRESS__)
enum { N_MANY = 2000 };
#else
enum { N_MANY = 50000 };
#endif

static struct {
  uint64_t kib, mappings;
  size_t waiting;
} most;

static void (*wait_as_ever)(void *, struct trace_example *, uint32_t);

// The last one to wait sees all of them suspended.
static void wait_and_look(void *context, struct trace_example *example, uint32_t value) {
  if (++most.waiting == N_MANY) {
    most.kib = memory_kib();
    most.mappings = count_mappings();
  }
  wait_as_ever(context, example, value);
}

// As a minibatch of all sentences there are: each waits on a stack of its own, with its lists and its trace.
static void examples_that_wait_take_little(void **state) {
  (void)state;
  struct rig rig;
  rig_open(&rig,
           HEAD "fn loss(words: [Word]) -> f32 {\n"
                "  var h = zeros[H]\n  var tags: [Tag] = []\n"
                "  for w in words {\n"
                "    h = tanh(U @ h + E[w])\n"
                "    let t = argmax(T @ h)\n"
                "    tags = push(tags, t)\n"
                "    h = h + F[t]\n"
                "  }\n"
                "  sum(h) * float(len(tags))\n"
                "}\n",
           "loss", &(struct rig_options){.n_examples = N_MANY});
  rig_run(&rig, "loss", NN_INFER);
#if !defined(__SANITIZE_ADDRESS__)
  uint64_t before = memory_kib();
#endif
  nn_session *session;
  rig_check(nn_session_new(rig.model, &session));
  wait_as_ever = session->minibatch.trace.wait;
  session->minibatch.trace.wait = wait_and_look;
  rig_check(nn_session_run(session, rig_entry(&rig, "loss"), rig.data, rig.examples, rig.n, NN_INFER));
  assert_true(most.waiting > N_MANY);
  for (size_t e = 0; e < rig.n; e++)
    assert_null(nn_session_error(session, e));
#if !defined(__SANITIZE_ADDRESS__)
  if (most.kib - before > (uint64_t)16 * N_MANY)
    fail_msg("%d examples that wait take %d KiB more", N_MANY, (int)(most.kib - before));
#endif
  // The system has no more than 65,530 for a process.
  if (most.mappings > 2000)
    fail_msg("%d examples that wait have %d mappings", N_MANY, (int)most.mappings);
  nn_session_free(session);
  rig_close(&rig);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(examples_wait_as_often_as_stated),
      cmocka_unit_test(results_are_the_same_however_they_run),
      cmocka_unit_test(examples_that_wait_take_little),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
