/* mfp/page.c - blocks of raw lines or of a JPEG for mfp/page.h. */
#include "mfp/page.h"

#include "mfp/jpeg-guard.h"

#include <errno.h>
#include <stdlib.h>

enum {
    FIT_PX = 16,              /* a JPEG may be this much larger than the area: clients round */
    FULL_COLOUR_QUALITY = 90, /* from here on colour is not halved, as scanners do            */
};

struct Page {
    uint32_t width_px, height_px, padding_bytes;
    uint32_t real_width_px, real_height_px; /* as page_end says */
    size_t sent;
    Bytes head, body; /* of a JPEG: its headers, the rest; n = 0: raw lines */
    uint8_t *stamped; /* the headers with a stamp in them                   */
    Render *render;
    uint8_t *encoded; /* by libjpeg's malloc                         */
    unsigned long encoded_bytes;
    uint8_t *lines; /* rows of the render waiting to be sent         */
    size_t line_bytes, lines_room, lines_at, lines_end;
    uint32_t rows;
};

/* ---- JPEG ---- */

/* Takes a JPEG apart; a stamp goes behind its first marker. */
static bool take_jpeg(Page *page, const Picture *picture, const char *stamp, Err *err)
{
    enum { MARKER_BYTES = 2, LENGTH_BYTES = 2, MARKER_COM = 0xfe };
    Bytes file = picture->file, text = bytes_of_text(stamp);
    AUTO_BUF head = buf_with_max(picture->head_bytes + MARKER_BYTES + LENGTH_BYTES + text.n);

    page->head = (Bytes){ file.p, picture->head_bytes };
    page->body = bytes_after(file, picture->head_bytes);
    if (text.n == 0)
        return true;
    buf_put(&head, (Bytes){ file.p, MARKER_BYTES });
    buf_put_u8(&head, 0xff);
    buf_put_u8(&head, MARKER_COM);
    buf_put_u16be(&head, (uint16_t)(LENGTH_BYTES + text.n));
    buf_put(&head, text);
    buf_put(&head, bytes_after(page->head, MARKER_BYTES));
    if (head.failed)
        return err_set(err, ERR_TEMPORARY, ENOMEM, "no memory for a stamp");
    page->head = buf_bytes(&head);
    page->stamped = STEAL(head.p);
    return true;
}

static bool goes_as_it_is(const Picture *picture, const PageWish *wish)
{
    const RenderWish *render = &wish->render;
    uint8_t components = render->colour == RENDER_COLOUR ? 3 : 1;
    bool said = picture->dpi_x != 0;

    if (picture->kind != PICTURE_JPEG || !wish->jpeg || render->turned ||
        render->colour > RENDER_GREY || render->tone.used ||
        (render->crops && render->margin_hundredths != 0))
        return false;
    if (!said && picture->components <= components)
        return true; /* as large as its pixels are; grey alone is a colour, too */
    if (picture->components != components)
        return false;
    if (render->dpi_x && (render->dpi_x != picture->dpi_x || render->dpi_y != picture->dpi_y))
        return false;
    return !render->has_area || (picture->width_px <= render->width_px + FIT_PX &&
                                 picture->height_px <= render->height_px + FIT_PX);
}

typedef struct Encoder {
    JpegGuard guard;
    struct jpeg_compress_struct out;
    uint8_t *line;
} Encoder;

/* Everything that may longjmp. */
static bool encode(Encoder *encoder, Page *page, const PageWish *wish, Err *err)
{
    struct jpeg_compress_struct *out = &encoder->out;
    unsigned channels = render_channels(page->render);

    encoder->guard.err = err;
    out->err = jpeg_guard_init(&encoder->guard);
    if (setjmp(encoder->guard.failed) != 0)
        return false;
    jpeg_create_compress(out);
    jpeg_mem_dest(out, &page->encoded, &page->encoded_bytes);
    out->image_width = page->width_px;
    out->image_height = page->height_px;
    out->input_components = (int)channels;
    out->in_color_space = channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_set_defaults(out);
    jpeg_set_quality(out, (int)wish->quality, TRUE);
    if (channels > 1 && wish->quality >= FULL_COLOUR_QUALITY)
        out->comp_info[0].h_samp_factor = out->comp_info[0].v_samp_factor = 1;
    out->density_unit = 1; /* per inch */
    out->X_density = (UINT16)wish->render.dpi_x;
    out->Y_density = (UINT16)wish->render.dpi_y;
    jpeg_start_compress(out, TRUE);
    for (uint32_t y = 0; y < page->height_px; y++) {
        JSAMPROW row = encoder->line;
        if (!render_row(page->render, encoder->line, err))
            return false;
        (void)jpeg_write_scanlines(out, &row, 1);
    }
    jpeg_finish_compress(out);
    return true;
}

static bool make_jpeg(Page *page, const PageWish *wish, Err *err)
{
    Encoder encoder = { .line = calloc(1, page->line_bytes) };
    Picture made;
    bool ok = encoder.line ? encode(&encoder, page, wish, err)
                           : err_set(err, ERR_TEMPORARY, ENOMEM, "no memory for a page");

    jpeg_destroy_compress(&encoder.out);
    free(encoder.line);
    render_free(STEAL(page->render));
    if (!ok || !picture_read((Bytes){ page->encoded, page->encoded_bytes }, 0, &made, err))
        return false;
    return take_jpeg(page, &made, wish->stamp, err);
}

/* ---- raw lines ---- */

/* Renders as many whole lines as fit into most bytes, at least one. */
static bool fill_lines(Page *page, size_t most, Err *err)
{
    size_t line = page->line_bytes + page->padding_bytes;
    size_t room = most > line ? most - most % line : line;

    if (room > page->lines_room) {
        uint8_t *lines = realloc(page->lines, room);
        if (!lines)
            return err_set(err, ERR_TEMPORARY, ENOMEM, "no memory for lines");
        page->lines = lines;
        page->lines_room = room;
    }
    page->lines_at = page->lines_end = 0;
    while (page->rows < page->height_px && page->lines_end + line <= room) {
        if (!render_row(page->render, page->lines + page->lines_end, err))
            return false;
        memset(page->lines + page->lines_end + page->line_bytes, 0, page->padding_bytes);
        page->lines_end += line;
        page->rows++;
    }
    return true;
}

/* ---- the calls of page.h ---- */

Page *page_new(const Picture *picture, const PageWish *wish, Err *err)
{
    AUTO(Page) page = calloc(1, sizeof *page);

    if (!page) {
        err_set(err, ERR_TEMPORARY, ENOMEM, "no memory for a page");
        return NULL;
    }
    if (goes_as_it_is(picture, wish)) {
        page->width_px = page->real_width_px = picture->width_px;
        page->height_px = page->real_height_px = picture->height_px;
        return take_jpeg(page, picture, wish->stamp, err) ? STEAL(page) : NULL;
    }
    page->render = render_new(picture, &wish->render, err);
    if (!page->render)
        return NULL;
    page->width_px = render_width_px(page->render);
    page->height_px = render_height_px(page->render);
    page->real_width_px = render_real_width_px(page->render);
    page->real_height_px = render_real_height_px(page->render);
    page->line_bytes = render_line_bytes(page->render);
    page->padding_bytes = wish->jpeg ? 0 : wish->padding_bytes;
    return !wish->jpeg || make_jpeg(page, wish, err) ? STEAL(page) : NULL;
}

void page_free(Page *page)
{
    if (!page)
        return;
    render_free(page->render);
    free(page->stamped);
    free(page->encoded);
    free(page->lines);
    free(page);
}

uint32_t page_width_px(const Page *page)
{
    return page->width_px;
}

uint32_t page_height_px(const Page *page)
{
    return page->height_px;
}

uint32_t page_real_width_px(const Page *page)
{
    return page->real_width_px;
}

uint32_t page_real_height_px(const Page *page)
{
    return page->real_height_px;
}

uint32_t page_padding_bytes(const Page *page)
{
    return page->padding_bytes;
}

size_t page_sent_bytes(const Page *page)
{
    return page->sent;
}

bool page_next(Page *page, size_t most, Bytes *ret_block, Err *err)
{
    bool lines = page->head.n == 0;
    Bytes block = page->sent < page->head.n ? bytes_after(page->head, page->sent)
                                            : bytes_after(page->body, page->sent - page->head.n);

    if (lines) {
        if (page->lines_at == page->lines_end && !fill_lines(page, most, err))
            return false;
        block = (Bytes){ page->lines + page->lines_at, page->lines_end - page->lines_at };
    }
    block.n = block.n < most ? block.n : most;
    page->lines_at += lines ? block.n : 0;
    page->sent += block.n;
    *ret_block = block;
    return true;
}
