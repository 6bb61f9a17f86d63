/* device/push-session.c - see push-session.h. */
#include "device/push-session.h"

#define RULE(next_, do_)                                  \
    {                                                     \
        .next = (next_), .action = (do_), .allowed = true \
    }
#define REFUSAL RULE(PUSH_DONE, PUSH_DO_ANSWER_ERROR)
#define CLOSE   RULE(PUSH_DONE, PUSH_DO_CLOSE)
#define BAD     RULE(PUSH_DONE, PUSH_DO_ANSWER_BAD)

const PushRule push_rules[PUSH_STATE_MAX_][PUSH_EVENT_MAX_] = {
    [PUSH_HEAD] = { [PUSH_EVENT_HEAD] = RULE(PUSH_BODY, PUSH_DO_NOTHING),
                    [PUSH_EVENT_MALFORMED] = BAD,
                    [PUSH_EVENT_UNFIT] = REFUSAL,
                    [PUSH_EVENT_EOF] = BAD,
                    [PUSH_EVENT_LATE] = CLOSE,
                    [PUSH_EVENT_LOST] = CLOSE },
    [PUSH_BODY] = { [PUSH_EVENT_START] = RULE(PUSH_ASKED, PUSH_DO_ASK),
                    [PUSH_EVENT_LIST] = RULE(PUSH_ASKED, PUSH_DO_ASK),
                    [PUSH_EVENT_END] = RULE(PUSH_DONE, PUSH_DO_ANSWER_OK),
                    [PUSH_EVENT_UNFIT] = REFUSAL,
                    [PUSH_EVENT_GARBAGE] = REFUSAL,
                    [PUSH_EVENT_EOF] = CLOSE,
                    [PUSH_EVENT_LATE] = REFUSAL,
                    [PUSH_EVENT_LOST] = CLOSE },
    [PUSH_ASKED] = { [PUSH_EVENT_ACCEPT] = RULE(PUSH_DONE, PUSH_DO_ANSWER_OK),
                     [PUSH_EVENT_REFUSE] = REFUSAL,
                     [PUSH_EVENT_GARBAGE] = REFUSAL,
                     [PUSH_EVENT_EOF] = RULE(PUSH_ASKED, PUSH_DO_NOTHING),
                     [PUSH_EVENT_LATE] = REFUSAL,
                     [PUSH_EVENT_LOST] = CLOSE },
};

const int64_t push_patience_ms[PUSH_STATE_MAX_] = {
    [PUSH_HEAD] = 10000, /* from the connection to the whole request */
    [PUSH_BODY] = 10000,
    [PUSH_ASKED] = 8000, /* the panel waits about ten seconds */
};

static const PushEvent root_events[] = {
    [PUSHSCAN_ROOT_UNKNOWN] = PUSH_EVENT_UNFIT,
    [PUSHSCAN_ROOT_START] = PUSH_EVENT_START,
    [PUSHSCAN_ROOT_JOB_LIST] = PUSH_EVENT_LIST,
    [PUSHSCAN_ROOT_SCAN_END] = PUSH_EVENT_END,
};

void push_session_init(PushSession *s, Mono now)
{
    *s = (PushSession){ .in = buf_with_max(PUSHSCAN_MESSAGE_MAX),
                        .out = buf_with_max(PUSHSCAN_MESSAGE_MAX),
                        .late_at = mono_after(now, push_patience_ms[PUSH_HEAD]) };
}

void push_session_done(PushSession *s)
{
    buf_done(&s->in);
    buf_done(&s->out);
}

static void step_list(PushSession *s, PushEvent event, const PushScanList *list)
{
    const PushRule *rule = &push_rules[s->state][event];

    if (s->state == PUSH_DONE)
        return;
    s->state = rule->allowed ? rule->next : PUSH_DONE;
    if (rule->action == PUSH_DO_ASK)
        s->ask = true;
    if (s->state != PUSH_DONE)
        return;
    s->ok = rule->action == PUSH_DO_ANSWER_OK;
    if (s->ok || rule->action == PUSH_DO_ANSWER_ERROR)
        pushscan_response_encode(&s->out, s->head.uid, s->head.version, s->ok, list);
    else if (rule->action == PUSH_DO_ANSWER_BAD)
        pushscan_bad_request_encode(&s->out);
    s->close = true;
    s->late_at = MONO_NEVER;
}

static void step(PushSession *s, PushEvent event)
{
    step_list(s, event, NULL);
}

/* True when nothing but line ends follows: some clients send one behind the body. */
static bool is_blank(Bytes bytes)
{
    for (size_t i = 0; i < bytes.n; i++)
        if (bytes.p[i] != '\r' && bytes.p[i] != '\n')
            return false;
    return true;
}

static void read_head(PushSession *s)
{
    WireResult result = pushscan_head_decode(buf_bytes(&s->in), &s->head);

    if (result == WIRE_BROKEN)
        step(s, PUSH_EVENT_MALFORMED);
    else if (result == WIRE_OK)
        step(s, s->head.content_length > 0 &&
                        s->head.content_length <= PUSHSCAN_MESSAGE_MAX - s->head.size
                    ? PUSH_EVENT_HEAD
                    : PUSH_EVENT_UNFIT);
}

static void read_body(PushSession *s, Mono now)
{
    Bytes body = bytes_after(buf_bytes(&s->in), s->head.size);
    size_t n = s->head.content_length;

    if (body.n < n)
        return;
    if (!is_blank(bytes_after(body, n))) {
        step(s, PUSH_EVENT_GARBAGE);
        return;
    }
    body.n = n;
    bool read = pushscan_body_decode(body, &s->body) == WIRE_OK;
    s->late_at = mono_after(now, push_patience_ms[PUSH_ASKED]);
    s->half_closed_by = mono_after(now, PUSH_HALF_CLOSE_MS);
    step(s, read ? root_events[s->body.root] : PUSH_EVENT_UNFIT);
}

void push_session_feed(PushSession *s, Bytes in, Mono now)
{
    if (s->state == PUSH_DONE)
        return;
    if (s->state == PUSH_ASKED) {
        if (!is_blank(in))
            step(s, PUSH_EVENT_GARBAGE);
        return;
    }
    if (!buf_put(&s->in, in)) {
        step(s, s->state == PUSH_HEAD ? PUSH_EVENT_MALFORMED : PUSH_EVENT_GARBAGE);
        return;
    }
    if (s->state == PUSH_HEAD)
        read_head(s);
    if (s->state == PUSH_BODY)
        read_body(s, now);
}

void push_session_eof(PushSession *s, Mono now)
{
    bool hangs_up = s->state == PUSH_ASKED && mono_reached(now, s->half_closed_by);

    if (s->state == PUSH_HEAD && s->in.n == 0)
        hangs_up = true; /* who said nothing, as monitors of ports do, is told nothing */
    step(s, hangs_up ? PUSH_EVENT_LOST : PUSH_EVENT_EOF);
}

void push_session_lost(PushSession *s)
{
    step(s, PUSH_EVENT_LOST);
}

void push_session_answer(PushSession *s, bool accept, const PushScanList *list)
{
    if (s->state == PUSH_ASKED)
        step_list(s, accept ? PUSH_EVENT_ACCEPT : PUSH_EVENT_REFUSE, list);
}

void push_session_tick(PushSession *s, Mono now)
{
    if (mono_reached(now, s->late_at))
        step(s, PUSH_EVENT_LATE);
}

Mono push_session_deadline(const PushSession *s)
{
    return s->late_at;
}
