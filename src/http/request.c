/* http/request.c - what a handler sees of its request. See route.h. */
#include "http/inside.h"

#include "base/text.h"

#include <string.h>

const char *http_request_method(const HttpRequest *req)
{
    return req->method;
}

const char *http_request_path(const HttpRequest *req)
{
    return req->path;
}

const char *http_request_variable(const HttpRequest *req, const char *name)
{
    for (size_t i = 0; i < req->variable_count; i++)
        if (bytes_equal_text(req->variables[i].name, name))
            return req->variables[i].value;
    return "";
}

/* First value of a kind, NULL when absent; "" for a parameter without a value. */
static const char *lookup(const HttpRequest *req, enum MHD_ValueKind kind, const char *name)
{
    const char *value = NULL;
    size_t size = 0;

    if (MHD_lookup_connection_value_n(req->mhd, kind, name, strlen(name), &value, &size) != MHD_YES)
        return NULL;
    return value ? value : "";
}

const char *http_request_query(const HttpRequest *req, const char *name)
{
    return lookup(req, MHD_GET_ARGUMENT_KIND, name);
}

bool http_request_query_int(const HttpRequest *req, const char *name, int64_t min, int64_t max,
                            int64_t otherwise, int64_t *ret_value, Err *err)
{
    const char *text = http_request_query(req, name);

    *ret_value = otherwise;
    if (!text || text_to_int(text, min, max, ret_value))
        return true;
    err_set(err, ERR_BAD_INPUT, 0, "query parameter %s must be a number of %lld to %lld", name,
            (long long)min, (long long)max);
    return err_field(err, "%s", name);
}

const char *http_request_header(const HttpRequest *req, const char *name)
{
    const char *value = lookup(req, MHD_HEADER_KIND, name);

    return value && text_is_utf8(bytes_of_text(value)) ? value : NULL;
}

Bytes http_request_body(const HttpRequest *req)
{
    return buf_bytes(&req->body);
}

Json *http_request_json(const HttpRequest *req, Err *err)
{
    if (req->body.n == 0) {
        err_set(err, ERR_BAD_INPUT, 0, "the request has no body, a JSON object was expected");
        return NULL;
    }
    Json *json = json_parse(http_request_body(req), err);
    if (!json)
        err_prefix(err, "body");
    return json;
}

const char *http_request_caller(const HttpRequest *req)
{
    return req->caller;
}

void http_request_set_caller(HttpRequest *req, const char *caller)
{
    text_copy(req->caller, sizeof req->caller, caller);
}

void http_request_set_challenge(HttpRequest *req, const char *challenge)
{
    req->challenge = challenge;
}

const char *http_request_peer(const HttpRequest *req)
{
    return req->connection->peer;
}

bool http_request_is_unix(const HttpRequest *req)
{
    return req->connection->listener->is_unix;
}

uid_t http_request_uid(const HttpRequest *req)
{
    return req->connection->credentials.uid;
}

gid_t http_request_gid(const HttpRequest *req)
{
    return req->connection->credentials.gid;
}

pid_t http_request_pid(const HttpRequest *req)
{
    return req->connection->credentials.pid;
}

void *http_request_server_arg(const HttpRequest *req)
{
    return req->server->config.arg;
}

/* --- checks before anything runs --------------------------------------------------------------- */

size_t http_route_body_max(const Route *route)
{
    bool has_body = route->body_fields || route->body_type;

    return route->body_bytes_max || !has_body ? route->body_bytes_max : HTTP_BODY_BYTES_PRESET;
}

typedef struct QueryCheck {
    const HttpRequest *req;
    Err *err;
} QueryCheck;

static bool is_known_parameter(const RouteParameter *known, const char *name)
{
    for (; known->name; known++)
        if (strcmp(known->name, name) == 0)
            return true;
    return false;
}

static enum MHD_Result check_parameter(void *arg, enum MHD_ValueKind kind, const char *name,
                                       const char *value)
{
    QueryCheck *check = arg;
    const RouteParameter *known = check->req->route->query;

    (void)kind;
    if (!text_is_utf8(bytes_of_text(name)) || (value && !text_is_utf8(bytes_of_text(value)))) {
        err_set(check->err, ERR_BAD_INPUT, 0, "the query is not UTF-8");
        return MHD_NO;
    }
    if (!known || is_known_parameter(known, name))
        return MHD_YES;

    err_set(check->err, ERR_BAD_INPUT, 0, "there is no query parameter \"%.60s\" here", name);
    if (known->name)
        err_remedy(check->err, "The first one this path knows is \"%s\".", known->name);
    err_field(check->err, "%.60s", name);
    return MHD_NO;
}

/* True when the Content-Type header says this media type, whatever its parameters. */
static bool body_type_is(const HttpRequest *req, const char *media_type)
{
    const char *header = http_request_header(req, "Content-Type");
    size_t n = header ? strcspn(header, "; \t") : 0;

    return header && bytes_equal_nocase((Bytes){ (const uint8_t *)header, n }, media_type);
}

static bool announces_body(const HttpRequest *req)
{
    const char *length = http_request_header(req, "Content-Length");

    return http_request_header(req, "Transfer-Encoding") || (length && strcmp(length, "0") != 0);
}

bool http_request_is_sound(HttpRequest *req)
{
    Err err = { 0 };
    QueryCheck check = { req, &err };
    const Route *route = req->route;
    const char *type = route->body_fields ? "application/json" : route->body_type;

    MHD_get_connection_values(req->mhd, MHD_GET_ARGUMENT_KIND, check_parameter, &check);
    if (err.kind) {
        http_problem(req, 0, NULL, &err);
        return false;
    }
    /* Asking for the type also keeps foreign web pages out: a form cannot send JSON. */
    if (type && announces_body(req) && !body_type_is(req, type)) {
        err_set(&err, ERR_BAD_INPUT, 0, "the body must have the type %s", type);
        http_problem(req, 415, NULL, &err);
        return false;
    }
    return true;
}
