/* mfp/render.c - scaling, cutting and colours for mfp/render.h. */
#include "mfp/render.h"

#include <errno.h>
#include <stdlib.h>

enum { RGB = 3, WHITE = 255, HUNDREDTHS = 100, BITS = 8 };

struct Render {
    const Picture *picture;
    RenderWish wish;
    Decoder *decoder;
    uint32_t sheet_w, sheet_h; /* of the sheet at the scan's resolution                         */
    uint32_t sheet_x;          /* where it begins on the table                                  */
    uint32_t x, y;             /* of the area on the table                                      */
    uint32_t width_px, height_px;
    uint32_t real_width_px, real_height_px;
    uint32_t rows_out;   /* given so far                                                  */
    uint32_t rows_in;    /* decoded so far                                                */
    uint32_t band_first; /* the row of the picture with which sums begin                  */
    uint32_t band_rows;  /* in sums; 0: none yet                                          */
    uint32_t *sums;      /* of the picture's columns, RGB                                 */
    uint8_t *line;       /* RGB of one row of the area                                    */
};

/* n pixels at from dpi, as pixels at to dpi. */
static uint32_t scaled(uint32_t n, uint32_t from, uint32_t to)
{
    uint64_t pixels = from && to ? ((uint64_t)n * to + from / 2) / from : n;

    if (pixels > PICTURE_SIDE_MAX_PX)
        return PICTURE_SIDE_MAX_PX;
    return pixels > 0 ? (uint32_t)pixels : 1;
}

void render_sheet_size(const Picture *picture, const RenderWish *wish, uint32_t *ret_width_px,
                       uint32_t *ret_height_px)
{
    *ret_width_px = scaled(picture->width_px, picture->dpi_x, wish->dpi_x);
    *ret_height_px = scaled(picture->height_px, picture->dpi_y, wish->dpi_y);
}

static void place_sheet(Render *render)
{
    const RenderWish *wish = &render->wish;
    uint64_t table = (uint64_t)wish->table_hundredths * wish->dpi_x / HUNDREDTHS;

    if (table <= render->sheet_w || wish->align == RENDER_LEFT)
        return;
    uint32_t free_px = (uint32_t)table - render->sheet_w;
    render->sheet_x = wish->align == RENDER_RIGHT ? free_px : free_px / 2;
}

static uint32_t rounded_up(uint32_t n, uint32_t step)
{
    return step > 1 && n <= PICTURE_SIDE_MAX_PX - step ? (n + step - 1) / step * step : n;
}

/* One side of the sheet with its margin, within an area that begins at *at and has most pixels; a margin that would take
 * all leaves one pixel. */
static uint32_t crop_side(uint32_t sheet_at, uint32_t sheet_px, int64_t margin_px, uint32_t most,
                          uint32_t *at)
{
    int64_t begin = (int64_t)sheet_at - margin_px, end = (int64_t)sheet_at + sheet_px + margin_px;
    int64_t area_end = (int64_t)*at + most;

    begin = begin > (int64_t)*at ? begin : (int64_t)*at;
    end = end < area_end ? end : area_end;
    if (begin >= area_end)
        begin = area_end - 1;
    *at = (uint32_t)begin;
    return end > begin ? (uint32_t)(end - begin) : 1;
}

/* To the sheet; what a picture has beyond it by rounding is white. */
static void crop(Render *render)
{
    const RenderWish *wish = &render->wish;
    int64_t margin_x = (int64_t)wish->margin_hundredths * wish->dpi_x / HUNDREDTHS;
    int64_t margin_y = (int64_t)wish->margin_hundredths * wish->dpi_y / HUNDREDTHS;

    render->width_px = crop_side(render->sheet_x, render->sheet_w, margin_x, render->width_px,
                                 &render->x);
    render->height_px = crop_side(0, render->sheet_h, margin_y, render->height_px, &render->y);
}

static void choose_area(Render *render)
{
    const RenderWish *wish = &render->wish;

    if (!wish->has_area) {
        render->x = render->sheet_x;
        render->width_px = render->sheet_w;
        render->height_px = render->sheet_h;
        return;
    }
    render->x = wish->x_px;
    render->y = wish->y_px;
    render->width_px = wish->width_px;
    render->height_px = wish->height_px;
    if (!wish->crops && wish->ends_with_sheet &&
        (uint64_t)wish->y_px + wish->height_px > render->sheet_h)
        render->height_px = render->sheet_h > wish->y_px ? render->sheet_h - wish->y_px : 1;
}

Render *render_new(const Picture *picture, const RenderWish *wish, Err *err)
{
    AUTO(Render) render = calloc(1, sizeof *render);

    if (!render) {
        err_set(err, ERR_TEMPORARY, ENOMEM, "no memory for a page");
        return NULL;
    }
    render->picture = picture;
    render->wish = *wish;
    render_sheet_size(picture, wish, &render->sheet_w, &render->sheet_h);
    place_sheet(render);
    choose_area(render);
    if (wish->crops)
        crop(render);
    render->real_width_px = render->width_px;
    render->real_height_px = render->height_px;
    if (wish->crops) {
        render->width_px = rounded_up(render->width_px, wish->round_px);
        render->height_px = rounded_up(render->height_px, wish->round_px);
    }
    render->sums = calloc((size_t)picture->width_px * RGB, sizeof *render->sums);
    render->line = calloc(render->width_px, RGB);
    if (!render->sums || !render->line) {
        err_set(err, ERR_TEMPORARY, ENOMEM, "no memory for a page");
        return NULL;
    }
    render->decoder = decoder_new(picture, wish->turned, err);
    return render->decoder ? STEAL(render) : NULL;
}

void render_free(Render *render)
{
    if (!render)
        return;
    decoder_free(render->decoder);
    free(render->sums);
    free(render->line);
    free(render);
}

uint32_t render_width_px(const Render *render)
{
    return render->width_px;
}

uint32_t render_height_px(const Render *render)
{
    return render->height_px;
}

uint32_t render_real_width_px(const Render *render)
{
    return render->real_width_px;
}

uint32_t render_real_height_px(const Render *render)
{
    return render->real_height_px;
}

unsigned render_channels(const Render *render)
{
    return render->wish.colour == RENDER_COLOUR ? RGB : 1;
}

size_t render_line_bytes(const Render *render)
{
    if (render->wish.colour == RENDER_BLACK)
        return (render->width_px + BITS - 1) / BITS;
    return (size_t)render->width_px * render_channels(render);
}

/* The pixels [*ret_first, *ret_end) of a side of `from` pixels that make pixel i of one of `to`. */
static void span(uint32_t i, uint32_t from, uint32_t to, uint32_t *ret_first, uint32_t *ret_end)
{
    *ret_first = (uint32_t)((uint64_t)i * from / to);
    *ret_end = (uint32_t)((uint64_t)(i + 1) * from / to);
    if (*ret_end <= *ret_first)
        *ret_end = *ret_first + 1;
}

/* Adds up the rows [first, end) of the picture; they come in ascending order. */
static bool take_rows(Render *render, uint32_t first, uint32_t end, Err *err)
{
    size_t samples = (size_t)render->picture->width_px * RGB;

    if (render->band_rows > 0 && render->band_first == first)
        return true; /* the same row again: the scan has more pixels than the picture */
    memset(render->sums, 0, samples * sizeof *render->sums);
    while (render->rows_in < end) {
        const uint8_t *row = decoder_row(render->decoder, err);

        if (!row)
            return false;
        if (render->rows_in++ < first)
            continue;
        for (size_t i = 0; i < samples; i++)
            render->sums[i] += row[i];
    }
    render->band_first = first;
    render->band_rows = end - first;
    return true;
}

/* One pixel of the sheet from the sums, rounded. */
static void put_pixel(const Render *render, uint32_t sheet_x, uint8_t *to)
{
    uint32_t first, end;
    uint64_t sum[RGB] = { 0 };

    span(sheet_x, render->picture->width_px, render->sheet_w, &first, &end);
    for (uint32_t x = first; x < end; x++)
        for (unsigned c = 0; c < RGB; c++)
            sum[c] += render->sums[(size_t)x * RGB + c];
    uint64_t n = (uint64_t)(end - first) * render->band_rows;
    for (unsigned c = 0; c < RGB; c++)
        to[c] = (uint8_t)((sum[c] + n / 2) / n);
}

/* Luma of ITU-R BT.601, as JPEG has it. */
static uint8_t grey_of(const uint8_t *rgb)
{
    return (uint8_t)((rgb[0] * 299U + rgb[1] * 587U + rgb[2] * 114U + 500U) / 1000U);
}

static uint8_t sample_of(const uint8_t *rgb, RenderColour colour)
{
    return colour >= RENDER_RED ? rgb[colour - RENDER_RED] : grey_of(rgb);
}

static void put_line(const Render *render, uint8_t *to)
{
    RenderColour colour = render->wish.colour;
    const Tone *tone = &render->wish.tone;
    size_t n = render_line_bytes(render);

    if (colour == RENDER_COLOUR) {
        memcpy(to, render->line, n);
        for (size_t i = 0; tone->used && i < n; i++)
            to[i] = tone->value[i % RGB][to[i]];
        return;
    }
    memset(to, 0, n);
    for (uint32_t x = 0; x < render->width_px; x++) {
        uint8_t sample = sample_of(render->line + (size_t)x * RGB, colour);

        if (tone->used)
            sample = tone->value[0][sample];
        if (colour != RENDER_BLACK)
            to[x] = sample;
        else if (sample >= render->wish.threshold)
            to[x / BITS] |= (uint8_t)(0x80U >> (x % BITS));
    }
}

bool render_row(Render *render, uint8_t *ret_line, Err *err)
{
    uint64_t y = (uint64_t)render->y + render->rows_out++;
    uint32_t first, end;

    memset(render->line, WHITE, (size_t)render->width_px * RGB);
    if (y < render->sheet_h) {
        span((uint32_t)y, render->picture->height_px, render->sheet_h, &first, &end);
        if (!take_rows(render, first, end, err))
            return false;
        for (uint32_t x = 0; x < render->width_px; x++) {
            uint64_t table_x = (uint64_t)render->x + x;
            if (table_x >= render->sheet_x && table_x - render->sheet_x < render->sheet_w)
                put_pixel(render, (uint32_t)table_x - render->sheet_x,
                          render->line + (size_t)x * RGB);
        }
    }
    put_line(render, ret_line);
    return true;
}
