/* scan/panel.c - see panel.h. */
#include "scan/panel.h"

#include "base/text.h"

#include <stdlib.h>

void panel_book_done(PanelBook *book)
{
    free(book->panels);
    *book = (PanelBook){ 0 };
}

static Panel *find(const PanelBook *book, const char *address)
{
    for (size_t i = 0; i < book->count; i++)
        if (text_equal(book->panels[i].address, address))
            return &book->panels[i];
    return NULL;
}

/* A new place, or that of the panel written first. NULL without memory. */
static Panel *place(PanelBook *book)
{
    if (book->count == PANELS_MAX) {
        book->next = (book->next + 1) % PANELS_MAX;
        return &book->panels[book->next];
    }
    if (book->count == book->capacity) {
        size_t capacity = book->capacity ? 2 * book->capacity : 16;
        Panel *longer = realloc(book->panels, capacity * sizeof *longer);

        if (!longer)
            return NULL;
        book->panels = longer;
        book->capacity = capacity;
    }
    return &book->panels[book->count++];
}

void panel_book_put(PanelBook *book, const Device *device)
{
    Panel *panel = find(book, device->address);

    if (!panel)
        panel = place(book);
    if (!panel)
        return;
    *panel = (Panel){ .registration = device->settings.registration };
    (void)text_copy(panel->address, sizeof panel->address, device->address);
}

static bool put_device(void *arg, const Device *device)
{
    panel_book_put(arg, device);
    return true;
}

bool panel_book_load(PanelBook *book, Store *store, Err *err)
{
    AUTO(StoreReader) reader = store_reader_open(store, err);

    return reader && device_list(reader_db(reader), put_device, book, err);
}

bool panel_book_shows(const PanelBook *book, const DeviceSighting *sighting, DeviceShown *shown)
{
    const Panel *panel = find(book, sighting->address);

    if (panel && panel->registration != DEVICE_REGISTRATION_AUTO)
        shown->is_v3 = panel->registration == DEVICE_REGISTRATION_3;
    return true;
}
