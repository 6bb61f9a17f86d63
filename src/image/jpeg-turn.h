/* image/jpeg-turn.h - a JPEG turned by 180 degrees or cropped without decoding its pixels.
 *
 * Works on the coefficients (jpeg_read_coefficients of libjpeg): nothing is lost, there is no second
 * generation. A crop is exact. A turned JPEG must begin at a block: where width or height is no multiple
 * of the block (8 or 16 pixels), the blocks that stood over the right and the lower edge become up to 15
 * pixels of margin on the left and on top; jpegtran would cut that much off the page instead.
 * Runs in a worker's child; any thread; memory is the picture's coefficients. */
#ifndef PLATEN_IMAGE_JPEG_TURN_H
#define PLATEN_IMAGE_JPEG_TURN_H

#include "image/picture.h"

/* Appends the JPEG at fd (picture: of kind PICTURE_JPEG), as its view wants it seen, to out_fd as a baseline
 * JPEG with the same tables, comments and application segments. ERR_BAD_INPUT when libjpeg cannot take
 * it; ERR_PERMANENT with a remedy when it needs more than JPEG_TURN_BYTES_MAX of memory. */
bool jpeg_turn(int fd, const Picture *picture, int out_fd, int64_t *ret_bytes, Err *err);

enum { JPEG_TURN_BYTES_MAX = 420 * 1024 * 1024 }; /* A3 of 600 dpi at 4:4:4; a task has 512 MiB */

#endif
