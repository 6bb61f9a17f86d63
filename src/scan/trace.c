/* scan/trace.c - see trace.h. */
#include "scan/trace.h"

#include "base/log.h"
#include "base/text.h"
#include "device/trace-talk.h"
#include "scan/trace-write.h"
#include "store/trace-files.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

enum {
    TRACER_TALKS_MAX = 16, /* connections to TCP 1865 of one device at the same time */
    TICK_MS = 1000,        /* while a trace runs */
    TIDY_MS = 3600 * 1000,
    SECOND_MS = 1000,
    NANOSECONDS_IN_MS = 1000 * 1000,
    DAY_MS = 86400 * 1000,
    HEADER_MAX = 4096,
};

typedef struct Talk {
    uint32_t connection; /* 0: free */
    DeviceChannel channel;
    TraceTalk *talk;
} Talk;

/* One trace that runs, or ends: then it waits for the spool thread. */
typedef struct Tracer {
    struct Tracers *all;
    struct Tracer *next;
    unsigned waiters; /* threads that wait for its end; the last of them frees it */
    bool written, ok; /* the end: that was tried, and all is on disk              */
    bool lost;        /* its last line                                            */
    Trace trace;
    char address[ADDRESS_TEXT_SIZE];
    bool pages;
    Mono began, until;
    int64_t bytes_max;
    TraceWriter *writer;
    Talk talks[TRACER_TALKS_MAX];
    Buf lines;
} Tracer;

struct Tracers {
    Loop *loop;
    Store *store;
    Spool *spool;
    TraceConfig config;
    LoopTimer *timer;
    Mono tidied;
    atomic_uint count; /* of running ones: most of the time there is none */
    pthread_mutex_t lock;
    pthread_cond_t written;
    /* under the lock */
    Tracer *running, *ending;
    bool stopping;
};

static void tracer_free(Tracer *tracer)
{
    if (!tracer)
        return;
    for (size_t i = 0; i < TRACER_TALKS_MAX; i++)
        trace_talk_free(tracer->talks[i].talk);
    trace_writer_close(tracer->writer);
    buf_done(&tracer->lines);
    free(tracer);
}
DEFINE_AUTO(Tracer, tracer_free);

/* --- lines ------------------------------------------------------------------------------------------- */

static int64_t elapsed_ms(const Tracer *tracer)
{
    return mono_now().ms - tracer->began.ms;
}

/* Hands the lines over; NULL, or why the trace is at its end. */
static const char *hand_over(Tracer *tracer)
{
    Bytes lines = buf_bytes(&tracer->lines);

    if (tracer->lines.failed)
        return "memory";
    if (tracer->trace.size_bytes + (int64_t)lines.n > tracer->bytes_max)
        return "size";
    if (lines.n > 0 && !trace_writer_put(tracer->writer, lines))
        return "disk";
    tracer->trace.size_bytes += (int64_t)lines.n;
    buf_clear(&tracer->lines);
    return NULL;
}

/* What came of packets that are not whole yet. NULL, or why the trace is at its end before. */
static const char *put_unfinished(Tracer *tracer)
{
    const char *over = NULL;

    for (size_t i = 0; i < TRACER_TALKS_MAX && !over; i++) {
        const Talk *talk = &tracer->talks[i];
        TraceStamp stamp = { elapsed_ms(tracer), talk->connection, talk->channel };

        if (talk->connection == 0)
            continue;
        trace_talk_end(talk->talk, &stamp, &tracer->lines);
        over = hand_over(tracer);
    }
    return over;
}

/* Out of the list of those that end. Under the lock. */
static void forget(Tracer *tracer)
{
    Tracer **at = &tracer->all->ending;

    while (*at != tracer)
        at = &(*at)->next;
    *at = tracer->next;
    tracer_free(tracer);
}

/* Spool thread; without memory that of end_at, which has the lock. */
static void end_written(Tracer *tracer, bool ok)
{
    if (!ok || tracer->lost)
        log_line(LOG_WARNING, "trace.not-written", "trace=%s", tracer->trace.id.text);
    tracer->written = true;
    tracer->ok = ok && !tracer->lost;
    pthread_cond_broadcast(&tracer->all->written);
    if (tracer->waiters == 0)
        forget(tracer);
}

/* Spool thread. */
static void file_written(void *arg, bool ok)
{
    Tracers *t = ((Tracer *)arg)->all;

    pthread_mutex_lock(&t->lock);
    end_written(arg, ok);
    pthread_mutex_unlock(&t->lock);
}

/* Takes the tracer that *at points to out of the list: its last line, and nothing more. Under the lock. */
static void close_at(Tracers *t, Tracer **at, const char *why)
{
    Tracer *tracer = *at;

    *at = tracer->next;
    tracer->next = t->ending;
    t->ending = tracer;
    atomic_fetch_sub(&t->count, 1);
    buf_clear(&tracer->lines);
    buf_printf(&tracer->lines, "{\"t\":%lld,\"event\":\"trace ended\",\"text\":\"%s\"}\n",
               (long long)elapsed_ms(tracer), why);
    tracer->lost = !trace_writer_put(tracer->writer, buf_bytes(&tracer->lines));
    log_line(LOG_INFO, "trace.ended", "device=%s trace=%s why=%s bytes=%lld", tracer->address,
             tracer->trace.id.text, why, (long long)tracer->trace.size_bytes);
    if (!trace_writer_finish(tracer->writer, file_written, tracer))
        end_written(tracer, false);
}

/* The same with what is unfinished. */
static void end_at(Tracers *t, Tracer **at, const char *why)
{
    const char *over = put_unfinished(*at);

    close_at(t, at, over ? over : why);
}

static Talk *talk_of(Tracer *tracer, uint32_t connection)
{
    for (size_t i = 0; i < TRACER_TALKS_MAX; i++)
        if (tracer->talks[i].connection == connection)
            return &tracer->talks[i];
    return NULL;
}

static bool has_packets(DeviceChannel channel)
{
    return channel == DEVICE_CHANNEL_SCAN || channel == DEVICE_CHANNEL_JOB;
}

static void connection_opened(Tracer *tracer, const TraceStamp *stamp)
{
    Talk *free_one = has_packets(stamp->channel) ? talk_of(tracer, 0) : NULL;

    trace_put_event(&tracer->lines, stamp, "opened", "");
    if (!free_one)
        return;
    free_one->channel = stamp->channel;
    free_one->talk = trace_talk_new(tracer->pages);
    free_one->connection = free_one->talk ? stamp->connection : 0;
}

static void connection_closed(Tracer *tracer, const TraceStamp *stamp)
{
    Talk *talk = talk_of(tracer, stamp->connection);

    if (talk && stamp->connection > 0) {
        trace_talk_end(talk->talk, stamp, &tracer->lines);
        trace_talk_free(STEAL(talk->talk));
        talk->connection = 0;
    }
    trace_put_event(&tracer->lines, stamp, "closed", "");
}

/* Bytes of a connection whose beginning was not traced are no packets that could be read: they are not shown. */
static void bytes_passed(Tracer *tracer, const TraceStamp *stamp, bool from_device, Bytes bytes)
{
    if (!has_packets(stamp->channel)) {
        trace_put_piece(&tracer->lines, stamp, from_device, bytes);
        return;
    }
    Talk *talk = talk_of(tracer, stamp->connection);
    if (talk)
        trace_talk_feed(talk->talk, from_device, bytes, stamp, &tracer->lines);
}

static const char *record(Tracer *tracer, const DeviceTraffic *traffic)
{
    TraceStamp stamp = { elapsed_ms(tracer), traffic->connection, traffic->channel };

    switch (traffic->kind) {
    case DEVICE_TRAFFIC_OPENED:
        connection_opened(tracer, &stamp);
        break;
    case DEVICE_TRAFFIC_CONNECTED:
        trace_put_event(&tracer->lines, &stamp, "connected",
                        traffic->text[0] ? traffic->text : "plain");
        break;
    case DEVICE_TRAFFIC_FROM_DEVICE:
    case DEVICE_TRAFFIC_TO_DEVICE:
        bytes_passed(tracer, &stamp, traffic->kind == DEVICE_TRAFFIC_FROM_DEVICE, traffic->bytes);
        break;
    case DEVICE_TRAFFIC_ENDED:
        trace_put_event(&tracer->lines, &stamp, "ended", traffic->text);
        break;
    case DEVICE_TRAFFIC_CLOSED:
        connection_closed(tracer, &stamp);
        break;
    default:
        break;
    }
    return hand_over(tracer);
}

/* A connection stays with its trace also when the device has another address meanwhile. */
static bool is_about(Tracer *tracer, const DeviceTraffic *traffic)
{
    return text_equal(tracer->address, traffic->address) ||
           (traffic->connection > 0 && talk_of(tracer, traffic->connection));
}

bool tracers_traffic(Tracers *t, const DeviceTraffic *traffic)
{
    if (t->count == 0)
        return false;
    pthread_mutex_lock(&t->lock);
    for (Tracer **at = &t->running; *at;) {
        const char *over = is_about(*at, traffic) ? record(*at, traffic) : NULL;

        if (over)
            close_at(t, at, over);
        else
            at = &(*at)->next;
    }
    pthread_mutex_unlock(&t->lock);
    return true;
}

static const char *go_to(Tracer *tracer, const char *address)
{
    if (text_equal(tracer->address, address))
        return NULL;
    (void)text_copy(tracer->address, sizeof tracer->address, address);
    buf_printf(&tracer->lines,
               "{\"t\":%lld,\"event\":\"moved\",\"text\":", (long long)elapsed_ms(tracer));
    trace_put_text(&tracer->lines, bytes_of_text(address));
    buf_put_text(&tracer->lines, "}\n");
    return hand_over(tracer);
}

void tracers_moved(Tracers *t, const DeviceId *device, const char *former, const char *address)
{
    pthread_mutex_lock(&t->lock);
    for (Tracer **at = &t->running; *at;) {
        bool is_it = text_equal((*at)->trace.device.text, device->text);
        bool was_there = !is_it && text_equal((*at)->address, address);
        const char *over = is_it ? go_to(*at, address) : was_there ? go_to(*at, former) : NULL;

        if (over)
            close_at(t, at, over);
        else
            at = &(*at)->next;
    }
    pthread_mutex_unlock(&t->lock);
}

/* --- time ---------------------------------------------------------------------------------------------- */

static bool is_running(void *arg, const TraceId *id)
{
    Tracers *t = arg;
    bool found = false;

    pthread_mutex_lock(&t->lock);
    for (const Tracer *tracer = t->running; tracer; tracer = tracer->next)
        found |= text_equal(tracer->trace.id.text, id->text);
    for (const Tracer *tracer = t->ending; tracer; tracer = tracer->next)
        found |= !tracer->written && text_equal(tracer->trace.id.text, id->text);
    pthread_mutex_unlock(&t->lock);
    return found;
}

/* One trace may have so much. */
static int64_t share(const Tracers *t, bool pages)
{
    int64_t quarter = t->config.bytes_max / TRACES_RUNNING_MAX;

    return pages || quarter < TRACE_BYTES_MAX ? quarter : TRACE_BYTES_MAX;
}

/* What running traces may still come to, and one more. */
static int64_t room_for(Tracers *t, bool pages)
{
    int64_t bytes = share(t, pages);

    pthread_mutex_lock(&t->lock);
    for (const Tracer *tracer = t->running; tracer; tracer = tracer->next)
        bytes += tracer->bytes_max;
    for (const Tracer *tracer = t->ending; tracer; tracer = tracer->next)
        bytes += tracer->bytes_max;
    pthread_mutex_unlock(&t->lock);
    return bytes;
}

/* What is kept, with so much room for what runs. */
static bool tidy(Tracers *t, int64_t room_bytes, Err *err)
{
    TraceBounds bounds = { .before = { wall_now().ms - t->config.keep_days * DAY_MS },
                           .count_max = TRACES_KEPT_MAX,
                           .bytes_max = t->config.bytes_max - room_bytes,
                           .is_running = is_running,
                           .arg = t };

    return trace_files_tidy(t->config.data_path, &bounds, err);
}

/* Spool thread. */
static void tidy_called(void *arg)
{
    char quoted[256];
    Err err;

    if (!tidy(arg, 0, &err))
        log_line(LOG_WARNING, "trace.not-removed", "error=%s",
                 log_quote(quoted, sizeof quoted, err.text));
}

static void tick(void *arg)
{
    Tracers *t = arg;
    Mono now = mono_now();

    pthread_mutex_lock(&t->lock);
    for (Tracer **at = &t->running; *at;)
        if (mono_reached(now, (*at)->until))
            end_at(t, at, "time");
        else
            at = &(*at)->next;
    bool any = t->running != NULL;
    pthread_mutex_unlock(&t->lock);
    if (mono_reached(now, t->tidied)) {
        t->tidied = mono_after(now, TIDY_MS);
        (void)spool_call(t->spool, tidy_called, t); /* without memory: in an hour */
    }
    loop_timer_start(t->timer, any ? mono_after(now, TICK_MS) : t->tidied);
}

/* --- life ------------------------------------------------------------------------------------------------ */

Tracers *tracers_new(Loop *loop, Store *store, Spool *spool, const TraceConfig *config, Err *err)
{
    AUTO(Tracers) t = calloc(1, sizeof *t);
    pthread_condattr_t clock;

    if (!t) {
        err_set(err, ERR_TEMPORARY, ENOMEM, "no memory for traces");
        return NULL;
    }
    pthread_mutex_init(&t->lock, NULL);
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&t->written, &clock);
    pthread_condattr_destroy(&clock);
    t->loop = loop;
    t->store = store;
    t->spool = spool;
    t->config = *config;
    t->timer = loop_timer_new(loop, tick, t, err);
    if (!t->timer)
        return NULL;
    loop_timer_start(t->timer, mono_now());
    return STEAL(t);
}

static void tracers_free_list(Tracer *first)
{
    while (first) {
        Tracer *tracer = first;

        first = tracer->next;
        tracer_free(tracer);
    }
}

void tracers_free(Tracers *t)
{
    if (!t)
        return;
    tracers_free_list(t->running);
    tracers_free_list(t->ending);
    loop_timer_free(t->timer);
    pthread_cond_destroy(&t->written);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

void tracers_stop_all(Tracers *t)
{
    pthread_mutex_lock(&t->lock);
    t->stopping = true;
    while (t->running)
        end_at(t, &t->running, "server-stopping");
    pthread_mutex_unlock(&t->lock);
    loop_timer_stop(t->timer);
}

/* --- what people ask for ------------------------------------------------------------------------------- */

/* One audit row, and the device it is about. */
typedef struct Act {
    const Actor *actor;
    const char *action, *detail;
    DeviceId id;
    Device device;
} Act;

/* Writer thread. A trace may be older than its device is gone. */
static bool act_write(Tx *tx, void *arg, Err *err)
{
    Act *act = arg;

    return (!text_equal(act->action, "device.trace") ||
            device_get(tx_db(tx), &act->id, &act->device, err)) &&
           audit_insert(tx, act->actor, act->action, "device", act->id.text, act->detail, err);
}

/* The first line: what this is a trace of. */
static void put_header(Tracer *tracer, const Device *device, Wall began)
{
    const char *const texts[][2] = { { "address", device->address },
                                     { "product", device->product },
                                     { "serial", device->serial },
                                     { "firmware", device->firmware },
                                     { "panel", device_panel_words[device->panel] } };
    char time[WALL_TEXT_SIZE];

    wall_format(began, wall_zone_offset_min(began), time);
    buf_printf(&tracer->lines, "{\"trace\":1,\"platen\":\"%s\",\"began\":\"%s\",\"pages\":%s",
               PLATEN_VERSION, time, tracer->pages ? "true" : "false");
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        buf_printf(&tracer->lines, ",\"%s\":", texts[i][0]);
        trace_put_text(&tracer->lines, bytes_of_text(texts[i][1]));
    }
    buf_put_text(&tracer->lines, "}\n");
}

static Tracer *tracer_new(Tracers *t, const Device *device, const TraceWish *wish, Err *err)
{
    AUTO(Tracer) tracer = calloc(1, sizeof *tracer);
    Wall now = wall_now();

    if (!tracer) {
        err_set(err, ERR_TEMPORARY, ENOMEM, "no memory for a trace");
        return NULL;
    }
    tracer->all = t;
    tracer->trace = (Trace){ .id = id_new(TraceId, now), .device = device->id, .running = true };
    (void)text_copy(tracer->address, sizeof tracer->address, device->address);
    tracer->pages = wish->pages;
    tracer->began = mono_now();
    tracer->until = mono_after(tracer->began, wish->for_s * SECOND_MS);
    tracer->bytes_max = share(t, wish->pages);
    tracer->lines = buf_with_max(TRACE_LINES_MAX);
    int fd = trace_file_create(t->config.data_path, &tracer->trace.id, &device->id, err);
    if (fd < 0)
        return NULL;
    tracer->writer = trace_writer_new(t->spool, fd);
    if (!tracer->writer) {
        err_set(err, ERR_TEMPORARY, ENOMEM, "no memory for a trace");
        return NULL;
    }
    put_header(tracer, device, now);
    return STEAL(tracer);
}

/* Under the lock: may this one run beside the others? */
static bool admit(const Tracers *t, const DeviceId *device, Err *err)
{
    size_t n = 0;

    if (t->stopping)
        return err_set(err, ERR_TEMPORARY, 0, "the server is stopping");
    for (const Tracer *tracer = t->running; tracer; tracer = tracer->next, n++)
        if (text_equal(tracer->trace.device.text, device->text)) {
            err_set(err, ERR_CONFLICT, 0, "the device is traced already: trace %s",
                    tracer->trace.id.text);
            return err_remedy(err, "End it first: platen trace stop %s", tracer->trace.id.text);
        }
    for (const Tracer *tracer = t->ending; tracer; tracer = tracer->next)
        n += !tracer->written;
    if (n < TRACES_RUNNING_MAX)
        return true;
    err_set(err, ERR_CONFLICT, 0, "%d traces run already", TRACES_RUNNING_MAX);
    return err_remedy(err, "End one of them: platen trace list, platen trace stop TRACE.");
}

static bool may_start(Tracers *t, const DeviceId *device, Err *err)
{
    pthread_mutex_lock(&t->lock);
    bool ok = admit(t, device, err);
    pthread_mutex_unlock(&t->lock);
    return ok;
}

static void arm(void *arg)
{
    tick(arg);
}

/* Adds the tracer, which is taken, or frees it and removes its file. */
static bool let_run(Tracers *t, Tracer *tracer_take, Err *err)
{
    AUTO(Tracer) tracer = tracer_take;
    TraceId id = tracer->trace.id;
    const char *over = NULL;
    Err ignored;

    pthread_mutex_lock(&t->lock);
    bool ok = admit(t, &tracer->trace.device, err);
    if (ok)
        over = hand_over(tracer);
    if (ok && !over) {
        tracer->next = t->running;
        t->running = STEAL(tracer);
        atomic_fetch_add(&t->count, 1);
    }
    pthread_mutex_unlock(&t->lock);
    if (over)
        ok = err_set(err, ERR_TEMPORARY, 0, "the trace could not be begun: %s", over);
    if (!ok)
        (void)trace_file_remove(t->config.data_path, &id, &ignored); /* else it is tidied away */
    return ok;
}

bool tracers_start(Tracers *t, const Actor *actor, const DeviceId *device, const TraceWish *wish,
                   Trace *ret_trace, Err *err)
{
    Act act = { .actor = actor,
                .action = "device.trace",
                .detail = wish->pages ? "with pages" : "without pages",
                .id = *device };

    /* What is refused makes no room, and leaves no row. */
    if (!may_start(t, device, err) || !store_write_wait(t->store, act_write, &act, err) ||
        !tidy(t, room_for(t, wish->pages), err) || !spool_space_check(t->spool, err))
        return false;
    Tracer *tracer = tracer_new(t, &act.device, wish, err);
    if (!tracer)
        return err_prefix(err, "trace of a device");
    Trace trace = tracer->trace;
    if (!let_run(t, tracer, err))
        return false;
    *ret_trace = trace;
    log_line(LOG_INFO, "trace.began", "device=%s trace=%s pages=%s seconds=%lld by=%s",
             act.device.address, trace.id.text, wish->pages ? "yes" : "no", (long long)wish->for_s,
             actor->name);
    loop_post(t->loop, arm, t);
    return true;
}

/* Where the trace stands in a list; *at is NULL when it does not. */
static Tracer **place_of(Tracer **at, const TraceId *id)
{
    while (*at && !text_equal((*at)->trace.id.text, id->text))
        at = &(*at)->next;
    return at;
}

static bool wait_written(Tracers *t, Tracer *tracer, Err *err)
{
    int64_t ms = mono_now().ms + (t->config.stop_ms ? t->config.stop_ms : TRACE_STOP_MS);
    struct timespec until = { ms / SECOND_MS, ms % SECOND_MS * NANOSECONDS_IN_MS };
    bool ok = true;

    while (!tracer->written && pthread_cond_timedwait(&t->written, &t->lock, &until) == 0)
        ;
    if (!tracer->written) {
        err_set(err, ERR_TEMPORARY, 0, "the trace has ended, but the disk has not its last lines");
        ok = err_remedy(err, "Wait until platen trace list says that it is ended.");
    } else if (!tracer->ok) {
        err_set(err, ERR_TEMPORARY, 0,
                "the trace has ended, but its last lines could not be written");
        ok = err_remedy(err, "Look for errors of the disk in the system log.");
    }
    tracer->waiters--;
    if (tracer->written && tracer->waiters == 0)
        forget(tracer);
    return ok;
}

/* Ends it, and waits until its file is whole. */
static bool end_by_hand(Tracers *t, const TraceId *id, Err *err)
{
    bool ok = true;

    pthread_mutex_lock(&t->lock);
    Tracer **at = place_of(&t->running, id);
    Tracer *tracer = *at ? *at : *place_of(&t->ending, id); /* neither: it ended just now */
    if (tracer)
        tracer->waiters++;
    if (*at)
        end_at(t, at, "stopped");
    if (tracer)
        ok = wait_written(t, tracer, err);
    pthread_mutex_unlock(&t->lock);
    return ok;
}

bool tracers_stop(Tracers *t, const Actor *actor, const TraceId *id, Err *err)
{
    Act act = { .actor = actor, .action = "trace.stop", .detail = id->text };
    Trace trace;
    AUTO_FD fd = tracers_open(t, id, &trace, err);

    if (fd < 0)
        return false;
    if (!trace.running)
        return err_set(err, ERR_CONFLICT, 0, "trace %s has ended already", id->text);
    act.id = trace.device;
    return store_write_wait(t->store, act_write, &act, err) && end_by_hand(t, id, err);
}

bool tracers_list(Tracers *t, Trace **ret_traces, size_t *ret_count, Err *err)
{
    if (!trace_files_list(t->config.data_path, ret_traces, ret_count, err))
        return false;
    for (size_t i = 0; i < *ret_count; i++)
        (*ret_traces)[i].running = is_running(t, &(*ret_traces)[i].id);
    return true;
}

int tracers_open(Tracers *t, const TraceId *id, Trace *ret_trace, Err *err)
{
    int fd = trace_file_open(t->config.data_path, id, ret_trace, err);

    if (fd >= 0)
        ret_trace->running = is_running(t, id);
    return fd;
}

bool tracers_remove(Tracers *t, const Actor *actor, const TraceId *id, Err *err)
{
    Act act = { .actor = actor, .action = "trace.delete", .detail = id->text };
    Trace trace;
    AUTO_FD fd = tracers_open(t, id, &trace, err);

    if (fd < 0)
        return false;
    if (trace.running) {
        err_set(err, ERR_CONFLICT, 0, "trace %s still runs", id->text);
        return err_remedy(err, "End it first: platen trace stop %s", id->text);
    }
    act.id = trace.device;
    return store_write_wait(t->store, act_write, &act, err) &&
           trace_file_remove(t->config.data_path, id, err);
}
