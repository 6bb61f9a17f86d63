/* model/pairing.h - a scanner that has nothing but a button holds the name of one host and tells a press of its
 * button only to the agent of that name. Pairing writes the name there. Pure.
 *
 * Known of FF-680W and DS-575W from a published account of real devices: an octet string, read and set by SNMPv1,
 * empty as long as the device is paired with nobody; it must equal the ClientName of the registration.
 *
 *             written               renamed (we show another name now)
 *   NONE ---------------> PAIRED ------------------> OUTDATED
 *    ^                    ^   |                        |   |
 *    |                    |   +--- taken --+   written |   | taken
 *    |                    +----------------|-----------+   |
 *    |                    |  written       v               |
 *    |                    +-------------- LOST <-----------+
 *    +---------------------------------- each: released */
#ifndef PLATEN_MODEL_PAIRING_H
#define PLATEN_MODEL_PAIRING_H

#include "base/bytes.h"
#include "base/err.h"
#include "base/field.h"
#include "base/time.h"
#include "model/panel.h"

typedef enum PairingState {
    PAIRING_NONE,     /* no person wants it, or not any more                 */
    PAIRING_PAIRED,   /* the device says our name                            */
    PAIRING_OUTDATED, /* it says a name that we had; ours is still to be written */
    PAIRING_LOST,     /* somebody has written another name; it is left to him */
    PAIRING_STATE_MAX_
} PairingState;
typedef enum PairingEvent {
    PAIRING_EVENT_WRITTEN, /* the device was heard to say our name            */
    PAIRING_EVENT_RENAMED, /* we show another name than we wrote              */
    PAIRING_EVENT_TAKEN,   /* it says a name that is not ours                 */
    PAIRING_EVENT_RELEASED,
    PAIRING_EVENT_MAX_
} PairingEvent;

extern const char *const pairing_state_words[]; /* ends with NULL */

/* The state after the event; false (and *state unchanged) when the event is not allowed there. */
bool pairing_step(PairingState *state, PairingEvent event);

/* Why it did not succeed. */
typedef enum PairingProblem {
    PAIRING_OK,
    PAIRING_NO_ANSWER,   /* it does not answer at all                                    */
    PAIRING_SNMP_SILENT, /* it is there, but silent to SNMP: the community is wrong, or SNMP is off */
    PAIRING_NOT_PAIRABLE,  /* it has no such object                                        */
    PAIRING_WRONG_TYPE,    /* the object is no text                                        */
    PAIRING_WRITE_REFUSED, /* it may be read, but not written                              */
    PAIRING_VALUE_REFUSED, /* this name is not taken                                       */
    PAIRING_NOT_KEPT,      /* it said yes, and says another name all the same              */
    PAIRING_DEVICE_FAILED, /* it answered with an error of its own, or what cannot be understood */
    PAIRING_NOT_SENT,      /* the question could not be sent: no route, no memory          */
    PAIRING_ELSEWHERE,     /* it is paired with somebody else                              */
    PAIRING_PROBLEM_MAX_
} PairingProblem;

extern const char *const pairing_problem_words[]; /* "" first; ends with NULL */

/* Fills err: what, where and what to do. address: of the device; detail: what came ("integer", the other name),
 * "" = nothing to say. Always false. */
bool pairing_problem_err(PairingProblem problem, const char *address, const char *detail, Err *err);

/* One device's pairing as stored. */
typedef struct Pairing {
    PairingState state;
    char name[PANEL_NAME_SIZE];   /* that we wrote, and the device said          */
    char before[PANEL_NAME_SIZE]; /* what it said before we came, "" = nothing   */
    char other[PANEL_NAME_SIZE];  /* LOST: what it says now                      */
    PairingProblem problem;       /* of the last talk                            */
    Wall since;                   /* of the state                                */
    Wall checked;                 /* the last talk                               */
} Pairing;

/* What a device says as a text that can be stored, compared and shown: zero bytes at the end are left out, what is
 * no printable UTF-8 becomes "?", what is too long is cut. False when it had to be changed (zeros at the end
 * do not count): such a name is never ours and cannot be written back. */
bool pairing_name_read(Bytes value, char ret_name[PANEL_NAME_SIZE]);

/* What to do with a name that was read. */
typedef enum PairingDo {
    PAIRING_DO_NOTHING, /* it is ours already             */
    PAIRING_DO_WRITE,   /* ours may be written            */
    PAIRING_DO_LEAVE    /* it is somebody else's          */
} PairingDo;

/* ours: the name this server shows to the device. A name that is empty or was ours is replaced; another one only
 * when a person said so. */
PairingDo pairing_decide(const Pairing *pairing, const char *ours, const char *found, bool replace);

/* When the device is looked at next without a person: at once when we show another name (ours), else after check_s
 * since the last talk, or after retry_s as long as ours is still to be written. A talk that is in the future was before
 * the clock was set back: then it is now. */
Wall pairing_due(const Pairing *pairing, const char *ours, int64_t check_s, Wall now);

enum { PAIRING_RETRY_S = 60 };

/* What a person wants. */
typedef struct PairWish {
    bool replace; /* also when it is paired with somebody else */
} PairWish;
typedef struct UnpairWish {
    bool restore; /* write what it said before we came */
} UnpairWish;

extern const Field pair_wish_fields[], unpair_wish_fields[];

#endif
