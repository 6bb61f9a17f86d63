/* destination/webhook.c - deliver by one POST to a program that takes documents (docs/webhook.md).
 *
 * The body is multipart/form-data (RFC 7578): the facts as JSON, then the file. It is the same in every
 * attempt, and so is Idempotency-Key: whoever remembers the keys may be sent everything twice. The file
 * is read once before it is sent, for the signature, which therefore stands in a header. */
#include "base/hmac.h"
#include "base/sha256.h"
#include "base/text.h"
#include "base/time.h"
#include "destination/form.h"
#include "json/json.h"

#include <string.h>

enum {
    SECRET_SIZE = 256,
    HEADERS_SIZE = 4096,
    ACCEPTED_SIZE = 128,
    ACCEPTED_MAX = 16, /* statuses or ranges of them */
    PART_SIZE = 64,
    FACTS_SIZE = 1024,
    FACT_BYTES_MAX = 2048, /* one of them, its tokens resolved       */
    BLOCK_BYTES = 65536,
    SIGNATURE_SIZE = 80,
};

typedef struct WebhookSettings {
    HTTP_MEMBERS;
    char secret[SECRET_SIZE], headers[HEADERS_SIZE], accepted[ACCEPTED_SIZE];
    char facts_part[PART_SIZE], file_part[PART_SIZE];
} WebhookSettings;

static const Field webhook_fields[] = {
    HTTP_FIELDS(WebhookSettings, HTTP_AUTH_NONE, "Address that takes documents, with https://."),
    SECRET(WebhookSettings, secret,
           "Key of the signature that the receiver knows as well; empty: nothing is signed."),
    SECRET(WebhookSettings, headers, "Further headers, one a line: Name: value."),
    TEXT_PRESET(
        WebhookSettings, accepted, "200-299",
        "Statuses that mean the document was taken: numbers and ranges with commas between."),
    TEXT_PRESET(WebhookSettings, facts_part, "facts", "Name of the part with the facts."),
    TEXT_PRESET(WebhookSettings, file_part, "file", "Name of the part with the file."),
    FIELDS_END,
};

typedef struct WebhookOptions {
    char fields[FACTS_SIZE];
} WebhookOptions;

static const Field webhook_options[] = {
    PATTERN(WebhookOptions, fields, FIELD_PATTERN_TEXT,
            "Further facts, one a line: name = text with tokens such as {job}."),
    FIELDS_END,
};

static void *webhook_open(const void *settings)
{
    const WebhookSettings *s = settings;

    return HTTP_TRANSFER(s);
}

static void webhook_close(void *connection)
{
    transfer_free(connection);
}

/* --- lines of settings ------------------------------------------------------------------------------ */

static const char blanks[] = " \t";

/* The next piece of a text before the separator, without blanks around it; false at the end. */
static bool next_piece(Bytes *rest, char separator, Bytes *ret_piece)
{
    if (rest->n == 0)
        return false;
    *ret_piece = bytes_trimmed(bytes_take_until(rest, separator), blanks);
    return true;
}

/* Splits "name<sign>value"; both copied without blanks around them, neither may be empty. */
static bool split(Bytes line, char sign, char *ret_name, size_t name_size, char *ret_value,
                  size_t value_size)
{
    Bytes name = bytes_take_until(&line, sign);

    return text_copy_bytes(ret_name, name_size, bytes_trimmed(name, blanks)) &&
           text_copy_bytes(ret_value, value_size, bytes_trimmed(line, blanks)) && ret_name[0] &&
           ret_value[0];
}

/* --- facts ------------------------------------------------------------------------------------------ */

/* What the job adds: "name = text" lines, as members of an object. */
static bool put_fields(const Errand *errand, Json *facts)
{
    const WebhookOptions *options = errand->options;
    Json *fields = json_new_object();
    Bytes rest = bytes_of_text(options->fields), line;

    json_set_take(facts, "fields", fields);
    while (next_piece(&rest, '\n', &line)) {
        AUTO_BUF text = buf_with_max(FACT_BYTES_MAX);
        char name[FACTS_SIZE], pattern[FACTS_SIZE];
        Err err = { 0 };

        if (line.n == 0)
            continue;
        if (!split(line, '=', name, sizeof name, pattern, sizeof pattern))
            return delivery_failed(errand->result, DELIVERY_CLASS_CONFIG, "send", 0,
                                   "Write one fact a line in the job's fields: name = text.",
                                   "the fields of the job have a line without name = text");
        if (!name_text_resolve(pattern, &errand->parcel->facts, &text, &err))
            return delivery_failed(errand->result, DELIVERY_CLASS_CONFIG, "send", 0,
                                   "Correct the fields in the job.", "%s: %s", name, err.text);
        json_set_text(fields, name, buf_text(&text));
    }
    return true;
}

static Json *file_facts(const Parcel *parcel)
{
    Json *file = json_new_object();

    json_set_text(file, "name", parcel->name);
    json_set_text(file, "media_type", media_type_of(parcel->name));
    json_set_int(file, "size", parcel->size_bytes);
    json_set_text(file, "sha256", parcel->sha256);
    return file;
}

/* The facts as JSON. event: "delivery" or "test". */
static bool put_facts(const Errand *errand, const char *event, Buf *out)
{
    const Parcel *parcel = errand->parcel;
    AUTO(Json) facts = json_new_object();
    char started[WALL_TEXT_SIZE];

    wall_format(parcel->facts.started, parcel->facts.utc_offset_min, started);
    json_set_text(facts, "event", event);
    json_set_text(facts, "delivery", parcel->delivery);
    json_set_text(facts, "job", parcel->facts.job);
    json_set_text(facts, "device", parcel->facts.device);
    json_set_text(facts, "started_at", started);
    json_set_int(facts, "document", parcel->facts.document);
    json_set_int(facts, "pages", parcel->facts.pages);
    json_set_take(facts, "file", file_facts(parcel));
    if (!put_fields(errand, facts))
        return false;
    return json_write(facts, out) ||
           delivery_failed(errand->result, DELIVERY_CLASS_RETRY, "send", 0,
                           "Give the server more memory.", "no memory for the facts");
}

/* --- body ------------------------------------------------------------------------------------------- */

/* One POST in the making. */
typedef struct Post {
    const Errand *errand;
    const char *event;
    Form form;
    int64_t timestamp_s;
    char signature[SIGNATURE_SIZE]; /* "" = none */
} Post;

static bool put_body(Post *post)
{
    const WebhookSettings *s = post->errand->settings;

    form_part(&post->form, s->facts_part, "application/json");
    return put_facts(post->errand, post->event, &post->form.before) &&
           form_file(&post->form, post->errand, s->file_part, "send");
}

/* Reads the file into the signature, and sees that it still is what was composed. */
static bool add_file(const Errand *errand, Hmac *hmac)
{
    uint8_t block[BLOCK_BYTES];
    char sha256[SHA256_TEXT_SIZE];
    int64_t offset = 0;
    size_t n = 1;
    Sha256 hash;

    sha256_start(&hash);
    for (; n > 0; offset += (int64_t)n) {
        if (!errand_read(errand, offset, block, sizeof block, &n))
            return false;
        sha256_add(&hash, (Bytes){ block, n });
        hmac_add(hmac, (Bytes){ block, n });
    }
    sha256_finish(&hash, sha256);
    return text_equal(sha256, errand->parcel->sha256) || errand_source_sound(errand);
}

/* HMAC-SHA256 of "<timestamp>." and the body. */
static bool sign(Post *post)
{
    const WebhookSettings *s = post->errand->settings;
    uint8_t mac[HMAC_SIZE];
    char hex[2 * HMAC_SIZE + 1], timestamp[32];
    Hmac hmac;

    post->timestamp_s = wall_now().ms / 1000;
    (void)text_printf(timestamp, sizeof timestamp, "%lld.", (long long)post->timestamp_s);
    hmac_start(&hmac, bytes_of_text(s->secret));
    hmac_add(&hmac, bytes_of_text(timestamp));
    hmac_add(&hmac, buf_bytes(&post->form.before));
    if (!add_file(post->errand, &hmac))
        return false;
    hmac_add(&hmac, buf_bytes(&post->form.after));
    hmac_finish(&hmac, mac);
    text_hex(hex, (Bytes){ mac, sizeof mac });
    if (s->secret[0])
        (void)text_printf(post->signature, sizeof post->signature, "sha256=%s", hex);
    return true;
}

/* --- headers ---------------------------------------------------------------------------------------- */

static bool is_header_name(const char *name)
{
    static const char *const ours[] = { "host",           "content-length",
                                        "content-type",   "transfer-encoding",
                                        "connection",     "expect",
                                        "idempotency-key" };

    for (size_t i = 0; i < COUNT_OF(ours); i++)
        if (text_equal_nocase(name, ours[i]))
            return false;
    for (const char *c = name; *c; c++) /* a token of RFC 9110, 5.6.2 */
        if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') ||
              strchr("!#$%&'*+-.^_`|~", *c)))
            return false;
    return !bytes_equal_nocase((Bytes){ (const uint8_t *)name, strnlen(name, 7) }, "platen-");
}

/* The further headers of the settings: they may hold keys, so their values are in no text. */
static bool put_headers(Transfer *transfer, const WebhookSettings *s)
{
    Bytes rest = bytes_of_text(s->headers), line;
    unsigned number = 0;

    while (next_piece(&rest, '\n', &line)) {
        char name[HEADERS_SIZE], value[HEADERS_SIZE];

        number++;
        if (line.n == 0)
            continue;
        if (!split(line, ':', name, sizeof name, value, sizeof value) || !is_header_name(name))
            return transfer_failed(transfer, DELIVERY_CLASS_CONFIG, "send",
                                   "Write one header a line, Name: value, none that HTTP or Platen "
                                   "itself sets.",
                                   "line %u of headers is no header that can be sent", number);
        if (text_starts_with(s->url, "http://") && !s->password_in_clear)
            return transfer_failed(transfer, DELIVERY_CLASS_CONFIG, "login",
                                   "Use https://, or allow it with password_in_clear.",
                                   "the headers would be readable on the way");
        http_header(transfer, "%s: %s", name, value);
    }
    return true;
}

/* --- answer ----------------------------------------------------------------------------------------- */

/* What answers mean besides those that were configured. A 404 is for this document alone: some receivers
 * answer so when they do not want it. */
static const TransferReply replies_after[] = {
    { 200, 299, DELIVERY_CLASS_CONFIG, NULL,
      "Correct the address, or add the status to those that are accepted." },
    { 425, 425, DELIVERY_CLASS_RETRY, NULL, "Nothing: it is tried again." },
    { 429, 429, DELIVERY_CLASS_RETRY, NULL, "Nothing: it is tried again, less often." },
    { 404, 405, DELIVERY_CLASS_FATAL, NULL, "Correct the address, then try the delivery again." },
    { 413, 413, DELIVERY_CLASS_FATAL, NULL, "Raise the size limit of the receiver." },
    { 409, 428, DELIVERY_CLASS_FATAL, NULL, "Look at the log of the receiver." },
};

typedef struct Replies {
    TransferReply rows[ACCEPTED_MAX + COUNT_OF(replies_after) + 1];
} Replies;

/* One status, or two with "-" between. */
static bool read_range(Bytes text, TransferReply *ret_row)
{
    const uint8_t *dash = memchr(text.p, '-', text.n);
    size_t n = dash ? (size_t)(dash - text.p) : text.n;
    int64_t first, last;

    if (!bytes_to_int(bytes_trimmed((Bytes){ text.p, n }, blanks), 200, 599, &first))
        return false;
    last = first;
    if (dash && !bytes_to_int(bytes_trimmed(bytes_after(text, n + 1), blanks), first, 599, &last))
        return false;
    *ret_row = (TransferReply){ (long)first, (long)last, DELIVERY_CLASS_OK, NULL, NULL };
    return true;
}

static bool read_replies(Transfer *transfer, const WebhookSettings *s, Replies *ret)
{
    Bytes rest = bytes_of_text(s->accepted), piece;
    size_t n = 0;

    *ret = (Replies){ 0 };
    while (next_piece(&rest, ',', &piece))
        if (n == ACCEPTED_MAX || !read_range(piece, &ret->rows[n++]))
            return transfer_failed(transfer, DELIVERY_CLASS_CONFIG, "send",
                                   "Give statuses as 200-299 or 200, 202.",
                                   "\"%s\" are no statuses to accept", s->accepted);
    for (size_t i = 0; i < COUNT_OF(replies_after); i++)
        ret->rows[n + i] = replies_after[i];
    return true;
}

/* --- sending ---------------------------------------------------------------------------------------- */

static bool exchange(const Post *post)
{
    const Errand *errand = post->errand;
    const WebhookSettings *s = errand->settings;
    const HttpLogin login = HTTP_LOGIN(s);
    Transfer *transfer = errand->connection;
    Replies replies;

    if (!http_begin(transfer, errand, &login, "POST", s->url) ||
        !read_replies(transfer, s, &replies) || !put_headers(transfer, s))
        return false;
    http_header(transfer, "Idempotency-Key: \"%s\"", errand->parcel->delivery);
    http_header(transfer, "Platen-Event: %s", post->event);
    if (post->signature[0]) {
        http_header(transfer, "Platen-Timestamp: %lld", (long long)post->timestamp_s);
        http_header(transfer, "Platen-Signature: %s", post->signature);
    }
    form_send(&post->form, transfer, errand);
    return transfer_run(transfer, "send", replies.rows);
}

static bool send_post(const Errand *errand, const char *event)
{
    Post post = { .errand = errand, .event = event };

    form_start(&post.form, errand);
    bool ok = put_body(&post) && sign(&post) && exchange(&post);
    form_done(&post.form);
    return ok;
}

static void webhook_deliver(const Errand *errand)
{
    if (send_post(errand, "delivery"))
        (void)errand_done(errand, "send", errand->parcel->name);
}

static void webhook_test(const Errand *errand)
{
    Mono begun = mono_now();

    if (!send_post(errand, "test"))
        return;
    errand->talk->passed(errand->talk->arg, "send", mono_now().ms - begun.ms);
    (void)errand_done(errand, "send", "");
}

extern const DestinationType destination_webhook;
const DestinationType destination_webhook = {
    .name = "webhook",
    .title = "Webhook",
    .fields = webhook_fields,
    .settings_size = sizeof(WebhookSettings),
    .options = webhook_options,
    .options_size = sizeof(WebhookOptions),
    .open = webhook_open,
    .close = webhook_close,
    .deliver = webhook_deliver,
    .test = webhook_test,
};
