/* flow/scan.h - may this scan start, with which job; and what became of it. Pure. */
#ifndef PLATEN_FLOW_SCAN_H
#define PLATEN_FLOW_SCAN_H

#include "model/batch.h"
#include "model/device.h"
#include "model/job.h"

/* What is known when somebody pressed Start. */
typedef struct ScanRequest {
    const Device *device;     /* NULL: never seen                     */
    const JobGroup *group;    /* of the device; NULL: it has none     */
    const char *panel_choice; /* PushScanIDIn, "" when absent         */
    int32_t job_number;       /* JobNumberIn, -1 when absent          */
    const char *job;          /* id of the job this number or name was told for, "" none */
    bool listed;              /* numbers are those of a list of names, of which 0 is none      */
    int name;      /* the device shows names of jobs: which one was chosen, from 0; -1 not */
    bool draining; /* the server is being stopped          */
} ScanRequest;

/* The index in group->jobs of the job to start, or -1 with the reason of the refusal. A number goes
 * before the choice; without a list that was told, 0 is the first job of devices of version 3, which know one. */
int flow_scan_admit(const ScanRequest *request, Reason *ret_reason);

/* May the panel be told the jobs? Only device, group and draining count. */
bool flow_list_admit(const ScanRequest *request, Reason *ret_reason);

/* What is known when somebody starts a scan without a panel. */
typedef struct ScanPullRequest {
    const Device *device;
    const JobGroup *group; /* of the device; NULL: it has none                             */
    const JobStart *start;
    bool draining; /* the server is being stopped                                  */
} ScanPullRequest;

/* May it be? False with the reason server-stopping, device-not-approved, device-busy or
 * job-not-in-group. */
bool flow_scan_admit_pull(const ScanPullRequest *request, Reason *ret_reason);

/* Approval belongs to a device, not to its address: false with the reason "another-device" when the
 * serial number that a scan has learned is not the one that is known. A device whose number is not
 * known yet is taken as it is. */
bool flow_scan_identify(const Device *device, const char *serial, Reason *ret_reason);

typedef enum ScanOutcome { SCAN_COMPLETE, SCAN_CANCELLED, SCAN_BROKEN } ScanOutcome;

/* The event of a scan that ended with so many stored pages. *reason is what the device link said; a
 * complete scan without a page is a broken one. */
BatchEvent flow_scan_ended(ScanOutcome outcome, uint32_t pages, Reason *reason);

#endif
