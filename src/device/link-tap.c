/* device/link-tap.c - what goes over the wire, told to the host for its traces. The one place where that is done: every
 * connection of the link has a tap, datagrams are told by the doors. */
#include "base/text.h"
#include "device/link-inside.h"

#include <stdlib.h>

typedef struct LinkTap {
    DeviceLink *link;
    DeviceChannel channel;
    uint32_t connection;
    char address[NET_ADDRESS_TEXT_SIZE];
} LinkTap;

static bool tell(const LinkTap *tap, DeviceTrafficKind kind, Bytes bytes, const char *text)
{
    DeviceTraffic traffic = { .kind = kind,
                              .channel = tap->channel,
                              .connection = tap->connection,
                              .address = tap->address,
                              .bytes = bytes,
                              .text = text };

    return tap->link->host.traffic(tap->link->arg, &traffic);
}

static void on_tap(void *arg, TcpTapKind kind, Bytes bytes, const char *text)
{
    static const DeviceTrafficKind kinds[] = {
        [TCP_TAP_CONNECTED] = DEVICE_TRAFFIC_CONNECTED, [TCP_TAP_READ] = DEVICE_TRAFFIC_FROM_DEVICE,
        [TCP_TAP_WRITTEN] = DEVICE_TRAFFIC_TO_DEVICE,   [TCP_TAP_ENDED] = DEVICE_TRAFFIC_ENDED,
        [TCP_TAP_CLOSED] = DEVICE_TRAFFIC_CLOSED,
    };

    (void)tell(arg, kinds[kind], bytes, text);
    if (kind == TCP_TAP_CLOSED)
        free(arg);
}

void link_tap(DeviceLink *link, DeviceChannel channel, TcpStream *stream, bool is_up)
{
    LinkTap *tap = calloc(1, sizeof *tap);
    NetAddress peer = tcp_peer_address(stream);

    if (!tap)
        return;
    tap->link = link;
    tap->channel = channel;
    tap->connection = ++link->connections;
    net_address_format_host(&peer, tap->address);
    if (!tell(tap, DEVICE_TRAFFIC_OPENED, (Bytes){ 0 }, "")) {
        free(tap);
        return;
    }
    tcp_tap(stream, on_tap, tap);
    if (is_up)
        (void)tell(tap, DEVICE_TRAFFIC_CONNECTED, (Bytes){ 0 }, "");
}

void link_tell_failed(DeviceLink *link, const LinkReach *how, const Err *err)
{
    LinkTap tap = { .link = link, .channel = how->channel, .connection = ++link->connections };

    net_address_format_host(how->device, tap.address);
    if (!tell(&tap, DEVICE_TRAFFIC_OPENED, (Bytes){ 0 }, ""))
        return;
    (void)tell(&tap, DEVICE_TRAFFIC_ENDED, (Bytes){ 0 }, err->text);
    (void)tell(&tap, DEVICE_TRAFFIC_CLOSED, (Bytes){ 0 }, "");
}

void link_tell_datagram(DeviceLink *link, const NetAddress *device, bool from_device, Bytes bytes)
{
    LinkTap tap = { .link = link, .channel = DEVICE_CHANNEL_REGISTER };

    net_address_format_host(device, tap.address);
    (void)tell(&tap, from_device ? DEVICE_TRAFFIC_FROM_DEVICE : DEVICE_TRAFFIC_TO_DEVICE, bytes,
               "");
}
