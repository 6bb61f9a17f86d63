/* store/db.c - see db.h. */
#include "store/db.h"

#include "base/text.h"

#include <string.h>

static const char disk_full_cure[] =
    "Free space on the disk of the data folder; nothing that was acknowledged is lost.";
static const char disk_error_cure[] =
    "Look at the system log for errors of the disk; the server tries again by itself.";
static const char damaged_cure[] = "Stop the server, put platen.db aside and run: platen fsck; it "
                                   "rebuilds batches from the spool.";

typedef struct SqlErrorRule {
    int code;
    ErrKind kind;
    const char *remedy;
} SqlErrorRule;

/* Primary result codes; what is not listed is a bug of ours. */
static const SqlErrorRule sql_error_rules[] = {
    { SQLITE_FULL, ERR_TEMPORARY, disk_full_cure },
    { SQLITE_IOERR, ERR_TEMPORARY, disk_error_cure },
    { SQLITE_NOMEM, ERR_TEMPORARY, "Give the server more memory." },
    { SQLITE_BUSY, ERR_TEMPORARY, "Another program holds the database; close it and try again." },
    { SQLITE_LOCKED, ERR_TEMPORARY, "Try again." },
    { SQLITE_CONSTRAINT, ERR_CONFLICT, NULL },
    { SQLITE_CORRUPT, ERR_PERMANENT, damaged_cure },
    { SQLITE_NOTADB, ERR_PERMANENT, damaged_cure },
    { SQLITE_PERM, ERR_DENIED, "Give the server's user the right to write the data folder." },
    { SQLITE_READONLY, ERR_DENIED, "Give the server's user the right to write the data folder." },
    { SQLITE_CANTOPEN, ERR_TEMPORARY, "Check that the data folder can be read and written." },
};

bool db_error(Db *db, Err *err)
{
    int code = db->handle ? sqlite3_errcode(db->handle) : SQLITE_NOMEM;
    int cause = db->handle ? sqlite3_system_errno(db->handle) : 0;
    bool of_disk = (code & 0xff) == SQLITE_IOERR || (code & 0xff) == SQLITE_CANTOPEN;

    err_set(err, ERR_BUG, code, "database: %s%s%s",
            db->handle ? sqlite3_errmsg(db->handle) : "no memory", of_disk && cause ? ": " : "",
            of_disk && cause ? strerror(cause) : "");
    for (size_t i = 0; i < COUNT_OF(sql_error_rules); i++)
        if (sql_error_rules[i].code == (code & 0xff)) {
            err->kind = sql_error_rules[i].kind;
            if (sql_error_rules[i].remedy)
                err_remedy(err, "%s", sql_error_rules[i].remedy);
        }
    return false;
}

bool db_open(Db *db, const char *path, bool read_only, Err *err)
{
    int flags = read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;

    memset(db, 0, sizeof *db);
    /* NOMUTEX: a connection belongs to one thread at a time, SQLite need not lock it. */
    if (sqlite3_open_v2(path, &db->handle, flags | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
        return db_error(db, err) || err_prefix(err, "cannot open %s", path);
    sqlite3_extended_result_codes(db->handle, 1);
    /* The writer needs patience as well: a reader that opens its connection locks for a moment. */
    sqlite3_busy_timeout(db->handle, DB_BUSY_MS);
    if (!db_script(db, "PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF;", err) ||
        (!read_only &&
         !db_script(db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;", err)))
        return err_prefix(err, "cannot open %s", path);
    return true;
}

void db_close(Db *db)
{
    for (size_t i = 0; i < db->statement_count; i++)
        sqlite3_finalize(db->statements[i].stmt);
    db->statement_count = 0;
    sqlite3_close(db->handle);
    db->handle = NULL;
}

/* The statement of a literal: a cached one that is free, or a new one. */
static sqlite3_stmt *statement_take(Db *db, const char *sql, DbStatement **ret_cached, Err *err)
{
    DbStatement *found = NULL;
    sqlite3_stmt *stmt = NULL;

    *ret_cached = NULL;
    for (size_t i = 0; i < db->statement_count && !found; i++)
        if (db->statements[i].sql == sql)
            found = &db->statements[i];
    if (found && !found->in_use) {
        found->in_use = true;
        *ret_cached = found;
        return found->stmt;
    }
    if (sqlite3_prepare_v3(db->handle, sql, -1, found ? 0 : SQLITE_PREPARE_PERSISTENT, &stmt,
                           NULL) != SQLITE_OK) {
        db_error(db, err);
        return NULL;
    }
    /* One that is running already (a list inside a list) or does not fit is not kept. */
    if (!found && db->statement_count < DB_STATEMENTS_MAX) {
        found = &db->statements[db->statement_count++];
        *found = (DbStatement){ .sql = sql, .stmt = stmt, .in_use = true };
        *ret_cached = found;
    }
    return stmt;
}

static bool statement_bind(Db *db, sqlite3_stmt *stmt, const SqlValue *args, Err *err)
{
    for (int i = 0; args[i].kind != SQL_END; i++) {
        int rc = SQLITE_OK;

        if (args[i].kind == SQL_TEXT)
            rc = sqlite3_bind_text(stmt, i + 1, args[i].text, -1, SQLITE_STATIC);
        else if (args[i].kind == SQL_INT)
            rc = sqlite3_bind_int64(stmt, i + 1, args[i].number);
        if (rc != SQLITE_OK)
            return db_error(db, err);
    }
    return true;
}

Query db_query(Db *db, const char *sql, const SqlValue *args)
{
    Query query = { .db = db };

    query.stmt = statement_take(db, sql, &query.cached, &query.err);
    query.failed = !query.stmt || !statement_bind(db, query.stmt, args, &query.err);
    return query;
}

void query_end(Query *query)
{
    if (query->cached) {
        sqlite3_reset(query->stmt);
        sqlite3_clear_bindings(query->stmt);
        query->cached->in_use = false;
    } else {
        sqlite3_finalize(query->stmt);
    }
    query->cached = NULL;
    query->stmt = NULL;
}

bool query_next(Query *query)
{
    if (query->failed || !query->stmt)
        return false;
    int rc = sqlite3_step(query->stmt);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
        query->failed = true;
        db_error(query->db, &query->err);
    }
    return rc == SQLITE_ROW;
}

bool query_ok(Query *query, Err *err)
{
    if (query->failed)
        *err = query->err;
    return !query->failed;
}

int64_t query_int(Query *query, int column)
{
    return sqlite3_column_int64(query->stmt, column);
}

const char *query_text(Query *query, int column)
{
    const unsigned char *text = sqlite3_column_text(query->stmt, column);

    return text ? (const char *)text : "";
}

void query_copy(Query *query, int column, char *to, size_t size)
{
    if (text_copy(to, size, query_text(query, column)) || query->failed)
        return;
    query->failed = true;
    err_set(&query->err, ERR_PERMANENT, 0, "database: the text of %s is longer than %zu bytes",
            sqlite3_column_name(query->stmt, column), size - 1);
    err_remedy(&query->err, "The database was changed by another program; restore a backup.");
}

int query_word(Query *query, int column, const char *const *words)
{
    const char *word = query_text(query, column);

    for (int i = 0; words[i]; i++)
        if (text_equal(words[i], word))
            return i;
    if (!query->failed) {
        query->failed = true;
        err_set(&query->err, ERR_PERMANENT, 0, "database: %s has the foreign value \"%.40s\"",
                sqlite3_column_name(query->stmt, column), word);
        err_remedy(&query->err, "The database was changed by another program; restore a backup.");
    }
    return 0;
}

bool db_run(Db *db, const char *sql, const SqlValue *args, int *ret_changes, Err *err)
{
    AUTO_QUERY query = db_query(db, sql, args);

    while (query_next(&query))
        continue;
    if (!query_ok(&query, err))
        return false;
    if (ret_changes)
        *ret_changes = sqlite3_changes(db->handle);
    return true;
}

bool db_script(Db *db, const char *script, Err *err)
{
    return sqlite3_exec(db->handle, script, NULL, NULL, NULL) == SQLITE_OK || db_error(db, err);
}

bool db_find_int(Db *db, const char *sql, const SqlValue *args, int64_t *ret_value, bool *ret_found,
                 Err *err)
{
    AUTO_QUERY query = db_query(db, sql, args);

    *ret_found = query_next(&query);
    *ret_value = *ret_found ? query_int(&query, 0) : 0;
    return query_ok(&query, err);
}
