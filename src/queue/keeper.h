/* queue/keeper.h - what the keepers of this folder share; not for other folders.
 *
 * A keeper takes a ticket, looks for work with its reader, does it with its worker process, writes the
 * result, and sleeps when there was none. All but keeper_start are called on the keeper's own thread. */
#ifndef PLATEN_QUEUE_KEEPER_H
#define PLATEN_QUEUE_KEEPER_H

#include "model/delivery.h"
#include "queue/queue.h"
#include "queue/worker-process.h"

#include <pthread.h>
#include <stdatomic.h>

/* What a keeper sees to; queue.c has a row for each sort. */
typedef enum KeeperSort {
    KEEPER_READ,
    KEEPER_COMPOSE,
    KEEPER_DELIVER,
    KEEPER_NOTIFY,
    KEEPER_RETAIN, /* has no worker process */
    KEEPER_SORT_MAX_,
} KeeperSort;

/* One keeper thread. The queue's mutex guards pid, in_use and bound. */
typedef struct Keeper {
    Queue *queue;
    pthread_t thread;
    KeeperSort sort;
    const char *program;
    WorkerProcess *worker; /* NULL until the first task, and after a death */
    StoreReader *reader;
    pid_t pid; /* of the worker while a task runs, else 0; killed at the end of a drain */
    bool in_use;
    DestinationId bound; /* delivery keepers: whose queue; "" = looking for one */
} Keeper;

/* What the keepers of a sort sleep on. Under the queue's mutex. */
typedef struct Bell {
    pthread_cond_t rings;
    uint64_t count; /* of rings, so that none is missed between look and sleep */
} Bell;

/* The keepers of one destination. Under the queue's mutex. */
typedef struct Lane {
    DestinationId destination;
    unsigned keepers, allowed; /* keepers 0: the lane is free     */
    unsigned failures;         /* in a row, of the peer           */
    Mono rest_until;           /* nothing is tried before         */
} Lane;

struct Queue {
    QueueConfig config;
    char data_path[PATH_TEXT_SIZE], spool_path[PATH_TEXT_SIZE];
    char worker_program[PATH_TEXT_SIZE], deliver_program[PATH_TEXT_SIZE];
    int lock_fd;
    atomic_uint_fast64_t deaths;
    atomic_uint tests;     /* of destinations, that run now */
    atomic_bool hurry;     /* the drain is over */
    pthread_mutex_t mutex; /* guards everything below */
    Bell bells[KEEPER_SORT_MAX_];
    bool stopping;
    unsigned running;    /* keeper threads alive */
    pthread_cond_t gone; /* one less runs        */
    Keeper keepers[32 + 2 + QUEUE_DELIVER_KEEPERS_MAX];
    Lane lanes[QUEUE_DELIVER_KEEPERS_MAX];
};

/* The loops of the sorts; each returns when the queue is stopping. */
void keeper_read(Keeper *keeper);
void keeper_compose(Keeper *keeper);
void keeper_deliver(Keeper *keeper);
void keeper_notify(Keeper *keeper);
void keeper_retain(Keeper *keeper);

/* Inside a write: what an attempt's end says about the destination's log-in. The second refusal in a row
 * stops the destination, before an account is locked; success forgets them. */
bool queue_login_settle(Tx *tx, const DestinationId *id, const DeliveryResult *result, Err *err);

/* The program that brings files to destinations of this kind. Borrowed from the queue. */
const char *keeper_program_of(const Queue *queue, const char *kind);

/* Starts a thread in a free slot; false when there is none or no thread can be had. */
bool keeper_start(Queue *queue, KeeperSort sort, Err *err);

/* Wakes the keepers of deliveries and nobody else: one has ended. Any thread. */
void keeper_turn(Queue *queue);

/* How often the bell of the keeper's sort has rung; taken before looking for work. */
uint64_t keeper_ticket(Keeper *keeper);

/* Sleeps until a wake after the ticket, the stop, or timeout_ms (< 0 = none). False: stopping. */
bool keeper_sleep(Keeper *keeper, uint64_t ticket, int64_t timeout_ms);

/* Sleeps for so long, whatever wakes; only the stop ends it early. */
void keeper_pause(Keeper *keeper, int64_t ms);

/* Keepers finish what they have and return. */
bool keeper_stopping(Queue *queue);

/* worker_task() with the keeper's process, started when there is none. Deaths are counted. */
bool keeper_task(Keeper *keeper, const Json *task, int64_t timeout_ms, const WorkerTalk *talk,
                 Json **ret_result, Err *err);

/* Runs a write for the keeper until it is committed or the queue stops: a full disk must not lose
 * a result. Only errors that can pass are repeated. */
bool keeper_write(Keeper *keeper, StoreWrite *write, void *arg, const char *what, Err *err);

/* The error a result message carries ({"ok":false,"error":{...}}): ERR_TEMPORARY when the worker says
 * so (disk full), else ERR_PERMANENT. True when the result is ok. */
bool keeper_result_ok(const Json *result, Err *err);

/* A task's skeleton: {"type":"task","task":what,"id":id,"folder":<spool>/<folder>}. */
Json *keeper_new_task(const Keeper *keeper, const char *what, const char *id, const char *folder);

/* What a worker is told of a batch: a copy of the job, never a destination's settings. */
Json *keeper_batch_message(const Batch *batch);

/* A page as tasks name it: its file and how it must be seen. Owned by the caller. */
Json *keeper_page_message(const Page *page);

/* A DocumentVisit: adds what the index says of a document to arg, a Json array; the index itself is
 * left out. */
bool keeper_add_index_row(void *arg, const Document *document);

#endif
