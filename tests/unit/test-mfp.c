/* tests/unit/test-mfp.c - the virtual device: one client's conversation, from orderly to hostile. */
#include "tests/unit/mfp-talk.h"

#define ADF_JPEG "#ADF#RSMi0000200#RSSi0000200#COLC024#FMTJPG #BSZi1048576"
#define FB_JPEG  "#FB #RSMi0000200#RSSi0000200#COLC024#FMTJPG #BSZi1048576"
#define PAGE_END "IMG x0000000#peni0001687i0002190"

static MfpUnit unit;
static Talk talk;

static int end(void **state)
{
    (void)state;
    talk_end(&talk);
    tray_free(unit.tray);
    return 0;
}

static int adf_of_two(void **state)
{
    (void)state;
    talk_unit(&unit, MFP_ADF, 2);
    talk_connect(&talk, &unit);
    return 0;
}

static int adf_locked(void **state)
{
    adf_of_two(state);
    talk_lock(&talk);
    return 0;
}

static int adf_scanning(void **state)
{
    adf_locked(state);
    talk_start(&talk, ADF_JPEG);
    return 0;
}

static int adf_empty(void **state)
{
    (void)state;
    talk_unit(&unit, MFP_ADF, 0);
    talk_connect(&talk, &unit);
    talk_lock(&talk);
    return 0;
}

static int flatbed_locked(void **state)
{
    (void)state;
    talk_unit(&unit, MFP_FLATBED, 0);
    talk_connect(&talk, &unit);
    talk_lock(&talk);
    return 0;
}

/* The notes so far: begin, so many pages, each acknowledged but the last one of a broken scan, and
 * this end. */
static void assert_scan(uint32_t pages, ScanOutcome outcome)
{
    size_t at = 0;

    assert_int_equal(talk.notes[at++].kind, NOTE_BEGIN);
    for (uint32_t i = 1; i <= pages; i++) {
        assert_int_equal(talk.notes[at].kind, NOTE_PAGE);
        assert_int_equal(talk.notes[at++].pages, i);
        if (i == pages && outcome == SCAN_BROKEN)
            continue;
        assert_int_equal(talk.notes[at].kind, NOTE_ACKNOWLEDGED);
        assert_int_equal(talk.notes[at++].pages, i);
    }
    assert_int_equal(talk.notes[at].kind, NOTE_END);
    assert_int_equal(talk.notes[at].pages, pages);
    assert_int_equal(talk.notes[at++].outcome, outcome);
    assert_int_equal(talk.note_count, at);
    assert_false(unit.scanning);
}

static void fetch_page(const char *last_reply)
{
    AUTO_BUF page = buf_with_max(TALK_PAGE_BYTES);

    assert_string_equal(talk_page(&talk, &page), last_reply);
    assert_int_equal(page.n, TALK_PAGE_BYTES);
    assert_bytes_equal(buf_bytes(&page), tray_glass(unit.tray)->file);
}

/* ---- recorded clients ---- */

/* Feeds what SANE sent, in pieces of so many bytes, and collects the pages from the answers. */
static void scan_like_sane(size_t piece)
{
    HexFile *sane = hexfile_read("mfp-sane-two-sheets");
    HexFile *small = hexfile_read("mfp-small-page");
    AUTO_BUF image = buf_with_max(TALK_OUT_MAX);
    AUTO_BUF all = buf_with_max(HEXFILE_BYTES_MAX);
    Bytes payload;
    Err err;

    unit = (MfpUnit){ .product = "PID 1147", .serial = "VIRTUAL001", .tray = tray_new(&err) };
    assert_true(tray_add(unit.tray, small->item[0].bytes, &err));
    tray_load(unit.tray, 2);
    talk_connect(&talk, &unit);
    for (size_t i = 0; i < sane->count; i++)
        assert_true(buf_put(&all, sane->item[i].bytes));
    for (Bytes left = buf_bytes(&all); left.n > 0; left = bytes_after(left, piece))
        talk_send(&talk, (Bytes){ left.p, left.n < piece ? left.n : piece });
    talk_expect(&talk, IS_LOCK_REPLY, "\x06", 1);
    talk_expect(&talk, IS_PASSTHRU_REPLY, "\x06", 1);
    for (size_t i = 2; i + 1 < sane->count; i++) {
        uint32_t wanted = (uint32_t)sane->item[i].bytes.p[18] << 8 | sane->item[i].bytes.p[19];
        assert_int_equal(talk_packet(&talk, &payload).type, IS_PASSTHRU_REPLY);
        assert_int_equal(payload.n, wanted);
        if (i > 12 && wanted != ESCI2_REPLY_SIZE) /* behind TRDT, pure reads fetch image data */
            assert_true(buf_put(&image, payload));
    }
    talk_expect(&talk, IS_UNLOCK_REPLY, "", 0);
    assert_true(talk_is_silent(&talk));
    assert_scan(2, SCAN_DONE);
    assert_int_equal(image.n, 2 * small->item[0].bytes.n);
    for (size_t i = 0; i < 2; i++)
        assert_memory_equal(image.p + i * small->item[0].bytes.n, small->item[0].bytes.p,
                            small->item[0].bytes.n);
    free(sane);
    free(small);
    end(NULL);
}

static void sane_gets_its_pages(void **state)
{
    (void)state;
    scan_like_sane(100000); /* everything in one segment */
    scan_like_sane(1);      /* drop by drop              */
    scan_like_sane(7);
    scan_like_sane(12);
}

/* Epson's driver on an XP-7100: lock, three kinds of inquiry, unlock. Its polls of image data belong
 * to another scan; without one they are not valid now, which is an answer as well. */
static void epson_driver_gets_an_answer_to_everything(void **state)
{
    HexFile *driver = hexfile_read("esci2-xp7100-adf-duplex-frame");
    size_t questions = 0;
    Bytes payload;

    (void)state;
    for (size_t i = 1; i < driver->count; i++) {
        if (!driver->item[i].from_device) {
            talk_send(&talk, driver->item[i].bytes);
            questions++;
            continue;
        }
        IsHeader got = talk_packet(&talk, &payload);
        assert_int_equal(got.type, driver->item[i].bytes.p[2] << 8 | driver->item[i].bytes.p[3]);
        if (payload.n == 1) /* lock and modes */
            assert_int_equal(payload.p[0], driver->item[i].bytes.p[IS_HEADER_SIZE]);
    }
    assert_int_equal(questions, 29);
    assert_true(talk_is_silent(&talk));
    assert_null(unit.lock_owner);
    free(driver);
}

/* The parameters of Epson's driver with gamma tables and matrix; duplex is not offered. */
static void epson_parameters_are_taken(void **state)
{
    static const struct {
        const char *file;
        MfpSource source;
        const char *reply;
    } cases[] = {
        { "para-et4950-adf-simplex", MFP_ADF, "PARAx0000000#parOK  " },
        { "para-et4950-adf-duplex", MFP_ADF, "PARAx0000000#parFAIL" },
        { "para-et4950-flatbed", MFP_FLATBED, "PARAx0000000#parOK  " },
        { "para-et4950-flatbed", MFP_ADF, "PARAx0000000#parFAIL" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        HexFile *block = hexfile_read(cases[i].file);
        char request[16];

        talk_unit(&unit, cases[i].source, 1);
        talk_connect(&talk, &unit);
        talk_lock(&talk);
        assert_true(talk_mode(&talk, 'X'));
        (void)snprintf(request, sizeof request, "PARAx%07x", (unsigned)block->item[0].bytes.n);
        assert_int_equal(talk_ask(&talk, bytes_of_text(request), 0).n, 0);
        Bytes reply = talk_ask(&talk, block->item[0].bytes, ESCI2_REPLY_SIZE);
        assert_int_equal(reply.n, ESCI2_REPLY_SIZE);
        assert_memory_equal(reply.p, cases[i].reply, strlen(cases[i].reply));
        free(block);
        end(NULL);
    }
}

/* ---- what it says about itself ---- */

static void blocks_are_as_devices_send_them(void **state)
{
    Bytes info;

    (void)state;
    assert_true(talk_mode(&talk, 'Y'));
    uint32_t n = talk_length(talk_command(&talk, "INFO", ""));
    info = talk_read(&talk, n);
    assert_int_equal(info.n, n);
    assert_memory_equal(info.p, "#ADFTYPEFEED#ADFFORDPF1N#ADFPREF#ADFALGNLEFT#ADFAREAd850", 56);
    assert_non_null(memmem(info.p, info.n, "#FB ALGNLEFT#FB AREAd850i0001170", 32));
    assert_non_null(memmem(info.p, info.n, "#PRDh010PID 1147        #VERh008FB  2.00", 40));
    assert_non_null(memmem(info.p, info.n, "#S/Nh00AVIRTUAL001\0\0", 20));
    assert_int_equal(talk_read(&talk, 10).n, 0); /* nothing is left in the queue */
    n = talk_length(talk_command(&talk, "CAPA", ""));
    assert_non_null(memmem(talk_read(&talk, n).p, n, "#FMTLISTRAW JPG #JPGRANGd001d100", 32));
    assert_string_equal(talk_command(&talk, "STAT", ""), "STATx000000C");
    assert_bytes_equal(talk_read(&talk, 12), bytes_of_text("#ERRADF PE  "));
    assert_string_equal(talk_command(&talk, "PARA", FB_JPEG), "PARAx0000000#parFAIL");
    assert_string_equal(talk_command(&talk, "FIN ", ""), "FIN x0000000");
    assert_true(talk_mode(&talk, 'Z'));
    n = talk_length(talk_command(&talk, "INFO", ""));
    assert_bytes_equal(talk_read(&talk, n),
                       bytes_of_text("#PRDh010PID 1147        #VERh008FB  2.00#DSZi0001536"));
    n = talk_length(talk_command(&talk, "CAPA", ""));
    assert_bytes_equal(talk_read(&talk, n),
                       bytes_of_text("#ADFSCNTd000xFFFFFFF#FB CNT d000xFFFFFFF"));
    n = talk_length(talk_command(&talk, "RESA", ""));
    assert_bytes_equal(talk_read(&talk, n), bytes_of_text("#ADFSCNTd000#FB CNT d000#BSZi1048576"));
    assert_string_equal(talk_command(&talk, "PARA", "#D&Tx0000001"), "PARAx0000000#parOK  ");
}

/* Every command in every mode: taken (0), INVD, or a refusal of its own. */
static void every_command_in_every_mode(void **state)
{
    static const char *const codes[] = { "INFO", "CAPA", "RESA", "STAT", "PARA",
                                         "TRDT", "IMG ", "CAN ", "FIN ", "MECH" };
    static const char *const taken_in[COUNT_OF(codes)] = {
        "XYZ", "XYZ", "XYZ", "XYZ", "XYZ", "X", "D", "D", "-XYZD", "",
    };

    (void)state;
    for (const char *mode = "-XYZD"; *mode; mode++)
        for (size_t i = 0; i < COUNT_OF(codes); i++) {
            talk_unit(&unit, MFP_ADF, 2);
            talk_connect(&talk, &unit);
            talk_lock(&talk);
            if (*mode == 'D')
                talk_start(&talk, ADF_JPEG);
            else if (*mode != '-')
                assert_true(talk_mode(&talk, *mode));
            const char *reply = talk_command(&talk, codes[i], "");
            const char *wanted = strchr(taken_in[i], *mode) ? codes[i] : "INVD";
            assert_memory_equal(reply, i + 1 == COUNT_OF(codes) ? "UNKN" : wanted, 4);
            end(NULL);
        }
}

static void a_mode_excludes_the_others(void **state)
{
    (void)state;
    for (const char *mode = "XYZ"; *mode; mode++) {
        assert_true(talk_mode(&talk, *mode));
        for (const char *other = "XYZ"; *other; other++)
            assert_false(talk_mode(&talk, *other));
        assert_string_equal(talk_command(&talk, "FIN ", ""), "FIN x0000000");
    }
}

static void bad_parameters_fail(void **state)
{
    static const char *const blocks[] = {
        "#ADF#RSM",     "#RSMzzzz0000", "ADF",          "#FMTTIF ",
        "#FB #FMTJPG ", "#ADFDPLX",

        "#BSZi-000001", "#PAGi-000005", "#RSMi-000300", "#ACQi0000000i0000000i0000000i0000010",
    };
    static char long_block[SCANNER_PARAMETERS_MAX + 5];

    (void)state;
    assert_true(talk_mode(&talk, 'X'));
    for (size_t i = 0; i < COUNT_OF(blocks); i++)
        assert_string_equal(talk_command(&talk, "PARA", blocks[i]), "PARAx0000000#parFAIL");
    memset(long_block, ' ', sizeof long_block - 1);
    memcpy(long_block, "#ADF", 4);
    assert_string_equal(talk_command(&talk, "PARA", long_block), "PARAx0000000#parFAIL");
    assert_string_equal(talk_command(&talk, "PARA", ADF_JPEG), "PARAx0000000#parOK  ");
}

/* ---- scans ---- */

static void feeder_sends_sheet_after_sheet(void **state)
{
    (void)state;
    for (int i = 0; i < SCANNER_EMPTY_POLLS; i++)
        assert_string_equal(talk_command(&talk, "IMG ", ""), "IMG x0000000");
    assert_string_equal(talk_command(&talk, "IMG ", ""),
                        "IMG x0000265#psti0001687d000i0002190#typIMGA");
    assert_int_equal(talk_read(&talk, 613).n, 613);
    assert_string_equal(talk_command(&talk, "IMG ", ""), "IMG x0015240#typIMGA");
    assert_int_equal(talk_read(&talk, 86592).n, 86592);
    assert_string_equal(talk_command(&talk, "IMG ", ""), "IMG x0015240#typIMGA");
    assert_string_equal(talk_command(&talk, "IMG ", ""), "IMG x000665B#typIMGA");
    assert_string_equal(talk_command(&talk, "IMG ", ""), PAGE_END "#typIMGA");
    assert_int_equal(tray_sheets(unit.tray), 1);
    fetch_page(PAGE_END "#lftd000#typIMGA");
    assert_int_equal(talk.note_count, 4); /* the second page is not acknowledged yet */
    assert_string_equal(talk_command(&talk, "STAT", ""), "STATx000000C");
    assert_scan(2, SCAN_DONE);
    assert_string_equal(talk_command(&talk, "TRDT", ""), "TRDTx0000000#errADF PE  ");
    assert_string_equal(talk_command(&talk, "IMG ", ""), "IMG x0000000#errADF PE  ");
}

/* One page a minute: the device is asked all the time, and answers that there is nothing yet. */
static void a_slow_feeder_says_nothing_yet(void **state)
{
    enum { PAGE_MS = 60000 };
    const Mono begun = talk.now;

    (void)state;
    unit.page_ms = PAGE_MS;
    talk_start(&talk, ADF_JPEG);
    for (int i = 0; i < SCANNER_EMPTY_POLLS; i++)
        (void)talk_command(&talk, "IMG ", "");
    for (int page = 1; page <= 2; page++) {
        talk.note_count = 0;
        for (int64_t ms = 0; ms < PAGE_MS; ms += PAGE_MS / 10 - 1) {
            talk.now = mono_after(begun, (page - 1) * (int64_t)PAGE_MS + ms);
            assert_string_equal(talk_command(&talk, "IMG ", ""), "IMG x0000000");
            assert_int_equal(talk.notes[talk.note_count - 1].kind, NOTE_FEEDS);
            assert_int_equal(talk.notes[talk.note_count - 1].wait_ms, SCANNER_FEED_ANSWER_MS);
        }
        talk.now = mono_after(begun, page * (int64_t)PAGE_MS);
        fetch_page(page == 1 ? PAGE_END "#typIMGA" : PAGE_END "#lftd000#typIMGA");
    }
}

/* Who presses Cancel while a sheet feeds need not wait for it. */
static void a_slow_feeder_is_cancelled(void **state)
{
    (void)state;
    unit.page_ms = 60000;
    talk_start(&talk, ADF_JPEG);
    for (int i = 0; i <= SCANNER_EMPTY_POLLS; i++)
        assert_string_equal(talk_command(&talk, "IMG ", ""), "IMG x0000000");
    assert_true(mfp_unit_cancel(&unit));
    assert_string_equal(talk_command(&talk, "IMG ", ""), "IMG x0000000#atnCAN ");
}

static void image_blocks_obey_the_client(void **state)
{
    AUTO_BUF page = buf_with_max(TALK_PAGE_BYTES);

    (void)state;
    talk_start(&talk, "#ADF#FMTJPG #BSZd400#PAGd001");
    assert_string_equal(talk_image(&talk), "IMG x0000190#psti0001687d000i0002190#typIMGA");
    assert_true(buf_put(&page, talk_read(&talk, 150))); /* a block may be read in two parts */
    assert_true(buf_put(&page, talk_read(&talk, 1000)));
    assert_int_equal(page.n, 400);
    assert_string_equal(talk_page(&talk, &page), PAGE_END "#lftd000#typIMGA");
    assert_bytes_equal(buf_bytes(&page), tray_glass(unit.tray)->file);
    assert_int_equal(tray_sheets(unit.tray), 1); /* one was asked for, one is left */
}

static void header_and_block_in_one_read(void **state)
{
    (void)state;
    for (int i = 0; i < SCANNER_EMPTY_POLLS; i++)
        (void)talk_command(&talk, "IMG ", "");
    Bytes both = talk_ask(&talk, bytes_of_text("IMG x0000000"), 5000);
    assert_int_equal(both.n, ESCI2_REPLY_SIZE + 613);
    assert_memory_equal(both.p + ESCI2_REPLY_SIZE, "\xff\xd8", 2);
}

static void glass_sends_one_page_at_a_time(void **state)
{
    (void)state;
    for (int scan = 0; scan < 2; scan++) {
        talk.note_count = 0;
        talk_start(&talk, FB_JPEG);
        fetch_page(PAGE_END "#typIMGA");
        assert_string_equal(talk_command(&talk, "FIN ", ""), "FIN x0000000");
        assert_scan(1, SCAN_DONE);
    }
    assert_int_equal(unit.glass_scans, 2);
}

static void empty_feeder_scans_nothing(void **state)
{
    (void)state;
    assert_true(talk_mode(&talk, 'X'));
    assert_string_equal(talk_command(&talk, "STAT", ""), "STATx000000C");
    assert_string_equal(talk_command(&talk, "PARA", ADF_JPEG), "PARAx0000000#parOK  ");
    assert_string_equal(talk_command(&talk, "TRDT", ""), "TRDTx0000000#errADF PE  ");
    assert_int_equal(talk.note_count, 0);
}

static void paper_taken_away_ends_the_scan(void **state)
{
    (void)state;
    tray_load(unit.tray, 0);
    assert_string_equal(talk_image(&talk), "IMG x0000000#typIMGA#errADF PE  ");
    assert_scan(0, SCAN_STOPPED);
}

static void cancel_is_said_until_obeyed(void **state)
{
    (void)state;
    (void)talk_image(&talk);
    assert_true(mfp_unit_cancel(&unit));
    assert_int_equal(talk_read(&talk, 613).n, 613); /* what was announced still comes */
    for (int i = 0; i < 5; i++)
        assert_string_equal(talk_command(&talk, "IMG ", ""), "IMG x0000000#atnCAN ");
    assert_string_equal(talk_command(&talk, "CAN ", ""), "CAN x0000000");
    assert_scan(0, SCAN_CANCELLED);
    assert_string_equal(talk_command(&talk, "CAN ", ""), "INVDx0000000");
    assert_string_equal(talk_command(&talk, "FIN ", ""), "FIN x0000000");
    assert_false(mfp_unit_cancel(&unit));
    talk_start(&talk, ADF_JPEG); /* the next scan is not cancelled */
    fetch_page(PAGE_END "#lftd000#typIMGA");
}

static void fin_in_the_middle_stops(void **state)
{
    (void)state;
    fetch_page(PAGE_END "#typIMGA");
    assert_string_equal(talk_command(&talk, "FIN ", ""), "FIN x0000000");
    assert_scan(1, SCAN_STOPPED);
    assert_true(talk_mode(&talk, 'Y'));
}

static void lost_connection_breaks_the_scan(void **state)
{
    (void)state;
    fetch_page(PAGE_END "#typIMGA");
    mfp_session_lost(talk.session);
    talk_drain(&talk);
    assert_scan(1, SCAN_BROKEN);
    assert_null(unit.lock_owner);
}

static void last_page_counts_when_the_client_speaks_on(void **state)
{
    (void)state;
    fetch_page(PAGE_END "#typIMGA");
    fetch_page(PAGE_END "#lftd000#typIMGA");
    mfp_session_lost(talk.session);
    talk_drain(&talk);
    assert_scan(2, SCAN_BROKEN);
}

/* ---- the lock ---- */

static const uint8_t unlock[] = { 'I', 'S', 0x21, 1, 0, 12, 0, 0, 0, 0, 0, 0 };
static const uint8_t bare_lock[] = { 'I', 'S', 0x21, 0, 0, 12, 0, 0, 0, 0, 0, 0 };

static void one_client_at_a_time(void **state)
{
    Talk other;

    (void)state;
    talk_connect(&other, &unit);
    talk_send(&other, (Bytes){ bare_lock, sizeof bare_lock });
    talk_expect(&other, IS_LOCK_REPLY, "\x15", 1);
    talk_send(&talk, (Bytes){ unlock, sizeof unlock });
    talk_expect(&talk, IS_UNLOCK_REPLY, "", 0);
    talk_send(&other, (Bytes){ bare_lock, sizeof bare_lock });
    talk_expect(&other, IS_LOCK_REPLY, "\x06", 1);
    talk_send(&talk, (Bytes){ bare_lock, sizeof bare_lock });
    talk_expect(&talk, IS_LOCK_REPLY, "\x15", 1);
    talk_send(&talk,
              (Bytes){ (const uint8_t *)"IS\x20\0\0\x0c\0\0\0\x0a\0\0\0\0\0\2\0\0\0\1\x1cX", 22 });
    talk_expect(&talk, IS_EVENT, "\xa0", 1);
    assert_true(talk.closed);
    assert_ptr_equal(unit.lock_owner, other.session);
    talk_end(&other);
    assert_null(unit.lock_owner);
}

static void unlock_ends_the_scan(void **state)
{
    (void)state;
    fetch_page(PAGE_END "#typIMGA");
    fetch_page(PAGE_END "#lftd000#typIMGA");
    talk_send(&talk, (Bytes){ unlock, sizeof unlock });
    assert_scan(2, SCAN_DONE);
    assert_null(unit.lock_owner);
}

static void silence_ends_the_session(void **state)
{
    (void)state;
    assert_int_equal(mfp_session_deadline(talk.session).ms, talk.now.ms + MFP_UNLOCKED_MS);
    talk_lock(&talk);
    assert_int_equal(mfp_session_deadline(talk.session).ms, talk.now.ms + 300000);
    talk.now.ms += 299999;
    talk_send(&talk, bytes_of_text("IS")); /* half a packet is no sign of life */
    mfp_session_tick(talk.session, talk.now);
    talk_drain(&talk);
    assert_true(talk_is_silent(&talk));
    talk.now.ms++;
    mfp_session_tick(talk.session, talk.now);
    talk_drain(&talk);
    talk_expect(&talk, IS_EVENT, "\x80", 1);
    assert_true(talk.closed);
    assert_null(unit.lock_owner);
    assert_int_equal(mfp_session_deadline(talk.session).ms, MONO_NEVER.ms);
}

static void missing_parameters_are_waited_for(void **state)
{
    (void)state;
    assert_true(talk_mode(&talk, 'X'));
    assert_int_equal(talk_ask(&talk, bytes_of_text("PARAx0000018"), 0).n, 0);
    talk_send(
        &talk,
        (Bytes){ (const uint8_t *)"IS\x20\0\0\x0c\0\0\0\x10\0\0\0\0\0\x8\0\0\0\x40#ADF#FMT", 28 });
    assert_true(talk_is_silent(&talk));
    talk.now.ms += 300000;
    mfp_session_tick(talk.session, talk.now);
    talk_drain(&talk);
    talk_expect(&talk, IS_EVENT, "\x80", 1);
    assert_true(talk.closed);
}

static void parameters_may_come_in_parts(void **state)
{
    (void)state;
    assert_true(talk_mode(&talk, 'X'));
    assert_int_equal(talk_ask(&talk, bytes_of_text("PARAx000000c"), 0).n, 0);
    talk_send(
        &talk,
        (Bytes){ (const uint8_t *)"IS\x20\0\0\x0c\0\0\0\x10\0\0\0\0\0\x8\0\0\0\x40#ADF#FMT", 28 });
    Bytes reply = talk_ask(&talk, bytes_of_text("JPG "), ESCI2_REPLY_SIZE);
    assert_memory_equal(reply.p, "PARAx0000000#parOK  ", 20);
}

/* ---- malformed input ---- */

typedef struct BadInput {
    const char *bytes;
    size_t n;
    bool locked; /* take the lock first */
    bool event;  /* a0 before the close */
} BadInput;

#define BAD(text, locked_, event_)              \
    {                                           \
        text, sizeof(text) - 1, locked_, event_ \
    }

static const BadInput bad_inputs[] = {
    BAD("\x16\x03\x01\x02", false, false), /* a TLS ClientHello    */
    BAD("GET / HTTP/1.0\r\n\r\n", false, false),
    BAD("IX", false, false),
    BAD("IS\x21\0\0\x0d\0\0\0\0\0\0", false, false),   /* offset 13            */
    BAD("IS\x21\0\0\x0c\0\x10\0\1\0\0", false, false), /* 1 MiB + 1            */
    BAD("IS\x21\x02\0\x0c\0\0\0\0\0\0", false, true),  /* unknown packet       */
    BAD("IS\x21\x02\0\x0c\0\0\0\0\0\0", true, true),
    BAD("IS\x23\0\0\x0c\0\0\0\0\0\0", true, true),     /* job control          */
    BAD("IS\xa0\0\0\x0c\0\0\0\0\0\0", true, true),     /* a device's packet    */
    BAD("IS\x21\0\0\x0c\0\0\0\3\0\0abc", false, true), /* lock of three bytes  */
    BAD("IS\x20\0\0\x0c\0\0\0\x0a\0\0\0\0\0\2\0\0\0\1\x1cX", false, true), /* before the lock */
    BAD("IS\x20\0\0\x0c\0\0\0\4\0\0\0\0\0\0", true, true),                 /* half a data header */
    BAD("IS\x20\0\0\x0c\0\0\0\x0a\0\0\0\0\0\3\0\0\0\1\x1cX", true, true),  /* length too long  */
    BAD("IS\x20\0\0\x0c\0\0\0\x0a\0\0\xff\xff\xff\xff\0\0\0\1\x1cX", true, true),
    BAD("IS\x20\0\0\x0c\0\0\0\x0a\0\0\0\0\0\2\0\0\0\1\x1cW", true, true), /* FS W             */
    BAD("IS\x20\0\0\x0c\0\0\0\x0a\0\0\0\0\0\2\0\0\0\1\x1b@", true, true), /* ESC @            */
    BAD("IS\x20\0\0\x0c\0\0\0\x0c\0\0\0\0\0\4\0\0\0\1INFO", true, true),
    BAD("IS\x20\0\0\x0c\0\0\0\x14\0\0\0\0\0\x0c\0\0\0\x40INFOy0000000", true, true),
    BAD("IS\x20\0\0\x0c\0\0\0\x14\0\0\0\0\0\x0c\0\0\0\x40INFOx000000g", true, true),
    BAD("IS\x20\0\0\x0c\0\0\0\x14\0\0\0\0\0\x0c\0\0\0\x40INFOx-000001", true, true),
    BAD("IS\x20\0\0\x0c\0\0\0\x14\0\0\0\0\0\x0c\0\0\0\x40PARAxFFFFFFF", true, true),
    BAD("IS\x20\0\0\x0c\0\0\0\x14\0\0\0\0\0\x0c\0\0\0\x40PARAx0010001", true, true),
    BAD("IS\x20\0\0\x0c\0\0\0\x15\0\0\0\0\0\x0d\0\0\0\x40INFOx0000000#", true, true),
};

static void malformed_input_closes(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad_inputs); i++)
        for (int drops = 0; drops < 2; drops++) {
            const BadInput *bad = &bad_inputs[i];
            size_t step = drops ? 1 : bad->n;

            talk_unit(&unit, MFP_ADF, 1);
            talk_connect(&talk, &unit);
            if (bad->locked)
                talk_lock(&talk);
            for (size_t at = 0; at < bad->n; at += step)
                talk_send(&talk, (Bytes){ (const uint8_t *)bad->bytes + at, step });
            assert_true(talk.closed);
            if (bad->event)
                talk_expect(&talk, IS_EVENT, "\xa0", 1);
            assert_true(talk_is_silent(&talk));
            assert_null(unit.lock_owner);
            end(NULL);
        }
}

static void more_parameters_than_announced(void **state)
{
    (void)state;
    assert_true(talk_mode(&talk, 'X'));
    assert_int_equal(talk_ask(&talk, bytes_of_text("PARAx0000004"), 0).n, 0);
    talk_send(
        &talk,
        (Bytes){ (const uint8_t *)"IS\x20\0\0\x0c\0\0\0\x10\0\0\0\0\0\x8\0\0\0\x40#ADF#FMT", 28 });
    talk_expect(&talk, IS_EVENT, "\xa0", 1);
    assert_true(talk.closed);
}

/* A packet in the middle of which the driver stopped taking: no event can be sent any more. */
static void time_out_in_mid_packet_only_closes(void **state)
{
    MfpAction action;
    Bytes in = { (const uint8_t *)"IS\x20\0\0\x0c\0\0\0\x0a\0\0\0\0\0\2\0\0\0\1\x1cX", 22 };

    (void)state;
    mfp_session_feed(talk.session, in, talk.now);
    assert_true(mfp_session_next(talk.session, &action)); /* the IS header; the payload waits */
    mfp_session_tick(talk.session, mono_after(talk.now, 300000));
    talk_drain(&talk);
    assert_true(talk.closed);
    assert_true(talk_is_silent(&talk) || talk.out.n - talk.taken.n <= 1);
}

#define T(name, setup) cmocka_unit_test_setup_teardown(name, setup, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sane_gets_its_pages),
        T(epson_driver_gets_an_answer_to_everything, adf_of_two),
        cmocka_unit_test(epson_parameters_are_taken),
        T(blocks_are_as_devices_send_them, flatbed_locked),
        cmocka_unit_test(every_command_in_every_mode),
        T(a_mode_excludes_the_others, adf_locked),
        T(bad_parameters_fail, adf_locked),
        T(feeder_sends_sheet_after_sheet, adf_scanning),
        T(a_slow_feeder_says_nothing_yet, adf_locked),
        T(a_slow_feeder_is_cancelled, adf_locked),
        T(image_blocks_obey_the_client, adf_locked),
        T(header_and_block_in_one_read, adf_scanning),
        T(glass_sends_one_page_at_a_time, flatbed_locked),
        T(empty_feeder_scans_nothing, adf_empty),
        T(paper_taken_away_ends_the_scan, adf_scanning),
        T(cancel_is_said_until_obeyed, adf_scanning),
        T(fin_in_the_middle_stops, adf_scanning),
        T(lost_connection_breaks_the_scan, adf_scanning),
        T(last_page_counts_when_the_client_speaks_on, adf_scanning),
        T(one_client_at_a_time, adf_locked),
        T(unlock_ends_the_scan, adf_scanning),
        T(silence_ends_the_session, adf_of_two),
        T(missing_parameters_are_waited_for, adf_locked),
        T(parameters_may_come_in_parts, adf_locked),
        cmocka_unit_test(malformed_input_closes),
        T(more_parameters_than_announced, adf_locked),
        T(time_out_in_mid_packet_only_closes, adf_locked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
