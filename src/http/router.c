/* http/router.c - from method and path to a route. See route.h and inside.h. */
#include "http/inside.h"

#include "base/text.h"

#include <stdlib.h>
#include <string.h>

enum { PATH_SEGMENTS_MAX = 32 };

/* Cuts the next segment off a path that begins with '/'. False at the end. */
static bool next_segment(Bytes *path, Bytes *ret_segment)
{
    if (path->n == 0 || path->p[0] != '/')
        return false;
    const uint8_t *start = path->p + 1;
    size_t left = path->n - 1;
    const uint8_t *slash = left ? memchr(start, '/', left) : NULL;
    size_t n = slash ? (size_t)(slash - start) : left;

    *ret_segment = (Bytes){ start, n };
    *path = (Bytes){ start + n, left - n };
    return true;
}

static bool is_variable(Bytes segment)
{
    return segment.n > 2 && segment.p[0] == '{' && segment.p[segment.n - 1] == '}';
}

typedef struct Match {
    size_t count; /* variables; fewer is the better match */
    Bytes names[ROUTE_VARIABLES_MAX], values[ROUTE_VARIABLES_MAX];
} Match;

static bool path_matches(const char *pattern, Bytes path, Match *ret_match)
{
    Bytes left = bytes_of_text(pattern), want, have;
    Match match = { 0 };

    while (next_segment(&left, &want)) {
        if (!next_segment(&path, &have))
            return false;
        if (is_variable(want)) {
            if (have.n == 0 || match.count == ROUTE_VARIABLES_MAX)
                return false;
            match.names[match.count] = (Bytes){ want.p + 1, want.n - 2 };
            match.values[match.count++] = have;
        } else if (!bytes_equal(want, have)) {
            return false;
        }
    }
    if (path.n > 0)
        return false;
    *ret_match = match;
    return true;
}

static bool method_matches(const Route *route, const HttpRequest *req)
{
    return strcmp(route->method, req->method) == 0;
}

static bool keep_variables(HttpRequest *req, const Match *match)
{
    for (size_t i = 0; i < match->count; i++) {
        char *value = malloc(match->values[i].n + 1);
        if (!value)
            return false;
        text_copy_bytes(value, match->values[i].n + 1, match->values[i]);
        req->variables[req->variable_count++] = (PathVariable){ match->names[i], value };
    }
    return true;
}

/* Adds a method to an Allow header once. */
static void allow(Buf *list, const char *method)
{
    if (strstr(buf_text(list), method))
        return;
    buf_printf(list, "%s%s", list->n ? ", " : "", method);
    if (strcmp(method, "GET") == 0)
        buf_put_text(list, ", HEAD");
}

bool http_router_find(HttpRequest *req)
{
    Bytes path = bytes_of_text(req->path);
    AUTO_BUF allowed = buf_with_max(256);
    Match match, best = { .count = ROUTE_VARIABLES_MAX + 1 };

    for (const Route *const *table = req->server->config.routes; *table; table++) {
        for (const Route *route = *table; route->method; route++) {
            if (!path_matches(route->path, path, &match))
                continue;
            allow(&allowed, route->method);
            if (!method_matches(route, req) || match.count >= best.count)
                continue;
            best = match;
            req->route = route;
        }
    }
    if (req->route) {
        if (keep_variables(req, &best))
            return true;
        http_refuse(req, 503, "temporary", "no memory for the request");
    } else if (allowed.n > 0) {
        http_response_header(&req->response, "Allow", buf_text(&allowed));
        http_refuse(req, 405, NULL, "this path does not know the method; see the Allow header");
    } else {
        http_refuse(req, 404, NULL, "there is nothing at this path");
    }
    return false;
}

static bool route_is_sound(const Route *route, Err *err)
{
    Bytes left = bytes_of_text(route->path), segment;
    size_t segments = 0, variables = 0;

    while (next_segment(&left, &segment)) {
        segments++;
        variables += is_variable(segment);
    }
    if (left.n > 0 || segments == 0 || segments > PATH_SEGMENTS_MAX ||
        variables > ROUTE_VARIABLES_MAX)
        return err_set(err, ERR_BUG, 0, "route %s %s has no proper path", route->method,
                       route->path);
    if (!route->handler)
        return err_set(err, ERR_BUG, 0, "route %s %s has no handler", route->method, route->path);
    if (route->body_fields && route->body_type)
        return err_set(err, ERR_BUG, 0, "route %s %s has two kinds of body", route->method,
                       route->path);
    return true;
}

bool http_router_check(const Route *const *routes, Err *err)
{
    for (const Route *const *table = routes; *table; table++)
        for (const Route *route = *table; route->method; route++)
            if (!route_is_sound(route, err))
                return false;
    return true;
}
