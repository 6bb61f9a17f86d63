/* store/outbox.c - see batch-rows.h: deliveries as a person sees and moves them. */
#include "base/text.h"
#include "store/batch-read.h"
#include "store/retention.h"
#include "store/rows.h"

/* --- lists --------------------------------------------------------------------------------------- */

#define SHOWN                                                                     \
    "SELECT " DELIVERY_COLUMNS                                                    \
    ", coalesce(destination.name, delivery.destination_name) FROM " DELIVERY_FROM \
    " LEFT JOIN destination ON destination.id = delivery.destination_id"

bool delivery_get(Db *db, const DeliveryId *id, Delivery *ret_delivery,
                  char ret_destination_name[NAME_TEXT_SIZE], Err *err)
{
    AUTO_QUERY query = db_query(db, SHOWN " WHERE delivery.id = ?1", ARGS(ARG_TEXT(id->text)));
    bool found = query_next(&query);

    if (found) {
        delivery_read(&query, 0, ret_delivery);
        query_copy(&query, DELIVERY_COLUMN_COUNT, ret_destination_name, NAME_TEXT_SIZE);
    }
    return query_ok(&query, err) && (found || not_found(err, "delivery", id->text));
}

bool delivery_list_all(Db *db, const char *before, int state, const char *destination,
                       uint32_t limit, DeliveryVisit *visit, void *arg, Err *err)
{
    AUTO_QUERY query = db_query(db,
                                SHOWN " WHERE delivery.id < ?1 AND (?2 = '' OR delivery.state = ?2)"
                                      " AND (?3 = '' OR delivery.destination_id = ?3)"
                                      " ORDER BY delivery.id DESC LIMIT ?4",
                                ARGS(ARG_TEXT(before[0] ? before : "~"),
                                     ARG_TEXT(state < 0 ? "" : delivery_state_words[state]),
                                     ARG_TEXT(destination), ARG_INT(limit)));
    char name[NAME_TEXT_SIZE];
    Delivery delivery;

    while (query_next(&query)) {
        delivery_read(&query, 0, &delivery);
        QUERY_COPY(&query, DELIVERY_COLUMN_COUNT, name);
        if (query.failed || !visit(arg, &delivery, name))
            break;
    }
    return query_ok(&query, err);
}

bool attempt_list(Db *db, const DeliveryId *id, AttemptVisit *visit, void *arg, Err *err)
{
    AUTO_QUERY query = db_query(db,
                                "SELECT number, ended_at, class, stage, native_code, protocol_code,"
                                " text, cure, retry_after_s, remote_name, size_bytes, sha256"
                                " FROM attempt WHERE delivery_id = ?1 ORDER BY id",
                                ARGS(ARG_TEXT(id->text)));

    while (query_next(&query)) {
        DeliveryResult r = { .class = (DeliveryClass)query_word(&query, 2, delivery_class_words) };

        QUERY_COPY(&query, 3, r.stage);
        r.native_code = query_int(&query, 4);
        r.protocol_code = query_int(&query, 5);
        QUERY_COPY(&query, 6, r.text);
        QUERY_COPY(&query, 7, r.cure);
        r.retry_after_s = query_int(&query, 8);
        QUERY_COPY(&query, 9, r.remote_name);
        r.size_bytes = query_int(&query, 10);
        QUERY_COPY(&query, 11, r.sha256);
        if (query.failed ||
            !visit(arg, (uint32_t)query_int(&query, 0), (Wall){ query_int(&query, 1) }, &r))
            break;
    }
    return query_ok(&query, err);
}

bool destination_batches(Db *db, const DestinationId *id, BatchIdVisit *visit, void *arg, Err *err)
{
    BatchId batch = { "" };

    for (;;) { /* one at a time: the visitor changes the rows that are searched */
        AUTO_QUERY query = db_query(db,
                                    "SELECT min(batch_id) FROM delivery WHERE destination_id = ?1"
                                    " AND state IN ('ready', 'held') AND batch_id > ?2",
                                    ARGS(ARG_TEXT(id->text), ARG_TEXT(batch.text)));

        if (query_next(&query))
            QUERY_COPY(&query, 0, batch.text);
        else
            batch.text[0] = '\0';
        if (!query_ok(&query, err))
            return false;
        query_end(&query);
        if (!batch.text[0])
            return true;
        if (!visit(arg, &batch))
            return true;
    }
}

/* --- a person acts ------------------------------------------------------------------------------- */

static bool not_now(const Delivery *delivery, DeliveryEvent event, Err *err)
{
    static const char *const verbs[DELIVERY_EVENT_MAX_] = {
        [DELIVERY_EVENT_RETRY_NOW] = "retried",
        [DELIVERY_EVENT_HOLD] = "held",
        [DELIVERY_EVENT_DROP] = "dropped",
        [DELIVERY_EVENT_CONFIRM] = "confirmed",
    };

    err_set(err, ERR_CONFLICT, 0, "the delivery is %s, it cannot be %s",
            delivery_state_words[delivery->state], verbs[event] ? verbs[event] : "changed so");
    return err_remedy(err, "%s",
                      delivery->state == DELIVERY_SENDING ? "Wait until its attempt has ended."
                                                          : "Look at the delivery again.");
}

/* A retry needs somewhere to go. */
static bool can_go(Tx *tx, const Delivery *delivery, Err *err)
{
    StoredDestination row;

    if (!destination_get(tx->db, &delivery->destination, &row, err))
        return err->kind == ERR_NOT_FOUND
                   ? (err_set(err, ERR_CONFLICT, 0, "the destination was deleted"),
                      err_remedy(err, "Deliver it elsewhere, or drop it."))
                   : false;
    if (row.stop.at.ms == 0)
        return true;
    err_set(err, ERR_CONFLICT, 0, "the destination \"%s\" is stopped: %s", row.destination.name,
            row.stop.text);
    return err_remedy(err, "%s",
                      "Mend it, then resume the destination: its deliveries go on by themselves.");
}

bool delivery_act(Tx *tx, const DeliveryId *id, DeliveryEvent event, const char *note, Err *err)
{
    char name[NAME_TEXT_SIZE];
    Delivery delivery;
    DeliveryState state;

    if (!delivery_get(tx->db, id, &delivery, name, err))
        return false;
    state = delivery.state;
    if (event == DELIVERY_EVENT_CLAIM || !delivery_step(&state, event))
        return not_now(&delivery, event, err);
    bool again = state == DELIVERY_READY;
    if (again && (!batch_files_check(tx->db, &delivery.batch, err) || !can_go(tx, &delivery, err)))
        return false;
    return db_run(tx->db,
                  "UPDATE delivery SET state = ?2, note = ?3, stopped = 0,"
                  " due_at = CASE ?4 WHEN 0 THEN due_at ELSE ?5 END,"
                  " tried_since = CASE ?4 WHEN 0 THEN tried_since ELSE ?5 END,"
                  " finished_at = CASE ?6 WHEN 0 THEN 0 ELSE ?5 END WHERE id = ?1",
                  ARGS(ARG_TEXT(id->text), ARG_WORD(delivery_state_words, state),
                       ARG_TEXT(again ? "" : note), ARG_INT(again), ARG_INT(tx->now.ms),
                       ARG_INT(state == DELIVERY_DONE || state == DELIVERY_DROPPED)),
                  NULL, err);
}

static bool goes_there_already(Tx *tx, const Delivery *delivery, const DestinationId *destination,
                               Err *err)
{
    int64_t one;
    bool found;

    if (!db_find_int(tx->db,
                     "SELECT 1 FROM delivery WHERE document_id = ?1 AND destination_id = ?2",
                     ARGS(ARG_TEXT(delivery->document.text), ARG_TEXT(destination->text)), &one,
                     &found, err))
        return false;
    if (!found)
        return true;
    err_set(err, ERR_CONFLICT, 0, "the document has a delivery to that destination already");
    return err_remedy(err, "Retry that one.");
}

bool delivery_elsewhere(Tx *tx, const DeliveryId *id, const DestinationId *destination,
                        const char *options, const char *note, DeliveryId *ret_id, Err *err)
{
    char name[NAME_TEXT_SIZE];
    StoredDestination row;
    Delivery delivery;

    if (!delivery_get(tx->db, id, &delivery, name, err) ||
        !destination_get(tx->db, destination, &row, err) ||
        !batch_files_check(tx->db, &delivery.batch, err) ||
        !goes_there_already(tx, &delivery, destination, err))
        return false;
    if (delivery.state == DELIVERY_SENDING)
        return not_now(&delivery, DELIVERY_EVENT_DROP, err);
    return (delivery.state == DELIVERY_DONE || delivery.state == DELIVERY_DROPPED ||
            delivery_act(tx, id, DELIVERY_EVENT_DROP, note, err)) &&
           delivery_insert(tx, &delivery.batch, delivery.document.text, destination->text, options,
                           ret_id, err);
}
