/* api/noun.c - see noun.h. */
#include "api/noun.h"

#include "base/limits.h"
#include "base/text.h"

const RouteParameter no_query[] = { { .name = NULL } };

/* What answers show and bodies may carry back without meaning anything. */
static const char *const read_only_members[] = { "id",      "revision", "stopped",
                                                 "warning", "warnings", NULL };

_Static_assert(offsetof(Job, name) == 0 && offsetof(JobGroup, name) == 0 &&
                   offsetof(Destination, name) == 0,
               "row_name takes the first member");
_Static_assert(offsetof(StoredJob, id) == 0 && offsetof(StoredJobGroup, id) == 0 &&
                   offsetof(StoredDestination, id) == 0,
               "row_id takes the first member");

int64_t row_revision(const ApiNoun *noun, const void *row)
{
    return *(const int64_t *)(const void *)((const char *)row + noun->revision_offset);
}

static void row_set_revision(const ApiNoun *noun, void *row, int64_t revision)
{
    *(int64_t *)(void *)((char *)row + noun->revision_offset) = revision;
}

static void *row_value_at(const ApiNoun *noun, void *row)
{
    return (char *)row + noun->value_offset;
}

Json *noun_show_value(const Api *api, const ApiNoun *noun, const void *row)
{
    AUTO(Json) object = json_from_fields(noun->fields, row_value(noun, row), false);

    if (object && noun->hide && !noun->hide(api, row_value(noun, row), NULL, false, object))
        return NULL;
    return STEAL(object);
}

static bool copy_member(void *arg, const char *name, const Json *value)
{
    json_set_take(arg, name, json_clone(value));
    return true;
}

/* The whole resource: id and revision first. */
static Json *noun_show(const Api *api, const ApiNoun *noun, const void *row)
{
    AUTO(Json) value = noun_show_value(api, noun, row);
    Json *object = json_new_object();

    json_set_text(object, "id", row_id(row));
    json_set_int(object, "revision", row_revision(noun, row));
    if (value)
        (void)json_each(value, copy_member, object);
    else
        json_set_take(object, "name", NULL); /* poisons: the answer is an error */
    if (noun->tell)
        noun->tell(row, object);
    return object;
}

/* The same of one resource alone. db NULL: could not be opened, then without what other rows tell. */
static Json *noun_show_one(const Api *api, const ApiNoun *noun, Db *db, const void *row)
{
    Json *object = noun_show(api, noun, row);

    if (noun->tell_rows && db)
        noun->tell_rows(db, row, object);
    return object;
}

bool noun_read_value(const Api *api, const ApiNoun *noun, const Json *object,
                     const void *stored_row, void *ret_row, Err *err)
{
    AUTO(Json) value = json_without(object, read_only_members);
    void *to = row_value_at(noun, ret_row);

    if (json_kind(object) != JSON_OBJ) {
        err_set(err, ERR_BAD_INPUT, 0, "a %s is a JSON object", noun->word);
        return false;
    }
    return json_read_fields(value, noun->fields, to, noun->value_size, err) &&
           noun->check(to, err) &&
           (!noun->complete || noun->complete(api, ret_row, stored_row, err));
}

/* --- reading ------------------------------------------------------------------------------------------ */

typedef struct NounList {
    const Api *api;
    const ApiNoun *noun;
    Json *items;
} NounList;

static bool list_row(void *arg, const void *row)
{
    NounList *list = arg;

    json_add_take(list->items, noun_show(list->api, list->noun, row));
    return true;
}

bool noun_answer_list(const ApiNoun *noun, HttpRequest *req, HttpResponse *res, Err *err)
{
    AUTO_READ read = api_read(req, err);
    AUTO(Json) items = json_new_array();
    NounList list = { api_of(req), noun, items };

    if (!read.db || !noun->list(read.db, list_row, &list, err))
        return false;
    api_items(res, STEAL(items));
    return true;
}

bool noun_answer_get(const ApiNoun *noun, HttpRequest *req, HttpResponse *res, Err *err)
{
    AUTO_READ read = api_read(req, err);
    char id[ID_TEXT_SIZE];
    NounRow row;

    if (!read.db || !api_path_id(req, "id", id, err) || !noun->get(read.db, id, &row, err))
        return false;
    http_response_json(res, noun_show_one(api_of(req), noun, read.db, &row));
    api_etag(res, row_revision(noun, &row));
    return true;
}

/* --- writing ------------------------------------------------------------------------------------------ */

static bool rows_checked(const Api *api, const ApiNoun *noun, Tx *tx, const void *row, Err *err)
{
    return !noun->check_rows || noun->check_rows(api, tx_db(tx), row_value(noun, row), err);
}

bool noun_insert(const Api *api, const ApiNoun *noun, Tx *tx, const Actor *actor, const void *row,
                 Err *err)
{
    return rows_checked(api, noun, tx, row, err) && noun->insert(tx, actor, row, err);
}

bool noun_change(const Api *api, const ApiNoun *noun, Tx *tx, const Actor *actor, const void *row,
                 Err *err)
{
    return rows_checked(api, noun, tx, row, err) && noun->change(tx, actor, row, err);
}

typedef struct NounChange {
    const Api *api;
    const ApiNoun *noun;
    Actor actor;
    char id[ID_TEXT_SIZE];
    const Json *body;
    int64_t revision; /* If-Match, 0 = any              */
    bool stale;       /* the revision is another one    */
    NounRow row;      /* what was written               */
} NounChange;

static bool create_write(Tx *tx, void *arg, Err *err)
{
    NounChange *c = arg;
    char *id = (char *)&c->row;

    id_new_text(tx_now(tx), id); /* before the value: secrets are sealed for their row */
    if (!noun_read_value(c->api, c->noun, c->body, NULL, &c->row, err))
        return false;
    row_set_revision(c->noun, &c->row, 1);
    return noun_insert(c->api, c->noun, tx, &c->actor, &c->row, err);
}

/* The row that was written, with what other rows tell about it now. */
static void noun_answer_changed(const NounChange *c, HttpRequest *req, HttpResponse *res)
{
    Err ignored;
    AUTO_READ read = api_read(req, &ignored);

    http_response_json(res, noun_show_one(c->api, c->noun, read.db, &c->row));
}

bool noun_answer_create(const ApiNoun *noun, HttpRequest *req, HttpResponse *res, Err *err)
{
    AUTO(Json) body = http_request_json(req, err);
    NounChange change = { .api = api_of(req), .noun = noun, .actor = api_actor(req), .body = body };
    char location[128];

    if (!body || !api_write(req, create_write, &change, err))
        return false;
    queue_rouse(api_config(change.api)->queue);
    (void)text_printf(location, sizeof location, "%s/%s", noun->path, row_id(&change.row));
    http_response_header(res, "Location", location);
    http_response_set_status(res, 201);
    noun_answer_changed(&change, req, res);
    api_etag(res, 1);
    return true;
}

/* The row as it is now, which must have the revision that the client saw. */
static bool change_begin(NounChange *c, Tx *tx, Err *err)
{
    if (!c->noun->get(tx_db(tx), c->id, &c->row, err))
        return false;
    c->stale = c->revision != 0 && c->revision != row_revision(c->noun, &c->row);
    if (!c->stale)
        return true;
    err_set(err, ERR_CONFLICT, 0, "the %s \"%s\" was changed meanwhile", c->noun->word,
            row_name(c->noun, &c->row));
    return err_remedy(err, "Read it again and make your change to what is there now.");
}

static bool put_write(Tx *tx, void *arg, Err *err)
{
    NounChange *c = arg;
    NounRow stored;

    if (!change_begin(c, tx, err))
        return false;
    stored = c->row;
    return noun_read_value(c->api, c->noun, c->body, &stored, &c->row, err) &&
           noun_change(c->api, c->noun, tx, &c->actor, &c->row, err) &&
           c->noun->get(tx_db(tx), c->id, &c->row, err);
}

bool noun_answer_put(const ApiNoun *noun, HttpRequest *req, HttpResponse *res, Err *err)
{
    AUTO(Json) body = http_request_json(req, err);
    NounChange change = { .api = api_of(req), .noun = noun, .actor = api_actor(req), .body = body };

    if (!body || !api_path_id(req, "id", change.id, err) ||
        !api_if_match(req, &change.revision, err))
        return false;
    if (!api_write(req, put_write, &change, err)) {
        if (change.stale)
            http_response_set_status(res, 412);
        return false;
    }
    queue_rouse(api_config(change.api)->queue);
    noun_answer_changed(&change, req, res);
    api_etag(res, row_revision(noun, &change.row));
    return true;
}

static bool delete_write(Tx *tx, void *arg, Err *err)
{
    NounChange *c = arg;

    return change_begin(c, tx, err) &&
           c->noun->remove(tx, &c->actor, c->id, row_revision(c->noun, &c->row), err);
}

bool noun_answer_delete(const ApiNoun *noun, HttpRequest *req, HttpResponse *res, Err *err)
{
    NounChange change = { .api = api_of(req), .noun = noun, .actor = api_actor(req) };

    if (!api_path_id(req, "id", change.id, err) || !api_if_match(req, &change.revision, err))
        return false;
    if (api_write(req, delete_write, &change, err))
        return true;
    if (change.stale)
        http_response_set_status(res, 412);
    return false;
}
