/* mfp/fault.h - what can go wrong with the virtual device: one row for each kind.
 *
 * A fault is armed with a page: it happens while that page is being sent. Without one, causes stand from the
 * beginning, and the rest happens as early as it can. A cause (jam, cover ...) stands until it is cleared; the
 * others happen once. Pure. */
#ifndef PLATEN_MFP_FAULT_H
#define PLATEN_MFP_FAULT_H

#include "base/bytes.h"
#include "base/err.h"

typedef enum FaultEffect {
    FAULT_CAUSE,  /* #ERR of STAT and #err inline: word is the cause                           */
    FAULT_EMPTY,  /* the feeder loses its paper until it is cleared                            */
    FAULT_CANCEL, /* somebody presses Cancel at the panel                                      */
    FAULT_WAIT,   /* #nrd word a few times, then all is well                                   */
    FAULT_REFUSE, /* #nrd word to every TRDT                                                   */
    FAULT_PARAMETERS, /* #parFAIL                                                                  */
    FAULT_DROP,  /* the connection ends in the middle of a block                              */
    FAULT_EVENT, /* an event packet, then the connection ends; code                           */
} FaultEffect;

typedef struct FaultKind {
    const char *name; /* "jam"                                 */
    FaultEffect effect;
    const char *word; /* four characters, or NULL              */
    uint8_t code;     /* FAULT_EVENT                           */
    const char *text; /* for people                            */
} FaultKind;

/* By name; NULL when there is none. */
const FaultKind *fault_find(const char *name);
/* Row i; NULL behind the last. */
const FaultKind *fault_at(size_t i);

/* Faults of one device. */
typedef struct Fault {
    const FaultKind *armed;    /* NULL: none                                                     */
    uint32_t page;             /* when; 0: at once                                               */
    const FaultKind *standing; /* a cause that nobody has cleared; NULL: none                    */
    uint32_t waits_left;       /* FAULT_WAIT: answers still to be refused                        */
} Fault;

enum { FAULT_PAGE_MAX = 1000000, FAULT_WAITS = 2, FAULT_WORD_SIZE = 64 };

/* Arms "KIND" or "KIND@PAGE". ERR_BAD_INPUT names the nearest kind. */
bool fault_parse(const char *text, Fault *ret_fault, Err *err);

/* Arms a kind; page 0: at once. */
void fault_arm(Fault *fault, const FaultKind *kind, uint32_t page);

/* What stands is cleared, what is armed is disarmed. */
void fault_clear(Fault *fault);

/* The armed fault, when its effect is this one and it is due: at the beginning (page 0) or on this page. */
const FaultKind *fault_due(const Fault *fault, FaultEffect effect, uint32_t page);

#endif
