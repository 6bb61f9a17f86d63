/* api/device.c - devices over HTTP: list, settings, approval. Rows appear when a device announces itself
 * or somebody adds it (device-find.c). */
#include "api/device.h"
#include "api/batch.h"
#include "api/noun.h"
#include "model/jobs-by.h"
#include "store/scan-json.h"

/* Why a device that waits for approval is in the list; of one that only announced itself: since when. */
static Json *waits_show(const Device *device)
{
    Json *object = json_new_object();

    json_set_wall(object, "since", device->waits_since);
    if (device->waits_code[0]) {
        json_set_text(object, "code", device->waits_code);
        json_set_text(object, "text", device->waits_text);
    }
    return object;
}

/* Why its jobs are not chosen as it is set, or not all of them. */
static Json *jobs_by_notes_show(const Device *device, unsigned names, size_t jobs)
{
    Reason notes[JOBS_BY_NOTES_MAX];
    size_t count = device_jobs_by_notes(device, names, jobs, notes);
    Json *array = json_new_array();

    for (size_t i = 0; i < count; i++) {
        Json *note = json_new_object();

        json_set_text(note, "code", notes[i].code);
        json_set_text(note, "text", notes[i].text);
        json_set_text(note, "remedy", notes[i].remedy);
        json_add_take(array, note);
    }
    return array;
}

/* With the name of the job group, so that a list of devices need not show ids to people. */
static Json *device_show(const ApiRead *read, const Device *device)
{
    Json *object = json_new_object();
    unsigned names = api_config(read->api)->panel_names;
    StoredJobGroup group = { .group.name = "" };
    JobGroupId group_id;
    Err ignored;

    json_set_text(object, "id", device->id.text);
    json_set_int(object, "revision", device->revision);
    json_set_text(object, "name", device->settings.name);
    json_set_text(object, "job_group", device->settings.job_group);
    if (id_parse(device->settings.job_group, &group_id) &&
        job_group_get(read->db, &group_id, &group, &ignored))
        json_set_text(object, "job_group_name", group.group.name);
    json_set_text(object, "registration", device_registration_words[device->settings.registration]);
    json_set_text(object, "transport", device_transport_words[device->settings.transport]);
    json_set_text(object, "back_rotation",
                  device_back_rotation_words[device->settings.back_rotation]);
    json_set_text(object, "certificate", device->certificate);
    json_set_text(object, "tls", device_tls_words[device->tls]);
    json_set_text(object, "tls_version", device->tls_version);
    json_set_text(object, "panel", device_panel_words[device->panel]);
    json_set_text(object, "jobs_by", device_jobs_by_words[device->settings.jobs_by]);
    json_set_text(object, "jobs_by_now", device_jobs_by_words[device_jobs_by(device, names)]);
    json_set_take(object, "jobs_by_notes",
                  jobs_by_notes_show(device, names, group.group.job_count));
    json_set_text(object, "state", device_state_words[device->state]);
    json_set_text(object, "address", device->address);
    json_set_text(object, "product", device->product);
    json_set_text(object, "serial", device->serial);
    json_set_text(object, "firmware", device->firmware);
    json_set_wall(object, "first_seen", device->first_seen);
    json_set_wall(object, "last_seen", device->last_seen);
    json_set_text(object, "contact", device_contact_words[device->contact]);
    json_set_wall(object, "contact_since", device->contact_since);
    json_set_wall(object, "last_scan", device->last_scan);
    if (device->state == DEVICE_SEEN)
        json_set_take(object, "waits", waits_show(device));
    device_pairing_show(read, &device->id, object);
    return object;
}

/* Shows devices after the list was read: a query of its own inside a query is none of ours. */
typedef struct DeviceRows {
    Device *rows;
    size_t n, cap;
    bool no_memory;
} DeviceRows;

static bool keep_device(void *arg, const Device *device)
{
    DeviceRows *list = arg;

    if (list->n == list->cap) {
        size_t cap = list->cap ? 2 * list->cap : 16;
        Device *longer = realloc(list->rows, cap * sizeof *longer);

        list->no_memory = !longer;
        if (!longer)
            return false;
        list->rows = longer;
        list->cap = cap;
    }
    list->rows[list->n++] = *device;
    return true;
}

static bool devices_get(HttpRequest *req, HttpResponse *res, Err *err)
{
    AUTO_READ read = api_read(req, err);
    AUTO(Json) items = json_new_array();
    DeviceRows list = { 0 };
    bool ok = read.db && device_list(read.db, keep_device, &list, err);

    if (ok && list.no_memory)
        ok = err_set(err, ERR_TEMPORARY, 0, "no memory for the list of devices");
    for (size_t i = 0; ok && i < list.n; i++)
        json_add_take(items, device_show(&read, &list.rows[i]));
    free(list.rows);
    if (ok)
        api_items(res, STEAL(items));
    return ok;
}

static bool path_device(HttpRequest *req, DeviceId *ret_id, Err *err)
{
    return api_path_id(req, "id", ret_id->text, err);
}

/* The rows about a device, first those that count first; of each what it says. */
static Json *quirks_show(const QuirkBook *book, const Device *device)
{
    Json *array = json_new_array();

    for (size_t i = 0; book && i < book->count; i++)
        if (quirk_is_of(&book->rows[i], device->product, device->firmware))
            json_add_take(array, json_from_fields(quirk_fields, &book->rows[i], false));
    return array;
}

bool device_answer(HttpRequest *req, HttpResponse *res, const DeviceId *id, Err *err)
{
    AUTO_READ read = api_read(req, err);
    AUTO_BUF text = buf_with_max(OFFER_TEXT_MAX);
    AUTO_BUF warned = buf_with_max(NOTES_TEXT_MAX);
    ScanNotes warnings;
    Json *object, *offer;
    Device device;
    Err ignored;

    if (!read.db || !device_get(read.db, id, &device, err) ||
        !device_offer_text(read.db, id, &text, err) ||
        !device_warnings_text(read.db, id, &warned, err))
        return false;
    notes_parse(buf_bytes(&warned), &warnings);
    offer = text.n > 0 ? json_parse(buf_bytes(&text), &ignored) : json_new_object();
    object = device_show(&read, &device);
    json_set_take(object, "warnings", notes_json(&warnings));
    json_set_take(object, "quirks", quirks_show(api_config(read.api)->quirks, &device));
    json_set_take(object, "offer", offer);
    http_response_json(res, object);
    api_etag(res, device.revision);
    return true;
}

static bool device_one_get(HttpRequest *req, HttpResponse *res, Err *err)
{
    DeviceId id;

    return path_device(req, &id, err) && device_answer(req, res, &id, err);
}

/* --- changes -------------------------------------------------------------------------------------- */

typedef struct DeviceWrite {
    Actor actor;
    DeviceId id;
    int64_t revision; /* If-Match, 0 = any                       */
    const Json *body; /* PATCH: members to change                */
    DeviceEvent event;
    bool stale; /* the revision is another one */
} DeviceWrite;

static bool device_begin(DeviceWrite *w, Tx *tx, Device *ret_device, Err *err)
{
    if (!device_get(tx_db(tx), &w->id, ret_device, err))
        return false;
    w->stale = w->revision != 0 && w->revision != ret_device->revision;
    if (!w->stale)
        return true;
    err_set(err, ERR_CONFLICT, 0, "the device was changed meanwhile");
    return err_remedy(err, "Read it again and make your change to what is there now.");
}

static bool patch_member(void *arg, const char *name, const Json *value)
{
    json_set_take(arg, name, json_clone(value));
    return true;
}

/* What is there, with the members of the body in their place (RFC 7396 without null). */
static bool settings_patched(const Json *body, DeviceSettings *settings, Err *err)
{
    AUTO(Json) whole = json_from_fields(device_settings_fields, settings, false);

    if (json_kind(body) != JSON_OBJ) {
        err_set(err, ERR_BAD_INPUT, 0, "the settings of a device are a JSON object");
        return false;
    }
    (void)json_each(body, patch_member, whole);
    return json_read_fields(whole, device_settings_fields, settings, sizeof *settings, err) &&
           device_settings_check(settings, err);
}

static bool device_write(Tx *tx, void *arg, Err *err)
{
    DeviceWrite *w = arg;
    Device device;

    return device_begin(w, tx, &device, err) &&
           (!w->body || settings_patched(w->body, &device.settings, err)) &&
           device_change(tx, &w->actor, &w->id, &device.settings, w->event, device.revision, err);
}

static bool device_remove_write(Tx *tx, void *arg, Err *err)
{
    DeviceWrite *w = arg;
    Device device;

    return device_begin(w, tx, &device, err) &&
           device_delete(tx, &w->actor, &w->id, device.revision, err);
}

static bool device_run(HttpRequest *req, HttpResponse *res, StoreWrite *write, DeviceWrite *w,
                       Err *err)
{
    w->actor = api_actor(req);
    if (!path_device(req, &w->id, err) || !api_if_match(req, &w->revision, err))
        return false;
    if (api_write(req, write, w, err))
        return true;
    if (w->stale)
        http_response_set_status(res, 412);
    return false;
}

static bool device_patch(HttpRequest *req, HttpResponse *res, Err *err)
{
    AUTO(Json) body = http_request_json(req, err);
    DeviceWrite w = { .body = body, .event = DEVICE_EVENT_MAX_ };

    return body && device_run(req, res, device_write, &w, err) &&
           device_answer(req, res, &w.id, err);
}

static bool device_approve(HttpRequest *req, HttpResponse *res, Err *err)
{
    DeviceWrite w = { .event = DEVICE_EVENT_APPROVE };

    return device_run(req, res, device_write, &w, err) && device_answer(req, res, &w.id, err);
}

static bool device_revoke(HttpRequest *req, HttpResponse *res, Err *err)
{
    DeviceWrite w = { .event = DEVICE_EVENT_REVOKE };

    return device_run(req, res, device_write, &w, err) && device_answer(req, res, &w.id, err);
}

static bool device_trust_write(Tx *tx, void *arg, Err *err)
{
    DeviceWrite *w = arg;
    Device device;

    return device_begin(w, tx, &device, err) && device_trust(tx, &w->actor, &w->id, err);
}

static bool device_trust_post(HttpRequest *req, HttpResponse *res, Err *err)
{
    DeviceWrite w = { .event = DEVICE_EVENT_MAX_ };

    return device_run(req, res, device_trust_write, &w, err) && device_answer(req, res, &w.id, err);
}

static bool device_one_delete(HttpRequest *req, HttpResponse *res, Err *err)
{
    DeviceWrite w = { .event = DEVICE_EVENT_MAX_ };

    return device_run(req, res, device_remove_write, &w, err);
}

/* The batch that was begun; its row is there, pages follow. */
static bool device_scan(HttpRequest *req, HttpResponse *res, Err *err)
{
    const ApiConfig *config = api_config(api_of(req));
    Actor actor = api_actor(req);
    JobStart start;
    DeviceId id;
    BatchId batch;

    if (!path_device(req, &id, err) || !api_body(req, job_start_fields, &start, sizeof start, err))
        return false;
    if (!config->start_scan)
        return err_set(err, ERR_TEMPORARY, 0, "this server serves no devices");
    return config->start_scan(config->scan_arg, &actor, &id, &start, &batch, err) &&
           batch_answer_id(req, res, &batch, err);
}

const Route device_routes[] = {
    { "GET", "/api/v1/devices", "devices.read", devices_get,
      "Lists devices that were seen, with their states.", .query = no_query,
      .answer = "DeviceList" },
    { "GET", "/api/v1/devices/{id}", "devices.read", device_one_get, "Answers one device.",
      .query = no_query, .answer = "Device" },
    { "PATCH", "/api/v1/devices/{id}", "devices.write", device_patch,
      "Changes name or job group of a device; members that are left out stay.", .query = no_query,
      .body_fields = device_settings_fields, .answer = "Device" },
    { "POST", "/api/v1/devices/{id}/approve", "devices.write", device_approve,
      "Lets a device start jobs.", .query = no_query, .answer = "Device" },
    { "POST", "/api/v1/devices/{id}/scan", "devices.write", device_scan,
      "Starts a scan without the panel, with a job of the device's job group, or any job.",
      .query = no_query, .body_fields = job_start_fields, .answer = "Batch" },
    { "POST", "/api/v1/devices/{id}/revoke", "devices.write", device_revoke,
      "Takes the approval of a device back.", .query = no_query, .answer = "Device" },
    { "POST", "/api/v1/devices/{id}/trust", "devices.write", device_trust_post,
      "Forgets the certificate of a device; the one it shows at its next scan is trusted.",
      .query = no_query, .answer = "Device" },
    { "DELETE", "/api/v1/devices/{id}", "devices.write", device_one_delete,
      "Forgets a device; it comes back as seen when it announces itself.", .query = no_query },
    { .method = NULL },
};
