/* device/quirks.h - what single models do otherwise than the others, and why we believe it. Pure.
 *
 * One table by the product id that the device tells. Whatever a device says itself needs no row here. */
#ifndef PLATEN_DEVICE_QUIRKS_H
#define PLATEN_DEVICE_QUIRKS_H

#include "model/raw-page.h"

typedef struct Quirks {
    const char *product;  /* "PID 08C8"; NULL: the preset */
    RawOrder pixel_order; /* of ESC/I colour 13: three bytes a pixel */
} Quirks;

/* The row of this product, or the preset. Never NULL, static. */
const Quirks *quirks_of(const char *product);

#endif
