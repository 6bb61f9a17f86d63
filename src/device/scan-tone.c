/* device/scan-tone.c - see scan-tone.h. */
#include "device/scan-tone.h"

#include "base/cleanup.h"
#include "base/text.h"

#include <math.h>

static const double top = ESCI2_TABLE_SIZE - 1, strongest = 2.2;

static double within(double value)
{
    return value < 0 ? 0 : value > 1 ? 1 : value;
}

void scan_tone_table(int32_t brightness, int32_t contrast, int32_t gamma,
                     uint8_t ret_table[ESCI2_TABLE_SIZE])
{
    double steepness = contrast >= 0 ? 1 + contrast / 50.0 : 1 + contrast / 125.0;
    double exponent = pow(strongest, -gamma / 100.0);

    for (int i = 0; i < ESCI2_TABLE_SIZE; i++) {
        double value = within((i / top - 0.5) * steepness + 0.5 + brightness / 200.0);

        ret_table[i] = (uint8_t)(pow(value, exponent) * top + 0.5);
    }
}

/* -100..100 stretched over a range, 0 onto its middle. */
static int32_t stretched(int32_t value, const Esci2Numbers *range)
{
    int32_t middle = (range->value[0] + range->value[1]) / 2;
    int32_t half = value < 0 ? middle - range->value[0] : range->value[1] - middle;

    return middle + value * half / 100;
}

void scan_tone_plan(const Esci2Capa *capa, const ScanSettings *s, Esci2Para *para)
{
    static const char *const of_color[] = { "RED", "GRN", "BLU" }, *const of_gray[] = { "MONO" };
    bool mono = s->color != SCAN_COLOR_COLOR && esci2_words_have(&capa->gamma_tables, "MONO");
    const char *const *channels = mono ? of_gray : of_color;
    size_t count = mono ? COUNT_OF(of_gray) : COUNT_OF(of_color);
    bool own = capa->brightness.range && capa->contrast.range;
    int32_t brightness = own ? 0 : s->brightness, contrast = own ? 0 : s->contrast;

    if (own && (s->brightness != 0 || s->contrast != 0)) {
        para->brightness = stretched(s->brightness, &capa->brightness);
        para->contrast = stretched(s->contrast, &capa->contrast);
    }
    if (brightness == 0 && contrast == 0 && s->gamma == 0)
        return;
    for (size_t i = 0; i < count; i++) {
        if (!esci2_words_have(&capa->gamma_tables, channels[i]))
            continue;
        Esci2Table *table = &para->tables[para->table_count++];

        (void)text_copy(table->channel, sizeof table->channel, channels[i]);
        scan_tone_table(brightness, contrast, s->gamma, table->value);
    }
}
