/* net/tls.c - see tls.h and tls-inside.h. OpenSSL with memory BIOs: the sockets stay with tcp.c. */
#include "net/tls-inside.h"

#include "base/text.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

enum { MODERN_LEVEL = 2, MODERN_KEY_BITS = 112 /* of security: RSA 2048 */ };
enum { SHA256_BYTES = 32, CERTIFICATE_DAYS = 3650, KEY_BITS = 2048, SECONDS_PER_DAY = 86400 };

struct TlsContext {
    SSL_CTX *ssl;
    bool modern;            /* a device context of TLS_MODERN   */
    char own[TLS_PIN_SIZE]; /* certificate of a server context  */
};

struct TlsLink {
    SSL *ssl;
    BIO *in, *out; /* owned by ssl */
    char pin[TLS_PIN_SIZE], seen[TLS_PIN_SIZE];
    bool untrusted;
    bool modern;      /* short keys are none of it  */
    uint8_t first[2]; /* bytes that came            */
    size_t first_n;
};

/* --- contexts ------------------------------------------------------------------------------------- */

static bool no_context(const char *what, Err *err)
{
    char text[160];

    ERR_error_string_n(ERR_get_error(), text, sizeof text);
    ERR_clear_error();
    return err_set(err, ERR_TEMPORARY, 0, "%s: %s", what, text);
}

/* The first error of the queue tells; what follows has often no text. */
static TlsResult failed(Err *err)
{
    char text[160];
    unsigned long code = ERR_get_error();

    ERR_error_string_n(code, text, sizeof text);
    ERR_clear_error();
    err_set(err, ERR_TEMPORARY, 0, "TLS: %s", code ? text : "the peer hung up");
    return TLS_FAILED;
}

static TlsLink *link_of(X509_STORE_CTX *store)
{
    const SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());

    return SSL_get_app_data(ssl);
}

/* Security levels hold for chains, which nobody builds here: the key is looked at by ourselves. */
static bool key_is_long_enough(const TlsLink *link, X509 *leaf)
{
    EVP_PKEY *key = X509_get0_pubkey(leaf);

    return !link->modern || (key && EVP_PKEY_get_security_bits(key) >= MODERN_KEY_BITS);
}

static bool digest_of(const X509 *certificate, char ret_pin[TLS_PIN_SIZE])
{
    unsigned char digest[SHA256_BYTES];
    unsigned n = 0;
    bool ok = certificate && X509_digest(certificate, EVP_sha256(), digest, &n) == 1 &&
              n == sizeof digest;

    if (ok)
        text_hex(ret_pin, (Bytes){ digest, sizeof digest });
    return ok;
}

/* In place of a chain: is it the certificate we know? */
static int check_certificate(X509_STORE_CTX *store, void *arg)
{
    TlsLink *link = link_of(store);
    X509 *leaf = X509_STORE_CTX_get0_cert(store);
    bool ok = digest_of(leaf, link->seen);

    (void)arg;
    ok = ok && (!link->pin[0] || CRYPTO_memcmp(link->pin, link->seen, TLS_PIN_SIZE) == 0);
    link->untrusted = !ok;
    X509_STORE_CTX_set_error(store, ok ? X509_V_OK : X509_V_ERR_CERT_REJECTED);
    if (!ok || key_is_long_enough(link, leaf))
        return ok;
    X509_STORE_CTX_set_error(store, X509_V_ERR_EE_KEY_TOO_SMALL);
    return false;
}

static TlsContext *context_new(const SSL_METHOD *method, Err *err)
{
    TlsContext *context = calloc(1, sizeof *context);

    if (context)
        context->ssl = SSL_CTX_new(method);
    if (context && context->ssl)
        return context;
    free(context);
    no_context("no TLS context", err);
    return NULL;
}

void tls_context_free(TlsContext *context)
{
    if (!context)
        return;
    SSL_CTX_free(context->ssl);
    free(context);
}

TlsContext *tls_device_context_new(TlsProfile profile, Err *err)
{
    AUTO(TlsContext) context = context_new(TLS_client_method(), err);
    bool modern = profile == TLS_MODERN;

    if (!context)
        return NULL;
    context->modern = modern;
    SSL_CTX_set_security_level(context->ssl, modern ? MODERN_LEVEL : 0);
    if (SSL_CTX_set_min_proto_version(context->ssl, modern ? TLS1_2_VERSION : TLS1_VERSION) != 1 ||
        SSL_CTX_set_max_proto_version(context->ssl, 0) != 1) {
        no_context("no TLS for devices", err);
        return NULL;
    }
    /* Devices close without close_notify; the protocol inside knows when it is at its end. */
    SSL_CTX_set_options(context->ssl, SSL_OP_IGNORE_UNEXPECTED_EOF);
    if (!modern)
        SSL_CTX_set_options(context->ssl, SSL_OP_LEGACY_SERVER_CONNECT);
    SSL_CTX_set_verify(context->ssl, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_cert_verify_callback(context->ssl, check_certificate, NULL);
    SSL_CTX_set_session_cache_mode(context->ssl, SSL_SESS_CACHE_OFF);
    return STEAL(context);
}

static bool fill_certificate(X509 *certificate, EVP_PKEY *key, const char *name)
{
    X509_NAME *subject = X509_get_subject_name(certificate);

    return X509_set_version(certificate, X509_VERSION_3) == 1 &&
           ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1) == 1 &&
           X509_gmtime_adj(X509_getm_notBefore(certificate), -SECONDS_PER_DAY) &&
           X509_gmtime_adj(X509_getm_notAfter(certificate),
                           (long)CERTIFICATE_DAYS * SECONDS_PER_DAY) &&
           X509_set_pubkey(certificate, key) == 1 &&
           X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const unsigned char *)name, -1,
                                      -1, 0) == 1 &&
           X509_set_issuer_name(certificate, subject) == 1 &&
           X509_sign(certificate, key, EVP_sha256()) > 0;
}

static bool write_pem(EVP_PKEY *key, X509 *certificate, Buf *pem)
{
    BIO *text = BIO_new(BIO_s_mem());
    char *at = NULL;
    bool ok = text && PEM_write_bio_PrivateKey(text, key, NULL, NULL, 0, NULL, NULL) == 1 &&
              PEM_write_bio_X509(text, certificate) == 1;
    long n = ok ? BIO_get_mem_data(text, &at) : 0;

    ok = ok && n > 0 && buf_put(pem, (Bytes){ (const uint8_t *)at, (size_t)n });
    BIO_free(text);
    return ok;
}

bool tls_identity_make(const char *name, Buf *pem, Err *err)
{
    EVP_PKEY *key = EVP_RSA_gen(KEY_BITS);
    X509 *certificate = key ? X509_new() : NULL;
    bool ok = certificate && fill_certificate(certificate, key, name) &&
              write_pem(key, certificate, pem);

    X509_free(certificate);
    EVP_PKEY_free(key);
    return ok || no_context("no certificate", err);
}

/* Nobody is asked at a terminal. */
static int no_passphrase(char *to, int size, int writing, void *arg)
{
    (void)to, (void)size, (void)writing, (void)arg;
    return -1;
}

static bool use_identity(TlsContext *context, Bytes pem)
{
    BIO *keys = BIO_new_mem_buf(pem.p, (int)pem.n),
        *certificates = BIO_new_mem_buf(pem.p, (int)pem.n);
    EVP_PKEY *key = keys ? PEM_read_bio_PrivateKey(keys, NULL, no_passphrase, NULL) : NULL;
    X509 *certificate = certificates ? PEM_read_bio_X509(certificates, NULL, no_passphrase, NULL)
                                     : NULL;
    bool ok = key && certificate && digest_of(certificate, context->own) &&
              SSL_CTX_use_certificate(context->ssl, certificate) == 1 &&
              SSL_CTX_use_PrivateKey(context->ssl, key) == 1 &&
              SSL_CTX_check_private_key(context->ssl) == 1;

    X509_free(certificate);
    EVP_PKEY_free(key);
    BIO_free(certificates);
    BIO_free(keys);
    ERR_clear_error();
    return ok;
}

TlsContext *tls_server_context_new(Bytes pem, Err *err)
{
    AUTO(TlsContext) context = context_new(TLS_server_method(), err);

    if (!context)
        return NULL;
    if (pem.n > TLS_IDENTITY_MAX || !use_identity(context, pem)) {
        err_set(err, ERR_BAD_INPUT, 0, "no key and certificate in PEM that belong together");
        return NULL;
    }
    SSL_CTX_set_options(context->ssl, SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_session_cache_mode(context->ssl, SSL_SESS_CACHE_OFF);
    return STEAL(context);
}

const char *tls_server_certificate(const TlsContext *context)
{
    return context->own;
}

/* --- one connection ------------------------------------------------------------------------------- */

TlsLink *tls_link_new(TlsContext *context, bool is_server, const char *pin)
{
    TlsLink *link = calloc(1, sizeof *link);

    if (!link)
        return NULL;
    (void)text_copy(link->pin, sizeof link->pin, pin);
    link->modern = context->modern;
    link->ssl = SSL_new(context->ssl);
    link->in = BIO_new(BIO_s_mem());
    link->out = BIO_new(BIO_s_mem());
    if (!link->ssl || !link->in || !link->out) {
        BIO_free(link->in);
        BIO_free(link->out);
        SSL_free(link->ssl);
        free(link);
        return NULL;
    }
    BIO_set_mem_eof_return(link->in, -1); /* empty means: wait for more */
    SSL_set_bio(link->ssl, link->in, link->out);
    SSL_set_app_data(link->ssl, link);
    if (is_server)
        SSL_set_accept_state(link->ssl);
    else
        SSL_set_connect_state(link->ssl); /* no server name: devices have none */
    return link;
}

void tls_link_free(TlsLink *link)
{
    if (!link)
        return;
    SSL_free(link->ssl);
    free(link);
}

bool tls_feed(TlsLink *link, Bytes bytes)
{
    for (size_t i = 0; i < bytes.n && link->first_n < sizeof link->first; i++)
        link->first[link->first_n++] = bytes.p[i];
    return bytes.n <= INT32_MAX && BIO_write(link->in, bytes.p, (int)bytes.n) == (int)bytes.n;
}

void tls_feed_end(TlsLink *link)
{
    BIO_set_mem_eof_return(link->in, 0);
}

static TlsResult result_of(TlsLink *link, int code, Err *err)
{
    switch (SSL_get_error(link->ssl, code)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return TLS_WANTS_BYTES;
    case SSL_ERROR_ZERO_RETURN:
        return TLS_ENDED;
    default:
        if (!link->untrusted)
            return failed(err);
        ERR_clear_error();
        err_set(err, ERR_DENIED, 0, "another certificate than the known one: %s", link->seen);
        return TLS_UNTRUSTED;
    }
}

TlsResult tls_handshake(TlsLink *link, Err *err)
{
    ERR_clear_error();
    int code = SSL_do_handshake(link->ssl);

    return code == 1 ? TLS_OK : result_of(link, code, err);
}

TlsResult tls_read(TlsLink *link, uint8_t *to, size_t max, size_t *ret_n, Err *err)
{
    ERR_clear_error();
    int code = SSL_read_ex(link->ssl, to, max, ret_n);

    return code == 1 ? TLS_OK : result_of(link, code, err);
}

bool tls_write(TlsLink *link, Bytes bytes)
{
    size_t n;

    ERR_clear_error();
    return bytes.n == 0 || SSL_write_ex(link->ssl, bytes.p, bytes.n, &n) == 1;
}

void tls_say_goodbye(TlsLink *link)
{
    ERR_clear_error();
    (void)SSL_shutdown(link->ssl);
    ERR_clear_error();
}

size_t tls_take(TlsLink *link, uint8_t *to, size_t max)
{
    int n = BIO_read(link->out, to, max < INT32_MAX ? (int)max : INT32_MAX);

    return n > 0 ? (size_t)n : 0;
}

/* RFC 8446, 5.1 (and RFC 2246 before it): content type, then the version, 3 in front since SSL 3.0. */
TlsHeard tls_heard(const TlsLink *link)
{
    enum { ALERT = 21, HANDSHAKE = 22, VERSION = 3 };
    bool record = link->first_n == sizeof link->first &&
                  (link->first[0] == ALERT || link->first[0] == HANDSHAKE) &&
                  link->first[1] == VERSION;

    return link->first_n == 0 ? TLS_HEARD_NOTHING : record ? TLS_HEARD_RECORD : TLS_HEARD_OTHER;
}

const char *tls_version(const TlsLink *link)
{
    return SSL_is_init_finished(link->ssl) ? SSL_get_version(link->ssl) : "";
}

const char *tls_peer_certificate(const TlsLink *link)
{
    return link->seen;
}
