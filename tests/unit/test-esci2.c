/* tests/unit/test-esci2.c - ESC/I-2 blocks against captured ones. */
#include "tests/unit/hexfile.h"
#include "wire/esci2-info.h"
#include "wire/esci2-para.h"
#include "wire/esci2-token.h"
#include "wire/esci2.h"
#include "wire/is.h"

static Bytes text(const char *t)
{
    return bytes_of_text(t);
}

/* Payload of the n-th (from 0) data block that follows a reply header with this code. */
static Bytes block_of(const HexFile *file, const char *code, size_t n)
{
    for (size_t i = 0; i + 2 < file->count; i++) {
        Bytes payload = bytes_after(file->item[i].bytes, IS_HEADER_SIZE);

        if (file->item[i].from_device && payload.n == ESCI2_REPLY_SIZE &&
            bytes_start_with(payload, code) && n-- == 0)
            return bytes_after(file->item[i + 2].bytes, IS_HEADER_SIZE);
    }
    fail_msg("no block %s", code);
    return (Bytes){ 0 };
}

/* Every 64-byte device frame is a reply header, its block has the announced length and parses. */
static void every_captured_frame_is_read(void **state)
{
    static const char *const captures[] = { "esci2-et2750-flatbed-inquiry",
                                            "esci2-xp7100-adf-duplex-frame",
                                            "esci2-ff680w-adf-duplex-frame" };

    (void)state;
    for (size_t f = 0; f < COUNT_OF(captures); f++) {
        HexFile *file = hexfile_read(captures[f]);
        uint32_t due = 0;
        bool image = false;

        for (size_t i = 0; i < file->count; i++) {
            Bytes payload = bytes_after(file->item[i].bytes, IS_HEADER_SIZE);
            Esci2Tokens tokens = esci2_tokens_over(payload);
            Esci2Token token;
            Esci2Reply reply;

            if (!file->item[i].from_device)
                continue;
            if (due > 0) {
                assert_int_equal(payload.n, due);
                while (!image && esci2_token_next(&tokens, &token))
                    ;
                assert_true(image || (!tokens.bad && tokens.at == payload.n));
                due = 0;
            } else if (payload.n == ESCI2_REPLY_SIZE) {
                assert_int_equal(esci2_reply_decode(payload, &reply), WIRE_OK);
                due = reply.length;
                image = strcmp(reply.code, "IMG ") == 0;
            }
        }
        free(file);
    }
}

static void image_replies_of_a_device(void **state)
{
    HexFile *file = hexfile_read("esci2-ff680w-adf-duplex-frame");
    size_t starts = 0, ends = 0;

    (void)state;
    for (size_t i = 0; i < file->count; i++) {
        Bytes payload = bytes_after(file->item[i].bytes, IS_HEADER_SIZE);
        AUTO_BUF out = buf_with_max(4096);
        Esci2Reply reply;

        if (!file->item[i].from_device || !bytes_start_with(payload, "IMG x"))
            continue;
        assert_int_equal(esci2_reply_decode(payload, &reply), WIRE_OK);
        if (reply.page_start) {
            assert_int_equal(reply.length, 613);
            assert_int_equal(reply.start_width_px, 1687);
            assert_int_equal(reply.start_padding_bytes, 0);
            assert_int_equal(reply.start_height_px, 2190);
            assert_string_equal(reply.side, "IMGA");
            starts++;
        }
        if (reply.page_end) {
            assert_int_equal(reply.end_width_px, 1684);
            assert_int_equal(reply.end_height_px, 2182);
            assert_true(reply.has_left && reply.left == 0);
            assert_string_equal(reply.side, "IMGB");
            ends++;
        }
        assert_true(esci2_reply_encode(&out, &reply));
        assert_bytes_equal(buf_bytes(&out), payload);
    }
    assert_int_equal(starts, 1);
    assert_int_equal(ends, 1);
    free(file);
}

static void inline_tokens_are_read(void **state)
{
    static const struct {
        const char *tokens;
        const char *cause, *not_ready, *attention, *parameters;
    } cases[] = {
        { "#errADF PJ  ", "PJ  ", "", "", "" },
        { "#nrdBUSY", "", "BUSY", "", "" },
        { "#nrdNONE#atnCAN ", "", "", "CAN ", "" },
        { "#atnNONE#parFAIL", "", "", "", "FAIL" },
        { "#docBLNK#dfiDFED#sus#parOK  ", "", "", "", "OK  " },
        { "#newi0000001d002x0000003WORD#errFB  OPN ", "OPN ", "", "", "" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_BUF block = buf_with_max(ESCI2_REPLY_SIZE);
        Esci2Reply reply;

        buf_printf(&block, "IMG x0000000%s", cases[i].tokens);
        while (block.n < ESCI2_REPLY_SIZE)
            buf_put_text(&block, "#---");
        assert_int_equal(esci2_reply_decode(buf_bytes(&block), &reply), WIRE_OK);
        assert_string_equal(reply.error.cause, cases[i].cause);
        assert_string_equal(reply.not_ready, cases[i].not_ready);
        assert_string_equal(reply.attention, cases[i].attention);
        assert_string_equal(reply.parameters, cases[i].parameters);
    }
}

static void warnings_beside_a_page_are_read(void **state)
{
    static const char said[] = "IMG x0000000#docBLNK#dfiDFED#sus#---#---#---#---#---#---#---#---";
    AUTO_BUF again = buf_with_max(ESCI2_REPLY_SIZE + 1);
    Esci2Reply reply;

    (void)state;
    assert_int_equal(esci2_reply_decode(text(said), &reply), WIRE_OK);
    assert_string_equal(reply.document, "BLNK");
    assert_string_equal(reply.double_feed, "DFED");
    assert_true(reply.suspended);
    assert_true(esci2_reply_encode(&again, &reply));
    assert_bytes_equal(buf_bytes(&again), text(said));
}

static void warnings_of_a_status_are_read(void **state)
{
    static const char said[] = "#ERRADF PE  #WRNADF CLN #WRNFB  ODD #GLSDIRT#BATLOW ";
    AUTO_BUF again = buf_with_max(ESCI2_REPLY_SIZE);
    Esci2Stat stat;

    (void)state;
    assert_int_equal(esci2_stat_decode(text(said), &stat), WIRE_OK);
    assert_true(stat.error_count == 1 && stat.warning_count == 2);
    assert_string_equal(stat.warnings[1].part, "FB  ");
    assert_string_equal(stat.warnings[1].cause, "ODD ");
    assert_string_equal(stat.glass, "DIRT");
    assert_string_equal(stat.battery, "LOW ");
    assert_true(esci2_stat_encode(&again, &stat));
    assert_bytes_equal(buf_bytes(&again), text(said));
    /* A warning of a form nobody has seen is none, and ends no scan; an error without cause is broken. */
    assert_int_equal(esci2_stat_decode(text("#WRNd001#GLS#BATi0000005#SEPON  "), &stat), WIRE_OK);
    assert_true(stat.warning_count == 0 && !stat.glass[0] && !stat.battery[0]);
    assert_int_equal(esci2_stat_decode(text("#ERRADF "), &stat), WIRE_BROKEN);
}

static void broken_headers_are_refused(void **state)
{
    static const char *const headers[] = {
        "IMG i0000000",         "IMG x000000G",         "IMG x0000000#pstd001WORD",
        "IMG x0000000#lft",     "IMG x0000000#errADF ", "IMG x0000000#pen-ddd",
        "IMG x0000000#pstd0a1",
    };
    Esci2Request request;
    Esci2Reply reply;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(headers); i++) {
        AUTO_BUF block = buf_with_max(ESCI2_REPLY_SIZE);

        buf_put_text(&block, headers[i]);
        while (block.n < ESCI2_REPLY_SIZE)
            buf_put_text(&block, "#---");
        assert_int_equal(esci2_reply_decode(buf_bytes(&block), &reply), WIRE_BROKEN);
        block.n--;
        assert_int_equal(esci2_reply_decode(buf_bytes(&block), &reply), WIRE_BROKEN);
    }
    assert_int_equal(esci2_request_decode(text("PARAx00003aC"), &request), WIRE_OK);
    assert_int_equal(request.length, 0x3ac);
    assert_string_equal(request.code, "PARA");
    assert_int_equal(esci2_request_decode(text("PARAx00003a"), &request), WIRE_BROKEN);
    assert_int_equal(esci2_request_decode(text("PARA00003a00"), &request), WIRE_BROKEN);
}

static void info_and_capa_of_the_xp7100(void **state)
{
    HexFile *file = hexfile_read("esci2-xp7100-adf-duplex-frame");
    AUTO_BUF out = buf_with_max(ESCI2_BLOCK_MAX);
    Bytes info_block = block_of(file, "INFO", 0), capa_block = block_of(file, "CAPA", 0);
    Esci2Info info;
    Esci2Capa capa;
    Esci2Stat stat;

    (void)state;
    assert_int_equal(esci2_info_decode(info_block, &info), WIRE_OK);
    assert_true(info.adf.present && info.adf.duplex && info.adf.two_pass && info.adf.prefeed);
    assert_int_equal(info.adf.align, ESCI2_ALIGN_RIGHT);
    assert_int_equal(info.adf.width, 850);
    assert_int_equal(info.adf.height, 1400);
    assert_int_equal(info.adf.min_width, 582);
    assert_int_equal(info.adf.max_height, 2000);
    assert_int_equal(info.adf.optical_dpi, 1200);
    assert_true(info.flatbed.present);
    assert_int_equal(info.flatbed.height, 1170);
    assert_string_equal(info.product, "PID 1147");
    assert_string_equal(info.version, "FB  2.00");
    assert_int_equal(info.parameter_block_max, 1536);
    assert_true(esci2_info_encode(&out, &info));
    buf_put_text(&out, "#INI"); /* the one token of this device that nobody needs */
    assert_bytes_equal(buf_bytes(&out), info_block);

    assert_int_equal(esci2_capa_decode(capa_block, &capa), WIRE_OK);
    assert_true(esci2_words_have(&capa.adf, "DPLX"));
    assert_true(esci2_numbers_have(&capa.adf_dpi, 1200));
    assert_false(esci2_numbers_have(&capa.adf_dpi, 400));
    assert_true(esci2_words_have(&capa.formats, "JPG"));
    assert_true(esci2_words_have(&capa.quiet, "OFF"));
    assert_true(capa.jpeg_quality.range && esci2_numbers_have(&capa.jpeg_quality, 90));
    assert_false(esci2_numbers_have(&capa.jpeg_quality, 101));
    buf_clear(&out);
    assert_true(esci2_capa_encode(&out, &capa));
    assert_bytes_equal(buf_bytes(&out), capa_block);

    assert_int_equal(esci2_stat_decode(block_of(file, "STAT", 2), &stat), WIRE_OK);
    assert_true(esci2_stat_has(&stat, "ADF", "PE"));
    assert_false(esci2_stat_has(&stat, "FB", "PE"));
    buf_clear(&out);
    assert_true(esci2_stat_encode(&out, &stat));
    assert_bytes_equal(buf_bytes(&out), text("#ERRADF PE  "));
    free(file);
}

static void info_and_capa_of_the_ff680w(void **state)
{
    HexFile *file = hexfile_read("esci2-ff680w-adf-duplex-frame");
    Esci2Info info;
    Esci2Capa capa;

    (void)state;
    assert_int_equal(esci2_info_decode(block_of(file, "INFO", 0), &info), WIRE_OK);
    assert_true(info.adf.present && !info.flatbed.present && !info.adf.two_pass);
    assert_int_equal(info.adf.align, ESCI2_ALIGN_CENTRE);
    assert_int_equal(info.adf.max_height, 24000);
    assert_string_equal(info.product, "FF-680W");
    assert_string_equal(info.serial, "X5EW260651");
    assert_int_equal(esci2_capa_decode(block_of(file, "CAPA", 0), &capa), WIRE_OK);
    assert_true(esci2_words_have(&capa.adf, "DFL1") && esci2_words_have(&capa.adf, "SKEW"));
    assert_false(esci2_words_have(&capa.formats, "RAW"));
    assert_int_equal(capa.dpi_main.count, 10);
    assert_true(capa.crop_margin.range && capa.crop_margin.value[0] == -20 &&
                capa.crop_margin.value[1] == 20);
    free(file);
}

static void info_of_the_et2750_is_written_as_captured(void **state)
{
    HexFile *file = hexfile_read("esci2-et2750-flatbed-inquiry");
    AUTO_BUF out = buf_with_max(ESCI2_BLOCK_MAX);
    Esci2Info info = {
        .flatbed = { .present = true, .width = 850, .height = 1170, .optical_dpi = 1200 },
        .image_width_max_px = 65535,
        .image_height_max_px = 65535,
        .parameter_block_max = 1536,
        .product = "PID 112A",
        .version = "FB  1.01"
    };

    (void)state;
    assert_true(esci2_info_encode(&out, &info));
    assert_bytes_equal(buf_bytes(&out), block_of(file, "INFO", 0));
    free(file);
}

static void para_of_the_specification_is_written(void **state)
{
    Esci2Para para = ESCI2_PARA_NOTHING;
    AUTO_BUF out = buf_with_max(ESCI2_PARA_MAX);
    AUTO_BUF request = buf_with_max(ESCI2_PARA_MAX);

    (void)state;
    text_copy(para.source, sizeof para.source, "FB");
    para.dpi_main = para.dpi_sub = 300;
    text_copy(para.color, sizeof para.color, "C024");
    text_copy(para.format, sizeof para.format, "JPG");
    para.jpeg_quality = 90;
    para.has_area = true;
    para.width_px = 2480;
    para.height_px = 3507;
    para.block_bytes = ESCI2_IMAGE_BLOCK_MAX;
    assert_true(esci2_para_encode(&out, &para));
    assert_bytes_equal(buf_bytes(&out), text("#FB #RSMi0000300#RSSi0000300#COLC024#FMTJPG #JPGd090"
                                             "#ACQi0000000i0000000i0002480i0003507#BSZi1048576"));
    assert_true(esci2_request_encode(&request, "PARA", (uint32_t)out.n));
    assert_bytes_equal(buf_bytes(&request), text("PARAx0000064"));
}

/* The forms of a free driver for what no capture has: 1/100 inch, left, right, top, bottom. */
static void para_of_crop_and_fill(void **state)
{
    static const char wanted[] = "#ADFCRP SKEWDFL1#RSMi0000200#RSSi0000200#COLR008#FMTJPG "
                                 "#THRd110#BRTd012#CTRi-000005#CRPi-000020#FLCWH  "
                                 "#FLAi0000010i0000020i0000030i0000040#PAGd007";
    Esci2Para para = ESCI2_PARA_NOTHING, again = ESCI2_PARA_NOTHING;
    AUTO_BUF out = buf_with_max(ESCI2_PARA_MAX);
    AUTO_BUF second = buf_with_max(ESCI2_PARA_MAX);

    (void)state;
    text_copy(para.source, sizeof para.source, "ADF");
    assert_true(esci2_words_add(&para.options, "CRP") && esci2_words_add(&para.options, "SKEW") &&
                esci2_words_add(&para.options, "DFL1"));
    para.dpi_main = para.dpi_sub = 200;
    text_copy(para.color, sizeof para.color, "R008");
    text_copy(para.format, sizeof para.format, "JPG");
    para.threshold = 110;
    para.brightness = 12;
    para.contrast = -5;
    para.crop_margin = -20;
    text_copy(para.fill_color, sizeof para.fill_color, "WH");
    para.has_fill = true;
    for (int i = 0; i < ESCI2_FILL_SIDES; i++)
        para.fill[i] = 10 * (i + 1);
    para.pages = 7;
    assert_true(esci2_para_encode(&out, &para));
    assert_bytes_equal(buf_bytes(&out), text(wanted));
    assert_int_equal(esci2_para_decode(buf_bytes(&out), &again), WIRE_OK);
    assert_true(esci2_para_encode(&second, &again));
    assert_bytes_equal(buf_bytes(&second), text(wanted));
    /* A table of another size, or without a channel, is none. */
    assert_int_equal(esci2_para_decode(text("#GMTRED h004abcd"), &again), WIRE_BROKEN);
    assert_int_equal(esci2_para_decode(text("#GMTh004abcd"), &again), WIRE_BROKEN);
    assert_int_equal(esci2_para_decode(text("#FLAi0000010i0000020"), &again), WIRE_BROKEN);
}

/* Epson's own block is what we write for the same settings, byte for byte. */
static void para_of_epsons_driver_is_read(void **state)
{
    static const char *const names[] = { "para-et4950-adf-duplex", "para-et4950-adf-simplex",
                                         "para-et4950-flatbed" };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        HexFile *file = hexfile_read(names[i]);
        Bytes block = file->item[0].bytes;
        Esci2Para para = ESCI2_PARA_NOTHING;
        AUTO_BUF out = buf_with_max(ESCI2_PARA_MAX);
        bool flatbed = i == 2;

        assert_int_equal(esci2_para_decode(block, &para), WIRE_OK);
        assert_string_equal(para.source, flatbed ? "FB" : "ADF");
        assert_int_equal(esci2_words_have(&para.options, "DPLX"), i == 0);
        assert_int_equal(para.pages, flatbed ? -1 : 0);
        assert_int_equal(para.x_px, flatbed ? 0 : 69);
        assert_int_equal(para.height_px, 3506);
        assert_true(esci2_para_encode(&out, &para));
        assert_int_equal(para.table_count, 3);
        assert_true(esci2_word_is(para.tables[0].channel, "GRN") &&
                    esci2_word_is(para.tables[1].channel, "RED") &&
                    esci2_word_is(para.tables[2].channel, "BLU"));
        for (size_t j = 0; j < 3; j++) /* nearly the identity, as captured */
            for (int v = 0; v < ESCI2_TABLE_SIZE; v++)
                assert_in_range(para.tables[j].value[v] + 1, v, v + 2);
        assert_bytes_equal(buf_bytes(&out), block);

        /* Cutting at keys: never inside a gamma table, all of it in the end, however small. */
        size_t done = 0;
        while (done < block.n) {
            size_t cut = esci2_block_cut(bytes_after(block, done), 300);
            assert_true(cut > 0 && cut <= 300);
            assert_int_equal(block.p[done], '#');
            done += cut;
        }
        assert_int_equal(esci2_block_cut(block, 3), 0);
        free(file);
    }
}

/* Parts of INFO and CAPA that nobody knows are no reason to refuse the device. */
static void unknown_parts_are_skipped(void **state)
{
    static const char info_text[] =
        "#ZZZdoorisopxylohandhFFF#YYYdABCi00x0000#EXIh010{\"a#b\":[\"#x\",1]}#ADFTYPEFEED"
        "#ADFDOORdoorh001\1   #ADFAREAd850i0001400#FB DETX#FB DETYd001#FB AREAd850i0001170"
        "#PRDh010PID 1147        #---#---  ";
    static const char capa_text[] = "#ADFDPLX#ADFdips#COLLISTdullC024xraymoreM008#ZZZh100shrt"
                                    "#FMTLISTJPG #RSMLISTd300dvd i0000600#---\0";
    Esci2Info info;
    Esci2Capa capa;

    (void)state;
    assert_int_equal(esci2_info_decode(text(info_text), &info), WIRE_OK);
    assert_true(info.adf.present && info.flatbed.present && info.adf.width == 850 &&
                info.flatbed.height == 1170);
    assert_string_equal(info.product, "PID 1147");
    assert_int_equal(
        esci2_capa_decode((Bytes){ (const uint8_t *)capa_text, sizeof capa_text - 1 }, &capa),
        WIRE_OK);
    assert_true(esci2_words_have(&capa.adf, "DPLX") && esci2_words_have(&capa.colors, "C024") &&
                esci2_words_have(&capa.colors, "M008") && esci2_words_have(&capa.formats, "JPG"));
    assert_true(esci2_numbers_have(&capa.dpi_main, 300) && esci2_numbers_have(&capa.dpi_main, 600));
    /* What is known must be right. */
    assert_int_equal(esci2_info_decode(text("#ADFAREAd850iABCDEFG"), &info), WIRE_BROKEN);
    assert_int_equal(esci2_info_decode(text("#PRDh100PID"), &info), WIRE_BROKEN);
}

static void tokens_follow_their_letter(void **state)
{
    static const uint8_t block[] = "#AAAd075i0001200i-000020x7ffFFFFh003#\x01\x02\0LISTd999";
    static const int32_t numbers[] = { 75, 1200, -20, 0x7ffffff };
    Esci2Tokens tokens = esci2_tokens_over((Bytes){ block, sizeof block - 1 });
    AUTO_BUF out = buf_with_max(100);
    Esci2Token token;

    (void)state;
    assert_true(esci2_token_next(&tokens, &token) && token.kind == ESCI2_KEY);
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        assert_true(esci2_token_next(&tokens, &token) && token.kind == ESCI2_NUMBER);
        assert_int_equal(token.number, numbers[i]);
    }
    assert_true(esci2_token_next(&tokens, &token) && token.kind == ESCI2_DATA);
    assert_bytes_equal(token.data, text("#\x01\x02"));
    assert_true(esci2_token_next(&tokens, &token) && token.kind == ESCI2_WORD);
    assert_true(esci2_token_next(&tokens, &token) && token.number == 999);
    assert_false(esci2_token_next(&tokens, &token) || tokens.bad);
    for (size_t n = 0; n < sizeof block - 1; n++) {
        Esci2Tokens cut = esci2_tokens_over((Bytes){ block, n });
        while (esci2_token_next(&cut, &token))
            ;
        assert_true(!cut.bad && cut.at <= n && n - cut.at < 4);
    }
    assert_true(esci2_put_word(&out, "#FB") && esci2_put_number(&out, 999) &&
                esci2_put_number(&out, 1000) && esci2_put_long(&out, -20) &&
                esci2_put_data(&out, text("abcde")));
    assert_bytes_equal(buf_bytes(&out), (Bytes){ (const uint8_t *)"#FB d999i0001000i-000020"
                                                                  "h005abcde\0\0\0",
                                                 36 });
    assert_false(esci2_put_short(&out, 1000) || esci2_put_short(&out, -1) ||
                 esci2_put_long(&out, 10000000) || esci2_put_word(&out, "LONGER"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_captured_frame_is_read),
        cmocka_unit_test(image_replies_of_a_device),
        cmocka_unit_test(inline_tokens_are_read),
        cmocka_unit_test(warnings_beside_a_page_are_read),
        cmocka_unit_test(warnings_of_a_status_are_read),
        cmocka_unit_test(broken_headers_are_refused),
        cmocka_unit_test(info_and_capa_of_the_xp7100),
        cmocka_unit_test(info_and_capa_of_the_ff680w),
        cmocka_unit_test(info_of_the_et2750_is_written_as_captured),
        cmocka_unit_test(para_of_the_specification_is_written),
        cmocka_unit_test(para_of_epsons_driver_is_read),
        cmocka_unit_test(para_of_crop_and_fill),
        cmocka_unit_test(unknown_parts_are_skipped),
        cmocka_unit_test(tokens_follow_their_letter),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
