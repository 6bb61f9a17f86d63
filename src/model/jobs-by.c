/* model/jobs-by.c - see jobs-by.h. */
#include "model/jobs-by.h"

#include "base/text.h"
#include "model/job.h"

enum { CHOICES = PANEL_CHOICE_MAX_ - 1 }; /* without automatic */

/* What is set and is not in force. */
static void note_of_way(const Device *device, DeviceJobsBy now, Reason *ret)
{
    const char *set = device_jobs_by_words[device->settings.jobs_by];

    if (device->settings.jobs_by == DEVICE_JOBS_BY_NAME) {
        (void)text_copy(ret->code, sizeof ret->code, "one-interface");
        (void)text_printf(ret->text, sizeof ret->text,
                          "\"name\" is set, but the server has one interface, and so one name: "
                          "\"%s\" is used.",
                          device_jobs_by_words[now]);
        (void)text_copy(ret->remedy, sizeof ret->remedy,
                        "Give the server an interface for each job (interfaces in [devices], "
                        "docs/panels.md), or set --jobs-by auto.");
        return;
    }
    bool heard = device->last_seen.ms > 0;
    (void)text_copy(ret->code, sizeof ret->code,
                    heard ? "panel-shows-no-lists" : "panel-not-heard");
    (void)text_printf(ret->text, sizeof ret->text,
                      heard ? "\"%s\" is set, but the panel was not seen to ask for that (it is "
                              "%s): \"%s\" is used."
                            : "\"%s\" is set, but the device was not heard yet, so that its panel "
                              "counts as %s: \"%s\" is used.",
                      set, device_panel_words[device->panel], device_jobs_by_words[now]);
    (void)text_copy(ret->remedy, sizeof ret->remedy,
                    heard ? "Set --jobs-by auto: what the panel can do is used as soon as it asks."
                          : "Wait until it has announced itself, or set --jobs-by auto.");
}

static void note_of_jobs(DeviceJobsBy now, unsigned names, size_t jobs, Reason *ret)
{
    bool by_name = now == DEVICE_JOBS_BY_NAME;
    size_t most = by_name ? names : CHOICES;

    (void)text_copy(ret->code, sizeof ret->code,
                    by_name ? "jobs-beyond-names" : "jobs-beyond-choice");
    (void)text_printf(ret->text, sizeof ret->text,
                      by_name ? "Its group has %zu jobs, and the server has names for %zu: the "
                                "others cannot be started at the panel."
                              : "Its group has %zu jobs, and sides and action choose one of %zu: "
                                "the others cannot be started at the panel.",
                      jobs, most);
    (void)text_copy(ret->remedy, sizeof ret->remedy,
                    by_name
                        ? "Give the server more interfaces, or the device a group with fewer jobs."
                        : "Give the device a group with fewer jobs, or the server an interface "
                          "for each job (docs/panels.md).");
}

size_t device_jobs_by_notes(const Device *device, unsigned names, size_t jobs,
                            Reason ret_notes[JOBS_BY_NOTES_MAX])
{
    DeviceJobsBy now = device_jobs_by(device, names);
    DeviceJobsBy set = (DeviceJobsBy)device->settings.jobs_by;
    bool beyond = (now == DEVICE_JOBS_BY_CHOICE && jobs > CHOICES) ||
                  (now == DEVICE_JOBS_BY_NAME && jobs > names);
    size_t n = 0;

    if (set != DEVICE_JOBS_BY_AUTO && set != now)
        note_of_way(device, now, &ret_notes[n++]);
    if (beyond)
        note_of_jobs(now, names, jobs, &ret_notes[n++]);
    return n;
}
