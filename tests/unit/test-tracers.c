/* tests/unit/test-tracers.c - the end of a trace on disks of all kinds, and devices that move meanwhile. */
#include "scan/trace.h"
#include "tests/unit/store-fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>

enum { FILE_MAX = 1 << 20, PATIENCE_STEPS = 500, STEP_US = 10000, SLOW_US = 50000, SHORT_MS = 60 };

static const char home[] = "10.0.0.7", away[] = "10.0.0.8", far[] = "10.0.0.9";

typedef struct House {
    Fixture *f;
    World world;
    Loop *loop;
    Spool *spool;
    Tracers *tracers;
} House;

/* --- disks --------------------------------------------------------------------------------------------- */

static atomic_int syncs;
static atomic_bool stands_still;
static FileOps disk; /* what the thread of the spool writes to */

static ssize_t slow_write(int fd, const void *bytes, size_t n)
{
    usleep(SLOW_US);
    while (stands_still)
        usleep(STEP_US);
    return file_ops_system.write(fd, bytes, n);
}

static int slow_sync(int fd)
{
    usleep(SLOW_US);
    atomic_fetch_add(&syncs, 1);
    return file_ops_system.sync_data(fd);
}

static int broken_sync(int fd)
{
    (void)fd;
    errno = EIO;
    return -1;
}

/* --- set-up -------------------------------------------------------------------------------------------- */

static int setup(void **state)
{
    House *h = calloc(1, sizeof *h);
    char path[80];
    Err err;

    if (fixture_set_up((void **)&h->f) != 0)
        return -1;
    world_make(h->f, &h->world);
    TraceConfig config = {
        .data_path = h->f->folder, .bytes_max = 1 << 24, .keep_days = 1, .stop_ms = 10 * SHORT_MS
    };
    disk = file_ops_system;
    file_ops_set(&disk);
    stands_still = false;
    syncs = 0;
    (void)text_printf(path, sizeof path, "%s/spool", h->f->folder);
    h->loop = loop_new(&err);
    h->spool = spool_open(path, 2, 0, &err);
    assert_true(h->loop && h->spool);
    h->tracers = tracers_new(h->loop, h->f->store, h->spool, &config, &err);
    assert_non_null(h->tracers);
    *state = h;
    return 0;
}

static int teardown(void **state)
{
    House *h = *state;

    tracers_stop_all(h->tracers);
    spool_close(h->spool);
    tracers_free(h->tracers);
    file_ops_set(NULL);
    loop_free(h->loop);
    (void)fixture_tear_down((void **)&h->f);
    free(h);
    return 0;
}

static TraceId begin(House *h, const DeviceId *device)
{
    TraceWish wish = { .for_s = 600 };
    Trace trace;
    Err err;

    if (!tracers_start(h->tracers, &test_actor, device, &wish, &trace, &err))
        fail_msg("tracers_start: %s", err.text);
    return trace.id;
}

/* The file as it stands; the Buf is the caller's. */
static Buf lines_of(House *h, const TraceId *id)
{
    Buf out = buf_with_max(FILE_MAX);
    Trace trace;
    Err err;
    AUTO_FD fd = tracers_open(h->tracers, id, &trace, &err);

    assert_true(fd >= 0);
    uint8_t *to = buf_reserve(&out, FILE_MAX - 1);
    assert_non_null(to);
    ssize_t n = read(fd, to, FILE_MAX - 1);
    assert_true(n >= 0);
    out.n += (size_t)n;
    return out;
}

static bool is_running(House *h, const TraceId *id)
{
    Trace trace;
    Err err;
    AUTO_FD fd = tracers_open(h->tracers, id, &trace, &err);

    assert_true(fd >= 0);
    return trace.running;
}

static bool happens(House *h, const char *address, uint32_t connection, DeviceTrafficKind kind,
                    const char *text)
{
    DeviceTraffic traffic = { .kind = kind,
                              .channel = DEVICE_CHANNEL_SCAN,
                              .connection = connection,
                              .address = address,
                              .bytes = bytes_of_text(text),
                              .text = "" };

    return tracers_traffic(h->tracers, &traffic);
}

static void assert_has(Buf *lines, const char *text, bool has)
{
    if ((strstr(buf_text(lines), text) != NULL) != has)
        fail_msg("\"%s\" is %sin\n%s", text, has ? "not " : "", buf_text(lines));
}

static void assert_ends(const Buf *lines, const char *end)
{
    size_t n = strlen(end);

    assert_true(lines->n >= n);
    assert_memory_equal(lines->p + lines->n - n, end, n);
}

/* --- the end ------------------------------------------------------------------------------------------- */

static void stop_answers_when_the_file_is_on_disk(void **state)
{
    House *h = *state;
    Err err;

    disk.write = slow_write;
    disk.sync_data = slow_sync;
    assert_false(happens(h, home, 1, DEVICE_TRAFFIC_OPENED, ""));
    TraceId id = begin(h, &h->world.device.id);
    assert_true(happens(h, home, 1, DEVICE_TRAFFIC_OPENED, ""));
    assert_int_equal(syncs, 0);
    assert_true(tracers_stop(h->tracers, &test_actor, &id, &err));
    assert_int_equal(syncs, 1);
    assert_false(is_running(h, &id));
    AUTO_BUF lines = lines_of(h, &id);
    assert_has(&lines, "\"event\":\"opened\"", true);
    assert_ends(&lines, "\"event\":\"trace ended\",\"text\":\"stopped\"}\n");
    assert_false(tracers_stop(h->tracers, &test_actor, &id, &err));
    assert_int_equal(err.kind, ERR_CONFLICT);
}

static void what_is_unfinished_is_in_it(void **state)
{
    static const char wanted[] = "\"on\":\"scan\",\"dir\":\"p>h\",\"hex\":\"495380\","
                                 "\"says\":\"\",\"cut\":true}\n";
    House *h = *state;
    Err err;

    TraceId id = begin(h, &h->world.device.id);
    happens(h, home, 1, DEVICE_TRAFFIC_OPENED, "");
    happens(h, home, 1, DEVICE_TRAFFIC_FROM_DEVICE, "IS\x80");
    assert_true(tracers_stop(h->tracers, &test_actor, &id, &err));
    AUTO_BUF lines = lines_of(h, &id);
    assert_has(&lines, wanted, true);
    assert_ends(&lines, "\"event\":\"trace ended\",\"text\":\"stopped\"}\n");
}

static void a_disk_that_stands_still_is_not_waited_for(void **state)
{
    House *h = *state;
    Err err;

    disk.write = slow_write;
    TraceId id = begin(h, &h->world.device.id);
    stands_still = true;
    assert_false(tracers_stop(h->tracers, &test_actor, &id, &err));
    assert_int_equal(err.kind, ERR_TEMPORARY);
    assert_non_null(strstr(err.remedy, "platen trace list"));
    assert_true(is_running(h, &id));
    assert_false(tracers_remove(h->tracers, &test_actor, &id, &err));
    assert_int_equal(err.kind, ERR_CONFLICT);
    stands_still = false;
    for (int i = 0; i < PATIENCE_STEPS && is_running(h, &id); i++)
        usleep(STEP_US);
    assert_false(is_running(h, &id));
    AUTO_BUF lines = lines_of(h, &id);
    assert_ends(&lines, "\"event\":\"trace ended\",\"text\":\"stopped\"}\n");
}

static void a_disk_that_breaks_is_said(void **state)
{
    House *h = *state;
    Err err;

    disk.sync_data = broken_sync;
    TraceId id = begin(h, &h->world.device.id);
    assert_false(tracers_stop(h->tracers, &test_actor, &id, &err));
    assert_int_equal(err.kind, ERR_TEMPORARY);
    assert_non_null(strstr(err.text, "could not be written"));
    assert_false(is_running(h, &id));
    assert_true(tracers_remove(h->tracers, &test_actor, &id, &err));
}

/* --- other addresses ----------------------------------------------------------------------------------- */

/* The one that was there gets the former address. */
static void a_trace_goes_with_its_device(void **state)
{
    House *h = *state;
    Device other;
    Err err;

    assert_write(h->f, device_sighted(tx, away, "PID 1", &other, &h->f->err));
    TraceId mine = begin(h, &h->world.device.id), others = begin(h, &other.id);
    happens(h, home, 1, DEVICE_TRAFFIC_OPENED, "");
    tracers_moved(h->tracers, &h->world.device.id, home, away);
    happens(h, home, 1, DEVICE_TRAFFIC_FROM_DEVICE, "IS old"); /* goes on where it was */
    happens(h, away, 2, DEVICE_TRAFFIC_OPENED, "");
    happens(h, away, 2, DEVICE_TRAFFIC_FROM_DEVICE, "IS new");
    happens(h, home, 3, DEVICE_TRAFFIC_OPENED, "");
    happens(h, home, 3, DEVICE_TRAFFIC_FROM_DEVICE, "IS other");
    happens(h, far, 4, DEVICE_TRAFFIC_OPENED, "");
    assert_true(tracers_stop(h->tracers, &test_actor, &mine, &err));
    assert_true(tracers_stop(h->tracers, &test_actor, &others, &err));

    AUTO_BUF lines = lines_of(h, &mine), theirs = lines_of(h, &others);
    assert_has(&lines, "\"event\":\"moved\",\"text\":\"10.0.0.8\"}\n", true);
    assert_has(&lines, "\"says\":\"IS old\"", true);
    assert_has(&lines, "\"says\":\"IS new\"", true);
    assert_has(&lines, "\"says\":\"IS other\"", false);
    assert_has(&theirs, "\"event\":\"moved\",\"text\":\"10.0.0.7\"}\n", true);
    assert_has(&theirs, "\"says\":\"IS old\"", false);
    assert_has(&theirs, "\"says\":\"IS new\"", false);
    assert_has(&theirs, "\"says\":\"IS other\"", true);
    assert_has(&lines, "\"c\":4", false);
    assert_has(&theirs, "\"c\":4", false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(stop_answers_when_the_file_is_on_disk, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_unfinished_is_in_it, setup, teardown),
        cmocka_unit_test_setup_teardown(a_disk_that_stands_still_is_not_waited_for, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_disk_that_breaks_is_said, setup, teardown),
        cmocka_unit_test_setup_teardown(a_trace_goes_with_its_device, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
