/* device/scan-plan.h - which source to scan from and which parameters to ask for. Pure.
 *
 * There is no table of models: everything follows from what the device says in INFO, CAPA and STAT.
 * Used by the scan session. */
#ifndef PLATEN_DEVICE_SCAN_PLAN_H
#define PLATEN_DEVICE_SCAN_PLAN_H

#include "device/scan-order.h"
#include "wire/esci2-para.h"

typedef enum ScanUnit { SCAN_UNIT_ADF, SCAN_UNIT_FLATBED } ScanUnit;

/* The unit to scan from. False with *ret_reason (source-missing, no-paper, or the error that STAT
 * reports for the unit) when there is none. */
bool scan_plan_unit(const Esci2Info *info, const Esci2Stat *stat, ScanSource wanted,
                    ScanUnit *ret_unit, Reason *ret_reason);

/* The parameters: only what CAPA offers; dpi the nearest that the unit has, its whole area, JPEG where the
 * device has it and the colour is not 1 bit, else raw lines.
 * spare leaves everything out that a device could do without, for the second try after a refusal.
 * False with *ret_reason (format-not-offered) when the device has neither. */
bool scan_plan_para(const Esci2Info *info, const Esci2Capa *capa, const ScanOrder *order,
                    ScanUnit unit, bool spare, Esci2Para *ret_para, Reason *ret_reason);

#endif
