/* device/esci-inside.h - what ESC/I knows of a scan. Private to esci-session.c and esci-reply.c. */
#ifndef PLATEN_DEVICE_ESCI_INSIDE_H
#define PLATEN_DEVICE_ESCI_INSIDE_H

#include "device/esci-session.h"
#include "device/scan-inside.h"
#include "wire/esci.h"

enum { ESCI_GAMMA_TABLES = 3 };

typedef struct EsciOwn {
    unsigned take_tries;
    EsciIdentity id;
    bool has_feeder, has_glass;
    ScanUsed used;        /* of the order, by the unit */
    bool chosen;          /* unit and parameters stand */
    unsigned gamma_table; /* being sent */
    bool gamma_own;       /* tables were taken by the device */
    EsciParameters parameters;

    EsciBlocks blocks;   /* of the page that comes */
    uint32_t block;      /* its index */
    uint32_t block_left; /* bytes of it that are due, the status byte included */
    uint8_t block_status;
    bool ask;     /* why the device failed has to be asked          */
    bool refused; /* it said NAK instead of a block                  */
} EsciOwn;

typedef enum EsciAwait {
    ESCI_AWAIT_BYTE = SCAN_AWAIT_OWN_, /* one byte           */
    ESCI_AWAIT_IDENTITY,               /* ESCI_IDENTITY_SIZE */
    ESCI_AWAIT_STATUS,                 /* ESCI_STATUS_SIZE   */
    ESCI_AWAIT_BLOCKS,                 /* ESCI_BLOCKS_SIZE   */
} EsciAwait;

extern const ScanStep esci_steps[ESCI_STATE_MAX_];

/* A piece of a block is here: all but the last byte of the block is handed on. part must live until the actions are taken. */
void esci_picture(ScanSession *s, Bytes part);

/* What the answer to the command of the state means. */
ScanEvent esci_answer(ScanSession *s, Mono now);

/* How many bytes the block with the index s->esci->block has, its status byte included. */
uint32_t esci_block_size(const ScanSession *s);

#endif
