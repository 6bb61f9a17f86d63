/* tests/unit/test-snmp.c - SNMP version 1 of the virtual scanner with a button, against bytes of net-snmp. */
#include "mfp/snmp-answer.h"
#include "tests/unit/hexfile.h"

static const uint8_t host_id[] = { 0x2b, 6, 1, 4, 1, 0x89, 0x60, 1, 1, 3, 1, 10, 2, 5, 0 };

/* Every message is read, and written again with the same bytes. */
static void messages_of_net_snmp(void **state)
{
    HexFile *file = hexfile_read("snmp-netsnmp");
    SnmpMessage m;

    (void)state;
    assert_int_equal(file->count, 10);
    for (size_t i = 0; i < file->count; i++) {
        AUTO_BUF again = buf_with_max(SNMP_DATAGRAM_MAX);

        assert_int_equal(snmp_message_decode(file->item[i].bytes, &m), WIRE_OK);
        assert_true(bytes_equal_text(m.community, "epson"));
        assert_int_equal(m.pdu == SNMP_PDU_RESPONSE, file->item[i].from_device);
        assert_true(bytes_equal(m.bindings[0].object, (Bytes){ host_id, sizeof host_id }));
        assert_true(snmp_message_encode(&again, &m));
        assert_true(bytes_equal(buf_bytes(&again), file->item[i].bytes));
    }
    assert_int_equal(snmp_message_decode(file->item[1].bytes, &m), WIRE_OK);
    assert_int_equal(m.number, 0x40084615);
    assert_true(bytes_equal_text(m.bindings[0].value, "Platen"));
    assert_int_equal(snmp_message_decode(file->item[5].bytes, &m), WIRE_OK);
    assert_int_equal(m.status, SNMP_BAD_VALUE);
    assert_int_equal(m.index, 1);
    free(file);
}

/* No part of a message is one, nor is a message with something behind it, or with any one length that lies. */
static void nothing_but_whole_messages(void **state)
{
    HexFile *file = hexfile_read("snmp-netsnmp");
    uint8_t bytes[SNMP_DATAGRAM_MAX];
    SnmpMessage m;

    (void)state;
    for (size_t i = 0; i < file->count; i++) {
        Bytes whole = file->item[i].bytes;

        for (size_t n = 0; n < whole.n; n++)
            assert_int_equal(snmp_message_decode((Bytes){ whole.p, n }, &m), WIRE_BROKEN);
        memcpy(bytes, whole.p, whole.n);
        bytes[whole.n] = 0;
        assert_int_equal(snmp_message_decode((Bytes){ bytes, whole.n + 1 }, &m), WIRE_BROKEN);
        bytes[1]++;
        assert_int_equal(snmp_message_decode((Bytes){ bytes, whole.n }, &m), WIRE_BROKEN);
        bytes[1]--;
        bytes[4] = 1; /* version 2 */
        assert_int_equal(snmp_message_decode((Bytes){ bytes, whole.n }, &m), WIRE_BROKEN);
        bytes[4] = 0;
        bytes[12] = 0xa4; /* a trap */
        assert_int_equal(snmp_message_decode((Bytes){ bytes, whole.n }, &m), WIRE_BROKEN);
    }
    free(file);
}

static void numbers_keep_their_value(void **state)
{
    static const int32_t numbers[] = { 0,     1,       127,       128,       255, 256,  32767,
                                       32768, 1 << 23, INT32_MAX, INT32_MIN, -1,  -128, -129 };
    uint8_t text[300];
    SnmpMessage read;

    (void)state;
    memset(text, 'x', sizeof text);
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        AUTO_BUF out = buf_with_max(SNMP_DATAGRAM_MAX);
        SnmpMessage m = {
            .community = bytes_of_text("c"), .pdu = SNMP_PDU_SET, .number = numbers[i], .count = 1
        };

        m.bindings[0] = (SnmpBinding){ { host_id, sizeof host_id },
                                       SNMP_TAG_TEXT,
                                       { text, i * 23 } };
        assert_true(snmp_message_encode(&out, &m));
        assert_int_equal(snmp_message_decode(buf_bytes(&out), &read), WIRE_OK);
        assert_int_equal(read.number, numbers[i]);
        assert_int_equal(read.bindings[0].value.n, i * 23);
    }
}

/* --- the scanner ------------------------------------------------------------------------------------- */

/* It answers as snmpd did, byte for byte, but for what a walk finds. */
static void the_scanner_answers_as_snmpd(void **state)
{
    static const char *const hosts[] = { "Platen", "T1-DESKTOP", "T1-DESKTOP", "", "" };
    HexFile *file = hexfile_read("snmp-netsnmp");
    SnmpAnswerer scanner = { .host = "Platen", .community = "epson" };
    AUTO_BUF answer = buf_with_max(SNMP_DATAGRAM_MAX);
    bool set;

    (void)state;
    for (size_t i = 0; i < file->count; i += 2) {
        assert_true(snmp_answerer_feed(&scanner, file->item[i].bytes, &answer, &set));
        assert_true(bytes_equal(buf_bytes(&answer), file->item[i + 1].bytes));
        assert_string_equal(scanner.host, hosts[i / 2]);
        assert_int_equal(set, i == 2 || i == 6);
        /* Two scanners do not talk to each other for ever. */
        assert_false(snmp_answerer_feed(&scanner, file->item[i + 1].bytes, &answer, &set));
    }
    (void)text_copy(scanner.community, sizeof scanner.community, "another");
    assert_false(snmp_answerer_feed(&scanner, file->item[2].bytes, &answer, &set));
    assert_string_equal(scanner.host, "");
    free(file);
}

/* Asks for one object, and says what came: "" = no text. */
static SnmpStatus ask(SnmpAnswerer *scanner, uint8_t pdu, Bytes object, uint8_t tag, Bytes value)
{
    AUTO_BUF question = buf_with_max(SNMP_DATAGRAM_MAX), answer = buf_with_max(SNMP_DATAGRAM_MAX);
    SnmpMessage m = { .community = bytes_of_text(scanner->community), .pdu = pdu, .count = 1 };
    bool set;

    m.bindings[0] = (SnmpBinding){ object, tag, value };
    assert_true(snmp_message_encode(&question, &m));
    assert_true(snmp_answerer_feed(scanner, buf_bytes(&question), &answer, &set));
    assert_int_equal(snmp_message_decode(buf_bytes(&answer), &m), WIRE_OK);
    if (m.status == SNMP_NO_ERROR) {
        assert_true(bytes_equal(m.bindings[0].object, (Bytes){ host_id, sizeof host_id }));
        assert_true(bytes_equal_text(m.bindings[0].value, scanner->host));
    }
    return (SnmpStatus)m.status;
}

static void what_a_name_can_be(void **state)
{
    SnmpAnswerer scanner = { .host = "Platen", .community = "epson" };
    Bytes host = { host_id, sizeof host_id };
    char text[SLP_NAME_SIZE + 1];

    (void)state;
    memset(text, 'x', sizeof text);
    assert_int_equal(ask(&scanner, SNMP_PDU_SET, host, SNMP_TAG_TEXT,
                         (Bytes){ (uint8_t *)text, SLP_NAME_SIZE - 1 }),
                     SNMP_NO_ERROR);
    assert_int_equal(strlen(scanner.host), SLP_NAME_SIZE - 1);
    assert_int_equal(
        ask(&scanner, SNMP_PDU_SET, host, SNMP_TAG_TEXT, (Bytes){ (uint8_t *)text, SLP_NAME_SIZE }),
        SNMP_BAD_VALUE);
    assert_int_equal(ask(&scanner, SNMP_PDU_SET, host, SNMP_TAG_TEXT, bytes_of_text("a\nb")),
                     SNMP_BAD_VALUE);
    assert_int_equal(ask(&scanner, SNMP_PDU_SET, host, SNMP_TAG_TEXT, bytes_of_text("\xff")),
                     SNMP_BAD_VALUE);
    assert_int_equal(strlen(scanner.host), SLP_NAME_SIZE - 1);
}

static void a_walk_finds_it_once(void **state)
{
    static const struct {
        uint8_t id[20];
        size_t n;
        SnmpStatus status;
    } cases[] = {
        { { 0x2b, 6, 1, 2, 1 }, 5, SNMP_NO_ERROR },
        { { 0x2b, 6, 1, 4, 1, 0x89, 0x5f }, 7, SNMP_NO_ERROR },
        { { 0x2b, 6, 1, 4, 1, 0x89, 0x60 }, 7, SNMP_NO_ERROR },
        { { 0x2b, 6, 1, 4, 1, 0x81, 0x80, 0 }, 8, SNMP_NO_SUCH_NAME }, /* 16384 > 1248 */
        { { 0x2b, 6, 1, 4, 1, 0x89, 0x60, 1, 1, 3, 1, 10, 2, 5, 0 }, 15, SNMP_NO_SUCH_NAME },
        { { 0x2b, 6, 1, 4, 1, 0x89, 0x60, 1, 1, 3, 1, 10, 2, 5, 0, 0 }, 16, SNMP_NO_SUCH_NAME },
        { { 0x2c }, 1, SNMP_NO_SUCH_NAME },
        { { 0 }, 0, SNMP_NO_ERROR },
    };
    SnmpAnswerer scanner = { .host = "Platen", .community = "epson" };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_int_equal(ask(&scanner, SNMP_PDU_GET_NEXT, (Bytes){ cases[i].id, cases[i].n },
                             SNMP_TAG_NULL, (Bytes){ 0 }),
                         cases[i].status);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_of_net_snmp),     cmocka_unit_test(nothing_but_whole_messages),
        cmocka_unit_test(numbers_keep_their_value), cmocka_unit_test(the_scanner_answers_as_snmpd),
        cmocka_unit_test(what_a_name_can_be),       cmocka_unit_test(a_walk_finds_it_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
