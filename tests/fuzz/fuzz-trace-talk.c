/* tests/fuzz/fuzz-trace-talk.c - any conversation as lines of a trace.
 *
 * The first byte: 1 = with pages. Then pieces: one byte for who speaks (bit 0: the device) and how much (the rest), and
 * the bytes. Properties: lines are lines of printable ASCII; what is shown and what is left out is all that
 * was said. */
#include "device/trace-talk.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LARGEST = 1 << 16 };

static void must(bool holds)
{
    if (!holds)
        abort();
}

/* Bytes of hex behind each `name":"` of a line. */
static uint64_t shown_as(const char *line, const char *name)
{
    const char *at = strstr(line, name);

    return at ? strspn(at + strlen(name), "0123456789abcdef") / 2 : 0;
}

static uint64_t count_line(const char *line)
{
    static const char left_out[] = ",\"left_out\":";
    const char *says = strstr(line, ",\"says\":\"");
    char before[1 << 12];
    uint64_t n = shown_as(line, ",\"hex\":\"");

    must(line[0] == '{' && line[strlen(line) - 1] == '}' && says);
    for (const char *c = line; *c; c++)
        must(*c >= ' ' && *c <= '~');
    /* What a packet says of itself is no member of the line. */
    size_t from = (size_t)(strstr(line, ",\"hex\":\"") - line) + strlen(",\"hex\":\"") + 2 * n;
    size_t rest = (size_t)(says - line) - from;
    must(rest < sizeof before);
    memcpy(before, line + from, rest);
    before[rest] = '\0';
    const char *at = strstr(before, left_out);
    return n + shown_as(before, ",\"tail\":\"") +
           (at ? strtoull(at + strlen(left_out), NULL, 10) : 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const TraceStamp stamp = { .t_ms = 5, .connection = 2, .channel = DEVICE_CHANNEL_SCAN };
    AUTO_BUF out = buf_with_max(4 * TRACE_LINES_MAX);
    uint64_t said = 0, counted = 0;

    if (size == 0 || size > LARGEST)
        return 0;
    AUTO(TraceTalk) talk = trace_talk_new(data[0] & 1);
    Bytes in = { data + 1, size - 1 };
    must(talk != NULL);
    while (in.n > 1) {
        size_t n = in.p[0] >> 1;
        Bytes piece = { in.p + 1, n < in.n - 1 ? n : in.n - 1 };

        trace_talk_feed(talk, in.p[0] & 1, piece, &stamp, &out);
        said += piece.n;
        in = bytes_after(in, 1 + piece.n);
    }
    trace_talk_end(talk, &stamp, &out);
    must(!out.failed);
    char *text = (char *)(uintptr_t)buf_text(&out);
    for (char *line = text; *line;) {
        char *newline = strchr(line, '\n');

        must(newline != NULL);
        *newline = '\0';
        counted += count_line(line);
        line = newline + 1;
    }
    must(counted == said);
    return 0;
}
