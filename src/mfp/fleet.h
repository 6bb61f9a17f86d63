/* mfp/fleet.h - one or many virtual devices in one program: addresses and serials counted up, one loop. */
#ifndef PLATEN_MFP_FLEET_H
#define PLATEN_MFP_FLEET_H

#include "mfp/device.h"

typedef struct Fleet Fleet;

/* Makes options->count devices with the pictures of the tray, each with a feeder and, when asked for, a panel of its
 * own, and says that they are ready. options and pictures are borrowed. Errors of device_new and panel_new, with the
 * address. Before the loop runs. */
Fleet *fleet_new(Loop *loop, const Options *options, const Tray *pictures, Err *err);
void fleet_free(Fleet *fleet); /* accepts NULL; after loop_run, before loop_free */
DEFINE_AUTO(Fleet, fleet_free);

/* What main returns: 0, or 1 after a failure of any device (said on standard error). */
int fleet_exit_code(const Fleet *fleet);

/* "VIRTUAL001" becomes "VIRTUAL003" with more = 2: the number at its end grows, within its size. False: it has no
 * number, or a too short one. */
bool fleet_serial(const char *first, uint32_t more, char ret_serial[SCANNER_SERIAL_SIZE]);

#endif
