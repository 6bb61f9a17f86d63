/* device/scan-plan.h - which source to scan from and which parameters to ask for. Pure.
 *
 * There is no table of models: everything follows from what the device says in INFO, CAPA and STAT.
 * Used by the scan session. */
#ifndef PLATEN_DEVICE_SCAN_PLAN_H
#define PLATEN_DEVICE_SCAN_PLAN_H

#include "device/scan-order.h"
#include "model/device-offer.h"
#include "wire/esci2-para.h"

/* The unit to scan from. False with *ret_reason (source-missing, no-paper, or the error that STAT
 * reports for the unit) when there is none. */
bool scan_plan_unit(const Esci2Info *info, const Esci2Stat *stat, ScanSource wanted,
                    ScanUnit *ret_unit, Reason *ret_reason);

/* The parameters: what scan_settings_resolve makes of the order, said in tokens that CAPA offers; JPEG where
 * the device has it and the colour is not 1 bit, else raw lines. *ret_notes: what is not as the order
 * says. spare leaves everything out that a device could do without, for the second try after a refusal.
 * False with *ret_reason: format-not-offered when the device has neither form, settings-not-offered when
 * the order is strict and there are notes. */
bool scan_plan_para(const Esci2Info *info, const Esci2Capa *capa, const ScanOrder *order,
                    ScanUnit unit, bool spare, Esci2Para *ret_para, ScanNotes *ret_notes,
                    Reason *ret_reason);

#endif
