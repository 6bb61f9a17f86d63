/* tests/unit/test-queue.c - the queue with a real store and a scripted worker
 * (data/fake-worker.py): from stored pages to done, dead and dying workers, stopping, recovery. */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "queue/queue.h"
#include "queue/worker-process.h"
#include "store/batch-rows.h"
#include "store/db.h"
#include "tests/unit/cm.h"
#include "tests/unit/queue-house.h"
#include "json/json.h"

#include <fcntl.h>
#include <pthread.h>
#include <time.h>

static void a_batch_goes_all_the_way(void **state)
{
    AUTO_BUF text = buf_with_max(4096);
    House *h = *state;
    Err err;

    grant(h, (Wish){ .job = "ok",
                     .behave = { "ok", "ok" },
                     .destinations = 2,
                     .pages = 5,
                     .end = BATCH_EVENT_COMPLETE });
    assert_int_equal(state_of(h), BATCH_RECEIVED);
    assert_true(queue_start(h->queue, &err));
    await_state(h, BATCH_DONE);
    for (size_t i = 0; i < 2; i++) { /* the index comes last */
        delivered_to(h, i, &text);
        assert_string_equal(buf_text(&text), "doc_001.pdf\ndoc_001.csv\n");
    }
    assert_int_equal(queue_worker_deaths(h->queue), 0);
}

/* Numbers of the pages of a task: "563412". */
static void pages_asked(const Json *task, char ret_numbers[16])
{
    const Json *document = json_get(task, "document");
    const Json *pages = json_get(document ? document : task, "pages");

    for (size_t i = 0; i < json_count(pages); i++)
        ret_numbers[i] = (char)('0' + json_get_int(json_item(pages, i), "number", 0));
    ret_numbers[json_count(pages)] = '\0';
}

static void check_page(const Json *page)
{
    bool back = text_equal(json_get_text(page, "side"), "B");

    assert_int_equal(json_get_int(page, "rotation", -1), back ? 180 : 0);
    assert_int_equal(json_get_int(page, "crop_width_px", -1), back ? 100 : 0);
    assert_int_equal(json_get_int(page, "crop_height_px", -1), back ? 90 : 0);
}

/* What the device told of pages reaches reader and composer; the sheets are put in order. */
static void pages_are_composed_as_they_must_be_seen(void **state)
{
    AUTO_BUF log = buf_with_max(1 << 20);
    House *h = *state;
    char path[96], numbers[16];
    size_t reads = 0, plans = 0, writes = 0;
    Err err;

    (void)text_printf(path, sizeof path, "%s/tasks", h->folder);
    assert_int_equal(setenv("PLATEN_TEST_TASKS", path, 1), 0);
    grant(h, (Wish){ .job = "ok",
                     .behave = { "ok" },
                     .destinations = 1,
                     .pages = 6,
                     .sides = "ABABAB",
                     .back = { .scan_dpi = 300,
                               .rotation = 180,
                               .crop_width_px = 100,
                               .crop_height_px = 90,
                               .last_first = true },
                     .end = BATCH_EVENT_COMPLETE });
    assert_true(queue_start(h->queue, &err));
    await_state(h, BATCH_DONE);
    assert_int_equal(unsetenv("PLATEN_TEST_TASKS"), 0);
    AUTO_FD folder = file_open_folder(AT_FDCWD, h->folder, &err);
    assert_true(file_read_whole(folder, "tasks", &log, &err));
    const char *line = buf_text(&log);
    for (const char *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        AUTO(Json) task = json_parse((Bytes){ (const uint8_t *)line, (size_t)(end - line) }, &err);
        const Json *document = json_get(task, "document");

        if (text_equal(json_get_text(task, "task"), "read")) {
            check_page(json_get(task, "page"));
            reads++;
        } else if (document) {
            pages_asked(task, numbers);
            assert_string_equal(numbers, "563412");
            for (size_t i = 0; i < json_count(json_get(document, "pages")); i++)
                check_page(json_item(json_get(document, "pages"), i));
            assert_int_equal(json_get_int(document, "quality", 0), 80);
            writes++;
        } else {
            assert_true(json_get_bool(json_get(task, "batch"), "pages_reversed", false));
            plans++;
        }
    }
    assert_int_equal(reads, 6);
    assert_int_equal(plans, 1);
    assert_int_equal(writes, 1);
}

static void a_kind_gets_its_program(void **state)
{
    AUTO_BUF text = buf_with_max(4096);
    House *h = *state;
    Err err;

    grant(h, (Wish){ .job = "ok",
                     .behave = { "program", "program" },
                     .kinds = { "folder", "smb" },
                     .destinations = 2,
                     .pages = 1,
                     .end = BATCH_EVENT_COMPLETE });
    assert_true(queue_start(h->queue, &err));
    await_state(h, BATCH_DONE);
    delivered_to(h, 0, &text);
    assert_string_equal(buf_text(&text),
                        "fake-worker.py doc_001.pdf\nfake-worker.py doc_001.csv\n");
    delivered_to(h, 1, &text);
    assert_string_equal(buf_text(&text), "other-worker doc_001.pdf\nother-worker doc_001.csv\n");
    assert_int_equal(queue_worker_deaths(h->queue), 0);
}

static void a_hanging_destination_delays_no_other(void **state)
{
    AUTO_BUF text = buf_with_max(4096);
    House *h = *state;
    Err err;

    grant(h, (Wish){ .job = "ok",
                     .behave = { "hang", "ok" },
                     .destinations = 2,
                     .pages = 1,
                     .end = BATCH_EVENT_COMPLETE });
    assert_true(queue_start(h->queue, &err));
    for (int waited = 0; waited < WAIT_MS && !strstr(buf_text(&text), ".csv"); waited += 20) {
        pause_ms(20);
        delivered_to(h, 1, &text);
    }
    assert_string_equal(buf_text(&text), "doc_001.pdf\ndoc_001.csv\n");
    assert_int_equal(state_of(h), BATCH_DELIVERING);
}

static size_t lines_of(House *h, size_t destination)
{
    AUTO_BUF text = buf_with_max(4096);
    size_t lines = 0;

    delivered_to(h, destination, &text);
    for (const char *at = buf_text(&text); (at = strchr(at, '\n')); at++)
        lines++;
    return lines;
}

static bool see_tried(void *arg, const Delivery *delivery, const char *destination_name)
{
    (void)destination_name;
    if (delivery->state != DELIVERY_READY || delivery->attempt == 0)
        return true;
    *(DeliveryId *)arg = delivery->id;
    return false;
}

/* Twenty deliveries to a destination that fails: it is tried after 0, 1, 3, 7 ... seconds, until a person asks. */
static void a_dead_destination_rests(void **state)
{
    House *h = *state;
    DeliveryId waits = { "" };
    Err err;

    grant(h, (Wish){ .job = "pieces",
                     .behave = { "dead", "ok" },
                     .destinations = 2,
                     .pages = 20,
                     .end = BATCH_EVENT_COMPLETE });
    assert_true(queue_start(h->queue, &err));
    for (int waited = 0; waited < WAIT_MS && lines_of(h, 1) < 21; waited += 20)
        pause_ms(20);
    assert_int_equal(lines_of(h, 1), 21);
    for (int waited = 0; waited < WAIT_MS && lines_of(h, 0) < 3; waited += 20)
        pause_ms(20);
    assert_int_equal(lines_of(h, 0), 3); /* of twenty that are due */
    assert_true(delivery_list(reader_db(h->reader), &h->batch, see_tried, &waits, &err));
    if (!queue_delivery_act(h->queue, &tester, &waits, DELIVERY_EVENT_RETRY_NOW, &err))
        fail_msg("%s", err.text);
    for (int waited = 0; waited < 2000 && lines_of(h, 0) < 4; waited += 20)
        pause_ms(20);
    assert_int_equal(lines_of(h, 0), 4); /* four seconds of rest were left */
}

static void a_refusing_destination_needs_a_person(void **state)
{
    House *h = *state;
    Err err;

    grant(h, (Wish){ .job = "ok",
                     .behave = { "refuse" },
                     .destinations = 1,
                     .pages = 1,
                     .end = BATCH_EVENT_COMPLETE });
    assert_true(queue_start(h->queue, &err));
    await_state(h, BATCH_ATTENTION);
    assert_false(queue_batch_deliver(h->queue, &tester, &h->batch, &err));
    assert_int_equal(err.kind, ERR_CONFLICT);
    assert_true(queue_batch_retry(h->queue, &tester, &h->batch, &err));
    await_state(h, BATCH_ATTENTION); /* still refused, and said again */
}

static bool has_no_reservation(void *arg, const Delivery *delivery, const char *name)
{
    (void)name;
    if (delivery->last.stage[0]) /* not the index, which waits */
        *(bool *)arg = delivery->reserved_name[0] == '\0';
    return true;
}

static void a_reserved_name_can_be_given_back(void **state)
{
    House *h = *state;
    bool given_back = false;
    Err err;

    grant(h, (Wish){ .job = "ok",
                     .behave = { "release" },
                     .destinations = 1,
                     .pages = 1,
                     .end = BATCH_EVENT_COMPLETE });
    assert_true(queue_start(h->queue, &err));
    await_state(h, BATCH_ATTENTION);
    assert_true(
        delivery_list(reader_db(h->reader), &h->batch, has_no_reservation, &given_back, &err));
    assert_true(given_back);
}

/* Its second task takes 2.4 s, the wait is 1.8 s; the first one is over when it runs. */
static void who_says_that_it_lives_is_waited_for(void **state)
{
    static const struct {
        const char *text;
        int64_t wait_ms;
    } tasks[] = {
        { "{\"type\":\"task\",\"id\":\"x\",\"task\":\"other\",\"settings\":{\"behave\":\"ok\"}}",
          WAIT_MS },
        { "{\"type\":\"task\",\"id\":\"y\",\"task\":\"other\",\"settings\":{\"behave\":\"slow\"}}",
          1800 },
    };
    House *h = *state;
    Err err;
    AUTO_FD lock = open("/dev/null", O_RDONLY | O_CLOEXEC);
    AUTO(WorkerProcess) worker = worker_start(h->worker, lock, &err);

    assert_non_null(worker);
    for (size_t i = 0; i < COUNT_OF(tasks); i++) {
        AUTO(Json) task = json_parse(bytes_of_text(tasks[i].text), &err), *result = NULL;
        bool lost = true;

        assert_non_null(task);
        if (!worker_task(worker, task, tasks[i].wait_ms, NULL, &result, &lost, &err))
            fail_msg("%s", err.text);
        assert_string_equal(json_get_text(result, "type"), "result");
        assert_false(lost);
    }
}

static void dying_composers_give_up_in_the_end(void **state)
{
    House *h = *state;
    Batch batch;
    Err err;

    grant(h, (Wish){ .job = "die",
                     .behave = { "ok" },
                     .destinations = 1,
                     .pages = 1,
                     .end = BATCH_EVENT_COMPLETE });
    assert_true(queue_start(h->queue, &err));
    await_state(h, BATCH_ATTENTION);
    assert_true(batch_get(reader_db(h->reader), &h->batch, &batch, &err));
    assert_string_equal(batch.reason.code, "compose-failed");
    assert_int_equal(queue_worker_deaths(h->queue), COMPOSE_ATTEMPTS_MAX);
}

/* The plan cannot be stored: that is a failure of the plan, not a claim that stays for ever. */
static void a_plan_that_the_database_refuses_is_a_failure(void **state)
{
    House *h = *state;
    Batch batch;
    Err err;

    grant(h, (Wish){ .job = "clash",
                     .behave = { "ok" },
                     .destinations = 1,
                     .pages = 1,
                     .end = BATCH_EVENT_COMPLETE });
    assert_true(queue_start(h->queue, &err));
    await_state(h, BATCH_ATTENTION);
    assert_true(batch_get(reader_db(h->reader), &h->batch, &batch, &err));
    assert_string_equal(batch.reason.code, "compose-failed");
    assert_true(queue_batch_retry(h->queue, &tester, &h->batch, &err));
}

static bool see_document(void *arg, const Document *document)
{
    if (document->kind == DOCUMENT_PAGES)
        *(Document *)arg = *document;
    return true;
}

static void a_damaged_page_stops_no_other(void **state)
{
    AUTO_BUF text = buf_with_max(4096);
    House *h = *state;
    Document document = { .page_count = 0 };
    Batch batch;
    Page page;
    Err err;

    grant(h, (Wish){ .job = "ok",
                     .behave = { "ok" },
                     .destinations = 1,
                     .pages = 4,
                     .hashes = "adea",
                     .end = BATCH_EVENT_COMPLETE });
    assert_true(queue_start(h->queue, &err));
    await_state(h, BATCH_ATTENTION); /* nothing is lost in silence */
    delivered_to(h, 0, &text);
    assert_string_equal(buf_text(&text), "doc_001.pdf\ndoc_001.csv\n");
    assert_true(document_list(reader_db(h->reader), &h->batch, see_document, &document, &err));
    assert_int_equal(document.page_count, 3);
    assert_true(page_get(reader_db(h->reader), &h->batch, 2, &page, &err));
    assert_int_equal(page.state, PAGE_DAMAGED);
    assert_string_equal(page.warning, "no picture");
    assert_true(page_get(reader_db(h->reader), &h->batch, 3, &page, &err));
    assert_int_equal(page.state, PAGE_READ);
    assert_string_equal(page.warning, "half dark");
    /* A person has seen it. */
    assert_true(queue_batch_retry(h->queue, &tester, &h->batch, &err));
    assert_true(batch_get(reader_db(h->reader), &h->batch, &batch, &err));
    assert_int_equal(batch.state, BATCH_DONE);
    assert_string_equal(batch.reason.code, "pages-left-out");
}

static void a_batch_of_damaged_pages_needs_attention(void **state)
{
    House *h = *state;
    Batch batch;
    Err err;

    grant(h, (Wish){ .job = "ok",
                     .behave = { "ok" },
                     .destinations = 1,
                     .pages = 2,
                     .hashes = "dd",
                     .end = BATCH_EVENT_COMPLETE });
    assert_true(queue_start(h->queue, &err));
    await_state(h, BATCH_ATTENTION);
    assert_true(batch_get(reader_db(h->reader), &h->batch, &batch, &err));
    assert_string_equal(batch.reason.code, "no-readable-page");
    assert_true(queue_batch_retry(h->queue, &tester, &h->batch, &err)); /* they are read again */
    await_state(h, BATCH_ATTENTION);
}

static bool count_attempts(void *arg, const Delivery *delivery, const char *destination_name)
{
    (void)destination_name;
    *(uint32_t *)arg += delivery->state == DELIVERY_HELD ? delivery->attempt : 0;
    return true;
}

/* What waits for a person is retried at once, also while another destination still hangs. */
static bool run_sql(Tx *tx, void *arg, Err *err)
{
    return db_run(tx->db, arg, NO_ARGS, NULL, err);
}

static void await_page(House *h, uint32_t number, PageState wanted)
{
    Page page = { .state = PAGE_STATE_MAX_ };
    Err err;

    for (int waited = 0; waited < WAIT_MS && page.state != wanted; waited += 20) {
        pause_ms(20);
        assert_true(page_get(reader_db(h->reader), &h->batch, number, &page, &err));
    }
    assert_int_equal(page.state, wanted);
}

/* A reader's result and its next claim are one write: what was read of two pages is kept all the same. */
static void a_page_that_cannot_be_claimed_takes_no_result_with_it(void **state)
{
    static char refuse[] = "CREATE TRIGGER refuse BEFORE UPDATE ON page"
                           " WHEN new.state = 'reading' AND new.number = 3"
                           " BEGIN SELECT RAISE(ABORT, 'not this one'); END",
                allow[] = "DROP TRIGGER refuse";
    House *h = *state;
    Page page;
    Err err;

    grant(h, (Wish){ .job = "ok",
                     .behave = { "ok" },
                     .destinations = 1,
                     .pages = 3,
                     .end = BATCH_EVENT_COMPLETE });
    assert_true(store_write_wait(h->store, run_sql, refuse, &err));
    assert_true(queue_start(h->queue, &err));
    await_page(h, 1, PAGE_READ);
    await_page(h, 2, PAGE_READ);
    assert_true(page_get(reader_db(h->reader), &h->batch, 3, &page, &err));
    assert_int_equal(page.state, PAGE_STORED);
    assert_true(store_write_wait(h->store, run_sql, allow, &err));
    await_state(h, BATCH_DONE);
}

static void a_held_delivery_is_retried_beside_others(void **state)
{
    House *h = *state;
    Err err;

    grant(h, (Wish){ .job = "ok",
                     .behave = { "refuse", "hang" },
                     .destinations = 2,
                     .pages = 1,
                     .end = BATCH_EVENT_COMPLETE });
    assert_true(queue_start(h->queue, &err));
    for (uint32_t wanted = 1; wanted <= 2; wanted++) {
        uint32_t attempts = 0;

        for (int waited = 0; waited < WAIT_MS && attempts < wanted; waited += 20) {
            attempts = 0;
            pause_ms(20);
            assert_true(
                delivery_list(reader_db(h->reader), &h->batch, count_attempts, &attempts, &err));
        }
        assert_int_equal(attempts, wanted);
        assert_int_equal(state_of(h), BATCH_DELIVERING);
        if (wanted == 1)
            assert_true(queue_batch_retry(h->queue, &tester, &h->batch, &err));
    }
}

static void a_worker_that_talks_nonsense_is_replaced(void **state)
{
    House *h = *state;
    Err err;

    grant(h, (Wish){ .job = "garbage",
                     .behave = { "ok" },
                     .destinations = 1,
                     .pages = 1,
                     .end = BATCH_EVENT_COMPLETE });
    assert_true(queue_start(h->queue, &err));
    await_state(h, BATCH_ATTENTION);
    assert_int_equal(queue_worker_deaths(h->queue), COMPOSE_ATTEMPTS_MAX);
}

static void is_delivered_by_hand(House *h, BatchEvent end, BatchState ended)
{
    Err err;

    grant(h, (Wish){ .job = "ok", .behave = { "ok" }, .destinations = 1, .pages = 2, .end = end });
    assert_true(queue_start(h->queue, &err));
    assert_int_equal(state_of(h), ended);
    assert_false(queue_batch_retry(h->queue, &tester, &h->batch, &err));
    assert_int_equal(err.kind, ERR_CONFLICT);
    assert_non_null(strstr(err.remedy, "deliver"));
    assert_true(queue_batch_deliver(h->queue, &tester, &h->batch, &err));
    await_state(h, BATCH_DONE);
    assert_false(queue_batch_deliver(h->queue, &tester, &h->batch, &err));
    assert_int_equal(err.kind, ERR_CONFLICT);
}

static void a_broken_batch_is_delivered_by_hand(void **state)
{
    House *h = *state;
    Batch batch;
    Err err;

    is_delivered_by_hand(h, BATCH_EVENT_BREAK, BATCH_BROKEN);
    assert_true(batch_get(reader_db(h->reader), &h->batch, &batch, &err));
    assert_string_equal(batch.reason.code,
                        "paper-jam"); /* pages may be missing: that is still said */
}

static void a_cancelled_batch_is_delivered_by_hand(void **state)
{
    is_delivered_by_hand(*state, BATCH_EVENT_CANCEL, BATCH_CANCELLED);
}

static void a_broken_batch_without_pages_is_not_delivered(void **state)
{
    House *h = *state;
    BatchId nobody = id_new(BatchId, (Wall){ 1 });
    Err err;

    grant(h,
          (Wish){ .job = "ok", .behave = { "ok" }, .destinations = 1, .end = BATCH_EVENT_BREAK });
    assert_false(queue_batch_deliver(h->queue, &tester, &h->batch, &err));
    assert_int_equal(err.kind, ERR_CONFLICT);
    assert_false(queue_batch_deliver(h->queue, &tester, &nobody, &err));
    assert_int_equal(err.kind, ERR_NOT_FOUND);
}

static void a_restart_breaks_running_scans_and_goes_on(void **state)
{
    House *h = *state;
    Batch batch;
    Err err;

    grant(h, (Wish){ .job = "ok",
                     .behave = { "hang" },
                     .destinations = 1,
                     .pages = 1,
                     .end = BATCH_EVENT_COMPLETE });
    BatchId hanging = h->batch;
    assert_true(queue_start(h->queue, &err));
    await_state(h, BATCH_DELIVERING);
    grant(h, (Wish){ .job = "ok2",
                     .behave = { "ok" },
                     .destinations = 1,
                     .pages = 1,
                     .end = BATCH_EVENT_MAX_ });
    close_house(h); /* kills the hanging delivery */
    open_house(h);
    assert_true(queue_recover(h->queue, &err));
    assert_true(batch_get(reader_db(h->reader), &h->batch, &batch, &err));
    assert_int_equal(batch.state, BATCH_BROKEN);
    assert_string_equal(batch.reason.code, "server-stopped");
    h->batch = hanging;
    assert_int_equal(state_of(h), BATCH_DELIVERING);
}

/* --- retention ----------------------------------------------------------------------------------- */

static BatchFiles files_of(House *h)
{
    Batch batch;
    Err err;

    assert_true(batch_get(reader_db(h->reader), &h->batch, &batch, &err));
    return batch.files;
}

static void await_files(House *h, BatchFiles wanted)
{
    for (int waited = 0; waited < WAIT_MS && files_of(h) != wanted; waited += 20)
        pause_ms(20);
    assert_int_equal(files_of(h), wanted);
}

/* The batch's folder with a page, which the fake worker does not look at. */
static void make_batch_folder(House *h, char ret_page[256])
{
    char path[200];
    Batch batch;
    Err err;

    assert_true(batch_get(reader_db(h->reader), &h->batch, &batch, &err));
    (void)text_printf(path, sizeof path, "%s/%s", h->folder, batch.folder);
    AUTO_FD folder = file_make_folders(path, &err);
    assert_true(folder >= 0);
    AUTO_FD page = file_create(folder, "p0001a.jpg", 0640, &err);
    assert_true(page >= 0);
    (void)text_printf(ret_page, 256, "%s/p0001a.jpg", path);
}

static bool age_write(Tx *tx, void *arg, Err *err)
{
    return db_run(tx->db, "UPDATE batch SET changed_at = changed_at - ?1",
                  ARGS(ARG_INT(*(const int64_t *)arg * 24 * 3600 * 1000)), NULL, err);
}

/* A new server on the same data, so many days later. */
static void restart_after(House *h, int64_t days)
{
    Err err;

    assert_true(store_write_wait(h->store, age_write, &days, &err));
    close_house(h);
    open_house(h);
    assert_true(queue_recover(h->queue, &err) && queue_start(h->queue, &err));
}

static void files_go_and_then_history(void **state)
{
    House *h = *state;
    Batch batch;
    char page[256];
    Err err = { 0 };

    h->retention = (Retention){ .by_itself = true, .files_days = 30, .history_days = 365 };
    grant(h, (Wish){ .job = "ok",
                     .behave = { "ok" },
                     .destinations = 1,
                     .pages = 1,
                     .end = BATCH_EVENT_COMPLETE });
    make_batch_folder(h, page);
    restart_after(h, 0);
    await_state(h, BATCH_DONE);
    restart_after(h, 29);
    pause_ms(300);
    assert_int_equal(files_of(h), BATCH_FILES_KEPT);
    assert_int_equal(access(page, F_OK), 0);
    restart_after(h, 2);
    await_files(h, BATCH_FILES_REMOVED);
    assert_int_not_equal(access(page, F_OK), 0);
    restart_after(h, 335);
    for (int waited = 0; waited < WAIT_MS; waited += 20) {
        if (!batch_get(reader_db(h->reader), &h->batch, &batch, &err))
            break;
        pause_ms(20);
    }
    assert_int_equal(err.kind, ERR_NOT_FOUND);
}

static void what_needs_a_person_is_kept_for_ever(void **state)
{
    House *h = *state;
    char page[256];
    Err err;

    h->retention = (Retention){ .by_itself = true, .files_days = 0, .history_days = 1 };
    grant(h, (Wish){ .job = "ok",
                     .behave = { "refuse" },
                     .destinations = 1,
                     .pages = 1,
                     .end = BATCH_EVENT_COMPLETE });
    make_batch_folder(h, page);
    restart_after(h, 0);
    await_state(h, BATCH_ATTENTION);
    restart_after(h, 4000);
    pause_ms(300);
    assert_int_equal(files_of(h), BATCH_FILES_KEPT);
    assert_false(queue_batch_purge(h->queue, &tester, &h->batch, false, &err));
    assert_int_equal(err.kind, ERR_CONFLICT);
    assert_non_null(strstr(err.remedy, "--undelivered"));
    assert_int_equal(access(page, F_OK), 0);

    assert_true(queue_batch_purge(h->queue, &tester, &h->batch, true, &err));
    await_files(h, BATCH_FILES_REMOVED);
    assert_int_equal(state_of(h), BATCH_CANCELLED);
    assert_int_not_equal(access(page, F_OK), 0);
    assert_false(queue_batch_purge(h->queue, &tester, &h->batch, true, &err));
    assert_false(queue_batch_deliver(h->queue, &tester, &h->batch, &err));
    assert_non_null(strstr(err.text, "the files were removed by tester"));
}

static void a_person_purges_what_is_done_or_broken(void **state)
{
    House *h = *state;
    char page[256];
    Err err;

    grant(h, (Wish){ .job = "ok",
                     .behave = { "ok" },
                     .destinations = 1,
                     .pages = 1,
                     .end = BATCH_EVENT_COMPLETE });
    make_batch_folder(h, page);
    assert_false(queue_batch_purge(h->queue, &tester, &h->batch, true, &err));
    assert_non_null(strstr(err.text, "not delivered yet"));
    assert_true(queue_start(h->queue, &err));
    await_state(h, BATCH_DONE);
    assert_true(queue_batch_purge(h->queue, &tester, &h->batch, false, &err));
    await_files(h, BATCH_FILES_REMOVED);
    assert_int_equal(state_of(h), BATCH_DONE);

    grant(h, (Wish){ .job = "broken",
                     .behave = { "ok" },
                     .destinations = 1,
                     .pages = 1,
                     .end = BATCH_EVENT_BREAK });
    assert_false(queue_batch_purge(h->queue, &tester, &h->batch, false, &err));
    assert_non_null(strstr(err.remedy, "platen batch deliver"));
    assert_true(queue_batch_purge(h->queue, &tester, &h->batch, true, &err));
    await_files(h, BATCH_FILES_REMOVED);
    assert_int_equal(state_of(h), BATCH_BROKEN);
}

/* No row knows the page: nobody was told that it is safe, and yet it stays. */
static void a_page_without_a_row_is_no_empty_batch(void **state)
{
    House *h = *state;
    char page[256];

    h->retention = (Retention){ .by_itself = true, .files_days = 0, .history_days = 365 };
    grant(h,
          (Wish){ .job = "ok", .behave = { "ok" }, .destinations = 1, .end = BATCH_EVENT_BREAK });
    make_batch_folder(h, page);
    restart_after(h, 1);
    pause_ms(300);
    assert_int_equal(files_of(h), BATCH_FILES_KEPT);
    assert_int_equal(unlink(page), 0);
    queue_wake(h->queue);
    await_files(h, BATCH_FILES_REMOVED);
}

static void *hurry_soon(void *arg)
{
    pause_ms(300);
    queue_hurry(arg);
    return NULL;
}

static void a_drain_can_be_cut_short(void **state)
{
    House *h = *state;
    pthread_t thread;
    Err err;

    grant(h, (Wish){ .job = "ok",
                     .behave = { "hang" },
                     .destinations = 1,
                     .pages = 1,
                     .end = BATCH_EVENT_COMPLETE });
    assert_true(queue_start(h->queue, &err));
    await_state(h, BATCH_DELIVERING);
    pause_ms(200); /* the worker has its task */
    Mono begun = mono_now();
    assert_int_equal(pthread_create(&thread, NULL, hurry_soon, h->queue), 0);
    queue_stop(STEAL(h->queue), WAIT_MS);
    assert_true(mono_now().ms - begun.ms < WAIT_MS / 2);
    assert_true(mono_now().ms - begun.ms >= 300);
    pthread_join(thread, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_HOUSE(a_batch_goes_all_the_way),
        WITH_HOUSE(pages_are_composed_as_they_must_be_seen),
        WITH_HOUSE(a_kind_gets_its_program),
        WITH_HOUSE(a_hanging_destination_delays_no_other),
        WITH_HOUSE(a_dead_destination_rests),
        WITH_HOUSE(a_refusing_destination_needs_a_person),
        WITH_HOUSE(a_reserved_name_can_be_given_back),
        WITH_HOUSE(who_says_that_it_lives_is_waited_for),
        WITH_HOUSE(dying_composers_give_up_in_the_end),
        WITH_HOUSE(a_plan_that_the_database_refuses_is_a_failure),
        WITH_HOUSE(a_damaged_page_stops_no_other),
        WITH_HOUSE(a_batch_of_damaged_pages_needs_attention),
        WITH_HOUSE(a_page_that_cannot_be_claimed_takes_no_result_with_it),
        WITH_HOUSE(a_held_delivery_is_retried_beside_others),
        WITH_HOUSE(a_worker_that_talks_nonsense_is_replaced),
        WITH_HOUSE(a_broken_batch_is_delivered_by_hand),
        WITH_HOUSE(a_cancelled_batch_is_delivered_by_hand),
        WITH_HOUSE(a_broken_batch_without_pages_is_not_delivered),
        WITH_HOUSE(files_go_and_then_history),
        WITH_HOUSE(what_needs_a_person_is_kept_for_ever),
        WITH_HOUSE(a_person_purges_what_is_done_or_broken),
        WITH_HOUSE(a_page_without_a_row_is_no_empty_batch),
        WITH_HOUSE(a_drain_can_be_cut_short),
        WITH_HOUSE(a_restart_breaks_running_scans_and_goes_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
