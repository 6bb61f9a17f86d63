/* base/interface.h - whether this computer has a network interface of a name. */
#ifndef PLATEN_BASE_INTERFACE_H
#define PLATEN_BASE_INTERFACE_H

#include "base/err.h"

/* "" is fine: no interface is meant. ERR_BAD_INPUT when there is none of this name now. Any thread. */
bool interface_check(const char *name, Err *err);

#endif
