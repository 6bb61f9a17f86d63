/* document/index-csv.c - see index-csv.h. */
#include "document/index-csv.h"

#include <string.h>

/* A field in quotes where RFC 4180 wants them; the apostrophe keeps a spreadsheet from calculating
 * (OWASP, "CSV Injection"). */
static void put_text(Buf *out, const char *text)
{
    bool formula = *text && strchr("=+-@\t\r", *text);
    bool quoted = strpbrk(text, ",\"\r\n") != NULL;

    if (quoted)
        (void)buf_put_u8(out, '"');
    if (formula)
        (void)buf_put_u8(out, '\'');
    for (; *text; text++) {
        if (*text == '"')
            (void)buf_put_u8(out, '"');
        (void)buf_put_u8(out, (uint8_t)*text);
    }
    if (quoted)
        (void)buf_put_u8(out, '"');
}

bool index_csv_begin(Buf *out)
{
    return buf_put_text(out, "file_name,job,date,time,device,pages,size_bytes,sha256\r\n");
}

bool index_csv_row(Buf *out, const IndexBatch *batch, const IndexRow *row)
{
    CivilTime t = wall_civil(batch->started, batch->utc_offset_min);

    put_text(out, row->file_name);
    (void)buf_put_u8(out, ',');
    put_text(out, batch->job);
    (void)buf_printf(out, ",%04d-%02d-%02d,%02d:%02d:%02d,", t.year, t.month, t.day, t.hour,
                     t.minute, t.second);
    put_text(out, batch->device);
    (void)buf_printf(out, ",%u,%lld,", row->pages, (long long)row->size_bytes);
    put_text(out, row->sha256);
    return buf_put_text(out, "\r\n") && !out->failed;
}
