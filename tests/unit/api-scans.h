/* tests/unit/api-scans.h - the part of test-api.c about scans: started without a panel, and cancelled. Their routes
 * count with the others of that program. */
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

static inline void a_running_scan_is_cancelled(void **state)
{
    World world;
    Batch batch;

    (void)state;
    world_make(fx, &world);
    batch = world_batch(&world);
    assert_write(fx, batch_insert(tx, &batch, &fx->err));
    assert_status(409, call("POST", at("batches", batch.id.text, "/cancel"), NULL));
    scan_running = batch.id;
    assert_status(200, call("POST", at("batches", batch.id.text, "/cancel"), NULL));
    assert_string_equal(scan_cancelled.text, batch.id.text);
    assert_string_equal(said("id"), batch.id.text);
    assert_status(404, call("POST", "/api/v1/batches/x/cancel", NULL));
}

#endif
