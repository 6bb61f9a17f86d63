/* device/scan-reason.h - the sentences of everything that can end a scan. Pure.
 *
 * One table: stable word, what happened, what a person can do. Used by the scan session and the
 * device link. */
#ifndef PLATEN_DEVICE_SCAN_REASON_H
#define PLATEN_DEVICE_SCAN_REASON_H

#include "model/batch.h"
#include "model/device-offer.h"
#include "wire/esci2.h"

/* The reason with this code; detail (may be "") is put in round brackets behind the text. A code
 * that is not in the table is a bug and gives the reason "device-error". */
Reason scan_reason(const char *code, const char *detail);

/* Why a strict job is refused: settings-not-offered with every note that fits into the text, and how many more. */
Reason scan_reason_of_notes(const ScanNotes *notes);

/* The reason for a connection that was not made: errno, 0 = not known. */
Reason scan_reason_of_connect(int code);

/* The reason for an error that the device reports: "ADF " "PJ  " is paper-jam. Unknown causes give
 * device-error with the cause in the text. */
Reason scan_reason_of_error(const Esci2Error *error);

/* The same of an event by which a device ends a scan: disconnect, time-out, or "server error". */
Reason scan_reason_of_event(uint8_t code);

/* device-rejected of a command that was answered by "UNKN", "INVD" or "NAK", in the words for it; command: "INFO". */
Reason scan_reason_of_refusal(const char *word, const char *command);

/* The code for what #nrd says (RSVD, AFEN, anything else but BUSY and WUP). Static. */
const char *scan_reason_of_not_ready(const char *word);

#endif
