/* mfp/device-clients.c - connections to the scan port of the virtual device. */
#include "mfp/device-inside.h"

#include "base/log.h"
#include "base/text.h"

/* The server came, was refused and has gone: nobody waits for it any more. Clients that nobody called at the panel
 * may try as they like. */
static void take_refusal(Device *device, const char *fault)
{
    char kind[DEVICE_QUOTED_SIZE];

    if (!device->waiting)
        return;
    device->waiting = false;
    loop_timer_stop(device->waiting_timer);
    device_say(device, "fault kind=%s", log_quote(kind, sizeof kind, fault));
    device_scan_ended(device, scan_outcome_name(SCAN_FAULT), 0);
}

static void take_note(Client *client, const ScanNote *note)
{
    Device *device = client->device;
    char kind[DEVICE_QUOTED_SIZE];

    device->scan_pages = note->pages;
    if (note->kind == NOTE_BEGIN) {
        device->waiting = false;
        loop_timer_stop(device->waiting_timer);
        device_say(device, "scan-begin client=%s", client->peer);
    } else if (note->kind == NOTE_PAGE) {
        device_say(device, "page %u bytes=%zu", note->pages, note->bytes);
    } else if (note->kind == NOTE_ACKNOWLEDGED) {
        device_say(device, "page-acknowledged %u", note->pages);
    } else if (note->kind == NOTE_FAULT) {
        device_say(device, "fault kind=%s", log_quote(kind, sizeof kind, note->fault));
    } else if (note->kind == NOTE_JOB_LIST) {
        device_say(device, "job-list bytes=%zu", note->bytes);
    } else if (note->kind == NOTE_JOB_ASKED) {
        device_say(device, "job-asked number=%u", device->unit.job_number);
    } else if (note->kind == NOTE_FEEDS) {
        client->hold = mono_after(mono_now(), note->wait_ms);
    } else if (note->kind == NOTE_REFUSED) {
        take_refusal(device, note->fault);
    } else {
        device_scan_ended(device, scan_outcome_name(note->outcome), note->pages);
        client->scanned = true;
    }
}

static void client_done(Client *client)
{
    Device *device = client->device;

    mfp_session_free(STEAL(client->session));
    loop_timer_free(STEAL(client->timer));
    drip_done(&client->drip);
    client->stream = NULL;
    if (client->scanned)
        device_tell_end(device);
    device_stop_when_quiet(device);
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

/* What is said while a sheet feeds takes its time. False: the timer will come. */
static bool pump_feeder(Client *client)
{
    if (mono_reached(mono_now(), client->hold))
        return true;
    tcp_pause(client->stream);
    loop_timer_start(client->timer,
                     mono_earlier(client->hold, mfp_session_deadline(client->session)));
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
        if (!pump_feeder(client) || !pump_drip(client))
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

void device_on_accept(void *arg, TcpStream *stream_take)
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
    client->scanned = false;
    client->hold = (Mono){ 0 };
    client->session = STEAL(session);
    client->timer = STEAL(timer);
    drip_init(&client->drip, &device->options->drip);
    client->stream = STEAL(stream);
    tcp_attach(client->stream, DEVICE_CLIENT_QUEUE_MAX, &client_events, client);
    pump(client);
}
