/* device/scan-inside.h - the fields of a scan session, what a language fills in, and what it is helped with.
 * Private to scan-session.c and the files of the languages: esci2-*.c, esci-*.c. */
#ifndef PLATEN_DEVICE_SCAN_INSIDE_H
#define PLATEN_DEVICE_SCAN_INSIDE_H

#include "device/scan-session.h"
#include "model/raw-page.h"
#include "wire/is.h"

enum { SCAN_ACTIONS_MAX = 10, SCAN_SIDES_MAX = 2, JPEG_MARKER_SIZE = 2 };

/* --- languages ----------------------------------------------------------------------------------- */

/* What answers the command of a state; each language counts on from AWAIT_OWN_. */
typedef enum ScanAwait {
    SCAN_AWAIT_NOTHING,
    SCAN_AWAIT_WELCOME,
    SCAN_AWAIT_LOCK,
    SCAN_AWAIT_UNLOCK,
    SCAN_AWAIT_PICTURE, /* bytes of a page, handed on as they come */
    SCAN_AWAIT_OWN_
} ScanAwait;

typedef struct ScanStep {
    int await;
    const char *text; /* command of the language; NULL: it is made, or a pure read */
    bool same_wait;   /* no answer here ends the wait for a busy device            */
    bool no_stop;     /* a wish to stop does not replace the answer                */
} ScanStep;

/* A language: its tables, its states that every session has, and what only it can do. A session begins in state 0,
 * waiting for the welcome or sending the command. */
typedef struct ScanLanguage {
    const ScanRule (*rules)[SCAN_EVENT_MAX_];
    const int64_t *patience_ms;
    const ScanStep *steps;
    const char *(*state_name)(int state);
    int image, storing; /* from image to storing a page may be open  */
    int storing_lost;
    int cancel; /* from here on the scan winds down          */
    int closed;
    size_t answer_max; /* bytes of any answer but a picture         */
    size_t own_size;   /* of what s->own points to                  */

    /* Puts the command of the state, which is not LOCK or UNLOCK, into s->out. */
    void (*encode)(ScanSession *s);
    /* How long the state waits before it asks again. May set late_at. */
    int64_t (*pause_ms)(ScanSession *s, Mono now);
    /* What the whole answer to the command means. It is in s->payload, unless it was a picture. */
    ScanEvent (*answer)(ScanSession *s, Mono now);
    /* True when the payload of the packet in s->header is that of the picture that was asked for; then takes a part. */
    bool (*is_picture)(const ScanSession *s);
    void (*picture)(ScanSession *s, Bytes part, Mono now);
    /* What only this language does before a step, and frees of its own; NULL: nothing. */
    void (*before_step)(ScanSession *s, ScanEvent event, Mono now);
    void (*done)(ScanSession *s);
} ScanLanguage;

/* --- the session --------------------------------------------------------------------------------- */

/* A page that is coming: one of each side at most, blocks of both in turn. */
typedef struct ScanPage {
    bool open;       /* begun and not ended                                         */
    bool end_seen;   /* its end came together with its last data                    */
    char side;       /* 'A', 'B'                                                    */
    uint32_t number; /* of the page that is open, or was last                       */
    PageFormat format;
    uint64_t bytes;                                           /* so far                */
    uint8_t first[JPEG_MARKER_SIZE], final[JPEG_MARKER_SIZE]; /* bytes so far          */
    bool started; /* #pst was said: width, height                                      */
    uint32_t width_px, height_px;
    RawPage raw; /* when format is RAW; height: as many lines as have come             */
    PageNotes notes;
} ScanPage;

struct ScanSession {
    const ScanLanguage *language;
    union { /* what only its language knows */
        void *own;
        struct Esci2Own *esci2;
        struct EsciOwn *esci;
    };
    ScanOrder order;
    ScanTraits traits;
    int state; /* of the language */

    /* The packet that is coming in. */
    uint8_t head[IS_HEADER_SIZE];
    size_t head_n;
    IsHeader header; /* when head is whole */
    uint32_t payload_left;
    Buf payload; /* unless it is a picture, which is handed on as it comes */
    bool foreign_seen;

    Buf out;
    ScanAction actions[SCAN_ACTIONS_MAX];
    size_t action_first, action_count;

    bool waiting; /* a command is out and its answer due */
    Mono late_at, again_at, busy_until, progress_at;
    Mono paused_at;
    bool paused, busy;
    unsigned lock_tries, mend_tries;

    DeviceIdentity identity;
    Quirk quirk; /* what is known of this model */
    DeviceOffer offer;
    ScanNotes notes; /* of the order */
    ScanUnit unit;
    bool two_sides; /* asked for */

    ScanPage pages[SCAN_SIDES_MAX];
    ScanPage *page;                 /* of pages: what the last answer spoke of                */
    uint32_t begun[SCAN_SIDES_MAX]; /* pages of each side so far                              */
    bool last;                      /* no other page follows                                  */
    uint8_t trailer[RAW_PAGE_TRAILER_SIZE];
    ScanEvent after_page; /* what follows when the page is stored: STORED, or the end of the scan */

    bool locked;      /* the device is locked by us                                      */
    bool out_of_step; /* where its packets begin is not known any more                   */

    bool resting; /* all pages came, and more sheets are waited for */
    bool stop, stop_at_page;
    bool hurried;          /* SCAN_GOODBYE_MS is the patience of winding down */
    const char *lost_code; /* static; NULL: the device said that it goes */
    bool hands_over;       /* a session of another language takes the connection over */
    bool decided;          /* end and reason stand */
    ScanEnd end;
    Reason reason;
};

/* A session that speaks this language, its own part zero; NULL when memory is gone. */
ScanSession *scan_session_new(const ScanLanguage *language, const ScanOrder *order,
                              const ScanTraits *traits, Mono now);

/* Records how the scan ends; the first word stands. */
void scan_decide(ScanSession *s, ScanEnd end, const Reason *reason);

/* The same for BROKEN with a reason of the table, and for CANCELLED at the device. */
void scan_fail(ScanSession *s, const char *code, const char *detail);
void scan_refused(ScanSession *s, const char *word,
                  const char *command); /* scan_reason_of_refusal */
void scan_cancelled_at_device(ScanSession *s);

/* One step of the table. */
void scan_dispatch(ScanSession *s, ScanEvent event, Mono now);

/* Queues an action for the driver. */
void scan_push(ScanSession *s, ScanAction action);

/* ACK or NAK, when the answer is one of these bytes; else WRONG. */
ScanEvent scan_ack_event(const ScanSession *s);

/* The device says that it is not ready, for the first time or still: false when that is too long. */
bool scan_may_wait(ScanSession *s, int64_t most_ms, Mono now);

/* The device says who it is: looks up what is known of its model and tells the host. serial may be "". */
void scan_identify(ScanSession *s, const char *product, const char *serial, const char *firmware);

/* Begins this page on its side and makes it s->page; false (and the reason recorded) when a scan has no more. */
bool scan_page_begin(ScanSession *s, const ScanPage *page, Mono now);

/* True while a page of either side has begun and not ended. */
bool scan_page_is_open(const ScanSession *s);

/* How many pages have begun. */
uint32_t scan_pages_begun(const ScanSession *s);

/* How the backs of this device must be turned; two_pass: it says that it turns the sheet. */
uint32_t scan_back_rotation(const ScanSession *s, bool two_pass);

/* The order of the channels of its raw pages. */
RawOrder scan_raw_order(const ScanSession *s, bool color);

#endif
