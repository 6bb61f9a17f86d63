/* device/scan-warning.h - what a device says that is no error: named, with what to do. Pure.
 *
 * Standing warnings come from STAT and are about the device; passing ones come beside the pages and are about one of
 * them. Each becomes a ScanNote with the word of the warning (model/device-offer.h). */
#ifndef PLATEN_DEVICE_SCAN_WARNING_H
#define PLATEN_DEVICE_SCAN_WARNING_H

#include "model/device-offer.h"
#include "wire/esci2-info.h"

/* Adds what a status warns of; false when all of it is in the list already. */
bool scan_warn_of_status(ScanNotes *warnings, const Esci2Stat *stat);

/* The same of a reply to IMG, which spoke of this page; 0 = of none. */
bool scan_warn_of_page(ScanNotes *warnings, const Esci2Reply *reply, uint32_t page);

#endif
