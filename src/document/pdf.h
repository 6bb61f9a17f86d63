/* document/pdf.h - writes a PDF as pages come, without ever holding one.
 *
 * A page's JPEG is copied into the file by the kernel, byte for byte, also when it must be seen turned
 * (/Rotate) or cropped (/MediaBox). Raw lines are encoded on their way: black and white as CCITT Group 4,
 * others as JPEG. Of every object only its offset is kept (8 bytes, three objects a page, four when it is
 * raw); the page tree grows as a tree of small nodes, so
 * that a reader finds page 9,999 without reading 9,999 kids. The same pages and the same info give
 * the same bytes: nothing here reads a clock or a random number.
 * Source: ISO 32000-1. One thread per writer; blocks on the file. */
#ifndef PLATEN_DOCUMENT_PDF_H
#define PLATEN_DOCUMENT_PDF_H

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/time.h"
#include "image/picture.h"

typedef struct PdfWriter PdfWriter;

typedef struct PdfInfo {
    const char *title; /* UTF-8, "" = none; borrowed during pdf_new only */
    Wall created;
    int utc_offset_min;
} PdfInfo;

typedef struct PdfPage {
    int fd;             /* the whole file, from offset 0, becomes the page       */
    int64_t size_bytes; /* of that file                                         */
    Picture picture;    /* as picture_read found it                             */
    uint32_t scan_dpi;  /* used when the picture does not say its density, 20..9600 */
    uint32_t quality;   /* 1..100, of the JPEG that raw lines become            */
    Bytes identity;     /* what tells this page from others (its hash, or its first bytes): goes
                           into the document's /ID                              */
} PdfPage;

/* A writer that appends to out_fd (at offset 0; not closed by the writer). NULL on failure. */
PdfWriter *pdf_new(int out_fd, const PdfInfo *info, Err *err);
void pdf_free(PdfWriter *pdf); /* accepts NULL and half-written */
DEFINE_AUTO(PdfWriter, pdf_free);

/* Appends a page. Errors are those of base/file and image/encode.h, and ERR_PERMANENT when the file would pass
 * the 10 GB that a cross-reference table can address. After a failure only pdf_free may follow. */
bool pdf_add_page(PdfWriter *pdf, const PdfPage *page, Err *err);

/* Writes what comes last: the page tree's upper nodes, catalogue, info, cross-reference table. The
 * file is complete but not synced. ERR_BAD_INPUT when there is no page. */
bool pdf_finish(PdfWriter *pdf, Err *err);

#endif
