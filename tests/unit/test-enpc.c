/* tests/unit/test-enpc.c - ENPC datagrams against those of known clients. */
#include "tests/unit/hexfile.h"
#include "wire/enpc.h"

static void queries_of_known_clients_are_read_and_written(void **state)
{
    HexFile *file = hexfile_read("enpc-queries");
    AUTO_BUF out = buf_with_max(ENPC_DATAGRAM_MAX);
    EnpcQuery query;

    (void)state;
    assert_int_equal(file->count, 3);
    for (size_t i = 0; i < file->count; i++) {
        Bytes in = file->item[i].bytes;

        assert_int_equal(enpc_query_decode(in, &query), WIRE_OK);
        assert_int_equal(query.class, i < 2 ? ENPC_CLASS_P : ENPC_CLASS_Q);
        assert_memory_equal(query.echo, in.p + 6, sizeof query.echo);
        for (size_t n = 0; n < ENPC_QUERY_SIZE_MIN; n++)
            assert_int_equal(enpc_query_decode((Bytes){ in.p, n }, &query), WIRE_BROKEN);
    }
    assert_true(enpc_query_encode(&out, ENPC_CLASS_P));
    assert_bytes_equal(buf_bytes(&out), file->item[0].bytes);
    buf_clear(&out);
    assert_true(enpc_query_encode(&out, ENPC_CLASS_Q));
    assert_bytes_equal(buf_bytes(&out), file->item[2].bytes);
    free(file);
}

static void only_queries_are_queries(void **state)
{
    static const char *const others[] = { "EPSONp\0\377\0\0\0\0\0\0\0", "EPSONq\3\0\0\1\0\0\0\0\0",
                                          "EPSONR\0\377\0\0\0\0\0\0\0",
                                          "EPSOMP\0\377\0\0\0\0\0\0\0" };
    EnpcQuery query;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(others); i++)
        assert_int_equal(enpc_query_decode((Bytes){ (const uint8_t *)others[i], 15 }, &query),
                         WIRE_BROKEN);
}

/* What SANE's epson2 takes: 76 bytes that begin with EPSON. */
static void answer_of_class_p_has_76_bytes(void **state)
{
    static const uint8_t begin[] = { 'E', 'P', 'S', 'O', 'N', 'p', 0, 0xff, 0, 0, 0, 0, 0 };
    AUTO_BUF out = buf_with_max(ENPC_DATAGRAM_MAX);
    EnpcAnswer answer = { .class = ENPC_CLASS_P, .echo = { 0, 0xff } }, again;

    (void)state;
    assert_true(enpc_answer_encode(&out, &answer));
    assert_int_equal(out.n, 76);
    assert_memory_equal(out.p, begin, sizeof begin);
    for (size_t i = sizeof begin; i < out.n; i++)
        assert_int_equal(out.p[i], 0);
    assert_int_equal(enpc_answer_decode(buf_bytes(&out), &again), WIRE_OK);
    assert_int_equal(again.class, ENPC_CLASS_P);
    assert_string_equal(again.name, "");
    assert_int_equal(enpc_answer_decode((Bytes){ out.p, out.n - 1 }, &again), WIRE_BROKEN);
    out.p[4] = 'M';
    assert_int_equal(enpc_answer_decode(buf_bytes(&out), &again), WIRE_BROKEN);
}

static void answer_of_class_q_has_address_and_name(void **state)
{
    static const uint8_t mac[] = { 0x00, 0x26, 0xab, 0x01, 0x02, 0x03 };
    AUTO_BUF out = buf_with_max(ENPC_DATAGRAM_MAX);
    EnpcAnswer answer = { .class = ENPC_CLASS_Q, .echo = { 3, 0, 0, 1 }, .name = "WF-3620 Series" };
    EnpcAnswer again;

    (void)state;
    memcpy(answer.mac, mac, sizeof mac);
    assert_true(enpc_answer_encode(&out, &answer));
    assert_int_equal(out.n, 184);
    assert_memory_equal(out.p, "EPSONq\3\0\0\1\0\0\0\0", 14);
    assert_memory_equal(out.p + 14, mac, sizeof mac);
    assert_memory_equal(out.p + 56, "WF-3620 Series", sizeof "WF-3620 Series");
    assert_int_equal(enpc_answer_decode(buf_bytes(&out), &again), WIRE_OK);
    assert_int_equal(again.class, ENPC_CLASS_Q);
    assert_memory_equal(again.mac, mac, sizeof mac);
    assert_string_equal(again.name, "WF-3620 Series");
    out.p[5] = 'Q';
    assert_int_equal(enpc_answer_decode(buf_bytes(&out), &again), WIRE_BROKEN);
    out.p[5] = 'q';
    out.p[57] = 7; /* a name that is none */
    assert_int_equal(enpc_answer_decode(buf_bytes(&out), &again), WIRE_OK);
    assert_string_equal(again.name, "");
    memset(out.p + 56, 'x', 184 - 56); /* without an end: cut */
    assert_int_equal(enpc_answer_decode(buf_bytes(&out), &again), WIRE_OK);
    assert_int_equal(strlen(again.name), ENPC_NAME_SIZE - 1);
    assert_int_equal(again.name[0], 'x');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(queries_of_known_clients_are_read_and_written),
        cmocka_unit_test(only_queries_are_queries),
        cmocka_unit_test(answer_of_class_p_has_76_bytes),
        cmocka_unit_test(answer_of_class_q_has_address_and_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
