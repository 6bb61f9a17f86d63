/* device/trace-talk.h - bytes of a conversation with a device as lines of a trace. Sans-IO.
 *
 * A trace is a file of JSON lines. Of each line "t" is the time in milliseconds since its start, "c" the connection (0: a
 * datagram), "on" the channel:
 *
 *   {"t":7,"c":2,"on":"scan","event":"connected","text":"TLSv1.3"}     opened, connected, ended, closed
 *   {"t":9,"c":2,"on":"scan","dir":"p>h","hex":"49538000...","says":"welcome ....."}
 *   {"t":80,"c":2,"on":"scan","dir":"p>h","hex":"4953a000...","left_out":86592,"sha256":"...","tail":"00"}
 *
 * dir is "p>h" from the device, "h>p" to it. On TCP 1865 a line is one IS packet, however its bytes came; else what was
 * read or written at once. hex + left_out + tail is the whole of it. Left out are pictures (unless they are wanted, and a
 * block is at most a mebibyte), and
 * always what logs a person in, which has no hash. What is no IS packet is shown by its first bytes only.
 * Used by scan/trace.c; the tests play the device of a trace. */
#ifndef PLATEN_DEVICE_TRACE_TALK_H
#define PLATEN_DEVICE_TRACE_TALK_H

#include "base/bytes.h"
#include "base/cleanup.h"
#include "device/device-link.h"

enum {
    TRACE_LINES_MAX = 8 * 1024 * 1024, /* what one call may append                    */
    TRACE_GARBAGE_MAX = 256,           /* bytes that are shown of what is no packet   */
    TRACE_SAYS_MAX = 1500,             /* characters of a packet that people read     */
};

/* When and where; of each line. */
typedef struct TraceStamp {
    int64_t t_ms;
    uint32_t connection;
    DeviceChannel channel;
} TraceStamp;

/* Appends the line of an event; text may be "". All of these: *out fails when it is full. */
void trace_put_event(Buf *out, const TraceStamp *stamp, const char *event, const char *text);
/* The line of bytes that are no packets: a datagram, a piece of HTTP. */
void trace_put_piece(Buf *out, const TraceStamp *stamp, bool from_device, Bytes piece);
/* text as a JSON string in its quotes; what is not printable ASCII becomes a dot. */
void trace_put_text(Buf *out, Bytes text);

/* One connection to TCP 1865. */
typedef struct TraceTalk TraceTalk;

/* with_pages: pictures are not left out. NULL when memory is gone. */
TraceTalk *trace_talk_new(bool with_pages);
void trace_talk_free(TraceTalk *talk); /* accepts NULL */
DEFINE_AUTO(TraceTalk, trace_talk_free);

/* Bytes as they came or went; appends a line for each packet that is whole now. */
void trace_talk_feed(TraceTalk *talk, bool from_device, Bytes bytes, const TraceStamp *stamp,
                     Buf *out);

/* The connection is closed: lines for packets that are not whole, with "cut":true. */
void trace_talk_end(TraceTalk *talk, const TraceStamp *stamp, Buf *out);

#endif
