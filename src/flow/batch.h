/* flow/batch.h - what a batch does next. Pure: rows and events in, a step out.
 *
 * Whoever changes a row of a batch (a scan that ended, a worker that finished, a person) asks
 * flow_batch_next() in the same transaction and applies the step, until there is none. */
#ifndef PLATEN_FLOW_BATCH_H
#define PLATEN_FLOW_BATCH_H

#include "model/batch.h"

typedef struct BatchStep {
    bool any;               /* false: nothing to do, the rest is unset     */
    BatchEvent event;       /* to apply to the batch                       */
    bool insert_deliveries; /* effect: one delivery per document and destination */
    Reason reason;          /* why, for steps that need a person; code "" else  */
} BatchStep;

/* The step that follows from the rows as they are. */
BatchStep flow_batch_next(const BatchSummary *summary);

/* The step of a person who says "try again" after the rows were made ready for it; any=false when the batch
 * is in no state for it. */
BatchStep flow_batch_retry(const BatchSummary *summary);

/* The step after that one, of a batch whose deliveries were all done already: the person has seen
 * that pages were left out, and the batch ends. any=false: flow_batch_next() goes on as always. */
BatchStep flow_batch_settle(const BatchSummary *summary);

#endif
