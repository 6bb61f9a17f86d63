/* model/quirks.h - what single models do otherwise than they say, or than the others: rows that a file can add.
 *
 * A row is found by the product that a device tells and the beginning of its firmware. What an administrator has set
 * of a device stands above every row, and a row above what the device says itself. The rows that come with the program
 * are src/server/quirks.yaml; server/quirks-file.h reads them and those of the administrator. Pure. */
#ifndef PLATEN_MODEL_QUIRKS_H
#define PLATEN_MODEL_QUIRKS_H

#include "base/field.h"
#include "model/device.h"
#include "model/raw-page.h"

enum { QUIRKS_MAX = 256, QUIRK_WHY_SIZE = 400, QUIRK_BLOCK_KIB_MAX = 1024 };

typedef enum QuirkOrder { QUIRK_ORDER_AUTO, QUIRK_ORDER_FIRST, QUIRK_ORDER_LAST } QuirkOrder;
typedef enum QuirkFormat { QUIRK_FORMAT_AUTO, QUIRK_FORMAT_JPEG, QUIRK_FORMAT_RAW } QuirkFormat;
typedef enum QuirkPixels { QUIRK_PIXELS_AUTO, QUIRK_PIXELS_RGB, QUIRK_PIXELS_GBR } QuirkPixels;

/* One row. 0 of each number is "as it is without". */
typedef struct Quirk {
    char model[PRODUCT_TEXT_SIZE]; /* "PID 08C8"; "PID 08*": all that begin so */
    char firmware[64];             /* the beginning of it, "" = every one      */
    char why[QUIRK_WHY_SIZE];      /* who saw it, and where                    */
    int64_t pixel_order;   /* QuirkPixels: three bytes a pixel of raw lines                 */
    int64_t back_rotation; /* DeviceBackRotation                                            */
    int64_t first_sheet;   /* QuirkOrder: which sheet of the stack comes first              */
    int64_t format;        /* QuirkFormat: the only one to be asked of what it offers       */
    int64_t block_kib;     /* largest image block to be asked of it                         */
    int64_t transport;     /* DeviceTransport                                               */
    int64_t registration;  /* DeviceRegistration                                            */
} Quirk;

/* The file's table. */
extern const Field quirk_fields[];

/* Rows in the order in which they count: of each setting the first that has one. */
typedef struct QuirkBook {
    size_t count;
    Quirk rows[QUIRKS_MAX];
} QuirkBook;

/* True when the row is about a device that says this. */
bool quirk_is_of(const Quirk *quirk, const char *product, const char *firmware);

/* Everything that the book says of such a device, in one row whose model, firmware and why are "". book NULL: nothing. */
void quirks_of(const QuirkBook *book, const char *product, const char *firmware, Quirk *ret_quirk);

/* What the table cannot say: a row of a model, with a reason and at least one setting, that is not in the book yet.
 * ERR_BAD_INPUT, with the field. */
bool quirk_check(const QuirkBook *book, const Quirk *quirk, Err *err);

/* What is in force for a device: as it is set, else as the book says. */
DeviceTransport device_transport(const QuirkBook *book, const Device *device);
DeviceRegistration device_registration(const QuirkBook *book, const Device *device);

#endif
