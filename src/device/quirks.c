/* device/quirks.c - the table of device/quirks.h. */
#include "device/quirks.h"

#include "base/cleanup.h"
#include "base/text.h"

/* SANE's epson2 takes red, green, blue of every device. */
static const Quirks preset = { .product = NULL, .pixel_order = RAW_ORDER_RGB };

static const Quirks table[] = {
    /* WF-3620: the author of epson2paperless found green, blue, red in a capture of a known page (scanned by
     * Epson's own driver, 600 dpi colour). No other device of this kind was looked at so closely. */
    { .product = "PID 08C8", .pixel_order = RAW_ORDER_GBR },
};

const Quirks *quirks_of(const char *product)
{
    for (size_t i = 0; i < COUNT_OF(table); i++)
        if (text_equal(table[i].product, product))
            return &table[i];
    return &preset;
}
