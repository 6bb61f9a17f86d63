/* device/link-job.c - job control: job sessions bound to connections to TCP 1865. */
#include "base/text.h"
#include "device/link-inside.h"
#include "device/scan-reason.h"

#include <stdlib.h>

enum { JOB_QUEUE_MAX = 4096 };

void link_job_free(LinkJob *job)
{
    if (!job)
        return;
    job->press->job = NULL;
    tcp_abort(job->stream);
    loop_timer_free(job->timer);
    job_session_done(&job->session);
    free(job);
}

/* The end: the job is gone before the host hears of it. */
static void finish(LinkJob *job)
{
    DeviceTalkFn *done = job->done;
    void *arg = job->arg;
    bool ok = job->session.ok;
    Reason reason = text_equal(job->session.reason.code, "connect-failed")
                        ? scan_reason_of_connect(job->connect_error)
                        : job->session.reason;

    tcp_close(STEAL(job->stream)); /* at once and in order, as after a scan */
    link_job_free(job);
    done(arg, ok, &reason);
}

/* After every call on the session. */
static void drive(LinkJob *job)
{
    JobSession *session = &job->session;
    Err err;

    if (session->out.n > 0 && job->stream &&
        !tcp_write(job->stream, buf_bytes(&session->out), &err))
        job_session_lost(session, "connection-lost", mono_now());
    buf_clear(&session->out);
    if (session->close)
        finish(job);
    else
        loop_timer_start(job->timer, job_session_deadline(session));
}

static bool begin(LinkJob *job);

static void on_time(void *arg)
{
    LinkJob *job = arg;

    if (job->waits && !begin(job))
        return;
    if (job->lost_code)
        job_session_lost(&job->session, job->lost_code, mono_now());
    else
        job_session_tick(&job->session, mono_now());
    drive(job);
}

static void on_read(void *arg, Bytes bytes)
{
    LinkJob *job = arg;

    job_session_feed(&job->session, bytes, mono_now());
    drive(job);
}

static void on_end(void *arg, TcpEnd end, const Err *err)
{
    LinkJob *job = arg;

    job->connect_error = err->code;
    job_session_lost(&job->session, link_end_code(end, &job->reach), mono_now());
    drive(job);
}

static const TcpEvents job_events = { .on_read = on_read, .on_end = on_end };

/* Connects, or waits for an inquiry of ours to be gone from the device: false. The host hears of a connection that
 * failed at once as of every other. */
static bool begin(LinkJob *job)
{
    DeviceLink *link = job->press->link;
    NetAddress device = job->press->peer;
    Err err;

    device.port = link->scan_port;
    job->waits = link_ask_gives_way(link, &device);
    if (job->waits) {
        loop_timer_start(job->timer, mono_after(mono_now(), ASK_LOOK_MS));
        return false;
    }
    const NetAddress *local = link_local_address(link, &device,
                                                 link->door_count > 1 ? &job->press->local : NULL);
    LinkReach how = { .channel = DEVICE_CHANNEL_JOB,
                      .device = &device,
                      .local = local,
                      .reach = &job->reach,
                      .deadline = job->session.late_at,
                      .queue_bytes = JOB_QUEUE_MAX };
    job->stream = link_connect(link, &how, &job_events, job, &err);
    if (!job->stream) {
        job->connect_error = err.code;
        job->lost_code = "connect-failed";
    }
    return true;
}

bool device_press_talk(DevicePress *press, DeviceTalk talk, const DeviceReach *reach,
                       DeviceTalkFn *done, void *arg)
{
    LinkJob *job = calloc(1, sizeof *job);
    Mono now = mono_now();
    Err err;

    if (!job)
        return false;
    job->press = press;
    job->done = done;
    job->arg = arg;
    job->reach = *reach;
    job_session_init(&job->session, talk == DEVICE_TALK_LIST ? IS_JOB_WRITE : IS_JOB_READ, now);
    job->timer = loop_timer_new(press->link->loop, on_time, job, &err);
    press->job = job;
    if (!job->timer) {
        link_job_free(job);
        return false;
    }
    if (begin(job))
        loop_timer_start(job->timer, job->lost_code ? now : job_session_deadline(&job->session));
    return true;
}
