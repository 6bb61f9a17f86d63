/* tests/unit/test-http.c - routes, bodies, problems, permissions, limits: over real connections. */
#include "tests/unit/http-peer.h"

#include "base/field.h"
#include "http/openapi.h"

#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>

enum { MIB = 1024 * 1024, LARGE_BYTES_MAX = 60 * MIB };

typedef struct ItemSettings {
    char name[16];
    int64_t size;
} ItemSettings;

static const Field item_fields[] = {
    TEXT(ItemSettings, name, true, "Name of the item."),
    INTEGER(ItemSettings, size, 0, 10, 3, "Size of the item."),
    FIELDS_END,
};

static HttpServer *server;
static uint16_t port;
static Answer answer;
static int server_word;

static bool get_hello(HttpRequest *req, HttpResponse *res, Err *err)
{
    Json *json = json_new_object();

    (void)err;
    assert_ptr_equal(http_request_server_arg(req), &server_word);
    json_set_text(json, "path", http_request_path(req));
    json_set_text(json, "method", http_request_method(req));
    json_set_text(json, "peer", http_request_peer(req));
    json_set_text(json, "caller", http_request_caller(req));
    json_set_bool(json, "unix", http_request_is_unix(req));
    http_response_json(res, json);
    return true;
}

static bool get_fast(HttpRequest *req, HttpResponse *res, Err *err)
{
    (void)req;
    (void)err;
    http_response_static(res, "text/plain; charset=utf-8", bytes_of_text("fast\n"));
    return true;
}

static bool get_item(HttpRequest *req, HttpResponse *res, Err *err)
{
    const char *id = http_request_variable(req, "id");

    if (strcmp(id, "none") == 0) {
        err_set(err, ERR_NOT_FOUND, 0, "there is no item \"%s\"", id);
        return err_remedy(err, "List the items first.");
    }
    assert_string_equal(http_request_variable(req, "other"), "");
    http_response_bytes(res, "text/plain", bytes_of_text(id));
    return true;
}

static bool get_special(HttpRequest *req, HttpResponse *res, Err *err)
{
    (void)req;
    (void)err;
    http_response_bytes(res, "text/plain", bytes_of_text("the special one"));
    return true;
}

static bool delete_item(HttpRequest *req, HttpResponse *res, Err *err)
{
    (void)req;
    (void)res;
    (void)err;
    return true;
}

static bool post_item(HttpRequest *req, HttpResponse *res, Err *err)
{
    ItemSettings item;
    AUTO(Json) json = http_request_json(req, err);

    if (!json || !json_read_fields(json, item_fields, &item, sizeof item, err))
        return false;
    if (strcmp(item.name, "old") == 0) {
        http_response_set_status(res, 412);
        return err_set(err, ERR_CONFLICT, 0, "the item was changed by somebody else");
    }
    http_response_set_status(res, 201);
    http_response_header(res, "Location", "/items/1");
    http_response_header(res, "X-Bad", "a\r\nInjected: yes");
    http_response_json(res, json_from_fields(item_fields, &item, false));
    return true;
}

static bool put_text(HttpRequest *req, HttpResponse *res, Err *err)
{
    (void)err;
    http_response_bytes(res, "application/yaml", http_request_body(req));
    return true;
}

static bool put_large(HttpRequest *req, HttpResponse *res, Err *err)
{
    char text[32];

    (void)err;
    text_printf(text, sizeof text, "%zu", http_request_body(req).n);
    http_response_bytes(res, "text/plain", bytes_of_text(text));
    return true;
}

static bool get_number(HttpRequest *req, HttpResponse *res, Err *err)
{
    char text[32];
    int64_t limit = 0;

    if (!http_request_query_int(req, "limit", 1, 100, 50, &limit, err))
        return false;
    text_printf(text, sizeof text, "%lld %s", (long long)limit,
                http_request_query(req, "after") ? http_request_query(req, "after") : "-");
    http_response_bytes(res, "text/plain", bytes_of_text(text));
    return true;
}

static bool get_broken(HttpRequest *req, HttpResponse *res, Err *err)
{
    (void)req;
    (void)err;
    http_response_json(res, NULL);
    return true;
}

static bool get_bug(HttpRequest *req, HttpResponse *res, Err *err)
{
    (void)req;
    (void)res;
    return err_set(err, ERR_BUG, 0, "a rule of ours is broken");
}

static const RouteParameter number_query[] = {
    { "limit", "integer", "How many." },
    { "after", "string", "Where to go on." },
    { NULL, NULL, NULL },
};

static const Route first_routes[] = {
    { "GET", "/hello", NULL, get_hello, "Says hello.", 0, NULL, NULL, 0, NULL, "Hello" },
    { "GET", "/fast", NULL, get_fast, "Is quick.", ROUTE_FAST, NULL, NULL, 0, NULL, NULL },
    { "GET", "/fast/secret", "secrets.read", get_fast, "Is quick.", ROUTE_FAST, NULL, NULL, 0, NULL,
      NULL },
    { "GET", "/broken", NULL, get_broken, "Fails.", 0, NULL, NULL, 0, NULL, NULL },
    { "GET", "/bug", NULL, get_bug, "Fails.", 0, NULL, NULL, 0, NULL, NULL },
    { .method = NULL },
};

static const Route item_routes[] = {
    { "GET", "/items/{id}", "items.read", get_item, "Shows an item.", 0, NULL, NULL, 0, NULL,
      "Item" },
    { "GET", "/items/special", NULL, get_special, "Shows it.", 0, NULL, NULL, 0, NULL, "Item" },
    { "DELETE", "/items/{id}", NULL, delete_item, "Removes an item.", 0, NULL, NULL, 0, NULL,
      NULL },
    { "POST", "/items", NULL, post_item, "Makes an item.", 0, item_fields, NULL, 0, NULL, "Item" },
    { "PUT", "/text", NULL, put_text, "Keeps a text.", 0, NULL, "application/yaml", 10, NULL,
      NULL },
    { "PUT", "/large", NULL, put_large, "Counts.", 0, NULL, "application/octet-stream",
      LARGE_BYTES_MAX, NULL, NULL },
    { "GET", "/number", NULL, get_number, "Shows a number.", 0, NULL, NULL, 0, number_query, NULL },
    { .method = NULL },
};

static const Route *const routes[] = { first_routes, item_routes, NULL };

static bool authorise(void *arg, HttpRequest *req, const char *permission, Err *err)
{
    const char *user = http_request_header(req, "X-User");

    assert_ptr_equal(arg, &server_word);
    if (user)
        http_request_set_caller(req, user);
    if (!permission || (user && strcmp(user, "admin") == 0))
        return true;
    if (!user)
        http_request_set_challenge(req, "Bearer");
    return err_set(err, ERR_DENIED, 0, "permission %s is needed", permission);
}

static HttpConfig config(void)
{
    return (HttpConfig){
        .routes = routes, .authorise = authorise, .authorise_arg = &server_word, .arg = &server_word
    };
}

static int start_with(const HttpConfig *with)
{
    Err err;

    server = http_server_new(with, &err);
    assert_non_null(server);
    assert_true(http_server_listen(server, "127.0.0.1", 0, NULL, &port, &err));
    return 0;
}

static int start(void **state)
{
    HttpConfig with = config();

    (void)state;
    return start_with(&with);
}

static int stop(void **state)
{
    (void)state;
    http_server_free(STEAL(server));
    return 0;
}

/* --- requests that work ------------------------------------------------------------------------ */

static void test_keep_alive(void **state)
{
    AUTO_FD fd = dial(port);

    (void)state;
    for (int i = 0; i < 20; i++) {
        ask(fd, &answer, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
        assert_int_equal(answer.status, 200);
        assert_non_null(strstr(answer.body, "\"peer\":\"127.0.0.1\""));
        assert_non_null(strstr(answer.body, "\"unix\":false"));
        ask(fd, &answer, "GET /fast HTTP/1.1\r\nHost: x\r\n\r\n");
        assert_string_equal(answer.body, "fast\n");
        ask(fd, &answer, "GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n");
        assert_problem(&answer, 404, "not-found");
        ask(fd, &answer,
            "POST /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"); /* body drained */
        assert_problem(&answer, 405, "method-not-allowed");
    }
}

static void test_headers_for_security(void **state)
{
    (void)state;
    ask_once(port, &answer, "GET /hello", "");
    assert_string_equal(header_of(&answer, "X-Content-Type-Options"), "nosniff");
    assert_string_equal(header_of(&answer, "Referrer-Policy"), "no-referrer");
    assert_string_equal(header_of(&answer, "Cache-Control"), "no-store");
    assert_string_equal(header_of(&answer, "Content-Type"), "application/json");
}

static void test_head_and_delete(void **state)
{
    (void)state;
    ask_once(port, &answer, "HEAD /items/special", "");
    assert_int_equal(answer.status, 200);
    assert_string_equal(header_of(&answer, "Content-Length"), "15");
    ask_once(port, &answer, "DELETE /items/7", "");
    assert_int_equal(answer.status, 204);
}

static void test_routes_and_variables(void **state)
{
    (void)state;
    ask_once(port, &answer, "GET /items/special", "X-User: admin\r\n");
    assert_string_equal(answer.body, "the special one");
    ask_once(port, &answer, "GET /items/%C3%A4%20b", "X-User: admin\r\n");
    assert_string_equal(answer.body, "\xc3\xa4 b");
    ask_once(port, &answer, "GET /items/", "");
    assert_problem(&answer, 404, "not-found");
    ask_once(port, &answer, "GET /items/a/b", "");
    assert_problem(&answer, 404, "not-found");
    ask_once(port, &answer, "GET /items/%ff", "");
    assert_problem(&answer, 400, "bad-input");
    ask_once(port, &answer, "PATCH /items/a", "");
    assert_problem(&answer, 405, "method-not-allowed");
    assert_string_equal(header_of(&answer, "Allow"), "GET, HEAD, DELETE");
}

static void test_query_parameters(void **state)
{
    (void)state;
    ask_once(port, &answer, "GET /number?limit=7&after=a%2Bb", "");
    assert_string_equal(answer.body, "7 a+b");
    ask_once(port, &answer, "GET /number", "");
    assert_string_equal(answer.body, "50 -");
    ask_once(port, &answer, "GET /number?limit=101", "");
    assert_problem(&answer, 400, "bad-input");
    assert_non_null(strstr(answer.body, "\"field\":\"limit\""));
    ask_once(port, &answer, "GET /number?limt=1", "");
    assert_problem(&answer, 400, "bad-input");
    ask_once(port, &answer, "GET /number?after=%ff", "");
    assert_problem(&answer, 400, "bad-input");
}

static void test_bodies(void **state)
{
    AUTO_FD fd = dial(port);

    (void)state;
    ask(fd, &answer,
        "POST /items HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        "Content-Length: 14\r\n\r\n{\"name\":\"mug\"}");
    assert_int_equal(answer.status, 201);
    assert_string_equal(header_of(&answer, "Location"), "/items/1");
    assert_string_equal(header_of(&answer, "Injected"), "");
    assert_non_null(strstr(answer.body, "\"size\":3"));

    ask(fd, &answer,
        "POST /items HTTP/1.1\r\nHost: x\r\nContent-Type: application/json; x=y\r\n"
        "Transfer-Encoding: chunked\r\n\r\n8\r\n{\"name\":\r\n6\r\n\"old\"}\r\n0\r\n\r\n");
    assert_problem(&answer, 412, "changed-meanwhile");
    ask(fd, &answer,
        "POST /items HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        "Content-Length: 13\r\n\r\n{\"nam\":\"mug\"}");
    assert_problem(&answer, 400, "bad-input");
    assert_non_null(strstr(answer.body, "\"field\":\"nam\""));
    ask(fd, &answer,
        "POST /items HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        "Content-Length: 1\r\n\r\n{");
    assert_problem(&answer, 400, "bad-input");
    ask(fd, &answer, "POST /items HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
    assert_problem(&answer, 400, "bad-input");
    ask(fd, &answer,
        "POST /items HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n"
        "Content-Length: 14\r\n\r\n{\"name\":\"mug\"}");
    assert_problem(&answer, 415, "media-type");
    ask(fd, &answer,
        "PUT /text HTTP/1.1\r\nHost: x\r\nContent-Type: application/yaml\r\n"
        "Content-Length: 10\r\n\r\n0123456789");
    assert_string_equal(answer.body, "0123456789");
}

/* --- refusals ---------------------------------------------------------------------------------- */

static void test_permissions(void **state)
{
    (void)state;
    ask_once(port, &answer, "GET /items/a", "X-User: admin\r\n");
    assert_int_equal(answer.status, 200);
    ask_once(port, &answer, "GET /items/a", "X-User: guest\r\n");
    assert_problem(&answer, 403, "denied");
    ask_once(port, &answer, "GET /items/a", "");
    assert_problem(&answer, 401, "unauthorised");
    assert_string_equal(header_of(&answer, "WWW-Authenticate"), "Bearer");
    ask_once(port, &answer, "GET /fast/secret", "");
    assert_problem(&answer, 401, "unauthorised");
    ask_once(port, &answer, "GET /hello", "X-User: guest\r\n");
    assert_non_null(strstr(answer.body, "\"caller\":\"guest\""));
}

static void test_nobody_without_an_authoriser(void **state)
{
    HttpConfig with = config();

    (void)state;
    with.authorise = NULL;
    start_with(&with);
    ask_once(port, &answer, "GET /items/a", "X-User: admin\r\n");
    assert_problem(&answer, 403, "denied");
    ask_once(port, &answer, "GET /hello", "");
    assert_int_equal(answer.status, 200);
    stop(NULL);
}

static void test_errors_of_handlers(void **state)
{
    (void)state;
    ask_once(port, &answer, "GET /items/none", "X-User: admin\r\n");
    assert_problem(&answer, 404, "not-found");
    assert_non_null(strstr(answer.body, "\"remedy\":\"List the items first.\""));
    assert_non_null(strstr(answer.body, "\"instance\":\"/items/none\""));
    ask_once(port, &answer, "GET /bug", "");
    assert_problem(&answer, 500, "bug");
    ask_once(port, &answer, "GET /broken", "");
    assert_int_equal(answer.status, 500);
}

static void test_bodies_too_large(void **state)
{
    static char chunks[96 * 1024];
    AUTO_FD fd = dial(port);
    size_t n = 0;

    (void)state;
    ask(fd, &answer,
        "PUT /text HTTP/1.1\r\nHost: x\r\nContent-Type: application/yaml\r\n"
        "Content-Length: 11\r\n\r\n0123456789a");
    assert_problem(&answer, 413, "too-large");
    ask(fd, &answer, "GET /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx");
    assert_problem(&answer, 413, "too-large"); /* no body is wanted */
    ask(fd, &answer,
        "PUT /text HTTP/1.1\r\nHost: x\r\nContent-Type: application/yaml\r\n"
        "Expect: 100-continue\r\nContent-Length: 11\r\n\r\n");
    assert_problem(&answer, 413, "too-large"); /* before the body is sent */

    AUTO_FD second = dial(port); /* chunked: counted, drained, answered */
    assert_true(say(second, "PUT /text HTTP/1.1\r\nHost: x\r\nContent-Type: application/yaml\r\n"
                            "Transfer-Encoding: chunked\r\n\r\n"));
    while (n + 20 < sizeof chunks)
        n += (size_t)snprintf(chunks + n, sizeof chunks - n, "a\r\n0123456789\r\n");
    assert_true(say(second, chunks));
    ask(second, &answer, "0\r\n\r\n");
    assert_problem(&answer, 413, "too-large");

    AUTO_FD third = dial(port); /* more than anybody drains: refused at once */
    ask(third, &answer,
        "PUT /text HTTP/1.1\r\nHost: x\r\nContent-Type: application/yaml\r\n"
        "Content-Length: 99999999999\r\n\r\n");
    assert_problem(&answer, 413, "too-large");
}

static void test_endless_chunks_are_cut(void **state)
{
    static char chunk[64 * 1024 + 16];
    AUTO_FD fd = dial(port);
    size_t sent = 0;

    (void)state;
    assert_true(say(fd, "PUT /text HTTP/1.1\r\nHost: x\r\nContent-Type: application/yaml\r\n"
                        "Transfer-Encoding: chunked\r\n\r\n"));
    memset(chunk, 'x', sizeof chunk - 1);
    memcpy(chunk, "10000\r\n", 7);
    memcpy(chunk + 7 + 65536, "\r\n", 3);
    while (sent < 16 * HTTP_DRAIN_BYTES_MAX && say(fd, chunk))
        sent += 65536;
    assert_true(sent < 16 * HTTP_DRAIN_BYTES_MAX);
}

static void test_large_headers(void **state)
{
    AUTO_FD fd = dial(port);
    static char filler[40 * 1024];

    (void)state;
    memset(filler, 'a', sizeof filler - 1);
    assert_true(say(fd, "GET /hello HTTP/1.1\r\nHost: x\r\nX-Filler: "));
    say(fd, filler);
    say(fd, "\r\n\r\n");
    hear(fd, &answer, true);
    assert_int_equal(answer.status, 431);
}

/* --- slow and wrong peers ---------------------------------------------------------------------- */

static void test_slow_peers_are_cut(void **state)
{
    HttpConfig with = config();
    int64_t dripped = 0;

    (void)state;
    with.first_request_ms = 500;
    start_with(&with);
    AUTO_FD silent = dial(port);
    AUTO_FD dripping = dial(port);
    AUTO_FD good = dial(port);
    ask(good, &answer, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    say(dripping, "GET /hello HTTP/1.1\r\nX: ");
    while (dripped < 3000 && say(dripping, "a")) {
        rest_ms(100);
        dripped += 100;
    }
    assert_in_range(dripped, 400, 1500);
    assert_true(is_closed_within(silent, 1000));
    ask(good, &answer,
        "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"); /* later requests have the idle time */
    assert_int_equal(answer.status, 200);
    stop(NULL);
}

static void test_slow_bodies_are_cut(void **state)
{
    HttpConfig with = config();
    int64_t dripped = 0;

    (void)state;
    with.body_ms = 500;
    start_with(&with);
    AUTO_FD fd = dial(port);
    say(fd, "PUT /large HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\n"
            "Content-Length: 1000\r\n\r\n");
    while (dripped < 3000 && say(fd, "a")) {
        rest_ms(100);
        dripped += 100;
    }
    assert_in_range(dripped, 400, 1500);
    stop(NULL);
}

static void test_all_bodies_together_are_bounded(void **state)
{
    static char piece[MIB + 1];
    char header[200];
    AUTO_FD first = dial(port);
    AUTO_FD second = dial(port);

    (void)state;
    memset(piece, 'x', MIB);
    text_printf(header, sizeof header,
                "PUT /large HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\n"
                "Transfer-Encoding: chunked\r\n\r\n%x\r\n",
                LARGE_BYTES_MAX);
    assert_true(say(first, header));
    for (int i = 0; i < LARGE_BYTES_MAX / MIB; i++)
        assert_true(say(first, piece));
    rest_ms(200); /* the first holds most of what all may hold, and does not end */
    text_printf(header, sizeof header,
                "PUT /large HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\n"
                "Content-Length: %d\r\n\r\n",
                HTTP_BODIES_BYTES_MAX - LARGE_BYTES_MAX + MIB);
    assert_true(say(second, header));
    for (int i = 0; i < (HTTP_BODIES_BYTES_MAX - LARGE_BYTES_MAX) / MIB + 1; i++)
        assert_true(say(second, piece));
    hear(second, &answer, false);
    assert_problem(&answer, 503, "busy");

    ask(first, &answer, "\r\n0\r\n\r\n");
    assert_string_equal(answer.body, "62914560");
    ask(second, &answer, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"); /* still in step */
    assert_int_equal(answer.status, 200);
}

static void test_idle_connections_are_closed(void **state)
{
    HttpConfig with = config();

    (void)state;
    with.idle_s = 1;
    start_with(&with);
    AUTO_FD fd = dial(port);
    ask(fd, &answer, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_int_equal(answer.status, 200);
    assert_true(is_closed_within(fd, 4000));
    stop(NULL);
}

static void test_connections_per_address(void **state)
{
    HttpConfig with = config();

    (void)state;
    with.address_max = 2;
    start_with(&with);
    AUTO_FD first = dial(port);
    AUTO_FD second = dial(port);
    ask(first, &answer, "GET /fast HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_int_equal(answer.status, 200);
    ask(second, &answer, "GET /fast HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_int_equal(answer.status, 200);
    AUTO_FD third = dial(port);
    assert_true(is_closed_within(third, 2000));
    stop(NULL);
}

static void test_random_bytes(void **state)
{
    uint32_t seed = 12345;
    char bytes[700];

    (void)state;
    for (int round = 0; round < 150; round++) {
        AUTO_FD fd = dial(port);
        for (size_t i = 0; i < sizeof bytes; i++) {
            seed = seed * 1664525 + 1013904223;
            bytes[i] = (char)(seed >> 24);
        }
        if (round % 3 == 0) /* something that begins well */
            memcpy(bytes, "POST /items HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
                   62);
        if (round % 3 == 1)
            memcpy(bytes, "GET /items/%", 12);
        size_t n = seed % sizeof bytes + 1;
        send(fd, bytes, n, MSG_NOSIGNAL);
        if (round % 2)
            send(fd, "\r\n\r\n", 4, MSG_NOSIGNAL);
        if (round % 5 == 0)
            is_closed_within(fd, 5);
    }
    ask_once(port, &answer, "GET /hello", "");
    assert_int_equal(answer.status, 200);
}

/* --- what is wrong at the start, and OpenAPI --------------------------------------------------- */

static void test_wrong_tables_and_addresses(void **state)
{
    static const Route no_handler[] = { { "GET", "/x", .summary = "No." }, { .method = NULL } };
    static const Route no_path[] = { { "GET", "x", .handler = get_fast }, { .method = NULL } };
    static const Route two_bodies[] = {
        { "PUT", "/x", .handler = get_fast, .body_fields = item_fields, .body_type = "text/plain" },
        { .method = NULL },
    };
    static const Route *const wrong[][2] = { { no_handler, NULL },
                                             { no_path, NULL },
                                             { two_bodies, NULL } };
    Err err;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        HttpConfig with = { .routes = wrong[i] };
        assert_null(http_server_new(&with, &err));
        assert_int_equal(err.kind, ERR_BUG);
    }
    assert_false(http_server_listen(server, "127.0.0.1", port, NULL, NULL, &err));
    assert_int_equal(err.kind, ERR_TEMPORARY);
    assert_false(http_server_listen(server, "localhost", 0, NULL, NULL, &err));
    assert_int_equal(err.kind, ERR_BAD_INPUT);
    for (int i = 1; i < HTTP_LISTENERS_MAX; i++)
        assert_true(http_server_listen(server, i % 2 ? "::1" : "127.0.0.1", 0, NULL, NULL, &err));
    assert_false(http_server_listen(server, "127.0.0.1", 0, NULL, NULL, &err));
    assert_int_equal(err.kind, ERR_BUG);
}

static void test_openapi(void **state)
{
    AUTO(Json) json = http_openapi(routes, "Test", "1.2.3");
    const Json *paths = json_get(json, "paths");
    const Json *item = json_get(json_get(paths, "/items/{id}"), "get");
    const Json *post = json_get(json_get(paths, "/items"), "post");
    AUTO_BUF text = buf_with_max(1 << 20);

    (void)state;
    assert_true(json_write(json, &text));
    assert_string_equal(json_get_text(json, "openapi"), "3.1.0");
    assert_int_equal(json_count(paths), 11);
    assert_non_null(json_get(json_get(paths, "/items/{id}"), "delete"));
    assert_string_equal(json_get_text(item, "operationId"), "get_items_id");
    assert_string_equal(json_get_text(item, "x-permission"), "items.read");
    assert_string_equal(json_get_text(json_item(json_get(item, "parameters"), 0), "name"), "id");
    const Json *schema = json_get(
        json_get(json_get(json_get(post, "requestBody"), "content"), "application/json"), "schema");
    assert_non_null(json_get(json_get(schema, "properties"), "name"));
    const Json *query = json_get(json_get(json_get(paths, "/number"), "get"), "parameters");
    assert_int_equal(json_count(query), 2);
    assert_string_equal(json_get_text(json_item(query, 1), "in"), "query");
    const Json *schemas = json_get(json_get(json, "components"), "schemas");
    assert_non_null(json_get(schemas, "Item"));
    assert_non_null(json_get(schemas, "Problem"));
}

#define SERVER_TEST(fn) cmocka_unit_test_setup_teardown(fn, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SERVER_TEST(test_keep_alive),
        SERVER_TEST(test_headers_for_security),
        SERVER_TEST(test_head_and_delete),
        SERVER_TEST(test_routes_and_variables),
        SERVER_TEST(test_query_parameters),
        SERVER_TEST(test_bodies),
        SERVER_TEST(test_permissions),
        cmocka_unit_test(test_nobody_without_an_authoriser),
        SERVER_TEST(test_errors_of_handlers),
        SERVER_TEST(test_bodies_too_large),
        SERVER_TEST(test_endless_chunks_are_cut),
        SERVER_TEST(test_large_headers),
        cmocka_unit_test(test_slow_peers_are_cut),
        cmocka_unit_test(test_slow_bodies_are_cut),
        SERVER_TEST(test_all_bodies_together_are_bounded),
        cmocka_unit_test(test_idle_connections_are_closed),
        cmocka_unit_test(test_connections_per_address),
        SERVER_TEST(test_random_bytes),
        SERVER_TEST(test_wrong_tables_and_addresses),
        cmocka_unit_test(test_openapi),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
