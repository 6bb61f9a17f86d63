/* tests/unit/test-yaml.c - YAML of the JSON kind: what is read, what is refused, what is quoted. */
#include "base/limits.h"
#include "base/text.h"
#include "tests/unit/cm.h"
#include "json/json.h"

#include <stdlib.h>

static Json *parsed_yaml(const char *text)
{
    Err err = { 0 };
    Json *value = json_parse_yaml(bytes_of_text(text), &err);

    if (!value)
        fail_msg("%s: %s", text, err.text);
    return value;
}

static void check_compact(const Json *value, const char *expected)
{
    AUTO_BUF out = buf_with_max(4 * JSON_BYTES_MAX);

    assert_true(json_write(value, &out));
    assert_string_equal(buf_text(&out), expected);
}

static void documents_are_read(void **state)
{
    static const struct {
        const char *yaml, *json;
    } cases[] = {
        { "a: 1\nb:\n  - x\n  - true\n  - {c: null, d: [~, -2]}\n",
          "{\"a\":1,\"b\":[\"x\",true,{\"c\":null,\"d\":[null,-2]}]}" },
        { "---\n# a comment\nfolder: /srv/scans # another\nempty:\n...\n",
          "{\"folder\":\"/srv/scans\",\"empty\":null}" },
        { "- yes\n- No\n- on\n- True\n- NULL\n- 007\n- 1_000\n- 0x1f\n- 0o17\n- +1\n- 2026-11-22\n"
          "- 12:30\n- .5\n- 1.\n- .inf\n- 1e3\n- 1.10\n",
          "[\"yes\",\"No\",\"on\",\"True\",\"NULL\",\"007\",\"1_000\",\"0x1f\",\"0o17\",\"+1\","
          "\"2026-11-22\",\"12:30\",\".5\",\"1.\",\".inf\",1000.0,1.1]" },
        { "\"1\": '2'\ntrue: \"true\"\n3: \"\"\n", "{\"1\":\"2\",\"true\":\"true\",\"3\":\"\"}" },
        { "text: |\n  two\n  lines\nfolded: >-\n  one\n  line\n",
          "{\"text\":\"two\\nlines\\n\",\"folded\":\"one line\"}" },
        { "just text", "\"just text\"" },
        { "\xef\xbb\xbf"
          "a: \xc3\xa4\n",
          "{\"a\":\"\xc3\xa4\"}" },
        { "{\"json\": [1, \"\\u00e4\\/\", {}]}", "{\"json\":[1,\"\xc3\xa4/\",{}]}" },
        { "99999999999999999999 bottles: 1e999 too\n",
          "{\"99999999999999999999 bottles\":\"1e999 too\"}" },
        { "%YAML 1.1\n---\na: b\n", "{\"a\":\"b\"}" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(Json) value = parsed_yaml(cases[i].yaml);

        check_compact(value, cases[i].json);
    }
}

static void mistakes_name_the_line(void **state)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        { "", "line 1: there is nothing in the text" },
        { "# only a comment\n", "line 1: there is nothing in the text" },
        { "a: 1\nb: 9223372036854775808\n",
          "line 2: this number is too large; put it in double quotes when it is a text" },
        { "a: 1\nb: 2\na: 3\n", "line 3: the name \"a\" occurs twice" },
        { "a: &x 1\n", "line 1, column 4: anchors (&) are not allowed" },
        { "a: &x {}\n", "line 1, column 4: anchors (&) and tags (!) are not allowed" },
        { "a:\n  - 1\n  - *x\n", "line 3, column 5: aliases (*) are not allowed" },
        { "a: !!str 1\n", "line 1, column 4: tags (!) are not allowed" },
        { "a: ! 1\n", "line 1, column 4: tags (!) are not allowed" },
        { "a: !!set {}\n", "line 1, column 4: anchors (&) and tags (!) are not allowed" },
        { "a:\n  <<: {b: 1}\n", "line 2, column 3: merging (<<) is not allowed" },
        { "a: 1\n---\nb: 1\n", "line 2, column 1: a second document (---) is not allowed" },
        { "? [a]\n: 1\n", "line 1, column 3: a name must be a text, not a list or an object" },
        { "{a: 1}: 2\n", "line 1, column 1: a name must be a text, not a list or an object" },
        { "a: \"\\0\"\n",
          "line 1, column 4: an escape in this text stands for no allowed character" },
        { "a: 1\nb: \x01\n", "line 2: control characters are not allowed" },
        { "a: \xff\n", "line 1: not UTF-8, or a NUL byte" },
        { "a:\n\t- b\n", "line 2, column 1: found character that cannot start any token" },
        { "a: b: c\n", "line 1, column 5: mapping values are not allowed in this context" },
        { "a: [1,\n", "line 2, column 1: did not find expected node content" },
        { "a: @home\n", "line 1, column 4: found character that cannot start any token" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        Err err = { 0 };

        assert_null(json_parse_yaml(bytes_of_text(cases[i].text), &err));
        assert_string_equal(err.text, cases[i].message);
        assert_int_equal(err.kind, ERR_BAD_INPUT);
    }
}

static void limits_hold(void **state)
{
    AUTO_BUF text = buf_with_max(JSON_BYTES_MAX + 16);
    Err err = { 0 };

    (void)state;
    for (size_t i = 0; i < JSON_DEPTH_MAX; i++)
        (void)buf_put_text(&text, "[");
    for (size_t i = 0; i < JSON_DEPTH_MAX; i++)
        (void)buf_put_text(&text, "]");
    AUTO(Json) deep = json_parse_yaml(buf_bytes(&text), &err);
    assert_non_null(deep);
    buf_clear(&text);
    for (size_t i = 0; i < 100000; i++)
        (void)buf_put_text(&text, "- ");
    assert_null(json_parse_yaml(buf_bytes(&text), &err));
    assert_string_equal(err.text, "line 1: nested more than 32 deep");

    buf_clear(&text);
    (void)buf_put_text(&text, "[0");
    for (size_t i = 0; i + 2 < JSON_VALUES_MAX; i++)
        (void)buf_put_text(&text, ",0");
    (void)buf_put_text(&text, "]");
    AUTO(Json) many = json_parse_yaml(buf_bytes(&text), &err);
    assert_int_equal(json_count(many), JSON_VALUES_MAX - 1);
    text.n--;
    (void)buf_put_text(&text, ",0]");
    assert_null(json_parse_yaml(buf_bytes(&text), &err));
    assert_string_equal(err.text, "line 1: more than 150000 values");

    buf_clear(&text);
    (void)buf_put_zeros(&text, JSON_BYTES_MAX + 1);
    memset(text.p, '#', text.n);
    assert_null(json_parse_yaml(buf_bytes(&text), &err));
    assert_string_equal(err.text, "the text has 8388609 bytes, more than the 8388608 allowed");
}

/* Every one of these as a value, a name and an item must come back as the same text. */
static const char *const tricky_texts[] = {
    "",
    " ",
    "a ",
    " a",
    "true",
    "True",
    "false",
    "null",
    "Null",
    "~",
    "yes",
    "No",
    "on",
    "OFF",
    "y",
    "n",
    "0",
    "-1",
    "1.5",
    "1e5",
    "0x1f",
    "0o7",
    "017",
    "1_000",
    "+1",
    ".5",
    ".inf",
    "-.INF",
    ".nan",
    "12:30",
    "2026-11-22",
    "a: b",
    "a:",
    ":a",
    ":",
    "a #b",
    "#a",
    "a#b",
    "-",
    "- a",
    "-a",
    "--- a",
    "---",
    "...",
    "? a",
    "?",
    "! a",
    "!a",
    "&a",
    "*a",
    "%a",
    "@a",
    "`a",
    "|",
    ">",
    "'a'",
    "\"a\"",
    "[a]",
    "{a}",
    "a, b",
    ",",
    "a\nb",
    "\n",
    "a\n",
    "\na",
    "a\r\nb",
    "\t",
    "a\tb",
    "\ta",
    "a\\b",
    "C:\\scans",
    "<<",
    "=",
    "a=b",
    "/srv/scans",
    "//nas/x y",
    "a  b",
    "\x7f",
    "\x01",
    "\xc2\x85",
    "\xc2\xa0",
    "a\xc2\xa0",
    "\xc3\xa4",
    "\xe2\x80\xa8",
    "\xe2\x80\xa9x",
    "\xef\xbb\xbf",
    "x\xef\xbb\xbf",
    "\xef\xbf\xbd",
    "\xef\xbf\xbe",
    "\xf0\x9f\x98\x80",
    "M\xc3\xbcller & S\xc3\xb6hne",
    "100 %",
    "mail@example.org",
    "{date}-{counter}",
    "a;b",
    "$HOME",
    "x\xe3\x80\x80y",
    "it's",
    "say \"hi\"",
    "k: [v]",
    "infinity",
    "NaN",
    "1 2",
    "A1",
    "a-1",
    "e5",
};

/* Writes as YAML, reads that, and compares as JSON. */
static void check_round(const Json *value)
{
    AUTO_BUF yaml = buf_with_max(4 * JSON_BYTES_MAX);
    AUTO_BUF json = buf_with_max(4 * JSON_BYTES_MAX);
    Err err = { 0 };

    assert_true(json_write_yaml(value, &yaml));
    AUTO(Json) again = json_parse_yaml(buf_bytes(&yaml), &err);
    if (!again)
        fail_msg("%s in:\n%s", err.text, buf_text(&yaml));
    assert_true(json_write(value, &json));
    check_compact(again, buf_text(&json));
}

static void texts_go_round(void **state)
{
    AUTO(Json) all = json_new_object();

    (void)state;
    for (size_t i = 0; i < COUNT_OF(tricky_texts); i++) {
        AUTO(Json) object = json_new_object();
        Json *list = json_new_array(), *inner = json_new_object();

        json_set_text(inner, tricky_texts[i], tricky_texts[i]);
        json_add_text(list, tricky_texts[i]);
        json_add_take(list, inner);
        json_set_take(object, tricky_texts[i], list);
        check_round(object);
        check_round(json_get(object, tricky_texts[i]));
        check_round(json_item(json_get(object, tricky_texts[i]), 0));
        json_set_take(all, tricky_texts[i], STEAL(object));
    }
    check_round(all);
}

/* The characters of all of Unicode's planes that YAML or JSON treat in a way of their own lie below
 * U+3000 or near the end of the first plane. */
static void characters_go_round(void **state)
{
    AUTO(Json) list = json_new_array();

    (void)state;
    for (uint32_t c = 1; c < 0x110000;
         c += c < 0x3100 || (c >= 0xfe00 && c < 0x10010) ? 1 : 0x3ff) {
        char text[16];

        if (c < 0x80)
            assert_true(text_printf(text, sizeof text, "a%cb", (char)c));
        else if (c < 0x800)
            assert_true(text_printf(text, sizeof text, "%c%c", 0xc0 | c >> 6, 0x80 | (c & 0x3f)));
        else if (c < 0x10000)
            assert_true(text_printf(text, sizeof text, "%c%c%c", 0xe0 | c >> 12,
                                    0x80 | (c >> 6 & 0x3f), 0x80 | (c & 0x3f)));
        else
            assert_true(text_printf(text, sizeof text, "%c%c%c%c", 0xf0 | c >> 18,
                                    0x80 | (c >> 12 & 0x3f), 0x80 | (c >> 6 & 0x3f),
                                    0x80 | (c & 0x3f)));
        json_add_text(list, text);
    }
    check_round(list);
}

static void shapes_go_round(void **state)
{
    static const char *const shapes[] = {
        "1",
        "null",
        "{}",
        "[]",
        "[[]]",
        "[[[1,2],[3]],[],{}]",
        "[{\"a\":[{\"b\":[]},{\"c\":{}}]},[{\"d\":1,\"e\":[2]}]]",
        "{\"a\":{\"b\":{\"c\":[1,{\"d\":null}]}},\"e\":[[true]],\"f\":1.50}",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(shapes); i++) {
        Err err = { 0 };
        AUTO(Json) value = json_parse(bytes_of_text(shapes[i]), &err);

        check_round(value);
    }
}

/* YAML wants the colon after a short name on the same line within 1024 characters. */
static void long_names_go_round(void **state)
{
    static const size_t lengths[] = { 127, 128, 129, 1023, 1024, 1025, 5000 };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        AUTO(Json) object = json_new_object();
        char name[5001];
        Json *list = json_new_array(), *inner = json_new_object();

        memset(name, '#', sizeof name);
        name[lengths[i]] = '\0';
        json_set_int(inner, name, 1);
        json_add_take(list, inner);
        json_set_take(object, name, list);
        name[0] = 'a';
        json_set_take(object, name, json_new_object());
        json_set_text(object, "after", name);
        check_round(object);
        memset(name, 1, lengths[i]); /* six characters each when escaped */
        json_set_text(object, name, name);
        check_round(object);
    }
}

static void yaml_is_readable(void **state)
{
    static const char json[] =
        "{\"jobs\":[{\"name\":\"Invoices\",\"sides\":\"duplex\",\"dpi\":300,\"pin\":\"0042\","
        "\"targets\":[\"nas\",\"yes\"],\"extra\":{},\"note\":\"a: b\\n\"},{\"name\":\"Stra\xc3\x9f"
        "e 7\",\"on\":true,\"list\":[[1,2]]}],\"folder\":\"/srv/scans\"}";
    AUTO_BUF out = buf_with_max(4096);
    Err err = { 0 };
    AUTO(Json) value = json_parse(bytes_of_text(json), &err);

    (void)state;
    assert_true(json_write_yaml(value, &out));
    assert_string_equal(buf_text(&out), "jobs:\n"
                                        "  - name: Invoices\n"
                                        "    sides: duplex\n"
                                        "    dpi: 300\n"
                                        "    pin: \"0042\"\n"
                                        "    targets:\n"
                                        "      - nas\n"
                                        "      - \"yes\"\n"
                                        "    extra: {}\n"
                                        "    note: \"a: b\\n\"\n"
                                        "  - name: Stra\xc3\x9f"
                                        "e 7\n"
                                        "    \"on\": true\n"
                                        "    list:\n"
                                        "      - - 1\n"
                                        "        - 2\n"
                                        "folder: /srv/scans\n");
}

typedef struct Settings {
    char name[8];
} Settings;

static void fields_name_the_line(void **state)
{
    static const Field fields[] = { TEXT(Settings, name, true, "Name."), FIELDS_END };
    static const struct {
        const char *yaml, *message;
    } cases[] = {
        { "\n# the name:\nname: 12\n", "line 3: name: must be a text, not a number" },
        { "name: a\nnam: b\n", "line 2: nam: \"nam\" is unknown here; did you mean \"name\"?" },
        { "name:\n", "line 1: name: must be a text, not null" },
        { "\n{}\n", "line 2: name: is missing" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(Json) value = parsed_yaml(cases[i].yaml);
        AUTO(Json) copy = json_clone(value);
        Settings s;
        Err err = { 0 };

        assert_false(json_read_fields(value, fields, &s, sizeof s, &err));
        assert_string_equal(err.text, cases[i].message);
        assert_false(json_read_fields(copy, fields, &s, sizeof s, &err));
        assert_string_equal(err.text, cases[i].message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(documents_are_read),   cmocka_unit_test(mistakes_name_the_line),
        cmocka_unit_test(limits_hold),          cmocka_unit_test(texts_go_round),
        cmocka_unit_test(characters_go_round),  cmocka_unit_test(shapes_go_round),
        cmocka_unit_test(long_names_go_round),  cmocka_unit_test(yaml_is_readable),
        cmocka_unit_test(fields_name_the_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
