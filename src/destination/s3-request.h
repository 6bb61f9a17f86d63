/* destination/s3-request.h - one signed request to an S3 server, and what its answers mean. For s3.c.
 *
 * Errors have a code in their XML body, which says more than the status: NoSuchBucket and NoSuchKey are
 * both 404, a wrong signature and a missing right both 403. HEAD has no body and is therefore not used. */
#ifndef PLATEN_DESTINATION_S3_REQUEST_H
#define PLATEN_DESTINATION_S3_REQUEST_H

#include "destination/http.h"

enum {
    S3_BUCKET_SIZE = 64, /* 63 characters at most */
    S3_REGION_SIZE = 64,
    S3_ACCESS_KEY_SIZE = 128,
    S3_SECRET_KEY_SIZE = 256,
    S3_CLASS_SIZE = 32,
    S3_KEY_SIZE = 1025, /* 1024 bytes at most */
    S3_CODE_SIZE = 64,
};

typedef enum S3Style { S3_STYLE_PATH, S3_STYLE_VIRTUAL } S3Style;

typedef struct S3Settings {
    char endpoint[HTTP_URL_SIZE], region[S3_REGION_SIZE], bucket[S3_BUCKET_SIZE];
    char prefix[PATH_TEXT_SIZE];
    char access_key[S3_ACCESS_KEY_SIZE], secret_key[S3_SECRET_KEY_SIZE];
    int64_t style, part_mib;
    char storage_class[S3_CLASS_SIZE];
    bool etag_is_md5;
    int64_t timeout_s;
    TLS_MEMBERS;
} S3Settings;

/* The connection of an errand: what is kept between deliveries. */
typedef struct S3Place {
    Transfer *transfer;
    bool blind;         /* the access key may not look                */
    bool unconditional; /* the server does not know If-None-Match     */
} S3Place;

/* All texts are borrowed; NULL and "" = none. */
typedef struct S3Request {
    const char *method, *stage;
    const char *key;            /* of the object, not encoded; NULL = the bucket                 */
    const char *query;          /* encoded and sorted, each member with its "="                   */
    const char *payload_sha256; /* hex of what is sent; NULL: of body                            */
    const TransferBody *part;   /* what is sent of the parcel; NULL: body                        */
    Bytes body;
    const char *media_type, *object_sha256, *storage_class; /* kept with a new object            */
    const char *range, *if_none_match;                      /* not signed: a proxy may take them */
} S3Request;

/* Does a request. True when an answer came, whatever it says. */
bool s3_run(const Errand *errand, const S3Request *request);

/* Of the last answer: its status, is this the code of its error, a header ("" = none). */
long s3_status(const Errand *errand);
bool s3_code_is(const Errand *errand, const char *code);
const char *s3_header(const Errand *errand, const char *name);

/* The first element of this name in some XML, as text; false when there is none, or it does not fit. */
bool s3_member(const char *xml, const char *name, char *ret_text, size_t size);

/* Was it done (2xx, and no error in spite of it)? If not, the result is filled. */
bool s3_ok(const Errand *errand, const char *stage);

#endif
