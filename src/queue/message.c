/* queue/message.c - parts of tasks that keepers of several sorts send. See keeper.h. */
#include "queue/keeper.h"

Json *keeper_batch_message(const Batch *batch)
{
    Json *message = json_new_object();

    json_set_text(message, "id", batch->id.text);
    json_set_int(message, "started_at_ms", batch->started_at.ms);
    json_set_int(message, "utc_offset_min", batch->utc_offset_min);
    json_set_text(message, "device", batch->device_name);
    json_set_bool(message, "pages_reversed", batch->pages_reversed);
    json_set_take(message, "job", json_from_fields(job_fields, &batch->job, false));
    return message;
}

Json *keeper_page_message(const Page *page)
{
    char side[2] = { page->side, '\0' };
    Json *message = json_new_object();

    json_set_int(message, "number", page->number);
    json_set_text(message, "side", side);
    json_set_text(message, "file", page->file);
    json_set_int(message, "size", page->size_bytes);
    json_set_text(message, "sha256", page->sha256);
    json_set_int(message, "rotation", page->notes.rotation);
    json_set_int(message, "crop_width_px", page->notes.crop_width_px);
    json_set_int(message, "crop_height_px", page->notes.crop_height_px);
    return message;
}

bool keeper_add_index_row(void *arg, const Document *document)
{
    Json *message = json_new_object();

    if (document->kind != DOCUMENT_PAGES) {
        json_free(message);
        return true;
    }
    json_set_text(message, "file_name", document->name);
    json_set_int(message, "pages", document->page_count);
    json_set_int(message, "size", document->size_bytes);
    json_set_text(message, "sha256", document->sha256);
    json_add_take(arg, message);
    return true;
}
