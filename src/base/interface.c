/* base/interface.c - see interface.h. */
#include "base/interface.h"

#include <net/if.h>

bool interface_check(const char *name, Err *err)
{
    if (name[0] == '\0' || if_nametoindex(name) != 0)
        return true;
    err_set(err, ERR_BAD_INPUT, 0, "there is no network interface \"%s\"", name);
    return err_remedy(err, "\"ip link\" shows those there are.");
}
