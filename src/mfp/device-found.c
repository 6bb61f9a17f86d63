/* mfp/device-found.c - how the virtual device finds servers (SLP) and is found itself (ENPC). */
#include "mfp/device-inside.h"

#include "base/log.h"
#include "base/text.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/random.h>

enum { MULTICAST_TTL = 255 /* RFC 2608, section 6.1 */ };

/* ---- announcing ---- */

static void say_destination(const Device *device, const FinderEntry *entry)
{
    char name[DEVICE_QUOTED_SIZE], host[NET_ADDRESS_TEXT_SIZE];

    finder_host(entry, host);
    device_say(device, "destination name=%s address=%s port=%u%s",
               log_quote(name, sizeof name, entry->server.name), host, entry->server.event_port,
               entry->server.is_v3 ? " version=3" : "");
}

static void press_when_there(Device *device)
{
    if (device->options->press_name[0] && finder_find(&device->finder, device->options->press_name))
        device_press_by_itself(device, device->options->press_name);
}

static void on_datagram(void *arg, const UdpDatagram *datagram)
{
    Device *device = arg;
    const FinderEntry *entry;

    if (finder_receive(&device->finder, datagram->bytes, &datagram->from, &entry) ==
        FINDER_APPEARED)
        say_destination(device, entry);
    press_when_there(device);
}

/* What is on the panel from the beginning. */
static void begin_finding(Device *device)
{
    device->finding = true;
    for (size_t i = 0; i < device->finder.count; i++)
        say_destination(device, &device->finder.entries[i]);
    press_when_there(device);
}

/* Says which names of the former list are not in the new one. */
static void print_gone(const Device *device, const Finder *before, const Finder *after)
{
    char name[DEVICE_QUOTED_SIZE];

    for (size_t i = 0; i < before->count; i++)
        if (!finder_find(after, before->entries[i].server.name))
            device_say(device, "destination-gone name=%s",
                       log_quote(name, sizeof name, before->entries[i].server.name));
}

void device_on_announce(void *arg)
{
    Device *device = arg;
    Finder before = device->finder;
    AUTO_BUF request = buf_with_max(SLP_DATAGRAM_MAX);
    Err err;

    if (!device->finding)
        begin_finding(device);
    if (finder_tick(&device->finder, mono_now(), &request) && device->udp)
        (void)udp_send(device->udp, &device->announce_to, 0, buf_bytes(&request), &err);
    if (!device->udp) /* no answers make it look whether it may press now */
        press_when_there(device);
    print_gone(device, &before, &device->finder);
    loop_timer_start(device->announce_timer, finder_deadline(&device->finder));
}

/* The interface that carries the device's address; loopback has all of 127/8. */
static bool interface_of(const NetAddress *address, char ret_name[IF_NAMESIZE])
{
    struct ifaddrs *all = NULL;
    bool found = false;

    if (getifaddrs(&all) != 0)
        return false;
    for (struct ifaddrs *i = all; i && !found; i = i->ifa_next) {
        const struct sockaddr_in *in = (const void *)i->ifa_addr;
        if (!in || in->sin_family != AF_INET)
            continue;
        found = memcmp(&in->sin_addr, address->bytes, sizeof in->sin_addr) == 0 ||
                (net_address_is_loopback(address) && (i->ifa_flags & IFF_LOOPBACK));
        if (found)
            (void)text_copy(ret_name, IF_NAMESIZE, i->ifa_name);
    }
    freeifaddrs(all);
    return found;
}

static bool look_up(const char *host, uint16_t port, NetAddress *ret_address, Err *err)
{
    struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_DGRAM };
    struct addrinfo *found = NULL;
    int code = getaddrinfo(host, NULL, &hints, &found);

    if (code != 0) {
        err_set(err, ERR_NOT_FOUND, code, "--server %s: %s", host, gai_strerror(code));
        return err_remedy(err, "Name a host with an IPv4 address.");
    }
    const struct sockaddr_in *in = (const void *)found->ai_addr;
    uint32_t bits = ntohl(in->sin_addr.s_addr);
    *ret_address = (NetAddress){ .family = NET_IPV4, .port = port };
    for (int i = 0; i < 4; i++)
        ret_address->bytes[i] = (uint8_t)(bits >> (24 - 8 * i));
    freeaddrinfo(found);
    return true;
}

/* What announcements name it: sheet-fed models announce another text than their #PRD. */
static const char *scope_of(const Options *options)
{
    const MfpModel *model = options->kind.model;

    return model && model->scope && text_equal(options->product, model->product) ? model->scope
                                                                                 : options->product;
}

/* Not at the address we ask: what we send would come to ourselves. */
static void open_replies(Device *device)
{
    NetAddress own = device->options->address;
    Err err;

    own.port = SLP_PORT;
    if (!net_address_same_host(&own, &device->announce_to))
        device->replies = udp_open(device->loop, &own, on_datagram, device, &err);
}

bool device_open_announcer(Device *device, Err *err)
{
    const Options *options = device->options;
    bool multicast = options->server_host[0] == '\0';
    char interface[IF_NAMESIZE] = "";
    uint16_t xid = 0;

    if (getrandom(&xid, sizeof xid, 0) != sizeof xid)
        return err_errno(err, errno, "getrandom");
    finder_init(&device->finder, scope_of(options), multicast, options->announce_ms, xid);
    device->finder.is_v3 = options->registration == 3;
    if (options->destination_name[0])
        finder_put(&device->finder, options->destination_name, &options->destination);
    if (options->address.family == NET_IPV6)
        return true; /* the group and the answers know IPv4 only */
    device->udp = udp_open(device->loop, &options->address, on_datagram, device, err);
    if (!device->udp)
        return false;
    if (!multicast &&
        !look_up(options->server_host, options->server_port, &device->announce_to, err))
        return false;
    open_replies(device);
    if (!multicast)
        return true;
    if (!interface_of(&options->address, interface))
        return err_set(err, ERR_PERMANENT, 0, "no interface carries the device's address");
    return net_address_parse(SLP_GROUP, SLP_PORT, &device->announce_to, err) &&
           udp_set_multicast(device->udp, interface, MULTICAST_TTL, err);
}

/* ---- being found ---- */

static void on_query(void *arg, const UdpDatagram *datagram)
{
    Device *device = arg;
    AUTO_BUF answer = buf_with_max(ENPC_DATAGRAM_MAX);
    Err err;

    if (enpc_answerer_feed(&device->answerer, datagram->bytes, &datagram->from, mono_now(),
                           &answer))
        (void)udp_send(device->enpc, &datagram->from, 0, buf_bytes(&answer), &err);
}

/* To everybody (255.255.255.255) or to everybody of a network, whose last byte is 255 in all networks that
 * matter here; what is sent to one address is heard by the socket of that address. */
static void on_broadcast_query(void *arg, const UdpDatagram *datagram)
{
    enum { LAST = 3, ALL = 0xff };

    if (datagram->to.family == NET_IPV4 && datagram->to.bytes[LAST] == ALL)
        on_query(arg, datagram);
}

bool device_open_enpc(Device *device, Err *err)
{
    NetAddress own = device->options->address, any = { .family = NET_IPV4 };

    if (device->options->enpc_port == 0 || own.family != NET_IPV4)
        return true; /* who looks for devices does so by broadcast */
    own.port = any.port = device->options->enpc_port;
    device->answerer.address = &device->options->address;
    device->answerer.name = device->unit.product;
    device->enpc = udp_open(device->loop, &own, on_query, device, err);
    device->enpc_broadcast = device->enpc
                                 ? udp_open(device->loop, &any, on_broadcast_query, device, err)
                                 : NULL;
    if (device->enpc_broadcast)
        return true;
    err_prefix(err, "UDP port %u, on which devices are found", own.port);
    return err_remedy(err, "Choose another --enpc-port, or 0.");
}
