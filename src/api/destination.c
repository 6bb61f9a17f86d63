/* api/destination.c - destinations over HTTP: settings as their kind describes them, secrets that come
 * in and never go out. */
#include "model/destination.h"
#include "api/noun.h"
#include "base/limits.h"
#include "base/text.h"

typedef struct Passing {
    NounVisit *visit;
    void *arg;
} Passing;

static bool pass_destination(void *arg, const StoredDestination *destination)
{
    Passing *passing = arg;

    return passing->visit(passing->arg, destination);
}

static bool destinations_list(Db *db, NounVisit *visit, void *arg, Err *err)
{
    return destination_list(db, pass_destination, &(Passing){ visit, arg }, err);
}

static bool one_destination_get(Db *db, const char *id, void *ret_row, Err *err)
{
    DestinationId destination_id;

    (void)id_parse(id, &destination_id);
    return destination_get(db, &destination_id, ret_row, err);
}

static bool one_destination_insert(Tx *tx, const Actor *actor, const void *row, Err *err)
{
    return destination_insert(tx, actor, row, err);
}

static bool one_destination_change(Tx *tx, const Actor *actor, const void *row, Err *err)
{
    return destination_change(tx, actor, row, err);
}

static bool one_destination_remove(Tx *tx, const Actor *actor, const char *id, int64_t revision,
                                   Err *err)
{
    DestinationId destination_id;

    (void)id_parse(id, &destination_id);
    return destination_delete(tx, actor, &destination_id, revision, err);
}

static bool destination_value_check(const void *value, Err *err)
{
    return destination_check(value, err);
}

static Json *settings_of(const Destination *destination)
{
    Err ignored;

    if (!destination || !destination->settings[0])
        return json_new_object();
    return json_parse(bytes_of_text(destination->settings), &ignored);
}

/* Secrets that the body leaves out keep their value, as long as the kind stays. */
static bool destination_complete(const Api *api, void *value, const void *stored_value, Err *err)
{
    Destination *destination = value;
    const Destination *stored = stored_value;
    bool same_kind = stored && text_equal(stored->kind, destination->kind);
    const Json *fields = kind_fields(api, destination->kind, err);
    AUTO(Json) wanted = settings_of(destination);
    AUTO(Json) old = same_kind ? settings_of(stored) : NULL;
    AUTO_BUF text = buf_with_max(sizeof destination->settings - 1);
    char field[sizeof err->field];

    if (!fields)
        return false;
    AUTO(Json) whole = settings_with_secrets(fields, wanted, old);
    if (!json_check_described(whole, fields, err)) {
        (void)text_copy(field, sizeof field, err->field);
        err_prefix(err, "settings");
        return err_field(err, "settings%s%s", field[0] ? "." : "", field);
    }
    if (!json_write(whole, &text)) {
        err_set(err, ERR_BAD_INPUT, 0, "the settings are longer than %zu bytes",
                sizeof destination->settings - 1);
        return err_field(err, "settings");
    }
    return text_copy_bytes(destination->settings, sizeof destination->settings, buf_bytes(&text));
}

static bool destination_hide(const Api *api, const void *value, const void *stored_value,
                             bool masked, Json *object)
{
    const Destination *destination = value;
    Err ignored;
    const Json *fields = kind_fields(api, destination->kind, &ignored);
    AUTO(Json) settings = settings_of(destination);
    AUTO(Json) stored = stored_value ? settings_of(stored_value) : NULL;
    Json *shown;

    if (!fields) /* a kind this version does not have: nobody knows what is secret */
        shown = json_new_object();
    else
        shown = masked ? settings_masked(fields, settings, stored)
                       : settings_without_secrets(fields, settings);
    json_set_take(object, "settings", shown);
    return shown != NULL;
}

const ApiNoun noun_destination = {
    .word = "destination",
    .path = "/api/v1/destinations",
    .plural = "destinations",
    .fields = destination_fields,
    .row_size = sizeof(StoredDestination),
    .value_offset = offsetof(StoredDestination, destination),
    .value_size = sizeof(Destination),
    .revision_offset = offsetof(StoredDestination, revision),
    .list = destinations_list,
    .get = one_destination_get,
    .insert = one_destination_insert,
    .change = one_destination_change,
    .remove = one_destination_remove,
    .check = destination_value_check,
    .complete = destination_complete,
    .hide = destination_hide,
};

NOUN_HANDLERS(destination)

static bool kinds_get(HttpRequest *req, HttpResponse *res, Err *err)
{
    (void)err;
    api_items(res, json_clone(api_kinds(api_of(req))));
    return true;
}

const Route destination_routes[] = {
    { "GET", "/api/v1/destinations", "destinations.read", destination_list_get,
      "Lists destinations in order of name, without secrets.", .query = no_query,
      .answer = "DestinationList" },
    { "POST", "/api/v1/destinations", "destinations.write", destination_post,
      "Makes a destination; its settings are those of its kind.", .query = no_query,
      .body_fields = destination_fields, .answer = "Destination" },
    { "GET", "/api/v1/destinations/{id}", "destinations.read", destination_one_get,
      "Answers one destination, without secrets.", .query = no_query, .answer = "Destination" },
    { "PUT", "/api/v1/destinations/{id}", "destinations.write", destination_put,
      "Replaces a destination; secrets that are left out keep their value.", .query = no_query,
      .body_fields = destination_fields, .answer = "Destination" },
    { "DELETE", "/api/v1/destinations/{id}", "destinations.write", destination_one_delete,
      "Removes a destination that no job has.", .query = no_query },
    { "GET", "/api/v1/destination-kinds", "destinations.read", kinds_get,
      "Describes the kinds of destination and their settings.", .query = no_query,
      .answer = "DestinationKindList" },
    { .method = NULL },
};
