/* worker/index.h - the index of a batch, from what a task says of its documents. */
#ifndef PLATEN_WORKER_INDEX_H
#define PLATEN_WORKER_INDEX_H

#include "base/bytes.h"
#include "json/json.h"

enum { INDEX_BYTES_MAX = 16 * 1024 * 1024 };

/* Appends the index as CSV to csv, which was made with INDEX_BYTES_MAX. batch: {"job":{"name"},"device",
 * "started_at_ms","utc_offset_min"}; holder: has "documents", an array of {"file_name","pages","size",
 * "sha256"}. ERR_BAD_INPUT with field, ERR_PERMANENT when it gets too long. */
bool index_rows(const Json *batch, const Json *holder, Buf *csv, Err *err);

#endif
