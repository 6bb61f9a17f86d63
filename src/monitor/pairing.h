/* monitor/pairing.h - pairs button-only scanners with this server and keeps them so (model/pairing.h).
 *
 * One thread of its own does all the talking, so that no loop waits for a device: what a person wants comes first, then
 * the devices that are due to be looked at. A device that says a name we had, or none, gets ours; one that says
 * somebody else's is left to him and told (event device.pairing-lost). A talk is at most three questions, ten seconds. */
#ifndef PLATEN_MONITOR_PAIRING_H
#define PLATEN_MONITOR_PAIRING_H

#include "base/cleanup.h"
#include "model/pairing.h"
#include "store/config-rows.h"
#include "store/store.h"

typedef struct Pairer Pairer;

enum {
    PAIRER_WAITING_MAX = 2, /* people that wait for an answer; each holds a thread of the API */
    PAIRER_ROUND_MS = 5000, /* how often it is looked which devices are due                   */
    PAIRER_KNOCK_MS = 1000,
};

/* Everything pointed to must outlive the Pairer. */
typedef struct PairerConfig {
    Store *store;
    const char *server_name; /* that panels show                                 */
    unsigned names;          /* the server can show, one for each interface      */
    const char *community;   /* never logged, never told                         */
    uint16_t snmp_port;
    uint16_t scan_port; /* knocked at, to tell silence to SNMP from absence */
    int64_t check_s;    /* how often a paired device is looked at           */
} PairerConfig;

/* Starts the thread. ERR_TEMPORARY. */
Pairer *pairer_new(const PairerConfig *config, Err *err);

/* Whoever waits is answered, a talk under way is broken off; the thread ends. Before the store is closed. Accepts
 * NULL. */
void pairer_stop(Pairer *pairer);
void pairer_free(Pairer *pairer); /* stops it as well; accepts NULL */
DEFINE_AUTO(Pairer, pairer_free);

/* Writes our name into the device and reads it back; then the row and an audit row. Any thread but loop, http and writer;
 * waits. ERR_NOT_FOUND, ERR_CONFLICT (not approved; paired with another host and not replace), ERR_TEMPORARY (busy,
 * stopping, no answer), ERR_PERMANENT; texts begin with a word of pairing_problem_words when it was the device. */
bool pairer_pair(Pairer *pairer, const Actor *actor, const DeviceId *id, const PairWish *wish,
                 Err *err);

/* Takes our name out of the device, if it is still there. The same errors; ERR_CONFLICT when it is not paired. */
bool pairer_unpair(Pairer *pairer, const Actor *actor, const DeviceId *id, const UnpairWish *wish,
                   Err *err);

#endif
