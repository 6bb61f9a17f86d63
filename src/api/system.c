/* api/system.c - health, metrics and the description of the API, answered from memory.
 *
 * The snapshot behind them is taken on the store's writer thread (api_tick), so that an old snapshot
 * means that writes do not get through. */
#include "api/noun.h"
#include "base/file.h"
#include "base/text.h"
#include "store/notification-rows.h"
#include "store/spool.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/resource.h>

enum { METRICS_BYTES_MAX = 64 * 1024, MB = 1000000 };

/* What was known at one moment. */
typedef struct Facts {
    StoreCounts counts;
    NotificationHealth notification;
    Mono taken;
    Wall taken_at;
    SpoolSpace spool; /* left -1: could not be asked */
    int64_t resident_bytes, open_fds;
    double cpu_seconds;
} Facts;

struct Snapshot {
    const ApiConfig *config;
    Wall started_at;
    pthread_mutex_t lock; /* of facts: held for a copy, never longer */
    Facts facts;
};

Snapshot *snapshot_new(const ApiConfig *config)
{
    Snapshot *snapshot = calloc(1, sizeof *snapshot);

    if (!snapshot)
        return NULL;
    snapshot->config = config;
    snapshot->started_at = wall_now();
    pthread_mutex_init(&snapshot->lock, NULL);
    return snapshot;
}

void snapshot_free(Snapshot *snapshot)
{
    if (!snapshot)
        return;
    pthread_mutex_destroy(&snapshot->lock);
    free(snapshot);
}

/* --- taking it -------------------------------------------------------------------------------------------- */

static int64_t count_fds(void)
{
    DIR *folder = opendir("/proc/self/fd");
    int64_t n = -3; /* ".", ".." and the folder's own */

    for (struct dirent *e = folder ? readdir(folder) : NULL; e; e = readdir(folder))
        n++;
    if (folder)
        closedir(folder);
    return n < 0 ? 0 : n;
}

/* Second number of /proc/self/statm: resident pages. */
static int64_t resident_bytes(void)
{
    enum { STATM_BYTES = 128 };
    AUTO_FD fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    char text[STATM_BYTES];
    ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
    int64_t pages = 0;
    char *space;

    if (n <= 0)
        return 0;
    text[n] = '\0';
    space = strchr(text, ' ');
    if (!space)
        return 0;
    space[1 + strcspn(space + 1, " ")] = '\0';
    return text_to_int(space + 1, 0, INT64_MAX / 65536, &pages) ? pages * sysconf(_SC_PAGESIZE) : 0;
}

static void process_take(Facts *facts)
{
    struct rusage usage;

    facts->resident_bytes = resident_bytes();
    facts->open_fds = count_fds();
    if (getrusage(RUSAGE_SELF, &usage) == 0)
        facts->cpu_seconds = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                             (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000000;
}

bool snapshot_take(Snapshot *snapshot, Db *db, Err *err)
{
    Facts facts = { .spool.left = -1 };
    Err ignored;

    if (!store_counts(db, &facts.counts, err) || !notification_health(db, &facts.notification, err))
        return false;
    AUTO_FD spool = file_open_folder(AT_FDCWD, snapshot->config->spool_path, &ignored);
    if (spool < 0 || !spool_space(snapshot->config->spool, &facts.spool, &ignored))
        facts.spool.left = -1;
    process_take(&facts);
    facts.taken = mono_now();
    facts.taken_at = wall_now();
    pthread_mutex_lock(&snapshot->lock);
    snapshot->facts = facts;
    pthread_mutex_unlock(&snapshot->lock);
    return true;
}

static Facts facts_of(HttpRequest *req)
{
    Snapshot *snapshot = api_snapshot(api_of(req));
    Facts facts;

    pthread_mutex_lock(&snapshot->lock);
    facts = snapshot->facts;
    pthread_mutex_unlock(&snapshot->lock);
    return facts;
}

/* --- health ------------------------------------------------------------------------------------------------- */

static bool check_add(Json *checks, const char *name, bool ok, const char *text, const char *remedy)
{
    Json *check = json_new_object();

    json_set_text(check, "name", name);
    json_set_bool(check, "ok", ok);
    json_set_text(check, "text", text);
    if (!ok)
        json_set_text(check, "remedy", remedy);
    json_add_take(checks, check);
    return ok;
}

static bool check_store(Json *checks, const Facts *facts)
{
    bool ok = !mono_reached(mono_now(), mono_after(facts->taken, API_STALE_MS));
    char text[96];

    (void)text_printf(text, sizeof text, "the store answered %lld s ago",
                      (long long)((mono_now().ms - facts->taken.ms) / 1000));
    return check_add(checks, "store", ok, text,
                     "Look at the log of platend and at the disk the database is on.");
}

static bool check_spool(Json *checks, const Facts *facts)
{
    const SpoolSpace *space = &facts->spool;
    bool ok = spool_space_is_enough(space);
    char text[96];

    if (space->left < 0)
        (void)text_copy(text, sizeof text, "the spool folder cannot be opened");
    else
        (void)text_printf(text, sizeof text, "%lld MB are left for pages; a scan wants %lld MB",
                          (long long)(space->left / MB), (long long)(space->wanted / MB));
    return check_add(checks, "spool", ok, text,
                     "Make room on the disk of the spool: new scans are refused until then.");
}

/* Without a word when nobody wants to be told. */
static bool check_notification(Json *checks, const Facts *facts)
{
    const NotificationHealth *n = &facts->notification;
    char text[64];

    if (!n->is_on)
        return true;
    if (!n->has_way)
        return check_add(checks, "notification", false,
                         "nobody is told: the destination that mails go over is no more",
                         "Name another one: platen notification set --over DESTINATION");
    if (n->is_stopped)
        return check_add(checks, "notification", false,
                         "mails wait: the destination that they go over is stopped",
                         "Mend it, then resume it: platen destination resume");
    if (n->is_failing)
        return check_add(checks, "notification", false, n->text, n->cure);
    (void)text_printf(text, sizeof text, "%u events wait to be told", n->waiting);
    return check_add(checks, "notification", true, text, "");
}

static bool health_get(HttpRequest *req, HttpResponse *res, Err *err)
{
    Facts facts = facts_of(req);
    Json *answer = json_new_object(), *checks = json_new_array();
    bool ok = check_store(checks, &facts);

    (void)err;
    ok = check_spool(checks, &facts) && ok;
    ok = check_notification(checks, &facts) && ok;
    json_set_text(answer, "status", ok ? "ok" : "failing");
    json_set_text(answer, "version", PLATEN_VERSION);
    json_set_take(answer, "checks", checks);
    http_response_set_status(res, ok ? 200 : 503);
    http_response_json(res, answer);
    return true;
}

/* --- metrics (Prometheus text format 0.0.4) ------------------------------------------------------------------- */

static void metric_head(Buf *out, const char *name, const char *type, const char *help)
{
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void metric(Buf *out, const char *name, const char *type, const char *help, int64_t value)
{
    metric_head(out, name, type, help);
    buf_printf(out, "%s %lld\n", name, (long long)value);
}

static void metric_states(Buf *out, const char *name, const char *help, const char *const *words,
                          const int64_t *counts)
{
    metric_head(out, name, "gauge", help);
    for (size_t i = 0; words[i]; i++)
        buf_printf(out, "%s{state=\"%s\"} %lld\n", name, words[i], (long long)counts[i]);
}

static void metrics_process(Buf *out, const Facts *facts, Wall started_at)
{
    metric_head(out, "process_cpu_seconds_total", "counter", "Processor time used.");
    buf_printf(out, "process_cpu_seconds_total %.2f\n", facts->cpu_seconds);
    metric(out, "process_resident_memory_bytes", "gauge", "Resident memory.",
           facts->resident_bytes);
    metric(out, "process_open_fds", "gauge", "Open file descriptors.", facts->open_fds);
    metric_head(out, "process_start_time_seconds", "gauge", "When the server started.");
    buf_printf(out, "process_start_time_seconds %.3f\n", (double)started_at.ms / 1000);
}

static bool metrics_get(HttpRequest *req, HttpResponse *res, Err *err)
{
    Api *api = api_of(req);
    AUTO_BUF out = buf_with_max(METRICS_BYTES_MAX);
    Facts facts = facts_of(req);
    int64_t oldest = facts.counts.oldest_open_delivery.ms;

    metric_states(&out, "platen_batches", "Batches by state.", batch_state_words,
                  facts.counts.batches);
    metric_states(&out, "platen_deliveries", "Deliveries by state.", delivery_state_words,
                  facts.counts.deliveries);
    metric_states(&out, "platen_devices", "Devices by state.", device_state_words,
                  facts.counts.devices);
    metric_states(&out, "platen_device_contacts", "Approved devices by what is heard of them.",
                  device_contact_words, facts.counts.contacts);
    metric(&out, "platen_pages_total", "counter", "Pages stored.", facts.counts.pages);
    metric(&out, "platen_batches_removed_total", "counter", "Batches whose files were removed.",
           facts.counts.batches_removed);
    metric(&out, "platen_batches_removing", "gauge", "Batches whose files are to be removed now.",
           facts.counts.batches_removing);
    metric(&out, "platen_oldest_open_delivery_seconds", "gauge",
           "Age of the oldest delivery that is not done.",
           oldest ? (facts.taken_at.ms - oldest) / 1000 : 0);
    metric(&out, "platen_spool_free_bytes", "gauge", "Space left for pages.",
           facts.spool.left < 0 ? 0 : facts.spool.left);
    metric(&out, "platen_worker_deaths_total", "counter", "Workers that died under a task.",
           (int64_t)queue_worker_deaths(api_config(api)->queue));
    metric(&out, "platen_store_commits_total", "counter", "Commits of the database.",
           store_commits(api_config(api)->store));
    metric(&out, "platen_snapshot_age_seconds", "gauge", "Age of the numbers above.",
           (mono_now().ms - facts.taken.ms) / 1000);
    metrics_process(&out, &facts, api_snapshot(api)->started_at);
    if (out.failed)
        return err_set(err, ERR_TEMPORARY, 0, "no memory for the metrics");
    http_response_bytes(res, "text/plain; version=0.0.4; charset=utf-8", buf_bytes(&out));
    return true;
}

static bool openapi_get(HttpRequest *req, HttpResponse *res, Err *err)
{
    (void)err;
    http_response_static(res, "application/json", buf_bytes(api_openapi(api_of(req))));
    return true;
}

const Route system_routes[] = {
    { "GET", "/health", NULL, health_get,
      "Says whether the server is well: 200, or 503 and which check fails.", .flags = ROUTE_FAST,
      .query = no_query, .answer = "Health" },
    { "GET", "/metrics", "metrics.read", metrics_get, "Answers counters as Prometheus text.",
      .flags = ROUTE_FAST, .query = no_query, .answer = "Metrics" },
    { "GET", "/openapi.json", NULL, openapi_get, "Answers the description of this API.",
      .flags = ROUTE_FAST, .query = no_query, .answer = "OpenApi" },
    { .method = NULL },
};
