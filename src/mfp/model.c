/* mfp/model.c - the table of real models, and the device that is none of them.
 *
 * ET-2750, ET-4800, XP-7100, FF-680W and DS-575W: byte for byte as captured (tests/unit/data/esci2-*.hex). ET-4950: no
 * capture of its INFO and CAPA is public. The segments of its CAPA are those whose hash epson2paperless knows such devices
 * by (2fb08fc1..., src/esci2/dialects/registry.ts), their order is that of an XP-7100; so is its INFO. */
#include "mfp/model.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "wire/esci2-token.h"
#include "wire/is.h"

#include <stdlib.h>

#define ADF_SIZES   "#ADFAREAd850i0001400#ADFAMINd582d413#ADFAMAXd850i0002000#ADFRESOi0001200"
#define GLASS_INFO  "#FB ALGNLEFT#FB AREAd850i0001170#FB RESOi0001200"
#define IMAGE_MAX   "#IMXi0065535i0065535"
#define PARAMETERS  "#DSZi0001536"
#define XP_DPI      "LISTd075d150d300d600i0001200"
#define XP_DPI_SUB  "#RSSLISTd075d150d300d400d600i0001200i0002400"
#define ANY_DPI     "LISTd075d100d150d200d300d600i0001200"
#define ET_DPI      "LISTd050d075d100d150d200d300d600i0001200"
#define FF_DPI      "LISTd050d075d100d150d200d240d300d360d400d600"
#define JPEG_RANGE  "#JPGRANGd001d100"
#define THRESHOLD   "#THRRANGd000d255"
#define GAMMA       "#GMTLISTRED GRN BLU MONO#CMXLISTUNITUM08"
#define GLASS_COUNT "#FB CNT d000xFFFFFFF"
#define ADF_COUNT   "#ADFSCNTd000xFFFFFFF"
#define DUP_COUNT   "#ADFDCNTd000xFFFFFFF#ADFJAM d000xFFFFFFF"
#define FF_INFO                                                                            \
    "#ADFTYPEFEED#ADFDPLX1SCN#ADFFORDPF1N#ADFPREF#ADFALGNCNTR#ADFASCN#ADFAREAd850i0001550" \
    "#ADFAMINd200d200#ADFAMAXd850i0024000#ADFRESOd600#ADFRCVR#ADFOVSNd000d000#ADFCRST#"    \
    "ADFCARD" IMAGE_MAX
#define SHEET_OPTIONS "#ADFLDF #ADFEJCT#ADFCRP #ADFSKEW#ADFOVSN#ADFRSMSLISTd300d600"
#define FF_FEEDER     "#ADFDPLX#ADFPEDT#ADFDFL1DFL3" SHEET_OPTIONS
#define FF_REST                                                                    \
    "#FMTLISTJPG " JPEG_RANGE "#GMMLISTUG10UG18" GAMMA "#RSM" FF_DPI "#RSS" FF_DPI \
    "#CRPRANGi-000020d020#LAMLISTON  OFF "
#define XP_REST                                                                          \
    "#COLLISTC024M001M008#FMTLISTRAW JPG " JPEG_RANGE THRESHOLD "#GMMLISTUG10UG18" GAMMA \
    "#RSM" XP_DPI XP_DPI_SUB

/* 0x38 came from an FF-680W; its sister is taken to send the same. */
enum { FLAGS_SHEETFED = 0x38, SHORT_DIGITS = 3, LONG_DIGITS = 7 };

static const MfpModel models[] = {
    { .name = "ET-2750",
      .product = "PID 112A",
      .flags = IS_DEVICE_FLAGS,
      .pads_product = true,
      .front = GLASS_INFO IMAGE_MAX,
      .back = "#VERh008FB  1.01" PARAMETERS,
      .tail = "",
      .short_tail = "#isn#mem#psv",
      .capa = "#FB RSMS" XP_DPI XP_REST,
      .counters = GLASS_COUNT },
    { .name = "ET-4800",
      .product = "PID 1185",
      .flags = IS_DEVICE_FLAGS,
      .pads_product = true,
      .front = "#ADFTYPEFEED#ADFFORDPF1N#ADFPREF#ADFALGNRIGT" ADF_SIZES GLASS_INFO IMAGE_MAX,
      .back = "#VERh008FB  1.02" PARAMETERS,
      .tail = "",
      .short_tail = "#isn#mem#psv",
      .capa = "#ADFRSMSLISTd300d600#FB RSMS" XP_DPI
              "#COLLISTC024M008#FMTLISTRAW JPG " JPEG_RANGE THRESHOLD "#GMMLISTUG10UG18" GAMMA
              "#RSM" XP_DPI XP_DPI_SUB,
      .counters = ADF_COUNT "#ADFJAM d000xFFFFFFF" GLASS_COUNT },
    { .name = "XP-7100",
      .product = "PID 1147",
      .flags = IS_DEVICE_FLAGS,
      .pads_product = true,
      .front =
          "#ADFTYPEFEED#ADFDPLX2SCN#ADFFORDPF1N#ADFPREF#ADFALGNRIGT" ADF_SIZES GLASS_INFO IMAGE_MAX,
      .back = "#VERh008FB  2.00" PARAMETERS,
      .tail = "#INI",
      .short_tail = "#isn#mem#psv#INI",
      .capa = "#ADFDPLX#ADFRSMS" XP_DPI "#FB RSMS" XP_DPI XP_REST "#QITLISTPREFON  OFF ",
      .counters = ADF_COUNT DUP_COUNT GLASS_COUNT },
    { .name = "ET-4950",
      .product = "PID 11D1",
      .flags = IS_DEVICE_FLAGS,
      .pads_product = true,
      .front =
          "#ADFTYPEFEED#ADFDPLX2SCN#ADFFORDPF1N#ADFPREF#ADFALGNRIGT" ADF_SIZES GLASS_INFO IMAGE_MAX,
      .back = "#VERh008FB  2.00" PARAMETERS,
      .tail = "#INI",
      .short_tail = "#isn#mem#psv#INI",
      .capa = "#ADFDPLX#ADFRSMSLISTd075d150d200d300d600#FB RSMSLISTd075d150d200d300d600i0001200"
              "#COLLISTC024M008#FMTLISTRAW JPG " JPEG_RANGE THRESHOLD "#GMMLISTUG10UG18" GAMMA
              "#RSM" ET_DPI "#RSS" ET_DPI "i0002400#QITLISTPREFON  OFF #CCTLISTPREFCOL MONO",
      .counters = ADF_COUNT DUP_COUNT GLASS_COUNT },
    { .name = "FF-680W",
      .product = "FF-680W",
      .scope = "PID 016B",
      .is_v3 = true,
      .flags = FLAGS_SHEETFED,
      .has_serial = true,
      .front = FF_INFO,
      .back = "#VERh008ADF 18P4#PRVh00C18.61.SP18P4" PARAMETERS,
      .tail = "#AFM#DFMd100#EXI",
      .short_tail = "#isn#mem#psv",
      .capa = FF_FEEDER "#COLLISTC024M008R008G008B008" FF_REST,
      .counters = ADF_COUNT },
    { .name = "DS-575W",
      .product = "DS-575W",
      .scope = "PID 0169",
      .is_v3 = true,
      .flags = FLAGS_SHEETFED,
      .has_serial = true,
      .front = FF_INFO,
      .back = "#VERh008ADF 29J7#PRVh00C18.54.IB29J7" PARAMETERS,
      .tail = "#AFM#DFMd100#EXI",
      .short_tail = "#isn#mem#psv",
      .capa = "#ADFDPLX#ADFPEDT#ADFDFL1" SHEET_OPTIONS "#COLLISTC024M008R008G008B008" FF_REST,
      .counters = ADF_COUNT },
};

/* The device without --model: an XP-7100 with left-aligned feeder and more resolutions. */
static const MfpModel plain = { .product = "PID 1147",
                                .flags = IS_DEVICE_FLAGS,
                                .pads_product = true,
                                .has_serial = true,
                                .back = "#VERh008FB  2.00" PARAMETERS,
                                .tail = "",
                                .short_tail = "" };

static const char *const duplex_info[MFP_DUPLEX_MAX_] = {
    [MFP_SIMPLEX] = "",
    [MFP_DUPLEX_SEQUENTIAL] = "#ADFDPLX1SCN",
    [MFP_DUPLEX_INTERLEAVED] = "#ADFDPLX1SCN",
    [MFP_DUPLEX_DOUBLE_PASS] = "#ADFDPLX2SCN",
};

static const char *const formats_capa[MFP_FORMATS_MAX_] = {
    [MFP_RAW_AND_JPEG] = "#FMTLISTRAW JPG ",
    [MFP_JPEG_ONLY] = "#FMTLISTJPG ",
    [MFP_RAW_ONLY] = "#FMTLISTRAW ",
};

const MfpModel *model_at(size_t i)
{
    return i < COUNT_OF(models) ? &models[i] : NULL;
}

const MfpModel *model_find(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(models); i++)
        if (text_equal_nocase(models[i].name, name))
            return &models[i];
    return NULL;
}

static const MfpModel *model_of(const ModelKind *kind)
{
    return kind->model ? kind->model : &plain;
}

static void put_product(const MfpModel *model, const char *product, Buf *to)
{
    char padded[MODEL_PRODUCT_SIZE];

    (void)text_printf(padded, sizeof padded, "%-*s",
                      model->pads_product ? MODEL_PRODUCT_SIZE - 1 : 0, product);
    (void)buf_put_text(to, "#PRD");
    (void)esci2_put_data(to, bytes_of_text(padded));
}

/* INFO before #PRD. */
static void put_front(const ModelKind *kind, Buf *to)
{
    if (kind->model) {
        (void)buf_put_text(to, kind->model->front);
        return;
    }
    (void)buf_put_text(to, "#ADFTYPEFEED");
    (void)buf_put_text(to, duplex_info[kind->duplex]);
    (void)buf_put_text(to, kind->last_first ? "#ADFFORDPFN1" : "#ADFFORDPF1N");
    (void)buf_put_text(to, "#ADFPREF#ADFALGNLEFT" ADF_SIZES);
    (void)buf_put_text(to, kind->glass ? GLASS_INFO : "");
    (void)buf_put_text(to, IMAGE_MAX);
}

bool model_put_info(const ModelKind *kind, const char *product, const char *serial, Buf *to)
{
    const MfpModel *model = model_of(kind);

    put_front(kind, to);
    put_product(model, product, to);
    (void)buf_put_text(to, model->back);
    if (model->has_serial && serial[0]) {
        (void)buf_put_text(to, "#S/N");
        (void)esci2_put_data(to, bytes_of_text(serial));
    }
    return buf_put_text(to, model->tail);
}

bool model_put_short_info(const ModelKind *kind, const char *product, Buf *to)
{
    const MfpModel *model = model_of(kind);

    put_product(model, product, to);
    (void)buf_put_text(to, model->back);
    return buf_put_text(to, model->short_tail);
}

bool model_put_capa(const ModelKind *kind, Buf *to)
{
    if (kind->model)
        return buf_put_text(to, kind->model->capa);
    (void)buf_put_text(to, kind->duplex ? "#ADFDPLX" : "");
    (void)buf_put_text(to, "#ADFRSMS" ANY_DPI);
    (void)buf_put_text(to, kind->glass ? "#FB RSMS" ANY_DPI : "");
    (void)buf_put_text(to, kind->formats == MFP_JPEG_ONLY ? "#COLLISTC024M008"
                                                          : "#COLLISTC024M001M008");
    (void)buf_put_text(to, formats_capa[kind->formats]);
    (void)buf_put_text(to, kind->formats == MFP_RAW_ONLY ? "" : JPEG_RANGE);
    (void)buf_put_text(to, kind->formats == MFP_JPEG_ONLY ? "" : THRESHOLD);
    return buf_put_text(to, "#GMMLISTUG10UG18" GAMMA "#RSM" ANY_DPI "#RSS" ANY_DPI);
}

bool model_put_counters(const ModelKind *kind, Buf *to)
{
    if (kind->model)
        return buf_put_text(to, kind->model->counters);
    (void)buf_put_text(to, ADF_COUNT);
    (void)buf_put_text(to, kind->duplex ? DUP_COUNT : "");
    return buf_put_text(to, kind->glass ? GLASS_COUNT : "");
}

/* ---- what the texts mean ---- */

bool model_has_feeder(const ModelKind *kind)
{
    return !kind->model || strstr(kind->model->front, "#ADFTYPE") != NULL;
}

bool model_has_glass(const ModelKind *kind)
{
    return kind->model ? strstr(kind->model->front, "#FB ALGN") != NULL : kind->glass;
}

bool model_has_duplex(const ModelKind *kind)
{
    return kind->model ? strstr(kind->model->front, "#ADFDPLX") != NULL
                       : kind->duplex != MFP_SIMPLEX;
}

bool model_turns_backs(const ModelKind *kind)
{
    return kind->model ? strstr(kind->model->front, "#ADFDPLX2SCN") != NULL
                       : kind->duplex == MFP_DUPLEX_DOUBLE_PASS;
}

bool model_is_last_first(const ModelKind *kind)
{
    return kind->model ? strstr(kind->model->front, "#ADFFORDPFN1") != NULL : kind->last_first;
}

/* The values behind a key that begins at at: do they have the word? Quads, up to the next key. */
static bool values_have(const char *at, const char *word)
{
    for (; *at && *at != '#'; at += ESCI2_WORD_SIZE - 1)
        if (strncmp(at, word, ESCI2_WORD_SIZE - 1) == 0)
            return true;
    return false;
}

bool model_offers(const ModelKind *kind, const char *key, const char *word)
{
    AUTO_BUF capa = buf_with_max(MODEL_BLOCK_MAX);
    const char *at;

    if (!model_put_capa(kind, &capa))
        return false;
    at = buf_text(&capa);
    while ((at = strstr(at, key)) != NULL) {
        at += strlen(key);
        if (values_have(at, word))
            return true;
    }
    return false;
}

/* A number of CAPA, "d020" or "i-000020"; moves *at behind it. */
static bool take_number(const char **at, int32_t *ret_number)
{
    enum { DECIMAL = 10 };
    char digits[LONG_DIGITS + 1];
    char kind = **at;
    char *end;

    if ((kind != 'd' && kind != 'i') ||
        !text_copy_bytes(digits, sizeof digits,
                         (Bytes){ (const uint8_t *)*at + 1,
                                  strnlen(*at + 1, kind == 'd' ? SHORT_DIGITS : LONG_DIGITS) }))
        return false;
    *ret_number = (int32_t)strtol(digits, &end, DECIMAL);
    *at += 1 + strlen(digits);
    return *end == '\0';
}

bool model_range(const ModelKind *kind, const char *key, int32_t *ret_min, int32_t *ret_max)
{
    AUTO_BUF capa = buf_with_max(MODEL_BLOCK_MAX);
    char wanted[2 * ESCI2_WORD_SIZE];

    if (!model_put_capa(kind, &capa) || !text_printf(wanted, sizeof wanted, "%sRANG", key))
        return false;
    const char *at = strstr(buf_text(&capa), wanted);
    if (!at)
        return false;
    at += strlen(wanted);
    return take_number(&at, ret_min) && take_number(&at, ret_max);
}

char model_alignment(const ModelKind *kind, bool feeder)
{
    const char *key = feeder ? "#ADFALGN" : "#FB ALGN";
    const char *at = kind->model ? strstr(kind->model->front, key) : NULL;

    return at ? at[strlen(key)] : 'L';
}
