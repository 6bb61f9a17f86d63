/* monitor/pairing.c - see pairing.h. */
#include "monitor/pairing.h"

#include "base/log.h"
#include "base/text.h"
#include "monitor/pairing-talk.h"
#include "monitor/snmp1.h"
#include "store/batch-rows.h"
#include "store/pairing.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

/* What a person waits for. On his stack. */
typedef struct PairJob {
    struct PairJob *next;
    bool unpair, flag; /* replace, or restore */
    Actor actor;
    DeviceId id;
    bool done, ok;
    Err *err;
} PairJob;

struct Pairer {
    PairerConfig config;
    pthread_t thread;
    bool runs;
    atomic_bool stopping;
    pthread_mutex_t lock;
    pthread_cond_t wake, answered;
    PairJob *jobs; /* in the order they came; under the lock */
    unsigned waiting;
};

/* --- one device ---------------------------------------------------------------------------------------- */

/* A device with what is known of it and what it is shown. */
typedef struct Case {
    DeviceId id;
    Device device;
    Pairing pairing;
    char ours[PANEL_NAME_SIZE];
} Case;

/* The ClientName that the device hears first: of the job on our first interface, or the server's. */
static bool read_ours(const Pairer *p, Db *db, Case *c, Err *err)
{
    JobGroupId group_id;
    StoredJobGroup group;
    StoredJob job;
    JobId job_id;

    (void)text_copy(c->ours, sizeof c->ours, p->config.server_name);
    if (device_jobs_by(&c->device, p->config.names) != DEVICE_JOBS_BY_NAME ||
        !id_parse(c->device.settings.job_group, &group_id))
        return true;
    if (!job_group_get(db, &group_id, &group, err))
        return false;
    if (group.group.job_count == 0)
        return true;
    if (!id_parse(group.group.jobs[0].job, &job_id) || !job_get(db, &job_id, &job, err))
        return false;
    job_panel_name(&job.job, c->ours);
    return true;
}

static bool read_case(const Pairer *p, Db *db, Case *c, Err *err)
{
    return device_get(db, &c->id, &c->device, err) && pairing_get(db, &c->id, &c->pairing, err) &&
           read_ours(p, db, c, err);
}

static PairingTalk talk_with(const Pairer *p, const Case *c)
{
    return (PairingTalk){ .address = c->device.address,
                          .community = p->config.community,
                          .snmp_port = p->config.snmp_port,
                          .scan_port = p->config.scan_port,
                          .stop = &p->stopping };
}

/* --- what became of it ----------------------------------------------------------------------------------- */

/* A result for the writer thread. */
typedef struct Result {
    const Case *c;
    Pairing after;
    const char *event; /* NULL = nothing to tell */
    char text[200];
    const PairJob *job; /* NULL: nobody asked */
} Result;

static bool result_write(Tx *tx, void *arg, Err *err)
{
    const Result *r = arg;

    return pairing_put(tx, &r->c->id, &r->after, r->event, r->text, err) &&
           (!r->job ||
            audit_insert(tx, &r->job->actor, r->job->unpair ? "device.unpair" : "device.pair",
                         "device", r->c->id.text, r->text, err));
}

static bool keep_result(const Pairer *p, Result *r, Err *err)
{
    char quoted[256];

    if (!store_write_wait(p->config.store, result_write, r, err))
        return false;
    if (r->event)
        log_line(r->after.problem ? LOG_WARNING : LOG_INFO, r->event, "device=%s text=%s",
                 r->c->device.address, log_quote(quoted, sizeof quoted, r->text));
    return true;
}

/* A paired device that is switched off is nothing to tell: its contact is watched elsewhere. */
static bool is_to_tell(PairingState state, PairingProblem problem)
{
    return problem != PAIRING_OK && (state != PAIRING_PAIRED || problem != PAIRING_NO_ANSWER);
}

/* The device says our name. former: what it said before. */
static void became_ours(Result *r, const char *former)
{
    const Pairing *before = &r->c->pairing;
    Pairing *after = &r->after;

    *after = *before;
    (void)pairing_step(&after->state, PAIRING_EVENT_WRITTEN);
    (void)text_copy(after->name, sizeof after->name, r->c->ours);
    if (before->state == PAIRING_NONE || before->state == PAIRING_LOST)
        (void)text_copy(after->before, sizeof after->before, former);
    after->other[0] = '\0';
    after->problem = PAIRING_OK;
    after->checked = wall_now();
    if (before->state == PAIRING_PAIRED && text_equal(before->name, after->name) &&
        !is_to_tell(before->state, before->problem))
        return;
    after->since = after->checked;
    r->event = "device.paired";
    (void)text_printf(r->text, sizeof r->text, "paired with \"%s\"", after->name);
}

/* --- what a person wants ------------------------------------------------------------------------------- */

static bool say_problem(const Pairer *p, const Case *c, const PairingTalk *talk,
                        PairingProblem problem, Err *err)
{
    if (atomic_load(&p->stopping))
        return err_set(err, ERR_TEMPORARY, 0, "the server is stopping");
    return pairing_problem_err(problem, c->device.address, talk->detail, err);
}

static bool pair(const Pairer *p, const Case *c, const PairJob *job, Err *err)
{
    PairingTalk talk = talk_with(p, c);
    Result r = { .c = c, .job = job };
    PairingProblem problem = pairing_talk_read(&talk);
    char former[PANEL_NAME_SIZE];

    (void)text_copy(former, sizeof former, c->pairing.before);
    if (problem != PAIRING_OK)
        return say_problem(p, c, &talk, problem, err);
    PairingDo what = pairing_decide(&c->pairing, c->ours, talk.found, job->flag);
    if (what == PAIRING_DO_LEAVE) {
        (void)text_printf(talk.detail, sizeof talk.detail, "\"%s\"", talk.found);
        return say_problem(p, c, &talk, PAIRING_ELSEWHERE, err);
    }
    if (what == PAIRING_DO_WRITE) {
        (void)text_copy(former, sizeof former, talk.found_clean ? talk.found : "");
        problem = pairing_talk_write(&talk, c->ours);
        if (problem != PAIRING_OK)
            return say_problem(p, c, &talk, problem, err);
    }
    became_ours(&r, former);
    return keep_result(p, &r, err);
}

static bool unpair(const Pairer *p, const Case *c, const PairJob *job, Err *err)
{
    PairingTalk talk = talk_with(p, c);
    Result r = { .c = c, .job = job, .after = c->pairing, .event = "device.unpaired" };
    const char *left = job->flag ? c->pairing.before : "";

    if (!pairing_step(&r.after.state, PAIRING_EVENT_RELEASED)) {
        err_set(err, ERR_CONFLICT, 0, "the device is not paired with this server");
        return err_remedy(err, "Nothing needs to be done.");
    }
    PairingProblem problem = pairing_talk_read(&talk);
    bool is_ours = text_equal(talk.found, c->pairing.name) || text_equal(talk.found, c->ours);
    if (problem == PAIRING_OK && is_ours)
        problem = pairing_talk_write(&talk, left);
    if (problem != PAIRING_OK)
        return say_problem(p, c, &talk, problem, err);
    (void)text_printf(r.text, sizeof r.text, talk.found[0] ? "paired with \"%s\"" : "with nobody%s",
                      talk.found);
    return keep_result(p, &r, err);
}

static bool do_job(const Pairer *p, const PairJob *job, Err *err)
{
    AUTO(StoreReader) reader = store_reader_open(p->config.store, err);
    Case c = { .id = job->id };

    if (!reader || !read_case(p, reader_db(reader), &c, err))
        return false;
    store_reader_close(STEAL(reader)); /* not held while a device is waited for */
    if (c.device.state == DEVICE_SEEN) {
        err_set(err, ERR_CONFLICT, 0, "the device is not approved");
        return err_remedy(err, "Approve it first: platen device approve %s.", c.device.address);
    }
    return job->unpair ? unpair(p, &c, job, err) : pair(p, &c, job, err);
}

/* --- looking after those that are paired --------------------------------------------------------------- */

static void became_lost(Result *r, const PairingTalk *talk)
{
    const Pairing *before = &r->c->pairing;
    bool same = before->state == PAIRING_LOST && text_equal(before->other, talk->found);

    (void)pairing_step(&r->after.state, PAIRING_EVENT_TAKEN);
    (void)text_copy(r->after.other, sizeof r->after.other, talk->found);
    r->after.problem = PAIRING_ELSEWHERE;
    r->after.checked = wall_now();
    if (same)
        return;
    r->after.since = r->after.checked;
    r->event = "device.pairing-lost";
    (void)text_printf(r->text, sizeof r->text, "paired with \"%s\" now", talk->found);
}

static void became_problem(Result *r, const PairingTalk *talk, PairingProblem problem)
{
    Err err;

    r->after.problem = problem;
    r->after.checked = wall_now();
    if (problem == r->c->pairing.problem || !is_to_tell(r->after.state, problem))
        return;
    r->event = "device.pairing-failed";
    (void)pairing_problem_err(problem, r->c->device.address, talk->detail, &err);
    (void)text_copy(r->text, sizeof r->text, err.text);
}

/* Looks whether a device says our name, and writes it where that takes it from nobody. */
static bool look_after(const Pairer *p, const Case *c, Err *err)
{
    PairingTalk talk = talk_with(p, c);
    Result r = { .c = c, .after = c->pairing };

    if (c->pairing.state == PAIRING_PAIRED && !text_equal(c->pairing.name, c->ours)) {
        (void)pairing_step(&r.after.state, PAIRING_EVENT_RENAMED);
        r.after.since = wall_now();
    }
    PairingProblem problem = pairing_talk_read(&talk);
    PairingDo what = problem == PAIRING_OK ? pairing_decide(&c->pairing, c->ours, talk.found, false)
                                           : PAIRING_DO_NOTHING;
    if (what == PAIRING_DO_WRITE)
        problem = pairing_talk_write(&talk, c->ours);
    if (atomic_load(&p->stopping))
        return true; /* what was broken off says nothing */
    if (problem != PAIRING_OK)
        became_problem(&r, &talk, problem);
    else if (what == PAIRING_DO_LEAVE)
        became_lost(&r, &talk);
    else
        became_ours(&r, c->pairing.before);
    return keep_result(p, &r, err);
}

typedef struct CaseList {
    DeviceId *ids;
    size_t count, capacity;
    bool no_memory;
} CaseList;

static bool note_case(void *arg, const DeviceId *id, const Pairing *pairing)
{
    CaseList *list = arg;

    (void)pairing;
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 16;
        DeviceId *longer = realloc(list->ids, capacity * sizeof *longer);

        list->no_memory = !longer;
        if (!longer)
            return false;
        list->ids = longer;
        list->capacity = capacity;
    }
    list->ids[list->count++] = *id;
    return true;
}

/* The device that is due for the longest time; *ret_wait_ms: until the next one is, at most PAIRER_ROUND_MS, 0 when there
 * is one. */
static bool find_due(const Pairer *p, Db *db, Case *ret, int64_t *ret_wait_ms, Err *err)
{
    CaseList list = { 0 };
    Wall now = wall_now(), earliest = { now.ms + PAIRER_ROUND_MS };
    bool ok = pairing_list(db, note_case, &list, err);

    for (size_t i = 0; ok && i < list.count; i++) {
        Case c = { .id = list.ids[i] };

        ok = read_case(p, db, &c, err) || err->kind == ERR_NOT_FOUND; /* gone meanwhile */
        if (!ok || c.pairing.state == PAIRING_NONE)
            continue;
        Wall due = pairing_due(&c.pairing, c.ours, p->config.check_s, now);
        if (due.ms >= earliest.ms)
            continue;
        earliest = due;
        *ret = c;
    }
    free(list.ids);
    *ret_wait_ms = earliest.ms > now.ms ? earliest.ms - now.ms : 0;
    return ok && (!list.no_memory || err_set(err, ERR_TEMPORARY, ENOMEM, "no memory for a list"));
}

/* Looks after the device that is due, if there is one. How long there is nothing more to do. */
static int64_t look_after_one(const Pairer *p)
{
    AUTO(StoreReader) reader = NULL;
    int64_t wait_ms = PAIRER_ROUND_MS;
    char quoted[256];
    Case c;
    Err err;

    reader = store_reader_open(p->config.store, &err);
    bool ok = reader && find_due(p, reader_db(reader), &c, &wait_ms, &err);
    store_reader_close(STEAL(reader));
    if (ok && wait_ms > 0)
        return wait_ms;
    if (ok && look_after(p, &c, &err))
        return 0;
    log_line(LOG_WARNING, "pairing.not-recorded", "error=%s",
             log_quote(quoted, sizeof quoted, err.text));
    return PAIRER_ROUND_MS;
}

/* --- the thread ------------------------------------------------------------------------------------------ */

static void wait_at_most(Pairer *p, int64_t ms)
{
    int64_t until_ms = mono_after(mono_now(), ms).ms;
    struct timespec until = { .tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000 };

    (void)pthread_cond_timedwait(&p->wake, &p->lock, &until);
}

static void *pairer_main(void *arg)
{
    Pairer *p = arg;

    snmp1_begin();
    pthread_mutex_lock(&p->lock);
    while (!atomic_load(&p->stopping)) {
        PairJob *job = p->jobs;

        if (job)
            p->jobs = job->next;
        pthread_mutex_unlock(&p->lock);
        bool ok = job && do_job(p, job, job->err);
        int64_t wait_ms = job ? 0 : look_after_one(p);
        pthread_mutex_lock(&p->lock);
        if (job) {
            job->ok = ok;
            job->done = true;
            pthread_cond_broadcast(&p->answered);
        } else if (wait_ms > 0 && !p->jobs && !atomic_load(&p->stopping)) {
            wait_at_most(p, wait_ms);
        }
    }
    for (PairJob *job = p->jobs; job; job = job->next) {
        job->ok = err_set(job->err, ERR_TEMPORARY, 0, "the server is stopping");
        job->done = true;
    }
    p->jobs = NULL;
    pthread_cond_broadcast(&p->answered);
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

Pairer *pairer_new(const PairerConfig *config, Err *err)
{
    AUTO(Pairer) p = calloc(1, sizeof *p);
    pthread_condattr_t attributes;

    if (!p) {
        err_set(err, ERR_TEMPORARY, ENOMEM, "no memory for the pairing of devices");
        return NULL;
    }
    p->config = *config;
    pthread_mutex_init(&p->lock, NULL);
    pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&p->wake, &attributes);
    pthread_cond_init(&p->answered, &attributes);
    pthread_condattr_destroy(&attributes);
    int cause = pthread_create(&p->thread, NULL, pairer_main, p);
    p->runs = cause == 0;
    if (cause != 0)
        err_errno(err, cause, "cannot start the thread that pairs devices");
    return cause == 0 ? STEAL(p) : NULL;
}

void pairer_stop(Pairer *p)
{
    if (!p || !p->runs)
        return;
    pthread_mutex_lock(&p->lock);
    atomic_store(&p->stopping, true);
    pthread_cond_signal(&p->wake);
    pthread_mutex_unlock(&p->lock);
    pthread_join(p->thread, NULL);
    p->runs = false;
}

void pairer_free(Pairer *p)
{
    if (!p)
        return;
    pairer_stop(p);
    pthread_cond_destroy(&p->wake);
    pthread_cond_destroy(&p->answered);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

/* --- asking ---------------------------------------------------------------------------------------------- */

static void put_last(PairJob **at, PairJob *job)
{
    while (*at)
        at = &(*at)->next;
    *at = job;
}

/* Hands the job to the thread and waits for its answer. */
static bool await(Pairer *p, PairJob *job, Err *err)
{
    bool ok = false;

    job->err = err;
    pthread_mutex_lock(&p->lock);
    if (atomic_load(&p->stopping)) {
        err_set(err, ERR_TEMPORARY, 0, "the server is stopping");
    } else if (p->waiting == PAIRER_WAITING_MAX) {
        err_set(err, ERR_TEMPORARY, 0, "%d devices are being paired already", PAIRER_WAITING_MAX);
        err_remedy(err, "Try again in a few seconds.");
    } else {
        p->waiting++;
        put_last(&p->jobs, job);
        pthread_cond_signal(&p->wake);
        while (!job->done)
            pthread_cond_wait(&p->answered, &p->lock);
        ok = job->ok;
        p->waiting--;
    }
    pthread_mutex_unlock(&p->lock);
    return ok;
}

bool pairer_pair(Pairer *p, const Actor *actor, const DeviceId *id, const PairWish *wish, Err *err)
{
    PairJob job = { .flag = wish->replace, .actor = *actor, .id = *id };

    return await(p, &job, err);
}

bool pairer_unpair(Pairer *p, const Actor *actor, const DeviceId *id, const UnpairWish *wish,
                   Err *err)
{
    PairJob job = { .unpair = true, .flag = wish->restore, .actor = *actor, .id = *id };

    return await(p, &job, err);
}
