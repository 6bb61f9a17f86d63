/* store/batch-claims.c - see batch-rows.h: pages, plans and documents that workers have claimed. */
#include "base/text.h"
#include "model/name.h"
#include "store/batch-read.h"
#include "store/rows.h"

bool claim_ended(Query *query, bool found, bool *ret_found, Err *err)
{
    if (!query_ok(query, err))
        return false;
    *ret_found = found;
    return true;
}

bool not_ours(Err *err, const char *kind, const char *id)
{
    return err_set(err, ERR_CONFLICT, 0, "%s %.60s is not claimed by this server now", kind, id);
}

/* For results of workers: changes exactly the row that this generation has claimed. */
static bool end_claim(Tx *tx, const char *sql, const SqlValue *args, const char *kind,
                      const char *id, Err *err)
{
    int rows;

    return db_run(tx->db, sql, args, &rows, err) && (rows > 0 || not_ours(err, kind, id));
}

/* --- pages --------------------------------------------------------------------------------------- */

static bool page_take(Tx *tx, int64_t *ret_id, bool *ret_found, Err *err)
{
    return db_find_int(
        tx->db,
        "UPDATE page SET state = 'reading', owner = ?1, attempt = attempt + 1"
        " WHERE id = (SELECT id FROM page WHERE state = 'stored' ORDER BY id LIMIT 1)"
        " RETURNING id",
        ARGS(ARG_INT(tx->generation)), ret_id, ret_found, err);
}

bool page_claim(Tx *tx, PageClaim *ret_claim, bool *ret_found, Err *err)
{
    int64_t id;
    bool found;

    if (!page_take(tx, &id, &found, err))
        return false;
    if (!found) {
        *ret_found = false;
        return true;
    }
    AUTO_QUERY query = db_query(tx->db,
                                "SELECT " PAGE_COLUMNS ", batch.folder FROM page"
                                " JOIN batch ON batch.id = page.batch_id WHERE page.id = ?1",
                                ARGS(ARG_INT(id)));
    found = query_next(&query);
    if (found) {
        page_read(&query, 0, &ret_claim->page);
        QUERY_COPY(&query, PAGE_COLUMN_COUNT, ret_claim->folder);
    }
    return claim_ended(&query, found, ret_found, err);
}

bool page_read_done(Tx *tx, int64_t page_id, const PageFacts *facts, const char *warning, Err *err)
{
    char id[24], text[FIELD_SIZEOF(Page, warning)];

    (void)text_copy(text, sizeof text, warning);
    (void)text_printf(id, sizeof id, "%lld", (long long)page_id);
    return end_claim(tx,
                     "UPDATE page SET state = 'read', owner = NULL, width_px = ?3, height_px = ?4,"
                     " dpi = ?5, components = ?6, thumbnail = ?7, warning = ?8"
                     " WHERE id = ?1 AND state = 'reading' AND owner = ?2",
                     ARGS(ARG_INT(page_id), ARG_INT(tx->generation), ARG_INT(facts->width_px),
                          ARG_INT(facts->height_px), ARG_INT(facts->dpi),
                          ARG_INT(facts->components), ARG_TEXT(facts->thumbnail), ARG_TEXT(text)),
                     "page", id, err);
}

bool page_read_failed(Tx *tx, int64_t page_id, bool damaged, const char *warning, Err *err)
{
    char id[24], text[FIELD_SIZEOF(Page, warning)];

    (void)text_printf(id, sizeof id, "%lld", (long long)page_id);
    (void)text_copy(text, sizeof text, warning);
    return end_claim(tx,
                     "UPDATE page SET owner = NULL,"
                     " state = CASE WHEN attempt < ?3 THEN 'stored' ELSE ?5 END,"
                     " warning = CASE WHEN attempt < ?3 THEN '' ELSE ?4 END"
                     " WHERE id = ?1 AND state = 'reading' AND owner = ?2",
                     ARGS(ARG_INT(page_id), ARG_INT(tx->generation),
                          ARG_INT(PAGE_READ_ATTEMPTS_MAX), ARG_TEXT(text),
                          ARG_WORD(page_state_words, damaged ? PAGE_DAMAGED : PAGE_UNREAD)),
                     "page", id, err);
}

/* --- plans --------------------------------------------------------------------------------------- */

bool plan_claim(Tx *tx, Batch *ret_batch, uint32_t *ret_attempt, bool *ret_found, Err *err)
{
    AUTO_QUERY query = db_query(
        tx->db,
        "UPDATE batch SET plan_owner = ?1, plan_attempt = plan_attempt + 1"
        " WHERE id = (SELECT id FROM batch b WHERE b.state = 'composing' AND b.plan_owner IS NULL"
        "  AND b.plan_attempt < ?2"
        "  AND NOT EXISTS (SELECT 1 FROM document WHERE batch_id = b.id)"
        "  AND NOT EXISTS (SELECT 1 FROM page WHERE batch_id = b.id"
        "   AND state IN ('stored', 'reading'))"
        "  ORDER BY b.id LIMIT 1) RETURNING id, plan_attempt",
        ARGS(ARG_INT(tx->generation), ARG_INT(COMPOSE_ATTEMPTS_MAX)));
    bool found = query_next(&query);
    uint32_t attempt = 0;
    BatchId id;

    if (found) {
        QUERY_COPY(&query, 0, id.text);
        attempt = (uint32_t)query_int(&query, 1);
    }
    if (!claim_ended(&query, found, ret_found, err))
        return false;
    query_end(&query);
    if (found)
        *ret_attempt = attempt;
    return !found || batch_get(tx->db, &id, ret_batch, err);
}

bool plan_failed(Tx *tx, const BatchId *id, const char *text, bool *ret_given_up, Err *err)
{
    Event event = { .id = 0 };
    int64_t given_up;
    bool found;

    if (!db_find_int(
            tx->db,
            "UPDATE batch SET plan_owner = NULL WHERE id = ?1 AND plan_owner = ?2"
            " RETURNING plan_attempt >= ?3",
            ARGS(ARG_TEXT(id->text), ARG_INT(tx->generation), ARG_INT(COMPOSE_ATTEMPTS_MAX)),
            &given_up, &found, err))
        return false;
    if (!found)
        return not_ours(err, "the plan of batch", id->text);
    (void)text_copy(event.batch, sizeof event.batch, id->text);
    (void)text_copy(event.kind, sizeof event.kind, "plan.failed");
    (void)text_copy(event.text, sizeof event.text, text);
    *ret_given_up = given_up != 0;
    return event_insert(tx, &event, err);
}

/* --- documents of a plan ------------------------------------------------------------------------- */

static bool counter_take(Tx *tx, const char *job_id, uint64_t *ret_number, Err *err)
{
    int64_t number;
    bool found;

    if (!db_find_int(tx->db,
                     "INSERT INTO counter (job_id, last) VALUES (?1, 1)"
                     " ON CONFLICT (job_id) DO UPDATE SET last = last + 1 RETURNING last",
                     ARGS(ARG_TEXT(job_id)), &number, &found, err))
        return false;
    *ret_number = (uint64_t)number;
    return true;
}

/* What naming the documents of one plan must remember. */
typedef struct PlanNames {
    const char *job_id;
    /* The counter of the first document: the index is named like that one. */
    uint64_t first_number;
    /* The last name that needed a number to be unique, and that number: a thousand documents of one
     * name must not each count from _2. */
    char base[FILE_NAME_BYTES_MAX + 1];
    uint32_t next;
} PlanNames;

static bool name_number(Tx *tx, PlanNames *names, DocumentKind kind, uint64_t *ret_number, Err *err)
{
    if (kind == DOCUMENT_INDEX && names->first_number > 0) {
        *ret_number = names->first_number;
        return true;
    }
    if (!counter_take(tx, names->job_id, ret_number, err))
        return false;
    if (names->first_number == 0)
        names->first_number = *ret_number;
    return true;
}

static bool name_finished(Tx *tx, PlanNames *names, const PlannedDocument *planned,
                          char ret_name[FILE_NAME_BYTES_MAX + 1], Err *err)
{
    char stem[FIELD_SIZEOF(PlannedDocument, name)];
    uint64_t number = 0;

    (void)text_copy(stem, sizeof stem, planned->name);
    char *dot = strrchr(stem, '.');
    if (!dot)
        return err_set(err, ERR_BUG, 0, "planned name \"%.60s\" has no extension", stem);
    *dot = '\0';
    return (!name_has_seq(stem) || name_number(tx, names, planned->kind, &number, err)) &&
           name_finish(stem, number, dot + 1, ret_name, err);
}

static bool name_made_unique(Tx *tx, const BatchId *id, PlanNames *names,
                             char name[FILE_NAME_BYTES_MAX + 1], Err *err)
{
    char wanted[FILE_NAME_BYTES_MAX + 1];
    bool taken = true;

    (void)text_copy(wanted, sizeof wanted, name);
    if (!text_equal_nocase(names->base, name)) {
        (void)text_copy(names->base, sizeof names->base, name);
        names->next = 1;
    }
    for (; taken; names->next++) {
        int64_t one;

        if (names->next > 1)
            name_with_number(wanted, names->next, name);
        if (!db_find_int(tx->db, "SELECT 1 FROM document WHERE batch_id = ?1 AND name = ?2",
                         ARGS(ARG_TEXT(id->text), ARG_TEXT(name)), &one, &taken, err))
            return false;
    }
    return true;
}

static bool document_insert(Tx *tx, const BatchId *id, PlanNames *names,
                            const PlannedDocument *planned, Err *err)
{
    DocumentId document = id_new(DocumentId, tx->now);
    char name[FILE_NAME_BYTES_MAX + 1];

    return name_finished(tx, names, planned, name, err) &&
           name_made_unique(tx, id, names, name, err) &&
           db_run(tx->db,
                  "INSERT INTO document (id, batch_id, kind, number, name, first_page, page_count,"
                  " state) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'planned')",
                  ARGS(ARG_TEXT(document.text), ARG_TEXT(id->text),
                       ARG_WORD(document_kind_words, planned->kind), ARG_INT(planned->number),
                       ARG_TEXT(name), ARG_INT(planned->first_page), ARG_INT(planned->page_count)),
                  NULL, err);
}

bool plan_done(Tx *tx, const BatchId *id, const PlannedDocument *documents, size_t count, Err *err)
{
    PlanNames names = { .first_number = 0 };
    Batch batch;
    int rows;

    if (!batch_get(tx->db, id, &batch, err))
        return false;
    if (batch.state != BATCH_COMPOSING || batch.document_count > 0)
        return err_set(err, ERR_CONFLICT, 0, "batch %s is %s and has %u documents: no plan wanted",
                       id->text, batch_state_words[batch.state], batch.document_count);
    if (!db_run(tx->db, "UPDATE batch SET plan_owner = NULL WHERE id = ?1 AND plan_owner = ?2",
                ARGS(ARG_TEXT(id->text), ARG_INT(tx->generation)), &rows, err))
        return false;
    if (rows == 0)
        return not_ours(err, "the plan of batch", id->text);
    names.job_id = batch.job_id.text;
    for (size_t i = 0; i < count; i++)
        if (!document_insert(tx, id, &names, &documents[i], err))
            return false;
    return true;
}

/* --- writing documents --------------------------------------------------------------------------- */

bool document_claim(Tx *tx, DocumentClaim *ret_claim, bool *ret_found, Err *err)
{
    int64_t row;
    bool found;

    if (!db_find_int(
            tx->db,
            "UPDATE document SET state = 'writing', owner = ?1, attempt = attempt + 1"
            " WHERE rowid = (SELECT d.rowid FROM document d JOIN batch ON batch.id = d.batch_id"
            "  WHERE d.state = 'planned' AND batch.state = 'composing'"
            "  AND (d.kind <> 'index' OR NOT EXISTS (SELECT 1 FROM document o"
            "   WHERE o.batch_id = d.batch_id AND o.id <> d.id AND o.state <> 'written'))"
            "  ORDER BY d.batch_id, d.number LIMIT 1) RETURNING rowid",
            ARGS(ARG_INT(tx->generation)), &row, &found, err))
        return false;
    if (!found) {
        *ret_found = false;
        return true;
    }
    AUTO_QUERY query = db_query(
        tx->db,
        "SELECT " DOCUMENT_COLUMNS ", " BATCH_COLUMNS " FROM document"
        " JOIN batch ON batch.id = document.batch_id WHERE document.rowid = ?1",
        ARGS(ARG_INT(row)));
    found = query_next(&query);
    if (found) {
        document_read(&query, 0, &ret_claim->document);
        batch_read(&query, DOCUMENT_COLUMN_COUNT, &ret_claim->batch);
    }
    return claim_ended(&query, found, ret_found, err);
}

bool document_written(Tx *tx, const DocumentId *id, int64_t size_bytes, const char *sha256,
                      Err *err)
{
    return end_claim(
        tx,
        "UPDATE document SET state = 'written', owner = NULL, size_bytes = ?3,"
        " sha256 = ?4, error = '' WHERE id = ?1 AND state = 'writing' AND owner = ?2",
        ARGS(ARG_TEXT(id->text), ARG_INT(tx->generation), ARG_INT(size_bytes), ARG_TEXT(sha256)),
        "document", id->text, err);
}

bool document_write_failed(Tx *tx, const DocumentId *id, const char *text, Err *err)
{
    char cut[FIELD_SIZEOF(Document, error)];

    (void)text_copy(cut, sizeof cut, text);
    return end_claim(tx,
                     "UPDATE document SET owner = NULL, error = ?4,"
                     " state = CASE WHEN attempt < ?3 THEN 'planned' ELSE 'failed' END"
                     " WHERE id = ?1 AND state = 'writing' AND owner = ?2",
                     ARGS(ARG_TEXT(id->text), ARG_INT(tx->generation),
                          ARG_INT(COMPOSE_ATTEMPTS_MAX), ARG_TEXT(cut)),
                     "document", id->text, err);
}
