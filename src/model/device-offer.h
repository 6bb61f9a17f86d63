/* model/device-offer.h - what a device can do, as facts that every protocol can tell; and what becomes of
 * the wishes of a job there.
 *
 * There is one set of rules (scan_settings_resolve): the device link asks it when a scan begins, the API
 * when a job is edited. Pure values. Lengths are 1/100 inch, as devices tell them. */
#ifndef PLATEN_MODEL_DEVICE_OFFER_H
#define PLATEN_MODEL_DEVICE_OFFER_H

#include "model/job.h"

enum { OFFER_DPI_MAX = 32, SCAN_NOTES_MAX = 24 };

/* A number that may be asked for. min > max: not offered at all. */
typedef struct OfferRange {
    int32_t min, max;
} OfferRange;

/* The feeder or the glass. */
typedef struct OfferSource {
    bool present, two_sided;
    uint32_t width, height;         /* the largest original; 0 = not said                  */
    uint32_t min_width, min_height; /* the smallest; 0 = not said                          */
    bool dpi_range;                 /* dpi[0] is the minimum, dpi[1] the maximum           */
    uint32_t dpi_count;             /* 0 = not said: any is tried                          */
    int32_t dpi[OFFER_DPI_MAX];
    bool crop, deskew, slow;
    bool double_feed[SCAN_DOUBLE_FEED_MAX_];
} OfferSource;

typedef struct DeviceOffer {
    OfferSource adf, flatbed;
    bool jpeg, raw;
    bool color[SCAN_COLOR_MAX_];
    bool drop_out_gray[SCAN_DROP_OUT_MAX_], drop_out_bw[SCAN_DROP_OUT_MAX_];
    OfferRange jpeg_quality, threshold;
    OfferRange crop_margin;
    bool tables;              /* the tone of each channel can be set: brightness, contrast, gamma */
    bool brightness_contrast; /* brightness and contrast can be, by themselves                   */
    bool edge_white, edge_black;
    bool quiet;
} DeviceOffer;

typedef enum ScanUnit { SCAN_UNIT_ADF, SCAN_UNIT_FLATBED } ScanUnit;

/* One wish that is not fulfilled as it was said, or something that the device warns of. */
typedef struct ScanNote {
    char setting[24]; /* the field of the job: "dpi"; "": a warning */
    char text[128];   /* "600 dpi asked, 300 used."                 */
    char warning[24]; /* a stable word: "glass-dirty"; "": a wish   */
    char remedy[80];  /* of a warning: what to do, "" = nothing     */
    uint32_t page;    /* of a warning: the page it is about; 0: none                */
    bool
        passing; /* of a warning: it was said while a picture came, so that it is over with the scan, while what a
                       * status says stands until another does not say it. Not stored */
} ScanNote;

typedef struct ScanNotes {
    size_t count;
    ScanNote note[SCAN_NOTES_MAX];
} ScanNotes;

/* Adds one; more than SCAN_NOTES_MAX are left out. */
void scan_note(ScanNotes *notes, const char *setting, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Adds a note that is not in the list yet; false when it is, or the list is full. */
bool scan_note_once(ScanNotes *notes, const ScanNote *note);

/* The notes as one sentence without its full stop, whole notes only: of more than size takes, how many more there
 * are. False when some are left out. size is more than a note's text and 40 bytes. */
bool scan_notes_say(const ScanNotes *notes, char *ret_text, size_t size);

/* What of wanted can be had from the unit: *ret_used has the nearest of everything, with a note for each
 * difference that a person would see, in words that are true when the scan is refused for it (strict). Width and
 * height of the paper come out in 1/100 inch, 0 = the whole area. Settings of a feeder mean nothing at the glass and
 * are passed over there. */
typedef struct ScanUsed {
    ScanSettings settings;
    uint32_t width, height;
} ScanUsed;
void scan_settings_resolve(const DeviceOffer *offer, ScanUnit unit, const ScanSettings *wanted,
                           ScanUsed *ret_used, ScanNotes *notes);

/* The unit that a job would use of this device: the one it names, else the feeder. False when the device
 * has no such unit. */
bool device_offer_unit(const DeviceOffer *offer, ScanSource source, ScanUnit *ret_unit);

/* The sizes of paper in 1/100 inch; false for "auto" and "custom". */
bool scan_paper_size(ScanPaper paper, uint32_t *ret_width, uint32_t *ret_height);

#endif
