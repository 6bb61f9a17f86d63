/* tests/unit/jpeg-maker.h - small JPEG pictures for tests, made by libjpeg in memory. */
#ifndef PLATEN_TESTS_UNIT_JPEG_MAKER_H
#define PLATEN_TESTS_UNIT_JPEG_MAKER_H

#include "base/bytes.h"

#include <stdio.h>
#include <stdlib.h>

#include <jpeglib.h>

typedef struct JpegRecipe {
    uint32_t width, height;
    int components; /* 1, 3, 4 */
    uint16_t dpi;   /* 0 = none given */
    bool progressive;
    uint8_t seed; /* another seed, another picture */
} JpegRecipe;

/* Appends the picture to out: a gradient, darker to the right. */
static inline void jpeg_make(const JpegRecipe *recipe, Buf *out)
{
    struct jpeg_compress_struct c = { 0 };
    struct jpeg_error_mgr errors;
    uint8_t *bytes = NULL;
    unsigned long n = 0;
    size_t row_n = (size_t)recipe->width * (size_t)recipe->components;
    uint8_t *row = calloc(row_n, 1);

    c.err = jpeg_std_error(&errors);
    jpeg_create_compress(&c);
    jpeg_mem_dest(&c, &bytes, &n);
    c.image_width = recipe->width;
    c.image_height = recipe->height;
    c.input_components = recipe->components;
    c.in_color_space = recipe->components == 1   ? JCS_GRAYSCALE
                       : recipe->components == 3 ? JCS_RGB
                                                 : JCS_CMYK;
    jpeg_set_defaults(&c);
    if (recipe->dpi > 0) {
        c.density_unit = 1;
        c.X_density = c.Y_density = recipe->dpi;
    }
    if (recipe->progressive)
        jpeg_simple_progression(&c);
    jpeg_start_compress(&c, TRUE);
    for (uint32_t y = 0; row && y < recipe->height; y++) {
        for (size_t i = 0; i < row_n; i++)
            row[i] = (uint8_t)(255 - i * 200 / row_n + (recipe->seed + y) % 16);
        (void)jpeg_write_scanlines(&c, &row, 1);
    }
    jpeg_finish_compress(&c);
    jpeg_destroy_compress(&c);
    (void)buf_put(out, (Bytes){ bytes, n });
    free(bytes);
    free(row);
}

#endif
