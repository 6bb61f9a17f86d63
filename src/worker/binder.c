/* worker/binder.c - see binder.h. */
#include "worker/binder.h"

#include "base/file.h"
#include "base/sha256.h"
#include "base/text.h"
#include "worker/ask.h"

#include <errno.h>
#include <sys/stat.h>

bool binder_begin(Binder *binder, const FormatType *format, int out_fd, const FormatInfo *info,
                  uint32_t quality, Err *err)
{
    *binder = (Binder){ .format = format,
                        .head = buf_with_max(JPEG_HEADERS_MAX),
                        .quality = quality };
    binder->writer = format->begin(out_fd, info, err);
    return binder->writer != NULL;
}

bool page_check(int fd, int64_t size_bytes, const char *sha256, Err *err)
{
    char found[SHA256_TEXT_SIZE];
    int64_t size = 0;

    if (!file_hash(fd, found, &size, err))
        return false;
    if (size == size_bytes && text_equal(found, sha256))
        return true;
    err_set(err, ERR_PERMANENT, 0,
            "page is damaged: %lld bytes, hash %.16s..., stored as %lld, %.16s...", (long long)size,
            found, (long long)size_bytes, sha256);
    return err_remedy(err, "Check the disk of the spool and scan the page again.");
}

bool page_view(const Json *page, PictureView *ret_view, Err *err)
{
    enum { UPSIDE_DOWN = 180, SIDE_MAX_PX = 1000000 };
    int64_t rotation = 0, width = 0, height = 0;

    if (!ask_int_or(page, "rotation", 0, UPSIDE_DOWN, 0, &rotation, err) ||
        !ask_int_or(page, "crop_width_px", 0, SIDE_MAX_PX, 0, &width, err) ||
        !ask_int_or(page, "crop_height_px", 0, SIDE_MAX_PX, 0, &height, err))
        return false;
    if (rotation != 0 && rotation != UPSIDE_DOWN) {
        err_set(err, ERR_BAD_INPUT, 0, "rotation is not 0 or %d", UPSIDE_DOWN);
        return err_field(err, "rotation");
    }
    *ret_view = (PictureView){ .turned = rotation == UPSIDE_DOWN,
                               .crop_w_px = (uint32_t)width,
                               .crop_h_px = (uint32_t)height };
    return true;
}

bool binder_add(Binder *binder, const BinderPage *given, Err *err)
{
    FormatPage page = { .fd = given->fd, .scan_dpi = given->scan_dpi, .quality = binder->quality };
    struct stat st;

    if (fstat(given->fd, &st) != 0)
        return err_errno(err, errno, "cannot look at a page");
    if (!S_ISREG(st.st_mode))
        return err_set(err, ERR_BAD_INPUT, 0, "page is not a file");
    if (given->size_bytes >= 0 && st.st_size != given->size_bytes)
        return err_set(err, ERR_PERMANENT, 0, "page has %lld bytes, not %lld",
                       (long long)st.st_size, (long long)given->size_bytes);
    if ((given->sha256 && !page_check(given->fd, st.st_size, given->sha256, err)) ||
        !picture_read(given->fd, st.st_size, given->kind, &given->view, &binder->head,
                      &page.picture, err))
        return false;
    page.size_bytes = st.st_size;
    page.identity = given->sha256 ? bytes_of_text(given->sha256) : buf_bytes(&binder->head);
    if (!binder->format->page(binder->writer, &page, err))
        return false;
    binder->pages++;
    return true;
}

bool binder_finish(Binder *binder, Err *err)
{
    return binder->format->finish(binder->writer, err);
}

void binder_done(Binder *binder)
{
    if (binder->writer)
        binder->format->free_writer(binder->writer);
    buf_done(&binder->head);
    binder->writer = NULL;
}
