/* mfp/scanner-image.h - the data state of mfp/scanner.h: TRDT, IMG, sides, faults. For scanner.c only. */
#ifndef PLATEN_MFP_SCANNER_IMAGE_H
#define PLATEN_MFP_SCANNER_IMAGE_H

#include "mfp/scanner.h"

typedef void CommandFn(Scanner *scanner, Bytes parameters, ScannerOutput *output);

CommandFn scanner_do_trdt, scanner_do_img;

/* Ends the running scan, if one runs, with a note. */
void scanner_end(Scanner *scanner, ScanOutcome outcome);

/* Queues a note with the pages sent so far; beyond SCANNER_NOTES_MAX it is lost. */
void scanner_note(Scanner *scanner, ScanNote what);

/* No sheet is left, or the fault "empty" says so. */
bool scanner_feeder_is_empty(const Scanner *scanner);

/* How long so many pages of the running scan still need until they are through the feeder; 0: they are. */
int64_t scanner_feeds_ms(const Scanner *scanner, uint32_t pages);

/* "ADF " or "FB  ": the part that errors name, by the source of the parameters, else the one with paper. Static. */
const char *scanner_part(const Scanner *scanner);

#endif
