/* cli/print.c - see print.h. */
#include "cli/print.h"

#include "base/limits.h"
#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

enum { CELL_SIZE = 256, COLUMNS_MAX = 12 };

const Json *json_at(const Json *value, const char *path)
{
    char name[64];

    while (value && path[0]) {
        size_t n = strcspn(path, ".");

        if (!text_copy_bytes(name, sizeof name, (Bytes){ (const uint8_t *)path, n }))
            return NULL;
        value = json_get(value, name);
        path += path[n] ? n + 1 : n;
    }
    return value;
}

/* "2026-11-22T15:00:00.123+01:00" is shown as "2026-11-22 15:00:00": the offset is the site's. */
static void cell_time(char cell[CELL_SIZE], const char *text)
{
    enum { DAY_CHARS = 10, SECOND_CHARS = 19 };

    (void)text_copy(cell, CELL_SIZE, text);
    if (strlen(cell) > SECOND_CHARS) {
        cell[DAY_CHARS] = ' ';
        cell[SECOND_CHARS] = '\0';
    }
}

static void cell_size(char cell[CELL_SIZE], int64_t bytes)
{
    static const char *const units[] = { "kB", "MB", "GB", "TB" };
    double value = (double)bytes / 1000;
    size_t unit = 0;

    while (value >= 1000 && unit + 1 < COUNT_OF(units)) {
        value /= 1000;
        unit++;
    }
    if (bytes < 1000)
        (void)text_printf(cell, CELL_SIZE, "%lld B", (long long)bytes);
    else
        (void)text_printf(cell, CELL_SIZE, "%.1f %s", value, units[unit]);
}

/* Names come from devices: a terminal must not obey them. */
static char safe(char c)
{
    return (unsigned char)c < ' ' || c == 0x7f ? '?' : c;
}

static void cell_of(char cell[CELL_SIZE], const Json *item, const Column *column)
{
    const Json *value = json_at(item, column->path);

    cell[0] = '\0';
    if (column->form == COLUMN_COUNT)
        (void)text_printf(cell, CELL_SIZE, "%zu", json_count(value));
    else if (column->form == COLUMN_TIME && json_kind(value) == JSON_TEXT)
        cell_time(cell, json_text(value));
    else if (column->form == COLUMN_SIZE && json_kind(value) == JSON_NUMBER)
        cell_size(cell, json_int(value, 0));
    else if (json_kind(value) == JSON_TEXT)
        (void)text_copy(cell, CELL_SIZE, json_text(value));
    else if (json_kind(value) == JSON_NUMBER)
        (void)text_printf(cell, CELL_SIZE, "%lld", (long long)json_int(value, 0));
    else if (json_kind(value) == JSON_BOOL)
        (void)text_copy(cell, CELL_SIZE, json_bool(value, false) ? "yes" : "no");
    if (!cell[0])
        (void)text_copy(cell, CELL_SIZE, "-");
    for (char *c = cell; *c; c++)
        *c = safe(*c);
}

static void print_cell(const char *cell, size_t width, bool red, bool last)
{
    size_t length = text_length(cell);

    (void)printf(red ? "\x1b[31m%s\x1b[0m" : "%s", cell);
    for (; !last && length < width + 2; length++)
        (void)fputc(' ', stdout);
    if (last)
        (void)fputc('\n', stdout);
}

void print_safe(const char *text)
{
    for (; *text; text++)
        (void)fputc(safe(*text), stdout);
}

void print_table(const Json *items, const Column *columns, size_t column_count)
{
    size_t width[COLUMNS_MAX] = { 0 }, rows = json_count(items);
    char cell[CELL_SIZE];

    if (rows == 0) {
        (void)puts("(none)");
        return;
    }
    for (size_t c = 0; c < column_count && c < COLUMNS_MAX; c++) {
        width[c] = text_length(columns[c].title);
        for (size_t r = 0; r < rows; r++) {
            cell_of(cell, json_item(items, r), &columns[c]);
            if (text_length(cell) > width[c])
                width[c] = text_length(cell);
        }
    }
    for (size_t c = 0; c < column_count; c++)
        print_cell(columns[c].title, width[c], false, c + 1 == column_count);
    for (size_t r = 0; r < rows; r++) {
        for (size_t c = 0; c < column_count; c++) {
            cell_of(cell, json_item(items, r), &columns[c]);
            print_cell(cell, width[c], columns[c].form == COLUMN_ALARM && isatty(STDOUT_FILENO),
                       c + 1 == column_count);
        }
    }
}

bool print_value(const Json *value, Err *err)
{
    AUTO_BUF text = buf_with_max(2 * JSON_BYTES_MAX);

    if (!json_write_yaml(value, &text))
        return err_set(err, ERR_TEMPORARY, 0, "no memory to show the answer");
    (void)fputs(buf_text(&text), stdout);
    return true;
}

void print_raw(const Answer *answer)
{
    if (answer->body.n == 0)
        return;
    (void)fwrite(answer->body.p, 1, answer->body.n, stdout);
    if (answer->body.p[answer->body.n - 1] != '\n')
        (void)fputc('\n', stdout);
}

void print_err(const Err *err)
{
    (void)fprintf(stderr, "platen: %s\n", err->text);
    if (err->field[0])
        (void)fprintf(stderr, "  field: %s\n", err->field);
    if (err->remedy[0])
        (void)fprintf(stderr, "  do: %s\n", err->remedy);
}

bool print_flush(Err *err)
{
    if (fflush(stdout) != 0 || ferror(stdout))
        return err_errno(err, errno, "standard output");
    return true;
}
