/* flow/scan.c - see scan.h. */
#include "flow/scan.h"

#include "base/text.h"

static int refuse(Reason *reason, const char *code, const char *text, const char *remedy)
{
    *reason = (Reason){ 0 };
    (void)text_copy(reason->code, sizeof reason->code, code);
    (void)text_copy(reason->text, sizeof reason->text, text);
    (void)text_copy(reason->remedy, sizeof reason->remedy, remedy);
    return -1;
}

/* May the device be served at all? 0, or -1 with the reason. */
static int admit_asker(const Device *device, bool draining, Reason *ret_reason)
{
    if (draining)
        return refuse(ret_reason, "server-stopping", "The server is being stopped.",
                      "Press Start again when it runs.");
    if (!device || device->state == DEVICE_SEEN)
        return refuse(ret_reason, "device-not-approved", "The device waits for approval.",
                      "Approve it: platen device approve.");
    return 0;
}

/* The same for every Start, at the panel or here. */
static int admit_device(const Device *device, bool draining, Reason *ret_reason)
{
    if (admit_asker(device, draining, ret_reason) < 0)
        return -1;
    if (device->state == DEVICE_SCANNING)
        return refuse(ret_reason, "device-busy", "A scan of this device is still running.",
                      "Wait until it has ended.");
    return 0;
}

static bool has_jobs(const JobGroup *group, Reason *ret_reason)
{
    return (group && group->job_count > 0) ||
           refuse(ret_reason, "no-jobs", "The device has no job group with jobs.",
                  "Assign one: platen device set DEVICE --job-group GROUP.") == 0;
}

bool flow_list_admit(const ScanRequest *r, Reason *ret_reason)
{
    return admit_asker(r->device, r->draining, ret_reason) == 0 && has_jobs(r->group, ret_reason);
}

/* The job that a number of the panel's list, or a name of its own, stands for. */
static int find_number(const ScanRequest *r, Reason *ret_reason)
{
    if (!r->job[0] && r->job_number == 0 && !r->listed)
        return 0;
    if (!r->job[0] && r->job_number < 0 && (size_t)r->name < r->group->job_count)
        return r->name; /* shown by a server that ran before */
    for (size_t i = 0; r->job[0] && i < r->group->job_count; i++)
        if (text_equal(r->group->jobs[i].job, r->job))
            return (int)i;
    if (!r->job[0] && r->job_number == 0)
        return refuse(
            ret_reason, "no-such-job", "The panel chose job 0, and its list of jobs begins with 1.",
            "Open the list of jobs at the panel again; a device that knows one job is set "
            "by platen device set DEVICE --jobs-by version-3.");
    return refuse(ret_reason, "no-such-job",
                  r->job[0] ? "The job that was chosen is no longer one of this device's."
                            : "The panel chose a job from a list that is not the last one.",
                  "Open the list of jobs at the panel again.");
}

int flow_scan_admit(const ScanRequest *r, Reason *ret_reason)
{
    if (admit_device(r->device, r->draining, ret_reason) < 0 || !has_jobs(r->group, ret_reason))
        return -1;
    if (r->job_number >= 0 || r->name >= 0)
        return find_number(r, ret_reason);
    int found = job_group_find(r->group, r->panel_choice);
    if (found < 0)
        return refuse(ret_reason, "no-such-choice",
                      "No job belongs to what was chosen at the panel.",
                      "Give the choice to a job of the device's job group.");
    return found;
}

bool flow_scan_admit_pull(const ScanPullRequest *r, Reason *ret_reason)
{
    if (admit_device(r->device, r->draining, ret_reason) < 0)
        return false;
    for (size_t i = 0; r->group && i < r->group->job_count; i++)
        if (text_equal(r->group->jobs[i].job, r->start->job))
            return true;
    if (r->start->any_job)
        return true;
    (void)refuse(ret_reason, "job-not-in-group", "The job is not in the job group of the device.",
                 "Add it to the group, or ask for any job (any_job, --any-job).");
    return false;
}

bool flow_scan_identify(const Device *device, const char *serial, Reason *ret_reason)
{
    if (!device->serial[0] || text_equal(device->serial, serial))
        return true;
    (void)refuse(ret_reason, "another-device", "",
                 "Delete the former device in the list and approve the new one if it takes its "
                 "place; else give it an address of its own.");
    (void)text_printf(
        ret_reason->text, sizeof ret_reason->text,
        "The device at %.60s has %s%.40s, but the one that was approved there has %.40s.",
        device->address, serial[0] ? "the serial number " : "no serial number", serial,
        device->serial);
    return false;
}

BatchEvent flow_scan_ended(ScanOutcome outcome, uint32_t pages, Reason *reason)
{
    if (outcome == SCAN_COMPLETE && pages > 0)
        return BATCH_EVENT_COMPLETE;
    if (outcome == SCAN_COMPLETE)
        (void)refuse(reason, "no-pages", "The device ended the scan without a page.",
                     "Load paper and press Start again.");
    return outcome == SCAN_CANCELLED ? BATCH_EVENT_CANCEL : BATCH_EVENT_BREAK;
}
