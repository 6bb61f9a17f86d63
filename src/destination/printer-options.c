/* destination/printer-options.c - see printer-options.h.
 *
 * Only what a printer lists is sent: one that gets a value it does not know may refuse the whole job. */
#include "destination/printer-options.h"

#include "base/text.h"

#include <stdlib.h>

enum { COPIES_MAX = 999, FALLBACKS_MAX = 4, LISTED_SIZE = 100 };

static const char *const sides_words[] = { "printer", "one-sided", "two-sided-long-edge",
                                           "two-sided-short-edge", NULL };
static const char *const color_words[] = { "printer", "color", "monochrome", "auto", NULL };
static const char *const quality_words[] = { "printer", "draft", "normal", "high", NULL };
static const char *const scaling_words[] = { "printer", "auto", "auto-fit", "fit",
                                             "fill",    "none", NULL };

const Field printer_option_fields[] = {
    INTEGER(PrinterOptions, copies, 1, COPIES_MAX, 1, "How many copies."),
    CHOICE(PrinterOptions, sides, sides_words, 0, "One or both sides of the paper."),
    TEXT(PrinterOptions, media, false,
         "Paper: A4, Letter or a name such as iso_a4_210x297mm; empty: as the printer is set."),
    CHOICE(PrinterOptions, color, color_words, 0, "Colour or not."),
    CHOICE(PrinterOptions, quality, quality_words, 0, "Quality of print."),
    CHOICE(PrinterOptions, scaling, scaling_words, 0,
           "How a page gets the size of the paper; fit shrinks or enlarges all of it, none prints "
           "as it is."),
    BOOLEAN(PrinterOptions, exact, false,
            "Refuse what the printer does not list, instead of taking the nearest."),
    FIELDS_END,
};

const char *const printer_option_attributes[] = {
    "copies-supported",
    "sides-supported",
    "media-supported",
    "print-color-mode-supported",
    "print-quality-supported",
    "print-scaling-supported",
    NULL,
};

/* Attributes with words as values, and what is nearest to each word, best first. */
typedef struct Wish {
    const char *word, *nearest[FALLBACKS_MAX];
} Wish;

static const Wish wishes[] = {
    { "two-sided-long-edge", { "two-sided-short-edge", "one-sided" } },
    { "two-sided-short-edge", { "two-sided-long-edge", "one-sided" } },
    { "color", { "auto" } },
    { "monochrome", { "process-monochrome", "auto-monochrome", "auto" } },
    { "auto-fit", { "fit", "auto" } },
    { "fit", { "auto-fit", "auto" } },
    { "fill", { "auto" } },
};

/* One request at work. */
typedef struct Adding {
    const IppPeer *peer;
    bool exact;
    ipp_t *printer, *request;
    char *changes; /* PRINTER_CHANGES_SIZE */
} Adding;

static ipp_attribute_t *listed(const Adding *a, const char *name)
{
    char supported[80];

    (void)text_printf(supported, sizeof supported, "%s-supported", name);
    return ippFindAttribute(a->printer, supported, IPP_TAG_ZERO);
}

/* The printer has not what is wanted. got: what it gets instead, NULL = nothing is said about it. */
static bool change(const Adding *a, const char *name, const char *wanted, const char *got)
{
    size_t n = strlen(a->changes);
    char has[LISTED_SIZE];

    if (a->exact) {
        ipp_words(listed(a, name), has, sizeof has);
        return transfer_failed(a->peer->transfer, DELIVERY_CLASS_CONFIG, "locate",
                               "Choose what the printer has, or let the job take the nearest.",
                               "the printer has no %s %s, it lists: %s", name, wanted,
                               has[0] ? has : "nothing");
    }
    (void)text_printf(a->changes + n, PRINTER_CHANGES_SIZE - n, "%s%s %s %s%s", n > 0 ? ", " : "",
                      got ? "with" : "without", name, got ? got : wanted, got ? " instead" : "");
    return true;
}

static void add_word(const Adding *a, const char *name, const char *word)
{
    ippAddString(a->request, IPP_TAG_JOB, IPP_TAG_KEYWORD, name, NULL, word);
}

/* wanted NULL: it is left to the printer. */
static bool add_wish(const Adding *a, const char *name, const char *wanted)
{
    ipp_attribute_t *has = listed(a, name);
    const char *found = NULL;

    if (!wanted)
        return true;
    if (has && ippContainsString(has, wanted)) {
        add_word(a, name, wanted);
        return true;
    }
    for (size_t i = 0; has && i < COUNT_OF(wishes); i++)
        for (size_t k = 0; text_equal(wishes[i].word, wanted) && k < FALLBACKS_MAX && !found; k++)
            if (wishes[i].nearest[k] && ippContainsString(has, wishes[i].nearest[k]))
                found = wishes[i].nearest[k];
    if (!change(a, name, wanted, found))
        return false;
    if (found)
        add_word(a, name, found);
    return true;
}

static bool add_copies(const Adding *a, int64_t copies)
{
    ipp_attribute_t *has = listed(a, "copies");
    int most = 1, got = (int)copies;
    char wanted[12], instead[12];

    if (copies == 1)
        return true;
    if (has)
        (void)ippGetRange(has, 0, &most);
    if (got > most)
        got = most > 1 ? most : 1;
    (void)text_printf(wanted, sizeof wanted, "%d", (int)copies);
    (void)text_printf(instead, sizeof instead, "%d", got);
    if (got != copies && !change(a, "copies", wanted, instead))
        return false;
    if (has)
        ippAddInteger(a->request, IPP_TAG_JOB, IPP_TAG_INTEGER, "copies", got);
    return true;
}

/* quality: IPP's number, 3 draft, 4 normal, 5 high. */
static bool add_quality(const Adding *a, int quality)
{
    ipp_attribute_t *has = listed(a, "print-quality");
    int best = 0;

    for (int i = 0; i < ippGetCount(has); i++) {
        int value = ippGetInteger(has, i);

        if (best == 0 || abs(value - quality) < abs(best - quality))
            best = value;
    }
    if (best != quality &&
        !change(a, "print-quality", quality_words[quality - IPP_QUALITY_DRAFT + 1],
                best ? ippEnumString("print-quality", best) : NULL))
        return false;
    if (best)
        ippAddInteger(a->request, IPP_TAG_JOB, IPP_TAG_ENUM, "print-quality", best);
    return true;
}

/* The PWG name of what people call paper; the text itself when nobody knows it. A copy, because libcups
 * uses its memory again. */
static void media_name(const char *text, char ret_name[2 * MEDIA_SIZE])
{
    const pwg_media_t *media = pwgMediaForLegacy(text);

    if (!media)
        media = pwgMediaForPPD(text);
    (void)text_copy(ret_name, 2 * MEDIA_SIZE, media ? media->pwg : text);
}

/* The listed paper whose sides differ least, NULL when sizes are not known. */
static const char *nearest_media(ipp_attribute_t *has, const char *wanted)
{
    const pwg_media_t *media = pwgMediaForPWG(wanted);
    const char *best = NULL;
    int least = 0;

    if (!media)
        return NULL;
    const int width = media->width, length = media->length; /* its memory is used again below */
    for (int i = 0; i < ippGetCount(has); i++) {
        const char *name = ippGetString(has, i, NULL);
        const pwg_media_t *other = name ? pwgMediaForPWG(name) : NULL;
        bool range = name && (text_starts_with(name, "custom_") || text_starts_with(name, "roll_"));

        if (!other || range)
            continue;
        int differs = abs(other->width - width) + abs(other->length - length);
        if (!best || differs < least) {
            best = name;
            least = differs;
        }
    }
    return best;
}

static bool add_media(const Adding *a, const char *text)
{
    ipp_attribute_t *has = listed(a, "media");

    char wanted[2 * MEDIA_SIZE];

    if (!text[0])
        return true;
    media_name(text, wanted);
    if (has && ippContainsString(has, wanted)) {
        add_word(a, "media", wanted);
        return true;
    }
    const char *nearest = has ? nearest_media(has, wanted) : NULL;
    if (!change(a, "media", text, nearest))
        return false;
    if (nearest)
        add_word(a, "media", nearest);
    return true;
}

static const char *word_of(const char *const *words, int64_t index)
{
    return index > 0 ? words[index] : NULL;
}

bool printer_options_add(const IppPeer *peer, const PrinterOptions *o, ipp_t *printer,
                         ipp_t *request, char ret_changes[PRINTER_CHANGES_SIZE])
{
    const Adding a = { peer, o->exact, printer, request, ret_changes };

    ret_changes[0] = '\0';
    return add_copies(&a, o->copies) && add_wish(&a, "sides", word_of(sides_words, o->sides)) &&
           add_media(&a, o->media) &&
           add_wish(&a, "print-color-mode", word_of(color_words, o->color)) &&
           (o->quality == 0 || add_quality(&a, IPP_QUALITY_DRAFT - 1 + (int)o->quality)) &&
           add_wish(&a, "print-scaling", word_of(scaling_words, o->scaling));
}
