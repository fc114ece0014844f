// Words that people bring along from other languages and libraries, and what this one says instead.
#ifndef NN_COMPILER_DIAG_HABITS_H
#define NN_COMPILER_DIAG_HABITS_H

// Where such a word is met; see habits.def, which has the rows.
enum habit_place {
  HABIT_VALUES,
  HABIT_TYPES,
  HABIT_LIBRARIES,
  HABIT_LISTS,
  HABIT_TENSORS,
  HABIT_OTHERS,
  HABIT_DECLARATIONS,
  HABIT_STATEMENTS,
  HABIT_TYPED,
  HABIT_BINDINGS,
};

// Advice for a word that means nothing where it stands; NULL when it is nobody's habit.
const char *habit_advice(enum habit_place place, const char *word);

#endif
