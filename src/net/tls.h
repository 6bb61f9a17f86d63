/* net/tls.h - TLS for streams of net/tcp.h: what two ends agree on before bytes of their own flow.
 *
 * Certificates of devices are made by themselves, so there is no authority to ask: a client compares the SHA-256 of the
 * peer's certificate with the one it knows (a pin), inside the handshake, before anything is sent. A context may serve
 * any number of streams of one loop. Loop thread only. */
#ifndef PLATEN_NET_TLS_H
#define PLATEN_NET_TLS_H

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/err.h"

enum { TLS_PIN_SIZE = 65 }; /* SHA-256 of a certificate (DER) as 64 hex digits, or "" = none */

typedef struct TlsContext TlsContext;

/* What is asked of a peer's TLS. */
typedef enum TlsProfile {
    TLS_MODERN, /* TLS 1.2 and newer at OpenSSL's security level 2: keys, ciphers and signatures of 112 bits */
    TLS_OLD, /* TLS 1.0 to 1.3, short keys and old ciphers too: the firmware of many scanners is older than what
                   is asked of web servers today */
} TlsProfile;

/* For connections to devices. Who they are is settled by the pin, never by a chain. NULL with ERR_TEMPORARY. */
TlsContext *tls_device_context_new(TlsProfile profile, Err *err);

enum { TLS_IDENTITY_MAX = 64 * 1024 }; /* bytes of a key and a certificate as PEM */

/* Appends a new key and a certificate that it signs itself for name (at most 64 characters), as PEM. Takes up to a
 * second. ERR_TEMPORARY. */
bool tls_identity_make(const char *name, Buf *pem, Err *err);

/* For a server, with the first key and the first certificate of a PEM text, in either order. ERR_BAD_INPUT: one is
 * missing, the key wants a passphrase, or they do not belong together. */
TlsContext *tls_server_context_new(Bytes pem, Err *err);

/* SHA-256 of a server's own certificate, as in pins. Lives as long as the context. */
const char *tls_server_certificate(const TlsContext *context);

void tls_context_free(TlsContext *context); /* accepts NULL; streams keep what they need of it */
DEFINE_AUTO(TlsContext, tls_context_free);

#endif
