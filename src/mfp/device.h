/* mfp/device.h - the virtual device as a whole: sockets, timers, clients, panel state, event lines.
 *
 * The shell around the pure parts (finder, press, session, scanner, tray). Everything happens on the
 * loop thread; the web panel gets there by loop_post. Standard output carries one line per event,
 * for people and for tests:
 *
 *   ready address=127.0.0.5 scan_port=1865 panel=http://127.0.0.5:8080
 *   destination name="Scans" address=127.0.0.1 port=2968        destination-gone name="Scans"
 *   (and version=3 when its answer has the keys of version 3)
 *   paired name="Scans"                                         (--button: the host was written by SNMP)
 *   pressed name="Scans" choice=02 result=OK                    ... result=ERROR error="why"
 *   scan-begin client=127.0.0.1:40112
 *   page 1 bytes=123456
 *   fault kind="jam"
 *   job-list bytes=46                 job-asked number=0          scan-end-told name="Scans" result=OK
 *   (version 3: the server told of jobs, asked for the chosen one, took the end of the scan)
 *   scan-end pages=1 outcome=done       (done, cancelled, stopped, broken, fault, no-client)
 *
 * With several devices in one program each line ends with device=ADDRESS. */
#ifndef PLATEN_MFP_DEVICE_H
#define PLATEN_MFP_DEVICE_H

#include "mfp/finder.h"
#include "mfp/options.h"
#include "net/loop.h"
#include "wire/pushscan.h"

enum {
    DEVICE_CLIENTS_MAX = 16,           /* connections to the scan port; more are cut at once    */
    DEVICE_NO_CLIENT_MS = 20000,       /* after an accepted press the server must scan in time  */
    DEVICE_CLIENT_QUEUE_MAX = 1 << 20, /* bytes to a client that reads slowly                   */
    DEVICE_RESULT_SIZE = 320,
};

typedef enum DeviceState {
    DEVICE_READY,
    DEVICE_CONTACTING, /* Start was pressed, the server has not answered          */
    DEVICE_WAITING,    /* the server said OK and will connect                     */
    DEVICE_SCANNING,
    DEVICE_CANCELLING, /* Cancel was pressed, the client has not obeyed yet       */
    DEVICE_STATE_MAX_
} DeviceState;

/* "ready", "contacting" ... Static. */
const char *device_state_name(DeviceState state);

typedef struct Device Device;

/* The device is at its end: as many scans as it should do, or a failure. Called once, by the loop. */
typedef void DeviceEndFn(void *arg);

/* Opens the sockets and starts to announce. options and tray are borrowed and outlive the device.
 * NULL: ERR_TEMPORARY (port in use), ERR_PERMANENT (not an address of this host), ERR_NOT_FOUND (the
 * server's name). Looks that name up, so it may block: before the loop runs. */
Device *device_new(Loop *loop, const Options *options, Tray *tray, DeviceEndFn *on_end,
                   void *on_end_arg, Err *err);
void device_free(Device *device); /* accepts NULL; before loop_free */
DEFINE_AUTO(Device, device_free);

/* Prints the "ready" line. panel_url: "" when there is no panel. */
void device_announce_ready(const Device *device, const char *panel_url);

/* What main returns after loop_run: 0, or 1 after a failure that ended it (said on standard error). */
int device_exit_code(const Device *device);

/* --- what the panel shows ------------------------------------------------------------------------ */
DeviceState device_state(const Device *device);
const Options *device_options(const Device *device);  /* as given to device_new          */
const Finder *device_finder(const Device *device);    /* the destinations                */
const char *device_last_result(const Device *device); /* one sentence, "" at the start */
const char *device_target(const Device *device);      /* name pressed last, ""           */
uint32_t device_scan_pages(const Device *device);     /* of the running or last scan     */
size_t device_sheets(const Device *device);           /* in the feeder                   */
const Fault *device_fault(const Device *device);

/* What JOBW told last: bytes of an unknown format, none at first. */
Bytes device_job_list(const Device *device);

/* The jobs that a destination told, NULL when it told none. *ret_name: the destination asked last, "". */
const PushScanResponse *device_jobs(const Device *device, const char **ret_name);

/* --- what the panel does ------------------------------------------------------------------------- */
/* Start. ERR_NOT_FOUND (no such destination), ERR_CONFLICT (not ready), ERR_BAD_INPUT (choice), ERR_DENIED (the
 * button calls another host), and
 * what connecting says at once. The outcome comes later: device_state, device_last_result. */
bool device_press(Device *device, const char *name, const char *choice, Err *err);

/* Asks the destination for its jobs (X-JobList/1). The same errors; the answer comes later: device_jobs. */
bool device_ask_jobs(Device *device, const char *name, Err *err);

/* Start for one of these jobs. */
bool device_press_job(Device *device, const char *name, uint16_t number, Err *err);

/* Puts a stack into the feeder. ERR_CONFLICT while it scans or without a feeder to fill; ERR_BAD_INPUT
 * unless 1..TRAY_SHEETS_MAX. */
bool device_load(Device *device, int64_t sheets, Err *err);

/* Something goes wrong, at once (page 0) or within a page. ERR_BAD_INPUT: no such kind. */
bool device_break(Device *device, const char *kind_name, int64_t page, Err *err);

/* Whatever was wrong has been put right: paper out, cover closed. */
void device_clear(Device *device);

/* Cancel: ends the scan, or the wait for a server that accepted Start. ERR_CONFLICT when neither. */
bool device_cancel(Device *device, Err *err);

#endif
