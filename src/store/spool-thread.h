/* store/spool-thread.h - inside of store: what a session hands over, and the thread that does it.
 *
 * spool.c is the side of the loop thread (copies bytes, queues), spool-thread.c the side that writes.
 * Of a SpoolBatch each field belongs to one side, or to the mutex. */
#ifndef PLATEN_STORE_SPOOL_THREAD_H
#define PLATEN_STORE_SPOOL_THREAD_H

#include "base/bytes.h"
#include "base/limits.h"
#include "base/sha256.h"
#include "store/spool.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
    SPOOL_THREADS_MAX = 8,
    SPOOL_CHUNK_BYTES = 64 * 1024, /* collected before it is handed over */
    /* A session that does not stop its reads fails its page here, before memory is gone. */
    SPOOL_UNWRITTEN_LIMIT = 16 * 1024 * 1024,
};

typedef enum SpoolOpKind {
    SPOOL_OPEN,
    SPOOL_PAGE_BEGIN,
    SPOOL_PAGE_BYTES,
    SPOOL_PAGE_END,
    SPOOL_PAGE_DROP,
    SPOOL_NOTES,
    SPOOL_CLOSE,
    SPOOL_CALL,
} SpoolOpKind;

typedef struct SpoolOp {
    struct SpoolOp *next;
    SpoolOpKind kind;
    SpoolBatch *batch;
    uint32_t number;
    char side;
    PageFormat format; /* PAGE_BEGIN */
    PageNotes notes;   /* PAGE_END   */
    bool lost;         /* PAGE_END: bytes of this page could not be handed over */
    SpoolPageDone *page_done;
    void (*call)(void *arg); /* CALL */
    void *arg;
    size_t n;
    uint8_t bytes[]; /* PAGE_BYTES; NOTES: a ScanNotes */
} SpoolOp;

typedef struct SpoolThread {
    Spool *spool;
    pthread_t thread;
    bool running;
    pthread_mutex_t mutex; /* guards the queue */
    pthread_cond_t wake;
    SpoolOp *first, *last;
    bool closing;
} SpoolThread;

struct Spool {
    char path[PATH_TEXT_SIZE];
    int root_fd;
    int64_t reserve_bytes;
    atomic_int scans;       /* batches open: each has its reserve */
    atomic_int full;        /* of these: whose device waits for the disk */
    atomic_llong last_full; /* a Mono: when one of them was told to go on */
    unsigned thread_count, next_thread;
    SpoolThread threads[SPOOL_THREADS_MAX];
};

/* Of a sheet whose two sides come at the same time: what the loop collects of one. */
typedef struct SpoolFill {
    SpoolOp *op; /* PAGE_BYTES with room for a chunk; NULL: nothing collected */
    bool lost;   /* some could not be handed over */
} SpoolFill;

/* The same on the thread's side: the page that is being written. */
typedef struct SpoolPage {
    int part_fd;
    Sha256 hash;
    Page page;
    bool open, failed;
    Err err;
} SpoolPage;

enum { SPOOL_SIDES = 2 };

/* Bytes that a session may have unwritten now. Any thread. */
size_t spool_share(Spool *spool);

struct SpoolBatch {
    Spool *spool;
    SpoolThread *thread;
    Batch batch;   /* not changed after the open */
    Device device; /* the same                   */
    SpoolDone *opened;
    void *opened_arg;
    void (*closed)(void *arg);
    void *closed_arg;
    SpoolOp *close_op; /* made at the open, so that it cannot fail later */

    /* loop side */
    SpoolFill fills[SPOOL_SIDES];

    pthread_mutex_t mutex; /* guards the next four */
    size_t unwritten;
    bool full; /* was above its share, drained() is due */
    void (*drained)(void *arg);
    void *drained_arg;

    /* thread side */
    int folder_fd, lines_fd;
    SpoolPage pages[SPOOL_SIDES];
    bool batch_failed;
    Err batch_err;
};

static inline size_t spool_side(char side)
{
    return side == 'B' ? 1 : 0;
}

/* Queues an operation for the batch's thread. */
void spool_thread_put(SpoolThread *thread, SpoolOp *op_take);
bool spool_thread_start(SpoolThread *thread, Spool *spool, Err *err);
/* Runs what is queued, then ends the thread. */
void spool_thread_stop(SpoolThread *thread);

#endif
