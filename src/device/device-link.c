/* device/device-link.c - opening and closing the link, and the registration service (UDP 2968).
 * Presses are in link-press.c, scans in link-scan.c. */
#include "device/device-link.h"

#include "base/text.h"
#include "device/link-inside.h"

enum { LISTEN_BACKLOG = 128, JOIN_AGAIN_MS = 30000 };

bool link_is_any_address(const NetAddress *address)
{
    static const uint8_t zeros[sizeof address->bytes];

    return memcmp(address->bytes, zeros, sizeof zeros) == 0;
}

/* --- registration ------------------------------------------------------------------------------- */

/* Our IPv4 address as the device can reach it; false when there is none. */
static bool local_for(const DeviceLink *link, const NetAddress *peer,
                      char ret_text[SLP_ADDRESS_SIZE])
{
    NetAddress local = link->bind;
    char text[NET_ADDRESS_TEXT_SIZE];
    Err err;

    if (link_is_any_address(&local) && !net_address_local_for(peer, &local, &err))
        return false;
    if (local.family != NET_IPV4)
        return false; /* the attribute list has room for IPv4 only */
    net_address_format_host(&local, text);
    return text_copy(ret_text, SLP_ADDRESS_SIZE, text);
}

/* Asks the host what a device is to see. */
static bool show(void *arg, const RegisterAsk *ask, RegisterShown *ret_shown)
{
    DeviceLink *link = arg;
    char address[NET_ADDRESS_TEXT_SIZE];
    DeviceSighting sighting = { address, ask->product, ask->wants_v3 };
    DeviceShown shown = { .is_v3 = ask->wants_v3 };

    net_address_format_host(&ask->from, address);
    (void)text_copy(shown.name, sizeof shown.name, link->name);
    if (!link->host.shows(link->arg, &sighting, &shown))
        return false;
    (void)text_copy(ret_shown->name, sizeof ret_shown->name, shown.name);
    ret_shown->is_v3 = shown.is_v3;
    return true;
}

static void send_answers(void *arg)
{
    DeviceLink *link = arg;
    AUTO_BUF out = buf_with_max(SLP_DATAGRAM_MAX);
    RegisterAnswer answer;
    Err err;

    /* An answer that the kernel does not take is lost like any datagram: two more follow. */
    while (register_session_next(&link->registrations, mono_now(), &answer, &out)) {
        (void)udp_send(link->udp, &answer.to, answer.interface_index, buf_bytes(&out), &err);
        buf_clear(&out);
    }
    loop_timer_start(link->answer_timer, register_session_deadline(&link->registrations));
}

static void on_datagram(void *arg, const UdpDatagram *datagram)
{
    DeviceLink *link = arg;
    char local[SLP_ADDRESS_SIZE], address[NET_ADDRESS_TEXT_SIZE];
    RegisterAsk ask;

    if (!register_session_is_request(datagram->bytes) || !local_for(link, &datagram->from, local))
        return;
    RegisterRequest request = { .datagram = datagram->bytes,
                                .from = datagram->from,
                                .interface_index = datagram->interface_index,
                                .local = local };
    if (!register_session_feed(&link->registrations, &request, mono_now(), &ask))
        return;
    loop_timer_start(link->answer_timer, register_session_deadline(&link->registrations));
    net_address_format_host(&datagram->from, address);
    DeviceSighting sighting = { address, ask.product, ask.wants_v3 };
    link->host.seen(link->arg, &sighting);
}

/* Interfaces come and go: joining is repeated for as long as the link lives. */
static void join_group(void *arg)
{
    DeviceLink *link = arg;
    NetAddress group;
    size_t joined;
    Err err;

    if (net_address_parse(SLP_GROUP, SLP_PORT, &group, &err))
        (void)udp_join_all(link->udp, &group, true, &joined, &err);
    loop_timer_start(link->join_timer, mono_after(mono_now(), JOIN_AGAIN_MS));
}

/* --- opening and closing ------------------------------------------------------------------------ */

static bool open_services(DeviceLink *link, const DeviceLinkConfig *config, Err *err)
{
    NetAddress udp = link->bind, tcp = link->bind;

    udp.port = config->udp_port;
    tcp.port = config->tcp_port;
    link->listener = tcp_listen(link->loop, &tcp, LISTEN_BACKLOG, link_press_accepted, link, err);
    if (!link->listener)
        return err_prefix(err, "TCP port for scanners");
    (void)text_copy(link->name, sizeof link->name, config->name);
    register_session_init(&link->registrations, device_link_tcp_port(link), show, link);
    link->udp = udp_open(link->loop, &udp, on_datagram, link, err);
    if (!link->udp)
        return err_prefix(err, "UDP port for scanners");
    link->answer_timer = loop_timer_new(link->loop, send_answers, link, err);
    link->join_timer = loop_timer_new(link->loop, join_group, link, err);
    if (!link->answer_timer || !link->join_timer)
        return false;
    if (config->multicast)
        join_group(link);
    return true;
}

DeviceLink *device_link_open(Loop *loop, const DeviceLinkConfig *config, Err *err)
{
    NetAddress bind;

    if (!slp_name_is_plain(config->name)) {
        err_set(err, ERR_BAD_INPUT, 0, "panels cannot show the name '%s'", config->name);
        err_remedy(err, "Use 1 to 63 bytes without ( ) , \\ ! < = > ~.");
        return NULL;
    }
    if (!net_address_parse(config->address, 0, &bind, err))
        return NULL;
    AUTO(DeviceLink) link = calloc(1, sizeof *link);
    if (!link) {
        err_set(err, ERR_TEMPORARY, 0, "no memory for the device link");
        return NULL;
    }
    link->loop = loop;
    link->host = *config->host;
    link->arg = config->arg;
    link->scan_port = config->scan_port;
    link->bind = bind;
    link->bind.port = 0;
    return open_services(link, config, err) ? STEAL(link) : NULL;
}

void device_link_close(DeviceLink *link)
{
    if (!link)
        return;
    tcp_listener_free(link->listener);
    udp_free(link->udp);
    loop_timer_free(link->answer_timer);
    loop_timer_free(link->join_timer);
    while (link->presses)
        link_press_free(link->presses);
    while (link->scans)
        link_scan_cut(link->scans);
    free(link);
}

uint16_t device_link_udp_port(const DeviceLink *link)
{
    return udp_local_address(link->udp).port;
}

uint16_t device_link_tcp_port(const DeviceLink *link)
{
    return tcp_listener_address(link->listener).port;
}

unsigned device_link_scans(const DeviceLink *link)
{
    return link->scan_count;
}
