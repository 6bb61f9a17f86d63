/* base/interface.h - the network interfaces of this computer and their addresses, as they are now. Any thread. */
#ifndef PLATEN_BASE_INTERFACE_H
#define PLATEN_BASE_INTERFACE_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

enum { INTERFACE_NAME_SIZE = 16 /* IFNAMSIZ */ };

typedef struct Interface {
    char name[INTERFACE_NAME_SIZE];
    bool is_up, is_loopback;
    bool has_multicast, has_broadcast; /* the kernel's flags: lo has neither */
    bool has_ipv4;                     /* an address                         */
} Interface;

typedef struct InterfaceAddress {
    char interface[INTERFACE_NAME_SIZE];
    bool is_v6;
    uint8_t bytes[16]; /* network order; IPv4 has the first four, the rest is zero */
    uint32_t mask;     /* of IPv4, host order; else 0 */
} InterfaceAddress;

/* Either may be NULL. */
typedef struct InterfaceVisit {
    void (*interface)(void *arg,
                      const Interface *interface); /* each once, also those that are down */
    void (*address)(void *arg,
                    const InterfaceAddress *address); /* of interfaces that are up           */
} InterfaceVisit;

/* Interfaces first, then addresses, in the order of the kernel. Errors of err_errno when they cannot be listed. */
bool interface_list(const InterfaceVisit *visit, void *arg, Err *err);

/* The number of an interface. ERR_NOT_FOUND with a remedy when there is none of this name. */
bool interface_index(const char *name, uint32_t *ret_index, Err *err);

/* "" is fine: no interface is meant. ERR_BAD_INPUT with a remedy when there is none of this name. */
bool interface_check(const char *name, Err *err);

/* Says of a name that there is no such interface; false. */
bool interface_missing(const char *name, ErrKind kind, Err *err);

#endif
