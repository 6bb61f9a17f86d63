/* store/notification-mails.c - see notification-rows.h: events become mails, and what becomes of those. */
#include "store/notification-rows.h"

#include "base/text.h"
#include "store/batch-read.h"
#include "store/rows.h"

enum { HOUR_MS = 3600 * 1000, MINUTE_MS = 60 * 1000 };
static const int64_t keep_ms = 30LL * 24 * HOUR_MS; /* what is over is shown for so long */

/* --- where mails go ------------------------------------------------------------------------------- */

typedef struct Way {
    NotificationSettings settings;
    StoredDestination over;
    bool exists; /* over is filled, of the right kind, and something may be sent */
} Way;

static bool way_get(Db *db, Way *way, Err *err)
{
    StoredNotification setting;
    DestinationId id;

    *way = (Way){ .exists = false };
    if (!notification_get(db, &setting, err))
        return false;
    way->settings = setting.settings;
    if (!id_parse(setting.settings.over, &id))
        return true;
    if (destination_get(db, &id, &way->over, err))
        way->exists = text_equal(way->over.destination.kind, notification_kind_of_destination);
    else if (err->kind != ERR_NOT_FOUND)
        return false;
    return true;
}

/* "a, b": the addresses of the setting and those of the job. */
static void addresses(const Way *way, const char *extra, char *to, size_t size)
{
    const char *first = way->settings.to;

    (void)text_printf(to, size, "%s%s%s", first, first[0] && extra[0] ? ", " : "", extra);
}

/* When the limit of an hour lets the next mail be made: now, or when the first of the last N is an hour old. */
static bool limit_free_at(Db *db, const NotificationSettings *settings, Wall now, Wall *ret_at,
                          Err *err)
{
    int64_t created;
    bool found;

    if (!db_find_int(db,
                     "SELECT created_at FROM notification_mail WHERE created_at <= ?1"
                     " ORDER BY created_at DESC LIMIT 1 OFFSET ?2",
                     ARGS(ARG_INT(now.ms), ARG_INT(settings->limit_per_hour - 1)), &created, &found,
                     err))
        return false;
    ret_at->ms = found ? created + HOUR_MS : 0;
    return true;
}

/* --- claiming ------------------------------------------------------------------------------------- */

/* Nobody can be told: the events that wait are dropped, so that none is told months later. */
static bool drop_waiting(Tx *tx, const char *extra, NotificationClaim *c, Err *err)
{
    int rows;

    if (!db_run(tx->db,
                "UPDATE notification SET state = 'dropped' WHERE state = 'waiting'"
                " AND mail_id = '' AND (?1 = '*' OR extra = ?1)",
                ARGS(ARG_TEXT(extra)), &rows, err))
        return false;
    c->dropped += (uint32_t)rows;
    return true;
}

/* Mails, and events that are in none yet, whose time is over. */
static bool give_up_old(Tx *tx, NotificationClaim *c, Err *err)
{
    Wall old = { tx->now.ms - NOTIFICATION_EXPIRY_MS };
    int mails, events;

    if (!db_run(tx->db,
                "UPDATE notification SET state = 'failed' WHERE state = 'waiting' AND mail_id IN"
                " (SELECT id FROM notification_mail WHERE state = 'waiting' AND created_at < ?1)",
                ARGS(ARG_INT(old.ms)), NULL, err) ||
        !db_run(tx->db,
                "UPDATE notification_mail SET state = 'failed', finished_at = ?2"
                " WHERE state = 'waiting' AND created_at < ?1",
                ARGS(ARG_INT(old.ms), ARG_INT(tx->now.ms)), &mails, err) ||
        !db_run(tx->db,
                "UPDATE notification SET state = 'dropped' WHERE state = 'waiting'"
                " AND mail_id = '' AND at < ?1",
                ARGS(ARG_INT(old.ms)), &events, err))
        return false;
    c->given_up += (uint32_t)mails;
    c->dropped += (uint32_t)events;
    return true;
}

/* A mail that was made before and is due. */
static bool claim_made(Tx *tx, const Way *way, NotificationClaim *c, bool *ret_found, Err *err)
{
    AUTO_QUERY query = db_query(
        tx->db,
        "UPDATE notification_mail SET state = 'sending', owner = ?1, attempt = attempt + 1"
        " WHERE id = (SELECT id FROM notification_mail WHERE state = 'waiting'"
        "  AND (due_at <= ?2 OR due_at > ?2 + ?3) ORDER BY due_at, id LIMIT 1)"
        " RETURNING id, extra, subject, body, events, attempt, created_at",
        ARGS(ARG_INT(tx->generation), ARG_INT(tx->now.ms), ARG_INT(DELIVERY_WAIT_MAX_MS)));
    bool found = query_next(&query);

    if (found) {
        QUERY_COPY(&query, 0, c->id);
        addresses(way, query_text(&query, 1), c->to, sizeof c->to);
        QUERY_COPY(&query, 2, c->subject);
        QUERY_COPY(&query, 3, c->text);
        c->events = (uint32_t)query_int(&query, 4);
        c->attempt = (uint32_t)query_int(&query, 5);
        c->created_at.ms = query_int(&query, 6);
    }
    return claim_ended(&query, found, ret_found, err);
}

/* Whose events are due: the addresses of their job. */
static bool due_events(Tx *tx, const Way *way, char extra[NOTIFY_TO_SIZE], bool *ret_found,
                       Err *err)
{
    int64_t digest_ms = way->settings.digest_minutes * MINUTE_MS;
    AUTO_QUERY query = db_query(tx->db,
                                "SELECT extra FROM notification WHERE state = 'waiting'"
                                " AND mail_id = '' AND (at + ?2 <= ?1 OR at > ?1)"
                                " ORDER BY at, id LIMIT 1",
                                ARGS(ARG_INT(tx->now.ms), ARG_INT(digest_ms)));

    *ret_found = query_next(&query);
    if (*ret_found)
        query_copy(&query, 0, extra, NOTIFY_TO_SIZE);
    return query_ok(&query, err);
}

/* The words of a mail, of all events that wait for these addresses. */
static bool digest_events(Tx *tx, const char *extra, NotificationDigest *digest, Err *err)
{
    AUTO_QUERY query = db_query(tx->db,
                                "SELECT kind, at, subject, body, more FROM notification"
                                " WHERE state = 'waiting' AND mail_id = '' AND extra = ?1"
                                " ORDER BY at, id",
                                ARGS(ARG_TEXT(extra)));
    char when[WALL_TEXT_SIZE];

    while (query_next(&query)) {
        int kind = query_word(&query, 0, notification_kind_words);
        Wall at = { query_int(&query, 1) };

        if (query.failed)
            break;
        wall_format(at, wall_zone_offset_min(at), when);
        notification_digest_add(digest, (NotificationKind)kind, when, query_text(&query, 2),
                                query_text(&query, 3), (uint32_t)query_int(&query, 4));
    }
    notification_digest_end(digest);
    return query_ok(&query, err);
}

static bool make_mail(Tx *tx, const Way *way, const char *extra, NotificationClaim *c, Err *err)
{
    NotificationDigest digest = { .events = 0 };

    id_new_text(tx->now, c->id);
    c->created_at = tx->now;
    c->attempt = 1;
    addresses(way, extra, c->to, sizeof c->to);
    if (!digest_events(tx, extra, &digest, err))
        return false;
    c->events = digest.events;
    (void)text_copy(c->subject, sizeof c->subject, digest.subject);
    (void)text_copy(c->text, sizeof c->text, digest.text);
    return db_run(tx->db,
                  "INSERT INTO notification_mail (id, created_at, extra, subject, body, events,"
                  " state, attempt, owner, due_at)"
                  " VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'sending', 1, ?7, ?2)",
                  ARGS(ARG_TEXT(c->id), ARG_INT(tx->now.ms), ARG_TEXT(extra), ARG_TEXT(c->subject),
                       ARG_TEXT(c->text), ARG_INT(c->events), ARG_INT(tx->generation)),
                  NULL, err) &&
           db_run(tx->db,
                  "UPDATE notification SET mail_id = ?1 WHERE state = 'waiting' AND mail_id = ''"
                  " AND extra = ?2",
                  ARGS(ARG_TEXT(c->id), ARG_TEXT(extra)), NULL, err);
}

/* A mail out of events. */
static bool claim_new(Tx *tx, const Way *way, NotificationClaim *c, bool *ret_found, Err *err)
{
    char extra[NOTIFY_TO_SIZE];
    Wall free_at;

    *ret_found = false;
    if (!limit_free_at(tx->db, &way->settings, tx->now, &free_at, err))
        return false;
    while (free_at.ms <= tx->now.ms) {
        if (!due_events(tx, way, extra, ret_found, err))
            return false;
        if (!*ret_found)
            break;
        if (way->settings.to[0] || extra[0])
            return make_mail(tx, way, extra, c, err);
        if (!drop_waiting(tx, extra, c, err)) /* the setting has lost its addresses */
            return false;
    }
    *ret_found = false;
    return true;
}

bool notification_claim(Tx *tx, NotificationClaim *ret_claim, bool *ret_found, Err *err)
{
    NotificationClaim *c = ret_claim;
    Way way;

    memset(c, 0, sizeof *c);
    *ret_found = false;
    if (!way_get(tx->db, &way, err) || !give_up_old(tx, c, err))
        return false;
    if (!way.exists)
        return drop_waiting(tx, "*", c, err);
    c->over = way.over;
    if (way.over.stop.at.ms != 0)
        return true;
    return claim_made(tx, &way, c, ret_found, err) &&
           (*ret_found || claim_new(tx, &way, c, ret_found, err));
}

/* --- the end of an attempt ------------------------------------------------------------------------ */

static bool forget_old(Tx *tx, Err *err)
{
    int64_t old = tx->now.ms - keep_ms;

    return db_run(tx->db, "DELETE FROM notification WHERE at < ?1 AND state <> 'waiting'",
                  ARGS(ARG_INT(old)), NULL, err) &&
           db_run(tx->db,
                  "DELETE FROM notification_mail WHERE created_at < ?1"
                  " AND state IN ('sent', 'failed')",
                  ARGS(ARG_INT(old)), NULL, err);
}

bool notification_ended(Tx *tx, const NotificationClaim *claim, NotificationState state,
                        const DeliveryResult *result, Wall due, Err *err)
{
    bool over = state != NOTIFICATION_WAITING;
    int rows;

    if (!db_run(tx->db,
                "UPDATE notification_mail SET state = ?3, owner = NULL, due_at = ?4,"
                " finished_at = ?5, class = ?6, stage = ?7, text = ?8, cure = ?9"
                " WHERE id = ?1 AND state = 'sending' AND owner = ?2",
                ARGS(ARG_TEXT(claim->id), ARG_INT(tx->generation),
                     ARG_WORD(notification_state_words, state), ARG_INT(due.ms),
                     ARG_INT(over ? tx->now.ms : 0), ARG_WORD(delivery_class_words, result->class),
                     ARG_TEXT(result->stage), ARG_TEXT(result->text), ARG_TEXT(result->cure)),
                &rows, err))
        return false;
    if (rows == 0)
        return not_ours(err, "notification", claim->id);
    return !over || (db_run(tx->db, "UPDATE notification SET state = ?2 WHERE mail_id = ?1",
                            ARGS(ARG_TEXT(claim->id), ARG_WORD(notification_state_words, state)),
                            NULL, err) &&
                     forget_old(tx, err));
}

bool notification_mails_due(Tx *tx, Err *err)
{
    return db_run(tx->db, "UPDATE notification_mail SET due_at = ?1 WHERE state = 'waiting'",
                  ARGS(ARG_INT(tx->now.ms)), NULL, err);
}

bool notification_mended(Tx *tx, Err *err)
{
    return db_run(tx->db,
                  "INSERT INTO meta VALUES ('notification_mended_at', ?1)"
                  " ON CONFLICT (key) DO UPDATE SET value = ?1",
                  ARGS(ARG_INT(tx->now.ms)), NULL, err) &&
           notification_mails_due(tx, err);
}

/* --- when ----------------------------------------------------------------------------------------- */

/* The smallest number of a query; INT64_MAX when there is none. */
static bool find_smallest(Db *db, const char *sql, int64_t *ret_value, Err *err)
{
    bool found;

    if (!db_find_int(db, sql, NO_ARGS, ret_value, &found, err))
        return false;
    if (!found)
        *ret_value = INT64_MAX;
    return true;
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* A time that the clock has been set back behind counts as come. */
static int64_t not_far(int64_t due_ms, Wall now)
{
    return due_ms > now.ms + DELIVERY_WAIT_MAX_MS ? now.ms : due_ms;
}

bool notification_next_due(Db *db, Wall now, Wall *ret_due, Err *err)
{
    int64_t event, mail, made, due = INT64_MAX;
    Way *way = calloc(1, sizeof *way);
    Wall free_at;

    if (!way)
        return err_set(err, ERR_TEMPORARY, 0, "no memory for notifications");
    bool ok =
        way_get(db, way, err) &&
        find_smallest(db,
                      "SELECT at FROM notification WHERE state = 'waiting'"
                      " AND mail_id = '' ORDER BY at LIMIT 1",
                      &event, err) &&
        find_smallest(
            db,
            "SELECT due_at FROM notification_mail WHERE state = 'waiting' ORDER BY due_at LIMIT 1",
            &mail, err) &&
        find_smallest(db,
                      "SELECT created_at FROM notification_mail WHERE state = 'waiting'"
                      " ORDER BY created_at LIMIT 1",
                      &made, err) &&
        limit_free_at(db, &way->settings, now, &free_at, err);
    if (ok) {
        bool goes = way->exists && way->over.stop.at.ms == 0;

        if (made != INT64_MAX || event != INT64_MAX)
            due = smaller(made, event) + NOTIFICATION_EXPIRY_MS + 1;
        if (goes && mail != INT64_MAX)
            due = smaller(due, not_far(mail, now));
        if (goes && event != INT64_MAX) {
            event = not_far(event, now) + way->settings.digest_minutes * MINUTE_MS;
            due = smaller(due, event < free_at.ms ? free_at.ms : event);
        }
        if (!way->exists && event != INT64_MAX)
            due = now.ms;
        ret_due->ms = due;
    }
    free(way);
    return ok;
}

/* --- for people ------------------------------------------------------------------------------------ */

static void notification_read(Query *query, Notification *n)
{
    *n = (Notification){ .kind = (NotificationKind)query_word(query, 2, notification_kind_words),
                         .state = (NotificationState)query_word(query, 7,
                                                                notification_state_words) };
    QUERY_COPY(query, 0, n->id);
    n->at.ms = query_int(query, 1);
    QUERY_COPY(query, 3, n->batch);
    QUERY_COPY(query, 4, n->destination);
    QUERY_COPY(query, 5, n->words.subject);
    QUERY_COPY(query, 6, n->words.text);
    n->more = (uint32_t)query_int(query, 8);
    QUERY_COPY(query, 9, n->mail);
    n->attempt = (uint32_t)query_int(query, 10);
    n->due_at.ms = query_int(query, 11);
    n->finished_at.ms = query_int(query, 12);
    n->last.class = (DeliveryClass)query_word(query, 13, delivery_class_words);
    QUERY_COPY(query, 14, n->last.stage);
    QUERY_COPY(query, 15, n->last.text);
    QUERY_COPY(query, 16, n->last.cure);
}

bool notification_list(Db *db, const char *before, int state, uint32_t limit,
                       NotificationVisit *visit, void *arg, Err *err)
{
    AUTO_QUERY query = db_query(
        db,
        "SELECT n.id, n.at, n.kind, n.batch_id, n.destination_id, n.subject, n.body,"
        " CASE coalesce(m.state, '') WHEN 'sending' THEN 'sending' ELSE n.state END, n.more,"
        " n.mail_id, m.attempt, m.due_at, m.finished_at, coalesce(m.class, 'ok'), m.stage, m.text,"
        " m.cure FROM notification n LEFT JOIN notification_mail m ON m.id = n.mail_id"
        " WHERE n.id < ?1 AND (?2 = '' OR ?2 = CASE coalesce(m.state, '')"
        "  WHEN 'sending' THEN 'sending' ELSE n.state END)"
        " ORDER BY n.id DESC LIMIT ?3",
        ARGS(ARG_TEXT(before[0] ? before : "~"),
             ARG_TEXT(state < 0 ? "" : notification_state_words[state]), ARG_INT(limit)));
    Notification n;

    while (query_next(&query)) {
        notification_read(&query, &n);
        if (query.failed || !visit(arg, &n))
            break;
    }
    return query_ok(&query, err);
}

/* The newest mail that an attempt at has ended: did it fail, and was nothing mended since? */
static bool newest_mail(Db *db, NotificationHealth *h, Err *err)
{
    AUTO_QUERY query = db_query(
        db,
        "SELECT state <> 'sent', text, cure FROM notification_mail WHERE state = 'sent'"
        " OR (state <> 'failed' AND class <> 'ok') OR (state = 'failed' AND finished_at >"
        "  coalesce((SELECT value FROM meta WHERE key = 'notification_mended_at'), 0))"
        " ORDER BY id DESC LIMIT 1",
        NO_ARGS);

    if (query_next(&query)) {
        h->is_failing = query_int(&query, 0) != 0;
        QUERY_COPY(&query, 1, h->text);
        QUERY_COPY(&query, 2, h->cure);
    }
    return query_ok(&query, err);
}

bool notification_health(Db *db, NotificationHealth *ret_health, Err *err)
{
    NotificationHealth h = { .is_on = false };
    int64_t waiting;
    bool found;
    Way way;

    if (!way_get(db, &way, err) || !newest_mail(db, &h, err) ||
        !db_find_int(db, "SELECT count(*) FROM notification WHERE state = 'waiting'", NO_ARGS,
                     &waiting, &found, err))
        return false;
    h.is_on = way.settings.over[0] != '\0';
    h.has_way = way.exists;
    h.is_stopped = way.exists && way.over.stop.at.ms != 0;
    h.waiting = (uint32_t)waiting;
    *ret_health = h;
    return true;
}
