/* image/encode-jpeg.c - see encode.h. */
#include "image/encode.h"
#include "image/jpeg-io.h"
#include "image/raw.h"

#include <stdlib.h>

enum { FULL_COLOUR_QUALITY = 90 };

typedef struct Encoder {
    JpegGuard guard;
    struct jpeg_compress_struct out;
    JpegTarget target;
    RawSource raw;
    uint8_t *row; /* black and white unpacked, owned */
} Encoder;

uint8_t encode_jpeg_subsampling(uint32_t quality)
{
    return quality >= FULL_COLOUR_QUALITY ? 1 : 2;
}

static void start(Encoder *encoder, const Picture *picture, uint32_t quality, uint32_t dpi)
{
    struct jpeg_compress_struct *out = &encoder->out;

    out->image_width = picture->width_px;
    out->image_height = picture->height_px;
    out->input_components = picture->components;
    out->in_color_space = picture->components == 1 ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_set_defaults(out);
    jpeg_set_quality(out, (int)quality, TRUE);
    out->comp_info[0].h_samp_factor = out->comp_info[0].v_samp_factor =
        picture->components == 1 ? 1 : encode_jpeg_subsampling(quality);
    out->density_unit = 1; /* per inch */
    out->X_density = out->Y_density = (UINT16)dpi;
    jpeg_start_compress(out, TRUE);
}

static void put_rows(Encoder *encoder, const Picture *picture)
{
    if (picture->bits == 1)
        encoder->row = jpeg_guard_room(&encoder->guard, picture->width_px, 1);
    for (uint32_t y = 0; y < picture->height_px; y++) {
        const uint8_t *row = raw_row(&encoder->raw, y, encoder->guard.err);

        if (!row)
            jpeg_guard_fail(&encoder->guard);
        if (picture->bits == 1) {
            raw_unpack(row, picture->width_px, encoder->row);
            row = encoder->row;
        }
        JSAMPROW given = (JSAMPROW)(uintptr_t)row; /* libjpeg does not write to it */
        (void)jpeg_write_scanlines(&encoder->out, &given, 1);
    }
}

/* Everything that may longjmp. */
static bool encode(Encoder *encoder, const Picture *picture, uint32_t quality, uint32_t dpi,
                   int out_fd)
{
    if (setjmp(encoder->guard.failed) != 0)
        return false;
    jpeg_create_compress(&encoder->out);
    jpeg_target_open(&encoder->target, &encoder->out, out_fd);
    start(encoder, picture, quality, dpi);
    put_rows(encoder, picture);
    jpeg_finish_compress(&encoder->out);
    return true;
}

bool encode_jpeg(int fd, const Picture *picture, uint32_t quality, uint32_t dpi, int out_fd,
                 int64_t *ret_bytes, Err *err)
{
    Encoder encoder = { 0 };

    encoder.out.err = jpeg_guard_init(&encoder.guard, "encoded", err);
    bool ok = raw_begin(&encoder.raw, fd, picture, err) &&
              encode(&encoder, picture, quality, dpi, out_fd);
    if (ok)
        *ret_bytes = encoder.target.written;
    jpeg_destroy_compress(&encoder.out);
    jpeg_target_done(&encoder.target);
    raw_done(&encoder.raw);
    free(encoder.row);
    return ok;
}
