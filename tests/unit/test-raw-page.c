/* tests/unit/test-raw-page.c - the trailer of raw pages, byte by byte. */
#include "base/cleanup.h"
#include "model/raw-page.h"
#include "tests/unit/cm.h"

/* Written by hand from the description in raw-page.h; 64 bytes each. */
typedef struct GoodCase {
    const char *trailer;
    RawPage page;
} GoodCase;

static const GoodCase good[] = {
    { "PLATEN-RAW 1 1687 2190 5064 3 8 rgb 200                        \n",
      { 1687, 2190, 5064, 3, 8, RAW_ORDER_RGB, 200 } },
    { "PLATEN-RAW 1 100 40 13 1 1 gray 300                            \n",
      { 100, 40, 13, 1, 1, RAW_ORDER_GRAY, 300 } },
    { "PLATEN-RAW 1 100 1 600 3 16 gbr 0                              \n",
      { 100, 1, 600, 3, 16, RAW_ORDER_GBR, 0 } },
};

static Bytes trailer_of(const char *text)
{
    assert_int_equal(strlen(text), RAW_PAGE_TRAILER_SIZE);
    return bytes_of_text(text);
}

static uint64_t file_bytes(const RawPage *page)
{
    return (uint64_t)page->line_bytes * page->height_px + RAW_PAGE_TRAILER_SIZE;
}

static void trailers_are_written_and_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        uint8_t written[RAW_PAGE_TRAILER_SIZE];
        RawPage read;
        Err err;

        raw_page_encode(&good[i].page, written);
        assert_memory_equal(written, trailer_of(good[i].trailer).p, sizeof written);
        assert_true(raw_page_decode((Bytes){ written, sizeof written }, file_bytes(&good[i].page),
                                    &read, &err));
        assert_memory_equal(&read, &good[i].page, sizeof read);
    }
}

typedef struct BadCase {
    const char *trailer;
    uint64_t bytes; /* of the file */
    const char *text;
} BadCase;

static void lies_are_named(void **state)
{
    static const BadCase cases[] = {
        { "PLATEN-RAW 1 100 40 13 1 1 gray 300                             ", 584, "cut short" },
        { "PLATEN-RAW 2 100 40 13 1 1 gray 300                            \n", 584, "cut short" },
        { "PLATEN-RAW 1 100 40 13 1 1 gray 300                            \n", 583, "not the 584" },
        { "PLATEN-RAW 1 100 41 13 1 1 gray 300                            \n", 584, "not the 597" },
        { "PLATEN-RAW 1 105 40 13 1 1 gray 300                            \n", 584, "too few" },
        { "PLATEN-RAW 1 0 40 13 1 1 gray 300                              \n", 584, "damaged" },
        { "PLATEN-RAW 1 100 0 13 1 1 gray 300                             \n", 64, "damaged" },
        { "PLATEN-RAW 1 1000001 1 4000000 1 8 gray 300                    \n", 64, "damaged" },
        { "PLATEN-RAW 1 99999999999999999999 1 13 1 8 gray 300            \n", 64, "damaged" },
        { "PLATEN-RAW 1 100 40 13 1 1 bgr 300                             \n", 584, "damaged" },
        { "PLATEN-RAW 1 100 40 13 1 1 gray                                \n", 584, "damaged" },
        { "PLATEN-RAW 1 100 40 13 1 1 gray 300 x                          \n", 584, "damaged" },
        { "PLATEN-RAW 1 -1 40 13 1 1 gray 300                             \n", 584, "damaged" },
        { "PLATEN-RAW 1  100 40 13 1 1 gray 300                           \n", 584, "damaged" },
        { "PLATEN-RAW 1 100 40 400 3 4 rgb 300                            \n", 16064,
          "3 channels of 4" },
        { "PLATEN-RAW 1 100 40 400 2 8 rgb 300                            \n", 16064,
          "2 channels of 8" },
        { "PLATEN-RAW 1 100 40 400 1 8 rgb 300                            \n", 16064,
          "1 channels of 8" },
        { "PLATEN-RAW 1 100 40 400 3 8 gray 300                           \n", 16064,
          "3 channels of 8" },
        { "PLATEN-RAW 1 100 40 400 3 1 rgb 300                            \n", 16064,
          "3 channels of 1" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        RawPage page;
        Err err = { 0 };

        if (raw_page_decode(trailer_of(cases[i].trailer), cases[i].bytes, &page, &err))
            fail_msg("case %zu was taken", i);
        assert_int_equal(err.kind, ERR_BAD_INPUT);
        if (!strstr(err.text, cases[i].text))
            fail_msg("case %zu: %s, expected %s", i, err.text, cases[i].text);
    }
    RawPage page;
    Err err;
    assert_false(raw_page_decode((Bytes){ NULL, 0 }, 0, &page, &err));
}

/* What cannot be told is never told wrongly. */
static void pages_beyond_the_limits_are_not_read_back(void **state)
{
    const RawPage huge = { UINT32_MAX, UINT32_MAX, UINT32_MAX, 3, 16, RAW_ORDER_RGB, UINT32_MAX };
    uint8_t written[RAW_PAGE_TRAILER_SIZE];
    RawPage page;
    Err err;

    (void)state;
    raw_page_encode(&huge, written);
    assert_int_equal(written[RAW_PAGE_TRAILER_SIZE - 1], '\n');
    assert_false(
        raw_page_decode((Bytes){ written, sizeof written }, file_bytes(&huge), &page, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trailers_are_written_and_read),
        cmocka_unit_test(lies_are_named),
        cmocka_unit_test(pages_beyond_the_limits_are_not_read_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
