/* mfp/picture.h - one printed side of the virtual device's paper: a JPEG, a PNG or a page of a TIFF.
 *
 * Only what the headers say is read here; pixels are the business of mfp/decode.h. Pure; any thread. */
#ifndef PLATEN_MFP_PICTURE_H
#define PLATEN_MFP_PICTURE_H

#include "base/bytes.h"
#include "base/err.h"

enum {
    PICTURE_SIDE_MAX_PX = 65500,            /* what libjpeg writes; 5.5 m at 300 dpi          */
    PICTURE_PIXELS_MAX = 150 * 1000 * 1000, /* A4 at 1200 dpi has 139 million                 */
    PICTURE_DPI_MIN = 20,                   /* densities outside are noise, not a resolution  */
    PICTURE_DPI_MAX = 9600,
};

typedef enum PictureKind { PICTURE_JPEG, PICTURE_PNG, PICTURE_TIFF } PictureKind;

typedef struct Picture {
    PictureKind kind;
    Bytes file;    /* the whole file, borrowed                                               */
    uint32_t page; /* of a TIFF, from 0                                                      */
    uint32_t width_px, height_px;
    uint32_t dpi_x, dpi_y; /* both 0: the file does not say                                  */
    uint8_t components;    /* of a JPEG: 1 grey, 3 colour                                    */
    size_t head_bytes;     /* of a JPEG: from FFD8 to the end of the SOS segment             */
} Picture;

/* Pages in a file: those of a TIFF, else 1. */
uint32_t picture_pages(Bytes file);

/* Reads the headers of one page; ret_picture->file is borrowed from file. ERR_BAD_INPUT says what is wrong: none
 * of the three formats, cut, without a size, too large, CMYK. Pixels are not looked at. */
bool picture_read(Bytes file, uint32_t page, Picture *ret_picture, Err *err);

#endif
