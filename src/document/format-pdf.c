/* document/format-pdf.c - the file format "pdf": every page of a document in one PDF.
 * The work is pdf.c's. */
#include "document/format.h"
#include "document/pdf.h"

static void *pdf_begin(int out_fd, const FormatInfo *info, Err *err)
{
    return pdf_new(out_fd,
                   &(PdfInfo){ .title = info->title,
                               .created = info->created,
                               .utc_offset_min = info->utc_offset_min },
                   err);
}

static bool pdf_page(void *writer, const FormatPage *page, Err *err)
{
    return pdf_add_page(writer,
                        &(PdfPage){ .fd = page->fd,
                                    .size_bytes = page->size_bytes,
                                    .picture = page->picture,
                                    .scan_dpi = page->scan_dpi,
                                    .quality = page->quality,
                                    .identity = page->identity },
                        err);
}

static bool pdf_end(void *writer, Err *err)
{
    return pdf_finish(writer, err);
}

static void pdf_free_writer(void *writer)
{
    pdf_free(writer);
}

extern const FormatType format_pdf;
const FormatType format_pdf = {
    .name = "pdf",
    .title = "PDF",
    .media_type = "application/pdf",
    .extension = "pdf",
    .multi_page = true,
    .begin = pdf_begin,
    .page = pdf_page,
    .finish = pdf_end,
    .free_writer = pdf_free_writer,
};
