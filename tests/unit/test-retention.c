/* tests/unit/test-retention.c - what is kept no longer: decided in rows, removed from the spool, forgotten. */
#include "store/db.h"
#include "store/fsck.h"
#include "store/retention.h"
#include "store/schema.h"
#include "store/spool-remove.h"
#include "tests/unit/spool-fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

static const BatchId from_start = { "" };
static const Wall later = { INT64_MAX };

/* --- rows ---------------------------------------------------------------------------------------- */

static Batch batch_now(Fixture *f, const BatchId *id)
{
    Batch batch;

    assert_read(f, batch_get(fixture_db(f), id, &batch, &f->err));
    return batch;
}

static int64_t count(Fixture *f, const char *sql)
{
    AUTO_QUERY query = db_query(fixture_db(f), sql, NO_ARGS);
    int64_t n = query_next(&query) ? query_int(&query, 0) : -1;

    assert_read(f, query_ok(&query, &f->err));
    return n;
}

static bool sql_run(Tx *tx, const char *sql, Err *err)
{
    return db_run(tx->db, sql, NO_ARGS, NULL, err);
}

static bool deliver_all(Tx *tx, Err *err)
{
    static const DeliveryResult sent = { .class = DELIVERY_CLASS_OK };
    DeliveryClaim *claim = calloc(1, sizeof *claim);
    bool found = true, ok = true;

    while (ok && found)
        ok = delivery_claim(tx, NULL, NULL, 0, claim, &found, err) &&
             (!found ||
              delivery_ended(tx, &claim->delivery.id, DELIVERY_EVENT_OK, &sent, (Wall){ 0 }, err));
    free(claim);
    return ok;
}

static Batch world_done(Fixture *f, const World *w)
{
    Batch batch = world_delivering(f, w, 2);

    assert_write(f, deliver_all(tx, &f->err) &&
                        batch_apply(tx, &batch.id, BATCH_EVENT_DELIVERED, NULL, &f->err));
    return batch;
}

static bool expires(Fixture *f, const BatchId *id, Wall before)
{
    bool marked = false;

    assert_write(f, batch_expire(tx, id, before, "after 30 days", &marked, &f->err));
    return marked;
}

/* The list and the decision agree. */
static bool is_expired(Fixture *f, Wall before)
{
    BatchFolder next;
    bool found;

    assert_read(f, batch_expired_next(fixture_db(f), &from_start, before, &next, &found, &f->err));
    return found;
}

static Batch world_ended(Fixture *f, const World *w, BatchEvent event, uint32_t pages)
{
    Batch batch = world_batch(w);

    assert_write(f, batch_insert(tx, &batch, &f->err));
    for (uint32_t i = 1; i <= pages; i++) {
        Page page = world_page(&batch, i);
        assert_write(f, page_insert(tx, &page, &f->err));
    }
    assert_write(f, batch_apply(tx, &batch.id, event, NULL, &f->err));
    return batch;
}

static void only_what_is_over_expires(void **state)
{
    Fixture *f = *state;
    World w;

    world_make(f, &w);
    Batch delivering = world_delivering(f, &w, 1);
    assert_false(is_expired(f, later) || expires(f, &delivering.id, later));
    assert_write(f, batch_apply(tx, &delivering.id, BATCH_EVENT_STUCK, NULL, &f->err));
    assert_false(is_expired(f, later) || expires(f, &delivering.id, later));
    Batch broken = world_ended(f, &w, BATCH_EVENT_BREAK, 1);
    assert_false(is_expired(f, later) || expires(f, &broken.id, later));

    Batch empty = world_ended(f, &w, BATCH_EVENT_BREAK, 0);
    assert_true(is_expired(f, later) && expires(f, &empty.id, later));
    Batch cancelled = world_ended(f, &w, BATCH_EVENT_CANCEL, 2);
    assert_false(is_expired(f, (Wall){ 0 }) || expires(f, &cancelled.id, (Wall){ 0 }));
    assert_true(is_expired(f, later) && expires(f, &cancelled.id, later));
    assert_false(is_expired(f, later) || expires(f, &cancelled.id, later)); /* once */
    assert_int_equal(count(f, "SELECT count(*) FROM page WHERE state = 'stored'"), 1);

    /* A partial batch is sent by itself as long as its files are there. */
    BatchSummary summary;
    assert_write(f,
                 sql_run(tx, "UPDATE batch SET job = json_set(job, '$.keep_partial', json('true'))",
                         &f->err));
    assert_read(f, batch_summary(fixture_db(f), &broken.id, &summary, &f->err));
    assert_true(summary.keep_partial);
    assert_write(f, batch_files_give_up(tx, &broken.id, "by me", &f->err));
    assert_read(f, batch_summary(fixture_db(f), &broken.id, &summary, &f->err));
    assert_false(summary.keep_partial);

    /* A row that says DONE with something undelivered would be a fault: then nothing is removed. */
    assert_write(f, sql_run(tx, "UPDATE batch SET state = 'done'", &f->err));
    assert_false(expires(f, &delivering.id, later));
}

static void what_is_removed_is_sent_nowhere(void **state)
{
    char text[BATCH_FILES_TEXT_SIZE];
    DeliveryId delivery, made;
    Fixture *f = *state;
    World w;

    world_make(f, &w);
    Batch batch = world_done(f, &w);
    AUTO_QUERY query = db_query(fixture_db(f), "SELECT id FROM delivery LIMIT 1", NO_ARGS);
    assert_true(query_next(&query));
    QUERY_COPY(&query, 0, delivery.text);
    query_end(&query);
    assert_true(expires(f, &batch.id, later));
    assert_refused(f, ERR_CONFLICT, batch_files_check(tx_db(tx), &batch.id, &f->err));
    assert_true(f->err.remedy[0] != '\0');
    StoredDestination other = { .id = id_new(DestinationId, wall_now()),
                                .destination = {
                                    .name = "O", .kind = "folder", .settings = "{}" } };
    assert_write(f, destination_insert(tx, &test_actor, &other, &f->err));
    assert_refused(f, ERR_CONFLICT,
                   delivery_elsewhere(tx, &delivery, &other.id, "", "", &made, &f->err));
    assert_non_null(strstr(f->err.text, "removed after 30 days"));
    assert_write(f, sql_run(tx, "UPDATE delivery SET state = 'dropped'", &f->err));
    assert_refused(f, ERR_CONFLICT,
                   delivery_act(tx, &delivery, DELIVERY_EVENT_RETRY_NOW, "", &f->err));
    Page page = world_page(&batch, 9);
    assert_write(f, sql_run(tx, "UPDATE batch SET state = 'cancelled'", &f->err));
    assert_refused(f, ERR_CONFLICT, page_insert(tx, &page, &f->err));

    assert_refused(f, ERR_CONFLICT, batch_files_give_up(tx, &batch.id, "by me", &f->err));
    assert_write(f, batch_files_removed(tx, &batch.id, &f->err));
    assert_refused(f, ERR_CONFLICT, batch_files_removed(tx, &batch.id, &f->err));
    Batch now = batch_now(f, &batch.id);
    batch_files_text(&now, text);
    assert_string_equal(text, "the files were removed after 30 days");
    assert_int_equal(now.page_count, 2); /* the rows are history */
    assert_int_equal(count(f, "SELECT count(*) FROM event WHERE kind = 'batch.files-removed'"), 1);
    StoreCounts counts;
    assert_read(f, store_counts(fixture_db(f), &counts, &f->err));
    assert_int_equal(counts.batches_removed, 1);
    assert_int_equal(counts.batches_removing, 0);
}

static void history_is_forgotten_after_the_files(void **state)
{
    Fixture *f = *state;
    StoreCounts counts;
    bool more = false;
    World w;

    world_make(f, &w);
    Batch first = world_done(f, &w), second = world_done(f, &w);
    assert_write(f, history_forget(tx, later, 4, &more, &f->err));
    assert_int_equal(count(f, "SELECT count(*) FROM batch"), 2); /* their files are kept */
    assert_true(expires(f, &first.id, later) && expires(f, &second.id, later));
    assert_write(f, batch_files_removed(tx, &first.id, &f->err));
    int64_t audits = count(f, "SELECT count(*) FROM audit");
    assert_write(f, history_forget(tx, (Wall){ 0 }, 4, &more, &f->err));
    assert_int_equal(count(f, "SELECT count(*) FROM batch"), 2);
    assert_write(f, history_forget(tx, later, 1, &more, &f->err));
    assert_true(more);
    assert_int_equal(count(f, "SELECT count(*) FROM batch"), 1); /* the other is being removed */
    assert_int_equal(count(f, "SELECT count(*) FROM attempt"), 3);
    assert_int_equal(count(f, "SELECT count(*) FROM delivery"), 3);
    assert_int_equal(count(f, "SELECT count(*) FROM document"), 3);
    assert_int_equal(count(f, "SELECT count(*) FROM page"), 2);
    assert_int_equal(count(f, "SELECT count(*) FROM audit"), audits);
    assert_write(f, batch_files_removed(tx, &second.id, &f->err));
    assert_write(f, history_forget(tx, later, 4, &more, &f->err));
    assert_false(more);
    assert_int_equal(count(f, "SELECT count(*) FROM batch"), 0);
    assert_int_equal(count(f, "SELECT count(*) FROM attempt"), 0);
    assert_int_equal(count(f, "SELECT count(*) FROM event"), 1); /* where streams begin */
    assert_read(f, store_counts(fixture_db(f), &counts, &f->err));
    assert_int_equal(counts.pages, 4); /* counters only rise */
}

/* A database without retention, with a batch, under this program. */
static void older_batches_keep_their_files(void **state)
{
    static const char rows[] =
        "INSERT INTO batch (id, device_id, device_name, job_id, job, state, reason_code, "
        "reason_text, reason_remedy, started_at, changed_at, utc_offset_min, folder)"
        " VALUES ('b', 'x', 'x', 'j', '{}', 'done', '', '', '', 1, 1, 0, 'f');"
        "INSERT INTO page (batch_id, number, side, file, size_bytes, sha256, scan_dpi, state,"
        " stored_at) VALUES ('b', 1, 'A', 'p0001a.jpg', 1, 'x', 300, 'read', 1);";
    const char *const former[] = { schema_scripts[0], schema_scripts[1], NULL };
    Fixture *f = *state;
    StoreCounts counts;

    fixture_migrate(f, former, rows);
    assert_int_equal(count(f, "SELECT count(*) FROM batch WHERE files = 'kept'"), 1);
    assert_read(f, store_counts(fixture_db(f), &counts, &f->err));
    assert_int_equal(counts.pages, 1);
    assert_int_equal(counts.batches_removed, 0);
    assert_true(expires(f, &(BatchId){ "b" }, later));
}

/* --- folders ------------------------------------------------------------------------------------- */

typedef struct Spooled {
    World world;
    Batch batch;
    char spool[128], folder[256];
} Spooled;

static void put_file(const char *folder, const char *name)
{
    char path[512];

    (void)text_printf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fclose(file);
}

static bool there(const char *folder, const char *name)
{
    struct stat info;
    char path[512];

    (void)text_printf(path, sizeof path, "%s/%s", folder, name);
    return lstat(path, &info) == 0;
}

/* A broken batch of three pages with everything a folder can have. */
static void spooled(Fixture *f, Spooled *s)
{
    static const char *const more[] = { "t0001a.jpg",     "p0004b.jpg.part", "t0002a.jpg.new",
                                        "batch.json.new", "out/a.pdf",       "out/.hidden.new" };
    Waited w;

    world_make(f, &s->world);
    s->batch = world_batch(&s->world);
    (void)text_printf(s->spool, sizeof s->spool, "%s/spool", f->folder);
    (void)text_printf(s->folder, sizeof s->folder, "%s/%s", s->spool, s->batch.folder);
    Spool *spool = spool_open(s->spool, 1, 0, &f->err);
    SpoolBatch *handle = spool_batch_opened(spool, &s->batch, &s->world.device, &w);
    assert_write(f, batch_insert(tx, &s->batch, &f->err));
    for (uint32_t i = 1; i <= 3; i++) {
        assert_true(spool_page(handle, i, 'A', 1000 + i, &w));
        assert_write(f, page_insert(tx, &w.page, &f->err));
    }
    spool_batch_closed(handle, &w);
    spool_close(spool);
    assert_write(f, batch_apply(tx, &s->batch.id, BATCH_EVENT_BREAK, NULL, &f->err));
    for (size_t i = 0; i < COUNT_OF(more); i++)
        put_file(s->folder, more[i]);
}

static void a_folder_is_removed_and_again(void **state)
{
    Fixture *f = *state;
    bool foreign = true;
    Spooled s;

    spooled(f, &s);
    assert_true(spool_folder_has_page(s.spool, s.batch.folder));
    assert_read(f, spool_folder_remove(s.spool, s.batch.folder, &foreign, &f->err));
    assert_false(foreign || access(s.folder, F_OK) == 0);
    assert_false(spool_folder_has_page(s.spool, s.batch.folder));
    assert_read(f, spool_folder_remove(s.spool, s.batch.folder, &foreign, &f->err));
    /* 2026-11-22 is over only two days later. */
    assert_read(f, spool_days_sweep(s.spool, (Wall){ 1795521600000 }, &f->err)); /* the 24th */
    assert_true(there(s.spool, "2026-11-22"));
    put_file(s.spool, "2026-11-2x");
    assert_read(f, spool_days_sweep(s.spool, (Wall){ 1795608000000 }, &f->err)); /* the 25th */
    assert_false(there(s.spool, "2026-11-22"));
    assert_true(there(s.spool, "2026-11-2x"));
    assert_read(f, spool_folder_remove(s.spool, s.batch.folder, &foreign, &f->err));
    assert_false(spool_folder_remove("/nowhere/at/all", s.batch.folder, &foreign, &f->err));
}

static void what_is_not_ours_stays(void **state)
{
    static const char *const names[] = { "notes.txt", "p0001c.jpg", "batch.jsonx", ".part" };
    char outside[256], target[300], link[300];
    Fixture *f = *state;
    bool foreign = false;
    Spooled s;

    spooled(f, &s);
    for (size_t i = 0; i < COUNT_OF(names); i++)
        put_file(s.folder, names[i]);
    (void)text_printf(target, sizeof target, "%s/out/deeper", s.folder);
    assert_int_equal(mkdir(target, 0755), 0);
    put_file(target, "x");
    assert_read(f, spool_folder_remove(s.spool, s.batch.folder, &foreign, &f->err));
    assert_true(foreign);
    for (size_t i = 0; i < COUNT_OF(names); i++)
        assert_true(there(s.folder, names[i]));
    assert_true(there(target, "x"));
    assert_false(there(s.folder, "p0001a.jpg") || there(s.folder, "out/a.pdf") ||
                 there(s.folder, "batch.json"));

    /* Links are not followed: one as a page is removed itself, one as out/ or as the folder is left. */
    folder_remove(s.folder);
    (void)text_printf(outside, sizeof outside, "%s/outside", f->folder);
    assert_int_equal(mkdir(outside, 0755), 0);
    put_file(outside, "p0001a.jpg");
    assert_int_equal(symlink(outside, s.folder), 0);
    assert_false(spool_folder_remove(s.spool, s.batch.folder, &foreign, &f->err));
    assert_true(there(outside, "p0001a.jpg"));
    assert_int_equal(unlink(s.folder), 0);
    assert_int_equal(mkdir(s.folder, 0755), 0);
    (void)text_printf(link, sizeof link, "%s/out", s.folder);
    assert_int_equal(symlink(outside, link), 0);
    (void)text_printf(link, sizeof link, "%s/p0001a.jpg", s.folder);
    (void)text_printf(target, sizeof target, "%s/p0001a.jpg", outside);
    assert_int_equal(symlink(target, link), 0);
    assert_read(f, spool_folder_remove(s.spool, s.batch.folder, &foreign, &f->err));
    assert_true(foreign && there(outside, "p0001a.jpg") && there(s.folder, "out"));
    assert_false(there(s.folder, "p0001a.jpg"));
}

static void only_folders_of_batches_are_removed(void **state)
{
    static const char *const wrong[] = {
        "",
        "x",
        "2026-11-22",
        "../01k00000000000000000000000",
        "2026-11-22/..",
        "2026-11-22/",
        "2026-11-22/x/01k00000000000000000000000",
    };
    Fixture *f = *state;
    bool foreign;

    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        assert_false(spool_folder_remove(f->folder, wrong[i], &foreign, &f->err));
        assert_int_equal(f->err.kind, ERR_BUG);
    }
}

/* --- disks that fail ----------------------------------------------------------------------------- */

static int calls, failing_call;

static bool fails(void)
{
    if (++calls != failing_call)
        return false;
    errno = EIO;
    return true;
}

static int failing_unlink(int dir_fd, const char *name, int flags)
{
    return fails() ? -1 : file_ops_system.unlink(dir_fd, name, flags);
}

static int failing_sync(int fd)
{
    return fails() ? -1 : file_ops_system.sync_folder(fd);
}

static int failing_open(int dir_fd, const char *name, int flags, mode_t mode)
{
    return fails() ? -1 : file_ops_system.open(dir_fd, name, flags, mode);
}

static void an_error_is_said_and_the_next_try_ends_it(void **state)
{
    FileOps ops = file_ops_system;
    Fixture *f = *state;
    bool foreign;
    Spooled s;

    spooled(f, &s);
    ops.unlink = failing_unlink;
    ops.sync_folder = failing_sync;
    ops.open = failing_open;
    file_ops_set(&ops);
    for (failing_call = 1;; failing_call++) {
        calls = 0;
        bool ok = spool_folder_remove(s.spool, s.batch.folder, &foreign, &f->err);
        if (calls < failing_call) {
            assert_true(ok);
            break;
        }
        assert_false(ok);
        assert_int_equal(f->err.kind, ERR_TEMPORARY);
        assert_true(strlen(f->err.text) > 10);
    }
    file_ops_set(NULL);
    assert_in_range(failing_call, 5, 60);
    assert_true(access(s.folder, F_OK) != 0);
}

/* --- fsck ---------------------------------------------------------------------------------------- */

static void count_sentence(void *arg, const char *sentence)
{
    (void)sentence;
    ++*(int *)arg;
}

static FsckReport check(Fixture *f, const Spooled *s, bool quick, bool dry_run, int *ret_sentences)
{
    FsckReport report;

    *ret_sentences = 0;
    assert_read(f, store_fsck(f->store, s->spool, quick, dry_run, count_sentence, ret_sentences,
                              &report, &f->err));
    return report;
}

/* Half removed, or wholly: nothing to say, nothing to rebuild, nothing to add. */
static void fsck_has_nothing_to_say_of_what_is_removed(void **state)
{
    Fixture *f = *state;
    char path[300];
    bool foreign;
    int sentences;
    Spooled s;

    spooled(f, &s);
    assert_write(f, batch_files_give_up(tx, &s.batch.id, "by me", &f->err));
    (void)text_printf(path, sizeof path, "%s/p0002a.jpg", s.folder);
    assert_int_equal(unlink(path), 0);
    for (int quick = 0; quick < 2; quick++) {
        (void)check(f, &s, quick != 0, false, &sentences);
        assert_int_equal(sentences, 0);
    }
    assert_true(there(s.folder, "p0004b.jpg.part")); /* not even that is its business */
    assert_read(f, spool_folder_remove(s.spool, s.batch.folder, &foreign, &f->err));
    assert_write(f, batch_files_removed(tx, &s.batch.id, &f->err));
    for (int quick = 0; quick < 2; quick++) {
        (void)check(f, &s, quick != 0, false, &sentences);
        assert_int_equal(sentences, 0);
    }
    assert_int_equal(batch_now(f, &s.batch.id).files, BATCH_FILES_REMOVED);
}

/* The database is older than the spool: what was removed since is known to it as kept. */
static void an_older_database_learns_what_was_removed(void **state)
{
    Fixture *f = *state;
    char aside[300];
    int sentences;
    Spooled s;

    spooled(f, &s);
    assert_write(f, sql_run(tx, "UPDATE batch SET state = 'done'", &f->err));
    (void)text_printf(aside, sizeof aside, "%s/aside", f->folder);
    assert_int_equal(rename(s.folder, aside), 0);
    FsckReport report = check(f, &s, true, true, &sentences);
    assert_int_equal(report.batches_gone, 1);
    assert_int_equal(batch_now(f, &s.batch.id).files, BATCH_FILES_KEPT);
    report = check(f, &s, true, false, &sentences);
    assert_int_equal(report.batches_gone, 1);
    assert_int_equal(report.pages_missing, 0);
    assert_int_equal(batch_now(f, &s.batch.id).files, BATCH_FILES_MISSING);
    assert_refused(f, ERR_CONFLICT, batch_files_check(tx_db(tx), &s.batch.id, &f->err));
    assert_false(is_expired(f, later));
    for (int quick = 0; quick < 2; quick++) {
        (void)check(f, &s, quick != 0, false, &sentences);
        assert_int_equal(sentences, 0); /* said once */
    }

    /* It was another disk that was not there: nothing is lost. */
    assert_int_equal(rename(aside, s.folder), 0);
    report = check(f, &s, true, false, &sentences);
    assert_int_equal(report.batches_found, 1);
    assert_int_equal(batch_now(f, &s.batch.id).files, BATCH_FILES_KEPT);
    assert_write(f, batch_files_check(tx_db(tx), &s.batch.id, &f->err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(only_what_is_over_expires),
        STORE_TEST(what_is_removed_is_sent_nowhere),
        STORE_TEST(history_is_forgotten_after_the_files),
        STORE_TEST(older_batches_keep_their_files),
        STORE_TEST(a_folder_is_removed_and_again),
        STORE_TEST(what_is_not_ours_stays),
        STORE_TEST(only_folders_of_batches_are_removed),
        STORE_TEST(an_error_is_said_and_the_next_try_ends_it),
        STORE_TEST(fsck_has_nothing_to_say_of_what_is_removed),
        STORE_TEST(an_older_database_learns_what_was_removed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
