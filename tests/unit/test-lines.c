/* tests/unit/test-lines.c - JSON lines over sockets, pipes and files; peers that misbehave. */
#include "base/limits.h"
#include "base/text.h"
#include "base/time.h"
#include "tests/unit/cm.h"
#include "json/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>

enum { SOON_MS = 5000 };

static void make_socket_pair(int ends[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
}

static void put(int fd, const char *text)
{
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

/* The next message must be an object with this number as "n". */
static void expect_number(JsonLines *reader, int64_t n)
{
    Json *taken = NULL;
    Err err = { 0 };

    if (!json_lines_next(reader, SOON_MS, &taken, &err))
        fail_msg("%s", err.text);
    AUTO(Json) message = taken;
    assert_int_equal(json_get_int(message, "n", -1), n);
}

static void expect_failure(JsonLines *reader, int64_t timeout_ms, ErrKind kind, int code,
                           const char *text)
{
    Json *message = NULL;
    Err err = { 0 };

    assert_false(json_lines_next(reader, timeout_ms, &message, &err));
    assert_string_equal(err.text, text);
    assert_int_equal(err.kind, kind);
    assert_int_equal(err.code, code);
    assert_null(message);
}

static void send_number(int fd, int64_t n)
{
    AUTO(Json) message = json_new_object();
    Err err = { 0 };

    json_set_int(message, "n", n);
    json_set_text(message, "text", "two\nlines");
    if (!json_line_send(fd, message, &err))
        fail_msg("%s", err.text);
}

static void messages_pass(void **state)
{
    int ends[2];

    (void)state;
    make_socket_pair(ends);
    JsonLines reader = json_lines_over(ends[1]);
    for (int64_t n = 0; n < 100; n++)
        send_number(ends[0], n);
    for (int64_t n = 0; n < 100; n++)
        expect_number(&reader, n);
    expect_failure(&reader, 0, ERR_TEMPORARY, ETIMEDOUT, "the peer did not answer in time");
    send_number(ends[0], 7);
    expect_number(&reader, 7);
    close(ends[0]);
    expect_failure(&reader, SOON_MS, ERR_CANCELLED, 0, "the peer closed");
    expect_failure(&reader, SOON_MS, ERR_CANCELLED, 0, "the peer closed");
    json_lines_done(&reader);
    close(ends[1]);
}

static void pieces_are_put_together(void **state)
{
    static const char whole[] = "\n{\"n\":1}\r\n\r\n  {\"n\":2}\n{\"n\":3}";
    int ends[2];

    (void)state;
    make_socket_pair(ends);
    JsonLines reader = json_lines_over(ends[1]);
    for (const char *c = whole; *c; c++) {
        Json *message = NULL;
        Err err = { 0 };

        assert_int_equal(write(ends[0], c, 1), 1);
        if (json_lines_next(&reader, 0, &message, &err))
            assert_true(*c == '\n');
        else
            assert_int_equal(err.code, ETIMEDOUT);
        json_free(message);
    }
    close(ends[0]);
    expect_number(&reader, 3); /* the last line needs no newline */
    expect_failure(&reader, SOON_MS, ERR_CANCELLED, 0, "the peer closed");
    json_lines_done(&reader);
    close(ends[1]);
}

static void malformed_lines_are_told(void **state)
{
    int ends[2];

    (void)state;
    make_socket_pair(ends);
    JsonLines reader = json_lines_over(ends[1]);
    put(ends[0], "{\"n\":}\n[1]\nhello\n{\"n\":4}\n{\"n\":");
    expect_failure(&reader, SOON_MS, ERR_BAD_INPUT, 0,
                   "a message of the peer: line 1, column 6: unexpected token near '}'");
    expect_failure(&reader, SOON_MS, ERR_BAD_INPUT, 0, "a message must be an object on one line");
    expect_failure(&reader, SOON_MS, ERR_BAD_INPUT, 0,
                   "a message of the peer: line 1, column 5: invalid token near 'hello'");
    expect_number(&reader, 4);
    close(ends[0]);
    expect_failure(&reader, SOON_MS, ERR_CANCELLED, EPIPE,
                   "the peer closed in the middle of a message");
    expect_failure(&reader, SOON_MS, ERR_CANCELLED, 0, "the peer closed");
    json_lines_done(&reader);
    close(ends[1]);
}

static void deadlines_hold(void **state)
{
    int ends[2];

    (void)state;
    make_socket_pair(ends);
    JsonLines reader = json_lines_over(ends[1]);
    put(ends[0], "{\"n\":1"); /* half a line is no answer */
    Mono from = mono_now();
    expect_failure(&reader, 60, ERR_TEMPORARY, ETIMEDOUT, "the peer did not answer in time");
    int64_t waited_ms = mono_now().ms - from.ms;
    assert_true(waited_ms >= 60 && waited_ms < SOON_MS);
    put(ends[0], "}\n");
    expect_number(&reader, 1);
    json_lines_done(&reader);
    close(ends[0]);
    close(ends[1]);
}

/* Writes MESSAGE_BYTES_MAX bytes of one line and, when arg's end is open long enough, more. */
static void *send_endless_line(void *arg)
{
    static char chunk[65536];
    int fd = *(int *)arg;

    memset(chunk, 'x', sizeof chunk);
    for (size_t sent = 0; sent <= MESSAGE_BYTES_MAX; sent += sizeof chunk)
        if (send(fd, chunk, sizeof chunk, MSG_NOSIGNAL) < 0)
            break;
    return NULL;
}

static void endless_lines_are_refused(void **state)
{
    int ends[2];
    pthread_t sender;

    (void)state;
    make_socket_pair(ends);
    JsonLines reader = json_lines_over(ends[1]);
    assert_int_equal(pthread_create(&sender, NULL, send_endless_line, &ends[0]), 0);
    expect_failure(&reader, SOON_MS, ERR_BAD_INPUT, 0,
                   "the peer sent a line longer than 4194304 bytes");
    expect_failure(&reader, SOON_MS, ERR_BAD_INPUT, 0,
                   "the peer sent a line longer than 4194304 bytes");
    json_lines_done(&reader);
    close(ends[1]);
    assert_int_equal(pthread_join(sender, NULL), 0);
    close(ends[0]);
}

/* An object whose line has exactly n bytes, newline included. */
static Json *message_of(size_t n)
{
    static const char frame[] = "{\"t\":\"\"}\n";
    Json *message = json_new_object();
    char *text = malloc(n);

    assert_non_null(text);
    memset(text, 'y', n);
    text[n - strlen(frame)] = '\0';
    json_set_text(message, "t", text);
    free(text);
    return message;
}

typedef struct Sending {
    int fd;
    size_t n;
    bool sent;
} Sending;

static void *send_large(void *arg)
{
    Sending *sending = arg;
    AUTO(Json) message = message_of(sending->n);
    Err err = { 0 };

    sending->sent = json_line_send(sending->fd, message, &err);
    return NULL;
}

/* The largest message, through a channel that holds only a part of it. */
static void check_large(int from, int to)
{
    Sending sending = { .fd = from, .n = MESSAGE_BYTES_MAX };
    JsonLines reader = json_lines_over(to);
    pthread_t sender;
    Json *taken = NULL;
    Err err = { 0 };

    assert_int_equal(pthread_create(&sender, NULL, send_large, &sending), 0);
    if (!json_lines_next(&reader, SOON_MS, &taken, &err))
        fail_msg("%s", err.text);
    AUTO(Json) message = taken;
    assert_int_equal(strlen(json_get_text(message, "t")), MESSAGE_BYTES_MAX - 9);
    assert_int_equal(pthread_join(sender, NULL), 0);
    assert_true(sending.sent);
    json_lines_done(&reader);
}

static void large_messages_pass(void **state)
{
    int ends[2], pipe_ends[2];

    (void)state;
    make_socket_pair(ends);
    check_large(ends[0], ends[1]);
    assert_int_equal(pipe2(pipe_ends, O_CLOEXEC), 0);
    check_large(pipe_ends[1], pipe_ends[0]);
    for (int i = 0; i < 2; i++) {
        close(ends[i]);
        close(pipe_ends[i]);
    }
}

static void unsendable_messages_are_bugs(void **state)
{
    AUTO(Json) too_long = message_of(MESSAGE_BYTES_MAX + 1);
    AUTO(Json) poisoned = json_new_object();
    AUTO(Json) array = json_new_array();
    const Json *const messages[] = { NULL, too_long, poisoned, array };
    int ends[2];

    (void)state;
    make_socket_pair(ends);
    json_set_take(poisoned, "x", NULL);
    for (size_t i = 0; i < COUNT_OF(messages); i++) {
        Err err = { 0 };
        char nothing;

        assert_false(json_line_send(ends[0], messages[i], &err));
        assert_int_equal(err.kind, ERR_BUG);
        assert_int_equal(recv(ends[1], &nothing, 1, MSG_DONTWAIT), -1);
    }
    close(ends[0]);
    close(ends[1]);
}

static void peers_that_do_not_read_are_left(void **state)
{
    AUTO(Json) message = message_of(MESSAGE_BYTES_MAX);
    int ends[2], pipe_ends[2];

    (void)state;
    make_socket_pair(ends);
    assert_int_equal(pipe2(pipe_ends, O_CLOEXEC), 0);
    const int writable[] = { ends[0], pipe_ends[1] };
    for (size_t i = 0; i < COUNT_OF(writable); i++) {
        Mono from = mono_now();
        Err err = { 0 };

        assert_false(json_line_send_within(writable[i], message, 60, &err));
        assert_string_equal(err.text, "the peer did not take the message in time");
        assert_int_equal(err.kind, ERR_TEMPORARY);
        assert_int_equal(err.code, ETIMEDOUT);
        assert_true(mono_now().ms - from.ms < SOON_MS);
    }
    for (int i = 0; i < 2; i++) {
        close(ends[i]);
        close(pipe_ends[i]);
    }
}

static void gone_peers_raise_no_signal(void **state)
{
    int ends[2], pipe_ends[2];
    AUTO(Json) message = json_new_object();
    Err err = { 0 };

    (void)state;
    assert_true(signal(SIGPIPE, SIG_DFL) != SIG_ERR); /* would end this program */
    make_socket_pair(ends);
    close(ends[1]);
    assert_false(json_line_send(ends[0], message, &err));
    assert_int_equal(err.kind, ERR_CANCELLED);
    assert_int_equal(err.code, EPIPE);
    close(ends[0]);

    assert_int_equal(pipe2(pipe_ends, O_CLOEXEC), 0);
    close(pipe_ends[0]);
    assert_false(json_line_send(pipe_ends[1], message, &err));
    assert_int_equal(err.kind, ERR_CANCELLED);
    assert_int_equal(err.code, EPIPE);
    sigset_t pending;
    assert_int_equal(sigpending(&pending), 0);
    assert_false(sigismember(&pending, SIGPIPE));
    close(pipe_ends[1]);
}

static void dead_peers_are_told(void **state)
{
    int ends[2];

    (void)state;
    make_socket_pair(ends);
    JsonLines reader = json_lines_over(ends[1]);
    put(ends[1], "unread");
    close(ends[0]); /* with unread bytes: the kernel resets */
    expect_failure(&reader, SOON_MS, ERR_CANCELLED, ECONNRESET, "the peer died");
    json_lines_done(&reader);
    close(ends[1]);
    JsonLines none = json_lines_over(-1);
    Json *message = NULL;
    Err err = { 0 };
    assert_false(json_lines_next(&none, 0, &message, &err));
    assert_int_equal(err.code, ETIMEDOUT); /* poll(2) ignores a negative descriptor */
}

static void files_are_read(void **state)
{
    AUTO_FD fd = memfd_create("messages", MFD_CLOEXEC);

    (void)state;
    put(fd, "{\"n\":1}\n{\"n\":2}");
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    JsonLines reader = json_lines_over(fd);
    expect_number(&reader, 1);
    expect_number(&reader, 2);
    expect_failure(&reader, SOON_MS, ERR_CANCELLED, 0, "the peer closed");
    json_lines_done(&reader);
    AUTO(Json) message = json_new_object();
    Err err = { 0 };
    assert_true(json_line_send(fd, message, &err)); /* and written */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_pass),
        cmocka_unit_test(pieces_are_put_together),
        cmocka_unit_test(malformed_lines_are_told),
        cmocka_unit_test(deadlines_hold),
        cmocka_unit_test(endless_lines_are_refused),
        cmocka_unit_test(large_messages_pass),
        cmocka_unit_test(unsendable_messages_are_bugs),
        cmocka_unit_test(peers_that_do_not_read_are_left),
        cmocka_unit_test(gone_peers_raise_no_signal),
        cmocka_unit_test(dead_peers_are_told),
        cmocka_unit_test(files_are_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
