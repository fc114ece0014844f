// A warning when training `loss` could change nothing: neither it nor any function that it calls names a parameter.
#include <stdlib.h>
#include <string.h>

#include "compiler/check/checker.h"

static int compare_users(const void *a, const void *b) {
  uintptr_t left = (uintptr_t)((const struct use_edge *)a)->user,
            right = (uintptr_t)((const struct use_edge *)b)->user;
  return (left > right) - (left < right);
}

// The first edge of this user in edges sorted by user, or their number.
static size_t first_edge(const struct use_edge *edges, size_t count, const void *user) {
  size_t low = 0, high = count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if ((uintptr_t)edges[middle].user < (uintptr_t)user)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

static bool reaches_param(struct checker *checker, struct ast_fn *from) {
  struct {
    struct ast_fn **items;
    size_t count, capacity;
  } met = {0};
  const struct use_edge *edges = checker->edges.items;
  size_t count = checker->edges.count;
  if (count)
    qsort(checker->edges.items, count, sizeof *edges, compare_users);
  from->is_met = true;
  arena_push(checker->arena, &met, from);
  for (size_t done = 0; done < met.count; done++) {
    const struct ast_fn *fn = met.items[done];
    if (fn->names_param)
      return true;
    for (size_t i = first_edge(edges, count, fn); i < count && edges[i].user == fn; i++) {
      struct ast_fn *used = edges[i].fn;
      if (!used || used->is_met)
        continue;
      used->is_met = true;
      arena_push(checker->arena, &met, used);
    }
  }
  return false;
}

void check_note_param(struct checker *checker) {
  if (checker->fn)
    checker->fn->names_param = true;
}

void check_training(struct checker *checker, struct ast_decl *decl) {
  if (decl->kind != AST_DECL_FN || checker->layer || decl->fn->is_metric ||
      strcmp(decl->fn->name.text, "loss") != 0 || reaches_param(checker, decl->fn))
    return;
  struct diag *d = diag_warning(checker->sink, DIAG_NOTHING_TRAINED, decl->fn->name.span,
                                "`loss` uses no parameter");
  diag_note(d, "neither does any function that it calls, so training changes nothing");
}
