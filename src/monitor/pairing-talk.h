/* monitor/pairing-talk.h - inside of monitor: what is said to a button-only scanner about the name it holds. */
#ifndef PLATEN_MONITOR_PAIRING_TALK_H
#define PLATEN_MONITOR_PAIRING_TALK_H

#include "model/pairing.h"

#include <stdatomic.h>

typedef struct PairingTalk {
    const char *address, *community; /* borrowed */
    uint16_t snmp_port, scan_port;
    const atomic_bool *stop;
    /* what was heard */
    char found[PANEL_NAME_SIZE]; /* the name the device says                                   */
    bool found_clean;            /* ... can be written back as it stands                       */
    char detail[96];             /* of a problem                                               */
} PairingTalk;

/* Reads the name into found. */
PairingProblem pairing_talk_read(PairingTalk *talk);

/* Writes a name and reads it back. "" = paired with nobody. */
PairingProblem pairing_talk_write(PairingTalk *talk, const char *name);

#endif
