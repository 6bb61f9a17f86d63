/* store/notification-events.c - see notification-rows.h: the setting, and events as they happen. */
#include "store/notification-rows.h"

#include "base/text.h"
#include "store/batch-read.h"
#include "store/rows.h"

/* --- the setting ---------------------------------------------------------------------------------- */

bool notification_get(Db *db, StoredNotification *ret_setting, Err *err)
{
    AUTO_QUERY query = db_query(
        db, "SELECT body, revision FROM setting WHERE name = 'notification'", NO_ARGS);
    StoredNotification setting = { .revision = 0 };
    bool found = query_next(&query);

    if (found) {
        body_read(&query, 0, notification_fields, &setting.settings, sizeof setting.settings);
        setting.revision = query_int(&query, 1);
    }
    if (!query_ok(&query, err))
        return false;
    if (!found)
        return not_found(err, "setting", "notification");
    *ret_setting = setting;
    return true;
}

/* Only a mail reaches people. */
static bool way_check(Db *db, const NotificationSettings *settings, Err *err)
{
    StoredDestination row;
    DestinationId id;

    if (!settings->over[0])
        return true;
    (void)id_parse(settings->over, &id);
    if (!destination_get(db, &id, &row, err)) {
        if (err->kind != ERR_NOT_FOUND)
            return false;
        err_set(err, ERR_BAD_INPUT, 0, "there is no destination %s", settings->over);
        err_remedy(err, "Make a destination of kind email first.");
        return err_field(err, "over");
    }
    if (text_equal(row.destination.kind, notification_kind_of_destination))
        return true;
    err_set(err, ERR_BAD_INPUT, 0, "the destination \"%s\" is of kind %s, which reaches no people",
            row.destination.name, row.destination.kind);
    err_remedy(err, "Name a destination of kind email.");
    return err_field(err, "over");
}

bool notification_put(Tx *tx, const Actor *actor, const StoredNotification *setting, Err *err)
{
    AUTO_BUF body = buf_with_max(JSON_BYTES_MAX);
    StoredNotification before;

    return revision_check(tx->db, "SELECT revision FROM setting WHERE name = ?1", "setting",
                          "notification", setting->revision, err) &&
           notification_get(tx->db, &before, err) && notification_check(&setting->settings, err) &&
           way_check(tx->db, &setting->settings, err) &&
           body_format(notification_fields, &setting->settings, &body, err) &&
           db_run(tx->db,
                  "UPDATE setting SET body = ?1, revision = revision + 1"
                  " WHERE name = 'notification'",
                  ARGS(ARG_TEXT(buf_text(&body))), NULL, err) &&
           notification_mended(tx, err) &&
           audit_change(tx, actor,
                        &(AuditChange){ "notification.change", "setting", "notification",
                                        notification_fields, &before.settings, &setting->settings },
                        err);
}

/* --- events --------------------------------------------------------------------------------------- */

typedef struct NewEvent {
    NotificationKind kind;
    const char *batch, *destination, *extra;
} NewEvent;

/* The newest of those that wait counts one more; of those for the same people when only_theirs. */
static bool count_more(Tx *tx, const char *extra, bool only_theirs, int *ret_rows, Err *err)
{
    return db_run(tx->db,
                  "UPDATE notification SET more = more + 1 WHERE id = (SELECT id FROM notification"
                  " WHERE state = 'waiting' AND mail_id = '' AND (extra = ?1 OR NOT ?2)"
                  " ORDER BY at DESC, id DESC LIMIT 1)",
                  ARGS(ARG_TEXT(extra), ARG_INT(only_theirs)), ret_rows, err);
}

/* A row; when too many wait already, one of them counts it. */
static bool insert(Tx *tx, const NewEvent *event, const NotificationText *words, Err *err)
{
    char id[ID_TEXT_SIZE];
    int64_t waiting;
    int counted = 0;
    bool found;

    if (!db_find_int(tx->db,
                     "SELECT count(*) FROM notification WHERE state = 'waiting' AND mail_id = ''",
                     NO_ARGS, &waiting, &found, err))
        return false;
    if (waiting >= NOTIFICATION_WAITING_MAX &&
        !count_more(tx, event->extra, waiting < 2 * NOTIFICATION_WAITING_MAX, &counted, err))
        return false;
    if (counted > 0)
        return true;
    id_new_text(tx->now, id);
    return db_run(tx->db,
                  "INSERT INTO notification (id, at, kind, batch_id, destination_id, extra,"
                  " subject, body, state) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 'waiting')",
                  ARGS(ARG_TEXT(id), ARG_INT(tx->now.ms),
                       ARG_WORD(notification_kind_words, event->kind), ARG_TEXT(event->batch),
                       ARG_TEXT(event->destination), ARG_TEXT(event->extra),
                       ARG_TEXT(words->subject), ARG_TEXT(words->text)),
                  NULL, err);
}

static const char stopped_sql[] =
    "SELECT coalesce(destination.name, delivery.destination_name), coalesce(attempt.stage, ''),"
    " coalesce(attempt.text, ''), coalesce(attempt.cure, ''), delivery.note,"
    " delivery.stopped AND destination.stopped_at > 0, coalesce(destination.stop_text, ''),"
    " coalesce(destination.stop_cure, '') FROM " DELIVERY_FROM
    " LEFT JOIN destination ON destination.id = delivery.destination_id"
    " WHERE delivery.batch_id = ?1 AND delivery.state IN ('held', 'failed', 'uncertain')"
    " ORDER BY delivery.id LIMIT ?2";

static void stopped_read(Query *query, StoppedDelivery *s)
{
    const char *note = query_text(query, 4);
    bool by_destination = query_int(query, 5) != 0;

    memset(s, 0, sizeof *s);
    QUERY_COPY(query, 0, s->destination);
    if (by_destination) {
        (void)text_printf(s->text, sizeof s->text, "%s %s", note, query_text(query, 6));
        QUERY_COPY(query, 7, s->cure);
    } else if (note[0]) {
        (void)text_copy(s->text, sizeof s->text, note);
    } else {
        QUERY_COPY(query, 1, s->stage);
        QUERY_COPY(query, 2, s->text);
        QUERY_COPY(query, 3, s->cure);
    }
}

static bool stopped_list(Db *db, const BatchId *id,
                         StoppedDelivery stopped[NOTIFICATION_DELIVERIES_MAX], size_t *ret_count,
                         Err *err)
{
    AUTO_QUERY query = db_query(db, stopped_sql,
                                ARGS(ARG_TEXT(id->text), ARG_INT(NOTIFICATION_DELIVERIES_MAX)));

    *ret_count = 0;
    while (*ret_count < NOTIFICATION_DELIVERIES_MAX && query_next(&query))
        stopped_read(&query, &stopped[(*ret_count)++]);
    return query_ok(&query, err);
}

/* What is told of a batch: its words. */
static bool describe(Db *db, const Batch *batch, NotificationKind kind, NotificationText *words,
                     Err *err)
{
    StoppedDelivery stopped[NOTIFICATION_DELIVERIES_MAX];
    int64_t all;
    size_t count;
    bool found;

    if (!stopped_list(db, &batch->id, stopped, &count, err) ||
        !db_find_int(db,
                     "SELECT count(*) FROM delivery WHERE batch_id = ?1"
                     " AND state IN ('held', 'failed', 'uncertain')",
                     ARGS(ARG_TEXT(batch->id.text)), &all, &found, err))
        return false;
    notification_batch_text(batch, kind, stopped, count, (size_t)all, words);
    return true;
}

static bool kind_of(BatchState state, NotificationKind *ret_kind)
{
    if (state == BATCH_ATTENTION)
        *ret_kind = NOTIFICATION_ATTENTION;
    else if (state == BATCH_BROKEN)
        *ret_kind = NOTIFICATION_BROKEN;
    else if (state == BATCH_DONE)
        *ret_kind = NOTIFICATION_DONE;
    else
        return false;
    return true;
}

bool notification_of_batch(Tx *tx, const BatchId *id, BatchState state, Err *err)
{
    StoredNotification setting;
    NotificationText words;
    NotificationKind kind;
    Batch batch;

    if (!kind_of(state, &kind))
        return true;
    if (!notification_get(tx->db, &setting, err))
        return false;
    if (!setting.settings.over[0])
        return true;
    if (!batch_get(tx->db, id, &batch, err))
        return false;
    if (!notification_is_wanted(&setting.settings, (JobNotify)batch.job.notify, kind) ||
        (!setting.settings.to[0] && !batch.job.notify_to[0]))
        return true;
    const NewEvent event = {
        .kind = kind, .batch = id->text, .destination = "", .extra = batch.job.notify_to
    };
    return describe(tx->db, &batch, kind, &words, err) && insert(tx, &event, &words, err);
}

bool notification_of_stop(Tx *tx, const Actor *actor, const DestinationId *id, const char *text,
                          const char *cure, Err *err)
{
    const NewEvent event = {
        .kind = NOTIFICATION_STOPPED, .batch = "", .destination = id->text, .extra = ""
    };
    StoredNotification setting;
    StoredDestination row;
    NotificationText words;

    if (!text_equal(actor->name, "server"))
        return true; /* a person knows what that person did */
    if (!notification_get(tx->db, &setting, err))
        return false;
    if (text_equal(setting.settings.over, id->text) || !setting.settings.to[0] ||
        !notification_is_wanted(&setting.settings, JOB_NOTIFY_INHERIT, NOTIFICATION_STOPPED))
        return true;
    if (!destination_get(tx->db, id, &row, err))
        return false;
    notification_stop_text(row.destination.name, text, cure, &words);
    return insert(tx, &event, &words, err);
}
