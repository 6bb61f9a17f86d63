/* tests/unit/test-esci-session.c - the ESC/I session against answers of a captured WF-3620, stopped at every step. */
#include "device/esci-inside.h"
#include "tests/unit/hexfile.h"

/* Items of the captured session. */
enum { IDENTITY = 6, STATUS_IDLE = 8, STATUS_EMPTY = 16, BLOCKS_OF_PAGE = 2, LINES_OF_BLOCK = 2 };
enum { NEVER = 1 << 30, STEPS_MAX = 2000, LOG_SIZE = 4096, PAGE_MAX = 64 * 1024 };

/* What the device answers to a command instead of the usual: from the nth such command on, so many times. */
typedef struct Odd {
    char letter; /* as in Run.log; of a block only the status byte differs, 0xff: no bytes at all */
    unsigned nth, times;
    EsciStatus status; /* of 'F'                               */
    uint8_t byte;      /* of all others; of 'G' 0x15 is one byte, else the status of the blocks */
} Odd;

enum { ODDS_MAX = 2 };

/* The device: what it is asked, and what it answers. */
typedef struct Run {
    ScanSession *session;
    HexFile *capture;
    Mono now;
    Buf to_host;
    unsigned sheets;  /* in the feeder                                      */
    unsigned answers; /* given so far                                       */
    unsigned stop_at; /* cancelled when so many answers were given          */
    unsigned cut_at;  /* the connection breaks then                         */
    bool store_fails;
    Odd odds[ODDS_MAX];
    unsigned seen[ODDS_MAX];
    uint8_t awaits; /* last letter of the command whose argument is due       */
    uint8_t source;
    unsigned blocks_left;
    unsigned blocks, nak_at;          /* answered so far; the one that is NAK instead          */
    unsigned statuses, cut_status_at; /* the same of answers to FS F; the one that is too short */
    unsigned draws;                   /* so many answers to FS G have 10 and no blocks          */
    char log[LOG_SIZE];               /* commands in order                                   */
    bool locked, taken;
    unsigned pages, dropped;
    uint64_t page_bytes;
    uint8_t tail[RAW_PAGE_TRAILER_SIZE];
    bool page_open, storing, closed, ended;
    ScanEnd end;
    Reason reason;
} Run;

static Bytes captured(const Run *run, size_t item)
{
    return bytes_after(run->capture->item[item].bytes, IS_HEADER_SIZE);
}

static void answer(Run *run, Bytes bytes)
{
    is_packet_encode(&run->to_host, IS_PASSTHRU_REPLY, IS_DEVICE_FLAGS, bytes);
}

static void answer_byte(Run *run, uint8_t byte)
{
    answer(run, (Bytes){ &byte, 1 });
}

static void answer_status(Run *run)
{
    bool empty = run->source != ESCI_FLATBED && run->sheets == 0;

    Bytes said = captured(run, empty ? STATUS_EMPTY : STATUS_IDLE);
    if (++run->statuses == run->cut_status_at)
        said.n = 3;
    answer(run, said);
}

static uint32_t line_bytes(const Run *run)
{
    return (uint32_t)esci_line_bytes(&run->session->esci->parameters);
}

static void answer_start(Run *run)
{
    AUTO_BUF out = buf_with_max(ESCI_BLOCKS_SIZE);
    EsciBlocks blocks = { .status = 0x12,
                          .block_bytes = line_bytes(run) * LINES_OF_BLOCK,
                          .full_blocks = BLOCKS_OF_PAGE - 1,
                          .last_bytes = line_bytes(run) };

    if (run->draws > 0) {
        run->draws--;
        answer(run, (Bytes){ (const uint8_t[ESCI_BLOCKS_SIZE]){ 0x02, 0x10 }, ESCI_BLOCKS_SIZE });
        return;
    }
    run->sheets -= run->sheets > 0 && run->source != ESCI_FLATBED;
    run->blocks_left = BLOCKS_OF_PAGE;
    assert_true(esci_blocks_encode(&out, &blocks));
    answer(run, buf_bytes(&out));
}

static void answer_block(Run *run, uint32_t wanted, uint8_t block_status)
{
    static uint8_t data[PAGE_MAX];

    assert_true(run->blocks_left > 0 && wanted <= sizeof data);
    run->blocks_left--;
    data[wanted - 1] = block_status;
    if (++run->blocks == run->nak_at)
        answer_byte(run, IS_NAK);
    else
        answer(run, (Bytes){ data, wanted });
    data[wanted - 1] = 0;
}

/* True when the command was answered as the case wants it. */
static bool answer_oddly(Run *run, char letter, uint32_t wanted)
{
    AUTO_BUF out = buf_with_max(ESCI_STATUS_SIZE);
    const Odd *odd = NULL;

    for (size_t i = 0; i < ODDS_MAX && !odd; i++)
        if (run->odds[i].letter == letter && ++run->seen[i] >= run->odds[i].nth &&
            run->seen[i] - run->odds[i].nth < run->odds[i].times)
            odd = &run->odds[i];
    if (!odd)
        return false;
    if (letter == 'F') {
        assert_true(esci_status_encode(&out, &odd->status));
        answer(run, buf_bytes(&out));
    } else if (letter == 'G' && odd->byte != IS_NAK) {
        assert_true(esci_blocks_encode(&out, &(EsciBlocks){ .status = odd->byte }));
        answer(run, buf_bytes(&out));
    } else if ((letter == '.' || letter == '+') && odd->byte == 0xff) {
        answer(run, (Bytes){ 0 });
    } else if (letter == '.' || letter == '+') {
        answer_block(run, wanted, odd->byte);
    } else {
        run->taken = run->taken && letter != ')';
        answer_byte(run, odd->byte);
    }
    return true;
}

static void answer_command(Run *run, Bytes command, uint32_t wanted)
{
    if (run->awaits) {
        if (run->awaits == 'e')
            run->source = command.p[0];
        run->awaits = 0;
        answer_byte(run, IS_ACK);
        return;
    }
    uint8_t letter = command.n > 1 ? command.p[1] : command.n == 1 ? command.p[0] : '.';
    size_t n = strlen(run->log);
    assert_true(n + 2 < sizeof run->log);
    run->log[n] = letter == IS_ACK ? '+'
                  : letter == 0x18 ? 'X'
                  : letter == 0x0c ? 'L'
                                   : (char)letter;
    if (answer_oddly(run, run->log[n], wanted))
        return;
    switch (letter) {
    case 'I':
        answer(run, captured(run, IDENTITY));
        break;
    case 'F':
        answer_status(run);
        break;
    case '(':
    case ')':
        run->taken = letter == '(';
        answer_byte(run, ESCI_TAKEN);
        break;
    case 'G':
        answer_start(run);
        break;
    case '.':
    case IS_ACK:
        answer_block(run, wanted, 0);
        break;
    case 0x18:
        run->blocks_left = 0;
        answer_byte(run, IS_ACK);
        break;
    default:
        if (letter == 'e' || letter == 'z' || letter == 'W')
            run->awaits = letter;
        answer_byte(run, IS_ACK);
    }
}

static void device_feed(Run *run, Bytes packet)
{
    IsHeader header;
    Bytes payload, command;
    uint32_t wanted;
    size_t used;

    assert_int_equal(is_packet_decode(packet, IS_PAYLOAD_FROM_HOST_MAX, &header, &payload, &used),
                     WIRE_OK);
    assert_int_equal(used, packet.n);
    assert_false(run->storing);
    run->answers++;
    if (header.type == IS_LOCK || header.type == IS_UNLOCK) {
        run->locked = header.type == IS_LOCK;
        is_packet_encode(&run->to_host, run->locked ? IS_LOCK_REPLY : IS_UNLOCK_REPLY,
                         IS_DEVICE_FLAGS, (Bytes){ (const uint8_t *)"\x06", run->locked });
        return;
    }
    assert_int_equal(header.type, IS_PASSTHRU);
    assert_int_equal(is_passthru_decode(payload, &command, &wanted), WIRE_OK);
    answer_command(run, command, wanted);
}

static void page_ends(Run *run)
{
    RawPage raw;
    Err err;

    assert_true(run->page_open);
    assert_true(
        raw_page_decode((Bytes){ run->tail, sizeof run->tail }, run->page_bytes, &raw, &err));
    assert_int_equal(raw.height_px, LINES_OF_BLOCK * (BLOCKS_OF_PAGE - 1) + 1);
    run->page_open = false;
    run->storing = true;
    run->pages++;
}

static void act(Run *run, const ScanAction *action)
{
    assert_false(run->ended);
    switch (action->kind) {
    case SCAN_ACTION_SEND:
        device_feed(run, action->bytes);
        break;
    case SCAN_ACTION_IDENTIFIED:
        assert_string_equal(action->identity->product, "PID 08C8");
        assert_string_equal(action->identity->firmware, "1.20");
        break;
    case SCAN_ACTION_OFFERED:
    case SCAN_ACTION_NOTED:
        break;
    case SCAN_ACTION_PAGE_BEGIN:
        assert_int_equal(action->number, run->pages + run->dropped + 1);
        assert_int_equal(action->format, PAGE_FORMAT_RAW);
        run->page_open = true;
        run->page_bytes = 0;
        break;
    case SCAN_ACTION_PAGE_BYTES:
        assert_true(run->page_open);
        run->page_bytes += action->bytes.n;
        if (action->bytes.n == sizeof run->tail)
            memcpy(run->tail, action->bytes.p, sizeof run->tail);
        break;
    case SCAN_ACTION_PAGE_END:
        page_ends(run);
        break;
    case SCAN_ACTION_PAGE_DROP:
        assert_true(run->page_open);
        run->page_open = false;
        run->dropped++;
        break;
    case SCAN_ACTION_CLOSE:
        run->closed = true;
        break;
    case SCAN_ACTION_NOTICE:
    case SCAN_ACTION_WARNED:
        break;
    case SCAN_ACTION_LEGACY:
        fail();
        break;
    case SCAN_ACTION_ENDED:
        assert_true(run->closed && !run->page_open);
        run->ended = true;
        run->end = action->end;
        run->reason = *action->reason;
        break;
    }
}

static void take_actions(Run *run)
{
    static const Reason full = { "disk-full", "The disk is full.", "Make room." };
    ScanAction action;

    do {
        while (scan_session_next(run->session, &action))
            act(run, &action);
        if (!run->storing || run->ended)
            return;
        run->storing = false;
        scan_session_page_stored(run->session, !run->store_fails, &full, run->now);
    } while (true);
}

static const QuirkBook wf3620 = {
    .count = 1, .rows = { { .model = "PID 08C8", .pixel_order = QUIRK_PIXELS_GBR } }
};

static void run_init(Run *run, unsigned sheets, ScanSource source)
{
    ScanOrder order = { .source = source, .color = SCAN_COLOR_COLOR, .dpi = 75 };

    *run = (Run){ .sheets = sheets, .now = { 1000 }, .stop_at = NEVER, .cut_at = NEVER };
    run->capture = hexfile_read("esci-wf3620-flatbed-frame");
    run->to_host = buf_with_max(PAGE_MAX * 2);
    run->session = esci_session_new(&order, &(ScanTraits){ .quirks = &wf3620 }, run->now);
    assert_non_null(run->session);
}

static void run_done(Run *run)
{
    scan_session_free(run->session);
    buf_done(&run->to_host);
    free(run->capture);
}

/* Feeds one packet of the device byte for byte, from memory of exactly its size. */
static void feed_all(Run *run)
{
    size_t n = run->to_host.n;
    uint8_t *copy = malloc(n);

    assert_non_null(copy);
    memcpy(copy, run->to_host.p, n);
    buf_clear(&run->to_host);
    for (size_t i = 0; i < n && !run->ended; i++) {
        assert_int_equal(scan_session_feed(run->session, (Bytes){ copy + i, 1 }, run->now), 1);
        take_actions(run);
    }
    free(copy);
}

static void run_on(Run *run)
{
    bool stopped = false;

    take_actions(run);
    for (int i = 0; i < STEPS_MAX && !run->ended; i++) {
        if (run->answers >= run->cut_at) {
            scan_session_lost(run->session, "connection-lost", run->now);
        } else if (run->answers >= run->stop_at && !stopped) {
            scan_session_cancel(run->session, run->now);
            stopped = true;
        } else if (run->to_host.n > 0) {
            feed_all(run);
        } else {
            Mono next = scan_session_deadline(run->session);

            assert_true(next.ms != MONO_NEVER.ms);
            run->now = next;
            scan_session_tick(run->session, run->now);
        }
        take_actions(run);
    }
    assert_true(run->ended);
}

static void an_empty_feeder_means_the_glass(void **state)
{
    Run run;

    (void)state;
    run_init(&run, 0, SCAN_SOURCE_AUTO);
    run_on(&run);
    assert_string_equal(run.reason.code, "");
    assert_int_equal(run.end, SCAN_END_COMPLETE);
    assert_int_equal(run.pages, 1);
    assert_string_equal(run.log, "@IF(@eFeFzzzWFG.+)");
    assert_false(run.locked || run.taken);
    assert_int_equal(run.session->page->raw.order, RAW_ORDER_GBR);
    run_done(&run);
}

static void the_feeder_until_it_is_empty(void **state)
{
    Run run;

    (void)state;
    run_init(&run, 2, SCAN_SOURCE_AUTO);
    run_on(&run);
    assert_int_equal(run.end, SCAN_END_COMPLETE);
    assert_int_equal(run.pages, 2);
    assert_string_equal(run.log, "@IF(@eFzzzWFG.+LFWFG.+LF)");
    assert_false(run.locked || run.taken);
    run_done(&run);
}

enum { EVER = 100000, ADF_ON = ESCI_ADF_INSTALLED | ESCI_ADF_ENABLED };

#define STATUS(nth_, times_, device_, adf_, main_)                   \
    {                                                                \
        'F', nth_, times_, { device_, ADF_ON | (adf_), 0, main_ }, 0 \
    }
#define BYTE(letter_, nth_, times_, byte_)  \
    {                                       \
        letter_, nth_, times_, { 0 }, byte_ \
    }
#define FAULT(code_, pages_, dropped_, log_, ...)                        \
    {                                                                    \
        { __VA_ARGS__ }, SCAN_SOURCE_AUTO, code_, pages_, dropped_, log_ \
    }
#define FAULT_ON_ADF(code_, pages_, dropped_, log_, ...)                \
    {                                                                   \
        { __VA_ARGS__ }, SCAN_SOURCE_ADF, code_, pages_, dropped_, log_ \
    }

/* Paper in the feeder changes nothing where the job names the glass. */
static void the_glass_is_used_where_the_job_names_it(void **state)
{
    Run run;

    (void)state;
    run_init(&run, 2, SCAN_SOURCE_FLATBED);
    run_on(&run);
    assert_string_equal(run.reason.code, "");
    assert_int_equal(run.pages, 1);
    assert_int_equal(run.sheets, 2);
    assert_int_equal(run.source, ESCI_FLATBED);
    run_done(&run);
}

/* A strict job that asks for more than the device can is refused before the device is taken. */
static void a_strict_order_is_not_bent(void **state)
{
    Run run;

    (void)state;
    run_init(&run, 2, SCAN_SOURCE_AUTO);
    run.session->order.strict = true;
    run.session->order.dpi = 20000;
    run_on(&run);
    assert_string_equal(run.reason.code, "settings-not-offered");
    assert_int_equal(run.pages, 0);
    assert_string_equal(run.log, "@IF");
    assert_false(run.locked || run.taken);
    run_done(&run);
}

/* Whenever it is cancelled, the device is left as it was found, and no page half. */
static void cancelled_at_every_step(void **state)
{
    (void)state;
    for (unsigned at = 1;; at++) {
        Run run;

        run_init(&run, 2, SCAN_SOURCE_AUTO);
        run.stop_at = at;
        run_on(&run);
        bool whole = run.end == SCAN_END_COMPLETE;
        if (!whole)
            assert_string_equal(run.reason.code, "cancelled");
        assert_false(run.locked || run.taken);
        assert_int_equal(run.awaits, 0);
        assert_int_equal(run.blocks_left, 0);
        run_done(&run);
        if (whole)
            return;
    }
}

/* While the device only says "not yet", a cancel is not kept waiting: no time passes until the goodbye. */
static void a_cancel_does_not_wait_for_a_busy_device(void **state)
{
    static const struct {
        Odd odd;
        const char *log;
    } cases[] = {
        { STATUS(1, 1, ESCI_DEVICE_NOT_READY, 0, 0), "@IF" },
        { BYTE('(', 1, 1, ESCI_IN_USE), "@IF()" },
        { STATUS(2, 1, ESCI_DEVICE_WARMING_UP, 0, 0), "@IF(@eF)" },
        { STATUS(3, 1, ESCI_DEVICE_NOT_READY, 0, 0), "@IF(@eFzzzWF)" },
        { BYTE('G', 1, 1, ESCI_BLOCK_NOT_READY), "@IF(@eFzzzWFG)" },
        { BYTE('.', 1, 1, 0xff), "@IF(@eFzzzWFG.X)" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        Run run;

        run_init(&run, 2, SCAN_SOURCE_AUTO);
        run.odds[0] = cases[i].odd;
        for (take_actions(&run); run.to_host.n > 0; take_actions(&run))
            feed_all(&run);
        assert_true(run.session->again_at.ms > run.now.ms &&
                    run.session->again_at.ms < MONO_NEVER.ms);
        scan_session_cancel(run.session, run.now);
        for (take_actions(&run); run.to_host.n > 0 && !run.ended; take_actions(&run))
            feed_all(&run);
        assert_true(run.ended);
        assert_string_equal(run.reason.code, "cancelled");
        assert_string_equal(run.log, cases[i].log);
        assert_false(run.locked || run.taken);
        run_done(&run);
    }
}

static void lost_at_every_step(void **state)
{
    (void)state;
    for (unsigned at = 1;; at++) {
        Run run;

        run_init(&run, 1, SCAN_SOURCE_AUTO);
        run.cut_at = at;
        run_on(&run);
        bool whole = run.end == SCAN_END_COMPLETE;
        if (!whole)
            assert_string_equal(run.reason.code, "connection-lost");
        run_done(&run);
        if (whole)
            return;
    }
}

/* Nothing is sent any more: it would acknowledge the page. */
static void a_page_that_is_not_stored_ends_the_scan(void **state)
{
    Run run;

    (void)state;
    run_init(&run, 2, SCAN_SOURCE_AUTO);
    run.store_fails = true;
    run_on(&run);
    assert_string_equal(run.reason.code, "disk-full");
    assert_string_equal(run.log, "@IF(@eFzzzWFG.+");
    assert_true(run.locked);
    run_done(&run);
}

/* What a device can say where a good answer was due, and how the scan ends: two sheets are in the feeder. */
static void every_fault_has_its_end(void **state)
{
    static const struct {
        Odd odds[ODDS_MAX];
        ScanSource source;
        const char *code;
        unsigned pages, dropped;
        const char *log; /* what was said to it, or NULL */
    } cases[] = {
        FAULT("", 2, 0, "@IFFF(@eFzzzWFG.+LFWFG.+LF)", STATUS(1, 2, ESCI_DEVICE_NOT_READY, 0, 0)),
        FAULT("device-busy", 0, 0, NULL, STATUS(1, EVER, ESCI_DEVICE_NOT_READY, 0, 0)),
        FAULT("", 2, 0, "@IF(@eFFzzzWFG.+LFWFG.+LF)", STATUS(2, 1, ESCI_DEVICE_WARMING_UP, 0, 0)),
        FAULT("warming-up", 0, 0, NULL, STATUS(2, EVER, ESCI_DEVICE_WARMING_UP, 0, 0)),
        FAULT("paper-jam", 0, 0, "@IF(@eF)", STATUS(2, 1, 0, ESCI_UNIT_JAM, 0)),
        FAULT("cover-open", 0, 0, "@IF(@eF)", STATUS(2, 1, 0, ESCI_UNIT_OPEN, 0)),
        FAULT("device-error", 0, 0, "@IF(@eF)", STATUS(2, 1, 0, ESCI_UNIT_ERROR, 0)),
        FAULT("device-error", 0, 0, "@IF(@eF)", STATUS(2, 1, ESCI_DEVICE_FATAL, 0, 0)),
        FAULT("", 2, 0, NULL, STATUS(2, 1, 0, 0, ESCI_UNIT_JAM)),
        FAULT("", 2, 0, NULL, STATUS(1, 1, 0, ESCI_UNIT_EMPTY, 0)),
        FAULT_ON_ADF("no-paper", 0, 0, "@IF(@eF)", STATUS(2, 1, 0, ESCI_UNIT_EMPTY, 0)),
        FAULT("no-paper", 0, 0, "@IF(@eFzzzWF)", STATUS(3, 1, 0, ESCI_UNIT_EMPTY, 0)),
        FAULT("paper-jam", 1, 0, "@IF(@eFzzzWFG.+LF)", STATUS(4, 1, 0, ESCI_UNIT_JAM, 0)),
        FAULT("", 1, 0, "@IF(@eFzzzWFG.+LFWF)", STATUS(5, 1, 0, ESCI_UNIT_EMPTY, 0)),
        FAULT("", 2, 0, "@IF(((@eFzzzWFG.+LFWFG.+LF)", BYTE('(', 1, 2, ESCI_IN_USE)),
        FAULT("device-busy", 0, 0, "@IF(((((", BYTE('(', 1, EVER, ESCI_IN_USE)),
        FAULT("", 2, 0, "@IF(@eFzzzWFG.+LFWFG.+LF)", BYTE('(', 1, 1, IS_NAK)),
        FAULT("device-rejected", 0, 0, "@", BYTE('@', 1, 1, IS_NAK)),
        FAULT("device-rejected", 0, 0, "@IF(@)", BYTE('@', 2, 1, IS_NAK)),
        FAULT("", 2, 0, "@IF(@eFzWFG.+LFWFG.+LF)", BYTE('z', 1, 1, IS_NAK)),
        FAULT("parameters-refused", 0, 0, "@IF(@eFzzzW)", BYTE('W', 1, 1, IS_NAK)),
        FAULT("parameters-refused", 1, 0, "@IF(@eFzzzWFG.+LFW)", BYTE('W', 2, 1, IS_NAK)),
        FAULT("device-error", 0, 0, "@IF(@eFzzzWFGF)", BYTE('G', 1, 1, IS_NAK)),
        FAULT("cover-open", 0, 0, "@IF(@eFzzzWFGF)", BYTE('G', 1, 1, IS_NAK),
              STATUS(4, 1, 0, ESCI_UNIT_OPEN, 0)),
        FAULT("", 1, 0, "@IF(@eFzzzWFG.+LFWFGF)", BYTE('G', 2, 1, IS_NAK),
              STATUS(6, 1, 0, ESCI_UNIT_EMPTY, 0)),
        FAULT("", 2, 0, "@IF(@eFzzzWFGFG.+LFWFG.+LF)", BYTE('G', 1, 1, ESCI_BLOCK_NOT_READY)),
        FAULT("no-progress", 0, 0, NULL, BYTE('G', 1, EVER, ESCI_BLOCK_NOT_READY)),
        FAULT("paper-jam", 0, 0, "@IF(@eFzzzWFGF)", BYTE('G', 1, 1, ESCI_BLOCK_FATAL),
              STATUS(4, 1, 0, ESCI_UNIT_JAM, 0)),
        FAULT("paper-jam", 0, 1, "@IF(@eFzzzWFG.XF)", BYTE('.', 1, 1, ESCI_BLOCK_FATAL),
              STATUS(4, 1, 0, ESCI_UNIT_JAM, 0)),
        FAULT("no-paper", 1, 1, "@IF(@eFzzzWFG.+LFWFG.+XF)", BYTE('+', 2, 1, ESCI_BLOCK_NOT_READY)),
        FAULT("cancelled-at-device", 0, 1, "@IF(@eFzzzWFG.X)", BYTE('.', 1, 1, ESCI_BLOCK_CANCEL)),
        FAULT("cancelled-at-device", 1, 0, "@IF(@eFzzzWFG.+)", BYTE('+', 1, 1, ESCI_BLOCK_CANCEL)),
        FAULT("", 2, 0, NULL, BYTE('.', 1, 2, 0xff)),
        FAULT("no-progress", 0, 1, NULL, BYTE('.', 1, EVER, 0xff)),
        FAULT("", 2, 0, "@IF(@eFzzzWFG.+LFWFG.+LF)", BYTE('L', 1, 1, IS_NAK)),
        FAULT("", 2, 0, "@IF(@eFzzzWFG.+LFWFG.+LF)", BYTE(')', 1, 1, IS_NAK)),
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        Run run;

        run_init(&run, 2, cases[i].source);
        memcpy(run.odds, cases[i].odds, sizeof run.odds);
        run_on(&run);
        if (!text_equal(run.reason.code, cases[i].code) || run.pages != cases[i].pages ||
            run.locked || run.taken)
            print_error("case %zu: %s, %u pages, %s\n", i, run.reason.code, run.pages, run.log);
        assert_string_equal(run.reason.code, cases[i].code);
        assert_int_equal(run.pages, cases[i].pages);
        assert_int_equal(run.dropped, cases[i].dropped);
        assert_false(run.locked || run.taken);
        if (cases[i].log)
            assert_string_equal(run.log, cases[i].log);
        run_done(&run);
    }
}

static void the_server_stops_at_a_page(void **state)
{
    Run run;

    (void)state;
    run_init(&run, 3, SCAN_SOURCE_AUTO);
    while (!run.page_open) { /* until the first page has begun */
        take_actions(&run);
        feed_all(&run);
    }
    scan_session_stop_at_page(run.session, run.now);
    run_on(&run);
    assert_string_equal(run.reason.code, "server-stopping");
    assert_int_equal(run.pages, 1);
    assert_false(run.locked || run.taken);
    run_done(&run);
}

/* NAK instead of a block ends the scan at once, by name, and the device is told good-bye. */
static void nak_instead_of_a_block_is_a_refusal(void **state)
{
    (void)state;
    for (unsigned at = 1; at <= BLOCKS_OF_PAGE; at++) {
        Run run;

        run_init(&run, 0, SCAN_SOURCE_AUTO);
        run.nak_at = at;
        run_on(&run);
        assert_int_equal(run.end, SCAN_END_BROKEN);
        assert_string_equal(run.reason.code, "device-rejected");
        assert_string_equal(run.reason.text, "The device refused a command (the next block, NAK).");
        assert_true(run.now.ms < 1000 + 1000);
        assert_true(run.pages == 0 && run.dropped == 1);
        assert_string_equal(run.log + strlen(run.log) - 3, "XF)"); /* cancel, why, release */
        assert_false(run.locked || run.taken);
        run_done(&run);
    }
}

/* An answer that is not the protocol, in packets that are: it is not left locked. */
static void a_device_that_talks_nonsense_is_unlocked(void **state)
{
    (void)state;
    for (unsigned at = 1; at <= 3; at++) {
        Run run;

        run_init(&run, 1, SCAN_SOURCE_AUTO);
        run.cut_status_at = at;
        run_on(&run);
        assert_string_equal(run.reason.code, "protocol-error");
        assert_false(run.locked);
        run_done(&run);
    }
}

/* Where its packets begin is not known any more: nothing is said. */
static void a_device_that_lost_the_frame_is_left(void **state)
{
    Run run;

    (void)state;
    run_init(&run, 1, SCAN_SOURCE_AUTO);
    while (!run.page_open) {
        take_actions(&run);
        feed_all(&run);
    }
    buf_clear(&run.to_host);
    buf_put_text(&run.to_host, "HTTP/1.0 200 OK\r\n");
    run_on(&run);
    assert_string_equal(run.reason.code, "protocol-error");
    assert_true(run.locked);
    run_done(&run);
}

/* Status 10 without blocks is a feeder that draws (see blocks_event), not a cancel. */
static void ten_without_blocks_means_that_paper_is_drawn(void **state)
{
    Run run;

    (void)state;
    run_init(&run, 1, SCAN_SOURCE_AUTO);
    run.draws = 3;
    run_on(&run);
    assert_int_equal(run.end, SCAN_END_COMPLETE);
    assert_int_equal(run.pages, 1);
    run_done(&run);
}

/* A device that goes while the only page of the glass comes says why. */
static void the_device_goes_within_a_page(void **state)
{
    Run run;

    (void)state;
    run_init(&run, 0, SCAN_SOURCE_AUTO);
    while (!run.page_open) {
        take_actions(&run);
        feed_all(&run);
    }
    buf_clear(&run.to_host);
    is_packet_encode(&run.to_host, IS_EVENT, IS_DEVICE_FLAGS,
                     (Bytes){ &(uint8_t){ IS_EVENT_TIMEOUT }, 1 });
    run_on(&run);
    assert_string_equal(run.reason.code, "device-timeout");
    assert_int_equal(run.dropped, 1);
    run_done(&run);
}

/* All that we send is what Epson's driver sent, but for the parameters and the gamma tables. */
static void commands_equal_the_captured(void **state)
{
    Run run;
    ScanAction action;
    unsigned seen = 0;

    (void)state;
    run_init(&run, 0, SCAN_SOURCE_AUTO);
    while (scan_session_next(run.session, &action)) {
        int at = scan_session_state(run.session);
        bool own = at == ESCI_AT_GAMMA || at == ESCI_AT_GAMMA_TABLE ||
                   at == ESCI_AT_PARAMETERS_BLOCK;
        bool found = own || at >= ESCI_AT_BLOCK;

        if (action.kind == SCAN_ACTION_SEND) {
            for (size_t i = 0; i < run.capture->count && !found; i++)
                found = bytes_equal(run.capture->item[i].bytes, action.bytes);
            assert_true(found);
            seen += !own;
            device_feed(&run, action.bytes);
            if (at >= ESCI_AT_BLOCK)
                break;
        }
        Bytes out = buf_bytes(&run.to_host);
        for (size_t n; out.n > 0; out = bytes_after(out, n))
            n = scan_session_feed(run.session, out, run.now);
        buf_clear(&run.to_host);
    }
    assert_true(seen > 12);
    run_done(&run);
}

/* No state is without a name, a way on and an end; what would be taken for an argument is never sent. */
static void the_table_is_whole(void **state)
{
    static const EsciState heads[] = { ESCI_AT_SOURCE, ESCI_AT_GAMMA, ESCI_AT_PARAMETERS };

    (void)state;
    for (EsciState s = 0; s < ESCI_AT_CLOSED; s++) {
        assert_string_not_equal(esci_state_name(s), "?");
        assert_true(esci_patience_ms[s] > 0);
        for (ScanEvent e = SCAN_EVENT_LOST; e < SCAN_EVENT_MAX_; e++)
            assert_true(esci_rules[s][e].allowed);
        for (ScanEvent e = 0; e < SCAN_EVENT_MAX_; e++)
            assert_true(!esci_rules[s][e].allowed || esci_rules[s][e].next < ESCI_STATE_MAX_);
        assert_true(esci_steps[s].await != SCAN_AWAIT_NOTHING || s == ESCI_AT_STORING ||
                    s == ESCI_AT_STORING_LOST);
    }
    for (size_t i = 0; i < COUNT_OF(heads); i++)
        assert_false(esci_rules[heads[i]][SCAN_EVENT_STOP].allowed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_feeder_means_the_glass),
        cmocka_unit_test(the_feeder_until_it_is_empty),
        cmocka_unit_test(the_glass_is_used_where_the_job_names_it),
        cmocka_unit_test(a_strict_order_is_not_bent),
        cmocka_unit_test(cancelled_at_every_step),
        cmocka_unit_test(a_cancel_does_not_wait_for_a_busy_device),
        cmocka_unit_test(lost_at_every_step),
        cmocka_unit_test(a_page_that_is_not_stored_ends_the_scan),
        cmocka_unit_test(every_fault_has_its_end),
        cmocka_unit_test(the_server_stops_at_a_page),
        cmocka_unit_test(nak_instead_of_a_block_is_a_refusal),
        cmocka_unit_test(a_device_that_talks_nonsense_is_unlocked),
        cmocka_unit_test(a_device_that_lost_the_frame_is_left),
        cmocka_unit_test(ten_without_blocks_means_that_paper_is_drawn),
        cmocka_unit_test(the_device_goes_within_a_page),
        cmocka_unit_test(commands_equal_the_captured),
        cmocka_unit_test(the_table_is_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
