/* wire/esci.c - the blocks of wire/esci.h. */
#include "wire/esci.h"

#include "base/text.h"

enum {
    LEVEL_BYTES = 2,
    LEVEL_FIELD = 4, /* with two zero bytes behind */
    PRODUCT_BYTES = 16,
    FIRMWARE_BYTES = 4,
    BYTE_BITS = 8,
    COLOURS = 3,
};

/* Printable ASCII without the blanks at its end; "" when there are other bytes. */
static void read_text(Reader *r, size_t n, char *ret_text)
{
    Bytes in = rd_bytes(r, n);
    bool plain = true;

    while (in.n > 0 && (in.p[in.n - 1] == ' ' || in.p[in.n - 1] == 0))
        in.n--;
    for (size_t i = 0; i < in.n; i++)
        plain = plain && in.p[i] >= ' ' && in.p[i] <= '~';
    (void)text_copy_bytes(ret_text, n + 1, plain ? in : (Bytes){ 0 });
}

static bool put_text(Buf *to, const char *text, size_t n, uint8_t fill)
{
    size_t have = strlen(text) < n ? strlen(text) : n;
    bool ok = buf_put(to, (Bytes){ (const uint8_t *)text, have });

    while (have++ < n)
        ok = buf_put_u8(to, fill);
    return ok;
}

WireResult esci_identity_decode(Bytes in, EsciIdentity *ret_identity)
{
    Reader r = reader_over(in);
    EsciIdentity id = { 0 };
    uint32_t *const numbers[] = { &id.basic_dpi,   &id.min_dpi,       &id.max_dpi,
                                  &id.line_max_px, &id.flatbed_width, &id.flatbed_height,
                                  &id.adf_width,   &id.adf_height,    &id.tpu_width,
                                  &id.tpu_height };

    if (in.n != ESCI_IDENTITY_SIZE)
        return WIRE_BROKEN;
    read_text(&r, LEVEL_BYTES, id.level);
    (void)rd_skip(&r, LEVEL_FIELD - LEVEL_BYTES);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        *numbers[i] = rd_u32le(&r);
    id.capabilities = rd_u8(&r);
    id.capabilities_2 = rd_u8(&r);
    read_text(&r, PRODUCT_BYTES, id.product);
    read_text(&r, FIRMWARE_BYTES, id.firmware);
    id.input_bits = rd_u8(&r);
    id.output_bits = rd_u8(&r);
    *ret_identity = id;
    return WIRE_OK;
}

bool esci_identity_encode(Buf *to, const EsciIdentity *id)
{
    const uint32_t numbers[] = { id->basic_dpi,   id->min_dpi,       id->max_dpi,
                                 id->line_max_px, id->flatbed_width, id->flatbed_height,
                                 id->adf_width,   id->adf_height,    id->tpu_width,
                                 id->tpu_height };
    size_t begin = to->n;

    (void)put_text(to, id->level, LEVEL_BYTES, 0);
    (void)buf_put_zeros(to, LEVEL_FIELD - LEVEL_BYTES);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        (void)buf_put_u32le(to, numbers[i]);
    (void)buf_put_u8(to, id->capabilities);
    (void)buf_put_u8(to, id->capabilities_2);
    (void)put_text(to, id->product, PRODUCT_BYTES, ' ');
    (void)put_text(to, id->firmware, FIRMWARE_BYTES, ' ');
    (void)buf_put_u8(to, id->input_bits);
    (void)buf_put_u8(to, id->output_bits);
    return buf_put_zeros(to, to->failed ? 0 : ESCI_IDENTITY_SIZE - (to->n - begin));
}

WireResult esci_status_decode(Bytes in, EsciStatus *ret_status)
{
    Reader r = reader_over(in);

    if (in.n != ESCI_STATUS_SIZE)
        return WIRE_BROKEN;
    ret_status->device = rd_u8(&r);
    ret_status->adf = rd_u8(&r);
    ret_status->tpu = rd_u8(&r);
    ret_status->main_unit = rd_u8(&r);
    return WIRE_OK;
}

bool esci_status_encode(Buf *to, const EsciStatus *status)
{
    enum { USED = 4 };

    return buf_put_u8(to, status->device) && buf_put_u8(to, status->adf) &&
           buf_put_u8(to, status->tpu) && buf_put_u8(to, status->main_unit) &&
           buf_put_zeros(to, ESCI_STATUS_SIZE - USED);
}

/* The fields of FS W in their order; pointers, so that reading and writing cannot differ. */
enum { WORDS = 6, OCTETS = 15 };

static void parameter_fields(EsciParameters *p, uint32_t *ret_words[WORDS],
                             uint8_t *ret_octets[OCTETS])
{
    uint32_t *words[WORDS] = { &p->dpi_main, &p->dpi_sub,  &p->x_px,
                               &p->y_px,     &p->width_px, &p->height_px };
    uint8_t *octets[OCTETS] = {
        &p->color,
        &p->bits,
        &p->source,
        &p->mode,
        &p->block_lines,
        &p->gamma,
        &p->brightness,
        &p->color_correction,
        &p->halftone,
        &p->threshold,
        &p->area_segmentation,
        &p->sharpness,
        &p->mirror,
        &p->film,
        &p->lamp,
    };

    memcpy(ret_words, words, sizeof words);
    memcpy(ret_octets, octets, sizeof octets);
}

WireResult esci_parameters_decode(Bytes in, EsciParameters *ret_parameters)
{
    Reader r = reader_over(in);
    EsciParameters p = { 0 };
    uint32_t *words[WORDS];
    uint8_t *octets[OCTETS];

    if (in.n != ESCI_PARAMETERS_SIZE)
        return WIRE_BROKEN;
    parameter_fields(&p, words, octets);
    for (size_t i = 0; i < WORDS; i++)
        *words[i] = rd_u32le(&r);
    for (size_t i = 0; i < OCTETS; i++)
        *octets[i] = rd_u8(&r);
    *ret_parameters = p;
    return WIRE_OK;
}

bool esci_parameters_encode(Buf *to, const EsciParameters *parameters)
{
    EsciParameters p = *parameters;
    uint32_t *words[WORDS];
    uint8_t *octets[OCTETS];

    parameter_fields(&p, words, octets);
    for (size_t i = 0; i < WORDS; i++)
        (void)buf_put_u32le(to, *words[i]);
    for (size_t i = 0; i < OCTETS; i++)
        (void)buf_put_u8(to, *octets[i]);
    return buf_put_zeros(to, ESCI_PARAMETERS_SIZE - WORDS * sizeof(uint32_t) - OCTETS);
}

WireResult esci_blocks_decode(Bytes in, EsciBlocks *ret_blocks)
{
    Reader r = reader_over(in);

    if (in.n != ESCI_BLOCKS_SIZE || rd_u8(&r) != ESCI_STX)
        return WIRE_BROKEN;
    ret_blocks->status = rd_u8(&r);
    ret_blocks->block_bytes = rd_u32le(&r);
    ret_blocks->full_blocks = rd_u32le(&r);
    ret_blocks->last_bytes = rd_u32le(&r);
    return WIRE_OK;
}

bool esci_blocks_encode(Buf *to, const EsciBlocks *blocks)
{
    return buf_put_u8(to, ESCI_STX) && buf_put_u8(to, blocks->status) &&
           buf_put_u32le(to, blocks->block_bytes) && buf_put_u32le(to, blocks->full_blocks) &&
           buf_put_u32le(to, blocks->last_bytes);
}

uint64_t esci_line_bytes(const EsciParameters *parameters)
{
    uint64_t samples = (uint64_t)parameters->width_px *
                       (parameters->color == ESCI_MONO ? 1 : COLOURS);

    return (samples * parameters->bits + BYTE_BITS - 1) / BYTE_BITS;
}
