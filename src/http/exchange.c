/* http/exchange.c - the life of a request: headers, body, handler, answer. See inside.h.
 *
 * libmicrohttpd calls http_on_request first with the headers, then per piece of the body, then at
 * its end, and once more after a suspended connection was resumed. An answer queued in the first
 * call closes the connection; it is given there only when a body would have to be read for nothing
 * that is larger than we care to drain, or that the client holds back (Expect: 100-continue). */
#include "http/inside.h"

#include "base/text.h"

#include <stdlib.h>
#include <string.h>

static enum MHD_Result queue_answer(HttpRequest *req)
{
    struct MHD_Response *answer = STEAL(req->answer);
    enum MHD_Result queued = MHD_queue_response(req->mhd, (unsigned)req->answer_status, answer);

    MHD_destroy_response(answer); /* the connection holds it as long as it needs it */
    return queued;
}

static HttpRequest *request_new(Listener *listener, struct MHD_Connection *mhd, const char *url,
                                const char *method)
{
    HttpRequest *req = calloc(1, sizeof *req);
    char *path = strdup(url);
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(
        mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    if (!req || !path || !info || !info->socket_context) {
        free(req);
        free(path);
        return NULL;
    }
    *req = (HttpRequest){ .server = listener->server,
                          .connection = info->socket_context,
                          .mhd = mhd,
                          .method = method,
                          .path = path,
                          .response = { .fd = -1 } };
    req->is_head = strcmp(method, "HEAD") == 0;
    if (req->is_head)
        req->method = "GET";
    return req;
}

static void request_free(HttpRequest *req)
{
    if (req->answer)
        MHD_destroy_response(req->answer);
    http_response_clear(&req->response);
    for (size_t i = 0; i < req->variable_count; i++)
        free(req->variables[i].value);
    buf_done(&req->body);
    free(req->path);
    free(req);
}

/* Announced length of the body; 0 when it is not announced (none, or chunked). */
static int64_t announced_bytes(const HttpRequest *req)
{
    const char *text = http_request_header(req, "Content-Length");
    int64_t n = 0;

    return text && text_to_int(text, 0, INT64_MAX, &n) ? n : 0;
}

/* The answer is a refusal: true when it must be given before the body comes. */
static bool must_answer_at_once(const HttpRequest *req)
{
    return http_request_header(req, "Expect") || announced_bytes(req) > HTTP_DRAIN_BYTES_MAX;
}

static void refuse_large_body(HttpRequest *req)
{
    Err err;
    size_t max = http_route_body_max(req->route);

    if (max == 0)
        err_set(&err, ERR_BAD_INPUT, 0, "this request takes no body");
    else
        err_set(&err, ERR_BAD_INPUT, 0, "the body has more than %zu bytes", max);
    http_problem(req, 413, NULL, &err);
}

static enum MHD_Result begin(Listener *listener, struct MHD_Connection *mhd, const char *url,
                             const char *method, void **state)
{
    HttpRequest *req = request_new(listener, mhd, url, method);

    if (!req)
        return MHD_NO;
    *state = req;
    http_server_begin(req->server);
    http_connection_deadline(req->connection, mono_after(mono_now(), req->server->config.body_ms));

    if (!text_is_utf8(bytes_of_text(req->path)) || text_has_control(req->path)) {
        http_refuse(req, 400, NULL, "the path is not UTF-8 or has control characters");
    } else if (http_router_find(req) && http_request_is_sound(req)) {
        req->body = buf_with_max(http_route_body_max(req->route));
        if (announced_bytes(req) > (int64_t)req->body.max)
            refuse_large_body(req);
    }
    return req->answer && must_answer_at_once(req) ? queue_answer(req) : MHD_YES;
}

/* A piece of the body: kept, or thrown away when the request is refused already. */
static enum MHD_Result take_body(HttpRequest *req, Bytes piece)
{
    if (req->answer) {
        req->drained += piece.n;
        return req->drained <= HTTP_DRAIN_BYTES_MAX ? MHD_YES : MHD_NO;
    }
    if (piece.n > req->body.max - req->body.n)
        refuse_large_body(req);
    else if (!http_server_count_body(req->server, req, piece.n) || !buf_put(&req->body, piece))
        http_refuse(req, 503, "busy", "the server receives too many bytes at the same time");
    return MHD_YES;
}

static bool is_authorised(HttpRequest *req, Err *err)
{
    const HttpConfig *config = &req->server->config;
    const Route *route = req->route;

    if (!route->permission && (route->flags & ROUTE_FAST || !config->authorise))
        return true;
    if (!config->authorise)
        return err_set(err, ERR_DENIED, 0, "nobody may do this here");
    return config->authorise(config->authorise_arg, req, route->permission, err);
}

void http_request_run(HttpRequest *req)
{
    HttpResponse *res = &req->response;
    Err err = { 0 };

    if (!is_authorised(req, &err)) {
        if (req->challenge)
            http_response_header(res, "WWW-Authenticate", req->challenge);
        http_problem(req, req->challenge ? 401 : 0, NULL, &err);
    } else if (!req->route->handler(req, res, &err)) {
        http_problem(req, res->status, NULL, &err);
    } else {
        http_response_finish(req);
    }
}

/* The request is complete: run it here, or give it to the api threads and sleep. */
static enum MHD_Result finish(HttpRequest *req)
{
    http_connection_deadline(req->connection, MONO_NEVER);
    if (!req->answer && req->route->flags & ROUTE_FAST)
        http_request_run(req);
    if (!req->answer && http_server_submit(req->server, req))
        return MHD_YES;
    return queue_answer(req);
}

enum MHD_Result http_on_request(void *arg, struct MHD_Connection *mhd, const char *url,
                                const char *method, const char *version, const char *bytes,
                                size_t *size, void **state)
{
    HttpRequest *req = *state;

    (void)version;
    if (!req)
        return begin(arg, mhd, url, method, state);
    if (*size > 0) {
        Bytes piece = { (const uint8_t *)bytes, *size };
        *size = 0;
        return take_body(req, piece);
    }
    return finish(req);
}

void http_on_completed(void *arg, struct MHD_Connection *mhd, void **state,
                       enum MHD_RequestTerminationCode code)
{
    HttpRequest *req = STEAL(*state);

    (void)arg;
    (void)mhd;
    (void)code;
    if (!req)
        return;
    const HttpConfig *config = &req->server->config;
    int64_t rest_ms = (int64_t)config->idle_s * 1000 + config->first_request_ms;
    http_connection_deadline(req->connection, mono_after(mono_now(), rest_ms));
    http_server_complete(req->server, req);
    request_free(req);
}
