/* flow/batch.c - see batch.h. */
#include "flow/batch.h"

#include "base/text.h"

static BatchStep step(BatchEvent event)
{
    return (BatchStep){ .any = true, .event = event };
}

static BatchStep stuck(const char *code, const char *text, const char *remedy)
{
    BatchStep s = step(BATCH_EVENT_STUCK);

    (void)text_copy(s.reason.code, sizeof s.reason.code, code);
    (void)text_copy(s.reason.text, sizeof s.reason.text, text);
    (void)text_copy(s.reason.remedy, sizeof s.reason.remedy, remedy);
    return s;
}

static BatchStep next_of_composing(const BatchSummary *b)
{
    if (b->documents_failed > 0)
        return stuck("compose-failed", "A document could not be written.",
                     "See the document's error, mend its cause, then retry the batch.");
    if (!b->planned && b->pages > 0 && b->pages_damaged == b->pages)
        return stuck("no-readable-page", "No page of the batch can be put into a document.",
                     "See the warnings of its pages; scan again.");
    if (b->planned && b->documents_open == 0) {
        BatchStep s = step(BATCH_EVENT_WRITTEN);

        s.insert_deliveries = b->deliveries == 0;
        return s;
    }
    return (BatchStep){ 0 };
}

static BatchStep next_of_delivering(const BatchSummary *b)
{
    if (b->deliveries_done == b->deliveries && b->pages_damaged > 0)
        return stuck(
            "pages-left-out", "All is delivered but pages that are damaged.",
            "See the warnings of its pages and scan those again; retry then ends the batch.");
    if (b->deliveries_done == b->deliveries)
        return step(BATCH_EVENT_DELIVERED);
    if (b->deliveries_open == 0)
        return stuck("delivery-stopped", "A delivery stopped and waits for a person.",
                     "See the delivery's cure, then retry the batch.");
    return (BatchStep){ 0 };
}

BatchStep flow_batch_next(const BatchSummary *b)
{
    switch (b->state) {
    case BATCH_RECEIVED:
        return b->pages_unsettled == 0 ? step(BATCH_EVENT_COMPOSE) : (BatchStep){ 0 };
    case BATCH_COMPOSING:
        return next_of_composing(b);
    case BATCH_DELIVERING:
        return next_of_delivering(b);
    case BATCH_BROKEN:
        return b->keep_partial && b->pages > 0 ? step(BATCH_EVENT_DELIVER) : (BatchStep){ 0 };
    default:
        return (BatchStep){ 0 };
    }
}

BatchStep flow_batch_retry(const BatchSummary *b)
{
    if (b->state != BATCH_ATTENTION)
        return (BatchStep){ 0 };
    return step(b->deliveries > 0 ? BATCH_EVENT_RETRY_DELIVERY : BATCH_EVENT_RETRY_COMPOSE);
}

BatchStep flow_batch_settle(const BatchSummary *b)
{
    return b->deliveries > 0 && b->deliveries_done == b->deliveries ? step(BATCH_EVENT_DELIVERED)
                                                                    : (BatchStep){ 0 };
}
