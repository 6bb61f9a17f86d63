/* device/esci-inside.h - the fields of an ESC/I session. Private to esci-session.c and esci-reply.c. */
#ifndef PLATEN_DEVICE_ESCI_INSIDE_H
#define PLATEN_DEVICE_ESCI_INSIDE_H

#include "device/esci-session.h"
#include "device/scan-plan.h"
#include "model/raw-page.h"
#include "wire/esci.h"
#include "wire/is.h"

enum { ESCI_ACTIONS_MAX = 8, ESCI_GAMMA_TABLES = 3 };

struct EsciSession {
    ScanOrder order;
    ScanTraits traits;
    EsciState state;

    /* The packet that is coming in. */
    uint8_t head[IS_HEADER_SIZE];
    size_t head_n;
    IsHeader header; /* when head is whole */
    uint32_t payload_left;
    Buf payload; /* unless it is a block of the picture, which is handed on as it comes */
    bool foreign_seen;

    Buf out;
    ScanAction actions[ESCI_ACTIONS_MAX];
    size_t action_first, action_count;

    bool waiting; /* a command is out and its answer due */
    Mono late_at, again_at, busy_until;
    Mono paused_at;
    bool paused, busy;
    unsigned tries; /* of LOCK or TAKE */

    EsciIdentity id;
    Quirk quirk; /* what is known of this model */
    DeviceIdentity identity;
    bool has_feeder, has_glass;
    DeviceOffer offer;
    ScanUsed used;   /* of the order, by the unit */
    ScanNotes notes; /* the same                  */
    ScanUnit unit;
    bool chosen; /* unit and parameters stand */
    bool two_sides;
    unsigned gamma_table; /* being sent */
    bool gamma_own;       /* tables were taken by the device */
    EsciParameters parameters;

    EsciBlocks blocks;   /* of the page that comes */
    uint32_t block;      /* its index */
    uint32_t block_left; /* bytes of it that are due, the status byte included */
    uint8_t block_status;

    bool page_open;
    uint32_t pages; /* begun */
    char side;
    RawPage raw;
    uint8_t trailer[RAW_PAGE_TRAILER_SIZE];
    EsciEvent after_page; /* what follows when the page is stored */

    bool stop, stop_at_page;
    bool ask;              /* why the device failed has to be asked */
    bool hurried;          /* SCAN_GOODBYE_MS is the patience of winding down */
    const char *lost_code; /* static; NULL: the device said that it goes */
    bool decided;          /* end and reason stand */
    ScanEnd end;
    Reason reason;
};

/* What a state sends and what answers it. */
typedef enum EsciAwait {
    ESCI_AWAIT_NOTHING,
    ESCI_AWAIT_LOCK,
    ESCI_AWAIT_BYTE,     /* one byte                             */
    ESCI_AWAIT_IDENTITY, /* ESCI_IDENTITY_SIZE                   */
    ESCI_AWAIT_STATUS,   /* ESCI_STATUS_SIZE                     */
    ESCI_AWAIT_BLOCKS,   /* ESCI_BLOCKS_SIZE                     */
    ESCI_AWAIT_DATA,     /* a block of the picture and its status */
    ESCI_AWAIT_UNLOCK
} EsciAwait;

typedef struct EsciStep {
    EsciAwait await;
    const char *command; /* NULL: made by the session, or a pure read */
} EsciStep;

extern const EsciStep esci_steps[ESCI_STATE_MAX_];

/* Records how the scan ends; the first word stands. */
void esci_decide(EsciSession *s, ScanEnd end, const Reason *reason);

/* The same for BROKEN with a reason of the table. */
void esci_fail(EsciSession *s, const char *code, const char *detail);

/* One step of the table. */
void esci_dispatch(EsciSession *s, EsciEvent event, Mono now);

/* A whole packet is here, its payload in s->payload (data was handed on): what it means. */
void esci_packet(EsciSession *s, Mono now);

/* True when the payload of the packet whose header just came belongs to a block that was asked for. */
bool esci_packet_is_data(const EsciSession *s);

/* Queues an action for the driver. */
void esci_push(EsciSession *s, ScanAction action);

#endif
