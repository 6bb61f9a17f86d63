/* device/esci-rules.c - the one table of ESC/I: state x event -> next state, action. */
#include "device/esci-session.h"

#define RULE(next_, do_)                                          \
    {                                                             \
        .next = ESCI_AT_##next_, .action = (do_), .allowed = true \
    }
#define SEND(next_)  RULE(next_, SCAN_DO_SEND)
#define PAUSE(next_) RULE(next_, SCAN_DO_PAUSE)
#define CLOSE        RULE(CLOSED, SCAN_DO_CLOSE)

/* What ends every state that talks to the device. */
#define ENDINGS [SCAN_EVENT_LOST] = CLOSE, [SCAN_EVENT_LATE] = CLOSE, [SCAN_EVENT_WRONG] = CLOSE

/* A command that is answered at once; home_: the way home. */
#define COMMAND(then_, home_)                                          \
    [SCAN_EVENT_DONE] = SEND(then_), [SCAN_EVENT_FAULT] = SEND(home_), \
    [SCAN_EVENT_STOP] = SEND(home_), ENDINGS

/* The same of one whose argument is due: what were sent instead would be taken for it. */
#define HEAD(then_, home_) \
    [SCAN_EVENT_DONE] = SEND(then_), [SCAN_EVENT_FAULT] = SEND(home_), ENDINGS

/* A command that may be answered by "not yet". */
#define PATIENT(self_, then_, home_) \
    [SCAN_EVENT_BUSY] = PAUSE(self_), [SCAN_EVENT_AGAIN] = SEND(self_), COMMAND(then_, home_)

/* A step of winding down: whatever the device says to it, the next one follows. */
#define WIND_DOWN(then_) [SCAN_EVENT_DONE] = SEND(then_), ENDINGS

/* A block of the picture is due. */
#define BLOCK_RULES                                                                           \
    {                                                                                         \
        [SCAN_EVENT_BUSY] = PAUSE(BLOCK), [SCAN_EVENT_AGAIN] = SEND(BLOCK),                   \
        [SCAN_EVENT_OTHER] = SEND(BLOCK), /* the rest of it */                                \
            [SCAN_EVENT_MORE] = SEND(NEXT_BLOCK),                                             \
        [SCAN_EVENT_PAGE] = RULE(STORING, SCAN_DO_STORE), [SCAN_EVENT_FAILED] = SEND(CANCEL), \
        [SCAN_EVENT_FAULT] = SEND(CANCEL), [SCAN_EVENT_STOP] = SEND(CANCEL), ENDINGS          \
    }

/* The host has a page. One that is not stored must not be acknowledged: the device sees us go. */
#define STAY RULE(STORING_LOST, SCAN_DO_NOTHING)

const ScanRule esci_rules[ESCI_STATE_MAX_][SCAN_EVENT_MAX_] = {
    [ESCI_AT_LOCK] = { [SCAN_EVENT_ACK] = SEND(RESET),
                       [SCAN_EVENT_NAK] = PAUSE(LOCK),
                       [SCAN_EVENT_AGAIN] = SEND(LOCK),
                       [SCAN_EVENT_REFUSED] = CLOSE,
                       [SCAN_EVENT_STOP] = SEND(UNLOCK),
                       ENDINGS },
    [ESCI_AT_RESET] = { COMMAND(IDENTITY, UNLOCK) },
    [ESCI_AT_IDENTITY] = { COMMAND(STATUS, UNLOCK) },
    [ESCI_AT_STATUS] = { PATIENT(STATUS, TAKE, UNLOCK) },
    [ESCI_AT_TAKE] = { [SCAN_EVENT_DONE] = SEND(RESET_TAKEN),
                       [SCAN_EVENT_BUSY] = PAUSE(TAKE),
                       [SCAN_EVENT_AGAIN] = SEND(TAKE),
                       [SCAN_EVENT_FAULT] = SEND(UNLOCK), /* it was not given to us */
                       [SCAN_EVENT_STOP] = SEND(RELEASE),
                       ENDINGS },
    [ESCI_AT_RESET_TAKEN] = { COMMAND(SOURCE, RELEASE) },
    [ESCI_AT_SOURCE] = { [SCAN_EVENT_OTHER] = SEND(SOURCE_STATUS), HEAD(SOURCE_BYTE, RELEASE) },
    [ESCI_AT_SOURCE_BYTE] = { COMMAND(SOURCE_STATUS, RELEASE) },
    [ESCI_AT_SOURCE_STATUS] = { [SCAN_EVENT_OTHER] = SEND(SOURCE),
                                PATIENT(SOURCE_STATUS, GAMMA, RELEASE) },
    [ESCI_AT_GAMMA] = { [SCAN_EVENT_OTHER] = SEND(PARAMETERS), HEAD(GAMMA_TABLE, RELEASE) },
    [ESCI_AT_GAMMA_TABLE] = { [SCAN_EVENT_MORE] = SEND(GAMMA),
                              [SCAN_EVENT_OTHER] = SEND(PARAMETERS),
                              COMMAND(PARAMETERS, RELEASE) },
    [ESCI_AT_PARAMETERS] = { HEAD(PARAMETERS_BLOCK, RELEASE) },
    [ESCI_AT_PARAMETERS_BLOCK] = { COMMAND(READY, RELEASE) },
    [ESCI_AT_READY] = { [SCAN_EVENT_FINISHED] = SEND(RELEASE), PATIENT(READY, START, RELEASE) },
    [ESCI_AT_START] = { [SCAN_EVENT_DONE] = SEND(BLOCK),
                        [SCAN_EVENT_BUSY] = PAUSE(FEEDING),
                        [SCAN_EVENT_FAILED] = SEND(FAULT_STATUS),
                        [SCAN_EVENT_FAULT] = SEND(CANCEL),
                        [SCAN_EVENT_STOP] = SEND(CANCEL),
                        ENDINGS },
    [ESCI_AT_FEEDING] = { [SCAN_EVENT_FINISHED] = SEND(RELEASE), PATIENT(FEEDING, START, RELEASE) },
    [ESCI_AT_BLOCK] = BLOCK_RULES,
    [ESCI_AT_NEXT_BLOCK] = BLOCK_RULES,
    [ESCI_AT_STORING] = { [SCAN_EVENT_STORED] = SEND(NEXT_PAGE),
                          [SCAN_EVENT_FINISHED] = SEND(RELEASE),
                          [SCAN_EVENT_BAD_PAGE] = CLOSE,
                          [SCAN_EVENT_STOP] = SEND(RELEASE),
                          [SCAN_EVENT_LOST] = STAY,
                          [SCAN_EVENT_WRONG] = STAY,
                          [SCAN_EVENT_LATE] = CLOSE },
    [ESCI_AT_STORING_LOST] = { [SCAN_EVENT_STORED] = CLOSE,
                               [SCAN_EVENT_FINISHED] = CLOSE,
                               [SCAN_EVENT_BAD_PAGE] = CLOSE,
                               [SCAN_EVENT_STOP] = CLOSE,
                               [SCAN_EVENT_LOST] = STAY,
                               [SCAN_EVENT_WRONG] = STAY,
                               [SCAN_EVENT_LATE] = CLOSE },
    [ESCI_AT_NEXT_PAGE] = { COMMAND(NEXT_STATUS, RELEASE) },
    [ESCI_AT_NEXT_STATUS] = { [SCAN_EVENT_FINISHED] = SEND(RELEASE),
                              PATIENT(NEXT_STATUS, PARAMETERS, RELEASE) },
    [ESCI_AT_CANCEL] = { [SCAN_EVENT_OTHER] = SEND(FAULT_STATUS), WIND_DOWN(RELEASE) },
    [ESCI_AT_FAULT_STATUS] = { WIND_DOWN(RELEASE) },
    [ESCI_AT_RELEASE] = { WIND_DOWN(UNLOCK) },
    [ESCI_AT_UNLOCK] = { [SCAN_EVENT_ACK] = CLOSE, ENDINGS },
};

enum { REPLY_MS = 30000, FEED_MS = 60000, STORE_MS = SCAN_LOCK_SECONDS * 1000 };

const int64_t esci_patience_ms[ESCI_STATE_MAX_] = {
    [ESCI_AT_LOCK] = REPLY_MS,
    [ESCI_AT_RESET] = REPLY_MS,
    [ESCI_AT_IDENTITY] = REPLY_MS,
    [ESCI_AT_STATUS] = REPLY_MS,
    [ESCI_AT_TAKE] = REPLY_MS,
    [ESCI_AT_RESET_TAKEN] = REPLY_MS,
    [ESCI_AT_SOURCE] = REPLY_MS,
    [ESCI_AT_SOURCE_BYTE] = REPLY_MS,
    [ESCI_AT_SOURCE_STATUS] = REPLY_MS,
    [ESCI_AT_GAMMA] = REPLY_MS,
    [ESCI_AT_GAMMA_TABLE] = REPLY_MS,
    [ESCI_AT_PARAMETERS] = REPLY_MS,
    [ESCI_AT_PARAMETERS_BLOCK] = REPLY_MS,
    [ESCI_AT_READY] = REPLY_MS,
    [ESCI_AT_START] = FEED_MS, /* some draw the paper and move the carriage before they answer */
    [ESCI_AT_FEEDING] = REPLY_MS,
    [ESCI_AT_BLOCK] = REPLY_MS, /* starts again with every byte */
    [ESCI_AT_NEXT_BLOCK] = REPLY_MS,
    [ESCI_AT_STORING] = STORE_MS, /* the lock would end, too */
    [ESCI_AT_STORING_LOST] = STORE_MS,
    [ESCI_AT_NEXT_PAGE] = FEED_MS, /* the sheet goes out, the next one comes in */
    [ESCI_AT_NEXT_STATUS] = REPLY_MS,
    [ESCI_AT_CANCEL] = REPLY_MS,
    [ESCI_AT_FAULT_STATUS] = REPLY_MS,
    [ESCI_AT_RELEASE] = SCAN_GOODBYE_MS, /* the pages are safe */
    [ESCI_AT_UNLOCK] = SCAN_GOODBYE_MS,
    [ESCI_AT_CLOSED] = 0,
};

const char *esci_state_name(int state)
{
    static const char *const names[ESCI_STATE_MAX_] = {
        "LOCK",        "RESET",       "IDENTITY",         "STATUS",        "TAKE",
        "RESET_TAKEN", "SOURCE",      "SOURCE_BYTE",      "SOURCE_STATUS", "GAMMA",
        "GAMMA_TABLE", "PARAMETERS",  "PARAMETERS_BLOCK", "READY",         "START",
        "FEEDING",     "BLOCK",       "NEXT_BLOCK",       "STORING",       "STORING_LOST",
        "NEXT_PAGE",   "NEXT_STATUS", "CANCEL",           "FAULT_STATUS",  "RELEASE",
        "UNLOCK",      "CLOSED",
    };

    return state >= 0 && state < ESCI_STATE_MAX_ ? names[state] : "?";
}
