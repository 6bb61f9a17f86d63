/* worker/task.h - the tasks of platen-worker: read a page, plan a batch, write a document or an index.
 *
 * A task is a JSON object, its answer another:
 *
 *   {"type":"task","id":"..","task":"read","folder":"/spool/../<batch>", ...}
 *   {"type":"result","id":"..","ok":true, ...}   or
 *   {"type":"result","id":"..","ok":false,"error":{"kind","code","field","text","remedy"}}
 *
 * docs/worker-messages.md has the members of each. Everything here runs in a child of its own, one
 * thread, after task_prepare locked it up. */
#ifndef PLATEN_WORKER_TASK_H
#define PLATEN_WORKER_TASK_H

#include "json/json.h"

#include <sys/types.h>

typedef struct TaskType {
    const char *name;
    int64_t limit_ms; /* after which the parent kills the child, unless the task says limit_ms */

    bool has_folder; /* works in "folder", and nowhere else; without it no file is opened */
    int nice; /* steps behind the server (nice(2)): what comes goes before what is looked at */

    /* Does it; adds its members to result. folder_fd: the batch's folder,
     * or -1. */
    bool (*run)(const Json *task, int folder_fd, Json *result, Err *err);
} TaskType;

/* Every task, ended by one without name. */
extern const TaskType task_types[];

/* The type of a task, NULL with err set when it has none that is known. */
const TaskType *task_type(const Json *task, Err *err);

/* Time limit of a task in milliseconds. */
int64_t task_limit_ms(const TaskType *type, const Json *task);

/* Runs a task in this process, which is locked up first (see sandbox.h) and tied to parent. Returns the
 * answer, owned by the caller; NULL only when memory is gone. */
Json *task_run(const Json *task, pid_t parent);

/* The answer to a task that failed. */
Json *task_failed(const Json *task, const Err *err);

/* One function per task; see task_types. */
bool task_read(const Json *task, int folder_fd, Json *result, Err *err);
bool task_plan(const Json *task, int folder_fd, Json *result, Err *err);
bool task_write(const Json *task, int folder_fd, Json *result, Err *err);
bool task_write_index(const Json *task, int folder_fd, Json *result, Err *err);

#endif
