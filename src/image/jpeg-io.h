/* image/jpeg-io.h - libjpeg among us: its errors as an Err, descriptors as its source and its target.
 *
 * libjpeg reports a fatal error by calling error_exit, which must not return: it longjmps to
 * guard->failed. Whoever calls libjpeg does it in a function of its own, the only one with the setjmp,
 * and keeps all that must be freed in a struct of its caller's frame. Only files of image/ include this. */
#ifndef PLATEN_IMAGE_JPEG_IO_H
#define PLATEN_IMAGE_JPEG_IO_H

#include "base/err.h"

#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>

#include <jpeglib.h>

typedef struct JpegGuard {
    struct jpeg_error_mgr errors; /* first: libjpeg hands back a pointer to it */
    jmp_buf failed;
    const char *verb; /* "decoded": for the error's text, static */
    bool damaged;     /* the decoder had to guess            */
    Err *err;
} JpegGuard;

/* What cinfo.err becomes. err is borrowed as long as libjpeg works. */
struct jpeg_error_mgr *jpeg_guard_init(JpegGuard *guard, const char *verb, Err *err);

/* Ends the work of libjpeg; guard->err has been set. */
_Noreturn void jpeg_guard_fail(JpegGuard *guard);

/* n * size bytes of zeros; fails the guard when there are none. Owned by the caller. */
void *jpeg_guard_room(JpegGuard *guard, size_t n, size_t size);

enum { JPEG_BLOCK_BYTES = 64 * 1024 };

/* Reads a whole file from offset 0. */
typedef struct JpegSource {
    struct jpeg_source_mgr manager; /* first */
    int fd;
    int64_t at;
    uint8_t *block; /* owned */
} JpegSource;

/* Makes fd the source of in, whose guard is set. jpeg_source_done also after a failure. */
void jpeg_source_open(JpegSource *source, struct jpeg_decompress_struct *in, int fd);
void jpeg_source_done(JpegSource *source);

/* Appends to a descriptor. */
typedef struct JpegTarget {
    struct jpeg_destination_mgr manager; /* first */
    int fd;
    int64_t written;
    uint8_t *block; /* owned */
} JpegTarget;

/* Makes fd, at its position, the target of out, whose guard is set. jpeg_target_done also after a failure. */
void jpeg_target_open(JpegTarget *target, struct jpeg_compress_struct *out, int fd);
/* Frees the block; what was not finished is not written. */
void jpeg_target_done(JpegTarget *target);

#endif
