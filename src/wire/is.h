/* wire/is.h - the packets that carry everything on TCP 1865 ("IS" framing).
 *
 *   offset size field
 *   0      2    "IS"
 *   2      2    type, IsType
 *   4      1    0 from the host; flags of the device (0x30, 0x38), whose meaning nobody needs
 *   5      1    12, offset of the payload
 *   6      4    payload length
 *   10     2    0
 *   12     n    payload                                            all numbers big-endian
 *
 * The device speaks first (welcome). A passthru packet (2000) carries eight bytes of data header,
 * u32 command length and u32 wanted reply length, and the command; it is answered by exactly one
 * a000 with at most the wanted bytes. Command length 0 is a pure read. Header and payload may come
 * in separate segments. Used by the server's scan session and by the virtual device. */
#ifndef PLATEN_WIRE_IS_H
#define PLATEN_WIRE_IS_H

#include "base/bytes.h"
#include "wire/wire.h"

enum {
    IS_PORT = 1865,
    IS_HEADER_SIZE = 12,
    IS_DATA_HEADER_SIZE = 8,
    IS_PAYLOAD_FROM_DEVICE_MAX = 16 * 1024 * 1024, /* image blocks should be at most BSZ, 1 MiB */
    IS_PAYLOAD_FROM_HOST_MAX = 1024 * 1024,
    IS_DEVICE_FLAGS = 0x30, /* what ET, XP and WF models send */
};

typedef enum IsType {
    IS_PASSTHRU = 0x2000,
    IS_LOCK = 0x2100,
    IS_UNLOCK = 0x2101,
    IS_JOB_CONTROL = 0x2300,
    IS_WELCOME = 0x8000,
    IS_EVENT = 0x9000,
    IS_PASSTHRU_REPLY = 0xa000,
    IS_LOCK_REPLY = 0xa100,
    IS_UNLOCK_REPLY = 0xa101,
    IS_JOB_CONTROL_REPLY = 0xa300
} IsType;

/* One-byte answers to LOCK and to the mode commands. */
enum { IS_ACK = 0x06, IS_NAK = 0x15 };

/* Second byte of the welcome. */
enum { IS_FAMILY_LEGACY = 0x02, IS_FAMILY_ESCI2 = 0x04 };

/* First byte of an IS_EVENT payload. Events may come at any moment. */
typedef enum IsEvent {
    IS_EVENT_START = 0x01,      /* scan start requested at the device        */
    IS_EVENT_DISCONNECT = 0x02, /* the device is going to close              */
    IS_EVENT_CANCEL = 0x03,     /* cancel pressed at the device              */
    IS_EVENT_STOP = 0x04,
    IS_EVENT_TIMEOUT = 0x80, /* the lock's time ran out                   */
    IS_EVENT_REJECTED = 0xa0 /* last command rejected, device closes      */
} IsEvent;

typedef struct IsHeader {
    uint16_t type; /* an IsType, or one we do not know         */
    uint8_t flags;
    uint32_t length; /* bytes of payload that follow the header  */
} IsHeader;

/* Takes a header (IS_HEADER_SIZE bytes) from the front of in. payload_max is one of the two maxima
 * above: the one of the sender. WIRE_BROKEN: wrong magic, wrong offset or over the maximum - seen
 * at the first byte that proves it, so that garbage never waits for a whole header. */
WireResult is_header_decode(Bytes in, uint32_t payload_max, IsHeader *ret_header);

/* The same for a whole packet; *ret_payload is borrowed, *ret_used counts header and payload. */
WireResult is_packet_decode(Bytes in, uint32_t payload_max, IsHeader *ret_header,
                            Bytes *ret_payload, size_t *ret_used);

/* Appends header and payload. flags: 0 from the host, IS_DEVICE_FLAGS from a device. */
bool is_packet_encode(Buf *to, IsType type, uint8_t flags, Bytes payload);

/* Passthru of the host: command may be empty (pure read); wanted is the longest reply asked for. */
bool is_passthru_encode(Buf *to, Bytes command, uint32_t wanted);

/* Payload of IS_PASSTHRU. WIRE_BROKEN when the command length does not match the payload. */
WireResult is_passthru_decode(Bytes payload, Bytes *ret_command, uint32_t *ret_wanted);

/* LOCK with an inactivity time in seconds; an empty payload (older clients) decodes as 0 = none. */
bool is_lock_encode(Buf *to, uint32_t seconds);
WireResult is_lock_decode(Bytes payload, uint32_t *ret_seconds);

/* Job control (2300) of version 3 devices, captured from Epson's driver at an FF-680W. The write tells
 * the device of one job; how several are told is not known, so the packet is always the captured one.
 * Its reply is empty. The read asks which job was chosen; the meaning of its eight bytes is not known. */
typedef enum IsJobCommand { IS_JOB_WRITE, IS_JOB_READ } IsJobCommand;
enum { IS_JOB_READ_REPLY_SIZE = 8 };
bool is_job_encode(Buf *to, IsJobCommand command);
/* Device side: payload of IS_JOB_CONTROL; *ret_list is what a write tells. */
WireResult is_job_decode(Bytes payload, IsJobCommand *ret_command, Bytes *ret_list);

/* Welcome: five bytes 01 FAMILY 00 00 00. */
bool is_welcome_encode(Buf *to, uint8_t flags, uint8_t family);
WireResult is_welcome_decode(Bytes payload, uint8_t *ret_family);

/* "cancel", "disconnect" ... for messages; "unknown" for a code outside IsEvent. Static. */
const char *is_event_name(uint8_t code);

#endif
