/* monitor/place.c - see place.h. */
#include "monitor/place.h"

#include "base/text.h"

#include <netdb.h>
#include <string.h>

bool place_of(const char *address, uint16_t port, Place *ret)
{
    const struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
                                    .ai_socktype = SOCK_DGRAM };
    struct addrinfo *found = NULL;
    char service[8];

    (void)text_printf(service, sizeof service, "%u", (unsigned)port);
    if (getaddrinfo(address, service, &hints, &found) != 0) /* numeric: nobody is asked */
        return false;
    bool fits = found->ai_addrlen <= sizeof ret->at;
    if (fits) {
        *ret = (Place){ .size = found->ai_addrlen };
        memcpy(&ret->at, found->ai_addr, found->ai_addrlen);
    }
    freeaddrinfo(found);
    return fits;
}
