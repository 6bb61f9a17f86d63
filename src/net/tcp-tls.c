/* net/tcp-tls.c - the TLS of a stream; see tcp.h and tcp-inside.h.
 *
 * With TLS there is HANDSHAKE between CONNECTING and OPEN. Bytes of the owner are encrypted before they are queued, and
 * decrypted before they are told; a handshake that a peer does not know may lead back to CONNECTING, with older TLS or
 * without any. */
#include "net/tcp-inside.h"

#include "base/text.h"

#include <errno.h>
#include <sys/socket.h>

enum { TLS_CHUNK_BYTES = 17 * 1024 };

static void go_on_with_tls(TcpStream *stream);

/* What TLS has to say goes onto the wire. */
static void put_tls_on_wire(TcpStream *stream)
{
    uint8_t record[TLS_CHUNK_BYTES];
    size_t n;

    while (!stream->broken && (n = tls_take(stream->tls, record, sizeof record)) > 0)
        stream_put_on_wire(stream, (Bytes){ record, n });
}

void stream_tls_write(TcpStream *stream, Bytes bytes)
{
    if (stream->state != OPEN && stream->state != ENDED) {
        if (!buf_put(&stream->early, bytes))
            stream_break_later(stream, ENOMEM);
        return;
    }
    if (!tls_write(stream->tls, bytes))
        stream_break_later(stream, EPROTO);
    put_tls_on_wire(stream);
}

void stream_tls_goodbye(TcpStream *stream)
{
    tls_say_goodbye(stream->tls);
    put_tls_on_wire(stream);
}

/* --- the handshake, and what may follow it ------------------------------------------------------ */

void stream_tls_begin(TcpStream *stream)
{
    struct timeval span = net_span(stream->may_fall_back ? TCP_TLS_TRY_MS : TCP_HANDSHAKE_MS);

    stream->state = HANDSHAKE;
    event_add(&stream->later, &span);
    stream_watch_readable(stream);
    go_on_with_tls(stream);
}

/* A new connection, with the older TLS or without any. What the owner has written waits for that one. */
static void connect_anew(TcpStream *stream, TlsContext *context)
{
    Err err = { .kind = ERR_TEMPORARY, .text = "no memory for what waits to be sent" };

    stream_stop_events(stream);
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
        stream_end(stream, TCP_END_CONNECT_FAILED, &err);
        return;
    }
    if (!context)
        buf_clear(&stream->early);
    stream_assign_events(stream);
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
        stream_end(stream, TCP_END_UNTRUSTED, err);
    else if (stream->was_modern && speaks && result == TLS_FAILED)
        stream_end(stream, TCP_END_DOWNGRADED, err);
    else if (stream->tls_old && may_speak)
        try_old_tls(stream);
    else if (stream->may_fall_back && !speaks)
        fall_back(stream);
    else
        stream_end(stream, TCP_END_NO_TLS, err);
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
    stream_watch_readable(stream);
    if (!tls_write(stream->tls, buf_bytes(&stream->early)))
        stream_break_later(stream, EPROTO);
    buf_clear(&stream->early);
    put_tls_on_wire(stream);
    return stream_tell_connected(stream);
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
        if (!stream_tell_read(stream, (Bytes){ loop_buffer(stream->loop), n }))
            return;
    }
    if (stream->state != OPEN || stream->paused)
        return;
    put_tls_on_wire(stream); /* answers of TLS itself */
    if (result == TLS_ENDED || (result != TLS_FAILED && stream->wire_ended))
        stream_end(stream, TCP_END_EOF, &(Err){ .kind = ERR_NONE });
    else if (result == TLS_FAILED)
        stream_end(stream, TCP_END_BROKEN, &err);
}

/* TLS: what came goes in, what it means comes out. */
void stream_tls_receive(TcpStream *stream)
{
    ssize_t n = recv(stream->fd, loop_buffer(stream->loop), LOOP_BUFFER_BYTES, 0);
    int code = n < 0 ? errno : 0;

    if (code && code != EAGAIN && code != EINTR && stream->state == OPEN) {
        stream_end_errno(stream, TCP_END_BROKEN, code, "read from");
        return;
    }
    if (n == 0 || (code && code != EAGAIN && code != EINTR)) {
        tls_feed_end(stream->tls);
        stream->wire_ended = true;
    }
    if (n > 0 && !tls_feed(stream->tls, (Bytes){ loop_buffer(stream->loop), (size_t)n })) {
        stream_end_errno(stream, TCP_END_BROKEN, ENOMEM, "read from");
        return;
    }
    go_on_with_tls(stream);
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

void stream_tls_late(TcpStream *stream)
{
    if (stream->broken)
        fail_handshake(stream, TLS_ENDED, &(Err){ .kind = ERR_TEMPORARY, .text = "TLS: cut off" });
    else if (stream->may_fall_back)
        try_is_over(stream);
    else
        stream_end_errno(stream, TCP_END_NO_TLS, ETIMEDOUT, "speak TLS with");
}

/* --- who wants it, and what came of it ----------------------------------------------------------- */

bool stream_tls_wanted(TcpStream *stream, const TcpSecurity *security, Err *err)
{
    stream->tls = tls_link_new(security->context, false, security->pin);
    stream->may_fall_back = security->transport == TCP_TLS_ELSE_PLAIN;
    stream->was_modern = security->was_modern;
    stream->tls_old = security->was_modern ? NULL : security->old_context;
    (void)text_copy(stream->pin, sizeof stream->pin, security->pin);
    return stream->tls || err_set(err, ERR_TEMPORARY, 0, "no memory for a TLS connection");
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
