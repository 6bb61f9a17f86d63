/* mfp/options.h - the command line of platen-mfp, read into one struct from one table.
 *
 * Reading prints nothing and opens nothing: main prints the help or the error. */
#ifndef PLATEN_MFP_OPTIONS_H
#define PLATEN_MFP_OPTIONS_H

#include "base/bytes.h"
#include "mfp/drip.h"
#include "mfp/scanner.h"
#include "net/address.h"
#include "wire/slp.h"

enum { OPTIONS_PATH_SIZE = 1024, OPTIONS_HOST_SIZE = 256, OPTIONS_CHOICE_SIZE = 3 };

typedef struct Options {
    bool help, version;
    NetAddress address; /* what the device binds to and comes from; port 0                */
    uint16_t scan_port; /* 0: a free one                                                  */
    uint16_t enpc_port; /* UDP: where it is found; 0: nowhere                             */
    char pages[OPTIONS_PATH_SIZE];
    size_t sheets; /* in the feeder at the start; 0: as many as there are pictures   */
    MfpSource source;
    ModelKind kind; /* of device; kind.glass is set when there is one              */
    MfpDuplex duplex;
    bool legacy;           /* ESC/I instead of ESC/I-2                                */
    uint32_t dpi;          /* of pictures that do not say theirs; 0: that of the scan */
    uint32_t line_padding; /* bytes behind each raw line                              */
    Fault fault;           /* armed at the start                                      */
    bool says_events;
    uint32_t pages_a_minute; /* 0: as fast as the client asks */
    bool stamps;             /* JPEG pages carry serial number and page number           */
    DripRule drip;
    uint32_t count; /* devices, on addresses counted up                               */
    char server_host[OPTIONS_HOST_SIZE]; /* "": ask the multicast group            */
    uint16_t server_port;
    char destination_name[SLP_NAME_SIZE]; /* on the panel without registration; "": none */
    NetAddress destination;               /* where Start goes for it                     */
    unsigned registration;                /* version, 2 or 3 */
    char press_name[SLP_NAME_SIZE];       /* "": nobody presses Start by itself          */
    char press_choice[OPTIONS_CHOICE_SIZE];
    bool press_has_choice; /* it was given */
    bool panel;
    uint16_t panel_port;
    char product[SCANNER_PRODUCT_SIZE];
    char serial[SCANNER_SERIAL_SIZE];
    uint32_t exit_after; /* scans; 0: serve until a signal       */
    int64_t announce_ms;
    bool button; /* it has no panel: one host, by SNMP       */
    uint16_t snmp_port;
    char paired[SLP_NAME_SIZE]; /* its host at the start, "" = none */
    bool tls;                   /* the scan port speaks TLS only */
    char tls_identity
        [OPTIONS_PATH_SIZE]; /* PEM file of key and certificate; "": new at each start */
} Options;

/* Reads the arguments (argv[0] is left out) over the defaults. ERR_BAD_INPUT says which option and
 * what was expected; err->remedy points to --help. With --help or --version the rest may be missing. */
bool options_read(int argc, char *const argv[], Options *ret_options, Err *err);

/* Appends the help text, one screen. */
void options_help(Buf *to);

/* A panel choice: sides 0 or 1, then action 1, 2 or 4. */
bool options_choice_is_valid(const char *choice);

#endif
