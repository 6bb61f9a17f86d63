/* model/discovery.c - see discovery.h. */
#include "model/discovery.h"

#include "base/bytes.h"
#include "base/text.h"

#include <string.h>

const char *const found_by_words[] = { "enpc", "range", NULL };

const Field discovery_wish_fields[] = {
    BOOLEAN(DiscoveryWish, broadcast, true, "Ask the networks this computer is in by broadcast."),
    TEXT(DiscoveryWish, ranges, false,
         "Addresses to try: 192.168.1.7, 192.168.1.10-60, 192.168.1.0/24, fd00::17 or fd00::/120, "
         "separated by blanks; at most 1024 in all, 256 in a range of IPv6."),
    FIELDS_END,
};

/* "10.0.0.7" at the front of *text; moves behind it. */
static bool take_ipv4(Bytes *text, uint32_t *ret)
{
    uint32_t address = 0;

    for (int part = 0; part < 4; part++) {
        size_t n = 0;
        int64_t value;

        while (n < text->n && n < 3 && text->p[n] >= '0' && text->p[n] <= '9')
            n++;
        if (n == 0 || (n > 1 && text->p[0] == '0') ||
            !bytes_to_int((Bytes){ text->p, n }, 0, 255, &value))
            return false;
        *text = bytes_after(*text, n);
        address = address << 8 | (uint32_t)value;
        if (part == 3)
            break;
        if (text->n == 0 || text->p[0] != '.')
            return false;
        *text = bytes_after(*text, 1);
    }
    *ret = address;
    return true;
}

static bool range_after_slash(Bytes rest, uint32_t address, AddressRange *ret)
{
    enum { SHORTEST = 8, BITS = 32, WITH_NETWORK_ADDRESS = 30 };
    int64_t bits;

    if (!bytes_to_int(rest, SHORTEST, BITS, &bits))
        return false;
    uint32_t host = bits == BITS ? 0 : UINT32_MAX >> bits;
    ret->first = address & ~host;
    ret->last = address | host;
    if (bits <= WITH_NETWORK_ADDRESS) {
        ret->first++;
        ret->last--;
    }
    return true;
}

/* "60" or "192.168.2.9" behind the dash. */
static bool range_after_dash(Bytes rest, uint32_t first, AddressRange *ret)
{
    int64_t last;

    ret->first = first;
    if (bytes_to_int(rest, 0, 255, &last)) {
        ret->last = (first & ~(uint32_t)0xff) | (uint32_t)last;
        return true;
    }
    return take_ipv4(&rest, &ret->last) && rest.n == 0;
}

static bool range4_parse(Bytes word, AddressRange *ret)
{
    uint32_t address;

    *ret = (AddressRange){ 0 };
    if (!take_ipv4(&word, &address))
        return false;
    if (word.n == 0)
        ret->first = ret->last = address;
    else if (word.p[0] == '/'
                 ? !range_after_slash(bytes_after(word, 1), address, ret)
                 : word.p[0] != '-' || !range_after_dash(bytes_after(word, 1), address, ret))
        return false;
    return ret->first <= ret->last;
}

static bool no_range(Bytes word, Err *err)
{
    err_set(err, ERR_BAD_INPUT, 0, "\"%.*s\" is no range of addresses",
            (int)(word.n < 60 ? word.n : 60), (const char *)word.p);
    err_remedy(err, "Write 192.168.1.7, 192.168.1.10-60, 192.168.1.0/24, fd00::17 or fd00::/120.");
    return err_field(err, "ranges");
}

/* --- IPv6 -------------------------------------------------------------------------------------------- */

enum { NUMBER_AT = ADDRESS_BYTES - sizeof(uint32_t) }; /* of an address: its last 32 bits */

static uint32_t number_of(const DeviceAddress *a)
{
    uint32_t number = 0;

    for (size_t i = NUMBER_AT; i < ADDRESS_BYTES; i++)
        number = number << 8 | a->bytes[i];
    return number;
}

static void set_number(DeviceAddress *a, uint32_t number)
{
    for (size_t i = ADDRESS_BYTES; i > NUMBER_AT; i--, number >>= 8)
        a->bytes[i - 1] = (uint8_t)number;
}

static bool same_network(const DeviceAddress *a, const DeviceAddress *b)
{
    return a->is_v6 && b->is_v6 && memcmp(a->bytes, b->bytes, NUMBER_AT) == 0;
}

/* What is behind the address: nothing, "-" and the last one, "/" and the bits of the network. False when it is none of
 * them; *ret_too_long when it is, and stands for too many. */
static bool range6_end(Bytes rest, AddressRange *range, bool *ret_too_long)
{
    enum { SHORTEST = 120, BITS = 128 };
    DeviceAddress last;
    int64_t bits;
    Err err;

    *ret_too_long = false;
    if (rest.n == 0)
        return true;
    if (rest.p[0] == '/') {
        if (!bytes_to_int(bytes_after(rest, 1), 0, BITS, &bits))
            return false;
        *ret_too_long = bits < SHORTEST;
        uint32_t host = *ret_too_long ? 0 : (1U << (BITS - bits)) - 1;
        range->first &= ~host;
        range->last = range->first | host;
        return true;
    }
    /* The zone stands behind the first address only, or behind both. */
    char text[ADDRESS_TEXT_SIZE + ZONE_TEXT_SIZE] = "";
    Bytes end = bytes_after(rest, 1);
    bool own_zone = end.n && memchr(end.p, '%', end.n);

    if (!text_printf(text, sizeof text, "%.*s%s%s", (int)end.n, (const char *)end.p,
                     range->network.zone[0] && !own_zone ? "%" : "",
                     own_zone ? "" : range->network.zone) ||
        !device_address_parse(bytes_of_text(text), &last, &err) ||
        !text_equal(last.zone, range->network.zone))
        return false;
    range->last = number_of(&last);
    *ret_too_long = !same_network(&last, &range->network) ||
                    (range->last >= range->first &&
                     range->last - range->first >= DISCOVERY_RANGE6_MAX);
    return last.is_v6 && (*ret_too_long || range->first <= range->last);
}

/* Bytes of the first address: up to "/", or to the dash before the last address; names of interfaces may have
 * dashes as well. */
static size_t first_length(Bytes word)
{
    bool address_behind = false;

    for (size_t i = word.n; i > 0; i--) {
        if (word.p[i - 1] == '/' || (word.p[i - 1] == '-' && address_behind))
            return i - 1;
        address_behind |= word.p[i - 1] == ':';
    }
    return word.n;
}

static bool range6_parse(Bytes word, AddressRange *ret, Err *err)
{
    static const DeviceAddress unspecified = { .is_v6 = true };
    size_t n = first_length(word);
    bool too_long;

    *ret = (AddressRange){ 0 };
    if (!device_address_parse((Bytes){ word.p, n }, &ret->network, err))
        return err_field(err, "ranges");
    ret->first = ret->last = number_of(&ret->network);
    if (!ret->network.is_v6 || !range6_end(bytes_after(word, n), ret, &too_long))
        return no_range(word, err);
    if (!too_long) {
        ret->first += ret->first == 0 && same_network(&ret->network, &unspecified);
        return true;
    }
    err_set(err, ERR_BAD_INPUT, 0, "\"%.*s\" has more than %d addresses",
            (int)(word.n < 60 ? word.n : 60), (const char *)word.p, DISCOVERY_RANGE6_MAX);
    err_remedy(err,
               "Networks of IPv6 are too large to be searched: name the addresses, or at most a "
               "/120.");
    return err_field(err, "ranges");
}

/* --- the list ---------------------------------------------------------------------------------------- */

static bool range_parse(Bytes word, AddressRange *ret, Err *err)
{
    if (memchr(word.p, ':', word.n))
        return range6_parse(word, ret, err);
    return range4_parse(word, ret) || no_range(word, err);
}

static bool too_many(Err *err)
{
    err_set(err, ERR_BAD_INPUT, 0, "these are more than %d addresses or %d ranges",
            DISCOVERY_ADDRESSES_MAX, DISCOVERY_RANGES_MAX);
    err_remedy(err, "Search a part of them at a time.");
    return err_field(err, "ranges");
}

bool address_ranges_parse(const char *text, AddressRanges *ret, Err *err)
{
    AddressRanges ranges = { .count = 0 };
    Bytes word;

    while (text_next_word(&text, " ,\t\r\n", &word)) {
        AddressRange range;

        if (!range_parse(word, &range, err))
            return false;
        if (ranges.count == DISCOVERY_RANGES_MAX ||
            range.last - range.first >= DISCOVERY_ADDRESSES_MAX - ranges.addresses)
            return too_many(err);
        ranges.addresses += range.last - range.first + 1;
        ranges.ranges[ranges.count++] = range;
    }
    *ret = ranges;
    return true;
}

void address_ranges_at(const AddressRanges *ranges, uint32_t index,
                       char ret_text[ADDRESS_TEXT_SIZE])
{
    size_t i = 0;

    while (i + 1 < ranges->count && index > ranges->ranges[i].last - ranges->ranges[i].first) {
        index -= ranges->ranges[i].last - ranges->ranges[i].first + 1;
        i++;
    }
    uint32_t a = ranges->ranges[i].first + index;
    DeviceAddress v6 = ranges->ranges[i].network;
    if (v6.is_v6) {
        set_number(&v6, a);
        device_address_format(&v6, ret_text);
        return;
    }
    (void)text_printf(ret_text, ADDRESS_TEXT_SIZE, "%u.%u.%u.%u", a >> 24, a >> 16 & 0xff,
                      a >> 8 & 0xff, a & 0xff);
}
