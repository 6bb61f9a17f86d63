/* scan/run.h - one press of Start and what follows from it; shared by the files of this folder only.
 *
 *   pressed -> [writer: admit, batch row] -> [spool: folder, batch.json] -> accept -> pages ... -> ended
 *   page_end -> [spool: sync, rename] -> [writer: page row] -> stored
 *   ended, no page under way -> [writer: batch step] -> [spool: close] -> gone
 *
 * A scan that is asked for without a panel begins at "batch row" on the thread that asks (pull.c).
 * What stands in brackets runs on the named thread and returns by loop_post. */
#ifndef PLATEN_SCAN_RUN_H
#define PLATEN_SCAN_RUN_H

#include "flow/scan.h"
#include "scan/discover.h"
#include "scan/identity.h"
#include "scan/panel.h"
#include "scan/refusals.h"
#include "scan/service.h"
#include "scan/watch.h"
#include "store/batch-rows.h"

#include <pthread.h>
#include <stdatomic.h>

/* probe.c */
typedef struct Probes {
    pthread_mutex_t lock;
    pthread_cond_t over;
    struct Probing *first; /* those under way, on the stacks of the threads that wait. Under lock */
    unsigned count;
    bool closed; /* nothing begins any more */
} Probes;

/* added.c: devices that people have added and that are not asked yet who they are. Of the loop; left: read by all. */
enum {
    LOOK_ADDED_GAP_MS = 200, /* five a second                                            */
    LOOKS_ADDED_MAX = 8,     /* of LOOKS_MAX: devices that call by themselves have room  */
    ADDED_MAX = 10000,       /* more are asked when they announce themselves             */
};
typedef struct AddedDevices {
    struct AddedDevice *first, *last;
    LoopTimer *timer; /* made with the first */
    bool rests;       /* it runs             */
    atomic_uint left;
} AddedDevices;

/* Nobody of them is asked any more. */
void added_stop(ScanService *service);

struct ScanService {
    AddedDevices added;
    ScanServiceConfig config;
    DeviceLink *link;
    unsigned running;   /* runs that are not freed */
    unsigned sightings; /* device_sighted writes under way */
    unsigned looking;   /* addresses that are looked at */
    LookBook looks;
    struct Look *looks_running; /* of identity_look */
    Discover *discover;
    Watch *watch;
    Tracers *traces;
    atomic_uint pulls; /* asked for by other threads: scans not yet runs or refused, and cancels */
    struct Run *runs;  /* all of them, newest first */
    pthread_mutex_t pulled_lock;
    struct Run *pulled; /* admitted by another thread, for the loop to take. Under pulled_lock */
    PanelBook panels;   /* what each device is to see */
    struct Sighting *sighted; /* those writes */
    struct Listing *listings; /* devices that asked for jobs, until they are answered */
    atomic_bool draining;     /* also read by the writer thread */
    Refusals refusals;        /* of the writer thread */
    Probes probes;            /* devices that are tried while other threads wait */
    LoopFn *idle;
    void *idle_arg;
};

enum { RUN_NOTICES_MAX = 16 }; /* what a device says beyond is told nowhere */

/* One press and what follows from it. Owned by the loop thread; the other threads fill the fields
 * named for them while the loop waits for their post. */
typedef struct Run {
    ScanService *service;
    struct Run *next;
    DevicePress *press; /* until answered */
    bool is_pull;       /* started without a panel */
    DeviceScan *scan;   /* while it runs  */
    SpoolBatch *spool;
    char address[ADDRESS_TEXT_SIZE], product[PRODUCT_TEXT_SIZE], choice[8];
    int32_t job_number;     /* -1: started by the choice                                 */
    int name;               /* which of the names of jobs was pressed, -1: none of those */
    char job[ID_TEXT_SIZE]; /* that was told under this number or name, "" none          */
    bool talking;           /* job control runs: nothing comes back when the press goes  */
    /* filled by the writer thread in admit_write */
    Device device;
    Batch batch;
    bool admitted;
    bool untold;   /* refused, as often lately, and not told again */
    bool looked;   /* it was asked who it is: what is known now stands      */
    bool look_now; /* ... or that is to be done before Start is refused     */
    bool wait_now; /* its device is busy: perhaps with the end of its former scan */
    bool waited;   /* that was waited for                                   */
    Reason reason; /* of the refusal, later of the end */
    /* of the running scan */
    Reason another;          /* why it is not the device that was approved; code "" = it is */
    DeviceIdentity identity; /* of that other one */
    bool paused, is_over;
    bool cancelled; /* before it began */
    bool withdrawn; /* the panel hung up before the scan: no batch is to remain */
    ScanEnd end;
    BatchEvent ended_as;        /* what that makes of the batch: set by run_finish         */
    ScanNotes wishes, warnings; /* the notes of the batch                          */
    bool looked_over;           /* the device has told its state                   */
    unsigned notices;           /* that became events                              */
    char last_notice[24];
    unsigned pages_under_way;
    uint32_t pages_stored;
    LoopTimer *again;  /* runs while the former scan's end is waited for */
    LoopTimer *repeat; /* the finishing write failed: again later */
    bool ok;           /* of the write or spool step that was posted */
    Err err;
} Run;

/* Starts a run for a press: admission, batch, scan. Of DeviceHost. */
void run_pressed(void *service, DevicePress *press, const DeviceSighting *sighting,
                 const DeviceStart *start);

/* The batch row of an admitted run: a copy of the job, the civil day of the site. Writer thread. */
bool run_insert_batch(Tx *tx, Run *run, const StoredJob *job, Err *err);

/* The run is in the service's list and its batch has a row: spool folder, then the scan. */
void run_begin(Run *run);

/* Of DeviceHost, with the Run as scan_arg. */
void run_identified(void *scan_arg, const DeviceIdentity *identity);
void run_noticed(void *scan_arg, const char *notice);
void run_offered(void *scan_arg, const DeviceOffer *offer);
void run_noted(void *scan_arg, const ScanNotes *notes);
void run_warned(void *scan_arg, const ScanNotes *warnings);
void run_page_begin(void *scan_arg, uint32_t number, char side, PageFormat format);
void run_page_bytes(void *scan_arg, char side, Bytes bytes);
void run_page_end(void *scan_arg, char side, const PageNotes *notes);
void run_page_drop(void *scan_arg, char side);
void run_ended(void *scan_arg, ScanEnd end, const Reason *reason);

/* Tells a run that bytes were written, from the spool thread. */
void run_spool_drained(void *run);

/* A batch that was opened but whose scan never began, or is over: it ends when its pages came back. */
void run_over(Run *run, ScanEnd end);

/* The batch has begun, its scan has not, and nobody waits for it: folder and row go again. */
void run_withdraw(Run *run, const Reason *why);

/* Records the end of the batch; also the timer's function when that has to be repeated. */
void run_finish(void *run);

/* The former scan of its device is gone: Start is looked at again, if it waits for that. */
void run_wait_over(Run *run);

/* Takes the run out of the service and frees it. Nothing of it may be under way. */
void run_gone(Run *run);

/* Answers the press with ERROR if it has no answer yet. A run whose job control is cut by that is over. */
void run_refuse(Run *run);

/* One error line with device, batch, cause and cure. */
/* How the device of a row is reached. */
DeviceReach reach_of(const ScanService *service, const Device *device);

void run_log_failure(const char *event, const Run *run, const Err *err);
/* The reason of a batch that failed by one of our own errors. code: its stable word. */
void reason_of_err(const char *code, const Err *err, Reason *ret);

/* Ends every wait for a device that is tried: its link is closed. Repeated calls are fine. */
void probes_close(ScanService *service);

/* Calls the service's idle function when nothing is under way any more. */
void service_say_idle(ScanService *service);

#endif
