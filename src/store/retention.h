/* store/retention.h - how long files and history are kept: the rows of it. Files: spool-remove.h.
 *
 * Removing is decided first, in a transaction (files = 'removing'), and done afterwards, as often as it
 * takes; only then the row says 'removed'. What is not delivered is never decided on by time. Rows of
 * pages, documents, deliveries and attempts stay until the history of the batch is forgotten. */
#ifndef PLATEN_STORE_RETENTION_H
#define PLATEN_STORE_RETENTION_H

#include "store/batch-rows.h"

/* A batch and its folder below the spool. */
typedef struct BatchFolder {
    BatchId id;
    char folder[64];
    bool broken; /* its scan broke: pages without a row may be there */
} BatchFolder;

/* The next batch behind `after` ("" = the first) whose files are kept and were needed last before
 * `before`: DONE, CANCELLED, or BROKEN without a page. */
bool batch_expired_next(Db *db, const BatchId *after, Wall before, BatchFolder *ret_batch,
                        bool *ret_found, Err *err);

/* Decides that its files are removed, if it still is one of those. why: "after 30 days". */
bool batch_expire(Tx *tx, const BatchId *id, Wall before, const char *why, bool *ret_marked,
                  Err *err);

/* A person decides it, whatever its state. ERR_CONFLICT when it was decided already. */
bool batch_files_give_up(Tx *tx, const BatchId *id, const char *why, Err *err);

/* What is not delivered of the batch is dropped. ERR_CONFLICT while an attempt runs. */
bool batch_deliveries_drop(Tx *tx, const BatchId *id, const char *note, Err *err);

/* The next batch behind `after` whose files are to be removed. */
bool batch_removing_next(Db *db, const BatchId *after, BatchFolder *ret_batch, bool *ret_found,
                         Err *err);

/* They are. Writes an event row. ERR_CONFLICT when it was not decided. */
bool batch_files_removed(Tx *tx, const BatchId *id, Err *err);

/* fsck: a folder that was kept is MISSING, or one that was missing is there and KEPT again. */
bool batch_files_settle(Tx *tx, const BatchId *id, BatchFiles files, Err *err);

/* ERR_CONFLICT, with a remedy, when the batch's files are not there to be sent. */
bool batch_files_check(Db *db, const BatchId *id, Err *err);

/* Forgets at most `limit` batches that are over, whose files are gone, and that changed last before `before`, with all
 * their rows, and at most 100 times as many old events of no batch. Audit rows stay. *ret_more: there may be others. */
bool history_forget(Tx *tx, Wall before, uint32_t limit, bool *ret_more, Err *err);

#endif
