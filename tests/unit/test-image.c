/* tests/unit/test-image.c - JPEG markers and thumbnails. */
#include "base/cleanup.h"
#include "base/text.h"
#include "image/jpeg.h"
#include "image/thumbnail.h"
#include "tests/unit/cm.h"
#include "tests/unit/jpeg-maker.h"

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
        assert_true(thumbnail_make(fd, THUMBNAIL_SIDE_PX, &small, &damaged, &err));
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
    assert_true(thumbnail_make(cut, THUMBNAIL_SIDE_PX, &small, &damaged, &err));
    assert_true(damaged);

    AUTO_FD head = file_of((Bytes){ scanner_head, sizeof scanner_head });
    assert_false(thumbnail_make(head, THUMBNAIL_SIDE_PX, &small, &damaged, &err));
    assert_int_equal(err.kind, ERR_BAD_INPUT);
    AUTO_FD text = file_of(bytes_of_text("%PDF-1.7"));
    assert_false(thumbnail_make(text, THUMBNAIL_SIDE_PX, &small, &damaged, &err));
    assert_non_null(strstr(err.text, "Not a JPEG"));
    AUTO_BUF tiny = buf_with_max(10);
    AUTO_FD whole = file_of(buf_bytes(&jpeg));
    assert_false(thumbnail_make(whole, THUMBNAIL_SIDE_PX, &tiny, &damaged, &err));
    assert_int_equal(err.kind, ERR_TEMPORARY);
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
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
