/* tests/unit/test-scan-session.c - the scan session against a fake scanner and captured frames. */
#include "device/scan-inside.h"
#include "device/scan-reason.h"
#include "device/scan-session.h"
#include "tests/unit/fake-scanner.h"

enum { PAGE_MAX = 64 * 1024, NEVER_CUT = 1 << 30, STEPS_MAX = 100000 };

/* One scan: session, fake and what came out. */
typedef struct Run {
    FakeScanner fake;
    ScanSession *session;
    Mono now;
    size_t chunk; /* bytes per feed                                         */
    size_t cut;   /* the connection breaks after so many bytes of the device */
    size_t received;
    unsigned store_fails_at; /* page that the host cannot keep              */
    unsigned cancel_at_page; /* cancelled when this page begins             */
    unsigned stop_at_page;   /* stop_at_page when this page begins          */
    bool store_by_hand;

    char log[512];
    uint8_t page[PAGE_MAX];
    size_t page_n;
    uint32_t page_dpi;
    unsigned pages, dropped;
    bool page_open, closed, ended;
    ScanEnd end;
    Reason reason;
    DeviceIdentity identity;
} Run;

static void run_init(Run *run, ScanSource source)
{
    ScanOrder order = { source, SCAN_COLOR_COLOR, 300, 90 };

    *run = (Run){ .chunk = NEVER_CUT, .cut = NEVER_CUT, .now = { 1000 } };
    fake_init(&run->fake);
    run->session = scan_session_new(&order, run->now);
    assert_non_null(run->session);
}

static void run_done(Run *run)
{
    scan_session_free(run->session);
    fake_done(&run->fake);
}

static void page_ends(Run *run, const ScanAction *action)
{
    static const Reason full = { "disk-full", "The disk is full.", "Make room." };

    assert_true(run->page_open);
    run->page_open = false;
    assert_int_equal(run->page_n, run->fake.page_size);
    for (size_t i = 0; i < run->page_n; i++)
        assert_int_equal(run->page[i], fake_page_byte(&run->fake, action->number, i));
    run->pages++;
    run->page_dpi = action->dpi;
    assert_int_equal(action->width_px, 2480);
    if (!run->store_by_hand)
        scan_session_page_stored(run->session, run->store_fails_at != action->number, &full,
                                 run->now);
}

static void page_begins(Run *run, const ScanAction *action)
{
    assert_false(run->page_open);
    assert_int_equal(action->number, run->pages + 1);
    assert_int_equal(action->side, 'A');
    run->page_open = true;
    run->page_n = 0;
    if (run->cancel_at_page == action->number)
        scan_session_cancel(run->session, run->now);
    if (run->stop_at_page == action->number)
        scan_session_stop_at_page(run->session, run->now);
}

static void act(Run *run, const ScanAction *action)
{
    assert_false(run->ended); /* nothing comes after ENDED */
    switch (action->kind) {
    case SCAN_ACTION_SEND:
        assert_false(run->closed);
        fake_feed(&run->fake, action->bytes);
        break;
    case SCAN_ACTION_IDENTIFIED:
        run->identity = *action->identity;
        break;
    case SCAN_ACTION_PAGE_BEGIN:
        page_begins(run, action);
        break;
    case SCAN_ACTION_PAGE_BYTES:
        assert_true(run->page_open && run->page_n + action->bytes.n <= PAGE_MAX);
        memcpy(run->page + run->page_n, action->bytes.p, action->bytes.n);
        run->page_n += action->bytes.n;
        break;
    case SCAN_ACTION_PAGE_END:
        page_ends(run, action);
        break;
    case SCAN_ACTION_PAGE_DROP:
        assert_true(run->page_open);
        run->page_open = false;
        run->dropped++;
        break;
    case SCAN_ACTION_CLOSE:
        run->closed = true;
        break;
    case SCAN_ACTION_ENDED:
        assert_true(run->closed && !run->page_open);
        run->ended = true;
        run->end = action->end;
        run->reason = *action->reason;
        break;
    }
}

static void take_actions(Run *run)
{
    ScanAction action;

    while (scan_session_next(run->session, &action))
        act(run, &action);
}

/* Gives the session the next bytes of the device; false when there are none. */
static bool feed_some(Run *run)
{
    Bytes out = buf_bytes(&run->fake.out);
    size_t n = out.n < run->chunk ? out.n : run->chunk;

    if (n > run->cut - run->received)
        n = run->cut - run->received;
    if (n == 0)
        return false;
    uint8_t *copy = malloc(n); /* exactly n bytes, so that the sanitizer sees a read behind them */
    assert_non_null(copy);
    memcpy(copy, out.p, n);
    buf_drop_front(&run->fake.out, n);
    run->received += n;
    for (size_t used = 0; used < n && !run->ended;) {
        size_t took = scan_session_feed(run->session, (Bytes){ copy + used, n - used }, run->now);

        assert_true(took > 0 && took <= n - used);
        used += took;
        take_actions(run);
    }
    free(copy);
    return true;
}

/* Runs until the end, or until nothing more happens without the host. */
static void run_on(Run *run)
{
    take_actions(run);
    for (int i = 0; i < STEPS_MAX && !run->ended; i++) {
        if (feed_some(run))
            continue;
        if (run->fake.closed || run->received == run->cut) {
            scan_session_lost(run->session, "connection-lost", run->now);
        } else {
            Mono next = scan_session_deadline(run->session);

            if (run->store_by_hand && scan_session_state(run->session) == SCAN_STORING)
                return;
            assert_true(next.ms != MONO_NEVER.ms);
            assert_true(next.ms >= run->now.ms);
            run->now = next;
            scan_session_tick(run->session, run->now);
        }
        take_actions(run);
    }
    assert_true(run->ended);
}

static void assert_end(const Run *run, ScanEnd end, const char *code, unsigned pages)
{
    assert_string_equal(run->reason.code, code);
    assert_int_equal(run->end, end);
    assert_int_equal(run->pages, pages);
}

static void feeder_is_scanned_until_it_is_empty(void **state)
{
    Run run;

    (void)state;
    run_init(&run, SCAN_SOURCE_AUTO);
    run.fake.pages = 3;
    run_on(&run);
    assert_end(&run, SCAN_END_COMPLETE, "", 3);
    assert_true(run.fake.unlocked);
    assert_string_equal(run.identity.product, "PID 1147");
    assert_string_equal(run.identity.serial, "VIRTUAL001");
    assert_string_equal(run.identity.firmware, "FB  2.00");
    assert_int_equal(run.page_dpi, 300);
    assert_true(text_starts_with(run.fake.log, "lock FS-Y INFO CAPA FIN  FS-Y STAT FIN  FS-X STAT "
                                               "PARA TRDT IMG  "));
    assert_true(text_ends_with(run.fake.log, "IMG  FIN  FS-Y STAT FIN  unlock "));
    const Esci2Para *para = &run.fake.para;
    assert_string_equal(para->source, "ADF");
    assert_int_equal(para->options.count, 0);
    assert_int_equal(para->pages, 0);
    assert_int_equal(para->width_px % 8, 0);
    assert_int_equal(para->width_px, 2544);
    assert_int_equal(para->x_px, 6); /* right aligned */
    assert_int_equal(para->height_px, 4200);
    assert_int_equal(para->jpeg_quality, 90);
    assert_string_equal(para->gamma, "UG18");
    assert_string_equal(para->quiet, "OFF ");
    run_done(&run);
}

static void an_empty_feeder_means_the_flatbed(void **state)
{
    Run run;

    (void)state;
    run_init(&run, SCAN_SOURCE_AUTO);
    run.fake.feeder_empty = true;
    run_on(&run);
    assert_end(&run, SCAN_END_COMPLETE, "", 1);
    assert_string_equal(run.fake.para.source, "FB");
    assert_int_equal(run.fake.para.pages, -1);
    assert_true(text_ends_with(run.fake.log, "IMG  FIN  unlock ")); /* no last status */
    run_done(&run);

    run_init(&run, SCAN_SOURCE_ADF);
    run.fake.feeder_empty = true;
    run_on(&run);
    assert_end(&run, SCAN_END_BROKEN, "no-paper", 0);
    assert_true(run.fake.unlocked);
    run_done(&run);

    run_init(&run, SCAN_SOURCE_FLATBED);
    run_on(&run);
    assert_end(&run, SCAN_END_COMPLETE, "", 1);
    run_done(&run);
}

static void bytes_may_come_one_by_one(void **state)
{
    static const size_t chunks[] = { 1, 2, 11, 12, 13, 64, 1000 };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(chunks); i++) {
        Run run;

        run_init(&run, SCAN_SOURCE_AUTO);
        run.chunk = chunks[i];
        run_on(&run);
        assert_end(&run, SCAN_END_COMPLETE, "", 2);
        run_done(&run);
    }
}

static void a_cut_at_every_byte_ends_the_scan(void **state)
{
    size_t total;
    Run run;

    (void)state;
    run_init(&run, SCAN_SOURCE_AUTO);
    run.fake.page_size = 300;
    run.fake.block_size = 200;
    run_on(&run);
    total = run.received;
    run_done(&run);
    for (size_t cut = 0; cut < total; cut++) {
        run_init(&run, SCAN_SOURCE_AUTO);
        run.fake.page_size = 300;
        run.fake.block_size = 200;
        run.cut = cut;
        run_on(&run);
        assert_int_equal(run.pages <= 2, true);
        if (run.pages < 2)
            assert_end(&run, SCAN_END_BROKEN, "connection-lost", run.pages);
        else
            assert_end(&run, SCAN_END_COMPLETE, "", 2); /* the last page was announced as such */
        run_done(&run);
    }
}

typedef struct FaultCase {
    const char *at;
    unsigned nth, times;
    FakeFault fault;
    const char *text;
    ScanEnd end;
    const char *code;
    unsigned pages, dropped;
    bool unlocked;
} FaultCase;

#define PAGE_END "#peni0002480i0003507"

/* Two pages of three blocks and one page end each, two empty polls before: IMG 1-2 empty, 3-5 data,
 * 6 end, 7-8 empty ... */
static const FaultCase fault_cases[] = {
    { "IMG ", 4, 0, FAKE_TOKENS, "#errADF PJ  ", SCAN_END_BROKEN, "paper-jam", 0, 1, true },
    { "IMG ", 9, 0, FAKE_TOKENS, "#errADF DFED", SCAN_END_BROKEN, "double-feed", 1, 0, true },
    { "IMG ", 3, 0, FAKE_TOKENS, "#errADF OPN ", SCAN_END_BROKEN, "cover-open", 0, 0, true },
    { "IMG ", 3, 0, FAKE_TOKENS, "#errADF XXXX", SCAN_END_BROKEN, "device-error", 0, 0, true },
    { "IMG ", 7, 0, FAKE_TOKENS, "#errADF PE  ", SCAN_END_COMPLETE, "", 1, 0, true },
    { "IMG ", 1, 0, FAKE_TOKENS, "#errADF PE  ", SCAN_END_BROKEN, "no-paper", 0, 0, true },
    { "IMG ", 4, 0, FAKE_TOKENS, "#atnCAN ", SCAN_END_CANCELLED, "cancelled-at-device", 0, 1,
      true },
    { "IMG ", 2, 5, FAKE_TOKENS, "#nrdBUSY", SCAN_END_COMPLETE, "", 2, 0, true },
    { "IMG ", 2, 9999, FAKE_TOKENS, "#nrdBUSY", SCAN_END_BROKEN, "no-progress", 0, 0, false },
    { "IMG ", 2, 9999, FAKE_TOKENS, "", SCAN_END_BROKEN, "no-progress", 0, 0, false },
    { "IMG ", 2, 0, FAKE_TOKENS, "#nrdRSVD", SCAN_END_BROKEN, "device-reserved", 0, 0, true },
    { "IMG ", 2, 0, FAKE_TOKENS, "#peni0000010i0000010", SCAN_END_COMPLETE, "", 2, 0, true },
    { "IMG ", 7, 0, FAKE_TOKENS, "#psti0000010d000i0000010#typIMGB", SCAN_END_BROKEN,
      "two-sided-page", 1, 0, true },
    { "IMG ", 4, 0, FAKE_TOKENS, "#psti0000010d000i0000010#typIMGA", SCAN_END_BROKEN, "page-broken",
      0, 1, true },
    { "IMG ", 4, 0, FAKE_TOKENS, "#peni0000010i0000010#typIMGA", SCAN_END_BROKEN, "page-broken", 0,
      1, true },
    { "IMG ", 4, 0, FAKE_TOKENS, "#pstd0a1", SCAN_END_BROKEN, "protocol-error", 0, 1, false },
    { "IMG ", 4, 0, FAKE_CODE, "INVD", SCAN_END_BROKEN, "device-rejected", 0, 1, true },
    { "IMG ", 4, 0, FAKE_CODE, "STAT", SCAN_END_BROKEN, "protocol-error", 0, 1, false },
    { "IMG ", 4, 0, FAKE_CLOSE, NULL, SCAN_END_BROKEN, "connection-lost", 0, 1, false },
    { "IMG ", 4, 0, FAKE_SILENCE, NULL, SCAN_END_BROKEN, "no-answer", 0, 1, false },
    { "IMG ", 4, 0, FAKE_GARBAGE, NULL, SCAN_END_BROKEN, "protocol-error", 0, 1, false },
    { "IMG ", 4, 0, FAKE_EVENT, "\x01", SCAN_END_COMPLETE, "", 2, 0, true },
    { "IMG ", 4, 0, FAKE_EVENT, "\x04", SCAN_END_COMPLETE, "", 2, 0, true },
    { "IMG ", 4, 0, FAKE_EVENT, "\x03", SCAN_END_CANCELLED, "cancelled-at-device", 0, 1, true },
    { "IMG ", 6, 0, FAKE_EVENT, "\x03", SCAN_END_CANCELLED, "cancelled-at-device", 1, 0, true },
    { "IMG ", 6, 0, FAKE_TOKENS, PAGE_END "#errADF PJ  ", SCAN_END_BROKEN, "paper-jam", 1, 0,
      true },
    { "IMG ", 6, 0, FAKE_TOKENS, "#errADF DFED" PAGE_END, SCAN_END_BROKEN, "double-feed", 1, 0,
      true },
    { "IMG ", 6, 0, FAKE_TOKENS, "#nrdRSVD" PAGE_END, SCAN_END_BROKEN, "device-reserved", 1, 0,
      true },
    { "IMG ", 6, 0, FAKE_TOKENS, PAGE_END "#atnCAN ", SCAN_END_CANCELLED, "cancelled-at-device", 1,
      0, true },
    { "IMG ", 6, 0, FAKE_TOKENS, PAGE_END "#lftd000#atnCAN ", SCAN_END_CANCELLED,
      "cancelled-at-device", 1, 0, true },
    { "IMG ", 6, 0, FAKE_TOKENS, PAGE_END "#errADF PE  ", SCAN_END_COMPLETE, "", 1, 0, true },
    { "IMG ", 6, 0, FAKE_TOKENS, PAGE_END "#lftd000#nrdBUSY", SCAN_END_COMPLETE, "", 1, 0, true },
    { "IMG ", 5, 0, FAKE_TOKENS, PAGE_END "#errADF PJ  ", SCAN_END_BROKEN, "paper-jam", 0, 1,
      true },
    { "IMG ", 4, 0, FAKE_EVENT, "\x02", SCAN_END_BROKEN, "connection-lost", 0, 1, false },
    { "IMG ", 4, 0, FAKE_EVENT, "\x80", SCAN_END_BROKEN, "device-timeout", 0, 1, false },
    { "IMG ", 4, 0, FAKE_EVENT, "\xa0", SCAN_END_BROKEN, "device-rejected", 0, 1, false },
    { "read", 1, 0, FAKE_SHORT, NULL, SCAN_END_BROKEN, "protocol-error", 0, 0, false },
    { "read", 4, 0, FAKE_SHORT, NULL, SCAN_END_BROKEN, "protocol-error", 0, 1, false },
    { "read", 4, 0, FAKE_EVENT, "\x03", SCAN_END_CANCELLED, "cancelled-at-device", 0, 1, true },
    { "INFO", 1, 0, FAKE_CODE, "UNKN", SCAN_END_BROKEN, "device-rejected", 0, 0, true },
    { "INFO", 1, 2, FAKE_TOKENS, "#nrdBUSY", SCAN_END_COMPLETE, "", 2, 0, true },
    { "INFO", 1, 9999, FAKE_TOKENS, "#nrdWUP ", SCAN_END_BROKEN, "device-busy", 0, 0, true },
    { "INFO", 1, 0, FAKE_TOKENS, "#nrdAFEN", SCAN_END_BROKEN, "login-needed", 0, 0, true },
    { "INFO", 1, 0, FAKE_EVENT, "\x03", SCAN_END_CANCELLED, "cancelled-at-device", 0, 0, true },
    { "CAPA", 1, 0, FAKE_CODE, "UNKN", SCAN_END_BROKEN, "format-not-offered", 0, 0, true },
    { "STAT", 1, 0, FAKE_CODE, "UNKN", SCAN_END_COMPLETE, "", 2, 0, true },
    { "STAT", 3, 0, FAKE_CODE, "UNKN", SCAN_END_COMPLETE, "", 2, 0, true },
    { "para", 1, 0, FAKE_TOKENS, "#parFAIL", SCAN_END_COMPLETE, "", 2, 0, true },
    { "para", 1, 1, FAKE_TOKENS, "#parFAIL", SCAN_END_BROKEN, "parameters-refused", 0, 0, true },
    { "PARA", 1, 0, FAKE_SILENCE, NULL, SCAN_END_BROKEN, "no-answer", 0, 0, false },
    { "TRDT", 1, 0, FAKE_TOKENS, "#errADF PE  ", SCAN_END_BROKEN, "no-paper", 0, 0, true },
    { "TRDT", 1, 0, FAKE_CODE, "INVD", SCAN_END_BROKEN, "device-rejected", 0, 0, true },
    { "FIN ", 3, 0, FAKE_CLOSE, NULL, SCAN_END_COMPLETE, "", 2, 0, false },
    { "FIN ", 3, 0, FAKE_SILENCE, NULL, SCAN_END_COMPLETE, "", 2, 0, false },
    { "FIN ", 3, 0, FAKE_CODE, "INVD", SCAN_END_COMPLETE, "", 2, 0, true },
    { "lock", 1, 3, FAKE_CODE, NULL, SCAN_END_COMPLETE, "", 2, 0, true },
    { "lock", 1, 5, FAKE_CODE, NULL, SCAN_END_BROKEN, "device-busy", 0, 0, false },
    { "mode", 1, 3, FAKE_CODE, NULL, SCAN_END_COMPLETE, "", 2, 0, true },
    { "mode", 1, 9999, FAKE_CODE, NULL, SCAN_END_BROKEN, "device-busy", 0, 0, true },
};

static void every_fault_has_its_end(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(fault_cases); i++) {
        const FaultCase *c = &fault_cases[i];
        Run run;

        run_init(&run, SCAN_SOURCE_AUTO);
        run.fake.fault_at = c->at;
        run.fake.fault_nth = c->nth;
        run.fake.fault_times = c->times;
        run.fake.fault = c->fault;
        run.fake.fault_text = c->text;
        run_on(&run);
        if (strcmp(run.reason.code, c->code) != 0 || run.pages != c->pages ||
            run.dropped != c->dropped || run.fake.unlocked != c->unlocked)
            print_error("case %zu: %s %u: %s (%s), %u pages, %u dropped, unlocked %d\n  %s\n", i,
                        c->at, c->nth, run.reason.code, run.reason.text, run.pages, run.dropped,
                        run.fake.unlocked, run.fake.log);
        assert_end(&run, c->end, c->code, c->pages);
        assert_int_equal(run.dropped, c->dropped);
        assert_int_equal(run.fake.unlocked, c->unlocked);
        if (c->end == SCAN_END_BROKEN)
            assert_true(run.reason.text[0] != '\0' && run.reason.remedy[0] != '\0');
        run_done(&run);
    }
}

static void refused_parameters_are_tried_without_the_optional(void **state)
{
    Run run;

    (void)state;
    run_init(&run, SCAN_SOURCE_AUTO);
    run.fake.fault_at = "para";
    run.fake.fault_nth = 1;
    run.fake.fault = FAKE_TOKENS;
    run.fake.fault_text = "#parFAIL";
    run_on(&run);
    assert_int_equal(run.fake.parameter_blocks, 2);
    assert_string_equal(run.fake.para.gamma, "");
    assert_string_equal(run.fake.para.format, "JPG ");
    run_done(&run);
}

static void a_page_without_its_end_marker_is_broken(void **state)
{
    Run run;

    (void)state;
    run_init(&run, SCAN_SOURCE_AUTO);
    run.fake.broken_page = true;
    run_on(&run);
    assert_end(&run, SCAN_END_BROKEN, "page-broken", 0);
    assert_int_equal(run.dropped, 1);
    assert_true(run.fake.unlocked);
    run_done(&run);
}

static void nothing_is_asked_before_the_page_is_stored(void **state)
{
    Run run;

    (void)state;
    run_init(&run, SCAN_SOURCE_AUTO);
    run.store_by_hand = true;
    run_on(&run);
    assert_int_equal(run.pages, 1);
    assert_int_equal(scan_session_state(run.session), SCAN_STORING);
    assert_true(text_ends_with(run.fake.log, "IMG  "));
    size_t before = strlen(run.fake.log);
    run.now.ms += 100000;
    scan_session_tick(run.session, run.now);
    take_actions(&run);
    assert_int_equal(strlen(run.fake.log), before);
    scan_session_page_stored(run.session, true, NULL, run.now);
    run_on(&run);
    assert_int_equal(run.pages, 2);
    assert_int_equal(scan_session_state(run.session), SCAN_STORING);
    assert_true(text_ends_with(run.fake.log, "IMG  "));
    /* The device goes away now: the end waits for the store, and all pages are there. */
    scan_session_lost(run.session, "connection-lost", run.now);
    take_actions(&run);
    assert_false(run.ended);
    scan_session_page_stored(run.session, true, NULL, run.now);
    take_actions(&run);
    assert_true(run.ended);
    assert_end(&run, SCAN_END_COMPLETE, "", 2);
    run_done(&run);
}

/* After a page that is not stored nothing is sent: IMG, CAN and FIN would acknowledge it, and the
 * panel would say that all is well. */
static void a_host_that_cannot_store_ends_the_scan(void **state)
{
    Run run;

    (void)state;
    for (unsigned page = 1; page <= 2; page++) {
        run_init(&run, SCAN_SOURCE_AUTO);
        run.store_fails_at = page;
        run_on(&run);
        assert_end(&run, SCAN_END_BROKEN, "disk-full", page);
        assert_false(run.fake.unlocked);
        assert_true(text_ends_with(run.fake.log, "IMG  "));
        run_done(&run);
    }
    run_init(&run, SCAN_SOURCE_AUTO);
    run.store_by_hand = true;
    run_on(&run);
    run.now = scan_session_deadline(run.session);
    scan_session_tick(run.session, run.now);
    run_on(&run);
    assert_end(&run, SCAN_END_BROKEN, "store-late", 1);
    assert_true(text_ends_with(run.fake.log, "IMG  "));
    scan_session_page_stored(run.session, true, NULL, run.now); /* too late: nothing happens */
    run_done(&run);
}

static void the_host_can_cancel_and_stop(void **state)
{
    Run run;

    (void)state;
    run_init(&run, SCAN_SOURCE_AUTO);
    run.cancel_at_page = 2;
    run_on(&run);
    assert_end(&run, SCAN_END_CANCELLED, "cancelled", 1);
    assert_int_equal(run.dropped, 1);
    assert_true(run.fake.unlocked);
    assert_non_null(strstr(run.fake.log, "CAN  FIN  FS-Y STAT FIN  unlock"));
    run_done(&run);

    run_init(&run, SCAN_SOURCE_AUTO);
    run.stop_at_page = 1;
    run_on(&run);
    assert_end(&run, SCAN_END_BROKEN, "server-stopping", 1);
    assert_int_equal(run.dropped, 0);
    assert_true(run.fake.unlocked);
    run_done(&run);

    run_init(&run, SCAN_SOURCE_AUTO); /* the last page: nothing to stop any more */
    run.stop_at_page = 2;
    run_on(&run);
    assert_end(&run, SCAN_END_COMPLETE, "", 2);
    run_done(&run);
}

/* Cancelled after every number of bytes: always in order, always unlocked once it was locked. */
static void cancelling_at_any_moment_is_orderly(void **state)
{
    bool over = false;

    (void)state;
    for (size_t steps = 0; !over; steps++) {
        Run run;

        run_init(&run, SCAN_SOURCE_AUTO);
        run.fake.page_size = 300;
        run.fake.block_size = 200;
        run.chunk = 50;
        for (size_t i = 0; i < steps && !run.ended; i++) {
            take_actions(&run);
            if (!feed_some(&run) && !run.ended) {
                run.now = scan_session_deadline(run.session);
                scan_session_tick(run.session, run.now);
            }
            take_actions(&run);
        }
        over = run.ended;
        if (!over) {
            scan_session_cancel(run.session, run.now);
            run_on(&run);
            assert_true(run.end == SCAN_END_CANCELLED || run.end == SCAN_END_COMPLETE);
            assert_int_equal(run.fake.unlocked, run.fake.locked);
        }
        run_done(&run);
    }
}

static void patience_does_not_run_while_paused(void **state)
{
    Run run;

    (void)state;
    run_init(&run, SCAN_SOURCE_AUTO);
    scan_session_pause(run.session, run.now);
    assert_int_equal(scan_session_deadline(run.session).ms, MONO_NEVER.ms);
    run.now.ms += 1000000;
    scan_session_tick(run.session, run.now);
    scan_session_resume(run.session, run.now);
    assert_true(scan_session_deadline(run.session).ms > run.now.ms);
    run_on(&run);
    assert_end(&run, SCAN_END_COMPLETE, "", 2);
    run_done(&run);
}

static void legacy_devices_are_refused_with_words(void **state)
{
    Run run;

    (void)state;
    run_init(&run, SCAN_SOURCE_AUTO);
    buf_clear(&run.fake.out);
    is_welcome_encode(&run.fake.out, IS_DEVICE_FLAGS, IS_FAMILY_LEGACY);
    run_on(&run);
    assert_end(&run, SCAN_END_BROKEN, "legacy-device", 0);
    run_done(&run);
}

static void small_parameter_blocks_are_sent_in_parts(void **state)
{
    Esci2Info info;
    Run run;

    (void)state;
    run_init(&run, SCAN_SOURCE_AUTO);
    run.chunk = 1;
    while (scan_session_state(run.session) != SCAN_CONTROL_MODE) {
        take_actions(&run);
        assert_true(feed_some(&run));
        take_actions(&run);
    }
    info = run.session->info;
    info.parameter_block_max = 48;
    run.session->info = info;
    run_on(&run);
    assert_end(&run, SCAN_END_COMPLETE, "", 2);
    assert_true(run.fake.parameter_blocks > 2);
    assert_int_equal(run.fake.para.height_px, 4200);
    assert_int_equal(run.fake.para.dpi_main, 300);
    run_done(&run);
}

/* Every pair: the step goes where the table says, missing rules close, closed stays closed. */
static void every_pair_of_state_and_event(void **state)
{
    (void)state;
    for (int from = 0; from < SCAN_STATE_MAX_; from++) {
        for (int event = 0; event < SCAN_EVENT_MAX_; event++) {
            const ScanRule *rule = &scan_rules[from][event];
            Run run;

            run_init(&run, SCAN_SOURCE_AUTO);
            run.session->state = (ScanState)from;
            run.session->para_block.n = 0;
            buf_put_text(&run.session->para_block, "#FB ");
            scan_dispatch(run.session, (ScanEvent)event, run.now);
            ScanState want = from == SCAN_CLOSED || !rule->allowed ? SCAN_CLOSED : rule->next;
            assert_int_equal(scan_session_state(run.session), want);
            if (rule->allowed && rule->action == SCAN_DO_PAUSE)
                assert_true(run.session->again_at.ms > run.now.ms);
            if (want != SCAN_CLOSED)
                assert_true(scan_session_deadline(run.session).ms != MONO_NEVER.ms);
            if (rule->allowed && want == SCAN_CLOSED)
                assert_int_equal(rule->action, SCAN_DO_CLOSE);
            assert_true(from == SCAN_CLOSED || scan_patience_ms[from] > 0);
            assert_string_not_equal(scan_state_name((ScanState)from), "?");
            assert_string_not_equal(scan_event_name((ScanEvent)event), "?");
            run_done(&run);
        }
    }
    /* Every state that a command is sent in is left when the device is lost, late or wrong. */
    for (int from = 0; from < SCAN_CLOSED; from++) {
        assert_true(scan_rules[from][SCAN_EVENT_LOST].allowed);
        assert_true(scan_rules[from][SCAN_EVENT_LATE].allowed);
        assert_true(scan_rules[from][SCAN_EVENT_WRONG].allowed);
    }
}

/* The real frames of three devices, packet by packet: the n-th device packet answers the command
 * that the session sends, when that is the command of the capture. */
static void captured_inquiries_lead_to_parameters(void **state)
{
    static const struct {
        const char *name;
        const char *product;
        ScanUnit unit;
        int32_t x_px, width_px;
    } devices[] = {
        { "esci2-et2750-flatbed-inquiry", "PID 112A", SCAN_UNIT_FLATBED, 0, 2544 },
        { "esci2-xp7100-adf-duplex-frame", "PID 1147", SCAN_UNIT_ADF, 6, 2544 },
        { "esci2-ff680w-adf-duplex-frame", "FF-680W", SCAN_UNIT_ADF, 3, 2544 },
    };

    (void)state;
    for (size_t d = 0; d < COUNT_OF(devices); d++) {
        HexFile *file = hexfile_read(devices[d].name);
        Run run;

        run_init(&run, SCAN_SOURCE_AUTO);
        for (size_t i = 0; i < file->count && scan_session_state(run.session) < SCAN_STATUS_MODE;
             i++) {
            Bytes bytes = file->item[i].bytes;
            ScanAction action;

            if (!file->item[i].from_device) {
                /* What we sent is what Epson's driver sent. */
                do
                    assert_true(scan_session_next(run.session, &action));
                while (action.kind != SCAN_ACTION_SEND);
                assert_bytes_equal(action.bytes, bytes);
                continue;
            }
            while (bytes.n > 0)
                bytes = bytes_after(bytes, scan_session_feed(run.session, bytes, run.now));
        }
        assert_int_equal(scan_session_state(run.session), SCAN_STATUS_MODE);
        assert_string_equal(run.session->identity.product, devices[d].product);
        Esci2Para para;
        Reason reason;
        ScanUnit unit;
        assert_true(scan_plan_unit(&run.session->info, &run.session->stat, SCAN_SOURCE_AUTO, &unit,
                                   &reason));
        assert_int_equal(unit, devices[d].unit);
        assert_true(scan_plan_para(&run.session->info, &run.session->capa, &run.session->order,
                                   unit, false, &para, &reason));
        assert_int_equal(para.dpi_main, 300);
        assert_int_equal(para.x_px, devices[d].x_px);
        assert_int_equal(para.width_px, devices[d].width_px);
        run_done(&run);
        free(file);
    }
}

static void dpi_is_the_nearest_offered(void **state)
{
    static const struct {
        uint32_t wanted;
        int32_t got;
    } cases[] = {
        { 300, 300 }, { 200, 150 }, { 400, 300 }, { 450, 600 }, { 9999, 1200 }, { 1, 75 }
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        static const char block[] = FAKE_INFO;
        ScanOrder order = { SCAN_SOURCE_AUTO, SCAN_COLOR_GRAY, cases[i].wanted, 200 };
        Esci2Info info;
        Esci2Capa capa;
        Esci2Para para;
        Reason reason;

        assert_int_equal(
            esci2_info_decode((Bytes){ (const uint8_t *)block, sizeof block - 1 }, &info), WIRE_OK);
        assert_int_equal(esci2_capa_decode(bytes_of_text(FAKE_CAPA), &capa), WIRE_OK);
        assert_true(scan_plan_para(&info, &capa, &order, SCAN_UNIT_ADF, false, &para, &reason));
        assert_int_equal(para.dpi_main, cases[i].got);
        assert_int_equal(para.jpeg_quality, 100);
        assert_string_equal(para.color, "M008");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(feeder_is_scanned_until_it_is_empty),
        cmocka_unit_test(an_empty_feeder_means_the_flatbed),
        cmocka_unit_test(bytes_may_come_one_by_one),
        cmocka_unit_test(a_cut_at_every_byte_ends_the_scan),
        cmocka_unit_test(every_fault_has_its_end),
        cmocka_unit_test(refused_parameters_are_tried_without_the_optional),
        cmocka_unit_test(a_page_without_its_end_marker_is_broken),
        cmocka_unit_test(nothing_is_asked_before_the_page_is_stored),
        cmocka_unit_test(a_host_that_cannot_store_ends_the_scan),
        cmocka_unit_test(the_host_can_cancel_and_stop),
        cmocka_unit_test(cancelling_at_any_moment_is_orderly),
        cmocka_unit_test(patience_does_not_run_while_paused),
        cmocka_unit_test(legacy_devices_are_refused_with_words),
        cmocka_unit_test(small_parameter_blocks_are_sent_in_parts),
        cmocka_unit_test(every_pair_of_state_and_event),
        cmocka_unit_test(captured_inquiries_lead_to_parameters),
        cmocka_unit_test(dpi_is_the_nearest_offered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
