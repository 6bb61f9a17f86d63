/* device/scan-session.h - the client's side of one scan over TCP 1865, in whatever language. Sans-IO.
 *
 * Bytes and time go in, actions come out; the driver (link-scan.c) owns the socket. This half is the same for all
 * devices: IS packets, time, lock and events, the wishes of the host, how a scan ends, and the step through a table.
 * The table, what is sent and what answers mean is the language's: device/esci2-session.h begins with the welcome,
 * device/esci-session.h goes on behind it with an older device.
 *
 * ACKNOWLEDGEMENT: while a page is being stored nothing is sent until scan_session_page_stored says that it is. Of a
 * sheet whose sides come in turn, the other page may be open meanwhile: it has not ended, so nothing that is sent later
 * acknowledges it before its own end. */
#ifndef PLATEN_DEVICE_SCAN_SESSION_H
#define PLATEN_DEVICE_SCAN_SESSION_H

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/time.h"
#include "device/scan-order.h"

/* What can happen, in the words of both languages; a table has rules for those that its language knows. */
typedef enum ScanEvent {
    SCAN_EVENT_WELCOMED, /* an ESC/I-2 device                                               */
    SCAN_EVENT_LEGACY,   /* an ESC/I device                                                 */
    SCAN_EVENT_ACK,      /* lock, unlock or mode granted                                    */
    SCAN_EVENT_NAK,      /* not now                                                         */
    SCAN_EVENT_DONE,     /* answered as wished, without data                                */
    SCAN_EVENT_OTHER,    /* the other way: another source, no gamma tables, the rest of a block */
    SCAN_EVENT_MORE,     /* data is announced, or another block or table due                */
    SCAN_EVENT_BLOCK,    /* the announced data is here                                      */
    SCAN_EVENT_PART,     /* parameters accepted, another part is due                        */
    SCAN_EVENT_SPARE,    /* parameters refused, a shorter try is left                       */
    SCAN_EVENT_BUSY,     /* not ready yet                                                   */
    SCAN_EVENT_AGAIN,    /* the pause is over                                               */
    SCAN_EVENT_MEND,     /* the same after a refused mode: FIN first                        */
    SCAN_EVENT_REST,     /* the feeder is still empty and may be waited for                 */
    SCAN_EVENT_SHEETS,   /* it has sheets again                                             */
    SCAN_EVENT_REFUSED,  /* the device does not know or allow it, or was busy too often     */
    SCAN_EVENT_FAILED,   /* the device says that it failed, not why                         */
    SCAN_EVENT_FAULT,    /* the device reports an error, or cannot do what the job asks     */
    SCAN_EVENT_PAGE,     /* a page is whole                                                 */
    SCAN_EVENT_BAD_PAGE, /* a page cannot be kept                                           */
    SCAN_EVENT_STORED,   /* the host stored the page, more may come                         */
    SCAN_EVENT_FINISHED, /* no more pages                                                   */
    SCAN_EVENT_CHECK,    /* FIN answered after the feeder was used                          */
    SCAN_EVENT_STOP,     /* cancelled at the device or by the host, at the next safe moment */
    SCAN_EVENT_STALLED,  /* it answers every question, but no image came for too long       */
    SCAN_EVENT_LOST,     /* connection closed, or the device says it will                   */
    SCAN_EVENT_LATE,     /* patience is over                                                */
    SCAN_EVENT_WRONG,    /* not the protocol                                                */
    SCAN_EVENT_MAX_
} ScanEvent;

typedef enum ScanDo {
    SCAN_DO_BREAK, /* 0, also of every missing rule: protocol error, close            */
    SCAN_DO_NOTHING,
    SCAN_DO_SEND,  /* send the command of the next state                              */
    SCAN_DO_PAUSE, /* wait, then AGAIN                                                */
    SCAN_DO_STORE, /* report the page, wait for the host                              */
    SCAN_DO_CLOSE
} ScanDo;

/* A rule of the table of a language: state x event -> next state, action. */
typedef struct ScanRule {
    uint8_t next; /* a state of the language */
    ScanDo action;
    bool allowed;
} ScanRule;

/* For traces and the printed graph. Static. */
const char *scan_event_name(ScanEvent event);

enum {
    SCAN_LOCK_SECONDS = 300, /* what Epson's driver asks for                        */
    SCAN_LOCK_TRIES = 5,
    SCAN_LOCK_PAUSE_MS = 2000,
    SCAN_BUSY_PAUSE_MS = 500,
    SCAN_SHEETS_PAUSE_MS = 1000, /* between looks at an empty feeder                */
    SCAN_MEND_TRIES = 3,         /* FIN after a refused mode, so often                  */
    SCAN_BUSY_MS = 30000,        /* busy for so long: give up                           */
    /* The pause before an image is asked for again. As long as a device that feeds the next sheet needs, it is half
     * of the time that nothing came, at most 40 ms: each question costs both sides as much as a block of image. Then
     * a thousandth, because devices count thousands of empty answers before a page (2600 in a capture), and these
     * must fit into SCAN_PROGRESS_MS. */
    SCAN_POLL_MIN_MS = 10,
    SCAN_POLL_FEED_MS = 1000,
    SCAN_POLL_FEED_MAX_MS = 40,
    SCAN_POLL_FEED_PART = 2,
    SCAN_POLL_PART = 1000,
    /* A device that says that it is busy or warms up is asked after half of the time that it took so far, at most 100 ms
     * (Epson's description), and so it scans no slower for it: what is lost is never more than half of what it took
     * itself. SANE asks anew at once, Epson's driver every 2 to 100 ms. */
    SCAN_POLL_BUSY_MAX_MS = 100,
    /* Without a byte of image or a page token, of a device that answers all the time: give up. The slowest feeder (1 page
     * a minute) has a minute between two pages, and half of that to spare. One that is stuck says so, as an error; only
     * one whose program hangs answers on, and is left long before its lock ends (SCAN_LOCK_SECONDS). */
    SCAN_PROGRESS_MS = 90000,
    SCAN_GOODBYE_MS = 5000, /* for each answer when a device that stalls is left, or in a hurry */
};

typedef enum ScanActionKind {
    SCAN_ACTION_SEND,       /* bytes                                                       */
    SCAN_ACTION_IDENTIFIED, /* identity                                                    */
    SCAN_ACTION_NOTICE,     /* notice: the device said something beside the scan           */
    SCAN_ACTION_OFFERED,    /* offer: what the device can do                               */
    SCAN_ACTION_NOTED,      /* replaced: what of the order it does otherwise; may come twice,
                               the last one counts                                         */
    SCAN_ACTION_WARNED,     /* warnings: all so far; may come often, the last one counts   */
    SCAN_ACTION_PAGE_BEGIN, /* number, side, format                                        */
    SCAN_ACTION_PAGE_BYTES, /* side, bytes                                                 */
    SCAN_ACTION_PAGE_END,   /* number, side, notes: then the session waits for
                               scan_session_page_stored                                    */
    SCAN_ACTION_PAGE_DROP,  /* side: the page that was begun is to be forgotten            */
    SCAN_ACTION_CLOSE,      /* close the connection now                                    */
    SCAN_ACTION_LEGACY,     /* the device speaks ESC/I: that session goes on; the last one   */
    SCAN_ACTION_ENDED       /* end, reason; always the last but for LEGACY                 */
} ScanActionKind;

typedef struct ScanAction {
    ScanActionKind kind;
    Bytes bytes; /* borrowed until the next call on the session */
    uint32_t number;
    char side; /* 'A' front, 'B' back: of each at most one page is open */
    PageFormat format;
    PageNotes notes;
    const char *notice;             /* a stable word, static; see device-link.h */
    const DeviceIdentity *identity; /* borrowed from the session */
    const DeviceOffer *offer;       /* the same                  */
    const ScanNotes *replaced;      /* the same                  */
    const ScanNotes *warnings;      /* the same                  */
    ScanEnd end;
    const Reason *reason; /* borrowed from the session */
} ScanAction;

typedef struct ScanSession ScanSession;

/* Of esci2_session_new or esci_session_new. */
void scan_session_free(ScanSession *s); /* accepts NULL */
DEFINE_AUTO(ScanSession, scan_session_free);

/* Takes bytes from the front of in and answers how many. Before the next call of any kind the driver
 * takes all actions; then it feeds the rest. Never 0 for a non-empty in. */
size_t scan_session_feed(ScanSession *s, Bytes in, Mono now);

/* To be called when the deadline is reached. */
void scan_session_tick(ScanSession *s, Mono now);
Mono scan_session_deadline(const ScanSession *s);

/* The connection was closed or lost: code says how (connection-lost, connect-failed). */
void scan_session_lost(ScanSession *s, const char *code, Mono now);

/* The next action; false when there is none. */
bool scan_session_next(ScanSession *s, ScanAction *ret_action);

/* Answer to PAGE_END. not ok: the connection is closed and the scan ended with this reason; whatever
 * else were sent would acknowledge the page. */
void scan_session_page_stored(ScanSession *s, bool ok, const Reason *reason, Mono now);

/* The host takes no bytes for a while: patience does not run while paused. */
void scan_session_pause(ScanSession *s, Mono now);
void scan_session_resume(ScanSession *s, Mono now);

/* The host wants nothing of this device: the scan ends in order at the next safe moment, as BROKEN with
 * this reason. Said at IDENTIFIED, no page is begun. */
void scan_session_refuse(ScanSession *s, const Reason *reason, Mono now);

/* Ends the scan in order at the next safe moment, dropping the page in progress. */
void scan_session_cancel(ScanSession *s, Mono now);

/* More sheets are not waited for any more; a scan that waits ends as complete. */
void scan_session_no_more_sheets(ScanSession *s, Mono now);

/* The same as cancel when the page in progress is stored; at once when there is none. */
void scan_session_stop_at_page(ScanSession *s, Mono now);

/* The host has no more time: the scan ends in order at the next safe moment, dropping the page in
 * progress, and the device has SCAN_GOODBYE_MS for each answer. */
void scan_session_leave(ScanSession *s, Mono now);

/* Where the session stands in the table of its language, for traces and tests. */
int scan_session_state(const ScanSession *s);

#endif
