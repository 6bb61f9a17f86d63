/* image/jpeg-io.c - see jpeg-io.h. */
#include "image/jpeg-io.h"

#include "base/file.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include <jerror.h>

static JpegGuard *guard_of(void *common)
{
    return (JpegGuard *)((j_common_ptr)common)->err;
}

static void on_error(j_common_ptr common)
{
    JpegGuard *guard = guard_of(common);
    char text[JMSG_LENGTH_MAX];

    common->err->format_message(common, text);
    ErrKind kind = common->err->msg_code == JERR_OUT_OF_MEMORY ? ERR_TEMPORARY : ERR_BAD_INPUT;
    err_set(guard->err, kind, common->err->msg_code, "JPEG cannot be %s: %s", guard->verb, text);
    longjmp(guard->failed, 1);
}

static void on_message(j_common_ptr common, int level)
{
    if (level < 0)
        guard_of(common)->damaged = true;
}

static void on_output(j_common_ptr common)
{
    (void)common; /* libjpeg would print to standard error */
}

struct jpeg_error_mgr *jpeg_guard_init(JpegGuard *guard, const char *verb, Err *err)
{
    guard->verb = verb;
    guard->err = err;
    (void)jpeg_std_error(&guard->errors);
    guard->errors.error_exit = on_error;
    guard->errors.emit_message = on_message;
    guard->errors.output_message = on_output;
    return &guard->errors;
}

_Noreturn void jpeg_guard_fail(JpegGuard *guard)
{
    longjmp(guard->failed, 1);
}

void *jpeg_guard_room(JpegGuard *guard, size_t n, size_t size)
{
    void *p = calloc(n, size);

    if (!p) {
        err_set(guard->err, ERR_TEMPORARY, 0, "no memory for a picture");
        jpeg_guard_fail(guard);
    }
    return p;
}

/* --- source --------------------------------------------------------------------------------------- */

static void on_source(j_decompress_ptr in)
{
    (void)in;
}

/* Gives libjpeg the next block; at the end of the file an EOI marker, as its own sources do. */
static boolean on_fill(j_decompress_ptr in)
{
    static const uint8_t end_of_image[] = { 0xff, JPEG_EOI };
    JpegSource *source = (JpegSource *)in->src;
    ssize_t n;

    do
        n = pread(source->fd, source->block, JPEG_BLOCK_BYTES, (off_t)source->at);
    while (n < 0 && errno == EINTR);
    if (n < 0) {
        err_errno(guard_of(in)->err, errno, "cannot read");
        jpeg_guard_fail(guard_of(in));
    }
    if (n == 0) {
        guard_of(in)->damaged = true;
        source->manager.next_input_byte = end_of_image;
        source->manager.bytes_in_buffer = sizeof end_of_image;
        return TRUE;
    }
    source->at += n;
    source->manager.next_input_byte = source->block;
    source->manager.bytes_in_buffer = (size_t)n;
    return TRUE;
}

static void on_skip(j_decompress_ptr in, long n)
{
    JpegSource *source = (JpegSource *)in->src;

    if (n <= 0)
        return;
    if ((size_t)n <= source->manager.bytes_in_buffer) {
        source->manager.next_input_byte += n;
        source->manager.bytes_in_buffer -= (size_t)n;
        return;
    }
    source->at += n - (long)source->manager.bytes_in_buffer;
    source->manager.bytes_in_buffer = 0;
}

void jpeg_source_open(JpegSource *source, struct jpeg_decompress_struct *in, int fd)
{
    source->fd = fd;
    source->block = jpeg_guard_room(guard_of(in), JPEG_BLOCK_BYTES, 1);
    source->manager = (struct jpeg_source_mgr){ .init_source = on_source,
                                                .fill_input_buffer = on_fill,
                                                .skip_input_data = on_skip,
                                                .resync_to_restart = jpeg_resync_to_restart,
                                                .term_source = on_source };
    in->src = &source->manager;
}

void jpeg_source_done(JpegSource *source)
{
    free(source->block);
    source->block = NULL;
}

/* --- target --------------------------------------------------------------------------------------- */

static void write_block(j_compress_ptr out, size_t n)
{
    JpegTarget *target = (JpegTarget *)out->dest;

    if (!file_write_all(target->fd, (Bytes){ target->block, n }, guard_of(out)->err))
        jpeg_guard_fail(guard_of(out));
    target->written += (int64_t)n;
    target->manager.next_output_byte = target->block;
    target->manager.free_in_buffer = JPEG_BLOCK_BYTES;
}

static void on_target(j_compress_ptr out)
{
    JpegTarget *target = (JpegTarget *)out->dest;

    target->manager.next_output_byte = target->block;
    target->manager.free_in_buffer = JPEG_BLOCK_BYTES;
}

static boolean on_full(j_compress_ptr out)
{
    write_block(out, JPEG_BLOCK_BYTES); /* always the whole block, says libjpeg.txt */
    return TRUE;
}

static void on_target_end(j_compress_ptr out)
{
    write_block(out, JPEG_BLOCK_BYTES - ((JpegTarget *)out->dest)->manager.free_in_buffer);
}

void jpeg_target_open(JpegTarget *target, struct jpeg_compress_struct *out, int fd)
{
    target->fd = fd;
    target->block = jpeg_guard_room(guard_of(out), JPEG_BLOCK_BYTES, 1);
    target->manager = (struct jpeg_destination_mgr){ .init_destination = on_target,
                                                     .empty_output_buffer = on_full,
                                                     .term_destination = on_target_end };
    out->dest = &target->manager;
}

void jpeg_target_done(JpegTarget *target)
{
    free(target->block);
    target->block = NULL;
}
