/* tests/unit/mfp-talk.h - a client's side of a conversation with the virtual device, for its tests. */
#ifndef PLATEN_TESTS_UNIT_MFP_TALK_H
#define PLATEN_TESTS_UNIT_MFP_TALK_H

#include "mfp/session.h"
#include "tests/unit/hexfile.h"
#include "wire/esci2.h"

enum { TALK_OUT_MAX = 4 * 1024 * 1024, TALK_NOTES_MAX = 64, TALK_PAGE_BYTES = 200000 };

typedef struct Talk {
    MfpUnit unit;
    MfpSession *session;
    Mono now;
    Buf out; /* what the device sent and nobody took yet */
    Bytes taken;
    bool closed;
    ScanNote notes[TALK_NOTES_MAX];
    size_t note_count;
} Talk;

static inline void talk_drain(Talk *talk)
{
    MfpAction action;

    while (mfp_session_next(talk->session, &action)) {
        assert_false(talk->closed);
        if (action.kind == MFP_SEND)
            assert_true(buf_put(&talk->out, action.bytes));
        if (action.kind == MFP_NOTE && talk->note_count < TALK_NOTES_MAX)
            talk->notes[talk->note_count++] = action.note;
        talk->closed = action.kind == MFP_CLOSE;
    }
}

static inline void talk_send(Talk *talk, Bytes bytes)
{
    mfp_session_feed(talk->session, bytes, talk->now);
    talk_drain(talk);
}

/* The next packet of the device; its payload is valid until the next one is taken. */
static inline IsHeader talk_packet(Talk *talk, Bytes *ret_payload)
{
    IsHeader header = { 0 };
    size_t used;

    buf_drop_front(&talk->out, talk->taken.n);
    talk->taken.n = 0;
    assert_int_equal(is_packet_decode(buf_bytes(&talk->out), IS_PAYLOAD_FROM_DEVICE_MAX, &header,
                                      ret_payload, &used),
                     WIRE_OK);
    talk->taken.n = used;
    return header;
}

static inline bool talk_is_silent(const Talk *talk)
{
    return talk->out.n == talk->taken.n;
}

/* The device sends one packet of this type and payload. */
static inline void talk_expect(Talk *talk, IsType type, const char *payload, size_t n)
{
    Bytes got;
    IsHeader header = talk_packet(talk, &got);

    assert_int_equal(header.type, type);
    assert_bytes_equal(got, (Bytes){ (const uint8_t *)payload, n });
}

/* One passthru and its answer. */
static inline Bytes talk_ask(Talk *talk, Bytes command, uint32_t wanted)
{
    AUTO_BUF packet = buf_with_max(IS_PAYLOAD_FROM_HOST_MAX + 64);
    Bytes payload;

    assert_true(is_passthru_encode(&packet, command, wanted));
    talk_send(talk, buf_bytes(&packet));
    assert_int_equal(talk_packet(talk, &payload).type, IS_PASSTHRU_REPLY);
    return payload;
}

/* A mode command: true for ACK. */
static inline bool talk_mode(Talk *talk, char letter)
{
    uint8_t command[] = { 0x1c, (uint8_t)letter };
    Bytes answer = talk_ask(talk, (Bytes){ command, sizeof command }, 1);

    assert_int_equal(answer.n, 1);
    return answer.p[0] == IS_ACK;
}

/* A command with parameters ("" for none); the text of its reply header, with its #--- cut off. */
static inline const char *talk_command(Talk *talk, const char *code, const char *parameters)
{
    static char text[ESCI2_REPLY_SIZE + 1];
    char request[16];
    size_t n = strlen(parameters);

    (void)snprintf(request, sizeof request, "%sx%07X", code, (unsigned)n);
    Bytes reply = talk_ask(talk, bytes_of_text(request), n ? 0 : ESCI2_REPLY_SIZE);
    if (n) {
        assert_int_equal(reply.n, 0);
        reply = talk_ask(talk, bytes_of_text(parameters), ESCI2_REPLY_SIZE);
    }
    assert_int_equal(reply.n, ESCI2_REPLY_SIZE);
    (void)snprintf(text, sizeof text, "%.*s", ESCI2_REPLY_SIZE, (const char *)reply.p);
    char *filling = strstr(text, "#---");
    if (filling)
        *filling = '\0';
    return text;
}

/* The length in a reply header. */
static inline uint32_t talk_length(const char *reply)
{
    return (uint32_t)strtoul(reply + 5, NULL, 16);
}

/* A pure read. */
static inline Bytes talk_read(Talk *talk, uint32_t n)
{
    return talk_ask(talk, (Bytes){ 0 }, n);
}

/* Polls until something comes; the reply header. */
static inline const char *talk_image(Talk *talk)
{
    for (int polls = 0; polls < 10; polls++) {
        const char *reply = talk_command(talk, "IMG ", "");
        if (strcmp(reply, "IMG x0000000") != 0)
            return reply;
    }
    fail_msg("the device sends no image");
    return NULL;
}

/* A large page: the real head of an FF-680W page (613 bytes), then bytes that are no marker. */
static inline void talk_add_page(Tray *tray, size_t bytes)
{
    HexFile *head = hexfile_read("mfp-ff680w-page-head");
    AUTO_BUF jpeg = buf_with_max(bytes);
    Err err;

    assert_true(buf_put(&jpeg, head->item[0].bytes));
    for (size_t i = jpeg.n; i < bytes - 2; i++)
        assert_true(buf_put_u8(&jpeg, (uint8_t)(i % 251)));
    assert_true(buf_put_u16be(&jpeg, 0xffd9));
    assert_true(tray_add(tray, buf_bytes(&jpeg), &err));
    free(head);
}

/* A device with pages; no client yet. */
static inline void talk_unit(MfpUnit *unit, MfpSource source, size_t sheets)
{
    Err err;

    *unit = (MfpUnit){

        .source = source,
        .kind = { .glass = source == MFP_FLATBED },
        .product = "PID 1147",
        .serial = "VIRTUAL001",
        .tray = tray_new(&err)
    };
    assert_non_null(unit->tray);
    talk_add_page(unit->tray, TALK_PAGE_BYTES);
    if (sheets > 0)
        tray_load(unit->tray, sheets);
}

/* A client connects and hears the welcome. */
static inline void talk_connect(Talk *talk, MfpUnit *unit)
{
    Err err;

    *talk = (Talk){ .now = { 1000 }, .out = buf_with_max(TALK_OUT_MAX) };
    talk->session = mfp_session_new(unit, talk->now, &err);
    assert_non_null(talk->session);
    talk_drain(talk);
    talk_expect(talk, IS_WELCOME, "\x01\x04\0\0\0", 5);
}

static inline void talk_end(Talk *talk)
{
    mfp_session_free(talk->session);
    buf_done(&talk->out);
}

static inline void talk_lock(Talk *talk)
{
    static const uint8_t lock[] = { 'I', 'S', 0x21, 0,    0, 12, 0, 0, 0,   7,
                                    0,   0,   1,    0xa0, 4, 0,  0, 1, 0x2c };

    talk_send(talk, (Bytes){ lock, sizeof lock });
    talk_expect(talk, IS_LOCK_REPLY, "\x06", 1);
}

/* Up to data state, as SANE asks for a JPEG. */
static inline void talk_start(Talk *talk, const char *parameters)
{
    assert_true(talk_mode(talk, 'X'));
    assert_string_equal(talk_command(talk, "PARA", parameters), "PARAx0000000#parOK  ");
    assert_string_equal(talk_command(talk, "TRDT", ""), "TRDTx0000000");
}

/* Fetches blocks until #pen; its reply header. Appends the blocks to page. */
static inline const char *talk_page(Talk *talk, Buf *page)
{
    for (;;) {
        const char *reply = talk_image(talk);
        uint32_t n = talk_length(reply);
        if (n == 0)
            return reply;
        assert_true(buf_put(page, talk_read(talk, n)));
    }
}

#endif
