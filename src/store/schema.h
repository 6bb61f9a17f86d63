/* store/schema.h - inside of store: the tables, as an array of scripts, one for each version.
 *
 * PRAGMA user_version counts the scripts that ran. A script is never changed after a release: what
 * must change is a new script at the end. */
#ifndef PLATEN_STORE_SCHEMA_H
#define PLATEN_STORE_SCHEMA_H

#include "store/db.h"

extern const char *const schema_scripts[]; /* ends with NULL */

/* Brings the database to the last version of scripts, one transaction per script. Before the first
 * script runs over a database that has a version, its file is copied to platen.db.before-vN (N: the
 * version it will have). The caller holds the lock of the data folder and no other connection is
 * open. folder_fd: the data folder.
 * ERR_PERMANENT: the database is newer than the scripts; nothing was changed. */
bool schema_migrate(Db *db, int folder_fd, const char *const *scripts, Err *err);

#endif
