/* mfp/scanner.h - the ESC/I-2 interpreter of the virtual device: commands in, replies out.
 *
 * One Scanner serves one connection that holds the device's lock. It knows modes, parameters and how
 * far the current page has been fetched; it knows nothing of packets, sockets and time, which are
 * those of mfp/session.h, its only caller. What it tells clients about itself is mfp/model.h's
 * business. In data state mfp/scanner-image.h answers.
 *
 *             FS X                TRDT
 *    NONE ---------> CONTROL -----------> DATA
 *      ^ <---------- ^  |  <-------------- |
 *      |     FIN     |  |  last page, CAN, #err          FIN and leaving lead to NONE from
 *      |             |  +--                              every mode
 *      |-- FS Y ---> INQUIRY
 *      |-- FS Z ---> MAINTENANCE
 *
 * Which command is taken in which mode is one table in scanner.c; anything else is INVD, an unknown
 * code UNKN, and parameters that cannot be taken #parFAIL. */
#ifndef PLATEN_MFP_SCANNER_H
#define PLATEN_MFP_SCANNER_H

#include "base/bytes.h"
#include "base/time.h"
#include "mfp/fault.h"
#include "mfp/model.h"
#include "mfp/page.h"
#include "mfp/tray.h"
#include "wire/esci2-para.h"

enum {
    SCANNER_PARAMETERS_MAX = 1536, /* #DSZ, what real devices announce                      */
    SCANNER_BLOCK_MAX = 86592,     /* image bytes of one reply, as real devices send        */
    SCANNER_EMPTY_POLLS = 3,       /* IMG answered "nothing yet" before the first page      */
    SCANNER_FEED_ANSWER_MS = 10,   /* and so late while a sheet feeds: 100 answers a second */
    SCANNER_REPLY_MAX = 2048,      /* reply header and the longest block but images         */
    SCANNER_NOTES_MAX = 6,         /* page acknowledged, job ended, another begun, a fault  */
    SCANNER_JOB_LIST_MAX = 1024,   /* bytes of what JOBW tells                               */
    SCANNER_PRODUCT_SIZE = MODEL_PRODUCT_SIZE,
    SCANNER_SERIAL_SIZE = 13, /* #S/N has at most 12                                   */
};

typedef enum MfpSource { MFP_ADF, MFP_FLATBED } MfpSource;

typedef enum ScannerMode {
    SCANNER_NONE,
    SCANNER_CONTROL,
    SCANNER_INQUIRY,
    SCANNER_MAINTENANCE,
    SCANNER_DATA,
    SCANNER_MODE_MAX_
} ScannerMode;

/* How a scan ended. */
typedef enum ScanOutcome {
    SCAN_DONE,      /* the client spoke on after the last page: it has everything    */
    SCAN_CANCELLED, /* Cancel at the panel                                           */
    SCAN_STOPPED,   /* the client stopped: CAN or FIN in the middle                  */
    SCAN_BROKEN,    /* the connection was lost, or the client broke the protocol     */
    SCAN_FAULT,     /* something went wrong at the device (NOTE_FAULT said what)     */
    SCAN_OUTCOME_MAX_
} ScanOutcome;

/* "done", "cancelled", "stopped", "broken", "fault". Static. */
const char *scan_outcome_name(ScanOutcome outcome);

/* What the panel and the operator want to hear. */
typedef struct ScanNote {
    enum {
        NOTE_BEGIN,
        NOTE_PAGE,
        NOTE_ACKNOWLEDGED,
        NOTE_FAULT,
        NOTE_END,
        NOTE_JOB_LIST,  /* JOBW came, of so many bytes */
        NOTE_JOB_ASKED, /* JOBR was answered           */
        NOTE_REFUSED,   /* the client goes without a scan: its parameters or TRDT were refused */
        NOTE_FEEDS,     /* the sheet still feeds: what is sent next waits for wait_ms */
    } kind;
    uint32_t pages;      /* pages sent so far; NOTE_PAGE counts its own        */
    size_t bytes;        /* NOTE_PAGE: what was sent of it                     */
    const char *fault;   /* NOTE_FAULT, NOTE_REFUSED: name of its kind, or a sentence */
    ScanOutcome outcome; /* NOTE_END                                           */
    int64_t wait_ms;     /* NOTE_FEEDS                                         */
} ScanNote;

/* The device behind all connections. Owned by the program; lives longer than every Scanner. */
typedef struct MfpUnit {
    MfpSource source; /* where the operator puts paper                                        */
    ModelKind kind;
    bool legacy;                        /* speaks ESC/I (mfp/esci-scanner.h)             */
    char product[SCANNER_PRODUCT_SIZE]; /* "PID 1147"                                   */
    char serial[SCANNER_SERIAL_SIZE];   /* "VIRTUAL001"                                 */
    Tray *tray;                         /* borrowed                                     */
    bool interleaves;                   /* blocks of both sides come by turns           */
    bool says_events;                   /* informational events too: not for SANE       */
    uint32_t line_padding;              /* bytes behind each raw line                   */
    uint32_t page_ms;                   /* what the feeder needs for a page; 0: nothing */
    bool stamps;                        /* each JPEG tells its device and its number    */
    uint32_t stamped;                   /* pages that began with a stamp                */
    Fault fault;
    bool job_control;                       /* a device of version 3 (wire/is.h)         */
    uint8_t job_list[SCANNER_JOB_LIST_MAX]; /* what the last JOBW told, and how much     */
    size_t job_list_bytes;
    uint32_t job_writes;    /* JOBW so far                                                       */
    uint16_t job_number;    /* what JOBR is answered: the job chosen last                        */
    const void *lock_owner; /* the session that holds the lock, NULL: free  */
    bool scanning;          /* a scan runs: between NOTE_BEGIN and NOTE_END */
    bool cancel;            /* Cancel was pressed while scanning            */
    uint32_t sheets_fed, sheets_turned, glass_scans; /* counters of maintenance mode    */
} MfpUnit;

/* Cancel was pressed at the panel: a running scan is told so until it obeys. False: none runs. */
bool mfp_unit_cancel(MfpUnit *unit);

enum { SCANNER_SIDES = 2 };

/* One side of the sheet that is being sent. */
typedef struct ScannerSide {
    Page *page; /* owned; kept until the next one, since blocks of it may still be sent   */
    const Picture *picture;
    uint32_t number;   /* of the page in this scan, from 1                                       */
    bool begun, ended; /* #pst, #pen was sent                                                    */
} ScannerSide;

typedef struct Scanner {
    MfpUnit *unit; /* borrowed */
    Mono now;      /* set by who calls, before each call                                  */
    Mono begun_at; /* of the running scan                                                 */
    ScannerMode mode;
    Esci2Para para; /* of this control session                                  */
    bool feeding;   /* the running scan uses the feeder, not the glass            */
    bool duplex;    /* and sends both sides                                       */
    uint32_t polls_left;
    ScannerSide sides[SCANNER_SIDES];
    size_t side_count; /* of the sheet being sent; 0: none drawn yet               */
    size_t turn;       /* whose block was sent last                                */
    uint32_t drawn;    /* pages begun in this scan                                 */
    uint32_t pages;    /* sent in this scan                                        */
    bool page_sent;    /* a #pen was sent, the client has not spoken on            */
    bool last_sent;    /* the same of the last page                                */
    bool cancel_said;
    bool refuses;        /* the last TRDT of this mode was refused                          */
    const char *refused; /* why the last try to begin a scan failed; NULL: it did not */
    bool drops;          /* the connection is to end within the next block              */
    uint8_t closes;      /* an event to be sent before closing; 0: none                 */
    uint8_t announces;   /* an informational event to be sent before the reply; 0: none */
    ScanNote notes[SCANNER_NOTES_MAX];
    size_t note_count;
} Scanner;

/* What a command puts into the device's output queue: reply, then image. */
typedef struct ScannerOutput {
    Buf *reply;  /* appended to: reply header and, but for images, its data block */
    Bytes image; /* image data behind it; lives until the next command            */
} ScannerOutput;

/* A scanner in no mode, with no parameters set. unit is borrowed. */
void scanner_init(Scanner *scanner, MfpUnit *unit);
/* Frees what it holds of pages. */
void scanner_done(Scanner *scanner);

/* A mode command: letter X, Y or Z. False (NAK) while a mode is active, and for other letters. */
bool scanner_enter(Scanner *scanner, char letter);

/* One command with its whole parameter block (empty for most). Always answers. */
void scanner_command(Scanner *scanner, const char code[ESCI2_WORD_SIZE], Bytes parameters,
                     ScannerOutput *output);

/* The client unlocked (orderly) or is gone. A running scan ends; the paper it had drawn is out. */
void scanner_leave(Scanner *scanner, bool orderly);

/* Takes the oldest note; false when there is none. To be drained after every call above. */
bool scanner_note_next(Scanner *scanner, ScanNote *ret_note);

#endif
