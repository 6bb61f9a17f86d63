/* device/scan-talk.h - what the sessions of both device languages have in common for their driver.
 *
 * A scan session (ESC/I-2, device/scan-session.h) and an ESC/I session (device/esci-session.h) take the same
 * calls and produce the same actions; link-scan.c drives either through this struct. Each call means what
 * scan-session.h says of the function of its name. */
#ifndef PLATEN_DEVICE_SCAN_TALK_H
#define PLATEN_DEVICE_SCAN_TALK_H

#include "device/scan-session.h"

typedef struct ScanTalk {
    void (*free)(void *session);
    size_t (*feed)(void *session, Bytes in, Mono now);
    void (*tick)(void *session, Mono now);
    Mono (*deadline)(const void *session);
    void (*lost)(void *session, const char *code, Mono now);
    bool (*next)(void *session, ScanAction *ret_action);
    void (*page_stored)(void *session, bool ok, const Reason *reason, Mono now);
    void (*pause)(void *session, Mono now);
    void (*resume)(void *session, Mono now);
    void (*refuse)(void *session, const Reason *reason, Mono now);
    void (*cancel)(void *session, Mono now);
    void (*stop_at_page)(void *session, Mono now);
    void (*no_more_sheets)(void *session, Mono now); /* NULL: it never waits for sheets */
    void (*leave)(void *session, Mono now);
} ScanTalk;

extern const ScanTalk scan_talk_esci2; /* of a ScanSession */
extern const ScanTalk scan_talk_esci;  /* of an EsciSession */

#endif
