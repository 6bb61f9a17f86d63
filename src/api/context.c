/* api/context.c - see api.h and context.h: the Api itself and the small things handlers share. */
#include "api/context.h"

#include "base/limits.h"
#include "base/log.h"
#include "base/text.h"
#include "http/openapi.h"

#include <pthread.h>

enum { OPENAPI_BYTES_MAX = 4 * 1024 * 1024 };

struct Api {
    ApiConfig config;
    Json *kinds;
    Auth *auth;
    Snapshot *snapshot;
    Buf openapi;
    pthread_mutex_t lock;                  /* of the pool and ticking                        */
    StoreReader *readers[API_THREADS_MAX]; /* not in use                                     */
    size_t reader_count;
    bool ticking; /* a refresh is on its way to the writer          */
};

const Route *const api_routes[] = {
    device_routes,       device_find_routes, device_pair_routes, job_routes,
    job_group_routes,    destination_routes, batch_routes,       delivery_routes,
    event_routes,        token_routes,       config_routes,      system_routes,
    notification_routes, doctor_routes,      trace_routes,       NULL,
};

static bool openapi_make(Api *api, Err *err)
{
    AUTO(Json) document = http_openapi(api_routes, "Platen", PLATEN_VERSION);

    api->openapi = buf_with_max(OPENAPI_BYTES_MAX);
    if (!document || !json_write_pretty(document, &api->openapi) ||
        !buf_put_text(&api->openapi, "\n"))
        return err_set(err, ERR_TEMPORARY, 0, "no memory for the description of the API");
    return true;
}

Api *api_new(const ApiConfig *config, Err *err)
{
    AUTO(Api) api = calloc(1, sizeof *api);
    StoreReader *reader;
    bool ok;

    if (!api) {
        err_set(err, ERR_TEMPORARY, 0, "no memory for the API");
        return NULL;
    }
    api->config = *config;
    pthread_mutex_init(&api->lock, NULL);
    api->kinds = kinds_parse(config->destinations_json, err);
    if (!api->kinds || !openapi_make(api, err))
        return NULL;
    api->snapshot = snapshot_new(&api->config);
    reader = store_reader_open(config->store, err);
    if (!api->snapshot)
        err_set(err, ERR_TEMPORARY, 0, "no memory for the API");
    if (reader)
        api->auth = auth_new(reader_db(reader), err);
    ok = api->snapshot && api->auth && snapshot_take(api->snapshot, reader_db(reader), err);
    store_reader_close(reader);
    return ok ? STEAL(api) : NULL;
}

void api_free(Api *api)
{
    if (!api)
        return;
    for (size_t i = 0; i < api->reader_count; i++)
        store_reader_close(api->readers[i]);
    auth_free(api->auth);
    snapshot_free(api->snapshot);
    json_free(api->kinds);
    buf_done(&api->openapi);
    pthread_mutex_destroy(&api->lock);
    free(api);
}

const ApiConfig *api_config(const Api *api)
{
    return &api->config;
}

const Json *api_kinds(const Api *api)
{
    return api->kinds;
}

Auth *api_auth(const Api *api)
{
    return api->auth;
}

Snapshot *api_snapshot(const Api *api)
{
    return api->snapshot;
}

const Buf *api_openapi(const Api *api)
{
    return &api->openapi;
}

Api *api_of(const HttpRequest *req)
{
    return http_request_server_arg(req);
}

Actor api_actor(const HttpRequest *req)
{
    return (Actor){ .name = http_request_caller(req),
                    .address = http_request_is_unix(req) ? "local" : http_request_peer(req) };
}

/* --- read connections ------------------------------------------------------------------------------- */

ApiRead api_read(const HttpRequest *req, Err *err)
{
    ApiRead read = { .api = api_of(req) };

    pthread_mutex_lock(&read.api->lock);
    if (read.api->reader_count > 0)
        read.reader = read.api->readers[--read.api->reader_count];
    pthread_mutex_unlock(&read.api->lock);
    if (!read.reader)
        read.reader = store_reader_open(read.api->config.store, err);
    if (read.reader)
        read.db = reader_db(read.reader);
    return read;
}

void api_read_done(ApiRead *read)
{
    Api *api = read->api;

    if (!read->reader)
        return;
    pthread_mutex_lock(&api->lock);
    if (api->reader_count < API_THREADS_MAX)
        api->readers[api->reader_count++] = STEAL(read->reader);
    pthread_mutex_unlock(&api->lock);
    store_reader_close(read->reader);
}

bool api_write(const HttpRequest *req, StoreWrite *write, void *arg, Err *err)
{
    return store_write_wait(api_of(req)->config.store, write, arg, err);
}

/* --- snapshot --------------------------------------------------------------------------------------- */

static bool tick_write(Tx *tx, void *arg, Err *err)
{
    Api *api = arg;

    return snapshot_take(api->snapshot, tx_db(tx), err);
}

static void tick_done(void *arg, bool ok, const Err *err)
{
    Api *api = arg;
    char quoted[sizeof err->text + 8];

    if (!ok)
        log_line(LOG_WARNING, "api.snapshot", "error=%s",
                 log_quote(quoted, sizeof quoted, err->text));
    pthread_mutex_lock(&api->lock);
    api->ticking = false;
    pthread_mutex_unlock(&api->lock);
}

void api_tick(Api *api)
{
    bool already;

    pthread_mutex_lock(&api->lock);
    already = api->ticking;
    api->ticking = true;
    pthread_mutex_unlock(&api->lock);
    if (!already)
        store_write(api->config.store, tick_write, tick_done, api);
}

/* --- small things ----------------------------------------------------------------------------------- */

bool api_path_id(const HttpRequest *req, const char *name, char ret_id[ID_TEXT_SIZE], Err *err)
{
    const char *text = http_request_variable(req, name);

    if (id_text_is_valid(text))
        return text_copy(ret_id, ID_TEXT_SIZE, text);
    err_set(err, ERR_NOT_FOUND, 0, "\"%.60s\" is not an id", text);
    return err_remedy(err, "Ids have 26 characters; the lists show them.");
}

bool api_body(HttpRequest *req, const Field *fields, void *ret_value, size_t size, Err *err)
{
    AUTO(Json) body = http_request_json(req, err);

    return body && json_read_fields(body, fields, ret_value, size, err);
}

bool api_if_match(const HttpRequest *req, int64_t *ret_revision, Err *err)
{
    const char *text = http_request_header(req, "If-Match");
    size_t n = text ? strlen(text) : 0;

    *ret_revision = 0;
    if (!text || text_equal(text, "*"))
        return true;
    if (n > 2 && text[0] == '"' && text[n - 1] == '"' &&
        bytes_to_int((Bytes){ (const uint8_t *)text + 1, n - 2 }, 1, INT64_MAX, ret_revision))
        return true;
    err_set(err, ERR_BAD_INPUT, 0, "If-Match: %.40s is no ETag of ours", text);
    return err_remedy(err, "Send the ETag that the GET of this resource answered.");
}

void api_etag(HttpResponse *res, int64_t revision)
{
    char text[24];

    (void)text_printf(text, sizeof text, "%lld", (long long)revision);
    http_response_etag(res, text);
}

typedef struct Without {
    Json *copy;
    const char *const *names;
} Without;

static bool copy_member(void *arg, const char *name, const Json *value)
{
    Without *without = arg;

    for (const char *const *n = without->names; *n; n++)
        if (text_equal(*n, name))
            return true;
    json_set_take(without->copy, name, json_clone(value));
    return true;
}

Json *json_without(const Json *object, const char *const *names)
{
    Without without = { json_new_object(), names };

    (void)json_each(object, copy_member, &without);
    return without.copy;
}

void api_items(HttpResponse *res, Json *items_take)
{
    Json *answer = json_new_object();

    json_set_take(answer, "items", items_take);
    http_response_json(res, answer);
}

void json_set_wall_at(Json *object, const char *name, Wall wall, int utc_offset_min)
{
    char text[WALL_TEXT_SIZE];

    if (wall.ms == 0)
        return;
    wall_format(wall, utc_offset_min, text);
    json_set_text(object, name, text);
}

void json_set_wall(Json *object, const char *name, Wall wall)
{
    json_set_wall_at(object, name, wall, wall_zone_offset_min(wall));
}
