/* tests/unit/test-mfp-modes.c - models, sides, faults and pace of the virtual device. */
#include "mfp/drip.h"
#include "mfp/fleet.h"
#include "tests/unit/mfp-talk.h"

#define ADF_JPEG "#ADF#RSMi0000200#RSSi0000200#COLC024#FMTJPG #BSZi1048576"

static MfpUnit unit;
static Talk talk;

static void begin(MfpDuplex duplex, size_t sheets)
{
    talk_unit(&unit, MFP_ADF, sheets);
    unit.kind.duplex = duplex;
    unit.interleaves = duplex == MFP_DUPLEX_INTERLEAVED;
    talk_connect(&talk, &unit);
    talk_lock(&talk);
}

static void end(void)
{
    talk_end(&talk);
    tray_free(unit.tray);
}

static void begin_with(const char *fault)
{
    Err err;

    begin(MFP_SIMPLEX, 3);
    assert_true(fault_parse(fault, &unit.fault, &err));
}

/* ---- models ---- */

/* The data block that a captured device sent as its nth answer (from 0) to this command. */
static Bytes captured(const HexFile *file, const char *code, size_t nth)
{
    for (size_t i = 0; i + 1 < file->count; i++) {
        Bytes header = bytes_after(file->item[i].bytes, IS_HEADER_SIZE);

        if (file->item[i].from_device && header.n == ESCI2_REPLY_SIZE &&
            bytes_start_with(header, code) && nth-- == 0) {
            for (i++; !file->item[i].from_device; i++)
                ;
            return bytes_after(file->item[i].bytes, IS_HEADER_SIZE);
        }
    }
    fail_msg("the capture has no such answer");
    return (Bytes){ 0 };
}

static void models_say_what_real_devices_said(void **state)
{
    static const struct {
        const char *name, *file, *serial;
        bool has_maintenance;
    } cases[] = {
        { "ET-2750", "esci2-et2750-flatbed-inquiry", "", true },
        { "xp-7100", "esci2-xp7100-adf-duplex-frame", "", true },
        { "FF-680W", "esci2-ff680w-adf-duplex-frame", "X5EW260651", false },
        { "DS-575W", "esci2-ds575w-inquiry", "X5PD007972", false },
        { "ET-4800", "esci2-et4800-inquiry", "", true },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        HexFile *file = hexfile_read(cases[i].file);
        ModelKind kind = { .model = model_find(cases[i].name) };
        AUTO_BUF block = buf_with_max(MODEL_BLOCK_MAX);

        assert_non_null(kind.model);
        assert_int_equal(file->item[0].bytes.p[4], kind.model->flags);
        assert_true(model_put_info(&kind, kind.model->product, cases[i].serial, &block));
        assert_bytes_equal(buf_bytes(&block), captured(file, "INFO", 0));
        buf_clear(&block);
        assert_true(model_put_capa(&kind, &block));
        assert_bytes_equal(buf_bytes(&block), captured(file, "CAPA", 0));
        if (cases[i].has_maintenance) {
            buf_clear(&block);
            assert_true(model_put_short_info(&kind, kind.model->product, &block));
            assert_bytes_equal(buf_bytes(&block), captured(file, "INFO", 1));
            buf_clear(&block);
            assert_true(model_put_counters(&kind, &block));
            assert_bytes_equal(buf_bytes(&block), captured(file, "CAPA", 1));
        }
        free(file);
    }
    assert_null(model_find("ET-9999"));
}

static void what_models_offer_is_read_from_their_texts(void **state)
{
    ModelKind xp = { .model = model_find("XP-7100") }, ff = { .model = model_find("FF-680W") };
    ModelKind et = { .model = model_find("ET-2750") };

    (void)state;
    assert_true(model_has_glass(&xp) && model_has_feeder(&xp) && model_turns_backs(&xp));
    assert_true(!model_has_glass(&ff) && model_has_duplex(&ff) && !model_turns_backs(&ff));
    assert_true(model_has_glass(&et) && !model_has_feeder(&et) && !model_has_duplex(&et));
    assert_true(model_offers(&xp, "#FMTLIST", "RAW ") && !model_offers(&ff, "#FMTLIST", "RAW "));
    assert_true(model_offers(&ff, "#ADF", "SKEW") && !model_offers(&xp, "#ADF", "SKEW"));
    assert_true(model_offers(&ff, "#ADF", "DFL3") && !model_offers(&ff, "#COLLIST", "M001"));
    assert_int_equal(model_alignment(&xp, true), 'R');
    assert_int_equal(model_alignment(&ff, true), 'C');
    assert_int_equal(model_alignment(&xp, false), 'L');
}

static void sheet_fed_models_send_their_flags(void **state)
{
    (void)state;
    talk_unit(&unit, MFP_ADF, 1);
    unit.kind.model = model_find("FF-680W");
    talk_connect(&talk, &unit);
    talk_lock(&talk);
    AUTO_BUF packet = buf_with_max(64);
    Bytes payload;
    assert_true(is_passthru_encode(&packet, bytes_of_text("\x1cY"), 1));
    talk_send(&talk, buf_bytes(&packet));
    assert_int_equal(talk_packet(&talk, &payload).flags, 0x38);
    end();
}

/* ---- sides ---- */

/* Sides of the replies to IMG up to the end, "A" or "B", a capital at #pst, "." at #pen. */
static void read_sides(char *ret_sides, size_t size)
{
    size_t at = 0;

    for (;;) {
        const char *reply = talk_image(&talk);
        const char *side = strstr(reply, "#typIMG");
        bool last = strstr(reply, "#lftd000") != NULL;

        assert_non_null(side);
        assert_true(at + 3 < size);
        ret_sides[at++] = (char)(side[7] + (strstr(reply, "#pst") ? 0 : 'a' - 'A'));
        if (strstr(reply, "#pen"))
            ret_sides[at++] = '.';
        uint32_t n = talk_length(reply);
        if (n > 0)
            assert_int_equal(talk_read(&talk, n).n, n);
        if (last)
            break;
    }
    ret_sides[at] = '\0';
}

static void sides_come_one_after_the_other_or_by_turns(void **state)
{
    static const struct {
        MfpDuplex duplex;
        const char *parameters, *sides;
    } cases[] = {
        { MFP_DUPLEX_SEQUENTIAL, ADF_JPEG "#ADFDPLX", "Aaaaa.Bbbbb.Aaaaa.Bbbbb." },
        { MFP_DUPLEX_INTERLEAVED, ADF_JPEG "#ADFDPLX", "ABabababa.b.ABabababa.b." },
        { MFP_DUPLEX_SEQUENTIAL, ADF_JPEG, "Aaaaa.Aaaaa." },
        { MFP_DUPLEX_SEQUENTIAL, ADF_JPEG "#ADFDPLX#PAGd002", "Aaaaa.Bbbbb." },
    };
    char sides[64];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        begin(cases[i].duplex, 2);
        talk_start(&talk, cases[i].parameters);
        read_sides(sides, sizeof sides);
        assert_string_equal(sides, cases[i].sides);
        end();
    }
}

/* Each page comes when so many are through the feeder, a back as well. The first block of a page
 * that comes in turn with another one waits as well. */
static void sides_wait_for_the_feeder(void **state)
{
    static const char *const starts[] = { "#psti0001687d000i0002190#typIMGA",
                                          "#psti0001687d000i0002190#typIMGB" };
    enum { PAGE_MS = 60000, EARLY_MS = 1 };

    (void)state;
    for (MfpDuplex duplex = MFP_DUPLEX_SEQUENTIAL; duplex <= MFP_DUPLEX_INTERLEAVED; duplex++) {
        begin(duplex, 1);
        unit.page_ms = PAGE_MS;
        talk_start(&talk, ADF_JPEG "#ADFDPLX");
        const Mono begun = talk.now;
        for (int i = 0; i < SCANNER_EMPTY_POLLS; i++)
            (void)talk_command(&talk, "IMG ", "");
        for (int page = 0; page < SCANNER_SIDES; page++) {
            const char *reply;

            talk.now = mono_after(begun, (page + 1) * (int64_t)PAGE_MS - EARLY_MS);
            do { /* what is left of the former page */
                reply = talk_command(&talk, "IMG ", "");
            } while (strstr(reply, "#typ"));
            assert_string_equal(reply, "IMG x0000000");
            talk.now = mono_after(talk.now, EARLY_MS);
            reply = talk_command(&talk, "IMG ", "");
            assert_non_null(strstr(reply, starts[page]));
        }
        end();
    }
}

static void one_sided_devices_refuse_two(void **state)
{
    (void)state;
    begin(MFP_SIMPLEX, 1);
    assert_true(talk_mode(&talk, 'X'));
    assert_string_equal(talk_command(&talk, "PARA", ADF_JPEG "#ADFDPLX"), "PARAx0000000#parFAIL");
    end();
}

/* ---- faults ---- */

/* Fetches the page with this number and the first block of the next one. */
static void fetch_into_page(uint32_t page)
{
    for (uint32_t i = 1; i < page; i++) {
        AUTO_BUF bytes = buf_with_max(TALK_PAGE_BYTES);
        (void)talk_page(&talk, &bytes);
    }
    assert_int_equal(talk_read(&talk, talk_length(talk_image(&talk))).n, 613);
}

static void every_cause_is_said_with_its_word(void **state)
{
    static const char *const words =
        "PJ  OPN DFEDERR LTF LOCKDTCLAUTHPERMBTLOCSS ETS PPRTSEP POSEGAP "
        "LIFTPRMWSTK PSKWPES ";
    size_t causes = 0;

    (void)state;
    for (size_t i = 0; fault_at(i); i++) {
        const FaultKind *kind = fault_at(i);
        char fault[64], reply[64];

        if (kind->effect != FAULT_CAUSE)
            continue;
        assert_memory_equal(kind->word, words + 4 * causes++, 4);
        begin_with(kind->name); /* it stands from the beginning */
        assert_true(talk_mode(&talk, 'X'));
        assert_string_equal(talk_command(&talk, "STAT", ""), "STATx000000C");
        (void)snprintf(reply, sizeof reply, "#ERRADF %s", kind->word);
        assert_bytes_equal(talk_read(&talk, 12), bytes_of_text(reply));
        assert_string_equal(talk_command(&talk, "PARA", ADF_JPEG), "PARAx0000000#parOK  ");
        (void)snprintf(reply, sizeof reply, "TRDTx0000000#errADF %s", kind->word);
        assert_string_equal(talk_command(&talk, "TRDT", ""), reply);
        (void)snprintf(reply, sizeof reply, "IMG x0000000#errADF %s", kind->word);
        assert_string_equal(talk_command(&talk, "IMG ", ""),
                            reply); /* some look for it here only */
        assert_string_equal(talk_command(&talk, "IMG ", ""), reply);
        fault_clear(&unit.fault);
        assert_memory_equal(talk_command(&talk, "IMG ", ""), "INVD",
                            4); /* nothing to say, no scan */
        assert_string_equal(talk_command(&talk, "TRDT", ""), "TRDTx0000000");
        end();
        (void)snprintf(fault, sizeof fault, "%s@2", kind->name);
        begin_with(fault);
        talk_start(&talk, ADF_JPEG);
        fetch_into_page(2);
        (void)snprintf(reply, sizeof reply, "IMG x0000000#errADF %s", kind->word);
        assert_string_equal(talk_image(&talk), reply);
        assert_ptr_equal(unit.fault.standing, kind);
        assert_int_equal(talk.notes[talk.note_count - 1].outcome, SCAN_FAULT);
        assert_int_equal(talk.notes[talk.note_count - 1].pages, 1);
        assert_string_equal(talk.notes[talk.note_count - 2].fault, kind->name);
        end();
    }
    assert_int_equal(4 * causes, strlen(words));
}

static void the_connection_ends_within_a_block(void **state)
{
    (void)state;
    begin_with("drop@2");
    talk_start(&talk, ADF_JPEG);
    fetch_into_page(2);
    AUTO_BUF read = buf_with_max(64);
    assert_string_equal(talk_image(&talk), "IMG x0015240#typIMGA");
    assert_true(is_passthru_encode(&read, (Bytes){ 0 }, 86592));
    talk_send(&talk, buf_bytes(&read));
    assert_true(talk.closed);
    Bytes left = bytes_after(buf_bytes(&talk.out), talk.taken.n);
    assert_int_equal(left.n, IS_HEADER_SIZE + 86592 / 2);
    assert_memory_equal(left.p + 6, "\0\1\x52\x40", 4); /* the header promised all of it */
    assert_false(unit.scanning);
    end();
}

static void events_end_the_session(void **state)
{
    static const struct {
        const char *fault, *code;
    } cases[] = { { "server-error", "\xa0" },
                  { "time-out@1", "\x80" },
                  { "disconnect@1", "\x02" } };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_BUF packet = buf_with_max(64);

        begin_with(cases[i].fault);
        talk_start(&talk, ADF_JPEG);
        fetch_into_page(1);
        assert_true(is_passthru_encode(&packet, bytes_of_text("IMG x0000000"), 64));
        talk_send(&talk, buf_bytes(&packet));
        talk_expect(&talk, IS_EVENT, cases[i].code, 1);
        assert_true(talk.closed && talk_is_silent(&talk));
        assert_false(unit.scanning);
        assert_null(unit.lock_owner);
        end();
    }
}

static void refusals_and_waits(void **state)
{
    (void)state;
    begin_with("busy");
    assert_true(talk_mode(&talk, 'Y'));
    for (int i = 0; i < FAULT_WAITS; i++)
        assert_string_equal(talk_command(&talk, "INFO", ""), "INFOx0000000#nrdBUSY");
    assert_true(talk_length(talk_command(&talk, "INFO", "")) > 0);
    end();
    begin_with("warming-up@1");
    talk_start(&talk, ADF_JPEG);
    fetch_into_page(1);
    for (int i = 0; i < FAULT_WAITS; i++)
        assert_string_equal(talk_command(&talk, "IMG ", ""), "IMG x0000000#nrdWUP ");
    assert_string_equal(talk_command(&talk, "IMG ", ""), "IMG x0015240#typIMGA");
    end();
    begin_with("auth-needed");
    assert_true(talk_mode(&talk, 'X'));
    for (int i = 0; i < 5; i++)
        assert_string_equal(talk_command(&talk, "TRDT", ""), "TRDTx0000000#nrdAFEN");
    assert_string_equal(talk_command(&talk, "IMG ", ""), "IMG x0000000#nrdAFEN");
    assert_string_equal(talk_command(&talk, "FIN ", ""), "FIN x0000000");
    assert_true(talk_mode(&talk, 'X'));
    assert_memory_equal(talk_command(&talk, "IMG ", ""), "INVD", 4); /* of another session */
    end();
    begin_with("parameters");
    assert_true(talk_mode(&talk, 'X'));
    assert_string_equal(talk_command(&talk, "PARA", ADF_JPEG), "PARAx0000000#parFAIL");
    end();
    begin_with("empty@2");
    talk_start(&talk, ADF_JPEG);
    fetch_into_page(2);
    assert_string_equal(talk_image(&talk), "IMG x0000000#errADF PE  ");
    assert_string_equal(talk_command(&talk, "TRDT", ""), "TRDTx0000000#errADF PE  ");
    fault_clear(&unit.fault);
    assert_string_equal(talk_command(&talk, "TRDT", ""), "TRDTx0000000");
    end();
}

static void wrong_faults_are_explained(void **state)
{
    Fault fault;
    Err err = { 0 };

    (void)state;
    assert_false(fault_parse("jma", &fault, &err));
    assert_non_null(strstr(err.remedy, "Did you mean jam?"));
    assert_false(fault_parse("jam@0", &fault, &err));
    assert_non_null(strstr(err.text, "a page from 1"));
    assert_false(fault_parse("jam@x", &fault, &err));
    assert_false(fault_parse("reserved@3", &fault, &err));
    assert_non_null(strstr(err.text, "reserved happens before the first page"));
    assert_false(fault_parse("parameters@1", &fault, &err));
    assert_true(fault_parse("reserved", &fault, &err));
    assert_true(fault_parse("drop", &fault, &err));
    assert_int_equal(fault.page, 1); /* there is nothing to drop before */
}

static void informational_events_come_before_the_reply(void **state)
{
    AUTO_BUF packet = buf_with_max(64);
    Bytes reply;

    (void)state;
    begin(MFP_SIMPLEX, 1);
    unit.says_events = true;
    assert_true(talk_mode(&talk, 'X'));
    assert_string_equal(talk_command(&talk, "PARA", ADF_JPEG), "PARAx0000000#parOK  ");
    assert_true(is_passthru_encode(&packet, bytes_of_text("TRDTx0000000"), 64));
    talk_send(&talk, buf_bytes(&packet));
    talk_expect(&talk, IS_EVENT, "\x01", 1);
    assert_int_equal(talk_packet(&talk, &reply).type, IS_PASSTHRU_REPLY);
    assert_true(bytes_start_with(reply, "TRDT"));
    end();
}

/* ---- pace, many devices ---- */

static void bytes_leave_drop_by_drop(void **state)
{
    DripRule rule = { .bytes = 6, .delay_ms = 10, .split = true };
    static const size_t sizes[] = { 5, 6, 4 };
    Mono now = { 100 };
    Drip drip;
    Bytes piece;

    (void)state;
    assert_false(drip_is_used(&(DripRule){ 0 }));
    drip_init(&drip, &rule);
    assert_int_equal(drip_deadline(&drip).ms, MONO_NEVER.ms);
    assert_true(drip_put(&drip, bytes_of_text("123456789012345"), now));
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        assert_false(drip_next(&drip, now, &piece));
        now = drip_deadline(&drip);
        assert_int_equal(now.ms, 110 + 10 * (int64_t)i);
        assert_true(drip_next(&drip, now, &piece));
        assert_int_equal(piece.n, sizes[i]);
        assert_int_equal(piece.p[0], "162"[i]);
        drip_sent(&drip, piece, now);
    }
    assert_true(drip_is_empty(&drip));
    drip_done(&drip);
}

static void serials_are_counted_up(void **state)
{
    char serial[SCANNER_SERIAL_SIZE];

    (void)state;
    assert_true(fleet_serial("VIRTUAL001", 0, serial));
    assert_string_equal(serial, "VIRTUAL001");
    assert_true(fleet_serial("VIRTUAL001", 999 - 1, serial));
    assert_string_equal(serial, "VIRTUAL999");
    assert_false(fleet_serial("VIRTUAL001", 999, serial));
    assert_true(fleet_serial("A099", 12, serial));
    assert_string_equal(serial, "A111");
    assert_true(fleet_serial("X", 0, serial));
    assert_false(fleet_serial("X", 1, serial));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(models_say_what_real_devices_said),
        cmocka_unit_test(what_models_offer_is_read_from_their_texts),
        cmocka_unit_test(sheet_fed_models_send_their_flags),
        cmocka_unit_test(sides_come_one_after_the_other_or_by_turns),
        cmocka_unit_test(sides_wait_for_the_feeder),
        cmocka_unit_test(one_sided_devices_refuse_two),
        cmocka_unit_test(every_cause_is_said_with_its_word),
        cmocka_unit_test(the_connection_ends_within_a_block),
        cmocka_unit_test(events_end_the_session),
        cmocka_unit_test(refusals_and_waits),
        cmocka_unit_test(wrong_faults_are_explained),
        cmocka_unit_test(informational_events_come_before_the_reply),
        cmocka_unit_test(bytes_leave_drop_by_drop),
        cmocka_unit_test(serials_are_counted_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
