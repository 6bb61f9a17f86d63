/* queue/keeper-read.c - a reader's keeper: pages are read while the device still scans. */
#include "base/log.h"
#include "base/text.h"
#include "queue/keeper.h"
#include "store/batch-rows.h"

#include <time.h>

enum {
    READ_TIMEOUT_MS = 60000,
    LOOK_AGAIN_MS = 1000,
    GIVE_WAY_MS = 200, /* for a page at most, so that the slowest disk stops no reader */
    GIVE_WAY_LOOK_MS = 10,
};

typedef struct ReadWork {
    PageClaim claim;
    bool found;
    PageFacts facts;
    char warning[240];
    char failure[240]; /* "" = facts are good */
    bool damaged;      /* the reader lives and says that no document can take the page */
} ReadWork;

static bool put_result(Tx *tx, const ReadWork *work, BatchState *ret_state, Err *err)
{
    const Page *page = &work->claim.page;
    bool ok = work->failure[0] ? page_read_failed(tx, page->id, work->damaged, work->failure, err)
                               : page_read_done(tx, page->id, &work->facts, work->warning, err);

    return ok && queue_batch_settle(tx, &page->batch, ret_state, err);
}

/* One write for a page: what was read of it, and the claim of the next. */
typedef struct ReadStep {
    const ReadWork *done; /* none when nothing was found */
    bool claims;
    BatchState rests; /* the batch of what was read */
    ReadWork next;
} ReadStep;

static bool step_write(Tx *tx, void *arg, Err *err)
{
    ReadStep *step = arg;

    return (!step->done->found || put_result(tx, step->done, &step->rests, err)) &&
           (!step->claims || page_claim(tx, &step->next.claim, &step->next.found, err));
}

static Json *read_task(const Keeper *keeper, const PageClaim *claim)
{
    char id[24], thumbnail[32];

    (void)text_printf(id, sizeof id, "%lld", (long long)claim->page.id);
    Json *task = keeper_new_task(keeper, "read", id, claim->folder);
    page_file_name(claim->page.number, claim->page.side, PAGE_FORMAT_JPEG, thumbnail);
    thumbnail[0] = 't'; /* t0001a.jpg beside p0001a.jpg */
    json_set_take(task, "page", keeper_page_message(&claim->page));
    json_set_text(task, "thumbnail", thumbnail);
    return task;
}

/* A device that waits for us goes before what is looked at: niceness alone leaves the reader a fifth of the
 * processors while the server's threads wait for the disk by turns. */
static void give_way(const Keeper *keeper)
{
    Spool *spool = keeper->queue->config.spool;
    const struct timespec pause = { .tv_nsec = GIVE_WAY_LOOK_MS * 1000000L };

    for (int i = 0; i < GIVE_WAY_MS / GIVE_WAY_LOOK_MS && spool && spool_devices_wait(spool) &&
                    !keeper_stopping(keeper->queue);
         i++)
        (void)nanosleep(&pause, NULL);
}

static void read_page(Keeper *keeper, ReadWork *work)
{
    AUTO(Json) task = read_task(keeper, &work->claim);
    AUTO(Json) result = NULL;
    Err err;

    if (!keeper_task(keeper, task, READ_TIMEOUT_MS, NULL, &result, &err) ||
        !keeper_result_ok(result, &err)) {
        const char *field = json_get_text(json_get(result, "error"), "field");

        work->damaged = text_equal(field, "page");
        (void)text_copy(work->failure, sizeof work->failure, err.text);
        return;
    }
    const Json *facts = json_get(result, "facts");
    work->facts.width_px = (uint32_t)json_get_int(facts, "width_px", 0);
    work->facts.height_px = (uint32_t)json_get_int(facts, "height_px", 0);
    work->facts.dpi = (uint32_t)json_get_int(facts, "dpi", 0);
    work->facts.components = (uint32_t)json_get_int(facts, "components", 0);
    (void)text_copy(work->facts.thumbnail, sizeof work->facts.thumbnail,
                    json_get_text(facts, "thumbnail"));
    (void)text_copy(work->warning, sizeof work->warning, json_get_text(facts, "warning"));
}

/* Writes what was read and takes the next page into *work. False: nothing was written. */
static bool take_next(Keeper *keeper, ReadWork *work)
{
    ReadStep step = { .done = work, .claims = !keeper_stopping(keeper->queue) };
    bool had = work->found;
    Err err;

    bool ok = keeper_write(keeper, step_write, &step, "page-step", &err);
    if (!ok && had &&
        step.claims) { /* a page that cannot be claimed takes no other's result with it */
        step.claims = false;
        step.next = (ReadWork){ 0 };
        ok = keeper_write(keeper, step_write, &step, "page-result", &err);
    }
    if (had && ok && step.rests != BATCH_RECEIVING) /* it may have been its last page */
        queue_wake(keeper->queue);
    else if (!ok && had && !keeper_stopping(keeper->queue))
        log_line(LOG_ERROR, "page.result-lost", "batch=%s page=%u", work->claim.page.batch.text,
                 work->claim.page.number);
    *work = ok ? step.next : (ReadWork){ 0 };
    return ok;
}

void keeper_read(Keeper *keeper)
{
    ReadWork work = { 0 };

    for (;;) {
        uint64_t ticket = keeper_ticket(keeper);

        if (!work.found && keeper_stopping(keeper->queue))
            return;
        bool ok = take_next(keeper, &work);
        if (work.found) {
            give_way(keeper);
            read_page(keeper, &work);
        } else if (!keeper_sleep(keeper, ticket, ok ? -1 : LOOK_AGAIN_MS))
            return;
    }
}
