/* worker/binder.h - puts pages into one file, whatever the format: what a write task and `compose`
 * have in common.
 *
 * Opens nothing and syncs nothing: descriptors come from the caller, one page at a time. */
#ifndef PLATEN_WORKER_BINDER_H
#define PLATEN_WORKER_BINDER_H

#include "document/format.h"

typedef struct Binder {
    const FormatType *format;
    void *writer; /* owned, NULL = not begun */
    Buf head;     /* beginning of the page at hand */
    uint32_t pages;
} Binder;

/* Begins a document at offset 0 of out_fd. End with binder_done, whatever happens. */
bool binder_begin(Binder *binder, const FormatType *format, int out_fd, const FormatInfo *info,
                  Err *err);

/* Appends the whole file at page_fd. scan_dpi is used when the JPEG says no density. sha256, when not
 * NULL, and size_bytes, when not negative, are what the file must have: ERR_PERMANENT when not. */
bool binder_add(Binder *binder, int page_fd, int64_t size_bytes, const char *sha256,
                uint32_t scan_dpi, Err *err);

/* The file is complete, not synced. ERR_BAD_INPUT when no page was added. */
bool binder_finish(Binder *binder, Err *err);

/* Frees what the binder holds; also after a failure, and for a binder of zeros. */
void binder_done(Binder *binder);

/* The file at fd must be of this size and hash, else ERR_PERMANENT "damaged" with a remedy. */
bool page_check(int fd, int64_t size_bytes, const char *sha256, Err *err);

#endif
