/* tests/unit/test-json-memory.c - every allocation of src/json fails once, and then all after it.
 *
 * Each scenario is run until it no longer meets the failing allocation. A failed one must say so:
 * no crash, no leak (AddressSanitizer looks), no value that is silently incomplete. jansson asks
 * src/json for its memory, so its allocations are refused too. Those within libyaml itself are not:
 * a shared library is not reached by the linker's --wrap. */
#include "base/bytes.h"
#include "base/field.h"
#include "base/limits.h"
#include "tests/unit/cm.h"
#include "json/json.h"
#include "json/lines.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

enum { ALLOCATIONS_MAX = 10000 };

static size_t allocations, failing_from, failing_to; /* counted from 1; 0: none fails */

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);

static bool is_refused(void)
{
    allocations++;
    return allocations >= failing_from && allocations <= failing_to;
}

void *__wrap_malloc(size_t size)
{
    return is_refused() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return is_refused() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size)
{
    return is_refused() ? NULL : __real_realloc(p, size);
}

typedef struct Settings {
    char name[16];
    int64_t sides;
    struct {
        char folder[16];
    } targets[2];
    size_t target_count;
    char extra[64];
} Settings;

typedef struct Target {
    char folder[16];
} Target;

static const char *const sides_words[] = { "simplex", "duplex", NULL };
static const Field target_fields[] = { TEXT(Target, folder, true, "Where."), FIELDS_END };
static const Field settings_fields[] = {
    TEXT(Settings, name, true, "Name."),
    CHOICE(Settings, sides, sides_words, 0, "Sides."),
    LIST(Settings, targets, target_count, target_fields, 0, "Targets."),
    JSON_OBJECT(Settings, extra, "More."),
    FIELDS_END,
};

static const char whole[] = "{\"name\":\"a\\u00e4\",\"sides\":\"duplex\",\"targets\":[{\"folder\":"
                            "\"x\"},{\"folder\":\"y\"}],"
                            "\"extra\":{\"k\":[1,1.5,true,null,123456789012345678]}}";

/* --- scenarios: true when the work was done and its result is right ---------------------------- */

/* A failure for want of memory, told as such. */
static bool refused(const Err *err)
{
    assert_int_equal(err->kind, ERR_TEMPORARY);
    assert_int_equal(err->code, ENOMEM);
    return false;
}

static bool written_right(const Json *value, const char *expected)
{
    AUTO_BUF out = buf_with_max(8192);

    if (!json_write(value, &out) || !buf_put_u8(&out, '\0'))
        return false;
    assert_string_equal((const char *)out.p, expected);
    return true;
}

static bool parse_json(void)
{
    Err err = { 0 };
    AUTO(Json) value = json_parse(bytes_of_text(whole), &err);

    return value ? json_count(value) == 4 : refused(&err);
}

static bool parse_yaml(void)
{
    static const char yaml[] = "a: [1, true, ~, text]\nb: {c: \"d\", e: 1.5}\n";
    Err err = { 0 };
    AUTO(Json) value = json_parse_yaml(bytes_of_text(yaml), &err);

    if (!value)
        return refused(&err);
    return written_right(value, "{\"a\":[1,true,null,\"text\"],\"b\":{\"c\":\"d\",\"e\":1.5}}");
}

static bool build_and_copy(void)
{
    AUTO(Json) object = json_new_object();
    Json *list = json_new_array();
    AUTO_BUF yaml = buf_with_max(4096);
    AUTO_BUF pretty = buf_with_max(4096);

    for (int64_t i = 0; i < 6; i++)
        json_add_int(list, i);
    json_add_text(list, "bad \xff byte");
    json_add_take(list, json_new_object());
    json_set_text(object, "t", "x");
    json_set_text(object, "t", "y");
    json_set_bool(object, "b", true);
    json_set_null(object, "n");
    json_set_int(object, "i", 1);
    json_set_take(object, "list", list);
    AUTO(Json) copy = json_clone(object);
    return written_right(copy, "{\"t\":\"y\",\"b\":true,\"n\":null,\"i\":1,\"list\":"
                               "[0,1,2,3,4,5,\"bad \xef\xbf\xbd byte\",{}]}") &&
           json_write_yaml(copy, &yaml) && json_write_pretty(copy, &pretty);
}

static bool read_and_show_fields(void)
{
    Err err = { 0 };
    Settings s;
    AUTO(Json) object = json_parse(bytes_of_text(whole), &err);

    if (!object || !json_read_fields(object, settings_fields, &s, sizeof s, &err))
        return refused(&err);
    AUTO(Json) shown = json_from_fields(settings_fields, &s, true);
    return written_right(shown, "{\"name\":\"a\xc3\xa4\",\"sides\":\"duplex\",\"targets\":"
                                "[{\"folder\":\"x\"},{\"folder\":\"y\"}],"
                                "\"extra\":{\"k\":[1,1.5,true,null,123456789012345678]}}");
}

static bool describe_and_check(void)
{
    Err err = { 0 };
    AUTO(Json) object = json_parse(bytes_of_text(whole), &err);
    AUTO(Json) description = json_describe_fields(settings_fields);
    AUTO(Json) schema = json_schema_of_description(description);
    AUTO_BUF out = buf_with_max(8192);

    if (!object || !description || !schema || !json_write(description, &out) ||
        !json_write(schema, &out))
        return false;
    return json_check_described(object, description, &err) || refused(&err);
}

static bool pass_lines(void)
{
    int ends[2];
    Err err = { 0 };
    Json *taken = NULL;

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    AUTO_FD from = ends[0];
    AUTO_FD to = ends[1];
    JsonLines reader = json_lines_over(to);
    AUTO(Json) message = json_new_object();
    json_set_text(message, "t", "x");
    bool good = json_line_send(from, message, &err) &&
                (json_lines_next(&reader, 0, &taken, &err) || refused(&err));
    good = good && written_right(taken, "{\"t\":\"x\"}");
    json_free(taken);
    json_lines_done(&reader);
    return good;
}

/* --- the loop ---------------------------------------------------------------------------------- */

/* Runs the scenario with its i-th allocation refused, for every i; many: and all later ones. */
static void refuse_each(bool (*scenario)(void), bool many)
{
    failing_from = failing_to = 0;
    assert_true(scenario());
    for (size_t i = 1; i < ALLOCATIONS_MAX; i++) {
        allocations = 0;
        failing_from = i;
        failing_to = many ? SIZE_MAX : i;
        bool good = scenario();
        size_t met = allocations;
        failing_from = failing_to = 0;
        if (met < i) {
            assert_true(good);
            return;
        }
        assert_false(good); /* no scenario has an allocation it could do without */
    }
    fail_msg("the scenario never ends");
}

#define MEMORY_TEST(scenario)                     \
    static void scenario##_bears_it(void **state) \
    {                                             \
        (void)state;                              \
        refuse_each(scenario, false);             \
        refuse_each(scenario, true);              \
    }                                             \
    static void scenario##_bears_it(void **state)

MEMORY_TEST(parse_json);
MEMORY_TEST(parse_yaml);
MEMORY_TEST(build_and_copy);
MEMORY_TEST(read_and_show_fields);
MEMORY_TEST(describe_and_check);
MEMORY_TEST(pass_lines);

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parse_json_bears_it),
        cmocka_unit_test(parse_yaml_bears_it),
        cmocka_unit_test(build_and_copy_bears_it),
        cmocka_unit_test(read_and_show_fields_bears_it),
        cmocka_unit_test(describe_and_check_bears_it),
        cmocka_unit_test(pass_lines_bears_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
