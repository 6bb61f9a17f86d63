/* tests/unit/test-batches.c - what runs: receiving, claims, names and counters, deliveries, restart. */
#include "tests/unit/store-fixture.h"

static BatchSummary summary_of(Fixture *f, const BatchId *id)
{
    BatchSummary s;

    assert_read(f, batch_summary(fixture_db(f), id, &s, &f->err));
    return s;
}

static DeviceState device_state(Fixture *f, const DeviceId *id)
{
    Device device;

    assert_read(f, device_get(fixture_db(f), id, &device, &f->err));
    return device.state;
}

/* --- receiving ----------------------------------------------------------------------------------- */

static void a_device_scans_one_batch_at_a_time(void **state)
{
    Fixture *f = *state;
    World w;
    world_make(f, &w);
    Batch first = world_batch(&w), second = world_batch(&w), read;
    Reason reason = { "paper-jam", "The paper is jammed.", "Open the cover." };

    assert_write(f, batch_insert(tx, &first, &f->err));
    assert_int_equal(device_state(f, &w.device.id), DEVICE_SCANNING);
    assert_refused(f, ERR_CONFLICT, batch_insert(tx, &second, &f->err));
    assert_refused(f, ERR_CONFLICT, device_delete(tx, &test_actor, &w.device.id, 0, &f->err));
    assert_refused(f, ERR_CONFLICT,
                   device_change(tx, &test_actor, &w.device.id, &(DeviceSettings){ .name = "x" },
                                 DEVICE_EVENT_REVOKE, 0, &f->err));

    assert_write(f, batch_apply(tx, &first.id, BATCH_EVENT_BREAK, &reason, &f->err));
    assert_int_equal(device_state(f, &w.device.id), DEVICE_REGISTERED);
    assert_read(f, batch_get(fixture_db(f), &first.id, &read, &f->err));
    assert_int_equal(read.state, BATCH_BROKEN);
    assert_string_equal(read.reason.code, "paper-jam");
    assert_string_equal(read.reason.remedy, "Open the cover.");
    assert_string_equal(read.job.name, "Letters");
    assert_string_equal(read.job.destinations[0].destination, w.destination.id.text);
    assert_string_equal(read.folder, first.folder);
    assert_int_equal(read.started_at.ms, first.started_at.ms);
    assert_int_equal(read.utc_offset_min, 60);
    assert_write(f, batch_insert(tx, &second, &f->err));
    /* A reason that is not given stays. */
    assert_write(f, batch_apply(tx, &first.id, BATCH_EVENT_DELIVER, NULL, &f->err));
    assert_read(f, batch_get(fixture_db(f), &first.id, &read, &f->err));
    assert_string_equal(read.reason.code, "paper-jam");
}

static void an_unapproved_device_starts_nothing(void **state)
{
    Fixture *f = *state;
    World w;
    world_make(f, &w);
    Device stranger;
    Batch batch = world_batch(&w);

    assert_write(f, device_sighted(tx, "10.0.0.8", "PID 0001", &stranger, &f->err));
    batch.device = stranger.id;
    assert_refused(f, ERR_DENIED, batch_insert(tx, &batch, &f->err));
    assert_true(strlen(f->err.remedy) > 0);
    batch.device = id_new(DeviceId, wall_now());
    assert_refused(f, ERR_NOT_FOUND, batch_insert(tx, &batch, &f->err));
}

/* Every step that the table of model/ does not have is refused and changes nothing. */
static void wrong_steps_are_refused(void **state)
{
    Fixture *f = *state;
    World w;
    world_make(f, &w);
    Batch batch = world_batch(&w);
    BatchId unknown = id_new(BatchId, wall_now());

    assert_write(f, batch_insert(tx, &batch, &f->err));
    for (BatchEvent e = 0; e < BATCH_EVENT_MAX_; e++) {
        BatchState would = BATCH_RECEIVING;

        if (!batch_step(&would, e))
            assert_refused(f, ERR_CONFLICT, batch_apply(tx, &batch.id, e, NULL, &f->err));
    }
    assert_int_equal(summary_of(f, &batch.id).state, BATCH_RECEIVING);
    assert_refused(f, ERR_NOT_FOUND, batch_apply(tx, &unknown, BATCH_EVENT_BREAK, NULL, &f->err));
    assert_false(batch_summary(fixture_db(f), &unknown, &(BatchSummary){ 0 }, &f->err));
    assert_int_equal(f->err.kind, ERR_NOT_FOUND);
}

static void pages_are_inserted_once(void **state)
{
    Fixture *f = *state;
    World w;
    world_make(f, &w);
    Batch batch = world_batch(&w);
    Page page = world_page(&batch, 1), back = page, read;
    Batch shown;

    assert_write(f, batch_insert(tx, &batch, &f->err));
    assert_write(f, page_insert(tx, &page, &f->err));
    assert_true(page.id > 0);
    assert_refused(f, ERR_CONFLICT, page_insert(tx, &page, &f->err));
    assert_read(f, batch_get(fixture_db(f), &batch.id, &shown, &f->err));
    assert_false(shown.pages_reversed);
    back.side = 'B';
    back.notes.last_first = true;
    assert_write(f, page_insert(tx, &back, &f->err));
    assert_read(f, batch_get(fixture_db(f), &batch.id, &shown, &f->err));
    assert_true(shown.pages_reversed);
    assert_read(f, page_get(fixture_db(f), &batch.id, 1, &read, &f->err));
    assert_int_equal(read.side, 'A');
    assert_string_equal(read.file, "p0001a.jpg");
    assert_int_equal(read.size_bytes, 1000);
    assert_int_equal(read.notes.scan_dpi, 300);
    assert_int_equal(read.state, PAGE_STORED);
    assert_false(page_get(fixture_db(f), &batch.id, 2, &read, &f->err));
    assert_int_equal(f->err.kind, ERR_NOT_FOUND);

    /* A page may arrive late in a broken batch, never in one that goes on. */
    assert_write(f, batch_apply(tx, &batch.id, BATCH_EVENT_BREAK, NULL, &f->err));
    page.number = 2;
    assert_write(f, page_insert(tx, &page, &f->err));
    assert_write(f, batch_apply(tx, &batch.id, BATCH_EVENT_DELIVER, NULL, &f->err));
    page.number = 3;
    assert_refused(f, ERR_CONFLICT, page_insert(tx, &page, &f->err));
    assert_int_equal(summary_of(f, &batch.id).pages, 3);
    assert_int_equal(summary_of(f, &batch.id).pages_unsettled, 3);
}

/* --- pages and plans ----------------------------------------------------------------------------- */

static void pages_are_claimed_oldest_first_and_given_up_after_three(void **state)
{
    Fixture *f = *state;
    World w;
    world_make(f, &w);
    Batch batch = world_batch(&w);
    PageFacts facts = {
        .width_px = 2480, .height_px = 3508, .dpi = 300, .components = 3, .thumbnail = "t0002a.jpg"
    };
    PageClaim claim;
    Page read;
    bool found;

    assert_write(f, page_claim(tx, &claim, &found, &f->err));
    assert_false(found);
    assert_write(f, batch_insert(tx, &batch, &f->err));
    for (uint32_t i = 1; i <= 2; i++) {
        Page page = world_page(&batch, i);
        assert_write(f, page_insert(tx, &page, &f->err));
    }
    for (uint32_t attempt = 1; attempt <= PAGE_READ_ATTEMPTS_MAX; attempt++) {
        assert_write(f, page_claim(tx, &claim, &found, &f->err));
        assert_true(found);
        assert_int_equal(claim.page.number, 1);
        assert_int_equal(claim.page.attempt, attempt);
        assert_string_equal(claim.folder, batch.folder);
        assert_write(f, page_read_failed(tx, claim.page.id, false, "its reader died", &f->err));
        assert_refused(f, ERR_CONFLICT, page_read_done(tx, claim.page.id, &facts, "", &f->err));
    }
    assert_read(f, page_get(fixture_db(f), &batch.id, 1, &read, &f->err));
    assert_int_equal(read.state, PAGE_UNREAD);
    assert_string_equal(read.warning, "its reader died");
    assert_write(f, page_claim(tx, &claim, &found, &f->err));
    assert_int_equal(claim.page.number, 2);
    assert_write(f, page_read_done(tx, claim.page.id, &facts, "", &f->err));
    assert_read(f, page_get(fixture_db(f), &batch.id, 2, &read, &f->err));
    assert_int_equal(read.state, PAGE_READ);
    assert_int_equal(read.facts.height_px, 3508);
    assert_string_equal(read.facts.thumbnail, "t0002a.jpg");
    assert_int_equal(summary_of(f, &batch.id).pages_unsettled, 0);
    assert_int_equal(summary_of(f, &batch.id).pages_damaged, 0);
}

static void a_damaged_page_is_read_again_at_a_retry(void **state)
{
    Fixture *f = *state;
    World w;
    world_make(f, &w);
    Batch batch = world_batch(&w);
    Page page = world_page(&batch, 1);
    uint32_t documents, deliveries;
    PageClaim claim;
    bool found;

    assert_write(f, batch_insert(tx, &batch, &f->err) && page_insert(tx, &page, &f->err));
    for (int i = 0; i < PAGE_READ_ATTEMPTS_MAX; i++)
        assert_write(f, page_claim(tx, &claim, &found, &f->err) && found &&
                            page_read_failed(tx, claim.page.id, true, "no picture", &f->err));
    assert_read(f, page_get(fixture_db(f), &batch.id, 1, &page, &f->err));
    assert_int_equal(page.state, PAGE_DAMAGED);
    assert_int_equal(summary_of(f, &batch.id).pages_damaged, 1);
    assert_write(f, batch_retry_rows(tx, &batch.id, &documents, &deliveries, &f->err));
    assert_write(f, page_claim(tx, &claim, &found, &f->err) && found);
    assert_int_equal(claim.page.attempt, 1);
    assert_write(f, page_read_done(tx, claim.page.id, &claim.page.facts, "dark", &f->err));
    assert_read(f, page_get(fixture_db(f), &batch.id, 1, &page, &f->err));
    assert_string_equal(page.warning, "dark");
}

static void a_plan_waits_for_its_pages_and_is_given_up_after_three(void **state)
{
    Fixture *f = *state;
    World w;
    world_make(f, &w);
    Batch broken = world_batch(&w), batch, claimed;
    Page page = world_page(&broken, 1);
    uint32_t attempt, documents, deliveries;
    bool found, given_up;
    PageClaim claim;

    assert_write(f, batch_insert(tx, &broken, &f->err));
    assert_write(f, page_insert(tx, &page, &f->err));
    assert_write(f, batch_apply(tx, &broken.id, BATCH_EVENT_BREAK, NULL, &f->err));
    assert_write(f, batch_apply(tx, &broken.id, BATCH_EVENT_DELIVER, NULL, &f->err));
    assert_write(f, plan_claim(tx, &claimed, &attempt, &found, &f->err));
    assert_false(found); /* a page is not read yet */
    assert_write(f, page_claim(tx, &claim, &found, &f->err) &&
                        page_read_done(tx, claim.page.id, &(PageFacts){ 0 }, "", &f->err));

    batch = broken;
    for (uint32_t i = 1; i <= COMPOSE_ATTEMPTS_MAX; i++) {
        assert_write(f, plan_claim(tx, &claimed, &attempt, &found, &f->err));
        assert_true(found);
        assert_int_equal(attempt, i);
        assert_write(f, plan_failed(tx, &batch.id, "no memory", &given_up, &f->err));
        assert_int_equal(given_up, i == COMPOSE_ATTEMPTS_MAX);
    }
    assert_write(f, plan_claim(tx, &claimed, &attempt, &found, &f->err));
    assert_false(found);
    assert_refused(f, ERR_CONFLICT, plan_failed(tx, &batch.id, "again", &given_up, &f->err));
    assert_write(f, batch_retry_rows(tx, &batch.id, &documents, &deliveries, &f->err));
    assert_write(f, plan_claim(tx, &claimed, &attempt, &found, &f->err));
    assert_true(found);
    assert_int_equal(attempt, 1);
}

typedef struct NameList {
    char names[8][FILE_NAME_BYTES_MAX + 1];
    size_t count;
} NameList;

static bool keep_name(void *arg, const Document *document)
{
    NameList *list = arg;

    (void)text_copy(list->names[list->count++], FILE_NAME_BYTES_MAX + 1, document->name);
    return list->count < COUNT_OF(list->names);
}

static void names_are_unique_and_counted(void **state)
{
    Fixture *f = *state;
    World w;
    world_make(f, &w);
    static const PlannedDocument planned[] = {
        { .kind = DOCUMENT_PAGES,
          .name = "same.pdf",
          .number = 1,
          .first_page = 1,
          .page_count = 1 },
        { .kind = DOCUMENT_PAGES,
          .name = "SAME.pdf",
          .number = 2,
          .first_page = 2,
          .page_count = 1 },
        { .kind = DOCUMENT_PAGES,
          .name = "same.pdf",
          .number = 3,
          .first_page = 3,
          .page_count = 1 },
        { .kind = DOCUMENT_PAGES,
          .name = "n_{seq:4}.pdf",
          .number = 4,
          .first_page = 4,
          .page_count = 1 },
        { .kind = DOCUMENT_PAGES,
          .name = "n_{seq:4}.pdf",
          .number = 5,
          .first_page = 5,
          .page_count = 1 },
        { .kind = DOCUMENT_INDEX, .name = "n_{seq:4}.csv", .number = 0 },
    };
    static const char *const want[] = { "same.pdf",   "SAME_2.pdf", "same_3.pdf",
                                        "n_0001.pdf", "n_0002.pdf", "n_0001.csv" };
    Batch batch = world_composing(f, &w, 5), claimed;
    NameList list = { .count = 0 };
    uint32_t attempt;
    bool found;

    assert_refused(f, ERR_CONFLICT, plan_done(tx, &batch.id, planned, 1, &f->err));
    assert_write(f, plan_claim(tx, &claimed, &attempt, &found, &f->err));
    assert_write(f, plan_done(tx, &batch.id, planned, COUNT_OF(planned), &f->err));
    assert_refused(f, ERR_CONFLICT, plan_done(tx, &batch.id, planned, 1, &f->err));
    assert_read(f, document_list(fixture_db(f), &batch.id, keep_name, &list, &f->err));
    assert_int_equal(list.count, COUNT_OF(want));
    for (size_t i = 0; i < COUNT_OF(want); i++)
        assert_string_equal(list.names[i], want[i]);
    assert_true(summary_of(f, &batch.id).planned);
    assert_int_equal(summary_of(f, &batch.id).documents_open, 6);
}

static void the_index_is_written_last(void **state)
{
    Fixture *f = *state;
    World w;
    world_make(f, &w);
    Batch batch = world_planned(f, &w, 2);
    DocumentClaim first, second, index, again;
    Document read;
    bool found;

    assert_write(f, document_claim(tx, &first, &found, &f->err));
    assert_true(found);
    assert_int_equal(first.document.number, 1);
    assert_string_equal(first.document.name, "scan_001.pdf");
    assert_string_equal(first.batch.job.name, "Letters");
    assert_write(f, document_claim(tx, &second, &found, &f->err));
    assert_int_equal(second.document.number, 2);
    assert_write(f, document_claim(tx, &index, &found, &f->err));
    assert_false(found);
    assert_write(f, document_written(tx, &first.document.id, 77, "beef", &f->err));
    assert_refused(f, ERR_CONFLICT, document_written(tx, &first.document.id, 77, "beef", &f->err));
    assert_refused(f, ERR_CONFLICT, deliveries_insert(tx, &batch.id, &f->err));

    for (uint32_t i = 1; i < COMPOSE_ATTEMPTS_MAX; i++) {
        assert_write(f, document_write_failed(tx, &second.document.id, "disk full", &f->err));
        assert_write(f, document_claim(tx, &again, &found, &f->err));
        assert_true(found);
        assert_string_equal(again.document.id.text, second.document.id.text);
        assert_string_equal(again.document.error, "disk full");
    }
    assert_write(f, document_write_failed(tx, &second.document.id, "disk full", &f->err));
    assert_int_equal(summary_of(f, &batch.id).documents_failed, 1);
    assert_write(f, document_claim(tx, &again, &found, &f->err));
    assert_false(found);

    uint32_t documents, deliveries;
    assert_write(f, batch_retry_rows(tx, &batch.id, &documents, &deliveries, &f->err));
    assert_int_equal(documents, 1);
    assert_write(f, document_claim(tx, &again, &found, &f->err));
    assert_write(f, document_written(tx, &again.document.id, 88, "cafe", &f->err));
    assert_write(f, document_claim(tx, &index, &found, &f->err));
    assert_true(found);
    assert_int_equal(index.document.kind, DOCUMENT_INDEX);
    assert_string_equal(index.document.name, "scan_001.csv");
    assert_read(f, document_get(fixture_db(f), &batch.id, &again.document.id, &read, &f->err));
    assert_int_equal(read.size_bytes, 88);
    assert_string_equal(read.sha256, "cafe");
    assert_int_equal(read.state, DOCUMENT_WRITTEN);
}

/* --- deliveries ---------------------------------------------------------------------------------- */

static const DeliveryResult sent = {
    .class = DELIVERY_CLASS_OK, .stage = "rename", .remote_name = "scan_001.pdf", .size_bytes = 77
};
static const DeliveryResult refused = { .class = DELIVERY_CLASS_CONFIG,
                                        .stage = "locate",
                                        .text = "No such folder.",
                                        .cure = "Make the folder.",
                                        .native_code = 2 };

static bool first_delivery(void *arg, const Delivery *delivery, const char *destination_name)
{
    assert_string_equal(destination_name, "Archive");
    *(Delivery *)arg = *delivery;
    return false;
}

/* What is under way when its destination stops waits with the others; so after a restart. */
static void a_stopped_destination_holds_what_comes_back(void **state)
{
    static const Actor somebody = { "somebody", "local" };
    const DeliveryResult denied = { .class = DELIVERY_CLASS_AUTH, .text = "refused" };
    Fixture *f = *state;
    DeliveryClaim claim, other;
    Delivery delivery;
    char name[NAME_TEXT_SIZE];
    bool found;
    World w;

    world_make(f, &w);
    (void)world_delivering(f, &w, 2);
    assert_write(f, delivery_claim(tx, NULL, NULL, 0, &claim, &found, &f->err));
    assert_true(found);
    assert_write(f, delivery_claim(tx, NULL, NULL, 0, &other, &found, &f->err));
    assert_true(found);
    assert_write(f, destination_stop(tx, &somebody, &w.destination.id, "why", "how", &f->err));
    assert_write(f, delivery_ended(tx, &claim.delivery.id, DELIVERY_EVENT_RETRY_LATER, &denied,
                                   (Wall){ 1 }, &f->err));
    assert_read(f, delivery_get(fixture_db(f), &claim.delivery.id, &delivery, name, &f->err));
    assert_int_equal(delivery.state, DELIVERY_HELD);
    assert_true(delivery.note[0]);
    assert_write(f, delivery_ended(tx, &other.delivery.id, DELIVERY_EVENT_OK, &denied, (Wall){ 0 },
                                   &f->err));
    assert_read(f, delivery_get(fixture_db(f), &other.delivery.id, &delivery, name, &f->err));
    assert_int_equal(delivery.state, DELIVERY_DONE);
    assert_write(f, delivery_claim(tx, NULL, NULL, 0, &other, &found, &f->err));
    assert_false(found);
    assert_refused(f, ERR_CONFLICT,
                   delivery_act(tx, &claim.delivery.id, DELIVERY_EVENT_RETRY_NOW, "", &f->err));
    assert_write(f, destination_resume(tx, &somebody, &w.destination.id, &f->err));
    assert_write(f, delivery_claim(tx, NULL, NULL, 0, &claim, &found, &f->err));
    assert_true(found);
}

static void the_index_is_delivered_last(void **state)
{
    Fixture *f = *state;
    World w;
    world_make(f, &w);
    Batch batch = world_delivering(f, &w, 1);
    DeliveryClaim claim, index;
    Delivery listed;
    Wall due;
    bool found;

    assert_refused(f, ERR_CONFLICT, deliveries_insert(tx, &batch.id, &f->err));
    assert_write(f, delivery_claim(tx, NULL, &w.destination.id, 1, &claim, &found, &f->err));
    assert_false(found); /* busy */
    assert_write(f, delivery_claim(tx, NULL, NULL, 0, &claim, &found, &f->err));
    assert_true(found);
    assert_string_equal(claim.document.name, "scan_001.pdf");
    assert_string_equal(claim.kind, "folder");
    assert_string_equal(claim.settings, "{\"folder\":\"/srv\"}");
    assert_string_equal(claim.destination_name, "Archive");
    assert_string_equal(claim.batch.folder, batch.folder);
    assert_int_equal(claim.delivery.attempt, 1);
    assert_read(f, delivery_next_due(fixture_db(f), NULL, NULL, 0, &due, &f->err));
    assert_int_equal(due.ms, INT64_MAX); /* the index waits */
    assert_write(f, delivery_reserve(tx, &claim.delivery.id, "scan_001.pdf", &f->err));

    /* A failure that passes: due later, the name stays reserved. */
    DeliveryResult busy = { .class = DELIVERY_CLASS_RETRY, .text = "Disk full." };
    Wall later = { wall_now().ms + 60000 };
    assert_write(f, delivery_ended(tx, &claim.delivery.id, DELIVERY_EVENT_RETRY_LATER, &busy, later,
                                   &f->err));
    assert_refused(f, ERR_CONFLICT, delivery_reserve(tx, &claim.delivery.id, "other.pdf", &f->err));
    assert_refused(
        f, ERR_CONFLICT,
        delivery_ended(tx, &claim.delivery.id, DELIVERY_EVENT_OK, &sent, later, &f->err));
    assert_read(f, delivery_next_due(fixture_db(f), NULL, NULL, 0, &due, &f->err));
    assert_int_equal(due.ms, later.ms);
    assert_read(f, delivery_next_due(fixture_db(f), &w.destination.id, NULL, 0, &due, &f->err));
    assert_int_equal(due.ms, later.ms);
    assert_read(f, delivery_next_due(fixture_db(f), NULL, &w.destination.id, 1, &due, &f->err));
    assert_int_equal(due.ms, INT64_MAX); /* who serves it waits for it, nobody else */
    assert_write(f, delivery_claim(tx, &w.destination.id, NULL, 0, &index, &found, &f->err));
    assert_false(found); /* neither the one that is not due nor the index behind it */
    assert_read(f, delivery_list(fixture_db(f), &batch.id, first_delivery, &listed, &f->err));
    assert_string_equal(listed.reserved_name, "scan_001.pdf");
    assert_int_equal(listed.last.class, DELIVERY_CLASS_RETRY);
    assert_string_equal(listed.last.text, "Disk full.");
    assert_int_equal(summary_of(f, &batch.id).deliveries_open, 2);
}

/* A retry was noted for a time in a far future: since then the clock was set back. */
static void a_clock_that_is_set_back_stops_no_delivery(void **state)
{
    const DeliveryResult busy = { .class = DELIVERY_CLASS_RETRY, .text = "Disk full." };
    Fixture *f = *state;
    World w;
    world_make(f, &w);
    (void)world_delivering(f, &w, 1);
    DeliveryClaim claim;
    bool found;

    assert_write(f, delivery_claim(tx, NULL, NULL, 0, &claim, &found, &f->err) && found);
    Wall far = { wall_now().ms + 2 * (int64_t)DELIVERY_WAIT_MAX_MS };
    assert_write(
        f, delivery_ended(tx, &claim.delivery.id, DELIVERY_EVENT_RETRY_LATER, &busy, far, &f->err));
    assert_write(f, delivery_claim(tx, NULL, NULL, 0, &claim, &found, &f->err) && found);
    assert_int_equal(claim.delivery.attempt, 2);
}

/* Two alike documents: the first dies after its name was reserved and before it was used, the second
 * uses that name. The first must not take the second's file for its own. */
static void a_name_that_another_used_is_not_reserved_any_more(void **state)
{
    const DeliveryResult died = { .class = DELIVERY_CLASS_RETRY, .text = "The worker died." };
    Fixture *f = *state;
    World w;
    world_make(f, &w);
    (void)world_delivering(f, &w, 1);
    (void)world_delivering(f, &w, 1);
    DeliveryClaim first, second, again;
    bool found;

    assert_write(f, delivery_claim(tx, NULL, NULL, 0, &first, &found, &f->err) && found);
    assert_write(f, delivery_reserve(tx, &first.delivery.id, "scan.pdf", &f->err) &&
                        delivery_ended(tx, &first.delivery.id, DELIVERY_EVENT_RETRY_LATER, &died,
                                       tx_now(tx), &f->err));
    assert_write(f, delivery_claim(tx, NULL, NULL, 0, &second, &found, &f->err) && found);
    if (text_equal(second.delivery.id.text, first.delivery.id.text)) {
        assert_string_equal(second.delivery.reserved_name, "scan.pdf");
        first = second;
        assert_write(f, delivery_claim(tx, NULL, NULL, 0, &second, &found, &f->err) && found);
        assert_write(f, delivery_ended(tx, &first.delivery.id, DELIVERY_EVENT_RETRY_LATER, &died,
                                       tx_now(tx), &f->err));
    }
    assert_write(f, delivery_reserve(tx, &second.delivery.id, "scan.pdf", &f->err) &&
                        delivery_ended(tx, &second.delivery.id, DELIVERY_EVENT_OK, &sent,
                                       tx_now(tx), &f->err));
    assert_write(f, delivery_claim(tx, NULL, NULL, 0, &again, &found, &f->err) && found);
    for (int i = 0; i < 2 && !text_equal(again.delivery.id.text, first.delivery.id.text); i++)
        assert_write(f, delivery_claim(tx, NULL, NULL, 0, &again, &found, &f->err) && found);
    assert_string_equal(again.delivery.id.text, first.delivery.id.text);
    assert_string_equal(again.delivery.reserved_name, "");
}

static void held_deliveries_wait_for_a_person(void **state)
{
    Fixture *f = *state;
    World w;
    world_make(f, &w);
    Batch batch = world_delivering(f, &w, 1);
    uint32_t documents, deliveries;
    DeliveryClaim claim, index;
    Delivery listed;
    bool found;

    assert_int_equal(summary_of(f, &batch.id).deliveries_open, 2);
    assert_write(f, delivery_claim(tx, NULL, NULL, 0, &claim, &found, &f->err));
    assert_refused(f, ERR_CONFLICT,
                   delivery_ended(tx, &claim.delivery.id, DELIVERY_EVENT_CLAIM, &refused,
                                  (Wall){ 0 }, &f->err));
    assert_write(f, delivery_ended(tx, &claim.delivery.id, DELIVERY_EVENT_HOLD, &refused,
                                   (Wall){ 0 }, &f->err));
    assert_int_equal(summary_of(f, &batch.id).deliveries_open, 0);
    assert_int_equal(summary_of(f, &batch.id).deliveries, 2);
    assert_read(f, delivery_list(fixture_db(f), &batch.id, first_delivery, &listed, &f->err));
    assert_int_equal(listed.state, DELIVERY_HELD);
    assert_string_equal(listed.last.cure, "Make the folder.");
    assert_int_equal(listed.last.native_code, 2);
    assert_true(listed.finished_at.ms > 0);
    assert_refused(f, ERR_CONFLICT,
                   destination_delete(tx, &test_actor, &w.destination.id, 0, &f->err));

    assert_write(f, batch_retry_rows(tx, &batch.id, &documents, &deliveries, &f->err));
    assert_int_equal(deliveries, 1);
    assert_write(f, delivery_claim(tx, NULL, NULL, 0, &claim, &found, &f->err));
    assert_int_equal(claim.delivery.attempt, 2);
    assert_write(
        f, delivery_ended(tx, &claim.delivery.id, DELIVERY_EVENT_OK, &sent, (Wall){ 0 }, &f->err));
    assert_write(f, delivery_claim(tx, NULL, NULL, 0, &index, &found, &f->err));
    assert_true(found);
    assert_int_equal(index.document.kind, DOCUMENT_INDEX);
    assert_write(
        f, delivery_ended(tx, &index.delivery.id, DELIVERY_EVENT_OK, &sent, (Wall){ 0 }, &f->err));
    assert_int_equal(summary_of(f, &batch.id).deliveries_done, 2);
    assert_write(f, batch_apply(tx, &batch.id, BATCH_EVENT_DELIVERED, NULL, &f->err));
}

static void a_lost_destination_holds_its_deliveries(void **state)
{
    Fixture *f = *state;
    World w;
    world_make(f, &w);
    Batch batch = world_batch(&w);
    uint32_t documents, deliveries;
    DeliveryClaim claim;
    bool found;

    /* As after a lost database: the job's copy names a destination that nobody knows. */
    DestinationId gone = id_new(DestinationId, wall_now());
    (void)text_copy(w.job.job.destinations[0].destination, ID_TEXT_SIZE, gone.text);
    batch = world_delivering(f, &w, 1);
    assert_write(f, delivery_claim(tx, NULL, NULL, 0, &claim, &found, &f->err));
    assert_false(found);
    assert_write(f, batch_retry_rows(tx, &batch.id, &documents, &deliveries, &f->err));
    assert_int_equal(deliveries, 0);
    assert_int_equal(summary_of(f, &batch.id).deliveries_open, 0);
}

/* --- restart ------------------------------------------------------------------------------------- */

static bool count_broken(void *arg, const BatchId *id)
{
    (void)id;
    ++*(int *)arg;
    return true;
}

static void a_restart_frees_what_was_claimed(void **state)
{
    Fixture *f = *state;
    World w;
    world_make(f, &w);
    Batch delivering = world_delivering(f, &w, 1), planned = world_planned(f, &w, 1);
    Batch to_plan = world_composing(f, &w, 1), receiving = world_batch(&w), claimed;
    Page page = world_page(&receiving, 1);
    DeliveryClaim delivery;
    DocumentClaim document;
    PageClaim page_claimed;
    int64_t before = store_generation(f->store);
    uint32_t attempt;
    bool found;
    int broken = 0;

    assert_write(f, batch_insert(tx, &receiving, &f->err));
    assert_write(f, page_insert(tx, &page, &f->err));
    assert_write(f, page_claim(tx, &page_claimed, &found, &f->err) && found);
    assert_write(f, plan_claim(tx, &claimed, &attempt, &found, &f->err) && found);
    assert_string_equal(claimed.id.text, to_plan.id.text);
    assert_write(f, document_claim(tx, &document, &found, &f->err) && found);
    assert_string_equal(document.batch.id.text, planned.id.text);
    assert_write(f, delivery_claim(tx, NULL, NULL, 0, &delivery, &found, &f->err) && found);

    /* Not ours to free: the same generation still runs. */
    assert_write(f, store_recover(tx, count_broken, &broken, &f->err));
    assert_write(f, page_claim(tx, &page_claimed, &found, &f->err) && !found);
    fixture_reopen(f);
    assert_int_equal(store_generation(f->store), before + 1);
    assert_refused(f, ERR_CONFLICT,
                   document_written(tx, &document.document.id, 1, "beef", &f->err));
    broken = 0;
    assert_write(f, store_recover(tx, count_broken, &broken, &f->err));
    assert_int_equal(broken, 1);
    assert_write(f, page_claim(tx, &page_claimed, &found, &f->err) && found);
    assert_int_equal(page_claimed.page.attempt, 1);
    assert_write(f, plan_claim(tx, &claimed, &attempt, &found, &f->err) && found);
    assert_int_equal(attempt, 1);
    assert_write(f, document_claim(tx, &document, &found, &f->err) && found);
    assert_int_equal(document.document.attempt, 1);
    assert_write(f, delivery_claim(tx, NULL, NULL, 0, &delivery, &found, &f->err) && found);
    assert_int_equal(delivery.delivery.attempt, 2);
    assert_string_equal(delivery.delivery.last.stage, "restart");
    assert_string_equal(delivery.delivery.batch.text, delivering.id.text);
}

/* --- lists --------------------------------------------------------------------------------------- */

typedef struct Seen {
    size_t count, stop_at;
    char first[ID_TEXT_SIZE], last[ID_TEXT_SIZE];
} Seen;

static bool see_batch(void *arg, const Batch *batch)
{
    Seen *seen = arg;

    (void)text_copy(seen->count == 0 ? seen->first : seen->last, ID_TEXT_SIZE, batch->id.text);
    return ++seen->count != seen->stop_at;
}

static bool see_id(void *arg, const BatchId *id)
{
    (void)id;
    return ++((Seen *)arg)->count > 0;
}

static bool see_event(void *arg, const Event *event)
{
    Seen *seen = arg;

    seen->count++;
    (void)text_copy(seen->last, sizeof seen->last, event->kind);
    return true;
}

static void lists_page_backwards(void **state)
{
    Fixture *f = *state;
    World w;
    world_make(f, &w);
    Batch batches[4];
    Seen seen = { .count = 0 };
    StoreCounts counts;

    for (size_t i = 0; i < COUNT_OF(batches); i++) {
        batches[i] = world_batch(&w);
        batches[i].id.text[9] = (char)('a' + (int)i); /* ids of one millisecond are in no order */
        (void)text_printf(batches[i].folder, sizeof batches[i].folder, "d/%zu", i);
        assert_write(f, batch_insert(tx, &batches[i], &f->err));
        if (i < 3)
            assert_write(f, batch_apply(tx, &batches[i].id, BATCH_EVENT_CANCEL, NULL, &f->err));
    }
    assert_read(f, batch_list(fixture_db(f), "", -1, 2, see_batch, &seen, &f->err));
    assert_int_equal(seen.count, 2);
    assert_string_equal(seen.first, batches[3].id.text);
    Seen older = { .count = 0 };
    assert_read(f, batch_list(fixture_db(f), seen.last, -1, 10, see_batch, &older, &f->err));
    assert_int_equal(older.count, 2);
    assert_string_equal(older.first, batches[1].id.text);
    Seen cancelled = { .count = 0 };
    assert_read(f,
                batch_list(fixture_db(f), "", BATCH_CANCELLED, 10, see_batch, &cancelled, &f->err));
    assert_int_equal(cancelled.count, 3);
    Seen one = { .stop_at = 1 };
    assert_read(f, batch_list(fixture_db(f), "", -1, 10, see_batch, &one, &f->err));
    assert_int_equal(one.count, 1);
    Seen open = { .count = 0 };
    assert_read(f, batch_open_list(fixture_db(f), see_id, &open, &f->err));
    assert_int_equal(open.count, 1);
    Seen events = { .count = 0 };
    assert_read(f, event_list(fixture_db(f),
                              &(EventFilter){ .batch = batches[0].id.text, .limit = 10 }, see_event,
                              &events, &f->err));
    assert_int_equal(events.count, 2);
    assert_string_equal(events.last, "batch.cancelled");
    Seen all = { .count = 0 };
    assert_read(
        f, event_list(fixture_db(f), &(EventFilter){ .limit = 100 }, see_event, &all, &f->err));
    assert_int_equal(all.count, 9); /* two for the device, seven for batches */
    assert_read(f, store_counts(fixture_db(f), &counts, &f->err));
    assert_int_equal(counts.batches[BATCH_CANCELLED], 3);
    assert_int_equal(counts.batches[BATCH_RECEIVING], 1);
    assert_int_equal(counts.devices[DEVICE_SCANNING], 1);
    assert_int_equal(counts.pages, 0);
    assert_int_equal(counts.oldest_open_delivery.ms, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(a_device_scans_one_batch_at_a_time),
        STORE_TEST(an_unapproved_device_starts_nothing),
        STORE_TEST(wrong_steps_are_refused),
        STORE_TEST(pages_are_inserted_once),
        STORE_TEST(pages_are_claimed_oldest_first_and_given_up_after_three),
        STORE_TEST(a_damaged_page_is_read_again_at_a_retry),
        STORE_TEST(a_plan_waits_for_its_pages_and_is_given_up_after_three),
        STORE_TEST(names_are_unique_and_counted),
        STORE_TEST(the_index_is_written_last),
        STORE_TEST(a_stopped_destination_holds_what_comes_back),
        STORE_TEST(the_index_is_delivered_last),
        STORE_TEST(a_clock_that_is_set_back_stops_no_delivery),
        STORE_TEST(a_name_that_another_used_is_not_reserved_any_more),
        STORE_TEST(held_deliveries_wait_for_a_person),
        STORE_TEST(a_lost_destination_holds_its_deliveries),
        STORE_TEST(a_restart_frees_what_was_claimed),
        STORE_TEST(lists_page_backwards),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
