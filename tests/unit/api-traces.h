/* tests/unit/api-traces.h - the part of test-api.c about traces of devices; its routes count with the others of that
 * program. The traces are files in the store's folder, the one that runs is a twin. */
#ifndef PLATEN_TESTS_UNIT_API_TRACES_H
#define PLATEN_TESTS_UNIT_API_TRACES_H

#include "tests/unit/api-fixture.h"

static inline void a_device_is_traced(void **state)
{
    char id[ID_TEXT_SIZE];
    Device device;

    (void)state;
    assert_write(fx, device_sighted(tx, "10.0.0.3", "PID 1", &device, &fx->err));
    assert_status(200, call("GET", "/api/v1/traces", NULL));
    assert_int_equal(json_count(items()), 0);
    assert_status(400, call("POST", at("devices", device.id.text, "/trace"), "{\"for_s\":0}"));
    assert_status(404, call("POST", "/api/v1/devices/x/trace", "{}"));
    assert_status(201, call("POST", at("devices", device.id.text, "/trace"), "{\"pages\":true}"));
    assert_true(trace_wish.pages && trace_wish.for_s == 600);
    assert_string_equal(said("state"), "running");
    assert_string_equal(said("device_name"), "10.0.0.3");
    (void)text_copy(id, sizeof id, said("id"));
    assert_status(200, call("GET", "/api/v1/traces", NULL));
    assert_int_equal(json_count(items()), 1);
    assert_status(200, call("GET", at("traces", id, "/file"), NULL));
    assert_string_equal(header_of(&answer, "Content-Type"), "application/jsonl");
    assert_non_null(strstr(header_of(&answer, "Content-Disposition"), id));
    assert_string_equal(answer.body, "{\"trace\":1}\n");
    assert_status(409, call("DELETE", at("traces", id, ""), NULL));
    assert_status(200, call("POST", at("traces", id, "/stop"), NULL));
    assert_string_equal(said("state"), "ended");
    assert_status(200, call("GET", at("traces", id, ""), NULL));
    assert_int_equal(json_get_int(answered, "size_bytes", 0), 12);
    assert_status(204, call("DELETE", at("traces", id, ""), NULL));
    assert_status(404, call("GET", at("traces", id, "/file"), NULL));
    assert_status(404, call("GET", at("traces", "x", ""), NULL));
}

/* As many as there are threads stop a trace while the disk stalls: two threads are left to who only looks. */
static inline void who_stops_a_trace_leaves_threads(void **state)
{
    enum { CLIENTS = 4, LEFT = 2 }; /* the threads of a server that is not told how many */
    int fds[CLIENTS], busy = 0;

    (void)state;
    assert_int_equal(sem_init(&trace_written, 0, 0), 0);
    trace_disk_is_slow = true;
    trace_waits_given_up = 0;
    for (int i = 0; i < CLIENTS; i++) {
        fds[i] = dial_unix(socket_path);
        assert_true(say(fds[i], "POST /api/v1/traces/00000000000000000000000000/stop HTTP/1.1\r\n"
                                "Host: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"));
    }
    rest_ms(200);
    assert_status(200, call("GET", "/api/v1/traces", NULL));
    assert_int_equal(trace_waits_given_up, 0); /* not because somebody made room */
    for (int i = 0; i < CLIENTS; i++)
        (void)sem_post(&trace_written);
    for (int i = 0; i < CLIENTS; i++) {
        hear(fds[i], &answer, false);
        assert_true(answer.status == 503 || answer.status == 409);
        busy += answer.status == 503;
        close(fds[i]);
    }
    assert_int_equal(busy, CLIENTS - LEFT);
    trace_disk_is_slow = false;
    (void)sem_destroy(&trace_written);
}

#endif
