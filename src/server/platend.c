/* server/platend.c - see platend.h. */
#include "server/platend.h"

#include "api/api.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "http/certificate.h"
#include "http/server.h"
#include "monitor/doctor.h"
#include "monitor/pairing.h"
#include "net/address.h"
#include "scan/service.h"
#include "seal/seal.h"
#include "server/event-log.h"
#include "server/privileges.h"
#include "server/startup.h"
#include "server/traces.h"
#include "store/fsck.h"
#include "json/json.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>

enum {
    EVENT_STREAMS_MAX = 100,
    STOP_AT_PAGE_MS = 10000, /* for the page that is coming when the drain is over        */
    LEAVE_MS = 10000,        /* then, for telling the devices that we go                  */
    GOOD_BYE_MS = 5000,      /* for the last writes of scans that were cut                */
    MIB = 1024 * 1024,
};

/* The leak checker of sanitizer builds traces its own process, which must be allowed for that. */
#if defined(__SANITIZE_ADDRESS__)
#define WITH_LEAK_CHECK 1
#else
#define WITH_LEAK_CHECK 0
#endif

typedef struct Platend {
    const ServerConfig *config;
    const QuirkBook *quirks;
    char spool_path[PATH_TEXT_SIZE];
    ServerPrograms run;
    DoctorProgram programs[OTHER_KINDS_MAX + 2];
    char listens4[NET_ADDRESS_TEXT_SIZE], listens6[NET_ADDRESS_TEXT_SIZE]; /* "" = not in it */
    DoctorConfig doctor;
    ApiCertificate certificate;
    Loop *loop;
    Store *store;
    Sealer *sealer;
    Queue *queue;
    Spool *spool;
    HttpEvents *events;
    Api *api;
    HttpServer *http;
    ScanService *scans;
    Pairer *pairer;
    LoopTimer *tick, *stopping;
    int stop_step; /* 0 runs, 1 draining, 2 at page boundary, 3 leaving devices, 4 cut */
} Platend;

/* --- stopping ------------------------------------------------------------------------------------ */

static void stop_loop(void *arg)
{
    loop_stop(((Platend *)arg)->loop);
}

/* The next, harder step of stopping. */
static void stop_harder(void *arg)
{
    Platend *p = arg;

    p->stop_step++;
    log_line(LOG_INFO, "server.stopping", "step=%d scans=%u", p->stop_step,
             scan_service_running(p->scans));
    if (p->stop_step == 1) {
        scan_service_drain(p->scans);
        scan_service_on_idle(p->scans, stop_loop, p);
        loop_timer_start(p->stopping, mono_after(mono_now(), p->config->drain_s * 1000));
    } else if (p->stop_step == 2) {
        scan_service_stop_at_page(p->scans);
        loop_timer_start(p->stopping, mono_after(mono_now(), STOP_AT_PAGE_MS));
    } else if (p->stop_step == 3) {
        scan_service_leave(p->scans);
        loop_timer_start(p->stopping, mono_after(mono_now(), LEAVE_MS));
    } else if (p->stop_step == 4) {
        scan_service_abort(p->scans);
        loop_timer_start(p->stopping, mono_after(mono_now(), GOOD_BYE_MS));
    } else {
        loop_stop(p->loop);
    }
    if (p->stop_step < 5 && scan_service_running(p->scans) == 0)
        loop_stop(p->loop);
}

static void tick(void *arg)
{
    Platend *p = arg;

    api_tick(p->api);
    loop_timer_start(p->tick, mono_after(mono_now(), API_TICK_MS));
}

/* --- starting: each step needs those before it --------------------------------------------------- */

static void say_finding(void *arg, const char *sentence)
{
    char quoted[300];

    (void)arg;
    log_line(LOG_WARNING, "spool.settled", "finding=%s",
             log_quote(quoted, sizeof quoted, sentence));
}

static bool open_data(Platend *p, Err *err)
{
    QueueConfig queue = { .data_path = p->config->data_dir,
                          .spool_path = p->spool_path,
                          .worker_program = p->run.worker,
                          .deliver_program = p->run.deliver,
                          .others = p->run.others,
                          .other_count = p->run.other_count,
                          .readers = (unsigned)p->config->readers,
                          .composers = (unsigned)p->config->composers,
                          .retention = { .by_itself = true,
                                         .files_days = p->config->keep_files_days,
                                         .history_days = p->config->keep_history_days } };
    FsckReport report;

    if (!text_printf(p->spool_path, sizeof p->spool_path, "%s/spool", p->config->data_dir))
        return err_set(err, ERR_BAD_INPUT, 0, "a path of the server is too long");
    p->store = store_open(p->config->data_dir, err);
    if (!p->store)
        return false;
    AUTO_FD data = file_open_folder(AT_FDCWD, p->config->data_dir, err);
    p->sealer = data < 0 ? NULL : sealer_open(data, err);
    if (!p->sealer)
        return false;
    p->spool = spool_open(p->spool_path, (unsigned)p->config->spool_threads,
                          p->config->free_space_mib * MIB, err);
    if (!p->spool)
        return false;
    queue.store = p->store;
    queue.sealer = p->sealer;
    queue.spool = p->spool;
    p->queue = queue_new(&queue, err);
    return p->queue &&
           store_fsck(p->store, p->spool_path, true, false, say_finding, NULL, &report, err) &&
           queue_recover(p->queue, err);
}

/* Everything that is told about the certificate is there before anybody can ask. */
static bool open_doors(Platend *p, const HttpConfig *http, Err *err)
{
    const ServerConfig *c = p->config;
    AUTO_BUF key = buf_with_max(CERTIFICATE_PEM_MAX);
    const char *list = c->http_address;
    char address[sizeof c->http_address];

    p->certificate.shown = buf_with_max(CERTIFICATE_PEM_MAX);
    if (c->http_port &&
        (!server_certificate_find(c, p->certificate.path, p->certificate.key_path, err) ||
         !server_certificate_load(c, true, &p->certificate.shown, &key, err)))
        return false;
    HttpTls tls = { buf_bytes(&p->certificate.shown), buf_bytes(&key) };
    p->http = http_server_new(http, err);
    bool ok = p->http != NULL;
    while (ok && c->http_port && server_config_address(&list, address, sizeof address))
        ok = http_server_listen(p->http, address, (uint16_t)c->http_port, &tls, NULL, err);
    return ok && http_server_listen_unix(p->http, c->socket, err);
}

static bool start_scan(void *arg, const Actor *actor, const DeviceId *device, const JobStart *start,
                       BatchId *ret_batch, Err *err)
{
    ScanPull pull = { .device = *device, .start = *start, .actor = *actor };

    return scan_service_pull(((Platend *)arg)->scans, &pull, ret_batch, err);
}

static bool cancel_scan(void *arg, const Actor *actor, const BatchId *batch, Err *err)
{
    return scan_service_cancel(((Platend *)arg)->scans, batch, actor, err);
}

static bool finish_scan(void *arg, const Actor *actor, const BatchId *batch, Err *err)
{
    return scan_service_finish(((Platend *)arg)->scans, batch, actor, err);
}

static bool discover(void *arg, const DiscoveryWish *wish, Err *err)
{
    return scan_service_discover(((Platend *)arg)->scans, wish, err);
}

static bool discovered(void *arg, Discovery *ret, Err *err)
{
    return scan_service_discovered(((Platend *)arg)->scans, ret, err);
}

static void look(void *arg, const char *address)
{
    scan_service_look(((Platend *)arg)->scans, address);
}

static bool pair(void *arg, const Actor *actor, const DeviceId *id, const PairWish *wish, Err *err)
{
    return pairer_pair(((Platend *)arg)->pairer, actor, id, wish, err);
}

static bool unpair(void *arg, const Actor *actor, const DeviceId *id, const UnpairWish *wish,
                   Err *err)
{
    return pairer_unpair(((Platend *)arg)->pairer, actor, id, wish, err);
}

static bool probe(void *arg, const Device *device, DeviceProbe *ret, Err *err)
{
    return scan_service_probe(((Platend *)arg)->scans, device, ret, err);
}

static const ApiDevices api_devices = { discover, discovered, look, pair, unpair, probe };

static void settle_doctor(Platend *p)
{
    const ServerConfig *c = p->config;
    const char *list = c->device_address;
    char text[sizeof c->device_address];
    NetAddress address;
    Err ignored; /* the devices are open: the list was read before */

    while (server_config_address(&list, text, sizeof text))
        if (net_address_parse(text, 0, &address, &ignored))
            net_address_format_host(&address,
                                    address.family == NET_IPV6 ? p->listens6 : p->listens4);
    p->doctor = (DoctorConfig){ .udp_port = (uint16_t)c->udp_port,
                                .tcp_port = (uint16_t)c->tcp_port,
                                .address4 = p->listens4,
                                .address6 = p->listens6,
                                .interfaces = c->interfaces,
                                .multicast = c->multicast,
                                .data_path = c->data_dir,
                                .spool = p->spool,
                                .quirks = p->quirks,
                                .programs = p->programs };
    p->programs[p->doctor.program_count++] = (DoctorProgram){ p->run.worker, "" };
    p->programs[p->doctor.program_count++] = (DoctorProgram){ p->run.deliver, "" };
    for (size_t i = 0; i < p->run.other_count; i++)
        p->programs[p->doctor.program_count++] = (DoctorProgram){ p->run.others[i].path,
                                                                  p->run.others[i].kind };
}

/* On the writer thread, once it is committed. */
static void tell_event(void *api, const Event *event)
{
    event_log(event);
    api_on_event(api, event);
}

static bool open_api(Platend *p, Err *err)
{
    ApiConfig api = { .store = p->store,
                      .queue = p->queue,
                      .sealer = p->sealer,
                      .start_scan = start_scan,
                      .cancel_scan = cancel_scan,
                      .finish_scan = finish_scan,
                      .scan_arg = p,
                      .devices = &api_devices,
                      .devices_arg = p,
                      .traces = &server_traces,
                      .traces_arg = scan_service_traces(p->scans),
                      .spool_path = p->spool_path,
                      .spool = p->spool,
                      .panel_names = server_config_names(p->config),
                      .doctor = &p->doctor,
                      .certificate = p->config->http_port ? &p->certificate : NULL,
                      .quirks = p->quirks,
                      .destinations_json = (const char *)destinations_json };
    HttpConfig http = { .routes = api_routes,
                        .authorise = api_authorise,
                        .api_threads = (unsigned)p->config->api_threads };

    settle_doctor(p);
    p->events = http_events_new(EVENT_STREAMS_MAX, err);
    api.events = p->events;
    p->api = p->events ? api_new(&api, err) : NULL;
    if (!p->api || !store_on_event(p->store, tell_event, p->api, err))
        return false;
    http.events = p->events;
    http.arg = http.authorise_arg = p->api;
    return open_doors(p, &http, err);
}

static bool open_devices(Platend *p, Err *err)
{
    const ServerConfig *c = p->config;
    ScanServiceConfig scans = { .loop = p->loop,
                                .store = p->store,
                                .spool = p->spool,
                                .queue = p->queue,
                                .identify = c->identify,
                                .silent_after_s = (unsigned)c->silent_after_s,
                                .traces = { .data_path = c->data_dir,
                                            .bytes_max = c->traces_mib * MIB,
                                            .keep_days = c->keep_traces_days },
                                .link = { .address = c->device_address,
                                          .interfaces = c->interfaces,
                                          .udp_port = (uint16_t)c->udp_port,
                                          .tcp_port = (uint16_t)c->tcp_port,
                                          .scan_port = (uint16_t)c->scan_port,
                                          .quirks = p->quirks,
                                          .multicast = c->multicast,
                                          .interfaces_check_s = (unsigned)c->interfaces_check_s,
                                          .name = c->name } };

    p->scans = scan_service_open(&scans, err);
    return p->scans != NULL;
}

/* Before anybody outside can know that the server is there: from then on a stop is an orderly one, which begins
 * when the start is over. Until then a signal ends the process at once, also while much has to be settled; nothing is
 * lost by that. */
static bool watch_signals(Platend *p, Err *err)
{
    return loop_watch_signal(p->loop, SIGTERM, stop_harder, p, err) &&
           loop_watch_signal(p->loop, SIGINT, stop_harder, p, err);
}

static bool open_pairer(Platend *p, Err *err)
{
    const ServerConfig *c = p->config;
    PairerConfig pairer = { .store = p->store,
                            .server_name = c->name,
                            .names = server_config_names(c),
                            .community = c->snmp_community,
                            .snmp_port = (uint16_t)c->snmp_port,
                            .scan_port = (uint16_t)c->scan_port,
                            .check_s = c->pairing_check_s };

    p->pairer = pairer_new(&pairer, err);
    return p->pairer != NULL;
}

static bool start(Platend *p, Err *err)
{
    p->loop = loop_new(err);
    if (!p->loop)
        return false;
    p->tick = loop_timer_new(p->loop, tick, p, err);
    p->stopping = loop_timer_new(p->loop, stop_harder, p, err);
    return p->tick && p->stopping && server_programs_find(p->config, &p->run, err) &&
           open_data(p, err) && watch_signals(p, err) && open_devices(p, err) &&
           open_pairer(p, err) && open_api(p, err) && queue_start(p->queue, err);
}

static Queue *draining_queue; /* for the signal's handler, while the queue drains */

static void on_late_signal(int signal_number)
{
    (void)signal_number;
    queue_hurry(draining_queue);
}

/* The loop has ended, and with it its ear for signals: a second one must end the drain all the same. */
static void drain_queue(Platend *p)
{
    static const int stop_signals[] = { SIGTERM, SIGINT };

    if (!p->queue)
        return;
    draining_queue = p->queue;
    for (size_t i = 0; i < COUNT_OF(stop_signals); i++)
        (void)signal(stop_signals[i], on_late_signal);
    queue_stop(p->queue, p->stop_step < 2 ? p->config->drain_s * 1000 : GOOD_BYE_MS);
    for (size_t i = 0; i < COUNT_OF(stop_signals); i++)
        (void)signal(stop_signals[i], SIG_IGN); /* what is left takes no time */
}

/* The one place where everything ends, in the reverse order of start. */
static void end(Platend *p)
{
    if (p->scans)
        scan_service_abort(p->scans);
    pairer_stop(p->pairer);
    http_server_free(p->http);
    pairer_free(p->pairer);
    drain_queue(p);
    spool_finish(p->spool);
    store_close(p->store);
    spool_close(p->spool);
    sealer_free(p->sealer);
    api_free(p->api);
    http_events_free(p->events);
    scan_service_free(p->scans);
    loop_timer_free(p->tick);
    loop_timer_free(p->stopping);
    loop_free(p->loop);
    buf_done(&p->certificate.shown);
}

/* Each running scan has four descriptors: 1024, the usual soft limit, would end at 250 devices. */
static void allow_descriptors(void)
{
    enum { ENOUGH = 16384 };
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= ENOUGH)
        return;
    limit.rlim_cur = limit.rlim_max < ENOUGH ? limit.rlim_max : ENOUGH;
    (void)setrlimit(RLIMIT_NOFILE, &limit); /* refused: scans beyond the limit are refused, too */
}

/* No picture of this memory is ever written: it holds opened passwords. The limit alone is not enough where a
 * program takes core dumps (core(5)). Children inherit the limit. */
static void forbid_core_dumps(void)
{
    (void)setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
    (void)prctl(PR_SET_DUMPABLE, WITH_LEAK_CHECK);
}

/* platen-deliver inherits it: what the API can set never tells which programs may be run. */
static void allow_programs(const char *folder)
{
    if (setenv("PLATEN_PROGRAMS", folder, 1) != 0)
        (void)unsetenv("PLATEN_PROGRAMS"); /* no memory: then none may be run */
}

bool platend_run(const ServerConfig *config, const QuirkBook *quirks, Err *err)
{
    Platend p = { .config = config, .quirks = quirks };
    char socket_folder[PATH_TEXT_SIZE];

    (void)signal(SIGPIPE, SIG_IGN);
    allow_descriptors();
    server_socket_folder(config, socket_folder);
    allow_programs(config->programs);
    bool ok = privileges_give_up(config->user, config->data_dir, socket_folder, err);
    forbid_core_dumps(); /* another user's process may be pictured again: after that */
    ok = ok && start(&p, err);
    if (ok) {
        tick(&p);
        log_line(LOG_INFO, "server.ready",
                 "version=%s generation=%lld udp_port=%lld tcp_port=%lld https_port=%lld socket=%s",
                 PLATEN_VERSION, (long long)store_generation(p.store), (long long)config->udp_port,
                 (long long)config->tcp_port, (long long)config->http_port, config->socket);
        ok = loop_run(p.loop, err);
    }
    end(&p);
    if (ok)
        log_line(LOG_INFO, "server.stopped", "data=%s", config->data_dir);
    return ok;
}

static void print_finding(void *arg, const char *sentence)
{
    (void)arg;
    (void)printf("%s\n", sentence);
}

bool platend_fsck(const ServerConfig *config, bool full, bool dry_run, Err *err)
{
    char spool_path[PATH_TEXT_SIZE];
    FsckReport r;

    if (!text_printf(spool_path, sizeof spool_path, "%s/spool", config->data_dir))
        return err_set(err, ERR_BAD_INPUT, 0, "a path of the server is too long");
    if (!privileges_give_up(config->user, config->data_dir, "", err))
        return false;
    AUTO(Store) store = store_open(config->data_dir, err);
    if (!store || !store_fsck(store, spool_path, !full, dry_run, print_finding, NULL, &r, err))
        return false;
    (void)printf("%u batches checked, %u rebuilt, %u without their folder; %u pages checked, %u "
                 "added, %u missing, "
                 "%u damaged; %u unfinished files removed%s\n",
                 r.batches_checked, r.batches_rebuilt, r.batches_gone, r.pages_checked,
                 r.pages_added, r.pages_missing, r.pages_damaged, r.parts_removed,
                 dry_run ? " (dry run: nothing was changed)" : "");
    return true;
}
