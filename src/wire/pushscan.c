/* wire/pushscan.c - request and response of wire/pushscan.h. */
#include "wire/pushscan.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "wire/xml.h"

enum {
    DEPTH_ENVELOPE = 1,
    DEPTH_BODY = 2,
    DEPTH_ROOT = 3,
    DEPTH_FIELD = 4,
    DEPTH_ITEM = 5,
    IPV4_SIZE = 4,
    HEX_PER_ADDRESS = 8,
    HTTP_STATUS_MIN = 100,
    HTTP_STATUS_MAX = 599,
    HTTP_STATUS_DIGITS = 3,
    FIRST_PRINTABLE = 0x20,
    LAST_PRINTABLE = 0x7e,
};

#define DEFAULT_VERSION "2.00"
#define PROTOCOL_NAME   "Epson Network Service Protocol"
#define SOAP_NAMESPACE  "http://www.w3.org/2003/05/soap-envelope"
#define PUSH_NAMESPACE  "http://schema.epson.net/EpsonNet/Scan/2004/pushscan"
#define JOBS_NAMESPACE  "urn:x-scan-server:joblist:1"

static const struct {
    const char *element;
    PushScanRoot root;
} roots[] = {
    { "PushScan", PUSHSCAN_ROOT_START },
    { "JobList", PUSHSCAN_ROOT_JOB_LIST },
    { "ScanEnd", PUSHSCAN_ROOT_SCAN_END },
};

/* ---- head ---- */

/* Copies a header value of printable ASCII; false when it is something else or too long. */
static bool copy_value(char *to, size_t size, Bytes value)
{
    for (size_t i = 0; i < value.n; i++)
        if (value.p[i] < FIRST_PRINTABLE || value.p[i] > LAST_PRINTABLE)
            return false;
    return text_copy_bytes(to, size, value);
}

/* "name : value" or "name: value" into *head; false when a header that matters is malformed. */
static bool read_header(Bytes line, PushScanHead *head)
{
    static const char blanks[] = " \t";

    if (!memchr(line.p, ':', line.n))
        return false;
    Bytes name = bytes_trimmed(bytes_take_until(&line, ':'), blanks);
    Bytes value = bytes_trimmed(line, blanks);

    if (bytes_equal_nocase(name, "content-length")) {
        int64_t length;

        if (!bytes_to_int(value, 0, INT32_MAX, &length) ||
            (head->content_length != 0 && head->content_length != (size_t)length))
            return false; /* two lengths that differ: nobody knows where the body ends */
        head->content_length = (size_t)length;
        return true;
    }
    if (bytes_equal_nocase(name, "x-uid"))
        return copy_value(head->uid, sizeof head->uid, value);
    if (bytes_equal_nocase(name, "x-protocol-version"))
        return copy_value(head->version, sizeof head->version, value);
    return true;
}

/* Headers up to the blank line. */
static WireResult read_headers(Bytes in, Bytes left, PushScanHead *head)
{
    Bytes line;

    while (bytes_take_line(&left, &line)) {
        if (line.n == 0) {
            head->size = in.n - left.n;
            return head->size <= PUSHSCAN_HEAD_MAX ? WIRE_OK : WIRE_BROKEN;
        }
        if (!read_header(line, head))
            return WIRE_BROKEN;
    }
    return in.n >= PUSHSCAN_HEAD_MAX ? WIRE_BROKEN : WIRE_NEED_MORE;
}

/* True while the bytes may still become (or begin with) text: garbage is refused at once. */
static bool may_start_with(Bytes in, const char *text)
{
    size_t n = strlen(text);

    return memcmp(in.p, text, in.n < n ? in.n : n) == 0;
}

WireResult pushscan_head_decode(Bytes in, PushScanHead *ret_head)
{
    PushScanHead head = { .version = DEFAULT_VERSION };
    Bytes left = in, line;

    if (in.n == 0)
        return WIRE_NEED_MORE;
    if (!may_start_with(in, "POST /"))
        return WIRE_BROKEN;
    if (!bytes_take_line(&left, &line))
        return in.n >= PUSHSCAN_HEAD_MAX ? WIRE_BROKEN : WIRE_NEED_MORE;
    if (!memmem(line.p, line.n, " HTTP/1.", strlen(" HTTP/1.")))
        return WIRE_BROKEN;
    WireResult result = read_headers(in, left, &head);
    if (result == WIRE_OK)
        *ret_head = head;
    return result;
}

/* ---- body ---- */

/* "C0A8013A" as "192.168.1.58"; "" when it is not eight hex digits. */
static void read_address(const char *hex, char ret_address[PUSHSCAN_ADDRESS_SIZE])
{
    uint8_t raw[IPV4_SIZE];

    ret_address[0] = '\0';
    if (text_unhex(hex, raw, sizeof raw))
        (void)text_printf(ret_address, PUSHSCAN_ADDRESS_SIZE, "%u.%u.%u.%u", raw[0], raw[1], raw[2],
                          raw[3]);
}

static bool read_number(Bytes text, int32_t *ret_number)
{
    char digits[PUSHSCAN_CHOICE_SIZE];
    int64_t number;

    if (!xml_text_copy(digits, sizeof digits, text) ||
        !text_to_int(digits, 0, PUSHSCAN_JOB_NUMBER_MAX, &number))
        return false;
    *ret_number = (int32_t)number;
    return true;
}

static bool read_capability(Bytes text, PushScanBody *body)
{
    return body->capability_count < PUSHSCAN_CAPABILITIES_MAX &&
           xml_text_copy(body->capabilities[body->capability_count++], PUSHSCAN_CAPABILITY_SIZE,
                         text);
}

/* The text of one child of the root element. */
static bool read_field(Bytes name, Bytes text, PushScanBody *body)
{
    char address[PUSHSCAN_ADDRESS_SIZE];

    if (bytes_equal_text(name, "ProductNameIn"))
        return xml_text_copy(body->product, sizeof body->product, text);
    if (bytes_equal_text(name, "PushScanIDIn"))
        return xml_text_copy(body->choice, sizeof body->choice, text);
    if (bytes_equal_text(name, "JobNumberIn"))
        return read_number(text, &body->job_number);
    if (bytes_equal_text(name, "CapabilityIn"))
        return read_capability(text, body);
    if (bytes_equal_text(name, "IPAddressIn")) {
        /* Who asks is told by the connection. What a device writes here that has IPv6 is not known. */
        bool fits = xml_text_copy(address, sizeof address, text);
        read_address(fits ? address : "", body->address);
    }
    return true;
}

/* Where the reader of a SOAP body stands: the names of the elements above. */
typedef struct SoapPlace {
    bool envelope, body;
    bool root_found, in_root;
    Bytes root, field;
} SoapPlace;

static void enter(SoapPlace *place, const XmlItem *item)
{
    if (item->depth == DEPTH_ENVELOPE)
        place->envelope = bytes_equal_text(item->name, "Envelope");
    else if (item->depth == DEPTH_BODY)
        place->body = place->envelope && bytes_equal_text(item->name, "Body");
    else if (item->depth == DEPTH_ROOT && place->body && !place->root_found) {
        place->root_found = place->in_root = true;
        place->root = item->name;
    } else if (item->depth == DEPTH_FIELD)
        place->field = item->name;
}

/* The next start or text inside the first element in Envelope/Body. */
static bool next_item(XmlReader *reader, SoapPlace *place, XmlItem *ret_item)
{
    while (xml_next(reader, ret_item)) {
        if (ret_item->kind == XML_START)
            enter(place, ret_item);
        else if (ret_item->kind == XML_STOP && ret_item->depth == DEPTH_ROOT)
            place->in_root = false;
        if (ret_item->kind != XML_STOP && ret_item->depth >= DEPTH_FIELD && place->in_root)
            return true;
    }
    return false;
}

/* Gives the texts of the children of that element, one by one. */
static bool next_field(XmlReader *reader, SoapPlace *place, Bytes *ret_name, Bytes *ret_text)
{
    XmlItem item;

    while (next_item(reader, place, &item)) {
        if (item.kind == XML_TEXT && item.depth == DEPTH_FIELD) {
            *ret_name = place->field;
            *ret_text = item.text;
            return true;
        }
    }
    return false;
}

static PushScanRoot root_of(Bytes element)
{
    for (size_t i = 0; i < COUNT_OF(roots); i++)
        if (bytes_equal_text(element, roots[i].element))
            return roots[i].root;
    return PUSHSCAN_ROOT_UNKNOWN;
}

WireResult pushscan_body_decode(Bytes body, PushScanBody *ret_body)
{
    XmlReader reader = xml_reader_over(body);
    SoapPlace place = { 0 };
    PushScanBody read = { .job_number = PUSHSCAN_NO_JOB };
    Bytes name, text;

    while (next_field(&reader, &place, &name, &text))
        if (root_of(place.root) != PUSHSCAN_ROOT_UNKNOWN && !read_field(name, text, &read))
            return WIRE_BROKEN;
    if (reader.bad || !place.root_found)
        return WIRE_BROKEN;
    read.root = root_of(place.root);
    *ret_body = read;
    return WIRE_OK;
}

bool pushscan_offers(const PushScanBody *body, const char *capability)
{
    for (size_t i = 0; i < body->capability_count; i++)
        if (text_equal(body->capabilities[i], capability))
            return true;
    return false;
}

/* ---- writing ---- */

static const char response_before[] = "<?xml version=\"1.0\" ?>\r\n"
                                      "<s:Envelope xmlns:s=\"" SOAP_NAMESPACE "\">\r\n"
                                      "  <s:Body>\r\n"
                                      "    <p:PushScanResponse xmlns:p=\"" PUSH_NAMESPACE "\">\r\n"
                                      "      <StatusOut>";

static const char response_after[] = "    </p:PushScanResponse>\r\n"
                                     "  </s:Body>\r\n"
                                     "</s:Envelope>\r\n";

static void put_escaped(Buf *to, const char *text)
{
    for (; *text; text++) {
        if (*text == '&')
            buf_put_text(to, "&amp;");
        else if (*text == '<')
            buf_put_text(to, "&lt;");
        else if (*text == '>')
            buf_put_text(to, "&gt;");
        else if (*text == '"')
            buf_put_text(to, "&quot;");
        else
            buf_put_u8(to, (uint8_t)*text);
    }
}

static void put_capability(Buf *to, const char *capability)
{
    buf_put_text(to, "      <CapabilityOut>");
    put_escaped(to, capability);
    buf_put_text(to, "</CapabilityOut>\r\n");
}

/* The lines behind StatusOut. */
static void put_list(Buf *to, const PushScanList *list)
{
    for (size_t i = 0; i < list->request->capability_count; i++)
        if (!text_equal(list->request->capabilities[i], PUSHSCAN_JOB_NAMES))
            put_capability(to, list->request->capabilities[i]);
    if (!list->with_jobs || !pushscan_offers(list->request, PUSHSCAN_JOB_NAMES))
        return;
    put_capability(to, PUSHSCAN_JOB_NAMES);
    buf_put_text(to, "      <j:Jobs xmlns:j=\"" JOBS_NAMESPACE "\">");
    for (size_t i = 0; i < list->job_count; i++) {
        buf_printf(to, "<j:Job number=\"%u\" name=\"", list->jobs[i].number);
        put_escaped(to, list->jobs[i].name);
        buf_put_text(to, "\"/>");
    }
    buf_put_text(to, "</j:Jobs>\r\n");
}

bool pushscan_bad_request_encode(Buf *to)
{
    static const char text[] = "This port takes POST /PushScan of scanners and nothing else.\r\n";

    return buf_printf(to,
                      "HTTP/1.0 400 Bad Request\r\n"
                      "Content-Type: text/plain; charset=utf-8\r\n"
                      "Content-Length: %zu\r\n"
                      "Connection: close\r\n\r\n%s",
                      strlen(text), text);
}

bool pushscan_response_encode(Buf *to, const char *uid, const char *version, bool ok,
                              const PushScanList *list)
{
    AUTO_BUF body = buf_with_max(PUSHSCAN_MESSAGE_MAX - PUSHSCAN_HEAD_MAX);

    buf_put_text(&body, response_before);
    buf_put_text(&body, ok ? "OK" : "ERROR");
    buf_put_text(&body, "</StatusOut>\r\n");
    if (ok && list)
        put_list(&body, list);
    buf_put_text(&body, response_after);
    buf_printf(to,
               "HTTP/1.0 200 OK\r\n"
               "Server : Epson Net Scan Monitor/2.0\r\n"
               "Content-Type : application/octet-stream\r\n"
               "Content-Length : %zu\r\n"
               "x-protocol-name : " PROTOCOL_NAME "\r\n"
               "x-protocol-version : %s\r\n",
               body.n, version);
    if (uid[0] != '\0')
        buf_printf(to, "x-uid : %s\r\n", uid);
    buf_put_text(to, "x-status : 0001\r\n\r\n");
    return !body.failed && buf_put(to, buf_bytes(&body));
}

static void put_element(Buf *to, const char *name, const char *text)
{
    if (text[0] == '\0')
        return;
    buf_printf(to, "<%s>", name);
    put_escaped(to, text);
    buf_printf(to, "</%s>", name);
}

/* "192.168.1.58" as "C0A8013A"; "" when it is no dotted IPv4. */
static void write_address(const char *address, char ret_hex[HEX_PER_ADDRESS + 1])
{
    Bytes left = bytes_of_text(address);
    uint8_t raw[IPV4_SIZE] = { 0 };

    ret_hex[0] = '\0';
    for (size_t i = 0; i < sizeof raw; i++) {
        const uint8_t *dot = left.n ? memchr(left.p, '.', left.n) : NULL;
        Bytes part = { left.p, dot ? (size_t)(dot - left.p) : left.n };
        int64_t number;

        if ((dot == NULL) != (i == sizeof raw - 1) || !bytes_to_int(part, 0, UINT8_MAX, &number))
            return;
        raw[i] = (uint8_t)number;
        left = bytes_after(left, part.n + 1);
    }
    (void)text_printf(ret_hex, HEX_PER_ADDRESS + 1, "%02X%02X%02X%02X", raw[0], raw[1], raw[2],
                      raw[3]);
}

static const char *root_element(PushScanRoot root)
{
    for (size_t i = 0; i < COUNT_OF(roots); i++)
        if (roots[i].root == root)
            return roots[i].element;
    return roots[0].element;
}

bool pushscan_request_encode(Buf *to, const char *uid, const char *version,
                             const PushScanBody *body)
{
    AUTO_BUF xml = buf_with_max(PUSHSCAN_HEAD_MAX);
    char address[HEX_PER_ADDRESS + 1];
    const char *root = root_element(body->root);

    write_address(body->address, address);
    buf_printf(&xml,
               "<?xml version=\"1.0\" ?><s:Envelope xmlns:s=\"" SOAP_NAMESPACE "\"><s:Body>"
               "<p:%s xmlns:p=\"" PUSH_NAMESPACE "\">",
               root);
    put_element(&xml, "ProductNameIn", body->product);
    put_element(&xml, "IPAddressIn", address);
    put_element(&xml, "PushScanIDIn", body->choice);
    if (body->job_number >= 0)
        buf_printf(&xml, "<JobNumberIn>%d</JobNumberIn>", (int)body->job_number);
    for (size_t i = 0; i < body->capability_count; i++)
        put_element(&xml, "CapabilityIn", body->capabilities[i]);
    buf_printf(&xml, "</p:%s></s:Body></s:Envelope>", root);
    buf_printf(to,
               "POST /PushScan HTTP/1.0\r\n"
               "Content-Type : application/octet-stream\r\n"
               "Content-Length : %zu\r\n"
               "x-protocol-name : " PROTOCOL_NAME "\r\n"
               "x-protocol-version : %s\r\n"
               "x-uid : %s\r\n\r\n",
               xml.n, version, uid);
    return !xml.failed && buf_put(to, buf_bytes(&xml));
}

/* ---- response, read by the device ---- */

/* "HTTP/1.0 200 OK" */
static bool read_status(Bytes line, int *ret_status)
{
    Bytes number = bytes_after(line, strlen("HTTP/1.0 "));
    int64_t status;

    if (!bytes_start_with(line, "HTTP/1.") || number.n < HTTP_STATUS_DIGITS)
        return false;
    number.n = HTTP_STATUS_DIGITS;
    if (!bytes_to_int(number, HTTP_STATUS_MIN, HTTP_STATUS_MAX, &status))
        return false;
    *ret_status = (int)status;
    return true;
}

/* <Job number="1" name="Invoices"/> */
static bool read_job(Bytes attributes, PushScanResponse *response)
{
    PushScanJob *job = &response->jobs[response->job_count];
    Bytes number, name;
    int32_t read;

    if (response->job_count == PUSHSCAN_JOBS_MAX || !xml_attribute(attributes, "number", &number) ||
        !xml_attribute(attributes, "name", &name) || !read_number(number, &read) ||
        !xml_text_copy(job->name, sizeof job->name, name) || job->name[0] == '\0' ||
        text_length(job->name) > PUSHSCAN_JOB_NAME_CHARS_MAX)
        return false;
    for (size_t i = 0; i < response->job_count; i++)
        if (response->jobs[i].number == read)
            return false;
    job->number = (uint16_t)read;
    response->job_count++;
    return true;
}

/* One start or text below the root of a response. */
static bool read_response_item(const SoapPlace *place, const XmlItem *item,
                               PushScanResponse *response)
{
    char word[PUSHSCAN_CAPABILITY_SIZE];

    if (item->kind == XML_START)
        return item->depth != DEPTH_ITEM || !bytes_equal_text(place->field, "Jobs") ||
               !bytes_equal_text(item->name, "Job") || read_job(item->attributes, response);
    if (item->depth != DEPTH_FIELD || !xml_text_copy(word, sizeof word, item->text))
        return true;
    if (bytes_equal_text(place->field, "StatusOut"))
        response->ok = text_equal(word, "OK");
    if (!bytes_equal_text(place->field, "CapabilityOut"))
        return true;
    if (text_equal(word, PUSHSCAN_JOB_NAMES))
        response->has_jobs = true;
    return response->capability_count < PUSHSCAN_CAPABILITIES_MAX &&
           text_copy(response->capabilities[response->capability_count++], PUSHSCAN_CAPABILITY_SIZE,
                     word);
}

static bool read_response(Bytes body, PushScanResponse *response)
{
    XmlReader reader = xml_reader_over(body);
    SoapPlace place = { 0 };
    XmlItem item;

    while (next_item(&reader, &place, &item))
        if (!read_response_item(&place, &item, response))
            return false;
    return !reader.bad && place.root_found && bytes_equal_text(place.root, "PushScanResponse");
}

WireResult pushscan_response_decode(Bytes in, PushScanResponse *ret_response, size_t *ret_used)
{
    PushScanResponse response = { 0 };
    PushScanHead head = { .version = DEFAULT_VERSION };
    Bytes left = in, line;

    if (in.n > 0 && !may_start_with(in, "HTTP/1."))
        return WIRE_BROKEN;
    if (!bytes_take_line(&left, &line))
        return in.n >= PUSHSCAN_HEAD_MAX ? WIRE_BROKEN : WIRE_NEED_MORE;
    if (!read_status(line, &response.http_status))
        return WIRE_BROKEN;
    WireResult result = read_headers(in, left, &head);
    if (result != WIRE_OK)
        return result;
    if (head.size + head.content_length > PUSHSCAN_MESSAGE_MAX)
        return WIRE_BROKEN;
    Bytes body = bytes_after(in, head.size);
    if (body.n < head.content_length)
        return WIRE_NEED_MORE;
    body.n = head.content_length;
    if (!read_response(body, &response))
        return WIRE_BROKEN;
    (void)text_copy(response.uid, sizeof response.uid, head.uid);
    *ret_response = response;
    *ret_used = head.size + head.content_length;
    return WIRE_OK;
}
