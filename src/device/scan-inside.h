/* device/scan-inside.h - the fields of a scan session. Private to scan-session.c, scan-reply.c. */
#ifndef PLATEN_DEVICE_SCAN_INSIDE_H
#define PLATEN_DEVICE_SCAN_INSIDE_H

#include "device/scan-plan.h"
#include "device/scan-session.h"
#include "model/raw-page.h"
#include "wire/is.h"

enum { SCAN_ACTIONS_MAX = 10, JPEG_MARKER_SIZE = 2 };

enum { SCAN_SIDES_MAX = 2 };

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
    ScanOrder order;
    ScanTraits traits;
    ScanState state;

    /* The packet that is coming in. */
    uint8_t head[IS_HEADER_SIZE];
    size_t head_n;
    IsHeader header; /* when head is whole */
    uint32_t payload_left;
    Buf payload; /* unless it is image data, which is handed on as it comes */
    bool foreign_seen;

    Buf out;
    ScanAction actions[SCAN_ACTIONS_MAX];
    size_t action_first, action_count;

    bool waiting;    /* a command is out and its answer due            */
    uint32_t wanted; /* bytes of the data that the last reply announced */
    Mono late_at, again_at, busy_until, progress_at;
    Mono paused_at;
    bool paused, busy;
    unsigned lock_tries, mend_tries;

    Esci2Info info;
    Esci2Capa capa;
    Esci2Stat stat;
    DeviceIdentity identity;
    Quirk quirk; /* what is known of this model; parts of info and capa are replaced by it */
    DeviceOffer offer;
    ScanNotes notes;    /* of the order */
    ScanNotes warnings; /* so far       */
    ScanUnit unit;
    Esci2Para para;
    Buf para_block; /* encoded para */
    size_t para_done, para_part;
    bool spare_tried, feeder_used;
    bool two_sides; /* asked for in para */

    ScanPage pages[SCAN_SIDES_MAX];
    ScanPage *page;                 /* of pages: what the last reply to IMG spoke of            */
    uint32_t begun[SCAN_SIDES_MAX]; /* pages of each side so far: sheets                     */
    bool last;                      /* the device says that no other page follows              */
    uint8_t trailer[RAW_PAGE_TRAILER_SIZE];
    /* All pages came, and the feeder may get more sheets until then. */
    bool resting, sheets; /* sheets: the last status says that it has some */
    Mono sheets_until;
    ScanEvent after_page; /* what follows when the page is stored: STORED, or the end of the scan */
    bool stop, stop_at_page;
    bool hurried;          /* SCAN_GOODBYE_MS is the patience of winding down */
    const char *lost_code; /* static; NULL: the device said that it goes */
    bool is_legacy;        /* an ESC/I session takes the connection over */
    bool decided;          /* end and reason stand */
    ScanEnd end;
    Reason reason;
};

/* Records how the scan ends; the first word stands. */
void scan_decide(ScanSession *s, ScanEnd end, const Reason *reason);

/* The same for BROKEN with a reason of the table. */
void scan_fail(ScanSession *s, const char *code, const char *detail);

/* One step of the table. */
void scan_dispatch(ScanSession *s, ScanEvent event, Mono now);

/* A whole packet is here, its payload in s->payload (image data was handed on): what it means. */
void scan_packet(ScanSession *s, Mono now);

/* True when the payload of the packet whose header just came is image data that was asked for. */
bool scan_packet_is_image(const ScanSession *s);

/* Takes account of image bytes that are handed on. */
void scan_page_count(ScanSession *s, Bytes bytes, Mono now);

/* True while a page of either side has begun and not ended. */
bool scan_page_is_open(const ScanSession *s);

/* True when any page has begun. */
bool scan_page_came(const ScanSession *s);

/* Queues an action for the driver. */
void scan_push(ScanSession *s, ScanAction action);

/* What a state sends and what answers it. */
typedef enum ScanAwait {
    SCAN_AWAIT_NOTHING,
    SCAN_AWAIT_WELCOME,
    SCAN_AWAIT_LOCK,
    SCAN_AWAIT_MODE,       /* text: the mode command, answered by one byte            */
    SCAN_AWAIT_REPLY,      /* text: the request code, answered by 64 bytes            */
    SCAN_AWAIT_BLOCK,      /* a pure read of what was announced                       */
    SCAN_AWAIT_IMAGE,      /* the same, handed on as it comes                         */
    SCAN_AWAIT_EMPTY,      /* text: code of a request with a block, answered by nothing */
    SCAN_AWAIT_PARAMETERS, /* the block itself, answered by 64 bytes             */
    SCAN_AWAIT_UNLOCK
} ScanAwait;

typedef struct ScanStep {
    ScanAwait await;
    const char *text;
} ScanStep;

extern const ScanStep scan_steps[SCAN_STATE_MAX_];

#endif
