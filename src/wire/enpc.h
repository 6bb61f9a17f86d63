/* wire/enpc.h - the datagrams by which Epson devices are found (ENPC, UDP 3289).
 *
 * A client sends a query by broadcast or to one address; each device answers the sender.
 *
 *   offset size field
 *   0      5    "EPSON"
 *   5      1    class: upper case asks, lower case answers
 *   6      8    of a query: packet type, device type, function, result, parameter length (deduced)
 *   14     ...  parameters; SANE sends one zero byte here, ChromiumOS two
 *
 * Class P ("what is there?"): SANE's epson2 and ChromiumOS ask it, and take any answer of exactly 76 bytes
 * that begins with "EPSON"; nothing in it but its sender's address is used, and nothing else is known.
 * Class Q ("who are you?"): of receipt printers, in code of third parties: the answer has 184 bytes, the
 * Ethernet address at 14 and the product's name at 56. Whether scanners answer it is not known.
 * Used by the server's discovery and by the virtual device. */
#ifndef PLATEN_WIRE_ENPC_H
#define PLATEN_WIRE_ENPC_H

#include "base/bytes.h"
#include "wire/wire.h"

enum {
    ENPC_PORT = 3289,
    ENPC_DATAGRAM_MAX = 1400,
    ENPC_QUERY_SIZE_MIN = 14,
    ENPC_ECHO_SIZE = 6, /* bytes 6 to 11, which an answer repeats     */
    ENPC_ANSWER_P_SIZE = 76,
    ENPC_ANSWER_Q_SIZE = 184,
    ENPC_MAC_SIZE = 6,
    ENPC_NAME_SIZE = 64, /* with its NUL; a longer one is cut          */
};

typedef enum EnpcClass { ENPC_CLASS_P = 'P', ENPC_CLASS_Q = 'Q' } EnpcClass;

typedef struct EnpcQuery {
    EnpcClass class;
    uint8_t echo[ENPC_ECHO_SIZE];
} EnpcQuery;

typedef struct EnpcAnswer {
    EnpcClass class;
    uint8_t echo[ENPC_ECHO_SIZE]; /* of the query                              */
    uint8_t mac[ENPC_MAC_SIZE];   /* class Q, else zeros                       */
    char name[ENPC_NAME_SIZE];    /* class Q, printable ASCII; "" not told     */
} EnpcAnswer;

/* The query as known clients send it: 15 bytes of class P, 14 of class Q. */
bool enpc_query_encode(Buf *to, EnpcClass class);

/* One datagram. WIRE_OK for at least 14 bytes that begin with "EPSONP" or "EPSONQ", else WIRE_BROKEN: never
 * answer those, lower case least of all (two devices would answer each other for ever). */
WireResult enpc_query_decode(Bytes datagram, EnpcQuery *ret_query);

/* 76 or 184 bytes. False when the Buf is full or name is no printable ASCII. */
bool enpc_answer_encode(Buf *to, const EnpcAnswer *answer);

/* One datagram. WIRE_OK for 76 bytes that begin with "EPSON" (class P, as the known clients take it) and for 184
 * bytes that begin with "EPSONq". A name with other bytes than printable ASCII reads as "". */
WireResult enpc_answer_decode(Bytes datagram, EnpcAnswer *ret_answer);

#endif
