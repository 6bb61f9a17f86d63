/* image/thumbnail.h - a small JPEG of a page, for lists and for the batch's view.
 *
 * libjpeg decodes at a fraction of its size (1/8 of a scanned A4 page), the rest is averaged row by
 * row: memory is one row of the result, however tall the page is. Only thumbnail.c knows libjpeg.
 * Runs in a worker's child; any thread. */
#ifndef PLATEN_IMAGE_THUMBNAIL_H
#define PLATEN_IMAGE_THUMBNAIL_H

#include "base/bytes.h"
#include "base/err.h"

enum { THUMBNAIL_SIDE_PX = 256, THUMBNAIL_BYTES_MAX = 512 * 1024 };

/* Decodes the JPEG file at fd (read from offset 0) and appends a JPEG whose longer side is at most
 * longest_px (16..1024) to out; a smaller picture keeps its size. *ret_damaged: the decoder had to
 * guess (a cut or damaged file), the thumbnail shows what there was.
 * ERR_BAD_INPUT names what libjpeg does not like; ERR_TEMPORARY when reading fails or memory is
 * gone. The caller has checked the size with jpeg_read_facts; it is checked here again. */
bool thumbnail_make(int fd, uint32_t longest_px, Buf *out, bool *ret_damaged, Err *err);

#endif
