/* model/quirks.c - see quirks.h. */
#include "model/quirks.h"

#include "base/cleanup.h"
#include "base/text.h"

#include <string.h>

static const char *const pixel_words[] = { "auto", "rgb", "gbr", NULL };
static const char *const order_words[] = { "auto", "first", "last", NULL };
static const char *const format_words[] = { "auto", "jpeg", "raw", NULL };

const Field quirk_fields[] = {
    TEXT(Quirk, model, true, "Product as the device tells it; a * at the end: all that begin so."),
    TEXT(Quirk, firmware, false, "Beginning of the firmware it tells; empty: every one."),
    TEXT(Quirk, why, true, "Who saw it, and where."),
    CHOICE(Quirk, pixel_order, pixel_words, QUIRK_PIXELS_AUTO,
           "Order of the bytes of a pixel in raw colour."),
    CHOICE(Quirk, back_rotation, device_back_rotation_words, DEVICE_BACK_AUTO,
           "Degrees by which back sides are turned."),
    CHOICE(Quirk, first_sheet, order_words, QUIRK_ORDER_AUTO,
           "Which sheet of the stack the feeder takes first."),
    CHOICE(Quirk, format, format_words, QUIRK_FORMAT_AUTO,
           "The only format to be asked, of those it offers."),
    INTEGER(Quirk, block_kib, 0, QUIRK_BLOCK_KIB_MAX, 0,
            "Largest block of image data to be asked, in KiB; 0: as usual."),
    CHOICE(Quirk, transport, device_transport_words, DEVICE_TRANSPORT_AUTO,
           "Whether its scan port speaks TLS."),
    CHOICE(Quirk, registration, device_registration_words, DEVICE_REGISTRATION_AUTO,
           "Version in which it is told our name."),
    FIELDS_END,
};

/* The settings among the fields, which all are int64_t and 0 when they say nothing. */
static bool is_setting(const Field *field)
{
    return field->type != FIELD_TEXT;
}

static int64_t setting_of(const Quirk *quirk, const Field *field)
{
    return *(const int64_t *)(const void *)((const char *)quirk + field->offset);
}

bool quirk_is_of(const Quirk *quirk, const char *product, const char *firmware)
{
    size_t n = strlen(quirk->model);
    bool begins = n > 0 && quirk->model[n - 1] == '*';
    bool same = begins ? strncmp(quirk->model, product, n - 1) == 0
                       : text_equal(quirk->model, product);

    return same && product[0] && strncmp(quirk->firmware, firmware, strlen(quirk->firmware)) == 0;
}

void quirks_of(const QuirkBook *book, const char *product, const char *firmware, Quirk *ret_quirk)
{
    Quirk all = { 0 };

    for (size_t i = 0; book && i < book->count; i++) {
        if (!quirk_is_of(&book->rows[i], product, firmware))
            continue;
        for (const Field *f = quirk_fields; f->name; f++)
            if (is_setting(f) && setting_of(&all, f) == 0)
                *(int64_t *)(void *)((char *)&all + f->offset) = setting_of(&book->rows[i], f);
    }
    *ret_quirk = all;
}

bool quirk_check(const QuirkBook *book, const Quirk *quirk, Err *err)
{
    bool says = false;

    for (const Field *f = quirk_fields; f->name; f++)
        says |= is_setting(f) && setting_of(quirk, f) != 0;
    if (!says) {
        err_set(err, ERR_BAD_INPUT, 0, "the row of \"%.60s\" says nothing", quirk->model);
        return err_remedy(err, "Give it one of the settings: pixel_order, back_rotation ...");
    }
    if (text_equal(quirk->model, "*")) {
        err_set(err, ERR_BAD_INPUT, 0, "\"*\" is every device");
        return err_field(err, "model");
    }
    for (size_t i = 0; i < book->count; i++) {
        if (!text_equal(book->rows[i].model, quirk->model) ||
            !text_equal(book->rows[i].firmware, quirk->firmware))
            continue;
        err_set(err, ERR_BAD_INPUT, 0, "a row of \"%.60s\" with this firmware is there already",
                quirk->model);
        return err_field(err, "model");
    }
    return true;
}

DeviceTransport device_transport(const QuirkBook *book, const Device *device)
{
    Quirk quirk;

    quirks_of(book, device->product, device->firmware, &quirk);
    /* Anybody can announce a product: what has a certificate is not spoken to plainly for that. */
    if (device->certificate[0] && quirk.transport == DEVICE_TRANSPORT_PLAIN)
        quirk.transport = DEVICE_TRANSPORT_AUTO;
    return (DeviceTransport)(device->settings.transport != DEVICE_TRANSPORT_AUTO
                                 ? device->settings.transport
                                 : quirk.transport);
}

DeviceRegistration device_registration(const QuirkBook *book, const Device *device)
{
    Quirk quirk;

    quirks_of(book, device->product, device->firmware, &quirk);
    return (DeviceRegistration)(device->settings.registration != DEVICE_REGISTRATION_AUTO
                                    ? device->settings.registration
                                    : quirk.registration);
}
