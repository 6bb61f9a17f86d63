/* store/batch-rows.h - what runs: batches, pages, documents, deliveries; who has claimed them.
 *
 * A claim writes the boot generation as its owner; store_recover() frees what older generations
 * own. These verbs keep rows true to the state tables of model/ (a step that the table does not
 * have is ERR_CONFLICT) but decide nothing: the steps come from flow/. */
#ifndef PLATEN_STORE_BATCH_ROWS_H
#define PLATEN_STORE_BATCH_ROWS_H

#include "model/batch.h"
#include "model/delivery.h"
#include "model/device.h"
#include "model/name.h"
#include "store/store.h"

/* --- receiving --------------------------------------------------------------------------------- */

/* A new batch in state RECEIVING; the device's step SCAN_STARTS. ERR_CONFLICT when the device has a
 * batch in state RECEIVING, ERR_DENIED when it is not registered. */
bool batch_insert(Tx *tx, const Batch *batch, Err *err);

/* From now on its feeder is waited for so many seconds, 0: not any more. Any end of RECEIVING ends the wait. */
bool batch_waits(Tx *tx, const BatchId *id, uint32_t seconds, Err *err);

/* A batch that began and of which nothing came, not even a scan: takes it out again with its events, as if Start had not
 * been pressed, and frees its device, whose last scan was then at last_scan. Event "scan.forgotten" of the device says
 * why. Its folder is the caller's. No such row: the same. ERR_BUG when it has pages. */
bool batch_withdraw(Tx *tx, const Batch *batch, Wall last_scan, const char *why, Err *err);

/* What its device does otherwise than the job says; replaces what was noted before. */
bool batch_note(Tx *tx, const BatchId *id, const ScanNotes *notes, Err *err);

/* A page that is durable in the spool, of a batch that is RECEIVING, BROKEN or CANCELLED (the scan may
 * have ended while the page was written). page->id is set. ERR_CONFLICT: number and side are there, or
 * the batch is in another state. */
bool page_insert(Tx *tx, Page *page, Err *err);

/* One step of the batch's table; reason NULL = keep. Leaving RECEIVING is also the device's step
 * SCAN_ENDED. Writes an event row. */
bool batch_apply(Tx *tx, const BatchId *id, BatchEvent event, const Reason *reason, Err *err);

/* What flow needs to decide about a batch. */
bool batch_summary(Db *db, const BatchId *id, BatchSummary *ret_summary, Err *err);

/* The batch is DELIVERING and a document of it waits for its turn or is under way: then the end of another delivery
 * changes nothing, and nothing needs to be counted. */
bool batch_moves(Db *db, const BatchId *id, bool *ret_moves, Err *err);

/* --- tasks of workers ------------------------------------------------------------------------------ */

/* Each claim: true with *ret_found=false when there is nothing to do now. What ends a claim is refused
 * (ERR_CONFLICT) when the row is not claimed by this generation. */
typedef struct PageClaim {
    Page page;
    char folder[64];
} PageClaim;
/* The oldest STORED page; attempt + 1. */
bool page_claim(Tx *tx, PageClaim *ret_claim, bool *ret_found, Err *err);
/* warning: what a person should know of the picture, "" = nothing. */
bool page_read_done(Tx *tx, int64_t page_id, const PageFacts *facts, const char *warning, Err *err);
/* Back to STORED, or after PAGE_READ_ATTEMPTS_MAX, with the warning, to UNREAD: the reader died; or
 * when damaged to DAMAGED: the reader says that no document can take the page. */
bool page_read_failed(Tx *tx, int64_t page_id, bool damaged, const char *warning, Err *err);

/* A batch in COMPOSING without documents whose pages are all settled; a plan attempt is counted. */
bool plan_claim(Tx *tx, Batch *ret_batch, uint32_t *ret_attempt, bool *ret_found, Err *err);
/* The plan failed: freed for another attempt, or after COMPOSE_ATTEMPTS_MAX the claim stays given
 * up (plan attempts are reset by RETRY_COMPOSE); *ret_given_up says which. */
bool plan_failed(Tx *tx, const BatchId *id, const char *text, bool *ret_given_up, Err *err);

typedef struct PlannedDocument {
    DocumentKind kind;
    char name[NAME_TEMPLATE_SIZE + 16]; /* with extension; may hold {seq:N} (model/name.h) */
    uint32_t number, first_page, page_count;
} PlannedDocument;
/* Inserts the documents (counter of the job taken for each name with {seq:N}, names made unique in
 * the batch by _2, _3 ..., upper and lower case taken as the same). Counters are never taken twice.
 * The index is a document with number 0, behind the others; its {seq:N} is that of the first document.
 * ERR_CONFLICT when it has documents or is not ours. */
bool plan_done(Tx *tx, const BatchId *id, const PlannedDocument *documents, size_t count, Err *err);

/* A PLANNED document of a batch in COMPOSING; the index only when all others are WRITTEN. */
typedef struct DocumentClaim {
    Document document;
    Batch batch;
} DocumentClaim;
bool document_claim(Tx *tx, DocumentClaim *ret_claim, bool *ret_found, Err *err);
bool document_written(Tx *tx, const DocumentId *id, int64_t size_bytes, const char *sha256,
                      Err *err);
/* Back to PLANNED, or after COMPOSE_ATTEMPTS_MAX to FAILED. */
bool document_write_failed(Tx *tx, const DocumentId *id, const char *text, Err *err);

/* A batch none of whose destinations exists any more, as after the loss of the database, takes those of
 * the job that has its job's name now. Does nothing while one exists; ERR_CONFLICT when there is no
 * such job. */
bool batch_adopt_destinations(Tx *tx, const BatchId *id, Err *err);

/* One delivery per document and destination of the batch's job, state READY, due now. A destination
 * that is no more gives a delivery that is HELD and says so. ERR_CONFLICT unless every document is
 * WRITTEN, or when there are deliveries already. */
bool deliveries_insert(Tx *tx, const BatchId *id, Err *err);

/* A READY delivery that is due, to a destination that is not among busy[] (or to `only` when not
 * NULL). The index of a batch only after all its other deliveries to that destination are DONE. A
 * reserved name that another delivery has used at the same place meanwhile is not told: the file
 * there is that one's, even if it looks the same. */
typedef struct DeliveryClaim {
    Delivery delivery;
    Document document;
    Batch batch;
    char kind[32];
    char options[OPTIONS_TEXT_SIZE]; /* of the batch's job for this destination, "" = none */
    char settings[SETTINGS_TEXT_SIZE];
    char destination_name[NAME_TEXT_SIZE];
    unsigned parallel; /* deliveries to it at the same time */
    int64_t expiry_ms;
} DeliveryClaim;
bool delivery_claim(Tx *tx, const DestinationId *only, const DestinationId *busy, size_t busy_count,
                    DeliveryClaim *ret_claim, bool *ret_found, Err *err);
/* Commits the name before "go"; SENDING and ours only. */
bool delivery_reserve(Tx *tx, const DeliveryId *id, const char *name, Err *err);
/* The documents of a batch that are DONE at a destination, index left out, as document_list, but with the
 * name each has there. */
typedef bool DocumentVisit(void *arg, const Document *document);
bool delivered_list(Db *db, const BatchId *id, const DestinationId *destination,
                    DocumentVisit *visit, void *arg, Err *err);
/* The attempt ended: event from the retry policy, due when it is RETRY_LATER. Writes an attempt row. */
bool delivery_ended(Tx *tx, const DeliveryId *id, DeliveryEvent event, const DeliveryResult *result,
                    Wall due, Err *err);
/* Earliest due time of a READY delivery that delivery_claim with the same only and busy may give;
 * *ret_due.ms = INT64_MAX when none. */
bool delivery_next_due(Db *db, const DestinationId *only, const DestinationId *busy,
                       size_t busy_count, Wall *ret_due, Err *err);

/* A person acts on one delivery: RETRY_NOW, HOLD, DROP or CONFIRM. note: who and why, shown. ERR_NOT_FOUND;
 * ERR_CONFLICT with a remedy when its state does not allow it, or a retry's destination is stopped or
 * gone, or the batch's files are. The batch is the caller's. */
bool delivery_act(Tx *tx, const DeliveryId *id, DeliveryEvent event, const char *note, Err *err);
/* One more delivery of the same document to another destination; one that is not done is dropped with the
 * note. options: JSON object for the kind, "" = none. ERR_CONFLICT when the document goes there
 * already, or the batch's files are gone. */
bool delivery_elsewhere(Tx *tx, const DeliveryId *id, const DestinationId *destination,
                        const char *options, const char *note, DeliveryId *ret_id, Err *err);
/* The batches with deliveries to a destination that are READY or HELD, one call each; visit may change
 * them. */
typedef bool BatchIdVisit(void *arg, const BatchId *id);
bool destination_batches(Db *db, const DestinationId *id, BatchIdVisit *visit, void *arg, Err *err);

/* --- by hand and at start ------------------------------------------------------------------------- */

/* A person's retry: FAILED documents become PLANNED, plan attempts are forgotten; HELD, FAILED and
 * UNCERTAIN deliveries become READY now, and so do those that wait for another attempt, unless their destination is no more. DAMAGED pages are read
 * again as long as there are no documents.
 * *ret_documents/ret_deliveries: how many. */
bool batch_retry_rows(Tx *tx, const BatchId *id, uint32_t *ret_documents, uint32_t *ret_deliveries,
                      Err *err);

/* Frees everything claimed by older generations (pages, documents, plans: that attempt is not counted;
 * deliveries: due now, with an attempt row), and lists batches that were RECEIVING (they broke)
 * through visit. Called once, after the older process and its workers are dead. */
bool store_recover(Tx *tx, BatchIdVisit *broken, void *arg, Err *err);

/* Every batch not DONE, CANCELLED or BROKEN, oldest first. */
bool batch_open_list(Db *db, BatchIdVisit *visit, void *arg, Err *err);

/* --- lists for API ---------------------------------------------------------------------------------- */
bool batch_get(Db *db, const BatchId *id, Batch *ret_batch, Err *err);
typedef bool BatchVisit(void *arg, const Batch *batch);
/* Newest first. before: only batches with an id below it ("" = from the newest). state: -1 = all. */
bool batch_list(Db *db, const char *before, int state, uint32_t limit, BatchVisit *visit, void *arg,
                Err *err);
typedef bool PageVisit(void *arg, const Page *page);
bool page_list(Db *db, const BatchId *id, PageVisit *visit, void *arg, Err *err); /* by number */
bool page_get(Db *db, const BatchId *id, uint32_t number, Page *ret_page, Err *err);
bool document_list(Db *db, const BatchId *id, DocumentVisit *visit, void *arg, Err *err);
bool document_get(Db *db, const BatchId *id, const DocumentId *document, Document *ret_document,
                  Err *err);
typedef bool DeliveryVisit(void *arg, const Delivery *delivery, const char *destination_name);
bool delivery_list(Db *db, const BatchId *id, DeliveryVisit *visit, void *arg, Err *err);

bool delivery_get(Db *db, const DeliveryId *id, Delivery *ret_delivery,
                  char ret_destination_name[NAME_TEXT_SIZE], Err *err); /* ERR_NOT_FOUND */
/* The outbox, newest first. before: only ids below it ("" = from the newest); state: -1 = all; destination:
 * "" = all. */
bool delivery_list_all(Db *db, const char *before, int state, const char *destination,
                       uint32_t limit, DeliveryVisit *visit, void *arg, Err *err);
/* Its attempts, oldest first. */
typedef bool AttemptVisit(void *arg, uint32_t number, Wall ended_at, const DeliveryResult *result);
bool attempt_list(Db *db, const DeliveryId *id, AttemptVisit *visit, void *arg, Err *err);

/* History of one batch or of everything: what happened, when. A reason's text and its remedy are whole in one. */
enum { EVENT_TEXT_SIZE = sizeof((Reason *)0)->text + sizeof((Reason *)0)->remedy + 2 };
typedef struct Event {
    int64_t id; /* rising */
    Wall at;
    char batch[ID_TEXT_SIZE], device[ID_TEXT_SIZE]; /* "" = none */
    char kind[40];                                  /* "batch.received" */
    char text[EVENT_TEXT_SIZE];
    /* Read only: what the device is called now, its address without a name, its id when it was deleted. */
    char device_name[NAME_TEXT_SIZE];
} Event;
bool event_insert(Tx *tx, Event *event, Err *err); /* id and at are set */
typedef bool EventVisit(void *arg, const Event *event);

/* The id of the newest event, 0 = none. */
bool event_newest(Db *db, int64_t *ret_id, Err *err);

/* After each commit: called on the writer thread for every event row it added, in order. Quick. Only
 * what is committed after this call is told. Blocks; not from the loop, http or writer thread. */
bool store_on_event(Store *store, void (*on_event)(void *arg, const Event *event), void *arg,
                    Err *err);

/* Which events; what is 0 or NULL or "" does not narrow. kind: "batch.done", or "batch" for all of those. */
typedef struct EventFilter {
    int64_t after, before; /* ids, both excluded */
    const char *batch, *device, *kind;
    bool newest_first; /* else oldest first */
    uint32_t limit;
} EventFilter;
bool event_list(Db *db, const EventFilter *filter, EventVisit *visit, void *arg, Err *err);

/* Counts for metrics and health. */
typedef struct StoreCounts {
    int64_t batches[BATCH_STATE_MAX_];
    int64_t deliveries[DELIVERY_STATE_MAX_];
    int64_t devices[DEVICE_STATE_MAX_];
    int64_t contacts[DEVICE_CONTACT_MAX_]; /* of approved devices */
    int64_t pages;                         /* ever stored */
    int64_t batches_removed;               /* whose files were removed, ever */
    int64_t batches_removing;              /* whose files are to be removed now */
    Wall oldest_open_delivery;             /* created_at; 0 = none */
} StoreCounts;
bool store_counts(Db *db, StoreCounts *ret_counts, Err *err);

#endif
