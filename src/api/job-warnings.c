/* api/job-warnings.c - what the devices of a job's groups cannot do as the job says. Told, never refused: the
 * devices say at each scan anew what they offer. */
#include "api/job-warnings.h"

#include "base/text.h"
#include "store/scan-json.h"

enum { WARNINGS_MAX = 100 };

/* Devices whose group may have the job; their rows are looked at when the list was read. */
typedef struct Candidates {
    Device *rows;
    size_t n, cap;
} Candidates;

static bool keep_candidate(void *arg, const Device *device)
{
    Candidates *list = arg;

    if (device->settings.job_group[0] == '\0')
        return true;
    if (list->n == list->cap) {
        size_t cap = list->cap ? 2 * list->cap : 16;
        Device *longer = realloc(list->rows, cap * sizeof *longer);

        if (!longer)
            return false; /* fewer warnings */
        list->rows = longer;
        list->cap = cap;
    }
    list->rows[list->n++] = *device;
    return true;
}

static bool group_has(Db *db, const char *group_id, const JobId *job)
{
    StoredJobGroup group;
    JobGroupId id;
    Err ignored;

    if (!id_parse(group_id, &id) || !job_group_get(db, &id, &group, &ignored))
        return false;
    for (size_t i = 0; i < group.group.job_count; i++)
        if (text_equal(group.group.jobs[i].job, job->text))
            return true;
    return false;
}

static void add_warning(Json *array, const Device *device, const char *source, const char *setting,
                        const char *text)
{
    Json *warning;

    if (json_count(array) >= WARNINGS_MAX)
        return;
    warning = json_new_object();
    json_set_text(warning, "device_id", device->id.text);
    json_set_text(warning, "device_name",
                  device->settings.name[0] ? device->settings.name : device->product);
    json_set_text(warning, "source", source);
    json_set_text(warning, "setting", setting);
    json_set_text(warning, "text", text);
    json_add_take(array, warning);
}

static void warn_of_unit(Json *array, const Device *device, const DeviceOffer *offer, ScanUnit unit,
                         const ScanSettings *settings)
{
    ScanNotes notes = { 0 };
    ScanUsed used;

    scan_settings_resolve(offer, unit, settings, &used, &notes);
    for (size_t i = 0; i < notes.count; i++)
        add_warning(array, device, unit == SCAN_UNIT_ADF ? "adf" : "flatbed", notes.note[i].setting,
                    notes.note[i].text);
}

static void warn_of_device(Db *db, Json *array, const Device *device, const ScanSettings *settings)
{
    AUTO_BUF text = buf_with_max(OFFER_TEXT_MAX);
    DeviceOffer offer;
    ScanUnit unit;
    Err ignored;

    if (!device_offer_text(db, &device->id, &text, &ignored) ||
        !offer_parse(buf_bytes(&text), &offer))
        return; /* it was never scanned from: nothing is known */
    if (!device_offer_unit(&offer, settings->source, &unit)) {
        bool wants_feeder = settings->source == SCAN_SOURCE_ADF;

        add_warning(array, device, wants_feeder ? "adf" : "flatbed", "source",
                    wants_feeder ? "The device has no feeder." : "The device has no flatbed.");
        return;
    }
    warn_of_unit(array, device, &offer, unit, settings);
    if (settings->source == SCAN_SOURCE_AUTO && unit == SCAN_UNIT_ADF && offer.flatbed.present)
        warn_of_unit(array, device, &offer, SCAN_UNIT_FLATBED, settings);
}

void job_warnings(Db *db, const void *row, Json *object)
{
    const StoredJob *job = row;
    Json *array = json_new_array();
    Candidates list = { 0 };
    ScanSettings settings;
    Err ignored;

    job_scan_settings(&job->job, "", &settings);
    (void)device_list(db, keep_candidate, &list, &ignored);
    for (size_t i = 0; i < list.n; i++)
        if (group_has(db, list.rows[i].settings.job_group, &job->id))
            warn_of_device(db, array, &list.rows[i], &settings);
    free(list.rows);
    json_set_take(object, "warnings", array);
}
