/* device/esci-session.h - ESC/I in a scan session, with an older device: over IS, behind the welcome. Sans-IO.
 *
 *   LOCK -> RESET -> IDENTITY -> STATUS -> TAKE -> RESET_TAKEN -> SOURCE SOURCE_BYTE -> SOURCE_STATUS
 *     (the feeder is empty and the glass will do: SOURCE again)
 *   -> { GAMMA GAMMA_TABLE } x 3 -> PARAMETERS PARAMETERS_BLOCK -> READY -> START -> BLOCK { NEXT_BLOCK }
 *   START <-> FEEDING while the device draws the paper          the last block -> STORING
 *   STORING, glass -> RELEASE;  feeder -> NEXT_PAGE -> NEXT_STATUS -> PARAMETERS, or RELEASE when it is empty
 *   RELEASE -> UNLOCK -> CLOSED
 *   the device reports a failure: CANCEL -> FAULT_STATUS (why?) -> RELEASE ...
 *   stop: where an argument is due to a command that was answered, behind it; in data state CANCEL -> RELEASE
 *
 * Pages are raw lines (model/raw-page.h), fetched by the pull method: the first block by a pure read, each
 * further one by its acknowledgement. Behind the last block nothing is sent until the page is stored. */
#ifndef PLATEN_DEVICE_ESCI_SESSION_H
#define PLATEN_DEVICE_ESCI_SESSION_H

#include "device/scan-session.h"

typedef enum EsciState {
    ESCI_AT_LOCK,
    ESCI_AT_RESET,
    ESCI_AT_IDENTITY,
    ESCI_AT_STATUS,
    ESCI_AT_TAKE,
    ESCI_AT_RESET_TAKEN,
    ESCI_AT_SOURCE,
    ESCI_AT_SOURCE_BYTE,
    ESCI_AT_SOURCE_STATUS,
    ESCI_AT_GAMMA,
    ESCI_AT_GAMMA_TABLE,
    ESCI_AT_PARAMETERS,
    ESCI_AT_PARAMETERS_BLOCK,
    ESCI_AT_READY,
    ESCI_AT_START,
    ESCI_AT_FEEDING,
    ESCI_AT_BLOCK,
    ESCI_AT_NEXT_BLOCK,
    ESCI_AT_STORING,
    ESCI_AT_STORING_LOST, /* the device is gone, the host still stores the last whole page */
    ESCI_AT_NEXT_PAGE,
    ESCI_AT_NEXT_STATUS,
    ESCI_AT_CANCEL, /* from here on the scan winds down */
    ESCI_AT_FAULT_STATUS,
    ESCI_AT_RELEASE,
    ESCI_AT_UNLOCK,
    ESCI_AT_CLOSED,
    ESCI_STATE_MAX_
} EsciState;

/* The whole behaviour; and how long each state waits for the device (or the host). */
extern const ScanRule esci_rules[ESCI_STATE_MAX_][SCAN_EVENT_MAX_];
extern const int64_t esci_patience_ms[ESCI_STATE_MAX_];

/* For messages and traces. Static. */
const char *esci_state_name(int state);

enum {
    ESCI_WARM_UP_MS = 120000, /* a lamp that is still not ready: give up */
};

/* A session on a connection whose welcome has just come; its command is among the actions. NULL when memory is
 * gone. */
ScanSession *esci_session_new(const ScanOrder *order, const ScanTraits *traits, Mono now);

#endif
