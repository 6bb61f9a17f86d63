/* tests/unit/test-slp.c - SLP datagrams against captured bytes, and every way to break them. */
#include "tests/unit/hexfile.h"
#include "wire/slp.h"

static Bytes text(const char *t)
{
    return bytes_of_text(t);
}

static void captured_request_is_read_and_written(void **state)
{
    HexFile *file = hexfile_read("slp-attrrqst-et4950");
    Bytes datagram = file->item[0].bytes;
    SlpRequest request;
    AUTO_BUF out = buf_with_max(SLP_DATAGRAM_MAX);

    (void)state;
    assert_int_equal(datagram.n, 92);
    assert_int_equal(slp_request_decode(datagram, &request), WIRE_OK);
    assert_int_equal(request.flags, SLP_FLAG_MULTICAST);
    assert_int_equal(request.xid, 7);
    assert_bytes_equal(request.language, text("en"));
    assert_bytes_equal(request.previous_responders, text(""));
    assert_bytes_equal(request.url, text(SLP_SERVICE_URL));
    assert_bytes_equal(request.scopes, text("PID 11D1"));
    assert_bytes_equal(request.tags, text(SLP_ENTRY_TAG_LIST));
    assert_bytes_equal(request.spi, text(""));

    SlpRequest fresh = { .flags = SLP_FLAG_MULTICAST,
                         .xid = 7,
                         .language = text("en"),
                         .url = text(SLP_SERVICE_URL),
                         .scopes = text("PID 11D1"),
                         .tags = text(SLP_ENTRY_TAG_LIST) };
    assert_true(slp_request_encode(&fresh, &out));
    assert_bytes_equal(buf_bytes(&out), datagram);
    free(file);
}

static void captured_reply_is_read_and_written(void **state)
{
    HexFile *file = hexfile_read("slp-attrrply-windows-agent");
    Bytes datagram = file->item[0].bytes;
    SlpEntry entry, wanted = { "T1-DESKTOP", "203.0.113.95", 2968 };
    SlpReply reply;
    AUTO_BUF list = buf_with_max(SLP_DATAGRAM_MAX);
    AUTO_BUF out = buf_with_max(SLP_DATAGRAM_MAX);

    (void)state;
    assert_int_equal(datagram.n, 86);
    assert_int_equal(slp_reply_decode(datagram, &reply), WIRE_OK);
    assert_int_equal(reply.xid, 7);
    assert_int_equal(reply.error, 0);
    assert_int_equal(slp_entry_decode(reply.attributes, &entry), WIRE_OK);
    assert_string_equal(entry.name, wanted.name);
    assert_string_equal(entry.address, wanted.address);
    assert_int_equal(entry.event_port, 2968);

    assert_true(slp_entry_encode(&wanted, &list));
    SlpReply fresh = { .xid = 7, .language = text("en"), .attributes = buf_bytes(&list) };
    assert_true(slp_reply_encode(&fresh, &out));
    assert_bytes_equal(buf_bytes(&out), datagram);

    /* One public agent leaves the last byte (count of authentication blocks) out. */
    uint8_t shorter[85];
    memcpy(shorter, datagram.p, sizeof shorter);
    shorter[4] = sizeof shorter;
    assert_int_equal(slp_reply_decode((Bytes){ shorter, sizeof shorter }, &reply), WIRE_OK);
    free(file);
}

static void every_cut_and_every_wrong_field_is_refused(void **state)
{
    static const struct {
        size_t at;
        uint8_t value;
    } wrong[] = {
        { 0, 1 },    /* version                          */
        { 1, 7 },    /* a reply is never a request       */
        { 2, 1 },    /* length, high byte                */
        { 4, 91 },   /* length, low byte                 */
        { 5, 0xa0 }, /* overflow flag                    */
        { 13, 36 },  /* language longer than any         */
        { 16, 0xff } /* previous responders beyond the end */
    };
    HexFile *file = hexfile_read("slp-attrrqst-et4950");
    Bytes datagram = file->item[0].bytes;
    SlpRequest request;
    uint8_t copy[92];

    (void)state;
    for (size_t n = 0; n < datagram.n; n++) {
        memcpy(copy, datagram.p, sizeof copy);
        copy[4] = (uint8_t)n; /* with a length field that fits, too */
        assert_int_equal(slp_request_decode((Bytes){ datagram.p, n }, &request), WIRE_BROKEN);
        assert_int_equal(slp_request_decode((Bytes){ copy, n }, &request), WIRE_BROKEN);
    }
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        memcpy(copy, datagram.p, sizeof copy);
        copy[wrong[i].at] = wrong[i].value;
        assert_int_equal(slp_request_decode((Bytes){ copy, sizeof copy }, &request), WIRE_BROKEN);
    }
    free(file);
}

static void attribute_lists_are_taken_in_any_order(void **state)
{
    static const struct {
        const char *list;
        WireResult result;
    } cases[] = {
        { "(Ver=3.0),(ClientName=A),(IPAddress=10.0.0.1),(EventPort=1),(Group=0)", WIRE_OK },
        { "(EventPort=65535),(ipaddress=10.0.0.1),(CLIENTNAME=A)", WIRE_OK },
        { "(ClientName=A),(IPAddress=10.0.0.1)", WIRE_BROKEN },
        { "(ClientName=),(IPAddress=10.0.0.1),(EventPort=1)", WIRE_BROKEN },
        { "(ClientName=A),(IPAddress=10.0.0.256),(EventPort=1)", WIRE_BROKEN },
        { "(ClientName=A),(IPAddress=10.0.0.1.),(EventPort=1)", WIRE_BROKEN },
        { "(ClientName=A),(IPAddress=10.0.0),(EventPort=1)", WIRE_BROKEN },
        { "(ClientName=A),(IPAddress=10.0.0.1),(EventPort=0)", WIRE_BROKEN },
        { "(ClientName=A),(IPAddress=10.0.0.1),(EventPort=65536)", WIRE_BROKEN },
        { "(ClientName=\xff),(IPAddress=10.0.0.1),(EventPort=1)", WIRE_BROKEN },
        { "", WIRE_BROKEN },
    };
    SlpEntry entry;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_int_equal(slp_entry_decode(text(cases[i].list), &entry), cases[i].result);
}

static void names_with_reserved_characters_are_not_written(void **state)
{
    SlpEntry entry = { "Scan", "10.0.0.1", 2968 };
    AUTO_BUF out = buf_with_max(SLP_DATAGRAM_MAX);

    (void)state;
    assert_true(slp_entry_encode(&entry, &out));
    assert_true(slp_name_is_plain("B\xc3\xbcro 2"));
    for (const char *c = "(),\\!<=>~\x01"; *c; c++) {
        text_printf(entry.name, sizeof entry.name, "a%cb", *c);
        assert_false(slp_entry_encode(&entry, &out));
    }
    assert_false(slp_name_is_plain(""));
    assert_true(slp_list_has(text("10.0.0.1, 10.0.0.2"), "10.0.0.2"));
    assert_false(slp_list_has(text("10.0.0.1,10.0.0.22"), "10.0.0.2"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(captured_request_is_read_and_written),
        cmocka_unit_test(captured_reply_is_read_and_written),
        cmocka_unit_test(every_cut_and_every_wrong_field_is_refused),
        cmocka_unit_test(attribute_lists_are_taken_in_any_order),
        cmocka_unit_test(names_with_reserved_characters_are_not_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
