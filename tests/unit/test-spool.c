/* tests/unit/test-spool.c - pages become files: what is on disk, when done is called, what fails. */
#include "tests/unit/spool-fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/stat.h>

typedef struct Setup {
    Spool *spool;
    Batch batch;
    Device device;
    char path[128], folder[256];
} Setup;

static void setup(Fixture *f, Setup *s, unsigned threads)
{
    World w = { .device = { .address = "10.0.0.7", .product = "PID 11D1" } };

    w.device.id = id_new(DeviceId, wall_now());
    w.job.id = id_new(JobId, wall_now());
    DestinationId destination = id_new(DestinationId, wall_now());
    world_job(&w.job.job, "Letters", &destination);
    s->batch = world_batch(&w);
    s->device = w.device;
    (void)text_printf(s->path, sizeof s->path, "%s/spool", f->folder);
    (void)text_printf(s->folder, sizeof s->folder, "%s/%s", s->path, s->batch.folder);
    s->spool = spool_open(s->path, threads, 0, &f->err);
    assert_non_null(s->spool);
    assert_string_equal(spool_path(s->spool), s->path);
}

static bool there(const Setup *s, const char *name)
{
    char path[512];

    (void)text_printf(path, sizeof path, "%s/%s", s->folder, name);
    return access(path, F_OK) == 0;
}

static void a_page_is_a_file_when_done_is_called(void **state)
{
    Fixture *f = *state;
    Setup s;
    Waited w;
    setup(f, &s, 2);
    SpoolBatch *handle = spool_batch_opened(s.spool, &s.batch, &s.device, &w);

    assert_true(w.ok);
    assert_true(there(&s, "batch.json") && there(&s, "out"));
    assert_true(spool_page(handle, 1, 'A', 300000, &w));
    assert_string_equal(w.page.file, "p0001a.jpg");
    assert_int_equal(w.page.size_bytes, 300000);
    assert_int_equal(w.page.notes.scan_dpi, 300);
    assert_true(there(&s, "p0001a.jpg"));
    assert_false(there(&s, "p0001a.jpg.part"));

    char path[512], sha256[65];
    int64_t size;
    (void)text_printf(path, sizeof path, "%s/p0001a.jpg", s.folder);
    AUTO_FD fd = file_open_read(AT_FDCWD, path, &f->err);
    assert_true(file_hash(fd, sha256, &size, &f->err));
    assert_string_equal(sha256, w.page.sha256);
    assert_int_equal(size, 300000);
    assert_int_equal(spool_unwritten(handle), 0);
    assert_true(spool_page(handle, 1, 'B', 0, &w)); /* empty, but a page */

    /* A page is never replaced. */
    assert_false(spool_page(handle, 1, 'A', 10, &w));
    assert_int_equal(w.err.kind, ERR_CONFLICT);
    spool_batch_closed(handle, &w);
    spool_close(s.spool);
}

static void a_dropped_or_cut_page_leaves_nothing(void **state)
{
    Fixture *f = *state;
    Setup s;
    Waited w;
    setup(f, &s, 1);
    SpoolBatch *handle = spool_batch_opened(s.spool, &s.batch, &s.device, &w);

    spool_page_begin(handle, 1, 'A', PAGE_FORMAT_JPEG);
    spool_page_bytes(handle, 'A', bytes_of_text("half"));
    spool_page_drop(handle, 'A');
    spool_page_begin(handle, 2, 'A', PAGE_FORMAT_JPEG); /* begun anew without an end */
    spool_page_bytes(handle, 'A', bytes_of_text("half"));
    assert_true(spool_page(handle, 2, 'A', 5, &w));
    spool_page_begin(handle, 3, 'A', PAGE_FORMAT_JPEG); /* the session ended in the middle */
    spool_page_bytes(handle, 'A', bytes_of_text("half"));
    spool_batch_closed(handle, &w);
    assert_false(there(&s, "p0001a.jpg") || there(&s, "p0001a.jpg.part"));
    assert_true(there(&s, "p0002a.jpg"));
    assert_false(there(&s, "p0003a.jpg") || there(&s, "p0003a.jpg.part"));
    spool_close(s.spool);
}

/* Blocks of front and back in turn, a raw page and a JPEG: two files, each with its own bytes and notes. */
static void two_sides_may_come_at_the_same_time(void **state)
{
    static const PageNotes front = { .scan_dpi = 200, .crop_width_px = 10, .crop_height_px = 20 };
    static const PageNotes back = { .scan_dpi = 200, .rotation = 180, .last_first = true };
    enum { N = 150000, PIECE = 1000 };
    AUTO_BUF json = buf_with_max(64 * 1024);
    Fixture *f = *state;
    uint8_t *a = malloc(N), *b = malloc(N);
    char path[512], sha256[65];
    int64_t size;
    Setup s;
    Waited w;

    page_content(1, a, N);
    page_content(2, b, N);
    setup(f, &s, 1);
    SpoolBatch *handle = spool_batch_opened(s.spool, &s.batch, &s.device, &w);
    spool_page_begin(handle, 1, 'A', PAGE_FORMAT_JPEG);
    spool_page_begin(handle, 2, 'B', PAGE_FORMAT_RAW);
    for (size_t at = 0; at < N; at += PIECE) {
        spool_page_bytes(handle, 'B', (Bytes){ b + at, PIECE });
        spool_page_bytes(handle, 'A', (Bytes){ a + at, PIECE });
    }
    spool_page_end(handle, 'A', &front, waited_page, &w);
    sem_wait(&w.sem);
    assert_true(w.ok);
    assert_string_equal(w.page.file, "p0001a.jpg");
    assert_int_equal(w.page.notes.crop_height_px, 20);
    assert_false(there(&s, "p0002b.raw"));
    spool_page_end(handle, 'B', &back, waited_page, &w);
    sem_wait(&w.sem);
    assert_true(w.ok);
    assert_string_equal(w.page.file, "p0002b.raw");
    assert_int_equal(w.page.size_bytes, N);
    (void)text_printf(path, sizeof path, "%s/p0002b.raw", s.folder);
    AUTO_FD fd = file_open_read(AT_FDCWD, path, &f->err);
    assert_true(file_hash(fd, sha256, &size, &f->err));
    assert_string_equal(sha256, w.page.sha256);
    AUTO_BUF read = buf_with_max(2 * N);
    AUTO_FD folder = file_open_folder(AT_FDCWD, s.folder, &f->err);
    assert_true(file_read_whole(folder, "p0002b.raw", &read, &f->err));
    assert_memory_equal(read.p, b, N);
    buf_clear(&read);
    assert_true(file_read_whole(folder, "p0001a.jpg", &read, &f->err));
    assert_memory_equal(read.p, a, N);
    spool_batch_closed(handle, &w);
    assert_true(file_read_whole(folder, "batch.json", &json, &f->err));
    assert_non_null(strstr(buf_text(&json), "\"crop_height_px\":20"));
    assert_non_null(strstr(buf_text(&json), "\"rotation\":180"));
    spool_close(s.spool);
    free(a);
    free(b);
}

static void an_end_without_a_begin_is_a_bug(void **state)
{
    Fixture *f = *state;
    Setup s;
    Waited w;
    setup(f, &s, 1);
    SpoolBatch *handle = spool_batch_opened(s.spool, &s.batch, &s.device, &w);

    spool_page_end(handle, 'A', &(PageNotes){ .scan_dpi = 300 }, waited_page, &w);
    sem_wait(&w.sem);
    assert_false(w.ok);
    assert_int_equal(w.err.kind, ERR_BUG);
    spool_batch_closed(handle, &w);
    spool_close(s.spool);
}

static sem_t gate;
static atomic_int drained_calls;

static ssize_t slow_write(int fd, const void *bytes, size_t n)
{
    sem_wait(&gate);
    sem_post(&gate);
    return write(fd, bytes, n);
}

static void count_drained(void *arg)
{
    (void)arg;
    atomic_fetch_add(&drained_calls, 1);
}

static void a_slow_disk_is_felt_and_then_drained(void **state)
{
    Fixture *f = *state;
    FileOps slow = file_ops_system;
    uint8_t *bytes = calloc(1, 2 * SPOOL_UNWRITTEN_MAX);
    Setup s;
    Waited w;

    slow.write = slow_write;
    sem_init(&gate, 0, 1);
    file_ops_set(&slow);
    setup(f, &s, 1);
    SpoolBatch *handle = spool_batch_opened(s.spool, &s.batch, &s.device, &w);
    spool_on_drained(handle, count_drained, NULL);
    sem_wait(&gate); /* the disk stands still */
    assert_false(spool_devices_wait(s.spool));
    spool_page_begin(handle, 1, 'A', PAGE_FORMAT_JPEG);
    spool_page_bytes(handle, 'A', (Bytes){ bytes, 2 * SPOOL_UNWRITTEN_MAX });
    assert_true(spool_is_full(handle));
    assert_true(spool_devices_wait(s.spool));
    assert_int_equal(atomic_load(&drained_calls), 0);
    sem_post(&gate);
    spool_page_end(handle, 'A', &(PageNotes){ .scan_dpi = 300 }, waited_page, &w);
    sem_wait(&w.sem);
    assert_true(w.ok);
    assert_int_equal(atomic_load(&drained_calls), 1);

    /* A session that does not stop its reads fails its page, not the server's memory. */
    sem_wait(&gate);
    spool_page_begin(handle, 2, 'A', PAGE_FORMAT_JPEG);
    for (int i = 0; i < 10; i++)
        spool_page_bytes(handle, 'A', (Bytes){ bytes, 2 * SPOOL_UNWRITTEN_MAX });
    assert_true(spool_unwritten(handle) <= 16 * 1024 * 1024);
    sem_post(&gate);
    spool_page_end(handle, 'A', &(PageNotes){ .scan_dpi = 300 }, waited_page, &w);
    sem_wait(&w.sem);
    assert_false(w.ok);
    assert_int_equal(w.err.kind, ERR_TEMPORARY);
    for (int i = 0; i < 1000 && spool_devices_wait(s.spool); i++)
        usleep(10000);
    assert_false(spool_devices_wait(s.spool));

    sem_wait(&gate); /* it is felt as often as it happens */
    spool_page_begin(handle, 3, 'A', PAGE_FORMAT_JPEG);
    spool_page_bytes(handle, 'A', (Bytes){ bytes, 2 * SPOOL_UNWRITTEN_MAX });
    assert_true(spool_devices_wait(s.spool));
    sem_post(&gate);
    spool_batch_closed(handle, &w);
    for (int i = 0; i < 1000 && spool_devices_wait(s.spool); i++)
        usleep(10000);
    assert_false(spool_devices_wait(s.spool));
    spool_close(s.spool);
    file_ops_set(NULL);
    free(bytes);
}

static void many_scans_have_a_smaller_share_each(void **state)
{
    enum { SCANS = 40, UNWRITTEN = 450 * 1024 }; /* a fortieth of SPOOL_UNWRITTEN_ALL is 409 KiB */
    Fixture *f = *state;
    FileOps slow = file_ops_system;
    uint8_t *bytes = calloc(1, UNWRITTEN);
    SpoolBatch *handles[SCANS];
    Setup s;
    Waited w;

    slow.write = slow_write;
    sem_init(&gate, 0, 1);
    atomic_store(&drained_calls, 0);
    setup(f, &s, 1);
    for (size_t i = 0; i < SCANS; i++)
        handles[i] = spool_batch_opened(s.spool, &s.batch, &s.device, &w);
    spool_on_drained(handles[0], count_drained, NULL);
    file_ops_set(&slow);
    for (uint32_t page = 1; page <= 2; page++) {
        sem_wait(&gate); /* the disk stands still */
        spool_page_begin(handles[0], page, 'A', PAGE_FORMAT_JPEG);
        spool_page_bytes(handles[0], 'A', (Bytes){ bytes, UNWRITTEN });
        assert_int_equal(spool_is_full(handles[0]), page == 1);
        sem_post(&gate);
        spool_page_end(handles[0], 'A', &(PageNotes){ .scan_dpi = 300 }, waited_page, &w);
        sem_wait(&w.sem);
        assert_true(w.ok);
        assert_false(spool_is_full(handles[0]));
        assert_int_equal(atomic_load(&drained_calls), 1);
        for (size_t i = 1; i < SCANS && page == 1; i++) {
            spool_batch_close(handles[i], waited_closed, &w);
            sem_wait(&w.sem);
        }
    }
    file_ops_set(NULL);
    spool_batch_closed(handles[0], &w);
    spool_close(s.spool);
    free(bytes);
}

static int no_space_sync(int fd)
{
    (void)fd;
    errno = ENOSPC;
    return -1;
}

static void a_full_disk_names_page_and_cure(void **state)
{
    Fixture *f = *state;
    FileOps full = file_ops_system;
    Setup s;
    Waited w;

    setup(f, &s, 1);
    SpoolBatch *handle = spool_batch_opened(s.spool, &s.batch, &s.device, &w);
    full.sync_data = no_space_sync;
    file_ops_set(&full);
    assert_false(spool_page(handle, 7, 'A', 100, &w));
    file_ops_set(NULL);
    assert_int_equal(w.err.kind, ERR_TEMPORARY);
    assert_non_null(strstr(w.err.text, "page 7"));
    assert_non_null(strstr(w.err.remedy, "Free space"));
    assert_false(there(&s, "p0007a.jpg") || there(&s, "p0007a.jpg.part"));
    spool_batch_closed(handle, &w);
    spool_close(s.spool);
}

/* The disk fails at one call, which is counted from 1; 0: never. Only one thread calls at a time. */
static atomic_int calls, fails_at;

static bool fails_now(void)
{
    errno = EIO;
    return atomic_fetch_add(&calls, 1) + 1 == atomic_load(&fails_at);
}

static int failing_open(int dir, const char *name, int flags, mode_t mode)
{
    return fails_now() ? -1 : file_ops_system.open(dir, name, flags, mode);
}

static ssize_t failing_write(int fd, const void *bytes, size_t n)
{
    return fails_now() ? -1 : file_ops_system.write(fd, bytes, n);
}

static int failing_sync_data(int fd)
{
    return fails_now() ? -1 : file_ops_system.sync_data(fd);
}

static int failing_sync_folder(int fd)
{
    return fails_now() ? -1 : file_ops_system.sync_folder(fd);
}

static int failing_mkdir(int dir, const char *name, mode_t mode)
{
    return fails_now() ? -1 : file_ops_system.mkdir(dir, name, mode);
}

static int failing_rename(int from_dir, const char *from, int to_dir, const char *to,
                          unsigned flags)
{
    return fails_now() ? -1 : file_ops_system.rename(from_dir, from, to_dir, to, flags);
}

static void the_disk_fails_at(int call)
{
    static FileOps failing;

    failing = file_ops_system;
    failing.open = failing_open;
    failing.write = failing_write;
    failing.sync_data = failing_sync_data;
    failing.sync_folder = failing_sync_folder;
    failing.mkdir = failing_mkdir;
    failing.rename = failing_rename;
    atomic_store(&calls, 0);
    atomic_store(&fails_at, call);
    file_ops_set(&failing);
}

/* Whichever step of it fails, the page is not said to be stored, and the next one is. */
static void a_page_is_stored_only_when_every_step_was(void **state)
{
    enum {
        STEPS_LEAST = 6
    }; /* create, write, sync, rename, line of batch.json, sync of the folder */
    Fixture *f = *state;
    uint32_t number = 0;
    bool all = false;
    Setup s;
    Waited w;

    setup(f, &s, 1);
    SpoolBatch *handle = spool_batch_opened(s.spool, &s.batch, &s.device, &w);
    for (int step = 1; !all; step++) {
        the_disk_fails_at(step);
        bool ok = spool_page(handle, ++number, 'A', 100, &w);
        all = atomic_load(&calls) < step;
        file_ops_set(NULL);
        assert_int_equal(ok, all);
        assert_true(!all || step > STEPS_LEAST);
        if (!ok) {
            assert_int_equal(w.err.kind, ERR_TEMPORARY);
            assert_non_null(strstr(w.err.text, "page "));
            assert_non_null(strstr(w.err.remedy, "scan again"));
        }
        assert_true(spool_page(handle, ++number, 'A', 100, &w));
    }
    spool_batch_closed(handle, &w);
    spool_close(s.spool);
}

/* The same for the folder of a batch: without it no page is stored. */
static void a_batch_is_open_only_when_every_step_was(void **state)
{
    /* The day, the batch and out with the sync of each, batch.json replaced and opened again. */
    enum { STEPS_LEAST = 12 };
    Fixture *f = *state;
    bool all = false;
    Setup s;

    setup(f, &s, 1);
    for (int step = 1; !all; step++) {
        Batch batch = s.batch;
        Waited w;

        batch.id = id_new(BatchId, wall_now());
        (void)text_printf(batch.folder, sizeof batch.folder, "2026-11-%02d/%s", step,
                          batch.id.text);
        the_disk_fails_at(step);
        SpoolBatch *handle = spool_batch_opened(s.spool, &batch, &s.device, &w);
        all = atomic_load(&calls) < step;
        file_ops_set(NULL);
        assert_int_equal(w.ok, all);
        assert_true(!all || step > STEPS_LEAST);
        assert_int_equal(spool_page(handle, 1, 'A', 100, &w), all);
        spool_batch_closed(handle, &w);
    }
    spool_close(s.spool);
}

static void a_batch_that_cannot_be_made_fails_its_pages(void **state)
{
    Fixture *f = *state;
    Setup s;
    Waited w;

    setup(f, &s, 1);
    (void)text_copy(s.batch.folder, sizeof s.batch.folder, "no-day");
    SpoolBatch *handle = spool_batch_opened(s.spool, &s.batch, &s.device, &w);
    assert_false(w.ok);
    assert_false(spool_page(handle, 1, 'A', 100, &w));
    spool_batch_closed(handle, &w);
    spool_close(s.spool);
}

static void space_is_reserved_for_running_scans(void **state)
{
    Fixture *f = *state;
    Setup s;
    Waited w;
    int64_t left;

    setup(f, &s, 1);
    AUTO_FD folder = file_open_folder(AT_FDCWD, s.path, &f->err);
    assert_true(file_space_left(folder, &left, &f->err));
    spool_close(s.spool);
    /* Room for one scan and a half. */
    s.spool = spool_open(s.path, 1, left - SPOOL_SCAN_RESERVE_BYTES * 3LL / 2, &f->err);
    assert_true(spool_space_check(s.spool, &f->err));
    SpoolBatch *handle = spool_batch_opened(s.spool, &s.batch, &s.device, &w);
    assert_false(spool_space_check(s.spool, &f->err));
    assert_int_equal(f->err.kind, ERR_TEMPORARY);
    assert_true(strlen(f->err.remedy) > 0);
    spool_batch_closed(handle, &w);
    assert_true(spool_space_check(s.spool, &f->err));
    spool_close(s.spool);
}

static void a_spool_that_cannot_be_opened_says_so(void **state)
{
    Fixture *f = *state;
    char path[128];

    (void)text_printf(path, sizeof path, "%s/platen.db/spool", f->folder);
    assert_null(spool_open(path, 2, 0, &f->err));
    assert_non_null(strstr(f->err.text, "spool"));
}

static void many_batches_share_the_threads(void **state)
{
    Fixture *f = *state;
    SpoolBatch *handles[10];
    Waited w[10], pages[10];
    Setup s;

    setup(f, &s, 3);
    for (size_t i = 0; i < COUNT_OF(handles); i++) {
        Batch batch = s.batch;

        batch.id = id_new(BatchId, wall_now());
        (void)text_printf(batch.folder, sizeof batch.folder, "2026-11-22/%s", batch.id.text);
        sem_init(&w[i].sem, 0, 0);
        sem_init(&pages[i].sem, 0, 0);
        handles[i] = spool_batch_open(s.spool, &batch, &s.device, waited_done, &w[i]);
    }
    for (uint32_t page = 1; page <= 5; page++) {
        for (size_t i = 0; i < COUNT_OF(handles); i++) {
            spool_page_begin(handles[i], page, 'A', PAGE_FORMAT_JPEG);
            spool_page_bytes(handles[i], 'A', bytes_of_text("content"));
            spool_page_end(handles[i], 'A', &(PageNotes){ .scan_dpi = 300 }, waited_page,
                           &pages[i]);
        }
        for (size_t i = 0; i < COUNT_OF(handles); i++) {
            sem_wait(&pages[i].sem);
            assert_true(pages[i].ok);
            assert_int_equal(pages[i].page.number, page);
        }
    }
    for (size_t i = 0; i < COUNT_OF(handles); i++) {
        spool_batch_close(handles[i], NULL, NULL);
        sem_destroy(&pages[i].sem);
    }
    spool_close(s.spool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(a_page_is_a_file_when_done_is_called),
        STORE_TEST(a_dropped_or_cut_page_leaves_nothing),
        STORE_TEST(two_sides_may_come_at_the_same_time),
        STORE_TEST(an_end_without_a_begin_is_a_bug),
        STORE_TEST(a_slow_disk_is_felt_and_then_drained),
        STORE_TEST(many_scans_have_a_smaller_share_each),
        STORE_TEST(a_full_disk_names_page_and_cure),
        STORE_TEST(a_page_is_stored_only_when_every_step_was),
        STORE_TEST(a_batch_is_open_only_when_every_step_was),
        STORE_TEST(a_batch_that_cannot_be_made_fails_its_pages),
        STORE_TEST(space_is_reserved_for_running_scans),
        STORE_TEST(a_spool_that_cannot_be_opened_says_so),
        STORE_TEST(many_batches_share_the_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
