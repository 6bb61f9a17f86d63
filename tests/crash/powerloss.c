/* tests/crash/powerloss.c - acknowledged pages survive power cuts and failing disks.
 *
 * Usage: powerloss [CUTS [FAILURES]]
 *
 * Runs a day's work (scans through spool and store, a restart, documents, deliveries, the removal of what was
 * delivered) once on a fake
 * disk and then looks at CUTS power cuts spread over it; then repeats it FAILURES times with one call
 * failing, or all from there on, with "no space" and "input/output error". After each: the database is
 * sound, each promised page is there byte for byte unless its removal was decided, each promised document has
 * its row, what was decided can be ended, what was ended stays so, and nothing is in a state that the
 * tables do not have. */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "store/batch-rows.h"
#include "store/config-rows.h"
#include "store/fsck.h"
#include "store/retention.h"
#include "store/spool-remove.h"
#include "store/spool.h"
#include "tests/crash/fakedisk.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <semaphore.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { BATCHES = 3, PAGES = 3, PROMISES_MAX = 64, CUTS = 240, FAILURES = 320 };

/* What was said to be safe: a page, or with number 0 so many documents of the batch, or its removal. */
typedef struct Promise {
    BatchId batch;
    uint32_t number, documents;
    bool removed;
    char sha256[65];
} Promise;

typedef struct Day {
    FakeDisk *disk;
    char data[160], spool_path[200];
    Store *store;
    Spool *spool;
    StoredDestination destination;
    StoredJob job;
    Device device;
    Batch batches[BATCHES];
    Promise promises[PROMISES_MAX];
    size_t promised;
    bool silent; /* a failure without a text */
    sem_t done;
    bool done_ok;
    Page page; /* of the last done */
} Day;

static bool told(Day *day, const Err *err)
{
    if (strlen(err->text) < 10) {
        fprintf(stderr, "a failure says only \"%s\"\n", err->text);
        day->silent = true;
    }
    return false;
}

static void promise(Day *day, const Batch *batch, const Page *page, uint32_t documents)
{
    Promise *p = &day->promises[day->promised];

    *p = (Promise){ .batch = batch->id, .documents = documents };
    if (page) {
        p->number = page->number;
        (void)text_copy(p->sha256, sizeof p->sha256, page->sha256);
    }
    fakedisk_note(day->disk, day->promised++);
}

static void spool_done(void *arg, bool ok, const Err *err)
{
    Day *day = arg;

    day->done_ok = ok || told(day, err);
    sem_post(&day->done);
}

static void page_done(void *arg, bool ok, const Page *page, const Err *err)
{
    ((Day *)arg)->page = *page;
    spool_done(arg, ok, err);
}

static void batch_closed(void *arg)
{
    sem_post(&((Day *)arg)->done);
}

/* --- the day's work ------------------------------------------------------------------------------ */

/* One write, with what it is about. */
typedef struct Work {
    Day *day;
    Batch *batch;
    BatchEvent event;
    uint32_t documents;
    bool found;
} Work;

static bool write_now(Day *day, StoreWrite *write, Work *work)
{
    Err err = { .kind = ERR_NONE };

    work->day = day;
    return store_write_wait(day->store, write, work, &err) || told(day, &err);
}

static bool world_write(Tx *tx, void *arg, Err *err)
{
    static const Actor actor = { "test", "local" };
    static const DeviceSettings settings = { .name = "Front desk" };
    Day *day = ((Work *)arg)->day;

    return destination_insert(tx, &actor, &day->destination, err) &&
           job_insert(tx, &actor, &day->job, err) &&
           device_sighted(tx, "10.0.0.7", "PID 11D1", &day->device, err) &&
           device_change(tx, &actor, &day->device.id, &settings, DEVICE_EVENT_APPROVE, 0, err);
}

static bool start_write(Tx *tx, void *arg, Err *err)
{
    return batch_insert(tx, ((Work *)arg)->batch, err);
}

static bool page_write(Tx *tx, void *arg, Err *err)
{
    return page_insert(tx, &((Work *)arg)->day->page, err);
}

static bool step_write(Tx *tx, void *arg, Err *err)
{
    Work *work = arg;

    return batch_apply(tx, &work->batch->id, work->event, NULL, err);
}

static bool read_write(Tx *tx, void *arg, Err *err)
{
    Work *work = arg;
    PageFacts facts = { .width_px = 1, .height_px = 1, .dpi = 300, .components = 3 };
    PageClaim claim;

    return page_claim(tx, &claim, &work->found, err) &&
           (!work->found || page_read_done(tx, claim.page.id, &facts, "", err));
}

static bool plan_write(Tx *tx, void *arg, Err *err)
{
    static const PlannedDocument planned[] = {
        { .kind = DOCUMENT_PAGES,
          .name = "scan_{seq:3}.pdf",
          .number = 1,
          .first_page = 1,
          .page_count = PAGES },
        { .kind = DOCUMENT_INDEX, .name = "scan_{seq:3}.csv" },
    };
    Work *work = arg;
    uint32_t attempt;
    Batch batch;

    if (!plan_claim(tx, &batch, &attempt, &work->found, err) ||
        (work->found && !plan_done(tx, &batch.id, planned, COUNT_OF(planned), err)))
        return false;
    work->documents = work->found ? COUNT_OF(planned) : 0;
    *work->batch = batch;
    return true;
}

static bool document_write(Tx *tx, void *arg, Err *err)
{
    Work *work = arg;
    DocumentClaim claim;

    return document_claim(tx, &claim, &work->found, err) &&
           (!work->found || document_written(tx, &claim.document.id, 1, "beef", err));
}

static bool deliver_write(Tx *tx, void *arg, Err *err)
{
    Work *work = arg;

    return batch_apply(tx, &work->batch->id, BATCH_EVENT_WRITTEN, NULL, err) &&
           deliveries_insert(tx, &work->batch->id, err);
}

static bool send_write(Tx *tx, void *arg, Err *err)
{
    static const DeliveryResult sent = { .class = DELIVERY_CLASS_OK };
    Work *work = arg;
    DeliveryClaim claim;

    return delivery_claim(tx, NULL, NULL, 0, &claim, &work->found, err) &&
           (!work->found ||
            (delivery_reserve(tx, &claim.delivery.id, claim.document.name, err) &&
             delivery_ended(tx, &claim.delivery.id, DELIVERY_EVENT_OK, &sent, (Wall){ 0 }, err)));
}

static bool expire_write(Tx *tx, void *arg, Err *err)
{
    Work *work = arg;

    return batch_apply(tx, &work->batch->id, BATCH_EVENT_DELIVERED, NULL, err) &&
           batch_expire(tx, &work->batch->id, tx_now(tx), "after 0 days", &work->found, err);
}

static bool removed_write(Tx *tx, void *arg, Err *err)
{
    return batch_files_removed(tx, &((Work *)arg)->batch->id, err);
}

static bool scan_page(Day *day, SpoolBatch *handle, Batch *batch, uint32_t number)
{
    uint8_t bytes[9000];
    size_t n = 2000 * number + 700;

    for (size_t i = 0; i < n; i++)
        bytes[i] = (uint8_t)(i * 7 + number * 31 + batch->id.text[25]);
    spool_page_begin(handle, number, 'A', PAGE_FORMAT_JPEG);
    spool_page_bytes(handle, 'A', (Bytes){ bytes, n });
    spool_page_end(handle, 'A', &(PageNotes){ .scan_dpi = 300 }, page_done, day);
    sem_wait(&day->done);
    if (!day->done_ok || !write_now(day, page_write, &(Work){ .batch = batch }))
        return false;
    promise(day, batch, &day->page, 0);
    return true;
}

static void scan_batch(Day *day, Batch *batch)
{
    BatchEvent end = BATCH_EVENT_COMPLETE;

    *batch = (Batch){ .id = id_new(BatchId, wall_now()),
                      .device = day->device.id,
                      .device_name = "Front desk",
                      .job_id = day->job.id,
                      .job = day->job.job,
                      .started_at = wall_now() };
    (void)text_printf(batch->folder, sizeof batch->folder, "2026-11-22/%s", batch->id.text);
    SpoolBatch *handle = spool_batch_open(day->spool, batch, &day->device, spool_done, day);
    sem_wait(&day->done);
    if (day->done_ok && write_now(day, start_write, &(Work){ .batch = batch })) {
        for (uint32_t i = 1; i <= PAGES && end == BATCH_EVENT_COMPLETE; i++)
            if (!scan_page(day, handle, batch, i))
                end = BATCH_EVENT_BREAK;
        (void)write_now(day, step_write, &(Work){ .batch = batch, .event = end });
    }
    spool_batch_close(handle, batch_closed, day);
    sem_wait(&day->done);
}

/* Runs a claiming write until there is nothing to claim. */
static bool repeat(Day *day, StoreWrite *write)
{
    Work work = { .found = true };

    while (work.found)
        if (!write_now(day, write, &work))
            return false;
    return true;
}

/* The batch is done and its time is over. */
static void purge(Day *day, Batch *batch)
{
    Work work = { .batch = batch };
    Err err = { .kind = ERR_NONE };
    bool foreign;

    if (!write_now(day, expire_write, &work) || !work.found)
        return;
    if (!spool_folder_remove(day->spool_path, batch->folder, &foreign, &err)) {
        (void)told(day, &err);
        return;
    }
    if (!write_now(day, removed_write, &work))
        return;
    promise(day, batch, NULL, work.documents);
    day->promises[day->promised - 1].removed = true;
}

static void compose(Day *day)
{
    Work work = { .batch = &day->batches[0], .event = BATCH_EVENT_COMPOSE };
    Batch planned;

    if (!repeat(day, read_write) || !write_now(day, step_write, &work))
        return;
    work.batch = &planned;
    if (!write_now(day, plan_write, &work) || !work.found)
        return;
    promise(day, &planned, NULL, work.documents);
    if (repeat(day, document_write) && write_now(day, deliver_write, &work) &&
        repeat(day, send_write))
        purge(day, &planned);
}

static bool day_open(Day *day)
{
    Err err = { .kind = ERR_NONE };

    day->store = store_open(day->data, &err);
    day->spool = day->store ? spool_open(day->spool_path, 1, 0, &err) : NULL;
    return day->spool || told(day, &err);
}

static void day_close(Day *day)
{
    spool_close(day->spool);
    store_close(day->store);
    day->spool = NULL;
    day->store = NULL;
}

static void day_init(Day *day, FakeDisk *disk, const char *root)
{
    memset(day, 0, sizeof *day);
    day->disk = disk;
    sem_init(&day->done, 0, 0);
    (void)text_printf(day->data, sizeof day->data, "%s/data", root);
    (void)text_printf(day->spool_path, sizeof day->spool_path, "%s/data/spool", root);
    day->destination.id = id_new(DestinationId, wall_now());
    day->destination.destination = (Destination){ .name = "Archive",
                                                  .kind = "folder",
                                                  .settings = "{}" };
    day->job.id = id_new(JobId, wall_now());
    day->job.job = (Job){ .name = "Letters",
                          .dpi = 300,
                          .jpeg_quality = 85,
                          .file_name = "scan_{seq:3}",
                          .destination_count = 1 };
    (void)text_copy(day->job.job.destinations[0].destination, ID_TEXT_SIZE,
                    day->destination.id.text);
}

static void day_run(Day *day)
{
    if (day_open(day) && write_now(day, world_write, &(Work){ .day = day })) {
        scan_batch(day, &day->batches[0]);
        scan_batch(day, &day->batches[1]);
    }
    day_close(day); /* SQLite moves its log into the database here */
    if (day_open(day) && day->device.id.text[0]) {
        compose(day);
        scan_batch(day, &day->batches[2]);
    }
    day_close(day);
}

/* --- what must be true afterwards ---------------------------------------------------------------- */

static int sound(void *arg, int columns, char **values, char **names)
{
    (void)names;
    if (columns < 1 || !text_equal(values[0], "ok"))
        *(bool *)arg = false;
    return 0;
}

static bool database_is_sound(const char *data)
{
    char path[200];
    sqlite3 *handle = NULL;
    struct stat info;
    bool ok = true;

    (void)text_printf(path, sizeof path, "%s/platen.db", data);
    if (stat(path, &info) != 0)
        return true; /* cut before there was one */
    ok = sqlite3_open_v2(path, &handle, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK &&
         sqlite3_exec(handle, "PRAGMA integrity_check", sound, &ok, NULL) == SQLITE_OK && ok;
    if (!ok)
        fprintf(stderr, "database: %s\n", sqlite3_errmsg(handle));
    sqlite3_close(handle);
    return ok;
}

typedef struct Recovery {
    Tx *tx;
    Err *err;
    bool ok;
} Recovery;

static bool break_batch(void *arg, const BatchId *id)
{
    Recovery *r = arg;

    r->ok = batch_apply(r->tx, id, BATCH_EVENT_BREAK, NULL, r->err);
    return r->ok;
}

static bool recover_write(Tx *tx, void *arg, Err *err)
{
    Recovery r = { tx, err, true };

    (void)arg;
    return store_recover(tx, break_batch, &r, err) && r.ok;
}

static void no_word(void *arg, const char *sentence)
{
    (void)arg;
    (void)sentence;
}

static bool file_is(const char *spool_path, const Batch *batch, const Page *page)
{
    char path[400], sha256[65];
    int64_t size;
    Err err;

    (void)text_printf(path, sizeof path, "%s/%s/%s", spool_path, batch->folder, page->file);
    AUTO_FD fd = file_open_read(AT_FDCWD, path, &err);
    return fd >= 0 && file_hash(fd, sha256, &size, &err) && text_equal(sha256, page->sha256);
}

static bool is_removed(const char *spool_path, const Batch *batch)
{
    char path[400];

    (void)text_printf(path, sizeof path, "%s/%s", spool_path, batch->folder);
    if (access(path, F_OK) != 0)
        return true;
    fprintf(stderr, "batch %s: removed, and its folder is there\n", batch->id.text);
    return false;
}

static bool promise_is_kept(Db *db, const char *spool_path, const Promise *p)
{
    Err err = { .kind = ERR_NONE };
    Batch batch;
    Page page;

    bool ok = batch_get(db, &p->batch, &batch, &err);
    if (ok && batch.files == BATCH_FILES_REMOVED)
        return is_removed(spool_path, &batch); /* after it was decided nothing else was promised */
    ok = ok && !p->removed &&
         (p->number == 0
              ? batch.document_count == p->documents
              : page_get(db, &p->batch, p->number, &page, &err) &&
                    text_equal(page.sha256, p->sha256) && file_is(spool_path, &batch, &page));
    if (!ok)
        fprintf(stderr, "batch %s page %u: promised and lost: %s\n", p->batch.text, p->number,
                err.text);
    return ok;
}

static bool device_is_free(void *arg, const Device *device)
{
    *(bool *)arg = *(bool *)arg && device->state != DEVICE_SCANNING;
    return true;
}

/* What the next server does with what was decided. */
static bool end_removal(Store *store, Db *db, const char *spool_path, Err *err)
{
    BatchId after = { "" };
    BatchFolder next;
    Batch batch = { .page_count = 0 };
    bool found, foreign;

    while (batch_removing_next(db, &after, &next, &found, err)) {
        if (!found)
            return true;
        after = batch.id = next.id;
        if (!spool_folder_remove(spool_path, next.folder, &foreign, err) ||
            !store_write_wait(store, removed_write, &(Work){ .batch = &batch }, err))
            return false;
        if (foreign)
            return err_set(err, ERR_BUG, 0, "foreign files in batch %s", next.id.text);
    }
    return false;
}

/* Starts on what is left in root, settles it and looks at the first `count` promises. */
static bool world_is_whole(const char *root, const Day *day, size_t count)
{
    char data[160], spool_path[200];
    Err err = { .kind = ERR_NONE };
    FsckReport report;

    (void)text_printf(data, sizeof data, "%s/data", root);
    (void)text_printf(spool_path, sizeof spool_path, "%s/data/spool", root);
    if (!database_is_sound(data))
        return false;
    AUTO(Store) store = store_open(data, &err);
    StoreReader *reader = store ? store_reader_open(store, &err) : NULL;
    bool ok = reader && store_write_wait(store, recover_write, NULL, &err) &&
              store_fsck(store, spool_path, false, false, no_word, NULL, &report, &err) &&
              end_removal(store, reader_db(reader), spool_path, &err);
    if (!ok)
        fprintf(stderr, "restart: %s\n", err.text);
    if (ok && (report.pages_missing || report.pages_damaged || report.batches_left ||
               report.batches_gone)) {
        fprintf(stderr, "fsck: %u pages missing, %u damaged, %u batches left, %u gone\n",
                report.pages_missing, report.pages_damaged, report.batches_left,
                report.batches_gone);
        ok = false;
    }
    ok = ok && device_list(reader_db(reader), device_is_free, &ok, &err) && ok;
    for (size_t i = 0; ok && i < count; i++)
        ok = promise_is_kept(reader_db(reader), spool_path, &day->promises[i]);
    store_reader_close(reader);
    return ok;
}

/* --- the two tests ------------------------------------------------------------------------------- */

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *ftw)
{
    (void)info;
    (void)kind;
    (void)ftw;
    return remove(path);
}

static void make_root(char root[64])
{
    /* In memory where that is possible: what a flush is worth is the fake disk's business. */
    (void)text_copy(root, 64,
                    access("/dev/shm", W_OK) == 0 ? "/dev/shm/platen-crash-XXXXXX"
                                                  : "/tmp/platen-crash-XXXXXX");
    if (!mkdtemp(root))
        abort();
}

static void remove_root(const char *root)
{
    nftw(root, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static bool lose_power(size_t cuts)
{
    char root[64], image[64];
    bool ok = true;
    Day day;

    make_root(root);
    FakeDisk *disk = fakedisk_new(root);
    day_init(&day, disk, root);
    day_run(&day);
    size_t size = fakedisk_log_size(disk);
    /* The whole day went well: three batches of pages, the documents of one and its removal. */
    ok = day.promised == BATCHES * PAGES + 2;
    for (size_t i = 0; ok && i < cuts; i++) {
        size_t cut = 1 + i * size / cuts;

        make_root(image);
        /* The seams are only for the day: images are looked at on the real disk. */
        file_ops_set(NULL);
        sqlite3_vfs_register(sqlite3_vfs_find("unix"), 1);
        ok = fakedisk_image(disk, cut, i, image) &&
             world_is_whole(image, &day, fakedisk_notes_before(disk, cut));
        if (!ok)
            fprintf(stderr, "power cut after call %zu of %zu, seed %zu\n", cut, size, i);
        remove_root(image);
    }
    printf("power loss: %zu cuts over %zu calls, %zu promises: %s\n", cuts, size, day.promised,
           ok ? "kept" : "BROKEN");
    fakedisk_free(disk);
    remove_root(root);
    return ok;
}

/* One day with the n-th call failing; *ret_calls: how many there were. */
static bool day_with_failure(long n, int errno_code, bool stays, long *ret_calls)
{
    char root[64];
    Day day;

    make_root(root);
    FakeDisk *disk = fakedisk_new(root);
    day_init(&day, disk, root);
    fakedisk_fail(disk, n, errno_code, stays);
    day_run(&day);
    *ret_calls = fakedisk_calls(disk);
    fakedisk_fail(disk, 0, 0, false);
    fakedisk_free(disk);
    bool ok = !day.silent && world_is_whole(root, &day, day.promised);
    if (!ok)
        fprintf(stderr, "call %ld fails with %s%s\n", n, strerror(errno_code),
                stays ? ", and all after it" : "");
    remove_root(root);
    return ok;
}

static bool fail_calls(size_t failures)
{
    static const struct {
        int errno_code;
        bool stays;
    } sorts[] = { { ENOSPC, false }, { EIO, false }, { ENOSPC, true }, { EIO, true } };
    long calls = 0, ignored;
    bool ok = day_with_failure(0, 0, false, &calls);

    for (size_t i = 0; ok && i < failures; i++) {
        long n = 1 + (long)(i * (size_t)calls / failures);

        ok = day_with_failure(n, sorts[i % COUNT_OF(sorts)].errno_code,
                              sorts[i % COUNT_OF(sorts)].stays, &ignored);
    }
    printf("failing calls: %zu of %ld calls: %s\n", failures, calls, ok ? "kept" : "BROKEN");
    return ok;
}

int main(int argc, char **argv)
{
    size_t cuts = argc > 1 ? strtoul(argv[1], NULL, 10) : CUTS;
    size_t failures = argc > 2 ? strtoul(argv[2], NULL, 10) : FAILURES;
    bool power = lose_power(cuts), calls = fail_calls(failures);

    return power && calls ? 0 : 1;
}
