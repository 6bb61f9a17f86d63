/* wire/esci2.h - requests and reply headers of ESC/I-2, carried by IS passthru packets.
 *
 * A request is 12 bytes: a code of four characters and "x" with seven hex digits, the length of the
 * parameter block that follows in a passthru of its own. Each answer begins with 64 bytes: code,
 * length of the data block (to be fetched by one pure read of exactly that length) and 52 bytes of
 * inline tokens filled up with "#---". The tokens of blocks: wire/esci2-token.h; INFO, CAPA and
 * STAT: wire/esci2-info.h; PARA: wire/esci2-para.h. Used by the scan session and by the virtual
 * device. */
#ifndef PLATEN_WIRE_ESCI2_H
#define PLATEN_WIRE_ESCI2_H

#include "base/bytes.h"
#include "wire/wire.h"

enum {
    ESCI2_REQUEST_SIZE = 12,
    ESCI2_REPLY_SIZE = 64,
    ESCI2_WORD_SIZE = 5,             /* four characters and a NUL                             */
    ESCI2_BLOCK_MAX = 64 * 1024,     /* INFO, CAPA, STAT ... from a device; real ones < 1 KiB */
    ESCI2_IMAGE_BLOCK_MAX = 1 << 20, /* what we announce as #BSZ                              */
    ESCI2_LENGTH_MAX = 0xfffffff,    /* seven hex digits                                      */
};

/* Mode commands, two bytes in a passthru with wanted length 1; the answer is IS_ACK or IS_NAK. */
#define ESCI2_MODE_CONTROL     "\x1c\x58" /* FS X: scanning            */
#define ESCI2_MODE_INQUIRY     "\x1c\x59" /* FS Y: INFO, CAPA, STAT    */
#define ESCI2_MODE_MAINTENANCE "\x1c\x5a" /* FS Z: counters            */

typedef struct Esci2Request {
    char code[ESCI2_WORD_SIZE]; /* "INFO", "IMG " ...                      */
    uint32_t length;            /* bytes of the parameter block to follow  */
} Esci2Request;

/* A device part and what is wrong with it: "ADF " "PJ  ". */
typedef struct Esci2Error {
    char part[ESCI2_WORD_SIZE];
    char cause[ESCI2_WORD_SIZE];
} Esci2Error;

/* A reply header with its inline tokens. Words that were not sent are "". */
typedef struct Esci2Reply {
    char code[ESCI2_WORD_SIZE];        /* as the request, or "UNKN", "INVD"                      */
    uint32_t length;                   /* bytes of the data block                                */
    Esci2Error error;                  /* #err                                                   */
    char not_ready[ESCI2_WORD_SIZE];   /* #nrd: "BUSY" "WUP " "RSVD" "AFEN"; NONE reads as "" */
    char attention[ESCI2_WORD_SIZE];   /* #atn: "CAN "; NONE reads as ""                     */
    char parameters[ESCI2_WORD_SIZE];  /* #par: "OK  " "FAIL" "LOST"                         */
    char side[ESCI2_WORD_SIZE];        /* #typ: "IMGA" front, "IMGB" back                    */
    char document[ESCI2_WORD_SIZE];    /* #doc: "CRST" carrier sheet, "BLNK" blank, "MONO"       */
    char double_feed[ESCI2_WORD_SIZE]; /* #dfi: "DFED" two sheets, but the page goes on         */
    bool suspended;                    /* #sus: the feeder pauses                                */
    bool page_start;                   /* #pst came, with the next three                     */
    uint32_t start_width_px, start_padding_bytes, start_height_px;
    bool page_end; /* #pen came, with the next two: the real size                         */
    uint32_t end_width_px, end_height_px;
    bool has_left; /* #lft came                                                           */
    uint32_t left; /* images left; 0 ends the job                                         */
} Esci2Reply;

/* Exactly ESCI2_REQUEST_SIZE bytes; hex in either case. WIRE_OK or WIRE_BROKEN. */
WireResult esci2_request_decode(Bytes in, Esci2Request *ret_request);
bool esci2_request_encode(Buf *to, const char *code, uint32_t length);

/* Exactly ESCI2_REPLY_SIZE bytes. Unknown inline tokens are skipped. WIRE_OK or WIRE_BROKEN. */
WireResult esci2_reply_decode(Bytes in, Esci2Reply *ret_reply);

/* Appends ESCI2_REPLY_SIZE bytes; #pst, #pen, #lft and #typ come in the order seen from devices.
 * False when the tokens do not fit. */
bool esci2_reply_encode(Buf *to, const Esci2Reply *reply);

/* True when word is text, both without the blanks at their ends: esci2_word_is("PE  ", "PE"). */
bool esci2_word_is(const char word[ESCI2_WORD_SIZE], const char *text);

#endif
