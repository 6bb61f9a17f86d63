/* destination/sigv4.c - see sigv4.h. After "Authenticating Requests: Using the Authorization Header
 * (AWS Signature Version 4)" in the Amazon S3 API reference. */
#include "destination/sigv4.h"

#include "base/hmac.h"
#include "base/sha256.h"
#include "base/text.h"

enum {
    CANONICAL_BYTES_MAX = 16384,
    DATE_SIZE = 9, /* yyyymmdd */
    SCOPE_SIZE = 160,
    SECRET_SIZE = 512,
};

void sigv4_time(Wall now, char ret_time[SIGV4_TIME_SIZE])
{
    CivilTime t = wall_civil(now, 0);

    (void)text_printf(ret_time, SIGV4_TIME_SIZE, "%04d%02d%02dT%02d%02d%02dZ", t.year, t.month,
                      t.day, t.hour, t.minute, t.second);
}

static const char *header_value(const SigV4Request *request, const char *name)
{
    for (size_t i = 0; i < request->header_count; i++)
        if (text_equal(request->headers[i].name, name))
            return request->headers[i].value;
    return NULL;
}

/* "host;x-amz-date" */
static void put_names(const SigV4Request *request, Buf *out)
{
    for (size_t i = 0; i < request->header_count; i++)
        (void)buf_printf(out, "%s%s", i > 0 ? ";" : "", request->headers[i].name);
}

/* SHA-256 of the canonical request. */
static bool hash_request(const SigV4Request *request, char ret_sha256[SHA256_TEXT_SIZE])
{
    AUTO_BUF text = buf_with_max(CANONICAL_BYTES_MAX);
    Sha256 hash;

    (void)buf_printf(&text, "%s\n%s\n%s\n", request->method, request->path, request->query);
    for (size_t i = 0; i < request->header_count; i++)
        (void)buf_printf(&text, "%s:%s\n", request->headers[i].name, request->headers[i].value);
    (void)buf_put_u8(&text, '\n');
    put_names(request, &text);
    (void)buf_printf(&text, "\n%s", request->payload_sha256);
    sha256_start(&hash);
    sha256_add(&hash, buf_bytes(&text));
    sha256_finish(&hash, ret_sha256);
    return !text.failed;
}

/* The key is of one day, region and service. */
static bool make_key(const SigV4Request *request, const char *date, uint8_t ret_key[HMAC_SIZE])
{
    const char *const steps[] = { date, request->region, "s3", "aws4_request" };
    char secret[SECRET_SIZE];
    Bytes key = { (const uint8_t *)secret, 0 };

    if (!text_printf(secret, sizeof secret, "AWS4%s", request->secret_key))
        return false;
    key.n = strlen(secret);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        hmac_of(key, bytes_of_text(steps[i]), ret_key);
        key = (Bytes){ ret_key, HMAC_SIZE };
    }
    explicit_bzero(secret, sizeof secret);
    return true;
}

bool sigv4_authorize(const SigV4Request *request, Buf *out)
{
    const char *time = header_value(request, "x-amz-date");
    char date[DATE_SIZE], scope[SCOPE_SIZE], request_sha256[SHA256_TEXT_SIZE];
    char hex[2 * HMAC_SIZE + 1];
    uint8_t key[HMAC_SIZE], mac[HMAC_SIZE];
    AUTO_BUF text = buf_with_max(CANONICAL_BYTES_MAX);

    if (!time || !hash_request(request, request_sha256))
        return false;
    (void)text_copy(date, sizeof date, time);
    if (!text_printf(scope, sizeof scope, "%s/%s/s3/aws4_request", date, request->region) ||
        !make_key(request, date, key))
        return false;
    (void)buf_printf(&text, "AWS4-HMAC-SHA256\n%s\n%s\n%s", time, scope, request_sha256);
    hmac_of((Bytes){ key, sizeof key }, buf_bytes(&text), mac);
    explicit_bzero(key, sizeof key);
    text_hex(hex, (Bytes){ mac, sizeof mac });
    (void)buf_printf(out, "AWS4-HMAC-SHA256 Credential=%s/%s,SignedHeaders=", request->access_key,
                     scope);
    put_names(request, out);
    (void)buf_printf(out, ",Signature=%s", hex);
    return !text.failed && !out->failed;
}
