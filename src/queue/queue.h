/* queue/queue.h - the work that is waiting in the database, and the keepers that see to it.
 *
 * A keeper is a thread with one worker process: it claims a task, sends it, waits with a deadline,
 * writes the result and the batch's next step in one transaction. Keepers: readers (one page each),
 * composers (a plan or one document each), for deliveries one per destination while its queue
 * lasts, so that a dead destination delays no other, one that removes what is kept no longer,
 * and one that sends the mails that tell people. Nothing is remembered but rows: a restart
 * reads the database and goes on. Workers inherit a lock; queue_new waits until the workers of an
 * earlier server are gone. */
#ifndef PLATEN_QUEUE_QUEUE_H
#define PLATEN_QUEUE_QUEUE_H

#include "base/cleanup.h"
#include "base/err.h"
#include "model/batch.h"
#include "model/delivery.h"
#include "seal/seal.h"
#include "store/config-rows.h"
#include "store/spool.h"
#include "store/store.h"
#include "json/json.h"

typedef struct Queue Queue;

/* A kind of destination that another program than platen-deliver brings files to. */
typedef struct QueueProgram {
    char kind[32];
    char path[PATH_TEXT_SIZE]; /* absolute */
} QueueProgram;

/* How long what was delivered, and what nobody wants, is kept. All zero: for ever. */
typedef struct Retention {
    bool by_itself;       /* else only a person removes anything                              */
    int64_t files_days;   /* since the batch was over; RETENTION_FOREVER, 0: at once          */
    int64_t history_days; /* batches, deliveries, attempts, events; RETENTION_FOREVER         */
} Retention;

typedef struct QueueConfig {
    Store *store;
    const Sealer *sealer;   /* opens secrets for deliveries     */
    const char *data_path;  /* folder of workers.lock           */
    const char *spool_path; /* absolute                         */
    Spool *spool; /* its devices go before what is looked at; NULL: none; outlives the queue */
    const char *worker_program;  /* absolute path of platen-worker   */
    const char *deliver_program; /* absolute path of platen-deliver  */
    const QueueProgram
        *others; /* for these kinds instead of it; like the store it outlives the queue */
    size_t other_count;
    unsigned readers, composers; /* 1..16 keepers of each sort       */
    Retention retention;
} QueueConfig;

enum {
    QUEUE_LOCK_WAIT_MS = 30000,     /* for the workers of an earlier server to die   */
    QUEUE_DELIVER_KEEPERS_MAX = 64, /* destinations served at the same time          */
    QUEUE_DELIVER_IDLE_MS = 60000,  /* a delivery process without work lives so long */
};

/* Takes the workers' lock: from then on no worker of an earlier server lives. config is copied, its
 * store and its other programs must outlive the queue. No threads yet. ERR_TEMPORARY when older workers live on. */
Queue *queue_new(const QueueConfig *config, Err *err);

/* Frees what older generations claimed; batches whose scan died with the server become BROKEN; every
 * open batch takes the step its rows allow. Once, before queue_start. */
bool queue_recover(Queue *queue, Err *err);

/* Starts the keepers. */
bool queue_start(Queue *queue, Err *err);

/* Any thread, never blocks: rows changed, look for work. */
void queue_wake(Queue *queue);

/* The same for a page that was stored while its device scans on: it concerns one reader and nobody else. */
void queue_page_stored(Queue *queue);

/* The same because a person asked or mended something: destinations that rest after failures are tried at once. */
void queue_rouse(Queue *queue);

/* Lets running tasks end for at most drain_ms, then kills their workers (the rows are claimed
 * again by the next start); joins and frees. Accepts NULL. */
void queue_stop(Queue *queue, int64_t drain_ms);

/* Ends the drain of a queue_stop that runs, or of the next, at once. Any thread; also from a signal's
 * handler. */
void queue_hurry(Queue *queue);

static inline void queue_abandon(Queue *queue)
{
    queue_stop(queue, 0);
}
DEFINE_AUTO(Queue, queue_abandon);

/* A person sends the pages of a BROKEN or CANCELLED batch on / tries again what stopped in a batch that needs
 * ATTENTION, or that is DELIVERING to other destinations meanwhile. Blocks until committed. ERR_NOT_FOUND, ERR_CONFLICT (with a remedy) in any other state. */
bool queue_batch_deliver(Queue *queue, const Actor *actor, const BatchId *id, Err *err);
bool queue_batch_retry(Queue *queue, const Actor *actor, const BatchId *id, Err *err);

/* A person has the files of a batch removed, now: of one that is DONE, or that has no pages. undelivered: also
 * of one that is CANCELLED, BROKEN or needs ATTENTION; what was not delivered is given up. Blocks until
 * decided; a keeper removes them. ERR_NOT_FOUND, ERR_CONFLICT with a remedy. */
bool queue_batch_purge(Queue *queue, const Actor *actor, const BatchId *id, bool undelivered,
                       Err *err);

/* A person acts on one delivery: RETRY_NOW, HOLD, DROP or CONFIRM (delivery_act), and its batch goes on.
 * Block until committed. */
bool queue_delivery_act(Queue *queue, const Actor *actor, const DeliveryId *id, DeliveryEvent event,
                        Err *err);
/* The same document to another destination (delivery_elsewhere). */
bool queue_delivery_elsewhere(Queue *queue, const Actor *actor, const DeliveryId *id,
                              const DestinationId *destination, const char *options,
                              DeliveryId *ret_id, Err *err);

/* Nothing goes to a destination any more, or it goes on; its batches follow. why: shown. Block until
 * committed. */
bool queue_destination_stop(Queue *queue, const Actor *actor, const DestinationId *id,
                            const char *why, Err *err);
bool queue_destination_resume(Queue *queue, const Actor *actor, const DestinationId *id, Err *err);
/* The latter inside a write. */
bool queue_destination_goes_on(Tx *tx, const Actor *actor, const DestinationId *id, Err *err);

/* Tries a destination: resolve, connect, tls, login, locate, write, verify, rename, remove, as far as its kind
 * has them, and leaves nothing there. Blocks, at most 45 s. *ret_stages: [{"stage","ms"}] of those that
 * ended well, owned by the caller; *ret_result: OK, or the stage that failed and its cure. A destination
 * that was stopped goes on when it works. ERR_NOT_FOUND, ERR_TEMPORARY when QUEUE_TESTS_MAX run. */
enum { QUEUE_TESTS_MAX = 3 };
bool queue_destination_test(Queue *queue, const Actor *actor, const DestinationId *id,
                            Json **ret_stages, DeliveryResult *ret_result, Err *err);

/* Sends one mail to those whom notifications go to, now. Blocks, at most 45 s. *ret_result: OK, or the stage that
 * failed and its cure. ERR_CONFLICT when it is not said over what and to whom; ERR_TEMPORARY as above. */
bool queue_notification_test(Queue *queue, const Actor *actor, DeliveryResult *ret_result,
                             Err *err);

/* Inside a write: applies the steps that follow from the batch's rows until there is none. */
bool queue_batch_advance(Tx *tx, const BatchId *id, Err *err);

/* The same; *ret_state: where the batch rests then. */
bool queue_batch_settle(Tx *tx, const BatchId *id, BatchState *ret_state, Err *err);

/* Workers that died under a task since the start; for metrics. Any thread. */
uint64_t queue_worker_deaths(const Queue *queue);

#endif
