/* http/route.h - routes as a table, and what a handler sees: request and response.
 *
 * A route is one row: method, path, permission, handler and what OpenAPI says about it. A handler is
 * an ordinary blocking function; what it cannot do it reports as an Err, which the server answers as
 * a problem document (RFC 9457). Written by api/ and mfp/, read by server.c and openapi.c. */
#ifndef PLATEN_HTTP_ROUTE_H
#define PLATEN_HTTP_ROUTE_H

#include "base/bytes.h"
#include "base/err.h"
#include "base/field.h"
#include "json/json.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct HttpRequest HttpRequest;
typedef struct HttpResponse HttpResponse;

/* Answers a request. False: *err becomes the problem document, its status is that of the kind, or
 * what http_response_set_status said. Runs on an api thread and may block; a ROUTE_FAST handler runs
 * on a polling thread and must not wait for anything. A handler that says nothing answers 204. */
typedef bool HttpHandler(HttpRequest *req, HttpResponse *res, Err *err);

typedef enum RouteFlags {
    ROUTE_FAST = 1, /* answered from memory on the polling thread: health, metrics, static files */
    ROUTE_STREAM =
        2, /* answers with http_response_events: text/event-stream in OpenAPI           */
    ROUTE_WAITS =
        4, /* waits for others, devices for example, or a disk: may not have all api threads (503) */
} RouteFlags;

/* One query parameter. A list ends with name NULL. */
typedef struct RouteParameter {
    const char *name;
    const char *type; /* of JSON Schema: "string", "integer", "boolean" */
    const char *help; /* one sentence                                   */
} RouteParameter;

enum {
    ROUTE_VARIABLES_MAX = 4,              /* "{...}" segments of one path                 */
    HTTP_BODY_BYTES_PRESET = 1024 * 1024, /* body limit of routes that do not state theirs */
};

typedef struct Route {
    const char *method,
        *path;              /* "GET", "/api/v1/batches/{id}"; a variable is one whole segment.  */
                            /* GET answers HEAD as well                                         */
    const char *permission; /* given to the authoriser; NULL: nobody needs any                  */
    HttpHandler *handler;
    const char *summary;      /* one sentence, for OpenAPI                                      */
    unsigned flags;           /* RouteFlags                                                     */
    const Field *body_fields; /* table of the JSON body, NULL = none                            */
    const char *body_type;    /* media type of a body that is not JSON ("application/yaml")     */
    size_t body_bytes_max;    /* 0: HTTP_BODY_BYTES_PRESET when there is a body, else no body   */
    const RouteParameter
        *query;         /* NULL: not checked; else others than these are refused (400)    */
    const char *answer; /* name of what a success answers ("Batch"), NULL = no body       */
} Route;

/* --- what came: texts are UTF-8 and live as long as the handler runs --------------------------- */
const char *
http_request_method(const HttpRequest *req);           /* "GET" also for HEAD                    */
const char *http_request_path(const HttpRequest *req); /* decoded, without query                 */

/* Decoded value of a path variable, never empty. "" for a name that the route does not have. */
const char *http_request_variable(const HttpRequest *req, const char *name);

/* First value of a query parameter, decoded; NULL when absent, "" when it has no value. */
const char *http_request_query(const HttpRequest *req, const char *name);

/* The same as a number within min..max; otherwise when absent. ERR_BAD_INPUT names the parameter. */
bool http_request_query_int(const HttpRequest *req, const char *name, int64_t min, int64_t max,
                            int64_t otherwise, int64_t *ret_value, Err *err);

const char *http_request_header(const HttpRequest *req, const char *name); /* NULL when absent */
Bytes http_request_body(const HttpRequest *req);                           /* whole, may be empty */

/* The body as JSON; the caller owns it. NULL with ERR_BAD_INPUT. Follow with json_read_fields. */
Json *http_request_json(const HttpRequest *req, Err *err);

/* Who asks, as the authoriser said; "" before and when it said nothing. At most 63 bytes are kept. */
const char *http_request_caller(const HttpRequest *req);
void http_request_set_caller(HttpRequest *req, const char *caller);

/* For the authoriser: a refusal of this request is 401 with this WWW-Authenticate header ("Bearer")
 * instead of 403. Static storage. */
void http_request_set_challenge(HttpRequest *req, const char *challenge);

/* Numeric address of the peer without port; "unix" for the local socket. */
const char *http_request_peer(const HttpRequest *req);

/* True when the request came over the Unix socket; then who connected (SO_PEERCRED). */
bool http_request_is_unix(const HttpRequest *req);
uid_t http_request_uid(const HttpRequest *req); /* (uid_t)-1 when not over the Unix socket */
gid_t http_request_gid(const HttpRequest *req);
pid_t http_request_pid(const HttpRequest *req); /* 0 when not over the Unix socket         */

/* HttpConfig.arg: how handlers reach the program's objects. */
void *http_request_server_arg(const HttpRequest *req);

/* --- what goes out: the last body set wins ------------------------------------------------------ */
void http_response_set_status(HttpResponse *res, int status); /* default 200, without body 204  */

/* Takes a JSON value; one that is poisoned, NULL or too large becomes 500. */
void http_response_json(HttpResponse *res, Json *value_take);

/* A copy of bytes. media_type: static storage, with charset where it matters. */
void http_response_bytes(HttpResponse *res, const char *media_type, Bytes bytes);

/* Bytes that live as long as the server: not copied. */
void http_response_static(HttpResponse *res, const char *media_type, Bytes bytes);

/* size_bytes from offset 0 of an open file, which is closed by the server. Answers ranges (206, 416)
 * and HEAD; the file is read while it is sent and must not shrink. */
void http_response_file(HttpResponse *res, const char *media_type, int fd_take, int64_t size_bytes);

/* Strong validator without its quotes, e.g. a SHA-256. If-None-Match is then answered with 304, and
 * clients may keep the answer but must ask again; without one nothing is kept (no-store). At most 95
 * bytes of printable ASCII without '"'. */
void http_response_etag(HttpResponse *res, const char *etag);

/* One more header, e.g. "Location"; name of static storage, value copied. At most 8; a value with
 * control characters is left out. */
void http_response_header(HttpResponse *res, const char *name, const char *value);

/* Answers with the server's event stream (HttpConfig.events) from now on, or from after the
 * Last-Event-ID of the request. Too many streams are answered with 503. */
void http_response_events(HttpResponse *res);

#endif
