/* store/spool-remove.h - takes the folders of batches out of the spool again.
 *
 * Only what the server itself puts into a batch's folder is removed, name by name; no symbolic link is
 * followed. What somebody else put there stays, and with it its folder. The decision is not made here:
 * it is committed before (store/retention.h). Repeatable: what is not there is removed. Blocks. */
#ifndef PLATEN_STORE_SPOOL_REMOVE_H
#define PLATEN_STORE_SPOOL_REMOVE_H

#include "base/err.h"
#include "base/time.h"

/* Removes spool_path/folder; when it returns true that survives a power cut. *ret_foreign: files that are not
 * ours are left there. Errors of base/file.h; then a part may be gone. */
bool spool_folder_remove(const char *spool_path, const char *folder, bool *ret_foreign, Err *err);

/* True for the name of a file or folder that the server makes in a batch's folder. */
bool spool_name_is_ours(const char *name);

/* True when a page is in the folder, whatever the database knows, or nobody can tell. */
bool spool_folder_has_page(const char *spool_path, const char *folder);

/* Removes day folders that are empty and older than SPOOL_DAYS_SWEPT days: into a younger one a scan that
 * begins now may go. */
enum { SPOOL_DAYS_SWEPT = 2 };
bool spool_days_sweep(const char *spool_path, Wall now, Err *err);

#endif
