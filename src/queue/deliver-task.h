/* queue/deliver-task.h - inside of queue: what is said between a keeper and platen-deliver.
 *
 * The messages are those of docs/worker-messages.md. Secrets are opened here, on their way to the one
 * process that needs them. */
#ifndef PLATEN_QUEUE_DELIVER_TASK_H
#define PLATEN_QUEUE_DELIVER_TASK_H

#include "queue/keeper.h"
#include "store/batch-rows.h"

enum { DELIVER_TEXT_SIZE = 256 };

/* The server's side of one dialogue. */
typedef struct DeliverTalk {
    Keeper *keeper;
    const DeliveryClaim *claim;       /* NULL: a test, which reserves no name    */
    const DestinationId *destination; /* whose settings may learn a key          */
    const char *setting;              /* inside: of the question that is answered */
    char text[DELIVER_TEXT_SIZE];
} DeliverTalk;

/* The task of a claim, owned by the caller; NULL with err set, for example when its secrets cannot be opened. */
Json *deliver_task(const Keeper *keeper, const DeliveryClaim *claim, Err *err);

/* WorkerTalk.answer with a DeliverTalk as arg: the name is reserved, or the key is stored, before the answer is go.
 * NULL: the question makes no sense, or the queue stops. */
Json *deliver_answer(void *arg, const Json *question, Err *err);

/* What the result message says; ERR_TEMPORARY when it says nothing. */
bool deliver_result(const Json *message, DeliveryResult *ret_result, Err *err);

#endif
