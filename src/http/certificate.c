/* http/certificate.c - see certificate.h. */
#include "http/certificate.h"

#include "base/cleanup.h"

#include <arpa/inet.h>
#include <gnutls/crypto.h>
#include <gnutls/x509.h>

enum { VALID_DAYS = 3650, SECONDS_PER_DAY = 86400, SERIAL_BYTES = 16 };

typedef struct Pair {
    gnutls_x509_privkey_t key;
    gnutls_x509_crt_t certificate;
} Pair;

static void pair_done(Pair *pair)
{
    if (pair->certificate)
        gnutls_x509_crt_deinit(pair->certificate);
    if (pair->key)
        gnutls_x509_privkey_deinit(pair->key);
}

/* Names the certificate is good for. */
static int add_names(gnutls_x509_crt_t c, const char *host)
{
    struct in_addr v4 = { .s_addr = htonl(INADDR_LOOPBACK) };
    struct in6_addr v6 = IN6ADDR_LOOPBACK_INIT;
    int code = gnutls_x509_crt_set_subject_alt_name(c, GNUTLS_SAN_DNSNAME, "localhost", 9,
                                                    GNUTLS_FSAN_SET);

    if (code == 0 && host[0])
        code = gnutls_x509_crt_set_subject_alt_name(c, GNUTLS_SAN_DNSNAME, host,
                                                    (unsigned)strlen(host), GNUTLS_FSAN_APPEND);
    if (code == 0)
        code = gnutls_x509_crt_set_subject_alt_name(c, GNUTLS_SAN_IPADDRESS, &v4, sizeof v4,
                                                    GNUTLS_FSAN_APPEND);
    if (code == 0)
        code = gnutls_x509_crt_set_subject_alt_name(c, GNUTLS_SAN_IPADDRESS, &v6, sizeof v6,
                                                    GNUTLS_FSAN_APPEND);
    return code;
}

/* The first failing step ends it; GnuTLS codes are negative. */
static int fill(Pair *pair, const char *host, Wall now)
{
    uint8_t serial[SERIAL_BYTES];
    const char *name = host[0] ? host : "localhost";
    time_t from = (time_t)(now.ms / 1000) - SECONDS_PER_DAY; /* clocks differ */
    gnutls_x509_crt_t c = pair->certificate;
    int code = gnutls_rnd(GNUTLS_RND_NONCE, serial, sizeof serial);

    serial[0] &= 0x7f; /* a positive number, RFC 5280 section 4.1.2.2 */
    if (code == 0)
        code = gnutls_x509_privkey_generate(pair->key, GNUTLS_PK_ECDSA,
                                            GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0);
    if (code == 0)
        code = gnutls_x509_crt_set_version(c, 3);
    if (code == 0)
        code = gnutls_x509_crt_set_serial(c, serial, sizeof serial);
    if (code == 0)
        code = gnutls_x509_crt_set_activation_time(c, from);
    if (code == 0)
        code = gnutls_x509_crt_set_expiration_time(c, from + (time_t)VALID_DAYS * SECONDS_PER_DAY);
    if (code == 0)
        code = gnutls_x509_crt_set_dn_by_oid(c, GNUTLS_OID_X520_COMMON_NAME, 0, name,
                                             (unsigned)strlen(name));
    if (code == 0)
        code = add_names(c, host);
    if (code == 0)
        code = gnutls_x509_crt_set_key_usage(c, GNUTLS_KEY_DIGITAL_SIGNATURE |
                                                    GNUTLS_KEY_KEY_CERT_SIGN);
    if (code == 0)
        code = gnutls_x509_crt_set_basic_constraints(c, 1, 0);
    if (code == 0)
        code = gnutls_x509_crt_set_key(c, pair->key);
    if (code == 0)
        code = gnutls_x509_crt_sign2(c, c, pair->key, GNUTLS_DIG_SHA256, 0);
    return code;
}

static int put_pem(Buf *to, int (*export)(const void *object, gnutls_datum_t *out),
                   const void *object)
{
    gnutls_datum_t pem = { 0 };
    int code = export(object, &pem);

    if (code == 0 && !buf_put(to, (Bytes){ pem.data, pem.size }))
        code = GNUTLS_E_MEMORY_ERROR;
    gnutls_free(pem.data);
    return code;
}

static int export_certificate(const void *object, gnutls_datum_t *out)
{
    return gnutls_x509_crt_export2((gnutls_x509_crt_t)object, GNUTLS_X509_FMT_PEM, out);
}

static int export_key(const void *object, gnutls_datum_t *out)
{
    return gnutls_x509_privkey_export2((gnutls_x509_privkey_t)object, GNUTLS_X509_FMT_PEM, out);
}

bool certificate_make(const char *host_name, Wall now, Buf *certificate_pem, Buf *key_pem, Err *err)
{
    __attribute__((cleanup(pair_done))) Pair pair = { 0 };
    int code = gnutls_x509_privkey_init(&pair.key);

    if (code == 0)
        code = gnutls_x509_crt_init(&pair.certificate);
    if (code == 0)
        code = fill(&pair, host_name, now);
    if (code == 0)
        code = put_pem(certificate_pem, export_certificate, pair.certificate);
    if (code == 0)
        code = put_pem(key_pem, export_key, pair.key);
    return code == 0 || err_set(err, ERR_TEMPORARY, code, "cannot make a certificate: %s",
                                gnutls_strerror(code));
}

bool certificate_check(Bytes certificate_pem, Bytes key_pem, Err *err)
{
    gnutls_datum_t certificate = { (unsigned char *)(uintptr_t)certificate_pem.p,
                                   (unsigned)certificate_pem.n };
    gnutls_datum_t key = { (unsigned char *)(uintptr_t)key_pem.p, (unsigned)key_pem.n };
    gnutls_certificate_credentials_t both = NULL;
    int code = gnutls_certificate_allocate_credentials(&both);

    if (code == 0)
        code = gnutls_certificate_set_x509_key_mem(both, &certificate, &key, GNUTLS_X509_FMT_PEM);
    if (both)
        gnutls_certificate_free_credentials(both);
    if (code >= 0) /* the index of the pair */
        return true;
    err_set(err, code == GNUTLS_E_MEMORY_ERROR ? ERR_TEMPORARY : ERR_BAD_INPUT, code,
            "no HTTPS listener can be made of this certificate and key: %s", gnutls_strerror(code));
    return err_remedy(err, "Check that both are PEM and that the key is that of the certificate.");
}

bool certificate_validity(Bytes pem, Wall *ret_from, Wall *ret_until, Err *err)
{
    __attribute__((cleanup(pair_done))) Pair pair = { 0 };
    gnutls_datum_t text = { (unsigned char *)(uintptr_t)pem.p, (unsigned)pem.n };
    int code = gnutls_x509_crt_init(&pair.certificate);

    if (code == 0)
        code = gnutls_x509_crt_import(pair.certificate, &text, GNUTLS_X509_FMT_PEM);
    if (code != 0)
        return err_set(err, ERR_BAD_INPUT, code, "this is no certificate in PEM form: %s",
                       gnutls_strerror(code));
    time_t from = gnutls_x509_crt_get_activation_time(pair.certificate);
    time_t until = gnutls_x509_crt_get_expiration_time(pair.certificate);
    if (from == (time_t)-1 || until == (time_t)-1)
        return err_set(err, ERR_BAD_INPUT, 0, "the certificate does not say when it is valid");
    *ret_from = (Wall){ (int64_t)from * 1000 };
    *ret_until = (Wall){ (int64_t)until * 1000 };
    return true;
}
