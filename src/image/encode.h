/* image/encode.h - raw pages as what a document holds: JPEG, or CCITT Group 4 for black and white.
 *
 * Streams: rows come from the file in bands, bytes go to the target as they are made; memory does not
 * grow with the page. Codecs are libjpeg-turbo's and libtiff's. What is seen is encoded: upright and
 * cropped. Runs in a worker's child; any thread; blocks on the files. */
#ifndef PLATEN_IMAGE_ENCODE_H
#define PLATEN_IMAGE_ENCODE_H

#include "image/picture.h"

/* Appends the raw page at fd to out_fd as a baseline JPEG (JFIF, with this density). Black and white becomes
 * grey. From quality 90 on colour keeps its full resolution (4:4:4), below it is halved (4:2:0), as
 * scanners do. *ret_bytes: how much was written. Errors of raw_row and of writing. */
bool encode_jpeg(int fd, const Picture *picture, uint32_t quality, uint32_t dpi, int out_fd,
                 int64_t *ret_bytes, Err *err);

/* Luma samples, in each direction, for one of colour at this quality: 1 or 2. */
uint8_t encode_jpeg_subsampling(uint32_t quality);

/* Appends the raw page at fd, of 1 bit, as one strip of CCITT Group 4 (ITU-T T.6): rows from the top, no
 * byte alignment, black runs where the page is black, ended by EOFB. */
bool encode_g4(int fd, const Picture *picture, int out_fd, int64_t *ret_bytes, Err *err);

#endif
