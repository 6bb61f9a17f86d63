/* tests/unit/api-doctor.h - the doctor over HTTP, and the files of the certificate. For test-api.c. */
#ifndef PLATEN_TESTS_UNIT_API_DOCTOR_H
#define PLATEN_TESTS_UNIT_API_DOCTOR_H

#include "tests/unit/api-fixture.h"

#include "http/certificate.h"

/* The finding of this name in the last answer, NULL when there is none. */
static inline const Json *finding(const char *name)
{
    for (size_t i = 0; i < json_count(items()); i++)
        if (text_equal(json_get_text(json_item(items(), i), "name"), name))
            return json_item(items(), i);
    return NULL;
}

static inline const Json *diagnosis(const char *name)
{
    assert_status(200, call("GET", "/api/v1/doctor", NULL));
    return finding(name);
}

static void the_doctor_answers(void **state)
{
    (void)state;
    /* Nothing of this program listens on port 1, and the fixture is at 127.0.0.1. */
    const Json *item = diagnosis("address-loopback-only");
    assert_non_null(item);
    assert_string_equal(json_get_text(item, "level"), "error");
    assert_string_equal(json_get_text(item, "check"), "addresses");
    assert_string_equal(json_get_text(item, "where"), "127.0.0.1");
    assert_true(json_get_text(item, "what")[0] && json_get_text(item, "cure")[0]);
    assert_non_null(finding("udp-port-not-held"));
    assert_non_null(finding("tcp-port-not-held"));
    assert_non_null(finding("certificate-unreadable")); /* there is no file yet */
    assert_false(json_get_bool(answered, "ok", true));
    assert_string_equal(json_get_text(json_item(json_get(answered, "addresses"), 0), "address"),
                        "127.0.0.1");
    const Json *checks = json_get(answered, "checks");
    assert_int_equal(json_count(checks), 10);
    int64_t sum = 0;
    for (size_t i = 0; i < json_count(checks); i++)
        sum += json_get_int(json_item(checks, i), "findings", -1);
    assert_int_equal(sum, json_count(items()));
    assert_status(401, call_tcp("GET", "/api/v1/doctor", NULL));
}

/* Writes the file of the certificate; shown: it is also what the server has read. */
static inline void put_certificate(const char *text, bool shown)
{
    Err err;
    AUTO_FD folder = file_open_folder(AT_FDCWD, fx->folder, &err);

    assert_true(folder >= 0 && file_replace(folder, "tls.pem", bytes_of_text(text), 0600, &err) &&
                file_replace(folder, "tls.key", bytes_of_text("key"), 0600, &err));
    if (!shown)
        return;
    buf_done(&api_certificate.shown);
    api_certificate.shown = buf_with_max(64 * 1024);
    assert_true(buf_put_text(&api_certificate.shown, text));
}

static void the_doctor_reads_the_certificate(void **state)
{
    enum { YEAR_DAYS = 3650, DAY_MS = 24 * 3600 * 1000 };
    AUTO_BUF pem = buf_with_max(64 * 1024), old = buf_with_max(64 * 1024);
    AUTO_BUF key = buf_with_max(64 * 1024);
    Wall now = wall_now(), from, until;
    Err err;

    (void)state;
    assert_true(certificate_make("scan.example", now, &pem, &key, &err));
    assert_true(certificate_validity(buf_bytes(&pem), &from, &until, &err));
    assert_true(now.ms - from.ms >= DAY_MS && now.ms - from.ms < DAY_MS + 2000);
    assert_int_equal((until.ms - from.ms) / DAY_MS, YEAR_DAYS);
    assert_false(certificate_validity(bytes_of_text("no PEM"), &from, &until, &err));
    assert_int_equal(err.kind, ERR_BAD_INPUT);

    put_certificate(buf_text(&pem), true);
    assert_null(diagnosis("certificate-unreadable"));
    assert_null(finding("certificate-not-in-use"));
    assert_null(finding("certificate-key-unreadable"));
    assert_null(finding("certificate-expires-soon"));
    now.ms -= (YEAR_DAYS - 10) * (int64_t)DAY_MS;
    assert_true(certificate_make("scan.example", now, &old, &key, &err));
    put_certificate(buf_text(&old), true);
    assert_non_null(diagnosis("certificate-expires-soon"));
    put_certificate(buf_text(&pem), false); /* mended, but the server shows the old one */
    assert_non_null(diagnosis("certificate-not-in-use"));
    assert_non_null(finding("certificate-expires-soon"));
    put_certificate("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", false);
    assert_non_null(diagnosis("certificate-unreadable"));
    assert_int_equal(unlink(api_certificate.path), 0);
    assert_int_equal(unlink(api_certificate.key_path), 0);
    assert_non_null(diagnosis("certificate-unreadable"));
    assert_non_null(finding("certificate-key-unreadable"));
}

static void a_device_is_tried(void **state)
{
    Device device;
    char body[128];

    (void)state;
    probe_result = (DeviceProbe){ .failed = PROBE_STAGE_MAX_,
                                  .ms = { 3, 40, 500 },
                                  .tls_version = "TLSv1.2",
                                  .product = "PID 11D1",
                                  .serial = "X1" };
    assert_status(200, call("POST", "/api/v1/doctor/device", "{\"device\":\"10.0.0.9\"}"));
    assert_true(json_get_bool(answered, "ok", false));
    assert_string_equal(probed.address, "10.0.0.9");
    assert_string_equal(said("id"), ""); /* it is in no list */
    const Json *stages = json_get(answered, "stages");
    assert_int_equal(json_count(stages), 3);
    assert_string_equal(json_get_text(json_item(stages, 1), "stage"), "tls");
    assert_int_equal(json_get_int(json_item(stages, 2), "ms", 0), 500);
    assert_string_equal(said("tls_version"), "TLSv1.2");
    assert_string_equal(json_get_text(json_get(answered, "identity"), "serial"), "X1");

    assert_write(fx, device_sighted(tx, "10.0.0.7", "", &device, &fx->err) &&
                         device_identified(tx, &device.id, "PID 11D1", "Y2", "", &fx->err));
    (void)text_printf(body, sizeof body, "{\"device\":\"%s\"}", device.id.text);
    assert_status(200, call("POST", "/api/v1/doctor/device", body));
    assert_false(json_get_bool(answered, "ok", true));
    assert_string_equal(said("id"), device.id.text);
    const Json *result = json_get(answered, "result");
    assert_string_equal(json_get_text(result, "code"), "another-device");
    assert_string_equal(json_get_text(result, "stage"), "identify");
    (void)text_copy(probe_result.serial, sizeof probe_result.serial, "Y2");
    assert_status(200, call("POST", "/api/v1/doctor/device", "{\"device\":\"10.0.0.7\"}"));
    assert_true(json_get_bool(answered, "ok", false));
    assert_string_equal(said("id"), device.id.text);

    assert_status(400, call("POST", "/api/v1/doctor/device", "{\"device\":\"scanner.example\"}"));
    assert_string_equal(said("field"), "device");
    assert_status(400, call("POST", "/api/v1/doctor/device", "{}"));
    (void)text_printf(body, sizeof body, "{\"device\":\"%s\"}", id_new(DeviceId, wall_now()).text);
    assert_status(404, call("POST", "/api/v1/doctor/device", body));
}

#endif
