/* mfp/finder.h - which servers want scans: the destinations on the panel, found by SLP.
 *
 * The finder asks in cycles: three copies of one request with a transaction number (XID) of its own,
 * then it takes replies with this number until the next cycle. Only the number ties a reply to a
 * request; others are ignored. It fits one byte, as in the captured requests of devices with a panel,
 * which count from the time they are switched on (an ES-60W, which has only a button, draws both
 * bytes): epson2paperless (src/keepalive.ts) repeats the last byte, sends 0 for the first, and is on
 * their panels. Real devices keep one entry per Ethernet address of the sender; here the sender's IP
 * address stands for it, so two names from one host need two addresses. No socket, no clock: the
 * caller sends and receives. */
#ifndef PLATEN_MFP_FINDER_H
#define PLATEN_MFP_FINDER_H

#include "base/time.h"
#include "net/address.h"
#include "wire/slp.h"

enum {
    FINDER_ENTRIES_MAX = 32,
    FINDER_COPIES = 3,
    FINDER_COPY_GAP_MS = 70, /* between the copies of one cycle                         */
    FINDER_CYCLES_KEPT = 2,  /* an entry that misses so many whole cycles is forgotten   */
    FINDER_XID_MAX = 255,    /* the next number is 1 */
};

typedef struct FinderEntry {
    SlpEntry server;
    NetAddress sender;
    uint32_t cycle;   /* of the last reply */
    NetAddress fixed; /* put there by finder_put, with its port; NET_NONE: found */
} FinderEntry;

typedef struct Finder {
    const char *product; /* borrowed: "PID 1147", goes out as the scope */
    bool is_v3;          /* asks for the keys of version 3              */
    bool multicast;
    int64_t period_ms;
    uint16_t xid;
    uint32_t cycle; /* counts from 1; 0: not begun */
    uint32_t copies_left;
    Mono cycle_due, copy_due;
    FinderEntry entries[FINDER_ENTRIES_MAX];
    size_t count;
} Finder;

typedef enum FinderNews {
    FINDER_NOTHING, /* not for us, late, malformed, or known already     */
    FINDER_APPEARED /* *ret_entry is new, or says something new          */
} FinderNews;

/* The first cycle begins at the first tick. xid: of the request before the first, of which the last
 * byte counts; it should be random, because servers drop a number they have just seen. */
void finder_init(Finder *finder, const char *product, bool multicast, int64_t period_ms,
                 uint16_t xid);

/* A destination that is there without registration, and stays. Before the first tick. */
void finder_put(Finder *finder, const char *name, const NetAddress *at);

/* Where Start goes for an entry. ERR_BAD_INPUT: its server said something else than an address. */
bool finder_address(const FinderEntry *entry, NetAddress *ret_address, Err *err);

/* The same as text without port, as its server said it. */
void finder_host(const FinderEntry *entry, char ret_host[NET_ADDRESS_TEXT_SIZE]);

/* Time passes. True: request now holds a datagram to send. Entries that were not refreshed are
 * forgotten when a cycle begins. */
bool finder_tick(Finder *finder, Mono now, Buf *request);

/* When finder_tick is due. */
Mono finder_deadline(const Finder *finder);

/* A datagram came. *ret_entry is borrowed until the next call on the finder. */
FinderNews finder_receive(Finder *finder, Bytes datagram, const NetAddress *sender,
                          const FinderEntry **ret_entry);

/* The entry with this name, NULL when there is none. */
const FinderEntry *finder_find(const Finder *finder, const char *name);

#endif
