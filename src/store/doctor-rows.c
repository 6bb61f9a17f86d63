/* store/doctor-rows.c - see doctor-rows.h. */
#include "store/doctor-rows.h"

#include "store/rows.h"

bool event_newest_at(Db *db, Wall *ret_at, Err *err)
{
    bool found;

    return db_find_int(db, "SELECT coalesce(max(at), 0) FROM event", NO_ARGS, &ret_at->ms, &found,
                       err);
}

/* A scan that was refused so has no pages, and its batch is BROKEN: batch_state finds the few there are. */
bool device_list_untrusted(Db *db, UntrustedVisit *visit, void *arg, Err *err)
{
    AUTO_QUERY query = db_query(
        db,
        "SELECT device.id, max(batch.changed_at), batch.reason_code FROM batch"
        " JOIN device ON device.id = batch.device_id"
        " WHERE batch.state = 'broken' AND batch.reason_code IN " ALARMING_REASONS
        " AND device.transport <> 'plain'"
        " AND device.state <> 'seen'"
        " AND device.tls_proven <= batch.changed_at GROUP BY device.id ORDER BY device.name, "
        "device.id",
        NO_ARGS);
    Device device;
    DeviceId id;
    char code[32];

    while (query_next(&query)) {
        Wall at = { query_int(&query, 1) };

        QUERY_COPY(&query, 0, id.text);
        QUERY_COPY(&query, 2, code);
        if (query.failed)
            break;
        if (!device_get(db, &id, &device, err))
            return false;
        if (!visit(arg, &device, at, code))
            break;
    }
    return query_ok(&query, err);
}

bool destination_list_troubled(Db *db, TroubleVisit *visit, void *arg, Err *err)
{
    /* With max() SQLite takes the other columns from the row that has it. */
    AUTO_QUERY query = db_query(
        db,
        "SELECT coalesce(destination.name, delivery.destination_name),"
        " total(delivery.state IN ('ready', 'sending')),"
        " total(delivery.state IN ('held', 'failed', 'uncertain')),"
        " coalesce(attempt.text, ''), coalesce(attempt.cure, ''), max(coalesce(attempt.ended_at, "
        "0))"
        " FROM delivery LEFT JOIN attempt ON attempt.id = delivery.last_attempt"
        " LEFT JOIN destination ON destination.id = delivery.destination_id"
        " WHERE delivery.state NOT IN ('done', 'dropped') AND delivery.stopped = 0"
        " AND (coalesce(attempt.class, 'ok') <> 'ok'"
        "      OR delivery.state IN ('held', 'failed', 'uncertain'))"
        " GROUP BY delivery.destination_id ORDER BY 1",
        NO_ARGS);
    DestinationTrouble trouble;

    while (query_next(&query)) {
        trouble = (DestinationTrouble){ .failing = (unsigned)query_int(&query, 1),
                                        .stuck = (unsigned)query_int(&query, 2) };
        QUERY_COPY(&query, 0, trouble.name);
        QUERY_COPY(&query, 3, trouble.text);
        QUERY_COPY(&query, 4, trouble.cure);
        if (query.failed || !visit(arg, &trouble))
            break;
    }
    return query_ok(&query, err);
}
