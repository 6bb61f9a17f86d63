/* tests/unit/api-notifications.h - the part of test-api.c about mails that tell people: its routes count with the
 * others of that program. */
#ifndef PLATEN_TESTS_UNIT_API_NOTIFICATIONS_H
#define PLATEN_TESTS_UNIT_API_NOTIFICATIONS_H

#include "tests/unit/api-fixture.h"

/* A destination that mails go over; the kinds of the fixture have none. */
static inline void make_mail_destination(void)
{
    const StoredDestination mail = {
        .id = id_new(DestinationId, wall_now()),
        .destination = { .name = "Mail", .kind = "email", .settings = "{}" },
    };

    assert_write(fx, destination_insert(tx, &test_actor, &mail, &fx->err));
}

/* Test: the setting, its ETag, what is refused, a mail by hand. */
static inline void who_is_told_can_be_read_changed_and_tried(void **state)
{
    static const char wanted[] = "{\"over\":\"Mail\",\"to\":\"a@example.org\"}";
    char etag[64];

    (void)state;
    make_nouns();
    make_mail_destination();
    assert_status(200, call("GET", "/api/v1/notification", NULL));
    assert_string_equal(said("when"), "error");
    assert_int_equal(json_get_int(answered, "digest_minutes", 0), 15);
    assert_int_equal(json_get_int(answered, "limit_per_hour", 0), 12);
    (void)text_printf(etag, sizeof etag, "If-Match: %s\r\n", header_of(&answer, "ETag"));
    assert_status(200, call_with("PUT", "/api/v1/notification", etag, wanted));
    assert_string_equal(said("over_name"), "Mail");
    assert_true(id_text_is_valid(said("over")));
    assert_status(412, call_with("PUT", "/api/v1/notification", etag, wanted));
    assert_status(400, call("PUT", "/api/v1/notification", "{\"over\":\"Archive\"}"));
    assert_string_equal(said("field"), "over");
    assert_status(400, call("PUT", "/api/v1/notification", "{\"over\":\"Nobody\"}"));
    assert_status(400, call("PUT", "/api/v1/notification", "{\"to\":\"{job}@example.org\"}"));
    assert_string_equal(said("field"), "to");
    assert_status(200, call("POST", "/api/v1/notification/test", NULL));
    assert_true(json_get_bool(answered, "ok", false));
    twin.refuse = true;
    assert_status(409, call("POST", "/api/v1/notification/test", NULL));
}

/* Test: the list, and what health says. */
static inline void what_is_told_is_listed(void **state)
{
    static const Reason jam = { "paper-jam", "The paper is jammed.", "Open the cover." };
    World world;

    (void)state;
    make_mail_destination();
    assert_status(
        200, call("PUT", "/api/v1/notification", "{\"over\":\"Mail\",\"to\":\"a@example.org\"}"));
    world_make(fx, &world);
    Batch batch = world_batch(&world);
    assert_write(fx, batch_insert(tx, &batch, &fx->err) &&
                         batch_apply(tx, &batch.id, BATCH_EVENT_BREAK, &jam, &fx->err));
    assert_status(200, call("GET", "/api/v1/notifications?state=waiting&limit=1", NULL));
    const Json *one = json_item(items(), 0);
    assert_string_equal(json_get_text(one, "kind"), "broken");
    assert_string_equal(json_get_text(one, "batch"), batch.id.text);
    assert_non_null(strstr(json_get_text(one, "text"), "Open the cover."));
    assert_string_equal(said("next"), json_get_text(one, "id"));
    assert_status(400, call("GET", "/api/v1/notifications?state=lost", NULL));
    assert_status(400, call("GET", "/api/v1/notifications?before=x", NULL));
    api_tick(api);
    assert_write(fx, true);
    assert_status(200, call("GET", "/health", NULL));
    assert_non_null(strstr(answer.body, "1 events wait"));
    DestinationId mail;
    assert_status(200, call("GET", "/api/v1/notification", NULL));
    assert_true(id_parse(said("over"), &mail));
    assert_write(fx, destination_delete(tx, &test_actor, &mail, 0, &fx->err));
    api_tick(api);
    assert_write(fx, true);
    assert_status(503, call("GET", "/health", NULL));
    assert_non_null(strstr(answer.body, "platen notification set"));
}

#endif
