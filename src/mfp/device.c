/* mfp/device.c - the virtual device as a whole: how it begins, what it says, how it ends (mfp/device.h). */
#include "mfp/device-inside.h"

#include "base/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { SCAN_BACKLOG = 16, MINUTE_MS = 60000 };

static const char *const state_names[DEVICE_STATE_MAX_] = {
    [DEVICE_READY] = "ready",           [DEVICE_CONTACTING] = "contacting",
    [DEVICE_WAITING] = "waiting",       [DEVICE_SCANNING] = "scanning",
    [DEVICE_CANCELLING] = "cancelling",
};

const char *device_state_name(DeviceState state)
{
    return state < DEVICE_STATE_MAX_ ? state_names[state] : "unknown";
}

void device_say(const Device *device, const char *fmt, ...)
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

/* Somebody is connected, or is being told something. */
static bool has_clients(const Device *device)
{
    if (device->farewell)
        return true;
    for (size_t i = 0; i < DEVICE_CLIENTS_MAX; i++)
        if (device->clients[i].stream)
            return true;
    return false;
}

void device_stop_when_quiet(Device *device)
{
    if (device->ending && !has_clients(device) && !device->ended) {
        device->ended = true;
        device->on_end(device->on_end_arg);
    }
}

/* With --exit-after a failure is the end. */
void device_fail(Device *device, const char *why)
{
    (void)text_copy(device->last_result, sizeof device->last_result, why);
    if (device->options->exit_after == 0)
        return;
    (void)fprintf(stderr, "platen-mfp: %s\n", why);
    device->exit_code = 1;
    device->ending = true;
    device_stop_when_quiet(device);
}

/* ---- scanning ---- */

void device_scan_ended(Device *device, const char *outcome, uint32_t pages)
{
    char why[DEVICE_RESULT_SIZE];

    device_say(device, "scan-end pages=%u outcome=%s", pages, outcome);
    if (!text_equal(outcome, scan_outcome_name(SCAN_DONE))) {
        (void)text_printf(why, sizeof why, "the scan ended after %u pages: %s", pages, outcome);
        device_fail(device, why);
        return;
    }
    (void)text_printf(device->last_result, sizeof device->last_result, "%u pages scanned", pages);
    device->scans_done++;
    device->ending = device->ending || (device->options->exit_after > 0 &&
                                        device->scans_done >= device->options->exit_after);
}

/* ---- the calls of device.h ---- */

static bool open_all(Device *device, Err *err)
{
    NetAddress scan = device->options->address;
    char text[NET_ADDRESS_TEXT_SIZE];

    scan.port = device->options->scan_port;
    if (device->options->tls && !device_open_tls(device, err))
        return false;
    net_address_format(&scan, text);
    device->listener = tcp_listen(device->loop, &scan, SCAN_BACKLOG, device_on_accept, device, err);
    if (!device->listener) {
        err_prefix(err, "scan port %s", text);
        return err_remedy(err, "Choose another --address (127.0.0.2 ...) or --port.");
    }
    device->announce_timer = loop_timer_new(device->loop, device_on_announce, device, err);
    device->waiting_timer = loop_timer_new(device->loop, device_on_no_client, device, err);
    if (!device->announce_timer || !device->waiting_timer || !device_open_announcer(device, err) ||
        !device_open_enpc(device, err) || !device_open_button(device, err))
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
                              .job_control = options->registration == 3,
                              .interleaves = options->duplex == MFP_DUPLEX_INTERLEAVED,
                              .says_events = options->says_events,
                              .page_ms = options->pages_a_minute
                                             ? MINUTE_MS / options->pages_a_minute
                                             : 0,
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
    press_free(device->farewell);
    loop_timer_free(device->announce_timer);
    loop_timer_free(device->waiting_timer);
    udp_free(device->udp);
    udp_free(device->replies);
    udp_free(device->enpc);
    udp_free(device->enpc_broadcast);
    udp_free(device->snmp);
    tcp_listener_free(device->listener);
    tls_context_free(device->tls);
    free(device);
}

void device_announce_ready(const Device *device, const char *panel_url)
{
    NetAddress scan = tcp_listener_address(device->listener);
    char host[NET_ADDRESS_TEXT_SIZE];

    net_address_format_host(&scan, host);
    if (device->tls)
        device_say(device, "certificate sha256=%s kept=%s", tls_server_certificate(device->tls),
                   device->options->tls_identity[0] ? "yes" : "no");
    device_say(device, "ready address=%s scan_port=%u panel=%s", host, scan.port,
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

Bytes device_job_list(const Device *device)
{
    return (Bytes){ device->unit.job_list, device->unit.job_list_bytes };
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
        device_scan_ended(device, scan_outcome_name(SCAN_CANCELLED), 0);
        return true;
    }
    return mfp_unit_cancel(&device->unit) ||
           err_set(err, ERR_CONFLICT, 0, "nothing is being scanned");
}
