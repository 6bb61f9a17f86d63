/* scan/panel.c - see panel.h. */
#include "scan/panel.h"

#include "base/text.h"

#include <stdlib.h>

void panel_book_done(PanelBook *book)
{
    for (size_t i = 0; i < book->count; i++)
        free(book->panels[i].told);
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
        free(book->panels[book->next].told);
        book->panels[book->next] = (Panel){ 0 };
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
    book->panels[book->count] = (Panel){ 0 };
    return &book->panels[book->count++];
}

/* The device's page, a new one if need be; NULL without memory. */
static Panel *page_of(PanelBook *book, const char *address)
{
    Panel *panel = find(book, address);

    if (!panel && (panel = place(book)) != NULL)
        (void)text_copy(panel->address, sizeof panel->address, address);
    return panel;
}

void panel_book_put(PanelBook *book, const Device *device)
{
    Panel *panel = page_of(book, device->address);

    if (panel)
        panel->registration = device->settings.registration;
}

void panel_book_told(PanelBook *book, const char *address, const JobId *jobs, size_t count)
{
    Panel *panel = page_of(book, address);

    if (!panel)
        return;
    free(panel->told);
    panel->told_count = 0;
    panel->told = calloc(count + 1, sizeof *jobs);
    if (!panel->told)
        return; /* then its numbers are refused */
    memcpy(panel->told, jobs, count * sizeof *jobs);
    panel->told_count = count;
}

const char *panel_book_job(const PanelBook *book, const char *address, int32_t number)
{
    const Panel *panel = find(book, address);

    return panel && number >= 1 && (size_t)number <= panel->told_count
               ? panel->told[number - 1].text
               : "";
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
