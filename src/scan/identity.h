/* scan/identity.h - who is at an address? Approved devices are known by their serial number and keep
 * their place when their address changes. Loop thread only; shared by the files of this folder.
 *
 *   look(address) -> [device is asked] -> [writer: whose number is it?] -> learned, or nothing
 *        of an approved device elsewhere -> [its former address is asked] -> [writer: moved, or an event] */
#ifndef PLATEN_SCAN_IDENTITY_H
#define PLATEN_SCAN_IDENTITY_H

#include "base/time.h"
#include "device/device-link.h"
#include "model/device.h"

struct ScanService;

enum {
    LOOKS_MAX = 16,               /* under way at the same time                                 */
    LOOK_ADDRESSES_MAX = 1024,    /* that are remembered for the times below                    */
    LOOK_GAP_MS = 10 * 60 * 1000, /* a device that announces itself is asked again after it,    */
    LOOK_RETRY_MS = 60 * 1000, /* and after this when it did not say who it is, or could not move */
    LOOK_NUMBERLESS_MS = 24 * 3600 * 1000, /* and after this when it has no serial number         */
    LOOK_PRESS_GAP_MS = 10 * 1000, /* one whose Start would be refused, or that is new           */
};

/* When each address was asked. A book of zeros is empty. */
typedef struct LookBook {
    struct {
        char address[ADDRESS_TEXT_SIZE];
        Mono asked_at, again_at;
    } rows[LOOK_ADDRESSES_MAX];
    size_t count, next;
} LookBook;

typedef enum LookWhy {
    LOOK_NEW,       /* nothing was ever heard of this address */
    LOOK_ANNOUNCED, /* it asked for our name               */
    LOOK_PRESSED,   /* somebody stands before it and waits */
    LOOK_ADDED,     /* a person has added it: at once      */
} LookWhy;

typedef void LookedFn(void *arg);

/* Asks who is at the address and puts the rows in order; then looked(arg), never inside this call (NULL =
 * nobody waits). A press during that waits for the same end, and the device is asked once. False: not now - asked
 * too lately, too many at once, or it is being scanned from - and nothing is called. */
bool identity_look(struct ScanService *service, const char *address, LookWhy why, LookedFn *looked,
                   void *arg);

/* A scan has learned that another device than `here` is at its address. Its place is kept for it, or
 * taken by an approved device that has moved; otherwise `here` is distrusted: why says it. */
void identity_another(struct ScanService *service, const Device *here,
                      const DeviceIdentity *identity, const char *why);

#endif
