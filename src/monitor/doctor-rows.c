/* monitor/doctor-rows.c - the checks of programs, devices and destinations: what the database knows of them. */
#include "monitor/doctor-inside.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "model/jobs-by.h"
#include "model/quirks.h"
#include "store/config-rows.h"
#include "store/doctor-rows.h"
#include "store/pairing.h"
#include "store/scan-json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What a list could not be read for is one finding, not one for each row. */
static void say_unread(Doctor *d, bool ok, const char *what, const Err *err)
{
    if (!ok)
        doctor_say(d, FINDING_COULD_NOT_LOOK, "database", NULL, "The %s could not be read: %s.",
                   what, err->text);
}

/* --- programs ---------------------------------------------------------------------------------------- */

typedef struct KindSearch {
    const char *kind;
    char name[NAME_TEXT_SIZE]; /* of a destination of this kind, "" = there is none */
} KindSearch;

static bool search_kind(void *arg, const StoredDestination *row)
{
    KindSearch *search = arg;

    if (!text_equal(row->destination.kind, search->kind))
        return true;
    (void)text_copy(search->name, sizeof search->name, row->destination.name);
    return false;
}

void doctor_check_programs(Doctor *d)
{
    const DoctorConfig *config = d->facts->config;

    for (size_t i = 0; i < config->program_count; i++) {
        const DoctorProgram *program = &config->programs[i];
        KindSearch search = { .kind = program->kind };
        Err err;

        if (access(program->path, X_OK) == 0)
            continue;
        int why = errno;
        if (program->kind[0] == '\0') {
            doctor_say(d, FINDING_PROGRAM_MISSING, program->path, NULL, "It cannot be run: %s.",
                       strerror(why));
            continue;
        }
        say_unread(d, destination_list(d->db, search_kind, &search, &err), "destinations", &err);
        if (search.name[0])
            doctor_say(d, FINDING_PROGRAM_MISSING, program->path, NULL,
                       "It cannot be run: %s. \"%.60s\" is a destination of the kind %s, which "
                       "needs it.",
                       strerror(why), search.name, program->kind);
    }
}

/* --- devices ----------------------------------------------------------------------------------------- */

typedef struct Devices {
    Doctor *doctor;
    size_t heard;
    /* the job group of the last device that was asked for */
    char group[ID_TEXT_SIZE];
    size_t jobs;
    unsigned names; /* the server can show */
    bool ok;
    Err err;
} Devices;

/* By a word that platen device takes: the name when there is one. */
static const char *name_of(const Device *device)
{
    return device->settings.name[0] ? device->settings.name : device->address;
}

/* How many its group has. */
static size_t jobs_of(Devices *all, const char *group)
{
    StoredJobGroup row;
    JobGroupId id;

    if (!group[0])
        return 0;
    if (text_equal(all->group, group))
        return all->jobs;
    (void)text_copy(id.text, sizeof id.text, group);
    (void)text_copy(all->group, sizeof all->group, group);
    bool read = job_group_get(all->doctor->db, &id, &row, &all->err);
    all->jobs = read ? row.group.job_count : 0;
    if (!read && all->err.kind != ERR_NOT_FOUND)
        all->ok = false;
    return all->jobs;
}

/* What it warned of at its last scan, in one finding. */
static bool check_warnings(Devices *all, const Device *device)
{
    AUTO_BUF text = buf_with_max(NOTES_TEXT_MAX);
    ScanNotes warnings;
    char what[200] = "";

    if (!device_warnings_text(all->doctor->db, &device->id, &text, &all->err))
        return false;
    notes_parse(buf_bytes(&text), &warnings);
    for (size_t i = 0; i < warnings.count; i++) {
        size_t n = strlen(what);

        (void)text_printf(what + n, sizeof what - n, "%s%s", i ? ", " : "",
                          warnings.note[i].warning);
    }
    if (warnings.count > 0)
        doctor_say(all->doctor, FINDING_DEVICE_WARNS, name_of(device), warnings.note[0].remedy,
                   "It warned at its last scan: %s. %s", what, warnings.note[0].text);
    return true;
}

static void check_quirks(Doctor *d, const Device *device)
{
    const QuirkBook *book = d->facts->config->quirks;
    const Quirk *first = NULL;
    unsigned count = 0;

    for (size_t i = 0; book && i < book->count; i++)
        if (quirk_is_of(&book->rows[i], device->product, device->firmware)) {
            first = first ? first : &book->rows[i];
            count++;
        }
    if (first)
        doctor_say(d, FINDING_DEVICE_QUIRKS, name_of(device), NULL, "%s (%u row%s): %.200s",
                   first->model, count, count == 1 ? "" : "s", first->why);
}

static void check_jobs(Devices *all, const Device *device)
{
    size_t jobs = jobs_of(all, device->settings.job_group);
    Reason notes[JOBS_BY_NOTES_MAX];

    if (!all->ok)
        return;
    if (jobs == 0)
        doctor_say(all->doctor, FINDING_DEVICE_WITHOUT_JOBS, name_of(device), NULL, "%s",
                   device->settings.job_group[0] ? "Its job group has no jobs."
                                                 : "It has no job group.");
    size_t count = device_jobs_by_notes(device, all->names, jobs, notes);
    for (size_t i = 0; i < count; i++)
        if (!text_equal(notes[i].code, "panel-not-heard")) /* nothing is known to be wrong */
            doctor_say(all->doctor, FINDING_DEVICE_JOBS_BY, name_of(device), notes[i].remedy, "%s",
                       notes[i].text);
}

static bool check_device(void *arg, const Device *device)
{
    Devices *all = arg;
    Doctor *d = all->doctor;
    const char *name = name_of(device);
    char since[WALL_TEXT_SIZE];
    Wall when = device->state == DEVICE_SEEN ? device->waits_since : device->contact_since;

    all->heard += device->contact == DEVICE_HEARD && device->last_seen.ms > 0;
    wall_format(when, wall_zone_offset_min(when), since);
    if (device->state == DEVICE_SEEN && text_equal(device->waits_code, "another-device")) {
        doctor_say(d, FINDING_DEVICE_ANOTHER, name, NULL, "Since %.19s: %.240s", since,
                   device->waits_text);
        return true;
    }
    if (device->state == DEVICE_SEEN) {
        doctor_say(d, FINDING_DEVICE_WAITING, name, NULL, "%.60s at %.45s waits since %.19s.%s%s",
                   device->product[0] ? device->product : "A device", device->address, since,
                   device->waits_text[0] ? " " : "", device->waits_text);
        return true;
    }
    /* A registration is answered over IPv4 only: who cannot register is always silent, and that is well. */
    if (device->contact == DEVICE_SILENT && !strchr(device->address, ':') &&
        doctor_hears_registrations(all->doctor->facts))
        doctor_say(d, FINDING_DEVICE_SILENT, name, NULL,
                   "It takes connections at %.45s, but has not announced itself; silent since "
                   "%.19s.",
                   device->address, since);
    if (device->contact == DEVICE_OFFLINE)
        doctor_say(d, FINDING_DEVICE_OFFLINE, name, NULL,
                   "It cannot be reached at %.45s since %.19s.", device->address, since);
    check_jobs(all, device);
    check_quirks(d, device);
    all->ok = all->ok && check_warnings(all, device);
    return all->ok;
}

static bool say_untrusted(void *arg, const Device *device, Wall at, const char *code)
{
    char since[WALL_TEXT_SIZE];

    wall_format(at, wall_zone_offset_min(at), since);
    if (text_equal(code, "tls-lost")) {
        doctor_say(arg, FINDING_DEVICE_TLS_LOST, name_of(device), NULL,
                   "At %.19s something at %.45s spoke no TLS, which the device did before.", since,
                   device->address);
        return true;
    }
    if (text_equal(code, "tls-downgraded")) {
        doctor_say(arg, FINDING_DEVICE_DOWNGRADED, name_of(device), NULL,
                   "At %.19s something at %.45s spoke older TLS than the device before.", since,
                   device->address);
        return true;
    }
    doctor_say(arg, FINDING_DEVICE_CERTIFICATE, name_of(device), NULL,
               "At %.19s something at %.45s showed a certificate that is not the device's.", since,
               device->address);
    return true;
}

/* A scanner without a panel whose button does not call us. */
static bool check_pairing(void *arg, const DeviceId *id, const Pairing *pairing)
{
    char since[WALL_TEXT_SIZE];
    Devices *all = arg;
    Device device;

    if (pairing->state == PAIRING_PAIRED)
        return true;
    all->ok = device_get(all->doctor->db, id, &device, &all->err);
    if (!all->ok)
        return false;
    wall_format(pairing->since, wall_zone_offset_min(pairing->since), since);
    if (pairing->state == PAIRING_LOST)
        doctor_say(all->doctor, FINDING_DEVICE_PAIRING, name_of(&device), NULL,
                   "Its button calls \"%s\" since %.19s, which somebody has written there.",
                   pairing->other, since);
    else
        doctor_say(
            all->doctor, FINDING_DEVICE_PAIRING, name_of(&device), NULL,
            "Its button calls \"%s\"; the name that this server has since %.19s could not be "
            "written there (%s).",
            pairing->name, since,
            pairing->problem ? pairing_problem_words[pairing->problem] : "not tried yet");
    return true;
}

void doctor_check_devices(Doctor *d)
{
    Devices all = { .doctor = d, .ok = true };
    DoctorNames names;

    doctor_names(d->facts->config, &names);
    all.names = (unsigned)names.count;
    bool ok = device_list(d->db, check_device, &all, &all.err) && all.ok;
    if (!ok) {
        say_unread(d, false, "devices", &all.err);
        return;
    }
    say_unread(d, pairing_list(d->db, check_pairing, &all, &all.err) && all.ok, "pairings",
               &all.err);
    say_unread(d, device_list_untrusted(d->db, say_untrusted, d, &all.err), "batches", &all.err);
    if (!d->facts->config->multicast && all.heard == 0 && doctor_hears_registrations(d->facts))
        doctor_say(d, FINDING_MULTICAST_OFF, "devices", NULL,
                   "No device has announced itself lately, and multicast is off.");
}

/* --- destinations ------------------------------------------------------------------------------------ */

static bool check_stopped(void *arg, const StoredDestination *row)
{
    const DestinationStop *stop = &row->stop;

    if (stop->at.ms != 0)
        doctor_say(arg, FINDING_DESTINATION_STOPPED, row->destination.name, stop->cure, "%s",
                   stop->text);
    return true;
}

static bool check_trouble(void *arg, const DestinationTrouble *trouble)
{
    if (trouble->stuck > 0)
        doctor_say(arg, FINDING_DESTINATION_STUCK, trouble->name, NULL,
                   "%u deliveries need a person%s%s", trouble->stuck,
                   trouble->text[0] ? "; the last attempt: " : ".", trouble->text);
    else if (trouble->failing > 0)
        doctor_say(arg, FINDING_DESTINATION_FAILING, trouble->name, trouble->cure,
                   "%u deliveries wait after failed attempts; the last one: %s", trouble->failing,
                   trouble->text);
    return true;
}

void doctor_check_destinations(Doctor *d)
{
    Err err;
    bool ok = destination_list(d->db, check_stopped, d, &err) &&
              destination_list_troubled(d->db, check_trouble, d, &err);

    say_unread(d, ok, "destinations", &err);
}
