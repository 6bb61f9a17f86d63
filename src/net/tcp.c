/* net/tcp.c - streams; see tcp.h.
 *
 *   CONNECTING --connected--> OPEN --end of peer, error, time-out--> ENDED
 *       |                      | tcp_close               tcp_close | (EOF only)
 *       |                      +------------> FLUSHING <-----------+
 *       |                                        | queue empty: shutdown(SHUT_WR)
 *       |                                     LINGERING --EOF or 3 s--> freed
 *       +--refused, late--> ENDED      tcp_abort, or tcp_close after an error: freed at once
 *
 * With TLS there is HANDSHAKE between CONNECTING and OPEN. Bytes of the owner are encrypted before they are queued, and
 * decrypted before they are told; a handshake that a peer does not know may lead back to CONNECTING, with older TLS or
 * without any. */
#include "net/tcp.h"

#include "base/text.h"
#include "net/inside.h"
#include "net/tls-inside.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>

enum { TLS_CHUNK_BYTES = 17 * 1024, TLS_SPARE_BYTES = 32 * 1024 };

typedef enum StreamState { CONNECTING, HANDSHAKE, OPEN, ENDED, FLUSHING, LINGERING } StreamState;

struct TcpStream {
    Loop *loop;
    int fd;
    StreamState state;
    struct event readable, writable;
    struct event later; /* connect deadline; failure seen inside tcp_write; end of close phases */
    const TcpEvents *events;
    void *arg;
    NetAddress peer;
    Buf out; /* queued bytes; the first out_sent of them are sent already             */
    size_t out_sent, out_max; /* out_max: what the owner may have waiting */
    int64_t read_timeout_ms;
    int write_errno; /* why tcp_write failed, to be told from the loop                     */
    bool eof;        /* the peer sends no more                                             */
    bool broken;     /* nothing can be sent any more                                       */
    bool paused;
    bool tell_drained; /* something was written since the last on_drained                    */
    bool in_callback;  /* freed inside its own callback: the memory goes afterwards          */
    bool dead;
    TlsLink *tls;        /* NULL: plain                                                          */
    Buf early;           /* TLS: written before the handshake was done                           */
    TlsContext *tls_old; /* to be tried yet, NULL = none                                  */
    char pin[TLS_PIN_SIZE];
    bool is_old, was_modern; /* the TLS in use is that of tls_old; it must not be             */
    bool may_fall_back, wire_ended;
    NetAddress local; /* to connect from, once more when it falls back                      */
    TcpTapFn *tap;
    void *tap_arg;
    TcpStream *next_closing, **closing_link; /* on the loop's list after tcp_close             */
};

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

static void stop_events(TcpStream *stream)
{
    event_del(&stream->readable);
    event_del(&stream->writable);
    event_del(&stream->later);
}

/* Frees the stream, or leaves that to the callback it is in. */
static void release(TcpStream *stream)
{
    tell_tap(stream, TCP_TAP_CLOSED, (Bytes){ 0 }, "");
    stop_events(stream);
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

static bool tell_read(TcpStream *stream, Bytes bytes)
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

static bool tell_connected(TcpStream *stream)
{
    tell_tap(stream, TCP_TAP_CONNECTED, (Bytes){ 0 }, stream->tls ? tls_version(stream->tls) : "");
    return !stream->events || tell(stream, stream->events->on_connected);
}

/* The one place where a stream ends. Nothing is read afterwards; writing goes on after EOF only. */
static void end(TcpStream *stream, TcpEnd why, const Err *err)
{
    event_del(&stream->readable);
    stream->state = ENDED;
    stream->eof = why == TCP_END_EOF;
    if (!stream->eof) {
        stream->broken = true;
        stop_events(stream);
    }
    tell_tap(stream, TCP_TAP_ENDED, (Bytes){ 0 }, err->text[0] ? err->text : tcp_end_name(why));
    if (!stream->events)
        return;
    stream->in_callback = true;
    stream->events->on_end(stream->arg, why, err);
    leave_callback(stream);
}

static void end_with_errno(TcpStream *stream, TcpEnd why, int code, const char *what)
{
    char text[NET_ADDRESS_TEXT_SIZE];
    Err err;

    net_address_format(&stream->peer, text);
    err_errno(&err, code, "%s %s", what, text);
    end(stream, why, &err);
}

/* --- reading ----------------------------------------------------------------------------------- */

static void watch_readable(TcpStream *stream)
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

static void go_on_with_tls(TcpStream *stream);

/* TLS: what came goes in, what it means comes out. */
static void receive_tls(TcpStream *stream)
{
    ssize_t n = recv(stream->fd, loop_buffer(stream->loop), LOOP_BUFFER_BYTES, 0);
    int code = n < 0 ? errno : 0;

    if (code && code != EAGAIN && code != EINTR && stream->state == OPEN) {
        end_with_errno(stream, TCP_END_BROKEN, code, "read from");
        return;
    }
    if (n == 0 || (code && code != EAGAIN && code != EINTR)) {
        tls_feed_end(stream->tls);
        stream->wire_ended = true;
    }
    if (n > 0 && !tls_feed(stream->tls, (Bytes){ loop_buffer(stream->loop), (size_t)n })) {
        end_with_errno(stream, TCP_END_BROKEN, ENOMEM, "read from");
        return;
    }
    go_on_with_tls(stream);
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
        end_with_errno(stream, TCP_END_IDLE, ETIMEDOUT, "wait for bytes of");
        return;
    }
    if (stream->tls) {
        receive_tls(stream);
        return;
    }
    ssize_t n = recv(stream->fd, loop_buffer(stream->loop), LOOP_BUFFER_BYTES, 0);
    if (n > 0)
        tell_read(stream, (Bytes){ loop_buffer(stream->loop), (size_t)n });
    else if (n == 0)
        end(stream, TCP_END_EOF, &(Err){ .kind = ERR_NONE });
    else if (errno != EAGAIN && errno != EINTR)
        end_with_errno(stream, TCP_END_BROKEN, errno, "read from");
}

void tcp_pause(TcpStream *stream)
{
    stream->paused = true;
    event_del(&stream->readable);
}

void tcp_resume(TcpStream *stream)
{
    stream->paused = false;
    watch_readable(stream);
    if (stream->tls &&
        stream->state == OPEN) /* what is decrypted already makes no socket readable */
        event_active(&stream->readable, EV_READ, 0);
}

void tcp_set_read_timeout(TcpStream *stream, int64_t timeout_ms)
{
    stream->read_timeout_ms = timeout_ms;
    if (stream->state == OPEN)
        event_del(&stream->readable);
    watch_readable(stream);
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
static void break_later(TcpStream *stream, int code)
{
    struct timeval now = { 0 };

    stream->broken = true;
    stream->write_errno = code;
    event_del(&stream->writable);
    if (stream->state == OPEN || stream->state == HANDSHAKE)
        event_add(&stream->later, &now);
}

/* Bytes as the wire gets them. */
static void put_on_wire(TcpStream *stream, Bytes bytes)
{
    bool connecting = stream->state == CONNECTING;

    if (tcp_queued_bytes(stream) == 0 && !connecting && !send_some(stream, &bytes)) {
        break_later(stream, errno);
        return; /* as if the connection had broken just afterwards */
    }
    if (!enqueue(stream, bytes)) {
        break_later(stream, ENOMEM); /* a part may be sent: the stream cannot go on */
        return;
    }
    if (!connecting)
        watch_writable(stream);
}

/* What TLS has to say goes onto the wire. */
static void put_tls_on_wire(TcpStream *stream)
{
    uint8_t record[TLS_CHUNK_BYTES];
    size_t n;

    while (!stream->broken && (n = tls_take(stream->tls, record, sizeof record)) > 0)
        put_on_wire(stream, (Bytes){ record, n });
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
    stream->tell_drained = true;
    if (stream->tls && stream->state != OPEN && stream->state != ENDED) {
        if (!buf_put(&stream->early, bytes))
            break_later(stream, ENOMEM);
        return true;
    }
    if (!stream->tls) {
        put_on_wire(stream, bytes);
        return true;
    }
    if (!tls_write(stream->tls, bytes))
        break_later(stream, EPROTO);
    put_tls_on_wire(stream);
    return true;
}

/* --- connecting and closing -------------------------------------------------------------------- */

static void assign_events(TcpStream *stream);

/* --- TLS ------------------------------------------------------------------------------------------ */

static void begin_handshake(TcpStream *stream)
{
    struct timeval span = net_span(stream->may_fall_back ? TCP_TLS_TRY_MS : TCP_HANDSHAKE_MS);

    stream->state = HANDSHAKE;
    event_add(&stream->later, &span);
    watch_readable(stream);
    go_on_with_tls(stream);
}

/* A new connection, with the older TLS or without any. What the owner has written waits for that one. */
static void connect_anew(TcpStream *stream, TlsContext *context)
{
    Err err = { .kind = ERR_TEMPORARY, .text = "no memory for what waits to be sent" };

    stop_events(stream);
    tls_link_free(STEAL(stream->tls));
    stream->broken = stream->wire_ended = false;
    close(stream->fd);
    stream->fd = net_socket(&stream->peer, SOCK_STREAM, &err);
    buf_clear(&stream->out); /* what is left of the handshake */
    stream->out_sent = 0;
    if (context)
        stream->tls = tls_link_new(context, false, stream->pin);
    if (stream->fd < 0 || !net_connect(stream->fd, &stream->peer, &stream->local, &err) ||
        (context ? !stream->tls : !buf_put(&stream->out, buf_bytes(&stream->early)))) {
        end(stream, TCP_END_CONNECT_FAILED, &err);
        return;
    }
    if (!context)
        buf_clear(&stream->early);
    assign_events(stream);
    stream->state = CONNECTING;
    struct timeval span = net_span(TCP_HANDSHAKE_MS);
    event_add(&stream->writable, NULL);
    event_add(&stream->later, &span);
}

/* A peer that knows no TLS. */
static void fall_back(TcpStream *stream)
{
    stream->may_fall_back = false;
    connect_anew(stream, NULL);
}

static void try_old_tls(TcpStream *stream)
{
    stream->may_fall_back = false; /* it has answered with TLS, or TLS is a must */
    stream->is_old = true;
    connect_anew(stream, STEAL(stream->tls_old));
}

static void fail_handshake(TcpStream *stream, TlsResult result, const Err *err)
{
    TlsHeard heard = tls_heard(stream->tls);
    bool speaks = heard == TLS_HEARD_RECORD;
    bool may_speak = speaks || (heard == TLS_HEARD_NOTHING && !stream->may_fall_back);

    if (result == TLS_UNTRUSTED)
        end(stream, TCP_END_UNTRUSTED, err);
    else if (stream->was_modern && speaks && result == TLS_FAILED)
        end(stream, TCP_END_DOWNGRADED, err);
    else if (stream->tls_old && may_speak)
        try_old_tls(stream);
    else if (stream->may_fall_back && !speaks)
        fall_back(stream);
    else
        end(stream, TCP_END_NO_TLS, err);
}

/* False: the stream is gone, or is not OPEN. */
static bool shake_hands(TcpStream *stream)
{
    Err err = { .kind = ERR_NONE };
    TlsResult result = tls_handshake(stream->tls, &err);

    if (result == TLS_ENDED || (result == TLS_WANTS_BYTES && stream->wire_ended)) {
        err_set(&err, ERR_TEMPORARY, 0, "TLS: the peer hung up in the handshake");
        result = TLS_ENDED;
    }
    put_tls_on_wire(stream);
    if (result == TLS_WANTS_BYTES)
        return false;
    if (result != TLS_OK) {
        fail_handshake(stream, result, &err);
        return false;
    }
    event_del(&stream->later);
    stream->state = OPEN;
    stream->may_fall_back = false;
    event_del(&stream->readable); /* from now on with the owner's time-out and pauses */
    watch_readable(stream);
    if (!tls_write(stream->tls, buf_bytes(&stream->early)))
        break_later(stream, EPROTO);
    buf_clear(&stream->early);
    put_tls_on_wire(stream);
    return tell_connected(stream);
}

/* Tells what is decrypted, until there is no more, or the owner pauses. */
static void go_on_with_tls(TcpStream *stream)
{
    Err err = { .kind = ERR_NONE };
    TlsResult result = TLS_OK;

    if (stream->state == HANDSHAKE && !shake_hands(stream))
        return;
    while (stream->state == OPEN && !stream->paused) {
        size_t n;

        result = tls_read(stream->tls, loop_buffer(stream->loop), LOOP_BUFFER_BYTES, &n, &err);
        if (result != TLS_OK)
            break;
        if (!tell_read(stream, (Bytes){ loop_buffer(stream->loop), n }))
            return;
    }
    if (stream->state != OPEN || stream->paused)
        return;
    put_tls_on_wire(stream); /* answers of TLS itself */
    if (result == TLS_ENDED || (result != TLS_FAILED && stream->wire_ended))
        end(stream, TCP_END_EOF, &(Err){ .kind = ERR_NONE });
    else if (result == TLS_FAILED)
        end(stream, TCP_END_BROKEN, &err);
}

static void connected(TcpStream *stream)
{
    int code = 0;
    socklen_t size = sizeof code;

    event_del(&stream->later);
    if (getsockopt(stream->fd, SOL_SOCKET, SO_ERROR, &code, &size) != 0)
        code = errno;
    if (code != 0) {
        end_with_errno(stream, TCP_END_CONNECT_FAILED, code, "connect to");
        return;
    }
    if (!tell(stream, stream->events->on_reached))
        return;
    if (stream->tls) {
        begin_handshake(stream);
        return;
    }
    stream->state = OPEN;
    watch_readable(stream);
    if (tcp_queued_bytes(stream) > 0)
        watch_writable(stream);
    tell_connected(stream);
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
        end_with_errno(stream, what & EV_TIMEOUT ? TCP_END_STALLED : TCP_END_BROKEN, code,
                       "write to");
    } else if (!sent && stream->state == HANDSHAKE) {
        break_later(stream, code);
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

/* Its time for a try is over. What has answered with TLS is slow at it: it is not spoken to plainly. */
static void try_is_over(TcpStream *stream)
{
    struct timeval span = net_span(TCP_HANDSHAKE_MS - TCP_TLS_TRY_MS);

    if (tls_heard(stream->tls) != TLS_HEARD_RECORD)
        return fall_back(stream);
    stream->may_fall_back = false;
    event_add(&stream->later, &span);
}

static void stream_later(evutil_socket_t fd, short what, void *arg)
{
    TcpStream *stream = arg;

    (void)fd;
    (void)what;
    if (stream->state == CONNECTING)
        end_with_errno(stream, TCP_END_CONNECT_FAILED, ETIMEDOUT, "connect to");
    else if (stream->state == HANDSHAKE && stream->broken)
        fail_handshake(stream, TLS_ENDED, &(Err){ .kind = ERR_TEMPORARY, .text = "TLS: cut off" });
    else if (stream->state == HANDSHAKE && stream->may_fall_back)
        try_is_over(stream);
    else if (stream->state == HANDSHAKE)
        end_with_errno(stream, TCP_END_NO_TLS, ETIMEDOUT, "speak TLS with");
    else if (stream->state == OPEN)
        end_with_errno(stream, TCP_END_BROKEN, stream->write_errno, "write to");
    else
        release(stream); /* the time for closing is over */
}

static void assign_events(TcpStream *stream)
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
    assign_events(stream);
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
        begin_handshake(stream);
    else
        watch_readable(stream);
}

bool tcp_accept_tls(TcpStream *stream, TlsContext *context, Err *err)
{
    stream->tls = tls_link_new(context, true, "");
    return stream->tls || err_set(err, ERR_TEMPORARY, 0, "no memory for a TLS connection");
}

const char *tcp_tls_version(const TcpStream *stream, bool *ret_is_old)
{
    *ret_is_old = stream->is_old;
    return stream->tls ? tls_version(stream->tls) : "";
}

const char *tcp_peer_certificate(const TcpStream *stream)
{
    return stream->tls ? tls_peer_certificate(stream->tls) : "";
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
    if (security->transport != TCP_PLAIN) {
        stream->tls = tls_link_new(security->context, false, security->pin);
        stream->may_fall_back = security->transport == TCP_TLS_ELSE_PLAIN;
        stream->was_modern = security->was_modern;
        stream->tls_old = security->was_modern ? NULL : security->old_context;
        (void)text_copy(stream->pin, sizeof stream->pin, security->pin);
        if (!stream->tls) {
            release(stream);
            err_set(err, ERR_TEMPORARY, 0, "no memory for a TLS connection");
            return NULL;
        }
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

void tcp_close(TcpStream *stream)
{
    if (!stream)
        return;
    if (stream->broken || stream->state == CONNECTING || stream->state == HANDSHAKE) {
        release(stream);
        return;
    }
    tell_tap(stream, TCP_TAP_CLOSED, (Bytes){ 0 }, "");
    if (stream->tls) {
        tls_say_goodbye(stream->tls);
        put_tls_on_wire(stream);
    }
    TcpStream **list = loop_closing_streams(stream->loop);
    struct timeval span = net_span(TCP_CLOSE_FLUSH_MS);

    stop_events(stream);
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
