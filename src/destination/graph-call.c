/* destination/graph-call.c - see graph-call.h. */
#include "destination/graph-call.h"

#include "base/cleanup.h"
#include "base/text.h"

#include <string.h>

enum { STATUS_UNAUTHORIZED = 401 };

/* --- exchanges -------------------------------------------------------------------------------------- */

void graph_answer_done(GraphAnswer *answer)
{
    json_free(answer->json);
    answer->json = NULL;
}

const char graph_room_cure[] = "Make room in the library, or raise its quota.";

static const struct {
    const char *code;
    DeliveryClass class;
    const char *stage; /* NULL: the one of the call */
    const char *cure;
} code_rows[] = {
    { "InvalidAuthenticationToken", DELIVERY_CLASS_AUTH, "login",
      "Grant the application its permissions, and look at the clock of this server." },
    { "accessDenied", DELIVERY_CLASS_CONFIG, NULL,
      "Grant the application Sites.Selected and write for this site, or Files.ReadWrite.All." },
    { "itemNotFound", DELIVERY_CLASS_CONFIG, NULL, "Correct site, library and folder." },
    { "nameAlreadyExists", DELIVERY_CLASS_FATAL, NULL, "Remove the file there." },
    { "invalidRequest", DELIVERY_CLASS_CONFIG, NULL,
      "Correct names of columns, folders and files." },
    { "quotaLimitReached", DELIVERY_CLASS_RETRY, NULL, graph_room_cure },
    { "resourceLocked", DELIVERY_CLASS_RETRY, NULL,
      "Nothing: it is tried again when nobody edits the file." },
    { "notAllowed", DELIVERY_CLASS_CONFIG, NULL, "Allow this in the settings of the library." },
};

/* 413, 429 and 5xx say enough by themselves. */
static const TransferReply call_replies[] = {
    { 400, 412, DELIVERY_CLASS_OK, NULL, NULL },
    { 416, 416, DELIVERY_CLASS_OK, NULL, NULL },
    { 423, 423, DELIVERY_CLASS_OK, NULL, NULL },
    { 507, 507, DELIVERY_CLASS_OK, NULL, NULL },
    { .first = 0 },
};

static void read_error(const Json *json, GraphAnswer *answer)
{
    const Json *error = json_get(json, "error"), *inner = json_get(error, "innerError");

    (void)text_copy(answer->code, sizeof answer->code, json_get_text(error, "code"));
    (void)text_copy(answer->says, sizeof answer->says, json_get_text(error, "message"));
    (void)text_copy(answer->request, sizeof answer->request, json_get_text(inner, "request-id"));
}

bool graph_fail(const Errand *errand, const char *stage, const GraphAnswer *answer)
{
    Online *online = errand->connection;

    for (size_t i = 0; i < COUNT_OF(code_rows); i++)
        if (text_equal(code_rows[i].code, answer->code))
            return transfer_failed(online->transfer, code_rows[i].class,
                                   code_rows[i].stage ? code_rows[i].stage : stage,
                                   code_rows[i].cure, "%ld %s: %s (request %s)", answer->status,
                                   answer->code, answer->says, answer->request);
    return transfer_replied(online->transfer, answer->status, stage, NULL);
}

bool graph_receive(const Errand *errand, const char *stage, GraphAnswer *ret)
{
    Online *online = errand->connection;
    Err err;

    graph_answer_done(ret);
    *ret = (GraphAnswer){ .status = 0 };
    curl_easy_setopt(transfer_handle(online->transfer), CURLOPT_USERAGENT,
                     "NONISV|Platen|Platen/" PLATEN_VERSION); /* as throttled clients should */
    if (!transfer_run(online->transfer, stage, call_replies))
        return false;
    ret->status = transfer_code(online->transfer);
    if (ret->status < GRAPH_FAILED)
        return http_answer_json(online->transfer, stage, &ret->json);
    AUTO(Json) error = json_parse(bytes_of_text(transfer_body(online->transfer)), &err);
    read_error(error, ret);
    return true;
}

static bool get_token(const Errand *errand)
{
    const OnlineSettings *s = errand->settings;
    Online *online = errand->connection;
    AUTO_BUF token_url = buf_with_max(GRAPH_URL_BYTES_MAX),
             scope = buf_with_max(GRAPH_URL_BYTES_MAX);
    const char *host = strstr(s->graph_url, "://");
    size_t origin_n = host ? (size_t)(host + 3 - s->graph_url) + strcspn(host + 3, "/") : 0;

    (void)buf_printf(&token_url, "%s/", s->login_url);
    (void)url_put(&token_url, s->tenant);
    (void)buf_put_text(&token_url, "/oauth2/v2.0/token");
    (void)buf_put(&scope, (Bytes){ (const uint8_t *)s->graph_url, origin_n });
    (void)buf_put_text(&scope, "/.default");
    const OauthClient client = { .token_url = buf_text(&token_url),
                                 .client_id = s->client_id,
                                 .scope = buf_text(&scope),
                                 .secret = s->client_secret,
                                 .certificate = s->certificate,
                                 .key = s->certificate_key };

    return oauth_get(online->transfer, errand, &client, &online->token);
}

static bool exchange(const Errand *errand, const GraphCall *call, GraphAnswer *ret)
{
    const OnlineSettings *s = errand->settings;
    Online *online = errand->connection;
    AUTO_BUF url = buf_with_max(GRAPH_URL_BYTES_MAX);

    if (!get_token(errand))
        return false;
    const HttpLogin login = { .auth = HTTP_AUTH_BEARER,
                              .user = "",
                              .password = online->token.text };

    (void)buf_printf(&url, "%s%s", s->graph_url, call->path);
    if (!http_begin(online->transfer, errand, &login, call->method, buf_text(&url)))
        return false;
    http_header(online->transfer, "Accept: application/json");
    if (call->body && !http_json(online->transfer, json_clone(call->body), "application/json"))
        return false;
    if (call->whole) {
        http_header(online->transfer, "Content-Type: application/octet-stream");
        transfer_upload(online->transfer);
    }
    return graph_receive(errand, call->stage, ret);
}

bool graph_call(const Errand *errand, GraphCall *what, GraphAnswer *ret)
{
    Online *online = errand->connection;
    AUTO(Json) body = what->body;

    if (!exchange(errand, what, ret))
        return false;
    if (ret->status != STATUS_UNAUTHORIZED)
        return true;
    oauth_forget(&online->token);
    return exchange(errand, what, ret);
}

bool graph_demand(const Errand *errand, GraphCall *what, GraphAnswer *ret)
{
    return graph_call(errand, what, ret) &&
           (ret->status < GRAPH_FAILED || graph_fail(errand, what->stage, ret));
}

/* --- addresses -------------------------------------------------------------------------------------- */

static void put_segments(Buf *path, const char *text)
{
    for (; *text; text++) {
        char one[2] = { *text, '\0' };

        (void)(*text == '/' ? buf_put_u8(path, '/') : url_put(path, one));
    }
}

const char *graph_put_item(const Errand *errand, const char *folder, const char *name,
                           const char *verb, Buf *path)
{
    Online *online = errand->connection;
    bool root = !folder[0] && !name;

    (void)buf_put_text(path, "/drives/");
    (void)url_put(path, online->drive);
    (void)buf_put_text(path, root ? "/root" : "/root:");
    if (folder[0]) {
        (void)buf_put_u8(path, '/');
        put_segments(path, folder);
    }
    if (name) {
        (void)buf_put_u8(path, '/');
        (void)url_put(path, library_name(name));
    }
    (void)buf_printf(path, "%s%s", root || !verb[0] || verb[0] == '?' ? "" : ":", verb);
    return buf_text(path);
}
