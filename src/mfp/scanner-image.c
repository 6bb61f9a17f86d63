/* mfp/scanner-image.c - pages on their way out, for mfp/scanner-image.h. */
#include "mfp/scanner-image.h"

#include "base/text.h"
#include "wire/is.h"

enum { DEFAULT_QUALITY = 90, DEFAULT_THRESHOLD = 128, JPEG_BLOCK_PX = 8 };

static const Esci2Error feeder_empty = { .part = "ADF ", .cause = "PE  " };

static const char *const side_words[SCANNER_SIDES] = { "IMGA", "IMGB" };

bool scanner_feeder_is_empty(const Scanner *scanner)
{
    return tray_sheets(scanner->unit->tray) == 0 ||
           fault_due(&scanner->unit->fault, FAULT_EMPTY, 0);
}

static bool wants_glass(const Scanner *scanner)
{
    if (scanner->para.source[0])
        return esci2_word_is(scanner->para.source, "FB");
    return scanner->unit->source == MFP_FLATBED;
}

const char *scanner_part(const Scanner *scanner)
{
    return wants_glass(scanner) ? "FB  " : "ADF ";
}

/* ---- beginning and end ---- */

static void begin_scan(Scanner *scanner)
{
    scanner->mode = SCANNER_DATA;
    scanner->begun_at = scanner->now;
    scanner->polls_left = SCANNER_EMPTY_POLLS;
    scanner->side_count = 0;
    scanner->pages = scanner->drawn = 0;
    scanner->cancel_said = false;
    scanner->refused = NULL;
    scanner->duplex = scanner->feeding && esci2_words_have(&scanner->para.options, "DPLX");
    scanner->unit->scanning = true;
    scanner->unit->cancel = false;
    scanner->announces = scanner->unit->says_events ? IS_EVENT_START : 0;
    scanner_note(scanner, (ScanNote){ .kind = NOTE_BEGIN });
}

void scanner_end(Scanner *scanner, ScanOutcome outcome)
{
    if (scanner->mode == SCANNER_DATA)
        scanner->mode = SCANNER_CONTROL;
    scanner->side_count = 0;
    scanner->page_sent = scanner->last_sent = false;
    scanner->unit->scanning = false;
    scanner->unit->cancel = false;
    scanner_note(scanner, (ScanNote){ .kind = NOTE_END, .outcome = outcome });
}

/* Why no scan can begin, said in reply; false: one can. */
static bool refuses(Scanner *scanner, Esci2Reply *reply)
{
    const Fault *fault = &scanner->unit->fault;

    if (fault->standing) {
        (void)text_copy(reply->error.part, sizeof reply->error.part, scanner_part(scanner));
        (void)text_copy(reply->error.cause, sizeof reply->error.cause, fault->standing->word);
        scanner->refused = fault->standing->name;
    } else if (fault_due(fault, FAULT_REFUSE, fault->page)) {
        (void)text_copy(reply->not_ready, sizeof reply->not_ready, fault->armed->word);
        scanner->refused = fault->armed->name;
    } else if (scanner->feeding && scanner_feeder_is_empty(scanner)) {
        reply->error = feeder_empty;
        scanner->refused = "empty";
    } else {
        return false;
    }
    return true;
}

void scanner_do_trdt(Scanner *scanner, Bytes parameters, ScannerOutput *output)
{
    Esci2Reply reply = { .code = "TRDT" };

    (void)parameters;
    scanner->feeding = !wants_glass(scanner);
    scanner->refuses = refuses(scanner, &reply);
    if (!scanner->refuses)
        begin_scan(scanner);
    (void)esci2_reply_encode(output->reply, &reply);
}

/* ---- faults in the middle ---- */

static void fail(Scanner *scanner, Esci2Reply *reply, const char *cause, const char *what)
{
    (void)text_copy(reply->error.part, sizeof reply->error.part, scanner_part(scanner));
    (void)text_copy(reply->error.cause, sizeof reply->error.cause, cause);
    scanner_note(scanner, (ScanNote){ .kind = NOTE_FAULT, .fault = what });
    scanner_end(scanner, SCAN_FAULT);
}

static void lose_paper(Scanner *scanner, Esci2Reply *reply)
{
    reply->error = feeder_empty;
    scanner_end(scanner, SCAN_STOPPED);
}

/* The armed fault happens. True: it has answered. */
static bool happen(Scanner *scanner, Esci2Reply *reply)
{
    Fault *fault = &scanner->unit->fault;
    const FaultKind *kind = fault->armed;

    if (kind->effect == FAULT_WAIT) {
        if (fault->waits_left == 0)
            return false;
        fault->waits_left--;
        (void)text_copy(reply->not_ready, sizeof reply->not_ready, kind->word);
        return true;
    }
    if (kind->effect == FAULT_REFUSE || kind->effect == FAULT_PARAMETERS)
        return false; /* not the business of a page */
    if (kind->effect == FAULT_EMPTY) {
        fault->page = 0; /* from now on, until it is cleared */
        lose_paper(scanner, reply);
        return true;
    }
    fault->armed = NULL;
    if (kind->effect == FAULT_CAUSE) {
        fault->standing = kind;
        fail(scanner, reply, kind->word, kind->name);
        return true;
    }
    scanner_note(scanner, (ScanNote){ .kind = NOTE_FAULT, .fault = kind->name });
    scanner->drops = kind->effect == FAULT_DROP;
    if (kind->effect == FAULT_CANCEL)
        scanner->unit->cancel = true;
    if (kind->effect == FAULT_EVENT)
        scanner->closes = kind->code;
    return kind->effect == FAULT_EVENT;
}

/* A fault waits for a page: it happens behind the first block of that page, so that one is lost. */
static bool fault_happens(Scanner *scanner, Esci2Reply *reply)
{
    const Fault *fault = &scanner->unit->fault;

    for (size_t i = 0; fault->armed && i < scanner->side_count; i++)
        if (scanner->sides[i].number == fault->page && scanner->sides[i].begun &&
            !scanner->sides[i].ended)
            return happen(scanner, reply);
    return false;
}

/* ---- pages ---- */

static RenderColour colour_of(const char *word)
{
    static const struct {
        const char *word;
        RenderColour colour;
    } colours[] = {
        { "M001", RENDER_BLACK }, { "M008", RENDER_GREY }, { "R008", RENDER_RED },
        { "G008", RENDER_GREEN }, { "B008", RENDER_BLUE },
    };

    for (size_t i = 0; i < COUNT_OF(colours); i++)
        if (esci2_word_is(word, colours[i].word))
            return colours[i].colour;
    return RENDER_COLOUR;
}

static RenderAlign align_of(const Scanner *scanner)
{
    char letter = model_alignment(&scanner->unit->kind, scanner->feeding);

    return letter == 'C' ? RENDER_CENTRE : letter == 'R' ? RENDER_RIGHT : RENDER_LEFT;
}

static uint32_t at_most(int32_t n, uint32_t most)
{
    return (uint32_t)n < most ? (uint32_t)n : most;
}

/* Serial number and place among all pages of the device: no two pages of a fleet are equal. */
static void stamp(MfpUnit *unit, PageWish *wish)
{
    if (unit->stamps && wish->jpeg)
        (void)text_printf(wish->stamp, sizeof wish->stamp, "%s page %u", unit->serial,
                          ++unit->stamped);
}

/* The client's tables for the channels that are sent. */
static Tone tone_of(const Esci2Para *para, RenderColour colour)
{
    static const char *const of_colour[] = { "RED", "GRN", "BLU" }, *const of_grey[] = { "MONO" };
    const char *const *channels = colour == RENDER_COLOUR ? of_colour : of_grey;
    unsigned count = colour == RENDER_COLOUR ? COUNT_OF(of_colour) : COUNT_OF(of_grey);
    Tone tone;

    tone_init(&tone);
    for (size_t i = 0; i < para->table_count; i++)
        for (unsigned c = 0; c < count; c++)
            if (esci2_word_is(para->tables[i].channel, channels[c]))
                tone_set(&tone, c, para->tables[i].value);
    return tone;
}

static PageWish wish_of(const Scanner *scanner, bool back)
{
    const Esci2Para *para = &scanner->para;
    const ModelKind *kind = &scanner->unit->kind;
    RenderColour colour = colour_of(para->color);
    bool jpeg = !esci2_word_is(para->format, "RAW");

    return (PageWish){
        .jpeg = jpeg,
        .quality = para->jpeg_quality > 0 ? at_most(para->jpeg_quality, 100) : DEFAULT_QUALITY,
        .padding_bytes = scanner->unit->line_padding,
        .render = { .dpi_x = (uint32_t)para->dpi_main,
                    .dpi_y = (uint32_t)(para->dpi_sub ? para->dpi_sub : para->dpi_main),
                    .has_area = para->has_area,
                    .x_px = (uint32_t)para->x_px,
                    .y_px = (uint32_t)para->y_px,
                    .width_px = (uint32_t)para->width_px,
                    .height_px = para->has_area ? at_most(para->height_px, PICTURE_SIDE_MAX_PX) : 0,
                    .table_hundredths = MODEL_TABLE_HUNDREDTHS,
                    .align = align_of(scanner),
                    .ends_with_sheet = scanner->feeding,
                    .turned = back && model_turns_backs(kind),
                    .crops = esci2_words_have(&para->options, "CRP"),
                    .margin_hundredths = para->crop_margin == ESCI2_UNSET ? 0 : para->crop_margin,
                    .round_px = jpeg ? JPEG_BLOCK_PX : 1,
                    .colour = colour,
                    .tone = tone_of(para, colour),
                    .threshold = (uint8_t)(para->threshold >= 0
                                               ? at_most(para->threshold, UINT8_MAX)
                                               : DEFAULT_THRESHOLD) },
    };
}

int64_t scanner_feeds_ms(const Scanner *scanner, uint32_t pages)
{
    int64_t left = scanner->begun_at.ms + (int64_t)scanner->unit->page_ms * pages - scanner->now.ms;

    return scanner->unit->page_ms > 0 && left > 0 ? left : 0;
}

/* Draws the next sheet, or what lies on the glass. */
static bool draw(Scanner *scanner)
{
    MfpUnit *unit = scanner->unit;
    Sheet sheet = { 0 };
    size_t count = scanner->duplex ? SCANNER_SIDES : 1;

    if (!scanner->feeding)
        sheet.sides[0] = tray_glass(unit->tray);
    else if (scanner_feeder_is_empty(scanner) ||
             !tray_feed(unit->tray, (unsigned)count, model_is_last_first(&unit->kind), &sheet))
        return false; /* somebody took the paper out of the feeder */
    if (!sheet.sides[0])
        return false;
    unit->sheets_fed += scanner->feeding;
    unit->sheets_turned += scanner->duplex;
    unit->glass_scans += !scanner->feeding;
    scanner->side_count = count;
    scanner->turn = SCANNER_SIDES - 1;
    for (size_t i = 0; i < count; i++) {
        page_free(STEAL(scanner->sides[i].page));
        scanner->sides[i] = (ScannerSide){ .picture = sheet.sides[i], .number = ++scanner->drawn };
    }
    return true;
}

/* The side whose block comes next. */
static size_t next_side(const Scanner *scanner)
{
    size_t other = scanner->side_count - 1 - scanner->turn % scanner->side_count;

    if (scanner->unit->interleaves && !scanner->sides[other].ended)
        return other;
    return scanner->sides[0].ended ? scanner->side_count - 1 : 0;
}

/* The next page is on its way. A device answers meanwhile that there is nothing yet, thousands of times if it is asked
 * so often, some milliseconds after each question. */
static bool feeds(Scanner *scanner)
{
    const ScannerSide *side = scanner->side_count > 0 ? &scanner->sides[next_side(scanner)] : NULL;

    if ((side && side->begun) ||
        scanner_feeds_ms(scanner, side ? side->number : scanner->drawn + 1) == 0)
        return false;
    scanner_note(scanner, (ScanNote){ .kind = NOTE_FEEDS, .wait_ms = SCANNER_FEED_ANSWER_MS });
    return true;
}

static bool wanted_pages_sent(const Scanner *scanner)
{
    return scanner->para.pages > 0 && scanner->pages >= (uint32_t)scanner->para.pages;
}

static void end_page(Scanner *scanner, ScannerSide *side, Esci2Reply *reply)
{
    bool sheet_done = true;

    reply->page_end = true;
    reply->end_width_px = page_real_width_px(side->page);
    reply->end_height_px = page_real_height_px(side->page);
    side->ended = true;
    scanner->pages++;
    scanner->page_sent = true;
    scanner_note(scanner, (ScanNote){ .kind = NOTE_PAGE, .bytes = page_sent_bytes(side->page) });
    for (size_t i = 0; i < scanner->side_count; i++)
        sheet_done = sheet_done && scanner->sides[i].ended;
    if (sheet_done)
        scanner->side_count = 0;
    if (!wanted_pages_sent(scanner) &&
        (!sheet_done || (scanner->feeding && !scanner_feeder_is_empty(scanner))))
        return;
    reply->has_left = scanner->feeding; /* "#lftd000"; the glass sends none: its #pen is the end */
    scanner->last_sent = true;
    scanner->mode = SCANNER_CONTROL;
}

/* Never more than the client asked for with #BSZ. */
static size_t most_bytes(const Scanner *scanner)
{
    size_t asked = (size_t)scanner->para.block_bytes;

    return asked > 0 && asked < SCANNER_BLOCK_MAX ? asked : SCANNER_BLOCK_MAX;
}

static void send_block(Scanner *scanner, Esci2Reply *reply, ScannerOutput *output)
{
    Err err = { 0 };

    if (scanner->side_count == 0 && !draw(scanner)) {
        (void)text_copy(reply->side, sizeof reply->side, side_words[0]);
        lose_paper(scanner, reply);
        return;
    }
    size_t at = next_side(scanner);
    ScannerSide *side = &scanner->sides[at];
    (void)text_copy(reply->side, sizeof reply->side, side_words[at]);
    scanner->turn = at;
    if (!side->page) {
        PageWish wish = wish_of(scanner, at == 1);
        stamp(scanner->unit, &wish);
        side->page = page_new(side->picture, &wish, &err);
    }
    if (!side->page || !page_next(side->page, most_bytes(scanner), &output->image, &err)) {
        fail(scanner, reply, "ERR ", "a picture that cannot be decoded");
        return;
    }
    if (output->image.n == 0) {
        end_page(scanner, side, reply);
        return;
    }
    if (!side->begun) {
        reply->page_start = true;
        reply->start_width_px = page_width_px(side->page);
        reply->start_padding_bytes = page_padding_bytes(side->page);
        reply->start_height_px = page_height_px(side->page);
    }
    side->begun = true;
}

static void say_cancel(Scanner *scanner, Esci2Reply *reply)
{
    (void)text_copy(reply->attention, sizeof reply->attention, "CAN ");
    if (scanner->unit->says_events && !scanner->cancel_said)
        scanner->announces = IS_EVENT_CANCEL;
    scanner->cancel_said = true;
}

void scanner_do_img(Scanner *scanner, Bytes parameters, ScannerOutput *output)
{
    Esci2Reply reply = { .code = "IMG " };

    (void)parameters;
    if (scanner->mode == SCANNER_CONTROL) {
        if (!scanner->refuses || !refuses(scanner, &reply))
            reply = (Esci2Reply){ .code = "INVD" };
    } else if (fault_happens(scanner, &reply)) {
        ;
    } else if (scanner->unit->cancel) {
        say_cancel(scanner, &reply);
    } else if (scanner->polls_left > 0) {
        scanner->polls_left--;
    } else if (!feeds(scanner)) {
        send_block(scanner, &reply, output);
    }
    reply.length = (uint32_t)output->image.n;
    (void)esci2_reply_encode(output->reply, &reply);
}
