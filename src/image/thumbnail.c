/* image/thumbnail.c - see thumbnail.h.
 *
 * libjpeg reports a fatal error by calling error_exit, which must not return: it longjmps to the one
 * setjmp in thumbnail_make. Everything that must be freed then hangs on Maker, which lives in that
 * function's caller's frame and is not a register variable. */
#include "image/thumbnail.h"

#include "base/cleanup.h"
#include "image/jpeg.h"

#include <errno.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <jpeglib.h>

#include <jerror.h>

enum { SOURCE_BLOCK_BYTES = 64 * 1024, QUALITY_PERCENT = 75, SIDE_MIN_PX = 16, SIDE_MAX_PX = 1024 };

typedef struct Maker {
    struct jpeg_error_mgr errors; /* first: libjpeg hands back a pointer to it */
    jmp_buf failed;
    struct jpeg_source_mgr source;
    struct jpeg_decompress_struct in;
    struct jpeg_compress_struct out;
    int fd;
    off_t at;
    bool damaged, inverted;
    uint8_t *block;   /* SOURCE_BLOCK_BYTES, owned                                            */
    uint8_t *row;     /* one decoded row, owned                                               */
    uint32_t *sums;   /* one row of the result: sums of samples, owned                        */
    uint8_t *small;   /* one row of the result, owned                                         */
    uint8_t *encoded; /* the result, malloc'ed by libjpeg                                     */
    unsigned long encoded_n;
    Err *err;
} Maker;

static void on_error(j_common_ptr common)
{
    Maker *maker = (Maker *)common->err;
    char text[JMSG_LENGTH_MAX];

    common->err->format_message(common, text);
    ErrKind kind = common->err->msg_code == JERR_OUT_OF_MEMORY ? ERR_TEMPORARY : ERR_BAD_INPUT;
    err_set(maker->err, kind, common->err->msg_code, "JPEG cannot be decoded: %s", text);
    longjmp(maker->failed, 1);
}

static void on_message(j_common_ptr common, int level)
{
    if (level < 0)
        ((Maker *)common->err)->damaged = true;
}

static void on_output(j_common_ptr common)
{
    (void)common; /* libjpeg would print to standard error */
}

static void on_source(j_decompress_ptr in)
{
    (void)in;
}

/* Gives libjpeg the next block; at the end of the file an EOI marker, as its own sources do. */
static boolean on_fill(j_decompress_ptr in)
{
    static const uint8_t end_of_image[] = { 0xff, JPEG_EOI };
    Maker *maker = (Maker *)in->err;
    ssize_t n;

    do
        n = pread(maker->fd, maker->block, SOURCE_BLOCK_BYTES, maker->at);
    while (n < 0 && errno == EINTR);
    if (n < 0) {
        err_errno(maker->err, errno, "cannot read");
        longjmp(maker->failed, 1);
    }
    if (n == 0) {
        maker->damaged = true;
        maker->source.next_input_byte = end_of_image;
        maker->source.bytes_in_buffer = sizeof end_of_image;
        return TRUE;
    }
    maker->at += n;
    maker->source.next_input_byte = maker->block;
    maker->source.bytes_in_buffer = (size_t)n;
    return TRUE;
}

static void on_skip(j_decompress_ptr in, long n)
{
    Maker *maker = (Maker *)in->err;

    if (n <= 0)
        return;
    if ((size_t)n <= maker->source.bytes_in_buffer) {
        maker->source.next_input_byte += n;
        maker->source.bytes_in_buffer -= (size_t)n;
        return;
    }
    maker->at += n - (long)maker->source.bytes_in_buffer;
    maker->source.bytes_in_buffer = 0;
}

/* The smallest eighth of the picture that is still not smaller than what is wanted. */
static unsigned choose_eighths(uint32_t longest_px, uint32_t wanted_px)
{
    for (unsigned eighths = 1; eighths < 8; eighths *= 2)
        if ((uint64_t)longest_px * eighths / 8 >= wanted_px)
            return eighths;
    return 8;
}

static void *room(Maker *maker, size_t n, size_t size)
{
    void *p = calloc(n, size);

    if (!p) {
        err_set(maker->err, ERR_TEMPORARY, 0, "no memory for a thumbnail");
        longjmp(maker->failed, 1);
    }
    return p;
}

static void open_source(Maker *maker)
{
    maker->block = room(maker, SOURCE_BLOCK_BYTES, 1);
    jpeg_create_decompress(&maker->in);
    maker->source.init_source = on_source;
    maker->source.fill_input_buffer = on_fill;
    maker->source.skip_input_data = on_skip;
    maker->source.resync_to_restart = jpeg_resync_to_restart;
    maker->source.term_source = on_source;
    maker->in.src = &maker->source;
    (void)jpeg_read_header(&maker->in, TRUE);
    if ((uint64_t)maker->in.image_width * maker->in.image_height > JPEG_PIXELS_MAX) {
        err_set(maker->err, ERR_BAD_INPUT, 0, "JPEG of %u x %u pixels is too large",
                maker->in.image_width, maker->in.image_height);
        longjmp(maker->failed, 1);
    }
}

static void start_decoding(Maker *maker, uint32_t wanted_px)
{
    struct jpeg_decompress_struct *in = &maker->in;
    uint32_t longest = in->image_width > in->image_height ? in->image_width : in->image_height;

    in->scale_num = choose_eighths(longest, wanted_px);
    in->scale_denom = 8;
    in->dct_method = JDCT_IFAST;
    in->do_fancy_upsampling = FALSE;
    if (in->num_components == 1)
        in->out_color_space = JCS_GRAYSCALE;
    else
        in->out_color_space = in->num_components == 4 ? JCS_CMYK : JCS_RGB;
    maker->inverted = in->num_components == 4 && in->saw_Adobe_marker;
    (void)jpeg_start_decompress(in);
    maker->row = room(maker, in->output_width, (size_t)in->output_components);
}

static void start_encoding(Maker *maker, uint32_t width, uint32_t height, int components)
{
    struct jpeg_compress_struct *out = &maker->out;

    jpeg_create_compress(out);
    jpeg_mem_dest(out, &maker->encoded, &maker->encoded_n);
    out->image_width = width;
    out->image_height = height;
    out->input_components = components;
    out->in_color_space = components == 1 ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_set_defaults(out);
    jpeg_set_quality(out, QUALITY_PERCENT, TRUE);
    jpeg_start_compress(out, TRUE);
    maker->sums = room(maker, (size_t)width * (size_t)components, sizeof *maker->sums);
    maker->small = room(maker, width, (size_t)components);
}

/* CMYK to RGB in place, as simply as it can be: a thumbnail needs no colour profile. */
static void cmyk_to_rgb(uint8_t *row, uint32_t width, bool inverted)
{
    for (uint32_t x = 0; x < width; x++) {
        const uint8_t *cmyk = row + 4 * (size_t)x;
        uint8_t *rgb = row + 3 * (size_t)x;
        uint32_t white = inverted ? cmyk[3] : 255u - cmyk[3];

        for (int c = 0; c < 3; c++) {
            uint32_t light = inverted ? cmyk[c] : 255u - cmyk[c];

            rgb[c] = (uint8_t)(light * white / 255);
        }
    }
}

/* Adds one decoded row to the sums: source pixel x belongs to result pixel x * to / from. */
static void add_row(Maker *maker, uint32_t from, uint32_t to, uint32_t components)
{
    for (uint32_t x = 0; x < from; x++) {
        uint32_t *sum = maker->sums + (size_t)((uint64_t)x * to / from) * components;

        for (uint32_t c = 0; c < components; c++)
            sum[c] += maker->row[(size_t)x * components + c];
    }
}

/* Source pixels that fall on result pixel i. */
static uint32_t share(uint32_t i, uint32_t from, uint32_t to)
{
    uint64_t begin = ((uint64_t)i * from + to - 1) / to;
    uint64_t end = ((uint64_t)(i + 1) * from + to - 1) / to;

    return (uint32_t)(end - begin);
}

static void write_row(Maker *maker, uint32_t from, uint32_t to, uint32_t components, uint32_t rows)
{
    for (uint32_t x = 0; x < to; x++) {
        uint32_t n = share(x, from, to) * rows;

        for (uint32_t c = 0; c < components; c++) {
            size_t i = (size_t)x * components + c;

            maker->small[i] = (uint8_t)((maker->sums[i] + n / 2) / n);
            maker->sums[i] = 0;
        }
    }
    (void)jpeg_write_scanlines(&maker->out, &maker->small, 1);
}

static void shrink(Maker *maker, uint32_t wanted_px)
{
    uint32_t from_w = maker->in.output_width, from_h = maker->in.output_height;
    uint32_t longest = from_w > from_h ? from_w : from_h;
    uint32_t to_w = from_w, to_h = from_h;
    uint32_t components = maker->in.num_components == 1 ? 1 : 3;

    if (longest > wanted_px) {
        to_w = (uint32_t)((uint64_t)from_w * wanted_px / longest);
        to_h = (uint32_t)((uint64_t)from_h * wanted_px / longest);
        to_w = to_w ? to_w : 1;
        to_h = to_h ? to_h : 1;
    }
    start_encoding(maker, to_w, to_h, (int)components);
    for (uint32_t y = 0, rows = 0; y < from_h; y++) {
        (void)jpeg_read_scanlines(&maker->in, &maker->row, 1);
        if (maker->in.num_components == 4)
            cmyk_to_rgb(maker->row, from_w, maker->inverted);
        add_row(maker, from_w, to_w, components);
        rows++;
        if (y + 1 == from_h || (uint64_t)(y + 1) * to_h / from_h != (uint64_t)y * to_h / from_h) {
            write_row(maker, from_w, to_w, components, rows);
            rows = 0;
        }
    }
    (void)jpeg_finish_decompress(&maker->in);
    jpeg_finish_compress(&maker->out);
}

static void maker_done(Maker *maker)
{
    jpeg_destroy_decompress(&maker->in); /* both accept a struct that was never created */
    jpeg_destroy_compress(&maker->out);
    free(maker->block);
    free(maker->row);
    free(maker->sums);
    free(maker->small);
    free(maker->encoded);
}

/* Everything that may longjmp; a frame of its own, so that no local of it is read afterwards. */
static bool make(Maker *maker, uint32_t longest_px)
{
    if (setjmp(maker->failed) != 0)
        return false;
    open_source(maker);
    start_decoding(maker, longest_px);
    shrink(maker, longest_px);
    return true;
}

bool thumbnail_make(int fd, uint32_t longest_px, Buf *out, bool *ret_damaged, Err *err)
{
    if (longest_px < SIDE_MIN_PX || longest_px > SIDE_MAX_PX)
        return err_set(err, ERR_BUG, 0, "thumbnail of %u pixels", longest_px);
    Maker maker = { .fd = fd, .err = err };

    maker.in.err = maker.out.err = jpeg_std_error(&maker.errors);
    maker.errors.error_exit = on_error;
    maker.errors.emit_message = on_message;
    maker.errors.output_message = on_output;
    bool ok = make(&maker, longest_px);
    if (ok && !buf_put(out, (Bytes){ maker.encoded, maker.encoded_n }))
        ok = err_set(err, ERR_TEMPORARY, 0, "thumbnail of %lu bytes is too large", maker.encoded_n);
    if (ok)
        *ret_damaged = maker.damaged;
    maker_done(&maker);
    return ok;
}
