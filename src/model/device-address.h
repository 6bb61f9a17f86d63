/* model/device-address.h - the address of a device as a text that is the same for everybody who writes or hears
 * it. Pure: whether an interface exists is not asked here. */
#ifndef PLATEN_MODEL_DEVICE_ADDRESS_H
#define PLATEN_MODEL_DEVICE_ADDRESS_H

#include "base/bytes.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    ADDRESS_TEXT_SIZE = 64, /* 45 of an IPv6 address, %, a zone, NUL */
    ADDRESS_BYTES = 16,
    ZONE_TEXT_SIZE = 16, /* IFNAMSIZ */
};

typedef struct DeviceAddress {
    bool is_v6;
    uint8_t bytes[ADDRESS_BYTES]; /* network order; IPv4 has the first four, the rest is zero */
    char zone
        [ZONE_TEXT_SIZE]; /* our interface that a link-local address is reached through, else "" */
} DeviceAddress;

/* Reads "10.0.0.7", "fd00::17", "[fd00::17]", "fe80::17%eth0". IPv4 mapped into IPv6 (::ffff:10.0.0.7) is IPv4, and
 * a zone is kept for link-local addresses only, which must have one. ERR_BAD_INPUT with a remedy: no numeric
 * address, none of a single device (multicast, ::), a zone that is missing or no name of an interface. */
bool device_address_parse(Bytes text, DeviceAddress *ret_address, Err *err);

/* The usual form: lower case, the longest row of zeros as "::", the zone behind "%". */
void device_address_format(const DeviceAddress *address, char ret_text[ADDRESS_TEXT_SIZE]);

/* Brings an address into its usual form. ERR_BAD_INPUT as above, field "address". */
bool device_address_normal(char address[ADDRESS_TEXT_SIZE], Err *err);

bool device_address_equal(const DeviceAddress *a, const DeviceAddress *b);
bool device_address_is_loopback(const DeviceAddress *address);   /* 127.0.0.0/8, ::1          */
bool device_address_is_link_local(const DeviceAddress *address); /* 169.254.0.0/16, fe80::/10 */

/* Who is behind an address, for limits: one host of IPv6 has as many addresses of its /64 as it likes
 * ("fd00:0:0:1::/64"); any other text is its own source. */
void device_address_source(const char *address, char ret_source[ADDRESS_TEXT_SIZE]);

#endif
