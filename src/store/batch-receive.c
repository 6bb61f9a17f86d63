/* store/batch-receive.c - see batch-rows.h: a batch from its Start, its steps, its summary; restart. */
#include "base/text.h"
#include "store/batch-read.h"
#include "store/notification-rows.h"
#include "store/retention.h"
#include "store/rows.h"
#include "store/scan-json.h"

/* --- receiving ----------------------------------------------------------------------------------- */

static bool device_state_set(Tx *tx, const DeviceId *id, DeviceState state, Err *err)
{
    return db_run(tx->db, "UPDATE device SET state = ?2 WHERE id = ?1",
                  ARGS(ARG_TEXT(id->text), ARG_WORD(device_state_words, state)), NULL, err);
}

static bool device_scan_starts(Tx *tx, const DeviceId *id, Err *err)
{
    Device device;

    if (!device_get(tx->db, id, &device, err))
        return false;
    if (device_step(&device.state, DEVICE_EVENT_SCAN_STARTS))
        return device_state_set(tx, id, device.state, err) &&
               db_run(tx->db, "UPDATE device SET last_scan = ?2 WHERE id = ?1",
                      ARGS(ARG_TEXT(id->text), ARG_INT(tx->now.ms)), NULL, err);
    if (device.state == DEVICE_SCANNING) {
        err_set(err, ERR_CONFLICT, 0, "device %s is scanning already", device.address);
        return err_remedy(err, "Wait until its scan has ended.");
    }
    err_set(err, ERR_DENIED, 0, "device %s waits for approval", device.address);
    return err_remedy(err, "Approve it: platen device approve %s", id->text);
}

/* The device may have been deleted or lost with the database: then there is nothing to free. */
static bool device_scan_ended(Tx *tx, const DeviceId *id, Err *err)
{
    Device device;

    if (!device_get(tx->db, id, &device, err))
        return err->kind == ERR_NOT_FOUND;
    return !device_step(&device.state, DEVICE_EVENT_SCAN_ENDED) ||
           device_state_set(tx, id, device.state, err);
}

static bool batch_event(Tx *tx, const BatchId *id, const char *device, BatchState state,
                        const Reason *reason, Err *err)
{
    Event event = { .id = 0 };

    (void)text_copy(event.batch, sizeof event.batch, id->text);
    (void)text_copy(event.device, sizeof event.device, device);
    (void)text_printf(event.kind, sizeof event.kind, "batch.%s", batch_state_words[state]);
    (void)text_copy(event.text, sizeof event.text, reason ? reason->text : "");
    return event_insert(tx, &event, err);
}

bool batch_row_insert(Tx *tx, const Batch *batch, Err *err)
{
    AUTO_BUF job = buf_with_max(JSON_BYTES_MAX);
    AUTO_BUF notes = buf_with_max(NOTES_TEXT_MAX);

    return (batch->notes.count == 0 || notes_format(&batch->notes, &notes, err)) &&
           body_format(job_fields, &batch->job, &job, err) &&
           db_run(tx->db,
                  "INSERT INTO batch (id, device_id, device_name, job_id, job, state, reason_code,"
                  " reason_text, reason_remedy, started_at, changed_at, utc_offset_min, folder,"
                  " notes)"
                  " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
                  ARGS(ARG_TEXT(batch->id.text), ARG_TEXT(batch->device.text),
                       ARG_TEXT(batch->device_name), ARG_TEXT(batch->job_id.text),
                       ARG_TEXT(buf_text(&job)), ARG_WORD(batch_state_words, batch->state),
                       ARG_TEXT(batch->reason.code), ARG_TEXT(batch->reason.text),
                       ARG_TEXT(batch->reason.remedy), ARG_INT(batch->started_at.ms),
                       ARG_INT(tx->now.ms), ARG_INT(batch->utc_offset_min), ARG_TEXT(batch->folder),
                       ARG_TEXT(notes.n > 0 ? buf_text(&notes) : "")),
                  NULL, err) &&
           batch_event(tx, &batch->id, batch->device.text, batch->state, &batch->reason, err);
}

bool batch_insert(Tx *tx, const Batch *batch, Err *err)
{
    Batch row = *batch;

    row.state = BATCH_RECEIVING;
    return device_scan_starts(tx, &batch->device, err) && batch_row_insert(tx, &row, err);
}

bool batch_withdraw(Tx *tx, const Batch *batch, Wall last_scan, const char *why, Err *err)
{
    Event event = { .kind = "scan.forgotten" };

    (void)text_copy(event.device, sizeof event.device, batch->device.text);
    (void)text_copy(event.text, sizeof event.text, why);
    /* The new event first: streams go on behind the newest there is. */
    return event_insert(tx, &event, err) &&
           db_run(tx->db, "DELETE FROM event WHERE batch_id = ?1", ARGS(ARG_TEXT(batch->id.text)),
                  NULL, err) &&
           db_run(tx->db, "DELETE FROM batch WHERE id = ?1", ARGS(ARG_TEXT(batch->id.text)), NULL,
                  err) &&
           db_run(tx->db, "UPDATE device SET last_scan = ?2 WHERE id = ?1",
                  ARGS(ARG_TEXT(batch->device.text), ARG_INT(last_scan.ms)), NULL, err) &&
           device_scan_ended(tx, &batch->device, err);
}

bool batch_note(Tx *tx, const BatchId *id, const ScanNotes *notes, Err *err)
{
    AUTO_BUF text = buf_with_max(NOTES_TEXT_MAX);

    return notes_format(notes, &text, err) &&
           db_run(tx->db, "UPDATE batch SET notes = ?2 WHERE id = ?1",
                  ARGS(ARG_TEXT(id->text), ARG_TEXT(buf_text(&text))), NULL, err);
}

bool batch_waits(Tx *tx, const BatchId *id, uint32_t seconds, Err *err)
{
    enum { MS_PER_S = 1000 };
    int64_t until = seconds > 0 ? tx->now.ms + (int64_t)seconds * MS_PER_S : 0;

    return db_run(tx->db,
                  "UPDATE batch SET sheets_until = ?2 WHERE id = ?1 AND state = 'receiving'",
                  ARGS(ARG_TEXT(id->text), ARG_INT(until)), NULL, err);
}

bool page_row_insert(Tx *tx, Page *page, Err *err)
{
    const char side[2] = { page->side, '\0' };
    int64_t one;
    bool there;

    if (!db_find_int(tx->db, "SELECT 1 FROM page WHERE batch_id = ?1 AND number = ?2 AND side = ?3",
                     ARGS(ARG_TEXT(page->batch.text), ARG_INT(page->number), ARG_TEXT(side)), &one,
                     &there, err))
        return false;
    if (there)
        return err_set(err, ERR_CONFLICT, 0, "batch %s has page %u side %c already",
                       page->batch.text, page->number, page->side);
    if (!db_run(tx->db,
                "INSERT INTO page (batch_id, number, side, file, size_bytes, sha256, scan_dpi,"
                " state, stored_at, rotation, crop_width_px, crop_height_px)"
                " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'stored', ?8, ?9, ?10, ?11)",
                ARGS(ARG_TEXT(page->batch.text), ARG_INT(page->number), ARG_TEXT(side),
                     ARG_TEXT(page->file), ARG_INT(page->size_bytes), ARG_TEXT(page->sha256),
                     ARG_INT(page->notes.scan_dpi), ARG_INT(page->stored_at.ms),
                     ARG_INT(page->notes.rotation), ARG_INT(page->notes.crop_width_px),
                     ARG_INT(page->notes.crop_height_px)),
                NULL, err))
        return false;
    page->id = sqlite3_last_insert_rowid(tx->db->handle);
    page->state = PAGE_STORED;
    return !page->notes.last_first ||
           db_run(tx->db, "UPDATE batch SET pages_reversed = 1 WHERE id = ?1",
                  ARGS(ARG_TEXT(page->batch.text)), NULL, err);
}

/* The state of a batch and its device; ERR_NOT_FOUND. */
static bool batch_state_get(Db *db, const BatchId *id, BatchState *ret_state, DeviceId *ret_device,
                            Err *err)
{
    AUTO_QUERY query = db_query(db, "SELECT state, device_id FROM batch WHERE id = ?1",
                                ARGS(ARG_TEXT(id->text)));
    bool found = query_next(&query);

    if (found) {
        *ret_state = (BatchState)query_word(&query, 0, batch_state_words);
        QUERY_COPY(&query, 1, ret_device->text);
    }
    return query_ok(&query, err) && (found || not_found(err, "batch", id->text));
}

bool page_insert(Tx *tx, Page *page, Err *err)
{
    BatchState state;
    DeviceId device;

    if (!batch_state_get(tx->db, &page->batch, &state, &device, err))
        return false;
    if (state != BATCH_RECEIVING && state != BATCH_BROKEN && state != BATCH_CANCELLED)
        return err_set(err, ERR_CONFLICT, 0, "batch %s is %s, it takes no more pages",
                       page->batch.text, batch_state_words[state]);
    return batch_files_check(tx->db, &page->batch, err) && page_row_insert(tx, page, err);
}

bool batch_apply(Tx *tx, const BatchId *id, BatchEvent event, const Reason *reason, Err *err)
{
    static const Reason none;
    const Reason *new_reason = reason ? reason : &none;
    BatchState before, state;
    DeviceId device;

    if (!batch_state_get(tx->db, id, &before, &device, err))
        return false;
    state = before;
    if (!batch_step(&state, event)) {
        err_set(err, ERR_CONFLICT, 0, "batch %s is %s, this cannot be done now", id->text,
                batch_state_words[before]);
        return err_remedy(err, "Look at the batch again: its state has changed.");
    }
    if (!db_run(tx->db,
                "UPDATE batch SET state = ?2, changed_at = ?3, sheets_until = 0,"
                " reason_code = CASE ?4 WHEN 0 THEN reason_code ELSE ?5 END,"
                " reason_text = CASE ?4 WHEN 0 THEN reason_text ELSE ?6 END,"
                " reason_remedy = CASE ?4 WHEN 0 THEN reason_remedy ELSE ?7 END WHERE id = ?1",
                ARGS(ARG_TEXT(id->text), ARG_WORD(batch_state_words, state), ARG_INT(tx->now.ms),
                     ARG_INT(reason != NULL), ARG_TEXT(new_reason->code),
                     ARG_TEXT(new_reason->text), ARG_TEXT(new_reason->remedy)),
                NULL, err) ||
        !batch_event(tx, id, device.text, state, reason, err) ||
        !notification_of_batch(tx, id, state, err))
        return false;
    return before != BATCH_RECEIVING || device_scan_ended(tx, &device, err);
}

/* --- summary ------------------------------------------------------------------------------------- */

/* An index that waits for a delivery which a person must mend is not open: nothing moves there. What has no
 * files any more is not delivered by itself. */
static const char summary_sql[] =
    "SELECT state, coalesce(json_extract(job, '$.keep_partial'), 0) AND files = 'kept',"
    " (SELECT count(*) FROM page WHERE batch_id = ?1),"
    " (SELECT count(*) FROM page WHERE batch_id = ?1 AND state IN ('stored', 'reading')),"
    " (SELECT count(*) FROM document WHERE batch_id = ?1),"
    " (SELECT count(*) FROM document WHERE batch_id = ?1 AND state <> 'written'"
    "  AND state <> 'failed'),"
    " (SELECT count(*) FROM document WHERE batch_id = ?1 AND state <> 'written'"
    "  AND state = 'failed'),"
    " (SELECT count(*) FROM delivery WHERE batch_id = ?1),"
    " (SELECT count(*) FROM delivery d WHERE d.batch_id = ?1 AND d.state IN ('ready', 'sending')"
    "  AND NOT (d.state = 'ready'"
    "   AND (SELECT kind FROM document WHERE document.id = d.document_id) = 'index'"
    "   AND EXISTS (SELECT 1 FROM delivery o WHERE o.batch_id = d.batch_id"
    "    AND o.destination_id = d.destination_id"
    "    AND o.state IN ('held', 'failed', 'uncertain')))),"
    " (SELECT count(*) FROM delivery WHERE batch_id = ?1 AND state IN ('done', 'dropped')),"
    " (SELECT count(*) FROM page WHERE batch_id = ?1 AND state = 'damaged')"
    " FROM batch WHERE id = ?1";

bool batch_summary(Db *db, const BatchId *id, BatchSummary *ret_summary, Err *err)
{
    AUTO_QUERY query = db_query(db, summary_sql, ARGS(ARG_TEXT(id->text)));
    bool found = query_next(&query);
    BatchSummary s = { .id = *id };

    if (found) {
        s.state = (BatchState)query_word(&query, 0, batch_state_words);
        s.keep_partial = query_int(&query, 1) != 0;
        s.pages = (uint32_t)query_int(&query, 2);
        s.pages_unsettled = (uint32_t)query_int(&query, 3);
        s.documents = (uint32_t)query_int(&query, 4);
        s.planned = s.documents > 0;
        s.documents_open = (uint32_t)query_int(&query, 5);
        s.documents_failed = (uint32_t)query_int(&query, 6);
        s.deliveries = (uint32_t)query_int(&query, 7);
        s.deliveries_open = (uint32_t)query_int(&query, 8);
        s.deliveries_done = (uint32_t)query_int(&query, 9);
        s.pages_damaged = (uint32_t)query_int(&query, 10);
    }
    if (!query_ok(&query, err))
        return false;
    if (!found)
        return not_found(err, "batch", id->text);
    *ret_summary = s;
    return true;
}

bool batch_moves(Db *db, const BatchId *id, bool *ret_moves, Err *err)
{
    int64_t one;

    return db_find_int(db,
                       "SELECT 1 FROM delivery JOIN document ON document.id = delivery.document_id"
                       " JOIN batch ON batch.id = delivery.batch_id WHERE delivery.batch_id = ?1"
                       " AND delivery.state IN ('ready', 'sending') AND document.kind <> 'index'"
                       " AND batch.state = 'delivering' LIMIT 1",
                       ARGS(ARG_TEXT(id->text)), &one, ret_moves, err);
}

/* --- by hand and at start ------------------------------------------------------------------------ */

bool batch_retry_rows(Tx *tx, const BatchId *id, uint32_t *ret_documents, uint32_t *ret_deliveries,
                      Err *err)
{
    int documents, deliveries;

    if (!db_run(tx->db, "UPDATE batch SET plan_attempt = 0 WHERE id = ?1", ARGS(ARG_TEXT(id->text)),
                NULL, err) ||
        !db_run(tx->db,
                "UPDATE page SET state = 'stored', attempt = 0 WHERE batch_id = ?1"
                " AND state = 'damaged'"
                " AND NOT EXISTS (SELECT 1 FROM document WHERE document.batch_id = ?1)",
                ARGS(ARG_TEXT(id->text)), NULL, err) ||
        !db_run(tx->db,
                "UPDATE document SET state = 'planned', attempt = 0"
                " WHERE batch_id = ?1 AND state = 'failed'",
                ARGS(ARG_TEXT(id->text)), &documents, err) ||
        !db_run(
            tx->db,
            "UPDATE delivery SET state = 'ready', due_at = ?2, tried_since = ?2, finished_at = 0,"
            " note = '' WHERE batch_id = ?1 AND (state IN ('held', 'failed', 'uncertain')"
            "  OR (state = 'ready' AND attempt > 0 AND due_at > ?2))"
            " AND EXISTS (SELECT 1 FROM destination WHERE destination.id = destination_id"
            "  AND stopped_at = 0)",
            ARGS(ARG_TEXT(id->text), ARG_INT(tx->now.ms)), &deliveries, err))
        return false;
    *ret_documents = (uint32_t)documents;
    *ret_deliveries = (uint32_t)deliveries;
    return true;
}

/* What older generations own goes back. A page, plan or document that was under way when the server
 * died is not at fault: that attempt is not counted. */
static const char *const recover_sql[] = {
    "UPDATE page SET state = 'stored', attempt = attempt - 1, owner = NULL"
    " WHERE state = 'reading' AND owner < ?1",
    "UPDATE batch SET plan_attempt = plan_attempt - 1, plan_owner = NULL WHERE plan_owner < ?1",
    "UPDATE document SET state = 'planned', attempt = attempt - 1, owner = NULL"
    " WHERE state = 'writing' AND owner < ?1",
    "UPDATE notification_mail SET state = 'waiting', owner = NULL"
    " WHERE state = 'sending' AND owner < ?1", /* due now: it was due when it was claimed */
};

/* A delivery's attempt did happen: the destination may have seen it. */
static bool recover_deliveries(Tx *tx, Err *err)
{
    return db_run(tx->db,
                  "INSERT INTO attempt (delivery_id, number, ended_at, class, stage, native_code,"
                  " protocol_code, text, cure, retry_after_s, remote_name, size_bytes, sha256)"
                  " SELECT id, attempt, ?2, 'retry', 'restart', 0, 0,"
                  " 'The server stopped while this delivery was under way.',"
                  " 'It is tried again by itself.', 0, reserved_name, 0, ''"
                  " FROM delivery WHERE state = 'sending' AND owner < ?1",
                  ARGS(ARG_INT(tx->generation), ARG_INT(tx->now.ms)), NULL, err) &&
           db_run(tx->db,
                  "UPDATE delivery SET state = 'ready', owner = NULL, due_at = ?2,"
                  " last_attempt = (SELECT max(id) FROM attempt WHERE delivery_id = delivery.id)"
                  " WHERE state = 'sending' AND owner < ?1",
                  ARGS(ARG_INT(tx->generation), ARG_INT(tx->now.ms)), NULL, err) &&
           db_run(tx->db,
                  "UPDATE delivery SET state = 'held', stopped = 1,"
                  " note = 'The destination is stopped.' WHERE state = 'ready'"
                  " AND destination_id IN (SELECT id FROM destination WHERE stopped_at > 0)",
                  NO_ARGS, NULL, err);
}

bool store_recover(Tx *tx, BatchIdVisit *broken, void *arg, Err *err)
{
    for (size_t i = 0; i < COUNT_OF(recover_sql); i++)
        if (!db_run(tx->db, recover_sql[i], ARGS(ARG_INT(tx->generation)), NULL, err))
            return false;
    if (!recover_deliveries(tx, err))
        return false;
    /* One at a time from the beginning: the visitor changes the rows that are searched. */
    BatchId id = { "" };
    for (;;) {
        AUTO_QUERY query = db_query(tx->db,
                                    "SELECT id FROM batch WHERE state = 'receiving' AND id > ?1"
                                    " ORDER BY id LIMIT 1",
                                    ARGS(ARG_TEXT(id.text)));
        BatchId next;

        if (!query_next(&query))
            return query_ok(&query, err);
        QUERY_COPY(&query, 0, next.text);
        if (!query_ok(&query, err))
            return false;
        query_end(&query);
        id = next;
        if (!broken(arg, &id))
            return true;
    }
}
