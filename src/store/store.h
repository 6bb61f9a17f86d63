/* store/store.h - the database: rows of the nouns, and the only door to them.
 *
 * Verbs, never SQL, leave this folder. There is one write connection, owned by the writer thread: a
 * write is a function that runs there inside a transaction with others that were waiting (WAL,
 * synchronous=FULL), so a write that was reported as done survives a power cut. Readers have a
 * connection of their own each. SQLite is embedded; another database would be one more
 * implementation of these verbs. */
#ifndef PLATEN_STORE_STORE_H
#define PLATEN_STORE_STORE_H

#include "base/cleanup.h"
#include "base/err.h"
#include "base/time.h"

#include <stdbool.h>

typedef struct Store Store;
typedef struct Tx Tx;                   /* a write in progress, valid inside a StoreWrite only */
typedef struct StoreReader StoreReader; /* a read connection, one thread at a time        */

/* Opens (creates, migrates) PATH/platen.db and starts the writer thread. A database newer than the
 * program is refused (ERR_PERMANENT, the remedy says what to install or restore); before a migration
 * the file is copied to platen.db.before-vN. Takes a new boot generation. folder_path: the data
 * folder, made when missing. It is locked (platen.lock) until store_close(): ERR_CONFLICT names the
 * process that has it. Else errors of base/file.h and of the database. */
Store *store_open(const char *folder_path, Err *err);

/* Runs what is queued, stops the writer, closes. Accepts NULL. */
void store_close(Store *store);
DEFINE_AUTO(Store, store_close);

/* This start's number; rows claimed by an older one belong to nobody. */
int64_t store_generation(const Store *store);

/* Commits since the start, each of 1 to 256 writes; for metrics. Any thread. */
int64_t store_commits(const Store *store);

/* --- writing ----------------------------------------------------------------------------------- */

/* Runs on the writer thread. False rolls this write back (others of the same commit stay). */
typedef bool StoreWrite(Tx *tx, void *arg, Err *err);

/* Called on the writer thread after the commit (ok), or after the roll-back with err. Quick: hands
 * over to another thread. */
typedef void StoreDone(void *arg, bool ok, const Err *err);

/* Queues a write; any thread; never blocks. When the queue is full (STORE_QUEUE_MAX) or the store
 * is closing, done is called at once on the caller's thread with ERR_TEMPORARY. */
enum { STORE_QUEUE_MAX = 65536 };
void store_write(Store *store, StoreWrite *write, StoreDone *done, void *arg);

/* The same, waits for the commit. Never from the loop, http or writer thread. */
bool store_write_wait(Store *store, StoreWrite *write, void *arg, Err *err);

/* Time of the write, the same for all verbs of one write. */
Wall tx_now(const Tx *tx);
int64_t tx_generation(const Tx *tx);

/* --- reading ----------------------------------------------------------------------------------- */
StoreReader *store_reader_open(Store *store, Err *err);
void store_reader_close(StoreReader *reader); /* accepts NULL */
DEFINE_AUTO(StoreReader, store_reader_close);

/* A verb that only reads takes a Db: a StoreReader's, or inside a write the Tx's own view. */
typedef struct Db Db;
Db *reader_db(StoreReader *reader);
Db *tx_db(Tx *tx);

#endif
