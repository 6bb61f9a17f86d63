/* api/event.c - what happened, as a list and as a stream. */
#include "api/noun.h"
#include "base/text.h"

#include <string.h>

enum { EVENTS_LIMIT_MAX = 1000, EVENTS_LIMIT_PRESET = 100 };

static Json *event_show(const Event *event)
{
    Json *object = json_new_object();

    json_set_int(object, "id", event->id);
    json_set_wall(object, "at", event->at);
    json_set_text(object, "kind", event->kind);
    if (event->batch[0])
        json_set_text(object, "batch", event->batch);
    if (event->device[0])
        json_set_text(object, "device", event->device);
    if (event->device_name[0])
        json_set_text(object, "device_name", event->device_name);
    json_set_text(object, "text", event->text);
    return object;
}

void api_on_event(void *api, const Event *event)
{
    HttpEvents *events = api_config(api)->events;
    AUTO_BUF text = buf_with_max(HTTP_EVENT_BYTES_MAX);
    AUTO(Json) object = event_show(event);
    Err ignored;

    /* A client that misses an event here reads it from the list: nothing depends on the stream. */
    if (events && json_write(object, &text))
        (void)http_events_publish(events, event->kind, buf_text(&text), event->id, &ignored);
}

static bool list_event(void *arg, const Event *event)
{
    json_add_take(arg, event_show(event));
    return true;
}

/* The parameter, which is the id of such a thing; NULL when absent. */
static bool query_id(HttpRequest *req, const char *name, const char **ret_id, Err *err)
{
    const char *id = http_request_query(req, name);

    if (id && !id_text_is_valid(id)) {
        err_set(err, ERR_BAD_INPUT, 0, "%s is not the id of a %s", name, name);
        return err_field(err, "%s", name);
    }
    *ret_id = id;
    return true;
}

static bool query_kind(HttpRequest *req, const char **ret_kind, Err *err)
{
    const char *kind = http_request_query(req, "kind");

    if (kind && kind[strspn(kind, "abcdefghijklmnopqrstuvwxyz0123456789-.")] != '\0') {
        err_set(err, ERR_BAD_INPUT, 0, "kind is no kind of event, as batch.done or device are");
        return err_field(err, "kind");
    }
    *ret_kind = kind;
    return true;
}

static bool query_order(HttpRequest *req, bool *ret_newest_first, Err *err)
{
    const char *order = http_request_query(req, "order");

    if (order && !text_equal(order, "newest") && !text_equal(order, "oldest")) {
        err_set(err, ERR_BAD_INPUT, 0, "order is neither newest nor oldest");
        return err_field(err, "order");
    }
    *ret_newest_first = order && text_equal(order, "newest");
    return true;
}

static bool events_get(HttpRequest *req, HttpResponse *res, Err *err)
{
    AUTO_READ read = api_read(req, err);
    AUTO(Json) items = json_new_array();
    EventFilter filter = { .after = 0 };
    int64_t limit;

    if (!read.db || !http_request_query_int(req, "after", 0, INT64_MAX, 0, &filter.after, err) ||
        !http_request_query_int(req, "before", 1, INT64_MAX, INT64_MAX, &filter.before, err) ||
        !http_request_query_int(req, "limit", 1, EVENTS_LIMIT_MAX, EVENTS_LIMIT_PRESET, &limit,
                                err) ||
        !query_id(req, "batch", &filter.batch, err) ||
        !query_id(req, "device", &filter.device, err) || !query_kind(req, &filter.kind, err) ||
        !query_order(req, &filter.newest_first, err))
        return false;
    filter.limit = (uint32_t)limit;
    if (!event_list(read.db, &filter, list_event, items, err))
        return false;
    api_items(res, STEAL(items));
    return true;
}

static bool events_stream(HttpRequest *req, HttpResponse *res, Err *err)
{
    if (!api_config(api_of(req))->events)
        return err_set(err, ERR_TEMPORARY, 0, "this server has no event stream");
    http_response_events(res);
    return true;
}

static const RouteParameter list_query[] = {
    { "after", "integer", "Only events with a higher id." },
    { "batch", "string", "Only events of this batch." },
    { "before", "integer", "Only events with a lower id." },
    { "device", "string", "Only events that name this device." },
    { "kind", "string",
      "Only events of this kind, for example device.tls-lost; device: all that begin so." },
    { "order", "string", "newest: newest first; oldest first when absent." },
    { "limit", "integer", "How many at most, 1 to 1000; 100 when absent." },
    { .name = NULL },
};

const Route event_routes[] = {
    { "GET", "/api/v1/events", "events.read", events_get,
      "Lists events, oldest first unless order says newest.", .query = list_query,
      .answer = "EventList" },
    { "GET", "/api/v1/events/stream", "events.read", events_stream,
      "Sends events as they happen; Last-Event-ID goes on after an earlier one.",
      .flags = ROUTE_STREAM, .query = no_query, .answer = "Event" },
    { .method = NULL },
};
