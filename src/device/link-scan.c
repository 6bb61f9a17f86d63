/* device/link-scan.c - scans: scan sessions bound to connections to TCP 1865. */
#include "base/text.h"
#include "device/esci-session.h"
#include "device/esci2-session.h"
#include "device/link-inside.h"
#include "device/scan-reason.h"

#include <errno.h>

/* A device may take connections only when it has read our answer to Start, or is done with a former one. One that
 * hangs up before it has said a word is busy with another connection. */
enum {
    COMMAND_QUEUE_MAX = 64 * 1024,
    CONNECT_MS = 10000,
    REFUSED_TRIES = 6,
    REFUSED_PAUSE_MS = 500
};

static void scan_free(DeviceScan *scan)
{
    DeviceScan **at = &scan->link->scans;

    while (*at != scan)
        at = &(*at)->next;
    *at = scan->next;
    scan->link->scan_count--;
    tcp_abort(scan->stream);
    loop_timer_free(scan->timer);
    scan_session_free(scan->session);
    free(scan);
}

/* The end: the handle is gone before the host hears of it. */
static void end_scan(DeviceScan *scan, ScanEnd end, const Reason *reason)
{
    const DeviceHost *host = &scan->link->host;
    void *scan_arg = scan->scan_arg;
    struct DeviceAsk *ask = scan->ask;
    int connect_error = scan->connect_error;
    Reason copy = text_equal(reason->code, "connect-failed") ? scan_reason_of_connect(connect_error)
                                                             : *reason;

    scan_free(scan);
    if (ask)
        link_ask_ended(ask, connect_error, &copy);
    else
        host->ended(scan_arg, end, &copy);
}

void link_scan_end(DeviceScan *scan, const char *code)
{
    Reason reason = scan_reason(code, "");

    end_scan(scan, SCAN_END_BROKEN, &reason);
}

void link_scan_cut(DeviceScan *scan)
{
    link_scan_end(scan, "server-stopping");
}

/* Runs fn of the loop for this scan soon: the session is never driven inside a call of the host. */
static void drive_soon(DeviceScan *scan)
{
    loop_timer_start(scan->timer, mono_now());
}

static void send_command(DeviceScan *scan, Bytes bytes)
{
    Err err;

    if (scan->stream && !tcp_write(scan->stream, bytes, &err) && !scan->lost_code)
        scan->lost_code = "connection-lost"; /* told to the session when its actions are done */
}

/* The device speaks ESC/I: another session goes on behind the welcome. False when the scan has ended and is
 * gone. */
static bool become_legacy(DeviceScan *scan)
{
    scan_session_free(scan->session);
    scan->session = esci_session_new(&scan->order, &scan->traits, mono_now());
    if (scan->session)
        return true;
    link_scan_end(scan, "out-of-memory");
    return false;
}

static void tell_identity(DeviceScan *scan, const DeviceIdentity *said)
{
    DeviceIdentity identity = *said;

    if (scan->stream) {
        bool is_old;
        const char *version = tcp_tls_version(scan->stream, &is_old);

        (void)text_copy(identity.certificate, sizeof identity.certificate,
                        tcp_peer_certificate(scan->stream));
        (void)text_copy(identity.tls_version, sizeof identity.tls_version, version);
        if (version[0])
            identity.tls = is_old ? DEVICE_TLS_OLD : DEVICE_TLS_MODERN;
    }
    if (scan->ask)
        link_ask_identified(scan->ask, &identity);
    else
        scan->link->host.identified(scan->scan_arg, &identity);
}

/* Carries out what the session wants. False when the scan has ended and is gone. */
static bool carry_out(DeviceScan *scan)
{
    const DeviceHost *host = &scan->link->host;
    ScanAction action;

    while (scan_session_next(scan->session, &action)) {
        switch (action.kind) {
        case SCAN_ACTION_SEND:
            send_command(scan, action.bytes);
            break;
        case SCAN_ACTION_IDENTIFIED:
            tell_identity(scan, action.identity);
            break;
        case SCAN_ACTION_NOTICE:
            if (!scan->ask)
                host->noticed(scan->scan_arg, action.notice);
            break;
        case SCAN_ACTION_OFFERED:
            if (!scan->ask)
                host->offered(scan->scan_arg, action.offer);
            break;
        case SCAN_ACTION_NOTED:
            if (!scan->ask)
                host->noted(scan->scan_arg, action.replaced);
            break;
        case SCAN_ACTION_WARNED:
            if (!scan->ask)
                host->warned(scan->scan_arg, action.warnings);
            break;
        case SCAN_ACTION_PAGE_BEGIN:
            host->page_begin(scan->scan_arg, action.number, action.side, action.format);
            break;
        case SCAN_ACTION_PAGE_BYTES:
            host->page_bytes(scan->scan_arg, action.side, action.bytes);
            break;
        case SCAN_ACTION_PAGE_END:
            host->page_end(scan->scan_arg, action.side, &action.notes);
            break;
        case SCAN_ACTION_PAGE_DROP:
            host->page_drop(scan->scan_arg, action.side);
            break;
        case SCAN_ACTION_LEGACY:
            if (!become_legacy(scan))
                return false;
            break;
        case SCAN_ACTION_CLOSE:
            tcp_close(STEAL(scan->stream)); /* at once: devices mind a late close */
            break;
        case SCAN_ACTION_ENDED:
            end_scan(scan, action.end, action.reason);
            return false;
        }
    }
    return true;
}

/* After every call on the session: actions, a lost stream, the next deadline. */
static void drive(DeviceScan *scan)
{
    if (!carry_out(scan))
        return;
    if (scan->lost_code) {
        scan_session_lost(scan->session, scan->lost_code, mono_now());
        scan->lost_code = NULL;
        if (!carry_out(scan))
            return;
    }
    loop_timer_start(scan->timer,
                     mono_earlier(scan->connect_at, scan_session_deadline(scan->session)));
}

static void connect_to(DeviceScan *scan);

static void on_time(void *arg)
{
    DeviceScan *scan = arg;

    if (!carry_out(scan))
        return;
    if (mono_reached(mono_now(), scan->connect_at))
        connect_to(scan);
    scan_session_tick(scan->session, mono_now());
    drive(scan);
}

static void on_read(void *arg, Bytes bytes)
{
    DeviceScan *scan = arg;
    Mono now = mono_now();

    scan->heard = true;
    if (!carry_out(scan))
        return;
    while (bytes.n > 0) {
        bytes = bytes_after(bytes, scan_session_feed(scan->session, bytes, now));
        if (!carry_out(scan))
            return;
    }
    drive(scan);
}

/* False when it was tried often enough. */
static bool try_again(DeviceScan *scan)
{
    if (scan->connects_left == 0)
        return false;
    scan->connects_left--;
    tcp_abort(STEAL(scan->stream));
    scan->connect_at = mono_after(mono_now(), REFUSED_PAUSE_MS);
    return true;
}

/* The end, unless the device may take the next connection. */
static void not_connected(DeviceScan *scan, int code)
{
    scan->connect_error = code;
    if (code != ECONNREFUSED || !try_again(scan))
        scan->lost_code = "connect-failed";
}

/* It hung up, perhaps as it is busy with another connection; what spoke TLS may do so in the handshake. */
static bool may_be_busy(const DeviceScan *scan, TcpEnd end, const Err *err)
{
    return end == TCP_END_EOF || end == TCP_END_BROKEN || link_tls_cut(end, err, &scan->reach);
}

static void on_end(void *arg, TcpEnd end, const Err *err)
{
    DeviceScan *scan = arg;

    if (end == TCP_END_CONNECT_FAILED)
        not_connected(scan, err->code);
    else if (scan->heard || !may_be_busy(scan, end, err) || !try_again(scan))
        scan->lost_code = link_end_code(end, &scan->reach);
    drive(scan);
}

static void on_connected(void *arg)
{
    DeviceScan *scan = arg;

    if (scan->ask)
        link_ask_connected(scan->ask);
}

static void on_reached(void *arg)
{
    DeviceScan *scan = arg;

    if (scan->ask)
        link_ask_reached(scan->ask);
}

static const TcpEvents scan_events = {
    .on_connected = on_connected, .on_reached = on_reached, .on_read = on_read, .on_end = on_end
};

static void connect_to(DeviceScan *scan)
{
    LinkReach how = { .channel = DEVICE_CHANNEL_SCAN,
                      .device = &scan->device,
                      .local = scan->has_local ? &scan->local : NULL,
                      .reach = &scan->reach,
                      .deadline = mono_after(mono_now(), CONNECT_MS),
                      .queue_bytes = COMMAND_QUEUE_MAX };
    Err err;

    scan->connect_at = MONO_NEVER;
    if (!scan->ask && scan->scan_arg && link_ask_gives_way(scan->link, &scan->device)) {
        scan->connect_at = mono_after(mono_now(), ASK_LOOK_MS);
        return;
    }
    scan->stream = link_connect(scan->link, &how, &scan_events, scan, &err);
    if (!scan->stream)
        not_connected(scan, err.code);
}

DeviceScan *link_scan_new(DeviceLink *link, const NetAddress *device, const NetAddress *from,
                          const DeviceReach *reach, const ScanOrder *order, void *scan_arg)
{
    const NetAddress *local = link_local_address(link, device, from);
    DeviceScan *scan = link->scan_count < DEVICE_SCANS_MAX ? calloc(1, sizeof *scan) : NULL;
    Mono now = mono_now();
    Err err;

    if (!scan)
        return NULL;
    scan->link = link;
    scan->scan_arg = scan_arg;
    scan->next = link->scans;
    link->scans = scan;
    link->scan_count++;
    scan->order = *order;
    scan->traits = reach->traits;
    scan->device = *device;
    scan->has_local = local != NULL;
    if (local)
        scan->local = *local;
    scan->reach = *reach;
    scan->connects_left = scan_arg ? REFUSED_TRIES : 0;
    scan->traits.quirks = link->quirks;
    scan->session = esci2_session_new(order, &scan->traits, now);
    scan->timer = loop_timer_new(link->loop, on_time, scan, &err);
    if (!scan->session || !scan->timer) {
        scan_free(scan);
        return NULL;
    }
    connect_to(scan);
    if (scan->stream || scan->lost_code)
        drive_soon(scan);
    else
        loop_timer_start(scan->timer, scan->connect_at);
    return scan;
}

DeviceScan *device_scan_start(DeviceLink *link, const char *address, const DeviceReach *reach,
                              const ScanOrder *order, void *scan_arg)
{
    NetAddress device = { .family = NET_NONE };
    Err err;

    /* The interface of a link-local address may be gone: then it is a scan that cannot connect. */
    (void)net_address_parse(address, link->scan_port, &device, &err);
    return link_scan_new(link, &device, NULL, reach, order, scan_arg);
}

void device_scan_page_stored(DeviceScan *scan, bool ok, const Reason *reason)
{
    scan_session_page_stored(scan->session, ok, reason, mono_now());
    drive_soon(scan);
}

void device_scan_pause(DeviceScan *scan)
{
    if (scan->paused)
        return;
    scan->paused = true;
    scan_session_pause(scan->session, mono_now());
    if (scan->stream)
        tcp_pause(scan->stream);
}

void device_scan_resume(DeviceScan *scan)
{
    if (!scan->paused)
        return;
    scan->paused = false;
    scan_session_resume(scan->session, mono_now());
    if (scan->stream)
        tcp_resume(scan->stream);
    drive_soon(scan);
}

void device_scan_refuse(DeviceScan *scan, const Reason *reason)
{
    scan_session_refuse(scan->session, reason, mono_now());
    drive_soon(scan);
}

void device_scan_cancel(DeviceScan *scan)
{
    scan_session_cancel(scan->session, mono_now());
    drive_soon(scan);
}

void device_scan_stop_at_page(DeviceScan *scan)
{
    scan_session_stop_at_page(scan->session, mono_now());
    drive_soon(scan);
}

void device_scan_no_more_sheets(DeviceScan *scan)
{
    scan_session_no_more_sheets(scan->session, mono_now());
    drive_soon(scan);
}

void device_scan_leave(DeviceScan *scan)
{
    scan_session_leave(scan->session, mono_now());
    drive_soon(scan);
}
