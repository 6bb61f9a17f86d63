/* destination/sharepoint-call.c - see sharepoint-call.h. */
#include "destination/sharepoint-call.h"

#include "base/cleanup.h"
#include "base/text.h"

#include <string.h>

enum {
    URL_BYTES_MAX = 8000,
    DIGEST_S_PRESET = 1800,
    STATUS_FORBIDDEN = 403,
    STATUS_NOT_FOUND = 404,
};

/* --- versions --------------------------------------------------------------------------------------- */

enum { NUMBER_CHARS = 6 }; /* left for "_9999" behind a name */

static const SharepointVersion version_2013 = { false, 260, 128 - NUMBER_CHARS,
                                                "\"*:<>?/\\|#%~&{}" };
static const SharepointVersion version_2016 = { true, 260, 128 - NUMBER_CHARS, "\"*:<>?/\\|#%" };
static const SharepointVersion version_2019 = { true, 400, 255, "\"*:<>?/\\|#%" };

/* --- addresses -------------------------------------------------------------------------------------- */

/* 'It''s' of OData, in percent. Slashes stay. */
static void put_alias(Buf *url, const char *alias, const char *text)
{
    (void)buf_put_u8(url, strchr(buf_text(url), '?') ? '&' : '?');
    (void)buf_printf(url, "@%s='", alias);
    for (; *text; text++) {
        char one[2] = { *text, '\0' };

        if (*text == '/')
            (void)buf_put_u8(url, '/');
        else
            (void)(*text == '\'' ? buf_put_text(url, "%27%27") : url_put(url, one));
    }
    (void)buf_put_text(url, "'");
}

static bool put_call(const Errand *errand, const SharepointCall *call, Buf *url)
{
    const SharepointSettings *s = errand->settings;
    Sharepoint *sp = errand->connection;

    library_put_address(url, s->url);
    (void)buf_printf(url, "/_api/%s", call->resource);
    if (call->query)
        (void)buf_printf(url, "?%s", call->query);
    if (call->file)
        put_alias(url, "f", call->file);
    if (call->name)
        put_alias(url, "n", call->name);
    if (!url->failed)
        return true;
    (void)transfer_begin(sp->transfer, errand);
    return transfer_failed(sp->transfer, DELIVERY_CLASS_CONFIG, "locate",
                           "Choose shorter names of folders and files.", "the address is too long");
}

/* --- exchanges -------------------------------------------------------------------------------------- */

void sharepoint_answer_done(SharepointAnswer *answer)
{
    json_free(answer->json);
    answer->json = NULL;
}

static const char rights_cure[] = "Give the user the right to contribute to the library.";
static const char locked_cure[] = "Nothing: it is tried again when nobody edits the file.";

/* Codes come before statuses, which say little: many failures are a 400 or a 500. */
static const struct {
    int64_t code;
    DeliveryClass class;
    const char *cure;
} code_rows[] = {
    { SP_NOT_FOUND, DELIVERY_CLASS_CONFIG, "Make the library and its folders, or correct it." },
    { SP_PATH_NOT_FOUND, DELIVERY_CLASS_CONFIG, "Make the library and its folders." },
    { SP_DENIED, DELIVERY_CLASS_CONFIG, rights_cure },
    { SP_DIGEST, DELIVERY_CLASS_RETRY, "Compare the clocks of the servers of the farm." },
    { SP_DIGEST_DAMAGED, DELIVERY_CLASS_RETRY, "Compare the clocks of the servers of the farm." },
    { SP_EXISTS, DELIVERY_CLASS_FATAL, "Remove the file there, or let the job number." },
    { SP_BAD_NAME, DELIVERY_CLASS_CONFIG, "Choose file names that SharePoint takes." },
    { SP_LOCKED, DELIVERY_CLASS_RETRY, locked_cure },
    { SP_THRESHOLD, DELIVERY_CLASS_CONFIG,
      "Raise the list view threshold, or divide the library." },
    { SP_QUOTA, DELIVERY_CLASS_RETRY, "Raise the quota of the site, or make room." },
};

/* Answers with a body that says more. 401, 413, 429 and 503 need none. */
static const TransferReply call_replies[] = {
    { 302, 302, DELIVERY_CLASS_AUTH, "login",
      "The site shows a log-in page: allow Windows authentication for it." },
    { 400, 400, DELIVERY_CLASS_OK, NULL, NULL },
    { 403, 404, DELIVERY_CLASS_OK, NULL, NULL },
    { 406, 412, DELIVERY_CLASS_OK, NULL, NULL },
    { 423, 423, DELIVERY_CLASS_OK, NULL, NULL },
    { 500, 500, DELIVERY_CLASS_OK, NULL, NULL },
    { .first = 0 },
};

/* {"error":{"code":"-2147024894, System.IO...","message":{"value":"..."}}}; light forms say odata.error. */
static void read_error(const Json *json, SharepointAnswer *answer)
{
    const Json *error = json_get(json, "error") ? json_get(json, "error")
                                                : json_get(json, "odata.error");
    const char *code = json_get_text(error, "code");

    if (!bytes_to_int((Bytes){ (const uint8_t *)code, strcspn(code, ",") }, INT32_MIN, INT32_MAX,
                      &answer->code))
        answer->code = 0;
    (void)text_copy(answer->says, sizeof answer->says,
                    json_get_text(json_get(error, "message"), "value"));
}

bool sharepoint_fail(const Errand *errand, const char *stage, const SharepointAnswer *answer)
{
    static const TransferReply replies[] = {
        { 404, 404, DELIVERY_CLASS_CONFIG, NULL, /* 404.13 of IIS, for one */
          "Correct site and library, or let IIS take requests of this size." },
        { .first = 0 },
    };
    Sharepoint *sp = errand->connection;

    for (size_t i = 0; i < COUNT_OF(code_rows); i++)
        if (code_rows[i].code == answer->code)
            return transfer_failed(sp->transfer, code_rows[i].class, stage, code_rows[i].cure,
                                   "the site answered %ld, %lld: %s", answer->status,
                                   (long long)answer->code, answer->says);
    if (!answer->says[0])
        return transfer_replied(sp->transfer, answer->status, stage, replies);
    return transfer_failed(
        sp->transfer, answer->status >= 500 ? DELIVERY_CLASS_RETRY : DELIVERY_CLASS_CONFIG, stage,
        "Look at what the site says, and at its log.", "the site answered %ld, %lld: %s",
        answer->status, (long long)answer->code, answer->says);
}

static bool exchange(const Errand *errand, SharepointCall *call, SharepointAnswer *ret)
{
    static const char verbose[] = "application/json;odata=verbose";
    const SharepointSettings *s = errand->settings;
    Sharepoint *sp = errand->connection;
    const HttpLogin login = HTTP_LOGIN(s);
    AUTO_BUF url = buf_with_max(URL_BYTES_MAX);

    sharepoint_answer_done(ret);
    *ret = (SharepointAnswer){ .status = 0 };
    if (!put_call(errand, call, &url) ||
        !http_begin(sp->transfer, errand, &login, call->post ? "POST" : "GET", buf_text(&url)))
        return false;
    http_header(sp->transfer, "Accept: %s", verbose);
    http_header(sp->transfer, "X-FORMS_BASED_AUTH_ACCEPTED: f");
    if (call->post && sp->digest[0])
        http_header(sp->transfer, "X-RequestDigest: %s", sp->digest);
    if (call->tunnel) {
        http_header(sp->transfer, "X-HTTP-Method: %s", call->tunnel);
        http_header(sp->transfer, "IF-MATCH: *");
    }
    if (call->body) {
        if (!http_json(sp->transfer, json_clone(call->body), verbose))
            return false;
    } else if (call->n > 0) {
        http_header(sp->transfer, "Content-Type: application/octet-stream");
        transfer_send(sp->transfer, &(TransferBody){ .offset = call->offset, .n_bytes = call->n });
    } else if (call->post) {
        http_body(sp->transfer, (Bytes){ .n = 0 }, verbose);
    }
    if (!transfer_run(sp->transfer, call->stage, call_replies))
        return false;
    ret->status = transfer_code(sp->transfer);
    if (ret->status < SHAREPOINT_FAILED)
        return http_answer_json(sp->transfer, call->stage, &ret->json);
    Err err;
    AUTO(Json) error = json_parse(bytes_of_text(transfer_body(sp->transfer)), &err);
    read_error(error, ret);
    return true;
}

bool sharepoint_renew_digest(const Errand *errand)
{
    Sharepoint *sp = errand->connection;
    SharepointCall call = { .stage = "locate", .post = true, .resource = "contextinfo" };
    AUTO_SHAREPOINT_ANSWER answer = { .json = NULL };

    sp->digest[0] = '\0';
    if (!exchange(errand, &call, &answer))
        return false;
    const Json *context = json_get(json_get(answer.json, "d"), "GetContextWebInformation");
    const char *digest = json_get_text(context, "FormDigestValue");

    if (answer.status >= SHAREPOINT_FAILED)
        return sharepoint_fail(errand, "locate", &answer);
    if (!digest[0] || !text_copy(sp->digest, sizeof sp->digest, digest))
        return transfer_failed(sp->transfer, DELIVERY_CLASS_CONFIG, "locate",
                               "Give the address of a SharePoint site.",
                               "the site gives no digest");
    int64_t life_s = json_get_int(context, "FormDigestTimeoutSeconds", DIGEST_S_PRESET);

    sp->digest_until = mono_after(mono_now(), life_s * 800); /* four fifths of it */
    const char *team = http_answer_header(sp->transfer, "MicrosoftSharePointTeamServices");
    int64_t build = 0;

    if (text_starts_with(team, "16.0.0.")) /* as front ends write it */
        (void)bytes_to_int((Bytes){ (const uint8_t *)team + 7, strcspn(team + 7, ".") }, 0,
                           INT32_MAX, &build);
    else if (text_starts_with(team, "16.0."))
        (void)bytes_to_int((Bytes){ (const uint8_t *)team + 5, strcspn(team + 5, ".") }, 0,
                           INT32_MAX, &build);
    sp->version = !text_starts_with(team, "16.") ? &version_2013
                  : build >= 10000               ? &version_2019
                                                 : &version_2016;
    return true;
}

bool sharepoint_call(const Errand *errand, SharepointCall *what, SharepointAnswer *ret)
{
    Sharepoint *sp = errand->connection;
    AUTO(Json) body = what->body;

    for (unsigned attempt = 0; attempt < 2; attempt++) {
        if (what->post && (!sp->digest[0] || mono_reached(mono_now(), sp->digest_until)) &&
            !sharepoint_renew_digest(errand))
            return false;
        if (!exchange(errand, what, ret))
            return false;
        if (ret->status != STATUS_FORBIDDEN ||
            (ret->code != SP_DIGEST && ret->code != SP_DIGEST_DAMAGED))
            break;
        sp->digest[0] = '\0';
    }
    return true;
}

bool sharepoint_demand(const Errand *errand, SharepointCall *what, SharepointAnswer *ret)
{
    return sharepoint_call(errand, what, ret) &&
           (ret->status < SHAREPOINT_FAILED || sharepoint_fail(errand, what->stage, ret));
}

bool sharepoint_is_missing(const SharepointAnswer *answer)
{
    return answer->code == SP_NOT_FOUND || answer->code == SP_PATH_NOT_FOUND ||
           answer->code == SP_FILE_NOT_FOUND ||
           (answer->code == 0 && answer->status == STATUS_NOT_FOUND);
}
