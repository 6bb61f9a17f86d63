/* tests/unit/test-mfp-legacy.c - the virtual device as an older one: what SANE sent, and what looks for devices. */
#include "mfp/enpc-answer.h"
#include "mfp/esci-scanner.h"
#include "tests/unit/mfp-talk.h"

static MfpUnit unit;
static Talk talk;

enum { SCAN_LOCKED = 1, PAGE_WIDTH = 56, PAGE_LINES = 59 };

static void connect_legacy(void)
{
    HexFile *small = hexfile_read("mfp-small-page");
    Err err;

    unit = (MfpUnit){
        .product = "PID 1147", .tray = tray_new(&err), .legacy = true, .kind = { .glass = true }
    };
    assert_true(tray_add(unit.tray, small->item[0].bytes, &err));
    talk = (Talk){ .now = { 1000 }, .out = buf_with_max(TALK_OUT_MAX) };
    talk.session = mfp_session_new(&unit, talk.now, &err);
    assert_non_null(talk.session);
    talk_drain(&talk);
    talk_expect(&talk, IS_WELCOME, "\x01\x02\0\0\0", 5);
    free(small);
}

static void end(void)
{
    talk_end(&talk);
    assert_null(unit.lock_owner);
    assert_false(unit.scanning);
    tray_free(unit.tray);
}

/* The whole conversation of scanimage, in pieces of so many bytes. */
static void scan_like_sane(size_t piece)
{
    HexFile *sane = hexfile_read("esci-sane-two-sheets");
    AUTO_BUF all = buf_with_max(HEXFILE_BYTES_MAX);
    Bytes payload = { 0 };
    unsigned pages = 0;

    connect_legacy();
    tray_load(unit.tray, 2);
    for (size_t i = 0; i < sane->count; i++)
        assert_true(buf_put(&all, sane->item[i].bytes));
    for (Bytes left = buf_bytes(&all); left.n > 0; left = bytes_after(left, piece))
        talk_send(&talk, (Bytes){ left.p, left.n < piece ? left.n : piece });
    talk_expect(&talk, IS_LOCK_REPLY, "\x06", SCAN_LOCKED);
    for (size_t i = 1; i + 1 < sane->count; i++) {
        Reader r = reader_over(bytes_after(sane->item[i].bytes, IS_HEADER_SIZE));
        bool is_read = rd_u32be(&r) == 0;
        uint32_t wanted = rd_u32be(&r);

        assert_int_equal(talk_packet(&talk, &payload).type, IS_PASSTHRU_REPLY);
        if (!is_read) /* SANE reads what a full block would have, although the page has less */
            assert_int_equal(payload.n, wanted);
        if (wanted == 1)
            assert_int_equal(payload.p[0], IS_ACK);
        pages += is_read;
        if (is_read) { /* one block, and its status */
            assert_int_equal(payload.n, PAGE_WIDTH * PAGE_LINES + 1);
            assert_int_equal(payload.p[payload.n - 1], 0);
        }
    }
    assert_int_equal(pages, 2);
    talk_expect(&talk, IS_UNLOCK_REPLY, "", 0);
    assert_true(talk_is_silent(&talk));
    assert_int_equal(talk.notes[talk.note_count - 1].kind, NOTE_END);
    assert_int_equal(talk.notes[talk.note_count - 1].outcome, SCAN_DONE);
    assert_int_equal(talk.notes[talk.note_count - 1].pages, 2);
    free(sane);
    end();
}

static void sane_gets_its_pages(void **state)
{
    (void)state;
    scan_like_sane(100000);
    scan_like_sane(1);
}

static Bytes ask(const char *command, uint32_t wanted)
{
    return talk_ask(&talk, bytes_of_text(command), wanted);
}

static void assert_byte(Bytes answer, uint8_t byte)
{
    assert_int_equal(answer.n, 1);
    assert_int_equal(answer.p[0], byte);
}

/* An older client locks with an empty payload. */
static void lock_like_epson2(void)
{
    static const uint8_t lock[] = { 'I', 'S', 0x21, 0, 0, 12, 0, 0, 0, 0, 0, 0 };

    talk_send(&talk, (Bytes){ lock, sizeof lock });
    talk_expect(&talk, IS_LOCK_REPLY, "\x06", 1);
}

static void set_parameters(uint32_t width, uint32_t height, EsciSource source)
{
    AUTO_BUF block = buf_with_max(ESCI_PARAMETERS_SIZE);
    EsciParameters p = { .dpi_main = 75,
                         .dpi_sub = 75,
                         .width_px = width,
                         .height_px = height,
                         .color = ESCI_COLOR_PIXELS,
                         .bits = 8,
                         .source = (uint8_t)source,
                         .block_lines = 20 };

    assert_true(esci_parameters_encode(&block, &p));
    assert_byte(ask(ESCI_SET_PARAMETERS, 1), IS_ACK);
    assert_byte(talk_ask(&talk, buf_bytes(&block), 1), width > 0 ? IS_ACK : IS_NAK);
}

static void refuses_what_it_cannot(void **state)
{
    (void)state;
    connect_legacy();
    lock_like_epson2();
    assert_byte(ask("\x1bQ", 1), IS_NAK);
    assert_byte(ask(ESCI_START, ESCI_BLOCKS_SIZE), IS_NAK); /* no parameters yet */
    assert_byte(ask(ESCI_NEXT_BLOCK, 1), IS_NAK);
    assert_byte(ask(ESCI_SOURCE, 1), IS_ACK);
    assert_byte(ask("\x02", 1), IS_NAK); /* it has one side */
    assert_byte(ask(ESCI_SET_PARAMETERS, 1), IS_ACK);
    assert_byte(ask("short", 1), IS_NAK);
    set_parameters(0, 0, ESCI_FLATBED);
    end();
}

/* A table is for red, green, blue or all of them: a letter, then 256 values. */
static void a_gamma_table_is_for_a_colour(void **state)
{
    static const struct {
        uint8_t color, answer;
    } cases[] = { { 'R', IS_ACK }, { 'G', IS_ACK }, { 'B', IS_ACK }, { 'M', IS_ACK },
                  { 0, IS_NAK },   { 'K', IS_NAK }, { 'r', IS_NAK }, { 0xff, IS_NAK } };
    uint8_t table[ESCI_GAMMA_SIZE];

    (void)state;
    connect_legacy();
    lock_like_epson2();
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        memset(table, 0x80, sizeof table);
        table[0] = cases[i].color;
        assert_byte(ask(ESCI_GAMMA, 1), IS_ACK);
        assert_byte(talk_ask(&talk, (Bytes){ table, sizeof table }, 1), cases[i].answer);
    }
    end();
}

/* Brightness, sharpness and mirror (bytes 30, 35 and 36 of FS W) and other halftones than none with single bits. */
static void refuses_pictures_it_cannot_make(void **state)
{
    static const struct {
        size_t at;
        uint8_t value, bits;
    } cases[] = { { 30, 1, 8 }, { 30, 0xff, 8 }, { 35, 1, 8 }, { 36, 1, 8 }, { 32, 0x10, 1 } };

    (void)state;
    connect_legacy();
    lock_like_epson2();
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_BUF block = buf_with_max(ESCI_PARAMETERS_SIZE);
        EsciParameters p = {
            .dpi_main = 75, .dpi_sub = 75, .width_px = 56, .height_px = 56, .bits = cases[i].bits
        };

        assert_true(esci_parameters_encode(&block, &p));
        assert_byte(ask(ESCI_SET_PARAMETERS, 1), IS_ACK);
        assert_byte(talk_ask(&talk, buf_bytes(&block), 1), IS_ACK);
        block.p[cases[i].at] = cases[i].value;
        assert_byte(ask(ESCI_SET_PARAMETERS, 1), IS_ACK);
        assert_byte(talk_ask(&talk, buf_bytes(&block), 1), IS_NAK);
    }
    end();
}

/* A client that stops in the middle, and one that goes. */
static void a_page_that_is_left(void **state)
{
    (void)state;
    for (int orderly = 0; orderly < 2; orderly++) {
        connect_legacy();
        lock_like_epson2();
        set_parameters(56, 56, ESCI_FLATBED);
        assert_int_equal(ask(ESCI_START, ESCI_BLOCKS_SIZE).n, ESCI_BLOCKS_SIZE);
        assert_int_equal(talk_read(&talk, 3 * 56 * 20 + 1).n, 3 * 56 * 20 + 1);
        assert_true(unit.scanning);
        if (orderly) {
            assert_byte(ask(ESCI_CANCEL, 1), IS_ACK);
        } else {
            mfp_session_lost(talk.session);
            talk_drain(&talk);
        }
        assert_int_equal(talk.notes[talk.note_count - 1].outcome,
                         orderly ? SCAN_STOPPED : SCAN_BROKEN);
        end();
    }
}

/* One page a minute: FS G says that there are no blocks yet, and in the end waits (SANE sees but the waiting). The
 * golden answer is what the real one of a WF-3620 would be with no blocks. */
static void a_slow_feeder_has_no_blocks_yet(void **state)
{
    static const uint8_t not_yet[ESCI_BLOCKS_SIZE] = { 0x02, 0x12 };
    const uint32_t line = 3 * 56;
    Bytes answer;

    (void)state;
    connect_legacy();
    unit.page_ms = 60000;
    lock_like_epson2();
    set_parameters(56, 56, ESCI_FLATBED);
    const Mono begun = talk.now;
    for (int64_t ms = 0; ms < 55000; ms += 9000) {
        talk.now = mono_after(begun, ms);
        answer = ask(ESCI_START, ESCI_BLOCKS_SIZE);
        assert_bytes_equal(answer, (Bytes){ not_yet, sizeof not_yet });
        assert_int_equal(talk.notes[talk.note_count - 1].wait_ms, SCANNER_FEED_ANSWER_MS);
        assert_int_equal(ask(ESCI_STATUS, ESCI_STATUS_SIZE).p[0] & ESCI_DEVICE_FATAL, 0);
    }
    talk.now = mono_after(begun, 57000);
    answer = ask(ESCI_START, ESCI_BLOCKS_SIZE);
    assert_int_equal(talk.notes[talk.note_count - 1].kind, NOTE_FEEDS);
    assert_int_equal(talk.notes[talk.note_count - 1].wait_ms, 3000);
    assert_int_equal(answer.p[6], 2); /* blocks of 20 lines, and one of 16 */
    assert_int_equal(talk_read(&talk, line * 20 + 1).n, line * 20 + 1);
    assert_int_equal(ask(ESCI_NEXT_BLOCK, line * 20 + 1).n, line * 20 + 1);
    assert_int_equal(ask(ESCI_NEXT_BLOCK, line * 16 + 1).n, line * 16 + 1);
    assert_int_equal(talk.notes[talk.note_count - 1].kind, NOTE_PAGE);
    end();
}

/* --- ENPC ---------------------------------------------------------------------------------------- */

static void who_looks_for_devices_is_answered(void **state)
{
    HexFile *file = hexfile_read("enpc-queries");
    NetAddress own = { .family = NET_IPV4, .bytes = { 192, 0, 2, 7 } };
    NetAddress from = { .family = NET_IPV4, .port = 40000, .bytes = { 192, 0, 2, 1 } };
    EnpcAnswerer answerer = { .address = &own, .name = "PID 08C8" };
    AUTO_BUF answer = buf_with_max(ENPC_DATAGRAM_MAX);
    EnpcAnswer said;
    Mono now = { 5000 };

    (void)state;
    for (size_t i = 0; i < file->count; i++) {
        assert_true(enpc_answerer_feed(&answerer, file->item[i].bytes, &from, now, &answer));
        assert_int_equal(answer.n, i < 2 ? 76 : 184);
        assert_int_equal(enpc_answer_decode(buf_bytes(&answer), &said), WIRE_OK);
        assert_string_equal(said.name, i < 2 ? "" : "PID 08C8");
        /* An answer is no query: two devices do not talk to each other for ever. */
        assert_false(enpc_answerer_feed(&answerer, buf_bytes(&answer), &from, now, &answer));
    }
    free(file);
}

static void who_asks_too_often_waits(void **state)
{
    NetAddress own = { .family = NET_IPV4, .bytes = { 192, 0, 2, 7 } };
    NetAddress from = { .family = NET_IPV4, .bytes = { 192, 0, 2, 1 } }, other = from;
    EnpcAnswerer answerer = { .address = &own, .name = "PID 08C8" };
    AUTO_BUF answer = buf_with_max(ENPC_DATAGRAM_MAX), query = buf_with_max(ENPC_DATAGRAM_MAX);
    Mono now = { 5000 };

    (void)state;
    assert_true(enpc_query_encode(&query, ENPC_CLASS_P));
    for (int i = 0; i < ENPC_ANSWERS_MAX; i++)
        assert_true(enpc_answerer_feed(&answerer, buf_bytes(&query), &from, now, &answer));
    assert_false(enpc_answerer_feed(&answerer, buf_bytes(&query), &from, now, &answer));
    for (int i = 0; i < 3 * ENPC_SOURCES_MAX;
         i++) { /* others are not held up, and there is room for all */
        other.bytes[2] = (uint8_t)(1 + i / 250);
        other.bytes[3] = (uint8_t)(2 + i % 250);
        assert_true(enpc_answerer_feed(&answerer, buf_bytes(&query), &other, now, &answer));
    }
    now = mono_after(now, ENPC_PERIOD_MS);
    assert_true(enpc_answerer_feed(&answerer, buf_bytes(&query), &from, now, &answer));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sane_gets_its_pages),
        cmocka_unit_test(refuses_what_it_cannot),
        cmocka_unit_test(a_gamma_table_is_for_a_colour),
        cmocka_unit_test(refuses_pictures_it_cannot_make),
        cmocka_unit_test(a_page_that_is_left),
        cmocka_unit_test(a_slow_feeder_has_no_blocks_yet),
        cmocka_unit_test(who_looks_for_devices_is_answered),
        cmocka_unit_test(who_asks_too_often_waits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
