/* seal/settings.h - the secrets among a destination's settings: sealed for its row, opened for delivery. */
#ifndef PLATEN_SEAL_SETTINGS_H
#define PLATEN_SEAL_SETTINGS_H

#include "seal/seal.h"
#include "json/json.h"

/* A copy of settings in which every member that is sealed is opened. id: of the destination. NULL with err
 * set (seal_open) naming the member. Owned by the caller. */
Json *settings_opened(const Sealer *sealer, const char *id, const Json *settings, Err *err);

/* Replaces the member by its sealed text. */
bool settings_seal(const Sealer *sealer, const char *id, Json *settings, const char *member,
                   Err *err);

/* Is the sealed member this text? False also when it cannot be opened or is not there. settings may be NULL. */
bool settings_secret_is(const Sealer *sealer, const char *id, const Json *settings,
                        const char *member, const char *text);

/* Seals every sealed member anew with the key that seals now; *ret_changed: any was not. */
bool settings_reseal(const Sealer *sealer, const char *id, Json *settings, bool *ret_changed,
                     Err *err);

#endif
