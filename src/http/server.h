/* http/server.h - a small HTTP/1.1 server: listeners, a pool of handler threads, limits.
 *
 * Each listener has one polling thread; requests that may block wait in one bounded queue for the
 * api threads and their connection sleeps meanwhile. The only folder that knows libmicrohttpd. Used
 * by platend's API and by the panel page of the virtual device. What is refused (unknown path, body
 * too large, no room) is answered as a problem document (RFC 9457) with the members type
 * ("urn:platen:problem:<code>"), title, status, detail, instance, and field and remedy where known. */
#ifndef PLATEN_HTTP_SERVER_H
#define PLATEN_HTTP_SERVER_H

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "http/events.h"
#include "http/route.h"

typedef struct HttpServer HttpServer;

enum {
    HTTP_LISTENERS_MAX = 8,
    HTTP_HEADER_BYTES_MAX = 32 * 1024,        /* request line and headers; more is 431            */
    HTTP_BODIES_BYTES_MAX = 64 * 1024 * 1024, /* all bodies being received; more is 503           */
    HTTP_DRAIN_BYTES_MAX = 4 * 1024 * 1024,   /* read of a refused body before hanging up         */
};

/* May this request do what needs this permission? Called before the handler, on the thread of the
 * handler, for every route but those that are ROUTE_FAST and need no permission. Should call
 * http_request_set_caller. False with ERR_DENIED (403, or 401: http_request_set_challenge). */
typedef bool HttpAuthorise(void *arg, HttpRequest *req, const char *permission, Err *err);

/* Zeros stand for the defaults in brackets. Everything pointed to must outlive the server. */
typedef struct HttpConfig {
    const Route *const
        *routes;              /* tables, each ends with method NULL; the list ends with NULL     */
    HttpAuthorise *authorise; /* NULL: routes with a permission are refused                      */
    void *authorise_arg;
    void *arg;            /* http_request_server_arg                                         */
    HttpEvents *events;   /* for http_response_events, or NULL; closed by http_server_stop   */
    unsigned api_threads; /* [4] 1..64                                                   */
    unsigned queue_max;   /* [64] requests waiting for a thread; more is 503             */
    unsigned
        connections_max; /* [512] of each listener; from three quarters on those without a request go */
    unsigned address_max;     /* [64] connections of one address to a listener               */
    int64_t first_request_ms; /* [10000] from connecting until the first header is complete  */
    int64_t body_ms;          /* [60000] from the header until the whole body is here */
    unsigned idle_s;          /* [30] connection without any byte                            */
} HttpConfig;

/* Starts the api threads; nothing listens yet. A table that contradicts itself (no handler, a path
 * with more than ROUTE_VARIABLES_MAX variables) is ERR_BUG. */
HttpServer *http_server_new(const HttpConfig *config, Err *err);

/* Certificate chain and key of a listener, both PEM. */
typedef struct HttpTls {
    Bytes certificate, key;
} HttpTls;

/* Listens on a numeric address; port 0 takes a free one. tls NULL: plain HTTP. ret_port may be NULL.
 * TLS 1.2 and 1.3. ERR_TEMPORARY (port in use), ERR_DENIED, ERR_BAD_INPUT (address, certificate). */
bool http_server_listen(HttpServer *server, const char *address, uint16_t port, const HttpTls *tls,
                        uint16_t *ret_port, Err *err);

/* Listens on a Unix socket, mode 0660. A socket file nobody listens on is replaced; ERR_CONFLICT
 * when somebody does or when the path is something else. The file is removed by http_server_stop. */
bool http_server_listen_unix(HttpServer *server, const char *path, Err *err);

/* Stops listening, lets running handlers finish, answers waiting requests with 503, ends streams
 * and closes all connections. Blocks as long as the slowest handler. Call once, not from a handler. */
void http_server_stop(HttpServer *server);

/* Stops if that was not done. Accepts NULL. */
void http_server_free(HttpServer *server);
DEFINE_AUTO(HttpServer, http_server_free);

#endif
