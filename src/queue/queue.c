/* queue/queue.c - the keepers as threads: start, sleep, wake, stop. See queue.h, keeper.h. */
#include "queue/queue.h"

#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "queue/keeper.h"
#include "store/batch-rows.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>

enum {
    LOCK_POLL_MS = 50,
    STOP_POLL_MS = 50,
    WRITE_REPEAT_MS = 1000,
    KEEPER_STACK_BYTES = 512 * 1024
};

/* Workers inherit this descriptor: the lock is free only when the last of them is gone. */
static int take_workers_lock(const char *data_path, Err *err)
{
    AUTO_FD folder = file_open_folder(AT_FDCWD, data_path, err);
    AUTO_FD fd = folder < 0 ? -1 : file_open_append(folder, "workers.lock", 0600, err);
    Mono deadline = mono_after(mono_now(), QUEUE_LOCK_WAIT_MS);
    const struct timespec pause = { .tv_nsec = LOCK_POLL_MS * 1000000L };

    if (fd < 0)
        return -1;
    while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (mono_reached(mono_now(), deadline)) {
            err_set(err, ERR_TEMPORARY, errno, "workers of an earlier server still run");
            err_remedy(err, "Wait for platen-worker and platen-deliver to end, or end them.");
            return -1;
        }
        (void)nanosleep(&pause, NULL);
    }
    return STEAL_FD(fd);
}

typedef struct BrokenBatches {
    BatchId ids[1024];
    size_t count;
} BrokenBatches;

static void broken_batches_free(BrokenBatches *broken)
{
    free(broken);
}
DEFINE_AUTO(BrokenBatches, broken_batches_free);

static bool note_broken(void *arg, const BatchId *id)
{
    BrokenBatches *broken = arg;

    if (broken->count == COUNT_OF(broken->ids))
        return false; /* the rest is found again by the next round */
    broken->ids[broken->count++] = *id;
    return true;
}

static bool recover_write(Tx *tx, void *arg, Err *err)
{
    static const Reason died = {
        .code = "server-stopped",
        .text = "The server ended while the device was scanning.",
        .remedy = "Deliver what arrived (platen batch deliver), or scan again.",
    };
    BrokenBatches *broken = arg;

    broken->count = 0;
    if (!store_recover(tx, note_broken, broken, err))
        return false;
    for (size_t i = 0; i < broken->count; i++)
        if (!batch_apply(tx, &broken->ids[i], BATCH_EVENT_BREAK, &died, err))
            return false;
    return true;
}

static bool advance_noted(Tx *tx, void *arg, Err *err)
{
    const BatchId *id = arg;

    return queue_batch_advance(tx, id, err);
}

typedef struct Advance {
    Store *store;
    bool ok;
    Err *err;
} Advance;

static bool advance_one(void *arg, const BatchId *id)
{
    Advance *advance = arg;
    BatchId copy = *id;

    advance->ok = store_write_wait(advance->store, advance_noted, &copy, advance->err);
    return advance->ok;
}

/* The list is read as it was when it began, whatever the writes change meanwhile. */
static bool advance_open_batches(Store *store, Err *err)
{
    AUTO(StoreReader) reader = store_reader_open(store, err);
    Advance advance = { store, true, err };

    return reader && batch_open_list(reader_db(reader), advance_one, &advance, err) && advance.ok;
}

bool queue_recover(Queue *queue, Err *err)
{
    Store *store = queue->config.store;
    AUTO(BrokenBatches) broken = calloc(1, sizeof *broken);

    if (!broken)
        return err_set(err, ERR_TEMPORARY, ENOMEM, "no memory");
    do {
        if (!store_write_wait(store, recover_write, broken, err))
            return false;
        for (size_t i = 0; i < broken->count; i++)
            if (!store_write_wait(store, advance_noted, &broken->ids[i], err))
                return false;
    } while (broken->count == COUNT_OF(broken->ids));
    return advance_open_batches(store, err);
}

Queue *queue_new(const QueueConfig *config, Err *err)
{
    AUTO(Queue) queue = calloc(1, sizeof *queue);
    pthread_condattr_t clock;

    if (!queue) {
        err_set(err, ERR_TEMPORARY, ENOMEM, "no memory for the queue");
        return NULL;
    }
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_mutex_init(&queue->mutex, NULL);
    for (size_t i = 0; i < COUNT_OF(queue->bells); i++)
        pthread_cond_init(&queue->bells[i].rings, &clock);
    pthread_cond_init(&queue->gone, &clock);
    pthread_condattr_destroy(&clock);
    queue->lock_fd = -1;
    queue->config = *config;
    if (!text_copy(queue->data_path, sizeof queue->data_path, config->data_path) ||
        !text_copy(queue->spool_path, sizeof queue->spool_path, config->spool_path) ||
        !text_copy(queue->worker_program, sizeof queue->worker_program, config->worker_program) ||
        !text_copy(queue->deliver_program, sizeof queue->deliver_program,
                   config->deliver_program)) {
        err_set(err, ERR_BAD_INPUT, 0, "a path of the server is too long");
        return NULL;
    }
    queue->lock_fd = take_workers_lock(queue->data_path, err);
    return queue->lock_fd < 0 ? NULL : STEAL(queue);
}

bool queue_start(Queue *queue, Err *err)
{
    for (unsigned i = 0; i < queue->config.readers; i++)
        if (!keeper_start(queue, KEEPER_READ, err))
            return false;
    for (unsigned i = 0; i < queue->config.composers; i++)
        if (!keeper_start(queue, KEEPER_COMPOSE, err))
            return false;
    return keeper_start(queue, KEEPER_RETAIN, err) && keeper_start(queue, KEEPER_NOTIFY, err) &&
           keeper_start(queue, KEEPER_DELIVER, err);
}

/* Under the mutex. */
static void wake_all(Queue *queue)
{
    for (size_t i = 0; i < COUNT_OF(queue->bells); i++) {
        queue->bells[i].count++;
        pthread_cond_broadcast(&queue->bells[i].rings);
    }
}

void queue_wake(Queue *queue)
{
    pthread_mutex_lock(&queue->mutex);
    wake_all(queue);
    pthread_mutex_unlock(&queue->mutex);
}

void queue_page_stored(Queue *queue)
{
    pthread_mutex_lock(&queue->mutex);
    queue->bells[KEEPER_READ].count++;
    /* who reads looks for the next page anyway */
    pthread_cond_signal(&queue->bells[KEEPER_READ].rings);
    pthread_mutex_unlock(&queue->mutex);
}

void queue_rouse(Queue *queue)
{
    pthread_mutex_lock(&queue->mutex);
    for (size_t i = 0; i < COUNT_OF(queue->lanes); i++) {
        queue->lanes[i].failures = 0;
        queue->lanes[i].rest_until = (Mono){ 0 };
    }
    pthread_mutex_unlock(&queue->mutex);
    queue_wake(queue);
}

uint64_t queue_worker_deaths(const Queue *queue)
{
    return atomic_load(&queue->deaths);
}

/* --- keepers as threads ------------------------------------------------------------------------- */

static void keeper_finish(Keeper *keeper)
{
    Queue *queue = keeper->queue;

    worker_stop(STEAL(keeper->worker));
    store_reader_close(STEAL(keeper->reader));
    pthread_mutex_lock(&queue->mutex);
    keeper->in_use = false;
    queue->running--;
    pthread_cond_broadcast(&queue->gone);
    pthread_mutex_unlock(&queue->mutex);
}

static const struct {
    void (*run)(Keeper *keeper);
    bool delivers; /* its worker process is that of deliveries */
} sorts[] = {
    [KEEPER_READ] = { keeper_read, false },      [KEEPER_COMPOSE] = { keeper_compose, false },
    [KEEPER_DELIVER] = { keeper_deliver, true }, [KEEPER_NOTIFY] = { keeper_notify, true },
    [KEEPER_RETAIN] = { keeper_retain, false },
};

static void *keeper_main(void *arg)
{
    Keeper *keeper = arg;

    sorts[keeper->sort].run(keeper);
    keeper_finish(keeper);
    return NULL;
}

static Keeper *take_slot(Queue *queue)
{
    Keeper *slot = NULL;

    pthread_mutex_lock(&queue->mutex);
    for (size_t i = 0; i < COUNT_OF(queue->keepers) && !slot && !queue->stopping; i++)
        if (!queue->keepers[i].in_use)
            slot = &queue->keepers[i];
    if (slot) {
        slot->in_use = true;
        slot->bound.text[0] = '\0';
        queue->running++;
    }
    pthread_mutex_unlock(&queue->mutex);
    return slot;
}

bool keeper_start(Queue *queue, KeeperSort sort, Err *err)
{
    Keeper *keeper = take_slot(queue);
    pthread_attr_t attributes;

    if (!keeper)
        return err_set(err, ERR_TEMPORARY, 0, "as many keepers run as are allowed");
    keeper->queue = queue;
    keeper->sort = sort;
    keeper->program = sorts[sort].delivers ? queue->deliver_program : queue->worker_program;
    keeper->reader = store_reader_open(queue->config.store, err);
    if (!keeper->reader) {
        keeper_finish(keeper);
        return false;
    }
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, KEEPER_STACK_BYTES);
    int code = pthread_create(&keeper->thread, &attributes, keeper_main, keeper);
    pthread_attr_destroy(&attributes);
    if (code != 0) {
        keeper_finish(keeper);
        return err_errno(err, code, "cannot start a keeper thread");
    }
    return true;
}

void keeper_turn(Queue *queue)
{
    pthread_mutex_lock(&queue->mutex);
    queue->bells[KEEPER_DELIVER].count++;
    pthread_cond_broadcast(&queue->bells[KEEPER_DELIVER].rings);
    pthread_mutex_unlock(&queue->mutex);
}

uint64_t keeper_ticket(Keeper *keeper)
{
    pthread_mutex_lock(&keeper->queue->mutex);
    uint64_t ticket = keeper->queue->bells[keeper->sort].count;
    pthread_mutex_unlock(&keeper->queue->mutex);
    return ticket;
}

static struct timespec timespec_of(Mono when)
{
    return (struct timespec){ .tv_sec = when.ms / 1000, .tv_nsec = when.ms % 1000 * 1000000 };
}

bool keeper_sleep(Keeper *keeper, uint64_t ticket, int64_t timeout_ms)
{
    Queue *queue = keeper->queue;
    struct timespec until = timespec_of(mono_after(mono_now(), timeout_ms));
    Bell *bell = &queue->bells[keeper->sort];
    int code = 0;

    pthread_mutex_lock(&queue->mutex);
    while (!queue->stopping && bell->count == ticket && code == 0)
        code = timeout_ms < 0 ? pthread_cond_wait(&bell->rings, &queue->mutex)
                              : pthread_cond_timedwait(&bell->rings, &queue->mutex, &until);
    bool go_on = !queue->stopping;
    pthread_mutex_unlock(&queue->mutex);
    return go_on;
}

bool keeper_stopping(Queue *queue)
{
    pthread_mutex_lock(&queue->mutex);
    bool stopping = queue->stopping;
    pthread_mutex_unlock(&queue->mutex);
    return stopping;
}

void keeper_pause(Keeper *keeper, int64_t ms)
{
    Mono end = mono_after(mono_now(), ms);

    while (!mono_reached(mono_now(), end) &&
           keeper_sleep(keeper, keeper_ticket(keeper), end.ms - mono_now().ms))
        continue;
}

/* What the end of a drain may kill. Under the mutex: a process that is reaped is not named any more. */
static void name_pid(Keeper *keeper, pid_t pid)
{
    pthread_mutex_lock(&keeper->queue->mutex);
    keeper->pid = pid;
    pthread_mutex_unlock(&keeper->queue->mutex);
}

bool keeper_task(Keeper *keeper, const Json *task, int64_t timeout_ms, const WorkerTalk *talk,
                 Json **ret_result, Err *err)
{
    if (!keeper->worker)
        keeper->worker = worker_start(keeper->program, keeper->queue->lock_fd, err);
    if (!keeper->worker)
        return false;
    bool lost;
    name_pid(keeper, worker_pid(keeper->worker));
    bool ok = worker_task(keeper->worker, task, timeout_ms, talk, ret_result, &lost, err);
    name_pid(keeper, 0);
    if (lost)
        worker_stop(STEAL(keeper->worker));
    if (!ok) {
        char quoted[256];

        atomic_fetch_add(&keeper->queue->deaths, 1);
        log_line(LOG_WARNING, "worker.lost", "task=%s id=%s error=%s", json_get_text(task, "task"),
                 json_get_text(task, "id"), log_quote(quoted, sizeof quoted, err->text));
    }
    return ok;
}

bool keeper_write(Keeper *keeper, StoreWrite *write, void *arg, const char *what, Err *err)
{
    for (;;) {
        uint64_t ticket = keeper_ticket(keeper);
        char quoted[256];

        if (store_write_wait(keeper->queue->config.store, write, arg, err))
            return true;
        if (err->kind != ERR_TEMPORARY)
            return false;
        log_line(LOG_ERROR, "queue.write-failed", "write=%s repeat_ms=%d error=%s", what,
                 WRITE_REPEAT_MS, log_quote(quoted, sizeof quoted, err->text));
        if (!keeper_sleep(keeper, ticket, WRITE_REPEAT_MS))
            return false;
    }
}

bool keeper_result_ok(const Json *result, Err *err)
{
    const Json *error = json_get(result, "error");

    if (json_get_bool(result, "ok", false))
        return true;
    bool passes = text_equal(json_get_text(error, "kind"), err_kind_name(ERR_TEMPORARY));
    err_set(err, passes ? ERR_TEMPORARY : ERR_PERMANENT, 0, "%s",
            error ? json_get_text(error, "text") : "worker answered without a result");
    return err_remedy(err, "%s", json_get_text(error, "remedy"));
}

Json *keeper_new_task(const Keeper *keeper, const char *what, const char *id, const char *folder)
{
    char path[PATH_TEXT_SIZE + 80];
    Json *task = json_new_object();

    (void)text_printf(path, sizeof path, "%s/%s", keeper->queue->spool_path, folder);
    json_set_text(task, "type", "task");
    json_set_text(task, "task", what);
    json_set_text(task, "id", id);
    json_set_text(task, "folder", path);
    return task;
}

/* --- the end -------------------------------------------------------------------------------------- */

/* Waits until no keeper runs or the deadline is reached. */
static bool keepers_gone(Queue *queue, Mono deadline)
{
    struct timespec until = timespec_of(deadline);
    int code = 0;

    pthread_mutex_lock(&queue->mutex);
    while (queue->running > 0 && code == 0)
        code = pthread_cond_timedwait(&queue->gone, &queue->mutex, &until);
    bool gone = queue->running == 0;
    pthread_mutex_unlock(&queue->mutex);
    return gone;
}

static void kill_workers(Queue *queue)
{
    pthread_mutex_lock(&queue->mutex);
    for (size_t i = 0; i < COUNT_OF(queue->keepers); i++)
        if (queue->keepers[i].pid > 0)
            (void)kill(queue->keepers[i].pid, SIGKILL);
    pthread_mutex_unlock(&queue->mutex);
}

void queue_hurry(Queue *queue)
{
    atomic_store(&queue->hurry, true);
}

void queue_stop(Queue *queue, int64_t drain_ms)
{
    Mono end = mono_after(mono_now(), drain_ms);

    if (!queue)
        return;
    pthread_mutex_lock(&queue->mutex);
    queue->stopping = true;
    wake_all(queue);
    pthread_mutex_unlock(&queue->mutex);
    /* In short steps: a signal's handler can set a flag, but wake nobody. */
    while (!keepers_gone(queue, mono_after(mono_now(), STOP_POLL_MS)))
        if (atomic_load(&queue->hurry) || mono_reached(mono_now(), end))
            kill_workers(queue);
    if (queue->lock_fd >= 0)
        close(queue->lock_fd);
    for (size_t i = 0; i < COUNT_OF(queue->bells); i++)
        pthread_cond_destroy(&queue->bells[i].rings);
    pthread_cond_destroy(&queue->gone);
    pthread_mutex_destroy(&queue->mutex);
    free(queue);
}
