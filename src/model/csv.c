/* model/csv.c - see csv.h. */
#include "model/csv.h"

#include "base/text.h"

#include <string.h>

static Bytes without_mark(Bytes text)
{
    static const uint8_t mark[] = { 0xef, 0xbb, 0xbf };

    return text.n >= sizeof mark && memcmp(text.p, mark, sizeof mark) == 0
               ? bytes_after(text, sizeof mark)
               : text;
}

CsvReader csv_reader(Bytes text)
{
    CsvReader reader = { .rest = without_mark(text), .separator = ',', .line = 1 };
    size_t commas = 0, semicolons = 0;
    bool quoted = false;

    for (size_t i = 0; i < reader.rest.n && (quoted || reader.rest.p[i] != '\n'); i++) {
        quoted ^= reader.rest.p[i] == '"';
        commas += !quoted && reader.rest.p[i] == ',';
        semicolons += !quoted && reader.rest.p[i] == ';';
    }
    if (semicolons > commas)
        reader.separator = ';';
    return reader;
}

/* --- one field -------------------------------------------------------------------------------------- */

typedef struct FieldText {
    char *to;
    size_t n;
    bool too_long;
} FieldText;

static void field_put(FieldText *field, uint8_t byte)
{
    if (field->n + 1 < CSV_FIELD_SIZE)
        field->to[field->n++] = (char)byte;
    else
        field->too_long = true;
}

/* A quoted field from behind its first quote; answers where it ends, behind the closing quote, or 0. */
static size_t quoted_field(Bytes in, size_t at, FieldText *field)
{
    for (; at < in.n; at++) {
        if (in.p[at] != '"')
            field_put(field, in.p[at]);
        else if (at + 1 < in.n && in.p[at + 1] == '"')
            field_put(field, in.p[at++]);
        else
            return at + 1;
    }
    return 0;
}

static bool is_end(const CsvReader *r, uint8_t byte)
{
    return byte == (uint8_t)r->separator || byte == '\n';
}

static size_t plain_field(const CsvReader *r, size_t at, FieldText *field)
{
    for (; at < r->rest.n && !is_end(r, r->rest.p[at]); at++)
        field_put(field, r->rest.p[at]);
    while (field->n > 0 && strchr(" \t\r", field->to[field->n - 1]))
        field->n--;
    return at;
}

static size_t skip_blanks(const CsvReader *r, size_t at)
{
    while (at < r->rest.n &&
           (r->rest.p[at] == ' ' || r->rest.p[at] == '\t' || r->rest.p[at] == '\r') &&
           r->rest.p[at] != (uint8_t)r->separator)
        at++;
    return at;
}

/* --- one record --------------------------------------------------------------------------------------- */

static size_t line_end(Bytes in)
{
    size_t at = 0;

    while (at < in.n && in.p[at] != '\n')
        at++;
    return at < in.n ? at + 1 : at;
}

static void advance(CsvReader *r, size_t n)
{
    for (size_t i = 0; i < n; i++)
        r->line += r->rest.p[i] == '\n';
    r->rest = bytes_after(r->rest, n);
}

static CsvResult bad(CsvReader *r, CsvRecord *ret, size_t skip, Err *err, const char *what)
{
    err_set(err, ERR_BAD_INPUT, 0, "line %u: %s", ret->line, what);
    err_remedy(err, "Mend the line; what may stand in a table of this kind is in RFC 4180.");
    advance(r, skip);
    return CSV_BAD;
}

/* One field at *at into the record; false with the words of what is wrong. */
static bool take_field(CsvReader *r, CsvRecord *ret, size_t *at, const char **ret_wrong)
{
    FieldText field = { .n = 0 };
    char spare[CSV_FIELD_SIZE];

    field.to = ret->count < CSV_FIELDS_MAX ? ret->fields[ret->count] : spare;
    *at = skip_blanks(r, *at);
    if (*at < r->rest.n && r->rest.p[*at] == '"') {
        *at = quoted_field(r->rest, *at + 1, &field);
        *ret_wrong = "a quotation mark is not closed";
        if (*at == 0)
            return false;
        *at = skip_blanks(r, *at);
        *ret_wrong = "something follows a closing quotation mark";
        if (*at < r->rest.n && !is_end(r, r->rest.p[*at]))
            return false;
    } else {
        *at = plain_field(r, *at, &field);
    }
    field.to[field.n] = '\0';
    *ret_wrong = "a field is longer than 255 bytes";
    if (field.too_long)
        return false;
    *ret_wrong = "there are more than 16 fields";
    if (ret->count == CSV_FIELDS_MAX)
        return false;
    *ret_wrong = "a field is no UTF-8 text";
    if (!text_is_utf8((Bytes){ (const uint8_t *)field.to, field.n }))
        return false;
    ret->count++;
    return true;
}

static bool is_blank(const CsvReader *r, size_t end)
{
    for (size_t i = 0; i < end; i++)
        if (!strchr(" \t\r\n", r->rest.p[i]) || r->rest.p[i] == '\0')
            return false;
    return true;
}

CsvResult csv_next(CsvReader *r, CsvRecord *ret, Err *err)
{
    size_t at = 0, end = line_end(r->rest);
    const char *wrong = "";

    while (r->rest.n > 0 && is_blank(r, end)) {
        advance(r, end);
        end = line_end(r->rest);
    }
    ret->line = r->line;
    ret->count = 0;
    if (r->rest.n == 0)
        return CSV_END;
    for (;;) {
        if (!take_field(r, ret, &at, &wrong))
            return bad(r, ret, end, err, wrong);
        if (at >= r->rest.n || r->rest.p[at] == '\n')
            break;
        at++; /* the separator */
    }
    advance(r, at < r->rest.n ? at + 1 : at);
    return CSV_RECORD;
}
