/* mfp/scanner.c - modes and parameters of mfp/scanner.h. */
#include "mfp/scanner.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "mfp/scanner-image.h"
#include "wire/esci2-token.h"

static const char *const outcome_names[SCAN_OUTCOME_MAX_] = {
    [SCAN_DONE] = "done",     [SCAN_CANCELLED] = "cancelled", [SCAN_STOPPED] = "stopped",
    [SCAN_BROKEN] = "broken", [SCAN_FAULT] = "fault",
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

/* ---- notes ---- */

void scanner_note(Scanner *scanner, ScanNote what)
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

/* Whatever a client says behind a page tells that it has the page. */
static void acknowledge(Scanner *scanner)
{
    if (scanner->page_sent)
        scanner_note(scanner, (ScanNote){ .kind = NOTE_ACKNOWLEDGED });
    scanner->page_sent = false;
    if (scanner->last_sent)
        scanner_end(scanner, SCAN_DONE);
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

/* ---- what it says about itself ---- */

static void do_info(Scanner *scanner, Bytes parameters, ScannerOutput *output)
{
    AUTO_BUF block = buf_with_max(MODEL_BLOCK_MAX);
    MfpUnit *unit = scanner->unit;
    const FaultKind *wait = fault_due(&unit->fault, FAULT_WAIT, 0);

    (void)parameters;
    if (wait && unit->fault.waits_left > 0) {
        Esci2Reply reply = { .code = "INFO" };
        unit->fault.waits_left--;
        (void)text_copy(reply.not_ready, sizeof reply.not_ready, wait->word);
        put_header(output, &reply);
        return;
    }
    if (scanner->mode == SCANNER_MAINTENANCE)
        (void)model_put_short_info(&unit->kind, unit->product, &block);
    else
        (void)model_put_info(&unit->kind, unit->product, unit->serial, &block);
    answer_block(output, "INFO", &block);
}

static void do_capa(Scanner *scanner, Bytes parameters, ScannerOutput *output)
{
    AUTO_BUF block = buf_with_max(MODEL_BLOCK_MAX);

    (void)parameters;
    if (scanner->mode == SCANNER_MAINTENANCE)
        (void)model_put_counters(&scanner->unit->kind, &block);
    else
        (void)model_put_capa(&scanner->unit->kind, &block);
    answer_block(output, "CAPA", &block);
}

/* The counters that CAPA of maintenance mode names, in its order. */
static void put_counters(const MfpUnit *unit, Buf *block)
{
    const struct {
        const char *key;
        uint32_t count;
    } counters[] = {
        { "#ADFSCNT", unit->sheets_fed },
        { "#ADFDCNT", unit->sheets_turned },
        { "#ADFJAM ", 0 }, /* sheets that jammed are put right at the panel */
        { "#FB CNT ", unit->glass_scans },
    };
    AUTO_BUF named = buf_with_max(MODEL_BLOCK_MAX);

    if (!model_put_counters(&unit->kind, &named))
        return;
    for (size_t i = 0; i < COUNT_OF(counters); i++)
        if (strstr(buf_text(&named), counters[i].key)) {
            (void)buf_put_text(block, counters[i].key);
            (void)esci2_put_number(block, (int32_t)counters[i].count);
        }
}

static void do_resa(Scanner *scanner, Bytes parameters, ScannerOutput *output)
{
    AUTO_BUF block = buf_with_max(MODEL_BLOCK_MAX);

    (void)parameters;
    if (scanner->mode == SCANNER_MAINTENANCE)
        put_counters(scanner->unit, &block);
    (void)buf_put_text(&block, "#BSZi1048576");
    answer_block(output, "RESA", &block);
}

static void do_stat(Scanner *scanner, Bytes parameters, ScannerOutput *output)
{
    AUTO_BUF block = buf_with_max(MODEL_BLOCK_MAX);
    const FaultKind *standing = scanner->unit->fault.standing;

    (void)parameters;
    if (standing)
        (void)buf_printf(&block, "#ERR%s%s", scanner_part(scanner), standing->word);
    else if (scanner_feeder_is_empty(scanner) && model_has_feeder(&scanner->unit->kind))
        (void)buf_put_text(&block, "#ERRADF PE  ");
    answer_block(output, "STAT", &block);
}

/* ---- parameters ---- */

static bool source_is_fine(const ModelKind *kind, const Esci2Para *para)
{
    if (esci2_word_is(para->source, "ADF"))
        return model_has_feeder(kind);
    return para->source[0] == '\0' || (esci2_word_is(para->source, "FB") && model_has_glass(kind));
}

static bool options_are_fine(const ModelKind *kind, const Esci2Para *para)
{
    for (size_t i = 0; i < para->options.count; i++)
        if (!model_offers(kind, esci2_word_is(para->source, "ADF") ? "#ADF" : "#FB ",
                          para->options.word[i]))
            return false;
    return true;
}

static bool area_is_fine(const Esci2Para *para)
{
    return !para->has_area ||
           (para->x_px >= 0 && para->y_px >= 0 && para->width_px > 0 && para->height_px > 0 &&
            para->x_px <= PICTURE_SIDE_MAX_PX && para->y_px <= PICTURE_SIDE_MAX_PX &&
            para->width_px <= PICTURE_SIDE_MAX_PX);
}

/* A range behind a key of CAPA: RANG min max. */
static bool in_range(const ModelKind *kind, const char *key, int32_t number)
{
    int32_t min, max;

    return number == ESCI2_UNSET ||
           (model_range(kind, key, &min, &max) && number >= min && number <= max);
}

static bool tables_are_fine(const ModelKind *kind, const Esci2Para *para)
{
    for (size_t i = 0; i < para->table_count; i++)
        if (!model_offers(kind, "#GMTLIST", para->tables[i].channel))
            return false;
    return true;
}

/* What changes a picture is done or refused. What changes none (#GMM, #CMX, #QIT, #CCT, #LAM) is taken from anybody: the
 * pictures of the tray have the colours that a device delivers in the end. */
static bool picture_is_fine(const ModelKind *kind, const Esci2Para *para)
{
    return tables_are_fine(kind, para) && in_range(kind, "#BRT", para->brightness) &&
           in_range(kind, "#CTR", para->contrast) && in_range(kind, "#CRP", para->crop_margin) &&
           !para->has_fill && !para->fill_color[0]; /* no model fills edges */
}

/* Takes what INFO and CAPA offer. Resolutions are not held to the list: pictures can be rendered at any. */
static bool para_is_fine(const Scanner *scanner, const Esci2Para *para)
{
    const ModelKind *kind = &scanner->unit->kind;
    bool raw = esci2_word_is(para->format, "RAW");
    bool format_ok = para->format[0] == '\0' || model_offers(kind, "#FMTLIST", para->format);
    bool colour_ok = para->color[0] == '\0' || model_offers(kind, "#COLLIST", para->color);
    bool bits_ok = raw || !esci2_word_is(para->color, "M001"); /* JPEG has no 1 bit */
    bool dpi_ok = para->dpi_main >= 0 && para->dpi_sub >= 0 && para->dpi_main <= PICTURE_DPI_MAX &&
                  para->dpi_sub <= PICTURE_DPI_MAX;

    return source_is_fine(kind, para) && options_are_fine(kind, para) && format_ok && colour_ok &&
           bits_ok && dpi_ok && area_is_fine(para) && picture_is_fine(kind, para) &&
           para->pages >= -1 && para->block_bytes >= 0;
}

static void do_para(Scanner *scanner, Bytes parameters, ScannerOutput *output)
{
    Esci2Reply reply = { .code = "PARA", .parameters = "FAIL" };
    Esci2Para para = scanner->para;
    const Fault *fault = &scanner->unit->fault;
    bool known = parameters.n <= SCANNER_PARAMETERS_MAX &&
                 esci2_para_decode(parameters, &para) == WIRE_OK &&
                 !fault_due(fault, FAULT_PARAMETERS, fault->page);

    if (scanner->mode == SCANNER_CONTROL)
        scanner->refused = "parameters";
    if (known && scanner->mode == SCANNER_CONTROL && para_is_fine(scanner, &para)) {
        scanner->refused = NULL;
        scanner->para = para;
        (void)text_copy(reply.parameters, sizeof reply.parameters, "OK  ");
    }
    if (known && scanner->mode == SCANNER_MAINTENANCE) /* the driver sets the clock: let it */
        (void)text_copy(reply.parameters, sizeof reply.parameters, "OK  ");
    put_header(output, &reply);
}

/* ---- modes ---- */

static void do_can(Scanner *scanner, Bytes parameters, ScannerOutput *output)
{
    (void)parameters;
    scanner_end(scanner, scanner->unit->cancel ? SCAN_CANCELLED : SCAN_STOPPED);
    answer(output, "CAN ");
}

/* Ends the mode and, in the middle of one, the scan. */
static void leave_mode(Scanner *scanner, ScanOutcome outcome)
{
    if (scanner->mode == SCANNER_DATA)
        scanner_end(scanner, scanner->unit->cancel ? SCAN_CANCELLED : outcome);
    scanner->mode = SCANNER_NONE;
    scanner->refuses = false;
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

/* Which command is taken where. FIN without a mode is harmless and lets a client clean up blindly. IMG repeats why TRDT
 * was refused: epson2paperless looks for errors there only, and otherwise asks 5000 times for data that cannot come. */
static const struct {
    char code[ESCI2_WORD_SIZE];
    unsigned modes;
    CommandFn *run;
} commands[] = {
    { "INFO", IN_A_MODE, do_info },
    { "CAPA", IN_A_MODE, do_capa },
    { "RESA", IN_A_MODE, do_resa },
    { "STAT", IN_A_MODE, do_stat },
    { "PARA", IN_A_MODE, do_para },
    { "TRDT", IN(CONTROL), scanner_do_trdt },
    { "IMG ", IN(DATA) | IN(CONTROL), scanner_do_img },
    { "CAN ", IN(DATA), do_can },
    { "FIN ", IN_ANY, do_fin },
};

/* ---- the calls of scanner.h ---- */

void scanner_init(Scanner *scanner, MfpUnit *unit)
{
    *scanner = (Scanner){ .unit = unit, .para = ESCI2_PARA_NOTHING };
}

void scanner_done(Scanner *scanner)
{
    for (size_t i = 0; i < SCANNER_SIDES; i++)
        page_free(STEAL(scanner->sides[i].page));
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
        scanner_end(scanner, SCAN_BROKEN);
    leave_mode(scanner, orderly ? SCAN_STOPPED : SCAN_BROKEN);
    if (scanner->refused)
        scanner_note(scanner, (ScanNote){ .kind = NOTE_REFUSED, .fault = STEAL(scanner->refused) });
}
