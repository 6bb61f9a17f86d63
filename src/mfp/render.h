/* mfp/render.h - what the scanner's sensor sees of a sheet: rows of the asked area, resolution and colour.
 *
 * The sheet lies at the device's left edge, in its middle or at its right edge; where there is no paper it is
 * white. Larger pictures are averaged, smaller ones repeated. A picture that does not say its resolution is as
 * large as its pixels are at the resolution of the scan. One thread per render. */
#ifndef PLATEN_MFP_RENDER_H
#define PLATEN_MFP_RENDER_H

#include "mfp/decode.h"
#include "mfp/tone.h"

typedef enum RenderColour {
    RENDER_COLOUR,
    RENDER_GREY,
    RENDER_BLACK, /* 1 bit, 1 = white, leftmost pixel in the highest bit */
    RENDER_RED,   /* one channel as grey: the others drop out            */
    RENDER_GREEN,
    RENDER_BLUE,
} RenderColour;

typedef enum RenderAlign { RENDER_LEFT, RENDER_CENTRE, RENDER_RIGHT } RenderAlign;

typedef struct RenderWish {
    uint32_t dpi_x, dpi_y; /* 0: the picture's own                                              */
    bool has_area;         /* else the whole sheet                                              */
    uint32_t x_px, y_px, width_px,
        height_px; /* at the dpi above; at most PICTURE_SIDE_MAX_PX        */
    uint32_t
        table_hundredths; /* width of the device's area, in 1/100 inch; 0: sheets lie left      */
    RenderAlign align;
    bool crops; /* to the sheet, as far as it lies in the area                                   */
    int32_t margin_hundredths; /* what crops leaves around it, in 1/100 inch; may be negative     */
    uint32_t round_px; /* sides of a cropped picture are rounded up to so many pixels; 0, 1: not */
    bool ends_with_sheet; /* a feeder: nothing comes below the sheet                            */
    bool turned;          /* the sheet came in upside down                                      */
    RenderColour colour;
    uint8_t threshold; /* RENDER_BLACK: from this grey on it is white                        */
    Tone tone;         /* of the samples, before the threshold                               */
} RenderWish;

typedef struct Render Render;

/* picture is borrowed. Errors of decoder_new. */
Render *render_new(const Picture *picture, const RenderWish *wish, Err *err);
void render_free(Render *render); /* accepts NULL */
DEFINE_AUTO(Render, render_free);

uint32_t render_width_px(const Render *render);
uint32_t render_height_px(const Render *render);
/* Without what a cropped picture was rounded up by: what the end of a page says. */
uint32_t render_real_width_px(const Render *render);
uint32_t render_real_height_px(const Render *render);
size_t render_line_bytes(const Render *render);
unsigned render_channels(const Render *render); /* 3 or 1 */

/* Writes the next row, render_line_bytes long. Errors of decoder_row. */
bool render_row(Render *render, uint8_t *ret_line, Err *err);

/* Size of the sheet in pixels of the scan. */
void render_sheet_size(const Picture *picture, const RenderWish *wish, uint32_t *ret_width_px,
                       uint32_t *ret_height_px);

#endif
