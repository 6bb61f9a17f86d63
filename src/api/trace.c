/* api/trace.c - traces of devices: begun, ended, listed, fetched and removed. */
#include "api/context.h"
#include "api/noun.h"
#include "base/text.h"

static const ApiTraces *traces_of(const HttpRequest *req, Err *err)
{
    const ApiConfig *config = api_config(api_of(req));

    if (!config->traces)
        err_set(err, ERR_TEMPORARY, 0, "this server serves no devices");
    return config->traces;
}

static void *traces_arg(const HttpRequest *req)
{
    return api_config(api_of(req))->traces_arg;
}

/* With what the device is called, so that a list need not show ids to people. */
static Json *trace_show(Db *db, const Trace *trace)
{
    Json *object = json_new_object();
    Device device;
    Err ignored; /* the device may be deleted */

    json_set_text(object, "id", trace->id.text);
    json_set_text(object, "device_id", trace->device.text);
    if (device_get(db, &trace->device, &device, &ignored))
        json_set_text(object, "device_name",
                      device.settings.name[0] ? device.settings.name : device.address);
    json_set_wall(object, "began", id_text_made_at(trace->id.text));
    json_set_text(object, "state", trace->running ? "running" : "ended");
    json_set_int(object, "size_bytes", trace->size_bytes);
    return object;
}

static bool trace_answer(HttpRequest *req, HttpResponse *res, const Trace *trace, Err *err)
{
    AUTO_READ read = api_read(req, err);

    if (!read.db)
        return false;
    http_response_json(res, trace_show(read.db, trace));
    return true;
}

static bool traces_get(HttpRequest *req, HttpResponse *res, Err *err)
{
    const ApiTraces *traces = traces_of(req, err);
    AUTO_READ read = api_read(req, err);
    AUTO(Json) items = json_new_array();
    Trace *list;
    size_t n;

    if (!traces || !read.db || !traces->list(traces_arg(req), &list, &n, err))
        return false;
    for (size_t i = 0; i < n; i++)
        json_add_take(items, trace_show(read.db, &list[i]));
    free(list);
    api_items(res, STEAL(items));
    return true;
}

static bool device_trace_post(HttpRequest *req, HttpResponse *res, Err *err)
{
    const ApiTraces *traces = traces_of(req, err);
    Actor actor = api_actor(req);
    TraceWish wish;
    DeviceId id;
    Trace trace;

    if (!traces || !api_path_id(req, "id", id.text, err) ||
        !api_body(req, trace_wish_fields, &wish, sizeof wish, err) ||
        !traces->start(traces_arg(req), &actor, &id, &wish, &trace, err))
        return false;
    http_response_set_status(res, 201);
    return trace_answer(req, res, &trace, err);
}

/* The trace of the path with its file open; -1. */
static int trace_of_path(HttpRequest *req, Trace *ret, Err *err)
{
    const ApiTraces *traces = traces_of(req, err);
    TraceId id;

    if (!traces || !api_path_id(req, "id", id.text, err))
        return -1;
    return traces->open(traces_arg(req), &id, ret, err);
}

static bool trace_one_get(HttpRequest *req, HttpResponse *res, Err *err)
{
    Trace trace;
    AUTO_FD fd = trace_of_path(req, &trace, err);

    return fd >= 0 && trace_answer(req, res, &trace, err);
}

/* What is written until now; a trace that runs only grows. */
static bool trace_file_get(HttpRequest *req, HttpResponse *res, Err *err)
{
    char value[96];
    Trace trace;
    AUTO_FD fd = trace_of_path(req, &trace, err);

    if (fd < 0)
        return false;
    (void)text_printf(value, sizeof value, "attachment; filename=\"trace-%s.jsonl\"",
                      trace.id.text);
    http_response_header(res, "Content-Disposition", value);
    http_response_file(res, "application/jsonl", STEAL_FD(fd), trace.size_bytes);
    return true;
}

static bool trace_stop_post(HttpRequest *req, HttpResponse *res, Err *err)
{
    const ApiTraces *traces = traces_of(req, err);
    Actor actor = api_actor(req);
    TraceId id;

    return traces && api_path_id(req, "id", id.text, err) &&
           traces->stop(traces_arg(req), &actor, &id, err) && trace_one_get(req, res, err);
}

static bool trace_one_delete(HttpRequest *req, HttpResponse *res, Err *err)
{
    const ApiTraces *traces = traces_of(req, err);
    Actor actor = api_actor(req);
    TraceId id;

    (void)res;
    return traces && api_path_id(req, "id", id.text, err) &&
           traces->remove(traces_arg(req), &actor, &id, err);
}

const Route trace_routes[] = {
    { "POST", "/api/v1/devices/{id}/trace", "traces.write", device_trace_post,
      "Records what is said between the server and a device, for a while.", .query = no_query,
      .body_fields = trace_wish_fields, .answer = "Trace" },
    { "GET", "/api/v1/traces", "traces.read", traces_get, "Lists traces of devices, newest first.",
      .query = no_query, .answer = "TraceList" },
    { "GET", "/api/v1/traces/{id}", "traces.read", trace_one_get, "Answers one trace.",
      .query = no_query, .answer = "Trace" },
    { "GET", "/api/v1/traces/{id}/file", "traces.read", trace_file_get,
      "Sends the lines of a trace (JSON Lines), as far as they are written.", .query = no_query,
      .answer = "File" },
    { "POST", "/api/v1/traces/{id}/stop", "traces.write", trace_stop_post,
      "Ends a trace, and waits until its last lines are on disk.", .flags = ROUTE_WAITS,
      .query = no_query, .answer = "Trace" },
    { "DELETE", "/api/v1/traces/{id}", "traces.write", trace_one_delete,
      "Removes a trace that has ended.", .query = no_query },
    { .method = NULL },
};
