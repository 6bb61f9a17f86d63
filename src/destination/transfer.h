/* destination/transfer.h - one libcurl handle with the house's limits, trust and words for failures.
 *
 * A kind that speaks FTP, SFTP, SMTP or HTTP keeps one Transfer as its connection: libcurl reuses what is
 * still open. For each exchange: transfer_begin(), curl_easy_setopt() what the kind needs, then
 * transfer_run(). Nothing follows a redirect: credentials go to the address that was configured, and
 * nowhere else. One thread. */
#ifndef PLATEN_DESTINATION_TRANSFER_H
#define PLATEN_DESTINATION_TRANSFER_H

#include "destination/destination.h"

#include <curl/curl.h>

/* --- whom to trust ----------------------------------------------------------------------------------- */
typedef enum TlsTrust {
    TLS_TRUST_STRICT,    /* an authority the system knows, and the name          */
    TLS_TRUST_CA,        /* an authority whose certificate is in tls_ca          */
    TLS_TRUST_PIN,       /* the key of tls_pin, whatever the certificate says    */
    TLS_TRUST_FIRST_USE, /* like pin; an empty tls_pin learns the first key seen */
    TLS_TRUST_INSECURE,  /* anybody: whoever is in between reads the password    */
} TlsTrust;

enum { TLS_CA_SIZE = 8192, TLS_PIN_SIZE = 64 };

/* Members of the settings of a kind with TLS, their rows, and how transfer_new gets them. */
#define TLS_MEMBERS           \
    int64_t tls_trust;        \
    char tls_ca[TLS_CA_SIZE]; \
    char tls_pin[TLS_PIN_SIZE]
#define TLS_FIELDS(S)                                                                              \
    CHOICE(S, tls_trust, tls_trust_words, TLS_TRUST_STRICT,                                        \
           "Whose certificate is accepted: strict, ca, pin, first-use, or insecure (anybody's)."), \
        TEXT(S, tls_ca, false, "With ca: certificates of the authority, as PEM text."),            \
        TEXT(S, tls_pin, false,                                                                    \
             "With pin and first-use: sha256// and the base64 SHA-256 of the public key.")
extern const char *const tls_trust_words[];

typedef struct TlsPolicy {
    TlsTrust trust;
    const char *ca, *pin; /* borrowed */
} TlsPolicy;

#define TLS_POLICY(settings) \
    ((TlsPolicy){ (TlsTrust)(settings)->tls_trust, (settings)->tls_ca, (settings)->tls_pin })

/* How long nothing may happen. */
#define TIMEOUT_FIELD(S)              \
    INTEGER(S, timeout_s, 1, 600, 60, \
            "Seconds without any progress after which the server counts as hanging.")

/* --- the transfer ------------------------------------------------------------------------------------ */
enum { TRANSFER_PEER_SIZE = 128 };

typedef struct TransferConfig {
    const char *protocols; /* "ftp,ftps": no other is spoken */
    const char *peer;      /* in messages: "ftp.example.org"; copied, cut to TRANSFER_PEER_SIZE */
    int64_t timeout_s;
    TlsPolicy tls;
} TransferConfig;

typedef struct Transfer Transfer;

/* config is copied, what it borrows must live as long as the transfer. NULL: no memory. */
Transfer *transfer_new(const TransferConfig *config);
void transfer_free(Transfer *transfer); /* closes the connection; accepts NULL */

/* Starts an exchange for an errand: every option of the handle is set anew, open connections stay. */
CURL *transfer_begin(Transfer *transfer, const Errand *errand);

/* The handle and the errand of the exchange that was begun. */
CURL *transfer_handle(Transfer *transfer);
const Errand *transfer_errand(const Transfer *transfer);

/* For a kind that talks itself over a connection of CURLOPT_CONNECT_ONLY: goes on with it for the next errand;
 * and closes it, so that the next transfer_begin() connects anew. */
void transfer_adopt(Transfer *transfer, const Errand *errand);
void transfer_hang_up(Transfer *transfer);

/* Until the next transfer_begin(), each line of the peer, with its end, is also told to fn. */
typedef void TransferListener(void *arg, Bytes line);
void transfer_listen(Transfer *transfer, TransferListener *fn, void *arg);

/* The key that is trusted, configured or learnt, "" = none; and lets a second connection of the same destination
 * trust it, which would ask for it again otherwise. */
const char *transfer_pin(const Transfer *transfer);
void transfer_trust(Transfer *transfer, const char *pin);

/* Adds a line to the headers of the exchange that was begun; for http.h. */
void transfer_add_header(Transfer *transfer, const char *line);

/* The body of the exchange is the errand's parcel, of which it tells the size. */
void transfer_upload(Transfer *transfer);

/* The same for n_bytes of the parcel from offset on, with other bytes around them; those are borrowed until the
 * exchange was run. */
typedef struct TransferBody {
    Bytes before;
    int64_t offset, n_bytes;
    Bytes after;
} TransferBody;
void transfer_send(Transfer *transfer, const TransferBody *body);

/* What a reply of the peer means. The first row whose range has the code counts. */
typedef struct TransferReply {
    long first, last;
    DeliveryClass class; /* OK: no failure, the caller looks at the code */
    const char *stage;   /* NULL: the one of the run                      */
    const char *cure;
} TransferReply;

/* Does the exchange. stage: what it is for, when connecting is not the problem. replies: rows of the kind
 * (ended by first = 0), which come before what the protocol says by itself. False: the result is
 * filled. Stages of connecting that were passed are told. */
bool transfer_run(Transfer *transfer, const char *stage, const TransferReply *replies);

/* A code that the answer of the last run holds inside, as WebDAV's 207 does: what it means is decided as if it
 * were the reply itself, and it is transfer_code() from now on. */
bool transfer_replied(Transfer *transfer, long code, const char *stage,
                      const TransferReply *replies);

/* Of the last run: reply code (HTTP status, FTP or SMTP code; with SFTP libcurl's own, which replies name
 * there), body of the answer (at most 1 MiB, as text), whether the whole body had been sent. */
long transfer_code(const Transfer *transfer);
const char *transfer_body(Transfer *transfer);
Bytes transfer_body_bytes(const Transfer *transfer); /* the same, for what is no text */
bool transfer_all_sent(const Transfer *transfer);

/* Fills a failure with the peer's name in front of the text. Always returns false. */
bool transfer_failed(Transfer *transfer, DeliveryClass class, const char *stage, const char *cure,
                     const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* Appends text to a URL with everything but letters, digits, "-", ".", "_" and "~" as %XX. */
bool url_put(Buf *url, const char *text);

#endif
