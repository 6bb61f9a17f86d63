/* device/scan-plan.c - the rules of device/scan-plan.h. */
#include "device/scan-plan.h"

#include "base/text.h"
#include "device/scan-reason.h"

#include <stdlib.h>

enum {
    UNITS_PER_INCH = 100,
    WIDTH_STEP_PX = 8, /* devices deliver lines of whole bytes; SANE rounds so, too */
    DEFAULT_DPI = 300,
    QUALITY_MAX = 100,
};

static bool refuse(Reason *ret_reason, const char *code, const char *detail)
{
    *ret_reason = scan_reason(code, detail);
    return false;
}

/* The first error that STAT reports for the part, other than "paper empty" if that is wanted. */
static const Esci2Error *error_of(const Esci2Stat *stat, const char *part, bool with_empty)
{
    for (size_t i = 0; i < stat->error_count; i++)
        if (esci2_word_is(stat->errors[i].part, part) &&
            (with_empty || !esci2_word_is(stat->errors[i].cause, "PE")))
            return &stat->errors[i];
    return NULL;
}

bool scan_plan_unit(const Esci2Info *info, const Esci2Stat *stat, ScanSource wanted,
                    ScanUnit *ret_unit, Reason *ret_reason)
{
    bool adf = info->adf.present && wanted != SCAN_SOURCE_FLATBED;
    bool flatbed = info->flatbed.present && wanted != SCAN_SOURCE_ADF;

    if (!adf && !flatbed)
        return refuse(ret_reason, "source-missing", "");
    if (adf && flatbed && esci2_stat_has(stat, "ADF", "PE"))
        adf = false; /* an empty feeder means the glass */
    const Esci2Error *error = error_of(stat, adf ? "ADF" : "FB", true);
    if (error) {
        *ret_reason = scan_reason_of_error(error);
        return false;
    }
    *ret_unit = adf ? SCAN_UNIT_ADF : SCAN_UNIT_FLATBED;
    return true;
}

static int32_t clamped(int32_t value, const Esci2Numbers *range)
{
    if (!range->range)
        return value;
    if (value < range->value[0])
        return range->value[0];
    return value > range->value[1] ? range->value[1] : value;
}

/* The number of a list or range that is nearest to wanted and not above max (0 = no maximum);
 * of two that are equally near the larger one. wanted itself when nothing is offered. */
static int32_t nearest(const Esci2Numbers *offer, int32_t wanted, int32_t max)
{
    int32_t best = 0;

    if (offer->range)
        wanted = clamped(wanted, offer);
    for (size_t i = 0; !offer->range && i < offer->count; i++) {
        int32_t value = offer->value[i];
        int32_t gain = abs(best - wanted) - abs(value - wanted);

        if (value > 0 && (max == 0 || value <= max) &&
            (best == 0 || gain > 0 || (gain == 0 && value > best)))
            best = value;
    }
    if (best == 0)
        best = max > 0 && wanted > max ? max : wanted;
    return best;
}

/* The dpi of both directions: the nearest of the unit's own list that both directions offer. */
static int32_t plan_dpi(const Esci2Info *info, const Esci2Capa *capa, int32_t wanted, ScanUnit unit)
{
    const Esci2Source *source = unit == SCAN_UNIT_ADF ? &info->adf : &info->flatbed;
    const Esci2Numbers *own = unit == SCAN_UNIT_ADF ? &capa->adf_dpi : &capa->flatbed_dpi;
    const Esci2Numbers *offer = own->count > 0 ? own : &capa->dpi_main;
    Esci2Numbers both = *offer;
    int32_t max = source->optical_dpi <= INT32_MAX ? (int32_t)source->optical_dpi : 0;

    both.count = 0;
    for (size_t i = 0; i < offer->count; i++)
        if (offer->range || capa->dpi_sub.count == 0 ||
            esci2_numbers_have(&capa->dpi_sub, offer->value[i]))
            both.value[both.count++] = offer->value[i];
    return nearest(both.count > 0 ? &both : offer, wanted, max);
}

static void plan_area(const Esci2Source *source, int32_t dpi, Esci2Para *para)
{
    int64_t width = (int64_t)source->width * dpi / UNITS_PER_INCH;
    int64_t height = (int64_t)source->height * dpi / UNITS_PER_INCH;

    if (width < WIDTH_STEP_PX || height < 1 || width > INT32_MAX || height > INT32_MAX)
        return; /* the device then scans its own default area */
    para->has_area = true;
    para->x_px = para->y_px = 0;
    para->width_px = (int32_t)(width - width % WIDTH_STEP_PX);
    para->height_px = (int32_t)height;
    /* The whole area is asked for, so only the rounding is left to be aligned. */
    if (source->align == ESCI2_ALIGN_CENTRE)
        para->x_px = (int32_t)(width - para->width_px) / 2;
    else if (source->align == ESCI2_ALIGN_RIGHT)
        para->x_px = (int32_t)(width - para->width_px);
}

static void set_if_offered(char word[ESCI2_WORD_SIZE], const Esci2Words *offer, const char *wanted)
{
    if (esci2_words_have(offer, wanted))
        (void)text_copy(word, ESCI2_WORD_SIZE, wanted);
}

static const char *const color_words[] = {
    [SCAN_COLOR_COLOR] = "C024",
    [SCAN_COLOR_GRAY] = "M008",
    [SCAN_COLOR_BW] = "M001",
};

static bool is_one_bit(const char *color)
{
    return esci2_word_is(color, "M001");
}

/* The colour, or its nearest, and the form in which it can be had: 1 bit comes as lines only, all else as JPEG
 * where there is JPEG. Black and white that cannot be had is grey. */
static bool plan_format(const Esci2Capa *capa, const char **color, Esci2Para *para)
{
    bool raw = esci2_words_have(&capa->formats, "RAW");
    bool jpeg = esci2_words_have(&capa->formats, "JPG");

    if (is_one_bit(*color) && !raw)
        *color = "M008";
    if (!esci2_words_have(&capa->colors, *color) && is_one_bit(*color))
        *color = "M008";
    if (!esci2_words_have(&capa->colors, *color))
        *color = esci2_words_have(&capa->colors, "C024") ? "C024" : "M008";
    if (jpeg && !is_one_bit(*color))
        return text_copy(para->format, sizeof para->format, "JPG");
    /* Lines can be read only when it is sure what they hold. */
    return raw && esci2_words_have(&capa->colors, *color) &&
           text_copy(para->format, sizeof para->format, "RAW");
}

/* SANE notes that some feeders take two sides only with double-feed detection. */
static void plan_two_sides(const Esci2Capa *capa, bool spare, Esci2Para *para)
{
    if (!esci2_words_have(&capa->adf, "DPLX"))
        return; /* a feeder of one side: its nearest */
    (void)esci2_words_add(&para->options, "DPLX");
    if (!spare && esci2_words_have(&capa->adf, "DFL1") && !esci2_words_have(&para->options, "DFL1"))
        (void)esci2_words_add(&para->options, "DFL1");
}

bool scan_plan_para(const Esci2Info *info, const Esci2Capa *capa, const ScanOrder *order,
                    ScanUnit unit, bool spare, Esci2Para *ret_para, Reason *ret_reason)
{
    Esci2Para para = ESCI2_PARA_NOTHING;
    bool adf = unit == SCAN_UNIT_ADF;
    const char *color = color_words[order->color];
    int32_t wanted = order->dpi > 0 && order->dpi <= UINT16_MAX ? (int32_t)order->dpi : DEFAULT_DPI;

    uint32_t quality = order->jpeg_quality < QUALITY_MAX ? order->jpeg_quality : QUALITY_MAX;

    if (!plan_format(capa, &color, &para))
        return refuse(ret_reason, "format-not-offered", "");
    (void)text_copy(para.source, sizeof para.source, adf ? "ADF" : "FB");
    para.dpi_main = para.dpi_sub = plan_dpi(info, capa, wanted, unit);
    set_if_offered(para.color, &capa->colors, color);
    if (capa->jpeg_quality.count > 0 && esci2_word_is(para.format, "JPG"))
        para.jpeg_quality = clamped((int32_t)quality, &capa->jpeg_quality);
    if (adf)
        para.pages = 0; /* until the feeder is empty */
    if (adf && order->sides == SCAN_SIDES_TWO)
        plan_two_sides(capa, spare, &para);
    plan_area(adf ? &info->adf : &info->flatbed, para.dpi_main, &para);
    para.block_bytes = ESCI2_IMAGE_BLOCK_MAX;
    if (!spare) {
        if (!is_one_bit(color)) /* 1 bit is cut from linear values */
            set_if_offered(para.gamma, &capa->gamma, "UG18");
        if (para.gamma[0] == '\0')
            set_if_offered(para.gamma, &capa->gamma, "UG10");
        set_if_offered(para.quiet, &capa->quiet, "OFF");
        set_if_offered(para.color_counter, &capa->color_counter, "COL");
        set_if_offered(para.card, &capa->card, "OFF");
    }
    *ret_para = para;
    return true;
}
