/* net/tcp-listener.c - accepting connections; see tcp.h. */
#include "net/tcp.h"

#include "net/inside.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

struct TcpListener {
    Loop *loop;
    int fd;
    struct event readable, rested;
    TcpAcceptFn *accept;
    void *arg;
    bool in_callback, dead; /* freed inside its own callback: the memory goes afterwards */
};

/* A failed accept that only a rest can cure: descriptors or memory are gone. Without the rest the
 * loop would spin, because the connection stays in the backlog. */
static bool needs_rest(int code)
{
    return code == EMFILE || code == ENFILE || code == ENOBUFS || code == ENOMEM;
}

/* Accepts one connection. False when no more should be tried in this turn. */
static bool accept_one(TcpListener *listener)
{
    struct sockaddr_storage storage = { 0 };
    socklen_t size = sizeof storage;
    Err err;
    int fd = accept4(listener->fd, (struct sockaddr *)&storage, &size,
                     SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd < 0 && needs_rest(errno)) {
        struct timeval span = net_span(TCP_ACCEPT_PAUSE_MS);
        event_del(&listener->readable);
        event_add(&listener->rested, &span);
        return false;
    }
    if (fd < 0)
        return errno != EAGAIN && errno != EWOULDBLOCK; /* others died in the backlog: go on */

    NetAddress peer = net_address_from_kernel(&storage);
    TcpStream *stream = tcp_stream_new(listener->loop, fd, &peer, &err);
    if (!stream)
        return true; /* no memory: the connection was dropped, the peer sees it */
    listener->accept(listener->arg, stream);
    return !listener->dead;
}

static void listener_readable(evutil_socket_t fd, short what, void *arg)
{
    TcpListener *listener = arg;
    int left = TCP_ACCEPTS_PER_TURN;

    (void)fd;
    (void)what;
    listener->in_callback = true;
    while (left > 0 && accept_one(listener))
        left--;
    listener->in_callback = false;
    if (listener->dead)
        tcp_listener_free(listener);
}

static void listener_rested(evutil_socket_t fd, short what, void *arg)
{
    TcpListener *listener = arg;

    (void)fd;
    (void)what;
    event_add(&listener->readable, NULL);
}

static bool start_listening(int fd, const NetAddress *bind_address, int backlog, Err *err)
{
    const int on = 1;
    struct sockaddr_storage storage;
    char text[NET_ADDRESS_TEXT_SIZE];
    socklen_t size = net_address_to_kernel(bind_address, &storage);

    net_address_format(bind_address, text);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind_address->family == NET_IPV6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&storage, size) == 0 && listen(fd, backlog) == 0)
        return true;
    err_errno(err, errno, "listen on TCP %s", text);
    if (err->code == EADDRINUSE)
        err_remedy(err, "Stop the other program that uses this port, or choose another port.");
    if (err->code == EADDRNOTAVAIL)
        err_remedy(err, "Use an address of this computer: \"ip address\" shows them.");
    return false;
}

TcpListener *tcp_listen(Loop *loop, const NetAddress *bind_address, int backlog,
                        TcpAcceptFn *accept, void *arg, Err *err)
{
    return tcp_listen_on(loop, NULL, bind_address, backlog, accept, arg, err);
}

TcpListener *tcp_listen_on(Loop *loop, const char *interface_name, const NetAddress *bind_address,
                           int backlog, TcpAcceptFn *accept, void *arg, Err *err)
{
    AUTO_FD fd = net_socket(bind_address, SOCK_STREAM, err);

    if (fd < 0 || !net_bind_interface(fd, interface_name, err) ||
        !start_listening(fd, bind_address, backlog, err))
        return NULL;
    TcpListener *listener = calloc(1, sizeof *listener);
    if (!listener) {
        err_set(err, ERR_TEMPORARY, 0, "no memory for a listener");
        return NULL;
    }
    *listener = (TcpListener){ .loop = loop, .fd = STEAL_FD(fd), .accept = accept, .arg = arg };
    event_assign(&listener->readable, loop_base(loop), listener->fd, EV_READ | EV_PERSIST,
                 listener_readable, listener);
    event_assign(&listener->rested, loop_base(loop), -1, 0, listener_rested, listener);
    if (event_add(&listener->readable, NULL) != 0) {
        err_set(err, ERR_TEMPORARY, 0, "the event loop takes no more sockets");
        tcp_listener_free(listener);
        return NULL;
    }
    return listener;
}

NetAddress tcp_listener_address(const TcpListener *listener)
{
    return net_address_of_socket(listener->fd);
}

void tcp_listener_free(TcpListener *listener)
{
    if (!listener)
        return;
    if (listener->in_callback) {
        listener->dead = true;
        return;
    }
    event_del(&listener->readable);
    event_del(&listener->rested);
    close(listener->fd);
    free(listener);
}
