/* mfp/model.h - what the virtual device says about itself: INFO, CAPA and RESA of real models, one row each.
 *
 * The texts are written out as real devices send them, not made by the encoders that the server's decoders came
 * with; what a client may ask for is read from the same texts. Pure. */
#ifndef PLATEN_MFP_MODEL_H
#define PLATEN_MFP_MODEL_H

#include "base/bytes.h"

enum { MODEL_BLOCK_MAX = 1024, MODEL_PRODUCT_SIZE = 17 /* #PRD has 16 characters */ };

typedef enum MfpDuplex {
    MFP_SIMPLEX,
    MFP_DUPLEX_SEQUENTIAL, /* two sensors; front, then back                                        */
    MFP_DUPLEX_INTERLEAVED, /* two sensors; blocks of both sides by turns                           */
    MFP_DUPLEX_DOUBLE_PASS, /* the sheet is turned over: backs come upside down                     */
    MFP_DUPLEX_MAX_
} MfpDuplex;

typedef enum MfpFormats {
    MFP_RAW_AND_JPEG,
    MFP_JPEG_ONLY,
    MFP_RAW_ONLY,
    MFP_FORMATS_MAX_
} MfpFormats;

typedef struct MfpModel {
    const char *name; /* of --model                                                              */
    const char
        *product;      /* #PRD, and the scope of announcements                                    */
    const char *scope; /* the product id of announcements, when #PRD is another text; else NULL   */
    uint8_t flags;     /* byte 4 of every packet                                                  */
    bool pads_product; /* with blanks to 16 characters                                            */
    bool is_v3;      /* version 3: SLP with Ver and Group, job control                           */
    bool has_serial; /* #S/N                                                                    */
    const char *front; /* INFO before #PRD                                                        */
    const char *back;  /* INFO between #PRD and #S/N                                              */
    const char *tail;  /* INFO behind #S/N                                                        */
    const char
        *short_tail; /* INFO of maintenance mode behind #DSZ                                 */
    const char *capa;
    const char
        *counters; /* CAPA of maintenance mode                                               */
} MfpModel;

/* By name, letters in either case; NULL when there is none. */
const MfpModel *model_find(const char *name);

/* Row i; NULL behind the last. */
const MfpModel *model_at(size_t i);

/* What a device without --model is made of. */
typedef struct ModelKind {
    const MfpModel
        *model; /* NULL: the rest says what it has                                        */
    bool glass;
    MfpDuplex duplex;
    MfpFormats formats;
    bool last_first; /* the feeder delivers the last sheet first */
} ModelKind;

/* Append the blocks of control and inquiry mode. product and serial: as the operator wants them. */
bool model_put_info(const ModelKind *kind, const char *product, const char *serial, Buf *to);
bool model_put_capa(const ModelKind *kind, Buf *to);

/* The same of maintenance mode. */
bool model_put_short_info(const ModelKind *kind, const char *product, Buf *to);
bool model_put_counters(const ModelKind *kind, Buf *to);

bool model_has_feeder(const ModelKind *kind);
bool model_has_glass(const ModelKind *kind);
bool model_has_duplex(const ModelKind *kind);
bool model_turns_backs(const ModelKind *kind);   /* 2SCN */
bool model_is_last_first(const ModelKind *kind); /* PFN1 */

/* Whether CAPA lists a word of four characters under a key: model_offers(kind, "#FMT", "RAW "). For a key without
 * LIST, like "#ADF" and an option word, whether it has the pair. */
bool model_offers(const ModelKind *kind, const char *key, const char *word);

/* The numbers of a range under a key: model_range(kind, "#CRP", &min, &max). False: CAPA has none. */
bool model_range(const ModelKind *kind, const char *key, int32_t *ret_min, int32_t *ret_max);

/* How sheets lie in the source: 'L', 'C' or 'R'. */
char model_alignment(const ModelKind *kind, bool feeder);

enum { MODEL_TABLE_HUNDREDTHS = 850 }; /* width of #AREA in 1/100 inch: all known models */

#endif
