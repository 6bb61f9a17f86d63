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
          WIRE_OK, PUSHSCAN_ROOT_JOB_LIST, "x", "" },
        { SOAP "<p:Joblist><ProductNameIn>x</ProductNameIn></p:Joblist></s:Body></s:Envelope>",
          WIRE_OK, PUSHSCAN_ROOT_UNKNOWN, "", "" },
        { SOAP "<ScanEnd/></s:Body></s:Envelope>", WIRE_OK, PUSHSCAN_ROOT_SCAN_END, "", "" },
        { SOAP PUSH "<IPAddressIn>FD000077000000000000000000000002</IPAddressIn>"
                    "<PushScanIDIn>02</PushScanIDIn>" STOP,
          WIRE_OK, PUSHSCAN_ROOT_START, "", "02" },
        { SOAP PUSH "<JobNumberIn>65536</JobNumberIn>" STOP, WIRE_BROKEN, 0, "", "" },
        { SOAP PUSH "<JobNumberIn>-1</JobNumberIn>" STOP, WIRE_BROKEN, 0, "", "" },
        { SOAP PUSH "<JobNumberIn>first</JobNumberIn>" STOP, WIRE_BROKEN, 0, "", "" },
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
    assert_true(pushscan_response_encode(&out, "42", "2.00", true, NULL));
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
    assert_true(pushscan_response_encode(&out, "", "3.00", false, NULL));
    assert_null(memmem(out.p, out.n, "x-uid", 5));
    assert_int_equal(pushscan_response_decode(buf_bytes(&out), &response, &used), WIRE_OK);
    assert_false(response.ok);
}

static void device_side_writes_what_devices_write(void **state)
{
    PushScanBody body = { .root = PUSHSCAN_ROOT_START,
                          .product = "PID 11D1",
                          .address = "192.168.1.58",
                          .choice = "01",
                          .job_number = PUSHSCAN_NO_JOB };
    AUTO_BUF out = buf_with_max(4096);
    PushScanHead head;

    (void)state;
    assert_true(pushscan_request_encode(&out, "7", "2.00", &body));
    assert_int_equal(pushscan_head_decode(buf_bytes(&out), &head), WIRE_OK);
    assert_string_equal(head.uid, "7");
    assert_bytes_equal(bytes_after(buf_bytes(&out), head.size), text(BODY));
    assert_int_equal(head.content_length, strlen(BODY));
}

static const char list_request[] =
    "<?xml version=\"1.0\" ?>" SOAP
    "<p:JobList xmlns:p=\"http://schema.epson.net/EpsonNet/Scan/2004/pushscan\">"
    "<ProductNameIn>PID 016B</ProductNameIn><IPAddressIn>C0A8013A</IPAddressIn>"
    "<CapabilityIn>OfficeFormat</CapabilityIn><CapabilityIn>PanelData=0110</CapabilityIn>"
    "</p:JobList></s:Body></s:Envelope>";

/* The answer to an FF-680W, whose body was 380 bytes long. */
static void the_answer_to_a_list_has_the_exact_bytes(void **state)
{
    static const char body[] =
        "<?xml version=\"1.0\" ?>\r\n"
        "<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\">\r\n"
        "  <s:Body>\r\n"
        "    <p:PushScanResponse "
        "xmlns:p=\"http://schema.epson.net/EpsonNet/Scan/2004/pushscan\">\r\n"
        "      <StatusOut>OK</StatusOut>\r\n"
        "      <CapabilityOut>OfficeFormat</CapabilityOut>\r\n"
        "      <CapabilityOut>PanelData=0110</CapabilityOut>\r\n"
        "    </p:PushScanResponse>\r\n"
        "  </s:Body>\r\n"
        "</s:Envelope>\r\n";
    static const PushScanJob jobs[] = { { 1, "Invoices" } };
    AUTO_BUF out = buf_with_max(4096), again = buf_with_max(4096);
    PushScanResponse response;
    PushScanBody request;
    PushScanHead head;
    size_t used;

    (void)state;
    assert_int_equal(strlen(body), 380);
    assert_int_equal(pushscan_body_decode(text(list_request), &request), WIRE_OK);
    assert_int_equal(request.root, PUSHSCAN_ROOT_JOB_LIST);
    assert_int_equal(request.capability_count, 2);
    assert_int_equal(request.job_number, PUSHSCAN_NO_JOB);
    PushScanList list = { &request, true, jobs, 1 }; /* jobs that were not asked for stay away */
    assert_true(pushscan_response_encode(&out, "7", "3.00", true, &list));
    assert_non_null(memmem(out.p, out.n, "Content-Length : 380\r\n", 22));
    assert_non_null(memmem(out.p, out.n, "x-protocol-version : 3.00\r\n", 27));
    assert_memory_equal(out.p + out.n - 380, body, 380);
    assert_int_equal(pushscan_response_decode(buf_bytes(&out), &response, &used), WIRE_OK);
    assert_true(response.ok && !response.has_jobs && response.job_count == 0);
    buf_clear(&out);
    assert_true(pushscan_response_encode(&out, "7", "3.00", false, &list));
    assert_null(memmem(out.p, out.n, "Capability", 10));

    assert_true(pushscan_request_encode(&again, "7", "3.00", &request));
    assert_int_equal(pushscan_head_decode(buf_bytes(&again), &head), WIRE_OK);
    assert_bytes_equal(bytes_after(buf_bytes(&again), head.size), text(list_request));
}

static void jobs_are_told_to_whom_offers_it(void **state)
{
    static const char line[] =
        "      <CapabilityOut>A&amp;B</CapabilityOut>\r\n"
        "      <CapabilityOut>X-JobList=1</CapabilityOut>\r\n"
        "      <j:Jobs xmlns:j=\"urn:x-scan-server:joblist:1\">"
        "<j:Job number=\"1\" name=\"Invoices\"/><j:Job number=\"7\" name=\"R&amp;D &lt;2&gt;\"/>"
        "</j:Jobs>\r\n    </p:PushScanResponse>";
    static const PushScanJob jobs[] = { { 1, "Invoices" }, { 7, "R&D <2>" } };
    PushScanBody request = { .root = PUSHSCAN_ROOT_JOB_LIST,
                             .capabilities = { "X-JobList=1", "A&B" },
                             .capability_count = 2 };
    PushScanList list = { &request, true, jobs, 2 };
    AUTO_BUF out = buf_with_max(4096);
    PushScanResponse response;
    size_t used;

    (void)state;
    assert_true(pushscan_response_encode(&out, "7", "3.00", true, &list));
    assert_non_null(memmem(out.p, out.n, line, strlen(line)));
    assert_int_equal(pushscan_response_decode(buf_bytes(&out), &response, &used), WIRE_OK);
    assert_true(response.ok && response.has_jobs);
    assert_int_equal(response.job_count, 2);
    assert_int_equal(response.jobs[1].number, 7);
    assert_string_equal(response.jobs[1].name, "R&D <2>");
}

static WireResult read_jobs(const char *jobs, PushScanResponse *response)
{
    AUTO_BUF xml = buf_with_max(65536), in = buf_with_max(65536);
    size_t used;

    buf_printf(&xml,
               SOAP "<PushScanResponse><StatusOut>OK</StatusOut>"
                    "<CapabilityOut>X-JobList=1</CapabilityOut><Jobs>%s</Jobs></PushScanResponse>"
                    "</s:Body></s:Envelope>",
               jobs);
    buf_printf(&in, "HTTP/1.0 200 OK\r\nContent-Length: %zu\r\n\r\n%s", xml.n, buf_text(&xml));
    return pushscan_response_decode(buf_bytes(&in), response, &used);
}

static void odd_job_lists_are_refused(void **state)
{
    static const char *const broken[] = {
        "<Job number='1' name=''/>",
        "<Job number='1'/>",
        "<Job name='a'/>",
        "<Job number='65536' name='a'/>",
        "<Job number='1' name='a'/><Job name='b' number='1'/>",
        "<Job number='1' name='a&b;'/>",
        "<Job number='1' name='\x01'/>",
        "<Job number=1 name='a'/>",
        "<Job number name='a'/>",
        ("<Job number='1' "
         "name='0123456789012345678901234567890123456789012345678901234567890123456'/>"),
    };
    AUTO_BUF many = buf_with_max(65536);
    PushScanResponse response;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(broken); i++)
        assert_int_equal(read_jobs(broken[i], &response), WIRE_BROKEN);
    assert_int_equal(read_jobs("<Job x:name='no' name = \"a>'b\" number='9' />", &response),
                     WIRE_OK);
    assert_string_equal(response.jobs[0].name, "a>'b");
    for (int i = 0; i < PUSHSCAN_JOBS_MAX; i++)
        buf_printf(&many, "<Job number='%d' name='n'/>", i);
    assert_int_equal(read_jobs(buf_text(&many), &response), WIRE_OK);
    assert_int_equal(response.job_count, PUSHSCAN_JOBS_MAX);
    buf_put_text(&many, "<Job number='9999' name='n'/>");
    assert_int_equal(read_jobs(buf_text(&many), &response), WIRE_BROKEN);
}

static void what_is_no_request_is_told_so_in_http(void **state)
{
    AUTO_BUF out = buf_with_max(4096);

    (void)state;
    assert_true(pushscan_bad_request_encode(&out));
    assert_string_equal(buf_text(&out),
                        "HTTP/1.0 400 Bad Request\r\n"
                        "Content-Type: text/plain; charset=utf-8\r\n"
                        "Content-Length: 62\r\n"
                        "Connection: close\r\n\r\n"
                        "This port takes POST /PushScan of scanners and nothing else.\r\n");
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
        cmocka_unit_test(the_answer_to_a_list_has_the_exact_bytes),
        cmocka_unit_test(jobs_are_told_to_whom_offers_it),
        cmocka_unit_test(odd_job_lists_are_refused),
        cmocka_unit_test(what_is_no_request_is_told_so_in_http),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
