/* queue/keeper-deliver.c - a destination's keepers: its deliveries, each one after another.
 *
 * At any time exactly one delivery keeper is unbound: it looks for a destination that has work and may
 * have another keeper. When it finds one it enters that destination's lane and starts its successor,
 * so that a slow or dead destination holds its own keepers and nobody else's. A lane begins with one
 * keeper, gets another after each success up to what the destination allows, and shrinks to one after
 * a failure. After failures in a row the whole lane rests, longer each time: a thousand deliveries to a dead
 * destination are not a thousand attempts. Success or a person's act ends the rest. A keeper without work for QUEUE_DELIVER_IDLE_MS ends its process and itself. */
#include "base/log.h"
#include "base/text.h"
#include "queue/deliver-task.h"
#include "queue/retry.h"
#include "store/batch-rows.h"

#include <sys/random.h>

enum {
    DELIVER_TIMEOUT_BASE_MS = 120000,
    DELIVER_SLOWEST_BYTES_PER_MS = 100, /* 100 kB/s: slower than that counts as hanging */
    DEATH_WAIT_MS = 1000,               /* x attempt: our own process died, not the peer */
    LOOK_AGAIN_MS = 1000,
    REST_FIRST_MS = 1000, /* of a lane after a failure; doubles up to */
    REST_CAP_MS = 30 * 1000,
    REST_ASKED_MAX_MS = 600 * 1000, /* what the peer itself asks for */
    IDLE_OF_SEVERAL_MS = 3000,
    DUE_POLL_MIN_MS = 200,
};

typedef struct DeliverWork {
    DestinationId only; /* "" = any that is not busy */
    DestinationId busy[QUEUE_DELIVER_KEEPERS_MAX];
    size_t busy_count;
    DeliveryClaim claim;
    bool found;
    DeliveryClaim next; /* claimed in the transaction of the result */
    bool next_found;
    bool
        successor; /* somebody looks for other destinations: this keeper may go on without a pause */
    DeliveryResult result;
    RetryPlan plan;
    Wall due;
    bool moves; /* the batch goes on delivering: nothing but deliveries follows */
} DeliverWork;

/* --- writes ------------------------------------------------------------------------------------------- */

static bool claim_write(Tx *tx, void *arg, Err *err)
{
    DeliverWork *w = arg;

    return delivery_claim(tx, w->only.text[0] ? &w->only : NULL, w->busy, w->busy_count, &w->claim,
                          &w->found, err);
}

static bool result_write(Tx *tx, void *arg, Err *err)
{
    DeliverWork *w = arg;

    w->due.ms = tx_now(tx).ms + w->plan.wait_ms;
    return delivery_ended(tx, &w->claim.delivery.id, w->plan.event, &w->result, w->due, err) &&
           queue_login_settle(tx, &w->claim.delivery.destination, &w->result, err) &&
           batch_moves(tx_db(tx), &w->claim.delivery.batch, &w->moves, err) &&
           (w->moves || queue_batch_advance(tx, &w->claim.delivery.batch, err));
}

/* The end of one delivery and the claim of the next one of the lane: one commit less for each. */
static bool result_and_next_write(Tx *tx, void *arg, Err *err)
{
    DeliverWork *w = arg;

    return result_write(tx, w, err) &&
           delivery_claim(tx, &w->only, NULL, 0, &w->next, &w->next_found, err);
}

/* --- lanes ---------------------------------------------------------------------------------------------- */

/* The lane of a destination, NULL when nobody serves it. Under the mutex. */
static Lane *lane_of(Queue *queue, const DestinationId *id)
{
    for (size_t i = 0; i < COUNT_OF(queue->lanes); i++)
        if (queue->lanes[i].keepers > 0 && text_equal(queue->lanes[i].destination.text, id->text))
            return &queue->lanes[i];
    return NULL;
}

/* A keeper joins those of a destination; the first one opens its lane, which begins with one. */
static void lane_enter(Keeper *keeper, const DestinationId *id)
{
    Queue *queue = keeper->queue;

    pthread_mutex_lock(&queue->mutex);
    Lane *lane = lane_of(queue, id);
    for (size_t i = 0; i < COUNT_OF(queue->lanes) && !lane; i++)
        if (queue->lanes[i].keepers == 0) {
            lane = &queue->lanes[i];
            *lane = (Lane){ .destination = *id, .allowed = 1 };
        }
    if (lane) /* as many lanes as keepers: there is one */
        lane->keepers++;
    keeper->bound = *id;
    pthread_mutex_unlock(&queue->mutex);
}

static void lane_leave(Keeper *keeper)
{
    Queue *queue = keeper->queue;

    pthread_mutex_lock(&queue->mutex);
    Lane *lane = lane_of(queue, &keeper->bound);
    if (lane)
        lane->keepers--;
    keeper->bound.text[0] = '\0';
    pthread_mutex_unlock(&queue->mutex);
}

static int64_t rest_ms(unsigned failures, int64_t asked_s)
{
    int64_t rest = REST_FIRST_MS, asked_max_s = REST_ASKED_MAX_MS / 1000;
    int64_t asked = (asked_s < asked_max_s ? asked_s : asked_max_s) * 1000;

    for (unsigned i = 1; i < failures && rest < REST_CAP_MS; i++)
        rest *= 2;
    rest = rest < REST_CAP_MS ? rest : REST_CAP_MS;
    return rest > asked ? rest : asked;
}

/* Slow start: one more at a time after each success, one alone after a failure of the peer, and a rest. */
static void lane_learn(Keeper *keeper, const DeliveryResult *result, unsigned parallel)
{
    bool failed = result->class == DELIVERY_CLASS_RETRY || result->class == DELIVERY_CLASS_AUTH ||
                  result->class == DELIVERY_CLASS_UNKNOWN;

    pthread_mutex_lock(&keeper->queue->mutex);
    Lane *lane = lane_of(keeper->queue, &keeper->bound);
    if (lane && failed) {
        lane->allowed = 1;
        lane->failures++;
        lane->rest_until = mono_after(mono_now(), rest_ms(lane->failures, result->retry_after_s));
    } else if (lane) {
        lane->failures = 0;
        lane->rest_until = (Mono){ 0 };
        if (lane->allowed < parallel)
            lane->allowed++;
        else if (parallel > 0) /* an administrator may have changed it */
            lane->allowed = parallel;
    }
    pthread_mutex_unlock(&keeper->queue->mutex);
}

/* Milliseconds that the lane still rests, 0 = it does not. */
static int64_t lane_rests_ms(Keeper *keeper)
{
    pthread_mutex_lock(&keeper->queue->mutex);
    const Lane *lane = lane_of(keeper->queue, &keeper->bound);
    int64_t left = lane ? lane->rest_until.ms - mono_now().ms : 0;
    pthread_mutex_unlock(&keeper->queue->mutex);
    return left > 0 ? left : 0;
}

/* More keepers than it may have now: this one goes. alone: it is the only one. */
static bool lane_is_full(Keeper *keeper, bool *ret_alone)
{
    pthread_mutex_lock(&keeper->queue->mutex);
    const Lane *lane = lane_of(keeper->queue, &keeper->bound);
    bool full = lane && lane->keepers > lane->allowed;
    *ret_alone = !lane || lane->keepers == 1;
    pthread_mutex_unlock(&keeper->queue->mutex);
    return full;
}

/* Destinations that must not get another keeper now. */
static void collect_busy(Queue *queue, DeliverWork *w)
{
    w->busy_count = 0;
    pthread_mutex_lock(&queue->mutex);
    for (size_t i = 0; i < COUNT_OF(queue->lanes); i++)
        if (queue->lanes[i].keepers > 0 && queue->lanes[i].keepers >= queue->lanes[i].allowed)
            w->busy[w->busy_count++] = queue->lanes[i].destination;
    pthread_mutex_unlock(&queue->mutex);
}

/* --- one delivery ----------------------------------------------------------------------------------------- */

static uint32_t random_permille(void)
{
    uint16_t bits;

    /* Without random bytes the waits are not spread, and nothing else is lost. */
    return getrandom(&bits, sizeof bits, GRND_NONBLOCK) == sizeof bits ? bits % 1000u : 500;
}

const char *keeper_program_of(const Queue *queue, const char *kind)
{
    for (size_t i = 0; i < queue->config.other_count; i++)
        if (text_equal(queue->config.others[i].kind, kind))
            return queue->config.others[i].path;
    return queue->deliver_program;
}

/* A process that does not know the kind is of no use any more. */
static void use_program_of(Keeper *keeper, const char *kind)
{
    const char *program = keeper_program_of(keeper->queue, kind);

    if (program != keeper->program)
        worker_stop(STEAL(keeper->worker));
    keeper->program = program;
}

static void deliver(Keeper *keeper, DeliverWork *w)
{
    const Delivery *d = &w->claim.delivery;
    int64_t timeout_ms = DELIVER_TIMEOUT_BASE_MS +
                         w->claim.document.size_bytes / DELIVER_SLOWEST_BYTES_PER_MS;
    int64_t left_ms = d->tried_since.ms + w->claim.expiry_ms - wall_now().ms;
    DeliverTalk talk = { .keeper = keeper,
                         .claim = &w->claim,
                         .destination = &w->claim.delivery.destination };
    const WorkerTalk dialogue = { .arg = &talk, .answer = deliver_answer };
    Err err = { 0 };
    AUTO(Json) task = deliver_task(keeper, &w->claim, &err);
    AUTO(Json) message = NULL;

    w->result = (DeliveryResult){ 0 };
    use_program_of(keeper, w->claim.kind);
    if (task && keeper_task(keeper, task, timeout_ms, &dialogue, &message, &err) &&
        deliver_result(message, &w->result, &err)) {
        w->plan = retry_plan(d->attempt, &w->result, left_ms, random_permille());
        return;
    }
    w->result = (DeliveryResult){
        .class = task || err.kind == ERR_TEMPORARY ? DELIVERY_CLASS_RETRY : DELIVERY_CLASS_CONFIG,
        .stage = "process",
    };
    (void)text_copy(w->result.text, sizeof w->result.text, err.text);
    (void)text_copy(w->result.cure, sizeof w->result.cure,
                    err.remedy[0] ? err.remedy : "Nothing to do: it is tried again.");
    w->plan = retry_plan(d->attempt, &w->result, left_ms, 500);
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

/* May the lane go on with another delivery at once? */
static bool lane_goes_on(Keeper *keeper)
{
    bool alone;

    return !keeper_stopping(keeper->queue) && !lane_is_full(keeper, &alone) &&
           lane_rests_ms(keeper) == 0;
}

/* True: committed, and w->found says whether w->claim is the next one. */
static bool settle(Keeper *keeper, DeliverWork *w, Err *err)
{
    w->found = w->next_found = false;
    if (!w->successor || !lane_goes_on(keeper) ||
        !keeper_write(keeper, result_and_next_write, w, "delivery-result", err))
        return keeper_write(keeper, result_write, w, "delivery-result", err);
    w->found = w->next_found;
    if (w->found)
        w->claim = w->next;
    return true;
}

/* Runs what was claimed, and what can be claimed behind it. */
static void run_claimed(Keeper *keeper, DeliverWork *w)
{
    DeliveryId id;
    Err err;

    w->only = keeper->bound;
    do {
        deliver(keeper, w);
        log_delivery(w);
        lane_learn(keeper, &w->result, w->claim.parallel);
        id = w->claim.delivery.id;
        if (settle(keeper, w, &err))
            w->moves && w->result.class == DELIVERY_CLASS_OK ? keeper_turn(keeper->queue)
                                                             : queue_wake(keeper->queue);
        else if (!keeper_stopping(keeper->queue))
            log_line(LOG_ERROR, "delivery.result-lost", "delivery=%s", id.text);
    } while (w->found);
}

/* --- serving -------------------------------------------------------------------------------------------- */

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

    return keeper_start(keeper->queue, KEEPER_DELIVER, &err);
}

/* Serves the destination the keeper is bound to until it was idle for long enough; one of several waits
 * only a little. w->successor: one was started already, else that is tried again and again. */
static void serve_bound(Keeper *keeper, DeliverWork *w)
{
    Mono idle_since = mono_now();
    bool alone = true;

    w->only = keeper->bound;
    while (!keeper_stopping(keeper->queue) && !lane_is_full(keeper, &alone)) {
        uint64_t ticket = keeper_ticket(keeper);
        int64_t idle_ms = alone ? QUEUE_DELIVER_IDLE_MS : IDLE_OF_SEVERAL_MS;
        int64_t left = idle_since.ms + idle_ms - mono_now().ms;
        Err err;

        w->successor = w->successor || start_successor(keeper);
        int64_t rests_ms = lane_rests_ms(keeper);
        if (rests_ms > 0) {
            (void)keeper_sleep(keeper, ticket, w->successor ? rests_ms : LOOK_AGAIN_MS);
            idle_since = mono_now();
            continue;
        }
        bool ok = keeper_write(keeper, claim_write, w, "delivery-claim", &err);
        if (ok && w->found) {
            run_claimed(keeper, w);
            idle_since = mono_now();
        } else if (left <= 0) {
            break;
        } else {
            (void)keeper_sleep(keeper, ticket,
                               ok && w->successor ? sleep_ms(keeper, w, left) : LOOK_AGAIN_MS);
        }
    }
}

void keeper_deliver(Keeper *keeper)
{
    DeliverWork *w = calloc(1, sizeof *w);
    Err err;

    while (w && !keeper_stopping(keeper->queue)) {
        uint64_t ticket = keeper_ticket(keeper);

        collect_busy(keeper->queue, w);
        bool ok = keeper_write(keeper, claim_write, w, "delivery-claim", &err);
        if (!ok || !w->found) {
            if (!keeper_sleep(keeper, ticket, ok ? sleep_ms(keeper, w, -1) : LOOK_AGAIN_MS))
                break;
            continue;
        }
        lane_enter(keeper, &w->claim.delivery.destination);
        w->successor = start_successor(keeper);
        run_claimed(keeper, w);
        serve_bound(keeper, w);
        lane_leave(keeper);
        keeper_turn(keeper->queue); /* work for this destination is the looking keeper's again */
        if (w->successor)
            break;
        *w = (DeliverWork){ 0 };
    }
    free(w);
}
