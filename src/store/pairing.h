/* store/pairing.h - which button-only devices are paired with this server: a row for each that is or was to be. */
#ifndef PLATEN_STORE_PAIRING_H
#define PLATEN_STORE_PAIRING_H

#include "model/pairing.h"
#include "store/config-rows.h"

/* The pairing of a device; state NONE when it has no row. */
bool pairing_get(Db *db, const DeviceId *id, Pairing *ret_pairing, Err *err);

/* Those that are not NONE, of approved devices. visit answers false to stop. */
typedef bool PairingVisit(void *arg, const DeviceId *id, const Pairing *pairing);
bool pairing_list(Db *db, PairingVisit *visit, void *arg, Err *err);

/* Stores what became of it; state NONE removes the row. event: "device.paired", NULL = nothing to tell; text: of the
 * event. A device that is no more: nothing. */
bool pairing_put(Tx *tx, const DeviceId *id, const Pairing *pairing, const char *event,
                 const char *text, Err *err);

#endif
