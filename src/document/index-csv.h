/* document/index-csv.h - the index file of a batch as CSV: one line per document.
 *
 * RFC 4180 with a header line, UTF-8, CRLF. Texts that a spreadsheet would take for a formula get an
 * apostrophe in front. Pure; any thread. */
#ifndef PLATEN_DOCUMENT_INDEX_CSV_H
#define PLATEN_DOCUMENT_INDEX_CSV_H

#include "base/bytes.h"
#include "base/time.h"

/* What all lines share. Borrowed texts. */
typedef struct IndexBatch {
    const char *job, *device;
    Wall started;
    int utc_offset_min;
} IndexBatch;

typedef struct IndexRow {
    const char *file_name; /* as delivered, with extension */
    uint32_t pages;
    int64_t size_bytes;
    const char *sha256;
} IndexRow;

/* Appends the header line:
 * file_name,job,date,time,device,pages,size_bytes,sha256. False when out failed. */
bool index_csv_begin(Buf *out);

/* Appends one line. date is YYYY-MM-DD, time hh:mm:ss, both of Start in the site's time. */
bool index_csv_row(Buf *out, const IndexBatch *batch, const IndexRow *row);

#endif
