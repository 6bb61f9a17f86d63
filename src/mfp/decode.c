/* mfp/decode.c - libjpeg, libpng and libtiff for mfp/decode.h. */
#include "mfp/decode.h"

#include "mfp/jpeg-guard.h"
#include "mfp/tiff-memory.h"

#include <errno.h>
#include <stdlib.h>

#include <png.h>

enum { RGB = 3 };

struct Decoder {
    const Picture *picture;
    bool turned;
    uint32_t y;     /* of the next row                                            */
    uint8_t *row;   /* what decoder_row gives                                     */
    uint8_t *whole; /* the picture in RGB, when it is held                        */
    bool is_jpeg;   /* in has been created                                        */
    JpegGuard guard;
    struct jpeg_decompress_struct in;
};

static size_t row_bytes(const Picture *picture)
{
    return (size_t)picture->width_px * RGB;
}

/* ---- JPEG ---- */

static bool jpeg_begin(Decoder *decoder, Err *err)
{
    const Picture *picture = decoder->picture;

    decoder->guard.err = err;
    decoder->in.err = jpeg_guard_init(&decoder->guard);
    if (setjmp(decoder->guard.failed) != 0)
        return false;
    jpeg_create_decompress(&decoder->in);
    decoder->is_jpeg = true;
    jpeg_mem_src(&decoder->in, picture->file.p, picture->file.n);
    (void)jpeg_read_header(&decoder->in, TRUE);
    decoder->in.out_color_space = JCS_RGB;
    (void)jpeg_start_decompress(&decoder->in);
    if (decoder->in.output_width != picture->width_px ||
        decoder->in.output_height != picture->height_px)
        return err_set(err, ERR_BAD_INPUT, 0, "JPEG: two sizes in its headers");
    return true;
}

static bool jpeg_row(Decoder *decoder, uint8_t *to, Err *err)
{
    JSAMPROW row = to;

    decoder->guard.err = err;
    if (setjmp(decoder->guard.failed) != 0)
        return false;
    if (jpeg_read_scanlines(&decoder->in, &row, 1) != 1)
        return err_set(err, ERR_BAD_INPUT, 0, "JPEG: it ends early");
    return true;
}

/* ---- pictures that are held whole ---- */

static bool hold_jpeg(Decoder *decoder, Err *err)
{
    for (uint32_t y = 0; y < decoder->picture->height_px; y++)
        if (!jpeg_row(decoder, decoder->whole + y * row_bytes(decoder->picture), err))
            return false;
    return true;
}

static bool hold_png(Decoder *decoder, Err *err)
{
    const Picture *picture = decoder->picture;
    png_image image = { .version = PNG_IMAGE_VERSION };
    png_color white = { 255, 255, 255 };
    bool ok = png_image_begin_read_from_memory(&image, picture->file.p, picture->file.n) != 0;

    image.format = PNG_FORMAT_RGB;
    image.flags |=
        PNG_IMAGE_FLAG_16BIT_sRGB; /* 16 bits are as bright as 8, unless the file says so */
    ok = ok && image.width == picture->width_px && image.height == picture->height_px &&
         png_image_finish_read(&image, &white, decoder->whole, 0, NULL) != 0;
    if (!ok)
        err_set(err, ERR_BAD_INPUT, 0, "PNG: %s", image.message[0] ? image.message : "two sizes");
    png_image_free(&image);
    return ok;
}

static bool hold_tiff(Decoder *decoder, Err *err)
{
    const Picture *picture = decoder->picture;
    size_t pixels = (size_t)picture->width_px * picture->height_px;
    TiffMemory memory;
    TIFF *tiff = tiff_memory_open(&memory, picture->file, picture->page);
    uint32_t *raster = tiff ? calloc(pixels, sizeof *raster) : NULL;
    bool ok = raster && TIFFReadRGBAImageOriented(tiff, picture->width_px, picture->height_px,
                                                  raster, ORIENTATION_TOPLEFT, 1) != 0;

    for (size_t i = 0; ok && i < pixels; i++) {
        decoder->whole[i * RGB] = (uint8_t)TIFFGetR(raster[i]);
        decoder->whole[i * RGB + 1] = (uint8_t)TIFFGetG(raster[i]);
        decoder->whole[i * RGB + 2] = (uint8_t)TIFFGetB(raster[i]);
    }
    free(raster);
    if (tiff)
        TIFFClose(tiff);
    return ok ||
           err_set(err, ERR_BAD_INPUT, 0, "TIFF: page %u cannot be decoded", picture->page + 1);
}

static bool hold(Decoder *decoder, Err *err)
{
    decoder->whole = calloc(decoder->picture->height_px, row_bytes(decoder->picture));
    if (!decoder->whole)
        return err_set(err, ERR_TEMPORARY, ENOMEM, "no memory for a picture");
    if (decoder->picture->kind == PICTURE_JPEG)
        return hold_jpeg(decoder, err);
    return decoder->picture->kind == PICTURE_PNG ? hold_png(decoder, err) : hold_tiff(decoder, err);
}

static void turn_row(Decoder *decoder)
{
    uint32_t width = decoder->picture->width_px;
    const uint8_t *from = decoder->whole + (decoder->picture->height_px - 1 - decoder->y) *
                                               row_bytes(decoder->picture);

    for (uint32_t x = 0; x < width; x++)
        memcpy(decoder->row + (size_t)x * RGB, from + (size_t)(width - 1 - x) * RGB, RGB);
}

/* ---- the calls of decode.h ---- */

Decoder *decoder_new(const Picture *picture, bool turned, Err *err)
{
    AUTO(Decoder) decoder = calloc(1, sizeof *decoder);

    if (decoder)
        decoder->row = calloc(1, row_bytes(picture));
    if (!decoder || !decoder->row) {
        err_set(err, ERR_TEMPORARY, ENOMEM, "no memory for a picture");
        return NULL;
    }
    decoder->picture = picture;
    decoder->turned = turned;
    if (picture->kind == PICTURE_JPEG && !jpeg_begin(decoder, err))
        return NULL;
    if ((picture->kind != PICTURE_JPEG || turned) && !hold(decoder, err))
        return NULL;
    return STEAL(decoder);
}

const uint8_t *decoder_row(Decoder *decoder, Err *err)
{
    if (decoder->y >= decoder->picture->height_px) {
        err_set(err, ERR_BAD_INPUT, 0, "the picture has no further row");
        return NULL;
    }
    if (!decoder->whole) {
        if (!jpeg_row(decoder, decoder->row, err))
            return NULL;
    } else if (decoder->turned) {
        turn_row(decoder);
    } else {
        memcpy(decoder->row, decoder->whole + decoder->y * row_bytes(decoder->picture),
               row_bytes(decoder->picture));
    }
    decoder->y++;
    return decoder->row;
}

void decoder_free(Decoder *decoder)
{
    if (!decoder)
        return;
    if (decoder->is_jpeg)
        jpeg_destroy_decompress(&decoder->in);
    free(decoder->row);
    free(decoder->whole);
    free(decoder);
}
