/* document/format-jpeg.c - the file format "jpeg": one page, one file.
 *
 * A JPEG keeps the bytes that the device sent; one that must be seen turned or cropped is rewritten without
 * loss (image/jpeg-turn.h), since programs that show JPEGs do not agree on tags that say so. Raw lines are
 * encoded. */
#include "base/file.h"
#include "document/format.h"
#include "image/encode.h"
#include "image/jpeg-turn.h"

#include <stdlib.h>

typedef struct JpegWriter {
    int fd; /* borrowed */
    bool has_page;
} JpegWriter;

static void *jpeg_begin(int out_fd, const FormatInfo *info, Err *err)
{
    JpegWriter *writer = calloc(1, sizeof *writer);

    (void)info; /* a JPEG stays as it is: no title is put into it */
    if (!writer) {
        err_set(err, ERR_TEMPORARY, 0, "no memory to write a JPEG");
        return NULL;
    }
    writer->fd = out_fd;
    return writer;
}

static bool jpeg_page(void *arg, const FormatPage *page, Err *err)
{
    JpegWriter *writer = arg;
    const Picture *picture = &page->picture;
    int64_t written = 0;

    if (writer->has_page)
        return err_set(err, ERR_BAD_INPUT, 0, "a JPEG file holds one page only");
    writer->has_page = true;
    if (picture->kind == PICTURE_RAW)
        return encode_jpeg(page->fd, picture, page->quality,
                           jpeg_dpi(picture->dpi_x, page->scan_dpi), writer->fd, &written, err);
    if (picture->view.turned || picture_is_cropped(picture))
        return jpeg_turn(page->fd, picture, writer->fd, &written, err);
    return file_copy(page->fd, 0, page->size_bytes, writer->fd, err);
}

static bool jpeg_end(void *arg, Err *err)
{
    const JpegWriter *writer = arg;

    return writer->has_page || err_set(err, ERR_BAD_INPUT, 0, "a JPEG file needs a page");
}

extern const FormatType format_jpeg;
const FormatType format_jpeg = {
    .name = "jpeg",
    .title = "JPEG",
    .media_type = "image/jpeg",
    .extension = "jpg",
    .multi_page = false,
    .begin = jpeg_begin,
    .page = jpeg_page,
    .finish = jpeg_end,
    .free_writer = free,
};
