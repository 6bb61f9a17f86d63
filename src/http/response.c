/* http/response.c - from what a handler said to an answer of libmicrohttpd. See route.h. */
#include "http/inside.h"

#include "base/limits.h"
#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- what handlers say ------------------------------------------------------------------------- */

static void clear_body(HttpResponse *res)
{
    free(res->owned);
    if (res->fd >= 0)
        close(res->fd);
    res->owned = NULL;
    res->fd = -1;
    res->bytes = (Bytes){ NULL, 0 };
    res->kind = BODY_NONE;
    res->broken = false;
}

void http_response_clear(HttpResponse *res)
{
    clear_body(res);
    for (size_t i = 0; i < res->header_count; i++)
        free(res->headers[i].value);
    *res = (HttpResponse){ .fd = -1 };
}

void http_response_set_status(HttpResponse *res, int status)
{
    res->status = status;
}

void http_response_bytes(HttpResponse *res, const char *media_type, Bytes bytes)
{
    clear_body(res);
    res->owned = malloc(bytes.n ? bytes.n : 1);
    if (!res->owned) {
        res->broken = true;
        return;
    }
    if (bytes.n > 0)
        memcpy(res->owned, bytes.p, bytes.n);
    res->bytes = (Bytes){ res->owned, bytes.n };
    res->media_type = media_type;
    res->kind = BODY_OWNED;
}

void http_response_static(HttpResponse *res, const char *media_type, Bytes bytes)
{
    clear_body(res);
    res->bytes = bytes;
    res->media_type = media_type;
    res->kind = BODY_STATIC;
}

void http_response_json(HttpResponse *res, Json *value_take)
{
    AUTO(Json) value = value_take;
    AUTO_BUF text = buf_with_max(JSON_BYTES_MAX);

    clear_body(res);
    if (!value || !json_write(value, &text) || !buf_put_text(&text, "\n")) {
        res->broken = true;
        return;
    }
    res->bytes = buf_bytes(&text);
    res->owned = STEAL(text.p); /* moves; nothing is copied */
    res->media_type = "application/json";
    res->kind = BODY_OWNED;
}

void http_response_file(HttpResponse *res, const char *media_type, int fd_take, int64_t size_bytes)
{
    clear_body(res);
    res->fd = fd_take;
    res->size_bytes = size_bytes;
    res->media_type = media_type;
    res->kind = BODY_FILE;
}

void http_response_events(HttpResponse *res)
{
    clear_body(res);
    res->kind = BODY_EVENTS;
}

void http_response_etag(HttpResponse *res, const char *etag)
{
    if (strchr(etag, '"') || text_has_control(etag) || !text_copy(res->etag, ETAG_TEXT_SIZE, etag))
        res->etag[0] = '\0';
}

void http_response_header(HttpResponse *res, const char *name, const char *value)
{
    if (res->header_count == RESPONSE_HEADERS_MAX || text_has_control(value))
        return;
    char *copy = strdup(value);
    if (copy)
        res->headers[res->header_count++] = (ResponseHeader){ name, copy };
}

/* --- files ------------------------------------------------------------------------------------- */

typedef struct FileReader {
    int fd;
    int64_t offset;
} FileReader;

static ssize_t read_file(void *arg, uint64_t position, char *to, size_t size)
{
    FileReader *reader = arg;
    ssize_t n = pread(reader->fd, to, size, (off_t)(reader->offset + (int64_t)position));

    if (n == 0)
        return MHD_CONTENT_READER_END_WITH_ERROR; /* the file shrank: the client must notice */
    return n > 0 ? n : MHD_CONTENT_READER_END_WITH_ERROR;
}

static void close_file(void *arg)
{
    FileReader *reader = arg;

    close(reader->fd);
    free(reader);
}

/* Part of a file. Plain connections let the kernel copy it; over TLS larger blocks are faster. */
static struct MHD_Response *file_answer(HttpRequest *req, int64_t offset, int64_t size)
{
    HttpResponse *res = &req->response;
    struct MHD_Response *answer = NULL;

    if (!req->connection->listener->is_tls) {
        answer = MHD_create_response_from_fd_at_offset64((uint64_t)size, res->fd, (uint64_t)offset);
        if (answer)
            res->fd = -1; /* closed by the library now */
        return answer;
    }
    FileReader *reader = malloc(sizeof *reader);
    if (!reader)
        return NULL;
    *reader = (FileReader){ .fd = res->fd, .offset = offset };
    answer = MHD_create_response_from_callback((uint64_t)size, HTTP_FILE_BLOCK, read_file, reader,
                                               close_file);
    if (answer)
        res->fd = -1;
    else
        free(reader);
    return answer;
}

typedef enum RangeResult { RANGE_NONE, RANGE_PART, RANGE_OUTSIDE } RangeResult;

/* Reads "bytes=a-b", "bytes=a-" or "bytes=-n" against a size (RFC 9110, 14.1.2). Everything else,
 * several ranges too, counts as no range: the whole file is a right answer to those. */
static RangeResult parse_range(const char *text, int64_t size, int64_t *ret_first,
                               int64_t *ret_last)
{
    int64_t first = 0, last = 0;

    if (!text || !text_starts_with(text, "bytes="))
        return RANGE_NONE;
    Bytes spec = bytes_of_text(text + strlen("bytes="));
    const uint8_t *dash = memchr(spec.p, '-', spec.n);
    if (!dash)
        return RANGE_NONE;
    Bytes from = { spec.p, (size_t)(dash - spec.p) };
    Bytes to = { dash + 1, spec.n - from.n - 1 };
    if (from.n > 0 && !bytes_to_int(from, 0, INT64_MAX, &first))
        return RANGE_NONE;
    if (to.n > 0 && !bytes_to_int(to, 0, INT64_MAX, &last))
        return RANGE_NONE;
    if ((from.n == 0 && to.n == 0) || (from.n > 0 && to.n > 0 && last < first))
        return RANGE_NONE;
    if (from.n == 0) { /* the last so many bytes */
        first = last < size ? size - last : 0;
        last = last > 0 ? size - 1 : -1;
    } else if (to.n == 0 || last >= size) {
        last = size - 1;
    }
    *ret_first = first;
    *ret_last = last;
    return first <= last ? RANGE_PART : RANGE_OUTSIDE;
}

/* If-Range: a part is only of use to a client whose other parts are of the same file. */
static bool range_is_wanted(const HttpRequest *req)
{
    const char *condition = http_request_header(req, "If-Range");
    char quoted[ETAG_TEXT_SIZE + 2];

    if (!condition)
        return true;
    text_printf(quoted, sizeof quoted, "\"%s\"", req->response.etag);
    return req->response.etag[0] != '\0' && strcmp(condition, quoted) == 0;
}

/* The whole file or a part. NULL after having answered 416 itself, or without memory. */
static struct MHD_Response *ranged_answer(HttpRequest *req)
{
    HttpResponse *res = &req->response;
    char text[80];
    int64_t first = 0, last = res->size_bytes - 1;
    const char *header = http_request_header(req, "Range");
    RangeResult range = RANGE_NONE;

    http_response_header(res, "Accept-Ranges", "bytes");
    if (res->status == 200 && strcmp(req->method, "GET") == 0 && range_is_wanted(req))
        range = parse_range(header, res->size_bytes, &first, &last);
    if (range == RANGE_OUTSIDE) {
        text_printf(text, sizeof text, "bytes */%lld", (long long)res->size_bytes);
        http_response_header(res, "Content-Range", text);
        http_refuse(req, 416, NULL, "the range begins after the end of the file");
        return NULL;
    }
    if (range == RANGE_PART) {
        text_printf(text, sizeof text, "bytes %lld-%lld/%lld", (long long)first, (long long)last,
                    (long long)res->size_bytes);
        http_response_header(res, "Content-Range", text);
        res->status = 206;
    }
    return file_answer(req, first, last - first + 1);
}

/* --- the answer -------------------------------------------------------------------------------- */

/* True when If-None-Match lists the tag: weak comparison, as RFC 9110 wants it for this header. */
static bool client_has_it(const HttpRequest *req)
{
    const char *list = http_request_header(req, "If-None-Match");
    char quoted[ETAG_TEXT_SIZE + 2];

    if (!list || req->response.etag[0] == '\0' || strcmp(req->method, "GET") != 0)
        return false;
    text_printf(quoted, sizeof quoted, "\"%s\"", req->response.etag);
    return strcmp(list, "*") == 0 || strstr(list, quoted) != NULL;
}

static void add_headers(const HttpRequest *req, struct MHD_Response *answer)
{
    static const char *const always[][2] = {
        { "X-Content-Type-Options", "nosniff" },
        { "X-Frame-Options", "DENY" },
        { "Referrer-Policy", "no-referrer" },
    };
    const HttpResponse *res = &req->response;
    char quoted[ETAG_TEXT_SIZE + 2];

    for (size_t i = 0; i < COUNT_OF(always); i++)
        MHD_add_response_header(answer, always[i][0], always[i][1]);
    MHD_add_response_header(answer, "Cache-Control",
                            res->etag[0] ? "private, no-cache" : "no-store");
    if (res->etag[0]) {
        text_printf(quoted, sizeof quoted, "\"%s\"", res->etag);
        MHD_add_response_header(answer, "ETag", quoted);
    }
    if (res->kind != BODY_NONE && res->media_type)
        MHD_add_response_header(answer, "Content-Type", res->media_type);
    for (size_t i = 0; i < res->header_count; i++)
        MHD_add_response_header(answer, res->headers[i].name, res->headers[i].value);
}

static int64_t last_event_id(const HttpRequest *req)
{
    const char *text = http_request_header(req, "Last-Event-ID");
    int64_t id = -1;

    return text && text_to_int(text, 0, INT64_MAX, &id) ? id : -1;
}

static struct MHD_Response *stream_answer(HttpRequest *req)
{
    HttpEvents *events = req->server->config.events;
    struct MHD_Response *answer = NULL;

    if (events && !req->is_head)
        answer = http_events_stream(events, req->mhd, last_event_id(req));
    if (!answer) {
        http_response_header(&req->response, "Retry-After", "10");
        http_refuse(req, 503, "busy", "no more event streams are possible at the moment");
        return NULL;
    }
    req->response.media_type = "text/event-stream";
    http_response_header(&req->response, "X-Accel-Buffering", "no"); /* a proxy must not collect */
    return answer;
}

static struct MHD_Response *bytes_answer(HttpResponse *res)
{
    void *bytes = (void *)(uintptr_t)res->bytes.p;
    bool is_owned = res->kind == BODY_OWNED;
    struct MHD_Response *answer = MHD_create_response_from_buffer(
        res->bytes.n, bytes, is_owned ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);

    if (answer && is_owned)
        res->owned = NULL; /* freed by the library now */
    return answer;
}

/* The last resort when nothing can be made: an empty 500. */
static void answer_empty(HttpRequest *req, int status)
{
    req->answer = MHD_create_response_from_buffer(0, (void *)(uintptr_t) "",
                                                  MHD_RESPMEM_PERSISTENT);
    req->answer_status = status;
}

void http_response_finish(HttpRequest *req)
{
    HttpResponse *res = &req->response;
    struct MHD_Response *answer = NULL;
    bool was_broken = res->broken;

    if (was_broken)
        clear_body(res);
    if (res->status == 0)
        res->status = res->kind == BODY_NONE ? 204 : 200;
    if (res->status == 200 && client_has_it(req)) {
        clear_body(res);
        res->status = 304;
    }
    if (!was_broken && res->kind == BODY_FILE)
        answer = ranged_answer(req);
    else if (!was_broken && res->kind == BODY_EVENTS)
        answer = stream_answer(req);
    else if (!was_broken)
        answer = bytes_answer(res);
    if (req->answer)
        return; /* a problem was answered instead */
    if (!answer) {
        answer_empty(req, 500);
        return;
    }
    add_headers(req, answer);
    req->answer = answer;
    req->answer_status = res->status;
}
