/* queue/retry.c - see retry.h. */
#include "queue/retry.h"

/* One row per class; RETRY_LATER rows get a wait. */
static const DeliveryEvent event_of_class[DELIVERY_CLASS_MAX_] = {
    [DELIVERY_CLASS_OK] = DELIVERY_EVENT_OK,
    [DELIVERY_CLASS_RETRY] = DELIVERY_EVENT_RETRY_LATER,
    [DELIVERY_CLASS_AUTH] = DELIVERY_EVENT_RETRY_LATER,
    [DELIVERY_CLASS_CONFIG] = DELIVERY_EVENT_HOLD,
    [DELIVERY_CLASS_FATAL] = DELIVERY_EVENT_FAIL,
    [DELIVERY_CLASS_UNKNOWN] = DELIVERY_EVENT_UNKNOWN,
};

RetryPlan retry_plan(uint32_t attempt, const DeliveryResult *result, int64_t left_ms,
                     uint32_t random_permille)
{
    RetryPlan plan = { .event = event_of_class[result->class] };
    int64_t wait = RETRY_FIRST_MS;

    if (plan.event != DELIVERY_EVENT_RETRY_LATER)
        return plan;
    if (left_ms <= 0)
        return (RetryPlan){ .event = DELIVERY_EVENT_FAIL };
    for (uint32_t i = 1; i < attempt && wait < RETRY_CAP_MS; i++)
        wait *= 2;
    if (wait > RETRY_CAP_MS)
        wait = RETRY_CAP_MS;
    wait += wait / 5 * ((int64_t)random_permille - 500) / 500;
    int64_t asked_s = result->retry_after_s < DELIVERY_WAIT_MAX_MS / 1000
                          ? result->retry_after_s
                          : DELIVERY_WAIT_MAX_MS / 1000;
    if (wait < asked_s * 1000)
        wait = asked_s * 1000;
    plan.wait_ms = wait;
    return plan;
}
