/* scan/cancel.c - a person ends a scan at the server, or its wait for more sheets, from another thread. See
 * service.h. */
#include "base/log.h"
#include "base/text.h"
#include "scan/run.h"

#include <errno.h>

/* One way to end a scan. */
typedef struct EndKind {
    const char *action;  /* in the audit */
    const char *logged;  /* event of the log */
    bool of_wait;        /* only while more sheets are waited for */
    const char *refusal; /* of a batch where there is nothing to end, with its remedy */
    const char *remedy;
} EndKind;

static const EndKind cancelling = { .action = "batch.cancel",
                                    .logged = "scan.cancelled",
                                    .refusal = "it has no scan that could be cancelled",
                                    .remedy = "platen batch purge removes its pages." };
static const EndKind finishing = { .action = "batch.finish",
                                   .logged = "scan.finished",
                                   .of_wait = true,
                                   .refusal = "it does not wait for more sheets",
                                   .remedy = "platen batch cancel ends a scan that feeds or "
                                             "scans." };

typedef struct End {
    ScanService *service;
    const EndKind *kind;
    BatchId batch;
    const Actor *actor; /* for the write only */
} End;

/* Writer thread. */
static bool end_write(Tx *tx, void *arg, Err *err)
{
    const End *end = arg;
    Batch batch;

    if (!batch_get(tx_db(tx), &end->batch, &batch, err))
        return false;
    if (batch.state != BATCH_RECEIVING || (end->kind->of_wait && batch.sheets_until.ms == 0)) {
        err_set(err, ERR_CONFLICT, 0, "batch %s is %s: %s", batch.id.text,
                batch_state_words[batch.state], end->kind->refusal);
        return err_remedy(err, "%s", end->kind->remedy);
    }
    return audit_insert(tx, end->actor, end->kind->action, "batch", batch.id.text, "", err);
}

static void end_in(Run *runs, const End *end)
{
    for (Run *run = runs; run; run = run->next) {
        /* Until the batch is opened in the spool its id is the writer's; a pulled run is whole. */
        if ((!run->spool && !run->is_pull) || !text_equal(run->batch.id.text, end->batch.text))
            continue;
        if (end->kind->of_wait) {
            if (run->scan)
                device_scan_no_more_sheets(run->scan);
            continue;
        }
        run->cancelled = true;
        if (run->scan)
            device_scan_cancel(run->scan);
    }
}

/* Loop thread. A run that is not there any more has ended meanwhile. */
static void end_posted(void *arg)
{
    End *end = arg;
    ScanService *service = end->service;

    end_in(service->runs, end);
    pthread_mutex_lock(&service->pulled_lock);
    end_in(service->pulled, end);
    pthread_mutex_unlock(&service->pulled_lock);
    free(end);
    service->pulls--;
    service_say_idle(service);
}

static bool end_scan(ScanService *service, const EndKind *kind, const BatchId *batch,
                     const Actor *actor, Err *err)
{
    End *end = calloc(1, sizeof *end);

    if (!end)
        return err_set(err, ERR_TEMPORARY, ENOMEM, "no memory to end a scan");
    *end = (End){ service, kind, *batch, actor };
    service->pulls++;
    bool ok = store_write_wait(service->config.store, end_write, end, err);
    if (ok)
        log_line(LOG_INFO, kind->logged, "batch=%s by=%s", batch->text, actor->name);
    else
        end->batch = (BatchId){ "" }; /* nobody's: the loop only takes note that it is done */
    loop_post(service->config.loop, end_posted, end);
    return ok;
}

bool scan_service_cancel(ScanService *service, const BatchId *batch, const Actor *actor, Err *err)
{
    return end_scan(service, &cancelling, batch, actor, err);
}

bool scan_service_finish(ScanService *service, const BatchId *batch, const Actor *actor, Err *err)
{
    return end_scan(service, &finishing, batch, actor, err);
}
