/* store/fsck.h - settles spool and database with each other, after the older process is dead.
 *
 * Rows are rebuilt from batch.json when the database is lost; page files without rows get them (after their bytes
 * were hashed), rows without files are marked, stale .part files and .new files are removed. Nothing that holds a page is ever
 * removed. */
#ifndef PLATEN_STORE_FSCK_H
#define PLATEN_STORE_FSCK_H

#include "store/store.h"

typedef struct FsckReport {
    uint32_t batches_checked,
        batches_rebuilt; /* rebuilt: batch rows made from batch.json, state BROKEN  */
    uint32_t pages_checked, pages_added; /* added: file without row                              */
    uint32_t pages_missing,
        pages_damaged; /* row without file; hash or size differs               */
    uint32_t parts_removed;
} FsckReport;

/* One finding per call, a sentence: "batch 01k...: page 3 has no row: added". */
typedef void FsckSay(void *arg, const char *sentence);

/* quick: compares names and sizes only (at every start); else also hashes every page. dry_run: says, changes nothing. */
bool store_fsck(Store *store, const char *spool_path, bool quick, bool dry_run, FsckSay *say,
                void *arg, FsckReport *ret_report, Err *err);

#endif
