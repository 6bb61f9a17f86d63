/* tests/fuzz/fuzz-mfp-session.c - any client against the virtual device.
 *
 * The first byte chooses source, language (odd sizes of segments up to 31: ESC/I) and size of segments, the rest
 * is what the client sends. Properties:
 * each answer is whole IS packets, nothing comes after a close, the lock comes back, no scan is left
 * running. */
#include "mfp/session.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OUT_MAX = 8 * 1024 * 1024, SHEETS = 3, HEAD_BITS = 7, LEGACY_STEPS = 32 };

/* The smallest picture with a size. */
static const uint8_t picture[] = { 0xff, 0xd8, 0xff, 0xc0, 0, 7,    8,    0, 8,    0,
                                   8,    0xff, 0xda, 0,    2, 0x12, 0x34, 5, 0xff, 0xd9 };

/* Drops whole packets from the front; what is left is the beginning of one. */
static void check_packets(Buf *out)
{
    IsHeader header;
    Bytes payload;
    size_t used;
    WireResult result;

    while ((result = is_packet_decode(buf_bytes(out), IS_PAYLOAD_FROM_DEVICE_MAX, &header, &payload,
                                      &used)) == WIRE_OK)
        buf_drop_front(out, used);
    if (result == WIRE_BROKEN || out->failed)
        abort();
}

/* False when the device has closed. */
static bool drain(MfpSession *session, Buf *out)
{
    MfpAction action;
    bool open = true;

    while (mfp_session_next(session, &action)) {
        if (!open)
            abort();
        if (action.kind == MFP_SEND)
            (void)buf_put(out, action.bytes);
        open = action.kind != MFP_CLOSE;
        check_packets(out);
    }
    if (out->n != 0) /* it never stops in the middle of a packet */
        abort();
    return open;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_BUF out = buf_with_max(OUT_MAX);
    Bytes in = { data, size };
    Mono now = { 0 };
    Err err;
    AUTO(Tray) tray = tray_new(&err);

    if (size == 0 || !tray || !tray_add(tray, (Bytes){ picture, sizeof picture }, &err))
        return 0;
    bool glass = data[0] & 1;
    MfpUnit unit = { .source = glass ? MFP_FLATBED : MFP_ADF, .tray = tray };
    unit.kind = (ModelKind){ .glass = glass, .duplex = MFP_DUPLEX_DOUBLE_PASS };
    unit.interleaves = size & 1;
    unit.job_control = size & 2;
    size_t step = (size_t)(data[0] >> 1) + 1;
    unit.legacy = step < LEGACY_STEPS && step % 2 == 1;
    bool in_one = step > 1U << (HEAD_BITS - 1);
    if (unit.source == MFP_ADF)
        tray_load(tray, SHEETS);
    AUTO(MfpSession) session = mfp_session_new(&unit, now, &err);
    if (!session)
        return 0;
    bool open = drain(session, &out);
    for (in = bytes_after(in, 1); open && in.n > 0; in = bytes_after(in, step)) {
        if (in_one)
            step = in.n < MFP_FEED_BYTES_MAX ? in.n : MFP_FEED_BYTES_MAX;
        mfp_session_feed(session, (Bytes){ in.p, in.n < step ? in.n : step }, now);
        open = drain(session, &out);
    }
    if (open) {
        mfp_session_tick(session, mfp_session_deadline(session));
        open = drain(session, &out);
    }
    if (open || unit.lock_owner || unit.scanning)
        abort();
    return 0;
}
