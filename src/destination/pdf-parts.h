/* destination/pdf-parts.h - a PDF in parts that are not larger than a limit, each with whole pages.
 *
 * The pages are copied as they are (libqpdf); every part is a PDF of its own. The parts of a document are the same
 * each time they are made with the same limit. One thread per object; no state is shared. */
#ifndef PLATEN_DESTINATION_PDF_PARTS_H
#define PLATEN_DESTINATION_PDF_PARTS_H

#include "base/cleanup.h"
#include "base/err.h"

#include <stdint.h>

enum { PDF_PARTS_MAX = 100 };

typedef struct PdfPart {
    uint32_t first_page, page_count; /* of the document, from 0 */
} PdfPart;

typedef struct PdfParts PdfParts;

/* Opens a PDF of so many bytes; fd is borrowed for the call and the object reads the file as it was then. NULL with
 * ERR_BAD_INPUT (no PDF) or ERR_TEMPORARY (memory). */
PdfParts *pdf_parts_open(int fd, int64_t size_bytes, Err *err);
void pdf_parts_free(PdfParts *parts); /* accepts NULL */
DEFINE_AUTO(PdfParts, pdf_parts_free);

/* Finds parts of at most limit_bytes. ERR_PERMANENT when a single page is larger (the text names it) or more than
 * PDF_PARTS_MAX are needed. */
bool pdf_parts_plan(PdfParts *parts, int64_t limit_bytes, PdfPart ret_list[PDF_PARTS_MAX],
                    size_t *ret_count, Err *err);

/* A descriptor of the part as a file of its own, which has no name anywhere; the caller closes it. -1 on error. */
int pdf_parts_make(PdfParts *parts, const PdfPart *part, int64_t *ret_size_bytes, Err *err);

#endif
