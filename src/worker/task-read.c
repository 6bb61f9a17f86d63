/* worker/task-read.c - the task "read": is the page what was stored, what does it say, a thumbnail.
 *
 * A picture that cannot be decoded is a warning, not a failure: the page is delivered as it is. A page
 * that no document could take (it is gone, not what was stored, without sound headers) is an error of
 * the field "page". */
#include "base/fault.h"
#include "base/file.h"
#include "base/limits.h"
#include "image/thumbnail.h"
#include "worker/ask.h"
#include "worker/binder.h"
#include "worker/task.h"

enum { THUMBNAIL_MODE = 0640 };

/* Makes the thumbnail's file. False with a warning in err when there is none to be had. */
static bool make_thumbnail(int page_fd, const Picture *picture, int folder_fd, const char *name,
                           bool *ret_damaged, Err *err)
{
    AUTO_BUF small = buf_with_max(THUMBNAIL_BYTES_MAX);

    return thumbnail_make(page_fd, picture, THUMBNAIL_SIDE_PX, &small, ret_damaged, err) &&
           file_replace(folder_fd, name, buf_bytes(&small), THUMBNAIL_MODE, err);
}

bool task_read(const Json *task, int folder_fd, Json *result, Err *err)
{
    const Json *page = json_get(task, "page");
    const char *file = NULL, *sha256 = NULL, *thumbnail = NULL;
    bool damaged = false;
    int64_t size = 0;
    PictureView view;
    Picture picture;

    if (!ask_file(page, "file", &file, err) || !ask_sha256(page, "sha256", &sha256, err) ||
        !ask_int(page, "size", 0, PAGE_BYTES_MAX, &size, err) || !page_view(page, &view, err) ||
        !ask_file(task, "thumbnail", &thumbnail, err))
        return false;
    AUTO_FD fd = file_open_read(folder_fd, file, err);
    if (fd < 0 || !page_check(fd, size, sha256, err) ||
        !picture_read(fd, size, picture_kind(file), &view, NULL, &picture, err))
        return err->kind == ERR_TEMPORARY || err->kind == ERR_DENIED ? false
                                                                     : err_field(err, "page");
    fault_point("read.checked");
    AUTO(Json) found = json_new_object();
    json_set_int(found, "width_px", picture.file_w_px);
    json_set_int(found, "height_px", picture.file_h_px);
    json_set_int(found, "dpi", picture.dpi_x);
    json_set_int(found, "components", picture.components);
    bool ok = make_thumbnail(fd, &picture, folder_fd, thumbnail, &damaged, err);
    json_set_text(found, "thumbnail", ok ? thumbnail : "");
    if (!ok)
        json_set_text(found, "warning", err->text);
    else if (damaged)
        json_set_text(found, "warning", "the picture ends too early or is damaged");
    fault_point("read.done");
    json_set_take(result, "facts", STEAL(found));
    return true;
}
