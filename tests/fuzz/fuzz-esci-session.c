/* tests/fuzz/fuzz-esci-session.c - any older device against the ESC/I session.
 *
 * The first byte chooses the source, the colour, the size of segments and what the host does when a page begins;
 * the rest is what the device sends. When the session waits for time to pass, it passes. Properties: each command
 * is one whole IS packet and none is sent while a page is being stored; pages begin, end and are dropped in
 * order; a page that ends is a raw page as its trailer says; the end comes once, last, and always. */
#include "device/esci-session.h"
#include "model/raw-page.h"
#include "wire/is.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct World {
    EsciSession *session;
    Mono now;
    uint8_t choice;
    bool page_open, storing, closed, ended, sent;
    uint32_t pages;
    uint64_t page_bytes;
    uint8_t trailer[RAW_PAGE_TRAILER_SIZE];
} World;

enum { SOURCE_BITS = 3, SOURCES = 3, CANCELS = 0x04, STOPS = 0x08, FAILS = 0x10, SEGMENT_BITS = 5 };

static const ScanTalk *const talk = &scan_talk_esci;

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void page_begin(World *w, const ScanAction *action)
{
    must(!w->page_open && action->number == w->pages + 1 && action->format == PAGE_FORMAT_RAW);
    w->page_open = true;
    w->page_bytes = 0;
    if (w->choice & CANCELS)
        talk->cancel(w->session, w->now);
    if (w->choice & STOPS)
        talk->stop_at_page(w->session, w->now);
}

static void page_end(World *w)
{
    RawPage raw;
    Err err;

    must(w->page_open);
    must(raw_page_decode((Bytes){ w->trailer, sizeof w->trailer }, w->page_bytes, &raw, &err));
    w->page_open = false;
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
    case SCAN_ACTION_OFFERED:
    case SCAN_ACTION_NOTED:
        break;
    case SCAN_ACTION_PAGE_BEGIN:
        page_begin(w, action);
        break;
    case SCAN_ACTION_PAGE_BYTES:
        must(w->page_open && action->bytes.n > 0);
        w->page_bytes += action->bytes.n;
        if (action->bytes.n == sizeof w->trailer)
            memcpy(w->trailer, action->bytes.p, sizeof w->trailer);
        break;
    case SCAN_ACTION_PAGE_END:
        page_end(w);
        break;
    case SCAN_ACTION_PAGE_DROP:
        must(w->page_open);
        w->page_open = false;
        w->pages++;
        break;
    case SCAN_ACTION_CLOSE:
        w->closed = true;
        break;
    case SCAN_ACTION_NOTICE:
    case SCAN_ACTION_WARNED:
        break;
    case SCAN_ACTION_LEGACY:
        must(false);
        break;
    case SCAN_ACTION_ENDED:
        must(w->closed && !w->page_open && action->reason);
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
        while (talk->next(w->session, &action))
            act(w, &action);
        if (!w->storing || w->ended)
            return;
        w->storing = false;
        talk->page_stored(w->session, !(w->choice & FAILS), &full, w->now);
    } while (true);
}

/* Lets time pass until the session has sent something or ended. */
static void wait_for_command(World *w)
{
    for (int i = 0; i < 8 && !w->sent && !w->ended; i++) {
        Mono next = talk->deadline(w->session);

        must(next.ms != MONO_NEVER.ms);
        w->now = next.ms > w->now.ms ? next : w->now;
        talk->tick(w->session, w->now);
        drain(w);
    }
}

/* Feeds one packet of the device, or what is left when it is none, in segments. */
static Bytes feed_packet(World *w, Bytes in)
{
    size_t segment = (size_t)1 << (w->choice >> SEGMENT_BITS), n = in.n;
    IsHeader header;
    Bytes payload;

    (void)is_packet_decode(in, IS_PAYLOAD_FROM_DEVICE_MAX, &header, &payload, &n);
    w->sent = false;
    for (size_t done = 0; done < n && !w->ended;) {
        size_t take = n - done < segment ? n - done : segment;
        size_t took = talk->feed(w->session, (Bytes){ in.p + done, take }, w->now);

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
    ScanOrder order = { .source = (ScanSource)((data[0] & SOURCE_BITS) % SOURCES),
                        .color = (ScanColor)(data[0] >> SEGMENT_BITS) % (SCAN_COLOR_BW + 1),
                        .dpi = 75,
                        .sides = SCAN_SIDES_TWO };
    World w = { .choice = data[0],
                .session = esci_session_new(&order, &(ScanTraits){ 0 }, (Mono){ 0 }) };
    Bytes in = { data + 1, size - 1 };

    must(w.session != NULL);
    drain(&w);
    while (in.n > 0 && !w.ended) {
        in = feed_packet(&w, in);
        wait_for_command(&w);
    }
    if (!w.ended) {
        talk->lost(w.session, "connection-lost", w.now);
        drain(&w);
    }
    must(w.ended);
    talk->free(w.session);
    return 0;
}
