/* store/spool.h - where pages become durable, and the threads that make them so.
 *
 *   spool/<yyyy-mm-dd>/<batch id>/batch.json        written first: job copy, device, then a line per page
 *                                /p0001a.jpg        pages as they came (.raw: with a trailer); .part while
 *                                                   they come
 *                                /t0001a.jpg        thumbnails
 *                                /out/              finished files
 *
 * The folder explains itself: with the database lost, store_fsck() makes batches of it again.
 * Calls come from the loop thread and return at once; the work is done on one of the spool threads,
 * always the same one for one SpoolBatch, in order; callbacks run on that spool thread. */
#ifndef PLATEN_STORE_SPOOL_H
#define PLATEN_STORE_SPOOL_H

#include "base/cleanup.h"
#include "base/err.h"
#include "model/batch.h"
#include "model/device.h"

typedef struct Spool Spool;
typedef struct SpoolBatch SpoolBatch;

/* A session with more unwritten than its share stops its reads: at most SPOOL_UNWRITTEN_MAX, and less when many scan, so
 * that all together have SPOOL_UNWRITTEN_ALL; but never less than SPOOL_UNWRITTEN_MIN. */
enum {
    SPOOL_UNWRITTEN_MAX = 1024 * 1024,
    SPOOL_UNWRITTEN_MIN = 128 * 1024,
    SPOOL_UNWRITTEN_ALL = 16 * 1024 * 1024,
    SPOOL_CALM_MS = 250,
};

/* path: the spool folder (made when missing). threads: 1..8. reserve_bytes: free space that must stay.
 * NULL with err set: errors of base/file.h, ERR_TEMPORARY when no thread can be had. */
Spool *spool_open(const char *path, unsigned threads, int64_t reserve_bytes, Err *err);
/* Does what was submitted and ends the threads: nothing may be called then but spool_space, spool_space_check and
 * spool_close. For a store that is closed in between, whose writer asks for room. Accepts NULL. */
void spool_finish(Spool *spool);
void spool_close(Spool *spool); /* finishes; accepts NULL */
DEFINE_AUTO(Spool, spool_close);
const char *spool_path(const Spool *spool);

/* Room on the disk of the spool. */
enum { SPOOL_SCAN_RESERVE_BYTES = 64 * 1024 * 1024 };
typedef struct SpoolSpace {
    int64_t left; /* bytes */
    int64_t
        wanted; /* the reserve, and SPOOL_SCAN_RESERVE_BYTES for each running scan and the new one */
} SpoolSpace;

/* From any thread. False with the errors of base/file.h when the disk cannot be asked. */
bool spool_space(Spool *spool, SpoolSpace *ret_space, Err *err);

/* Would a scan be begun? */
bool spool_space_is_enough(const SpoolSpace *space);

/* ERR_TEMPORARY with a remedy when a new scan must be refused for want of room. From any thread. */
bool spool_space_check(Spool *spool, Err *err);

typedef void SpoolDone(void *arg, bool ok, const Err *err);

/* Makes the batch's folder and batch.json, durable when done is called. batch is copied. The handle is valid
 * at once (pages may follow without waiting); NULL only without memory. */
SpoolBatch *spool_batch_open(Spool *spool, const Batch *batch, const Device *device,
                             SpoolDone *done, void *arg);

/* A page begins / bytes of it / it is complete. Bytes are copied (one copy). A front ('A') and a back ('B') may
 * come at the same time; begun anew, the page of that side is dropped. */
void spool_page_begin(SpoolBatch *batch, uint32_t number, char side, PageFormat format);
void spool_page_bytes(SpoolBatch *batch, char side, Bytes bytes);
/* done: file written, synced, renamed, folder synced, line in batch.json; page has file, size and sha256. */
typedef void SpoolPageDone(void *arg, bool ok, const Page *page, const Err *err);
void spool_page_end(SpoolBatch *batch, char side, const PageNotes *notes, SpoolPageDone *done,
                    void *arg);
/* The page is incomplete: its .part is removed. */
void spool_page_drop(SpoolBatch *batch, char side);

/* A line in batch.json about what the device does otherwise than the job says. Lost without memory. */
void spool_notes(SpoolBatch *batch, const ScanNotes *notes);

/* Bytes handed over and not yet written; any thread. */
size_t spool_unwritten(const SpoolBatch *batch);
/* They were more than the session's share, and have not fallen below half of it since; any thread. */
bool spool_is_full(const SpoolBatch *batch);
/* Pages come faster than they are written: some batch is full, or was within SPOOL_CALM_MS. Any thread. */
bool spool_devices_wait(Spool *spool);
/* Called on the spool thread each time it is not full any more. */
void spool_on_drained(SpoolBatch *batch, void (*drained)(void *arg), void *arg);

/* Runs call(arg) on a spool thread, the same one for all calls, in their order: for files beside the batches that the
 * loop must not wait for. Any thread. False without memory. */
bool spool_call(Spool *spool, void (*call)(void *arg), void *arg);

/* No more calls for this batch; the handle is freed after everything before it was done, then
 * closed(arg) is called on the spool thread as the last callback of this batch (may be NULL). */
void spool_batch_close(SpoolBatch *batch_take, void (*closed)(void *arg), void *arg);

#endif
