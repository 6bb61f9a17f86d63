/* tests/unit/test-api.c - the API as programs see it: every route, who may use it, what it refuses. */
#include "tests/unit/api-devices.h"
#include "tests/unit/api-doctor.h"
#include "tests/unit/api-fixture.h"
#include "tests/unit/api-health.h"
#include "tests/unit/api-notifications.h"
#include "tests/unit/api-scans.h"
#include "tests/unit/api-traces.h"

#include "base/sha256.h"
#include "store/db.h"

/* --- jobs, job groups, destinations --------------------------------------------------------------------- */

static void nouns_are_made_listed_changed_and_removed(void **state)
{
    char body[512];

    (void)state;
    make_nouns();
    assert_true(twin.wakes >= 3);
    assert_status(200, call("GET", "/api/v1/jobs", NULL));
    assert_int_equal(json_count(items()), 1);
    assert_string_equal(json_get_text(json_item(items(), 0), "name"), "Letters");
    assert_status(200, call("GET", "/api/v1/job-groups", NULL));
    assert_int_equal(json_count(items()), 1);

    assert_status(200, call("GET", at("jobs", job_id, ""), NULL));
    assert_string_equal(header_of(&answer, "ETag"), "\"1\"");
    assert_int_equal(json_get_int(answered, "dpi", 0), 200);
    assert_string_equal(said("file_format"), "pdf");

    /* What GET answered may be sent back: id and revision mean nothing. */
    (void)text_printf(body, sizeof body,
                      "{\"id\":\"%s\",\"revision\":1,\"name\":\"Letters\",\"dpi\":600,"
                      "\"destinations\":[{\"destination\":\"%s\"}]}",
                      job_id, destination_id);
    assert_status(200, call_with("PUT", at("jobs", job_id, ""), "If-Match: \"1\"\r\n", body));
    assert_string_equal(header_of(&answer, "ETag"), "\"2\"");
    assert_int_equal(json_get_int(answered, "dpi", 0), 600);
    assert_status(412, call_with("PUT", at("jobs", job_id, ""), "If-Match: \"1\"\r\n", body));
    assert_true(said("remedy")[0]);
    assert_status(400, call_with("PUT", at("jobs", job_id, ""), "If-Match: abc\r\n", body));
    assert_status(412, call_with("DELETE", at("jobs", job_id, ""), "If-Match: \"1\"\r\n", NULL));

    assert_status(200, call("GET", at("job-groups", group_id, ""), NULL));
    (void)text_printf(body, sizeof body, "{\"name\":\"Desk\",\"jobs\":[{\"job\":\"%s\"}]}", job_id);
    assert_status(200, call("PUT", at("job-groups", group_id, ""), body));
    assert_status(409, call("DELETE", at("jobs", job_id, ""), NULL)); /* its group has it */
    assert_status(409, call("DELETE", at("destinations", destination_id, ""), NULL));
    assert_status(204, call("DELETE", at("job-groups", group_id, ""), NULL));
    assert_status(204, call("DELETE", at("jobs", job_id, ""), NULL));
    assert_status(204, call("DELETE", at("destinations", destination_id, ""), NULL));
    assert_status(404, call("GET", at("jobs", job_id, ""), NULL));
    assert_status(404, call("GET", "/api/v1/jobs/nonsense", NULL));
}

static void a_created_noun_says_where_it_is(void **state)
{
    (void)state;
    make_nouns();
    assert_string_equal(header_of(&answer, "Location"), at("job-groups", group_id, ""));
    assert_string_equal(header_of(&answer, "ETag"), "\"1\"");
}

static void wrong_nouns_are_refused_with_the_field(void **state)
{
    (void)state;
    make_nouns();
    assert_status(400, call("POST", "/api/v1/jobs", "{\"name\":\"x\",\"dpii\":300}"));
    assert_non_null(strstr(answer.body, "dpi"));
    assert_status(400, call("POST", "/api/v1/jobs", "{\"name\":\"x\",\"dpi\":9999}"));
    assert_string_equal(said("field"), "dpi");
    assert_status(400, call("POST", "/api/v1/jobs",
                            "{\"name\":\"x\",\"destinations\":[{\"destination\":"
                            "\"01aaaaaaaaaaaaaaaaaaaaaaaa\"}]}"));
    assert_string_equal(said("field"), "destinations[0].destination");
    assert_status(
        409, call("POST", "/api/v1/destinations",
                  "{\"name\":\"Archive\",\"kind\":\"share\",\"settings\":{\"folder\":\"x\"}}"));
    assert_status(400, call("POST", "/api/v1/jobs", "[]"));
    assert_status(400, call("POST", "/api/v1/jobs", "{"));
}

static void a_job_says_what_the_kind_lets_it_say(void **state)
{
    static const struct {
        const char *options, *field;
    } wrong[] = {
        { "{\"foldr\":\"x\"}", "destinations[0].options.foldr" },
        { "{\"copies\":10}", "destinations[0].options.copies" },
        { "{\"folder\":\"/x\"}", "destinations[0].options.folder" },
        { "{\"folder\":\"a/../b\"}", "destinations[0].options.folder" },
        { "{\"folder\":\"a//b\"}", "destinations[0].options.folder" },
        { "{\"folder\":\"{seq:3}\"}", "destinations[0].options.folder" },
        { "{\"folder\":\"{dat}\"}", "destinations[0].options.folder" },
        { "{\"subject\":\"{dat}\"}", "destinations[0].options.subject" },
        { "{\"subject\":\"{seq:3}\"}", "destinations[0].options.subject" },
        { "{\"to\":\"anna\"}", "destinations[0].options.to" },
        { "{\"to\":\"a@b, {seq:3}@c\"}", "destinations[0].options.to" },
        { "[]", "destinations[0].options" },
    };
    char body[256];

    (void)state;
    make_nouns();
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        (void)text_printf(body, sizeof body,
                          "{\"name\":\"Letters\",\"destinations\":"
                          "[{\"destination\":\"%s\",\"options\":%s}]}",
                          destination_id, wrong[i].options);
        assert_status(400, call("PUT", at("jobs", job_id, ""), body));
        assert_string_equal(said("field"), wrong[i].field);
    }
    (void)text_printf(body, sizeof body,
                      "{\"name\":\"Letters\",\"destinations\":[{\"destination\":\"%s\",\"options\":"
                      "{\"folder\":\"{date:%%Y}/{job}\",\"subject\":\"Scan of {date}: "
                      "a/b\",\"to\":\"A <a@b>, {job}@c\"}}]}",
                      destination_id);
    assert_status(200, call("PUT", at("jobs", job_id, ""), body));
    assert_status(200, call("GET", at("jobs", job_id, ""), NULL));
    assert_non_null(strstr(answer.body, "{date:%Y}/{job}"));
}

static void settings_follow_the_description_of_the_kind(void **state)
{
    (void)state;
    assert_status(400, call("POST", "/api/v1/destinations",
                            "{\"name\":\"x\",\"kind\":\"shar\",\"settings\":{\"folder\":\"x\"}}"));
    assert_string_equal(said("field"), "kind");
    assert_non_null(strstr(said("remedy"), "share"));
    assert_status(400, call("POST", "/api/v1/destinations",
                            "{\"name\":\"x\",\"kind\":\"share\",\"settings\":{}}"));
    assert_string_equal(said("field"), "settings.folder");
    assert_status(400, call("POST", "/api/v1/destinations",
                            "{\"name\":\"x\",\"kind\":\"share\",\"settings\":"
                            "{\"folder\":\"x\",\"retries\":99}}"));
    assert_string_equal(said("field"), "settings.retries");
    assert_status(200, call("GET", "/api/v1/destination-kinds", NULL));
    assert_int_equal(json_count(items()), 2);
    assert_string_equal(json_get_text(json_item(items(), 0), "kind"), "share");
}

static const char *stored_password(void)
{
    static char password[64];
    StoredDestination stored;
    DestinationId id;

    assert_true(id_parse(destination_id, &id));
    assert_read(fx, destination_get(fixture_db(fx), &id, &stored, &fx->err));
    assert_null(strstr(stored.destination.settings, "s3cret"));
    AUTO(Json) sealed = json_parse(bytes_of_text(stored.destination.settings), &fx->err);
    AUTO(Json) settings = settings_opened(sealer, destination_id, sealed, &fx->err);
    assert_non_null(settings);
    (void)text_copy(password, sizeof password, json_get_text(settings, "password"));
    return password;
}

static void secrets_come_in_and_never_go_out(void **state)
{
    (void)state;
    make_nouns();
    assert_string_equal(stored_password(), "s3cret");
    assert_status(200, call("GET", "/api/v1/destinations", NULL));
    assert_null(strstr(answer.body, "s3cret"));
    assert_status(200, call("GET", at("destinations", destination_id, ""), NULL));
    assert_null(strstr(answer.body, "password"));
    assert_status(
        200, call("PUT", at("destinations", destination_id, ""),
                  "{\"name\":\"Archive\",\"kind\":\"share\",\"settings\":{\"folder\":\"b\"}}"));
    assert_null(strstr(answer.body, "password"));
    assert_string_equal(stored_password(), "s3cret");
    assert_status(200, call("PUT", at("destinations", destination_id, ""),
                            "{\"name\":\"Archive\",\"kind\":\"share\",\"settings\":"
                            "{\"folder\":\"b\",\"password\":\"new\"}}"));
    assert_string_equal(stored_password(), "new");
    /* What the job says for it is checked by its kind; another kind must not inherit secrets. */
    assert_status(
        409, call("PUT", at("destinations", destination_id, ""),
                  "{\"name\":\"Archive\",\"kind\":\"folder\",\"settings\":{\"folder\":\"b\"}}"));
    assert_string_equal(said("field"), "kind");
    assert_status(204, call("DELETE", at("job-groups", group_id, ""), NULL));
    assert_status(204, call("DELETE", at("jobs", job_id, ""), NULL));
    assert_status(
        200, call("PUT", at("destinations", destination_id, ""),
                  "{\"name\":\"Archive\",\"kind\":\"folder\",\"settings\":{\"folder\":\"b\"}}"));
    assert_string_equal(stored_password(), "");
}

/* The key is gone: secrets are entered again, and what does not touch them still works. */
static void a_secret_that_cannot_be_opened_is_replaced(void **state)
{
    StoredDestination stored;
    DestinationId id;

    (void)state;
    make_nouns();
    assert_true(id_parse(destination_id, &id));
    assert_read(fx, destination_get(fixture_db(fx), &id, &stored, &fx->err));
    AUTO(Json) settings = json_parse(bytes_of_text(stored.destination.settings), &fx->err);
    AUTO(Json) opened = settings_opened(sealer, job_id, settings, &fx->err);
    assert_null(opened); /* sealed for another row */
    assert_non_null(strstr(fx->err.text, "password"));
    AUTO_FD folder = file_open_folder(AT_FDCWD, fx->folder, &fx->err);
    api_stop();
    assert_true(file_remove(folder, "master.key", &fx->err));
    api_start();
    assert_status(200, call("PUT", at("destinations", destination_id, ""),
                            "{\"name\":\"Other name\",\"kind\":\"share\",\"settings\":"
                            "{\"folder\":\"c\"}}"));
    assert_status(200, call("PUT", at("destinations", destination_id, ""),
                            "{\"name\":\"Other name\",\"kind\":\"share\",\"settings\":"
                            "{\"folder\":\"c\",\"password\":\"anew\"}}"));
    assert_string_equal(stored_password(), "anew");
}

/* --- devices --------------------------------------------------------------------------------------------- */

static void devices_are_approved_named_and_forgotten(void **state)
{
    char body[128];
    Device device;

    (void)state;
    make_nouns();
    assert_write(fx, device_sighted(tx, "10.0.0.9", "PID 11D1", &device, &fx->err));
    assert_status(200, call("GET", "/api/v1/devices", NULL));
    assert_int_equal(json_count(items()), 1);
    assert_string_equal(json_get_text(json_item(items(), 0), "state"), "seen");
    assert_status(200, call("POST", at("devices", device.id.text, "/approve"), NULL));
    assert_string_equal(said("state"), "registered");
    assert_status(409, call("POST", at("devices", device.id.text, "/approve"), NULL));
    (void)text_printf(body, sizeof body, "{\"job_group\":\"%s\"}", group_id);
    assert_status(200, call("PATCH", at("devices", device.id.text, ""), body));
    assert_string_equal(said("job_group_name"), "Office");
    assert_status(200, call("PATCH", at("devices", device.id.text, ""), "{\"name\":\"Hall\"}"));
    assert_string_equal(said("name"), "Hall");
    assert_string_equal(said("job_group"), group_id); /* was left out and stays */
    assert_status(400, call("PATCH", at("devices", device.id.text, ""), "{\"nam\":\"Hall\"}"));
    assert_status(412, call_with("PATCH", at("devices", device.id.text, ""), "If-Match: \"1\"\r\n",
                                 "{\"name\":\"Hall\"}"));
    assert_status(200, call("GET", at("devices", device.id.text, ""), NULL));
    assert_true(header_of(&answer, "ETag")[0] == '"');
    assert_string_equal(said("address"), "10.0.0.9");
    assert_write(fx, device_certified(tx, &device.id, "ab12", &fx->err));
    assert_status(200, call("GET", at("devices", device.id.text, ""), NULL));
    assert_string_equal(said("certificate"), "ab12");
    assert_status(200, call("POST", at("devices", device.id.text, "/trust"), NULL));
    assert_string_equal(said("certificate"), "next");
    assert_status(200, call("POST", at("devices", device.id.text, "/revoke"), NULL));
    assert_string_equal(said("state"), "seen");
    assert_status(204, call("DELETE", at("devices", device.id.text, ""), NULL));
    assert_status(404, call("GET", at("devices", device.id.text, ""), NULL));
}

/* --- batches --------------------------------------------------------------------------------------------- */

static void put_file(const char *folder, const char *name, const char *content)
{
    char path[256];
    Err err;

    (void)text_printf(path, sizeof path, "%s/%s", spool_folder, folder);
    AUTO_FD dir = file_make_folders(path, &err);
    assert_true(dir >= 0);
    assert_true(file_replace(dir, name, bytes_of_text(content), 0640, &err));
}

static void a_batch_is_shown_with_its_parts(void **state)
{
    World world;
    Batch batch;

    (void)state;
    world_make(fx, &world);
    batch = world_delivering(fx, &world, 2);
    assert_status(200, call("GET", at("batches", batch.id.text, ""), NULL));
    assert_string_equal(said("state"), "delivering");
    assert_string_equal(said("job_name"), "Letters");
    assert_string_equal(said("started_at"), "2026-11-18T12:06:40.000+01:00");
    assert_int_equal(json_get_int(json_get(answered, "deliveries"), "ready", 0), 3);
    assert_int_equal(json_get_int(json_get(answered, "job"), "dpi", 0), 300);
    assert_int_equal(json_get_int(answered, "pages", 0), 2);

    assert_status(200, call("GET", at("batches", batch.id.text, "/pages"), NULL));
    assert_int_equal(json_count(items()), 2);
    assert_int_equal(json_get_int(json_item(items(), 1), "number", 0), 2);
    assert_int_equal(json_get_int(json_item(items(), 1), "width_px", 0), 10);

    assert_status(200, call("GET", at("batches", batch.id.text, "/documents"), NULL));
    assert_int_equal(json_count(items()), 3);
    assert_status(200, call("GET", at("batches", batch.id.text, "/deliveries"), NULL));
    assert_int_equal(json_count(items()), 3);
    assert_string_equal(json_get_text(json_item(items(), 0), "destination_name"), "Archive");
    assert_int_equal(json_kind(json_get(json_item(items(), 0), "result")), JSON_ABSENT);
    assert_status(404, call("GET", "/api/v1/batches/01aaaaaaaaaaaaaaaaaaaaaaaa/pages", NULL));
}

static void a_delivery_says_how_it_ended_and_what_cures_it(void **state)
{
    DeliveryResult result = { .class = DELIVERY_CLASS_CONFIG,
                              .stage = "locate",
                              .text = "the folder is not there",
                              .cure = "Make the folder." };
    DeliveryClaim claim;
    World world;
    Batch batch;
    bool found;

    (void)state;
    world_make(fx, &world);
    batch = world_delivering(fx, &world, 1);
    assert_write(fx, delivery_claim(tx, NULL, NULL, 0, &claim, &found, &fx->err) &&
                         delivery_ended(tx, &claim.delivery.id, DELIVERY_EVENT_HOLD, &result,
                                        (Wall){ 0 }, &fx->err));
    assert_status(200, call("GET", at("batches", batch.id.text, "/deliveries"), NULL));
    for (size_t i = 0; i < json_count(items()); i++) {
        const Json *delivery = json_item(items(), i);

        if (!text_equal(json_get_text(delivery, "state"), "held"))
            continue;
        assert_string_equal(json_get_text(json_get(delivery, "result"), "cure"),
                            "Make the folder.");
        assert_string_equal(json_get_text(json_get(delivery, "result"), "class"), "config");
        return;
    }
    fail_msg("no delivery is held: %s", answer.body);
}

/* --- deliveries ------------------------------------------------------------------------------------------ */

static void the_outbox_is_listed_and_moved(void **state)
{
    static const struct {
        const char *act;
        DeliveryEvent event;
    } acts[] = {
        { "/retry", DELIVERY_EVENT_RETRY_NOW },
        { "/hold", DELIVERY_EVENT_HOLD },
        { "/drop", DELIVERY_EVENT_DROP },
        { "/confirm", DELIVERY_EVENT_CONFIRM },
    };
    char id[ID_TEXT_SIZE], body[256];
    World world;

    (void)state;
    world_make(fx, &world);
    (void)world_delivering(fx, &world, 2);
    assert_status(201, call("POST", "/api/v1/destinations",
                            "{\"name\":\"Share\",\"kind\":\"share\",\"settings\":"
                            "{\"folder\":\"in\"}}"));
    (void)text_copy(destination_id, sizeof destination_id, said("id"));
    assert_status(200, call("GET", "/api/v1/deliveries?state=ready&limit=2", NULL));
    assert_int_equal(json_count(items()), 2);
    assert_true(said("next")[0]);
    (void)text_printf(body, sizeof body, "/api/v1/deliveries?destination=%s&before=%s",
                      world.destination.id.text, said("next"));
    assert_status(200, call("GET", body, NULL));
    assert_int_equal(json_count(items()), 1);
    (void)text_copy(id, sizeof id, json_get_text(json_item(items(), 0), "id"));
    assert_status(200, call("GET", "/api/v1/deliveries?state=held", NULL));
    assert_int_equal(json_count(items()), 0);
    assert_status(400, call("GET", "/api/v1/deliveries?state=reedy", NULL));
    assert_non_null(strstr(said("remedy"), "ready"));
    assert_status(400, call("GET", "/api/v1/deliveries?destination=1", NULL));
    assert_status(200, call("GET", at("deliveries", id, ""), NULL));
    assert_int_equal(json_kind(json_get(answered, "history")), JSON_ARR);
    for (size_t i = 0; i < COUNT_OF(acts); i++) {
        assert_status(200, call("POST", at("deliveries", id, acts[i].act), NULL));
        assert_int_equal(twin.event, acts[i].event);
        assert_string_equal(twin.batch, id);
    }
    (void)text_printf(body, sizeof body, "{\"destination\":\"%s\",\"options\":{\"folder\":\"a\"}}",
                      destination_id);
    assert_status(201, call("POST", at("deliveries", id, "/elsewhere"), body));
    assert_string_equal(twin.other, destination_id);
    assert_string_equal(twin.options, "{\"folder\":\"a\"}");
    (void)text_printf(body, sizeof body, "{\"destination\":\"%s\",\"options\":{\"foldr\":\"a\"}}",
                      destination_id);
    assert_status(400, call("POST", at("deliveries", id, "/elsewhere"), body));
    assert_string_equal(said("field"), "options.foldr");
    twin.refuse = true;
    assert_status(409, call("POST", at("deliveries", id, "/retry"), NULL));
}

static void destinations_are_tested_stopped_and_resumed(void **state)
{
    (void)state;
    make_nouns();
    assert_status(200, call("POST", at("destinations", destination_id, "/test"), NULL));
    assert_false(json_get_bool(answered, "ok", true));
    assert_string_equal(json_get_text(json_item(json_get(answered, "stages"), 0), "stage"),
                        "connect");
    assert_string_equal(json_get_text(json_get(answered, "result"), "cure"),
                        "Correct the password.");
    assert_status(200, call("POST", at("destinations", destination_id, "/stop"), NULL));
    assert_non_null(strstr(twin.options, "Stopped by"));
    assert_status(200, call("POST", at("destinations", destination_id, "/resume"), NULL));
    assert_int_equal(twin.resumes, 1);
    DestinationId id;
    assert_true(id_parse(destination_id, &id));
    assert_write(fx,
                 destination_stop(tx, &(Actor){ "x", "y" }, &id, "refused", "Mend it.", &fx->err));
    assert_status(200, call("GET", at("destinations", destination_id, ""), NULL));
    assert_string_equal(json_get_text(json_get(answered, "stopped"), "cure"), "Mend it.");
    /* Whoever edits it has mended it. */
    assert_status(200, call("PUT", at("destinations", destination_id, ""), answer.body));
    assert_int_equal(json_kind(json_get(answered, "stopped")), JSON_ABSENT);
}

static void batches_are_listed_newest_first_in_steps(void **state)
{
    char path[128], newest[ID_TEXT_SIZE];
    World world;

    (void)state;
    world_make(fx, &world);
    for (int i = 0; i < 3; i++) {
        (void)world_composing(fx, &world, 1);
        rest_ms(2); /* ids sort by the millisecond */
    }
    assert_status(200, call("GET", "/api/v1/batches?limit=2", NULL));
    assert_int_equal(json_count(items()), 2);
    (void)text_copy(newest, sizeof newest, json_get_text(json_item(items(), 0), "id"));
    assert_true(strcmp(newest, json_get_text(json_item(items(), 1), "id")) > 0);
    assert_string_equal(said("next"), json_get_text(json_item(items(), 1), "id"));
    (void)text_printf(path, sizeof path, "/api/v1/batches?limit=2&before=%s", said("next"));
    assert_status(200, call("GET", path, NULL));
    assert_int_equal(json_count(items()), 1);
    assert_int_equal(json_kind(json_get(answered, "next")), JSON_NULL_VALUE);
    assert_status(200, call("GET", "/api/v1/batches?state=composing", NULL));
    assert_int_equal(json_count(items()), 3);
    assert_status(200, call("GET", "/api/v1/batches?state=done", NULL));
    assert_int_equal(json_count(items()), 0);
    assert_status(400, call("GET", "/api/v1/batches?state=composin", NULL));
    assert_non_null(strstr(said("remedy"), "composing"));
    assert_status(400, call("GET", "/api/v1/batches?before=x", NULL));
    assert_status(400, call("GET", "/api/v1/batches?limit=0", NULL));
    assert_status(400, call("GET", "/api/v1/batches?page=2", NULL));
}

static void files_are_sent_under_their_names(void **state)
{
    char document[ID_TEXT_SIZE], out[96], tail[96];
    World world;
    Batch batch;

    (void)state;
    world_make(fx, &world);
    batch = world_delivering(fx, &world, 1);
    (void)text_printf(out, sizeof out, "%s/out", batch.folder);
    put_file(batch.folder, "p0001a.jpg", "JPEG bytes");
    put_file(out, "scan_001.pdf", "%PDF-1.7");
    assert_status(200, call("GET", at("batches", batch.id.text, "/pages/1/image"), NULL));
    assert_string_equal(answer.body, "JPEG bytes");
    assert_string_equal(header_of(&answer, "Content-Type"), "image/jpeg");
    assert_status(404, call("GET", at("batches", batch.id.text, "/pages/9/image"), NULL));
    assert_status(404, call("GET", at("batches", batch.id.text, "/pages/x/image"), NULL));
    assert_status(404, call("GET", at("batches", batch.id.text, "/pages/1/thumbnail"), NULL));

    assert_status(200, call("GET", at("batches", batch.id.text, "/documents"), NULL));
    for (size_t i = 0; i < json_count(items()); i++)
        if (text_equal(json_get_text(json_item(items(), i), "kind"), "document"))
            (void)text_copy(document, sizeof document, json_get_text(json_item(items(), i), "id"));
    (void)text_printf(tail, sizeof tail, "/documents/%s/file", document);
    assert_status(200, call("GET", at("batches", batch.id.text, tail), NULL));
    assert_string_equal(answer.body, "%PDF-1.7");
    assert_string_equal(header_of(&answer, "Content-Type"), "application/pdf");
    assert_string_equal(header_of(&answer, "Content-Disposition"),
                        "attachment; filename*=UTF-8''scan_001.pdf");
}

static void a_thumbnail_is_sent_when_the_page_was_read(void **state)
{
    PageFacts facts = { .width_px = 9, .height_px = 9, .dpi = 300, .thumbnail = "t0001a.jpg" };
    PageClaim claim;
    World world;
    Batch batch;
    bool found;

    (void)state;
    world_make(fx, &world);
    batch = world_batch(&world);
    assert_write(fx, batch_insert(tx, &batch, &fx->err));
    Page page = world_page(&batch, 1);
    assert_write(fx, page_insert(tx, &page, &fx->err));
    assert_write(fx, page_claim(tx, &claim, &found, &fx->err) &&
                         page_read_done(tx, claim.page.id, &facts, "", &fx->err));
    put_file(batch.folder, "t0001a.jpg", "small");
    assert_status(200, call("GET", at("batches", batch.id.text, "/pages/1/thumbnail"), NULL));
    assert_string_equal(answer.body, "small");
}

static void a_file_that_is_gone_says_what_to_do(void **state)
{
    World world;
    Batch batch;

    (void)state;
    world_make(fx, &world);
    batch = world_delivering(fx, &world, 1);
    assert_status(404, call("GET", at("batches", batch.id.text, "/pages/1/image"), NULL));
    assert_non_null(strstr(said("remedy"), "fsck"));
}

static void deliver_and_retry_go_to_the_queue_with_the_actor(void **state)
{
    World world;
    Batch batch;

    (void)state;
    world_make(fx, &world);
    batch = world_composing(fx, &world, 1);
    assert_status(200, call("POST", at("batches", batch.id.text, "/deliver"), NULL));
    assert_int_equal(twin.delivers, 1);
    assert_string_equal(twin.batch, batch.id.text);
    assert_true(text_starts_with(twin.actor, "uid:"));
    assert_status(200, call("POST", at("batches", batch.id.text, "/retry"), NULL));
    assert_int_equal(twin.retries, 1);
    twin.refuse = true;
    assert_status(409, call("POST", at("batches", batch.id.text, "/retry"), NULL));
    assert_string_equal(said("remedy"), "There is nothing to do.");
}

static bool files_set(Tx *tx, const char *files, Err *err)
{
    return db_run(tx->db, "UPDATE batch SET files = ?1, files_at = 1, files_why = 'after 30 days'",
                  ARGS(ARG_TEXT(files)), NULL, err);
}

static void purged_files_say_so(void **state)
{
    static const char *const paths[] = { "/pages/1/image", "/pages/1/thumbnail" };
    World world;
    Batch batch;

    (void)state;
    world_make(fx, &world);
    batch = world_delivering(fx, &world, 1);
    assert_write(
        fx, db_run(tx->db, "UPDATE page SET thumbnail = 't0001a.jpg'", NO_ARGS, NULL, &fx->err));
    assert_status(200, call("GET", at("batches", batch.id.text, ""), NULL));
    assert_string_equal(said("files"), "kept");
    assert_status(400, call("POST", at("batches", batch.id.text, "/purge?undelivered=x"), NULL));
    assert_int_equal(twin.purges, 0);
    assert_status(200, call("POST", at("batches", batch.id.text, "/purge"), NULL));
    assert_false(twin.undelivered);
    assert_status(200, call("POST", at("batches", batch.id.text, "/purge?undelivered=true"), NULL));
    assert_true(twin.purges == 2 && twin.undelivered);
    assert_string_equal(twin.batch, batch.id.text);
    twin.refuse = true;
    assert_status(409, call("POST", at("batches", batch.id.text, "/purge"), NULL));

    assert_write(fx, files_set(tx, "removing", &fx->err));
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        assert_status(404, call("GET", at("batches", batch.id.text, paths[i]), NULL));
        assert_non_null(strstr(said("detail"), "the files were removed after 30 days"));
        assert_true(said("remedy")[0] != '\0');
    }
    assert_write(fx, files_set(tx, "missing", &fx->err));
    assert_status(404, call("GET", at("batches", batch.id.text, paths[0]), NULL));
    assert_non_null(strstr(said("detail"), "missing"));
    assert_status(200, call("GET", at("batches", batch.id.text, ""), NULL));
    assert_string_equal(said("files"), "missing");
}

/* --- events ---------------------------------------------------------------------------------------------- */

static void events_are_listed_and_streamed(void **state)
{
    static const char *const refused[] = { "batch=x", "device=x", "kind=Device", "order=up",
                                           "before=0" };
    char text[4096] = "";
    World world;
    size_t n = 0;

    (void)state;
    world_make(fx, &world);
    (void)world_composing(fx, &world, 1);
    assert_status(200, call("GET", "/api/v1/events?limit=1", NULL));
    assert_int_equal(json_count(items()), 1);
    assert_true(json_get_int(json_item(items(), 0), "id", 0) > 0);
    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        (void)text_printf(text, sizeof text, "/api/v1/events?%s", refused[i]);
        assert_status(400, call("GET", text, NULL));
    }
    text[0] = '\0';
    assert_status(200, call("GET", "/api/v1/events", NULL));
    int64_t oldest = json_get_int(json_item(items(), 0), "id", 0);
    assert_status(200, call("GET", "/api/v1/events?order=newest&kind=batch&limit=1", NULL));
    assert_true(json_get_int(json_item(items(), 0), "id", 0) > oldest);

    api_on_event(api, &(Event){ .id = 5, .kind = "batch.received", .text = "3 pages" });
    api_on_event(api, &(Event){ .id = 7, .kind = "batch.done", .text = "delivered" });
    AUTO_FD fd = dial_unix(socket_path);
    assert_true(
        say(fd, "GET /api/v1/events/stream HTTP/1.1\r\nHost: x\r\nLast-Event-ID: 5\r\n\r\n"));
    while (!strstr(text, "delivered") && n < sizeof text - 1) {
        ssize_t got = read(fd, text + n, sizeof text - 1 - n);

        if (got <= 0)
            fail_msg("the stream ended after: %s", text);
        n += (size_t)got;
        text[n] = '\0';
    }
    assert_non_null(strstr(text, "data: {\"id\":7,"));
    assert_null(strstr(text, "batch.received")); /* was seen before */
    note_route("GET", "/api/v1/events/stream");
}

/* --- who may ask ----------------------------------------------------------------------------------------- */

static void tokens_open_the_tcp_port(void **state)
{
    char secret[128], sha256[SHA256_TEXT_SIZE];
    StoredToken stored;
    Sha256 hash;

    (void)state;
    assert_status(401, call_tcp("GET", "/api/v1/jobs", NULL));
    assert_string_equal(header_of(&answer, "WWW-Authenticate"), "Bearer");
    assert_true(said("remedy")[0]);
    assert_status(201, call("POST", "/api/v1/tokens", "{\"name\":\"backup\"}"));
    (void)text_copy(secret, sizeof secret, said("secret"));
    assert_true(strlen(secret) > 40);
    assert_status(409, call("POST", "/api/v1/tokens", "{\"name\":\"backup\"}"));
    assert_status(400,
                  call("POST", "/api/v1/tokens", /* audit rows would cut it */
                       "{\"name\":\"a name of fifty-seven characters, which is one too many!!\"}"));
    assert_string_equal(said("field"), "name");
    assert_status(200, call("GET", "/api/v1/tokens", NULL));
    assert_null(strstr(answer.body, secret));
    assert_string_equal(json_get_text(json_item(items(), 0), "name"), "backup");

    sha256_start(&hash);
    sha256_add(&hash, bytes_of_text(secret));
    sha256_finish(&hash, sha256);
    assert_read(fx, token_find(fixture_db(fx), sha256, &stored, &fx->err));

    assert_status(200, call_tcp("GET", "/api/v1/jobs", secret));
    assert_status(200, call_tcp("GET", "/metrics", secret));
    assert_status(401, call_tcp("GET", "/metrics", NULL));
    assert_status(204, call("DELETE", "/api/v1/tokens/backup", NULL));
    assert_status(401, call_tcp("GET", "/api/v1/jobs", secret));
    assert_status(404, call("DELETE", "/api/v1/tokens/backup", NULL));
}

static void guessing_is_slowed_down(void **state)
{
    char secret[128];

    (void)state;
    assert_status(201, call("POST", "/api/v1/tokens", "{\"name\":\"x\"}"));
    (void)text_copy(secret, sizeof secret, said("secret"));
    for (int i = 0; i < API_FAILED_LOGINS_MAX; i++)
        assert_status(401, call_tcp("GET", "/api/v1/jobs", "wrong"));
    assert_status(401, call_tcp("GET", "/api/v1/jobs", secret));
    assert_non_null(strstr(said("detail"), "too many"));
}

static void tokens_outlive_a_restart(void **state)
{
    char secret[128];

    (void)state;
    assert_status(201, call("POST", "/api/v1/tokens", "{\"name\":\"x\"}"));
    (void)text_copy(secret, sizeof secret, said("secret"));
    api_stop();
    api_start();
    assert_status(200, call_tcp("GET", "/api/v1/jobs", secret));
}

/* --- the server about itself ------------------------------------------------------------------------------ */

static void the_description_of_the_api_is_served(void **state)
{
    (void)state;
    assert_status(200, call("GET", "/openapi.json", NULL));
    assert_string_equal(said("openapi"), "3.1.0");
    assert_non_null(json_get(json_get(answered, "paths"), "/api/v1/batches/{id}/deliver"));
}

static void a_config_is_exported_planned_and_applied(void **state)
{
    (void)state;
    make_nouns();
    assert_status(200, call("GET", "/api/v1/config", NULL));
    assert_null(strstr(answer.body, "s3cret"));
    const Json *job = json_item(json_get(answered, "jobs"), 0);
    assert_string_equal(json_get_text(json_item(json_get(job, "destinations"), 0), "destination"),
                        "Archive");
    assert_status(200, call("POST", "/api/v1/config/plan", "{\"jobs\":[]}"));
    assert_int_equal(json_count(json_get(answered, "changes")), 0);
    assert_status(200, call("POST", "/api/v1/config/apply", "{}"));
}

/* --- the last: every route was tried with success ----------------------------------------------------------- */

static void every_route_is_complete_and_tested(void **state)
{
    size_t n = 0;

    (void)state;
    for (size_t t = 0; api_routes[t]; t++) {
        for (const Route *r = api_routes[t]; r->method; r++, n++) {
            bool open_to_all = text_equal(r->path, "/health") ||
                               text_equal(r->path, "/openapi.json");

            assert_true(n < COUNT_OF(route_was_tried));
            assert_non_null(r->handler);
            assert_true(open_to_all || (r->permission && strchr(r->permission, '.')));
            assert_true(r->summary && text_ends_with(r->summary, "."));
            if (!route_was_tried[n])
                fail_msg("no test had success with %s %s", r->method, r->path);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        API_TEST(nouns_are_made_listed_changed_and_removed),
        API_TEST(a_created_noun_says_where_it_is),
        API_TEST(wrong_nouns_are_refused_with_the_field),
        API_TEST(the_outbox_is_listed_and_moved),
        API_TEST(destinations_are_tested_stopped_and_resumed),
        API_TEST(a_job_says_what_the_kind_lets_it_say),
        API_TEST(settings_follow_the_description_of_the_kind),
        API_TEST(secrets_come_in_and_never_go_out),
        API_TEST(a_secret_that_cannot_be_opened_is_replaced),
        API_TEST(devices_are_approved_named_and_forgotten),
        API_TEST(devices_are_added_by_hand),
        API_TEST(devices_are_paired),
        API_TEST(devices_are_looked_for),
        API_TEST(the_doctor_answers),
        API_TEST(a_device_is_tried),
        API_TEST(the_doctor_reads_the_certificate),
        API_TEST(a_batch_is_shown_with_its_parts),
        API_TEST(a_delivery_says_how_it_ended_and_what_cures_it),
        API_TEST(batches_are_listed_newest_first_in_steps),
        API_TEST(files_are_sent_under_their_names),
        API_TEST(a_thumbnail_is_sent_when_the_page_was_read),
        API_TEST(a_file_that_is_gone_says_what_to_do),
        API_TEST(deliver_and_retry_go_to_the_queue_with_the_actor),
        API_TEST(purged_files_say_so),
        API_TEST(events_are_listed_and_streamed),
        API_TEST(tokens_open_the_tcp_port),
        API_TEST(guessing_is_slowed_down),
        API_TEST(tokens_outlive_a_restart),
        API_TEST(who_is_told_can_be_read_changed_and_tried),
        API_TEST(what_is_told_is_listed),
        API_TEST(health_and_metrics_come_from_memory),
        API_TEST(health_complains_when_the_spool_is_gone),
        API_TEST(health_counts_the_scans_that_run),
        API_TEST(the_description_of_the_api_is_served),
        API_TEST(a_config_is_exported_planned_and_applied),
        API_TEST(a_scan_is_started_without_a_panel),
        API_TEST(a_running_scan_is_cancelled),
        API_TEST(a_scan_that_waits_for_sheets_says_so_and_is_finished),
        API_TEST(a_device_is_traced),
        API_TEST(who_stops_a_trace_leaves_threads),
        cmocka_unit_test(every_route_is_complete_and_tested),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
