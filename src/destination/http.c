/* destination/http.c - see http.h. */
#include "destination/http.h"

#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { HEADER_SIZE = 4096 };

const char *const http_auth_words[] = { "none",      "basic",  "digest", "ntlm",
                                        "negotiate", "bearer", NULL };

static const unsigned long curl_auth[] = {
    [HTTP_AUTH_NONE] = CURLAUTH_NONE,           [HTTP_AUTH_BASIC] = CURLAUTH_BASIC,
    [HTTP_AUTH_DIGEST] = CURLAUTH_DIGEST,       [HTTP_AUTH_NTLM] = CURLAUTH_NTLM,
    [HTTP_AUTH_NEGOTIATE] = CURLAUTH_NEGOTIATE, [HTTP_AUTH_BEARER] = CURLAUTH_BEARER,
};

/* The part of an address between // and the path; "" when there is none. */
static Bytes authority_of(const char *url)
{
    const char *at = strstr(url, "://");

    at = at ? at + 3 : url;
    return (Bytes){ (const uint8_t *)at, strcspn(at, "/?#") };
}

Transfer *http_transfer_new(const char *url, int64_t timeout_s, TlsPolicy tls)
{
    char peer[TRANSFER_PEER_SIZE];
    Bytes host = authority_of(url);
    const uint8_t *user_end = memrchr(host.p, '@', host.n);

    if (user_end)
        host = bytes_after(host, (size_t)(user_end + 1 - host.p));
    (void)text_copy_bytes(peer, sizeof peer, host);
    return transfer_new(&(TransferConfig){
        .protocols = "http,https", .peer = peer, .timeout_s = timeout_s, .tls = tls });
}

/* Would somebody on the way read the password? */
static bool login_is_safe(Transfer *transfer, const HttpLogin *login, const char *url)
{
    Bytes host = authority_of(url);
    bool readable = login->auth == HTTP_AUTH_BASIC || login->auth == HTTP_AUTH_BEARER;

    if (memchr(host.p, '@', host.n))
        return transfer_failed(transfer, DELIVERY_CLASS_CONFIG, "login",
                               "Put them into user and password, where they are kept secret.",
                               "the address holds a user or a password");
    if (text_starts_with(url, "https://") || (text_starts_with(url, "http://") && !readable) ||
        (text_starts_with(url, "http://") && login->password_in_clear))
        return true;
    if (text_starts_with(url, "http://"))
        return transfer_failed(transfer, DELIVERY_CLASS_CONFIG, "login",
                               "Use https://, digest or ntlm, or allow it with password_in_clear.",
                               "the password would be readable on the way");
    return transfer_failed(transfer, DELIVERY_CLASS_CONFIG, "resolve",
                           "Begin the address with https:// or http://.",
                           "\"%.80s\" is no address of a web server", url);
}

CURL *http_begin(Transfer *transfer, const Errand *errand, const HttpLogin *login,
                 const char *method, const char *url)
{
    CURL *curl = transfer_begin(transfer, errand);

    if (!login_is_safe(transfer, login, url))
        return NULL;
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    if (login->auth == HTTP_AUTH_BEARER) {
        curl_easy_setopt(curl, CURLOPT_HTTPAUTH, curl_auth[login->auth]);
        curl_easy_setopt(curl, CURLOPT_XOAUTH2_BEARER, login->password);
    } else if (login->auth != HTTP_AUTH_NONE) {
        curl_easy_setopt(curl, CURLOPT_HTTPAUTH, curl_auth[login->auth]);
        curl_easy_setopt(curl, CURLOPT_USERNAME, login->user);
        curl_easy_setopt(curl, CURLOPT_PASSWORD, login->password);
    }
    if (text_equal(method, "HEAD"))
        curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    http_header(transfer, "Expect:"); /* the log-in was tried before anything large goes */
    return curl;
}

void http_header(Transfer *transfer, const char *fmt, ...)
{
    char line[HEADER_SIZE];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    for (char *c = line; *c; c++)
        if (*c == '\r' || *c == '\n')
            *c = ' ';
    transfer_add_header(transfer, line);
}

void http_body(Transfer *transfer, Bytes body, const char *media_type)
{
    CURL *curl = transfer_handle(transfer);

    http_header(transfer, "Content-Type: %s", media_type);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.n);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body.n ? (const char *)body.p : "");
}

bool http_json(Transfer *transfer, Json *body_take, const char *media_type)
{
    CURL *curl = transfer_handle(transfer);
    AUTO(Json) body = body_take;
    AUTO_BUF text = buf_with_max(MESSAGE_BYTES_MAX);

    if (!json_write(body, &text))
        return transfer_failed(transfer, DELIVERY_CLASS_RETRY, "write",
                               "Give the server more memory.", "no memory for a request");
    http_header(transfer, "Content-Type: %s", media_type);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)text.n);
    curl_easy_setopt(curl, CURLOPT_COPYPOSTFIELDS, (const char *)text.p);
    return true;
}

bool http_answer_json(Transfer *transfer, const char *stage, Json **ret)
{
    const char *body = transfer_body(transfer);
    Err err;

    *ret = NULL;
    if (!body[0])
        return true;
    *ret = json_parse(bytes_of_text(body), &err);
    return *ret || transfer_failed(transfer, DELIVERY_CLASS_CONFIG, stage,
                                   "Check the address, and that no proxy or log-in page answers.",
                                   "the answer is no JSON: %s", err.text);
}

const char *http_answer_header(Transfer *transfer, const char *name)
{
    struct curl_header *header = NULL;

    return curl_easy_header(transfer_handle(transfer), name, 0, CURLH_HEADER, -1, &header) ==
                   CURLHE_OK
               ? header->value
               : "";
}
