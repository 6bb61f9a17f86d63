/* tests/unit/test-tls.c - streams with TLS on the loopback interface: our client with our server. That others understand
 * both is tested in tests/peers (Python's ssl, openssl). */
#include "tests/unit/net-loop.h"

#include "base/text.h"
#include "net/tcp.h"

#include <stdlib.h>
#include <string.h>

enum { MANY_BYTES = 3 * 1024 * 1024, QUEUE_BYTES = 256 * 1024, WELCOME_BYTES = 5 };

/* One side: the server sends a welcome and gives back what it gets. */
typedef struct Side {
    TcpStream *stream;
    size_t received, to_send;
    bool connected, ended, echo;
    TcpEnd end;
    char text[200];
} Side;

static TlsContext *server_context, *client_context, *old_context;
static Side server_side, client_side;
static TcpListener *listener;
static int accepted;
static uint8_t pattern[QUEUE_BYTES / 2];

static void send_next(Side *side)
{
    Err err;

    while (side->to_send > 0 && tcp_queued_bytes(side->stream) == 0) {
        size_t n = side->to_send < sizeof pattern ? side->to_send : sizeof pattern;

        side->to_send -= n;
        assert_true(tcp_write(side->stream, (Bytes){ pattern, n }, &err));
    }
}

static void side_connected(void *arg)
{
    Side *side = arg;

    assert_false(side->connected);
    side->connected = true;
    send_next(side);
}

static void side_read(void *arg, Bytes bytes)
{
    Side *side = arg;
    Err err;

    for (size_t i = 0; i < bytes.n && !side->echo && side->received + i >= WELCOME_BYTES; i++)
        assert_int_equal(bytes.p[i],
                         pattern[(side->received + i - WELCOME_BYTES) % sizeof pattern]);
    side->received += bytes.n;
    if (side->echo)
        assert_true(tcp_write(side->stream, bytes, &err));
    if (side->echo && tcp_queued_bytes(side->stream) > 0)
        tcp_pause(side->stream);
    if (!side->echo && side->received == WELCOME_BYTES + MANY_BYTES)
        loop_stop(loop);
}

static void side_drained(void *arg)
{
    Side *side = arg;

    if (side->echo)
        tcp_resume(side->stream);
    else
        send_next(side);
}

static void side_end(void *arg, TcpEnd end, const Err *err)
{
    Side *side = arg;

    assert_false(side->ended);
    side->ended = true;
    side->end = end;
    (void)text_copy(side->text, sizeof side->text, err->text);
    loop_stop(loop);
}

static const TcpEvents side_events = { .on_connected = side_connected,
                                       .on_read = side_read,
                                       .on_drained = side_drained,
                                       .on_end = side_end };

static void accept_tls(void *arg, TcpStream *stream)
{
    static const char welcome[] = "hello";
    Err err;

    accepted++;
    tcp_abort(STEAL(server_side.stream));
    server_side = (Side){ .stream = stream, .echo = true };
    if (arg)
        assert_true(tcp_accept_tls(stream, arg, &err));
    tcp_attach(stream, 4 * MANY_BYTES, &side_events, &server_side);
    assert_true(tcp_write(stream, bytes_of_text(welcome), &err)); /* waits for the handshake */
}

static void accept_and_be_silent(void *arg, TcpStream *stream)
{
    accepted++;
    if (accepted == 1) {
        server_side = (Side){ .stream = stream };
        tcp_attach(stream, QUEUE_BYTES, &side_events, &server_side);
    } else {
        accept_tls(arg, stream);
        accepted--;
    }
}

static void listen_with(TcpAcceptFn *accept, TlsContext *context)
{
    NetAddress any = address("127.0.0.1");
    Err err;

    listener = tcp_listen(loop, &any, 8, accept, context, &err);
    assert_non_null(listener);
}

static void connect_with(TcpTransport transport, const char *pin)
{
    NetAddress to = tcp_listener_address(listener);
    TcpSecurity security = { .context = client_context,
                             .old_context = old_context,
                             .transport = transport };
    Err err;

    (void)text_copy(security.pin, sizeof security.pin, pin);
    client_side.stream = tcp_connect_secure(loop, &to, NULL, mono_after(mono_now(), 5000),
                                            QUEUE_BYTES, &security, &side_events, &client_side,
                                            &err);
    assert_non_null(client_side.stream);
}

static int setup_tls(void **state)
{
    Err err;

    accepted = 0;
    client_side = server_side = (Side){ .stream = NULL };
    for (size_t i = 0; i < sizeof pattern; i++)
        pattern[i] = (uint8_t)(i * 7 + i / 256);
    AUTO_BUF pem = buf_with_max(TLS_IDENTITY_MAX);
    assert_true(tls_identity_make("test", &pem, &err));
    server_context = tls_server_context_new(buf_bytes(&pem), &err);
    client_context = tls_device_context_new(TLS_MODERN, &err);
    old_context = tls_device_context_new(TLS_OLD, &err);
    assert_true(server_context && client_context && old_context);
    return setup(state);
}

static int teardown_tls(void **state)
{
    tcp_abort(client_side.stream);
    tcp_abort(server_side.stream);
    tcp_listener_free(listener);
    tls_context_free(server_context);
    tls_context_free(client_context);
    tls_context_free(old_context);
    return teardown(state);
}

static void bytes_go_both_ways(void **state)
{
    (void)state;
    client_side.to_send = MANY_BYTES;
    listen_with(accept_tls, server_context);
    connect_with(TCP_TLS, "");
    run();
    assert_true(client_side.connected);
    assert_int_equal(client_side.received, WELCOME_BYTES + MANY_BYTES);
    assert_int_equal(server_side.received, MANY_BYTES);
    assert_int_equal(strlen(tcp_peer_certificate(client_side.stream)), 64);
    /* The end is told as an end, not as an error. */
    tcp_close(STEAL(server_side.stream));
    run();
    assert_int_equal(client_side.end, TCP_END_EOF);
}

static void a_pinned_certificate_is_accepted(void **state)
{
    char pin[TLS_PIN_SIZE];

    bytes_go_both_ways(state);
    (void)text_copy(pin, sizeof pin, tcp_peer_certificate(client_side.stream));
    tcp_abort(STEAL(client_side.stream));
    client_side = (Side){ .to_send = MANY_BYTES };
    connect_with(TCP_TLS_ELSE_PLAIN, pin);
    run();
    assert_int_equal(client_side.received, WELCOME_BYTES + MANY_BYTES);
    assert_int_equal(accepted, 2);
}

static void another_certificate_is_not(void **state)
{
    (void)state;
    client_side.to_send = MANY_BYTES;
    listen_with(accept_tls, server_context);
    connect_with(TCP_TLS_ELSE_PLAIN,
                 "0000000000000000000000000000000000000000000000000000000000000000");
    while (!client_side.ended)
        run();
    assert_int_equal(client_side.end, TCP_END_UNTRUSTED);
    assert_non_null(strstr(client_side.text, tcp_peer_certificate(client_side.stream)));
    assert_int_equal(accepted, 1); /* nobody is spoken to plainly instead */
    assert_int_equal(server_side.received, 0);
    assert_false(client_side.connected);
}

static void a_peer_without_tls_is_spoken_to_plainly(void **state)
{
    (void)state;
    client_side.to_send = MANY_BYTES;
    listen_with(accept_tls, NULL);
    connect_with(TCP_TLS_ELSE_PLAIN, "");
    while (client_side.received < WELCOME_BYTES + MANY_BYTES && !client_side.ended)
        run();
    assert_int_equal(client_side.received, WELCOME_BYTES + MANY_BYTES);
    assert_int_equal(accepted, 2);
    assert_string_equal(tcp_peer_certificate(client_side.stream), "");
}

static void a_peer_that_says_nothing_is_given_three_seconds(void **state)
{
    Mono begun = mono_now();

    (void)state;
    client_side.to_send = MANY_BYTES;
    listen_with(accept_and_be_silent, NULL);
    connect_with(TCP_TLS_ELSE_PLAIN, "");
    while (client_side.received < WELCOME_BYTES + MANY_BYTES && !client_side.ended)
        run();
    assert_true(mono_now().ms - begun.ms >= TCP_TLS_TRY_MS);
    assert_int_equal(client_side.received, WELCOME_BYTES + MANY_BYTES);
}

static void accept_and_begin_tls(void *arg, TcpStream *stream)
{
    static const uint8_t begin[] = { 0x16, 0x03, 0x03, 0x00, 0x7a, 0x02, 0x00, 0x00, 0x76 };
    Err err;

    accept_and_be_silent(arg, stream);
    assert_true(tcp_write(stream, (Bytes){ begin, sizeof begin }, &err));
}

/* A record has begun, so it is no peer that knows no TLS, however slow it is. */
static void a_peer_that_is_slow_at_tls_is_not_spoken_to_plainly(void **state)
{
    Mono begun = mono_now();

    (void)state;
    listen_with(accept_and_begin_tls, NULL);
    connect_with(TCP_TLS_ELSE_PLAIN, "");
    while (!client_side.ended && client_side.received == 0)
        run();
    assert_int_equal(client_side.end, TCP_END_NO_TLS);
    assert_int_equal(client_side.received, 0);
    assert_true(mono_now().ms - begun.ms >= TCP_HANDSHAKE_MS);
}

static void a_peer_of_which_tls_is_wanted_is_not_spoken_to_plainly(void **state)
{
    (void)state;
    listen_with(accept_tls, NULL);
    connect_with(TCP_TLS, "");
    while (!client_side.ended)
        run();
    assert_int_equal(client_side.end, TCP_END_NO_TLS);
    assert_non_null(strstr(client_side.text, "TLS"));
    assert_int_equal(accepted, 1);
}

static void a_refused_connection_is_not_tried_plainly(void **state)
{
    (void)state;
    listen_with(accept_tls, NULL);
    NetAddress to = tcp_listener_address(listener);
    tcp_listener_free(STEAL(listener));
    TcpSecurity security = { .context = client_context, .transport = TCP_TLS_ELSE_PLAIN };
    Err err;
    client_side.stream = tcp_connect_secure(loop, &to, NULL, mono_after(mono_now(), 5000),
                                            QUEUE_BYTES, &security, &side_events, &client_side,
                                            &err);
    if (client_side.stream) {
        run();
        assert_int_equal(client_side.end, TCP_END_CONNECT_FAILED);
    }
}

static void a_client_without_tls_is_let_go(void **state)
{
    Err err;

    (void)state;
    client_side.echo = true; /* whatever comes: an alert */
    listen_with(accept_tls, server_context);
    NetAddress to = tcp_listener_address(listener);
    client_side.stream = tcp_connect(loop, &to, NULL, mono_after(mono_now(), 5000), QUEUE_BYTES,
                                     &side_events, &client_side, &err);
    assert_non_null(client_side.stream);
    assert_true(tcp_write(client_side.stream, bytes_of_text("IS no handshake at all"), &err));
    while (!server_side.ended)
        run();
    assert_int_equal(server_side.end, TCP_END_NO_TLS);
    assert_int_equal(server_side.received, 0);
}

#define TLS_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup_tls, teardown_tls)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TLS_TEST(bytes_go_both_ways),
        TLS_TEST(a_pinned_certificate_is_accepted),
        TLS_TEST(another_certificate_is_not),
        TLS_TEST(a_peer_without_tls_is_spoken_to_plainly),
        TLS_TEST(a_peer_that_says_nothing_is_given_three_seconds),
        TLS_TEST(a_peer_that_is_slow_at_tls_is_not_spoken_to_plainly),
        TLS_TEST(a_peer_of_which_tls_is_wanted_is_not_spoken_to_plainly),
        TLS_TEST(a_refused_connection_is_not_tried_plainly),
        TLS_TEST(a_client_without_tls_is_let_go),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
