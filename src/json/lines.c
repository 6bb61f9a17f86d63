/* json/lines.c - see lines.h. */
#include "json/lines.h"

#include "base/limits.h"
#include "base/time.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>

enum { READ_BYTES = 64 * 1024 };

/* Waits for the events on fd; POLLHUP and POLLERR count, the call that follows tells them. */
static bool wait_for(int fd, short events, Mono deadline, Err *err)
{
    struct pollfd poll_fd = { .fd = fd, .events = events };

    for (;;) {
        int64_t left_ms = deadline.ms - mono_now().ms;
        int n = poll(&poll_fd, 1, left_ms <= 0 ? 0 : left_ms < INT_MAX ? (int)left_ms : INT_MAX);

        if (n > 0)
            return true;
        if (n < 0 && errno != EINTR)
            return err_errno(err, errno, "cannot wait for the peer");
        if (n == 0 && mono_reached(mono_now(), deadline))
            return err_set(err, ERR_TEMPORARY, ETIMEDOUT, "the peer did not %s in time",
                           events == POLLIN ? "answer" : "take the message");
    }
}

/* write(2) to a pipe without SIGPIPE: the signal is blocked for this thread and, when the write
 * raised it, taken away. A socket has MSG_NOSIGNAL for that, a pipe has nothing. */
static ssize_t write_quietly(int fd, Bytes bytes)
{
    static const struct timespec at_once = { 0 };
    sigset_t pipe_signal, before, pending;

    (void)sigemptyset(&pipe_signal);
    (void)sigaddset(&pipe_signal, SIGPIPE);
    (void)sigpending(&pending);
    bool was_pending = sigismember(&pending, SIGPIPE);
    (void)pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
    /* After POLLOUT a pipe takes PIPE_BUF bytes without blocking, but maybe not one more. */
    ssize_t n = write(fd, bytes.p, bytes.n < PIPE_BUF ? bytes.n : PIPE_BUF);
    int write_errno = errno;
    if (n < 0 && write_errno == EPIPE && !was_pending)
        while (sigtimedwait(&pipe_signal, NULL, &at_once) < 0 && errno == EINTR)
            continue;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = write_errno;
    return n;
}

/* One attempt. A socket is tried before it is waited for: a Unix socket calls itself writable only
 * while three quarters of its buffer are empty, but takes more. */
static ssize_t send_some(int fd, Bytes bytes, bool *is_socket, Mono deadline, Err *err)
{
    ssize_t n = -1;

    if (*is_socket) {
        n = send(fd, bytes.p, bytes.n, MSG_NOSIGNAL | MSG_DONTWAIT);
        *is_socket = n >= 0 || errno != ENOTSOCK;
        if (*is_socket && (n >= 0 || errno != EAGAIN))
            return n;
    }
    if (!wait_for(fd, POLLOUT, deadline, err))
        return -1;
    return *is_socket ? send(fd, bytes.p, bytes.n, MSG_NOSIGNAL | MSG_DONTWAIT)
                      : write_quietly(fd, bytes);
}

static bool send_bytes(int fd, Bytes bytes, Mono deadline, Err *err)
{
    bool is_socket = true;

    *err = (Err){ .kind = ERR_NONE };
    while (bytes.n > 0) {
        ssize_t n = send_some(fd, bytes, &is_socket, deadline, err);

        if (err->kind != ERR_NONE)
            return false;
        if (n < 0 && (errno == EPIPE || errno == ECONNRESET))
            return err_set(err, ERR_CANCELLED, errno, "the peer is gone");
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return err_errno(err, errno, "cannot send to the peer");
        if (n > 0)
            bytes = bytes_after(bytes, (size_t)n);
    }
    return true;
}

bool json_line_send_within(int fd, const Json *message, int64_t timeout_ms, Err *err)
{
    AUTO_BUF line = buf_with_max(MESSAGE_BYTES_MAX);
    Mono deadline = mono_after(mono_now(), timeout_ms);

    if (json_kind(message) != JSON_OBJ || !json_write(message, &line) || !buf_put_u8(&line, '\n'))
        return err_set(err, ERR_BUG, 0, "a message is not whole or longer than %d bytes",
                       MESSAGE_BYTES_MAX);
    return send_bytes(fd, buf_bytes(&line), deadline, err);
}

bool json_line_send(int fd, const Json *message, Err *err)
{
    return json_line_send_within(fd, message, JSON_LINE_SEND_MS, err);
}

JsonLines json_lines_over(int fd)
{
    return (JsonLines){ .fd = fd, .buf = buf_with_max(MESSAGE_BYTES_MAX) };
}

void json_lines_done(JsonLines *reader)
{
    buf_done(&reader->buf);
    *reader = json_lines_over(reader->fd);
}

/* The next line in the buffer without its newline; *ret_used counts the newline. */
static bool find_line(JsonLines *reader, Bytes *ret_line, size_t *ret_used)
{
    Bytes all = buf_bytes(&reader->buf), rest = bytes_after(all, reader->scanned);
    const uint8_t *newline = rest.n ? memchr(rest.p, '\n', rest.n) : NULL;

    if (newline) {
        *ret_line = (Bytes){ all.p, (size_t)(newline - all.p) };
        *ret_used = ret_line->n + 1;
        return true;
    }
    reader->scanned = all.n;
    *ret_line = all;
    *ret_used = all.n;
    return reader->ended && all.n > 0;
}

/* Takes the next line out of the buffer. False when there is none. *ret_message stays NULL when the
 * line was empty. */
static bool take_line(JsonLines *reader, Json **ret_message, bool *ret_failed, Err *err)
{
    Bytes line;
    size_t used;

    *ret_failed = false;
    if (!find_line(reader, &line, &used))
        return false;
    bool cut = used == line.n; /* no newline: the peer may have died while it wrote */
    if (line.n > 0 && line.p[line.n - 1] == '\r')
        line.n--;
    if (line.n > 0) {
        AUTO(Json) message = json_parse(line, err);

        *ret_failed = json_kind(message) != JSON_OBJ;
        if (*ret_failed && cut)
            err_set(err, ERR_CANCELLED, EPIPE, "the peer closed in the middle of a message");
        else if (*ret_failed && message)
            err_set(err, ERR_BAD_INPUT, 0, "a message must be an object on one line");
        else if (*ret_failed)
            err_prefix(err, "a message of the peer");
        else
            *ret_message = STEAL(message);
    }
    buf_drop_front(&reader->buf, used);
    reader->scanned = 0;
    return true;
}

/* Reads what is there after waiting for it. */
static bool read_more(JsonLines *reader, Mono deadline, Err *err)
{
    size_t room = MESSAGE_BYTES_MAX - reader->buf.n;

    if (room == 0) {
        reader->spoilt = true;
        return err_set(err, ERR_BAD_INPUT, 0, "the peer sent a line longer than %d bytes",
                       MESSAGE_BYTES_MAX);
    }
    if (!wait_for(reader->fd, POLLIN, deadline, err))
        return false;
    uint8_t *to = buf_reserve(&reader->buf, room < READ_BYTES ? room : READ_BYTES);
    if (!to) {
        reader->buf.failed = false; /* what has come is kept for the next call */
        return err_set(err, ERR_TEMPORARY, ENOMEM, "no memory left for a message");
    }
    ssize_t n = read(reader->fd, to, room < READ_BYTES ? room : READ_BYTES);
    if (n < 0 && errno == ECONNRESET)
        return err_set(err, ERR_CANCELLED, ECONNRESET, "the peer died");
    if (n < 0 && errno != EAGAIN && errno != EINTR)
        return err_errno(err, errno, "cannot read from the peer");
    if (n > 0)
        reader->buf.n += (size_t)n;
    reader->ended = n == 0;
    return true;
}

bool json_lines_next(JsonLines *reader, int64_t timeout_ms, Json **ret_message, Err *err)
{
    Mono deadline = mono_after(mono_now(), timeout_ms);
    Json *message = NULL;
    bool failed = false;

    if (reader->spoilt)
        return err_set(err, ERR_BAD_INPUT, 0, "the peer sent a line longer than %d bytes",
                       MESSAGE_BYTES_MAX);
    while (!message && !failed) {
        if (take_line(reader, &message, &failed, err))
            continue;
        if (reader->ended)
            return err_set(err, ERR_CANCELLED, 0, "the peer closed");
        if (!read_more(reader, deadline, err))
            return false;
    }
    if (failed)
        return false;
    *ret_message = message;
    return true;
}
