/* tests/unit/fake-scanner.h - a scanner for tests of the scan session: IS packets in, IS packets out.
 *
 * It follows the device model of ESC/I-2 (one answer per packet, an output queue that reads take
 * from) and fails on demand: at the n-th request with a code it does something else instead. */
#ifndef PLATEN_TESTS_UNIT_FAKE_SCANNER_H
#define PLATEN_TESTS_UNIT_FAKE_SCANNER_H

#include "base/text.h"
#include "tests/unit/hexfile.h"
#include "wire/esci2-info.h"
#include "wire/esci2-para.h"
#include "wire/esci2-token.h"
#include "wire/is.h"

#define FAKE_INFO                                                                          \
    "#ADFTYPEFEED#ADFDPLX2SCN#ADFFORDPF1N#ADFPREF#ADFALGNRIGT#ADFAREAd850i0001400"         \
    "#ADFRESOi0001200#FB ALGNLEFT#FB AREAd850i0001170#FB RESOi0001200#IMXi0065535i0065535" \
    "#PRDh010PID 1147        #VERh008FB  2.00#DSZi0001536#S/Nh00AVIRTUAL001\0\0"
#define FAKE_CAPA                                                                      \
    "#ADFDPLX#ADFRSMSLISTd075d150d300d600i0001200#FB RSMSLISTd075d150d300d600i0001200" \
    "#COLLISTC024M001M008#FMTLISTRAW JPG #JPGRANGd001d100#GMMLISTUG10UG18"             \
    "#RSMLISTd075d150d300d600i0001200#RSSLISTd075d150d300d600i0001200#QITLISTPREFON  OFF "

typedef enum FakeFault {
    FAKE_NO_FAULT,
    FAKE_TOKENS,  /* text: inline tokens of the reply, without data */
    FAKE_CODE,    /* text: code of the reply                        */
    FAKE_EVENT,   /* text: first byte of an event sent before       */
    FAKE_SILENCE, /* no answer any more                             */
    FAKE_CLOSE,   /* the connection is closed                       */
    FAKE_GARBAGE, /* bytes that are no packet                       */
    FAKE_SHORT    /* half of the announced data                     */
} FakeFault;

typedef struct FakeScanner {
    const char *fault_at; /* code of the request; "lock", "mode", "read"  */
    unsigned fault_nth;   /* 1 = first time                               */
    unsigned fault_times; /* 0 = once                                     */
    FakeFault fault;
    const char *fault_text;

    bool feeder_empty; /* STAT says so                                  */
    /* The feeder is empty after its pages; after so many looks it has more.   */
    bool empties;
    unsigned refill_looks, refill_pages, looks;
    const char *status; /* what STAT says before the scan               */
    unsigned pages;
    unsigned empty_polls; /* IMG replies without anything before a page    */
    size_t page_size, block_size;
    bool broken_page; /* does not end with FFD9                            */
    /* With DPLX each sheet gives a front and a back, their blocks one after the other or in turn. */
    bool in_turn;
    const char *info, *capa; /* other blocks than the presets, NUL-free      */
    /* RAW: lines of so many bytes; page_size is a multiple.                  */
    uint32_t raw_width, raw_padding;
    uint32_t end_width, end_height; /* what #pen says                        */

    Buf in, out, queue;
    unsigned seen; /* requests with the code of the fault                 */
    bool closed, silent, locked, unlocked, data_state;
    char mode;
    uint32_t parameters_due;
    Esci2Para para;
    unsigned parameter_blocks;
    unsigned page, polls; /* images that ended; empty answers                  */
    size_t page_done[2];  /* of front and back                                 */
    bool page_ended[2], turn;
    char log[4096]; /* codes of the requests                              */
} FakeScanner;

static inline void fake_init(FakeScanner *f)
{
    *f = (FakeScanner){ .pages = 2, .page_size = 5000, .block_size = 2000, .empty_polls = 2 };
    f->para = ESCI2_PARA_NOTHING;
    f->end_width = 2480;
    f->end_height = 3507;
    f->in = buf_with_max(1 << 20);
    f->out = buf_with_max(8 << 20);
    f->queue = buf_with_max(4 << 20);
    is_welcome_encode(&f->out, IS_DEVICE_FLAGS, IS_FAMILY_ESCI2);
}

/* The client tried TLS, which this scanner has not: it hangs up and greets the next one. */
static inline bool fake_wants_no_tls(FakeScanner *f, Bytes bytes)
{
    if (f->in.n > 0 || bytes.n == 0 || bytes.p[0] != 0x16)
        return false;
    buf_clear(&f->out);
    is_welcome_encode(&f->out, IS_DEVICE_FLAGS, IS_FAMILY_ESCI2);
    return true;
}

static inline void fake_done(FakeScanner *f)
{
    buf_done(&f->in);
    buf_done(&f->out);
    buf_done(&f->queue);
}

/* Byte i of page number (from 1). */
static inline uint8_t fake_page_byte(const FakeScanner *f, unsigned number, size_t i)
{
    static const uint8_t front[] = { 0xff, 0xd8, 0xff, 0xe0 };

    if (f->raw_width > 0)
        return (uint8_t)(i * 7 + number);
    if (i < sizeof front)
        return front[i];
    if (i == f->page_size - 2)
        return 0xff;
    if (i == f->page_size - 1)
        return f->broken_page ? 0 : 0xd9;
    return (uint8_t)(i * 7 + number);
}

static inline void fake_note(FakeScanner *f, const char *word)
{
    size_t n = strlen(f->log);

    if (n + strlen(word) + 2 < sizeof f->log)
        text_printf(f->log + n, sizeof f->log - n, "%s ", word);
}

static inline void fake_answer(FakeScanner *f, uint32_t wanted)
{
    size_t n = wanted < f->queue.n ? wanted : f->queue.n;

    is_packet_encode(&f->out, IS_PASSTHRU_REPLY, IS_DEVICE_FLAGS, (Bytes){ f->queue.p, n });
    buf_drop_front(&f->queue, n);
}

static inline void fake_header(FakeScanner *f, const char *code, uint32_t length,
                               const char *tokens)
{
    buf_clear(&f->queue);
    buf_printf(&f->queue, "%-4sx%07X%s", code, (unsigned)length, tokens);
    while (f->queue.n < ESCI2_REPLY_SIZE)
        buf_put_text(&f->queue, "#---");
}

/* True when the fault was done instead of the answer. */
static inline bool fake_fault(FakeScanner *f, const char *code, uint32_t wanted)
{
    uint8_t event = f->fault_text ? (uint8_t)f->fault_text[0] : 0;

    if (!f->fault_at || strcmp(f->fault_at, code) != 0)
        return false;
    f->seen++;
    if (f->seen < f->fault_nth || f->seen > f->fault_nth + f->fault_times)
        return false;
    switch (f->fault) {
    case FAKE_TOKENS:
        fake_header(f, strcmp(code, "para") == 0 ? "PARA" : code, 0, f->fault_text);
        fake_answer(f, wanted);
        return true;
    case FAKE_CODE:
        fake_header(f, f->fault_text, 0, "");
        fake_answer(f, wanted);
        return true;
    case FAKE_EVENT:
        is_packet_encode(&f->out, IS_EVENT, IS_DEVICE_FLAGS, (Bytes){ &event, 1 });
        return false;
    case FAKE_SILENCE:
        f->silent = true;
        return true;
    case FAKE_CLOSE:
        f->closed = true;
        return true;
    case FAKE_GARBAGE:
        buf_put_text(&f->out, "HTTP/1.0 400 Bad Request\r\n\r\n");
        return true;
    case FAKE_SHORT:
        fake_answer(f, wanted / 2);
        return true;
    case FAKE_NO_FAULT:
        break;
    }
    return false;
}

static inline void fake_block(FakeScanner *f, const char *code, Bytes block)
{
    fake_header(f, code, (uint32_t)block.n, "");
    buf_put(&f->queue, block);
}

static inline bool fake_has_two_sides(const FakeScanner *f)
{
    return esci2_words_have(&f->para.options, "DPLX");
}

/* The side whose block or end is next. */
static inline unsigned fake_side(FakeScanner *f)
{
    if (!fake_has_two_sides(f))
        return 0;
    if (!f->in_turn)
        return f->page % 2;
    f->turn = !f->turn;
    return f->page_ended[f->turn ? 0 : 1] ? (f->turn ? 1 : 0) : (f->turn ? 0 : 1);
}

static inline void fake_page_ends(FakeScanner *f, unsigned side)
{
    bool adf = strcmp(f->para.source, "ADF") == 0;
    bool last = f->page + 1 >= f->pages || !adf;
    char tokens[64];

    text_printf(tokens, sizeof tokens, "#peni%07ui%07u%s#typIMG%c", f->end_width, f->end_height,
                last && adf ? "#lftd000" : "", side ? 'B' : 'A');
    fake_header(f, "IMG ", 0, tokens);
    f->page++;
    f->polls = 0;
    f->page_done[side] = 0;
    f->page_ended[side] = true;
    if (f->page % 2 == 0)
        f->page_ended[0] = f->page_ended[1] = false;
    f->data_state = !last;
    if (last && f->empties)
        f->feeder_empty = true;
}

/* Somebody may have put more sheets in. */
static inline void fake_look(FakeScanner *f)
{
    if (!f->empties || !f->feeder_empty || ++f->looks != f->refill_looks)
        return;
    f->looks = 0;
    f->feeder_empty = false;
    f->pages += f->refill_pages;
}

static inline void fake_image(FakeScanner *f)
{
    char tokens[64] = "";

    if (!f->data_state) {
        fake_header(f, "INVD", 0, "");
        return;
    }
    if (f->polls < f->empty_polls) {
        f->polls++;
        fake_header(f, "IMG ", 0, "");
        return;
    }
    unsigned side = fake_side(f);
    /* In the order of numbers: of a sheet the front has the odd one. */
    unsigned number = fake_has_two_sides(f) ? f->page / 2 * 2 + side + 1 : f->page + 1;
    size_t n = f->page_size - f->page_done[side];
    if (n == 0) {
        fake_page_ends(f, side);
        return;
    }
    n = n < f->block_size ? n : f->block_size;
    if (f->page_done[side] == 0)
        text_printf(tokens, sizeof tokens, "#psti%07ud%03ui0003507",
                    f->raw_width ? f->raw_width : 2480, f->raw_padding);
    text_printf(tokens + strlen(tokens), sizeof tokens - strlen(tokens), "#typIMG%c",
                side ? 'B' : 'A');
    fake_header(f, "IMG ", (uint32_t)n, tokens);
    for (size_t i = 0; i < n; i++)
        buf_put_u8(&f->queue, fake_page_byte(f, number, f->page_done[side] + i));
    f->page_done[side] += n;
}

static inline void fake_request(FakeScanner *f, const Esci2Request *request, uint32_t wanted)
{
    static const char info[] = FAKE_INFO;
    const char *code = request->code;

    fake_note(f, code);
    if (fake_fault(f, code, wanted))
        return;
    if (strcmp(code, "INFO") == 0) {
        fake_block(f, code,
                   f->info ? bytes_of_text(f->info)
                           : (Bytes){ (const uint8_t *)info, sizeof info - 1 });
    } else if (strcmp(code, "CAPA") == 0) {
        fake_block(f, code, bytes_of_text(f->capa ? f->capa : FAKE_CAPA));
    } else if (strcmp(code, "STAT") == 0) {
        fake_look(f);
        fake_block(f, code,
                   bytes_of_text(f->status         ? f->status
                                 : f->feeder_empty ? "#ERRADF PE  "
                                                   : ""));
    } else if (strcmp(code, "IMG ") == 0) {
        fake_image(f);
    } else if (strcmp(code, "PARA") == 0) {
        f->parameters_due = request->length;
        buf_clear(&f->queue);
    } else {
        f->data_state = strcmp(code, "TRDT") == 0;
        if (strcmp(code, "FIN ") == 0)
            f->mode = 0;
        fake_header(f, code, 0, "");
    }
    fake_answer(f, wanted);
}

static inline void fake_parameters(FakeScanner *f, Bytes block, uint32_t wanted)
{
    assert_int_equal(block.n, f->parameters_due);
    f->parameters_due = 0;
    f->parameter_blocks++;
    if (fake_fault(f, "para", wanted))
        return;
    assert_int_equal(esci2_para_decode(block, &f->para), WIRE_OK);
    fake_header(f, "PARA", 0, "#parOK  ");
    fake_answer(f, wanted);
}

static inline void fake_passthru(FakeScanner *f, Bytes payload)
{
    Esci2Request request;
    uint32_t wanted;
    Bytes command;

    assert_true(f->locked);
    assert_int_equal(is_passthru_decode(payload, &command, &wanted), WIRE_OK);
    if (f->parameters_due > 0) {
        fake_parameters(f, command, wanted);
    } else if (command.n == 0) {
        if (!fake_fault(f, "read", wanted))
            fake_answer(f, wanted);
    } else if (command.n == 2) {
        uint8_t answer = f->mode ? IS_NAK : IS_ACK;

        fake_note(f, command.p[1] == 'X' ? "FS-X" : "FS-Y");
        f->mode = (char)command.p[1];
        buf_clear(&f->queue);
        buf_put_u8(&f->queue, answer);
        if (f->fault == FAKE_CODE && f->fault_at && strcmp(f->fault_at, "mode") == 0 &&
            ++f->seen <= f->fault_times) {
            f->queue.p[0] = IS_NAK;
            f->mode = 0;
        }
        fake_answer(f, wanted);
    } else {
        assert_int_equal(esci2_request_decode(command, &request), WIRE_OK);
        fake_request(f, &request, wanted);
    }
}

static inline void fake_packet(FakeScanner *f, const IsHeader *header, Bytes payload)
{
    uint8_t answer = IS_ACK;

    switch (header->type) {
    case IS_LOCK:
        fake_note(f, "lock");
        if (f->fault_at && strcmp(f->fault_at, "lock") == 0 && ++f->seen <= f->fault_times)
            answer = IS_NAK;
        f->locked = answer == IS_ACK;
        is_packet_encode(&f->out, IS_LOCK_REPLY, IS_DEVICE_FLAGS, (Bytes){ &answer, 1 });
        break;
    case IS_UNLOCK:
        fake_note(f, "unlock");
        f->unlocked = true;
        is_packet_encode(&f->out, IS_UNLOCK_REPLY, IS_DEVICE_FLAGS, (Bytes){ 0 });
        break;
    default:
        assert_int_equal(header->type, IS_PASSTHRU);
        fake_passthru(f, payload);
    }
}

/* Takes what the host sent. */
static inline void fake_feed(FakeScanner *f, Bytes in)
{
    IsHeader header;
    Bytes payload;
    size_t used;

    assert_true(buf_put(&f->in, in));
    while (!f->silent && !f->closed &&
           is_packet_decode(buf_bytes(&f->in), IS_PAYLOAD_FROM_HOST_MAX, &header, &payload,
                            &used) == WIRE_OK) {
        fake_packet(f, &header, payload);
        buf_drop_front(&f->in, used);
    }
}

#endif
