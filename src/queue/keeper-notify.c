/* queue/keeper-notify.c - the one keeper of mails that tell people, and the mail that a person asks for.
 *
 * It looks with its reader when something may be due, so that the many wakes of a busy server write
 * nothing. Whatever becomes of a mail is told in the log and in the mail's row; it never makes an event,
 * so that one failure does not lead to the next. */
#include "base/log.h"
#include "base/text.h"
#include "queue/deliver-task.h"
#include "queue/retry.h"
#include "seal/settings.h"
#include "store/notification-rows.h"

enum {
    NOTIFY_TIMEOUT_MS = 120000,
    TEST_TIMEOUT_MS = 45000,
    LOOK_AGAIN_MS = 60000, /* at the latest: the clock may be set */
    LOOK_SOON_MS = 1000,
};

typedef struct NotifyWork {
    NotificationClaim claim;
    bool found;
    DeliveryResult result;
    NotificationState state;
    int64_t wait_ms;
} NotifyWork;

/* --- one mail --------------------------------------------------------------------------------------- */

static Json *notify_task(const Keeper *keeper, const NotificationClaim *c, Err *err)
{
    const StoredDestination *over = &c->over;
    AUTO(Json) sealed = json_parse(bytes_of_text(over->destination.settings), err);
    AUTO(Json)
    settings = sealed ? settings_opened(keeper->queue->config.sealer, over->id.text, sealed, err)
                      : NULL;

    if (!settings)
        return NULL;
    Json *task = keeper_new_task(keeper, "notify", c->id, "");
    Json *options = json_new_object(), *words = json_new_object();
    json_set_text(task, "kind", over->destination.kind);
    json_set_take(task, "settings", STEAL(settings));
    json_set_text(options, "to", c->to);
    json_set_text(options, "refused",
                  "others"); /* one wrong address keeps no mail from the others */
    json_set_take(task, "options", options);
    json_set_text(words, "subject", c->subject);
    json_set_text(words, "text", c->text);
    json_set_take(task, "words", words);
    return task;
}

static bool is_transient(DeliveryClass class)
{
    return class != DELIVERY_CLASS_OK && class != DELIVERY_CLASS_FATAL;
}

/* A person who mends settings does not have to ask for the mail again, and one that may have arrived has
 * the same Message-ID: all but a refusal for good is tried until the mail is too old. */
static void decide(NotifyWork *w)
{
    int64_t left_ms = w->claim.created_at.ms + NOTIFICATION_EXPIRY_MS - wall_now().ms;
    DeliveryResult like = w->result;

    like.class = is_transient(like.class) ? DELIVERY_CLASS_RETRY : like.class;
    RetryPlan plan = retry_plan(w->claim.attempt, &like, left_ms, 500);
    w->wait_ms = plan.wait_ms;
    w->state = plan.event == DELIVERY_EVENT_OK            ? NOTIFICATION_SENT
               : plan.event == DELIVERY_EVENT_RETRY_LATER ? NOTIFICATION_WAITING
                                                          : NOTIFICATION_FAILED;
}

static void send_mail(Keeper *keeper, NotifyWork *w)
{
    DeliverTalk talk = { .keeper = keeper, .destination = &w->claim.over.id };
    const WorkerTalk dialogue = { .arg = &talk, .answer = deliver_answer };
    Err err = { 0 };
    AUTO(Json) task = notify_task(keeper, &w->claim, &err);
    AUTO(Json) message = NULL;
    const char *program = keeper_program_of(keeper->queue, w->claim.over.destination.kind);

    if (program != keeper->program)
        worker_stop(STEAL(keeper->worker));
    keeper->program = program;
    w->result = (DeliveryResult){ 0 };
    if (!task || !keeper_task(keeper, task, NOTIFY_TIMEOUT_MS, &dialogue, &message, &err) ||
        !deliver_result(message, &w->result, &err)) {
        w->result = (DeliveryResult){ .class = task ? DELIVERY_CLASS_RETRY : DELIVERY_CLASS_CONFIG,
                                      .stage = "process" };
        (void)text_copy(w->result.text, sizeof w->result.text, err.text);
        (void)text_copy(w->result.cure, sizeof w->result.cure, err.remedy);
    }
    worker_stop(STEAL(keeper->worker)); /* mails are rare: no log-in is kept open for the next */
    decide(w);
}

static void log_mail(const NotifyWork *w)
{
    const DeliveryResult *r = &w->result;
    char quoted[256], cure[192];

    if (w->state == NOTIFICATION_SENT)
        log_line(LOG_INFO, "notification.sent", "mail=%s events=%u", w->claim.id, w->claim.events);
    else
        log_line(w->state == NOTIFICATION_WAITING ? LOG_WARNING : LOG_ERROR,
                 w->state == NOTIFICATION_WAITING ? "notification.failed" : "notification.given-up",
                 "mail=%s events=%u attempt=%u class=%s stage=%s retry_ms=%lld error=%s cure=%s",
                 w->claim.id, w->claim.events, w->claim.attempt, delivery_class_words[r->class],
                 r->stage, (long long)w->wait_ms, log_quote(quoted, sizeof quoted, r->text),
                 log_quote(cure, sizeof cure, r->cure));
}

/* --- the keeper ------------------------------------------------------------------------------------- */

static bool claim_write(Tx *tx, void *arg, Err *err)
{
    NotifyWork *w = arg;

    return notification_claim(tx, &w->claim, &w->found, err);
}

static bool result_write(Tx *tx, void *arg, Err *err)
{
    const NotifyWork *w = arg;
    Wall due = { tx_now(tx).ms + w->wait_ms };

    return notification_ended(tx, &w->claim, w->state, &w->result, due, err) &&
           queue_login_settle(tx, &w->claim.over.id, &w->result, err);
}

static void log_lost(const NotificationClaim *c)
{
    if (c->dropped)
        log_line(LOG_ERROR, "notification.dropped",
                 "events=%u cure=\"Name a destination and people: platen notification set\"",
                 c->dropped);
    if (c->given_up)
        log_line(LOG_ERROR, "notification.given-up", "mails=%u after_hours=%d", c->given_up,
                 NOTIFICATION_EXPIRY_MS / (3600 * 1000));
}

/* True when there may be more to do at once. */
static bool do_one(Keeper *keeper, NotifyWork *w)
{
    Err err;

    if (!keeper_write(keeper, claim_write, w, "notification-claim", &err))
        return false;
    log_lost(&w->claim);
    if (!w->found)
        return false;
    send_mail(keeper, w);
    log_mail(w);
    if (keeper_write(keeper, result_write, w, "notification-result", &err))
        queue_wake(keeper->queue); /* a log-in may have stopped the destination */
    else if (!keeper_stopping(keeper->queue))
        log_line(LOG_ERROR, "notification.result-lost", "mail=%s", w->claim.id);
    return true;
}

/* How long nothing can be due. 0: look now. */
static int64_t idle_ms(Keeper *keeper)
{
    Wall now = wall_now(), due;
    Err err;

    if (!notification_next_due(reader_db(keeper->reader), now, &due, &err))
        return LOOK_SOON_MS;
    if (due.ms <= now.ms)
        return 0;
    return due.ms - now.ms < LOOK_AGAIN_MS ? due.ms - now.ms : LOOK_AGAIN_MS;
}

void keeper_notify(Keeper *keeper)
{
    NotifyWork *w = calloc(1, sizeof *w);

    while (w && !keeper_stopping(keeper->queue)) {
        uint64_t ticket = keeper_ticket(keeper);
        int64_t wait_ms = idle_ms(keeper);

        if (wait_ms == 0 && do_one(keeper, w))
            continue;
        (void)keeper_sleep(keeper, ticket, wait_ms > 0 ? wait_ms : LOOK_SOON_MS);
    }
    free(w);
}

/* --- a test ----------------------------------------------------------------------------------------- */

static bool test_claim(Queue *queue, NotificationClaim *c, Err *err)
{
    AUTO(StoreReader) reader = store_reader_open(queue->config.store, err);
    StoredNotification setting;
    DestinationId id;

    if (!reader || !notification_get(reader_db(reader), &setting, err))
        return false;
    if (!setting.settings.to[0] || !id_parse(setting.settings.over, &id)) {
        err_set(err, ERR_CONFLICT, 0, "it is not said over which destination mails go, or to whom");
        return err_remedy(err, "platen notification set --over DESTINATION --to ADDRESS");
    }
    if (!destination_get(reader_db(reader), &id, &c->over, err)) {
        if (err->kind != ERR_NOT_FOUND)
            return false;
        err_set(err, ERR_CONFLICT, 0, "the destination that mails go over is no more");
        return err_remedy(err, "platen notification set --over DESTINATION");
    }
    id_new_text(wall_now(), c->id);
    (void)text_copy(c->to, sizeof c->to, setting.settings.to);
    (void)text_copy(c->subject, sizeof c->subject, "Platen: a test");
    (void)text_copy(
        c->text, sizeof c->text,
        "Somebody asked Platen to send this mail. It arrived: mails about errors will as "
        "well.\n\nWhat it sends, and to whom: platen notification show\n");
    return true;
}

static bool run_test(Keeper *keeper, const NotificationClaim *c, DeliveryResult *ret_result,
                     Err *err)
{
    DeliverTalk talk = { .keeper = keeper, .destination = &c->over.id };
    const WorkerTalk dialogue = { .arg = &talk, .answer = deliver_answer };
    AUTO(Json) task = notify_task(keeper, c, err);
    AUTO(Json) message = NULL;
    bool lost;

    if (!task)
        return false;
    keeper->program = keeper_program_of(keeper->queue, c->over.destination.kind);
    keeper->worker = worker_start(keeper->program, keeper->queue->lock_fd, err);
    bool ok = keeper->worker &&
              worker_task(keeper->worker, task, TEST_TIMEOUT_MS, &dialogue, &message, &lost, err);
    worker_stop(STEAL(keeper->worker));
    return ok && deliver_result(message, ret_result, err);
}

typedef struct Tested {
    const Actor *actor;
    bool arrived;
} Tested;

static bool tested_write(Tx *tx, void *arg, Err *err)
{
    const Tested *t = arg;

    return audit_insert(tx, t->actor, "notification.test", "setting", "notification", "", err) &&
           (!t->arrived || notification_mended(tx, err));
}

static bool test_and_note(Keeper *keeper, const NotificationClaim *claim, const Actor *actor,
                          DeliveryResult *ret_result, Err *err)
{
    if (!run_test(keeper, claim, ret_result, err))
        return false;
    Tested tested = { actor, ret_result->class == DELIVERY_CLASS_OK };
    return store_write_wait(keeper->queue->config.store, tested_write, &tested, err);
}

bool queue_notification_test(Queue *queue, const Actor *actor, DeliveryResult *ret_result, Err *err)
{
    NotificationClaim *claim = calloc(1, sizeof *claim);
    Keeper keeper = { .queue = queue };
    bool ok = claim && test_claim(queue, claim, err);

    if (ok) {
        unsigned before = atomic_fetch_add(&queue->tests, 1);

        ok = before < QUEUE_TESTS_MAX
                 ? test_and_note(&keeper, claim, actor, ret_result, err)
                 : err_set(err, ERR_TEMPORARY, 0, "%d tests of destinations run already",
                           QUEUE_TESTS_MAX);
        atomic_fetch_sub(&queue->tests, 1);
        queue_wake(queue); /* what waits may go as well */
    }
    if (!claim)
        err_set(err, ERR_TEMPORARY, 0, "no memory for a mail");
    free(claim);
    return ok;
}
