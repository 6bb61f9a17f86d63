/* queue/keeper-retain.c - removes what is kept no longer: files of batches that are over, then history.
 *
 * Looks at start and every hour, and after each wake for what a person wants removed. Everything is done
 * in small steps: few batches in a write, files without any. A step that fails is tried again later. */
#include "base/fault.h"
#include "base/log.h"
#include "base/text.h"
#include "queue/keeper.h"
#include "store/retention.h"
#include "store/spool-remove.h"

enum {
    LOOK_EVERY_MS = 3600 * 1000,
    TRY_AGAIN_MS = 60 * 1000, /* after a removal that failed                    */
    LEAST_PAUSE_MS = 1000,    /* between two rounds, however often we are woken */
    MARKED_AT_ONCE = 16,      /* batches in one write                           */
    FORGOTTEN_AT_ONCE = 4,    /* the same, with all their rows                  */
    DAY_MS = 24 * 3600 * 1000,
};

static Wall days_ago(int64_t days)
{
    return (Wall){ wall_now().ms - days * DAY_MS };
}

static void say_failed(const char *event, const char *what, const Err *err)
{
    char quoted[300];

    log_line(LOG_ERROR, event, "what=%s error=%s", what,
             log_quote(quoted, sizeof quoted, err->text));
}

/* --- what is decided ----------------------------------------------------------------------------- */

typedef struct Marking {
    BatchId batches[MARKED_AT_ONCE];
    size_t count;
    BatchId after; /* where the next look begins */
    Wall before;
    char why[FIELD_SIZEOF(Batch, files_why)];
} Marking;

static bool mark_write(Tx *tx, void *arg, Err *err)
{
    const Marking *m = arg;
    bool marked;

    for (size_t i = 0; i < m->count; i++)
        if (!batch_expire(tx, &m->batches[i], m->before, m->why, &marked, err))
            return false;
    return true;
}

/* The next batches that have expired. Of a broken one without a row for a page the folder is asked: nobody
 * was told that such a page is safe, but it is not delivered. */
static bool collect_expired(Keeper *keeper, Marking *m, Err *err)
{
    BatchFolder batch;
    bool found = true;

    for (m->count = 0; m->count < MARKED_AT_ONCE;) {
        if (!batch_expired_next(reader_db(keeper->reader), &m->after, m->before, &batch, &found,
                                err))
            return false;
        if (!found)
            return true;
        m->after = batch.id;
        if (!batch.broken || !spool_folder_has_page(keeper->queue->spool_path, batch.folder))
            m->batches[m->count++] = batch.id;
    }
    return true;
}

static void mark_expired(Keeper *keeper, int64_t days)
{
    Marking m = { .before = days_ago(days) };
    Err err;

    if (days == 0)
        (void)text_copy(m.why, sizeof m.why, "as soon as the batch was over");
    else
        (void)text_printf(m.why, sizeof m.why, "after %lld day%s", (long long)days,
                          days == 1 ? "" : "s");
    while (!keeper_stopping(keeper->queue)) {
        if (!collect_expired(keeper, &m, &err)) {
            say_failed("retention.failed", "look", &err);
            return;
        }
        if (m.count == 0)
            return;
        if (!keeper_write(keeper, mark_write, &m, "files-expire", &err)) {
            say_failed("retention.failed", "decide", &err);
            return;
        }
        fault_point("purge.marked");
    }
}

/* --- what was decided ---------------------------------------------------------------------------- */

static bool removed_write(Tx *tx, void *arg, Err *err)
{
    const BatchFolder *batch = arg;

    return batch_files_removed(tx, &batch->id, err);
}

static bool remove_one(Keeper *keeper, BatchFolder *batch, Err *err)
{
    bool foreign;

    if (!spool_folder_remove(keeper->queue->spool_path, batch->folder, &foreign, err) ||
        !keeper_write(keeper, removed_write, batch, "files-removed", err))
        return false;
    fault_point("purge.removed");
    log_line(LOG_INFO, "batch.files-removed", "batch=%s", batch->id.text);
    if (foreign)
        log_line(LOG_WARNING, "batch.folder-left", "batch=%s reason=\"other files are in it\"",
                 batch->id.text);
    return true;
}

/* False when something must be tried again. */
static bool remove_decided(Keeper *keeper)
{
    BatchFolder batch = { .broken = false };
    bool found = true, ok = true;
    Err err;

    while (!keeper_stopping(keeper->queue)) {
        BatchId after = batch.id;

        if (!batch_removing_next(reader_db(keeper->reader), &after, &batch, &found, &err)) {
            say_failed("retention.failed", "look", &err);
            return false;
        }
        if (!found)
            break;
        if (!remove_one(keeper, &batch, &err)) {
            if (keeper_stopping(keeper->queue))
                break; /* the next start goes on */
            say_failed("retention.failed", batch.id.text, &err);
            ok = false;
        }
    }
    return ok;
}

/* --- history ------------------------------------------------------------------------------------- */

typedef struct Forgetting {
    Wall before;
    bool more;
} Forgetting;

static bool forget_write(Tx *tx, void *arg, Err *err)
{
    Forgetting *f = arg;

    return history_forget(tx, f->before, FORGOTTEN_AT_ONCE, &f->more, err);
}

static void forget_history(Keeper *keeper, int64_t days)
{
    Forgetting f = { .before = days_ago(days), .more = true };
    Err err;

    while (f.more && !keeper_stopping(keeper->queue))
        if (!keeper_write(keeper, forget_write, &f, "history-forget", &err)) {
            say_failed("retention.failed", "history", &err);
            return;
        }
}

/* --- the rounds ---------------------------------------------------------------------------------- */

/* What is done every hour. */
static void look(Keeper *keeper, const Retention *r)
{
    Err err;

    if (r->by_itself && r->history_days != RETENTION_FOREVER)
        forget_history(keeper, r->history_days);
    if (!spool_days_sweep(keeper->queue->spool_path, wall_now(), &err))
        say_failed("retention.failed", "days", &err);
}

void keeper_retain(Keeper *keeper)
{
    Queue *queue = keeper->queue;
    const Retention *r = &queue->config.retention;
    bool at_once = r->by_itself && r->files_days == 0;
    Mono next_look = mono_now(), next_try = mono_now();

    for (;;) {
        uint64_t ticket = keeper_ticket(keeper);
        bool is_time = mono_reached(mono_now(), next_look);

        if (keeper_stopping(queue))
            return;
        if (r->by_itself && r->files_days != RETENTION_FOREVER && (is_time || at_once))
            mark_expired(keeper, r->files_days);
        if (mono_reached(mono_now(), next_try) && !remove_decided(keeper))
            next_try = mono_after(mono_now(), TRY_AGAIN_MS);
        if (is_time) {
            look(keeper, r);
            next_look = mono_after(mono_now(), LOOK_EVERY_MS);
        }
        Mono next = mono_reached(mono_now(), next_try) ? next_look
                                                       : mono_earlier(next_look, next_try);
        if (!keeper_sleep(keeper, ticket, next.ms - mono_now().ms))
            return;
        keeper_pause(keeper, LEAST_PAUSE_MS);
    }
}
