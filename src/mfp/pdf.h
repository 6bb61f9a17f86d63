/* mfp/pdf.h - pages of a PDF as pictures, rendered by poppler's pdftoppm as a child. */
#ifndef PLATEN_MFP_PDF_H
#define PLATEN_MFP_PDF_H

#include "base/bytes.h"
#include "base/err.h"

enum { PDF_DPI = 300, PDF_PAGE_PATIENCE_MS = 60000 };

/* Appends one page (from 1) of the PDF at fd, which is read to its end, as a PNG of PDF_DPI to png. *ret_found: false behind
 * the last page. ERR_NOT_FOUND with a remedy: pdftoppm is not installed; ERR_BAD_INPUT: it cannot read the file;
 * ERR_TEMPORARY: no answer in time. Blocks. */
bool pdf_render(int fd, uint32_t page, Buf *png, bool *ret_found, Err *err);

#endif
