/* wire/pushscan.h - "Start was pressed": one request and one response per connection, TCP 2968.
 *
 * It looks like HTTP/1.0 with a SOAP body, but is neither strictly: real devices put a blank before
 * the colon of a header, and the answer must have one too. The request is
 *
 *   POST /PushScan HTTP/1.0
 *   Content-Length : N                 required; missing counts as 0
 *   x-uid : 42                         must be echoed as it came
 *   x-protocol-version : 2.00          echoed; 2.00 when missing
 *
 *   <Envelope><Body><PushScan>  ProductNameIn, IPAddressIn, PushScanIDIn  </PushScan>...
 *
 * The response is always "200 OK"; StatusOut says OK or ERROR. The server reads requests and writes
 * responses, the virtual device the other way round. */
#ifndef PLATEN_WIRE_PUSHSCAN_H
#define PLATEN_WIRE_PUSHSCAN_H

#include "base/bytes.h"
#include "wire/wire.h"

enum {
    PUSHSCAN_PORT = 2968,
    PUSHSCAN_HEAD_MAX = 8 * 1024,     /* request line, headers and blank line */
    PUSHSCAN_MESSAGE_MAX = 64 * 1024, /* head and body                        */
    PUSHSCAN_UID_SIZE = 32,
    PUSHSCAN_VERSION_SIZE = 16,
    PUSHSCAN_PRODUCT_SIZE = 64,
    PUSHSCAN_ADDRESS_SIZE = 16,
    PUSHSCAN_CHOICE_SIZE = 8,
};

/* What the headers say. Texts are "" when the header is missing, version is then "2.00". */
typedef struct PushScanHead {
    size_t size;           /* bytes of the head with its blank line                        */
    size_t content_length; /* bytes of the body; may be beyond PUSHSCAN_MESSAGE_MAX        */
    char uid[PUSHSCAN_UID_SIZE];
    char version[PUSHSCAN_VERSION_SIZE];
} PushScanHead;

/* Which element the SOAP body holds. */
typedef enum PushScanRoot { PUSHSCAN_ROOT_UNKNOWN, PUSHSCAN_ROOT_START } PushScanRoot;

/* What the body says. Texts are "" when the element is missing. */
typedef struct PushScanBody {
    PushScanRoot root;
    char product[PUSHSCAN_PRODUCT_SIZE]; /* "PID 11D1"                                         */
    char address[PUSHSCAN_ADDRESS_SIZE]; /* claimed IPv4 of the device, dotted; "" when not 8
                                            hex digits. Believe the connection, not this.      */
    char choice[PUSHSCAN_CHOICE_SIZE];   /* "01": sides (0, 1) and action (1 JPEG, 2 PDF, 4
                                            preview); may be anything                          */
} PushScanBody;

/* Reads the head from the first bytes of a connection. WIRE_BROKEN: not such a request (the session
 * closes), a head over PUSHSCAN_HEAD_MAX, a length that is no number, texts over their maximum. */
WireResult pushscan_head_decode(Bytes in, PushScanHead *ret_head);

/* Reads a whole body. Elements are found by local name, whatever their prefix. WIRE_BROKEN: not
 * well-formed, DOCTYPE or foreign entities, no element in Envelope/Body, texts over their maximum.
 * An element other than PushScan gives WIRE_OK with PUSHSCAN_ROOT_UNKNOWN: answer ERROR. */
WireResult pushscan_body_decode(Bytes body, PushScanBody *ret_body);

/* Appends a whole response. uid "" leaves the x-uid header out. */
bool pushscan_response_encode(Buf *to, const char *uid, const char *version, bool ok);

/* Device side: appends a whole request in the form real devices use. */
bool pushscan_request_encode(Buf *to, const char *uid, const char *version,
                             const PushScanBody *body);

typedef struct PushScanResponse {
    int http_status;
    char uid[PUSHSCAN_UID_SIZE];
    bool ok; /* StatusOut is OK */
} PushScanResponse;

/* Device side: reads a response from the first bytes of a connection. */
WireResult pushscan_response_decode(Bytes in, PushScanResponse *ret_response, size_t *ret_used);

#endif
