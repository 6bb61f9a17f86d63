/* device/esci2-session.c - what ESC/I-2 sends, and when it asks again. What answers mean is in esci2-reply.c, the table
 * in esci2-rules.c. */
#include "device/esci2-session.h"

#include "device/esci2-inside.h"
#include "wire/esci2-token.h"

const ScanStep esci2_steps[ESCI2_STATE_MAX_] = {
    [ESCI2_AT_WELCOME] = { .await = SCAN_AWAIT_WELCOME },
    [ESCI2_AT_LOCK] = { .await = SCAN_AWAIT_LOCK },
    [ESCI2_AT_INQUIRY_MODE] = { .await = ESCI2_AWAIT_MODE, .text = ESCI2_MODE_INQUIRY },
    [ESCI2_AT_FORMER_FIN] = { .await = ESCI2_AWAIT_REPLY, .text = "FIN " },
    [ESCI2_AT_INFO] = { .await = ESCI2_AWAIT_REPLY, .text = "INFO" },
    [ESCI2_AT_INFO_DATA] = { .await = ESCI2_AWAIT_BLOCK },
    [ESCI2_AT_CAPA] = { .await = ESCI2_AWAIT_REPLY, .text = "CAPA" },
    [ESCI2_AT_CAPA_DATA] = { .await = ESCI2_AWAIT_BLOCK },
    [ESCI2_AT_INQUIRY_FIN] = { .await = ESCI2_AWAIT_REPLY, .text = "FIN " },
    [ESCI2_AT_STATUS_MODE] = { .await = ESCI2_AWAIT_MODE, .text = ESCI2_MODE_INQUIRY },
    [ESCI2_AT_STATUS] = { .await = ESCI2_AWAIT_REPLY, .text = "STAT" },
    [ESCI2_AT_STATUS_DATA] = { .await = ESCI2_AWAIT_BLOCK },
    [ESCI2_AT_STATUS_FIN] = { .await = ESCI2_AWAIT_REPLY, .text = "FIN " },
    [ESCI2_AT_CONTROL_MODE] = { .await = ESCI2_AWAIT_MODE, .text = ESCI2_MODE_CONTROL },
    [ESCI2_AT_CONTROL_STATUS] = { .await = ESCI2_AWAIT_REPLY, .text = "STAT" },
    [ESCI2_AT_CONTROL_STATUS_DATA] = { .await = ESCI2_AWAIT_BLOCK },
    [ESCI2_AT_PARAMETERS_HEAD] = { .await = ESCI2_AWAIT_EMPTY, .text = "PARA", .same_wait = true },
    [ESCI2_AT_PARAMETERS] = { .await = ESCI2_AWAIT_PARAMETERS, .text = "PARA" },
    [ESCI2_AT_START] = { .await = ESCI2_AWAIT_REPLY, .text = "TRDT" },
    [ESCI2_AT_IMAGE] = { .await = ESCI2_AWAIT_REPLY, .text = "IMG " },
    [ESCI2_AT_IMAGE_DATA] = { .await = SCAN_AWAIT_PICTURE },
    [ESCI2_AT_CANCEL] = { .await = ESCI2_AWAIT_REPLY, .text = "CAN " },
    [ESCI2_AT_FIN] = { .await = ESCI2_AWAIT_REPLY, .text = "FIN " },
    [ESCI2_AT_LAST_MODE] = { .await = ESCI2_AWAIT_MODE,
                             .text = ESCI2_MODE_INQUIRY,
                             .no_stop = true },
    [ESCI2_AT_LAST_STATUS] = { .await = ESCI2_AWAIT_REPLY, .text = "STAT" },
    [ESCI2_AT_LAST_STATUS_DATA] = { .await = ESCI2_AWAIT_BLOCK },
    [ESCI2_AT_LAST_FIN] = { .await = ESCI2_AWAIT_REPLY, .text = "FIN " },
    [ESCI2_AT_UNLOCK] = { .await = SCAN_AWAIT_UNLOCK },
};

/* The next piece of the parameters: as many whole tokens as the device takes at once (#DSZ). */
static uint32_t next_part(ScanSession *s)
{
    Esci2Own *own = s->esci2;
    Bytes rest = bytes_after(buf_bytes(&own->para_block), own->para_done);
    size_t max = own->info.parameter_block_max > 0 ? own->info.parameter_block_max : ESCI2_PARA_MAX;
    size_t part = esci2_block_cut(rest, max);

    own->para_part = part > 0 ? part : rest.n;
    return (uint32_t)own->para_part;
}

static void encode(ScanSession *s)
{
    const ScanStep *step = &esci2_steps[s->state];
    Esci2Own *own = s->esci2;
    AUTO_BUF request = buf_with_max(ESCI2_REQUEST_SIZE + 1);

    if (s->state == ESCI2_AT_LAST_STATUS)
        own->sheets = false;
    if (s->state == ESCI2_AT_START)
        own->feeder_used = s->unit == SCAN_UNIT_ADF;
    switch (step->await) {
    case ESCI2_AWAIT_MODE:
        is_passthru_encode(&s->out, bytes_of_text(step->text), 1);
        break;
    case ESCI2_AWAIT_REPLY:
        esci2_request_encode(&request, step->text, 0);
        is_passthru_encode(&s->out, buf_bytes(&request), ESCI2_REPLY_SIZE);
        break;
    case ESCI2_AWAIT_EMPTY:
        esci2_request_encode(&request, step->text, next_part(s));
        is_passthru_encode(&s->out, buf_bytes(&request), 0);
        break;
    case ESCI2_AWAIT_PARAMETERS:
        is_passthru_encode(&s->out, (Bytes){ own->para_block.p + own->para_done, own->para_part },
                           ESCI2_REPLY_SIZE);
        break;
    default: /* a block or a picture */
        is_passthru_encode(&s->out, (Bytes){ 0 }, own->wanted);
    }
}

static int64_t poll_pause_ms(const ScanSession *s, Mono now)
{
    int64_t without_ms = SCAN_PROGRESS_MS - (s->progress_at.ms - now.ms);
    bool busy = s->esci2->says_busy;
    bool feeds = busy || without_ms < SCAN_POLL_FEED_MS;
    int64_t most_ms = busy ? SCAN_POLL_BUSY_MAX_MS : SCAN_POLL_FEED_MAX_MS;
    int64_t ms = without_ms / (feeds ? SCAN_POLL_FEED_PART : SCAN_POLL_PART);

    if (feeds && ms > most_ms)
        return most_ms;
    return ms > SCAN_POLL_MIN_MS ? ms : SCAN_POLL_MIN_MS;
}

static int64_t pause_ms(ScanSession *s, Mono now)
{
    if (s->state == ESCI2_AT_LAST_MODE)
        return SCAN_SHEETS_PAUSE_MS;
    if (s->state != ESCI2_AT_IMAGE)
        return SCAN_BUSY_PAUSE_MS;
    s->late_at = s->progress_at;
    return poll_pause_ms(s, now);
}

static bool is_picture(const ScanSession *s)
{
    return s->header.length == s->esci2->wanted;
}

/* More sheets are waited for, where they can be. Of a feeder that delivers the last sheet first two stacks would be put
 * together in the wrong order; a limit of pages is an end of its own. */
static void rest(ScanSession *s, Mono now)
{
    enum { MS_PER_S = 1000 };
    bool can = s->unit == SCAN_UNIT_ADF && s->esci2->para.pages == 0 &&
               !s->esci2->info.adf.last_first;

    if (s->order.more_sheets_s == 0 || !can || s->stop || s->stop_at_page || s->decided)
        return;
    s->resting = true;
    s->esci2->sheets_until = mono_after(now, (int64_t)s->order.more_sheets_s * MS_PER_S);
    scan_push(s, (ScanAction){ .kind = SCAN_ACTION_NOTICE, .notice = SCAN_NOTICE_WAITS });
}

/* The feeder has sheets again: they are scanned as those before. */
static void go_on(ScanSession *s)
{
    uint32_t sheets = s->begun[0] > s->begun[1] ? s->begun[0] : s->begun[1];

    s->begun[0] = sheets;
    s->begun[1] = s->two_sides ? sheets : 0;
    s->resting = s->last = s->busy = false;
    s->after_page = SCAN_EVENT_STORED;
    s->esci2->para_done = s->esci2->para_part = 0;
    s->mend_tries = 0;
    scan_push(s, (ScanAction){ .kind = SCAN_ACTION_NOTICE, .notice = SCAN_NOTICE_SHEETS });
}

static void before_step(ScanSession *s, ScanEvent event, Mono now)
{
    if (event == SCAN_EVENT_FINISHED)
        rest(s, now);
    else if (event == SCAN_EVENT_SHEETS)
        go_on(s);
    else if (event == SCAN_EVENT_DONE && s->state == ESCI2_AT_START)
        s->progress_at = mono_after(now, SCAN_PROGRESS_MS);
}

static void done(ScanSession *s)
{
    buf_done(&s->esci2->para_block);
}

static const ScanLanguage language = {
    .rules = esci2_rules,
    .patience_ms = esci2_patience_ms,
    .steps = esci2_steps,
    .state_name = esci2_state_name,
    .image = ESCI2_AT_IMAGE,
    .storing = ESCI2_AT_STORING,
    .storing_lost = ESCI2_AT_STORING_LOST,
    .cancel = ESCI2_AT_CANCEL,
    .closed = ESCI2_AT_CLOSED,
    .answer_max = ESCI2_BLOCK_MAX,
    .own_size = sizeof(Esci2Own),
    .encode = encode,
    .pause_ms = pause_ms,
    .answer = esci2_answer,
    .is_picture = is_picture,
    .picture = esci2_picture,
    .before_step = before_step,
    .done = done,
};

ScanSession *esci2_session_new(const ScanOrder *order, const ScanTraits *traits, Mono now)
{
    ScanSession *s = scan_session_new(&language, order, traits, now);

    if (s)
        s->esci2->para_block = buf_with_max(ESCI2_PARA_MAX);
    return s;
}
