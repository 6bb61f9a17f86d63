/* mfp/device.c - the sockets and timers of mfp/device.h. */
#include "mfp/device.h"

#include "base/log.h"
#include "base/text.h"
#include "mfp/enpc-answer.h"
#include "mfp/press.h"
#include "mfp/session.h"
#include "net/tcp.h"
#include "net/udp.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

enum { SCAN_BACKLOG = 16, MULTICAST_TTL = 255 /* RFC 2608, section 6.1 */, QUOTED_SIZE = 512 };

/* One connection to the scan port. */
typedef struct Client {
    Device *device;
    TcpStream *stream; /* NULL: this place is free */
    MfpSession *session;
    LoopTimer *timer;
    Drip drip;
    char peer[NET_ADDRESS_TEXT_SIZE];
} Client;

struct Device {
    Loop *loop;
    const Options *options;
    MfpUnit unit;
    NetAddress announce_to;
    UdpSocket *udp;
    UdpSocket *
        replies; /* port 2968: some agents answer there, whatever the request came from; NULL: taken */
    UdpSocket *enpc, *enpc_broadcast; /* the second hears what is sent to all, and never sends */
    EnpcAnswerer answerer;
    TcpListener *listener;
    TlsContext *tls; /* NULL: the scan port is plain */
    Client clients[DEVICE_CLIENTS_MAX];
    Finder finder;
    LoopTimer *announce_timer;
    Press *press;
    LoopTimer *waiting_timer; /* runs in DEVICE_WAITING */
    bool contacting, waiting;
    bool auto_pressed; /* --press has been done */
    uint32_t presses;
    char target[SLP_NAME_SIZE], choice[OPTIONS_CHOICE_SIZE];
    char jobs_of[SLP_NAME_SIZE]; /* whose jobs these are */
    PushScanResponse jobs;
    char last_result[DEVICE_RESULT_SIZE];
    uint32_t scan_pages;
    uint32_t scans_done;
    bool ending; /* enough scans: the end when the last client has gone */
    bool ended;  /* on_end was called                                */
    DeviceEndFn *on_end;
    void *on_end_arg;
    int exit_code;
};

static const char *const state_names[DEVICE_STATE_MAX_] = {
    [DEVICE_READY] = "ready",           [DEVICE_CONTACTING] = "contacting",
    [DEVICE_WAITING] = "waiting",       [DEVICE_SCANNING] = "scanning",
    [DEVICE_CANCELLING] = "cancelling",
};

const char *device_state_name(DeviceState state)
{
    return state < DEVICE_STATE_MAX_ ? state_names[state] : "unknown";
}

/* One line of standard output; with several devices it says which one. */
static void say(const Device *device, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void say(const Device *device, const char *fmt, ...)
{
    char host[NET_ADDRESS_TEXT_SIZE];
    va_list args;

    va_start(args, fmt);
    (void)vprintf(fmt, args);
    va_end(args);
    net_address_format_host(&device->options->address, host);
    printf("%s%s\n", device->options->count > 1 ? " device=" : "",
           device->options->count > 1 ? host : "");
}

/* ---- the end of the program ---- */

static bool has_clients(const Device *device)
{
    for (size_t i = 0; i < DEVICE_CLIENTS_MAX; i++)
        if (device->clients[i].stream)
            return true;
    return false;
}

static void stop_when_quiet(Device *device)
{
    if (device->ending && !has_clients(device) && !device->ended) {
        device->ended = true;
        device->on_end(device->on_end_arg);
    }
}

/* With --exit-after a failure is the end. */
static void fail(Device *device, const char *why)
{
    (void)text_copy(device->last_result, sizeof device->last_result, why);
    if (device->options->exit_after == 0)
        return;
    (void)fprintf(stderr, "platen-mfp: %s\n", why);
    device->exit_code = 1;
    device->ending = true;
    stop_when_quiet(device);
}

/* ---- scanning ---- */

static void scan_ended(Device *device, const char *outcome, uint32_t pages)
{
    char why[DEVICE_RESULT_SIZE];

    say(device, "scan-end pages=%u outcome=%s", pages, outcome);
    if (!text_equal(outcome, scan_outcome_name(SCAN_DONE))) {
        (void)text_printf(why, sizeof why, "the scan ended after %u pages: %s", pages, outcome);
        fail(device, why);
        return;
    }
    (void)text_printf(device->last_result, sizeof device->last_result, "%u pages scanned", pages);
    device->scans_done++;
    device->ending = device->ending || (device->options->exit_after > 0 &&
                                        device->scans_done >= device->options->exit_after);
}

static void take_note(Client *client, const ScanNote *note)
{
    Device *device = client->device;
    char kind[QUOTED_SIZE];

    device->scan_pages = note->pages;
    if (note->kind == NOTE_BEGIN) {
        device->waiting = false;
        loop_timer_stop(device->waiting_timer);
        say(device, "scan-begin client=%s", client->peer);
    } else if (note->kind == NOTE_PAGE) {
        say(device, "page %u bytes=%zu", note->pages, note->bytes);
    } else if (note->kind == NOTE_ACKNOWLEDGED) {
        say(device, "page-acknowledged %u", note->pages);
    } else if (note->kind == NOTE_FAULT) {
        say(device, "fault kind=%s", log_quote(kind, sizeof kind, note->fault));
    } else {
        scan_ended(device, scan_outcome_name(note->outcome), note->pages);
    }
}

static void client_done(Client *client)
{
    Device *device = client->device;

    mfp_session_free(STEAL(client->session));
    loop_timer_free(STEAL(client->timer));
    drip_done(&client->drip);
    client->stream = NULL;
    stop_when_quiet(device);
}

/* Sends what the rule of --drip lets go now. False: something is left, the timer will come. */
static bool pump_drip(Client *client)
{
    Bytes piece;
    Err err;

    while (drip_next(&client->drip, mono_now(), &piece)) {
        (void)tcp_write(client->stream, piece, &err); /* broken: on_end tells */
        drip_sent(&client->drip, piece, mono_now());
    }
    if (drip_is_empty(&client->drip))
        return true;
    tcp_pause(client->stream);
    loop_timer_start(client->timer, mono_earlier(drip_deadline(&client->drip),
                                                 mfp_session_deadline(client->session)));
    return false;
}

static void send_bytes(Client *client, Bytes bytes)
{
    Err err;

    if (drip_is_used(&client->drip.rule))
        (void)drip_put(&client->drip, bytes, mono_now());
    else
        (void)tcp_write(client->stream, bytes, &err); /* broken: on_end tells */
}

/* Executes what the session wants until it wants nothing or the client must read first. */
static void pump(Client *client)
{
    MfpAction action;

    while (tcp_queued_bytes(client->stream) < DEVICE_CLIENT_QUEUE_MAX / 2) {
        if (!pump_drip(client))
            return;
        if (!mfp_session_next(client->session, &action)) {
            tcp_resume(client->stream);
            loop_timer_start(client->timer, mfp_session_deadline(client->session));
            return;
        }
        if (action.kind == MFP_NOTE)
            take_note(client, &action.note);
        if (action.kind == MFP_SEND)
            send_bytes(client, action.bytes);
        if (action.kind == MFP_CLOSE) {
            tcp_close(STEAL(client->stream));
            client_done(client);
            return;
        }
    }
    tcp_pause(client->stream);
}

static void on_client_read(void *arg, Bytes bytes)
{
    Client *client = arg;

    mfp_session_feed(client->session, bytes, mono_now());
    pump(client);
}

static void on_client_drained(void *arg)
{
    pump(arg);
}

static void on_client_end(void *arg, TcpEnd end, const Err *err)
{
    Client *client = arg;
    MfpAction action;

    (void)err;
    mfp_session_lost(client->session);
    while (mfp_session_next(client->session, &action))
        if (action.kind == MFP_NOTE)
            take_note(client, &action.note);
    if (end == TCP_END_EOF)
        tcp_close(STEAL(client->stream));
    else
        tcp_abort(STEAL(client->stream));
    client_done(client);
}

static void on_client_time(void *arg)
{
    Client *client = arg;

    mfp_session_tick(client->session, mono_now());
    pump(client);
}

static const TcpEvents client_events = { .on_read = on_client_read,
                                         .on_drained = on_client_drained,
                                         .on_end = on_client_end };

static void on_accept(void *arg, TcpStream *stream_take)
{
    Device *device = arg;
    AUTO(TcpStream) stream = stream_take;
    Client *client = device->clients;
    NetAddress peer = tcp_peer_address(stream);
    Err err;

    while (client < device->clients + DEVICE_CLIENTS_MAX && client->stream)
        client++;
    if (client == device->clients + DEVICE_CLIENTS_MAX)
        return;
    AUTO(MfpSession) session = mfp_session_new(&device->unit, mono_now(), &err);
    AUTO(LoopTimer) timer = loop_timer_new(device->loop, on_client_time, client, &err);
    if (!session || !timer || (device->tls && !tcp_accept_tls(stream, device->tls, &err)))
        return;
    net_address_format(&peer, client->peer);
    client->device = device;
    client->session = STEAL(session);
    client->timer = STEAL(timer);
    drip_init(&client->drip, &device->options->drip);
    client->stream = STEAL(stream);
    tcp_attach(client->stream, DEVICE_CLIENT_QUEUE_MAX, &client_events, client);
    pump(client);
}

/* ---- Start ---- */

static void press_failed(Device *device, const char *why)
{
    char quoted[QUOTED_SIZE], name[QUOTED_SIZE];

    say(device, "pressed name=%s choice=%s result=ERROR error=%s",
        log_quote(name, sizeof name, device->target), device->choice,
        log_quote(quoted, sizeof quoted, why));
    fail(device, why);
}

static void on_pressed(void *arg, const PushScanResponse *response, const Err *err)
{
    Device *device = arg;
    char name[QUOTED_SIZE];

    press_free(STEAL(device->press));
    device->contacting = false;
    if (!response) {
        press_failed(device, err->text);
        return;
    }
    say(device, "pressed name=%s choice=%s result=OK", log_quote(name, sizeof name, device->target),
        device->choice);
    device->last_result[0] = '\0';
    if (device->unit.scanning) /* a server may begin before its answer has been read here */
        return;
    device->waiting = true;
    loop_timer_start(device->waiting_timer, mono_after(mono_now(), DEVICE_NO_CLIENT_MS));
}

static void on_no_client(void *arg)
{
    Device *device = arg;

    device->waiting = false;
    scan_ended(device, "no-client", 0);
}

/* Says something to the destination of this name. */
static bool report(Device *device, const char *name, PushScanBody *body, PressDoneFn *done,
                   Err *err)
{
    const FinderEntry *entry = finder_find(&device->finder, name);
    char own[NET_ADDRESS_TEXT_SIZE];
    NetAddress server;

    if (device_state(device) != DEVICE_READY)
        return err_set(err, ERR_CONFLICT, 0, "the device is %s",
                       device_state_name(device_state(device)));
    if (!entry)
        return err_set(err, ERR_NOT_FOUND, 0, "no destination \"%s\" on the panel", name);
    if (!net_address_parse(entry->server.address, entry->server.event_port, &server, err))
        return false;
    net_address_format_host(&device->options->address, own);
    (void)text_copy(body->product, sizeof body->product, device->options->product);
    (void)text_copy(body->address, sizeof body->address, own);
    (void)text_copy(device->target, sizeof device->target, name);
    device->press = press_start(device->loop, &device->options->address, &server, body,
                                ++device->presses, done, device, err);
    device->contacting = device->press != NULL;
    return device->contacting;
}

bool device_press(Device *device, const char *name, const char *choice, Err *err)
{
    PushScanBody body = { .root = PUSHSCAN_ROOT_START, .job_number = PUSHSCAN_NO_JOB };

    if (!options_choice_is_valid(choice))
        return err_set(err, ERR_BAD_INPUT, 0, "expected a choice of two characters, like 02");
    (void)text_copy(body.choice, sizeof body.choice, choice);
    if (!report(device, name, &body, on_pressed, err))
        return false;
    (void)text_copy(device->choice, sizeof device->choice, choice);
    return true;
}

bool device_press_job(Device *device, const char *name, uint16_t number, Err *err)
{
    PushScanBody body = { .root = PUSHSCAN_ROOT_START, .job_number = number };

    if (!report(device, name, &body, on_pressed, err))
        return false;
    (void)text_copy(device->choice, sizeof device->choice, "-");
    return true;
}

/* A destination that knows no lists answers ERROR: it is started by the choice then. */
static void on_jobs(void *arg, const PushScanResponse *response, const Err *err)
{
    Device *device = arg;
    char name[QUOTED_SIZE];

    (void)err;
    if (response && response->has_jobs)
        device->jobs = *response;
    printf("jobs name=%s count=%zu\n", log_quote(name, sizeof name, device->jobs_of),
           device->jobs.job_count);
    press_free(STEAL(device->press));
    device->contacting = false;
}

bool device_ask_jobs(Device *device, const char *name, Err *err)
{
    PushScanBody body = { .root = PUSHSCAN_ROOT_JOB_LIST,
                          .job_number = PUSHSCAN_NO_JOB,
                          .capabilities = { PUSHSCAN_JOB_NAMES },
                          .capability_count = 1 };

    if (!report(device, name, &body, on_jobs, err))
        return false;
    (void)text_copy(device->jobs_of, sizeof device->jobs_of, name);
    device->jobs = (PushScanResponse){ 0 };
    return true;
}

const PushScanResponse *device_jobs(const Device *device, const char **ret_name)
{
    *ret_name = device->jobs_of;
    return device->jobs.has_jobs ? &device->jobs : NULL;
}

static void press_by_itself(Device *device, const char *name)
{
    Err err;

    if (device->auto_pressed || !text_equal(device->options->press_name, name) ||
        device_state(device) != DEVICE_READY)
        return;
    device->auto_pressed = true;
    if (!device_press(device, name, device->options->press_choice, &err))
        press_failed(device, err.text);
}

/* ---- announcing ---- */

static void on_datagram(void *arg, const UdpDatagram *datagram)
{
    Device *device = arg;
    const FinderEntry *entry;
    char name[QUOTED_SIZE];

    if (finder_receive(&device->finder, datagram->bytes, &datagram->from, &entry) ==
        FINDER_APPEARED)
        say(device, "destination name=%s address=%s port=%u%s",
            log_quote(name, sizeof name, entry->server.name), entry->server.address,
            entry->server.event_port, entry->server.is_v3 ? " version=3" : "");
    if (device->options->press_name[0] && finder_find(&device->finder, device->options->press_name))
        press_by_itself(device, device->options->press_name);
}

/* Says which names of the former list are not in the new one. */
static void print_gone(const Device *device, const Finder *before, const Finder *after)
{
    char name[QUOTED_SIZE];

    for (size_t i = 0; i < before->count; i++)
        if (!finder_find(after, before->entries[i].server.name))
            say(device, "destination-gone name=%s",
                log_quote(name, sizeof name, before->entries[i].server.name));
}

static void on_announce(void *arg)
{
    Device *device = arg;
    Finder before = device->finder;
    AUTO_BUF request = buf_with_max(SLP_DATAGRAM_MAX);
    Err err;

    if (finder_tick(&device->finder, mono_now(), &request))
        (void)udp_send(device->udp, &device->announce_to, 0, buf_bytes(&request), &err);
    print_gone(device, &before, &device->finder);
    loop_timer_start(device->announce_timer, finder_deadline(&device->finder));
}

/* The interface that carries the device's address; loopback has all of 127/8. */
static bool interface_of(const NetAddress *address, char ret_name[IF_NAMESIZE])
{
    struct ifaddrs *all = NULL;
    bool found = false;

    if (getifaddrs(&all) != 0)
        return false;
    for (struct ifaddrs *i = all; i && !found; i = i->ifa_next) {
        const struct sockaddr_in *in = (const void *)i->ifa_addr;
        if (!in || in->sin_family != AF_INET)
            continue;
        found = memcmp(&in->sin_addr, address->bytes, sizeof in->sin_addr) == 0 ||
                (net_address_is_loopback(address) && (i->ifa_flags & IFF_LOOPBACK));
        if (found)
            (void)text_copy(ret_name, IF_NAMESIZE, i->ifa_name);
    }
    freeifaddrs(all);
    return found;
}

static bool look_up(const char *host, uint16_t port, NetAddress *ret_address, Err *err)
{
    struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_DGRAM };
    struct addrinfo *found = NULL;
    int code = getaddrinfo(host, NULL, &hints, &found);

    if (code != 0) {
        err_set(err, ERR_NOT_FOUND, code, "--server %s: %s", host, gai_strerror(code));
        return err_remedy(err, "Name a host with an IPv4 address.");
    }
    const struct sockaddr_in *in = (const void *)found->ai_addr;
    uint32_t bits = ntohl(in->sin_addr.s_addr);
    *ret_address = (NetAddress){ .family = NET_IPV4, .port = port };
    for (int i = 0; i < 4; i++)
        ret_address->bytes[i] = (uint8_t)(bits >> (24 - 8 * i));
    freeaddrinfo(found);
    return true;
}

/* What announcements name it: sheet-fed models announce another text than their #PRD. */
static const char *scope_of(const Options *options)
{
    const MfpModel *model = options->kind.model;

    return model && model->scope && text_equal(options->product, model->product) ? model->scope
                                                                                 : options->product;
}

/* Not at the address we ask: what we send would come to ourselves. */
static void open_replies(Device *device)
{
    NetAddress own = device->options->address;
    Err err;

    own.port = SLP_PORT;
    if (!net_address_same_host(&own, &device->announce_to))
        device->replies = udp_open(device->loop, &own, on_datagram, device, &err);
}

static bool open_announcer(Device *device, Err *err)
{
    const Options *options = device->options;
    bool multicast = options->server_host[0] == '\0';
    char interface[IF_NAMESIZE] = "";
    uint16_t xid = 0;

    if (getrandom(&xid, sizeof xid, 0) != sizeof xid)
        return err_errno(err, errno, "getrandom");
    finder_init(&device->finder, scope_of(options), multicast, options->announce_ms, xid);
    device->finder.is_v3 = options->registration == 3;
    device->udp = udp_open(device->loop, &options->address, on_datagram, device, err);
    if (!device->udp)
        return false;
    if (!multicast &&
        !look_up(options->server_host, options->server_port, &device->announce_to, err))
        return false;
    open_replies(device);
    if (!multicast)
        return true;
    if (!interface_of(&options->address, interface))
        return err_set(err, ERR_PERMANENT, 0, "no interface carries the device's address");
    return net_address_parse(SLP_GROUP, SLP_PORT, &device->announce_to, err) &&
           udp_set_multicast(device->udp, interface, MULTICAST_TTL, err);
}

/* ---- being found ---- */

static void on_query(void *arg, const UdpDatagram *datagram)
{
    Device *device = arg;
    AUTO_BUF answer = buf_with_max(ENPC_DATAGRAM_MAX);
    Err err;

    if (enpc_answerer_feed(&device->answerer, datagram->bytes, &datagram->from, mono_now(),
                           &answer))
        (void)udp_send(device->enpc, &datagram->from, 0, buf_bytes(&answer), &err);
}

/* To everybody (255.255.255.255) or to everybody of a network, whose last byte is 255 in all networks that
 * matter here; what is sent to one address is heard by the socket of that address. */
static void on_broadcast_query(void *arg, const UdpDatagram *datagram)
{
    enum { LAST = 3, ALL = 0xff };

    if (datagram->to.family == NET_IPV4 && datagram->to.bytes[LAST] == ALL)
        on_query(arg, datagram);
}

static bool open_enpc(Device *device, Err *err)
{
    NetAddress own = device->options->address, any = { .family = NET_IPV4 };

    if (device->options->enpc_port == 0)
        return true;
    own.port = any.port = device->options->enpc_port;
    device->answerer.address = &device->options->address;
    device->answerer.name = device->unit.product;
    device->enpc = udp_open(device->loop, &own, on_query, device, err);
    device->enpc_broadcast = device->enpc
                                 ? udp_open(device->loop, &any, on_broadcast_query, device, err)
                                 : NULL;
    if (device->enpc_broadcast)
        return true;
    err_prefix(err, "UDP port %u, on which devices are found", own.port);
    return err_remedy(err, "Choose another --enpc-port, or 0.");
}

/* ---- the calls of device.h ---- */

static bool open_all(Device *device, Err *err)
{
    NetAddress scan = device->options->address;
    char text[NET_ADDRESS_TEXT_SIZE];

    scan.port = device->options->scan_port;
    if (device->options->tls)
        device->tls = tls_server_context_new(device->options->product, err);
    if (device->options->tls && !device->tls)
        return false;
    net_address_format(&scan, text);
    device->listener = tcp_listen(device->loop, &scan, SCAN_BACKLOG, on_accept, device, err);
    if (!device->listener) {
        err_prefix(err, "scan port %s", text);
        return err_remedy(err, "Choose another --address (127.0.0.2 ...) or --port.");
    }
    device->announce_timer = loop_timer_new(device->loop, on_announce, device, err);
    device->waiting_timer = loop_timer_new(device->loop, on_no_client, device, err);
    if (!device->announce_timer || !device->waiting_timer || !open_announcer(device, err) ||
        !open_enpc(device, err))
        return false;
    loop_timer_start(device->announce_timer, mono_now());
    return true;
}

/* Each picture once. */
static size_t sheets_of(const Options *options, const Tray *tray)
{
    size_t pictures = tray_picture_count(tray);

    return options->duplex ? (pictures + 1) / 2 : pictures;
}

Device *device_new(Loop *loop, const Options *options, Tray *tray, DeviceEndFn *on_end,
                   void *on_end_arg, Err *err)
{
    AUTO(Device) device = calloc(1, sizeof *device);

    if (!device) {
        err_set(err, ERR_TEMPORARY, ENOMEM, "no memory for the device");
        return NULL;
    }
    device->loop = loop;
    device->options = options;
    device->unit = (MfpUnit){ .source = options->source,
                              .legacy = options->legacy,
                              .kind = options->kind,
                              .tray = tray,
                              .interleaves = options->duplex == MFP_DUPLEX_INTERLEAVED,
                              .says_events = options->says_events,
                              .stamps = options->stamps,
                              .line_padding = options->line_padding,
                              .fault = options->fault };
    (void)text_copy(device->unit.product, sizeof device->unit.product, options->product);
    (void)text_copy(device->unit.serial, sizeof device->unit.serial, options->serial);
    device->on_end = on_end;
    device->on_end_arg = on_end_arg;
    if (options->source == MFP_ADF)
        tray_load(tray, options->sheets > 0 ? options->sheets : sheets_of(options, tray));
    return open_all(device, err) ? STEAL(device) : NULL;
}

void device_free(Device *device)
{
    if (!device)
        return;
    for (size_t i = 0; i < DEVICE_CLIENTS_MAX; i++) {
        tcp_abort(device->clients[i].stream);
        mfp_session_free(device->clients[i].session);
        loop_timer_free(device->clients[i].timer);
        drip_done(&device->clients[i].drip);
    }
    press_free(device->press);
    loop_timer_free(device->announce_timer);
    loop_timer_free(device->waiting_timer);
    udp_free(device->udp);
    udp_free(device->replies);
    udp_free(device->enpc);
    udp_free(device->enpc_broadcast);
    tcp_listener_free(device->listener);
    tls_context_free(device->tls);
    free(device);
}

void device_announce_ready(const Device *device, const char *panel_url)
{
    NetAddress scan = tcp_listener_address(device->listener);
    char host[NET_ADDRESS_TEXT_SIZE];

    net_address_format_host(&scan, host);
    say(device, "ready address=%s scan_port=%u panel=%s", host, scan.port,
        panel_url[0] ? panel_url : "none");
}

int device_exit_code(const Device *device)
{
    return device->exit_code;
}

DeviceState device_state(const Device *device)
{
    if (device->unit.scanning)
        return device->unit.cancel ? DEVICE_CANCELLING : DEVICE_SCANNING;
    if (device->contacting)
        return DEVICE_CONTACTING;
    return device->waiting ? DEVICE_WAITING : DEVICE_READY;
}

const Options *device_options(const Device *device)
{
    return device->options;
}

const Finder *device_finder(const Device *device)
{
    return &device->finder;
}

const char *device_last_result(const Device *device)
{
    return device->last_result;
}

const char *device_target(const Device *device)
{
    return device->target;
}

uint32_t device_scan_pages(const Device *device)
{
    return device->scan_pages;
}

size_t device_sheets(const Device *device)
{
    return tray_sheets(device->unit.tray);
}

bool device_load(Device *device, int64_t sheets, Err *err)
{
    if (sheets < 1 || sheets > TRAY_SHEETS_MAX)
        return err_set(err, ERR_BAD_INPUT, 0, "expected 1 to %d sheets", TRAY_SHEETS_MAX);
    if (device->unit.source != MFP_ADF)
        return err_set(err, ERR_CONFLICT, 0, "the feeder of this device stays empty");
    if (device->unit.scanning)
        return err_set(err, ERR_CONFLICT, 0, "the device is scanning");
    tray_load(device->unit.tray, (size_t)sheets);
    if (fault_due(&device->unit.fault, FAULT_EMPTY, 0))
        fault_clear(&device->unit.fault);
    return true;
}

const Fault *device_fault(const Device *device)
{
    return &device->unit.fault;
}

bool device_break(Device *device, const char *kind_name, int64_t page, Err *err)
{
    const FaultKind *kind = fault_find(kind_name);

    if (!kind)
        return err_set(err, ERR_BAD_INPUT, 0, "no kind of fault is called \"%s\"", kind_name);
    if (page < 0 || page > FAULT_PAGE_MAX)
        return err_set(err, ERR_BAD_INPUT, 0, "expected a page from 0 to %d", FAULT_PAGE_MAX);
    fault_arm(&device->unit.fault, kind, (uint32_t)page);
    return true;
}

void device_clear(Device *device)
{
    fault_clear(&device->unit.fault);
}

bool device_cancel(Device *device, Err *err)
{
    if (device->waiting) {
        device->waiting = false;
        loop_timer_stop(device->waiting_timer);
        scan_ended(device, scan_outcome_name(SCAN_CANCELLED), 0);
        return true;
    }
    return mfp_unit_cancel(&device->unit) ||
           err_set(err, ERR_CONFLICT, 0, "nothing is being scanned");
}
