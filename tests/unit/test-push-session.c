/* tests/unit/test-push-session.c - press connections and registration requests, sans-IO. */
#include "device/push-session.h"
#include "device/register-session.h"
#include "tests/unit/hexfile.h"

#define BODY                                                                              \
    "<s:Envelope xmlns:s=\"x\"><s:Body><p:PushScan xmlns:p=\"y\"><ProductNameIn>PID 11D1" \
    "</ProductNameIn><IPAddressIn>7F000001</IPAddressIn><PushScanIDIn>02</PushScanIDIn>"  \
    "</p:PushScan></s:Body></s:Envelope>"

static const Mono start = { 1000 };

static void put_request(Buf *to, const char *body, const char *behind)
{
    buf_printf(to, "POST /PushScan HTTP/1.0\r\nContent-Length : %zu\r\nx-uid : 42\r\n\r\n%s%s",
               strlen(body), body, behind);
}

static bool answered(const PushSession *s, const char *status)
{
    return s->close && s->out.n > 0 && memmem(s->out.p, s->out.n, status, strlen(status));
}

static void a_press_is_asked_and_answered(void **state)
{
    (void)state;
    for (int accept = 0; accept < 2; accept++) {
        for (size_t chunk = 1; chunk < 400; chunk += 57) {
            AUTO_BUF request = buf_with_max(4096);
            PushSession s;

            put_request(&request, BODY, "");
            push_session_init(&s, start);
            for (size_t i = 0; i < request.n; i += chunk) {
                assert_false(s.ask || s.close);
                push_session_feed(
                    &s, (Bytes){ request.p + i, request.n - i < chunk ? request.n - i : chunk },
                    start);
            }
            assert_true(s.ask && !s.close);
            assert_string_equal(s.body.product, "PID 11D1");
            assert_string_equal(s.body.choice, "02");
            assert_string_equal(s.body.address, "127.0.0.1");
            /* a half-closed device still wants its answer */
            push_session_eof(&s, mono_after(start, PUSH_HALF_CLOSE_MS - 1));
            assert_false(s.close);
            push_session_answer(&s, accept, NULL);
            assert_true(answered(&s, accept ? ">OK<" : ">ERROR<"));
            assert_true(answered(&s, "x-uid : 42\r\n"));
            assert_int_equal(s.ok, accept);
            push_session_done(&s);
        }
    }
}

static void what_is_no_press_is_refused_or_closed(void **state)
{
    static const struct {
        const char *body, *behind;
        bool answered;
    } cases[] = {
        { "<s:Envelope><s:Body><JobLists/></s:Body></s:Envelope>", "", true },
        { "<!DOCTYPE x>" BODY, "", true },
        { "garbage", "", true },
        { "", "", true }, /* no length counts as no body */
        { BODY, "POST ", true },
    };
    static const char *const bad[] = { "GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01\x02", "\r\n" };
    AUTO_BUF flood = buf_with_max(1 << 20);
    PushSession s;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_BUF request = buf_with_max(4096);

        put_request(&request, cases[i].body, cases[i].behind);
        push_session_init(&s, start);
        push_session_feed(&s, buf_bytes(&request), start);
        assert_true(answered(&s, ">ERROR<") && !s.ask);
        push_session_done(&s);
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        push_session_init(&s, start);
        push_session_feed(&s, bytes_of_text(bad[i]), start);
        assert_true(answered(&s, "HTTP/1.0 400 Bad Request\r\n") && !s.ask && !s.ok);
        push_session_done(&s);
    }
    for (size_t n = 0; n < 6;
         n += 5) { /* the end of a head that is none: 400; of nothing: nothing */
        push_session_init(&s, start);
        push_session_feed(&s, (Bytes){ (const uint8_t *)"POST ", n }, start);
        push_session_eof(&s, start);
        assert_true(n ? answered(&s, "400 Bad Request") : s.close && s.out.n == 0);
        push_session_done(&s);
    }
    buf_printf(&flood, "POST /PushScan HTTP/1.0\r\nContent-Length: 65536\r\n\r\n");
    push_session_init(&s, start);
    push_session_feed(&s, buf_bytes(&flood), start);
    assert_true(answered(&s, ">ERROR<")); /* refused by its announced length, before it comes */
    push_session_done(&s);
}

static void feed_body(PushSession *s, const char *body)
{
    AUTO_BUF request = buf_with_max(4096);

    put_request(&request, body, "");
    push_session_init(s, start);
    push_session_feed(s, buf_bytes(&request), start);
}

static void a_device_of_version_3_asks_for_jobs_and_says_its_end(void **state)
{
    static const PushScanJob jobs[] = { { 1, "Invoices" } };
    PushSession s;

    (void)state;
    for (int accept = 0; accept < 2; accept++) {
        feed_body(&s, "<s:Envelope><s:Body><JobList><CapabilityIn>X-JobList=1</CapabilityIn>"
                      "<CapabilityIn>OfficeFormat</CapabilityIn></JobList></s:Body></s:Envelope>");
        assert_true(s.ask && !s.close);
        assert_int_equal(s.body.root, PUSHSCAN_ROOT_JOB_LIST);
        PushScanList list = { .request = &s.body, .with_jobs = true, .jobs = jobs, .job_count = 1 };
        push_session_answer(&s, accept, &list);
        assert_true(answered(&s, accept ? ">OK<" : ">ERROR<"));
        assert_int_equal(answered(&s, "<CapabilityOut>OfficeFormat<"), accept);
        assert_int_equal(answered(&s, "Invoices"), accept);
        push_session_done(&s);
    }
    feed_body(&s, "<s:Envelope><s:Body><ScanEnd/></s:Body></s:Envelope>");
    assert_true(answered(&s, ">OK<") && !s.ask); /* nobody has to be asked */
    push_session_done(&s);
}

static void slow_and_late_presses_end(void **state)
{
    AUTO_BUF request = buf_with_max(4096);
    PushSession s;

    (void)state;
    put_request(&request, BODY, "\r\n");
    push_session_init(&s, start);
    push_session_feed(&s, (Bytes){ request.p, 30 }, mono_after(start, 9000));
    assert_int_equal(push_session_deadline(&s).ms, start.ms + 10000); /* not moved by dripping */
    push_session_tick(&s, mono_after(start, 9999));
    assert_false(s.close);
    push_session_tick(&s, mono_after(start, 10000));
    assert_true(s.close && s.out.n == 0);
    push_session_done(&s);

    push_session_init(&s, start);
    push_session_feed(&s, buf_bytes(&request), start);
    assert_true(s.ask);
    push_session_tick(&s, push_session_deadline(&s));
    assert_true(answered(&s, ">ERROR<"));
    push_session_answer(&s, true, NULL); /* too late */
    assert_false(s.ok);
    push_session_done(&s);

    /* Who waits for the answer and then shuts his side has hung up. */
    push_session_init(&s, start);
    push_session_feed(&s, buf_bytes(&request), start);
    push_session_eof(&s, mono_after(start, PUSH_HALF_CLOSE_MS));
    assert_true(s.close && s.out.n == 0);
    push_session_answer(&s, true, NULL);
    assert_false(s.ok);
    push_session_done(&s);

    push_session_init(&s, start);
    push_session_lost(&s);
    assert_true(s.close && s.out.n == 0);
    push_session_done(&s);
}

static void every_pair_of_a_press(void **state)
{
    (void)state;
    for (int from = 0; from < PUSH_STATE_MAX_; from++) {
        for (int event = 0; event < PUSH_EVENT_MAX_; event++) {
            const PushRule *rule = &push_rules[from][event];

            if (from == PUSH_DONE)
                assert_false(rule->allowed);
            else if (event >= PUSH_EVENT_EOF) /* a connection can end anywhere */
                assert_true(rule->allowed);
            if (rule->allowed && rule->next == PUSH_DONE)
                assert_true(rule->action != PUSH_DO_NOTHING && rule->action != PUSH_DO_ASK);
            if (rule->allowed && rule->action == PUSH_DO_ANSWER_OK)
                assert_true((from == PUSH_ASKED && event == PUSH_EVENT_ACCEPT) ||
                            (from == PUSH_BODY && event == PUSH_EVENT_END));
        }
        assert_true(from == PUSH_DONE || push_patience_ms[from] > 0);
    }
}

/* --- registration ------------------------------------------------------------------------------- */

static NetAddress source(uint8_t last, uint16_t port)
{
    return (NetAddress){ .family = NET_IPV4, .bytes = { 10, 0, 0, last }, .port = port };
}

/* The host: how often it was asked, and what it shows. */
static struct {
    unsigned asked;
    bool wants_v3, hides;
} shows;

static bool show(void *arg, const RegisterAsk *ask, RegisterShown *ret_shown)
{
    assert_ptr_equal(arg, &shows);
    assert_string_equal(ask->product, "PID 11D1");
    shows.asked++;
    shows.wants_v3 = ask->wants_v3;
    *ret_shown = (RegisterShown){ .name = "Scans", .is_v3 = true };
    return !shows.hides;
}

static bool ask(RegisterSession *s, Bytes datagram, uint8_t host, Mono now)
{
    RegisterRequest request = { datagram, source(host, 2968), 3, "10.0.0.99" };
    RegisterAsk told;
    bool fresh = register_session_feed(s, &request, now, &told);

    if (fresh)
        assert_string_equal(told.product, "PID 11D1");
    return fresh;
}

static size_t answers(RegisterSession *s, Mono now)
{
    AUTO_BUF out = buf_with_max(SLP_DATAGRAM_MAX);
    RegisterAnswer answer;
    SlpReply reply;
    SlpEntry entry;
    size_t n = 0;

    while (register_session_next(s, now, &answer, &out)) {
        assert_int_equal(slp_reply_decode(buf_bytes(&out), &reply), WIRE_OK);
        assert_int_equal(slp_entry_decode(reply.attributes, &entry), WIRE_OK);
        assert_string_equal(entry.name, "Scans");
        assert_string_equal(entry.address, "10.0.0.99");
        assert_int_equal(entry.event_port, 1234);
        assert_true(entry.is_v3);
        assert_int_equal(answer.to.port, 2968);
        assert_int_equal(answer.interface_index, 3);
        buf_clear(&out);
        n++;
    }
    return n;
}

static void a_request_is_answered_three_times(void **state)
{
    HexFile *file = hexfile_read("slp-attrrqst-et4950");
    RegisterSession *s = malloc(sizeof *s);
    Bytes datagram = file->item[0].bytes;

    (void)state;
    assert_non_null(s);
    register_session_init(s, 1234, show, &shows);
    assert_true(register_session_is_request(datagram));
    assert_true(ask(s, datagram, 1, start));
    shows.asked = 0;
    assert_int_equal(answers(s, mono_after(start, 99)), 0); /* the host looks the device up */
    assert_int_equal(register_session_deadline(s).ms, start.ms + 100);
    assert_int_equal(answers(s, mono_after(start, 100)), 1);
    assert_false(ask(s, datagram, 1, mono_after(start, 160))); /* the copies */
    assert_int_equal(answers(s, mono_after(start, 599)), 0);
    assert_int_equal(register_session_deadline(s).ms, start.ms + 600);
    assert_int_equal(answers(s, mono_after(start, 600)), 1);
    assert_int_equal(answers(s, mono_after(start, 1100)), 1);
    assert_int_equal(shows.asked, 1); /* the three are the same */
    assert_false(shows.wants_v3);
    assert_int_equal(register_session_deadline(s).ms, MONO_NEVER.ms);
    assert_false(ask(s, datagram, 1, mono_after(start, 3000)));
    assert_true(ask(s, datagram, 2, mono_after(start, 3000))); /* another device, same XID */
    assert_true(ask(s, datagram, 1, mono_after(start, 3101))); /* it was switched off and on */
    free(s);
    free(file);
}

static void a_device_that_is_shown_nothing_gets_no_answer(void **state)
{
    HexFile *file = hexfile_read("slp-attrrqst-et4950");
    RegisterSession *s = malloc(sizeof *s);
    Bytes datagram = file->item[0].bytes;

    (void)state;
    assert_non_null(s);
    register_session_init(s, 1234, show, &shows);
    shows.hides = true;
    assert_true(ask(s, datagram, 1, start));
    assert_int_equal(answers(s, mono_after(start, 100)), 0);
    assert_int_equal(register_session_deadline(s).ms, MONO_NEVER.ms);
    assert_false(ask(s, datagram, 1, mono_after(start, 2000))); /* its copies */
    shows.hides = false;
    assert_int_equal(answers(s, mono_after(start, 2000)), 0);
    assert_true(ask(s, datagram, 1, mono_after(start, 2100)));
    assert_int_equal(answers(s, mono_after(start, 2200)), 1);
    free(s);
    free(file);
}

static void other_requests_are_not_answered(void **state)
{
    RegisterSession *s = malloc(sizeof *s);
    SlpRequest request = { .language = bytes_of_text("en"),
                           .url = bytes_of_text("service:printer") };
    AUTO_BUF out = buf_with_max(SLP_DATAGRAM_MAX);

    (void)state;
    assert_non_null(s);
    register_session_init(s, 1234, show, &shows);
    assert_true(slp_request_encode(&request, &out));
    assert_false(register_session_is_request(buf_bytes(&out)));
    assert_false(ask(s, buf_bytes(&out), 1, start));
    request.url = bytes_of_text(SLP_SERVICE_URL);
    request.previous_responders = bytes_of_text("10.0.0.5,10.0.0.99");
    buf_clear(&out);
    assert_true(slp_request_encode(&request, &out));
    assert_false(ask(s, buf_bytes(&out), 1, start)); /* we answered before */
    assert_int_equal(answers(s, start), 0);
    free(s);
}

static void a_flood_stays_within_its_share(void **state)
{
    RegisterSession *s = malloc(sizeof *s);
    SlpRequest request = { .language = bytes_of_text("en"),
                           .url = bytes_of_text(SLP_SERVICE_URL),
                           .scopes = bytes_of_text("PID 11D1") };
    size_t fresh = 0;

    (void)state;
    assert_non_null(s);
    register_session_init(s, 1234, show, &shows);
    for (uint16_t xid = 0; xid < 1000; xid++) {
        AUTO_BUF out = buf_with_max(SLP_DATAGRAM_MAX);

        request.xid = xid;
        assert_true(slp_request_encode(&request, &out));
        fresh += ask(s, buf_bytes(&out), 1, start);
        if (xid == 999)
            assert_true(ask(s, buf_bytes(&out), 2, start));
    }
    assert_int_equal(fresh, REGISTER_PER_SOURCE_MAX);
    free(s);
}

/* Many addresses that ask as often as they may leave room for one that has not asked yet. */
static void a_flood_of_many_keeps_nobody_out(void **state)
{
    enum { SOURCES = 60, ASK = 20 };
    RegisterSession *s = malloc(sizeof *s);
    SlpRequest request = { .language = bytes_of_text("en"),
                           .url = bytes_of_text(SLP_SERVICE_URL),
                           .scopes = bytes_of_text("PID 11D1") };

    (void)state;
    assert_non_null(s);
    register_session_init(s, 1234, show, &shows);
    for (uint16_t xid = 0; xid < SOURCES * ASK; xid++) {
        AUTO_BUF out = buf_with_max(SLP_DATAGRAM_MAX);

        request.xid = xid;
        assert_true(slp_request_encode(&request, &out));
        (void)ask(s, buf_bytes(&out), (uint8_t)(100 + xid % SOURCES), start);
        if (xid + 1 == SOURCES * ASK)
            assert_true(ask(s, buf_bytes(&out), 2, start));
    }
    free(s);
}

/* A device that asks every second, or many devices behind one address: none goes unanswered, since
 * quiet entries of the same source make room. */
static void an_eager_device_is_always_answered(void **state)
{
    RegisterSession *s = malloc(sizeof *s);
    SlpRequest request = { .language = bytes_of_text("en"),
                           .url = bytes_of_text(SLP_SERVICE_URL),
                           .scopes = bytes_of_text("PID 11D1") };
    Mono now = start;

    (void)state;
    assert_non_null(s);
    register_session_init(s, 1234, show, &shows);
    for (uint16_t xid = 0; xid < 100; xid++) {
        AUTO_BUF out = buf_with_max(SLP_DATAGRAM_MAX);

        request.xid = xid;
        assert_true(slp_request_encode(&request, &out));
        assert_true(ask(s, buf_bytes(&out), 1, now));
        now = mono_after(now, REGISTER_FIRST_MS);
        for (int i = 0; i < REGISTER_ANSWERS; i++) {
            assert_int_equal(answers(s, now), 1);
            now = mono_after(now, REGISTER_GAP_MS);
        }
    }
    free(s);
}

static void every_pair_of_a_registration(void **state)
{
    (void)state;
    for (int from = 0; from < REGISTER_STATE_MAX_; from++) {
        for (int event = 0; event < REGISTER_EVENT_MAX_; event++) {
            const RegisterRule *rule = &register_rules[from][event];

            assert_true(rule->next < REGISTER_STATE_MAX_);
            assert_int_equal(rule->action == REGISTER_DO_SEND,
                             from == REGISTER_ANSWERING &&
                                 (event == REGISTER_EVENT_DUE || event == REGISTER_EVENT_LAST));
            assert_int_equal(rule->action == REGISTER_DO_BEGIN,
                             from == REGISTER_FREE && event == REGISTER_EVENT_REQUEST);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_press_is_asked_and_answered),
        cmocka_unit_test(what_is_no_press_is_refused_or_closed),
        cmocka_unit_test(a_device_of_version_3_asks_for_jobs_and_says_its_end),
        cmocka_unit_test(slow_and_late_presses_end),
        cmocka_unit_test(every_pair_of_a_press),
        cmocka_unit_test(a_request_is_answered_three_times),
        cmocka_unit_test(a_device_that_is_shown_nothing_gets_no_answer),
        cmocka_unit_test(other_requests_are_not_answered),
        cmocka_unit_test(a_flood_stays_within_its_share),
        cmocka_unit_test(a_flood_of_many_keeps_nobody_out),
        cmocka_unit_test(an_eager_device_is_always_answered),
        cmocka_unit_test(every_pair_of_a_registration),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
