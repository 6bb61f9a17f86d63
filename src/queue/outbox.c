/* queue/outbox.c - what a person does with deliveries and destinations, and what follows for batches. */
#include "queue/keeper.h"

#include "base/log.h"
#include "base/text.h"
#include "store/batch-rows.h"

/* A batch whose deliveries were changed goes on from where it rests. */
static bool batch_follows(Tx *tx, const BatchId *id, Err *err)
{
    const Reason none = { 0 };
    BatchSummary summary;

    if (!batch_summary(tx_db(tx), id, &summary, err))
        return false;
    bool rests = summary.deliveries > 0 &&
                 ((summary.state == BATCH_ATTENTION && summary.documents_failed == 0) ||
                  (summary.state == BATCH_DONE && summary.deliveries_done < summary.deliveries));
    return (!rests || batch_apply(tx, id, BATCH_EVENT_RETRY_DELIVERY, &none, err)) &&
           queue_batch_advance(tx, id, err);
}

/* --- one delivery ------------------------------------------------------------------------------------- */

typedef struct DeliveryWish {
    const Actor *actor;
    const DeliveryId *id;
    DeliveryEvent event;
    const DestinationId *elsewhere; /* NULL: event */
    const char *options;
    DeliveryId *ret_id;
} DeliveryWish;

static const struct {
    const char *action, *note; /* note: before the name of who did it */
} wishes[DELIVERY_EVENT_MAX_] = {
    [DELIVERY_EVENT_RETRY_NOW] = { "delivery.retry", "" },
    [DELIVERY_EVENT_HOLD] = { "delivery.hold", "Held by" },
    [DELIVERY_EVENT_DROP] = { "delivery.drop", "Dropped by" },
    [DELIVERY_EVENT_CONFIRM] = { "delivery.confirm", "Confirmed by" },
};

static bool act_write(Tx *tx, void *arg, Err *err)
{
    const DeliveryWish *w = arg;
    char name[NAME_TEXT_SIZE], note[FIELD_SIZEOF(Delivery, note)];
    Delivery delivery;

    (void)text_printf(note, sizeof note, "%s %s.",
                      w->elsewhere ? "Sent elsewhere by" : wishes[w->event].note, w->actor->name);
    return delivery_get(tx_db(tx), w->id, &delivery, name, err) &&
           (w->elsewhere
                ? delivery_elsewhere(tx, w->id, w->elsewhere, w->options, note, w->ret_id, err)
                : delivery_act(tx, w->id, w->event, note, err)) &&
           audit_insert(tx, w->actor, w->elsewhere ? "delivery.elsewhere" : wishes[w->event].action,
                        "delivery", w->id->text, w->elsewhere ? w->elsewhere->text : "", err) &&
           batch_follows(tx, &delivery.batch, err);
}

static bool run_write(Queue *queue, StoreWrite *write, void *arg, Err *err)
{
    bool ok = store_write_wait(queue->config.store, write, arg, err);

    if (ok)
        queue_rouse(queue);
    return ok;
}

bool queue_delivery_act(Queue *queue, const Actor *actor, const DeliveryId *id, DeliveryEvent event,
                        Err *err)
{
    DeliveryWish wish = { .actor = actor, .id = id, .event = event };

    return run_write(queue, act_write, &wish, err);
}

bool queue_delivery_elsewhere(Queue *queue, const Actor *actor, const DeliveryId *id,
                              const DestinationId *destination, const char *options,
                              DeliveryId *ret_id, Err *err)
{
    DeliveryWish wish = {
        .actor = actor, .id = id, .elsewhere = destination, .options = options, .ret_id = ret_id
    };

    return run_write(queue, act_write, &wish, err);
}

/* --- a destination stops and goes on ------------------------------------------------------------------- */

typedef struct Followers {
    Tx *tx;
    Err *err;
    bool ok;
} Followers;

static bool follow(void *arg, const BatchId *id)
{
    Followers *f = arg;

    f->ok = batch_follows(f->tx, id, f->err);
    return f->ok;
}

static bool batches_follow(Tx *tx, const DestinationId *id, Err *err)
{
    Followers followers = { tx, err, true };

    return destination_batches(tx_db(tx), id, follow, &followers, err) && followers.ok;
}

bool queue_destination_goes_on(Tx *tx, const Actor *actor, const DestinationId *id, Err *err)
{
    return destination_resume(tx, actor, id, err) && batches_follow(tx, id, err);
}

typedef struct DestinationWish {
    const Actor *actor;
    const DestinationId *id;
    const char *why; /* NULL: go on */
} DestinationWish;

static bool destination_write(Tx *tx, void *arg, Err *err)
{
    const DestinationWish *w = arg;

    if (!w->why)
        return queue_destination_goes_on(tx, w->actor, w->id, err);
    return destination_stop(tx, w->actor, w->id, w->why, "Resume the destination.", err) &&
           batches_follow(tx, w->id, err);
}

bool queue_destination_stop(Queue *queue, const Actor *actor, const DestinationId *id,
                            const char *why, Err *err)
{
    DestinationWish wish = { actor, id, why };

    return run_write(queue, destination_write, &wish, err);
}

bool queue_destination_resume(Queue *queue, const Actor *actor, const DestinationId *id, Err *err)
{
    DestinationWish wish = { actor, id, NULL };

    return run_write(queue, destination_write, &wish, err);
}

bool queue_login_settle(Tx *tx, const DestinationId *id, const DeliveryResult *result, Err *err)
{
    static const Actor actor = { "server", "local" };
    int64_t failures = 0;

    if (result->class == DELIVERY_CLASS_OK)
        return destination_let_in(tx, id, err);
    if (result->class != DELIVERY_CLASS_AUTH)
        return true;
    if (!destination_refused(tx, id, &failures, err))
        return false;
    if (failures < DESTINATION_AUTH_FAILURES_MAX)
        return true;
    log_line(LOG_ERROR, "destination.stopped", "destination=%s failures=%lld", id->text,
             (long long)failures);
    return destination_stop(tx, &actor, id, result->text, result->cure, err) &&
           batches_follow(tx, id, err);
}
