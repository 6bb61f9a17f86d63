/* store/pairing.c - see pairing.h. */
#include "store/pairing.h"

#include "base/text.h"
#include "store/batch-rows.h"
#include "store/rows.h"

#define PAIRING_COLUMNS                                                                           \
    "SELECT p.device_id, p.state, p.name, p.former, p.other, p.problem, p.since, p.checked FROM " \
    "pairing p "

static void pairing_read(Query *query, DeviceId *ret_id, Pairing *ret)
{
    *ret = (Pairing){ 0 };
    QUERY_COPY(query, 0, ret_id->text);
    ret->state = (PairingState)query_word(query, 1, pairing_state_words);
    QUERY_COPY(query, 2, ret->name);
    QUERY_COPY(query, 3, ret->before);
    QUERY_COPY(query, 4, ret->other);
    ret->problem = (PairingProblem)query_word(query, 5, pairing_problem_words);
    ret->since.ms = query_int(query, 6);
    ret->checked.ms = query_int(query, 7);
}

bool pairing_get(Db *db, const DeviceId *id, Pairing *ret_pairing, Err *err)
{
    AUTO_QUERY query = db_query(db, PAIRING_COLUMNS "WHERE p.device_id = ?1",
                                ARGS(ARG_TEXT(id->text)));
    Pairing pairing = { .state = PAIRING_NONE };
    DeviceId ignored;

    if (query_next(&query))
        pairing_read(&query, &ignored, &pairing);
    if (!query_ok(&query, err))
        return false;
    *ret_pairing = pairing;
    return true;
}

bool pairing_list(Db *db, PairingVisit *visit, void *arg, Err *err)
{
    AUTO_QUERY query = db_query(db,
                                PAIRING_COLUMNS "JOIN device d ON d.id = p.device_id WHERE d.state "
                                                "<> 'seen' ORDER BY p.device_id",
                                NO_ARGS);
    Pairing pairing;
    DeviceId id;

    while (query_next(&query)) {
        pairing_read(&query, &id, &pairing);
        if (query.failed || !visit(arg, &id, &pairing))
            break;
    }
    return query_ok(&query, err);
}

static bool put_row(Tx *tx, const DeviceId *id, const Pairing *p, Err *err)
{
    if (p->state == PAIRING_NONE)
        return db_run(tx->db, "DELETE FROM pairing WHERE device_id = ?1", ARGS(ARG_TEXT(id->text)),
                      NULL, err);
    return db_run(
        tx->db,
        "INSERT INTO pairing (device_id, state, name, former, other, problem, since, checked)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (device_id) DO UPDATE SET"
        " state = ?2, name = ?3, former = ?4, other = ?5, problem = ?6, since = ?7, checked = ?8",
        ARGS(ARG_TEXT(id->text), ARG_TEXT(pairing_state_words[p->state]), ARG_TEXT(p->name),
             ARG_TEXT(p->before), ARG_TEXT(p->other), ARG_TEXT(pairing_problem_words[p->problem]),
             ARG_INT(p->since.ms), ARG_INT(p->checked.ms)),
        NULL, err);
}

bool pairing_put(Tx *tx, const DeviceId *id, const Pairing *pairing, const char *event,
                 const char *text, Err *err)
{
    Event row = { .id = 0 };
    Device device;

    if (!device_get(tx->db, id, &device, err))
        return err->kind == ERR_NOT_FOUND;
    if (!put_row(tx, id, pairing, err))
        return false;
    (void)text_copy(row.device, sizeof row.device, id->text);
    (void)text_copy(row.kind, sizeof row.kind, event ? event : "");
    (void)text_copy(row.text, sizeof row.text, text);
    return !event || event_insert(tx, &row, err);
}
