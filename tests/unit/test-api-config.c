/* tests/unit/test-api-config.c - the configuration as one value: what a file changes, what it may not,
 * and that it is applied whole or not at all. */
#include "tests/unit/api-fixture.h"

#include "api/config.h"

static const char whole[] =
    "{\"destinations\":[{\"name\":\"Archive\",\"kind\":\"share\",\"settings\":"
    "{\"folder\":\"in\",\"password\":\"s3cret\"}}],"
    "\"jobs\":[{\"name\":\"Letters\",\"dpi\":200,\"destinations\":[{\"destination\":\"Archive\"}]}]"
    ","
    "\"job_groups\":[{\"name\":\"Office\",\"jobs\":[{\"job\":\"Letters\"}]}],"
    "\"devices\":[{\"address\":\"10.0.0.9\",\"name\":\"Hall\",\"job_group\":\"Office\"}]}";

#define PLAN  "/api/v1/config/plan"
#define APPLY "/api/v1/config/apply"

static const Json *changes(void)
{
    return json_get(answered, "changes");
}

/* The change of a noun's name in the last answer, NULL when there is none. */
static const Json *change_of(const char *noun, const char *name)
{
    for (size_t i = 0; i < json_count(changes()); i++)
        if (text_equal(json_get_text(json_item(changes(), i), "noun"), noun) &&
            text_equal(json_get_text(json_item(changes(), i), "name"), name))
            return json_item(changes(), i);
    return NULL;
}

static const Json *field_of(const Json *change, const char *field)
{
    const Json *fields = json_get(change, "fields");

    for (size_t i = 0; i < json_count(fields); i++)
        if (text_equal(json_get_text(json_item(fields, i), "field"), field))
            return json_item(fields, i);
    return NULL;
}

static size_t rows(const char *noun)
{
    char path[64];

    (void)text_printf(path, sizeof path, "/api/v1/%s", noun);
    assert_status(200, call("GET", path, NULL));
    return json_count(items());
}

static void a_file_makes_everything_and_then_nothing(void **state)
{
    (void)state;
    assert_status(200, call("POST", PLAN, whole));
    assert_int_equal(json_count(changes()), 4);
    assert_string_equal(json_get_text(change_of("job", "Letters"), "change"), "create");
    assert_null(strstr(answer.body, "s3cret"));
    assert_int_equal(rows("jobs"), 0); /* a plan changes nothing */

    assert_status(200, call("POST", APPLY, whole));
    assert_int_equal(json_count(changes()), 4);
    assert_int_equal(rows("jobs"), 1);
    assert_int_equal(rows("devices"), 1);
    assert_string_equal(json_get_text(json_item(items(), 0), "state"), "registered");
    assert_string_equal(json_get_text(json_item(items(), 0), "job_group_name"), "Office");

    assert_status(200, call("POST", APPLY, whole));
    assert_int_equal(json_count(changes()), 0);
}

static void an_export_is_a_file_that_changes_nothing(void **state)
{
    char *exported;

    (void)state;
    assert_status(200, call("POST", APPLY, whole));
    assert_status(200, call("GET", "/api/v1/config", NULL));
    assert_null(strstr(answer.body, "password"));
    exported = strdup(answer.body);
    assert_status(200, call("POST", "/api/v1/config/plan?delete=true", exported));
    assert_int_equal(json_count(changes()), 0);
    free(exported);
}

static void a_change_says_from_what_to_what(void **state)
{
    const Json *field;

    (void)state;
    assert_status(200, call("POST", APPLY, whole));
    assert_status(200, call("POST", PLAN,
                            "{\"jobs\":[{\"name\":\"Letters\",\"dpi\":300,\"destinations\":"
                            "[{\"destination\":\"Archive\"}]}]}"));
    assert_int_equal(json_count(changes()), 1);
    field = field_of(change_of("job", "Letters"), "dpi");
    assert_int_equal(json_get_int(field, "from", 0), 200);
    assert_int_equal(json_get_int(field, "to", 0), 300);
    assert_int_equal(json_count(json_get(change_of("job", "Letters"), "fields")), 1);
}

static void secrets_are_kept_or_changed_and_never_shown(void **state)
{
    (void)state;
    assert_status(200, call("POST", APPLY, whole));
    assert_status(200, call("POST", PLAN,
                            "{\"destinations\":[{\"name\":\"Archive\",\"kind\":\"share\","
                            "\"settings\":{\"folder\":\"in\",\"password\":\"other\"}}]}"));
    assert_null(strstr(answer.body, "other"));
    assert_string_equal(
        json_get_text(field_of(change_of("destination", "Archive"), "settings.password"), "to"),
        "(new secret)");
    assert_status(200, call("POST", APPLY,
                            "{\"destinations\":[{\"name\":\"Archive\",\"kind\":\"share\","
                            "\"settings\":{\"folder\":\"out\"}}]}"));
    assert_non_null(field_of(change_of("destination", "Archive"), "settings.folder"));
    assert_null(field_of(change_of("destination", "Archive"), "settings.password"));
    /* The old password is still there: naming it again is no change. */
    assert_status(200, call("POST", PLAN,
                            "{\"destinations\":[{\"name\":\"Archive\",\"kind\":\"share\","
                            "\"settings\":{\"folder\":\"out\",\"password\":\"s3cret\"}}]}"));
    assert_int_equal(json_count(changes()), 0);
}

static void what_is_not_listed_stays_or_goes(void **state)
{
    (void)state;
    assert_status(200, call("POST", APPLY, whole));
    assert_status(200, call("POST", APPLY, "{}"));
    assert_int_equal(json_count(changes()), 0);
    assert_status(200, call("POST", "/api/v1/config/plan?delete=true", "{}"));
    assert_int_equal(json_count(changes()), 4);
    assert_string_equal(json_get_text(json_item(changes(), 0), "change"), "delete");
    assert_status(200, call("POST", "/api/v1/config/apply?delete=true", "{}"));
    assert_int_equal(rows("jobs") + rows("job-groups") + rows("destinations") + rows("devices"), 0);
    assert_status(400, call("POST", "/api/v1/config/apply?delete=yes", "{}"));
}

static void a_device_that_was_only_seen_is_no_configuration(void **state)
{
    Device device;

    (void)state;
    assert_write(fx, device_sighted(tx, "10.0.0.3", "PID 11D1", &device, &fx->err));
    assert_status(200, call("GET", "/api/v1/config", NULL));
    assert_int_equal(json_count(json_get(answered, "devices")), 0);
    assert_status(200, call("POST", "/api/v1/config/apply?delete=true", "{}"));
    assert_int_equal(rows("devices"), 1);
}

static void devices_are_found_by_serial_and_revoked(void **state)
{
    Device device;

    (void)state;
    assert_write(fx, device_sighted(tx, "10.0.0.3", "PID 11D1", &device, &fx->err) &&
                         device_identified(tx, &device.id, "ES-1", "X42", "1.0", &fx->err));
    assert_status(200, call("POST", APPLY, "{\"devices\":[{\"serial\":\"X42\"}]}"));
    assert_string_equal(json_get_text(json_item(changes(), 0), "change"), "change");
    assert_int_equal(rows("devices"), 1);
    assert_string_equal(json_get_text(json_item(items(), 0), "state"), "registered");
    assert_status(200,
                  call("POST", APPLY, "{\"devices\":[{\"serial\":\"X42\",\"approved\":false}]}"));
    assert_int_equal(rows("devices"), 1);
    assert_string_equal(json_get_text(json_item(items(), 0), "state"), "seen");
    assert_status(400, call("POST", APPLY, "{\"devices\":[{\"serial\":\"X43\"}]}"));
    assert_string_equal(said("field"), "devices[0].address");
}

/* A device that was approved at a second address is two rows with one serial number. */
static void of_two_with_one_serial_the_address_decides(void **state)
{
    Device one, two;

    (void)state;
    assert_write(fx, device_sighted(tx, "10.0.0.3", "PID 11D1", &one, &fx->err) &&
                         device_identified(tx, &one.id, "ES-1", "X42", "1.0", &fx->err) &&
                         device_sighted(tx, "10.0.0.4", "PID 11D1", &two, &fx->err) &&
                         device_identified(tx, &two.id, "ES-1", "X42", "1.0", &fx->err));
    assert_status(400, call("POST", APPLY, "{\"devices\":[{\"serial\":\"X42\"}]}"));
    assert_string_equal(said("field"), "devices[0].serial");
    assert_status(
        200, call("POST", APPLY, "{\"devices\":[{\"serial\":\"X42\",\"address\":\"10.0.0.4\"}]}"));
    for (size_t i = 0; i < 2 && rows("devices") == 2; i++)
        assert_string_equal(json_get_text(json_item(items(), i), "state"),
                            text_equal(json_get_text(json_item(items(), i), "id"), two.id.text)
                                ? "registered"
                                : "seen");
}

/* What is wrong, and the field that is named. */
static const struct {
    const char *file, *field;
} wrong_files[] = {
    { "{\"job\":[]}", "job" },
    { "{\"jobs\":{}}", "jobs" },
    { "{\"jobs\":[{}]}", "jobs[0].name" },
    { "{\"jobs\":[{\"name\":\"a\",\"dpii\":1}]}", "jobs[0].dpii" },
    { "{\"jobs\":[{\"name\":\"a\",\"destinations\":[{\"destination\":\"Nowhere\"}]}]}",
      "jobs[0].destinations[0].destination" },
    { "{\"job_groups\":[{\"name\":\"g\"},{\"name\":\"g\"}]}", "job_groups[1]" },
    { "{\"destinations\":[{\"name\":\"d\",\"kind\":\"pigeon\"}]}", "destinations[0].kind" },
    { "{\"destinations\":[{\"name\":\"d\",\"kind\":\"share\",\"settings\":{}}]}",
      "destinations[0].settings.folder" },
    { "{\"devices\":[{\"address\":\"1.2.3.4\",\"job_group\":\"none\"}]}", "devices[0].job_group" },
    { "{\"devices\":[{\"address\":\"1.2.3.4\"},{\"address\":\"1.2.3.4\"}]}", "devices[1]" },
};

static void wrong_files_are_refused_with_the_place(void **state)
{
    (void)state;
    assert_status(200, call("POST", APPLY, whole));
    for (size_t i = 0; i < COUNT_OF(wrong_files); i++) {
        assert_status(400, call("POST", PLAN, wrong_files[i].file));
        assert_string_equal(said("field"), wrong_files[i].field);
        assert_status(400, call("POST", APPLY, wrong_files[i].file));
    }
}

static void references_go_only_to_what_will_be_there(void **state)
{
    (void)state;
    assert_status(200, call("POST", APPLY, whole));
    assert_status(200, call("POST", PLAN,
                            "{\"jobs\":[{\"name\":\"New\",\"destinations\":"
                            "[{\"destination\":\"Archive\"}]}]}"));
    assert_status(400, call("POST", "/api/v1/config/plan?delete=true",
                            "{\"jobs\":[{\"name\":\"New\",\"destinations\":"
                            "[{\"destination\":\"Archive\"}]}]}"));
    assert_string_equal(said("field"), "jobs[0].destinations[0].destination");
}

static void nothing_is_applied_when_one_thing_fails(void **state)
{
    World world;

    (void)state;
    world_make(fx, &world);
    (void)world_delivering(fx, &world, 1); /* its destination cannot go */
    assert_status(409, call("POST", "/api/v1/config/apply?delete=true",
                            "{\"destinations\":[{\"name\":\"New\",\"kind\":\"share\","
                            "\"settings\":{\"folder\":\"x\"}}]}"));
    assert_non_null(strstr(said("detail"), "Archive"));
    assert_int_equal(rows("destinations"), 1);
    assert_int_equal(rows("jobs"), 1);
}

static void the_setting_about_mails_goes_by_name(void **state)
{
    const StoredDestination mail = {
        .id = id_new(DestinationId, wall_now()),
        .destination = { .name = "Mail", .kind = "email", .settings = "{}" },
    };
    static const char file[] =
        "{\"notification\":{\"over\":\"Mail\",\"to\":\"a@example.org\",\"digest_minutes\":0}}";

    (void)state;
    assert_write(fx, destination_insert(tx, &test_actor, &mail, &fx->err));
    assert_status(200, call("POST", PLAN, file));
    assert_int_equal(json_count(changes()), 1);
    assert_string_equal(json_get_text(json_item(changes(), 0), "noun"), "notification");
    assert_status(200, call("POST", APPLY, file));
    assert_status(200, call("POST", PLAN, file));
    assert_int_equal(json_count(changes()), 0);
    assert_status(200, call("GET", "/api/v1/config", NULL));
    const Json *setting = json_get(answered, "notification");
    assert_string_equal(json_get_text(setting, "over"), "Mail");
    assert_int_equal(json_get_int(setting, "digest_minutes", 9), 0);
    assert_status(200, call("POST", PLAN, "{}"));
    assert_int_equal(json_count(changes()), 0);
    assert_status(200, call("POST", "/api/v1/config/apply?delete=true",
                            "{\"destinations\":[]}")); /* it is switched off with the rest */
    assert_int_equal(json_count(changes()), 2);
    assert_status(200, call("GET", "/api/v1/notification", NULL));
    assert_string_equal(said("over"), "");
    assert_status(400, call("POST", PLAN, "{\"notification\":[]}"));
    assert_string_equal(said("field"), "notification");
    assert_status(400, call("POST", PLAN, "{\"notification\":{\"over\":\"None\"}}"));
    assert_string_equal(said("field"), "notification.over");
    assert_status(400, call("POST", PLAN, "{\"notification\":{\"when\":\"often\"}}"));
    assert_string_equal(said("field"), "notification.when");
}

static void differences_are_found_at_every_depth(void **state)
{
    Err err;
    AUTO(Json)
    before = json_parse(bytes_of_text("{\"a\":1,\"b\":{\"x\":1,\"y\":[1]},\"gone\":true}"), &err);
    AUTO(Json)
    after = json_parse(bytes_of_text("{\"b\":{\"y\":[1,2],\"x\":1},\"a\":1,\"new\":null}"), &err);
    AUTO(Json) diffs = json_new_array();
    AUTO_BUF text = buf_with_max(1024);

    (void)state;
    config_diff(before, after, "", diffs);
    assert_true(json_write(diffs, &text));
    assert_string_equal(buf_text(&text), "[{\"field\":\"b.y\",\"from\":[1],\"to\":[1,2]},"
                                         "{\"field\":\"new\",\"to\":null},"
                                         "{\"field\":\"gone\",\"from\":true}]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        API_TEST(a_file_makes_everything_and_then_nothing),
        API_TEST(an_export_is_a_file_that_changes_nothing),
        API_TEST(a_change_says_from_what_to_what),
        API_TEST(secrets_are_kept_or_changed_and_never_shown),
        API_TEST(what_is_not_listed_stays_or_goes),
        API_TEST(a_device_that_was_only_seen_is_no_configuration),
        API_TEST(devices_are_found_by_serial_and_revoked),
        API_TEST(of_two_with_one_serial_the_address_decides),
        API_TEST(wrong_files_are_refused_with_the_place),
        API_TEST(references_go_only_to_what_will_be_there),
        API_TEST(nothing_is_applied_when_one_thing_fails),
        API_TEST(the_setting_about_mails_goes_by_name),
        cmocka_unit_test(differences_are_found_at_every_depth),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
