/* scan/refusals.h - how often it is told that Start was refused: a child at a panel, or a stranger's program, must fill
 * neither history nor log. One thread. */
#ifndef PLATEN_SCAN_REFUSALS_H
#define PLATEN_SCAN_REFUSALS_H

#include "base/time.h"
#include "model/device.h"

enum {
    REFUSALS_SOURCES_MAX = 64,
    REFUSALS_PER_SOURCE = 6, /* in REFUSALS_SPAN_MS */
    REFUSALS_IN_ALL = 120,   /* the same, of all sources */
    REFUSALS_SPAN_MS = 60000,
};

/* Zeroed: nothing was refused yet. */
typedef struct Refusals {
    struct {
        char address[ADDRESS_TEXT_SIZE];
        Mono begun;
        unsigned told, kept; /* kept: to ourselves, since the last that was told */
    } sources[REFUSALS_SOURCES_MAX];
    Mono begun;
    unsigned told;
} Refusals;

/* Is this refusal told? *ret_kept: how many of this source were not, since the last that was. */
bool refusals_tell(Refusals *refusals, const char *address, Mono now, unsigned *ret_kept);

#endif
