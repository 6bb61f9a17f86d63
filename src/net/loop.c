/* net/loop.c - see loop.h. */
#include "net/loop.h"

#include "net/inside.h"

#include <errno.h>
#include <event2/thread.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

typedef struct Post {
    struct Post *next;
    LoopFn *fn;
    void *arg;
} Post;

typedef struct SignalWatch {
    struct event *event;
    LoopFn *fn;
    void *arg;
} SignalWatch;

struct Loop {
    struct event_base *base;
    struct event *wake; /* made active by posters                       */
    pthread_mutex_t lock;
    Post *first, **last; /* under lock                                   */
    SignalWatch signals[LOOP_SIGNALS_MAX];
    size_t signal_count;
    TcpStream *closing;
    uint8_t *buffer; /* LOOP_BUFFER_BYTES                            */
};

struct LoopTimer {
    struct event *event;
    LoopFn *fn;
    void *arg;
    Mono deadline;
};

struct event_base *loop_base(Loop *loop)
{
    return loop->base;
}

uint8_t *loop_buffer(Loop *loop)
{
    return loop->buffer;
}

TcpStream **loop_closing_streams(Loop *loop)
{
    return &loop->closing;
}

struct timeval net_span(int64_t ms)
{
    if (ms < 0)
        ms = 0;
    return (struct timeval){ .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };
}

/* Takes everything posted so far; the list of posters starts anew. */
static Post *take_posts(Loop *loop)
{
    pthread_mutex_lock(&loop->lock);
    Post *posts = loop->first;
    loop->first = NULL;
    loop->last = &loop->first;
    pthread_mutex_unlock(&loop->lock);
    return posts;
}

static void run_posts(evutil_socket_t fd, short what, void *arg)
{
    Post *post = take_posts(arg);

    (void)fd;
    (void)what;
    while (post) {
        Post *next = post->next;
        post->fn(post->arg);
        free(post);
        post = next;
    }
}

static void use_threads(void)
{
    evthread_use_pthreads();
}

Loop *loop_new(Err *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    AUTO(Loop) loop = calloc(1, sizeof *loop);

    pthread_once(&once, use_threads); /* before the first base, or bases have no locks */
    if (loop) {
        pthread_mutex_init(&loop->lock, NULL);
        loop->last = &loop->first;
        loop->base = event_base_new();
        loop->buffer = malloc(LOOP_BUFFER_BYTES);
    }
    if (loop && loop->base)
        loop->wake = event_new(loop->base, -1, EV_PERSIST, run_posts, loop);
    if (!loop || !loop->wake || !loop->buffer) {
        err_set(err, ERR_TEMPORARY, errno, "no memory or descriptors for an event loop");
        return NULL;
    }
    return STEAL(loop);
}

bool loop_run(Loop *loop, Err *err)
{
    if (event_base_loop(loop->base, EVLOOP_NO_EXIT_ON_EMPTY) < 0)
        return err_set(err, ERR_BUG, errno, "the event loop cannot wait for events");
    return true;
}

static void break_loop(void *arg)
{
    Loop *loop = arg;

    event_base_loopbreak(loop->base);
}

void loop_stop(Loop *loop)
{
    loop_post(loop, break_loop, loop);
}

void loop_free(Loop *loop)
{
    if (!loop)
        return;
    while (loop->closing)
        tcp_abort(loop->closing); /* takes itself off the list */
    for (Post *post = take_posts(loop), *next; post; post = next) {
        next = post->next;
        free(post);
    }
    for (size_t i = 0; i < loop->signal_count; i++)
        event_free(loop->signals[i].event);
    if (loop->wake)
        event_free(loop->wake);
    if (loop->base)
        event_base_free(loop->base);
    pthread_mutex_destroy(&loop->lock);
    free(loop->buffer);
    free(loop);
}

void loop_post(Loop *loop, LoopFn *fn, void *arg)
{
    Post *post = malloc(sizeof *post);

    if (!post)
        abort();
    *post = (Post){ .fn = fn, .arg = arg };
    pthread_mutex_lock(&loop->lock);
    bool was_empty = loop->first == NULL;
    *loop->last = post;
    loop->last = &post->next;
    pthread_mutex_unlock(&loop->lock);
    if (was_empty)
        event_active(loop->wake, EV_READ, 0);
}

/* libevent's clock is coarse and cached, so an event may come some milliseconds early. */
static void timer_fired(evutil_socket_t fd, short what, void *arg)
{
    LoopTimer *timer = arg;

    (void)fd;
    (void)what;
    if (mono_reached(mono_now(), timer->deadline))
        timer->fn(timer->arg);
    else
        loop_timer_start(timer, timer->deadline);
}

LoopTimer *loop_timer_new(Loop *loop, LoopFn *fn, void *arg, Err *err)
{
    AUTO(LoopTimer) timer = calloc(1, sizeof *timer);

    if (timer) {
        *timer = (LoopTimer){ .fn = fn, .arg = arg, .deadline = MONO_NEVER };
        timer->event = event_new(loop->base, -1, 0, timer_fired, timer);
    }
    if (!timer || !timer->event) {
        err_set(err, ERR_TEMPORARY, 0, "no memory for a timer");
        return NULL;
    }
    return STEAL(timer);
}

void loop_timer_start(LoopTimer *timer, Mono deadline)
{
    /* Adding a timer that is due takes its turn from it: bytes without a pause would always come before it. */
    if (deadline.ms == timer->deadline.ms && event_pending(timer->event, EV_TIMEOUT, NULL))
        return;
    timer->deadline = deadline;
    if (deadline.ms == MONO_NEVER.ms) {
        event_del(timer->event);
        return;
    }
    struct timeval span = net_span(deadline.ms - mono_now().ms);
    event_add(timer->event, &span);
}

void loop_timer_stop(LoopTimer *timer)
{
    loop_timer_start(timer, MONO_NEVER);
}

void loop_timer_free(LoopTimer *timer)
{
    if (!timer)
        return;
    if (timer->event)
        event_free(timer->event);
    free(timer);
}

static void signal_came(evutil_socket_t number, short what, void *arg)
{
    SignalWatch *watch = arg;

    (void)number;
    (void)what;
    watch->fn(watch->arg);
}

bool loop_watch_signal(Loop *loop, int signal_number, LoopFn *fn, void *arg, Err *err)
{
    if (loop->signal_count == LOOP_SIGNALS_MAX)
        return err_set(err, ERR_BUG, 0, "more than %d signals are watched", LOOP_SIGNALS_MAX);

    SignalWatch *watch = &loop->signals[loop->signal_count];
    *watch = (SignalWatch){ .fn = fn, .arg = arg };
    watch->event = evsignal_new(loop->base, signal_number, signal_came, watch);
    if (!watch->event || event_add(watch->event, NULL) != 0) {
        if (watch->event)
            event_free(watch->event);
        return err_errno(err, errno, "watch signal %d", signal_number);
    }
    loop->signal_count++;
    return true;
}
