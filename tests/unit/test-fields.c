/* tests/unit/test-fields.c - settings structs from and to JSON by their Field tables. */
#include "base/field.h"
#include "base/text.h"
#include "tests/unit/cm.h"
#include "json/json.h"

#include <stdlib.h>

typedef struct Target {
    char folder[16];
    int64_t copies;
} Target;

typedef struct Settings {
    char name[8], title[32], password[16];
    int64_t port, sides;
    bool tls;
    Target targets[3];
    size_t target_count;
    char extra[32];
} Settings;

static const char *const sides_words[] = { "simplex", "duplex", NULL };

static const Field target_fields[] = {
    TEXT(Target, folder, true, "Where to."),
    INTEGER(Target, copies, 1, 9, 1, "How many."),
    FIELDS_END,
};

static const Field settings_fields[] = {
    TEXT(Settings, name, true, "Short name."),
    TEXT_PRESET(Settings, title, "no title", "Long name."),
    SECRET(Settings, password, "Password."),
    INTEGER(Settings, port, 1, 65535, 21, "TCP port."),
    CHOICE(Settings, sides, sides_words, 1, "Sides of the sheet."),
    BOOLEAN(Settings, tls, true, "Whether TLS is used."),
    LIST(Settings, targets, target_count, target_fields, 0, "Where it goes."),
    JSON_OBJECT(Settings, extra, "Anything else."),
    FIELDS_END,
};

static Json *parsed(const char *text)
{
    Err err = { 0 };
    Json *value = json_parse(bytes_of_text(text), &err);

    if (!value)
        fail_msg("%s: %s", text, err.text);
    return value;
}

static void check_written(Json *value_take, const char *expected)
{
    AUTO(Json) value = value_take;
    AUTO_BUF out = buf_with_max(8192);

    assert_true(json_write(value, &out));
    assert_string_equal(buf_text(&out), expected);
}

static void absent_members_are_preset(void **state)
{
    AUTO(Json) object = parsed("{\"name\":\"a\"}");
    Settings s;
    Err err = { 0 };

    (void)state;
    memset(&s, 0xff, sizeof s);
    assert_true(json_read_fields(object, settings_fields, &s, sizeof s, &err));
    assert_string_equal(s.name, "a");
    assert_string_equal(s.title, "no title");
    assert_string_equal(s.password, "");
    assert_int_equal(s.port, 21);
    assert_int_equal(s.sides, 1);
    assert_true(s.tls);
    assert_int_equal(s.target_count, 0);
    assert_string_equal(s.extra, "");
    check_written(json_from_fields(settings_fields, &s, true),
                  "{\"name\":\"a\",\"title\":\"no title\",\"password\":\"\",\"port\":21,"
                  "\"sides\":\"duplex\",\"tls\":true,\"targets\":[],\"extra\":{}}");
}

static void structs_go_round(void **state)
{
    static const char whole[] =
        "{\"name\":\"abcdefg\",\"title\":\"\",\"password\":\"p\\n\\tq\",\"port\":65535,"
        "\"sides\":\"simplex\",\"tls\":false,\"targets\":[{\"folder\":\"x\",\"copies\":9},"
        "{\"folder\":\"y\",\"copies\":1}],\"extra\":{\"k\":[1,2]}}";
    AUTO(Json) object = parsed(whole);
    Settings s;
    Err err = { 0 };

    (void)state;
    assert_true(json_read_fields(object, settings_fields, &s, sizeof s, &err));
    assert_string_equal(s.password, "p\n\tq");
    assert_int_equal(s.sides, 0);
    assert_int_equal(s.target_count, 2);
    assert_string_equal(s.targets[1].folder, "y");
    assert_string_equal(s.extra, "{\"k\":[1,2]}");
    check_written(json_from_fields(settings_fields, &s, true), whole);
    AUTO(Json) shown = json_from_fields(settings_fields, &s, false);
    assert_null(json_get(shown, "password"));
}

/* The description of a table as another program gets it: written and parsed. */
static Json *described_again(const Field *fields)
{
    AUTO(Json) description = json_describe_fields(fields);
    AUTO_BUF text = buf_with_max(8192);

    assert_true(json_write(description, &text));
    return parsed(buf_text(&text));
}

typedef struct BadCase {
    const char *text, *field, *message;
} BadCase;

static const BadCase bad_cases[] = {
    { "[]", "", "must be an object, not a list" },
    { "{}", "name", "name: is missing" },
    { "{\"nam\":\"a\"}", "nam", "nam: \"nam\" is unknown here; did you mean \"name\"?" },
    { "{\"name\":\"a\",\"zzzzzzzz\":1}", "zzzzzzzz",
      "zzzzzzzz: \"zzzzzzzz\" is unknown here; known: "
      "name, title, password, port, sides, tls, targets, extra" },
    { "{\"name\":\"\"}", "name", "name: must not be empty" },
    { "{\"name\":7}", "name", "name: must be a text, not a number" },
    { "{\"name\":null}", "name", "name: must be a text, not null" },
    { "{\"name\":\"abcdefgh\"}", "name", "name: has 8 bytes, at most 7 are possible" },
    { "{\"name\":\"a\\u0007\"}", "name",
      "name: has a control character other than newline and tab" },
    { "{\"name\":\"a\",\"password\":\"\\u007f\"}", "password",
      "password: has a control character other than newline and tab" },
    { "{\"name\":\"a\",\"port\":\"21\"}", "port", "port: must be a whole number, not a text" },
    { "{\"name\":\"a\",\"port\":0}", "port", "port: 0 is not within 1 to 65535" },
    { "{\"name\":\"a\",\"port\":65536}", "port", "port: 65536 is not within 1 to 65535" },
    { "{\"name\":\"a\",\"port\":1.5}", "port",
      "port: 1.5 is not a whole number within 1 to 65535" },
    { "{\"name\":\"a\",\"tls\":1}", "tls", "tls: must be true or false, not a number" },
    { "{\"name\":\"a\",\"sides\":\"dupex\"}", "sides",
      "sides: \"dupex\" is unknown here; did you mean \"duplex\"?" },
    { "{\"name\":\"a\",\"sides\":\"\"}", "sides",
      "sides: \"\" is unknown here; known: simplex, duplex" },
    { "{\"name\":\"a\",\"sides\":1}", "sides",
      "sides: must be one of simplex, duplex, not a number" },
    { "{\"name\":\"a\",\"targets\":{}}", "targets", "targets: must be a list, not an object" },
    { "{\"name\":\"a\",\"targets\":[1,2,3,4]}", "targets",
      "targets: has 4 items, must have 0 to 3" },
    { "{\"name\":\"a\",\"targets\":[1]}", "targets[0]",
      "targets[0]: must be an object, not a number" },
    { "{\"name\":\"a\",\"targets\":[{\"folder\":\"x\"},{\"foldr\":\"x\"}]}", "targets[1].foldr",
      "targets[1].foldr: \"foldr\" is unknown here; did you mean \"folder\"?" },
    { "{\"name\":\"a\",\"targets\":[{\"folder\":\"x\"},{}]}", "targets[1].folder",
      "targets[1].folder: is missing" },
    { "{\"name\":\"a\",\"targets\":[{\"folder\":\"x\",\"copies\":10}]}", "targets[0].copies",
      "targets[0].copies: 10 is not within 1 to 9" },
    { "{\"name\":\"a\",\"extra\":\"x\"}", "extra", "extra: must be an object, not a text" },
    { "{\"name\":\"a\",\"extra\":{\"k\":\"123456789012345678901234\"}}", "extra",
      "extra: is longer than 31 bytes as JSON text" },
};

/* The same words from the table and from its description, which went through text meanwhile. */
static void mistakes_name_the_field(void **state)
{
    AUTO(Json) described = described_again(settings_fields);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad_cases); i++) {
        AUTO(Json) object = parsed(bad_cases[i].text);
        Settings s;
        Err err = { 0 };

        assert_false(json_read_fields(object, settings_fields, &s, sizeof s, &err));
        assert_int_equal(err.kind, ERR_BAD_INPUT);
        assert_string_equal(err.field, bad_cases[i].field);
        assert_string_equal(err.text, bad_cases[i].message);

        Err other = { 0 };
        assert_false(json_check_described(object, described, &other));
        assert_int_equal(other.kind, err.kind);
        assert_string_equal(other.field, err.field);
        assert_string_equal(other.text, err.text);
        assert_string_equal(other.remedy, err.remedy);
    }
}

static void remedies_help(void **state)
{
    static const struct {
        const char *text, *remedy;
    } cases[] = {
        { "{\"nam\":\"a\"}",
          "Known here: name, title, password, port, sides, tls, targets, extra" },
        { "{\"name\":\"a\",\"sides\":\"dupex\"}", "Known here: simplex, duplex" },
        { "{\"name\":7}", "Put it in double quotes." },
        { "{\"name\":null}", "Leave it out to have its default." },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(Json) object = parsed(cases[i].text);
        Settings s;
        Err err = { 0 };

        assert_false(json_read_fields(object, settings_fields, &s, sizeof s, &err));
        assert_string_equal(err.remedy, cases[i].remedy);
    }
}

static const Field path_fields[] = {
    PATH(Settings, title, true, "Folder."),
    PATH_PRESET(Settings, name, "/run", "Another folder."),
    FIELDS_END,
};

static void paths_are_absolute(void **state)
{
    AUTO(Json) described = described_again(path_fields);
    AUTO(Json) good = parsed("{\"title\":\"/srv\",\"name\":\"\"}");
    AUTO(Json) bad = parsed("{\"title\":\"srv\"}");
    Settings s;
    Err err = { 0 };

    (void)state;
    assert_true(json_read_fields(good, path_fields, &s, sizeof s, &err));
    assert_true(json_check_described(good, described, &err));
    assert_false(json_read_fields(bad, path_fields, &s, sizeof s, &err));
    assert_string_equal(err.text, "title: must be an absolute path, not \"srv\"");
    assert_string_equal(err.remedy, "Give the path from the root, beginning with /.");
    err = (Err){ 0 };
    assert_false(json_check_described(bad, described, &err));
    assert_string_equal(err.text, "title: must be an absolute path, not \"srv\"");
    assert_string_equal(err.field, "title");
    check_written(json_schema_of_description(described),
                  "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"
                  "\"title\":{\"type\":\"string\",\"description\":\"Folder.\",\"minLength\":1,"
                  "\"maxLength\":31,\"pattern\":\"^/\"},"
                  "\"name\":{\"type\":\"string\",\"description\":\"Another folder.\","
                  "\"maxLength\":7,\"pattern\":\"^(/|$)\",\"default\":\"/run\"}},"
                  "\"required\":[\"title\"]}");
}

/* The longest texts that still fit, and a JSON text of exactly its array. */
static void sizes_are_exact(void **state)
{
    AUTO(Json)
    object = parsed("{\"name\":\"1234567\",\"extra\":{\"k\":\"1234567890123456789012\"}}");
    Settings s;
    Err err = { 0 };

    (void)state;
    assert_true(json_read_fields(object, settings_fields, &s, sizeof s, &err));
    assert_int_equal(strlen(s.extra), sizeof s.extra - 2);
    AUTO(Json) full = parsed("{\"name\":\"1\",\"extra\":{\"kk\":\"1234567890123456789012\"}}");
    assert_true(json_read_fields(full, settings_fields, &s, sizeof s, &err));
    assert_int_equal(strlen(s.extra), sizeof s.extra - 1);
}

static void needed_lists_are_missed(void **state)
{
    static const Field fields[] = {
        LIST(Settings, targets, target_count, target_fields, 1, "At least one."),
        FIELDS_END,
    };
    AUTO(Json) none = parsed("{}");
    AUTO(Json) empty = parsed("{\"targets\":[]}");
    Settings s;
    Err err = { 0 };

    (void)state;
    assert_false(json_read_fields(none, fields, &s, sizeof s, &err));
    assert_string_equal(err.text, "targets: is missing");
    assert_false(json_read_fields(empty, fields, &s, sizeof s, &err));
    assert_string_equal(err.text, "targets: has 0 items, must have 1 to 3");
}

static void broken_tables_are_refused(void **state)
{
    AUTO(Json) object = parsed("{\"name\":\"a\"}");
    Settings s = { .sides = 2 };
    Err err = { 0 };

    (void)state;
    assert_false(json_read_fields(object, settings_fields, &s, sizeof s - 32, &err));
    assert_int_equal(err.kind, ERR_BUG);
    s.sides = 2; /* no such choice, too many items, no JSON: nothing is shown for such a struct */
    assert_null(json_from_fields(settings_fields, &s, true));
    s = (Settings){ .target_count = 4 };
    assert_null(json_from_fields(settings_fields, &s, true));
    s = (Settings){ .extra = "{" };
    assert_null(json_from_fields(settings_fields, &s, true));
}

static void tables_are_described(void **state)
{
    (void)state;
    check_written(
        json_describe_fields(settings_fields),
        "[{\"name\":\"name\",\"type\":\"text\",\"required\":true,\"size\":7,"
        "\"help\":\"Short name.\"},"
        "{\"name\":\"title\",\"type\":\"text\",\"required\":false,\"size\":31,"
        "\"default\":\"no title\",\"help\":\"Long name.\"},"
        "{\"name\":\"password\",\"type\":\"secret\",\"required\":false,\"size\":15,"
        "\"help\":\"Password.\"},"
        "{\"name\":\"port\",\"type\":\"int\",\"required\":false,\"min\":1,\"max\":65535,"
        "\"default\":21,\"help\":\"TCP port.\"},"
        "{\"name\":\"sides\",\"type\":\"choice\",\"required\":false,"
        "\"choices\":[\"simplex\",\"duplex\"],\"default\":\"duplex\",\"help\":\"Sides of the "
        "sheet.\"},"
        "{\"name\":\"tls\",\"type\":\"bool\",\"required\":false,\"default\":true,"
        "\"help\":\"Whether TLS is used.\"},"
        "{\"name\":\"targets\",\"type\":\"list\",\"required\":false,\"min\":0,\"max\":3,\"items\":["
        "{\"name\":\"folder\",\"type\":\"text\",\"required\":true,\"size\":15,"
        "\"help\":\"Where to.\"},"
        "{\"name\":\"copies\",\"type\":\"int\",\"required\":false,\"min\":1,\"max\":9,"
        "\"default\":1,\"help\":\"How many.\"}],\"help\":\"Where it goes.\"},"
        "{\"name\":\"extra\",\"type\":\"json\",\"required\":false,\"size\":31,"
        "\"help\":\"Anything else.\"}]");
}

static void descriptions_become_schemas(void **state)
{
    AUTO(Json) described = described_again(settings_fields);
    AUTO(Json) unknown = parsed("[{\"name\":\"a\",\"type\":\"colour\"}]");
    AUTO(Json)
    needed = parsed("[{\"name\":\"a\",\"type\":\"list\",\"min\":1,\"max\":2,\"items\":"
                    "[{\"name\":\"b\",\"type\":\"colour\"}]}]");

    (void)state;
    check_written(
        json_schema_of_description(described),
        "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"
        "\"name\":{\"type\":\"string\",\"description\":\"Short name.\",\"minLength\":1,"
        "\"maxLength\":7},"
        "\"title\":{\"type\":\"string\",\"description\":\"Long name.\",\"maxLength\":31,"
        "\"default\":\"no title\"},"
        "\"password\":{\"type\":\"string\",\"description\":\"Password.\",\"maxLength\":15,"
        "\"writeOnly\":true},"
        "\"port\":{\"type\":\"integer\",\"description\":\"TCP port.\",\"minimum\":1,"
        "\"maximum\":65535,\"default\":21},"
        "\"sides\":{\"type\":\"string\",\"description\":\"Sides of the sheet.\","
        "\"enum\":[\"simplex\",\"duplex\"],\"default\":\"duplex\"},"
        "\"tls\":{\"type\":\"boolean\",\"description\":\"Whether TLS is used.\",\"default\":true},"
        "\"targets\":{\"type\":\"array\",\"description\":\"Where it goes.\",\"minItems\":0,"
        "\"maxItems\":3,\"items\":{\"type\":\"object\",\"additionalProperties\":false,"
        "\"properties\":{"
        "\"folder\":{\"type\":\"string\",\"description\":\"Where to.\",\"minLength\":1,"
        "\"maxLength\":15},"
        "\"copies\":{\"type\":\"integer\",\"description\":\"How many.\",\"minimum\":1,"
        "\"maximum\":9,\"default\":1}},\"required\":[\"folder\"]}},"
        "\"extra\":{\"type\":\"object\",\"description\":\"Anything else.\"}},"
        "\"required\":[\"name\"]}");
    assert_null(json_schema_of_description(unknown));
    assert_null(json_schema_of_description(needed));
}

static void described_objects_are_checked(void **state)
{
    static const char *const good[] = {
        "{\"name\":\"a\"}",
        "{\"name\":\"abcdefg\",\"port\":65535,\"sides\":\"simplex\",\"tls\":false,\"targets\":"
        "[{\"folder\":\"x\",\"copies\":9}],\"extra\":{\"k\":\"12345678901234567890123\"}}",
    };
    static const char *const broken[] = {
        "{}",
        "[7]",
        "[{\"type\":\"text\"}]",
        "[{\"name\":\"a\"}]",
        "[{\"name\":\"a\",\"type\":\"colour\"}]",
        "[{\"name\":\"a\",\"type\":\"text\",\"size\":-1}]",
        "[{\"name\":\"a\",\"type\":\"choice\",\"choices\":[1]},{\"name\":\"b\",\"type\":\"list\"}]",
    };
    AUTO(Json) described = described_again(settings_fields);
    Err err = { 0 };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        AUTO(Json) object = parsed(good[i]);

        if (!json_check_described(object, described, &err))
            fail_msg("%s", err.text);
    }
    assert_false(json_check_described(NULL, described, &err));
    assert_string_equal(err.text, "must be an object, not nothing");
    for (size_t i = 0; i < COUNT_OF(broken); i++) {
        AUTO(Json) object = parsed("{}");
        AUTO(Json) description = parsed(broken[i]);

        assert_false(json_check_described(object, description, &err));
        assert_int_equal(err.kind, ERR_BUG);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(absent_members_are_preset),
        cmocka_unit_test(structs_go_round),
        cmocka_unit_test(mistakes_name_the_field),
        cmocka_unit_test(remedies_help),
        cmocka_unit_test(paths_are_absolute),
        cmocka_unit_test(sizes_are_exact),
        cmocka_unit_test(needed_lists_are_missed),
        cmocka_unit_test(broken_tables_are_refused),
        cmocka_unit_test(tables_are_described),
        cmocka_unit_test(descriptions_become_schemas),
        cmocka_unit_test(described_objects_are_checked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
