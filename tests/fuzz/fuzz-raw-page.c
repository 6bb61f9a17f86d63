/* tests/fuzz/fuzz-raw-page.c - the trailer of raw pages, on any bytes.
 *
 * The input is a trailer; the size of the file is what the trailer needs, or else made of the input.
 * Properties: what is read keeps its limits, fits the file, and written again is read the same; a
 * refusal says why. */
#include "model/raw-page.h"

#include <stdlib.h>

static void check(const RawPage *page, uint64_t file_bytes)
{
    uint8_t trailer[RAW_PAGE_TRAILER_SIZE];
    RawPage again;
    Err err;

    if (page->width_px == 0 || page->height_px == 0 || page->width_px > RAW_PAGE_SIDE_MAX ||
        page->height_px > RAW_PAGE_SIDE_MAX || page->line_bytes > RAW_PAGE_LINE_BYTES_MAX ||
        (uint64_t)page->width_px * page->channels * page->bits > (uint64_t)page->line_bytes * 8 ||
        (uint64_t)page->line_bytes * page->height_px + RAW_PAGE_TRAILER_SIZE != file_bytes)
        abort();
    raw_page_encode(page, trailer);
    if (!raw_page_decode((Bytes){ trailer, sizeof trailer }, file_bytes, &again, &err) ||
        memcmp(page, &again, sizeof again) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Bytes trailer = { data, size < RAW_PAGE_TRAILER_SIZE ? size : RAW_PAGE_TRAILER_SIZE };
    /* Bytes behind the trailer say how many bytes before it there are: nine digits at most. */
    uint64_t lines = 0;
    RawPage page;
    Err err = { 0 };

    for (size_t i = trailer.n; i < size && i < trailer.n + 9; i++)
        lines = lines * 10 + data[i] % 10;
    if (raw_page_decode(trailer, lines + RAW_PAGE_TRAILER_SIZE, &page, &err))
        check(&page, lines + RAW_PAGE_TRAILER_SIZE);
    else if (err.kind != ERR_BAD_INPUT || !err.text[0])
        abort();
    return 0;
}
