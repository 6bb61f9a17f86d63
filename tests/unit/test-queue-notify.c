/* tests/unit/test-queue-notify.c - the keeper of mails that tell people, with a scripted worker. */
#include "queue/queue.h"
#include "store/notification-rows.h"
#include "tests/unit/queue-house.h"

typedef struct MailWish {
    const House *house;
    const char *behave;
    DestinationId id;
    StoredNotification setting;
} MailWish;

static bool mail_write(Tx *tx, void *arg, Err *err)
{
    MailWish *w = arg;
    StoredDestination d = { .id = id_new(DestinationId, tx_now(tx)) };

    w->id = d.id;
    w->setting.settings = (NotificationSettings){ .to = "admin@example.org", .limit_per_hour = 12 };
    (void)text_copy(w->setting.settings.over, sizeof w->setting.settings.over, d.id.text);
    (void)text_copy(d.destination.kind, sizeof d.destination.kind, "email");
    (void)text_copy(d.destination.name, sizeof d.destination.name, "Mail");
    (void)text_printf(d.destination.settings, sizeof d.destination.settings,
                      "{\"behave\":\"%s\",\"log\":\"%s/log%d\"}", w->behave, w->house->folder,
                      DESTINATIONS_MAX);
    return destination_insert(tx, &tester, &d, err) &&
           notification_put(tx, &tester, &w->setting, err);
}

/* Mails go to a server that behaves so, and are in its log. */
static DestinationId grant_mail(House *h, const char *behave)
{
    MailWish wish = { .house = h, .behave = behave };
    Err err;

    if (!store_write_wait(h->store, mail_write, &wish, &err))
        fail_msg("%s", err.text);
    return wish.id;
}

static bool first_notification(void *arg, const Notification *notification)
{
    Notification *first = arg;

    if (first->id[0])
        fail_msg("another notification: %s", notification->words.subject);
    *first = *notification;
    return true;
}

/* The only notification there is; *ret->id is "" without one. */
static void only_notification(House *h, Notification *ret)
{
    Err err;

    memset(ret, 0, sizeof *ret);
    assert_true(notification_list(reader_db(h->reader), "", -1, 10, first_notification, ret, &err));
}

static void await_attempt(House *h, Notification *ret)
{
    for (int waited = 0; waited < WAIT_MS; waited += 20) {
        only_notification(h, ret);
        if (ret->last.text[0] || ret->state == NOTIFICATION_SENT)
            return;
        pause_ms(20);
    }
    fail_msg("no mail was tried");
}

static void grant_refused_batch(House *h)
{
    grant(h, (Wish){ .job = "ok",
                     .behave = { "refuse" },
                     .destinations = 1,
                     .pages = 1,
                     .end = BATCH_EVENT_COMPLETE });
}

static void an_error_becomes_one_mail(void **state)
{
    AUTO_BUF text = buf_with_max(4096);
    House *h = *state;
    Notification n;
    char line[256];
    Err err;

    (void)grant_mail(h, "ok");
    grant_refused_batch(h);
    assert_true(queue_start(h->queue, &err));
    await_state(h, BATCH_ATTENTION);
    await_attempt(h, &n);
    assert_int_equal(n.state, NOTIFICATION_SENT);
    assert_non_null(strstr(n.words.text, "no such folder"));
    delivered_to(h, DESTINATIONS_MAX, &text);
    (void)text_printf(line, sizeof line, "%s admin@example.org: Platen: %s\n", n.mail,
                      n.words.subject);
    assert_string_equal(buf_text(&text), line);
}

static void a_mail_that_fails_is_tried_later_and_is_no_event(void **state)
{
    House *h = *state;
    Notification n;
    Err err;

    (void)grant_mail(h, "refuse");
    grant_refused_batch(h);
    assert_true(queue_start(h->queue, &err));
    await_attempt(h, &n);
    assert_int_equal(n.state, NOTIFICATION_WAITING);
    assert_in_range(n.due_at.ms - wall_now().ms, 10000, 36000);
    assert_string_equal(n.last.cure, "Mend it.");
    pause_ms(300);
    only_notification(h, &n); /* still the only one */
}

static bool due_write(Tx *tx, void *arg, Err *err)
{
    (void)arg;
    return notification_mails_due(tx, err);
}

static void a_refused_password_stops_the_mails_in_time(void **state)
{
    StoredDestination *row = calloc(1, sizeof *row);
    House *h = *state;
    DestinationId id = grant_mail(h, "locked");
    Notification n;
    Err err;

    grant_refused_batch(h);
    assert_true(queue_start(h->queue, &err));
    await_attempt(h, &n);
    for (int waited = 0; waited < WAIT_MS && row->stop.at.ms == 0; waited += 20) {
        assert_true(store_write_wait(h->store, due_write, NULL, &err));
        queue_wake(h->queue);
        pause_ms(20);
        assert_true(destination_get(reader_db(h->reader), &id, row, &err));
    }
    pause_ms(300);
    only_notification(h, &n);
    assert_int_equal(n.attempt, DESTINATION_AUTH_FAILURES_MAX);
    assert_int_equal(n.state, NOTIFICATION_WAITING);
    free(row);
}

static void a_person_can_try_a_mail(void **state)
{
    DeliveryResult result;
    House *h = *state;
    Err err;

    assert_false(queue_notification_test(h->queue, &tester, &result, &err));
    assert_int_equal(err.kind, ERR_CONFLICT);
    assert_non_null(strstr(err.remedy, "platen notification set"));
    (void)grant_mail(h, "refuse");
    assert_true(queue_notification_test(h->queue, &tester, &result, &err));
    assert_int_equal(result.class, DELIVERY_CLASS_CONFIG);
    assert_string_equal(result.cure, "Mend it.");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_HOUSE(an_error_becomes_one_mail),
        WITH_HOUSE(a_mail_that_fails_is_tried_later_and_is_no_event),
        WITH_HOUSE(a_refused_password_stops_the_mails_in_time),
        WITH_HOUSE(a_person_can_try_a_mail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
