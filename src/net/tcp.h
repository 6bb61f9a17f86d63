/* net/tcp.h - TCP listeners and streams on the loop.
 *
 * A stream hands out bytes as they come and queues what is written, up to a stated maximum. The
 * owner ends each stream with tcp_close (every byte arrives) or tcp_abort (at once); both may be
 * called inside any callback of the stream. With TLS the same, when its handshake is done. Loop thread only. */
#ifndef PLATEN_NET_TCP_H
#define PLATEN_NET_TCP_H

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "net/address.h"
#include "net/loop.h"
#include "net/tls.h"

enum {
    TCP_READ_BYTES_MAX = 128 * 1024, /* most bytes of one on_read; one buffer for all streams     */
    TCP_ACCEPTS_PER_TURN = 16,       /* so that a flood of connects leaves the streams their turn */
    TCP_ACCEPT_PAUSE_MS = 250,       /* rest when descriptors are gone (EMFILE)                   */
    TCP_WRITE_STALL_MS = 30000,      /* a peer that takes no byte for so long is lost             */
    TCP_CLOSE_FLUSH_MS = 30000,      /* tcp_close: time for the queued bytes to leave             */
    TCP_CLOSE_LINGER_MS = 3000,      /* tcp_close: then, time for the peer to close its side      */
    TCP_TLS_TRY_MS =
        3000, /* a handshake with a peer that may speak plainly (Epson's driver waits so long) */
    TCP_CLOSING_MAX =
        256, /* tcp_close: streams that have sent all and linger; of more, the oldest is cut */
    TCP_HANDSHAKE_MS = 10000, /* any other handshake                                       */
};

/* Why a stream came to its end. */
typedef enum TcpEnd {
    TCP_END_EOF,            /* the peer sends no more; it may still read, writing is allowed */
    TCP_END_IDLE,           /* nothing came for the read time-out                            */
    TCP_END_STALLED,        /* the peer took nothing for TCP_WRITE_STALL_MS                  */
    TCP_END_BROKEN,         /* reset, or the network is gone                                 */
    TCP_END_CONNECT_FAILED, /* refused, unreachable, or late (err->code is then ETIMEDOUT)   */
    TCP_END_NO_TLS,         /* TLS was wanted, and the handshake failed                        */
    TCP_END_DOWNGRADED,     /* it speaks TLS, but not as modern as it did                      */
    TCP_END_UNTRUSTED,      /* TLS: not the certificate that was asked for; nothing was sent  */
    TCP_END_MAX_
} TcpEnd;

/* "eof", "idle" ...: for logs and traces. */
const char *tcp_end_name(TcpEnd end);

/* What the owner wants to hear. Any of them may be NULL except on_end. None is ever called inside
 * a function the owner calls. After tcp_close or tcp_abort none is called again. */
typedef struct TcpEvents {
    void (*on_connected)(void *arg);         /* tcp_connect succeeded                           */
    void (*on_read)(void *arg, Bytes bytes); /* borrowed for the call; all of it is consumed    */
    void (*on_drained)(void *arg);           /* bytes that tcp_write left in the queue are sent */
    /* Called once; nothing is read afterwards. The owner must still close or abort the stream.
     * After TCP_END_EOF writing goes on; should it fail, tcp_write says so and tcp_close copes. */
    void (*on_end)(void *arg, TcpEnd end, const Err *err);
    void (*on_reached)(
        void *arg); /* before on_connected, for each try: the peer has taken the connection, TLS is
                                      still to come. The stream must not be ended inside */
} TcpEvents;

typedef struct TcpStream TcpStream;

/* Begins to connect. local: address to come from (its port is ignored), or NULL. output_max_bytes:
 * bound of the write queue. events must live as long as the stream. NULL when it fails at once
 * (no descriptors, no route, local is not ours, refused by this very host): nothing is called then,
 * and err is what on_end would have said. */
TcpStream *tcp_connect(Loop *loop, const NetAddress *peer, const NetAddress *local, Mono deadline,
                       size_t output_max_bytes, const TcpEvents *events, void *arg, Err *err);

/* Which way a peer is spoken to. */
typedef enum TcpTransport {
    TCP_TLS_ELSE_PLAIN, /* a peer that answers no handshake is connected to anew, and spoken to plainly */
    TCP_TLS,
    TCP_PLAIN,
} TcpTransport;

typedef struct TcpSecurity {
    TlsContext *context;     /* tried first                                                       */
    TlsContext *old_context; /* for a peer that speaks TLS, but not that of context; NULL: none */
    bool
        was_modern; /* it did: what it cannot now is TCP_END_DOWNGRADED, and old_context not used */
    TcpTransport transport;
    char pin[TLS_PIN_SIZE]; /* the certificate that is wanted, "" = any */
} TcpSecurity;

/* tcp_connect, then the handshake; on_connected comes after both, and what was written before waits for it. Each try
 * (context, old_context, plainly) has a connection of its own; the contexts must live as long as the stream. old_context
 * is for a peer that answered with TLS, and with TCP_TLS also for one that hung up. deadline is that of the first connection; the handshake has TCP_TLS_TRY_MS or TCP_HANDSHAKE_MS, a plain connection after it
 * TCP_HANDSHAKE_MS. With TCP_TLS_ELSE_PLAIN a refused connection and an untrusted certificate are no reason to speak
 * plainly. */
TcpStream *tcp_connect_secure(Loop *loop, const NetAddress *peer, const NetAddress *local,
                              Mono deadline, size_t output_max_bytes, const TcpSecurity *security,
                              const TcpEvents *events, void *arg, Err *err);

/* What the handshake agreed on: "TLSv1.3", "TLSv1" ...; "" of a plain stream. is_old: in old_context. */
const char *tcp_tls_version(const TcpStream *stream, bool *ret_is_old);

/* The certificate the peer has shown (also one that was not trusted), "" of a plain stream. */
const char *tcp_peer_certificate(const TcpStream *stream);

/* An accepted stream speaks TLS as the server, from tcp_attach on, which must follow. False with ERR_TEMPORARY. */
bool tcp_accept_tls(TcpStream *stream, TlsContext *context, Err *err);

/* What a tap hears of a stream: everything its owner reads and writes, in order and in clear text, before the owner
 * hears of it; and what becomes of the connection. CLOSED is always the last. */
typedef enum TcpTapKind {
    TCP_TAP_CONNECTED, /* text: "TLSv1.3" ..., "" = plain  */
    TCP_TAP_READ,
    TCP_TAP_WRITTEN, /* accepted by tcp_write            */
    TCP_TAP_ENDED,   /* text: tcp_end_name, or more      */
    TCP_TAP_CLOSED,  /* by the owner                     */
} TcpTapKind;

/* bytes and text are borrowed for the call. Must not touch the stream. */
typedef void TcpTapFn(void *arg, TcpTapKind kind, Bytes bytes, const char *text);

/* Sets the one tap of a stream. tap is called inside functions that the owner calls as well. */
void tcp_tap(TcpStream *stream, TcpTapFn *tap, void *arg);

/* Gives an accepted stream its owner. Until then it reads nothing. */
void tcp_attach(TcpStream *stream, size_t output_max_bytes, const TcpEvents *events, void *arg);

/* Sends now what the kernel takes and queues the rest. False and nothing sent or queued when the
 * queue would pass its maximum (ERR_TEMPORARY; wait for on_drained) or the stream has broken
 * (ERR_TEMPORARY; on_end is on its way or was called). */
bool tcp_write(TcpStream *stream, Bytes bytes, Err *err);

size_t tcp_queued_bytes(const TcpStream *stream); /* written, not yet taken by the kernel */

/* Stops and restarts reading; the kernel's window then slows the peer down. The end of the peer is
 * not noticed while paused, and the read time-out does not run. */
void tcp_pause(TcpStream *stream);
void tcp_resume(TcpStream *stream);

/* Ends the stream with TCP_END_IDLE when nothing is read for so many milliseconds; 0 (the default)
 * = never. */
void tcp_set_read_timeout(TcpStream *stream, int64_t timeout_ms);

NetAddress tcp_peer_address(const TcpStream *stream);
NetAddress tcp_local_address(const TcpStream *stream); /* names the interface that was reached */

/* Orderly end: what is queued is sent, then our side is shut, then the peer's bytes are read and
 * thrown away until it closes or TCP_CLOSE_LINGER_MS passed. Closing with unread input would send
 * a reset, and a reset makes the peer lose bytes it has not read yet. The stream must not be used
 * any more; it frees itself. Accepts NULL. */
void tcp_close(TcpStream *stream_take);

/* Ends at once; queued bytes are lost, the peer sees a reset. Accepts NULL. */
void tcp_abort(TcpStream *stream_take);
DEFINE_AUTO(TcpStream, tcp_abort);

typedef struct TcpListener TcpListener;

/* A new connection. The callback owns the stream: tcp_attach or tcp_abort it. It may free the
 * listener. */
typedef void TcpAcceptFn(void *arg, TcpStream *stream_take);

/* Listens with SO_REUSEADDR; port 0 takes a free one. "::" takes IPv6 only, so that "0.0.0.0" can
 * be listened on as well. backlog: connections the kernel holds for us. When accepting fails for
 * want of descriptors the listener rests TCP_ACCEPT_PAUSE_MS and goes on. Errors: ERR_TEMPORARY
 * (port in use), ERR_DENIED, ERR_PERMANENT. */
TcpListener *tcp_listen(Loop *loop, const NetAddress *bind_address, int backlog,
                        TcpAcceptFn *accept, void *arg, Err *err);

/* The same for connections that come by one interface (by name), and stay on it: several listeners may
 * have one port then. ERR_NOT_FOUND when there is none of this name. */
TcpListener *tcp_listen_on(Loop *loop, const char *interface_name, const NetAddress *bind_address,
                           int backlog, TcpAcceptFn *accept, void *arg, Err *err);
NetAddress tcp_listener_address(const TcpListener *listener);
void tcp_listener_free(TcpListener *listener); /* accepts NULL */
DEFINE_AUTO(TcpListener, tcp_listener_free);

#endif
