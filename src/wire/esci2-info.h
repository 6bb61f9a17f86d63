/* wire/esci2-info.h - what a device tells about itself: the INFO, CAPA and STAT blocks of ESC/I-2.
 *
 * Decoders take a whole block, skip what they do not know, and answer WIRE_OK or WIRE_BROKEN (the
 * token grammar is broken, or a known token has values of another type). Encoders write what the
 * virtual device offers, in the order real devices use. Lengths are 1/100 inch. */
#ifndef PLATEN_WIRE_ESCI2_INFO_H
#define PLATEN_WIRE_ESCI2_INFO_H

#include "wire/esci2.h"

enum {
    ESCI2_TEXT_SIZE = 64, /* product, version, serial number with their NUL */
    ESCI2_NUMBERS_MAX = 32,
    ESCI2_WORDS_MAX = 24,
    ESCI2_ERRORS_MAX = 8, /* also of warnings */
};

/* Where paper narrower than the area lies. */
typedef enum Esci2Align { ESCI2_ALIGN_LEFT, ESCI2_ALIGN_CENTRE, ESCI2_ALIGN_RIGHT } Esci2Align;

/* A feeder or a glass, from INFO. */
typedef struct Esci2Source {
    bool present;
    bool page_type;  /* ADF TYPE PAGE (a tray) instead of FEED                         */
    bool duplex;     /* ADF DPLX                                                       */
    bool two_pass;   /* ADF DPLX 2SCN: backs arrive upside down                        */
    bool last_first; /* ADF FORD PFN1: the last sheet comes first                      */
    bool prefeed;    /* ADF PREF                                                       */
    Esci2Align align;
    uint32_t width, height;         /* AREA                        */
    uint32_t min_width, min_height; /* AMIN; 0 = not said          */
    uint32_t max_width, max_height; /* AMAX; 0 = not said          */
    uint32_t optical_dpi;           /* RESO; 0 = not said          */
} Esci2Source;

typedef struct Esci2Info {
    Esci2Source adf, flatbed;
    uint32_t image_width_max_px, image_height_max_px; /* #IMX; 0 = not said               */
    uint32_t parameter_block_max;                     /* #DSZ; 0 = not said               */
    bool authentication;                              /* #ATH                             */
    char product[ESCI2_TEXT_SIZE]; /* #PRD without its padding: "PID 1147", "FF-680W"     */
    char version[ESCI2_TEXT_SIZE]; /* first #VER: "FB  2.00"                              */
    char serial[ESCI2_TEXT_SIZE];  /* #S/N; "" when not said                              */
} Esci2Info;

/* "LIST a b c" or "RANG min max". */
typedef struct Esci2Numbers {
    bool range; /* value[0] is the minimum, value[1] the maximum */
    size_t count;
    int32_t value[ESCI2_NUMBERS_MAX];
} Esci2Numbers;

typedef struct Esci2Words {
    size_t count;
    char word[ESCI2_WORDS_MAX][ESCI2_WORD_SIZE];
} Esci2Words;

/* What may be put into PARA. Empty lists: not offered. More than the maximum: the rest is cut. */
typedef struct Esci2Capa {
    Esci2Words adf, flatbed;               /* option words: DPLX, SKEW, DFL1 ...        */
    Esci2Numbers adf_dpi, flatbed_dpi;     /* RSMS of each source                       */
    Esci2Numbers dpi_main, dpi_sub;        /* #RSM, #RSS                                */
    Esci2Numbers jpeg_quality, threshold;  /* #JPG, #THR                                */
    Esci2Words colors, formats;            /* #COL, #FMT                                */
    Esci2Words gamma, gamma_tables;        /* #GMM, #GMT                                */
    Esci2Words matrices;                   /* #CMX                                      */
    Esci2Words quiet, color_counter, card; /* #QIT, #CCT, #LAM                          */
    Esci2Numbers crop_margin;              /* #CRP: 1/100 inch                          */
    Esci2Words fill_colors;                /* #FLC: WH, BK                              */
    Esci2Numbers fill_widths;              /* #FLA: 1/100 inch                          */
    Esci2Numbers brightness, contrast;     /* #BRT, #CTR                                */
} Esci2Capa;

/* Without errors the block is empty (length 0 in the reply). */
typedef struct Esci2Stat {
    size_t error_count;
    Esci2Error errors[ESCI2_ERRORS_MAX]; /* #ERR */
    size_t warning_count;
    Esci2Error warnings[ESCI2_ERRORS_MAX]; /* #WRN: part and "CLN" ...   */
    char glass[ESCI2_WORD_SIZE];           /* #GLS: "DIRT"; "" not said  */
    char battery[ESCI2_WORD_SIZE];         /* #BAT: "LOW"; "" not said   */
} Esci2Stat;

/* The INFO block of FS Y or FS Z. */
WireResult esci2_info_decode(Bytes block, Esci2Info *ret_info);
/* The CAPA block; a device without one for its mode sends length 0, which is no block. */
WireResult esci2_capa_decode(Bytes block, Esci2Capa *ret_capa);
/* The STAT block; empty when nothing is wrong. */
WireResult esci2_stat_decode(Bytes block, Esci2Stat *ret_stat);

/* Append the block; false when a number or text does not fit its token, or the Buf is full. */
bool esci2_info_encode(Buf *to, const Esci2Info *info);
/* The same for CAPA: empty lists are left out. */
bool esci2_capa_encode(Buf *to, const Esci2Capa *capa);
/* The same for STAT: one #ERR per error. */
bool esci2_stat_encode(Buf *to, const Esci2Stat *stat);

bool esci2_words_have(const Esci2Words *words, const char *word);
/* Appends one word; false when the list is full. */
bool esci2_words_add(Esci2Words *words, const char *word);

/* True when a LIST holds the number or a RANG spans it. */
bool esci2_numbers_have(const Esci2Numbers *numbers, int32_t number);

/* True when STAT reports this cause for this part: esci2_stat_has(&stat, "ADF", "PE"). */
bool esci2_stat_has(const Esci2Stat *stat, const char *part, const char *cause);

#endif
