/* Words that people bring along from other languages and libraries, and what this one says instead. */
#ifndef NN_COMPILER_CHECK_HABITS_H
#define NN_COMPILER_CHECK_HABITS_H

#include "compiler/check/names.h"

/* Advice for a name that means nothing here; NULL when it is nobody's habit. */
const char *habit_of_name(const char *word, enum names_wanted wanted);
/* Advice for a function called on a list, `xs.append(x)`; NULL: none. */
const char *habit_of_list(const char *word);

#endif
