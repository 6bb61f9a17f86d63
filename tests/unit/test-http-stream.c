/* tests/unit/test-http-stream.c - files, event streams, TLS and the Unix socket of the HTTP server. */
#include "tests/unit/http-peer.h"

#include "http/inside.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum { FILE_BYTES = 300000, CLIENTS_MAX = 3 };

extern char **environ;

static HttpServer *server;
static HttpEvents *events;
static uint16_t port;
static Answer answer;
static char folder[] = "/tmp/test-http-XXXXXX", path[64], socket_path[64];
static uint8_t content[FILE_BYTES];

static bool get_file(HttpRequest *req, HttpResponse *res, Err *err)
{
    int64_t size = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (!http_request_query_int(req, "size", 0, INT64_MAX, FILE_BYTES, &size, err))
        return false;
    if (!http_request_query(req, "plain"))
        http_response_etag(res, "abc123");
    http_response_file(res, "application/octet-stream", fd, size);
    return true;
}

static bool get_tagged(HttpRequest *req, HttpResponse *res, Err *err)
{
    (void)req;
    (void)err;
    http_response_etag(res, "v7");
    http_response_bytes(res, "text/plain", bytes_of_text("seven"));
    return true;
}

static bool get_events(HttpRequest *req, HttpResponse *res, Err *err)
{
    (void)req;
    (void)err;
    http_response_events(res);
    return true;
}

static bool get_who(HttpRequest *req, HttpResponse *res, Err *err)
{
    char text[120];

    (void)err;
    text_printf(text, sizeof text, "%s %d %d %d %d", http_request_peer(req),
                http_request_is_unix(req), (int)http_request_uid(req), (int)http_request_gid(req),
                (int)http_request_pid(req));
    http_response_bytes(res, "text/plain", bytes_of_text(text));
    return true;
}

static const Route table[] = {
    { "GET", "/file", .handler = get_file },
    { "GET", "/tagged", .handler = get_tagged },
    { "GET", "/events", .handler = get_events, .flags = ROUTE_STREAM },
    { "GET", "/who", .handler = get_who },
    { .method = NULL },
};
static const Route *const routes[] = { table, NULL };

static int start(void **state)
{
    Err err;

    (void)state;
    events = http_events_new(CLIENTS_MAX, &err);
    HttpConfig config = { .routes = routes, .events = events };
    server = http_server_new(&config, &err);
    assert_non_null(server);
    assert_true(http_server_listen(server, "127.0.0.1", 0, NULL, &port, &err));
    return 0;
}

static int stop(void **state)
{
    (void)state;
    http_server_free(STEAL(server));
    http_events_free(STEAL(events));
    return 0;
}

/* --- files ------------------------------------------------------------------------------------- */

typedef struct RangeCase {
    const char *headers;
    int status;
    size_t first, n; /* of the content */
    const char *content_range;
} RangeCase;

static const RangeCase range_cases[] = {
    { "", 200, 0, FILE_BYTES, "" },
    { "Range: bytes=0-0\r\n", 206, 0, 1, "bytes 0-0/300000" },
    { "Range: bytes=100-199\r\n", 206, 100, 100, "bytes 100-199/300000" },
    { "Range: bytes=299990-\r\n", 206, 299990, 10, "bytes 299990-299999/300000" },
    { "Range: bytes=299990-999999\r\n", 206, 299990, 10, "bytes 299990-299999/300000" },
    { "Range: bytes=-5\r\n", 206, 299995, 5, "bytes 299995-299999/300000" },
    { "Range: bytes=-999999\r\n", 206, 0, FILE_BYTES, "bytes 0-299999/300000" },
    { "Range: bytes=300000-\r\n", 416, 0, 0, "bytes */300000" },
    { "Range: bytes=-0\r\n", 416, 0, 0, "bytes */300000" },
    { "Range: bytes=5-2\r\n", 200, 0, FILE_BYTES, "" },
    { "Range: bytes=0-1,5-6\r\n", 200, 0, FILE_BYTES, "" },
    { "Range: bytes=-\r\n", 200, 0, FILE_BYTES, "" },
    { "Range: bytes=x-y\r\n", 200, 0, FILE_BYTES, "" },
    { "Range: pages=1-2\r\n", 200, 0, FILE_BYTES, "" },
    { "Range: bytes=0-0\r\nIf-Range: \"abc123\"\r\n", 206, 0, 1, "bytes 0-0/300000" },
    { "Range: bytes=0-0\r\nIf-Range: \"other\"\r\n", 200, 0, FILE_BYTES, "" },
};

static void test_ranges(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(range_cases); i++) {
        const RangeCase *c = &range_cases[i];
        ask_once(port, &answer, "GET /file", c->headers);
        if (answer.status != c->status)
            fail_msg("%s answered %d", c->headers, answer.status);
        assert_string_equal(header_of(&answer, "Content-Range"), c->content_range);
        if (c->status == 416)
            continue;
        assert_int_equal(answer.body_n, c->n);
        assert_memory_equal(answer.body, content + c->first, c->n);
        assert_string_equal(header_of(&answer, "ETag"), "\"abc123\"");
        assert_string_equal(header_of(&answer, "Accept-Ranges"), "bytes");
        assert_string_equal(header_of(&answer, "Cache-Control"), "private, no-cache");
    }
    ask_once(port, &answer, "HEAD /file", "Range: bytes=0-9\r\n");
    assert_string_equal(header_of(&answer, "Content-Length"), "10");
    ask_once(port, &answer, "GET /file?size=0", "");
    assert_int_equal(answer.status, 200);
    assert_int_equal(answer.body_n, 0);
    ask_once(port, &answer, "GET /file?plain=1", "If-None-Match: \"abc123\"\r\n");
    assert_int_equal(answer.status, 200);
    assert_string_equal(header_of(&answer, "Cache-Control"), "no-store");
}

static void test_etags(void **state)
{
    AUTO_FD fd = dial(port);

    (void)state;
    ask(fd, &answer, "GET /tagged HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_string_equal(header_of(&answer, "ETag"), "\"v7\"");
    assert_string_equal(answer.body, "seven");
    assert_true(
        say(fd, "GET /tagged HTTP/1.1\r\nHost: x\r\nIf-None-Match: \"v6\", W/\"v7\"\r\n\r\n"));
    hear(fd, &answer, true);
    assert_int_equal(answer.status, 304);
    assert_string_equal(header_of(&answer, "ETag"), "\"v7\"");
    ask(fd, &answer, "GET /tagged HTTP/1.1\r\nHost: x\r\nIf-None-Match: \"v6\"\r\n\r\n");
    assert_int_equal(answer.status, 200);
    assert_true(say(fd, "GET /file HTTP/1.1\r\nHost: x\r\nIf-None-Match: *\r\n\r\n"));
    hear(fd, &answer, true);
    assert_int_equal(answer.status, 304);
}

/* --- events ------------------------------------------------------------------------------------ */

static void publish(const char *name, const char *data, int64_t id)
{
    Err err;

    assert_true(http_events_publish(events, name, data, id, &err));
}

static int listen_to_events(const char *headers)
{
    char request[200];
    int fd = dial(port);

    text_printf(request, sizeof request, "GET /events HTTP/1.1\r\nHost: x\r\n%s\r\n", headers);
    assert_true(say(fd, request));
    hear(fd, &answer, true);
    return fd;
}

/* Reads a stream until the text came. What was read is in stream_text. */
static char stream_text[256 * 1024];

static bool hear_text(int fd, const char *wanted)
{
    size_t n = 0;

    stream_text[0] = '\0';
    while (n < sizeof stream_text - 1) {
        ssize_t got = read(fd, stream_text + n, sizeof stream_text - 1 - n);
        if (got <= 0)
            return false;
        n += (size_t)got;
        stream_text[n] = '\0';
        if (strstr(stream_text, wanted))
            return true;
    }
    return false;
}

static void wait_for_clients(unsigned count)
{
    for (int i = 0; i < 500 && http_events_clients(events) != count; i++)
        rest_ms(10);
    assert_int_equal(http_events_clients(events), count);
}

static void test_events_reach_everybody(void **state)
{
    AUTO_FD first = listen_to_events("");
    AUTO_FD second = listen_to_events("");
    Err err;

    (void)state;
    assert_int_equal(answer.status, 200);
    assert_string_equal(header_of(&answer, "Content-Type"), "text/event-stream");
    assert_true(hear_text(first, "retry: 3000"));
    publish("batch.received", "{\"id\":\"b1\"}", 41);
    publish("batch.done", "{}", 0);
    publish("batch.done", "{}", 7); /* does not rise */
    assert_true(hear_text(first, "id: 43\n"));
    assert_non_null(
        strstr(stream_text, "id: 41\nevent: batch.received\ndata: {\"id\":\"b1\"}\n\n"));
    assert_non_null(strstr(stream_text, "id: 42\nevent: batch.done\n"));
    assert_true(hear_text(second, "id: 43\n"));

    assert_false(http_events_publish(events, "two\nlines", "", 0, &err));
    assert_false(http_events_publish(events, "name", "a\rb", 0, &err));
    assert_int_equal(err.kind, ERR_BAD_INPUT);
}

static void test_events_are_replayed(void **state)
{
    char data[40];

    (void)state;
    for (int i = 1; i <= HTTP_EVENTS_KEPT_MAX + 10; i++) {
        text_printf(data, sizeof data, "{\"n\":%d}", i);
        publish("count", data, i);
    }
    AUTO_FD missed_two = listen_to_events("Last-Event-ID: 1032\r\n");
    assert_true(hear_text(missed_two, "id: 1034\n"));
    assert_non_null(strstr(stream_text, "id: 1033\n"));
    assert_null(strstr(stream_text, "id: 1032\n"));
    assert_null(strstr(stream_text, "event: gap"));

    AUTO_FD missed_more = listen_to_events("Last-Event-ID: 5\r\n");
    assert_true(hear_text(missed_more, "id: 1034\n"));
    assert_non_null(strstr(stream_text, "event: gap\ndata: {}\n\nid: 11\n"));

    AUTO_FD missed_none = listen_to_events("Last-Event-ID: 1034\r\n");
    assert_true(hear_text(missed_none, "retry"));
    publish("count", "{}", 0);
    assert_true(hear_text(missed_none, "id: 1035\n"));
    assert_null(strstr(stream_text, "gap"));
}

/* Reads on until the event "last" comes or the stream ends. False when it only gets silent. */
static bool hear_last_or_end(int fd)
{
    char bytes[16 * 1024];
    size_t kept = 0, word = strlen("event: last");

    while (true) {
        ssize_t n = read(fd, bytes + kept, sizeof bytes - 1 - kept);
        if (n <= 0)
            return n == 0;
        size_t have = kept + (size_t)n;
        bytes[have] = '\0';
        if (strstr(bytes, "event: last") || strstr(bytes, "\r\n0\r\n"))
            return true;
        kept = have < word ? have : word; /* the word may lie across two reads */
        memmove(bytes, bytes + have - kept, kept);
    }
}

static void test_events_have_bounds(void **state)
{
    static char large[HTTP_EVENT_BYTES_MAX + 2];
    int fds[CLIENTS_MAX];
    Err err;

    (void)state;
    for (int i = 0; i < CLIENTS_MAX; i++)
        fds[i] = listen_to_events("");
    assert_int_equal(http_events_clients(events), CLIENTS_MAX);
    ask_once(port, &answer, "GET /events", "");
    assert_int_equal(answer.status, 503);
    assert_string_equal(header_of(&answer, "Retry-After"), "10");

    memset(large, 'x', sizeof large - 1);
    assert_false(http_events_publish(events, "large", large, 0, &err));
    large[HTTP_EVENT_BYTES_MAX] = '\0';
    for (int i = 0; i < 400; i++) /* nobody reads: only the ring grows, and only to its bound */
        publish("large", large, 0);
    publish("last", "{}", 0);
    /* The slow client gets a gap, or its stream ends within an event and it comes back. */
    assert_true(hear_last_or_end(fds[0]));
    for (int i = 0; i < CLIENTS_MAX; i++)
        close(fds[i]);
    for (int i = 0; i < 3; i++)
        http_events_tick(events, mono_after(mono_now(), 2 * HTTP_EVENTS_COMMENT_MS));
    publish("more", "{}", 0);
    wait_for_clients(0);
}

static void test_silent_streams_get_comments(void **state)
{
    AUTO_FD fd = listen_to_events("");

    (void)state;
    assert_true(hear_text(fd, "retry"));
    rest_ms(50);
    http_events_tick(events, mono_now());
    http_events_tick(events, mono_after(mono_now(), HTTP_EVENTS_COMMENT_MS));
    assert_true(hear_text(fd, ": still here\n\n"));

    AUTO_FD gone = listen_to_events("");
    assert_true(hear_text(gone, "retry"));
    rest_ms(50);
    close(STEAL_FD(gone));
    for (int i = 0; i < 100 && http_events_clients(events) > 1; i++) {
        http_events_tick(events, mono_after(mono_now(), HTTP_EVENTS_COMMENT_MS));
        rest_ms(20);
    }
    assert_int_equal(http_events_clients(events), 1);
}

static void test_stop_ends_open_streams(void **state)
{
    AUTO_FD first = listen_to_events("");
    AUTO_FD second = listen_to_events("");
    Err err;

    (void)state;
    publish("before", "{}", 0);
    Mono before = mono_now();
    http_server_stop(server);
    assert_true(mono_now().ms - before.ms < HTTP_STOP_MS);
    assert_true(is_closed_within(first, 1000));
    assert_true(is_closed_within(second, 1000));
    assert_int_equal(http_events_clients(events), 0);
    assert_true(http_events_publish(events, "after", "{}", 0, &err)); /* into the void */
}

static void test_no_hub_no_streams(void **state)
{
    HttpConfig config = { .routes = routes };
    Err err;

    (void)state;
    server = http_server_new(&config, &err);
    assert_true(http_server_listen(server, "127.0.0.1", 0, NULL, &port, &err));
    ask_once(port, &answer, "GET /events", "");
    assert_int_equal(answer.status, 503);
    http_server_free(STEAL(server));
}

/* --- the Unix socket --------------------------------------------------------------------------- */

static void test_unix_socket_names_its_peer(void **state)
{
    char expected[80];
    struct stat info;
    Err err;

    (void)state;
    assert_true(http_server_listen_unix(server, socket_path, &err));
    assert_int_equal(stat(socket_path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0660);
    AUTO_FD fd = dial_unix(socket_path);
    ask(fd, &answer, "GET /who HTTP/1.1\r\nHost: x\r\n\r\n");
    text_printf(expected, sizeof expected, "unix 1 %d %d %d", (int)getuid(), (int)getgid(),
                (int)getpid());
    assert_string_equal(answer.body, expected);
    ask_once(port, &answer, "GET /who", "");
    assert_string_equal(answer.body, "127.0.0.1 0 -1 -1 0");

    http_server_stop(server);
    assert_int_equal(stat(socket_path, &info), -1); /* removed */
}

static void test_unix_socket_paths(void **state)
{
    char long_path[200];
    struct stat info;
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    Err err;

    (void)state;
    text_copy(at.sun_path, sizeof at.sun_path, socket_path);
    int stale = socket(AF_UNIX, SOCK_STREAM, 0); /* left by a server that was killed */
    assert_int_equal(bind(stale, (struct sockaddr *)&at, sizeof at), 0);
    close(stale);
    assert_true(http_server_listen_unix(server, socket_path, &err));
    AUTO_FD fd = dial_unix(socket_path);
    assert_true(fd >= 0);

    assert_false(http_server_listen_unix(server, socket_path, &err)); /* somebody listens */
    assert_int_equal(err.kind, ERR_CONFLICT);
    assert_false(http_server_listen_unix(server, path, &err)); /* an ordinary file */
    assert_int_equal(err.kind, ERR_CONFLICT);
    assert_int_equal(stat(path, &info), 0);
    assert_false(http_server_listen_unix(server, "/no/such/folder/socket", &err));
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    memset(long_path, 'x', sizeof long_path - 1);
    long_path[sizeof long_path - 1] = '\0';
    assert_false(http_server_listen_unix(server, long_path, &err));
    assert_int_equal(err.kind, ERR_BAD_INPUT);

    unlink(socket_path); /* somebody else's file in our place survives the stop */
    int foreign = open(socket_path, O_CREAT | O_WRONLY, 0600);
    close(foreign);
    http_server_stop(server);
    assert_int_equal(stat(socket_path, &info), 0);
    unlink(socket_path);
}

/* --- TLS --------------------------------------------------------------------------------------- */

static char certificate_path[64], key_path[64];
static char pem[2][8192];

static void make_certificate(void)
{
    const char *const arguments[] = {
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=test",
        "-addext",
        "subjectAltName=IP:127.0.0.1",
        "-keyout",
        key_path,
        "-out",
        certificate_path,
        "-batch",
        NULL,
    };
    posix_spawn_file_actions_t quiet;
    pid_t pid = 0;
    int status = -1;

    posix_spawn_file_actions_init(&quiet);
    posix_spawn_file_actions_addopen(&quiet, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    assert_int_equal(
        posix_spawnp(&pid, "openssl", &quiet, NULL, (char *const *)(uintptr_t)arguments, environ),
        0);
    posix_spawn_file_actions_destroy(&quiet);
    waitpid(pid, &status, 0);
    assert_int_equal(status, 0);
}

static Bytes load(const char *from, char to[8192])
{
    AUTO_FD fd = open(from, O_RDONLY);
    ssize_t n = read(fd, to, 8192);

    assert_true(n > 0);
    return (Bytes){ (const uint8_t *)to, (size_t)n };
}

static size_t keep_body(char *bytes, size_t size, size_t count, void *arg)
{
    Answer *to = arg;
    size_t n = size * count;

    if (n > ANSWER_BYTES_MAX - to->body_n)
        return 0;
    memcpy(to->bytes + to->body_n, bytes, n);
    to->body_n += n;
    return n;
}

static CURLcode get_over_tls(uint16_t tls_port, const char *rest, const char *range, long versions)
{
    CURL *curl = curl_easy_init();
    char url[120];
    long status = 0;

    text_printf(url, sizeof url, "https://127.0.0.1:%u%s", (unsigned)tls_port, rest);
    answer.body_n = 0;
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_CAINFO, certificate_path);
    curl_easy_setopt(curl, CURLOPT_SSLVERSION, versions);
    curl_easy_setopt(curl, CURLOPT_RANGE, range);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, 2L);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, keep_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer);
    struct curl_slist *headers = curl_slist_append(NULL, "Last-Event-ID: 1");
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    CURLcode code = curl_easy_perform(curl);
    curl_slist_free_all(headers);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    answer.status = (int)status;
    curl_easy_cleanup(curl);
    return code;
}

static void test_tls(void **state)
{
    HttpTls tls = { load(certificate_path, pem[0]), load(key_path, pem[1]) };
    uint16_t tls_port = 0;
    Err err;

    (void)state;
    assert_true(http_server_listen(server, "127.0.0.1", 0, &tls, &tls_port, &err));
    assert_int_equal(get_over_tls(tls_port, "/tagged", NULL, CURL_SSLVERSION_DEFAULT), CURLE_OK);
    assert_int_equal(answer.status, 200);
    assert_int_equal(get_over_tls(tls_port, "/file", NULL, CURL_SSLVERSION_TLSv1_2), CURLE_OK);
    assert_int_equal(answer.body_n, FILE_BYTES);
    assert_memory_equal(answer.bytes, content, FILE_BYTES);
    assert_int_equal(get_over_tls(tls_port, "/file", "100-299", CURL_SSLVERSION_TLSv1_3), CURLE_OK);
    assert_int_equal(answer.status, 206);
    assert_int_equal(answer.body_n, 200);
    assert_memory_equal(answer.bytes, content + 100, 200);
    publish("before", "{}", 0);
    publish("after", "{}", 0);
    assert_int_equal(get_over_tls(tls_port, "/events", NULL, CURL_SSLVERSION_DEFAULT),
                     CURLE_OPERATION_TIMEDOUT); /* a stream has no end */
    answer.bytes[answer.body_n] = '\0';
    assert_non_null(strstr(answer.bytes, "id: 2\nevent: after\n"));
    assert_null(strstr(answer.bytes, "before"));
    /* A file that is shorter than promised must not look whole. */
    assert_int_not_equal(get_over_tls(tls_port, "/file?size=400000", NULL, CURL_SSLVERSION_DEFAULT),
                         CURLE_OK);
    assert_int_not_equal(get_over_tls(tls_port, "/tagged", NULL,
                                      CURL_SSLVERSION_TLSv1_1 | CURL_SSLVERSION_MAX_TLSv1_1),
                         CURLE_OK);
    AUTO_FD plain = dial(tls_port); /* plain HTTP on the TLS port */
    say(plain, "GET /tagged HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_true(is_closed_within(plain, 2000));
    assert_int_equal(get_over_tls(tls_port, "/who", NULL, CURL_SSLVERSION_DEFAULT), CURLE_OK);
}

static void test_wrong_certificates(void **state)
{
    HttpTls good = { load(certificate_path, pem[0]), load(key_path, pem[1]) };
    HttpTls wrong[] = { { good.certificate, good.certificate },
                        { bytes_of_text("no"), bytes_of_text("pem") },
                        { { NULL, 0 }, good.key } };
    uint16_t tls_port = 0;
    Err err;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        assert_false(http_server_listen(server, "127.0.0.1", 0, &wrong[i], &tls_port, &err));
        assert_int_equal(err.kind, ERR_BAD_INPUT);
    }
    ask_once(port, &answer, "GET /who", ""); /* the others go on */
    assert_int_equal(answer.status, 200);
}

static int make_files(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(folder));
    text_printf(path, sizeof path, "%s/file", folder);
    text_printf(socket_path, sizeof socket_path, "%s/socket", folder);
    text_printf(certificate_path, sizeof certificate_path, "%s/certificate.pem", folder);
    text_printf(key_path, sizeof key_path, "%s/key.pem", folder);
    for (size_t i = 0; i < sizeof content; i++)
        content[i] = (uint8_t)(i * 13 + i / 251);
    AUTO_FD fd = open(path, O_CREAT | O_WRONLY, 0600);
    assert_int_equal(write(fd, content, sizeof content), sizeof content);
    make_certificate();
    return curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK;
}

static int remove_files(void **state)
{
    (void)state;
    curl_global_cleanup();
    unlink(path);
    unlink(certificate_path);
    unlink(key_path);
    return rmdir(folder);
}

#define SERVER_TEST(fn) cmocka_unit_test_setup_teardown(fn, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SERVER_TEST(test_ranges),
        SERVER_TEST(test_etags),
        SERVER_TEST(test_events_reach_everybody),
        SERVER_TEST(test_events_are_replayed),
        SERVER_TEST(test_events_have_bounds),
        SERVER_TEST(test_silent_streams_get_comments),
        SERVER_TEST(test_stop_ends_open_streams),
        cmocka_unit_test(test_no_hub_no_streams),
        SERVER_TEST(test_unix_socket_names_its_peer),
        SERVER_TEST(test_unix_socket_paths),
        SERVER_TEST(test_tls),
        SERVER_TEST(test_wrong_certificates),
    };

    return cmocka_run_group_tests(tests, make_files, remove_files);
}
