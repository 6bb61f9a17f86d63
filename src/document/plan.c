/* document/plan.c - see plan.h. */
#include "document/plan.h"

#include "base/text.h"
#include "document/format.h"

#include <stdlib.h>

void plan_free(Plan *plan)
{
    if (!plan)
        return;
    free(plan->pages);
    free(plan->documents);
    free(plan);
}

/* Collates: sheets in the order in which they lay, fronts before backs. */
static bool order_pages(const PlanInput *input, Plan *plan, Err *err)
{
    if (input->page_count == 0 || input->page_count > BATCH_PAGES_MAX)
        return err_set(err, ERR_BAD_INPUT, 0, "a batch of %zu pages cannot be planned (1 to %d)",
                       input->page_count, BATCH_PAGES_MAX);
    plan->pages = calloc(input->page_count, sizeof *plan->pages);
    if (!plan->pages)
        return err_set(err, ERR_TEMPORARY, 0, "no memory for %zu pages", input->page_count);
    plan->page_count = input->page_count;
    for (size_t i = 0; i < input->page_count; i++)
        plan->pages[i] = input->pages[i];
    page_order(plan->pages, plan->page_count, false);
    for (size_t i = 0; i < plan->page_count; i++)
        if (plan->pages[i].number == (i ? plan->pages[i - 1].number : 0))
            return err_set(err, ERR_BAD_INPUT, 0, "page %u is %s", plan->pages[i].number,
                           plan->pages[i].number ? "there twice" : "not a page number");
    page_order(plan->pages, plan->page_count, input->last_first);
    return true;
}

/* Splits: one document of all pages, or one per page where the format holds only one. */
static bool split(Plan *plan, bool multi_page, Err *err)
{
    plan->document_count = multi_page ? 1 : plan->page_count;
    plan->documents = calloc(plan->document_count, sizeof *plan->documents);
    if (!plan->documents)
        return err_set(err, ERR_TEMPORARY, 0, "no memory for %zu documents", plan->document_count);
    for (size_t i = 0; i < plan->document_count; i++) {
        plan->documents[i].number = (uint32_t)i + 1;
        plan->documents[i].first = (uint32_t)i;
        plan->documents[i].count = multi_page ? (uint32_t)plan->page_count : 1;
    }
    return true;
}

/* Names; the index is called like the first document. */
static bool name_documents(const PlanInput *input, Plan *plan, Err *err)
{
    const char *pattern = input->job->file_name;
    bool apart = name_tells_documents_apart(pattern);

    for (size_t i = 0; i < plan->document_count; i++) {
        PlanDocument *document = &plan->documents[i];
        NameFacts facts = { .started = input->started,
                            .utc_offset_min = input->utc_offset_min,
                            .job = input->job->name,
                            .device = input->device,
                            .document = document->number,
                            .pages = document->count };
        char name[NAME_TEMPLATE_SIZE];

        if (!name_resolve(pattern, &facts, name, err))
            return err_field(err, "file_name");
        if (i == 0 || apart)
            (void)text_copy(document->name, sizeof document->name, name);
        else if (!text_printf(document->name, sizeof document->name, "%s_%u", name,
                              document->number))
            return err_set(err, ERR_BAD_INPUT, 0, "file name is too long");
    }
    plan->has_index = input->job->index == INDEX_FORMAT_CSV;
    plan->index_extension = "csv";
    (void)text_copy(plan->index_name, sizeof plan->index_name, plan->documents[0].name);
    return true;
}

Plan *plan_make(const PlanInput *input, Err *err)
{
    AUTO(Plan) plan = calloc(1, sizeof *plan);
    const FormatType *format = NULL;

    if (!plan) {
        err_set(err, ERR_TEMPORARY, 0, "no memory for a plan");
        return NULL;
    }
    if (input->job->file_format >= 0 && input->job->file_format < FILE_FORMAT_MAX_)
        format = format_find(file_format_words[input->job->file_format]);
    if (!format) {
        err_set(err, ERR_BUG, 0, "no such file format");
        return NULL;
    }
    plan->extension = format->extension;
    if (!order_pages(input, plan, err) || !split(plan, format->multi_page, err) ||
        !name_documents(input, plan, err))
        return NULL;
    return STEAL(plan);
}
