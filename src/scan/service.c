/* scan/service.c - see service.h: the devices that are seen, and the life of the service. */
#include "scan/service.h"

#include "base/log.h"
#include "base/text.h"
#include "scan/list.h"

#include <errno.h>

/* As many as are answered at once: with fewer, of hundreds of devices that announce themselves together (after a
 * power cut) the same would be passed over again and again. */
enum { SIGHTINGS_UNDER_WAY_MAX = 512 };

void service_say_idle(ScanService *s)
{
    if (scan_service_running(s) == 0 && s->idle)
        s->idle(s->idle_arg);
}

typedef struct Sighting {
    ScanService *service;
    struct Sighting *next;
    char address[ADDRESS_TEXT_SIZE], product[PRODUCT_TEXT_SIZE];
    bool wants_v3;
    Device device;
    PanelNames names;
    bool ok;
} Sighting;

static bool sighted_write(Tx *tx, void *arg, Err *err)
{
    Sighting *s = arg;

    return device_sighted(tx, s->address, s->product, &s->device, err) &&
           (!s->wants_v3 || s->device.panel != DEVICE_PANEL_PLAIN ||
            device_panel_learned(tx, &s->device, DEVICE_PANEL_V3, err)) &&
           (device_jobs_by(&s->device, s->service->panels.doors) != DEVICE_JOBS_BY_NAME ||
            panel_names_read(tx, &s->device, &s->names, err));
}

static void sighted_posted(void *arg)
{
    Sighting *s = arg;

    if (s->ok)
        panel_book_put(&s->service->panels, &s->device, &s->names);
    if (s->ok && (s->device.state == DEVICE_SEEN || !s->device.serial[0]))
        (void)identity_look(s->service, s->address,
                            s->device.first_seen.ms == s->device.last_seen.ms ? LOOK_NEW
                                                                              : LOOK_ANNOUNCED,
                            NULL, NULL);
    struct Sighting **at = &s->service->sighted;
    while (*at != s)
        at = &(*at)->next;
    *at = s->next;
    s->service->sightings--;
    service_say_idle(s->service);
    free(s);
}

static void sighted_done(void *arg, bool ok, const Err *err)
{
    Sighting *s = arg;
    char quoted[256];

    s->ok = ok;
    if (!ok)
        log_line(LOG_WARNING, "device.not-recorded", "address=%s error=%s", s->address,
                 log_quote(quoted, sizeof quoted, err->text));
    loop_post(s->service->config.loop, sighted_posted, s);
}

static void seen(void *arg, const DeviceSighting *sighting)
{
    ScanService *service = arg;

    /* A device is heard by each of our interfaces at once. */
    for (const Sighting *s = service->sighted; s; s = s->next)
        if (text_equal(s->address, sighting->address))
            return;
    Sighting *s = service->sightings < SIGHTINGS_UNDER_WAY_MAX ? calloc(1, sizeof *s) : NULL;
    if (!s)
        return; /* a device announces itself every minute */
    s->service = service;
    s->wants_v3 = sighting->wants_v3;
    s->next = service->sighted;
    service->sighted = s;
    service->sightings++;
    (void)text_copy(s->address, sizeof s->address, sighting->address);
    (void)text_copy(s->product, sizeof s->product, sighting->product);
    store_write(service->config.store, sighted_write, sighted_done, s);
}

static bool shows(void *arg, const DeviceSighting *sighting, DeviceShown *shown)
{
    ScanService *service = arg;

    return panel_book_shows(&service->panels, sighting, shown);
}

static bool traffic(void *arg, const DeviceTraffic *what)
{
    return tracers_traffic(((ScanService *)arg)->traces, what);
}

Tracers *scan_service_traces(ScanService *service)
{
    return service->traces;
}

static const DeviceHost scan_host = {
    .seen = seen,
    .shows = shows,
    .list_asked = list_asked,
    .pressed = run_pressed,
    .identified = run_identified,
    .noticed = run_noticed,
    .offered = run_offered,
    .noted = run_noted,
    .warned = run_warned,
    .page_begin = run_page_begin,
    .page_bytes = run_page_bytes,
    .page_end = run_page_end,
    .page_drop = run_page_drop,
    .ended = run_ended,
    .traffic = traffic,
};

ScanService *scan_service_open(const ScanServiceConfig *config, Err *err)
{
    AUTO(ScanService) service = calloc(1, sizeof *service);

    if (!service) {
        err_set(err, ERR_TEMPORARY, ENOMEM, "no memory for the scan service");
        return NULL;
    }
    pthread_mutex_init(&service->pulled_lock, NULL);
    pthread_mutex_init(&service->probes.lock, NULL);
    pthread_cond_init(&service->probes.over, NULL);
    service->config = *config;
    service->config.link.host = &scan_host;
    service->config.link.arg = service;
    service->discover = discover_new(service, err);
    service->watch = watch_new(service, err);
    service->traces = tracers_new(config->loop, config->store, config->spool, &config->traces, err);
    if (!service->discover || !service->watch || !service->traces)
        return NULL;
    service->link = device_link_open(config->loop, &service->config.link, err);
    if (!service->link)
        return NULL;
    if (strchr(config->link.address, ':') && !device_link_hears(service->link, NET_IPV6))
        log_line(LOG_WARNING, "devices.no-ipv6", "address=\"%s\"", config->link.address);
    service->panels.doors = device_link_doors(service->link);
    service->panels.quirks = config->link.quirks;
    return panel_book_load(&service->panels, config->store, err) ? STEAL(service) : NULL;
}

void scan_service_drain(ScanService *service)
{
    service->draining = true;
    for (Run *run = service->runs; run; run = run->next)
        if (run->scan)
            device_scan_no_more_sheets(run->scan);
}

void scan_service_stop_at_page(ScanService *service)
{
    for (Run *run = service->runs; run; run = run->next)
        if (run->scan)
            device_scan_stop_at_page(run->scan);
}

void scan_service_leave(ScanService *service)
{
    for (Run *run = service->runs; run; run = run->next)
        if (run->scan)
            device_scan_leave(run->scan);
}

unsigned scan_service_running(const ScanService *service)
{
    return service->running + service->sightings + service->looking + service->pulls;
}

bool scan_service_discover(ScanService *service, const DiscoveryWish *wish, Err *err)
{
    return discover_start(service->discover, wish, err);
}

bool scan_service_discovered(ScanService *service, Discovery *ret, Err *err)
{
    bool ok = discover_look(service->discover, ret, err);

    ret->added_left = atomic_load(&service->added.left);
    return ok;
}

void scan_service_on_idle(ScanService *service, LoopFn *idle, void *arg)
{
    service->idle = idle;
    service->idle_arg = arg;
}

void scan_service_abort(ScanService *service)
{
    service->draining = true;
    discover_stop(service->discover);
    watch_stop(service->watch);
    added_stop(service);
    for (Run *run = service->runs, *next; run; run = next) {
        next = run->next;
        run_refuse(run);
        if (run->talking) {
            run->talking = false;
            run_over(run, SCAN_END_BROKEN);
        }
    }
    list_refuse_all(service);
    device_link_close(STEAL(service->link));
    probes_close(service);
    tracers_stop_all(service->traces);
}

static void free_runs(Run *runs)
{
    while (runs) {
        Run *run = runs;

        runs = run->next;
        loop_timer_free(run->repeat);
        loop_timer_free(run->again);
        free(run);
    }
}

void scan_service_free(ScanService *service)
{
    if (!service)
        return;
    device_link_close(service->link);
    added_stop(service);
    free_runs(service->runs);
    free_runs(service->pulled);
    pthread_mutex_destroy(&service->pulled_lock);
    pthread_mutex_destroy(&service->probes.lock);
    pthread_cond_destroy(&service->probes.over);
    while (service->listings) {
        Listing *listing = service->listings;

        service->listings = listing->next;
        free(listing);
    }
    discover_free(service->discover);
    watch_free(service->watch);
    tracers_free(service->traces);
    panel_book_done(&service->panels);
    free(service);
}
