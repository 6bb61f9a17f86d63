/* server/scan-service.c - see scan-service.h.
 *
 *   pressed -> [writer: admit, batch row] -> [spool: folder, batch.json] -> accept -> pages ... -> ended
 *   page_end -> [spool: sync, rename] -> [writer: page row] -> stored
 *   ended, no page under way -> [writer: batch step] -> [spool: close] -> gone
 *
 * What stands in brackets runs on the named thread and returns by loop_post. */
#include "server/scan-service.h"

#include "base/fault.h"
#include "base/log.h"
#include "base/text.h"
#include "flow/scan.h"
#include "store/batch-rows.h"

#include <errno.h>
#include <stdatomic.h>

enum { FINISH_REPEAT_MS = 1000, SIGHTINGS_UNDER_WAY_MAX = 64 };

struct ScanService {
    ScanServiceConfig config;
    DeviceLink *link;
    unsigned running;     /* runs that are not freed */
    unsigned sightings;   /* device_sighted writes under way */
    struct Run *runs;     /* all of them, newest first */
    atomic_bool draining; /* also read by the writer thread */
    LoopFn *idle;
    void *idle_arg;
};

/* One press and what follows from it. Owned by the loop thread; the other threads fill the fields
 * named for them while the loop waits for their post. */
typedef struct Run {
    ScanService *service;
    struct Run *next;
    DevicePress *press; /* until answered */
    DeviceScan *scan;   /* while it runs  */
    SpoolBatch *spool;
    char address[ADDRESS_TEXT_SIZE], product[PRODUCT_TEXT_SIZE], choice[8];
    /* filled by the writer thread in admit_write */
    Device device;
    Batch batch;
    bool admitted;
    Reason reason; /* of the refusal, later of the end */
    /* of the running scan */
    DeviceIdentity identity;
    bool paused, is_over;
    ScanEnd end;
    unsigned pages_under_way;
    uint32_t pages_stored;
    LoopTimer *repeat; /* the finishing write failed: again later */
    bool ok;           /* of the write or spool step that was posted */
    Err err;
} Run;

/* One page between page_end and page_stored. */
typedef struct PageStep {
    Run *run;
    Page page;
    bool ok;
    Err err;
} PageStep;

static void log_failure(const char *event, const Run *run, const Err *err)
{
    char quoted[256], remedy[176];

    log_line(LOG_ERROR, event, "device=%s batch=%s error=%s remedy=%s", run->address,
             run->batch.id.text, log_quote(quoted, sizeof quoted, err->text),
             log_quote(remedy, sizeof remedy, err->remedy));
}

static void reason_of_err(const char *code, const Err *err, Reason *ret)
{
    *ret = (Reason){ 0 };
    (void)text_copy(ret->code, sizeof ret->code, code);
    (void)text_copy(ret->text, sizeof ret->text, err->text);
    (void)text_copy(ret->remedy, sizeof ret->remedy, err->remedy);
}

/* --- a run's end: batch row, spool handle, memory ----------------------------------------------------- */

static void say_idle(ScanService *s)
{
    if (s->running == 0 && s->sightings == 0 && s->idle)
        s->idle(s->idle_arg);
}

static void run_gone(Run *run)
{
    ScanService *s = run->service;
    Run **at = &s->runs;

    while (*at != run)
        at = &(*at)->next;
    *at = run->next;
    loop_timer_free(run->repeat);
    free(run);
    s->running--;
    say_idle(s);
}

static void closed_posted(void *arg)
{
    run_gone(arg);
}

static void spool_closed(void *arg)
{
    Run *run = arg;

    loop_post(run->service->config.loop, closed_posted, run);
}

static bool finish_write(Tx *tx, void *arg, Err *err)
{
    Run *run = arg;
    static const ScanOutcome outcomes[] = {
        [SCAN_END_COMPLETE] = SCAN_COMPLETE,
        [SCAN_END_CANCELLED] = SCAN_CANCELLED,
        [SCAN_END_BROKEN] = SCAN_BROKEN,
    };
    BatchEvent event = flow_scan_ended(outcomes[run->end], run->pages_stored, &run->reason);

    return batch_apply(tx, &run->batch.id, event, &run->reason, err) &&
           queue_batch_advance(tx, &run->batch.id, err);
}

static void finish(void *arg);

static void finish_posted(void *arg)
{
    Run *run = arg;
    char text[256];

    if (!run->ok) {
        /* Disk full or the like: the batch must not stay "receiving" for ever. */
        log_failure("scan.end-not-recorded", run, &run->err);
        if (run->repeat && run->err.kind == ERR_TEMPORARY) {
            loop_timer_start(run->repeat, mono_after(mono_now(), FINISH_REPEAT_MS));
            return;
        }
    }
    log_line(LOG_INFO, "scan.ended", "device=%s batch=%s pages=%u reason=%s text=%s", run->address,
             run->batch.id.text, run->pages_stored, run->reason.code[0] ? run->reason.code : "-",
             log_quote(text, sizeof text, run->reason.text));
    queue_wake(run->service->config.queue);
    if (run->spool)
        spool_batch_close(STEAL(run->spool), spool_closed, run);
    else
        run_gone(run);
}

static void finish_done(void *arg, bool ok, const Err *err)
{
    Run *run = arg;

    run->ok = ok;
    if (!ok)
        run->err = *err;
    loop_post(run->service->config.loop, finish_posted, run);
}

static void finish(void *arg)
{
    Run *run = arg;

    store_write(run->service->config.store, finish_write, finish_done, run);
}

/* The scan is over for the device; the batch ends when its last page came back. */
static void finish_if_settled(Run *run)
{
    if (run->is_over && run->pages_under_way == 0)
        finish(run);
}

static void scan_ended(void *scan_arg, ScanEnd end, const Reason *reason)
{
    Run *run = scan_arg;

    run->scan = NULL;
    run->is_over = true;
    run->end = end;
    run->reason = *reason;
    finish_if_settled(run);
}

/* --- pages --------------------------------------------------------------------------------------------- */

static void page_posted(void *arg)
{
    PageStep *step = arg;
    Run *run = step->run;
    Reason reason = { 0 };

    run->pages_under_way--;
    if (step->ok) {
        run->pages_stored++;
        queue_wake(run->service->config.queue);
    } else {
        reason_of_err("page-not-stored", &step->err, &reason);
        log_failure("page.not-stored", run, &step->err);
    }
    if (run->scan)
        device_scan_page_stored(run->scan, step->ok, &reason);
    free(step);
    finish_if_settled(run);
}

static bool page_write(Tx *tx, void *arg, Err *err)
{
    PageStep *step = arg;

    return page_insert(tx, &step->page, err);
}

static void page_row_done(void *arg, bool ok, const Err *err)
{
    PageStep *step = arg;

    step->ok = ok;
    if (!ok)
        step->err = *err;
    fault_point("server.page-committed");
    loop_post(step->run->service->config.loop, page_posted, step);
}

/* Spool thread: the file is durable, now its row. */
static void page_file_done(void *arg, bool ok, const Page *page, const Err *err)
{
    PageStep *step = arg;

    if (!ok) {
        page_row_done(step, false, err);
        return;
    }
    step->page = *page;
    step->page.batch = step->run->batch.id;
    store_write(step->run->service->config.store, page_write, page_row_done, step);
}

static void page_begin(void *scan_arg, uint32_t number, char side)
{
    Run *run = scan_arg;

    spool_page_begin(run->spool, number, side);
}

static void drained_posted(void *arg)
{
    Run *run = arg;

    if (run->paused && run->scan && spool_unwritten(run->spool) < SPOOL_UNWRITTEN_MAX) {
        run->paused = false;
        device_scan_resume(run->scan);
    }
}

static void spool_drained(void *arg)
{
    Run *run = arg;

    loop_post(run->service->config.loop, drained_posted, run);
}

static void page_bytes(void *scan_arg, Bytes bytes)
{
    Run *run = scan_arg;

    spool_page_bytes(run->spool, bytes);
    if (!run->paused && run->scan && spool_unwritten(run->spool) > SPOOL_UNWRITTEN_MAX) {
        run->paused = true;
        device_scan_pause(run->scan);
    }
}

static void page_end(void *scan_arg, uint32_t dpi)
{
    Run *run = scan_arg;
    PageStep *step = calloc(1, sizeof *step);

    run->pages_under_way++;
    if (!step) {
        Reason reason = { .code = "out-of-memory",
                          .text = "The server has no memory left.",
                          .remedy = "Free memory on the server and scan again." };

        spool_page_drop(run->spool);
        run->pages_under_way--;
        device_scan_page_stored(run->scan, false, &reason);
        return;
    }
    step->run = run;
    spool_page_end(run->spool, dpi, page_file_done, step);
}

static void page_drop(void *scan_arg)
{
    Run *run = scan_arg;

    spool_page_drop(run->spool);
}

/* --- what the device says of itself --------------------------------------------------------------------- */
typedef struct Learned {
    DeviceId id;
    DeviceIdentity identity;
} Learned;

static bool identified_write(Tx *tx, void *arg, Err *err)
{
    const Learned *l = arg;

    return device_identified(tx, &l->id, l->identity.product, l->identity.serial,
                             l->identity.firmware, err);
}

static void free_done(void *arg, bool ok, const Err *err)
{
    char quoted[256];

    if (!ok)
        log_line(LOG_WARNING, "device.not-recorded", "error=%s",
                 log_quote(quoted, sizeof quoted, err->text));
    free(arg);
}

static void identified(void *scan_arg, const DeviceIdentity *identity)
{
    Run *run = scan_arg;
    Learned *learned = calloc(1, sizeof *learned);

    if (!learned)
        return; /* it says so again at the next scan */
    *learned = (Learned){ run->device.id, *identity };
    store_write(run->service->config.store, identified_write, free_done, learned);
}

typedef struct Sighting {
    ScanService *service;
    char address[ADDRESS_TEXT_SIZE], product[PRODUCT_TEXT_SIZE];
    Device device;
} Sighting;

static bool sighted_write(Tx *tx, void *arg, Err *err)
{
    Sighting *s = arg;

    return device_sighted(tx, s->address, s->product, &s->device, err);
}

static void sighted_posted(void *arg)
{
    Sighting *s = arg;

    s->service->sightings--;
    say_idle(s->service);
    free(s);
}

static void sighted_done(void *arg, bool ok, const Err *err)
{
    Sighting *s = arg;
    char quoted[256];

    if (!ok)
        log_line(LOG_WARNING, "device.not-recorded", "address=%s error=%s", s->address,
                 log_quote(quoted, sizeof quoted, err->text));
    loop_post(s->service->config.loop, sighted_posted, s);
}

static void seen(void *arg, const DeviceSighting *sighting)
{
    ScanService *service = arg;
    Sighting *s = service->sightings < SIGHTINGS_UNDER_WAY_MAX ? calloc(1, sizeof *s) : NULL;

    if (!s)
        return; /* a device announces itself every minute */
    s->service = service;
    service->sightings++;
    (void)text_copy(s->address, sizeof s->address, sighting->address);
    (void)text_copy(s->product, sizeof s->product, sighting->product);
    store_write(service->config.store, sighted_write, sighted_done, s);
}

/* --- Start was pressed ------------------------------------------------------------------------------------ */

static void refuse(Run *run)
{
    if (run->press)
        device_press_refuse(STEAL(run->press));
}

static void accept_posted(void *arg)
{
    Run *run = arg;
    const Job *job = &run->batch.job;
    ScanOrder order = { (ScanSource)job->source, (ScanColor)job->color, (uint32_t)job->dpi,
                        (uint32_t)job->jpeg_quality };

    if (!run->ok) {
        log_failure("scan.refused", run, &run->err);
        reason_of_err("spool-failed", &run->err, &run->reason);
        refuse(run);
    } else {
        spool_on_drained(run->spool, spool_drained, run);
        run->scan = run->press ? device_press_accept(STEAL(run->press), &order, run) : NULL;
        if (run->scan)
            return;
        run->reason = (Reason){ .code = "panel-gone",
                                .text = "The panel hung up before the scan.",
                                .remedy = "Press Start again." };
    }
    run->is_over = true;
    run->end = SCAN_END_BROKEN;
    finish_if_settled(run);
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

static void admit_posted(void *arg)
{
    Run *run = arg;
    char quoted[256];

    if (!run->ok)
        reason_of_err("store-failed", &run->err, &run->reason);
    if (!run->ok || !run->admitted) {
        log_line(LOG_WARNING, "scan.refused", "device=%s choice=%s reason=%s text=%s", run->address,
                 run->choice, run->reason.code, log_quote(quoted, sizeof quoted, run->reason.text));
        refuse(run);
        run_gone(run);
        return;
    }
    log_line(LOG_INFO, "scan.accepted", "device=%s batch=%s choice=%s", run->address,
             run->batch.id.text, run->choice);
    run->spool = spool_batch_open(run->service->config.spool, &run->batch, &run->device,
                                  batch_opened, run);
    if (!run->spool) {
        err_set(&run->err, ERR_TEMPORARY, ENOMEM, "no memory for a batch");
        run->ok = false;
        accept_posted(run);
    }
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

    (void)text_copy(event.device, sizeof event.device, run->device.id.text);
    (void)text_printf(event.text, sizeof event.text, "%s %s", run->reason.text, run->reason.remedy);
    return event_insert(tx, &event, err);
}

/* The batch row of an admitted press: a copy of the job, the civil day of the site. */
static bool insert_batch(Tx *tx, Run *run, const StoredJob *job, Err *err)
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
    bool has_group = id_parse(run->device.settings.job_group, &group_id) &&
                     job_group_get(tx_db(tx), &group_id, &group, err);
    ScanRequest request = { .device = &run->device,
                            .group = has_group ? &group.group : NULL,
                            .panel_choice = run->choice,
                            .draining = run->service->draining };
    int chosen = flow_scan_admit(&request, &run->reason);
    if (chosen < 0)
        return refused(tx, run, err);
    if (!spool_space_check(run->service->config.spool, err)) {
        reason_of_err("disk-full", err, &run->reason);
        return refused(tx, run, err);
    }
    JobId job_id;
    return id_parse(group.group.jobs[chosen].job, &job_id) &&
           job_get(tx_db(tx), &job_id, &job, err) && insert_batch(tx, run, &job, err);
}

static void pressed(void *arg, DevicePress *press, const DeviceSighting *sighting,
                    const char *choice)
{
    ScanService *service = arg;
    Run *run = calloc(1, sizeof *run);
    Err err;

    if (run)
        run->repeat = loop_timer_new(service->config.loop, finish, run, &err);
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
    (void)text_copy(run->choice, sizeof run->choice, choice);
    store_write(service->config.store, admit_write, admit_done, run);
}

/* --- the service ------------------------------------------------------------------------------------------- */

static const DeviceHost scan_host = {
    .seen = seen,
    .pressed = pressed,
    .identified = identified,
    .page_begin = page_begin,
    .page_bytes = page_bytes,
    .page_end = page_end,
    .page_drop = page_drop,
    .ended = scan_ended,
};

ScanService *scan_service_open(const ScanServiceConfig *config, Err *err)
{
    AUTO(ScanService) service = calloc(1, sizeof *service);

    if (!service) {
        err_set(err, ERR_TEMPORARY, ENOMEM, "no memory for the scan service");
        return NULL;
    }
    service->config = *config;
    service->config.link.host = &scan_host;
    service->config.link.arg = service;
    service->link = device_link_open(config->loop, &service->config.link, err);
    return service->link ? STEAL(service) : NULL;
}

void scan_service_drain(ScanService *service)
{
    service->draining = true;
}

void scan_service_stop_at_page(ScanService *service)
{
    for (Run *run = service->runs; run; run = run->next)
        if (run->scan)
            device_scan_stop_at_page(run->scan);
}

unsigned scan_service_running(const ScanService *service)
{
    return service->running + service->sightings;
}

void scan_service_on_idle(ScanService *service, LoopFn *idle, void *arg)
{
    service->idle = idle;
    service->idle_arg = arg;
}

void scan_service_abort(ScanService *service)
{
    service->draining = true;
    for (Run *run = service->runs; run; run = run->next)
        refuse(run);
    device_link_close(STEAL(service->link));
}

void scan_service_free(ScanService *service)
{
    if (!service)
        return;
    device_link_close(service->link);
    while (service->runs) {
        Run *run = service->runs;

        service->runs = run->next;
        loop_timer_free(run->repeat);
        free(run);
    }
    free(service);
}
