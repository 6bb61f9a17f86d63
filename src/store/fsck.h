/* store/fsck.h - settles spool and database with each other, after the older process is dead.
 *
 * Rows are rebuilt from batch.json when the database is lost; page files without rows get them (after
 * their bytes were hashed), rows without files are marked, stale .part and .new files are removed, and
 * so are folders of batches that no row knows and that hold no page. Nothing that holds a page is ever
 * removed. Batches whose files are removed, or will be (store/retention.h), are passed over; one whose
 * folder is gone without that is marked, and marked back when the folder is there again. Blocks; not from the loop, http or writer thread. */
#ifndef PLATEN_STORE_FSCK_H
#define PLATEN_STORE_FSCK_H

#include "store/store.h"

typedef struct FsckReport {
    uint32_t batches_checked;
    uint32_t batches_rebuilt; /* rows made from batch.json, state BROKEN             */
    uint32_t batches_left;    /* pages, but neither a row nor a batch.json we can read */
    uint32_t batches_gone;    /* row without folder                                  */
    uint32_t batches_found;   /* the folder is there again                           */
    uint32_t pages_checked;
    uint32_t pages_added;     /* file without row       */
    uint32_t pages_missing;   /* row without file       */
    uint32_t pages_damaged;   /* size or hash differs   */
    uint32_t parts_removed;   /* .part and .new files   */
    uint32_t folders_removed; /* without row and page   */
} FsckReport;

/* One finding per call, a sentence: "batch 01k...: page 3 has no row: added". */
typedef void FsckSay(void *arg, const char *sentence);

/* quick (at every start): compares names and sizes, and passes over batches that are DONE; else every
 * page of every batch is hashed. dry_run: counts and says, changes nothing. A batch that cannot be
 * checked is said and passed over; false only when the spool cannot be read or the database fails. */
bool store_fsck(Store *store, const char *spool_path, bool quick, bool dry_run, FsckSay *say,
                void *arg, FsckReport *ret_report, Err *err);

#endif
