/* tests/unit/test-name.c - names of delivered files. */
#include "base/cleanup.h"
#include "base/text.h"
#include "model/name.h"
#include "tests/unit/cm.h"

#include <stdio.h>

/* 2026-11-22 09:15:30 UTC, in a site one hour ahead. */
static const NameFacts facts = { .started = { 1795338930000 },
                                 .utc_offset_min = 60,
                                 .job = "Invoices",
                                 .device = "WF-C5890 \"2nd\" floor",
                                 .document = 2,
                                 .pages = 14 };

static void patterns_resolve(void **state)
{
    static const struct {
        const char *pattern, *expected;
    } cases[] = {
        { "{date}_{time}_{seq:3}", "20261122_101530_{seq:3}" },
        { "{date:%Y-%m-%d} {time:%H.%M}", "2026-11-22 10.15" },
        { "{date:%y%m%d}{time:%S}", "26112230" },
        { "{job}-{doc}-{pages}", "Invoices-2-14" },
        { "{device}", "WF-C5890 _2nd_ floor" },
        { "Gr\xc3\xbc\xc3\x9f"
          "e",
          "Gr\xc3\xbc\xc3\x9f"
          "e" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char template[NAME_TEMPLATE_SIZE];
        Err err = { 0 };

        assert_true(name_resolve(cases[i].pattern, &facts, template, &err));
        assert_string_equal(template, cases[i].expected);
    }
}

static void wrong_patterns_are_named(void **state)
{
    static const struct {
        const char *pattern, *text, *remedy;
    } cases[] = {
        { "", "empty", "" },
        { "a/b", "folder", "" },
        { "..\\b", "folder", "" },
        { "{dat}", "unknown token {dat}", "Did you mean {date}?" },
        { "{sek:3}", "unknown token {sek}", "Did you mean {seq:3}?" },
        { "{barcode}", "unknown token {barcode}", "Tokens are" },
        { "{}", "unknown token {}", "Tokens are" },
        { "{seq}", "digits", "" },
        { "{seq:0}", "digits", "" },
        { "{seq:10}", "digits", "" },
        { "{seq:x}", "digits", "" },
        { "{job:3}", "written without \":3\"", "" },
        { "{date:}", "written without", "" },
        { "{date:%Q}", "not one of", "" },
        { "{date:%}", "not one of", "" },
        { "{date", "lone brace", "" },
        { "a}b", "lone brace", "" },
        { "{{date}}", "lone brace", "" },
        { "a\nb", "control", "" },
        { "a\xff", "control", "" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        Err err = { 0 };

        assert_false(name_pattern_check(cases[i].pattern, &err));
        assert_int_equal(err.kind, ERR_BAD_INPUT);
        if (!strstr(err.text, cases[i].text) || !strstr(err.remedy, cases[i].remedy))
            fail_msg("%s: %s (%s)", cases[i].pattern, err.text, err.remedy);
    }
}

static void values_bring_no_tokens(void **state)
{
    NameFacts evil = facts;
    char template[NAME_TEMPLATE_SIZE];
    Err err = { 0 };

    (void)state;
    evil.job = "{seq:3}/../x";
    assert_true(name_resolve("{job}", &evil, template, &err));
    assert_string_equal(template, "_seq_3__.._x");
    assert_false(name_has_seq(template));
    evil.job = "";
    assert_true(name_resolve("{job}", &evil, template, &err));
    assert_string_equal(template, "_");
    assert_true(name_has_seq("a{seq:1}"));
    assert_true(name_tells_documents_apart("{doc}"));
    assert_true(name_tells_documents_apart("{seq:1}"));
    assert_false(name_tells_documents_apart("{date}{pages}"));
}

static void names_are_finished(void **state)
{
    static const struct {
        const char *template;
        uint64_t seq;
        const char *expected;
    } cases[] = {
        { "20261122_{seq:3}", 7, "20261122_007.pdf" },
        { "{seq:3}", 12345, "12345.pdf" },
        { "{seq:1}-{seq:4}", 9, "9-0009.pdf" },
        { "plain", 1, "plain.pdf" },
        { " a:b*c. ", 1, "a_b_c.pdf" },
        { "nul", 1, "_nul.pdf" },
        { "con.x", 1, "_con.x.pdf" },
        { "COM{seq:1}", 1, "_COM1.pdf" },
        { "console", 1, "console.pdf" },
        { "...", 1, "_.pdf" },
        { ".hidden", 1, "_hidden.pdf" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char name[FILE_NAME_BYTES_MAX + 1];
        Err err = { 0 };

        assert_true(name_finish(cases[i].template, cases[i].seq, "pdf", name, &err));
        assert_string_equal(name, cases[i].expected);
        assert_true(name_is_one_file(name));
    }
}

static void long_names_lose_text_and_keep_their_counter(void **state)
{
    char template[NAME_TEMPLATE_SIZE] = "", name[FILE_NAME_BYTES_MAX + 1];
    Err err = { 0 };

    (void)state;
    for (size_t n = 0; n < 300; n += 2)
        (void)text_copy(template + n, sizeof template - n, "\xc3\xbc");
    (void)text_copy(template + 300, sizeof template - 300, "{seq:3}");
    assert_true(name_finish(template, 42, "pdf", name, &err));
    assert_true(strlen(name) <= FILE_NAME_BYTES_MAX && strlen(name) >= FILE_NAME_BYTES_MAX - 1);
    assert_true(text_ends_with(name, "\xc3\xbc"
                                     "042.pdf"));
    assert_true(name_is_one_file(name));

    template[0] = '\0';
    for (size_t n = 0; n < 40 * 7; n += 7)
        (void)text_copy(template + n, sizeof template - n, "{seq:9}");
    assert_false(name_finish(template, 1, "pdf", name, &err));
    assert_non_null(strstr(err.text, "counters"));
}

static void second_names_are_numbered(void **state)
{
    static const struct {
        const char *name;
        uint32_t n;
        const char *expected;
    } cases[] = {
        { "scan.pdf", 2, "scan_2.pdf" },
        { "scan", 9999, "scan_9999" },
        { "a.b.pdf", 10, "a.b_10.pdf" },
        { ".x", 2, ".x_2" },
        { "a.this-is-no-extension-but-a-sentence", 2, "a.this-is-no-extension-but-a-sentence_2" },
    };
    char name[FILE_NAME_BYTES_MAX + 1], longest[FILE_NAME_BYTES_MAX + 1];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        name_with_number(cases[i].name, cases[i].n, name);
        assert_string_equal(name, cases[i].expected);
    }
    memset(longest, 'a', FILE_NAME_BYTES_MAX);
    (void)text_copy(longest + FILE_NAME_BYTES_MAX - 4, 5, ".pdf");
    name_with_number(longest, 12, name);
    assert_int_equal(strlen(name), FILE_NAME_BYTES_MAX);
    assert_true(text_ends_with(name, "a_12.pdf"));
}

static void folders_resolve_part_by_part(void **state)
{
    static const struct {
        const char *pattern, *expected; /* NULL: refused */
    } cases[] = {
        { "", "" },
        { "in", "in" },
        { "{date:%Y}/{job}/{device}", "2026/Invoices/WF-C5890 _2nd_ floor" },
        { "CON/ x ./.hidden", "_CON/x/_hidden" },
        { "/in", NULL },
        { "in/", NULL },
        { "a//b", NULL },
        { "../in", NULL },
        { "a/.", NULL },
        { "a\\b", NULL },
        { "{seq:3}", NULL },
        { "{date:%Y/%m}", NULL },
        { "{dat}", NULL },
    };
    char folder[PATH_TEXT_SIZE], part[FILE_NAME_BYTES_MAX + 1];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        Err err = { 0 };

        if (name_folder_resolve(cases[i].pattern, &facts, folder, &err) !=
            (cases[i].expected != NULL))
            fail_msg("\"%s\": %s", cases[i].pattern, err.text);
        if (cases[i].expected)
            assert_string_equal(folder, cases[i].expected);
        else
            assert_int_equal(err.kind, ERR_BAD_INPUT);
    }
    const char *rest = "a/bc/d";
    assert_true(name_folder_part(&rest, part));
    assert_string_equal(part, "a");
    assert_true(name_folder_part(&rest, part));
    assert_string_equal(part, "bc");
    assert_true(name_folder_part(&rest, part));
    assert_string_equal(part, "d");
    assert_false(name_folder_part(&rest, part));
}

static void free_text_keeps_its_values(void **state)
{
    const NameFacts odd = { .job = "a/b: {c}\r\nBcc: x", .device = "" };
    AUTO_BUF out = buf_with_max(100);
    Err err;

    (void)state;
    assert_true(name_text_resolve("Scan of {job}, {pages} p.\nBye", &odd, &out, &err));
    assert_string_equal(buf_text(&out), "Scan of a/b: {c}__Bcc: x, 0 p.\nBye");
    buf_clear(&out);
    assert_false(name_text_resolve("{seq:3}", &odd, &out, &err));
    assert_false(name_text_resolve("{jobb}", &odd, &out, &err));
    assert_non_null(strstr(err.remedy, "{job}"));
    AUTO_BUF small = buf_with_max(4);
    assert_false(name_text_resolve("Scan", &odd, &small, &err) &&
                 name_text_resolve("more", &odd, &small, &err));
}

static void names_from_elsewhere_are_checked(void **state)
{
    static const char *const bad[] = { "", ".", "..", "a/b", "/", "a\n", "\xff" };
    char longest[FILE_NAME_BYTES_MAX + 2] = { 0 };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_false(name_is_one_file(bad[i]));
    memset(longest, 'a', FILE_NAME_BYTES_MAX + 1);
    assert_false(name_is_one_file(longest));
    assert_true(name_is_one_file(longest + 1));
    assert_true(name_is_one_file("..a"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns_resolve),
        cmocka_unit_test(wrong_patterns_are_named),
        cmocka_unit_test(values_bring_no_tokens),
        cmocka_unit_test(names_are_finished),
        cmocka_unit_test(long_names_lose_text_and_keep_their_counter),
        cmocka_unit_test(second_names_are_numbered),
        cmocka_unit_test(folders_resolve_part_by_part),
        cmocka_unit_test(free_text_keeps_its_values),
        cmocka_unit_test(names_from_elsewhere_are_checked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
