/* scan/cancel.c - a person ends a scan at the server, from another thread. See service.h. */
#include "base/log.h"
#include "base/text.h"
#include "scan/run.h"

#include <errno.h>

typedef struct Cancel {
    ScanService *service;
    BatchId batch;
    const Actor *actor; /* for the write only */
} Cancel;

/* Writer thread. */
static bool cancel_write(Tx *tx, void *arg, Err *err)
{
    const Cancel *cancel = arg;
    Batch batch;

    if (!batch_get(tx_db(tx), &cancel->batch, &batch, err))
        return false;
    if (batch.state != BATCH_RECEIVING) {
        err_set(err, ERR_CONFLICT, 0, "batch %s is %s: it has no scan that could be cancelled",
                batch.id.text, batch_state_words[batch.state]);
        return err_remedy(err, "platen batch purge removes its pages.");
    }
    return audit_insert(tx, cancel->actor, "batch.cancel", "batch", batch.id.text, "", err);
}

static void cancel_in(Run *runs, const BatchId *batch)
{
    for (Run *run = runs; run; run = run->next) {
        /* Until the batch is opened in the spool its id is the writer's; a pulled run is whole. */
        if ((!run->spool && !run->is_pull) || !text_equal(run->batch.id.text, batch->text))
            continue;
        run->cancelled = true;
        if (run->scan)
            device_scan_cancel(run->scan);
    }
}

/* Loop thread. A run that is not there any more has ended meanwhile. */
static void cancel_posted(void *arg)
{
    Cancel *cancel = arg;
    ScanService *service = cancel->service;

    cancel_in(service->runs, &cancel->batch);
    pthread_mutex_lock(&service->pulled_lock);
    cancel_in(service->pulled, &cancel->batch);
    pthread_mutex_unlock(&service->pulled_lock);
    free(cancel);
    service->pulls--;
    service_say_idle(service);
}

bool scan_service_cancel(ScanService *service, const BatchId *batch, const Actor *actor, Err *err)
{
    Cancel *cancel = calloc(1, sizeof *cancel);

    if (!cancel)
        return err_set(err, ERR_TEMPORARY, ENOMEM, "no memory to cancel a scan");
    *cancel = (Cancel){ service, *batch, actor };
    service->pulls++;
    if (!store_write_wait(service->config.store, cancel_write, cancel, err)) {
        cancel->batch = (BatchId){ "" }; /* nobody's: the loop only takes note that it is done */
    } else {
        log_line(LOG_INFO, "scan.cancelled", "batch=%s by=%s", batch->text, actor->name);
    }
    bool ok = cancel->batch.text[0] != '\0';
    loop_post(service->config.loop, cancel_posted, cancel);
    return ok;
}
