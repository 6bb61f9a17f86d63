/* scan/panel.h - what each device is to see of us, kept for the loop thread, which asks no database.
 *
 * Filled from the database at the start and at every sighting of a device, so that it is as new as
 * the last request but one at the latest. Loop thread only; shared by the files of this folder. */
#ifndef PLATEN_SCAN_PANEL_H
#define PLATEN_SCAN_PANEL_H

#include "device/device-link.h"
#include "model/device.h"
#include "store/config-rows.h"

enum { PANELS_MAX = 4096 }; /* devices that are remembered; more: the one written first goes */

typedef struct Panel {
    char address[ADDRESS_TEXT_SIZE];
    int64_t registration;          /* DeviceRegistration                                        */
    DeviceJobsBy jobs_by;          /* in force                                                  */
    struct PanelNames *names;      /* of its jobs, NULL: not shown by name, or not known        */
    JobId shown[DEVICE_DOORS_MAX]; /* what stood under the name of each door, "" nothing */
    JobId *told;                   /* of the list it was told last: number i + 1 is told[i] */
    size_t told_count;
} Panel;

/* The first jobs of a device's group, as many as there are names. */
typedef struct PanelNames {
    size_t count;
    struct {
        JobId job;
        char name[DEVICE_SHOWN_SIZE];
    } of[DEVICE_DOORS_MAX];
} PanelNames;

typedef struct PanelBook {
    unsigned doors;          /* names that can be shown */
    const QuirkBook *quirks; /* of models; NULL: none   */
    Panel *panels;
    size_t count, capacity, next; /* next: which one goes when the book is full */
} PanelBook;

/* Frees what it holds. A book of zeros is empty. */
void panel_book_done(PanelBook *book);

/* Reads all devices of the database. Before the loop runs. */
bool panel_book_load(PanelBook *book, Store *store, Err *err);

/* Remembers what is set for the device. names: as just read, NULL keeps those that are known. Without memory
 * it stays as it was. */
void panel_book_put(PanelBook *book, const Device *device, const PanelNames *names);

/* Reads the names for panel_book_put; none when the device has no jobs. Writer thread. */
bool panel_names_read(Tx *tx, const Device *device, PanelNames *ret_names, Err *err);

/* The job whose name was pressed: id of the one shown by this door, "" unknown. *ret_name is the door, or -1
 * when the device is not shown jobs by name. Borrowed until the next call on the book. */
const char *panel_book_shown(const PanelBook *book, const char *address, unsigned door,
                             int *ret_name);

/* The device was told these jobs under the numbers from 1. */
void panel_book_told(PanelBook *book, const char *address, const JobId *jobs, size_t count);

/* The job that was told under this number; "" none. Borrowed until the next call on the book. */
const char *panel_book_job(const PanelBook *book, const char *address, int32_t number);

/* What a device that asks is to see: of DeviceHost. */
bool panel_book_shows(PanelBook *book, const DeviceSighting *sighting, DeviceShown *shown);

#endif
