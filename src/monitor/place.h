/* monitor/place.h - inside of monitor: a numeric address and a port as the kernel wants them. */
#ifndef PLATEN_MONITOR_PLACE_H
#define PLATEN_MONITOR_PLACE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

typedef struct Place {
    union {
        struct sockaddr any;
        struct sockaddr_in four;
        struct sockaddr_in6 six;
    } at;
    socklen_t size;
} Place;

/* address: of IPv4 or IPv6, perhaps with its zone ("fe80::1%eth0"). False when it is not numeric, or there is no such
 * zone. */
bool place_of(const char *address, uint16_t port, Place *ret);

#endif
