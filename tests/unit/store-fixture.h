/* tests/unit/store-fixture.h - a store in a temporary folder, and writes that read like calls.
 *
 * IN_WRITE(f, expression) runs the expression as one write; in it `tx` is the transaction. The writer
 * thread waits inside the write meanwhile, so that asserts stay in the test's own thread. */
#ifndef PLATEN_TESTS_UNIT_STORE_FIXTURE_H
#define PLATEN_TESTS_UNIT_STORE_FIXTURE_H

#include "base/file.h"
#include "base/text.h"
#include "store/batch-rows.h"
#include "store/config-rows.h"
#include "store/db.h"
#include "store/schema.h"
#include "store/store.h"
#include "tests/unit/cm.h"

#include <fcntl.h>
#include <ftw.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct Fixture {
    char folder[64];
    Store *store;
    StoreReader *reader;
    Err err;
    sem_t begun, may_end, ended;
    Tx *tx;
    bool want_ok, committed;
    Err commit_err;
} Fixture;

static const Actor test_actor __attribute__((unused)) = { "uid:0", "local" };

static inline bool fixture_write(Tx *tx, void *arg, Err *err)
{
    Fixture *f = arg;

    f->tx = tx;
    sem_post(&f->begun);
    sem_wait(&f->may_end);
    if (!f->want_ok)
        *err = f->err;
    return f->want_ok;
}

static inline void fixture_done(void *arg, bool ok, const Err *err)
{
    Fixture *f = arg;

    f->committed = ok;
    f->commit_err = *err;
    sem_post(&f->ended);
}

static inline Tx *fixture_begin(Fixture *f)
{
    f->err = (Err){ .kind = ERR_NONE };
    store_write(f->store, fixture_write, fixture_done, f);
    sem_wait(&f->begun);
    return f->tx;
}

static inline bool fixture_end(Fixture *f, bool ok)
{
    f->want_ok = ok;
    sem_post(&f->may_end);
    sem_wait(&f->ended);
    return ok;
}

#define IN_WRITE(f, expression)                    \
    ({                                             \
        Tx *tx = fixture_begin(f);                 \
        (void)tx;                                  \
        bool ok_ = fixture_end((f), (expression)); \
        assert_int_equal((f)->committed, ok_);     \
        ok_;                                       \
    })

#define assert_write(f, expression)                         \
    do {                                                    \
        if (!IN_WRITE((f), (expression)))                   \
            fail_msg("%s: %s", #expression, (f)->err.text); \
    } while (0)

/* The write is refused with this kind, and the text says something. */
#define assert_refused(f, kind_, expression)       \
    do {                                           \
        assert_false(IN_WRITE((f), (expression))); \
        assert_int_equal((f)->err.kind, (kind_));  \
        assert_true(strlen((f)->err.text) > 10);   \
    } while (0)

#define assert_read(f, expression)                          \
    do {                                                    \
        if (!(expression))                                  \
            fail_msg("%s: %s", #expression, (f)->err.text); \
    } while (0)

static inline int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *ftw)
{
    (void)info;
    (void)kind;
    (void)ftw;
    return remove(path);
}

static inline void folder_remove(const char *path)
{
    nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static inline void fixture_open(Fixture *f)
{
    f->store = store_open(f->folder, &f->err);
    if (!f->store)
        fail_msg("store_open: %s", f->err.text);
    f->reader = store_reader_open(f->store, &f->err);
    assert_non_null(f->reader);
}

static inline void fixture_close(Fixture *f)
{
    store_reader_close(f->reader);
    store_close(f->store);
    f->reader = NULL;
    f->store = NULL;
}

/* A database that an earlier program has left: these scripts (ends with NULL) and rows, opened by this one. */
static inline void fixture_migrate(Fixture *f, const char *const *former, const char *rows)
{
    char path[128];
    Db db;

    fixture_close(f);
    folder_remove(f->folder);
    assert_int_equal(mkdir(f->folder, 0755), 0);
    AUTO_FD folder = file_open_folder(AT_FDCWD, f->folder, &f->err);
    (void)text_printf(path, sizeof path, "%s/platen.db", f->folder);
    assert_true(db_open(&db, path, false, &f->err));
    assert_true(schema_migrate(&db, folder, former, &f->err) && db_script(&db, rows, &f->err));
    db_close(&db);
    fixture_open(f);
}

/* As after kill -9 and a new start: what was claimed belongs to an older generation. */
static inline void fixture_reopen(Fixture *f)
{
    fixture_close(f);
    fixture_open(f);
}

static inline int fixture_set_up(void **state)
{
    Fixture *f = calloc(1, sizeof *f);

    (void)text_copy(f->folder, sizeof f->folder, "/tmp/platen-test-XXXXXX");
    if (!mkdtemp(f->folder))
        return -1;
    sem_init(&f->begun, 0, 0);
    sem_init(&f->may_end, 0, 0);
    sem_init(&f->ended, 0, 0);
    fixture_open(f);
    *state = f;
    return 0;
}

static inline int fixture_tear_down(void **state)
{
    Fixture *f = *state;

    fixture_close(f);
    folder_remove(f->folder);
    free(f);
    return 0;
}

static inline Db *fixture_db(Fixture *f)
{
    return reader_db(f->reader);
}

#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

/* --- something to scan with ---------------------------------------------------------------------- */
typedef struct World {
    StoredDestination destination;
    StoredJob job;
    StoredJobGroup group;
    Device device; /* registered */
} World;

static inline void world_job(Job *job, const char *name, const DestinationId *destination)
{
    memset(job, 0, sizeof *job);
    (void)text_copy(job->name, sizeof job->name, name);
    job->dpi = 300;
    job->jpeg_quality = 85;
    job->index = INDEX_FORMAT_CSV;
    (void)text_copy(job->file_name, sizeof job->file_name, "scan_{seq:3}");
    (void)text_copy(job->destinations[0].destination, ID_TEXT_SIZE, destination->text);
    job->destination_count = 1;
}

static inline void world_make(Fixture *f, World *w)
{
    DeviceSettings settings = { .name = "Front desk" };

    memset(w, 0, sizeof *w);
    w->destination.id = id_new(DestinationId, wall_now());
    w->destination.destination = (Destination){ .name = "Archive",
                                                .kind = "folder",
                                                .parallel = 2,
                                                .expiry_hours = 72,
                                                .settings = "{\"folder\":\"/srv\"}" };
    w->job.id = id_new(JobId, wall_now());
    world_job(&w->job.job, "Letters", &w->destination.id);
    w->group.id = id_new(JobGroupId, wall_now());
    w->group.group = (JobGroup){ .name = "Office", .job_count = 1 };
    (void)text_copy(w->group.group.jobs[0].job, ID_TEXT_SIZE, w->job.id.text);
    (void)text_copy(settings.job_group, sizeof settings.job_group, w->group.id.text);
    assert_write(f, destination_insert(tx, &test_actor, &w->destination, &f->err));
    assert_write(f, job_insert(tx, &test_actor, &w->job, &f->err));
    assert_write(f, job_group_insert(tx, &test_actor, &w->group, &f->err));
    assert_write(f, device_sighted(tx, "10.0.0.7", "PID 11D1", &w->device, &f->err));
    assert_write(f, device_change(tx, &test_actor, &w->device.id, &settings, DEVICE_EVENT_APPROVE,
                                  0, &f->err));
}

static inline Batch world_batch(const World *w)
{
    Batch batch = { .id = id_new(BatchId, wall_now()),
                    .device = w->device.id,
                    .device_name = "Front desk",
                    .job_id = w->job.id,
                    .job = w->job.job,
                    .started_at = { 1795000000000 },
                    .utc_offset_min = 60 };

    (void)text_printf(batch.folder, sizeof batch.folder, "2026-11-22/%s", batch.id.text);
    return batch;
}

static inline Page world_page(const Batch *batch, uint32_t number)
{
    Page page = { .batch = batch->id,
                  .number = number,
                  .side = 'A',
                  .size_bytes = 1000,
                  .notes.scan_dpi = 300,
                  .stored_at = { 1795000000000 } };

    page_file_name(number, 'A', PAGE_FORMAT_JPEG, page.file);
    memset(page.sha256, 'a', 64);
    return page;
}

/* A batch with pages that were received, read, and is COMPOSING. */
static inline Batch world_composing(Fixture *f, const World *w, uint32_t pages)
{
    Batch batch = world_batch(w);
    PageClaim claim;
    bool found;

    assert_write(f, batch_insert(tx, &batch, &f->err));
    for (uint32_t i = 1; i <= pages; i++) {
        Page page = world_page(&batch, i);
        assert_write(f, page_insert(tx, &page, &f->err));
    }
    assert_write(f, batch_apply(tx, &batch.id, BATCH_EVENT_COMPLETE, NULL, &f->err));
    for (uint32_t i = 1; i <= pages; i++) {
        PageFacts facts = { .width_px = 10, .height_px = 20, .dpi = 300, .components = 3 };
        assert_write(f, page_claim(tx, &claim, &found, &f->err) && found &&
                            page_read_done(tx, claim.page.id, &facts, "", &f->err));
    }
    assert_write(f, batch_apply(tx, &batch.id, BATCH_EVENT_COMPOSE, NULL, &f->err));
    return batch;
}

/* The same with `documents` documents and an index, planned. */
static inline Batch world_planned(Fixture *f, const World *w, uint32_t documents)
{
    Batch batch = world_composing(f, w, documents), claimed;
    PlannedDocument *planned = calloc(documents + 1, sizeof *planned);
    uint32_t attempt;
    bool found;

    for (uint32_t i = 0; i < documents; i++)
        planned[i] = (PlannedDocument){ .kind = DOCUMENT_PAGES,
                                        .name = "scan_{seq:3}.pdf",
                                        .number = i + 1,
                                        .first_page = i + 1,
                                        .page_count = 1 };
    planned[documents] = (PlannedDocument){ .kind = DOCUMENT_INDEX, .name = "scan_{seq:3}.csv" };
    assert_write(f, plan_claim(tx, &claimed, &attempt, &found, &f->err));
    assert_true(found);
    assert_string_equal(claimed.id.text, batch.id.text);
    assert_write(f, plan_done(tx, &batch.id, planned, documents + 1, &f->err));
    free(planned);
    return batch;
}

/* The same with everything written and deliveries made. */
static inline Batch world_delivering(Fixture *f, const World *w, uint32_t documents)
{
    Batch batch = world_planned(f, w, documents);
    DocumentClaim claim;
    bool found;

    for (uint32_t i = 0; i <= documents; i++)
        assert_write(f, document_claim(tx, &claim, &found, &f->err) && found &&
                            document_written(tx, &claim.document.id, 77, "beef", &f->err));
    assert_write(f, batch_apply(tx, &batch.id, BATCH_EVENT_WRITTEN, NULL, &f->err) &&
                        deliveries_insert(tx, &batch.id, &f->err));
    return batch;
}

#endif
