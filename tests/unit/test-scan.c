/* tests/unit/test-scan.c - presses become batches: the scan service with a real link, store and spool
 * on loopback, and a fake scanner. What goes wrong has an end: the batch says why, the device is free. */
#include "device/push-session.h"
#include "net/tcp.h"
#include "scan/run.h"
#include "store/db.h"
#include "tests/unit/fake-scanner.h"
#include "tests/unit/store-fixture.h"
#include "wire/pushscan.h"

#include <errno.h>

enum { ROUND_MS = 20, ROUNDS_MAX = 1000 };

typedef struct House {
    Fixture *f;
    World world;
    Loop *loop;
    Spool *spool;
    Queue *queue;
    ScanService *scans;
    FakeScanner fake;
    TcpListener *listener;
    TcpStream *stream, *panel;
    DeviceId device;
    char spool_path[80];
} House;

/* --- the scanner and its panel ------------------------------------------------------------------- */

static void scanner_sends(House *h)
{
    Err err;

    if (h->stream && h->fake.out.n > 0)
        assert_true(tcp_write(h->stream, buf_bytes(&h->fake.out), &err));
    buf_clear(&h->fake.out);
}

static void scanner_read(void *arg, Bytes bytes)
{
    House *h = arg;

    if (fake_wants_no_tls(&h->fake, bytes)) {
        tcp_abort(STEAL(h->stream));
        return;
    }
    fake_feed(&h->fake, bytes);
    scanner_sends(h);
}

static void scanner_end(void *arg, TcpEnd end, const Err *err)
{
    House *h = arg;

    (void)end;
    (void)err;
    tcp_close(STEAL(h->stream));
}

static void scanner_accepted(void *arg, TcpStream *stream)
{
    static const TcpEvents events = { .on_read = scanner_read, .on_end = scanner_end };
    House *h = arg;

    assert_null(h->stream);
    h->stream = stream;
    tcp_attach(stream, 8 << 20, &events, h);
    scanner_sends(h);
}

static void panel_end(void *arg, TcpEnd end, const Err *err)
{
    House *h = arg;

    (void)end;
    (void)err;
    tcp_close(STEAL(h->panel));
}

static void panel_read(void *arg, Bytes bytes)
{
    (void)arg;
    (void)bytes;
}

static NetAddress loopback(uint16_t port)
{
    return (NetAddress){ .family = NET_IPV4, .bytes = { 127, 0, 0, 1 }, .port = port };
}

static void press_start(House *h)
{
    static const TcpEvents events = { .on_read = panel_read, .on_end = panel_end };
    PushScanBody body = { .root = PUSHSCAN_ROOT_START,
                          .product = "PID 11D1",
                          .address = "127.0.0.1",
                          .choice = "",
                          .job_number = PUSHSCAN_NO_JOB };
    NetAddress server = loopback(device_link_tcp_port(h->scans->link));
    AUTO_BUF request = buf_with_max(4096);
    Err err;

    assert_true(pushscan_request_encode(&request, "42", "2.00", &body));
    h->panel = tcp_connect(h->loop, &server, NULL, mono_after(mono_now(), 5000), 65536, &events, h,
                           &err);
    assert_non_null(h->panel);
    assert_true(tcp_write(h->panel, buf_bytes(&request), &err));
}

/* --- set-up --------------------------------------------------------------------------------------- */

static void approve(House *h)
{
    DeviceSettings settings = { .name = "Loopback" };
    Fixture *f = h->f;
    Device device;

    (void)text_copy(settings.job_group, sizeof settings.job_group, h->world.group.id.text);
    assert_write(f, device_sighted(tx, "127.0.0.1", "PID 11D1", &device, &f->err) &&
                        device_change(tx, &test_actor, &device.id, &settings, DEVICE_EVENT_APPROVE,
                                      0, &f->err));
    h->device = device.id;
}

static void open_service(House *h)
{
    ScanServiceConfig config = {
        .loop = h->loop,
        .store = h->f->store,
        .spool = h->spool,
        .queue = h->queue,
        .traces = { .data_path = h->f->folder, .bytes_max = 1 << 20, .keep_days = 1 }
    };
    Err err;

    config.link = (DeviceLinkConfig){ .address = "127.0.0.1",
                                      .scan_port = tcp_listener_address(h->listener).port,
                                      .name = "Scans" };
    h->scans = scan_service_open(&config, &err);
    assert_non_null(h->scans);
}

static int setup(void **state)
{
    House *h = calloc(1, sizeof *h);
    NetAddress any = loopback(0);
    QueueConfig queue = { .worker_program = "/bin/false", .deliver_program = "/bin/false" };
    Err err;

    if (fixture_set_up((void **)&h->f) != 0)
        return -1;
    world_make(h->f, &h->world);
    approve(h);
    (void)text_printf(h->spool_path, sizeof h->spool_path, "%s/spool", h->f->folder);
    h->loop = loop_new(&err);
    h->spool = spool_open(h->spool_path, 2, 0, &err);
    queue.store = h->f->store;
    queue.data_path = h->f->folder;
    queue.spool_path = h->spool_path;
    h->queue = queue_new(&queue, &err);
    fake_init(&h->fake);
    h->listener = tcp_listen(h->loop, &any, 8, scanner_accepted, h, &err);
    assert_true(h->loop && h->spool && h->queue && h->listener);
    open_service(h);
    *state = h;
    return 0;
}

static int teardown(void **state)
{
    House *h = *state;

    scan_service_abort(h->scans);
    tcp_abort(h->stream);
    tcp_abort(h->panel);
    tcp_listener_free(h->listener);
    queue_stop(h->queue, 0);
    spool_close(h->spool);
    (void)fixture_tear_down((void **)&h->f); /* the store's last posts need service and loop */
    scan_service_free(h->scans);
    loop_free(h->loop);
    fake_done(&h->fake);
    free(h);
    return 0;
}

static void stop_loop(void *arg)
{
    loop_stop(arg);
}

/* In steps, so that a process that was not given the processor meanwhile has its rounds all the same. */
static void run_for(House *h, int64_t ms)
{
    enum { STEPS = 10 };
    Err err;
    AUTO(LoopTimer) timer = loop_timer_new(h->loop, stop_loop, h->loop, &err);

    for (int i = 0; i < STEPS; i++) {
        loop_timer_start(timer, mono_after(mono_now(), ms / STEPS));
        assert_true(loop_run(h->loop, &err));
    }
}

/* Runs the loop until so many scans are at work at the device. */
static void run_until_scans(House *h, unsigned wanted)
{
    for (int i = 0; i < ROUNDS_MAX && device_link_scans(h->scans->link) != wanted; i++)
        run_for(h, ROUND_MS);
    assert_int_equal(device_link_scans(h->scans->link), wanted);
}

/* Runs the loop until nothing of the service is under way. */
static void run_until_idle(House *h)
{
    for (int i = 0; i < ROUNDS_MAX && scan_service_running(h->scans) > 0; i++)
        run_for(h, ROUND_MS);
    assert_int_equal(scan_service_running(h->scans), 0);
}

static bool first_batch(void *arg, const Batch *batch)
{
    *(Batch *)arg = *batch;
    return false;
}

/* The batch that came of it; its device must be free again. */
static Batch batch_of(House *h)
{
    Batch batch = { .page_count = 0 };
    Device device;
    Err err;

    assert_true(batch_list(fixture_db(h->f), "", -1, 1, first_batch, &batch, &err));
    assert_true(device_get(fixture_db(h->f), &h->device, &device, &err));
    assert_int_equal(device.state, DEVICE_REGISTERED);
    return batch;
}

/* --- tests ---------------------------------------------------------------------------------------- */

static void a_press_becomes_a_received_batch(void **state)
{
    House *h = *state;

    h->fake.page_size = 3000000; /* more than the spool takes unwritten: reads pause */
    h->fake.block_size = 200000;
    press_start(h);
    run_until_scans(h, 1);
    run_until_scans(h, 0);
    run_until_idle(h);
    Batch batch = batch_of(h);
    assert_int_equal(batch.state, BATCH_RECEIVED);
    assert_int_equal(batch.page_count, 2);
    assert_true(h->fake.unlocked);
}

static int64_t counted(House *h, const char *sql)
{
    int64_t n = -1;
    bool found;
    Err err;

    assert_true(db_find_int(fixture_db(h->f), sql, NO_ARGS, &n, &found, &err));
    return n;
}

/* Nothing of a batch is left, neither row nor event nor folder, and its device is free. */
static void assert_no_batch(House *h)
{
    Device device;
    Err err;

    assert_int_equal(counted(h, "SELECT count(*) FROM batch"), 0);
    assert_int_equal(counted(h, "SELECT count(*) FROM event WHERE batch_id <> ''"), 0);
    assert_int_equal(counted(h, "SELECT count(*) FROM event WHERE kind = 'scan.forgotten'"), 1);
    assert_true(device_get(fixture_db(h->f), &h->device, &device, &err));
    assert_int_equal(device.state, DEVICE_REGISTERED);
    assert_int_equal(device.last_scan.ms, 0);
}

/* The panel has gone while the press waited for the database: there is no scan and no batch, and nothing hangs. */
static void a_panel_that_hangs_up_leaves_no_batch(void **state)
{
    House *h = *state;

    (void)fixture_begin(h->f); /* the writer is held */
    press_start(h);
    run_for(h, 200);
    assert_int_equal(scan_service_running(h->scans), 1);
    tcp_abort(STEAL(h->panel));
    run_for(h, 200);
    (void)fixture_end(h->f, true);
    run_until_idle(h);
    assert_no_batch(h);
    press_start(h); /* the next one scans as ever */
    run_until_scans(h, 1);
    run_until_scans(h, 0);
    run_until_idle(h);
    assert_int_equal(batch_of(h).state, BATCH_RECEIVED);
}

/* The disk is so slow that the panel hangs up while the batch's folder is made. */
static House *slow_house;
static int slow_mkdir(int dir_fd, const char *name, mode_t mode)
{
    if (slow_house) {
        slow_house = NULL;
        usleep(400 * 1000);
    }
    return file_ops_system.mkdir(dir_fd, name, mode);
}

static size_t entries_found;

static int count_entry(const char *path, const struct stat *info, int kind, struct FTW *ftw)
{
    (void)path;
    (void)info;
    (void)kind;
    entries_found += ftw->level >= 2; /* below the folder of the day */
    return 0;
}

static void a_panel_that_hangs_up_while_the_disk_is_slow_leaves_no_batch(void **state)
{
    FileOps slow = file_ops_system;
    House *h = *state;

    slow.mkdir = slow_mkdir;
    slow_house = h;
    const FileOps *former = file_ops_set(&slow);
    press_start(h);
    for (int i = 0; i < 200 && counted(h, "SELECT count(*) FROM batch") == 0; i++)
        run_for(h, 10);
    assert_int_equal(counted(h, "SELECT count(*) FROM batch"), 1);
    run_for(h, 50);
    tcp_abort(STEAL(h->panel));
    run_until_idle(h);
    (void)file_ops_set(former);
    assert_null(slow_house); /* it was slow */
    assert_no_batch(h);
    entries_found = 0;
    assert_int_equal(nftw(spool_path(h->spool), count_entry, 16, FTW_PHYS), 0);
    assert_int_equal(entries_found, 0);
}

static int no_room(int dir_fd, const char *name, mode_t mode)
{
    (void)dir_fd;
    (void)name;
    (void)mode;
    errno = ENOSPC;
    return -1;
}

static void a_spool_without_room_refuses_and_frees_the_device(void **state)
{
    FileOps full = file_ops_system;
    House *h = *state;

    full.mkdir = no_room;
    const FileOps *former = file_ops_set(&full);
    press_start(h);
    run_for(h, 100);
    run_until_idle(h);
    (void)file_ops_set(former);
    Batch batch = batch_of(h);
    assert_int_equal(batch.state, BATCH_BROKEN);
    assert_string_equal(batch.reason.code, "spool-failed");
    assert_non_null(strstr(batch.reason.remedy, "Free space"));
}

/* For a while nothing can be committed: the page is not acknowledged, the batch ends as soon as the
 * database is writable again, and the next press is a scan like any other. */
static void a_locked_database_breaks_the_scan_and_no_more(void **state)
{
    House *h = *state;
    char path[128];
    Db other;
    Err err;

    assert_write(h->f, db_script(tx_db(tx), "PRAGMA busy_timeout = 1", &h->f->err));
    (void)text_printf(path, sizeof path, "%s/platen.db", h->f->folder);
    assert_true(db_open(&other, path, false, &err));
    h->fake.empty_polls = 25; /* the page comes when the database is locked */
    press_start(h);
    run_until_scans(h, 1);
    run_for(h, 200);
    assert_true(db_script(&other, "BEGIN IMMEDIATE", &err));
    run_until_scans(h, 0);
    run_for(h, 1500);
    assert_int_equal(scan_service_running(h->scans), 1); /* its end is not recorded yet */
    assert_true(text_ends_with(h->fake.log, "IMG  "));   /* nothing came after the page */
    press_start(h);
    run_for(h, 200);
    assert_int_equal(device_link_scans(h->scans->link), 0); /* refused */
    assert_true(db_script(&other, "ROLLBACK", &err));
    db_close(&other);
    run_until_idle(h);
    Batch batch = batch_of(h);
    assert_int_equal(batch.state, BATCH_BROKEN);
    assert_string_equal(batch.reason.code, "page-not-stored");
    assert_true(batch.reason.remedy[0] != '\0');

    fake_done(&h->fake);
    fake_init(&h->fake);
    press_start(h);
    run_until_scans(h, 1);
    run_until_scans(h, 0);
    run_until_idle(h);
    assert_int_equal(batch_of(h).state, BATCH_RECEIVED);
}

/* The server is stopped while pages come: the page that is coming is kept, the batch says why. */
static void a_drain_ends_at_a_page(void **state)
{
    House *h = *state;

    h->fake.pages = 1000;
    press_start(h);
    run_until_scans(h, 1);
    run_for(h, 200);
    scan_service_drain(h->scans);
    scan_service_stop_at_page(h->scans);
    run_until_idle(h);
    Batch batch = batch_of(h);
    assert_int_equal(batch.state, BATCH_BROKEN);
    assert_string_equal(batch.reason.code, "server-stopping");
    assert_true(h->fake.unlocked);
}

/* The page that was waited for does not end: the device is told that we go. */
static void a_page_that_does_not_end_is_left(void **state)
{
    House *h = *state;

    h->fake.fault_at = "IMG ";
    h->fake.fault_nth = 4;
    h->fake.fault_times = 100000;
    h->fake.fault = FAKE_TOKENS;
    h->fake.fault_text = "";
    press_start(h);
    run_until_scans(h, 1);
    run_for(h, 200);
    scan_service_drain(h->scans);
    scan_service_stop_at_page(h->scans);
    run_for(h, 200);
    assert_int_equal(device_link_scans(h->scans->link), 1);
    scan_service_leave(h->scans);
    run_until_idle(h);
    Batch batch = batch_of(h);
    assert_int_equal(batch.state, BATCH_BROKEN);
    assert_string_equal(batch.reason.code, "server-stopping");
    assert_int_equal(batch.page_count, 0);
    assert_true(text_ends_with(h->fake.log, "CAN  FIN  FS-Y STAT FIN  unlock "));
}

static bool event_of_stranger(void *arg, const Event *event)
{
    *(bool *)arg |= text_equal(event->kind, "device.another") &&
                    strstr(event->text, "VIRTUAL001") && strstr(event->text, "S1");
    return true;
}

/* Another device scans from the address of one that is approved: nothing of it is taken, and the
 * address must be approved again. */
static void another_device_at_the_address_is_refused(void **state)
{
    House *h = *state;
    Fixture *f = h->f;
    Batch batch = { .page_count = 0 };
    bool told = false;
    Device device;
    Err err;

    assert_write(f, device_identified(tx, &h->device, "ET-4950", "S1", "1.0", &f->err));
    press_start(h);
    run_for(h, 300);
    run_until_idle(h);
    assert_true(batch_list(fixture_db(f), "", -1, 1, first_batch, &batch, &err));
    assert_int_equal(batch.state, BATCH_BROKEN);
    assert_string_equal(batch.reason.code, "another-device");
    assert_int_equal(batch.page_count, 0);
    assert_true(text_ends_with(h->fake.log, "CAPA FIN  unlock "));
    assert_true(device_get(fixture_db(f), &h->device, &device, &err));
    assert_int_equal(device.state, DEVICE_SEEN);
    assert_string_equal(device.serial, "S1");
    assert_string_equal(device.product, "ET-4950");
    assert_string_equal(device.firmware, "1.0");
    assert_string_equal(device.settings.name, "Loopback");
    assert_true(
        event_list(fixture_db(f), &(EventFilter){ .limit = 100 }, event_of_stranger, &told, &err));
    assert_true(told);
    press_start(h);
    run_for(h, 300);
    run_until_idle(h);
    Batch newest = { .page_count = 0 };
    assert_true(batch_list(fixture_db(f), "", -1, 1, first_batch, &newest, &err));
    assert_string_equal(newest.id.text, batch.id.text); /* refused at once */
}

/* What the first scan learns is asked of the next one. */
static void the_same_device_scans_again(void **state)
{
    House *h = *state;

    for (int i = 0; i < 2; i++) {
        press_start(h);
        run_until_scans(h, 1);
        run_until_scans(h, 0);
        run_until_idle(h);
        assert_int_equal(batch_of(h).state, BATCH_RECEIVED);
        fake_done(&h->fake);
        fake_init(&h->fake);
    }
}

static void hang_up_with_a_reset(House *h)
{
    tcp_abort(STEAL(h->panel));
}

static void hang_up_in_order(House *h)
{
    tcp_close(STEAL(h->panel));
}

static bool count_batch(void *arg, const Batch *batch)
{
    (void)batch;
    ++*(unsigned *)arg;
    return true;
}

/* Start is pressed while the end of the former scan is on its way, and the panel does not wait so long. */
static void a_held_press_is_forgotten_when_its_panel_hangs_up(void **state)
{
    static void (*const ways[])(House *) = { hang_up_with_a_reset, hang_up_in_order };
    House *h = *state;
    unsigned batches = 0;
    Err err;

    for (size_t i = 0; i < COUNT_OF(ways); i++) {
        fake_done(&h->fake);
        fake_init(&h->fake);
        h->fake.pages = 1;
        h->fake.empty_polls = 100; /* it ends while the press is held */
        press_start(h);
        run_until_scans(h, 1);
        run_for(h, 50);
        assert_null(h->panel);
        press_start(h); /* held: the former one still scans */
        run_for(h, PUSH_HALF_CLOSE_MS + 200);
        assert_int_equal(scan_service_running(h->scans), 2);
        ways[i](h);
        run_until_scans(h, 0);
        run_until_idle(h);
        assert_int_equal(batch_of(h).state, BATCH_RECEIVED);
    }
    assert_true(batch_list(fixture_db(h->f), "", -1, 100, count_batch, &batches, &err));
    assert_int_equal(batches, COUNT_OF(ways)); /* those that scanned */
}

int main(void)
{
#define WITH_HOUSE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        WITH_HOUSE(a_press_becomes_a_received_batch),
        WITH_HOUSE(a_panel_that_hangs_up_leaves_no_batch),
        WITH_HOUSE(a_panel_that_hangs_up_while_the_disk_is_slow_leaves_no_batch),
        WITH_HOUSE(a_spool_without_room_refuses_and_frees_the_device),
        WITH_HOUSE(a_locked_database_breaks_the_scan_and_no_more),
        WITH_HOUSE(a_drain_ends_at_a_page),
        WITH_HOUSE(a_page_that_does_not_end_is_left),
        WITH_HOUSE(another_device_at_the_address_is_refused),
        WITH_HOUSE(the_same_device_scans_again),
        WITH_HOUSE(a_held_press_is_forgotten_when_its_panel_hangs_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
