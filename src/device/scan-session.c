/* device/scan-session.c - bytes in, actions out, time, the host, and the step through the table of the language. */
#include "device/scan-session.h"

#include "base/limits.h"
#include "base/text.h"
#include "device/scan-inside.h"
#include "device/scan-reason.h"

enum { OUT_BYTES_MAX = 16 * 1024 };

/* --- helpers of the languages ------------------------------------------------------------------- */

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

void scan_refused(ScanSession *s, const char *word, const char *command)
{
    Reason reason = scan_reason_of_refusal(word, command);

    scan_decide(s, SCAN_END_BROKEN, &reason);
}

void scan_cancelled_at_device(ScanSession *s)
{
    Reason reason = scan_reason("cancelled-at-device", "");

    scan_decide(s, SCAN_END_CANCELLED, &reason);
}

void scan_push(ScanSession *s, ScanAction action)
{
    /* One call adds at most eight: notice or warned, bytes, two drops, send, close, ended. The driver takes all of them
     * before the next call, so the ring never fills. */
    if (s->action_count < SCAN_ACTIONS_MAX)
        s->actions[(s->action_first + s->action_count++) % SCAN_ACTIONS_MAX] = action;
}

bool scan_may_wait(ScanSession *s, int64_t most_ms, Mono now)
{
    if (!s->busy) {
        s->busy = true;
        s->busy_until = mono_after(now, most_ms);
    }
    return !mono_reached(now, s->busy_until);
}

ScanEvent scan_ack_event(const ScanSession *s)
{
    Bytes answer = buf_bytes(&s->payload);

    if (answer.n != 1 || (answer.p[0] != IS_ACK && answer.p[0] != IS_NAK))
        return SCAN_EVENT_WRONG;
    return answer.p[0] == IS_ACK ? SCAN_EVENT_ACK : SCAN_EVENT_NAK;
}

void scan_identify(ScanSession *s, const char *product, const char *serial, const char *firmware)
{
    quirks_of(s->traits.quirks, product, firmware, &s->quirk);
    (void)text_copy(s->identity.product, sizeof s->identity.product, product);
    (void)text_copy(s->identity.serial, sizeof s->identity.serial, serial);
    (void)text_copy(s->identity.firmware, sizeof s->identity.firmware, firmware);
    scan_push(s, (ScanAction){ .kind = SCAN_ACTION_IDENTIFIED, .identity = &s->identity });
}

bool scan_page_begin(ScanSession *s, const ScanPage *page, Mono now)
{
    size_t side = page->side == 'B' ? 1 : 0;

    if (page->number > BATCH_PAGES_MAX) {
        scan_fail(s, "too-many-pages", "");
        return false;
    }
    s->page = &s->pages[side];
    *s->page = *page;
    s->page->open = true;
    s->begun[side]++;
    s->progress_at = mono_after(now, SCAN_PROGRESS_MS);
    scan_push(s, (ScanAction){ .kind = SCAN_ACTION_PAGE_BEGIN,
                               .number = page->number,
                               .side = page->side,
                               .format = page->format });
    return true;
}

bool scan_page_is_open(const ScanSession *s)
{
    return s->pages[0].open || s->pages[1].open;
}

uint32_t scan_pages_begun(const ScanSession *s)
{
    return s->begun[0] + s->begun[1];
}

uint32_t scan_back_rotation(const ScanSession *s, bool two_pass)
{
    DeviceBackRotation set = s->traits.back_rotation != DEVICE_BACK_AUTO
                                 ? s->traits.back_rotation
                                 : (DeviceBackRotation)s->quirk.back_rotation;

    return device_back_rotation(set, two_pass);
}

RawOrder scan_raw_order(const ScanSession *s, bool color)
{
    if (!color)
        return RAW_ORDER_GRAY;
    return s->quirk.pixel_order == QUIRK_PIXELS_GBR ? RAW_ORDER_GBR : RAW_ORDER_RGB;
}

/* --- actions ------------------------------------------------------------------------------------ */

static int await_of(const ScanSession *s)
{
    return s->language->steps[s->state].await;
}

/* Sets how long the device may take now. */
static void be_patient(ScanSession *s, Mono now)
{
    bool in_a_hurry = s->hurried && s->state >= s->language->cancel;

    s->late_at = mono_after(now, in_a_hurry ? SCAN_GOODBYE_MS : s->language->patience_ms[s->state]);
}

static void do_send(ScanSession *s, Mono now)
{
    buf_clear(&s->out);
    if (await_of(s) == SCAN_AWAIT_LOCK) {
        s->lock_tries++;
        is_lock_encode(&s->out, SCAN_LOCK_SECONDS);
    } else if (await_of(s) == SCAN_AWAIT_UNLOCK) {
        s->locked = false;
        is_packet_encode(&s->out, IS_UNLOCK, 0, (Bytes){ 0 });
    } else {
        s->language->encode(s);
    }
    s->waiting = true;
    s->again_at = MONO_NEVER;
    be_patient(s, now);
    scan_push(s, (ScanAction){ .kind = SCAN_ACTION_SEND, .bytes = buf_bytes(&s->out) });
}

static void do_pause(ScanSession *s, Mono now)
{
    bool locked = await_of(s) == SCAN_AWAIT_LOCK;

    s->waiting = false;
    s->late_at = MONO_NEVER; /* busy_until, lock_tries */
    s->again_at = mono_after(now, locked ? SCAN_LOCK_PAUSE_MS : s->language->pause_ms(s, now));
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

static bool host_has_page(const ScanSession *s)
{
    return s->state == s->language->storing || s->state == s->language->storing_lost;
}

/* The last word to a device that answers nonsense or not at all, and is left: it may stay locked for the rest of
 * SCAN_LOCK_SECONDS. Its answer is not waited for; SANE does the same on every way out. Nothing is said when the place
 * where packets begin is lost (the connection is all there is to end then), and nothing while the host has a page,
 * because every word would acknowledge it. */
static void unlock_blindly(ScanSession *s)
{
    if (!s->locked || s->out_of_step || host_has_page(s))
        return;
    s->locked = false;
    buf_clear(&s->out);
    is_packet_encode(&s->out, IS_UNLOCK, 0, (Bytes){ 0 });
    scan_push(s, (ScanAction){ .kind = SCAN_ACTION_SEND, .bytes = buf_bytes(&s->out) });
}

static void do_close(ScanSession *s)
{
    if (s->resting)
        scan_decide(s, SCAN_END_COMPLETE, NULL);
    /* when nothing else was said */
    scan_fail(s, "protocol-error", s->language->state_name(s->state));
    s->state = s->language->closed;
    s->waiting = false;
    s->late_at = s->again_at = MONO_NEVER;
    if (s->hands_over) {
        scan_push(s, (ScanAction){ .kind = SCAN_ACTION_LEGACY });
        return;
    }
    scan_push(s, (ScanAction){ .kind = SCAN_ACTION_CLOSE });
    scan_push(s, (ScanAction){ .kind = SCAN_ACTION_ENDED, .end = s->end, .reason = &s->reason });
}

/* --- steps -------------------------------------------------------------------------------------- */

static const ScanRule *rule_of(const ScanSession *s, ScanEvent event)
{
    return &s->language->rules[s->state][event];
}

/* True when nothing can be lost of the scan any more. */
static bool ends_already(const ScanSession *s)
{
    return s->state >= s->language->cancel ||
           (host_has_page(s) && s->last && !scan_page_is_open(s));
}

/* Says why, before the step is taken. A device that goes while we wind down takes nothing away. */
static void explain(ScanSession *s, ScanEvent event)
{
    const char *state = s->language->state_name(s->state);

    if (event == SCAN_EVENT_LATE && host_has_page(s))
        scan_fail(s, "store-late", "");
    if (ends_already(s))
        return;
    if (event == SCAN_EVENT_LOST)
        scan_fail(s, s->lost_code ? s->lost_code : "connection-lost", "");
    else if (event == SCAN_EVENT_WRONG)
        scan_fail(s, "protocol-error", state);
    else if (event == SCAN_EVENT_STALLED)
        scan_fail(s, "no-progress", "");
    else if (event == SCAN_EVENT_LATE)
        scan_fail(s, "no-answer", state);
}

/* A wish to stop replaces what happened, where the state has a rule for it - but not an end that
 * has already come by itself, and not the end of a page: it would be acknowledged, or lost. */
static ScanEvent with_stop(const ScanSession *s, ScanEvent event)
{
    bool page_ends = s->page->open && s->page->end_seen;
    bool own_end = page_ends || s->language->steps[s->state].no_stop ||
                   (event >= SCAN_EVENT_REFUSED && event != SCAN_EVENT_STORED);

    return s->stop && !own_end && rule_of(s, SCAN_EVENT_STOP)->allowed ? SCAN_EVENT_STOP : event;
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

void scan_dispatch(ScanSession *s, ScanEvent event, Mono now)
{
    const ScanLanguage *language = s->language;

    if (s->state == language->closed)
        return;
    event = with_stop(s, event);
    explain(s, event);
    s->hurried |= event == SCAN_EVENT_STALLED;
    const ScanRule *rule = rule_of(s, event);
    if (language->before_step)
        language->before_step(s, event, now);
    if (event == SCAN_EVENT_FINISHED && !s->resting)
        scan_decide(s, SCAN_END_COMPLETE, NULL);
    int next = rule->allowed ? rule->next : language->closed;
    if (next < language->image || next > language->storing)
        drop_pages(s);
    if (next == language->closed) {
        if (event != SCAN_EVENT_LOST)
            unlock_blindly(s);
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

/* --- packets ------------------------------------------------------------------------------------ */

static ScanEvent lock_event(ScanSession *s)
{
    ScanEvent event = scan_ack_event(s);

    s->locked = event == SCAN_EVENT_ACK;
    if (event != SCAN_EVENT_NAK)
        return event;
    if (s->lock_tries < SCAN_LOCK_TRIES)
        return SCAN_EVENT_NAK;
    scan_fail(s, "device-busy", "locked by another computer");
    return SCAN_EVENT_REFUSED;
}

/* What the answer of the expected type means. */
static ScanEvent answer_event(ScanSession *s, Mono now)
{
    if (await_of(s) == SCAN_AWAIT_LOCK)
        return lock_event(s);
    return await_of(s) == SCAN_AWAIT_UNLOCK ? SCAN_EVENT_ACK : s->language->answer(s, now);
}

static uint16_t answer_type(const ScanSession *s)
{
    switch (await_of(s)) {
    case SCAN_AWAIT_WELCOME:
        return IS_WELCOME;
    case SCAN_AWAIT_LOCK:
        return IS_LOCK_REPLY;
    case SCAN_AWAIT_UNLOCK:
        return IS_UNLOCK_REPLY;
    default:
        return IS_PASSTHRU_REPLY;
    }
}

/* Events may come at any moment, also between a command and its answer. */
static void device_event(ScanSession *s, Mono now)
{
    uint8_t code = s->payload.n > 0 ? s->payload.p[0] : 0;
    bool page_ends = s->page->open && s->page->end_seen;
    bool all_came = s->last && (!scan_page_is_open(s) || page_ends);

    scan_push(s, (ScanAction){ .kind = SCAN_ACTION_NOTICE, .notice = is_event_name(code) });
    if (code == IS_EVENT_CANCEL) {
        scan_cancelled_at_device(s);
        s->stop = true;
        if (!s->waiting && !host_has_page(s))
            scan_dispatch(s, SCAN_EVENT_STOP, now);
    } else if (code == IS_EVENT_STOP && s->resting) { /* no more sheets will come */
        s->stop = true;
        if (!s->waiting)
            scan_dispatch(s, SCAN_EVENT_STOP, now);
    } else if (code == IS_EVENT_DISCONNECT || code == IS_EVENT_TIMEOUT ||
               code == IS_EVENT_REJECTED) {
        if (s->state < s->language->cancel && !all_came) {
            /* The text tells this from a connection that is merely gone, and from a refusal. */
            const Reason reason = scan_reason_of_event(code);

            scan_decide(s, SCAN_END_BROKEN, &reason);
        }
        scan_dispatch(s, SCAN_EVENT_LOST, now);
    }
}

/* An answer that is more than "not yet" ends the wait for a busy device. */
static bool ends_wait(ScanEvent event)
{
    return event == SCAN_EVENT_ACK || event == SCAN_EVENT_DONE || event == SCAN_EVENT_OTHER ||
           event == SCAN_EVENT_MORE || event == SCAN_EVENT_PAGE;
}

/* A whole packet is here, its payload in s->payload (a picture was handed on). */
static void take_packet(ScanSession *s, Mono now)
{
    enum { FROM_DEVICE = 0x8000 };

    if (s->header.type == IS_EVENT) {
        device_event(s, now);
        return;
    }
    if (s->waiting && s->header.type == answer_type(s)) {
        ScanEvent event = answer_event(s, now);

        if (ends_wait(event) && !s->language->steps[s->state].same_wait)
            s->busy = false;
        if (event == SCAN_EVENT_ACK)
            s->mend_tries = 0;
        s->waiting = false;
        scan_dispatch(s, event, now);
        return;
    }
    bool known = s->header.type == IS_PASSTHRU_REPLY || s->header.type == IS_LOCK_REPLY ||
                 s->header.type == IS_UNLOCK_REPLY || s->header.type == IS_WELCOME;
    if (!known && (s->header.type & FROM_DEVICE) && !s->foreign_seen)
        s->foreign_seen = true; /* a kind of notice we do not know: the first is let pass */
    else
        scan_dispatch(s, SCAN_EVENT_WRONG, now);
}

/* --- input -------------------------------------------------------------------------------------- */

/* True when the payload of the packet whose header just came is a picture that was asked for. */
static bool is_picture(const ScanSession *s)
{
    return s->waiting && s->header.type == IS_PASSTHRU_REPLY && await_of(s) == SCAN_AWAIT_PICTURE &&
           s->language->is_picture(s);
}

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
        s->out_of_step = true;
        scan_dispatch(s, SCAN_EVENT_WRONG, now);
    } else if (result == WIRE_OK) {
        s->payload_left = s->header.length;
        buf_clear(&s->payload);
        if (!is_picture(s) && s->payload_left > s->language->answer_max) {
            s->out_of_step = true;
            scan_dispatch(s, SCAN_EVENT_WRONG, now);
        } else if (s->payload_left == 0) {
            s->head_n = 0;
            take_packet(s, now);
        }
    }
    return n;
}

static size_t feed_payload(ScanSession *s, Bytes in, Mono now)
{
    Bytes part = { in.p, in.n < s->payload_left ? in.n : s->payload_left };

    if (is_picture(s)) {
        s->language->picture(s, part, now);
        be_patient(s, now);
    } else if (!buf_put(&s->payload, part)) {
        scan_fail(s, "protocol-error", "out of memory");
        scan_dispatch(s, SCAN_EVENT_WRONG, now);
        return part.n;
    }
    s->payload_left -= (uint32_t)part.n;
    if (s->payload_left == 0) {
        s->head_n = 0;
        take_packet(s, now);
    }
    return part.n;
}

size_t scan_session_feed(ScanSession *s, Bytes in, Mono now)
{
    if (s->state == s->language->closed || in.n == 0)
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
    if (!rule_of(s, SCAN_EVENT_MEND)->allowed || s->mend_tries >= SCAN_MEND_TRIES)
        return SCAN_EVENT_AGAIN;
    s->mend_tries++;
    return SCAN_EVENT_MEND;
}

void scan_session_tick(ScanSession *s, Mono now)
{
    if (s->paused || s->state == s->language->closed)
        return;
    if (mono_reached(now, s->late_at)) {
        bool asked = s->waiting || !rule_of(s, SCAN_EVENT_STALLED)->allowed;

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

bool scan_session_next(ScanSession *s, ScanAction *ret_action)
{
    if (s->action_count == 0)
        return false;
    *ret_action = s->actions[s->action_first];
    s->action_first = (s->action_first + 1) % SCAN_ACTIONS_MAX;
    s->action_count--;
    return true;
}

void scan_session_page_stored(ScanSession *s, bool ok, const Reason *reason, Mono now)
{
    if (!host_has_page(s))
        return; /* the host was late and the scan is being ended */
    s->progress_at = mono_after(now, SCAN_PROGRESS_MS); /* the host's time is not the device's */
    if (!ok)
        scan_decide(s, SCAN_END_BROKEN, reason);
    bool sheet_open = scan_page_is_open(s); /* its other side still comes */
    bool all_came = s->last && !sheet_open;
    bool more = s->after_page == SCAN_EVENT_STORED && !all_came && !sheet_open;
    bool enough = more && s->order.page_limit > 0 && scan_pages_begun(s) >= s->order.page_limit;

    if (enough)
        scan_decide(s, SCAN_END_COMPLETE, NULL); /* a device that does not count itself */
    else if (more && s->stop_at_page)
        scan_fail(s, "server-stopping", "");
    if (!ok)
        scan_dispatch(s, SCAN_EVENT_BAD_PAGE, now);
    else if (all_came)
        scan_dispatch(s, SCAN_EVENT_FINISHED, now);
    else
        scan_dispatch(s, enough || (more && s->stop_at_page) ? SCAN_EVENT_STOP : s->after_page,
                      now);
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
    bool asked = s->waiting && await_of(s) != SCAN_AWAIT_WELCOME;

    s->stop = true;
    if (!host_has_page(s) && !asked && rule_of(s, SCAN_EVENT_STOP)->allowed)
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
    if (s->state == s->language->closed)
        return;
    s->hurried = true;
    if (!host_has_page(s))
        s->late_at = mono_earlier(s->late_at, mono_after(now, SCAN_GOODBYE_MS));
    scan_session_no_more_sheets(s, now);
    if (ends_already(s))
        return;
    scan_fail(s, "server-stopping", "");
    stop(s, now);
}

void scan_session_stop_at_page(ScanSession *s, Mono now)
{
    s->stop_at_page = true;
    scan_session_no_more_sheets(s, now);
    if (scan_page_is_open(s) || host_has_page(s) || s->state >= s->language->cancel)
        return;
    scan_fail(s, "server-stopping", "");
    stop(s, now);
}

/* --- the session -------------------------------------------------------------------------------- */

ScanSession *scan_session_new(const ScanLanguage *language, const ScanOrder *order,
                              const ScanTraits *traits, Mono now)
{
    ScanSession *s = calloc(1, sizeof *s);
    void *own = calloc(1, language->own_size);

    if (!s || !own) {
        free(s);
        free(own);
        return NULL;
    }
    s->language = language;
    s->own = own;
    s->order = *order;
    s->traits = *traits;
    s->payload = buf_with_max(language->answer_max);
    s->out = buf_with_max(OUT_BYTES_MAX);
    s->late_at = s->again_at = s->progress_at = s->busy_until = MONO_NEVER;
    s->after_page = SCAN_EVENT_STORED;
    s->page = &s->pages[0];
    for (size_t i = 0; i < SCAN_SIDES_MAX; i++)
        s->pages[i].side = i == 0 ? 'A' : 'B';
    s->waiting = await_of(s) == SCAN_AWAIT_WELCOME;
    if (s->waiting)
        be_patient(s, now);
    else
        do_send(s, now);
    return s;
}

void scan_session_free(ScanSession *s)
{
    if (!s)
        return;
    if (s->language->done)
        s->language->done(s);
    buf_done(&s->payload);
    buf_done(&s->out);
    free(s->own);
    free(s);
}

int scan_session_state(const ScanSession *s)
{
    return s->state;
}

const char *scan_event_name(ScanEvent event)
{
    static const char *const names[SCAN_EVENT_MAX_] = {
        "WELCOMED", "LEGACY",  "ACK",    "NAK",     "DONE",  "OTHER",    "MORE",
        "BLOCK",    "PART",    "SPARE",  "BUSY",    "AGAIN", "MEND",     "REST",
        "SHEETS",   "REFUSED", "FAILED", "FAULT",   "PAGE",  "BAD_PAGE", "STORED",
        "FINISHED", "CHECK",   "STOP",   "STALLED", "LOST",  "LATE",     "WRONG",
    };

    return event < SCAN_EVENT_MAX_ ? names[event] : "?";
}
