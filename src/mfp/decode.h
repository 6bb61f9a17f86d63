/* mfp/decode.h - the pixels of a picture, row by row from the top, as RGB.
 *
 * A JPEG is decoded as its rows are asked for and takes the memory of a few rows; a PNG, a TIFF and
 * a turned JPEG are held whole, at most PICTURE_PIXELS_MAX pixels, until decoder_free. Transparent
 * parts of a PNG are white. One thread per decoder. */
#ifndef PLATEN_MFP_DECODE_H
#define PLATEN_MFP_DECODE_H

#include "base/cleanup.h"
#include "mfp/picture.h"

typedef struct Decoder Decoder;

/* picture and its file are borrowed. turned: by 180 degrees. ERR_BAD_INPUT: damaged; ERR_TEMPORARY: no memory. */
Decoder *decoder_new(const Picture *picture, bool turned, Err *err);
void decoder_free(Decoder *decoder); /* accepts NULL */
DEFINE_AUTO(Decoder, decoder_free);

/* The next row, three bytes a pixel, valid until the next call. NULL: ERR_BAD_INPUT, the picture is damaged,
 * or there is no further row. */
const uint8_t *decoder_row(Decoder *decoder, Err *err);

#endif
