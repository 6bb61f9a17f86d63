/* wire/esci2-para.h - the parameter block of a scan (PARA of ESC/I-2), both directions.
 *
 * The order of tokens is free on the wire. Only what is set is written; see the comments for the
 * value that means "not set". Colour matrices are skipped when reading, never written: a client
 * that sends none gets the device's own. #CRP, #FLC, #FLA have the forms of a free driver, #BRT and
 * #CTR are a guess after those of #THR; the others are captured. */
#ifndef PLATEN_WIRE_ESCI2_PARA_H
#define PLATEN_WIRE_ESCI2_PARA_H

#include "wire/esci2-info.h"

enum { ESCI2_TABLES_MAX = 4, ESCI2_TABLE_SIZE = 256, ESCI2_FILL_SIDES = 4 };

/* #GMT: what becomes of each of the 256 values of a channel. */
typedef struct Esci2Table {
    char channel[ESCI2_WORD_SIZE]; /* "RED", "GRN", "BLU", "MONO" */
    uint8_t value[ESCI2_TABLE_SIZE];
} Esci2Table;

/* Of numbers that may be negative: not set. */
#define ESCI2_UNSET INT32_MIN

enum { ESCI2_PARA_MAX = 4096 }; /* bytes of a block that a device takes from us or from others */

typedef struct Esci2Para {
    char source[ESCI2_WORD_SIZE];        /* "ADF" or "FB"; "": not set                          */
    Esci2Words options;                  /* words behind the source: DPLX, SKEW ...             */
    int32_t dpi_main, dpi_sub;           /* #RSM #RSS; 0: not set                               */
    char color[ESCI2_WORD_SIZE];         /* #COL: "C024", "M008", "M001"                        */
    char format[ESCI2_WORD_SIZE];        /* #FMT: "RAW", "JPG"                                  */
    int32_t jpeg_quality;                /* #JPG: 1..100; 0: not set                            */
    char gamma[ESCI2_WORD_SIZE];         /* #GMM: "UG10", "UG18"                                */
    char quiet[ESCI2_WORD_SIZE];         /* #QIT                                                */
    char color_counter[ESCI2_WORD_SIZE]; /* #CCT                                         */
    char card[ESCI2_WORD_SIZE];          /* #LAM                                         */
    int32_t threshold;                   /* #THR: 0..255; -1: not set                           */
    int32_t pages;                       /* #PAG: 0 = until the feeder is empty; -1: not set    */
    bool has_area;                       /* #ACQ, in pixels at the dpi above                    */
    int32_t x_px, y_px, width_px, height_px;
    size_t table_count;
    Esci2Table tables[ESCI2_TABLES_MAX]; /* #GMT, one key each                                 */
    int32_t crop_margin;                 /* #CRP: 1/100 inch; ESCI2_UNSET                      */
    int32_t brightness, contrast;        /* #BRT, #CTR; ESCI2_UNSET                            */
    char fill_color[ESCI2_WORD_SIZE];    /* #FLC: "WH", "BK"                                   */
    bool has_fill;
    int32_t fill[ESCI2_FILL_SIDES]; /* #FLA: left, right, top, bottom in 1/100 inch       */
    int32_t block_bytes; /* #BSZ: largest image block the client takes; 0: not set       */
} Esci2Para;

/* Nothing set. */
#define ESCI2_PARA_NOTHING                    \
    ((Esci2Para){ .threshold = -1,            \
                  .pages = -1,                \
                  .crop_margin = ESCI2_UNSET, \
                  .brightness = ESCI2_UNSET,  \
                  .contrast = ESCI2_UNSET })

/* Reads a whole block over *para: what the block does not name keeps its old value, as in a device.
 * WIRE_BROKEN leaves *para as it was. Bounds are not checked: that is the device's business. */
WireResult esci2_para_decode(Bytes block, Esci2Para *para);

/* Appends the block; false when a number does not fit its token, or the Buf is full. */
bool esci2_para_encode(Buf *to, const Esci2Para *para);

#endif
