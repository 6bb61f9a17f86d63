/* tests/unit/test-scan-sheets.c - a scan that waits for more sheets when the feeder is empty. */
#include "tests/unit/scan-run.h"

enum { WAIT_MS = 20000 };

static void begin(Run *run, ScanSides sides)
{
    run_init_order(
        run, &(ScanOrder){
                 .dpi = 300, .jpeg_quality = 90, .sides = sides, .more_sheets_s = WAIT_MS / 1000 });
    run->fake.empties = true;
    run->fake.refill_pages = 2;
}

static unsigned count(const Run *run, const char *word)
{
    unsigned n = 0;

    for (const char *at = run->fake.log; (at = strstr(at, word)); at++)
        n++;
    return n;
}

static void sheets_that_come_join_the_scan(void **state)
{
    static const ScanSides sides[] = { SCAN_SIDES_ONE, SCAN_SIDES_TWO };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(sides); i++) {
        Run run;

        begin(&run, sides[i]);
        run.fake.refill_looks = 3;
        run.fake.in_turn = sides[i] == SCAN_SIDES_TWO;
        Mono begun = run.now;
        while (!run.ended && run.pages < 4) {
            take_actions(&run);
            if (!run.ended && !feed_some(&run)) {
                run.now = scan_session_deadline(run.session);
                scan_session_tick(run.session, run.now);
            }
        }
        run.fake.refill_looks = 0; /* nothing more */
        run_on(&run);
        assert_end(&run, SCAN_END_COMPLETE, "", 4);
        assert_string_equal(run.order, sides[i] == SCAN_SIDES_ONE
                                           ? "1A< 1A> 2A< 2A> 3A< 3A> 4A< 4A> "
                                           : "1A< 2B< 1A> 2B> 3A< 4B< 3A> 4B> ");
        assert_int_equal(count(&run, "TRDT"), 2);
        assert_int_equal(run.fake.parameter_blocks, 2);
        assert_int_equal(count(&run, "lock "), 1 + count(&run, "unlock "));
        assert_true(run.fake.unlocked);
        assert_true(run.now.ms - begun.ms >= WAIT_MS); /* the last wait */
        run_done(&run);
    }
}

static void without_sheets_it_is_over_in_time(void **state)
{
    Run run;

    (void)state;
    begin(&run, SCAN_SIDES_ONE);
    Mono begun = run.now;
    run_on(&run);
    assert_end(&run, SCAN_END_COMPLETE, "", 2);
    assert_string_equal(run.notice, "waits-for-sheets");
    assert_in_range(run.now.ms - begun.ms, WAIT_MS, WAIT_MS + 3000);
    assert_in_range(count(&run, "FS-Y"), WAIT_MS / SCAN_SHEETS_PAUSE_MS, WAIT_MS / 500);
    assert_true(text_ends_with(run.fake.log, "FS-Y STAT FIN  unlock "));
    run_done(&run);
}

static void where_it_makes_no_sense_nobody_waits(void **state)
{
    Run run;

    (void)state;
    begin(&run, SCAN_SIDES_ONE); /* the glass */
    run.fake.feeder_empty = true;
    run_on(&run);
    assert_end(&run, SCAN_END_COMPLETE, "", 1);
    assert_null(run.notice);
    run_done(&run);

    begin(&run, SCAN_SIDES_ONE); /* the last sheet comes first */
    run.fake.info = "#ADFTYPEPAGE#ADFFORDPFN1#ADFAREAd850i0001400#ADFRESOd600#DSZi0001536";
    run_on(&run);
    assert_end(&run, SCAN_END_COMPLETE, "", 2);
    assert_null(run.notice);
    run_done(&run);

    begin(&run, SCAN_SIDES_ONE); /* a jam ends the scan */
    run.fake.fault_at = "IMG ";
    run.fake.fault_nth = 7;
    run.fake.fault = FAKE_TOKENS;
    run.fake.fault_text = "#errADF PJ  ";
    run_on(&run);
    assert_end(&run, SCAN_END_BROKEN, "paper-jam", 1);
    assert_null(run.notice);
    run_done(&run);
}

/* Runs until the session pauses before its n-th look. */
static void run_until_it_waits(Run *run, unsigned looks)
{
    begin(run, SCAN_SIDES_ONE);
    for (int i = 0; i < STEPS_MAX; i++) {
        take_actions(run);
        if (feed_some(run))
            continue;
        if (scan_session_state(run->session) == ESCI2_AT_LAST_MODE && looks-- == 0)
            return;
        run->now = scan_session_deadline(run->session);
        scan_session_tick(run->session, run->now);
    }
    fail();
}

static void the_wait_can_be_ended(void **state)
{
    static const uint8_t stop_event = IS_EVENT_STOP, cancel_event = IS_EVENT_CANCEL;
    Run run;

    (void)state;
    for (unsigned looks = 0; looks < 3; looks++) {
        run_until_it_waits(&run, looks);
        scan_session_no_more_sheets(run.session, run.now);
        run_on(&run);
        assert_end(&run, SCAN_END_COMPLETE, "", 2);
        assert_true(run.fake.unlocked);
        run_done(&run);

        run_until_it_waits(&run, looks);
        scan_session_leave(run.session, run.now);
        run_on(&run);
        assert_end(&run, SCAN_END_COMPLETE, "", 2);
        run_done(&run);

        run_until_it_waits(&run, looks);
        scan_session_stop_at_page(run.session, run.now);
        run_on(&run);
        assert_end(&run, SCAN_END_COMPLETE, "", 2);
        run_done(&run);

        run_until_it_waits(&run, looks);
        scan_session_cancel(run.session, run.now);
        run_on(&run);
        assert_end(&run, SCAN_END_CANCELLED, "cancelled", 2);
        assert_true(run.fake.unlocked);
        run_done(&run);

        run_until_it_waits(&run, looks);
        is_packet_encode(&run.fake.out, IS_EVENT, IS_DEVICE_FLAGS, (Bytes){ &stop_event, 1 });
        run_on(&run);
        assert_end(&run, SCAN_END_COMPLETE, "", 2);
        assert_true(run.fake.unlocked);
        run_done(&run);

        run_until_it_waits(&run, looks);
        is_packet_encode(&run.fake.out, IS_EVENT, IS_DEVICE_FLAGS, (Bytes){ &cancel_event, 1 });
        run_on(&run);
        assert_end(&run, SCAN_END_CANCELLED, "cancelled-at-device", 2);
        run_done(&run);

        run_until_it_waits(&run, looks); /* a device that goes takes nothing away */
        scan_session_lost(run.session, "connection-lost", run.now);
        run_on(&run);
        assert_end(&run, SCAN_END_COMPLETE, "", 2);
        run_done(&run);
    }
}

/* The sheets are taken out again between the look and the start: they are waited for as before. */
static void sheets_that_vanish_are_waited_for(void **state)
{
    Run run;

    (void)state;
    begin(&run, SCAN_SIDES_ONE);
    run.fake.refill_looks = 2;
    run.fake.fault_at = "TRDT";
    run.fake.fault_nth = 2;
    run.fake.fault = FAKE_TOKENS;
    run.fake.fault_text = "#errADF PE  ";
    while (!run.ended && run.pages < 4) {
        take_actions(&run);
        if (!run.ended && !feed_some(&run)) {
            run.now = scan_session_deadline(run.session);
            scan_session_tick(run.session, run.now);
        }
    }
    run.fake.refill_looks = 0;
    run_on(&run);
    assert_end(&run, SCAN_END_COMPLETE, "", 4);
    assert_int_equal(count(&run, "TRDT"), 3);
    run_done(&run);
}

/* A fault in the second stack is a fault, and all whole pages of both are kept. */
static void a_jam_in_the_second_stack_is_one(void **state)
{
    Run run;

    (void)state;
    begin(&run, SCAN_SIDES_ONE);
    run.fake.refill_looks = 1;
    run.fake.fault_at = "IMG ";
    run.fake.fault_nth = 16;
    run.fake.fault = FAKE_TOKENS;
    run.fake.fault_text = "#errADF PJ  ";
    run_on(&run);
    assert_end(&run, SCAN_END_BROKEN, "paper-jam", 2);
    run_done(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sheets_that_come_join_the_scan),
        cmocka_unit_test(without_sheets_it_is_over_in_time),
        cmocka_unit_test(where_it_makes_no_sense_nobody_waits),
        cmocka_unit_test(the_wait_can_be_ended),
        cmocka_unit_test(sheets_that_vanish_are_waited_for),
        cmocka_unit_test(a_jam_in_the_second_stack_is_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
