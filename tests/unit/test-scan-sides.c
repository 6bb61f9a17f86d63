/* tests/unit/test-scan-sides.c - pages of every kind in the scan session: two sides, one after the other or in
 * turn; raw lines; sizes that are told at the end. */
#include "device/scan-reason.h"
#include "tests/unit/scan-run.h"

/* Two sensors, backs upright, 1 bit and lines; the last sheet first. */
#define ONE_PASS_INFO                                                                  \
    "#ADFTYPEPAGE#ADFDPLX1SCN#ADFFORDPFN1#ADFALGNLEFT#ADFAREAd850i0001400#ADFRESOd600" \
    "#IMXi0065535i0065535#PRDh010PID 0169        #VERh008FB  2.00#DSZi0001536"
#define RAW_ONLY_CAPA                                                                  \
    "#ADFDPLX#ADFDFL1DFL3#ADFRSMSLISTd200d300#COLLISTC024M001M008#FMTLISTRAW #THRRANG" \
    "d000d255#GMMLISTUG10UG18#RSMLISTd200d300#RSSLISTd200d300"

static void begin(Run *run, ScanSides sides, ScanColor color)
{
    run_init_order(run,
                   &(ScanOrder){ .color = color, .dpi = 300, .jpeg_quality = 90, .sides = sides });
}

static void both_sides_of_each_sheet_come(void **state)
{
    Run run;

    (void)state;
    begin(&run, SCAN_SIDES_TWO, SCAN_COLOR_COLOR);
    run.fake.pages = 4;
    run_on(&run);
    assert_end(&run, SCAN_END_COMPLETE, "", 4);
    assert_string_equal(run.order, "1A< 1A> 2B< 2B> 3A< 3A> 4B< 4B> ");
    assert_true(esci2_words_have(&run.fake.para.options, "DPLX"));
    assert_int_equal(run.notes.rotation, 180); /* 2SCN: the feeder turns the sheet */
    assert_false(run.notes.last_first);
    run_done(&run);

    begin(&run, SCAN_SIDES_TWO, SCAN_COLOR_COLOR);
    run.fake.pages = 4;
    run.fake.in_turn = true;
    run.fake.info = ONE_PASS_INFO;
    run_on(&run);
    assert_end(&run, SCAN_END_COMPLETE, "", 4);
    assert_string_equal(run.order, "1A< 2B< 1A> 2B> 3A< 4B< 3A> 4B> ");
    assert_int_equal(run.notes.rotation, 0); /* 1SCN: two sensors */
    assert_true(run.notes.last_first);
    run_done(&run);
}

static void backs_are_turned_as_the_settings_say(void **state)
{
    static const uint32_t turned[DEVICE_BACK_MAX_][2] = { { 180, 0 }, { 0, 0 }, { 180, 180 } };
    const ScanOrder order = { .color = SCAN_COLOR_COLOR, .dpi = 300, .sides = SCAN_SIDES_TWO };
    Run run;

    (void)state;
    for (int set = 0; set < DEVICE_BACK_MAX_; set++)
        for (int one_pass = 0; one_pass < 2; one_pass++) {
            run_init_order_as(&run, &order,
                              &(ScanTraits){ .back_rotation = (DeviceBackRotation)set });
            run.fake.pages = 2;
            if (one_pass)
                run.fake.info = ONE_PASS_INFO;
            run_on(&run);
            assert_end(&run, SCAN_END_COMPLETE, "", 2);
            assert_int_equal(run.notes.rotation, turned[set][one_pass]);
            run_done(&run);
        }
}

static void one_side_where_two_cannot_be_had(void **state)
{
    Run run;

    (void)state;
    begin(&run, SCAN_SIDES_TWO, SCAN_COLOR_COLOR);
    run.fake.feeder_empty = true; /* a glass has one side */
    run_on(&run);
    assert_end(&run, SCAN_END_COMPLETE, "", 1);
    assert_int_equal(run.fake.para.options.count, 0);
    run_done(&run);

    begin(&run, SCAN_SIDES_TWO, SCAN_COLOR_COLOR);
    run.fake.capa = "#ADFRSMSLISTd300#COLLISTC024#FMTLISTJPG #RSMLISTd300#RSSLISTd300";
    run_on(&run);
    assert_end(&run, SCAN_END_COMPLETE, "", 2);
    assert_int_equal(run.fake.para.options.count, 0);
    run_done(&run);
}

static void double_feeds_are_watched_where_two_sides_need_it(void **state)
{
    Run run;

    (void)state;
    begin(&run, SCAN_SIDES_TWO, SCAN_COLOR_GRAY);
    run.fake.capa = "#ADFDPLX#ADFDFL1DFL3#ADFRSMSLISTd300#COLLISTC024M008#FMTLISTJPG #RSMLISTd300"
                    "#RSSLISTd300";
    run_on(&run);
    assert_end(&run, SCAN_END_COMPLETE, "", 2);
    assert_true(esci2_words_have(&run.fake.para.options, "DFL1"));
    assert_true(esci2_words_have(&run.fake.para.options, "DPLX"));
    run_done(&run);
}

/* What "asked for more" means while two pages are open: nothing is sent from the end of a page until that page
 * is stored; the other side is not ended by it and goes on afterwards. */
static void the_end_of_one_side_is_acknowledged_alone(void **state)
{
    Run run;

    (void)state;
    begin(&run, SCAN_SIDES_TWO, SCAN_COLOR_COLOR);
    run.fake.in_turn = true;
    run.store_by_hand = true;
    run_on(&run);
    assert_string_equal(run.order, "1A< 2B< 1A> ");
    assert_int_equal(scan_session_state(run.session), ESCI2_AT_STORING);
    size_t before = strlen(run.fake.log);
    run.now.ms += 100000;
    scan_session_tick(run.session, run.now);
    take_actions(&run);
    assert_int_equal(strlen(run.fake.log), before);
    assert_true(run.page_open[1]);
    scan_session_page_stored(run.session, true, NULL, run.now);
    run_on(&run);
    assert_string_equal(run.order, "1A< 2B< 1A> 2B> ");
    scan_session_page_stored(run.session, true, NULL, run.now);
    run_on(&run);
    assert_end(&run, SCAN_END_COMPLETE, "", 2);
    run_done(&run);
}

/* The front is stored and the back still comes: what ends the scan now drops the back and keeps the front. */
static void a_half_sheet_keeps_the_side_that_was_stored(void **state)
{
    static const struct {
        FakeFault fault;
        const char *text, *code;
        ScanEnd end;
        bool unlocked;
    } cases[] = {
        { FAKE_TOKENS, "#errADF PJ  ", "paper-jam", SCAN_END_BROKEN, true },
        { FAKE_TOKENS, "#errADF PE  ", "no-paper", SCAN_END_BROKEN, true },
        { FAKE_TOKENS, "#atnCAN ", "cancelled-at-device", SCAN_END_CANCELLED, true },
        { FAKE_EVENT, "\x80", "device-timeout", SCAN_END_BROKEN, false },
        { FAKE_CLOSE, NULL, "connection-lost", SCAN_END_BROKEN, false },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        Run run;

        /* IMG 1-2 empty, then A and B in turn: three blocks each, the end of A, empty, empty, the end of B. */
        begin(&run, SCAN_SIDES_TWO, SCAN_COLOR_COLOR);
        run.fake.in_turn = true;
        run.fake.fault_at = "IMG ";
        run.fake.fault_nth = 10;
        run.fake.fault = cases[i].fault;
        run.fake.fault_text = cases[i].text;
        run_on(&run);
        assert_string_equal(run.order, "1A< 2B< 1A> 2B- ");
        assert_end(&run, cases[i].end, cases[i].code, 1);
        assert_int_equal(run.fake.unlocked, cases[i].unlocked);
        run_done(&run);
    }
}

/* A page that cannot be stored ends the scan at once, with the other side open: no CAN, no FIN. */
static void a_side_that_cannot_be_stored_ends_the_scan(void **state)
{
    Run run;

    (void)state;
    begin(&run, SCAN_SIDES_TWO, SCAN_COLOR_COLOR);
    run.fake.in_turn = true;
    run.store_fails_at = 1;
    run_on(&run);
    assert_end(&run, SCAN_END_BROKEN, "disk-full", 1);
    assert_string_equal(run.order, "1A< 2B< 1A> 2B- ");
    assert_true(text_ends_with(run.fake.log, "IMG  "));
    run_done(&run);
}

/* The host stops at the end of the page in progress: a sheet that has begun is taken whole. */
static void stopping_waits_for_both_sides(void **state)
{
    Run run;

    (void)state;
    begin(&run, SCAN_SIDES_TWO, SCAN_COLOR_COLOR);
    run.fake.in_turn = true;
    run.fake.pages = 4;
    run.stop_at_page = 1;
    run_on(&run);
    assert_end(&run, SCAN_END_BROKEN, "server-stopping", 2);
    assert_string_equal(run.order, "1A< 2B< 1A> 2B> ");
    assert_true(run.fake.unlocked);
    run_done(&run);
}

static void a_cut_at_every_byte_of_two_sides(void **state)
{
    size_t total;
    Run run;

    (void)state;
    for (size_t cut = total = NEVER_CUT; cut <= total; cut = total == NEVER_CUT ? 0 : cut + 7) {
        begin(&run, SCAN_SIDES_TWO, SCAN_COLOR_COLOR);
        run.fake.in_turn = true;
        run.fake.page_size = 300;
        run.fake.block_size = 200;
        run.cut = cut;
        run_on(&run);
        assert_true(run.pages <= 2);
        if (run.pages < 2)
            assert_end(&run, SCAN_END_BROKEN, "connection-lost", run.pages);
        else
            assert_end(&run, SCAN_END_COMPLETE, "", 2);
        if (total == NEVER_CUT) {
            total = run.received;
            cut = 0;
        }
        run_done(&run);
    }
}

/* --- lines ---------------------------------------------------------------------------------------- */

typedef struct RawCase {
    ScanColor color;
    const char *word;
    uint32_t width, padding, line_bytes, channels, bits;
    RawOrder order;
} RawCase;

/* 144 pixels in colour and 89 lines of 432 bytes are those of a recorded session (SANE 1.2.1). */
static const RawCase raw_cases[] = {
    { SCAN_COLOR_COLOR, "C024", 144, 0, 432, 3, 8, RAW_ORDER_RGB },
    { SCAN_COLOR_GRAY, "M008", 1687, 1, 1688, 1, 8, RAW_ORDER_GRAY },
    { SCAN_COLOR_BW, "M001", 1687, 3, 214, 1, 1, RAW_ORDER_GRAY },
};

static void begin_raw(Run *run, const RawCase *c, uint32_t lines)
{
    begin(run, SCAN_SIDES_ONE, c->color);
    run->fake.info = ONE_PASS_INFO;
    run->fake.capa = RAW_ONLY_CAPA;
    run->fake.raw_width = c->width;
    run->fake.raw_padding = c->padding;
    run->fake.page_size = (size_t)c->line_bytes * lines;
    run->fake.end_width = c->width;
    run->fake.end_height = lines;
}

static void lines_are_kept_as_they_come(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(raw_cases); i++) {
        const RawCase *c = &raw_cases[i];
        Run run;

        begin_raw(&run, c, 37);
        run_on(&run);
        assert_end(&run, SCAN_END_COMPLETE, "", 2);
        assert_string_equal(run.fake.para.format, "RAW ");
        assert_string_equal(run.fake.para.color, c->word);
        assert_int_equal(run.fake.para.jpeg_quality, 0);
        assert_string_equal(run.fake.para.gamma, c->color == SCAN_COLOR_BW ? "UG10" : "UG18");
        assert_int_equal(run.raw.width_px, c->width);
        assert_int_equal(run.raw.height_px, 37);
        assert_int_equal(run.raw.line_bytes, c->line_bytes);
        assert_int_equal(run.raw.channels, c->channels);
        assert_int_equal(run.raw.bits, c->bits);
        assert_int_equal(run.raw.order, c->order);
        assert_int_equal(run.raw.dpi, 300);
        assert_int_equal(run.notes.crop_height_px, 0);
        run_done(&run);
    }
}

static void one_bit_is_taken_as_lines_where_there_is_jpeg_too(void **state)
{
    Run run;

    (void)state;
    begin(&run, SCAN_SIDES_TWO, SCAN_COLOR_BW); /* a device with both formats and M001 */
    run.fake.raw_width = 80;
    run.fake.page_size = 10 * 50;
    run.fake.end_width = 80;
    run.fake.end_height = 50;
    run.fake.in_turn = true;
    run_on(&run);
    assert_end(&run, SCAN_END_COMPLETE, "", 2);
    assert_string_equal(run.fake.para.format, "RAW ");
    assert_string_equal(run.fake.para.color, "M001");
    assert_int_equal(run.raw.bits, 1);
    run_done(&run);

    begin(&run, SCAN_SIDES_ONE, SCAN_COLOR_BW); /* a device with JPEG only: grey */
    run.fake.capa = "#ADFRSMSLISTd300#COLLISTC024M008#FMTLISTJPG #RSMLISTd300#RSSLISTd300";
    run_on(&run);
    assert_end(&run, SCAN_END_COMPLETE, "", 2);
    assert_string_equal(run.fake.para.format, "JPG ");
    assert_string_equal(run.fake.para.color, "M008");
    run_done(&run);
}

/* The length of the sheet is known at its end: fewer lines than announced came, or more than are real. */
static void the_real_size_is_told_at_the_end(void **state)
{
    Run run;

    (void)state;
    begin_raw(&run, &raw_cases[1], 38);
    run.fake.end_height = 31;
    run.fake.end_width = 1600;
    run_on(&run);
    assert_end(&run, SCAN_END_COMPLETE, "", 2);
    assert_int_equal(run.raw.height_px, 38); /* the file holds what came */
    assert_int_equal(run.notes.crop_width_px, 1600);
    assert_int_equal(run.notes.crop_height_px, 31);
    run_done(&run);

    begin_raw(&run, &raw_cases[1], 38);
    run.fake.end_height = 39; /* a line is missing */
    run_on(&run);
    assert_end(&run, SCAN_END_BROKEN, "page-broken", 0);
    assert_int_equal(run.dropped, 1);
    assert_true(run.fake.unlocked);
    run_done(&run);

    begin_raw(&run, &raw_cases[1], 38);
    run.fake.page_size++; /* half a line */
    run_on(&run);
    assert_end(&run, SCAN_END_BROKEN, "page-broken", 0);
    run_done(&run);

    begin(&run, SCAN_SIDES_ONE, SCAN_COLOR_COLOR); /* as an FF-680W told: 1687x2190 -> 1684x2182 */
    run.fake.end_width = 2477;
    run.fake.end_height = 3499;
    run_on(&run);
    assert_end(&run, SCAN_END_COMPLETE, "", 2);
    assert_int_equal(run.notes.crop_width_px, 2477);
    assert_int_equal(run.notes.crop_height_px, 3499);
    run_done(&run);

    begin(&run, SCAN_SIDES_ONE, SCAN_COLOR_COLOR);
    run_on(&run);
    assert_int_equal(run.notes.crop_width_px, 0); /* what was announced */
    assert_int_equal(run.notes.crop_height_px, 0);
    run_done(&run);
}

static void lines_without_their_size_are_no_page(void **state)
{
    static const char *const starts[] = { "#psti0000000d000i0000010#typIMGA",
                                          "#psti0000080i9999999i0000010#typIMGA#---",
                                          "#psti9999999d000i0000010#typIMGA" };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(starts); i++) {
        Run run;

        begin_raw(&run, &raw_cases[1], 38);
        run.fake.fault_at = "IMG ";
        run.fake.fault_nth = 3;
        run.fake.fault = FAKE_TOKENS;
        run.fake.fault_text = starts[i];
        run_on(&run);
        if (run.reason.code[0] == '\0')
            print_error("case %zu was taken\n", i);
        assert_end(&run, SCAN_END_BROKEN, "page-broken", 0);
        assert_true(run.fake.unlocked);
        run_done(&run);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_sides_of_each_sheet_come),
        cmocka_unit_test(backs_are_turned_as_the_settings_say),
        cmocka_unit_test(one_side_where_two_cannot_be_had),
        cmocka_unit_test(double_feeds_are_watched_where_two_sides_need_it),
        cmocka_unit_test(the_end_of_one_side_is_acknowledged_alone),
        cmocka_unit_test(a_half_sheet_keeps_the_side_that_was_stored),
        cmocka_unit_test(a_side_that_cannot_be_stored_ends_the_scan),
        cmocka_unit_test(stopping_waits_for_both_sides),
        cmocka_unit_test(a_cut_at_every_byte_of_two_sides),
        cmocka_unit_test(lines_are_kept_as_they_come),
        cmocka_unit_test(one_bit_is_taken_as_lines_where_there_is_jpeg_too),
        cmocka_unit_test(the_real_size_is_told_at_the_end),
        cmocka_unit_test(lines_without_their_size_are_no_page),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
