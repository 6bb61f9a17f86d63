/* cli/print.h - what people read: tables, details and failures. Writes to standard output/error. */
#ifndef PLATEN_CLI_PRINT_H
#define PLATEN_CLI_PRINT_H

#include "base/err.h"
#include "cli/client.h"

typedef enum ColumnForm {
    COLUMN_PLAIN, /* texts and numbers as they are            */
    COLUMN_TIME,  /* RFC 3339 as "2026-11-22 15:00:00"        */
    COLUMN_SIZE,  /* bytes as "1.4 MB"                        */
    COLUMN_COUNT, /* an array as the number of its items      */
    COLUMN_ALARM, /* a text in red on a terminal              */
} ColumnForm;

/* path: members joined with dots: "job.name". */
typedef struct Column {
    const char *title, *path;
    ColumnForm form;
} Column;

/* One row per item of the array, columns as wide as they need; "(none)" when it is empty. */
void print_table(const Json *items, const Column *columns, size_t column_count);

/* A text that came from outside, without its control characters: a terminal must not obey them. */
void print_safe(const char *text);

/* A whole value, indented, as YAML. */
bool print_value(const Json *value, Err *err);

/* The answer's body as it came, with a newline at its end. */
void print_raw(const Answer *answer);

/* "platen: what", "  field: ..." and "  do: ..." on standard error. */
void print_err(const Err *err);

/* Writes out what was printed; ERR_TEMPORARY when it could not be written (a full disk). */
bool print_flush(Err *err);

/* The value at a dotted path, NULL when absent. */
const Json *json_at(const Json *value, const char *path);

#endif
