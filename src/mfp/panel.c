/* mfp/panel.c - routes of mfp/panel.h and their way to the loop thread. */
#include "mfp/panel.h"

#include "base/text.h"
#include "http/server.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

enum { PANEL_THREADS = 2, PANEL_CONNECTIONS_MAX = 32, PANEL_BODY_MAX = 4096, URL_SIZE = 64 };

/* panel.html, made into an array by tools/embed.py. */
extern const unsigned char panel_html[];
extern const unsigned long panel_html_size;

struct Panel {
    Loop *loop;
    Device *device;
    HttpServer *server;
    char url[URL_SIZE];
    pthread_mutex_t lock; /* for closed and the done of every Call */
    pthread_cond_t changed;
    bool closed; /* the loop runs no more */
};

/* One question to the device. It lives on the stack of the handler, which waits for it. */
typedef struct Call {
    Panel *panel;
    bool (*ask)(struct Call *call); /* on the loop thread; false: err */
    const void *settings;
    Json *answer;
    Err err;
    bool ok, done;
} Call;

/* Loop thread. */
static void run_call(void *arg)
{
    Call *call = arg;
    Panel *panel = call->panel;
    bool ok = call->ask(call);

    pthread_mutex_lock(&panel->lock);
    call->ok = ok;
    call->done = true;
    pthread_cond_broadcast(&panel->changed);
    pthread_mutex_unlock(&panel->lock);
}

/* Handler's thread: posts and waits. The loop never waits, so this is short; when it has ended, the
 * call is dropped unrun and nobody touches it any more. */
static bool call_device(Call *call, Err *err)
{
    Panel *panel = call->panel;
    bool closed;

    pthread_mutex_lock(&panel->lock);
    closed = panel->closed;
    if (!closed)
        loop_post(panel->loop, run_call, call);
    while (!call->done && !panel->closed)
        pthread_cond_wait(&panel->changed, &panel->lock);
    closed = !call->done;
    pthread_mutex_unlock(&panel->lock);
    if (closed)
        return err_set(err, ERR_TEMPORARY, 0, "the device is being switched off");
    if (!call->ok)
        *err = call->err;
    return call->ok;
}

/* ---- GET / and GET /state ---- */

static bool get_page(HttpRequest *req, HttpResponse *res, Err *err)
{
    (void)req;
    (void)err;
    http_response_header(res, "Content-Security-Policy",
                         "default-src 'none'; style-src 'unsafe-inline'; "
                         "script-src 'unsafe-inline'; connect-src 'self'; frame-ancestors 'none'");
    http_response_static(res, "text/html; charset=utf-8", (Bytes){ panel_html, panel_html_size });
    return true;
}

static Json *list_destinations(const Finder *finder)
{
    Json *list = json_new_array();

    for (size_t i = 0; i < finder->count; i++) {
        const SlpEntry *server = &finder->entries[i].server;
        char host[NET_ADDRESS_TEXT_SIZE];
        Json *item = json_new_object();

        json_set_text(item, "name", server->name);
        finder_host(&finder->entries[i], host);
        json_set_text(item, "address", host);
        json_set_int(item, "port", server->event_port);
        json_add_take(list, item);
    }
    return list;
}

/* What is wrong, or will be; and what can be. */
static Json *tell_fault(const Fault *fault)
{
    Json *json = json_new_object();

    if (fault->standing) {
        json_set_text(json, "kind", fault->standing->name);
        json_set_text(json, "text", fault->standing->text);
    } else if (fault->armed) {
        json_set_text(json, "armed", fault->armed->name);
        json_set_int(json, "page", fault->page);
    }
    return json;
}

static Json *list_kinds(void)
{
    Json *list = json_new_array();

    for (size_t i = 0; fault_at(i); i++) {
        Json *item = json_new_object();
        json_set_text(item, "kind", fault_at(i)->name);
        json_set_text(item, "text", fault_at(i)->text);
        json_add_take(list, item);
    }
    return list;
}

/* What the destination asked last has told: {"of": NAME, "list": [{"number", "name"}]}; no list: none was told. */
static Json *list_jobs(const Device *device)
{
    Json *jobs = json_new_object(), *list;
    const char *of;
    const PushScanResponse *told = device_jobs(device, &of);

    json_set_text(jobs, "of", of);
    if (!told)
        return jobs;
    list = json_new_array();
    for (size_t i = 0; i < told->job_count; i++) {
        Json *item = json_new_object();

        json_set_int(item, "number", told->jobs[i].number);
        json_set_text(item, "name", told->jobs[i].name);
        json_add_take(list, item);
    }
    json_set_take(jobs, "list", list);
    return jobs;
}

/* What JOBW told last, as hex digits; its meaning is not known. */
static void set_job_list(Json *json, const Device *device)
{
    AUTO_BUF hex = buf_with_max(2 * SCANNER_JOB_LIST_MAX + 1);
    Bytes list = device_job_list(device);

    (void)text_put_hex(&hex, list);
    json_set_text(json, "job_list", buf_text(&hex));
}

static bool ask_state(Call *call)
{
    const Device *device = call->panel->device;
    const Options *options = device_options(device);
    Json *json = json_new_object();

    json_set_text(json, "state", device_state_name(device_state(device)));
    json_set_text(json, "product", options->product);
    json_set_text(json, "serial", options->serial);
    json_set_text(json, "target", device_target(device));
    json_set_int(json, "pages", device_scan_pages(device));
    json_set_bool(json, "feeder", options->source == MFP_ADF);
    json_set_int(json, "sheets", (int64_t)device_sheets(device));
    json_set_text(json, "result", device_last_result(device));
    json_set_take(json, "fault", tell_fault(device_fault(device)));
    json_set_take(json, "kinds", list_kinds());
    json_set_take(json, "destinations", list_destinations(device_finder(device)));
    json_set_take(json, "jobs", list_jobs(device));
    json_set_int(json, "version", options->registration);
    set_job_list(json, device);
    call->answer = json;
    return true;
}

static bool get_state(HttpRequest *req, HttpResponse *res, Err *err)
{
    Call call = { .panel = http_request_server_arg(req), .ask = ask_state };

    if (!call_device(&call, err))
        return false;
    http_response_json(res, call.answer);
    return true;
}

/* ---- buttons ---- */

typedef struct PressSettings {
    char name[SLP_NAME_SIZE];
    char choice[OPTIONS_CHOICE_SIZE];
    int64_t job;
} PressSettings;

enum { NO_JOB = -1 };

static const Field press_fields[] = {
    TEXT(PressSettings, name, true, "Name of a destination on the panel."),
    TEXT(PressSettings, choice, false, "Sides (0, 1) and action (1 JPEG, 2 PDF, 4 preview)."),
    INTEGER(PressSettings, job, NO_JOB, PUSHSCAN_JOB_NUMBER_MAX, NO_JOB,
            "Number of a job in the place of a choice; -1: by the choice."),
    FIELDS_END,
};

static const Field jobs_fields[] = {
    TEXT(PressSettings, name, true, "Name of the destination that is asked for its jobs."),
    FIELDS_END,
};

typedef struct LoadSettings {
    int64_t sheets;
} LoadSettings;

static const Field load_fields[] = {
    INTEGER(LoadSettings, sheets, 1, TRAY_SHEETS_MAX, 1, "Sheets to put into the feeder."),
    FIELDS_END,
};

typedef struct FaultSettings {
    char kind[FAULT_WORD_SIZE];
    int64_t page;
} FaultSettings;

static const Field fault_fields[] = {
    TEXT(FaultSettings, kind, true, "What goes wrong: jam, cover, drop ..."),
    INTEGER(FaultSettings, page, 0, FAULT_PAGE_MAX, 0, "Within which page; 0: at once."),
    FIELDS_END,
};

static bool ask_fault(Call *call)
{
    const FaultSettings *fault = call->settings;

    return device_break(call->panel->device, fault->kind, fault->page, &call->err);
}

static bool ask_clear(Call *call)
{
    device_clear(call->panel->device);
    return true;
}

static bool ask_press(Call *call)
{
    const PressSettings *press = call->settings;

    if (press->job != NO_JOB)
        return device_press_job(call->panel->device, press->name, (uint16_t)press->job, &call->err);
    return device_press(call->panel->device, press->name, press->choice, &call->err);
}

static bool ask_jobs(Call *call)
{
    const PressSettings *asked = call->settings;

    return device_ask_jobs(call->panel->device, asked->name, &call->err);
}

static bool ask_load(Call *call)
{
    const LoadSettings *load = call->settings;

    return device_load(call->panel->device, load->sheets, &call->err);
}

static bool ask_cancel(Call *call)
{
    return device_cancel(call->panel->device, &call->err);
}

/* Reads the body into settings by its table and asks. */
static bool push_button(HttpRequest *req, const Field *fields, void *settings, size_t size,
                        bool (*ask)(Call *call), Err *err)
{
    Call call = { .panel = http_request_server_arg(req), .ask = ask, .settings = settings };
    AUTO(Json) body = http_request_json(req, err);

    return body && json_read_fields(body, fields, settings, size, err) && call_device(&call, err);
}

static bool post_press(HttpRequest *req, HttpResponse *res, Err *err)
{
    PressSettings settings;

    (void)res;
    return push_button(req, press_fields, &settings, sizeof settings, ask_press, err);
}

static bool post_jobs(HttpRequest *req, HttpResponse *res, Err *err)
{
    PressSettings settings;

    (void)res;
    return push_button(req, jobs_fields, &settings, sizeof settings, ask_jobs, err);
}

static bool post_load(HttpRequest *req, HttpResponse *res, Err *err)
{
    LoadSettings settings;

    (void)res;
    return push_button(req, load_fields, &settings, sizeof settings, ask_load, err);
}

static bool post_fault(HttpRequest *req, HttpResponse *res, Err *err)
{
    FaultSettings settings;

    (void)res;
    return push_button(req, fault_fields, &settings, sizeof settings, ask_fault, err);
}

static bool post_clear(HttpRequest *req, HttpResponse *res, Err *err)
{
    Call call = { .panel = http_request_server_arg(req), .ask = ask_clear };

    (void)res;
    return call_device(&call, err);
}

static bool post_cancel(HttpRequest *req, HttpResponse *res, Err *err)
{
    Call call = { .panel = http_request_server_arg(req), .ask = ask_cancel };

    (void)res;
    return call_device(&call, err);
}

static const Route routes[] = {
    { .method = "GET",
      .path = "/",
      .handler = get_page,
      .summary = "The panel as a page.",
      .flags = ROUTE_FAST },
    { .method = "GET",
      .path = "/state",
      .handler = get_state,
      .summary = "What the panel shows.",
      .answer = "State" },
    { .method = "POST",
      .path = "/press",
      .handler = post_press,
      .summary = "Presses Start.",
      .body_fields = press_fields,
      .body_bytes_max = PANEL_BODY_MAX },
    { .method = "POST",
      .path = "/jobs",
      .handler = post_jobs,
      .summary = "Asks a destination for its jobs.",
      .body_fields = jobs_fields,
      .body_bytes_max = PANEL_BODY_MAX },
    { .method = "POST",
      .path = "/load",
      .handler = post_load,
      .summary = "Puts sheets into the feeder.",
      .body_fields = load_fields,
      .body_bytes_max = PANEL_BODY_MAX },
    { .method = "POST",
      .path = "/fault",
      .handler = post_fault,
      .summary = "Something goes wrong.",
      .body_fields = fault_fields,
      .body_bytes_max = PANEL_BODY_MAX },
    { .method = "POST",
      .path = "/clear",
      .handler = post_clear,
      .summary = "What was wrong is put right." },
    { .method = "POST", .path = "/cancel", .handler = post_cancel, .summary = "Presses Cancel." },
    { .method = NULL },
};

static const Route *const tables[] = { routes, NULL };

/* ---- the calls of panel.h ---- */

static bool listen_on(Panel *panel, const NetAddress *address, uint16_t port, Err *err)
{
    HttpConfig config = { .routes = tables,
                          .arg = panel,
                          .api_threads = PANEL_THREADS,
                          .connections_max = PANEL_CONNECTIONS_MAX,
                          .address_max = PANEL_CONNECTIONS_MAX };
    char host[NET_ADDRESS_TEXT_SIZE];

    net_address_format_host(address, host);
    panel->server = http_server_new(&config, err);
    if (!panel->server || !http_server_listen(panel->server, host, port, NULL, &port, err))
        return err_prefix(err, "--panel-port");
    bool is_v6 = address->family == NET_IPV6;
    char *zone = is_v6 ? strchr(host, '%') : NULL;
    if (zone)
        *zone++ = '\0';
    return text_printf(panel->url, sizeof panel->url, "http://%s%s%s%s%s:%u", is_v6 ? "[" : "",
                       host, zone ? "%25" : "", zone ? zone : "", is_v6 ? "]" : "", port) ||
           err_set(err, ERR_BUG, 0, "the panel's address is too long");
}

Panel *panel_new(Loop *loop, Device *device, const NetAddress *address, uint16_t port, Err *err)
{
    AUTO(Panel) panel = calloc(1, sizeof *panel);

    if (!panel) {
        err_set(err, ERR_TEMPORARY, ENOMEM, "no memory for the panel");
        return NULL;
    }
    panel->loop = loop;
    panel->device = device;
    pthread_mutex_init(&panel->lock, NULL);
    pthread_cond_init(&panel->changed, NULL);
    return listen_on(panel, address, port, err) ? STEAL(panel) : NULL;
}

const char *panel_url(const Panel *panel)
{
    return panel->url;
}

void panel_free(Panel *panel)
{
    if (!panel)
        return;
    pthread_mutex_lock(&panel->lock);
    panel->closed = true;
    pthread_cond_broadcast(&panel->changed);
    pthread_mutex_unlock(&panel->lock);
    http_server_free(panel->server);
    pthread_cond_destroy(&panel->changed);
    pthread_mutex_destroy(&panel->lock);
    free(panel);
}
