/* api/batch-files.c - pages, thumbnails and finished files, sent from the spool as they are. */
#include "api/batch.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/text.h"
#include "model/name.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

static const struct {
    const char *extension, *media_type;
} media_types[] = {
    { ".jpg", "image/jpeg" },
    { ".tif", "image/tiff" },
    { ".pdf", "application/pdf" },
    { ".csv", "text/csv; charset=utf-8" },
};

static const char *media_type_of(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(media_types); i++)
        if (text_ends_with(name, media_types[i].extension))
            return media_types[i].media_type;
    return "application/octet-stream";
}

/* Nobody finds what was removed; says when and why. Always false. */
static bool files_are_gone(const Batch *batch, Err *err)
{
    char text[BATCH_FILES_TEXT_SIZE];

    batch_files_text(batch, text);
    err_set(err, ERR_NOT_FOUND, 0, "%s", text);
    return err_remedy(err, "%s",
                      batch->files == BATCH_FILES_MISSING
                          ? "Bring the folder back into the spool and start the server again."
                          : "Documents are where the deliveries of the batch took them.");
}

/* Sends <folder of the batch>/<below><name>. The name came from a row, but a row can be damaged: only a
 * name of one file is opened. */
static bool file_answer(HttpRequest *req, HttpResponse *res, const Batch *batch, const char *below,
                        const char *name, const char *etag, Err *err)
{
    char path[PATH_TEXT_SIZE];
    struct stat st;

    if (batch->files != BATCH_FILES_KEPT)
        return files_are_gone(batch, err);
    if (!name_is_one_file(name) ||
        !text_printf(path, sizeof path, "%s/%s%s", api_config(api_of(req))->spool_path,
                     batch->folder, below))
        return err_set(err, ERR_BUG, 0, "the file's name in the database is damaged");
    AUTO_FD dir = file_open_folder(AT_FDCWD, path, err);
    AUTO_FD fd = dir >= 0 ? file_open_read(dir, name, err) : -1;
    if (fd < 0) {
        err_prefix(err, "file %s", name);
        return err_remedy(err, "platen fsck, while the server is down, says what is missing.");
    }
    if (fstat(fd, &st) != 0)
        return err_errno(err, errno, "file %s", name);
    http_response_file(res, media_type_of(name), STEAL_FD(fd), st.st_size);
    if (etag)
        http_response_etag(res, etag);
    return true;
}

static bool page_of_path(Db *db, HttpRequest *req, Batch *ret_batch, Page *ret_page, Err *err)
{
    const char *text = http_request_variable(req, "number");
    int64_t number;

    if (!batch_of_path(db, req, ret_batch, err))
        return false;
    if (!text_to_int(text, 1, BATCH_PAGES_MAX, &number))
        return err_set(err, ERR_NOT_FOUND, 0, "\"%.40s\" is not the number of a page", text);
    return page_get(db, &ret_batch->id, (uint32_t)number, ret_page, err);
}

bool page_image_get(HttpRequest *req, HttpResponse *res, Err *err)
{
    AUTO_READ read = api_read(req, err);
    Batch batch;
    Page page;

    return read.db && page_of_path(read.db, req, &batch, &page, err) &&
           file_answer(req, res, &batch, "", page.file, page.sha256, err);
}

bool page_thumbnail_get(HttpRequest *req, HttpResponse *res, Err *err)
{
    AUTO_READ read = api_read(req, err);
    Batch batch;
    Page page;

    if (!read.db || !page_of_path(read.db, req, &batch, &page, err))
        return false;
    if (page.facts.thumbnail[0])
        return file_answer(req, res, &batch, "", page.facts.thumbnail, NULL, err);
    err_set(err, ERR_NOT_FOUND, 0, "page %u has no thumbnail", page.number);
    return err_remedy(err, page.state == PAGE_UNREAD || page.state == PAGE_DAMAGED
                               ? "The page could not be read; its image is there."
                               : "The page is not read yet; ask again.");
}

/* The name for a browser: RFC 6266 with the UTF-8 form of RFC 8187. */
static void set_file_name(HttpResponse *res, const char *name)
{
    AUTO_BUF value = buf_with_max(4 * FILE_NAME_BYTES_MAX);

    buf_put_text(&value, "attachment; filename*=UTF-8''");
    for (const unsigned char *c = (const unsigned char *)name; *c; c++) {
        if ((*c >= '0' && *c <= '9') || (*c >= 'A' && *c <= 'Z') || (*c >= 'a' && *c <= 'z') ||
            strchr("-._~", *c))
            buf_put_u8(&value, *c);
        else
            buf_printf(&value, "%%%02X", *c);
    }
    http_response_header(res, "Content-Disposition", buf_text(&value));
}

bool document_file_get(HttpRequest *req, HttpResponse *res, Err *err)
{
    AUTO_READ read = api_read(req, err);
    Document document;
    DocumentId id;
    Batch batch;

    if (!read.db || !batch_of_path(read.db, req, &batch, err) ||
        !api_path_id(req, "document", id.text, err) ||
        !document_get(read.db, &batch.id, &id, &document, err))
        return false;
    if (document.state != DOCUMENT_WRITTEN) {
        err_set(err, ERR_NOT_FOUND, 0, "document %s has no file: it is %s", document.name,
                document_state_words[document.state]);
        return err_remedy(err, document.state == DOCUMENT_FAILED ? "Retry the batch."
                                                                 : "Ask again when it is written.");
    }
    if (!file_answer(req, res, &batch, "/out", document.name, document.sha256, err))
        return false;
    set_file_name(res, document.name);
    return true;
}
