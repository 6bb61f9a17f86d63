/* model/batch.h - the Batch: one run of a job at a device; its pages and documents.
 *
 *               last page          pages read     files written        all delivered
 *   RECEIVING ------------> RECEIVED -------> COMPOSING -------> DELIVERING ----------> DONE
 *      |  |                                     ^  |   ^          |      ^
 *      |  |  cancelled at panel or here deliver |  |   |          |      | retry
 *      |  +---------------------> CANCELLED ----+  |   |          v      |
 *      |    failed, server died         deliver |  |   | retry   ATTENTION
 *      +---------------------> BROKEN ----------+  +---|------------^
 *                                                 cannot be composed
 *   DONE -> DELIVERING: a person sends a document to another destination as well
 *   ATTENTION -> CANCELLED: a person gives up what was not delivered
 *
 * A broken batch goes on by itself when its job says keep_partial, a cancelled one only by a person.
 * A page is never changed after it was stored; everything else is derived from pages. */
#ifndef PLATEN_MODEL_BATCH_H
#define PLATEN_MODEL_BATCH_H

#include "base/id.h"
#include "base/limits.h"
#include "model/device-offer.h"
#include "model/job.h"

typedef enum BatchState {
    BATCH_RECEIVING,
    BATCH_RECEIVED,
    BATCH_COMPOSING,
    BATCH_DELIVERING,
    BATCH_DONE,
    BATCH_ATTENTION,
    BATCH_CANCELLED,
    BATCH_BROKEN,
    BATCH_STATE_MAX_
} BatchState;

typedef enum BatchEvent {
    BATCH_EVENT_COMPLETE,  /* the device sent its last page and every page is stored      */
    BATCH_EVENT_CANCEL,    /* a person stopped the scan                                   */
    BATCH_EVENT_BREAK,     /* the scan failed, or the server died while it ran            */
    BATCH_EVENT_COMPOSE,   /* every page was read, planning begins                        */
    BATCH_EVENT_WRITTEN,   /* every file is in out/                                       */
    BATCH_EVENT_DELIVERED, /* every delivery is done                                      */
    BATCH_EVENT_STUCK,     /* nothing moves without a person                              */
    BATCH_EVENT_DELIVER, /* a person (or keep_partial, not of a cancelled one) sends what arrived */
    BATCH_EVENT_RETRY_COMPOSE,
    BATCH_EVENT_RETRY_DELIVERY,
    BATCH_EVENT_GIVE_UP, /* a person has its files removed before all was delivered       */
    BATCH_EVENT_MAX_
} BatchEvent;

extern const char *const batch_state_words[]; /* ends with NULL */

/* The state after the event; false (and *state unchanged) when the event is not allowed there. */
bool batch_step(BatchState *state, BatchEvent event);

/* Why a batch is as it is: a stable word and two sentences. */
typedef struct Reason {
    char code[32]; /* "paper-jam", "connection-lost", "" = none */
    char text[240];
    char remedy[160];
} Reason;

/* What became of the pages, thumbnails and documents in the batch's folder. */
typedef enum BatchFiles {
    BATCH_FILES_KEPT,
    BATCH_FILES_REMOVING, /* decided: whatever is still there will be removed       */
    BATCH_FILES_REMOVED,
    BATCH_FILES_MISSING, /* nobody decided it and the folder is gone; it may come back */
    BATCH_FILES_MAX_
} BatchFiles;
extern const char *const batch_files_words[];

typedef struct Batch {
    BatchId id;
    DeviceId device;
    char device_name[NAME_TEXT_SIZE]; /* as it was at Start              */
    JobId job_id;
    Job job; /* copy as it was at Start         */
    BatchState state;
    Reason reason;
    Wall started_at, changed_at;
    int utc_offset_min; /* of the site at Start            */
    char folder[64];    /* below the spool: "2026-11-22/<id>" */
    uint32_t page_count, document_count;
    /* The feeder delivered the last sheet first (PFN1). Documents have the sheets the other way round;
     * of a sheet the front stays before the back. */
    bool pages_reversed;
    ScanNotes notes; /* settings of the job that the device does otherwise */
    Wall
        sheets_until; /* its feeder is empty: so long more sheets are waited for; 0 = they are not */
    BatchFiles files;
    Wall files_at;      /* of the last change of files, 0 = none */
    char files_why[80]; /* "after 30 days", "by uid:0"           */
} Batch;

/* Why its files are not there, a sentence without its stop: "the files were removed after 30 days". "" when
 * they are kept. */
enum { BATCH_FILES_TEXT_SIZE = 128 };
void batch_files_text(const Batch *batch, char ret_text[BATCH_FILES_TEXT_SIZE]);

/* --- pages ---------------------------------------------------------------------------------------- */
typedef enum PageState {
    PAGE_STORED,  /* durable, not read yet                                   */
    PAGE_READING, /* a worker has it                                         */
    PAGE_READ,    /* facts are known                                         */
    PAGE_UNREAD,  /* its reader died or failed three times: passes with a warning */
    PAGE_DAMAGED, /* not what was stored, or no picture: left out of documents   */
    PAGE_STATE_MAX_
} PageState;
extern const char *const page_state_words[];

/* A page that kills its reader three times passes unread. Composing is tried more often: its workers may be
 * killed from outside, and giving up stops a whole batch. */
enum { PAGE_READ_ATTEMPTS_MAX = 3, COMPOSE_ATTEMPTS_MAX = 8 };

/* How a page is stored: as it came from the device. */
typedef enum PageFormat {
    PAGE_FORMAT_JPEG,
    PAGE_FORMAT_RAW, /* lines and a trailer, see model/raw-page.h */
    PAGE_FORMAT_MAX_
} PageFormat;

/* What is known of a page when it has come. */
typedef struct PageNotes {
    uint32_t scan_dpi; /* asked of the device                                              */
    uint32_t rotation; /* 0, 180: degrees by which the picture must be turned to be upright:
                          backs of feeders that turn the sheet (2SCN) arrive upside down   */
    /* The real size that the device told at the end of the page, from the top left; 0 = as the file says. */
    uint32_t crop_width_px, crop_height_px;
    bool last_first; /* the feeder delivers the last sheet first; kept as Batch.pages_reversed */
} PageNotes;

typedef struct PageFacts {
    uint32_t width_px, height_px, dpi, components;
    char thumbnail[32]; /* file in the batch's folder, "" = none */
} PageFacts;

typedef struct Page {
    int64_t id; /* row */
    BatchId batch;
    uint32_t
        number; /* 1.., unique in the batch: of the n-th sheet that came with two sides 2n-1 is the
                        front and 2n the back, of sheets with one side n the front           */
    char side;  /* 'A' front, 'B' back             */
    char file[32]; /* "p0001a.jpg" in the batch's folder */
    int64_t size_bytes;
    char sha256[65];
    PageNotes notes;
    PageState state;
    uint32_t attempt;
    PageFacts facts;   /* zero until PAGE_READ            */
    char warning[240]; /* "" = none                       */
    Wall stored_at;
} Page;

/* "p0001a.jpg" for number, side and format; of raw pages "p0001a.raw". */
void page_file_name(uint32_t number, char side, PageFormat format, char ret_name[32]);
/* The other way round; false for every other name. */
bool page_file_parse(const char *name, uint32_t *ret_number, char *ret_side,
                     PageFormat *ret_format);

/* --- documents ------------------------------------------------------------------------------------ */
typedef enum DocumentKind { DOCUMENT_PAGES, DOCUMENT_INDEX } DocumentKind;
typedef enum DocumentState {
    DOCUMENT_PLANNED,
    DOCUMENT_WRITING,
    DOCUMENT_WRITTEN,
    DOCUMENT_FAILED, /* COMPOSE_ATTEMPTS_MAX attempts failed */
    DOCUMENT_STATE_MAX_
} DocumentState;
extern const char *const document_kind_words[];
extern const char *const document_state_words[];

typedef struct Document {
    DocumentId id;
    BatchId batch;
    DocumentKind kind;
    uint32_t number;                    /* 1.. within the batch; the index is 0 */
    char name[FILE_NAME_BYTES_MAX + 1]; /* with extension        */
    uint32_t first_page, page_count;    /* a run of pages        */
    DocumentState state;
    uint32_t attempt;
    int64_t size_bytes; /* of the file, 0 until WRITTEN */
    char sha256[65];
    char error[240]; /* of the last attempt          */
} Document;

/* Counts over a batch's rows: all that flow/batch needs to decide the next step. */
typedef struct BatchSummary {
    BatchId id;
    BatchState state;
    bool keep_partial;
    uint32_t pages, pages_unsettled; /* unsettled: STORED or READING                 */
    uint32_t pages_damaged;          /* left out of the documents                    */
    bool planned;                    /* document rows exist                          */
    uint32_t documents, documents_open,
        documents_failed; /* open: PLANNED or WRITING, index included */
    uint32_t deliveries;
    uint32_t
        deliveries_open; /* READY or SENDING; not an index that waits for a delivery to the same
                                 destination which is HELD, FAILED or UNCERTAIN */
    uint32_t deliveries_done;
} BatchSummary;

#endif
