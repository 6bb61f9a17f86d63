/* store/config-destinations.c - see config-rows.h: destinations and API tokens. */
#include "base/text.h"
#include "store/notification-rows.h"
#include "store/rows.h"

#define DESTINATION_COLUMNS                                                                     \
    "SELECT id, name, kind, settings, revision, parallel, expiry_hours, stopped_at, stop_text," \
    " stop_cure FROM destination "

/* Which settings of a kind are secret is known to platen-deliver alone: the audit rows have none. */
static const Field audited_fields[] = {
    TEXT(Destination, name, true, "Name of the destination."),
    TEXT(Destination, kind, true, "Kind of the destination."),
    INTEGER(Destination, parallel, 1, DESTINATION_PARALLEL_MAX, 2, "Deliveries at the same time."),
    INTEGER(Destination, expiry_hours, 1, 720, 72, "Hours after which a delivery fails."),
    FIELDS_END,
};

static void destination_read(Query *query, StoredDestination *ret_destination)
{
    QUERY_COPY(query, 0, ret_destination->id.text);
    QUERY_COPY(query, 1, ret_destination->destination.name);
    QUERY_COPY(query, 2, ret_destination->destination.kind);
    QUERY_COPY(query, 3, ret_destination->destination.settings);
    ret_destination->revision = query_int(query, 4);
    ret_destination->destination.parallel = query_int(query, 5);
    ret_destination->destination.expiry_hours = query_int(query, 6);
    ret_destination->stop.at.ms = query_int(query, 7);
    QUERY_COPY(query, 8, ret_destination->stop.text);
    QUERY_COPY(query, 9, ret_destination->stop.cure);
}

bool destination_list(Db *db, DestinationVisit *visit, void *arg, Err *err)
{
    AUTO_QUERY query = db_query(db, DESTINATION_COLUMNS "ORDER BY name", NO_ARGS);
    StoredDestination destination;

    while (query_next(&query)) {
        destination_read(&query, &destination);
        if (query.failed || !visit(arg, &destination))
            break;
    }
    return query_ok(&query, err);
}

bool destination_get(Db *db, const DestinationId *id, StoredDestination *ret_destination, Err *err)
{
    AUTO_QUERY query = db_query(db, DESTINATION_COLUMNS "WHERE id = ?1", ARGS(ARG_TEXT(id->text)));
    bool found = query_next(&query);
    StoredDestination destination;

    if (found)
        destination_read(&query, &destination);
    if (!query_ok(&query, err))
        return false;
    if (!found)
        return not_found(err, "destination", id->text);
    *ret_destination = destination;
    return true;
}

static bool destination_can_be_stored(Tx *tx, const StoredDestination *destination, Err *err)
{
    return destination_check(&destination->destination, err) &&
           name_is_free(tx->db, "SELECT 1 FROM destination WHERE name = ?1 AND id <> ?2",
                        destination->destination.name, destination->id.text, err);
}

bool destination_insert(Tx *tx, const Actor *actor, const StoredDestination *destination, Err *err)
{
    const Destination *d = &destination->destination;

    return destination_can_be_stored(tx, destination, err) &&
           db_run(tx->db,
                  "INSERT INTO destination (id, name, kind, settings, revision, parallel,"
                  " expiry_hours) VALUES (?1, ?2, ?3, ?4, 1, max(?5, 1), max(?6, 1))",
                  ARGS(ARG_TEXT(destination->id.text), ARG_TEXT(d->name), ARG_TEXT(d->kind),
                       ARG_TEXT(d->settings), ARG_INT(d->parallel), ARG_INT(d->expiry_hours)),
                  NULL, err) &&
           audit_change(tx, actor,
                        &(AuditChange){ "destination.insert", "destination", destination->id.text,
                                        audited_fields, NULL, d },
                        err);
}

/* What jobs say for a destination fits its kind. */
static bool kind_may_change(Tx *tx, const StoredDestination *before, const Destination *after,
                            Err *err)
{
    int64_t one;
    bool used = false;

    if (text_equal(before->destination.kind, after->kind))
        return true;
    if (!db_find_int(tx->db, "SELECT 1 FROM job_destination WHERE destination_id = ?1",
                     ARGS(ARG_TEXT(before->id.text)), &one, &used, err))
        return false;
    if (!used)
        return true;
    err_set(err, ERR_CONFLICT, 0, "a job delivers to \"%s\": its kind stays %s",
            before->destination.name, before->destination.kind);
    err_remedy(err, "Make another destination, and name it in the jobs.");
    return err_field(err, "kind");
}

bool destination_change(Tx *tx, const Actor *actor, const StoredDestination *destination, Err *err)
{
    const Destination *d = &destination->destination;
    StoredDestination before;

    return revision_check(tx->db, "SELECT revision FROM destination WHERE id = ?1", "destination",
                          destination->id.text, destination->revision, err) &&
           destination_get(tx->db, &destination->id, &before, err) &&
           kind_may_change(tx, &before, d, err) &&
           destination_can_be_stored(tx, destination, err) &&
           db_run(
               tx->db,
               "UPDATE destination SET name = ?2, kind = ?3, settings = ?4, parallel = max(?5, 1),"
               " expiry_hours = max(?6, 1), revision = revision + 1 WHERE id = ?1",
               ARGS(ARG_TEXT(destination->id.text), ARG_TEXT(d->name), ARG_TEXT(d->kind),
                    ARG_TEXT(d->settings), ARG_INT(d->parallel), ARG_INT(d->expiry_hours)),
               NULL, err) &&
           notification_mails_due(tx, err) &&
           audit_change(tx, actor,
                        &(AuditChange){ "destination.change", "destination", destination->id.text,
                                        audited_fields, &before.destination, d },
                        err);
}

bool destination_put_settings(Tx *tx, const Actor *actor, const DestinationId *id,
                              const char *settings, const char *action, const char *detail,
                              Err *err)
{
    int rows;

    return db_run(tx->db,
                  "UPDATE destination SET settings = ?2, revision = revision + 1 WHERE id = ?1",
                  ARGS(ARG_TEXT(id->text), ARG_TEXT(settings)), &rows, err) &&
           (rows > 0 || not_found(err, "destination", id->text)) &&
           audit_insert(tx, actor, action, "destination", id->text, detail, err);
}

bool destination_refused(Tx *tx, const DestinationId *id, int64_t *ret_failures, Err *err)
{
    bool found;

    return db_find_int(tx->db,
                       "UPDATE destination SET auth_failures = auth_failures + 1 WHERE id = ?1"
                       " RETURNING auth_failures",
                       ARGS(ARG_TEXT(id->text)), ret_failures, &found, err) &&
           (found || (*ret_failures = 0, true)); /* deleted meanwhile */
}

bool destination_let_in(Tx *tx, const DestinationId *id, Err *err)
{
    return db_run(tx->db,
                  "UPDATE destination SET auth_failures = 0 WHERE id = ?1 AND auth_failures > 0",
                  ARGS(ARG_TEXT(id->text)), NULL, err);
}

bool destination_stop(Tx *tx, const Actor *actor, const DestinationId *id, const char *text,
                      const char *cure, Err *err)
{
    int rows;

    if (!db_run(tx->db,
                "UPDATE destination SET stopped_at = ?2, stop_text = ?3, stop_cure = ?4"
                " WHERE id = ?1 AND stopped_at = 0",
                ARGS(ARG_TEXT(id->text), ARG_INT(tx->now.ms), ARG_TEXT(text), ARG_TEXT(cure)),
                &rows, err))
        return false;
    if (rows == 0) { /* stopped already, or not there */
        StoredDestination row;

        return destination_get(tx->db, id, &row, err);
    }
    return db_run(tx->db,
                  "UPDATE delivery SET state = 'held', stopped = 1, note = ?2"
                  " WHERE destination_id = ?1 AND state = 'ready'",
                  ARGS(ARG_TEXT(id->text), ARG_TEXT("The destination is stopped.")), NULL, err) &&
           audit_insert(tx, actor, "destination.stop", "destination", id->text, text, err) &&
           notification_of_stop(tx, actor, id, text, cure, err);
}

bool destination_resume(Tx *tx, const Actor *actor, const DestinationId *id, Err *err)
{
    StoredDestination row;

    if (!destination_get(tx->db, id, &row, err))
        return false;
    if (row.stop.at.ms == 0)
        return destination_let_in(tx, id, err);
    return db_run(tx->db,
                  "UPDATE destination SET stopped_at = 0, stop_text = '', stop_cure = '',"
                  " auth_failures = 0 WHERE id = ?1",
                  ARGS(ARG_TEXT(id->text)), NULL, err) &&
           db_run(tx->db,
                  "UPDATE delivery SET state = 'ready', stopped = 0, note = '', due_at = ?2,"
                  " tried_since = ?2, finished_at = 0"
                  " WHERE destination_id = ?1 AND state = 'held' AND stopped = 1",
                  ARGS(ARG_TEXT(id->text), ARG_INT(tx->now.ms)), NULL, err) &&
           notification_mails_due(tx, err) &&
           audit_insert(tx, actor, "destination.resume", "destination", id->text, "", err);
}

/* Why a destination cannot go: each query finds one user of it. */
static const struct {
    const char *sql, *text, *remedy;
} destination_users[] = {
    { "SELECT 1 FROM job_destination WHERE destination_id = ?1", "a job delivers to it",
      "Take it out of the jobs first." },
    { "SELECT 1 FROM delivery WHERE destination_id = ?1 AND state NOT IN ('done', 'dropped')",
      "a delivery to it is not done",
      "Wait for its deliveries; retry or drop those that stopped." },
    { "SELECT 1 FROM batch WHERE state NOT IN ('done', 'cancelled')"
      " AND EXISTS (SELECT 1 FROM json_each(batch.job, '$.destinations')"
      " WHERE json_extract(json_each.value, '$.destination') = ?1)",
      "a batch that may still be delivered names it", "Finish that batch first." },
};

bool destination_delete(Tx *tx, const Actor *actor, const DestinationId *id, int64_t revision,
                        Err *err)
{
    StoredDestination before;

    if (!revision_check(tx->db, "SELECT revision FROM destination WHERE id = ?1", "destination",
                        id->text, revision, err) ||
        !destination_get(tx->db, id, &before, err))
        return false;
    for (size_t i = 0; i < COUNT_OF(destination_users); i++) {
        int64_t one;
        bool used;

        if (!db_find_int(tx->db, destination_users[i].sql, ARGS(ARG_TEXT(id->text)), &one, &used,
                         err))
            return false;
        if (!used)
            continue;
        err_set(err, ERR_CONFLICT, 0, "the destination \"%s\" cannot be deleted: %s",
                before.destination.name, destination_users[i].text);
        return err_remedy(err, "%s", destination_users[i].remedy);
    }
    return db_run(tx->db, "DELETE FROM destination WHERE id = ?1", ARGS(ARG_TEXT(id->text)), NULL,
                  err) &&
           audit_change(tx, actor,
                        &(AuditChange){ "destination.delete", "destination", id->text,
                                        audited_fields, &before.destination, NULL },
                        err);
}

/* --- API tokens ---------------------------------------------------------------------------------- */

static void token_read(Query *query, StoredToken *ret_token)
{
    QUERY_COPY(query, 0, ret_token->name);
    QUERY_COPY(query, 1, ret_token->sha256);
    ret_token->created_at.ms = query_int(query, 2);
}

bool token_insert(Tx *tx, const Actor *actor, const StoredToken *token, Err *err)
{
    return name_is_free(tx->db, "SELECT 1 FROM token WHERE name = ?1 AND ?2 = ''", token->name, "",
                        err) &&
           db_run(tx->db, "INSERT INTO token (name, sha256, created_at) VALUES (?1, ?2, ?3)",
                  ARGS(ARG_TEXT(token->name), ARG_TEXT(token->sha256), ARG_INT(tx->now.ms)), NULL,
                  err) &&
           audit_insert(tx, actor, "token.insert", "token", token->name, "", err);
}

bool token_delete(Tx *tx, const Actor *actor, const char *name, Err *err)
{
    int rows;

    if (!db_run(tx->db, "DELETE FROM token WHERE name = ?1", ARGS(ARG_TEXT(name)), &rows, err))
        return false;
    if (rows == 0)
        return not_found(err, "token", name);
    return audit_insert(tx, actor, "token.delete", "token", name, "", err);
}

bool token_find(Db *db, const char *sha256, StoredToken *ret_token, Err *err)
{
    AUTO_QUERY query = db_query(db, "SELECT name, sha256, created_at FROM token WHERE sha256 = ?1",
                                ARGS(ARG_TEXT(sha256)));
    bool found = query_next(&query);
    StoredToken token;

    if (found)
        token_read(&query, &token);
    if (!query_ok(&query, err))
        return false;
    if (!found)
        return err_set(err, ERR_NOT_FOUND, 0, "no such token");
    *ret_token = token;
    return true;
}

bool token_list(Db *db, TokenVisit *visit, void *arg, Err *err)
{
    AUTO_QUERY query = db_query(db, "SELECT name, sha256, created_at FROM token ORDER BY name",
                                NO_ARGS);
    StoredToken token;

    while (query_next(&query)) {
        token_read(&query, &token);
        if (query.failed || !visit(arg, &token))
            break;
    }
    return query_ok(&query, err);
}
