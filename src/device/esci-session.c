/* device/esci-session.c - bytes in, actions out, time, and the step through the table. What answers mean is
 * in esci-reply.c, the table in esci-rules.c. */
#include "device/esci-session.h"

#include "base/text.h"
#include "device/esci-inside.h"
#include "device/scan-reason.h"

enum {
    OUT_BYTES_MAX = 1024,
    ANSWER_BYTES_MAX = 256, /* of everything but blocks of the picture */
    GAMMA_STEPS = 256,
    BLOCK_PAUSE_MS = 100,
};

const EsciStep esci_steps[ESCI_STATE_MAX_] = {
    [ESCI_AT_LOCK] = { ESCI_AWAIT_LOCK, NULL },
    [ESCI_AT_RESET] = { ESCI_AWAIT_BYTE, ESCI_INITIALIZE },
    [ESCI_AT_IDENTITY] = { ESCI_AWAIT_IDENTITY, ESCI_IDENTITY },
    [ESCI_AT_STATUS] = { ESCI_AWAIT_STATUS, ESCI_STATUS },
    [ESCI_AT_TAKE] = { ESCI_AWAIT_BYTE, ESCI_TAKE },
    [ESCI_AT_RESET_TAKEN] = { ESCI_AWAIT_BYTE, ESCI_INITIALIZE },
    [ESCI_AT_SOURCE] = { ESCI_AWAIT_BYTE, ESCI_SOURCE },
    [ESCI_AT_SOURCE_BYTE] = { ESCI_AWAIT_BYTE, NULL },
    [ESCI_AT_SOURCE_STATUS] = { ESCI_AWAIT_STATUS, ESCI_STATUS },
    [ESCI_AT_GAMMA] = { ESCI_AWAIT_BYTE, ESCI_GAMMA },
    [ESCI_AT_GAMMA_TABLE] = { ESCI_AWAIT_BYTE, NULL },
    [ESCI_AT_PARAMETERS] = { ESCI_AWAIT_BYTE, ESCI_SET_PARAMETERS },
    [ESCI_AT_PARAMETERS_BLOCK] = { ESCI_AWAIT_BYTE, NULL },
    [ESCI_AT_READY] = { ESCI_AWAIT_STATUS, ESCI_STATUS },
    [ESCI_AT_START] = { ESCI_AWAIT_BLOCKS, ESCI_START },
    [ESCI_AT_FEEDING] = { ESCI_AWAIT_STATUS, ESCI_STATUS },
    [ESCI_AT_BLOCK] = { ESCI_AWAIT_DATA, NULL },
    [ESCI_AT_NEXT_BLOCK] = { ESCI_AWAIT_DATA, ESCI_NEXT_BLOCK },
    [ESCI_AT_NEXT_PAGE] = { ESCI_AWAIT_BYTE, ESCI_EJECT },
    [ESCI_AT_NEXT_STATUS] = { ESCI_AWAIT_STATUS, ESCI_STATUS },
    [ESCI_AT_CANCEL] = { ESCI_AWAIT_BYTE, ESCI_CANCEL },
    [ESCI_AT_FAULT_STATUS] = { ESCI_AWAIT_STATUS, ESCI_STATUS },
    [ESCI_AT_RELEASE] = { ESCI_AWAIT_BYTE, ESCI_RELEASE },
    [ESCI_AT_UNLOCK] = { ESCI_AWAIT_UNLOCK, NULL },
};

EsciState esci_session_state(const EsciSession *s)
{
    return s->state;
}

void esci_decide(EsciSession *s, ScanEnd end, const Reason *reason)
{
    if (s->decided)
        return;
    s->decided = true;
    s->end = end;
    s->reason = reason ? *reason : (Reason){ 0 };
}

void esci_fail(EsciSession *s, const char *code, const char *detail)
{
    Reason reason = scan_reason(code, detail);

    esci_decide(s, SCAN_END_BROKEN, &reason);
}

void esci_push(EsciSession *s, ScanAction action)
{
    /* One call adds at most five: bytes, trailer and end, or notice, drop, send or close, ended. The driver takes all
     * of them before the next call, so the ring never fills. */
    if (s->action_count < ESCI_ACTIONS_MAX)
        s->actions[(s->action_first + s->action_count++) % ESCI_ACTIONS_MAX] = action;
}

/* --- what is sent ------------------------------------------------------------------------------- */

/* 'R', 'G' or 'B' and a straight line: the picture as the device sees it. */
static void put_gamma(Buf *to, unsigned table)
{
    (void)buf_put_u8(to, (uint8_t) "RGB"[table]);
    for (unsigned i = 0; i < GAMMA_STEPS; i++)
        (void)buf_put_u8(to, (uint8_t)i);
}

/* How many bytes the block with the index s->block has, its status byte included. */
static uint32_t block_size(const EsciSession *s)
{
    bool full = s->block < s->blocks.full_blocks;

    return (full ? s->blocks.block_bytes : s->blocks.last_bytes) + 1;
}

/* How many bytes of answer the state wants. */
static uint32_t wanted(EsciSession *s)
{
    switch (esci_steps[s->state].await) {
    case ESCI_AWAIT_IDENTITY:
        return ESCI_IDENTITY_SIZE;
    case ESCI_AWAIT_STATUS:
        return ESCI_STATUS_SIZE;
    case ESCI_AWAIT_BLOCKS:
        return ESCI_BLOCKS_SIZE;
    case ESCI_AWAIT_DATA:
        return s->block_left;
    default:
        return 1;
    }
}

/* Appends the argument that is due in this state. */
static void put_argument(const EsciSession *s, Buf *to)
{
    if (s->state == ESCI_AT_SOURCE_BYTE)
        (void)buf_put_u8(to, s->parameters.source);
    else if (s->state == ESCI_AT_GAMMA_TABLE)
        put_gamma(to, s->gamma_table);
    else if (s->state == ESCI_AT_PARAMETERS_BLOCK)
        (void)esci_parameters_encode(to, &s->parameters);
}

/* Puts the command of the state into out. */
static void encode_step(EsciSession *s)
{
    const EsciStep *step = &esci_steps[s->state];
    AUTO_BUF argument = buf_with_max(OUT_BYTES_MAX);

    if (s->state == ESCI_AT_NEXT_BLOCK)
        s->block_left = block_size(s);
    if (step->await == ESCI_AWAIT_LOCK) {
        s->tries++;
        is_lock_encode(&s->out, SCAN_LOCK_SECONDS);
    } else if (step->await == ESCI_AWAIT_UNLOCK) {
        is_packet_encode(&s->out, IS_UNLOCK, 0, (Bytes){ 0 });
    } else {
        if (s->state == ESCI_AT_TAKE)
            s->tries++;
        if (step->command)
            (void)buf_put_text(&argument, step->command);
        else
            put_argument(s, &argument);
        is_passthru_encode(&s->out, buf_bytes(&argument), wanted(s));
    }
}

/* Sets how long the device may take now. */
static void be_patient(EsciSession *s, Mono now)
{
    bool in_a_hurry = s->hurried && s->state >= ESCI_AT_CANCEL;

    s->late_at = mono_after(now, in_a_hurry ? SCAN_GOODBYE_MS : esci_patience_ms[s->state]);
}

static void do_send(EsciSession *s, Mono now)
{
    buf_clear(&s->out);
    encode_step(s);
    s->waiting = true;
    s->again_at = MONO_NEVER;
    be_patient(s, now);
    esci_push(s, (ScanAction){ .kind = SCAN_ACTION_SEND, .bytes = buf_bytes(&s->out) });
}

static void do_pause(EsciSession *s, Mono now)
{
    int64_t pause_ms = SCAN_BUSY_PAUSE_MS;

    if (s->state == ESCI_AT_LOCK || s->state == ESCI_AT_TAKE)
        pause_ms = SCAN_LOCK_PAUSE_MS;
    else if (s->state == ESCI_AT_BLOCK)
        pause_ms = BLOCK_PAUSE_MS;
    s->waiting = false;
    s->again_at = mono_after(now, pause_ms);
    s->late_at = MONO_NEVER; /* busy_until, or tries */
}

static void do_store(EsciSession *s, Mono now)
{
    DeviceBackRotation back = s->traits.back_rotation != DEVICE_BACK_AUTO
                                  ? s->traits.back_rotation
                                  : (DeviceBackRotation)s->quirk.back_rotation;
    uint32_t turn = device_back_rotation(back, false);

    s->waiting = false;
    s->page_open = false;
    be_patient(s, now);
    raw_page_encode(&s->raw, s->trailer);
    esci_push(s, (ScanAction){ .kind = SCAN_ACTION_PAGE_BYTES,
                               .side = s->side,
                               .bytes = { s->trailer, sizeof s->trailer } });
    esci_push(s,
              (ScanAction){ .kind = SCAN_ACTION_PAGE_END,
                            .number = s->pages,
                            .side = s->side,
                            .format = PAGE_FORMAT_RAW,
                            .notes = { .scan_dpi = s->parameters.dpi_main,
                                       .rotation = s->side == 'B' ? turn : 0,
                                       .last_first = s->unit == SCAN_UNIT_ADF &&
                                                     s->quirk.first_sheet == QUIRK_ORDER_LAST } });
}

static void do_close(EsciSession *s)
{
    esci_fail(s, "protocol-error", esci_state_name(s->state)); /* when nothing else was said */
    s->state = ESCI_AT_CLOSED;
    s->waiting = false;
    s->late_at = s->again_at = MONO_NEVER;
    esci_push(s, (ScanAction){ .kind = SCAN_ACTION_CLOSE });
    esci_push(s, (ScanAction){ .kind = SCAN_ACTION_ENDED, .end = s->end, .reason = &s->reason });
}

/* --- steps -------------------------------------------------------------------------------------- */

static bool host_has_page(const EsciSession *s)
{
    return s->state == ESCI_AT_STORING || s->state == ESCI_AT_STORING_LOST;
}

/* Says why, before the step is taken. A device that goes while we wind down takes nothing away. */
static void explain(EsciSession *s, EsciEvent event)
{
    if (event == ESCI_EVENT_LATE && host_has_page(s))
        esci_fail(s, "store-late", "");
    if (s->state >= ESCI_AT_CANCEL || (host_has_page(s) && s->after_page == ESCI_EVENT_FINISHED))
        return;
    if (event == ESCI_EVENT_LOST)
        esci_fail(s, s->lost_code ? s->lost_code : "connection-lost", "");
    else if (event == ESCI_EVENT_WRONG)
        esci_fail(s, "protocol-error", esci_state_name(s->state));
    else if (event == ESCI_EVENT_LATE)
        esci_fail(s, "no-answer", esci_state_name(s->state));
}

/* A wish to stop replaces what happened, where the state has a rule for it - but not an end that has
 * already come by itself, and not the end of a page: it would be lost. */
static EsciEvent with_stop(const EsciSession *s, EsciEvent event)
{
    bool own_end = event >= ESCI_EVENT_PAGE && event != ESCI_EVENT_STORED;

    return s->stop && !own_end && esci_rules[s->state][ESCI_EVENT_STOP].allowed ? ESCI_EVENT_STOP
                                                                                : event;
}

void esci_dispatch(EsciSession *s, EsciEvent event, Mono now)
{
    if (s->state == ESCI_AT_CLOSED)
        return;
    event = with_stop(s, event);
    explain(s, event);
    const EsciRule *rule = &esci_rules[s->state][event];
    if (event == ESCI_EVENT_FINISHED)
        esci_decide(s, SCAN_END_COMPLETE, NULL);
    EsciState next = rule->allowed ? rule->next : ESCI_AT_CLOSED;
    if (s->page_open && next != ESCI_AT_BLOCK && next != ESCI_AT_NEXT_BLOCK &&
        next != ESCI_AT_STORING) {
        s->page_open = false;
        esci_push(s, (ScanAction){ .kind = SCAN_ACTION_PAGE_DROP, .side = s->side });
    }
    if (next == ESCI_AT_CLOSED) {
        do_close(s);
        return;
    }
    s->state = next;
    if (rule->action == SCAN_DO_SEND)
        do_send(s, now);
    else if (rule->action == SCAN_DO_PAUSE)
        do_pause(s, now);
    else if (rule->action == SCAN_DO_STORE)
        do_store(s, now);
}

/* --- input -------------------------------------------------------------------------------------- */

/* Completes the header from the front of in; answers how many bytes were taken. */
static size_t feed_head(EsciSession *s, Bytes in, Mono now)
{
    size_t n = sizeof s->head - s->head_n;

    if (n > in.n)
        n = in.n;
    for (size_t i = 0; i < n; i++)
        s->head[s->head_n++] = in.p[i];
    WireResult result = is_header_decode((Bytes){ s->head, s->head_n }, IS_PAYLOAD_FROM_DEVICE_MAX,
                                         &s->header);
    if (result == WIRE_BROKEN) {
        esci_dispatch(s, ESCI_EVENT_WRONG, now);
    } else if (result == WIRE_OK) {
        s->payload_left = s->header.length;
        buf_clear(&s->payload);
        if (!esci_packet_is_data(s) && s->payload_left > ANSWER_BYTES_MAX) {
            esci_dispatch(s, ESCI_EVENT_WRONG, now);
        } else if (s->payload_left == 0) {
            s->head_n = 0;
            esci_packet(s, now);
        }
    }
    return n;
}

/* A piece of a block: everything but the last byte of the block is picture. */
static void feed_data(EsciSession *s, Bytes part, Mono now)
{
    size_t picture = part.n < s->block_left ? part.n : s->block_left - 1;

    if (picture > 0)
        esci_push(s, (ScanAction){ .kind = SCAN_ACTION_PAGE_BYTES,
                                   .side = s->side,
                                   .bytes = { part.p, picture } });
    if (picture < part.n)
        s->block_status = part.p[picture];
    s->block_left -= (uint32_t)part.n;
    be_patient(s, now);
}

static size_t feed_payload(EsciSession *s, Bytes in, Mono now)
{
    Bytes part = { in.p, in.n < s->payload_left ? in.n : s->payload_left };

    if (esci_packet_is_data(s))
        feed_data(s, part, now);
    else
        (void)buf_put(&s->payload, part); /* short: the answer is then not the expected one */
    s->payload_left -= (uint32_t)part.n;
    if (s->payload_left == 0) {
        s->head_n = 0;
        esci_packet(s, now);
    }
    return part.n;
}

static size_t talk_feed(void *session, Bytes in, Mono now)
{
    EsciSession *s = session;

    if (s->state == ESCI_AT_CLOSED || in.n == 0)
        return in.n;
    return s->head_n < sizeof s->head ? feed_head(s, in, now) : feed_payload(s, in, now);
}

/* --- time and the host: the calls of scan-talk.h ------------------------------------------------ */

static Mono talk_deadline(const void *session)
{
    const EsciSession *s = session;

    return s->paused ? MONO_NEVER : mono_earlier(s->late_at, s->again_at);
}

static void talk_tick(void *session, Mono now)
{
    EsciSession *s = session;

    if (s->paused || s->state == ESCI_AT_CLOSED)
        return;
    if (mono_reached(now, s->late_at)) {
        esci_dispatch(s, ESCI_EVENT_LATE, now);
    } else if (mono_reached(now, s->again_at)) {
        s->again_at = MONO_NEVER;
        esci_dispatch(s, ESCI_EVENT_AGAIN, now);
    }
}

static void talk_lost(void *session, const char *code, Mono now)
{
    EsciSession *s = session;

    s->lost_code = code;
    esci_dispatch(s, ESCI_EVENT_LOST, now);
}

static bool talk_next(void *session, ScanAction *ret_action)
{
    EsciSession *s = session;

    if (s->action_count == 0)
        return false;
    *ret_action = s->actions[s->action_first];
    s->action_first = (s->action_first + 1) % ESCI_ACTIONS_MAX;
    s->action_count--;
    return true;
}

static void talk_page_stored(void *session, bool ok, const Reason *reason, Mono now)
{
    EsciSession *s = session;

    if (!host_has_page(s))
        return; /* the host was late and the scan is being ended */
    if (!ok)
        esci_decide(s, SCAN_END_BROKEN, reason);
    bool more = s->after_page == ESCI_EVENT_STORED;
    bool enough = more && s->order.page_limit > 0 && s->pages >= s->order.page_limit;
    bool ends_here = (s->stop_at_page && more) || enough;
    if (enough && ok)
        esci_decide(s, SCAN_END_COMPLETE, NULL);
    else if (ends_here)
        esci_fail(s, "server-stopping", "");
    if (!ok)
        esci_dispatch(s, ESCI_EVENT_BAD_PAGE, now);
    else
        esci_dispatch(s, ends_here ? ESCI_EVENT_STOP : s->after_page, now);
}

static Mono later(Mono deadline, int64_t ms)
{
    return deadline.ms == MONO_NEVER.ms ? deadline : mono_after(deadline, ms);
}

static void talk_pause(void *session, Mono now)
{
    EsciSession *s = session;

    if (s->paused)
        return;
    s->paused = true;
    s->paused_at = now;
}

static void talk_resume(void *session, Mono now)
{
    EsciSession *s = session;
    int64_t ms = now.ms - s->paused_at.ms;

    if (!s->paused)
        return;
    s->paused = false;
    s->late_at = later(s->late_at, ms);
    s->again_at = later(s->again_at, ms);
    s->busy_until = later(s->busy_until, ms);
}

/* Stops at the next answer, or now when none is due. */
static void stop(EsciSession *s, Mono now)
{
    s->stop = true;
    if (!host_has_page(s) && !s->waiting && esci_rules[s->state][ESCI_EVENT_STOP].allowed)
        esci_dispatch(s, ESCI_EVENT_STOP, now);
}

static void talk_refuse(void *session, const Reason *reason, Mono now)
{
    EsciSession *s = session;

    esci_decide(s, SCAN_END_BROKEN, reason);
    stop(s, now);
}

static void talk_cancel(void *session, Mono now)
{
    EsciSession *s = session;
    Reason reason = scan_reason("cancelled", "");

    esci_decide(s, SCAN_END_CANCELLED, &reason);
    stop(s, now);
}

static void talk_leave(void *session, Mono now)
{
    EsciSession *s = session;

    if (s->state == ESCI_AT_CLOSED)
        return;
    s->hurried = true;
    if (!host_has_page(s))
        s->late_at = mono_earlier(s->late_at, mono_after(now, SCAN_GOODBYE_MS));
    if (s->state >= ESCI_AT_CANCEL || (host_has_page(s) && s->after_page == ESCI_EVENT_FINISHED))
        return; /* it ends already */
    esci_fail(s, "server-stopping", "");
    stop(s, now);
}

static void talk_stop_at_page(void *session, Mono now)
{
    EsciSession *s = session;

    s->stop_at_page = true;
    if (s->page_open || host_has_page(s) || s->state >= ESCI_AT_CANCEL)
        return;
    esci_fail(s, "server-stopping", "");
    stop(s, now);
}

/* --- the session -------------------------------------------------------------------------------- */

EsciSession *esci_session_new(const ScanOrder *order, const ScanTraits *traits, Mono now)
{
    EsciSession *s = calloc(1, sizeof *s);

    if (!s)
        return NULL;
    s->order = *order;
    s->traits = *traits;
    s->payload = buf_with_max(ANSWER_BYTES_MAX);
    s->out = buf_with_max(OUT_BYTES_MAX);
    s->again_at = s->busy_until = MONO_NEVER;
    s->after_page = ESCI_EVENT_STORED;
    do_send(s, now);
    return s;
}

static void talk_free(void *session)
{
    EsciSession *s = session;

    if (!s)
        return;
    buf_done(&s->payload);
    buf_done(&s->out);
    free(s);
}

const ScanTalk scan_talk_esci = {
    .free = talk_free,
    .feed = talk_feed,
    .tick = talk_tick,
    .deadline = talk_deadline,
    .lost = talk_lost,
    .next = talk_next,
    .page_stored = talk_page_stored,
    .pause = talk_pause,
    .resume = talk_resume,
    .refuse = talk_refuse,
    .cancel = talk_cancel,
    .stop_at_page = talk_stop_at_page,
    .leave = talk_leave,
};
