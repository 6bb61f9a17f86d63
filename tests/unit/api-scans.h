/* tests/unit/api-scans.h - the part of test-api.c about scans: started without a panel, cancelled, and finished while they wait for
 * more sheets. Their routes count with the others of that program. */
#ifndef PLATEN_TESTS_UNIT_API_SCANS_H
#define PLATEN_TESTS_UNIT_API_SCANS_H

#include "tests/unit/api-fixture.h"

static inline void a_scan_is_started_without_a_panel(void **state)
{
    char body[120];
    World world;
    Batch batch;

    (void)state;
    world_make(fx, &world);
    batch = world_batch(&world);
    (void)text_printf(body, sizeof body, "{\"job\":\"%s\",\"any_job\":true}", world.job.id.text);
    assert_status(409, call("POST", at("devices", world.device.id.text, "/scan"), body));
    assert_write(fx, batch_insert(tx, &batch, &fx->err));
    scan_begun = batch.id;
    assert_status(200, call("POST", at("devices", world.device.id.text, "/scan"), body));
    assert_string_equal(said("id"), batch.id.text);
    assert_string_equal(said("state"), "receiving");
    assert_true(scan_asked.any_job);
    assert_string_equal(scan_asked.job, world.job.id.text);
    assert_status(400, call("POST", at("devices", world.device.id.text, "/scan"), "{}"));
    assert_status(404, call("POST", "/api/v1/devices/x/scan", body));
    scan_begun.text[0] = '\0';
}

static inline Batch batch_that_receives(void)
{
    World world;

    world_make(fx, &world);
    Batch batch = world_batch(&world);
    assert_write(fx, batch_insert(tx, &batch, &fx->err));
    return batch;
}

static inline void a_running_scan_is_cancelled(void **state)
{
    Batch batch = batch_that_receives();

    (void)state;
    assert_status(409, call("POST", at("batches", batch.id.text, "/cancel"), NULL));
    scan_running = batch.id;
    assert_status(200, call("POST", at("batches", batch.id.text, "/cancel"), NULL));
    assert_string_equal(scan_cancelled.text, batch.id.text);
    assert_string_equal(said("id"), batch.id.text);
    assert_status(404, call("POST", "/api/v1/batches/x/cancel", NULL));
}

static inline void a_scan_that_waits_for_sheets_says_so_and_is_finished(void **state)
{
    Batch batch = batch_that_receives();

    (void)state;
    assert_status(200, call("GET", at("batches", batch.id.text, ""), NULL));
    assert_null(json_get(answered, "waits_for"));
    assert_null(json_get(answered, "waits_until"));
    assert_write(fx, batch_waits(tx, &batch.id, 60, &fx->err));
    assert_status(200, call("GET", at("batches", batch.id.text, ""), NULL));
    assert_string_equal(said("waits_for"), "more-sheets");
    assert_int_equal(strlen(said("waits_until")), strlen("2026-11-22T15:00:00.123+01:00"));
    scan_running = (BatchId){ "" };
    assert_status(409, call("POST", at("batches", batch.id.text, "/finish"), NULL));
    scan_running = batch.id;
    assert_status(200, call("POST", at("batches", batch.id.text, "/finish"), NULL));
    assert_string_equal(scan_finished.text, batch.id.text);
    assert_string_equal(said("id"), batch.id.text);
    assert_write(fx, batch_waits(tx, &batch.id, 0, &fx->err));
    assert_status(200, call("GET", at("batches", batch.id.text, ""), NULL));
    assert_null(json_get(answered, "waits_for"));
    /* Whatever ends the scan ends the wait, and none begins after it. */
    assert_write(fx, batch_waits(tx, &batch.id, 60, &fx->err));
    assert_write(fx, batch_apply(tx, &batch.id, BATCH_EVENT_BREAK, NULL, &fx->err));
    assert_write(fx, batch_waits(tx, &batch.id, 60, &fx->err));
    assert_status(200, call("GET", at("batches", batch.id.text, ""), NULL));
    assert_null(json_get(answered, "waits_for"));
    assert_status(404, call("POST", "/api/v1/batches/x/finish", NULL));
}

#endif
