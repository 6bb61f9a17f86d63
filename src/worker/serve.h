/* worker/serve.h - the parent in platen-worker: one child per task, its messages passed on.
 *
 * The child speaks on a socket of its own; only whole lines of it reach the server, so that a child
 * that dies in the middle of a word leaves no half message. A child that dies without a result, or is
 * killed because its time is over, becomes
 *
 *   {"type":"crashed","task":"<id>","signal":11,"status":0,"text":"..."}
 *
 * (signal 0: it exited with that status.) One task at a time; the next one waits in the socket. */
#ifndef PLATEN_WORKER_SERVE_H
#define PLATEN_WORKER_SERVE_H

#include "json/lines.h"

/* Serves tasks that come on fd until the other side closes it. False with err set when fd fails. */
bool serve(int fd, Err *err);

/* Runs one task and sends its messages to out_fd. server_fd: when its other side closes, the child is
 * killed and the answer is false with ERR_CANCELLED; -1 = nobody to watch. *ret_ok: the task's result
 * said ok. False when out_fd fails. */
bool serve_task(const Json *task, int out_fd, int server_fd, bool *ret_ok, Err *err);

#endif
