/* tests/unit/test-image.c - JPEG markers and thumbnails. */
#include "base/cleanup.h"
#include "base/text.h"
#include "image/encode.h"
#include "image/jpeg-turn.h"
#include "image/jpeg.h"
#include "image/raw.h"
#include "image/thumbnail.h"
#include "tests/unit/cm.h"
#include "tests/unit/jpeg-maker.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

/* A descriptor that reads these bytes. */
static int file_of(Bytes bytes)
{
    int fd = memfd_create("test", MFD_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes.p, bytes.n), (ssize_t)bytes.n);
    return fd;
}

/* The picture of such a file as it must be seen. */
static Picture picture_of(int fd, int64_t size_bytes, PictureKind kind, PictureView view)
{
    Picture picture;
    Err err = { 0 };

    if (!picture_read(fd, size_bytes, kind, &view, NULL, &picture, &err))
        fail_msg("%s", err.text);
    return picture;
}

/* The markers an FF-680W sends before its picture, tables left out: 200 dpi, 1687 x 2190. */
static const uint8_t scanner_head[] = {
    0xff, 0xd8,                                                       /* SOI               */
    0xff, 0xe0, 0x00, 0x10, 'J',  'F',  'I',  'F',  0x00, 0x01, 0x01, /* APP0, JFIF 1.1    */
    0x01, 0x00, 0xc8, 0x00, 0xc8, 0x00, 0x00,                         /* per inch: 200     */
    0xff, 0xc0, 0x00, 0x11, 0x08, 0x08, 0x8e, 0x06, 0x97, 0x03,       /* SOF0 2190 x 1687  */
    0x01, 0x22, 0x00, 0x02, 0x11, 0x01, 0x03, 0x11, 0x01,             /* three components  */
};

static void scanner_head_is_read(void **state)
{
    JpegFacts facts;
    Err err = { 0 };

    (void)state;
    for (size_t n = 0; n < sizeof scanner_head; n++)
        assert_int_equal(jpeg_scan((Bytes){ scanner_head, n }, &facts, &err), JPEG_NEED_MORE);
    assert_int_equal(jpeg_scan((Bytes){ scanner_head, sizeof scanner_head }, &facts, &err),
                     JPEG_FOUND);
    assert_int_equal(facts.width_px, 1687);
    assert_int_equal(facts.height_px, 2190);
    assert_int_equal(facts.components, 3);
    assert_int_equal(facts.dpi_x, 200);
    assert_int_equal(facts.dpi_y, 200);
    assert_false(facts.adobe);
    assert_false(facts.progressive);
}

/* The head above with one byte changed. */
typedef struct BadCase {
    size_t at;
    uint8_t value;
    const char *text;
} BadCase;

static void bad_heads_are_named(void **state)
{
    static const BadCase cases[] = {
        { 0, 0x25, "not a JPEG" },      { 1, 0xd9, "not a JPEG" },
        { 2, 0x00, "no marker" },       { 3, 0xda, "no frame header" },
        { 3, 0xd9, "no frame header" }, { 21, 0xc9, "frame type 9" },
        { 21, 0xc3, "frame type 3" },   { 24, 12, "of 12 bits" },
        { 29, 2, "2 components" },      { 23, 8, "cut short" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint8_t bytes[sizeof scanner_head];
        JpegFacts facts;
        Err err = { 0 };

        memcpy(bytes, scanner_head, sizeof bytes);
        bytes[cases[i].at] = cases[i].value;
        assert_int_equal(jpeg_scan((Bytes){ bytes, sizeof bytes }, &facts, &err), JPEG_BROKEN);
        assert_int_equal(err.kind, ERR_BAD_INPUT);
        if (!strstr(err.text, cases[i].text))
            fail_msg("%s: expected %s", err.text, cases[i].text);
    }
}

static void a_bomb_is_refused_before_room_is_made(void **state)
{
    uint8_t bytes[sizeof scanner_head];
    JpegFacts facts;
    Err err = { 0 };

    (void)state;
    memcpy(bytes, scanner_head, sizeof bytes);
    memset(bytes + 25, 0xff, 4);
    assert_int_equal(jpeg_scan((Bytes){ bytes, sizeof bytes }, &facts, &err), JPEG_BROKEN);
    assert_string_equal(err.text, "JPEG of 65535 x 65535 pixels has more than 400 million");
    memset(bytes + 25, 0, 2);
    assert_int_equal(jpeg_scan((Bytes){ bytes, sizeof bytes }, &facts, &err), JPEG_BROKEN);
    assert_non_null(strstr(err.text, "does not say its size"));
}

static void densities_are_read_as_they_are_meant(void **state)
{
    static const struct {
        uint8_t units;
        uint16_t density, dpi;
    } cases[] = {
        { 1, 300, 300 }, { 2, 118, 300 }, { 0, 300, 0 },
        { 1, 1, 0 },     { 1, 65535, 0 }, { 3, 300, 0 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint8_t bytes[sizeof scanner_head];
        JpegFacts facts;
        Err err = { 0 };

        memcpy(bytes, scanner_head, sizeof bytes);
        bytes[13] = cases[i].units;
        bytes[14] = bytes[16] = (uint8_t)(cases[i].density >> 8);
        bytes[15] = bytes[17] = (uint8_t)cases[i].density;
        assert_int_equal(jpeg_scan((Bytes){ bytes, sizeof bytes }, &facts, &err), JPEG_FOUND);
        assert_int_equal(facts.dpi_x, cases[i].dpi);
        assert_int_equal(facts.dpi_y, cases[i].dpi);
        assert_int_equal(jpeg_dpi(facts.dpi_x, 200), cases[i].dpi ? cases[i].dpi : 200);
    }
}

/* Fill bytes, a stand-alone marker and 100 long segments before the frame: found by reading on. */
static void long_heads_are_read_in_steps(void **state)
{
    static const uint8_t app1_head[] = { 0xff, 0xff, 0xff, 0xe1, 0x80, 0x00 };
    AUTO_BUF jpeg = buf_with_max(JPEG_HEADERS_MAX + 1000);
    AUTO_BUF head = buf_with_max(JPEG_HEADERS_MAX);
    JpegFacts facts;
    Err err = { 0 };

    (void)state;
    assert_true(buf_put(&jpeg, (Bytes){ scanner_head, 2 }));
    assert_true(buf_put(&jpeg, (Bytes){ (const uint8_t *)"\xff\x01", 2 }));
    for (int i = 0; i < 100; i++) {
        assert_true(buf_put(&jpeg, (Bytes){ app1_head, sizeof app1_head }));
        assert_true(buf_put_zeros(&jpeg, 0x8000 - 2));
    }
    assert_true(buf_put(&jpeg, (Bytes){ scanner_head + 2, sizeof scanner_head - 2 }));
    AUTO_FD fd = file_of(buf_bytes(&jpeg));
    assert_true(jpeg_read_facts(fd, &head, &facts, &err));
    assert_int_equal(facts.width_px, 1687);
    assert_true(head.n > 100 * 0x8000);
    assert_true(jpeg_read_facts(fd, NULL, &facts, &err));

    AUTO_FD cut = file_of((Bytes){ jpeg.p, 100000 });
    assert_false(jpeg_read_facts(cut, NULL, &facts, &err));
    assert_non_null(strstr(err.text, "ends within its headers"));
}

static void endless_heads_are_refused(void **state)
{
    AUTO_BUF jpeg = buf_with_max(2 * JPEG_HEADERS_MAX);
    JpegFacts facts;
    Err err = { 0 };

    (void)state;
    assert_true(buf_put(&jpeg, (Bytes){ scanner_head, 2 }));
    while (jpeg.n < JPEG_HEADERS_MAX + 10)
        assert_true(buf_put(&jpeg, (Bytes){ (const uint8_t *)"\xff\xfe\0\x04--", 6 }));
    AUTO_FD fd = file_of(buf_bytes(&jpeg));
    assert_false(jpeg_read_facts(fd, NULL, &facts, &err));
    assert_non_null(strstr(err.text, "bytes of headers"));
}

static void facts_agree_with_libjpeg(void **state)
{
    static const JpegRecipe recipes[] = {
        { 800, 600, 3, 300, false, 0 },
        { 17, 2000, 1, 600, false, 0 },
        { 64, 64, 4, 0, false, 0 },
        { 800, 600, 3, 150, true, 0 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(recipes); i++) {
        AUTO_BUF jpeg = buf_with_max(1 << 20);
        JpegFacts facts;
        Err err = { 0 };

        jpeg_make(&recipes[i], &jpeg);
        assert_int_equal(jpeg_scan(buf_bytes(&jpeg), &facts, &err), JPEG_FOUND);
        assert_int_equal(facts.width_px, recipes[i].width);
        assert_int_equal(facts.height_px, recipes[i].height);
        assert_int_equal(facts.components, recipes[i].components);
        assert_int_equal(facts.dpi_x, recipes[i].components == 4 ? 0 : recipes[i].dpi);
        assert_int_equal(facts.progressive, recipes[i].progressive);
        assert_int_equal(facts.adobe, recipes[i].components == 4);
        assert_int_equal(facts.sub_h, recipes[i].components == 3 ? 2 : recipes[i].components == 1);
        assert_int_equal(facts.sub_v, facts.sub_h);
    }
}

static void thumbnails_are_small_pictures(void **state)
{
    static const struct {
        JpegRecipe recipe;
        uint32_t width, height;
        int components;
    } cases[] = {
        { { 2480, 3508, 3, 300, false, 0 }, 180, 256, 3 },
        { { 3508, 2480, 1, 300, false, 0 }, 256, 180, 1 },
        { { 600, 500, 4, 0, false, 0 }, 256, 213, 3 },
        { { 100, 40, 3, 72, true, 0 }, 100, 40, 3 },
        { { 12000, 3, 1, 72, false, 0 }, 256, 1, 1 },
        { { 1, 1, 3, 72, false, 0 }, 1, 1, 3 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_BUF jpeg = buf_with_max(16 << 20);
        AUTO_BUF small = buf_with_max(THUMBNAIL_BYTES_MAX);
        JpegFacts facts;
        bool damaged = true;
        Err err = { 0 };

        jpeg_make(&cases[i].recipe, &jpeg);
        AUTO_FD fd = file_of(buf_bytes(&jpeg));
        Picture picture = picture_of(fd, (int64_t)jpeg.n, PICTURE_JPEG, (PictureView){ 0 });
        assert_true(thumbnail_make(fd, &picture, THUMBNAIL_SIDE_PX, &small, &damaged, &err));
        assert_false(damaged);
        assert_int_equal(jpeg_scan(buf_bytes(&small), &facts, &err), JPEG_FOUND);
        assert_int_equal(facts.width_px, cases[i].width);
        assert_int_equal(facts.height_px, cases[i].height);
        assert_int_equal(facts.components, cases[i].components);
    }
}

static void damaged_pictures_are_shown_as_far_as_they_go(void **state)
{
    AUTO_BUF jpeg = buf_with_max(16 << 20);
    AUTO_BUF small = buf_with_max(THUMBNAIL_BYTES_MAX);
    bool damaged = false;
    Err err = { 0 };

    (void)state;
    jpeg_make(&(JpegRecipe){ 1000, 1000, 3, 300, false, 0 }, &jpeg);
    AUTO_FD cut = file_of((Bytes){ jpeg.p, jpeg.n / 2 });
    Picture picture = picture_of(cut, (int64_t)jpeg.n / 2, PICTURE_JPEG, (PictureView){ 0 });
    assert_true(thumbnail_make(cut, &picture, THUMBNAIL_SIDE_PX, &small, &damaged, &err));
    assert_true(damaged);

    AUTO_FD head = file_of((Bytes){ scanner_head, sizeof scanner_head });
    assert_false(thumbnail_make(head, &picture, THUMBNAIL_SIDE_PX, &small, &damaged, &err));
    assert_int_equal(err.kind, ERR_BAD_INPUT);
    AUTO_FD text = file_of(bytes_of_text("%PDF-1.7"));
    assert_false(thumbnail_make(text, &picture, THUMBNAIL_SIDE_PX, &small, &damaged, &err));
    assert_non_null(strstr(err.text, "Not a JPEG"));
    AUTO_BUF tiny = buf_with_max(10);
    AUTO_FD whole = file_of(buf_bytes(&jpeg));
    assert_false(thumbnail_make(whole, &picture, THUMBNAIL_SIDE_PX, &tiny, &damaged, &err));
    assert_int_equal(err.kind, ERR_TEMPORARY);
}

/* --- raw lines ------------------------------------------------------------------------------------ */

/* Sample c of pixel x in line y of the pages below: no two neighbours are alike. */
static uint8_t sample(uint32_t x, uint32_t y, uint32_t c)
{
    return (uint8_t)(x * 3 + y * 31 + c * 101);
}

/* A page of several bands, written as the trailer says. */
static int raw_file(const RawPage *page, int64_t *ret_bytes)
{
    static const uint32_t gbr[] = { 1, 2, 0 }, rgb[] = { 0, 1, 2 };
    const uint32_t *order = page->order == RAW_ORDER_GBR ? gbr : rgb;
    AUTO_BUF file = buf_with_max(16 << 20);
    uint8_t trailer[RAW_PAGE_TRAILER_SIZE];

    for (uint32_t y = 0; y < page->height_px; y++) {
        size_t begin = file.n;

        if (page->bits == 1)
            for (uint32_t x = 0; x < page->width_px; x += 8)
                assert_true(buf_put_u8(&file, sample(x / 8, y, 0)));
        for (uint32_t x = 0; page->bits > 1 && x < page->width_px; x++)
            for (uint32_t c = 0; c < page->channels; c++) {
                if (page->bits == 16)
                    assert_true(buf_put_u8(&file, 0x5a));
                assert_true(buf_put_u8(&file, sample(x, y, order[c])));
            }
        assert_true(buf_put_zeros(&file, page->line_bytes - (file.n - begin)));
    }
    raw_page_encode(page, trailer);
    assert_true(buf_put(&file, (Bytes){ trailer, sizeof trailer }));
    *ret_bytes = (int64_t)file.n;
    return file_of(buf_bytes(&file));
}

static const RawPage raw_pages[] = {
    { 500, 700, 1500, 3, 8, RAW_ORDER_RGB, 300 },  { 500, 700, 1507, 3, 8, RAW_ORDER_GBR, 0 },
    { 500, 400, 3000, 3, 16, RAW_ORDER_GBR, 300 }, { 500, 1100, 500, 1, 8, RAW_ORDER_GRAY, 300 },
    { 500, 600, 1001, 1, 16, RAW_ORDER_GRAY, 10 }, { 500, 9000, 64, 1, 1, RAW_ORDER_GRAY, 300 },
    { 1, 1, 1, 1, 1, RAW_ORDER_GRAY, 300 },        { 60000, 9, 360000, 3, 16, RAW_ORDER_RGB, 99 },
};
static const PictureView views[] = {
    { false, 0, 0 }, { true, 0, 0 }, { true, 333, 381 }, { false, 7, 1 }
};

static uint8_t pixel_of(const Picture *picture, const uint8_t *row, uint32_t x, uint32_t c)
{
    if (picture->bits > 1)
        return row[(size_t)x * picture->components + c];
    return row[x / 8] >> (7 - x % 8) & 1;
}

static uint8_t expected_of(const Picture *picture, uint32_t x, uint32_t y, uint32_t c)
{
    if (picture->view.turned) {
        x = picture->width_px - 1 - x;
        y = picture->height_px - 1 - y;
    }
    if (picture->bits > 1)
        return sample(x, y, c);
    return sample(x / 8, y, 0) >> (7 - x % 8) & 1;
}

static void raw_rows_are_what_is_seen(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(raw_pages) * COUNT_OF(views); i++) {
        int64_t bytes = 0;
        RawSource raw;
        Err err = { 0 };
        AUTO_FD fd = raw_file(&raw_pages[i / COUNT_OF(views)], &bytes);
        Picture picture = picture_of(fd, bytes, PICTURE_RAW, views[i % COUNT_OF(views)]);

        assert_true(raw_begin(&raw, fd, &picture, &err));
        for (uint32_t y = 0; y < picture.height_px; y++) {
            const uint8_t *row = raw_row(&raw, y, &err);

            assert_non_null(row);
            for (uint32_t x = 0; x < picture.width_px; x++)
                for (uint32_t c = 0; c < picture.components; c++)
                    if (pixel_of(&picture, row, x, c) != expected_of(&picture, x, y, c))
                        fail_msg("case %zu: pixel %u %u %u", i, x, y, c);
        }
        raw_done(&raw);
    }
}

static void raw_densities_are_used_when_they_are_some(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(raw_pages); i++) {
        int64_t bytes = 0;
        AUTO_FD fd = raw_file(&raw_pages[i], &bytes);
        Picture picture = picture_of(fd, bytes, PICTURE_RAW, views[0]);

        assert_int_equal(picture.dpi_x, raw_pages[i].dpi < JPEG_DPI_MIN ? 0 : raw_pages[i].dpi);
    }
}

/* The file becomes shorter after it was looked at. */
static void a_page_that_ends_too_early_is_named(void **state)
{
    int64_t bytes = 0, written = 0;
    bool damaged = false;
    AUTO_FD fd = raw_file(&raw_pages[5], &bytes);
    AUTO_FD out = memfd_create("out", MFD_CLOEXEC);
    AUTO_BUF small = buf_with_max(THUMBNAIL_BYTES_MAX);
    Picture picture = picture_of(fd, bytes, PICTURE_RAW, views[0]);
    Err err = { 0 };

    (void)state;
    assert_int_equal(ftruncate(fd, 8000 * 64), 0);
    assert_false(encode_g4(fd, &picture, out, &written, &err));
    assert_string_equal(err.text, "raw page ends within line 8001");
    assert_int_equal(err.kind, ERR_BAD_INPUT);
    assert_false(encode_jpeg(fd, &picture, 85, 300, out, &written, &err));
    assert_string_equal(err.text, "raw page ends within line 8001");
    assert_false(thumbnail_make(fd, &picture, THUMBNAIL_SIDE_PX, &small, &damaged, &err));
    assert_string_equal(err.text, "raw page ends within line 8001");
}

/* What the disk says when a target cannot be written is told as it is, by every encoder. */
static void a_target_that_takes_nothing_is_named(void **state)
{
    int64_t bytes = 0, written = 0;
    AUTO_BUF jpeg = buf_with_max(1 << 20);
    AUTO_FD fd = raw_file(&raw_pages[5], &bytes);
    AUTO_FD full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    Picture picture = picture_of(fd, bytes, PICTURE_RAW, views[0]);
    Err err = { 0 };

    (void)state;
    assert_false(encode_g4(fd, &picture, full, &written, &err));
    assert_int_equal(err.code, ENOSPC);
    assert_false(encode_jpeg(fd, &picture, 85, 300, full, &written, &err));
    assert_int_equal(err.code, ENOSPC);
    jpeg_make(&(JpegRecipe){ 100, 100, 3, 300, false, 0 }, &jpeg);
    AUTO_FD source = file_of(buf_bytes(&jpeg));
    picture = picture_of(source, (int64_t)jpeg.n, PICTURE_JPEG, views[1]);
    assert_false(jpeg_turn(source, &picture, full, &written, &err));
    assert_int_equal(err.code, ENOSPC);
    assert_int_equal(err.kind, ERR_TEMPORARY);
}

static void a_picture_too_large_to_be_turned_is_named(void **state)
{
    AUTO_BUF jpeg = buf_with_max(1 << 20);
    int64_t written = 0;
    Err err = { 0 };

    (void)state;
    jpeg_make(&(JpegRecipe){ 100, 100, 3, 300, false, 0 }, &jpeg);
    uint8_t *frame = memmem(jpeg.p, jpeg.n, "\xff\xc0\0\x11\x08", 5);
    assert_non_null(frame);
    frame[5] = frame[6] = frame[7] = frame[8] = 0x4d; /* 19789 x 19789 */
    AUTO_FD fd = file_of(buf_bytes(&jpeg));
    Picture picture = picture_of(fd, (int64_t)jpeg.n, PICTURE_JPEG, views[1]);
    AUTO_FD out = memfd_create("out", MFD_CLOEXEC);
    assert_false(jpeg_turn(fd, &picture, out, &written, &err));
    assert_int_equal(err.kind, ERR_PERMANENT);
    assert_non_null(strstr(err.text, "too large to be turned"));
    assert_non_null(strstr(err.remedy, "pdf"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scanner_head_is_read),
        cmocka_unit_test(bad_heads_are_named),
        cmocka_unit_test(a_bomb_is_refused_before_room_is_made),
        cmocka_unit_test(densities_are_read_as_they_are_meant),
        cmocka_unit_test(long_heads_are_read_in_steps),
        cmocka_unit_test(endless_heads_are_refused),
        cmocka_unit_test(facts_agree_with_libjpeg),
        cmocka_unit_test(thumbnails_are_small_pictures),
        cmocka_unit_test(damaged_pictures_are_shown_as_far_as_they_go),
        cmocka_unit_test(raw_rows_are_what_is_seen),
        cmocka_unit_test(raw_densities_are_used_when_they_are_some),
        cmocka_unit_test(a_page_that_ends_too_early_is_named),
        cmocka_unit_test(a_target_that_takes_nothing_is_named),
        cmocka_unit_test(a_picture_too_large_to_be_turned_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
