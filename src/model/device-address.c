/* model/device-address.c - see device-address.h. */
#include "model/device-address.h"

#include "base/text.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

enum { IPV4_BYTES = 4, MAPPED_PREFIX_BYTES = 12, SOURCE_BYTES = 8 /* a /64 */ };

static bool no_address(Bytes text, Err *err)
{
    err_set(err, ERR_BAD_INPUT, 0, "\"%.*s\" is no numeric address",
            (int)(text.n < 60 ? text.n : 60), (const char *)text.p);
    return err_remedy(err, "Write it as 192.168.1.7 or fd00::17; a name is not looked up.");
}

static bool needs_zone(const DeviceAddress *a)
{
    return a->is_v6 && device_address_is_link_local(a);
}

/* Numbers of interfaces change from start to start of a computer, so a zone is a name. */
static bool zone_is_name(const char *zone)
{
    static const char digits[] = "0123456789";

    return zone[0] && zone[strspn(zone, digits)] && !strpbrk(zone, "/:%[] ,\t") &&
           !text_has_control(zone);
}

/* :: and 0.0.0.0/8 stand for nobody, multicast and broadcast for many. */
static bool is_one_host(const DeviceAddress *a)
{
    enum { MULTICAST = 0xff, MULTICAST4 = 224 };
    static const uint8_t nobody[ADDRESS_BYTES];

    if (!a->is_v6)
        return a->bytes[0] != 0 && a->bytes[0] < MULTICAST4;
    return a->bytes[0] != MULTICAST && memcmp(a->bytes, nobody, sizeof nobody) != 0;
}

static bool check(const DeviceAddress *a, Bytes text, Err *err)
{
    int n = (int)text.n;
    const char *t = (const char *)text.p;

    if (!is_one_host(a)) {
        err_set(err, ERR_BAD_INPUT, 0, "\"%.*s\" is not the address of one device", n, t);
        return err_remedy(err, "Write one like 192.168.1.7 or fd00::17.");
    }
    if (!needs_zone(a) || zone_is_name(a->zone))
        return true;
    if (a->zone[0])
        err_set(err, ERR_BAD_INPUT, 0, "\"%.*s\" names no network interface behind %%", n, t);
    else
        err_set(err, ERR_BAD_INPUT, 0, "\"%.*s\" can be in any network this computer is in", n, t);
    return err_remedy(err, "Add the interface it is reached through, as in fe80::17%%eth0; \"ip "
                           "link\" shows them.");
}

/* ::ffff:10.0.0.7 is 10.0.0.7. */
static void unmap(DeviceAddress *a)
{
    static const uint8_t mapped[MAPPED_PREFIX_BYTES] = { [10] = 0xff, [11] = 0xff };

    if (memcmp(a->bytes, mapped, sizeof mapped) != 0)
        return;
    a->is_v6 = false;
    for (size_t i = 0; i < ADDRESS_BYTES; i++)
        a->bytes[i] = i < IPV4_BYTES ? a->bytes[MAPPED_PREFIX_BYTES + i] : 0;
}

bool device_address_parse(Bytes text, DeviceAddress *ret_address, Err *err)
{
    bool brackets = text.n > 2 && text.p[0] == '[' && text.p[text.n - 1] == ']';
    Bytes bare = brackets ? (Bytes){ text.p + 1, text.n - 2 } : text;
    DeviceAddress a = { .is_v6 = false };
    char digits[ADDRESS_TEXT_SIZE];

    if (!text_copy_bytes(digits, sizeof digits, bare))
        return no_address(text, err);
    a.is_v6 = strchr(digits, ':') != NULL;
    char *zone = a.is_v6 ? strchr(digits, '%') : NULL;
    if (zone)
        *zone++ = '\0';
    if ((zone && !text_copy(a.zone, sizeof a.zone, zone)) || (brackets && !a.is_v6) ||
        inet_pton(a.is_v6 ? AF_INET6 : AF_INET, digits, a.bytes) != 1)
        return no_address(text, err);
    if (a.is_v6)
        unmap(&a);
    if (!check(&a, text, err))
        return false;
    if (!needs_zone(&a))
        a.zone[0] = '\0';
    *ret_address = a;
    return true;
}

void device_address_format(const DeviceAddress *address, char ret_text[ADDRESS_TEXT_SIZE])
{
    char digits[INET6_ADDRSTRLEN];

    (void)inet_ntop(address->is_v6 ? AF_INET6 : AF_INET, address->bytes, digits, sizeof digits);
    (void)text_printf(ret_text, ADDRESS_TEXT_SIZE, "%s%s%s", digits, address->zone[0] ? "%" : "",
                      address->zone);
}

bool device_address_normal(char address[ADDRESS_TEXT_SIZE], Err *err)
{
    DeviceAddress a;

    if (!device_address_parse(bytes_of_text(address), &a, err))
        return err_field(err, "address");
    device_address_format(&a, address);
    return true;
}

bool device_address_equal(const DeviceAddress *a, const DeviceAddress *b)
{
    return a->is_v6 == b->is_v6 && memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0 &&
           text_equal(a->zone, b->zone);
}

bool device_address_is_loopback(const DeviceAddress *address)
{
    static const uint8_t one[ADDRESS_BYTES] = { [ADDRESS_BYTES - 1] = 1 };
    enum { LOOPBACK4 = 127 };

    return address->is_v6 ? memcmp(address->bytes, one, sizeof one) == 0
                          : address->bytes[0] == LOOPBACK4;
}

bool device_address_is_link_local(const DeviceAddress *address)
{
    const uint8_t *b = address->bytes;

    return address->is_v6 ? b[0] == 0xfe && (b[1] & 0xc0) == 0x80 : b[0] == 169 && b[1] == 254;
}

void device_address_source(const char *address, char ret_source[ADDRESS_TEXT_SIZE])
{
    DeviceAddress a;
    char network[ADDRESS_TEXT_SIZE];
    Err err;

    if (!device_address_parse(bytes_of_text(address), &a, &err) || !a.is_v6) {
        (void)text_copy(ret_source, ADDRESS_TEXT_SIZE, address);
        return;
    }
    for (size_t i = SOURCE_BYTES; i < ADDRESS_BYTES; i++)
        a.bytes[i] = 0;
    device_address_format(&a, network);
    (void)text_printf(ret_source, ADDRESS_TEXT_SIZE, "%s/64", network);
}
