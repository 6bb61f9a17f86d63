/* store/config-jobs.c - see config-rows.h: jobs and job groups. */
#include "base/text.h"
#include "model/panel.h"
#include "store/rows.h"

/* --- jobs ---------------------------------------------------------------------------------------- */

#define JOB_COLUMNS "SELECT id, body, revision FROM job "

static void job_read(Query *query, StoredJob *ret_job)
{
    QUERY_COPY(query, 0, ret_job->id.text);
    body_read(query, 1, job_fields, &ret_job->job, sizeof ret_job->job);
    ret_job->revision = query_int(query, 2);
}

bool job_list(Db *db, JobVisit *visit, void *arg, Err *err)
{
    AUTO_QUERY query = db_query(db, JOB_COLUMNS "ORDER BY name", NO_ARGS);
    StoredJob job;

    while (query_next(&query)) {
        job_read(&query, &job);
        if (query.failed || !visit(arg, &job))
            break;
    }
    return query_ok(&query, err);
}

bool job_get(Db *db, const JobId *id, StoredJob *ret_job, Err *err)
{
    AUTO_QUERY query = db_query(db, JOB_COLUMNS "WHERE id = ?1", ARGS(ARG_TEXT(id->text)));
    bool found = query_next(&query);
    StoredJob job;

    if (found)
        job_read(&query, &job);
    if (!query_ok(&query, err))
        return false;
    if (!found)
        return not_found(err, "job", id->text);
    *ret_job = job;
    return true;
}

/* The rows that keep a destination from being deleted while a job has it. */
static bool job_references(Tx *tx, const StoredJob *job, Err *err)
{
    if (!db_run(tx->db, "DELETE FROM job_destination WHERE job_id = ?1",
                ARGS(ARG_TEXT(job->id.text)), NULL, err))
        return false;
    for (size_t i = 0; i < job->job.destination_count; i++) {
        const char *destination = job->job.destinations[i].destination;
        int rows;

        if (!db_run(tx->db,
                    "INSERT INTO job_destination (job_id, destination_id)"
                    " SELECT ?1, id FROM destination WHERE id = ?2",
                    ARGS(ARG_TEXT(job->id.text), ARG_TEXT(destination)), &rows, err))
            return false;
        if (rows == 0) {
            err_set(err, ERR_BAD_INPUT, 0, "there is no destination %s", destination);
            err_remedy(err, "Define the destination first.");
            return err_field(err, "destinations[%zu].destination", i);
        }
    }
    return true;
}

/* The names that the jobs of a group have on panels. */
static bool group_names_check(Tx *tx, const JobGroup *group, Err *err)
{
    PanelJobName *names = calloc(group->job_count + 1, sizeof *names);
    bool ok = names || err_set(err, ERR_TEMPORARY, 0, "no memory for the names of jobs");

    for (size_t i = 0; ok && i < group->job_count; i++) {
        StoredJob job;
        JobId id;

        ok = id_parse(group->jobs[i].job, &id) && job_get(tx->db, &id, &job, err);
        if (!ok)
            break;
        (void)text_copy(names[i].job, sizeof names[i].job, job.job.name);
        job_panel_name(&job.job, names[i].panel);
    }
    ok = ok && panel_names_check(names, group->job_count, err);
    free(names);
    return ok;
}

/* A job whose name changes still has one of its own in every group it is in. */
static bool job_names_check(Tx *tx, const JobId *id, Err *err)
{
    AUTO_QUERY query = db_query(tx->db, "SELECT job_group_id FROM job_group_job WHERE job_id = ?1",
                                ARGS(ARG_TEXT(id->text)));
    bool ok = true;

    while (ok && query_next(&query)) {
        StoredJobGroup group;
        JobGroupId group_id;

        QUERY_COPY(&query, 0, group_id.text);
        ok = !query.failed && job_group_get(tx->db, &group_id, &group, err);
        if (!ok || group_names_check(tx, &group.group, err))
            continue;
        err_prefix(err, "job group \"%s\"", group.group.name);
        ok = err_field(err, "panel_name");
    }
    return (ok || query.failed) && query_ok(&query, err);
}

static bool job_can_be_stored(Tx *tx, const StoredJob *job, Err *err)
{
    return job_check(&job->job, err) &&
           name_is_free(tx->db, "SELECT 1 FROM job WHERE name = ?1 AND id <> ?2", job->job.name,
                        job->id.text, err);
}

bool job_insert(Tx *tx, const Actor *actor, const StoredJob *job, Err *err)
{
    AUTO_BUF body = buf_with_max(JSON_BYTES_MAX);

    return job_can_be_stored(tx, job, err) && body_format(job_fields, &job->job, &body, err) &&
           db_run(tx->db, "INSERT INTO job (id, name, body, revision) VALUES (?1, ?2, ?3, 1)",
                  ARGS(ARG_TEXT(job->id.text), ARG_TEXT(job->job.name), ARG_TEXT(buf_text(&body))),
                  NULL, err) &&
           job_references(tx, job, err) &&
           audit_change(
               tx, actor,
               &(AuditChange){ "job.insert", "job", job->id.text, job_fields, NULL, &job->job },
               err);
}

bool job_change(Tx *tx, const Actor *actor, const StoredJob *job, Err *err)
{
    AUTO_BUF body = buf_with_max(JSON_BYTES_MAX);
    StoredJob before;

    return revision_check(tx->db, "SELECT revision FROM job WHERE id = ?1", "job", job->id.text,
                          job->revision, err) &&
           job_get(tx->db, &job->id, &before, err) && job_can_be_stored(tx, job, err) &&
           body_format(job_fields, &job->job, &body, err) &&
           db_run(tx->db,
                  "UPDATE job SET name = ?2, body = ?3, revision = revision + 1 WHERE id = ?1",
                  ARGS(ARG_TEXT(job->id.text), ARG_TEXT(job->job.name), ARG_TEXT(buf_text(&body))),
                  NULL, err) &&
           job_references(tx, job, err) && job_names_check(tx, &job->id, err) &&
           audit_change(tx, actor,
                        &(AuditChange){ "job.change", "job", job->id.text, job_fields, &before.job,
                                        &job->job },
                        err);
}

bool job_delete(Tx *tx, const Actor *actor, const JobId *id, int64_t revision, Err *err)
{
    StoredJob before;
    int64_t one;
    bool in_group;

    if (!revision_check(tx->db, "SELECT revision FROM job WHERE id = ?1", "job", id->text, revision,
                        err) ||
        !job_get(tx->db, id, &before, err) ||
        !db_find_int(tx->db, "SELECT 1 FROM job_group_job WHERE job_id = ?1",
                     ARGS(ARG_TEXT(id->text)), &one, &in_group, err))
        return false;
    if (in_group) {
        err_set(err, ERR_CONFLICT, 0, "the job \"%s\" is in a job group", before.job.name);
        return err_remedy(err, "Take it out of its job groups first.");
    }
    return db_run(tx->db, "DELETE FROM job WHERE id = ?1", ARGS(ARG_TEXT(id->text)), NULL, err) &&
           audit_change(
               tx, actor,
               &(AuditChange){ "job.delete", "job", id->text, job_fields, &before.job, NULL }, err);
}

/* --- job groups ---------------------------------------------------------------------------------- */

#define GROUP_COLUMNS "SELECT id, body, revision FROM job_group "

static void group_read(Query *query, StoredJobGroup *ret_group)
{
    QUERY_COPY(query, 0, ret_group->id.text);
    body_read(query, 1, job_group_fields, &ret_group->group, sizeof ret_group->group);
    ret_group->revision = query_int(query, 2);
}

bool job_group_list(Db *db, JobGroupVisit *visit, void *arg, Err *err)
{
    AUTO_QUERY query = db_query(db, GROUP_COLUMNS "ORDER BY name", NO_ARGS);
    StoredJobGroup group;

    while (query_next(&query)) {
        group_read(&query, &group);
        if (query.failed || !visit(arg, &group))
            break;
    }
    return query_ok(&query, err);
}

bool job_group_get(Db *db, const JobGroupId *id, StoredJobGroup *ret_group, Err *err)
{
    AUTO_QUERY query = db_query(db, GROUP_COLUMNS "WHERE id = ?1", ARGS(ARG_TEXT(id->text)));
    bool found = query_next(&query);
    StoredJobGroup group;

    if (found)
        group_read(&query, &group);
    if (!query_ok(&query, err))
        return false;
    if (!found)
        return not_found(err, "job group", id->text);
    *ret_group = group;
    return true;
}

static bool group_references(Tx *tx, const StoredJobGroup *group, Err *err)
{
    if (!db_run(tx->db, "DELETE FROM job_group_job WHERE job_group_id = ?1",
                ARGS(ARG_TEXT(group->id.text)), NULL, err))
        return false;
    for (size_t i = 0; i < group->group.job_count; i++) {
        const char *job = group->group.jobs[i].job;
        int rows;

        if (!db_run(tx->db,
                    "INSERT INTO job_group_job (job_group_id, job_id)"
                    " SELECT ?1, id FROM job WHERE id = ?2",
                    ARGS(ARG_TEXT(group->id.text), ARG_TEXT(job)), &rows, err))
            return false;
        if (rows == 0) {
            err_set(err, ERR_BAD_INPUT, 0, "there is no job %s", job);
            err_remedy(err, "Define the job first.");
            return err_field(err, "jobs[%zu].job", i);
        }
    }
    return true;
}

static bool group_can_be_stored(Tx *tx, const StoredJobGroup *group, Err *err)
{
    return job_group_check(&group->group, err) &&
           name_is_free(tx->db, "SELECT 1 FROM job_group WHERE name = ?1 AND id <> ?2",
                        group->group.name, group->id.text, err);
}

bool job_group_insert(Tx *tx, const Actor *actor, const StoredJobGroup *group, Err *err)
{
    AUTO_BUF body = buf_with_max(JSON_BYTES_MAX);

    return group_can_be_stored(tx, group, err) &&
           body_format(job_group_fields, &group->group, &body, err) &&
           db_run(tx->db, "INSERT INTO job_group (id, name, body, revision) VALUES (?1, ?2, ?3, 1)",
                  ARGS(ARG_TEXT(group->id.text), ARG_TEXT(group->group.name),
                       ARG_TEXT(buf_text(&body))),
                  NULL, err) &&
           group_references(tx, group, err) && group_names_check(tx, &group->group, err) &&
           audit_change(tx, actor,
                        &(AuditChange){ "job-group.insert", "job-group", group->id.text,
                                        job_group_fields, NULL, &group->group },
                        err);
}

bool job_group_change(Tx *tx, const Actor *actor, const StoredJobGroup *group, Err *err)
{
    AUTO_BUF body = buf_with_max(JSON_BYTES_MAX);
    StoredJobGroup before;

    return revision_check(tx->db, "SELECT revision FROM job_group WHERE id = ?1", "job group",
                          group->id.text, group->revision, err) &&
           job_group_get(tx->db, &group->id, &before, err) && group_can_be_stored(tx, group, err) &&
           body_format(job_group_fields, &group->group, &body, err) &&
           db_run(tx->db,
                  "UPDATE job_group SET name = ?2, body = ?3, revision = revision + 1"
                  " WHERE id = ?1",
                  ARGS(ARG_TEXT(group->id.text), ARG_TEXT(group->group.name),
                       ARG_TEXT(buf_text(&body))),
                  NULL, err) &&
           group_references(tx, group, err) && group_names_check(tx, &group->group, err) &&
           audit_change(tx, actor,
                        &(AuditChange){ "job-group.change", "job-group", group->id.text,
                                        job_group_fields, &before.group, &group->group },
                        err);
}

bool job_group_delete(Tx *tx, const Actor *actor, const JobGroupId *id, int64_t revision, Err *err)
{
    StoredJobGroup before;
    int64_t one;
    bool used;

    if (!revision_check(tx->db, "SELECT revision FROM job_group WHERE id = ?1", "job group",
                        id->text, revision, err) ||
        !job_group_get(tx->db, id, &before, err) ||
        !db_find_int(tx->db, "SELECT 1 FROM device WHERE job_group = ?1", ARGS(ARG_TEXT(id->text)),
                     &one, &used, err))
        return false;
    if (used) {
        err_set(err, ERR_CONFLICT, 0, "a device has the job group \"%s\"", before.group.name);
        return err_remedy(err, "Give its devices another job group first.");
    }
    return db_run(tx->db, "DELETE FROM job_group WHERE id = ?1", ARGS(ARG_TEXT(id->text)), NULL,
                  err) &&
           audit_change(tx, actor,
                        &(AuditChange){ "job-group.delete", "job-group", id->text, job_group_fields,
                                        &before.group, NULL },
                        err);
}
