/* mfp/scanner.c - modes, parameters and image replies of mfp/scanner.h.
 *
 * The texts of INFO, CAPA and RESA are written out as real devices send them (an XP-7100 without its
 * duplex unit), not made by the encoders that the server's decoders came with. */
#include "mfp/scanner.h"

#include "base/text.h"
#include "wire/esci2-token.h"

enum { BLOCK_TEXT_MAX = 1024, PRODUCT_FIELD = SCANNER_PRODUCT_SIZE - 1 };

#define ADF_INFO                                                                       \
    "#ADFTYPEFEED#ADFFORDPF1N#ADFPREF#ADFALGNLEFT#ADFAREAd850i0001400#ADFAMINd582d413" \
    "#ADFAMAXd850i0002000#ADFRESOi0001200"
#define FLATBED_INFO "#FB ALGNLEFT#FB AREAd850i0001170#FB RESOi0001200"
#define ADF_CAPA     "#ADFRSMSLISTd075d100d150d200d300d600i0001200"
#define FLATBED_CAPA "#FB RSMSLISTd075d100d150d200d300d600i0001200"
#define OTHER_CAPA                                                                     \
    "#COLLISTC024M008#FMTLISTJPG #JPGRANGd001d100#GMMLISTUG10UG18"                     \
    "#GMTLISTRED GRN BLU MONO#CMXLISTUNITUM08#RSMLISTd075d100d150d200d300d600i0001200" \
    "#RSSLISTd075d100d150d200d300d600i0001200"

static const char *const outcome_names[SCAN_OUTCOME_MAX_] = {
    [SCAN_DONE] = "done",
    [SCAN_CANCELLED] = "cancelled",
    [SCAN_STOPPED] = "stopped",
    [SCAN_BROKEN] = "broken",
};

const char *scan_outcome_name(ScanOutcome outcome)
{
    return outcome < SCAN_OUTCOME_MAX_ ? outcome_names[outcome] : "unknown";
}

bool mfp_unit_cancel(MfpUnit *unit)
{
    unit->cancel = unit->scanning;
    return unit->scanning;
}

/* ---- notes and the life of a scan ---- */

static void note(Scanner *scanner, ScanNote what)
{
    what.pages = scanner->pages;
    if (scanner->note_count < SCANNER_NOTES_MAX)
        scanner->notes[scanner->note_count++] = what;
}

bool scanner_note_next(Scanner *scanner, ScanNote *ret_note)
{
    if (scanner->note_count == 0)
        return false;
    *ret_note = scanner->notes[0];
    scanner->note_count--;
    for (size_t i = 0; i < scanner->note_count; i++)
        scanner->notes[i] = scanner->notes[i + 1];
    return true;
}

static void begin_scan(Scanner *scanner)
{
    scanner->mode = SCANNER_DATA;
    scanner->polls_left = SCANNER_EMPTY_POLLS;
    scanner->page = NULL;
    scanner->pages = 0;
    scanner->unit->scanning = true;
    scanner->unit->cancel = false;
    note(scanner, (ScanNote){ .kind = NOTE_BEGIN });
}

static void end_scan(Scanner *scanner, ScanOutcome outcome)
{
    if (scanner->mode == SCANNER_DATA)
        scanner->mode = SCANNER_CONTROL;
    scanner->page = NULL;
    scanner->page_sent = scanner->last_sent = false;
    scanner->unit->scanning = false;
    scanner->unit->cancel = false;
    note(scanner, (ScanNote){ .kind = NOTE_END, .outcome = outcome });
}

/* Whatever a client says behind a page tells that it has the page. */
static void acknowledge(Scanner *scanner)
{
    if (scanner->page_sent)
        note(scanner, (ScanNote){ .kind = NOTE_ACKNOWLEDGED });
    scanner->page_sent = false;
    if (scanner->last_sent)
        end_scan(scanner, SCAN_DONE);
}

static bool feeder_is_empty(const Scanner *scanner)
{
    return tray_sheets(scanner->unit->tray) == 0;
}

/* ---- replies ---- */

static void put_header(ScannerOutput *output, const Esci2Reply *reply)
{
    (void)esci2_reply_encode(output->reply, reply);
}

static void answer(ScannerOutput *output, const char *code)
{
    Esci2Reply reply = { 0 };

    (void)text_copy(reply.code, sizeof reply.code, code);
    put_header(output, &reply);
}

static void answer_block(ScannerOutput *output, const char *code, Buf *block)
{
    Esci2Reply reply = { .length = (uint32_t)block->n };

    (void)text_copy(reply.code, sizeof reply.code, code);
    put_header(output, &reply);
    (void)buf_put(output->reply, buf_bytes(block));
}

static void put_identity(const MfpUnit *unit, Buf *block)
{
    char product[SCANNER_PRODUCT_SIZE];

    (void)text_printf(product, sizeof product, "%-*s", PRODUCT_FIELD, unit->product);
    (void)buf_put_text(block, "#PRD");
    (void)esci2_put_data(block, bytes_of_text(product));
    (void)buf_put_text(block, "#VERh008FB  2.00#DSZ");
    (void)esci2_put_long(block, SCANNER_PARAMETERS_MAX);
}

/* ---- commands ---- */

typedef void CommandFn(Scanner *scanner, Bytes parameters, ScannerOutput *output);

static void do_info(Scanner *scanner, Bytes parameters, ScannerOutput *output)
{
    AUTO_BUF block = buf_with_max(BLOCK_TEXT_MAX);
    const MfpUnit *unit = scanner->unit;

    (void)parameters;
    if (scanner->mode != SCANNER_MAINTENANCE) {
        (void)buf_put_text(&block, ADF_INFO);
        (void)buf_put_text(&block, unit->source == MFP_FLATBED ? FLATBED_INFO : "");
        (void)buf_put_text(&block, "#IMXi0065535i0065535");
    }
    put_identity(unit, &block);
    if (scanner->mode != SCANNER_MAINTENANCE && unit->serial[0]) {
        (void)buf_put_text(&block, "#S/N");
        (void)esci2_put_data(&block, bytes_of_text(unit->serial));
    }
    answer_block(output, "INFO", &block);
}

static void do_capa(Scanner *scanner, Bytes parameters, ScannerOutput *output)
{
    AUTO_BUF block = buf_with_max(BLOCK_TEXT_MAX);
    bool flatbed = scanner->unit->source == MFP_FLATBED;

    (void)parameters;
    if (scanner->mode == SCANNER_MAINTENANCE) {
        (void)buf_put_text(&block, "#ADFSCNTd000xFFFFFFF");
        (void)buf_put_text(&block, flatbed ? "#FB CNT d000xFFFFFFF" : "");
    } else {
        (void)buf_put_text(&block, ADF_CAPA);
        (void)buf_put_text(&block, flatbed ? FLATBED_CAPA : "");
        (void)buf_put_text(&block, OTHER_CAPA);
    }
    answer_block(output, "CAPA", &block);
}

static void do_resa(Scanner *scanner, Bytes parameters, ScannerOutput *output)
{
    AUTO_BUF block = buf_with_max(BLOCK_TEXT_MAX);
    const MfpUnit *unit = scanner->unit;

    (void)parameters;
    if (scanner->mode == SCANNER_MAINTENANCE) {
        (void)buf_put_text(&block, "#ADFSCNT");
        (void)esci2_put_number(&block, (int32_t)unit->sheets_fed);
        if (unit->source == MFP_FLATBED) {
            (void)buf_put_text(&block, "#FB CNT ");
            (void)esci2_put_number(&block, (int32_t)unit->glass_scans);
        }
    }
    (void)buf_put_text(&block, "#BSZi1048576");
    answer_block(output, "RESA", &block);
}

static void do_stat(Scanner *scanner, Bytes parameters, ScannerOutput *output)
{
    AUTO_BUF block = buf_with_max(BLOCK_TEXT_MAX);

    (void)parameters;
    if (feeder_is_empty(scanner))
        (void)buf_put_text(&block, "#ERRADF PE  ");
    answer_block(output, "STAT", &block);
}

/* Takes what this device can do: one of its sources, no option words (it is simplex and has none of
 * the others), JPEG. Sizes and resolutions are taken as they are, since pictures are sent as fed. */
static bool para_is_fine(const Scanner *scanner, const Esci2Para *para)
{
    bool flatbed = esci2_word_is(para->source, "FB");
    bool source_ok = para->source[0] == '\0' || esci2_word_is(para->source, "ADF") ||
                     (flatbed && scanner->unit->source == MFP_FLATBED);
    bool format_ok = para->format[0] == '\0' || esci2_word_is(para->format, "JPG");
    bool area_ok = !para->has_area || (para->x_px >= 0 && para->y_px >= 0 && para->width_px > 0 &&
                                       para->height_px > 0);

    return source_ok && format_ok && area_ok && para->options.count == 0 && para->dpi_main >= 0 &&
           para->dpi_sub >= 0 && para->pages >= -1 && para->block_bytes >= 0;
}

static void do_para(Scanner *scanner, Bytes parameters, ScannerOutput *output)
{
    Esci2Reply reply = { .code = "PARA", .parameters = "FAIL" };
    Esci2Para para = scanner->para;
    bool known = parameters.n <= SCANNER_PARAMETERS_MAX &&
                 esci2_para_decode(parameters, &para) == WIRE_OK;

    if (known && scanner->mode == SCANNER_CONTROL && para_is_fine(scanner, &para)) {
        scanner->para = para;
        (void)text_copy(reply.parameters, sizeof reply.parameters, "OK  ");
    }
    if (known && scanner->mode == SCANNER_MAINTENANCE) /* the driver sets the clock: let it */
        (void)text_copy(reply.parameters, sizeof reply.parameters, "OK  ");
    put_header(output, &reply);
}

static const Esci2Error feeder_empty = { .part = "ADF ", .cause = "PE  " };

static void do_trdt(Scanner *scanner, Bytes parameters, ScannerOutput *output)
{
    Esci2Reply reply = { .code = "TRDT" };
    bool flatbed = scanner->para.source[0] ? esci2_word_is(scanner->para.source, "FB")
                                           : scanner->unit->source == MFP_FLATBED;

    (void)parameters;
    scanner->feeding = !flatbed;
    if (scanner->feeding && feeder_is_empty(scanner))
        reply.error = feeder_empty;
    else
        begin_scan(scanner);
    put_header(output, &reply);
}

/* Draws the next page and answers with its headers, as real devices do. */
static void begin_page(Scanner *scanner, Esci2Reply *reply, ScannerOutput *output)
{
    MfpUnit *unit = scanner->unit;
    const TrayPage *page = scanner->feeding ? tray_feed(unit->tray) : tray_glass(unit->tray);

    if (!page) { /* somebody took the paper out of the feeder */
        reply->error = feeder_empty;
        end_scan(scanner, SCAN_STOPPED);
        return;
    }
    unit->sheets_fed += scanner->feeding;
    unit->glass_scans += !scanner->feeding;
    scanner->page = page;
    scanner->page_at = 0;
    reply->page_start = true;
    reply->start_width_px = page->width_px;
    reply->start_height_px = page->height_px;
    output->image = (Bytes){ page->jpeg.p, page->head_bytes };
}

static void end_page(Scanner *scanner, Esci2Reply *reply)
{
    const TrayPage *page = scanner->page;
    int32_t wanted = scanner->para.pages;
    bool counted = wanted > 0 && scanner->pages + 1 >= (uint32_t)wanted;

    reply->page_end = true;
    reply->end_width_px = page->width_px;
    reply->end_height_px = page->height_px;
    scanner->page = NULL;
    scanner->pages++;
    scanner->page_sent = true;
    note(scanner, (ScanNote){ .kind = NOTE_PAGE, .bytes = page->jpeg.n });
    if (scanner->feeding && !counted && !feeder_is_empty(scanner))
        return;
    reply->has_left = scanner->feeding; /* "#lftd000"; the glass sends none: its #pen is the end */
    scanner->last_sent = true;
    scanner->mode = SCANNER_CONTROL;
}

/* At most one block, and never more than the client asked for with #BSZ. */
static Bytes next_block(const Scanner *scanner, Bytes rest)
{
    size_t asked = (size_t)scanner->para.block_bytes;
    size_t most = asked > 0 && asked < SCANNER_BLOCK_MAX ? asked : SCANNER_BLOCK_MAX;

    return (Bytes){ rest.p, rest.n < most ? rest.n : most };
}

static void do_img(Scanner *scanner, Bytes parameters, ScannerOutput *output)
{
    Esci2Reply reply = { .code = "IMG " };

    (void)parameters;
    if (scanner->unit->cancel) {
        (void)text_copy(reply.attention, sizeof reply.attention, "CAN ");
    } else if (scanner->polls_left > 0) {
        scanner->polls_left--;
    } else {
        (void)text_copy(reply.side, sizeof reply.side, "IMGA");
        if (!scanner->page)
            begin_page(scanner, &reply, output);
        else if (scanner->page_at < scanner->page->jpeg.n)
            output->image = bytes_after(scanner->page->jpeg, scanner->page_at);
        else
            end_page(scanner, &reply);
    }
    output->image = next_block(scanner, output->image);
    scanner->page_at += output->image.n;
    reply.length = (uint32_t)output->image.n;
    put_header(output, &reply);
}

static void do_can(Scanner *scanner, Bytes parameters, ScannerOutput *output)
{
    (void)parameters;
    end_scan(scanner, scanner->unit->cancel ? SCAN_CANCELLED : SCAN_STOPPED);
    answer(output, "CAN ");
}

/* Ends the mode and, in the middle of one, the scan. */
static void leave_mode(Scanner *scanner, ScanOutcome outcome)
{
    if (scanner->mode == SCANNER_DATA)
        end_scan(scanner, scanner->unit->cancel ? SCAN_CANCELLED : outcome);
    scanner->mode = SCANNER_NONE;
    scanner->para = ESCI2_PARA_NOTHING;
}

static void do_fin(Scanner *scanner, Bytes parameters, ScannerOutput *output)
{
    (void)parameters;
    leave_mode(scanner, SCAN_STOPPED);
    answer(output, "FIN ");
}

#define IN(mode) (1U << SCANNER_##mode)
enum {
    IN_A_MODE = IN(CONTROL) | IN(INQUIRY) | IN(MAINTENANCE),
    IN_ANY = IN_A_MODE | IN(DATA) | IN(NONE),
};

/* Which command is taken where. FIN without a mode is harmless and lets a client clean up blindly. */
static const struct {
    char code[ESCI2_WORD_SIZE];
    unsigned modes;
    CommandFn *run;
} commands[] = {
    { "INFO", IN_A_MODE, do_info }, { "CAPA", IN_A_MODE, do_capa },
    { "RESA", IN_A_MODE, do_resa }, { "STAT", IN_A_MODE, do_stat },
    { "PARA", IN_A_MODE, do_para }, { "TRDT", IN(CONTROL), do_trdt },
    { "IMG ", IN(DATA), do_img },   { "CAN ", IN(DATA), do_can },
    { "FIN ", IN_ANY, do_fin },
};

/* ---- the calls of scanner.h ---- */

void scanner_init(Scanner *scanner, MfpUnit *unit)
{
    *scanner = (Scanner){ .unit = unit, .para = ESCI2_PARA_NOTHING };
}

bool scanner_enter(Scanner *scanner, char letter)
{
    static const struct {
        char letter;
        ScannerMode mode;
    } letters[] = {
        { 'X', SCANNER_CONTROL },
        { 'Y', SCANNER_INQUIRY },
        { 'Z', SCANNER_MAINTENANCE },
    };

    acknowledge(scanner);
    for (size_t i = 0; i < COUNT_OF(letters); i++)
        if (scanner->mode == SCANNER_NONE && letters[i].letter == letter) {
            scanner->mode = letters[i].mode;
            return true;
        }
    return false;
}

void scanner_command(Scanner *scanner, const char code[ESCI2_WORD_SIZE], Bytes parameters,
                     ScannerOutput *output)
{
    acknowledge(scanner);
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        if (strcmp(commands[i].code, code) != 0)
            continue;
        if (commands[i].modes & 1U << scanner->mode)
            commands[i].run(scanner, parameters, output);
        else
            answer(output, "INVD");
        return;
    }
    answer(output, "UNKN");
}

void scanner_leave(Scanner *scanner, bool orderly)
{
    if (orderly)
        acknowledge(scanner);
    else if (scanner->last_sent)
        end_scan(scanner, SCAN_BROKEN);
    leave_mode(scanner, orderly ? SCAN_STOPPED : SCAN_BROKEN);
}
