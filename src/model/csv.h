/* model/csv.h - reading tables that people write with spreadsheets: RFC 4180. Pure.
 *
 * UTF-8 with or without byte order mark; the separator is ";" when the first line has more of them than
 * commas outside quotes, else ","; lines end with LF or CRLF; blank lines are passed over. A line that
 * cannot be read is an error of that line, and reading goes on behind it. */
#ifndef PLATEN_MODEL_CSV_H
#define PLATEN_MODEL_CSV_H

#include "base/bytes.h"
#include "base/err.h"

enum { CSV_FIELDS_MAX = 16, CSV_FIELD_SIZE = 256, CSV_LINES_MAX = 5000 };

typedef struct CsvReader {
    Bytes rest;
    char separator;
    unsigned line; /* of what comes next, from 1 */
} CsvReader;

typedef struct CsvRecord {
    unsigned line; /* its first line */
    size_t count;
    char fields[CSV_FIELDS_MAX][CSV_FIELD_SIZE]; /* without blanks at their ends, unless quoted */
} CsvRecord;

typedef enum CsvResult {
    CSV_RECORD,
    CSV_BAD, /* ret->line is set; err says what is wrong with it */
    CSV_END
} CsvResult;

/* text must live as long as the reader. */
CsvReader csv_reader(Bytes text);

/* The next record. A quote that is never closed is an error of the line it is in. */
CsvResult csv_next(CsvReader *reader, CsvRecord *ret, Err *err);

#endif
