/* worker/task-plan.c - the task "plan": from JSON to document/plan and back. Touches no file. */
#include "base/fault.h"
#include "base/limits.h"
#include "base/text.h"
#include "document/plan.h"
#include "worker/ask.h"
#include "worker/task.h"

#include <stdlib.h>

static bool word_index(const Json *object, const char *name, const char *const *words,
                       int64_t *ret_index, Err *err)
{
    const char *word = json_get_text(object, name);

    for (int64_t i = 0; words[i]; i++) {
        if (!text_equal(words[i], word))
            continue;
        *ret_index = i;
        return true;
    }
    err_set(err, ERR_BAD_INPUT, 0, "%s \"%s\" is not known", name, word);
    return err_field(err, "%s", name);
}

/* The members of the job that a plan depends on; others may be there. */
static bool read_job(const Json *object, Job *job, Err *err)
{
    static const char *const index_words[] = {
        [INDEX_FORMAT_NONE] = "none", [INDEX_FORMAT_CSV] = "csv", NULL
    };
    const char *name = NULL, *pattern = NULL;

    *job = (Job){ 0 };
    if (!ask_text(object, "name", &name, err) || !ask_text(object, "file_name", &pattern, err) ||
        !word_index(object, "file_format", file_format_words, &job->file_format, err) ||
        !word_index(object, "index", index_words, &job->index, err))
        return false;
    if (!text_copy(job->name, sizeof job->name, name) ||
        !text_copy(job->file_name, sizeof job->file_name, pattern))
        return err_set(err, ERR_BAD_INPUT, 0, "name or file_name of the job is too long");
    return true;
}

static bool read_page(const Json *object, PageKey *ret_page, Err *err)
{
    const char *side = NULL;
    int64_t number = 0;

    if (!ask_int(object, "number", 1, UINT32_MAX, &number, err) ||
        !ask_text(object, "side", &side, err))
        return false;
    *ret_page = (PageKey){ .number = (uint32_t)number, .side = side[0] };
    return true;
}

static Json *document_json(const Plan *plan, const PlanDocument *document)
{
    Json *object = json_new_object(), *pages = json_new_array();

    json_set_int(object, "number", document->number);
    json_set_text(object, "name", document->name);
    json_set_text(object, "extension", plan->extension);
    for (uint32_t i = 0; i < document->count; i++)
        json_add_int(pages, plan->pages[document->first + i].number);
    json_set_take(object, "pages", pages);
    json_set_take(object, "fields", json_new_object());
    return object;
}

static void add_plan(Json *result, const Plan *plan)
{
    Json *documents = json_new_array();

    for (size_t i = 0; i < plan->document_count; i++)
        json_add_take(documents, document_json(plan, &plan->documents[i]));
    json_set_take(result, "documents", documents);
    if (!plan->has_index) {
        json_set_null(result, "index");
        return;
    }
    Json *index = json_new_object();
    json_set_text(index, "name", plan->index_name);
    json_set_text(index, "extension", plan->index_extension);
    json_set_take(result, "index", index);
}

static bool plan_pages(const Json *task, PlanInput *input, PageKey *pages, Json *result, Err *err)
{
    const Json *array = json_get(task, "pages");

    for (size_t i = 0; i < input->page_count; i++)
        if (!read_page(json_item(array, i), &pages[i], err))
            return err_prefix(err, "pages[%zu]", i);
    input->pages = pages;
    AUTO(Plan) plan = plan_make(input, err);
    if (!plan)
        return false;
    add_plan(result, plan);
    return true;
}

bool task_plan(const Json *task, int folder_fd, Json *result, Err *err)
{
    const Json *batch = json_get(task, "batch"), *array = NULL;
    PlanInput input = { .device = json_get_text(batch, "device"),
                        .last_first = json_get_bool(batch, "pages_reversed", false) };
    Job job;

    (void)folder_fd; /* a plan reads no file */
    if (!ask_moment(batch, "started_at_ms", &input.started, &input.utc_offset_min, err) ||
        !read_job(json_get(batch, "job"), &job, err) ||
        !ask_array(task, "pages", BATCH_PAGES_MAX, &array, err))
        return false;
    input.job = &job;
    input.page_count = json_count(array);
    PageKey *pages = calloc(input.page_count, sizeof *pages);
    if (!pages)
        return err_set(err, ERR_TEMPORARY, 0, "no memory for %zu pages", input.page_count);
    bool ok = plan_pages(task, &input, pages, result, err);
    free(pages);
    fault_point("plan.done");
    return ok;
}
