/* tests/unit/queue-house.h - a queue with a real store and a scripted worker (data/fake-worker.py), and batches for
 * it. */
#ifndef PLATEN_TESTS_UNIT_QUEUE_HOUSE_H
#define PLATEN_TESTS_UNIT_QUEUE_HOUSE_H

#include "base/file.h"
#include "base/text.h"
#include "queue/queue.h"
#include "store/batch-rows.h"
#include "tests/unit/store-fixture.h"

#include <fcntl.h>
#include <time.h>

enum { DESTINATIONS_MAX = 3, WAIT_MS = 20000 };

typedef struct House {
    char folder[64], worker[512];
    QueueProgram other; /* the same worker under another name */
    Store *store;
    Sealer *sealer;
    Queue *queue;
    StoreReader *reader;
    DestinationId destinations[DESTINATIONS_MAX];
    BatchId batch;
    Retention retention;
    Spool *spool; /* NULL: no device scans */
} House;

static const Actor tester __attribute__((unused)) = { "tester", "local" };

static inline void open_house(House *h)
{
    Err err;

    h->store = store_open(h->folder, &err);
    assert_non_null(h->store);
    AUTO_FD keys = file_open_folder(AT_FDCWD, h->folder, &err);
    h->sealer = sealer_open(keys, &err);
    assert_non_null(h->sealer);
    QueueConfig config = { .store = h->store,
                           .sealer = h->sealer,
                           .data_path = h->folder,
                           .spool_path = h->folder,
                           .spool = h->spool,
                           .worker_program = h->worker,
                           .deliver_program = h->worker,
                           .others = &h->other,
                           .other_count = 1,
                           .readers = 2,
                           .composers = 1,
                           .retention = h->retention };
    h->queue = queue_new(&config, &err);
    assert_non_null(h->queue);
    h->reader = store_reader_open(h->store, &err);
    assert_non_null(h->reader);
}

static inline void close_house(House *h)
{
    store_reader_close(h->reader);
    queue_stop(h->queue, 0);
    store_close(h->store);
    sealer_free(h->sealer);
}

static inline int setup(void **state)
{
    House *h = calloc(1, sizeof *h);

    (void)text_copy(h->folder, sizeof h->folder, "/tmp/platen-queue-XXXXXX");
    (void)text_printf(h->worker, sizeof h->worker, "%s/fake-worker.py", getenv("PLATEN_TEST_DATA"));
    assert_non_null(mkdtemp(h->folder));
    (void)text_copy(h->other.kind, sizeof h->other.kind, "smb");
    (void)text_printf(h->other.path, sizeof h->other.path, "%s/other-worker", h->folder);
    assert_int_equal(symlink(h->worker, h->other.path), 0);
    open_house(h);
    *state = h;
    return 0;
}

static inline int teardown(void **state)
{
    House *h = *state;

    close_house(h);
    folder_remove(h->folder);
    free(h);
    return 0;
}

/* What a device would leave: a received batch with pages, for destinations that behave as told. */
typedef struct Wish {
    House *house;
    const char *job; /* its name tells composers how to behave */
    const char *behave[DESTINATIONS_MAX];
    const char *kinds[DESTINATIONS_MAX]; /* NULL: folder */
    size_t destinations;
    uint32_t pages;
    const char *hashes; /* first character of each page's hash; NULL: "aaa..." */
    const char *sides;  /* of each page; NULL: "AAA..."                        */
    PageNotes back;     /* of pages of side B; last_first: of all              */
    BatchEvent end;     /* BATCH_EVENT_MAX_: still receiving */
} Wish;

static inline bool insert_destinations(Tx *tx, const Wish *w, StoredJob *job, Err *err)
{
    for (size_t i = 0; i < w->destinations; i++) {
        StoredDestination d = { .id = id_new(DestinationId, tx_now(tx)) };

        (void)text_copy(d.destination.kind, sizeof d.destination.kind,
                        w->kinds[i] ? w->kinds[i] : "folder");
        (void)text_printf(d.destination.name, sizeof d.destination.name, "d%zu %s", i, d.id.text);
        (void)text_printf(d.destination.settings, sizeof d.destination.settings,
                          "{\"behave\":\"%s\",\"log\":\"%s/log%zu\"}", w->behave[i],
                          w->house->folder, i);
        w->house->destinations[i] = d.id;
        memcpy(job->job.destinations[i].destination, d.id.text, sizeof d.id.text);
        if (!destination_insert(tx, &tester, &d, err))
            return false;
    }
    job->job.destination_count = w->destinations;
    return true;
}

static inline bool insert_pages(Tx *tx, const Wish *w, Err *err)
{
    for (uint32_t i = 1; i <= w->pages; i++) {
        Page page = { .batch = w->house->batch,
                      .number = i,
                      .side = w->sides ? w->sides[i - 1] : 'A',
                      .size_bytes = 3,
                      .notes.scan_dpi = 300 };

        if (page.side == 'B')
            page.notes = w->back;
        page.notes.last_first = w->back.last_first;
        page_file_name(i, page.side, PAGE_FORMAT_JPEG, page.file);
        memset(page.sha256, w->hashes ? w->hashes[i - 1] : 'a', 64);
        if (!page_insert(tx, &page, err))
            return false;
    }
    return true;
}

static inline bool wish_write(Tx *tx, void *arg, Err *err)
{
    const Wish *w = arg;
    StoredJob job = { .id = id_new(JobId, tx_now(tx)),
                      .job = { .dpi = 300, .jpeg_quality = 80, .file_name = "{seq:3}" } };
    DeviceSettings settings = { .name = "" };
    const Reason why = { .code = "paper-jam", .text = "Paper is jammed." };
    Device device;

    (void)text_copy(job.job.name, sizeof job.job.name, w->job);
    if (!insert_destinations(tx, w, &job, err) || !job_insert(tx, &tester, &job, err) ||
        !device_sighted(tx, "127.0.0.9", "PID 1147", &device, err))
        return false;
    if (device.state == DEVICE_SEEN &&
        !device_change(tx, &tester, &device.id, &settings, DEVICE_EVENT_APPROVE, 0, err))
        return false;
    Batch batch = { .id = id_new(BatchId, tx_now(tx)),
                    .device = device.id,
                    .job_id = job.id,
                    .job = job.job,
                    .started_at = tx_now(tx),
                    .device_name = "Scanner" };
    (void)text_printf(batch.folder, sizeof batch.folder, "2026-11-22/%s", batch.id.text);
    w->house->batch = batch.id;
    return batch_insert(tx, &batch, err) && insert_pages(tx, w, err) &&
           (w->end == BATCH_EVENT_MAX_ ||
            (batch_apply(tx, &batch.id, w->end, w->end == BATCH_EVENT_BREAK ? &why : NULL, err) &&
             queue_batch_advance(tx, &batch.id, err)));
}

static inline void grant(House *h, Wish wish)
{
    Err err;

    wish.house = h;
    if (!store_write_wait(h->store, wish_write, &wish, &err))
        fail_msg("%s", err.text);
}

static inline BatchState state_of(House *h)
{
    Batch batch;
    Err err;

    assert_true(batch_get(reader_db(h->reader), &h->batch, &batch, &err));
    return batch.state;
}

static inline void pause_ms(long ms)
{
    const struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

    (void)nanosleep(&t, NULL);
}

static inline void await_state(House *h, BatchState wanted)
{
    for (int waited = 0; waited < WAIT_MS; waited += 20) {
        if (state_of(h) == wanted)
            return;
        pause_ms(20);
    }
    fail_msg("batch is %s, not %s", batch_state_words[state_of(h)], batch_state_words[wanted]);
}

/* Lines of the log that the fake destination i has written. */
static inline void delivered_to(House *h, size_t i, Buf *text)
{
    char name[16];
    Err err;
    AUTO_FD folder = file_open_folder(AT_FDCWD, h->folder, &err);

    (void)text_printf(name, sizeof name, "log%zu", i);
    buf_clear(text);
    (void)file_read_whole(folder, name, text, &err);
}

#define WITH_HOUSE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

#endif
