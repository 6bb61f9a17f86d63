/* queue/purge.c - a person has the files of a batch removed before their time. See queue.h. */
#include "queue/keeper.h"

#include "base/text.h"
#include "flow/batch.h"
#include "store/retention.h"

typedef struct PurgeWish {
    const Actor *actor;
    const BatchId *id;
    bool undelivered; /* the person knows that something was not delivered */
} PurgeWish;

/* What may be purged is over, or waits for a person who gives it up. */
static bool may_purge(const BatchSummary *batch, bool undelivered, Err *err)
{
    switch (batch->state) {
    case BATCH_DONE:
        return true;
    case BATCH_CANCELLED:
    case BATCH_BROKEN:
        if (undelivered || batch->pages == 0)
            return true;
        err_set(err, ERR_CONFLICT, 0, "the batch is %s, its %u pages were not delivered",
                batch_state_words[batch->state], batch->pages);
        return err_remedy(err, "Deliver it (platen batch deliver), or say --undelivered.");
    case BATCH_ATTENTION:
        if (undelivered)
            return true;
        err_set(err, ERR_CONFLICT, 0, "the batch needs attention: not all of it was delivered");
        return err_remedy(err, "Retry it, drop its deliveries, or say --undelivered.");
    default:
        err_set(err, ERR_CONFLICT, 0, "the batch is %s: it is not delivered yet",
                batch_state_words[batch->state]);
        return err_remedy(err, "Wait until it is done, or drop its deliveries.");
    }
}

/* A batch that waited for a person comes to its end. */
static bool give_up(Tx *tx, const PurgeWish *wish, const BatchSummary *batch, Err *err)
{
    static const Reason reason = {
        .code = "given-up",
        .text = "A person had its files removed before everything was delivered.",
        .remedy = "Scan again what is still wanted.",
    };
    char note[FIELD_SIZEOF(Delivery, note)];
    BatchStep back = flow_batch_retry(batch), end = flow_batch_settle(batch);

    if (end.any) /* all was delivered but pages that are damaged */
        return batch_apply(tx, wish->id, back.event, NULL, err) &&
               batch_apply(tx, wish->id, end.event, NULL, err);
    (void)text_printf(note, sizeof note, "Given up by %s.", wish->actor->name);
    return batch_deliveries_drop(tx, wish->id, note, err) &&
           batch_apply(tx, wish->id, BATCH_EVENT_GIVE_UP, &reason, err);
}

static bool purge_write(Tx *tx, void *arg, Err *err)
{
    const PurgeWish *wish = arg;
    char why[FIELD_SIZEOF(Batch, files_why)];
    BatchSummary summary;

    (void)text_printf(why, sizeof why, "by %s", wish->actor->name);
    return batch_summary(tx_db(tx), wish->id, &summary, err) &&
           may_purge(&summary, wish->undelivered, err) &&
           batch_files_give_up(tx, wish->id, why, err) &&
           (summary.state != BATCH_ATTENTION || give_up(tx, wish, &summary, err)) &&
           audit_insert(tx, wish->actor, "batch.purge", "batch", wish->id->text,
                        wish->undelivered ? "undelivered" : "", err);
}

bool queue_batch_purge(Queue *queue, const Actor *actor, const BatchId *id, bool undelivered,
                       Err *err)
{
    PurgeWish wish = { actor, id, undelivered };
    bool ok = store_write_wait(queue->config.store, purge_write, &wish, err);

    if (ok)
        queue_wake(queue);
    return ok;
}
