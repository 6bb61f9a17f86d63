/* tests/unit/http-peer.h - a raw HTTP client on blocking sockets, for the tests of http/.
 *
 * It says exactly the bytes it is given, so that it can also say wrong ones. Every read has a
 * deadline of some seconds. */
#ifndef PLATEN_TESTS_UNIT_HTTP_PEER_H
#define PLATEN_TESTS_UNIT_HTTP_PEER_H

#include "tests/unit/cm.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "http/server.h"
#include "json/json.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { ANSWER_BYTES_MAX = 512 * 1024, PEER_PATIENCE_S = 30 };

typedef struct Answer {
    int status; /* 0: the connection ended before a whole answer */
    char head[4096];
    char *body; /* NUL-terminated, points into bytes             */
    size_t body_n;
    char bytes[ANSWER_BYTES_MAX + 1];
} Answer;

static inline void be_patient(int fd)
{
    const struct timeval patience = { .tv_sec = PEER_PATIENCE_S };

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
}

static inline int dial(uint16_t port)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons(port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    be_patient(fd);
    return fd;
}

static inline int dial_unix(const char *path)
{
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    text_copy(to.sun_path, sizeof to.sun_path, path);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0) {
        close(fd);
        return -1;
    }
    be_patient(fd);
    return fd;
}

/* Sends the text; false when the peer is gone. */
static inline bool say(int fd, const char *text)
{
    size_t n = strlen(text);

    return send(fd, text, n, MSG_NOSIGNAL) == (ssize_t)n;
}

/* Value of a header of the answer, "" when absent. Valid until the next call of this thread. */
static inline const char *header_of(const Answer *answer, const char *name)
{
    static _Thread_local char value[256];
    char wanted[80];

    text_printf(wanted, sizeof wanted, "\r\n%s: ", name);
    const char *at = strcasestr(answer->head, wanted);
    value[0] = '\0';
    if (at) {
        at += strlen(wanted);
        text_copy_bytes(value, sizeof value, (Bytes){ (const uint8_t *)at, strcspn(at, "\r") });
    }
    return value;
}

/* Reads one byte after another until the blank line, then Content-Length bytes. */
static inline void hear(int fd, Answer *answer, bool is_head)
{
    size_t n = 0;
    int64_t length = 0;

    answer->status = 0;
    answer->body = answer->bytes;
    answer->body_n = 0;
    answer->bytes[0] = '\0';
    while (n < 4 || memcmp(answer->head + n - 4, "\r\n\r\n", 4) != 0) {
        assert_true(n < sizeof answer->head - 1);
        ssize_t got = read(fd, answer->head + n, 1);
        if (got <= 0)
            return;
        answer->head[++n] = '\0';
    }
    answer->status = (int)strtol(answer->head + strlen("HTTP/1.1 "), NULL, 10);
    if (is_head || !text_to_int(header_of(answer, "Content-Length"), 0, ANSWER_BYTES_MAX, &length))
        return;
    while (answer->body_n < (size_t)length) {
        ssize_t got = read(fd, answer->bytes + answer->body_n, (size_t)length - answer->body_n);
        if (got <= 0) {
            answer->status = 0;
            return;
        }
        answer->body_n += (size_t)got;
    }
    answer->bytes[answer->body_n] = '\0';
}

/* One request on an open connection. */
static inline void ask(int fd, Answer *answer, const char *request)
{
    assert_true(say(fd, request));
    hear(fd, answer, false);
}

/* One request on a connection of its own. rest: headers after Host, each with "\r\n". */
static inline void ask_once(uint16_t port, Answer *answer, const char *line, const char *rest)
{
    char request[2048];
    AUTO_FD fd = dial(port);

    text_printf(request, sizeof request, "%s HTTP/1.1\r\nHost: x\r\n%s\r\n", line, rest);
    assert_true(say(fd, request));
    hear(fd, answer, strncmp(line, "HEAD", 4) == 0);
}

static inline void rest_ms(int64_t ms)
{
    const struct timespec span = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

    nanosleep(&span, NULL);
}

/* True when the peer has closed or reset the connection within so many milliseconds. */
static inline bool is_closed_within(int fd, int64_t ms)
{
    const struct timeval patience = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };
    char bytes[512];
    ssize_t n;

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    while ((n = read(fd, bytes, sizeof bytes)) > 0)
        continue;
    return n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
}

/* The answer is a problem document (RFC 9457) of this status and code. */
static inline void assert_problem(const Answer *answer, int status, const char *code)
{
    Err err;
    char type[80];

    assert_int_equal(answer->status, status);
    assert_string_equal(header_of(answer, "Content-Type"), "application/problem+json");
    AUTO(Json) json = json_parse((Bytes){ (const uint8_t *)answer->body, answer->body_n }, &err);
    if (!json)
        fail_msg("%s: %s", err.text, answer->body);
    text_printf(type, sizeof type, "urn:platen:problem:%s", code);
    assert_string_equal(json_get_text(json, "type"), type);
    assert_int_equal(json_get_int(json, "status", 0), status);
    assert_true(json_get_text(json, "title")[0] != '\0');
    assert_true(json_get_text(json, "detail")[0] != '\0');
}

#endif
