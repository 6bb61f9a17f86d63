/* tests/fuzz/fuzz-picture.c - a page's file with any bytes, through everything that makes something of it.
 *
 * The input: one byte that says what the file is and how it must be seen, two bytes of crop, then the file.
 * Properties: what is read keeps the promised limits; a thumbnail is a sound JPEG within its size; an
 * encoder writes as many bytes as it says, and a JPEG that it makes is sound and of the size that is
 * seen; a refusal says why. */
#include "base/cleanup.h"
#include "image/encode.h"
#include "image/jpeg-turn.h"
#include "image/thumbnail.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PIXELS_MAX = 1000 * 1000, QUALITY = 80, DPI = 300 };

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void check_thumbnail(int fd, const Picture *picture)
{
    AUTO_BUF small = buf_with_max(THUMBNAIL_BYTES_MAX);
    JpegFacts facts;
    bool damaged;
    Err err = { 0 };

    if (!thumbnail_make(fd, picture, THUMBNAIL_SIDE_PX, &small, &damaged, &err)) {
        require(err.kind != ERR_NONE && err.text[0]);
        return;
    }
    require(jpeg_scan(buf_bytes(&small), &facts, &err) == JPEG_FOUND);
    require(facts.width_px <= THUMBNAIL_SIDE_PX && facts.height_px <= THUMBNAIL_SIDE_PX);
}

/* margin: what a turned JPEG may be larger. */
static void check_jpeg(int fd, int64_t written, const Picture *picture, uint32_t margin)
{
    JpegFacts facts;
    Err err = { 0 };

    require(lseek(fd, 0, SEEK_END) == written);
    require(jpeg_read_facts(fd, NULL, &facts, &err));
    require(facts.width_px >= picture->width_px && facts.width_px <= picture->width_px + margin);
    require(facts.height_px >= picture->height_px &&
            facts.height_px <= picture->height_px + margin);
}

static void check_encoders(int fd, const Picture *picture)
{
    enum { BLOCK_MAX_PX = 4 * 8 }; /* sampling factors go up to 4 */
    AUTO_FD out = memfd_create("out", MFD_CLOEXEC);
    int64_t written = 0;
    Err err = { 0 };

    if (picture->kind == PICTURE_JPEG) {
        if (jpeg_turn(fd, picture, out, &written, &err))
            check_jpeg(out, written, picture, picture->view.turned ? BLOCK_MAX_PX - 1 : 0);
        else
            require(err.kind != ERR_NONE && err.text[0]);
        return;
    }
    require(encode_jpeg(fd, picture, QUALITY, DPI, out, &written,
                        &err)); /* any samples are a picture */
    check_jpeg(out, written, picture, 0);
    if (picture->bits != 1)
        return;
    int64_t before = written;
    require(encode_g4(fd, picture, out, &written, &err));
    require(lseek(out, 0, SEEK_END) == before + written && written > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Reader r = reader_over((Bytes){ data, size });
    uint8_t what = rd_u8(&r);
    PictureView view = { .turned = what & 2, .crop_w_px = rd_u8(&r), .crop_h_px = rd_u8(&r) };
    Bytes content = rd_bytes(&r, reader_left(&r));
    Picture picture;
    Err err = { 0 };

    if (r.bad)
        return 0;
    AUTO_FD fd = memfd_create("page", MFD_CLOEXEC);
    require(write(fd, content.p, content.n) == (ssize_t)content.n);
    if (!picture_read(fd, (int64_t)content.n, what & 1 ? PICTURE_RAW : PICTURE_JPEG, &view, NULL,
                      &picture, &err)) {
        require(err.kind == ERR_BAD_INPUT && err.text[0]);
        return 0;
    }
    require(picture.width_px > 0 && picture.width_px <= picture.file_w_px);
    require(picture.height_px > 0 && picture.height_px <= picture.file_h_px);
    if ((uint64_t)picture.file_w_px * picture.file_h_px > PIXELS_MAX)
        return 0;
    check_thumbnail(fd, &picture);
    check_encoders(fd, &picture);
    return 0;
}
