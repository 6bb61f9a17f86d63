/* server/traces.c - see traces.h. */
#include "server/traces.h"

#include "scan/trace.h"

static bool start(void *arg, const Actor *actor, const DeviceId *device, const TraceWish *wish,
                  Trace *ret_trace, Err *err)
{
    return tracers_start(arg, actor, device, wish, ret_trace, err);
}

static bool stop(void *arg, const Actor *actor, const TraceId *id, Err *err)
{
    return tracers_stop(arg, actor, id, err);
}

static bool list(void *arg, Trace **ret_traces, size_t *ret_count, Err *err)
{
    return tracers_list(arg, ret_traces, ret_count, err);
}

static int open_one(void *arg, const TraceId *id, Trace *ret_trace, Err *err)
{
    return tracers_open(arg, id, ret_trace, err);
}

static bool remove_one(void *arg, const Actor *actor, const TraceId *id, Err *err)
{
    return tracers_remove(arg, actor, id, err);
}

const ApiTraces server_traces = { start, stop, list, open_one, remove_one };
