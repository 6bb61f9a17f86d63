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
};

/* attempt: 1 for the first. left_ms: until the delivery expires. random_permille: 0..999 spreads the waits
 * by +-20 %. The wait is 30 s x 2^(attempt-1), at most 1 h, never less than the peer's retry-after; a
 * RETRY whose time is over fails. AUTH is tried again likewise, but the destination is stopped
 * when it happens twice in a row (queue). CONFIG waits for a person. */
RetryPlan retry_plan(uint32_t attempt, const DeliveryResult *result, int64_t left_ms,
                     uint32_t random_permille);

#endif
