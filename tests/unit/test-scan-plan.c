/* tests/unit/test-scan-plan.c - what is asked of an ESC/I-2 device for the settings of a job: the parameters token by
 * token, and the notes about what it cannot do. INFO and CAPA have the tokens of captured devices (FF-680W, ET-4950). */
#include "base/cleanup.h"
#include "base/text.h"
#include "device/scan-plan.h"
#include "device/scan-tone.h"
#include "tests/unit/cm.h"

#define INFO                                                                                       \
    "#ADFTYPEFEED#ADFDPLX1SCN#ADFALGNCNTR#ADFAREAd850i0001550#ADFAMINd200d200#ADFAMAXd850i0024000" \
    "#ADFRESOd600#FB ALGNRIGT#FB AREAd850i0001170#FB RESOi0001200#IMXi0065535i0065535"
#define DPI_LISTS                                                                          \
    "#ADFRSMSLISTd300d600#RSMLISTd050d075d150d200d300d600i0001200#RSSLISTd050d075d150d200" \
    "d300d600i0001200"
#define PLAIN "#ADFDPLX#COLLISTC024M008#FMTLISTJPG #JPGRANGd001d100#GMMLISTUG10UG18" DPI_LISTS
#define RICH                                                                                       \
    "#ADFDPLX#ADFDFL0DFL1DFL2DFL3#ADFCRP #ADFSKEW#ADFSLOW#FB CRP #COLLISTC024M008M001R008G008R001" \
    "#FMTLISTRAW JPG #JPGRANGd010d090#GMMLISTUG10UG18#GMTLISTRED GRN BLU MONO#THRRANGd010d200"     \
    "#CRPRANGi-000020d020#FLCLISTWH  BK  #QITLISTON  OFF #CCTLISTCOL MONO#LAMLISTON  "             \
    "OFF " DPI_LISTS

/* Its numbers are ranges; brightness and contrast are its own. */
#define RANGES                                                                         \
    "#COLLISTC024#FMTLISTJPG #RSMRANGd050i0001200#RSSRANGd050i0001200#BRTRANGd000d200" \
    "#CTRRANGd000d200"

/* A job; where it says nothing: 300 dpi, quality 80, threshold 110. */
#define JOB(...)    \
    {               \
        __VA_ARGS__ \
    }

typedef struct Case {
    const char *capa;
    ScanOrder order;
    ScanUnit unit;
    bool spare;
    const char *para; /* tables as their channel */
    const char *notes;
} Case;

/* What is asked of the rich device whatever the job; the whole area at 300 dpi, in the middle and at the right. */
#define RICH_REST "#QITOFF #CCTCOL #LAMOFF "
#define AREA      "#ACQi0000003i0000000i0002544i0004650#BSZi1048576"
#define GLASS     "#ACQi0000006i0000000i0002544i0003510#BSZi1048576"

static const Case cases[] = {
    { PLAIN, JOB(0), SCAN_UNIT_ADF, false,
      "#ADF#RSMi0000300#RSSi0000300#COLC024#FMTJPG #JPGd080#GMMUG18#PAGd000" AREA, "" },
    { PLAIN,
      JOB(.sides = SCAN_SIDES_TWO, .page_limit = 3, .crop = true, .quiet = true, .slow_feed = true),
      SCAN_UNIT_ADF, false,
      "#ADFDPLX#RSMi0000300#RSSi0000300#COLC024#FMTJPG #JPGd080#GMMUG18#PAGd004" AREA,
      "The device cannot cut pages to the paper; The device cannot scan quietly; The device cannot "
      "feed slowly" },
    { PLAIN, JOB(.color = SCAN_COLOR_BW, .brightness = 10, .contrast = 10, .gamma = 10),
      SCAN_UNIT_ADF, false,
      "#ADF#RSMi0000300#RSSi0000300#COLM008#FMTJPG #JPGd080#GMMUG18#PAGd000" AREA,
      "bw asked, gray used; The device takes no gamma; its own is used; The device cannot set the "
      "brightness; The device cannot set the contrast" },
    { PLAIN, JOB(.page_limit = 999), SCAN_UNIT_ADF, false,
      "#ADF#RSMi0000300#RSSi0000300#COLC024#FMTJPG #JPGd080#GMMUG18#PAGd999" AREA, "" },
    { PLAIN, JOB(.page_limit = 1000), SCAN_UNIT_ADF, false,
      "#ADF#RSMi0000300#RSSi0000300#COLC024#FMTJPG #JPGd080#GMMUG18#PAGd000" AREA, "" },
    { RICH, JOB(0), SCAN_UNIT_ADF, false,
      "#ADF#RSMi0000300#RSSi0000300#COLC024#FMTJPG #JPGd080#GMMUG18" RICH_REST "#PAGd000" AREA,
      "" },
    { RICH, JOB(0), SCAN_UNIT_FLATBED, false,
      "#FB #RSMi0000300#RSSi0000300#COLC024#FMTJPG #JPGd080#GMMUG18" RICH_REST GLASS, "" },
    { RICH, JOB(.sides = SCAN_SIDES_TWO, .page_limit = 4), SCAN_UNIT_ADF, false,
      "#ADFDPLXDFL1#RSMi0000300#RSSi0000300#COLC024#FMTJPG #JPGd080#GMMUG18" RICH_REST
      "#PAGd004" AREA,
      "" },
    { RICH, JOB(.sides = SCAN_SIDES_TWO, .double_feed = SCAN_DOUBLE_FEED_OFF), SCAN_UNIT_ADF, false,
      "#ADFDPLXDFL0#RSMi0000300#RSSi0000300#COLC024#FMTJPG #JPGd080#GMMUG18" RICH_REST
      "#PAGd000" AREA,
      "" },
    { RICH, JOB(.double_feed = SCAN_DOUBLE_FEED_STANDARD, .slow_feed = true, .quiet = true),
      SCAN_UNIT_ADF, false,
      "#ADFDFL1SLOW#RSMi0000300#RSSi0000300#COLC024#FMTJPG #JPGd080#GMMUG18#QITON  #CCTCOL #LAMOFF "
      "#PAGd000" AREA,
      "" },
    { RICH,
      JOB(.double_feed = SCAN_DOUBLE_FEED_THIN, .crop = true, .crop_margin_mm = -2, .deskew = true),
      SCAN_UNIT_ADF, false,
      "#ADFCRP SKEWDFL2#RSMi0000300#RSSi0000300#COLC024#FMTJPG "
      "#JPGd080#GMMUG18#CRPi-000007" RICH_REST "#PAGd000" AREA,
      "" },
    { RICH,
      JOB(.double_feed = SCAN_DOUBLE_FEED_THIN, .crop = true, .crop_margin_mm = 9,
          .slow_feed = true, .page_limit = 2, .deskew = true),
      SCAN_UNIT_FLATBED, false,
      "#FB CRP #RSMi0000300#RSSi0000300#COLC024#FMTJPG #JPGd080#GMMUG18#CRPd019" RICH_REST GLASS,
      "The device cannot straighten pages; 9 mm asked, 5 mm used" },
    { RICH, JOB(.color = SCAN_COLOR_GRAY, .drop_out = SCAN_DROP_OUT_RED, .brightness = 5),
      SCAN_UNIT_ADF, false,
      "#ADF#RSMi0000300#RSSi0000300#COLR008#FMTJPG #JPGd080#GMMUG18" RICH_REST "#PAGd000" AREA
      "+MONO",
      "" },
    { RICH, JOB(.color = SCAN_COLOR_BW, .drop_out = SCAN_DROP_OUT_RED, .threshold = 250),
      SCAN_UNIT_ADF, false,
      "#ADF#RSMi0000300#RSSi0000300#COLR001#FMTRAW #GMMUG10#THRd200" RICH_REST "#PAGd000" AREA,
      "Threshold 250 asked, 200 used" },
    { RICH, JOB(.color = SCAN_COLOR_BW, .drop_out = SCAN_DROP_OUT_GREEN, .threshold = 5),
      SCAN_UNIT_ADF, false,
      "#ADF#RSMi0000300#RSSi0000300#COLM001#FMTRAW #GMMUG10#THRd010" RICH_REST "#PAGd000" AREA,
      "The device cannot drop green; it is in the picture; Threshold 5 asked, 10 used" },
    { RICH, JOB(.drop_out = SCAN_DROP_OUT_GREEN, .gamma = 50, .jpeg_quality = 95), SCAN_UNIT_ADF,
      false,
      "#ADF#RSMi0000300#RSSi0000300#COLC024#FMTJPG #JPGd090#GMMUG18" RICH_REST "#PAGd000" AREA
      "+RED+GRN+BLU",
      "In colour pages green is not dropped; Quality 95 asked, 90 used" },
    { RICH,
      JOB(.edge_fill = SCAN_EDGE_WHITE, .edge_left_mm = 1, .edge_right_mm = 2, .edge_top_mm = 3,
          .edge_bottom_mm = 4),
      SCAN_UNIT_ADF, false,
      "#ADF#RSMi0000300#RSSi0000300#COLC024#FMTJPG #JPGd080#GMMUG18#FLCWH  "
      "#FLAi0000003i0000007i0000011i0000015" RICH_REST "#PAGd000" AREA,
      "" },
    { RICH, JOB(.edge_fill = SCAN_EDGE_BLACK, .jpeg_quality = 5, .dpi = 900), SCAN_UNIT_ADF, false,
      "#ADF#RSMi0000600#RSSi0000600#COLC024#FMTJPG #JPGd010#GMMUG18#FLCBK  "
      "#FLAi0000000i0000000i0000000i0000000" RICH_REST
      "#PAGd000#ACQi0000002i0000000i0005096i0009300#BSZi1048576",
      "900 dpi asked, 600 used; Quality 5 asked, 10 used" },
    { RICH, JOB(.paper = SCAN_PAPER_A5, .dpi = 200), SCAN_UNIT_ADF, false,
      "#ADF#RSMi0000200#RSSi0000200#COLC024#FMTJPG #JPGd080#GMMUG18" RICH_REST
      "#PAGd000#ACQi0000270i0000000i0001160i0001654#BSZi1048576",
      "" },
    { RICH, JOB(.paper = SCAN_PAPER_A5, .dpi = 1200), SCAN_UNIT_FLATBED, false,
      "#FB #RSMi0001200#RSSi0001200#COLC024#FMTJPG #JPGd080#GMMUG18" RICH_REST
      "#ACQi0003208i0000000i0006992i0009924#BSZi1048576",
      "" },
    { RICH, JOB(.paper = SCAN_PAPER_A3), SCAN_UNIT_FLATBED, false,
      "#FB #RSMi0000300#RSSi0000300#COLC024#FMTJPG #JPGd080#GMMUG18" RICH_REST GLASS,
      "297 x 420 mm asked, 216 x 297 mm used: the device takes no larger" },
    { RICH, JOB(.paper = SCAN_PAPER_CUSTOM, .paper_width_mm = 210, .paper_height_mm = 600),
      SCAN_UNIT_ADF, false,
      "#ADF#RSMi0000300#RSSi0000300#COLC024#FMTJPG #JPGd080#GMMUG18" RICH_REST
      "#PAGd000#ACQi0000035i0000000i0002480i0007086#BSZi1048576",
      "" },
    { RICH, JOB(.paper = SCAN_PAPER_CUSTOM, .paper_width_mm = 40, .paper_height_mm = 40),
      SCAN_UNIT_ADF, false,
      "#ADF#RSMi0000300#RSSi0000300#COLC024#FMTJPG #JPGd080#GMMUG18" RICH_REST
      "#PAGd000#ACQi0000975i0000000i0000600i0000600#BSZi1048576",
      "40 x 40 mm asked, 51 x 51 mm used: the device takes no smaller" },
    { RICH,
      JOB(.sides = SCAN_SIDES_TWO, .double_feed = SCAN_DOUBLE_FEED_THIN, .crop = true,
          .quiet = true, .gamma = 20, .edge_fill = SCAN_EDGE_WHITE),
      SCAN_UNIT_ADF, true, "#ADFDPLX#RSMi0000300#RSSi0000300#COLC024#FMTJPG #JPGd080#PAGd000" AREA,
      "The device cannot cut pages to the paper; The device cannot scan quietly; The device does "
      "not notice two sheets at once; The device takes no gamma; its own is used; The device "
      "cannot fill the edges in white" },
    { RANGES, JOB(.dpi = 700, .brightness = -50, .contrast = 100), SCAN_UNIT_ADF, false,
      "#ADF#RSMi0000600#RSSi0000600#COLC024#FMTJPG #BRTd050#CTRd200#PAGd000"
      "#ACQi0000002i0000000i0005096i0009300#BSZi1048576",
      "700 dpi asked, 600 used" },
    { RANGES, JOB(.dpi = 20), SCAN_UNIT_ADF, false,
      "#ADF#RSMi0000050#RSSi0000050#COLC024#FMTJPG #PAGd000#ACQi0000000i0000000i0000424i0000775"
      "#BSZi1048576",
      "20 dpi asked, 50 used" },
};

static ScanOrder whole(const ScanOrder *said)
{
    ScanOrder order = *said;

    order.dpi = order.dpi > 0 ? order.dpi : 300;
    order.jpeg_quality = order.jpeg_quality > 0 ? order.jpeg_quality : 80;
    order.threshold = order.threshold > 0 ? order.threshold : 110;
    return order;
}

static void read_device(const char *capa_text, Esci2Info *info, Esci2Capa *capa)
{
    assert_int_equal(esci2_info_decode(bytes_of_text(INFO), info), WIRE_OK);
    assert_int_equal(esci2_capa_decode(bytes_of_text(capa_text), capa), WIRE_OK);
}

/* The block as text; of a table its channel. */
static void say(const Esci2Para *para, char *ret_text, size_t size)
{
    AUTO_BUF block = buf_with_max(ESCI2_PARA_MAX);
    Esci2Para short_one = *para;
    size_t n;

    short_one.table_count = 0;
    assert_true(esci2_para_encode(&block, para));
    buf_clear(&block);
    assert_true(esci2_para_encode(&block, &short_one));
    (void)text_printf(ret_text, size, "%.*s", (int)block.n, (const char *)block.p);
    for (size_t i = 0; i < para->table_count; i++) {
        n = strlen(ret_text);
        (void)text_printf(ret_text + n, size - n, "+%s", para->tables[i].channel);
    }
}

static void settings_become_parameters(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const Case *c = &cases[i];
        const ScanOrder order = whole(&c->order);
        char text[512], notes_text[512];
        Esci2Info info;
        Esci2Capa capa;
        Esci2Para para;
        ScanNotes notes;
        Reason reason;

        read_device(c->capa, &info, &capa);
        assert_true(
            scan_plan_para(&info, &capa, &order, c->unit, c->spare, &para, &notes, &reason));
        say(&para, text, sizeof text);
        assert_true(scan_notes_say(&notes, notes_text, sizeof notes_text));
        if (!text_equal(text, c->para) || !text_equal(notes_text, c->notes))
            print_error("case %zu\n%s\n%s\n", i, text, notes_text);
        assert_string_equal(text, c->para);
        assert_string_equal(notes_text, c->notes);
    }
}

/* A strict job gets nothing in the place of what it asked for, and hears what there is. */
static void a_strict_order_is_not_bent(void **state)
{
    ScanOrder order = whole(&(ScanOrder){ .strict = true, .dpi = 301 });
    Esci2Info info;
    Esci2Capa capa;
    Esci2Para para;
    ScanNotes notes;
    Reason reason = { 0 };

    (void)state;
    read_device(PLAIN, &info, &capa);
    assert_false(
        scan_plan_para(&info, &capa, &order, SCAN_UNIT_ADF, false, &para, &notes, &reason));
    assert_string_equal(reason.code, "settings-not-offered");
    assert_non_null(strstr(reason.text, "301 dpi asked, the device offers 300"));
    order.dpi = 300;
    assert_true(scan_plan_para(&info, &capa, &order, SCAN_UNIT_ADF, false, &para, &notes, &reason));
    read_device("#COLLISTC024#FMTLISTTIFF", &info, &capa);
    assert_false(
        scan_plan_para(&info, &capa, &order, SCAN_UNIT_ADF, false, &para, &notes, &reason));
    assert_string_equal(reason.code, "format-not-offered");
}

/* Brightness moves, contrast turns about the middle, gamma 100 is the curve of 2.2; 0 is a straight line. */
static void tone_tables(void **state)
{
    static const struct {
        int32_t brightness, contrast, gamma;
        uint8_t black, quarter, middle, white; /* of 0, 64, 128, 255 */
    } tones[] = {
        { 0, 0, 0, 0, 64, 128, 255 },    { 50, 0, 0, 64, 128, 192, 255 },
        { -50, 0, 0, 0, 0, 64, 191 },    { 0, 25, 0, 0, 32, 128, 255 },
        { 0, 100, 0, 0, 0, 129, 255 },   { 0, -100, 0, 102, 115, 128, 153 },
        { 0, 0, 100, 0, 136, 186, 255 }, { 0, 0, -100, 0, 12, 56, 255 },
    };
    uint8_t table[ESCI2_TABLE_SIZE];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(tones); i++) {
        scan_tone_table(tones[i].brightness, tones[i].contrast, tones[i].gamma, table);
        assert_int_equal(table[0], tones[i].black);
        assert_int_equal(table[64], tones[i].quarter);
        assert_int_equal(table[128], tones[i].middle);
        assert_int_equal(table[255], tones[i].white);
    }
    scan_tone_table(0, 0, 0, table);
    for (size_t i = 0; i < sizeof table; i++)
        assert_int_equal(table[i], i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_become_parameters),
        cmocka_unit_test(a_strict_order_is_not_bent),
        cmocka_unit_test(tone_tables),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
