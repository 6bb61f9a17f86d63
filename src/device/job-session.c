/* device/job-session.c - see job-session.h. */
#include "device/job-session.h"

#include "device/scan-reason.h"

#define LEAVE                        \
    {                                \
        JOB_UNLOCKING, JOB_DO_UNLOCK \
    }
#define STAY(state)           \
    {                         \
        state, JOB_DO_NOTHING \
    }

const JobRule job_rules[JOB_STATE_MAX_][JOB_EVENT_MAX_] = {
    [JOB_WELCOME] = { [JOB_EVENT_WELCOME] = { JOB_LOCKING, JOB_DO_LOCK },
                      [JOB_EVENT_NOTICE] = STAY(JOB_WELCOME) },
    [JOB_LOCKING] = { [JOB_EVENT_ACK] = { JOB_ASKING, JOB_DO_ASK },
                      [JOB_EVENT_NAK] = { JOB_PAUSING, JOB_DO_PAUSE },
                      [JOB_EVENT_NOTICE] = STAY(JOB_LOCKING),
                      [JOB_EVENT_WELCOME] = LEAVE,
                      [JOB_EVENT_REPLY] = LEAVE,
                      [JOB_EVENT_UNLOCKED] = LEAVE,
                      [JOB_EVENT_BAD] = LEAVE,
                      [JOB_EVENT_LATE] = LEAVE },
    [JOB_PAUSING] = { [JOB_EVENT_NOTICE] = STAY(JOB_PAUSING),
                      [JOB_EVENT_AGAIN] = { JOB_LOCKING, JOB_DO_LOCK } },
    [JOB_ASKING] = { [JOB_EVENT_REPLY] = LEAVE,
                     [JOB_EVENT_NOTICE] = STAY(JOB_ASKING),
                     [JOB_EVENT_WELCOME] = LEAVE,
                     [JOB_EVENT_ACK] = LEAVE,
                     [JOB_EVENT_NAK] = LEAVE,
                     [JOB_EVENT_UNLOCKED] = LEAVE,
                     [JOB_EVENT_BAD] = LEAVE,
                     [JOB_EVENT_LATE] = LEAVE },
    /* What was late changes nothing any more. */
    [JOB_UNLOCKING] = { [JOB_EVENT_WELCOME] = STAY(JOB_UNLOCKING),
                        [JOB_EVENT_ACK] = STAY(JOB_UNLOCKING),
                        [JOB_EVENT_NAK] = STAY(JOB_UNLOCKING),
                        [JOB_EVENT_REPLY] = STAY(JOB_UNLOCKING),
                        [JOB_EVENT_NOTICE] = STAY(JOB_UNLOCKING),
                        [JOB_EVENT_BAD] = STAY(JOB_UNLOCKING) },
};

/* The reason of an event that is no success. */
static const char *const event_codes[JOB_EVENT_MAX_] = {
    [JOB_EVENT_NAK] = "device-reserved",    [JOB_EVENT_BAD] = "job-control-failed",
    [JOB_EVENT_LATE] = "no-answer",         [JOB_EVENT_GOES] = "device-rejected",
    [JOB_EVENT_GARBAGE] = "protocol-error",
};

void job_session_init(JobSession *s, IsJobCommand command, Mono now)
{
    *s = (JobSession){ .state = JOB_WELCOME,
                       .command = command,
                       .in = buf_with_max(IS_HEADER_SIZE + JOB_REPLY_MAX),
                       .out = buf_with_max(JOB_REPLY_MAX),
                       .late_at = mono_after(now, JOB_SESSION_MS),
                       .again_at = MONO_NEVER };
}

void job_session_done(JobSession *s)
{
    buf_done(&s->in);
    buf_done(&s->out);
}

static void act(JobSession *s, JobDo action, Mono now)
{
    switch (action) {
    case JOB_DO_NOTHING:
        break;
    case JOB_DO_LOCK:
        s->again_at = MONO_NEVER;
        (void)is_lock_encode(&s->out, JOB_LOCK_SECONDS);
        break;
    case JOB_DO_PAUSE:
        s->again_at = mono_after(now, JOB_PAUSE_MS);
        break;
    case JOB_DO_ASK:
        (void)is_job_encode(&s->out, s->command);
        break;
    case JOB_DO_UNLOCK:
        (void)is_packet_encode(&s->out, IS_UNLOCK, 0, (Bytes){ 0 });
        s->late_at = mono_after(now, JOB_UNLOCK_MS);
        break;
    case JOB_DO_CLOSE:
        s->close = true;
        s->late_at = s->again_at = MONO_NEVER;
        break;
    }
}

/* Why the session leaves without success; NULL when it does not. */
static const char *why(const JobSession *s, const JobRule *rule, JobEvent event, const char *code)
{
    if (s->state == JOB_UNLOCKING || s->state == JOB_DONE || rule->action == JOB_DO_PAUSE ||
        (s->state == JOB_ASKING && event == JOB_EVENT_REPLY))
        return NULL; /* it has been decided, or will be */
    if (s->state == JOB_PAUSING && event == JOB_EVENT_LATE)
        return event_codes[JOB_EVENT_NAK];
    if (code || event_codes[event])
        return code ? code : event_codes[event];
    return rule->action == JOB_DO_UNLOCK || rule->action == JOB_DO_CLOSE ? "job-control-failed"
                                                                         : NULL;
}

static void step(JobSession *s, JobEvent event, const char *code, Mono now)
{
    const JobRule *rule = &job_rules[s->state][event];
    const char *reason = why(s, rule, event, code);
    bool ended = s->state == JOB_DONE;

    if (reason)
        s->reason = scan_reason(reason, "");
    if (s->state == JOB_ASKING && event == JOB_EVENT_REPLY)
        s->ok = true;
    s->state = rule->next;
    if (!ended)
        act(s, rule->action, now);
}

static JobEvent event_of_notice(Bytes payload)
{
    uint8_t code = payload.n > 0 ? payload.p[0] : 0;

    return code == IS_EVENT_DISCONNECT || code == IS_EVENT_TIMEOUT || code == IS_EVENT_REJECTED
               ? JOB_EVENT_GOES
               : JOB_EVENT_NOTICE;
}

static JobEvent event_of(const JobSession *s, uint16_t type, Bytes payload)
{
    uint8_t family;

    switch (type) {
    case IS_WELCOME:
        return is_welcome_decode(payload, &family) == WIRE_OK ? JOB_EVENT_WELCOME : JOB_EVENT_BAD;
    case IS_LOCK_REPLY:
        if (payload.n != 1)
            return JOB_EVENT_BAD;
        return payload.p[0] == IS_ACK ? JOB_EVENT_ACK : JOB_EVENT_NAK;
    case IS_JOB_CONTROL_REPLY:
        /* Nothing is known of other replies to a write than an empty one: it was taken. */
        return s->command == IS_JOB_WRITE || payload.n == IS_JOB_READ_REPLY_SIZE ? JOB_EVENT_REPLY
                                                                                 : JOB_EVENT_BAD;
    case IS_UNLOCK_REPLY:
        return JOB_EVENT_UNLOCKED;
    case IS_EVENT:
        return event_of_notice(payload);
    default:
        return JOB_EVENT_BAD;
    }
}

/* Handles the whole packets at the front of what came. */
static void take_packets(JobSession *s, Mono now)
{
    while (s->state != JOB_DONE) {
        IsHeader header;
        Bytes payload;
        size_t used;
        WireResult result = is_packet_decode(buf_bytes(&s->in), JOB_REPLY_MAX, &header, &payload,
                                             &used);

        if (result == WIRE_NEED_MORE)
            return;
        if (result == WIRE_BROKEN) {
            step(s, JOB_EVENT_GARBAGE, NULL, now);
            return;
        }
        step(s, event_of(s, header.type, payload), NULL, now);
        buf_drop_front(&s->in, used);
    }
}

void job_session_feed(JobSession *s, Bytes in, Mono now)
{
    while (in.n > 0 && s->state != JOB_DONE) {
        /* There is always room: a whole packet fits and leaves at once. */
        size_t room = s->in.max - s->in.n, n = in.n < room ? in.n : room;

        if (!buf_put(&s->in, (Bytes){ in.p, n })) {
            step(s, JOB_EVENT_GARBAGE, NULL, now); /* no memory */
            return;
        }
        in = bytes_after(in, n);
        take_packets(s, now);
    }
}

void job_session_lost(JobSession *s, const char *code, Mono now)
{
    step(s, JOB_EVENT_LOST, code, now);
}

void job_session_tick(JobSession *s, Mono now)
{
    if (mono_reached(now, s->late_at))
        step(s, JOB_EVENT_LATE, NULL, now);
    else if (mono_reached(now, s->again_at))
        step(s, JOB_EVENT_AGAIN, NULL, now);
}

Mono job_session_deadline(const JobSession *s)
{
    return mono_earlier(s->late_at, s->again_at);
}
