/* document/format-jpeg.c - the file format "jpeg": one page, one file, the bytes as the device sent them. */
#include "base/file.h"
#include "document/format.h"

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

    if (writer->has_page)
        return err_set(err, ERR_BAD_INPUT, 0, "a JPEG file holds one page only");
    writer->has_page = true;
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
