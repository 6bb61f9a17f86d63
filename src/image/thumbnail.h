/* image/thumbnail.h - a small JPEG of a page, for lists and for the batch's view.
 *
 * libjpeg decodes at a fraction of the size (1/8 of a scanned A4 page), raw lines come one by one; the
 * rest is averaged row by row: memory is the small picture, however tall the page is. It shows what a
 * document shows: cropped and upright. Runs in a worker's child; any thread. */
#ifndef PLATEN_IMAGE_THUMBNAIL_H
#define PLATEN_IMAGE_THUMBNAIL_H

#include "image/picture.h"

enum { THUMBNAIL_SIDE_PX = 256, THUMBNAIL_BYTES_MAX = 512 * 1024 };

/* Decodes the picture of the file at fd, as picture_read found it, and appends a JPEG whose longer side is at
 * most longest_px (16..1024) to out; a smaller picture keeps its size. *ret_damaged: the decoder had to
 * guess (a cut or damaged file), the thumbnail shows what there was.
 * ERR_BAD_INPUT names what libjpeg does not like; ERR_TEMPORARY when reading fails or memory is gone. */
bool thumbnail_make(int fd, const Picture *picture, uint32_t longest_px, Buf *out,
                    bool *ret_damaged, Err *err);

#endif
