/* model/raw-page.h - what a raw page file says about its lines: its last 64 bytes.
 *
 * A raw page is the device's lines exactly as they came, including its padding of each line, followed by a
 * trailer in ASCII that makes the file explain itself:
 *
 *   PLATEN-RAW 1 <width_px> <height_px> <line_bytes> <channels> <bits> <order> <dpi>
 *
 * filled with blanks, the last byte a newline. A line's samples begin at its first byte, pixels from left to
 * right, channels of a pixel together: 1 bit has 8 pixels a byte, the leftmost in the highest bit, 1 =
 * white; 8 and 16 bits have 0 = black, 16 bits the low byte first. Pure; any thread. */
#ifndef PLATEN_MODEL_RAW_PAGE_H
#define PLATEN_MODEL_RAW_PAGE_H

#include "base/bytes.h"
#include "base/err.h"

enum {
    RAW_PAGE_TRAILER_SIZE = 64,
    RAW_PAGE_SIDE_MAX = 1000000, /* pixels                */
    RAW_PAGE_LINE_BYTES_MAX = 16 * 1024 * 1024,
    RAW_PAGE_DPI_MAX = 65535,
};

typedef enum RawOrder { RAW_ORDER_RGB, RAW_ORDER_GBR, RAW_ORDER_GRAY, RAW_ORDER_MAX_ } RawOrder;

typedef struct RawPage {
    uint32_t width_px, height_px; /* 1..RAW_PAGE_SIDE_MAX                         */
    uint32_t line_bytes;          /* of one line, the device's padding included   */
    uint32_t channels;            /* 1, 3                                         */
    uint32_t bits;                /* of a sample: 1 (one channel only), 8, 16     */
    RawOrder order;               /* of the channels: GRAY has one, others three  */
    uint32_t dpi;                 /* 0 = not known                                */
} RawPage;

/* The trailer of a page that keeps the limits above; of another one, bytes that raw_page_decode refuses. */
void raw_page_encode(const RawPage *page, uint8_t ret_trailer[RAW_PAGE_TRAILER_SIZE]);

/* Reads the trailer (RAW_PAGE_TRAILER_SIZE bytes) of a file of file_bytes, trailer included. ERR_BAD_INPUT says
 * what is wrong: no trailer, values outside the limits or that do not fit together, a file that is not as
 * long as its lines and the trailer are. */
bool raw_page_decode(Bytes trailer, uint64_t file_bytes, RawPage *ret_page, Err *err);

#endif
