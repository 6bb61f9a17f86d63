/* tests/unit/test-device-link.c - the link on loopback: a fake scanner presses and is scanned. */
#include "device/device-link.h"
#include "device/scan-reason.h"
#include "net/tcp.h"
#include "net/udp.h"
#include "tests/unit/fake-scanner.h"
#include "wire/pushscan.h"
#include "wire/slp.h"

#include <errno.h>

enum { TEST_LIMIT_MS = 20000, FLOOD = 100 };

/* The fake scanner on a socket. */
typedef struct Scanner {
    FakeScanner fake;
    TcpListener *listener;
    TcpStream *stream;
    Loop *loop;
} Scanner;

/* What the host saw, and how it behaves. */
typedef struct Host {
    Loop *loop;
    DeviceLink *link;
    Scanner scanner;
    DevicePress *press;
    DeviceScan *scan;
    TcpStream *panel;
    UdpSocket *device;
    LoopTimer *timer, *limit;
    Buf response;
    bool panel_closed, refuse, answer_late, pause, cancel;
    unsigned sightings, pressed, pages, drops, replies;
    uint64_t page_bytes;
    bool identified, ended, in_call;
    ScanEnd end;
    Reason reason;
    TcpStream *flood[FLOOD];
    unsigned traffic[DEVICE_CHANNEL_MAX_][DEVICE_TRAFFIC_MAX_];
    uint64_t traffic_bytes[DEVICE_CHANNEL_MAX_];
    bool nobody_traces;
} Host;

/* --- the scanner -------------------------------------------------------------------------------- */

static void scanner_sends(Scanner *s)
{
    Err err;

    if (s->fake.closed && s->stream) {
        tcp_abort(STEAL(s->stream));
        return;
    }
    if (s->stream && s->fake.out.n > 0)
        assert_true(tcp_write(s->stream, buf_bytes(&s->fake.out), &err));
    buf_clear(&s->fake.out);
}

static void scanner_read(void *arg, Bytes bytes)
{
    Scanner *s = arg;

    if (fake_wants_no_tls(&s->fake, bytes)) {
        tcp_abort(STEAL(s->stream));
        return;
    }
    fake_feed(&s->fake, bytes);
    scanner_sends(s);
}

static void scanner_end(void *arg, TcpEnd end, const Err *err)
{
    Scanner *s = arg;

    (void)end;
    (void)err;
    tcp_close(STEAL(s->stream));
}

static const TcpEvents scanner_events = { .on_read = scanner_read, .on_end = scanner_end };

static void scanner_accepted(void *arg, TcpStream *stream)
{
    Scanner *s = arg;

    assert_null(s->stream);
    s->stream = stream;
    tcp_attach(stream, 8 << 20, &scanner_events, s);
    scanner_sends(s);
}

/* --- the host ----------------------------------------------------------------------------------- */

static void seen(void *arg, const DeviceSighting *sighting)
{
    Host *h = arg;

    assert_string_equal(sighting->address, "127.0.0.1");
    assert_string_equal(sighting->product, "PID 11D1");
    h->sightings++;
}

static void answer_press(void *arg)
{
    static const ScanOrder order = { .dpi = 300, .jpeg_quality = 90 };
    static const DeviceReach reach = { .transport = DEVICE_TRANSPORT_AUTO };
    Host *h = arg;

    if (h->refuse) {
        device_press_refuse(STEAL(h->press));
        return;
    }
    h->in_call = true;
    h->scan = device_press_accept(STEAL(h->press), &reach, &order, h);
    h->in_call = false;
    if (!h->scan)
        h->ended = true; /* nothing else will be called */
    if (h->scan && h->cancel)
        device_scan_cancel(h->scan);
}

static void pressed(void *arg, DevicePress *press, const DeviceSighting *sighting,
                    const DeviceStart *start)
{
    Host *h = arg;

    h->pressed++;
    assert_string_equal(sighting->address, "127.0.0.1");
    assert_string_equal(start->choice, "02");
    assert_int_equal(start->job_number, -1);
    h->press = press;
    if (h->answer_late)
        loop_timer_start(h->timer, mono_after(mono_now(), 200));
    else
        answer_press(h);
}

static void offered(void *scan_arg, const DeviceOffer *offer)
{
    (void)scan_arg;
    assert_true(offer->adf.present || offer->flatbed.present);
}

static void noted(void *scan_arg, const ScanNotes *notes)
{
    (void)scan_arg;
    assert_int_equal(notes->count, 0);
}

static void identified(void *arg, const DeviceIdentity *identity)
{
    Host *h = arg;

    assert_false(h->in_call);
    assert_string_equal(identity->serial, "VIRTUAL001");
    h->identified = true;
}

static void noticed(void *arg, const char *notice)
{
    (void)arg;
    assert_string_equal(notice, "start");
}

static void page_begin(void *arg, uint32_t number, char side, PageFormat format)
{
    Host *h = arg;

    assert_int_equal(number, h->pages + 1);
    assert_int_equal(side, 'A');
    assert_int_equal(format, PAGE_FORMAT_JPEG);
    h->page_bytes = 0;
}

static void page_bytes(void *arg, char side, Bytes bytes)
{
    Host *h = arg;

    assert_int_equal(side, 'A');
    h->page_bytes += bytes.n;
    if (h->pause) {
        h->pause = false;
        device_scan_pause(h->scan);
        loop_timer_start(h->timer, mono_after(mono_now(), 100));
    }
}

static void page_end(void *arg, char side, const PageNotes *notes)
{
    Host *h = arg;

    assert_int_equal(side, 'A');
    assert_int_equal(notes->scan_dpi, 300);
    assert_int_equal(h->page_bytes, h->scanner.fake.page_size);
    h->pages++;
    h->in_call = true;
    device_scan_page_stored(h->scan, true, NULL);
    h->in_call = false;
}

static void page_drop(void *arg, char side)
{
    assert_int_equal(side, 'A');
    ((Host *)arg)->drops++;
}

static void ended(void *arg, ScanEnd end, const Reason *reason)
{
    Host *h = arg;

    assert_false(h->in_call);
    h->scan = NULL;
    h->ended = true;
    h->end = end;
    h->reason = *reason;
    loop_stop(h->loop);
}

/* The host has the last word on what a device is to see. */
static bool shows(void *arg, const DeviceSighting *sighting, DeviceShown *shown)
{
    (void)arg;
    assert_string_equal(sighting->address, "127.0.0.1");
    assert_false(sighting->wants_v3);
    assert_string_equal(shown->name, "Scans");
    shown->is_v3 = true;
    return true;
}

static bool traffic(void *arg, const DeviceTraffic *what)
{
    Host *h = arg;

    assert_string_equal(what->address, "127.0.0.1");
    h->traffic[what->channel][what->kind]++;
    h->traffic_bytes[what->channel] += what->bytes.n;
    return !h->nobody_traces;
}

static const DeviceHost host_calls = {
    .seen = seen,
    .shows = shows,
    .pressed = pressed,
    .identified = identified,
    .noticed = noticed,
    .offered = offered,
    .noted = noted,
    .warned = noted,
    .page_begin = page_begin,
    .page_bytes = page_bytes,
    .page_end = page_end,
    .page_drop = page_drop,
    .ended = ended,
    .traffic = traffic,
};

/* The host's timer: answers late, or ends a pause. */
static void on_timer(void *arg)
{
    Host *h = arg;

    if (h->press)
        answer_press(h);
    else if (h->scan)
        device_scan_resume(h->scan);
}

static void on_limit(void *arg)
{
    (void)arg;
    fail_msg("the test took too long");
}

/* --- the panel ---------------------------------------------------------------------------------- */

static void panel_read(void *arg, Bytes bytes)
{
    assert_true(buf_put(&((Host *)arg)->response, bytes));
}

static void panel_end(void *arg, TcpEnd end, const Err *err)
{
    Host *h = arg;

    (void)err;
    assert_int_equal(end, TCP_END_EOF); /* never a reset: the answer could be lost */
    tcp_close(STEAL(h->panel));
    h->panel_closed = true;
    if (h->refuse)
        loop_stop(h->loop);
}

static const TcpEvents panel_events = { .on_read = panel_read, .on_end = panel_end };

static NetAddress loopback(uint16_t port)
{
    return (NetAddress){ .family = NET_IPV4, .bytes = { 127, 0, 0, 1 }, .port = port };
}

static void press_start(Host *h)
{
    PushScanBody body = { .root = PUSHSCAN_ROOT_START,
                          .product = "PID 11D1",
                          .address = "127.0.0.1",
                          .choice = "02",
                          .job_number = PUSHSCAN_NO_JOB };
    NetAddress server = loopback(device_link_tcp_port(h->link));
    AUTO_BUF request = buf_with_max(4096);
    Err err;

    assert_true(pushscan_request_encode(&request, "42", "2.00", &body));
    h->panel = tcp_connect(h->loop, &server, NULL, mono_after(mono_now(), 5000), 65536,
                           &panel_events, h, &err);
    assert_non_null(h->panel);
    assert_true(tcp_write(h->panel, buf_bytes(&request), &err));
}

static bool panel_was_told(Host *h, bool ok)
{
    PushScanResponse response;
    size_t used;

    return pushscan_response_decode(buf_bytes(&h->response), &response, &used) == WIRE_OK &&
           response.ok == ok && strcmp(response.uid, "42") == 0;
}

/* --- set-up ------------------------------------------------------------------------------------- */

static void host_init(Host *h)
{
    NetAddress any = loopback(0);
    Err err;

    *h = (Host){ .response = buf_with_max(65536) };
    h->loop = loop_new(&err);
    assert_non_null(h->loop);
    h->timer = loop_timer_new(h->loop, on_timer, h, &err);
    h->limit = loop_timer_new(h->loop, on_limit, h, &err);
    loop_timer_start(h->limit, mono_after(mono_now(), TEST_LIMIT_MS));
    fake_init(&h->scanner.fake);
    h->scanner.listener = tcp_listen(h->loop, &any, 8, scanner_accepted, &h->scanner, &err);
    assert_non_null(h->scanner.listener);
    DeviceLinkConfig config = { .address = "127.0.0.1",
                                .scan_port = tcp_listener_address(h->scanner.listener).port,
                                .name = "Scans",
                                .host = &host_calls,
                                .arg = h };
    h->link = device_link_open(h->loop, &config, &err);
    assert_non_null(h->link);
}

static void host_done(Host *h)
{
    for (size_t i = 0; i < FLOOD; i++)
        tcp_abort(h->flood[i]);
    device_link_close(h->link);
    tcp_abort(h->panel);
    tcp_abort(h->scanner.stream);
    tcp_listener_free(h->scanner.listener);
    udp_free(h->device);
    loop_timer_free(h->timer);
    loop_timer_free(h->limit);
    loop_free(h->loop);
    buf_done(&h->response);
    fake_done(&h->scanner.fake);
}

static void run_until_stopped(Host *h)
{
    Err err;

    assert_true(loop_run(h->loop, &err));
}

static void assert_scanned(Host *h)
{
    assert_true(h->ended && h->identified);
    assert_string_equal(h->reason.code, "");
    assert_int_equal(h->end, SCAN_END_COMPLETE);
    assert_int_equal(h->pages, 2);
    assert_int_equal(h->drops, 0);
    assert_true(h->scanner.fake.unlocked);
    assert_int_equal(device_link_scans(h->link), 0);
}

/* --- tests -------------------------------------------------------------------------------------- */

static void a_press_becomes_a_scan(void **state)
{
    Host h;

    (void)state;
    host_init(&h);
    h.scanner.fake.page_size = 300000;
    h.scanner.fake.block_size = 86592;
    press_start(&h);
    run_until_stopped(&h);
    assert_scanned(&h);
    assert_true(panel_was_told(&h, true));
    /* The fake scanner has no TLS: what was tried with it is no connection of its own. */
    for (int channel = DEVICE_CHANNEL_PANEL; channel <= DEVICE_CHANNEL_SCAN; channel++) {
        assert_int_equal(h.traffic[channel][DEVICE_TRAFFIC_OPENED], 1);
        assert_int_equal(h.traffic[channel][DEVICE_TRAFFIC_CONNECTED], 1);
        assert_int_equal(h.traffic[channel][DEVICE_TRAFFIC_CLOSED], 1);
    }
    assert_true(h.traffic_bytes[DEVICE_CHANNEL_SCAN] > 2 * 300000);
    assert_int_equal(h.traffic[DEVICE_CHANNEL_JOB][DEVICE_TRAFFIC_OPENED], 0);
    host_done(&h);
}

/* Of each connection its beginning, and no byte. */
static void what_nobody_traces_is_not_told(void **state)
{
    Host h;

    (void)state;
    host_init(&h);
    h.nobody_traces = true;
    press_start(&h);
    run_until_stopped(&h);
    assert_scanned(&h);
    for (int channel = DEVICE_CHANNEL_PANEL; channel <= DEVICE_CHANNEL_SCAN; channel++) {
        assert_int_equal(h.traffic[channel][DEVICE_TRAFFIC_OPENED], 1);
        for (int kind = DEVICE_TRAFFIC_OPENED + 1; kind < DEVICE_TRAFFIC_MAX_; kind++)
            assert_int_equal(h.traffic[channel][kind], 0);
    }
    host_done(&h);
}

static void the_host_may_answer_later_and_pause(void **state)
{
    Host h;

    (void)state;
    host_init(&h);
    h.answer_late = h.pause = true;
    press_start(&h);
    run_until_stopped(&h);
    assert_scanned(&h);
    host_done(&h);
}

static void a_refused_press_scans_nothing(void **state)
{
    Host h;

    (void)state;
    host_init(&h);
    h.refuse = true;
    press_start(&h);
    run_until_stopped(&h);
    assert_true(h.panel_closed && panel_was_told(&h, false));
    assert_int_equal(strlen(h.scanner.fake.log), 0);
    host_done(&h);
}

static void a_device_without_scan_port_breaks_the_scan(void **state)
{
    Host h;

    (void)state;
    host_init(&h);
    tcp_listener_free(STEAL(h.scanner.listener));
    press_start(&h);
    run_until_stopped(&h);
    assert_int_equal(h.end, SCAN_END_BROKEN);
    assert_string_equal(h.reason.code, "connect-failed");
    assert_non_null(strstr(h.reason.text, "Connection refused"));
    assert_non_null(strstr(h.reason.remedy, "network scanning"));
    host_done(&h);
}

static void why_no_connection_was_made_is_said(void **state)
{
    static const struct {
        int code;
        const char *text, *remedy;
    } cases[] = {
        { ECONNREFUSED, "No connection to the device (Connection refused).", "allows network" },
        { EHOSTUNREACH, "No connection to the device (No route to host).", "routes" },
        { ENETUNREACH, "No connection to the device (Network is unreachable).", "this computer" },
        { ETIMEDOUT, "No connection to the device (Connection timed out).", "drops" },
        { EMFILE, "No connection to the device (Too many open files).", "1865" },
        { 0, "No connection to the device.", "1865" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        Reason reason = scan_reason_of_connect(cases[i].code);

        assert_string_equal(reason.code, "connect-failed");
        assert_string_equal(reason.text, cases[i].text);
        assert_non_null(strstr(reason.remedy, cases[i].remedy));
        assert_true(text_ends_with(reason.remedy, "."));
    }
}

static void a_scan_can_be_cancelled_before_it_is_connected(void **state)
{
    Host h;

    (void)state;
    host_init(&h);
    h.cancel = true;
    press_start(&h);
    run_until_stopped(&h);
    assert_int_equal(h.end, SCAN_END_CANCELLED);
    host_done(&h);
}

static void a_device_that_goes_breaks_the_scan(void **state)
{
    Host h;

    (void)state;
    host_init(&h);
    h.scanner.fake.fault_at = "IMG ";
    h.scanner.fake.fault_nth = 9;
    h.scanner.fake.fault = FAKE_CLOSE;
    press_start(&h);
    run_until_stopped(&h);
    assert_int_equal(h.end, SCAN_END_BROKEN);
    assert_string_equal(h.reason.code, "connection-lost");
    assert_int_equal(h.pages, 1);
    host_done(&h);
}

static void stop_loop(void *arg)
{
    loop_stop(((Host *)arg)->loop);
}

static void closing_the_link_ends_its_scans(void **state)
{
    Host h;

    (void)state;
    host_init(&h);
    h.scanner.fake.fault_at = "IMG ";
    h.scanner.fake.fault_nth = 4;
    h.scanner.fake.fault = FAKE_SILENCE;
    press_start(&h);
    loop_timer_free(h.limit);
    Err err;
    h.limit = loop_timer_new(h.loop, stop_loop, &h, &err);
    loop_timer_start(h.limit, mono_after(mono_now(), 500));
    run_until_stopped(&h);
    assert_false(h.ended);
    assert_int_equal(device_link_scans(h.link), 1);
    device_link_close(STEAL(h.link));
    assert_true(h.ended);
    assert_string_equal(h.reason.code, "server-stopping");
    host_done(&h);
}

static void flood_end(void *arg, TcpEnd end, const Err *err)
{
    TcpStream **stream = arg;

    (void)end;
    (void)err;
    tcp_abort(STEAL(*stream));
}

static const TcpEvents flood_events = { .on_end = flood_end };

/* A hundred connections that never say anything, from the device's own address. */
static void silent_connections_do_not_keep_a_press_out(void **state)
{
    Host h;
    Err err;

    (void)state;
    host_init(&h);
    NetAddress server = loopback(device_link_tcp_port(h.link));
    for (size_t i = 0; i < FLOOD; i++) {
        h.flood[i] = tcp_connect(h.loop, &server, NULL, mono_after(mono_now(), 5000), 1024,
                                 &flood_events, &h.flood[i], &err);
        assert_non_null(h.flood[i]);
        if (i % 2)
            assert_true(tcp_write(h.flood[i], bytes_of_text("POST /Pu"), &err));
    }
    press_start(&h);
    run_until_stopped(&h);
    assert_scanned(&h);
    host_done(&h);
}

static void device_hears(void *arg, const UdpDatagram *datagram)
{
    Host *h = arg;
    SlpReply reply;
    SlpEntry entry;

    assert_int_equal(slp_reply_decode(datagram->bytes, &reply), WIRE_OK);
    assert_int_equal(reply.xid, 7);
    assert_int_equal(slp_entry_decode(reply.attributes, &entry), WIRE_OK);
    assert_string_equal(entry.name, "Scans");
    assert_string_equal(entry.address, "127.0.0.1");
    assert_int_equal(entry.event_port, device_link_tcp_port(h->link));
    assert_true(entry.is_v3);
    if (++h->replies == 3)
        loop_stop(h->loop);
}

static void a_registration_is_answered_three_times(void **state)
{
    HexFile *file = hexfile_read("slp-attrrqst-et4950");
    NetAddress any = loopback(0);
    Host h;
    Err err;

    (void)state;
    host_init(&h);
    h.device = udp_open(h.loop, &any, device_hears, &h, &err);
    assert_non_null(h.device);
    NetAddress server = loopback(device_link_udp_port(h.link));
    for (int copy = 0; copy < 3; copy++) {
        assert_true(udp_send(h.device, &server, 0, bytes_of_text("noise"), &err));
        assert_true(udp_send(h.device, &server, 0, file->item[0].bytes, &err));
    }
    run_until_stopped(&h);
    assert_int_equal(h.sightings, 1);
    host_done(&h);
    free(file);
}

static void names_that_no_panel_shows_are_refused(void **state)
{
    DeviceLinkConfig config = { .address = "127.0.0.1", .name = "a,b", .host = &host_calls };
    Err err;
    AUTO(Loop) loop = loop_new(&err);

    (void)state;
    assert_null(device_link_open(loop, &config, &err));
    assert_int_equal(err.kind, ERR_BAD_INPUT);
    config.name = "Scans";
    config.address = "nowhere";
    assert_null(device_link_open(loop, &config, &err));
    assert_int_equal(err.kind, ERR_BAD_INPUT);
}

static void one_address_of_each_family_is_heard(void **state)
{
    static const struct {
        const char *list;
        bool v4, v6;
    } cases[] = {
        { "127.0.0.1", true, false },
        { "::1", false, true },
        { "127.0.0.1, ::1", true, true },
        { "::,0.0.0.0", true, true },
    };
    static const char *const wrong[] = {
        "127.0.0.1 127.0.0.2", "127.0.0.1, 127.0.0.2", "::1,::", "", ",", "fe80::1%no-such"
    };
    DeviceLinkConfig config = { .name = "Scans", .host = &host_calls };
    AUTO(Loop) loop = loop_new(&(Err){ 0 });
    Err err;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        config.address = cases[i].list;
        AUTO(DeviceLink) link = device_link_open(loop, &config, &err);
        assert_non_null(link);
        assert_int_equal(device_link_hears(link, NET_IPV4), cases[i].v4);
        assert_int_equal(device_link_hears(link, NET_IPV6), cases[i].v6);
        assert_int_equal(device_link_udp_port(link) != 0, cases[i].v4); /* registration */
        assert_int_not_equal(device_link_tcp_port(link), 0);
        assert_int_equal(device_link_ipv4(link).family, cases[i].v4 ? NET_IPV4 : NET_NONE);
    }
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        config.address = wrong[i];
        if (device_link_open(loop, &config, &err))
            fail_msg("\"%s\" was taken", wrong[i]);
        assert_int_equal(err.kind, ERR_BAD_INPUT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_press_becomes_a_scan),
        cmocka_unit_test(what_nobody_traces_is_not_told),
        cmocka_unit_test(the_host_may_answer_later_and_pause),
        cmocka_unit_test(a_refused_press_scans_nothing),
        cmocka_unit_test(a_device_without_scan_port_breaks_the_scan),
        cmocka_unit_test(why_no_connection_was_made_is_said),
        cmocka_unit_test(a_scan_can_be_cancelled_before_it_is_connected),
        cmocka_unit_test(a_device_that_goes_breaks_the_scan),
        cmocka_unit_test(closing_the_link_ends_its_scans),
        cmocka_unit_test(silent_connections_do_not_keep_a_press_out),
        cmocka_unit_test(a_registration_is_answered_three_times),
        cmocka_unit_test(names_that_no_panel_shows_are_refused),
        cmocka_unit_test(one_address_of_each_family_is_heard),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
