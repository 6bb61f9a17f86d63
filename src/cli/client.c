/* cli/client.c - see client.h. The only place of the command line with libcurl. */
#include "cli/client.h"

#include "base/file.h"
#include "base/limits.h"
#include "base/text.h"

#include <curl/curl.h>
#include <strings.h>

enum {
    CONNECT_MS = 10 * 1000,
    REQUEST_MS = 300 * 1000, /* a large configuration on a busy server                      */
    STREAM_IDLE_S = 60,      /* the server says something every 15 s                        */
    EVENT_BYTES_MAX = 64 * 1024,
    URL_MAX = 4096,
};

struct Client {
    CURL *curl;
    char base[512]; /* "https://host:port", no slash at the end */
    char socket_path[108];
    char ca_file[PATH_TEXT_SIZE];
    char bearer[256]; /* whole header line, "" = none */
};

Client *client_new(const ClientOptions *options, Err *err)
{
    AUTO(Client) client = calloc(1, sizeof *client);
    const char *url = options->server_url;
    bool fits = true;

    if (!client || curl_global_init(CURL_GLOBAL_DEFAULT) != 0 ||
        !(client->curl = curl_easy_init())) {
        err_set(err, ERR_TEMPORARY, 0, "no memory for a connection");
        return NULL;
    }
    if (!url)
        fits = text_copy(client->socket_path, sizeof client->socket_path, options->socket_path);
    fits &= text_copy(client->base, sizeof client->base, url ? url : "http://localhost");
    if (options->ca_file)
        fits &= text_copy(client->ca_file, sizeof client->ca_file, options->ca_file);
    if (options->token && url)
        fits &= text_printf(client->bearer, sizeof client->bearer, "Authorization: Bearer %s",
                            options->token);
    if (!fits || text_has_control(client->bearer)) {
        err_set(err, ERR_BAD_INPUT, 0,
                "the socket path, server URL or token is too long or broken");
        return NULL;
    }
    if (client->bearer[0] && !text_starts_with(client->base, "https://")) {
        err_set(err, ERR_BAD_INPUT, 0, "a token would travel unencrypted to %s", client->base);
        err_remedy(err, "Use an https:// URL, or the local socket on the server itself.");
        return NULL;
    }
    while (text_ends_with(client->base, "/"))
        client->base[strlen(client->base) - 1] = '\0';
    return STEAL(client);
}

void client_free(Client *client)
{
    if (!client)
        return;
    curl_easy_cleanup(client->curl);
    explicit_bzero(client->bearer, sizeof client->bearer);
    free(client);
}

void answer_done(Answer *answer)
{
    buf_done(&answer->body);
    json_free(answer->json);
    answer->json = NULL;
}

void url_escape(Buf *out, const char *text)
{
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        if ((*c >= '0' && *c <= '9') || (*c >= 'A' && *c <= 'Z') || (*c >= 'a' && *c <= 'z') ||
            strchr("-._~", *c))
            buf_put_u8(out, *c);
        else
            buf_printf(out, "%%%02X", *c);
    }
}

/* --- one request --------------------------------------------------------------------------------- */

static size_t take_body(char *bytes, size_t size, size_t n, void *arg)
{
    Answer *answer = arg;

    return buf_put(&answer->body, (Bytes){ (uint8_t *)bytes, size * n }) ? size * n : 0;
}

/* Header names come in any case; "ETag: "7"" is the only one that is needed. */
static size_t take_header(char *bytes, size_t size, size_t n, void *arg)
{
    Answer *answer = arg;
    Bytes line = { (uint8_t *)bytes, size * n };
    static const char name[] = "etag: ";

    if (line.n > sizeof name - 1 && strncasecmp(bytes, name, sizeof name - 1) == 0) {
        line = bytes_after(line, sizeof name - 1);
        while (line.n > 0 && (line.p[line.n - 1] == '\n' || line.p[line.n - 1] == '\r'))
            line.n--;
        (void)text_copy_bytes(answer->etag, sizeof answer->etag, line);
    }
    return size * n;
}

static bool add_header(struct curl_slist **list, const char *line)
{
    struct curl_slist *longer = curl_slist_append(*list, line);

    if (longer)
        *list = longer;
    return longer != NULL;
}

/* Options that every request has; path begins with "/". */
static bool request_begin(Client *client, const char *method, const char *path, Err *err)
{
    CURL *curl = client->curl;
    char url[URL_MAX];

    if (!text_printf(url, sizeof url, "%s%s", client->base, path))
        return err_set(err, ERR_BAD_INPUT, 0, "the name is too long for a request");
    curl_easy_reset(curl);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    if (client->socket_path[0]) {
        curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, client->socket_path);
        curl_easy_setopt(curl, CURLOPT_PROXY, "");
    }
    if (client->ca_file[0])
        curl_easy_setopt(curl, CURLOPT_CAINFO, client->ca_file);
    return true;
}

/* Why no answer came, in words that say where and what to do. */
static bool unreachable(const Client *client, CURLcode code, Err *err)
{
    const char *where = client->socket_path[0] ? client->socket_path : client->base;

    err_set(err, ERR_TEMPORARY, (int)code, "no answer from the server at %s: %s", where,
            curl_easy_strerror(code));
    if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE)
        return err_remedy(err, "Name the certificate of the server or of its authority by --ca.");
    if (code == CURLE_COULDNT_CONNECT && client->socket_path[0])
        return err_remedy(err, "Is platend running, and may you use its socket? "
                               "Name another one by --socket or PLATEN_SOCKET.");
    return err_remedy(err, "Is the server running, and is this its address?");
}

/* A problem document (RFC 9457) as an Err. */
static bool refused(const Answer *answer, Err *err)
{
    static const struct {
        long status;
        ErrKind kind;
    } kinds[] = { { 400, ERR_BAD_INPUT }, { 401, ERR_DENIED },    { 403, ERR_DENIED },
                  { 404, ERR_NOT_FOUND }, { 409, ERR_CONFLICT },  { 412, ERR_CONFLICT },
                  { 503, ERR_TEMPORARY }, { 429, ERR_TEMPORARY }, { 500, ERR_BUG } };
    ErrKind kind = ERR_PERMANENT;
    const char *detail = json_get_text(answer->json, "detail");

    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        if (kinds[i].status == answer->status)
            kind = kinds[i].kind;
    if (!detail[0])
        detail = json_get_text(answer->json, "title");
    err_set(err, kind, (int)answer->status, "%s",
            detail[0] ? detail : "the server answered without saying why");
    if (!detail[0])
        err_prefix(err, "HTTP status %ld", answer->status);
    if (json_get_text(answer->json, "field")[0])
        err_field(err, "%s", json_get_text(answer->json, "field"));
    if (json_get_text(answer->json, "remedy")[0])
        err_remedy(err, "%s", json_get_text(answer->json, "remedy"));
    return false;
}

static bool request_run(Client *client, struct curl_slist *headers, Answer *answer, Err *err)
{
    CURL *curl = client->curl;
    CURLcode code;
    Err ignored;

    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)REQUEST_MS);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, answer);
    code = curl_easy_perform(curl);
    if (answer->body.failed)
        return err_set(err, ERR_PERMANENT, 0, "the answer is larger than %d bytes", JSON_BYTES_MAX);
    if (code != CURLE_OK)
        return unreachable(client, code, err);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer->status);
    if (answer->body.n > 0 && (answer->body.p[0] == '{' || answer->body.p[0] == '['))
        answer->json = json_parse(buf_bytes(&answer->body), &ignored);
    return true;
}

/* What is sent: media_type NULL = nothing. */
typedef struct RequestBody {
    const char *media_type;
    Bytes bytes;
} RequestBody;

static bool request_with(Client *client, const char *method, const char *path,
                         const RequestBody *body, const char *if_match, Answer *answer, Err *err)
{
    struct curl_slist *headers = NULL;
    char line[96];
    bool ok;

    *answer = (Answer){ .body = buf_with_max(JSON_BYTES_MAX) };
    if (!request_begin(client, method, path, err))
        return false;
    ok = add_header(&headers, "Expect:"); /* no round trip before a body */
    if (client->bearer[0])
        ok = ok && add_header(&headers, client->bearer);
    if (body->media_type) {
        ok = ok && text_printf(line, sizeof line, "Content-Type: %s", body->media_type) &&
             add_header(&headers, line);
        curl_easy_setopt(client->curl, CURLOPT_POSTFIELDS, body->bytes.p);
        curl_easy_setopt(client->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body->bytes.n);
    } else if (text_equal(method, "POST")) {
        curl_easy_setopt(client->curl, CURLOPT_POSTFIELDS, "");
    }
    if (if_match)
        ok = ok && text_printf(line, sizeof line, "If-Match: %s", if_match) &&
             add_header(&headers, line);
    ok = ok ? request_run(client, headers, answer, err)
            : err_set(err, ERR_TEMPORARY, 0, "no memory for the request");
    curl_slist_free_all(headers);
    return ok;
}

static bool request(Client *client, const char *method, const char *path, const Json *body,
                    const char *if_match, Answer *answer, Err *err)
{
    AUTO_BUF text = buf_with_max(JSON_BYTES_MAX);

    *answer = (Answer){ .body = { 0 } };
    if (body && !json_write(body, &text))
        return err_set(err, ERR_TEMPORARY, 0, "no memory for the request");
    RequestBody sent = { body ? "application/json" : NULL, buf_bytes(&text) };
    return request_with(client, method, path, &sent, if_match, answer, err);
}

bool client_send(Client *client, const char *path, const char *media_type, Bytes body,
                 Answer *ret_answer, Err *err)
{
    RequestBody sent = { media_type, body };

    if (body.n == 0)
        sent.bytes.p = (const uint8_t *)"";
    return request_with(client, "POST", path, &sent, NULL, ret_answer, err) &&
           (ret_answer->status < 400 || refused(ret_answer, err));
}

bool client_call(Client *client, const char *method, const char *path, const Json *body,
                 const char *if_match, Answer *ret_answer, Err *err)
{
    return request(client, method, path, body, if_match, ret_answer, err) &&
           (ret_answer->status < 400 || refused(ret_answer, err));
}

bool client_get_any(Client *client, const char *path, Answer *ret_answer, Err *err)
{
    return request(client, "GET", path, NULL, NULL, ret_answer, err);
}

/* --- files ------------------------------------------------------------------------------------------ */

/* A body that is taken piece by piece, however long it is. */
typedef struct Download {
    Client *client;
    bool (*take)(void *arg, Bytes piece); /* false ends it */
    void *arg;
    bool ended;     /* take answered false                    */
    Answer refusal; /* the body when the status is not 200    */
} Download;

static size_t take_piece(char *bytes, size_t size, size_t n, void *arg)
{
    Download *download = arg;
    Bytes piece = { (uint8_t *)bytes, size * n };
    long status = 0;

    curl_easy_getinfo(download->client->curl, CURLINFO_RESPONSE_CODE, &status);
    if (status != 200)
        return buf_put(&download->refusal.body, piece) ? piece.n : 0;
    download->ended = !download->take(download->arg, piece);
    return download->ended ? 0 : piece.n;
}

static bool download_perform(Download *download, Err *err)
{
    CURL *curl = download->client->curl;
    Answer *refusal = &download->refusal;
    Err ignored;

    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, (long)STREAM_IDLE_S);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_piece);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, download);
    CURLcode code = curl_easy_perform(curl);
    if (download->ended)
        return true;
    if (code != CURLE_OK)
        return unreachable(download->client, code, err);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &refusal->status);
    if (refusal->status == 200)
        return true;
    refusal->json = json_parse(buf_bytes(&refusal->body), &ignored);
    return refused(refusal, err);
}

/* Runs until the body is whole or take ends it; more: header lines, the last is NULL. */
static bool download_run(Download *download, const char *path, const char *const *more, Err *err)
{
    Client *client = download->client;
    struct curl_slist *headers = NULL;
    bool ok = !client->bearer[0] || add_header(&headers, client->bearer);

    for (; ok && *more; more++)
        ok = add_header(&headers, *more);
    if (!ok)
        (void)err_set(err, ERR_TEMPORARY, 0, "no memory for the request");
    download->refusal.body = buf_with_max(JSON_BYTES_MAX);
    if (ok && (ok = request_begin(client, "GET", path, err))) {
        curl_easy_setopt(client->curl, CURLOPT_HTTPHEADER, headers);
        ok = download_perform(download, err);
    }
    curl_slist_free_all(headers);
    answer_done(&download->refusal);
    return ok;
}

typedef struct Saving {
    int fd;
    Err *err;
} Saving;

static bool save_piece(void *arg, Bytes piece)
{
    Saving *saving = arg;

    return file_write_all(saving->fd, piece, saving->err);
}

bool client_save(Client *client, const char *path, int fd, Err *err)
{
    Saving saving = { fd, err };
    Download download = { .client = client, .take = save_piece, .arg = &saving };

    return download_run(&download, path, (const char *const[]){ NULL }, err) && !download.ended;
}

/* --- event streams (text/event-stream) ------------------------------------------------------------ */

typedef struct Stream {
    ClientEvent *visit;
    void *arg;
    Buf line; /* of the stream, until its newline   */
} Stream;

/* "data: {...}" is all that is used: our server writes each event's JSON on one line. */
static bool stream_line(Stream *stream)
{
    static const char name[] = "data: ";
    const char *text = buf_text(&stream->line);
    bool more = !text_starts_with(text, name) || stream->visit(stream->arg, text + sizeof name - 1);

    buf_clear(&stream->line);
    return more;
}

static bool stream_piece(void *arg, Bytes piece)
{
    Stream *stream = arg;
    bool more = true;

    for (size_t i = 0; i < piece.n && more; i++) {
        if (piece.p[i] == '\n')
            more = stream_line(stream);
        else if (piece.p[i] != '\r')
            buf_put_u8(&stream->line, piece.p[i]);
    }
    return more;
}

bool client_follow(Client *client, const char *path, int64_t last_id, ClientEvent *visit, void *arg,
                   Err *err)
{
    Stream stream = { visit, arg, buf_with_max(EVENT_BYTES_MAX) };
    Download download = { .client = client, .take = stream_piece, .arg = &stream };
    char line[64];

    (void)text_printf(line, sizeof line, "Last-Event-ID: %lld", (long long)last_id);
    const char *const more[] = { "Accept: text/event-stream", last_id > 0 ? line : NULL, NULL };
    bool ok = download_run(&download, path, more, err);
    buf_done(&stream.line);
    return ok && (download.ended || err_set(err, ERR_TEMPORARY, 0, "the server ended the stream"));
}
