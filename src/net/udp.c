/* net/udp.c - see udp.h. */
#include "net/udp.h"

#include "base/interface.h"
#include "base/text.h"
#include "net/inside.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct UdpSocket {
    Loop *loop;
    int fd;
    NetFamily family;
    struct event readable;
    UdpReceiveFn *receive;
    void *arg;
    bool in_callback, dead; /* freed inside its own callback: the memory goes afterwards */
};

/* Room for the kernel's word on interface and destination of one datagram. */
typedef union PacketInfo {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(struct in_pktinfo))];
} PacketInfo;

static void read_packet_info(struct msghdr *message, UdpDatagram *datagram)
{
    struct sockaddr_storage storage = { 0 };
    struct in_pktinfo info4;
    struct in6_pktinfo info6;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            memcpy(&info4, CMSG_DATA(c), sizeof info4);
            datagram->interface_index = (uint32_t)info4.ipi_ifindex;
            struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr = info4.ipi_addr };
            memcpy(&storage, &to, sizeof to);
        } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
            memcpy(&info6, CMSG_DATA(c), sizeof info6);
            datagram->interface_index = info6.ipi6_ifindex;
            struct sockaddr_in6 to = { .sin6_family = AF_INET6, .sin6_addr = info6.ipi6_addr };
            memcpy(&storage, &to, sizeof to);
        }
    }
    uint16_t port = datagram->to.port;
    datagram->to = net_address_from_kernel(&storage);
    datagram->to.port = port;
}

/* Receives one datagram and hands it out. False when there is none or the socket was freed. */
static bool receive_one(UdpSocket *udp)
{
    struct sockaddr_storage from = { 0 };
    PacketInfo info;
    struct iovec vector = { loop_buffer(udp->loop), LOOP_BUFFER_BYTES };
    struct msghdr message = {
        .msg_name = &from,
        .msg_namelen = sizeof from,
        .msg_iov = &vector,
        .msg_iovlen = 1,
        .msg_control = info.bytes,
        .msg_controllen = sizeof info.bytes,
    };
    ssize_t n = recvmsg(udp->fd, &message, 0);

    if (n < 0)
        return errno != EAGAIN && errno != EWOULDBLOCK;
    UdpDatagram datagram = {
        .bytes = { loop_buffer(udp->loop), (size_t)n },
        .from = net_address_from_kernel(&from),
        .to = net_address_of_socket(udp->fd),
    };
    read_packet_info(&message, &datagram);
    udp->receive(udp->arg, &datagram);
    return !udp->dead;
}

static void socket_readable(evutil_socket_t fd, short what, void *arg)
{
    UdpSocket *udp = arg;
    int left = UDP_DATAGRAMS_PER_TURN;

    (void)fd;
    (void)what;
    udp->in_callback = true;
    while (left > 0 && receive_one(udp))
        left--;
    udp->in_callback = false;
    if (udp->dead)
        udp_free(udp);
}

static bool bind_socket(UdpSocket *udp, const NetAddress *bind_address, Err *err)
{
    const int on = 1;
    struct sockaddr_storage storage;
    char text[NET_ADDRESS_TEXT_SIZE];
    bool is_v4 = udp->family == NET_IPV4;
    int level = is_v4 ? IPPROTO_IP : IPPROTO_IPV6;
    int option = is_v4 ? IP_PKTINFO : IPV6_RECVPKTINFO;

    net_address_format(bind_address, text);
    if (setsockopt(udp->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        setsockopt(udp->fd, level, option, &on, sizeof on) != 0)
        return err_errno(err, errno, "prepare UDP socket %s", text);

    socklen_t size = net_address_to_kernel(bind_address, &storage);
    if (bind(udp->fd, (struct sockaddr *)&storage, size) == 0)
        return true;
    err_errno(err, errno, "bind UDP socket to %s", text);
    if (err->code == EADDRINUSE)
        err_remedy(err, "Stop the other program that uses this port, or choose another port.");
    if (err->code == EADDRNOTAVAIL)
        err_remedy(err, "Use an address of this computer: \"ip address\" shows them.");
    return false;
}

UdpSocket *udp_open(Loop *loop, const NetAddress *bind_address, UdpReceiveFn *receive, void *arg,
                    Err *err)
{
    return udp_open_on(loop, NULL, bind_address, receive, arg, err);
}

UdpSocket *udp_open_on(Loop *loop, const char *interface_name, const NetAddress *bind_address,
                       UdpReceiveFn *receive, void *arg, Err *err)
{
    AUTO_FD fd = net_socket(bind_address, SOCK_DGRAM, err);

    if (fd < 0 || !net_bind_interface(fd, interface_name, err))
        return NULL;
    AUTO(UdpSocket) udp = calloc(1, sizeof *udp);
    if (!udp) {
        err_set(err, ERR_TEMPORARY, 0, "no memory for a UDP socket");
        return NULL;
    }
    *udp = (UdpSocket){ .loop = loop,
                        .fd = STEAL_FD(fd),
                        .family = bind_address->family,
                        .receive = receive,
                        .arg = arg };
    event_assign(&udp->readable, loop_base(loop), udp->fd, EV_READ | EV_PERSIST, socket_readable,
                 udp);
    if (!bind_socket(udp, bind_address, err))
        return NULL;
    if (event_add(&udp->readable, NULL) != 0) {
        err_set(err, ERR_TEMPORARY, 0, "the event loop takes no more sockets");
        return NULL;
    }
    return STEAL(udp);
}

void udp_free(UdpSocket *udp)
{
    if (!udp)
        return;
    if (udp->in_callback) {
        udp->dead = true;
        return;
    }
    event_del(&udp->readable);
    close(udp->fd);
    free(udp);
}

NetAddress udp_local_address(const UdpSocket *udp)
{
    return net_address_of_socket(udp->fd);
}

static bool join_index(UdpSocket *udp, const NetAddress *group, uint32_t index, const char *name,
                       Err *err)
{
    struct ip_mreqn request = { .imr_ifindex = (int)index };
    char text[NET_ADDRESS_TEXT_SIZE];

    if (udp->family != NET_IPV4 || group->family != NET_IPV4)
        return err_set(err, ERR_BUG, 0, "only IPv4 groups can be joined");
    memcpy(&request.imr_multiaddr, group->bytes, sizeof request.imr_multiaddr);
    if (setsockopt(udp->fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, sizeof request) == 0 ||
        errno == EADDRINUSE) /* joined before */
        return true;
    net_address_format_host(group, text);
    return err_errno(err, errno, "join multicast group %s on interface %s", text, name);
}

bool udp_join(UdpSocket *udp, const NetAddress *group, const char *interface_name, Err *err)
{
    uint32_t index;

    return interface_index(interface_name, &index, err) &&
           join_index(udp, group, index, interface_name, err);
}

/* Whatever is done on each interface. */
typedef struct EachInterface {
    UdpSocket *udp;
    const NetAddress *to;
    bool with_loopback;
    Bytes bytes;  /* of a broadcast          */
    size_t count; /* on which it went well   */
    Err err;      /* the last one that failed */
} EachInterface;

static bool is_suitable(const Interface *interface, bool with_loopback)
{
    if (!interface->is_up || !interface->has_ipv4)
        return false;
    if (interface->is_loopback) /* works although lo does not say IFF_MULTICAST */
        return with_loopback;
    return interface->has_multicast;
}

static void join_one(void *arg, const Interface *interface)
{
    EachInterface *each = arg;

    each->count += is_suitable(interface, each->with_loopback) &&
                   udp_join(each->udp, each->to, interface->name, &each->err);
}

bool udp_join_all(UdpSocket *udp, const NetAddress *group, bool with_loopback, size_t *ret_joined,
                  Err *err)
{
    EachInterface each = { .udp = udp, .to = group, .with_loopback = with_loopback };

    if (!interface_list(&(InterfaceVisit){ .interface = join_one }, &each, err))
        return false;
    if (each.count == 0) {
        err_set(err, ERR_TEMPORARY, each.err.code,
                "no network interface takes part in multicast%s%s", each.err.kind ? ": " : "",
                each.err.text);
        return err_remedy(err, "Bring an interface with an IPv4 address up.");
    }
    *ret_joined = each.count;
    return true;
}

static void broadcast_one(void *arg, const Interface *interface)
{
    EachInterface *each = arg;
    uint32_t index;

    each->count += is_suitable(interface, false) && interface->has_broadcast &&
                   interface_index(interface->name, &index, &each->err) &&
                   udp_send(each->udp, each->to, index, each->bytes, &each->err);
}

bool udp_broadcast(UdpSocket *udp, uint16_t port, Bytes bytes, size_t *ret_sent, Err *err)
{
    NetAddress all_hosts = { .family = NET_IPV4, .bytes = { 255, 255, 255, 255 }, .port = port };
    EachInterface each = { .udp = udp, .to = &all_hosts, .bytes = bytes };

    if (setsockopt(udp->fd, SOL_SOCKET, SO_BROADCAST, &(int){ 1 }, sizeof(int)) != 0)
        return err_errno(err, errno, "send by broadcast");
    err_set(&each.err, ERR_TEMPORARY, 0, "no network interface takes part in broadcasts");
    if (!interface_list(&(InterfaceVisit){ .interface = broadcast_one }, &each, err))
        return false;
    if (each.count == 0)
        *err = each.err;
    *ret_sent = each.count;
    return each.count > 0;
}

bool udp_set_multicast(UdpSocket *udp, const char *interface_name, int ttl, Err *err)
{
    struct ip_mreqn request = { .imr_ifindex = 0 };
    uint32_t index;

    if (!interface_index(interface_name, &index, err))
        return false;
    request.imr_ifindex = (int)index;
    if (setsockopt(udp->fd, IPPROTO_IP, IP_MULTICAST_IF, &request, sizeof request) != 0 ||
        setsockopt(udp->fd, IPPROTO_IP, IP_MULTICAST_TTL, &ttl, sizeof ttl) != 0)
        return err_errno(err, errno, "send multicast with time-to-live %d through %s", ttl,
                         interface_name);
    return true;
}

/* Fills the control part that makes the kernel choose this interface. */
static void choose_interface(struct msghdr *message, PacketInfo *info, NetFamily family,
                             uint32_t index)
{
    struct in_pktinfo info4 = { .ipi_ifindex = (int)index };
    struct in6_pktinfo info6 = { .ipi6_ifindex = index };
    bool is_v4 = family == NET_IPV4;
    size_t size = is_v4 ? sizeof info4 : sizeof info6;

    memset(info, 0, sizeof *info);
    message->msg_control = info->bytes;
    message->msg_controllen = CMSG_SPACE(size);
    struct cmsghdr *c = CMSG_FIRSTHDR(message);
    c->cmsg_level = is_v4 ? IPPROTO_IP : IPPROTO_IPV6;
    c->cmsg_type = is_v4 ? IP_PKTINFO : IPV6_PKTINFO;
    c->cmsg_len = CMSG_LEN(size);
    memcpy(CMSG_DATA(c), is_v4 ? (const void *)&info4 : (const void *)&info6, size);
}

bool udp_send(UdpSocket *udp, const NetAddress *to, uint32_t interface_index, Bytes bytes, Err *err)
{
    struct sockaddr_storage storage;
    PacketInfo info;
    char text[NET_ADDRESS_TEXT_SIZE];
    struct iovec vector = { (void *)(uintptr_t)bytes.p, bytes.n };
    struct msghdr message = {
        .msg_name = &storage,
        .msg_namelen = net_address_to_kernel(to, &storage),
        .msg_iov = &vector,
        .msg_iovlen = 1,
    };

    if (interface_index != 0)
        choose_interface(&message, &info, udp->family, interface_index);
    if (sendmsg(udp->fd, &message, MSG_NOSIGNAL) >= 0)
        return true;
    int code = errno;
    net_address_format(to, text);
    return err_errno(err, code, "send %zu bytes to %s", bytes.n, text);
}
