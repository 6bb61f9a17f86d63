/* tests/unit/cm.h - cmocka with the headers it wants before itself. */
#ifndef PLATEN_TESTS_UNIT_CM_H
#define PLATEN_TESTS_UNIT_CM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
