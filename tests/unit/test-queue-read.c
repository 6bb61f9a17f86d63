/* tests/unit/test-queue-read.c - readers beside devices that scan. */
#include "tests/unit/queue-house.h"
#include "tests/unit/spool-fixture.h"

enum { UNWRITTEN = 2 * SPOOL_UNWRITTEN_MAX, GIVE_WAY_MS = 200 };

static sem_t gate;

/* The page's bytes stand still; what else is written goes on. */
static ssize_t write_after_gate(int fd, const void *bytes, size_t n)
{
    if (n >= SPOOL_UNWRITTEN_MIN / 2) {
        sem_wait(&gate);
        sem_post(&gate);
    }
    return write(fd, bytes, n);
}

/* A batch of three pages has gone all the way. */
static int64_t ms_of_three_pages(House *h, const char *job)
{
    Mono begun = mono_now();

    grant(h, (Wish){ .job = job,
                     .behave = { "ok" },
                     .destinations = 1,
                     .pages = 3,
                     .end = BATCH_EVENT_COMPLETE });
    queue_wake(h->queue);
    await_state(h, BATCH_DONE);
    return mono_now().ms - begun.ms;
}

static void a_reader_gives_way_to_waiting_devices_and_reads_all_the_same(void **state)
{
    World world = { .device = { .address = "10.0.0.7", .product = "PID 11D1" } };
    DestinationId destination = id_new(DestinationId, wall_now());
    FileOps slow = file_ops_system;
    uint8_t *bytes = calloc(1, UNWRITTEN);
    House *h = *state;
    char path[96];
    Waited w;
    Err err;

    close_house(h);
    (void)text_printf(path, sizeof path, "%s/spool", h->folder);
    h->spool = spool_open(path, 1, 0, &err);
    assert_non_null(h->spool);
    open_house(h);
    assert_true(queue_start(h->queue, &err));
    (void)ms_of_three_pages(h, "first"); /* the workers are there now */

    world.device.id = id_new(DeviceId, wall_now());
    world.job.id = id_new(JobId, wall_now());
    world_job(&world.job.job, "Letters", &destination);
    Batch batch = world_batch(&world);
    SpoolBatch *scan = spool_batch_opened(h->spool, &batch, &world.device, &w);
    slow.write = write_after_gate;
    sem_init(&gate, 0, 0); /* the disk stands still */
    file_ops_set(&slow);
    spool_page_begin(scan, 1, 'A', PAGE_FORMAT_JPEG);
    spool_page_bytes(scan, 'A', (Bytes){ bytes, UNWRITTEN });
    assert_true(spool_devices_wait(h->spool));
    assert_true(ms_of_three_pages(h, "second") >=
                2 * GIVE_WAY_MS); /* two readers: one has two of them */
    assert_true(spool_devices_wait(h->spool));

    sem_post(&gate);
    spool_page_end(scan, 'A', &(PageNotes){ .scan_dpi = 300 }, waited_page, &w);
    sem_wait(&w.sem);
    assert_true(w.ok);
    spool_batch_closed(scan, &w);
    file_ops_set(NULL);
    queue_stop(STEAL(h->queue), 0);
    spool_close(STEAL(h->spool));
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_HOUSE(a_reader_gives_way_to_waiting_devices_and_reads_all_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
