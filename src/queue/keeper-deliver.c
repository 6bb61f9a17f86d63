/* queue/keeper-deliver.c - a destination's keeper: its deliveries one after another.
 *
 * At any time exactly one delivery keeper is unbound: it looks for a destination that has work and
 * no keeper. When it finds one it binds itself to it and starts its successor, so that a slow or
 * dead destination holds its own keeper and nobody else's. A bound keeper without work for
 * QUEUE_DELIVER_IDLE_MS ends its process and itself. */
#include "base/log.h"
#include "base/text.h"
#include "queue/keeper.h"
#include "queue/retry.h"
#include "store/batch-rows.h"

#include <sys/random.h>

enum {
    DELIVER_TIMEOUT_BASE_MS = 120000,
    DELIVER_SLOWEST_BYTES_PER_MS = 100, /* 100 kB/s: slower than that counts as hanging */
    DEATH_WAIT_MS = 1000,               /* x attempt: our own process died, not the peer */
    LOOK_AGAIN_MS = 1000,
    DUE_POLL_MIN_MS = 200,
};

typedef struct DeliverWork {
    DestinationId only; /* "" = any that is not busy */
    DestinationId busy[QUEUE_DELIVER_KEEPERS_MAX + 1];
    size_t busy_count;
    DeliveryClaim claim;
    bool found;
    char proposed[FILE_NAME_BYTES_MAX + 1];
    DeliveryResult result;
    RetryPlan plan;
    Wall due;
} DeliverWork;

/* --- writes ------------------------------------------------------------------------------------------- */

static bool claim_write(Tx *tx, void *arg, Err *err)
{
    DeliverWork *w = arg;

    return delivery_claim(tx, w->only.text[0] ? &w->only : NULL, w->busy, w->busy_count, &w->claim,
                          &w->found, err);
}

static bool reserve_write(Tx *tx, void *arg, Err *err)
{
    const DeliverWork *w = arg;

    return delivery_reserve(tx, &w->claim.delivery.id, w->proposed, err);
}

static bool result_write(Tx *tx, void *arg, Err *err)
{
    DeliverWork *w = arg;

    w->due.ms = tx_now(tx).ms + w->plan.wait_ms;
    return delivery_ended(tx, &w->claim.delivery.id, w->plan.event, &w->result, w->due, err) &&
           queue_batch_advance(tx, &w->claim.delivery.batch, err);
}

/* --- messages ------------------------------------------------------------------------------------------ */

/* What tokens in a job's options stand for. */
static Json *facts_message(const DeliveryClaim *c)
{
    Json *facts = json_new_object();

    json_set_text(facts, "job", c->batch.job.name);
    json_set_text(facts, "device", c->batch.device_name);
    json_set_int(facts, "started_at_ms", c->batch.started_at.ms);
    json_set_int(facts, "utc_offset_min", c->batch.utc_offset_min);
    json_set_int(facts, "document", c->document.number);
    json_set_int(facts, "pages", c->document.page_count);
    return facts;
}

/* The index tells the names that the documents got at this destination: what is in out/ was written
 * before any of them was numbered. */
static bool add_index(const Keeper *keeper, const DeliveryClaim *c, Json *task, Err *err)
{
    Json *index = json_new_object(), *documents = json_new_array();
    bool ok = delivered_list(reader_db(keeper->reader), &c->batch.id, &c->delivery.destination,
                             keeper_add_index_row, documents, err);

    json_set_take(index, "documents", documents);
    json_set_take(index, "batch", keeper_batch_message(&c->batch));
    json_set_take(task, "index", index);
    return ok;
}

static Json *deliver_task(const Keeper *keeper, const DeliverWork *w, Err *err)
{
    char path[PATH_TEXT_SIZE + 320];
    const DeliveryClaim *c = &w->claim;
    AUTO(Json) settings = json_parse(bytes_of_text(c->settings), err);
    AUTO(Json)
    options = json_parse(bytes_of_text(c->options[0] ? c->options : "{}"), err);

    if (!settings || !options)
        return NULL;
    AUTO(Json) task = keeper_new_task(keeper, "deliver", c->delivery.id.text, c->batch.folder);
    Json *file = json_new_object();
    (void)text_printf(path, sizeof path, "%s/%s/out/%s", keeper->queue->spool_path, c->batch.folder,
                      c->document.name);
    json_set_text(task, "kind", c->kind);
    json_set_take(task, "settings", STEAL(settings));
    json_set_take(task, "options", STEAL(options));
    json_set_take(task, "facts", facts_message(c));
    json_set_text(file, "path", path);
    json_set_text(file, "name", c->document.name);
    json_set_int(file, "size", c->document.size_bytes);
    json_set_text(file, "sha256", c->document.sha256);
    json_set_take(task, "file", file);
    if (c->delivery.reserved_name[0])
        json_set_text(task, "reserved_name", c->delivery.reserved_name);
    else
        json_set_null(task, "reserved_name");
    if (c->document.kind == DOCUMENT_INDEX && !add_index(keeper, c, task, err))
        return NULL;
    return STEAL(task);
}

/* The worker proposes the final name; it is committed before it may rename. */
typedef struct Talk {
    Keeper *keeper;
    DeliverWork *work;
} Talk;

static Json *answer_name(void *arg, const Json *question, Err *err)
{
    Talk *talk = arg;
    const char *name = json_get_text(question, "name");

    if (!text_equal(json_get_text(question, "question"), "name") || !name[0] ||
        !text_copy(talk->work->proposed, sizeof talk->work->proposed, name)) {
        err_set(err, ERR_BUG, 0, "delivery asked what nobody can answer");
        return NULL;
    }
    if (!keeper_write(talk->keeper, reserve_write, talk->work, "delivery-name", err))
        return NULL;
    Json *answer = json_new_object();
    json_set_text(answer, "type", "answer");
    json_set_text(answer, "id", talk->work->claim.delivery.id.text);
    json_set_text(answer, "answer", "go");
    return answer;
}

static bool take_class(const char *word, DeliveryClass *ret_class)
{
    for (int i = 0; i < DELIVERY_CLASS_MAX_; i++)
        if (text_equal(word, delivery_class_words[i])) {
            *ret_class = (DeliveryClass)i;
            return true;
        }
    return false;
}

static bool take_result(const Json *message, DeliveryResult *r, Err *err)
{
    const Json *m = json_get(message, "result");

    if (!take_class(json_get_text(m, "class"), &r->class))
        return err_set(err, ERR_TEMPORARY, 0, "the delivery process gave no result");
    (void)text_copy(r->stage, sizeof r->stage, json_get_text(m, "stage"));
    (void)text_copy(r->text, sizeof r->text, json_get_text(m, "text"));
    (void)text_copy(r->cure, sizeof r->cure, json_get_text(m, "cure"));
    (void)text_copy(r->remote_name, sizeof r->remote_name, json_get_text(m, "remote_name"));
    (void)text_copy(r->sha256, sizeof r->sha256, json_get_text(m, "sha256"));
    r->native_code = json_get_int(m, "native_code", 0);
    r->protocol_code = json_get_int(m, "protocol_code", 0);
    r->retry_after_s = json_get_int(m, "retry_after_s", 0);
    r->size_bytes = json_get_int(m, "size_bytes", 0);
    return true;
}

/* --- one delivery ----------------------------------------------------------------------------------------- */

static uint32_t random_permille(void)
{
    uint16_t bits;

    /* Without random bytes the waits are not spread, and nothing else is lost. */
    return getrandom(&bits, sizeof bits, GRND_NONBLOCK) == sizeof bits ? bits % 1000u : 500;
}

static void deliver(Keeper *keeper, DeliverWork *w)
{
    const Delivery *d = &w->claim.delivery;
    int64_t timeout_ms = DELIVER_TIMEOUT_BASE_MS +
                         w->claim.document.size_bytes / DELIVER_SLOWEST_BYTES_PER_MS;
    Talk talk = { keeper, w };
    Err err = { 0 };
    AUTO(Json) task = deliver_task(keeper, w, &err);
    AUTO(Json) message = NULL;

    w->result = (DeliveryResult){ 0 };
    if (task && keeper_task(keeper, task, timeout_ms, answer_name, &talk, &message, &err) &&
        take_result(message, &w->result, &err)) {
        w->plan = retry_plan(d->attempt, &w->result, wall_now().ms - d->created_at.ms,
                             random_permille());
        return;
    }
    w->result = (DeliveryResult){ .class = DELIVERY_CLASS_RETRY, .stage = "process" };
    (void)text_copy(w->result.text, sizeof w->result.text, err.text);
    (void)text_copy(w->result.cure, sizeof w->result.cure, "Nothing to do: it is tried again.");
    w->plan = retry_plan(d->attempt, &w->result, wall_now().ms - d->created_at.ms, 500);
    if (w->plan.wait_ms > (int64_t)d->attempt * DEATH_WAIT_MS)
        w->plan.wait_ms = (int64_t)d->attempt * DEATH_WAIT_MS;
}

static void log_delivery(const DeliverWork *w)
{
    const DeliveryResult *r = &w->result;
    char quoted[256], cure[192];

    if (r->class == DELIVERY_CLASS_OK)
        log_line(LOG_INFO, "delivery.done", "delivery=%s batch=%s bytes=%lld",
                 w->claim.delivery.id.text, w->claim.delivery.batch.text, (long long)r->size_bytes);
    else
        log_line(w->plan.event == DELIVERY_EVENT_RETRY_LATER ? LOG_WARNING : LOG_ERROR,
                 "delivery.failed",
                 "delivery=%s batch=%s attempt=%u class=%s stage=%s retry_ms=%lld error=%s cure=%s",
                 w->claim.delivery.id.text, w->claim.delivery.batch.text, w->claim.delivery.attempt,
                 delivery_class_words[r->class], r->stage, (long long)w->plan.wait_ms,
                 log_quote(quoted, sizeof quoted, r->text), log_quote(cure, sizeof cure, r->cure));
}

static void run_claimed(Keeper *keeper, DeliverWork *w)
{
    Err err;

    deliver(keeper, w);
    log_delivery(w);
    if (keeper_write(keeper, result_write, w, "delivery-result", &err))
        queue_wake(keeper->queue);
    else if (!keeper_stopping(keeper->queue))
        log_line(LOG_ERROR, "delivery.result-lost", "delivery=%s", w->claim.delivery.id.text);
}

/* --- binding -------------------------------------------------------------------------------------------- */

static void bind_to(Keeper *keeper, const DestinationId *id)
{
    pthread_mutex_lock(&keeper->queue->mutex);
    keeper->bound = *id;
    pthread_mutex_unlock(&keeper->queue->mutex);
}

static void collect_busy(Queue *queue, DeliverWork *w)
{
    w->busy_count = 0;
    pthread_mutex_lock(&queue->mutex);
    for (size_t i = 0; i < COUNT_OF(queue->keepers); i++)
        if (queue->keepers[i].in_use && queue->keepers[i].bound.text[0] &&
            w->busy_count < COUNT_OF(w->busy))
            w->busy[w->busy_count++] = queue->keepers[i].bound;
    pthread_mutex_unlock(&queue->mutex);
}

/* How long to sleep when nothing can be claimed: until something is due that this keeper may claim,
 * at most until idle_end. */
static int64_t sleep_ms(Keeper *keeper, const DeliverWork *w, int64_t idle_ms)
{
    int64_t wait = idle_ms;
    Wall due = { 0 };
    Err err;

    if (!delivery_next_due(reader_db(keeper->reader), w->only.text[0] ? &w->only : NULL, w->busy,
                           w->busy_count, &due, &err))
        return LOOK_AGAIN_MS;
    if (due.ms != INT64_MAX) {
        int64_t until = due.ms - wall_now().ms;

        until = until < DUE_POLL_MIN_MS ? DUE_POLL_MIN_MS : until;
        wait = wait < 0 || until < wait ? until : wait;
    }
    return wait;
}

/* Somebody must look for other destinations. False: no thread is to be had now. */
static bool start_successor(Keeper *keeper)
{
    Err err;

    return keeper_start(keeper->queue, keeper_deliver, keeper->queue->deliver_program, &err);
}

/* Serves the destination the keeper is bound to until it was idle for long enough. successor: one was
 * started already, else that is tried again and again. True: there is one. */
static bool serve_bound(Keeper *keeper, DeliverWork *w, bool successor)
{
    Mono idle_end = mono_after(mono_now(), QUEUE_DELIVER_IDLE_MS);

    w->only = keeper->bound;
    while (!keeper_stopping(keeper->queue)) {
        uint64_t ticket = keeper_ticket(keeper->queue);
        int64_t left = idle_end.ms - mono_now().ms;
        Err err;

        successor = successor || start_successor(keeper);
        bool ok = keeper_write(keeper, claim_write, w, "delivery-claim", &err);
        if (ok && w->found) {
            run_claimed(keeper, w);
            idle_end = mono_after(mono_now(), QUEUE_DELIVER_IDLE_MS);
        } else if (left <= 0) {
            break;
        } else {
            (void)keeper_sleep(keeper->queue, ticket,
                               ok && successor ? sleep_ms(keeper, w, left) : LOOK_AGAIN_MS);
        }
    }
    return successor;
}

void keeper_deliver(Keeper *keeper)
{
    DeliverWork *w = calloc(1, sizeof *w);
    Err err;

    while (w && !keeper_stopping(keeper->queue)) {
        uint64_t ticket = keeper_ticket(keeper->queue);

        collect_busy(keeper->queue, w);
        bool ok = keeper_write(keeper, claim_write, w, "delivery-claim", &err);
        if (!ok || !w->found) {
            if (!keeper_sleep(keeper->queue, ticket, ok ? sleep_ms(keeper, w, -1) : LOOK_AGAIN_MS))
                break;
            continue;
        }
        bind_to(keeper, &w->claim.delivery.destination);
        bool successor = start_successor(keeper);
        run_claimed(keeper, w);
        successor = serve_bound(keeper, w, successor);
        bind_to(keeper, &(DestinationId){ .text = "" });
        queue_wake(keeper->queue); /* work for this destination is the looking keeper's again */
        if (successor)
            break;
        *w = (DeliverWork){ 0 };
    }
    free(w);
}
