/* store/events.c - see batch-rows.h: history, and counts for metrics and health. */
#include "base/text.h"
#include "store/batch-rows.h"
#include "store/rows.h"

bool event_insert(Tx *tx, Event *event, Err *err)
{
    if (!db_run(tx->db,
                "INSERT INTO event (at, batch_id, device_id, kind, text)"
                " VALUES (?1, ?2, ?3, ?4, ?5)",
                ARGS(ARG_INT(tx->now.ms), ARG_TEXT(event->batch), ARG_TEXT(event->device),
                     ARG_TEXT(event->kind), ARG_TEXT(event->text)),
                NULL, err))
        return false;
    event->id = sqlite3_last_insert_rowid(tx->db->handle);
    event->at = tx->now;
    return true;
}

bool event_list(Db *db, int64_t after_id, const char *batch, uint32_t limit, EventVisit *visit,
                void *arg, Err *err)
{
    AUTO_QUERY query = batch && batch[0]
                           ? db_query(db,
                                      "SELECT id, at, batch_id, device_id, kind, text FROM event"
                                      " WHERE batch_id = ?1 AND id > ?2 ORDER BY id LIMIT ?3",
                                      ARGS(ARG_TEXT(batch), ARG_INT(after_id), ARG_INT(limit)))
                           : db_query(db,
                                      "SELECT id, at, batch_id, device_id, kind, text FROM event"
                                      " WHERE id > ?1 ORDER BY id LIMIT ?2",
                                      ARGS(ARG_INT(after_id), ARG_INT(limit)));
    Event event;

    while (query_next(&query)) {
        event.id = query_int(&query, 0);
        event.at.ms = query_int(&query, 1);
        QUERY_COPY(&query, 2, event.batch);
        QUERY_COPY(&query, 3, event.device);
        QUERY_COPY(&query, 4, event.kind);
        QUERY_COPY(&query, 5, event.text);
        if (query.failed || !visit(arg, &event))
            break;
    }
    return query_ok(&query, err);
}

bool event_newest(Db *db, int64_t *ret_id, Err *err)
{
    AUTO_QUERY query = db_query(db, "SELECT coalesce(max(id), 0) FROM event", NO_ARGS);

    if (query_next(&query))
        *ret_id = query_int(&query, 0);
    return query_ok(&query, err);
}

/* Adds "state, count" rows into counts[], indexed by the words. */
static bool count_states(Db *db, const char *sql, const char *const *words, int64_t *counts,
                         Err *err)
{
    AUTO_QUERY query = db_query(db, sql, NO_ARGS);

    while (query_next(&query)) {
        int word = query_word(&query, 0, words);

        if (!query.failed)
            counts[word] = query_int(&query, 1);
    }
    return query_ok(&query, err);
}

bool store_counts(Db *db, StoreCounts *ret_counts, Err *err)
{
    StoreCounts counts = { .pages = 0 };
    bool found;

    if (!count_states(db, "SELECT state, count(*) FROM batch GROUP BY state", batch_state_words,
                      counts.batches, err) ||
        !count_states(db, "SELECT state, count(*) FROM delivery GROUP BY state",
                      delivery_state_words, counts.deliveries, err) ||
        !count_states(db, "SELECT state, count(*) FROM device GROUP BY state", device_state_words,
                      counts.devices, err) ||
        !count_states(db,
                      "SELECT contact, count(*) FROM device WHERE state <> 'seen' GROUP BY contact",
                      device_contact_words, counts.contacts, err) ||
        !db_find_int(db,
                     "SELECT value + (SELECT count(*) FROM page) FROM meta"
                     " WHERE key = 'pages_forgotten'",
                     NO_ARGS, &counts.pages, &found, err) ||
        !db_find_int(db, "SELECT value FROM meta WHERE key = 'files_removed'", NO_ARGS,
                     &counts.batches_removed, &found, err) ||
        !db_find_int(
            db, "SELECT count(*) FROM batch INDEXED BY batch_removing WHERE files = 'removing'",
            NO_ARGS, &counts.batches_removing, &found, err) ||
        !db_find_int(db, "SELECT min(created_at) FROM delivery WHERE state IN ('ready', 'sending')",
                     NO_ARGS, &counts.oldest_open_delivery.ms, &found, err))
        return false;
    *ret_counts = counts;
    return true;
}
