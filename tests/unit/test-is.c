/* tests/unit/test-is.c - IS packets against captured sessions. */
#include "tests/unit/hexfile.h"
#include "wire/is.h"

static const char *const captures[] = { "esci2-et2750-flatbed-inquiry",
                                        "esci2-xp7100-adf-duplex-frame",
                                        "esci2-ff680w-adf-duplex-frame", "is-jobw-ff680w",
                                        "is-jobr-ff680w" };

static uint32_t payload_max(const HexItem *item)
{
    return item->from_device ? IS_PAYLOAD_FROM_DEVICE_MAX : IS_PAYLOAD_FROM_HOST_MAX;
}

static void every_captured_packet_is_read_and_written(void **state)
{
    (void)state;
    for (size_t f = 0; f < COUNT_OF(captures); f++) {
        HexFile *file = hexfile_read(captures[f]);

        for (size_t i = 0; i < file->count; i++) {
            Bytes in = file->item[i].bytes, payload;
            IsHeader header;
            size_t used;
            AUTO_BUF out = buf_with_max(4096);

            assert_int_equal(
                is_packet_decode(in, payload_max(&file->item[i]), &header, &payload, &used),
                WIRE_OK);
            assert_int_equal(used, in.n);
            assert_true(is_packet_encode(&out, (IsType)header.type, header.flags, payload));
            assert_bytes_equal(buf_bytes(&out), in);
            for (size_t n = 0; n < in.n; n++)
                assert_int_equal(is_packet_decode((Bytes){ in.p, n }, payload_max(&file->item[i]),
                                                  &header, &payload, &used),
                                 WIRE_NEED_MORE);
        }
        free(file);
    }
}

/* What we send as a host is what Epson's driver sent. */
static void host_packets_equal_the_captured(void **state)
{
    HexFile *file = hexfile_read("esci2-et2750-flatbed-inquiry");
    AUTO_BUF out = buf_with_max(4096);
    Bytes command;
    uint32_t wanted, seconds;
    uint8_t family;

    (void)state;
    assert_true(is_welcome_encode(&out, IS_DEVICE_FLAGS, IS_FAMILY_ESCI2));
    assert_bytes_equal(buf_bytes(&out), file->item[0].bytes);
    assert_int_equal(is_welcome_decode(bytes_after(buf_bytes(&out), IS_HEADER_SIZE), &family),
                     WIRE_OK);
    assert_int_equal(family, IS_FAMILY_ESCI2);
    buf_clear(&out);
    assert_true(is_lock_encode(&out, 300));
    assert_bytes_equal(buf_bytes(&out), file->item[1].bytes);
    assert_int_equal(is_lock_decode(bytes_after(buf_bytes(&out), IS_HEADER_SIZE), &seconds),
                     WIRE_OK);
    assert_int_equal(seconds, 300);
    buf_clear(&out);
    assert_true(is_passthru_encode(&out, bytes_of_text("\x1c\x59"), 1));
    assert_bytes_equal(buf_bytes(&out), file->item[3].bytes);
    assert_int_equal(
        is_passthru_decode(bytes_after(buf_bytes(&out), IS_HEADER_SIZE), &command, &wanted),
        WIRE_OK);
    assert_bytes_equal(command, bytes_of_text("\x1c\x59"));
    assert_int_equal(wanted, 1);
    buf_clear(&out);
    assert_true(is_passthru_encode(&out, (Bytes){ 0 }, 0x78));
    assert_bytes_equal(buf_bytes(&out), file->item[7].bytes);
    buf_clear(&out);
    assert_true(is_packet_encode(&out, IS_UNLOCK, 0, (Bytes){ 0 }));
    assert_bytes_equal(buf_bytes(&out), file->item[file->count - 2].bytes);
    free(file);
}

static void bad_packets_are_broken_at_once(void **state)
{
    static const uint8_t good[] = { 'I', 'S', 0xa0, 0, 0x30, 12, 0, 0, 0, 1, 0, 0, 6 };
    static const struct {
        size_t at;
        uint8_t value;
    } wrong[] = { { 0, 'X' }, { 1, 'T' }, { 5, 11 }, { 6, 0x7f } };
    uint8_t copy[sizeof good];
    uint32_t wanted;
    Bytes payload;
    IsHeader header;
    size_t used;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        memcpy(copy, good, sizeof copy);
        copy[wrong[i].at] = wrong[i].value;
        size_t proof = wrong[i].at == 6 ? 10 : wrong[i].at + 1; /* a length needs its 4 bytes */
        for (size_t n = proof; n <= sizeof copy; n++)
            assert_int_equal(is_packet_decode((Bytes){ copy, n }, IS_PAYLOAD_FROM_DEVICE_MAX,
                                              &header, &payload, &used),
                             WIRE_BROKEN);
    }
    static const uint8_t short_command[] = { 0, 0, 0, 3, 0, 0, 0, 1, 0x1c, 0x58 };
    assert_int_equal(
        is_passthru_decode((Bytes){ short_command, sizeof short_command }, &payload, &wanted),
        WIRE_BROKEN);
    assert_int_equal(is_passthru_decode((Bytes){ short_command, 7 }, &payload, &wanted),
                     WIRE_BROKEN);
    assert_int_equal(is_lock_decode((Bytes){ good, 3 }, &wanted), WIRE_BROKEN);
    assert_int_equal(is_lock_decode((Bytes){ 0 }, &wanted), WIRE_OK);
    assert_string_equal(is_event_name(IS_EVENT_CANCEL), "cancel");
    assert_string_equal(is_event_name(0x55), "unknown");
}

static void job_control_is_as_captured(void **state)
{
    static const char *const files[] = {
        [IS_JOB_WRITE] = "is-jobw-ff680w", [IS_JOB_READ] = "is-jobr-ff680w"
    };

    (void)state;
    for (int command = IS_JOB_WRITE; command <= IS_JOB_READ; command++) {
        HexFile *file = hexfile_read(files[command]);
        AUTO_BUF out = buf_with_max(256);
        IsJobCommand read;
        Bytes list;

        assert_true(is_job_encode(&out, command));
        assert_bytes_equal(buf_bytes(&out), file->item[0].bytes);
        assert_int_equal(is_job_decode(bytes_after(buf_bytes(&out), IS_HEADER_SIZE), &read, &list),
                         WIRE_OK);
        assert_int_equal(read, command);
        assert_int_equal(list.n, command == IS_JOB_WRITE ? 46 : 0);
        out.p[IS_HEADER_SIZE + IS_DATA_HEADER_SIZE]++; /* "KOB" */
        assert_int_equal(is_job_decode(bytes_after(buf_bytes(&out), IS_HEADER_SIZE), &read, &list),
                         WIRE_BROKEN);
        assert_int_equal(is_job_decode((Bytes){ out.p, IS_DATA_HEADER_SIZE - 1 }, &read, &list),
                         WIRE_BROKEN);
        free(file);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_captured_packet_is_read_and_written),
        cmocka_unit_test(host_packets_equal_the_captured),
        cmocka_unit_test(bad_packets_are_broken_at_once),
        cmocka_unit_test(job_control_is_as_captured),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
