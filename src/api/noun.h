/* api/noun.h - inside of api: what jobs, job groups and destinations have in common.
 *
 * A row of this table per noun; list, get, create, change, delete and the configuration as a file
 * are written once over it. The rows of the store all begin with the id. */
#ifndef PLATEN_API_NOUN_H
#define PLATEN_API_NOUN_H

#include "api/context.h"

typedef bool NounVisit(void *arg, const void *row);

typedef struct ApiNoun {
    const char *word, *path; /* "job", "/api/v1/jobs"                     */
    const char *plural;      /* in the configuration: "jobs"              */
    const Field *fields;
    size_t row_size, value_offset, value_size, revision_offset;
    /* A list of the value whose items name rows of another noun; NULL = none. */
    const char *reference_list, *reference_member;
    const struct ApiNoun *reference_noun;

    bool (*list)(Db *db, NounVisit *visit, void *arg, Err *err);
    bool (*get)(Db *db, const char *id, void *ret_row, Err *err);
    bool (*insert)(Tx *tx, const Actor *actor, const void *row, Err *err);
    bool (*change)(Tx *tx, const Actor *actor, const void *row, Err *err);
    bool (*remove)(Tx *tx, const Actor *actor, const char *id, int64_t revision, Err *err);

    /* Checks a value beyond its table. */
    bool (*check)(const void *value, Err *err);
    /* Checks and completes a row, whose id is known, with what is stored (NULL = new): kinds, secrets;
     * NULL = nothing. */
    bool (*complete)(const Api *api, void *row, const void *stored_row, Err *err);
    /* Checks a value against the rows it refers to, inside the write; NULL = nothing. */
    bool (*check_rows)(const Api *api, Db *db, const void *value, Err *err);
    /* Replaces in a shown object what may not be shown; stored: see settings_masked; NULL = nothing. */
    bool (*hide)(const Api *api, const void *value, const void *stored_value, bool masked,
                 Json *object);
    /* Adds to a shown resource what is told about it but not set; NULL = nothing. */
    void (*tell)(const void *row, Json *object);
    /* The same of a single resource, from other rows; NULL = nothing. */
    void (*tell_rows)(Db *db, const void *row, Json *object);
} ApiNoun;

extern const ApiNoun noun_job, noun_job_group, noun_destination;

/* Parts of a row. */
static inline const char *row_id(const void *row)
{
    return row;
}
static inline const void *row_value(const ApiNoun *noun, const void *row)
{
    return (const char *)row + noun->value_offset;
}
static inline const char *row_name(const ApiNoun *noun, const void *row)
{
    return row_value(noun, row); /* the name is the first member of every value */
}
int64_t row_revision(const ApiNoun *noun, const void *row);

/* Room for a row of any noun. */
typedef union NounRow {
    StoredJob job;
    StoredJobGroup group;
    StoredDestination destination;
} NounRow;

/* The value as shown: without id, revision and secrets. NULL on failure. */
Json *noun_show_value(const Api *api, const ApiNoun *noun, const void *row);

/* Reads, checks and completes a value. *ret_row keeps its id and revision. */
bool noun_read_value(const Api *api, const ApiNoun *noun, const Json *object,
                     const void *stored_row, void *ret_row, Err *err);

/* Writes a row that was read and checked. */
bool noun_insert(const Api *api, const ApiNoun *noun, Tx *tx, const Actor *actor, const void *row,
                 Err *err);
bool noun_change(const Api *api, const ApiNoun *noun, Tx *tx, const Actor *actor, const void *row,
                 Err *err);

/* Handlers. */
bool noun_answer_list(const ApiNoun *noun, HttpRequest *req, HttpResponse *res, Err *err);
bool noun_answer_get(const ApiNoun *noun, HttpRequest *req, HttpResponse *res, Err *err);
bool noun_answer_create(const ApiNoun *noun, HttpRequest *req, HttpResponse *res, Err *err);
bool noun_answer_put(const ApiNoun *noun, HttpRequest *req, HttpResponse *res, Err *err);
bool noun_answer_delete(const ApiNoun *noun, HttpRequest *req, HttpResponse *res, Err *err);

/* The five handlers and routes of a noun. */
#define NOUN_HANDLERS(noun)                                                      \
    static bool noun##_list_get(HttpRequest *req, HttpResponse *res, Err *err)   \
    {                                                                            \
        return noun_answer_list(&noun_##noun, req, res, err);                    \
    }                                                                            \
    static bool noun##_one_get(HttpRequest *req, HttpResponse *res, Err *err)    \
    {                                                                            \
        return noun_answer_get(&noun_##noun, req, res, err);                     \
    }                                                                            \
    static bool noun##_post(HttpRequest *req, HttpResponse *res, Err *err)       \
    {                                                                            \
        return noun_answer_create(&noun_##noun, req, res, err);                  \
    }                                                                            \
    static bool noun##_put(HttpRequest *req, HttpResponse *res, Err *err)        \
    {                                                                            \
        return noun_answer_put(&noun_##noun, req, res, err);                     \
    }                                                                            \
    static bool noun##_one_delete(HttpRequest *req, HttpResponse *res, Err *err) \
    {                                                                            \
        return noun_answer_delete(&noun_##noun, req, res, err);                  \
    }

extern const RouteParameter no_query[]; /* no query parameter is taken */

#endif
