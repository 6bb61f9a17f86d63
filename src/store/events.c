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

/* Literals, by what the index can do: the events of one batch, or all by their id. Device and kind are looked for along the
 * ids. Measured with this query and these indexes on a file of 200,000 events (a year of 110 batches a day), by Python's
 * sqlite3, medians of nine: 50 of a device that scans take 0.2 ms, and when all have to be looked at, 20 ms for a device and
 * 37 ms for a kind. An index of the device would make that nothing, the file a quarter larger (32 -> 41 MB), and each
 * event, written while devices wait, a third dearer (2.8 -> 3.8 microseconds). */
#define EVENT_SELECT                                                \
    "SELECT event.id, event.at, batch_id, device_id, kind, text,"   \
    " coalesce(nullif(device.name, ''), device.address, device_id)" \
    " FROM event LEFT JOIN device ON device.id = device_id WHERE "
#define EVENT_WHERE                                                   \
    "event.id > ?1 AND event.id < ?2 AND (?3 = '' OR device_id = ?3)" \
    " AND (?4 = '' OR kind = ?4 OR substr(kind, 1, length(?4) + 1) = ?4 || '.') ORDER BY event.id"

bool event_list(Db *db, const EventFilter *filter, EventVisit *visit, void *arg, Err *err)
{
    static const char *const selects[2][2] = {
        { EVENT_SELECT "?6 = '' AND " EVENT_WHERE " LIMIT ?5",
          EVENT_SELECT "?6 = '' AND " EVENT_WHERE " DESC LIMIT ?5" },
        { EVENT_SELECT "batch_id = ?6 AND " EVENT_WHERE " LIMIT ?5",
          EVENT_SELECT "batch_id = ?6 AND " EVENT_WHERE " DESC LIMIT ?5" },
    };
    const char *batch = filter->batch ? filter->batch : "";
    AUTO_QUERY query = db_query(
        db, selects[batch[0] != '\0'][filter->newest_first],
        ARGS(ARG_INT(filter->after), ARG_INT(filter->before > 0 ? filter->before : INT64_MAX),
             ARG_TEXT(filter->device ? filter->device : ""),
             ARG_TEXT(filter->kind ? filter->kind : ""), ARG_INT(filter->limit), ARG_TEXT(batch)));
    Event event;

    while (query_next(&query)) {
        event.id = query_int(&query, 0);
        event.at.ms = query_int(&query, 1);
        QUERY_COPY(&query, 2, event.batch);
        QUERY_COPY(&query, 3, event.device);
        QUERY_COPY(&query, 4, event.kind);
        QUERY_COPY(&query, 5, event.text);
        QUERY_COPY(&query, 6, event.device_name);
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
