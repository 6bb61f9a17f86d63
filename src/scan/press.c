/* scan/press.c - Start was pressed: may it be, and with which job? See run.h. Pulls join at run_begin. */
#include "scan/run.h"

#include "base/log.h"
#include "base/text.h"

#include <errno.h>

enum { FORMER_SCAN_MS = 3000 }; /* of the ten seconds or so that a panel waits */

void run_refuse(Run *run)
{
    if (run->press)
        device_press_refuse(STEAL(run->press));
}

static const Reason panel_gone = { .code = "panel-gone",
                                   .text = "The panel hung up before the scan.",
                                   .remedy = "Press Start again." };
static const Reason no_scan = { .code = "no-scan",
                                .text = "The server can begin no further scan now.",
                                .remedy = "Wait until other scans have ended." };

/* Nobody waits at the panel any more. */
static bool panel_hung_up(const Run *run)
{
    return run->press && device_press_is_gone(run->press);
}

/* The press was answered with ERROR after its batch had begun. */
static void give_up(Run *run)
{
    run_refuse(run);
    run_over(run, SCAN_END_BROKEN);
}

static void accept_run(Run *run)
{
    const DeviceReach reach = reach_of(run->service, &run->device);
    ScanOrder order;

    if (panel_hung_up(run)) {
        run_withdraw(run, &panel_gone);
        return;
    }
    job_scan_settings(&run->batch.job, run->choice, &order);
    spool_on_drained(run->spool, run_spool_drained, run);
    if (run->is_pull && run->service->link)
        run->scan = device_scan_start(run->service->link, run->device.address, &reach, &order, run);
    else if (run->press)
        run->scan = device_press_accept(STEAL(run->press), &reach, &order, run);
    if (run->scan && run->cancelled)
        device_scan_cancel(run->scan);
    if (run->scan)
        return;
    run->reason = no_scan;
    run_over(run, SCAN_END_BROKEN);
}

/* The device was asked which job it is: what it says is not known, but it wants to be asked. */
static void talked(void *arg, bool ok, const Reason *reason)
{
    Run *run = arg;

    run->talking = false;
    if (ok) {
        accept_run(run);
        return;
    }
    run->reason = *reason;
    log_line(LOG_WARNING, "scan.refused", "device=%s batch=%s choice=job-%d reason=%s",
             run->address, run->batch.id.text, (int)run->job_number, reason->code);
    give_up(run);
}

/* A number without a list of names comes from a device of version 3. */
static bool talks_of_jobs(const Run *run)
{
    return run->job_number >= 0 &&
           device_jobs_by(&run->device, run->service->panels.doors) != DEVICE_JOBS_BY_JOB_LIST;
}

static bool wants_talk(const Run *run)
{
    return run->press && talks_of_jobs(run);
}

static void accept_posted(void *arg)
{
    Run *run = arg;

    if (!run->ok) {
        run_log_failure("scan.refused", run, &run->err);
        reason_of_err("spool-failed", &run->err, &run->reason);
        give_up(run);
    } else if (!wants_talk(run)) {
        accept_run(run);
    } else {
        const DeviceReach reach = reach_of(run->service, &run->device);

        run->talking = device_press_talk(run->press, DEVICE_TALK_CHOSEN, &reach, talked, run);
        if (run->talking)
            return;
        run->reason = no_scan;
        give_up(run);
    }
}

/* Spool thread. */
static void batch_opened(void *arg, bool ok, const Err *err)
{
    Run *run = arg;

    run->ok = ok;
    if (!ok)
        run->err = *err;
    loop_post(run->service->config.loop, accept_posted, run);
}

void run_begin(Run *run)
{
    run->spool = spool_batch_open(run->service->config.spool, &run->batch, &run->device,
                                  batch_opened, run);
    if (!run->spool) {
        err_set(&run->err, ERR_TEMPORARY, ENOMEM, "no memory for a batch");
        run->ok = false;
        accept_posted(run);
    }
}

static bool admit_write(Tx *tx, void *arg, Err *err);
static void admit_done(void *arg, bool ok, const Err *err);

/* Nobody at the panel waits for it any more: neither a scan nor a refusal. */
static void forget(void *arg)
{
    Run *run = arg;

    log_line(LOG_INFO, "scan.forgotten", "device=%s choice=%s reason=%s", run->address, run->choice,
             panel_gone.code);
    run_refuse(run);
    run_gone(run);
}

/* Whoever it is now: may Start be? */
static void look_over(void *arg)
{
    Run *run = arg;

    if (panel_hung_up(run)) {
        loop_post(run->service->config.loop, forget, run); /* the caller goes through the runs */
        return;
    }
    store_write(run->service->config.store, admit_write, admit_done, run);
}

static void wait_over(void *arg)
{
    run_wait_over(arg);
}

void run_wait_over(Run *run)
{
    if (!run->again)
        return;
    loop_timer_free(STEAL(run->again));
    look_over(run);
}

/* A person who presses Start again at once must not be told "busy" because the end of the former scan is on its way
 * to the disk. False: it cannot be waited. */
static bool wait_for_former(Run *run)
{
    Err err;

    run->wait_now = false;
    run->waited = true;
    run->again = loop_timer_new(run->service->config.loop, wait_over, run, &err);
    if (run->again)
        loop_timer_start(run->again, mono_after(mono_now(), FORMER_SCAN_MS));
    return run->again != NULL;
}

static void admit_posted(void *arg)
{
    Run *run = arg;
    char quoted[256];

    if (run->ok && run->wait_now) {
        if (!wait_for_former(run))
            look_over(run);
        return;
    }

    if (!run->ok)
        reason_of_err("store-failed", &run->err, &run->reason);
    if (run->ok && run->look_now) {
        run->look_now = false;
        run->looked = true;
        if (!identity_look(run->service, run->address, LOOK_PRESSED, look_over, run))
            look_over(run);
        return;
    }
    if (!run->ok || !run->admitted) {
        if (!run->untold)
            log_line(LOG_WARNING, "scan.refused", "device=%s choice=%s reason=%s text=%s",
                     run->address, run->choice, run->reason.code,
                     log_quote(quoted, sizeof quoted, run->reason.text));
        run_refuse(run);
        run_gone(run);
        return;
    }
    log_line(LOG_INFO, "scan.accepted", "device=%s batch=%s choice=%s", run->address,
             run->batch.id.text, run->choice);
    if (panel_hung_up(run))
        run_withdraw(run, &panel_gone);
    else
        run_begin(run);
}

static void admit_done(void *arg, bool ok, const Err *err)
{
    Run *run = arg;

    run->ok = ok;
    if (!ok)
        run->err = *err;
    loop_post(run->service->config.loop, admit_posted, run);
}

static bool refused(Tx *tx, Run *run, Err *err)
{
    Event event = { .kind = "scan.refused" };
    char more[64] = "";
    unsigned kept;

    run->untold = !refusals_tell(&run->service->refusals, run->address, mono_now(), &kept);
    if (run->untold)
        return true;
    if (kept > 0)
        (void)text_printf(more, sizeof more, " %u more before it were not recorded.", kept);
    (void)text_copy(event.device, sizeof event.device, run->device.id.text);
    (void)text_printf(event.text, sizeof event.text, "%s %s%s", run->reason.text,
                      run->reason.remedy, more);
    return event_insert(tx, &event, err);
}

bool run_insert_batch(Tx *tx, Run *run, const StoredJob *job, Err *err)
{
    Batch *b = &run->batch;
    Wall now = tx_now(tx);

    *b = (Batch){ .id = id_new(BatchId, now),
                  .device = run->device.id,
                  .job_id = job->id,
                  .job = job->job,
                  .state = BATCH_RECEIVING,
                  .started_at = now };
    b->utc_offset_min = wall_zone_offset_min(now);
    CivilTime day = wall_civil(now, b->utc_offset_min);
    (void)text_printf(b->folder, sizeof b->folder, "%04d-%02d-%02d/%s", day.year, day.month,
                      day.day, b->id.text);
    (void)text_copy(b->device_name, sizeof b->device_name,
                    run->device.settings.name[0] ? run->device.settings.name : run->device.product);
    if (!batch_insert(tx, b, err))
        return false;
    run->admitted = true;
    return true;
}

/* Writer thread: one transaction from "who is it" to the batch's row. */
static bool admit_write(Tx *tx, void *arg, Err *err)
{
    Run *run = arg;
    StoredJobGroup group = { 0 };
    StoredJob job;
    JobGroupId group_id;

    if (!device_sighted(tx, run->address, run->product, &run->device, err))
        return false;
    /* Job control that never asked for a list: still a device of version 3. */
    if (run->job_number >= 0 && run->device.panel == DEVICE_PANEL_PLAIN &&
        !device_panel_learned(tx, &run->device, DEVICE_PANEL_V3, err))
        return false;
    bool has_group = id_parse(run->device.settings.job_group, &group_id) &&
                     job_group_get(tx_db(tx), &group_id, &group, err);
    ScanRequest request = { .device = &run->device,
                            .group = has_group ? &group.group : NULL,
                            .panel_choice = run->choice,
                            .job_number = run->job_number,
                            .job = run->job,
                            .listed = !talks_of_jobs(run),
                            .name = run->name,
                            .draining = run->service->draining };
    int chosen = flow_scan_admit(&request, &run->reason);
    run->look_now = run->service->config.identify && !run->looked &&
                    text_equal(run->reason.code, "device-not-approved");
    run->wait_now = !run->waited && text_equal(run->reason.code, "device-busy");
    if (run->look_now || run->wait_now)
        return true;
    if (chosen < 0)
        return refused(tx, run, err);
    if (!spool_space_check(run->service->config.spool, err)) {
        reason_of_err("disk-full", err, &run->reason);
        return refused(tx, run, err);
    }
    JobId job_id;
    return id_parse(group.group.jobs[chosen].job, &job_id) &&
           job_get(tx_db(tx), &job_id, &job, err) && run_insert_batch(tx, run, &job, err);
}

void run_pressed(void *arg, DevicePress *press, const DeviceSighting *sighting,
                 const DeviceStart *start)
{
    ScanService *service = arg;
    Run *run = calloc(1, sizeof *run);
    Err err;

    if (run)
        run->repeat = loop_timer_new(service->config.loop, run_finish, run, &err);
    if (!run || !run->repeat || service->draining) {
        if (run)
            loop_timer_free(run->repeat);
        free(run);
        device_press_refuse(press);
        return;
    }
    run->service = service;
    run->press = press;
    run->next = service->runs;
    service->runs = run;
    service->running++;
    (void)text_copy(run->address, sizeof run->address, sighting->address);
    (void)text_copy(run->product, sizeof run->product, sighting->product);
    (void)text_copy(run->choice, sizeof run->choice, start->choice);
    run->job_number = start->job_number;
    const char *shown = panel_book_shown(&service->panels, run->address, sighting->door,
                                         &run->name);
    (void)text_copy(run->job, sizeof run->job,
                    run->job_number < 0
                        ? shown
                        : panel_book_job(&service->panels, run->address, run->job_number));
    store_write(service->config.store, admit_write, admit_done, run);
}
