/* device/esci-reply.c - what the answers of an older device mean to the ESC/I session. */
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

static void offer_source(const EsciSession *s, bool present, uint32_t width, uint32_t height,
                         OfferSource *to)
{
    if (!present)
        return;
    to->present = true;
    to->width = hundredths(width, s->id.basic_dpi);
    to->height = hundredths(height, s->id.basic_dpi);
    to->dpi_range = s->id.min_dpi > 0 && s->id.max_dpi >= s->id.min_dpi &&
                    s->id.max_dpi <= UINT16_MAX;
    if (to->dpi_range) {
        to->dpi_count = 2;
        to->dpi[0] = (int32_t)s->id.min_dpi;
        to->dpi[1] = (int32_t)s->id.max_dpi;
    }
}

/* Lines in every colour, and a threshold: what its identity does not tell is not offered. */
static void make_offer(EsciSession *s)
{
    DeviceOffer offer = { .raw = true,
                          .color = { true, true, true },
                          .jpeg_quality = { 1, 0 },
                          .threshold = { 0, UINT8_MAX },
                          .crop_margin = { 1, 0 } };

    offer_source(s, s->has_feeder, s->id.adf_width, s->id.adf_height, &offer.adf);
    offer_source(s, s->has_glass, s->id.flatbed_width, s->id.flatbed_height, &offer.flatbed);
    offer.adf.two_sided = s->has_feeder && (s->id.capabilities & ESCI_CAN_DUPLEX);
    s->offer = offer;
}

/* The order as the unit in use can fulfil it; what is replaced goes to the host. A strict order that is not
 * fulfilled ends the scan: false. */
static bool resolve(EsciSession *s)
{
    ScanSettings wanted = s->order;

    if (wanted.dpi == 0 || wanted.dpi > UINT16_MAX)
        wanted.dpi = DEFAULT_DPI;
    s->notes = (ScanNotes){ 0 };
    scan_settings_resolve(&s->offer, s->unit, &wanted, &s->used, &s->notes);
    esci_push(s, (ScanAction){ .kind = SCAN_ACTION_NOTED, .replaced = &s->notes });
    if (!wanted.strict || s->notes.count == 0)
        return true;
    esci_fail(s, "settings-not-offered", s->notes.note[0].text);
    return false;
}

static uint32_t scaled(uint32_t pixels, uint32_t dpi, uint32_t basic_dpi)
{
    uint64_t n = basic_dpi > 0 ? (uint64_t)pixels * dpi / basic_dpi : 0;

    return n > RAW_PAGE_SIDE_MAX ? RAW_PAGE_SIDE_MAX : (uint32_t)n;
}

static EsciSource source_of(const EsciSession *s)
{
    if (s->unit == SCAN_UNIT_FLATBED)
        return ESCI_FLATBED;
    return s->two_sides ? ESCI_ADF_DUPLEX_SCAN : ESCI_ADF;
}

/* The area of the unit, or of the paper from its upper left corner, in the colour that was ordered. How a feeder
 * guides narrow paper is not told, so its whole width is scanned. */
static void plan_parameters(EsciSession *s)
{
    bool adf = s->unit == SCAN_UNIT_ADF;
    const ScanSettings *used = &s->used.settings;
    EsciParameters p = { .dpi_main = used->dpi,
                         .color = used->color == SCAN_COLOR_COLOR ? ESCI_COLOR_PIXELS : ESCI_MONO,
                         .bits = used->color == SCAN_COLOR_BW ? 1 : BYTE_BITS,
                         .source = (uint8_t)source_of(s),
                         .gamma = s->gamma_own ? ESCI_GAMMA_USER : ESCI_GAMMA_DEFAULT,
                         .threshold = ESCI_THRESHOLD_MIDDLE };
    uint32_t paper_width = scaled(s->used.width, p.dpi_main, UNITS_PER_INCH);
    uint32_t paper_height = scaled(s->used.height, p.dpi_main, UNITS_PER_INCH);

    p.dpi_sub = p.dpi_main;
    p.halftone = p.bits == 1 ? ESCI_HALFTONE_NONE : 0;
    p.width_px = scaled(adf ? s->id.adf_width : s->id.flatbed_width, p.dpi_main, s->id.basic_dpi);
    p.height_px = scaled(adf ? s->id.adf_height : s->id.flatbed_height, p.dpi_main,
                         s->id.basic_dpi);
    if (!adf && paper_width > 0 && paper_width < p.width_px)
        p.width_px = paper_width;
    if (paper_height > 0 && paper_height < p.height_px)
        p.height_px = paper_height;
    if (p.bits == 1 && used->threshold > 0)
        p.threshold = (uint8_t)used->threshold;
    if (s->id.line_max_px > 0 && p.width_px > s->id.line_max_px)
        p.width_px = s->id.line_max_px;
    p.width_px -= p.width_px % WIDTH_STEP_PX;
    uint64_t line = esci_line_bytes(&p);
    uint64_t wished = s->quirk.block_kib > 0 ? (uint64_t)s->quirk.block_kib * KIB
                                             : BLOCK_BYTES_WISHED;
    uint64_t lines = line > 0 ? wished / line : 1;
    p.block_lines = (uint8_t)(lines < 1 ? 1 : lines > BLOCK_LINES_MAX ? BLOCK_LINES_MAX : lines);
    s->parameters = p;
}

/* The first unit to try; false, with the reason, when there is none. */
static bool choose_unit(EsciSession *s)
{
    make_offer(s);
    esci_push(s, (ScanAction){ .kind = SCAN_ACTION_OFFERED, .offer = &s->offer });
    bool feeder = s->has_feeder && s->order.source != SCAN_SOURCE_FLATBED;
    bool glass = s->has_glass && s->order.source != SCAN_SOURCE_ADF;

    if (!feeder && !glass) {
        esci_fail(s, "source-missing", "");
        return false;
    }
    s->unit = feeder ? SCAN_UNIT_ADF : SCAN_UNIT_FLATBED;
    s->two_sides = feeder && s->order.sides == SCAN_SIDES_TWO &&
                   (s->id.capabilities & ESCI_CAN_DUPLEX);
    if (!resolve(s))
        return false;
    plan_parameters(s);
    return true;
}

/* --- status -------------------------------------------------------------------------------------- */

/* Not ready, for the first time or still: in the end it is too long. */
static EsciEvent still_busy(EsciSession *s, const char *code, int64_t most_ms, Mono now)
{
    if (!s->busy) {
        s->busy = true;
        s->busy_until = mono_after(now, most_ms);
    }
    if (!mono_reached(now, s->busy_until))
        return ESCI_EVENT_BUSY;
    esci_fail(s, code, "");
    return ESCI_EVENT_FAULT;
}

/* The stable word for what the status complains of in the unit in use; NULL: nothing. */
static const char *fault_of(const EsciSession *s, const EsciStatus *status)
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

static EsciEvent fault(EsciSession *s, const EsciStatus *status, const char *code)
{
    char detail[32] = "";

    if (text_equal(code, "device-error"))
        (void)text_printf(detail, sizeof detail, "status %02x %02x %02x", status->device,
                          status->adf, status->main_unit);
    esci_fail(s, code, detail);
    return ESCI_EVENT_FAULT;
}

/* The feeder is empty where a page was to come. */
static EsciEvent feeder_empty(EsciSession *s, const EsciStatus *status)
{
    bool back_is_due = s->two_sides && s->pages % SHEET_SIDES == 1;

    if (s->state == ESCI_AT_SOURCE_STATUS) {
        if (s->order.source != SCAN_SOURCE_AUTO || !s->has_glass)
            return fault(s, status, "no-paper");
        s->unit = SCAN_UNIT_FLATBED; /* an empty feeder means the glass */
        s->two_sides = false;
        if (!resolve(s))
            return ESCI_EVENT_FAULT;
        plan_parameters(s);
        return ESCI_EVENT_OTHER;
    }
    if (back_is_due)
        return ESCI_EVENT_DONE; /* the sheet is inside */
    return s->pages > 0 ? ESCI_EVENT_FINISHED : fault(s, status, "no-paper");
}

/* Why the device said that it failed. */
static EsciEvent explained(EsciSession *s, const EsciStatus *status)
{
    const char *code = fault_of(s, status);

    if (code && text_equal(code, "no-paper") && s->pages > 0 && !s->ask)
        esci_decide(s, SCAN_END_COMPLETE, NULL); /* the end of a stack, told late */
    else
        (void)fault(s, status, code ? code : "device-error");
    return ESCI_EVENT_DONE;
}

static EsciEvent status_event(EsciSession *s, Mono now)
{
    EsciStatus status;

    if (esci_status_decode(buf_bytes(&s->payload), &status) != WIRE_OK)
        return ESCI_EVENT_WRONG;
    if (s->state == ESCI_AT_FAULT_STATUS)
        return explained(s, &status);
    if (s->state == ESCI_AT_STATUS && !s->chosen) { /* a busy device is asked again */
        s->has_feeder = s->has_feeder || (status.adf & ESCI_ADF_INSTALLED);
        if (!choose_unit(s))
            return ESCI_EVENT_FAULT;
        s->chosen = true;
    }
    if (status.device & ESCI_DEVICE_WARMING_UP)
        return still_busy(s, "warming-up", ESCI_WARM_UP_MS, now);
    if (status.device & ESCI_DEVICE_NOT_READY)
        return still_busy(s, "device-busy", SCAN_BUSY_MS, now);
    /* Another unit may be chosen, and complain of an empty feeder: it is asked again with ours. */
    const char *code = s->state == ESCI_AT_STATUS ? NULL : fault_of(s, &status);
    if (!code)
        return ESCI_EVENT_DONE;
    return text_equal(code, "no-paper") ? feeder_empty(s, &status) : fault(s, &status, code);
}

/* --- identity ------------------------------------------------------------------------------------ */

static EsciEvent identity_event(EsciSession *s)
{
    EsciIdentity *id = &s->id;

    if (esci_identity_decode(buf_bytes(&s->payload), id) != WIRE_OK)
        return ESCI_EVENT_WRONG;
    s->has_feeder = id->adf_width > 0 && id->adf_height > 0;
    s->has_glass = id->flatbed_width > 0 && id->flatbed_height > 0 &&
                   !(id->capabilities & ESCI_CAN_NO_FLATBED);
    quirks_of(s->traits.quirks, id->product, id->firmware, &s->quirk);
    (void)text_copy(s->identity.product, sizeof s->identity.product, id->product);
    (void)text_copy(s->identity.firmware, sizeof s->identity.firmware, id->firmware);
    esci_push(s, (ScanAction){ .kind = SCAN_ACTION_IDENTIFIED, .identity = &s->identity });
    return ESCI_EVENT_DONE;
}

/* --- pages --------------------------------------------------------------------------------------- */

static EsciEvent page_fault(EsciSession *s, const char *code, const char *detail)
{
    esci_fail(s, code, detail);
    return ESCI_EVENT_FAULT;
}

/* The blocks of a page were announced: it begins. */
static EsciEvent page_begin(EsciSession *s)
{
    const EsciParameters *p = &s->parameters;
    uint64_t line = esci_line_bytes(p), total = esci_blocks_total(&s->blocks);

    if (total > PAGE_BYTES_MAX - RAW_PAGE_TRAILER_SIZE)
        return page_fault(s, "page-too-large", "");
    if (s->pages >= BATCH_PAGES_MAX)
        return page_fault(s, "too-many-pages", "");
    if (line == 0 || line > RAW_PAGE_LINE_BYTES_MAX || total % line != 0 ||
        total / line > RAW_PAGE_SIDE_MAX)
        return page_fault(s, "page-broken", "no whole lines");
    s->raw = (RawPage){ .width_px = p->width_px,
                        .height_px = (uint32_t)(total / line),
                        .line_bytes = (uint32_t)line,
                        .channels = p->color == ESCI_MONO ? 1 : COLOURS,
                        .bits = p->bits,
                        .order = p->color == ESCI_MONO                      ? RAW_ORDER_GRAY
                                 : s->quirk.pixel_order == QUIRK_PIXELS_GBR ? RAW_ORDER_GBR
                                                                            : RAW_ORDER_RGB,
                        .dpi = p->dpi_main };
    s->page_open = true;
    s->pages++;
    s->side = s->two_sides && s->pages % SHEET_SIDES == 0 ? 'B' : 'A';
    s->after_page = s->unit == SCAN_UNIT_FLATBED ? ESCI_EVENT_FINISHED : ESCI_EVENT_STORED;
    s->block = 0;
    s->block_left = (s->blocks.full_blocks > 0 ? s->blocks.block_bytes : s->blocks.last_bytes) + 1;
    esci_push(s, (ScanAction){ .kind = SCAN_ACTION_PAGE_BEGIN,
                               .number = s->pages,
                               .side = s->side,
                               .format = PAGE_FORMAT_RAW });
    return ESCI_EVENT_DONE;
}

static EsciEvent blocks_event(EsciSession *s, Mono now)
{
    enum { BLOCK_MAX = IS_PAYLOAD_FROM_DEVICE_MAX - 1 };
    Bytes answer = buf_bytes(&s->payload);
    EsciBlocks *blocks = &s->blocks;

    if (answer.n == 1 && answer.p[0] == IS_NAK)
        return ESCI_EVENT_FAILED;
    if (esci_blocks_decode(answer, blocks) != WIRE_OK)
        return ESCI_EVENT_WRONG;
    if (blocks->status & ESCI_BLOCK_FATAL)
        return ESCI_EVENT_FAILED;
    if ((blocks->status & ESCI_BLOCK_NOT_READY) || esci_blocks_total(blocks) == 0)
        return still_busy(s, "no-progress", SCAN_PROGRESS_MS, now); /* it draws the paper */
    if (blocks->block_bytes > BLOCK_MAX || blocks->last_bytes > BLOCK_MAX ||
        (blocks->full_blocks > 0 && blocks->block_bytes == 0))
        return ESCI_EVENT_WRONG;
    return page_begin(s);
}

/* The answer to a read of a block is here, all that it brought handed on. */
static EsciEvent data_event(EsciSession *s, Mono now)
{
    uint32_t blocks = s->blocks.full_blocks + (s->blocks.last_bytes > 0);
    bool is_last = s->block + 1 == blocks;

    if (s->header.length == 0)
        return still_busy(s, "no-progress", SCAN_PROGRESS_MS, now);
    if (s->block_left > 0)
        return ESCI_EVENT_OTHER;
    if (s->block_status & (ESCI_BLOCK_FATAL | ESCI_BLOCK_NOT_READY)) {
        s->ask = true;
        return ESCI_EVENT_FAILED;
    }
    if (s->block_status & ESCI_BLOCK_CANCEL) {
        Reason reason = scan_reason("cancelled-at-device", "");

        esci_decide(s, SCAN_END_CANCELLED, &reason);
        s->stop = true;
        if (is_last)
            s->after_page = ESCI_EVENT_STOP; /* it came with the end of a page, which is whole */
        else
            return ESCI_EVENT_STOP;
    }
    s->block++;
    return is_last ? ESCI_EVENT_PAGE : ESCI_EVENT_MORE;
}

/* --- one byte ------------------------------------------------------------------------------------ */

static EsciEvent refused(EsciSession *s, const char *code)
{
    char detail[8] = "";
    const char *command = esci_steps[s->state].command;

    if (command && text_equal(code, "device-rejected"))
        (void)text_printf(detail, sizeof detail, "%s %c", command[0] == '\x1b' ? "ESC" : "FS",
                          command[1]);
    esci_fail(s, code, detail);
    return ESCI_EVENT_FAULT;
}

/* The answer to ESC (: 80 granted, 40 in use; a device that does not know the command needs no asking. */
static EsciEvent take_event(EsciSession *s, uint8_t answer)
{
    if (answer != ESCI_IN_USE)
        return ESCI_EVENT_DONE;
    if (s->tries < SCAN_LOCK_TRIES)
        return ESCI_EVENT_BUSY;
    esci_fail(s, "device-busy", "in use at its panel or by another computer");
    return ESCI_EVENT_FAULT;
}

static EsciEvent gamma_event(EsciSession *s, bool taken)
{
    if (!taken) {
        s->gamma_own = false;
    } else if (s->state == ESCI_AT_GAMMA_TABLE) {
        s->gamma_own = ++s->gamma_table == ESCI_GAMMA_TABLES;
        if (!s->gamma_own)
            return ESCI_EVENT_MORE;
    } else {
        return ESCI_EVENT_DONE;
    }
    plan_parameters(s);
    return taken ? ESCI_EVENT_DONE : ESCI_EVENT_OTHER;
}

static EsciEvent byte_event(EsciSession *s)
{
    Bytes answer = buf_bytes(&s->payload);

    if (answer.n != 1)
        return ESCI_EVENT_WRONG;
    bool ack = answer.p[0] == IS_ACK;
    switch (s->state) {
    case ESCI_AT_TAKE:
        return take_event(s, answer.p[0]);
    case ESCI_AT_SOURCE: /* a device with one source need not know the command */
        return ack ? ESCI_EVENT_DONE : ESCI_EVENT_OTHER;
    case ESCI_AT_SOURCE_BYTE:
        return ack ? ESCI_EVENT_DONE : refused(s, "source-missing");
    case ESCI_AT_GAMMA:
    case ESCI_AT_GAMMA_TABLE:
        return gamma_event(s, ack);
    case ESCI_AT_PARAMETERS:
    case ESCI_AT_PARAMETERS_BLOCK:
        return ack ? ESCI_EVENT_DONE : refused(s, "parameters-refused");
    case ESCI_AT_CANCEL:
        return s->ask ? ESCI_EVENT_OTHER : ESCI_EVENT_DONE;
    case ESCI_AT_NEXT_PAGE: /* without it there is no way to the next sheet, but the status knows */
    case ESCI_AT_RELEASE:
        return ESCI_EVENT_DONE;
    default:
        return ack ? ESCI_EVENT_DONE : refused(s, "device-rejected");
    }
}

static EsciEvent lock_event(EsciSession *s)
{
    Bytes answer = buf_bytes(&s->payload);

    if (answer.n != 1 || (answer.p[0] != IS_ACK && answer.p[0] != IS_NAK))
        return ESCI_EVENT_WRONG;
    if (answer.p[0] == IS_ACK) {
        s->tries = 0;
        return ESCI_EVENT_DONE;
    }
    if (s->tries < SCAN_LOCK_TRIES)
        return ESCI_EVENT_BUSY;
    esci_fail(s, "device-busy", "locked by another computer");
    return ESCI_EVENT_FAULT;
}

/* --- packets ------------------------------------------------------------------------------------- */

bool esci_packet_is_data(const EsciSession *s)
{
    return s->waiting && s->header.type == IS_PASSTHRU_REPLY &&
           esci_steps[s->state].await == ESCI_AWAIT_DATA && s->payload_left <= s->block_left;
}

static EsciEvent answer_event(EsciSession *s, EsciAwait await, Mono now)
{
    switch (await) {
    case ESCI_AWAIT_LOCK:
        return lock_event(s);
    case ESCI_AWAIT_BYTE:
        return byte_event(s);
    case ESCI_AWAIT_IDENTITY:
        return identity_event(s);
    case ESCI_AWAIT_STATUS:
        return status_event(s, now);
    case ESCI_AWAIT_BLOCKS:
        return blocks_event(s, now);
    case ESCI_AWAIT_DATA:
        return s->payload.n > 0 ? ESCI_EVENT_WRONG : data_event(s, now); /* more than was asked */
    case ESCI_AWAIT_UNLOCK:
        return ESCI_EVENT_DONE;
    case ESCI_AWAIT_NOTHING:
        break;
    }
    return ESCI_EVENT_WRONG;
}

static uint16_t answer_type(EsciAwait await)
{
    if (await == ESCI_AWAIT_LOCK)
        return IS_LOCK_REPLY;
    return await == ESCI_AWAIT_UNLOCK ? IS_UNLOCK_REPLY : IS_PASSTHRU_REPLY;
}

/* Events may come at any moment, also between a command and its answer. */
static void device_event(EsciSession *s, Mono now)
{
    uint8_t code = s->payload.n > 0 ? s->payload.p[0] : 0;

    esci_push(s, (ScanAction){ .kind = SCAN_ACTION_NOTICE, .notice = is_event_name(code) });
    if (code == IS_EVENT_CANCEL) {
        Reason reason = scan_reason("cancelled-at-device", "");

        esci_decide(s, SCAN_END_CANCELLED, &reason);
        s->stop = true;
        if (!s->waiting && s->state != ESCI_AT_STORING && s->state != ESCI_AT_STORING_LOST)
            esci_dispatch(s, ESCI_EVENT_STOP, now);
    } else if (code == IS_EVENT_DISCONNECT || code == IS_EVENT_TIMEOUT ||
               code == IS_EVENT_REJECTED) {
        bool all_came = s->state >= ESCI_AT_CANCEL || s->after_page == ESCI_EVENT_FINISHED;

        if (!all_came) {
            const Reason reason = scan_reason_of_event(code);

            esci_decide(s, SCAN_END_BROKEN, &reason);
        }
        esci_dispatch(s, ESCI_EVENT_LOST, now);
    }
}

void esci_packet(EsciSession *s, Mono now)
{
    enum { FROM_DEVICE = 0x8000 };
    EsciAwait await = esci_steps[s->state].await;

    if (s->header.type == IS_EVENT) {
        device_event(s, now);
        return;
    }
    if (s->waiting && s->header.type == answer_type(await)) {
        EsciEvent event = answer_event(s, await, now);

        /* Drawing the paper is one wait, of which FEEDING asks in between. */
        if (event != ESCI_EVENT_BUSY && s->state != ESCI_AT_FEEDING)
            s->busy = false;
        s->waiting = false;
        esci_dispatch(s, event, now);
        return;
    }
    bool known = s->header.type == IS_PASSTHRU_REPLY || s->header.type == IS_LOCK_REPLY ||
                 s->header.type == IS_UNLOCK_REPLY || s->header.type == IS_WELCOME;
    if (!known && (s->header.type & FROM_DEVICE) && !s->foreign_seen)
        s->foreign_seen = true; /* a kind of notice we do not know: the first is let pass */
    else
        esci_dispatch(s, ESCI_EVENT_WRONG, now);
}
