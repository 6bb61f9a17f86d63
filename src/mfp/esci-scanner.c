/* mfp/esci-scanner.c - see esci-scanner.h. */
#include "mfp/esci-scanner.h"

#include "base/text.h"
#include "mfp/scanner-image.h"
#include "wire/is.h"

enum {
    BASIC_DPI = 1200,
    MIN_DPI = 75,
    TABLE_WIDTH = 10200, /* 8.5 inches at BASIC_DPI, as everything else said by a WF-3620 */
    GLASS_HEIGHT = 14040,
    FEEDER_HEIGHT = 16800,
    LINE_MAX_PX = 32752,
    INPUT_BITS = 16,
    BYTE_BITS = 8,
    PUSH_BUTTON = 0x01,
    STATUS_IDLE = 0x01,      /* of FS F, as a WF-3620 says */
    BLOCKS_STATUS = 0x12,    /* the same of FS G           */
    EXTENDED = 0x02,         /* of ESC F: takes FS commands; SANE asks for it */
    OPTION_INSTALLED = 0x10, /* the same: there is a feeder                   */
    NAME_AT = 26,            /* in the answer to ESC f      */
    DEFAULT_BLOCK_BYTES = 64 * 1024,
};

static MfpUnit *unit_of(const EsciScanner *esci)
{
    return esci->scanner->unit;
}

void esci_scanner_init(EsciScanner *esci, Scanner *scanner)
{
    *esci = (EsciScanner){ .scanner = scanner };
    /* The longest block is one line of the widest picture. */
    tone_init(&esci->tone);
    esci->data = buf_with_max(ESCI_SCANNER_BLOCK_MAX + 3 * PICTURE_SIDE_MAX_PX + 1);
}

void esci_scanner_done(EsciScanner *esci)
{
    page_free(STEAL(esci->page));
    buf_done(&esci->data);
}

/* ---- the life of a scan ---- */

static void end_scan(EsciScanner *esci, ScanOutcome outcome)
{
    page_free(STEAL(esci->page));
    esci->sides = esci->side = 0;
    if (esci->running)
        scanner_end(esci->scanner, outcome);
    esci->running = false;
}

static void begin_scan(EsciScanner *esci)
{
    if (esci->running)
        return;
    esci->running = true;
    esci->scanner->begun_at = esci->scanner->now;
    esci->scanner->pages = esci->scanner->drawn = 0;
    unit_of(esci)->scanning = true;
    unit_of(esci)->cancel = false;
    scanner_note(esci->scanner, (ScanNote){ .kind = NOTE_BEGIN });
}

/* Whatever a client says behind a page tells that it has the page. */
static void acknowledge(EsciScanner *esci)
{
    if (esci->scanner->page_sent)
        scanner_note(esci->scanner, (ScanNote){ .kind = NOTE_ACKNOWLEDGED });
    esci->scanner->page_sent = false;
    if (esci->scanner->last_sent)
        end_scan(esci, SCAN_DONE);
}

/* The client stops: between pages it has what it wanted. */
static void stop(EsciScanner *esci)
{
    if (esci->page && unit_of(esci)->cancel)
        end_scan(esci, SCAN_CANCELLED);
    else
        end_scan(esci, esci->page || esci->scanner->pages == 0 ? SCAN_STOPPED : SCAN_DONE);
}

void esci_scanner_leave(EsciScanner *esci, bool orderly)
{
    if (orderly) {
        acknowledge(esci);
        stop(esci);
    } else {
        end_scan(esci, SCAN_BROKEN);
    }
    esci->awaits = 0;
    esci->source = ESCI_FLATBED;
    esci->has_parameters = false;
}

/* ---- what it says of itself ---- */

static void do_identity(EsciScanner *esci, ScannerOutput *output)
{
    const ModelKind *kind = &unit_of(esci)->kind;
    EsciIdentity id = { .level = "D7",
                        .basic_dpi = BASIC_DPI,
                        .min_dpi = MIN_DPI,
                        .max_dpi = BASIC_DPI,
                        .line_max_px = LINE_MAX_PX,
                        .adf_width = TABLE_WIDTH,
                        .adf_height = FEEDER_HEIGHT,
                        .capabilities = PUSH_BUTTON,
                        .firmware = "1.20",
                        .input_bits = INPUT_BITS,
                        .output_bits = BYTE_BITS };

    if (model_has_glass(kind)) {
        id.flatbed_width = TABLE_WIDTH;
        id.flatbed_height = GLASS_HEIGHT;
    } else {
        id.capabilities |= ESCI_CAN_NO_FLATBED;
    }
    if (model_has_duplex(kind))
        id.capabilities |= ESCI_CAN_DUPLEX;
    (void)text_copy(id.product, sizeof id.product, unit_of(esci)->product);
    (void)esci_identity_encode(output->reply, &id);
}

static bool is_empty(const EsciScanner *esci)
{
    return esci->side == esci->sides && scanner_feeder_is_empty(esci->scanner);
}

/* The bits for a cause that stands: the two that ESC/I knows, or just an error. */
static uint8_t fault_bits(const FaultKind *kind)
{
    if (esci2_word_is(kind->word, "PJ"))
        return ESCI_UNIT_ERROR | ESCI_UNIT_JAM;
    return ESCI_UNIT_ERROR | (esci2_word_is(kind->word, "OPN") ? ESCI_UNIT_OPEN : 0);
}

static EsciStatus status_of(EsciScanner *esci)
{
    Fault *fault = &unit_of(esci)->fault;
    EsciStatus status = { .device = STATUS_IDLE,
                          .adf = ESCI_ADF_INSTALLED,
                          .main_unit = ESCI_MAIN_TYPE };
    bool adf = esci->source != ESCI_FLATBED;

    if (adf)
        status.adf |= ESCI_ADF_ENABLED | (esci->source == ESCI_ADF ? 0 : ESCI_ADF_DUPLEX);
    if (adf && is_empty(esci)) {
        status.adf |= ESCI_UNIT_ERROR | ESCI_UNIT_EMPTY;
        status.device |= ESCI_DEVICE_FATAL;
    }
    if (fault->standing) {
        *(adf ? &status.adf : &status.main_unit) |= fault_bits(fault->standing);
        status.device |= ESCI_DEVICE_FATAL;
    }
    if (fault_due(fault, FAULT_WAIT, 0) && fault->waits_left > 0) {
        fault->waits_left--;
        status.device |= esci2_word_is(fault->armed->word, "WUP") ? ESCI_DEVICE_WARMING_UP
                                                                  : ESCI_DEVICE_NOT_READY;
    }
    return status;
}

static void do_status(EsciScanner *esci, ScannerOutput *output)
{
    EsciStatus status = status_of(esci);

    (void)esci_status_encode(output->reply, &status);
}

/* STX, status, and the length of what follows. */
static void put_short_status(EsciScanner *esci, uint16_t more, ScannerOutput *output)
{
    enum { LOW = 0xff };
    EsciStatus status = status_of(esci);
    uint8_t bits = (status.device & (ESCI_DEVICE_FATAL | ESCI_DEVICE_NOT_READY)) | EXTENDED |
                   OPTION_INSTALLED;

    (void)buf_put_u8(output->reply, ESCI_STX);
    (void)buf_put_u8(output->reply, bits);
    (void)buf_put_u8(output->reply, (uint8_t)(more & LOW));
    (void)buf_put_u8(output->reply, (uint8_t)(more >> BYTE_BITS));
}

static void do_status_short(EsciScanner *esci, ScannerOutput *output)
{
    put_short_status(esci, 0, output);
}

static void do_status_extended(EsciScanner *esci, ScannerOutput *output)
{
    enum { NAME_BYTES = ESCI_STATUS_EXTENDED_SIZE - NAME_AT };
    char name[NAME_BYTES + 1];
    EsciStatus status = status_of(esci);

    put_short_status(esci, ESCI_STATUS_EXTENDED_SIZE, output);
    (void)buf_put_u8(output->reply, 0);
    (void)buf_put_u8(output->reply, status.adf);
    (void)buf_put_zeros(output->reply, NAME_AT - 2);
    (void)text_printf(name, sizeof name, "%-*.*s", NAME_BYTES, NAME_BYTES, unit_of(esci)->product);
    (void)buf_put_text(output->reply, name);
}

/* ---- pages ---- */

/* The next side, from inside or a new sheet; NULL when there is none. */
static const Picture *draw(EsciScanner *esci)
{
    MfpUnit *unit = unit_of(esci);
    bool feeder = esci->source != ESCI_FLATBED;
    unsigned sides = esci->source > ESCI_ADF ? SCANNER_SIDES : 1;

    if (!feeder) {
        unit->glass_scans++;
        return tray_glass(unit->tray);
    }
    if (esci->side == esci->sides) {
        if (scanner_feeder_is_empty(esci->scanner) ||
            !tray_feed(unit->tray, sides, model_is_last_first(&unit->kind), &esci->sheet))
            return NULL;
        esci->side = 0;
        esci->sides = sides;
        unit->sheets_fed++;
    }
    return esci->sheet.sides[esci->side++];
}

static PageWish wish_of(const EsciScanner *esci)
{
    const EsciParameters *p = &esci->parameters;
    RenderColour colour = p->color != ESCI_MONO ? RENDER_COLOUR
                          : p->bits == 1        ? RENDER_BLACK
                                                : RENDER_GREY;

    PageWish wish = { .render = { .dpi_x = p->dpi_main,
                                  .dpi_y = p->dpi_sub,
                                  .has_area = true,
                                  .x_px = p->x_px,
                                  .y_px = p->y_px,
                                  .width_px = p->width_px,
                                  .height_px = p->height_px,
                                  .table_hundredths = MODEL_TABLE_HUNDREDTHS,
                                  .align = RENDER_LEFT,
                                  .colour = colour,
                                  .threshold = p->threshold } };
    if (p->gamma == ESCI_GAMMA_SENT || p->gamma == ESCI_GAMMA_USER)
        wish.render.tone = esci->tone;
    return wish;
}

/* Blocks of whole lines: as many as the client wants, or as fit. The last block is never empty: SANE asks for
 * nothing of it otherwise. */
static EsciBlocks blocks_of(const EsciParameters *p)
{
    uint32_t line = (uint32_t)esci_line_bytes(p);
    uint32_t most = ESCI_SCANNER_BLOCK_MAX / line;
    uint32_t lines = p->block_lines ? p->block_lines : DEFAULT_BLOCK_BYTES / line;

    lines = lines < most ? lines : most;
    lines = lines > 0 ? lines : 1;
    return (EsciBlocks){ .status = BLOCKS_STATUS,
                         .block_bytes = lines * line,
                         .full_blocks = (p->height_px - 1) / lines,
                         .last_bytes = ((p->height_px - 1) % lines + 1) * line };
}

static uint32_t block_count(const EsciScanner *esci)
{
    return esci->blocks.full_blocks + (esci->blocks.last_bytes > 0);
}

static void fail(EsciScanner *esci, const char *what)
{
    scanner_note(esci->scanner, (ScanNote){ .kind = NOTE_FAULT, .fault = what });
    end_scan(esci, SCAN_FAULT);
}

/* The armed fault happens behind the first block of its page; the status byte that tells of it. */
static uint8_t happen(EsciScanner *esci)
{
    Fault *fault = &unit_of(esci)->fault;
    const FaultKind *kind = fault->armed;
    bool due = kind && fault->page == esci->scanner->drawn &&
               esci->block + 1 == (block_count(esci) > 1 ? 2 : 1);

    if (!due || kind->effect == FAULT_WAIT || kind->effect == FAULT_REFUSE ||
        kind->effect == FAULT_PARAMETERS)
        return 0;
    if (kind->effect == FAULT_EMPTY)
        fault->page = 0; /* from now on, until it is cleared */
    else
        fault->armed = NULL;
    if (kind->effect == FAULT_CAUSE || kind->effect == FAULT_EMPTY) {
        fault->standing = kind->effect == FAULT_CAUSE ? kind : NULL;
        fail(esci, kind->name);
        return ESCI_BLOCK_FATAL;
    }
    scanner_note(esci->scanner, (ScanNote){ .kind = NOTE_FAULT, .fault = kind->name });
    esci->scanner->drops = kind->effect == FAULT_DROP;
    if (kind->effect == FAULT_EVENT)
        esci->scanner->closes = kind->code;
    if (kind->effect == FAULT_CANCEL)
        unit_of(esci)->cancel = true;
    return 0;
}

static void end_page(EsciScanner *esci)
{
    Scanner *scanner = esci->scanner;

    scanner->pages++;
    scanner->page_sent = true;
    scanner_note(scanner, (ScanNote){ .kind = NOTE_PAGE, .bytes = page_sent_bytes(esci->page) });
    scanner->last_sent = esci->source == ESCI_FLATBED || is_empty(esci);
    page_free(STEAL(esci->page));
}

/* A WF-3620 sends green, blue, red. */
static void put_lines(EsciScanner *esci, Bytes lines)
{
    enum { SAMPLES = 3 };

    if (esci->parameters.color == ESCI_MONO || !text_equal(unit_of(esci)->product, "PID 08C8")) {
        (void)buf_put(&esci->data, lines);
        return;
    }
    for (size_t i = 0; i + SAMPLES <= lines.n; i += SAMPLES) {
        const uint8_t swapped[SAMPLES] = { lines.p[i + 1], lines.p[i + 2], lines.p[i] };

        (void)buf_put(&esci->data, (Bytes){ swapped, sizeof swapped });
    }
}

/* The next block with its status byte becomes what is fetched. */
static void put_block(EsciScanner *esci, ScannerOutput *output)
{
    bool full = esci->block < esci->blocks.full_blocks;
    size_t size = full ? esci->blocks.block_bytes : esci->blocks.last_bytes;
    Bytes part = { .n = 1 };
    uint8_t status = 0;
    Err err = { 0 };

    buf_clear(&esci->data);
    while (part.n > 0 && esci->data.n < size) {
        if (!page_next(esci->page, size - esci->data.n, &part, &err)) {
            fail(esci, "a picture that cannot be decoded");
            status = ESCI_BLOCK_FATAL;
            break;
        }
        put_lines(esci, part);
    }
    if (esci->data.n < size)
        (void)buf_put_zeros(&esci->data, size - esci->data.n);
    status |= esci->page ? happen(esci) : 0;
    if (unit_of(esci)->cancel)
        status |= ESCI_BLOCK_CANCEL;
    (void)buf_put_u8(&esci->data, status);
    output->image = buf_bytes(&esci->data);
    esci->block++;
    if (esci->page && status == 0 && esci->block == block_count(esci))
        end_page(esci);
}

static void put_start(const EsciBlocks *blocks, ScannerOutput *output)
{
    (void)esci_blocks_encode(output->reply, blocks);
}

/* The next page is on its way, and it is to be said so. A device may answer FS G late, or that there are no blocks yet;
 * SANE knows only the first, and an answer that does not come looks like a device that hangs. So what comes soon is
 * waited for. */
static bool feeds(EsciScanner *esci)
{
    enum { SOON_MS = 5000 };
    Scanner *scanner = esci->scanner;
    bool empty = esci->source != ESCI_FLATBED && is_empty(esci);

    if (unit_of(esci)->page_ms == 0 || unit_of(esci)->fault.standing || empty)
        return false;
    begin_scan(esci);
    int64_t left = scanner_feeds_ms(scanner, scanner->drawn + 1);
    bool soon = left <= SOON_MS;
    if (left > 0)
        scanner_note(scanner, (ScanNote){ .kind = NOTE_FEEDS,
                                          .wait_ms = soon ? left : SCANNER_FEED_ANSWER_MS });
    return !soon;
}

/* The answer, and behind it in the queue the first block, for the pure read that follows. */
static void do_start(EsciScanner *esci, ScannerOutput *output)
{
    const EsciBlocks nothing = { .status = ESCI_BLOCK_FATAL },
                     not_yet = { .status = BLOCKS_STATUS };
    PageWish wish = wish_of(esci);
    Err err = { 0 };

    if (!esci->has_parameters) {
        (void)buf_put_u8(output->reply, IS_NAK);
        return;
    }
    if (feeds(esci)) {
        put_start(&not_yet, output);
        return;
    }
    const Picture *picture = unit_of(esci)->fault.standing ? NULL : draw(esci);
    if (!picture) {
        put_start(&nothing, output);
        return;
    }
    begin_scan(esci);
    esci->scanner->drawn++;
    page_free(STEAL(esci->page));
    esci->page = page_new(picture, &wish, &err);
    if (!esci->page) {
        fail(esci, "a picture that cannot be decoded");
        put_start(&nothing, output);
        return;
    }
    esci->blocks = blocks_of(&esci->parameters);
    esci->block = 0;
    put_start(&esci->blocks, output);
    put_block(esci, output);
}

/* ---- parameters ---- */

static bool has_source(const EsciScanner *esci, uint8_t source)
{
    const ModelKind *kind = &unit_of(esci)->kind;

    if (source == ESCI_FLATBED)
        return model_has_glass(kind);
    return model_has_feeder(kind) &&
           (source == ESCI_ADF || (source == ESCI_ADF_DUPLEX_SCAN && model_has_duplex(kind)));
}

static bool take_source(EsciScanner *esci, Bytes in)
{
    if (in.n != 1 || !has_source(esci, in.p[0]))
        return false;
    esci->source = in.p[0];
    return true;
}

static bool dpi_is_fine(uint32_t dpi)
{
    return dpi >= PICTURE_DPI_MIN && dpi <= PICTURE_DPI_MAX;
}

static bool take_parameters(EsciScanner *esci, Bytes in)
{
    EsciParameters p;

    if (esci_parameters_decode(in, &p) != WIRE_OK ||
        fault_due(&unit_of(esci)->fault, FAULT_PARAMETERS, 0))
        return false;
    bool color_fine = (p.color == ESCI_MONO && (p.bits == 1 || p.bits == BYTE_BITS)) ||
                      (p.color == ESCI_COLOR_PIXELS && p.bits == BYTE_BITS);
    bool area_fine = p.width_px > 0 && p.height_px > 0 && p.width_px <= PICTURE_SIDE_MAX_PX &&
                     p.height_px <= PICTURE_SIDE_MAX_PX && p.x_px <= PICTURE_SIDE_MAX_PX &&
                     p.y_px <= PICTURE_SIDE_MAX_PX;
    /* What it cannot do to a picture it does not promise. */
    bool picture_fine = p.brightness == 0 && p.sharpness == 0 && p.mirror == 0 &&
                        (p.bits > 1 || p.halftone <= ESCI_HALFTONE_NONE);
    if (!color_fine || !area_fine || !picture_fine || !dpi_is_fine(p.dpi_main) ||
        !dpi_is_fine(p.dpi_sub) || !has_source(esci, p.source))
        return false;
    esci->source = p.source; /* SANE says it here alone */
    esci->parameters = p;
    return esci->has_parameters = true;
}

static void do_parameters_said(EsciScanner *esci, ScannerOutput *output)
{
    (void)esci_parameters_encode(output->reply, &esci->parameters);
}

/* A table for one colour, or for all. */
static bool take_table(EsciScanner *esci, Bytes in)
{
    static const char letters[TONE_CHANNELS] = { 'R', 'G', 'B' };

    if (in.n != ESCI_GAMMA_SIZE || (in.p[0] != 'M' && !memchr(letters, in.p[0], sizeof letters)))
        return false;
    for (unsigned c = 0; c < TONE_CHANNELS; c++)
        if (in.p[0] == 'M' || in.p[0] == letters[c])
            tone_set(&esci->tone, c, in.p + 1);
    return true;
}

/* The parameters that are due to the command with this letter. Matrices are taken and change nothing: the pictures have
 * the colours that a device delivers in the end. */
static bool take_argument(EsciScanner *esci, char letter, Bytes in)
{
    if (letter == 'e')
        return take_source(esci, in);
    if (letter == 'z')
        return take_table(esci, in);
    return letter == 'm' ? in.n == ESCI_MATRIX_SIZE : take_parameters(esci, in);
}

/* ---- the commands ---- */

static void answer(ScannerOutput *output, uint8_t byte)
{
    (void)buf_put_u8(output->reply, byte);
}

static void do_reset(EsciScanner *esci, ScannerOutput *output)
{
    if (esci->page)
        stop(esci);
    esci->has_parameters = false;
    tone_init(&esci->tone);
    answer(output, IS_ACK);
}

static void do_take(EsciScanner *esci, ScannerOutput *output)
{
    const Fault *fault = &unit_of(esci)->fault;

    answer(output, fault_due(fault, FAULT_REFUSE, fault->page) ? ESCI_IN_USE : ESCI_TAKEN);
}

static void do_release(EsciScanner *esci, ScannerOutput *output)
{
    stop(esci);
    answer(output, ESCI_TAKEN);
}

static void do_next_block(EsciScanner *esci, ScannerOutput *output)
{
    if (esci->page)
        put_block(esci, output);
    else
        answer(output, IS_NAK);
}

static void do_cancel(EsciScanner *esci, ScannerOutput *output)
{
    stop(esci);
    unit_of(esci)->cancel = false;
    answer(output, IS_ACK);
}

static void do_eject(EsciScanner *esci, ScannerOutput *output)
{
    (void)esci;
    answer(output, IS_ACK);
}

static const struct {
    const char *command;
    void (*run)(EsciScanner *esci, ScannerOutput *output); /* NULL: its parameters are due */
} commands[] = {
    { ESCI_INITIALIZE, do_reset },
    { ESCI_STATUS_SHORT, do_status_short },
    { ESCI_STATUS_EXTENDED, do_status_extended },
    { ESCI_SOURCE, NULL },
    { ESCI_TAKE, do_take },
    { ESCI_RELEASE, do_release },
    { ESCI_GAMMA, NULL },
    { ESCI_MATRIX, NULL },
    { ESCI_IDENTITY, do_identity },
    { ESCI_STATUS, do_status },
    { ESCI_SET_PARAMETERS, NULL },
    { ESCI_GET_PARAMETERS, do_parameters_said },
    { ESCI_START, do_start },
    { ESCI_NEXT_BLOCK, do_next_block },
    { ESCI_CANCEL, do_cancel },
    { ESCI_EJECT, do_eject },
};

void esci_scanner_command(EsciScanner *esci, Bytes command, ScannerOutput *output)
{
    char letter = esci->awaits;

    acknowledge(esci);
    esci->awaits = 0;
    if (letter) {
        answer(output, take_argument(esci, letter, command) ? IS_ACK : IS_NAK);
        return;
    }
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        if (!bytes_equal_text(command, commands[i].command))
            continue;
        if (commands[i].run) {
            commands[i].run(esci, output);
        } else {
            esci->awaits = commands[i].command[1];
            answer(output, IS_ACK);
        }
        return;
    }
    answer(output, IS_NAK);
}
