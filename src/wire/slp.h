/* wire/slp.h - the two datagrams by which a device learns our name (UDP 2968, SLPv2, RFC 2608).
 *
 * A device asks the group for attributes (AttrRqst, function 6), we answer the sender (AttrRply,
 * function 7). Common header, all numbers big-endian:
 *
 *   offset size field
 *   0      1    version 2
 *   1      1    function
 *   2      3    length of the whole datagram
 *   5      2    flags: 0x8000 overflow, 0x4000 fresh, 0x2000 multicast request
 *   7      3    offset of the first extension
 *   10     2    XID: the reply echoes that of the request
 *   12     2+n  language tag
 *
 * The keys of the attribute list are ClientName, IPAddress, EventPort; the answer to a device of
 * version 3 ("NetScanMonitor 3.0") has Ver=3.0 before and Group=0 behind them. Captured from Epson's
 * agent that serves FF-680W and DS-575W; what Group means is not known.
 * Used by the server and by the virtual device. */
#ifndef PLATEN_WIRE_SLP_H
#define PLATEN_WIRE_SLP_H

#include "base/bytes.h"
#include "wire/wire.h"

enum {
    SLP_PORT = 2968,
    SLP_DATAGRAM_MAX = 1400, /* what we write and what we accept: fits every Ethernet frame */
    SLP_LANGUAGE_MAX = 35,   /* bytes of a language tag (RFC 5646, section 4.4.1)           */
    SLP_NAME_SIZE = 64,      /* ClientName with its NUL; panels show about 20 characters    */
    SLP_ADDRESS_SIZE = 16,   /* dotted IPv4 with its NUL                                    */
};

#define SLP_GROUP          "239.255.255.253"
#define SLP_SERVICE_URL    "service:NetScanMonitor-agent"
#define SLP_ENTRY_TAG_LIST "ClientName,IPAddress,EventPort"
/* What our own device of version 3 asks for. What real ones put there is not known. */
#define SLP_ENTRY_TAG_LIST_V3 "Ver,ClientName,IPAddress,EventPort,Group"

enum { SLP_FLAG_OVERFLOW = 0x8000, SLP_FLAG_FRESH = 0x4000, SLP_FLAG_MULTICAST = 0x2000 };

/* AttrRqst. The Bytes are borrowed from the datagram. */
typedef struct SlpRequest {
    uint16_t flags;
    uint16_t xid;
    Bytes language;            /* "en"                                                       */
    Bytes previous_responders; /* comma separated addresses that answered before             */
    Bytes url;                 /* SLP_SERVICE_URL                                            */
    Bytes scopes;              /* the product id of the device, "PID 11D1"                   */
    Bytes tags;                /* SLP_ENTRY_TAG_LIST                                         */
    Bytes spi;                 /* always empty                                               */
} SlpRequest;

/* AttrRply. The Bytes are borrowed from the datagram. */
typedef struct SlpReply {
    uint16_t xid;
    uint16_t error; /* 0; a device ignores anything else */
    Bytes language;
    Bytes attributes; /* "(ClientName=...),(IPAddress=...),(EventPort=...)" */
} SlpReply;

/* What one reply puts on the panel. */
typedef struct SlpEntry {
    char name[SLP_NAME_SIZE];       /* UTF-8                                           */
    char address[SLP_ADDRESS_SIZE]; /* IPv4 the device connects to, "192.168.1.5"      */
    uint16_t event_port;            /* TCP port for "Start pressed"                    */
    bool is_v3;                     /* with Ver=3.0 and Group=0                        */
} SlpEntry;

/* Whole datagrams in: WIRE_OK or WIRE_BROKEN (too short, other version or function, length field
 * unequal to the datagram, overflow flag, a field longer than the rest). Bytes behind the last
 * field are ignored, so that extensions of newer devices do no harm; the reply may lack the count
 * of authentication blocks, which one public agent leaves out. */
WireResult slp_request_decode(Bytes datagram, SlpRequest *ret_request);
WireResult slp_reply_decode(Bytes datagram, SlpReply *ret_reply);

/* Append one datagram to an empty Buf of SLP_DATAGRAM_MAX; false when it would be longer. */
bool slp_request_encode(const SlpRequest *request, Buf *to);
bool slp_reply_encode(const SlpReply *reply, Buf *to);

/* True when the device expects the keys of version 3: its tag list names one of them, or it is one
 * of the two models that were seen to need them (PID 016B, FF-680W, and PID 0169, DS-575W). */
bool slp_request_wants_v3(const SlpRequest *request);

/* Attribute list of the keys. Decoding takes any order, ignores other keys and wants the three of
 * version 2; encoding refuses a name that slp_name_is_plain refuses. */
WireResult slp_entry_decode(Bytes attributes, SlpEntry *ret_entry);
bool slp_entry_encode(const SlpEntry *entry, Buf *to);

/* Value of one "(key=value)" of an attribute list; keys compare without case (RFC 2608, 5).
 * False when missing. The value is as sent: nobody is known to escape. */
bool slp_attribute_get(Bytes attributes, const char *key, Bytes *ret_value);

/* True when the comma separated list holds the item (without case, blanks around it ignored). */
bool slp_list_has(Bytes list, const char *item);

/* True when every device shows this name as it is: 1..63 bytes of UTF-8 without control characters
 * and without the reserved ( ) , \ ! < = > ~, which RFC 2608 wants escaped and no device is known
 * to unescape. */
bool slp_name_is_plain(const char *name);

#endif
