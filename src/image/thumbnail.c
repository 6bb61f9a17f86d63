/* image/thumbnail.c - see thumbnail.h. */
#include "image/thumbnail.h"

#include "base/cleanup.h"
#include "image/jpeg-io.h"
#include "image/raw.h"

#include <stdlib.h>

enum { QUALITY_PERCENT = 75, SIDE_MIN_PX = 16, SIDE_MAX_PX = 1024, RGB = 3, CMYK = 4 };

/* The small picture on its way: rows of the source are added up until one of its own is complete. */
typedef struct Shrink {
    uint32_t from_w, from_h, to_w, to_h, components;
    uint32_t y, rows; /* of the source: those that were added, and those in sums */
    uint32_t to_y;
    uint32_t *sums; /* one row of the result, owned    */
    uint8_t *small; /* the result, owned               */
} Shrink;

typedef struct Maker {
    JpegGuard guard;
    struct jpeg_decompress_struct in;
    struct jpeg_compress_struct out;
    JpegSource source;
    RawSource raw;
    Shrink shrink;
    uint8_t *row;     /* one row of the source, owned */
    uint8_t *encoded; /* the result, malloc'ed by libjpeg */
    unsigned long encoded_n;
} Maker;

/* --- making smaller ------------------------------------------------------------------------------- */

static void shrink_begin(Maker *maker, uint32_t from_w, uint32_t from_h, uint32_t components,
                         uint32_t wanted_px)
{
    Shrink *s = &maker->shrink;
    uint32_t longest = from_w > from_h ? from_w : from_h;

    *s = (Shrink){
        .from_w = from_w, .from_h = from_h, .to_w = from_w, .to_h = from_h, .components = components
    };
    if (longest > wanted_px) {
        s->to_w = (uint32_t)((uint64_t)from_w * wanted_px / longest);
        s->to_h = (uint32_t)((uint64_t)from_h * wanted_px / longest);
        s->to_w = s->to_w ? s->to_w : 1;
        s->to_h = s->to_h ? s->to_h : 1;
    }
    s->sums = jpeg_guard_room(&maker->guard, (size_t)s->to_w * components, sizeof *s->sums);
    s->small = jpeg_guard_room(&maker->guard, (size_t)s->to_w * s->to_h, components);
}

/* Source pixels that fall on result pixel i. */
static uint32_t share(uint32_t i, uint32_t from, uint32_t to)
{
    uint64_t begin = ((uint64_t)i * from + to - 1) / to;
    uint64_t end = ((uint64_t)(i + 1) * from + to - 1) / to;

    return (uint32_t)(end - begin);
}

/* Adds a row: source pixel x belongs to result pixel x * to_w / from_w, counted without dividing. */
static void add_to_sums(Shrink *s, const uint8_t *row)
{
    uint32_t *sum = s->sums;
    uint32_t rest = 0;

    for (uint32_t x = 0; x < s->from_w; x++) {
        for (uint32_t c = 0; c < s->components; c++)
            sum[c] += *row++;
        rest += s->to_w;
        if (rest >= s->from_w) {
            rest -= s->from_w;
            sum += s->components;
        }
    }
}

static void shrink_row(Shrink *s, const uint8_t *row)
{
    add_to_sums(s, row);
    s->rows++;
    s->y++;
    if (s->y < s->from_h &&
        (uint64_t)s->y * s->to_h / s->from_h == (uint64_t)(s->y - 1) * s->to_h / s->from_h)
        return;
    uint8_t *to = s->small + (size_t)s->to_y++ * s->to_w * s->components;
    for (uint32_t x = 0; x < s->to_w; x++) {
        uint32_t n = share(x, s->from_w, s->to_w) * s->rows;

        for (uint32_t c = 0; c < s->components; c++) {
            size_t i = (size_t)x * s->components + c;

            to[i] = (uint8_t)((s->sums[i] + n / 2) / n);
            s->sums[i] = 0;
        }
    }
    s->rows = 0;
}

/* By 180 degrees: the pixels from the last to the first. */
static void shrink_turn(Shrink *s)
{
    size_t pixels = (size_t)s->to_w * s->to_h;

    for (size_t i = 0; i < pixels / 2; i++)
        for (uint32_t c = 0; c < s->components; c++) {
            uint8_t *one = &s->small[i * s->components + c];
            uint8_t *other = &s->small[(pixels - 1 - i) * s->components + c];
            uint8_t kept = *one;

            *one = *other;
            *other = kept;
        }
}

/* --- a JPEG --------------------------------------------------------------------------------------- */

/* The smallest eighth of the picture that is still not smaller than what is wanted. */
static unsigned choose_eighths(uint32_t longest_px, uint32_t wanted_px)
{
    for (unsigned eighths = 1; eighths < 8; eighths *= 2)
        if ((uint64_t)longest_px * eighths / 8 >= wanted_px)
            return eighths;
    return 8;
}

/* CMYK to RGB in place, as simply as it can be: a thumbnail needs no colour profile. */
static void cmyk_to_rgb(uint8_t *row, uint32_t width, bool inverted)
{
    for (uint32_t x = 0; x < width; x++) {
        const uint8_t *cmyk = row + CMYK * (size_t)x;
        uint8_t *rgb = row + RGB * (size_t)x;
        uint32_t white = inverted ? cmyk[3] : 255u - cmyk[3];

        for (int c = 0; c < RGB; c++) {
            uint32_t light = inverted ? cmyk[c] : 255u - cmyk[c];

            rgb[c] = (uint8_t)(light * white / 255);
        }
    }
}

static void start_decoding(Maker *maker, const Picture *picture, uint32_t wanted_px)
{
    struct jpeg_decompress_struct *in = &maker->in;
    uint32_t longest = picture->width_px > picture->height_px ? picture->width_px
                                                              : picture->height_px;

    in->scale_num = choose_eighths(longest, wanted_px);
    in->scale_denom = 8;
    in->dct_method = JDCT_IFAST;
    in->do_fancy_upsampling = FALSE;
    if (in->num_components == 1)
        in->out_color_space = JCS_GRAYSCALE;
    else
        in->out_color_space = in->num_components == CMYK ? JCS_CMYK : JCS_RGB;
    (void)jpeg_start_decompress(in);
    maker->row = jpeg_guard_room(&maker->guard, in->output_width, (size_t)in->output_components);
}

/* What is seen, in pixels of the decoder's fraction; at least one. */
static uint32_t fraction(uint32_t seen, uint32_t whole, uint32_t decoded)
{
    return (uint32_t)(((uint64_t)seen * decoded + whole - 1) / whole);
}

static void shrink_jpeg(Maker *maker, int fd, const Picture *picture, uint32_t wanted_px)
{
    struct jpeg_decompress_struct *in = &maker->in;

    jpeg_create_decompress(in);
    jpeg_source_open(&maker->source, in, fd);
    (void)jpeg_read_header(in, TRUE);
    if (in->image_width != picture->file_w_px || in->image_height != picture->file_h_px) {
        err_set(maker->guard.err, ERR_BAD_INPUT, 0, "JPEG says two sizes: %u x %u and %u x %u",
                picture->file_w_px, picture->file_h_px, in->image_width, in->image_height);
        jpeg_guard_fail(&maker->guard);
    }
    bool inverted = in->num_components == CMYK && in->saw_Adobe_marker;
    start_decoding(maker, picture, wanted_px);
    uint32_t width = fraction(picture->width_px, picture->file_w_px, in->output_width);
    uint32_t height = fraction(picture->height_px, picture->file_h_px, in->output_height);
    shrink_begin(maker, width, height, in->num_components == 1 ? 1 : RGB, wanted_px);
    for (uint32_t y = 0; y < height; y++) {
        (void)jpeg_read_scanlines(in, &maker->row, 1);
        if (in->num_components == CMYK)
            cmyk_to_rgb(maker->row, width, inverted);
        shrink_row(&maker->shrink, maker->row);
    }
    if (height == in->output_height)
        (void)jpeg_finish_decompress(in);
    if (picture->view.turned)
        shrink_turn(&maker->shrink);
}

/* --- raw lines ------------------------------------------------------------------------------------ */

static void shrink_raw(Maker *maker, int fd, const Picture *picture, uint32_t wanted_px)
{
    if (!raw_begin(&maker->raw, fd, picture, maker->guard.err))
        jpeg_guard_fail(&maker->guard);
    shrink_begin(maker, picture->width_px, picture->height_px, picture->components, wanted_px);
    if (picture->bits == 1)
        maker->row = jpeg_guard_room(&maker->guard, picture->width_px, 1);
    for (uint32_t y = 0; y < picture->height_px; y++) {
        const uint8_t *row = raw_row(&maker->raw, y, maker->guard.err);

        if (!row)
            jpeg_guard_fail(&maker->guard);
        if (picture->bits == 1) {
            raw_unpack(row, picture->width_px, maker->row);
            row = maker->row;
        }
        shrink_row(&maker->shrink, row);
    }
}

/* --- the small picture ---------------------------------------------------------------------------- */

static void encode(Maker *maker)
{
    struct jpeg_compress_struct *out = &maker->out;
    const Shrink *s = &maker->shrink;

    jpeg_create_compress(out);
    jpeg_mem_dest(out, &maker->encoded, &maker->encoded_n);
    out->image_width = s->to_w;
    out->image_height = s->to_h;
    out->input_components = (int)s->components;
    out->in_color_space = s->components == 1 ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_set_defaults(out);
    jpeg_set_quality(out, QUALITY_PERCENT, TRUE);
    jpeg_start_compress(out, TRUE);
    for (uint32_t y = 0; y < s->to_h; y++) {
        JSAMPROW row = s->small + (size_t)y * s->to_w * s->components;

        (void)jpeg_write_scanlines(out, &row, 1);
    }
    jpeg_finish_compress(out);
}

static void maker_done(Maker *maker)
{
    jpeg_destroy_decompress(&maker->in); /* both accept a struct that was never created */
    jpeg_destroy_compress(&maker->out);
    jpeg_source_done(&maker->source);
    raw_done(&maker->raw);
    free(maker->row);
    free(maker->shrink.sums);
    free(maker->shrink.small);
    free(maker->encoded);
}

/* Everything that may longjmp; a frame of its own, so that no local of it is read afterwards. */
static bool make(Maker *maker, int fd, const Picture *picture, uint32_t longest_px)
{
    if (setjmp(maker->guard.failed) != 0)
        return false;
    if (picture->kind == PICTURE_RAW)
        shrink_raw(maker, fd, picture, longest_px);
    else
        shrink_jpeg(maker, fd, picture, longest_px);
    encode(maker);
    return true;
}

bool thumbnail_make(int fd, const Picture *picture, uint32_t longest_px, Buf *out,
                    bool *ret_damaged, Err *err)
{
    if (longest_px < SIDE_MIN_PX || longest_px > SIDE_MAX_PX)
        return err_set(err, ERR_BUG, 0, "thumbnail of %u pixels", longest_px);
    Maker maker = { 0 };

    maker.in.err = maker.out.err = jpeg_guard_init(&maker.guard, "decoded", err);
    bool ok = make(&maker, fd, picture, longest_px);
    if (ok && !buf_put(out, (Bytes){ maker.encoded, maker.encoded_n }))
        ok = err_set(err, ERR_TEMPORARY, 0, "thumbnail of %lu bytes is too large", maker.encoded_n);
    if (ok)
        *ret_damaged = maker.guard.damaged;
    maker_done(&maker);
    return ok;
}
