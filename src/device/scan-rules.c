/* device/scan-rules.c - the one table of the scan session: state x event -> next state, action. */
#include "device/scan-session.h"

#define RULE(next_, do_)                                  \
    {                                                     \
        .next = (next_), .action = (do_), .allowed = true \
    }
#define SEND(next_) RULE(next_, SCAN_DO_SEND)
#define CLOSE       RULE(SCAN_CLOSED, SCAN_DO_CLOSE)

/* What ends every state that talks to the device. */
#define ENDINGS [SCAN_EVENT_LOST] = CLOSE, [SCAN_EVENT_LATE] = CLOSE, [SCAN_EVENT_WRONG] = CLOSE

/* A mode command: granted, refused for now, or for good. fin_: the FIN after which it is sent again. */
#define MODE(self_, granted_, fin_)                                                           \
    {                                                                                         \
        [SCAN_EVENT_ACK] = SEND(granted_), [SCAN_EVENT_NAK] = RULE(self_, SCAN_DO_PAUSE),     \
        [SCAN_EVENT_AGAIN] = SEND(self_), [SCAN_EVENT_MEND] = SEND(fin_),                     \
        [SCAN_EVENT_REFUSED] = SEND(SCAN_UNLOCK), [SCAN_EVENT_STOP] = SEND(SCAN_FIN), ENDINGS \
    }

/* A status request: with or without a block, or not known to the device, it goes on. */
#define STATUS(self_, data_, then_)                                                       \
    {                                                                                     \
        [SCAN_EVENT_MORE] = SEND(data_), [SCAN_EVENT_DONE] = SEND(then_),                 \
        [SCAN_EVENT_BUSY] = RULE(self_, SCAN_DO_PAUSE), [SCAN_EVENT_AGAIN] = SEND(self_), \
        [SCAN_EVENT_REFUSED] = SEND(then_), [SCAN_EVENT_FAULT] = SEND(SCAN_FIN),          \
        [SCAN_EVENT_STOP] = SEND(SCAN_FIN), ENDINGS                                       \
    }

/* A block that was announced. */
#define BLOCK(then_)                                                                  \
    {                                                                                 \
        [SCAN_EVENT_BLOCK] = SEND(then_), [SCAN_EVENT_STOP] = SEND(SCAN_FIN), ENDINGS \
    }

/* A step of winding down: whatever the device says to it, the next one follows. */
#define WIND_DOWN(then_)                                              \
    [SCAN_EVENT_DONE] = SEND(then_), [SCAN_EVENT_BUSY] = SEND(then_), \
    [SCAN_EVENT_REFUSED] = SEND(then_), [SCAN_EVENT_FAULT] = SEND(then_), ENDINGS

const ScanRule scan_rules[SCAN_STATE_MAX_][SCAN_EVENT_MAX_] = {
    [SCAN_WELCOME] = { [SCAN_EVENT_WELCOMED] = SEND(SCAN_LOCK),
                       [SCAN_EVENT_LEGACY] = CLOSE,
                       [SCAN_EVENT_STOP] = CLOSE,
                       ENDINGS },
    [SCAN_LOCK] = { [SCAN_EVENT_ACK] = SEND(SCAN_INQUIRY_MODE),
                    [SCAN_EVENT_NAK] = RULE(SCAN_LOCK, SCAN_DO_PAUSE),
                    [SCAN_EVENT_AGAIN] = SEND(SCAN_LOCK),
                    [SCAN_EVENT_REFUSED] = CLOSE,
                    [SCAN_EVENT_STOP] = SEND(SCAN_UNLOCK),
                    ENDINGS },

    [SCAN_INQUIRY_MODE] = MODE(SCAN_INQUIRY_MODE, SCAN_INFO, SCAN_FORMER_FIN),
    [SCAN_FORMER_FIN] = { [SCAN_EVENT_DONE] = SEND(SCAN_INQUIRY_MODE),
                          [SCAN_EVENT_BUSY] = SEND(SCAN_INQUIRY_MODE),
                          [SCAN_EVENT_REFUSED] = SEND(SCAN_INQUIRY_MODE),
                          [SCAN_EVENT_FAULT] = SEND(SCAN_UNLOCK),
                          [SCAN_EVENT_STOP] = SEND(SCAN_UNLOCK),
                          ENDINGS },
    [SCAN_INFO] = { [SCAN_EVENT_MORE] = SEND(SCAN_INFO_DATA),
                    [SCAN_EVENT_BUSY] = RULE(SCAN_INFO, SCAN_DO_PAUSE),
                    [SCAN_EVENT_AGAIN] = SEND(SCAN_INFO),
                    [SCAN_EVENT_REFUSED] = SEND(SCAN_FIN),
                    [SCAN_EVENT_FAULT] = SEND(SCAN_FIN),
                    [SCAN_EVENT_STOP] = SEND(SCAN_FIN),
                    ENDINGS },
    [SCAN_INFO_DATA] = BLOCK(SCAN_CAPA),
    [SCAN_CAPA] = STATUS(SCAN_CAPA, SCAN_CAPA_DATA, SCAN_INQUIRY_FIN),
    [SCAN_CAPA_DATA] = BLOCK(SCAN_INQUIRY_FIN),
    [SCAN_INQUIRY_FIN] = { [SCAN_EVENT_STOP] = SEND(SCAN_UNLOCK), WIND_DOWN(SCAN_STATUS_MODE) },

    [SCAN_STATUS_MODE] = MODE(SCAN_STATUS_MODE, SCAN_STATUS, SCAN_INQUIRY_FIN),
    [SCAN_STATUS] = STATUS(SCAN_STATUS, SCAN_STATUS_DATA, SCAN_STATUS_FIN),
    [SCAN_STATUS_DATA] = BLOCK(SCAN_STATUS_FIN),
    [SCAN_STATUS_FIN] = { [SCAN_EVENT_DONE] = SEND(SCAN_CONTROL_MODE),
                          [SCAN_EVENT_BUSY] = SEND(SCAN_CONTROL_MODE),
                          [SCAN_EVENT_REFUSED] = SEND(SCAN_CONTROL_MODE),
                          [SCAN_EVENT_FAULT] = SEND(SCAN_UNLOCK),
                          [SCAN_EVENT_STOP] = SEND(SCAN_UNLOCK),
                          ENDINGS },

    [SCAN_CONTROL_MODE] = MODE(SCAN_CONTROL_MODE, SCAN_CONTROL_STATUS, SCAN_STATUS_FIN),
    [SCAN_CONTROL_STATUS] = STATUS(SCAN_CONTROL_STATUS, SCAN_CONTROL_STATUS_DATA,
                                   SCAN_PARAMETERS_HEAD),
    [SCAN_CONTROL_STATUS_DATA] = BLOCK(SCAN_PARAMETERS_HEAD),
    /* No STOP here: after the head the device would take FIN for the parameters. */
    [SCAN_PARAMETERS_HEAD] = { [SCAN_EVENT_DONE] = SEND(SCAN_PARAMETERS),
                               [SCAN_EVENT_AGAIN] = SEND(SCAN_PARAMETERS_HEAD),
                               ENDINGS },
    [SCAN_PARAMETERS] = { [SCAN_EVENT_DONE] = SEND(SCAN_START),
                          [SCAN_EVENT_PART] = SEND(SCAN_PARAMETERS_HEAD),
                          [SCAN_EVENT_SPARE] = SEND(SCAN_PARAMETERS_HEAD),
                          [SCAN_EVENT_BUSY] = RULE(SCAN_PARAMETERS_HEAD, SCAN_DO_PAUSE),
                          [SCAN_EVENT_REFUSED] = SEND(SCAN_FIN),
                          [SCAN_EVENT_FAULT] = SEND(SCAN_FIN),
                          [SCAN_EVENT_STOP] = SEND(SCAN_FIN),
                          ENDINGS },
    [SCAN_START] = { [SCAN_EVENT_DONE] = SEND(SCAN_IMAGE),
                     [SCAN_EVENT_BUSY] = RULE(SCAN_START, SCAN_DO_PAUSE),
                     [SCAN_EVENT_AGAIN] = SEND(SCAN_START),
                     [SCAN_EVENT_REFUSED] = SEND(SCAN_FIN),
                     [SCAN_EVENT_FAULT] = SEND(SCAN_FIN),
                     [SCAN_EVENT_STOP] = SEND(SCAN_CANCEL),
                     ENDINGS },

    [SCAN_IMAGE] = { [SCAN_EVENT_DONE] = RULE(SCAN_IMAGE, SCAN_DO_PAUSE),
                     [SCAN_EVENT_BUSY] = RULE(SCAN_IMAGE, SCAN_DO_PAUSE),
                     [SCAN_EVENT_AGAIN] = SEND(SCAN_IMAGE),
                     [SCAN_EVENT_MORE] = SEND(SCAN_IMAGE_DATA),
                     [SCAN_EVENT_PAGE] = RULE(SCAN_STORING, SCAN_DO_STORE),
                     [SCAN_EVENT_BAD_PAGE] = SEND(SCAN_CANCEL),
                     [SCAN_EVENT_FINISHED] = SEND(SCAN_FIN),
                     [SCAN_EVENT_REFUSED] = SEND(SCAN_FIN),
                     [SCAN_EVENT_FAULT] = SEND(SCAN_FIN),
                     [SCAN_EVENT_STOP] = SEND(SCAN_CANCEL),
                     [SCAN_EVENT_STALLED] = SEND(SCAN_CANCEL),
                     ENDINGS },
    [SCAN_IMAGE_DATA] = { [SCAN_EVENT_BLOCK] = SEND(SCAN_IMAGE),
                          [SCAN_EVENT_PAGE] = RULE(SCAN_STORING, SCAN_DO_STORE),
                          [SCAN_EVENT_BAD_PAGE] = SEND(SCAN_CANCEL),
                          [SCAN_EVENT_FINISHED] = SEND(SCAN_FIN),
                          [SCAN_EVENT_FAULT] = SEND(SCAN_FIN),
                          [SCAN_EVENT_STOP] = SEND(SCAN_CANCEL),
                          ENDINGS },
    /* A page that is not stored must not be acknowledged: no CAN, no FIN, the device sees us go. */
    [SCAN_STORING] = { [SCAN_EVENT_STORED] = SEND(SCAN_IMAGE),
                       [SCAN_EVENT_FINISHED] = SEND(SCAN_FIN),
                       [SCAN_EVENT_BAD_PAGE] = CLOSE,
                       [SCAN_EVENT_FAULT] = SEND(SCAN_FIN), /* the error came with the page's end */
                       [SCAN_EVENT_STOP] = SEND(SCAN_CANCEL),
                       [SCAN_EVENT_LOST] = RULE(SCAN_STORING_LOST, SCAN_DO_NOTHING),
                       [SCAN_EVENT_WRONG] = RULE(SCAN_STORING_LOST, SCAN_DO_NOTHING),
                       [SCAN_EVENT_LATE] = CLOSE },
    [SCAN_STORING_LOST] = { [SCAN_EVENT_STORED] = CLOSE,
                            [SCAN_EVENT_FINISHED] = CLOSE,
                            [SCAN_EVENT_BAD_PAGE] = CLOSE,
                            [SCAN_EVENT_FAULT] = CLOSE,
                            [SCAN_EVENT_STOP] = CLOSE,
                            [SCAN_EVENT_LOST] = RULE(SCAN_STORING_LOST, SCAN_DO_NOTHING),
                            [SCAN_EVENT_WRONG] = RULE(SCAN_STORING_LOST, SCAN_DO_NOTHING),
                            [SCAN_EVENT_LATE] = CLOSE },

    [SCAN_CANCEL] = { [SCAN_EVENT_MORE] = SEND(SCAN_FIN), WIND_DOWN(SCAN_FIN) },
    [SCAN_FIN] = { [SCAN_EVENT_CHECK] = SEND(SCAN_LAST_MODE), WIND_DOWN(SCAN_UNLOCK) },
    [SCAN_LAST_MODE] = { [SCAN_EVENT_ACK] = SEND(SCAN_LAST_STATUS),
                         [SCAN_EVENT_NAK] = SEND(SCAN_UNLOCK),
                         [SCAN_EVENT_AGAIN] = SEND(SCAN_LAST_MODE),
                         [SCAN_EVENT_STOP] = SEND(SCAN_UNLOCK), /* only while no mode is on */
                         ENDINGS },
    [SCAN_LAST_STATUS] = { [SCAN_EVENT_MORE] = SEND(SCAN_LAST_STATUS_DATA),
                           WIND_DOWN(SCAN_LAST_FIN) },
    [SCAN_LAST_STATUS_DATA] = { [SCAN_EVENT_BLOCK] = SEND(SCAN_LAST_FIN), ENDINGS },
    [SCAN_LAST_FIN] = { [SCAN_EVENT_REST] = RULE(SCAN_LAST_MODE, SCAN_DO_PAUSE),
                        [SCAN_EVENT_SHEETS] = SEND(SCAN_CONTROL_MODE),
                        WIND_DOWN(SCAN_UNLOCK) },
    [SCAN_UNLOCK] = { [SCAN_EVENT_ACK] = CLOSE, ENDINGS },
};

enum { REPLY_MS = 30000, STORE_MS = SCAN_LOCK_SECONDS * 1000 };

const int64_t scan_patience_ms[SCAN_STATE_MAX_] = {
    [SCAN_WELCOME] = REPLY_MS,
    [SCAN_LOCK] = REPLY_MS,
    [SCAN_INQUIRY_MODE] = REPLY_MS,
    [SCAN_FORMER_FIN] = REPLY_MS,
    [SCAN_INFO] = REPLY_MS,
    [SCAN_INFO_DATA] = REPLY_MS,
    [SCAN_CAPA] = REPLY_MS,
    [SCAN_CAPA_DATA] = REPLY_MS,
    [SCAN_INQUIRY_FIN] = REPLY_MS,
    [SCAN_STATUS_MODE] = REPLY_MS,
    [SCAN_STATUS] = REPLY_MS,
    [SCAN_STATUS_DATA] = REPLY_MS,
    [SCAN_STATUS_FIN] = REPLY_MS,
    [SCAN_CONTROL_MODE] = REPLY_MS,
    [SCAN_CONTROL_STATUS] = REPLY_MS,
    [SCAN_CONTROL_STATUS_DATA] = REPLY_MS,
    [SCAN_PARAMETERS_HEAD] = REPLY_MS,
    [SCAN_PARAMETERS] = REPLY_MS,
    [SCAN_START] = REPLY_MS,
    [SCAN_IMAGE] = REPLY_MS,
    [SCAN_IMAGE_DATA] = REPLY_MS, /* starts again with every byte */
    [SCAN_STORING] = STORE_MS,    /* the lock would end, too      */
    [SCAN_STORING_LOST] = STORE_MS,
    [SCAN_CANCEL] = REPLY_MS,
    [SCAN_FIN] = REPLY_MS,
    [SCAN_LAST_MODE] = REPLY_MS,
    [SCAN_LAST_STATUS] = REPLY_MS,
    [SCAN_LAST_STATUS_DATA] = REPLY_MS,
    [SCAN_LAST_FIN] = REPLY_MS,
    [SCAN_UNLOCK] = SCAN_GOODBYE_MS, /* the pages are safe: a device that is silent now is let go */
    [SCAN_CLOSED] = 0,
};

const char *scan_state_name(ScanState state)
{
    static const char *const names[SCAN_STATE_MAX_] = {
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

    return state < SCAN_STATE_MAX_ ? names[state] : "?";
}

const char *scan_event_name(ScanEvent event)
{
    static const char *const names[SCAN_EVENT_MAX_] = {
        "WELCOMED", "LEGACY",   "ACK",   "NAK",  "DONE",    "MORE",    "BLOCK", "PART",  "SPARE",
        "BUSY",     "AGAIN",    "MEND",  "REST", "SHEETS",  "REFUSED", "FAULT", "PAGE",  "BAD_PAGE",
        "STORED",   "FINISHED", "CHECK", "STOP", "STALLED", "LOST",    "LATE",  "WRONG",
    };

    return event < SCAN_EVENT_MAX_ ? names[event] : "?";
}
