/* tests/unit/api-devices.h - the part of test-api.c about devices that are looked for and added: its routes
 * count with the others of that program. */
#ifndef PLATEN_TESTS_UNIT_API_DEVICES_H
#define PLATEN_TESTS_UNIT_API_DEVICES_H

#include "store/pairing.h"
#include "tests/unit/api-fixture.h"

/* Test: one by one and from a table; each is looked at after it was added. */
static inline void devices_are_added_by_hand(void **state)
{
    static const char table[] = "address;name\n10.0.0.8;Eight\n10.0.0.7;Again\nx;Y\n";

    (void)state;
    make_nouns();
    looked_at[0] = '\0';
    assert_status(201, call("POST", "/api/v1/devices", "{\"address\":\"10.0.0.7\"}"));
    assert_string_equal(said("state"), "registered");
    assert_string_equal(looked_at, "10.0.0.7");
    assert_status(409, call("POST", "/api/v1/devices", "{\"address\":\"10.0.0.7\"}"));
    assert_status(400, call("POST", "/api/v1/devices", "{\"address\":\"hall\"}"));
    assert_status(400, call("POST", "/api/v1/devices", "{\"name\":\"Hall\"}"));
    assert_status(400, call("POST", "/api/v1/devices",
                            "{\"address\":\"10.0.0.9\",\"job_group\":\"00000000000000000000000000"
                            "\"}"));
    assert_status(200,
                  call_with("POST", "/api/v1/devices/import", "Content-Type: text/csv\r\n", table));
    assert_int_equal(json_get_int(answered, "added", 0), 1);
    assert_int_equal(json_get_int(answered, "refused", 0), 2);
    const Json *second = json_item(json_get(answered, "items"), 1);
    assert_int_equal(json_get_int(second, "line", 0), 3);
    assert_string_equal(json_get_text(second, "field"), "address");
    assert_string_equal(looked_at, "10.0.0.8");
}

/* Test: pairing is passed on with what is wished; a refusal says why and what to do; the state is shown. */
static inline void devices_are_paired(void **state)
{
    const DeviceNew wish = { .address = "10.0.0.20" };
    Pairing pairing = { .state = PAIRING_LOST,
                        .name = "Platen",
                        .other = "PC-7",
                        .problem = PAIRING_ELSEWHERE,
                        .since = { 1000 },
                        .checked = { 2000 } };
    char path[128];
    DeviceId id;

    (void)state;
    assert_write(fx, device_add(tx, &test_actor, &wish, &id, &fx->err));
    (void)text_printf(path, sizeof path, "/api/v1/devices/%s/pair", id.text);
    assert_status(200, call("POST", path, "{}"));
    assert_string_equal(paired_id, id.text);
    assert_false(pair_replaces);
    assert_null(json_get(answered, "pairing"));
    assert_status(200, call("POST", path, "{\"replace\":true}"));
    assert_true(pair_replaces);
    assert_status(400, call("POST", path, "{\"force\":true}"));
    pairing_twin = PAIRING_ELSEWHERE;
    assert_status(409, call("POST", path, "{}"));
    assert_true(text_starts_with(said("detail"), "paired-elsewhere: the device at 192.0.2.7"));
    pairing_twin = PAIRING_OK;
    assert_write(fx, pairing_put(tx, &id, &pairing, NULL, "", &fx->err));
    (void)text_printf(path, sizeof path, "/api/v1/devices/%s/unpair", id.text);
    assert_status(200, call("POST", path, "{\"restore\":true}"));
    assert_true(unpair_restores);
    const Json *shown = json_get(answered, "pairing");
    assert_string_equal(json_get_text(shown, "state"), "lost");
    assert_string_equal(json_get_text(shown, "other"), "PC-7");
    assert_string_equal(json_get_text(shown, "problem"), "paired-elsewhere");
    assert_non_null(strstr(json_get_text(shown, "remedy"), "--replace"));
}

/* Test: a search is begun and looked at; what is in the list is named. */
static inline void devices_are_looked_for(void **state)
{
    Device device;

    (void)state;
    assert_write(fx, device_sighted(tx, "10.0.0.3", "PID 1", &device, &fx->err));
    assert_status(202, call("POST", "/api/v1/discovery", "{\"ranges\":\"10.0.0.1-9\"}"));
    assert_string_equal(searched.ranges, "10.0.0.1-9");
    assert_true(searched.broadcast && json_get_bool(answered, "running", false));
    assert_status(200, call("GET", "/api/v1/discovery", NULL));
    assert_int_equal(json_count(items()), 2);
    assert_string_equal(json_get_text(json_item(items(), 0), "device"), device.id.text);
    assert_string_equal(json_get_text(json_item(items(), 0), "state"), "seen");
    assert_string_equal(json_get_text(json_item(items(), 1), "device"), "");
    assert_status(400, call("POST", "/api/v1/discovery", "{\"range\":\"10.0.0.1-9\"}"));
}

#endif
