/* tests/unit/test-tcp.c - listeners and streams with real sockets on the loopback interface. */
#include "tests/unit/net-loop.h"

#include "net/tcp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MIB = 1024 * 1024 };

/* One side of a connection in a test: counts and remembers. */
typedef struct Side {
    TcpStream *stream;
    size_t received, to_send;
    bool connected, ended, echo, stop_at_end, stop_at_connect;
    bool abort_in_read, close_in_read, close_at_end;
    TcpEnd end;
    int code, drained;
    LoopTimer *timer; /* started anew by each read, for the same time */
    Mono due;
    bool timer_came;
    uint32_t sum; /* of received bytes, order-dependent */
} Side;

static uint8_t pattern[64 * 1024];

static uint32_t sum_of(uint32_t sum, Bytes bytes)
{
    for (size_t i = 0; i < bytes.n; i++)
        sum = sum * 31 + bytes.p[i];
    return sum;
}

static void send_next(Side *side)
{
    Err err;

    /* on_drained comes only where something had to wait */
    while (side->to_send > 0 && tcp_queued_bytes(side->stream) == 0) {
        size_t n = side->to_send < sizeof pattern ? side->to_send : sizeof pattern;

        side->to_send -= n;
        assert_true(tcp_write(side->stream, (Bytes){ pattern, n }, &err));
    }
}

static void side_connected(void *arg)
{
    Side *side = arg;

    side->connected = true;
    send_next(side);
    if (side->stop_at_connect)
        loop_stop(loop);
}

static void side_read(void *arg, Bytes bytes)
{
    Side *side = arg;
    Err err;

    side->received += bytes.n;
    side->sum = sum_of(side->sum, bytes);
    if (side->timer) {
        loop_timer_start(side->timer, side->due);
        usleep(5000);
        if (mono_reached(mono_now(), mono_after(side->due, 5000)))
            loop_stop(loop);
    }
    if (side->abort_in_read)
        tcp_abort(STEAL(side->stream));
    else if (side->close_in_read)
        tcp_close(STEAL(side->stream));
    else if (side->echo)
        assert_true(tcp_write(side->stream, bytes, &err));
    if (side->echo && side->stream && tcp_queued_bytes(side->stream) > 0)
        tcp_pause(side->stream);
}

static void side_drained(void *arg)
{
    Side *side = arg;

    side->drained++;
    send_next(side);
    if (side->echo)
        tcp_resume(side->stream);
}

static void side_end(void *arg, TcpEnd end, const Err *err)
{
    Side *side = arg;

    assert_false(side->ended); /* once */
    side->ended = true;
    side->end = end;
    side->code = err->code;
    if (side->close_at_end)
        tcp_close(STEAL(side->stream));
    if (side->stop_at_end)
        loop_stop(loop);
}

static const TcpEvents side_events = { .on_connected = side_connected,
                                       .on_read = side_read,
                                       .on_drained = side_drained,
                                       .on_end = side_end };
static Side server_side;

static void accept_side(void *arg, TcpStream *stream)
{
    (void)arg;
    server_side.stream = stream;
    tcp_attach(stream, MIB, &side_events, &server_side);
}

static TcpListener *listen_on(const char *text)
{
    NetAddress bind_address = address(text);
    Err err;
    TcpListener *listener = tcp_listen(loop, &bind_address, 16, accept_side, NULL, &err);

    if (!listener)
        fail_msg("%s", err.text);
    return listener;
}

static void connect_side(Side *side, TcpListener *listener)
{
    NetAddress peer = tcp_listener_address(listener);
    Err err;

    side->stream = tcp_connect(loop, &peer, NULL, mono_after(mono_now(), 5000), MIB, &side_events,
                               side, &err);
    assert_non_null(side->stream);
}

/* A blocking socket connected to the listener, for peers that misbehave. */
static int connect_raw(TcpListener *listener, int receive_buffer_bytes)
{
    NetAddress peer = tcp_listener_address(listener);
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(peer.port) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (receive_buffer_bytes)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes, sizeof receive_buffer_bytes);
    memcpy(&to.sin_addr, peer.bytes, 4);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

static void echo_over(const char *text)
{
    AUTO(TcpListener) listener = listen_on(text);
    Side client = { .to_send = 3 * MIB + 17, .stop_at_end = false };
    uint32_t sum = 0;
    size_t total = client.to_send;

    for (size_t left = total; left > 0;) {
        size_t n = left < sizeof pattern ? left : sizeof pattern;
        sum = sum_of(sum, (Bytes){ pattern, n });
        left -= n;
    }
    server_side = (Side){ .echo = true, .close_at_end = true };
    connect_side(&client, listener);
    while (client.received < total)
        run_for(20);
    assert_int_equal(client.received, total);
    assert_int_equal(client.sum, sum);
    NetAddress server_local = tcp_local_address(server_side.stream);
    NetAddress client_peer = tcp_peer_address(client.stream);
    NetAddress server_peer = tcp_peer_address(server_side.stream);
    NetAddress client_local = tcp_local_address(client.stream);
    assert_true(net_address_equal(&server_local, &client_peer));
    assert_true(net_address_equal(&server_peer, &client_local));

    tcp_close(client.stream);
    while (!server_side.ended)
        run_for(10);
    assert_int_equal(server_side.end, TCP_END_EOF);
}

static void test_tcp_echo(void **state)
{
    (void)state;
    echo_over("127.0.0.1");
}

static void test_tcp_echo_ipv6(void **state)
{
    (void)state;
    echo_over("::1");
}

static void test_tcp_from_a_chosen_address(void **state)
{
    AUTO(TcpListener) listener = listen_on("127.0.0.1");
    NetAddress peer = tcp_listener_address(listener), from = address("127.0.0.7:1");
    Side client = { .stop_at_connect = true };
    Err err;

    (void)state;
    server_side = (Side){ 0 };
    client.stream = tcp_connect(loop, &peer, &from, mono_after(mono_now(), 5000), MIB, &side_events,
                                &client, &err);
    assert_non_null(client.stream);
    run();
    run_for(20);
    NetAddress seen = tcp_peer_address(server_side.stream);
    assert_true(net_address_same_host(&seen, &from));
    tcp_abort(client.stream);
    tcp_abort(server_side.stream);

    from = address("192.0.2.77"); /* not ours */
    assert_null(tcp_connect(loop, &peer, &from, MONO_NEVER, MIB, &side_events, &client, &err));
    assert_int_equal(err.code, EADDRNOTAVAIL);
}

static void test_tcp_pause_and_resume(void **state)
{
    AUTO(TcpListener) listener = listen_on("127.0.0.1");
    Side client = { .stop_at_connect = true };
    Err err;

    (void)state;
    server_side = (Side){ 0 };
    connect_side(&client, listener);
    run();
    run_for(10);
    tcp_pause(server_side.stream);
    assert_true(tcp_write(client.stream, (Bytes){ pattern, 1000 }, &err));
    run_for(50);
    assert_int_equal(server_side.received, 0);
    tcp_resume(server_side.stream);
    run_for(20);
    assert_int_equal(server_side.received, 1000);
    tcp_abort(client.stream);
    run_for(10);
    assert_int_equal(server_side.end, TCP_END_BROKEN);
    assert_int_equal(server_side.code, ECONNRESET);
    assert_false(tcp_write(server_side.stream, (Bytes){ pattern, 1 }, &err));
    assert_int_equal(err.kind, ERR_TEMPORARY);
    tcp_close(server_side.stream);
}

typedef struct SlowReader {
    int fd, error;
    size_t received;
    atomic_bool is_done;
} SlowReader;

static void *read_slowly(void *arg)
{
    SlowReader *reader = arg;
    const struct timespec rest = { .tv_nsec = 300000 };
    char bytes[8192];
    ssize_t n;

    while ((n = read(reader->fd, bytes, sizeof bytes)) > 0) {
        reader->received += (size_t)n;
        nanosleep(&rest, NULL);
    }
    reader->error = n < 0 ? errno : 0;
    close(reader->fd);
    atomic_store(&reader->is_done, true);
    return NULL;
}

static void test_tcp_close_loses_nothing(void **state)
{
    AUTO(TcpListener) listener = listen_on("127.0.0.1");
    SlowReader reader = { .fd = connect_raw(listener, 16 * 1024) };
    pthread_t thread;
    size_t sent = 0;
    Err err;

    (void)state;
    server_side = (Side){ 0 };
    run_for(10);
    tcp_pause(server_side.stream);
    assert_int_equal(write(reader.fd, pattern, sizeof pattern), sizeof pattern); /* never read */
    while (tcp_write(server_side.stream, (Bytes){ pattern, sizeof pattern }, &err))
        sent += sizeof pattern;
    assert_true(tcp_queued_bytes(server_side.stream) > 0);
    tcp_close(server_side.stream);
    pthread_create(&thread, NULL, read_slowly, &reader);
    while (!atomic_load(&reader.is_done))
        run_for(20);
    pthread_join(thread, NULL);
    assert_int_equal(reader.error, 0);
    assert_int_equal(reader.received, sent);
    assert_false(server_side.ended); /* no callback after tcp_close */
}

static void test_tcp_close_gives_up_on_a_silent_peer(void **state)
{
    AUTO(TcpListener) listener = listen_on("127.0.0.1");
    AUTO_FD fd = connect_raw(listener, 0);
    char byte;

    (void)state;
    server_side = (Side){ 0 };
    run_for(10);
    tcp_close(server_side.stream);
    run_for(100);
    assert_int_equal(read(fd, &byte, 1), 0);             /* our side is shut      */
    assert_int_equal(send(fd, "x", 1, MSG_NOSIGNAL), 1); /* the other still open  */
    run_for(TCP_CLOSE_LINGER_MS + 200);
    (void)!send(fd, "x", 1, MSG_NOSIGNAL);
    run_for(20);
    assert_int_equal(send(fd, "x", 1, MSG_NOSIGNAL), -1);
    assert_int_equal(errno, EPIPE);
}

static void accept_and_close(void *arg, TcpStream *stream)
{
    (void)arg;
    tcp_attach(stream, MIB, &side_events, &server_side);
    tcp_close(stream);
}

/* A crowd that never closes its side: who comes next is served, and the oldest are cut. */
static void test_tcp_close_bounds_the_lingering(void **state)
{
    enum { CROWD = TCP_CLOSING_MAX + 3 };
    NetAddress bind_address = address("127.0.0.1");
    Err err;
    AUTO(TcpListener) listener = tcp_listen(loop, &bind_address, 64, accept_and_close, NULL, &err);
    int fds[CROWD];
    char byte;

    (void)state;
    assert_non_null(listener);
    for (size_t i = 0; i < CROWD; i++) {
        fds[i] = connect_raw(listener, 0);
        if (i % 32 == 0 || i == CROWD - 1)
            run_for(20);
    }
    for (size_t i = 0; i < CROWD; i++) {
        ssize_t sent = send(fds[i], "x", 1, MSG_NOSIGNAL); /* to one that was cut: reset or EPIPE */

        assert_int_equal(sent, i < CROWD - TCP_CLOSING_MAX ? -1 : 1);
        assert_int_equal(read(fds[i], &byte, 1), 0);
        close(fds[i]);
    }
    run_for(20);
}

static void test_tcp_write_queue_is_bounded(void **state)
{
    AUTO(TcpListener) listener = listen_on("127.0.0.1");
    AUTO_FD fd = connect_raw(listener, 16 * 1024);
    char bytes[64 * 1024];
    Err err = { 0 };
    size_t taken = 0;

    (void)state;
    server_side = (Side){ 0 };
    run_for(10);
    while (tcp_write(server_side.stream, (Bytes){ pattern, sizeof pattern }, &err))
        taken += sizeof pattern;
    assert_int_equal(err.kind, ERR_TEMPORARY);
    assert_true(tcp_queued_bytes(server_side.stream) <= MIB);
    assert_true(tcp_queued_bytes(server_side.stream) > MIB - sizeof pattern);
    run_for(10);
    assert_int_equal(server_side.drained, 0);

    fcntl(fd, F_SETFL, O_NONBLOCK);
    for (size_t got = 0; got < taken; run_for(1)) {
        ssize_t n = read(fd, bytes, sizeof bytes);
        if (n > 0)
            got += (size_t)n;
    }
    run_for(10);
    assert_int_equal(server_side.drained, 1);
    assert_int_equal(tcp_queued_bytes(server_side.stream), 0);
    tcp_abort(server_side.stream);
}

static void test_tcp_half_closed_peer_gets_its_answer(void **state)
{
    AUTO(TcpListener) listener = listen_on("127.0.0.1");
    AUTO_FD fd = connect_raw(listener, 0);
    char bytes[16] = { 0 };
    Err err;

    (void)state;
    server_side = (Side){ .stop_at_end = true };
    assert_int_equal(write(fd, "ask", 3), 3);
    shutdown(fd, SHUT_WR);
    run();
    assert_int_equal(server_side.end, TCP_END_EOF);
    assert_int_equal(server_side.received, 3);
    assert_true(tcp_write(server_side.stream, bytes_of_text("answer"), &err));
    tcp_close(server_side.stream);
    run_for(20);
    assert_int_equal(read(fd, bytes, sizeof bytes), 6);
    assert_int_equal(read(fd, bytes, sizeof bytes), 0);
}

static void test_tcp_ends_inside_callbacks(void **state)
{
    AUTO(TcpListener) listener = listen_on("127.0.0.1");
    AUTO_FD first = connect_raw(listener, 0);
    char byte;

    (void)state;
    server_side = (Side){ .abort_in_read = true };
    run_for(10);
    assert_int_equal(write(first, "x", 1), 1);
    run_for(20);
    assert_int_equal(read(first, &byte, 1), -1);
    assert_int_equal(errno, ECONNRESET);

    AUTO_FD second = connect_raw(listener, 0);
    server_side = (Side){ .close_in_read = true };
    run_for(10);
    assert_int_equal(write(second, "x", 1), 1);
    run_for(20);
    assert_int_equal(read(second, &byte, 1), 0);
    assert_false(server_side.ended);
}

static void test_tcp_read_timeout(void **state)
{
    AUTO(TcpListener) listener = listen_on("127.0.0.1");
    AUTO_FD fd = connect_raw(listener, 0);

    (void)state;
    server_side = (Side){ .stop_at_end = true };
    run_for(10);
    tcp_set_read_timeout(server_side.stream, 500);
    for (int i = 0; i < 10; i++) { /* bytes push it away */
        assert_int_equal(write(fd, "x", 1), 1);
        run_for(60);
    }
    assert_false(server_side.ended);
    run();
    assert_int_equal(server_side.end, TCP_END_IDLE);
    assert_string_equal(tcp_end_name(server_side.end), "idle");
    tcp_close(server_side.stream);
}

static void *flood(void *arg)
{
    while (send(*(int *)arg, pattern, sizeof pattern, MSG_NOSIGNAL) > 0)
        continue;
    return NULL;
}

static void timer_came(void *arg)
{
    ((Side *)arg)->timer_came = true;
    loop_stop(loop);
}

/* The owner starts its timer anew with each read, for the same time, and more has come before it is done. */
static void test_tcp_a_flood_takes_no_timer_its_turn(void **state)
{
    AUTO(TcpListener) listener = listen_on("127.0.0.1");
    AUTO_FD peer = connect_raw(listener, 0);
    pthread_t thread;
    Err err;

    (void)state;
    server_side = (Side){ .due = mono_after(mono_now(), 200),
                          .timer = loop_timer_new(loop, timer_came, &server_side, &err) };
    assert_non_null(server_side.timer);
    assert_int_equal(pthread_create(&thread, NULL, flood, &peer), 0);
    run();
    assert_true(server_side.timer_came);
    assert_true(server_side.received > 0);
    loop_timer_free(STEAL(server_side.timer));
    tcp_abort(STEAL(server_side.stream));
    pthread_join(thread, NULL);
}

static void test_tcp_connect_refused(void **state)
{
    TcpListener *listener = listen_on("127.0.0.1");
    NetAddress peer = tcp_listener_address(listener);
    Side client = { .stop_at_end = true, .close_at_end = true };
    Err err;

    (void)state;
    tcp_listener_free(listener);
    client.stream = tcp_connect(loop, &peer, NULL, mono_after(mono_now(), 2000), MIB, &side_events,
                                &client, &err);
    if (client.stream) {
        run();
        assert_int_equal(client.end, TCP_END_CONNECT_FAILED);
        assert_int_equal(client.code, ECONNREFUSED);
    } else {
        assert_int_equal(err.code, ECONNREFUSED);
    }
}

static void test_tcp_connect_has_a_deadline(void **state)
{
    NetAddress bind_address = address("127.0.0.1");
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof at;
    AUTO_FD full = socket(AF_INET, SOCK_STREAM, 0);
    int fillers[4];
    Side client = { .stop_at_end = true };
    Err err;

    (void)state;
    assert_int_equal(bind(full, (struct sockaddr *)&at, size), 0);
    assert_int_equal(listen(full, 0), 0);
    getsockname(full, (struct sockaddr *)&at, &size);
    for (size_t i = 0; i < COUNT_OF(fillers); i++) { /* nobody accepts: then nobody answers */
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)!connect(fillers[i], (struct sockaddr *)&at, size);
    }
    bind_address.port = ntohs(at.sin_port);
    Mono start = mono_now();
    client.stream = tcp_connect(loop, &bind_address, NULL, mono_after(start, 200), MIB,
                                &side_events, &client, &err);
    assert_non_null(client.stream);
    run();
    assert_int_equal(client.end, TCP_END_CONNECT_FAILED);
    assert_int_equal(client.code, ETIMEDOUT);
    assert_in_range(mono_now().ms - start.ms, 190, 2000);
    tcp_close(client.stream);
    for (size_t i = 0; i < COUNT_OF(fillers); i++)
        close(fillers[i]);
}

static void test_listener_rests_without_descriptors(void **state)
{
    AUTO(TcpListener) listener = listen_on("127.0.0.1");
    int fd = connect_raw(listener, 0);
    struct rlimit old, none;
    struct timespec before, after;

    (void)state;
    server_side = (Side){ 0 };
    getrlimit(RLIMIT_NOFILE, &old);
    none = (struct rlimit){ .rlim_cur = 3, .rlim_max = old.rlim_max };
    setrlimit(RLIMIT_NOFILE, &none);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
    run_for(400);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
    setrlimit(RLIMIT_NOFILE, &old);
    assert_null(server_side.stream);
    int64_t busy_ms = (after.tv_sec - before.tv_sec) * 1000 +
                      (after.tv_nsec - before.tv_nsec) / 1000000;
    assert_true(busy_ms < 200); /* a spinning loop would burn all of the 400 ms */
    run_for(TCP_ACCEPT_PAUSE_MS + 100);
    assert_non_null(server_side.stream);
    tcp_abort(server_side.stream);
    close(fd);
}

static void test_listen_on_a_taken_port(void **state)
{
    AUTO(TcpListener) listener = listen_on("127.0.0.1");
    NetAddress taken = tcp_listener_address(listener);
    Err err;

    (void)state;
    assert_null(tcp_listen(loop, &taken, 16, accept_side, NULL, &err));
    assert_int_equal(err.kind, ERR_TEMPORARY);
    assert_true(err.remedy[0] != '\0');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOOP_TEST(test_tcp_echo),
        LOOP_TEST(test_tcp_echo_ipv6),
        LOOP_TEST(test_tcp_from_a_chosen_address),
        LOOP_TEST(test_tcp_pause_and_resume),
        LOOP_TEST(test_tcp_close_loses_nothing),
        LOOP_TEST(test_tcp_close_gives_up_on_a_silent_peer),
        LOOP_TEST(test_tcp_close_bounds_the_lingering),
        LOOP_TEST(test_tcp_write_queue_is_bounded),
        LOOP_TEST(test_tcp_half_closed_peer_gets_its_answer),
        LOOP_TEST(test_tcp_ends_inside_callbacks),
        LOOP_TEST(test_tcp_read_timeout),
        LOOP_TEST(test_tcp_a_flood_takes_no_timer_its_turn),
        LOOP_TEST(test_tcp_connect_refused),
        LOOP_TEST(test_tcp_connect_has_a_deadline),
        LOOP_TEST(test_listener_rests_without_descriptors),
        LOOP_TEST(test_listen_on_a_taken_port),
    };

    for (size_t i = 0; i < sizeof pattern; i++)
        pattern[i] = (uint8_t)(i * 7 + i / 256);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
