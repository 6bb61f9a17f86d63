/* model/delivery.h - the Delivery: one document going to one destination; and how it ended.
 *
 *                 claim              OK
 *      READY  ----------> SENDING --------> DONE <--------------------------+
 *        ^  ^                |                                              |
 *        |  +----------------+  RETRY (due later), AUTH, owner died         |
 *        |                   +--> HELD    CONFIG: a person must mend it     | confirmed: a person
 *        |    retry          +--> FAILED  FATAL, or expired                 | has seen that it came
 *        +---- HELD, FAILED, UNCERTAIN, DROPPED   +--> UNCERTAIN (UNKNOWN) -+
 *
 *      READY --hold--> HELD     a person, or the destination was stopped (wrong password)
 *      READY, HELD, FAILED, UNCERTAIN --drop--> DROPPED     a person does not want it any more
 */
#ifndef PLATEN_MODEL_DELIVERY_H
#define PLATEN_MODEL_DELIVERY_H

#include "base/id.h"
#include "base/limits.h"

#include <stdbool.h>

typedef enum DeliveryState {
    DELIVERY_READY,
    DELIVERY_SENDING,
    DELIVERY_DONE,
    DELIVERY_HELD,
    DELIVERY_FAILED,
    DELIVERY_UNCERTAIN,
    DELIVERY_DROPPED,
    DELIVERY_STATE_MAX_
} DeliveryState;

typedef enum DeliveryEvent {
    DELIVERY_EVENT_CLAIM,
    DELIVERY_EVENT_OK,
    DELIVERY_EVENT_RETRY_LATER, /* a transient failure, or the owner died */
    DELIVERY_EVENT_HOLD, /* wrong as set up; of a READY one: a person, or the destination stopped */
    DELIVERY_EVENT_FAIL,
    DELIVERY_EVENT_UNKNOWN,
    DELIVERY_EVENT_RETRY_NOW, /* a person asked (a READY one waits no more), or the destination goes on */
    DELIVERY_EVENT_DROP,    /* a person does not want it any more                  */
    DELIVERY_EVENT_CONFIRM, /* a person has seen that it arrived                   */
    DELIVERY_EVENT_MAX_
} DeliveryEvent;

extern const char *const delivery_state_words[]; /* ends with NULL */

/* No attempt waits longer for the next, whatever the peer wishes. A time further away was noted
 * before the clock was set back, and counts as come. */
enum { DELIVERY_WAIT_MAX_MS = 24 * 3600 * 1000 };

/* The state after the event; false (and *state unchanged) when the event is not allowed there. */
bool delivery_step(DeliveryState *state, DeliveryEvent event);

/* How an attempt ended. Not an Err: what a peer did is a value that the retry policy reads. */
typedef enum DeliveryClass {
    DELIVERY_CLASS_OK,
    DELIVERY_CLASS_RETRY,   /* transient: try again later                                    */
    DELIVERY_CLASS_AUTH,    /* credentials refused: stop before an account is locked         */
    DELIVERY_CLASS_CONFIG,  /* wrong as set up: folder missing, no right, path too long      */
    DELIVERY_CLASS_FATAL,   /* refused for good                                              */
    DELIVERY_CLASS_UNKNOWN, /* broke after all was sent: look before repeating               */
    DELIVERY_CLASS_MAX_
} DeliveryClass;

extern const char *const delivery_class_words[]; /* ends with NULL */

typedef struct DeliveryResult {
    DeliveryClass class;
    char stage[16];        /* locate, write, verify, rename ...             */
    int64_t native_code;   /* errno or the library's code, else 0           */
    int64_t protocol_code; /* reply code of the peer, else 0               */
    char text[240];        /* what happened, one sentence                   */
    char cure[160];        /* what to do, one sentence; "" for OK           */
    int64_t retry_after_s; /* the peer's wish, 0 = none                    */
    bool peer_lost; /* while it runs: the connection is gone, nothing can be tidied up over it */
    char remote_name[FILE_NAME_BYTES_MAX + 1]; /* the name it has there    */
    int64_t size_bytes;                        /* OK: what was verified                         */
    char sha256[65];                           /* OK: of what was sent, or verified             */
} DeliveryResult;

/* One delivery as stored. */
typedef struct Delivery {
    DeliveryId id;
    BatchId batch;
    DocumentId document;
    DestinationId destination;
    DeliveryState state;
    uint32_t attempt; /* attempts begun                                    */
    Wall created_at, due_at, finished_at;
    Wall tried_since; /* the expiry counts from here: made, or a person's retry */
    char reserved_name[FILE_NAME_BYTES_MAX + 1]; /* committed before "go", "" = none */
    char note[160];      /* why it is held or dropped, "" = by its last attempt */
    DeliveryResult last; /* of the last attempt; class OK with empty text = none yet */
} Delivery;

#endif
