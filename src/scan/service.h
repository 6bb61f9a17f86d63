/* scan/service.h - the host of the device link: presses become batches, bytes become pages.
 *
 * On the loop thread. Every step that touches disk or database is handed to the spool and writer
 * threads and comes back as a post; the device waits meanwhile. A page is acknowledged to the
 * device when its file and its row are durable, in this order. */
#ifndef PLATEN_SCAN_SERVICE_H
#define PLATEN_SCAN_SERVICE_H

#include "base/cleanup.h"
#include "base/err.h"
#include "device/device-link.h"
#include "model/discovery.h"
#include "model/job.h"
#include "queue/queue.h"
#include "scan/trace.h"
#include "store/config-rows.h"
#include "store/spool.h"
#include "store/store.h"

typedef struct ScanService ScanService;

typedef struct ScanServiceConfig {
    Loop *loop;
    Store *store;
    Spool *spool;
    Queue *queue;
    bool identify;           /* ask devices whose serial number is not known who they are */
    unsigned silent_after_s; /* without an announcement; 0 = nobody looks */
    TraceConfig traces;
    DeviceLinkConfig link; /* host and arg are set by the service */
} ScanServiceConfig;

/* Opens the device link. Everything in config must outlive the service. */
ScanService *scan_service_open(const ScanServiceConfig *config, Err *err);

/* For traces of devices; lives as long as the service. */
Tracers *scan_service_traces(ScanService *service);

/* A scan without a panel: of which device, with which job, asked for by whom. */
typedef struct ScanPull {
    DeviceId device;
    JobStart start;
    Actor actor;
} ScanPull;

/* Admits the scan, makes its batch and lets the loop begin it. Any thread but loop and writer; waits for
 * the commit. ERR_NOT_FOUND (device, job), ERR_CONFLICT (not approved, busy), ERR_DENIED (job of another group),
 * ERR_TEMPORARY (stopping, disk full). What goes wrong later is the batch's reason. */
bool scan_service_pull(ScanService *service, const ScanPull *pull, BatchId *ret_batch, Err *err);

/* Ends the scan of a batch that is RECEIVING, at the next safe moment: the batch becomes CANCELLED and keeps
 * its pages. Any thread but loop and writer; waits for the audit's commit, not for the end. ERR_NOT_FOUND,
 * ERR_CONFLICT (the batch has no running scan), ERR_TEMPORARY. */
bool scan_service_cancel(ScanService *service, const BatchId *batch, const Actor *actor, Err *err);

/* Ends the wait for more sheets of a batch: it becomes complete with the pages it has; should sheets be fed at this
 * moment, with them. Else as scan_service_cancel; ERR_CONFLICT when the batch does not wait. */
bool scan_service_finish(ScanService *service, const BatchId *batch, const Actor *actor, Err *err);

/* Tries the device of the row at its address, stage by stage, without a scan; it may be one that is in no list (no id,
 * only an address). Any thread but loop and writer; waits for the end, DEVICE_PROBE_MS at most. ERR_TEMPORARY
 * when SCAN_PROBES_MAX run or the server is stopping, ERR_BAD_INPUT. */
enum { SCAN_PROBES_MAX = 2 };
bool scan_service_probe(ScanService *service, const Device *device, DeviceProbe *ret, Err *err);

/* Looks for devices (scan/discover.h), and how that stands: found is the caller's to free. Any thread but the
 * loop. ERR_CONFLICT while one search runs, ERR_BAD_INPUT. */
bool scan_service_discover(ScanService *service, const DiscoveryWish *wish, Err *err);
bool scan_service_discovered(ScanService *service, Discovery *ret, Err *err);

/* The device that was added at this address is asked who it is: at once, or of many a few a second (Discovery.added_left).
 * Any thread, returns at once. */
void scan_service_look(ScanService *service, const char *address);

/* From now on presses are refused; running scans go on, but none waits for more sheets. */
void scan_service_drain(ScanService *service);

/* Running scans end at their next page boundary; their batches are BROKEN and kept. */
void scan_service_stop_at_page(ScanService *service);

/* Running scans leave their devices in order within seconds, dropping the page that comes; their batches
 * are BROKEN and kept. */
void scan_service_leave(ScanService *service);

/* Scans whose batch is not closed yet. 0 = nothing of the service is under way. */
unsigned scan_service_running(const ScanService *service);

/* Calls idle(arg) on the loop thread when, after a drain, the last scan's batch is closed. */
void scan_service_on_idle(ScanService *service, LoopFn *idle, void *arg);

/* Closes the link: running scans break. Their last writes still come back as posts: let the loop run
 * until idle. */
void scan_service_abort(ScanService *service);

/* After the loop has ended and spool and store were closed, so that nothing comes back. NULL is fine. */
void scan_service_free(ScanService *service);
DEFINE_AUTO(ScanService, scan_service_free);

#endif
