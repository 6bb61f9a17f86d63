/* api/event.c - what happened, as a list and as a stream. */
#include "api/noun.h"

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

static bool events_get(HttpRequest *req, HttpResponse *res, Err *err)
{
    AUTO_READ read = api_read(req, err);
    AUTO(Json) items = json_new_array();
    const char *batch = http_request_query(req, "batch");
    int64_t after, limit;

    if (!read.db || !http_request_query_int(req, "after", 0, INT64_MAX, 0, &after, err) ||
        !http_request_query_int(req, "limit", 1, EVENTS_LIMIT_MAX, EVENTS_LIMIT_PRESET, &limit,
                                err))
        return false;
    if (batch && !id_text_is_valid(batch)) {
        err_set(err, ERR_BAD_INPUT, 0, "batch is not the id of a batch");
        return err_field(err, "batch");
    }
    if (!event_list(read.db, after, batch ? batch : "", (uint32_t)limit, list_event, items, err))
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
    { "limit", "integer", "How many at most, 1 to 1000; 100 when absent." },
    { .name = NULL },
};

const Route event_routes[] = {
    { "GET", "/api/v1/events", "events.read", events_get, "Lists events, oldest first.",
      .query = list_query, .answer = "EventList" },
    { "GET", "/api/v1/events/stream", "events.read", events_stream,
      "Sends events as they happen; Last-Event-ID goes on after an earlier one.",
      .flags = ROUTE_STREAM, .query = no_query, .answer = "Event" },
    { .method = NULL },
};
