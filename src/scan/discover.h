/* scan/discover.h - looking for devices: ENPC broadcasts and ranges of addresses, each address asked who it
 * is. One search at a time; its results stay until the next.
 *
 *   start -> [loop: broadcast, two seconds for answers; ranges] -> each address: device_ask, some at once
 *         -> found; all asked and the two seconds over: done */
#ifndef PLATEN_SCAN_DISCOVER_H
#define PLATEN_SCAN_DISCOVER_H

#include "base/cleanup.h"
#include "model/discovery.h"

struct ScanService;
typedef struct Discover Discover;

enum {
    DISCOVER_AT_ONCE = 32,
    DISCOVER_LISTEN_MS = 2000, /* for answers to a broadcast */
    DISCOVER_AGAIN_MS = 500,   /* the broadcast is sent once more: datagrams get lost */
};

/* Made with the service, freed when nothing of it is under way. */
Discover *discover_new(struct ScanService *service, Err *err);
void discover_free(Discover *discover); /* accepts NULL */
DEFINE_AUTO(Discover, discover_free);

/* Any thread but the loop. ERR_CONFLICT while a search runs; ERR_BAD_INPUT with the field. */
bool discover_start(Discover *discover, const DiscoveryWish *wish, Err *err);

/* A copy of how it stands; found is the caller's to free. Any thread. ERR_TEMPORARY: no memory. */
bool discover_look(Discover *discover, Discovery *ret, Err *err);

/* Loop thread: the link is going; no further address is asked. */
void discover_stop(Discover *discover);

#endif
