/* tests/unit/test-esci.c - the blocks of ESC/I against a captured session of a WF-3620 and what SANE sends. */
#include "tests/unit/hexfile.h"
#include "wire/esci.h"
#include "wire/is.h"

/* Items of the captured session. */
enum {
    WELCOME = 0,
    IDENTITY = 6,
    STATUS_IDLE = 8,
    STATUS_EMPTY = 16,
    SET_PARAMETERS = 27,
    PARAMETERS = 29,
    BLOCKS = 34,
};

static Bytes payload_of(const HexFile *file, size_t item)
{
    Bytes payload = { 0 };
    IsHeader header;
    size_t used;

    assert_int_equal(is_packet_decode(file->item[item].bytes, IS_PAYLOAD_FROM_DEVICE_MAX, &header,
                                      &payload, &used),
                     WIRE_OK);
    return payload;
}

static Bytes command_of(const HexFile *file, size_t item)
{
    Bytes command = { 0 };
    uint32_t wanted;

    assert_int_equal(is_passthru_decode(payload_of(file, item), &command, &wanted), WIRE_OK);
    return command;
}

static void every_packet_of_the_capture_is_one(void **state)
{
    HexFile *file = hexfile_read("esci-wf3620-flatbed-frame");
    uint8_t family;

    (void)state;
    for (size_t i = 0; i < file->count; i++)
        (void)payload_of(file, i);
    assert_int_equal(is_welcome_decode(payload_of(file, WELCOME), &family), WIRE_OK);
    assert_int_equal(family, IS_FAMILY_LEGACY);
    free(file);
}

static void identity_of_a_wf3620(void **state)
{
    HexFile *file = hexfile_read("esci-wf3620-flatbed-frame");
    AUTO_BUF out = buf_with_max(ESCI_IDENTITY_SIZE);
    Bytes in = payload_of(file, IDENTITY);
    EsciIdentity id;

    (void)state;
    assert_int_equal(esci_identity_decode(in, &id), WIRE_OK);
    assert_string_equal(id.level, "D7");
    assert_int_equal(id.basic_dpi, 1200);
    assert_int_equal(id.min_dpi, 75);
    assert_int_equal(id.max_dpi, 1200);
    assert_int_equal(id.line_max_px, 32752);
    assert_int_equal(id.flatbed_width, 10200); /* 8.5 inches */
    assert_int_equal(id.flatbed_height, 14040);
    assert_int_equal(id.adf_width, 10200);
    assert_int_equal(id.adf_height, 16800); /* 14 inches */
    assert_int_equal(id.tpu_width, 0);
    assert_int_equal(id.capabilities, ESCI_CAN_DUPLEX | 0x01);
    assert_int_equal(id.capabilities_2, 0x20);
    assert_string_equal(id.product, "PID 08C8");
    assert_string_equal(id.firmware, "1.20");
    assert_int_equal(id.input_bits, 16);
    assert_int_equal(id.output_bits, 8);
    assert_true(esci_identity_encode(&out, &id));
    assert_bytes_equal(buf_bytes(&out), in);
    assert_int_equal(esci_identity_decode((Bytes){ in.p, in.n - 1 }, &id), WIRE_BROKEN);
    free(file);
}

static void status_idle_and_with_an_empty_feeder(void **state)
{
    HexFile *file = hexfile_read("esci-wf3620-flatbed-frame");
    AUTO_BUF out = buf_with_max(ESCI_STATUS_SIZE);
    EsciStatus status;

    (void)state;
    assert_int_equal(esci_status_decode(payload_of(file, STATUS_IDLE), &status), WIRE_OK);
    assert_int_equal(status.device, 0x01);
    assert_int_equal(status.adf, ESCI_ADF_INSTALLED);
    assert_int_equal(status.main_unit, ESCI_MAIN_TYPE);
    assert_int_equal(esci_status_decode(payload_of(file, STATUS_EMPTY), &status), WIRE_OK);
    assert_true(status.device & ESCI_DEVICE_FATAL);
    assert_int_equal(status.adf,
                     ESCI_ADF_INSTALLED | ESCI_ADF_ENABLED | ESCI_UNIT_ERROR | ESCI_UNIT_EMPTY);
    assert_true(esci_status_encode(&out, &status));
    assert_bytes_equal(buf_bytes(&out), payload_of(file, STATUS_EMPTY));
    free(file);
}

static void parameters_of_epsons_driver(void **state)
{
    HexFile *file = hexfile_read("esci-wf3620-flatbed-frame");
    AUTO_BUF out = buf_with_max(ESCI_PARAMETERS_SIZE);
    EsciParameters p;

    (void)state;
    assert_bytes_equal(command_of(file, SET_PARAMETERS), bytes_of_text(ESCI_SET_PARAMETERS));
    assert_int_equal(esci_parameters_decode(command_of(file, PARAMETERS), &p), WIRE_OK);
    assert_int_equal(p.dpi_main, 600);
    assert_int_equal(p.dpi_sub, 600);
    assert_int_equal(p.x_px, 0);
    assert_int_equal(p.width_px, 4956);
    assert_int_equal(p.height_px, 7002);
    assert_int_equal(p.color, ESCI_COLOR_PIXELS);
    assert_int_equal(p.bits, 8);
    assert_int_equal(p.source, ESCI_FLATBED);
    assert_int_equal(p.mode, 0);
    assert_int_equal(p.block_lines, 4);
    assert_int_equal(p.gamma, ESCI_GAMMA_USER);
    assert_int_equal(p.color_correction, 1);
    assert_int_equal(esci_line_bytes(&p), 3 * 4956);
    assert_true(esci_parameters_encode(&out, &p));
    assert_bytes_equal(buf_bytes(&out), command_of(file, PARAMETERS));
    free(file);
}

/* 4956 x 7002 pixels of three bytes, in blocks of four lines. */
static void blocks_of_a_wf3620(void **state)
{
    HexFile *file = hexfile_read("esci-wf3620-flatbed-frame");
    AUTO_BUF out = buf_with_max(ESCI_BLOCKS_SIZE);
    EsciBlocks blocks;

    (void)state;
    assert_int_equal(esci_blocks_decode(payload_of(file, BLOCKS), &blocks), WIRE_OK);
    assert_int_equal(blocks.status, 0x12);
    assert_int_equal(blocks.block_bytes, 59472);
    assert_int_equal(blocks.full_blocks, 1750);
    assert_int_equal(blocks.last_bytes, 29736);
    assert_true(esci_blocks_total(&blocks) == UINT64_C(3) * 4956 * 7002);
    assert_true(esci_blocks_encode(&out, &blocks));
    assert_bytes_equal(buf_bytes(&out), payload_of(file, BLOCKS));
    out.p[0] = 0x15;
    assert_int_equal(esci_blocks_decode(buf_bytes(&out), &blocks), WIRE_BROKEN);
    free(file);
}

static void lines_of_every_depth(void **state)
{
    EsciParameters p = { .width_px = 17, .color = ESCI_MONO, .bits = 1 };

    (void)state;
    assert_int_equal(esci_line_bytes(&p), 3);
    p.bits = 8;
    assert_int_equal(esci_line_bytes(&p), 17);
    p.color = ESCI_COLOR_PIXELS;
    p.bits = 16;
    assert_int_equal(esci_line_bytes(&p), 102);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_packet_of_the_capture_is_one),
        cmocka_unit_test(identity_of_a_wf3620),
        cmocka_unit_test(status_idle_and_with_an_empty_feeder),
        cmocka_unit_test(parameters_of_epsons_driver),
        cmocka_unit_test(blocks_of_a_wf3620),
        cmocka_unit_test(lines_of_every_depth),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
