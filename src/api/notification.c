/* api/notification.c - who is told what by mail, what was told, and a mail to try it. */
#include "api/delivery.h"
#include "api/noun.h"
#include "base/text.h"
#include "store/notification-rows.h"

enum { LIMIT_MAX = 500, LIMIT_PRESET = 50 };

/* --- the setting -------------------------------------------------------------------------------------- */

static const char *const read_only_members[] = { "over_name", "revision", NULL };

static void setting_answer(HttpResponse *res, Db *db, const StoredNotification *setting)
{
    Json *object = json_from_fields(notification_fields, &setting->settings, false);
    StoredDestination row;
    DestinationId id;
    Err ignored;

    if (object && id_parse(setting->settings.over, &id) && destination_get(db, &id, &row, &ignored))
        json_set_text(object, "over_name", row.destination.name);
    if (object)
        json_set_int(object, "revision", setting->revision);
    http_response_json(res, object);
    api_etag(res, setting->revision);
}

static bool notification_setting_get(HttpRequest *req, HttpResponse *res, Err *err)
{
    AUTO_READ read = api_read(req, err);
    StoredNotification setting;

    if (!read.db || !notification_get(read.db, &setting, err))
        return false;
    setting_answer(res, read.db, &setting);
    return true;
}

typedef struct SettingChange {
    Actor actor;
    const Json *body;
    int64_t revision; /* If-Match, 0 = any */
    bool stale;
} SettingChange;

typedef struct NameSearch {
    const char *name;
    char id[ID_TEXT_SIZE];
} NameSearch;

static bool take_named(void *arg, const StoredDestination *row)
{
    NameSearch *search = arg;

    if (!text_equal(row->destination.name, search->name))
        return true;
    (void)text_copy(search->id, sizeof search->id, row->id.text);
    return false;
}

/* A name becomes the id; what is neither is refused by the check. */
static bool name_becomes_id(Db *db, NotificationSettings *settings, Err *err)
{
    NameSearch search = { .name = settings->over };

    if (!settings->over[0] || id_text_is_valid(settings->over))
        return true;
    if (!destination_list(db, take_named, &search, err))
        return false;
    if (search.id[0])
        return text_copy(settings->over, sizeof settings->over, search.id);
    err_set(err, ERR_BAD_INPUT, 0, "there is no destination \"%s\"", settings->over);
    err_remedy(err, "Make a destination of kind email first.");
    return err_field(err, "over");
}

static bool put_write(Tx *tx, void *arg, Err *err)
{
    SettingChange *c = arg;
    StoredNotification setting;

    if (!notification_get(tx_db(tx), &setting, err))
        return false;
    c->stale = c->revision != 0 && c->revision != setting.revision;
    if (c->stale) {
        err_set(err, ERR_CONFLICT, 0, "the notification setting was changed meanwhile");
        return err_remedy(err, "Read it again and make your change to what is there now.");
    }
    AUTO(Json) value = json_without(c->body, read_only_members);
    return json_read_fields(value, notification_fields, &setting.settings, sizeof setting.settings,
                            err) &&
           name_becomes_id(tx_db(tx), &setting.settings, err) &&
           notification_put(tx, &c->actor, &setting, err);
}

static bool notification_setting_put(HttpRequest *req, HttpResponse *res, Err *err)
{
    AUTO(Json) body = http_request_json(req, err);
    SettingChange change = { .actor = api_actor(req), .body = body };

    if (!body || !api_if_match(req, &change.revision, err))
        return false;
    if (json_kind(body) != JSON_OBJ)
        return err_set(err, ERR_BAD_INPUT, 0, "a notification setting is a JSON object");
    if (!api_write(req, put_write, &change, err)) {
        if (change.stale)
            http_response_set_status(res, 412);
        return false;
    }
    queue_wake(api_config(api_of(req))->queue);
    return notification_setting_get(req, res, err);
}

/* --- what was told ------------------------------------------------------------------------------------ */

typedef struct NotificationList {
    Json *items;
    char last[ID_TEXT_SIZE];
} NotificationList;

static bool list_one(void *arg, const Notification *n)
{
    NotificationList *list = arg;
    Json *object = json_new_object();

    json_set_text(object, "id", n->id);
    json_set_wall(object, "at", n->at);
    json_set_text(object, "kind", notification_kind_words[n->kind]);
    if (n->batch[0])
        json_set_text(object, "batch", n->batch);
    if (n->destination[0])
        json_set_text(object, "destination", n->destination);
    json_set_text(object, "subject", n->words.subject);
    json_set_text(object, "text", n->words.text);
    json_set_text(object, "state", notification_state_words[n->state]);
    json_set_int(object, "more", n->more);
    json_set_int(object, "attempts", n->attempt);
    if (n->mail[0])
        json_set_text(object, "mail", n->mail);
    if (n->mail[0] && n->state == NOTIFICATION_WAITING)
        json_set_wall(object, "due_at", n->due_at);
    json_set_wall(object, "finished_at", n->finished_at);
    if (n->last.text[0])
        json_set_take(object, "result", result_show(&n->last));
    json_add_take(list->items, object);
    return text_copy(list->last, sizeof list->last, n->id);
}

static bool query_before(const HttpRequest *req, const char **ret_before, Err *err)
{
    const char *before = http_request_query(req, "before");

    *ret_before = before ? before : "";
    if (!before || id_text_is_valid(before))
        return true;
    err_set(err, ERR_BAD_INPUT, 0, "before is not an id");
    return err_field(err, "before");
}

static bool notifications_get(HttpRequest *req, HttpResponse *res, Err *err)
{
    AUTO_READ read = api_read(req, err);
    AUTO(Json) answer = json_new_object();
    NotificationList list = { .items = json_new_array() };
    const char *before;
    int64_t limit;
    int state;

    json_set_take(answer, "items", list.items); /* borrowed by list from here */
    if (!read.db || !query_state(req, "a notification", notification_state_words, &state, err) ||
        !query_before(req, &before, err) ||
        !http_request_query_int(req, "limit", 1, LIMIT_MAX, LIMIT_PRESET, &limit, err) ||
        !notification_list(read.db, before, state, (uint32_t)limit, list_one, &list, err))
        return false;
    if (json_count(list.items) == (size_t)limit)
        json_set_text(answer, "next", list.last);
    else
        json_set_null(answer, "next");
    http_response_json(res, STEAL(answer));
    return true;
}

/* --- a test ------------------------------------------------------------------------------------------- */

static bool notification_test_post(HttpRequest *req, HttpResponse *res, Err *err)
{
    Actor actor = api_actor(req);
    DeliveryResult result = { 0 };

    if (!queue_notification_test(api_config(api_of(req))->queue, &actor, &result, err))
        return false;
    Json *answer = json_new_object();
    json_set_bool(answer, "ok", result.class == DELIVERY_CLASS_OK);
    json_set_take(answer, "result", result_show(&result));
    http_response_json(res, answer);
    return true;
}

static const RouteParameter list_query[] = {
    { "before", "string",
      "Only notifications older than the one with this id: next of the last answer." },
    { "limit", "integer", "How many at most, 1 to 500; 50 when absent." },
    { "state", "string", "Only notifications in this state, for example waiting." },
    { .name = NULL },
};

const Route notification_routes[] = {
    { "GET", "/api/v1/notification", "config.read", notification_setting_get,
      "Answers who is told what by mail.", .query = no_query, .answer = "NotificationSetting" },
    { "PUT", "/api/v1/notification", "config.write", notification_setting_put,
      "Changes who is told what by mail; what waits is tried at once.", .query = no_query,
      .body_fields = notification_fields, .answer = "NotificationSetting" },
    { "POST", "/api/v1/notification/test", "config.write", notification_test_post,
      "Sends a mail now and answers how that went.", .flags = ROUTE_WAITS, .query = no_query,
      .answer = "NotificationTest" },
    { "GET", "/api/v1/notifications", "batches.read", notifications_get,
      "Lists what waits to be told, was told, or could not be; newest first.", .query = list_query,
      .answer = "NotificationPage" },
    { .method = NULL },
};
