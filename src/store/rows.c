/* store/rows.c - see rows.h. */
#include "store/rows.h"

#include "base/text.h"
#include "json/json.h"

bool body_format(const Field *fields, const void *settings, Buf *ret_text, Err *err)
{
    AUTO(Json) json = json_from_fields(fields, settings, true);

    if (json && json_write(json, ret_text) && buf_text(ret_text)[0])
        return true;
    return err_set(err, ERR_TEMPORARY, 0, "no memory to write settings as JSON");
}

void body_read(Query *query, int column, const Field *fields, void *ret_struct, size_t struct_size)
{
    Err cause = { .kind = ERR_NONE };

    if (query->failed)
        return;
    AUTO(Json) json = json_parse(bytes_of_text(query_text(query, column)), &cause);
    if (json && json_read_fields(json, fields, ret_struct, struct_size, &cause))
        return;
    query->failed = true;
    query->err = cause;
    query->err.kind = cause.kind == ERR_TEMPORARY ? ERR_TEMPORARY : ERR_PERMANENT;
    err_prefix(&query->err, "database: settings as stored cannot be read");
}

bool not_found(Err *err, const char *kind, const char *id)
{
    err_set(err, ERR_NOT_FOUND, 0, "there is no %s %.60s", kind, id);
    return err_remedy(err, "List what there is and use an id from it.");
}

bool revision_check(Db *db, const char *sql, const char *kind, const char *id, int64_t revision,
                    Err *err)
{
    int64_t stored;
    bool found;

    if (!db_find_int(db, sql, ARGS(ARG_TEXT(id)), &stored, &found, err))
        return false;
    if (!found)
        return not_found(err, kind, id);
    if (revision == 0 || revision == stored)
        return true;
    err_set(err, ERR_CONFLICT, 0, "the %s was edited meanwhile (revision %lld, yours is %lld)",
            kind, (long long)stored, (long long)revision);
    return err_remedy(err, "Load it again and repeat your change.");
}

bool name_is_free(Db *db, const char *sql, const char *name, const char *id, Err *err)
{
    int64_t one;
    bool taken;

    if (!db_find_int(db, sql, ARGS(ARG_TEXT(name), ARG_TEXT(id)), &one, &taken, err))
        return false;
    if (!taken)
        return true;
    err_set(err, ERR_CONFLICT, 0, "the name \"%s\" is taken", name);
    err_remedy(err, "Choose another name.");
    return err_field(err, "name");
}

bool audit_insert(Tx *tx, const Actor *actor, const char *action, const char *kind, const char *id,
                  const char *detail, Err *err)
{
    return db_run(tx->db,
                  "INSERT INTO audit (at, actor, address, action, kind, object_id, detail)"
                  " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                  ARGS(ARG_INT(tx->now.ms), ARG_TEXT(actor->name), ARG_TEXT(actor->address),
                       ARG_TEXT(action), ARG_TEXT(kind), ARG_TEXT(id), ARG_TEXT(detail)),
                  NULL, err);
}

bool audit_change(Tx *tx, const Actor *actor, const AuditChange *change, Err *err)
{
    AUTO(Json) both = json_new_object();
    AUTO_BUF text = buf_with_max(JSON_BYTES_MAX);

    if (both && change->before)
        json_set_take(both, "before", json_from_fields(change->fields, change->before, false));
    if (both && change->after)
        json_set_take(both, "after", json_from_fields(change->fields, change->after, false));
    if (!both || !json_write(both, &text))
        return err_set(err, ERR_TEMPORARY, 0, "no memory for an audit row");
    return audit_insert(tx, actor, change->action, change->kind, change->id, buf_text(&text), err);
}
