/* tests/unit/test-scan-session.c - the scan session against a fake scanner and captured frames: how
 * scans go, every fault, the table. How they end from outside is in test-scan-end.c. */
#include "device/scan-reason.h"
#include "tests/unit/scan-run.h"

#include <limits.h>

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
    assert_int_equal(run.notes.scan_dpi, 300);
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
    { "IMG ", 2, 9999, FAKE_TOKENS, "#nrdBUSY", SCAN_END_BROKEN, "no-progress", 0, 0, true },
    { "IMG ", 2, 9999, FAKE_TOKENS, "", SCAN_END_BROKEN, "no-progress", 0, 0, true },
    { "IMG ", 4, 9999, FAKE_TOKENS, "", SCAN_END_BROKEN, "no-progress", 0, 1, true },
    { "IMG ", 7, 9999, FAKE_TOKENS, "#nrdWUP ", SCAN_END_BROKEN, "no-progress", 1, 0, true },
    { "IMG ", 2, 0, FAKE_TOKENS, "#nrdRSVD", SCAN_END_BROKEN, "device-reserved", 0, 0, true },
    { "IMG ", 2, 0, FAKE_TOKENS, "#peni0000010i0000010", SCAN_END_COMPLETE, "", 2, 0, true },
    { "IMG ", 7, 0, FAKE_TOKENS, "#psti0000010d000i0000010#typIMGB", SCAN_END_BROKEN,
      "two-sided-page", 1, 0, true },
    { "IMG ", 4, 0, FAKE_TOKENS, "#psti0000010d000i0000010#typIMGA", SCAN_END_BROKEN, "page-broken",
      0, 1, true },
    { "IMG ", 4, 0, FAKE_TOKENS, "#peni0000010i0000010#typIMGA", SCAN_END_BROKEN, "page-broken", 0,
      1, true },
    { "IMG ", 4, 0, FAKE_TOKENS, "#pstd0a1", SCAN_END_BROKEN, "protocol-error", 0, 1, true },
    { "IMG ", 4, 0, FAKE_CODE, "INVD", SCAN_END_BROKEN, "device-rejected", 0, 1, true },
    { "IMG ", 4, 0, FAKE_CODE, "STAT", SCAN_END_BROKEN, "protocol-error", 0, 1, true },
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
    { "read", 1, 0, FAKE_SHORT, NULL, SCAN_END_BROKEN, "protocol-error", 0, 0, true },
    { "read", 4, 0, FAKE_SHORT, NULL, SCAN_END_BROKEN, "protocol-error", 0, 1, true },
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
    { "FIN ", 1, 0, FAKE_TOKENS, "#errADF PJ  ", SCAN_END_BROKEN, "paper-jam", 0, 0, true },
    { "FIN ", 2, 0, FAKE_TOKENS, "#errADF PJ  ", SCAN_END_BROKEN, "paper-jam", 0, 0, true },
    { "FIN ", 1, 0, FAKE_TOKENS, "#nrdBUSY", SCAN_END_COMPLETE, "", 2, 0, true },
    { "FIN ", 2, 0, FAKE_CODE, "UNKN", SCAN_END_COMPLETE, "", 2, 0, true },
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

/* Each refusal in the words for it. */
static void refusals_are_worded_as_what_they_are(void **state)
{
    static const struct {
        const char *at, *code, *text;
    } cases[] = {
        { "INFO", "UNKN", "The device does not know a command (INFO)." },
        { "IMG ", "INVD", "The device refused a command (IMG, INVD)." },
        { "TRDT", "UNKN", "The device does not know a command (TRDT)." },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        Run run;

        run_init(&run, SCAN_SOURCE_AUTO);
        run.fake.fault_at = cases[i].at;
        run.fake.fault_nth = 1;
        run.fake.fault = FAKE_CODE;
        run.fake.fault_text = cases[i].code;
        run_on(&run);
        assert_string_equal(run.reason.code, "device-rejected");
        assert_string_equal(run.reason.text, cases[i].text);
        run_done(&run);
    }
}

/* Every cause that a device can report, in each of the places where it can: in STAT before the scan, in the answer
 * to TRDT, in the middle of a page. Names: Epson's source and SANE's epsonds. */
static void every_cause_has_its_name(void **state)
{
    static const char *const causes[][2] = {
        { "PJ  ", "paper-jam" },        { "OPN ", "cover-open" },
        { "DFED", "double-feed" },      { "ERR ", "device-error" },
        { "LTF ", "lamp-error" },       { "LOCK", "carriage-locked" },
        { "DTCL", "tray-closed" },      { "AUTH", "login-failed" },
        { "PERM", "not-permitted" },    { "BTLO", "battery-low" },
        { "CSS ", "carrier-sheet" },    { "ETS ", "sensor-error" },
        { "PPRT", "paper-protection" }, { "SEP ", "separation-lever" },
        { "POSE", "device-position" },  { "GAP ", "sensor-error" },
        { "LIFT", "feeder-raised" },    { "PRMW", "remove-paper" },
        { "STK ", "stacker-full" },     { "PSKW", "paper-skewed" },
        { "PES ", "sensor-error" },     { "PE  ", "no-paper" },
        { "Q?1 ", "device-error" },
    };
    static const struct {
        const char *at, *before;
        unsigned nth;
    } places[] = { { "STAT", "#ERRADF ", 1 },
                   { "TRDT", "#errADF ", 1 },
                   { "IMG ", "#errADF ", 4 } };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(causes) * COUNT_OF(places); i++) {
        const char *cause = causes[i / COUNT_OF(places)][0];
        size_t place = i % COUNT_OF(places);
        char text[32];
        Run run;

        run_init(&run, SCAN_SOURCE_ADF);
        (void)text_printf(text, sizeof text, "%s%s", places[place].before, cause);
        if (place == 0) {
            run.fake.status = text;
        } else {
            run.fake.fault_at = places[place].at;
            run.fake.fault_nth = places[place].nth;
            run.fake.fault = FAKE_TOKENS;
            run.fake.fault_text = text;
        }
        run_on(&run);
        assert_end(&run, SCAN_END_BROKEN, causes[i / COUNT_OF(places)][1], 0);
        assert_true(run.fake.unlocked);
        assert_non_null(strstr(run.reason.text, "(ADF "));
        assert_true(run.reason.remedy[0] != '\0');
        run_done(&run);
    }
}

/* What the device says beside the scan is told, in every state. */
static void every_event_is_told(void **state)
{
    static const struct {
        const char *code, *notice, *reason;
    } events[] = {
        { "\x01", "start", "" },
        { "\x02", "disconnect", "connection-lost" },
        { "\x03", "cancel", "cancelled-at-device" },
        { "\x04", "stop", "" },
        { "\x80", "time-out", "device-timeout" },
        { "\xa0", "rejected", "device-rejected" },
        { "\x77", "unknown", "" },
    };
    static const char *const places[] = { "INFO", "CAPA", "STAT", "TRDT", "IMG ", "read" };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(events) * COUNT_OF(places); i++) {
        size_t event = i / COUNT_OF(places);
        Run run;

        run_init(&run, SCAN_SOURCE_AUTO);
        run.fake.fault_at = places[i % COUNT_OF(places)];
        run.fake.fault_nth = 1;
        run.fake.fault = FAKE_EVENT;
        run.fake.fault_text = events[event].code;
        run_on(&run);
        assert_string_equal(run.notice, events[event].notice);
        assert_string_equal(run.reason.code, events[event].reason);
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

/* A client that died has left the device in a mode: FIN ends it. */
static void a_mode_that_was_left_is_ended(void **state)
{
    static const int modes[] = { ESCI2_AT_INQUIRY_MODE, ESCI2_AT_STATUS_MODE,
                                 ESCI2_AT_CONTROL_MODE };
    static const uint8_t nak = IS_NAK;
    Run run;

    (void)state;
    run_init(&run, SCAN_SOURCE_AUTO);
    run.fake.mode = 'X';
    run_on(&run);
    assert_end(&run, SCAN_END_COMPLETE, "", 2);
    assert_true(text_starts_with(run.fake.log, "lock FS-Y FIN  FS-Y INFO CAPA FIN  FS-Y STAT "));
    run_done(&run);

    run_init(&run, SCAN_SOURCE_AUTO); /* the FIN that should end it says what is wrong */
    run.fake.mode = 'X';
    run.fake.fault_at = "FIN ";
    run.fake.fault_nth = 1;
    run.fake.fault = FAKE_TOKENS;
    run.fake.fault_text = "#errADF OPN ";
    run_on(&run);
    assert_end(&run, SCAN_END_BROKEN, "cover-open", 0);
    assert_string_equal(run.fake.log, "lock FS-Y FIN  unlock ");
    run_done(&run);

    for (size_t i = 0; i < COUNT_OF(modes); i++) {
        run_init(&run, SCAN_SOURCE_AUTO);
        run.chunk = 1;
        take_actions(&run);
        while (scan_session_state(run.session) != modes[i])
            assert_true(feed_some(&run));
        buf_clear(&run.fake.out);
        is_packet_encode(&run.fake.out, IS_PASSTHRU_REPLY, IS_DEVICE_FLAGS, (Bytes){ &nak, 1 });
        Mono before = run.now;
        while (feed_some(&run))
            continue;
        assert_int_equal(scan_session_deadline(run.session).ms, before.ms + SCAN_BUSY_PAUSE_MS);
        run_on(&run);
        assert_end(&run, SCAN_END_COMPLETE, "", 2);
        assert_int_equal(run.fake.parameter_blocks, 1);
        run_done(&run);
    }
}

/* A device that refuses whatever we send gets FIN three times, and is asked for half a minute. */
static void a_mode_that_is_always_refused(void **state)
{
    Run run;

    (void)state;
    run_init(&run, SCAN_SOURCE_AUTO);
    run.fake.fault_at = "mode";
    run.fake.fault_times = 9999;
    run.fake.fault = FAKE_CODE;
    run_on(&run);
    assert_end(&run, SCAN_END_BROKEN, "device-busy", 0);
    assert_true(
        text_starts_with(run.fake.log, "lock FS-Y FIN  FS-Y FIN  FS-Y FIN  FS-Y FS-Y FS-Y FS-Y "));
    assert_true(text_ends_with(run.fake.log, "FS-Y unlock "));
    assert_true(run.now.ms >= SCAN_BUSY_MS && run.now.ms <= SCAN_BUSY_MS + 4000);
    run_done(&run);
}

/* A device that says BUSY for so long, until its first block: how often it was asked, and what it lost by our pauses. */
static void a_busy_device_is_asked_by_how_long_it_takes(void **state)
{
    static const int64_t busy_ms[] = { 20, 100, 400, 3000, 30000 };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(busy_ms); i++) {
        Mono ready = MONO_NEVER;
        int64_t lost_ms = -1;
        unsigned asked = 0;
        Run run;

        run_init(&run, SCAN_SOURCE_AUTO);
        run.fake.fault_at = "IMG ";
        run.fake.fault_nth = 1;
        run.fake.fault_times = 1 << 20;
        run.fake.fault = FAKE_TOKENS;
        run.fake.fault_text = "#nrdBUSY";
        for (int n = 0; !run.ended && n < STEPS_MAX; n++) {
            take_actions(&run);
            if (run.ended || feed_some(&run))
                continue;
            if (ready.ms == MONO_NEVER.ms)
                ready = mono_after(run.now, busy_ms[i]);
            int64_t pause_ms = scan_session_deadline(run.session).ms - run.now.ms;
            bool was_busy = !mono_reached(run.now, ready);
            if (was_busy)
                assert_in_range(pause_ms, SCAN_POLL_MIN_MS, SCAN_POLL_BUSY_MAX_MS);
            run.now.ms += pause_ms;
            asked += was_busy;
            if (was_busy && mono_reached(run.now, ready)) {
                lost_ms = run.now.ms - ready.ms;
                run.fake.fault_times = 0;
            }
            scan_session_tick(run.session, run.now);
        }
        assert_end(&run, SCAN_END_COMPLETE, "", 2);
        assert_in_range(lost_ms, 0, busy_ms[i] / 2 + SCAN_POLL_MIN_MS);
        assert_in_range(lost_ms, 0, SCAN_POLL_BUSY_MAX_MS);
        assert_in_range(asked, busy_ms[i] / SCAN_POLL_BUSY_MAX_MS,
                        busy_ms[i] / SCAN_POLL_BUSY_MAX_MS + 12);
        run_done(&run);
    }
}

/* As many as a capture has seen before a page. In the first half second, in which devices feed the next sheet, there
 * are few. */
static void thousands_of_empty_answers_are_no_stall(void **state)
{
    enum { FEED_MS = 500, FEED_POLLS_MAX = 20 };
    int64_t last_ms = 0, waited_ms = 0;
    int early = 0;
    Run run;

    (void)state;
    run_init(&run, SCAN_SOURCE_AUTO);
    run.fake.empty_polls = 2600;
    for (int polls = 0; !run.ended && polls < 2 * STEPS_MAX; polls++) {
        take_actions(&run);
        if (run.ended || feed_some(&run))
            continue;
        last_ms = scan_session_deadline(run.session).ms - run.now.ms;
        assert_true(last_ms >= SCAN_POLL_MIN_MS && last_ms <= 100);
        waited_ms += last_ms;
        early += waited_ms < FEED_MS;
        run.now.ms += last_ms;
        scan_session_tick(run.session, run.now);
    }
    assert_end(&run, SCAN_END_COMPLETE, "", 2);
    assert_in_range(early, 1, FEED_POLLS_MAX);
    assert_true(last_ms > 2 * SCAN_POLL_MIN_MS);
    run_done(&run);
}

/* The device answers that there is nothing yet until so much time has passed since its last page. */
static void run_slowly(Run *run, int64_t page_ms)
{
    Mono page_at = run->now;
    unsigned pages = 0;

    for (int i = 0; i < STEPS_MAX && !run->ended; i++) {
        if (run->pages > pages)
            page_at = run->now;
        pages = run->pages;
        run->fake.empty_polls = mono_reached(run->now, mono_after(page_at, page_ms)) ? 0 : UINT_MAX;
        take_actions(run);
        if (run->ended || feed_some(run))
            continue;
        run->now = scan_session_deadline(run->session);
        scan_session_tick(run->session, run->now);
    }
    assert_true(run->ended);
}

/* A page a minute is slow; a device that never has a page is stuck, though it answers all the time. */
static void slow_is_told_from_stuck(void **state)
{
    enum { SPARE_MS = 2000 };
    Run run;

    (void)state;
    run_init(&run, SCAN_SOURCE_AUTO);
    run_slowly(&run, 61000);
    assert_end(&run, SCAN_END_COMPLETE, "", 2);
    assert_in_range(run.now.ms, 2 * 61000, 2 * 61000 + 2 * SPARE_MS);
    run_done(&run);

    run_init(&run, SCAN_SOURCE_AUTO);
    run_slowly(&run, INT64_MAX / 2);
    assert_end(&run, SCAN_END_BROKEN, "no-progress", 0);
    assert_in_range(run.now.ms, SCAN_PROGRESS_MS, SCAN_PROGRESS_MS + SPARE_MS);
    assert_true(run.fake.unlocked); /* it is left in order */
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

static void legacy_devices_are_handed_over(void **state)
{
    Run run;

    (void)state;
    run_init(&run, SCAN_SOURCE_AUTO);
    buf_clear(&run.fake.out);
    is_welcome_encode(&run.fake.out, IS_DEVICE_FLAGS, IS_FAMILY_LEGACY);
    run_on(&run);
    assert_true(run.handed_over);
    assert_false(run.closed);
    run_done(&run);
}

static void small_parameter_blocks_are_sent_in_parts(void **state)
{
    Esci2Info info;
    Run run;

    (void)state;
    run_init(&run, SCAN_SOURCE_AUTO);
    run.chunk = 1;
    while (scan_session_state(run.session) != ESCI2_AT_CONTROL_MODE) {
        take_actions(&run);
        assert_true(feed_some(&run));
        take_actions(&run);
    }
    info = run.session->esci2->info;
    info.parameter_block_max = 48;
    run.session->esci2->info = info;
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
    for (int from = 0; from < ESCI2_STATE_MAX_; from++) {
        for (int event = 0; event < SCAN_EVENT_MAX_; event++) {
            const ScanRule *rule = &esci2_rules[from][event];
            Run run;

            run_init(&run, SCAN_SOURCE_AUTO);
            run.session->state = from;
            run.session->esci2->para_block.n = 0;
            buf_put_text(&run.session->esci2->para_block, "#FB ");
            scan_dispatch(run.session, (ScanEvent)event, run.now);
            int want = from == ESCI2_AT_CLOSED || !rule->allowed ? ESCI2_AT_CLOSED : rule->next;
            assert_int_equal(scan_session_state(run.session), want);
            if (rule->allowed && rule->action == SCAN_DO_PAUSE)
                assert_true(run.session->again_at.ms > run.now.ms);
            if (want != ESCI2_AT_CLOSED)
                assert_true(scan_session_deadline(run.session).ms != MONO_NEVER.ms);
            if (rule->allowed && want == ESCI2_AT_CLOSED)
                assert_int_equal(rule->action, SCAN_DO_CLOSE);
            assert_true(from == ESCI2_AT_CLOSED || esci2_patience_ms[from] > 0);
            assert_string_not_equal(esci2_state_name(from), "?");
            assert_string_not_equal(scan_event_name((ScanEvent)event), "?");
            run_done(&run);
        }
    }
    /* Every state that a command is sent in is left when the device is lost, late or wrong. */
    for (int from = 0; from < ESCI2_AT_CLOSED; from++) {
        assert_true(esci2_rules[from][SCAN_EVENT_LOST].allowed);
        assert_true(esci2_rules[from][SCAN_EVENT_LATE].allowed);
        assert_true(esci2_rules[from][SCAN_EVENT_WRONG].allowed);
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
        for (size_t i = 0;
             i < file->count && scan_session_state(run.session) < ESCI2_AT_STATUS_MODE; i++) {
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
        assert_int_equal(scan_session_state(run.session), ESCI2_AT_STATUS_MODE);
        assert_string_equal(run.session->identity.product, devices[d].product);
        Esci2Para para;
        ScanNotes notes;
        Reason reason;
        ScanUnit unit;
        assert_true(scan_plan_unit(&run.session->esci2->info, &run.session->esci2->stat,
                                   SCAN_SOURCE_AUTO, &unit, &reason));
        assert_int_equal(unit, devices[d].unit);
        assert_true(scan_plan_para(&run.session->esci2->info, &run.session->esci2->capa,
                                   &run.session->order, unit, false, &para, &notes, &reason));
        assert_int_equal(para.dpi_main, 300);
        assert_int_equal(para.x_px, devices[d].x_px);
        assert_int_equal(para.width_px, devices[d].width_px);
        run_done(&run);
        free(file);
    }
}

/* RSMS has what the sensor does: between its values the device computes, unless it refuses to. */
static void dpi_may_be_below_what_the_sensor_does(void **state)
{
    static const struct {
        uint32_t wanted;
        bool spare;
        int32_t got;
    } cases[] = { { 200, false, 200 }, { 200, true, 300 },   { 100, false, 150 },
                  { 600, false, 600 }, { 1200, false, 600 }, { 1200, true, 600 } };
    static const char block[] = FAKE_INFO;
    static const char offer[] = "#ADFRSMSLISTd300d600#COLLISTC024#FMTLISTJPG "
                                "#RSMLISTd150d200d300d600i0001200#RSSLISTd150d200d300d600i0001200";

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        ScanOrder order = { .dpi = cases[i].wanted, .jpeg_quality = 80 };
        Esci2Info info;
        Esci2Capa capa;
        Esci2Para para;
        ScanNotes notes;
        Reason reason;

        assert_int_equal(
            esci2_info_decode((Bytes){ (const uint8_t *)block, sizeof block - 1 }, &info), WIRE_OK);
        assert_int_equal(esci2_capa_decode(bytes_of_text(offer), &capa), WIRE_OK);
        assert_true(scan_plan_para(&info, &capa, &order, SCAN_UNIT_ADF, cases[i].spare, &para,
                                   &notes, &reason));
        assert_int_equal(para.dpi_main, cases[i].got);
        assert_int_equal(notes.count, cases[i].wanted == (uint32_t)cases[i].got ? 0 : 1);
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
        ScanOrder order = { .source = SCAN_SOURCE_AUTO,
                            .color = SCAN_COLOR_GRAY,
                            .dpi = cases[i].wanted,
                            .jpeg_quality = 200 };
        Esci2Info info;
        Esci2Capa capa;
        Esci2Para para;
        ScanNotes notes;
        Reason reason;

        assert_int_equal(
            esci2_info_decode((Bytes){ (const uint8_t *)block, sizeof block - 1 }, &info), WIRE_OK);
        assert_int_equal(esci2_capa_decode(bytes_of_text(FAKE_CAPA), &capa), WIRE_OK);
        assert_true(
            scan_plan_para(&info, &capa, &order, SCAN_UNIT_ADF, false, &para, &notes, &reason));
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
        cmocka_unit_test(refusals_are_worded_as_what_they_are),
        cmocka_unit_test(every_cause_has_its_name),
        cmocka_unit_test(every_event_is_told),
        cmocka_unit_test(refused_parameters_are_tried_without_the_optional),
        cmocka_unit_test(a_mode_that_was_left_is_ended),
        cmocka_unit_test(a_mode_that_is_always_refused),
        cmocka_unit_test(a_busy_device_is_asked_by_how_long_it_takes),
        cmocka_unit_test(thousands_of_empty_answers_are_no_stall),
        cmocka_unit_test(slow_is_told_from_stuck),
        cmocka_unit_test(a_page_without_its_end_marker_is_broken),
        cmocka_unit_test(legacy_devices_are_handed_over),
        cmocka_unit_test(small_parameter_blocks_are_sent_in_parts),
        cmocka_unit_test(every_pair_of_state_and_event),
        cmocka_unit_test(captured_inquiries_lead_to_parameters),
        cmocka_unit_test(dpi_may_be_below_what_the_sensor_does),
        cmocka_unit_test(dpi_is_the_nearest_offered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
