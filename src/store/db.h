/* store/db.h - inside of store: one SQLite connection, its prepared statements, binding and reading.
 *
 * Not for other folders: they call verbs. A Query has a sticky failure: run it to its end, read its
 * columns, ask query_ok() once. Statements are prepared once per connection and found again by the
 * address of their SQL text, so the text must be a literal. One thread at a time per Db. */
#ifndef PLATEN_STORE_DB_H
#define PLATEN_STORE_DB_H

#include "base/err.h"
#include "base/time.h"
#include "store/store.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DB_STATEMENTS_MAX = 192, DB_BUSY_MS = 10000 };

typedef struct DbStatement {
    const char *sql; /* key: its address */
    sqlite3_stmt *stmt;
    bool in_use;
} DbStatement;

struct Db {
    sqlite3 *handle;
    DbStatement statements[DB_STATEMENTS_MAX];
    size_t statement_count;
};

/* A write in progress: what a StoreWrite gets. */
struct Tx {
    Db *db;
    Wall now;
    int64_t generation;
};

/* Opens path and sets what every connection has (busy timeout, foreign keys; a writer also WAL and
 * synchronous=FULL). *db is zeroed first; db_close() afterwards also when this fails. */
bool db_open(Db *db, const char *path, bool read_only, Err *err);
void db_close(Db *db);

/* Records what SQLite says about its last failure; always returns false. SQLITE_FULL, IOERR, BUSY
 * and NOMEM are ERR_TEMPORARY, CONSTRAINT is ERR_CONFLICT, a damaged file ERR_PERMANENT, the rest
 * ERR_BUG. */
bool db_error(Db *db, Err *err);

/* --- values for the ?1, ?2 ... of a statement ---------------------------------------------------- */
typedef struct SqlValue {
    enum { SQL_END, SQL_TEXT, SQL_INT, SQL_NOTHING } kind;
    const char *text; /* borrowed until the statement ends */
    int64_t number;
} SqlValue;

#define ARG_TEXT(text_) ((SqlValue){ .kind = SQL_TEXT, .text = (text_) })
#define ARG_INT(n_)     ((SqlValue){ .kind = SQL_INT, .number = (int64_t)(n_) })
/* "" becomes NULL: for references that may be absent. */
#define ARG_TEXT_OR_NULL(text_) \
    ((SqlValue){ .kind = (text_)[0] ? SQL_TEXT : SQL_NOTHING, .text = (text_) })
#define ARGS(...) ((const SqlValue[]){ __VA_ARGS__, { .kind = SQL_END } })
#define NO_ARGS   ((const SqlValue[]){ { .kind = SQL_END } })

/* Runs a statement to its end. ret_changes may be NULL: rows it changed. */
bool db_run(Db *db, const char *sql, const SqlValue *args, int *ret_changes, Err *err);

/* Runs a script of several statements, nothing cached. */
bool db_script(Db *db, const char *script, Err *err);

/* --- reading ------------------------------------------------------------------------------------- */
typedef struct Query {
    Db *db;
    DbStatement *cached; /* NULL: stmt is ours alone */
    sqlite3_stmt *stmt;
    bool failed;
    Err err;
} Query;

void query_end(Query *query); /* a Query that was ended or never started is fine */
#define AUTO_QUERY __attribute__((cleanup(query_end))) Query

Query db_query(Db *db, const char *sql, const SqlValue *args);
bool query_next(Query *query);         /* true: a row is there                           */
bool query_ok(Query *query, Err *err); /* false with err when anything failed on the way */

int64_t query_int(Query *query, int column);      /* NULL gives 0            */
const char *query_text(Query *query, int column); /* NULL gives ""; borrowed */
/* Copies into to[size]; a text that does not fit makes the query fail. */
void query_copy(Query *query, int column, char *to, size_t size);
#define QUERY_COPY(query, column, array) query_copy((query), (column), (array), sizeof(array))
/* Index of the word in words (ends with NULL); a foreign word makes the query fail. */
int query_word(Query *query, int column, const char *const *words);

/* First column of the first row; *ret_found false (and *ret_value 0) without a row. */
bool db_find_int(Db *db, const char *sql, const SqlValue *args, int64_t *ret_value, bool *ret_found,
                 Err *err);

#endif
