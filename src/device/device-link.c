/* device/device-link.c - opening and closing the link. Its doors with the registration service are in
 * link-door.c, presses in link-press.c, scans in link-scan.c. */
#include "device/device-link.h"

#include "base/text.h"
#include "device/link-inside.h"

#include <errno.h>

enum { INTERFACES_CHECK_S = 30, SECOND_MS = 1000 };

const NetAddress *link_local_address(const DeviceLink *link, const NetAddress *device,
                                     const NetAddress *from)
{
    const NetAddress *own = device->family == NET_IPV6 ? &link->bind6 : &link->bind;

    return net_address_is_any(own) ? from : own;
}

/* "10.0.0.5", "0.0.0.0, ::": one address of each family at most. */
static bool read_addresses(DeviceLink *link, const char *list, Err *err)
{
    char word[NET_ADDRESS_TEXT_SIZE];

    while (*(list += strspn(list, " ,"))) {
        Bytes from = { (const uint8_t *)list, strcspn(list, " ,") };
        NetAddress address;

        (void)text_copy_bytes(word, sizeof word, from);
        if (!net_address_parse(word, 0, &address, err))
            return false;
        NetAddress *own = address.family == NET_IPV6 ? &link->bind6 : &link->bind;
        if (own->family != NET_NONE) {
            err_set(err, ERR_BAD_INPUT, 0, "%s is the second address of its family", word);
            return err_remedy(err, "Give one address of IPv4 and one of IPv6 in device_address.");
        }
        *own = address;
        own->port = 0;
        list += from.n;
    }
    return link->bind.family != NET_NONE || link->bind6.family != NET_NONE ||
           err_set(err, ERR_BAD_INPUT, 0, "there is no address to listen on");
}

/* --- opening and closing ------------------------------------------------------------------------ */

/* Interfaces come and go: this is repeated for as long as the link lives. */
static void refresh(void *arg)
{
    DeviceLink *link = arg;

    for (unsigned i = 0; i < link->door_count; i++)
        link_door_refresh(&link->doors[i]);
    loop_timer_start(link->join_timer, mono_after(mono_now(), link->interfaces_check_ms));
}

/* One door for each name of the list, or one for all interfaces. */
static bool make_doors(DeviceLink *link, const char *interfaces, Err *err)
{
    Bytes left = bytes_of_text(interfaces ? interfaces : "");

    link->doors = calloc(DEVICE_DOORS_MAX, sizeof *link->doors);
    if (!link->doors)
        return err_set(err, ERR_TEMPORARY, 0, "no memory for the device link");
    do {
        LinkDoor *door = &link->doors[link->door_count];
        bool is_listed = left.n > 0;
        Bytes name = bytes_trimmed(bytes_take_until(&left, ','), " ");

        if (link->door_count == DEVICE_DOORS_MAX)
            return err_set(err, ERR_BAD_INPUT, 0, "more than %d interfaces", DEVICE_DOORS_MAX);
        if (!text_copy_bytes(door->interface, sizeof door->interface, name) ||
            (name.n == 0 && is_listed))
            return err_set(err, ERR_BAD_INPUT, 0, "\"%s\" is no list of interfaces", interfaces);
        door->link = link;
        door->number = link->door_count++;
    } while (left.n > 0);
    if (link->doors[0].interface[0] &&
        !(net_address_is_any(&link->bind) && net_address_is_any(&link->bind6)))
        return err_set(err, ERR_BAD_INPUT, 0,
                       "with interfaces of its own the server cannot have one address");
    return true;
}

static bool open_services(DeviceLink *link, const DeviceLinkConfig *config, Err *err)
{
    (void)text_copy(link->name, sizeof link->name, config->name);
    link->udp_port = config->udp_port;
    link->tcp_port = config->tcp_port;
    link->multicast = config->multicast;
    link->interfaces_check_ms = (config->interfaces_check_s ? config->interfaces_check_s
                                                            : INTERFACES_CHECK_S) *
                                SECOND_MS;
    link->join_timer = loop_timer_new(link->loop, refresh, link, err);
    if (!link->join_timer || !make_doors(link, config->interfaces, err))
        return false;
    for (unsigned i = 0; i < link->door_count; i++)
        if (!link_door_open(&link->doors[i], err))
            return false;
    loop_timer_start(link->join_timer, mono_after(mono_now(), link->interfaces_check_ms));
    return true;
}

TcpStream *link_connect(DeviceLink *link, const LinkReach *how, const TcpEvents *events, void *arg,
                        Err *err)
{
    /* A device that was once reached over TLS is never spoken to plainly again by itself. */
    static const TcpTransport transports[DEVICE_TRANSPORT_MAX_][2] = {
        [DEVICE_TRANSPORT_AUTO] = { TCP_TLS_ELSE_PLAIN, TCP_TLS },
        [DEVICE_TRANSPORT_TLS] = { TCP_TLS, TCP_TLS },
        [DEVICE_TRANSPORT_PLAIN] = { TCP_PLAIN, TCP_PLAIN },
    };
    const DeviceReach *reach = how->reach;
    bool known = reach->certificate[0] != '\0';
    TcpSecurity security = { .context = link->tls,
                             .old_context = link->old_tls,
                             .was_modern = reach->was_modern,
                             .transport = transports[reach->transport][known] };

    if (!text_equal(reach->certificate, CERTIFICATE_NEXT))
        (void)text_copy(security.pin, sizeof security.pin, reach->certificate);
    TcpStream *stream = tcp_connect_secure(link->loop, how->device, how->local, how->deadline,
                                           how->queue_bytes, &security, events, arg, err);
    if (stream)
        link_tap(link, how->channel, stream, false);
    else
        link_tell_failed(link, how, err);
    return stream;
}

static bool spoke_tls(const DeviceReach *reach)
{
    return reach->transport != DEVICE_TRANSPORT_PLAIN &&
           (reach->certificate[0] != '\0' || reach->was_modern);
}

bool link_tls_cut(TcpEnd end, const Err *err, const DeviceReach *reach)
{
    return end == TCP_END_NO_TLS && err->code != ETIMEDOUT && spoke_tls(reach);
}

const char *link_end_code(TcpEnd end, const DeviceReach *reach)
{
    static const char *const codes[TCP_END_MAX_] = {
        [TCP_END_CONNECT_FAILED] = "connect-failed",
        [TCP_END_NO_TLS] = "no-tls",
        [TCP_END_DOWNGRADED] = "tls-downgraded",
        [TCP_END_UNTRUSTED] = "certificate-changed",
    };

    if (end == TCP_END_NO_TLS && spoke_tls(reach))
        return "tls-lost";
    return codes[end] ? codes[end] : "connection-lost";
}

DeviceLink *device_link_open(Loop *loop, const DeviceLinkConfig *config, Err *err)
{
    if (!slp_name_is_plain(config->name)) {
        err_set(err, ERR_BAD_INPUT, 0, "panels cannot show the name '%s'", config->name);
        err_remedy(err, "Use 1 to 63 bytes without ( ) , \\ ! < = > ~.");
        return NULL;
    }
    AUTO(DeviceLink) link = calloc(1, sizeof *link);
    if (!link) {
        err_set(err, ERR_TEMPORARY, 0, "no memory for the device link");
        return NULL;
    }
    link->loop = loop;
    link->host = *config->host;
    link->arg = config->arg;
    link->scan_port = config->scan_port;
    link->quirks = config->quirks;
    if (!read_addresses(link, config->address, err))
        return NULL;
    link->tls = tls_device_context_new(TLS_MODERN, err);
    link->old_tls = link->tls ? tls_device_context_new(TLS_OLD, err) : NULL;
    return link->old_tls && open_services(link, config, err) ? STEAL(link) : NULL;
}

void device_link_close(DeviceLink *link)
{
    if (!link)
        return;
    for (unsigned i = 0; i < link->door_count; i++)
        link_door_close(&link->doors[i]);
    loop_timer_free(link->join_timer);
    while (link->presses)
        link_press_free(link->presses);
    while (link->scans)
        link_scan_cut(link->scans);
    free(link->doors);
    tls_context_free(link->tls);
    tls_context_free(link->old_tls);
    free(link);
}

uint16_t device_link_udp_port(const DeviceLink *link)
{
    return link->doors[0].udp ? udp_local_address(link->doors[0].udp).port : 0;
}

uint16_t device_link_tcp_port(const DeviceLink *link)
{
    return link_door_port(&link->doors[0]);
}

NetAddress device_link_ipv4(const DeviceLink *link)
{
    return link->bind;
}

bool device_link_hears(const DeviceLink *link, NetFamily family)
{
    const LinkDoor *door = &link->doors[0];

    return (family == NET_IPV6 ? door->listener6 : door->listener) != NULL;
}

unsigned device_link_scans(const DeviceLink *link)
{
    return link->scan_count;
}

unsigned device_link_doors(const DeviceLink *link)
{
    return link->door_count;
}
