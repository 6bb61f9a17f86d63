/* destination/transfer.c - see transfer.h. */
#include "destination/transfer.h"

#include "base/cleanup.h"
#include "base/text.h"

#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    CONNECT_TIMEOUT_S = 15,
    WAIT_MAX_MS = 32,
    EYEBALLS_MS = 2,
    BODY_BYTES_MAX = 1024 * 1024,
    REPLY_SIZE = 160,
    HTTP_ERRORS = 400,
};

const char *const tls_trust_words[] = { "strict", "ca", "pin", "first-use", "insecure", NULL };

struct Transfer {
    TransferConfig config;
    CURLM *multi; /* has the open connections */
    bool
        added; /* the handle is in it; it stays until the next exchange, for whom libcurl only connects */
    CURL *curl;
    const Errand *errand;
    char peer[TRANSFER_PEER_SIZE];
    struct curl_slist *headers;  /* of the exchange */
    char pin[TLS_PIN_SIZE];      /* that is trusted: configured or learned        */
    char seen_pin[TLS_PIN_SIZE]; /* of a key that is not trusted, "" = none       */
    char words[CURL_ERROR_SIZE]; /* libcurl's, of the last run                    */
    char reply[REPLY_SIZE];      /* last line of a reply, without its end         */
    TransferListener *listener;  /* NULL: nobody listens */
    void *listener_arg;
    Buf body;
    TransferBody sending;
    int64_t sent_bytes; /* of what is sent, as libcurl has taken them    */
    bool sends, source_failed;
    bool told;   /* the stages of connecting */
    bool spoilt; /* the last exchange failed */
    long code;
};

Transfer *transfer_new(const TransferConfig *config)
{
    Transfer *t = calloc(1, sizeof *t);

    if (!t)
        return NULL;
    t->config = *config;
    (void)text_copy(t->peer, sizeof t->peer, config->peer);
    t->body = buf_with_max(BODY_BYTES_MAX);
    (void)text_copy(t->pin, sizeof t->pin, config->tls.pin ? config->tls.pin : "");
    t->curl = curl_easy_init();
    t->multi = curl_multi_init();
    if (t->curl && t->multi)
        return t;
    transfer_free(t);
    return NULL;
}

static void leave_multi(Transfer *t)
{
    if (t->added)
        (void)curl_multi_remove_handle(t->multi, t->curl);
    t->added = false;
}

void transfer_free(Transfer *t)
{
    if (!t)
        return;
    leave_multi(t);
    curl_easy_cleanup(t->curl);
    curl_multi_cleanup(t->multi);
    curl_slist_free_all(t->headers);
    buf_done(&t->body);
    free(t);
}

/* --- trust ----------------------------------------------------------------------------------------- */

/* "sha256//<base64>" of a certificate's public key, as libcurl and RFC 7469 write it. */
static bool pin_of(X509 *certificate, char ret_pin[TLS_PIN_SIZE])
{
    unsigned char *der = NULL, hash[EVP_MAX_MD_SIZE], text[TLS_PIN_SIZE];
    unsigned hash_n = 0;
    int der_n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
    bool ok = der_n > 0 && EVP_Digest(der, (size_t)der_n, hash, &hash_n, EVP_sha256(), NULL) == 1;

    OPENSSL_free(der);
    if (!ok)
        return false;
    (void)EVP_EncodeBlock(text, hash, (int)hash_n);
    return text_printf(ret_pin, TLS_PIN_SIZE, "sha256//%s", (char *)text);
}

/* Instead of OpenSSL's own check of the chain: only the key counts. It runs inside the handshake, before
 * any password is sent. */
static int check_pin(X509_STORE_CTX *store, void *arg)
{
    Transfer *t = arg;
    const DeliveryTalk *talk = t->errand->talk;
    X509 *certificate = X509_STORE_CTX_get0_cert(store);
    char pin[TLS_PIN_SIZE];

    if (certificate && pin_of(certificate, pin)) {
        if (text_equal(pin, t->pin))
            return 1;
        (void)text_copy(t->seen_pin, sizeof t->seen_pin, pin);
        if (t->config.tls.trust == TLS_TRUST_FIRST_USE && !t->pin[0] &&
            talk->learn(talk->arg, "tls_pin", pin)) {
            (void)text_copy(t->pin, sizeof t->pin, pin);
            return 1;
        }
    }
    X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
    return 0;
}

const char *transfer_pin(const Transfer *t)
{
    return t->pin;
}

void transfer_trust(Transfer *t, const char *pin)
{
    (void)text_copy(t->pin, sizeof t->pin, pin);
}

static CURLcode prepare_tls(CURL *curl, void *context, void *arg)
{
    (void)curl;
    SSL_CTX_set_cert_verify_callback(context, check_pin, arg);
    return CURLE_OK;
}

static void set_tls(Transfer *t)
{
    const TlsPolicy *tls = &t->config.tls;
    struct curl_blob ca = { (void *)(uintptr_t)tls->ca, tls->ca ? strlen(tls->ca) : 0,
                            CURL_BLOB_COPY };

    curl_easy_setopt(t->curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (tls->trust == TLS_TRUST_CA) {
        curl_easy_setopt(t->curl, CURLOPT_CAINFO, NULL);
        curl_easy_setopt(t->curl, CURLOPT_CAPATH, NULL);
        curl_easy_setopt(t->curl, CURLOPT_CAINFO_BLOB, &ca);
    }
    if (tls->trust == TLS_TRUST_PIN || tls->trust == TLS_TRUST_FIRST_USE) {
        curl_easy_setopt(t->curl, CURLOPT_SSL_CTX_FUNCTION, prepare_tls);
        curl_easy_setopt(t->curl, CURLOPT_SSL_CTX_DATA, t);
        curl_easy_setopt(t->curl, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    if (tls->trust == TLS_TRUST_INSECURE) {
        curl_easy_setopt(t->curl, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(t->curl, CURLOPT_SSL_VERIFYHOST, 0L);
    }
}

/* --- bytes ----------------------------------------------------------------------------------------- */

static bool is_http(Transfer *t)
{
    char *scheme = NULL;

    curl_easy_getinfo(t->curl, CURLINFO_SCHEME, &scheme);
    return scheme && (text_equal_nocase(scheme, "http") || text_equal_nocase(scheme, "https"));
}

static size_t take_body(char *bytes, size_t one, size_t n, void *arg)
{
    Transfer *t = arg;

    (void)one;
    (void)buf_put(&t->body, (Bytes){ (const uint8_t *)bytes, n });
    return n; /* what is too long is cut: nobody needs more of an error page */
}

/* Lines of the peer: HTTP headers, of which only the status is kept; replies of FTP and SMTP. */
static size_t take_line(char *line, size_t one, size_t n, void *arg)
{
    Transfer *t = arg;
    size_t end = n;

    (void)one;
    while (end > 0 && (line[end - 1] == '\r' || line[end - 1] == '\n'))
        end--;
    if (end > 0 && (!is_http(t) || bytes_start_with((Bytes){ (const uint8_t *)line, n }, "HTTP/")))
        (void)text_copy_bytes(t->reply, sizeof t->reply, (Bytes){ (const uint8_t *)line, end });
    if (t->listener)
        t->listener(t->listener_arg, (Bytes){ (const uint8_t *)line, n });
    return n;
}

/* Bytes from a place on, as many as there are and fit. */
static size_t give_some(char *to, size_t n, Bytes from, int64_t at)
{
    Bytes rest = bytes_after(from, (size_t)at);
    size_t some = rest.n < n ? rest.n : n;

    for (size_t i = 0; i < some; i++)
        to[i] = (char)rest.p[i];
    return some;
}

static size_t give_bytes(char *to, size_t one, size_t n, void *arg)
{
    Transfer *t = arg;
    const TransferBody *body = &t->sending;
    int64_t at = t->sent_bytes, parcel_at = at - (int64_t)body->before.n;
    int64_t parcel_left = body->n_bytes - parcel_at;
    size_t got = 0;

    if (parcel_at < 0)
        got = give_some(to, one * n, body->before, at);
    else if (parcel_left <= 0)
        got = give_some(to, one * n, body->after, -parcel_left);
    else if (!errand_read(t->errand, body->offset + parcel_at, to,
                          parcel_left < (int64_t)(one * n) ? (size_t)parcel_left : one * n, &got)) {
        t->source_failed = true;
        return CURL_READFUNC_ABORT;
    }
    t->sent_bytes += (int64_t)got;
    return got;
}

static int go_back(void *arg, curl_off_t offset, int origin)
{
    Transfer *t = arg;

    if (origin != SEEK_SET)
        return CURL_SEEKFUNC_CANTSEEK;
    t->sent_bytes = offset;
    return CURL_SEEKFUNC_OK;
}

/* A handle whose last exchange failed is not used again. libcurl 7.88 (Debian 12) can go on with an FTP
 * connection that is out of step, and then reads a buffer that it has freed: seen when a server answers STOR
 * with 550 and resets the data connection inside its TLS handshake. */
static void renew(Transfer *t)
{
    CURL *curl = curl_easy_init();
    CURLM *multi = curl_multi_init();

    t->spoilt = false;
    if (!curl || !multi) { /* no memory: the next exchange says so */
        curl_easy_cleanup(curl);
        curl_multi_cleanup(multi);
        return;
    }
    leave_multi(t);
    curl_easy_cleanup(t->curl);
    curl_multi_cleanup(t->multi);
    t->curl = curl;
    t->multi = multi;
}

CURL *transfer_begin(Transfer *t, const Errand *errand)
{
    if (t->spoilt)
        renew(t);
    CURL *curl = t->curl;

    leave_multi(t);
    t->errand = errand;
    t->sends = false;
    t->sent_bytes = 0;
    t->listener = NULL;
    curl_easy_reset(curl);
    curl_slist_free_all(t->headers);
    t->headers = NULL;
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, t->config.protocols);
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    curl_easy_setopt(curl, CURLOPT_PROXY, ""); /* not what the environment happens to say */
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT,
                     t->config.timeout_s < CONNECT_TIMEOUT_S ? (long)t->config.timeout_s
                                                             : (long)CONNECT_TIMEOUT_S);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, (long)t->config.timeout_s);
    curl_easy_setopt(curl, CURLOPT_SERVER_RESPONSE_TIMEOUT, (long)t->config.timeout_s);
    curl_easy_setopt(curl, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(curl, CURLOPT_HAPPY_EYEBALLS_TIMEOUT_MS,
                     (long)EYEBALLS_MS); /* see perform() */
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "Platen/" PLATEN_VERSION);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, t->words);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_line);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, t);
    set_tls(t);
    return curl;
}

void transfer_adopt(Transfer *t, const Errand *errand)
{
    t->errand = errand;
}

void transfer_hang_up(Transfer *t)
{
    t->spoilt = true;
}

void transfer_listen(Transfer *t, TransferListener *fn, void *arg)
{
    t->listener = fn;
    t->listener_arg = arg;
}

CURL *transfer_handle(Transfer *t)
{
    return t->curl;
}

const Errand *transfer_errand(const Transfer *t)
{
    return t->errand;
}

void transfer_add_header(Transfer *t, const char *line)
{
    struct curl_slist *longer = curl_slist_append(t->headers, line);

    if (longer)
        t->headers = longer;
    curl_easy_setopt(t->curl, CURLOPT_HTTPHEADER, t->headers);
}

static int64_t whole_size(const TransferBody *body)
{
    return (int64_t)body->before.n + body->n_bytes + (int64_t)body->after.n;
}

void transfer_upload(Transfer *t)
{
    transfer_send(t, &(TransferBody){ .n_bytes = t->errand->parcel->size_bytes });
}

void transfer_send(Transfer *t, const TransferBody *body)
{
    t->sends = true;
    t->sending = *body;
    curl_easy_setopt(t->curl, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(t->curl, CURLOPT_READFUNCTION, give_bytes);
    curl_easy_setopt(t->curl, CURLOPT_READDATA, t);
    curl_easy_setopt(t->curl, CURLOPT_SEEKFUNCTION, go_back);
    curl_easy_setopt(t->curl, CURLOPT_SEEKDATA, t);
    curl_easy_setopt(t->curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t)whole_size(body));
}

/* --- what a failure means -------------------------------------------------------------------------- */

/* libcurl's codes. stage NULL: the one of the run. */
typedef struct CodeRow {
    CURLcode code;
    DeliveryClass class;
    const char *stage, *cure;
} CodeRow;

static const char connect_cure[] =
    "Check that the server runs, its address, port and encryption, and firewalls.";
static const char tls_cure[] = "Check port and encryption of the destination against the server's.";
static const char broken_cure[] =
    "Nothing: it is tried again. If it stays, look at the server's log.";

static const CodeRow code_rows[] = {
    { CURLE_COULDNT_RESOLVE_HOST, DELIVERY_CLASS_RETRY, "resolve",
      "Correct the host name of the destination, or mend the name service." },
    { CURLE_COULDNT_CONNECT, DELIVERY_CLASS_RETRY, "connect", connect_cure },
    { CURLE_WEIRD_SERVER_REPLY, DELIVERY_CLASS_RETRY, "connect",
      "Check that port and encryption are those of the server." },
    { CURLE_SSL_CONNECT_ERROR, DELIVERY_CLASS_RETRY, "tls", tls_cure },
    { CURLE_PEER_FAILED_VERIFICATION, DELIVERY_CLASS_CONFIG, "tls",
      "Trust the server's authority (tls_trust ca), or its key (tls_trust pin)." },
    { CURLE_SSL_CACERT_BADFILE, DELIVERY_CLASS_CONFIG, "tls",
      "Put the authority's certificate into tls_ca, as PEM text." },
    { CURLE_USE_SSL_FAILED, DELIVERY_CLASS_CONFIG, "tls",
      "The server offers no encryption here: correct the port, or set encryption to none." },
    { CURLE_LOGIN_DENIED, DELIVERY_CLASS_AUTH, "login",
      "Correct user and password of the destination." },
    { CURLE_AUTH_ERROR, DELIVERY_CLASS_AUTH, "login",
      "Correct user and password of the destination." },
    { CURLE_URL_MALFORMAT, DELIVERY_CLASS_CONFIG, "resolve", "Correct the address." },
    { CURLE_UNSUPPORTED_PROTOCOL, DELIVERY_CLASS_CONFIG, "resolve", "Correct the address." },
    { CURLE_REMOTE_ACCESS_DENIED, DELIVERY_CLASS_CONFIG, "locate",
      "Make the folder on the server, or correct its path and the rights of the user." },
    { CURLE_REMOTE_FILE_NOT_FOUND, DELIVERY_CLASS_CONFIG, "locate",
      "Make the folder on the server, or correct its path." },
    { CURLE_OUT_OF_MEMORY, DELIVERY_CLASS_RETRY, NULL, "Give the server more memory." },
};

/* HTTP statuses as far as they mean the same everywhere (RFC 9110, 4918, 6585). */
static const TransferReply http_rows[] = {
    { 401, 401, DELIVERY_CLASS_AUTH, "login", "Correct user and password of the destination." },
    { 407, 407, DELIVERY_CLASS_AUTH, "connect", "A proxy wants a password: go around it." },
    { 403, 403, DELIVERY_CLASS_CONFIG, NULL,
      "Give the user the right to write there, or allow writing on the server." },
    { 404, 404, DELIVERY_CLASS_CONFIG, NULL, "Correct the address of the destination." },
    { 413, 413, DELIVERY_CLASS_FATAL, NULL, "Raise the size limit of the server." },
    { 408, 408, DELIVERY_CLASS_RETRY, NULL, broken_cure },
    { 423, 429, DELIVERY_CLASS_RETRY, NULL, "Nothing: it is tried again, less often." },
    { 507, 507, DELIVERY_CLASS_RETRY, NULL, "Make room on the server, or raise the quota." },
    { 500, 599, DELIVERY_CLASS_RETRY, NULL, "Look at the log of the server." },
    { 300, 399, DELIVERY_CLASS_CONFIG, NULL, "Give the address that the server redirects to." },
    { 400, 499, DELIVERY_CLASS_FATAL, NULL, "Look at the log of the server." },
    { .first = 0 },
};

static const TransferReply *find_reply(const TransferReply *rows, long code)
{
    for (; rows && rows->first; rows++)
        if (code >= rows->first && code <= rows->last)
            return rows;
    return NULL;
}

bool transfer_failed(Transfer *t, DeliveryClass class, const char *stage, const char *cure,
                     const char *fmt, ...)
{
    char text[sizeof t->errand->result->text];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    (void)delivery_failed(t->errand->result, class, stage, 0, cure, "%s: %s", t->peer, text);
    t->errand->result->protocol_code = t->code;
    return false;
}

/* SFTP has no reply codes: libcurl's own codes stand for them. */
static bool is_sftp(const Transfer *t)
{
    return text_equal(t->config.protocols, "sftp");
}

/* A timeout is said of the stage that did not end. */
static const char *stage_of_timeout(Transfer *t, const char *stage)
{
    curl_off_t resolved = 0, connected = 0;
    long connects = 0;

    curl_easy_getinfo(t->curl, CURLINFO_NUM_CONNECTS, &connects);
    curl_easy_getinfo(t->curl, CURLINFO_NAMELOOKUP_TIME_T, &resolved);
    curl_easy_getinfo(t->curl, CURLINFO_CONNECT_TIME_T, &connected);
    if (connects > 0 && resolved == 0)
        return "resolve";
    /* A server of FTP or SMTP speaks first: silence means that it waits for TLS. */
    bool silent = !is_http(t) && !t->told && !t->reply[0];
    return silent || (connects > 0 && connected == 0) ? "connect" : stage;
}

static bool fail_reply(Transfer *t, const TransferReply *row, const char *stage)
{
    curl_off_t wait_s = 0;

    if (is_sftp(t))
        (void)transfer_failed(t, row->class, row->stage ? row->stage : stage, row->cure, "%s",
                              t->words[0] ? t->words : curl_easy_strerror((CURLcode)t->code));
    else
        (void)transfer_failed(t, row->class, row->stage ? row->stage : stage, row->cure,
                              "the server answered %ld: %s", t->code, t->reply);
    curl_easy_getinfo(t->curl, CURLINFO_RETRY_AFTER, &wait_s);
    t->errand->result->retry_after_s = wait_s;
    return false;
}

static bool fail_pin(Transfer *t)
{
    return transfer_failed(t, DELIVERY_CLASS_CONFIG, "tls",
                           "If the server's key was changed on purpose, set tls_pin to the new "
                           "one; else find out who answers.",
                           "the server's key is %s, not the one that is trusted", t->seen_pin);
}

static bool fail_code(Transfer *t, CURLcode code, const char *stage)
{
    const char *words = t->words[0] ? t->words : curl_easy_strerror(code);
    const char *said = is_http(t) ? "" : t->reply; /* FTP and SMTP say why in words */

    if (t->seen_pin[0])
        (void)fail_pin(t);
    else if (code == CURLE_OPERATION_TIMEDOUT)
        (void)transfer_failed(t, DELIVERY_CLASS_RETRY, stage_of_timeout(t, stage), connect_cure,
                              "%s", words);
    else {
        const CodeRow *row = NULL;

        for (size_t i = 0; i < COUNT_OF(code_rows) && !row; i++)
            if (code_rows[i].code == code)
                row = &code_rows[i];
        (void)transfer_failed(t, row ? row->class : DELIVERY_CLASS_RETRY,
                              row && row->stage ? row->stage : stage, row ? row->cure : broken_cure,
                              "%s%s%s", words, said[0] ? ": " : "", said);
    }
    t->errand->result->native_code = code;
    t->errand->result->peer_lost = t->code == 0 || code == CURLE_OPERATION_TIMEDOUT ||
                                   (is_sftp(t) && code == CURLE_COULDNT_CONNECT);
    return false;
}

/* --- running --------------------------------------------------------------------------------------- */

/* Which stages of connecting the first exchange went through; where a log-in belongs to them, it too. */
static void tell_stages(Transfer *t)
{
    static const struct {
        CURLINFO info;
        const char *stage;
    } rows[] = {
        { CURLINFO_NAMELOOKUP_TIME_T, "resolve" },
        { CURLINFO_CONNECT_TIME_T, "connect" },
        { CURLINFO_APPCONNECT_TIME_T, "tls" },
        { CURLINFO_PRETRANSFER_TIME_T, "login" },
    };
    const DeliveryTalk *talk = t->errand->talk;
    curl_off_t before = 0, at = 0;

    for (size_t i = 0; i < COUNT_OF(rows) - (is_http(t) ? 1 : 0) && !t->told; i++) {
        curl_easy_getinfo(t->curl, rows[i].info, &at);
        if (at == 0)
            continue;
        talk->passed(talk->arg, rows[i].stage, (at - before) / 1000);
        before = at;
    }
    t->told = true;
}

/* The exchange itself. curl_easy_perform() would do, but libcurl 7.88 misses the moment when the data connection of
 * FTP is there and goes on only when its wait is over, up to a second later: seen on loopback, three
 * times in a row for one file. So the waits begin short, and grow while nothing comes. */
static CURLcode perform(Transfer *t)
{
    CURLcode result = CURLE_OUT_OF_MEMORY;
    int running = 1, left = 0, events = 0, wait_ms = 1;
    CURLMsg *message;

    leave_multi(t);
    if (curl_multi_add_handle(t->multi, t->curl) != CURLM_OK)
        return result;
    t->added = true;
    while (running > 0 && curl_multi_perform(t->multi, &running) == CURLM_OK) {
        if (running > 0)
            (void)curl_multi_poll(t->multi, NULL, 0, wait_ms, &events);
        wait_ms = events > 0 ? 1 : wait_ms < WAIT_MAX_MS ? 2 * wait_ms : wait_ms;
    }
    while ((message = curl_multi_info_read(t->multi, &left)))
        if (message->msg == CURLMSG_DONE)
            result = message->data.result;
    return result;
}

bool transfer_run(Transfer *t, const char *stage, const TransferReply *replies)
{
    t->words[0] = t->reply[0] = t->seen_pin[0] = '\0';
    t->source_failed = false;
    t->code = 0;
    buf_clear(&t->body);
    CURLcode code = perform(t);
    if (is_sftp(t))
        t->code = code;
    else
        curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &t->code);
    if (code == CURLE_OK)
        tell_stages(t);
    if (t->source_failed) {
        t->spoilt = true;
        return false; /* errand_read has said why */
    }
    const TransferReply *row = find_reply(replies, t->code);
    bool http = is_http(t);
    if (row && row->class == DELIVERY_CLASS_OK && (code == CURLE_OK || !http))
        return true; /* an answer like any other: the connection is sound */
    t->spoilt = code != CURLE_OK;
    if (row && row->class == DELIVERY_CLASS_OK)
        return fail_code(t, code, stage);
    /* A refusal counts although the connection broke after it, in the middle of our body or of its own. */
    if (!row && http && (code == CURLE_OK || t->code >= HTTP_ERRORS))
        row = find_reply(http_rows, t->code);
    if (row && (code != CURLE_OK || http))
        return fail_reply(t, row, stage);
    return code == CURLE_OK || fail_code(t, code, stage);
}

bool transfer_replied(Transfer *t, long code, const char *stage, const TransferReply *replies)
{
    const TransferReply *row = find_reply(replies, code);

    t->code = code;
    if (!row)
        row = find_reply(http_rows, code);
    return !row || row->class == DELIVERY_CLASS_OK || fail_reply(t, row, stage);
}

long transfer_code(const Transfer *t)
{
    return t->code;
}

const char *transfer_body(Transfer *t)
{
    return buf_text(&t->body);
}

Bytes transfer_body_bytes(const Transfer *t)
{
    return buf_bytes(&t->body);
}

bool transfer_all_sent(const Transfer *t)
{
    return t->sends && t->sent_bytes == whole_size(&t->sending);
}

bool url_put(Buf *url, const char *text)
{
    for (; *text; text++) {
        uint8_t c = (uint8_t)*text;
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     (c && strchr("-._~", c));

        (void)(plain ? buf_put_u8(url, c) : buf_printf(url, "%%%02X", c));
    }
    return !url->failed;
}
