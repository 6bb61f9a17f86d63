/* tests/unit/api-health.h - the part of test-api.c about health and metrics. Their routes count with the others of that
 * program. */
#ifndef PLATEN_TESTS_UNIT_API_HEALTH_H
#define PLATEN_TESTS_UNIT_API_HEALTH_H

#include "tests/unit/api-fixture.h"

static inline void health_and_metrics_come_from_memory(void **state)
{
    World world;

    (void)state;
    assert_status(200, call_tcp("GET", "/health", NULL));
    assert_string_equal(said("status"), "ok");
    assert_string_equal(said("version"), PLATEN_VERSION);
    assert_status(200, call("GET", "/metrics", NULL));
    assert_non_null(strstr(answer.body, "platen_batches{state=\"composing\"} 0\n"));
    world_make(fx, &world);
    (void)world_composing(fx, &world, 2);
    api_tick(api);
    assert_write(fx, true); /* behind the tick in the writer's queue */
    assert_status(200, call("GET", "/metrics", NULL));
    assert_non_null(strstr(answer.body, "platen_batches{state=\"composing\"} 1\n"));
    assert_non_null(strstr(answer.body, "platen_pages_total 2\n"));
    assert_non_null(strstr(answer.body, "platen_worker_deaths_total 3\n"));
    assert_non_null(strstr(answer.body, "process_resident_memory_bytes "));
    assert_string_equal(header_of(&answer, "Content-Type"),
                        "text/plain; version=0.0.4; charset=utf-8");
}

static inline void health_complains_when_the_spool_is_gone(void **state)
{
    (void)state;
    assert_int_equal(rmdir(spool_folder), 0);
    api_tick(api);
    assert_write(fx, true);
    assert_status(503, call("GET", "/health", NULL));
    assert_string_equal(said("status"), "failing");
    assert_non_null(strstr(answer.body, "remedy"));
}

static inline void spool_opened(void *arg, bool ok, const Err *err)
{
    (void)arg;
    (void)ok;
    (void)err;
}

/* The next scan would be refused for the room that running ones may still need: health says what the spool says. */
static inline void health_counts_the_scans_that_run(void **state)
{
    enum { RUNNING = 8 };
    SpoolBatch *running[RUNNING];
    SpoolSpace space;
    World world;

    (void)state;
    world_make(fx, &world);
    assert_true(spool_space(api_doctor.spool, &space, &fx->err));
    api_stop();
    api_reserve_bytes = space.left - RUNNING / 2LL * SPOOL_SCAN_RESERVE_BYTES;
    api_start();
    api_reserve_bytes = 1;
    assert_true(spool_space_check(api_doctor.spool, &fx->err));
    assert_status(200, call("GET", "/health", NULL));
    for (size_t i = 0; i < RUNNING; i++) {
        Batch batch = world_batch(&world);

        running[i] = spool_batch_open(api_doctor.spool, &batch, &world.device, spool_opened, NULL);
        assert_non_null(running[i]);
    }
    api_tick(api);
    assert_write(fx, true);
    assert_false(spool_space_check(api_doctor.spool, &fx->err));
    assert_status(503, call("GET", "/health", NULL));
    for (size_t i = 0; i < RUNNING; i++)
        spool_batch_close(running[i], NULL, NULL);
}

#endif
