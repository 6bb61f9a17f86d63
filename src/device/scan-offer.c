/* device/scan-offer.c - see scan-offer.h. */
#include "device/scan-offer.h"

#include "base/cleanup.h"

static uint32_t larger(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

static int32_t largest_of(const Esci2Numbers *numbers)
{
    int32_t most = 0;

    for (size_t i = 0; i < numbers->count; i++)
        if (numbers->value[i] > most)
            most = numbers->value[i];
    return most;
}

/* The dpi of both directions: the main list, without what the other direction lacks and without what is above the
 * optical resolution and above the unit's own list (RSMS). That one has what the sensor does, not all that can be had:
 * an FF-680W lists 300 and 600, and Epson's driver was seen to scan from it with 200. */
static void offer_dpi(const Esci2Source *from, const Esci2Numbers *own, const Esci2Capa *capa,
                      OfferSource *to)
{
    const Esci2Numbers *offer = capa->dpi_main.count > 0 ? &capa->dpi_main : own;
    int32_t max = from->optical_dpi > 0 && from->optical_dpi <= INT32_MAX
                      ? (int32_t)from->optical_dpi
                      : INT32_MAX;
    int32_t own_max = largest_of(own);

    if (own_max > 0 && own_max < max)
        max = own_max;

    to->dpi_range = offer->range && offer->count == 2;
    for (int both = 1; both >= 0 && to->dpi_count == 0; both--)
        for (size_t i = 0; i < offer->count && to->dpi_count < OFFER_DPI_MAX; i++) {
            int32_t value = offer->value[i];

            if (to->dpi_range && value > max)
                value = max;
            if (value > 0 && value <= max &&
                (to->dpi_range || !both || capa->dpi_sub.count == 0 ||
                 esci2_numbers_have(&capa->dpi_sub, value)))
                to->dpi[to->dpi_count++] = value;
        }
    if (to->dpi_range && to->dpi_count != 2)
        to->dpi_range = false;
}

static void offer_source(const Esci2Source *from, const Esci2Words *options,
                         const Esci2Numbers *own_dpi, const Esci2Capa *capa, OfferSource *to)
{
    to->present = from->present;
    if (!from->present)
        return;
    to->two_sided = esci2_words_have(options, "DPLX");
    to->width = from->width;
    /* The longest original is longer than the area that is scanned when nothing is said. */
    to->height = larger(from->height, from->max_height);
    to->min_width = from->min_width;
    to->min_height = from->min_height;
    to->crop = esci2_words_have(options, "CRP");
    to->deskew = esci2_words_have(options, "SKEW");
    to->slow = esci2_words_have(options, "SLOW");
    to->double_feed[SCAN_DOUBLE_FEED_STANDARD] = esci2_words_have(options, "DFL1");
    to->double_feed[SCAN_DOUBLE_FEED_THIN] = esci2_words_have(options, "DFL2") ||
                                             esci2_words_have(options, "DFL3");
    offer_dpi(from, own_dpi, capa, to);
}

/* The ends of a range or list; not offered: min above max. */
static OfferRange range_of(const Esci2Numbers *numbers)
{
    OfferRange range = { 1, 0 };

    for (size_t i = 0; i < numbers->count; i++) {
        if (i == 0 || numbers->value[i] < range.min)
            range.min = numbers->value[i];
        if (i == 0 || numbers->value[i] > range.max)
            range.max = numbers->value[i];
    }
    return range;
}

static void offer_colors(const Esci2Capa *capa, DeviceOffer *to)
{
    static const char *const gray[SCAN_DROP_OUT_MAX_] = { "", "R008", "G008", "B008" };
    static const char *const bw[SCAN_DROP_OUT_MAX_] = { "", "R001", "G001", "B001" };
    bool unknown = capa->colors.count == 0;

    to->color[SCAN_COLOR_COLOR] = unknown || esci2_words_have(&capa->colors, "C024");
    to->color[SCAN_COLOR_GRAY] = unknown || esci2_words_have(&capa->colors, "M008");
    to->color[SCAN_COLOR_BW] = esci2_words_have(&capa->colors, "M001");
    for (size_t i = SCAN_DROP_OUT_NONE + 1; i < SCAN_DROP_OUT_MAX_; i++) {
        to->drop_out_gray[i] = esci2_words_have(&capa->colors, gray[i]);
        to->drop_out_bw[i] = esci2_words_have(&capa->colors, bw[i]);
    }
}

void scan_offer(const Esci2Info *info, const Esci2Capa *capa, DeviceOffer *ret_offer)
{
    DeviceOffer offer = { .jpeg = esci2_words_have(&capa->formats, "JPG"),
                          .raw = esci2_words_have(&capa->formats, "RAW"),
                          .jpeg_quality = range_of(&capa->jpeg_quality),
                          .threshold = range_of(&capa->threshold),
                          .crop_margin = range_of(&capa->crop_margin),
                          .edge_white = esci2_words_have(&capa->fill_colors, "WH"),
                          .edge_black = esci2_words_have(&capa->fill_colors, "BK"),
                          .quiet = esci2_words_have(&capa->quiet, "ON") };

    offer_source(&info->adf, &capa->adf, &capa->adf_dpi, capa, &offer.adf);
    offer_source(&info->flatbed, &capa->flatbed, &capa->flatbed_dpi, capa, &offer.flatbed);
    offer_colors(capa, &offer);
    offer.tables = esci2_words_have(&capa->gamma_tables, "RED") &&
                   esci2_words_have(&capa->gamma_tables, "GRN") &&
                   esci2_words_have(&capa->gamma_tables, "BLU");
    offer.brightness_contrast = capa->brightness.range && capa->contrast.range;
    *ret_offer = offer;
}

void scan_offer_spare(DeviceOffer *offer)
{
    OfferSource *const sources[] = { &offer->adf, &offer->flatbed };

    for (size_t i = 0; i < COUNT_OF(sources); i++) {
        sources[i]->crop = sources[i]->deskew = sources[i]->slow = false;
        sources[i]->double_feed[SCAN_DOUBLE_FEED_STANDARD] = false;
        sources[i]->double_feed[SCAN_DOUBLE_FEED_THIN] = false;
    }
    offer->crop_margin = (OfferRange){ 1, 0 };
    offer->tables = offer->brightness_contrast = false;
    offer->edge_white = offer->edge_black = false;
    offer->quiet = false;
}
