/* scan/pull.c - a scan is asked for without a panel, by another thread. See service.h and run.h. */
#include "base/log.h"
#include "base/text.h"
#include "scan/run.h"

#include <errno.h>

/* The request and its run, for the writer thread. */
typedef struct Pull {
    const ScanPull *wish;
    Run *run;
} Pull;

static bool refused(const Reason *reason, Err *err)
{
    ErrKind kind = text_equal(reason->code, "server-stopping")    ? ERR_TEMPORARY
                   : text_equal(reason->code, "job-not-in-group") ? ERR_DENIED
                                                                  : ERR_CONFLICT;

    err_set(err, kind, 0, "%s", reason->text);
    return err_remedy(err, "%s", reason->remedy);
}

/* The job that is asked for; ERR_BAD_INPUT or ERR_NOT_FOUND with the field. */
static bool find_job(Tx *tx, const JobStart *start, StoredJob *ret_job, Err *err)
{
    JobId id;

    if (id_parse(start->job, &id))
        return job_get(tx_db(tx), &id, ret_job, err) || err_field(err, "job");
    err_set(err, ERR_BAD_INPUT, 0, "\"%.40s\" is not the id of a job", start->job);
    return err_field(err, "job");
}

/* Writer thread: one transaction from "may it be" to the batch's row. */
static bool pull_write(Tx *tx, void *arg, Err *err)
{
    Pull *pull = arg;
    Run *run = pull->run;
    StoredJobGroup group = { 0 };
    JobGroupId group_id;
    StoredJob job;
    Reason reason;

    if (!device_get(tx_db(tx), &pull->wish->device, &run->device, err) ||
        !find_job(tx, &pull->wish->start, &job, err))
        return false;
    bool has_group = id_parse(run->device.settings.job_group, &group_id) &&
                     job_group_get(tx_db(tx), &group_id, &group, err);
    ScanPullRequest request = { .device = &run->device,
                                .group = has_group ? &group.group : NULL,
                                .start = &pull->wish->start,
                                .draining = run->service->draining };
    if (!flow_scan_admit_pull(&request, &reason))
        return refused(&reason, err);
    return spool_space_check(run->service->config.spool, err) &&
           run_insert_batch(tx, run, &job, err) &&
           audit_insert(tx, &pull->wish->actor, "device.scan", "device", run->device.id.text,
                        run->batch.id.text, err);
}

static Run *take_pulled(ScanService *service)
{
    Run *run;

    pthread_mutex_lock(&service->pulled_lock);
    run = service->pulled;
    if (run)
        service->pulled = run->next;
    pthread_mutex_unlock(&service->pulled_lock);
    return run;
}

/* Loop thread: an admitted scan begins, or one was refused. */
static void pull_posted(void *arg)
{
    ScanService *service = arg;
    Run *run = take_pulled(service);
    Err err;

    service->pulls--;
    if (!run) {
        service_say_idle(service);
        return;
    }
    run->repeat = loop_timer_new(service->config.loop, run_finish, run, &err);
    run->next = service->runs;
    service->runs = run;
    service->running++;
    run_begin(run);
}

/* The run of a request, not in any list yet. */
static Run *new_run(ScanService *service)
{
    Run *run = calloc(1, sizeof *run);

    if (!run)
        return NULL;
    run->service = service;
    run->is_pull = true;
    (void)text_copy(run->choice, sizeof run->choice, "-");
    return run;
}

bool scan_service_pull(ScanService *service, const ScanPull *wish, BatchId *ret_batch, Err *err)
{
    Pull pull = { wish, new_run(service) };
    bool ok;

    if (!pull.run)
        return err_set(err, ERR_TEMPORARY, ENOMEM, "no memory for a scan");
    service
        ->pulls++; /* before the look at draining: whoever stops waits for the one or sees the other */
    ok = store_write_wait(service->config.store, pull_write, &pull, err);
    if (ok) {
        (void)text_copy(pull.run->address, sizeof pull.run->address, pull.run->device.address);
        *ret_batch = pull.run->batch.id;
        log_line(LOG_INFO, "scan.pulled", "device=%s batch=%s by=%s", pull.run->address,
                 ret_batch->text, wish->actor.name);
        pthread_mutex_lock(&service->pulled_lock);
        pull.run->next = service->pulled;
        service->pulled = pull.run;
        pthread_mutex_unlock(&service->pulled_lock);
    } else {
        free(pull.run);
    }
    loop_post(service->config.loop, pull_posted, service);
    return ok;
}
