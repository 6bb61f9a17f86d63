/* wire/snmp.h - datagrams of SNMP version 1 (RFC 1157), as far as an agent with a few objects needs them.
 *
 * A message is BER: sequence of version (0), community and a PDU, whose tag says what is wanted; the PDU has a number,
 * error-status, error-index and a sequence of bindings, each the id of an object and a value. Ids stay as they are
 * encoded: only equal ones matter here. Used by the virtual device alone; the server asks through net-snmp. */
#ifndef PLATEN_WIRE_SNMP_H
#define PLATEN_WIRE_SNMP_H

#include "base/bytes.h"
#include "wire/wire.h"

enum {
    SNMP_PORT = 161,
    SNMP_DATAGRAM_MAX = 1472, /* what fits a frame of Ethernet; RFC 1157 asks for 484 */
    SNMP_BINDINGS_MAX = 16,   /* of one message; more: WIRE_BROKEN                  */
};

/* Tags of PDUs (RFC 1157, section 4.1) and of the values that are written here (X.690). */
enum {
    SNMP_PDU_GET = 0xa0,
    SNMP_PDU_GET_NEXT = 0xa1,
    SNMP_PDU_RESPONSE = 0xa2,
    SNMP_PDU_SET = 0xa3,
    SNMP_TAG_TEXT = 0x04, /* OCTET STRING */
    SNMP_TAG_NULL = 0x05,
};

/* Error-status (RFC 1157, section 4.1.1). */
typedef enum SnmpStatus {
    SNMP_NO_ERROR,
    SNMP_TOO_BIG,
    SNMP_NO_SUCH_NAME,
    SNMP_BAD_VALUE,
    SNMP_READ_ONLY,
    SNMP_GEN_ERR,
} SnmpStatus;

typedef struct SnmpBinding {
    Bytes object; /* content of the OBJECT IDENTIFIER */
    uint8_t tag;  /* of the value */
    Bytes value;  /* its content  */
} SnmpBinding;

typedef struct SnmpMessage {
    Bytes community;
    uint8_t pdu;
    int32_t number;
    int32_t status, index; /* index counts from 1 */
    SnmpBinding bindings[SNMP_BINDINGS_MAX];
    size_t count;
} SnmpMessage;

/* One datagram. WIRE_OK for a whole message of version 1 with one of the four PDUs above and nothing behind it, else
 * WIRE_BROKEN. What is returned points into the datagram. */
WireResult snmp_message_decode(Bytes datagram, SnmpMessage *ret_message);

/* Appends a message. False when the Buf is full. */
bool snmp_message_encode(Buf *to, const SnmpMessage *message);

#endif
