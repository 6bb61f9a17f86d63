/* queue/advance.c - a batch goes on: flow's steps applied to rows, and what a person asks. */
#include "queue/keeper.h"

#include "base/text.h"
#include "flow/batch.h"
#include "store/batch-rows.h"
#include "store/retention.h"

enum { STEPS_IN_ONE_WRITE_MAX = 8 };

static bool apply(Tx *tx, const BatchId *id, const BatchStep *step, Err *err)
{
    return batch_apply(tx, id, step->event, step->reason.code[0] ? &step->reason : NULL, err) &&
           (!step->insert_deliveries || deliveries_insert(tx, id, err));
}

bool queue_batch_settle(Tx *tx, const BatchId *id, BatchState *ret_state, Err *err)
{
    for (int i = 0; i < STEPS_IN_ONE_WRITE_MAX; i++) {
        BatchSummary summary;

        if (!batch_summary(tx_db(tx), id, &summary, err))
            return false;
        BatchStep step = flow_batch_next(&summary);
        *ret_state = summary.state;
        if (!step.any)
            return true;
        if (!apply(tx, id, &step, err))
            return false;
    }
    return err_set(err, ERR_BUG, 0, "batch %s does not come to rest", id->text);
}

bool queue_batch_advance(Tx *tx, const BatchId *id, Err *err)
{
    BatchState ignored;

    return queue_batch_settle(tx, id, &ignored, err);
}

typedef struct PersonsWish {
    const BatchId *id;
    const Actor *actor;
} PersonsWish;

static bool wish_recorded(Tx *tx, const PersonsWish *wish, const char *action, Err *err)
{
    return audit_insert(tx, wish->actor, action, "batch", wish->id->text, "", err);
}

static bool deliver_write(Tx *tx, void *arg, Err *err)
{
    const PersonsWish *wish = arg;
    BatchSummary summary;

    if (!batch_summary(tx_db(tx), wish->id, &summary, err))
        return false;
    if (summary.state != BATCH_BROKEN && summary.state != BATCH_CANCELLED) {
        err_set(err, ERR_CONFLICT, 0,
                "the batch is %s, only a broken or cancelled one can be delivered by hand",
                batch_state_words[summary.state]);
        return err_remedy(err, "%s",
                          summary.state == BATCH_ATTENTION
                              ? "Use retry for a batch that needs attention."
                              : "Nothing needs to be done.");
    }
    if (summary.pages == 0) {
        err_set(err, ERR_CONFLICT, 0, "the batch has no pages");
        return err_remedy(err, "Scan again: nothing arrived.");
    }
    return batch_files_check(tx_db(tx), wish->id, err) &&
           wish_recorded(tx, wish, "batch.deliver", err) &&
           batch_adopt_destinations(tx, wish->id, err) &&
           batch_apply(tx, wish->id, BATCH_EVENT_DELIVER, NULL, err) && /* the reason stays */
           queue_batch_advance(tx, wish->id, err);
}

/* A batch that is stuck goes back to where it stopped. */
static bool retry_stuck(Tx *tx, const PersonsWish *wish, const BatchSummary *summary, Err *err)
{
    const Reason none = { 0 };
    BatchStep back = flow_batch_retry(summary), end = flow_batch_settle(summary);

    if (end.any) /* the reason stays: it tells which pages are not there */
        return batch_apply(tx, wish->id, back.event, NULL, err) &&
               batch_apply(tx, wish->id, end.event, NULL, err);
    return batch_apply(tx, wish->id, back.event, &none, err) &&
           queue_batch_advance(tx, wish->id, err);
}

static bool retry_write(Tx *tx, void *arg, Err *err)
{
    const PersonsWish *wish = arg;
    uint32_t documents, deliveries;
    BatchSummary summary;

    if (!batch_summary(tx_db(tx), wish->id, &summary, err))
        return false;
    if (summary.state != BATCH_ATTENTION && summary.state != BATCH_DELIVERING) {
        err_set(err, ERR_CONFLICT, 0, "the batch is %s, only one that needs attention is retried",
                batch_state_words[summary.state]);
        return err_remedy(err, "%s",
                          summary.state == BATCH_BROKEN || summary.state == BATCH_CANCELLED
                              ? "Use deliver to send the pages that arrived."
                              : "Nothing needs to be done.");
    }
    if (!flow_batch_settle(&summary).any && !batch_files_check(tx_db(tx), wish->id, err))
        return false;
    if (!batch_retry_rows(tx, wish->id, &documents, &deliveries, err) ||
        !batch_summary(tx_db(tx), wish->id, &summary, err) ||
        !wish_recorded(tx, wish, "batch.retry", err))
        return false;
    if (summary.state == BATCH_ATTENTION)
        return retry_stuck(tx, wish, &summary, err);
    if (deliveries > 0)
        return true; /* the others are under way: these now go beside them */
    err_set(err, ERR_CONFLICT, 0,
            "the batch is delivering and none of its deliveries has stopped or waits");
    return err_remedy(err, "Nothing needs to be done.");
}

static bool run_wish(Queue *queue, StoreWrite *write, PersonsWish wish, Err *err)
{
    bool ok = store_write_wait(queue->config.store, write, &wish, err);

    if (ok)
        queue_rouse(queue);
    return ok;
}

bool queue_batch_deliver(Queue *queue, const Actor *actor, const BatchId *id, Err *err)
{
    return run_wish(queue, deliver_write, (PersonsWish){ id, actor }, err);
}

bool queue_batch_retry(Queue *queue, const Actor *actor, const BatchId *id, Err *err)
{
    return run_wish(queue, retry_write, (PersonsWish){ id, actor }, err);
}
