// The name that was meant: Damerau and Levenshtein's distance, restricted (each letter is moved once).
#include "compiler/base/nearest.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

// The longest name that a suggestion is made for; beyond it a misspelling is not what went wrong.
#define NEAREST_LIMIT 64

// Letters put in, left out, exchanged for another or with their neighbour.
static size_t edit_distance(const char *a, size_t a_length, const char *b, size_t b_length) {
  size_t rows[3][NEAREST_LIMIT + 1];
  size_t *before = rows[0], *above = rows[1], *row = rows[2];
  for (size_t j = 0; j <= b_length; j++)
    row[j] = j;
  for (size_t i = 1; i <= a_length; i++) {
    size_t *reused = before;
    before = above;
    above = row;
    row = reused;
    row[0] = i;
    for (size_t j = 1; j <= b_length; j++) {
      size_t best = above[j - 1] + (a[i - 1] != b[j - 1]);
      best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
      best = above[j] + 1 < best ? above[j] + 1 : best;
      bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      row[j] = swapped && before[j - 2] + 1 < best ? before[j - 2] + 1 : best;
    }
  }
  return row[b_length];
}

const char *nearest_name(const char *name, const char *const *candidates, size_t count) {
  size_t length = strlen(name);
  if (length > NEAREST_LIMIT)
    return NULL;
  // One slip in three letters is still a misspelling; more is another word.
  size_t best_distance = (length > 3 ? length / 3 : 1) + 1;
  const char *best = NULL;
  for (size_t i = 0; i < count; i++) {
    size_t candidate_length = strlen(candidates[i]);
    if (candidate_length > NEAREST_LIMIT)
      continue;
    bool is_case = strcasecmp(name, candidates[i]) == 0;
    size_t distance = is_case ? 1 : edit_distance(name, length, candidates[i], candidate_length);
    if (distance < best_distance && (is_case || distance < length)) {
      best_distance = distance;
      best = candidates[i];
    }
  }
  return best;
}
