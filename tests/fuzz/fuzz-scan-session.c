/* tests/fuzz/fuzz-scan-session.c - any device against the scan session.
 *
 * The first byte chooses source, sides, colour, the size of segments and what the host does when a page begins;
 * the rest is what the device sends. When the session waits for time to pass, it passes. Properties:
 * each command is one whole IS packet and none is sent while a page is being stored; pages begin, end
 * and are dropped in order; a page that ends is whole; the end comes once, last, and always. */
#include "device/scan-session.h"
#include "model/raw-page.h"
#include "wire/is.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct World {
    ScanSession *session;
    Mono now;
    uint8_t choice;
    bool storing, closed, ended, sent;
    struct {
        bool open;
        uint32_t number;
        PageFormat format;
        uint64_t bytes;
        uint8_t first, last, trailer[RAW_PAGE_TRAILER_SIZE];
    } page[2]; /* front and back */
    uint32_t pages;
} World;

enum {
    ONE_SOURCE = 0x01, /* the feeder, which is waited for; else automatic */
    TWO_SIDES = 0x02,
    CANCELS = 0x04,
    STOPS = 0x08,
    FAILS = 0x10,
    LINES = 0x20, /* black and white: raw pages                         */
    SEGMENT_BITS = 6,
    SEGMENT_STEP = 3,
};

static void must(bool holds)
{
    if (!holds)
        abort();
}

static size_t side_of(const ScanAction *action)
{
    must(action->side == 'A' || action->side == 'B');
    return action->side == 'B' ? 1 : 0;
}

static void page_bytes(World *w, size_t side, Bytes bytes)
{
    must(w->page[side].open && bytes.n > 0);
    if (w->page[side].bytes == 0)
        w->page[side].first = bytes.p[0];
    w->page[side].last = bytes.p[bytes.n - 1];
    w->page[side].bytes += bytes.n;
    if (bytes.n == RAW_PAGE_TRAILER_SIZE)
        memcpy(w->page[side].trailer, bytes.p, bytes.n);
}

static void page_begin(World *w, size_t side, const ScanAction *action)
{
    must(!w->page[side].open && action->number > w->page[side].number);
    must(side == 0 || ((w->choice & TWO_SIDES) && action->number % 2 == 0));
    w->page[side].open = true;
    w->page[side].number = action->number;
    w->page[side].format = action->format;
    w->page[side].bytes = 0;
    if (w->choice & CANCELS)
        scan_session_cancel(w->session, w->now);
    if (w->choice & STOPS)
        scan_session_stop_at_page(w->session, w->now);
}

/* What is stored is a whole page: a JPEG, or lines that their trailer describes. */
static void page_end(World *w, size_t side, const ScanAction *action)
{
    Bytes trailer = { w->page[side].trailer, RAW_PAGE_TRAILER_SIZE };
    RawPage raw;
    Err err;

    must(w->page[side].open && w->page[side].number == action->number);
    if (w->page[side].format == PAGE_FORMAT_RAW)
        must(raw_page_decode(trailer, w->page[side].bytes, &raw, &err));
    else
        must(w->page[side].first == 0xff && w->page[side].last == 0xd9);
    must(action->notes.rotation == 0 ||
         (action->notes.rotation == DEVICE_UPSIDE_DOWN && side == 1));
    w->page[side].open = false;
    w->storing = true;
    w->pages++;
}

static void act(World *w, const ScanAction *action)
{
    IsHeader header;
    Bytes payload;
    size_t used;

    must(!w->ended);
    switch (action->kind) {
    case SCAN_ACTION_SEND:
        must(!w->closed && !w->storing);
        must(is_packet_decode(action->bytes, IS_PAYLOAD_FROM_HOST_MAX, &header, &payload, &used) ==
                 WIRE_OK &&
             used == action->bytes.n);
        w->sent = true;
        break;
    case SCAN_ACTION_IDENTIFIED:
        must(action->identity != NULL);
        break;
    case SCAN_ACTION_NOTICE:
        must(action->notice && action->notice[0]);
        break;
    case SCAN_ACTION_OFFERED:
        must(action->offer != NULL);
        break;
    case SCAN_ACTION_NOTED:
        must(action->replaced->count <= SCAN_NOTES_MAX);
        break;
    case SCAN_ACTION_WARNED:
        must(action->warnings->count > 0 && action->warnings->count <= SCAN_NOTES_MAX);
        break;
    case SCAN_ACTION_PAGE_BEGIN:
        page_begin(w, side_of(action), action);
        break;
    case SCAN_ACTION_PAGE_BYTES:
        page_bytes(w, side_of(action), action->bytes);
        break;
    case SCAN_ACTION_PAGE_END:
        page_end(w, side_of(action), action);
        break;
    case SCAN_ACTION_PAGE_DROP:
        must(w->page[side_of(action)].open);
        w->page[side_of(action)].open = false;
        break;
    case SCAN_ACTION_CLOSE:
        w->closed = true;
        break;
    case SCAN_ACTION_LEGACY:
        must(!w->closed && !w->page[0].open && !w->page[1].open);
        w->ended = true;
        break;
    case SCAN_ACTION_ENDED:
        must(w->closed && !w->page[0].open && !w->page[1].open && action->reason);
        must((action->reason->code[0] == '\0') == (action->end == SCAN_END_COMPLETE));
        w->ended = true;
        break;
    }
}

/* Takes all actions; then the host answers for the page, if one is being stored. */
static void drain(World *w)
{
    static const Reason full = { "disk-full", "The disk is full.", "Make room." };
    ScanAction action;

    do {
        while (scan_session_next(w->session, &action))
            act(w, &action);
        if (!w->storing || w->ended)
            return;
        w->storing = false;
        scan_session_page_stored(w->session, !(w->choice & FAILS), &full, w->now);
    } while (true);
}

/* Lets time pass until the session has sent something or ended. */
static void wait_for_command(World *w)
{
    for (int i = 0; i < 8 && !w->sent && !w->ended; i++) {
        Mono next = scan_session_deadline(w->session);

        must(next.ms != MONO_NEVER.ms);
        w->now = next.ms > w->now.ms ? next : w->now;
        scan_session_tick(w->session, w->now);
        drain(w);
    }
}

/* Feeds one packet of the device, or what is left when it is none, in segments. */
static Bytes feed_packet(World *w, Bytes in)
{
    size_t segment = (size_t)1 << ((w->choice >> SEGMENT_BITS) * SEGMENT_STEP), n = in.n;
    IsHeader header;
    Bytes payload;

    (void)is_packet_decode(in, IS_PAYLOAD_FROM_DEVICE_MAX, &header, &payload, &n);
    w->sent = false;
    for (size_t done = 0; done < n && !w->ended;) {
        size_t take = n - done < segment ? n - done : segment;
        size_t took = scan_session_feed(w->session, (Bytes){ in.p + done, take }, w->now);

        must(took > 0 && took <= take);
        done += took;
        drain(w);
    }
    return bytes_after(in, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    ScanOrder order = { .source = data[0] & ONE_SOURCE ? SCAN_SOURCE_ADF : SCAN_SOURCE_AUTO,
                        .color = data[0] & LINES ? SCAN_COLOR_BW : SCAN_COLOR_COLOR,
                        .dpi = 300,
                        .more_sheets_s = data[0] & ONE_SOURCE ? 5 : 0,
                        .jpeg_quality = 90,
                        .sides = data[0] & TWO_SIDES ? SCAN_SIDES_TWO : SCAN_SIDES_ONE };
    World w = { .choice = data[0],
                .session = scan_session_new(&order, &(ScanTraits){ 0 }, (Mono){ 0 }) };
    Bytes in = { data + 1, size - 1 };

    must(w.session != NULL);
    while (in.n > 0 && !w.ended) {
        in = feed_packet(&w, in);
        wait_for_command(&w);
    }
    if (!w.ended) {
        scan_session_lost(w.session, "connection-lost", w.now);
        drain(&w);
    }
    must(w.ended);
    scan_session_free(w.session);
    return 0;
}
