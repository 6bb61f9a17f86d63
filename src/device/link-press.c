/* device/link-press.c - presses of Start: push sessions bound to accepted connections. */
#include "base/text.h"
#include "device/link-inside.h"

enum { RESPONSE_QUEUE_MAX = PUSHSCAN_MESSAGE_MAX };

void link_press_free(DevicePress *press)
{
    DevicePress **at = &press->link->presses;

    while (*at != press)
        at = &(*at)->next;
    *at = press->next;
    press->link->press_count--;
    link_job_free(press->job);
    tcp_abort(press->stream);
    loop_timer_free(press->timer);
    push_session_done(&press->session);
    free(press);
}

/* Sends what the session has to say and closes. False when the answer could not be sent. */
static bool send_answer(DevicePress *press)
{
    bool sent = press->stream != NULL;
    Err err;

    if (press->stream && press->session.out.n > 0)
        sent = tcp_write(press->stream, buf_bytes(&press->session.out), &err);
    tcp_close(STEAL(press->stream)); /* orderly: a reset would take the answer from the device */
    return sent;
}

/* Does what the session asks for. The press may be gone afterwards. */
static void drive(DevicePress *press)
{
    DeviceLink *link = press->link;
    PushSession *session = &press->session;

    if (session->close) {
        loop_timer_stop(press->timer);
        (void)send_answer(press);
        if (!press->held_by_host)
            link_press_free(press);
        return; /* otherwise the host still holds it and learns it when it answers */
    }
    loop_timer_start(press->timer, push_session_deadline(session));
    if (session->ask) {
        char address[NET_ADDRESS_TEXT_SIZE];
        const PushScanBody *body = &session->body;
        DeviceSighting sighting = { address, body->product, false, press->door };
        DeviceStart start = { body->choice, body->job_number };

        session->ask = false;
        press->held_by_host = true;
        net_address_format_host(&press->peer, address);
        if (body->root == PUSHSCAN_ROOT_JOB_LIST)
            link->host.list_asked(link->arg, press, &sighting,
                                  pushscan_offers(body, PUSHSCAN_JOB_NAMES));
        else
            link->host.pressed(link->arg, press, &sighting, &start);
    }
}

static void on_read(void *arg, Bytes bytes)
{
    DevicePress *press = arg;

    push_session_feed(&press->session, bytes, mono_now());
    drive(press);
}

static void on_end(void *arg, TcpEnd end, const Err *err)
{
    DevicePress *press = arg;

    (void)err;
    if (end == TCP_END_EOF)
        push_session_eof(&press->session, mono_now());
    else
        push_session_lost(&press->session);
    drive(press);
}

static void on_time(void *arg)
{
    DevicePress *press = arg;

    push_session_tick(&press->session, mono_now());
    drive(press);
}

/* The connections that share a limit with a new one: how many, and which of them has not sent a whole request for
 * the longest time. */
typedef struct Share {
    unsigned count;
    DevicePress *oldest;
} Share;

static void share_add(Share *share, DevicePress *press)
{
    share->count++;
    if (!press->held_by_host)
        share->oldest = press; /* the list is youngest first */
}

/* Makes room for a connection: the oldest one that has not yet sent a whole request goes, of the
 * same address or network when that has its share, else of all. A device sends its request at once; who
 * dawdles is most likely no device. False when nobody can go. */
static bool make_room(DeviceLink *link, const NetAddress *peer)
{
    Share address = { 0 }, network = { 0 }, all = { 0 };

    for (DevicePress *p = link->presses; p; p = p->next) {
        if (net_address_same_host(&p->peer, peer))
            share_add(&address, p);
        if (peer->family == NET_IPV6 && net_address_same_source(&p->peer, peer))
            share_add(&network, p);
        share_add(&all, p);
    }
    const Share *full = address.count >= DEVICE_PRESSES_PER_SOURCE    ? &address
                        : network.count >= DEVICE_PRESSES_PER_NETWORK ? &network
                        : all.count >= DEVICE_PRESSES_MAX             ? &all
                                                                      : NULL;
    if (!full)
        return true;
    if (!full->oldest)
        return false;
    link_press_free(full->oldest);
    return true;
}

static const TcpEvents press_events = { .on_read = on_read, .on_end = on_end };

void link_press_accepted(void *arg, TcpStream *stream_take)
{
    const LinkDoor *door = arg;
    DeviceLink *link = door->link;
    NetAddress peer = tcp_peer_address(stream_take);
    DevicePress *press = make_room(link, &peer) ? calloc(1, sizeof *press) : NULL;
    Err err;

    if (!press) {
        tcp_abort(stream_take);
        return;
    }
    press->link = link;
    press->peer = peer;
    press->local = tcp_local_address(stream_take);
    press->door = door->number;
    press->stream = stream_take;
    push_session_init(&press->session, mono_now());
    press->next = link->presses;
    link->presses = press;
    link->press_count++;
    press->timer = loop_timer_new(link->loop, on_time, press, &err);
    if (!press->timer) {
        link_press_free(press);
        return;
    }
    link_tap(link, DEVICE_CHANNEL_PANEL, press->stream, true);
    tcp_attach(press->stream, RESPONSE_QUEUE_MAX, &press_events, press);
    loop_timer_start(press->timer, push_session_deadline(&press->session));
}

bool device_press_is_gone(const DevicePress *press)
{
    return press->session.state != PUSH_ASKED;
}

void device_press_refuse(DevicePress *press)
{
    push_session_answer(&press->session, false, NULL);
    (void)send_answer(press);
    link_press_free(press);
}

void device_press_list(DevicePress *press, const DeviceListedJob *jobs, size_t count)
{
    size_t n = count < PUSHSCAN_JOBS_MAX ? count : PUSHSCAN_JOBS_MAX;
    PushScanJob *told = calloc(n + 1, sizeof *told);
    PushScanList list = {
        .request = &press->session.body, .with_jobs = jobs != NULL, .jobs = told, .job_count = n
    };

    for (size_t i = 0; told && jobs && i < n; i++) {
        told[i].number = jobs[i].number;
        (void)text_copy(told[i].name, sizeof told[i].name, jobs[i].name);
    }
    push_session_answer(&press->session, told != NULL, &list);
    free(told);
    (void)send_answer(press);
    link_press_free(press);
}

DeviceScan *device_press_accept(DevicePress *press, const DeviceReach *reach,
                                const ScanOrder *order, void *scan_arg)
{
    DeviceScan *scan = NULL;

    if (press->session.state == PUSH_ASKED) {
        NetAddress device = press->peer;

        device.port = press->link->scan_port;
        scan = link_scan_new(press->link, &device,
                             press->link->door_count > 1 ? &press->local : NULL, reach, order,
                             scan_arg);
        push_session_answer(&press->session, scan != NULL, NULL);
    }
    /* When this answer gets lost the panel shows an error, but the pages come all the same: the scan
     * session finds out whether the device is still there. */
    (void)send_answer(press);
    link_press_free(press);
    return scan;
}
