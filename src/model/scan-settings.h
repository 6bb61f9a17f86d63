/* model/scan-settings.h - how pages are to be made: what a job says of scanning, without its names and
 * destinations. Plain values; 0 of everything but source, color, dpi and jpeg_quality is "leave it to the
 * device". The settings table of Job (job.c) says what each means to people. */
#ifndef PLATEN_MODEL_SCAN_SETTINGS_H
#define PLATEN_MODEL_SCAN_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

typedef enum ScanSource { SCAN_SOURCE_AUTO, SCAN_SOURCE_ADF, SCAN_SOURCE_FLATBED } ScanSource;
typedef enum ScanColor {
    SCAN_COLOR_COLOR,
    SCAN_COLOR_GRAY,
    SCAN_COLOR_BW,
    SCAN_COLOR_MAX_
} ScanColor;
typedef enum ScanSides { SCAN_SIDES_ONE, SCAN_SIDES_TWO } ScanSides;
typedef enum ScanPaper {
    SCAN_PAPER_AUTO, /* the whole area of the source */
    SCAN_PAPER_A3,
    SCAN_PAPER_A4,
    SCAN_PAPER_A5,
    SCAN_PAPER_A6,
    SCAN_PAPER_B4,
    SCAN_PAPER_B5,
    SCAN_PAPER_LETTER,
    SCAN_PAPER_LEGAL,
    SCAN_PAPER_LEDGER,
    SCAN_PAPER_CARD,
    SCAN_PAPER_CUSTOM, /* paper_width_mm x paper_height_mm */
    SCAN_PAPER_MAX_
} ScanPaper;
typedef enum ScanDoubleFeed {
    SCAN_DOUBLE_FEED_AUTO, /* as two-sided scanning of some feeders needs it */
    SCAN_DOUBLE_FEED_OFF,
    SCAN_DOUBLE_FEED_STANDARD,
    SCAN_DOUBLE_FEED_THIN,
    SCAN_DOUBLE_FEED_MAX_
} ScanDoubleFeed;
typedef enum ScanDropOut {
    SCAN_DROP_OUT_NONE,
    SCAN_DROP_OUT_RED,
    SCAN_DROP_OUT_GREEN,
    SCAN_DROP_OUT_BLUE,
    SCAN_DROP_OUT_MAX_
} ScanDropOut;
typedef enum ScanEdge { SCAN_EDGE_OFF, SCAN_EDGE_WHITE, SCAN_EDGE_BLACK, SCAN_EDGE_MAX_ } ScanEdge;

/* Words in JSON; each list ends with NULL. */
extern const char *const scan_color_words[],
    *const scan_paper_words[], *const scan_double_feed_words[], *const scan_drop_out_words[],
                                                                    *const scan_edge_words[];

enum { SCAN_THRESHOLD_PRESET = 110 };

typedef struct ScanSettings {
    ScanSource source; /* AUTO: the feeder when it holds paper, else the flatbed */
    ScanColor color;
    uint32_t dpi;
    uint32_t jpeg_quality; /* 1..100 */
    ScanSides sides;       /* TWO: of every sheet in the feeder, where the device can */
    uint32_t threshold;    /* 0..255, of black and white                              */
    ScanPaper paper;
    uint32_t paper_width_mm, paper_height_mm;
    bool crop;              /* cut the page to the paper that was found               */
    int32_t crop_margin_mm; /* more (or, below 0, less) than the paper on each side   */
    bool deskew;
    ScanDoubleFeed double_feed;
    int32_t brightness, contrast; /* -100..100                                        */
    int32_t gamma;                /* -100..100: a gamma of 2.2 ^ (gamma / 100)        */
    ScanDropOut drop_out;
    ScanEdge edge_fill;
    uint32_t edge_left_mm, edge_right_mm, edge_top_mm, edge_bottom_mm;
    bool quiet, slow_feed;
    uint32_t page_limit;    /* pages after which the scan ends, 0 = none                 */
    uint32_t more_sheets_s; /* how long an empty feeder is waited for, 0: the scan ends */
    bool strict;            /* what cannot be had as it is said ends the scan            */
} ScanSettings;

#endif
