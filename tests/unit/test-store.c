/* tests/unit/test-store.c - the store itself: commits, readers, lock, migration; and configuration. */
#include "store/db.h"
#include "store/schema.h"
#include "tests/unit/store-fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/file.h>
#include <sys/wait.h>

/* --- commits ------------------------------------------------------------------------------------- */

static bool add_token(Tx *tx, void *arg, Err *err)
{
    StoredToken token = { .name = "" };

    (void)text_copy(token.name, sizeof token.name, arg);
    (void)text_copy(token.sha256, sizeof token.sha256, token.name);
    return token_insert(tx, &test_actor, &token, err);
}

static void count_done(void *arg, bool ok, const Err *err)
{
    (void)err;
    if (ok)
        atomic_fetch_add((atomic_int *)arg, 1);
}

typedef struct Grouped {
    char name[16];
    atomic_int *done;
} Grouped;

static bool grouped_write(Tx *tx, void *arg, Err *err)
{
    return add_token(tx, ((Grouped *)arg)->name, err);
}

static void grouped_done(void *arg, bool ok, const Err *err)
{
    count_done(((Grouped *)arg)->done, ok, err);
}

static void what_waits_is_one_commit(void **state)
{
    Fixture *f = *state;
    static Grouped writes[300];
    atomic_int done = 0;
    int64_t before = store_commits(f->store);

    (void)fixture_begin(f); /* the writer is busy: the others wait */
    for (size_t i = 0; i < COUNT_OF(writes); i++) {
        (void)text_printf(writes[i].name, sizeof writes[i].name, "t%zu", i == 7 ? 6 : i);
        writes[i].done = &done;
        store_write(f->store, grouped_write, grouped_done, &writes[i]);
    }
    (void)fixture_end(f, true);
    assert_true(IN_WRITE(f, true));            /* behind them all */
    assert_int_equal(atomic_load(&done), 299); /* one name was taken: that write alone failed */
    /* 1 for the first, 300 in groups of at most 256, the last one with the rest or alone. */
    assert_in_range(store_commits(f->store) - before, 3, 4);
}

typedef struct TokenCount {
    int count;
} TokenCount;

static bool count_token(void *arg, const StoredToken *token)
{
    (void)token;
    ((TokenCount *)arg)->count++;
    return true;
}

static int tokens_seen(Fixture *f)
{
    TokenCount n = { 0 };

    assert_read(f, token_list(fixture_db(f), count_token, &n, &f->err));
    return n.count;
}

static void readers_see_only_what_is_committed(void **state)
{
    Fixture *f = *state;
    TokenCount inside = { 0 };

    Tx *tx = fixture_begin(f);
    assert_true(add_token(tx, (char[]){ "one" }, &f->err));
    assert_true(token_list(tx_db(tx), count_token, &inside, &f->err));
    assert_int_equal(inside.count, 1);
    assert_int_equal(tokens_seen(f), 0);
    (void)fixture_end(f, true);
    assert_int_equal(tokens_seen(f), 1);

    tx = fixture_begin(f);
    assert_true(add_token(tx, (char[]){ "two" }, &f->err));
    err_set(&f->err, ERR_CANCELLED, 0, "somebody asked to stop");
    (void)fixture_end(f, false);
    assert_int_equal(f->commit_err.kind, ERR_CANCELLED);
    assert_int_equal(tokens_seen(f), 1);
}

static void a_write_without_a_reason_is_a_bug(void **state)
{
    Fixture *f = *state;

    (void)fixture_begin(f);
    (void)fixture_end(f, false);
    assert_int_equal(f->commit_err.kind, ERR_BUG);
}

typedef struct Counting {
    Fixture *f;
    World *w;
    int names[20];
    Batch batch;
} Counting;

static bool counted_plan(Tx *tx, void *arg, Err *err)
{
    static const PlannedDocument planned = {
        .kind = DOCUMENT_PAGES, .name = "{seq:6}.pdf", .number = 1, .first_page = 1, .page_count = 1
    };
    Batch batch;
    uint32_t attempt;
    bool found;

    (void)arg;
    return plan_claim(tx, &batch, &attempt, &found, err) && found &&
           plan_done(tx, &batch.id, &planned, 1, err);
}

static void *counting_thread(void *arg)
{
    Counting *c = arg;

    for (size_t i = 0; i < COUNT_OF(c->names); i++) {
        Err err = { .kind = ERR_NONE };
        c->names[i] = store_write_wait(c->f->store, counted_plan, c, &err);
    }
    return NULL;
}

static void counters_are_never_taken_twice(void **state)
{
    Fixture *f = *state;
    enum { THREADS = 8 };
    pthread_t threads[THREADS];
    Counting counting[THREADS];
    int64_t names, found_names;
    bool found;
    World w;

    world_make(f, &w);
    for (size_t i = 0; i < THREADS * COUNT_OF(counting[0].names); i++)
        (void)world_composing(f, &w, 0);
    for (size_t i = 0; i < THREADS; i++) {
        counting[i] = (Counting){ .f = f, .w = &w };
        assert_int_equal(pthread_create(&threads[i], NULL, counting_thread, &counting[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        for (size_t j = 0; j < COUNT_OF(counting[i].names); j++)
            assert_true(counting[i].names[j]);
    }
    assert_read(f, db_find_int(fixture_db(f), "SELECT count(DISTINCT name) FROM document", NO_ARGS,
                               &names, &found, &f->err));
    assert_int_equal(names, THREADS * COUNT_OF(counting[0].names));
    assert_read(f, db_find_int(fixture_db(f), "SELECT max(CAST(name AS INTEGER)) FROM document",
                               NO_ARGS, &found_names, &found, &f->err));
    assert_int_equal(found_names, names); /* and none was left out */
}

/* --- opening ------------------------------------------------------------------------------------- */

static void a_second_server_is_refused_by_name(void **state)
{
    Fixture *f = *state;
    char pid[32];

    assert_null(store_open(f->folder, &f->err));
    assert_int_equal(f->err.kind, ERR_CONFLICT);
    (void)text_printf(pid, sizeof pid, "process %ld", (long)getpid());
    assert_non_null(strstr(f->err.text, pid));
    assert_true(strlen(f->err.remedy) > 0);
}

/* A child that was begun and is no other program yet holds it as well. */
static void a_lock_that_a_killed_server_left_to_a_child_is_waited_for(void **state)
{
    enum { CHILD_MS = 300 };
    Fixture *f = *state;
    char path[128];

    fixture_close(f);
    (void)text_printf(path, sizeof path, "%s/platen.lock", f->folder);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0);
    pid_t child = fork();
    if (child == 0) {
        (void)poll(NULL, 0, CHILD_MS);
        _exit(0);
    }
    assert_true(child > 0);
    close(fd);
    fixture_open(f);
    assert_int_equal(waitpid(child, NULL, 0), child);
}

static void each_start_is_a_generation(void **state)
{
    Fixture *f = *state;
    int64_t first = store_generation(f->store);

    fixture_reopen(f);
    assert_int_equal(store_generation(f->store), first + 1);
    Tx *tx = fixture_begin(f);
    assert_int_equal(tx_generation(tx), first + 1);
    assert_in_range(wall_now().ms - tx_now(tx).ms, 0, 60000);
    (void)fixture_end(f, true);
}

static int known_versions(void)
{
    int n = 0;

    while (schema_scripts[n])
        n++;
    return n;
}

static bool version_put(Db *db, int version, Err *err)
{
    char sql[48];

    (void)text_printf(sql, sizeof sql, "PRAGMA user_version = %d", version);
    return db_script(db, sql, err);
}

static void a_newer_database_is_refused(void **state)
{
    Fixture *f = *state;
    char path[128];
    Db db;

    fixture_close(f);
    (void)text_printf(path, sizeof path, "%s/platen.db", f->folder);
    assert_true(db_open(&db, path, false, &f->err));
    assert_true(db_script(&db, "PRAGMA user_version = 99", &f->err));
    db_close(&db);
    assert_null(store_open(f->folder, &f->err));
    assert_int_equal(f->err.kind, ERR_PERMANENT);
    assert_non_null(strstr(f->err.text, "99"));
    assert_non_null(strstr(f->err.remedy, "newer"));
    assert_true(db_open(&db, path, false, &f->err));
    assert_true(version_put(&db, known_versions(), &f->err));
    db_close(&db);
    fixture_open(f);
}

/* A database of the first version, with a delivery, under this program. */
static void the_first_version_is_brought_along(void **state)
{
    static const char rows[] =
        "INSERT INTO destination VALUES ('d', 'Archive', 'folder', '{\"path\":\"/x\"}', 7);"
        "INSERT INTO batch (id, device_id, device_name, job_id, job, state, reason_code, "
        "reason_text,"
        " reason_remedy, started_at, changed_at, utc_offset_min, folder) VALUES ('b', 'x', 'x', "
        "'j',"
        " '{}', 'attention', '', '', '', 1, 1, 0, 'f');"
        "INSERT INTO document (id, batch_id, kind, number, name, first_page, page_count, state)"
        " VALUES ('p', 'b', 'document', 1, 'a.pdf', 1, 1, 'written');"
        "INSERT INTO delivery (id, batch_id, document_id, destination_id, destination_name, state,"
        " attempt, created_at, due_at, reserved_name) VALUES ('v', 'b', 'p', 'd', 'Archive', "
        "'held', 3,"
        " 5, 6, 'a_2.pdf');";
    const char *const first[] = { schema_scripts[0], NULL };
    char name[NAME_TEXT_SIZE];
    Fixture *f = *state;
    StoredDestination row;
    Delivery delivery;

    fixture_migrate(f, first, rows);
    assert_read(f, destination_get(fixture_db(f), &(DestinationId){ "d" }, &row, &f->err));
    assert_int_equal(row.destination.parallel, 2);
    assert_int_equal(row.destination.expiry_hours, 72);
    assert_int_equal(row.stop.at.ms, 0);
    assert_read(f, delivery_get(fixture_db(f), &(DeliveryId){ "v" }, &delivery, name, &f->err));
    assert_int_equal(delivery.state, DELIVERY_HELD);
    assert_int_equal(delivery.attempt, 3);
    assert_int_equal(delivery.tried_since.ms, 5);
    assert_string_equal(delivery.reserved_name, "a_2.pdf");
    assert_write(f, delivery_act(tx, &(DeliveryId){ "v" }, DELIVERY_EVENT_DROP, "why", &f->err));
    assert_refused(f, ERR_CONFLICT,
                   delivery_act(tx, &(DeliveryId){ "v" }, DELIVERY_EVENT_HOLD, "", &f->err));
}

/* A database of the version before this was kept: the newest event tells why a device waits; one that was never heard
 * is told from the others. */
static void waits_and_contacts_are_migrated(void **state)
{
    static const char rows[] =
        "INSERT INTO device (id, name, state, address, product, serial, firmware, first_seen,"
        " last_seen, revision) VALUES ('a', '', 'seen', '10.0.0.1', '', 'S1', '', 5, 5, 3),"
        " ('b', '', 'seen', '10.0.0.2', '', 'S2', '', 6, 6, 4),"
        " ('c', '', 'seen', '10.0.0.3', '', '', '', 7, 7, 1),"
        " ('d', '', 'registered', '10.0.0.4', '', '', '', 8, 0, 2),"
        " ('e', '', 'registered', '10.0.0.5', '', '', '', 9, 0, 2);"
        "UPDATE device SET contact = 'silent', contact_since = 50 WHERE id = 'e';"
        "INSERT INTO event (at, batch_id, device_id, kind, text) VALUES"
        " (5, '', 'a', 'device.seen', ''), (20, '', 'a', 'device.another', 'Has S9.'),"
        " (21, '', 'a', 'device.heard', ''), (20, '', 'b', 'device.another', 'Has S9.'),"
        " (30, '', 'b', 'device.seen', ''), (20, '', 'd', 'device.another', 'Has S9.');";
    static const struct {
        const char *id, *code, *text;
        int64_t since;
        DeviceContact contact;
        int64_t contact_since;
    } wanted[] = { { "a", "another-device", "Has S9.", 20, DEVICE_HEARD, 5 },
                   { "b", "", "", 30, DEVICE_HEARD, 6 },
                   { "c", "", "", 7, DEVICE_HEARD, 7 },
                   { "d", "", "", 0, DEVICE_NEVER, 8 },
                   { "e", "", "", 0, DEVICE_SILENT, 50 } };
    const char *former[18] = { NULL };
    Fixture *f = *state;
    Device device;

    memcpy(former, schema_scripts, (COUNT_OF(former) - 1) * sizeof *former);
    fixture_migrate(f, former, rows);
    for (size_t i = 0; i < COUNT_OF(wanted); i++) {
        DeviceId id;

        (void)text_copy(id.text, sizeof id.text, wanted[i].id);
        assert_read(f, device_get(fixture_db(f), &id, &device, &f->err));
        assert_string_equal(device.waits_code, wanted[i].code);
        assert_string_equal(device.waits_text, wanted[i].text);
        assert_int_equal(device.waits_since.ms, wanted[i].since);
        assert_int_equal(device.contact, wanted[i].contact);
        assert_int_equal(device.contact_since.ms, wanted[i].contact_since);
    }
}

static void a_migration_backs_up_first(void **state)
{
    Fixture *f = *state;
    const int known = known_versions();
    const char *good[64] = { NULL }, *bad[64] = { NULL };
    char path[128], backup[160], half[16];
    int64_t value;
    bool found;
    Db db;

    assert_in_range(known, 2, COUNT_OF(bad) - 3);
    memcpy(good, schema_scripts, (size_t)known * sizeof *good);
    good[known] = "CREATE TABLE added (x INTEGER) STRICT;";
    memcpy(bad, good, sizeof bad);
    bad[known + 1] = "CREATE TABLE half (x INTEGER); nonsense;";
    (void)text_printf(half, sizeof half, "version %d", known + 2);
    assert_write(f, add_token(tx, (char[]){ "kept" }, &f->err));
    fixture_close(f);
    AUTO_FD folder = file_open_folder(AT_FDCWD, f->folder, &f->err);
    (void)text_printf(path, sizeof path, "%s/platen.db", f->folder);
    assert_true(db_open(&db, path, false, &f->err));
    assert_true(schema_migrate(&db, folder, good, &f->err));
    assert_true(db_find_int(&db, "PRAGMA user_version", NO_ARGS, &value, &found, &f->err));
    assert_int_equal(value, known + 1);
    /* A script that fails changes nothing. */
    assert_false(schema_migrate(&db, folder, bad, &f->err));
    assert_non_null(strstr(f->err.text, half));
    assert_true(db_find_int(&db, "PRAGMA user_version", NO_ARGS, &value, &found, &f->err));
    assert_int_equal(value, known + 1);
    assert_true(db_find_int(&db, "SELECT count(*) FROM sqlite_master WHERE name = 'half'", NO_ARGS,
                            &value, &found, &f->err));
    assert_int_equal(value, 0);
    db_close(&db);

    /* The copy is the whole database as it was. */
    (void)text_printf(backup, sizeof backup, "%s/platen.db.before-v%d", f->folder, known + 1);
    assert_true(db_open(&db, backup, false, &f->err));
    assert_true(db_find_int(&db, "SELECT count(*) FROM token", NO_ARGS, &value, &found, &f->err));
    assert_int_equal(value, 1);
    assert_true(db_find_int(&db, "PRAGMA user_version", NO_ARGS, &value, &found, &f->err));
    assert_int_equal(value, known);
    db_close(&db);
    /* With one version more this program is behind: it must refuse. */
    assert_null(store_open(f->folder, &f->err));
    assert_true(db_open(&db, path, false, &f->err));
    assert_true(version_put(&db, known, &f->err));
    db_close(&db);
    fixture_open(f);
}

static void a_file_that_is_no_database_is_named(void **state)
{
    Fixture *f = *state;
    char path[128];

    fixture_close(f);
    (void)text_printf(path, sizeof path, "%s/platen.db", f->folder);
    FILE *file = fopen(path, "w");
    for (int i = 0; i < 500; i++)
        fputs("this is not a database\n", file);
    fclose(file);
    assert_null(store_open(f->folder, &f->err));
    assert_int_equal(f->err.kind, ERR_PERMANENT);
    assert_non_null(strstr(f->err.text, "platen.db"));
    assert_non_null(strstr(f->err.remedy, "fsck"));
    assert_int_equal(unlink(path), 0);
    fixture_open(f);
}

/* --- configuration ------------------------------------------------------------------------------- */

static void jobs_keep_their_rules(void **state)
{
    Fixture *f = *state;
    World w;
    world_make(f, &w);
    StoredJob other = w.job, read;
    JobId unknown = id_new(JobId, wall_now());

    other.id = id_new(JobId, wall_now());
    assert_refused(f, ERR_CONFLICT, job_insert(tx, &test_actor, &other, &f->err));
    assert_string_equal(f->err.field, "name");
    (void)text_copy(other.job.name, sizeof other.job.name, "Invoices");
    DestinationId nowhere = id_new(DestinationId, wall_now());
    (void)text_copy(other.job.destinations[0].destination, ID_TEXT_SIZE, nowhere.text);
    assert_refused(f, ERR_BAD_INPUT, job_insert(tx, &test_actor, &other, &f->err));
    assert_string_equal(f->err.field, "destinations[0].destination");
    other.job.destinations[0] = w.job.job.destinations[0];
    assert_write(f, job_insert(tx, &test_actor, &other, &f->err));
    assert_read(f, job_get(fixture_db(f), &other.id, &read, &f->err));
    assert_int_equal(read.revision, 1);
    assert_int_equal(read.job.dpi, 300);

    other.revision = 1;
    other.job.dpi = 600;
    assert_write(f, job_change(tx, &test_actor, &other, &f->err));
    assert_refused(f, ERR_CONFLICT, job_change(tx, &test_actor, &other, &f->err));
    other.revision = 0; /* whatever is there */
    assert_write(f, job_change(tx, &test_actor, &other, &f->err));
    assert_read(f, job_get(fixture_db(f), &other.id, &read, &f->err));
    assert_int_equal(read.revision, 3);
    assert_int_equal(read.job.dpi, 600);
    (void)text_copy(other.job.name, sizeof other.job.name, "Letters");
    assert_refused(f, ERR_CONFLICT, job_change(tx, &test_actor, &other, &f->err));

    assert_refused(f, ERR_CONFLICT, job_delete(tx, &test_actor, &w.job.id, 0, &f->err));
    assert_refused(f, ERR_NOT_FOUND, job_delete(tx, &test_actor, &unknown, 0, &f->err));
    assert_refused(f, ERR_CONFLICT, job_delete(tx, &test_actor, &other.id, 1, &f->err));
    assert_write(f, job_delete(tx, &test_actor, &other.id, 3, &f->err));
    assert_false(job_get(fixture_db(f), &other.id, &read, &f->err));
    assert_int_equal(f->err.kind, ERR_NOT_FOUND);
}

static bool keep_first_name(void *arg, const StoredJobGroup *group)
{
    (void)text_copy(arg, NAME_TEXT_SIZE, group->group.name);
    return false;
}

static void groups_and_destinations_are_kept_while_used(void **state)
{
    Fixture *f = *state;
    World w;
    world_make(f, &w);
    StoredJobGroup group = w.group, read;
    StoredDestination destination = w.destination;
    char first[NAME_TEXT_SIZE];

    assert_refused(f, ERR_CONFLICT, job_group_delete(tx, &test_actor, &group.id, 0, &f->err));
    group.group.job_count = 0;
    group.revision = 1;
    assert_write(f, job_group_change(tx, &test_actor, &group, &f->err));
    assert_refused(f, ERR_CONFLICT, job_group_change(tx, &test_actor, &group, &f->err));
    assert_read(f, job_group_get(fixture_db(f), &group.id, &read, &f->err));
    assert_int_equal(read.group.job_count, 0);
    group.id = id_new(JobGroupId, wall_now());
    (void)text_copy(group.group.name, sizeof group.group.name, "Attic");
    JobId nobody = id_new(JobId, wall_now());
    (void)text_copy(group.group.jobs[0].job, ID_TEXT_SIZE, nobody.text);
    group.group.job_count = 1;
    assert_refused(f, ERR_BAD_INPUT, job_group_insert(tx, &test_actor, &group, &f->err));
    assert_string_equal(f->err.field, "jobs[0].job");
    group.group.job_count = 0;
    assert_write(f, job_group_insert(tx, &test_actor, &group, &f->err));
    assert_read(f, job_group_list(fixture_db(f), keep_first_name, first, &f->err));
    assert_string_equal(first, "Attic");
    assert_write(f, job_group_delete(tx, &test_actor, &group.id, 1, &f->err));

    assert_refused(f, ERR_CONFLICT,
                   destination_delete(tx, &test_actor, &destination.id, 0, &f->err));
    (void)text_copy(destination.destination.settings, sizeof destination.destination.settings,
                    "{\"password\":\"secret\"}");
    assert_write(f, destination_change(tx, &test_actor, &destination, &f->err));
    assert_write(f, job_delete(tx, &test_actor, &w.job.id, 0, &f->err));
    assert_write(f, destination_delete(tx, &test_actor, &destination.id, 2, &f->err));
}

/* A batch that may still be delivered needs the destination that its copy of the job names. */
static void a_broken_batch_keeps_its_destination(void **state)
{
    Fixture *f = *state;
    World w;
    world_make(f, &w);
    Batch batch = world_batch(&w);
    JobGroup empty = { .name = "Office" };

    assert_write(f, batch_insert(tx, &batch, &f->err));
    assert_write(f, batch_apply(tx, &batch.id, BATCH_EVENT_BREAK, NULL, &f->err));
    w.group.group = empty;
    assert_write(f, job_group_change(tx, &test_actor, &w.group, &f->err));
    assert_write(f, job_delete(tx, &test_actor, &w.job.id, 0, &f->err));
    assert_refused(f, ERR_CONFLICT,
                   destination_delete(tx, &test_actor, &w.destination.id, 0, &f->err));
}

static void every_change_is_audited_without_secrets(void **state)
{
    Fixture *f = *state;
    int64_t rows, secrets;
    bool found;
    World w;

    world_make(f, &w);
    (void)text_copy(w.destination.destination.settings, SETTINGS_TEXT_SIZE, "{\"pw\":\"geheim\"}");
    assert_write(f, destination_change(tx, &test_actor, &w.destination, &f->err));
    assert_write(f, audit_insert(tx, &test_actor, "batch.retry", "batch", "x", "", &f->err));
    assert_read(f, db_find_int(fixture_db(f),
                               "SELECT count(*) FROM audit WHERE actor = 'uid:0'"
                               " AND address = 'local'",
                               NO_ARGS, &rows, &found, &f->err));
    assert_int_equal(rows, 7); /* three nouns, approval and settings, change, retry */
    assert_read(f, db_find_int(fixture_db(f),
                               "SELECT count(*) FROM audit WHERE detail LIKE '%geheim%'", NO_ARGS,
                               &secrets, &found, &f->err));
    assert_int_equal(secrets, 0);
    /* A refused change leaves no trace. */
    assert_refused(f, ERR_CONFLICT, job_delete(tx, &test_actor, &w.job.id, 0, &f->err));
    assert_read(f, db_find_int(fixture_db(f), "SELECT count(*) FROM audit", NO_ARGS, &secrets,
                               &found, &f->err));
    assert_int_equal(secrets, rows);
}

static void devices_wait_for_approval(void **state)
{
    Fixture *f = *state;
    Device device, again;
    DeviceSettings settings = { .name = "Desk" };
    DeviceId unknown = id_new(DeviceId, wall_now());

    assert_write(f, device_sighted(tx, "10.0.0.9", "PID 11D1", &device, &f->err));
    assert_int_equal(device.state, DEVICE_SEEN);
    assert_write(f, device_sighted(tx, "10.0.0.9", "", &again, &f->err));
    assert_string_equal(again.id.text, device.id.text);
    assert_string_equal(again.product, "PID 11D1");
    assert_refused(
        f, ERR_CONFLICT,
        device_change(tx, &test_actor, &device.id, &settings, DEVICE_EVENT_REVOKE, 0, &f->err));
    assert_write(
        f, device_change(tx, &test_actor, &device.id, &settings, DEVICE_EVENT_APPROVE, 1, &f->err));
    assert_refused(
        f, ERR_CONFLICT,
        device_change(tx, &test_actor, &device.id, &settings, DEVICE_EVENT_MAX_, 1, &f->err));
    assert_write(f, device_identified(tx, &device.id, "ET-4950", "S1", "1.0", &f->err));
    assert_refused(f, ERR_NOT_FOUND, device_identified(tx, &unknown, "", "", "", &f->err));
    assert_read(f, device_find_address(fixture_db(f), "10.0.0.9", &again, &f->err));
    assert_int_equal(again.state, DEVICE_REGISTERED);
    assert_string_equal(again.serial, "S1");
    assert_write(f, device_sighted(tx, "10.0.0.9", "PID 0169", &again, &f->err));
    assert_string_equal(again.product, "ET-4950"); /* who announces itself may be another one */
    assert_write(f, device_distrust(tx, &device.id, "Another one.", &f->err));
    assert_write(f, device_distrust(tx, &device.id, "Another one.", &f->err)); /* nothing to take */
    assert_write(f, device_distrust(tx, &unknown, "Another one.", &f->err));
    assert_read(f, device_find_address(fixture_db(f), "10.0.0.9", &again, &f->err));
    assert_int_equal(again.state, DEVICE_SEEN);
    assert_string_equal(again.serial, "S1");
    assert_string_equal(again.settings.name, "Desk");
    assert_write(
        f, device_change(tx, &test_actor, &device.id, &settings, DEVICE_EVENT_APPROVE, 0, &f->err));
    assert_string_equal(again.settings.name, "Desk");
    (void)text_copy(settings.job_group, sizeof settings.job_group, unknown.text);
    assert_refused(
        f, ERR_BAD_INPUT,
        device_change(tx, &test_actor, &device.id, &settings, DEVICE_EVENT_MAX_, 0, &f->err));
    assert_string_equal(f->err.field, "job_group");
    settings.job_group[0] = '\0';
    assert_write(
        f, device_change(tx, &test_actor, &device.id, &settings, DEVICE_EVENT_REVOKE, 0, &f->err));
    assert_write(f, device_delete(tx, &test_actor, &device.id, 0, &f->err));
    assert_false(device_find_address(fixture_db(f), "10.0.0.9", &again, &f->err));
    assert_int_equal(f->err.kind, ERR_NOT_FOUND);
}

static bool is_whole(void *arg, const Event *event)
{
    const Reason *reason = arg;

    assert_string_equal(event->kind, "device.tls-lost");
    assert_int_equal(strlen(event->text), strlen(reason->text) + 1 + strlen(reason->remedy));
    assert_true(text_ends_with(event->text, reason->remedy));
    return false;
}

/* Who reads the history has the cure as well. */
static void an_alarm_is_told_whole(void **state)
{
    Reason reason = { .code = "tls-lost" };
    Fixture *f = *state;
    Device device;

    memset(reason.text, 't', sizeof reason.text - 1);
    memset(reason.remedy, 'r', sizeof reason.remedy - 1);
    assert_write(f, device_sighted(tx, "10.0.0.9", "PID 11D1", &device, &f->err));
    assert_write(f, device_alarm(tx, &device.id, &reason, &f->err));
    assert_read(f, event_list(fixture_db(f), &(EventFilter){ .newest_first = true, .limit = 1 },
                              is_whole, &reason, &f->err));
}

static bool see(Tx *tx, const char *address, Err *err)
{
    Device device;

    return device_sighted(tx, address, "x", &device, err);
}

static int64_t count(Db *db, const char *sql)
{
    int64_t n = -1;
    bool found;
    Err err;

    assert_true(db_find_int(db, sql, NO_ARGS, &n, &found, &err));
    return n;
}

/* Fills the list; every stranger was heard two hours ago, and once. */
static bool see_a_list_full(Tx *tx, void *arg, Err *err)
{
    char address[32];

    (void)arg;
    for (int i = 0; i < DEVICES_SEEN_MAX; i++) {
        (void)text_printf(address, sizeof address, "10.1.%d.%d", i / 250, i % 250);
        if (!see(tx, address, err))
            return false;
    }
    return db_run(tx_db(tx), "UPDATE device SET first_seen = first_seen - 7200000 + rowid", NO_ARGS,
                  NULL, err) &&
           db_run(tx_db(tx), "UPDATE device SET last_seen = first_seen", NO_ARGS, NULL, err);
}

static bool is_there(Fixture *f, const char *address)
{
    Device device;

    return device_find_address(fixture_db(f), address, &device, &f->err);
}

static void a_full_list_of_strangers_lets_the_one_go_that_is_worth_least(void **state)
{
    Fixture *f = *state;
    DeviceSettings settings = { .name = "Desk" };
    Device known, named;

    assert_read(f, store_write_wait(f->store, see_a_list_full, NULL, &f->err));
    assert_read(f, device_find_address(fixture_db(f), "10.1.0.0", &known, &f->err));
    assert_read(f, device_find_address(fixture_db(f), "10.1.0.1", &named, &f->err));
    assert_write(f, device_identified(tx, &known.id, "PID 1", "S1", "1", &f->err));
    assert_write(
        f, device_change(tx, &test_actor, &named.id, &settings, DEVICE_EVENT_MAX_, 0, &f->err));
    assert_write(f, see(tx, "10.1.0.2", &f->err)); /* heard again, so the fourth goes first */
    assert_write(f, see(tx, "10.2.0.1", &f->err));
    assert_true(is_there(f, "10.1.0.0") && is_there(f, "10.1.0.1") && is_there(f, "10.1.0.2"));
    assert_false(is_there(f, "10.1.0.3"));
    assert_true(is_there(f, "10.1.0.4") && is_there(f, "10.2.0.1"));
    /* Who is silent goes before all, also with a number. */
    assert_write(f, db_run(tx_db(tx), "UPDATE device SET contact = 'silent' WHERE serial = 'S1'",
                           NO_ARGS, NULL, &f->err));
    assert_write(f, see(tx, "10.2.0.2", &f->err));
    assert_false(is_there(f, "10.1.0.0"));
    assert_true(is_there(f, "10.1.0.4"));
    assert_int_equal(count(fixture_db(f), "SELECT count(*) FROM device"), DEVICES_SEEN_MAX);
    /* Who displaces somebody fills no history. */
    assert_int_equal(count(fixture_db(f), "SELECT count(*) FROM event WHERE kind = 'device.seen'"),
                     DEVICES_SEEN_MAX);
}

static void whom_a_person_has_dealt_with_is_not_displaced(void **state)
{
    Fixture *f = *state;

    assert_read(f, store_write_wait(f->store, see_a_list_full, NULL, &f->err));
    assert_write(f, db_run(tx_db(tx), "UPDATE device SET revision = 2", NO_ARGS, NULL, &f->err));
    assert_refused(f, ERR_TEMPORARY, see(tx, "10.2.0.1", &f->err));
    assert_true(is_there(f, "10.1.0.0"));
}

/* One /64 more than its share; the first of it goes, others have room. */
static bool see_a_crowd(Tx *tx, void *arg, Err *err)
{
    char address[32];

    (void)arg;
    for (int i = 0; i <= DEVICES_SEEN_NETWORK_MAX; i++) {
        (void)text_printf(address, sizeof address, "fd00:0:0:1::%x", i + 1);
        if ((i == 1 && (!db_run(tx_db(tx), "UPDATE device SET first_seen = 1, last_seen = 1",
                                NO_ARGS, NULL, err) ||
                        !see(tx, "10.0.0.1", err))) ||
            !see(tx, address, err))
            return false;
    }
    return see(tx, "fd00:0:0:2::1", err);
}

static void a_network_of_ipv6_does_not_fill_the_list(void **state)
{
    Fixture *f = *state;

    assert_read(f, store_write_wait(f->store, see_a_crowd, NULL, &f->err));
    assert_false(is_there(f, "fd00:0:0:1::1"));
    assert_true(is_there(f, "10.0.0.1") && is_there(f, "fd00:0:0:2::1") &&
                is_there(f, "fd00:0:0:1::2"));
    assert_int_equal(count(fixture_db(f), "SELECT count(*) FROM device"),
                     DEVICES_SEEN_NETWORK_MAX + 2);
}

static void tokens_are_found_by_hash(void **state)
{
    Fixture *f = *state;
    StoredToken token = { .name = "backup", .sha256 = "abc" }, read;

    assert_write(f, token_insert(tx, &test_actor, &token, &f->err));
    (void)text_copy(token.sha256, sizeof token.sha256, "def");
    assert_refused(f, ERR_CONFLICT, token_insert(tx, &test_actor, &token, &f->err));
    assert_read(f, token_find(fixture_db(f), "abc", &read, &f->err));
    assert_string_equal(read.name, "backup");
    assert_true(read.created_at.ms > 0);
    assert_false(token_find(fixture_db(f), "def", &read, &f->err));
    assert_write(f, token_delete(tx, &test_actor, "backup", &f->err));
    assert_refused(f, ERR_NOT_FOUND, token_delete(tx, &test_actor, "backup", &f->err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(what_waits_is_one_commit),
        STORE_TEST(readers_see_only_what_is_committed),
        STORE_TEST(a_write_without_a_reason_is_a_bug),
        STORE_TEST(counters_are_never_taken_twice),
        STORE_TEST(a_second_server_is_refused_by_name),
        STORE_TEST(a_lock_that_a_killed_server_left_to_a_child_is_waited_for),
        STORE_TEST(each_start_is_a_generation),
        STORE_TEST(a_newer_database_is_refused),
        STORE_TEST(the_first_version_is_brought_along),
        STORE_TEST(waits_and_contacts_are_migrated),
        STORE_TEST(a_migration_backs_up_first),
        STORE_TEST(a_file_that_is_no_database_is_named),
        STORE_TEST(jobs_keep_their_rules),
        STORE_TEST(groups_and_destinations_are_kept_while_used),
        STORE_TEST(a_broken_batch_keeps_its_destination),
        STORE_TEST(every_change_is_audited_without_secrets),
        STORE_TEST(devices_wait_for_approval),
        STORE_TEST(an_alarm_is_told_whole),
        STORE_TEST(a_full_list_of_strangers_lets_the_one_go_that_is_worth_least),
        STORE_TEST(whom_a_person_has_dealt_with_is_not_displaced),
        STORE_TEST(a_network_of_ipv6_does_not_fill_the_list),
        STORE_TEST(tokens_are_found_by_hash),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
