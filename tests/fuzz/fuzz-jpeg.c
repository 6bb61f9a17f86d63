/* tests/fuzz/fuzz-jpeg.c - the walk over a JPEG's markers, on any bytes.
 *
 * Properties: what is found keeps the promised limits; more bytes never change what was found; a
 * refusal always says why. */
#include "image/jpeg.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    JpegFacts whole, half;
    Err err = { 0 }, half_err = { 0 };
    JpegScan result = jpeg_scan((Bytes){ data, size }, &whole, &err);

    if (result == JPEG_BROKEN && (err.kind != ERR_BAD_INPUT || !err.text[0]))
        abort();
    if (result == JPEG_FOUND && (whole.width_px == 0 || whole.height_px == 0 ||
                                 whole.width_px > JPEG_PIXELS_MAX / whole.height_px ||
                                 whole.components == 0 || whole.components > 4))
        abort();
    if (jpeg_scan((Bytes){ data, size / 2 }, &half, &half_err) == JPEG_FOUND &&
        (result != JPEG_FOUND || half.width_px != whole.width_px ||
         half.height_px != whole.height_px || half.components != whole.components))
        abort();
    return 0;
}
