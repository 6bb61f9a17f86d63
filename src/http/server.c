/* http/server.c - starting, the queue and its threads, stopping. See server.h and inside.h. */
#include "http/server.h"

#include "http/inside.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

static struct timespec when(Mono mono)
{
    return (struct timespec){ .tv_sec = mono.ms / 1000, .tv_nsec = mono.ms % 1000 * 1000000 };
}

/* --- the queue --------------------------------------------------------------------------------- */

enum { THREADS_THAT_NEVER_WAIT = 2 };

static bool is_waiting(const HttpRequest *req)
{
    return (req->route->flags & ROUTE_WAITS) != 0;
}

/* Somebody must always be there for who only wants to look. */
static unsigned waits_max(const HttpServer *server)
{
    return server->thread_count > THREADS_THAT_NEVER_WAIT
               ? server->thread_count - THREADS_THAT_NEVER_WAIT
               : 1;
}

static void refuse_busy(HttpRequest *req, bool stopping, bool patient)
{
    Err err;

    err_set(&err, ERR_TEMPORARY, 0, "%s",
            stopping  ? "the server is stopping"
            : patient ? "as many requests wait for devices and destinations as may"
                      : "too many requests are waiting");
    err_remedy(&err, "Try again in a moment.");
    http_response_header(&req->response, "Retry-After", "1");
    http_problem(req, 503, "busy", &err);
}

bool http_server_submit(HttpServer *server, HttpRequest *req)
{
    pthread_mutex_lock(&server->lock);
    bool patient = is_waiting(req) && server->waits >= waits_max(server);
    bool room = !server->stopping && server->queue_count < server->config.queue_max && !patient;
    bool stopping = server->stopping;
    if (room) {
        server->waits += is_waiting(req);
        /* Suspended first: a thread may resume it as soon as it is in the queue. */
        MHD_suspend_connection(req->mhd);
        unsigned at = (server->queue_first + server->queue_count) % server->config.queue_max;
        server->queue[at] = req;
        server->queue_count++;
        pthread_cond_signal(&server->work);
    }
    pthread_mutex_unlock(&server->lock);
    if (room)
        return true;
    refuse_busy(req, stopping, patient);
    return false;
}

/* Waits for a request and watches over slow connections meanwhile. NULL when the server stops and
 * nothing waits any more. The lock is held. */
static HttpRequest *next_request(HttpServer *server)
{
    while (server->queue_count == 0 && !server->stopping) {
        if (server->watching) { /* one thread looks at the clock, the others sleep */
            pthread_cond_wait(&server->work, &server->lock);
            continue;
        }
        struct timespec until = when(server->next_sweep);
        server->watching = true;
        pthread_cond_timedwait(&server->work, &server->lock, &until);
        server->watching = false;
        Mono now = mono_now();
        if (!mono_reached(now, server->next_sweep))
            continue;
        http_sweep(server, now);
        if (server->config.events)
            http_events_tick(server->config.events, now);
    }
    if (server->queue_count == 0)
        return NULL;
    HttpRequest *req = server->queue[server->queue_first];
    server->queue_first = (server->queue_first + 1) % server->config.queue_max;
    server->queue_count--;
    if (!server->watching)
        pthread_cond_signal(&server->work); /* somebody else must look at the clock now */
    return req;
}

static void *api_thread(void *arg)
{
    HttpServer *server = arg;
    HttpRequest *req = NULL;

    pthread_mutex_lock(&server->lock);
    while ((req = next_request(server)) != NULL) {
        bool stopping = server->stopping;
        pthread_mutex_unlock(&server->lock);
        struct MHD_Connection *mhd = req->mhd;
        bool waited = is_waiting(req);
        if (stopping)
            http_refuse(req, 503, "busy", "the server is stopping");
        else
            http_request_run(req);
        pthread_mutex_lock(&server->lock);
        server->waits -= waited;
        MHD_resume_connection(mhd); /* from here on the request belongs to its polling thread */
    }
    pthread_mutex_unlock(&server->lock);
    return NULL;
}

bool http_server_count_body(HttpServer *server, HttpRequest *req, size_t n)
{
    pthread_mutex_lock(&server->lock);
    bool room = n <= HTTP_BODIES_BYTES_MAX - server->body_bytes;
    if (room) {
        server->body_bytes += n;
        req->body_counted += n;
    }
    pthread_mutex_unlock(&server->lock);
    return room;
}

void http_server_begin(HttpServer *server)
{
    pthread_mutex_lock(&server->lock);
    server->active++;
    pthread_mutex_unlock(&server->lock);
}

void http_server_complete(HttpServer *server, HttpRequest *req)
{
    pthread_mutex_lock(&server->lock);
    server->body_bytes -= req->body_counted;
    if (--server->active == 0)
        pthread_cond_broadcast(&server->quiet);
    pthread_mutex_unlock(&server->lock);
}

/* --- starting and stopping --------------------------------------------------------------------- */

static void fill_presets(HttpConfig *config)
{
    if (config->api_threads == 0)
        config->api_threads = 4;
    if (config->api_threads > HTTP_THREADS_MAX)
        config->api_threads = HTTP_THREADS_MAX;
    if (config->queue_max == 0)
        config->queue_max = 64;
    if (config->connections_max == 0)
        config->connections_max = 512;
    if (config->address_max == 0)
        config->address_max = 64;
    if (config->first_request_ms == 0)
        config->first_request_ms = 10000;
    if (config->body_ms == 0)
        config->body_ms = 60000;
    if (config->idle_s == 0)
        config->idle_s = 30;
}

static bool init_conditions(HttpServer *server)
{
    pthread_condattr_t attributes;

    if (pthread_condattr_init(&attributes) != 0)
        return false;
    bool ok = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0 &&
              pthread_cond_init(&server->work, &attributes) == 0 &&
              pthread_cond_init(&server->quiet, &attributes) == 0 &&
              pthread_mutex_init(&server->lock, NULL) == 0;
    pthread_condattr_destroy(&attributes);
    return ok;
}

HttpServer *http_server_new(const HttpConfig *config, Err *err)
{
    HttpServer *server = NULL;

    if (!http_router_check(config->routes, err))
        return NULL;
    server = calloc(1, sizeof *server);
    if (!server || !init_conditions(server)) {
        free(server);
        err_set(err, ERR_TEMPORARY, 0, "no memory for an HTTP server");
        return NULL;
    }
    server->config = *config;
    fill_presets(&server->config);
    server->next_sweep = mono_after(mono_now(), HTTP_SWEEP_MS);
    server->queue = calloc(server->config.queue_max, sizeof *server->queue);
    int failed = server->queue ? 0 : ENOMEM;
    while (!failed && server->thread_count < server->config.api_threads) {
        failed = pthread_create(&server->threads[server->thread_count], NULL, api_thread, server);
        server->thread_count += failed == 0;
    }
    if (failed) {
        http_server_free(server);
        err_errno(err, failed, "start the threads of an HTTP server");
        return NULL;
    }
    return server;
}

/* Gives the answers that are under way a moment to leave. */
static void wait_for_answers(HttpServer *server)
{
    struct timespec until = when(mono_after(mono_now(), HTTP_STOP_MS));
    int late = 0;

    pthread_mutex_lock(&server->lock);
    while (server->active > 0 && late == 0)
        late = pthread_cond_timedwait(&server->quiet, &server->lock, &until);
    pthread_mutex_unlock(&server->lock);
}

void http_server_stop(HttpServer *server)
{
    if (server->stopped)
        return;
    server->stopped = true;
    for (size_t i = 0; i < server->listener_count; i++)
        http_listener_quiesce(&server->listeners[i]);

    pthread_mutex_lock(&server->lock);
    server->stopping = true;
    pthread_cond_broadcast(&server->work);
    pthread_mutex_unlock(&server->lock);
    for (unsigned i = 0; i < server->thread_count; i++)
        pthread_join(server->threads[i], NULL);

    if (server->config.events)
        http_events_close(server->config.events);
    wait_for_answers(server);
    /* Nothing is suspended any more: the threads resumed all requests, the hub all streams. */
    for (size_t i = 0; i < server->listener_count; i++)
        http_listener_stop(&server->listeners[i]);
}

void http_server_free(HttpServer *server)
{
    if (!server)
        return;
    http_server_stop(server);
    pthread_mutex_destroy(&server->lock);
    pthread_cond_destroy(&server->work);
    pthread_cond_destroy(&server->quiet);
    free(server->queue);
    free(server);
}
