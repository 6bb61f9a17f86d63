/* api/job.c - jobs and job groups over HTTP: their rows of noun.h and their routes. */
#include "model/job.h"
#include "api/job-warnings.h"
#include "api/noun.h"
#include "base/text.h"

/* --- jobs ------------------------------------------------------------------------------------------- */

typedef struct Passing {
    NounVisit *visit;
    void *arg;
} Passing;

static bool pass_job(void *arg, const StoredJob *job)
{
    Passing *passing = arg;

    return passing->visit(passing->arg, job);
}

static bool jobs_list(Db *db, NounVisit *visit, void *arg, Err *err)
{
    return job_list(db, pass_job, &(Passing){ visit, arg }, err);
}

static bool one_job_get(Db *db, const char *id, void *ret_row, Err *err)
{
    JobId job_id;

    (void)id_parse(id, &job_id);
    return job_get(db, &job_id, ret_row, err);
}

static bool one_job_insert(Tx *tx, const Actor *actor, const void *row, Err *err)
{
    return job_insert(tx, actor, row, err);
}

static bool one_job_change(Tx *tx, const Actor *actor, const void *row, Err *err)
{
    return job_change(tx, actor, row, err);
}

static bool one_job_remove(Tx *tx, const Actor *actor, const char *id, int64_t revision, Err *err)
{
    JobId job_id;

    (void)id_parse(id, &job_id);
    return job_delete(tx, actor, &job_id, revision, err);
}

static bool job_value_check(const void *value, Err *err)
{
    return job_check(value, err);
}

/* What is said for each destination fits its kind. */
static bool job_options_check(const Api *api, Db *db, const void *value, Err *err)
{
    const Job *job = value;

    for (size_t i = 0; i < job->destination_count; i++) {
        const JobDestination *wanted = &job->destinations[i];
        StoredDestination destination;
        char field[sizeof err->field];
        DestinationId id;

        if (!id_parse(wanted->destination, &id) || !destination_get(db, &id, &destination, err))
            continue; /* the store refuses it with better words */
        AUTO(Json)
        options = json_parse(bytes_of_text(wanted->options[0] ? wanted->options : "{}"), err);
        if (options && kind_options_check(api, destination.destination.kind, options, err))
            continue;
        (void)text_copy(field, sizeof field, err->field);
        return err_field(err, "destinations[%zu].%s", i, field);
    }
    return true;
}

const ApiNoun noun_job = {
    .word = "job",
    .path = "/api/v1/jobs",
    .plural = "jobs",
    .fields = job_fields,
    .row_size = sizeof(StoredJob),
    .value_offset = offsetof(StoredJob, job),
    .value_size = sizeof(Job),
    .revision_offset = offsetof(StoredJob, revision),
    .reference_list = "destinations",
    .reference_member = "destination",
    .reference_noun = &noun_destination,
    .list = jobs_list,
    .get = one_job_get,
    .insert = one_job_insert,
    .change = one_job_change,
    .remove = one_job_remove,
    .check = job_value_check,
    .check_rows = job_options_check,
    .tell_rows = job_warnings,
};

NOUN_HANDLERS(job)

const Route job_routes[] = {
    { "GET", "/api/v1/jobs", "jobs.read", job_list_get, "Lists jobs in order of name.",
      .query = no_query, .answer = "JobList" },
    { "POST", "/api/v1/jobs", "jobs.write", job_post, "Makes a job.", .query = no_query,
      .body_fields = job_fields, .answer = "Job" },
    { "GET", "/api/v1/jobs/{id}", "jobs.read", job_one_get, "Answers one job.", .query = no_query,
      .answer = "Job" },
    { "PUT", "/api/v1/jobs/{id}", "jobs.write", job_put,
      "Replaces a job; batches that run keep their copy.", .query = no_query,
      .body_fields = job_fields, .answer = "Job" },
    { "DELETE", "/api/v1/jobs/{id}", "jobs.write", job_one_delete,
      "Removes a job that no job group has.", .query = no_query },
    { .method = NULL },
};

/* --- job groups ---------------------------------------------------------------------------------------- */

static bool pass_job_group(void *arg, const StoredJobGroup *group)
{
    Passing *passing = arg;

    return passing->visit(passing->arg, group);
}

static bool job_groups_list(Db *db, NounVisit *visit, void *arg, Err *err)
{
    return job_group_list(db, pass_job_group, &(Passing){ visit, arg }, err);
}

static bool one_job_group_get(Db *db, const char *id, void *ret_row, Err *err)
{
    JobGroupId group_id;

    (void)id_parse(id, &group_id);
    return job_group_get(db, &group_id, ret_row, err);
}

static bool one_job_group_insert(Tx *tx, const Actor *actor, const void *row, Err *err)
{
    return job_group_insert(tx, actor, row, err);
}

static bool one_job_group_change(Tx *tx, const Actor *actor, const void *row, Err *err)
{
    return job_group_change(tx, actor, row, err);
}

static bool one_job_group_remove(Tx *tx, const Actor *actor, const char *id, int64_t revision,
                                 Err *err)
{
    JobGroupId group_id;

    (void)id_parse(id, &group_id);
    return job_group_delete(tx, actor, &group_id, revision, err);
}

static bool job_group_value_check(const void *value, Err *err)
{
    return job_group_check(value, err);
}

const ApiNoun noun_job_group = {
    .word = "job group",
    .path = "/api/v1/job-groups",
    .plural = "job_groups",
    .fields = job_group_fields,
    .row_size = sizeof(StoredJobGroup),
    .value_offset = offsetof(StoredJobGroup, group),
    .value_size = sizeof(JobGroup),
    .revision_offset = offsetof(StoredJobGroup, revision),
    .reference_list = "jobs",
    .reference_member = "job",
    .reference_noun = &noun_job,
    .list = job_groups_list,
    .get = one_job_group_get,
    .insert = one_job_group_insert,
    .change = one_job_group_change,
    .remove = one_job_group_remove,
    .check = job_group_value_check,
};

NOUN_HANDLERS(job_group)

const Route job_group_routes[] = {
    { "GET", "/api/v1/job-groups", "jobs.read", job_group_list_get,
      "Lists job groups in order of name.", .query = no_query, .answer = "JobGroupList" },
    { "POST", "/api/v1/job-groups", "jobs.write", job_group_post, "Makes a job group.",
      .query = no_query, .body_fields = job_group_fields, .answer = "JobGroup" },
    { "GET", "/api/v1/job-groups/{id}", "jobs.read", job_group_one_get, "Answers one job group.",
      .query = no_query, .answer = "JobGroup" },
    { "PUT", "/api/v1/job-groups/{id}", "jobs.write", job_group_put, "Replaces a job group.",
      .query = no_query, .body_fields = job_group_fields, .answer = "JobGroup" },
    { "DELETE", "/api/v1/job-groups/{id}", "jobs.write", job_group_one_delete,
      "Removes a job group.", .query = no_query },
    { .method = NULL },
};
