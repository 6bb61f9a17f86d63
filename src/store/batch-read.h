/* store/batch-read.h - inside of store: rows of batches, pages, documents, deliveries as structs.
 *
 * Each reader wants the columns of its macro, in that order, from column `at` on. */
#ifndef PLATEN_STORE_BATCH_READ_H
#define PLATEN_STORE_BATCH_READ_H

#include "store/batch-rows.h"
#include "store/db.h"

#define BATCH_COLUMNS                                                                     \
    "batch.id, batch.device_id, batch.device_name, batch.job_id, batch.job, batch.state," \
    " batch.reason_code, batch.reason_text, batch.reason_remedy, batch.started_at,"       \
    " batch.changed_at, batch.utc_offset_min, batch.folder,"                              \
    " (SELECT count(*) FROM page WHERE page.batch_id = batch.id),"                        \
    " (SELECT count(*) FROM document WHERE document.batch_id = batch.id),"                \
    " batch.files, batch.files_at, batch.files_why, batch.pages_reversed,"                \
    " batch.notes, batch.sheets_until"
enum { BATCH_COLUMN_COUNT = 21 };
/* A row of a batch; job copy included. */
void batch_read(Query *query, int at, Batch *ret_batch);

#define PAGE_COLUMNS                                                                           \
    "page.id, page.batch_id, page.number, page.side, page.file, page.size_bytes, page.sha256," \
    " page.scan_dpi, page.state, page.attempt, page.width_px, page.height_px, page.dpi,"       \
    " page.components, page.thumbnail, page.warning, page.stored_at, page.rotation,"           \
    " page.crop_width_px, page.crop_height_px"
enum { PAGE_COLUMN_COUNT = 20 };
/* A row of a page. */
void page_read(Query *query, int at, Page *ret_page);

#define DOCUMENT_COLUMNS                                                             \
    "document.id, document.batch_id, document.kind, document.number, document.name," \
    " document.first_page, document.page_count, document.state, document.attempt,"   \
    " document.size_bytes, document.sha256, document.error"
enum { DOCUMENT_COLUMN_COUNT = 12 };
/* A row of a document. */
void document_read(Query *query, int at, Document *ret_document);

/* From delivery LEFT JOIN attempt ON attempt.id = delivery.last_attempt. */
#define DELIVERY_COLUMNS                                                                           \
    "delivery.id, delivery.batch_id, delivery.document_id, delivery.destination_id,"               \
    " delivery.state, delivery.attempt, delivery.created_at, delivery.due_at,"                     \
    " delivery.finished_at, delivery.reserved_name, coalesce(attempt.class, 'ok'), attempt.stage," \
    " attempt.native_code, attempt.protocol_code, attempt.text, attempt.cure,"                     \
    " attempt.retry_after_s, attempt.remote_name, attempt.size_bytes, attempt.sha256,"             \
    " delivery.tried_since, delivery.note"
#define DELIVERY_FROM "delivery LEFT JOIN attempt ON attempt.id = delivery.last_attempt"
enum { DELIVERY_COLUMN_COUNT = 22 };
/* A row of a delivery with its last attempt. */
void delivery_read(Query *query, int at, Delivery *ret_delivery);

/* One delivery of a document, READY, or HELD when its destination is stopped or gone. options: of the delivery
 * itself, "" = what the job says. */
bool delivery_insert(Tx *tx, const BatchId *batch, const char *document, const char *destination,
                     const char *options, DeliveryId *ret_id, Err *err);

/* Words of the states as arguments. */
#define ARG_WORD(words, value) ARG_TEXT((words)[(value)])

/* Finishes a claim: true with *ret_found when the query gave a row; the query's error otherwise. */
bool claim_ended(Query *query, bool found, bool *ret_found, Err *err);

/* An UPDATE that ends a claim changed no row: it is not there, or not claimed by us. Always false. */
bool not_ours(Err *err, const char *kind, const char *id);

/* Inserts the row of a page as it is (any state of the batch); page->id is set. For page_insert and
 * fsck. */
bool page_row_insert(Tx *tx, Page *page, Err *err);

/* Inserts the row of a batch in any state, and its event; the device is left alone. For batch_insert
 * and fsck. */
bool batch_row_insert(Tx *tx, const Batch *batch, Err *err);

#endif
