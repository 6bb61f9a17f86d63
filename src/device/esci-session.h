/* device/esci-session.h - the client's side of one scan from an older device (ESC/I over IS). Sans-IO.
 *
 * Begins after the welcome, whose family says that the device speaks ESC/I; from then on it takes the calls of
 * device/scan-talk.h (scan_talk_esci) and produces the actions of device/scan-session.h.
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

#include "device/scan-talk.h"

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

typedef enum EsciEvent {
    ESCI_EVENT_DONE,     /* answered as wished                                     */
    ESCI_EVENT_OTHER,    /* the other way: another source, no gamma tables, the rest of a block */
    ESCI_EVENT_MORE,     /* another block or table is due                          */
    ESCI_EVENT_BUSY,     /* not yet                                                */
    ESCI_EVENT_AGAIN,    /* the pause is over                                      */
    ESCI_EVENT_PAGE,     /* a page is whole                                        */
    ESCI_EVENT_FAILED,   /* the device says that it failed, not why                */
    ESCI_EVENT_FAULT,    /* it is known why the scan cannot go on                  */
    ESCI_EVENT_STORED,   /* the host stored the page, more may come                */
    ESCI_EVENT_BAD_PAGE, /* the host could not                                     */
    ESCI_EVENT_FINISHED, /* no more pages                                          */
    ESCI_EVENT_STOP,     /* cancelled at the device or by the host                 */
    ESCI_EVENT_LOST,     /* connection closed, or the device says it will          */
    ESCI_EVENT_LATE,     /* patience is over                                       */
    ESCI_EVENT_WRONG,    /* not the protocol                                       */
    ESCI_EVENT_MAX_
} EsciEvent;

typedef struct EsciRule {
    EsciState next;
    ScanDo action; /* BREAK of every missing rule: protocol error, close */
    bool allowed;
} EsciRule;

/* The whole behaviour; and how long each state waits for the device (or the host). */
extern const EsciRule esci_rules[ESCI_STATE_MAX_][ESCI_EVENT_MAX_];
extern const int64_t esci_patience_ms[ESCI_STATE_MAX_];

/* For messages and traces. Static. */
const char *esci_state_name(EsciState state);

enum {
    ESCI_WARM_UP_MS = 120000, /* a lamp that is still not ready: give up */
};

typedef struct EsciSession EsciSession;

/* A session on a connection whose welcome has just come; the command is among the actions. NULL when memory is
 * gone. Freed by scan_talk_esci.free. */
EsciSession *esci_session_new(const ScanOrder *order, const ScanTraits *traits, Mono now);

/* Where the session stands, for traces and tests. */
EsciState esci_session_state(const EsciSession *s);

#endif
