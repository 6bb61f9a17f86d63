/* model/discovery.c - see discovery.h. */
#include "model/discovery.h"

#include "base/bytes.h"
#include "base/text.h"

#include <string.h>

const char *const found_by_words[] = { "enpc", "range", NULL };

const Field discovery_wish_fields[] = {
    BOOLEAN(DiscoveryWish, broadcast, true, "Ask the networks this computer is in by broadcast."),
    TEXT(
        DiscoveryWish, ranges, false,
        "Addresses to try: 192.168.1.7, 192.168.1.10-60 or 192.168.1.0/24, separated by blanks; at "
        "most 1024 in all."),
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
    *ret = (AddressRange){ address & ~host, address | host };
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

static bool range_parse(Bytes word, AddressRange *ret)
{
    uint32_t address;

    if (!take_ipv4(&word, &address))
        return false;
    if (word.n == 0)
        *ret = (AddressRange){ address, address };
    else if (word.p[0] == '/'
                 ? !range_after_slash(bytes_after(word, 1), address, ret)
                 : word.p[0] != '-' || !range_after_dash(bytes_after(word, 1), address, ret))
        return false;
    return ret->first <= ret->last;
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

    while (*(text += strspn(text, " ,\t\r\n"))) {
        Bytes word = { (const uint8_t *)text, strcspn(text, " ,\t\r\n") };
        AddressRange range;

        if (!range_parse(word, &range)) {
            err_set(err, ERR_BAD_INPUT, 0, "\"%.*s\" is no range of IPv4 addresses",
                    (int)(word.n < 60 ? word.n : 60), text);
            err_remedy(err, "Write 192.168.1.7, 192.168.1.10-60 or 192.168.1.0/24.");
            return err_field(err, "ranges");
        }
        if (ranges.count == DISCOVERY_RANGES_MAX ||
            range.last - range.first >= DISCOVERY_ADDRESSES_MAX - ranges.addresses)
            return too_many(err);
        ranges.addresses += range.last - range.first + 1;
        ranges.ranges[ranges.count++] = range;
        text += word.n;
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
    (void)text_printf(ret_text, ADDRESS_TEXT_SIZE, "%u.%u.%u.%u", a >> 24, a >> 16 & 0xff,
                      a >> 8 & 0xff, a & 0xff);
}
