/* net/address.h - an IPv4 or IPv6 address with a port, as a value.
 *
 * Numeric only: nothing here asks a name server, so nothing here waits. IPv4 addresses that arrive
 * mapped into IPv6 (::ffff:10.0.0.1) are turned into plain IPv4. Any thread. */
#ifndef PLATEN_NET_ADDRESS_H
#define PLATEN_NET_ADDRESS_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

typedef enum NetFamily { NET_NONE = 0, NET_IPV4 = 4, NET_IPV6 = 6 } NetFamily;

typedef struct NetAddress {
    NetFamily family;  /* NET_NONE: no address                                      */
    uint8_t bytes[16]; /* network order; IPv4 uses the first four, the rest is zero */
    uint32_t scope;    /* IPv6 link-local: index of the interface; others have 0    */
    uint16_t port;     /* host order                                                */
} NetAddress;

/* "[1111:2222:3333:4444:5555:6666:7777:8888%interface-name]:65535" and a NUL. */
enum { NET_ADDRESS_TEXT_SIZE = 80 };

/* Reads "10.0.0.5", "10.0.0.5:2968", "fe80::1%eth0", "[::1]:2968" or "[::1]". Without a port in the
 * text the address gets default_port; the zone of an address that is not link-local must exist and is dropped. ERR_BAD_INPUT says what was expected. */
bool net_address_parse(const char *text, uint16_t default_port, NetAddress *ret_address, Err *err);

/* "10.0.0.5:2968", "[::1]:2968"; "none" for NET_NONE. */
void net_address_format(const NetAddress *address, char ret_text[NET_ADDRESS_TEXT_SIZE]);

/* The same without port and brackets: "10.0.0.5", "::1". */
void net_address_format_host(const NetAddress *address, char ret_text[NET_ADDRESS_TEXT_SIZE]);

bool net_address_equal(const NetAddress *a, const NetAddress *b);     /* with port    */
bool net_address_same_host(const NetAddress *a, const NetAddress *b); /* without port */
bool net_address_is_loopback(const NetAddress *address);              /* 127/8, ::1   */

/* For limits: the same host of IPv4, the same /64 of IPv6, of which one host has as many addresses as it likes. */
bool net_address_same_source(const NetAddress *a, const NetAddress *b);

/* 0.0.0.0, :: and NET_NONE. */
bool net_address_is_any(const NetAddress *address);

/* The local address from which the kernel would talk to peer, port 0. Sends nothing. ERR_TEMPORARY
 * when there is no route at the moment. */
bool net_address_local_for(const NetAddress *peer, NetAddress *ret_local, Err *err);

/* The same through one interface by name; NULL: whichever the kernel takes. ERR_NOT_FOUND when there is none
 * of this name. */
bool net_address_local_through(const char *interface_name, const NetAddress *peer,
                               NetAddress *ret_local, Err *err);

#endif
