/* device/link-ask.c - asking a device who it is: a scan session that is refused as soon as it knows, so
 * that it leaves the device in order, within a time of its own. */
#include "base/text.h"
#include "device/link-inside.h"
#include "device/scan-reason.h"

#include <errno.h>

typedef struct DeviceAsk {
    DeviceLink *link;
    DeviceScan *scan;
    LoopTimer *late;
    DeviceAskedFn *asked;
    DeviceProbedFn *probed; /* instead of asked */
    void *arg;
    DeviceIdentity identity;
    bool only_knocks, reached, connected, identified;
    bool gives_way;                   /* to a scan, or to job control */
    Mono begun, at[PROBE_STAGE_MAX_]; /* when each stage was over */
    char tls_version[TLS_VERSION_TEXT_SIZE];
} DeviceAsk;

/* Nobody is there: it was heard from the network, or heard of nobody in time. What fails on our side (no
 * descriptors, no network) says nothing about the device. */
static bool is_absent(const DeviceAsk *ask, int connect_error)
{
    return !ask->reached && !ask->gives_way &&
           (connect_error == 0 || connect_error == ECONNREFUSED || connect_error == EHOSTUNREACH ||
            connect_error == ETIMEDOUT);
}

static void tell_probe(const DeviceAsk *ask, const Reason *reason)
{
    const DeviceIdentity *who = &ask->identity;
    DeviceProbe probe = { .failed = !ask->reached      ? PROBE_CONNECT
                                    : !ask->connected  ? PROBE_TLS
                                    : !ask->identified ? PROBE_IDENTIFY
                                                       : PROBE_STAGE_MAX_ };
    Mono before = ask->begun;
    Reason busy = scan_reason("device-busy", "somebody has pressed Start meanwhile");

    for (size_t i = 0; i < probe.failed; i++) {
        probe.ms[i] = ask->at[i].ms - before.ms;
        before = ask->at[i];
    }
    (void)text_copy(probe.tls_version, sizeof probe.tls_version, ask->tls_version);
    (void)text_copy(probe.product, sizeof probe.product, who->product);
    (void)text_copy(probe.serial, sizeof probe.serial, who->serial);
    (void)text_copy(probe.firmware, sizeof probe.firmware, who->firmware);
    (void)text_copy(probe.certificate, sizeof probe.certificate, who->certificate);
    if (probe.failed != PROBE_STAGE_MAX_)
        probe.reason = ask->gives_way ? busy : *reason;
    ask->probed(ask->arg, &probe);
}

void link_ask_ended(DeviceAsk *ask, int connect_error, const Reason *reason)
{
    DeviceSaid said = ask->identified                 ? DEVICE_SAID_WHO
                      : is_absent(ask, connect_error) ? DEVICE_ABSENT
                                                      : DEVICE_SAID_NOTHING;
    DeviceAsk copy = *ask;

    loop_timer_free(ask->late);
    ask->link->ask_count--;
    free(ask);
    if (copy.probed)
        tell_probe(&copy, reason);
    else
        copy.asked(copy.arg, said, &copy.identity,
                   copy.identified  ? ""
                   : copy.gives_way ? "device-busy"
                                    : reason->code);
}

static void give_way(DeviceAsk *ask)
{
    static const Reason leave = { .code = "device-busy" };

    ask->gives_way = true;
    /* Not inside the call of who comes: an inquiry that has no session yet is cut, one that has says good-bye. */
    loop_timer_start(ask->late, mono_after(mono_now(), ask->connected ? ASK_GOODBYE_MS : 0));
    if (ask->connected && !ask->identified)
        device_scan_refuse(ask->scan, &leave);
}

bool link_ask_gives_way(DeviceLink *link, const NetAddress *device)
{
    bool any = false;

    for (DeviceScan *scan = link->scans; scan; scan = scan->next) {
        if (!scan->ask || !net_address_same_host(&scan->device, device))
            continue;
        any = true;
        if (!scan->ask->gives_way)
            give_way(scan->ask);
    }
    return any;
}

bool device_is_served(const DeviceLink *link, const char *address)
{
    NetAddress device;
    Err err;

    if (!net_address_parse(address, link->scan_port, &device, &err))
        return false;
    for (const DeviceScan *scan = link->scans; scan; scan = scan->next)
        if (!scan->ask && net_address_same_host(&scan->device, &device))
            return true;
    for (const DevicePress *press = link->presses; press; press = press->next)
        if (press->job && net_address_same_host(&press->peer, &device))
            return true;
    return false;
}

/* Of several connections the first counts: what follows is about TLS. */
void link_ask_reached(DeviceAsk *ask)
{
    if (!ask->reached)
        ask->at[PROBE_CONNECT] = mono_now();
    ask->reached = true;
}

void link_ask_connected(DeviceAsk *ask)
{
    bool is_old;

    ask->connected = true;
    ask->at[PROBE_TLS] = mono_now();
    (void)text_copy(ask->tls_version, sizeof ask->tls_version,
                    tcp_tls_version(ask->scan->stream, &is_old));
    if (ask->only_knocks)
        loop_timer_start(ask->late, mono_now()); /* not inside the stream's own call */
}

void link_ask_identified(DeviceAsk *ask, const DeviceIdentity *identity)
{
    static const Reason asked = { .code = "asked" };

    ask->identity = *identity;
    ask->identified = true;
    ask->at[PROBE_IDENTIFY] = mono_now();
    device_scan_refuse(ask->scan, &asked); /* FIN, UNLOCK: the device is left as it was */
}

/* Its time is over. */
static void on_late(void *arg)
{
    const DeviceAsk *ask = arg;

    if (!ask->reached)
        ask->scan->connect_error = ETIMEDOUT;
    link_scan_end(ask->scan, ask->reached ? "no-answer" : "connect-failed");
}

static bool ask_begin(DeviceLink *link, const char *address, const DeviceReach *reach,
                      const DeviceAsk *wanted, Err *err)
{
    static const ScanOrder order = { .dpi = 300, .jpeg_quality = 90 };
    NetAddress device;

    if (!net_address_parse(address, link->scan_port, &device, err))
        return false;
    if (link->ask_count >= DEVICE_ASKS_MAX)
        return err_set(err, ERR_TEMPORARY, 0, "%d devices are being asked already",
                       DEVICE_ASKS_MAX);
    DeviceAsk *ask = calloc(1, sizeof *ask);
    if (!ask)
        return err_set(err, ERR_TEMPORARY, 0, "no memory to ask a device");
    *ask = *wanted;
    ask->link = link;
    ask->late = loop_timer_new(link->loop, on_late, ask, err);
    ask->scan = ask->late ? link_scan_new(link, &device, NULL, reach, &order, NULL) : NULL;
    if (!ask->scan) {
        loop_timer_free(ask->late);
        free(ask);
        return err_set(err, ERR_TEMPORARY, 0, "no memory to ask a device");
    }
    ask->scan->ask = ask;
    link->ask_count++;
    ask->begun = mono_now();
    loop_timer_start(ask->late,
                     mono_after(ask->begun, ask->probed ? DEVICE_PROBE_MS : DEVICE_ASK_MS));
    return true;
}

static const DeviceReach anybody = { .transport = DEVICE_TRANSPORT_AUTO };

bool device_probe(DeviceLink *link, const char *address, const DeviceReach *reach,
                  DeviceProbedFn *probed, void *arg, Err *err)
{
    return ask_begin(link, address, reach, &(DeviceAsk){ .probed = probed, .arg = arg }, err);
}

bool device_ask(DeviceLink *link, const char *address, DeviceAskedFn *asked, void *arg, Err *err)
{
    return ask_begin(link, address, &anybody, &(DeviceAsk){ .asked = asked, .arg = arg }, err);
}

bool device_knock(DeviceLink *link, const char *address, DeviceAskedFn *asked, void *arg, Err *err)
{
    return ask_begin(link, address, &anybody,
                     &(DeviceAsk){ .asked = asked, .arg = arg, .only_knocks = true }, err);
}
