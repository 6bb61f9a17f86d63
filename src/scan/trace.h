/* scan/trace.h - traces that run: what the device link tells of traced devices goes into their files.
 *
 *   [any thread: file made, header] -> running -> lines: [loop: made] -> [spool thread: written]
 *   ends: stopped, time, size, disk, memory, server-stopping; the last line says which
 *         -> [spool thread: all written, synced] -> ended. Until then it still counts as one that runs
 *
 * A trace goes with its device when that gets another address. One mutex guards the lists of running and ending traces;
 * it is held for as long as a line is made. */
#ifndef PLATEN_SCAN_TRACE_H
#define PLATEN_SCAN_TRACE_H

#include "base/cleanup.h"
#include "device/device-link.h"
#include "model/trace.h"
#include "net/loop.h"
#include "store/config-rows.h"
#include "store/spool.h"
#include "store/store.h"

typedef struct Tracers Tracers;

typedef struct TraceConfig {
    const char *data_path; /* must outlive the Tracers                                            */
    int64_t
        bytes_max; /* all traces together; one has a quarter of it, or TRACE_BYTES_MAX if that is less
                              and it is without pages */
    int64_t keep_days; /* then a trace is removed */
    int64_t stop_ms;   /* stopping waits so long for the disk, 0: TRACE_STOP_MS */
} TraceConfig;

enum { TRACE_STOP_MS = 10000 };

/* config and what it points to, and the others, must outlive it. */
Tracers *tracers_new(Loop *loop, Store *store, Spool *spool, const TraceConfig *config, Err *err);
/* When the loop has ended and the spool is closed. Accepts NULL. */
void tracers_free(Tracers *tracers);
DEFINE_AUTO(Tracers, tracers_free);

/* All traces end; none begins any more. Loop thread. */
void tracers_stop_all(Tracers *tracers);

/* Of DeviceHost. Loop thread. False: no trace runs. */
bool tracers_traffic(Tracers *tracers, const DeviceTraffic *traffic);

/* A device is at another address now; who was there is where that one was. Loop thread. */
void tracers_moved(Tracers *tracers, const DeviceId *device, const char *former,
                   const char *address);

/* The rest waits for files and the writer thread: any thread but loop, writer and spool. */

/* Begins a trace. ERR_NOT_FOUND, ERR_CONFLICT (it is traced already, or TRACES_RUNNING_MAX are), ERR_TEMPORARY (stopping,
 * disk). */
bool tracers_start(Tracers *tracers, const Actor *actor, const DeviceId *device,
                   const TraceWish *wish, Trace *ret_trace, Err *err);

/* Ends a trace; its file is then whole and on disk. ERR_NOT_FOUND; ERR_CONFLICT: it has ended. ERR_TEMPORARY: it is
 * ended, but the end of its file is not written, or not yet. */
bool tracers_stop(Tracers *tracers, const Actor *actor, const TraceId *id, Err *err);

/* What there is, newest first; *ret_traces is the caller's to free. */
bool tracers_list(Tracers *tracers, Trace **ret_traces, size_t *ret_count, Err *err);

/* The file of a trace, as far as it is written; the descriptor is the caller's. -1: ERR_NOT_FOUND ... */
int tracers_open(Tracers *tracers, const TraceId *id, Trace *ret_trace, Err *err);

/* ERR_NOT_FOUND; ERR_CONFLICT: it runs. */
bool tracers_remove(Tracers *tracers, const Actor *actor, const TraceId *id, Err *err);

#endif
