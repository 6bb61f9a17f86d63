/* tests/unit/api-fixture.h - the API over real connections, on a store in a temporary folder.
 *
 * The queue is a twin. Every request is noted beside its route, so that a test can say which routes
 * nobody tried. */
#ifndef PLATEN_TESTS_UNIT_API_FIXTURE_H
#define PLATEN_TESTS_UNIT_API_FIXTURE_H

#include "tests/unit/store-fixture.h"

#include "tests/unit/http-peer.h"
#include "tests/unit/queue-twin.h"

#include "api/api.h"
#include "base/file.h"
#include "monitor/doctor.h"
#include "seal/settings.h"
#include "store/spool.h"
#include "store/trace-files.h"
#include "json/json.h"

#include <fcntl.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/stat.h>

/* --- the server ----------------------------------------------------------------------------------- */
typedef struct ShareSettings {
    char folder[128], password[64];
    int64_t retries;
} ShareSettings;

static const Field share_fields[] = {
    TEXT(ShareSettings, folder, true, "Folder below the share."),
    SECRET(ShareSettings, password, "Password."),
    INTEGER(ShareSettings, retries, 0, 9, 3, "How often."),
    FIELDS_END,
};

typedef struct ShareOptions {
    char folder[64], subject[64], to[64];
    int64_t copies;
} ShareOptions;

static const Field share_options[] = {
    PATTERN(ShareOptions, folder, FIELD_PATTERN_FOLDER, "Folder with tokens."),
    PATTERN(ShareOptions, subject, FIELD_PATTERN_TEXT, "Text with tokens."),
    PATTERN(ShareOptions, to, FIELD_PATTERN_ADDRESSES, "Addresses."),
    INTEGER(ShareOptions, copies, 1, 9, 1, "How many."),
    FIELDS_END,
};

static Fixture *fx;
static Api *api;
static Sealer *sealer;
static HttpServer *server;
static HttpEvents *events;
static uint16_t tcp_port;
static char socket_path[128], spool_folder[128];
static Answer answer;
static Json *answered; /* of the last answer, NULL when it was not JSON */
static bool route_was_tried[256];

static inline void describe_kinds(Buf *text)
{
    AUTO(Json) all = json_new_object();
    Json *list = json_new_array(), *kind = json_new_object();

    json_set_text(kind, "name", "share");
    json_set_text(kind, "title", "A share");
    json_set_take(kind, "fields", json_describe_fields(share_fields));
    json_set_take(kind, "options", json_describe_fields(share_options));
    json_add_take(list, kind);
    kind = json_new_object();
    json_set_text(kind, "name", "folder");
    json_set_text(kind, "title", "A folder");
    json_set_take(kind, "fields", json_describe_fields(share_fields));
    json_add_take(list, kind);
    json_set_take(all, "destinations", list);
    assert_true(json_write(all, text));
}

/* Scans that were asked for; the batch is the one that a test made before. */
static BatchId scan_begun;
static JobStart scan_asked;

static inline bool start_scan(void *arg, const Actor *actor, const DeviceId *device,
                              const JobStart *start, BatchId *ret_batch, Err *err)
{
    (void)arg;
    (void)device;
    assert_true(actor->name[0]);
    scan_asked = *start;
    *ret_batch = scan_begun;
    return scan_begun.text[0] != '\0' || err_set(err, ERR_CONFLICT, 0, "it is busy");
}

/* The batch whose scan was to be cancelled; "" refuses. */
static BatchId scan_running, scan_cancelled;

static inline bool cancel_scan(void *arg, const Actor *actor, const BatchId *batch, Err *err)
{
    (void)arg;
    assert_true(actor->name[0]);
    scan_cancelled = *batch;
    return text_equal(batch->text, scan_running.text) ||
           err_set(err, ERR_CONFLICT, 0, "it has no scan");
}

/* The batch whose wait for more sheets was to be ended; it is the running one, or is refused. */
static BatchId scan_finished;

static inline bool finish_scan(void *arg, const Actor *actor, const BatchId *batch, Err *err)
{
    (void)arg;
    assert_true(actor->name[0]);
    scan_finished = *batch;
    return text_equal(batch->text, scan_running.text) ||
           err_set(err, ERR_CONFLICT, 0, "it does not wait");
}

/* Devices that were looked for, and an address that was looked at. */
static DiscoveryWish searched;
static char looked_at[ADDRESS_TEXT_SIZE];

static inline bool twin_discover(void *arg, const DiscoveryWish *wish, Err *err)
{
    (void)arg;
    (void)err;
    searched = *wish;
    return true;
}

static inline bool twin_discovered(void *arg, Discovery *ret, Err *err)
{
    (void)arg;
    (void)err;
    *ret = (Discovery){ .number = 1, .running = true, .count = 2 };
    ret->found = calloc(2, sizeof *ret->found);
    assert_non_null(ret->found);
    (void)text_copy(ret->found[0].address, ADDRESS_TEXT_SIZE, "10.0.0.3");
    (void)text_copy(ret->found[1].address, ADDRESS_TEXT_SIZE, "10.0.0.4");
    return true;
}

static inline void twin_look(void *arg, const char *address)
{
    (void)arg;
    (void)text_copy(looked_at, sizeof looked_at, address);
}

/* What was asked of the one who pairs; refuses with what pairing_twin says. */
static PairingProblem pairing_twin;
static char paired_id[ID_TEXT_SIZE];
static bool pair_replaces, unpair_restores;

static inline bool twin_pair(void *arg, const Actor *actor, const DeviceId *id,
                             const PairWish *wish, Err *err)
{
    (void)arg;
    (void)actor;
    (void)text_copy(paired_id, sizeof paired_id, id->text);
    pair_replaces = wish->replace;
    return pairing_twin == PAIRING_OK ||
           pairing_problem_err(pairing_twin, "192.0.2.7", "\"PC-7\"", err);
}

static inline bool twin_unpair(void *arg, const Actor *actor, const DeviceId *id,
                               const UnpairWish *wish, Err *err)
{
    (void)arg;
    (void)actor;
    (void)err;
    (void)text_copy(paired_id, sizeof paired_id, id->text);
    unpair_restores = wish->restore;
    return true;
}

/* What the doctor looks at; nobody listens on port 1. */
static ApiCertificate api_certificate;
static DoctorConfig api_doctor = {
    .udp_port = 1, .tcp_port = 1, .address4 = "127.0.0.1", .address6 = "", .interfaces = ""
};

/* The device that was tried, and what comes of it. */
static Device probed;
static DeviceProbe probe_result;

static inline bool twin_probe(void *arg, const Device *device, DeviceProbe *ret, Err *err)
{
    (void)arg;
    (void)err;
    probed = *device;
    *ret = probe_result;
    return true;
}

/* What was wanted of a trace, and the one that runs. */
static TraceWish trace_wish;
static TraceId trace_running;

static inline bool twin_trace_start(void *arg, const Actor *actor, const DeviceId *device,
                                    const TraceWish *wish, Trace *ret_trace, Err *err)
{
    (void)arg;
    assert_true(actor->name[0]);
    trace_wish = *wish;
    trace_running = id_new(TraceId, wall_now());
    *ret_trace = (Trace){ .id = trace_running, .device = *device, .running = true };
    AUTO_FD fd = trace_file_create(fx->folder, &trace_running, device, err);
    return fd >= 0 && file_write_all(fd, bytes_of_text("{\"trace\":1}\n"), err);
}

/* A disk that has not the last lines of a trace yet: who stops one waits for it, some seconds at most. */
static sem_t trace_written;
static atomic_bool trace_disk_is_slow;
static atomic_int trace_waits_given_up;

static inline void trace_wait_written(void)
{
    enum { PATIENCE_S = 5 };
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_S;
    if (trace_disk_is_slow && sem_timedwait(&trace_written, &until) != 0)
        trace_waits_given_up++;
}

static inline bool twin_trace_stop(void *arg, const Actor *actor, const TraceId *id, Err *err)
{
    (void)arg;
    trace_wait_written();
    assert_true(actor->name[0]);
    if (!text_equal(id->text, trace_running.text))
        return err_set(err, ERR_CONFLICT, 0, "it has ended");
    trace_running.text[0] = '\0';
    return true;
}

static inline bool twin_trace_list(void *arg, Trace **ret_traces, size_t *ret_count, Err *err)
{
    (void)arg;
    return trace_files_list(fx->folder, ret_traces, ret_count, err);
}

static inline int twin_trace_open(void *arg, const TraceId *id, Trace *ret_trace, Err *err)
{
    (void)arg;
    return trace_file_open(fx->folder, id, ret_trace, err);
}

static inline bool twin_trace_remove(void *arg, const Actor *actor, const TraceId *id, Err *err)
{
    (void)arg;
    (void)actor;
    if (text_equal(id->text, trace_running.text))
        return err_set(err, ERR_CONFLICT, 0, "it runs");
    return trace_file_remove(fx->folder, id, err);
}

static int64_t api_reserve_bytes = 1; /* of the spool, taken by api_start */

static inline void api_start(void)
{
    static const ApiDevices devices = { twin_discover, twin_discovered, twin_look,
                                        twin_pair,     twin_unpair,     twin_probe };
    static const ApiTraces traces = { twin_trace_start, twin_trace_stop, twin_trace_list,
                                      twin_trace_open, twin_trace_remove };
    static const HttpConfig preset = { .routes = api_routes, .authorise = api_authorise };
    AUTO_BUF kinds = buf_with_max(64 * 1024);
    HttpConfig http = preset;
    Err err = { 0 };

    api_doctor.data_path = fx->folder;
    api_doctor.spool = spool_open(spool_folder, 1, api_reserve_bytes, &err);
    assert_non_null(api_doctor.spool);
    (void)text_printf(api_certificate.path, sizeof api_certificate.path, "%s/tls.pem", fx->folder);
    (void)text_printf(api_certificate.key_path, sizeof api_certificate.key_path, "%s/tls.key",
                      fx->folder);
    AUTO_FD keys = file_open_folder(AT_FDCWD, fx->folder, &err);
    sealer = sealer_open(keys, &err);
    events = http_events_new(8, &err);
    describe_kinds(&kinds);
    api = api_new(&(ApiConfig){ .store = fx->store,
                                .queue = &twin,
                                .sealer = sealer,
                                .events = events,
                                .start_scan = start_scan,
                                .cancel_scan = cancel_scan,
                                .finish_scan = finish_scan,
                                .devices = &devices,
                                .traces = &traces,
                                .spool_path = spool_folder,
                                .spool = api_doctor.spool,
                                .doctor = &api_doctor,
                                .certificate = &api_certificate,
                                .destinations_json = buf_text(&kinds) },
                  &err);
    if (!api)
        fail_msg("api_new: %s", err.text);
    http.authorise_arg = http.arg = api;
    http.events = events;
    server = http_server_new(&http, &err);
    if (!server || !http_server_listen_unix(server, socket_path, &err) ||
        !http_server_listen(server, "127.0.0.1", 0, NULL, &tcp_port, &err))
        fail_msg("http server: %s", err.text);
}

/* The store stays open; what the Api left with the writer is done when it is freed. */
static inline void api_stop(void)
{
    http_server_free(server);
    json_free(answered);
    answered = NULL;
    assert_write(fx, true);
    api_free(api);
    spool_close(api_doctor.spool);
    sealer_free(sealer);
    http_events_free(events);
    buf_done(&api_certificate.shown);
}

static inline int api_set_up(void **state)
{
    assert_int_equal(fixture_set_up((void **)&fx), 0);
    memset(&twin, 0, sizeof twin);
    (void)text_printf(spool_folder, sizeof spool_folder, "%s/spool", fx->folder);
    (void)text_printf(socket_path, sizeof socket_path, "%s/api.sock", fx->folder);
    assert_int_equal(mkdir(spool_folder, 0700), 0);
    api_start();
    *state = fx;
    return 0;
}

static inline int api_tear_down(void **state)
{
    (void)state;
    api_stop();
    fixture_close(fx);
    folder_remove(fx->folder);
    free(fx);
    return 0;
}

/* --- routes ----------------------------------------------------------------------------------------- */
static inline bool path_fits(const char *pattern, const char *path)
{
    while (*pattern && *path && *path != '?') {
        if (*pattern == '{') {
            pattern += strcspn(pattern, "/");
            path += strcspn(path, "/?");
        } else if (*pattern++ != *path++) {
            return false;
        }
    }
    return !*pattern && (!*path || *path == '?');
}

static inline void note_route(const char *method, const char *path)
{
    size_t n = 0;

    for (size_t t = 0; api_routes[t]; t++)
        for (const Route *r = api_routes[t]; r->method; r++, n++)
            if (text_equal(r->method, method) && path_fits(r->path, path))
                route_was_tried[n] = true;
}

/* --- requests: answer the status; the body is in answered and answer ------------------------------------ */
static inline int call_on(int fd, const char *method, const char *path, const char *headers,
                          const char *body)
{
    static char request[64 * 1024];
    bool headers_type = headers && text_starts_with(headers, "Content-Type:");
    Err ignored;

    assert_true(text_printf(request, sizeof request,
                            "%s %s HTTP/1.1\r\nHost: x\r\n%s%s"
                            "Content-Length: %zu\r\nConnection: close\r\n\r\n%s",
                            method, path, headers ? headers : "",
                            body && !headers_type ? "Content-Type: application/json\r\n" : "",
                            body ? strlen(body) : 0, body ? body : ""));
    assert_true(say(fd, request));
    hear(fd, &answer, false);
    json_free(answered);
    answered = NULL;
    if (answer.body_n > 0 && answer.body[0] == '{')
        answered = json_parse((Bytes){ (uint8_t *)answer.body, answer.body_n }, &ignored);
    if (answer.status >= 200 && answer.status < 300)
        note_route(method, path);
    return answer.status;
}

static inline int call_with(const char *method, const char *path, const char *headers,
                            const char *body)
{
    AUTO_FD fd = dial_unix(socket_path);

    assert_true(fd >= 0);
    return call_on(fd, method, path, headers, body);
}

static inline int call(const char *method, const char *path, const char *body)
{
    return call_with(method, path, NULL, body);
}

static inline int call_tcp(const char *method, const char *path, const char *token)
{
    AUTO_FD fd = dial(tcp_port);
    char header[256] = "";

    if (token)
        (void)text_printf(header, sizeof header, "Authorization: Bearer %s\r\n", token);
    return call_on(fd, method, path, header, NULL);
}

/* Text at a member of the last answer, "" when absent. */
static inline const char *said(const char *member)
{
    return json_get_text(answered, member);
}

static inline const Json *items(void)
{
    return json_get(answered, "items");
}

/* Path of a noun's item, in a static buffer. */
static inline const char *at(const char *noun, const char *id, const char *tail)
{
    static char path[4][256];
    static unsigned next;
    char *here = path[next++ % 4];

    (void)text_printf(here, sizeof path[0], "/api/v1/%s/%s%s", noun, id, tail);
    return here;
}

#define assert_status(expected, call_)                                    \
    do {                                                                  \
        int got_ = (call_);                                               \
        if (got_ != (expected))                                           \
            fail_msg("%s: status %d: %.400s", #call_, got_, answer.body); \
    } while (0)

/* Makes one of each noun by the API; ids in static buffers. */
static char destination_id[ID_TEXT_SIZE], job_id[ID_TEXT_SIZE], group_id[ID_TEXT_SIZE];

static inline void make_nouns(void)
{
    static char body[512];

    assert_status(201, call("POST", "/api/v1/destinations",
                            "{\"name\":\"Archive\",\"kind\":\"share\",\"settings\":"
                            "{\"folder\":\"in\",\"password\":\"s3cret\"}}"));
    (void)text_copy(destination_id, sizeof destination_id, said("id"));
    (void)text_printf(
        body, sizeof body,
        "{\"name\":\"Letters\",\"dpi\":200,\"destinations\":[{\"destination\":\"%s\"}]}",
        destination_id);
    assert_status(201, call("POST", "/api/v1/jobs", body));
    (void)text_copy(job_id, sizeof job_id, said("id"));
    (void)text_printf(body, sizeof body, "{\"name\":\"Office\",\"jobs\":[{\"job\":\"%s\"}]}",
                      job_id);
    assert_status(201, call("POST", "/api/v1/job-groups", body));
    (void)text_copy(group_id, sizeof group_id, said("id"));
}

#define API_TEST(name) cmocka_unit_test_setup_teardown(name, api_set_up, api_tear_down)

#endif
