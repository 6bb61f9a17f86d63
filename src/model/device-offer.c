/* model/device-offer.c - see device-offer.h. */
#include "model/device-offer.h"

#include "base/cleanup.h"
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MM_X10_PER_INCH = 254, HUNDREDTHS = 1000 }; /* mm * 1000 / 254 = 1/100 inch */

/* Of these many hundredths more than the device takes: still the same paper (A4 on 8.5 x 11.7 inch). */
enum { PAPER_TOLERANCE = 8 };

static const struct {
    uint32_t width, height;
} papers[SCAN_PAPER_MAX_] = {
    [SCAN_PAPER_A3] = { 1169, 1654 },     [SCAN_PAPER_A4] = { 827, 1169 },
    [SCAN_PAPER_A5] = { 583, 827 },       [SCAN_PAPER_A6] = { 413, 583 },
    [SCAN_PAPER_B4] = { 1012, 1433 },     [SCAN_PAPER_B5] = { 717, 1012 },
    [SCAN_PAPER_LETTER] = { 850, 1100 },  [SCAN_PAPER_LEGAL] = { 850, 1400 },
    [SCAN_PAPER_LEDGER] = { 1100, 1700 }, [SCAN_PAPER_CARD] = { 337, 213 },
};

void scan_note(ScanNotes *notes, const char *setting, const char *fmt, ...)
{
    ScanNote *note = &notes->note[notes->count];
    va_list args;

    if (notes->count == SCAN_NOTES_MAX)
        return;
    notes->count++;
    *note = (ScanNote){ 0 };
    (void)text_copy(note->setting, sizeof note->setting, setting);
    va_start(args, fmt);
    (void)vsnprintf(note->text, sizeof note->text, fmt, args);
    va_end(args);
}

bool scan_note_once(ScanNotes *notes, const ScanNote *note)
{
    for (size_t i = 0; i < notes->count; i++) {
        const ScanNote *had = &notes->note[i];

        if (had->page == note->page && text_equal(had->setting, note->setting) &&
            text_equal(had->warning, note->warning) && text_equal(had->text, note->text))
            return false;
    }
    if (notes->count == SCAN_NOTES_MAX)
        return false;
    notes->note[notes->count++] = *note;
    return true;
}

bool scan_paper_size(ScanPaper paper, uint32_t *ret_width, uint32_t *ret_height)
{
    if ((unsigned)paper >= SCAN_PAPER_MAX_ || papers[paper].width == 0)
        return false;
    *ret_width = papers[paper].width;
    *ret_height = papers[paper].height;
    return true;
}

bool device_offer_unit(const DeviceOffer *offer, ScanSource source, ScanUnit *ret_unit)
{
    bool adf = offer->adf.present && source != SCAN_SOURCE_FLATBED;

    *ret_unit = adf ? SCAN_UNIT_ADF : SCAN_UNIT_FLATBED;
    return adf || (offer->flatbed.present && source != SCAN_SOURCE_ADF);
}

bool scan_notes_say(const ScanNotes *notes, char *ret_text, size_t size)
{
    enum { REST_BYTES = sizeof "; and 24 more, see its notes" };
    size_t said = 0, n = 0;

    ret_text[0] = '\0';
    for (; said < notes->count; said++) {
        const char *text = notes->note[said].text;
        size_t bytes = strlen(text), room = said + 1 < notes->count ? REST_BYTES : 1;

        if (bytes > 0 && text[bytes - 1] == '.')
            bytes--; /* they become one sentence */
        if (n + strlen("; ") + bytes + room > size)
            break;
        (void)text_printf(ret_text + n, size - n, "%s%.*s", said > 0 ? "; " : "", (int)bytes, text);
        n += strlen(ret_text + n);
    }
    if (said == notes->count)
        return true;
    (void)text_printf(ret_text + n, size - n, "%s%zu more, see its notes", said > 0 ? "; and " : "",
                      notes->count - said);
    return false;
}

/* --- one rule per setting ----------------------------------------------------------------------- */

static int32_t clamped(int32_t value, OfferRange range)
{
    if (range.min > range.max)
        return value;
    return value < range.min ? range.min : value > range.max ? range.max : value;
}

/* The nearest number of the source; of two that are equally near the larger one. */
static int32_t nearest_dpi(const OfferSource *source, int32_t wanted)
{
    int32_t best = 0;

    if (source->dpi_range)
        return clamped(wanted, (OfferRange){ source->dpi[0], source->dpi[1] });
    for (uint32_t i = 0; i < source->dpi_count; i++) {
        int32_t value = source->dpi[i], gain = abs(best - wanted) - abs(value - wanted);

        if (best == 0 || gain > 0 || (gain == 0 && value > best))
            best = value;
    }
    return best > 0 ? best : wanted;
}

/* The words around the nearest value. To a strict job nothing is given in its place, so it hears what there is. */
static const char *before_nearest(const ScanSettings *used)
{
    return used->strict ? "the device offers " : "";
}

static const char *behind_nearest(const ScanSettings *used)
{
    return used->strict ? "" : " used";
}

/* What happens instead, which is true only when it does. */
static const char *instead(const ScanSettings *used, const char *text)
{
    return used->strict ? "" : text;
}

static void resolve_dpi(const OfferSource *source, ScanSettings *used, ScanNotes *notes)
{
    uint32_t wanted = used->dpi;

    used->dpi = (uint32_t)nearest_dpi(source, (int32_t)wanted);
    if (used->dpi != wanted)
        scan_note(notes, "dpi", "%u dpi asked, %s%u%s.", wanted, before_nearest(used), used->dpi,
                  behind_nearest(used));
}

/* Black and white has 1 bit and so cannot come as JPEG. */
static bool has_color(const DeviceOffer *offer, ScanColor color)
{
    return offer->color[color] && (color != SCAN_COLOR_BW || offer->raw);
}

static void resolve_color(const DeviceOffer *offer, ScanSettings *used, ScanNotes *notes)
{
    ScanColor wanted = used->color;

    if (used->color == SCAN_COLOR_BW && !has_color(offer, SCAN_COLOR_BW))
        used->color = SCAN_COLOR_GRAY;
    if (used->color == SCAN_COLOR_GRAY && !has_color(offer, SCAN_COLOR_GRAY))
        used->color = SCAN_COLOR_COLOR;
    if (used->color == SCAN_COLOR_COLOR && !has_color(offer, SCAN_COLOR_COLOR))
        used->color = SCAN_COLOR_GRAY;
    if (used->color != wanted)
        scan_note(notes, "color", "%s asked, %s%s%s.", scan_color_words[wanted],
                  before_nearest(used), scan_color_words[used->color], behind_nearest(used));
}

static void resolve_drop_out(const DeviceOffer *offer, ScanSettings *used, ScanNotes *notes)
{
    const bool *offered = used->color == SCAN_COLOR_BW ? offer->drop_out_bw : offer->drop_out_gray;
    ScanDropOut wanted = used->drop_out;

    if (wanted == SCAN_DROP_OUT_NONE)
        return;
    if (used->color != SCAN_COLOR_COLOR && offered[wanted])
        return;
    used->drop_out = SCAN_DROP_OUT_NONE;
    scan_note(notes, "drop_out",
              used->color == SCAN_COLOR_COLOR ? "In colour pages %s is not dropped%s."
                                              : "The device cannot drop %s%s.",
              scan_drop_out_words[wanted],
              used->color == SCAN_COLOR_COLOR ? "" : instead(used, "; it is in the picture"));
}

static void resolve_numbers(const DeviceOffer *offer, ScanSettings *used, ScanNotes *notes)
{
    int32_t quality = clamped((int32_t)used->jpeg_quality, offer->jpeg_quality);
    int32_t threshold = clamped((int32_t)used->threshold, offer->threshold);

    if (offer->jpeg && quality != (int32_t)used->jpeg_quality)
        scan_note(notes, "jpeg_quality", "Quality %u asked, %s%d%s.", used->jpeg_quality,
                  before_nearest(used), quality, behind_nearest(used));
    used->jpeg_quality = (uint32_t)quality;
    if (used->color != SCAN_COLOR_BW)
        return;
    if (offer->threshold.min > offer->threshold.max)
        scan_note(notes, "threshold", "The device has no threshold to set%s.",
                  instead(used, "; its own is used"));
    else if (threshold != (int32_t)used->threshold)
        scan_note(notes, "threshold", "Threshold %u asked, %s%d%s.", used->threshold,
                  before_nearest(used), threshold, behind_nearest(used));
    used->threshold = (uint32_t)threshold;
}

static uint32_t of_mm(uint32_t mm)
{
    return (mm * HUNDREDTHS + MM_X10_PER_INCH / 2) / MM_X10_PER_INCH;
}

static uint32_t to_mm(uint32_t hundredths)
{
    return (hundredths * MM_X10_PER_INCH + HUNDREDTHS / 2) / HUNDREDTHS;
}

static void resolve_sides(const OfferSource *source, ScanUnit unit, ScanSettings *used,
                          ScanNotes *notes)
{
    if (unit == SCAN_UNIT_FLATBED || used->sides == SCAN_SIDES_ONE || source->two_sided)
        return;
    used->sides = SCAN_SIDES_ONE;
    scan_note(notes, "sides", "Two sides asked, the feeder scans one.");
}

/* The paper's size within what the source takes. */
static void resolve_paper(const OfferSource *source, const ScanSettings *wanted, ScanUsed *used,
                          ScanNotes *notes)
{
    uint32_t width = of_mm(wanted->paper_width_mm), height = of_mm(wanted->paper_height_mm);
    bool large, small;

    if (wanted->paper == SCAN_PAPER_AUTO)
        return; /* the whole area */
    (void)scan_paper_size(wanted->paper, &width, &height);
    used->width = width;
    used->height = height;
    if (source->width == 0 || source->height == 0)
        return;
    large = width > source->width + PAPER_TOLERANCE || height > source->height + PAPER_TOLERANCE;
    small = width < source->min_width || height < source->min_height;
    if (used->width < source->min_width)
        used->width = source->min_width;
    if (used->height < source->min_height)
        used->height = source->min_height;
    if (used->width > source->width)
        used->width = source->width;
    if (used->height > source->height)
        used->height = source->height;
    if (large || small)
        scan_note(notes, "paper", "%u x %u mm asked, %s%u x %u mm%s: %s takes no %s.", to_mm(width),
                  to_mm(height), before_nearest(wanted), to_mm(used->width), to_mm(used->height),
                  behind_nearest(wanted), wanted->strict ? "it" : "the device",
                  large ? "larger" : "smaller");
}

/* A switch that the device has or not. */
static void resolve_switch(bool *used, bool offered, const char *setting, const char *what,
                           ScanNotes *notes)
{
    if (!*used || offered)
        return;
    *used = false;
    scan_note(notes, setting, "The device cannot %s.", what);
}

static void resolve_crop(const DeviceOffer *offer, const OfferSource *source, ScanSettings *used,
                         ScanNotes *notes)
{
    int32_t wanted = used->crop_margin_mm;
    int32_t margin = clamped(wanted * HUNDREDTHS / MM_X10_PER_INCH, offer->crop_margin);

    resolve_switch(&used->crop, source->crop, "crop", "cut pages to the paper", notes);
    resolve_switch(&used->deskew, source->deskew, "deskew", "straighten pages", notes);
    if (!used->crop || wanted == 0)
        return;
    if (offer->crop_margin.min > offer->crop_margin.max) {
        used->crop_margin_mm = 0;
        scan_note(notes, "crop_margin_mm", "The device has no margin to set.");
    } else if (margin != wanted * HUNDREDTHS / MM_X10_PER_INCH) {
        used->crop_margin_mm = margin * MM_X10_PER_INCH / HUNDREDTHS;
        scan_note(notes, "crop_margin_mm", "%d mm asked, %s%d mm%s.", wanted, before_nearest(used),
                  used->crop_margin_mm, behind_nearest(used));
    }
}

static void resolve_feeding(const DeviceOffer *offer, ScanUnit unit, ScanSettings *used,
                            ScanNotes *notes)
{
    ScanDoubleFeed wanted = used->double_feed;

    resolve_switch(&used->quiet, offer->quiet, "quiet", "scan quietly", notes);
    if (unit != SCAN_UNIT_ADF) {
        used->double_feed = SCAN_DOUBLE_FEED_AUTO;
        used->slow_feed = false;
        used->page_limit = 0;
        return;
    }
    resolve_switch(&used->slow_feed, offer->adf.slow, "slow_feed", "feed slowly", notes);
    if (wanted == SCAN_DOUBLE_FEED_AUTO || wanted == SCAN_DOUBLE_FEED_OFF ||
        offer->adf.double_feed[wanted])
        return;
    used->double_feed = wanted == SCAN_DOUBLE_FEED_THIN &&
                                offer->adf.double_feed[SCAN_DOUBLE_FEED_STANDARD]
                            ? SCAN_DOUBLE_FEED_STANDARD
                            : SCAN_DOUBLE_FEED_AUTO;
    if (used->double_feed == SCAN_DOUBLE_FEED_STANDARD)
        scan_note(notes, "double_feed", "thin asked, %sstandard%s.", before_nearest(used),
                  behind_nearest(used));
    else
        scan_note(notes, "double_feed", "The device does not notice two sheets at once%s.",
                  offer->adf.double_feed[SCAN_DOUBLE_FEED_THIN] ? " by this detector" : "");
}

static void resolve_tone(const DeviceOffer *offer, ScanSettings *used, ScanNotes *notes)
{
    if (!offer->tables && used->gamma != 0) {
        used->gamma = 0;
        scan_note(notes, "gamma", "The device takes no gamma%s.",
                  instead(used, "; its own is used"));
    }
    if (offer->tables || offer->brightness_contrast)
        return;
    if (used->brightness != 0)
        scan_note(notes, "brightness", "The device cannot set the brightness.");
    if (used->contrast != 0)
        scan_note(notes, "contrast", "The device cannot set the contrast.");
    used->brightness = used->contrast = 0;
}

static void resolve_edges(const DeviceOffer *offer, ScanSettings *used, ScanNotes *notes)
{
    bool offered = used->edge_fill == SCAN_EDGE_WHITE ? offer->edge_white : offer->edge_black;

    if (used->edge_fill == SCAN_EDGE_OFF || offered)
        return;
    scan_note(notes, "edge_fill", "The device cannot fill the edges in %s.",
              scan_edge_words[used->edge_fill]);
    used->edge_fill = SCAN_EDGE_OFF;
}

void scan_settings_resolve(const DeviceOffer *offer, ScanUnit unit, const ScanSettings *wanted,
                           ScanUsed *ret_used, ScanNotes *notes)
{
    const OfferSource *source = unit == SCAN_UNIT_ADF ? &offer->adf : &offer->flatbed;
    ScanUsed used = { .settings = *wanted };

    resolve_dpi(source, &used.settings, notes);
    resolve_color(offer, &used.settings, notes);
    resolve_drop_out(offer, &used.settings, notes);
    resolve_numbers(offer, &used.settings, notes);
    resolve_sides(source, unit, &used.settings, notes);
    resolve_paper(source, wanted, &used, notes);
    resolve_crop(offer, source, &used.settings, notes);
    resolve_feeding(offer, unit, &used.settings, notes);
    resolve_tone(offer, &used.settings, notes);
    resolve_edges(offer, &used.settings, notes);
    *ret_used = used;
}
