/* wire/wire.h - the three answers of every decoder in this folder.
 *
 * Codecs are pure: no descriptor, no clock, no log, and decoders allocate nothing. What they return
 * as Bytes points into their input. Encoders append to a Buf and answer false when the Buf is full
 * or the value cannot be written on this wire. Any thread. */
#ifndef PLATEN_WIRE_WIRE_H
#define PLATEN_WIRE_WIRE_H

typedef enum WireResult {
    WIRE_OK,        /* the outputs are filled                                       */
    WIRE_NEED_MORE, /* the beginning is good: call again with more bytes behind it  */
    WIRE_BROKEN     /* more bytes will not help: drop the datagram, or end the talk */
} WireResult;

#endif
