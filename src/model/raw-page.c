/* model/raw-page.c - see raw-page.h. */
#include "model/raw-page.h"

#include "base/text.h"

static const char beginning[] = "PLATEN-RAW 1 ";
static const char *const order_words[RAW_ORDER_MAX_] = { "rgb", "gbr", "gray" };

void raw_page_encode(const RawPage *page, uint8_t ret_trailer[RAW_PAGE_TRAILER_SIZE])
{
    char text[2 * RAW_PAGE_TRAILER_SIZE];
    const char *order = (unsigned)page->order < RAW_ORDER_MAX_ ? order_words[page->order] : "?";

    (void)text_printf(text, sizeof text, "%s%u %u %u %u %u %s %u", beginning, page->width_px,
                      page->height_px, page->line_bytes, page->channels, page->bits, order,
                      page->dpi);
    size_t n = strlen(text);
    for (size_t i = 0; i < RAW_PAGE_TRAILER_SIZE; i++)
        ret_trailer[i] = i < n ? (uint8_t)text[i] : ' ';
    ret_trailer[RAW_PAGE_TRAILER_SIZE - 1] = '\n';
}

/* The word at the reader, which moves behind it and one blank. */
static Bytes next_word(Reader *r)
{
    const uint8_t *begin = r->at;

    while (r->at < r->end && *r->at != ' ')
        r->at++;
    Bytes word = { begin, (size_t)(r->at - begin) };
    if (r->at < r->end)
        r->at++;
    return word;
}

static uint32_t next_number(Reader *r, int64_t min, int64_t max)
{
    int64_t n = 0;

    if (!bytes_to_int(next_word(r), min, max, &n))
        r->bad = true;
    return (uint32_t)n;
}

static RawOrder next_order(Reader *r)
{
    Bytes word = next_word(r);

    for (RawOrder order = 0; order < RAW_ORDER_MAX_; order++)
        if (bytes_equal_text(word, order_words[order]))
            return order;
    r->bad = true;
    return RAW_ORDER_MAX_;
}

static bool values_fit(const RawPage *page, uint64_t file_bytes, Err *err)
{
    enum { BYTE_BITS = 8, DEEP_BITS = 16, COLOURS = 3 };
    bool bits = page->bits == 1 || page->bits == BYTE_BITS || page->bits == DEEP_BITS;
    bool gray = page->order == RAW_ORDER_GRAY;

    if (!bits || page->channels != (gray ? 1u : COLOURS) || (page->bits == 1 && !gray))
        return err_set(err, ERR_BAD_INPUT, 0,
                       "raw page has %u channels of %u bits, which we do not know", page->channels,
                       page->bits);
    uint64_t needed = ((uint64_t)page->width_px * page->channels * page->bits + BYTE_BITS - 1) /
                      BYTE_BITS;
    if (page->line_bytes < needed)
        return err_set(err, ERR_BAD_INPUT, 0,
                       "raw page has lines of %u bytes, too few for %u pixels", page->line_bytes,
                       page->width_px);
    uint64_t lines = (uint64_t)page->line_bytes * page->height_px;
    if (file_bytes != lines + RAW_PAGE_TRAILER_SIZE)
        return err_set(err, ERR_BAD_INPUT, 0,
                       "raw page has %llu bytes, not the %llu of its %u lines",
                       (unsigned long long)file_bytes,
                       (unsigned long long)lines + RAW_PAGE_TRAILER_SIZE, page->height_px);
    return true;
}

bool raw_page_decode(Bytes trailer, uint64_t file_bytes, RawPage *ret_page, Err *err)
{
    const size_t last = RAW_PAGE_TRAILER_SIZE - 1;

    if (trailer.n != RAW_PAGE_TRAILER_SIZE || trailer.p[last] != '\n' ||
        !bytes_start_with(trailer, beginning))
        return err_set(
            err, ERR_BAD_INPUT, 0,
            "raw page does not end with its description: it is cut short, or no raw page");
    Reader r = reader_over((Bytes){ trailer.p, last });
    (void)rd_skip(&r, sizeof beginning - 1);
    RawPage page = { 0 };
    page.width_px = next_number(&r, 1, RAW_PAGE_SIDE_MAX);
    page.height_px = next_number(&r, 1, RAW_PAGE_SIDE_MAX);
    page.line_bytes = next_number(&r, 1, RAW_PAGE_LINE_BYTES_MAX);
    page.channels = next_number(&r, 1, UINT8_MAX);
    page.bits = next_number(&r, 1, UINT8_MAX);
    page.order = next_order(&r);
    page.dpi = next_number(&r, 0, RAW_PAGE_DPI_MAX);
    while (r.at < r.end && *r.at == ' ')
        r.at++;
    if (r.bad || r.at < r.end)
        return err_set(err, ERR_BAD_INPUT, 0, "raw page has a description that is damaged");
    if (!values_fit(&page, file_bytes, err))
        return false;
    *ret_page = page;
    return true;
}
