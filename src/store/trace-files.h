/* store/trace-files.h - the files of traces: <data>/traces/<trace id>.<device id>.jsonl.
 *
 * They explain themselves and have no rows. Folder and files are for the server's user alone (0700, 0600). Errors are
 * those of base/file.h. Blocking; any thread but the loop. */
#ifndef PLATEN_STORE_TRACE_FILES_H
#define PLATEN_STORE_TRACE_FILES_H

#include "base/err.h"
#include "model/trace.h"

/* A new empty file for writing, its name is on disk; the descriptor is the caller's. -1 with err set. */
int trace_file_create(const char *data_path, const TraceId *id, const DeviceId *device, Err *err);

/* Opens one for reading. *ret_trace: running is false. -1: ERR_NOT_FOUND ... */
int trace_file_open(const char *data_path, const TraceId *id, Trace *ret_trace, Err *err);

/* ERR_NOT_FOUND ... */
bool trace_file_remove(const char *data_path, const TraceId *id, Err *err);

/* Reads what there is, newest first; at most TRACES_LISTED_MAX. *ret_traces is the caller's to free, NULL when there
 * are none. */
enum { TRACES_LISTED_MAX = 1000 };
bool trace_files_list(const char *data_path, Trace **ret_traces, size_t *ret_count, Err *err);

/* Removes what began before that time, then the oldest until no more than so many and no more than so many bytes stay.
 * is_running: is not touched, and not counted. */
typedef struct TraceBounds {
    Wall before;
    size_t count_max;
    int64_t bytes_max;
    bool (*is_running)(void *arg, const TraceId *id);
    void *arg;
} TraceBounds;
bool trace_files_tidy(const char *data_path, const TraceBounds *bounds, Err *err);

#endif
