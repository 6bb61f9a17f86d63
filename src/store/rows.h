/* store/rows.h - inside of store: what the files of verbs share about rows. */
#ifndef PLATEN_STORE_ROWS_H
#define PLATEN_STORE_ROWS_H

#include "base/bytes.h"
#include "base/field.h"
#include "store/config-rows.h"
#include "store/db.h"

/* Why a scan was refused when somebody may be in between: the reasons of device_alarm, as a list of SQL. */
#define ALARMING_REASONS "('certificate-changed', 'tls-downgraded', 'tls-lost')"

/* A settings struct as the JSON text of a body column (secrets included: it is what is stored). */
bool body_format(const Field *fields, const void *settings, Buf *ret_text, Err *err);

/* The settings struct of a body column. A failure makes the query fail: the row is damaged. */
void body_read(Query *query, int column, const Field *fields, void *ret_struct, size_t struct_size);

/* ERR_NOT_FOUND with the sentence "no <kind> <id>". Always false. */
bool not_found(Err *err, const char *kind, const char *id);

/* A changed row must be there (ERR_NOT_FOUND) and, when revision is not 0, have that revision
 * (ERR_CONFLICT). sql: SELECT revision ... WHERE id = ?1. */
bool revision_check(Db *db, const char *sql, const char *kind, const char *id, int64_t revision,
                    Err *err);

/* ERR_CONFLICT "the name ... is taken" when another row has the name. sql: SELECT 1 ... WHERE name =
 * ?1 AND id <> ?2. */
bool name_is_free(Db *db, const char *sql, const char *name, const char *id, Err *err);

/* The audit row of a change: {"before":..,"after":..}; NULL table = that side is absent. Secrets are
 * left out. */
typedef struct AuditChange {
    const char *action, *kind, *id;
    const Field *fields;
    const void *before, *after;
} AuditChange;
bool audit_change(Tx *tx, const Actor *actor, const AuditChange *change, Err *err);

#endif
