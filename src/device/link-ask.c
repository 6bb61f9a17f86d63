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
    void *arg;
    DeviceIdentity identity;
    bool only_knocks, connected, identified;
} DeviceAsk;

/* Nobody is there: it was heard from the network, or heard of nobody in time. What fails on our side (no
 * descriptors, no network) says nothing about the device. */
static bool is_absent(const DeviceAsk *ask, int connect_error)
{
    return !ask->connected && (connect_error == 0 || connect_error == ECONNREFUSED ||
                               connect_error == EHOSTUNREACH || connect_error == ETIMEDOUT);
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
    copy.asked(copy.arg, said, &copy.identity, copy.identified ? "" : reason->code);
}

void link_ask_connected(DeviceAsk *ask)
{
    ask->connected = true;
    if (ask->only_knocks)
        loop_timer_start(ask->late, mono_now()); /* not inside the stream's own call */
}

void link_ask_identified(DeviceAsk *ask, const DeviceIdentity *identity)
{
    static const Reason asked = { .code = "asked" };

    ask->identity = *identity;
    ask->identified = true;
    device_scan_refuse(ask->scan, &asked); /* FIN, UNLOCK: the device is left as it was */
}

/* Its time is over. */
static void on_late(void *arg)
{
    DeviceAsk *ask = arg;

    link_scan_end(ask->scan, ask->connected ? "no-answer" : "connect-failed");
}

static bool ask_begin(DeviceLink *link, const char *address, const DeviceAsk *wanted, Err *err)
{
    static const ScanOrder order = { .dpi = 300, .jpeg_quality = 90 };
    static const DeviceReach reach = { .transport = DEVICE_TRANSPORT_AUTO };
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
    ask->scan = ask->late ? link_scan_new(link, &device, NULL, &reach, &order, NULL) : NULL;
    if (!ask->scan) {
        loop_timer_free(ask->late);
        free(ask);
        return err_set(err, ERR_TEMPORARY, 0, "no memory to ask a device");
    }
    ask->scan->ask = ask;
    link->ask_count++;
    loop_timer_start(ask->late, mono_after(mono_now(), DEVICE_ASK_MS));
    return true;
}

bool device_ask(DeviceLink *link, const char *address, DeviceAskedFn *asked, void *arg, Err *err)
{
    return ask_begin(link, address, &(DeviceAsk){ .asked = asked, .arg = arg }, err);
}

bool device_knock(DeviceLink *link, const char *address, DeviceAskedFn *asked, void *arg, Err *err)
{
    return ask_begin(link, address, &(DeviceAsk){ .asked = asked, .arg = arg, .only_knocks = true },
                     err);
}
