/* wire/esci.h - ESC/I, the older language of Epson scanners, carried by IS passthru packets.
 *
 * Devices whose welcome has family 02. A command is one or two bytes; its parameters, if it has any, follow in a
 * passthru of their own; most are answered by one byte. All numbers are little-endian.
 *
 *   ESC @ initialise           06          FS I identity           80 bytes
 *   ESC ( take the scanner     80, 40, 15  FS F status             16 bytes
 *   ESC ) release it           80          FS W parameters         06, then 64 bytes, 06
 *   ESC e source               06, 1, 06   FS G start              14 bytes
 *   ESC z gamma table          06, 257, 06     then blocks: data and one status byte, fetched by a pure
 *   0c    eject, load the next 06              read (the first) and by 06 (each further one); 18 ends them
 *
 * Known from a captured session of a WF-3620 and from SANE's epson2. Used by the server's session for such
 * devices and by the virtual device. */
#ifndef PLATEN_WIRE_ESCI_H
#define PLATEN_WIRE_ESCI_H

#include "base/bytes.h"
#include "wire/wire.h"

#define ESCI_INITIALIZE      "\x1b\x40"
#define ESCI_STATUS_SHORT    "\x1b\x46"
#define ESCI_STATUS_EXTENDED "\x1b\x66"
#define ESCI_SOURCE          "\x1b\x65"
#define ESCI_TAKE            "\x1b\x28"
#define ESCI_RELEASE         "\x1b\x29"
#define ESCI_GAMMA           "\x1b\x7a"
#define ESCI_MATRIX          "\x1b\x6d"
#define ESCI_IDENTITY        "\x1c\x49"
#define ESCI_STATUS          "\x1c\x46"
#define ESCI_SET_PARAMETERS  "\x1c\x57"
#define ESCI_GET_PARAMETERS  "\x1c\x53"
#define ESCI_START           "\x1c\x47"
#define ESCI_NEXT_BLOCK      "\x06"
#define ESCI_CANCEL          "\x18"
#define ESCI_EJECT           "\x0c"

enum {
    ESCI_STX = 0x02,    /* begins the answers to FS G, ESC F, ESC f    */
    ESCI_TAKEN = 0x80,  /* answer to ESC ( and ESC )                   */
    ESCI_IN_USE = 0x40, /* the same: somebody at its panel or elsewhere */
    ESCI_IDENTITY_SIZE = 80,
    ESCI_STATUS_SIZE = 16,
    ESCI_PARAMETERS_SIZE = 64,
    ESCI_BLOCKS_SIZE = 14,
    ESCI_GAMMA_SIZE = 257, /* 'R', 'G', 'B' or 'M', and the table         */
    ESCI_MATRIX_SIZE = 9,
    ESCI_STATUS_SHORT_SIZE = 4,
    ESCI_STATUS_EXTENDED_SIZE = 42, /* behind the four bytes of the short one */
    ESCI_PRODUCT_SIZE = 17,
    ESCI_FIRMWARE_SIZE = 5,
};

/* Answer to FS I. Sizes in pixels at basic_dpi; 0 x 0: the device has no such source. */
typedef struct EsciIdentity {
    char level[3]; /* "D7" */
    uint32_t basic_dpi, min_dpi, max_dpi, line_max_px;
    uint32_t flatbed_width, flatbed_height, adf_width, adf_height, tpu_width, tpu_height;
    uint8_t capabilities, capabilities_2; /* bits below */
    char product[ESCI_PRODUCT_SIZE];      /* "PID 08C8", blanks at the end cut; printable ASCII */
    char firmware[ESCI_FIRMWARE_SIZE];    /* "1.20" */
    uint8_t input_bits, output_bits;
} EsciIdentity;

enum {
    ESCI_CAN_NO_FLATBED = 0x40,
    ESCI_CAN_PAGES = 0x20, /* the feeder is one for pages */
    ESCI_CAN_DUPLEX = 0x10,
    ESCI_CAN_FIRST_FIRST = 0x08, /* it loads the first sheet first */
    ESCI_CAN_2_ADF_AUTO = 0x10,  /* these of capabilities_2 */
    ESCI_CAN_2_DOUBLE_FEED = 0x08,
    ESCI_CAN_2_AUTO_FEED = 0x04,
};

/* Answer to FS F: bits of the device, of the feeder and of the rest. */
typedef struct EsciStatus {
    uint8_t device, adf, tpu, main_unit;
} EsciStatus;

enum {
    ESCI_DEVICE_FATAL = 0x80,
    ESCI_DEVICE_NOT_READY = 0x40, /* in use */
    ESCI_DEVICE_WARMING_UP = 0x02,
    ESCI_ADF_INSTALLED = 0x80,
    ESCI_ADF_ENABLED = 0x40,
    /* These of the feeder and, but for DUPLEX, of the main unit. */
    ESCI_UNIT_ERROR = 0x20,
    ESCI_UNIT_EMPTY = 0x08,
    ESCI_UNIT_JAM = 0x04,
    ESCI_UNIT_OPEN = 0x02,
    ESCI_ADF_DUPLEX = 0x01,
    ESCI_MAIN_TYPE = 0xc0, /* two bits, the kind of device */
};

/* Argument of ESC e, and the source in the parameters. */
typedef enum EsciSource { ESCI_FLATBED = 0, ESCI_ADF = 1, ESCI_ADF_DUPLEX_SCAN = 2 } EsciSource;

/* Parameters of FS W. */
typedef struct EsciParameters {
    uint32_t dpi_main, dpi_sub, x_px, y_px, width_px, height_px;
    uint8_t color; /* EsciColor */
    uint8_t bits;  /* of a sample: 1, 8, 16 */
    uint8_t source;
    uint8_t mode;        /* 1 fast */
    uint8_t block_lines; /* 0: the device decides */
    uint8_t gamma;       /* EsciGamma */
    uint8_t brightness, color_correction, halftone, threshold;
    uint8_t area_segmentation, sharpness, mirror, film, lamp;
} EsciParameters;

typedef enum EsciColor {
    ESCI_MONO = 0x00,
    ESCI_COLOR_LINES = 0x02,
    ESCI_COLOR_PIXELS = 0x13
} EsciColor;
typedef enum EsciGamma {
    ESCI_GAMMA_DEFAULT = 0x01,
    ESCI_GAMMA_SENT = 0x03, /* those of ESC z: SANE */
    ESCI_GAMMA_USER = 0x04  /* the same: Epson's driver */
} EsciGamma;
enum { ESCI_HALFTONE_NONE = 0x01, ESCI_THRESHOLD_MIDDLE = 0x80 };

/* Answer to FS G: what follows, status bytes not counted. */
typedef struct EsciBlocks {
    uint8_t status; /* bits below */
    uint32_t block_bytes, full_blocks, last_bytes;
} EsciBlocks;

/* In EsciBlocks.status and in the byte behind each block. A real device had CANCEL set in the former without
 * anybody having cancelled, so it means something in the latter only. */
enum { ESCI_BLOCK_FATAL = 0x80, ESCI_BLOCK_NOT_READY = 0x40, ESCI_BLOCK_CANCEL = 0x10 };

/* Each takes exactly its ESCI_..._SIZE bytes: WIRE_OK or WIRE_BROKEN. Blocks: WIRE_BROKEN also without STX. */
WireResult esci_identity_decode(Bytes in, EsciIdentity *ret_identity);
WireResult esci_status_decode(Bytes in, EsciStatus *ret_status);
WireResult esci_parameters_decode(Bytes in, EsciParameters *ret_parameters);
WireResult esci_blocks_decode(Bytes in, EsciBlocks *ret_blocks);

/* Each appends exactly as many. Texts that are too long are cut. */
bool esci_identity_encode(Buf *to, const EsciIdentity *identity);
bool esci_status_encode(Buf *to, const EsciStatus *status);
bool esci_parameters_encode(Buf *to, const EsciParameters *parameters);
bool esci_blocks_encode(Buf *to, const EsciBlocks *blocks);

/* Bytes of one line of the picture that the parameters ask for. */
uint64_t esci_line_bytes(const EsciParameters *parameters);

/* All bytes of the picture. */
static inline uint64_t esci_blocks_total(const EsciBlocks *blocks)
{
    return (uint64_t)blocks->block_bytes * blocks->full_blocks + blocks->last_bytes;
}

#endif
