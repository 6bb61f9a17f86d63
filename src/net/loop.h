/* net/loop.h - the event loop: posts from other threads, timers, signals.
 *
 * One Loop is run by one thread, called the loop thread. Everything in net/ belongs to that thread
 * (and to the starting thread before loop_run and after it has returned); only loop_post and
 * loop_stop may be called from others. Callbacks must not wait: no file, no SQL, no lock that
 * somebody holds while waiting. The only folder that knows libevent. */
#ifndef PLATEN_NET_LOOP_H
#define PLATEN_NET_LOOP_H

#include "base/cleanup.h"
#include "base/err.h"
#include "base/time.h"

typedef struct Loop Loop;
typedef void LoopFn(void *arg);

/* A loop that does not run yet. NULL with ERR_TEMPORARY when descriptors or memory are gone. */
Loop *loop_new(Err *err);

/* Runs until loop_stop. Answers false when the kernel's event interface fails (ERR_BUG). May be
 * called again afterwards. */
bool loop_run(Loop *loop, Err *err);

/* Any thread. loop_run returns soon; everything posted before this call runs first. */
void loop_stop(Loop *loop);

/* Accepts NULL. Other threads must not post any more. Posts that did not run are dropped without
 * being called; streams that were still saying good-bye (tcp_close) are cut. Timers, sockets,
 * listeners and streams that have an owner must be freed before. */
void loop_free(Loop *loop);
DEFINE_AUTO(Loop, loop_free);

/* Any thread: fn(arg) is run on the loop thread, in the order of posting. What a callback posts
 * runs in the next round, after the sockets had their turn. The queue itself has no bound, since a
 * lost crossing would leave somebody waiting for ever: the caller must bound how many posts of its
 * kind can be under way (one per page being written, one per request). When there is no memory for
 * the 32 bytes of a post the process aborts; a restart loses nothing. */
void loop_post(Loop *loop, LoopFn *fn, void *arg);

/* --- timers: loop thread only ------------------------------------------------------------------ */
typedef struct LoopTimer LoopTimer;

/* A timer that is not running. fn(arg) is called once per start, never before the deadline, on the
 * loop thread; it may start, stop or free its own timer. Timers fire in the order of their
 * deadlines, except that those less than 10 ms apart may fire in either order. NULL with
 * ERR_TEMPORARY when memory is gone. */
LoopTimer *loop_timer_new(Loop *loop, LoopFn *fn, void *arg, Err *err);

/* Sets or moves the deadline; one that has passed fires in the next round. MONO_NEVER stops. */
void loop_timer_start(LoopTimer *timer, Mono deadline);

void loop_timer_stop(LoopTimer *timer); /* also when it is not running */
void loop_timer_free(LoopTimer *timer); /* accepts NULL                */
DEFINE_AUTO(LoopTimer, loop_timer_free);

/* --- signals ----------------------------------------------------------------------------------- */
enum { LOOP_SIGNALS_MAX = 8 };

/* Calls fn(arg) on the loop thread whenever the process gets the signal (SIGTERM, SIGINT, SIGHUP
 * ...), until loop_free. Only one loop of a process may watch signals. ERR_BUG when more than
 * LOOP_SIGNALS_MAX are watched. */
bool loop_watch_signal(Loop *loop, int signal_number, LoopFn *fn, void *arg, Err *err);

#endif
