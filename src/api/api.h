/* api/api.h - the REST API: routes as a table, and what its handlers need.
 *
 * platend makes one Api, gives api_routes and api_authorise to its HttpServer (with the Api as arg
 * and authorise_arg), api_on_event to store_on_event, and calls api_tick from a timer. Handlers run
 * on the server's api threads; each takes a read connection of a pool for as long as it runs, and
 * every change goes through the store's writer with an audit row in the same transaction. health
 * and metrics are answered from a snapshot in memory. Not here: who listens where, TLS, threads.
 *
 * Retrying a POST that creates something is not recognised yet: names are unique, so a second try
 * is refused (409) and makes nothing twice. */
#ifndef PLATEN_API_API_H
#define PLATEN_API_API_H

#include "base/cleanup.h"
#include "base/err.h"
#include "http/events.h"
#include "http/route.h"
#include "model/device-probe.h"
#include "model/discovery.h"
#include "model/pairing.h"
#include "model/quirks.h"
#include "model/trace.h"
#include "queue/queue.h"
#include "seal/seal.h"
#include "store/batch-rows.h"
#include "store/config-rows.h"
#include "store/store.h"

typedef struct Api Api;

/* Starts a scan without a panel; any api thread, waits for the commit of its batch. */
typedef bool ApiStartScan(void *arg, const Actor *actor, const DeviceId *device,
                          const JobStart *start, BatchId *ret_batch, Err *err);

/* Ends the running scan of a batch, or its wait for more sheets; any api thread, does not wait for the end. */
typedef bool ApiEndScan(void *arg, const Actor *actor, const BatchId *batch, Err *err);

/* What else the server does with devices; any api thread. */
typedef struct ApiDevices {
    bool (*discover)(void *arg, const DiscoveryWish *wish, Err *err);
    bool (*discovered)(void *arg, Discovery *ret,
                       Err *err);                 /* ret->found is the caller's to free */
    void (*look)(void *arg, const char *address); /* ask who is there, soon; returns at once */
    /* Pairs a button-only scanner, or undoes it; waits for the device, ten seconds at most, and as long for
     * each of two others that are talked with before. */
    bool (*pair)(void *arg, const Actor *actor, const DeviceId *id, const PairWish *wish, Err *err);
    bool (*unpair)(void *arg, const Actor *actor, const DeviceId *id, const UnpairWish *wish,
                   Err *err);
    /* Tries a device stage by stage, without a scan; of one that is in no list only the address is known. Waits for
     * the end, 15 seconds at most. */
    bool (*probe)(void *arg, const Device *device, DeviceProbe *ret, Err *err);
} ApiDevices;

/* The certificate of HTTPS: its files, and what was read from the first at the start. */
typedef struct ApiCertificate {
    char path[PATH_TEXT_SIZE], key_path[PATH_TEXT_SIZE];
    Buf shown; /* PEM */
} ApiCertificate;

/* Traces of devices (scan/trace.h says what each function does); any api thread. */
typedef struct ApiTraces {
    bool (*start)(void *arg, const Actor *actor, const DeviceId *device, const TraceWish *wish,
                  Trace *ret_trace, Err *err);
    bool (*stop)(void *arg, const Actor *actor, const TraceId *id, Err *err);
    bool (*list)(void *arg, Trace **ret_traces, size_t *ret_count, Err *err); /* to be freed */
    int (*open)(void *arg, const TraceId *id, Trace *ret_trace, Err *err);    /* a descriptor, -1 */
    bool (*remove)(void *arg, const Actor *actor, const TraceId *id, Err *err);
} ApiTraces;

/* Everything pointed to must outlive the Api. */
typedef struct ApiConfig {
    Store *store;
    Queue *queue;
    const Sealer *sealer;      /* seals secrets that come in                                 */
    HttpEvents *events;        /* streams; may be NULL in tests                              */
    const char *spool_path;    /* absolute                                                   */
    struct Spool *spool;       /* health complains when it would begin no scan               */
    unsigned panel_names;      /* names this server can show on a panel, 0 = one             */
    const QuirkBook *quirks;   /* what models do otherwise; NULL: nothing is known           */
    ApiStartScan *start_scan;  /* NULL: this server has no devices                           */
    ApiEndScan *cancel_scan;   /* the same                                                   */
    ApiEndScan *finish_scan;   /* the same: no more sheets are waited for                    */
    void *scan_arg;            /* of the three                                                    */
    const ApiDevices *devices; /* NULL: this server has no devices                           */
    void *devices_arg;
    const struct DoctorConfig *doctor; /* what the doctor looks at; NULL: nobody is asked     */
    const ApiCertificate *certificate; /* of HTTPS, NULL: there is none                       */
    const ApiTraces *traces;           /* NULL: the same */
    void *traces_arg;
    const char *destinations_json; /* what the delivering programs describe:                     */
                                   /* {"destinations": [{"name", "title", "fields"}]}            */
} ApiConfig;

enum {
    API_THREADS_MAX = 16,       /* handlers that may run at the same time               */
    API_TICK_MS = 5000,         /* how often api_tick wants to be called                */
    API_STALE_MS = 30000,       /* a snapshot older than this: the store does not answer */
    API_TOKENS_MAX = 1000,      /* tokens; they are kept in memory                      */
    API_FAILED_LOGINS_MAX = 10, /* wrong tokens per address (IPv6: /64) and minute      */
    API_CONFIG_BYTES_MAX = 8 * 1024 * 1024,
};

/* Reads tokens and a first snapshot. ERR_BUG when destinations_json is not what it should be. */
Api *api_new(const ApiConfig *config, Err *err);
/* After the HttpServer has stopped and the store is closed, which ends a tick that is on its way.
 * Accepts NULL. */
void api_free(Api *api);
DEFINE_AUTO(Api, api_free);

/* The tables, for HttpConfig.routes; the list ends with NULL, each table with method NULL. */
extern const Route *const api_routes[];

/* An HttpAuthorise. On the local socket root and the user the server runs as may do everything, others
 * nothing; elsewhere a bearer token is needed. Never waits: tokens are in memory. */
bool api_authorise(void *api, HttpRequest *req, const char *permission, Err *err);

/* Refreshes the snapshot behind health and metrics: on the writer thread, so that it also shows
 * that writes get through. Returns at once; any thread, also the loop. */
void api_tick(Api *api);

/* For store_on_event: publishes the event to streams as {"id","at","batch","device","device_name","kind","text"}. */
void api_on_event(void *api, const Event *event);

#endif
