/* tests/unit/test-events.c - the history: which events a list has, in which order, and what their device is called. */
#include "store/db.h"
#include "tests/unit/store-fixture.h"

typedef struct SeenEvents {
    int count;
    Event row[16];
} SeenEvents;

static bool keep_event(void *arg, const Event *event)
{
    SeenEvents *seen = arg;

    assert_in_range(seen->count, 0, COUNT_OF(seen->row) - 1);
    seen->row[seen->count++] = *event;
    return true;
}

static SeenEvents events_of(Fixture *f, const EventFilter *filter)
{
    SeenEvents seen = { .count = 0 };

    assert_read(f, event_list(fixture_db(f), filter, keep_event, &seen, &f->err));
    return seen;
}

/* Of nine events, two of the device; each batch began, and three were cancelled. */
static void events_are_narrowed(void **state)
{
    Fixture *f = *state;
    Batch batches[4];
    SeenEvents all, back, some;
    World w;
    Device device;

    world_make(f, &w);
    for (size_t i = 0; i < COUNT_OF(batches); i++) {
        batches[i] = world_batch(&w);
        (void)text_printf(batches[i].folder, sizeof batches[i].folder, "d/%zu", i);
        assert_write(f, batch_insert(tx, &batches[i], &f->err));
        if (i < 3)
            assert_write(f, batch_apply(tx, &batches[i].id, BATCH_EVENT_CANCEL, NULL, &f->err));
    }
    all = events_of(f, &(EventFilter){ .limit = 16 });
    back = events_of(f, &(EventFilter){ .newest_first = true, .limit = 16 });

    assert_int_equal(back.count, 9);
    for (int i = 0; i < 9; i++)
        assert_int_equal(back.row[i].id, all.row[8 - i].id);
    some = events_of(f,
                     &(EventFilter){ .newest_first = true, .before = back.row[1].id, .limit = 2 });
    assert_int_equal(some.count, 2);
    assert_int_equal(some.row[0].id, back.row[2].id);
    some = events_of(
        f, &(EventFilter){ .after = all.row[0].id, .before = all.row[3].id, .limit = 16 });
    assert_int_equal(some.count, 2);
    some = events_of(
        f, &(EventFilter){ .batch = batches[0].id.text, .newest_first = true, .limit = 16 });
    assert_int_equal(some.count, 2);
    assert_string_equal(some.row[0].kind, "batch.cancelled");
    assert_int_equal(events_of(f, &(EventFilter){ .kind = "batch.cancelled", .limit = 16 }).count,
                     3);
    assert_int_equal(events_of(f, &(EventFilter){ .kind = "batch", .limit = 16 }).count, 7);
    assert_int_equal(events_of(f, &(EventFilter){ .kind = "bat", .limit = 16 }).count, 0);
    some = events_of(f, &(EventFilter){ .kind = "device", .limit = 16 });
    assert_int_equal(some.count, 2);
    assert_true(device_get(fixture_db(f), &batches[0].device, &device, &f->err));
    assert_string_equal(some.row[0].device_name,
                        device.settings.name[0] ? device.settings.name : device.address);
    assert_int_equal(
        events_of(f, &(EventFilter){ .device = batches[0].id.text, .limit = 16 }).count, 0);
    assert_true(
        events_of(f, &(EventFilter){ .device = batches[0].device.text, .limit = 16 }).count >= 2);
    assert_write(f, db_run(tx->db, "UPDATE device SET name = ''", NO_ARGS, NULL, &f->err));
    some = events_of(f, &(EventFilter){ .kind = "device", .limit = 1 });
    assert_string_equal(some.row[0].device_name, device.address);
    assert_write(f, db_run(tx->db, "UPDATE event SET device_id = 'gone' WHERE kind LIKE 'device.%'",
                           NO_ARGS, NULL, &f->err));
    some = events_of(f, &(EventFilter){ .kind = "device", .limit = 1 });
    assert_string_equal(some.row[0].device_name, "gone");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(events_are_narrowed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
