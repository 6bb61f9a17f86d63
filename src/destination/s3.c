/* destination/s3.c - deliver into a bucket of an S3 server: Amazon's, MinIO, Ceph, Swift, Garage and others.
 *
 *   locate   look whether the name is there: the first bytes of it are got, which needs no body sent
 *   write    PUT at once, or in parts when the document is larger than one; either is seen whole or not
 *            at all. If-None-Match: * where the server knows it, so that nobody's object is replaced
 *   verify   ETags are MD5; then size and hash (kept as metadata) are read back
 *
 * S3 has no rename: the name is proposed before the object is written. A key that may only write cannot
 * look; then the server must know If-None-Match, or the job must say overwrite. */
#include "base/cleanup.h"
#include "base/sha256.h"
#include "base/text.h"
#include "base/time.h"
#include "destination/s3-request.h"
#include "destination/site.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

enum {
    MIB = 1024 * 1024,
    PARTS_MAX = 10000,        /* of one object                                       */
    PART_XML_BYTES_MAX = 200, /* of one part in the list of them                      */
    QUERY_BYTES_MAX = 8192,
    UPLOAD_ID_SIZE = 1024,
    NAMES_BLIND_MAX = 20, /* tried by writing, when looking is forbidden          */
    ABANDONED_MAX = 20,   /* of earlier attempts, ended at a time                  */
    BLOCK_BYTES = 65536,
    MD5_SIZE = 16,
    MD5_TEXT_SIZE = 33,
    ETAG_SIZE = 128,
};

static const char *const style_words[] = { "path", "virtual", NULL };

static const Field s3_fields[] = {
    TEXT(S3Settings, endpoint, true,
         "Address of the server, for example https://s3.eu-central-1.amazonaws.com."),
    TEXT_PRESET(S3Settings, region, "us-east-1", "Region of the bucket; many servers ignore it."),
    TEXT(S3Settings, bucket, true, "Name of the bucket, which must exist."),
    TEXT(S3Settings, prefix, false,
         "What the names of all objects begin with, for example scans/in."),
    TEXT(S3Settings, access_key, true, "Access key."),
    SECRET(S3Settings, secret_key, "Secret of the access key."),
    CHOICE(
        S3Settings, style, style_words, S3_STYLE_PATH,
        "Where the bucket stands: path (https://host/bucket/), or virtual (https://bucket.host/)."),
    INTEGER(S3Settings, part_mib, 5, 5120, 16,
            "Documents larger than this are sent in parts of it."),
    TEXT(S3Settings, storage_class, false,
         "Storage class, for example STANDARD_IA; empty: the bucket's."),
    BOOLEAN(S3Settings, etag_is_md5, true,
            "Compare ETags; not for servers or encryption (SSE-KMS, SSE-C) whose ETag is no MD5."),
    TIMEOUT_FIELD(S3Settings),
    TLS_FIELDS(S3Settings),
    FIELDS_END,
};

static void *s3_open(const void *settings)
{
    const S3Settings *s = settings;
    S3Place *place = calloc(1, sizeof *place);

    if (place)
        place->transfer = http_transfer_new(s->endpoint, s->timeout_s, TLS_POLICY(s));
    if (place && place->transfer)
        return place;
    free(place);
    return NULL;
}

static void s3_close(void *connection)
{
    S3Place *place = connection;

    transfer_free(place->transfer);
    free(place);
}

/* --- keys ------------------------------------------------------------------------------------------- */

/* Parts of the prefix that HTTP would take for steps between folders. */
static bool prefix_is_sound(const char *prefix)
{
    while (*prefix) {
        size_t n = strcspn(prefix, "/");

        if (n == 0 || (n <= 2 && strspn(prefix, ".") >= n))
            return false;
        prefix += n + (prefix[n] == '/');
    }
    return true;
}

/* The key of a name: prefix, folder of the job, name. */
static bool make_key(const Errand *errand, const char *name, char ret_key[S3_KEY_SIZE])
{
    const S3Settings *s = errand->settings;
    const SiteOptions *options = errand->options;
    const char *prefix = s->prefix + strspn(s->prefix, "/");
    char folder[PATH_TEXT_SIZE];
    size_t n = strlen(prefix);
    Err err;

    if (!prefix_is_sound(prefix))
        return delivery_failed(errand->result, DELIVERY_CLASS_CONFIG, "locate", 0,
                               "Give the prefix as names with / between.",
                               "\"%.80s\" cannot be in front of names", s->prefix);
    if (!name_folder_resolve(options->folder, &errand->parcel->facts, folder, &err))
        return delivery_failed(errand->result, DELIVERY_CLASS_CONFIG, "locate", 0,
                               "Correct the folder in the job.", "%s", err.text);
    return text_printf(ret_key, S3_KEY_SIZE, "%s%s%s%s%s", prefix,
                       n > 0 && prefix[n - 1] != '/' ? "/" : "", folder, folder[0] ? "/" : "",
                       name) ||
           delivery_failed(errand->result, DELIVERY_CLASS_CONFIG, "locate", 0,
                           "Shorten prefix, folder and file name.",
                           "the key of %s becomes longer than %d bytes", name, S3_KEY_SIZE - 1);
}

/* --- looking ---------------------------------------------------------------------------------------- */

/* What is under a key. */
typedef struct S3Object {
    bool found;
    int64_t size_bytes; /* -1: not known */
    char sha256[SHA256_TEXT_SIZE];
} S3Object;

/* "bytes 0-0/12345"; a server that does not know ranges gives the whole. */
static int64_t size_of_answer(const Errand *errand)
{
    const char *slash = strchr(s3_header(errand, "Content-Range"), '/');
    const char *text = slash ? slash + 1 : s3_header(errand, "Content-Length");
    int64_t size = -1;

    (void)text_to_int(text, 0, INT64_MAX, &size);
    return size;
}

static bool look(const Errand *errand, const char *name, S3Object *ret)
{
    S3Place *place = errand->connection;
    char key[S3_KEY_SIZE];

    *ret = (S3Object){ .size_bytes = -1 };
    if (!make_key(errand, name, key))
        return false;
    const S3Request request = {
        .method = "GET", .stage = "locate", .key = key, .range = "bytes=0-0"
    };
    if (!s3_run(errand, &request))
        return false;
    if (s3_status(errand) == 404 && s3_code_is(errand, "NoSuchKey"))
        return true;
    if (s3_code_is(errand, "AccessDenied")) {
        place->blind = true; /* without the right to list, also for a key that is not there */
        return true;
    }
    bool archived = s3_code_is(errand, "InvalidObjectState"), empty = s3_status(errand) == 416;
    if (!archived && !empty && !s3_ok(errand, "locate"))
        return false;
    ret->found = true;
    ret->size_bytes = archived ? -1 : empty ? 0 : size_of_answer(errand);
    (void)text_copy(ret->sha256, sizeof ret->sha256, s3_header(errand, "x-amz-meta-platen-sha256"));
    return true;
}

/* For site_free_name. */
static bool look_for_name(const Errand *errand, const char *name, SiteFile *ret_file)
{
    S3Object object;

    if (!look(errand, name, &object))
        return false;
    *ret_file = (SiteFile){ .found = object.found, .plain = true, .size_bytes = object.size_bytes };
    return true;
}

static const SiteVerbs name_verbs = { .look = look_for_name };

static bool is_ours(const Errand *errand, const char *name, bool *ret_ours)
{
    S3Object object;

    if (!look(errand, name, &object))
        return false;
    *ret_ours = object.found && object.size_bytes == errand->parcel->size_bytes &&
                text_equal(object.sha256, errand->parcel->sha256);
    return true;
}

/* --- hashes ----------------------------------------------------------------------------------------- */

/* SHA-256 and MD5 of a stretch of the parcel. */
static bool hash_part(const Errand *errand, const TransferBody *part,
                      char ret_sha256[SHA256_TEXT_SIZE], char ret_md5[MD5_TEXT_SIZE])
{
    uint8_t block[BLOCK_BYTES], digest[EVP_MAX_MD_SIZE] = { 0 };
    EVP_MD_CTX *md5 = EVP_MD_CTX_new();
    bool ok = md5 && EVP_DigestInit_ex(md5, EVP_md5(), NULL) == 1;
    int64_t done = 0;
    Sha256 sha256;

    if (!ok)
        (void)delivery_failed(errand->result, DELIVERY_CLASS_CONFIG, "write", 0,
                              "Set etag_is_md5 to false, or allow MD5 in OpenSSL.",
                              "OpenSSL has no MD5 here");
    sha256_start(&sha256);
    while (ok && done < part->n_bytes) {
        size_t n = sizeof block;

        if (part->n_bytes - done < BLOCK_BYTES)
            n = (size_t)(part->n_bytes - done);
        ok = errand_read(errand, part->offset + done, block, n, &n);
        sha256_add(&sha256, (Bytes){ block, n });
        (void)EVP_DigestUpdate(md5, block, n);
        done += (int64_t)n;
    }
    if (ok)
        (void)EVP_DigestFinal_ex(md5, digest, NULL);
    EVP_MD_CTX_free(md5);
    sha256_finish(&sha256, ret_sha256);
    text_hex(ret_md5, (Bytes){ digest, MD5_SIZE });
    return ok;
}

/* The ETag of the last answer without its quotation marks; it goes into XML as it is. */
static bool take_etag(const Errand *errand, const char *md5, char ret_etag[ETAG_SIZE])
{
    const S3Settings *s = errand->settings;
    const char *header = s3_header(errand, "ETag");
    size_t n = strlen(header);

    if (n >= 2 && header[0] == '"' && header[n - 1] == '"')
        (void)text_copy_bytes(ret_etag, ETAG_SIZE, (Bytes){ (const uint8_t *)header + 1, n - 2 });
    else
        (void)text_copy(ret_etag, ETAG_SIZE, header);
    if (strpbrk(ret_etag, "<>&\""))
        ret_etag[0] = '\0';
    if (!s->etag_is_md5 || text_equal_nocase(ret_etag, md5))
        return true;
    return delivery_failed(errand->result, DELIVERY_CLASS_RETRY, "verify", 0,
                           "Check the disk of the server; if its ETags are no MD5, set etag_is_md5 "
                           "to false.",
                           "the server has something else: ETag \"%s\" instead of \"%s\"", ret_etag,
                           md5);
}

/* --- writing ---------------------------------------------------------------------------------------- */

/* One object on its way. */
typedef struct Upload {
    const Errand *errand;
    char key[S3_KEY_SIZE];
    bool careful; /* replaces nothing */
    char id[UPLOAD_ID_SIZE];
    Buf parts; /* as XML */
} Upload;

/* Nobody can look whether everything that was sent has arrived. */
static bool lost(const Upload *upload)
{
    const S3Place *place = upload->errand->connection;
    DeliveryResult *result = upload->errand->result;

    if (place->blind && upload->careful && result->class == DELIVERY_CLASS_RETRY &&
        transfer_all_sent(place->transfer)) {
        result->class = DELIVERY_CLASS_UNKNOWN;
        (void)text_copy(
            result->cure, sizeof result->cure,
            "Look into the bucket before it is tried again, or allow the access key to.");
    }
    return false;
}

/* Was a condition too much for the server? It says 501, mostly before the body has come, and closes; then a
 * proxy in front says 502, and without one the connection may break before the answer is read. */
static bool condition_unknown(const Errand *errand, bool answered)
{
    const S3Place *place = errand->connection;
    int64_t code = errand->result->native_code;
    long status = s3_status(errand);

    if (status == 501 || (status == 502 && !place->blind))
        return true;
    return !answered && status == 0 && !place->blind &&
           (code == CURLE_SEND_ERROR || code == CURLE_RECV_ERROR || code == CURLE_GOT_NOTHING);
}

/* The request that makes the object appear. *ret_taken: there is one, and it was not replaced. */
static bool appear(const Upload *upload, S3Request *request, bool *ret_taken)
{
    const Errand *errand = upload->errand;
    S3Place *place = errand->connection;
    bool answered = false, done = false;

    *ret_taken = false;
    while (!done) {
        bool conditional = upload->careful && !place->unconditional;

        if (upload->careful && !conditional && place->blind)
            return delivery_failed(
                errand->result, DELIVERY_CLASS_CONFIG, "write", 0,
                "Allow the access key to list and get, or let the job overwrite.",
                "neither we nor the server can see whether the name is taken");
        request->if_none_match = conditional ? "*" : NULL;
        answered = s3_run(errand, request);
        done = !conditional || !condition_unknown(errand, answered);
        place->unconditional = place->unconditional || !done;
    }
    if (!answered)
        return lost(upload);
    *ret_taken = request->if_none_match && s3_status(errand) == 412;
    return *ret_taken || s3_ok(errand, "write");
}

static bool put_whole(const Upload *upload, bool *ret_taken)
{
    const S3Settings *s = upload->errand->settings;
    const Parcel *parcel = upload->errand->parcel;
    const TransferBody whole = { .n_bytes = parcel->size_bytes };
    char sha256[SHA256_TEXT_SIZE], md5[MD5_TEXT_SIZE], etag[ETAG_SIZE];
    S3Request request = { .method = "PUT",
                          .stage = "write",
                          .key = upload->key,
                          .part = &whole,
                          .payload_sha256 = sha256,
                          .media_type = media_type_of(parcel->name),
                          .object_sha256 = parcel->sha256,
                          .storage_class = s->storage_class };

    if (!hash_part(upload->errand, &whole, sha256, md5) ||
        (!text_equal(sha256, parcel->sha256) && !errand_source_sound(upload->errand)))
        return false;
    return appear(upload, &request, ret_taken) &&
           (*ret_taken || take_etag(upload->errand, md5, etag));
}

/* --- parts ------------------------------------------------------------------------------------------ */

static bool initiate(Upload *upload)
{
    const S3Settings *s = upload->errand->settings;
    const S3Place *place = upload->errand->connection;
    const Parcel *parcel = upload->errand->parcel;
    const S3Request request = { .method = "POST",
                                .stage = "write",
                                .key = upload->key,
                                .query = "uploads=",
                                .media_type = media_type_of(parcel->name),
                                .object_sha256 = parcel->sha256,
                                .storage_class = s->storage_class };

    if (!s3_run(upload->errand, &request) || !s3_ok(upload->errand, "write"))
        return false;
    if (s3_member(transfer_body(place->transfer), "UploadId", upload->id, sizeof upload->id) &&
        upload->id[0])
        return true;
    return transfer_failed(place->transfer, DELIVERY_CLASS_CONFIG, "write",
                           "Correct the endpoint: it may be no S3 server.",
                           "no upload in parts was begun");
}

/* "uploadId=..." behind other members. */
static bool put_upload_id(Buf *query, const char *id)
{
    (void)buf_put_text(query, "uploadId=");
    return url_put(query, id);
}

static bool send_part(Upload *upload, unsigned number, const TransferBody *part)
{
    AUTO_BUF query = buf_with_max(QUERY_BYTES_MAX);
    char sha256[SHA256_TEXT_SIZE], md5[MD5_TEXT_SIZE], etag[ETAG_SIZE];

    (void)buf_printf(&query, "partNumber=%u&", number);
    (void)put_upload_id(&query, upload->id);
    if (!hash_part(upload->errand, part, sha256, md5))
        return false;
    const S3Request request = { .method = "PUT",
                                .stage = "write",
                                .key = upload->key,
                                .query = buf_text(&query),
                                .part = part,
                                .payload_sha256 = sha256 };
    if (!s3_run(upload->errand, &request) || !s3_ok(upload->errand, "write") ||
        !take_etag(upload->errand, md5, etag))
        return false;
    (void)buf_printf(&upload->parts,
                     "<Part><PartNumber>%u</PartNumber><ETag>&quot;%s&quot;</ETag></Part>", number,
                     etag);
    return true;
}

static bool send_parts(Upload *upload)
{
    const S3Settings *s = upload->errand->settings;
    int64_t size = upload->errand->parcel->size_bytes, step = s->part_mib * MIB;
    unsigned number = 0;

    if (step < (size + PARTS_MAX - 1) / PARTS_MAX)
        step = (size + PARTS_MAX - 1) / PARTS_MAX;
    for (int64_t offset = 0; offset < size; offset += step) {
        int64_t left = size - offset;
        const TransferBody part = { .offset = offset, .n_bytes = left < step ? left : step };

        if (!send_part(upload, ++number, &part))
            return false;
    }
    return true;
}

static bool complete(Upload *upload, bool *ret_taken)
{
    AUTO_BUF query = buf_with_max(QUERY_BYTES_MAX);
    AUTO_BUF xml = buf_with_max((size_t)PARTS_MAX * PART_XML_BYTES_MAX + QUERY_BYTES_MAX);

    (void)buf_put_text(&xml, "<CompleteMultipartUpload "
                             "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
    (void)buf_put(&xml, buf_bytes(&upload->parts));
    (void)buf_put_text(&xml, "</CompleteMultipartUpload>");
    if (!put_upload_id(&query, upload->id) || xml.failed)
        return delivery_failed(upload->errand->result, DELIVERY_CLASS_RETRY, "write", 0,
                               "Give the server more memory.", "no memory for the list of parts");
    S3Request request = { .method = "POST",
                          .stage = "write",
                          .key = upload->key,
                          .query = buf_text(&query),
                          .body = buf_bytes(&xml),
                          .media_type = "application/xml" };
    return appear(upload, &request, ret_taken);
}

/* Ends an upload in parts, so that nothing of it stays. What happened before is what is told. */
static void end_upload(const Errand *errand, const char *key, const char *id)
{
    AUTO_BUF query = buf_with_max(QUERY_BYTES_MAX);
    DeliveryResult why = *errand->result;

    if (why.peer_lost || !put_upload_id(&query, id))
        return; /* the next attempt ends it: end_abandoned() */
    const S3Request request = {
        .method = "DELETE", .stage = "remove", .key = key, .query = buf_text(&query)
    };
    (void)s3_run(errand, &request);
    *errand->result = why;
}

static bool put_parts(Upload *upload, bool *ret_taken)
{
    *ret_taken = false;
    if (!errand_source_sound(upload->errand) || !initiate(upload))
        return false;
    upload->parts = buf_with_max((size_t)PARTS_MAX * PART_XML_BYTES_MAX);
    bool ok = send_parts(upload) && complete(upload, ret_taken);
    buf_done(&upload->parts);
    if (!ok || *ret_taken)
        end_upload(upload->errand, upload->key, upload->id);
    return ok;
}

static bool in_parts(const Errand *errand)
{
    const S3Settings *s = errand->settings;

    return errand->parcel->size_bytes > s->part_mib * MIB;
}

/* Ends uploads that an earlier attempt could not end. They are ours: the name was reserved for us. */
static bool end_abandoned(const Errand *errand, const char *name)
{
    AUTO_BUF query = buf_with_max(QUERY_BYTES_MAX), xml = buf_with_max(QUERY_BYTES_MAX * 128);
    const S3Place *place = errand->connection;
    char key[S3_KEY_SIZE], found[S3_KEY_SIZE], id[UPLOAD_ID_SIZE];
    unsigned ended = 0;

    if (!make_key(errand, name, key))
        return false;
    (void)buf_put_text(&query, "prefix=");
    (void)url_put(&query, key);
    (void)buf_put_text(&query, "&uploads=");
    const S3Request request = { .method = "GET", .stage = "locate", .query = buf_text(&query) };
    if (!s3_run(errand, &request))
        return false;
    if (s3_status(errand) != 200)
        return true; /* not allowed, or not known: a rule of the bucket has to end them */
    (void)buf_put_text(&xml, transfer_body(place->transfer));
    for (const char *at = strstr(buf_text(&xml), "<Upload>"); at && ended < ABANDONED_MAX;
         at = strstr(at + 1, "<Upload>"))
        if (s3_member(at, "Key", found, sizeof found) && text_equal(found, key) &&
            s3_member(at, "UploadId", id, sizeof id)) {
            end_upload(errand, key, id);
            ended++;
        }
    return true;
}

/* --- delivery --------------------------------------------------------------------------------------- */

/* Writes the parcel under a name that was proposed, and looks at it. */
static bool store(const Errand *errand, const char *name, bool *ret_taken)
{
    const SiteOptions *options = errand->options;
    const S3Place *place = errand->connection;
    Upload upload = { .errand = errand, .careful = options->same_name != SAME_NAME_OVERWRITE };
    bool ours = true;

    if (!make_key(errand, name, upload.key))
        return false;
    if (!(in_parts(errand) ? put_parts(&upload, ret_taken) : put_whole(&upload, ret_taken)))
        return false;
    if (*ret_taken)
        return true;
    if (!place->blind && !is_ours(errand, name, &ours))
        return false;
    return ours || delivery_failed(errand->result, DELIVERY_CLASS_RETRY, "verify", 0,
                                   "Look into the bucket: something else may have replaced it.",
                                   "%s is there, but not as it was sent", name);
}

/* Proposes, then stores. */
static bool take(const Errand *errand, const char *name, bool *ret_taken)
{
    *ret_taken = false;
    return errand_propose(errand, name) && store(errand, name, ret_taken) &&
           (*ret_taken || errand_done(errand, "verify", name));
}

static bool take_numbered(const Errand *errand)
{
    const S3Place *place = errand->connection;
    char name[FILE_NAME_BYTES_MAX + 1];
    bool taken = true;

    for (uint32_t n = 1; taken; n++) {
        if (place->blind && n > NAMES_BLIND_MAX)
            return delivery_failed(errand->result, DELIVERY_CLASS_CONFIG, "write", 0,
                                   "Allow the access key to list and get in the bucket.",
                                   "%s and %d numbered names are taken, and we may not look",
                                   errand->parcel->name, NAMES_BLIND_MAX - 1);
        if (!site_free_name(&name_verbs, errand, &n, name) || !take(errand, name, &taken))
            return false;
    }
    return true;
}

static bool refuse_taken(const Errand *errand)
{
    return delivery_failed(errand->result, DELIVERY_CLASS_FATAL, "write", 0,
                           "Remove the object there, or let the job number or overwrite.",
                           "%s is there already, and the job says refuse", errand->parcel->name);
}

/* Looks at what an earlier attempt may have left under the name that it was allowed to use. */
static bool finish_earlier(const Errand *errand, bool *ret_done)
{
    const char *reserved = errand->parcel->reserved;

    *ret_done = false;
    if (!reserved[0])
        return true;
    if (!is_ours(errand, reserved, ret_done) ||
        (in_parts(errand) && !end_abandoned(errand, reserved)))
        return false;
    return !*ret_done || errand_done(errand, "verify", reserved);
}

static bool deliver(const Errand *errand)
{
    const SiteOptions *options = errand->options;
    const Parcel *parcel = errand->parcel;
    S3Object object = { .found = false };
    bool done = false, taken = true;

    if (!finish_earlier(errand, &done) || done)
        return done;
    if (options->same_name == SAME_NAME_NUMBER) {
        if (parcel->reserved[0] && (!look(errand, parcel->reserved, &object) ||
                                    (!object.found && !take(errand, parcel->reserved, &taken))))
            return false;
        return !taken || take_numbered(errand);
    }
    if (!look(errand, parcel->name, &object))
        return false;
    if (object.found && options->same_name == SAME_NAME_REFUSE)
        return refuse_taken(errand);
    return take(errand, parcel->name, &taken) && (!taken || refuse_taken(errand));
}

static void s3_deliver(const Errand *errand)
{
    (void)deliver(errand);
}

/* --- test ------------------------------------------------------------------------------------------- */

static bool remove_object(const Errand *errand, const char *name)
{
    char key[S3_KEY_SIZE];

    if (!make_key(errand, name, key))
        return false;
    const S3Request request = { .method = "DELETE", .stage = "remove", .key = key };
    return s3_run(errand, &request) && s3_ok(errand, "remove");
}

static void s3_test(const Errand *errand)
{
    const char *name = errand->parcel->name;
    const DeliveryTalk *talk = errand->talk;
    Mono begun = mono_now(), looked, written;
    S3Object object;
    bool taken;

    if (!look(errand, name, &object))
        return;
    looked = mono_now();
    talk->passed(talk->arg, "locate", looked.ms - begun.ms);
    if (!store(errand, name, &taken) || (taken && !refuse_taken(errand)))
        return;
    written = mono_now();
    talk->passed(talk->arg, "write", written.ms - looked.ms);
    if (!remove_object(errand, name))
        return;
    talk->passed(talk->arg, "remove", mono_now().ms - written.ms);
    (void)errand_done(errand, "remove", "");
}

extern const DestinationType destination_s3;
const DestinationType destination_s3 = {
    .name = "s3",
    .title = "S3 bucket",
    .fields = s3_fields,
    .settings_size = sizeof(S3Settings),
    .options = site_option_fields,
    .options_size = sizeof(SiteOptions),
    .traits = DESTINATION_RENAMES, /* an object appears whole */
    .open = s3_open,
    .close = s3_close,
    .deliver = s3_deliver,
    .test = s3_test,
};
