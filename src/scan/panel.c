/* scan/panel.c - see panel.h. */
#include "scan/panel.h"

#include "base/text.h"
#include "model/panel.h"

#include <stdlib.h>

void panel_book_done(PanelBook *book)
{
    for (size_t i = 0; i < book->count; i++) {
        free(book->panels[i].told);
        free(book->panels[i].names);
    }
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
        free(book->panels[book->next].names);
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

/* A copy of the names in the place of what is there; without memory what is there stays. */
static void put_names(Panel *panel, const PanelNames *names)
{
    if (!panel->names)
        panel->names = malloc(sizeof *panel->names);
    if (panel->names)
        *panel->names = *names;
}

void panel_book_put(PanelBook *book, const Device *device, const PanelNames *names)
{
    Panel *panel = page_of(book, device->address);

    if (!panel)
        return;
    panel->registration = device_registration(book->quirks, device);
    panel->jobs_by = device_jobs_by(device, book->doors);
    if (panel->jobs_by == DEVICE_JOBS_BY_NAME && names) {
        put_names(panel, names);
    } else if (panel->jobs_by != DEVICE_JOBS_BY_NAME) {
        free(panel->names);
        panel->names = NULL;
    }
}

bool panel_names_read(Tx *tx, const Device *device, PanelNames *ret_names, Err *err)
{
    StoredJobGroup group;
    JobGroupId id;

    *ret_names = (PanelNames){ 0 };
    if (!id_parse(device->settings.job_group, &id) || device->state == DEVICE_SEEN)
        return true;
    if (!job_group_get(tx_db(tx), &id, &group, err))
        return false;
    for (size_t i = 0; i < group.group.job_count && i < DEVICE_DOORS_MAX; i++) {
        StoredJob job;

        if (!id_parse(group.group.jobs[i].job, &ret_names->of[i].job) ||
            !job_get(tx_db(tx), &ret_names->of[i].job, &job, err))
            return false;
        job_panel_name(&job.job, ret_names->of[i].name);
        ret_names->count++;
    }
    return true;
}

const char *panel_book_shown(const PanelBook *book, const char *address, unsigned door,
                             int *ret_name)
{
    const Panel *panel = find(book, address);
    bool by_name = panel && panel->jobs_by == DEVICE_JOBS_BY_NAME && door < DEVICE_DOORS_MAX;

    *ret_name = by_name ? (int)door : -1;
    return by_name ? panel->shown[door].text : "";
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
    panel_book_put(arg, device, NULL);
    return true;
}

bool panel_book_load(PanelBook *book, Store *store, Err *err)
{
    AUTO(StoreReader) reader = store_reader_open(store, err);

    return reader && device_list(reader_db(reader), put_device, book, err);
}

bool panel_book_shows(PanelBook *book, const DeviceSighting *sighting, DeviceShown *shown)
{
    Panel *panel = find(book, sighting->address);
    unsigned door = sighting->door;

    if (panel && panel->registration != DEVICE_REGISTRATION_AUTO)
        shown->is_v3 = panel->registration == DEVICE_REGISTRATION_3;
    if (!panel || panel->jobs_by != DEVICE_JOBS_BY_NAME)
        return door == 0; /* one name, on the first interface */
    if (!panel->names || door >= DEVICE_DOORS_MAX)
        return false; /* not read yet: the next request is answered */
    if (panel->names->count == 0)
        return door == 0; /* no jobs: our own name, so that the device is seen to be known */
    if (door >= panel->names->count)
        return false;
    panel->shown[door] = panel->names->of[door].job;
    (void)text_copy(shown->name, sizeof shown->name, panel->names->of[door].name);
    return true;
}
