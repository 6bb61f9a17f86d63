/* device/esci-reply.c - what the answers of an older device mean to the scan session. */
#include "base/limits.h"
#include "base/text.h"
#include "device/esci-inside.h"
#include "device/scan-reason.h"

enum {
    DEFAULT_DPI = 300,
    WIDTH_STEP_PX = 8, /* lines of whole bytes, also of 1 bit */
    KIB = 1024,
    BLOCK_BYTES_WISHED = 64 * KIB,
    BLOCK_LINES_MAX = 255,
    BYTE_BITS = 8,
    COLOURS = 3,
    SHEET_SIDES = 2,
    UNITS_PER_INCH = 100,
};

/* --- the plan ------------------------------------------------------------------------------------ */

static uint32_t hundredths(uint32_t pixels, uint32_t basic_dpi)
{
    return basic_dpi > 0 ? (uint32_t)((uint64_t)pixels * UNITS_PER_INCH / basic_dpi) : 0;
}

static void offer_source(const EsciIdentity *id, bool present, uint32_t width, uint32_t height,
                         OfferSource *to)
{
    if (!present)
        return;
    to->present = true;
    to->width = hundredths(width, id->basic_dpi);
    to->height = hundredths(height, id->basic_dpi);
    to->dpi_range = id->min_dpi > 0 && id->max_dpi >= id->min_dpi && id->max_dpi <= UINT16_MAX;
    if (to->dpi_range) {
        to->dpi_count = 2;
        to->dpi[0] = (int32_t)id->min_dpi;
        to->dpi[1] = (int32_t)id->max_dpi;
    }
}

/* Lines in every colour, and a threshold: what its identity does not tell is not offered. */
static void make_offer(ScanSession *s)
{
    const EsciIdentity *id = &s->esci->id;
    DeviceOffer offer = { .raw = true,
                          .color = { true, true, true },
                          .jpeg_quality = { 1, 0 },
                          .threshold = { 0, UINT8_MAX },
                          .crop_margin = { 1, 0 } };

    offer_source(id, s->esci->has_feeder, id->adf_width, id->adf_height, &offer.adf);
    offer_source(id, s->esci->has_glass, id->flatbed_width, id->flatbed_height, &offer.flatbed);
    offer.adf.two_sided = s->esci->has_feeder && (id->capabilities & ESCI_CAN_DUPLEX);
    s->offer = offer;
}

/* The order as the unit in use can fulfil it; what is replaced goes to the host. A strict order that is not
 * fulfilled ends the scan: false. */
static bool resolve(ScanSession *s)
{
    ScanSettings wanted = s->order;

    if (wanted.dpi == 0 || wanted.dpi > UINT16_MAX)
        wanted.dpi = DEFAULT_DPI;
    s->notes = (ScanNotes){ 0 };
    scan_settings_resolve(&s->offer, s->unit, &wanted, &s->esci->used, &s->notes);
    scan_push(s, (ScanAction){ .kind = SCAN_ACTION_NOTED, .replaced = &s->notes });
    if (!wanted.strict || s->notes.count == 0)
        return true;
    Reason reason = scan_reason_of_notes(&s->notes);
    scan_decide(s, SCAN_END_BROKEN, &reason);
    return false;
}

static uint32_t scaled(uint32_t pixels, uint32_t dpi, uint32_t basic_dpi)
{
    uint64_t n = basic_dpi > 0 ? (uint64_t)pixels * dpi / basic_dpi : 0;

    return n > RAW_PAGE_SIDE_MAX ? RAW_PAGE_SIDE_MAX : (uint32_t)n;
}

static EsciSource source_of(const ScanSession *s)
{
    if (s->unit == SCAN_UNIT_FLATBED)
        return ESCI_FLATBED;
    return s->two_sides ? ESCI_ADF_DUPLEX_SCAN : ESCI_ADF;
}

/* The area of the unit, or of the paper from its upper left corner, in the colour that was ordered. How a feeder
 * guides narrow paper is not told, so its whole width is scanned. */
static void plan_parameters(ScanSession *s)
{
    const EsciIdentity *id = &s->esci->id;
    bool adf = s->unit == SCAN_UNIT_ADF;
    const ScanSettings *used = &s->esci->used.settings;
    EsciParameters p = { .dpi_main = used->dpi,
                         .color = used->color == SCAN_COLOR_COLOR ? ESCI_COLOR_PIXELS : ESCI_MONO,
                         .bits = used->color == SCAN_COLOR_BW ? 1 : BYTE_BITS,
                         .source = (uint8_t)source_of(s),
                         .gamma = s->esci->gamma_own ? ESCI_GAMMA_USER : ESCI_GAMMA_DEFAULT,
                         .threshold = ESCI_THRESHOLD_MIDDLE };
    uint32_t paper_width = scaled(s->esci->used.width, p.dpi_main, UNITS_PER_INCH);
    uint32_t paper_height = scaled(s->esci->used.height, p.dpi_main, UNITS_PER_INCH);

    p.dpi_sub = p.dpi_main;
    p.halftone = p.bits == 1 ? ESCI_HALFTONE_NONE : 0;
    p.width_px = scaled(adf ? id->adf_width : id->flatbed_width, p.dpi_main, id->basic_dpi);
    p.height_px = scaled(adf ? id->adf_height : id->flatbed_height, p.dpi_main, id->basic_dpi);
    if (!adf && paper_width > 0 && paper_width < p.width_px)
        p.width_px = paper_width;
    if (paper_height > 0 && paper_height < p.height_px)
        p.height_px = paper_height;
    if (p.bits == 1 && used->threshold > 0)
        p.threshold = (uint8_t)used->threshold;
    if (id->line_max_px > 0 && p.width_px > id->line_max_px)
        p.width_px = id->line_max_px;
    p.width_px -= p.width_px % WIDTH_STEP_PX;
    uint64_t line = esci_line_bytes(&p);
    uint64_t wished = s->quirk.block_kib > 0 ? (uint64_t)s->quirk.block_kib * KIB
                                             : BLOCK_BYTES_WISHED;
    uint64_t lines = line > 0 ? wished / line : 1;
    p.block_lines = (uint8_t)(lines < 1 ? 1 : lines > BLOCK_LINES_MAX ? BLOCK_LINES_MAX : lines);
    s->esci->parameters = p;
}

/* The first unit to try; false, with the reason, when there is none. */
static bool choose_unit(ScanSession *s)
{
    make_offer(s);
    scan_push(s, (ScanAction){ .kind = SCAN_ACTION_OFFERED, .offer = &s->offer });
    bool feeder = s->esci->has_feeder && s->order.source != SCAN_SOURCE_FLATBED;
    bool glass = s->esci->has_glass && s->order.source != SCAN_SOURCE_ADF;

    if (!feeder && !glass) {
        scan_fail(s, "source-missing", "");
        return false;
    }
    s->unit = feeder ? SCAN_UNIT_ADF : SCAN_UNIT_FLATBED;
    s->two_sides = feeder && s->order.sides == SCAN_SIDES_TWO &&
                   (s->esci->id.capabilities & ESCI_CAN_DUPLEX);
    if (!resolve(s))
        return false;
    plan_parameters(s);
    return true;
}

/* --- status -------------------------------------------------------------------------------------- */

/* Not ready, for the first time or still: in the end it is too long. */
static ScanEvent still_busy(ScanSession *s, const char *code, int64_t most_ms, Mono now)
{
    if (scan_may_wait(s, most_ms, now))
        return SCAN_EVENT_BUSY;
    scan_fail(s, code, "");
    return SCAN_EVENT_FAULT;
}

/* The stable word for what the status complains of in the unit in use; NULL: nothing. */
static const char *fault_of(const ScanSession *s, const EsciStatus *status)
{
    bool adf = s->unit == SCAN_UNIT_ADF;
    uint8_t bits = adf ? status->adf : status->main_unit & (uint8_t)~ESCI_MAIN_TYPE;

    if (bits & ESCI_UNIT_JAM)
        return "paper-jam";
    if (bits & ESCI_UNIT_OPEN)
        return "cover-open";
    if (adf && (bits & ESCI_UNIT_EMPTY))
        return "no-paper";
    if ((bits & ESCI_UNIT_ERROR) || (status->device & ESCI_DEVICE_FATAL))
        return "device-error";
    return NULL;
}

static ScanEvent fault(ScanSession *s, const EsciStatus *status, const char *code)
{
    char detail[32] = "";

    if (text_equal(code, "device-error"))
        (void)text_printf(detail, sizeof detail, "status %02x %02x %02x", status->device,
                          status->adf, status->main_unit);
    scan_fail(s, code, detail);
    return SCAN_EVENT_FAULT;
}

/* The feeder is empty where a page was to come. */
static ScanEvent feeder_empty(ScanSession *s, const EsciStatus *status)
{
    bool back_is_due = s->two_sides && scan_pages_begun(s) % SHEET_SIDES == 1;

    if (s->state == ESCI_AT_SOURCE_STATUS) {
        if (s->order.source != SCAN_SOURCE_AUTO || !s->esci->has_glass)
            return fault(s, status, "no-paper");
        s->unit = SCAN_UNIT_FLATBED; /* an empty feeder means the glass */
        s->two_sides = false;
        if (!resolve(s))
            return SCAN_EVENT_FAULT;
        plan_parameters(s);
        return SCAN_EVENT_OTHER;
    }
    if (back_is_due)
        return SCAN_EVENT_DONE; /* the sheet is inside */
    return scan_pages_begun(s) > 0 ? SCAN_EVENT_FINISHED : fault(s, status, "no-paper");
}

/* Why the device said that it failed. */
static ScanEvent explained(ScanSession *s, const EsciStatus *status)
{
    const char *code = fault_of(s, status);

    if (code && text_equal(code, "no-paper") && scan_pages_begun(s) > 0 && !s->esci->ask)
        scan_decide(s, SCAN_END_COMPLETE, NULL); /* the end of a stack, told late */
    else if (!code && s->esci->refused)
        scan_refused(s, "NAK", "the next block");
    else
        (void)fault(s, status, code ? code : "device-error");
    return SCAN_EVENT_DONE;
}

static ScanEvent status_event(ScanSession *s, Mono now)
{
    EsciStatus status;

    if (esci_status_decode(buf_bytes(&s->payload), &status) != WIRE_OK)
        return SCAN_EVENT_WRONG;
    if (s->state == ESCI_AT_FAULT_STATUS)
        return explained(s, &status);
    if (s->state == ESCI_AT_STATUS && !s->esci->chosen) { /* a busy device is asked again */
        s->esci->has_feeder = s->esci->has_feeder || (status.adf & ESCI_ADF_INSTALLED);
        if (!choose_unit(s))
            return SCAN_EVENT_FAULT;
        s->esci->chosen = true;
    }
    if (status.device & ESCI_DEVICE_WARMING_UP)
        return still_busy(s, "warming-up", ESCI_WARM_UP_MS, now);
    if (status.device & ESCI_DEVICE_NOT_READY)
        return still_busy(s, "device-busy", SCAN_BUSY_MS, now);
    /* Another unit may be chosen, and complain of an empty feeder: it is asked again with ours. */
    const char *code = s->state == ESCI_AT_STATUS ? NULL : fault_of(s, &status);
    if (!code)
        return SCAN_EVENT_DONE;
    return text_equal(code, "no-paper") ? feeder_empty(s, &status) : fault(s, &status, code);
}

/* --- identity ------------------------------------------------------------------------------------ */

static ScanEvent identity_event(ScanSession *s)
{
    EsciIdentity *id = &s->esci->id;

    if (esci_identity_decode(buf_bytes(&s->payload), id) != WIRE_OK)
        return SCAN_EVENT_WRONG;
    s->esci->has_feeder = id->adf_width > 0 && id->adf_height > 0;
    s->esci->has_glass = id->flatbed_width > 0 && id->flatbed_height > 0 &&
                         !(id->capabilities & ESCI_CAN_NO_FLATBED);
    scan_identify(s, id->product, "", id->firmware);
    return SCAN_EVENT_DONE;
}

/* --- pages --------------------------------------------------------------------------------------- */

static ScanEvent page_fault(ScanSession *s, const char *code, const char *detail)
{
    scan_fail(s, code, detail);
    return SCAN_EVENT_FAULT;
}

/* The blocks of a page were announced: it begins. */
static ScanEvent page_begin(ScanSession *s, Mono now)
{
    const EsciParameters *p = &s->esci->parameters;
    uint64_t line = esci_line_bytes(p), total = esci_blocks_total(&s->esci->blocks);

    if (total > PAGE_BYTES_MAX - RAW_PAGE_TRAILER_SIZE)
        return page_fault(s, "page-too-large", "");
    if (line == 0 || line > RAW_PAGE_LINE_BYTES_MAX || total % line != 0 ||
        total / line > RAW_PAGE_SIDE_MAX)
        return page_fault(s, "page-broken", "no whole lines");
    uint32_t number = scan_pages_begun(s) + 1;
    bool back = s->two_sides && number % SHEET_SIDES == 0;
    ScanPage page = { .side = back ? 'B' : 'A',
                      .number = number,
                      .format = PAGE_FORMAT_RAW,
                      .raw = { .width_px = p->width_px,
                               .height_px = (uint32_t)(total / line),
                               .line_bytes = (uint32_t)line,
                               .channels = p->color == ESCI_MONO ? 1 : COLOURS,
                               .bits = p->bits,
                               .order = scan_raw_order(s, p->color != ESCI_MONO),
                               .dpi = p->dpi_main },
                      .notes = { .scan_dpi = p->dpi_main,
                                 .rotation = back ? scan_back_rotation(s, false) : 0,
                                 .last_first = s->unit == SCAN_UNIT_ADF &&
                                               s->quirk.first_sheet == QUIRK_ORDER_LAST } };
    s->esci->block = 0;
    s->esci->block_left = esci_block_size(s);
    return scan_page_begin(s, &page, now) ? SCAN_EVENT_DONE : SCAN_EVENT_FAULT;
}

static ScanEvent blocks_event(ScanSession *s, Mono now)
{
    enum { BLOCK_MAX = IS_PAYLOAD_FROM_DEVICE_MAX - 1 };
    Bytes answer = buf_bytes(&s->payload);
    EsciBlocks *blocks = &s->esci->blocks;

    if (answer.n == 1 && answer.p[0] == IS_NAK)
        return SCAN_EVENT_FAILED;
    if (esci_blocks_decode(answer, blocks) != WIRE_OK)
        return SCAN_EVENT_WRONG;
    if (blocks->status & ESCI_BLOCK_FATAL)
        return SCAN_EVENT_FAILED;
    /* 10 is "cancel requested" behind a block of the picture only. Here a WF-3620 sets it (12) at an ordinary start, and
     * SANE (epson2, e2_start_ext_scan) looks at nothing but 80: so an answer with 10 and without blocks is one without
     * blocks, which is how a feeder says that it still draws the paper. Who cancels meanwhile is heard all the same: by
     * event 03, by a status with an error, or by the 10 behind the first block. */
    if ((blocks->status & ESCI_BLOCK_NOT_READY) || esci_blocks_total(blocks) == 0)
        return still_busy(s, "no-progress", SCAN_PROGRESS_MS, now); /* it draws the paper */
    if (blocks->block_bytes > BLOCK_MAX || blocks->last_bytes > BLOCK_MAX ||
        (blocks->full_blocks > 0 && blocks->block_bytes == 0))
        return SCAN_EVENT_WRONG;
    return page_begin(s, now);
}

/* The answer to a read of a block is here, all that it brought handed on. */
static ScanEvent data_event(ScanSession *s, Mono now)
{
    EsciOwn *own = s->esci;
    uint32_t blocks = own->blocks.full_blocks + (own->blocks.last_bytes > 0);
    bool is_last = own->block + 1 == blocks;

    if (s->header.length == 0)
        return still_busy(s, "no-progress", SCAN_PROGRESS_MS, now);
    if (s->payload.n == 1 && s->payload.p[0] == IS_NAK) {
        own->ask = own->refused = true;
        return SCAN_EVENT_FAILED;
    }
    if (s->payload.n == 1) /* no NAK, but a piece of the picture */
        esci_picture(s, buf_bytes(&s->payload));
    if (own->block_left > 0)
        return SCAN_EVENT_OTHER;
    if (own->block_status & (ESCI_BLOCK_FATAL | ESCI_BLOCK_NOT_READY)) {
        own->ask = true;
        return SCAN_EVENT_FAILED;
    }
    if (own->block_status & ESCI_BLOCK_CANCEL) {
        scan_cancelled_at_device(s);
        s->stop = true;
        if (is_last)
            s->after_page = SCAN_EVENT_STOP; /* it came with the end of a page, which is whole */
        else
            return SCAN_EVENT_STOP;
    }
    own->block++;
    s->last = is_last && s->unit == SCAN_UNIT_FLATBED;
    return is_last ? SCAN_EVENT_PAGE : SCAN_EVENT_MORE;
}

/* --- one byte ------------------------------------------------------------------------------------ */

static ScanEvent refused(ScanSession *s, const char *code)
{
    char detail[8] = "";
    const char *command = esci_steps[s->state].text;

    if (command)
        (void)text_printf(detail, sizeof detail, "%s %c", command[0] == '\x1b' ? "ESC" : "FS",
                          command[1]);
    if (text_equal(code, "device-rejected"))
        scan_refused(s, "NAK", detail);
    else
        scan_fail(s, code, "");
    return SCAN_EVENT_FAULT;
}

/* The answer to ESC (: 80 granted, 40 in use; a device that does not know the command needs no asking. */
static ScanEvent take_event(ScanSession *s, uint8_t answer)
{
    if (answer != ESCI_IN_USE)
        return SCAN_EVENT_DONE;
    if (s->esci->take_tries < SCAN_LOCK_TRIES)
        return SCAN_EVENT_BUSY;
    scan_fail(s, "device-busy", "in use at its panel or by another computer");
    return SCAN_EVENT_FAULT;
}

static ScanEvent gamma_event(ScanSession *s, bool taken)
{
    if (!taken) {
        s->esci->gamma_own = false;
    } else if (s->state == ESCI_AT_GAMMA_TABLE) {
        s->esci->gamma_own = ++s->esci->gamma_table == ESCI_GAMMA_TABLES;
        if (!s->esci->gamma_own)
            return SCAN_EVENT_MORE;
    } else {
        return SCAN_EVENT_DONE;
    }
    plan_parameters(s);
    return taken ? SCAN_EVENT_DONE : SCAN_EVENT_OTHER;
}

static ScanEvent byte_event(ScanSession *s)
{
    Bytes answer = buf_bytes(&s->payload);

    if (answer.n != 1)
        return SCAN_EVENT_WRONG;
    bool ack = answer.p[0] == IS_ACK;
    switch (s->state) {
    case ESCI_AT_TAKE:
        return take_event(s, answer.p[0]);
    case ESCI_AT_SOURCE: /* a device with one source need not know the command */
        return ack ? SCAN_EVENT_DONE : SCAN_EVENT_OTHER;
    case ESCI_AT_SOURCE_BYTE:
        return ack ? SCAN_EVENT_DONE : refused(s, "source-missing");
    case ESCI_AT_GAMMA:
    case ESCI_AT_GAMMA_TABLE:
        return gamma_event(s, ack);
    case ESCI_AT_PARAMETERS:
    case ESCI_AT_PARAMETERS_BLOCK:
        return ack ? SCAN_EVENT_DONE : refused(s, "parameters-refused");
    case ESCI_AT_CANCEL:
        return s->esci->ask ? SCAN_EVENT_OTHER : SCAN_EVENT_DONE;
    case ESCI_AT_NEXT_PAGE: /* without it there is no way to the next sheet, but the status knows */
    case ESCI_AT_RELEASE:
        return SCAN_EVENT_DONE;
    default:
        return ack ? SCAN_EVENT_DONE : refused(s, "device-rejected");
    }
}

ScanEvent esci_answer(ScanSession *s, Mono now)
{
    switch (esci_steps[s->state].await) {
    case ESCI_AWAIT_BYTE:
        return byte_event(s);
    case ESCI_AWAIT_IDENTITY:
        return identity_event(s);
    case ESCI_AWAIT_STATUS:
        return status_event(s, now);
    case ESCI_AWAIT_BLOCKS:
        return blocks_event(s, now);
    case SCAN_AWAIT_PICTURE:
        return s->payload.n > 1 ? SCAN_EVENT_WRONG : data_event(s, now); /* more than was asked */
    default:
        return SCAN_EVENT_WRONG;
    }
}
