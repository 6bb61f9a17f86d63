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

#endif
