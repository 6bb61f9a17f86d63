/* image/jpeg-turn.c - see jpeg-turn.h.
 *
 * Source: ITU-T T.81, A.3.3: turning an 8x8 block by 180 degrees changes the sign of the coefficients
 * whose two frequencies add up to an odd number. */
#include "image/jpeg-turn.h"

#include "image/jpeg-io.h"

#include <string.h>

enum { MARKER_BYTES_MAX = 0xffff };

typedef struct Turner {
    JpegGuard guard;
    struct jpeg_decompress_struct in;
    struct jpeg_compress_struct out;
    JpegSource source;
    JpegTarget target;
} Turner;

static uint32_t round_up(uint32_t n, uint32_t step)
{
    return (n + step - 1) / step * step;
}

/* Pixels of the unit that a JPEG of this shape is made of. A picture of one component has no interleaving
 * (T.81, A.2.2): its unit is one block, whatever the sampling factors say. */
static void unit_px(const struct jpeg_decompress_struct *in, uint32_t *ret_w, uint32_t *ret_h)
{
    *ret_w = in->num_components == 1 ? DCTSIZE : (uint32_t)in->max_h_samp_factor * DCTSIZE;
    *ret_h = in->num_components == 1 ? DCTSIZE : (uint32_t)in->max_v_samp_factor * DCTSIZE;
}

/* Blocks of a component that show pixels 0 .. px - 1. */
static uint32_t blocks(uint32_t px, int factor, int max_factor)
{
    return (uint32_t)(((uint64_t)px * (unsigned)factor + (unsigned)max_factor * DCTSIZE - 1) /
                      ((unsigned)max_factor * DCTSIZE));
}

static void check_memory(Turner *turner)
{
    const struct jpeg_decompress_struct *in = &turner->in;
    uint64_t bytes = 0;

    for (int i = 0; i < in->num_components; i++)
        bytes += (uint64_t)round_up(in->comp_info[i].width_in_blocks,
                                    (uint32_t)in->comp_info[i].h_samp_factor) *
                 round_up(in->comp_info[i].height_in_blocks,
                          (uint32_t)in->comp_info[i].v_samp_factor) *
                 sizeof(JBLOCK);
    if (bytes <= JPEG_TURN_BYTES_MAX)
        return;
    err_set(turner->guard.err, ERR_PERMANENT, 0,
            "JPEG of %u x %u pixels is too large to be turned or cropped as it is", in->image_width,
            in->image_height);
    err_remedy(turner->guard.err, "Choose the file format pdf, or scan with less dpi.");
    jpeg_guard_fail(&turner->guard);
}

/* --- turning -------------------------------------------------------------------------------------- */

static JBLOCKROW block_row(Turner *turner, jvirt_barray_ptr array, uint32_t y)
{
    return turner->in.mem->access_virt_barray((j_common_ptr)&turner->in, array, y, 1, TRUE)[0];
}

/* Blocks beyond the picture that the file need not have told: flat, in the tone of the nearest one. */
static void fill_margin(Turner *turner, const jpeg_component_info *component,
                        jvirt_barray_ptr array, uint32_t width, uint32_t height)
{
    for (uint32_t y = 0; y < height; y++) {
        bool below = y >= component->height_in_blocks;
        JBLOCKROW row = block_row(turner, array, y);
        JBLOCKROW near = below ? block_row(turner, array, component->height_in_blocks - 1) : row;

        for (uint32_t x = below ? 0 : component->width_in_blocks; x < width; x++) {
            uint32_t from = x < component->width_in_blocks ? x : component->width_in_blocks - 1;
            JCOEF tone = near[from][0];

            (void)memset(row[x], 0, sizeof row[x]);
            row[x][0] = tone;
        }
    }
}

static void turn_block(JBLOCK block)
{
    for (int v = 0; v < DCTSIZE; v++)
        for (int u = 0; u < DCTSIZE; u++)
            if ((u + v) % 2)
                block[v * DCTSIZE + u] = (JCOEF)-block[v * DCTSIZE + u];
}

static void swap_blocks(JBLOCK one, JBLOCK other)
{
    for (int i = 0; i < DCTSIZE2; i++) {
        JCOEF kept = one[i];

        one[i] = other[i];
        other[i] = kept;
    }
}

/* In place. libjpeg-turbo has no backing store: the whole array is in memory and two of its rows may be held
 * at once. */
static void turn_component(Turner *turner, jvirt_barray_ptr array, uint32_t width, uint32_t height)
{
    for (uint32_t y = 0; y < (height + 1) / 2; y++) {
        JBLOCKROW upper = block_row(turner, array, y);
        JBLOCKROW lower = block_row(turner, array, height - 1 - y);
        uint32_t half = upper == lower ? width / 2 : width;

        for (uint32_t x = 0; x < half; x++)
            swap_blocks(upper[x], lower[width - 1 - x]);
        for (uint32_t x = 0; x < width; x++) {
            turn_block(upper[x]);
            if (upper != lower)
                turn_block(lower[x]);
        }
    }
}

/* Turns what is seen, rounded up to whole units; *width, *height become that size. */
static void turn(Turner *turner, jvirt_barray_ptr *arrays, uint32_t *width, uint32_t *height)
{
    const struct jpeg_decompress_struct *in = &turner->in;
    uint32_t unit_w, unit_h;

    unit_px(in, &unit_w, &unit_h);
    *width = round_up(*width, unit_w);
    *height = round_up(*height, unit_h);
    for (int i = 0; i < in->num_components; i++) {
        const jpeg_component_info *component = &in->comp_info[i];
        bool alone = in->num_components == 1;
        uint32_t w = blocks(*width, alone ? 1 : component->h_samp_factor,
                            alone ? 1 : in->max_h_samp_factor);
        uint32_t h = blocks(*height, alone ? 1 : component->v_samp_factor,
                            alone ? 1 : in->max_v_samp_factor);

        fill_margin(turner, component, arrays[i], w, h);
        turn_component(turner, arrays[i], w, h);
    }
}

/* --- copying -------------------------------------------------------------------------------------- */

static void keep_markers(struct jpeg_decompress_struct *in)
{
    jpeg_save_markers(in, JPEG_COM, MARKER_BYTES_MAX);
    for (int i = 0; i <= 15; i++)
        jpeg_save_markers(in, JPEG_APP0 + i, MARKER_BYTES_MAX);
}

static bool begins(const struct jpeg_marker_struct *marker, const char *word)
{
    size_t n = strlen(word);

    return marker->data_length >= n && memcmp(marker->data, word, n) == 0;
}

/* All but what libjpeg writes by itself. */
static void write_markers(Turner *turner)
{
    const struct jpeg_compress_struct *out = &turner->out;

    for (jpeg_saved_marker_ptr m = turner->in.marker_list; m; m = m->next) {
        bool own = (out->write_JFIF_header && m->marker == JPEG_APP0 && begins(m, "JFIF")) ||
                   (out->write_Adobe_marker && m->marker == JPEG_APP0 + 14 && begins(m, "Adobe"));

        if (!own)
            jpeg_write_marker(&turner->out, m->marker, m->data, m->data_length);
    }
}

static void work(Turner *turner, int fd, const Picture *picture, int out_fd)
{
    uint32_t width = picture->width_px, height = picture->height_px;

    jpeg_create_decompress(&turner->in);
    jpeg_create_compress(&turner->out);
    jpeg_source_open(&turner->source, &turner->in, fd);
    jpeg_target_open(&turner->target, &turner->out, out_fd);
    keep_markers(&turner->in);
    (void)jpeg_read_header(&turner->in, TRUE);
    if (turner->in.image_width < width || turner->in.image_height < height) {
        err_set(turner->guard.err, ERR_BAD_INPUT, 0, "JPEG has become smaller");
        jpeg_guard_fail(&turner->guard);
    }
    check_memory(turner);
    jvirt_barray_ptr *arrays = jpeg_read_coefficients(&turner->in);
    jpeg_copy_critical_parameters(&turner->in, &turner->out);
    if (picture->view.turned)
        turn(turner, arrays, &width, &height);
    turner->out.image_width = width;
    turner->out.image_height = height;
    turner->out.optimize_coding = TRUE;
    jpeg_write_coefficients(&turner->out, arrays);
    write_markers(turner);
    jpeg_finish_compress(&turner->out);
    (void)jpeg_finish_decompress(&turner->in);
}

/* The only place that libjpeg comes back to when it fails. */
static bool try_work(Turner *turner, int fd, const Picture *picture, int out_fd)
{
    if (setjmp(turner->guard.failed) != 0)
        return false;
    work(turner, fd, picture, out_fd);
    return true;
}

bool jpeg_turn(int fd, const Picture *picture, int out_fd, int64_t *ret_bytes, Err *err)
{
    Turner turner = { 0 };

    turner.in.err = turner.out.err = jpeg_guard_init(&turner.guard, "turned", err);
    bool ok = try_work(&turner, fd, picture, out_fd);
    if (ok)
        *ret_bytes = turner.target.written;
    jpeg_destroy_compress(&turner.out);
    jpeg_destroy_decompress(&turner.in);
    jpeg_source_done(&turner.source);
    jpeg_target_done(&turner.target);
    return ok;
}
