/* destination/http.h - what kinds that speak HTTP share: address, log-in, headers, bodies.
 *
 * One exchange: http_begin(), http_header() as often as needed, http_body() or transfer_upload(), then
 * transfer_run() of transfer.h, whose rows for HTTP statuses apply. NTLM and Negotiate bind the log-in to
 * the connection, which a Transfer keeps: begin with an exchange without a body, so that a large one
 * is not sent twice. */
#ifndef PLATEN_DESTINATION_HTTP_H
#define PLATEN_DESTINATION_HTTP_H

#include "destination/transfer.h"

#include "json/json.h"

typedef enum HttpAuth {
    HTTP_AUTH_NONE,
    HTTP_AUTH_BASIC,
    HTTP_AUTH_DIGEST,
    HTTP_AUTH_NTLM,
    HTTP_AUTH_NEGOTIATE, /* a Kerberos ticket of the server's user; user and password stay empty */
    HTTP_AUTH_BEARER,    /* password is the token                                                */
} HttpAuth;

enum { HTTP_URL_SIZE = 1024, HTTP_USER_SIZE = 128, HTTP_PASSWORD_SIZE = 2048 };

/* Members of the settings of such a kind, and their rows. help_url: what the address is of. */
#define HTTP_MEMBERS                                         \
    char url[HTTP_URL_SIZE];                                 \
    int64_t auth;                                            \
    char user[HTTP_USER_SIZE], password[HTTP_PASSWORD_SIZE]; \
    bool password_in_clear;                                  \
    int64_t timeout_s;                                       \
    TLS_MEMBERS
#define HTTP_FIELDS(S, auth_preset, help_url)                                                      \
    TEXT(S, url, true, help_url),                                                                  \
        CHOICE(                                                                                    \
            S, auth, http_auth_words, auth_preset,                                                 \
            "How the server is told who we are: none, basic, digest, ntlm, negotiate or bearer."), \
        TEXT(S, user, false, "User; with ntlm as DOMAIN\\user where there are domains."),          \
        SECRET(S, password, "Password of the user; with bearer the token."),                       \
        BOOLEAN(S, password_in_clear, false,                                                       \
                "Let basic and bearer go over http://, where everybody on the way reads them."),   \
        TIMEOUT_FIELD(S), TLS_FIELDS(S)
extern const char *const http_auth_words[];

/* The shared part of such settings, borrowed. */
typedef struct HttpLogin {
    const char *url;
    HttpAuth auth;
    const char *user, *password;
    bool password_in_clear;
} HttpLogin;
#define HTTP_LOGIN(s) \
    ((HttpLogin){ (s)->url, (HttpAuth)(s)->auth, (s)->user, (s)->password, (s)->password_in_clear })

/* The connection of such a kind, with the host of url as the peer's name in messages. NULL: no memory. */
#define HTTP_TRANSFER(s) http_transfer_new((s)->url, (s)->timeout_s, TLS_POLICY(s))
Transfer *http_transfer_new(const char *url, int64_t timeout_s, TlsPolicy tls);

/* Begins an exchange with the log-in. method: "PUT", "POST", "MKCOL" ...; url: whole. Without a body of
 * its own it has none. NULL with the result filled: the log-in would be readable on the way, the
 * address is none of http:// and https://, or holds a user, which would be shown with it. */
CURL *http_begin(Transfer *transfer, const Errand *errand, const HttpLogin *login,
                 const char *method, const char *url);

/* Adds a header to the exchange that was begun. A line end in it becomes a blank. */
void http_header(Transfer *transfer, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The body of the exchange; borrowed until it was run. */
void http_body(Transfer *transfer, Bytes body, const char *media_type);

/* The same for JSON, which is copied. False with the result filled: no memory. */
bool http_json(Transfer *transfer, Json *body_take, const char *media_type);

/* The last answer as JSON, owned by the caller; NULL for an empty one. False with the result filled: it is
 * something else, for example the page of a proxy or of a log-in. */
bool http_answer_json(Transfer *transfer, const char *stage, Json **ret);

/* A header of the last answer, "" when it has none. Borrowed until the next exchange. */
const char *http_answer_header(Transfer *transfer, const char *name);

#endif
