/* net/tcp.c - streams; see tcp.h. What TLS adds is in tcp-tls.c.
 *
 *   CONNECTING --connected--> OPEN --end of peer, error, time-out--> ENDED
 *       |                      | tcp_close               tcp_close | (EOF only)
 *       |                      +------------> FLUSHING <-----------+
 *       |                                        | queue empty: shutdown(SHUT_WR)
 *       |                                     LINGERING --EOF or 3 s--> freed
 *       +--refused, late--> ENDED      tcp_abort, or tcp_close after an error: freed at once */
#include "net/tcp.h"

#include "base/text.h"
#include "net/tcp-inside.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>

enum { TLS_SPARE_BYTES = 32 * 1024 };

const char *tcp_end_name(TcpEnd end)
{
    static const char *const names[TCP_END_MAX_] = {
        [TCP_END_EOF] = "eof",
        [TCP_END_IDLE] = "idle",
        [TCP_END_STALLED] = "stalled",
        [TCP_END_BROKEN] = "broken",
        [TCP_END_CONNECT_FAILED] = "connect-failed",
        [TCP_END_NO_TLS] = "no-tls",
        [TCP_END_DOWNGRADED] = "downgraded",
        [TCP_END_UNTRUSTED] = "untrusted",
    };

    return (unsigned)end < TCP_END_MAX_ ? names[end] : "unknown";
}

static void tell_tap(TcpStream *stream, TcpTapKind kind, Bytes bytes, const char *text)
{
    TcpTapFn *tap = stream->tap;

    if (!tap)
        return;
    if (kind == TCP_TAP_CLOSED)
        stream->tap = NULL;
    tap(stream->tap_arg, kind, bytes, text);
}

void stream_stop_events(TcpStream *stream)
{
    event_del(&stream->readable);
    event_del(&stream->writable);
    event_del(&stream->later);
}

/* Frees the stream, or leaves that to the callback it is in. */
static void release(TcpStream *stream)
{
    tell_tap(stream, TCP_TAP_CLOSED, (Bytes){ 0 }, "");
    stream_stop_events(stream);
    stream->events = NULL;
    if (stream->closing_link) {
        *stream->closing_link = stream->next_closing;
        if (stream->next_closing)
            stream->next_closing->closing_link = stream->closing_link;
        stream->closing_link = NULL;
    }
    if (stream->fd >= 0)
        close(stream->fd);
    stream->fd = -1;
    if (stream->in_callback) {
        stream->dead = true;
        return;
    }
    tls_link_free(stream->tls);
    buf_done(&stream->early);
    buf_done(&stream->out);
    free(stream);
}

/* --- telling the owner: each answers false when the stream is gone afterwards ------------------ */

static bool leave_callback(TcpStream *stream)
{
    stream->in_callback = false;
    if (!stream->dead)
        return true;
    release(stream);
    return false;
}

bool stream_tell_read(TcpStream *stream, Bytes bytes)
{
    tell_tap(stream, TCP_TAP_READ, bytes, "");
    if (!stream->events || !stream->events->on_read)
        return true;
    stream->in_callback = true;
    stream->events->on_read(stream->arg, bytes);
    return leave_callback(stream);
}

static bool tell(TcpStream *stream, void (*on_event)(void *arg))
{
    if (!on_event)
        return true;
    stream->in_callback = true;
    on_event(stream->arg);
    return leave_callback(stream);
}

bool stream_tell_connected(TcpStream *stream)
{
    tell_tap(stream, TCP_TAP_CONNECTED, (Bytes){ 0 }, stream->tls ? tls_version(stream->tls) : "");
    return !stream->events || tell(stream, stream->events->on_connected);
}

/* The one place where a stream ends. Nothing is read afterwards; writing goes on after EOF only. */
void stream_end(TcpStream *stream, TcpEnd why, const Err *err)
{
    event_del(&stream->readable);
    stream->state = ENDED;
    stream->eof = why == TCP_END_EOF;
    if (!stream->eof) {
        stream->broken = true;
        stream_stop_events(stream);
    }
    tell_tap(stream, TCP_TAP_ENDED, (Bytes){ 0 }, err->text[0] ? err->text : tcp_end_name(why));
    if (!stream->events)
        return;
    stream->in_callback = true;
    stream->events->on_end(stream->arg, why, err);
    leave_callback(stream);
}

void stream_end_errno(TcpStream *stream, TcpEnd why, int code, const char *what)
{
    char text[NET_ADDRESS_TEXT_SIZE];
    Err err;

    net_address_format(&stream->peer, text);
    err_errno(&err, code, "%s %s", what, text);
    stream_end(stream, why, &err);
}

/* --- reading ----------------------------------------------------------------------------------- */

void stream_watch_readable(TcpStream *stream)
{
    struct timeval span = net_span(stream->read_timeout_ms);

    if (stream->state == HANDSHAKE)
        event_add(&stream->readable, NULL);
    else if (stream->state == OPEN && !stream->paused && !stream->eof)
        event_add(&stream->readable, stream->read_timeout_ms > 0 ? &span : NULL);
}

/* After tcp_close: bytes are thrown away; EOF ends the stream once our side is sent. */
static void discard(TcpStream *stream)
{
    ssize_t n = recv(stream->fd, loop_buffer(stream->loop), LOOP_BUFFER_BYTES, 0);

    if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
        return;
    if (n == 0 && stream->state == FLUSHING) {
        stream->eof = true;
        event_del(&stream->readable);
        return;
    }
    release(stream);
}

static void stream_readable(evutil_socket_t fd, short what, void *arg)
{
    TcpStream *stream = arg;

    (void)fd;
    if (stream->state != OPEN && stream->state != HANDSHAKE) {
        discard(stream);
        return;
    }
    if (what & EV_TIMEOUT) {
        stream_end_errno(stream, TCP_END_IDLE, ETIMEDOUT, "wait for bytes of");
        return;
    }
    if (stream->tls) {
        stream_tls_receive(stream);
        return;
    }
    ssize_t n = recv(stream->fd, loop_buffer(stream->loop), LOOP_BUFFER_BYTES, 0);
    if (n > 0)
        stream_tell_read(stream, (Bytes){ loop_buffer(stream->loop), (size_t)n });
    else if (n == 0)
        stream_end(stream, TCP_END_EOF, &(Err){ .kind = ERR_NONE });
    else if (errno != EAGAIN && errno != EINTR)
        stream_end_errno(stream, TCP_END_BROKEN, errno, "read from");
}

void tcp_pause(TcpStream *stream)
{
    stream->paused = true;
    event_del(&stream->readable);
}

void tcp_resume(TcpStream *stream)
{
    stream->paused = false;
    stream_watch_readable(stream);
    if (stream->tls &&
        stream->state == OPEN) /* what is decrypted already makes no socket readable */
        event_active(&stream->readable, EV_READ, 0);
}

void tcp_set_read_timeout(TcpStream *stream, int64_t timeout_ms)
{
    stream->read_timeout_ms = timeout_ms;
    if (stream->state == OPEN && timeout_ms <= 0)
        event_remove_timer(
            &stream->readable); /* a new one replaces it below, without a system call */
    stream_watch_readable(stream);
}

/* --- writing ----------------------------------------------------------------------------------- */

size_t tcp_queued_bytes(const TcpStream *stream)
{
    return stream->out.n - stream->out_sent;
}

/* The time-out of the event is that of a stalled peer: it starts anew after each progress only. */
static void watch_writable(TcpStream *stream)
{
    struct timeval span = net_span(TCP_WRITE_STALL_MS);

    if (!event_pending(&stream->writable, EV_WRITE, NULL))
        event_add(&stream->writable, &span);
}

/* Sends what the kernel takes. False, with errno, when the connection is gone. */
static bool send_some(TcpStream *stream, Bytes *bytes)
{
    while (bytes->n > 0) {
        ssize_t n = send(stream->fd, bytes->p, bytes->n, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN || errno == EWOULDBLOCK;
        *bytes = bytes_after(*bytes, (size_t)n);
    }
    return true;
}

static bool flush_queue(TcpStream *stream)
{
    Bytes left = bytes_after(buf_bytes(&stream->out), stream->out_sent);

    if (!send_some(stream, &left))
        return false;
    stream->out_sent = stream->out.n - left.n;
    if (left.n == 0) {
        buf_clear(&stream->out);
        stream->out_sent = 0;
    }
    return true;
}

static bool enqueue(TcpStream *stream, Bytes bytes)
{
    if (bytes.n == 0)
        return true;
    if (stream->out.n + bytes.n > stream->out.max) {
        buf_drop_front(&stream->out, stream->out_sent);
        stream->out_sent = 0;
    }
    return buf_put(&stream->out, bytes);
}

/* Notes a failure that is found while the owner is calling us; on_end comes from the loop. */
void stream_break_later(TcpStream *stream, int code)
{
    struct timeval now = { 0 };

    stream->broken = true;
    stream->write_errno = code;
    event_del(&stream->writable);
    if (stream->state == OPEN || stream->state == HANDSHAKE)
        event_add(&stream->later, &now);
}

/* Bytes as the wire gets them. */
void stream_put_on_wire(TcpStream *stream, Bytes bytes)
{
    bool connecting = stream->state == CONNECTING;

    if (tcp_queued_bytes(stream) == 0 && !connecting && !send_some(stream, &bytes)) {
        stream_break_later(stream, errno);
        return; /* as if the connection had broken just afterwards */
    }
    if (!enqueue(stream, bytes)) {
        stream_break_later(stream, ENOMEM); /* a part may be sent: the stream cannot go on */
        return;
    }
    /* What is sent at once needs no turn of the loop. */
    if (!connecting && (stream->tell_drained || tcp_queued_bytes(stream) > 0))
        watch_writable(stream);
}

bool tcp_write(TcpStream *stream, Bytes bytes, Err *err)
{
    char text[NET_ADDRESS_TEXT_SIZE];
    size_t queued = tcp_queued_bytes(stream) + stream->early.n;

    if (stream->broken) {
        net_address_format(&stream->peer, text);
        return err_set(err, ERR_TEMPORARY, stream->write_errno, "the connection to %s is lost",
                       text);
    }
    if (bytes.n > stream->out_max - (queued < stream->out_max ? queued : stream->out_max)) {
        net_address_format(&stream->peer, text);
        return err_set(err, ERR_TEMPORARY, 0, "%s takes bytes too slowly: %zu are waiting", text,
                       queued);
    }
    tell_tap(stream, TCP_TAP_WRITTEN, bytes, "");
    if (stream->tls)
        stream_tls_write(stream, bytes);
    else
        stream_put_on_wire(stream, bytes);
    if (tcp_queued_bytes(stream) > 0 || stream->early.n > 0)
        stream->tell_drained = true;
    return true;
}

/* --- connecting and closing -------------------------------------------------------------------- */

static void connected(TcpStream *stream)
{
    int code = 0;
    socklen_t size = sizeof code;

    event_del(&stream->later);
    if (getsockopt(stream->fd, SOL_SOCKET, SO_ERROR, &code, &size) != 0)
        code = errno;
    if (code != 0) {
        stream_end_errno(stream, TCP_END_CONNECT_FAILED, code, "connect to");
        return;
    }
    if (!tell(stream, stream->events->on_reached))
        return;
    if (stream->tls) {
        stream_tls_begin(stream);
        return;
    }
    stream->state = OPEN;
    stream_watch_readable(stream);
    if (tcp_queued_bytes(stream) > 0)
        watch_writable(stream);
    stream_tell_connected(stream);
}

/* The queue of a closing stream is empty: say so to the peer and wait for its end. */
static void shut_and_linger(TcpStream *stream)
{
    struct timeval span = net_span(TCP_CLOSE_LINGER_MS);

    stream->state = LINGERING;
    event_del(&stream->writable);
    if (stream->eof || shutdown(stream->fd, SHUT_WR) != 0) {
        release(stream);
        return;
    }
    event_add(&stream->later, &span);
}

static void stream_writable(evutil_socket_t fd, short what, void *arg)
{
    TcpStream *stream = arg;

    (void)fd;
    if (stream->state == CONNECTING) {
        connected(stream);
        return;
    }
    bool sent = !(what & EV_TIMEOUT) && flush_queue(stream);
    int code = what & EV_TIMEOUT ? ETIMEDOUT : errno;
    bool is_closing = stream->state == FLUSHING;
    if (!sent && is_closing) {
        release(stream);
    } else if (!sent && stream->state == OPEN) {
        stream_end_errno(stream, what & EV_TIMEOUT ? TCP_END_STALLED : TCP_END_BROKEN, code,
                         "write to");
    } else if (!sent && stream->state == HANDSHAKE) {
        stream_break_later(stream, code);
    } else if (!sent) {
        stream->broken = true; /* after EOF, which the owner knows already */
    } else if (tcp_queued_bytes(stream) > 0) {
        watch_writable(stream);
    } else if (is_closing) {
        shut_and_linger(stream);
    } else if (stream->tell_drained && stream->state != HANDSHAKE) {
        stream->tell_drained = false;
        tell(stream, stream->events->on_drained);
    }
}

static void stream_later(evutil_socket_t fd, short what, void *arg)
{
    TcpStream *stream = arg;

    (void)fd;
    (void)what;
    if (stream->state == CONNECTING)
        stream_end_errno(stream, TCP_END_CONNECT_FAILED, ETIMEDOUT, "connect to");
    else if (stream->state == HANDSHAKE)
        stream_tls_late(stream);
    else if (stream->state == OPEN)
        stream_end_errno(stream, TCP_END_BROKEN, stream->write_errno, "write to");
    else
        release(stream); /* the time for closing is over */
}

void stream_assign_events(TcpStream *stream)
{
    struct event_base *base = loop_base(stream->loop);
    const int on = 1;

    /* Requests and answers are small and wait for each other: Nagle would add 40 ms to each. */
    setsockopt(stream->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    event_assign(&stream->readable, base, stream->fd, EV_READ | EV_PERSIST, stream_readable,
                 stream);
    event_assign(&stream->writable, base, stream->fd, EV_WRITE, stream_writable, stream);
    event_assign(&stream->later, base, -1, 0, stream_later, stream);
}

TcpStream *tcp_stream_new(Loop *loop, int fd_take, const NetAddress *peer, Err *err)
{
    TcpStream *stream = calloc(1, sizeof *stream);

    if (!stream) {
        close(fd_take);
        err_set(err, ERR_TEMPORARY, 0, "no memory for a connection");
        return NULL;
    }
    *stream = (TcpStream){ .loop = loop, .fd = fd_take, .state = OPEN, .peer = *peer };
    stream_assign_events(stream);
    return stream;
}

void tcp_attach(TcpStream *stream, size_t output_max_bytes, const TcpEvents *events, void *arg)
{
    /* Records are larger than what is in them: 22 to 85 bytes each, and the handshake has some kilobytes. */
    stream->out = buf_with_max(output_max_bytes +
                               (stream->tls ? output_max_bytes / 8 + TLS_SPARE_BYTES : 0));
    stream->early = buf_with_max(output_max_bytes);
    stream->out_max = output_max_bytes;
    stream->events = events;
    stream->arg = arg;
    if (stream->tls && stream->state == OPEN)
        stream_tls_begin(stream);
    else
        stream_watch_readable(stream);
}

TcpStream *tcp_connect_secure(Loop *loop, const NetAddress *peer, const NetAddress *local,
                              Mono deadline, size_t output_max_bytes, const TcpSecurity *security,
                              const TcpEvents *events, void *arg, Err *err)
{
    AUTO_FD fd = net_socket(peer, SOCK_STREAM, err);

    if (fd < 0 || !net_connect(fd, peer, local, err))
        return NULL;
    TcpStream *stream = tcp_stream_new(loop, STEAL_FD(fd), peer, err);
    if (!stream)
        return NULL;
    if (security->transport != TCP_PLAIN && !stream_tls_wanted(stream, security, err)) {
        release(stream);
        return NULL;
    }
    if (local)
        stream->local = *local;
    stream->state = CONNECTING;
    tcp_attach(stream, output_max_bytes, events, arg);
    event_add(&stream->writable, NULL);
    if (deadline.ms != MONO_NEVER.ms) {
        struct timeval span = net_span(deadline.ms - mono_now().ms);
        event_add(&stream->later, &span);
    }
    return stream;
}

TcpStream *tcp_connect(Loop *loop, const NetAddress *peer, const NetAddress *local, Mono deadline,
                       size_t output_max_bytes, const TcpEvents *events, void *arg, Err *err)
{
    const TcpSecurity plain = { .transport = TCP_PLAIN };

    return tcp_connect_secure(loop, peer, local, deadline, output_max_bytes, &plain, events, arg,
                              err);
}

void tcp_tap(TcpStream *stream, TcpTapFn *tap, void *arg)
{
    stream->tap = tap;
    stream->tap_arg = arg;
}

NetAddress tcp_peer_address(const TcpStream *stream)
{
    return stream->peer;
}

NetAddress tcp_local_address(const TcpStream *stream)
{
    return net_address_of_socket(stream->fd);
}

/* Who answers and waits for the peer's end must not run out of descriptors: a crowd that never closes is cut. */
static void bound_lingering(Loop *loop)
{
    TcpStream *oldest = NULL;
    size_t count = 0;

    for (TcpStream *s = *loop_closing_streams(loop); s; s = s->next_closing)
        if (s->state == LINGERING) {
            oldest = s; /* the list is youngest first */
            count++;
        }
    if (count >= TCP_CLOSING_MAX)
        tcp_abort(oldest);
}

void tcp_close(TcpStream *stream)
{
    if (!stream)
        return;
    if (stream->broken || stream->state == CONNECTING || stream->state == HANDSHAKE) {
        release(stream);
        return;
    }
    tell_tap(stream, TCP_TAP_CLOSED, (Bytes){ 0 }, "");
    if (stream->tls)
        stream_tls_goodbye(stream);
    bound_lingering(stream->loop);
    TcpStream **list = loop_closing_streams(stream->loop);
    struct timeval span = net_span(TCP_CLOSE_FLUSH_MS);

    stream_stop_events(stream);
    stream->events = NULL;
    stream->state = FLUSHING;
    stream->next_closing = *list;
    stream->closing_link = list;
    if (*list)
        (*list)->closing_link = &stream->next_closing;
    *list = stream;
    event_add(&stream->later, &span);
    if (!stream->eof)
        event_add(&stream->readable, NULL); /* also when it was paused: see discard */
    if (tcp_queued_bytes(stream) > 0)
        watch_writable(stream);
    else
        shut_and_linger(stream);
}

void tcp_abort(TcpStream *stream)
{
    const struct linger at_once = { .l_onoff = 1, .l_linger = 0 };

    if (!stream)
        return;
    setsockopt(stream->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    release(stream);
}
