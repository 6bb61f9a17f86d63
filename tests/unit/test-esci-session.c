/* tests/unit/test-esci-session.c - the ESC/I session against answers of a captured WF-3620, stopped at every step. */
#include "device/esci-inside.h"
#include "tests/unit/hexfile.h"

/* Items of the captured session. */
enum { IDENTITY = 6, STATUS_IDLE = 8, STATUS_EMPTY = 16, BLOCKS_OF_PAGE = 2, LINES_OF_BLOCK = 2 };
enum { NEVER = 1 << 30, STEPS_MAX = 2000, LOG_SIZE = 4096, PAGE_MAX = 64 * 1024 };

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

static void answer_block(Run *run, uint32_t wanted)
{
    static uint8_t data[PAGE_MAX]; /* the last byte, the status, is 0 like the others */

    assert_true(run->blocks_left > 0 && wanted <= sizeof data);
    run->blocks_left--;
    if (++run->blocks == run->nak_at)
        answer_byte(run, IS_NAK);
    else
        answer(run, (Bytes){ data, wanted });
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
        answer_block(run, wanted);
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
        cmocka_unit_test(cancelled_at_every_step),
        cmocka_unit_test(lost_at_every_step),
        cmocka_unit_test(a_page_that_is_not_stored_ends_the_scan),
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
