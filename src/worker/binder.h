/* worker/binder.h - puts pages into one file, whatever the format: what a write task and `compose`
 * have in common.
 *
 * Opens nothing and syncs nothing: descriptors come from the caller, one page at a time. */
#ifndef PLATEN_WORKER_BINDER_H
#define PLATEN_WORKER_BINDER_H

#include "document/format.h"
#include "json/json.h"

typedef struct Binder {
    const FormatType *format;
    void *writer; /* owned, NULL = not begun */
    Buf head;     /* beginning of the page at hand */
    uint32_t quality;
    uint32_t pages;
} Binder;

/* A page to be bound. Borrowed during binder_add only. */
typedef struct BinderPage {
    int fd;             /* the whole file                                           */
    int64_t size_bytes; /* what it must have; negative = whatever it has            */
    const char *sha256; /* what it must have, NULL = not known                      */
    PictureKind kind;
    PictureView view;
    uint32_t scan_dpi; /* used when the picture says no density                     */
} BinderPage;

/* Begins a document at offset 0 of out_fd; quality (1..100) is for pixels that become a JPEG. End with
 * binder_done, whatever happens. */
bool binder_begin(Binder *binder, const FormatType *format, int out_fd, const FormatInfo *info,
                  uint32_t quality, Err *err);

/* Appends a page. ERR_PERMANENT when the file is not of the size or hash that was said. */
bool binder_add(Binder *binder, const BinderPage *given, Err *err);

/* The file is complete, not synced. ERR_BAD_INPUT when no page was added. */
bool binder_finish(Binder *binder, Err *err);

/* Frees what the binder holds; also after a failure, and for a binder of zeros. */
void binder_done(Binder *binder);

/* The file at fd must be of this size and hash, else ERR_PERMANENT "damaged" with a remedy. */
bool page_check(int fd, int64_t size_bytes, const char *sha256, Err *err);

/* How a page of a task must be seen: its members "rotation" (0 or 180), "crop_width_px" and "crop_height_px",
 * each of them 0 when it is absent. ERR_BAD_INPUT with field. */
bool page_view(const Json *page, PictureView *ret_view, Err *err);

#endif
