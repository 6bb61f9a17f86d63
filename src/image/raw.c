/* image/raw.c - see raw.h. */
#include "image/raw.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { BAND_BYTES = 256 * 1024, SAMPLES_RGB = 3 };

bool raw_begin(RawSource *raw, int fd, const Picture *picture, Err *err)
{
    uint32_t lines = BAND_BYTES / picture->raw.line_bytes;
    size_t samples = (size_t)picture->width_px * picture->components;

    *raw = (RawSource){ .fd = fd, .picture = picture };
    raw->band_lines = lines > 0 ? lines : 1;
    raw->row_bytes = picture->bits == 1 ? (samples + 7) / 8 : samples;
    raw->band = calloc(raw->band_lines, picture->raw.line_bytes);
    raw->row = calloc(raw->row_bytes, 1);
    return (raw->band && raw->row) || err_set(err, ERR_TEMPORARY, 0, "no memory for a raw page");
}

void raw_done(RawSource *raw)
{
    free(raw->band);
    free(raw->row);
    *raw = (RawSource){ .fd = -1 };
}

/* Reads the band that has this line of the file: from there on, or up to there when rows are taken from
 * the bottom. */
static bool read_band(RawSource *raw, uint32_t line, Err *err)
{
    const RawPage *page = &raw->picture->raw;
    uint32_t first = line;
    size_t got = 0;

    if (raw->picture->view.turned)
        first = line + 1 > raw->band_lines ? line + 1 - raw->band_lines : 0;
    uint32_t count = page->height_px - first;
    if (count > raw->band_lines)
        count = raw->band_lines;
    raw->band_count = 0;
    size_t want = (size_t)count * page->line_bytes;
    while (got < want) {
        ssize_t n = pread(raw->fd, raw->band + got, want - got,
                          (off_t)((int64_t)first * page->line_bytes + (int64_t)got));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(err, errno, "cannot read");
        if (n == 0)
            return err_set(err, ERR_BAD_INPUT, 0, "raw page ends within line %u",
                           (unsigned)(first + got / page->line_bytes + 1));
        got += (size_t)n;
    }
    raw->band_first = first;
    raw->band_count = count;
    return true;
}

/* Bits 0 .. width - 1 of a line, in reverse. */
static void turn_bits(const uint8_t *from, uint32_t width, uint8_t *to, size_t to_n)
{
    (void)memset(to, 0, to_n);
    for (uint32_t x = 0; x < width; x++) {
        uint32_t source = width - 1 - x;

        if (from[source / 8] & (0x80u >> (source % 8)))
            to[x / 8] |= (uint8_t)(0x80u >> (x % 8));
    }
}

/* Samples of a line to 8 bits, colour to red, green, blue; the pixels from the last to the first when
 * turned. 16-bit samples come low byte first. */
static void copy_samples(const Picture *picture, const uint8_t *from, uint8_t *to)
{
    static const uint8_t gbr[SAMPLES_RGB] = { 2, 0, 1 }, as_is[SAMPLES_RGB] = { 0, 1, 2 };
    const uint8_t *order = picture->raw.order == RAW_ORDER_GBR ? gbr : as_is;
    uint32_t width = picture->width_px, channels = picture->components;
    size_t sample = picture->bits / 8;

    for (uint32_t x = 0; x < width; x++) {
        uint32_t source = picture->view.turned ? width - 1 - x : x;
        const uint8_t *pixel = from + (size_t)source * channels * sample + (sample - 1);

        for (uint32_t c = 0; c < channels; c++)
            *to++ = pixel[order[c] * sample];
    }
}

const uint8_t *raw_row(RawSource *raw, uint32_t y, Err *err)
{
    const Picture *picture = raw->picture;
    uint32_t line = picture->view.turned ? picture->height_px - 1 - y : y;
    bool as_it_is = !picture->view.turned && picture->raw.order != RAW_ORDER_GBR;

    if ((line < raw->band_first || line - raw->band_first >= raw->band_count) &&
        !read_band(raw, line, err))
        return NULL;
    const uint8_t *from = raw->band + (size_t)(line - raw->band_first) * picture->raw.line_bytes;
    if (as_it_is && picture->bits <= 8)
        return from;
    if (picture->bits == 1)
        turn_bits(from, picture->width_px, raw->row, raw->row_bytes);
    else
        copy_samples(picture, from, raw->row);
    return raw->row;
}

void raw_unpack(const uint8_t *from, uint32_t width, uint8_t *to)
{
    for (uint32_t x = 0; x < width; x++)
        to[x] = from[x / 8] & (0x80u >> (x % 8)) ? UINT8_MAX : 0;
}
