/* tests/fuzz/fuzz-mfp-picture.c - any file against the virtual device's paper.
 *
 * The first byte chooses colour, format and side, the rest is the file. Properties: what has sound headers gives
 * as many bytes as its size says, or an error; a JPEG with a stamp is still one. */
#include "base/cleanup.h"
#include "base/limits.h"
#include "mfp/page.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PIXELS_MAX = 1 << 20, BLOCK = 5000, DPI = 100, RGB = 3 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Bytes file = bytes_after((Bytes){ data, size }, 1);
    uint32_t page_number = picture_pages(file) - 1;
    Picture picture;
    Bytes block = { 0 };
    Err err;

    if (size == 0 || !picture_read(file, page_number, &picture, &err) ||
        (uint64_t)picture.width_px * picture.height_px > PIXELS_MAX)
        return 0;
    PageWish wish = { .jpeg = data[0] & 1, .quality = 50, .padding_bytes = data[0] >> 6 };
    wish.render = (RenderWish){ .dpi_x = DPI,
                                .dpi_y = DPI,
                                .has_area = true,
                                .x_px = 3,
                                .width_px = 90,
                                .height_px = 40,
                                .table_hundredths = 100,
                                .align = RENDER_CENTRE,
                                .turned = data[0] & 2,
                                .colour = (RenderColour)(data[0] >> 2 & 7) % (RENDER_BLUE + 1) };
    if (wish.jpeg && wish.render.colour == RENDER_BLACK)
        return 0;
    memcpy(wish.stamp, "S1 page 1", data[0] & 32 ? sizeof "S1 page 1" : 0);
    AUTO(Page) page = page_new(&picture, &wish, &err);
    AUTO_BUF sent = buf_with_max(PAGE_BYTES_MAX);
    if (!page)
        return 0;
    do {
        if (!page_next(page, BLOCK, &block, &err))
            return 0;
        if (block.n > BLOCK || !buf_put(&sent, block))
            abort();
    } while (block.n > 0);
    size_t samples = wish.render.colour == RENDER_COLOUR ? RGB : 1;
    size_t line = wish.render.colour == RENDER_BLACK ? (90 + 7) / 8 : 90 * samples;
    if (!wish.jpeg && page_sent_bytes(page) != (line + wish.padding_bytes) * page_height_px(page))
        abort();
    if (wish.jpeg && !picture_read(buf_bytes(&sent), 0, &picture, &err))
        abort();
    return 0;
}
