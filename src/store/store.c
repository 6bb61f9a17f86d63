/* store/store.c - see store.h: opening, the lock of the data folder, the writer thread. */
#include "store/store.h"
#include "store/batch-rows.h"

#include "base/fault.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/text.h"
#include "store/db.h"
#include "store/schema.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/file.h>

/* Requests of one commit. On a disk that flushes in 10 ms this is the throughput; more would make
 * the first of them wait for the last. */
enum {
    GROUP_MAX = 256,
    WRITER_STACK_BYTES = 1024 * 1024,
    LOCK_PAUSE_MS = 20,
    LOCK_PATIENCE_MS = 2000,
};

typedef struct Request {
    struct Request *next;
    StoreWrite *write;
    StoreDone *done;
    void *arg;
    bool ok;
    Err err;
} Request;

struct Store {
    char db_path[PATH_TEXT_SIZE + 16];
    int lock_fd; /* flock held for life */
    int64_t generation;
    Db db; /* of the writer thread once it runs */

    pthread_mutex_t mutex; /* guards the queue */
    pthread_cond_t wake;
    Request *first, *last;
    size_t queued;
    bool closing;
    bool running; /* the thread was started; only store_open and store_close look */
    pthread_t thread;
    atomic_llong commits;
    /* of the writer thread */
    void (*on_event)(void *arg, const Event *event);
    void *on_event_arg;
    int64_t last_event; /* the newest that on_event was told of */
};

struct StoreReader {
    Db db;
};

/* --- the writer thread --------------------------------------------------------------------------- */

/* Up to GROUP_MAX requests in order of arrival; NULL when closing and nothing is left. */
static Request *queue_take(Store *store)
{
    pthread_mutex_lock(&store->mutex);
    while (!store->first && !store->closing)
        pthread_cond_wait(&store->wake, &store->mutex);
    Request *group = store->first, *last = group;
    for (size_t n = 1; last && n < GROUP_MAX && last->next; n++)
        last = last->next;
    for (Request *r = group; r; r = r == last ? NULL : r->next)
        store->queued--;
    if (last) {
        store->first = last->next;
        last->next = NULL;
    }
    if (!store->first)
        store->last = NULL;
    pthread_mutex_unlock(&store->mutex);
    return group;
}

/* The whole group has failed; who failed by itself keeps its own reason. */
static void group_fail(Request *group, const Err *err)
{
    for (Request *r = group; r; r = r->next) {
        if (!r->ok && r->err.kind != ERR_NONE)
            continue;
        r->ok = false;
        r->err = *err;
    }
}

/* Runs one request inside a savepoint. False: the whole transaction is gone. */
static bool request_run(Store *store, Request *request, Err *err)
{
    Tx tx = { .db = &store->db, .now = wall_now(), .generation = store->generation };

    if (!db_run(&store->db, "SAVEPOINT request", NO_ARGS, NULL, err))
        return false;
    request->ok = request->write(&tx, request->arg, &request->err);
    if (!request->ok && request->err.kind == ERR_NONE)
        err_set(&request->err, ERR_BUG, 0, "a write failed without a reason");
    /* SQLite rolls back everything by itself when the disk is full or broken. */
    if (sqlite3_get_autocommit(store->db.handle)) {
        *err = request->err;
        return false;
    }
    return (request->ok || db_run(&store->db, "ROLLBACK TO request", NO_ARGS, NULL, err)) &&
           db_run(&store->db, "RELEASE request", NO_ARGS, NULL, err);
}

static bool group_run(Store *store, Request *group, Err *err)
{
    if (!db_run(&store->db, "BEGIN IMMEDIATE", NO_ARGS, NULL, err))
        return false;
    for (Request *r = group; r; r = r->next)
        if (!request_run(store, r, err))
            return false;
    fault_point("store.before-commit");
    if (!db_run(&store->db, "COMMIT", NO_ARGS, NULL, err))
        return false;
    fault_point("store.after-commit");
    atomic_fetch_add(&store->commits, 1);
    return true;
}

static bool tell_event(void *arg, const Event *event)
{
    Store *store = arg;

    store->last_event = event->id;
    store->on_event(store->on_event_arg, event);
    return true;
}

/* What the commit added to the history. A failure only means that it is told later: the rows are
 * there, and the next commit looks from the same id. */
static void tell_events(Store *store)
{
    Err err;

    if (store->on_event)
        (void)event_list(&store->db,
                         &(EventFilter){ .after = store->last_event, .limit = UINT32_MAX },
                         tell_event, store, &err);
}

static void *writer_main(void *arg)
{
    Store *store = arg;
    Request *group;

    while ((group = queue_take(store))) {
        Err err = { .kind = ERR_NONE };

        if (!group_run(store, group, &err)) {
            if (!sqlite3_get_autocommit(store->db.handle))
                sqlite3_exec(store->db.handle, "ROLLBACK", NULL, NULL, NULL);
            group_fail(group, &err);
        }
        tell_events(store);
        while (group) {
            Request *request = group;

            group = request->next;
            request->done(request->arg, request->ok, &request->err);
            free(request);
        }
    }
    return NULL;
}

/* --- writing ------------------------------------------------------------------------------------- */

void store_write(Store *store, StoreWrite *write, StoreDone *done, void *arg)
{
    Request *request = calloc(1, sizeof *request);
    Err err = { .kind = ERR_NONE };

    pthread_mutex_lock(&store->mutex);
    if (!request)
        err_set(&err, ERR_TEMPORARY, 0, "no memory for a write to the database");
    else if (store->closing)
        err_set(&err, ERR_TEMPORARY, 0, "the server is stopping, nothing more is written");
    else if (store->queued >= STORE_QUEUE_MAX)
        err_set(&err, ERR_TEMPORARY, 0, "%d writes wait for the database already", STORE_QUEUE_MAX);
    else {
        *request = (Request){ .write = write, .done = done, .arg = arg };
        if (store->last)
            store->last->next = request;
        else
            store->first = request;
        store->last = request;
        store->queued++;
        pthread_cond_signal(&store->wake);
    }
    pthread_mutex_unlock(&store->mutex);
    if (err.kind != ERR_NONE) {
        free(request);
        done(arg, false, &err);
    }
}

typedef struct Waiter {
    StoreWrite *write;
    void *arg;
    Err *err;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    bool ended, ok;
} Waiter;

static bool waiter_write(Tx *tx, void *arg, Err *err)
{
    Waiter *waiter = arg;

    return waiter->write(tx, waiter->arg, err);
}

static void waiter_done(void *arg, bool ok, const Err *err)
{
    Waiter *waiter = arg;

    pthread_mutex_lock(&waiter->mutex);
    waiter->ok = ok;
    waiter->ended = true;
    if (!ok)
        *waiter->err = *err;
    pthread_cond_signal(&waiter->wake);
    pthread_mutex_unlock(&waiter->mutex);
}

bool store_write_wait(Store *store, StoreWrite *write, void *arg, Err *err)
{
    Waiter waiter = { .write = write, .arg = arg, .err = err };

    pthread_mutex_init(&waiter.mutex, NULL);
    pthread_cond_init(&waiter.wake, NULL);
    store_write(store, waiter_write, waiter_done, &waiter);
    pthread_mutex_lock(&waiter.mutex);
    while (!waiter.ended)
        pthread_cond_wait(&waiter.wake, &waiter.mutex);
    pthread_mutex_unlock(&waiter.mutex);
    pthread_cond_destroy(&waiter.wake);
    pthread_mutex_destroy(&waiter.mutex);
    return waiter.ok;
}

Wall tx_now(const Tx *tx)
{
    return tx->now;
}

int64_t tx_generation(const Tx *tx)
{
    return tx->generation;
}

Db *tx_db(Tx *tx)
{
    return tx->db;
}

/* --- opening and closing ------------------------------------------------------------------------- */

/* A server that was killed while it started a worker leaves its lock to the child for a moment, until that
 * becomes another program: so a lock that is held is asked for again for a while. */
static bool take_lock(int fd)
{
    const struct timespec pause = { .tv_nsec = LOCK_PAUSE_MS * 1000000L };

    for (int ms = 0; flock(fd, LOCK_EX | LOCK_NB) != 0; ms += LOCK_PAUSE_MS) {
        if (errno != EWOULDBLOCK || ms >= LOCK_PATIENCE_MS)
            return false;
        (void)nanosleep(&pause, NULL);
    }
    return true;
}

/* Two servers over one folder would destroy each other's claims. */
static bool lock_folder(Store *store, int folder_fd, const char *folder_path, Err *err)
{
    char pid[24];

    store->lock_fd = file_open_append(folder_fd, "platen.lock", 0640, err);
    if (store->lock_fd < 0)
        return false;
    if (!take_lock(store->lock_fd)) {
        int cause = errno;
        AUTO_BUF holder = buf_with_max(sizeof pid - 1);

        if (cause != EWOULDBLOCK)
            return err_errno(err, cause, "cannot lock %s/platen.lock", folder_path);
        (void)file_read_whole(folder_fd, "platen.lock", &holder, err);
        err_set(err, ERR_CONFLICT, 0, "data folder %s is in use by process %.10s", folder_path,
                holder.n ? buf_text(&holder) : "(unknown)");
        return err_remedy(err,
                          "Stop that server first, or give this one a data folder of its own.");
    }
    /* The lock belongs to lock_fd; opened once more, the same file is emptied and written. */
    (void)text_printf(pid, sizeof pid, "%ld", (long)getpid());
    AUTO_FD fd = file_create(folder_fd, "platen.lock", 0640, err);
    return fd >= 0 && file_write_all(fd, bytes_of_text(pid), err) && file_close(&fd, err);
}

static bool take_generation(Store *store, Err *err)
{
    bool found;

    return db_run(&store->db, "UPDATE meta SET value = value + 1 WHERE key = 'generation'", NO_ARGS,
                  NULL, err) &&
           db_find_int(&store->db, "SELECT value FROM meta WHERE key = 'generation'", NO_ARGS,
                       &store->generation, &found, err);
}

static bool start_writer(Store *store, Err *err)
{
    pthread_attr_t attributes;

    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, WRITER_STACK_BYTES);
    int cause = pthread_create(&store->thread, &attributes, writer_main, store);
    pthread_attr_destroy(&attributes);
    store->running = cause == 0;
    return cause == 0 || err_errno(err, cause, "cannot start the writer thread");
}

static bool open_parts(Store *store, const char *folder_path, Err *err)
{
    if (!text_printf(store->db_path, sizeof store->db_path, "%s/platen.db", folder_path))
        return err_set(err, ERR_BAD_INPUT, 0, "path of the data folder is too long");
    AUTO_FD folder = file_make_folders(folder_path, err);
    if (folder < 0 || !lock_folder(store, folder, folder_path, err))
        return false;
    /* Made here, so that only we can read it; SQLite gives its log the same mode. */
    AUTO_FD made = file_open_append(folder, "platen.db", 0640, err);
    return made >= 0 && file_close(&made, err) && db_open(&store->db, store->db_path, false, err) &&
           schema_migrate(&store->db, folder, schema_scripts, err) && take_generation(store, err) &&
           file_sync_folder(folder, err) && start_writer(store, err);
}

Store *store_open(const char *folder_path, Err *err)
{
    AUTO(Store) store = calloc(1, sizeof *store);

    if (!store) {
        err_set(err, ERR_TEMPORARY, 0, "no memory to open the database");
        return NULL;
    }
    store->lock_fd = -1;
    pthread_mutex_init(&store->mutex, NULL);
    pthread_cond_init(&store->wake, NULL);
    return open_parts(store, folder_path, err) ? STEAL(store) : NULL;
}

void store_close(Store *store)
{
    if (!store)
        return;
    pthread_mutex_lock(&store->mutex);
    store->closing = true;
    pthread_cond_signal(&store->wake);
    pthread_mutex_unlock(&store->mutex);
    if (store->running)
        pthread_join(store->thread, NULL);
    db_close(&store->db);
    if (store->lock_fd >= 0)
        close(store->lock_fd);
    pthread_cond_destroy(&store->wake);
    pthread_mutex_destroy(&store->mutex);
    free(store);
}

int64_t store_generation(const Store *store)
{
    return store->generation;
}

typedef struct Listener {
    Store *store;
    void (*on_event)(void *arg, const Event *event);
    void *arg;
} Listener;

/* On the writer thread: from here on, later events are told. */
static bool listen_write(Tx *tx, void *arg, Err *err)
{
    const Listener *l = arg;

    if (!event_newest(tx->db, &l->store->last_event, err))
        return false;
    l->store->on_event = l->on_event;
    l->store->on_event_arg = l->arg;
    return true;
}

bool store_on_event(Store *store, void (*on_event)(void *arg, const Event *event), void *arg,
                    Err *err)
{
    Listener listener = { store, on_event, arg };

    return store_write_wait(store, listen_write, &listener, err);
}

int64_t store_commits(const Store *store)
{
    return atomic_load(&((Store *)store)->commits);
}

/* --- readers ------------------------------------------------------------------------------------- */

StoreReader *store_reader_open(Store *store, Err *err)
{
    StoreReader *reader = calloc(1, sizeof *reader);

    if (!reader) {
        err_set(err, ERR_TEMPORARY, 0, "no memory for a reader of the database");
        return NULL;
    }
    if (!db_open(&reader->db, store->db_path, true, err)) {
        store_reader_close(reader);
        return NULL;
    }
    return reader;
}

void store_reader_close(StoreReader *reader)
{
    if (!reader)
        return;
    db_close(&reader->db);
    free(reader);
}

Db *reader_db(StoreReader *reader)
{
    return &reader->db;
}
