/* net/tcp-inside.h - a stream, as tcp.c (its socket, its queue, its owner) and tcp-tls.c (its TLS) share it.
 *
 * Private to these two. Loop thread only. */
#ifndef PLATEN_NET_TCP_INSIDE_H
#define PLATEN_NET_TCP_INSIDE_H

#include "net/inside.h"
#include "net/tls-inside.h"

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
    bool tell_drained; /* something waited to be sent since the last on_drained                 */
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

/* --- tcp.c ------------------------------------------------------------------------------------- */

/* Ends the stream and tells the owner, who may free it inside. */
void stream_end(TcpStream *stream, TcpEnd why, const Err *err);
void stream_end_errno(TcpStream *stream, TcpEnd why, int code, const char *what);

/* Notes a failure that is found while the owner is calling us; on_end comes from the loop. */
void stream_break_later(TcpStream *stream, int code);

/* Tell the owner; false: the stream is gone afterwards. */
bool stream_tell_read(TcpStream *stream, Bytes bytes);
bool stream_tell_connected(TcpStream *stream);

/* Bytes as the wire gets them. */
void stream_put_on_wire(TcpStream *stream, Bytes bytes);

/* The events of the socket: made for another one, watched, stopped. */
void stream_assign_events(TcpStream *stream);
void stream_watch_readable(TcpStream *stream);
void stream_stop_events(TcpStream *stream);

/* --- tcp-tls.c --------------------------------------------------------------------------------- */

/* The stream is to speak TLS as security says. False with ERR_TEMPORARY. */
bool stream_tls_wanted(TcpStream *stream, const TcpSecurity *security, Err *err);

/* The connection is made. */
void stream_tls_begin(TcpStream *stream);

/* The socket is readable; what came goes in, what it means goes to the owner, who may free the stream. */
void stream_tls_receive(TcpStream *stream);

/* Bytes of the owner; before the handshake is done they wait. */
void stream_tls_write(TcpStream *stream, Bytes bytes);

/* In the handshake: its time is over, or it has broken. */
void stream_tls_late(TcpStream *stream);

/* Says that no more comes. */
void stream_tls_goodbye(TcpStream *stream);

#endif
