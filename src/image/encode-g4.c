/* image/encode-g4.c - CCITT Group 4 by libtiff: see encode.h.
 *
 * libtiff wants to write a file with header and directory around the strip. It gets a pretended one: what
 * it writes between the header and the directory is the strip, in order, and goes to the target; the
 * rest is dropped. */
#include "base/file.h"
#include "image/encode.h"
#include "image/raw.h"

#include <stdio.h>
#include <stdlib.h>

#include <tiffio.h>

enum { STRIP_BUFFER_BYTES = 64 * 1024 };

typedef struct Encoder {
    TIFF *tiff;
    int out_fd;
    toff_t at, end; /* of the pretended file               */
    bool is_strip;  /* what is written now belongs to it   */
    int64_t written;
    RawSource raw;
    uint8_t *row; /* inverted, owned */
    Err *err;     /* set by the first failure, else kind ERR_NONE */
} Encoder;

static tmsize_t on_read(thandle_t handle, void *to, tmsize_t n)
{
    (void)handle;
    (void)to;
    (void)n;
    return 0;
}

static tmsize_t on_write(thandle_t handle, void *bytes, tmsize_t n)
{
    Encoder *encoder = handle;

    encoder->at += (toff_t)n;
    if (encoder->at > encoder->end)
        encoder->end = encoder->at;
    if (!encoder->is_strip)
        return n;
    if (!file_write_all(encoder->out_fd, (Bytes){ bytes, (size_t)n }, encoder->err))
        return -1;
    encoder->written += n;
    return n;
}

static toff_t on_seek(thandle_t handle, toff_t offset, int whence)
{
    Encoder *encoder = handle;

    encoder->at = whence == SEEK_SET   ? offset
                  : whence == SEEK_CUR ? encoder->at + offset
                                       : encoder->end + offset;
    return encoder->at;
}

static int on_close(thandle_t handle)
{
    (void)handle;
    return 0;
}

static toff_t on_size(thandle_t handle)
{
    return ((Encoder *)handle)->end;
}

/* A failure of our own side is told better by what it was. */
__attribute__((format(printf, 4, 0))) static int
on_error(TIFF *tiff, void *handle, const char *module, const char *format, va_list arguments)
{
    Encoder *encoder = handle;
    char text[160];

    (void)tiff;
    (void)module;
    (void)vsnprintf(text, sizeof text, format, arguments);
    if (encoder->err->kind == ERR_NONE)
        err_set(encoder->err, ERR_PERMANENT, 0, "page cannot be encoded as Group 4: %s", text);
    return 1;
}

static int on_warning(TIFF *tiff, void *handle, const char *module, const char *format,
                      va_list arguments)
{
    (void)tiff;
    (void)handle;
    (void)module;
    (void)format;
    (void)arguments;
    return 1; /* libtiff would print to standard error */
}

static bool open_tiff(Encoder *encoder)
{
    TIFFOpenOptions *options = TIFFOpenOptionsAlloc();

    if (!options)
        return false;
    TIFFOpenOptionsSetErrorHandlerExtR(options, on_error, encoder);
    TIFFOpenOptionsSetWarningHandlerExtR(options, on_warning, encoder);
    encoder->tiff = TIFFClientOpenExt("page", "w", encoder, on_read, on_write, on_seek, on_close,
                                      on_size, NULL, NULL, options);
    TIFFOpenOptionsFree(options);
    return encoder->tiff != NULL;
}

static bool describe(TIFF *tiff, const Picture *picture)
{
    return TIFFSetField(tiff, TIFFTAG_IMAGEWIDTH, picture->width_px) &&
           TIFFSetField(tiff, TIFFTAG_IMAGELENGTH, picture->height_px) &&
           TIFFSetField(tiff, TIFFTAG_ROWSPERSTRIP, picture->height_px) &&
           TIFFSetField(tiff, TIFFTAG_BITSPERSAMPLE, 1) &&
           TIFFSetField(tiff, TIFFTAG_SAMPLESPERPIXEL, 1) &&
           TIFFSetField(tiff, TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG) &&
           TIFFSetField(tiff, TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISWHITE) &&
           TIFFSetField(tiff, TIFFTAG_FILLORDER, FILLORDER_MSB2LSB) &&
           TIFFSetField(tiff, TIFFTAG_COMPRESSION, COMPRESSION_CCITTFAX4) &&
           TIFFWriteBufferSetup(tiff, NULL, STRIP_BUFFER_BYTES);
}

/* The coder takes 1 for black. */
static bool put_rows(Encoder *encoder, const Picture *picture)
{
    for (uint32_t y = 0; y < picture->height_px; y++) {
        const uint8_t *row = raw_row(&encoder->raw, y, encoder->err);

        if (!row)
            return false;
        for (size_t i = 0; i < encoder->raw.row_bytes; i++)
            encoder->row[i] = (uint8_t)~row[i];
        if (TIFFWriteScanline(encoder->tiff, encoder->row, y, 0) < 0)
            return false;
    }
    return true;
}

static bool encode(Encoder *encoder, const Picture *picture)
{
    encoder->row = calloc(encoder->raw.row_bytes, 1);
    if (!encoder->row || !open_tiff(encoder) || !describe(encoder->tiff, picture))
        return false;
    encoder->is_strip = true;
    bool ok = put_rows(encoder, picture) && TIFFFlushData(encoder->tiff);
    encoder->is_strip = false;
    return ok && encoder->err->kind == ERR_NONE;
}

bool encode_g4(int fd, const Picture *picture, int out_fd, int64_t *ret_bytes, Err *err)
{
    Encoder encoder = { .out_fd = out_fd, .err = err };

    *err = (Err){ 0 };
    bool ok = raw_begin(&encoder.raw, fd, picture, err) && encode(&encoder, picture);
    if (ok)
        *ret_bytes = encoder.written;
    else if (err->kind == ERR_NONE)
        err_set(err, ERR_TEMPORARY, 0, "no memory to encode a page as Group 4");
    Err ignored = { 0 };
    encoder.err = &ignored; /* closing may complain of a strip that ended early */
    if (encoder.tiff)
        TIFFClose(encoder.tiff);
    raw_done(&encoder.raw);
    free(encoder.row);
    return ok;
}
