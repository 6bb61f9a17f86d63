/* model/discovery.h - looking for devices: where is looked, and what was found. Pure. */
#ifndef PLATEN_MODEL_DISCOVERY_H
#define PLATEN_MODEL_DISCOVERY_H

#include "base/field.h"
#include "model/device.h"

enum {
    DISCOVERY_RANGES_MAX = 16,
    DISCOVERY_ADDRESSES_MAX = 1024, /* of all ranges together: a /22              */
    DISCOVERY_RANGE6_MAX = 256,     /* of one range of IPv6: a /120; a /64 would take for ever */
    DISCOVERY_FOUND_MAX = 1024,
};

/* What a person wants. */
typedef struct DiscoveryWish {
    bool broadcast;    /* ask the networks of this computer by ENPC      */
    char ranges[1024]; /* "192.168.1.10-60 fd00::/120", separated by blanks or commas */
} DiscoveryWish;

extern const Field discovery_wish_fields[];

/* Addresses from first to last: the whole of IPv4, the last 32 bits of IPv6. */
typedef struct AddressRange {
    uint32_t first, last;
    DeviceAddress network; /* IPv6: what is before them; else not is_v6 */
} AddressRange;

typedef struct AddressRanges {
    size_t count;
    uint32_t addresses; /* in all */
    AddressRange ranges[DISCOVERY_RANGES_MAX];
} AddressRanges;

/* Reads "192.168.1.7", "192.168.1.10-60", "192.168.1.10-192.168.2.9", "192.168.1.0/24" (without the address
 * of the network and of its broadcast up to /30); "fd00::17", "fd00::10-fd00::2f", "fd00::/120",
 * "fe80::%eth0/120". ERR_BAD_INPUT (field "ranges") says what is wrong, or that they are more than
 * DISCOVERY_ADDRESSES_MAX; one of IPv6 more than DISCOVERY_RANGE6_MAX. */
bool address_ranges_parse(const char *text, AddressRanges *ret, Err *err);

/* Address number index of all, as text. */
void address_ranges_at(const AddressRanges *ranges, uint32_t index,
                       char ret_text[ADDRESS_TEXT_SIZE]);

/* How it was found. */
typedef enum FoundBy { FOUND_BY_ENPC, FOUND_BY_RANGE, FOUND_BY_MAX_ } FoundBy;

extern const char *const found_by_words[]; /* ends with NULL */

typedef struct FoundDevice {
    char address[ADDRESS_TEXT_SIZE];
    char product[PRODUCT_TEXT_SIZE], serial[64], firmware[64]; /* "" = not told */
    FoundBy by;
    char problem[32]; /* why it did not say who it is: a code of device/scan-order.h; "" = it did */
} FoundDevice;

/* One search as it stands. */
typedef struct Discovery {
    uint32_t number; /* of searches since the start, 0 = none yet */
    bool running;
    uint32_t to_ask, asked; /* addresses */
    size_t count;
    FoundDevice *found; /* in the order of answers */
    uint32_t
        added_left; /* devices that people have added and that are still to be asked who they are */
} Discovery;

#endif
