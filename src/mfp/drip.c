/* mfp/drip.c - see drip.h. */
#include "mfp/drip.h"

void drip_init(Drip *drip, const DripRule *rule)
{
    *drip = (Drip){ .rule = *rule, .queue = buf_with_max(DRIP_QUEUE_MAX) };
}

void drip_done(Drip *drip)
{
    buf_done(&drip->queue);
}

bool drip_put(Drip *drip, Bytes bytes, Mono now)
{
    drip->cut = false;
    drip->due = mono_after(now, drip->rule.delay_ms);
    return buf_put(&drip->queue, bytes);
}

bool drip_next(const Drip *drip, Mono now, Bytes *ret_piece)
{
    Bytes piece = buf_bytes(&drip->queue);

    if (piece.n == 0 || !mono_reached(now, drip->due))
        return false;
    if (drip->rule.split && !drip->cut && piece.n > DRIP_SPLIT_BYTES)
        piece.n = DRIP_SPLIT_BYTES;
    else if (drip->rule.bytes > 0 && piece.n > drip->rule.bytes)
        piece.n = drip->rule.bytes;
    *ret_piece = piece;
    return true;
}

void drip_sent(Drip *drip, Bytes piece, Mono now)
{
    bool first_of_split = drip->rule.split && !drip->cut;

    buf_drop_front(&drip->queue, piece.n);
    drip->cut = true;
    drip->due = mono_after(now, first_of_split && drip->rule.delay_ms == 0 ? DRIP_SPLIT_MS
                                                                           : drip->rule.delay_ms);
}

Mono drip_deadline(const Drip *drip)
{
    return drip_is_empty(drip) ? MONO_NEVER : drip->due;
}
