/* mfp/drip.h - packets that leave slowly and in awkward pieces, as bad networks deliver them. Pure. */
#ifndef PLATEN_MFP_DRIP_H
#define PLATEN_MFP_DRIP_H

#include "base/bytes.h"
#include "base/time.h"

enum { DRIP_SPLIT_BYTES = 5 /* within any header */, DRIP_SPLIT_MS = 2, DRIP_QUEUE_MAX = 1 << 20 };

typedef struct DripRule {
    uint32_t bytes;    /* of a piece; 0: no limit                          */
    uint32_t delay_ms; /* before each piece                                */
    bool split;        /* what is given is cut behind its first bytes      */
} DripRule;

static inline bool drip_is_used(const DripRule *rule)
{
    return rule->bytes > 0 || rule->delay_ms > 0 || rule->split;
}

typedef struct Drip {
    DripRule rule;
    Buf queue;
    bool cut; /* the next piece is the rest behind a cut */
    Mono due; /* of the next piece                       */
} Drip;

/* Empty; to be ended with drip_done. */
void drip_init(Drip *drip, const DripRule *rule);
/* Drops what was not sent. */
void drip_done(Drip *drip);

/* Takes bytes to be sent; only when drip_is_empty. False: more than DRIP_QUEUE_MAX. */
bool drip_put(Drip *drip, Bytes bytes, Mono now);

static inline bool drip_is_empty(const Drip *drip)
{
    return drip->queue.n == 0;
}

/* The piece that is due now; false when none is. Valid until drip_sent, which must follow. */
bool drip_next(const Drip *drip, Mono now, Bytes *ret_piece);
void drip_sent(Drip *drip, Bytes piece, Mono now);

/* When drip_next has something; MONO_NEVER when it is empty. */
Mono drip_deadline(const Drip *drip);

#endif
