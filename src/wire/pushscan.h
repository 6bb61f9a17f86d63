/* wire/pushscan.h - what devices report to TCP 2968: one request and one response per connection.
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
 *                   <PushScan>  ... JobNumberIn in the place of PushScanIDIn: version 3
 *                   <JobList>   ... CapabilityIn*: version 3, before somebody chooses a job
 *                   <ScanEnd>   version 3, after the scan; its whole content is not known
 *
 * The response is always "200 OK"; StatusOut says OK or ERROR. The answer to JobList has every
 * CapabilityIn as CapabilityOut. Source: captures of Epson's agents (ET-4950; FF-680W, DS-575W).
 *
 * "X-JobList=1" is a capability of our own: a device that offers it gets the jobs with their names
 * in the answer to JobList; nobody else ever sees it:
 *
 *   <CapabilityOut>X-JobList=1</CapabilityOut>
 *   <j:Jobs xmlns:j="urn:x-scan-server:joblist:1"><j:Job number="1" name="Invoices"/>...</j:Jobs>
 *
 * The server reads requests and writes responses, the virtual device the other way round. */
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
    PUSHSCAN_CAPABILITIES_MAX = 16,
    PUSHSCAN_CAPABILITY_SIZE = 64,
    PUSHSCAN_JOBS_MAX = 100,
    PUSHSCAN_JOB_NAME_CHARS_MAX = 64,
    PUSHSCAN_JOB_NAME_SIZE = 4 * PUSHSCAN_JOB_NAME_CHARS_MAX + 1,
    PUSHSCAN_JOB_NUMBER_MAX = 65535,
    PUSHSCAN_NO_JOB = -1,
};

#define PUSHSCAN_JOB_NAMES "X-JobList=1" /* the capability of our own */

/* What the headers say. Texts are "" when the header is missing, version is then "2.00". */
typedef struct PushScanHead {
    size_t size;           /* bytes of the head with its blank line                        */
    size_t content_length; /* bytes of the body; may be beyond PUSHSCAN_MESSAGE_MAX        */
    char uid[PUSHSCAN_UID_SIZE];
    char version[PUSHSCAN_VERSION_SIZE];
} PushScanHead;

/* Which element the SOAP body holds. */
typedef enum PushScanRoot {
    PUSHSCAN_ROOT_UNKNOWN,
    PUSHSCAN_ROOT_START,
    PUSHSCAN_ROOT_JOB_LIST,
    PUSHSCAN_ROOT_SCAN_END
} PushScanRoot;

/* What the body says. Texts are "" when the element is missing. */
typedef struct PushScanBody {
    PushScanRoot root;
    char product[PUSHSCAN_PRODUCT_SIZE]; /* "PID 11D1"                                         */
    char address[PUSHSCAN_ADDRESS_SIZE]; /* claimed IPv4 of the device, dotted; "" when not 8
                                            hex digits. Believe the connection, not this.      */
    char choice[PUSHSCAN_CHOICE_SIZE];   /* "01": sides (0, 1) and action (1 JPEG, 2 PDF, 4
                                            preview); may be anything                          */
    int32_t job_number;                  /* JobNumberIn, PUSHSCAN_NO_JOB: missing              */
    char capabilities[PUSHSCAN_CAPABILITIES_MAX][PUSHSCAN_CAPABILITY_SIZE]; /* CapabilityIn */
    size_t capability_count;
} PushScanBody;

/* One job as a panel shows it. */
typedef struct PushScanJob {
    uint16_t number;                   /* unique in its list                             */
    char name[PUSHSCAN_JOB_NAME_SIZE]; /* UTF-8, 1..64 characters, no control characters */
} PushScanJob;

/* What an answer says besides OK. */
typedef struct PushScanList {
    const PushScanBody *request; /* whose capabilities are echoed                           */
    bool with_jobs;              /* the jobs too: only when PUSHSCAN_JOB_NAMES was offered  */
    const PushScanJob *jobs;
    size_t job_count; /* at most PUSHSCAN_JOBS_MAX */
} PushScanList;

/* Reads the head from the first bytes of a connection. WIRE_BROKEN: not such a request (the session
 * closes), a head over PUSHSCAN_HEAD_MAX, a length that is no number, texts over their maximum. */
WireResult pushscan_head_decode(Bytes in, PushScanHead *ret_head);

/* Reads a whole body. Elements are found by local name, whatever their prefix. WIRE_BROKEN: not
 * well-formed, DOCTYPE or foreign entities, no element in Envelope/Body, texts over their maximum.
 * JobNumberIn that is no number, more than PUSHSCAN_CAPABILITIES_MAX capabilities are broken, too. An
 * element that is none of the three gives WIRE_OK with PUSHSCAN_ROOT_UNKNOWN: answer ERROR. */
WireResult pushscan_body_decode(Bytes body, PushScanBody *ret_body);

/* True when the device offers the capability. */
bool pushscan_offers(const PushScanBody *body, const char *capability);

/* Appends what is answered to bytes that are no push-scan request at all: 400 of HTTP, with a line for people. No device
 * gets it, so it has no blanks before its colons. */
bool pushscan_bad_request_encode(Buf *to);

/* Appends a whole response. uid "" leaves the x-uid header out. list: what an OK to JobList says, else
 * NULL. */
bool pushscan_response_encode(Buf *to, const char *uid, const char *version, bool ok,
                              const PushScanList *list);

/* Device side: appends a whole request in the form real devices use; body->root says which. */
bool pushscan_request_encode(Buf *to, const char *uid, const char *version,
                             const PushScanBody *body);

typedef struct PushScanResponse {
    int http_status;
    char uid[PUSHSCAN_UID_SIZE];
    bool ok;       /* StatusOut is OK                    */
    bool has_jobs; /* it says PUSHSCAN_JOB_NAMES and has the list */
    char capabilities[PUSHSCAN_CAPABILITIES_MAX][PUSHSCAN_CAPABILITY_SIZE]; /* CapabilityOut */
    size_t capability_count;
    size_t job_count;
    PushScanJob jobs[PUSHSCAN_JOBS_MAX];
} PushScanResponse;

/* Device side: reads a response from the first bytes of a connection. WIRE_BROKEN also for a job list
 * with a number twice, without a name or beyond the limits, and for more than
 * PUSHSCAN_CAPABILITIES_MAX capabilities. */
WireResult pushscan_response_decode(Bytes in, PushScanResponse *ret_response, size_t *ret_used);

#endif
