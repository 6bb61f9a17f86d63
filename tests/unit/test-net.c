/* tests/unit/test-net.c - addresses, the loop and UDP with real sockets on the loopback interface. */
#include "tests/unit/net-loop.h"

#include "base/text.h"
#include "net/udp.h"

#include <net/if.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

/* --- addresses --------------------------------------------------------------------------------- */

typedef struct AddressCase {
    const char *text, *formatted; /* formatted NULL: must be refused */
} AddressCase;

static const AddressCase address_cases[] = {
    { "10.0.0.5:2968", "10.0.0.5:2968" },
    { "10.0.0.5", "10.0.0.5:77" },
    { "::1", "[::1]:77" },
    { "[::1]", "[::1]:77" },
    { "[::1]:65535", "[::1]:65535" },
    { "fe80::1%lo", "[fe80::1%lo]:77" },
    { "[fe80::1%1]:9", "[fe80::1%lo]:9" },
    { "::ffff:10.0.0.5", "10.0.0.5:77" },
    { "[::ffff:10.0.0.5]:9", "10.0.0.5:9" },
    { "fd00::1%lo", "[fd00::1]:77" }, /* a zone means nothing there */
    { "ff02::1%lo", "[ff02::1%lo]:77" },
    { "10.0.0.5:0", "10.0.0.5:0" },
    { "10.0.0.5:65536", NULL },
    { "10.0.0.5:", NULL },
    { "10.0.0.5:-1", NULL },
    { "10.0.0.256", NULL },
    { "printer.example", NULL },
    { "[::1", NULL },
    { "[::1]x", NULL },
    { "fe80::1%no-such-interface", NULL },
    { "", NULL },
};

static void test_address_text(void **state)
{
    char text[NET_ADDRESS_TEXT_SIZE], long_text[300] = { 0 };
    NetAddress parsed;
    Err err;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(address_cases); i++) {
        const AddressCase *c = &address_cases[i];
        bool ok = net_address_parse(c->text, 77, &parsed, &err);
        if (ok != (c->formatted != NULL))
            fail_msg("\"%s\" %s", c->text, ok ? "was taken" : err.text);
        if (!ok) {
            assert_int_equal(err.kind, ERR_BAD_INPUT);
            continue;
        }
        net_address_format(&parsed, text);
        assert_string_equal(text, c->formatted);
    }
    memset(long_text, '1', sizeof long_text - 1);
    assert_false(net_address_parse(long_text, 0, &parsed, &err));
    net_address_format(&(NetAddress){ .family = NET_NONE }, text);
    assert_string_equal(text, "none");
}

static void test_address_compare(void **state)
{
    NetAddress a = address("127.0.0.1:80"), b = address("127.0.0.1:81"), c = address("[::1]:80");
    NetAddress local;
    Err err;

    (void)state;
    assert_false(net_address_equal(&a, &b));
    assert_true(net_address_equal(&a, &a));
    assert_true(net_address_same_host(&a, &b));
    assert_false(net_address_same_host(&a, &c));
    assert_true(net_address_is_loopback(&a));
    assert_true(net_address_is_loopback(&c));
    b = address("10.0.0.1");
    assert_false(net_address_is_loopback(&b));

    assert_true(net_address_local_for(&a, &local, &err));
    assert_true(net_address_same_host(&local, &a));
    assert_int_equal(local.port, 0);
    assert_false(net_address_local_for(&(NetAddress){ .family = NET_NONE }, &local, &err));
}

static void test_address_sources(void **state)
{
    static const struct {
        const char *a, *b;
        bool same;
    } cases[] = {
        { "10.0.0.1", "10.0.0.1", true },
        { "10.0.0.1", "10.0.0.2", false },
        { "::ffff:10.0.0.1", "10.0.0.1", true },
        { "fd00:0:0:1::1", "fd00:0:0:1:ffff:ffff:ffff:ffff", true },
        { "fd00:0:0:1::1", "fd00:0:0:2::1", false },
        { "fe80::1%1", "fe80::2%1", true },
        { "fe80::1%1", "fe80::1%2", false },
        { "a00:1::", "10.0.0.1", false },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        NetAddress a = address(cases[i].a), b = address(cases[i].b);

        if (net_address_same_source(&a, &b) != cases[i].same)
            fail_msg("%s and %s", cases[i].a, cases[i].b);
    }
    assert_true(net_address_is_any(&(NetAddress){ .family = NET_IPV6 }));
    NetAddress one = address("::1");
    assert_false(net_address_is_any(&one));
}

/* --- loop -------------------------------------------------------------------------------------- */

enum { POSTERS = 4, POSTS_EACH = 2000 };

static int posts_seen[POSTERS], posts_total;

static void count_post(void *arg)
{
    int *number = arg, poster = *number / POSTS_EACH;

    assert_int_equal(*number % POSTS_EACH, posts_seen[poster]); /* the order of each poster */
    posts_seen[poster]++;
    free(number);
    if (++posts_total == POSTERS * POSTS_EACH)
        loop_stop(loop);
}

static void *post_many(void *arg)
{
    int poster = *(int *)arg;

    for (int i = 0; i < POSTS_EACH; i++) {
        int *number = malloc(sizeof *number);
        *number = poster * POSTS_EACH + i;
        loop_post(loop, count_post, number);
    }
    return NULL;
}

static void test_posts_keep_their_order(void **state)
{
    pthread_t threads[POSTERS];
    int posters[POSTERS];

    (void)state;
    posts_total = 0;
    for (int i = 0; i < POSTERS; i++) {
        posters[i] = i;
        posts_seen[i] = 0;
        pthread_create(&threads[i], NULL, post_many, &posters[i]);
    }
    run();
    for (int i = 0; i < POSTERS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(posts_total, POSTERS * POSTS_EACH);
}

static void add_one(void *arg)
{
    ++*(int *)arg;
}

static void test_posts_before_stop_run(void **state)
{
    int count = 0;

    (void)state;
    for (int i = 0; i < 100; i++)
        loop_post(loop, add_one, &count);
    loop_stop(loop);
    run();
    assert_int_equal(count, 100);
    loop_post(loop, add_one, &count); /* dropped by loop_free in teardown */
}

static char fired[16];

typedef struct NamedTimer {
    char name;
    LoopTimer *timer;
    Mono deadline;
} NamedTimer;

static void note_fired(void *arg)
{
    NamedTimer *named = arg;
    size_t n = strlen(fired);

    assert_true(mono_reached(mono_now(), named->deadline));
    fired[n] = named->name;
    fired[n + 1] = '\0';
}

static void fire_and_free(void *arg)
{
    NamedTimer *named = arg;

    note_fired(arg);
    loop_timer_free(STEAL(named->timer));
}

static void test_timers_fire_in_order(void **state)
{
    NamedTimer timers[] = { { .name = 'c' }, { .name = 'a' }, { .name = 'x' }, { .name = 'b' } };
    static const int64_t after_ms[] = { 120, 20, 60, 70 };
    Mono now = mono_now();
    Err err;

    (void)state;
    fired[0] = '\0';
    for (size_t i = 0; i < COUNT_OF(timers); i++) {
        timers[i].timer = loop_timer_new(loop, timers[i].name == 'c' ? fire_and_free : note_fired,
                                         &timers[i], &err);
        timers[i].deadline = mono_after(now, after_ms[i]);
        loop_timer_start(timers[i].timer, timers[i].deadline);
    }
    loop_timer_stop(timers[2].timer);
    run_for(200);
    assert_string_equal(fired, "abc");
    assert_null(timers[0].timer);

    timers[1].deadline = mono_after(mono_now(), -500); /* the past fires at once, and only once */
    loop_timer_start(timers[1].timer, timers[1].deadline);
    loop_timer_start(timers[3].timer, MONO_NEVER);
    run_for(50);
    assert_string_equal(fired, "abca");
    for (size_t i = 1; i < COUNT_OF(timers); i++)
        loop_timer_free(timers[i].timer);
}

static void test_signals_reach_the_loop(void **state)
{
    int count = 0;
    Err err;

    (void)state;
    assert_true(loop_watch_signal(loop, SIGTERM, add_one, &count, &err));
    assert_true(loop_watch_signal(loop, SIGINT, stop, NULL, &err));
    raise(SIGTERM);
    run_for(20);
    assert_int_equal(count, 1);
    raise(SIGINT);
    run();
    for (int i = 2; i < LOOP_SIGNALS_MAX; i++)
        assert_true(loop_watch_signal(loop, SIGUSR1, add_one, &count, &err));
    assert_false(loop_watch_signal(loop, SIGUSR2, add_one, &count, &err));
    assert_int_equal(err.kind, ERR_BUG);
}

/* --- UDP --------------------------------------------------------------------------------------- */

typedef struct Received {
    int count, count_at_post;
    char text[32];
    NetAddress from, to;
    uint32_t interface_index;
    UdpSocket *free_me;
} Received;

static void note_count(void *arg)
{
    Received *received = arg;

    received->count_at_post = received->count;
}

static void note_datagram(void *arg, const UdpDatagram *datagram)
{
    Received *received = arg;

    if (received->count++ == 0)
        loop_post(loop, note_count, received);
    text_copy_bytes(received->text, sizeof received->text, datagram->bytes);
    received->from = datagram->from;
    received->to = datagram->to;
    received->interface_index = datagram->interface_index;
    if (received->free_me)
        udp_free(STEAL(received->free_me));
}

static UdpSocket *udp_on(const char *text, Received *received)
{
    NetAddress bind_address = address(text);
    Err err;
    UdpSocket *udp = udp_open(loop, &bind_address, note_datagram, received, &err);

    if (!udp)
        fail_msg("%s", err.text);
    return udp;
}

static void test_udp_names_interface_and_addresses(void **state)
{
    Received at_server = { 0 }, at_client = { 0 };
    AUTO(UdpSocket) server = udp_on("0.0.0.0", &at_server);
    AUTO(UdpSocket) client = udp_on("127.0.0.2", &at_client);
    NetAddress to = address("127.0.0.3"), client_address = udp_local_address(client);
    Err err;

    (void)state;
    to.port = udp_local_address(server).port;
    assert_true(udp_send(client, &to, 0, bytes_of_text("hello"), &err));
    run_for(20);
    assert_string_equal(at_server.text, "hello");
    assert_true(net_address_equal(&at_server.from, &client_address));
    assert_true(net_address_equal(&at_server.to, &to));
    assert_int_equal(at_server.interface_index, if_nametoindex("lo"));

    assert_true(
        udp_send(server, &at_server.from, at_server.interface_index, bytes_of_text("yes"), &err));
    assert_true(udp_send(server, &at_server.from, 0, (Bytes){ NULL, 0 }, &err));
    run_for(20);
    assert_int_equal(at_client.count, 2);
    assert_int_equal(at_client.from.port, to.port);
}

static void test_udp_ipv6(void **state)
{
    Received received = { 0 };
    AUTO(UdpSocket) server = udp_on("::1", &received);
    NetAddress to = udp_local_address(server);
    Err err;

    (void)state;
    assert_true(udp_send(server, &to, if_nametoindex("lo"), bytes_of_text("six"), &err));
    run_for(20);
    assert_string_equal(received.text, "six");
    assert_true(net_address_equal(&received.to, &to));
}

static void test_udp_turns_are_bounded(void **state)
{
    Received received = { 0 };
    AUTO(UdpSocket) server = udp_on("127.0.0.1", &received);
    NetAddress to = udp_local_address(server);
    Err err;

    (void)state;
    for (int i = 0; i < 2 * UDP_DATAGRAMS_PER_TURN; i++)
        assert_true(udp_send(server, &to, 0, bytes_of_text("x"), &err));
    run_for(50);
    assert_int_equal(received.count, 2 * UDP_DATAGRAMS_PER_TURN);
    assert_int_equal(received.count_at_post, UDP_DATAGRAMS_PER_TURN);

    received.free_me = server; /* inside its own callback, with more waiting */
    assert_true(udp_send(server, &to, 0, bytes_of_text("x"), &err));
    assert_true(udp_send(server, &to, 0, bytes_of_text("x"), &err));
    server = NULL;
    run_for(20);
    assert_int_equal(received.count, 2 * UDP_DATAGRAMS_PER_TURN + 1);
}

static void test_udp_multicast(void **state)
{
    Received received = { 0 }, unused = { 0 };
    AUTO(UdpSocket) server = udp_on("0.0.0.0", &received);
    AUTO(UdpSocket) device = udp_on("127.0.0.9", &unused);
    NetAddress group = address("239.255.255.253"), from = udp_local_address(device);
    size_t joined = 0, again = 0;
    Err err;

    (void)state;
    assert_true(udp_join_all(server, &group, true, &joined, &err));
    assert_true(joined >= 1);
    assert_true(udp_join_all(server, &group, true, &again, &err));
    assert_int_equal(joined, again);
    assert_true(udp_join(server, &group, "lo", &err));
    assert_false(udp_join(server, &group, "no-such-interface", &err));
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    assert_false(udp_set_multicast(device, "no-such-interface", 1, &err));
    assert_true(udp_set_multicast(device, "lo", 1, &err));

    group.port = udp_local_address(server).port;
    assert_true(udp_send(device, &group, 0, bytes_of_text("who"), &err));
    run_for(30);
    assert_int_equal(received.count, 1);
    assert_string_equal(received.text, "who");
    assert_true(net_address_equal(&received.from, &from));
    assert_true(net_address_equal(&received.to, &group));
    assert_int_equal(received.interface_index, if_nametoindex("lo"));
}

static void test_udp_port_is_shared(void **state)
{
    Received received = { 0 };
    AUTO(UdpSocket) first = udp_on("127.0.0.1", &received);
    NetAddress same = udp_local_address(first), foreign = address("192.0.2.77");
    Err err;
    AUTO(UdpSocket) second = udp_open(loop, &same, note_datagram, &received, &err);

    (void)state;
    assert_non_null(second);
    assert_null(udp_open(loop, &foreign, note_datagram, &received, &err));
    assert_int_equal(err.kind, ERR_PERMANENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_address_text),
        cmocka_unit_test(test_address_compare),
        cmocka_unit_test(test_address_sources),
        LOOP_TEST(test_posts_keep_their_order),
        LOOP_TEST(test_posts_before_stop_run),
        LOOP_TEST(test_timers_fire_in_order),
        LOOP_TEST(test_signals_reach_the_loop),
        LOOP_TEST(test_udp_names_interface_and_addresses),
        LOOP_TEST(test_udp_ipv6),
        LOOP_TEST(test_udp_turns_are_bounded),
        LOOP_TEST(test_udp_multicast),
        LOOP_TEST(test_udp_port_is_shared),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
