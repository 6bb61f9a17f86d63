/* store/batch-deliveries.c - see batch-rows.h: deliveries, their claims and their attempts. */
#include "base/text.h"
#include "store/batch-read.h"
#include "store/rows.h"

enum { HOUR_MS = 3600 * 1000 };

/* --- making them --------------------------------------------------------------------------------- */

static bool attempt_insert(Tx *tx, const DeliveryId *id, const DeliveryResult *result, Err *err)
{
    return db_run(tx->db,
                  "INSERT INTO attempt (delivery_id, number, ended_at, class, stage, native_code,"
                  " protocol_code, text, cure, retry_after_s, remote_name, size_bytes, sha256)"
                  " SELECT id, attempt, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12"
                  " FROM delivery WHERE id = ?1",
                  ARGS(ARG_TEXT(id->text), ARG_INT(tx->now.ms),
                       ARG_WORD(delivery_class_words, result->class), ARG_TEXT(result->stage),
                       ARG_INT(result->native_code), ARG_INT(result->protocol_code),
                       ARG_TEXT(result->text), ARG_TEXT(result->cure),
                       ARG_INT(result->retry_after_s), ARG_TEXT(result->remote_name),
                       ARG_INT(result->size_bytes), ARG_TEXT(result->sha256)),
                  NULL, err) &&
           db_run(tx->db, "UPDATE delivery SET last_attempt = last_insert_rowid() WHERE id = ?1",
                  ARGS(ARG_TEXT(id->text)), NULL, err);
}

/* What a new delivery needs to know of its destination; found is false when it was deleted. */
typedef struct Place {
    char name[NAME_TEXT_SIZE];
    bool found, stopped;
} Place;

static bool place_read(Tx *tx, const char *id, Place *ret_place, Err *err)
{
    AUTO_QUERY query = db_query(tx->db, "SELECT name, stopped_at FROM destination WHERE id = ?1",
                                ARGS(ARG_TEXT(id)));

    *ret_place = (Place){ .found = query_next(&query) };
    if (ret_place->found) {
        query_copy(&query, 0, ret_place->name, NAME_TEXT_SIZE);
        ret_place->stopped = query_int(&query, 1) != 0;
    }
    return query_ok(&query, err);
}

bool delivery_insert(Tx *tx, const BatchId *batch, const char *document, const char *destination,
                     const char *options, DeliveryId *ret_id, Err *err)
{
    static const DeliveryResult gone = {
        .class = DELIVERY_CLASS_CONFIG,
        .stage = "locate",
        .text = "The destination of the job was deleted.",
        .cure = "Export the document from the batch, or scan again with a job that has one.",
    };
    DeliveryId id = id_new(DeliveryId, tx->now);
    DeliveryState state = DELIVERY_READY;
    Place place;

    if (!place_read(tx, destination, &place, err))
        return false;
    if (!place.found || place.stopped)
        state = DELIVERY_HELD;
    *ret_id = id;
    return db_run(tx->db,
                  "INSERT INTO delivery (id, batch_id, document_id, destination_id,"
                  " destination_name, state, created_at, tried_since, due_at, finished_at, stopped,"
                  " note, options) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7, ?7, ?8, ?9, ?10, ?11)",
                  ARGS(ARG_TEXT(id.text), ARG_TEXT(batch->text), ARG_TEXT(document),
                       ARG_TEXT(destination), ARG_TEXT(place.name),
                       ARG_WORD(delivery_state_words, state), ARG_INT(tx->now.ms),
                       ARG_INT(place.found ? 0 : tx->now.ms), ARG_INT(place.stopped),
                       ARG_TEXT(place.stopped ? "The destination is stopped." : ""),
                       ARG_TEXT(options)),
                  NULL, err) &&
           (place.found || attempt_insert(tx, &id, &gone, err));
}

bool batch_adopt_destinations(Tx *tx, const BatchId *id, Err *err)
{
    int64_t known;
    bool found;
    int rows;
    Batch batch;

    if (!batch_get(tx->db, id, &batch, err) ||
        !db_find_int(tx->db,
                     "SELECT count(*) FROM batch, json_each(batch.job, '$.destinations') wanted"
                     " JOIN destination ON destination.id = wanted.value ->> '$.destination'"
                     " WHERE batch.id = ?1",
                     ARGS(ARG_TEXT(id->text)), &known, &found, err))
        return false;
    if (known > 0)
        return true;
    if (!db_run(tx->db,
                "UPDATE batch SET job = json_set(job, '$.destinations', json((SELECT body ->"
                " '$.destinations' FROM job WHERE name = ?2)))"
                " WHERE id = ?1 AND EXISTS (SELECT 1 FROM job WHERE name = ?2)",
                ARGS(ARG_TEXT(id->text), ARG_TEXT(batch.job.name)), &rows, err))
        return false;
    if (rows > 0)
        return true;
    err_set(err, ERR_CONFLICT, 0, "no destination of the batch exists any more");
    return err_remedy(err, "Define the job \"%.60s\" again with its destinations, then deliver.",
                      batch.job.name);
}

/* Every document must be there and no delivery yet. */
static bool deliveries_wanted(Tx *tx, const BatchId *id, Err *err)
{
    int64_t unwritten, deliveries;
    bool found;

    if (!db_find_int(tx->db,
                     "SELECT count(*) FROM document WHERE batch_id = ?1 AND state <> 'written'",
                     ARGS(ARG_TEXT(id->text)), &unwritten, &found, err) ||
        !db_find_int(tx->db, "SELECT count(*) FROM delivery WHERE batch_id = ?1",
                     ARGS(ARG_TEXT(id->text)), &deliveries, &found, err))
        return false;
    if (unwritten == 0 && deliveries == 0)
        return true;
    return err_set(err, ERR_CONFLICT, 0,
                   "batch %s has %lld unwritten documents and %lld deliveries: none are added",
                   id->text, (long long)unwritten, (long long)deliveries);
}

bool deliveries_insert(Tx *tx, const BatchId *id, Err *err)
{
    Batch batch;

    if (!batch_get(tx->db, id, &batch, err) || !deliveries_wanted(tx, id, err))
        return false;
    AUTO_QUERY query = db_query(tx->db,
                                "SELECT id FROM document WHERE batch_id = ?1 ORDER BY kind, number",
                                ARGS(ARG_TEXT(id->text)));
    while (query_next(&query)) {
        DocumentId document;
        DeliveryId delivery;

        QUERY_COPY(&query, 0, document.text);
        for (size_t i = 0; i < batch.job.destination_count; i++)
            if (!delivery_insert(tx, &batch.id, document.text,
                                 batch.job.destinations[i].destination, "", &delivery, err))
                return false;
    }
    return query_ok(&query, err);
}

/* --- claiming ------------------------------------------------------------------------------------ */

/* READY rows c of the destination p whose turn it can be: the index goes last. */
#define DELIVERY_OF_DESTINATION                                               \
    " FROM delivery c WHERE c.destination_id = p.id AND c.state = 'ready'"    \
    " AND ((SELECT kind FROM document WHERE id = c.document_id) <> 'index'"   \
    "  OR NOT EXISTS (SELECT 1 FROM delivery o WHERE o.batch_id = c.batch_id" \
    "   AND o.destination_id = c.destination_id AND o.id <> c.id"             \
    "   AND o.state NOT IN ('done', 'dropped')))"

/* The first of each destination in turn: what waits for one that is dead is not searched through for the others.
 * ?1 is the one destination or "", ?2 a JSON array of those that are busy. */
#define DESTINATION_FREE                               \
    " FROM destination p WHERE (?1 = '' OR p.id = ?1)" \
    " AND p.id NOT IN (SELECT value FROM json_each(?2))"

/* The ids as a JSON array, which json_each() makes rows of: one statement for any number. */
static bool ids_as_json(const DestinationId *ids, size_t count, Buf *ret_text, Err *err)
{
    buf_put_text(ret_text, "[");
    for (size_t i = 0; i < count; i++)
        buf_printf(ret_text, "%s\"%s\"", i > 0 ? "," : "", ids[i].text);
    buf_put_text(ret_text, "]");
    return !ret_text->failed || err_set(err, ERR_TEMPORARY, 0, "no memory for %zu ids", count);
}

static bool delivery_take(Tx *tx, const char *only, const char *busy, int64_t *ret_row,
                          bool *ret_found, Err *err)
{
    return db_find_int(
        tx->db,
        /* The second range: the clock was set back. Each is a range of its index. */
        "UPDATE delivery SET state = 'sending', owner = ?3, attempt = attempt + 1"
        " WHERE rowid = (SELECT d.rowid FROM (SELECT coalesce("
        "  (SELECT c.rowid" DELIVERY_OF_DESTINATION
        "   AND c.due_at <= ?4 ORDER BY c.due_at, c.id LIMIT 1),"
        "  (SELECT c.rowid" DELIVERY_OF_DESTINATION
        "   AND c.due_at > ?5 ORDER BY c.due_at, c.id LIMIT 1)) AS id" DESTINATION_FREE
        ") AS first JOIN delivery d ON d.rowid = first.id"
        " ORDER BY d.due_at, d.id LIMIT 1) RETURNING rowid",
        ARGS(ARG_TEXT(only), ARG_TEXT(busy), ARG_INT(tx->generation), ARG_INT(tx->now.ms),
             ARG_INT(tx->now.ms + DELIVERY_WAIT_MAX_MS)),
        ret_row, ret_found, err);
}

/* Two documents may be alike to the last byte. When the server or worker died between the
 * reservation of a name and its use, the file that is there now may be another delivery's. */
static bool name_is_used(Tx *tx, const DeliveryClaim *claim, bool *ret_used, Err *err)
{
    int64_t one;

    return db_find_int(tx->db,
                       "SELECT 1 FROM delivery o JOIN destination p ON p.id = o.destination_id"
                       " WHERE o.reserved_name = ?1 AND o.reserved_name <> '' AND o.id <> ?2"
                       " AND o.state = 'done' AND p.kind = ?3 AND p.settings = ?4 LIMIT 1",
                       ARGS(ARG_TEXT(claim->delivery.reserved_name),
                            ARG_TEXT(claim->delivery.id.text), ARG_TEXT(claim->kind),
                            ARG_TEXT(claim->settings)),
                       &one, ret_used, err);
}

/* What the job says for the destination; a delivery elsewhere has its own. */
static void take_options(DeliveryClaim *claim)
{
    const Job *job = &claim->batch.job;

    if (claim->options[0])
        return;
    for (size_t i = 0; i < job->destination_count; i++)
        if (text_equal(job->destinations[i].destination, claim->delivery.destination.text))
            (void)text_copy(claim->options, sizeof claim->options, job->destinations[i].options);
}

/* The claimed row as the keeper needs it. */
static bool claim_read(Tx *tx, int64_t row, DeliveryClaim *ret_claim, Err *err)
{
    AUTO_QUERY query = db_query(
        tx->db,
        "SELECT " DELIVERY_COLUMNS ", " DOCUMENT_COLUMNS ", " BATCH_COLUMNS ","
        " destination.kind, destination.settings, destination.name, destination.parallel,"
        " destination.expiry_hours, delivery.options FROM " DELIVERY_FROM
        " JOIN document ON document.id = delivery.document_id"
        " JOIN batch ON batch.id = delivery.batch_id"
        " JOIN destination ON destination.id = delivery.destination_id"
        " WHERE delivery.rowid = ?1",
        ARGS(ARG_INT(row)));
    int at = DELIVERY_COLUMN_COUNT + DOCUMENT_COLUMN_COUNT + BATCH_COLUMN_COUNT;

    if (query_next(&query)) {
        delivery_read(&query, 0, &ret_claim->delivery);
        document_read(&query, DELIVERY_COLUMN_COUNT, &ret_claim->document);
        batch_read(&query, DELIVERY_COLUMN_COUNT + DOCUMENT_COLUMN_COUNT, &ret_claim->batch);
        QUERY_COPY(&query, at, ret_claim->kind);
        QUERY_COPY(&query, at + 1, ret_claim->settings);
        QUERY_COPY(&query, at + 2, ret_claim->destination_name);
        ret_claim->parallel = (unsigned)query_int(&query, at + 3);
        ret_claim->expiry_ms = query_int(&query, at + 4) * HOUR_MS;
        QUERY_COPY(&query, at + 5, ret_claim->options);
        take_options(ret_claim);
    }
    return query_ok(&query, err);
}

bool delivery_claim(Tx *tx, const DestinationId *only, const DestinationId *busy, size_t busy_count,
                    DeliveryClaim *ret_claim, bool *ret_found, Err *err)
{
    AUTO_BUF busy_json = buf_with_max(JSON_BYTES_MAX);
    bool found, used = false;
    int64_t row;

    if (!ids_as_json(busy, only ? 0 : busy_count, &busy_json, err) ||
        !delivery_take(tx, only ? only->text : "", buf_text(&busy_json), &row, &found, err) ||
        (found && !claim_read(tx, row, ret_claim, err)) ||
        (found && ret_claim->delivery.reserved_name[0] && !name_is_used(tx, ret_claim, &used, err)))
        return false;
    if (used)
        ret_claim->delivery.reserved_name[0] = '\0';
    *ret_found = found;
    return true;
}

bool delivery_next_due(Db *db, const DestinationId *only, const DestinationId *busy,
                       size_t busy_count, Wall *ret_due, Err *err)
{
    AUTO_BUF busy_json = buf_with_max(JSON_BYTES_MAX);
    int64_t due;
    bool found;

    if (!ids_as_json(busy, only ? 0 : busy_count, &busy_json, err) ||
        !db_find_int(db,
                     "SELECT due FROM (SELECT (SELECT c.due_at" DELIVERY_OF_DESTINATION
                     " ORDER BY c.due_at, c.id LIMIT 1) AS due" DESTINATION_FREE
                     ") WHERE due IS NOT NULL ORDER BY due LIMIT 1",
                     ARGS(ARG_TEXT(only ? only->text : ""), ARG_TEXT(buf_text(&busy_json))), &due,
                     &found, err))
        return false;
    ret_due->ms = found ? due : INT64_MAX;
    return true;
}

/* --- ending an attempt --------------------------------------------------------------------------- */

bool delivery_reserve(Tx *tx, const DeliveryId *id, const char *name, Err *err)
{
    int rows;

    return db_run(tx->db,
                  "UPDATE delivery SET reserved_name = ?3"
                  " WHERE id = ?1 AND state = 'sending' AND owner = ?2",
                  ARGS(ARG_TEXT(id->text), ARG_INT(tx->generation), ARG_TEXT(name)), &rows, err) &&
           (rows > 0 || not_ours(err, "delivery", id->text));
}

bool delivery_ended(Tx *tx, const DeliveryId *id, DeliveryEvent event, const DeliveryResult *result,
                    Wall due, Err *err)
{
    DeliveryState state = DELIVERY_SENDING;
    int rows;

    if (!delivery_step(&state, event))
        return err_set(err, ERR_CONFLICT, 0, "delivery %s: an attempt cannot end with event %d",
                       id->text, (int)event);
    bool again = state == DELIVERY_READY;
    /* While it was under way its destination may have been stopped: then it waits like the others. */
    if (!db_run(tx->db,
                "UPDATE delivery SET state = iif(?4 AND s.stopped, 'held', ?3), owner = NULL,"
                " stopped = ?4 AND s.stopped,"
                " note = iif(?4 AND s.stopped, 'The destination is stopped.', ''),"
                " due_at = CASE ?4 WHEN 0 THEN due_at ELSE ?5 END, finished_at = ?6"
                " FROM (SELECT EXISTS (SELECT 1 FROM destination JOIN delivery"
                "  ON delivery.destination_id = destination.id"
                "  WHERE delivery.id = ?1 AND stopped_at > 0) AS stopped) AS s"
                " WHERE id = ?1 AND state = 'sending' AND owner = ?2",
                ARGS(ARG_TEXT(id->text), ARG_INT(tx->generation),
                     ARG_WORD(delivery_state_words, state), ARG_INT(again), ARG_INT(due.ms),
                     ARG_INT(again ? 0 : tx->now.ms)),
                &rows, err))
        return false;
    if (rows == 0)
        return not_ours(err, "delivery", id->text);
    return attempt_insert(tx, id, result, err);
}
