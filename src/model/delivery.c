/* model/delivery.c - see delivery.h. */
#include "model/delivery.h"

const char *const delivery_state_words[] = {
    "ready", "sending", "done", "held", "failed", "uncertain", "dropped", NULL,
};
const char *const delivery_class_words[] = {
    "ok", "retry", "auth", "config", "fatal", "unknown", NULL,
};

typedef struct DeliveryRule {
    DeliveryState next;
    bool allowed;
} DeliveryRule;

static const DeliveryRule delivery_rules[DELIVERY_STATE_MAX_][DELIVERY_EVENT_MAX_] = {
    [DELIVERY_READY] = { [DELIVERY_EVENT_CLAIM] = { DELIVERY_SENDING, true },
                         [DELIVERY_EVENT_RETRY_NOW] = { DELIVERY_READY, true }, /* its wait ends */
                         [DELIVERY_EVENT_HOLD] = { DELIVERY_HELD, true },
                         [DELIVERY_EVENT_DROP] = { DELIVERY_DROPPED, true } },
    [DELIVERY_SENDING] = { [DELIVERY_EVENT_OK] = { DELIVERY_DONE, true },
                           [DELIVERY_EVENT_RETRY_LATER] = { DELIVERY_READY, true },
                           [DELIVERY_EVENT_HOLD] = { DELIVERY_HELD, true },
                           [DELIVERY_EVENT_FAIL] = { DELIVERY_FAILED, true },
                           [DELIVERY_EVENT_UNKNOWN] = { DELIVERY_UNCERTAIN, true } },
    [DELIVERY_HELD] = { [DELIVERY_EVENT_RETRY_NOW] = { DELIVERY_READY, true },
                        [DELIVERY_EVENT_DROP] = { DELIVERY_DROPPED, true } },
    [DELIVERY_FAILED] = { [DELIVERY_EVENT_RETRY_NOW] = { DELIVERY_READY, true },
                          [DELIVERY_EVENT_DROP] = { DELIVERY_DROPPED, true } },
    [DELIVERY_UNCERTAIN] = { [DELIVERY_EVENT_RETRY_NOW] = { DELIVERY_READY, true },
                             [DELIVERY_EVENT_DROP] = { DELIVERY_DROPPED, true },
                             [DELIVERY_EVENT_CONFIRM] = { DELIVERY_DONE, true } },
    [DELIVERY_DROPPED] = { [DELIVERY_EVENT_RETRY_NOW] = { DELIVERY_READY, true } },
};

bool delivery_step(DeliveryState *state, DeliveryEvent event)
{
    const DeliveryRule *rule = &delivery_rules[*state][event];

    if (rule->allowed)
        *state = rule->next;
    return rule->allowed;
}
