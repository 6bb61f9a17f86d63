/* tests/unit/test-json.c - parsing, reading, building and writing of JSON values. */
#include "base/limits.h"
#include "base/text.h"
#include "tests/unit/cm.h"
#include "json/json.h"

#include <stdlib.h>

static Json *parsed(const char *text)
{
    Err err = { 0 };
    Json *value = json_parse(bytes_of_text(text), &err);

    if (!value)
        fail_msg("%s: %s", text, err.text);
    return value;
}

/* What is written for the value, compact. Static storage. */
static const char *written(const Json *value)
{
    static char text[4096];
    AUTO_BUF out = buf_with_max(sizeof text);

    assert_true(json_write(value, &out));
    assert_true(text_copy(text, sizeof text, buf_text(&out)));
    return text;
}

static void texts_come_back(void **state)
{
    static const struct {
        const char *text, *compact; /* compact NULL: the same */
    } cases[] = {
        { "{}", NULL },
        { "[]", NULL },
        { "null", NULL },
        { " true ", "true" },
        { "-0", "0" },
        { "9223372036854775807", NULL },
        { "-9223372036854775808", NULL },
        { "1.10", "1.1" }, /* a number with a fraction or an exponent is a double */
        { "0.30000000000000004", NULL },
        { "5e-324", "4.94065645841247e-324" },
        { "-1.5e+300", NULL },
        { "1E5", "100000.0" }, /* stays no whole number */
        { "-0.0", NULL },
        { "{\"b\":1,\"a\":[1,2,{\"c\":null}],\"\":false}", NULL },
        { "\r\n\t{ \"a\" : [ ] , \"b\" : { } }\n", "{\"a\":[],\"b\":{}}" },
        { "\"\\u00e4\\ud83d\\ude00\\/\\b\\f\\n\\r\\t\\\\\\\"\"",
          "\"\xc3\xa4\xf0\x9f\x98\x80/\\b\\f\\n\\r\\t\\\\\\\"\"" },
        { "\"\x7f \\u0001 \\u2028\"", "\"\\u007f \\u0001 \\u2028\"" },
        { "\xef\xbb\xbf[1]", "[1]" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(Json) value = parsed(cases[i].text);
        const char *compact = cases[i].compact ? cases[i].compact : cases[i].text;

        assert_string_equal(written(value), compact);
        AUTO(Json) again = parsed(compact);
        assert_string_equal(written(again), compact);
        AUTO(Json) copy = json_clone(value);
        assert_string_equal(written(copy), compact);
    }
}

static void mistakes_are_placed(void **state)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        { "", "line 1, column 0: unexpected token near end of file" },
        { "{\n  \"a\": 1,\n}", "line 3, column 1: string or '}' expected near '}'" },
        { "{\"\xc3\xa4\": tru}", "line 1, column 9: invalid token near 'tru'" },
        { "[hello]", "line 1, column 6: invalid token near 'hello'" },
        { "[1 2]", "line 1, column 4: ']' expected near '2'" },
        { "{\"a\" 1}", "line 1, column 6: ':' expected near '1'" },
        { "{a:1}", "line 1, column 2: string or '}' expected near 'a'" },
        { "[1] x", "line 1, column 5: end of file expected near 'x'" },
        { "[01]", "line 1, column 2: invalid token near '0'" },
        { "[1.]", "line 1, column 3: invalid token near '1.'" },
        { "[-]", "line 1, column 2: invalid token near '-'" },
        { "[0x1f]", "line 1, column 3: ']' expected near 'x'" },
        { "[1e]", "line 1, column 3: invalid token near '1e'" },
        { "[9223372036854775808]",
          "line 1, column 20: too big integer near '9223372036854775808'" },
        { "[-9223372036854775809]",
          "line 1, column 21: too big negative integer near '-9223372036854775809'" },
        { "[1e999]", "line 1, column 6: real number overflow near '1e999'" },
        { "[\"a", "line 1, column 3: premature end of input near '\"a'" },
        { "[\"a\\", "line 1, column 4: invalid escape near '\"a\\'" },
        { "\"a\nb\"", "line 1, column 2: unexpected newline near '\"a'" },
        { "\"C:\\x\"", "line 1, column 5: invalid escape near '\"C:\\x'" },
        { "\"\\\xc3\xa4\"", "line 1, column 3: invalid escape" },
        { "\"\\u12g4\"", "line 1, column 6: invalid escape near '\"\\u12g'" },
        { "\"\\u0000\"",
          "line 1, column 8: \\u0000 is not allowed without JSON_ALLOW_NUL near '\"\\u0000\"'" },
        { "{\"\\u0000\":1}",
          "line 1, column 9: NUL byte in object key not supported near '\"\\u0000\"'" },
        { "\"\\ud800\"", "line 1, column 8: invalid Unicode '\\uD800' near '\"\\ud800\"'" },
        { "\"\\udc00\"", "line 1, column 8: invalid Unicode '\\uDC00' near '\"\\udc00\"'" },
        { "{\"a\":1,\n \"b\":2,\n \"a\":3}",
          "line 3, column 4: duplicate object key near '\"a\"'" },
        { "{\"a\":{\"x\":1,\"\\u0078\":2}}",
          "line 1, column 20: duplicate object key near '\"\\u0078\"'" },
        { "[1,\n\"\xff\"]", "line 2: not UTF-8, or a NUL byte" },
        { "[\x01]", "line 1, column 2: invalid token" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        Err err = { 0 };

        assert_null(json_parse(bytes_of_text(cases[i].text), &err));
        assert_int_equal(err.kind, ERR_BAD_INPUT);
        assert_string_equal(err.text, cases[i].message);
    }
    Err err = { 0 };
    assert_null(json_parse((Bytes){ (const uint8_t *)"1\0", 2 }, &err));
    assert_string_equal(err.text, "line 1: not UTF-8, or a NUL byte");
}

/* n times the opening, then n times the closing text. */
static void put_nested(Buf *out, size_t n, const char *opening, const char *closing)
{
    buf_clear(out);
    for (size_t i = 0; i < n; i++)
        assert_true(buf_put_text(out, opening));
    for (size_t i = 0; i < n; i++)
        assert_true(buf_put_text(out, closing));
}

static void limits_hold(void **state)
{
    AUTO_BUF text = buf_with_max(JSON_BYTES_MAX + 16);
    Err err = { 0 };

    (void)state;
    put_nested(&text, JSON_DEPTH_MAX, "[", "]");
    AUTO(Json) deep = json_parse(buf_bytes(&text), &err);
    assert_non_null(deep);
    put_nested(&text, JSON_DEPTH_MAX + 1, "[", "]");
    assert_null(json_parse(buf_bytes(&text), &err));
    assert_string_equal(err.text, "line 1: nested more than 32 deep");
    put_nested(&text, 1000000, "[", "]");
    assert_null(json_parse(buf_bytes(&text), &err));
    assert_string_equal(err.text, "line 1: nested more than 32 deep");

    buf_clear(&text);
    (void)buf_put_text(&text, "[\"a text, no [values] \\\",{\"");
    for (size_t i = 0; i + 2 < JSON_VALUES_MAX; i++)
        (void)buf_put_text(&text, ",{ }");
    (void)buf_put_text(&text, "]");
    AUTO(Json) many = json_parse(buf_bytes(&text), &err);
    assert_int_equal(json_count(many), JSON_VALUES_MAX - 1);
    text.n--;
    (void)buf_put_text(&text, ",0]");
    assert_null(json_parse(buf_bytes(&text), &err));
    assert_non_null(strstr(err.text, "line 1: more than 150000 values"));

    buf_clear(&text);
    (void)buf_put_zeros(&text, JSON_BYTES_MAX + 1);
    memset(text.p, ' ', text.n);
    assert_null(json_parse(buf_bytes(&text), &err));
    assert_string_equal(err.text, "the text has 8388609 bytes, more than the 8388608 allowed");
    text.n--;
    text.p[0] = '1';
    AUTO(Json) blank = json_parse(buf_bytes(&text), &err);
    assert_int_equal(json_int(blank, 0), 1);
}

static bool collect(void *arg, const char *name, const Json *value)
{
    (void)buf_printf(arg, "%s=%d ", name, (int)json_kind(value));
    return json_kind(value) != JSON_ARR;
}

static void values_are_read(void **state)
{
    AUTO(Json)
    value = parsed("{\"t\":\"x\",\"i\":7,\"r\":1.5,\"b\":true,\"n\":null,\"a\":[1,\"z\"],"
                   "\"o\":{\"k\":1}}");
    AUTO_BUF seen = buf_with_max(256);

    (void)state;
    assert_string_equal(json_get_text(value, "t"), "x");
    assert_string_equal(json_get_text(value, "i"), "");
    assert_string_equal(json_get_text(value, "absent"), "");
    assert_int_equal(json_get_int(value, "i", 3), 7);
    assert_int_equal(json_get_int(value, "r", 3), 3);
    assert_int_equal(json_get_int(value, "t", 3), 3);
    assert_true(json_get_bool(value, "b", false));
    assert_true(json_get_bool(value, "absent", true));
    assert_int_equal(json_kind(json_get(value, "n")), JSON_NULL_VALUE);
    assert_int_equal(json_kind(json_get(value, "r")), JSON_NUMBER);
    assert_int_equal(json_count(json_get(value, "a")), 2);
    assert_int_equal(json_count(value), 7);
    assert_int_equal(json_count(json_get(value, "t")), 0);
    assert_int_equal(json_int(json_item(json_get(value, "a"), 0), 0), 1);
    assert_null(json_item(json_get(value, "a"), 2));
    assert_null(json_item(value, 0));
    assert_false(json_each(value, collect, &seen));
    assert_string_equal(buf_text(&seen), "t=4 i=3 r=3 b=2 n=1 a=5 ");

    assert_int_equal(json_kind(NULL), JSON_ABSENT);
    assert_null(json_get(NULL, "x"));
    assert_null(json_get(json_get(value, "a"), "x"));
    assert_null(json_item(NULL, 0));
    assert_null(json_text(NULL));
    assert_int_equal(json_count(NULL), 0);
    assert_string_equal(json_get_text(NULL, "x"), "");
    assert_true(json_each(NULL, collect, &seen));
    assert_null(json_clone(NULL));
    json_free(NULL);
}

static void trees_are_built(void **state)
{
    AUTO(Json) object = json_new_object();
    AUTO_BUF out = buf_with_max(1024);
    Json *list = json_new_array();

    (void)state;
    json_set_text(object, "name", "first");
    json_set_int(object, "pages", INT64_MIN);
    json_set_bool(object, "done", true);
    json_set_null(object, "error");
    json_add_text(list, "a");
    json_add_int(list, 2);
    json_add_take(list, json_new_object());
    json_set_take(object, "list", list);
    json_set_text(object, "name", "second"); /* replaces, keeps the place */
    json_set_text(object, "none", NULL);
    json_set_text(object, "latin", "M\xfcller \xe2\x82");
    assert_string_equal(written(object),
                        "{\"name\":\"second\",\"pages\":-9223372036854775808,\"done\":true,"
                        "\"error\":null,\"list\":[\"a\",2,{}],\"none\":null,"
                        "\"latin\":\"M\xef\xbf\xbdller \xef\xbf\xbd\xef\xbf\xbd\"}");
    AUTO(Json) small = parsed("{\"a\":[1,{}],\"b\":{\"c\":[]}}");
    assert_true(json_write_pretty(small, &out));
    assert_string_equal(buf_text(&out), "{\n"
                                        "  \"a\": [\n"
                                        "    1,\n"
                                        "    {}\n"
                                        "  ],\n"
                                        "  \"b\": {\n"
                                        "    \"c\": []\n"
                                        "  }\n"
                                        "}\n");
}

static void poison_sticks(void **state)
{
    AUTO_BUF out = buf_with_max(1024);
    AUTO(Json) object = json_new_object();
    AUTO(Json) outer = json_new_object();
    Json *inner = json_new_array();

    (void)state;
    json_set_take(object, "x", NULL);
    json_set_int(object, "y", 1);
    assert_false(json_write(object, &out));
    assert_false(json_write_pretty(object, &out));
    assert_false(json_write_yaml(object, &out));
    assert_null(json_clone(object));
    json_set_take(outer, "inner", inner);
    json_add_take(inner, NULL); /* after it was put into the outer one */
    assert_false(json_write(outer, &out));
    assert_null(json_clone(outer));
    AUTO(Json) array = json_new_array();
    json_set_int(array, "not an object", 1);
    assert_false(json_write(array, &out));
    AUTO(Json) other = json_new_object();
    json_add_int(other, 1);
    assert_false(json_write(other, &out));
    json_set_int(NULL, "x", 1);
    json_add_take(NULL, json_new_object());
    assert_false(json_write(NULL, &out));
}

static void writing_has_limits(void **state)
{
    AUTO_BUF small = buf_with_max(8);
    AUTO_BUF large = buf_with_max(1024);
    AUTO(Json) value = parsed("[1,2,3,4,5]");
    AUTO(Json) deep = json_new_array();

    (void)state;
    assert_false(json_write(value, &small));
    for (size_t i = 1; i < JSON_DEPTH_MAX; i++) {
        Json *around = json_new_array();

        json_add_take(around, STEAL(deep));
        deep = around;
    }
    assert_true(json_write(deep, &large));
    Json *around = json_new_array();
    json_add_take(around, STEAL(deep));
    deep = around;
    assert_false(json_write(deep, &large));
    assert_false(json_write_yaml(deep, &large));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_come_back),    cmocka_unit_test(mistakes_are_placed),
        cmocka_unit_test(limits_hold),        cmocka_unit_test(values_are_read),
        cmocka_unit_test(trees_are_built),    cmocka_unit_test(poison_sticks),
        cmocka_unit_test(writing_has_limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
