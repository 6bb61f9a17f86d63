/* model/trace.h - traces: what was said between this server and one device, kept as a file for support. Pure. */
#ifndef PLATEN_MODEL_TRACE_H
#define PLATEN_MODEL_TRACE_H

#include "base/field.h"
#include "base/id.h"

enum {
    TRACE_FOR_MAX_S = 86400,
    TRACES_RUNNING_MAX = 4,             /* at the same time                                    */
    TRACES_KEPT_MAX = 100,              /* files; the oldest go                                */
    TRACE_BYTES_MAX = 32 * 1024 * 1024, /* of one trace without pages: hours of scanning       */
};

/* What a person wants. */
typedef struct TraceWish {
    int64_t for_s; /* so long at most      */
    bool pages;    /* pictures are in it   */
} TraceWish;

extern const Field trace_wish_fields[];

/* One trace as it stands. */
typedef struct Trace {
    TraceId id;
    DeviceId device;
    int64_t size_bytes;
    bool running;
} Trace;

#endif
