/* tests/unit/scan-run.h - one scan session run against the fake scanner, for the tests of it. */
#ifndef PLATEN_TESTS_UNIT_SCAN_RUN_H
#define PLATEN_TESTS_UNIT_SCAN_RUN_H

#include "device/esci2-inside.h"
#include "tests/unit/fake-scanner.h"

enum { PAGE_MAX = 64 * 1024, NEVER_CUT = 1 << 30, STEPS_MAX = 100000 };

/* One scan: session, fake and what came out. */
typedef struct Run {
    FakeScanner fake;
    ScanTraits traits; /* taken by run_init_order_as */
    ScanSession *session;
    Mono now;
    size_t chunk; /* bytes per feed                                         */
    size_t cut;   /* the connection breaks after so many bytes of the device */
    size_t received;
    unsigned store_fails_at; /* page that the host cannot keep              */
    unsigned cancel_at_page; /* cancelled when this page begins             */
    unsigned stop_at_page;   /* stop_at_page when this page begins          */
    bool store_by_hand;

    char log[512];
    uint8_t page[2][PAGE_MAX]; /* of front and back */
    size_t page_n[2];
    uint32_t page_number[2];
    bool page_open[2];
    PageNotes notes;    /* of the page that ended last */
    RawPage raw;        /* the same, when it is raw    */
    const char *notice; /* the last */
    char order[256];    /* "1A< 2B< 1A> 2B> ": pages that begin and end */
    unsigned pages, dropped;
    bool closed, handed_over, ended;
    ScanEnd end;
    Reason reason;
    DeviceIdentity identity;
    DeviceOffer offer;
    ScanNotes replaced, warnings;
} Run;

static inline void run_init_order_as(Run *run, const ScanOrder *order, const ScanTraits *traits)
{
    *run = (Run){ .chunk = NEVER_CUT, .cut = NEVER_CUT, .now = { 1000 }, .traits = *traits };
    fake_init(&run->fake);
    run->session = esci2_session_new(order, &run->traits, run->now);
    assert_non_null(run->session);
}

static inline void run_init_order(Run *run, const ScanOrder *order)
{
    run_init_order_as(run, order, &(ScanTraits){ 0 });
}

static inline void run_init(Run *run, ScanSource source)
{
    run_init_order(run, &(ScanOrder){ .source = source, .dpi = 300, .jpeg_quality = 90 });
}

static inline void run_done(Run *run)
{
    scan_session_free(run->session);
    fake_done(&run->fake);
}

static inline size_t side_of(char side)
{
    assert_true(side == 'A' || side == 'B');
    return side == 'B' ? 1 : 0;
}

static inline void note_order(Run *run, const ScanAction *action, char what)
{
    size_t n = strlen(run->order);

    (void)text_printf(run->order + n, sizeof run->order - n, "%u%c%c ",
                      action->number ? action->number : run->page_number[side_of(action->side)],
                      action->side, what);
}

static inline void page_ends(Run *run, const ScanAction *action)
{
    static const Reason full = { "disk-full", "The disk is full.", "Make room." };
    size_t side = side_of(action->side), n = run->fake.page_size;
    const uint8_t *page = run->page[side];
    Err err;

    assert_true(run->page_open[side]);
    assert_int_equal(run->page_number[side], action->number);
    run->page_open[side] = false;
    note_order(run, action, '>');
    if (action->format == PAGE_FORMAT_RAW) {
        assert_int_equal(run->page_n[side], n + RAW_PAGE_TRAILER_SIZE);
        assert_true(raw_page_decode((Bytes){ page + n, RAW_PAGE_TRAILER_SIZE }, run->page_n[side],
                                    &run->raw, &err));
    } else {
        assert_int_equal(run->page_n[side], n);
    }
    for (size_t i = 0; i < n; i++)
        assert_int_equal(page[i], fake_page_byte(&run->fake, action->number, i));
    run->pages++;
    run->notes = action->notes;
    if (!run->store_by_hand)
        scan_session_page_stored(run->session, run->store_fails_at != action->number, &full,
                                 run->now);
}

static inline void page_begins(Run *run, const ScanAction *action)
{
    size_t side = side_of(action->side);

    assert_false(run->page_open[side]);
    if (!run->session->two_sides)
        assert_true(action->number == run->pages + 1 && side == 0);
    assert_int_equal(action->format, run->fake.raw_width ? PAGE_FORMAT_RAW : PAGE_FORMAT_JPEG);
    run->page_open[side] = true;
    run->page_number[side] = action->number;
    run->page_n[side] = 0;
    note_order(run, action, '<');
    if (run->cancel_at_page == action->number)
        scan_session_cancel(run->session, run->now);
    if (run->stop_at_page == action->number)
        scan_session_stop_at_page(run->session, run->now);
}

static inline void act(Run *run, const ScanAction *action)
{
    size_t side;

    assert_false(run->ended); /* nothing comes after ENDED */
    switch (action->kind) {
    case SCAN_ACTION_SEND:
        assert_false(run->closed);
        fake_feed(&run->fake, action->bytes);
        break;
    case SCAN_ACTION_IDENTIFIED:
        run->identity = *action->identity;
        break;
    case SCAN_ACTION_NOTICE:
        run->notice = action->notice;
        break;
    case SCAN_ACTION_OFFERED:
        run->offer = *action->offer;
        break;
    case SCAN_ACTION_NOTED:
        run->replaced = *action->replaced;
        break;
    case SCAN_ACTION_WARNED:
        run->warnings = *action->warnings;
        break;
    case SCAN_ACTION_PAGE_BEGIN:
        page_begins(run, action);
        break;
    case SCAN_ACTION_PAGE_BYTES:
        side = side_of(action->side);
        assert_true(run->page_open[side] && run->page_n[side] + action->bytes.n <= PAGE_MAX);
        memcpy(run->page[side] + run->page_n[side], action->bytes.p, action->bytes.n);
        run->page_n[side] += action->bytes.n;
        break;
    case SCAN_ACTION_PAGE_END:
        page_ends(run, action);
        break;
    case SCAN_ACTION_PAGE_DROP:
        side = side_of(action->side);
        assert_true(run->page_open[side]);
        run->page_open[side] = false;
        note_order(run, action, '-');
        run->dropped++;
        break;
    case SCAN_ACTION_CLOSE:
        run->closed = true;
        break;
    case SCAN_ACTION_LEGACY:
        run->ended = run->handed_over = true;
        break;
    case SCAN_ACTION_ENDED:
        assert_true(run->closed && !run->page_open[0] && !run->page_open[1]);
        run->ended = true;
        run->end = action->end;
        run->reason = *action->reason;
        break;
    }
}

static inline void take_actions(Run *run)
{
    ScanAction action;

    while (scan_session_next(run->session, &action))
        act(run, &action);
}

/* Gives the session the next bytes of the device; false when there are none. */
static inline bool feed_some(Run *run)
{
    Bytes out = buf_bytes(&run->fake.out);
    size_t n = out.n < run->chunk ? out.n : run->chunk;

    if (n > run->cut - run->received)
        n = run->cut - run->received;
    if (n == 0)
        return false;
    uint8_t *copy = malloc(n); /* exactly n bytes, so that the sanitizer sees a read behind them */
    assert_non_null(copy);
    memcpy(copy, out.p, n);
    buf_drop_front(&run->fake.out, n);
    run->received += n;
    for (size_t used = 0; used < n && !run->ended;) {
        size_t took = scan_session_feed(run->session, (Bytes){ copy + used, n - used }, run->now);

        assert_true(took > 0 && took <= n - used);
        used += took;
        take_actions(run);
    }
    free(copy);
    return true;
}

/* Runs until the end, or until nothing more happens without the host. */
static inline void run_on(Run *run)
{
    take_actions(run);
    for (int i = 0; i < STEPS_MAX && !run->ended; i++) {
        if (feed_some(run))
            continue;
        if (run->fake.closed || run->received == run->cut) {
            scan_session_lost(run->session, "connection-lost", run->now);
        } else {
            Mono next = scan_session_deadline(run->session);

            if (run->store_by_hand && scan_session_state(run->session) == ESCI2_AT_STORING)
                return;
            assert_true(next.ms != MONO_NEVER.ms);
            assert_true(next.ms >= run->now.ms);
            run->now = next;
            scan_session_tick(run->session, run->now);
        }
        take_actions(run);
    }
    assert_true(run->ended);
}

static inline void assert_end(const Run *run, ScanEnd end, const char *code, unsigned pages)
{
    assert_string_equal(run->reason.code, code);
    assert_int_equal(run->end, end);
    assert_int_equal(run->pages, pages);
}

#endif
