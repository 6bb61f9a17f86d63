/* store/retention.c - see retention.h. */
#include "store/retention.h"

#include "base/text.h"
#include "store/batch-read.h"
#include "store/rows.h"

/* ?2: last changed before that. What a broken scan left is a person's to decide about. */
#define EXPIRED                                                                         \
    " files = 'kept' AND state IN ('done', 'cancelled', 'broken') AND changed_at <= ?2" \
    " AND NOT EXISTS (SELECT 1 FROM delivery WHERE delivery.batch_id = batch.id"        \
    "  AND delivery.state NOT IN ('done', 'dropped'))"                                  \
    " AND (state <> 'broken'"                                                           \
    "  OR NOT EXISTS (SELECT 1 FROM page WHERE page.batch_id = batch.id))"

/* What became of its files; the rest of *ret_batch is not read, only the device. ERR_NOT_FOUND. */
static bool files_read(Db *db, const BatchId *id, Batch *ret_batch, Err *err)
{
    AUTO_QUERY query = db_query(db, "SELECT files, files_why, device_id FROM batch WHERE id = ?1",
                                ARGS(ARG_TEXT(id->text)));
    bool found = query_next(&query);

    if (found) {
        ret_batch->files = (BatchFiles)query_word(&query, 0, batch_files_words);
        QUERY_COPY(&query, 1, ret_batch->files_why);
        QUERY_COPY(&query, 2, ret_batch->device.text);
    }
    return query_ok(&query, err) && (found || not_found(err, "batch", id->text));
}

static bool folder_read(Query *query, BatchFolder *ret_batch, bool *ret_found, Err *err)
{
    BatchFolder batch = { .broken = false };

    *ret_found = query_next(query);
    if (*ret_found) {
        QUERY_COPY(query, 0, batch.id.text);
        QUERY_COPY(query, 1, batch.folder);
        batch.broken = query_int(query, 2) != 0;
    }
    if (!query_ok(query, err))
        return false;
    if (*ret_found)
        *ret_batch = batch;
    return true;
}

/* The indexes are named because SQLite would take that of the ids, and look at every batch there is. */

/* --- deciding ------------------------------------------------------------------------------------ */

bool batch_expired_next(Db *db, const BatchId *after, Wall before, BatchFolder *ret_batch,
                        bool *ret_found, Err *err)
{
    AUTO_QUERY query = db_query(db,
                                "SELECT id, folder, state = 'broken' FROM batch"
                                " INDEXED BY batch_expiring WHERE id > ?1 AND" EXPIRED
                                " ORDER BY id LIMIT 1",
                                ARGS(ARG_TEXT(after->text), ARG_INT(before.ms)));

    return folder_read(&query, ret_batch, ret_found, err);
}

/* Nobody reads its pages any more. */
static bool pages_let_go(Tx *tx, const BatchId *id, Err *err)
{
    return db_run(tx->db,
                  "UPDATE page SET state = 'unread' WHERE batch_id = ?1 AND state = 'stored'",
                  ARGS(ARG_TEXT(id->text)), NULL, err);
}

bool batch_expire(Tx *tx, const BatchId *id, Wall before, const char *why, bool *ret_marked,
                  Err *err)
{
    int rows;

    if (!db_run(tx->db,
                "UPDATE batch SET files = 'removing', files_at = ?3, files_why = ?4"
                " WHERE id = ?1 AND" EXPIRED,
                ARGS(ARG_TEXT(id->text), ARG_INT(before.ms), ARG_INT(tx->now.ms), ARG_TEXT(why)),
                &rows, err))
        return false;
    *ret_marked = rows > 0;
    return rows == 0 || pages_let_go(tx, id, err);
}

bool batch_files_give_up(Tx *tx, const BatchId *id, const char *why, Err *err)
{
    int rows;

    if (!db_run(tx->db,
                "UPDATE batch SET files = 'removing', files_at = ?2, files_why = ?3"
                " WHERE id = ?1 AND files IN ('kept', 'missing')",
                ARGS(ARG_TEXT(id->text), ARG_INT(tx->now.ms), ARG_TEXT(why)), &rows, err))
        return false;
    if (rows > 0)
        return pages_let_go(tx, id, err);
    err_set(err, ERR_CONFLICT, 0, "the files of the batch are removed already");
    return err_remedy(err, "Nothing needs to be done.");
}

bool batch_deliveries_drop(Tx *tx, const BatchId *id, const char *note, Err *err)
{
    int64_t sending;
    bool found;

    if (!db_find_int(tx->db,
                     "SELECT count(*) FROM delivery WHERE batch_id = ?1 AND state = 'sending'",
                     ARGS(ARG_TEXT(id->text)), &sending, &found, err))
        return false;
    if (sending == 0)
        return db_run(tx->db,
                      "UPDATE delivery SET state = 'dropped', stopped = 0, note = ?2,"
                      " finished_at = ?3 WHERE batch_id = ?1 AND state NOT IN ('done', 'dropped')",
                      ARGS(ARG_TEXT(id->text), ARG_TEXT(note), ARG_INT(tx->now.ms)), NULL, err);
    err_set(err, ERR_CONFLICT, 0, "a document of the batch is being delivered");
    return err_remedy(err, "Wait until its attempt has ended.");
}

/* --- removing ------------------------------------------------------------------------------------ */

bool batch_removing_next(Db *db, const BatchId *after, BatchFolder *ret_batch, bool *ret_found,
                         Err *err)
{
    AUTO_QUERY query = db_query(
        db,
        "SELECT id, folder, state = 'broken' FROM batch"
        " INDEXED BY batch_removing WHERE files = 'removing' AND id > ?1 ORDER BY id LIMIT 1",
        ARGS(ARG_TEXT(after->text)));

    return folder_read(&query, ret_batch, ret_found, err);
}

/* What is known of the files is an event, too. */
static bool files_event(Tx *tx, const BatchId *id, Err *err)
{
    char text[BATCH_FILES_TEXT_SIZE];
    Event event = { .id = 0 };
    Batch batch;

    if (!files_read(tx->db, id, &batch, err))
        return false;
    batch_files_text(&batch, text);
    (void)text_copy(event.batch, sizeof event.batch, id->text);
    (void)text_copy(event.device, sizeof event.device, batch.device.text);
    (void)text_printf(event.kind, sizeof event.kind, "batch.files-%s",
                      batch_files_words[batch.files]);
    (void)text_copy(event.text, sizeof event.text, text);
    return event_insert(tx, &event, err);
}

bool batch_files_removed(Tx *tx, const BatchId *id, Err *err)
{
    int rows;

    if (!db_run(tx->db,
                "UPDATE batch SET files = 'removed', files_at = ?2"
                " WHERE id = ?1 AND files = 'removing'",
                ARGS(ARG_TEXT(id->text), ARG_INT(tx->now.ms)), &rows, err))
        return false;
    if (rows == 0)
        return err_set(err, ERR_CONFLICT, 0, "batch %s: its files were not to be removed",
                       id->text);
    return pages_let_go(tx, id, err) &&
           db_run(tx->db, "UPDATE meta SET value = value + 1 WHERE key = 'files_removed'", NO_ARGS,
                  NULL, err) &&
           files_event(tx, id, err);
}

bool batch_files_settle(Tx *tx, const BatchId *id, BatchFiles files, Err *err)
{
    return db_run(tx->db,
                  "UPDATE batch SET files = ?2, files_at = ?3, files_why = ''"
                  " WHERE id = ?1 AND files IN ('kept', 'missing')",
                  ARGS(ARG_TEXT(id->text), ARG_WORD(batch_files_words, files), ARG_INT(tx->now.ms)),
                  NULL, err) &&
           files_event(tx, id, err);
}

bool batch_files_check(Db *db, const BatchId *id, Err *err)
{
    char text[BATCH_FILES_TEXT_SIZE];
    Batch batch;

    if (!files_read(db, id, &batch, err))
        return false;
    if (batch.files == BATCH_FILES_KEPT)
        return true;
    batch_files_text(&batch, text);
    err_set(err, ERR_CONFLICT, 0, "nothing is left to send: %s", text);
    return err_remedy(err, "%s",
                      batch.files == BATCH_FILES_MISSING
                          ? "Bring the folder back and start the server, or drop what is not done."
                          : "Take the document from where it was delivered, or scan again.");
}

/* --- history ------------------------------------------------------------------------------------- */

/* In the order of their references. The newest event stays: streams begin behind it. */
static const char *const forget_sql[] = {
    ("UPDATE meta SET value = value + (SELECT count(*) FROM page WHERE batch_id = ?1)"
     " WHERE key = 'pages_forgotten'"),
    "UPDATE delivery SET last_attempt = NULL WHERE batch_id = ?1",
    "DELETE FROM attempt WHERE delivery_id IN (SELECT id FROM delivery WHERE batch_id = ?1)",
    "DELETE FROM delivery WHERE batch_id = ?1",
    "DELETE FROM document WHERE batch_id = ?1",
    "DELETE FROM page WHERE batch_id = ?1",
    "DELETE FROM event WHERE batch_id = ?1 AND id < (SELECT max(id) FROM event)",
    "DELETE FROM batch WHERE id = ?1",
};

static bool batch_forget(Tx *tx, const BatchId *id, Err *err)
{
    for (size_t i = 0; i < COUNT_OF(forget_sql); i++)
        if (!db_run(tx->db, forget_sql[i], ARGS(ARG_TEXT(id->text)), NULL, err))
            return false;
    return true;
}

static bool forgettable_find(Tx *tx, Wall before, BatchId *ret_id, bool *ret_found, Err *err)
{
    AUTO_QUERY query = db_query(tx->db,
                                "SELECT id FROM batch INDEXED BY batch_history"
                                " WHERE files IN ('removed', 'missing')"
                                " AND changed_at <= ?1 AND (state IN ('done', 'cancelled')"
                                "  OR (state = 'broken' AND files = 'removed'))"
                                " ORDER BY changed_at LIMIT 1",
                                ARGS(ARG_INT(before.ms)));

    *ret_found = query_next(&query);
    if (*ret_found)
        QUERY_COPY(&query, 0, ret_id->text);
    return query_ok(&query, err);
}

bool history_forget(Tx *tx, Wall before, uint32_t limit, bool *ret_more, Err *err)
{
    uint32_t batches = 0;
    bool found = true;
    int events;
    BatchId id;

    while (batches < limit) {
        if (!forgettable_find(tx, before, &id, &found, err))
            return false;
        if (!found)
            break;
        if (!batch_forget(tx, &id, err))
            return false;
        batches++;
    }
    if (!db_run(tx->db,
                "DELETE FROM event WHERE id IN (SELECT id FROM event WHERE at <= ?1"
                " AND NOT EXISTS (SELECT 1 FROM batch WHERE batch.id = event.batch_id)"
                " AND id < (SELECT max(id) FROM event) ORDER BY at LIMIT ?2)",
                ARGS(ARG_INT(before.ms), ARG_INT((int64_t)limit * 100)), &events, err))
        return false;
    *ret_more = batches == limit || events == (int)limit * 100;
    return true;
}
