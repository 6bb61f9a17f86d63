/* store/batch-json.h - inside of store: batch.json, which makes a batch's folder explain itself.
 *
 * JSON lines. The first says what the batch is and is durable before any page; then one line for each
 * page. Page lines are appended without a flush of their own: a page whose line was lost or torn in a
 * power cut is hashed again by fsck, so nothing depends on them but what PageNotes holds: resolution,
 * rotation, real size, order of the sheets. */
#ifndef PLATEN_STORE_BATCH_JSON_H
#define PLATEN_STORE_BATCH_JSON_H

#include "base/bytes.h"
#include "model/batch.h"
#include "model/device.h"

/* Longest file that is read: the first line (a job) and BATCH_PAGES_MAX sheets of two sides. */
enum { BATCH_JSON_BYTES_MAX = 8 * 1024 * 1024 };

/* Appends the first line, newline included. ERR_TEMPORARY: no memory. */
bool batch_json_head(const Batch *batch, const Device *device, Buf *out, Err *err);

/* Appends the line of a page (number, side, file, size, hash, notes, time). */
bool batch_json_page(const Page *page, Buf *out, Err *err);

/* Appends a line with what the device does otherwise than the job says; an empty list takes former
 * notes back. */
bool batch_json_notes(const ScanNotes *notes, Buf *out, Err *err);

/* The last such line of the file; without one no notes. */
void batch_json_read_notes(Bytes file, ScanNotes *ret_notes);

/* Reads the first line: everything of a Batch but its state and reason; folder is not in it.
 * ERR_BAD_INPUT when it is not ours, torn, or of a newer version. */
bool batch_json_parse_head(Bytes file, Batch *ret_batch, Err *err);

/* Calls visit for each whole page line behind the first; lines that cannot be read are passed over. */
void batch_json_pages(Bytes file, void (*visit)(void *arg, const Page *page), void *arg);

#endif
