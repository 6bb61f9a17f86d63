/* queue/keeper-compose.c - a composer's keeper: plans a batch, then writes its documents. */
#include "base/log.h"
#include "base/text.h"
#include "model/page-order.h"
#include "queue/keeper.h"
#include "store/batch-rows.h"

#include <stdlib.h>

enum {
    PLAN_TIMEOUT_MS = 60000,
    WRITE_TIMEOUT_BASE_MS = 60000,
    WRITE_SLOWEST_BYTES_PER_MS = 1000, /* 1 MB/s: a slower disk counts as dead */
    LOOK_AGAIN_MS = 1000,
    /* After failed attempt n, n times: a disk that is full for a minute must not stop a batch. */
    PAUSE_AFTER_DEATH_MS = 50,
    PAUSE_WHILE_SCARCE_MS = 2000,
};

/* --- messages --------------------------------------------------------------------------------------- */

static Json *page_message(const Page *page)
{
    Json *message = keeper_page_message(page);

    json_set_int(message, "width_px", page->facts.width_px);
    json_set_int(message, "height_px", page->facts.height_px);
    json_set_int(message, "dpi", page->facts.dpi);
    json_set_int(message, "components", page->facts.components);
    return message;
}

/* Collects pages for a task, by number; those that no document can take are not there. */
typedef struct PageCollector {
    Json *pages;
    uint32_t first, left; /* 0, UINT32_MAX: all */
    uint32_t scan_dpi;
    int64_t bytes;
} PageCollector;

static bool collect_page(void *arg, const Page *page)
{
    PageCollector *c = arg;

    if (page->state == PAGE_DAMAGED || page->number < c->first)
        return true;
    if (c->left-- == 0)
        return false;
    json_add_take(c->pages, page_message(page));
    c->scan_dpi = page->notes.scan_dpi;
    c->bytes += page->size_bytes;
    return true;
}

/* The pages in the order in which people read them; NULL when memory is gone. */
static Json *in_reading_order(const Json *pages, bool last_first)
{
    size_t n = json_count(pages);
    PageKey *keys = calloc(n + 1, sizeof *keys);

    if (!keys)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        const Json *page = json_item(pages, i);

        keys[i] = (PageKey){ .number = (uint32_t)json_get_int(page, "number", 0),
                             .side = json_get_text(page, "side")[0],
                             .index = (uint32_t)i };
    }
    page_order(keys, n, last_first);
    Json *ordered = json_new_array();
    for (size_t i = 0; i < n; i++)
        json_add_take(ordered, json_clone(json_item(pages, keys[i].index)));
    free(keys);
    return ordered;
}

/* --- attempts that fail ------------------------------------------------------------------------------ */

/* One task and its result. False: *ret_pause_ms is how long to wait before the next attempt. */
static bool attempt(Keeper *keeper, const Json *task, int64_t timeout_ms, uint32_t number,
                    Json **ret_result, int64_t *ret_pause_ms, Err *err)
{
    *ret_pause_ms = (int64_t)number * PAUSE_AFTER_DEATH_MS;
    if (!keeper_task(keeper, task, timeout_ms, NULL, ret_result, err))
        return false;
    if (keeper_result_ok(*ret_result, err))
        return true;
    if (err->kind == ERR_TEMPORARY)
        *ret_pause_ms = (int64_t)number * PAUSE_WHILE_SCARCE_MS;
    return false;
}

/* The result of an attempt into the database. A result that the database refuses for good is a
 * failure of the attempt like any other, or the claim would stay for ever. */
static bool settle(Keeper *keeper, StoreWrite *write, void *work, char failure[240],
                   const char *what)
{
    Err err = { 0 };

    if (keeper_write(keeper, write, work, what, &err))
        return true;
    if (err.kind == ERR_TEMPORARY || failure[0])
        return false;
    (void)text_copy(failure, 240, err.text);
    return keeper_write(keeper, write, work, what, &err);
}

/* --- plan --------------------------------------------------------------------------------------------- */
typedef struct PlanWork {
    Batch batch;
    bool found;
    uint32_t attempt;
    PlannedDocument *documents;
    size_t count;
    int64_t pause_ms;
    char failure[240];
} PlanWork;

static bool plan_claim_write(Tx *tx, void *arg, Err *err)
{
    PlanWork *work = arg;

    return plan_claim(tx, &work->batch, &work->attempt, &work->found, err);
}

static bool plan_result_write(Tx *tx, void *arg, Err *err)
{
    const PlanWork *work = arg;
    const BatchId *id = &work->batch.id;
    bool given_up = false;

    if (!work->failure[0])
        return plan_done(tx, id, work->documents, work->count, err) &&
               queue_batch_advance(tx, id, err);
    if (!plan_failed(tx, id, work->failure, &given_up, err))
        return false;
    if (!given_up)
        return true;
    Reason reason = { .code = "compose-failed", .remedy = "Mend the cause, then retry the batch." };
    (void)text_copy(reason.text, sizeof reason.text, work->failure);
    return batch_apply(tx, id, BATCH_EVENT_STUCK, &reason, err);
}

static bool take_planned(const Json *message, DocumentKind kind, PlannedDocument *ret, Err *err)
{
    const Json *pages = json_get(message, "pages");

    *ret = (PlannedDocument){ .kind = kind };
    ret->number = (uint32_t)json_get_int(message, "number", 0);
    ret->page_count = (uint32_t)json_count(pages);
    for (uint32_t i = 0; i < ret->page_count; i++) { /* a run of numbers, in any order */
        uint32_t page = (uint32_t)json_int(json_item(pages, i), 0);

        if (i == 0 || page < ret->first_page)
            ret->first_page = page;
    }
    if (!text_printf(ret->name, sizeof ret->name, "%s.%s", json_get_text(message, "name"),
                     json_get_text(message, "extension")))
        return err_set(err, ERR_PERMANENT, 0, "the worker planned a name that is too long");
    if (kind == DOCUMENT_PAGES && (ret->page_count == 0 || ret->first_page == 0))
        return err_set(err, ERR_PERMANENT, 0, "the worker planned a document without pages");
    return true;
}

static bool take_plan(PlanWork *work, const Json *result, Err *err)
{
    const Json *documents = json_get(result, "documents"), *index = json_get(result, "index");
    size_t n = json_count(documents);

    if (n == 0 || n > BATCH_PAGES_MAX)
        return err_set(err, ERR_PERMANENT, 0, "the worker planned %zu documents", n);
    work->documents = calloc(n + 1, sizeof *work->documents);
    if (!work->documents)
        return err_set(err, ERR_TEMPORARY, 0, "no memory for %zu documents", n);
    for (size_t i = 0; i < n; i++)
        if (!take_planned(json_item(documents, i), DOCUMENT_PAGES, &work->documents[i], err))
            return false;
    work->count = n;
    if (json_kind(index) != JSON_OBJ)
        return true;
    work->count++;
    return take_planned(index, DOCUMENT_INDEX, &work->documents[n], err);
}

static bool plan(Keeper *keeper, PlanWork *work, Err *err)
{
    PageCollector pages = { .pages = json_new_array(), .left = UINT32_MAX };
    AUTO(Json) task = keeper_new_task(keeper, "plan", work->batch.id.text, work->batch.folder);
    AUTO(Json) result = NULL;

    bool listed = page_list(reader_db(keeper->reader), &work->batch.id, collect_page, &pages, err);
    json_set_take(task, "batch", keeper_batch_message(&work->batch));
    json_set_take(task, "pages", pages.pages);
    return listed &&
           attempt(keeper, task, PLAN_TIMEOUT_MS, work->attempt, &result, &work->pause_ms, err) &&
           take_plan(work, result, err);
}

/* Plans one batch if one waits; *ret_found says so. */
static bool plan_one(Keeper *keeper, bool *ret_found)
{
    PlanWork work = { 0 };
    Err err = { 0 };

    if (!keeper_write(keeper, plan_claim_write, &work, "plan-claim", &err))
        return false;
    *ret_found = work.found;
    if (!work.found)
        return true;
    if (!plan(keeper, &work, &err)) {
        char quoted[256];

        (void)text_copy(work.failure, sizeof work.failure, err.text);
        log_line(LOG_WARNING, "plan.failed", "batch=%s attempt=%u error=%s", work.batch.id.text,
                 work.attempt, log_quote(quoted, sizeof quoted, err.text));
        keeper_pause(keeper, work.pause_ms);
    }
    bool ok = settle(keeper, plan_result_write, &work, work.failure, "plan-result");
    free(work.documents);
    return ok;
}

/* --- write ---------------------------------------------------------------------------------------------- */
typedef struct WriteWork {
    DocumentClaim claim;
    bool found;
    int64_t size_bytes, pause_ms;
    char sha256[65];
    char failure[240];
} WriteWork;

static bool document_claim_write(Tx *tx, void *arg, Err *err)
{
    WriteWork *work = arg;

    return document_claim(tx, &work->claim, &work->found, err);
}

static bool document_result_write(Tx *tx, void *arg, Err *err)
{
    const WriteWork *work = arg;
    const Document *document = &work->claim.document;
    bool ok = work->failure[0]
                  ? document_write_failed(tx, &document->id, work->failure, err)
                  : document_written(tx, &document->id, work->size_bytes, work->sha256, err);

    return ok && queue_batch_advance(tx, &document->batch, err);
}

static Json *index_task(Keeper *keeper, const DocumentClaim *claim, Err *err)
{
    AUTO(Json)
    task = keeper_new_task(keeper, "write-index", claim->document.id.text, claim->batch.folder);
    Json *index = json_new_object(), *documents = json_new_array();
    bool listed = document_list(reader_db(keeper->reader), &claim->batch.id, keeper_add_index_row,
                                documents, err);

    json_set_text(index, "name", claim->document.name);
    json_set_take(task, "index", index);
    json_set_take(task, "documents", documents);
    json_set_take(task, "batch", keeper_batch_message(&claim->batch));
    return listed ? STEAL(task) : NULL;
}

static Json *pages_task(Keeper *keeper, const DocumentClaim *claim, int64_t *ret_bytes, Err *err)
{
    const Document *d = &claim->document;
    PageCollector pages = { .pages = json_new_array(),
                            .first = d->first_page,
                            .left = d->page_count };
    AUTO(Json) task = keeper_new_task(keeper, "write", d->id.text, claim->batch.folder);
    Json *document = json_new_object();
    bool listed = page_list(reader_db(keeper->reader), &claim->batch.id, collect_page, &pages, err);

    json_set_int(document, "number", d->number);
    json_set_text(document, "name", d->name);
    json_set_text(document, "format", file_format_words[claim->batch.job.file_format]);
    json_set_text(document, "title", d->name);
    json_set_int(document, "quality", claim->batch.job.jpeg_quality);
    json_set_take(document, "pages", in_reading_order(pages.pages, claim->batch.pages_reversed));
    json_free(pages.pages);
    json_set_int(task, "scan_dpi", pages.scan_dpi);
    json_set_take(task, "document", document);
    json_set_int(task, "created_ms", claim->batch.started_at.ms);
    json_set_int(task, "utc_offset_min", claim->batch.utc_offset_min);
    *ret_bytes = pages.bytes;
    if (listed && json_count(json_get(document, "pages")) != d->page_count)
        listed = err_set(err, ERR_PERMANENT, 0, "pages of the document are not there any more");
    return listed ? STEAL(task) : NULL;
}

static bool write_document(Keeper *keeper, WriteWork *work, Err *err)
{
    int64_t bytes = 0;
    AUTO(Json)
    task = work->claim.document.kind == DOCUMENT_INDEX
               ? index_task(keeper, &work->claim, err)
               : pages_task(keeper, &work->claim, &bytes, err);
    AUTO(Json) result = NULL;
    int64_t timeout_ms = WRITE_TIMEOUT_BASE_MS + bytes / WRITE_SLOWEST_BYTES_PER_MS;

    if (!task || !attempt(keeper, task, timeout_ms, work->claim.document.attempt, &result,
                          &work->pause_ms, err))
        return false;
    work->size_bytes = json_get_int(result, "size", 0);
    if (work->size_bytes <= 0 ||
        !text_copy(work->sha256, sizeof work->sha256, json_get_text(result, "sha256")))
        return err_set(err, ERR_PERMANENT, 0, "the worker reported a file without size or hash");
    return true;
}

/* Writes one document if one waits; *ret_found says so. */
static bool write_one(Keeper *keeper, bool *ret_found)
{
    WriteWork work = { 0 };
    Err err = { 0 };

    if (!keeper_write(keeper, document_claim_write, &work, "document-claim", &err))
        return false;
    *ret_found = work.found;
    if (!work.found)
        return true;
    if (!write_document(keeper, &work, &err)) {
        char quoted[256];

        (void)text_copy(work.failure, sizeof work.failure, err.text);
        log_line(LOG_WARNING, "document.failed", "batch=%s document=%s attempt=%u error=%s",
                 work.claim.batch.id.text, work.claim.document.id.text, work.claim.document.attempt,
                 log_quote(quoted, sizeof quoted, err.text));
        keeper_pause(keeper, work.pause_ms);
    }
    return settle(keeper, document_result_write, &work, work.failure, "document-result");
}

void keeper_compose(Keeper *keeper)
{
    while (!keeper_stopping(keeper->queue)) {
        uint64_t ticket = keeper_ticket(keeper);
        bool planned = false, wrote = false;
        bool ok = plan_one(keeper, &planned) && write_one(keeper, &wrote);

        if (planned || wrote)
            queue_wake(keeper->queue);
        else if (!keeper_sleep(keeper, ticket, ok ? -1 : LOOK_AGAIN_MS))
            return;
    }
}
