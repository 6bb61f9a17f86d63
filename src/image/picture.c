/* image/picture.c - see picture.h. */
#include "image/picture.h"

#include "base/text.h"

#include <errno.h>
#include <unistd.h>

PictureKind picture_kind(const char *file_name)
{
    static const char ending[] = ".raw";
    size_t n = strlen(file_name), end = sizeof ending - 1;

    return n > end && text_equal(file_name + n - end, ending) ? PICTURE_RAW : PICTURE_JPEG;
}

static bool read_trailer(int fd, int64_t size_bytes, uint8_t trailer[RAW_PAGE_TRAILER_SIZE],
                         Err *err)
{
    size_t got = 0;

    if (size_bytes < RAW_PAGE_TRAILER_SIZE)
        return err_set(err, ERR_BAD_INPUT, 0, "raw page of %lld bytes is cut short",
                       (long long)size_bytes);
    while (got < RAW_PAGE_TRAILER_SIZE) {
        ssize_t n = pread(fd, trailer + got, RAW_PAGE_TRAILER_SIZE - got,
                          (off_t)(size_bytes - RAW_PAGE_TRAILER_SIZE + (int64_t)got));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(err, errno, "cannot read");
        if (n == 0)
            return err_set(err, ERR_BAD_INPUT, 0, "raw page is shorter than %lld bytes",
                           (long long)size_bytes);
        got += (size_t)n;
    }
    return true;
}

/* The codec knows lines and sizes; what we make room for is decided here. */
static bool raw_is_taken(const RawPage *raw, Err *err)
{
    if (raw->width_px > RAW_SIDE_MAX_PX || raw->height_px > RAW_SIDE_MAX_PX ||
        raw->line_bytes > RAW_LINE_BYTES_MAX)
        return err_set(err, ERR_BAD_INPUT, 0, "raw page of %u x %u pixels is larger than %d a side",
                       raw->width_px, raw->height_px, RAW_SIDE_MAX_PX);
    return true;
}

static bool read_raw(int fd, int64_t size_bytes, Buf *head, Picture *picture, Err *err)
{
    uint8_t trailer[RAW_PAGE_TRAILER_SIZE];
    const Bytes bytes = { trailer, sizeof trailer };
    RawPage *raw = &picture->raw;

    if (!read_trailer(fd, size_bytes, trailer, err) ||
        !raw_page_decode(bytes, (uint64_t)size_bytes, raw, err) || !raw_is_taken(raw, err))
        return false;
    if (head) {
        buf_clear(head);
        (void)buf_put(head, bytes);
    }
    picture->file_w_px = raw->width_px;
    picture->file_h_px = raw->height_px;
    picture->components = (uint8_t)raw->channels;
    picture->bits = (uint8_t)raw->bits;
    if (raw->dpi >= JPEG_DPI_MIN && raw->dpi <= JPEG_DPI_MAX)
        picture->dpi_x = picture->dpi_y = (uint16_t)raw->dpi;
    return true;
}

static bool read_jpeg(int fd, Buf *head, Picture *picture, Err *err)
{
    JpegFacts *facts = &picture->jpeg;

    if (!jpeg_read_facts(fd, head, facts, err))
        return false;
    picture->file_w_px = facts->width_px;
    picture->file_h_px = facts->height_px;
    picture->components = facts->components;
    picture->bits = 8;
    picture->dpi_x = facts->dpi_x;
    picture->dpi_y = facts->dpi_y;
    return true;
}

static uint32_t cropped(uint32_t whole, uint32_t crop)
{
    return crop > 0 && crop < whole ? crop : whole;
}

bool picture_read(int fd, int64_t size_bytes, PictureKind kind, const PictureView *view, Buf *head,
                  Picture *ret_picture, Err *err)
{
    Picture picture = { .kind = kind, .view = *view };
    bool ok = kind == PICTURE_RAW ? read_raw(fd, size_bytes, head, &picture, err)
                                  : read_jpeg(fd, head, &picture, err);

    if (!ok)
        return false;
    picture.width_px = cropped(picture.file_w_px, view->crop_w_px);
    picture.height_px = cropped(picture.file_h_px, view->crop_h_px);
    *ret_picture = picture;
    return true;
}
