/* destination/sigv4.h - signatures of requests to S3: AWS Signature Version 4, in a header.
 *
 * libcurl could sign as well, but the 7.88 of Debian 12 neither signs a hash of what is sent by
 * itself nor encodes paths as S3 does. Pure; any thread. */
#ifndef PLATEN_DESTINATION_SIGV4_H
#define PLATEN_DESTINATION_SIGV4_H

#include "base/bytes.h"
#include "base/time.h"

enum { SIGV4_TIME_SIZE = 20, SIGV4_HEADERS_MAX = 12 };

/* A header as it is sent and signed. */
typedef struct SigV4Header {
    const char *name; /* lower case */
    const char *value;
} SigV4Header;

/* All that is signed; borrowed. */
typedef struct SigV4Request {
    const char *method;
    const char *path;  /* encoded, as in the URL                                             */
    const char *query; /* the same: sorted, each member with its "=", "" = none               */
    const SigV4Header *headers; /* in order of name; host and x-amz-date must be among them   */
    size_t header_count;
    const char *payload_sha256; /* hex of the body                                           */
    const char *region, *access_key, *secret_key;
} SigV4Request;

/* "20130524T000000Z": the value of x-amz-date. */
void sigv4_time(Wall now, char ret_time[SIGV4_TIME_SIZE]);

/* Appends the value of the header Authorization. False when out is full or there is no x-amz-date. */
bool sigv4_authorize(const SigV4Request *request, Buf *out);

#endif
