/* tests/fuzz/scan-world.h - the host and the time of a scan session, whose device is the input of a fuzz target.
 *
 * When the session waits for time to pass, it passes. Properties: each command is one whole IS packet and none is sent
 * while a page is being stored; pages begin, end and are dropped in order; a page that ends is whole; the end comes
 * once, last, and always. */
#ifndef PLATEN_TESTS_FUZZ_SCAN_WORLD_H
#define PLATEN_TESTS_FUZZ_SCAN_WORLD_H

#include "device/scan-session.h"
#include "model/raw-page.h"
#include "wire/is.h"

#include <stdlib.h>
#include <string.h>

/* Bits of the first byte of the input: what the host does when a page begins, or ends. */
enum { CANCELS = 0x04, STOPS = 0x08, FAILS = 0x10 };

typedef struct World {
    ScanSession *session;
    Mono now;
    uint8_t choice;
    size_t segment;  /* bytes at a time                                          */
    bool two_sides;  /* were ordered                                             */
    bool only_lines; /* ESC/I: raw pages, one behind the other, and no hand-over */

    bool storing, closed, ended, sent;
    struct {
        bool open;
        uint32_t number;
        PageFormat format;
        uint64_t bytes;
        uint8_t first, last, trailer[RAW_PAGE_TRAILER_SIZE];
    } page[2]; /* front and back */
    uint32_t begun;
} World;

static inline void must(bool holds)
{
    if (!holds)
        abort();
}

static inline size_t side_of(const ScanAction *action)
{
    must(action->side == 'A' || action->side == 'B');
    return action->side == 'B' ? 1 : 0;
}

static inline void page_bytes(World *w, size_t side, Bytes bytes)
{
    must(w->page[side].open && bytes.n > 0);
    if (w->page[side].bytes == 0)
        w->page[side].first = bytes.p[0];
    w->page[side].last = bytes.p[bytes.n - 1];
    w->page[side].bytes += bytes.n;
    if (bytes.n == RAW_PAGE_TRAILER_SIZE)
        memcpy(w->page[side].trailer, bytes.p, bytes.n);
}

static inline void page_begin(World *w, size_t side, const ScanAction *action)
{
    must(!w->page[side].open && action->number > w->page[side].number);
    must(side == 0 || (w->two_sides && action->number % 2 == 0));
    w->begun++;
    if (w->only_lines)
        must(action->number == w->begun && action->format == PAGE_FORMAT_RAW &&
             !w->page[1 - side].open);
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
static inline void page_end(World *w, size_t side, const ScanAction *action)
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
}

static inline void act(World *w, const ScanAction *action)
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
        must(!w->only_lines && !w->closed && !w->page[0].open && !w->page[1].open);
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
static inline void drain(World *w)
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
static inline void wait_for_command(World *w)
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
static inline Bytes feed_packet(World *w, Bytes in)
{
    size_t n = in.n;
    IsHeader header;
    Bytes payload;

    (void)is_packet_decode(in, IS_PAYLOAD_FROM_DEVICE_MAX, &header, &payload, &n);
    w->sent = false;
    for (size_t done = 0; done < n && !w->ended;) {
        size_t take = n - done < w->segment ? n - done : w->segment;
        size_t took = scan_session_feed(w->session, (Bytes){ in.p + done, take }, w->now);

        must(took > 0 && took <= take);
        done += took;
        drain(w);
    }
    return bytes_after(in, n);
}

/* The whole life of the session, which is freed, with a device that says this. */
static inline void world_run(World *w, Bytes in)
{
    must(w->session != NULL);
    drain(w);
    while (in.n > 0 && !w->ended) {
        in = feed_packet(w, in);
        wait_for_command(w);
    }
    if (!w->ended) {
        scan_session_lost(w->session, "connection-lost", w->now);
        drain(w);
    }
    must(w->ended);
    scan_session_free(w->session);
}

#endif
