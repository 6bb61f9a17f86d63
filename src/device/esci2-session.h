/* device/esci2-session.h - ESC/I-2 in a scan session: from the welcome on, over IS. Sans-IO.
 *
 *   WELCOME -> LOCK -> INQUIRY_MODE INFO CAPA INQUIRY_FIN -> STATUS_MODE STATUS STATUS_FIN
 *     -> CONTROL_MODE CONTROL_STATUS -> PARAMETERS -> START -> IMAGE <-> IMAGE_DATA
 *   a mode is refused: it may still be in one that a client left who died; half a second, FIN, again
 *                                                               |  ^
 *                                                     page end  v  | stored
 *                                                             STORING
 *   STORING -not stored, late-> CLOSED, nothing sent
 *   an error or cancel that comes together with the end of a page: STORING first, then as below
 *   IMAGE, STORING -last page, fault-> FIN -> [LAST_MODE LAST_STATUS LAST_FIN] -> UNLOCK -> CLOSED
 *   stop: in data state CANCEL -> FIN ..., in a mode FIN ..., else UNLOCK; lost or late: CLOSED
 *   stalled: IMAGE -> CANCEL, but only between an answer and the next IMG: the answer that is still
 *   out may be the end of a page, which CAN would acknowledge
 *
 *   more sheets are waited for: LAST_FIN, a second, LAST_MODE again; with sheets -> CONTROL_MODE; a scan
 *   that ends while it waits is complete, unless it was cancelled
 *
 * The last STATUS is read after every use of the feeder: it holds "paper empty", and a device that
 * is not asked may show an error later. After UNLOCK the connection is closed at once, because some
 * devices show "Scanning Error" when it stays. */
#ifndef PLATEN_DEVICE_ESCI2_SESSION_H
#define PLATEN_DEVICE_ESCI2_SESSION_H

#include "device/scan-session.h"

typedef enum Esci2State {
    ESCI2_AT_WELCOME,
    ESCI2_AT_LOCK,
    ESCI2_AT_INQUIRY_MODE,
    ESCI2_AT_FORMER_FIN, /* ends a mode that another client left */
    ESCI2_AT_INFO,
    ESCI2_AT_INFO_DATA,
    ESCI2_AT_CAPA,
    ESCI2_AT_CAPA_DATA,
    ESCI2_AT_INQUIRY_FIN,
    ESCI2_AT_STATUS_MODE,
    ESCI2_AT_STATUS,
    ESCI2_AT_STATUS_DATA,
    ESCI2_AT_STATUS_FIN,
    ESCI2_AT_CONTROL_MODE,
    ESCI2_AT_CONTROL_STATUS,
    ESCI2_AT_CONTROL_STATUS_DATA,
    ESCI2_AT_PARAMETERS_HEAD,
    ESCI2_AT_PARAMETERS,
    ESCI2_AT_START,
    ESCI2_AT_IMAGE,
    ESCI2_AT_IMAGE_DATA,
    ESCI2_AT_STORING,
    ESCI2_AT_STORING_LOST, /* the device is gone, the host still stores the last whole page */
    ESCI2_AT_CANCEL,
    ESCI2_AT_FIN,
    ESCI2_AT_LAST_MODE,
    ESCI2_AT_LAST_STATUS,
    ESCI2_AT_LAST_STATUS_DATA,
    ESCI2_AT_LAST_FIN,
    ESCI2_AT_UNLOCK,
    ESCI2_AT_CLOSED,
    ESCI2_STATE_MAX_
} Esci2State;

/* The whole behaviour; and how long each state waits for the device (or the host). */
extern const ScanRule esci2_rules[ESCI2_STATE_MAX_][SCAN_EVENT_MAX_];
extern const int64_t esci2_patience_ms[ESCI2_STATE_MAX_];

/* For messages and traces. Static. */
const char *esci2_state_name(int state);

/* A session on a connection that was just made; order and traits are copied. NULL when memory is gone. */
ScanSession *esci2_session_new(const ScanOrder *order, const ScanTraits *traits, Mono now);

#endif
