/* destination/s3-request.c - see s3-request.h. */
#include "destination/s3-request.h"

#include "base/cleanup.h"
#include "base/sha256.h"
#include "base/text.h"
#include "destination/sigv4.h"

#include <string.h>

enum {
    HOST_SIZE = 512,
    URL_BYTES_MAX = 8192,
    AUTHORIZATION_BYTES_MAX = 1024,
    MESSAGE_SIZE = 100,
    ENTITY_CHARS_MAX = 8,
};

static Transfer *transfer_of(const Errand *errand)
{
    return ((S3Place *)errand->connection)->transfer;
}

/* --- addresses -------------------------------------------------------------------------------------- */

/* Where a request goes: the host as it is sent and signed, the path encoded. */
typedef struct S3Address {
    char scheme[16], host[HOST_SIZE];
    Buf path;
} S3Address;

static void put_key(Buf *path, const char *key)
{
    char one[2] = { 0 };

    for (; *key; key++) {
        one[0] = *key;
        (void)(one[0] == '/' ? buf_put_u8(path, '/') : url_put(path, one));
    }
}

/* Takes the endpoint apart: scheme://host[:port][/path]. */
static bool find_address(const Errand *errand, const char *key, S3Address *ret)
{
    const S3Settings *s = errand->settings;
    const char *host = strstr(s->endpoint, "://");
    bool virtual = s->style == S3_STYLE_VIRTUAL;
    char name[HOST_SIZE];

    *ret = (S3Address){ .path = buf_with_max(URL_BYTES_MAX) };
    if (!host ||
        !text_copy_bytes(ret->scheme, sizeof ret->scheme,
                         (Bytes){ (const uint8_t *)s->endpoint, (size_t)(host - s->endpoint) }))
        return false;
    host += 3;
    size_t n = strcspn(host, "/?#");
    if (n == 0 || !text_copy_bytes(name, sizeof name, (Bytes){ (const uint8_t *)host, n }) ||
        !text_printf(ret->host, sizeof ret->host, "%s%s%s", virtual ? s->bucket : "",
                     virtual ? "." : "", name))
        return false;
    for (host += n; host[0] == '/' && host[1]; host += 1 + strcspn(host + 1, "/"))
        (void)buf_put(&ret->path, (Bytes){ (const uint8_t *)host, 1 + strcspn(host + 1, "/") });
    (void)buf_put_u8(&ret->path, '/');
    if (!virtual) {
        (void)url_put(&ret->path, s->bucket);
        (void)buf_put_text(&ret->path, key ? "/" : "");
    }
    put_key(&ret->path, key ? key : "");
    return !ret->path.failed;
}

/* --- running ---------------------------------------------------------------------------------------- */

/* The headers that are signed, in order of name. */
typedef struct Signed {
    SigV4Header headers[SIGV4_HEADERS_MAX];
    size_t n;
} Signed;

static void add_signed(Signed *list, const char *name, const char *value)
{
    if (value && value[0])
        list->headers[list->n++] = (SigV4Header){ name, value };
}

static bool authorize(const Errand *errand, const S3Request *request, const S3Address *address,
                      const char *sha256, Signed *list)
{
    const S3Settings *s = errand->settings;
    AUTO_BUF authorization = buf_with_max(AUTHORIZATION_BYTES_MAX),
             path = buf_with_max(URL_BYTES_MAX);

    (void)buf_put(&path, buf_bytes(&address->path));
    const SigV4Request to_sign = { .method = request->method,
                                   .path = buf_text(&path),
                                   .query = request->query ? request->query : "",
                                   .headers = list->headers,
                                   .header_count = list->n,
                                   .payload_sha256 = sha256,
                                   .region = s->region,
                                   .access_key = s->access_key,
                                   .secret_key = s->secret_key };

    if (!sigv4_authorize(&to_sign, &authorization))
        return transfer_failed(transfer_of(errand), DELIVERY_CLASS_CONFIG, request->stage,
                               "Shorten prefix, folder and file name.",
                               "the request becomes too long to be signed");
    for (size_t i = 0; i < list->n; i++)
        http_header(transfer_of(errand), "%s: %s", list->headers[i].name, list->headers[i].value);
    http_header(transfer_of(errand), "Authorization: %s", buf_text(&authorization));
    return true;
}

static void hash_body(Bytes body, char ret_sha256[SHA256_TEXT_SIZE])
{
    Sha256 hash;

    sha256_start(&hash);
    sha256_add(&hash, body);
    sha256_finish(&hash, ret_sha256);
}

static bool begin(const Errand *errand, const S3Request *request, S3Address *address)
{
    static const HttpLogin none = { "", HTTP_AUTH_NONE, "", "", false };
    AUTO_BUF url = buf_with_max(URL_BYTES_MAX);
    Transfer *transfer = transfer_of(errand);

    (void)transfer_begin(transfer, errand);
    if (!find_address(errand, request->key, address))
        return transfer_failed(transfer, DELIVERY_CLASS_CONFIG, "resolve",
                               "Give the endpoint as https://HOST.", "the endpoint is no address");
    (void)buf_printf(&url, "%s://%s%s%s%s", address->scheme, address->host,
                     buf_text(&address->path), request->query ? "?" : "",
                     request->query ? request->query : "");
    CURL *curl = http_begin(transfer, errand, &none, request->method, buf_text(&url));
    if (curl)
        curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
    return curl != NULL;
}

static bool run_at(const Errand *errand, const S3Request *request, S3Address *address)
{
    /* Any answer is looked at here: its code counts. */
    static const TransferReply all[] = {
        { 200, 599, DELIVERY_CLASS_OK, NULL, NULL },
        { .first = 0 },
    };
    Transfer *transfer = transfer_of(errand);
    char date[SIGV4_TIME_SIZE], sha256[SHA256_TEXT_SIZE];
    const char *payload = request->payload_sha256 ? request->payload_sha256 : sha256;
    Signed list = { .n = 0 };

    if (!begin(errand, request, address))
        return false;
    hash_body(request->body, sha256);
    sigv4_time(wall_now(), date);
    add_signed(&list, "content-type", request->media_type);
    add_signed(&list, "host", address->host);
    add_signed(&list, "x-amz-content-sha256", payload);
    add_signed(&list, "x-amz-date", date);
    add_signed(&list, "x-amz-meta-platen-sha256", request->object_sha256);
    add_signed(&list, "x-amz-storage-class", request->storage_class);
    if (!authorize(errand, request, address, payload, &list))
        return false;
    if (request->range)
        http_header(transfer, "Range: %s", request->range);
    if (request->if_none_match)
        http_header(transfer, "If-None-Match: %s", request->if_none_match);
    if (request->part)
        transfer_send(transfer, request->part);
    else if (text_equal(request->method, "PUT") || text_equal(request->method, "POST"))
        transfer_send(transfer, &(TransferBody){ .before = request->body });
    return transfer_run(transfer, request->stage, all);
}

bool s3_run(const Errand *errand, const S3Request *request)
{
    S3Address address;
    bool ok = run_at(errand, request, &address);

    buf_done(&address.path);
    return ok;
}

/* --- answers ---------------------------------------------------------------------------------------- */

long s3_status(const Errand *errand)
{
    return transfer_code(transfer_of(errand));
}

const char *s3_header(const Errand *errand, const char *name)
{
    return http_answer_header(transfer_of(errand), name);
}

/* One of the five entities of XML, at *at, which moves behind it. */
static char entity(const char **at)
{
    static const struct {
        const char *name;
        char is;
    } rows[] = { { "&amp;", '&' },   { "&lt;", '<' },  { "&gt;", '>' },  { "&quot;", '"' },
                 { "&apos;", '\'' }, { "&#34;", '"' }, { "&#39;", '\'' } };

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (text_starts_with(*at, rows[i].name)) {
            *at += strlen(rows[i].name);
            return rows[i].is;
        }
    return *(*at)++;
}

bool s3_member(const char *xml, const char *name, char *ret_text, size_t size)
{
    char tag[S3_CODE_SIZE];
    size_t n = 0;

    ret_text[0] = '\0';
    (void)text_printf(tag, sizeof tag, "<%s>", name);
    const char *at = strstr(xml, tag);
    if (!at)
        return false;
    for (at += strlen(tag); *at && *at != '<' && n < size - 1;)
        ret_text[n++] = entity(&at);
    ret_text[n] = '\0';
    return *at == '<';
}

static void code_of(const Errand *errand, char ret_code[S3_CODE_SIZE])
{
    const char *xml = transfer_body(transfer_of(errand));

    ret_code[0] = '\0';
    if (strstr(xml, "<Error>") || strstr(xml, "<Error "))
        (void)s3_member(xml, "Code", ret_code, S3_CODE_SIZE);
}

bool s3_code_is(const Errand *errand, const char *code)
{
    char is[S3_CODE_SIZE];

    code_of(errand, is);
    return text_equal(is, code);
}

static const char keys_cure[] = "Correct access_key and secret_key.";
static const char rights_cure[] =
    "Allow the access key to list, get, put, delete and abort in the bucket, below the prefix.";
static const char again_cure[] = "Nothing: it is tried again.";
static const char room_cure[] = "Make room on the server, or raise the quota of the bucket.";

/* Codes of errors (Amazon S3 API reference, "Error responses"; the last of them MinIO's and Ceph's).
 * stage NULL: the one of the request. */
static const struct {
    const char *code;
    DeliveryClass class;
    const char *stage, *cure;
} code_rows[] = {
    { "InvalidAccessKeyId", DELIVERY_CLASS_AUTH, "login", keys_cure },
    { "SignatureDoesNotMatch", DELIVERY_CLASS_AUTH, "login", keys_cure },
    { "RequestTimeTooSkewed", DELIVERY_CLASS_RETRY, "login", "Set the clocks of both servers." },
    { "AuthorizationHeaderMalformed", DELIVERY_CLASS_CONFIG, "login",
      "Correct the region to the one that the server names." },
    { "PermanentRedirect", DELIVERY_CLASS_CONFIG, "locate",
      "Give the endpoint and region of the bucket." },
    { "TemporaryRedirect", DELIVERY_CLASS_CONFIG, "locate",
      "Give the endpoint and region of the bucket." },
    { "NoSuchBucket", DELIVERY_CLASS_CONFIG, "locate", "Make the bucket, or correct its name." },
    { "InvalidBucketName", DELIVERY_CLASS_CONFIG, "locate", "Correct the name of the bucket." },
    { "AccessDenied", DELIVERY_CLASS_CONFIG, NULL, rights_cure },
    { "KeyTooLongError", DELIVERY_CLASS_CONFIG, NULL, "Shorten prefix, folder and file name." },
    { "InvalidStorageClass", DELIVERY_CLASS_CONFIG, NULL, "Correct storage_class." },
    { "EntityTooLarge", DELIVERY_CLASS_FATAL, NULL,
      "Make part_mib smaller than the server's limit." },
    { "BadDigest", DELIVERY_CLASS_RETRY, "verify", again_cure },
    { "XAmzContentSHA256Mismatch", DELIVERY_CLASS_RETRY, "verify", again_cure },
    { "IncompleteBody", DELIVERY_CLASS_RETRY, NULL, again_cure },
    { "RequestTimeout", DELIVERY_CLASS_RETRY, NULL, again_cure },
    { "OperationAborted", DELIVERY_CLASS_RETRY, NULL, again_cure },
    { "ConditionalRequestConflict", DELIVERY_CLASS_RETRY, NULL, again_cure },
    { "NoSuchUpload", DELIVERY_CLASS_RETRY, NULL, again_cure },
    { "InvalidPart", DELIVERY_CLASS_RETRY, NULL, again_cure },
    { "QuotaExceeded", DELIVERY_CLASS_RETRY, NULL, room_cure },
    { "XMinioStorageFull", DELIVERY_CLASS_RETRY, NULL, room_cure },
};

/* What a status means when its code is not known, or it has none. */
static const TransferReply status_rows[] = {
    { 200, 299, DELIVERY_CLASS_RETRY, NULL, again_cure }, /* an error in a late answer */
    { 300, 399, DELIVERY_CLASS_CONFIG, "locate", "Give the endpoint and region of the bucket." },
    { 401, 401, DELIVERY_CLASS_AUTH, "login", keys_cure },
    { 403, 403, DELIVERY_CLASS_CONFIG, NULL, rights_cure },
    { 404, 405, DELIVERY_CLASS_CONFIG, "locate", "Correct the endpoint: it may be no S3 server." },
    { 408, 408, DELIVERY_CLASS_RETRY, NULL, again_cure },
    { 429, 429, DELIVERY_CLASS_RETRY, NULL, "Nothing: it is tried again, less often." },
    { 413, 413, DELIVERY_CLASS_FATAL, NULL, "Raise the size limit of the server." },
    { 400, 499, DELIVERY_CLASS_FATAL, NULL, "Look at the log of the server." },
    { 501, 501, DELIVERY_CLASS_CONFIG, NULL, "The server lacks what is needed: use another." },
    { 507, 507, DELIVERY_CLASS_RETRY, NULL, room_cure },
    { 500, 599, DELIVERY_CLASS_RETRY, NULL, "Look at the log of the server." },
};

static bool fail(const Errand *errand, const char *stage, const char *code)
{
    Transfer *transfer = transfer_of(errand);
    char message[MESSAGE_SIZE];
    long status = s3_status(errand);
    curl_off_t wait_s = 0;
    const TransferReply *row = NULL;
    TransferReply by_code;

    (void)s3_member(transfer_body(transfer), "Message", message, sizeof message);
    for (size_t i = 0; i < COUNT_OF(status_rows) && !row; i++)
        if (status >= status_rows[i].first && status <= status_rows[i].last)
            row = &status_rows[i];
    for (size_t i = 0; i < COUNT_OF(code_rows); i++)
        if (text_equal(code, code_rows[i].code)) {
            by_code = (TransferReply){ .class = code_rows[i].class,
                                       .stage = code_rows[i].stage,
                                       .cure = code_rows[i].cure };
            row = &by_code;
        }
    if (!row) /* transfer_run lets no other status through */
        row = &status_rows[COUNT_OF(status_rows) - 1];
    (void)transfer_failed(transfer, row->class, row->stage ? row->stage : stage, row->cure,
                          "the server answered %ld%s%s%s%s", status, code[0] ? " " : "", code,
                          message[0] ? ": " : "", message);
    curl_easy_getinfo(transfer_handle(transfer), CURLINFO_RETRY_AFTER, &wait_s);
    errand->result->retry_after_s = wait_s;
    return false;
}

bool s3_ok(const Errand *errand, const char *stage)
{
    char code[S3_CODE_SIZE];
    long status = s3_status(errand);

    code_of(errand, code);
    return (status >= 200 && status <= 299 && !code[0]) || fail(errand, stage, code);
}
