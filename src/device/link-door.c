/* device/link-door.c - the doors of the link: where devices register (UDP 2968) and presses come in. */
#include "base/text.h"
#include "device/link-inside.h"

#include <errno.h>
#include <net/if.h>

enum { LISTEN_BACKLOG = 128 };

/* Our IPv4 address as the device can reach it; false when there is none. */
static bool local_for(const LinkDoor *door, const NetAddress *peer, char ret_text[SLP_ADDRESS_SIZE])
{
    NetAddress local = door->link->bind;
    char text[NET_ADDRESS_TEXT_SIZE];
    Err err;

    if (net_address_is_any(&local) &&
        !net_address_local_through(door->interface, peer, &local, &err))
        return false;
    if (local.family != NET_IPV4)
        return false; /* the attribute list has room for IPv4 only */
    net_address_format_host(&local, text);
    return text_copy(ret_text, SLP_ADDRESS_SIZE, text);
}

/* Asks the host what a device is to see. */
static bool show(void *arg, const RegisterAsk *ask, RegisterShown *ret_shown)
{
    const LinkDoor *door = arg;
    DeviceLink *link = door->link;
    char address[NET_ADDRESS_TEXT_SIZE];
    DeviceSighting sighting = { address, ask->product, ask->wants_v3, door->number };
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
    LinkDoor *door = arg;
    AUTO_BUF out = buf_with_max(SLP_DATAGRAM_MAX);
    RegisterAnswer answer;
    Err err;

    /* An answer that the kernel does not take is lost like any datagram: two more follow. */
    while (register_session_next(&door->registrations, mono_now(), &answer, &out)) {
        (void)udp_send(door->udp, &answer.to, answer.interface_index, buf_bytes(&out), &err);
        link_tell_datagram(door->link, &answer.to, false, buf_bytes(&out));
        buf_clear(&out);
    }
    loop_timer_start(door->answer_timer, register_session_deadline(&door->registrations));
}

static void on_datagram(void *arg, const UdpDatagram *datagram)
{
    LinkDoor *door = arg;
    char local[SLP_ADDRESS_SIZE], address[NET_ADDRESS_TEXT_SIZE];
    RegisterAsk ask;

    if (!register_session_is_request(datagram->bytes) || !local_for(door, &datagram->from, local))
        return;
    link_tell_datagram(door->link, &datagram->from, true, datagram->bytes);
    RegisterRequest request = { .datagram = datagram->bytes,
                                .from = datagram->from,
                                .interface_index = datagram->interface_index,
                                .local = local };
    if (!register_session_feed(&door->registrations, &request, mono_now(), &ask))
        return;
    loop_timer_start(door->answer_timer, register_session_deadline(&door->registrations));
    net_address_format_host(&datagram->from, address);
    DeviceSighting sighting = { address, ask.product, ask.wants_v3, door->number };
    door->link->host.seen(door->link->arg, &sighting);
}

/* --- opening and closing ------------------------------------------------------------------------ */

static void join(LinkDoor *door)
{
    NetAddress group;
    size_t joined;
    Err err;

    if (!door->udp || !door->link->multicast ||
        !net_address_parse(SLP_GROUP, SLP_PORT, &group, &err))
        return;
    if (door->interface[0])
        (void)udp_join(door->udp, &group, door->interface, &err);
    else
        (void)udp_join_all(door->udp, &group, true, &joined, &err);
}

/* A listener at one of our addresses; none where we are not to be heard. */
static bool listen_at(LinkDoor *door, NetAddress at, uint16_t port, TcpListener **ret_made,
                      Err *err)
{
    if (at.family == NET_NONE)
        return true;
    at.port = port;
    *ret_made = tcp_listen_on(door->link->loop, door->interface, &at, LISTEN_BACKLOG,
                              link_press_accepted, door, err);
    if (*ret_made)
        return true;
    bool no_ipv6 = at.family == NET_IPV6 && net_address_is_any(&at) && err->code == EAFNOSUPPORT;
    return no_ipv6 || err_prefix(err, "TCP port for scanners");
}

/* Both families have one port: devices are told one. */
static bool open_listeners(LinkDoor *door, Err *err)
{
    DeviceLink *link = door->link;

    if (!listen_at(door, link->bind, link->tcp_port, &door->listener, err))
        return false;
    uint16_t port = door->listener ? link_door_port(door) : link->tcp_port;
    if (!listen_at(door, link->bind6, port, &door->listener6, err))
        return false;
    return door->listener || door->listener6 ||
           err_set(err, ERR_PERMANENT, EAFNOSUPPORT, "this computer has no IPv6");
}

bool link_door_open(LinkDoor *door, Err *err)
{
    DeviceLink *link = door->link;
    NetAddress udp = link->bind;

    udp.port = link->udp_port;
    door->index = door->interface[0] ? if_nametoindex(door->interface) : 0;
    if (!open_listeners(door, err))
        return false;
    register_session_init(&door->registrations, link_door_port(door), show, door);
    door->answer_timer = loop_timer_new(link->loop, send_answers, door, err);
    if (!door->answer_timer)
        return false;
    if (link->bind.family == NET_NONE)
        return true; /* an answer can tell an address of IPv4 only: nobody registers */
    door->udp = udp_open_on(link->loop, door->interface, &udp, on_datagram, door, err);
    if (!door->udp)
        return err_prefix(err, "UDP port for scanners");
    join(door);
    return true;
}

uint16_t link_door_port(const LinkDoor *door)
{
    const TcpListener *listener = door->listener ? door->listener : door->listener6;

    return listener ? tcp_listener_address(listener).port : 0;
}

void link_door_close(LinkDoor *door)
{
    tcp_listener_free(STEAL(door->listener));
    tcp_listener_free(STEAL(door->listener6));
    udp_free(STEAL(door->udp));
    loop_timer_free(STEAL(door->answer_timer));
}

void link_door_refresh(LinkDoor *door)
{
    uint32_t index = door->interface[0] ? if_nametoindex(door->interface) : 0;
    Err err;

    if (index == door->index) {
        join(door);
        return;
    }
    /* Sockets stay bound to the interface that went, whatever comes under its name. */
    link_door_close(door);
    door->index = 0;
    if (index != 0 && !link_door_open(door, &err)) {
        link_door_close(door);
        door->index = 0; /* tried again */
    }
}
