/* image/jpeg.h - what a JPEG says about itself before its first pixel.
 *
 * Our own bounded walk over the markers up to the frame header (ITU-T T.81, B.1 and B.2): it
 * decodes nothing and allocates nothing. Enough to embed a JPEG in a PDF and to refuse a picture
 * that is too large before anybody makes room for it. Pixels are thumbnail.h's business. Pure but
 * for jpeg_read_facts; any thread. */
#ifndef PLATEN_IMAGE_JPEG_H
#define PLATEN_IMAGE_JPEG_H

#include "base/bytes.h"
#include "base/err.h"

enum {
    JPEG_PIXELS_MAX = 400 * 1000 * 1000, /* A3 at 1200 dpi has 278 million                     */
    JPEG_HEADERS_MAX = 4 * 1024 * 1024,  /* bytes before the frame header: 64 full APP segments */
    JPEG_DPI_MIN = 20,                   /* densities outside are noise, not a resolution       */
    JPEG_DPI_MAX = 9600,
};

typedef struct JpegFacts {
    uint32_t width_px, height_px; /* 1..65535; width * height <= JPEG_PIXELS_MAX                 */
    uint8_t components;           /* 1 grey, 3 colour, 4 CMYK                                    */
    bool progressive;
    uint8_t sub_h, sub_v;    /* luma samples for one of colour, 1, 2 or 4; 0 = another shape  */
    uint16_t dpi_x, dpi_y;   /* from JFIF, both set or both 0 (not said, or nonsense)       */
    bool adobe;              /* has an Adobe APP14 marker; 4 components are then inverted   */
    uint8_t adobe_transform; /* 0 none (RGB, CMYK), 1 YCbCr, 2 YCCK; when adobe             */
} JpegFacts;

typedef enum JpegScan { JPEG_FOUND, JPEG_NEED_MORE, JPEG_BROKEN } JpegScan;

/* Walks the markers at the beginning of a JPEG. JPEG_FOUND: *ret_facts is complete. JPEG_NEED_MORE:
 * call again with a longer beginning. JPEG_BROKEN: err says what is wrong (ERR_BAD_INPUT): not a
 * JPEG, a coding that PDF readers do not take (arithmetic, lossless, 12 bits), or too large. */
JpegScan jpeg_scan(Bytes beginning, JpegFacts *ret_facts, Err *err);

/* The same for an open file, read from offset 0 in growing steps. head, when not NULL, is cleared
 * and then holds the beginning that was read (its maximum must be JPEG_HEADERS_MAX). ERR_BAD_INPUT
 * also when the file ends before its frame header; ERR_TEMPORARY when reading fails. */
bool jpeg_read_facts(int fd, Buf *head, JpegFacts *ret_facts, Err *err);

/* The density to use for a page: its own when it says one, else otherwise_dpi. */
static inline uint32_t jpeg_dpi(uint16_t own, uint32_t otherwise_dpi)
{
    return own ? own : otherwise_dpi;
}

#endif
