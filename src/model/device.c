/* model/device.c - see device.h. */
#include "model/device.h"

#include "base/text.h"
#include "model/noun.h"

#include <string.h>

const char *const device_state_words[] = { "seen", "registered", "scanning", NULL };

typedef struct DeviceRule {
    DeviceState next;
    bool allowed;
} DeviceRule;

static const DeviceRule device_rules[DEVICE_STATE_MAX_][DEVICE_EVENT_MAX_] = {
    [DEVICE_SEEN] = { [DEVICE_EVENT_APPROVE] = { DEVICE_REGISTERED, true } },
    [DEVICE_REGISTERED] = { [DEVICE_EVENT_REVOKE] = { DEVICE_SEEN, true },
                            [DEVICE_EVENT_SCAN_STARTS] = { DEVICE_SCANNING, true } },
    [DEVICE_SCANNING] = { [DEVICE_EVENT_SCAN_ENDED] = { DEVICE_REGISTERED, true } },
};

const char *const device_registration_words[] = { "auto", "version-2", "version-3", NULL };

const char *const device_transport_words[] = { "auto", "tls", "plain", NULL };

const char *const device_tls_words[] = { "", "modern", "old", NULL };

const char *const device_back_rotation_words[] = { "auto", "0", "180", NULL };

uint32_t device_back_rotation(DeviceBackRotation set, bool says_turned)
{
    bool turned = set == DEVICE_BACK_AUTO ? says_turned : set == DEVICE_BACK_UPSIDE_DOWN;

    return turned ? DEVICE_UPSIDE_DOWN : 0;
}

const char *const device_panel_words[] = { "plain", "version-3", "job-list", NULL };

const char *const device_jobs_by_words[] = {
    "auto", "choice", "name", "version-3", "job-list", NULL
};

const Field device_settings_fields[] = {
    TEXT(DeviceSettings, name, false, "Name of the device."),
    TEXT(DeviceSettings, job_group, false, "Id of the job group whose jobs the panel starts."),
    CHOICE(DeviceSettings, registration, device_registration_words, DEVICE_REGISTRATION_AUTO,
           "Version in which the device is told our name; auto: as it asks."),
    CHOICE(DeviceSettings, jobs_by, device_jobs_by_words, DEVICE_JOBS_BY_AUTO,
           "How its panel chooses a job; auto: the best it can do."),
    CHOICE(DeviceSettings, transport, device_transport_words, DEVICE_TRANSPORT_AUTO,
           "How scans are fetched; auto: over TLS, or plainly from a device that knows none."),
    CHOICE(DeviceSettings, back_rotation, device_back_rotation_words, DEVICE_BACK_AUTO,
           "Degrees by which back sides are turned; auto: as the device says what its feeder is."),
    FIELDS_END,
};

const Field device_new_fields[] = {
    TEXT(DeviceNew, address, true, "Its numeric address."),
    { .name = "name",
      .type = FIELD_TEXT,
      .offset = offsetof(DeviceNew, settings.name),
      .size = NAME_TEXT_SIZE,
      .help = "Name of the device." },
    { .name = "job_group",
      .type = FIELD_TEXT,
      .offset = offsetof(DeviceNew, settings.job_group),
      .size = ID_TEXT_SIZE,
      .help = "Id of the job group whose jobs the panel starts." },
    { .name = "registration",
      .type = FIELD_CHOICE,
      .offset = offsetof(DeviceNew, settings.registration),
      .choices = device_registration_words,
      .preset = DEVICE_REGISTRATION_AUTO,
      .help = "Version in which the device is told our name; auto: as it asks." },
    { .name = "jobs_by",
      .type = FIELD_CHOICE,
      .offset = offsetof(DeviceNew, settings.jobs_by),
      .choices = device_jobs_by_words,
      .preset = DEVICE_JOBS_BY_AUTO,
      .help = "How its panel chooses a job; auto: the best it can do." },
    { .name = "transport",
      .type = FIELD_CHOICE,
      .offset = offsetof(DeviceNew, settings.transport),
      .choices = device_transport_words,
      .preset = DEVICE_TRANSPORT_AUTO,
      .help = "Whether its scan port speaks TLS; auto: found out." },
    { .name = "back_rotation",
      .type = FIELD_CHOICE,
      .offset = offsetof(DeviceNew, settings.back_rotation),
      .choices = device_back_rotation_words,
      .preset = DEVICE_BACK_AUTO,
      .help = "Degrees by which back sides are turned; auto: as the device says." },
    FIELDS_END,
};

const char *const device_contact_words[] = { "heard", "silent", "offline", "never", NULL };

static const DeviceContact contact_rules[DEVICE_CONTACT_MAX_][DEVICE_CONTACT_EVENT_MAX_] = {
    [DEVICE_HEARD] = { DEVICE_HEARD, DEVICE_SILENT, DEVICE_HEARD, DEVICE_HEARD },
    [DEVICE_SILENT] = { DEVICE_HEARD, DEVICE_SILENT, DEVICE_SILENT, DEVICE_OFFLINE },
    [DEVICE_OFFLINE] = { DEVICE_HEARD, DEVICE_OFFLINE, DEVICE_SILENT, DEVICE_OFFLINE },
    [DEVICE_NEVER] = { DEVICE_HEARD, DEVICE_SILENT, DEVICE_NEVER, DEVICE_NEVER },
};

bool device_contact_step(DeviceContact *contact, DeviceContactEvent event)
{
    DeviceContact before = *contact;

    *contact = contact_rules[before][event];
    return *contact != before;
}

DeviceJobsBy device_jobs_by(const Device *device, unsigned names)
{
    static const DeviceJobsBy of_panel[DEVICE_PANEL_MAX_] = {
        [DEVICE_PANEL_V3] = DEVICE_JOBS_BY_V3,
        [DEVICE_PANEL_JOB_LIST] = DEVICE_JOBS_BY_JOB_LIST,
    };
    DeviceJobsBy by = (DeviceJobsBy)device->settings.jobs_by;

    bool by_list = by == DEVICE_JOBS_BY_V3 || by == DEVICE_JOBS_BY_JOB_LIST;
    if (by_list && device->panel == DEVICE_PANEL_PLAIN)
        return DEVICE_JOBS_BY_CHOICE;
    if (by == DEVICE_JOBS_BY_JOB_LIST && device->panel == DEVICE_PANEL_V3)
        return DEVICE_JOBS_BY_V3;
    if (by == DEVICE_JOBS_BY_AUTO)
        by = of_panel[device->panel];
    if (by == DEVICE_JOBS_BY_AUTO)
        by = DEVICE_JOBS_BY_NAME;
    return by == DEVICE_JOBS_BY_NAME && names < 2 ? DEVICE_JOBS_BY_CHOICE : by;
}

bool device_step(DeviceState *state, DeviceEvent event)
{
    const DeviceRule *rule = &device_rules[*state][event];

    if (rule->allowed)
        *state = rule->next;
    return rule->allowed;
}

bool device_settings_check(const DeviceSettings *settings, Err *err)
{
    if (settings->name[0] && !noun_name_check(settings->name, err))
        return false;
    if (settings->job_group[0] && !id_text_is_valid(settings->job_group)) {
        err_set(err, ERR_BAD_INPUT, 0, "\"%.40s\" is not the id of a job group",
                settings->job_group);
        return err_field(err, "job_group");
    }
    return true;
}
