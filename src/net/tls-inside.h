/* net/tls-inside.h - one TLS connection without its socket. Private to tcp-tls.c, tcp.c and tls.c.
 *
 * Bytes from the wire go in by tls_feed, bytes for the wire come out by tls_take; in between the handshake, then the
 * owner's bytes by tls_read and tls_write. Nothing here waits. */
#ifndef PLATEN_NET_TLS_INSIDE_H
#define PLATEN_NET_TLS_INSIDE_H

#include "base/bytes.h"
#include "net/tls.h"

typedef struct TlsLink TlsLink;

typedef enum TlsResult {
    TLS_OK,
    TLS_WANTS_BYTES, /* the peer must send first                                     */
    TLS_ENDED,       /* the peer has said its last (close_notify), or its stream ended */
    TLS_UNTRUSTED,   /* its certificate is not the pinned one                        */
    TLS_FAILED,      /* it speaks no TLS, or not ours; err says what                 */
} TlsResult;

/* pin: "" takes any certificate. is_server: pin is not used. NULL: no memory. */
TlsLink *tls_link_new(TlsContext *context, bool is_server, const char *pin);
void tls_link_free(TlsLink *link); /* accepts NULL */

bool tls_feed(TlsLink *link, Bytes bytes); /* false: no memory */
void tls_feed_end(TlsLink *link);          /* the wire has ended */

/* Goes on with the handshake; OK when it is done. */
TlsResult tls_handshake(TlsLink *link, Err *err);

TlsResult tls_read(TlsLink *link, uint8_t *to, size_t max, size_t *ret_n, Err *err);
bool tls_write(TlsLink *link, Bytes bytes); /* all of it; false: broken */
void tls_say_goodbye(TlsLink *link);        /* close_notify */

/* Bytes for the wire; 0 when there are none. */
size_t tls_take(TlsLink *link, uint8_t *to, size_t max);

/* What the first bytes that came were. A peer that has sent a TLS record is none that speaks plainly, whatever
 * failed. */
typedef enum TlsHeard { TLS_HEARD_NOTHING, TLS_HEARD_RECORD, TLS_HEARD_OTHER } TlsHeard;
TlsHeard tls_heard(const TlsLink *link);

/* "TLSv1.3", "TLSv1" ...: what was agreed on. "" before the handshake is done. Static. */
const char *tls_version(const TlsLink *link);

/* SHA-256 of the peer's certificate, "" before it was seen. */
const char *tls_peer_certificate(const TlsLink *link);

#endif
