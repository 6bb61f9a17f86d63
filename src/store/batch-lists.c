/* store/batch-lists.c - see batch-rows.h: rows as structs, and the lists of them. */
#include "base/text.h"
#include "store/batch-read.h"
#include "store/rows.h"
#include "store/scan-json.h"

void batch_read(Query *query, int at, Batch *ret_batch)
{
    QUERY_COPY(query, at, ret_batch->id.text);
    QUERY_COPY(query, at + 1, ret_batch->device.text);
    QUERY_COPY(query, at + 2, ret_batch->device_name);
    QUERY_COPY(query, at + 3, ret_batch->job_id.text);
    body_read(query, at + 4, job_fields, &ret_batch->job, sizeof ret_batch->job);
    ret_batch->state = (BatchState)query_word(query, at + 5, batch_state_words);
    QUERY_COPY(query, at + 6, ret_batch->reason.code);
    QUERY_COPY(query, at + 7, ret_batch->reason.text);
    QUERY_COPY(query, at + 8, ret_batch->reason.remedy);
    ret_batch->started_at.ms = query_int(query, at + 9);
    ret_batch->changed_at.ms = query_int(query, at + 10);
    ret_batch->utc_offset_min = (int)query_int(query, at + 11);
    QUERY_COPY(query, at + 12, ret_batch->folder);
    ret_batch->page_count = (uint32_t)query_int(query, at + 13);
    ret_batch->document_count = (uint32_t)query_int(query, at + 14);
    ret_batch->files = (BatchFiles)query_word(query, at + 15, batch_files_words);
    ret_batch->files_at.ms = query_int(query, at + 16);
    QUERY_COPY(query, at + 17, ret_batch->files_why);
    ret_batch->pages_reversed = query_int(query, at + 18) != 0;
    notes_parse(bytes_of_text(query_text(query, at + 19)), &ret_batch->notes);
    ret_batch->sheets_until.ms = query_int(query, at + 20);
}

void page_read(Query *query, int at, Page *ret_page)
{
    ret_page->id = query_int(query, at);
    QUERY_COPY(query, at + 1, ret_page->batch.text);
    ret_page->number = (uint32_t)query_int(query, at + 2);
    ret_page->side = query_text(query, at + 3)[0];
    QUERY_COPY(query, at + 4, ret_page->file);
    ret_page->size_bytes = query_int(query, at + 5);
    QUERY_COPY(query, at + 6, ret_page->sha256);
    ret_page->notes.scan_dpi = (uint32_t)query_int(query, at + 7);
    ret_page->state = (PageState)query_word(query, at + 8, page_state_words);
    ret_page->attempt = (uint32_t)query_int(query, at + 9);
    ret_page->facts.width_px = (uint32_t)query_int(query, at + 10);
    ret_page->facts.height_px = (uint32_t)query_int(query, at + 11);
    ret_page->facts.dpi = (uint32_t)query_int(query, at + 12);
    ret_page->facts.components = (uint32_t)query_int(query, at + 13);
    QUERY_COPY(query, at + 14, ret_page->facts.thumbnail);
    QUERY_COPY(query, at + 15, ret_page->warning);
    ret_page->stored_at.ms = query_int(query, at + 16);
    ret_page->notes.rotation = (uint32_t)query_int(query, at + 17);
    ret_page->notes.crop_width_px = (uint32_t)query_int(query, at + 18);
    ret_page->notes.crop_height_px = (uint32_t)query_int(query, at + 19);
}

void document_read(Query *query, int at, Document *ret_document)
{
    QUERY_COPY(query, at, ret_document->id.text);
    QUERY_COPY(query, at + 1, ret_document->batch.text);
    ret_document->kind = (DocumentKind)query_word(query, at + 2, document_kind_words);
    ret_document->number = (uint32_t)query_int(query, at + 3);
    QUERY_COPY(query, at + 4, ret_document->name);
    ret_document->first_page = (uint32_t)query_int(query, at + 5);
    ret_document->page_count = (uint32_t)query_int(query, at + 6);
    ret_document->state = (DocumentState)query_word(query, at + 7, document_state_words);
    ret_document->attempt = (uint32_t)query_int(query, at + 8);
    ret_document->size_bytes = query_int(query, at + 9);
    QUERY_COPY(query, at + 10, ret_document->sha256);
    QUERY_COPY(query, at + 11, ret_document->error);
}

void delivery_read(Query *query, int at, Delivery *ret_delivery)
{
    DeliveryResult *last = &ret_delivery->last;

    QUERY_COPY(query, at, ret_delivery->id.text);
    QUERY_COPY(query, at + 1, ret_delivery->batch.text);
    QUERY_COPY(query, at + 2, ret_delivery->document.text);
    QUERY_COPY(query, at + 3, ret_delivery->destination.text);
    ret_delivery->state = (DeliveryState)query_word(query, at + 4, delivery_state_words);
    ret_delivery->attempt = (uint32_t)query_int(query, at + 5);
    ret_delivery->created_at.ms = query_int(query, at + 6);
    ret_delivery->due_at.ms = query_int(query, at + 7);
    ret_delivery->finished_at.ms = query_int(query, at + 8);
    QUERY_COPY(query, at + 9, ret_delivery->reserved_name);
    last->class = (DeliveryClass)query_word(query, at + 10, delivery_class_words);
    QUERY_COPY(query, at + 11, last->stage);
    last->native_code = query_int(query, at + 12);
    last->protocol_code = query_int(query, at + 13);
    QUERY_COPY(query, at + 14, last->text);
    QUERY_COPY(query, at + 15, last->cure);
    last->retry_after_s = query_int(query, at + 16);
    QUERY_COPY(query, at + 17, last->remote_name);
    last->size_bytes = query_int(query, at + 18);
    QUERY_COPY(query, at + 19, last->sha256);
    ret_delivery->tried_since.ms = query_int(query, at + 20);
    QUERY_COPY(query, at + 21, ret_delivery->note);
}

bool batch_get(Db *db, const BatchId *id, Batch *ret_batch, Err *err)
{
    AUTO_QUERY query = db_query(db, "SELECT " BATCH_COLUMNS " FROM batch WHERE id = ?1",
                                ARGS(ARG_TEXT(id->text)));
    bool found = query_next(&query);
    Batch batch;

    if (found)
        batch_read(&query, 0, &batch);
    if (!query_ok(&query, err))
        return false;
    if (!found)
        return not_found(err, "batch", id->text);
    *ret_batch = batch;
    return true;
}

bool batch_list(Db *db, const char *before, int state, uint32_t limit, BatchVisit *visit, void *arg,
                Err *err)
{
    /* "~" sorts behind every id. */
    const char *below = before[0] ? before : "~";
    AUTO_QUERY query = state < 0 ? db_query(db,
                                            "SELECT " BATCH_COLUMNS " FROM batch WHERE id < ?1"
                                            " ORDER BY id DESC LIMIT ?2",
                                            ARGS(ARG_TEXT(below), ARG_INT(limit)))
                                 : db_query(db,
                                            "SELECT " BATCH_COLUMNS
                                            " FROM batch WHERE id < ?1 AND state = ?3"
                                            " ORDER BY id DESC LIMIT ?2",
                                            ARGS(ARG_TEXT(below), ARG_INT(limit),
                                                 ARG_WORD(batch_state_words, state)));
    Batch batch;

    while (query_next(&query)) {
        batch_read(&query, 0, &batch);
        if (query.failed || !visit(arg, &batch))
            break;
    }
    return query_ok(&query, err);
}

bool batch_open_list(Db *db, BatchIdVisit *visit, void *arg, Err *err)
{
    AUTO_QUERY query = db_query(db,
                                "SELECT id FROM batch WHERE state NOT IN ('done', 'cancelled',"
                                " 'broken') ORDER BY id",
                                NO_ARGS);
    BatchId id;

    while (query_next(&query)) {
        QUERY_COPY(&query, 0, id.text);
        if (query.failed || !visit(arg, &id))
            break;
    }
    return query_ok(&query, err);
}

bool page_list(Db *db, const BatchId *id, PageVisit *visit, void *arg, Err *err)
{
    AUTO_QUERY query = db_query(
        db, "SELECT " PAGE_COLUMNS " FROM page WHERE batch_id = ?1 ORDER BY number, side",
        ARGS(ARG_TEXT(id->text)));
    Page page;

    while (query_next(&query)) {
        page_read(&query, 0, &page);
        if (query.failed || !visit(arg, &page))
            break;
    }
    return query_ok(&query, err);
}

bool page_get(Db *db, const BatchId *id, uint32_t number, Page *ret_page, Err *err)
{
    AUTO_QUERY query = db_query(db,
                                "SELECT " PAGE_COLUMNS " FROM page WHERE batch_id = ?1"
                                " AND number = ?2 ORDER BY side LIMIT 1",
                                ARGS(ARG_TEXT(id->text), ARG_INT(number)));
    bool found = query_next(&query);
    char text[16];
    Page page;

    if (found)
        page_read(&query, 0, &page);
    if (!query_ok(&query, err))
        return false;
    (void)text_printf(text, sizeof text, "%u", number);
    if (!found)
        return not_found(err, "page", text);
    *ret_page = page;
    return true;
}

bool document_list(Db *db, const BatchId *id, DocumentVisit *visit, void *arg, Err *err)
{
    AUTO_QUERY query = db_query(db,
                                "SELECT " DOCUMENT_COLUMNS " FROM document WHERE batch_id = ?1"
                                " ORDER BY kind, number",
                                ARGS(ARG_TEXT(id->text)));
    Document document;

    while (query_next(&query)) {
        document_read(&query, 0, &document);
        if (query.failed || !visit(arg, &document))
            break;
    }
    return query_ok(&query, err);
}

bool delivered_list(Db *db, const BatchId *id, const DestinationId *destination,
                    DocumentVisit *visit, void *arg, Err *err)
{
    AUTO_QUERY query = db_query(db,
                                "SELECT " DOCUMENT_COLUMNS ", attempt.remote_name FROM delivery"
                                " JOIN document ON document.id = delivery.document_id"
                                " JOIN attempt ON attempt.id = delivery.last_attempt"
                                " WHERE delivery.batch_id = ?1 AND delivery.destination_id = ?2"
                                " AND delivery.state = 'done' AND document.kind <> 'index'"
                                " ORDER BY document.number",
                                ARGS(ARG_TEXT(id->text), ARG_TEXT(destination->text)));
    Document document;

    while (query_next(&query)) {
        document_read(&query, 0, &document);
        if (query_text(&query, DOCUMENT_COLUMN_COUNT)[0])
            QUERY_COPY(&query, DOCUMENT_COLUMN_COUNT, document.name);
        if (query.failed || !visit(arg, &document))
            break;
    }
    return query_ok(&query, err);
}

bool document_get(Db *db, const BatchId *id, const DocumentId *document, Document *ret_document,
                  Err *err)
{
    AUTO_QUERY query = db_query(
        db, "SELECT " DOCUMENT_COLUMNS " FROM document WHERE id = ?1 AND batch_id = ?2",
        ARGS(ARG_TEXT(document->text), ARG_TEXT(id->text)));
    bool found = query_next(&query);
    Document row;

    if (found)
        document_read(&query, 0, &row);
    if (!query_ok(&query, err))
        return false;
    if (!found)
        return not_found(err, "document", document->text);
    *ret_document = row;
    return true;
}

bool delivery_list(Db *db, const BatchId *id, DeliveryVisit *visit, void *arg, Err *err)
{
    AUTO_QUERY query = db_query(
        db,
        "SELECT " DELIVERY_COLUMNS ", coalesce(destination.name, delivery.destination_name)"
        " FROM " DELIVERY_FROM " JOIN document ON document.id = delivery.document_id"
        " LEFT JOIN destination ON destination.id = delivery.destination_id"
        " WHERE delivery.batch_id = ?1"
        " ORDER BY document.kind, document.number, delivery.id",
        ARGS(ARG_TEXT(id->text)));
    char destination_name[NAME_TEXT_SIZE];
    Delivery delivery;

    while (query_next(&query)) {
        delivery_read(&query, 0, &delivery);
        QUERY_COPY(&query, DELIVERY_COLUMN_COUNT, destination_name);
        if (query.failed || !visit(arg, &delivery, destination_name))
            break;
    }
    return query_ok(&query, err);
}
