/* image/raw.h - the lines of a raw page, one after the other, as they must be seen.
 *
 * Holds one band of lines, however tall the page is. What a line gives is upright, cropped, without the
 * device's padding, colour in the order red, green, blue, samples of 8 bits; black and white stays
 * packed. One thread per source; blocks on the file. */
#ifndef PLATEN_IMAGE_RAW_H
#define PLATEN_IMAGE_RAW_H

#include "image/picture.h"

typedef struct RawSource {
    int fd; /* borrowed */
    const Picture *picture;
    uint8_t *band; /* lines band_first .. + band_count of the file, owned */
    uint32_t band_lines, band_first, band_count;
    uint8_t *row; /* what raw_row gives, owned */
    size_t row_bytes;
} RawSource;

/* Makes room. fd and picture (of kind PICTURE_RAW) are borrowed until raw_done. ERR_TEMPORARY when memory is
 * gone; raw_done must follow in any case. */
bool raw_begin(RawSource *raw, int fd, const Picture *picture, Err *err);
void raw_done(RawSource *raw);

/* Row y (0 .. picture->height_px - 1) of what is seen, raw->row_bytes long; valid until the next call. Black and
 * white: 8 pixels a byte, leftmost first, 1 = white, bits after the last pixel undefined. Quick when y
 * counts up. NULL with err set when reading fails (ERR_TEMPORARY) or the file ends too early (ERR_BAD_INPUT). */
const uint8_t *raw_row(RawSource *raw, uint32_t y, Err *err);

/* Packed black and white to one byte a pixel, 0 or 255. to has room for width bytes. */
void raw_unpack(const uint8_t *from, uint32_t width, uint8_t *to);

#endif
