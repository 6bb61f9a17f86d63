/* monitor/snmp1.h - one question to one SNMP agent, in version 1: read a text, or set it. Only an answer from where the
 * question went counts. Over net-snmp's interface for single sessions, which keeps no list of its own; numbers of objects
 * only, no MIB files, no files at all.
 *
 * net-snmp counts its requests in a plain variable: one thread asks, whichever. It waits, at most SNMP1_TRIES times
 * SNMP1_WAIT_MS. */
#ifndef PLATEN_MONITOR_SNMP1_H
#define PLATEN_MONITOR_SNMP1_H

#include "base/bytes.h"
#include "base/err.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    SNMP1_TRIES = 3,
    SNMP1_WAIT_MS = 1000,
    SNMP1_OID_MAX = 32,
    SNMP1_VALUE_MAX = 256, /* bytes of an answer that are kept             */
    SNMP1_LOOK_MS = 200,   /* how often it is looked whether to stop       */
};

/* On the thread that asks, before its first question. init_snmp() is not called: it would read MIB files and make folders. */
void snmp1_begin(void);

/* Whom to ask for what. Borrowed. */
typedef struct Snmp1Peer {
    const char *address; /* numeric, IPv4 or IPv6                          */
    uint16_t port;
    const char *community;
    const atomic_bool *stop; /* true: stop waiting; NULL = never                 */
} Snmp1Peer;

typedef struct Snmp1Object {
    uint64_t oid[SNMP1_OID_MAX];
    size_t length;
} Snmp1Object;

typedef enum Snmp1Said {
    SNMP1_TEXT,     /* an OCTET STRING: value and n                                  */
    SNMP1_OTHER,    /* a value of another type: type is its name                     */
    SNMP1_ERROR,    /* error-status of RFC 1157: status                              */
    SNMP1_STRANGE,  /* an answer about another object, or not one value              */
    SNMP1_SILENCE,  /* no answer in time                                             */
    SNMP1_NOT_SENT, /* it could not be sent                                          */
    SNMP1_STOPPED,
} Snmp1Said;

/* Error-status (RFC 1157, section 4.1.1); those of version 2 can come through proxies (RFC 3584 maps them). */
enum {
    SNMP1_TOO_BIG = 1,
    SNMP1_NO_SUCH_NAME = 2,
    SNMP1_BAD_VALUE = 3,
    SNMP1_READ_ONLY = 4,
};

typedef struct Snmp1Answer {
    Snmp1Said said;
    int status;
    const char *type; /* static storage */
    uint8_t value[SNMP1_VALUE_MAX];
    size_t n;
    bool cut; /* the value was longer */
} Snmp1Answer;

/* GET of the object. */
Snmp1Answer snmp1_get(const Snmp1Peer *peer, const Snmp1Object *object);

/* SET of the object to an OCTET STRING. */
Snmp1Answer snmp1_set(const Snmp1Peer *peer, const Snmp1Object *object, Bytes value);

#endif
