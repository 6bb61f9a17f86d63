/* queue/worker-process.h - one worker process and the dialogue with it.
 *
 * The process gets one end of a socket pair as descriptor 3 and the workers' lock as descriptor 4,
 * and nothing else that is ours. Messages are JSON lines (json/lines.h). One keeper thread owns a
 * WorkerProcess and must outlive it: a worker dies with the thread that started it. */
#ifndef PLATEN_QUEUE_WORKER_PROCESS_H
#define PLATEN_QUEUE_WORKER_PROCESS_H

#include "base/cleanup.h"
#include "base/err.h"
#include "json/json.h"

#include <sys/types.h>

typedef struct WorkerProcess WorkerProcess;

/* Starts `program --serve`. ERR_NOT_FOUND, ERR_DENIED, ERR_TEMPORARY. */
WorkerProcess *worker_start(const char *program, int lock_fd, Err *err);

/* Closes the socket (a worker then ends by itself), waits two seconds, kills, reaps. NULL is fine. */
void worker_stop(WorkerProcess *worker);
DEFINE_AUTO(WorkerProcess, worker_stop);

/* To kill it when a drain has taken too long. */
pid_t worker_pid(const WorkerProcess *worker);

/* The server's side of a dialogue. Both may be NULL: no question is expected, news is passed over. */
typedef struct WorkerTalk {
    void *arg;
    /* Answers a question of the worker; NULL with err set stops the task. */
    Json *(*answer)(void *arg, const Json *question, Err *err);
    /* A message of type progress. */
    void (*progress)(void *arg, const Json *message);
} WorkerTalk;

/* Sends the task and follows the dialogue to its result, at most timeout_ms, or so long after the last
 * message {"type":"alive"}. On success
 * *ret_result is the result message, owned by the caller. False: the worker died, fell silent or
 * talked nonsense (ERR_TEMPORARY and *ret_lost: it is killed, the caller stops it), or its task
 * crashed (ERR_TEMPORARY with the signal as code; the worker lives). talk may be NULL. */
bool worker_task(WorkerProcess *worker, const Json *task, int64_t timeout_ms,
                 const WorkerTalk *talk, Json **ret_result, bool *ret_lost, Err *err);

#endif
