/* scan/watch.h - of which approved devices is nothing heard, and can they be reached? Loop thread only.
 *
 *   every quarter of silent_after_s: [writer: who is quiet? silent] -> each is knocked at, few at once
 *   -> [writer: reachable or not] -> ... -> when all were: the next round */
#ifndef PLATEN_SCAN_WATCH_H
#define PLATEN_SCAN_WATCH_H

#include "base/cleanup.h"
#include "base/err.h"

struct ScanService;
typedef struct Watch Watch;

enum {
    WATCH_KNOCKS_AT_ONCE = 8,
    WATCH_QUIET_MAX = 1024, /* devices of one round; the others wait for the next */
};

/* Begins to look, unless silent_after_s is 0. */
Watch *watch_new(struct ScanService *service, Err *err);
void watch_free(Watch *watch); /* accepts NULL */
DEFINE_AUTO(Watch, watch_free);

/* No further round and no further knock. */
void watch_stop(Watch *watch);

#endif
