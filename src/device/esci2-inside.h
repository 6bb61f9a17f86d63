/* device/esci2-inside.h - what ESC/I-2 knows of a scan. Private to esci2-session.c and esci2-reply.c. */
#ifndef PLATEN_DEVICE_ESCI2_INSIDE_H
#define PLATEN_DEVICE_ESCI2_INSIDE_H

#include "device/esci2-session.h"
#include "device/scan-inside.h"
#include "device/scan-plan.h"

typedef struct Esci2Own {
    uint32_t wanted; /* bytes of the data that the last reply announced */
    Esci2Info info;  /* parts of info and capa are replaced by the quirks */
    Esci2Capa capa;
    Esci2Stat stat;
    ScanNotes warnings; /* so far */
    Esci2Para para;
    Buf para_block; /* encoded para */
    size_t para_done, para_part;
    bool spare_tried, feeder_used;
    bool says_busy;    /* the last answer to IMG: #nrd BUSY or WUP      */
    bool sheets;       /* the last status says that the feeder has some */
    Mono sheets_until; /* how long more sheets are waited for           */
} Esci2Own;

typedef enum Esci2Await {
    ESCI2_AWAIT_MODE = SCAN_AWAIT_OWN_, /* text: the mode command, answered by one byte       */
    ESCI2_AWAIT_REPLY,                  /* text: the request code, answered by 64 bytes       */
    ESCI2_AWAIT_BLOCK,                  /* a pure read of what was announced                  */
    ESCI2_AWAIT_EMPTY,                  /* text: of a request with a block, no answer but ""  */
    ESCI2_AWAIT_PARAMETERS,             /* the block itself, answered by 64 bytes             */
} Esci2Await;

extern const ScanStep esci2_steps[ESCI2_STATE_MAX_];

/* What the answer to the command of the state means. */
ScanEvent esci2_answer(ScanSession *s, Mono now);

/* Hands image bytes on and takes account of them. */
void esci2_picture(ScanSession *s, Bytes bytes, Mono now);

#endif
