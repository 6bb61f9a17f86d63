/* store/scan-json.h - inside of store and for the API: what devices offer, and what they did otherwise, as JSON.
 *
 * An offer is shown to people as it is stored, so its members are named for them: lengths in mm, words of
 * the settings. */
#ifndef PLATEN_STORE_SCAN_JSON_H
#define PLATEN_STORE_SCAN_JSON_H

#include "base/bytes.h"
#include "model/device-offer.h"
#include "json/json.h"

enum { OFFER_TEXT_MAX = 8192, NOTES_TEXT_MAX = 16384 };

/* Appends the JSON text. ERR_TEMPORARY: no memory. */
bool offer_format(const DeviceOffer *offer, Buf *out, Err *err);
/* Reads what offer_format wrote; false for "" and for what is not ours. */
bool offer_parse(Bytes text, DeviceOffer *ret_offer);

/* [{"setting": "dpi", "text": "..."}]; never NULL, poisoned without memory. The caller owns it. */
Json *notes_json(const ScanNotes *notes);
bool notes_format(const ScanNotes *notes, Buf *out, Err *err);
/* Reads an array; no notes when it is not ours. */
void notes_read(const Json *array, ScanNotes *ret_notes);
void notes_parse(Bytes text, ScanNotes *ret_notes);

#endif
