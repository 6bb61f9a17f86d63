/* tests/unit/test-pushscan.c - requests as devices write them, the exact response, and refusals. */
#include "tests/unit/hexfile.h"
#include "wire/pushscan.h"
#include "wire/xml.h"

#define SOAP "<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\"><s:Body>"
#define PUSH "<p:PushScan xmlns:p=\"http://schema.epson.net/EpsonNet/Scan/2004/pushscan\">"
#define STOP "</p:PushScan></s:Body></s:Envelope>"
#define BODY                                                                       \
    "<?xml version=\"1.0\" ?>" SOAP PUSH "<ProductNameIn>PID 11D1</ProductNameIn>" \
    "<IPAddressIn>C0A8013A</IPAddressIn><PushScanIDIn>01</PushScanIDIn>" STOP

static Bytes text(const char *t)
{
    return bytes_of_text(t);
}

static void head_with_blank_before_the_colon(void **state)
{
    static const char request[] = "POST /PushScan HTTP/1.0\r\n"
                                  "Content-Type : application/octet-stream\r\n"
                                  "Content-Length : 12\r\n"
                                  "x-protocol-name : Epson Network Service Protocol\r\n"
                                  "x-protocol-version : 3.00\r\n"
                                  "X-UID : 42\r\n\r\nrest";
    PushScanHead head;

    (void)state;
    assert_int_equal(pushscan_head_decode(text(request), &head), WIRE_OK);
    assert_int_equal(head.size, strlen(request) - 4);
    assert_int_equal(head.content_length, 12);
    assert_string_equal(head.uid, "42");
    assert_string_equal(head.version, "3.00");
    for (size_t n = 0; n < head.size; n++)
        assert_int_equal(pushscan_head_decode((Bytes){ (const uint8_t *)request, n }, &head),
                         WIRE_NEED_MORE);
}

static void strict_heads_pass_too(void **state)
{
    PushScanHead head;

    (void)state;
    assert_int_equal(
        pushscan_head_decode(text("POST /PushScan HTTP/1.1\ncontent-length:7\n\n"), &head),
        WIRE_OK);
    assert_int_equal(head.content_length, 7);
    assert_string_equal(head.uid, "");
    assert_string_equal(head.version, "2.00");
}

static void bad_heads_are_broken(void **state)
{
    static const char *const heads[] = {
        "GET / HTTP/1.0\r\n\r\n",
        "\x16\x03\x01",
        "POST /PushScan\r\n",
        "POST / HTTP/1.0\r\nno colon\r\n",
        "POST / HTTP/1.0\r\nContent-Length: -1\r\n\r\n",
        "POST / HTTP/1.0\r\nContent-Length: 4x\r\n\r\n",
        "POST / HTTP/1.0\r\nContent-Length: 99999999999\r\n\r\n",
        "POST / HTTP/1.0\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\n",
        "POST / HTTP/1.0\r\nx-uid: 0123456789012345678901234567890123456789\r\n\r\n",
        "POST / HTTP/1.0\r\nx-uid: a\x01\r\n\r\n",
    };
    static char endless[PUSHSCAN_HEAD_MAX];
    PushScanHead head;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(heads); i++)
        assert_int_equal(pushscan_head_decode(text(heads[i]), &head), WIRE_BROKEN);
    memset(endless, 'a', sizeof endless);
    memcpy(endless, "POST /", strlen("POST /"));
    assert_int_equal(pushscan_head_decode((Bytes){ (uint8_t *)endless, sizeof endless }, &head),
                     WIRE_BROKEN);
}

static void body_of_a_device_is_read(void **state)
{
    PushScanBody body;

    (void)state;
    assert_int_equal(pushscan_body_decode(text(BODY), &body), WIRE_OK);
    assert_int_equal(body.root, PUSHSCAN_ROOT_START);
    assert_string_equal(body.product, "PID 11D1");
    assert_string_equal(body.address, "192.168.1.58");
    assert_string_equal(body.choice, "01");
}

static void bodies_are_read_by_local_name(void **state)
{
    static const struct {
        const char *xml;
        WireResult result;
        PushScanRoot root;
        const char *product, *choice;
    } cases[] = {
        { SOAP "<PushScan>\r\n <x:ProductNameIn a='>'> A &amp; B </x:ProductNameIn></PushScan>"
               "</s:Body></s:Envelope>",
          WIRE_OK, PUSHSCAN_ROOT_START, "A & B", "" },
        { SOAP PUSH "<!-- <PushScanIDIn>12</PushScanIDIn> --><PushScanIDIn/>" STOP, WIRE_OK,
          PUSHSCAN_ROOT_START, "", "" },
        { SOAP "<p:JobList><ProductNameIn>x</ProductNameIn></p:JobList></s:Body></s:Envelope>",
          WIRE_OK, PUSHSCAN_ROOT_UNKNOWN, "", "" },
        { SOAP PUSH "<a><ProductNameIn>deeper</ProductNameIn></a>" STOP, WIRE_OK,
          PUSHSCAN_ROOT_START, "", "" },
        { "<PushScan><ProductNameIn>x</ProductNameIn></PushScan>", WIRE_BROKEN, 0, "", "" },
        { "<!DOCTYPE a [<!ENTITY b 'c'>]>" SOAP PUSH STOP, WIRE_BROKEN, 0, "", "" },
        { SOAP PUSH "<ProductNameIn>&b;</ProductNameIn>" STOP, WIRE_BROKEN, 0, "", "" },
        { SOAP PUSH "<ProductNameIn>&#65;</ProductNameIn>" STOP, WIRE_BROKEN, 0, "", "" },
        { SOAP PUSH "<ProductNameIn><![CDATA[x]]></ProductNameIn>" STOP, WIRE_BROKEN, 0, "", "" },
        { SOAP PUSH "<PushScanIDIn>0123456789</PushScanIDIn>" STOP, WIRE_BROKEN, 0, "", "" },
        { SOAP PUSH "<ProductNameIn>\x01</ProductNameIn>" STOP, WIRE_BROKEN, 0, "", "" },
        { SOAP PUSH "<ProductNameIn>x</productNameIn>" STOP, WIRE_BROKEN, 0, "", "" },
        { SOAP PUSH STOP "<a/>", WIRE_BROKEN, 0, "", "" },
        { SOAP PUSH, WIRE_BROKEN, 0, "", "" },
        { SOAP "</s:Body></s:Envelope>", WIRE_BROKEN, 0, "", "" },
        { "", WIRE_BROKEN, 0, "", "" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        PushScanBody body = { 0 };

        assert_int_equal(pushscan_body_decode(text(cases[i].xml), &body), cases[i].result);
        assert_int_equal(body.root, cases[i].root);
        assert_string_equal(body.product, cases[i].product);
        assert_string_equal(body.choice, cases[i].choice);
    }
}

static void deep_nesting_is_refused(void **state)
{
    AUTO_BUF xml = buf_with_max(4096);
    PushScanBody body;

    (void)state;
    buf_put_text(&xml, SOAP PUSH);
    for (int i = 0; i < XML_DEPTH_MAX; i++)
        buf_put_text(&xml, "<a>");
    assert_int_equal(pushscan_body_decode(buf_bytes(&xml), &body), WIRE_BROKEN);
}

/* The answer that real devices accept: proven with an independent agent and device. */
static void response_has_the_exact_bytes(void **state)
{
    static const char head[] = "HTTP/1.0 200 OK\r\n"
                               "Server : Epson Net Scan Monitor/2.0\r\n"
                               "Content-Type : application/octet-stream\r\n"
                               "Content-Length : 276\r\n"
                               "x-protocol-name : Epson Network Service Protocol\r\n"
                               "x-protocol-version : 2.00\r\n"
                               "x-uid : 42\r\n"
                               "x-status : 0001\r\n"
                               "\r\n";
    static const char body[] =
        "<?xml version=\"1.0\" ?>\r\n"
        "<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\">\r\n"
        "  <s:Body>\r\n"
        "    <p:PushScanResponse "
        "xmlns:p=\"http://schema.epson.net/EpsonNet/Scan/2004/pushscan\">\r\n"
        "      <StatusOut>OK</StatusOut>\r\n"
        "    </p:PushScanResponse>\r\n"
        "  </s:Body>\r\n"
        "</s:Envelope>\r\n";
    AUTO_BUF out = buf_with_max(4096);
    PushScanResponse response;
    size_t used;

    (void)state;
    assert_int_equal(strlen(body), 276);
    assert_true(pushscan_response_encode(&out, "42", "2.00", true));
    assert_int_equal(out.n, strlen(head) + 276);
    assert_memory_equal(out.p, head, strlen(head));
    assert_memory_equal(out.p + strlen(head), body, strlen(body));

    assert_int_equal(pushscan_response_decode(buf_bytes(&out), &response, &used), WIRE_OK);
    assert_int_equal(used, out.n);
    assert_int_equal(response.http_status, 200);
    assert_string_equal(response.uid, "42");
    assert_true(response.ok);
    for (size_t n = 0; n < out.n; n++)
        assert_int_equal(pushscan_response_decode((Bytes){ out.p, n }, &response, &used),
                         WIRE_NEED_MORE);
    buf_clear(&out);
    assert_true(pushscan_response_encode(&out, "", "3.00", false));
    assert_null(memmem(out.p, out.n, "x-uid", 5));
    assert_int_equal(pushscan_response_decode(buf_bytes(&out), &response, &used), WIRE_OK);
    assert_false(response.ok);
}

static void device_side_writes_what_devices_write(void **state)
{
    PushScanBody body = { PUSHSCAN_ROOT_START, "PID 11D1", "192.168.1.58", "01" };
    AUTO_BUF out = buf_with_max(4096);
    PushScanHead head;

    (void)state;
    assert_true(pushscan_request_encode(&out, "7", "2.00", &body));
    assert_int_equal(pushscan_head_decode(buf_bytes(&out), &head), WIRE_OK);
    assert_string_equal(head.uid, "7");
    assert_bytes_equal(bytes_after(buf_bytes(&out), head.size), text(BODY));
    assert_int_equal(head.content_length, strlen(BODY));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(head_with_blank_before_the_colon),
        cmocka_unit_test(strict_heads_pass_too),
        cmocka_unit_test(bad_heads_are_broken),
        cmocka_unit_test(body_of_a_device_is_read),
        cmocka_unit_test(bodies_are_read_by_local_name),
        cmocka_unit_test(deep_nesting_is_refused),
        cmocka_unit_test(response_has_the_exact_bytes),
        cmocka_unit_test(device_side_writes_what_devices_write),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
