/* destination/printer-options.h - what a job says about printing, as attributes that a printer has. */
#ifndef PLATEN_DESTINATION_PRINTER_OPTIONS_H
#define PLATEN_DESTINATION_PRINTER_OPTIONS_H

#include "destination/ipp.h"

enum { MEDIA_SIZE = 64, PRINTER_CHANGES_SIZE = 120 };

/* A job's options for a printer. Index 0 of each choice leaves it to the printer. */
typedef struct PrinterOptions {
    int64_t copies, sides, color, quality, scaling;
    char media[MEDIA_SIZE]; /* "" leaves it to the printer */
    bool exact;             /* refuse what the printer does not list, instead of the nearest */
} PrinterOptions;

extern const Field printer_option_fields[];

/* Adds to a request what the job wants and the printer lists. printer: its attributes. What became
 * something else or was left out is told in ret_changes, "" = nothing. False with the result filled (CONFIG)
 * when the job is exact and something is not listed. */
bool printer_options_add(const IppPeer *peer, const PrinterOptions *options, ipp_t *printer,
                         ipp_t *request, char ret_changes[PRINTER_CHANGES_SIZE]);

/* The attributes that this needs of a printer; ends with NULL. */
extern const char *const printer_option_attributes[];

#endif
