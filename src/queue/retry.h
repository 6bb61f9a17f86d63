/* queue/retry.h - what follows from the end of a delivery attempt. Pure: no clock, no randomness. */
#ifndef PLATEN_QUEUE_RETRY_H
#define PLATEN_QUEUE_RETRY_H

#include "model/delivery.h"

#include <stdint.h>

typedef struct RetryPlan {
    DeliveryEvent event;
    int64_t wait_ms; /* RETRY_LATER: until the next attempt */
} RetryPlan;

enum {
    RETRY_FIRST_MS = 30 * 1000,
    RETRY_CAP_MS = 3600 * 1000,
    DELIVERY_EXPIRY_MS = 3 * 24 * 3600 *
                         1000, /* a delivery that never got through in this time fails */
};

/* attempt: 1 for the first. age_ms: since the delivery was created. random_permille: 0..999 spreads
 * the waits by +-20 %. The wait is 30 s x 2^(attempt-1), at most 1 h, never less than the peer's
 * retry-after; a RETRY older than DELIVERY_EXPIRY_MS fails. AUTH and CONFIG wait for a person. */
RetryPlan retry_plan(uint32_t attempt, const DeliveryResult *result, int64_t age_ms,
                     uint32_t random_permille);

#endif
