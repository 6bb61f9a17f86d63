/* mfp/jpeg-guard.h - libjpeg's errors as an Err.
 *
 * libjpeg reports a fatal error by a call that must not return: it longjmps to guard->failed. Whoever
 * calls libjpeg sets the jump in a function of its own and keeps what must be freed outside of it. */
#ifndef PLATEN_MFP_JPEG_GUARD_H
#define PLATEN_MFP_JPEG_GUARD_H

#include "base/err.h"

#include <setjmp.h>
#include <stdio.h>

#include <jpeglib.h>

typedef struct JpegGuard {
    struct jpeg_error_mgr errors; /* first: libjpeg hands back a pointer to it */
    jmp_buf failed;
    Err *err;
} JpegGuard;

static inline void jpeg_guard_error(j_common_ptr common)
{
    JpegGuard *guard = (JpegGuard *)common->err;
    char text[JMSG_LENGTH_MAX];

    common->err->format_message(common, text);
    err_set(guard->err, ERR_BAD_INPUT, common->err->msg_code, "JPEG: %s", text);
    longjmp(guard->failed, 1);
}

static inline void jpeg_guard_message(j_common_ptr common, int level)
{
    (void)common; /* a damaged picture is printed as far as it goes */
    (void)level;
}

/* What cinfo.err becomes; guard->err must be set before each call that may fail. */
static inline struct jpeg_error_mgr *jpeg_guard_init(JpegGuard *guard)
{
    (void)jpeg_std_error(&guard->errors);
    guard->errors.error_exit = jpeg_guard_error;
    guard->errors.emit_message = jpeg_guard_message;
    return &guard->errors;
}

#endif
