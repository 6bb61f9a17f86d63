/* http/inside.h - what the files of this folder share: server, connection, request, response.
 *
 * Not for other folders. A request belongs to its polling thread until it is suspended, then to an
 * api thread until that resumes it, then to the polling thread again. */
#ifndef PLATEN_HTTP_INSIDE_H
#define PLATEN_HTTP_INSIDE_H

#include "base/time.h"
#include "http/events.h"
#include "http/route.h"
#include "http/server.h"

#include <microhttpd.h>
#include <net/if.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>

enum {
    HTTP_THREADS_MAX = 64,
    HTTP_SWEEP_MS = 250,          /* how often late connections are looked for               */
    HTTP_STOP_MS = 2000,          /* http_server_stop: time for answers to leave             */
    HTTP_FILE_BLOCK = 128 * 1024, /* a file over TLS is read in such pieces                  */
    RESPONSE_HEADERS_MAX = 8,
    ETAG_TEXT_SIZE = 96,
    CALLER_TEXT_SIZE = 64,
};

typedef struct Listener {
    HttpServer *server;
    struct MHD_Daemon *daemon;
    bool is_unix, is_tls;
    char path[sizeof((struct sockaddr_un *)0)->sun_path]; /* of a Unix socket                   */
    dev_t path_device;                                    /* to remove only what we made        */
    ino_t path_inode;
    int quiesced_fd;      /* from quiesce to stop          */
    unsigned connections; /* under the server's lock       */
} Listener;

/* One client connection, from accept to close: what the sweeper needs to know. */
typedef struct Connection {
    struct Connection *next, **link;
    Listener *listener;
    int fd;
    /* Under the server's lock; past it the connection is shut. Never: it is answered, or it is shut. */
    Mono deadline;
    char peer[INET6_ADDRSTRLEN + IF_NAMESIZE]; /* a link-local address has its zone */
    struct ucred credentials;                  /* of a Unix socket's peer */
} Connection;

struct HttpServer {
    HttpConfig config;
    Listener listeners[HTTP_LISTENERS_MAX];
    size_t listener_count;
    pthread_t threads[HTTP_THREADS_MAX];
    unsigned thread_count;
    bool stopped; /* http_server_stop was called */

    pthread_mutex_t lock; /* for all below */
    pthread_cond_t work;  /* the queue has something, or stopping */
    pthread_cond_t quiet; /* active became 0                      */
    HttpRequest **queue;  /* ring of config.queue_max             */
    unsigned queue_first, queue_count;
    unsigned waits;  /* requests of ROUTE_WAITS in the queue or at work */
    unsigned active; /* requests begun and not completed */
    size_t body_bytes;
    bool stopping, watching;
    Connection *connections;
    Mono next_sweep;
};

typedef enum BodyKind { BODY_NONE, BODY_OWNED, BODY_STATIC, BODY_FILE, BODY_EVENTS } BodyKind;

typedef struct ResponseHeader {
    const char *name;
    char *value;
} ResponseHeader;

struct HttpResponse {
    int status; /* 0: not said */
    BodyKind kind;
    uint8_t *owned;
    Bytes bytes; /* OWNED and STATIC */
    const char *media_type;
    int fd;
    int64_t size_bytes;
    char etag[ETAG_TEXT_SIZE];
    ResponseHeader headers[RESPONSE_HEADERS_MAX];
    size_t header_count;
    bool broken; /* the body could not be made: 500 */
};

typedef struct PathVariable {
    Bytes name;
    char *value;
} PathVariable;

struct HttpRequest {
    HttpServer *server;
    Connection *connection;
    struct MHD_Connection *mhd;
    const char *method;
    bool is_head;
    char *path;
    const Route *route; /* NULL: refused by the router */
    PathVariable variables[ROUTE_VARIABLES_MAX];
    size_t variable_count;
    Buf body;
    size_t drained;      /* bytes of a refused body that were thrown away */
    size_t body_counted; /* bytes in the server's body_bytes    */
    char caller[CALLER_TEXT_SIZE];
    const char *challenge;
    HttpResponse response;
    struct MHD_Response *answer; /* ready to be queued */
    int answer_status;
};

/* --- router.c ---------------------------------------------------------------------------------- */

/* Finds the route of method and path and fills the variables. False after having answered 404 or
 * 405. HEAD finds GET. */
bool http_router_find(HttpRequest *req);

/* ERR_BUG when a table contradicts itself. */
bool http_router_check(const Route *const *routes, Err *err);

/* --- request.c --------------------------------------------------------------------------------- */

/* Body limit of a route by the rules of route.h. */
size_t http_route_body_max(const Route *route);

/* Checks path, query and body type; false after having answered 400 or 415. */
bool http_request_is_sound(HttpRequest *req);

/* --- exchange.c: the life of a request --------------------------------------------------------- */

/* libmicrohttpd's callbacks; the closure is the Listener. */
enum MHD_Result http_on_request(void *arg, struct MHD_Connection *mhd, const char *url,
                                const char *method, const char *version, const char *bytes,
                                size_t *size, void **state);
void http_on_completed(void *arg, struct MHD_Connection *mhd, void **state,
                       enum MHD_RequestTerminationCode code);

/* Authorises, runs the handler, makes the answer. Thread of the handler. */
void http_request_run(HttpRequest *req);

/* --- response.c -------------------------------------------------------------------------------- */

/* Makes req->answer from req->response; handles ETag and ranges. */
void http_response_finish(HttpRequest *req);

/* Frees what the response holds; it can be used again. */
void http_response_clear(HttpResponse *res);

/* --- problem.c --------------------------------------------------------------------------------- */

/* Makes req->answer a problem document. status 0: that of the error's kind. code NULL: from kind or
 * status. Headers set before are kept. */
void http_problem(HttpRequest *req, int status, const char *code, const Err *err);

/* The same with a detail of its own. */
void http_refuse(HttpRequest *req, int status, const char *code, const char *detail);

/* --- server.c ---------------------------------------------------------------------------------- */

/* Suspends the connection and queues the request for the api threads. False after having answered
 * 503: queue full or stopping. */
bool http_server_submit(HttpServer *server, HttpRequest *req);

/* Counts n more body bytes of the request; false when the server holds too many. */
bool http_server_count_body(HttpServer *server, HttpRequest *req, size_t n);

/* Counts requests in work, for http_server_stop. */
void http_server_begin(HttpServer *server);
void http_server_complete(HttpServer *server, HttpRequest *req);

/* --- listener.c -------------------------------------------------------------------------------- */

/* Sets when the connection is cut unless something changes it. */
void http_connection_deadline(Connection *connection, Mono deadline);

/* Shuts connections whose deadline passed. The server's lock is held. */
void http_sweep(HttpServer *server, Mono now);

/* Stops accepting and removes the socket file; the daemon goes on with its connections. */
void http_listener_quiesce(Listener *listener);

/* Ends a quiesced listener's daemon and closes its socket. Nothing may be suspended any more. */
void http_listener_stop(Listener *listener);

/* --- events.c ---------------------------------------------------------------------------------- */

/* A response that streams to this connection, starting after last_id (-1: from now on). NULL when
 * there are too many streams, or the hub is closed. */
struct MHD_Response *http_events_stream(HttpEvents *events, struct MHD_Connection *mhd,
                                        int64_t last_id);

/* Wakes silent streams for a comment line. */
void http_events_tick(HttpEvents *events, Mono now);

/* Ends all streams; nothing is published any more. */
void http_events_close(HttpEvents *events);

#endif
