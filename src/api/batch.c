/* api/batch.c - batches over HTTP: what ran, how far it came, and what a person can do about it. */
#include "api/batch.h"

#include "api/delivery.h"
#include "api/noun.h"
#include "base/limits.h"
#include "base/text.h"
#include "store/scan-json.h"

enum { BATCHES_LIMIT_MAX = 200, BATCHES_LIMIT_PRESET = 50 };

/* --- showing ------------------------------------------------------------------------------------------ */

static Json *batch_show(const Batch *batch)
{
    Json *object = json_new_object();

    json_set_text(object, "id", batch->id.text);
    json_set_text(object, "state", batch_state_words[batch->state]);
    if (batch->reason.code[0]) {
        Json *reason = json_new_object();

        json_set_text(reason, "code", batch->reason.code);
        json_set_text(reason, "text", batch->reason.text);
        json_set_text(reason, "remedy", batch->reason.remedy);
        json_set_take(object, "reason", reason);
    }
    if (batch->sheets_until.ms > 0) {
        json_set_text(object, "waits_for", "more-sheets");
        json_set_wall_at(object, "waits_until", batch->sheets_until, batch->utc_offset_min);
    }
    json_set_text(object, "device_id", batch->device.text);
    json_set_text(object, "device_name", batch->device_name);
    json_set_text(object, "job_id", batch->job_id.text);
    json_set_text(object, "job_name", batch->job.name);
    json_set_wall_at(object, "started_at", batch->started_at, batch->utc_offset_min);
    json_set_wall_at(object, "changed_at", batch->changed_at, batch->utc_offset_min);
    json_set_int(object, "pages", batch->page_count);
    json_set_bool(object, "pages_reversed", batch->pages_reversed);
    if (batch->notes.count > 0)
        json_set_take(object, "notes", notes_json(&batch->notes));
    json_set_int(object, "documents", batch->document_count);
    json_set_text(object, "files", batch_files_words[batch->files]);
    if (batch->files != BATCH_FILES_KEPT) {
        char why[BATCH_FILES_TEXT_SIZE];

        batch_files_text(batch, why);
        json_set_wall_at(object, "files_at", batch->files_at, batch->utc_offset_min);
        json_set_text(object, "files_text", why);
    }
    return object;
}

static Json *page_show(const Page *page, int utc_offset_min)
{
    Json *object = json_new_object();
    char side[2] = { page->side, '\0' };

    json_set_int(object, "number", page->number);
    json_set_text(object, "side", side);
    json_set_text(object, "state", page_state_words[page->state]);
    json_set_int(object, "size_bytes", page->size_bytes);
    json_set_text(object, "sha256", page->sha256);
    json_set_int(object, "scan_dpi", page->notes.scan_dpi);
    json_set_int(object, "rotation", page->notes.rotation);
    if (page->notes.crop_width_px > 0) {
        json_set_int(object, "crop_width_px", page->notes.crop_width_px);
        json_set_int(object, "crop_height_px", page->notes.crop_height_px);
    }
    json_set_text(object, "file", page->file);
    if (page->facts.width_px > 0) {
        json_set_int(object, "width_px", page->facts.width_px);
        json_set_int(object, "height_px", page->facts.height_px);
        json_set_int(object, "dpi", page->facts.dpi);
        json_set_int(object, "components", page->facts.components);
    }
    if (page->warning[0])
        json_set_text(object, "warning", page->warning);
    json_set_wall_at(object, "stored_at", page->stored_at, utc_offset_min);
    return object;
}

static Json *document_show(const Document *document)
{
    Json *object = json_new_object();

    json_set_text(object, "id", document->id.text);
    json_set_int(object, "number", document->number);
    json_set_text(object, "kind", document_kind_words[document->kind]);
    json_set_text(object, "name", document->name);
    json_set_int(object, "first_page", document->first_page);
    json_set_int(object, "page_count", document->page_count);
    json_set_text(object, "state", document_state_words[document->state]);
    json_set_int(object, "attempts", document->attempt);
    if (document->state == DOCUMENT_WRITTEN) {
        json_set_int(object, "size_bytes", document->size_bytes);
        json_set_text(object, "sha256", document->sha256);
    }
    if (document->error[0])
        json_set_text(object, "error", document->error);
    return object;
}

/* --- lists ---------------------------------------------------------------------------------------------- */

typedef struct BatchList {
    Json *items;
    char last[ID_TEXT_SIZE];
} BatchList;

static bool list_batch(void *arg, const Batch *batch)
{
    BatchList *list = arg;

    json_add_take(list->items, batch_show(batch));
    return text_copy(list->last, sizeof list->last, batch->id.text);
}

static bool batches_get(HttpRequest *req, HttpResponse *res, Err *err)
{
    AUTO_READ read = api_read(req, err);
    const char *before = http_request_query(req, "before");
    AUTO(Json) answer = json_new_object();
    BatchList list = { .items = json_new_array() };
    int64_t limit;
    int state;

    json_set_take(answer, "items", list.items); /* borrowed by list from here */
    if (!read.db || !query_state(req, "a batch", batch_state_words, &state, err) ||
        !http_request_query_int(req, "limit", 1, BATCHES_LIMIT_MAX, BATCHES_LIMIT_PRESET, &limit,
                                err))
        return false;
    if (before && !id_text_is_valid(before)) {
        err_set(err, ERR_BAD_INPUT, 0, "before is not the id of a batch");
        return err_field(err, "before");
    }
    if (!batch_list(read.db, before ? before : "", state, (uint32_t)limit, list_batch, &list, err))
        return false;
    if (json_count(list.items) == (size_t)limit)
        json_set_text(answer, "next", list.last);
    else
        json_set_null(answer, "next");
    http_response_json(res, STEAL(answer));
    return true;
}

bool batch_of_path(Db *db, HttpRequest *req, Batch *ret_batch, Err *err)
{
    BatchId id;

    return api_path_id(req, "id", id.text, err) && batch_get(db, &id, ret_batch, err);
}

static bool count_delivery(void *arg, const Delivery *delivery, const char *destination_name)
{
    int64_t *counts = arg;

    (void)destination_name;
    counts[delivery->state]++;
    return true;
}

bool batch_answer_id(HttpRequest *req, HttpResponse *res, const BatchId *id, Err *err)
{
    AUTO_READ read = api_read(req, err);
    int64_t counts[DELIVERY_STATE_MAX_] = { 0 };
    Json *object, *deliveries;
    Batch batch;

    if (!read.db || !batch_get(read.db, id, &batch, err) ||
        !delivery_list(read.db, &batch.id, count_delivery, counts, err))
        return false;
    object = batch_show(&batch);
    json_set_take(object, "job", json_from_fields(job_fields, &batch.job, false));
    deliveries = json_new_object();
    for (int i = 0; i < DELIVERY_STATE_MAX_; i++)
        json_set_int(deliveries, delivery_state_words[i], counts[i]);
    json_set_take(object, "deliveries", deliveries);
    http_response_json(res, object);
    return true;
}

static bool batch_answer(HttpRequest *req, HttpResponse *res, Err *err)
{
    BatchId id;

    return api_path_id(req, "id", id.text, err) && batch_answer_id(req, res, &id, err);
}

typedef struct PartList {
    Json *items;
    int utc_offset_min;
} PartList;

static bool list_page(void *arg, const Page *page)
{
    PartList *list = arg;

    json_add_take(list->items, page_show(page, list->utc_offset_min));
    return true;
}

static bool list_document(void *arg, const Document *document)
{
    PartList *list = arg;

    json_add_take(list->items, document_show(document));
    return true;
}

static bool list_delivery(void *arg, const Delivery *delivery, const char *destination_name)
{
    PartList *list = arg;

    json_add_take(list->items, delivery_show(delivery, destination_name, list->utc_offset_min));
    return true;
}

typedef enum BatchPart { PART_PAGES, PART_DOCUMENTS, PART_DELIVERIES } BatchPart;

static bool parts_answer(HttpRequest *req, HttpResponse *res, BatchPart part, Err *err)
{
    AUTO_READ read = api_read(req, err);
    AUTO(Json) items = json_new_array();
    PartList list = { .items = items };
    Batch batch;
    bool ok = read.db && batch_of_path(read.db, req, &batch, err);

    if (!ok)
        return false;
    list.utc_offset_min = batch.utc_offset_min;
    if (part == PART_PAGES)
        ok = page_list(read.db, &batch.id, list_page, &list, err);
    else if (part == PART_DOCUMENTS)
        ok = document_list(read.db, &batch.id, list_document, &list, err);
    else
        ok = delivery_list(read.db, &batch.id, list_delivery, &list, err);
    if (ok)
        api_items(res, STEAL(items));
    return ok;
}

static bool pages_get(HttpRequest *req, HttpResponse *res, Err *err)
{
    return parts_answer(req, res, PART_PAGES, err);
}

static bool documents_get(HttpRequest *req, HttpResponse *res, Err *err)
{
    return parts_answer(req, res, PART_DOCUMENTS, err);
}

static bool deliveries_get(HttpRequest *req, HttpResponse *res, Err *err)
{
    return parts_answer(req, res, PART_DELIVERIES, err);
}

/* --- what a person can do ---------------------------------------------------------------------------------- */

typedef bool BatchAct(Queue *queue, const Actor *actor, const BatchId *id, Err *err);

static bool batch_act(HttpRequest *req, HttpResponse *res, BatchAct *act, Err *err)
{
    Actor actor = api_actor(req);
    BatchId id;

    return api_path_id(req, "id", id.text, err) &&
           act(api_config(api_of(req))->queue, &actor, &id, err) && batch_answer(req, res, err);
}

static bool batch_deliver(HttpRequest *req, HttpResponse *res, Err *err)
{
    return batch_act(req, res, queue_batch_deliver, err);
}

static bool batch_retry(HttpRequest *req, HttpResponse *res, Err *err)
{
    return batch_act(req, res, queue_batch_retry, err);
}

static bool batch_end_scan(HttpRequest *req, HttpResponse *res, ApiEndScan *end, Err *err)
{
    Actor actor = api_actor(req);
    BatchId id;

    if (!api_path_id(req, "id", id.text, err))
        return false;
    if (!end)
        return err_set(err, ERR_TEMPORARY, 0, "this server serves no devices");
    return end(api_config(api_of(req))->scan_arg, &actor, &id, err) &&
           batch_answer_id(req, res, &id, err);
}

static bool batch_cancel(HttpRequest *req, HttpResponse *res, Err *err)
{
    return batch_end_scan(req, res, api_config(api_of(req))->cancel_scan, err);
}

static bool batch_finish(HttpRequest *req, HttpResponse *res, Err *err)
{
    return batch_end_scan(req, res, api_config(api_of(req))->finish_scan, err);
}

static bool batch_purge(HttpRequest *req, HttpResponse *res, Err *err)
{
    const char *undelivered = http_request_query(req, "undelivered");
    Actor actor = api_actor(req);
    BatchId id;

    if (undelivered && !text_equal(undelivered, "true") && !text_equal(undelivered, "false")) {
        err_set(err, ERR_BAD_INPUT, 0, "undelivered is neither true nor false");
        return err_field(err, "undelivered");
    }
    return api_path_id(req, "id", id.text, err) &&
           queue_batch_purge(api_config(api_of(req))->queue, &actor, &id,
                             undelivered && text_equal(undelivered, "true"), err) &&
           batch_answer(req, res, err);
}

static const RouteParameter purge_query[] = {
    { "undelivered", "boolean",
      "Also of a batch that is cancelled, broken or needs attention: give up what was not "
      "delivered." },
    { .name = NULL },
};

static const RouteParameter list_query[] = {
    { "before", "string",
      "Only batches older than the one with this id: next of the last answer." },
    { "limit", "integer", "How many at most, 1 to 200; 50 when absent." },
    { "state", "string", "Only batches in this state." },
    { .name = NULL },
};

const Route batch_routes[] = {
    { "GET", "/api/v1/batches", "batches.read", batches_get, "Lists batches, newest first.",
      .query = list_query, .answer = "BatchList" },
    { "GET", "/api/v1/batches/{id}", "batches.read", batch_answer,
      "Answers one batch: its job as it was at Start, why it waits, its deliveries by state.",
      .query = no_query, .answer = "Batch" },
    { "GET", "/api/v1/batches/{id}/pages", "batches.read", pages_get,
      "Lists the pages of a batch in the order of arrival.", .query = no_query,
      .answer = "PageList" },
    { "GET", "/api/v1/batches/{id}/pages/{number}/image", "pages.read", page_image_get,
      "Answers a page as it came from the device.", .query = no_query, .answer = "File" },
    { "GET", "/api/v1/batches/{id}/pages/{number}/thumbnail", "pages.read", page_thumbnail_get,
      "Answers a small picture of a page.", .query = no_query, .answer = "File" },
    { "GET", "/api/v1/batches/{id}/documents", "batches.read", documents_get,
      "Lists the documents of a batch.", .query = no_query, .answer = "DocumentList" },
    { "GET", "/api/v1/batches/{id}/documents/{document}/file", "pages.read", document_file_get,
      "Answers the file of a document under its name.", .query = no_query, .answer = "File" },
    { "GET", "/api/v1/batches/{id}/deliveries", "batches.read", deliveries_get,
      "Lists the deliveries of a batch: how the last attempt ended and what cures it.",
      .query = no_query, .answer = "DeliveryList" },
    { "POST", "/api/v1/batches/{id}/cancel", "batches.write", batch_cancel,
      "Ends the scan of a batch that is receiving pages; its pages are kept.", .query = no_query,
      .answer = "Batch" },
    { "POST", "/api/v1/batches/{id}/finish", "batches.write", batch_finish,
      "Ends the wait for more sheets: the batch is complete with the pages it has.",
      .query = no_query, .answer = "Batch" },
    { "POST", "/api/v1/batches/{id}/deliver", "batches.write", batch_deliver,
      "Sends the pages that arrived of a broken or cancelled batch.", .query = no_query,
      .answer = "Batch" },
    { "POST", "/api/v1/batches/{id}/retry", "batches.write", batch_retry,
      "Tries again what failed or waits for a person.", .query = no_query, .answer = "Batch" },
    { "POST", "/api/v1/batches/{id}/purge", "batches.write", batch_purge,
      "Removes the pages and documents of a batch now; its history stays.", .query = purge_query,
      .answer = "Batch" },
    { .method = NULL },
};
