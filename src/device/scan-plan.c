/* device/scan-plan.c - the rules of device/scan-plan.h. */
#include "device/scan-plan.h"

#include "base/text.h"
#include "device/scan-offer.h"
#include "device/scan-reason.h"
#include "device/scan-tone.h"

enum {
    UNITS_PER_INCH = 100,
    WIDTH_STEP_PX = 8, /* devices deliver lines of whole bytes; SANE rounds so, too */
    DEFAULT_DPI = 300,
    QUALITY_MAX = 100,
    PAGES_TOKEN_MAX = 999, /* #PAG has three digits */
    MM_X10_PER_INCH = 254,
    HUNDREDTHS = 1000, /* mm * 1000 / 254 = 1/100 inch */
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

/* Where a page of this size lies, in pixels. Width and height 0: the whole area. */
static void plan_area(const Esci2Source *source, const ScanUsed *used, Esci2Para *para)
{
    int64_t dpi = para->dpi_main;
    int64_t area = (int64_t)source->width * dpi / UNITS_PER_INCH;
    int64_t width = used->width > 0 ? (int64_t)used->width * dpi / UNITS_PER_INCH : area;
    int64_t height = (int64_t)(used->height > 0 ? used->height : source->height) * dpi /
                     UNITS_PER_INCH;

    if (width < WIDTH_STEP_PX || height < 1 || width > INT32_MAX || height > INT32_MAX)
        return; /* the device then scans its own default area */
    para->has_area = true;
    para->x_px = para->y_px = 0;
    para->width_px = (int32_t)(width - width % WIDTH_STEP_PX);
    para->height_px = (int32_t)height;
    if (source->align == ESCI2_ALIGN_CENTRE)
        para->x_px = (int32_t)(area - para->width_px) / 2;
    else if (source->align == ESCI2_ALIGN_RIGHT)
        para->x_px = (int32_t)(area - para->width_px);
    if (para->x_px < 0)
        para->x_px = 0; /* a size that is wanted of a device that does not tell its own */
}

static bool set_if_offered(char word[ESCI2_WORD_SIZE], const Esci2Words *offer, const char *wanted)
{
    return esci2_words_have(offer, wanted) && text_copy(word, ESCI2_WORD_SIZE, wanted);
}

static const char *color_word(const ScanSettings *s)
{
    static const char *const plain[SCAN_COLOR_MAX_] = { "C024", "M008", "M001" };
    static const char *const dropped[2][SCAN_DROP_OUT_MAX_] = { { "", "R008", "G008", "B008" },
                                                                { "", "R001", "G001", "B001" } };

    return s->drop_out == SCAN_DROP_OUT_NONE ? plain[s->color]
                                             : dropped[s->color == SCAN_COLOR_BW][s->drop_out];
}

/* The form of the pages: 1 bit comes as lines only, all else as JPEG where there is JPEG. */
static bool plan_format(const Esci2Capa *capa, const ScanSettings *s, Esci2Para *para)
{
    bool known = set_if_offered(para->color, &capa->colors, color_word(s));

    if (s->color != SCAN_COLOR_BW && set_if_offered(para->format, &capa->formats, "JPG")) {
        if (capa->jpeg_quality.count > 0)
            para->jpeg_quality = (int32_t)s->jpeg_quality;
        return true;
    }
    /* Lines can be read only when it is sure what they hold. */
    return known && set_if_offered(para->format, &capa->formats, "RAW");
}

static void add_option(Esci2Para *para, const Esci2Words *offer, const char *word)
{
    if (esci2_words_have(offer, word) && !esci2_words_have(&para->options, word))
        (void)esci2_words_add(&para->options, word);
}

static void plan_double_feed(const Esci2Capa *capa, const ScanSettings *s, bool spare,
                             Esci2Para *para)
{
    bool two = s->sides == SCAN_SIDES_TWO;

    if (s->double_feed == SCAN_DOUBLE_FEED_OFF && !spare)
        add_option(para, &capa->adf, "DFL0");
    /* SANE notes that some feeders take two sides only with double-feed detection. */
    if (s->double_feed == SCAN_DOUBLE_FEED_STANDARD ||
        (s->double_feed == SCAN_DOUBLE_FEED_AUTO && two && !spare))
        add_option(para, &capa->adf, "DFL1");
    if (s->double_feed == SCAN_DOUBLE_FEED_THIN)
        add_option(para, &capa->adf, esci2_words_have(&capa->adf, "DFL2") ? "DFL2" : "DFL3");
}

/* The words behind the source. */
static void plan_options(const Esci2Capa *capa, ScanUnit unit, const ScanSettings *s, bool spare,
                         Esci2Para *para)
{
    const Esci2Words *offer = unit == SCAN_UNIT_ADF ? &capa->adf : &capa->flatbed;

    if (s->crop)
        add_option(para, offer, "CRP");
    if (s->deskew)
        add_option(para, offer, "SKEW");
    if (unit == SCAN_UNIT_FLATBED)
        return;
    if (s->sides == SCAN_SIDES_TWO)
        add_option(para, offer, "DPLX");
    plan_double_feed(capa, s, spare, para);
    if (s->slow_feed)
        add_option(para, offer, "SLOW");
}

static int32_t of_mm(int64_t mm)
{
    return (int32_t)(mm * HUNDREDTHS / MM_X10_PER_INCH);
}

static void plan_edges(const ScanSettings *s, Esci2Para *para)
{
    const uint32_t widths[ESCI2_FILL_SIDES] = { s->edge_left_mm, s->edge_right_mm, s->edge_top_mm,
                                                s->edge_bottom_mm };

    if (s->edge_fill == SCAN_EDGE_OFF)
        return;
    para->has_fill = true;
    (void)text_copy(para->fill_color, sizeof para->fill_color,
                    s->edge_fill == SCAN_EDGE_WHITE ? "WH" : "BK");
    for (size_t i = 0; i < ESCI2_FILL_SIDES; i++)
        para->fill[i] = of_mm(widths[i]);
}

/* Of the feeder: the device counts pictures and wants whole sheets. 0 = until it is empty. */
static int32_t plan_pages(const ScanSettings *s)
{
    uint32_t pages = s->sides == SCAN_SIDES_TWO ? s->page_limit + s->page_limit % 2 : s->page_limit;

    return pages <= PAGES_TOKEN_MAX ? (int32_t)pages : 0;
}

/* What a device could do without. */
static void plan_rest(const Esci2Capa *capa, const ScanSettings *s, Esci2Para *para)
{
    if (s->color != SCAN_COLOR_BW) /* 1 bit is cut from linear values */
        (void)set_if_offered(para->gamma, &capa->gamma, "UG18");
    if (para->gamma[0] == '\0')
        (void)set_if_offered(para->gamma, &capa->gamma, "UG10");
    if (!s->quiet || !set_if_offered(para->quiet, &capa->quiet, "ON"))
        (void)set_if_offered(para->quiet, &capa->quiet, "OFF");
    (void)set_if_offered(para->color_counter, &capa->color_counter, "COL");
    (void)set_if_offered(para->card, &capa->card, "OFF");
    if (s->crop && s->crop_margin_mm != 0 && capa->crop_margin.count > 0)
        para->crop_margin = of_mm(s->crop_margin_mm);
    scan_tone_plan(capa, s, para);
    plan_edges(s, para);
}

/* The order with numbers that a device can be asked for at all. */
static ScanSettings sane_order(const ScanOrder *order)
{
    ScanSettings s = *order;

    if (s.dpi == 0 || s.dpi > UINT16_MAX)
        s.dpi = DEFAULT_DPI;
    if (s.jpeg_quality > QUALITY_MAX)
        s.jpeg_quality = QUALITY_MAX;
    return s;
}

bool scan_plan_para(const Esci2Info *info, const Esci2Capa *capa, const ScanOrder *order,
                    ScanUnit unit, bool spare, Esci2Para *ret_para, ScanNotes *ret_notes,
                    Reason *ret_reason)
{
    const Esci2Source *source = unit == SCAN_UNIT_ADF ? &info->adf : &info->flatbed;
    Esci2Para para = ESCI2_PARA_NOTHING;
    ScanSettings wanted = sane_order(order);
    ScanNotes notes = { 0 };
    DeviceOffer offer;
    ScanUsed used;

    if (spare) {
        Esci2Capa narrow = *capa;
        const Esci2Numbers *own = unit == SCAN_UNIT_ADF ? &capa->adf_dpi : &capa->flatbed_dpi;

        if (own->count > 0)
            narrow.dpi_main = *own; /* what the sensor does by itself */
        scan_offer(info, &narrow, &offer);
        scan_offer_spare(&offer);
    } else {
        scan_offer(info, capa, &offer);
    }
    scan_settings_resolve(&offer, unit, &wanted, &used, &notes);
    *ret_notes = notes;
    if (!plan_format(capa, &used.settings, &para))
        return refuse(ret_reason, "format-not-offered", "");
    if (order->strict && notes.count > 0) {
        *ret_reason = scan_reason_of_notes(&notes);
        return false;
    }
    (void)text_copy(para.source, sizeof para.source, unit == SCAN_UNIT_ADF ? "ADF" : "FB");
    para.dpi_main = para.dpi_sub = (int32_t)used.settings.dpi;
    if (used.settings.color == SCAN_COLOR_BW && capa->threshold.count > 0)
        para.threshold = (int32_t)used.settings.threshold;
    if (unit == SCAN_UNIT_ADF)
        para.pages = plan_pages(&used.settings);
    plan_options(capa, unit, &used.settings, spare, &para);
    plan_area(source, &used, &para);
    para.block_bytes = ESCI2_IMAGE_BLOCK_MAX;
    if (!spare)
        plan_rest(capa, &used.settings, &para);
    *ret_para = para;
    return true;
}
