// Looks up habits.def. Only errors ask, so that a search from the beginning is quick enough.
#include "compiler/diag/habits.h"

#include <stddef.h>
#include <string.h>

static const struct {
  enum habit_place place;
  const char *word;
  const char *advice;
} habits[] = {
#define HABIT(place, word, advice) {HABIT_##place, word, advice},
#include "compiler/diag/habits.def"
#undef HABIT
};

const char *habit_advice(enum habit_place place, const char *word) {
  for (size_t i = 0; i < sizeof habits / sizeof *habits; i++)
    if (habits[i].place == place && strcmp(habits[i].word, word) == 0)
      return habits[i].advice;
  return NULL;
}
