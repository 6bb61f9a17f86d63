/* scan/run.c - a scan that runs: its pages, and the end of its batch. See run.h. */
#include "scan/run.h"

#include "base/fault.h"
#include "base/log.h"
#include "base/text.h"
#include "store/spool-remove.h"

#include <errno.h>
#include <malloc.h>

enum { FINISH_REPEAT_MS = 1000 };

void run_log_failure(const char *event, const Run *run, const Err *err)
{
    char quoted[256], remedy[176];

    log_line(LOG_ERROR, event, "device=%s batch=%s error=%s remedy=%s", run->address,
             run->batch.id.text, log_quote(quoted, sizeof quoted, err->text),
             log_quote(remedy, sizeof remedy, err->remedy));
}

DeviceReach reach_of(const ScanService *service, const Device *device)
{
    DeviceReach reach = {
        .transport = device_transport(service->config.link.quirks, device),
        .was_modern = device->tls == DEVICE_TLS_MODERN,
        .traits.back_rotation = (DeviceBackRotation)device->settings.back_rotation
    };

    (void)text_copy(reach.certificate, sizeof reach.certificate, device->certificate);
    return reach;
}

void reason_of_err(const char *code, const Err *err, Reason *ret)
{
    *ret = (Reason){ 0 };
    (void)text_copy(ret->code, sizeof ret->code, code);
    (void)text_copy(ret->text, sizeof ret->text, err->text);
    (void)text_copy(ret->remedy, sizeof ret->remedy, err->remedy);
}

/* --- a run's end: batch row, spool handle, memory ----------------------------------------------------- */

void run_gone(Run *run)
{
    ScanService *s = run->service;
    Run **at = &s->runs;

    while (*at != run)
        at = &(*at)->next;
    *at = run->next;
    for (Run *r = s->runs; r; r = r->next)
        if (text_equal(r->address, run->address))
            run_wait_over(r);
    loop_timer_free(run->again);
    loop_timer_free(run->repeat);
    free(run);
    /* What many scans at once took lies in pieces between what lives on: without this the process stays as large as its
     * busiest second. Takes a millisecond or two. */
    if (!s->runs)
        (void)malloc_trim(0);
    s->running--;
    service_say_idle(s);
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

/* Somebody may be in between: worth an event of its own. */
static bool is_alarming(const Reason *reason)
{
    return text_equal(reason->code, "certificate-changed") ||
           text_equal(reason->code, "tls-downgraded") || text_equal(reason->code, "tls-lost");
}

static bool finish_write(Tx *tx, void *arg, Err *err)
{
    Run *run = arg;

    if (run->withdrawn)
        return batch_withdraw(tx, &run->batch, run->device.last_scan, run->reason.text, err);
    return batch_apply(tx, &run->batch.id, run->ended_as, &run->reason, err) &&
           (!is_alarming(&run->reason) || device_alarm(tx, &run->device.id, &run->reason, err)) &&
           (!run->looked_over || device_warned(tx, &run->device.id, &run->warnings, err)) &&
           (!run->another.code[0] || run->service->config.identify ||
            device_distrust(tx, &run->device.id, run->another.text, err)) &&
           queue_batch_advance(tx, &run->batch.id, err);
}

static void finish_posted(void *arg)
{
    Run *run = arg;
    char text[256];

    if (!run->ok) {
        /* Disk full or the like: the batch must not stay "receiving" for ever. */
        run_log_failure("scan.end-not-recorded", run, &run->err);
        if (run->repeat && run->err.kind == ERR_TEMPORARY) {
            loop_timer_start(run->repeat, mono_after(mono_now(), FINISH_REPEAT_MS));
            return;
        }
    }
    if (run->withdrawn && run->ok) {
        log_line(LOG_INFO, "scan.forgotten", "device=%s choice=%s reason=%s", run->address,
                 run->choice, run->reason.code);
        run_gone(run);
        return;
    }
    /* What broke a batch wants a person; a good end, and a cancel by a person, do not. */
    log_line(run->ended_as == BATCH_EVENT_BREAK ? LOG_WARNING : LOG_INFO, "scan.ended",
             "device=%s batch=%s pages=%u reason=%s text=%s", run->address, run->batch.id.text,
             run->pages_stored, run->reason.code[0] ? run->reason.code : "-",
             log_quote(text, sizeof text, run->reason.text));
    queue_wake(run->service->config.queue);
    if (run->another.code[0] && run->service->config.identify)
        identity_another(run->service, &run->device, &run->identity, run->another.text);
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

void run_finish(void *arg)
{
    static const ScanOutcome outcomes[] = {
        [SCAN_END_COMPLETE] = SCAN_COMPLETE,
        [SCAN_END_CANCELLED] = SCAN_CANCELLED,
        [SCAN_END_BROKEN] = SCAN_BROKEN,
    };
    Run *run = arg;

    run->ended_as = flow_scan_ended(outcomes[run->end], run->pages_stored, &run->reason);
    store_write(run->service->config.store, finish_write, finish_done, run);
}

/* The scan is over for the device; the batch ends when its last page came back. */
static void finish_if_settled(Run *run)
{
    if (run->is_over && run->pages_under_way == 0)
        run_finish(run);
}

void run_over(Run *run, ScanEnd end)
{
    run->is_over = true;
    run->end = end;
    finish_if_settled(run);
}

static void withdrawn_posted(void *arg)
{
    run_over(arg, SCAN_END_BROKEN);
}

/* Spool thread. The folder first: one without a row would be taken for a batch by the next start. */
static void withdrawn_closed(void *arg)
{
    Run *run = arg;
    bool foreign;

    if (!spool_folder_remove(spool_path(run->service->config.spool), run->batch.folder, &foreign,
                             &run->err)) {
        run_log_failure("scan.not-withdrawn", run, &run->err);
        run->withdrawn = false; /* a broken batch says what the folder is */
    }
    loop_post(run->service->config.loop, withdrawn_posted, run);
}

void run_withdraw(Run *run, const Reason *why)
{
    run->withdrawn = true;
    run->reason = *why;
    run_refuse(run);
    if (run->spool)
        spool_batch_close(STEAL(run->spool), withdrawn_closed, run);
    else
        run_over(run, SCAN_END_BROKEN);
}

void run_ended(void *scan_arg, ScanEnd end, const Reason *reason)
{
    Run *run = scan_arg;

    run->scan = NULL;
    run->reason = *reason;
    run_over(run, end);
}

/* One page between page_end and page_stored. */
typedef struct PageStep {
    Run *run;
    Page page;
    bool ok;
    Err err;
} PageStep;

/* --- pages --------------------------------------------------------------------------------------------- */

static void page_posted(void *arg)
{
    PageStep *step = arg;
    Run *run = step->run;
    Reason reason = { 0 };

    run->pages_under_way--;
    if (step->ok) {
        run->pages_stored++;
        queue_page_stored(run->service->config.queue);
    } else {
        reason_of_err("page-not-stored", &step->err, &reason);
        run_log_failure("page.not-stored", run, &step->err);
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

/* What a device says in between, as an event of the batch. */
typedef struct Notice {
    Event event;
} Notice;

static bool notice_write(Tx *tx, void *arg, Err *err)
{
    Notice *n = arg;

    return event_insert(tx, &n->event, err);
}

static void notice_done(void *arg, bool ok, const Err *err)
{
    char quoted[256];

    if (!ok)
        log_line(LOG_WARNING, "scan.not-noted", "batch=%s error=%s", ((Notice *)arg)->event.batch,
                 log_quote(quoted, sizeof quoted, err->text));
    free(arg);
}

typedef struct Wait {
    BatchId id;
    uint32_t seconds; /* 0: no longer */
} Wait;

static bool wait_write(Tx *tx, void *arg, Err *err)
{
    const Wait *wait = arg;

    return batch_waits(tx, &wait->id, wait->seconds, err);
}

static void wait_done(void *arg, bool ok, const Err *err)
{
    char quoted[256];

    if (!ok)
        log_line(LOG_WARNING, "scan.not-noted", "batch=%s error=%s", ((Wait *)arg)->id.text,
                 log_quote(quoted, sizeof quoted, err->text));
    free(arg);
}

static void record_wait(Run *run, uint32_t seconds)
{
    Wait *wait = calloc(1, sizeof *wait);

    if (!wait)
        return; /* the log has it */
    *wait = (Wait){ run->batch.id, seconds };
    store_write(run->service->config.store, wait_write, wait_done, wait);
}

void run_noticed(void *scan_arg, const char *notice)
{
    Run *run = scan_arg;
    bool again = text_equal(run->last_notice, notice);

    /* A state of the batch, however many notices there were. */
    if (text_equal(notice, SCAN_NOTICE_WAITS))
        record_wait(run, (uint32_t)run->batch.job.wait_for_sheets_s);
    else if (text_equal(notice, SCAN_NOTICE_SHEETS))
        record_wait(run, 0);
    /* One that comes with every answer is one event. */
    if (again || run->notices == RUN_NOTICES_MAX)
        return;
    log_line(LOG_INFO, "scan.notice", "device=%s batch=%s notice=%s", run->address,
             run->batch.id.text, notice);
    run->notices++;
    (void)text_copy(run->last_notice, sizeof run->last_notice, notice);
    Notice *n = calloc(1, sizeof *n);
    if (!n)
        return; /* the log has it */
    (void)text_copy(n->event.batch, sizeof n->event.batch, run->batch.id.text);
    (void)text_copy(n->event.device, sizeof n->event.device, run->device.id.text);
    (void)text_copy(n->event.kind, sizeof n->event.kind, "scan.notice");
    (void)text_copy(n->event.text, sizeof n->event.text, notice);
    store_write(run->service->config.store, notice_write, notice_done, n);
}

void run_page_begin(void *scan_arg, uint32_t number, char side, PageFormat format)
{
    Run *run = scan_arg;

    spool_page_begin(run->spool, number, side, format);
}

static void drained_posted(void *arg)
{
    Run *run = arg;

    if (run->paused && run->scan && !spool_is_full(run->spool)) {
        run->paused = false;
        device_scan_resume(run->scan);
    }
}

void run_spool_drained(void *arg)
{
    Run *run = arg;

    loop_post(run->service->config.loop, drained_posted, run);
}

void run_page_bytes(void *scan_arg, char side, Bytes bytes)
{
    Run *run = scan_arg;

    spool_page_bytes(run->spool, side, bytes);
    if (!run->paused && run->scan && spool_is_full(run->spool)) {
        run->paused = true;
        device_scan_pause(run->scan);
    }
}

void run_page_end(void *scan_arg, char side, const PageNotes *notes)
{
    Run *run = scan_arg;
    PageStep *step = calloc(1, sizeof *step);

    run->pages_under_way++;
    if (!step) {
        Reason reason = { .code = "out-of-memory",
                          .text = "The server has no memory left.",
                          .remedy = "Free memory on the server and scan again." };

        spool_page_drop(run->spool, side);
        run->pages_under_way--;
        device_scan_page_stored(run->scan, false, &reason);
        return;
    }
    step->run = run;
    spool_page_end(run->spool, side, notes, page_file_done, step);
}

void run_page_drop(void *scan_arg, char side)
{
    Run *run = scan_arg;

    spool_page_drop(run->spool, side);
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
                             l->identity.firmware, err) &&
           device_certified(tx, &l->id, l->identity.certificate, err) &&
           device_tls_learned(tx, &l->id, l->identity.tls, l->identity.tls_version, err);
}

static void free_done(void *arg, bool ok, const Err *err)
{
    char quoted[256];

    if (!ok)
        log_line(LOG_WARNING, "device.not-recorded", "error=%s",
                 log_quote(quoted, sizeof quoted, err->text));
    free(arg);
}

void run_identified(void *scan_arg, const DeviceIdentity *identity)
{
    Run *run = scan_arg;

    if (!flow_scan_identify(&run->device, identity->serial, &run->another)) {
        run->identity = *identity;
        device_scan_refuse(run->scan, &run->another);
        return;
    }
    Learned *learned = calloc(1, sizeof *learned);
    if (!learned)
        return; /* it says so again at the next scan */
    *learned = (Learned){ run->device.id, *identity };
    store_write(run->service->config.store, identified_write, free_done, learned);
}

typedef struct Offered {
    DeviceId id;
    DeviceOffer offer;
} Offered;

static bool offered_write(Tx *tx, void *arg, Err *err)
{
    const Offered *o = arg;

    return device_offered(tx, &o->id, &o->offer, err);
}

void run_offered(void *scan_arg, const DeviceOffer *offer)
{
    Run *run = scan_arg;
    Offered *offered = run->another.code[0] ? NULL : calloc(1, sizeof *offered);

    run->looked_over = !run->another.code[0];

    if (!offered)
        return; /* it says so again at the next scan */
    *offered = (Offered){ run->device.id, *offer };
    store_write(run->service->config.store, offered_write, free_done, offered);
}

typedef struct Noted {
    BatchId id;
    ScanNotes notes;
} Noted;

static bool noted_write(Tx *tx, void *arg, Err *err)
{
    const Noted *n = arg;

    return batch_note(tx, &n->id, &n->notes, err);
}

static void noted_done(void *arg, bool ok, const Err *err)
{
    char quoted[256];

    if (!ok)
        log_line(LOG_WARNING, "scan.not-noted", "batch=%s error=%s", ((Noted *)arg)->id.text,
                 log_quote(quoted, sizeof quoted, err->text));
    free(arg);
}

/* The notes of the batch: what is not as the job says, then what the device warns of. */
static void record_notes(Run *run)
{
    ScanNotes all = run->wishes;

    for (size_t i = 0; i < run->warnings.count; i++)
        (void)scan_note_once(&all, &run->warnings.note[i]);
    spool_notes(run->spool, &all);
    Noted *noted = calloc(1, sizeof *noted);
    if (!noted)
        return; /* batch.json and the log have them */
    *noted = (Noted){ run->batch.id, all };
    store_write(run->service->config.store, noted_write, noted_done, noted);
}

void run_noted(void *scan_arg, const ScanNotes *notes)
{
    Run *run = scan_arg;
    char quoted[256];

    if (notes->count == 0 && run->wishes.count == 0)
        return;
    run->wishes = *notes;
    for (size_t i = 0; i < notes->count; i++)
        log_line(LOG_INFO, "scan.noted", "batch=%s setting=%s text=%s", run->batch.id.text,
                 notes->note[i].setting, log_quote(quoted, sizeof quoted, notes->note[i].text));
    record_notes(run);
}

void run_warned(void *scan_arg, const ScanNotes *warnings)
{
    Run *run = scan_arg;
    char text[256], remedy[128];

    for (size_t i = run->warnings.count; i < warnings->count; i++) {
        const ScanNote *note = &warnings->note[i];

        log_line(LOG_WARNING, "scan.warned",
                 "device=%s batch=%s warning=%s page=%u text=%s remedy=%s", run->address,
                 run->batch.id.text, note->warning, note->page,
                 log_quote(text, sizeof text, note->text),
                 log_quote(remedy, sizeof remedy, note->remedy));
    }
    run->warnings = *warnings;
    record_notes(run);
}
