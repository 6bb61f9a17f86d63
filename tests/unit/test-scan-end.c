/* tests/unit/test-scan-end.c - what the scan session owes its pages and its device when it is ended:
 * nothing is acknowledged that is not stored, and the device is left in order. */
#include "tests/unit/scan-run.h"

static void nothing_is_asked_before_the_page_is_stored(void **state)
{
    Run run;

    (void)state;
    run_init(&run, SCAN_SOURCE_AUTO);
    run.store_by_hand = true;
    run_on(&run);
    assert_int_equal(run.pages, 1);
    assert_int_equal(scan_session_state(run.session), ESCI2_AT_STORING);
    assert_true(text_ends_with(run.fake.log, "IMG  "));
    size_t before = strlen(run.fake.log);
    run.now.ms += 100000;
    scan_session_tick(run.session, run.now);
    take_actions(&run);
    assert_int_equal(strlen(run.fake.log), before);
    scan_session_page_stored(run.session, true, NULL, run.now);
    run_on(&run);
    assert_int_equal(run.pages, 2);
    assert_int_equal(scan_session_state(run.session), ESCI2_AT_STORING);
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

/* A device that says goodbye while its last page is being stored takes nothing away. */
static void a_device_that_goes_after_its_last_page(void **state)
{
    static const uint8_t events[] = { IS_EVENT_DISCONNECT, IS_EVENT_TIMEOUT, IS_EVENT_REJECTED };

    (void)state;
    for (unsigned last = 1; last <= 2; last++) {
        for (size_t i = 0; i < COUNT_OF(events); i++) {
            Run run;

            run_init(&run, SCAN_SOURCE_AUTO);
            run.store_by_hand = true;
            run_on(&run);
            if (last == 2) {
                scan_session_page_stored(run.session, true, NULL, run.now);
                run_on(&run);
            }
            buf_clear(&run.fake.out);
            is_packet_encode(&run.fake.out, IS_EVENT, IS_DEVICE_FLAGS, (Bytes){ &events[i], 1 });
            assert_true(feed_some(&run));
            take_actions(&run);
            assert_false(run.ended);
            scan_session_page_stored(run.session, true, NULL, run.now);
            take_actions(&run);
            assert_true(run.ended);
            assert_int_equal(run.end, last == 2 ? SCAN_END_COMPLETE : SCAN_END_BROKEN);
            assert_int_equal(run.pages, last);
            run_done(&run);
        }
    }
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

/* Runs the session until it has asked for an image so often, with no answer to the last. */
static void run_until_images(Run *run, unsigned wanted)
{
    run->fake.fault_at = "IMG ";
    run->fake.fault_nth = wanted;
    run->fake.fault = FAKE_SILENCE;
    take_actions(run);
    for (int i = 0; i < STEPS_MAX && !run->fake.silent; i++) {
        if (!feed_some(run)) {
            run->now = scan_session_deadline(run->session);
            scan_session_tick(run->session, run->now);
        }
        take_actions(run);
    }
    assert_true(run->fake.silent && !run->ended);
}

/* The fake comes back and answers the IMG it owes. */
static void fake_wakes(Run *run)
{
    run->fake.silent = false;
    run->fake.fault_at = NULL;
    fake_image(&run->fake);
    fake_answer(&run->fake, ESCI2_REPLY_SIZE);
}

/* A device that stalls is left with CAN, FIN and UNLOCK, but never while an answer is out that may be
 * the end of a page: CAN would acknowledge it. */
static void a_stalled_device_is_left_in_order(void **state)
{
    Run run;

    (void)state;
    run_init(&run, SCAN_SOURCE_AUTO); /* stalls in the page, and is silent afterwards */
    run.fake.fault_at = "IMG ";
    run.fake.fault_nth = 4;
    run.fake.fault_times = 9999;
    run.fake.fault = FAKE_TOKENS;
    run.fake.fault_text = "";
    while (scan_session_state(run.session) != ESCI2_AT_CANCEL) {
        take_actions(&run);
        if (!feed_some(&run)) {
            run.now = scan_session_deadline(run.session);
            scan_session_tick(run.session, run.now);
        }
    }
    assert_int_equal(scan_session_deadline(run.session).ms - run.now.ms, SCAN_GOODBYE_MS);
    run.fake.silent = true;
    run_on(&run);
    assert_end(&run, SCAN_END_BROKEN, "no-progress", 0);
    run_done(&run);

    run_init(&run, SCAN_SOURCE_AUTO); /* the sixth answer is the end of a page, and late */
    run_until_images(&run, 6);
    run.now.ms += 29000;
    scan_session_tick(run.session, run.now);
    take_actions(&run);
    assert_int_equal(scan_session_state(run.session), ESCI2_AT_IMAGE);
    fake_wakes(&run);
    run_on(&run);
    assert_end(&run, SCAN_END_COMPLETE, "", 2);
    run_done(&run);
}

/* The server's time is over: the device is left in order, and a page that ends meanwhile is kept. */
static void leaving_is_orderly_and_quick(void **state)
{
    Run run;

    (void)state;
    run_init(&run, SCAN_SOURCE_AUTO);
    run_until_images(&run, 5); /* in the page */
    scan_session_leave(run.session, run.now);
    assert_int_equal(scan_session_deadline(run.session).ms - run.now.ms, SCAN_GOODBYE_MS);
    fake_wakes(&run);
    run_on(&run);
    assert_end(&run, SCAN_END_BROKEN, "server-stopping", 0);
    assert_non_null(strstr(run.fake.log, "CAN  FIN  FS-Y STAT FIN  unlock "));
    run_done(&run);

    run_init(&run, SCAN_SOURCE_AUTO);
    run_until_images(&run, 6); /* its end is on its way */
    scan_session_leave(run.session, run.now);
    fake_wakes(&run);
    run_on(&run);
    assert_end(&run, SCAN_END_BROKEN, "server-stopping", 1);
    assert_int_equal(run.dropped, 0);
    assert_non_null(strstr(run.fake.log, "CAN  FIN  FS-Y STAT FIN  unlock "));
    run_done(&run);

    run_init(&run, SCAN_SOURCE_AUTO);
    run_until_images(&run, 5); /* the device says nothing: nothing is said to it either */
    scan_session_leave(run.session, run.now);
    run.now.ms += SCAN_GOODBYE_MS;
    scan_session_tick(run.session, run.now);
    take_actions(&run);
    assert_true(run.ended);
    assert_end(&run, SCAN_END_BROKEN, "server-stopping", 0);
    assert_true(text_ends_with(run.fake.log, "IMG  "));
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

/* While the device only says "not yet", no wish to end is kept waiting: no time passes until the goodbye. */
static void no_end_waits_for_a_busy_device(void **state)
{
    static const struct {
        const char *at;
        FakeFault fault;
        const char *log; /* what was said to it in all */
    } places[] = {
        { "lock", FAKE_CODE, "lock unlock " },
        { "mode", FAKE_CODE, "lock FS-Y FIN  unlock " },
        { "INFO", FAKE_TOKENS, "lock FS-Y INFO FIN  unlock " },
        { "CAPA", FAKE_TOKENS, "lock FS-Y INFO CAPA FIN  unlock " },
        { "STAT", FAKE_TOKENS, "lock FS-Y INFO CAPA FIN  FS-Y STAT FIN  unlock " },
        { "TRDT", FAKE_TOKENS,
          "lock FS-Y INFO CAPA FIN  FS-Y STAT FIN  FS-X STAT PARA TRDT CAN  FIN  FS-Y STAT FIN  "
          "unlock " },
        { "IMG ", FAKE_TOKENS,
          "lock FS-Y INFO CAPA FIN  FS-Y STAT FIN  FS-X STAT PARA TRDT IMG  CAN  FIN  FS-Y STAT "
          "FIN  unlock " },
    };

    static const struct {
        void (*end)(ScanSession *s, Mono now);
        ScanEnd as;
        const char *code;
    } ways[] = { { scan_session_cancel, SCAN_END_CANCELLED, "cancelled" },
                 { scan_session_stop_at_page, SCAN_END_BROKEN, "server-stopping" },
                 { scan_session_leave, SCAN_END_BROKEN, "server-stopping" } };

    (void)state;
    for (size_t n = 0; n < COUNT_OF(places) * COUNT_OF(ways); n++) {
        size_t i = n / COUNT_OF(ways), way = n % COUNT_OF(ways);
        Run run;

        run_init(&run, SCAN_SOURCE_AUTO);
        run.fake.fault_at = places[i].at;
        run.fake.fault = places[i].fault;
        run.fake.fault_text = "#nrdBUSY";
        run.fake.fault_nth = run.fake.fault_times = 1;
        take_actions(&run);
        while (feed_some(&run))
            continue;
        assert_true(run.session->again_at.ms > run.now.ms &&
                    run.session->again_at.ms < MONO_NEVER.ms);
        ways[way].end(run.session, run.now);
        take_actions(&run);
        while (!run.ended && feed_some(&run))
            continue;
        assert_string_equal(run.fake.log, places[i].log);
        assert_true(run.ended);
        assert_end(&run, ways[way].as, ways[way].code, 0);
        run_done(&run);
    }
}

/* The look at the device after the pages is a courtesy: one that will not be looked at is let go. */
static void a_refused_last_look_takes_nothing_away(void **state)
{
    Run run;

    (void)state;
    run_init(&run, SCAN_SOURCE_AUTO);
    run.chunk = 1;
    take_actions(&run);
    while (scan_session_state(run.session) != ESCI2_AT_FIN)
        if (!feed_some(&run)) {
            run.now = scan_session_deadline(run.session);
            scan_session_tick(run.session, run.now);
            take_actions(&run);
        }
    run.fake.fault_at = "mode";
    run.fake.fault = FAKE_CODE;
    run.fake.fault_times = 1;
    run_on(&run);
    assert_end(&run, SCAN_END_COMPLETE, "", 2);
    assert_true(text_ends_with(run.fake.log, "FIN  FS-Y unlock "));
    run_done(&run);
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

/* All that was ordered has come: a server that stops at this page takes nothing away. */
static void a_limit_of_pages_is_a_whole_scan(void **state)
{
    (void)state;
    for (unsigned stop_at = 0; stop_at <= 1; stop_at++) {
        ScanOrder order = { .dpi = 300, .jpeg_quality = 90, .page_limit = 1 };
        Run run;

        run_init_order(&run, &order);
        run.stop_at_page = stop_at;
        run_on(&run);
        assert_end(&run, SCAN_END_COMPLETE, "", 1);
        assert_true(run.fake.unlocked);
        run_done(&run);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_asked_before_the_page_is_stored),
        cmocka_unit_test(a_device_that_goes_after_its_last_page),
        cmocka_unit_test(a_host_that_cannot_store_ends_the_scan),
        cmocka_unit_test(the_host_can_cancel_and_stop),
        cmocka_unit_test(a_stalled_device_is_left_in_order),
        cmocka_unit_test(leaving_is_orderly_and_quick),
        cmocka_unit_test(cancelling_at_any_moment_is_orderly),
        cmocka_unit_test(no_end_waits_for_a_busy_device),
        cmocka_unit_test(a_refused_last_look_takes_nothing_away),
        cmocka_unit_test(patience_does_not_run_while_paused),
        cmocka_unit_test(a_limit_of_pages_is_a_whole_scan),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
