/* flow/identity.h - a device at an address said its serial number: whose address is that now? Pure.
 *
 * Identity is the serial number, the address is a hint. Anybody can say a number, so an approved device
 * moves to another address only when nobody says that number at its former one any more. */
#ifndef PLATEN_FLOW_IDENTITY_H
#define PLATEN_FLOW_IDENTITY_H

#include "model/batch.h"
#include "model/device.h"

/* What to do with what was said. */
typedef enum IdentityStep {
    IDENTITY_NOTHING,     /* known already, or it does not say a number                           */
    IDENTITY_LEARN,       /* record it for the device at this address                             */
    IDENTITY_CHECK_FORMER /* an approved device has this number elsewhere: ask at its address now */
} IdentityStep;

/* here: the device as stored at the address. known: another device that is approved with this serial
 * number, NULL = none. */
IdentityStep flow_identity_said(const Device *here, const Device *known, const char *serial);

/* What was heard at the former address. */
typedef enum FormerAnswer {
    FORMER_ABSENT,  /* nobody takes connections there                          */
    FORMER_SAID,    /* somebody there says a serial number, or that he has none */
    FORMER_UNCLEAR, /* somebody is there and does not say who (busy, silent)    */
    FORMER_ANSWER_MAX_
} FormerAnswer;

/* May the approved device `known` move to address? former_serial: what was said at its former one. False
 * with the reason "address-not-free" (for now) or "serial-said-twice" (somebody pretends). */
bool flow_identity_may_move(const Device *known, const char *address, FormerAnswer answer,
                            const char *former_serial, Reason *ret_reason);

/* A device whose certificate is known is only who shows that certificate. False with the reason
 * "certificate-changed". */
bool flow_identity_is_proven(const Device *known, const char *address, const char *certificate,
                             Reason *ret_reason);

#endif
