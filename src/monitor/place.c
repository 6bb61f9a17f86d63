/* monitor/place.c - see place.h. */
#include "monitor/place.h"

#include <arpa/inet.h>

bool place_of(const char *address, uint16_t port, Place *ret)
{
    Place six = { .at.six = { .sin6_family = AF_INET6, .sin6_port = htons(port) },
                  .size = sizeof six.at.six };
    Place four = { .at.four = { .sin_family = AF_INET, .sin_port = htons(port) },
                   .size = sizeof four.at.four };

    if (inet_pton(AF_INET, address, &four.at.four.sin_addr) == 1)
        *ret = four;
    else if (inet_pton(AF_INET6, address, &six.at.six.sin6_addr) == 1)
        *ret = six;
    else
        return false;
    return true;
}
