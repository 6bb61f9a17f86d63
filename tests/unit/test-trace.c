/* tests/unit/test-trace.c - bytes become lines of a trace, and lines become a scan again. */
#include "base/sha256.h"
#include "device/esci2-session.h"
#include "device/trace-talk.h"
#include "tests/unit/hexfile.h"
#include "wire/esci.h"
#include "wire/esci2.h"
#include "wire/is.h"
#include "json/json.h"

enum { LINES_MAX = 256, FILE_MAX = 1 << 20, DEVICE = 0, HOST = 1, SECONDS = 1000 };

/* A trace, line by line. */
typedef struct Trace {
    Json *line[LINES_MAX];
    size_t count;
} Trace;

static Trace trace_parse(Bytes text)
{
    Trace trace = { .count = 0 };
    Err err;

    while (text.n > 0) {
        const uint8_t *newline = memchr(text.p, '\n', text.n);

        assert_non_null(newline);
        size_t n = (size_t)(newline - text.p);
        assert_true(trace.count < LINES_MAX);
        trace.line[trace.count] = json_parse((Bytes){ text.p, n }, &err);
        assert_non_null(trace.line[trace.count++]);
        text = bytes_after(text, n + 1);
    }
    return trace;
}

static void trace_done(Trace *trace)
{
    for (size_t i = 0; i < trace->count; i++)
        json_free(trace->line[i]);
}

/* The bytes of a member in hex. */
static void put_member(const Json *line, const char *name, Buf *out)
{
    const char *hex = json_get_text(line, name);
    size_t n = strlen(hex) / 2;
    uint8_t *to = buf_reserve(out, n + 1);

    assert_non_null(to);
    assert_true(text_unhex(hex, to, n));
    out->n += n;
}

/* --- bytes to lines ------------------------------------------------------------------------------------ */

static const TraceStamp here = { .t_ms = 7, .connection = 3, .channel = DEVICE_CHANNEL_SCAN };

static void feed(TraceTalk *talk, int who, Bytes bytes, size_t chunk, Buf *out)
{
    while (bytes.n > 0) {
        size_t n = bytes.n < chunk ? bytes.n : chunk;

        trace_talk_feed(talk, who == DEVICE, (Bytes){ bytes.p, n }, &here, out);
        bytes = bytes_after(bytes, n);
    }
}

static void feed_packet(TraceTalk *talk, int who, uint16_t type, Bytes payload, Buf *out)
{
    AUTO_BUF packet = buf_with_max(FILE_MAX);

    assert_true(is_packet_encode(&packet, (IsType)type, 0, payload));
    feed(talk, who, buf_bytes(&packet), FILE_MAX, out);
}

static void feed_command(TraceTalk *talk, Bytes command, Buf *out)
{
    AUTO_BUF packet = buf_with_max(FILE_MAX);

    assert_true(is_passthru_encode(&packet, command, 64));
    feed(talk, HOST, buf_bytes(&packet), FILE_MAX, out);
}

static const char *const captures[] = { "esci2-et2750-flatbed-inquiry",
                                        "esci2-xp7100-adf-duplex-frame",
                                        "esci2-ff680w-adf-duplex-frame",
                                        "esci-wf3620-flatbed-frame" };

/* Each packet of a captured session is one line, whole, whatever segments it came in. */
static void captured_packets_are_lines(void **state)
{
    static const size_t chunks[] = { 1, 5, FILE_MAX };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(captures) * COUNT_OF(chunks); i++) {
        HexFile *file = hexfile_read(captures[i / COUNT_OF(chunks)]);
        AUTO(TraceTalk) talk = trace_talk_new(true);
        AUTO_BUF out = buf_with_max(TRACE_LINES_MAX);

        for (size_t k = 0; k < file->count; k++)
            feed(talk, file->item[k].from_device ? DEVICE : HOST, file->item[k].bytes,
                 chunks[i % COUNT_OF(chunks)], &out);
        Trace trace = trace_parse(buf_bytes(&out));
        assert_int_equal(trace.count, file->count);
        for (size_t k = 0; k < file->count; k++) {
            AUTO_BUF bytes = buf_with_max(FILE_MAX);

            put_member(trace.line[k], "hex", &bytes);
            assert_bytes_equal(buf_bytes(&bytes), file->item[k].bytes);
            assert_string_equal(json_get_text(trace.line[k], "dir"),
                                file->item[k].from_device ? "p>h" : "h>p");
            assert_int_equal(json_get_int(trace.line[k], "c", 0), 3);
        }
        trace_done(&trace);
        free(file);
    }
}

static void lines_are_as_they_are_documented(void **state)
{
    static const char wanted[] =
        "{\"t\":7,\"c\":3,\"on\":\"scan\",\"event\":\"connected\",\"text\":\"TLSv1.3\"}\n"
        "{\"t\":7,\"c\":3,\"on\":\"scan\",\"dir\":\"p>h\",\"hex\":"
        "\"49538000300c0000000500000104000000\",\"says\":\"welcome .....\"}\n"
        "{\"t\":7,\"c\":3,\"on\":\"scan\",\"dir\":\"h>p\",\"hex\":"
        "\"49532100000c00000007000001a0040000012c\",\"says\":\"lock ......,\"}\n"
        "{\"t\":7,\"c\":3,\"on\":\"scan\",\"dir\":\"p>h\",\"hex\":\"4953a100300c00000001000006\","
        "\"says\":\"lock reply ACK\"}\n"
        "{\"t\":7,\"c\":3,\"on\":\"scan\",\"dir\":\"h>p\",\"hex\":"
        "\"49532000000c0000000a000000000002000000011c59\",\"says\":\"to it FS Y\"}\n";
    HexFile *file = hexfile_read(captures[0]);
    AUTO(TraceTalk) talk = trace_talk_new(false);
    AUTO_BUF out = buf_with_max(TRACE_LINES_MAX);

    (void)state;
    trace_put_event(&out, &here, "connected", "TLSv1.3");
    for (size_t k = 0; k < 4; k++)
        feed(talk, file->item[k].from_device ? DEVICE : HOST, file->item[k].bytes, FILE_MAX, &out);
    assert_string_equal(buf_text(&out), wanted);
    free(file);
}

static void texts_are_escaped(void **state)
{
    static const uint8_t piece[] = "a\"b\\c\r\n\x01\xc3\xa4";
    AUTO_BUF out = buf_with_max(TRACE_LINES_MAX);
    TraceStamp panel = { .t_ms = 1, .connection = 9, .channel = DEVICE_CHANNEL_PANEL };

    (void)state;
    trace_put_piece(&out, &panel, true, (Bytes){ piece, sizeof piece - 1 });
    Trace trace = trace_parse(buf_bytes(&out));
    assert_string_equal(json_get_text(trace.line[0], "says"), "a\"b\\c\r\n...");
    assert_string_equal(json_get_text(trace.line[0], "hex"), "6122625c630d0a01c3a4");
    assert_string_equal(json_get_text(trace.line[0], "on"), "panel");
    trace_done(&trace);
}

/* --- what is left out ------------------------------------------------------------------------------------ */

static void hash_of(Bytes bytes, char ret[SHA256_TEXT_SIZE])
{
    Sha256 hash;

    sha256_start(&hash);
    sha256_add(&hash, bytes);
    sha256_finish(&hash, ret);
}

static void pictures_are_left_out(void **state)
{
    static const uint8_t picture[5000] = { 0xff, 0xd8 };
    Bytes bytes = { picture, sizeof picture };
    AUTO(TraceTalk) talk = trace_talk_new(false);
    AUTO_BUF out = buf_with_max(TRACE_LINES_MAX);
    char hash[SHA256_TEXT_SIZE];

    (void)state;
    feed_command(talk, bytes_of_text("IMG x0000000"), &out);
    feed_packet(talk, DEVICE, IS_PASSTHRU_REPLY, bytes_of_text("IMG x0001388#typIMGA"), &out);
    feed_command(talk, (Bytes){ 0 }, &out);
    feed_packet(talk, DEVICE, IS_EVENT, bytes_of_text("\x01"), &out); /* may come in between */
    feed_packet(talk, DEVICE, IS_PASSTHRU_REPLY, bytes, &out);
    feed_command(talk, bytes_of_text("STATx0000000"), &out);
    feed_packet(talk, DEVICE, IS_PASSTHRU_REPLY, bytes_of_text("STATx0000004"), &out);
    feed_command(talk, (Bytes){ 0 }, &out);
    feed_packet(talk, DEVICE, IS_PASSTHRU_REPLY, bytes_of_text("#ERR"), &out);
    Trace trace = trace_parse(buf_bytes(&out));
    assert_int_equal(trace.count, 9);
    hash_of(bytes, hash);
    assert_string_equal(json_get_text(trace.line[4], "hex"), "4953a000000c000013880000");
    assert_int_equal(json_get_int(trace.line[4], "left_out", 0), sizeof picture);
    assert_string_equal(json_get_text(trace.line[4], "sha256"), hash);
    assert_string_equal(json_get_text(trace.line[4], "says"), "from it picture");
    assert_string_equal(json_get_text(trace.line[7], "says"), "to it read");
    assert_string_equal(json_get_text(trace.line[8], "says"), "from it #ERR");
    for (size_t i = 0; i < trace.count; i++)
        if (i != 4)
            assert_null(json_get(trace.line[i], "left_out"));
    trace_done(&trace);
}

static void pictures_of_older_devices_are_left_out(void **state)
{
    static const uint8_t block[301] = { [300] = 0x10 };
    AUTO(TraceTalk) talk = trace_talk_new(false);
    AUTO_BUF out = buf_with_max(TRACE_LINES_MAX);

    (void)state;
    feed_command(talk, bytes_of_text(ESCI_START), &out);
    feed_packet(talk, DEVICE, IS_PASSTHRU_REPLY, bytes_of_text("\x02............."), &out);
    feed_command(talk, (Bytes){ 0 }, &out);
    feed_packet(talk, DEVICE, IS_PASSTHRU_REPLY, (Bytes){ block, sizeof block }, &out);
    feed_command(talk, bytes_of_text(ESCI_NEXT_BLOCK), &out);
    feed_packet(talk, DEVICE, IS_PASSTHRU_REPLY, (Bytes){ block, sizeof block }, &out);
    feed_command(talk, bytes_of_text(ESCI_STATUS), &out);
    feed_packet(talk, DEVICE, IS_PASSTHRU_REPLY, bytes_of_text("0123456789abcdef"), &out);
    feed_packet(talk, DEVICE, 0xa200, (Bytes){ block, sizeof block }, &out);
    Trace trace = trace_parse(buf_bytes(&out));
    for (size_t i = 3; i <= 5; i += 2) {
        assert_int_equal(json_get_int(trace.line[i], "left_out", 0), sizeof block - 1);
        assert_string_equal(json_get_text(trace.line[i], "tail"), "10");
    }
    assert_null(json_get(trace.line[1], "left_out"));
    assert_null(json_get(trace.line[7], "left_out"));
    assert_int_equal(json_get_int(trace.line[8], "left_out", 0), sizeof block);
    trace_done(&trace);
}

/* Also with pages, and without a hash that guesses could be compared with. */
static void a_log_in_is_never_shown(void **state)
{
    (void)state;
    for (int pages = 0; pages < 2; pages++) {
        AUTO(TraceTalk) talk = trace_talk_new(pages);
        AUTO_BUF out = buf_with_max(TRACE_LINES_MAX);

        feed_command(talk, bytes_of_text("TRDTx0000010"), &out);
        feed_packet(talk, DEVICE, IS_PASSTHRU_REPLY, (Bytes){ 0 }, &out);
        feed_command(talk, bytes_of_text("ada.and.passwort"), &out);
        feed_command(talk, bytes_of_text("TRDTx0000004ada."), &out);
        feed_command(talk, bytes_of_text("PARAx0000004"), &out);
        feed_command(talk, bytes_of_text("#ADF"), &out);
        Trace trace = trace_parse(buf_bytes(&out));
        assert_int_equal(json_get_int(trace.line[2], "left_out", 0), 16);
        assert_int_equal(json_get_int(trace.line[3], "left_out", 0), 4);
        for (size_t i = 2; i <= 3; i++)
            assert_null(json_get(trace.line[i], "sha256"));
        assert_null(strstr(buf_text(&out), "ada."));
        assert_null(strstr(buf_text(&out), "6164612e"));
        assert_string_equal(json_get_text(trace.line[5], "says"), "to it #ADF");
        trace_done(&trace);
    }
}

static void a_long_packet_is_left_out(void **state)
{
    static const uint8_t bytes[70000];
    AUTO(TraceTalk) talk = trace_talk_new(false);
    AUTO_BUF out = buf_with_max(TRACE_LINES_MAX);

    (void)state;
    feed_command(talk, bytes_of_text("INFOx0000000"), &out);
    feed_packet(talk, DEVICE, IS_PASSTHRU_REPLY, (Bytes){ bytes, sizeof bytes }, &out);
    feed_packet(talk, HOST, IS_PASSTHRU, (Bytes){ bytes, sizeof bytes }, &out);
    Trace trace = trace_parse(buf_bytes(&out));
    assert_int_equal(json_get_int(trace.line[1], "left_out", 0), sizeof bytes);
    assert_int_equal(json_get_int(trace.line[2], "left_out", 0), sizeof bytes);
    trace_done(&trace);
}

static void garbage_is_shown_by_its_beginning(void **state)
{
    static const uint8_t bytes[1000] = { 'H', 'T', 'T', 'P' };
    AUTO(TraceTalk) talk = trace_talk_new(true);
    AUTO_BUF out = buf_with_max(TRACE_LINES_MAX);
    size_t shown = 0, left_out = 0;

    (void)state;
    feed(talk, DEVICE, (Bytes){ bytes, sizeof bytes }, 100, &out);
    Trace trace = trace_parse(buf_bytes(&out));
    for (size_t i = 0; i < trace.count; i++) {
        shown += strlen(json_get_text(trace.line[i], "hex")) / 2;
        left_out += (size_t)json_get_int(trace.line[i], "left_out", 0);
    }
    assert_int_equal(shown + left_out, sizeof bytes);
    assert_int_equal(shown, IS_HEADER_SIZE + TRACE_GARBAGE_MAX);
    trace_done(&trace);
}

static void what_is_cut_off_is_said(void **state)
{
    AUTO(TraceTalk) talk = trace_talk_new(false);
    AUTO_BUF out = buf_with_max(TRACE_LINES_MAX);

    (void)state;
    feed(talk, DEVICE, (Bytes){ (const uint8_t *)"IS\x80", 3 }, 3, &out);
    feed(talk, HOST, (Bytes){ (const uint8_t *)"IS\x21\0\0\x0c\0\0\0\x07\0\0\x01", 13 }, 13, &out);
    assert_int_equal(out.n, 0);
    trace_talk_end(talk, &here, &out);
    Trace trace = trace_parse(buf_bytes(&out));
    assert_int_equal(trace.count, 2);
    assert_string_equal(json_get_text(trace.line[0], "hex"), "49532100000c00000007000001");
    assert_string_equal(json_get_text(trace.line[1], "hex"), "495380");
    assert_true(json_get_bool(trace.line[0], "cut", false));
    assert_true(json_get_bool(trace.line[1], "cut", false));
    trace_done(&trace);
}

/* --- lines to a scan ------------------------------------------------------------------------------------- */

/* A scan session at the other end of a trace. */
typedef struct Replay {
    ScanSession *session;
    Mono now;
    Buf said; /* by the session, not yet compared with the trace */
    uint64_t page_bytes[2];
    unsigned pages;
    bool ended, closed;
    ScanEnd end;
    DeviceIdentity identity;
} Replay;

static void act(Replay *r, const ScanAction *action)
{
    switch (action->kind) {
    case SCAN_ACTION_SEND:
        assert_true(buf_put(&r->said, action->bytes));
        break;
    case SCAN_ACTION_IDENTIFIED:
        r->identity = *action->identity;
        break;
    case SCAN_ACTION_PAGE_BYTES:
        assert_true(r->pages < COUNT_OF(r->page_bytes));
        r->page_bytes[r->pages] += action->bytes.n;
        break;
    case SCAN_ACTION_PAGE_END:
        r->pages++;
        scan_session_page_stored(r->session, true, NULL, r->now);
        break;
    case SCAN_ACTION_CLOSE:
        r->closed = true;
        break;
    case SCAN_ACTION_ENDED:
        r->ended = true;
        r->end = action->end;
        break;
    default:
        break;
    }
}

static void take_actions(Replay *r)
{
    ScanAction action;

    while (!r->ended && scan_session_next(r->session, &action))
        act(r, &action);
}

/* What the device said: with a picture of the same size where one was left out. */
static void device_says(Replay *r, const Json *line, bool begins_page, bool ends_page)
{
    AUTO_BUF bytes = buf_with_max(FILE_MAX);
    size_t left_out = (size_t)json_get_int(line, "left_out", 0);

    put_member(line, "hex", &bytes);
    size_t at = bytes.n;
    assert_true(buf_put_zeros(&bytes, left_out));
    if (left_out > 0 && begins_page)
        memcpy(bytes.p + at, "\xff\xd8", 2);
    if (left_out > 0 && ends_page)
        memcpy(bytes.p + bytes.n - 2, "\xff\xd9", 2);
    put_member(line, "tail", &bytes);
    for (Bytes in = buf_bytes(&bytes); in.n > 0;) {
        in = bytes_after(in, scan_session_feed(r->session, in, r->now));
        take_actions(r);
    }
}

/* What it says is what was said then, byte for byte, perhaps a little later. */
static void host_says(Replay *r, const Json *line)
{
    AUTO_BUF wanted = buf_with_max(FILE_MAX);

    put_member(line, "hex", &wanted);
    for (int i = 0; i < 3 && r->said.n == 0; i++) {
        r->now = scan_session_deadline(r->session);
        scan_session_tick(r->session, r->now);
        take_actions(r);
    }
    assert_true(r->said.n >= wanted.n);
    assert_memory_equal(r->said.p, wanted.p, wanted.n);
    buf_drop_front(&r->said, wanted.n);
}

static void read_file(const char *name, Buf *out)
{
    char path[1024];

    assert_true(text_printf(path, sizeof path, "%s/%s", getenv("PLATEN_TEST_DATA"), name));
    FILE *in = fopen(path, "r");
    assert_non_null(in);
    uint8_t *to = buf_reserve(out, FILE_MAX - 1);
    assert_non_null(to);
    out->n += fread(to, 1, FILE_MAX - 1, in);
    fclose(in);
}

/* A scan of two pages that was recorded at a virtual device; the session gets the device's lines. */
static void a_trace_is_scanned_again(void **state)
{
    static const uint64_t sizes[] = { 18269, 18057 };
    static const ScanOrder order = { .dpi = 75, .jpeg_quality = 85 };
    const ScanTraits traits = { 0 };
    AUTO_BUF text = buf_with_max(FILE_MAX);
    Replay r = { .now = { SECONDS }, .said = buf_with_max(FILE_MAX) };
    unsigned blocks = 0;

    (void)state;
    read_file("trace-two-pages.jsonl", &text);
    Trace trace = trace_parse(buf_bytes(&text));
    assert_int_equal(json_get_int(trace.line[0], "trace", 0), 1);
    r.session = esci2_session_new(&order, &traits, r.now);
    assert_non_null(r.session);
    for (size_t i = 1; i < trace.count; i++) {
        const Json *line = trace.line[i];

        if (!text_equal(json_get_text(line, "on"), "scan") || !json_get(line, "hex"))
            continue;
        blocks += json_get(line, "left_out") != NULL; /* two of each page */
        if (text_equal(json_get_text(line, "dir"), "p>h"))
            device_says(&r, line, blocks % 2 == 1, blocks % 2 == 0);
        else
            host_says(&r, line);
    }
    assert_true(r.ended && r.closed);
    assert_int_equal(r.said.n, 0);
    assert_int_equal(r.end, SCAN_END_COMPLETE);
    assert_int_equal(r.pages, 2);
    assert_memory_equal(r.page_bytes, sizes, sizeof sizes);
    assert_string_equal(r.identity.product, "PID 1147");
    buf_done(&r.said);
    scan_session_free(r.session);
    trace_done(&trace);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(captured_packets_are_lines),
        cmocka_unit_test(lines_are_as_they_are_documented),
        cmocka_unit_test(texts_are_escaped),
        cmocka_unit_test(pictures_are_left_out),
        cmocka_unit_test(pictures_of_older_devices_are_left_out),
        cmocka_unit_test(a_log_in_is_never_shown),
        cmocka_unit_test(a_long_packet_is_left_out),
        cmocka_unit_test(garbage_is_shown_by_its_beginning),
        cmocka_unit_test(what_is_cut_off_is_said),
        cmocka_unit_test(a_trace_is_scanned_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
