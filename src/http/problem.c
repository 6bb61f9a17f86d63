/* http/problem.c - failures as problem documents (RFC 9457). See inside.h. */
#include "http/inside.h"

#include "base/log.h"
#include "base/text.h"

#include <string.h>

typedef struct ProblemRow {
    int status;
    const char *code, *title;
} ProblemRow;

static const ProblemRow problem_rows[] = {
    { 400, "bad-input", "The request is not well-formed" },
    { 401, "unauthorised", "Log in first" },
    { 403, "denied", "This is not allowed" },
    { 404, "not-found", "There is no such thing" },
    { 405, "method-not-allowed", "This method is not known here" },
    { 409, "conflict", "This does not fit the present state" },
    { 412, "changed-meanwhile", "Somebody changed it meanwhile" },
    { 413, "too-large", "The request is too large" },
    { 415, "media-type", "The body has the wrong type" },
    { 416, "range", "The file has no such part" },
    { 422, "permanent", "This cannot be done as asked" },
    { 500, "bug", "The server made a mistake" },
    { 503, "temporary", "This does not work at the moment" },
};

/* Statuses without a row of their own share the one of 500. */
static const ProblemRow *row_of_status(int status)
{
    const ProblemRow *found = NULL;

    for (size_t i = 0; i < COUNT_OF(problem_rows); i++)
        if (problem_rows[i].status == status || (!found && problem_rows[i].status == 500))
            found = &problem_rows[i];
    return found;
}

static Json *problem_json(const HttpRequest *req, int status, const char *code, const Err *err)
{
    char type[80];
    Json *json = json_new_object();

    text_printf(type, sizeof type, "urn:platen:problem:%s", code);
    json_set_text(json, "type", type);
    json_set_text(json, "title", row_of_status(status)->title);
    json_set_int(json, "status", status);
    json_set_text(json, "detail", err->text);
    if (text_is_utf8(bytes_of_text(req->path)))
        json_set_text(json, "instance", req->path);
    if (err->field[0] != '\0')
        json_set_text(json, "field", err->field);
    if (err->remedy[0] != '\0')
        json_set_text(json, "remedy", err->remedy);
    return json;
}

void http_problem(HttpRequest *req, int status, const char *code, const Err *err)
{
    HttpResponse *res = &req->response;
    AUTO_BUF text = buf_with_max(16 * 1024);
    char quoted[300];

    if (!code)
        code = status ? row_of_status(status)->code : err_kind_name(err->kind);
    if (!status)
        status = err_http_status(err->kind);
    if (status == 500)
        log_line(LOG_ERROR, "http.failed", "method=%s path=%s error=%s", req->method, req->path,
                 log_quote(quoted, sizeof quoted, err->text));

    AUTO(Json) json = problem_json(req, status, code, err);
    if (!json_write(json, &text)) { /* the path is longer than the document may be, or no memory */
        buf_clear(&text);
        buf_put_text(&text, "{\"title\":\"The request failed\"}");
    }
    http_response_bytes(res, "application/problem+json", buf_bytes(&text));
    res->status = status;
    res->etag[0] = '\0';
    http_response_finish(req);
}

void http_refuse(HttpRequest *req, int status, const char *code, const char *detail)
{
    Err err;

    err_set(&err, ERR_BAD_INPUT, 0, "%s", detail);
    http_problem(req, status, code, &err);
}
