/* mfp/esci-scanner.h - the ESC/I interpreter of the virtual device (--legacy): commands in, replies out.
 *
 * Stands beside mfp/scanner.h for a device that greets with family 02, and uses of its Scanner what belongs to
 * both: notes, faults, cancelling. Raw lines only, in blocks of whole lines, drawn as they are fetched; what it
 * says of itself is what a WF-3620 says, with the operator's sources and product. Its only caller is
 * mfp/session.c. Unknown commands and parameters it does not take are answered by NAK. */
#ifndef PLATEN_MFP_ESCI_SCANNER_H
#define PLATEN_MFP_ESCI_SCANNER_H

#include "mfp/scanner.h"
#include "wire/esci.h"

enum { ESCI_SCANNER_BLOCK_MAX = 256 * 1024 }; /* but one line at least */

typedef struct EsciScanner {
    Scanner *scanner; /* borrowed: unit and notes                                        */
    char awaits;      /* letter of the command whose parameters are due; 0: none         */
    uint8_t source;   /* EsciSource                                                      */
    bool has_parameters;
    EsciParameters parameters;
    Tone tone;          /* of the tables that were sent (ESC z)                            */
    bool running;       /* a scan, between NOTE_BEGIN and NOTE_END                         */
    Sheet sheet;        /* the one inside                                                  */
    size_t sides, side; /* how many it has, and how many of them were drawn                */
    Page *page;         /* being fetched; NULL: none. Owned                                */
    EsciBlocks blocks;
    uint32_t block; /* index of the next one                                           */
    Buf data;       /* the block that is being fetched, and its status                 */
} EsciScanner;

/* scanner is borrowed. */
void esci_scanner_init(EsciScanner *esci, Scanner *scanner);
void esci_scanner_done(EsciScanner *esci);

/* One command, or the parameters that are due. Always answers. */
void esci_scanner_command(EsciScanner *esci, Bytes command, ScannerOutput *output);

/* The client unlocked (orderly) or is gone: a running scan ends. */
void esci_scanner_leave(EsciScanner *esci, bool orderly);

#endif
