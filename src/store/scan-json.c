/* store/scan-json.c - see scan-json.h. */
#include "store/scan-json.h"

#include "base/cleanup.h"
#include "base/text.h"

enum { MM_X10_PER_INCH = 254, HUNDREDTHS = 1000 };

static int64_t to_mm(int64_t hundredths)
{
    int64_t half = hundredths < 0 ? -HUNDREDTHS / 2 : HUNDREDTHS / 2;

    return (hundredths * MM_X10_PER_INCH + half) / HUNDREDTHS;
}

static int64_t of_mm(int64_t mm)
{
    int64_t half = mm < 0 ? -MM_X10_PER_INCH / 2 : MM_X10_PER_INCH / 2;

    return (mm * HUNDREDTHS + half) / MM_X10_PER_INCH;
}

/* --- offers ------------------------------------------------------------------------------------- */

/* The words whose flag is set. */
static Json *words_json(const char *const *words, const bool *flags)
{
    Json *array = json_new_array();

    for (size_t i = 0; words[i]; i++)
        if (flags[i])
            json_add_text(array, words[i]);
    return array;
}

static void words_read(const Json *array, const char *const *words, bool *ret_flags)
{
    for (size_t i = 0; words[i]; i++)
        for (size_t j = 0; j < json_count(array); j++)
            if (text_equal(json_text(json_item(array, j)), words[i]))
                ret_flags[i] = true;
}

static void set_range(Json *object, const char *name, OfferRange range)
{
    Json *json = json_new_object();

    if (range.min > range.max) {
        json_free(json);
        return;
    }
    json_set_int(json, "min", range.min);
    json_set_int(json, "max", range.max);
    json_set_take(object, name, json);
}

static OfferRange range_read(const Json *object, const char *name)
{
    const Json *json = json_get(object, name);

    return (OfferRange){ (int32_t)json_get_int(json, "min", 1),
                         (int32_t)json_get_int(json, "max", 0) };
}

static Json *source_json(const OfferSource *source)
{
    Json *json = json_new_object();

    json_set_int(json, "sides", source->two_sided ? 2 : 1);
    json_set_int(json, "width_mm", to_mm(source->width));
    json_set_int(json, "height_mm", to_mm(source->height));
    json_set_int(json, "min_width_mm", to_mm(source->min_width));
    json_set_int(json, "min_height_mm", to_mm(source->min_height));
    if (source->dpi_range) {
        set_range(json, "dpi_range", (OfferRange){ source->dpi[0], source->dpi[1] });
    } else {
        Json *list = json_new_array();

        for (uint32_t i = 0; i < source->dpi_count; i++)
            json_add_int(list, source->dpi[i]);
        json_set_take(json, "dpi", list);
    }
    json_set_bool(json, "crop", source->crop);
    json_set_bool(json, "deskew", source->deskew);
    json_set_bool(json, "slow_feed", source->slow);
    json_set_take(json, "double_feed", words_json(scan_double_feed_words, source->double_feed));
    return json;
}

static void source_read(const Json *json, OfferSource *ret_source)
{
    OfferSource source = { .present = json_kind(json) == JSON_OBJ };
    const Json *list = json_get(json, "dpi");
    OfferRange range = range_read(json, "dpi_range");

    source.two_sided = json_get_int(json, "sides", 1) == 2;
    source.width = (uint32_t)of_mm(json_get_int(json, "width_mm", 0));
    source.height = (uint32_t)of_mm(json_get_int(json, "height_mm", 0));
    source.min_width = (uint32_t)of_mm(json_get_int(json, "min_width_mm", 0));
    source.min_height = (uint32_t)of_mm(json_get_int(json, "min_height_mm", 0));
    source.dpi_range = range.min <= range.max;
    if (source.dpi_range) {
        source.dpi[source.dpi_count++] = range.min;
        source.dpi[source.dpi_count++] = range.max;
    }
    for (size_t i = 0; i < json_count(list) && source.dpi_count < OFFER_DPI_MAX; i++)
        source.dpi[source.dpi_count++] = (int32_t)json_int(json_item(list, i), 0);
    source.crop = json_get_bool(json, "crop", false);
    source.deskew = json_get_bool(json, "deskew", false);
    source.slow = json_get_bool(json, "slow_feed", false);
    words_read(json_get(json, "double_feed"), scan_double_feed_words, source.double_feed);
    *ret_source = source;
}

static const char *const format_words[] = { "jpeg", "raw", NULL };

bool offer_format(const DeviceOffer *offer, Buf *out, Err *err)
{
    AUTO(Json) json = json_new_object();
    const bool formats[] = { offer->jpeg, offer->raw };
    const bool edges[] = { false, offer->edge_white, offer->edge_black };

    if (offer->adf.present)
        json_set_take(json, "adf", source_json(&offer->adf));
    if (offer->flatbed.present)
        json_set_take(json, "flatbed", source_json(&offer->flatbed));
    json_set_take(json, "formats", words_json(format_words, formats));
    json_set_take(json, "colors", words_json(scan_color_words, offer->color));
    json_set_take(json, "drop_out_gray", words_json(scan_drop_out_words, offer->drop_out_gray));
    json_set_take(json, "drop_out_bw", words_json(scan_drop_out_words, offer->drop_out_bw));
    set_range(json, "jpeg_quality", offer->jpeg_quality);
    set_range(json, "threshold", offer->threshold);
    if (offer->crop_margin.min <= offer->crop_margin.max)
        set_range(json, "crop_margin_mm",
                  (OfferRange){ (int32_t)to_mm(offer->crop_margin.min),
                                (int32_t)to_mm(offer->crop_margin.max) });
    json_set_bool(json, "tone_tables", offer->tables);
    json_set_bool(json, "brightness_contrast", offer->brightness_contrast);
    json_set_take(json, "edge_fill", words_json(scan_edge_words, edges));
    json_set_bool(json, "quiet", offer->quiet);
    return json_write(json, out) ||
           err_set(err, ERR_TEMPORARY, 0, "no memory for what a device offers");
}

bool offer_parse(Bytes text, DeviceOffer *ret_offer)
{
    Err ignored;
    AUTO(Json) json = text.n > 0 ? json_parse(text, &ignored) : NULL;
    bool formats[COUNT_OF(format_words)] = { false }, edges[SCAN_EDGE_MAX_] = { false };
    DeviceOffer offer = { 0 };

    if (json_kind(json) != JSON_OBJ)
        return false;
    source_read(json_get(json, "adf"), &offer.adf);
    source_read(json_get(json, "flatbed"), &offer.flatbed);
    words_read(json_get(json, "formats"), format_words, formats);
    offer.jpeg = formats[0];
    offer.raw = formats[1];
    words_read(json_get(json, "colors"), scan_color_words, offer.color);
    words_read(json_get(json, "drop_out_gray"), scan_drop_out_words, offer.drop_out_gray);
    words_read(json_get(json, "drop_out_bw"), scan_drop_out_words, offer.drop_out_bw);
    offer.jpeg_quality = range_read(json, "jpeg_quality");
    offer.threshold = range_read(json, "threshold");
    offer.crop_margin = range_read(json, "crop_margin_mm");
    if (offer.crop_margin.min <= offer.crop_margin.max)
        offer.crop_margin = (OfferRange){ (int32_t)of_mm(offer.crop_margin.min),
                                          (int32_t)of_mm(offer.crop_margin.max) };
    offer.tables = json_get_bool(json, "tone_tables", false);
    offer.brightness_contrast = json_get_bool(json, "brightness_contrast", false);
    words_read(json_get(json, "edge_fill"), scan_edge_words, edges);
    offer.edge_white = edges[SCAN_EDGE_WHITE];
    offer.edge_black = edges[SCAN_EDGE_BLACK];
    offer.quiet = json_get_bool(json, "quiet", false);
    *ret_offer = offer;
    return true;
}

/* --- notes -------------------------------------------------------------------------------------- */

Json *notes_json(const ScanNotes *notes)
{
    Json *array = json_new_array();

    for (size_t i = 0; i < notes->count; i++) {
        Json *note = json_new_object();

        if (notes->note[i].setting[0])
            json_set_text(note, "setting", notes->note[i].setting);
        if (notes->note[i].warning[0])
            json_set_text(note, "warning", notes->note[i].warning);
        if (notes->note[i].page > 0)
            json_set_int(note, "page", notes->note[i].page);
        json_set_text(note, "text", notes->note[i].text);
        if (notes->note[i].remedy[0])
            json_set_text(note, "remedy", notes->note[i].remedy);
        json_add_take(array, note);
    }
    return array;
}

bool notes_format(const ScanNotes *notes, Buf *out, Err *err)
{
    AUTO(Json) array = notes_json(notes);

    return json_write(array, out) || err_set(err, ERR_TEMPORARY, 0, "no memory for notes");
}

void notes_read(const Json *array, ScanNotes *ret_notes)
{
    *ret_notes = (ScanNotes){ 0 };
    for (size_t i = 0; i < json_count(array) && i < SCAN_NOTES_MAX; i++) {
        const Json *item = json_item(array, i);
        ScanNote *note = &ret_notes->note[ret_notes->count++];

        (void)text_copy(note->setting, sizeof note->setting, json_get_text(item, "setting"));
        (void)text_copy(note->text, sizeof note->text, json_get_text(item, "text"));
        (void)text_copy(note->warning, sizeof note->warning, json_get_text(item, "warning"));
        (void)text_copy(note->remedy, sizeof note->remedy, json_get_text(item, "remedy"));
        note->page = (uint32_t)json_get_int(item, "page", 0);
    }
}

void notes_parse(Bytes text, ScanNotes *ret_notes)
{
    Err ignored;
    AUTO(Json) array = text.n > 0 ? json_parse(text, &ignored) : NULL;

    notes_read(array, ret_notes);
}
