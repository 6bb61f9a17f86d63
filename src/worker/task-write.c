/* worker/task-write.c - the tasks "write" and "write-index": one file into the batch's folder out/.
 *
 * The file is made as out/NAME.part, flushed, and takes its name only when it is whole; the folder is
 * flushed before the answer. What an earlier attempt left is replaced. */
#include "base/fault.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/sha256.h"
#include "base/text.h"
#include "document/format.h"
#include "worker/ask.h"
#include "worker/binder.h"
#include "worker/index.h"
#include "worker/task.h"

enum { OUT_MODE = 0640, QUALITY_PRESET = 85, QUALITY_MAX = 100 };

/* A file on its way into out/. */
typedef struct Output {
    int out, fd; /* the folder, the file; owned */
    const char *name;
    char temporary[FILE_NAME_BYTES_MAX + 8];
} Output;

static void output_done(Output *output)
{
    fd_autoclose(&output->fd);
    fd_autoclose(&output->out);
}

static bool output_begin(Output *output, int folder_fd, const char *name, Err *err)
{
    *output = (Output){ .out = -1, .fd = -1, .name = name };
    (void)text_printf(output->temporary, sizeof output->temporary, "%s.part", name);
    output->out = file_make_folder(folder_fd, "out", err);
    if (output->out < 0)
        return false;
    output->fd = file_create(output->out, output->temporary, OUT_MODE, err);
    fault_point("write.created");
    return output->fd >= 0;
}

/* Flushes, hashes what is there now, gives the file its name; adds the receipt to result. */
static bool output_finish(Output *output, Json *result, Err *err)
{
    char sha256[SHA256_TEXT_SIZE], path[FILE_NAME_BYTES_MAX + 8];
    int64_t size = 0;

    fault_point("write.finished");
    if (!file_sync_data(output->fd, err) || !file_close(&output->fd, err))
        return false;
    fault_point("write.synced");
    AUTO_FD written = file_open_read(output->out, output->temporary, err);
    if (written < 0 || !file_hash(written, sha256, &size, err) ||
        !file_rename(output->out, output->temporary, output->out, output->name, err))
        return false;
    fault_point("write.renamed");
    if (!file_sync_folder(output->out, err))
        return false;
    fault_point("write.done");
    (void)text_printf(path, sizeof path, "out/%s", output->name);
    json_set_text(result, "file", path);
    json_set_int(result, "size", size);
    json_set_text(result, "sha256", sha256);
    return true;
}

/* What the task says for all pages. */
typedef struct WriteOrder {
    const FormatType *format;
    int64_t scan_dpi, quality;
    FormatInfo info;
} WriteOrder;

static bool add_page(Binder *binder, const Json *page, int folder_fd, const WriteOrder *order,
                     Err *err)
{
    BinderPage given = { 0 };
    const char *file = NULL;
    int64_t dpi = 0;

    if (!ask_file(page, "file", &file, err) || !ask_sha256(page, "sha256", &given.sha256, err) ||
        !ask_int(page, "size", 0, PAGE_BYTES_MAX, &given.size_bytes, err) ||
        !ask_int_or(page, "dpi", 0, JPEG_DPI_MAX, 0, &dpi, err) ||
        !page_view(page, &given.view, err))
        return false;
    AUTO_FD fd = file_open_read(folder_fd, file, err);
    given.fd = fd;
    given.kind = picture_kind(file);
    given.scan_dpi = (uint32_t)(dpi >= JPEG_DPI_MIN ? dpi : order->scan_dpi);
    return fd >= 0 && binder_add(binder, &given, err);
}

static bool bind_pages(Binder *binder, const Json *pages, int folder_fd, const WriteOrder *order,
                       Err *err)
{
    for (size_t i = 0; i < json_count(pages); i++) {
        if (!add_page(binder, json_item(pages, i), folder_fd, order, err))
            return err_prefix(err, "page %zu", i + 1);
        fault_point("write.page");
    }
    return binder_finish(binder, err);
}

bool task_write(const Json *task, int folder_fd, Json *result, Err *err)
{
    const Json *document = json_get(task, "document"), *pages = NULL;
    WriteOrder order = { .format = format_find(json_get_text(document, "format")),
                         .info = { .title = json_get_text(document, "title") } };
    const char *name = NULL;

    if (!order.format) {
        err_set(err, ERR_BAD_INPUT, 0, "there is no file format \"%s\"",
                json_get_text(document, "format"));
        return err_field(err, "format");
    }
    if (!ask_file(document, "name", &name, err) ||
        !ask_array(document, "pages", BATCH_PAGES_MAX, &pages, err) ||
        !ask_int_or(document, "quality", 1, QUALITY_MAX, QUALITY_PRESET, &order.quality, err) ||
        !ask_int(task, "scan_dpi", JPEG_DPI_MIN, JPEG_DPI_MAX, &order.scan_dpi, err) ||
        !ask_moment(task, "created_ms", &order.info.created, &order.info.utc_offset_min, err))
        return false;
    Output output;
    Binder binder = { 0 };
    bool ok = output_begin(&output, folder_fd, name, err) &&
              binder_begin(&binder, order.format, output.fd, &order.info, (uint32_t)order.quality,
                           err) &&
              bind_pages(&binder, pages, folder_fd, &order, err) &&
              output_finish(&output, result, err);
    binder_done(&binder);
    output_done(&output);
    return ok || err_prefix(err, "%s", name);
}

/* --- index ---------------------------------------------------------------------------------------- */

bool task_write_index(const Json *task, int folder_fd, Json *result, Err *err)
{
    AUTO_BUF csv = buf_with_max(INDEX_BYTES_MAX);
    const char *name = NULL;

    if (!ask_file(json_get(task, "index"), "name", &name, err) ||
        !index_rows(json_get(task, "batch"), task, &csv, err))
        return false;
    Output output;
    bool ok = output_begin(&output, folder_fd, name, err) &&
              file_write_all(output.fd, buf_bytes(&csv), err) &&
              output_finish(&output, result, err);
    output_done(&output);
    return ok || err_prefix(err, "%s", name);
}
