/* tests/unit/test-notification.c - events that are told by mail: which, in whose words, when, how often. */
#include "store/notification-rows.h"

#include "store/db.h"
#include "store/schema.h"
#include "tests/unit/store-fixture.h"

#include <fcntl.h>
#include <sys/stat.h>

enum { MINUTE = 60 * 1000, HOUR = 60 * MINUTE };

static const Reason jam = { "paper-jam", "The paper is jammed.", "Open the cover." };

/* The rows' times go back, as if time had passed. */
static void pass(Fixture *f, int64_t ms)
{
    assert_write(f, db_run(tx_db(tx), "UPDATE notification SET at = at - ?1", ARGS(ARG_INT(ms)),
                           NULL, &f->err) &&
                        db_run(tx_db(tx),
                               "UPDATE notification_mail SET created_at = created_at - ?1,"
                               " due_at = due_at - ?1",
                               ARGS(ARG_INT(ms)), NULL, &f->err));
}

typedef struct Told {
    World world;
    StoredDestination mail;
    StoredNotification setting;
    NotificationClaim claim;
} Told;

static void set(Fixture *f, Told *t, NotifyWhen when, int64_t digest_minutes, int64_t limit)
{
    t->setting.revision = 0;
    t->setting.settings = (NotificationSettings){ .when = when,
                                                  .to = "admin@example.org",
                                                  .digest_minutes = digest_minutes,
                                                  .limit_per_hour = limit };
    (void)text_copy(t->setting.settings.over, sizeof t->setting.settings.over, t->mail.id.text);
    assert_write(f, notification_put(tx, &test_actor, &t->setting, &f->err));
}

static Told *told_make(Fixture *f)
{
    Told *t = calloc(1, sizeof *t);

    world_make(f, &t->world);
    t->mail.id = id_new(DestinationId, wall_now());
    t->mail.destination = (Destination){ .name = "Mail", .kind = "email", .settings = "{}" };
    assert_write(f, destination_insert(tx, &test_actor, &t->mail, &f->err));
    set(f, t, NOTIFY_ERROR, 0, 12);
    return t;
}

static void told_free(Told *t)
{
    free(t);
}
DEFINE_AUTO(Told, told_free);

static BatchId batch_breaks(Fixture *f, const World *world)
{
    Batch batch = world_batch(world);

    assert_write(f, batch_insert(tx, &batch, &f->err) &&
                        batch_apply(tx, &batch.id, BATCH_EVENT_BREAK, &jam, &f->err));
    return batch.id;
}

static bool claimed(Fixture *f, Told *t)
{
    bool found;

    assert_write(f, notification_claim(tx, &t->claim, &found, &f->err));
    return found;
}

static void ends(Fixture *f, const Told *t, NotificationState state, DeliveryClass class)
{
    const DeliveryResult result = { .class = class, .stage = "send", .text = "so", .cure = "do" };

    assert_write(f, notification_ended(tx, &t->claim, state, &result, tx_now(tx), &f->err));
}

static bool count_one(void *arg, const Notification *notification)
{
    (void)notification;
    ++*(int *)arg;
    return true;
}

static int count(Fixture *f, int state)
{
    int n = 0;

    assert_read(f, notification_list(fixture_db(f), "", state, 500, count_one, &n, &f->err));
    return n;
}

static bool no_batch(void *arg, const BatchId *id)
{
    (void)arg;
    (void)id;
    return true;
}

static void an_error_is_told_once_in_plain_words(void **state)
{
    Fixture *f = *state;
    AUTO(Told) t = told_make(f);
    BatchId batch = batch_breaks(f, &t->world);

    assert_true(claimed(f, t));
    assert_string_equal(t->claim.to, "admin@example.org");
    assert_string_equal(t->claim.subject,
                        "Platen: A batch of job \"Letters\" from Front desk is broken");
    assert_non_null(strstr(t->claim.text, "What happened: The paper is jammed.\n"));
    assert_non_null(strstr(t->claim.text, "What to do: Open the cover.\n"));
    char command[64];
    (void)text_printf(command, sizeof command, "platen batch show %s\n", batch.text);
    assert_non_null(strstr(t->claim.text, command));
    assert_false(claimed(f, t)); /* it is under way */
    assert_int_equal(count(f, NOTIFICATION_SENDING), 1);
}

static void it_is_sent_and_then_it_is_over(void **state)
{
    Fixture *f = *state;
    AUTO(Told) t = told_make(f);

    (void)batch_breaks(f, &t->world);
    assert_true(claimed(f, t));
    ends(f, t, NOTIFICATION_SENT, DELIVERY_CLASS_OK);
    assert_int_equal(count(f, NOTIFICATION_SENT), 1);
    assert_false(claimed(f, t));
    assert_refused(f, ERR_CONFLICT,
                   notification_ended(tx, &t->claim, NOTIFICATION_SENT, &(DeliveryResult){ 0 },
                                      (Wall){ 0 }, &f->err));
}

static void a_repeat_has_the_same_id_and_words_after_a_crash(void **state)
{
    Fixture *f = *state;
    AUTO(Told) t = told_make(f);
    AUTO(Told) again = calloc(1, sizeof *again);

    (void)batch_breaks(f, &t->world);
    assert_true(claimed(f, t));
    fixture_reopen(f);
    assert_write(f, store_recover(tx, no_batch, NULL, &f->err));
    assert_true(claimed(f, again));
    assert_string_equal(again->claim.id, t->claim.id);
    assert_string_equal(again->claim.text, t->claim.text);
    assert_int_equal(again->claim.attempt, 2);
    ends(f, again, NOTIFICATION_WAITING, DELIVERY_CLASS_RETRY);
    NotificationHealth health;
    assert_read(f, notification_health(fixture_db(f), &health, &f->err));
    assert_true(health.is_on && health.has_way && health.is_failing);
    assert_string_equal(health.cure, "do");
}

static void the_batch_names_what_stopped(void **state)
{
    static const DeliveryResult gone = { .class = DELIVERY_CLASS_CONFIG,
                                         .stage = "locate",
                                         .text = "the folder\nis gone",
                                         .cure = "Make the folder." };
    Fixture *f = *state;
    AUTO(Told) t = told_make(f);
    DeliveryClaim *claim = calloc(1, sizeof *claim);
    Batch batch = world_delivering(f, &t->world, 1);
    bool found;

    assert_write(f, delivery_claim(tx, NULL, NULL, 0, claim, &found, &f->err) && found &&
                        delivery_ended(tx, &claim->delivery.id, DELIVERY_EVENT_HOLD, &gone,
                                       tx_now(tx), &f->err) &&
                        batch_apply(tx, &batch.id, BATCH_EVENT_STUCK, &jam, &f->err));
    free(claim);
    assert_true(claimed(f, t));
    assert_non_null(strstr(t->claim.subject, "needs attention"));
    assert_non_null(strstr(t->claim.text, "Deliveries that stopped: 1\n"
                                          "- to Archive, at locate: the folder is gone\n"
                                          "  What to do: Make the folder.\n"));
    assert_non_null(strstr(t->claim.text, "platen batch retry "));
}

static void a_digest_waits_and_joins(void **state)
{
    Fixture *f = *state;
    AUTO(Told) t = told_make(f);
    Wall due;

    set(f, t, NOTIFY_ERROR, 15, 12);
    for (int i = 0; i < 3; i++)
        (void)batch_breaks(f, &t->world);
    assert_false(claimed(f, t));
    assert_read(f, notification_next_due(fixture_db(f), wall_now(), &due, &f->err));
    assert_in_range(due.ms - wall_now().ms, 14 * MINUTE, 15 * MINUTE);
    pass(f, 15 * MINUTE);
    assert_true(claimed(f, t));
    assert_int_equal(t->claim.events, 3);
    assert_string_equal(t->claim.subject, "Platen: 3 events, 3 of them errors");
    assert_int_equal(count(f, NOTIFICATION_SENDING), 3);
}

static void the_limit_of_an_hour_holds_back_and_counts(void **state)
{
    Fixture *f = *state;
    AUTO(Told) t = told_make(f);
    Wall due;

    set(f, t, NOTIFY_ERROR, 0, 2);
    for (int i = 0; i < 2; i++) {
        (void)batch_breaks(f, &t->world);
        assert_true(claimed(f, t));
        ends(f, t, NOTIFICATION_SENT, DELIVERY_CLASS_OK);
    }
    for (int i = 0; i < 60; i++)
        (void)batch_breaks(f, &t->world);
    assert_false(claimed(f, t));
    assert_read(f, notification_next_due(fixture_db(f), wall_now(), &due, &f->err));
    assert_in_range(due.ms - wall_now().ms, HOUR - MINUTE, HOUR);
    pass(f, HOUR);
    assert_true(claimed(f, t));
    assert_int_equal(t->claim.events, 60);
    assert_string_equal(t->claim.subject, "Platen: 60 events, 60 of them errors");
    assert_non_null(strstr(t->claim.text, " more events are not shown here"));
    assert_in_range(strlen(t->claim.text), NOTIFICATION_MAIL_SIZE / 2, NOTIFICATION_MAIL_SIZE - 1);
}

static void what_waits_has_a_limit_and_the_rest_is_counted(void **state)
{
    Fixture *f = *state;
    AUTO(Told) t = told_make(f);

    set(f, t, NOTIFY_ERROR, 15, 12);
    (void)batch_breaks(f, &t->world);
    assert_write(f, db_script(tx_db(tx),
                              "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
                              " WHERE i < 999) INSERT INTO notification SELECT 'x' || i, at, kind,"
                              " batch_id, destination_id, extra, subject, body, more, state,"
                              " mail_id FROM notification, n",
                              &f->err));
    (void)batch_breaks(f, &t->world);
    (void)batch_breaks(f, &t->world);
    pass(f, 15 * MINUTE);
    assert_true(claimed(f, t));
    assert_int_equal(t->claim.events, 1002);
    assert_string_equal(t->claim.subject, "Platen: 1002 events");
}

/* What is told for which setting and which word of the job. */
static void a_job_has_the_last_word(void **state)
{
    static const struct {
        NotifyWhen when;
        JobNotify job;
        bool error, done;
    } cases[] = {
        { NOTIFY_ERROR, JOB_NOTIFY_INHERIT, true, false },
        { NOTIFY_ALWAYS, JOB_NOTIFY_INHERIT, true, true },
        { NOTIFY_NEVER, JOB_NOTIFY_INHERIT, false, false },
        { NOTIFY_NEVER, JOB_NOTIFY_ERROR, true, false },
        { NOTIFY_ERROR, JOB_NOTIFY_ALWAYS, true, true },
        { NOTIFY_ALWAYS, JOB_NOTIFY_NEVER, false, false },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        NotificationSettings s = { .over = "x", .when = cases[i].when };

        assert_int_equal(notification_is_wanted(&s, cases[i].job, NOTIFICATION_ATTENTION),
                         cases[i].error);
        assert_int_equal(notification_is_wanted(&s, cases[i].job, NOTIFICATION_DONE),
                         cases[i].done);
        s.over[0] = '\0';
        assert_false(notification_is_wanted(&s, cases[i].job, NOTIFICATION_BROKEN));
    }
}

static void a_job_may_tell_others_as_well(void **state)
{
    Fixture *f = *state;
    AUTO(Told) t = told_make(f);

    set(f, t, NOTIFY_NEVER, 0, 12);
    t->world.job.job.notify = JOB_NOTIFY_ERROR;
    (void)text_copy(t->world.job.job.notify_to, NOTIFY_TO_SIZE, "{job}@example.org");
    assert_refused(f, ERR_BAD_INPUT, job_change(tx, &test_actor, &t->world.job, &f->err));
    assert_string_equal(f->err.field, "notify_to");
    (void)text_copy(t->world.job.job.notify_to, NOTIFY_TO_SIZE, "bob@example.org");
    (void)batch_breaks(f, &t->world);
    assert_true(claimed(f, t));
    assert_string_equal(t->claim.to, "admin@example.org, bob@example.org");
    t->world.job.job.notify = JOB_NOTIFY_NEVER;
    (void)batch_breaks(f, &t->world);
    assert_false(claimed(f, t));
    assert_int_equal(count(f, -1), 1);
}

static void a_destination_that_the_server_stopped_is_told(void **state)
{
    static const Actor server = { "server", "local" };
    Fixture *f = *state;
    AUTO(Told) t = told_make(f);
    const DestinationId *archive = &t->world.destination.id;

    assert_write(f, destination_stop(tx, &test_actor, archive, "Stopped by uid:0.", "", &f->err) &&
                        destination_resume(tx, &test_actor, archive, &f->err));
    assert_int_equal(count(f, -1), 0);
    assert_write(
        f, destination_stop(tx, &server, archive, "refused", "Correct the password.", &f->err));
    assert_true(claimed(f, t));
    assert_string_equal(t->claim.subject, "Platen: The destination \"Archive\" was stopped");
    assert_non_null(strstr(t->claim.text, "platen destination test Archive\n"));
    assert_non_null(strstr(t->claim.text, "What to do: Correct the password.\n"));
    /* Of its own way it says nothing, and waits until that goes on. */
    ends(f, t, NOTIFICATION_WAITING, DELIVERY_CLASS_AUTH);
    assert_write(f, destination_stop(tx, &server, &t->mail.id, "refused", "Correct it.", &f->err));
    assert_int_equal(count(f, -1), 1);
    assert_false(claimed(f, t));
    assert_write(f, destination_resume(tx, &test_actor, &t->mail.id, &f->err));
    assert_true(claimed(f, t));
}

static void without_a_way_nothing_waits(void **state)
{
    Fixture *f = *state;
    AUTO(Told) t = told_make(f);
    NotificationHealth health;
    Wall due;

    (void)batch_breaks(f, &t->world);
    assert_write(f, destination_delete(tx, &test_actor, &t->mail.id, 0, &f->err));
    assert_read(f, notification_next_due(fixture_db(f), (Wall){ 5 }, &due, &f->err));
    assert_int_equal(due.ms, 5);
    assert_false(claimed(f, t));
    assert_int_equal(t->claim.dropped, 1);
    assert_int_equal(count(f, NOTIFICATION_DROPPED), 1);
    assert_read(f, notification_health(fixture_db(f), &health, &f->err));
    assert_true(health.is_on && !health.has_way);
    assert_read(f, notification_next_due(fixture_db(f), (Wall){ 5 }, &due, &f->err));
    assert_int_equal(due.ms, INT64_MAX);
}

static void after_three_days_a_mail_is_given_up(void **state)
{
    Fixture *f = *state;
    AUTO(Told) t = told_make(f);

    (void)batch_breaks(f, &t->world);
    assert_true(claimed(f, t));
    ends(f, t, NOTIFICATION_WAITING, DELIVERY_CLASS_RETRY);
    pass(f, NOTIFICATION_EXPIRY_MS + MINUTE);
    assert_false(claimed(f, t));
    assert_int_equal(t->claim.given_up, 1);
    assert_int_equal(count(f, NOTIFICATION_FAILED), 1);
    NotificationHealth health;
    assert_read(f, notification_health(fixture_db(f), &health, &f->err));
    assert_true(health.is_failing);
    usleep(2000); /* "since" is counted in milliseconds */
    assert_write(f, notification_mended(tx, &f->err));
    assert_read(f, notification_health(fixture_db(f), &health, &f->err));
    assert_false(health.is_failing);
}

static void the_setting_is_checked_and_audited(void **state)
{
    Fixture *f = *state;
    AUTO(Told) t = told_make(f);
    int64_t rows;
    bool found;

    assert_read(f, notification_get(fixture_db(f), &t->setting, &f->err));
    t->setting.revision--;
    assert_refused(f, ERR_CONFLICT, notification_put(tx, &test_actor, &t->setting, &f->err));
    t->setting.revision = 0;
    (void)text_copy(t->setting.settings.over, ID_TEXT_SIZE, t->world.destination.id.text);
    assert_refused(f, ERR_BAD_INPUT, notification_put(tx, &test_actor, &t->setting, &f->err));
    assert_string_equal(f->err.field, "over");
    assert_read(f, db_find_int(fixture_db(f),
                               "SELECT count(*) FROM audit WHERE action = 'notification.change'",
                               NO_ARGS, &rows, &found, &f->err));
    assert_int_equal(rows, 1);
}

/* A database of the second version, with rows, under this program. */
static void the_second_version_is_brought_along(void **state)
{
    const char *const second[] = { schema_scripts[0], schema_scripts[1], NULL };
    StoredNotification setting;
    Fixture *f = *state;

    fixture_migrate(f, second,
                    "INSERT INTO job VALUES ('j', 'Old', '{\"name\":\"Old\",\"destinations\":"
                    "[{\"destination\":\"d\"}]}', 4);");
    assert_read(f, notification_get(fixture_db(f), &setting, &f->err));
    assert_int_equal(setting.revision, 1);
    assert_string_equal(setting.settings.over, "");
    assert_int_equal(setting.settings.digest_minutes, 15);
    StoredJob *job = calloc(1, sizeof *job);
    assert_read(f, job_get(fixture_db(f), &(JobId){ "j" }, job, &f->err));
    assert_int_equal(job->job.notify, JOB_NOTIFY_INHERIT);
    assert_int_equal(job->revision, 4);
    free(job);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(an_error_is_told_once_in_plain_words),
        STORE_TEST(it_is_sent_and_then_it_is_over),
        STORE_TEST(a_repeat_has_the_same_id_and_words_after_a_crash),
        STORE_TEST(the_batch_names_what_stopped),
        STORE_TEST(a_digest_waits_and_joins),
        STORE_TEST(the_limit_of_an_hour_holds_back_and_counts),
        STORE_TEST(what_waits_has_a_limit_and_the_rest_is_counted),
        cmocka_unit_test(a_job_has_the_last_word),
        STORE_TEST(a_job_may_tell_others_as_well),
        STORE_TEST(a_destination_that_the_server_stopped_is_told),
        STORE_TEST(without_a_way_nothing_waits),
        STORE_TEST(after_three_days_a_mail_is_given_up),
        STORE_TEST(the_setting_is_checked_and_audited),
        STORE_TEST(the_second_version_is_brought_along),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
