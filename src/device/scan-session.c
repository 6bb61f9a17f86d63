/* device/scan-session.c - bytes in, actions out, time, and the step through the table. What replies
 * mean is in scan-reply.c, the table in scan-rules.c. */
#include "device/scan-session.h"

#include "base/text.h"
#include "device/scan-inside.h"
#include "device/scan-reason.h"
#include "wire/esci2-token.h"

enum { OUT_BYTES_MAX = 16 * 1024 };

const ScanStep scan_steps[SCAN_STATE_MAX_] = {
    [SCAN_WELCOME] = { SCAN_AWAIT_WELCOME, NULL },
    [SCAN_LOCK] = { SCAN_AWAIT_LOCK, NULL },
    [SCAN_INQUIRY_MODE] = { SCAN_AWAIT_MODE, ESCI2_MODE_INQUIRY },
    [SCAN_FORMER_FIN] = { SCAN_AWAIT_REPLY, "FIN " },
    [SCAN_INFO] = { SCAN_AWAIT_REPLY, "INFO" },
    [SCAN_INFO_DATA] = { SCAN_AWAIT_BLOCK, NULL },
    [SCAN_CAPA] = { SCAN_AWAIT_REPLY, "CAPA" },
    [SCAN_CAPA_DATA] = { SCAN_AWAIT_BLOCK, NULL },
    [SCAN_INQUIRY_FIN] = { SCAN_AWAIT_REPLY, "FIN " },
    [SCAN_STATUS_MODE] = { SCAN_AWAIT_MODE, ESCI2_MODE_INQUIRY },
    [SCAN_STATUS] = { SCAN_AWAIT_REPLY, "STAT" },
    [SCAN_STATUS_DATA] = { SCAN_AWAIT_BLOCK, NULL },
    [SCAN_STATUS_FIN] = { SCAN_AWAIT_REPLY, "FIN " },
    [SCAN_CONTROL_MODE] = { SCAN_AWAIT_MODE, ESCI2_MODE_CONTROL },
    [SCAN_CONTROL_STATUS] = { SCAN_AWAIT_REPLY, "STAT" },
    [SCAN_CONTROL_STATUS_DATA] = { SCAN_AWAIT_BLOCK, NULL },
    [SCAN_PARAMETERS_HEAD] = { SCAN_AWAIT_EMPTY, "PARA" },
    [SCAN_PARAMETERS] = { SCAN_AWAIT_PARAMETERS, "PARA" },
    [SCAN_START] = { SCAN_AWAIT_REPLY, "TRDT" },
    [SCAN_IMAGE] = { SCAN_AWAIT_REPLY, "IMG " },
    [SCAN_IMAGE_DATA] = { SCAN_AWAIT_IMAGE, NULL },
    [SCAN_CANCEL] = { SCAN_AWAIT_REPLY, "CAN " },
    [SCAN_FIN] = { SCAN_AWAIT_REPLY, "FIN " },
    [SCAN_LAST_MODE] = { SCAN_AWAIT_MODE, ESCI2_MODE_INQUIRY },
    [SCAN_LAST_STATUS] = { SCAN_AWAIT_REPLY, "STAT" },
    [SCAN_LAST_STATUS_DATA] = { SCAN_AWAIT_BLOCK, NULL },
    [SCAN_LAST_FIN] = { SCAN_AWAIT_REPLY, "FIN " },
    [SCAN_UNLOCK] = { SCAN_AWAIT_UNLOCK, NULL },
};

ScanSession *scan_session_new(const ScanOrder *order, const ScanTraits *traits, Mono now)
{
    ScanSession *s = calloc(1, sizeof *s);

    if (!s)
        return NULL;
    s->order = *order;
    s->traits = *traits;
    s->payload = buf_with_max(ESCI2_BLOCK_MAX);
    s->out = buf_with_max(OUT_BYTES_MAX);
    s->para_block = buf_with_max(ESCI2_PARA_MAX);
    s->waiting = true;
    s->again_at = s->progress_at = s->busy_until = MONO_NEVER;
    s->late_at = mono_after(now, scan_patience_ms[SCAN_WELCOME]);
    s->after_page = SCAN_EVENT_STORED;
    s->page = &s->pages[0];
    for (size_t i = 0; i < SCAN_SIDES_MAX; i++)
        s->pages[i].side = i == 0 ? 'A' : 'B';
    return s;
}

void scan_session_free(ScanSession *s)
{
    if (!s)
        return;
    buf_done(&s->payload);
    buf_done(&s->out);
    buf_done(&s->para_block);
    free(s);
}

ScanState scan_session_state(const ScanSession *s)
{
    return s->state;
}

void scan_decide(ScanSession *s, ScanEnd end, const Reason *reason)
{
    if (s->decided)
        return;
    s->decided = true;
    s->end = end;
    s->reason = reason ? *reason : (Reason){ 0 };
}

void scan_fail(ScanSession *s, const char *code, const char *detail)
{
    Reason reason = scan_reason(code, detail);

    scan_decide(s, SCAN_END_BROKEN, &reason);
}

/* --- actions ------------------------------------------------------------------------------------ */

void scan_push(ScanSession *s, ScanAction action)
{
    /* One call adds at most eight: notice or warned, bytes, two drops, send or close, ended. The driver takes all of them
     * before the next call, so the ring never fills. */
    if (s->action_count < SCAN_ACTIONS_MAX)
        s->actions[(s->action_first + s->action_count++) % SCAN_ACTIONS_MAX] = action;
}

bool scan_session_next(ScanSession *s, ScanAction *ret_action)
{
    if (s->action_count == 0)
        return false;
    *ret_action = s->actions[s->action_first];
    s->action_first = (s->action_first + 1) % SCAN_ACTIONS_MAX;
    s->action_count--;
    return true;
}

/* The next piece of the parameters: as many whole tokens as the device takes at once (#DSZ). */
static uint32_t next_part(ScanSession *s)
{
    Bytes rest = bytes_after(buf_bytes(&s->para_block), s->para_done);
    size_t max = s->info.parameter_block_max > 0 ? s->info.parameter_block_max : ESCI2_PARA_MAX;
    size_t part = esci2_block_cut(rest, max);

    s->para_part = part > 0 ? part : rest.n;
    return (uint32_t)s->para_part;
}

/* Puts the command of the state into out. */
static void encode_step(ScanSession *s)
{
    const ScanStep *step = &scan_steps[s->state];
    AUTO_BUF request = buf_with_max(ESCI2_REQUEST_SIZE + 1);

    switch (step->await) {
    case SCAN_AWAIT_LOCK:
        s->lock_tries++;
        is_lock_encode(&s->out, SCAN_LOCK_SECONDS);
        break;
    case SCAN_AWAIT_MODE:
        is_passthru_encode(&s->out, bytes_of_text(step->text), 1);
        break;
    case SCAN_AWAIT_REPLY:
        esci2_request_encode(&request, step->text, 0);
        is_passthru_encode(&s->out, buf_bytes(&request), ESCI2_REPLY_SIZE);
        break;
    case SCAN_AWAIT_EMPTY:
        esci2_request_encode(&request, step->text, next_part(s));
        is_passthru_encode(&s->out, buf_bytes(&request), 0);
        break;
    case SCAN_AWAIT_PARAMETERS:
        is_passthru_encode(&s->out, (Bytes){ s->para_block.p + s->para_done, s->para_part },
                           ESCI2_REPLY_SIZE);
        break;
    case SCAN_AWAIT_BLOCK:
    case SCAN_AWAIT_IMAGE:
        is_passthru_encode(&s->out, (Bytes){ 0 }, s->wanted);
        break;
    case SCAN_AWAIT_UNLOCK:
        is_packet_encode(&s->out, IS_UNLOCK, 0, (Bytes){ 0 });
        break;
    case SCAN_AWAIT_NOTHING:
    case SCAN_AWAIT_WELCOME:
        break;
    }
}

/* Sets how long the device may take now. */
static void be_patient(ScanSession *s, Mono now)
{
    bool in_a_hurry = s->hurried && s->state >= SCAN_CANCEL;

    s->late_at = mono_after(now, in_a_hurry ? SCAN_GOODBYE_MS : scan_patience_ms[s->state]);
}

static void do_send(ScanSession *s, Mono now)
{
    buf_clear(&s->out);
    encode_step(s);
    s->waiting = true;
    s->again_at = MONO_NEVER;
    if (s->state == SCAN_LAST_STATUS)
        s->sheets = false;
    if (s->state == SCAN_START)
        s->feeder_used = s->unit == SCAN_UNIT_ADF;
    be_patient(s, now);
    scan_push(s, (ScanAction){ .kind = SCAN_ACTION_SEND, .bytes = buf_bytes(&s->out) });
}

static void do_pause(ScanSession *s, Mono now)
{
    int64_t pause_ms = SCAN_BUSY_PAUSE_MS;

    if (s->state == SCAN_LOCK) {
        pause_ms = SCAN_LOCK_PAUSE_MS;
    } else if (s->state == SCAN_LAST_MODE) {
        pause_ms = SCAN_SHEETS_PAUSE_MS;
    } else if (s->state == SCAN_IMAGE) {
        pause_ms = (SCAN_PROGRESS_MS - (s->progress_at.ms - now.ms)) / SCAN_POLL_PART;
        if (pause_ms < SCAN_POLL_MIN_MS)
            pause_ms = SCAN_POLL_MIN_MS;
    }
    s->waiting = false;
    s->again_at = mono_after(now, pause_ms);
    s->late_at = s->state == SCAN_IMAGE ? s->progress_at : MONO_NEVER; /* busy_until, lock_tries */
}

static void do_store(ScanSession *s, Mono now)
{
    s->waiting = false;
    s->page->open = false;
    be_patient(s, now);
    if (s->page->format == PAGE_FORMAT_RAW) {
        raw_page_encode(&s->page->raw, s->trailer);
        scan_push(s, (ScanAction){ .kind = SCAN_ACTION_PAGE_BYTES,
                                   .side = s->page->side,
                                   .bytes = { s->trailer, sizeof s->trailer } });
    }
    scan_push(s, (ScanAction){ .kind = SCAN_ACTION_PAGE_END,
                               .number = s->page->number,
                               .side = s->page->side,
                               .format = s->page->format,
                               .notes = s->page->notes });
}

static void do_close(ScanSession *s)
{
    bool hands_over = s->is_legacy && s->state == SCAN_WELCOME;

    if (s->resting)
        scan_decide(s, SCAN_END_COMPLETE, NULL);
    scan_fail(s, "protocol-error", scan_state_name(s->state)); /* when nothing else was said */
    s->state = SCAN_CLOSED;
    s->waiting = false;
    s->late_at = s->again_at = MONO_NEVER;
    if (hands_over) {
        scan_push(s, (ScanAction){ .kind = SCAN_ACTION_LEGACY });
        return;
    }
    scan_push(s, (ScanAction){ .kind = SCAN_ACTION_CLOSE });
    scan_push(s, (ScanAction){ .kind = SCAN_ACTION_ENDED, .end = s->end, .reason = &s->reason });
}

/* Says why, before the step is taken. A device that goes while we wind down takes nothing away. */
static void explain(ScanSession *s, ScanEvent event)
{
    bool storing = s->state == SCAN_STORING || s->state == SCAN_STORING_LOST;

    if (event == SCAN_EVENT_LATE && storing)
        scan_fail(s, "store-late", "");
    if (s->state >= SCAN_CANCEL || (storing && s->last && !scan_page_is_open(s)))
        return;
    if (event == SCAN_EVENT_LOST)
        scan_fail(s, s->lost_code ? s->lost_code : "connection-lost", "");
    else if (event == SCAN_EVENT_WRONG)
        scan_fail(s, "protocol-error", scan_state_name(s->state));
    else if (event == SCAN_EVENT_STALLED)
        scan_fail(s, "no-progress", "");
    else if (event == SCAN_EVENT_LATE)
        scan_fail(s, "no-answer", scan_state_name(s->state));
}

/* A wish to stop replaces what happened, where the state has a rule for it - but not an end that
 * has already come by itself, and not the end of a page: CAN would acknowledge it. */
static ScanEvent with_stop(const ScanSession *s, ScanEvent event)
{
    bool page_ends = s->page->open && s->page->end_seen;
    bool own_end = page_ends || s->state == SCAN_LAST_MODE ||
                   (event >= SCAN_EVENT_REFUSED && event != SCAN_EVENT_STORED);

    return s->stop && !own_end && scan_rules[s->state][SCAN_EVENT_STOP].allowed ? SCAN_EVENT_STOP
                                                                                : event;
}

/* What has not ended never will. */
static void drop_pages(ScanSession *s)
{
    for (size_t i = 0; i < SCAN_SIDES_MAX; i++) {
        if (!s->pages[i].open)
            continue;
        s->pages[i].open = false;
        scan_push(s, (ScanAction){ .kind = SCAN_ACTION_PAGE_DROP, .side = s->pages[i].side });
    }
}

/* Whether more sheets are waited for. Of a feeder that delivers the last sheet first two stacks would be put
 * together in the wrong order; a limit of pages is an end of its own. */
static bool rest(ScanSession *s, Mono now)
{
    enum { MS_PER_S = 1000 };
    bool can = s->unit == SCAN_UNIT_ADF && s->para.pages == 0 && !s->info.adf.last_first;

    if (s->order.more_sheets_s == 0 || !can || s->stop || s->stop_at_page || s->decided)
        return false;
    s->resting = true;
    s->sheets_until = mono_after(now, (int64_t)s->order.more_sheets_s * MS_PER_S);
    scan_push(s, (ScanAction){ .kind = SCAN_ACTION_NOTICE, .notice = "waits-for-sheets" });
    return true;
}

/* The feeder has sheets again: they are scanned as those before. */
static void go_on(ScanSession *s)
{
    uint32_t sheets = s->begun[0] > s->begun[1] ? s->begun[0] : s->begun[1];

    s->begun[0] = sheets;
    s->begun[1] = s->two_sides ? sheets : 0;
    s->resting = s->last = s->busy = false;
    s->after_page = SCAN_EVENT_STORED;
    s->para_done = s->para_part = 0;
    s->mend_tries = 0;
    scan_push(s, (ScanAction){ .kind = SCAN_ACTION_NOTICE, .notice = "more-sheets" });
}

void scan_dispatch(ScanSession *s, ScanEvent event, Mono now)
{
    if (s->state == SCAN_CLOSED)
        return;
    event = with_stop(s, event);
    explain(s, event);
    s->hurried |= event == SCAN_EVENT_STALLED;
    const ScanRule *rule = &scan_rules[s->state][event];
    if (event == SCAN_EVENT_FINISHED && !rest(s, now))
        scan_decide(s, SCAN_END_COMPLETE, NULL);
    if (event == SCAN_EVENT_SHEETS)
        go_on(s);
    if (event == SCAN_EVENT_DONE && s->state == SCAN_START)
        s->progress_at = mono_after(now, SCAN_PROGRESS_MS);
    ScanState next = rule->allowed ? rule->next : SCAN_CLOSED;
    if (next != SCAN_IMAGE && next != SCAN_IMAGE_DATA && next != SCAN_STORING)
        drop_pages(s);
    if (next == SCAN_CLOSED) {
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
static size_t feed_head(ScanSession *s, Bytes in, Mono now)
{
    size_t n = sizeof s->head - s->head_n;

    if (n > in.n)
        n = in.n;
    for (size_t i = 0; i < n; i++)
        s->head[s->head_n++] = in.p[i];
    WireResult result = is_header_decode((Bytes){ s->head, s->head_n }, IS_PAYLOAD_FROM_DEVICE_MAX,
                                         &s->header);
    if (result == WIRE_BROKEN) {
        scan_dispatch(s, SCAN_EVENT_WRONG, now);
    } else if (result == WIRE_OK) {
        s->payload_left = s->header.length;
        buf_clear(&s->payload);
        if (!scan_packet_is_image(s) && s->payload_left > ESCI2_BLOCK_MAX)
            scan_dispatch(s, SCAN_EVENT_WRONG, now);
        else if (s->payload_left == 0) {
            s->head_n = 0;
            scan_packet(s, now);
        }
    }
    return n;
}

static size_t feed_payload(ScanSession *s, Bytes in, Mono now)
{
    Bytes part = { in.p, in.n < s->payload_left ? in.n : s->payload_left };

    if (scan_packet_is_image(s)) {
        scan_page_count(s, part, now);
        be_patient(s, now);
        scan_push(s, (ScanAction){
                         .kind = SCAN_ACTION_PAGE_BYTES, .side = s->page->side, .bytes = part });
    } else if (!buf_put(&s->payload, part)) {
        scan_fail(s, "protocol-error", "out of memory");
        scan_dispatch(s, SCAN_EVENT_WRONG, now);
        return part.n;
    }
    s->payload_left -= (uint32_t)part.n;
    if (s->payload_left == 0) {
        s->head_n = 0;
        scan_packet(s, now);
    }
    return part.n;
}

size_t scan_session_feed(ScanSession *s, Bytes in, Mono now)
{
    if (s->state == SCAN_CLOSED || in.n == 0)
        return in.n;
    return s->head_n < sizeof s->head ? feed_head(s, in, now) : feed_payload(s, in, now);
}

/* --- time and the host -------------------------------------------------------------------------- */

Mono scan_session_deadline(const ScanSession *s)
{
    return s->paused ? MONO_NEVER : mono_earlier(s->late_at, s->again_at);
}

/* The pause is over. A device that refuses a mode may be in another that a dead client left. */
static ScanEvent after_pause(ScanSession *s)
{
    if (!scan_rules[s->state][SCAN_EVENT_MEND].allowed || s->mend_tries >= SCAN_MEND_TRIES)
        return SCAN_EVENT_AGAIN;
    s->mend_tries++;
    return SCAN_EVENT_MEND;
}

void scan_session_tick(ScanSession *s, Mono now)
{
    if (s->paused || s->state == SCAN_CLOSED)
        return;
    if (mono_reached(now, s->late_at)) {
        bool asked = s->waiting || s->state != SCAN_IMAGE;

        scan_dispatch(s, asked ? SCAN_EVENT_LATE : SCAN_EVENT_STALLED, now);
    } else if (mono_reached(now, s->again_at)) {
        s->again_at = MONO_NEVER;
        scan_dispatch(s, after_pause(s), now);
    }
}

void scan_session_lost(ScanSession *s, const char *code, Mono now)
{
    s->lost_code = code;
    scan_dispatch(s, SCAN_EVENT_LOST, now);
}

void scan_session_page_stored(ScanSession *s, bool ok, const Reason *reason, Mono now)
{
    if (s->state != SCAN_STORING && s->state != SCAN_STORING_LOST)
        return; /* the host was late and the scan is being ended */
    s->progress_at = mono_after(now, SCAN_PROGRESS_MS); /* the host's time is not the device's */
    if (!ok)
        scan_decide(s, SCAN_END_BROKEN, reason);
    bool sheet_open = scan_page_is_open(s); /* its other side still comes */

    bool enough = s->order.page_limit > 0 && s->begun[0] + s->begun[1] >= s->order.page_limit &&
                  !sheet_open;

    if (s->stop_at_page && !s->last && !sheet_open)
        scan_fail(s, "server-stopping", "");
    if (!ok)
        scan_dispatch(s, SCAN_EVENT_BAD_PAGE, now);
    else if (s->last && !sheet_open)
        scan_dispatch(s, SCAN_EVENT_FINISHED, now);
    else if (enough && s->after_page == SCAN_EVENT_STORED) {
        scan_decide(s, SCAN_END_COMPLETE, NULL); /* a device that does not count itself */
        scan_dispatch(s, SCAN_EVENT_STOP, now);
    } else if (s->stop_at_page && s->after_page == SCAN_EVENT_STORED && !sheet_open)
        scan_dispatch(s, SCAN_EVENT_STOP, now);
    else
        scan_dispatch(s, s->after_page, now);
}

static Mono later(Mono deadline, int64_t ms)
{
    return deadline.ms == MONO_NEVER.ms ? deadline : mono_after(deadline, ms);
}

void scan_session_pause(ScanSession *s, Mono now)
{
    if (s->paused)
        return;
    s->paused = true;
    s->paused_at = now;
}

void scan_session_resume(ScanSession *s, Mono now)
{
    int64_t ms = now.ms - s->paused_at.ms;

    if (!s->paused)
        return;
    s->paused = false;
    s->late_at = later(s->late_at, ms);
    s->again_at = later(s->again_at, ms);
    s->progress_at = later(s->progress_at, ms);
    s->busy_until = later(s->busy_until, ms);
}

/* Stops at the next answer, or now when none is due. */
static void stop(ScanSession *s, Mono now)
{
    bool host_has_page = s->state == SCAN_STORING || s->state == SCAN_STORING_LOST;

    s->stop = true;
    if (!host_has_page && (!s->waiting || s->state == SCAN_WELCOME) &&
        scan_rules[s->state][SCAN_EVENT_STOP].allowed)
        scan_dispatch(s, SCAN_EVENT_STOP, now);
}

void scan_session_refuse(ScanSession *s, const Reason *reason, Mono now)
{
    scan_decide(s, SCAN_END_BROKEN, reason);
    stop(s, now);
}

void scan_session_cancel(ScanSession *s, Mono now)
{
    Reason reason = scan_reason("cancelled", "");

    scan_decide(s, SCAN_END_CANCELLED, &reason);
    stop(s, now);
}

void scan_session_no_more_sheets(ScanSession *s, Mono now)
{
    s->order.more_sheets_s = 0;
    if (s->resting)
        stop(s, now);
}

void scan_session_leave(ScanSession *s, Mono now)
{
    bool host_has_page = s->state == SCAN_STORING || s->state == SCAN_STORING_LOST;

    if (s->state == SCAN_CLOSED)
        return;
    s->hurried = true;
    if (!host_has_page)
        s->late_at = mono_earlier(s->late_at, mono_after(now, SCAN_GOODBYE_MS));
    scan_session_no_more_sheets(s, now);
    if (s->state >= SCAN_CANCEL || (host_has_page && s->last && !scan_page_is_open(s)))
        return; /* it ends already */
    scan_fail(s, "server-stopping", "");
    stop(s, now);
}

void scan_session_stop_at_page(ScanSession *s, Mono now)
{
    s->stop_at_page = true;
    scan_session_no_more_sheets(s, now);
    if (scan_page_is_open(s) || s->state == SCAN_STORING || s->state == SCAN_STORING_LOST ||
        s->state >= SCAN_CANCEL)
        return;
    scan_fail(s, "server-stopping", "");
    stop(s, now);
}
