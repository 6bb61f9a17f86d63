/* scan/list.c - see list.h. */
#include "scan/list.h"

#include "base/log.h"
#include "base/text.h"
#include "model/panel.h"

#include <errno.h>

static void gone(Listing *l)
{
    ScanService *service = l->service;
    Listing **at = &service->listings;

    while (*at != l)
        at = &(*at)->next;
    *at = l->next;
    free(l);
    service->sightings--;
    service_say_idle(service);
}

static void refuse(Listing *l)
{
    char quoted[256];

    log_line(LOG_WARNING, "list.refused", "device=%s reason=%s text=%s", l->address, l->reason.code,
             log_quote(quoted, sizeof quoted, l->reason.text));
    if (l->press)
        device_press_refuse(STEAL(l->press));
}

static void answer(Listing *l)
{
    log_line(LOG_INFO, "list.told", "device=%s jobs=%zu names=%s", l->address, l->count,
             l->names ? "yes" : "no");
    if (l->names)
        panel_book_told(&l->service->panels, l->address, l->jobs, l->count);
    if (l->press)
        device_press_list(STEAL(l->press), l->names ? l->listed : NULL, l->count);
}

static void talked(void *arg, bool ok, const Reason *reason)
{
    Listing *l = arg;

    l->talking = false;
    if (ok) {
        answer(l);
    } else {
        l->reason = *reason;
        refuse(l);
    }
    gone(l);
}

static void admit_posted(void *arg)
{
    Listing *l = arg;

    if (l->ok)
        panel_book_put(&l->service->panels, &l->device, NULL);
    if (l->ok && l->admitted && l->names) {
        answer(l);
        gone(l);
        return;
    }
    const DeviceReach reach = reach_of(l->service, &l->device);
    l->talking = l->ok && l->admitted && l->press &&
                 device_press_talk(l->press, DEVICE_TALK_LIST, &reach, talked, l);
    if (l->talking)
        return;
    refuse(l);
    gone(l);
}

static void admit_done(void *arg, bool ok, const Err *err)
{
    Listing *l = arg;

    l->ok = ok;
    if (!ok)
        reason_of_err("store-failed", err, &l->reason);
    loop_post(l->service->config.loop, admit_posted, l);
}

static bool read_jobs(Tx *tx, Listing *l, const JobGroup *group, Err *err)
{
    for (size_t i = 0; i < group->job_count && l->count < DEVICE_LISTED_MAX; i++) {
        StoredJob job;

        if (!id_parse(group->jobs[i].job, &l->jobs[l->count]) ||
            !job_get(tx_db(tx), &l->jobs[l->count], &job, err))
            return false;
        DeviceListedJob *listed = &l->listed[l->count++];
        listed->number = (uint16_t)l->count; /* 0 is that of version 3 */
        job_panel_name(&job.job, listed->name);
    }
    return true;
}

/* Lists are told to devices that choose by list; to one that offers names but is to be treated as of version 3
 * no names. */
static bool is_told(Listing *l)
{
    DeviceJobsBy by = device_jobs_by(&l->device, l->service->panels.doors);

    l->names = l->names && by == DEVICE_JOBS_BY_JOB_LIST;
    if (by == DEVICE_JOBS_BY_JOB_LIST || by == DEVICE_JOBS_BY_V3)
        return true;
    l->reason = (Reason){ .code = "no-lists",
                          .text = "This device is set not to be told lists of jobs.",
                          .remedy = "Set it: platen device set DEVICE --jobs-by auto." };
    return false;
}

/* Writer thread. */
static bool admit_write(Tx *tx, void *arg, Err *err)
{
    Listing *l = arg;
    StoredJobGroup group = { 0 };
    JobGroupId id;

    if (!device_sighted(tx, l->address, l->product, &l->device, err) ||
        !device_panel_learned(tx, &l->device, l->names ? DEVICE_PANEL_JOB_LIST : DEVICE_PANEL_V3,
                              err))
        return false;
    bool has_group = id_parse(l->device.settings.job_group, &id) &&
                     job_group_get(tx_db(tx), &id, &group, err);
    ScanRequest request = { .device = &l->device,
                            .group = has_group ? &group.group : NULL,
                            .draining = l->service->draining };
    l->admitted = flow_list_admit(&request, &l->reason) && is_told(l);
    return !l->admitted || read_jobs(tx, l, &group.group, err);
}

void list_asked(void *arg, DevicePress *press, const DeviceSighting *sighting, bool names)
{
    ScanService *service = arg;
    Listing *l = service->draining ? NULL : calloc(1, sizeof *l);

    if (!l) {
        device_press_refuse(press);
        return;
    }
    l->service = service;
    l->press = press;
    l->names = names;
    l->next = service->listings;
    service->listings = l;
    service->sightings++;
    (void)text_copy(l->address, sizeof l->address, sighting->address);
    (void)text_copy(l->product, sizeof l->product, sighting->product);
    store_write(service->config.store, admit_write, admit_done, l);
}

void list_refuse_all(ScanService *service)
{
    for (Listing *l = service->listings, *next; l; l = next) {
        next = l->next;
        if (l->press)
            device_press_refuse(STEAL(l->press));
        if (l->talking)
            gone(l);
    }
}
