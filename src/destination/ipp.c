/* destination/ipp.c - see ipp.h. */
#include "destination/ipp.h"

#include "base/text.h"

enum { REQUEST_BYTES_MAX = 64 * 1024, WORDS_SIZE = 120 };

ipp_t *ipp_request(const IppPeer *peer, ipp_op_t operation, int job_id)
{
    ipp_t *request = ippNew();

    if (!request)
        return NULL;
    ippSetOperation(request, operation);
    ippAddString(request, IPP_TAG_OPERATION, IPP_TAG_CHARSET, "attributes-charset", NULL, "utf-8");
    ippAddString(request, IPP_TAG_OPERATION, IPP_TAG_LANGUAGE, "attributes-natural-language", NULL,
                 "en");
    ippAddString(request, IPP_TAG_OPERATION, IPP_TAG_URI, "printer-uri", NULL, peer->uri);
    if (job_id > 0)
        ippAddInteger(request, IPP_TAG_OPERATION, IPP_TAG_INTEGER, "job-id", job_id);
    ippAddString(request, IPP_TAG_OPERATION, IPP_TAG_NAME, "requesting-user-name", NULL,
                 peer->user);
    return request;
}

void ipp_want(ipp_t *request, const char *const *names)
{
    int count = 0;

    while (names[count])
        count++;
    ippAddStrings(request, IPP_TAG_OPERATION, IPP_TAG_KEYWORD, "requested-attributes", count, NULL,
                  names);
}

void ipp_words(ipp_attribute_t *attribute, char *to, size_t size)
{
    size_t n = 0;

    to[0] = '\0';
    for (int i = 0; i < ippGetCount(attribute); i++) {
        const char *word = ippGetString(attribute, i, NULL);

        if (word && !text_printf(to + n, size - n, "%s%s", n > 0 ? ", " : "", word))
            return;
        n = strlen(to);
    }
}

/* --- what a status means ------------------------------------------------------------------------------- */

typedef struct StatusRow {
    int first, last;
    DeliveryClass class;
    const char *stage; /* NULL: the one of the request */
    const char *cure;
} StatusRow;

static const char address_cure[] = "Correct the printer's address or the name of the queue.";
static const char login_cure[] = "Correct user and password of the destination.";
static const char again_cure[] =
    "Nothing: it is tried again. If it stays, look at the printer and its log.";

/* RFC 8011, appendix B. */
static const StatusRow status_rows[] = {
    { IPP_STATUS_ERROR_FORBIDDEN, IPP_STATUS_ERROR_NOT_AUTHORIZED, DELIVERY_CLASS_AUTH, "login",
      login_cure },
    { IPP_STATUS_ERROR_NOT_POSSIBLE, IPP_STATUS_ERROR_TIMEOUT, DELIVERY_CLASS_RETRY, NULL,
      again_cure },
    { IPP_STATUS_ERROR_NOT_FOUND, IPP_STATUS_ERROR_GONE, DELIVERY_CLASS_CONFIG, "locate",
      address_cure },
    { IPP_STATUS_ERROR_DOCUMENT_FORMAT_NOT_SUPPORTED,
      IPP_STATUS_ERROR_DOCUMENT_FORMAT_NOT_SUPPORTED, DELIVERY_CLASS_CONFIG, NULL,
      "Let the job make files of a format that the printer takes." },
    { IPP_STATUS_ERROR_ATTRIBUTES_OR_VALUES, IPP_STATUS_ERROR_ATTRIBUTES_OR_VALUES,
      DELIVERY_CLASS_CONFIG, NULL, "Correct the options of the printer in the job." },
    { IPP_STATUS_ERROR_CONFLICTING, IPP_STATUS_ERROR_CONFLICTING, DELIVERY_CLASS_CONFIG, NULL,
      "Choose options in the job that go together at this printer." },
    { IPP_STATUS_ERROR_BAD_REQUEST, 0x04ff, DELIVERY_CLASS_FATAL, NULL,
      "Look at the printer and its log." },
    { IPP_STATUS_ERROR_OPERATION_NOT_SUPPORTED, IPP_STATUS_ERROR_OPERATION_NOT_SUPPORTED,
      DELIVERY_CLASS_CONFIG, NULL,
      "Print over a queue of CUPS: the printer knows too little IPP." },
    { IPP_STATUS_ERROR_VERSION_NOT_SUPPORTED, IPP_STATUS_ERROR_VERSION_NOT_SUPPORTED,
      DELIVERY_CLASS_CONFIG, NULL,
      "Print over a queue of CUPS: the printer knows too little IPP." },
    { IPP_STATUS_ERROR_JOB_CANCELED, IPP_STATUS_ERROR_JOB_CANCELED, DELIVERY_CLASS_FATAL, NULL,
      "Try the delivery again if it was cancelled by mistake." },
    { 0x0500, 0x05ff, DELIVERY_CLASS_RETRY, NULL, again_cure },
};

/* What HTTP says before IPP is looked at. */
static const TransferReply http_replies[] = {
    { 403, 403, DELIVERY_CLASS_AUTH, "login", login_cure },
    { 404, 405, DELIVERY_CLASS_CONFIG, "locate", address_cure },
    { 413, 413, DELIVERY_CLASS_RETRY, NULL, /* CUPS says so, too, when its disk is full */
      "Make room on the disk of CUPS, or raise its size limit." },
    { 426, 426, DELIVERY_CLASS_CONFIG, "tls", "Begin the address with ipps://." },
    { .first = 0 },
};

/* Names of what the printer did not take. */
static void unsupported_words(ipp_t *answer, char *to, size_t size)
{
    size_t n = 0;

    to[0] = '\0';
    for (ipp_attribute_t *a = ippFirstAttribute(answer); a; a = ippNextAttribute(answer)) {
        if (ippGetGroupTag(a) != IPP_TAG_UNSUPPORTED_GROUP || !ippGetName(a))
            continue;
        if (!text_printf(to + n, size - n, "%s%s", n > 0 ? ", " : " (not taken: ", ippGetName(a)))
            return;
        n = strlen(to);
    }
    if (n > 0)
        (void)text_printf(to + n, size - n, ")");
}

static bool fail_status(const IppPeer *peer, ipp_t *answer, const char *stage)
{
    int status = ippGetStatusCode(answer);
    ipp_attribute_t *said = ippFindAttribute(answer, "status-message", IPP_TAG_TEXT);
    const char *words = said ? ippGetString(said, 0, NULL) : NULL;
    char unsupported[WORDS_SIZE];
    const StatusRow *row = NULL;

    for (size_t i = 0; i < COUNT_OF(status_rows) && !row; i++)
        if (status >= status_rows[i].first && status <= status_rows[i].last)
            row = &status_rows[i];
    unsupported_words(answer, unsupported, sizeof unsupported);
    /* Without a password there is none to correct: somebody has shut us out. */
    bool shut_out = row && row->class == DELIVERY_CLASS_AUTH && peer->login.auth == HTTP_AUTH_NONE;
    (void)transfer_failed(peer->transfer,
                          shut_out ? DELIVERY_CLASS_CONFIG
                          : row    ? row->class
                                   : DELIVERY_CLASS_RETRY,
                          row && row->stage && !shut_out ? row->stage : stage,
                          shut_out ? "Allow the user to print there, or give user and password."
                          : row    ? row->cure
                                   : again_cure,
                          "the printer answered %s%s%.100s%s", ippErrorString((ipp_status_t)status),
                          words ? ": " : "", words ? words : "", unsupported);
    peer->errand->result->protocol_code = status;
    return false;
}

/* --- messages as bytes ---------------------------------------------------------------------------------- */

static ssize_t put_bytes(void *to, ipp_uchar_t *bytes, size_t n)
{
    return buf_put(to, (Bytes){ bytes, n }) ? (ssize_t)n : -1;
}

static ssize_t get_bytes(void *from, ipp_uchar_t *bytes, size_t n)
{
    Reader *reader = from;
    size_t left = reader_left(reader);
    Bytes some = rd_bytes(reader, n < left ? n : left);

    if (some.n > 0)
        memcpy(bytes, some.p, some.n);
    return (ssize_t)some.n;
}

static bool write_request(const IppPeer *peer, ipp_t *request, Buf *to)
{
    ippSetVersion(request, peer->old ? 1 : 2, peer->old ? 1 : 0);
    ippSetRequestId(request, peer->last_number);
    ippSetState(request, IPP_STATE_IDLE);
    return (ippWriteIO(to, put_bytes, 1, NULL, request) == IPP_STATE_DATA && !to->failed) ||
           transfer_failed(peer->transfer, DELIVERY_CLASS_CONFIG, "locate",
                           "Choose shorter names and options.", "the request gets too long");
}

/* The answer in the body of the exchange; NULL when there is none. */
static ipp_t *read_answer(const IppPeer *peer)
{
    Reader reader = reader_over(transfer_body_bytes(peer->transfer));
    AUTO(ipp_t) answer = ippNew();

    if (!answer || ippReadIO(&reader, get_bytes, 1, NULL, answer) != IPP_STATE_DATA)
        return NULL;
    return STEAL(answer);
}

/* One exchange; the answer is owned by the caller. */
static bool exchange(IppPeer *peer, ipp_t *request, const char *stage, bool with_document,
                     ipp_t **ret_answer)
{
    AUTO_BUF head = buf_with_max(REQUEST_BYTES_MAX);

    peer->last_number++;
    if (!write_request(peer, request, &head))
        return false;
    CURL *curl = http_begin(peer->transfer, peer->errand, &peer->login, "POST", peer->url);
    if (!curl)
        return false;
    if (peer->socket[0])
        curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, peer->socket);
    if (with_document) {
        http_header(peer->transfer, "Content-Type: application/ipp");
        transfer_send(peer->transfer,
                      &(TransferBody){ .before = buf_bytes(&head),
                                       .n_bytes = peer->errand->parcel->size_bytes });
    } else {
        http_body(peer->transfer, buf_bytes(&head), "application/ipp");
    }
    if (!transfer_run(peer->transfer, stage, http_replies))
        return false;
    *ret_answer = read_answer(peer);
    return *ret_answer || transfer_failed(peer->transfer, DELIVERY_CLASS_CONFIG, "locate",
                                          "Give the address of a printer that speaks IPP.",
                                          "what answers is no printer");
}

/* Some printers with IPP 1.1 say so in IPP, others (ippeveprinter) only that the request is bad. */
static bool is_too_new(const IppPeer *peer, ipp_t *answer)
{
    return answer ? ippGetStatusCode(answer) == IPP_STATUS_ERROR_VERSION_NOT_SUPPORTED
                  : transfer_code(peer->transfer) == 400;
}

bool ipp_ask(IppPeer *peer, ipp_t *request, const char *stage, bool with_document, int *ret_status,
             ipp_t **ret_answer)
{
    AUTO(ipp_t) answer = NULL;

    *ret_status = -1;
    *ret_answer = NULL;
    if (!request)
        return transfer_failed(peer->transfer, DELIVERY_CLASS_RETRY, stage,
                               "Give the server more memory.", "no memory for a request");
    bool answered = exchange(peer, request, stage, with_document, &answer);
    if (!with_document && !peer->old && is_too_new(peer, answer)) {
        ippDelete(STEAL(answer));
        peer->old = true;
        answered = exchange(peer, request, stage, false, &answer);
    }
    if (!answered)
        return false;
    *ret_status = ippGetStatusCode(answer);
    if (*ret_status >= 0x0100)
        return fail_status(peer, answer, stage);
    *ret_answer = STEAL(answer);
    return true;
}
