/* api/delivery.c - the outbox over HTTP: what goes where, how its attempts ended, and what a person can do. */
#include "api/delivery.h"

#include "api/noun.h"
#include "base/limits.h"
#include "base/text.h"

enum { DELIVERIES_LIMIT_MAX = 500, DELIVERIES_LIMIT_PRESET = 50 };

/* --- showing ------------------------------------------------------------------------------------------ */

Json *result_show(const DeliveryResult *result)
{
    Json *object = json_new_object();

    json_set_text(object, "class", delivery_class_words[result->class]);
    json_set_text(object, "stage", result->stage);
    json_set_text(object, "text", result->text);
    json_set_text(object, "cure", result->cure);
    json_set_int(object, "native_code", result->native_code);
    json_set_int(object, "protocol_code", result->protocol_code);
    json_set_text(object, "remote_name", result->remote_name);
    if (result->class == DELIVERY_CLASS_OK) {
        json_set_int(object, "size_bytes", result->size_bytes);
        json_set_text(object, "sha256", result->sha256);
    }
    return object;
}

Json *delivery_show(const Delivery *delivery, const char *destination_name, int utc_offset_min)
{
    Json *object = json_new_object();
    bool was_tried = delivery->last.class != DELIVERY_CLASS_OK || delivery->last.text[0];

    json_set_text(object, "id", delivery->id.text);
    json_set_text(object, "batch", delivery->batch.text);
    json_set_text(object, "document", delivery->document.text);
    json_set_text(object, "destination", delivery->destination.text);
    json_set_text(object, "destination_name", destination_name);
    json_set_text(object, "state", delivery_state_words[delivery->state]);
    json_set_int(object, "attempts", delivery->attempt);
    json_set_wall_at(object, "created_at", delivery->created_at, utc_offset_min);
    if (delivery->state == DELIVERY_READY)
        json_set_wall_at(object, "due_at", delivery->due_at, utc_offset_min);
    json_set_wall_at(object, "finished_at", delivery->finished_at, utc_offset_min);
    json_set_text(object, "reserved_name", delivery->reserved_name);
    if (delivery->note[0])
        json_set_text(object, "note", delivery->note);
    if (was_tried || delivery->state == DELIVERY_DONE)
        json_set_take(object, "result", result_show(&delivery->last));
    return object;
}

static bool add_attempt(void *arg, uint32_t number, Wall ended_at, const DeliveryResult *result)
{
    Json *attempt = result_show(result);

    json_set_int(attempt, "number", number);
    json_set_wall(attempt, "ended_at", ended_at);
    json_add_take(arg, attempt);
    return true;
}

/* The delivery of the path with its whole history. */
static bool delivery_answer(HttpRequest *req, HttpResponse *res, Err *err)
{
    AUTO_READ read = api_read(req, err);
    char name[NAME_TEXT_SIZE];
    Delivery delivery;
    DeliveryId id;

    if (!read.db || !api_path_id(req, "id", id.text, err) ||
        !delivery_get(read.db, &id, &delivery, name, err))
        return false;
    AUTO(Json) attempts = json_new_array();
    if (!attempt_list(read.db, &id, add_attempt, attempts, err))
        return false;
    Json *object = delivery_show(&delivery, name, wall_zone_offset_min(delivery.created_at));
    json_set_take(object, "history", STEAL(attempts));
    http_response_json(res, object);
    return true;
}

/* --- list --------------------------------------------------------------------------------------------- */

bool query_state(const HttpRequest *req, const char *noun, const char *const *words, int *ret_state,
                 Err *err)
{
    const char *word = http_request_query(req, "state");
    const char *nearest;

    *ret_state = -1;
    if (!word)
        return true;
    for (int i = 0; words[i]; i++)
        if (text_equal(word, words[i]))
            *ret_state = i;
    if (*ret_state >= 0)
        return true;
    nearest = text_nearest(word, words);
    err_set(err, ERR_BAD_INPUT, 0, "%s has no state \"%.40s\"", noun, word);
    err_field(err, "state");
    return nearest ? err_remedy(err, "Did you mean \"%s\"?", nearest) : false;
}

static bool query_id(const HttpRequest *req, const char *name, const char **ret_id, Err *err)
{
    const char *id = http_request_query(req, name);

    *ret_id = id ? id : "";
    if (!id || id_text_is_valid(id))
        return true;
    err_set(err, ERR_BAD_INPUT, 0, "%s is not an id", name);
    return err_field(err, "%s", name);
}

typedef struct DeliveryList {
    Json *items;
    char last[ID_TEXT_SIZE];
} DeliveryList;

static bool list_delivery(void *arg, const Delivery *delivery, const char *destination_name)
{
    DeliveryList *list = arg;

    json_add_take(list->items, delivery_show(delivery, destination_name,
                                             wall_zone_offset_min(delivery->created_at)));
    return text_copy(list->last, sizeof list->last, delivery->id.text);
}

static bool deliveries_get(HttpRequest *req, HttpResponse *res, Err *err)
{
    AUTO_READ read = api_read(req, err);
    AUTO(Json) answer = json_new_object();
    DeliveryList list = { .items = json_new_array() };
    const char *before, *destination;
    int64_t limit;
    int state;

    json_set_take(answer, "items", list.items); /* borrowed by list from here */
    if (!read.db || !query_state(req, "a delivery", delivery_state_words, &state, err) ||
        !query_id(req, "before", &before, err) ||
        !query_id(req, "destination", &destination, err) ||
        !http_request_query_int(req, "limit", 1, DELIVERIES_LIMIT_MAX, DELIVERIES_LIMIT_PRESET,
                                &limit, err) ||
        !delivery_list_all(read.db, before, state, destination, (uint32_t)limit, list_delivery,
                           &list, err))
        return false;
    if (json_count(list.items) == (size_t)limit)
        json_set_text(answer, "next", list.last);
    else
        json_set_null(answer, "next");
    http_response_json(res, STEAL(answer));
    return true;
}

/* --- what a person can do ------------------------------------------------------------------------------- */

static bool delivery_do(HttpRequest *req, HttpResponse *res, DeliveryEvent event, Err *err)
{
    Actor actor = api_actor(req);
    DeliveryId id;

    return api_path_id(req, "id", id.text, err) &&
           queue_delivery_act(api_config(api_of(req))->queue, &actor, &id, event, err) &&
           delivery_answer(req, res, err);
}

static bool delivery_retry(HttpRequest *req, HttpResponse *res, Err *err)
{
    return delivery_do(req, res, DELIVERY_EVENT_RETRY_NOW, err);
}

static bool delivery_hold(HttpRequest *req, HttpResponse *res, Err *err)
{
    return delivery_do(req, res, DELIVERY_EVENT_HOLD, err);
}

static bool delivery_drop(HttpRequest *req, HttpResponse *res, Err *err)
{
    return delivery_do(req, res, DELIVERY_EVENT_DROP, err);
}

static bool delivery_confirm(HttpRequest *req, HttpResponse *res, Err *err)
{
    return delivery_do(req, res, DELIVERY_EVENT_CONFIRM, err);
}

typedef struct Elsewhere {
    char destination[ID_TEXT_SIZE];
    char options[OPTIONS_TEXT_SIZE];
} Elsewhere;

static const Field elsewhere_fields[] = {
    TEXT(Elsewhere, destination, true, "Id of the other destination."),
    JSON_OBJECT(Elsewhere, options,
                "Folder, subject and the like there, as its kind describes them."),
    FIELDS_END,
};

/* What is said for the other destination fits its kind. */
static bool elsewhere_check(HttpRequest *req, const Elsewhere *wish, Err *err)
{
    AUTO_READ read = api_read(req, err);
    StoredDestination row;
    DestinationId id;

    if (!id_parse(wish->destination, &id)) {
        err_set(err, ERR_BAD_INPUT, 0, "destination is not an id");
        return err_field(err, "destination");
    }
    if (!read.db || !destination_get(read.db, &id, &row, err))
        return false;
    AUTO(Json) options = json_parse(bytes_of_text(wish->options[0] ? wish->options : "{}"), err);
    return options && kind_options_check(api_of(req), row.destination.kind, options, err);
}

static bool delivery_elsewhere_post(HttpRequest *req, HttpResponse *res, Err *err)
{
    Actor actor = api_actor(req);
    DestinationId destination;
    DeliveryId id, made;
    Elsewhere wish;

    if (!api_body(req, elsewhere_fields, &wish, sizeof wish, err) ||
        !elsewhere_check(req, &wish, err) || !api_path_id(req, "id", id.text, err))
        return false;
    (void)id_parse(wish.destination, &destination);
    if (!queue_delivery_elsewhere(api_config(api_of(req))->queue, &actor, &id, &destination,
                                  wish.options, &made, err))
        return false;
    Json *answer = json_new_object();
    json_set_text(answer, "id", made.text);
    http_response_set_status(res, 201);
    http_response_json(res, answer);
    return true;
}

static const RouteParameter list_query[] = {
    { "before", "string",
      "Only deliveries older than the one with this id: next of the last answer." },
    { "limit", "integer", "How many at most, 1 to 500; 50 when absent." },
    { "state", "string", "Only deliveries in this state, for example held." },
    { "destination", "string", "Only deliveries to the destination with this id." },
    { .name = NULL },
};

const Route delivery_routes[] = {
    { "GET", "/api/v1/deliveries", "batches.read", deliveries_get,
      "Lists deliveries, newest first: the outbox.", .query = list_query,
      .answer = "DeliveryPage" },
    { "GET", "/api/v1/deliveries/{id}", "batches.read", delivery_answer,
      "Answers one delivery with all its attempts.", .query = no_query, .answer = "Delivery" },
    { "POST", "/api/v1/deliveries/{id}/retry", "batches.write", delivery_retry,
      "Tries a delivery again that was held, failed, dropped or is uncertain.", .query = no_query,
      .answer = "Delivery" },
    { "POST", "/api/v1/deliveries/{id}/hold", "batches.write", delivery_hold,
      "Holds a delivery that waits, until it is retried.", .query = no_query,
      .answer = "Delivery" },
    { "POST", "/api/v1/deliveries/{id}/drop", "batches.write", delivery_drop,
      "Gives a delivery up; its batch goes on without it.", .query = no_query,
      .answer = "Delivery" },
    { "POST", "/api/v1/deliveries/{id}/confirm", "batches.write", delivery_confirm,
      "Says of an uncertain delivery that it has arrived.", .query = no_query,
      .answer = "Delivery" },
    { "POST", "/api/v1/deliveries/{id}/elsewhere", "batches.write", delivery_elsewhere_post,
      "Sends the document to another destination, instead when this one is not done.",
      .query = no_query, .body_fields = elsewhere_fields, .answer = "Made" },
    { .method = NULL },
};
