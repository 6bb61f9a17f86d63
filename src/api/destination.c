/* api/destination.c - destinations over HTTP: settings as their kind describes them, secrets that come
 * in and never go out. */
#include "model/destination.h"
#include "api/delivery.h"
#include "api/noun.h"
#include "base/limits.h"
#include "base/text.h"
#include "seal/settings.h"

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

/* Whoever edits a destination that was stopped has mended it. */
static bool one_destination_change(Tx *tx, const Actor *actor, const void *row, Err *err)
{
    const StoredDestination *destination = row;

    return destination_change(tx, actor, row, err) &&
           queue_destination_goes_on(tx, actor, &destination->id, err);
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

/* Secrets that came in are sealed for their row; one that is what it was keeps its sealed text, so that
 * nothing differs. wanted: what came; whole: with what is kept; old may be NULL. */
static bool seal_secrets(const Api *api, const char *id, const Json *fields, const Json *wanted,
                         const Json *old, Json *whole, Err *err)
{
    const Sealer *sealer = api_config(api)->sealer;

    for (size_t i = 0; i < json_count(fields); i++) {
        const Json *field = json_item(fields, i);
        const char *name = json_get_text(field, "name"), *text = json_get_text(wanted, name);

        if (!text_equal(json_get_text(field, "type"), "secret") || !text[0])
            continue;
        if (settings_secret_is(sealer, id, old, name, text))
            json_set_text(whole, name, json_get_text(old, name));
        else if (!settings_seal(sealer, id, whole, name, err))
            return err_field(err, "settings.%s", name);
    }
    return true;
}

/* The settings as their kind describes them. A secret that is kept was checked when it came. */
static bool settings_check(const Json *fields, const Json *wanted, const Json *old, Err *err)
{
    AUTO(Json) kept = settings_masked(fields, old, NULL);
    AUTO(Json) whole = settings_with_secrets(fields, wanted, kept);
    char field[sizeof err->field];

    if (json_check_described(whole, fields, err))
        return true;
    (void)text_copy(field, sizeof field, err->field);
    err_prefix(err, "settings");
    return err_field(err, "settings%s%s", field[0] ? "." : "", field);
}

/* Secrets that the body leaves out keep their value, as long as the kind stays. */
static bool destination_complete(const Api *api, void *row, const void *stored_row, Err *err)
{
    StoredDestination *new = row;
    Destination *destination = &new->destination;
    const StoredDestination *before = stored_row;
    bool same_kind = before && text_equal(before->destination.kind, destination->kind);
    const Json *fields = kind_fields(api, destination->kind, err);
    AUTO(Json) wanted = settings_of(destination);
    AUTO(Json) old = same_kind ? settings_of(&before->destination) : NULL;
    AUTO_BUF text = buf_with_max(sizeof destination->settings - 1);

    if (!fields || !settings_check(fields, wanted, old, err))
        return false;
    AUTO(Json) whole = settings_with_secrets(fields, wanted, old);
    if (!seal_secrets(api, new->id.text, fields, wanted, old, whole, err))
        return false;
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

/* What makes a destination unsafe, by its settings. */
static const struct {
    const char *setting, *value, *warning;
} warnings[] = {
    { "tls_trust", "insecure",
      "The server's certificate is not checked: whoever is in between reads everything." },
    { "host_trust", "insecure",
      "The server's key is not checked: whoever is in between reads everything." },
    { "encryption", "none", "Nothing is encrypted: everybody on the way reads everything." },
};

static void warning_tell(const Destination *destination, Json *object)
{
    AUTO(Json) settings = settings_of(destination);

    for (size_t i = 0; i < COUNT_OF(warnings); i++)
        if (text_equal(json_get_text(settings, warnings[i].setting), warnings[i].value)) {
            json_set_text(object, "warning", warnings[i].warning);
            return;
        }
}

static void destination_tell(const void *row, Json *object)
{
    const StoredDestination *destination = row;

    warning_tell(&destination->destination, object);
    if (destination->stop.at.ms == 0)
        return;
    Json *stopped = json_new_object();
    json_set_wall(stopped, "at", destination->stop.at);
    json_set_text(stopped, "text", destination->stop.text);
    json_set_text(stopped, "cure", destination->stop.cure);
    json_set_take(object, "stopped", stopped);
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
    .tell = destination_tell,
};

NOUN_HANDLERS(destination)

static bool kinds_get(HttpRequest *req, HttpResponse *res, Err *err)
{
    (void)err;
    api_items(res, json_clone(api_kinds(api_of(req))));
    return true;
}

/* --- what a person can do ---------------------------------------------------------------------------------- */

static bool destination_test_post(HttpRequest *req, HttpResponse *res, Err *err)
{
    Actor actor = api_actor(req);
    DeliveryResult result = { 0 };
    AUTO(Json) stages = NULL;
    DestinationId id;

    if (!api_path_id(req, "id", id.text, err) ||
        !queue_destination_test(api_config(api_of(req))->queue, &actor, &id, &stages, &result, err))
        return false;
    Json *answer = json_new_object();
    json_set_bool(answer, "ok", result.class == DELIVERY_CLASS_OK);
    json_set_take(answer, "stages", STEAL(stages));
    json_set_take(answer, "result", result_show(&result));
    http_response_json(res, answer);
    return true;
}

static bool destination_stop_post(HttpRequest *req, HttpResponse *res, Err *err)
{
    Actor actor = api_actor(req);
    char why[128];
    DestinationId id;

    (void)text_printf(why, sizeof why, "Stopped by %s.", actor.name);
    return api_path_id(req, "id", id.text, err) &&
           queue_destination_stop(api_config(api_of(req))->queue, &actor, &id, why, err) &&
           destination_one_get(req, res, err);
}

static bool destination_resume_post(HttpRequest *req, HttpResponse *res, Err *err)
{
    Actor actor = api_actor(req);
    DestinationId id;

    return api_path_id(req, "id", id.text, err) &&
           queue_destination_resume(api_config(api_of(req))->queue, &actor, &id, err) &&
           destination_one_get(req, res, err);
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
    { "POST", "/api/v1/destinations/{id}/test", "destinations.write", destination_test_post,
      "Tries a destination stage by stage and leaves nothing there; one that was stopped goes on "
      "when it "
      "works.",
      .flags = ROUTE_WAITS, .query = no_query, .answer = "DestinationTest" },
    { "POST", "/api/v1/destinations/{id}/stop", "destinations.write", destination_stop_post,
      "Stops a destination: its deliveries are held.", .query = no_query, .answer = "Destination" },
    { "POST", "/api/v1/destinations/{id}/resume", "destinations.write", destination_resume_post,
      "Lets a destination that was stopped go on.", .query = no_query, .answer = "Destination" },
    { "GET", "/api/v1/destination-kinds", "destinations.read", kinds_get,
      "Describes the kinds of destination and their settings.", .query = no_query,
      .answer = "DestinationKindList" },
    { .method = NULL },
};
