/* document/plan.h - from the facts of a whole batch to its documents: which pages, which name.
 *
 * Pure: no pixels, no files, no clock. The same facts and the same job give the same documents. The
 * plan orders pages, groups them and resolves names except for the counter, which the store takes
 * when it makes the documents. */
#ifndef PLATEN_DOCUMENT_PLAN_H
#define PLATEN_DOCUMENT_PLAN_H

#include "base/cleanup.h"
#include "base/err.h"
#include "base/time.h"
#include "model/job.h"
#include "model/name.h"
#include "model/page-order.h"

typedef struct PlanInput {
    const Job *job;     /* as it was at Start                                    */
    const char *device; /* its name at Start                                     */
    Wall started;
    int utc_offset_min;
    bool last_first;      /* the feeder delivered the last sheet first       */
    const PageKey *pages; /* stored pages in any order, numbers unique       */
    size_t page_count;    /* 1..BATCH_PAGES_MAX                              */
} PlanInput;

typedef struct PlanDocument {
    uint32_t number;               /* 1.. within the batch                      */
    uint32_t first, count;         /* run of Plan.pages                         */
    char name[NAME_TEMPLATE_SIZE]; /* without extension; may have {seq:N}       */
} PlanDocument;

typedef struct Plan {
    PageKey *pages; /* in the order of the documents */
    size_t page_count;
    PlanDocument *documents;
    size_t document_count;
    const char *extension; /* of every document, static                */
    bool has_index;
    /* Like the first document's name; a {seq:N} in it stands for the first document's number. */
    char index_name[NAME_TEMPLATE_SIZE];
    const char *index_extension; /* static */
} Plan;

void plan_free(Plan *plan); /* accepts NULL */
DEFINE_AUTO(Plan, plan_free);

/* The plan, owned by the caller; NULL with err set: ERR_BAD_INPUT for a batch without pages, a page
 * number that is 0 or there twice, or a name pattern that is wrong; ERR_TEMPORARY when memory is gone.
 * When the pattern does not tell the documents of a batch apart, "_2", "_3" ... are appended. */
Plan *plan_make(const PlanInput *input, Err *err);

#endif
