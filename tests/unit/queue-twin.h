/* tests/unit/queue-twin.h - a queue that remembers who asked for what and answers as the test wants. */
#ifndef PLATEN_TESTS_UNIT_QUEUE_TWIN_H
#define PLATEN_TESTS_UNIT_QUEUE_TWIN_H

#include "base/text.h"
#include "queue/queue.h"
#include "store/batch-rows.h"

struct Queue {
    unsigned wakes, delivers, retries, resumes, purges;
    bool undelivered;    /* of the last queue_batch_purge */
    DeliveryEvent event; /* of the last queue_delivery_act */
    char other[ID_TEXT_SIZE], options[128];
    char actor[64], batch[ID_TEXT_SIZE];
    bool refuse;
};

static Queue twin __attribute__((unused));

/* The twins of queue.h: this one counts. */
void queue_wake(Queue *queue)
{
    queue->wakes++;
}

/* Counted as a wake. */
void queue_rouse(Queue *queue)
{
    queue->wakes++;
}

static bool twin_act(Queue *queue, const Actor *actor, const BatchId *id, Err *err)
{
    (void)text_copy(queue->actor, sizeof queue->actor, actor->name);
    (void)text_copy(queue->batch, sizeof queue->batch, id->text);
    if (!queue->refuse)
        return true;
    err_set(err, ERR_CONFLICT, 0, "the batch is done");
    return err_remedy(err, "There is nothing to do.");
}

/* Twin: counts, remembers, refuses when told. */
bool queue_batch_deliver(Queue *queue, const Actor *actor, const BatchId *id, Err *err)
{
    queue->delivers++;
    return twin_act(queue, actor, id, err);
}

/* Twin: counts, remembers, refuses when told. */
bool queue_batch_retry(Queue *queue, const Actor *actor, const BatchId *id, Err *err)
{
    queue->retries++;
    return twin_act(queue, actor, id, err);
}

/* Twin: counts, remembers, refuses when told. */
bool queue_batch_purge(Queue *queue, const Actor *actor, const BatchId *id, bool undelivered,
                       Err *err)
{
    queue->purges++;
    queue->undelivered = undelivered;
    return twin_act(queue, actor, id, err);
}

/* Twin: remembers, refuses when told. */
bool queue_delivery_act(Queue *queue, const Actor *actor, const DeliveryId *id, DeliveryEvent event,
                        Err *err)
{
    queue->event = event;
    return twin_act(queue, actor, (const BatchId *)(const void *)id, err);
}

/* Twin: remembers, refuses when told; the new one has the id of the old. */
bool queue_delivery_elsewhere(Queue *queue, const Actor *actor, const DeliveryId *id,
                              const DestinationId *destination, const char *options,
                              DeliveryId *ret_id, Err *err)
{
    (void)text_copy(queue->other, sizeof queue->other, destination->text);
    (void)text_copy(queue->options, sizeof queue->options, options);
    *ret_id = *id;
    return twin_act(queue, actor, (const BatchId *)(const void *)id, err);
}

/* Twin: remembers, refuses when told. */
bool queue_destination_stop(Queue *queue, const Actor *actor, const DestinationId *id,
                            const char *why, Err *err)
{
    (void)text_copy(queue->options, sizeof queue->options, why);
    return twin_act(queue, actor, (const BatchId *)(const void *)id, err);
}

/* Twin: counts, remembers, refuses when told. */
bool queue_destination_resume(Queue *queue, const Actor *actor, const DestinationId *id, Err *err)
{
    queue->resumes++;
    return twin_act(queue, actor, (const BatchId *)(const void *)id, err);
}

/* Twin: the rows, without batches. */
bool queue_destination_goes_on(Tx *tx, const Actor *actor, const DestinationId *id, Err *err)
{
    return destination_resume(tx, actor, id, err);
}

/* Twin: connects, and then knows no password. */
bool queue_destination_test(Queue *queue, const Actor *actor, const DestinationId *id,
                            Json **ret_stages, DeliveryResult *ret_result, Err *err)
{
    Json *stage = json_new_object();

    *ret_stages = json_new_array();
    json_set_text(stage, "stage", "connect");
    json_set_int(stage, "ms", 3);
    json_add_take(*ret_stages, stage);
    *ret_result = (DeliveryResult){ .class = DELIVERY_CLASS_AUTH,
                                    .stage = "login",
                                    .text = "refused",
                                    .cure = "Correct the password." };
    return twin_act(queue, actor, (const BatchId *)(const void *)id, err);
}

/* Twin: a mail server that takes everything; refuses when told. */
bool queue_notification_test(Queue *queue, const Actor *actor, DeliveryResult *ret_result, Err *err)
{
    *ret_result = (DeliveryResult){ .class = DELIVERY_CLASS_OK,
                                    .stage = "send",
                                    .text = "a mail to 1 recipient" };
    return twin_act(queue, actor, &(BatchId){ "" }, err);
}

/* Twin: always three. */
uint64_t queue_worker_deaths(const Queue *queue)
{
    (void)queue;
    return 3;
}

#endif
