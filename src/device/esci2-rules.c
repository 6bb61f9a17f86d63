/* device/esci2-rules.c - the one table of ESC/I-2: state x event -> next state, action. */
#include "device/esci2-session.h"

#define RULE(next_, do_)                                  \
    {                                                     \
        .next = (next_), .action = (do_), .allowed = true \
    }
#define SEND(next_) RULE(next_, SCAN_DO_SEND)
#define CLOSE       RULE(ESCI2_AT_CLOSED, SCAN_DO_CLOSE)

/* What ends every state that talks to the device. */
#define ENDINGS [SCAN_EVENT_LOST] = CLOSE, [SCAN_EVENT_LATE] = CLOSE, [SCAN_EVENT_WRONG] = CLOSE

/* A mode command: granted, refused for now, or for good. fin_: the FIN after which it is sent again. */
#define MODE(self_, granted_, fin_)                                                           \
    {                                                                                         \
        [SCAN_EVENT_ACK] = SEND(granted_), [SCAN_EVENT_NAK] = RULE(self_, SCAN_DO_PAUSE),     \
        [SCAN_EVENT_AGAIN] = SEND(self_), [SCAN_EVENT_MEND] = SEND(fin_),                     \
        [SCAN_EVENT_REFUSED] = SEND(ESCI2_AT_UNLOCK), [SCAN_EVENT_STOP] = SEND(ESCI2_AT_FIN), \
        ENDINGS                                                                               \
    }

/* A status request: with or without a block, or not known to the device, it goes on. */
#define STATUS(self_, data_, then_)                                                       \
    {                                                                                     \
        [SCAN_EVENT_MORE] = SEND(data_), [SCAN_EVENT_DONE] = SEND(then_),                 \
        [SCAN_EVENT_BUSY] = RULE(self_, SCAN_DO_PAUSE), [SCAN_EVENT_AGAIN] = SEND(self_), \
        [SCAN_EVENT_REFUSED] = SEND(then_), [SCAN_EVENT_FAULT] = SEND(ESCI2_AT_FIN),      \
        [SCAN_EVENT_STOP] = SEND(ESCI2_AT_FIN), ENDINGS                                   \
    }

/* A block that was announced. */
#define BLOCK(then_)                                                                      \
    {                                                                                     \
        [SCAN_EVENT_BLOCK] = SEND(then_), [SCAN_EVENT_STOP] = SEND(ESCI2_AT_FIN), ENDINGS \
    }

/* The FIN of a mode, before the scan: then the next mode, unless the answer says what is wrong. */
#define MODE_FIN(then_)                                                                 \
    {                                                                                   \
        [SCAN_EVENT_DONE] = SEND(then_), [SCAN_EVENT_BUSY] = SEND(then_),               \
        [SCAN_EVENT_REFUSED] = SEND(then_), [SCAN_EVENT_FAULT] = SEND(ESCI2_AT_UNLOCK), \
        [SCAN_EVENT_STOP] = SEND(ESCI2_AT_UNLOCK), ENDINGS                              \
    }

/* A step of winding down: whatever the device says to it, the next one follows. */
#define WIND_DOWN(then_)                                              \
    [SCAN_EVENT_DONE] = SEND(then_), [SCAN_EVENT_BUSY] = SEND(then_), \
    [SCAN_EVENT_REFUSED] = SEND(then_), [SCAN_EVENT_FAULT] = SEND(then_), ENDINGS

const ScanRule esci2_rules[ESCI2_STATE_MAX_][SCAN_EVENT_MAX_] = {
    [ESCI2_AT_WELCOME] = { [SCAN_EVENT_WELCOMED] = SEND(ESCI2_AT_LOCK),
                           [SCAN_EVENT_LEGACY] = CLOSE,
                           [SCAN_EVENT_STOP] = CLOSE,
                           ENDINGS },
    [ESCI2_AT_LOCK] = { [SCAN_EVENT_ACK] = SEND(ESCI2_AT_INQUIRY_MODE),
                        [SCAN_EVENT_NAK] = RULE(ESCI2_AT_LOCK, SCAN_DO_PAUSE),
                        [SCAN_EVENT_AGAIN] = SEND(ESCI2_AT_LOCK),
                        [SCAN_EVENT_REFUSED] = CLOSE,
                        [SCAN_EVENT_STOP] = SEND(ESCI2_AT_UNLOCK),
                        ENDINGS },

    [ESCI2_AT_INQUIRY_MODE] = MODE(ESCI2_AT_INQUIRY_MODE, ESCI2_AT_INFO, ESCI2_AT_FORMER_FIN),
    [ESCI2_AT_FORMER_FIN] = MODE_FIN(ESCI2_AT_INQUIRY_MODE),
    [ESCI2_AT_INFO] = { [SCAN_EVENT_MORE] = SEND(ESCI2_AT_INFO_DATA),
                        [SCAN_EVENT_BUSY] = RULE(ESCI2_AT_INFO, SCAN_DO_PAUSE),
                        [SCAN_EVENT_AGAIN] = SEND(ESCI2_AT_INFO),
                        [SCAN_EVENT_REFUSED] = SEND(ESCI2_AT_FIN),
                        [SCAN_EVENT_FAULT] = SEND(ESCI2_AT_FIN),
                        [SCAN_EVENT_STOP] = SEND(ESCI2_AT_FIN),
                        ENDINGS },
    [ESCI2_AT_INFO_DATA] = BLOCK(ESCI2_AT_CAPA),
    [ESCI2_AT_CAPA] = STATUS(ESCI2_AT_CAPA, ESCI2_AT_CAPA_DATA, ESCI2_AT_INQUIRY_FIN),
    [ESCI2_AT_CAPA_DATA] = BLOCK(ESCI2_AT_INQUIRY_FIN),
    [ESCI2_AT_INQUIRY_FIN] = MODE_FIN(ESCI2_AT_STATUS_MODE),

    [ESCI2_AT_STATUS_MODE] = MODE(ESCI2_AT_STATUS_MODE, ESCI2_AT_STATUS, ESCI2_AT_INQUIRY_FIN),
    [ESCI2_AT_STATUS] = STATUS(ESCI2_AT_STATUS, ESCI2_AT_STATUS_DATA, ESCI2_AT_STATUS_FIN),
    [ESCI2_AT_STATUS_DATA] = BLOCK(ESCI2_AT_STATUS_FIN),
    [ESCI2_AT_STATUS_FIN] = MODE_FIN(ESCI2_AT_CONTROL_MODE),

    [ESCI2_AT_CONTROL_MODE] = MODE(ESCI2_AT_CONTROL_MODE, ESCI2_AT_CONTROL_STATUS,
                                   ESCI2_AT_STATUS_FIN),
    [ESCI2_AT_CONTROL_STATUS] = STATUS(ESCI2_AT_CONTROL_STATUS, ESCI2_AT_CONTROL_STATUS_DATA,
                                       ESCI2_AT_PARAMETERS_HEAD),
    [ESCI2_AT_CONTROL_STATUS_DATA] = BLOCK(ESCI2_AT_PARAMETERS_HEAD),
    /* No STOP here: after the head the device would take FIN for the parameters. */
    [ESCI2_AT_PARAMETERS_HEAD] = { [SCAN_EVENT_DONE] = SEND(ESCI2_AT_PARAMETERS),
                                   [SCAN_EVENT_AGAIN] = SEND(ESCI2_AT_PARAMETERS_HEAD),
                                   ENDINGS },
    [ESCI2_AT_PARAMETERS] = { [SCAN_EVENT_DONE] = SEND(ESCI2_AT_START),
                              [SCAN_EVENT_PART] = SEND(ESCI2_AT_PARAMETERS_HEAD),
                              [SCAN_EVENT_SPARE] = SEND(ESCI2_AT_PARAMETERS_HEAD),
                              [SCAN_EVENT_BUSY] = RULE(ESCI2_AT_PARAMETERS_HEAD, SCAN_DO_PAUSE),
                              [SCAN_EVENT_REFUSED] = SEND(ESCI2_AT_FIN),
                              [SCAN_EVENT_FAULT] = SEND(ESCI2_AT_FIN),
                              [SCAN_EVENT_STOP] = SEND(ESCI2_AT_FIN),
                              ENDINGS },
    [ESCI2_AT_START] = { [SCAN_EVENT_DONE] = SEND(ESCI2_AT_IMAGE),
                         [SCAN_EVENT_BUSY] = RULE(ESCI2_AT_START, SCAN_DO_PAUSE),
                         [SCAN_EVENT_AGAIN] = SEND(ESCI2_AT_START),
                         [SCAN_EVENT_REFUSED] = SEND(ESCI2_AT_FIN),
                         [SCAN_EVENT_FAULT] = SEND(ESCI2_AT_FIN),
                         [SCAN_EVENT_STOP] = SEND(ESCI2_AT_CANCEL),
                         ENDINGS },

    [ESCI2_AT_IMAGE] = { [SCAN_EVENT_DONE] = RULE(ESCI2_AT_IMAGE, SCAN_DO_PAUSE),
                         [SCAN_EVENT_BUSY] = RULE(ESCI2_AT_IMAGE, SCAN_DO_PAUSE),
                         [SCAN_EVENT_AGAIN] = SEND(ESCI2_AT_IMAGE),
                         [SCAN_EVENT_MORE] = SEND(ESCI2_AT_IMAGE_DATA),
                         [SCAN_EVENT_PAGE] = RULE(ESCI2_AT_STORING, SCAN_DO_STORE),
                         [SCAN_EVENT_BAD_PAGE] = SEND(ESCI2_AT_CANCEL),
                         [SCAN_EVENT_FINISHED] = SEND(ESCI2_AT_FIN),
                         [SCAN_EVENT_REFUSED] = SEND(ESCI2_AT_FIN),
                         [SCAN_EVENT_FAULT] = SEND(ESCI2_AT_FIN),
                         [SCAN_EVENT_STOP] = SEND(ESCI2_AT_CANCEL),
                         [SCAN_EVENT_STALLED] = SEND(ESCI2_AT_CANCEL),
                         ENDINGS },
    [ESCI2_AT_IMAGE_DATA] = { [SCAN_EVENT_BLOCK] = SEND(ESCI2_AT_IMAGE),
                              [SCAN_EVENT_PAGE] = RULE(ESCI2_AT_STORING, SCAN_DO_STORE),
                              [SCAN_EVENT_BAD_PAGE] = SEND(ESCI2_AT_CANCEL),
                              [SCAN_EVENT_FINISHED] = SEND(ESCI2_AT_FIN),
                              [SCAN_EVENT_FAULT] = SEND(ESCI2_AT_FIN),
                              [SCAN_EVENT_STOP] = SEND(ESCI2_AT_CANCEL),
                              ENDINGS },
    /* A page that is not stored must not be acknowledged: no CAN, no FIN, the device sees us go. */
    [ESCI2_AT_STORING] = { [SCAN_EVENT_STORED] = SEND(ESCI2_AT_IMAGE),
                           [SCAN_EVENT_FINISHED] = SEND(ESCI2_AT_FIN),
                           [SCAN_EVENT_BAD_PAGE] = CLOSE,
                           [SCAN_EVENT_FAULT] = SEND(
                               ESCI2_AT_FIN), /* the error came with the page's end */
                           [SCAN_EVENT_STOP] = SEND(ESCI2_AT_CANCEL),
                           [SCAN_EVENT_LOST] = RULE(ESCI2_AT_STORING_LOST, SCAN_DO_NOTHING),
                           [SCAN_EVENT_WRONG] = RULE(ESCI2_AT_STORING_LOST, SCAN_DO_NOTHING),
                           [SCAN_EVENT_LATE] = CLOSE },
    [ESCI2_AT_STORING_LOST] = { [SCAN_EVENT_STORED] = CLOSE,
                                [SCAN_EVENT_FINISHED] = CLOSE,
                                [SCAN_EVENT_BAD_PAGE] = CLOSE,
                                [SCAN_EVENT_FAULT] = CLOSE,
                                [SCAN_EVENT_STOP] = CLOSE,
                                [SCAN_EVENT_LOST] = RULE(ESCI2_AT_STORING_LOST, SCAN_DO_NOTHING),
                                [SCAN_EVENT_WRONG] = RULE(ESCI2_AT_STORING_LOST, SCAN_DO_NOTHING),
                                [SCAN_EVENT_LATE] = CLOSE },

    [ESCI2_AT_CANCEL] = { [SCAN_EVENT_MORE] = SEND(ESCI2_AT_FIN), WIND_DOWN(ESCI2_AT_FIN) },
    [ESCI2_AT_FIN] = { [SCAN_EVENT_CHECK] = SEND(ESCI2_AT_LAST_MODE), WIND_DOWN(ESCI2_AT_UNLOCK) },
    [ESCI2_AT_LAST_MODE] = { [SCAN_EVENT_ACK] = SEND(ESCI2_AT_LAST_STATUS),
                             [SCAN_EVENT_NAK] = SEND(ESCI2_AT_UNLOCK),
                             [SCAN_EVENT_AGAIN] = SEND(ESCI2_AT_LAST_MODE),
                             [SCAN_EVENT_STOP] = SEND(
                                 ESCI2_AT_UNLOCK), /* only while no mode is on */
                             ENDINGS },
    [ESCI2_AT_LAST_STATUS] = { [SCAN_EVENT_MORE] = SEND(ESCI2_AT_LAST_STATUS_DATA),
                               WIND_DOWN(ESCI2_AT_LAST_FIN) },
    [ESCI2_AT_LAST_STATUS_DATA] = { [SCAN_EVENT_BLOCK] = SEND(ESCI2_AT_LAST_FIN), ENDINGS },
    [ESCI2_AT_LAST_FIN] = { [SCAN_EVENT_REST] = RULE(ESCI2_AT_LAST_MODE, SCAN_DO_PAUSE),
                            [SCAN_EVENT_SHEETS] = SEND(ESCI2_AT_CONTROL_MODE),
                            WIND_DOWN(ESCI2_AT_UNLOCK) },
    [ESCI2_AT_UNLOCK] = { [SCAN_EVENT_ACK] = CLOSE, ENDINGS },
};

enum { REPLY_MS = 30000, STORE_MS = SCAN_LOCK_SECONDS * 1000 };

const int64_t esci2_patience_ms[ESCI2_STATE_MAX_] = {
    [ESCI2_AT_WELCOME] = REPLY_MS,
    [ESCI2_AT_LOCK] = REPLY_MS,
    [ESCI2_AT_INQUIRY_MODE] = REPLY_MS,
    [ESCI2_AT_FORMER_FIN] = REPLY_MS,
    [ESCI2_AT_INFO] = REPLY_MS,
    [ESCI2_AT_INFO_DATA] = REPLY_MS,
    [ESCI2_AT_CAPA] = REPLY_MS,
    [ESCI2_AT_CAPA_DATA] = REPLY_MS,
    [ESCI2_AT_INQUIRY_FIN] = REPLY_MS,
    [ESCI2_AT_STATUS_MODE] = REPLY_MS,
    [ESCI2_AT_STATUS] = REPLY_MS,
    [ESCI2_AT_STATUS_DATA] = REPLY_MS,
    [ESCI2_AT_STATUS_FIN] = REPLY_MS,
    [ESCI2_AT_CONTROL_MODE] = REPLY_MS,
    [ESCI2_AT_CONTROL_STATUS] = REPLY_MS,
    [ESCI2_AT_CONTROL_STATUS_DATA] = REPLY_MS,
    [ESCI2_AT_PARAMETERS_HEAD] = REPLY_MS,
    [ESCI2_AT_PARAMETERS] = REPLY_MS,
    [ESCI2_AT_START] = REPLY_MS,
    [ESCI2_AT_IMAGE] = REPLY_MS,
    [ESCI2_AT_IMAGE_DATA] = REPLY_MS, /* starts again with every byte */
    [ESCI2_AT_STORING] = STORE_MS,    /* the lock would end, too      */
    [ESCI2_AT_STORING_LOST] = STORE_MS,
    [ESCI2_AT_CANCEL] = REPLY_MS,
    [ESCI2_AT_FIN] = REPLY_MS,
    [ESCI2_AT_LAST_MODE] = REPLY_MS,
    [ESCI2_AT_LAST_STATUS] = REPLY_MS,
    [ESCI2_AT_LAST_STATUS_DATA] = REPLY_MS,
    [ESCI2_AT_LAST_FIN] = REPLY_MS,
    [ESCI2_AT_UNLOCK] =
        SCAN_GOODBYE_MS, /* the pages are safe: a device that is silent now is let go */
    [ESCI2_AT_CLOSED] = 0,
};

const char *esci2_state_name(int state)
{
    static const char *const names[ESCI2_STATE_MAX_] = {
        "WELCOME",
        "LOCK",
        "INQUIRY_MODE",
        "FORMER_FIN",
        "INFO",
        "INFO_DATA",
        "CAPA",
        "CAPA_DATA",
        "INQUIRY_FIN",
        "STATUS_MODE",
        "STATUS",
        "STATUS_DATA",
        "STATUS_FIN",
        "CONTROL_MODE",
        "CONTROL_STATUS",
        "CONTROL_STATUS_DATA",
        "PARAMETERS_HEAD",
        "PARAMETERS",
        "START",
        "IMAGE",
        "IMAGE_DATA",
        "STORING",
        "STORING_LOST",
        "CANCEL",
        "FIN",
        "LAST_MODE",
        "LAST_STATUS",
        "LAST_STATUS_DATA",
        "LAST_FIN",
        "UNLOCK",
        "CLOSED",
    };

    return state >= 0 && state < ESCI2_STATE_MAX_ ? names[state] : "?";
}
