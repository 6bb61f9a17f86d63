/* scan/discover.c - see discover.h. */
#include "scan/discover.h"

#include "base/interface.h"
#include "base/log.h"
#include "base/text.h"
#include "net/udp.h"
#include "scan/run.h"
#include "wire/enpc.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

struct Discover {
    ScanService *service;
    pthread_mutex_t lock; /* of view and wish */
    Discovery view;       /* found has room for all */
    DiscoveryWish wish;
    /* loop thread */
    AddressRanges ranges;
    uint32_t next_in_range; /* of them to be asked next */
    size_t next_found;      /* of view.found, those that ENPC found */
    unsigned under_way;
    UdpSocket *udp;
    LoopTimer *timer;
    bool active, stopping;
    Mono listen_until;
};

typedef struct Probe {
    Discover *discover;
    char address[ADDRESS_TEXT_SIZE];
    FoundBy by;
} Probe;

static void go_on(Discover *d);

/* --- what was found: under the lock ------------------------------------------------------------------ */

static FoundDevice *found_at(Discover *d, const char *address)
{
    for (size_t i = 0; i < d->view.count; i++)
        if (text_equal(d->view.found[i].address, address))
            return &d->view.found[i];
    return NULL;
}

/* The row of an address, made when there is none; NULL when there are too many. */
static FoundDevice *found_put(Discover *d, const char *address, FoundBy by)
{
    FoundDevice *found = found_at(d, address);

    if (found || d->view.count == DISCOVERY_FOUND_MAX)
        return found;
    found = &d->view.found[d->view.count++];
    *found = (FoundDevice){ .by = by };
    (void)text_copy(found->address, sizeof found->address, address);
    return found;
}

/* --- asking ------------------------------------------------------------------------------------------ */

static void probed(void *arg, DeviceSaid said, const DeviceIdentity *identity, const char *code)
{
    Probe *probe = arg;
    Discover *d = probe->discover;
    bool answers = said != DEVICE_ABSENT && !text_equal(code, "connect-failed");

    pthread_mutex_lock(&d->lock);
    d->view.asked++;
    FoundDevice *found = answers || probe->by == FOUND_BY_ENPC
                             ? found_put(d, probe->address, probe->by)
                             : NULL;
    if (found) {
        (void)text_copy(found->product, sizeof found->product, identity->product);
        (void)text_copy(found->serial, sizeof found->serial, identity->serial);
        (void)text_copy(found->firmware, sizeof found->firmware, identity->firmware);
        (void)text_copy(found->problem, sizeof found->problem, code);
    }
    pthread_mutex_unlock(&d->lock);
    free(probe);
    d->under_way--;
    go_on(d);
}

static bool probe_begin(Discover *d, const char *address, FoundBy by)
{
    Probe *probe = calloc(1, sizeof *probe);
    Err err;

    if (!probe)
        return false;
    probe->discover = d;
    probe->by = by;
    (void)text_copy(probe->address, sizeof probe->address, address);
    if (device_ask(d->service->link, address, probed, probe, &err)) {
        d->under_way++;
        return true;
    }
    free(probe);
    return false;
}

/* The next address nobody asked yet; false when there is none now. An address that ENPC found and that is
 * in a range as well is asked twice, which does no harm. */
static bool next_address(Discover *d, char ret_address[ADDRESS_TEXT_SIZE], FoundBy *ret_by)
{
    bool more = true;

    pthread_mutex_lock(&d->lock);
    while (d->next_found < d->view.count && d->view.found[d->next_found].by != FOUND_BY_ENPC)
        d->next_found++;
    if (d->next_found < d->view.count) {
        (void)text_copy(ret_address, ADDRESS_TEXT_SIZE, d->view.found[d->next_found++].address);
        *ret_by = FOUND_BY_ENPC;
    } else if (d->next_in_range < d->ranges.addresses) {
        address_ranges_at(&d->ranges, d->next_in_range++, ret_address);
        *ret_by = FOUND_BY_RANGE;
    } else {
        more = false;
    }
    pthread_mutex_unlock(&d->lock);
    return more;
}

static void end(Discover *d)
{
    size_t count;

    d->active = false;
    udp_free(STEAL(d->udp));
    loop_timer_stop(d->timer);
    pthread_mutex_lock(&d->lock);
    d->view.running = false;
    count = d->view.count;
    pthread_mutex_unlock(&d->lock);
    log_line(LOG_INFO, "discovery.done", "found=%zu", count);
    d->service->looking--;
    service_say_idle(d->service);
}

/* Asks as many as may be asked at once; ends when nothing more can come. */
static void go_on(Discover *d)
{
    char address[ADDRESS_TEXT_SIZE];
    FoundBy by;

    if (!d->active)
        return;
    while (!d->stopping && d->under_way < DISCOVER_AT_ONCE && next_address(d, address, &by)) {
        if (probe_begin(d, address, by))
            continue;
        pthread_mutex_lock(&d->lock);
        d->view.asked++; /* no memory, or too many others ask: this one is left out */
        FoundDevice *found = found_at(d, address);
        if (found)
            (void)text_copy(found->problem, sizeof found->problem, "not-asked");
        pthread_mutex_unlock(&d->lock);
    }
    if (d->under_way == 0 && (d->stopping || mono_reached(mono_now(), d->listen_until)))
        end(d);
}

/* --- ENPC ---------------------------------------------------------------------------------------------- */

static void on_answer(void *arg, const UdpDatagram *datagram)
{
    Discover *d = arg;
    char address[NET_ADDRESS_TEXT_SIZE];
    EnpcAnswer answer;

    if (enpc_answer_decode(datagram->bytes, &answer) != WIRE_OK)
        return;
    net_address_format_host(&datagram->from, address);
    pthread_mutex_lock(&d->lock);
    bool is_new = !found_at(d, address) && found_put(d, address, FOUND_BY_ENPC) != NULL;
    d->view.to_ask += is_new;
    pthread_mutex_unlock(&d->lock);
    if (is_new)
        go_on(d);
}

static void broadcast(Discover *d)
{
    AUTO_BUF query = buf_with_max(ENPC_DATAGRAM_MAX);
    char quoted[256];
    size_t sent;
    Err err;

    if (enpc_query_encode(&query, ENPC_CLASS_P) &&
        udp_broadcast(d->udp, ENPC_PORT, buf_bytes(&query), &sent, &err))
        return;
    log_line(LOG_WARNING, "discovery.no-broadcast", "error=%s",
             log_quote(quoted, sizeof quoted, err.text));
}

static void on_time(void *arg)
{
    Discover *d = arg;

    if (!mono_reached(mono_now(), d->listen_until)) {
        broadcast(d);
        loop_timer_start(d->timer, d->listen_until);
        return;
    }
    go_on(d);
}

static void begin_posted(void *arg)
{
    Discover *d = arg;
    char quoted[256];
    Err err;

    d->service->looking++;
    d->active = true;
    d->listen_until = mono_now();
    d->stopping = !d->service->link;
    if (d->wish.broadcast && !d->stopping) {
        NetAddress own = device_link_ipv4(d->service->link);

        if (own.family == NET_NONE)
            own.family = NET_IPV4; /* devices are found by IPv4, wherever we are heard */
        d->udp = udp_open(d->service->config.loop, &own, on_answer, d, &err);
        if (d->udp) {
            broadcast(d);
            d->listen_until = mono_after(mono_now(), DISCOVER_LISTEN_MS);
            loop_timer_start(d->timer, mono_after(mono_now(), DISCOVER_AGAIN_MS));
        } else {
            log_line(LOG_WARNING, "discovery.no-broadcast", "error=%s",
                     log_quote(quoted, sizeof quoted, err.text));
        }
    }
    go_on(d);
}

/* --- the outside ----------------------------------------------------------------------------------------- */

Discover *discover_new(ScanService *service, Err *err)
{
    AUTO(Discover) d = calloc(1, sizeof *d);

    if (!d || !(d->view.found = calloc(DISCOVERY_FOUND_MAX, sizeof *d->view.found))) {
        err_set(err, ERR_TEMPORARY, ENOMEM, "no memory for the search for devices");
        return NULL;
    }
    d->service = service;
    pthread_mutex_init(&d->lock, NULL);
    d->timer = loop_timer_new(service->config.loop, on_time, d, err);
    return d->timer ? STEAL(d) : NULL;
}

void discover_free(Discover *d)
{
    if (!d)
        return;
    udp_free(d->udp);
    loop_timer_free(d->timer);
    free(d->view.found);
    pthread_mutex_destroy(&d->lock);
    free(d);
}

bool discover_start(Discover *d, const DiscoveryWish *wish, Err *err)
{
    AddressRanges ranges;

    if (!address_ranges_parse(wish->ranges, &ranges, err))
        return false;
    if (!wish->broadcast && ranges.addresses == 0) {
        err_set(err, ERR_BAD_INPUT, 0, "there is nothing to search");
        err_remedy(err, "Give a range of addresses, or let the networks be asked by broadcast.");
        return err_field(err, "ranges");
    }
    for (size_t i = 0; i < ranges.count; i++)
        if (!interface_check(ranges.ranges[i].network.zone, err))
            return err_field(err, "ranges");
    pthread_mutex_lock(&d->lock);
    bool running = d->view.running;
    if (!running) {
        d->view.number++;
        d->view.running = true;
        d->view.count = 0;
        d->view.asked = 0;
        d->view.to_ask = ranges.addresses;
        d->wish = *wish;
        d->ranges = ranges; /* nothing of the last search is under way */
        d->next_in_range = 0;
        d->next_found = 0;
    }
    pthread_mutex_unlock(&d->lock);
    if (running) {
        err_set(err, ERR_CONFLICT, 0, "a search for devices is running");
        return err_remedy(err, "Wait until it is done: platen device found.");
    }
    loop_post(d->service->config.loop, begin_posted, d);
    return true;
}

bool discover_look(Discover *d, Discovery *ret, Err *err)
{
    pthread_mutex_lock(&d->lock);
    *ret = d->view;
    ret->found = calloc(d->view.count + 1, sizeof *ret->found);
    if (ret->found)
        memcpy(ret->found, d->view.found, d->view.count * sizeof *ret->found);
    pthread_mutex_unlock(&d->lock);
    return ret->found || err_set(err, ERR_TEMPORARY, ENOMEM, "no memory for what was found");
}

void discover_stop(Discover *d)
{
    d->stopping = true;
    if (d->active)
        go_on(d);
}
