/* worker/index.c - see index.h. */
#include "worker/index.h"

#include "base/limits.h"
#include "document/index-csv.h"
#include "worker/ask.h"

static bool add_row(Buf *csv, const IndexBatch *batch, const Json *document, Err *err)
{
    IndexRow row = { 0 };
    int64_t pages = 0;

    if (!ask_file(document, "file_name", &row.file_name, err) ||
        !ask_int(document, "pages", 1, BATCH_PAGES_MAX, &pages, err) ||
        !ask_int(document, "size", 0, INT64_MAX - 1, &row.size_bytes, err) ||
        !ask_sha256(document, "sha256", &row.sha256, err))
        return false;
    row.pages = (uint32_t)pages;
    return index_csv_row(csv, batch, &row) ||
           err_set(err, ERR_PERMANENT, 0, "index is larger than %d bytes", INDEX_BYTES_MAX);
}

bool index_rows(const Json *batch, const Json *holder, Buf *csv, Err *err)
{
    IndexBatch head = { .job = json_get_text(json_get(batch, "job"), "name"),
                        .device = json_get_text(batch, "device") };
    const Json *documents = NULL;

    if (!ask_array(holder, "documents", BATCH_PAGES_MAX, &documents, err) ||
        !ask_moment(batch, "started_at_ms", &head.started, &head.utc_offset_min, err))
        return false;
    (void)index_csv_begin(csv);
    for (size_t i = 0; i < json_count(documents); i++)
        if (!add_row(csv, &head, json_item(documents, i), err))
            return err_prefix(err, "documents[%zu]", i);
    return true;
}
