/* model/noun.h - what all nouns with a name share. */
#ifndef PLATEN_MODEL_NOUN_H
#define PLATEN_MODEL_NOUN_H

#include "base/err.h"

#include <stdbool.h>

/* A name people see: not empty, UTF-8, no control characters, no blank at either end.
 * ERR_BAD_INPUT with field "name". */
bool noun_name_check(const char *name, Err *err);

#endif
