/* scan/list.h - a device asks for its jobs: who may be told, and what. Shared by the files of this
 * folder only.
 *
 *   asked -> [writer: may it? its jobs] -> names, or job control with the device -> answered */
#ifndef PLATEN_SCAN_LIST_H
#define PLATEN_SCAN_LIST_H

#include "scan/run.h"

/* One request. Owned by the loop thread; the writer thread fills what is named for it. */
typedef struct Listing {
    ScanService *service;
    struct Listing *next;
    DevicePress *press; /* NULL: answered */
    char address[ADDRESS_TEXT_SIZE], product[PRODUCT_TEXT_SIZE];
    bool names;   /* it wants names                                               */
    bool talking; /* job control runs: nothing comes back when the press goes    */
    /* filled by the writer thread */
    Device device;
    bool ok, admitted;
    Reason reason;
    size_t count;
    JobId jobs[DEVICE_LISTED_MAX];
    DeviceListedJob listed[DEVICE_LISTED_MAX];
} Listing;

/* Of DeviceHost. */
void list_asked(void *service, DevicePress *press, const DeviceSighting *sighting, bool names);

/* Answers ERROR to every device that still waits; what is under way comes back and ends. */
void list_refuse_all(ScanService *service);

#endif
