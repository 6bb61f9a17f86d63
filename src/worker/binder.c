/* worker/binder.c - see binder.h. */
#include "worker/binder.h"

#include "base/file.h"
#include "base/sha256.h"
#include "base/text.h"

#include <errno.h>
#include <sys/stat.h>

bool binder_begin(Binder *binder, const FormatType *format, int out_fd, const FormatInfo *info,
                  Err *err)
{
    *binder = (Binder){ .format = format, .head = buf_with_max(JPEG_HEADERS_MAX) };
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

bool binder_add(Binder *binder, int page_fd, int64_t size_bytes, const char *sha256,
                uint32_t scan_dpi, Err *err)
{
    FormatPage page = { .fd = page_fd, .scan_dpi = scan_dpi };
    struct stat st;

    if (fstat(page_fd, &st) != 0)
        return err_errno(err, errno, "cannot look at a page");
    if (!S_ISREG(st.st_mode))
        return err_set(err, ERR_BAD_INPUT, 0, "page is not a file");
    if (size_bytes >= 0 && st.st_size != size_bytes)
        return err_set(err, ERR_PERMANENT, 0, "page has %lld bytes, not %lld",
                       (long long)st.st_size, (long long)size_bytes);
    if ((sha256 && !page_check(page_fd, st.st_size, sha256, err)) ||
        !jpeg_read_facts(page_fd, &binder->head, &page.facts, err))
        return false;
    page.size_bytes = st.st_size;
    page.identity = sha256 ? bytes_of_text(sha256) : buf_bytes(&binder->head);
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
