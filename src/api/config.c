/* api/config.c - the configuration over HTTP: exported, planned, applied as a whole or not at all. */
#include "api/config.h"

#include "base/text.h"

/* --- export ------------------------------------------------------------------------------------------- */

static Json *export_noun(const ConfigPlan *plan, size_t noun)
{
    const ConfigTable *table = &plan->tables[noun];
    Json *list = json_new_array();

    for (size_t i = 0; i < table->n; i++)
        json_add_take(list, config_show_row(plan, noun, &table->entries[i].now, NULL, false));
    return list;
}

static bool config_get(HttpRequest *req, HttpResponse *res, Err *err)
{
    AUTO_READ read = api_read(req, err);
    AUTO_PLAN plan = { .api = api_of(req) };
    Json *answer, *devices;

    if (!read.db || !config_load(&plan, read.db, err))
        return false;
    answer = json_new_object();
    for (size_t noun = 0; noun < CONFIG_NOUNS; noun++)
        json_set_take(answer, config_nouns[noun]->plural, export_noun(&plan, noun));
    devices = json_new_array();
    for (size_t i = 0; i < plan.device_count; i++)
        if (config_has_device(&plan.devices[i].now))
            json_add_take(devices, config_show_device(&plan, &plan.devices[i].now));
    json_set_take(answer, "devices", devices);
    json_set_take(answer, "notification",
                  config_show_notification(&plan, &plan.notification.now.settings));
    http_response_json(res, answer);
    return true;
}

/* --- plan and apply ------------------------------------------------------------------------------------- */

static bool query_delete(const HttpRequest *req, bool *ret_delete, Err *err)
{
    const char *text = http_request_query(req, "delete");

    *ret_delete = text_equal(text, "true");
    if (!text || *ret_delete || text_equal(text, "false"))
        return true;
    err_set(err, ERR_BAD_INPUT, 0, "delete is true or false, not \"%.40s\"", text);
    return err_field(err, "delete");
}

static bool changes_answer(HttpResponse *res, ConfigPlan *plan)
{
    Json *answer = json_new_object();

    json_set_take(answer, "changes", STEAL(plan->changes));
    http_response_json(res, answer);
    return true;
}

static bool config_plan_post(HttpRequest *req, HttpResponse *res, Err *err)
{
    AUTO_READ read = api_read(req, err);
    AUTO(Json) file = http_request_json(req, err);
    AUTO_PLAN plan = { .api = api_of(req) };

    return read.db && file && query_delete(req, &plan.remove_rest, err) &&
           config_load(&plan, read.db, err) && config_plan(&plan, file, wall_now(), err) &&
           changes_answer(res, &plan);
}

typedef struct Apply {
    Actor actor;
    const Json *file;
    ConfigPlan *plan;
} Apply;

static bool apply_row(Tx *tx, const Apply *apply, const ApiNoun *noun, const ConfigEntry *e,
                      Err *err)
{
    bool ok = true;

    if (e->listed && !e->exists)
        ok = noun_insert(apply->plan->api, noun, tx, &apply->actor, &e->wanted, err);
    else if (e->listed && e->differs)
        ok = noun_change(apply->plan->api, noun, tx, &apply->actor, &e->wanted, err);
    return ok || err_prefix(err, "%s \"%s\"", noun->word, row_name(noun, &e->wanted));
}

static bool apply_device(Tx *tx, const Apply *apply, const ConfigDevice *d, Err *err)
{
    Device device = d->now;
    DeviceEvent event = DEVICE_EVENT_MAX_;

    if (!d->listed || !d->differs)
        return true;
    if (!d->exists && !device_sighted(tx, d->wish.address, "", &device, err))
        return err_prefix(err, "device %s", d->wish.address);
    if (d->wish.approved && device.state == DEVICE_SEEN)
        event = DEVICE_EVENT_APPROVE;
    else if (!d->wish.approved && device.state != DEVICE_SEEN)
        event = DEVICE_EVENT_REVOKE;
    return device_change(tx, &apply->actor, &device.id, &d->wanted, event, 0, err) ||
           err_prefix(err, "device %s", device.address);
}

/* What refers goes before what it refers to. */
static bool apply_removals(Tx *tx, const Apply *apply, Err *err)
{
    const ConfigPlan *plan = apply->plan;

    for (size_t i = 0; i < plan->device_count; i++) {
        const ConfigDevice *d = &plan->devices[i];

        if (!d->listed && config_has_device(&d->now) &&
            !device_delete(tx, &apply->actor, &d->now.id, 0, err))
            return err_prefix(err, "device %s", d->now.address);
    }
    for (size_t noun = CONFIG_NOUNS; noun-- > 0;) {
        for (size_t i = 0; i < plan->tables[noun].n; i++) {
            const ConfigEntry *e = &plan->tables[noun].entries[i];

            if (!e->listed &&
                !config_nouns[noun]->remove(tx, &apply->actor, row_id(&e->now), 0, err))
                return err_prefix(err, "%s \"%s\"", config_nouns[noun]->word,
                                  row_name(config_nouns[noun], &e->now));
        }
    }
    return true;
}

/* The plan is made inside the write: nothing can change between the two. */
static bool apply_write(Tx *tx, void *arg, Err *err)
{
    const Apply *apply = arg;
    ConfigPlan *plan = apply->plan;

    if (!config_load(plan, tx_db(tx), err) || !config_plan(plan, apply->file, tx_now(tx), err))
        return false;
    for (size_t noun = 0; noun < CONFIG_NOUNS; noun++)
        for (size_t i = 0; i < plan->tables[noun].n; i++)
            if (!apply_row(tx, apply, config_nouns[noun], &plan->tables[noun].entries[i], err))
                return false;
    for (size_t i = 0; i < plan->device_count; i++)
        if (!apply_device(tx, apply, &plan->devices[i], err))
            return false;
    if (plan->notification.differs &&
        !notification_put(tx, &apply->actor, &plan->notification.wanted, err))
        return err_prefix(err, "notification");
    return !plan->remove_rest || apply_removals(tx, apply, err);
}

static bool config_apply_post(HttpRequest *req, HttpResponse *res, Err *err)
{
    AUTO(Json) file = http_request_json(req, err);
    AUTO_PLAN plan = { .api = api_of(req) };
    Apply apply = { .actor = api_actor(req), .file = file, .plan = &plan };

    if (!file || !query_delete(req, &plan.remove_rest, err) ||
        !api_write(req, apply_write, &apply, err))
        return false;
    queue_rouse(api_config(plan.api)->queue);
    return changes_answer(res, &plan);
}

static const RouteParameter delete_query[] = {
    { "delete", "boolean", "true removes what the body does not list." },
    { .name = NULL },
};

const Route config_routes[] = {
    { "GET", "/api/v1/config", "config.read", config_get,
      "Answers the whole configuration: names instead of ids, no secrets.", .query = no_query,
      .answer = "Config" },
    { "POST", "/api/v1/config/plan", "config.read", config_plan_post,
      "Says what applying a configuration would change.", .query = delete_query,
      .body_bytes_max = API_CONFIG_BYTES_MAX, .answer = "ConfigChanges" },
    { "POST", "/api/v1/config/apply", "config.write", config_apply_post,
      "Makes the configuration what the body says, in one transaction; secrets that are left out "
      "keep their value.",
      .query = delete_query, .body_bytes_max = API_CONFIG_BYTES_MAX, .answer = "ConfigChanges" },
    { .method = NULL },
};
