/* tests/unit/queue-twin.h - a queue that remembers who asked for what and answers as the test wants. */
#ifndef PLATEN_TESTS_UNIT_QUEUE_TWIN_H
#define PLATEN_TESTS_UNIT_QUEUE_TWIN_H

#include "base/text.h"
#include "queue/queue.h"

struct Queue {
    unsigned wakes, delivers, retries;
    char actor[64], batch[ID_TEXT_SIZE];
    bool refuse;
};

static Queue twin __attribute__((unused));

/* The twins of queue.h: this one counts. */
void queue_wake(Queue *queue)
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

/* Twin: always three. */
uint64_t queue_worker_deaths(const Queue *queue)
{
    (void)queue;
    return 3;
}

#endif
