/* store/batch-json.c - see batch-json.h. */
#include "store/batch-json.h"

#include "base/text.h"
#include "store/scan-json.h"
#include "json/json.h"

enum { BATCH_JSON_VERSION = 1 };

static bool put_line(const Json *json, Buf *out, Err *err)
{
    if (json && json_write(json, out) && buf_put_text(out, "\n"))
        return true;
    return err_set(err, ERR_TEMPORARY, 0, "no memory for batch.json");
}

bool batch_json_head(const Batch *batch, const Device *device, Buf *out, Err *err)
{
    AUTO(Json) json = json_new_object();
    Json *of_device = json_new_object();

    json_set_text(of_device, "id", batch->device.text);
    json_set_text(of_device, "name", batch->device_name);
    json_set_text(of_device, "address", device->address);
    json_set_text(of_device, "product", device->product);
    json_set_text(of_device, "serial", device->serial);
    json_set_int(json, "platen_batch", BATCH_JSON_VERSION);
    json_set_text(json, "id", batch->id.text);
    json_set_take(json, "device", of_device);
    json_set_text(json, "job_id", batch->job_id.text);
    json_set_take(json, "job", json_from_fields(job_fields, &batch->job, true));
    json_set_int(json, "started_at_ms", batch->started_at.ms);
    json_set_int(json, "utc_offset_min", batch->utc_offset_min);
    return put_line(json, out, err);
}

bool batch_json_page(const Page *page, Buf *out, Err *err)
{
    AUTO(Json) json = json_new_object();
    const char side[2] = { page->side, '\0' };

    json_set_int(json, "number", page->number);
    json_set_text(json, "side", side);
    json_set_text(json, "file", page->file);
    json_set_int(json, "size", page->size_bytes);
    json_set_text(json, "sha256", page->sha256);
    json_set_int(json, "scan_dpi", page->notes.scan_dpi);
    json_set_int(json, "rotation", page->notes.rotation);
    json_set_int(json, "crop_width_px", page->notes.crop_width_px);
    json_set_int(json, "crop_height_px", page->notes.crop_height_px);
    json_set_bool(json, "last_sheet_first", page->notes.last_first);
    json_set_int(json, "stored_at_ms", page->stored_at.ms);
    return put_line(json, out, err);
}

bool batch_json_notes(const ScanNotes *notes, Buf *out, Err *err)
{
    AUTO(Json) json = json_new_object();

    json_set_take(json, "notes", notes_json(notes));
    return put_line(json, out, err);
}

static bool copy_id(char to[ID_TEXT_SIZE], const char *text)
{
    return id_text_is_valid(text) && text_copy(to, ID_TEXT_SIZE, text);
}

bool batch_json_parse_head(Bytes file, Batch *ret_batch, Err *err)
{
    Batch batch = { .state = BATCH_BROKEN };
    Bytes line;

    if (!bytes_take_line(&file, &line))
        return err_set(err, ERR_BAD_INPUT, 0, "batch.json is empty or torn");
    AUTO(Json) json = json_parse(line, err);
    if (!json)
        return err_prefix(err, "batch.json");
    if (json_get_int(json, "platen_batch", 0) != BATCH_JSON_VERSION)
        return err_set(err, ERR_BAD_INPUT, 0, "batch.json is not of version %d",
                       BATCH_JSON_VERSION);
    const Json *device = json_get(json, "device");
    if (!copy_id(batch.id.text, json_get_text(json, "id")) ||
        !copy_id(batch.job_id.text, json_get_text(json, "job_id")) ||
        !copy_id(batch.device.text, json_get_text(device, "id")))
        return err_set(err, ERR_BAD_INPUT, 0, "batch.json lacks an id");
    (void)text_copy(batch.device_name, sizeof batch.device_name, json_get_text(device, "name"));
    batch.started_at.ms = json_get_int(json, "started_at_ms", 0);
    batch.utc_offset_min = (int)json_get_int(json, "utc_offset_min", 0);
    if (!json_read_fields(json_get(json, "job"), job_fields, &batch.job, sizeof batch.job, err))
        return err_prefix(err, "batch.json: job");
    *ret_batch = batch;
    return true;
}

static bool parse_page(Bytes line, Page *ret_page)
{
    Err ignored;
    Page page = { .state = PAGE_STORED };
    AUTO(Json) json = json_parse(line, &ignored);
    const char *side = json_get_text(json, "side");

    if (!json || (side[0] != 'A' && side[0] != 'B'))
        return false;
    page.number = (uint32_t)json_get_int(json, "number", 0);
    page.side = side[0];
    page.size_bytes = json_get_int(json, "size", 0);
    page.notes.scan_dpi = (uint32_t)json_get_int(json, "scan_dpi", 0);
    page.notes.rotation = (uint32_t)json_get_int(json, "rotation", 0);
    page.notes.crop_width_px = (uint32_t)json_get_int(json, "crop_width_px", 0);
    page.notes.crop_height_px = (uint32_t)json_get_int(json, "crop_height_px", 0);
    page.notes.last_first = json_get_bool(json, "last_sheet_first", false);
    page.stored_at.ms = json_get_int(json, "stored_at_ms", 0);
    if (!text_copy(page.file, sizeof page.file, json_get_text(json, "file")) ||
        !text_copy(page.sha256, sizeof page.sha256, json_get_text(json, "sha256")))
        return false;
    *ret_page = page;
    return true;
}

void batch_json_pages(Bytes file, void (*visit)(void *arg, const Page *page), void *arg)
{
    Bytes line;
    Page page;

    if (!bytes_take_line(&file, &line))
        return;
    while (bytes_take_line(&file, &line))
        if (parse_page(line, &page))
            visit(arg, &page);
}

void batch_json_read_notes(Bytes file, ScanNotes *ret_notes)
{
    Bytes line;
    Err ignored;

    *ret_notes = (ScanNotes){ 0 };
    if (!bytes_take_line(&file, &line))
        return;
    while (bytes_take_line(&file, &line)) {
        AUTO(Json) json = json_parse(line, &ignored);

        if (json_kind(json_get(json, "notes")) == JSON_ARR)
            notes_read(json_get(json, "notes"), ret_notes);
    }
}
