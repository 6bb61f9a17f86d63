/* device/esci2-reply.c - what the answers of an ESC/I-2 device mean to the scan session. */
#include "base/limits.h"
#include "base/text.h"
#include "device/esci2-inside.h"
#include "device/scan-offer.h"
#include "device/scan-reason.h"
#include "device/scan-warning.h"

/* --- pages -------------------------------------------------------------------------------------- */

void esci2_picture(ScanSession *s, Bytes bytes, Mono now)
{
    ScanPage *page = s->page;

    for (size_t i = 0; i < bytes.n && page->bytes + i < JPEG_MARKER_SIZE; i++)
        page->first[page->bytes + i] = bytes.p[i];
    if (bytes.n > 1)
        page->final[0] = bytes.p[bytes.n - 2];
    else if (bytes.n == 1)
        page->final[0] = page->final[1];
    if (bytes.n > 0)
        page->final[1] = bytes.p[bytes.n - 1];
    page->bytes += bytes.n;
    s->progress_at = mono_after(now, SCAN_PROGRESS_MS);
    scan_push(s,
              (ScanAction){ .kind = SCAN_ACTION_PAGE_BYTES, .side = page->side, .bytes = bytes });
}

/* A page is one JPEG file: it begins with SOI and ends with EOI (ITU-T T.81, B.1.1.3). */
static bool jpeg_is_whole(const ScanPage *page)
{
    static const uint8_t soi[JPEG_MARKER_SIZE] = { 0xff, 0xd8 };
    static const uint8_t eoi[JPEG_MARKER_SIZE] = { 0xff, 0xd9 };

    return page->bytes >= sizeof soi + sizeof eoi && memcmp(page->first, soi, sizeof soi) == 0 &&
           memcmp(page->final, eoi, sizeof eoi) == 0;
}

/* A raw page has as many whole lines as came, and all of those that its end speaks of. */
static bool raw_is_whole(ScanPage *page)
{
    uint64_t lines = page->bytes / page->raw.line_bytes;

    if (lines == 0 || lines > RAW_PAGE_SIDE_MAX || page->bytes % page->raw.line_bytes != 0 ||
        lines < page->notes.crop_height_px)
        return false;
    page->raw.height_px = (uint32_t)lines;
    return true;
}

/* The real size is worth a note where it is not that of the file. */
static void settle_size(ScanPage *page)
{
    bool raw = page->format == PAGE_FORMAT_RAW;
    uint32_t width = raw ? page->raw.width_px : page->width_px;
    uint32_t height = raw ? page->raw.height_px : page->height_px;
    bool said = page->notes.crop_width_px > 0 && page->notes.crop_height_px > 0;

    if (said && (raw || page->started) && page->notes.crop_width_px >= width &&
        page->notes.crop_height_px >= height)
        said = false;
    if (!said)
        page->notes.crop_width_px = page->notes.crop_height_px = 0;
}

/* The end of the page that the reply spoke of. One that is no page is not waited for: what was said beside
 * its end follows at once. */
static ScanEvent page_ended(ScanSession *s)
{
    ScanPage *page = s->page;
    bool raw = page->format == PAGE_FORMAT_RAW;

    if (raw ? raw_is_whole(page) : jpeg_is_whole(page)) {
        settle_size(page);
        return SCAN_EVENT_PAGE;
    }
    scan_fail(s, "page-broken", raw ? "lines are missing" : "no JPEG picture");
    return s->after_page == SCAN_EVENT_STORED ? SCAN_EVENT_BAD_PAGE : s->after_page;
}

/* What the lines are, from the colour that was asked for ("C024": three channels of 8 bits) and #pst. */
static bool raw_begin(const ScanSession *s, const Esci2Reply *reply, RawPage *ret_raw)
{
    enum { BYTE_BITS = 8, COLOURS = 3 };
    const char *color = s->esci2->para.color;
    int64_t pixel_bits = 0;
    RawPage raw = { .width_px = reply->start_width_px,
                    .channels = color[0] == 'C' ? COLOURS : 1,
                    .order = scan_raw_order(s, color[0] == 'C'),
                    .dpi = (uint32_t)s->esci2->para.dpi_main };

    if (!reply->page_start || color[0] == '\0' ||
        !bytes_to_int(bytes_of_text(color + 1), 1, UINT8_MAX, &pixel_bits) || raw.width_px == 0 ||
        raw.width_px > RAW_PAGE_SIDE_MAX)
        return false;
    uint64_t line = (raw.width_px * (uint64_t)pixel_bits + BYTE_BITS - 1) / BYTE_BITS +
                    reply->start_padding_bytes;
    if (line > RAW_PAGE_LINE_BYTES_MAX)
        return false;
    raw.bits = (uint32_t)pixel_bits / raw.channels;
    raw.line_bytes = (uint32_t)line;
    *ret_raw = raw;
    return true;
}

/* Sheets with two sides give their front the odd number and their back the even one that follows, in whatever order the
 * blocks of both come. Of the page of a side that is open, or begins next. */
static uint32_t page_number(const ScanSession *s, size_t side)
{
    uint32_t sheet = s->begun[side] + (s->pages[side].open ? 0 : 1);

    return s->two_sides ? 2 * sheet - 1 + (uint32_t)side : sheet;
}

/* Begins the page that the reply speaks of; false (and the reason recorded) when it may not be begun. */
static bool page_begin(ScanSession *s, const Esci2Reply *reply, Mono now)
{
    size_t side = s->page->side == 'B' ? 1 : 0;
    uint32_t number = page_number(s, side);
    bool raw = esci2_word_is(s->esci2->para.format, "RAW");
    const Esci2Source *source = s->unit == SCAN_UNIT_ADF ? &s->esci2->info.adf
                                                         : &s->esci2->info.flatbed;
    ScanPage page = { .side = s->page->side,
                      .number = number,
                      .format = raw ? PAGE_FORMAT_RAW : PAGE_FORMAT_JPEG,
                      .started = reply->page_start,
                      .width_px = reply->start_width_px,
                      .height_px = reply->start_height_px,
                      .notes = { .scan_dpi = (uint32_t)s->esci2->para.dpi_main,
                                 .last_first = source->last_first } };

    if (side == 1)
        page.notes.rotation = scan_back_rotation(s, source->two_pass);
    if (raw && !raw_begin(s, reply, &page.raw)) {
        scan_fail(s, "page-broken", "its size is not said");
        return false;
    }
    return scan_page_begin(s, &page, now);
}

/* --- IMG ---------------------------------------------------------------------------------------- */

static bool page_may_grow(ScanSession *s, uint32_t length)
{
    if (s->page->bytes + length <= PAGE_BYTES_MAX - RAW_PAGE_TRAILER_SIZE)
        return true;
    scan_fail(s, "page-too-large", "");
    return false;
}

/* Notes what a reply says about the end of the page and of the job. */
static void note_end(ScanSession *s, const Esci2Reply *reply)
{
    bool between = reply->page_end || !scan_page_is_open(s);

    if (reply->page_end) {
        s->page->end_seen = true;
        s->page->notes.crop_width_px = reply->end_width_px;
        s->page->notes.crop_height_px = reply->end_height_px;
        if (s->unit == SCAN_UNIT_FLATBED)
            s->last = true; /* a flatbed has one page and does not say so */
    }
    if (between && reply->has_left && reply->left == 0 && scan_pages_begun(s) > 0)
        s->last = true;
}

/* What a reply to IMG brings of pages. */
static ScanEvent image_content(ScanSession *s, const Esci2Reply *reply, Mono now)
{
    bool about_page = reply->page_start || reply->page_end || reply->length > 0;
    bool back = esci2_word_is(reply->side, "IMGB");

    if (about_page && back && !s->two_sides) {
        scan_fail(s, "two-sided-page", "");
        return SCAN_EVENT_BAD_PAGE;
    }
    if (about_page)
        s->page = &s->pages[back ? 1 : 0];
    /* More than #BSZ says does no harm: it is handed on as it comes. */
    if (reply->length > IS_PAYLOAD_FROM_DEVICE_MAX)
        return SCAN_EVENT_WRONG;
    if (reply->page_start && s->page->open) {
        scan_fail(s, "page-broken", "it begins twice");
        return SCAN_EVENT_BAD_PAGE;
    }
    if (!s->page->open && (reply->page_start || reply->length > 0) && !page_begin(s, reply, now))
        return SCAN_EVENT_BAD_PAGE;
    note_end(s, reply);
    if (reply->length > 0) {
        s->esci2->wanted = reply->length;
        return page_may_grow(s, reply->length) ? SCAN_EVENT_MORE : SCAN_EVENT_BAD_PAGE;
    }
    if (reply->page_end && s->page->open)
        return page_ended(s);
    return !scan_page_is_open(s) && s->last ? SCAN_EVENT_FINISHED : SCAN_EVENT_DONE;
}

/* #nrd that means "ask again". */
static bool is_busy(const Esci2Reply *reply)
{
    return esci2_word_is(reply->not_ready, "BUSY") || esci2_word_is(reply->not_ready, "WUP");
}

/* How a reply to IMG ends the scan: FINISHED, FAULT or STOP; STORED when it does not. whole: no page
 * is left half by it. */
static ScanEvent image_ending(ScanSession *s, const Esci2Reply *reply, bool whole)
{
    Reason reason;

    if (reply->error.cause[0] != '\0') {
        /* An empty feeder after a whole page is the normal end of a job. */
        if (whole && esci2_word_is(reply->error.cause, "PE"))
            return SCAN_EVENT_FINISHED;
        reason = scan_reason_of_error(&reply->error);
        scan_decide(s, SCAN_END_BROKEN, &reason);
        return SCAN_EVENT_FAULT;
    }
    if (reply->not_ready[0] != '\0' && !is_busy(reply)) {
        scan_fail(s, scan_reason_of_not_ready(reply->not_ready), "");
        return SCAN_EVENT_FAULT;
    }
    if (esci2_word_is(reply->attention, "CAN")) {
        scan_cancelled_at_device(s);
        return SCAN_EVENT_STOP;
    }
    return SCAN_EVENT_STORED;
}

static void tell_warnings(ScanSession *s)
{
    scan_push(s, (ScanAction){ .kind = SCAN_ACTION_WARNED, .warnings = &s->esci2->warnings });
}

/* What a reply says beside the page it is about: that which is open, or begins with it; else it is of no page. */
static void note_warnings(ScanSession *s, const Esci2Reply *reply)
{
    size_t side = esci2_word_is(reply->side, "IMGB") ? 1 : 0;
    bool about_page = s->pages[side].open || reply->page_start || reply->length > 0;

    if (scan_warn_of_page(&s->esci2->warnings, reply, about_page ? page_number(s, side) : 0))
        tell_warnings(s);
}

/* A reply to IMG. Whatever is sent after the end of a page acknowledges it, FIN and CAN too: a page
 * whose end comes together with the end of the scan is stored first. */
static ScanEvent image_reply(ScanSession *s, const Esci2Reply *reply, Mono now)
{
    bool is_open = s->pages[esci2_word_is(reply->side, "IMGB") ? 1 : 0].open;
    bool ends_page = reply->page_end && (is_open || reply->length > 0);
    bool alone = !s->pages[esci2_word_is(reply->side, "IMGB") ? 0 : 1].open;
    bool whole = alone && (ends_page || (!is_open && scan_pages_begun(s) > 0));
    bool empty = !reply->page_start && !reply->page_end && reply->length == 0;
    ScanEvent ending = image_ending(s, reply, whole);

    s->esci2->says_busy = is_busy(reply);
    note_warnings(s, reply);
    if (ending != SCAN_EVENT_STORED && !ends_page)
        return ending;
    if (empty && !reply->has_left && mono_reached(now, s->progress_at))
        return SCAN_EVENT_STALLED;
    if (is_busy(reply) && empty)
        return SCAN_EVENT_BUSY;
    s->after_page = ending;
    if (ending == SCAN_EVENT_FINISHED)
        s->last = true;
    return image_content(s, reply, now);
}

/* --- other replies ------------------------------------------------------------------------------ */

/* Busy, for the first time or still: in the end it is too long. */
static ScanEvent still_busy(ScanSession *s, ScanEvent event, Mono now)
{
    if (scan_may_wait(s, SCAN_BUSY_MS, now))
        return event;
    if (s->state < ESCI2_AT_CANCEL)
        scan_fail(s, "device-busy", "");
    return SCAN_EVENT_REFUSED;
}

static bool build_parameters(ScanSession *s, bool spare)
{
    enum { KIB = 1024 };
    Esci2Own *own = s->esci2;
    Reason reason;

    bool planned = scan_plan_para(&own->info, &own->capa, &s->order, s->unit, spare, &own->para,
                                  &s->notes, &reason);
    scan_push(s, (ScanAction){ .kind = SCAN_ACTION_NOTED, .replaced = &s->notes });
    if (!planned) {
        scan_decide(s, SCAN_END_BROKEN, &reason);
        return false;
    }
    s->two_sides = esci2_words_have(&own->para.options, "DPLX");
    if (s->quirk.block_kib > 0)
        own->para.block_bytes = (int32_t)s->quirk.block_kib * KIB;
    buf_clear(&own->para_block);
    own->para_done = own->para_part = 0;
    own->spare_tried = spare;
    if (!esci2_para_encode(&own->para_block, &own->para))
        scan_fail(s, "parameters-refused", "they cannot be written");
    return !own->para_block.failed;
}

/* The status is known: from which unit, with which parameters. */
static ScanEvent choose(ScanSession *s, ScanEvent event)
{
    Esci2Own *own = s->esci2;
    Reason reason;

    scan_offer(&own->info, &own->capa, &s->offer);
    scan_push(s, (ScanAction){ .kind = SCAN_ACTION_OFFERED, .offer = &s->offer });
    if (!scan_plan_unit(&own->info, &own->stat, s->order.source, &s->unit, &reason)) {
        scan_decide(s, SCAN_END_BROKEN, &reason);
        return SCAN_EVENT_FAULT;
    }
    return build_parameters(s, false) ? event : SCAN_EVENT_FAULT;
}

/* word: how: "UNKN", "INVD", "NAK". */
static ScanEvent refused(ScanSession *s, const char *word)
{
    if (s->state == ESCI2_AT_PARAMETERS) {
        if (!s->esci2->spare_tried && build_parameters(s, true))
            return SCAN_EVENT_SPARE;
        scan_fail(s, "parameters-refused", "");
    } else if (s->state == ESCI2_AT_INFO || s->state == ESCI2_AT_START ||
               s->state == ESCI2_AT_IMAGE) {
        const char *text = esci2_steps[s->state].text; /* "IMG " */
        char command[ESCI2_WORD_SIZE];

        (void)text_printf(command, sizeof command, "%.*s", (int)strcspn(text, " "), text);
        scan_refused(s, word, command);
    }
    return SCAN_EVENT_REFUSED;
}

/* The feeder was looked at: on with its sheets, or look again, or that is all. */
static ScanEvent after_look(const ScanSession *s, ScanEvent event, Mono now)
{
    if (!s->resting || s->stop || s->hurried)
        return event;
    if (s->esci2->sheets)
        return SCAN_EVENT_SHEETS;
    return mono_reached(now, s->esci2->sheets_until) ? event : SCAN_EVENT_REST;
}

/* A reply that is neither an error nor a refusal, by the state that asked. */
static ScanEvent granted(ScanSession *s, const Esci2Reply *reply, Mono now)
{
    Esci2Own *own = s->esci2;
    ScanEvent event = reply->length > 0 ? SCAN_EVENT_MORE : SCAN_EVENT_DONE;

    if (s->state == ESCI2_AT_LAST_STATUS)
        own->sheets = event == SCAN_EVENT_DONE; /* nothing is wrong: the feeder is not empty */

    switch (s->state) {
    case ESCI2_AT_PARAMETERS:
        own->para_done += own->para_part;
        return own->para_done < own->para_block.n ? SCAN_EVENT_PART : event;
    case ESCI2_AT_FIN:
        return own->feeder_used ? SCAN_EVENT_CHECK : event;
    case ESCI2_AT_LAST_FIN:
        return after_look(s, event, now);
    default:
        if (reply->length > ESCI2_BLOCK_MAX)
            return SCAN_EVENT_WRONG;
        own->wanted = reply->length;
        return event;
    }
}

static ScanEvent meaning(ScanSession *s, const Esci2Reply *reply, Mono now)
{
    if (esci2_word_is(reply->code, "UNKN") || esci2_word_is(reply->code, "INVD"))
        return refused(s, reply->code);
    if (!esci2_word_is(reply->code, esci2_steps[s->state].text))
        return SCAN_EVENT_WRONG;
    if (s->state == ESCI2_AT_IMAGE)
        return image_reply(s, reply, now);
    if (reply->error.cause[0] != '\0') {
        Reason reason = scan_reason_of_error(&reply->error);

        /* The sheets that were there are gone again: they are waited for as before. */
        if (s->state == ESCI2_AT_START && scan_pages_begun(s) > 0 &&
            esci2_word_is(reply->error.cause, "PE"))
            s->resting = true;
        else if (s->state < ESCI2_AT_CANCEL)
            scan_decide(s, SCAN_END_BROKEN, &reason);
        return SCAN_EVENT_FAULT;
    }
    if (is_busy(reply))
        return still_busy(s, SCAN_EVENT_BUSY, now);
    if (reply->not_ready[0] != '\0') {
        if (s->state < ESCI2_AT_CANCEL)
            scan_fail(s, scan_reason_of_not_ready(reply->not_ready), "");
        return SCAN_EVENT_FAULT;
    }
    if (s->state == ESCI2_AT_PARAMETERS && !esci2_word_is(reply->parameters, "OK") &&
        reply->parameters[0] != '\0')
        return refused(s, "");
    return granted(s, reply, now);
}

/* What a reply means; after the first status the unit is chosen, whatever FIN was answered with. */
static ScanEvent reply_event(ScanSession *s, const Esci2Reply *reply, Mono now)
{
    ScanEvent event = meaning(s, reply, now);

    return s->state == ESCI2_AT_STATUS_FIN &&
                   esci2_rules[s->state][event].next == ESCI2_AT_CONTROL_MODE
               ? choose(s, event)
               : event;
}

/* --- blocks ------------------------------------------------------------------------------------- */

/* The one format that the model can do, where it offers it. */
static void correct_capa(ScanSession *s)
{
    const char *only = s->quirk.format == QUIRK_FORMAT_JPEG ? "JPG" : "RAW";
    Esci2Words words = { 0 };

    if (s->quirk.format == QUIRK_FORMAT_AUTO || !esci2_words_have(&s->esci2->capa.formats, only))
        return;
    (void)esci2_words_add(&words, only);
    s->esci2->capa.formats = words;
}

static ScanEvent info_block(ScanSession *s)
{
    Esci2Info *info = &s->esci2->info;

    if (esci2_info_decode(buf_bytes(&s->payload), info) != WIRE_OK)
        return SCAN_EVENT_WRONG;
    scan_identify(s, info->product, info->serial, info->version);
    if (s->quirk.first_sheet != QUIRK_ORDER_AUTO) /* what its model is known to say wrongly */
        info->adf.last_first = s->quirk.first_sheet == QUIRK_ORDER_LAST;
    return SCAN_EVENT_BLOCK;
}

/* What STAT says while more sheets are waited for; what cannot be read is no reason to feed. */
static bool feeder_is_ready(Bytes block)
{
    Esci2Stat stat;

    if (esci2_stat_decode(block, &stat) != WIRE_OK)
        return false;
    for (size_t i = 0; i < stat.error_count; i++)
        if (esci2_word_is(stat.errors[i].part, "ADF"))
            return false;
    return true;
}

/* What any status warns of; what cannot be read warns of nothing. */
static void status_warnings(ScanSession *s)
{
    Esci2Stat stat;

    if (esci2_stat_decode(buf_bytes(&s->payload), &stat) == WIRE_OK &&
        scan_warn_of_status(&s->esci2->warnings, &stat))
        tell_warnings(s);
}

static ScanEvent block_event(ScanSession *s)
{
    WireResult result = WIRE_OK;

    if (s->header.length != s->esci2->wanted)
        return SCAN_EVENT_WRONG; /* less than announced: what is missing cannot be asked for */
    if (s->state == ESCI2_AT_INFO_DATA)
        return info_block(s);
    if (s->state == ESCI2_AT_STATUS_DATA || s->state == ESCI2_AT_CONTROL_STATUS_DATA ||
        s->state == ESCI2_AT_LAST_STATUS_DATA)
        status_warnings(s);
    if (s->state == ESCI2_AT_CAPA_DATA)
        result = esci2_capa_decode(buf_bytes(&s->payload), &s->esci2->capa);
    else if (s->state == ESCI2_AT_STATUS_DATA)
        result = esci2_stat_decode(buf_bytes(&s->payload), &s->esci2->stat);
    else if (s->state == ESCI2_AT_LAST_STATUS_DATA && s->resting)
        s->esci2->sheets = feeder_is_ready(buf_bytes(&s->payload));
    if (result != WIRE_OK)
        return SCAN_EVENT_WRONG;
    if (s->state == ESCI2_AT_CAPA_DATA)
        correct_capa(s);
    return SCAN_EVENT_BLOCK;
}

/* --- answers ------------------------------------------------------------------------------------ */

static ScanEvent welcome_event(ScanSession *s)
{
    uint8_t family;

    if (is_welcome_decode(buf_bytes(&s->payload), &family) != WIRE_OK)
        return SCAN_EVENT_WRONG;
    if (family != IS_FAMILY_LEGACY)
        return SCAN_EVENT_WELCOMED;
    s->hands_over = true;
    return SCAN_EVENT_LEGACY;
}

ScanEvent esci2_answer(ScanSession *s, Mono now)
{
    Esci2Reply reply;
    ScanEvent ack;

    switch (esci2_steps[s->state].await) {
    case SCAN_AWAIT_WELCOME:
        return welcome_event(s);
    case ESCI2_AWAIT_MODE:
        ack = scan_ack_event(s);
        return ack == SCAN_EVENT_NAK ? still_busy(s, ack, now) : ack;
    case ESCI2_AWAIT_REPLY:
    case ESCI2_AWAIT_PARAMETERS:
        if (esci2_reply_decode(buf_bytes(&s->payload), &reply) != WIRE_OK)
            return SCAN_EVENT_WRONG;
        return reply_event(s, &reply, now);
    case ESCI2_AWAIT_BLOCK:
        return block_event(s);
    case SCAN_AWAIT_PICTURE:
        if (s->header.length != s->esci2->wanted)
            return SCAN_EVENT_WRONG;
        return s->page->end_seen ? page_ended(s) : SCAN_EVENT_BLOCK;
    case ESCI2_AWAIT_EMPTY:
        return s->header.length == 0 ? SCAN_EVENT_DONE : SCAN_EVENT_WRONG;
    default:
        return SCAN_EVENT_WRONG;
    }
}
